//! `cargo xtask vectors`: test vectors from elsewhere, driven through the public API as a user would.

#![allow(clippy::indexing_slicing, reason = "a member that a JSON value lacks is null")]

mod backend;
mod case;
mod drive;
mod keys;

use crate::Failure;
use crate::cargo::root;
pub(crate) use backend::{BACKENDS, Under};
use case::{Case, Expect};
use drive::{Verdict, drive};
use lexopt::{Arg, Parser};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
    let mut files = Vec::new();
    let mut under = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("backend") => {
                let name = arguments.value()?;
                let unknown = || Failure::Usage(format!("there is no backend `{}`", name.to_string_lossy()));
                under = Some(BACKENDS.iter().find(|backend| name == backend.name).ok_or_else(unknown)?);
            }
            Arg::Value(file) => files.push(PathBuf::from(file)),
            other => return Err(other.unexpected().into()),
        }
    }
    // Without a file, our own under each backend.
    let backends = match under {
        None if files.is_empty() => BACKENDS.iter().collect(),
        None => vec![&BACKENDS[0]],
        Some(under) => vec![under],
    };
    if files.is_empty() {
        files.extend(OWN.iter().map(|file| root().join(file)));
    }
    let mut verdict = Ok(());
    for under in &backends {
        let mut tally = Tally::default();
        for file in &files {
            run_file(file, under, &mut tally, &mut |line| println!("{line}"))?;
        }
        match &*backends {
            [_] => println!("{tally}"),
            _ => println!("{}: {tally}", under.name),
        }
        verdict = verdict.and(tally.verdict());
    }
    verdict
}

/// The cases that the project has itself.
const OWN: [&str; 3] =
    ["tests/data/vectors/rfc.jsonl", "tests/data/vectors/signatures.jsonl", "tests/data/vectors/differences.jsonl"];

/// Runs each case of a file, and tells of each in a line.
fn run_file(file: &Path, under: &Under, tally: &mut Tally, tell: &mut dyn FnMut(&str)) -> Result<(), Failure> {
    each_case(file, |case| {
        let verdict = drive(case, under);
        tally.count(case, &verdict);
        tell(&format!("{}\t{}\t{}", case.id, verdict.name(), verdict.reason()));
    })
}

/// Runs the cases whose id has `part` in it, under each backend: how many there are, and what is wrong with those that do
/// not meet their verdict.
pub(crate) fn check(file: &Path, part: &str) -> Result<(usize, Vec<String>), Failure> {
    let mut cases = 0;
    let mut problems = Vec::new();
    each_case(file, |case| {
        if !case.id.contains(part) {
            return;
        }
        cases += 1;
        let verdicts = BACKENDS.iter().map(|under| (under, drive(case, under)));
        let verdicts = verdicts.filter(|(_, verdict)| !matches!(verdict, Verdict::Unsupported(_))).collect::<Vec<_>>();
        if verdicts.is_empty() {
            problems.push(format!("{}: no backend has its algorithm", case.id));
        }
        for (under, verdict) in verdicts {
            let mut tally = Tally::default();
            tally.count(case, &verdict);
            if tally.passed == 0 {
                problems.push(format!("{} under {}: {} {}", case.id, under.name, verdict.name(), verdict.reason()));
            }
        }
    })?;
    Ok((cases, problems))
}

fn each_case(file: &Path, mut run: impl FnMut(&Case)) -> Result<(), Failure> {
    let cannot = |error: &dyn fmt::Display| Failure::Failed(format!("{}: {error}", file.display()));
    let lines = BufReader::new(File::open(file).map_err(|error| cannot(&error))?).lines();
    for (at, line) in lines.enumerate() {
        let line = line.map_err(|error| cannot(&error))?;
        if line.trim().is_empty() {
            continue;
        }
        let case: Case =
            serde_json::from_str(&line).map_err(|error| cannot(&format_args!("line {}: {error}", at + 1)))?;
        run(&case);
    }
    Ok(())
}

/// Cases graded `must` that an RFC is against; `tests/data/vectors/README.md` has its words. Their P-521 key has a `y` of 65
/// octets.
const AGAINST_AN_RFC: [&str; 2] = ["jwt_verify_lib/jwks/GoodEC", "jwt_verify_lib/jwks/JwksECMatchAlgES512CrvP521"];

/// How the cases went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Those among the failed ones that an RFC or plain security demands.
    grave: usize,
}

impl Tally {
    fn count(&mut self, case: &Case, verdict: &Verdict) {
        let is_right = match (case.expect(), verdict) {
            (_, Verdict::Unsupported(_) | Verdict::Skip(_)) => {
                self.skipped += 1;
                return;
            }
            (_, Verdict::Error(_)) => false,
            (Expect::Either, _) | (Expect::Accept, Verdict::Accept) | (Expect::Reject, Verdict::Reject(_)) => true,
            (Expect::Accept, Verdict::Reject(_)) | (Expect::Reject, Verdict::Accept) => false,
        };
        if is_right {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.grave += usize::from(case.is_binding() && !AGAINST_AN_RFC.contains(&case.id.as_str()));
        }
    }

    fn verdict(&self) -> Result<(), Failure> {
        match self.grave {
            0 if *self == Self::default() => Err(Failure::Failed("the files hold no case".into())),
            0 => Ok(()),
            grave => Err(Failure::Failed(format!("{grave} cases that must hold do not"))),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod jsonwebtoken;
#[cfg(test)]
mod tests;
