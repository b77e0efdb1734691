use super::{
    Backend, Curve, Hash, PrivateMaterial, PublicMaterial, SignatureMismatch, SignatureVerifier, Signer, SigningFailed,
    SigningParts,
};
use crate::alg::{Algorithm, Family};
use crate::key_error::KeyError;
use curve25519_dalek::constants::EIGHT_TORSION;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use ring::{agreement, digest, hmac};
use std::fmt;
use std::sync::{Arc, LazyLock};
use zeroize::Zeroizing;

/// The *ring* library: everything but RSA key generation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ring;

impl Backend for Ring {
    fn verifier(
        &self,
        algorithm: Algorithm,
        material: &PublicMaterial,
    ) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        match material {
            PublicMaterial::Rsa { modulus, exponent } => Ok(Arc::new(RsaVerifier {
                parameters: rsa_verification(algorithm)?,
                key: sig::RsaPublicKeyComponents { n: modulus.clone(), e: exponent.clone() },
            })),
            PublicMaterial::Ec { curve, point } => {
                if algorithm.family() != Family::Ec(*curve) {
                    return Err(KeyError::WrongAlgorithm);
                }
                if !is_on_curve(*curve, point) {
                    return Err(KeyError::Invalid("the point is not on its curve"));
                }
                let algorithm: &'static dyn sig::VerificationAlgorithm = match curve {
                    Curve::P256 => &sig::ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &sig::ECDSA_P384_SHA384_FIXED,
                };
                Ok(Arc::new(PointVerifier(sig::UnparsedPublicKey::new(algorithm, point.clone()))))
            }
            PublicMaterial::Ed25519(key) => {
                if algorithm.family() != Family::Ed25519 {
                    return Err(KeyError::WrongAlgorithm);
                }
                Ok(Arc::new(EdVerifier(sig::UnparsedPublicKey::new(&sig::ED25519, *key))))
            }
        }
    }

    fn secret_verifier(&self, algorithm: Algorithm, secret: &[u8]) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        Ok(Arc::new(Hmac(hmac::Key::new(hmac_algorithm(algorithm)?, secret))))
    }

    fn signer(&self, algorithm: Algorithm, material: &PrivateMaterial) -> Result<SigningParts, KeyError> {
        match material {
            PrivateMaterial::Secret(secret) => {
                let key = hmac::Key::new(hmac_algorithm(algorithm)?, secret.expose());
                Ok(SigningParts::new(Arc::new(Hmac(key)), None))
            }
            PrivateMaterial::Rsa(rsa) => {
                let padding = rsa_padding(algorithm)?;
                let components = ring::rsa::KeyPairComponents {
                    public_key: sig::RsaPublicKeyComponents { n: &rsa.n[..], e: &rsa.e[..] },
                    d: &rsa.d[..],
                    p: &rsa.p[..],
                    q: &rsa.q[..],
                    dP: &rsa.dp[..],
                    dQ: &rsa.dq[..],
                    qInv: &rsa.qi[..],
                };
                let bad = KeyError::Invalid("the RSA private key is inconsistent or too weak");
                let pair = RsaKeyPair::from_components(&components).map_err(|_| bad)?;
                let signer = RsaSigner { pair, padding, random: SystemRandom::new() };
                // ring finds some damage only in the signatures that it makes: better now than at the first token.
                signer.sign(b"").map_err(|SigningFailed| bad)?;
                let public = PublicMaterial::Rsa { modulus: rsa.n.clone(), exponent: rsa.e.clone() };
                Ok(SigningParts::new(Arc::new(signer), Some(public)))
            }
            PrivateMaterial::Ec { curve, scalar, point } => {
                if algorithm.family() != Family::Ec(*curve) {
                    return Err(KeyError::WrongAlgorithm);
                }
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(ecdsa_signing(*curve), scalar, point, &random)
                    .map_err(|_| KeyError::Invalid("the EC private key does not fit its public key"))?;
                let public = PublicMaterial::Ec { curve: *curve, point: point.clone() };
                Ok(SigningParts::new(Arc::new(EcSigner { pair, random }), Some(public)))
            }
            PrivateMaterial::Ed25519 { seed, public } => {
                if algorithm.family() != Family::Ed25519 {
                    return Err(KeyError::WrongAlgorithm);
                }
                let pair = match public {
                    Some(public) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
                    None => Ed25519KeyPair::from_seed_unchecked(seed),
                }
                .map_err(|_| KeyError::Invalid("the Ed25519 private key does not fit its public key"))?;
                let public: [u8; 32] = pair
                    .public_key()
                    .as_ref()
                    .try_into()
                    .map_err(|_| KeyError::Invalid("an Ed25519 public key has 32 octets"))?;
                Ok(SigningParts::new(Arc::new(EdSigner(pair)), Some(PublicMaterial::Ed25519(public))))
            }
        }
    }

    fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let random = SystemRandom::new();
        let document = match algorithm.family() {
            Family::Ec(curve) => EcdsaKeyPair::generate_pkcs8(ecdsa_signing(curve), &random),
            Family::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
            Family::Rsa => return Err(KeyError::Unsupported("ring generates no RSA keys")),
            Family::Hmac => return Err(KeyError::Unsupported("a secret has no PKCS#8 form")),
        };
        let document = document.map_err(|_| KeyError::Invalid("the random source failed"))?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = digest::Context::new(match hash {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        });
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(&self.digest(Hash::Sha256, parts));
        out
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), SigningFailed> {
        SystemRandom::new().fill(bytes).map_err(|_| SigningFailed)
    }
}

