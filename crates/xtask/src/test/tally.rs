//! The sum of what the test programs report.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// What the line of a test begins with that has nothing to try itself on, and returns. The harness counts it as passed.
const MARK: &str = "SKIPPED: ";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// As the harness counts.
    reported: u64,
    pub(crate) failed: u64,
    ignored: u64,
    /// Why tests that are reported as passed were skipped, and how many for each reason.
    untried: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds what a line of output reports, if it reports a result or that a test is skipped.
    ///
    /// A result that cannot be read counts as a failure: a sum must not leave out what it misreads.
    pub(crate) fn read(&mut self, line: &str) {
        let line = without_colour(line);
        // The harness may have begun a line of its own.
        if let Some((_, why)) = line.split_once(MARK).and_then(|(_, said)| said.trim_end().rsplit_once(": ")) {
            *self.untried.entry(why.to_owned()).or_default() += 1;
        }
        let Some(result) = line.trim_end().strip_prefix("test result: ") else {
            return;
        };
        let part = |unit| {
            let mut parts = result.split([';', '.']).map(str::trim);
            parts.find_map(|part| part.strip_suffix(unit)).and_then(|count| count.trim().parse::<u64>().ok())
        };
        match (part("passed"), part("failed"), part("ignored")) {
            (Some(passed), Some(failed), Some(ignored)) => {
                self.reported += passed;
                self.failed += failed;
                self.ignored += ignored;
            }
            _ => self.failed += 1,
        }
    }

    /// How many tests tried what they are there for, and found it good.
    pub(crate) fn passed(&self) -> u64 {
        self.reported.saturating_sub(self.untried.values().sum())
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.reported += other.reported;
        self.failed += other.failed;
        self.ignored += other.ignored;
        for (why, times) in other.untried {
            *self.untried.entry(why).or_default() += times;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.ignored + self.untried.values().sum::<u64>();
        write!(f, "{} passed, {} failed, {skipped} skipped", self.passed(), self.failed)?;
        let ignored = (self.ignored > 0).then(|| format!("{} ignored", self.ignored));
        let reasons: Vec<_> = self.untried.iter().map(|(why, times)| format!("{times} {why}")).chain(ignored).collect();
        if reasons.is_empty() { Ok(()) } else { write!(f, " ({})", reasons.join(", ")) }
    }
}

/// A line without the escape sequences that set colours, which `CARGO_TERM_COLOR` may ask for.
fn without_colour(line: &str) -> String {
    let mut pieces = line.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default();
    let rest = pieces.map(|piece| piece.split_once('m').map_or(piece, |(_, text)| text));
    std::iter::once(first).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(reported: u64, failed: u64, ignored: u64) -> Tally {
        Tally { reported, failed, ignored, ..Tally::default() }
    }

    fn of(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn a_line_counts_if_it_is_a_result() {
        let cases = [
            (
                "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0s",
                tally(12, 0, 3),
            ),
            ("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out", tally(1, 2, 0)),
            ("test result: \u{1b}[32mok\u{1b}[m. 4 passed; 0 failed; 0 ignored; 0 measured", tally(4, 0, 0)),
            ("test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r\n", tally(5, 0, 0)),
            ("test result: a new form", tally(0, 1, 0)),
            ("test result: ok. many passed; 0 failed; 0 ignored", tally(0, 1, 0)),
            ("test a::test_result ... ok", tally(0, 0, 0)),
            ("  test result: ok. 9 passed; 0 failed; 0 ignored", tally(0, 0, 0)),
            ("running 0 tests", tally(0, 0, 0)),
            ("", tally(0, 0, 0)),
        ];
        for (line, expected) in cases {
            assert_eq!(of(line), expected, "{line}");
        }
    }

    #[test]
    fn the_results_of_all_programs_are_added() {
        let output = "\n\
            running 2 tests\n\
            test a ... ok\n\
            test b ... ignored\n\
            \n\
            test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            \n\
            running 0 tests\n\
            \n\
            test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            \n\
            running 3 tests\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s\n\
            all doctests ran in 1.60s; merged doctests compilation took 0.28s\n";
        assert_eq!(of(output), tally(3, 1, 1));
    }

    #[test]
    fn the_sum_is_one_line() {
        assert_eq!(tally(10, 2, 0).to_string(), "10 passed, 2 failed, 0 skipped");
        assert_eq!(tally(10, 2, 3).to_string(), "10 passed, 2 failed, 3 skipped (3 ignored)");
    }

    #[test]
    fn what_had_nothing_to_try_is_skipped_and_not_passed_and_the_sum_says_why() {
        let mut sum = of("test a ... SKIPPED: a: for want of C\r\n\
            test a ... ok\n\
            SKIPPED: some: thing: for want of C\n\
            SKIPPED: without a reason\n\
            test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured\n");
        assert_eq!(sum.passed(), 3);
        sum += of("SKIPPED: b: because it rains\ntest result: ok. 1 passed; 0 failed; 0 ignored");
        let expected = "3 passed, 0 failed, 4 skipped (1 because it rains, 2 for want of C, 1 ignored)";
        assert_eq!(sum.to_string(), expected);
        // A test that is skipped and counted nowhere takes nothing from the others.
        assert_eq!(of("SKIPPED: b: because it rains\n").passed(), 0);
    }
}
