//! Both libraries judge alike, and each reads what the other writes.

use super::*;
use crate::alg::Family;
use crate::key::{SigningKey, VerifyingKey};
use crate::key_error::KeyError;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use std::sync::LazyLock;

const RSA: &str = include_str!("../../../../examples/src/quickstart/demo-rsa.pem");
const BACKENDS: [(&str, &dyn Backend); 2] = [("ring", &Ring), ("aws-lc", &AwsLc)];

const WRONG: KeyError = KeyError::WrongAlgorithm;

/// What ring has, too.
fn is_common(algorithm: Algorithm) -> bool {
    !matches!(algorithm.family(), Family::Akp(_) | Family::Ec(Curve::P521 | Curve::Secp256k1))
}

/// A private key for each algorithm, as its source gives it.
fn private(algorithm: Algorithm) -> PrivateMaterial {
    let key = match algorithm.family() {
        Family::Hmac => return PrivateMaterial::Secret(crate::secret::Secret::new([7; 64])),
        Family::Rsa => SigningKey::from_pem(algorithm, RSA),
        _ => SigningKey::generate(algorithm),
    };
    key.expect("a key").material().expect("no secret").clone()
}

/// One private key for each algorithm, on each backend that has it.
type Pairs = Vec<(Algorithm, Vec<SigningKey>)>;
static PAIRS: LazyLock<Pairs> = LazyLock::new(pairs);
/// Other keys, but for RSA and HMAC the same.
static STRANGERS: LazyLock<Pairs> = LazyLock::new(pairs);

fn pairs() -> Pairs {
    let keys = |algorithm| {
        let material = private(algorithm);
        let backends = BACKENDS.into_iter().filter(|(name, _)| *name == "aws-lc" || is_common(algorithm));
        let keys =
            backends.map(|(name, backend)| SigningKey::from_material(backend, algorithm, &material).expect(name));
        (algorithm, keys.collect())
    };
    Algorithm::ALL.iter().copied().map(keys).collect()
}

/// What all backends say of a signature, which must be one thing.
fn verdict(keys: &[SigningKey], message: &[u8], signature: &[u8]) -> bool {
    let verdicts: Vec<_> = keys.iter().map(|key| key.verifying_key().verify(message, signature).is_ok()).collect();
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?} on {signature:02x?}");
    verdicts[0]
}

#[test]
fn what_ring_lacks_it_refuses_and_the_default_backend_has() {
    for &algorithm in Algorithm::ALL.iter().filter(|algorithm| !is_common(**algorithm)) {
        assert!(matches!(Ring.generate(algorithm), Err(KeyError::Unsupported(_))), "{algorithm}");
        let key = SigningKey::generate(algorithm).expect("aws-lc has it");
        assert!(matches!(key.with_backend(&Ring), Err(KeyError::Unsupported(_))), "{algorithm}");
        let public = key.verifying_key();
        assert!(matches!(public.with_backend(&Ring), Err(KeyError::Unsupported(_))), "{algorithm}");
        let jwk = public.jwk().expect("a public key");
        let read = VerifyingKey::from_jwk(algorithm, &jwk).expect("our own");
        assert_eq!(read.identity(), public.identity());
    }
    assert!(matches!(Ring.generate_rsa(RsaSize::Bits2048), Err(KeyError::Unsupported(_))));
}

#[test]
fn key_material_serves_the_algorithms_of_its_kind_and_no_other() {
    for (algorithm, keys) in PAIRS.iter().filter(|(algorithm, _)| !algorithm.is_symmetric()) {
        let private = keys[0].material().expect("no secret");
        let jwk = keys[0].verifying_key().jwk().expect("a public key");
        for &asked in Algorithm::ALL {
            let is_of_its_kind = asked.family() == algorithm.family();
            for (name, backend) in BACKENDS {
                let is_there = is_of_its_kind && (name == "aws-lc" || is_common(asked));
                let public = backend.verifier(asked, jwk.material());
                assert_eq!(public.is_ok(), is_there, "{algorithm} as {asked} on {name}: {public:?}");
                let private = backend.signer(asked, private);
                assert_eq!(private.is_ok(), is_there, "{algorithm} as {asked} on {name}: {private:?}");
                if !is_of_its_kind {
                    assert_eq!((public.err(), private.err()), (Some(WRONG), Some(WRONG)), "{algorithm} as {asked}");
                }
            }
        }
    }
}

