//! What is on record, and what it says about what was found.

use super::RECORD;
use crate::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// By how many percent more a count may be. Hash tables are seeded anew in each process, which moves some counts a little.
const TOLERANCE: u64 = 2;

/// What counts depend on, beside the code.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    /// The version of rustc.
    pub(super) toolchain: String,
    pub(super) target: String,
}

/// What was counted now.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) instructions: u64,
    pub(super) at_most: Option<u64>,
}

/// The file in the repository.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Record {
    #[serde(flatten)]
    machine: Machine,
    tolerance_percent: u64,
    instructions: BTreeMap<String, u64>,
}

impl Record {
    pub(super) fn new(machine: Machine, counts: &[Found]) -> Self {
        let instructions = counts.iter().map(|found| (found.name.clone(), found.instructions)).collect();
        Self { machine, tolerance_percent: TOLERANCE, instructions }
    }

    #[cfg(test)]
    pub(super) fn instructions(&self) -> &BTreeMap<String, u64> {
        &self.instructions
    }

    /// Whether what is counted on this machine can be held to this record.
    pub(super) fn comparable(&self, machine: &Machine) -> Result<(), Failure> {
        if *machine == self.machine {
            return Ok(());
        }
        let Machine { toolchain, target } = &self.machine;
        Err(Failure::Failed(format!(
            "{RECORD} is by rustc {toolchain} for {target}, and this is {} for {}: nothing to compare with. \
             `rustup run {toolchain} cargo xtask counts` has the same compiler; `cargo xtask counts --record`, on the commit \
             before yours, makes a record of yours",
            machine.toolchain, machine.target
        )))
    }

    /// Whether nothing takes more than it did.
    pub(super) fn judge(&self, counts: &[Found]) -> Result<(), Failure> {
        let complaint = |found: &Found| match self.instructions.get(&found.name) {
            None => Some(format!("`{}` is not on record", found.name)),
            Some(was) if 100 * found.instructions > (100 + self.tolerance_percent) * was => {
                Some(format!("`{}` takes {} instructions instead of {was}", found.name, found.instructions))
            }
            Some(_) => None,
        };
        let mut complaints: Vec<String> = counts.iter().filter_map(complaint).collect();
        let is_gone = |name: &&String| !counts.iter().any(|found| found.name == **name);
        complaints
            .extend(self.instructions.keys().filter(is_gone).map(|name| format!("`{name}` is counted no longer")));
        match complaints.as_slice() {
            [] => Ok(()),
            complaints => Err(Failure::Failed(format!(
                "{}; where that is meant: `cargo xtask counts --record`",
                complaints.join(", ")
            ))),
        }
    }
}

/// By how many percent it has grown.
fn change(was: u64, is: u64) -> f64 {
    100.0 * (is as f64 / was.max(1) as f64 - 1.0)
}

/// What is on record; `None` where nothing is.
pub(super) fn read(file: &Path) -> Result<Option<Record>, Failure> {
    let read = match fs::read(file) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::Failed(format!("{RECORD}: {error}"))),
    };
    serde_json::from_slice(&read).map(Some).map_err(|error| Failure::Failed(format!("{RECORD}: {error}")))
}

pub(super) fn write(file: &Path, record: &Record) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{RECORD}: {error}"));
    let text = serde_json::to_string_pretty(record).map_err(|error| failed(&error))?;
    fs::write(file, format!("{text}\n")).map_err(|error| failed(&error))
}

/// A line for each count, with what is on record and whether a target is met.
pub(super) fn table(counts: &[Found], recorded: Option<&Record>) -> String {
    let width = counts.iter().map(|found| found.name.chars().count()).max().unwrap_or(0);
    let mut table = format!("{:width$}  {:>12}  {:>12}  {:>8}", "", "instructions", "on record", "change");
    for Found { name, instructions, .. } in counts {
        let _ = write!(table, "\n{name:width$}  {instructions:>12}");
        if let Some(was) = recorded.and_then(|record| record.instructions.get(name)) {
            let _ = write!(table, "  {was:>12}  {:>+7.2}%", change(*was, *instructions));
        }
    }
    for Found { name, instructions, at_most } in counts {
        if let Some(at_most) = at_most {
            let met = if instructions <= at_most { "met" } else { "MISSED" };
            let _ = write!(table, "\n{met:6}  {name}: at most {at_most} instructions: {instructions}");
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(toolchain: &str) -> Machine {
        Machine { toolchain: toolchain.into(), target: "x86_64-unknown-linux-gnu".into() }
    }

    fn found(name: &str, instructions: u64) -> Found {
        Found { name: name.into(), instructions, at_most: None }
    }

    #[test]
    fn what_takes_more_than_it_did_fails_and_is_named() {
        let record = Record::new(machine("1.95.0"), &[found("parse", 1_000), found("hit", 50)]);
        for (parse, hit, complaint) in [
            (1_000, 50, None),
            (1_020, 51, None),
            (500, 1, None),
            (1_021, 50, Some("`parse` takes 1021 instructions instead of 1000")),
            (1_000, 52, Some("`hit` takes 52 instructions instead of 50")),
        ] {
            let answer = record.judge(&[found("parse", parse), found("hit", hit)]);
            match (answer, complaint) {
                (Ok(()), None) => {}
                (Err(failure), Some(complaint)) => assert!(failure.to_string().starts_with(complaint), "{failure}"),
                (answer, _) => panic!("{parse} {hit}: {answer:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_compared_fails() {
        let record = Record::new(machine("1.95.0"), &[found("parse", 1_000)]);
        for counts in [vec![found("parse", 1_000), found("hit", 1)], vec![]] {
            assert!(matches!(record.judge(&counts), Err(Failure::Failed(_))), "{counts:?}");
        }
        assert!(record.comparable(&machine("1.95.0")).is_ok());
        let Err(failure) = record.comparable(&machine("1.96.0")) else { panic!("another compiler's") };
        assert!(failure.to_string().contains("`rustup run 1.95.0 cargo xtask counts`"), "{failure}");
    }
}
