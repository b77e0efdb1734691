//! The tables that the core's backends are held to, on the providers that are compiled in; and beside ring, where that is.

use super::*;
use countersign::crypto::RsaPrivate;
use countersign::secret::Secret;
use countersign::{SigningKey, VerifyingKey};
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::scalar::Scalar;
use jsonwebtoken::crypto::KeyUtils;
use proptest::prelude::*;
use std::sync::LazyLock;

const RSA_PEM: &str = include_str!("../../../../examples/src/quickstart/demo-rsa.pem");

/// RFC 6979 A.2.5: x, Ux ‖ Uy.
const P256: [&str; 2] = [
    "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
    "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
];
/// RFC 6979 A.2.6.
const P384: [&str; 2] = [
    "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
    "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC138015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720",
];
/// RFC 8032 §7.1, TEST 1.
const ED25519: [&str; 2] = [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
];

const BACKENDS: &[(&str, ProviderBackend)] = &[
    #[cfg(feature = "rust_crypto")]
    ("rust_crypto", ProviderBackend { signs_by_rsa: true, ..ProviderBackend::RUST_CRYPTO }),
    #[cfg(feature = "aws_lc_rs")]
    ("aws_lc_rs", ProviderBackend::AWS_LC_RS),
];

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal")).collect()
}

fn ec(curve: Curve, [scalar, point]: [&str; 2]) -> PrivateMaterial {
    PrivateMaterial::Ec { curve, scalar: Zeroizing::new(hex(scalar)), point: [&[4][..], &hex(point)].concat() }
}

fn private(algorithm: Algorithm) -> Option<PrivateMaterial> {
    Some(match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => PrivateMaterial::Secret(Secret::new([7; 64])),
        Algorithm::ES256 => ec(Curve::P256, P256),
        Algorithm::ES384 => ec(Curve::P384, P384),
        Algorithm::Ed25519 | Algorithm::EdDSA => {
            let public = hex(ED25519[1]).try_into().expect("32 octets");
            PrivateMaterial::Ed25519 { seed: Zeroizing::new(hex(ED25519[0])), public: Some(public) }
        }
        algorithm if RSA.contains(&algorithm) => PrivateMaterial::Rsa(Box::new(demo_rsa())),
        _ => return None,
    })
}

/// The integers of the demo key: PKCS#1 within PKCS#8, read by hand because the core keeps its reading to itself.
fn demo_rsa() -> RsaPrivate {
    let (_, backend) = BACKENDS[0];
    let key = SigningKey::from_pem_with(&backend, Algorithm::RS256, RSA_PEM).expect("the demo key");
    let der = key.to_pkcs1_der().expect("RSA");
    let mut rest = &der[4..];
    let mut integers = Vec::new();
    while let [2, len, tail @ ..] = rest {
        let (len, tail) = match *len {
            0x82 => (usize::from(tail[0]) << 8 | usize::from(tail[1]), &tail[2..]),
            0x81 => (usize::from(tail[0]), &tail[1..]),
            short => (usize::from(short), tail),
        };
        let (integer, tail) = tail.split_at(len);
        integers.push(integer.strip_prefix(&[0]).unwrap_or(integer).to_vec());
        rest = tail;
    }
    let [_, n, e, d, p, q, dp, dq, qi] = integers.try_into().expect("nine integers");
    let [d, p, q, dp, dq, qi] = [d, p, q, dp, dq, qi].map(Zeroizing::new);
    RsaPrivate { n, e, d, p, q, dp, dq, qi }
}

/// One private key for each algorithm, on each backend.
static KEYS: LazyLock<Vec<(Algorithm, Vec<SigningKey>)>> = LazyLock::new(|| {
    let keys = Algorithm::ALL.iter().filter_map(|&algorithm| {
        let material = private(algorithm)?;
        let on = |backend: &dyn Backend| SigningKey::from_material(backend, algorithm, &material).expect("a key");
        let keys = BACKENDS.iter().map(|(_, backend)| on(backend));
        #[cfg(feature = "ring")]
        let keys = keys.chain([on(&countersign::crypto::Ring)]);
        Some((algorithm, keys.collect()))
    });
    keys.collect()
});

/// What all backends say of a signature, which must be one thing.
fn verdict(keys: &[SigningKey], message: &[u8], signature: &[u8]) -> bool {
    let verdicts: Vec<_> = keys.iter().map(|key| key.verifying_key().verify(message, signature).is_ok()).collect();
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?} on {signature:02x?}");
    verdicts[0]
}