#[test]
fn to_change_the_backend_changes_nothing_else() {
    for (algorithm, _) in PAIRS.iter().filter(|(algorithm, _)| !algorithm.is_symmetric() && is_common(*algorithm)) {
        let material = private(*algorithm);
        let key = SigningKey::from_material(&Ring, *algorithm, &material).expect("a key");
        let key = key.with_key_id("a").expect("a kid");
        for (name, backend) in BACKENDS {
            let moved = key.with_backend(backend).expect(name);
            let public = key.verifying_key().with_backend(backend).expect(name);
            for public in [moved.verifying_key(), &public] {
                assert_eq!((public.key_id(), public.identity()), (Some("a"), key.verifying_key().identity()));
                assert_eq!((public.algorithm(), public.jwk()), (*algorithm, key.verifying_key().jwk()));
            }
            assert!(public.verify(b"m", &moved.sign(b"m").expect("sign")).is_ok(), "{algorithm} on {name}");
        }
    }
    let secret = SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret");
    assert!(matches!(secret.with_backend(&AwsLc), Err(KeyError::Unsupported(_))));
    assert!(matches!(secret.verifying_key().with_backend(&AwsLc), Err(KeyError::Unsupported(_))));
    let moved = VerifyingKey::from_secret_with(&AwsLc, Algorithm::HS256, &[7; 32]).expect("a secret");
    assert_eq!(moved.identity(), secret.verifying_key().identity());
}

#[test]
fn rsa_keys_of_each_size_are_generated_and_sign_on_both() {
    for (size, len) in [(RsaSize::Bits2048, 256), (RsaSize::Bits3072, 384), (RsaSize::Bits4096, 512)] {
        let key = SigningKey::generate_rsa(Algorithm::RS256, size).expect("generate");
        for (name, backend) in BACKENDS {
            let signature = key.with_backend(backend).expect(name).sign(b"m").expect("sign");
            assert_eq!(signature.len(), len, "{name}");
            assert!(key.verifying_key().verify(b"m", &signature).is_ok(), "{name}");
        }
    }
    let error = SigningKey::generate_rsa(Algorithm::ES256, RsaSize::Bits2048).err();
    assert_eq!(error, Some(KeyError::WrongAlgorithm));
}

