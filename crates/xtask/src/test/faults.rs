//! The matrix of faults: what tests that break something on purpose have counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// What such a line begins with.
const MARK: &str = "fault: ";

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
}
