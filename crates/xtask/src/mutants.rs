//! `cargo xtask mutants`: changes a line of the security-critical files at a time, by cargo-mutants, and wants a unit test to go
//! red. `.cargo/mutants.toml` names the files; `tests/data/mutants.txt` says of each change that may survive why.

use crate::Failure;
use crate::cargo::{cargo, demand, root, target};
use lexopt::{Arg, Parser, ValueExt};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

const EXPLAINED: &str = "tests/data/mutants.txt";

pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
    let mut files = Vec::new();
    let mut shard = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("shard") => shard = Some(arguments.value()?.string()?),
            Arg::Value(file) => files.push(file.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(other) = files.iter().find(|file| !root().join(file).is_file()) {
        return Err(Failure::Usage(format!("there is no file `{other}`; name it from the root of the workspace")));
    }
    if let Some(other) = shard.as_ref().filter(|shard| !is_shard(shard)) {
        return Err(Failure::Usage(format!("--shard wants a part such as 0/4, not `{other}`")));
    }
    let explained = fs::read_to_string(root().join(EXPLAINED)).map_err(|error| failed(EXPLAINED, &error))?;
    let explained = explanations(&explained)?;
    demand("cargo-mutants")?;

    let folder = target("mutants");
    let mut mutants = cargo();
    mutants.args(["mutants", "--jobs", "1", "--output"]).arg(&folder);
    // It builds in copies of the workspace, which must not share a folder with anything else.
    mutants.env_remove("CARGO_TARGET_DIR");
    if !files.is_empty() {
        mutants.args(["--re", &format!("^({}):", files.join("|").replace('.', "\\."))]);
    }
    let is_part = shard.is_some();
    if let Some(shard) = shard {
        mutants.args(["--shard", &shard]);
    }
    let status = mutants.status().map_err(|error| failed("cargo mutants", &error))?;
    // 2 and 3: some survived, some took too long. The rest is about cargo-mutants or the tests without a change.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        return Err(failed("cargo mutants", &status));
    }
    let covered = if is_part { Covered::Part } else { Covered::Files(files) };
    judge(&Outcome::read(&folder.join("mutants.out"))?, &explained, &covered)
}

/// The files of which a run made every change that there is to make.
enum Covered {
    /// These; all where none is named.
    Files(Vec<String>),
    /// None of them, since others make the rest.
    Part,
}

impl Covered {
    fn has(&self, file: &str) -> bool {
        match self {
            Self::Files(files) => files.is_empty() || files.iter().any(|named| named == file),
            Self::Part => false,
        }
    }
}

