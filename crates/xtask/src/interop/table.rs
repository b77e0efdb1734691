use crate::Failure;
use std::fmt;

/// Of what is wrong in a row, so many are told.
const MOST_TOLD: usize = 6;

/// What was tried, and how it went in each direction.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) case: String,
    /// Ours, which they judge.
    pub(super) ours: Cell,
    /// Theirs, which we judge.
    pub(super) theirs: Cell,
}

#[derive(Debug)]
pub(super) struct Cell {
    /// What happened where all is well.
    pub(super) outcome: String,
    /// What happened otherwise.
    pub(super) problems: Vec<String>,
}

impl Row {
    fn problems(&self) -> impl Iterator<Item = &String> {
        self.ours.problems.iter().chain(&self.theirs.problems)
    }

    fn is_right(&self) -> bool {
        self.problems().next().is_none()
    }
}

impl Cell {
    /// There is nothing to try.
    pub(super) fn nothing() -> Self {
        Self { outcome: "-".into(), problems: Vec::new() }
    }

    /// One outcome, which is to be `wanted`.
    pub(super) fn of(wanted: &str, happened: Result<(), String>) -> Self {
        Self { outcome: wanted.to_owned(), problems: happened.err().into_iter().collect() }
    }

    fn text(&self) -> String {
        match self.problems.len() {
            0 => self.outcome.clone(),
            problems => format!("{problems} wrong"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// A line below the table.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn verdict(&self) -> Result<(), Failure> {
        match self.rows.iter().map(|row| row.problems().count()).sum() {
            0 if self.rows.is_empty() => Err(Failure::Failed("nothing was tried".into())),
            0 => Ok(()),
            problems => Err(Failure::Failed(format!("{problems} outcomes are not as they should be"))),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["case", "ours → theirs", "theirs → ours", "outcome"].map(str::to_owned);
        let lines = self.rows.iter().map(|row| {
            let outcome = if row.is_right() { "ok" } else { "WRONG" };
            [row.case.clone(), row.ours.text(), row.theirs.text(), outcome.to_owned()]
        });
        let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
        let width = |column: fn(&[String; 4]) -> &String| {
            lines.iter().map(|line| column(line).chars().count()).max().unwrap_or_default()
        };
        let (a, b, c) = (width(|[case, ..]| case), width(|[_, ours, ..]| ours), width(|[_, _, theirs, _]| theirs));
        for [case, ours, theirs, outcome] in &lines {
            writeln!(f, "{case:<a$}  {ours:<b$}  {theirs:<c$}  {outcome}")?;
        }
        for row in &self.rows {
            for problem in row.problems().take(MOST_TOLD) {
                writeln!(f, "{}: {problem}", row.case)?;
            }
            let untold = row.problems().skip(MOST_TOLD).count();
            if untold > 0 {
                writeln!(f, "{}: and {untold} more", row.case)?;
            }
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        let wrong = self.rows.iter().filter(|row| !row.is_right());
        writeln!(f, "{} cases, {} wrong", self.rows.len(), wrong.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(problems: &[&str]) -> Table {
        let mut table = Table::default();
        let problems = problems.iter().map(|&problem| problem.to_owned()).collect();
        let theirs = Cell { outcome: "accepted".into(), problems };
        table.push(Row { case: "a".into(), ours: Cell::nothing(), theirs });
        table
    }

    #[test]
    fn what_went_wrong_is_told_and_fails() {
        let wrong = table(&["401, not 200"]);
        let text = wrong.to_string();
        assert!(text.contains("WRONG") && text.contains("a: 401, not 200\n") && text.contains("1 cases, 1 wrong"));
        assert!(matches!(wrong.verdict(), Err(Failure::Failed(_))));
        let much = table(&["401, not 200"; MOST_TOLD + 3]).to_string();
        assert!(much.contains("9 wrong") && much.contains("a: and 3 more\n"), "{much}");
        let right = table(&[]);
        assert!(!right.to_string().contains("WRONG"), "{right}");
        assert!(right.verdict().is_ok());
    }

    #[test]
    fn to_try_nothing_is_no_success() {
        assert!(matches!(Table::default().verdict(), Err(Failure::Failed(_))));
    }
}
