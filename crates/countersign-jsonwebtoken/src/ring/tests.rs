use super::*;
use crate::convert::ToJsonwebtoken;
use jsonwebtoken::AlgorithmFamily;

const RSA: &str = include_str!("../../../../examples/src/quickstart/demo-rsa.pem");

fn pair(algorithm: theirs::Algorithm) -> (EncodingKey, DecodingKey) {
    let ours = algorithm.to_countersign().expect("ours");
    let key = match algorithm.family() {
        AlgorithmFamily::Hmac => return (EncodingKey::from_secret(&[7; 64]), DecodingKey::from_secret(&[7; 64])),
        AlgorithmFamily::Rsa => SigningKey::from_pem(ours, RSA).expect("RSA"),
        _ => SigningKey::generate(ours).expect("generate"),
    };
    (
        key.to_jsonwebtoken().expect("a private key").key,
        key.verifying_key().to_jsonwebtoken().expect("a public key").key,
    )
}

fn families() -> [AlgorithmFamily; 4] {
    [AlgorithmFamily::Hmac, AlgorithmFamily::Rsa, AlgorithmFamily::Ec, AlgorithmFamily::Ed]
}

#[test]
fn every_algorithm_is_signed_and_verified() {
    let mut seen = 0;
    for algorithm in families().iter().flat_map(AlgorithmFamily::algorithms) {
        let (encoding, decoding) = pair(*algorithm);
        let signer = (RING.signer_factory)(algorithm, &encoding).expect("a signer");
        let verifier = (RING.verifier_factory)(algorithm, &decoding).expect("a verifier");
        assert_eq!((signer.algorithm(), verifier.algorithm()), (*algorithm, *algorithm));
        let mut signature = signer.try_sign(b"m").expect("sign");
        assert!(verifier.verify(b"m", &signature).is_ok(), "{algorithm:?}");
        assert!(verifier.verify(b"n", &signature).is_err(), "{algorithm:?}");
        signature[3] ^= 1;
        assert!(verifier.verify(b"m", &signature).is_err(), "{algorithm:?}");
        seen += 1;
    }
    assert_eq!(seen, 12);
}

#[test]
fn keys_of_another_family_and_weak_ones_are_refused_with_the_reason() {
    for algorithm in families().iter().flat_map(AlgorithmFamily::algorithms) {
        for other in families().iter().filter(|family| **family != algorithm.family()) {
            let (encoding, decoding) = pair(other.algorithms()[0]);
            assert!((RING.signer_factory)(algorithm, &encoding).is_err(), "{algorithm:?} by {other:?}");
            assert!((RING.verifier_factory)(algorithm, &decoding).is_err(), "{algorithm:?} by {other:?}");
        }
    }
    let Err(refused) = (RING.verifier_factory)(&theirs::Algorithm::HS256, &DecodingKey::from_secret(b"secret")) else {
        panic!("a short secret")
    };
    assert!(matches!(refused.kind(), ErrorKind::Provider(reason) if reason.contains("too weak")), "{refused}");
}

#[test]
fn what_it_tells_of_keys_is_what_the_keys_say() {
    let utils = &RING.key_utils;
    for algorithm in [theirs::Algorithm::ES256, theirs::Algorithm::ES384] {
        let (encoding, decoding) = pair(algorithm);
        let (_, x, y) = (utils.ec_pub_components_from_private_key)(encoding.as_bytes(), algorithm).expect("a point");
        assert_eq!([&[4][..], &x, &y].concat(), decoding.try_get_as_bytes().expect("a point"));
        assert!((utils.ec_pub_components_from_private_key)(b"", algorithm).is_err());
    }
    let (encoding, decoding) = pair(theirs::Algorithm::EdDSA);
    let x = (utils.ed_pub_components_from_private_key)(encoding.as_bytes(), &EllipticCurve::Ed25519).expect("a key");
    assert_eq!(x, decoding.try_get_as_bytes().expect("a key"));
    assert!((utils.ed_pub_components_from_private_key)(encoding.as_bytes(), &EllipticCurve::P256).is_err());
    let (encoding, _) = pair(theirs::Algorithm::RS256);
    let (n, e) = (utils.rsa_pub_components_from_private_key)(encoding.as_bytes()).expect("a key");
    assert_eq!((n.len(), &e[..]), (256, &[1, 0, 1][..]));
    let public =
        SigningKey::from_pem(Algorithm::RS256, RSA).expect("RSA").verifying_key().to_pkcs1_der().expect("PKCS#1");
    assert_eq!((utils.rsa_pub_components_from_public_key)(&public).expect("a key"), (n, e));
    assert!((utils.rsa_pub_components_from_public_key)(encoding.as_bytes()).is_err(), "a private key is no public one");
    assert_eq!((utils.compute_digest)(b"abc", ThumbprintHash::SHA384).expect("a digest").len(), 48);
}

