use super::{
    Backend, Curve, Hash, PrivateMaterial, PublicMaterial, RsaSize, SignatureMismatch, SignatureVerifier, Signer,
    SigningFailed, SigningParts, check_ed25519_r, opaque_debug,
};
use crate::alg::{Algorithm, Family};
use crate::config::ConfigError;
use crate::key_error::KeyError;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, PqdsaKeyPair, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac, rsa};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The *aws-lc* library, with everything in [`Algorithm`]. Public keys are parsed when a key is built, and not again.
///
/// For the FIPS module of aws-lc an application says so in its own `Cargo.toml`. Cargo adds the features of a crate up, so this
/// backend then runs on it; building it takes CMake and Go. [`fips`](Self::fips) makes sure that it has come about, and of nothing
/// else: where `ring` is on as well, what names no backend is ring's. `countersign-keys` and `countersign-cache` turn it on
/// among their defaults.
///
/// ```toml
/// aws-lc-rs = { version = "1", default-features = false, features = ["fips"] }
/// countersign = { version = "0.1", default-features = false, features = ["aws-lc"] }
/// countersign-keys = { version = "0.1", default-features = false, features = ["aws-lc", "http"] }
/// countersign-cache = { version = "0.1", default-features = false, features = ["aws-lc", "follower", "redis"] }
/// ```
///
/// `docs/KEYS.md` says what stays outside of the module, such as the TLS of the feature `http`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl AwsLc {
    /// This backend, if what is linked is the FIPS module of aws-lc, in FIPS mode.
    ///
    /// # Errors
    /// [`ConfigError`] for `fips` where it is not.
    ///
    /// ```
    /// use countersign::crypto::AwsLc;
    ///
    /// // This build does without.
    /// assert_eq!(AwsLc::fips().expect_err("no FIPS module").setting(), "fips");
    /// ```
    pub fn fips() -> Result<Self, ConfigError> {
        match aws_lc_rs::try_fips_mode() {
            Ok(()) => Ok(Self),
            Err(_) => Err(ConfigError::new("fips", "the FIPS module of aws-lc is not linked, or not in FIPS mode")),
        }
    }
}

const FAILED: KeyError = KeyError::Invalid("the key could not be generated");

