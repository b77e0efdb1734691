//! `cargo xtask fuzz`: the corpora replayed, and the targets of `tests/fuzz` run by cargo-fuzz on the stable toolchain.

use crate::Failure;
use crate::programs::TOOLS;
use lexopt::{Arg, Parser};
use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDER: &str = "tests/fuzz";
const SECONDS: u64 = 30;
/// As long as a file of a corpus may be: what is found is kept there.
const MAX_BYTES: usize = 4 * 1024;

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    smoke: bool,
    seconds: u64,
    targets: Vec<String>,
}

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plan = plan(arguments, &targets(&root)?)?;
    let cargo_fuzz = cargo_fuzz(&root)?;
    if plan.smoke {
        replay(&root)?;
    }
    build(&cargo_fuzz, &root)?;
    let mut findings = Vec::new();
    for target in &plan.targets {
        let told = fuzz(&cargo_fuzz, &root, target, plan.seconds)?;
        println!("{}", told.line(target));
        findings.extend(told.finding);
    }
    match findings.as_slice() {
        [] => Ok(()),
        findings => Err(Failure::Failed(format!("{} found: {}", findings.len(), findings.join(", ")))),
    }
}

fn plan(mut arguments: Parser, known: &[String]) -> Result<Plan, Failure> {
    let mut plan = Plan { smoke: false, seconds: SECONDS, targets: Vec::new() };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("smoke") => plan.smoke = true,
            Arg::Long("seconds") => {
                let seconds = arguments.value()?;
                let wrong = || Failure::Usage(format!("--seconds wants a number, not `{}`", seconds.to_string_lossy()));
                plan.seconds = seconds.to_str().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
            }
            Arg::Value(target) => match target.into_string() {
                Ok(target) if known.contains(&target) => plan.targets.push(target),
                Ok(target) => {
                    let known = known.join(", ");
                    return Err(Failure::Usage(format!("there is no target `{target}`: there are {known}")));
                }
                Err(target) => return Err(lexopt::Error::NonUnicodeValue(target).into()),
            },
            other => return Err(other.unexpected().into()),
        }
    }
    if plan.seconds == 0 {
        // libFuzzer takes it for "without end".
        return Err(Failure::Usage("--seconds wants at least 1".into()));
    }
    if plan.targets.is_empty() {
        plan.targets = known.to_vec();
    }
    Ok(plan)
}

/// The targets, by the folders of their corpora.
fn targets(root: &Path) -> Result<Vec<String>, Failure> {
    let corpora = root.join(FOLDER).join("corpus");
    let cannot = |error| failed(&format_args!("{FOLDER}/corpus"), error);
    let entries = fs::read_dir(corpora).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(cannot)?;
    let mut targets: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    targets.sort();
    Ok(targets)
}

/// Where cargo-fuzz is: in `target/tools`, in the path, or, after this, in `target/tools`.
fn cargo_fuzz(root: &Path) -> Result<PathBuf, Failure> {
    let own = root.join(TOOLS).join("bin").join(format!("cargo-fuzz{}", env::consts::EXE_SUFFIX));
    let works = |program: &Path| {
        let mut command = Command::new(program);
        command.args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    for program in [&own, Path::new("cargo-fuzz")] {
        if works(program) {
            return Ok(program.to_owned());
        }
    }
    eprintln!("xtask: installing cargo-fuzz into {TOOLS}");
    let mut install = cargo();
    install.args(["install", "--quiet", "--locked", "cargo-fuzz", "--root"]).arg(root.join(TOOLS));
    match install.stdout(Stdio::null()).status() {
        Ok(status) if status.success() && works(&own) => Ok(own),
        _ => Err(Failure::Failed(format!(
            "there is no cargo-fuzz, and is the network there? cargo install cargo-fuzz --locked --root {TOOLS} brings it"
        ))),
    }
}

fn replay(root: &Path) -> Result<(), Failure> {
    let mut test = cargo();
    test.current_dir(root).args([
        "test",
        "--quiet",
        "--package",
        "countersign",
        "--all-features",
        "--test",
        "laws",
        "fuzz_replay::",
    ]);
    // By what it said as well: a filter that fits no test succeeds.
    let output = test.stderr(Stdio::inherit()).output().map_err(|error| failed(&"cargo test", error))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && said.contains("test result: ok. 2 passed") {
        println!("replay: every corpus passed");
        return Ok(());
    }
    print!("{said}");
    Err(Failure::Failed("the corpora do not pass".into()))
}

fn build(cargo_fuzz: &Path, root: &Path) -> Result<(), Failure> {
    let mut command = Command::new(cargo_fuzz);
    command.current_dir(root).args(["fuzz", "build", "--sanitizer", "none", "--fuzz-dir", FOLDER]);
    let advice = "what it lacks stands above. The first build takes the network, for the libraries, and a C and a C++ compiler \
                  (Debian: build-essential)";
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(&"cargo fuzz build", format_args!("{status}: {advice}"))),
        Err(error) => Err(failed(&"cargo fuzz build", error)),
    }
}