#[test]
fn keys_are_written_as_aws_lc_writes_them_and_read_by_it() {
    use aws_lc_rs::signature as sig;
    let cases: [(_, &'static dyn sig::VerificationAlgorithm); 6] = [
        (Algorithm::ES512, &sig::ECDSA_P521_SHA512_FIXED),
        (Algorithm::ES256K, &sig::ECDSA_P256K1_SHA256_FIXED),
        (Algorithm::Ed25519, &sig::ED25519),
        (Algorithm::MlDsa44, &sig::ML_DSA_44),
        (Algorithm::MlDsa65, &sig::ML_DSA_65),
        (Algorithm::MlDsa87, &sig::ML_DSA_87),
    ];
    for (algorithm, parameters) in cases {
        let document = AwsLc.generate(algorithm).expect("generate");
        let key = SigningKey::from_der(algorithm, &document).expect("its document");
        assert!(key.to_pkcs8_der().expect("PKCS#8") == document, "{algorithm}");
        let spki = key.verifying_key().to_spki_der().expect("SPKI");
        let read = sig::UnparsedPublicKey::new(parameters, &spki);
        assert!(read.verify(b"m", &key.sign(b"m").expect("sign")).is_ok(), "{algorithm}");
        assert!(read.verify(b"n", &key.sign(b"m").expect("sign")).is_err(), "{algorithm}");
    }
}

#[test]
fn digests_are_those_of_the_other_library() {
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        assert_eq!(Ring.digest(hash, &[b"ab", b"", b"c"]), AwsLc.digest(hash, &[b"a", b"bc"]));
    }
    assert_eq!(Ring.sha256(&[b"abc"]), AwsLc.sha256(&[b"abc"]));
    for (name, backend) in BACKENDS {
        let mut octets = [0; 32];
        backend.random(&mut octets).expect("random");
        assert_ne!(octets, [0; 32], "{name}");
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal")).collect()
}

/// A SEQUENCE of two INTEGERs, as ECDSA signatures are written elsewhere.
fn der(signature: &[u8]) -> Vec<u8> {
    let tlv = |tag: u8, value: &[u8]| {
        let len = u8::try_from(value.len()).expect("short");
        [if len < 128 { vec![tag, len] } else { vec![tag, 0x81, len] }, value.to_vec()].concat()
    };
    let integer = |octets: &[u8]| {
        let octets = crate::jwk::without_leading_zeros(octets);
        let sign = if octets.first().is_some_and(|first| first & 0x80 != 0) { &[0][..] } else { &[] };
        tlv(2, &[sign, octets].concat())
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    tlv(0x30, &[integer(r), integer(s)].concat())
}

#[test]
fn signatures_of_another_form_are_refused_alike() {
    let mut judged = 0;
    for (algorithm, keys) in PAIRS.iter() {
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
        if let Family::Ec(_) = algorithm.family() {
            let (r, s) = signature.split_at(half);
            let zero = vec![0; half];
            bad.extend([der(&signature), [s, r].concat(), [&zero[..], s].concat(), [r, &zero[..]].concat()]);
            bad.extend([[&ones[..half], s].concat(), [r, &ones[..half]].concat()]);
            let wider = |part: &[u8]| [&[0][..], part].concat();
            bad.push([wider(r), wider(s)].concat());
        }
        assert!(verdict(keys, b"m", &signature), "{algorithm}");
        for bad in bad {
            assert!(!verdict(keys, b"m", &bad), "{algorithm}: {bad:02x?}");
            judged += 1;
        }
    }
    assert!(judged > 200);
}

#[test]
fn a_high_s_is_as_good_as_a_low_one_with_both() {
    // The order n of P-256: s and n − s sign alike, and RFC 7518 §3.4 asks for neither.
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let (_, keys) = PAIRS.iter().find(|(algorithm, _)| *algorithm == Algorithm::ES256).expect("ES256");
    let mut signature = keys[0].sign(b"m").expect("sign");
    let mut borrow = 0;
    for (octet, order) in signature[32..].iter_mut().zip(hex(ORDER)).rev() {
        let difference = i16::from(order) - i16::from(*octet) - borrow;
        borrow = i16::from(difference < 0);
        *octet = difference.to_le_bytes()[0];
    }
    assert!(verdict(keys, b"m", &signature));
}

/// What the holder of the key can make by choosing the nonce zero: R is the neutral point, and S is k·a.
#[test]
fn an_ed25519_signature_with_an_r_of_small_order_is_refused() {
    let seed = [7; 32];
    let material = PrivateMaterial::Ed25519 { seed: Zeroizing::new(seed.to_vec()), public: None };
    let hash = |parts: &[&[u8]]| -> [u8; 64] { DEFAULT.digest(Hash::Sha512, parts).try_into().expect("64 octets") };
    let mut scalar: [u8; 32] = hash(&[&seed])[..32].try_into().expect("32 octets");
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    let neutral = EIGHT_TORSION[0].compress().to_bytes();
    for (name, backend) in BACKENDS {
        let key = SigningKey::from_material(backend, Algorithm::Ed25519, &material).expect("a key");
        let Some(PublicMaterial::Ed25519(public)) = key.verifying_key().jwk().map(|jwk| jwk.material().clone()) else {
            panic!("an Ed25519 key")
        };
        let challenge = Scalar::from_bytes_mod_order_wide(&hash(&[&neutral, &public, b"m"]));
        let s = challenge * Scalar::from_bytes_mod_order(scalar);
        let signature = [neutral, s.to_bytes()].concat();
        let ring_alone = ::ring::signature::UnparsedPublicKey::new(&::ring::signature::ED25519, public);
        let aws_alone = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, public);
        assert!(ring_alone.verify(b"m", &signature).is_ok(), "the library takes it: the test is about something");
        assert!(aws_alone.verify(b"m", &signature).is_ok(), "and the other one, too");
        assert_eq!(key.verifying_key().verify(b"m", &signature), Err(SignatureMismatch), "{name}");
    }
}

#[test]
fn an_ed25519_s_beyond_the_order_and_an_r_in_a_second_spelling_are_refused_alike() {
    let (_, keys) = PAIRS.iter().find(|(algorithm, _)| *algorithm == Algorithm::Ed25519).expect("Ed25519");
    let signature = keys[0].sign(b"m").expect("sign");
    // The order of the base point, in the order of octets that RFC 8032 §5.1.2 gives.
    let order = (-Scalar::ONE).to_bytes();
    let mut beyond = signature.clone();
    let mut carry = 1; // the order is −1 + 1
    for (octet, order) in beyond[32..].iter_mut().zip(order) {
        let sum = u16::from(*octet) + u16::from(order) + carry;
        *octet = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(!verdict(keys, b"m", &beyond), "S + the order");
    let mut negative = signature.clone();
    negative[31] ^= 0x80;
    assert!(!verdict(keys, b"m", &negative), "R with its other sign");
}

/// Public keys that one of the libraries might take and the other not.
#[test]
fn public_keys_are_taken_and_refused_alike() {
    let ec = |curve, point: Vec<u8>| PublicMaterial::Ec { curve, point };
    let point = |algorithm| match SigningKey::generate(algorithm).expect("generate").verifying_key().jwk() {
        Some(jwk) => match jwk.material() {
            PublicMaterial::Ec { point, .. } => point.clone(),
            _ => panic!("a point"),
        },
        None => panic!("a public key"),
    };
    let good = point(Algorithm::ES256);
    let (x, y) = (good[1..33].to_vec(), good[33..].to_vec());
    let off = [&good[..64], &[good[64] ^ 1]].concat();
    let parity = 2 + (y[31] & 1);
    // (5, y) lies on P-256; 5 + p is the same coordinate, spelt beyond the prime.
    let small_y = "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";
    let prime_and_five = "ffffffff00000001000000000000000000000001000000000000000000000004";
    let rsa = |modulus: Vec<u8>, exponent: &[u8]| PublicMaterial::Rsa { modulus, exponent: exponent.to_vec() };
    let odd = |bits: usize| {
        let mut modulus = vec![0x55; bits.div_ceil(8)];
        modulus[0] = 1 << ((bits - 1) % 8);
        modulus
    };
    let es256 = Algorithm::ES256;
    let cases = [
        (es256, ec(Curve::P256, good.clone()), true),
        (es256, ec(Curve::P256, off), false),
        (es256, ec(Curve::P256, [&[parity][..], &x].concat()), false),
        (es256, ec(Curve::P256, [&[6 + (y[31] & 1)], &good[1..]].concat()), false),
        (es256, ec(Curve::P256, vec![0]), false),
        (es256, ec(Curve::P256, vec![4; 65]), false),
        (es256, ec(Curve::P256, [&[4][..], &[0; 64]].concat()), false),
        (es256, ec(Curve::P256, good[..64].to_vec()), false),
        (es256, ec(Curve::P256, [&good[..], &[0]].concat()), false),
        (es256, ec(Curve::P256, Vec::new()), false),
        (es256, ec(Curve::P256, [&hex("04")[..], &[0; 31], &[5], &hex(small_y)].concat()), true),
        (es256, ec(Curve::P256, hex(&format!("04{prime_and_five}{small_y}"))), false),
        (es256, ec(Curve::P384, point(Algorithm::ES384)), false),
        (Algorithm::ES384, ec(Curve::P384, point(Algorithm::ES384)), true),
        (Algorithm::ES384, ec(Curve::P384, good), false),
        (Algorithm::EdDSA, PublicMaterial::Ed25519([2; 32]), true),
        (Algorithm::EdDSA, PublicMaterial::Ed25519([9; 32]), true),
        (Algorithm::EdDSA, PublicMaterial::Ed25519(std::array::from_fn(|at| if at == 0 { 2 } else { 0 })), true),
        (Algorithm::EdDSA, PublicMaterial::Ed25519([0; 32]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1, 0, 1]), true),
        (Algorithm::RS256, rsa(odd(2047), &[1, 0, 1]), false),
        (Algorithm::RS256, rsa(odd(2049), &[3]), true),
        (Algorithm::RS256, rsa(odd(8192), &[0xff, 0xff, 0xff, 0xff]), true),
        (Algorithm::RS256, rsa(odd(8193), &[1, 0, 1]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1, 0, 0]), false),
        (Algorithm::RS256, rsa(odd(2048), &[1, 0, 0, 0, 1]), false),
        (Algorithm::RS256, rsa(Vec::new(), &[1, 0, 1]), false),
        (Algorithm::RS256, rsa(odd(2048), &[]), false),
        (Algorithm::RS256, rsa(vec![0xaa; 256], &[1, 0, 1]), false),
    ];
    for (algorithm, material, is_taken) in cases {
        for (name, backend) in BACKENDS {
            let key = VerifyingKey::from_material(backend, algorithm, material.clone());
            assert_eq!(key.is_ok(), is_taken, "{algorithm} on {name}: {material:02x?}: {key:?}");
            if let Ok(key) = key {
                for signature in [vec![0; 64], vec![0; 256], vec![1; 1024]] {
                    assert!(key.verify(b"m", &signature).is_err(), "{algorithm} on {name}: {material:02x?}");
                }
            }
            // What somebody who calls the backend itself might hand to it.
            if let Ok(verifier) = backend.verifier(algorithm, &material) {
                assert!(verifier.verify(b"m", &[0; 256]).is_err(), "{algorithm} on {name}: {material:02x?}");
            }
        }
    }
}

