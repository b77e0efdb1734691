//! The corpora of `tests/fuzz`, without a fuzzer: what once was found stays found.

use crate::fuzz_targets::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What keeps a corpus one that is read by people, and replayed in a moment.
const MOST_FILES: usize = 40;
const MOST_BYTES: usize = 4 * 1024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz")
}

/// What lies in a folder, by name.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8")).collect()
}

#[test]
fn every_corpus_passes_through_its_target() {
    for (target, run) in TARGETS {
        let folder = fuzz().join("corpus").join(target);
        let files = names(&folder);
        assert!((1..=MOST_FILES).contains(&files.len()), "{target}: {} files", files.len());
        for file in files {
            let data = fs::read(folder.join(&file)).expect("a readable file");
            assert!(data.len() <= MOST_BYTES, "{target}/{file}: {} bytes", data.len());
            // The test's own output, shown when a target panics: which file it was.
            println!("{target}/{file}");
            run(&data);
        }
    }
}

#[test]
fn targets_programs_and_corpora_are_the_same() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), targets);
    assert_eq!(names(&fuzz().join("bin")), targets.iter().map(|target| format!("{target}.rs")).collect());
}
