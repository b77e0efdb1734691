use super::*;
use crate::jwk::Jwk;
use crate::jws::{Signing, Unprotected};
use crate::key::SigningKey;
use serde_json::json;

// RFC 7515, Appendix A.1 to A.3, A.6 and A.7.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RSA_N: &str = "\
    ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1\
    Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpa\
    SHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4\
    LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_SIGNATURE: &str = "\
    cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O\
    8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARN\
    PvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ\
    1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const EC_KID: &str = "e9bc097a-ce51-4036-9562-d2ade882db0d";
// RFC 7515, Appendix A.1; RFC 7797 §4 uses it again.
const SECRET: &str =
    r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;

fn secret() -> SigningKey {
    SigningKey::from_jwk(Algorithm::HS256, SECRET).expect("the RFC's key")
}

fn public(algorithm: Algorithm, jwk: &Value) -> VerifyingKey {
    VerifyingKey::from_jwk(algorithm, &Jwk::parse(&jwk.to_string()).expect("a JWK")).expect("a key")
}

fn rsa() -> VerifyingKey {
    public(Algorithm::RS256, &json!({"kty": "RSA", "n": RSA_N, "e": "AQAB", "kid": "2010-12-29"}))
}

fn ec() -> VerifyingKey {
    public(Algorithm::ES256, &json!({"kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y, "kid": EC_KID}))
}

/// RFC 7515, Appendix A.6.
fn general() -> Value {
    json!({"payload": PAYLOAD, "signatures": [
        {"protected": "eyJhbGciOiJSUzI1NiJ9", "header": {"kid": "2010-12-29"}, "signature": RSA_SIGNATURE},
        {"protected": "eyJhbGciOiJFUzI1NiJ9", "header": {"kid": EC_KID}, "signature": EC_SIGNATURE},
    ]})
}

fn parse(json: &Value) -> Result<Json, Rejection> {
    Json::parse(json.to_string(), &Policy::new())
}

fn encoded(text: &str) -> String {
    base64url::encode(text.as_bytes())
}

/// An element of `signatures`, rightly signed over `payload` under `protected`, which is JSON or nothing.
fn element(protected: &str, header: &Value, payload: &str) -> Value {
    let protected = encoded(protected);
    let signature = secret().sign(&signing_input(&protected, payload.as_bytes())).expect("sign");
    let mut element = json!({"signature": base64url::encode(&signature)});
    if !protected.is_empty() {
        element["protected"] = protected.into();
    }
    if !header.is_null() {
        element["header"] = header.clone();
    }
    element
}

/// A flattened JWS over `{}`.
fn flattened(protected: &str, header: &Value) -> Value {
    let mut object = element(protected, header, &encoded("{}"));
    object["payload"] = encoded("{}").into();
    object
}

fn verdict(json: &str, policy: &Policy) -> Result<Verified, Rejection> {
    Json::parse(json, policy)?.verify(secret().verifying_key())
}

#[test]
fn both_signatures_of_rfc_7515_appendix_a_6_verify_and_say_which_they_are() {
    let signed = parse(&general()).expect("well-formed");
    let hints: Vec<_> = signed.signatures().iter().map(|one| (one.algorithm(), one.key_id())).collect();
    assert_eq!(hints, [(Some(Algorithm::RS256), Some("2010-12-29")), (Some(Algorithm::ES256), Some(EC_KID))]);
    for (index, key) in [rsa(), ec()].iter().enumerate() {
        let verified = signed.verify(key).expect("the RFC's signature");
        assert_eq!(
            verified.payload(),
            b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
        );
        assert_eq!((verified.index(), verified.header().algorithm()), (index, key.algorithm()));
        assert_eq!(verified.unprotected("kid").and_then(Value::as_str), key.key_id());
        assert_eq!((verified.header().key_id(), verified.header().get("kid")), (None, None), "it was not protected");
    }
    assert_eq!(signed.verify(&ec().with_key_id("2010-12-29").expect("a kid")).err(), Some(Rejection::KeyMismatch));
    assert_eq!(signed.verify(secret().verifying_key()).err(), Some(Rejection::KeyMismatch));
}

#[test]
fn the_flattened_example_of_rfc_7515_appendix_a_7_verifies() {
    let json = json!({"payload": PAYLOAD, "protected": "eyJhbGciOiJFUzI1NiJ9", "header": {"kid": EC_KID},
                      "signature": EC_SIGNATURE});
    let signed = parse(&json).expect("well-formed");
    assert_eq!(signed.verify(&ec()).map(|verified| verified.index()), Ok(0));
    assert_eq!(signed.verify(&rsa()).err(), Some(Rejection::KeyMismatch));
}

#[test]
fn all_keys_must_verify_and_no_key_counts_twice() {
    let signed = parse(&general()).expect("well-formed");
    let all = signed.verify_all(&[ec(), rsa()]).expect("both signed");
    assert_eq!(all.iter().map(Verified::index).collect::<Vec<_>>(), [1, 0], "in the order of the keys");
    let other = SigningKey::generate(Algorithm::ES256).expect("generate").verifying_key().clone();
    let cases: [(&[VerifyingKey], Rejection); 5] = [
        (&[], Rejection::KeyMismatch),
        (&[ec(), ec()], Rejection::KeyMismatch),
        (&[ec(), ec().with_key_id("another").expect("a kid")], Rejection::KeyMismatch),
        (&[ec(), other.clone()], Rejection::Signature),
        (&[ec(), rsa(), other], Rejection::KeyMismatch),
    ];
    for (keys, expected) in cases {
        assert_eq!(signed.verify_all(keys).err(), Some(expected), "{keys:?}");
    }
    let mut forged = general();
    forged["signatures"][0]["signature"] = EC_SIGNATURE.into();
    let forged = parse(&forged).expect("well-formed");
    assert!(forged.verify(&ec()).is_ok(), "one bad signature leaves the other standing");
    assert_eq!(forged.verify(&rsa()).err(), Some(Rejection::Signature));
    assert_eq!(forged.verify_all(&[ec(), rsa()]).err(), Some(Rejection::Signature));
}

#[test]
fn headers_meet_their_verdict() {
    const HS: &str = r#"{"alg":"HS256"}"#;
    let kid = |kid: &str| json!({ "kid": kid });
    let policy = Policy::new().understand("x").expect("a name");
    let cases: &[(&str, Value, Option<Rejection>)] = &[
        (HS, json!(null), None),
        (HS, json!({}), None),
        (HS, json!({"kid": "any", "jku": "https://elsewhere.example/", "note": [1, {"a": null}]}), None),
        ("", json!({"alg": "HS256"}), None),
        (r#"{"typ":"x"}"#, json!({"alg": "HS256"}), None),
        ("", json!({"alg": "RS256"}), Some(Rejection::KeyMismatch)),
        ("", json!({"alg": "none"}), Some(Rejection::Algorithm)),
        ("", json!({"alg": ["HS256"]}), Some(Rejection::Malformed)),
        ("", json!({}), Some(Rejection::Malformed)),
        (r#"{"typ":"x"}"#, kid("any"), Some(Rejection::Malformed)),
        (r#"{"alg":"none"}"#, json!(null), Some(Rejection::Algorithm)),
        // RFC 7515 §4: the names are disjoint.
        (HS, json!({"alg": "HS256"}), Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","kid":"a"}"#, kid("a"), Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","typ":"a"}"#, json!({"typ": "a"}), Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","note":1}"#, json!({"note": 2}), Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","jku":1}"#, json!({"jku": 2}), Some(Rejection::Malformed)),
        (HS, kid(""), Some(Rejection::Malformed)),
        (HS, kid("a\nb"), Some(Rejection::Malformed)),
        (HS, json!({"kid": 7}), Some(Rejection::Malformed)),
        (HS, json!({"typ": 7}), Some(Rejection::Malformed)),
        (HS, json!({"note": "x".repeat(5000)}), Some(Rejection::Malformed)),
        (HS, json!([]), Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","alg":"HS256"}"#, json!(null), Some(Rejection::Malformed)),
        (r#"{"alg":"HS256","note":[{"a":1,"a":2}]}"#, json!(null), Some(Rejection::Malformed)),
        ("{}", json!(null), Some(Rejection::Malformed)),
        // RFC 7515 §4.1.11.
        (r#"{"alg":"HS256","crit":["x"],"x":1}"#, json!(null), None),
        (r#"{"alg":"HS256","crit":["x"]}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":["x"]}"#, json!({"x": 1}), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":["x","x"],"x":1}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":["y"],"y":1}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":["x","y"],"x":1,"y":1}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":["alg"]}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":[]}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":"x","x":1}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":null,"x":1}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","crit":["x",7],"x":1}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","x":1}"#, json!({"crit": ["x"]}), Some(Rejection::CriticalHeader)),
        // RFC 7797 §6.
        (HS, json!({"b64": true}), Some(Rejection::CriticalHeader)),
        (HS, json!({"b64": false}), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","b64":true}"#, json!(null), None),
        (r#"{"alg":"HS256","b64":false}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, json!(null), Some(Rejection::CriticalHeader)),
        (r#"{"alg":"HS256","b64":true,"crit":["b64"]}"#, json!(null), Some(Rejection::CriticalHeader)),
    ];
    for (protected, header, expected) in cases {
        let json = flattened(protected, header);
        assert_eq!(verdict(&json.to_string(), &policy).err(), *expected, "{json} {protected}");
    }
}

#[test]
fn forms_that_could_be_read_in_two_ways_are_refused() {
    let one = element(r#"{"alg":"HS256"}"#, &json!({"kid": "k"}), "e30");
    let flat = |more: &str| {
        let inner = one.to_string();
        format!(r#"{{"payload":"e30",{}{more}}}"#, &inner[1..inner.len() - 1])
    };
    let several = |n: usize| json!({"payload": "e30", "signatures": vec![one.clone(); n]});
    let inside = |more: Value| {
        let mut element = one.clone();
        element.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"payload": "e30", "signatures": [element]}).to_string()
    };
    let beside = |name: &str| {
        let mut json = several(1);
        json[name] = one[name].clone();
        json.to_string()
    };
    let without = |name: &str| {
        let mut json: Value = serde_json::from_str(&flat("")).expect("JSON");
        json.as_object_mut().expect("an object").remove(name);
        json.to_string()
    };
    let twice = several(1).to_string().replace(r#""signature":"#, r#""signature":"","signature":"#);
    let kid_twice = several(1).to_string().replace(r#"{"kid":"k"}"#, r#"{"kid":"k","kid":"k"}"#);
    let deep = format!(r#"{{"payload":"e30","signature":"","header":{{"alg":"HS256","x":{}}}}}"#, "[".repeat(4000));
    let cases: &[(String, Option<Rejection>)] = &[
        (flat(""), None),
        (flat(r#","x":{"a":1}"#), None),
        (several(1).to_string(), None),
        (several(MAX_SIGNATURES).to_string(), None),
        (inside(json!({"x": 1})), None),
        (several(0).to_string(), Some(Rejection::Malformed)),
        (several(MAX_SIGNATURES + 1).to_string(), Some(Rejection::TooLarge)),
        (flat(&format!(r#","signatures":[{one}]"#)), Some(Rejection::Malformed)),
        (flat(r#","signatures":null"#), Some(Rejection::Malformed)),
        (flat(r#","signatures":[]"#), Some(Rejection::Malformed)),
        (beside("signature"), Some(Rejection::Malformed)),
        (beside("protected"), Some(Rejection::Malformed)),
        (beside("header"), Some(Rejection::Malformed)),
        (inside(json!({"payload": "e30"})), Some(Rejection::Malformed)),
        (inside(json!({"signatures": []})), Some(Rejection::Malformed)),
        (inside(json!({"signature": null})), Some(Rejection::Malformed)),
        (inside(json!({"protected": ""})), Some(Rejection::Malformed)),
        (inside(json!({"protected": {"alg": "HS256"}})), Some(Rejection::Malformed)),
        (flat(r#","payload":"e30""#), Some(Rejection::Malformed)),
        (flat(r#","\u0070ayload":"e30""#), Some(Rejection::Malformed)),
        (flat(r#","x":1,"x":1"#), Some(Rejection::Malformed)),
        (twice, Some(Rejection::Malformed)),
        (kid_twice, Some(Rejection::Malformed)),
        (without("payload"), Some(Rejection::Malformed)),
        (without("signature"), Some(Rejection::Malformed)),
        (without("protected"), Some(Rejection::Malformed)),
        (flat("").replace(r#""e30""#, r#""e30=""#), Some(Rejection::Padding)),
        (flat("").replace(r#""e30""#, r#""e31""#), Some(Rejection::Malformed)),
        (flat("").replace(r#""e30""#, "{}"), Some(Rejection::Malformed)),
        (format!("{} {{}}", flat("")), Some(Rejection::Malformed)),
        (deep, Some(Rejection::Malformed)),
        ("[]".into(), Some(Rejection::Malformed)),
        (String::new(), Some(Rejection::Malformed)),
        ("e30.e30.".into(), Some(Rejection::Malformed)),
    ];
    for (json, expected) in cases {
        assert_eq!(verdict(json, &Policy::new()).err(), *expected, "{json:.300}");
    }
    let json = flat("");
    assert!(verdict(&json, &Policy::new().max_bytes(json.len())).is_ok());
    assert_eq!(verdict(&json, &Policy::new().max_bytes(json.len() - 1)).err(), Some(Rejection::TooLarge));
    assert_eq!(Json::parse([b'{', 0xff, b'}'], &Policy::new()).err(), Some(Rejection::Malformed));
}

#[test]
fn a_signature_that_nobody_here_understands_leaves_the_others_standing() {
    let good = element(r#"{"alg":"HS256"}"#, &json!(null), "e30");
    for (bad, refusal) in [
        (r#"{"alg":"Ed448"}"#, Rejection::Algorithm),
        (r#"{"alg":"HS256","crit":["x"],"x":1}"#, Rejection::CriticalHeader),
    ] {
        let bad = element(bad, &json!(null), "e30");
        let both = json!({"payload": "e30", "signatures": [bad, good]});
        assert_eq!(verdict(&both.to_string(), &Policy::new()).map(|verified| verified.index()), Ok(1));
        assert_eq!(parse(&both).expect("well-formed").signatures()[0].algorithm(), None);
        let alone = json!({"payload": "e30", "signatures": [bad, bad]});
        assert_eq!(parse(&alone).err(), Some(refusal));
    }
}

#[test]
fn what_is_unencoded_is_so_for_all_signatures() {
    let raw = element(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, &json!(null), "e30");
    let encoded = element(r#"{"alg":"HS256"}"#, &json!(null), "e30");
    let policy = Policy::new().allow_unencoded_payload();
    let read = |signatures: Value| verdict(&json!({"payload": "e30", "signatures": signatures}).to_string(), &policy);
    assert_eq!(read(json!([raw, raw])).expect("unencoded").payload(), b"e30");
    assert_eq!(read(json!([encoded])).expect("encoded").payload(), b"{}");
    assert_eq!(read(json!([encoded, raw])).err(), Some(Rejection::CriticalHeader));
    assert_eq!(read(json!([raw, encoded])).err(), Some(Rejection::CriticalHeader));
}

#[test]
fn an_unencoded_payload_is_the_string_itself() {
    // Signed over `$.02`, as RFC 7797 §4.2.
    let json = json!({"payload": "$.02", "protected": "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19",
                      "signature": "A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"});
    let policy = Policy::new().allow_unencoded_payload();
    assert_eq!(verdict(&json.to_string(), &policy).expect("the RFC's signature").payload(), b"$.02");
    let escaped = json.to_string().replace("$.02", "\\u0024.02");
    assert_eq!(verdict(&escaped, &policy).expect("the same string").payload(), b"$.02");
    assert_eq!(parse(&json).err(), Some(Rejection::CriticalHeader));
    // The cookbook's file of an older draft, without `crit`.
    let draft = json!({"payload": "$.02", "protected": "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2V9",
                       "signature": "GsyM6AQJbQHY8aQKCbZSPJHzMRWo3HKIlcDuXof7nqs"});
    assert_eq!(verdict(&draft.to_string(), &policy).err(), Some(Rejection::CriticalHeader));
}

#[test]
fn a_detached_payload_is_given_and_not_sent() {
    let mut json = general();
    let payload = base64url::decode(PAYLOAD).expect("base64url");
    let detached = |json: &Value, payload: &[u8]| Json::parse_detached(json.to_string(), payload, &Policy::new());
    assert_eq!(detached(&json, &payload).err(), Some(Rejection::Malformed), "it has one already");
    json["payload"] = "".into();
    assert_eq!(detached(&json, &payload).err(), Some(Rejection::Malformed), "an empty one is one");
    json.as_object_mut().expect("an object").remove("payload");
    assert_eq!(parse(&json).err(), Some(Rejection::Malformed));
    let signed = detached(&json, &payload).expect("well-formed");
    assert_eq!(signed.verify_all(&[rsa(), ec()]).expect("both signed")[0].payload(), payload);
    assert_eq!(detached(&json, b"other").expect("well-formed").verify(&ec()).err(), Some(Rejection::Signature));
}

#[test]
fn every_flipped_bit_is_refused() {
    let key = secret().with_key_id("k").expect("a kid");
    let header = Header::new(&key).without_key_id();
    let hints = Unprotected::new().with("kid", "k".into()).expect("a kid");
    let good = Signing::new(b"{}").by_with_unprotected(&key, header, hints).flattened().expect("sign");
    assert!(Json::parse(&good, &Policy::new()).and_then(|signed| signed.verify(key.verifying_key())).is_ok());
    // A hint that goes unread is not covered, so its name may change; its value may not.
    let name = good.find(r#""header":{"kid""#).expect("the hint");
    let uncovered = name..name + r#""header":{"kid""#.len();
    for at in (0..good.len()).filter(|at| !uncovered.contains(at)) {
        for bit in 0..8 {
            let mut bad = good.clone().into_bytes();
            bad[at] ^= 1 << bit;
            let verdict = Json::parse(&bad, &Policy::new()).and_then(|signed| signed.verify(key.verifying_key()));
            assert!(verdict.is_err(), "byte {at}, bit {bit}: {}", String::from_utf8_lossy(&bad));
        }
    }
}

#[test]
fn debug_shows_the_algorithms_alone() {
    let json = flattened(r#"{"alg":"HS256","typ":"sensitive","x":"sensitive"}"#, &json!({"kid": "sensitive"}));
    let signed = parse(&json).expect("well-formed");
    assert_eq!(format!("{signed:?}"), "Json { signatures: [Signature { algorithm: Some(HS256), .. }], .. }");
    let verified = signed.verify(secret().verifying_key()).expect("signed");
    assert_eq!(format!("{verified:?}"), "Verified { header: Header { algorithm: HS256, .. }, .. }");
}

#[test]
fn one_key_under_two_algorithms_is_one_key() {
    let key = |algorithm| SigningKey::from_secret(algorithm, [7; 64]).expect("a secret");
    let (short, long) = (key(Algorithm::HS256), key(Algorithm::HS512));
    let json = Signing::new(b"m").by(&short, Header::new(&short)).by(&long, Header::new(&long)).general();
    let signed = Json::parse(json.expect("signed"), &Policy::new()).expect("well-formed");
    assert!(signed.verify(short.verifying_key()).is_ok() && signed.verify(long.verifying_key()).is_ok());
    let both = signed.verify_all(&[short.verifying_key().clone(), long.verifying_key().clone()]);
    assert_eq!(both.err(), Some(Rejection::KeyMismatch));
}