/// Runs a target from its corpus. What is new goes into a folder below `target`, so that the corpus stays as it is.
fn fuzz(cargo_fuzz: &Path, root: &Path, target: &str, seconds: u64) -> Result<Told, Failure> {
    let fresh = format!("{FOLDER}/target/new/{target}");
    fs::create_dir_all(root.join(&fresh)).map_err(|error| failed(&fresh, error))?;
    let mut command = Command::new(cargo_fuzz);
    command.current_dir(root).args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", FOLDER, target]);
    command.arg(&fresh).arg(format!("{FOLDER}/corpus/{target}")).arg("--");
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={MAX_BYTES}"));
    command.args(["-print_final_stats=1", "-timeout=10"]);
    let output = command.output().map_err(|error| failed(&"cargo fuzz run", error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let told = Told::read(&said);
    if told.executions.is_none() || output.status.success() != told.finding.is_none() {
        eprint!("{said}");
        return Err(failed(&format_args!("cargo fuzz run {target}"), output.status));
    }
    Ok(told)
}

/// What libFuzzer told about a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    executions: Option<u64>,
    /// The path of the input that broke a law.
    finding: Option<String>,
    /// What the panic said, the line after its place.
    panic: Option<String>,
}

impl Told {
    fn read(said: &str) -> Self {
        let mut told = Self::default();
        let mut lines = said.lines();
        while let Some(line) = lines.next() {
            if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
                told.executions = number.trim().parse().ok();
            } else if let Some((_, path)) = line.split_once("Test unit written to ") {
                told.finding = Some(relative(path.trim()));
            } else if line.contains("panicked at ") {
                told.panic = lines.next().map(str::to_owned);
            }
        }
        told
    }

    fn line(&self, target: &str) -> String {
        let executions = self.executions.unwrap_or_default();
        match &self.finding {
            None => format!("{target}: {executions} executions, nothing found"),
            Some(path) => {
                let panic = self.panic.as_deref().unwrap_or("no panic: time or memory ran out");
                format!("{target}: {executions} executions, FOUND {path} ({panic})")
            }
        }
    }
}

/// A path from the root of the workspace, as cargo-fuzz has it from wherever it stands.
fn relative(path: &str) -> String {
    path.find(FOLDER).and_then(|at| path.get(at..)).unwrap_or(path).to_owned()
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

fn failed(what: &dyn Display, why: impl Display) -> Failure {
    Failure::Failed(format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(arguments: &[&str]) -> Result<Plan, Failure> {
        plan(Parser::from_args(arguments), &["json".to_owned(), "pem".to_owned()])
    }

    #[test]
    fn every_target_runs_unless_some_are_named() {
        let plan = |smoke, seconds, targets: &[&str]| Plan {
            smoke,
            seconds,
            targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        };
        assert_eq!(plan_of(&[]).unwrap(), plan(false, 30, &["json", "pem"]));
        assert_eq!(plan_of(&["--smoke"]).unwrap(), plan(true, 30, &["json", "pem"]));
        assert_eq!(plan_of(&["pem", "--seconds", "7"]).unwrap(), plan(false, 7, &["pem"]));
    }

    #[test]
    fn what_is_not_understood_is_a_matter_of_usage() {
        for arguments in [
            &["xml"][..],
            &["--smoke", "corpus"],
            &["--second", "1"],
            &["--seconds"],
            &["--seconds", "0"],
            &["--seconds", "-1"],
            &["--seconds", "soon"],
            &["--smoke=1"],
        ] {
            let answer = plan_of(arguments);
            assert!(matches!(answer, Err(Failure::Usage(_))), "{arguments:?}: {answer:?}");
        }
    }

    #[test]
    fn a_run_is_told_in_a_line() {
        let quiet = Told::read("INFO: Seed: 1\nstat::number_of_executed_units: 4711\nstat::peak_rss_mb: 29\n");
        assert_eq!(quiet.line("pem"), "pem: 4711 executions, nothing found");
        let found = Told::read(
            "thread '<unnamed>' (1) panicked at targets.rs:1:1:\nnobody signed it\nstat::number_of_executed_units: 2\n\
             artifact_prefix='x'; Test unit written to /somewhere/tests/fuzz/artifacts/pem/crash-1\n",
        );
        assert_eq!(found.line("pem"), "pem: 2 executions, FOUND tests/fuzz/artifacts/pem/crash-1 (nobody signed it)");
    }
}
