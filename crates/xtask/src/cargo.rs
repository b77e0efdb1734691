//! Cargo, as commands ask it and run it.

use crate::{Failure, programs};
use lexopt::{Arg, Parser, ValueExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Cargo, at the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// A folder of its own, where a build with other flags does not throw away what other builds made.
pub(crate) fn target(name: &str) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from).join(name)
}

/// A crate that is published.
#[derive(Debug, Deserialize)]
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    /// Such as `1.90`.
    pub(crate) rust_version: String,
}

pub(crate) fn published() -> Result<Vec<Published>, Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        /// The registries that may have it: none is an empty list.
        publish: Option<Vec<String>>,
        #[serde(flatten)]
        package: serde_json::Value,
    }
    let told = output(cargo().args(["metadata", "--no-deps", "--offline", "--format-version", "1"]), "cargo metadata")?;
    let unreadable = |error| Failure::Failed(format!("cargo metadata: {error}"));
    let metadata: Metadata = serde_json::from_str(&told).map_err(unreadable)?;
    let published =
        metadata.packages.into_iter().filter(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty()));
    published.map(|package| serde_json::from_value(package.package).map_err(unreadable)).collect()
}

/// The crates that the arguments name: none where there are no arguments.
pub(crate) fn named(mut arguments: Parser) -> Result<Vec<Published>, Failure> {
    let mut known = published()?;
    let mut names = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) => names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(other) = names.iter().find(|name| !known.iter().any(|package| package.name == **name)) {
        return Err(Failure::Usage(format!("there is no crate `{other}` that is published")));
    }
    known.retain(|package| names.contains(&package.name));
    Ok(known)
}

/// What a program writes to standard output. What it writes to standard error goes to the terminal.
pub(crate) fn output(command: &mut Command, name: &str) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::Failed(format!("{name} could not be run: {error}")))?;
    if !output.status.success() {
        return Err(Failure::Failed(format!("{name}: {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|error| Failure::Failed(format!("{name}: {error}")))
}

pub(crate) fn succeed(command: &mut Command, name: &str) -> Result<(), Failure> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed(format!("{name}: {status}"))),
        Err(error) => Err(Failure::Failed(format!("{name} could not be run: {error}"))),
    }
}

/// Makes sure that a subcommand of cargo's is installed. Its program is named like its package.
pub(crate) fn demand(program: &str) -> Result<(), Failure> {
    if programs::is_in_path(program) {
        return Ok(());
    }
    Err(Failure::Failed(format!("there is no {program}: cargo install {program} --locked brings it")))
}

/// For commands that take no arguments.
pub(crate) fn nothing_more(mut arguments: Parser) -> Result<(), Failure> {
    match arguments.next()? {
        None => Ok(()),
        Some(other) => Err(other.unexpected().into()),
    }
}
