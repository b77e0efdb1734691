use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::jwk::JwkSet;
use countersign::keys::KeyError;
use countersign::provider::KeySet;
use countersign::{Algorithm, SigningKey};
use std::collections::HashSet;
use std::io::Write;

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
    assert_eq!(tally.grave, 0);
    tally.count(&case("reject", "strict"), &Verdict::Accept);
    assert_eq!(tally.grave, 1);
    tally.count(&case("either", "must"), &Verdict::Error(String::new()));
    assert_eq!(tally, Tally { passed: 2, failed: 3, skipped: 1, grave: 2 });
}

#[test]
fn a_thumbprint_binds_without_a_grade() {
    let case: Case = serde_json::from_str(r#"{"id":"x","level":"thumbprint"}"#).expect("a case");
    let mut tally = Tally::default();
    tally.count(&case, &Verdict::Reject(String::new()));
    assert_eq!(tally, Tally { failed: 1, grave: 1, ..Tally::default() });
}

#[test]
fn an_empty_line_is_no_case() {
    let file = std::env::temp_dir().join(format!("countersign-vectors-{}.jsonl", std::process::id()));
    std::fs::write(&file, "\n{\"id\":\"x\",\"level\":\"http\"}\n  \r\n").expect("a file");
    let mut tally = Tally::default();
    let outcome = run_file(&file, &BACKENDS[0], &mut tally, &mut |_| ());
    std::fs::remove_file(&file).expect("the file");
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(tally, Tally { skipped: 1, ..Tally::default() });
}

#[test]
fn files_without_a_case_prove_nothing_and_files_for_another_driver_no_failure() {
    let skipped = Tally { skipped: 1, ..Tally::default() };
    assert!(skipped.verdict().is_ok());
    assert!(Tally { passed: 1, failed: 1, ..Tally::default() }.verdict().is_ok(), "a choice that differs");
    assert!(Tally { passed: 1, failed: 1, grave: 1, ..skipped }.verdict().is_err());
    assert!(Tally::default().verdict().is_err());
}

/// A case of this level, for a token with this header under a secret of 64 octets seven.
fn secret_case(level: &str, header: &str, algorithms: &str, keys: &str) -> Case {
    let key = SigningKey::from_secret(Algorithm::HS256, [7; 64]).expect("a secret");
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!("{}.{}", encode(header.as_bytes()), encode(b"{}"));
    let token = format!("{input}.{}", encode(&key.sign(input.as_bytes()).expect("HMAC signs")));
    let keys = keys.replace("SEVEN", &encode(&[7; 64])).replace("EIGHT", &encode(&[8; 64]));
    serde_json::from_str(&format!(
        r#"{{"id":"x","level":"{level}","token":"{token}","jwks":{{"keys":[{keys}]}},"options":{{"algs":{algorithms}}}}}"#
    ))
    .expect("a case")
}

#[test]
fn cases_are_driven_by_the_rules_of_a_verifier() {
    const HS256: &str = r#"{"alg":"HS256"}"#;
    const KEY: &str = r#"{"kty":"oct","k":"SEVEN"}"#;
    let others = (0..8).map(|at| format!(r#"{{"kty":"oct","kid":"{at}","k":"{}"}}"#, "EIGHT".repeat(at + 1)));
    let others: Vec<_> = others.collect();
    let (eight, nine) = (format!("{KEY},{}", others[1..].join(",")), format!("{KEY},{}", others.join(",")));
    let public = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let cases: &[(&str, &str, &str, &str)] = &[
        (HS256, r#"["HS256"]"#, KEY, "accept"),
        (HS256, r#"["HS512"]"#, KEY, "reject"),
        (HS256, "[]", KEY, "reject"),
        (HS256, r#"["HS999"]"#, KEY, "reject"),
        (r#"{"alg":"HS999"}"#, r#"["HS999"]"#, KEY, "reject"),
        (r#"{"alg":"none"}"#, r#"["none"]"#, KEY, "reject"),
        (r#"{"alg":"ES512"}"#, r#"["ES512"]"#, KEY, "unsupported"),
        (r#"{"alg":"ES512"}"#, r#"["HS256","ES512"]"#, KEY, "unsupported"),
        (r#"{"alg":"ES512"}"#, r#"["HS256"]"#, KEY, "reject"),
        (r#"{"alg":"ES512","alg":"ES512"}"#, r#"["ES512"]"#, KEY, "reject"),
        (r#"{"alg":"ES512","crit":["x"],"x":1}"#, r#"["ES512"]"#, KEY, "reject"),
        (HS256, r#"["HS256"]"#, &eight, "accept"),
        (HS256, r#"["HS256"]"#, &nine, "reject"),
        (HS256, r#"["HS256"]"#, r#"{"kty":"oct","k":"SEVEN","k":"SEVEN"}"#, "reject"),
        (HS256, r#"["HS256"]"#, r#"{"kty":"oct","k":"SEVEN","key_ops":["verify"]}"#, "accept"),
        (HS256, r#"["HS256"]"#, r#"{"kty":"oct","k":"SEVEN","key_ops":["sign"]}"#, "reject"),
        (HS256, r#"["HS256"]"#, &format!("{KEY},{public}"), "reject"),
        (HS256, r#"["HS256"]"#, &format!(r#"{KEY},{{"kty":"oct","k":"AAAA"}}"#), "reject"),
        (HS256, r#"["HS256"]"#, &format!("{KEY}{}", ",0".repeat(100)), "reject"),
    ];
    for (header, algorithms, keys, expected) in cases {
        for (level, under) in [("jws", 0), ("jws", 1), ("jwt", 0), ("jwt", 1)].map(|(level, at)| (level, &BACKENDS[at]))
        {
            let verdict = drive(&secret_case(level, header, algorithms, keys), under);
            // What the backend has not cannot be judged; what it has is judged by a key that is none of it.
            let expected = match *expected {
                "unsupported" if !under.lacks.contains(&"ES512") => "reject",
                expected => expected,
            };
            assert_eq!(verdict.name(), expected, "{under:?} {level} {header} {algorithms} {keys}: {verdict:?}");
        }
    }
}

#[test]
fn a_document_counts_the_keys_that_a_verifier_would_have() {
    let key = |kid: &str, x: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}"#);
    let one = key("a", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let rival = key("a", "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08");
    for (keys, usable) in [(vec![&one], 1), (vec![&one, &rival], 0), (vec![&one, &one], 1)] {
        let keys = keys.into_iter().map(String::as_str).collect::<Vec<_>>().join(",");
        for expected in 1..=2 {
            let doc = serde_json::to_string(&format!(r#"{{"keys":[{keys}]}}"#)).expect("a string");
            let case = format!(r#"{{"id":"x","level":"jwks","format":"jwks","doc":{doc},"keys":{expected}}}"#);
            for under in &BACKENDS {
                let verdict = drive(&serde_json::from_str(&case).expect("a case"), under);
                assert_eq!(verdict == Verdict::Accept, usable == expected, "{under:?} {keys}: {verdict:?}");
            }
        }
    }
}

/// The folder of vectors from elsewhere. Without one, a line says that the test is skipped, and `cargo xtask test` counts it.
pub(super) fn elsewhere(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("COUNTERSIGN_VECTORS").map(PathBuf::from);
    if folder.is_none() {
        skipped(what, "for want of COUNTERSIGN_VECTORS");
    }
    folder
}

pub(super) fn skipped(what: &str, why: &str) {
    // At once, and past the harness, which keeps what tests print.
    let line = format!("SKIPPED: {what}: {why}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).expect("standard output");
}

/// All cases in the files of a folder.
pub(super) fn run_folder(folder: &Path, under: &Under) -> (Tally, String) {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = files.map(|file| file.expect("a file").path());
    let mut tally = Tally::default();
    let mut told = String::new();
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")) {
        let mut tell = |line: &str| told.push_str(&format!("{line}\n"));
        run_file(&file, under, &mut tally, &mut tell).unwrap_or_else(|failure| panic!("{failure}"));
    }
    (tally, told)
}

#[test]
fn the_projects_own_vectors_meet_their_verdict() {
    for under in &BACKENDS {
        let (tally, told) = run_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors"), under);
        assert!(tally.passed > 0 && tally.failed == 0, "{under:?}: {tally}\n{told}");
    }
}

#[test]
fn of_the_vectors_at_hand_none_that_must_hold_does_not() {
    let Some(folder) = elsewhere("the vectors from elsewhere") else { return };
    for under in &BACKENDS {
        let (tally, told) = run_folder(&folder, under);
        assert!(tally.passed > 0 && tally.grave == 0, "{under:?}: {tally}, {} of them grave\n{told}", tally.grave);
    }
}

const ALGORITHM: KeyError = KeyError::Unsupported("`alg` is unknown");
const BASE64: KeyError = KeyError::Malformed("not canonical base64url");
/// Of no use with ring, and good with aws-lc.
const CURVE: KeyError = KeyError::Unsupported("ring has no such algorithm; the feature `aws-lc` does");
const OPERATIONS: KeyError = KeyError::Unsupported("`key_ops` does not allow it");
const OTHER_CURVE: KeyError = KeyError::Unsupported("unknown `crv`");
const SMALL: KeyError = KeyError::Weak("the RSA modulus is too short");
const USE: KeyError = KeyError::Unsupported("`use` is not `sig`");

/// How many keys of each document a person would use, and why not the others, in their order.
const DOCUMENTS: [(&str, usize, &[KeyError]); 32] = [
    ("apple_2023", 3, &[]),
    ("auth0_x5cMultiple", 2, &[]),
    ("auth0_x5cSingle", 1, &[]),
    ("auth0_x5c_x5t", 2, &[]),
    ("better_auth_okp_no_use", 1, &[]),
    ("cognito_docs_sample_tiny_n", 0, &[BASE64, BASE64]),
    ("github_actions_2keys", 2, &[]),
    ("google_1024bit_2014", 0, &[BASE64, BASE64]),
    ("google_2016", 2, &[]),
    ("google_x509_map", 5, &[]),
    ("jwkset_private_keys_in_set", 0, &[KeyError::NotPublic; 3]),
    ("jwt_authorizer_rsa_ec_okp", 3, &[]),
    ("keycloak_enc_only", 0, &[USE]),
    ("keycloak_ps_x5c", 3, &[]),
    ("keycloak_sig_and_enc", 1, &[USE]),
    ("keyfunc_mixed_no_alg", 4, &[CURVE]),
    ("microsoft_aad_2015_3keys", 3, &[]),
    ("microsoft_aad_common_v1_7keys", 7, &[]),
    ("microsoft_aad_common_v2_10keys", 10, &[]),
    ("microsoft_aad_x5c_alg_SHA256", 0, &[OPERATIONS, BASE64]),
    ("microsoft_bad_base64_x5c", 0, &[BASE64, BASE64]),
    ("microsoft_bad_rsa_missing_component", 0, &[KeyError::Malformed("no `kty`"), OPERATIONS, BASE64]),
    ("microsoft_bad_x509", 0, &[BASE64, BASE64]),
    ("microsoft_ec_e2e_alg_ES521", 2, &[ALGORITHM]),
    ("microsoft_single_x5c_only", 0, &[KeyError::Malformed("no `n`")]),
    ("microsoft_unrecognized_kty", 0, &[OPERATIONS, KeyError::Unsupported("unknown `kty`")]),
    ("node_oidc_provider", 5, &[]),
    ("okta_sdk_1024bit", 0, &[SMALL]),
    ("paypal_jwks_2026-09-25", 4, &[OTHER_CURVE]),
    ("pinglabs_raw", 3, &[]),
    ("rfc7517_a1_joserfc_docs", 0, &[USE, BASE64]),
    ("yahoo_jwks_2026-09-25", 1, &[SMALL]),
];

#[test]
fn documents_of_providers_give_the_keys_that_a_person_would_expect() {
    let Some(folder) = elsewhere("the documents of providers") else { return };
    for (name, expected, reasons) in DOCUMENTS {
        let path = folder.join("jwks").join(name).with_extension("json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let set = JwkSet::parse(&text).or_else(|_| JwkSet::from_certificates(&text)).expect(name);
        let document: serde_json::Value = serde_json::from_str(&text).expect(name);
        let all =
            document["keys"].as_array().map_or_else(|| document.as_object().map_or(0, serde_json::Map::len), Vec::len);
        for under in &BACKENDS {
            let keys = KeySet::from_jwks_with(under.backend, &set);
            let usable: HashSet<_> = keys.iter().filter_map(|key| key.jwk()?.thumbprint().ok()).collect();
            let set_aside: Vec<_> = keys.quarantined().iter().map(|key| key.reason).collect();
            let is_good_here = |reason: &KeyError| *reason == CURVE && !under.lacks.contains(&"ES512");
            let (more, reasons): (Vec<_>, Vec<_>) = reasons.iter().copied().partition(is_good_here);
            assert_eq!((usable.len(), set_aside), (expected + more.len(), reasons), "{name} under {under:?}");
            assert_eq!(usable.len() + keys.quarantined().len(), all, "{name}: each of the rest has its reason");
        }
    }
}
