//! The vectors beside jsonwebtoken 11: its crypto providers as our backend, and its own verdict next to ours.

mod peer;

use super::backend::{BACKENDS, Under};
use super::case::Case;
use super::drive::{Verdict, drive};
use super::tests::{elsewhere, run_folder, skipped};
use countersign_jsonwebtoken::ProviderBackend;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// They have what ring has.
const RING: &Under = &BACKENDS[0];

const PROVIDERS: [Under; 2] = [
    Under {
        name: "jsonwebtoken with rust_crypto",
        backend: &ProviderBackend::RUST_CRYPTO,
        lacks: RING.lacks,
        lacks_curves: RING.lacks_curves,
    },
    Under {
        name: "jsonwebtoken with aws_lc_rs",
        backend: &ProviderBackend::AWS_LC_RS,
        lacks: RING.lacks,
        lacks_curves: RING.lacks_curves,
    },
];

/// The folder of the project's own vectors.
fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors")
}

fn is_judged_as_it_must(folder: &Path) {
    for under in &PROVIDERS {
        let (tally, told) = run_folder(folder, under);
        assert!(tally.passed > 0 && tally.grave == 0, "{under:?}: {tally}, {} of them grave\n{told}", tally.grave);
    }
}

#[test]
fn on_its_crypto_providers_every_vector_is_judged_as_it_must() {
    is_judged_as_it_must(&own());
}

#[test]
fn on_its_crypto_providers_the_vectors_from_elsewhere_are_judged_as_they_must() {
    if let Some(folder) = elsewhere("the vectors from elsewhere on jsonwebtoken's crypto providers") {
        is_judged_as_it_must(&folder);
    }
}

/// Cases that we and jsonwebtoken answer differently, for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    /// What kind of thing it is about.
    class: String,
    /// The sentence that decides it, and where it stands.
    rfc: String,
    ours: String,
    theirs: String,
    cases: Vec<String>,
}

fn classes() -> Vec<Class> {
    serde_json::from_str(include_str!("../../../../tests/data/jsonwebtoken.json")).expect("the list")
}

fn cases(folder: &Path) -> Vec<Case> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = files.map(|file| file.expect("a file").path());
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            cases.push(serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
        }
    }
    cases
}

/// Where a build of serde_json keeps numbers as text, jsonwebtoken takes none of them for a time.
fn keeps_numbers_as_text(what: &str) -> bool {
    let keeps = serde_json::from_str::<serde_json::Value>("1e999").is_ok();
    if keeps {
        skipped(what, "because serde_json keeps numbers as text");
    }
    keeps
}

/// Compares the two on each case, and says which were compared. Where they differ is listed, and nothing else is.
fn compare(cases: &[Case]) -> BTreeSet<&str> {
    let mut listed = BTreeMap::new();
    for Class { ours, theirs, cases, .. } in classes() {
        for id in cases {
            assert!(listed.insert(id.clone(), (ours.clone(), theirs.clone())).is_none(), "{id} is listed twice");
        }
    }
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases {
        let ours = drive(case, RING);
        let (Verdict::Accept | Verdict::Reject(_)) = ours else { continue };
        let Some(theirs) = peer::judge(case) else { continue };
        let found = (ours.name().to_owned(), theirs.name().to_owned());
        let differs = found.0 != found.1;
        match listed.get(&case.id) {
            Some(expected) if *expected == found => {}
            None if !differs => {}
            Some(_) if !differs => wrong.push(format!("{}\tis listed, and both say {}", case.id, found.0)),
            _ => wrong.push(format!(
                "{}\tours {}\ttheirs {}\t{}\t{}",
                case.id,
                found.0,
                found.1,
                ours.reason(),
                theirs.reason()
            )),
        }
        seen.insert(case.id.as_str());
    }
    println!("{} cases beside jsonwebtoken, {} listed", seen.len(), listed.len());
    let problems = wrong.len();
    assert!(!seen.is_empty() && wrong.is_empty(), "{problems} differences from the list:\n{}", wrong.join("\n"));
    seen
}

#[test]
fn every_class_of_the_list_quotes_its_sentence_and_says_where_it_stands() {
    for Class { class, rfc, .. } in classes() {
        let quoted = rfc.split('"').skip(1).step_by(2).any(|words| words.split_whitespace().count() >= 5);
        assert!(rfc.matches('"').count() % 2 == 0 && quoted, "{class} has no sentence: {rfc}");
        let (source, _) = rfc.split_once('"').unwrap_or_default();
        assert!(source.starts_with("RFC ") && source.contains('§'), "{class} says where its sentence stands: {rfc}");
    }
}

#[test]
fn where_jsonwebtoken_judges_otherwise_is_the_list_and_each_class_has_a_case_here() {
    if keeps_numbers_as_text("jsonwebtoken beside ours") {
        return;
    }
    let cases = cases(&own());
    let seen = compare(&cases);
    for Class { class, cases, .. } in classes() {
        assert!(cases.iter().any(|id| seen.contains(id.as_str())), "{class} has no case in tests/data/vectors");
    }
}

#[test]
fn where_jsonwebtoken_judges_vectors_from_elsewhere_otherwise_is_the_list() {
    const WHAT: &str = "jsonwebtoken beside ours on the vectors from elsewhere";
    let Some(folder) = elsewhere(WHAT) else { return };
    if keeps_numbers_as_text(WHAT) {
        return;
    }
    let mut all = cases(&own());
    all.extend(cases(&folder));
    let seen = compare(&all);
    for id in classes().iter().flat_map(|class| &class.cases) {
        assert!(seen.contains(id.as_str()), "{id} is listed, and was not compared");
    }
}