impl Backend for AwsLc {
    fn verifier(
        &self,
        algorithm: Algorithm,
        material: &PublicMaterial,
    ) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        match material {
            PublicMaterial::Rsa { .. } => parsed_rsa(rsa_verification(algorithm)?, material),
            PublicMaterial::Ec { curve, point } => {
                if algorithm.family() != Family::Ec(*curve) {
                    return Err(KeyError::WrongAlgorithm);
                }
                let key = uncompressed(*curve, point)
                    .and_then(|point| ParsedPublicKey::new(ecdsa_verification(*curve), point).ok());
                Ok(Arc::new(Parsed(key.ok_or(KeyError::Invalid("the point is not on its curve"))?)))
            }
            PublicMaterial::Ed25519(key) => {
                if algorithm.family() != Family::Ed25519 {
                    return Err(KeyError::WrongAlgorithm);
                }
                let key = ParsedPublicKey::new(&sig::ED25519, key)
                    .map_err(|_| KeyError::Invalid("the octets are no Ed25519 public key"))?;
                Ok(Arc::new(EdVerifier(key)))
            }
            PublicMaterial::Akp { algorithm: own, public } => {
                if algorithm != *own {
                    return Err(KeyError::WrongAlgorithm);
                }
                let parameters = ml_dsa_verification(algorithm)?;
                // Without this a SubjectPublicKeyInfo would do as well.
                if algorithm.akp_public_len() != Some(public.len()) {
                    return Err(KeyError::Malformed("the ML-DSA public key has the wrong length"));
                }
                let key = ParsedPublicKey::new(parameters, public)
                    .map_err(|_| KeyError::Invalid("the octets are no ML-DSA public key"))?;
                Ok(Arc::new(Parsed(key)))
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
                let components = rsa::KeyPairComponents {
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
                let signer = RsaSigner { pair, padding };
                // The factors are not tested for being prime: better a signature that fails now than at the first token.
                signer.sign(b"").map_err(|SigningFailed| bad)?;
                let public = PublicMaterial::Rsa { modulus: rsa.n.clone(), exponent: rsa.e.clone() };
                Ok(SigningParts::new(Arc::new(signer), Some(public)))
            }
            PrivateMaterial::Ec { curve, scalar, point } => {
                if algorithm.family() != Family::Ec(*curve) {
                    return Err(KeyError::WrongAlgorithm);
                }
                let bad = KeyError::Invalid("the EC private key does not fit its public key");
                // A shorter scalar and a compressed point would do as well.
                let octets =
                    uncompressed(*curve, point).filter(|_| scalar.len() == curve.coordinate_len()).ok_or(bad)?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(ecdsa_signing(*curve), scalar, octets)
                    .map_err(|_| bad)?;
                let public = PublicMaterial::Ec { curve: *curve, point: point.clone() };
                Ok(SigningParts::new(Arc::new(EcSigner(pair)), Some(public)))
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
            PrivateMaterial::Akp { algorithm: own, seed, public } => {
                if algorithm != *own {
                    return Err(KeyError::WrongAlgorithm);
                }
                let pair = PqdsaKeyPair::from_seed(ml_dsa_signing(algorithm)?, seed)
                    .map_err(|_| KeyError::Invalid("the octets are no ML-DSA seed"))?;
                let derived = pair.public_key().as_ref().to_vec();
                if public.as_ref().is_some_and(|public| *public != derived) {
                    return Err(KeyError::Invalid("the ML-DSA private key does not fit its public key"));
                }
                let public = PublicMaterial::Akp { algorithm, public: derived };
                Ok(SigningParts::new(Arc::new(MlDsaSigner(pair)), Some(public)))
            }
        }
    }

    fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let random = SystemRandom::new();
        let document = match algorithm.family() {
            Family::Ec(curve) => EcdsaKeyPair::generate_pkcs8(ecdsa_signing(curve), &random),
            Family::Ed25519 => Ed25519KeyPair::generate_pkcs8v1(&random),
            Family::Akp(_) => PqdsaKeyPair::generate(ml_dsa_signing(algorithm)?).and_then(|pair| pair.to_pkcs8v1()),
            Family::Rsa => return self.generate_rsa(RsaSize::Bits2048),
            Family::Hmac => return Err(KeyError::Unsupported("a secret has no PKCS#8 form")),
        };
        Ok(Zeroizing::new(document.map_err(|_| FAILED)?.as_ref().to_vec()))
    }

    fn generate_rsa(&self, size: RsaSize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let size = match size {
            RsaSize::Bits2048 => KeySize::Rsa2048,
            RsaSize::Bits3072 => KeySize::Rsa3072,
            RsaSize::Bits4096 => KeySize::Rsa4096,
        };
        let document = RsaKeyPair::generate(size).and_then(|pair| pair.as_der()).map_err(|_| FAILED)?;
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
#[cfg(any(test, not(feature = "ring")))]
pub(crate) fn small_rsa_verifier(
    algorithm: Algorithm,
    material: &PublicMaterial,
) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
    let parameters = match algorithm {
        Algorithm::RS256 => &sig::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Algorithm::RS512 => &sig::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        _ => return Err(KeyError::Unsupported("a small RSA key for anything but RS256 and RS512")),
    };
    parsed_rsa(parameters, material)
}

fn parsed_rsa(
    parameters: &'static sig::RsaParameters,
    material: &PublicMaterial,
) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
    let PublicMaterial::Rsa { modulus, exponent } = material else { return Err(KeyError::WrongAlgorithm) };
    let key = sig::RsaPublicKeyComponents { n: &modulus[..], e: &exponent[..] }
        .to_parsed_public_key(parameters)
        .map_err(|_| KeyError::Invalid("the integers make no RSA public key"))?;
    Ok(Arc::new(Parsed(key)))
}

