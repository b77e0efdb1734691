//! `cargo xtask features`: each crate with none of its features, with each and with any two: checked (`cargo check --lib`), its
//! unit tests built without a warning, and run; of an adapter, which has none, the examples in its documentation.
//!
//! `cargo xtask test` checks all sets, and runs the tests of none of a crate's features, where a test shows that needs one
//! without saying so. Tests of a crate are built with what they need of others: where that is `countersign-testkit`, ring is
//! there. That a set builds without it shows in the check.

use crate::Failure;
use crate::cargo::{Published, cargo, named, published};
use crate::test::Tally;
use lexopt::Parser;
use std::fmt;
use std::process::{Command, Output, Stdio};

/// What of the core makes and reads keys, and has nothing to test itself on where no backend is.
const NEEDS_A_BACKEND: [&str; 7] = ["guard::", "issue::", "jwk::", "jws::", "key::", "key_set::", "verifier::"];
const BACKENDS: [&str; 2] = ["aws-lc", "ring"];

/// They are tested by their documentation, and by the tests of the workspace with all features.
const ADAPTERS: [&str; 3] = ["countersign-actix", "countersign-axum", "countersign-warp"];

/// A crate, and features of it.
struct Set {
    package: String,
    features: Vec<String>,
}

/// As cargo takes it.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-p {} --no-default-features --features '{}'", self.package, self.features.join(","))
    }
}

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    let mut packages = named(arguments)?;
    if packages.is_empty() {
        packages = published()?;
    }
    let sets: Vec<Set> = packages.iter().flat_map(sets).collect();
    check(&sets)?;
    let (mut sum, mut red) = (Tally::default(), Vec::new());
    for set in &sets {
        let (tally, is_good) = set.test()?;
        println!("{tally}: {set}");
        sum += tally;
        red.extend((!is_good).then_some(set));
    }
    println!("{} sets of features of {} crates, checked and tested: {sum}", sets.len(), packages.len());
    match red.first() {
        None => Ok(()),
        Some(first) => {
            let (number, kind) = (red.len(), first.kind());
            Err(Failure::Failed(format!("{number} sets are not clean, the first: cargo test {kind} {first}")))
        }
    }
}

/// What `cargo xtask test` runs of it, and what the tests came to.
pub(crate) fn check_all_and_test_none() -> Result<(Tally, bool), Failure> {
    let packages = published()?;
    let sets: Vec<Set> = packages.iter().flat_map(sets).collect();
    check(&sets)?;
    let (mut sum, mut all_are_good) = (Tally::default(), true);
    let bare = sets.iter().filter(|set| set.features.is_empty());
    for set in bare {
        let (tally, is_good) = set.test()?;
        println!("{tally}: {set}");
        sum += tally;
        all_are_good &= is_good;
    }
    println!("{} sets of features of {} crates are checked", sets.len(), packages.len());
    Ok((sum, all_are_good))
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
    sets.into_iter().map(|features| Set { package: package.name.clone(), features }).collect()
}

fn check(sets: &[Set]) -> Result<(), Failure> {
    for set in sets {
        let output = set.cargo(&["check", "--lib"], &[])?;
        if !is_silent(&output) {
            return Err(Failure::Failed(format!("not clean: cargo check --lib {set}")));
        }
    }
    Ok(())
}

impl Set {
    /// What the tests came to, and whether they were built without a warning and passed.
    fn test(&self) -> Result<(Tally, bool), Failure> {
        let kind = self.kind();
        // Cargo builds no documentation without running it.
        if kind == "--lib" && !is_silent(&self.cargo(&["test", kind, "--no-run"], &[])?) {
            return Ok((Tally::default(), false));
        }
        let output = self.cargo(&["test", kind], &self.skipped())?;
        let said = String::from_utf8_lossy(&output.stdout);
        let mut tally = Tally::default();
        said.lines().for_each(|line| tally.read(line));
        let is_good = output.status.success() && tally.failed == 0 && tally.passed() > 0;
        if !is_good {
            print!("{said}");
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok((tally, is_good))
    }

    fn kind(&self) -> &'static str {
        if ADAPTERS.contains(&self.package.as_str()) { "--doc" } else { "--lib" }
    }

    /// The tests that have nothing to test themselves on, for the harness.
    fn skipped(&self) -> Vec<&'static str> {
        let is_bare =
            self.package == "countersign" && !self.features.iter().any(|name| BACKENDS.contains(&name.as_str()));
        let names = if is_bare { &NEEDS_A_BACKEND[..] } else { &[] };
        names.iter().flat_map(|name| ["--skip", name]).collect()
    }

    fn cargo(&self, arguments: &[&str], harness: &[&str]) -> Result<Output, Failure> {
        let mut command: Command = cargo();
        command.args(arguments).args(["--quiet", "--locked", "--package", &self.package]);
        command.args(["--no-default-features", "--features", &self.features.join(",")]);
        if !harness.is_empty() {
            command.arg("--").args(harness);
        }
        let output = command.stdin(Stdio::null()).output();
        output.map_err(|error| Failure::Failed(format!("cargo could not be run: {error}")))
    }
}

/// Whether cargo succeeded without a word. What it said otherwise is shown.
fn is_silent(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    let is_silent = output.status.success() && said.trim().is_empty();
    if !is_silent {
        eprint!("{said}");
    }
    is_silent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_none_one_or_two() {
        let features = ["a", "b", "c", "default"].map(|name| (name.to_owned(), Vec::new())).into();
        let package = Published { name: "p".into(), features, rust_version: String::new() };
        let found: Vec<_> = sets(&package).into_iter().map(|set| set.features.join(",")).collect();
        assert_eq!(found, ["", "a", "a,b", "a,c", "b", "b,c", "c"]);
    }

    #[test]
    fn tests_are_left_out_in_the_core_without_a_backend_alone() {
        for (package, features, is_whole) in [
            ("countersign", vec![], false),
            ("countersign", vec!["metrics", "tracing"], false),
            ("countersign", vec!["ring"], true),
            ("countersign", vec!["aws-lc", "metrics"], true),
            ("countersign-keys", vec![], true),
        ] {
            let set = Set { package: package.into(), features: features.into_iter().map(str::to_owned).collect() };
            assert_eq!(set.skipped().is_empty(), is_whole, "{set}");
        }
    }
}
