//! The house keeps its shape: who may depend on whom, which rooms of the core may name which, and what stands
//! nowhere.
//!
//! The rules for dependencies are those of `deny.toml`, read from there.

mod dependencies;
mod release;
mod rooms;
mod source;

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};
use source::Source;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn toml(path: impl AsRef<Path>) -> toml::Table {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// As cargo names this machine.
fn host() -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(cargo).arg("-vV").output().expect("cargo");
    let version = String::from_utf8(version.stdout).expect("text");
    version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

/// The workspace with all features. Resolved for this machine only: what other platforms need is not
/// downloaded by a build, and without it cargo would have to go online.
static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--offline", "--locked", "--filter-platform", &host()].map(str::to_owned))
        .exec()
        .expect("cargo metadata")
});

fn paths<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Vec<&'s str> {
    sources.into_iter().map(|source| source.path.as_str()).collect()
}

#[test]
fn the_system_clock_is_read_in_one_file() {
    let sources = source::under("crates");
    let readers = sources.iter().filter(|file| file.shipped_code().contains("SystemTime::now"));
    assert_eq!(paths(readers), ["crates/countersign/src/clock.rs"]);
}

#[test]
fn the_core_reads_no_file_and_opens_no_socket() {
    for module in ["std::fs", "std::net", "std::process", "std::thread"] {
        let sources = source::under("crates/countersign/src");
        assert!(sources.len() > 20, "the core was looked at");
        let users = sources.iter().filter(|file| file.shipped_code().contains(module));
        assert_eq!(paths(users), [""; 0], "{module}");
    }
}

#[test]
fn nothing_is_unsafe() {
    let sources = source::under("crates");
    let found = sources.iter().filter(|file| file.names("unsafe"));
    assert_eq!(paths(found), [""; 0]);
}

#[test]
fn every_member_takes_the_lints_of_the_workspace_and_they_forbid_unsafe_code() {
    let workspace = toml(root().join("Cargo.toml"));
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for member in METADATA.workspace_packages() {
        let manifest = toml(&member.manifest_path);
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(lints.and_then(toml::Value::as_bool), Some(true), "{}", member.name);
    }
}

#[test]
fn nothing_is_left_for_later() {
    // In pieces, or this file would find itself.
    let needles = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("#[ign", "ore")];
    let sources = ["crates", "examples", "tests"].map(source::under).concat();
    let found = sources.iter().filter(|file| needles.iter().any(|needle| file.text.contains(needle)));
    assert_eq!(paths(found), [""; 0]);
}
