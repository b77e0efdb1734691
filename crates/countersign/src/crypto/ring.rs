use super::{
    Backend, Curve, Hash, PrivateMaterial, PublicMaterial, SignatureMismatch, SignatureVerifier, Signer, SigningFailed,
    SigningParts, check_ed25519_r, opaque_debug,
};
use crate::alg::{Algorithm, Family};
use crate::key_error::KeyError;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use ring::{agreement, digest, hmac};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The *ring* library: everything but ES512, ES256K, ML-DSA and RSA key generation.
///
/// ```
/// use countersign::crypto::{Backend, Ring};
/// use countersign::keys::KeyError;
/// use countersign::{Algorithm, VerifyingKey};
///
/// let key = VerifyingKey::from_secret_with(&Ring, Algorithm::HS256, &[7; 32])?;
/// assert!(key.verify(b"message", b"no signature").is_err());
/// assert!(matches!(Ring.generate(Algorithm::ES512), Err(KeyError::Unsupported(_))));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ring;

const NOT_IN_RING: KeyError = KeyError::Unsupported("ring has no such algorithm; the feature `aws-lc` does");

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
                let (ecdsa, ecdh): (&'static dyn sig::VerificationAlgorithm, _) = match curve {
                    Curve::P256 => (&sig::ECDSA_P256_SHA256_FIXED, &agreement::ECDH_P256),
                    Curve::P384 => (&sig::ECDSA_P384_SHA384_FIXED, &agreement::ECDH_P384),
                    Curve::P521 | Curve::Secp256k1 => return Err(NOT_IN_RING),
                };
                if !is_on_curve(ecdh, point) {
                    return Err(KeyError::Invalid("the point is not on its curve"));
                }
                Ok(Arc::new(PointVerifier(sig::UnparsedPublicKey::new(ecdsa, point.clone()))))
            }
            PublicMaterial::Ed25519(key) => {
                if algorithm.family() != Family::Ed25519 {
                    return Err(KeyError::WrongAlgorithm);
                }
                Ok(Arc::new(EdVerifier(sig::UnparsedPublicKey::new(&sig::ED25519, *key))))
            }
            PublicMaterial::Akp { algorithm: own, .. } => Err(akp_refusal(algorithm, *own)),
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
                let pair =
                    EcdsaKeyPair::from_private_key_and_public_key(ecdsa_signing(*curve)?, scalar, point, &random)
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
            PrivateMaterial::Akp { algorithm: own, .. } => Err(akp_refusal(algorithm, *own)),
        }
    }

    fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let random = SystemRandom::new();
        let document = match algorithm.family() {
            Family::Ec(curve) => EcdsaKeyPair::generate_pkcs8(ecdsa_signing(curve)?, &random),
            Family::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
            Family::Rsa => return Err(KeyError::Unsupported("ring generates no RSA keys")),
            Family::Akp(_) => return Err(NOT_IN_RING),
            Family::Hmac => return Err(KeyError::Unsupported("a secret has no PKCS#8 form")),
        };
        let document = document.map_err(|_| KeyError::Invalid("the random source failed"))?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Vec<u8> {
        let algorithm = match hash {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        digest_of(algorithm, parts).as_ref().to_vec()
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest_of(&digest::SHA256, parts).as_ref());
        out
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), SigningFailed> {
        SystemRandom::new().fill(bytes).map_err(|_| SigningFailed)
    }
}

fn digest_of(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish()
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

fn ecdsa_signing(curve: Curve) -> Result<&'static sig::EcdsaSigningAlgorithm, KeyError> {
    match curve {
        Curve::P256 => Ok(&sig::ECDSA_P256_SHA256_FIXED_SIGNING),
        Curve::P384 => Ok(&sig::ECDSA_P384_SHA384_FIXED_SIGNING),
        Curve::P521 | Curve::Secp256k1 => Err(NOT_IN_RING),
    }
}

fn akp_refusal(wanted: Algorithm, own: Algorithm) -> KeyError {
    if wanted == own { NOT_IN_RING } else { KeyError::WrongAlgorithm }
}

/// Key agreement is where ring validates a peer's point and says so; a failed verification would say nothing.
fn is_on_curve(algorithm: &'static agreement::Algorithm, point: &[u8]) -> bool {
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
        check_ed25519_r(signature)?;
        self.0.verify(message, signature).map_err(|_| SignatureMismatch)
    }
}

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

opaque_debug!(RsaVerifier, PointVerifier, EdVerifier, Hmac, RsaSigner, EcSigner, EdSigner);