#[test]
fn private_ec_keys_that_fit_no_public_key_are_refused_alike() {
    let PrivateMaterial::Ec { curve, scalar, point } = private(Algorithm::ES256) else { panic!("an EC key") };
    let PrivateMaterial::Ec { point: other, .. } = private(Algorithm::ES256) else { panic!("an EC key") };
    let zero = vec![0; 32];
    let beyond = vec![0xff; 32];
    let longer = [&[0][..], &scalar].concat();
    let compressed = [&[2 + (point[64] & 1)][..], &point[1..33]].concat();
    let cases = [
        (scalar.to_vec(), point.clone(), true),
        (scalar.to_vec(), other, false),
        (scalar.to_vec(), compressed, false),
        (zero, point.clone(), false),
        (beyond, point.clone(), false),
        (longer, point.clone(), false),
        (scalar[1..].to_vec(), point.clone(), false),
        (Vec::new(), point, false),
    ];
    for (scalar, point, is_taken) in cases {
        let material = PrivateMaterial::Ec { curve, scalar: Zeroizing::new(scalar), point };
        for (name, backend) in BACKENDS {
            let key = SigningKey::from_material(backend, Algorithm::ES256, &material);
            assert_eq!(key.is_ok(), is_taken, "{name}: {key:?}");
        }
    }
}