/// What the page on moving says of errors: both libraries refuse, each by its name.
#[test]
fn a_token_is_refused_by_both_for_the_reasons_that_the_page_names() {
    use countersign::JwtVerifier;
    use countersign::reason::Rejection;
    use countersign::request::Credential;
    use countersign::verify::{TokenVerifier, VerifyError};
    use jsonwebtoken::{Header, Validation, decode, encode};
    use serde_json::{Value, json};

    // What another test has installed is this one, too.
    let _ = RING.install_default();
    let (encoding, decoding) = pair(theirs::Algorithm::HS256);
    let mut validation = Validation::new(theirs::Algorithm::HS256);
    validation.set_issuer(&["a"]);
    validation.set_audience(&["b"]);
    validation.sub = Some("c".into());
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 64]).expect("a secret");
    let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("a").audience("b").subject("c");
    let verifier = verifier.build().expect("a verifier");

    let token = |alg, changes: Value| {
        let mut claims = json!({"iss": "a", "aud": "b", "sub": "c", "exp": 4_102_444_800_u64});
        for (name, value) in changes.as_object().expect("claims") {
            match value {
                Value::Null => claims.as_object_mut().expect("claims").remove(name),
                value => claims.as_object_mut().expect("claims").insert(name.clone(), value.clone()),
            };
        }
        encode(&Header::new(alg), &claims, &encoding).expect("a token")
    };
    let hs256 = |changes| token(theirs::Algorithm::HS256, changes);
    let good = hs256(json!({}));
    let late = 4_102_444_799_u64;
    let cases = [
        (hs256(json!({"exp": 1})), "ExpiredSignature", Rejection::Expired),
        (hs256(json!({"nbf": late})), "ImmatureSignature", Rejection::NotYetValid),
        (hs256(json!({"iss": "x"})), "InvalidIssuer", Rejection::Issuer),
        (hs256(json!({"aud": "x"})), "InvalidAudience", Rejection::Audience),
        (hs256(json!({"sub": "x"})), "InvalidSubject", Rejection::Subject),
        (hs256(json!({"exp": null})), "MissingRequiredClaim", Rejection::MissingClaim),
        (hs256(json!({"iss": null})), "MissingRequiredClaim", Rejection::Issuer),
        (hs256(json!({"aud": null})), "MissingRequiredClaim", Rejection::Audience),
        (hs256(json!({"sub": null})), "MissingRequiredClaim", Rejection::Subject),
        (hs256(json!({"exp": "1"})), "MissingRequiredClaim", Rejection::InvalidClaim),
        (hs256(json!({"nbf": "1"})), "InvalidClaimFormat", Rejection::InvalidClaim),
        (token(theirs::Algorithm::HS384, json!({})), "InvalidAlgorithm", Rejection::Algorithm),
        (format!("{}A", &good[..good.len() - 1]), "InvalidSignature", Rejection::Signature),
        (format!("{good}="), "Base64", Rejection::Padding),
        (format!("{good}*"), "Base64", Rejection::Malformed),
        ("a.b".to_owned(), "InvalidToken", Rejection::Malformed),
        (format!("e30{}", &good[good.find('.').expect("a dot")..]), "Json", Rejection::Malformed),
    ];
    let ours = |token: &str| verifier.verify_now(&Credential::new("Bearer", token)).expect("a key in memory");
    assert!(decode::<Value>(&good, &decoding, &validation).is_ok() && ours(&good).is_ok());
    for (token, kind, rejection) in cases {
        let theirs = decode::<Value>(&token, &decoding, &validation).expect_err(kind);
        assert!(format!("{:?}", theirs.kind()).starts_with(kind), "{:?} is no {kind}", theirs.kind());
        match ours(&token) {
            Err(VerifyError::Rejected(found)) => assert_eq!(found, rejection, "{kind}"),
            other => panic!("{kind}: {other:?}"),
        }
    }
}
