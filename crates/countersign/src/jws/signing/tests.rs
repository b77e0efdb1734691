use super::*;
use crate::alg::Algorithm;
use crate::jws::{Compact, Json, MAX_HEADER_MEMBERS, Policy};
use crate::reason::Rejection;
use serde_json::json;

const GENERATED: [Algorithm; 7] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::Ed25519,
    Algorithm::EdDSA,
];

fn key(algorithm: Algorithm) -> SigningKey {
    match algorithm.is_symmetric() {
        // A secret of its own for each, as keys have.
        true => SigningKey::from_secret(algorithm, algorithm.name().repeat(13)).expect("a secret"),
        false => SigningKey::generate(algorithm).expect("generate"),
    }
    .with_key_id(algorithm.name())
    .expect("a kid")
}

fn secret() -> SigningKey {
    // RFC 7515, Appendix A.1; RFC 7797 §4 uses it again.
    let jwk =
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    SigningKey::from_jwk(Algorithm::HS256, jwk).expect("the RFC's key")
}

#[test]
fn the_examples_of_rfc_7797_come_out_to_the_letter() {
    let key = secret();
    let signing = || Signing::new(b"$.02").by(&key, Header::new(&key));
    let plain = "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ";
    assert_eq!(signing().compact().as_deref(), Ok(plain), "§4.1");
    assert_eq!(sign(&key, &Header::new(&key), b"$.02").as_deref(), Ok(plain), "§4.1");
    let unencoded =
        "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY";
    assert_eq!(signing().unencoded().detached().compact().as_deref(), Ok(unencoded), "§4.2");

    let policy = Policy::new().allow_unencoded_payload();
    let read =
        |payload| Compact::parse_detached(unencoded, payload, &policy).and_then(|c| c.verify(key.verifying_key()));
    assert_eq!(read(b"$.02").as_deref(), Ok(&b"$.02"[..]));
    assert_eq!(read(b"JC4wMg"), Err(Rejection::Signature));
    let refused = Compact::parse_detached(unencoded, b"$.02", &Policy::new()).err();
    assert_eq!(refused, Some(Rejection::CriticalHeader));
    assert_eq!(Compact::parse(unencoded, 4096).err(), Some(Rejection::CriticalHeader), "a JWT is never unencoded");
    let attached = Compact::parse_with(unencoded, &policy).and_then(|c| c.verify(key.verifying_key()));
    assert_eq!(attached, Err(Rejection::Signature), "the payload is not empty");
}

#[test]
fn what_is_signed_verifies_in_every_serialization() {
    let policy = Policy::new().allow_unencoded_payload().understand("x").expect("a name");
    let payload = b"url-safe_payload~";
    for algorithm in GENERATED {
        let key = key(algorithm);
        let header = Header::new(&key).with_type("t").with_content_type("c").with_critical("x", json!([1])).expect("x");
        for (detached, unencoded) in [(false, false), (false, true), (true, false), (true, true)] {
            let signing = || {
                let signing = Signing::new(payload).by(&key, header.clone());
                let signing = if detached { signing.detached() } else { signing };
                if unencoded { signing.unencoded() } else { signing }
            };
            let compact = signing().compact().expect("sign");
            let compact = match detached {
                true => Compact::parse_detached(&compact, payload, &policy),
                false => Compact::parse_with(&compact, &policy),
            };
            let compact = compact.expect("well-formed");
            assert_eq!(compact.header().get("x"), None, "not before verification");
            let json = |text: String| match detached {
                true => Json::parse_detached(text, payload, &policy).expect("well-formed"),
                false => Json::parse(text, &policy).expect("well-formed"),
            };
            for verified in [
                compact.into_verified(key.verifying_key()),
                json(signing().flattened().expect("sign")).verify(key.verifying_key()),
                json(signing().general().expect("sign")).verify(key.verifying_key()),
            ] {
                let verified = verified.expect("signed");
                assert_eq!(verified.payload(), payload, "{algorithm} {detached} {unencoded}");
                assert!(*verified.header() == header, "{algorithm} {detached} {unencoded}");
            }
        }
    }
}

#[test]
fn several_keys_sign_one_payload() {
    let keys = GENERATED.map(key);
    let signing = keys.iter().fold(Signing::new(b"{}"), |signing, key| signing.by(key, Header::new(key)));
    let json = signing.general().expect("sign");
    let signed = Json::parse(json, &Policy::new()).expect("well-formed");
    let verifying: Vec<_> = keys.iter().map(|key| key.verifying_key().clone()).collect();
    let indices: Vec<_> = signed.verify_all(&verifying).expect("all").iter().map(crate::jws::Verified::index).collect();
    assert_eq!(indices, (0..keys.len()).collect::<Vec<_>>());
}

