use super::*;
use countersign::crypto::Ring;

const RSA: &str = include_str!("../../../../examples/src/quickstart/demo-rsa.pem");

fn keys() -> Vec<SigningKey> {
    let algorithms = [Algorithm::RS256, Algorithm::PS512, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    let key = |algorithm: Algorithm| match algorithm {
        Algorithm::RS256 | Algorithm::PS512 => SigningKey::from_pem(algorithm, RSA),
        _ => SigningKey::generate(algorithm),
    };
    algorithms.map(|algorithm| key(algorithm).expect("a key").with_key_id("a").expect("a kid")).into()
}

#[test]
fn keys_come_back_as_they_went() {
    for key in keys() {
        let encoding = key.to_jsonwebtoken().expect("a private key");
        assert_eq!(encoding.header.kid.as_deref(), Some("a"));
        let back = signing_key(key.algorithm(), &encoding.key).expect("our own");
        assert_eq!(back.verifying_key().identity(), key.verifying_key().identity());

        let decoding = key.verifying_key().to_jsonwebtoken().expect("a public key");
        assert_eq!((decoding.algorithm, decoding.key_id.as_deref()), (encoding.header.alg, Some("a")));
        let back = verifying_key(key.algorithm(), &decoding.key).expect("our own");
        assert_eq!(back.identity(), key.verifying_key().identity());
    }
}

#[test]
fn a_key_serves_the_algorithms_of_its_family_and_kind_alone() {
    for key in keys() {
        let encoding = key.to_jsonwebtoken().expect("a private key").key;
        let decoding = key.verifying_key().to_jsonwebtoken().expect("a public key").key;
        for &asked in Algorithm::ALL {
            let fits = asked.is_same_as(key.algorithm())
                || [asked, key.algorithm()].iter().all(|one| one.name().starts_with(['R', 'P']));
            assert_eq!(signing_key(asked, &encoding).is_ok(), fits, "{} as {asked}", key.algorithm());
            assert_eq!(verifying_key(asked, &decoding).is_ok(), fits, "{} as {asked}", key.algorithm());
            if let Err(none) = signature_of(asked) {
                assert_eq!(signing_key(asked, &encoding).map(drop), Err(none), "{} as {asked}", key.algorithm());
                assert_eq!(verifying_key(asked, &decoding).map(drop), Err(none), "{} as {asked}", key.algorithm());
            }
        }
    }
}

#[test]
fn secrets_come_in_by_our_rules_and_do_not_go_out() {
    let good = EncodingKey::from_secret(&[7; 64]);
    let key = signing_key(Algorithm::HS256, &good).expect("a secret");
    let same = verifying_key(Algorithm::HS256, &DecodingKey::from_secret(&[7; 64])).expect("a secret");
    assert_eq!(same.identity(), key.verifying_key().identity());
    let out = ConversionError::Key(KeyError::Unsupported("a secret is not given out"));
    assert_eq!(key.to_jsonwebtoken().map(drop), Err(out));
    assert!(matches!(same.to_jsonwebtoken(), Err(ConversionError::Key(KeyError::Unsupported(_)))));
    for bad in [b"secret".as_slice(), b"", RSA.as_bytes()] {
        assert!(matches!(signing_key(Algorithm::HS256, &EncodingKey::from_secret(bad)), Err(ConversionError::Key(_))));
        assert!(matches!(
            verifying_key(Algorithm::HS256, &DecodingKey::from_secret(bad)),
            Err(ConversionError::Key(_))
        ));
    }
    assert!(verifying_key(Algorithm::RS256, &DecodingKey::from_secret(&[7; 64])).is_err());
}

/// jsonwebtoken takes any octets for a public key, and finds out when it verifies.
#[test]
fn private_keys_and_nonsense_become_no_public_key() {
    for key in keys() {
        let encoding = key.to_jsonwebtoken().expect("a private key").key;
        for octets in [encoding.as_bytes(), b"", &[4; 65], &[0; 32], &[0x30; 80]] {
            let claimed = match encoding.family() {
                AlgorithmFamily::Rsa => DecodingKey::from_rsa_der(octets),
                AlgorithmFamily::Ec => DecodingKey::from_ec_der(octets),
                _ => DecodingKey::from_ed_der(octets),
            };
            let refused = verifying_key(key.algorithm(), &claimed);
            assert!(matches!(refused, Err(ConversionError::Key(_))), "{}: {refused:?}", key.algorithm());
        }
    }
}

/// In the forms that its own constructors leave.
#[test]
fn public_keys_are_read_in_every_form_that_jsonwebtoken_has() {
    for key in keys() {
        let public = key.verifying_key();
        let spki = public.to_spki_der().expect("SPKI");
        let read = match key.algorithm() {
            Algorithm::RS256 | Algorithm::PS512 => {
                vec![
                    DecodingKey::from_rsa_der(&spki),
                    DecodingKey::from_rsa_der(&public.to_pkcs1_der().expect("PKCS#1")),
                ]
            }
            Algorithm::EdDSA => vec![DecodingKey::from_ed_der(&spki)],
            _ => vec![DecodingKey::from_ec_der(&spki)],
        };
        let jwk = public.jwk().expect("public").to_jsonwebtoken().expect("a JWK");
        for claimed in read.iter().chain([&DecodingKey::from_jwk(&jwk).expect("a key")]) {
            let read = verifying_key_with(&Ring, key.algorithm(), claimed).expect("a public key");
            assert_eq!(read.identity(), public.identity());
        }
    }
}
