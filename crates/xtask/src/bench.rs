//! `cargo xtask bench`: the benchmarks of the package `bench`, which stands outside the workspace with the peers that it
//! builds.

mod compared;

use crate::{Failure, cargo, programs};
use lexopt::{Arg, Parser};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FOLDER: &str = "bench";
const PROFILE: &str = "release";
const REPORT: &str = "compare.json";
/// The group that has servers.
const SERVERS: &str = "http";
/// josekit takes it, and only what is installed.
const OPENSSL: &str = "openssl";

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
    let root = root();
    let plan = plan(arguments, &groups(&root)?)?;
    if plan.asks_servers() {
        programs::provide("the measurements over loopback", &["wrk"])?;
    }
    let has_openssl = has_openssl();
    let features: &[&str] = if has_openssl { &["--features", "josekit"] } else { &[] };
    build(&[&["--bin", "bench", "--bin", "count"], features].concat())?;
    if !has_openssl {
        println!("josekit is left out: `pkg-config --exists openssl` finds none (Debian: pkg-config libssl-dev)\n");
    }
    let report = target().join(REPORT);
    // An earlier run's is not to be taken for this one's.
    let _ = fs::remove_file(&report);
    let mut bench = Command::new(program("bench"));
    bench.arg("--out").arg(&report).args(plan.quick.then_some("--quick")).args(&plan.groups);
    let (ended, taken) = timed(|| succeed(&mut bench, "bench"));
    ended?;
    let report = fs::canonicalize(&report).unwrap_or(report);
    let text = fs::read_to_string(&report).map_err(|error| Failure::Failed(format!("{REPORT}: {error}")))?;
    compared::check(&text, &plan.groups, has_openssl)
        .map_err(|reason| Failure::Failed(format!("{REPORT}: {reason}")))?;
    println!("as JSON: {}", report.display());
    println!("measured in {}, without the build", told(taken));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it is told how long the measurements took")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let outcome = work();
    (outcome, begin.elapsed())
}

fn told(taken: Duration) -> String {
    let seconds = taken.as_secs();
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the package's programs and what they write are kept.
pub(crate) fn target() -> PathBuf {
    cargo::target("bench")
}

/// One of the package's programs.
pub(crate) fn program(name: &str) -> PathBuf {
    target().join(PROFILE).join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

fn has_openssl() -> bool {
    let mut asked = Command::new("pkg-config");
    asked.args(["--exists", OPENSSL]).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
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

/// Builds programs of the package.
pub(crate) fn build(what: &[&str]) -> Result<(), Failure> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.args(["build", "--profile", PROFILE, "--locked", "--target-dir"]).arg(target());
    cargo.arg("--manifest-path").arg(root().join(FOLDER).join("Cargo.toml"));
    succeed(cargo.args(what), "cargo build").map_err(|failure| {
        Failure::Failed(format!(
            "{failure}: what it lacks stands above. The first build takes the network, for the libraries, and a C and a C++ \
             compiler (Debian: build-essential)"
        ))
    })
}

/// Whether what needs no peers still builds, without a warning. It shares what the tests of the workspace have built.
pub(crate) fn check() -> Result<(), Failure> {
    let mut check = cargo::cargo();
    check.args(["check", "--quiet", "--locked", "--no-default-features", "--bin", "counts", "--target-dir"]);
    check.arg(cargo::target("")).arg("--manifest-path").arg(root().join(FOLDER).join("Cargo.toml"));
    let output = check.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::Failed(format!("cargo check could not be run: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.trim().is_empty() {
        println!("the benchmark builds, without its peers");
        return Ok(());
    }
    eprint!("{said}");
    Err(Failure::Failed(
        "not clean: cargo check --locked --manifest-path bench/Cargo.toml --no-default-features --bin counts".into(),
    ))
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
        let plan = Plan { quick: true, groups };
        assert_eq!(plan_of(&["authorization", "--quick"]).unwrap(), plan);
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
        let plan =
            |groups: &[&str]| Plan { groups: groups.iter().map(|&group| group.into()).collect(), ..Plan::default() };
        for (groups, is_wanted) in [(&[][..], true), (&["http"], true), (&["authorization"], false)] {
            assert_eq!(plan(groups).asks_servers(), is_wanted, "{groups:?}");
        }
    }

    #[test]
    fn a_group_is_a_file() {
        let groups = groups(&root()).unwrap();
        assert!(groups.contains(&"authorization".to_owned()) && groups.contains(&SERVERS.to_owned()));
        for group in compared::GROUPS {
            assert!(groups.contains(&group.to_owned()), "{group}");
        }
    }

    #[test]
    fn the_time_is_told_as_people_say_it() {
        for (seconds, expected) in [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (101, "1 min 41 s")] {
            assert_eq!(told(Duration::from_secs(seconds)), expected);
        }
    }
}
