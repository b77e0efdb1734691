//! Laws that hold for every input.

use countersign::clock::Clock;
use countersign::extract::{CookieExtractor, HeaderExtractor, SubprotocolExtractor, TokenExtractor};
use countersign::issue::JwtSigner;
use countersign::jwk::{Jwk, JwkSet};
use countersign::jws::{Compact, Header, Json, Policy, Signing};
use countersign::request::{Credential, RequestView};
use countersign::verify::TokenVerifier;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey, VerifyingKey, jws};
use proptest::prelude::*;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NOW: u64 = 1_800_000_000;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret"));
/// A key for each algorithm.
static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    const RSA: &str = include_str!("../../../../examples/src/quickstart/demo-rsa.pem");
    let key = |algorithm: Algorithm| match algorithm.name().as_bytes() {
        [b'H', ..] => SigningKey::from_secret(algorithm, [7; 64]),
        [b'R' | b'P', ..] => SigningKey::from_pem(algorithm, RSA),
        _ => SigningKey::generate(algorithm),
    };
    Algorithm::ALL.iter().copied().map(|algorithm| key(algorithm).expect("a key")).collect()
});
static VERIFIER: LazyLock<JwtVerifier> = LazyLock::new(|| {
    JwtVerifier::builder(KEY.verifying_key().clone())
        .algorithms([Algorithm::HS256])
        .issuer("me")
        .audience("api")
        .clock(Still)
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

/// A public key of each kind, under any `kid` that may stand in a JWK.
fn jwk() -> impl Strategy<Value = Jwk> {
    let key = prop::sample::select(KEYS.iter().filter(|key| !key.algorithm().is_symmetric()).collect::<Vec<_>>());
    (key, proptest::option::of("\\PC{1,60}")).prop_map(|(key, key_id)| {
        let key = key.verifying_key().clone();
        let key = match key_id {
            Some(key_id) => key.with_key_id(key_id).expect("a key id"),
            None => key,
        };
        key.jwk().expect("a public key")
    })
}

/// Something like PEM: blocks of any label around base64 of anything, and text.
fn like_pem() -> impl Strategy<Value = String> {
    let label = prop_oneof![
        Just("PUBLIC KEY"),
        Just("RSA PUBLIC KEY"),
        Just("PRIVATE KEY"),
        Just("RSA PRIVATE KEY"),
        Just("EC PRIVATE KEY"),
        Just("EC PARAMETERS"),
        Just("CERTIFICATE"),
    ];
    let block = (label, "[A-Za-z0-9+/]{0,64}={0,2}")
        .prop_map(|(label, body)| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"));
    proptest::collection::vec(prop_oneof![3 => block, 1 => any::<String>()], 0..4).prop_map(|parts| parts.concat())
}

/// What `explain` tells, from a local key, which needs no waiting.
fn is_explained_as_good(token: &str) -> bool {
    let explanation = std::pin::pin!(VERIFIER.explain(token)).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    match explanation {
        Poll::Ready(explanation) => explanation.is_accepted(),
        Poll::Pending => panic!("a local key needs no waiting"),
    }
}

#[test]
fn every_single_bit_flip_is_refused_whatever_the_algorithm() {
    for key in KEYS.iter() {
        let algorithm = key.algorithm();
        let claims = serde_json::json!({"iss": "me", "aud": "api", "exp": NOW + 60});
        let token = JwtSigner::new(key.clone()).sign(&claims).expect("sign");
        let verifier = JwtVerifier::builder(key.verifying_key().clone())
            .algorithms([algorithm])
            .issuer("me")
            .audience("api")
            .clock(Still)
            .build()
            .expect("a verifier");
        let jwt = |token: &str| verifier.verify_now(&Credential::new("Bearer", token)).expect("an answer now").is_ok();
        let jws = |token: &str| {
            Compact::parse(token, jws::MAX_BYTES).and_then(|token| token.verify(key.verifying_key())).is_ok()
        };
        assert!(jwt(&token) && jws(&token), "{algorithm}");
        for at in 0..token.len() {
            // The eighth bit is no bit of text. Of the long signatures of ML-DSA one bit in seven must do.
            let is_short = token.len() < 2_000;
            for bit in (0..7).filter(|bit| is_short || at % 7 == *bit) {
                let mut changed = token.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).expect("ASCII");
                assert!(!jwt(&changed) && !jws(&changed), "{algorithm}: bit {bit} of octet {at}");
            }
        }
    }
}

/// Base64url through the public API: the payload of a signed token.
fn encode(bytes: &[u8]) -> String {
    let token = jws::sign(&KEY, &Header::new(&KEY), bytes).expect("HMAC signs");
    token.split('.').nth(1).expect("three parts").to_owned()
}

proptest! {
    #[test]
    fn no_text_panics_and_none_that_we_did_not_sign_is_taken(
        token in prop_oneof![any::<String>(), like_a_token()],
    ) {
        prop_assert!(!is_taken(&token));
        prop_assert!(!is_explained_as_good(&token));
        prop_assert!(Compact::parse_detached(&token, b"m", &Policy::new()).is_err() || token.contains(".."));
    }

    #[test]
    fn no_json_panics_and_none_that_we_did_not_sign_is_taken(
        text in prop_oneof![
            any::<String>(),
            r#"\{("(payload|protected|signature)":"[A-Za-z0-9_-]{0,12}",){1,3}"(header|signatures)":(\{\}|\[\{"signature":"AA"\}\])\}"#,
            like_a_token().prop_map(|token| {
                let parts: Vec<_> = token.splitn(3, '.').collect();
                serde_json::json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string()
            }),
        ],
    ) {
        let policy = Policy::new().allow_unencoded_payload();
        for json in [Json::parse(&text, &policy), Json::parse_detached(&text, b"m", &policy)].into_iter().flatten() {
            prop_assert!(json.verify(KEY.verifying_key()).is_err());
        }
    }

    #[test]
    fn no_document_panics(text in any::<String>(), pem in like_pem(), json in r#"\{"keys":\[(\{"kty":"(RSA|EC|OKP|oct)"(,"(n|e|x|y|crv|k)":"[A-Za-z0-9_-]{0,48}"){0,4}\},?){0,3}\]\}"#) {
        for input in [&text, &pem, &json] {
            let _ = JwkSet::parse(input);
            let _ = Jwk::parse(input);
            let _ = SigningKey::from_jwk(Algorithm::RS256, input);
            let _ = JwkSet::from_certificates(input);
            let _ = JwkSet::from_certificates(&serde_json::json!({ "a": input }).to_string());
            let _ = VerifyingKey::from_secret_jwk(Algorithm::HS256, input);
            let _ = VerifyingKey::from_certificate(Algorithm::ES256, input);
            let _ = VerifyingKey::from_pem(Algorithm::ES256, input);
            let _ = SigningKey::from_pem(Algorithm::RS256, input);
            let _ = SigningKey::from_der(Algorithm::EdDSA, input.as_bytes());
        }
    }

    #[test]
    fn what_is_signed_is_read_back(payload in any::<Vec<u8>>()) {
        let token = jws::sign(&KEY, &Header::new(&KEY).with_type("any"), &payload).expect("HMAC signs");
        let compact = Compact::parse(&token, usize::MAX).expect("well-formed");
        prop_assert_eq!(compact.verify(KEY.verifying_key()), Ok(payload));
    }

    #[test]
    fn what_is_signed_in_json_is_read_back(payload in any::<Vec<u8>>(), value in any::<i64>()) {
        let header = || Header::new(&KEY).with("x", value.into()).expect("a free name");
        let signing = || Signing::new(&payload).by(&KEY, header());
        for text in [signing().flattened(), signing().general(), signing().by(&KEY, header()).general()] {
            let text = text.expect("HMAC signs");
            let json = Json::parse(&text, &Policy::new()).expect("well-formed");
            let verified = json.verify(KEY.verifying_key()).expect("our own");
            prop_assert_eq!(verified.payload(), &payload);
            prop_assert_eq!(verified.header(), &header());
        }
        let detached = signing().detached().flattened().expect("HMAC signs");
        let json = Json::parse_detached(&detached, &payload, &Policy::new()).expect("well-formed");
        prop_assert!(json.verify(KEY.verifying_key()).is_ok());
        let other = [&payload[..], b"x"].concat();
        let json = Json::parse_detached(&detached, &other, &Policy::new()).expect("well-formed");
        prop_assert!(json.verify(KEY.verifying_key()).is_err());
    }

    #[test]
    fn keys_come_back_as_they_were_published(keys in proptest::collection::vec(jwk(), 0..8)) {
        for key in &keys {
            let text = serde_json::to_string(key).expect("a JWK");
            prop_assert_eq!(Jwk::parse(&text).expect("our own"), key.clone());
            for algorithm in key.algorithms() {
                let key = VerifyingKey::from_jwk(algorithm, key).expect("its own algorithm");
                let pem = VerifyingKey::from_pem(algorithm, key.to_spki_pem().expect("SPKI")).expect("our own");
                prop_assert_eq!(pem.identity(), key.identity());
            }
        }
        let set: JwkSet = keys.iter().cloned().collect();
        let read = JwkSet::parse(&serde_json::to_string(&set).expect("a set")).expect("our own");
        prop_assert_eq!(read.keys(), &keys[..]);
        prop_assert!(read.quarantined().is_empty());
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
        name in prop_oneof![
            Just("authorization"),
            Just("cookie"),
            Just("origin"),
            Just("sec-fetch-site"),
            Just("sec-websocket-protocol"),
        ],
        value in prop_oneof![
            any::<Vec<u8>>(),
            "(Bearer |t=|t[.])?[ -~é]{0,40}".prop_map(String::into_bytes),
        ],
        method in prop_oneof![Just("GET"), Just("POST"), Just("")],
    ) {
        let other = if name == "authorization" { "accept" } else { "authorization" };
        let headers = [(name, value.clone()), (other, b"Bearer a.b.c".to_vec())];
        let request = RequestView::new(method, "/", None, &headers);
        let cookie = CookieExtractor::new("t").expect("a name");
        let _ = HeaderExtractor::bearer().extract(&request);
        let _ = cookie.extract(&request);
        let verifier = JwtVerifier::builder(KEY.verifying_key().clone()).algorithms([Algorithm::HS256]);
        let guard = Guard::builder(verifier.issuer("me").audience("api").build().expect("a verifier"))
            .extractor(HeaderExtractor::bearer())
            .extractor(cookie)
            .extractor(SubprotocolExtractor::new("t").expect("a prefix"));
        let check = guard.build().expect("a guard").check_authenticated();
        let denial = check.judge_now(&check.screening(None), &request).expect("an answer now").expect_err("no token");
        let said = format!("{:?} {:?}", denial.headers().collect::<Vec<_>>(), denial.body());
        let text = String::from_utf8_lossy(&value);
        prop_assert!(text.len() < 12 || !said.contains(&*text), "{said}");
    }
}
