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

/// How many keys of each document a person would use, and nothing else in them passes.
const DOCUMENTS: [(&str, usize); 32] = [
    ("apple_2023", 3),
    ("auth0_x5cMultiple", 2),
    ("auth0_x5cSingle", 1),
    ("auth0_x5c_x5t", 2),
    ("better_auth_okp_no_use", 1),
    ("cognito_docs_sample_tiny_n", 0), // moduli of a few octets
    ("github_actions_2keys", 2),
    ("google_1024bit_2014", 0), // small, and in the wrong base64
    ("google_2016", 2),
    ("google_x509_map", 5),
    ("jwkset_private_keys_in_set", 0),
    ("jwt_authorizer_rsa_ec_okp", 3),
    ("keycloak_enc_only", 0),
    ("keycloak_ps_x5c", 3),
    ("keycloak_sig_and_enc", 1),
    ("keyfunc_mixed_no_alg", 4), // and one on P-521
    ("microsoft_aad_2015_3keys", 3),
    ("microsoft_aad_common_v1_7keys", 7),
    ("microsoft_aad_common_v2_10keys", 10),
    ("microsoft_aad_x5c_alg_SHA256", 0), // an `alg` that is none, the wrong base64
    ("microsoft_bad_base64_x5c", 0),     // the wrong base64
    ("microsoft_bad_rsa_missing_component", 0),
    ("microsoft_bad_x509", 0),         // the wrong base64
    ("microsoft_ec_e2e_alg_ES521", 2), // and one on P-521
    ("microsoft_single_x5c_only", 0),  // no key beside its certificate
    ("microsoft_unrecognized_kty", 0),
    ("node_oidc_provider", 5),
    ("okta_sdk_1024bit", 0),
    ("paypal_jwks_2026-09-25", 4), // and one for key agreement
    ("pinglabs_raw", 3),
    ("rfc7517_a1_joserfc_docs", 0), // for encryption, and one cut short
    ("yahoo_jwks_2026-09-25", 1),   // and a small one
];

#[test]
fn documents_of_providers_give_the_keys_that_a_person_would_expect() {
    use countersign::jwk::JwkSet;
    use countersign::provider::KeySet;
    let Some(folder) = std::env::var_os("COUNTERSIGN_VECTORS") else { return };
    for (name, expected) in DOCUMENTS {
        let path = Path::new(&folder).join("jwks").join(name).with_extension("json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let set = JwkSet::parse(&text).or_else(|_| JwkSet::from_certificates(&text)).expect(name);
        let keys = KeySet::from_jwks(&set);
        let usable: std::collections::HashSet<_> = keys.iter().filter_map(|key| key.jwk()?.thumbprint().ok()).collect();
        assert_eq!(usable.len(), expected, "{name}: {:?}", keys.quarantined());
        let document: serde_json::Value = serde_json::from_str(&text).expect(name);
        let all =
            document["keys"].as_array().map_or_else(|| document.as_object().map_or(0, serde_json::Map::len), Vec::len);
        let set_aside: std::collections::HashSet<_> = keys.quarantined().iter().map(|key| key.index).collect();
        assert_eq!(usable.len() + set_aside.len(), all, "{name}: each of the rest has its reason");
    }
}
