use super::*;
use crate::header::header_for;
use countersign::SigningKey;
use countersign::keys::KeyError;
use serde_json::json;

#[test]
fn algorithms_come_back_as_they_went_or_not_at_all() {
    let mut there = Vec::new();
    for &algorithm in Algorithm::ALL {
        match algorithm.to_jsonwebtoken() {
            Ok(other) => {
                assert_eq!(other.to_countersign(), Ok(algorithm));
                assert_eq!(format!("{other:?}"), algorithm.name());
                there.push(algorithm);
            }
            Err(error) => assert!(matches!(error, ConversionError::NoCounterpart(_)), "{algorithm}: {error}"),
        }
    }
    assert_eq!(there.len(), 12);
    assert!(!there.contains(&Algorithm::Ed25519), "a token would get another `alg`");
}

const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn theirs(key: serde_json::Value) -> theirs::jwk::Jwk {
    serde_json::from_value(key).expect("jsonwebtoken reads it")
}

#[test]
fn public_keys_come_back_as_they_went() {
    let keys = [
        json!({"kty":"OKP","crv":"Ed25519","x":ED25519,"use":"sig"}),
        json!({"kty":"OKP","crv":"Ed25519","x":ED25519,"kid":"a","alg":"EdDSA","use":"sig"}),
        json!({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","alg":"ES256","kid":"b","use":"sig"}),
    ];
    for key in &keys {
        let jwk = theirs(key.clone());
        let ours = jwk.to_countersign().expect("a public key");
        assert_eq!(ours.to_jsonwebtoken().as_ref(), Ok(&jwk));
        assert_eq!(serde_json::to_value(&ours).expect("JSON"), *key);
    }
    let set = theirs::jwk::JwkSet { keys: keys.into_iter().map(theirs).collect() };
    let ours = set.to_countersign().expect("a set");
    assert_eq!(ours.keys().len(), 3);
    assert_eq!(ours.to_jsonwebtoken(), Ok(set));
}

#[test]
fn what_a_key_would_lose_is_an_error() {
    let certificate = theirs(json!({"kty":"OKP","crv":"Ed25519","x":ED25519,"x5t":"AAAA"}));
    assert_eq!(certificate.to_countersign(), Err(CERTIFICATES));
    assert!(jwk_without_certificates(&certificate).is_ok());
    let set = theirs::jwk::JwkSet { keys: vec![certificate] };
    assert_eq!(set.to_countersign().map(drop), Err(CERTIFICATES));
    assert_eq!(jwk_set_without_certificates(&set).expect("a set").keys().len(), 1);

    let cases = [
        (json!({"kty":"oct","k":"c2VjcmV0"}), KeyError::NotPublic),
        (json!({"kty":"OKP","crv":"Ed25519","x":ED25519,"use":"enc"}), KeyError::Unsupported("`use` is not `sig`")),
        (json!({"kty":"OKP","crv":"Ed25519","x":ED25519,"alg":"ES256K"}), KeyError::Unsupported("`alg` is unknown")),
        (json!({"kty":"OKP","crv":"Ed25519","x":ED25519,"alg":"ES256"}), KeyError::WrongAlgorithm),
        (json!({"kty":"elsewhere","d":"AAAA"}), KeyError::NotPublic),
    ];
    for (key, reason) in cases {
        let jwk = theirs(key.clone());
        assert_eq!(jwk.to_countersign(), Err(ConversionError::Key(reason)), "{key}");
        let set = theirs::jwk::JwkSet { keys: vec![jwk] }.to_countersign().expect("a set");
        assert_eq!(set.quarantined()[0].reason, reason, "set aside, not dropped: {key}");
        assert!(matches!(set.to_jsonwebtoken(), Err(ConversionError::Loss(_))), "{key}");
    }
}

#[test]
fn keys_that_jsonwebtoken_has_not_are_refused() {
    let x = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for key in [
        json!({"kty":"OKP","crv":"Ed25519","x":ED25519,"alg":"Ed25519"}),
        json!({"kty":"EC","crv":"secp256k1","x":x,"y":x}),
        json!({"kty":"EC","crv":"secp256k1","x":x,"y":x,"alg":"ES256K"}),
        json!({"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA".repeat(437) + "AA"}),
    ] {
        let jwk = Jwk::parse(&key.to_string()).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(matches!(jwk.to_jsonwebtoken(), Err(ConversionError::NoCounterpart(_))), "{key}");
    }
}

/// A key to make headers for, on any backend that is there.
fn key() -> Option<SigningKey> {
    #[cfg(feature = "ring")]
    let backend = countersign::crypto::Ring;
    #[cfg(all(feature = "rust_crypto", not(feature = "ring")))]
    let backend = crate::ProviderBackend::RUST_CRYPTO;
    #[cfg(any(feature = "ring", feature = "rust_crypto"))]
    {
        let jwk = r#"{"kty":"oct","k":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}"#;
        let key = SigningKey::from_jwk_with(&backend, Algorithm::HS256, jwk).expect("a secret");
        Some(key.with_key_id("a").expect("a kid"))
    }
    #[cfg(not(any(feature = "ring", feature = "rust_crypto")))]
    None
}

#[test]
fn headers_come_back_as_they_went_or_not_at_all() {
    let Some(key) = key() else { return };
    let taken = [
        json!({"alg":"HS256"}),
        json!({"alg":"HS256","typ":"JWT","kid":"a","cty":"json"}),
        json!({"alg":"HS256","nonce":"n","url":"u","own":{"a":[1,2]}}),
        json!({"alg":"HS256","crit":["exp-1"],"exp-1":1,"x5t":"AAAA"}),
    ];
    for header in taken {
        let there: theirs::Header = serde_json::from_value(header.clone()).expect("jsonwebtoken reads it");
        let ours = header_for(&key, &there).unwrap_or_else(|error| panic!("{header}: {error}"));
        assert_eq!(serde_json::to_value(&ours).expect("JSON"), header);
        assert_eq!(ours.to_jsonwebtoken(), Ok(there));
    }
    let refused = [
        json!({"alg":"HS384"}),
        json!({"alg":"HS256","kid":"b"}),
        json!({"alg":"HS256","crit":[]}),
        json!({"alg":"HS256","crit":["absent"]}),
        json!({"alg":"HS256","crit":["kid"],"kid":"a"}),
        json!({"alg":"HS256","crit":["url"],"url":"u","b64":false}),
        json!({"alg":"HS256","b64":false}),
    ];
    for header in refused {
        let there: theirs::Header = serde_json::from_value(header.clone()).expect("jsonwebtoken reads it");
        assert!(matches!(header_for(&key, &there), Err(ConversionError::Misfit(_))), "{header}");
    }
    let other_type = countersign::jws::Header::new(&key).with("x5t", json!(1)).expect("a member");
    assert!(matches!(other_type.to_jsonwebtoken(), Err(ConversionError::NoCounterpart(_))));
    let null = countersign::jws::Header::new(&key).with("x5t", json!(null)).expect("a member");
    assert!(matches!(null.to_jsonwebtoken(), Err(ConversionError::Loss(_))));
}
