use super::*;

fn case(expect: &str, grade: &str) -> Case {
    serde_json::from_str(&format!(r#"{{"id":"x","level":"jws","expect":"{expect}","grade":"{grade}"}}"#))
        .expect("a case")
}

#[test]
fn what_must_hold_and_does_not_is_grave() {
    let mut tally = Tally::default();
    tally.count(&case("accept", "must"), &Verdict::Accept);
    tally.count(&case("either", "must"), &Verdict::Reject(String::new()));
    tally.count(&case("reject", "policy"), &Verdict::Accept);
    tally.count(&case("reject", "must"), &Verdict::Unsupported(String::new()));
    assert!(tally.is_good());
    tally.count(&case("reject", "strict"), &Verdict::Accept);
    assert!(!tally.is_good());
    tally.count(&case("either", "must"), &Verdict::Error(String::new()));
    assert_eq!(tally, Tally { passed: 2, failed: 3, skipped: 1, grave: 2 });
    assert!(!Tally::default().is_good(), "nothing ran");
}

#[test]
fn the_projects_own_vectors_and_those_at_hand_meet_their_verdict() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors");
    let elsewhere = std::env::var_os("COUNTERSIGN_VECTORS").map(PathBuf::from);
    for folder in [Some(own), elsewhere].into_iter().flatten() {
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let files = files.map(|file| file.expect("a file").path());
        let mut tally = Tally::default();
        let mut told = String::new();
        for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")) {
            let mut tell = |line: &str| told.push_str(&format!("{line}\n"));
            run_file(&file, &mut tally, &mut tell).unwrap_or_else(|failure| panic!("{failure}"));
        }
        assert!(tally.is_good(), "{}: {tally}, {} of them grave\n{told}", folder.display(), tally.grave);
    }
}
