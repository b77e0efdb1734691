//! `cargo xtask features`: each crate is checked (`cargo check --lib`), without a warning, with none of its
//! features, with each and with any two. What is tested so is what `cargo xtask test` names: one backend, the other, none.

use crate::Failure;
use crate::cargo::{Published, cargo, nothing_more, published};
use lexopt::Parser;
use std::process::Stdio;

/// A crate, and features of it.
type Set = (String, Vec<String>);

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    nothing_more(arguments)?;
    check()
}

/// All sets, and a line that says how many.
pub(crate) fn check() -> Result<(), Failure> {
    let packages = published()?;
    let sets: Vec<Set> = packages.iter().flat_map(sets).collect();
    for (package, features) in &sets {
        build(package, &features.join(","))?;
    }
    println!("{} sets of features of {} crates are checked", sets.len(), packages.len());
    Ok(())
}

/// None, each, and any two. `default` is a set of others.
fn sets(package: &Published) -> Vec<Set> {
    let features: Vec<&str> = package.features.keys().map(String::as_str).filter(|name| *name != "default").collect();
    let mut sets = vec![Vec::new()];
    for (at, first) in features.iter().enumerate() {
        sets.push(vec![(*first).to_owned()]);
        let others = features.iter().skip(at + 1);
        sets.extend(others.map(|second| vec![(*first).to_owned(), (*second).to_owned()]));
    }
    sets.into_iter().map(|set| (package.name.clone(), set)).collect()
}

fn build(package: &str, features: &str) -> Result<(), Failure> {
    let mut check = cargo();
    check.args(["check", "--quiet", "--locked", "--lib", "--package", package]);
    check.args(["--no-default-features", "--features", features]);
    let output = check.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::Failed(format!("cargo check could not be run: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.trim().is_empty() {
        return Ok(());
    }
    eprint!("{said}");
    Err(Failure::Failed(format!(
        "not clean: cargo check --lib -p {package} --no-default-features --features '{features}'"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_none_one_or_two() {
        let features = ["a", "b", "c", "default"].map(|name| (name.to_owned(), Vec::new())).into();
        let package = Published { name: "p".into(), features, rust_version: String::new() };
        let found: Vec<_> = sets(&package).into_iter().map(|(_, set)| set.join(",")).collect();
        assert_eq!(found, ["", "a", "a,b", "a,c", "b", "b,c", "c"]);
    }
}