#[test]
fn every_algorithm_of_jsonwebtoken_is_there_and_no_other() {
    assert_eq!(KEYS.len(), 13, "twelve, one of them under two names");
    for (name, backend) in BACKENDS {
        for &algorithm in Algorithm::ALL.iter().filter(|algorithm| signature_of(**algorithm).is_err()) {
            let public = match algorithm {
                Algorithm::ES512 => PublicMaterial::Ec { curve: Curve::P521, point: vec![4; 133] },
                Algorithm::ES256K => PublicMaterial::Ec { curve: Curve::Secp256k1, point: vec![4; 65] },
                _ => PublicMaterial::Akp { algorithm, public: vec![0; 1312] },
            };
            assert_eq!(backend.verifier(algorithm, &public).err(), Some(NO_SUCH), "{algorithm} on {name}");
        }
        for &algorithm in Algorithm::ALL {
            assert!(matches!(backend.generate(algorithm), Err(KeyError::Unsupported(_))), "{algorithm} on {name}");
        }
    }
}

#[test]
fn key_material_serves_the_algorithms_of_its_kind_and_no_other() {
    for (algorithm, keys) in KEYS.iter().filter(|(algorithm, _)| !algorithm.is_symmetric()) {
        let material = private(*algorithm).expect("a key");
        let jwk = keys[0].verifying_key().jwk().expect("a public key");
        for &asked in Algorithm::ALL {
            let is_of_its_kind = algorithms_of(jwk.material()).contains(&asked);
            for (name, backend) in BACKENDS {
                let public = backend.verifier(asked, jwk.material());
                let private = backend.signer(asked, &material);
                if is_of_its_kind {
                    assert!(
                        public.is_ok() && private.is_ok(),
                        "{algorithm} as {asked} on {name}: {public:?} {private:?}"
                    );
                } else {
                    let wrong = Some(KeyError::WrongAlgorithm);
                    assert_eq!((public.err(), private.err()), (wrong, wrong), "{algorithm} as {asked} on {name}");
                }
            }
        }
    }
    for (name, backend) in BACKENDS {
        let wrong = Some(KeyError::WrongAlgorithm);
        let secret = private(Algorithm::HS256).expect("a secret");
        assert_eq!(backend.secret_verifier(Algorithm::RS256, &[7; 64]).err(), wrong, "{name}");
        assert_eq!(backend.signer(Algorithm::RS256, &secret).err(), wrong, "{name}");
    }
}

