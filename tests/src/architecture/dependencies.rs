//! Who depends on whom, as `deny.toml` allows it and DESIGN wants it.

use super::{METADATA, host, root};
use cargo_metadata::{DependencyKind, PackageId};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::env;
use std::process::Command;

/// A crate, and all who may depend on it directly.
type Rules = BTreeMap<String, BTreeSet<String>>;

/// Who depends directly on whom.
type Edge = (String, String);

const FLOOR_1: &[&str] = &["countersign"];
const FLOOR_2: &[&str] =
    &["countersign-cache", "countersign-jsonwebtoken", "countersign-keys", "countersign-rbac", "countersign-testkit"];
/// What nobody depends on but for tests. `deny.toml` cannot say so: who has no wrappers is banned for itself.
const NOBODYS: &[&str] = &["countersign-jsonwebtoken"];
/// In the lock file and in what cargo tells of it, and never built: an option of `rcgen`. cargo-deny does not meet it.
const NOT_BUILT: &[&str] = &["x509-parser"];
const FLOOR_3: &[&str] = &["countersign-actix", "countersign-axum", "countersign-warp"];
const FLOOR_4: &[&str] = &["core_only", "countersign-examples", "countersign-tests", "xtask"];

/// Crates of other people, and who below floor 4 may use them.
const OTHERS: &[(&str, &[&str])] = &[
    ("actix-web", &["countersign-actix"]),
    ("actix-ws", &["countersign-actix"]),
    ("axum", &["countersign-axum"]),
    ("axum-core", &[]),
    ("http", &["countersign-testkit", "countersign-axum"]),
    ("hyper", &[]),
    ("hyper-util", &[]),
    ("jsonwebtoken", &["countersign-jsonwebtoken"]),
    ("metrics", &["countersign"]),
    ("metrics-exporter-prometheus", &[]),
    ("redis", &["countersign-cache"]),
    ("reqwest", &["countersign-keys"]),
    ("ring", &["countersign"]),
    ("rustls", &["countersign-cache", "countersign-keys"]),
    ("rustls-platform-verifier", &["countersign-cache", "countersign-keys"]),
    (
        "tokio",
        &["countersign-cache", "countersign-keys", "countersign-testkit", "countersign-axum", "countersign-warp"],
    ),
    ("tokio-tungstenite", &[]),
    ("tower", &[]),
    ("tower-http", &[]),
    ("tracing", &["countersign"]),
    ("warp", &["countersign-warp"]),
];

/// What the core does without, with everything that begins with it and a hyphen.
const NOT_IN_THE_CORE: &[&str] =
    &["actix", "axum", "http", "hyper", "mio", "redis", "reqwest", "socket2", "tokio", "tower", "warp"];

#[derive(Deserialize)]
struct DenyToml {
    bans: Bans,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    wrappers: BTreeSet<String>,
}

fn rules() -> Rules {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let deny: DenyToml = toml::from_str(&text).expect("a deny.toml with bans");
    let nobodys = NOBODYS.iter().map(|name| ((*name).to_owned(), BTreeSet::new()));
    deny.bans.deny.into_iter().map(|ban| (ban.name, ban.wrappers)).chain(nobodys).collect()
}

fn is_shipped(kind: DependencyKind) -> bool {
    matches!(kind, DependencyKind::Normal | DependencyKind::Build)
}

/// What the members declare, for every platform and feature, and the whole graph as it is resolved for this machine.
/// What only a crate's own tests use does not count.
fn edges() -> Vec<Edge> {
    let members = METADATA.workspace_packages();
    let declared = members.iter().flat_map(|member| {
        let dependencies = member.dependencies.iter().filter(|dependency| is_shipped(dependency.kind));
        dependencies.map(|dependency| (member.name.to_string(), dependency.name.clone()))
    });
    let resolve = METADATA.resolve.as_ref().expect("a resolved workspace");
    let built = resolve.nodes.iter().filter(|node| !NOT_BUILT.contains(&METADATA[&node.id].name.as_str()));
    let resolved = built.flat_map(|node| {
        let shipped = node.deps.iter().filter(|d| d.dep_kinds.iter().any(|kind| is_shipped(kind.kind)));
        shipped.map(|d| (METADATA[&node.id].name.to_string(), METADATA[&d.pkg].name.to_string()))
    });
    let edges: BTreeSet<_> = declared.chain(resolved).collect();
    edges.into_iter().collect()
}

