use super::*;
use crate::base64url;
use crate::key::SigningKey;

fn key() -> SigningKey {
    SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret")
}

/// A token with this header, rightly signed.
fn signed(header: &str) -> String {
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(b"{}"));
    let signature = key().sign(input.as_bytes()).expect("sign");
    format!("{input}.{}", base64url::encode(&signature))
}

fn verdict(token: &str) -> Result<Vec<u8>, Rejection> {
    Compact::parse(token, MAX_BYTES)?.verify(key().verifying_key())
}

#[test]
fn the_example_of_rfc_7515_appendix_a_1_verifies() {
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let jwk =
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let key = SigningKey::from_jwk(Algorithm::HS256, jwk).expect("the RFC's key");
    let compact = Compact::parse(token, MAX_BYTES).expect("well-formed");
    assert_eq!(compact.header().token_type(), Some("JWT"));
    let payload = compact.verify(key.verifying_key()).expect("the RFC's signature");
    assert_eq!(payload, b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
}

#[test]
fn headers_meet_their_verdict() {
    let long_kid = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(257));
    let long = format!(r#"{{"alg":"HS256","x":"{}"}}"#, "x".repeat(5000));
    let members =
        |number: usize| (1..number).map(|n| format!(r#""\u0078{n}":0,"#)).collect::<String>() + r#""alg":"HS256""#;
    let (many, too_many) = (members(MAX_HEADER_MEMBERS), members(MAX_HEADER_MEMBERS + 1));
    let (many, too_many) = (format!("{{{many}}}"), format!("{{{too_many}}}"));
    let cases: &[(&str, Option<Rejection>)] = &[
        (r#"{"alg":"HS256"}"#, None),
        (&many, None),
        (&too_many, Some(Rejection::Malformed)),
        (r#" { "alg" : "HS256" , "jku":"https://elsewhere.example/", "jwk":{"kty":"oct"} } "#, None),
        (r#"{"alg":"HS256","b64":true}"#, None),
        (r#"{"alg":"none"}"#, Some(Rejection::Algorithm)),
        (r#"{"alg":"hs256"}"#, Some(Rejection::Algorithm)),
        (r#"{"alg":["HS256"]}"#, Some(Rejection::Algorithm)),
        (r#"{"alg":"HS512"}"#, Some(Rejection::KeyMismatch)),
        (r#"{"alg":"RS256"}"#, Some(Rejection::KeyMismatch)),
        (r#"{}"#, Some(Rejection::Malformed)),
        (r#"[]"#, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","alg":"HS256"}"#, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","x":1,"x":1}"#, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256"}x"#, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","typ":7}"#, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","kid":7}"#, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","kid":""}"#, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","kid":"a\nb"}"#, Some(Rejection::Malformed)),
        (&long_kid, Some(Rejection::Malformed)),
        (&long, Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","crit":["exp"]}"#, Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":[]}"#, Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":"b64","b64":true}"#, Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","b64":false}"#, Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","b64":"false"}"#, Some(Rejection::CriticalHeader)),
    ];
    for (header, expected) in cases {
        assert_eq!(verdict(&signed(header)).err(), *expected, "{header}");
    }
}

#[test]
fn a_key_that_the_token_brings_along_is_never_used() {
    let ours = SigningKey::generate(Algorithm::ES256).expect("generate");
    let theirs = SigningKey::generate(Algorithm::ES256).expect("generate");
    let jwk = serde_json::to_value(theirs.verifying_key().jwk()).expect("serialise");
    let header = serde_json::json!({
        "alg": "ES256", "jwk": jwk, "jku": "https://elsewhere.example/jwks", "x5u": "https://elsewhere.example/x5u",
        "x5c": ["AAAA"], "x5t": "AAAA", "x5t#S256": "AAAA",
    });
    let input = format!("{}.{}", base64url::encode(header.to_string().as_bytes()), base64url::encode(b"{}"));
    let token = format!("{input}.{}", base64url::encode(&theirs.sign(input.as_bytes()).expect("sign")));
    let parsed = || Compact::parse(&token, MAX_BYTES).expect("well-formed");
    assert_eq!(parsed().verify(ours.verifying_key()), Err(Rejection::Signature));
    assert!(parsed().verify(theirs.verifying_key()).is_ok(), "it is the key alone that is wrong");
}

#[test]
fn debug_shows_nothing_that_could_be_sent_again() {
    let token = signed(r#"{"alg":"HS256","kid":"sensitive","typ":"sensitive"}"#);
    let compact = Compact::parse(&token, MAX_BYTES).expect("well-formed");
    assert_eq!(format!("{compact:?}"), "Compact { header: Header { algorithm: HS256, .. }, .. }");
}

#[test]
fn shapes_other_than_three_canonical_parts_are_refused() {
    let good = signed(r#"{"alg":"HS256"}"#);
    assert_eq!(verdict(&good).as_deref(), Ok(&b"{}"[..]));
    let (input, signature) = good.rsplit_once('.').expect("three parts");
    let dots = ".".repeat(MAX_BYTES);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        dots,
        input.into(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}=="),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("{input}..{signature}"),
        good.replace('.', ".."),
        format!("{input}.+/{}", &signature[2..]),
    ] {
        assert_eq!(verdict(&bad).err(), Some(Rejection::Malformed), "{bad:.60}");
    }
    assert_eq!(verdict(&format!("{good}=")).err(), Some(Rejection::Padding));
    assert_eq!(Compact::parse(&good, good.len() - 1).err(), Some(Rejection::TooLarge));
    assert_eq!(verdict(&format!("{input}.")).err(), Some(Rejection::Signature), "an empty signature");
}

#[test]
fn every_flipped_bit_is_refused() {
    let good = signed(r#"{"alg":"HS256"}"#).into_bytes();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            if let Ok(text) = std::str::from_utf8(&bad) {
                assert!(verdict(text).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}

#[test]
fn an_unencoded_payload_between_dots_is_url_safe() {
    let policy = Policy::new().allow_unencoded_payload();
    let header = base64url::encode(br#"{"alg":"HS256","b64":false,"crit":["b64"]}"#);
    let cases = [
        ("", Ok(())),
        ("Az09-_~", Ok(())),
        ("$", Err(Rejection::Malformed)),
        ("$.02", Err(Rejection::Malformed)),
        ("a b", Err(Rejection::Malformed)),
        ("{}", Err(Rejection::Malformed)),
        ("é", Err(Rejection::Malformed)),
        ("a\n", Err(Rejection::Malformed)),
    ];
    for (payload, expected) in cases {
        let input = format!("{header}.{payload}");
        let token = format!("{input}.{}", base64url::encode(&key().sign(input.as_bytes()).expect("sign")));
        let verified = Compact::parse_with(&token, &policy).and_then(|compact| compact.verify(key().verifying_key()));
        assert_eq!(
            verified.as_deref(),
            expected.map(|()| payload.as_bytes()).as_ref().map(|bytes| *bytes),
            "{payload}"
        );
        assert_eq!(
            verdict(&token).err(),
            expected.err().filter(|_| payload.contains('.')).or(Some(Rejection::CriticalHeader))
        );
    }
}

#[test]
fn a_detached_token_brings_no_payload() {
    let token = sign(&key(), &Header::new(&key()), b"payload").expect("sign");
    let parts: Vec<_> = token.split('.').collect();
    let detached = format!("{}..{}", parts[0], parts[2]);
    let read = |token: &str, payload: &[u8]| {
        Compact::parse_detached(token, payload, &Policy::new())?.verify(key().verifying_key())
    };
    assert_eq!(read(&detached, b"payload").as_deref(), Ok(&b"payload"[..]));
    assert_eq!(read(&detached, b"other"), Err(Rejection::Signature));
    assert_eq!(read(&token, b"payload"), Err(Rejection::Malformed));
    assert_eq!(verdict(&detached), Err(Rejection::Signature), "the payload is read as empty");
    let empty = sign(&key(), &Header::new(&key()), b"").expect("sign");
    assert_eq!(verdict(&empty).as_deref(), Ok(&b""[..]));
    let small = Policy::new().max_bytes(detached.len());
    assert!(Compact::parse_detached(&detached, &[0; 100_000], &small).is_ok(), "what the caller has is not counted");
}

#[test]
fn members_are_shown_once_they_are_verified() {
    let token = signed(r#"{"alg":"HS256","nonce":"n","jwk":{"kty":"oct"},"big":1e3}"#);
    let compact = Compact::parse_with(&token, &Policy::new()).expect("well-formed");
    assert_eq!(compact.header().get("nonce"), None);
    let verified = compact.into_verified(key().verifying_key()).expect("signed");
    assert_eq!(verified.header().get("nonce"), Some(&"n".into()));
    assert_eq!(verified.header().get("jwk"), Some(&serde_json::json!({"kty": "oct"})));
    assert_eq!((verified.header().get("alg"), verified.unprotected("nonce")), (None, None));
    let twice = signed(r#"{"alg":"HS256","x":{"a":[{"b":1,"b":2}]}}"#);
    assert_eq!(Compact::parse_with(&twice, &Policy::new()).err(), Some(Rejection::Malformed), "however deep");
}
