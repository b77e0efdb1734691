//! Rust files as the compiler sees them: without comments, literals and, where wanted, tests.

use super::root;
use std::fs;
use std::path::Path;

#[derive(Clone)]
pub(super) struct Source {
    /// From the root of the workspace, with `/` between the parts.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// What is compiled into the crate: nothing of `tests.rs`, `tests/` or `#[cfg(test)]`.
    pub(super) fn shipped_code(&self) -> String {
        let is_test = self.path.split('/').any(|part| part == "tests" || part == "tests.rs");
        if is_test { String::new() } else { without_tests(&code(&self.text)) }
    }

    /// Whether `word` stands in the code.
    pub(super) fn names(&self, word: &str) -> bool {
        code(&self.text).split(|c| !is_word(c)).any(|found| found == word)
    }
}

/// The Rust files below a folder of the workspace.
pub(super) fn under(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), folder, &mut found);
    assert!(!found.is_empty(), "there is Rust in {folder}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, folder: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder of the workspace") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let path = format!("{folder}/{name}");
        if entry.file_type().expect("a file type").is_dir() {
            if name != "target" {
                collect(root, &path, found);
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a readable file");
            found.push(Source { path, text });
        }
    }
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A source with a blank for each comment, string and character.
pub(super) fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let starts_word = !code.ends_with(is_word);
        let invisible = comment(rest).or_else(|| literal(rest, starts_word));
        code.push(if invisible.is_some() { ' ' } else { first });
        rest = &rest[invisible.unwrap_or(first.len_utf8())..];
    }
    code
}

/// The length of the comment that `rest` begins with. Block comments nest.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let mut depth = 0_u32;
    let mut at = 0;
    loop {
        let here = &rest[at..];
        match (here.find("/*"), here.find("*/")) {
            (_, None) => return Some(rest.len()),
            (Some(opening), Some(closing)) if opening < closing => {
                depth += 1;
                at += opening + 2;
            }
            (_, Some(closing)) => {
                depth -= 1;
                at += closing + 2;
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The length of the string or character that `rest` begins with. A lifetime is neither.
fn literal(rest: &str, starts_word: bool) -> Option<usize> {
    if starts_word && let Some(length) = raw_string(rest) {
        return Some(length);
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    let character = rest.strip_prefix('\'')?;
    let mut characters = character.chars();
    match (characters.next()?, characters.next()) {
        ('\\', _) => Some(quoted(rest, '\'')),
        (only, Some('\'')) => Some(2 + only.len_utf8()),
        _ => None,
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|&(_, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

fn raw_string(rest: &str) -> Option<usize> {
    let opening = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let content = opening.trim_start_matches('#');
    let hashes = &opening[..opening.len() - content.len()];
    let content = content.strip_prefix('"')?;
    let closing = format!("\"{hashes}");
    let left = content.find(&closing).map_or("", |at| &content[at + closing.len()..]);
    Some(rest.len() - left.len())
}

/// Code without the items that only tests see.
fn without_tests(code: &str) -> String {
    let mut rest = code;
    let mut kept = String::with_capacity(code.len());
    while let Some(at) = ["#[cfg(test)]", "#[cfg(all(test,"].iter().filter_map(|attribute| rest.find(attribute)).min() {
        kept.push_str(&rest[..at]);
        rest = &rest[at + item(&rest[at..])..];
    }
    kept + rest
}

/// The length of the item that `code` begins with: up to its `;`, or the end of its block.
fn item(code: &str) -> usize {
    let mut depth = 0_u32;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let cases = [
        ("a // unsafe\nb", "a  \nb"),
        ("/// see [`crate::x`]\nb", " \nb"),
        ("a /* x /* y */ z */ b", "a   b"),
        (r#"a("x \" y") b"#, "a( ) b"),
        (r##"a(r#"x " \"#) b"##, "a( ) b"),
        (r#"a(br"\") b"#, "a( ) b"),
        (r#"var"x" r#type"#, "var  r#type"),
        (r"['a', '\'', '\u{1F600}', '\\', 'é'] b", "[ ,  ,  ,  ,  ] b"),
        ("fn f<'a, 'b>(x: &'a str) {}", "fn f<'a, 'b>(x: &'a str) {}"),
        ("/* never closed", " "),
    ];
    for (source, expected) in cases {
        assert_eq!(code(source), expected, "{source}");
    }
}

#[test]
fn items_that_only_tests_see_are_left_out() {
    let cases = [
        ("a\n#[cfg(test)]\nmod tests;\nb", "a\n\nb"),
        ("a\n#[cfg(test)]\nmod tests {\n fn f() { x(); }\n}\nb", "a\n\nb"),
        ("a #[cfg(all(test, feature = ))] mod tests { y } b", "a  b"),
        ("a #[cfg(test)] fn f(x: [u8; 2]) -> u8 { 1; 2 } b", "a  b"),
        ("a #[cfg(test)] x; b #[cfg(test)] y; c", "a  b  c"),
        ("#[cfg(not(test))] a", "#[cfg(not(test))] a"),
    ];
    for (code, expected) in cases {
        assert_eq!(without_tests(code), expected, "{code}");
    }
}
