use super::*;

const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
// RFC 7517, Appendix A.1
const P256_X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
const P256_Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn reason(json: &str) -> KeyError {
    Jwk::parse(json).expect_err(json)
}

#[test]
fn public_keys_of_the_rfcs_parse() {
    let rsa = Jwk::parse(&format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#))
        .expect("RFC 7638 §3.1");
    assert_eq!(rsa.thumbprint().expect("hash").to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(rsa.algorithms(), [Algorithm::RS256]);
    let ec = Jwk::parse(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}","future":[1]}}"#))
        .expect("RFC 7517 A.1");
    assert_eq!(ec.algorithms(), [Algorithm::ES256]);
    let bare = Jwk::parse(&format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB"}}"#)).expect("no alg");
    assert_eq!(bare.algorithms().len(), 6);
}

#[test]
fn a_key_serves_the_algorithm_that_it_names_and_no_other() {
    use crate::key::VerifyingKey;
    let jwk = |more: &str| Jwk::parse(&format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB"{more}}}"#)).expect("RFC 7638");
    let (named, bare) = (jwk(r#","alg":"RS256""#), jwk(""));
    for &algorithm in Algorithm::ALL {
        let fits = algorithm == Algorithm::RS256;
        assert_eq!(VerifyingKey::from_jwk(algorithm, &named).is_ok(), fits, "{algorithm}");
        let fits = Algorithm::RSA.contains(&algorithm);
        assert_eq!(VerifyingKey::from_jwk(algorithm, &bare).is_ok(), fits, "{algorithm}");
    }
}

#[test]
fn what_serde_writes_parses_back() {
    for json in [
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}","kid":"a\"b","alg":"EdDSA"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}"}}"#),
        format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB","alg":"PS512"}}"#),
    ] {
        let jwk = Jwk::parse(&json).expect("parse");
        let written = serde_json::to_string(&jwk).expect("serialise");
        assert_eq!(Jwk::parse(&written).expect("parse again"), jwk);
    }
}

#[test]
fn unusable_keys_say_why() {
    let okp = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}"{more}}}"#);
    let long_kid = "k".repeat(257);
    let cases: Vec<(String, KeyError)> = vec![
        ("{}".into(), KeyError::Malformed("no `kty`")),
        ("[]".into(), KeyError::Malformed("not a JSON object")),
        (r#"{"kty":"PQC"}"#.into(), KeyError::Unsupported("unknown `kty`")),
        (r#"{"kty":"oct","k":"AAAA"}"#.into(), KeyError::NotPublic),
        (r#"{"kty":"oct","k":7}"#.into(), KeyError::NotPublic),
        (okp(r#","d":"AAAA""#), KeyError::NotPublic),
        (okp(r#","use":"enc""#), KeyError::Unsupported("`use` is not `sig`")),
        (okp(r#","key_ops":["sign"]"#), KeyError::Unsupported("`key_ops` does not allow it")),
        (okp(r#","key_ops":["verify","verify"]"#), KeyError::Malformed("`key_ops` repeats an operation")),
        (okp(r#","key_ops":"verify""#), KeyError::Malformed("a member has the wrong type")),
        (okp(r#","alg":"RS256""#), KeyError::WrongAlgorithm),
        (okp(r#","alg":"none""#), KeyError::Unsupported("`alg` is unknown")),
        (okp(r#","kid":1"#), KeyError::Malformed("a member has the wrong type")),
        (okp(r#","kid":"""#), KeyError::Malformed("`kid` is empty, too long or has control characters")),
        (
            okp(&format!(r#","kid":"{long_kid}""#)),
            KeyError::Malformed("`kid` is empty, too long or has control characters"),
        ),
        (okp(r#","kty":"OKP""#), KeyError::Malformed("a member stands twice")),
        (r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#.into(), KeyError::Unsupported("unknown `crv`")),
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.into(),
            KeyError::Malformed("an Ed25519 public key has 32 octets"),
        ),
        (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}="}}"#), KeyError::Malformed("not canonical base64url")),
        (
            format!(r#"{{"kty":"EC","crv":"P-192","x":"{P256_X}","y":"{P256_Y}"}}"#),
            KeyError::Unsupported("unknown `crv`"),
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-521","x":"{P256_X}","y":"{P256_Y}"}}"#),
            KeyError::Malformed("a coordinate has the wrong length"),
        ),
        (
            format!(r#"{{"kty":"EC","crv":"secp256k1","alg":"ES256","x":"{P256_X}","y":"{P256_Y}"}}"#),
            KeyError::WrongAlgorithm,
        ),
        (r#"{"kty":"AKP","pub":"AAAA"}"#.into(), KeyError::Malformed("no `alg`")),
        (r#"{"kty":"AKP","alg":"ML-DSA-44"}"#.into(), KeyError::Malformed("no `pub`")),
        (r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","priv":"AAAA"}"#.into(), KeyError::NotPublic),
        (
            r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}"#.into(),
            KeyError::Malformed("the ML-DSA public key has the wrong length"),
        ),
        (r#"{"kty":"AKP","alg":"ML-DSA","pub":"AAAA"}"#.into(), KeyError::Unsupported("`alg` is unknown")),
        (r#"{"kty":"AKP","alg":"ES256","pub":"AAAA"}"#.into(), KeyError::WrongAlgorithm),
        (
            format!(r#"{{"kty":"EC","crv":"P-384","x":"{P256_X}","y":"{P256_Y}"}}"#),
            KeyError::Malformed("a coordinate has the wrong length"),
        ),
        (format!(r#"{{"kty":"RSA","n":"{RSA_N}"}}"#), KeyError::Malformed("no `e`")),
        (
            format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQ"}}"#),
            KeyError::Invalid("an RSA exponent is odd and at least 3"),
        ),
        (
            format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"Ag"}}"#),
            KeyError::Invalid("an RSA exponent is odd and at least 3"),
        ),
        (
            format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, &RSA_N[..168]),
            KeyError::Weak("the RSA modulus is too short"),
        ),
        (
            format!(r#"{{"kty":"RSA","n":"{}A","e":"AQAB"}}"#, &RSA_N[..RSA_N.len() - 1]),
            KeyError::Invalid("an RSA modulus is odd"),
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(reason(&json), expected, "{json}");
    }
}

#[test]
fn ed25519_keys_that_prove_nothing_are_refused() {
    const WEAK: KeyError = KeyError::Weak("the Ed25519 point has a small order");
    const OTHER_SPELLING: KeyError = KeyError::Invalid("the Ed25519 point is not canonical");
    let octets = |first: u8, rest: u8, last: u8| {
        let mut key = [rest; 32];
        key[0] = first;
        key[31] = last;
        key
    };
    // The prime 2²⁵⁵ − 19 is `ed ff … ff 7f` in this order of octets.
    let cases = [
        (octets(1, 0, 0), WEAK),
        (octets(0, 0, 0), WEAK),
        (octets(0, 0, 0x80), WEAK),
        (octets(0xec, 0xff, 0x7f), WEAK),
        (octets(1, 0, 0x80), OTHER_SPELLING),
        (octets(0xed, 0xff, 0x7f), OTHER_SPELLING),
        (octets(0xee, 0xff, 0x7f), OTHER_SPELLING),
        (octets(0xee, 0xff, 0xff), OTHER_SPELLING),
    ];
    for (key, expected) in cases {
        assert_eq!(ed25519_material(&key), Err(expected), "{key:02x?}");
    }
    assert!(ed25519_material(&octets(2, 0, 0)).is_ok(), "no point at all verifies nothing, and is nobody's weakness");
    // The two points of order 8 with an even x, and their negatives.
    for key in [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let mut key: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).expect("hexadecimal")).collect();
        assert_eq!(ed25519_material(&key), Err(WEAK));
        key[31] |= 0x80;
        assert_eq!(ed25519_material(&key), Err(WEAK));
    }
}

#[test]
fn one_bad_key_does_not_cost_the_others() {
    let set = JwkSet::parse(&format!(
        r#"{{"keys":[{{"kty":"RSA"}}, {{"kty":"OKP","crv":"Ed25519","x":"{ED}"}}, 7, {{"kty":"oct","k":"AA"}}],"more":1}}"#
    ))
    .expect("a set");
    assert_eq!(set.keys().len(), 1);
    let places: Vec<_> = set.quarantined().iter().map(|key| key.index).collect();
    assert_eq!(places, [0, 2, 3]);
}

#[test]
fn what_is_no_set_is_refused_whole() {
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; MAX_KEYS + 1].join(","));
    let many_and_not_json = format!(r#"{{"keys":[{}"#, "0,".repeat(MAX_KEYS + 2));
    for (json, why) in [
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "no member `keys`"),
        (r#"{"keys":{}}"#, "`keys` is not an array"),
        (r#"{"keys":null}"#, "`keys` is not an array"),
        (r#"{"keys":[],"keys":[]}"#, "a member stands twice"),
        (r#"{"keys":[]"#, "not a JSON object"),
        (r#"{"keys":[]}x"#, "not a JSON object"),
        (&many, "too many keys"),
        (&many_and_not_json, "too many keys"), // what follows is not read
    ] {
        assert_eq!(JwkSet::parse(json).err(), Some(KeyError::Malformed(why)), "{json}");
    }
}

#[test]
fn a_set_that_could_not_be_read_back_is_not_written() {
    let key = Jwk::parse(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}"}}"#)).expect("RFC 8037");
    let written = |keys| serde_json::to_string(&std::iter::repeat_n(key.clone(), keys).collect::<JwkSet>());
    let most = written(MAX_KEYS).expect("a set");
    assert_eq!(JwkSet::parse(&most).expect("our own").keys().len(), MAX_KEYS);
    assert!(written(MAX_KEYS + 1).is_err());
}
