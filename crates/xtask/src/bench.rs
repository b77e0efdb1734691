//! `cargo xtask bench`: the benchmarks of the package `bench`, which stands outside the workspace with the peers that it
//! builds.

use crate::{Failure, programs};
use lexopt::{Arg, Parser};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "bench";
/// The group that has servers.
const SERVERS: &str = "http";
const REPORT: &str = "compare.json";

#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    quick: bool,
    groups: Vec<String>,
}

impl Plan {
    /// Whether servers are asked over loopback.
    fn asks_servers(&self) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| group == SERVERS)
    }
}

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plan = plan(arguments, &groups(&root)?)?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("bench");
    if plan.asks_servers() {
        programs::provide("the measurements over loopback", &["wrk"])?;
    }
    build(&root, &target)?;
    let report = target.join(REPORT);
    let mut bench = Command::new(target.join("release").join(format!("bench{}", env::consts::EXE_SUFFIX)));
    bench.arg("--out").arg(&report).args(plan.quick.then_some("--quick")).args(plan.groups);
    succeed(&mut bench, "bench")?;
    let report = fs::canonicalize(&report).unwrap_or(report);
    println!("as JSON: {}", report.display());
    Ok(())
}

fn plan(mut arguments: Parser, known: &[String]) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("quick") => plan.quick = true,
            Arg::Value(group) => match group.into_string() {
                Ok(group) if known.contains(&group) => plan.groups.push(group),
                Ok(group) => {
                    let known = known.join(", ");
                    return Err(Failure::Usage(format!("there is no group `{group}`: there are {known}")));
                }
                Err(group) => return Err(lexopt::Error::NonUnicodeValue(group).into()),
            },
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(plan)
}

/// The groups, by the files of their modules.
fn groups(root: &Path) -> Result<Vec<String>, Failure> {
    let folder = format!("{FOLDER}/src/groups");
    let entries = fs::read_dir(root.join(&folder)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| Failure::Failed(format!("{folder}: {error}")))?;
    let module = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
    let paths = entries.iter().map(fs::DirEntry::path).filter(|path| module(path));
    let mut groups: Vec<_> = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    groups.sort();
    Ok(groups)
}

fn build(root: &Path, target: &Path) -> Result<(), Failure> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.args(["build", "--release", "--locked", "--manifest-path"]).arg(root.join(FOLDER).join("Cargo.toml"));
    succeed(cargo.arg("--target-dir").arg(target), "cargo build")
}

fn succeed(command: &mut Command, name: &str) -> Result<(), Failure> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed(format!("{name}: {status}"))),
        Err(error) => Err(Failure::Failed(format!("{name}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(arguments: &[&str]) -> Result<Plan, Failure> {
        plan(Parser::from_args(arguments), &["authorization".to_owned()])
    }

    #[test]
    fn every_group_runs_unless_some_are_named() {
        assert_eq!(plan_of(&[]).unwrap(), Plan::default());
        let groups = vec!["authorization".to_owned()];
        assert_eq!(plan_of(&["authorization", "--quick"]).unwrap(), Plan { quick: true, groups });
    }

    #[test]
    fn what_is_not_understood_is_a_matter_of_usage() {
        for arguments in [&["authorisation"][..], &["--fast"], &["--quick=1"], &["authorization", "nothing"]] {
            let answer = plan_of(arguments);
            assert!(matches!(answer, Err(Failure::Usage(_))), "{arguments:?}: {answer:?}");
        }
    }

    #[test]
    fn wrk_is_wanted_where_servers_are_asked() {
        let plan = |groups: &[&str]| Plan { quick: false, groups: groups.iter().map(|&group| group.into()).collect() };
        for (groups, is_wanted) in [(&[][..], true), (&["http"], true), (&["authorization"], false)] {
            assert_eq!(plan(groups).asks_servers(), is_wanted, "{groups:?}");
        }
    }

    #[test]
    fn a_group_is_a_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let groups = groups(&root).unwrap();
        assert!(groups.contains(&"authorization".to_owned()) && groups.contains(&SERVERS.to_owned()));
    }
}
