//! Laws that hold for every input.

use countersign::extract::{CookieExtractor, HeaderExtractor, TokenExtractor};
use countersign::issue::JwtSigner;
use countersign::jwk::{Jwk, JwkSet};
use countersign::request::{Credential, RequestView};
use countersign::verify::TokenVerifier;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey, VerifyingKey, jws};
use countersign_testkit::clock::FakeClock;
use proptest::prelude::*;
use std::sync::LazyLock;

const NOW: u64 = 1_800_000_000;

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret"));
static VERIFIER: LazyLock<JwtVerifier> = LazyLock::new(|| {
    JwtVerifier::builder(KEY.verifying_key().clone())
        .algorithms([Algorithm::HS256])
        .issuer("me")
        .audience("api")
        .clock(FakeClock::at(NOW))
        .build()
        .expect("a verifier")
});

fn is_taken(token: &str) -> bool {
    VERIFIER.verify_now(&Credential::new("Bearer", token)).expect("an answer now").is_ok()
}

/// Something like a token: three parts that may or may not be base64url of something like JSON.
fn like_a_token() -> impl Strategy<Value = String> {
    let json = prop_oneof![
        any::<Vec<u8>>(),
        r#"\{"(alg|typ|kid|crit|b64|iss|aud|exp)":("[a-zA-Z0-9]{0,8}"|[0-9eE.+-]{1,6}|null|\[\]|\{\})(,"(alg|aud|exp)":"HS256")?\}"#
            .prop_map(String::into_bytes),
    ];
    let part = prop_oneof![json.prop_map(|bytes| encode(&bytes)), "[A-Za-z0-9_=+./ -]{0,40}"];
    (part.clone(), part.clone(), part)
        .prop_map(|(header, payload, signature)| format!("{header}.{payload}.{signature}"))
}

/// Base64url through the public API: the payload of a signed token.
fn encode(bytes: &[u8]) -> String {
    let token = jws::sign(&KEY, &jws::Header::new(&KEY), bytes).expect("HMAC signs");
    token.split('.').nth(1).expect("three parts").to_owned()
}

proptest! {
    #[test]
    fn no_text_panics_and_none_that_we_did_not_sign_is_taken(
        token in prop_oneof![any::<String>(), like_a_token()],
    ) {
        prop_assert!(!is_taken(&token));
    }

    #[test]
    fn no_document_panics(text in any::<String>(), json in r#"\{"keys":\[(\{"kty":"(RSA|EC|OKP|oct)"(,"(n|e|x|y|crv|k)":"[A-Za-z0-9_-]{0,48}"){0,4}\},?){0,3}\]\}"#) {
        for input in [&text, &json] {
            let _ = JwkSet::parse(input);
            let _ = Jwk::parse(input);
            let _ = SigningKey::from_jwk(Algorithm::RS256, input);
            let _ = VerifyingKey::from_pem(Algorithm::ES256, input);
            let _ = SigningKey::from_der(Algorithm::EdDSA, input.as_bytes());
        }
    }

    #[test]
    fn what_is_signed_is_read_back(payload in any::<Vec<u8>>()) {
        let token = jws::sign(&KEY, &jws::Header::new(&KEY).with_type("any"), &payload).expect("HMAC signs");
        let compact = jws::Compact::parse(&token, usize::MAX).expect("well-formed");
        prop_assert_eq!(compact.verify(KEY.verifying_key()), Ok(payload));
    }

    #[test]
    fn claims_come_back_as_they_were_signed(
        subject in any::<String>(),
        extra in proptest::collection::btree_map("x[a-z]{1,8}", any::<i64>(), 0..8),
        lifetime in 1..1000_u64,
    ) {
        let mut claims = serde_json::json!({"iss": "me", "aud": ["api"], "sub": subject, "exp": NOW + lifetime});
        for (name, value) in &extra {
            claims[name.as_str()] = (*value).into();
        }
        let token = JwtSigner::new(KEY.clone()).sign(&claims).expect("HMAC signs");
        let verified = VERIFIER.verify_now(&Credential::new("Bearer", &token)).expect("an answer now").expect("valid");
        prop_assert_eq!(verified.subject(), Some(subject.as_str()));
        prop_assert_eq!(verified.claims::<serde_json::Value>().expect("claims"), claims);
    }

    #[test]
    fn one_changed_character_is_refused(at in any::<prop::sample::Index>(), new in any::<char>()) {
        let claims = serde_json::json!({"iss": "me", "aud": "api", "exp": NOW + 60});
        let good: Vec<char> = JwtSigner::new(KEY.clone()).sign(&claims).expect("HMAC signs").chars().collect();
        let mut bad = good.clone();
        let at = at.index(good.len());
        bad[at] = new;
        prop_assert_eq!(is_taken(&bad.iter().collect::<String>()), bad == good);
    }

    #[test]
    fn no_header_panics_or_is_told_back(
        name in prop_oneof![Just("authorization"), Just("cookie"), Just("origin"), Just("sec-fetch-site")],
        value in prop_oneof![
            any::<Vec<u8>>(),
            "(Bearer |t=)?[ -~é]{0,40}".prop_map(String::into_bytes),
        ],
        method in prop_oneof![Just("GET"), Just("POST"), Just("")],
    ) {
        let other = if name == "authorization" { "accept" } else { "authorization" };
        let headers = [(name, value.clone()), (other, b"Bearer a.b.c".to_vec())];
        let request = RequestView::new(method, "/", None, &headers);
        let cookie = CookieExtractor::new("t").expect("a name");
        let _ = HeaderExtractor::bearer().extract(&request);
        let _ = cookie.extract(&request);
        let verifier = JwtVerifier::builder(KEY.verifying_key().clone()).issuer("me").audience("api").build();
        let guard = Guard::builder(verifier.expect("a verifier")).extractor(HeaderExtractor::bearer()).extractor(cookie);
        let check = guard.build().expect("a guard").check_authenticated();
        let denial = check.judge_now(&check.screening(None), &request).expect("an answer now").expect_err("no token");
        let said = format!("{:?} {:?}", denial.headers().collect::<Vec<_>>(), denial.body());
        let text = String::from_utf8_lossy(&value);
        prop_assert!(text.len() < 12 || !said.contains(&*text), "{said}");
    }
}
