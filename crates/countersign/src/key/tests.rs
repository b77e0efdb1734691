use super::*;

#[test]
fn a_generated_key_signs_for_its_own_algorithm_alone() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::Ed25519] {
        let key = SigningKey::generate(algorithm).expect("generate");
        let signature = key.sign(b"m").expect("sign");
        assert!(key.verifying_key().verify(b"m", &signature).is_ok(), "{algorithm}");
        let jwk = key.verifying_key().jwk().expect("a public key");
        for other in Algorithm::ALL {
            assert_eq!(
                VerifyingKey::from_jwk(&jwk, other).is_ok(),
                other.is_same_as(algorithm),
                "{algorithm} as {other}"
            );
        }
    }
    assert!(matches!(SigningKey::generate(Algorithm::RS256), Err(KeyError::Unsupported(_))));
    assert!(matches!(SigningKey::generate(Algorithm::HS256), Err(KeyError::Unsupported(_))));
}

#[test]
fn secrets_are_long_enough_and_no_key_text() {
    for (algorithm, len) in [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)] {
        assert!(VerifyingKey::from_secret(algorithm, vec![1; len]).is_ok());
        assert!(matches!(VerifyingKey::from_secret(algorithm, vec![1; len - 1]), Err(KeyError::Weak(_))));
    }
    assert_eq!(VerifyingKey::from_secret(Algorithm::RS256, [1; 64]).err(), Some(KeyError::WrongAlgorithm));
    for text in [
        " \n-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7",
        " {\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb\"}",
    ] {
        let error = VerifyingKey::from_secret(Algorithm::HS256, text).err();
        assert_eq!(error, Some(KeyError::Invalid("the secret is the text of a key")), "{text}");
    }
}

#[test]
fn a_point_off_its_curve_is_refused() {
    let key = SigningKey::generate(Algorithm::ES256).expect("generate");
    let Some(PublicMaterial::Ec { curve, mut point }) = key.verifying_key().0.public.clone() else {
        panic!("an EC key")
    };
    point[64] ^= 1;
    let off = Jwk::from_parts(None, None, PublicMaterial::Ec { curve, point });
    let error = VerifyingKey::from_jwk(&off, Algorithm::ES256).err();
    assert_eq!(error, Some(KeyError::Invalid("the point is not on its curve")));
}

#[test]
fn garbage_is_no_key() {
    for text in ["", "-----BEGIN", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "\u{0}\u{1}"] {
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(VerifyingKey::from_pem(algorithm, text).is_err());
            assert!(SigningKey::from_pem(algorithm, text).is_err());
            assert!(VerifyingKey::from_der(algorithm, text.as_bytes()).is_err());
            assert!(SigningKey::from_der(algorithm, text.as_bytes()).is_err());
            assert!(SigningKey::from_jwk(algorithm, text).is_err());
        }
    }
}

#[test]
fn debug_shows_neither_secrets_nor_digests() {
    let secret = "correct horse battery staple 0123456789";
    let key = SigningKey::from_secret(Algorithm::HS256, secret).expect("a secret");
    let shown = format!("{key:?} {:?} {:?}", key.verifying_key(), key.verifying_key().identity());
    assert_eq!(
        shown,
        "SigningKey { key_id: None, algorithm: HS256 } VerifyingKey { key_id: None, algorithm: HS256 } \
         KeyIdentity { algorithm: HS256, .. }"
    );
}