/// The edges to a ruled crate that do not come from one of its wrappers.
fn violations(rules: &Rules, edges: &[Edge]) -> Vec<String> {
    let breaks = |(from, to): &&Edge| rules.get(to).is_some_and(|wrappers| !wrappers.contains(from));
    edges.iter().filter(breaks).map(|(from, to)| format!("`{from}` must not depend on `{to}`")).collect()
}

/// Where the rules are not those of the house.
fn differences(rules: &Rules) -> Vec<String> {
    let ours = [FLOOR_2, FLOOR_3].concat().into_iter().map(|name| (name, [].as_slice()));
    let mut found = Vec::new();
    for (name, expected) in ours.chain(OTHERS.iter().copied()) {
        let Some(wrappers) = rules.get(name) else {
            found.push(format!("`{name}` has no rule"));
            continue;
        };
        let below = [FLOOR_1, FLOOR_2, FLOOR_3].concat();
        let below: Vec<_> = below.into_iter().filter(|member| wrappers.contains(*member)).collect();
        if below != expected {
            found.push(format!("`{name}` is for {expected:?} below floor 4, not for {below:?}"));
        }
    }
    found
}

/// What a member is built of, on this machine and with all features: itself and all that stands below it.
fn closure(member: &str) -> HashSet<String> {
    let resolve = METADATA.resolve.as_ref().expect("a resolved workspace");
    let nodes: HashMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let package = METADATA.workspace_packages().into_iter().find(|package| *package.name == member);
    let mut waiting = vec![&package.expect("a member").id];
    let mut seen: HashSet<&PackageId> = HashSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            let shipped = nodes[id].deps.iter().filter(|d| d.dep_kinds.iter().any(|k| is_shipped(k.kind)));
            waiting.extend(shipped.map(|dependency| &dependency.pkg));
        }
    }
    seen.into_iter().map(|id| METADATA[id].name.to_string()).collect()
}

fn is_kept_out_of_the_core(name: &str) -> bool {
    NOT_IN_THE_CORE.iter().any(|out| name.strip_prefix(out).is_some_and(|n| n.is_empty() || n.starts_with('-')))
}

#[test]
fn every_member_lives_on_one_floor() {
    let members: BTreeSet<_> = METADATA.workspace_packages().iter().map(|p| p.name.to_string()).collect();
    let mut floors = [FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_4].concat();
    floors.sort_unstable();
    assert_eq!(members.into_iter().collect::<Vec<_>>(), floors);
}

#[test]
fn no_member_breaks_a_rule_of_deny_toml() {
    assert_eq!(violations(&rules(), &edges()), [""; 0]);
}

#[test]
fn deny_toml_has_the_rules_of_the_design() {
    assert_eq!(differences(&rules()), [""; 0]);
}

#[test]
fn a_rule_that_is_missing_or_too_generous_is_seen() {
    assert_eq!(differences(&Rules::new()).len(), FLOOR_2.len() + FLOOR_3.len() + OTHERS.len());

    let mut generous = rules();
    generous.entry("tokio".into()).or_default().insert("countersign".into());
    generous.entry("countersign-keys".into()).or_default().insert("countersign-axum".into());
    generous.remove("warp");
    let found = differences(&generous);
    assert!(
        matches!(
            &*found,
            [keys, tokio, warp]
                if keys.starts_with("`countersign-keys` is for []")
                    && tokio.starts_with("`tokio` is for")
                    && warp == "`warp` has no rule"
        ),
        "{found:?}"
    );
}

#[test]
fn a_forbidden_edge_is_seen() {
    let rules = rules();
    for (from, to) in [
        ("countersign", "tokio"),
        ("countersign", "http"),
        ("countersign", "countersign-keys"),
        ("countersign-rbac", "countersign-cache"),
        ("countersign-keys", "countersign-cache"),
        ("countersign-keys", "countersign-testkit"),
        ("countersign-keys", "redis"),
        ("countersign-keys", "tracing"),
        ("countersign-cache", "reqwest"),
        ("countersign-rbac", "ring"),
        ("countersign-keys", "countersign-jsonwebtoken"),
        ("countersign", "jsonwebtoken"),
        ("countersign-testkit", "countersign-axum"),
        ("countersign-axum", "countersign-keys"),
        ("countersign-axum", "countersign-warp"),
        ("countersign-axum", "metrics"),
        ("countersign", "metrics-exporter-prometheus"),
        ("countersign-axum", "tower"),
        ("countersign-actix", "tokio"),
        ("countersign-warp", "axum"),
    ] {
        let edges = [(from.to_owned(), to.to_owned())];
        assert_eq!(violations(&rules, &edges), [format!("`{from}` must not depend on `{to}`")]);
    }
}

