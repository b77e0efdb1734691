//! Columns of text.

use std::fmt;

/// The text with its control characters escaped. Names may come from a policy that somebody else writes: a line
/// break would forge a row.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Rows whose cells stand under one another, two spaces apart.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    pub(super) fn new<'n>(head: impl IntoIterator<Item = &'n str>) -> Self {
        let mut table = Self { rows: Vec::new(), widths: Vec::new() };
        table.row(head.into_iter().map(str::to_owned));
        table
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().map(|cell| plain(&cell)).collect();
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match self.widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => self.widths.push(width),
            }
        }
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let mut cells = row.iter().zip(&self.widths).peekable();
            while let Some((cell, width)) = cells.next() {
                match cells.peek() {
                    Some(_) => write!(f, "{cell:width$}  ")?,
                    None => writeln!(f, "{cell}")?,
                }
            }
        }
        Ok(())
    }
}
