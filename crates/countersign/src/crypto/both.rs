//! The backend of constructors that name none, where both libraries are compiled in.

use super::{
    AwsLc, Backend, Hash, PrivateMaterial, PublicMaterial, Ring, RsaSize, SignatureVerifier, SigningFailed,
    SigningParts,
};
use crate::alg::{Algorithm, Curve, Family};
use crate::key_error::KeyError;
use std::sync::Arc;
use zeroize::Zeroizing;

/// ring, and aws-lc for what ring lacks: with aws-lc beside it, nothing that ring does is done otherwise.
#[derive(Debug)]
pub(super) struct RingFirst;

fn backend(algorithm: Algorithm) -> &'static dyn Backend {
    match algorithm.family() {
        Family::Ec(Curve::P521 | Curve::Secp256k1) | Family::Akp(_) => &AwsLc,
        Family::Ec(Curve::P256 | Curve::P384) | Family::Ed25519 | Family::Hmac | Family::Rsa => &Ring,
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for RingFirst {
    fn verifier(
        &self,
        algorithm: Algorithm,
        material: &PublicMaterial,
    ) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        backend(algorithm).verifier(algorithm, material)
    }

    fn secret_verifier(&self, algorithm: Algorithm, secret: &[u8]) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        backend(algorithm).secret_verifier(algorithm, secret)
    }

    fn signer(&self, algorithm: Algorithm, material: &PrivateMaterial) -> Result<SigningParts, KeyError> {
        backend(algorithm).signer(algorithm, material)
    }

    fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match algorithm.family() {
            Family::Rsa => AwsLc.generate(algorithm),
            _ => backend(algorithm).generate(algorithm),
        }
    }

    fn generate_rsa(&self, size: RsaSize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        AwsLc.generate_rsa(size)
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Vec<u8> {
        Ring.digest(hash, parts)
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        Ring.sha256(parts)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), SigningFailed> {
        Ring.random(bytes)
    }
}