/// For [`danger::small_rsa_key`](crate::danger::small_rsa_key), and out of reach otherwise.
pub(crate) fn small_rsa_verifier(
    algorithm: Algorithm,
    material: &PublicMaterial,
) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
    let PublicMaterial::Rsa { modulus, exponent } = material else { return Err(KeyError::WrongAlgorithm) };
    let parameters = match algorithm {
        Algorithm::RS256 => &sig::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Algorithm::RS512 => &sig::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        _ => return Err(KeyError::Unsupported("a small RSA key for anything but RS256 and RS512")),
    };
    let key = sig::RsaPublicKeyComponents { n: modulus.clone(), e: exponent.clone() };
    Ok(Arc::new(RsaVerifier { parameters, key }))
}

fn rsa_verification(algorithm: Algorithm) -> Result<&'static sig::RsaParameters, KeyError> {
    Ok(match algorithm {
        Algorithm::RS256 => &sig::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &sig::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &sig::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &sig::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &sig::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &sig::RSA_PSS_2048_8192_SHA512,
        _ => return Err(KeyError::WrongAlgorithm),
    })
}

fn rsa_padding(algorithm: Algorithm) -> Result<&'static dyn sig::RsaEncoding, KeyError> {
    Ok(match algorithm {
        Algorithm::RS256 => &sig::RSA_PKCS1_SHA256,
        Algorithm::RS384 => &sig::RSA_PKCS1_SHA384,
        Algorithm::RS512 => &sig::RSA_PKCS1_SHA512,
        Algorithm::PS256 => &sig::RSA_PSS_SHA256,
        Algorithm::PS384 => &sig::RSA_PSS_SHA384,
        Algorithm::PS512 => &sig::RSA_PSS_SHA512,
        _ => return Err(KeyError::WrongAlgorithm),
    })
}

fn hmac_algorithm(algorithm: Algorithm) -> Result<hmac::Algorithm, KeyError> {
    Ok(match algorithm {
        Algorithm::HS256 => hmac::HMAC_SHA256,
        Algorithm::HS384 => hmac::HMAC_SHA384,
        Algorithm::HS512 => hmac::HMAC_SHA512,
        _ => return Err(KeyError::WrongAlgorithm),
    })
}

fn ecdsa_signing(curve: Curve) -> &'static sig::EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &sig::ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &sig::ECDSA_P384_SHA384_FIXED_SIGNING,
    }
}

