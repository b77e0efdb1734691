//! `cargo xtask counts`: instructions, counted by callgrind, beside those that the repository has on record.
//!
//! They do not depend on what else the machine does, so that a small regression shows. They do depend on the compiler and
//! the target, which are on record with them, and a little on the processor, which is not: code that asks for AVX2 takes it
//! where there is some.

mod record;

use crate::{Failure, bench, programs};
use lexopt::{Arg, Parser};
use record::{Found, Machine, Record};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const RECORD: &str = "bench/counts.json";
/// Where people read them.
const PAGE: &str = "docs/COMPARE.md";
/// The function whose instructions count.
const MEASURED: &str = "*counts::measured*";

/// What the program says that there is to count.
#[derive(Debug, Deserialize)]
struct Listed {
    /// How often it does what it is told to.
    times: u64,
    counts: Vec<Count>,
}

#[derive(Debug, Deserialize)]
struct Count {
    name: String,
    of: String,
    beyond: Option<String>,
    at_most: Option<u64>,
}

pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
    let mut is_recorded = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("record") => is_recorded = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let file = bench::root().join(RECORD);
    let recorded = match record::read(&file) {
        // It is written anew.
        Err(_) if is_recorded => None,
        recorded => recorded?,
    };
    programs::provide("instruction counts", &["valgrind"])?;
    let machine = machine()?;
    if let (false, Some(recorded)) = (is_recorded, &recorded) {
        // Before minutes go by.
        recorded.comparable(&machine)?;
    }
    bench::build(&["--no-default-features", "--bin", "counts"])?;
    let counts = counted()?;
    println!("{}", record::table(&counts, recorded.as_ref()));
    if is_recorded {
        let record = Record::new(machine, &counts);
        record::write(&file, &record)?;
        println!("on record in {RECORD}; {PAGE} shows them as well, and a test compares the two");
        return Ok(());
    }
    match recorded {
        Some(record) => record.judge(&counts),
        None => Err(Failure::Failed(format!("there is no {RECORD}: `cargo xtask counts --record` writes it"))),
    }
}

fn counted() -> Result<Vec<Found>, Failure> {
    let program = bench::program("counts");
    let output = output(&mut Command::new(&program), "counts")?;
    let listed: Listed = serde_json::from_str(&output).map_err(|error| Failure::Failed(format!("counts: {error}")))?;
    let mut known = BTreeMap::new();
    let mut found = Vec::new();
    for count in listed.counts {
        let mut of = |part: &str| match known.get(part) {
            Some(instructions) => Ok(*instructions),
            None => {
                let instructions = instructions(&program, part)? / listed.times.max(1);
                known.insert(part.to_owned(), instructions);
                Ok::<_, Failure>(instructions)
            }
        };
        let own = of(&count.of)?;
        let other = count.beyond.as_deref().map(of).transpose()?;
        let instructions = own.saturating_sub(other.unwrap_or(0));
        found.push(Found { name: count.name, instructions, at_most: count.at_most });
    }
    Ok(found)
}

/// What the measured function takes when the program does this part.
fn instructions(program: &Path, part: &str) -> Result<u64, Failure> {
    let out = bench::target().join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no"]);
    valgrind.arg(format!("--toggle-collect={MEASURED}")).arg(format!("--callgrind-out-file={}", out.display()));
    output(valgrind.arg(program).arg(part), "valgrind")?;
    let told = fs::read_to_string(&out).map_err(|error| Failure::Failed(format!("{}: {error}", out.display())))?;
    let _ = fs::remove_file(&out);
    match summary(&told) {
        Some(instructions) if instructions > 0 => Ok(instructions),
        _ => Err(Failure::Failed(format!("callgrind counted nothing of `{part}`: was `measured` inlined?"))),
    }
}

/// The sum that stands in a file of callgrind's.
fn summary(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.strip_prefix("summary:"))?.trim().parse().ok()
}

/// What counts depend on.
fn machine() -> Result<Machine, Failure> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = output(Command::new(rustc).arg("-vV"), "rustc")?;
    let field = |name: &str| {
        let value = told.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned()).ok_or_else(|| Failure::Failed(format!("rustc tells no `{name}`")))
    };
    Ok(Machine { toolchain: field("release:")?, target: field("host:")? })
}

fn output(command: &mut Command, name: &str) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
    if !output.status.success() {
        return Err(Failure::Failed(format!("{name}: {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|error| Failure::Failed(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found_among_what_callgrind_tells() {
        let told = "version: 1\nevents: Ir\nfn=(1) a\n3 17\n\nsummary: 597\ntotals: 600\n";
        assert_eq!(summary(told), Some(597));
        assert_eq!(summary("events: Ir\n"), None);
        assert_eq!(summary("summary: many\n"), None);
    }

    #[test]
    fn the_page_shows_what_is_on_record() {
        let record = record::read(&bench::root().join(RECORD)).unwrap().expect(RECORD);
        let page = fs::read_to_string(bench::root().join(PAGE)).unwrap();
        let (_, section) = page.split_once("### `cargo xtask counts`").expect("a section");
        let block = section.split("```").nth(1).and_then(|block| block.strip_prefix("text\n")).expect("a block");
        let (judged, counts): (Vec<_>, Vec<_>) =
            block.lines().partition(|line| ["met ", "MISSED "].iter().any(|verdict| line.starts_with(verdict)));
        let number = |text: &str| text.trim().parse::<u64>().expect("a number");
        let shown = counts.iter().map(|line| {
            let (name, count) = line.rsplit_once(' ').expect("a name and a count");
            (name.trim().to_owned(), number(count))
        });
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), *record.instructions());
        for line in judged {
            let (verdict, line) = line.split_once(' ').expect("a verdict");
            let (name, figures) = line.trim().split_once(": at most ").expect("a target");
            let (at_most, count) = figures.split_once(" instructions: ").expect("a bound and a count");
            assert_eq!(record.instructions().get(name), Some(&number(count)), "{name}");
            assert_eq!(verdict == "met", number(count) <= number(at_most), "{name}");
        }
    }
}
