//! The matrix of faults: what tests that break something on purpose have counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// What such a line begins with.
const MARK: &str = "fault: ";

/// What must be tried of a fleet that shares its keys and revocations, and the rows that show it. A row is told by a test
/// when all is asserted, so one that is not there was not tried, or not passed.
const WANTED: &[(&str, &[&str])] = &[
    ("eight processes at cold start", &["8 processes, cold start"]),
    ("eight processes at expiry", &["8 processes, expiry"]),
    ("a leader killed between fetch and commit", &["8 processes, leader killed between fetch and commit"]),
    (
        "a leader paused past its lease and woken",
        &["8 processes, leader stopped past its lease", "leader woken after its lease"],
    ),
    ("Redis killed", &["Redis killed", "Redis restarted", "revocation log, Redis killed and flushed"]),
    (
        "Redis paused for 5 s",
        &[
            "Redis paused",
            "Redis resumed",
            "revocation log, Redis paused 5 s, Strict",
            "revocation log, Redis paused 5 s, Degrade",
        ],
    ),
    ("Redis flushed", &["Redis flushed", "revocation log, Redis killed and flushed"]),
    (
        "Redis failed over to a replica that lost the last second",
        &[
            "failed over to a replica that lost the last second",
            "revocation log, failed over to a replica that lost the last second",
        ],
    ),
    (
        "Redis filled with forged, foreign, truncated and replayed envelopes",
        &[
            "Redis filled with forged, foreign, truncated and replayed envelopes",
            "revocation log, Redis filled with lies",
        ],
    ),
    (
        "a removed or distrusted key",
        &["key distrusted by id, by thumbprint, token revoked", "key removed from the document"],
    ),
    ("the connection for pub/sub killed", &["pub/sub connections killed", "revocation log, pub/sub connection killed"]),
    ("clocks of two processes 60 s apart", &["clocks of two processes 60 s apart"]),
];

/// What was counted last under each fault, and how often it was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults(BTreeMap<String, (String, u64)>);

impl Faults {
    /// Adds what a line of output says of a fault, if it does: its name, a colon, and what was counted.
    pub(super) fn read(&mut self, line: &str) {
        // The harness may have begun a line of its own.
        let said = line.find(MARK).and_then(|at| line.get(at + MARK.len()..));
        let Some((fault, counts)) = said.and_then(|said| said.trim_end().rsplit_once(": ")) else { return };
        let (last, times) = self.0.entry(fault.to_owned()).or_default();
        counts.clone_into(last);
        *times += 1;
    }

    /// What must be tried and has no row, each row that is missing with its fault.
    pub(super) fn missing(&self) -> Vec<String> {
        let rows = WANTED.iter().flat_map(|(fault, rows)| rows.iter().map(move |row| (fault, *row)));
        rows.filter(|(_, row)| !self.0.contains_key(*row)).map(|(fault, row)| format!("{fault}: `{row}`")).collect()
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        for (fault, (counts, times)) in other.0 {
            let (last, sum) = self.0.entry(fault).or_default();
            *last = counts;
            *sum += times;
        }
    }
}

/// A line for each; nothing where there was none.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.keys().map(|fault| fault.chars().count()).max().unwrap_or_default();
        if !self.0.is_empty() {
            writeln!(f, "faults of shared state, how often each passed, and what was counted the last time:")?;
        }
        for (fault, (counts, times)) in &self.0 {
            writeln!(f, "  {fault:width$}  {times:2} x  {counts}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_line_for_each_fault_says_what_was_counted_last() {
        let mut faults = Faults::default();
        assert_eq!(faults.to_string(), "");
        for line in [
            "test a ... ok",
            "fault: killed: fetches=2 wrong=0",
            "test b ... fault: cut off: after: fetches=1\r\n",
            "fault: no counts",
            "",
        ] {
            faults.read(line);
        }
        let mut more = Faults::default();
        more.read("fault: killed: fetches=1 wrong=0\n");
        faults += more;
        let expected = "faults of shared state, how often each passed, and what was counted the last time:\n  \
            cut off: after   1 x  fetches=1\n  \
            killed           2 x  fetches=1 wrong=0\n";
        assert_eq!(faults.to_string(), expected);
    }

    #[test]
    fn each_fault_without_one_of_its_rows_is_missing() {
        let rows: BTreeSet<_> = WANTED.iter().flat_map(|(_, rows)| *rows).collect();
        let told = |left_out: Option<&str>| {
            let mut faults = Faults::default();
            for row in rows.iter().filter(|row| Some(***row) != left_out) {
                faults.read(&format!("fault: {row}: counted=1\n"));
            }
            faults.missing()
        };
        assert!(told(None).is_empty());
        for row in &rows {
            let missing = told(Some(row));
            let concerned = WANTED.iter().filter(|(_, rows)| rows.contains(row));
            let expected: Vec<_> = concerned.map(|(fault, _)| format!("{fault}: `{row}`")).collect();
            assert_eq!(missing, expected);
        }
        assert!(Faults::default().missing().len() >= rows.len());
    }
}
