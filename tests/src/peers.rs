//! Tokens and keys made by other libraries: `tests/data/peers`.

use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{Algorithm, JwtVerifier, SigningKey, VerifiedToken, VerifyingKey, jws};
use countersign_keys::StaticKeys;
use countersign_testkit::clock::FakeClock;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    id: String,
    alg: String,
    kid: Option<String>,
    public_jwks: Option<Value>,
    public_pem: Option<String>,
    private_pem: Option<String>,
    private_sec1_pem: Option<String>,
    private_pkcs1_pem: Option<String>,
    private_jwk: Option<Value>,
    secret_base64url: Option<String>,
    token: String,
    claims: Value,
    now: u64,
    iss: String,
    aud: String,
    expect: String,
}

fn cases() -> Vec<Case> {
    [
        include_str!("../data/peers/pyjwt.jsonl"),
        include_str!("../data/peers/joserfc.jsonl"),
        include_str!("../data/peers/jose.jsonl"),
    ]
    .into_iter()
    .flat_map(str::lines)
    .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:.80}")))
    .collect()
}

impl Case {
    fn algorithm(&self) -> Algorithm {
        Algorithm::from_name(&self.alg).expect("an algorithm that we have")
    }

    /// The algorithm of the key, which is what a verifier is configured with.
    fn key_algorithm(&self) -> Algorithm {
        let key = self.public_jwks.as_ref().map(|set| &set["keys"][0]);
        key.and_then(|key| key["alg"].as_str()).and_then(Algorithm::from_name).unwrap_or(self.algorithm())
    }

    fn secret_jwk(&self) -> Option<String> {
        self.secret_base64url.as_ref().map(|k| serde_json::json!({"kty": "oct", "k": k}).to_string())
    }

    fn verdict(&self, keys: StaticKeys) -> Result<VerifiedToken, VerifyError> {
        let verifier = JwtVerifier::builder(keys)
            .algorithms([self.key_algorithm()])
            .issuer(&self.iss)
            .audience(&self.aud)
            .clock(FakeClock::at(self.now))
            .build()
            .expect("a verifier");
        verifier.verify_now(&Credential::new("Bearer", &self.token)).expect("an answer now")
    }
}

#[test]
fn tokens_of_other_libraries_meet_their_verdict() {
    let mut accepted = 0;
    for case in cases() {
        let keys = match (&case.public_jwks, case.secret_jwk()) {
            (Some(set), _) => StaticKeys::from_jwks(&set.to_string()).expect("keys"),
            (None, Some(secret)) => {
                let key = SigningKey::from_jwk(case.algorithm(), &secret).expect("a secret");
                StaticKeys::from_keys([key.verifying_key().clone()])
            }
            (None, None) => panic!("{}: no key", case.id),
        };
        match (case.verdict(keys), case.expect.as_str()) {
            (Ok(token), "accept") => {
                assert_eq!(token.claims::<Value>().expect("claims"), case.claims, "{}", case.id);
                assert_eq!(token.subject(), case.claims["sub"].as_str(), "{}", case.id);
                for scope in case.claims["scope"].as_str().into_iter().flat_map(|s| s.split(' ')) {
                    assert!(token.has_scope(scope), "{}: {scope}", case.id);
                }
                accepted += 1;
            }
            (Err(VerifyError::Rejected(_)), "reject") => {}
            (verdict, expected) => panic!("{}: {verdict:?}, not {expected}", case.id),
        }
    }
    assert_eq!(accepted, 51);
}

#[test]
fn their_refused_tokens_are_refused_for_the_right_reason() {
    let reason = |case: &Case| {
        let set = case.public_jwks.as_ref().expect("a set").to_string();
        match case.verdict(StaticKeys::from_jwks(&set).expect("keys")) {
            Err(VerifyError::Rejected(rejection)) => rejection,
            other => panic!("{}: {other:?}", case.id),
        }
    };
    for case in cases().iter().filter(|case| case.expect == "reject") {
        let expected = match case.id.split_once('/').expect("library/name").1 {
            "reject-expired" => Rejection::Expired,
            "reject-audience" => Rejection::Audience,
            "reject-other-key" | "reject-flipped-bit" => Rejection::Signature,
            "reject-pem-as-secret" => Rejection::Algorithm,
            other => panic!("{other}: what should it be refused for?"),
        };
        assert_eq!(reason(case), expected, "{}", case.id);
    }
}

#[test]
fn a_public_pem_is_no_secret_even_where_hmac_is_allowed() {
    for case in cases().iter().filter(|case| case.id.ends_with("pem-as-secret")) {
        let pem = case.public_pem.as_ref().expect("a PEM");
        assert!(VerifyingKey::from_secret(Algorithm::HS256, pem).is_err(), "{}", case.id);
        let set = case.public_jwks.as_ref().expect("a set").to_string();
        let verifier = JwtVerifier::builder(StaticKeys::from_jwks(&set).expect("keys"))
            .algorithms([Algorithm::RS256, Algorithm::HS256])
            .issuer(&case.iss)
            .audience(&case.aud)
            .clock(FakeClock::at(case.now))
            .build()
            .expect("a verifier");
        let verdict = verifier.verify_now(&Credential::new("Bearer", &case.token)).expect("an answer now");
        assert!(matches!(verdict, Err(VerifyError::Rejected(Rejection::KeyMismatch))), "{}: {verdict:?}", case.id);
    }
}

#[test]
fn keys_of_other_libraries_are_the_same_in_every_form() {
    let mut forms = 0;
    for case in cases().iter().filter(|case| case.expect == "accept") {
        let (Some(public), Some(private), Some(jwk)) = (&case.public_pem, &case.private_pem, &case.private_jwk) else {
            continue;
        };
        let algorithm = case.algorithm();
        let expected = VerifyingKey::from_pem(algorithm, public).expect(&case.id);
        let mut keys = vec![
            SigningKey::from_pem(algorithm, private).expect(&case.id),
            SigningKey::from_jwk(algorithm, &jwk.to_string()).expect(&case.id),
        ];
        for other in [&case.private_sec1_pem, &case.private_pkcs1_pem].into_iter().flatten() {
            keys.push(SigningKey::from_pem(algorithm, other).expect(&case.id));
        }
        let written = expected.to_spki_pem().expect("a public key");
        assert_eq!(written.trim(), public.trim(), "{}: written as the other library writes it", case.id);
        let der = VerifyingKey::from_der(algorithm, &expected.to_spki_der().expect("a public key")).expect(&case.id);
        assert_eq!(der.identity(), expected.identity(), "{}", case.id);
        for key in keys {
            assert_eq!(key.verifying_key().identity(), expected.identity(), "{}", case.id);
            let token = jws::sign(&key, &jws::Header::new(&key), b"payload").expect(&case.id);
            let compact = jws::Compact::parse(&token, jws::MAX_BYTES).expect(&case.id);
            assert_eq!(compact.verify(&expected).expect(&case.id), b"payload");
            forms += 1;
        }
        for wrong in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
            let may = wrong.is_same_as(algorithm) || (case.alg.starts_with(['R', 'P']) && wrong == Algorithm::RS256);
            assert_eq!(VerifyingKey::from_pem(wrong, public).is_ok(), may, "{} as {wrong}", case.id);
        }
    }
    assert!(forms > 60, "{forms}");
}

#[test]
fn a_token_names_its_key_where_the_other_library_named_one() {
    for case in cases() {
        let compact = jws::Compact::parse(&case.token, jws::MAX_BYTES).expect(&case.id);
        assert_eq!(compact.header().key_id(), case.kid.as_deref(), "{}", case.id);
    }
}
