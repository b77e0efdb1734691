//! ring's. It keeps no parsed RSA and EC public keys.

use super::parts;
use crate::tokens::fixture::{Alg, Fixture, Size};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use std::hint::black_box;

pub(crate) fn verifying(fixture: &Fixture, token: &str) -> Box<dyn FnMut() -> bool> {
    let (input, signature) = parts(fixture, token);
    let pkcs8 = || fixture.key.to_pkcs8_der().expect("a private key");
    match fixture.alg {
        Alg::HS256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &fixture.secret);
            Box::new(move || hmac::verify(&key, black_box(&input), &signature).is_ok())
        }
        Alg::RS256 => {
            let pair = RsaKeyPair::from_pkcs8(&pkcs8()).expect("a key");
            let key = sig::RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
            Box::new(move || key.verify(&sig::RSA_PKCS1_2048_8192_SHA256, black_box(&input), &signature).is_ok())
        }
        Alg::ES256 => {
            let algorithm = &sig::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8(), &SystemRandom::new()).expect("a key");
            let key = sig::UnparsedPublicKey::new(&sig::ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref().to_vec());
            Box::new(move || key.verify(black_box(&input), &signature).is_ok())
        }
        Alg::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8()).expect("a key");
            let key = sig::UnparsedPublicKey::new(&sig::ED25519, pair.public_key().as_ref().to_vec());
            Box::new(move || key.verify(black_box(&input), &signature).is_ok())
        }
    }
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
            let mut out = vec![0; pair.public().modulus_len()];
            Box::new(move || {
                pair.sign(&sig::RSA_PKCS1_SHA256, &random, black_box(&input), &mut out).expect("a signature");
                out.len()
            })
        }
        Alg::ES256 => {
            let algorithm = &sig::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8(), &random).expect("a key");
            Box::new(move || pair.sign(&random, black_box(&input)).expect("a signature").as_ref().len())
        }
        Alg::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8()).expect("a key");
            Box::new(move || pair.sign(black_box(&input)).as_ref().len())
        }
    }
}
