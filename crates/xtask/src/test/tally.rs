//! The sum of what the test programs report.

use std::fmt;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Tally {
    /// Adds what a line of output reports, if it reports a result.
    ///
    /// A result that cannot be read counts as a failure: a sum must not leave out what it misreads.
    pub(super) fn read(&mut self, line: &str) {
        let line = without_colour(line);
        let Some(result) = line.trim_end().strip_prefix("test result: ") else {
            return;
        };
        let part = |unit| {
            let mut parts = result.split([';', '.']).map(str::trim);
            parts.find_map(|part| part.strip_suffix(unit)).and_then(|count| count.trim().parse::<u64>().ok())
        };
        match (part("passed"), part("failed"), part("ignored")) {
            (Some(passed), Some(failed), Some(skipped)) => {
                self.passed += passed;
                self.failed += failed;
                self.skipped += skipped;
            }
            _ => self.failed += 1,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
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

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
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
        assert_eq!(tally(10, 2, 3).to_string(), "10 passed, 2 failed, 3 skipped");
    }
}