#[test]
fn what_could_not_be_read_back_is_not_signed() {
    let (key, other) = (key(Algorithm::HS256), key(Algorithm::ES256));
    let header = || Header::new(&key);
    let hint = |name: &str| Unprotected::new().with(name, "HS256".into()).expect("a hint");
    let one = |payload| Signing::new(payload).by(&key, header());
    let hinted = |name| Signing::new(b"{}").by_with_unprotected(&key, header(), hint(name));
    let named = |key_id: &str| {
        let hints = Unprotected::new().with("kid", key_id.into()).expect("a kid");
        Signing::new(b"{}").by_with_unprotected(&key, header().without_key_id(), hints)
    };
    let many = |n| (0..n).fold(Signing::new(b"{}"), |signing, _| signing.by(&key, header()));
    let long = header().with("x", "x".repeat(5000).into()).expect("a member");
    let cases: Vec<(Result<String, SignError>, SignError)> = vec![
        (Signing::new(b"{}").by(&other, header()).compact(), SignError::Header),
        (
            Signing::new(b"{}").by(&key.clone().with_key_id("k").expect("a kid"), header()).flattened(),
            SignError::Header,
        ),
        (named("another").flattened(), SignError::Header),
        (named("another").general(), SignError::Header),
        (hinted("kid").flattened(), SignError::NotDisjoint),
        (hinted("kid").general(), SignError::NotDisjoint),
        (hinted("x").compact(), SignError::Unprotected),
        (many(0).compact(), SignError::Signatures),
        (many(2).compact(), SignError::Signatures),
        (many(0).flattened(), SignError::Signatures),
        (many(2).flattened(), SignError::Signatures),
        (many(0).general(), SignError::Signatures),
        (many(MAX_SIGNATURES + 1).general(), SignError::Signatures),
        (one(b"$.02").unencoded().compact(), SignError::Payload),
        (one(b"a b").unencoded().compact(), SignError::Payload),
        (one(b"\xff").unencoded().flattened(), SignError::Payload),
        (one(b"\xff").unencoded().general(), SignError::Payload),
        (Signing::new(b"{}").by(&key, long.clone()).flattened(), SignError::TooLarge),
    ];
    for (at, (signed, expected)) in cases.into_iter().enumerate() {
        assert_eq!(signed, Err(expected), "case {at}");
    }
    assert!(many(MAX_SIGNATURES).general().is_ok());
    assert!(named("HS256").flattened().is_ok());
    assert!(one(b"\xff").unencoded().detached().flattened().is_ok());
    assert_eq!(sign(&other, &header(), b"{}"), Err(SignError::Header));
    assert_eq!(sign(&key, &long, b"{}"), Err(SignError::TooLarge));
    assert_eq!(unsigned(&long, b"{}"), Err(SignError::TooLarge));
}

#[test]
fn a_header_that_could_not_be_read_back_is_not_signed() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let key = SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret");
    let header = || Header::new(&key);
    let many = |n: usize| (0..n).try_fold(header(), |header, n| header.with(format!("m{n}"), json!(n))).expect("names");
    let named = |key_id: &str| Header::of(Algorithm::HS256, Some(key_id));
    let octets = "k".repeat(256);
    let cases = [
        (named(""), false),
        (named("a\nb"), false),
        (named(&"k".repeat(257)), false),
        (named(&octets), true),
        // Beside `alg`.
        (many(MAX_HEADER_MEMBERS), false),
        (many(MAX_HEADER_MEMBERS - 1), true),
        (header().with("x", nested(40)).expect("a name"), false),
        (header().with("x", nested(31)).expect("a name"), true),
        (header().with_critical("x", nested(40)).expect("a name"), false),
    ];
    for (at, (header, readable)) in cases.into_iter().enumerate() {
        let signing = || Signing::new(b"{}").by(&key, header.clone());
        let outcomes = [
            sign(&key, &header, b"{}"),
            protected(&key, &header, true).and_then(|protected| sign_under(&key, &protected, b"{}", true)),
            unsigned(&header, b"{}"),
            signing().compact(),
            signing().unencoded().detached().compact(),
            signing().flattened(),
            signing().general(),
        ];
        for (way, outcome) in outcomes.into_iter().enumerate() {
            // Two members more, `b64` and `crit`, fit no longer.
            let readable = readable && !(at == 5 && way == 4);
            assert_eq!(outcome.err(), (!readable).then_some(SignError::Unreadable), "case {at}, way {way}");
        }
    }
    let hints = |value| Unprotected::new().with("x", value).expect("a name");
    let hinted = |hints| Signing::new(b"{}").by_with_unprotected(&key, header(), hints);
    let crowd = (0..257).try_fold(Unprotected::new(), |hints, n| hints.with(format!("m{n}"), json!(n)));
    assert_eq!(hinted(hints(nested(40))).flattened(), Err(SignError::Unreadable));
    assert_eq!(hinted(crowd.expect("names")).general(), Err(SignError::Unreadable));
    assert!(hinted(hints(nested(31))).general().is_ok());
    for key_id in ["", "a\nb", &"k".repeat(257)] {
        assert!(key.clone().with_key_id(key_id).is_err(), "{key_id:?}");
        assert!(key.verifying_key().clone().with_key_id(key_id).is_err(), "{key_id:?}");
    }
    assert!(key.clone().with_key_id(&octets).is_ok());
}

#[test]
fn names_that_have_their_own_way_are_refused() {
    let key = key(Algorithm::HS256);
    for name in ["alg", "typ", "cty", "kid", "crit", "b64"] {
        assert!(Header::new(&key).with(name, json!(1)).is_err(), "{name}");
    }
    assert!(Header::new(&key).with("jwk", json!({})).is_ok());
    for name in ["", "b64", "alg", "jwk", "x5t#S256", "crit", "enc", "zip", "epk", "apu", "p2c"] {
        assert!(Header::new(&key).with_critical(name, json!(1)).is_err(), "{name}");
        assert!(Policy::new().understand(name).is_err(), "{name}");
    }
    for (name, value) in [("alg", "HS256"), ("crit", "x"), ("b64", "x"), ("kid", ""), ("kid", "a\n")] {
        assert!(Unprotected::new().with(name, value.into()).is_err(), "{name}");
    }
    assert!(Unprotected::new().with("typ", json!(7)).is_err());
}

#[test]
fn debug_shows_the_algorithms_alone() {
    let key = key(Algorithm::HS256);
    let hints = Unprotected::new().with("kid", "sensitive".into()).expect("a kid");
    assert_eq!(format!("{hints:?}"), "Unprotected { .. }");
    let signing = Signing::new(b"sensitive").by_with_unprotected(&key, Header::new(&key), hints);
    assert_eq!(format!("{signing:?}"), "Signing { algorithms: [HS256], .. }");
}