#[test]
fn public_keys_are_taken_and_refused_as_ring_does() {
    let ec = |curve, point: Vec<u8>| PublicMaterial::Ec { curve, point };
    let good = [&[4][..], &hex(P256[1])].concat();
    let p384 = [&[4][..], &hex(P384[1])].concat();
    let off = [&good[..64], &[good[64] ^ 1]].concat();
    let parity = good[64] & 1;
    // (5, y) lies on P-256; 5 + p is the same coordinate, spelt beyond the prime.
    let small_y = "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";
    let prime_and_five = "ffffffff00000001000000000000000000000001000000000000000000000004";
    let rsa = |modulus: Vec<u8>, exponent: &[u8]| PublicMaterial::Rsa { modulus, exponent: exponent.to_vec() };
    let odd = |bits: usize| {
        let mut modulus = vec![0x55; bits.div_ceil(8)];
        modulus[0] = 1 << ((bits - 1) % 8);
        modulus
    };
    let small_order = EIGHT_TORSION.map(|point| PublicMaterial::Ed25519(point.compress().to_bytes()));
    let es256 = Algorithm::ES256;
    let mut cases = vec![
        (es256, ec(Curve::P256, good.clone()), true),
        (es256, ec(Curve::P256, off), false),
        (es256, ec(Curve::P256, [&[2 + parity][..], &good[1..33]].concat()), false),
        (es256, ec(Curve::P256, [&[6 + parity][..], &good[1..]].concat()), false),
        (es256, ec(Curve::P256, vec![0]), false),
        (es256, ec(Curve::P256, vec![4; 65]), false),
        (es256, ec(Curve::P256, [&[4][..], &[0; 64]].concat()), false),
        (es256, ec(Curve::P256, good[..64].to_vec()), false),
        (es256, ec(Curve::P256, [&good[..], &[0]].concat()), false),
        (es256, ec(Curve::P256, Vec::new()), false),
        (es256, ec(Curve::P256, [&hex("04")[..], &[0; 31], &[5], &hex(small_y)].concat()), true),
        (es256, ec(Curve::P256, hex(&format!("04{prime_and_five}{small_y}"))), false),
        (es256, ec(Curve::P384, p384.clone()), false),
        (Algorithm::ES384, ec(Curve::P384, p384), true),
        (Algorithm::ES384, ec(Curve::P384, good), false),
        (Algorithm::EdDSA, PublicMaterial::Ed25519([2; 32]), true),
        (Algorithm::EdDSA, PublicMaterial::Ed25519([9; 32]), true),
        (Algorithm::EdDSA, PublicMaterial::Ed25519(std::array::from_fn(|at| if at == 0 { 2 } else { 0 })), true),
        (Algorithm::EdDSA, PublicMaterial::Ed25519([0xff; 32]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1, 0, 1]), true),
        (Algorithm::RS256, rsa(odd(2047), &[1, 0, 1]), false),
        (Algorithm::RS256, rsa(odd(2049), &[3]), true),
        (Algorithm::RS256, rsa(odd(4096), &[1, 0, 1]), true),
        (Algorithm::RS256, rsa(odd(4096), &[0xff, 0xff, 0xff, 0xff]), true),
        (Algorithm::RS256, rsa(odd(8193), &[1, 0, 1]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1, 0, 0]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1, 0, 0, 0, 1]), false),
        (Algorithm::RS256, rsa(Vec::new(), &[1, 0, 1]), false),
        (Algorithm::RS256, rsa(odd(2048), &[]), false),
        (Algorithm::RS256, rsa(vec![0xaa; 256], &[1, 0, 1]), false),
    ];
    cases.extend(small_order.map(|key| (Algorithm::EdDSA, key, false)));
    for (algorithm, material, is_taken) in cases {
        #[cfg(feature = "ring")]
        {
            let key = VerifyingKey::from_material(&countersign::crypto::Ring, algorithm, material.clone());
            assert_eq!(key.is_ok(), is_taken, "{algorithm} on ring: {material:02x?}");
        }
        for (name, backend) in BACKENDS {
            let key = VerifyingKey::from_material(backend, algorithm, material.clone());
            assert_eq!(key.is_ok(), is_taken, "{algorithm} on {name}: {material:02x?}: {key:?}");
            // Who calls the backend itself is held to the same.
            let verifier = backend.verifier(algorithm, &material);
            assert_eq!(verifier.is_ok(), is_taken, "{algorithm} on {name}: {material:02x?}");
            for signature in [vec![0; 64], vec![0; 256], vec![1; 256], vec![1; 512]] {
                let judged = verifier.as_ref().map(|verifier| verifier.verify(b"m", &signature));
                assert!(!matches!(judged, Ok(Ok(()))), "{algorithm} on {name}: {material:02x?}");
            }
        }
    }
}

