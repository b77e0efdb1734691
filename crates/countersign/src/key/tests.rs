use super::*;

const HAS_AWS_LC: bool = cfg!(feature = "aws-lc");
/// What ring generates.
const IN_RING: [Algorithm; 4] = [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::Ed25519];

#[test]
fn a_generated_key_signs_for_its_own_algorithm_alone() {
    for &algorithm in Algorithm::ALL.iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let key = match SigningKey::generate(algorithm) {
            Err(KeyError::Unsupported(_)) if !HAS_AWS_LC && !IN_RING.contains(&algorithm) => continue,
            generated => generated.expect("generate"),
        };
        let signature = key.sign(b"m").expect("sign");
        assert!(key.verifying_key().verify(b"m", &signature).is_ok(), "{algorithm}");
        let jwk = key.verifying_key().jwk().expect("a public key");
        for &other in Algorithm::ALL {
            assert_eq!(
                VerifyingKey::from_jwk(other, &jwk).is_ok(),
                other.is_same_as(algorithm),
                "{algorithm} as {other}"
            );
        }
    }
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
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY",
        "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5",
        "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20",
        " {\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb\"}",
        "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb",
        "{\"k\\u0074y\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb\"}",
        "\u{feff}{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb\"}",
        " \u{feff} ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7",
        "[{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb\"}]",
        "{\"keys\":[{\"k\\u0074y\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb\"}]}\n",
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQABAAABgQC7\n---- END SSH2 PUBLIC KEY ----",
    ] {
        let error = VerifyingKey::from_secret(Algorithm::HS256, text).err();
        assert_eq!(error, Some(KeyError::Invalid("the secret is the text of a key")), "{text}");
    }
    for text in [
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
        "\u{feff}correct horse battery staple 0123456789",
        "sk-live-correct-horse-battery-staple",
        "sk-proj-correct-horse-battery-staple",
        "{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{",
    ] {
        assert!(VerifyingKey::from_secret(Algorithm::HS256, text).is_ok(), "{text}");
    }
}