/// The point in the one form that we take; the library takes compressed points and SubjectPublicKeyInfo, too.
fn uncompressed(curve: Curve, point: &[u8]) -> Option<&[u8]> {
    (point.len() == 1 + 2 * curve.coordinate_len() && point.first() == Some(&4)).then_some(point)
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

fn ecdsa_verification(curve: Curve) -> &'static sig::EcdsaVerificationAlgorithm {
    match curve {
        Curve::P256 => &sig::ECDSA_P256_SHA256_FIXED,
        Curve::P384 => &sig::ECDSA_P384_SHA384_FIXED,
        Curve::P521 => &sig::ECDSA_P521_SHA512_FIXED,
        Curve::Secp256k1 => &sig::ECDSA_P256K1_SHA256_FIXED,
    }
}

fn ecdsa_signing(curve: Curve) -> &'static sig::EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &sig::ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &sig::ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &sig::ECDSA_P521_SHA512_FIXED_SIGNING,
        Curve::Secp256k1 => &sig::ECDSA_P256K1_SHA256_FIXED_SIGNING,
    }
}

fn ml_dsa_verification(algorithm: Algorithm) -> Result<&'static sig::PqdsaVerificationAlgorithm, KeyError> {
    Ok(match algorithm {
        Algorithm::MlDsa44 => &sig::ML_DSA_44,
        Algorithm::MlDsa65 => &sig::ML_DSA_65,
        Algorithm::MlDsa87 => &sig::ML_DSA_87,
        _ => return Err(KeyError::WrongAlgorithm),
    })
}

fn ml_dsa_signing(algorithm: Algorithm) -> Result<&'static sig::PqdsaSigningAlgorithm, KeyError> {
    Ok(match algorithm {
        Algorithm::MlDsa44 => &sig::ML_DSA_44_SIGNING,
        Algorithm::MlDsa65 => &sig::ML_DSA_65_SIGNING,
        Algorithm::MlDsa87 => &sig::ML_DSA_87_SIGNING,
        _ => return Err(KeyError::WrongAlgorithm),
    })
}

/// RSA, ECDSA and ML-DSA.
struct Parsed(ParsedPublicKey);

impl SignatureVerifier for Parsed {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.0.verify_sig(message, signature).map_err(|_| SignatureMismatch)
    }
}

struct EdVerifier(ParsedPublicKey);

impl SignatureVerifier for EdVerifier {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        check_ed25519_r(signature)?;
        self.0.verify_sig(message, signature).map_err(|_| SignatureMismatch)
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

// Where these take a source of randomness they use the library's own instead.
struct RsaSigner {
    pair: RsaKeyPair,
    padding: &'static dyn sig::RsaEncoding,
}

impl Signer for RsaSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(self.padding, &SystemRandom::new(), message, &mut signature).map_err(|_| SigningFailed)?;
        Ok(signature)
    }
}

struct EcSigner(EcdsaKeyPair);

impl Signer for EcSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| SigningFailed)?;
        Ok(signature.as_ref().to_vec())
    }
}

struct EdSigner(Ed25519KeyPair);

impl Signer for EdSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.0.try_sign(message).map_err(|_| SigningFailed)?;
        Ok(signature.as_ref().to_vec())
    }
}

struct MlDsaSigner(PqdsaKeyPair);

impl Signer for MlDsaSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let mut signature = vec![0; self.0.algorithm().signature_len()];
        let len = self.0.sign(message, &mut signature).map_err(|_| SigningFailed)?;
        signature.truncate(len);
        Ok(signature)
    }
}

opaque_debug!(Parsed, EdVerifier, Hmac, RsaSigner, EcSigner, EdSigner, MlDsaSigner);
