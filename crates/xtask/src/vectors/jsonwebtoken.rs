//! The vectors beside jsonwebtoken 11: its crypto providers as our backend, and its own verdict next to ours.

mod peer;

use super::backend::{BACKENDS, Under};
use super::case::Case;
use super::drive::{Verdict, drive};
use super::tests::run_folder;
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

/// The folders of vectors that are at hand: the project's own, and those from elsewhere.
fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors");
    let elsewhere = std::env::var_os("COUNTERSIGN_VECTORS").map(PathBuf::from);
    if elsewhere.is_none() {
        eprintln!("SKIPPED: the vectors from elsewhere, because COUNTERSIGN_VECTORS names no folder");
    }
    [own].into_iter().chain(elsewhere).collect()
}

#[test]
fn on_its_crypto_providers_every_vector_is_judged_as_it_must() {
    for folder in folders() {
        for under in &PROVIDERS {
            let (tally, told) = run_folder(&folder, under);
            assert!(tally.passed > 0 && tally.grave == 0, "{under:?}: {tally}, {} of them grave\n{told}", tally.grave);
        }
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

fn cases() -> Vec<Case> {
    let files = folders().into_iter().flat_map(|folder| {
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        files.map(|file| file.expect("a file").path())
    });
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
fn keeps_numbers_as_text() -> bool {
    serde_json::from_str::<serde_json::Value>("1e999").is_ok()
}

#[test]
fn where_jsonwebtoken_judges_otherwise_is_the_list() {
    if keeps_numbers_as_text() {
        eprintln!("SKIPPED: jsonwebtoken beside ours, because serde_json keeps numbers as text");
        return;
    }
    let list = include_str!("../../../../tests/data/jsonwebtoken.json");
    let list: Vec<Class> = serde_json::from_str(list).expect("the list");
    let mut listed = BTreeMap::new();
    for Class { class, rfc, ours, theirs, cases } in list {
        assert!(rfc.contains("RFC ") || rfc.contains("§"), "{class} says where its sentence stands");
        for id in cases {
            assert!(listed.insert(id.clone(), (ours.clone(), theirs.clone())).is_none(), "{id} is listed twice");
        }
    }
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for case in cases() {
        let ours = drive(&case, RING);
        let (Verdict::Accept | Verdict::Reject(_)) = ours else { continue };
        let Some(theirs) = peer::judge(&case) else { continue };
        compared += 1;
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
        seen.insert(case.id);
    }
    if std::env::var_os("COUNTERSIGN_VECTORS").is_some() {
        let gone = listed.keys().filter(|id| !seen.contains(*id));
        wrong.extend(gone.map(|id| format!("{id}\tis listed, and was not compared")));
    }
    println!("{compared} cases beside jsonwebtoken, {} listed", listed.len());
    assert!(compared > 0 && wrong.is_empty(), "{} differences from the list:\n{}", wrong.len(), wrong.join("\n"));
}
