//! `cargo xtask msrv`: the oldest Rust that the manifests name builds every crate that is published, with all features.

use crate::Failure;
use crate::cargo::{nothing_more, output, published, root, succeed, target};
use crate::programs::is_in_path;
use lexopt::Parser;
use std::collections::BTreeMap;
use std::process::Command;

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    nothing_more(arguments)?;
    let mut by_version: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in published()? {
        by_version.entry(package.rust_version).or_default().push(package.name);
    }
    let installed = match is_in_path("rustup") {
        true => output(Command::new("rustup").args(["toolchain", "list"]), "rustup toolchain list")?,
        false => String::new(),
    };
    for (version, packages) in by_version {
        let Some(toolchain) = toolchain(&installed, &version) else {
            return Err(Failure::Failed(format!(
                "there is no Rust {version}: rustup toolchain install {version} --profile minimal brings it"
            )));
        };
        let mut cargo = Command::new("rustup");
        // What the cargo that started this program says of itself is about another toolchain.
        cargo.env_remove("RUSTC").env_remove("RUSTDOC").current_dir(root());
        cargo.args(["run", toolchain, "cargo", "check", "--locked", "--lib", "--all-features", "--target-dir"]);
        cargo.arg(target("msrv")).args(packages.iter().flat_map(|package| ["--package", package]));
        succeed(&mut cargo, "cargo check")?;
        println!("{} crates build with Rust {version}", packages.len());
    }
    Ok(())
}

/// The toolchain of this version, as `rustup toolchain list` names it. A patch level is as good.
fn toolchain<'l>(installed: &'l str, version: &str) -> Option<&'l str> {
    let names = installed.lines().filter_map(|line| line.split_whitespace().next());
    names
        .into_iter()
        .find(|name| name.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_found_by_its_version() {
        let installed = "stable-x86_64-unknown-linux-gnu (default)\n1.90.0-x86_64-unknown-linux-gnu\n1.9-x\n";
        let cases = [
            ("1.90", Some("1.90.0-x86_64-unknown-linux-gnu")),
            ("1.9", Some("1.9-x")),
            ("1.91", None),
            ("1.90.0", Some("1.90.0-x86_64-unknown-linux-gnu")),
        ];
        for (version, expected) in cases {
            assert_eq!(toolchain(installed, version), expected, "{version}");
        }
        assert_eq!(toolchain("", "1.90"), None);
    }
}