#[test]
fn what_a_secret_may_do_stands_in_its_jwk() {
    let jwk = |more: &str| format!(r#"{{"kty":"oct","k":"{}"{more}}}"#, crate::base64url::encode(&[7; 64]));
    let cases = [
        ("", true, true),
        (r#","key_ops":["verify"]"#, true, false),
        (r#","key_ops":["sign"]"#, false, true),
        (r#","key_ops":["sign","verify"]"#, true, true),
        (r#","key_ops":["encrypt"]"#, false, false),
        (r#","use":"enc""#, false, false),
        (r#","alg":"HS256""#, true, true),
        (r#","alg":"HS512""#, false, false),
    ];
    for (more, verifies, signs) in cases {
        let verifying = VerifyingKey::from_secret_jwk(Algorithm::HS256, &jwk(more));
        assert_eq!(verifying.is_ok(), verifies, "{more}: {verifying:?}");
        assert_eq!(SigningKey::from_jwk(Algorithm::HS256, &jwk(more)).is_ok(), signs, "{more}");
    }
    let error = |json: &str| VerifyingKey::from_secret_jwk(Algorithm::HS256, json).err();
    assert!(matches!(error(r#"{"kty":"oct","k":"AAAA"}"#), Some(KeyError::Weak(_))));
    let pair = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
    assert_eq!(error(pair), Some(KeyError::WrongAlgorithm));
}

#[test]
fn a_point_off_its_curve_is_refused() {
    let key = SigningKey::generate(Algorithm::ES256).expect("generate");
    let Some(PublicMaterial::Ec { curve, mut point }) = key.verifying_key().0.public.clone() else {
        panic!("an EC key")
    };
    point[64] ^= 1;
    let off = Jwk::from_parts(None, None, PublicMaterial::Ec { curve, point });
    let error = VerifyingKey::from_jwk(Algorithm::ES256, &off).err();
    assert_eq!(error, Some(KeyError::Invalid("the point is not on its curve")));
}

#[test]
fn what_has_no_public_or_private_half_cannot_be_written() {
    fn writing_fails<T>(outcomes: impl IntoIterator<Item = Result<T, KeyError>>) -> bool {
        outcomes.into_iter().all(|outcome| matches!(outcome, Err(KeyError::Unsupported(_))))
    }
    let secret = SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret");
    let short = crate::danger::short_secret(Algorithm::HS256, [7; 16]).expect("named");
    for key in [secret, short] {
        assert!(writing_fails([key.to_pkcs8_der(), key.to_pkcs1_der(), key.to_sec1_der()]));
        assert!(writing_fails([key.to_pkcs8_pem(), key.to_pkcs1_pem(), key.to_sec1_pem()]));
        let public = key.verifying_key();
        assert!(writing_fails([public.to_spki_der(), public.to_pkcs1_der()]));
        assert!(writing_fails([public.to_spki_pem(), public.to_pkcs1_pem()]));
    }
    let edwards = SigningKey::generate(Algorithm::EdDSA).expect("generate");
    let verifier = Arc::clone(&edwards.verifying_key().0.verifier);
    #[derive(Debug)]
    struct Elsewhere(Arc<dyn SignatureVerifier>);
    impl SignatureVerifier for Elsewhere {
        fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
            self.0.verify(message, signature)
        }
    }
    let elsewhere = VerifyingKey::custom(Algorithm::EdDSA, [0; 32], Elsewhere(verifier));
    assert!(writing_fails([elsewhere.to_spki_der()]));
    assert!(writing_fails([edwards.to_pkcs1_der(), edwards.to_sec1_der()]));
    assert!(writing_fails([edwards.verifying_key().to_pkcs1_der()]));
    let curve = SigningKey::generate(Algorithm::ES256).expect("generate");
    assert!(writing_fails([curve.to_pkcs1_der()]) && curve.to_sec1_der().is_ok());
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

/// Self-signed, for CN=test on P-256.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUOkw5ixhAvapsxDdY9MaY5lxTSgQwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIwNjM4NTBaGA8yMTI2MTAyOTA2Mzg1
MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJxM
zFA8QjkrwaT5jldMOcXUh7Qox5p/qnHjvbFthNpgTTrLPuSLlhun2M/zfkPm78lt
6SZ558fYYxPAoyidq4ijUzBRMB0GA1UdDgQWBBS3KWOmdA9jMXgXUxUJy/j6T+2v
zDAfBgNVHSMEGDAWgBS3KWOmdA9jMXgXUxUJy/j6T+2vzDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQCSCd5J/C5w5+oim//UTi70+nBAYqL+H8rw
1HcbWKx5EgIgCMzsUlz3iQGuJjl5zhJVktsLXL2sLMJczkNd8vSYI58=
-----END CERTIFICATE-----
";
const CERTIFIED_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnEzMUDxCOSvBpPmOV0w5xdSHtCjH
mn+qceO9sW2E2mBNOss+5IuWG6fYz/N+Q+bvyW3pJnnnx9hjE8CjKJ2riA==
-----END PUBLIC KEY-----
";

#[test]
fn a_certificate_gives_its_key() {
    let expected = VerifyingKey::from_pem(Algorithm::ES256, CERTIFIED_KEY).expect("a key").identity();
    let key = VerifyingKey::from_certificate(Algorithm::ES256, CERTIFICATE).expect("a certificate");
    assert_eq!(key.identity(), expected);
    let error = VerifyingKey::from_certificate(Algorithm::RS256, CERTIFICATE).err();
    assert_eq!(error, Some(KeyError::WrongAlgorithm));
    for other in ["", "garbage", CERTIFIED_KEY, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
        assert!(VerifyingKey::from_certificate(Algorithm::ES256, other).is_err(), "{other}");
    }
    assert!(VerifyingKey::from_pem(Algorithm::ES256, CERTIFICATE).is_err(), "a certificate is asked for by name");
}

#[test]
fn of_a_chain_the_first_certificate_gives_the_key_and_text_is_skipped() {
    let expected = VerifyingKey::from_pem(Algorithm::ES256, CERTIFIED_KEY).expect("a key").identity();
    let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let explained = format!("Certificate:\n  Subject: CN = -----BEGIN CERTIFICATE-----\n{CERTIFICATE}");
    let marked = format!("\u{feff}{CERTIFICATE}");
    for file in [format!("{CERTIFICATE}{other}"), explained, CERTIFICATE.replace('\n', "\r\n"), marked] {
        let key = VerifyingKey::from_certificate(Algorithm::ES256, &file).expect(&file);
        assert_eq!(key.identity(), expected, "{file}");
    }
    for file in [format!("{other}{CERTIFICATE}"), format!("{CERTIFIED_KEY}{CERTIFICATE}")] {
        assert!(VerifyingKey::from_certificate(Algorithm::ES256, &file).is_err(), "{file}");
    }
}

#[test]
fn a_file_with_one_key_is_read_whatever_text_stands_around_it() {
    let expected = VerifyingKey::from_pem(Algorithm::ES256, CERTIFIED_KEY).expect("a key").identity();
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    for file in [
        format!("Bag Attributes\n  friendlyName: -----END\n{CERTIFIED_KEY}# the end\n"),
        format!("{parameters}{CERTIFIED_KEY}"),
        format!("\u{feff}{CERTIFIED_KEY}"),
        format!("\u{feff}{parameters}{CERTIFIED_KEY}"),
        CERTIFIED_KEY.replace('\n', "\r\n"),
        CERTIFIED_KEY.replace('\n', "\r"),
    ] {
        let key = VerifyingKey::from_pem(Algorithm::ES256, &file).expect(&file);
        assert_eq!(key.identity(), expected, "{file}");
    }
    let key = CERTIFIED_KEY;
    for file in [
        parameters.to_owned(),
        format!("{key}{key}"),
        format!("{} {key}", key.trim_end()),
        format!("{}{key}", key.trim_end()),
        format!("# {key}{key}"),
        format!("-----BEGIN EC PARAMETERS-----\n{key}{key}"),
        format!("# from -----BEGIN PUBLIC KEY----- on\n{key}"),
        format!("\u{feff}\u{feff}{key}"),
        format!("\u{feff}x{key}"),
        format!("{key}{CERTIFICATE}"),
        format!("{key}\r-----BEGIN CERTIFICATE-----"),
        format!("{}{key}", key.replace("-----END", "----- END")),
        key.replace("-----END PUBLIC KEY-----", ""),
        key.replace("END PUBLIC", "END PRIVATE"),
        format!("{parameters}x{key}"),
    ] {
        let error = VerifyingKey::from_pem(Algorithm::ES256, &file).err();
        assert_eq!(error, Some(KeyError::Malformed("not one PEM block")), "{file}");
    }
}

#[test]
fn a_document_longer_than_its_bound_is_not_read() {
    const TOO_LONG: Option<KeyError> = Some(KeyError::Malformed("the document is too long"));
    use crate::jwk::{JwkSet, MAX_KEY_BYTES, MAX_SET_BYTES};
    let padded = |text: &str, len: usize| format!("{text}{}", " ".repeat(len - text.len()));
    let key = CERTIFIED_KEY;
    assert!(VerifyingKey::from_pem(Algorithm::ES256, padded(key, MAX_KEY_BYTES)).is_ok());
    assert_eq!(VerifyingKey::from_pem(Algorithm::ES256, padded(key, MAX_KEY_BYTES + 1)).err(), TOO_LONG);
    assert!(VerifyingKey::from_certificate(Algorithm::ES256, padded(CERTIFICATE, MAX_KEY_BYTES)).is_ok());
    let error = VerifyingKey::from_certificate(Algorithm::ES256, padded(CERTIFICATE, MAX_KEY_BYTES + 1)).err();
    assert_eq!(error, TOO_LONG);
    let long = vec![0x30; MAX_KEY_BYTES + 1];
    assert_eq!(VerifyingKey::from_der(Algorithm::ES256, &long).err(), TOO_LONG);
    assert_eq!(SigningKey::from_der(Algorithm::ES256, &long).err(), TOO_LONG);
    assert_eq!(SigningKey::from_pem(Algorithm::ES256, &long).err(), TOO_LONG);
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert!(Jwk::parse(&padded(jwk, MAX_KEY_BYTES)).is_ok());
    assert_eq!(Jwk::parse(&padded(jwk, MAX_KEY_BYTES + 1)).err(), TOO_LONG);
    assert_eq!(SigningKey::from_jwk(Algorithm::EdDSA, &padded(jwk, MAX_KEY_BYTES + 1)).err(), TOO_LONG);
    let set = format!(r#"{{"keys":[{jwk}]}}"#);
    assert!(JwkSet::parse(&padded(&set, MAX_SET_BYTES)).is_ok());
    assert_eq!(JwkSet::parse(&padded(&set, MAX_SET_BYTES + 1)).err(), TOO_LONG);
    let map = serde_json::json!({ "a": CERTIFICATE }).to_string();
    assert!(JwkSet::from_certificates(&padded(&map, MAX_SET_BYTES)).is_ok());
    assert_eq!(JwkSet::from_certificates(&padded(&map, MAX_SET_BYTES + 1)).err(), TOO_LONG);
}

#[test]
fn a_map_of_certificates_is_a_set_of_keys() {
    let document = serde_json::json!({ "a": CERTIFICATE, "b": "garbage", "": CERTIFICATE }).to_string();
    let set = crate::jwk::JwkSet::from_certificates(&document).expect("a map");
    let ids: Vec<_> = set.keys().iter().map(Jwk::key_id).collect();
    assert_eq!((ids, set.quarantined().len()), (vec![Some("a")], 2));
    for other in ["", "[]", r#"{"a":7}"#, r#"{"a":"x","a":"x"}"#, r#"{"keys":[]}"#] {
        assert!(crate::jwk::JwkSet::from_certificates(other).is_err(), "{other}");
    }
}

#[test]
fn weak_keys_are_taken_by_name_alone() {
    use crate::danger;
    let short = danger::short_secret(Algorithm::HS256, [0; 16]).expect("named");
    let signature = short.sign(b"m").expect("sign");
    assert!(short.verifying_key().verify(b"m", &signature).is_ok());
    assert!(VerifyingKey::from_secret(Algorithm::HS256, [0; 16]).is_err());
    for secret in ["", "-----BEGIN PUBLIC KEY-----"] {
        assert!(matches!(danger::short_secret(Algorithm::HS256, secret), Err(KeyError::Invalid(_))), "{secret}");
    }
    assert_eq!(danger::short_secret(Algorithm::RS256, [0; 16]).err(), Some(KeyError::WrongAlgorithm));

    let modulus = crate::base64url::encode(&[&[0xc0][..], &[0x55; 126], &[0x01]].concat());
    let jwk = format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB","kid":"old"}}"#);
    assert!(matches!(Jwk::parse(&jwk), Err(KeyError::Weak(_))));
    assert_eq!(danger::small_rsa_key(Algorithm::RS256, &jwk).expect("named").key_id(), Some("old"));
    assert!(matches!(danger::small_rsa_key(Algorithm::PS256, &jwk), Err(KeyError::Unsupported(_))));
    assert_eq!(danger::small_rsa_key(Algorithm::ES256, &jwk).err(), Some(KeyError::WrongAlgorithm));
    let smaller = jwk.replace(&modulus, &modulus[4..]);
    assert!(matches!(danger::small_rsa_key(Algorithm::RS256, &smaller), Err(KeyError::Weak(_))));
}

/// RFC 9964, Appendix A: the key of the seed of zeros, and its name.
#[cfg(feature = "aws-lc")]
#[test]
fn the_key_of_rfc_9964_has_its_thumbprint() {
    use crate::crypto::AwsLc;
    let seed = |len| zeroize::Zeroizing::new(vec![0; len]);
    let material = |len, public| PrivateMaterial::Akp { algorithm: Algorithm::MlDsa44, seed: seed(len), public };
    let key = SigningKey::from_material(&AwsLc, Algorithm::MlDsa44, &material(32, None)).expect("a seed");
    let jwk = key.verifying_key().jwk().expect("a public key");
    assert_eq!(jwk.thumbprint().expect("hash").to_string(), "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o");

    let text = serde_json::to_string(&jwk).expect("JSON");
    assert_eq!(Jwk::parse(&text).expect("our own"), jwk);
    let private = text.replacen('{', &format!(r#"{{"priv":"{}","#, "A".repeat(43)), 1);
    assert_eq!(Jwk::parse(&private), Err(KeyError::NotPublic));
    let read = SigningKey::from_jwk(Algorithm::MlDsa44, &private).expect("a private key");
    assert_eq!(read.verifying_key().identity(), key.verifying_key().identity());
    assert_eq!(SigningKey::from_jwk(Algorithm::MlDsa65, &private).err(), Some(KeyError::WrongAlgorithm));
    let other = private.replacen(&"A".repeat(43), &format!("{}E", "A".repeat(42)), 1);
    let error = SigningKey::from_jwk(Algorithm::MlDsa44, &other).err();
    assert_eq!(error, Some(KeyError::Invalid("the ML-DSA private key does not fit its public key")));
    for len in [0, 31, 33, 2560] {
        let error = SigningKey::from_material(&AwsLc, Algorithm::MlDsa44, &material(len, None)).err();
        assert_eq!(error, Some(KeyError::Invalid("the octets are no ML-DSA seed")), "{len}");
    }
    // A key that claims to be of another algorithm is for none.
    let PublicMaterial::Akp { public, .. } = jwk.material().clone() else { panic!("an AKP key") };
    for algorithm in [Algorithm::HS256, Algorithm::ES256, Algorithm::MlDsa65] {
        let lie = PublicMaterial::Akp { algorithm, public: public.clone() };
        for &asked in Algorithm::ALL {
            assert!(VerifyingKey::from_material(&AwsLc, asked, lie.clone()).is_err(), "{algorithm} as {asked}");
        }
    }
}

/// The three forms of RFC 9881 §6.
#[cfg(feature = "aws-lc")]
#[test]
fn of_an_ml_dsa_private_key_the_seed_is_read() {
    let key = SigningKey::generate(Algorithm::MlDsa44).expect("generate");
    let seed_alone = key.to_pkcs8_der().expect("PKCS#8").to_vec();
    // SEQUENCE 52 (version, algorithm 11, OCTET STRING 34 ([0] 32))
    assert_eq!((seed_alone.len(), &seed_alone[18..22]), (54, &[0x04, 0x22, 0x80, 0x20][..]));
    let algorithm = &seed_alone[2..18];
    let octets = |tag: u8, value: &[u8]| {
        let len = u8::try_from(value.len()).expect("short");
        [if len < 128 { vec![tag, len] } else { vec![tag, 0x81, len] }, value.to_vec()].concat()
    };
    let wrap = |private: &[u8]| octets(0x30, &[algorithm, &octets(0x04, private)].concat());
    let seed = &seed_alone[22..];
    let (expanded, sequence) = (octets(0x04, &[9; 40]), |parts: &[u8]| octets(0x30, parts));
    let cases = [
        (octets(0x80, seed), None),
        (sequence(&[octets(0x04, seed), expanded.clone()].concat()), None),
        (expanded.clone(), Some(KeyError::Unsupported("an ML-DSA private key without its seed"))),
        (octets(0x80, &seed[1..]), Some(KeyError::Malformed("not DER of an ML-DSA private key"))),
        (sequence(&octets(0x04, seed)), Some(KeyError::Malformed("not DER of an ML-DSA private key"))),
        (
            sequence(&[octets(0x04, seed), expanded.clone(), expanded].concat()),
            Some(KeyError::Malformed("not DER of an ML-DSA private key")),
        ),
        (octets(0x81, seed), Some(KeyError::Malformed("not DER of an ML-DSA private key"))),
        (seed.to_vec(), Some(KeyError::Malformed("not DER of an ML-DSA private key"))),
    ];
    for (private, expected) in cases {
        let read = SigningKey::from_der(Algorithm::MlDsa44, &wrap(&private));
        match expected {
            None => assert_eq!(read.expect("a seed").verifying_key().identity(), key.verifying_key().identity()),
            Some(error) => assert_eq!(read.err(), Some(error), "{private:02x?}"),
        }
    }
}

#[cfg(feature = "aws-lc")]
#[test]
fn a_backend_that_is_certified_is_not_what_is_linked_here() {
    assert_eq!(crate::crypto::AwsLc::fips().expect_err("no FIPS module").setting(), "fips");
}
