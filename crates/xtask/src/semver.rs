//! `cargo xtask semver`: whose types stand in our signatures, held against `docs/STABILITY.md`; then what has changed since a
//! release, by cargo-semver-checks.

use crate::Failure;
use crate::cargo::{cargo, demand, output, published, root, succeed, target};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

const PAGE: &str = "docs/STABILITY.md";

/// For each crate, crates.
type Table = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
    let mut since = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(revision) if since.is_none() => since = Some(revision.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let page = fs::read_to_string(root().join(PAGE)).map_err(|error| Failure::Failed(format!("{PAGE}: {error}")))?;
    let unlisted = unlisted(&exported()?, &public(&page));
    if !unlisted.is_empty() {
        let unlisted = unlisted.join(", ");
        return Err(Failure::Failed(format!("in signatures, and not public in {PAGE}: {unlisted}")));
    }
    println!("public dependencies are those of {PAGE}");
    demand("cargo-semver-checks")?;
    let since = since.map_or_else(latest_tag, Ok)?;
    let mut checks = cargo();
    checks.args(["semver-checks", "--workspace", "--all-features", "--baseline-rev", &since]);
    checks.args(["--exclude", "xtask", "--exclude", "core_only"]);
    checks.args(["--exclude", "countersign-examples", "--exclude", "countersign-tests"]);
    succeed(&mut checks, "cargo semver-checks")
}

fn latest_tag() -> Result<String, Failure> {
    let described = Command::new("git").args(["describe", "--tags", "--abbrev=0"]).current_dir(root()).output();
    match described {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        _ => Err(Failure::Failed("no release is tagged to compare with: cargo xtask semver REVISION".into())),
    }
}

/// Whose types the compiler finds in signatures. Its lint is not stable, and is asked for on the stable compiler all the same: it
/// changes nothing in what is built.
fn exported() -> Result<Table, Failure> {
    let mut check = cargo();
    check.env("RUSTC_BOOTSTRAP", "1");
    check.args(["check", "--quiet", "--locked", "--lib", "--all-features", "-Zpublic-dependency"]);
    check.args(["--message-format", "json", "--target-dir"]).arg(target("public"));
    check.args(published()?.iter().flat_map(|package| ["--package", &package.name]));
    Ok(read(&output(&mut check, "cargo check")?))
}

fn read(messages: &str) -> Table {
    let mut table = Table::new();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
        let (Some(package), Some(said)) = (text("/target/name"), text("/message/message")) else { continue };
        let dependency = said.split_once("private dependency '").and_then(|(_, rest)| rest.split_once('\''));
        if let Some((dependency, _)) = dependency {
            table.entry(hyphened(package)).or_default().insert(hyphened(dependency));
        }
    }
    table
}

/// The compiler knows crates by the names of their libraries.
fn hyphened(name: &str) -> String {
    name.replace('_', "-")
}

/// What the page lists as public: of each row the second and the third cell.
fn public(page: &str) -> Table {
    let rows = page.lines().filter(|line| line.starts_with("| `countersign"));
    let cells = rows.map(|row| row.split('|').skip(1).map(str::trim));
    let names = |cell: &str| -> Vec<String> {
        let names = cell.split(',').map(|name| hyphened(name.trim().trim_matches('`')));
        names.filter(|name| !name.is_empty()).collect()
    };
    let row = cells.map(|mut cells| (cells.next().unwrap_or_default(), cells.take(2).flat_map(names).collect()));
    row.map(|(name, public)| (name.trim_matches('`').to_owned(), public)).collect()
}

fn unlisted(exported: &Table, public: &Table) -> Vec<String> {
    let nothing = BTreeSet::new();
    let each = exported.iter().flat_map(|(package, found)| {
        let listed = public.get(package).unwrap_or(&nothing);
        found.difference(listed).map(move |dependency| format!("{dependency} of {package}"))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compiler_finds_is_held_against_the_page() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"countersign_axum"}}
{"reason":"compiler-message","target":{"name":"countersign_axum"},"message":{"message":"trait `A` from private dependency 'axum_core' in public interface"}}
{"reason":"compiler-message","target":{"name":"countersign_axum"},"message":{"message":"type `B` from private dependency 'tokio' in public interface"}}
not JSON
{"reason":"compiler-message","target":{"name":"countersign_axum"},"message":{"message":"unused import"}}"#;
        let page = "| crate | public | through them | private |\n|---|---|---|---|\n\
                    | `countersign-axum` | `axum`, `http` | `axum-core` | `tokio` |\n";
        assert_eq!(unlisted(&read(messages), &public(page)), ["tokio of countersign-axum"]);
        assert_eq!(unlisted(&read(messages), &Table::new()).len(), 2);
    }
}