/// Key agreement is where ring validates a peer's point and says so; a failed verification would say nothing.
fn is_on_curve(curve: Curve, point: &[u8]) -> bool {
    let algorithm = match curve {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::P384 => &agreement::ECDH_P384,
    };
    let Ok(ephemeral) = agreement::EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()) else {
        return false;
    };
    let peer = agreement::UnparsedPublicKey::new(algorithm, point);
    agreement::agree_ephemeral(ephemeral, &peer, |_| ()).is_ok()
}

struct RsaVerifier {
    parameters: &'static sig::RsaParameters,
    key: sig::RsaPublicKeyComponents<Vec<u8>>,
}

impl SignatureVerifier for RsaVerifier {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.key.verify(self.parameters, message, signature).map_err(|_| SignatureMismatch)
    }
}

struct PointVerifier(sig::UnparsedPublicKey<Vec<u8>>);

impl SignatureVerifier for PointVerifier {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.0.verify(message, signature).map_err(|_| SignatureMismatch)
    }
}

struct EdVerifier(sig::UnparsedPublicKey<[u8; 32]>);

impl SignatureVerifier for EdVerifier {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        // ring refuses an S beyond the group's order and an R in a second spelling, and takes an R of small order, which
        // only somebody who means to confuse verifiers makes (RFC 8032 §8.4 leaves that open).
        if SMALL_ORDER.iter().any(|point| signature.starts_with(point)) {
            return Err(SignatureMismatch);
        }
        self.0.verify(message, signature).map_err(|_| SignatureMismatch)
    }
}

/// The eight points whose order divides 8.
static SMALL_ORDER: LazyLock<[[u8; 32]; 8]> =
    LazyLock::new(|| EIGHT_TORSION.each_ref().map(|point| point.compress().to_bytes()));

struct Hmac(hmac::Key);

impl SignatureVerifier for Hmac {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureMismatch)
    }
}

impl Signer for Hmac {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

struct RsaSigner {
    pair: RsaKeyPair,
    padding: &'static dyn sig::RsaEncoding,
    random: SystemRandom,
}

impl Signer for RsaSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(self.padding, &self.random, message, &mut signature).map_err(|_| SigningFailed)?;
        Ok(signature)
    }
}

struct EcSigner {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer for EcSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| SigningFailed)?;
        Ok(signature.as_ref().to_vec())
    }
}

struct EdSigner(Ed25519KeyPair);

impl Signer for EdSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

/// The name alone: none of these may print what it holds.
macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
opaque_debug!(RsaVerifier, PointVerifier, EdVerifier, Hmac, RsaSigner, EcSigner, EdSigner);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use curve25519_dalek::scalar::Scalar;

    /// What the holder of the key can make by choosing the nonce zero: R is the neutral point, and S is k·a.
    #[test]
    fn an_ed25519_signature_with_an_r_of_small_order_is_refused() {
        let seed = [7; 32];
        let material = PrivateMaterial::Ed25519 { seed: Zeroizing::new(seed.to_vec()), public: None };
        let key = SigningKey::from_material(&Ring, Algorithm::Ed25519, &material).expect("a key");
        let Some(PublicMaterial::Ed25519(public)) = key.verifying_key().jwk().map(|jwk| jwk.material().clone()) else {
            panic!("an Ed25519 key")
        };
        let hash = |parts: &[&[u8]]| -> [u8; 64] { Ring.digest(Hash::Sha512, parts).try_into().expect("64 octets") };
        let mut scalar: [u8; 32] = hash(&[&seed])[..32].try_into().expect("32 octets");
        scalar[0] &= 248;
        scalar[31] = scalar[31] & 127 | 64;
        let neutral = EIGHT_TORSION[0].compress().to_bytes();
        let challenge = Scalar::from_bytes_mod_order_wide(&hash(&[&neutral, &public, b"m"]));
        let s = challenge * Scalar::from_bytes_mod_order(scalar);
        let signature = [neutral, s.to_bytes()].concat();
        let plain = sig::UnparsedPublicKey::new(&sig::ED25519, public);
        assert!(plain.verify(b"m", &signature).is_ok(), "ring alone takes it: the test is about something");
        assert_eq!(key.verifying_key().verify(b"m", &signature), Err(SignatureMismatch));
    }
}