/// What a build without ring and aws-lc has: every form of key, and tokens from end to end.
#[test]
fn keys_of_every_form_come_in_and_verify_tokens() {
    use countersign::JwtVerifier;
    use countersign::issue::JwtSigner;
    use countersign::jwk::{Jwk, JwkSet};
    use countersign::provider::{KeyProvider, KeySet};
    use countersign::request::Credential;
    use countersign::verify::TokenVerifier;

    fn accepts(keys: impl KeyProvider, algorithm: Algorithm, token: &str) -> bool {
        let verifier = JwtVerifier::builder(keys).algorithms([algorithm]).issuer("a").audience("b").build();
        let verdict = verifier.expect("a verifier").verify_now(&Credential::new("Bearer", token));
        verdict.expect("keys in memory").is_ok()
    }

    let claims = serde_json::json!({"iss": "a", "aud": "b", "exp": 4_102_444_800_u64});
    for (name, backend) in BACKENDS {
        for (at, (algorithm, keys)) in KEYS.iter().enumerate() {
            let token = JwtSigner::new(keys[at % keys.len()].clone()).sign(&claims).expect("a token");
            let other =
                format!("{}{}", &token[..token.len() - 4], if token.ends_with("AAAA") { "BBBB" } else { "AAAA" });
            let read = if algorithm.is_symmetric() {
                let jwk = format!(r#"{{"kty":"oct","k":"{}w"}}"#, "BwcH".repeat(21) + "B");
                vec![VerifyingKey::from_secret_jwk_with(backend, *algorithm, &jwk)]
            } else {
                let public = keys[0].verifying_key();
                let jwk = serde_json::to_string(&public.jwk().expect("public")).expect("JSON");
                let set = JwkSet::parse(&format!(r#"{{"keys":[{jwk}]}}"#)).expect("a set");
                assert!(accepts(KeySet::from_jwks_with(backend, &set), *algorithm, &token), "{algorithm} on {name}");
                let jwk = Jwk::parse(&jwk).expect("a key");
                assert!(!jwk.thumbprint_with(backend).to_string().is_empty());
                vec![
                    VerifyingKey::from_jwk_with(backend, *algorithm, &jwk),
                    VerifyingKey::from_pem_with(backend, *algorithm, public.to_spki_pem().expect("PEM")),
                    VerifyingKey::from_der_with(backend, *algorithm, &public.to_spki_der().expect("DER")),
                ]
            };
            for key in read {
                let key = key.unwrap_or_else(|error| panic!("{algorithm} on {name}: {error}"));
                assert!(accepts(key.clone(), *algorithm, &token), "{algorithm} on {name}");
                assert!(!accepts(key, *algorithm, &other), "{algorithm} on {name}");
            }
        }
    }
}

#[test]
fn secrets_are_held_to_the_rules_of_the_core() {
    let cases: [(Algorithm, &[u8], bool); 6] = [
        (Algorithm::HS256, &[7; 32], true),
        (Algorithm::HS256, &[7; 31], false),
        (Algorithm::HS384, &[7; 47], false),
        (Algorithm::HS512, &[7; 63], false),
        (Algorithm::HS256, b"", false),
        (Algorithm::HS256, RSA_PEM.as_bytes(), false),
    ];
    for (algorithm, secret, is_taken) in cases {
        for (name, backend) in BACKENDS {
            let verifying = VerifyingKey::from_secret_with(backend, algorithm, secret);
            let signing = SigningKey::from_material(backend, algorithm, &PrivateMaterial::Secret(Secret::new(secret)));
            assert_eq!((verifying.is_ok(), signing.is_ok()), (is_taken, is_taken), "{algorithm} on {name}");
        }
    }
}

#[test]
fn private_keys_that_fit_no_public_key_are_refused() {
    let PrivateMaterial::Ec { curve, scalar, point } = ec(Curve::P256, P256) else { panic!("an EC key") };
    let other = hex(&format!(
        "04{}{}",
        "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
        "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
    ));
    let compressed = [&[2 + (point[64] & 1)][..], &point[1..33]].concat();
    let longer = [&[0][..], &scalar].concat();
    let cases = [
        (scalar.to_vec(), point.clone(), true),
        (scalar.to_vec(), other, false),
        (scalar.to_vec(), compressed, false),
        (vec![0; 32], point.clone(), false),
        (vec![0xff; 32], point.clone(), false),
        (longer, point.clone(), false),
        (scalar[1..].to_vec(), point.clone(), false),
        (Vec::new(), point, false),
    ];
    for (name, backend) in BACKENDS {
        for (scalar, point, is_taken) in &cases {
            let material = PrivateMaterial::Ec { curve, scalar: Zeroizing::new(scalar.clone()), point: point.clone() };
            let key = SigningKey::from_material(backend, Algorithm::ES256, &material);
            assert_eq!(key.is_ok(), *is_taken, "{name}: {key:?}");
        }
        let seed = |len| Zeroizing::new(vec![7; len]);
        for (seed, public, is_taken) in
            [(seed(32), None, true), (seed(32), Some([7; 32]), false), (seed(31), None, false), (seed(0), None, false)]
        {
            let key = SigningKey::from_material(backend, Algorithm::EdDSA, &PrivateMaterial::Ed25519 { seed, public });
            assert_eq!(key.is_ok(), is_taken, "{name}: {key:?}");
        }
        for damage in 0..3 {
            let mut rsa = demo_rsa();
            match damage {
                0 => rsa.d[9] ^= 1,
                1 => rsa.p[9] ^= 1,
                _ => rsa.n[9] ^= 1,
            }
            let key = SigningKey::from_material(backend, Algorithm::RS256, &PrivateMaterial::Rsa(Box::new(rsa)));
            assert!(key.is_err(), "{damage} on {name}");
        }
    }
}

#[test]
#[cfg(feature = "rust_crypto")]
fn rust_crypto_signs_by_rsa_only_where_that_is_asked_for() {
    let rsa = private(Algorithm::RS256).expect("RSA");
    let provider: &'static CryptoProvider = Box::leak(Box::new(theirs::crypto::rust_crypto::DEFAULT_PROVIDER.clone()));
    for backend in [ProviderBackend::RUST_CRYPTO, ProviderBackend::new(provider)] {
        for algorithm in RSA {
            let key = SigningKey::from_material(&backend, algorithm, &rsa);
            assert!(matches!(key, Err(KeyError::Unsupported(_))), "{algorithm}: {key:?}");
            assert!(SigningKey::from_material(&backend.danger_sign_by_rsa(), algorithm, &rsa).is_ok(), "{algorithm}");
        }
        let ec = private(Algorithm::ES256).expect("EC");
        assert!(SigningKey::from_material(&backend, Algorithm::ES256, &ec).is_ok());
    }
    let large = PublicMaterial::Rsa { modulus: vec![0xff; 513], exponent: vec![1, 0, 1] };
    let refused = ProviderBackend::RUST_CRYPTO.verifier(Algorithm::RS256, &large).err();
    assert!(matches!(refused, Some(KeyError::Unsupported(_))), "a key that could verify nothing: {refused:?}");
}

#[test]
fn a_provider_that_panics_or_answers_for_another_algorithm_has_not_verified() {
    static PANICS: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| panic!("no signer"),
        verifier_factory: |_, _| panic!("no verifier"),
        key_utils: KeyUtils::new_unimplemented(),
    };
    static STUBBORN: CryptoProvider = CryptoProvider {
        signer_factory: |_, key| (BACKENDS[0].1.provider.signer_factory)(&theirs::Algorithm::HS256, key),
        verifier_factory: |_, key| (BACKENDS[0].1.provider.verifier_factory)(&theirs::Algorithm::HS256, key),
        key_utils: KeyUtils::new_unimplemented(),
    };
    for provider in [&PANICS, &STUBBORN] {
        let backend = ProviderBackend::new(provider);
        assert_eq!(VerifyingKey::from_secret_with(&backend, Algorithm::HS512, &[7; 64]).err(), Some(NOT_TAKEN));
        let secret = private(Algorithm::HS512).expect("a secret");
        assert_eq!(SigningKey::from_material(&backend, Algorithm::HS512, &secret).err(), Some(NOT_TAKEN));
    }
    let stubborn = ProviderBackend::new(&STUBBORN);
    let secret = private(Algorithm::HS512).expect("a secret");
    assert_eq!(stubborn.signer(Algorithm::HS512, &secret).err(), Some(NOT_TAKEN));
    assert!(VerifyingKey::from_secret_with(&stubborn, Algorithm::HS256, &[7; 64]).is_ok());
}

/// Says yes to every signature.
struct Yes(theirs::Algorithm);

impl theirs::signature::Verifier<Vec<u8>> for Yes {
    fn verify(&self, _: &[u8], _: &Vec<u8>) -> Result<(), theirs::signature::Error> {
        Ok(())
    }
}

impl theirs::crypto::JwtVerifier for Yes {
    fn algorithm(&self) -> theirs::Algorithm {
        self.0
    }
}

#[test]
fn what_a_provider_does_not_check_is_checked_all_the_same() {
    static LAX: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, _| {
            let other = PrivateMaterial::Ed25519 { seed: Zeroizing::new(vec![9; 32]), public: None };
            let other = EncodingKey::from_ed_der(&other.to_pkcs8_der().expect("PKCS#8"));
            (BACKENDS[0].1.provider.signer_factory)(algorithm, &other)
        },
        verifier_factory: |algorithm, _| Ok(Box::new(Yes(*algorithm))),
        key_utils: KeyUtils::new_unimplemented(),
    };
    static SIGNS_BY_ANOTHER_KEY: CryptoProvider = CryptoProvider {
        signer_factory: LAX.signer_factory,
        verifier_factory: |algorithm, key| (BACKENDS[0].1.provider.verifier_factory)(algorithm, key),
        key_utils: KeyUtils::new_unimplemented(),
    };
    let lax = ProviderBackend::new(&LAX);
    for (algorithm, keys) in KEYS.iter() {
        let key = match keys[0].verifying_key().jwk() {
            Some(jwk) => VerifyingKey::from_jwk_with(&lax, *algorithm, &jwk),
            None => VerifyingKey::from_secret_with(&lax, *algorithm, &[7; 64]),
        };
        let key = key.expect("a key");
        let signature = keys[0].sign(b"m").expect("sign");
        assert!(key.verify(b"m", &signature).is_ok(), "{algorithm}");
        for len in [0, signature.len() - 1, signature.len() + 1] {
            assert!(key.verify(b"m", &vec![1; len]).is_err(), "{algorithm}: {len} octets");
        }
    }
    let ed25519 = private(Algorithm::Ed25519).expect("a key");
    let refused = ProviderBackend::new(&SIGNS_BY_ANOTHER_KEY).signer(Algorithm::Ed25519, &ed25519).err();
    assert_eq!(refused, Some(INCONSISTENT));
}

#[test]
fn digests_and_public_keys_of_seeds_are_those_of_the_rfcs() {
    let (_, backend) = BACKENDS[0];
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(backend.sha256(&[b"a", b"bc"]).to_vec(), hex(abc));
    assert_eq!(backend.digest(Hash::Sha256, &[b"abc"]), hex(abc));
    assert_eq!(backend.digest(Hash::Sha384, &[b"abc"]).len(), 48);
    assert_eq!(backend.digest(Hash::Sha512, &[b"abc"])[..4], hex("ddaf35a1"));
    assert_eq!(ed25519_public(&hex(ED25519[0])).expect("a seed").to_vec(), hex(ED25519[1]));
    let mut octets = [0; 32];
    backend.random(&mut octets).expect("random");
    assert_ne!(octets, [0; 32]);
}

/// What the holder of the key can make by choosing the nonce zero: R is the neutral point, and S is k·a.
#[test]
fn an_ed25519_signature_with_an_r_of_small_order_is_refused() {
    let (seed, public) = (hex(ED25519[0]), hex(ED25519[1]));
    let clamped = curve25519_dalek::scalar::clamp_integer(Sha512::digest(&seed)[..32].try_into().expect("32 octets"));
    let neutral = EIGHT_TORSION[0].compress().to_bytes();
    let challenge = Scalar::from_bytes_mod_order_wide(
        &Sha512::digest([&neutral[..], &public, b"m"].concat()).as_slice().try_into().expect("64 octets"),
    );
    let signature = [neutral, (challenge * Scalar::from_bytes_mod_order(clamped)).to_bytes()].concat();
    let key = DecodingKey::from_ed_der(&public);
    for (name, backend) in BACKENDS {
        let alone = (backend.provider.verifier_factory)(&theirs::Algorithm::EdDSA, &key).expect("a verifier");
        assert!(alone.verify(b"m", &signature).is_ok(), "{name} takes it: the test is about something");
    }
    let (_, keys) = KEYS.iter().find(|(algorithm, _)| *algorithm == Algorithm::Ed25519).expect("Ed25519");
    assert!(!verdict(keys, b"m", &signature));
}

#[test]
fn signatures_of_another_form_are_refused() {
    for (algorithm, keys) in KEYS.iter() {
        let signature = keys[0].sign(b"m").expect("sign");
        let half = signature.len() / 2;
        let ones = vec![0xff; signature.len()];
        let mut bad = vec![
            Vec::new(),
            vec![0; signature.len()],
            ones.clone(),
            vec![1],
            signature[1..].to_vec(),
            signature[..signature.len() - 1].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            [&signature[..], &signature].concat(),
            signature[..half].to_vec(),
        ];
        if matches!(algorithm, Algorithm::ES256 | Algorithm::ES384) {
            let (r, s) = signature.split_at(half);
            let zero = vec![0; half];
            bad.extend([[s, r].concat(), [&zero[..], s].concat(), [r, &zero[..]].concat()]);
            bad.extend([[&ones[..half], s].concat(), [r, &ones[..half]].concat()]);
        }
        assert!(verdict(keys, b"m", &signature), "{algorithm}");
        for bad in bad {
            assert!(!verdict(keys, b"m", &bad), "{algorithm}: {bad:02x?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever one signs all verify, and no damage passes; nor does it as the signature of another algorithm.
    #[test]
    fn what_is_signed_verifies_everywhere_and_damage_nowhere(
        which in any::<prop::sample::Index>(),
        signer in any::<prop::sample::Index>(),
        message in any::<Vec<u8>>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let (algorithm, keys) = which.get(&KEYS);
        let mut signature = signer.get(keys).sign(&message).expect("sign");
        prop_assert!(verdict(keys, &message, &signature), "{algorithm}");
        let other = [&message[..], &[0]].concat();
        prop_assert!(!verdict(keys, &other, &signature), "{algorithm}");
        for (asked, others) in KEYS.iter().filter(|(asked, _)| !asked.is_same_as(*algorithm)) {
            prop_assert!(!verdict(others, &message, &signature), "{algorithm} as {asked}");
        }
        *at.get_mut(&mut signature) ^= 1 << bit;
        prop_assert!(!verdict(keys, &message, &signature), "{algorithm}");
    }
}
