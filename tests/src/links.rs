//! The pages for readers: what they link to is there, and the tests that SECURITY.md names are too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The files below a folder with one of these endings, without what is built.
fn files(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !["target", ".git", "node_modules"].iter().any(|skipped| name == *skipped) {
                files(&path, endings, found);
            }
        } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            found.push(path);
        }
    }
}

fn below_root(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(root(), endings, &mut found);
    found
}

/// The page without its blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// As forges make an anchor of a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    letters.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(page: &str) -> BTreeSet<String> {
    prose(page).lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// What is wrong with a link of `page`, if anything.
fn wrong(page: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, fragment) = link.split_once('#').map_or((link, None), |(file, fragment)| (file, Some(fragment)));
    let target = if file.is_empty() { page.to_owned() } else { page.parent().expect("a folder").join(file) };
    if !target.exists() {
        return Some(format!("{}: {link} is not there", page.display()));
    }
    let fragment = fragment?;
    let there = fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(fragment));
    (!there).then(|| format!("{}: {link} has no such heading", page.display()))
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut links = 0;
    let mut problems = Vec::new();
    for page in below_root(&["md"]) {
        let text = fs::read_to_string(&page).expect("a page");
        for part in prose(&text).split("](").skip(1) {
            let link = part.split(')').next().expect("a link");
            links += 1;
            problems.extend(wrong(&page, link));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(links > 100, "{links} links were looked at");
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let page = root().join("README.md");
    assert_eq!(wrong(&page, "docs/DESIGN.md#3-invariants"), None);
    for link in ["docs/NOT_THERE.md", "docs/DESIGN.md#3-invariant", "#not-there"] {
        assert!(wrong(&page, link).is_some(), "{link}");
    }
}

/// SECURITY.md says of each class of attack by which tests it is shown.
#[test]
fn the_tests_that_security_names_are_there() {
    let sources: Vec<_> = below_root(&["rs"]).iter().map(|path| fs::read_to_string(path).expect("a source")).collect();
    let page = include_str!("../../SECURITY.md");
    let named: Vec<_> = page
        .lines()
        .filter_map(|row| row.strip_suffix(" |")?.rsplit_once(" | "))
        .flat_map(|(_, shown_by)| shown_by.split('`').skip(1).step_by(2))
        .filter(|name| {
            name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .collect();
    let absent: Vec<_> =
        named.iter().filter(|name| !sources.iter().any(|text| text.contains(&format!("fn {name}(")))).collect();
    assert!(absent.is_empty(), "{absent:?}");
    assert!(named.len() > 30, "{} tests are named", named.len());
}

/// Crates that code in the guides uses, as they are written there.
const CRATES: [&str; 18] = [
    "actix_web",
    "axum",
    "base64",
    "countersign",
    "countersign_actix",
    "countersign_axum",
    "countersign_cache",
    "countersign_jsonwebtoken",
    "countersign_keys",
    "countersign_rbac",
    "countersign_testkit",
    "countersign_warp",
    "serde",
    "serde_json",
    "tokio",
    "toml",
    "tower",
    "warp",
];

/// The blocks of code in this language, and in no language for the empty one.
fn blocks(page: &str, wanted: impl Fn(&str) -> bool) -> String {
    let blocks = page.split("```").skip(1).step_by(2);
    let wanted = blocks.filter_map(|block| block.split_once('\n').filter(|(language, _)| wanted(language)));
    wanted.map(|(_, code)| code).collect()
}

/// Whether a crate stands in the text as a word.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || ['_', '-'].contains(&c);
    text.split(|c: char| !is_part(c)).any(|word| word == name)
}

/// What a guide's code needs is what its reader is told to add.
#[test]
fn every_crate_that_a_guide_uses_is_added_there() {
    let mut problems = Vec::new();
    for page in below_root(&["md"]).iter().filter(|page| page.parent().is_some_and(|folder| folder.ends_with("docs"))) {
        let text = fs::read_to_string(page).expect("a page");
        let code = blocks(&text, |language| language.starts_with("rust"));
        let told = blocks(&text, |language| ["toml", "console"].contains(&language)) + &prose(&text);
        for name in CRATES {
            let uses = code.contains(&format!("use {name}::")) || code.contains(&format!(" {name}::"));
            if uses && !names(&told, &name.replace('_', "-")) && !names(&told, name) {
                problems.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// How the crates are had that no registry has.
const UNRELEASED: &str = "efore the first release: `cargo add --git` and this repository's address, or `--path` and the crate's \
    folder in a clone";

/// What a reader is told to add can be added today.
#[test]
fn under_each_list_of_dependencies_stands_where_they_come_from_before_the_first_release() {
    let mut lists = 0;
    for page in below_root(&["md"]) {
        let text = fs::read_to_string(&page).expect("a page");
        let parts: Vec<_> = text.split("```").collect();
        for (block, after) in parts.iter().skip(1).step_by(2).zip(parts.iter().skip(2).step_by(2)) {
            let adds = |line: &str| {
                line.contains("countersign")
                    && (line.contains("cargo add ") || line.contains(" = "))
                    && !line.starts_with('[')
            };
            if !["toml\n", "console\n"].iter().any(|language| block.starts_with(language)) || !block.lines().any(adds) {
                continue;
            }
            lists += 1;
            let sentence = after.trim_start().lines().next().unwrap_or_default();
            let is_told = sentence.strip_prefix('B').is_some_and(|rest| rest.strip_suffix('.') == Some(UNRELEASED));
            assert!(is_told, "{}: below this stands nothing of it:\n{block}", page.display());
        }
    }
    assert!(lists > 10, "{lists} lists");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(UNRELEASED) && readme.find("cargo add countersign") < readme.find(UNRELEASED));
}

/// docs/TESTING.md lists the suites, and docs/CUSTOM.md promises of each piece that it has run its own.
#[test]
fn every_suite_is_named_and_each_piece_of_ones_own_runs_its_suite() {
    let page = include_str!("../../docs/CUSTOM.md");
    let code = blocks(page, |language| language.starts_with("rust"));
    let table: String = page.lines().filter(|line| line.starts_with("| ")).collect();
    let exported = include_str!("../../crates/countersign-testkit/src/conformance.rs");
    let exported = exported.split("pub use ").skip(1).filter_map(|line| line.split([';', ':']).nth(2));
    let suites: Vec<_> = exported
        .flat_map(|names| names.split(['{', '}', ',', ' ']))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    let is_told = |suite: &&&str| include_str!("../../docs/TESTING.md").contains(&format!("`{suite}`"));
    let untold: Vec<_> = suites.iter().filter(|suite| !is_told(suite) && !suite.ends_with("_out_of_reach")).collect();
    assert!(untold.is_empty(), "docs/TESTING.md does not name {untold:?}");
    let pieces: Vec<_> = suites.iter().filter(|suite| table.contains(&format!("{suite}("))).collect();
    for suite in &pieces {
        assert!(code.contains(&format!("conformance::{suite}(")), "{suite} is not run");
    }
    assert!(pieces.len() >= 13, "{pieces:?}");
}

/// Whoever writes a page with code has it compiled.
#[test]
fn every_page_with_code_is_among_the_doc_tests() {
    let sources = below_root(&["rs"]);
    let sources: String = sources.iter().map(|path| fs::read_to_string(path).expect("a source")).collect();
    for page in below_root(&["md"]) {
        let text = fs::read_to_string(&page).expect("a page");
        let name = page.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        if text.contains("```rust") {
            let short = name.strip_prefix("crates/").map_or(&*name, |_| "README.md");
            assert!(sources.contains(&format!("{short}\")")), "{name} is compiled nowhere");
        }
    }
}