#[test]
fn the_core_is_built_without_a_runtime_an_http_client_or_a_framework() {
    let core = closure("countersign");
    assert!(core.contains("serde_json"), "the closure has what the core uses");
    let found: Vec<_> = core.iter().filter(|name| is_kept_out_of_the_core(name)).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn what_the_core_does_without_is_seen_where_it_is() {
    let keys = closure("countersign-keys");
    for name in ["hyper", "http", "mio", "reqwest", "tokio", "tower-http"] {
        assert!(keys.contains(name) && is_kept_out_of_the_core(name), "{name}");
    }
    assert!(!is_kept_out_of_the_core("httpdate"));
}

/// What the bridge is built of with this feature alone.
fn bridge_with(feature: &str) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = ["tree", "--offline", "--locked", "--prefix", "none", "--edges", "normal,build", "--format", "{p}"];
    let of = ["--package", "countersign-jsonwebtoken", "--features", feature, "--target", &host()];
    let output = Command::new(cargo).current_dir(root()).args(tree).args(of).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_bridge_on_rust_crypto_takes_no_c_compiler_and_no_assembler() {
    const BUILDS_C: [&str; 6] = ["aws-lc-rs", "aws-lc-sys", "cc", "cmake", "openssl-sys", "ring"];
    let in_rust = bridge_with("rust_crypto");
    assert!(in_rust.contains("rsa") && in_rust.contains("p256"), "{in_rust:?}");
    let found: Vec<_> = BUILDS_C.iter().filter(|name| in_rust.contains(**name)).collect();
    assert_eq!(found, [&""; 0]);
    assert!(bridge_with("aws_lc_rs").contains("aws-lc-sys"), "what builds C is seen where it is");
}

/// What an application adds by `aws-lc-rs = { version = "1", features = ["fips"] }`, it adds to what we ask for.
#[test]
fn an_application_can_put_the_fips_module_below_aws_lc() {
    let is_aws_lc = |id: &PackageId| *METADATA[id].name == "aws-lc-rs";
    let resolve = METADATA.resolve.as_ref().expect("a resolved workspace");
    let [aws_lc] = resolve.nodes.iter().filter(|node| is_aws_lc(&node.id)).collect::<Vec<_>>()[..] else {
        panic!("one aws-lc-rs for all, or features would not add up");
    };
    let package = &METADATA[&aws_lc.id];
    assert_eq!(package.version.major, 1);
    assert!(package.features["fips"].iter().any(|feature| feature == "dep:aws-lc-fips-sys"), "{:?}", package.features);
    // Its build refuses this one beside `fips`; and `fips` itself would ask everybody for CMake and Go.
    let on: Vec<_> = aws_lc.features.iter().map(ToString::to_string).collect();
    assert!(on.iter().any(|feature| feature == "aws-lc-sys"), "{on:?}");
    assert!(!on.iter().any(|feature| feature == "non-fips" || feature == "fips"), "{on:?}");
}

/// Or a service that is to run on the FIPS module alone would have ring beside it, whatever it says itself.
#[test]
fn no_crate_that_a_service_is_built_of_turns_ring_on_unasked() {
    let is_published = |publish: &Option<Vec<String>>| publish.as_ref().is_none_or(|to| !to.is_empty());
    let turns_ring_on = |dependency: &cargo_metadata::Dependency| {
        let is_core = dependency.name == "countersign" && dependency.kind == DependencyKind::Normal;
        is_core && (dependency.uses_default_features || dependency.features.iter().any(|feature| feature == "ring"))
    };
    let published = METADATA.workspace_packages().into_iter().filter(|package| is_published(&package.publish));
    let found = published.filter(|package| package.dependencies.iter().any(turns_ring_on));
    let found: Vec<_> = found.map(|package| package.name.to_string()).collect();
    assert_eq!(found, ["countersign-testkit"], "which is for tests");
}

#[test]
fn core_only_is_built_on_the_core_alone() {
    let edges = edges().into_iter().filter(|(from, _)| from == "core_only");
    assert_eq!(edges.map(|(_, to)| to).collect::<Vec<_>>(), ["countersign"]);
}
