//! What a program says to the person who started it.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// A line to paste: method, header fields and path for curl, and the answer that it should get.
pub type Line = (&'static str, String, &'static str, &'static str);

/// Where the answers of lines begin at the latest: those of longer lines stand right behind them.
const WIDEST: usize = 100;

/// Colour for a terminal. There is none where the output goes elsewhere, and none where `NO_COLOR` is set
/// (no-color.org).
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn of(output: &impl IsTerminal) -> Self {
        Self(output.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()))
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const CYAN: &str = "36";

/// The header field for curl with this token, or with the variable of the shell that holds it.
#[must_use]
pub fn bearer(token: &str) -> String {
    format!("-H \"Authorization: Bearer {token}\" ")
}

/// Lines for a shell that log in at `url` and keep the tokens in variables, each with what the login is sent.
#[must_use]
pub fn log_ins(url: &str, tokens: &[(&str, &str)]) -> Vec<String> {
    let token = format!("token() {{ curl -s {url}/login -d \"$1\" | cut -d '\"' -f 4; }}");
    let each = tokens.iter().map(|(name, body)| format!("{name}=$(token '{body}')"));
    std::iter::once(token).chain(each).collect()
}

/// Says where the program listens and what to try: `first`, then what a shell needs to know, and then the lines.
pub fn say(title: &str, url: &str, first: &str, log_ins: &[String], lines: &[Line]) {
    say_and(title, url, first, log_ins, lines, "");
}

/// As [`say`], with something behind the lines.
pub(super) fn say_and(title: &str, url: &str, first: &str, log_ins: &[String], lines: &[Line], last: &str) {
    let text = told(title, url, first, log_ins, lines, Paint::of(&std::io::stdout()));
    print(&format!("{text}\n{last}Ctrl-C ends it.\n"));
}

fn told(title: &str, url: &str, first: &str, log_ins: &[String], lines: &[Line], paint: Paint) -> String {
    let mut text = format!("{}, listening on {}\n\n{first}", paint.paint(BOLD, title), paint.paint(CYAN, url));
    if log_ins.is_empty() {
        text.push_str("Paste a line");
    } else {
        text.push_str("For curl, paste this into a shell. The tokens last ten minutes.\n\n");
        text.extend(log_ins.iter().flat_map(|line| [line, "\n"]));
        text.push_str("\nThen a line");
    }
    text.push_str("; behind the # stands what it should answer.\n\n");
    let commands = lines.iter().map(|(method, headers, path, _)| format!("curl -i {method}{headers}{url}{path}"));
    let commands: Vec<_> = commands.collect();
    let width = commands.iter().map(String::len).filter(|length| *length <= WIDEST).max().unwrap_or_default();
    for (command, (.., answer)) in commands.iter().zip(lines) {
        text.push_str(&format!("{command:width$}  {}\n", paint.paint(DIM, &format!("# {answer}"))));
    }
    text
}

/// Writes to standard output. A closed pipe is no reason not to serve.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Ends the program: quietly, or with one line on what went wrong.
#[must_use]
pub fn exit_code(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let paint = Paint::of(&std::io::stderr());
            let _ = writeln!(std::io::stderr(), "{} {problem}", paint.paint(RED, "error:"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_the_same_with_and_without_colour() {
        let lines = [("", bearer("$ADMIN"), "/me", "200"), ("-X POST ", "x".repeat(200), "/posts", "401")];
        let tell =
            |paint| told("Title", "http://a", "First.\n", &log_ins("http://a", &[("ADMIN", "{}")]), &lines, paint);
        let (plain, mut coloured) = (tell(Paint(false)), tell(Paint(true)));
        assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'), "{coloured}");
        for code in [BOLD, DIM, CYAN, "0"] {
            coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(plain, coloured);
        assert!(plain.contains("\nADMIN=$(token '{}')\n"), "{plain}");
        assert!(plain.contains("Bearer $ADMIN\" http://a/me  # 200\n"), "a long line moves no other: {plain}");
    }
}