#[test]
fn small_rsa_keys_are_judged_alike() {
    let modulus = [&[0xc0][..], &[0x55; 126], &[0x01]].concat();
    let material = PublicMaterial::Rsa { modulus, exponent: vec![1, 0, 1] };
    for &algorithm in Algorithm::ALL {
        let ring = ring::small_rsa_verifier(algorithm, &material).map(drop);
        let aws_lc = aws_lc::small_rsa_verifier(algorithm, &material).map(drop);
        assert_eq!(ring, aws_lc, "{algorithm}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is signed by one and damaged is judged alike, under the right key and a wrong one.
    #[test]
    fn damaged_signatures_are_judged_alike(
        which in any::<prop::sample::Index>(),
        signer in any::<prop::sample::Index>(),
        message in any::<Vec<u8>>(),
        damage in prop_oneof![
            1 => Just(Damage::None),
            3 => (any::<prop::sample::Index>(), 0..8_u8).prop_map(|(at, bit)| Damage::Bit(at, bit)),
            2 => any::<prop::sample::Index>().prop_map(Damage::Cut),
            1 => prop::collection::vec(any::<u8>(), 1..20).prop_map(Damage::More),
            1 => any::<prop::sample::Index>().prop_map(Damage::Message),
            1 => Just(Damage::Der),
        ],
    ) {
        let (algorithm, keys) = which.get(&PAIRS);
        let mut signature = signer.get(keys).sign(&message).expect("sign");
        let mut message = message;
        let mut is_good = false;
        match damage {
            Damage::None => is_good = true,
            Damage::Bit(at, bit) => *at.get_mut(&mut signature) ^= 1 << bit,
            Damage::Cut(at) => signature.truncate(at.index(signature.len())),
            Damage::More(octets) => signature.extend(octets),
            Damage::Message(at) if !message.is_empty() => *at.get_mut(&mut message) ^= 1,
            Damage::Message(_) => message.push(0),
            Damage::Der => match algorithm.family() {
                Family::Ec(_) => signature = der(&signature),
                _ => is_good = true,
            }
        }
        prop_assert_eq!(verdict(keys, &message, &signature), is_good, "{}", algorithm);
        for (other, others) in PAIRS.iter().filter(|(other, _)| other != algorithm) {
            prop_assert!(!verdict(others, &message, &signature), "{} as {}", algorithm, other);
        }
        let is_of_its_own = !matches!(algorithm.family(), Family::Hmac | Family::Rsa);
        for (_, others) in STRANGERS.iter().filter(|(other, _)| other == algorithm && is_of_its_own) {
            prop_assert!(!verdict(others, &message, &signature), "{} of another key", algorithm);
        }
    }

    /// Any octets whatever.
    #[test]
    fn garbage_is_refused_by_all(
        message in any::<Vec<u8>>(),
        garbage in prop_oneof![
            prop::collection::vec(any::<u8>(), 64..=64),
            prop::collection::vec(any::<u8>(), 96..=96),
            prop::collection::vec(any::<u8>(), 256..=256),
            prop::collection::vec(any::<u8>(), 0..300),
        ],
    ) {
        for (algorithm, keys) in PAIRS.iter() {
            prop_assert!(!verdict(keys, &message, &garbage), "{}", algorithm);
        }
    }
}

#[derive(Clone, Debug)]
enum Damage {
    None,
    Bit(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    More(Vec<u8>),
    Message(prop::sample::Index),
    Der,
}
