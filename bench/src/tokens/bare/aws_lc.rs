//! aws-lc's. It keeps parsed public keys.

use super::parts;
use crate::tokens::fixture::{Alg, Fixture, Size};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaKeyPair};
use std::hint::black_box;

pub(crate) fn verifying(fixture: &Fixture, token: &str) -> Box<dyn FnMut() -> bool> {
    let (input, signature) = parts(fixture, token);
    let pkcs8 = || fixture.key.to_pkcs8_der().expect("a private key");
    let key = match fixture.alg {
        Alg::HS256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &fixture.secret);
            return Box::new(move || hmac::verify(&key, black_box(&input), &signature).is_ok());
        }
        Alg::RS256 => {
            let pair = RsaKeyPair::from_pkcs8(&pkcs8()).expect("a key");
            ParsedPublicKey::new(&sig::RSA_PKCS1_2048_8192_SHA256, pair.public_key())
        }
        Alg::ES256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&sig::ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8()).expect("a key");
            ParsedPublicKey::new(&sig::ECDSA_P256_SHA256_FIXED, pair.public_key())
        }
        Alg::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8()).expect("a key");
            ParsedPublicKey::new(&sig::ED25519, pair.public_key())
        }
    }
    .expect("a public key");
    Box::new(move || key.verify_sig(black_box(&input), &signature).is_ok())
}

pub(crate) fn signing(fixture: &Fixture) -> Box<dyn FnMut() -> usize> {
    let (input, _) = parts(fixture, &fixture.token(Size::Small));
    let pkcs8 = || fixture.key.to_pkcs8_der().expect("a private key");
    let random = SystemRandom::new();
    match fixture.alg {
        Alg::HS256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &fixture.secret);
            Box::new(move || hmac::sign(&key, black_box(&input)).as_ref().len())
        }
        Alg::RS256 => {
            let pair = RsaKeyPair::from_pkcs8(&pkcs8()).expect("a key");
            let mut out = vec![0; pair.public_modulus_len()];
            Box::new(move || {
                pair.sign(&sig::RSA_PKCS1_SHA256, &random, black_box(&input), &mut out).expect("a signature");
                out.len()
            })
        }
        Alg::ES256 => {
            let algorithm = &sig::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8()).expect("a key");
            Box::new(move || pair.sign(&random, black_box(&input)).expect("a signature").as_ref().len())
        }
        Alg::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8()).expect("a key");
            Box::new(move || pair.try_sign(black_box(&input)).expect("a signature").as_ref().len())
        }
    }
}