fn is_shard(shard: &str) -> bool {
    let numbers = shard.split_once('/').and_then(|(k, n)| Some((k.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
    numbers.is_some_and(|(k, n)| k < n)
}

fn judge(outcome: &Outcome, explained: &BTreeMap<String, String>, covered: &Covered) -> Result<(), Failure> {
    print!("{outcome}");
    if outcome.is_empty() {
        return Err(Failure::Failed("nothing was changed: do these files stand in .cargo/mutants.toml?".into()));
    }
    let complaints = complaints(outcome, explained, covered);
    for complaint in &complaints {
        println!("{complaint}");
    }
    match complaints.len() {
        0 => Ok(()),
        number => Err(Failure::Failed(format!("{number} lines above: write a test, or put {EXPLAINED} right"))),
    }
}

/// Of changes: those that live or hang unexplained, explanations of such as are caught, and of such as there are none.
fn complaints(outcome: &Outcome, explained: &BTreeMap<String, String>, covered: &Covered) -> Vec<String> {
    let is_unexplained = |mutant: &&String| !explained.contains_key(&without_place(mutant));
    let missed = outcome.missed.iter().filter(is_unexplained);
    let mut complaints: Vec<_> = missed.map(|mutant| format!("survived: {mutant}")).collect();
    let hung = outcome.timeout.iter().filter(is_unexplained);
    complaints.extend(hung.map(|mutant| format!("no test went red in time: {mutant}")));
    let is_among = |mutants: &[String], mutant: &str| mutants.iter().any(|other| without_place(other) == mutant);
    let Outcome { caught, missed, unviable, timeout } = outcome;
    for mutant in explained.keys() {
        let lives = is_among(missed, mutant) || is_among(timeout, mutant);
        if !lives && is_among(caught, mutant) {
            complaints.push(format!("explained in {EXPLAINED}, and caught: {mutant}"));
        } else if !lives && !is_among(unviable, mutant) && covered.has(file(mutant)) {
            complaints.push(format!("explained in {EXPLAINED}, and there is no such change: {mutant}"));
        }
    }
    complaints
}

/// Of `file.rs:12:3: replace a with b`, all but the line and the column, which other changes move.
fn without_place(mutant: &str) -> String {
    match mutant.split_once(": ") {
        Some((place, change)) => format!("{}: {change}", file(place)),
        None => mutant.to_owned(),
    }
}

fn file(mutant: &str) -> &str {
    mutant.split(':').next().unwrap_or_default()
}

/// A change to a line, and indented below it why nothing can tell.
fn explanations(text: &str) -> Result<BTreeMap<String, String>, Failure> {
    let mut explanations: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<&str> = None;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match (line.strip_prefix("    "), last) {
            (Some(reason), Some(mutant)) => {
                explanations.entry(mutant.to_owned()).or_default().push_str(&format!("{reason} "));
            }
            (Some(_), None) => return Err(failed(EXPLAINED, &"it begins with a reason")),
            (None, _) => {
                last = Some(line);
                explanations.insert(line.to_owned(), String::new());
            }
        }
    }
    match explanations.iter().find(|(_, reason)| reason.trim().is_empty()) {
        Some((mutant, _)) => Err(failed(EXPLAINED, &format_args!("no reason stands below `{mutant}`"))),
        None => Ok(explanations),
    }
}

/// What became of the changes, each in a line of cargo-mutants'.
#[derive(Debug, Default)]
struct Outcome {
    caught: Vec<String>,
    missed: Vec<String>,
    unviable: Vec<String>,
    timeout: Vec<String>,
}

impl Outcome {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let read = |name: &str| {
            let text = fs::read_to_string(folder.join(name)).map_err(|error| failed(name, &error))?;
            Ok::<_, Failure>(text.lines().map(str::to_owned).collect())
        };
        Ok(Self {
            caught: read("caught.txt")?,
            missed: read("missed.txt")?,
            unviable: read("unviable.txt")?,
            timeout: read("timeout.txt")?,
        })
    }

    fn is_empty(&self) -> bool {
        let Self { caught, missed, unviable, timeout } = self;
        [caught, missed, unviable, timeout].iter().all(|mutants| mutants.is_empty())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut files: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
        for (column, mutants) in [&self.caught, &self.missed, &self.unviable, &self.timeout].into_iter().enumerate() {
            for mutant in mutants {
                let counts = files.entry(file(mutant)).or_default();
                if let Some(count) = counts.get_mut(column) {
                    *count += 1;
                }
            }
        }
        writeln!(f, "{:<54} {:>7} {:>7} {:>9} {:>8}", "", "caught", "missed", "unviable", "timeout")?;
        for (file, [caught, missed, unviable, timeout]) in files {
            writeln!(f, "{file:<54} {caught:>7} {missed:>7} {unviable:>9} {timeout:>8}")?;
        }
        Ok(())
    }
}

fn failed(what: &str, why: &dyn fmt::Display) -> Failure {
    Failure::Failed(format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mutants: &[&str]) -> Vec<String> {
        mutants.iter().map(|mutant| (*mutant).to_owned()).collect()
    }

    fn outcome(caught: &[&str], missed: &[&str]) -> Outcome {
        Outcome { caught: lines(caught), missed: lines(missed), ..Outcome::default() }
    }

    #[test]
    fn a_survivor_is_explained_or_complained_of_and_so_is_an_explanation_that_nobody_needs() {
        let explained = explanations("# a remark\na.rs: replace < with <= in f\n    Nothing\n    is equal.\n").unwrap();
        assert_eq!(explained.values().collect::<Vec<_>>(), ["Nothing is equal. "]);
        let lives = "a.rs:1:2: replace < with <= in f";
        let cases = [
            (outcome(&["b.rs:1:2: replace - with +"], &[lives]), vec![]),
            (outcome(&[lives], &["a.rs:7:1: replace < with <= in f"]), vec![]),
            (
                outcome(&[lives], &[]),
                vec![format!("explained in {EXPLAINED}, and caught: a.rs: replace < with <= in f")],
            ),
            (outcome(&[], &["b.rs:1:2: replace - with +"]), vec!["survived: b.rs:1:2: replace - with +".into()]),
            (outcome(&["b.rs:1:2: replace - with +"], &[]), vec![]),
        ];
        let elsewhere = Covered::Files(lines(&["b.rs"]));
        for (outcome, expected) in cases {
            assert_eq!(complaints(&outcome, &explained, &elsewhere), expected, "{outcome:?}");
        }
        assert!(judge(&Outcome::default(), &explained, &elsewhere).is_err(), "nothing was tried");
    }

    #[test]
    fn what_hangs_is_explained_or_complained_of() {
        let hung = |mutant: &str| Outcome { timeout: lines(&[mutant]), ..Outcome::default() };
        let explained = explanations("a.rs: replace f with ()\n    It waits for ever.\n").unwrap();
        let whole = Covered::Files(Vec::new());
        assert_eq!(complaints(&hung("a.rs:1:2: replace f with ()"), &explained, &whole), [""; 0]);
        assert_eq!(
            complaints(&hung("b.rs:1:2: replace f with ()"), &BTreeMap::new(), &whole),
            ["no test went red in time: b.rs:1:2: replace f with ()"]
        );
    }

    #[test]
    fn an_explanation_of_a_change_that_is_gone_is_complained_of_where_the_run_would_have_made_it() {
        let explained = explanations("a.rs: replace < with <= in f\n    Nothing is equal.\n").unwrap();
        let other = "a.rs:1:2: replace - with +";
        let gone = vec![format!("explained in {EXPLAINED}, and there is no such change: a.rs: replace < with <= in f")];
        for (covered, expected) in [
            (Covered::Files(vec![]), &gone),
            (Covered::Files(lines(&["b.rs", "a.rs"])), &gone),
            (Covered::Files(lines(&["b.rs"])), &vec![]),
            (Covered::Part, &vec![]),
        ] {
            assert_eq!(complaints(&outcome(&[other], &[]), &explained, &covered), *expected);
        }
        let unviable = Outcome { unviable: lines(&["a.rs:1:2: replace < with <= in f"]), ..Outcome::default() };
        assert_eq!(complaints(&unviable, &explained, &Covered::Files(vec![])), [""; 0]);
    }

    #[test]
    fn every_place_that_is_to_be_changed_exists() {
        let settings = fs::read_to_string(root().join(".cargo/mutants.toml")).unwrap();
        let globs = settings.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","));
        let mut count = 0;
        for glob in globs {
            count += 1;
            match glob.strip_suffix("/*.rs") {
                None => assert!(root().join(glob).is_file(), "{glob}"),
                Some(folder) => {
                    let mut files = fs::read_dir(root().join(folder)).expect(glob);
                    let is_source = |file: fs::DirEntry| file.path().extension().is_some_and(|end| end == "rs");
                    assert!(files.any(|file| file.is_ok_and(is_source)), "{glob}");
                }
            }
        }
        assert!(count > 10, "{count}");
    }

    #[test]
    fn what_explains_nothing_is_no_explanation() {
        for text in ["a.rs: replace x\n", "    a reason\n", "a.rs: x\nb.rs: y\n    why\n"] {
            assert!(explanations(text).is_err(), "{text}");
        }
        assert!(explanations(&fs::read_to_string(root().join(EXPLAINED)).unwrap()).is_ok());
    }

    #[test]
    fn a_shard_is_one_of_some() {
        for (shard, is_good) in [("0/4", true), ("3/4", true), ("4/4", false), ("1", false), ("a/b", false)] {
            assert_eq!(is_shard(shard), is_good, "{shard}");
        }
    }
}
