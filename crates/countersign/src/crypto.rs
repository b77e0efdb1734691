//! Signature backends: what turns key material into something that verifies or signs.
//!
//! A backend is a value. Two keys of one process may come from different backends, nothing is global, and
//! nothing here panics.

#[cfg(feature = "ring")]
mod ring;

#[cfg(feature = "ring")]
pub use self::ring::Ring;

use crate::alg::Algorithm;
pub use crate::alg::{Curve, Hash};
use crate::key_error::KeyError;
use std::fmt::{self, Debug};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A signature did not verify. There is nothing more to say, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureMismatch;

/// A signature could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the backend could not sign")]
pub struct SigningFailed;

/// Verifies signatures with one key and one algorithm.
pub trait SignatureVerifier: Debug + Send + Sync + 'static {
    /// Whether `signature` stands over `message`.
    ///
    /// # Errors
    /// [`SignatureMismatch`], whatever the cause.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch>;
}

/// Makes signatures with one key and one algorithm.
pub trait Signer: Debug + Send + Sync + 'static {
    /// The signature over `message`, in JWS form.
    ///
    /// # Errors
    /// [`SigningFailed`] when the backend refuses.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// The public half of a key. Integers are big-endian. It is checked when a key is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicMaterial {
    /// RSA: modulus and exponent, without leading zeros.
    Rsa {
        /// `n`
        modulus: Vec<u8>,
        /// `e`
        exponent: Vec<u8>,
    },
    /// A point on a curve, uncompressed (`04 ‖ x ‖ y`).
    Ec {
        /// The curve.
        curve: Curve,
        /// The point.
        point: Vec<u8>,
    },
    /// An Ed25519 public key.
    Ed25519([u8; 32]),
}

/// A private key or a shared secret. `Debug` shows the kind alone.
#[derive(Clone)]
#[non_exhaustive]
pub enum PrivateMaterial {
    /// RSA with the parameters that RFC 7518 §6.3.2 lists for two primes.
    Rsa(Box<RsaPrivate>),
    /// An EC private scalar with its public point.
    Ec {
        /// The curve.
        curve: Curve,
        /// The scalar, as long as a coordinate.
        scalar: Zeroizing<Vec<u8>>,
        /// The public point, uncompressed.
        point: Vec<u8>,
    },
    /// An Ed25519 seed, and the public key where the source gave it.
    Ed25519 {
        /// The 32 octets of the seed.
        seed: Zeroizing<Vec<u8>>,
        /// The public key, for a consistency check.
        public: Option<[u8; 32]>,
    },
    /// An HMAC secret.
    Secret(crate::secret::Secret),
}

/// The integers of an RSA private key, big-endian without leading zeros.
#[derive(Clone)]
#[expect(missing_docs, reason = "RFC 7518 §6.3 names them")]
#[expect(missing_debug_implementations, reason = "nothing of it may be printed")]
pub struct RsaPrivate {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    pub d: Zeroizing<Vec<u8>>,
    pub p: Zeroizing<Vec<u8>>,
    pub q: Zeroizing<Vec<u8>>,
    pub dp: Zeroizing<Vec<u8>>,
    pub dq: Zeroizing<Vec<u8>>,
    pub qi: Zeroizing<Vec<u8>>,
}

impl Debug for PrivateMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa(_) => "Rsa(…)",
            Self::Ec { .. } => "Ec(…)",
            Self::Ed25519 { .. } => "Ed25519(…)",
            Self::Secret(_) => "Secret(…)",
        })
    }
}

/// What a private key gives: the signer, and the public half unless it is a secret.
#[non_exhaustive]
#[derive(Debug)]
pub struct SigningParts {
    /// Makes the signatures.
    pub signer: Arc<dyn Signer>,
    /// The public half; `None` for a shared secret.
    pub public: Option<PublicMaterial>,
}

impl SigningParts {
    /// These two halves.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, public: Option<PublicMaterial>) -> Self {
        Self { signer, public }
    }
}

/// A cryptographic library behind one face.
pub trait Backend: Debug + Send + Sync + 'static {
    /// A verifier for public keys.
    ///
    /// # Errors
    /// A [`KeyError`] that says why the material cannot serve `algorithm`.
    fn verifier(&self, algorithm: Algorithm, material: &PublicMaterial)
    -> Result<Arc<dyn SignatureVerifier>, KeyError>;

    /// A verifier for a shared secret.
    ///
    /// # Errors
    /// A [`KeyError`] that says why the secret cannot serve `algorithm`.
    fn secret_verifier(&self, algorithm: Algorithm, secret: &[u8]) -> Result<Arc<dyn SignatureVerifier>, KeyError>;

    /// A signer.
    ///
    /// # Errors
    /// A [`KeyError`] that says why the material cannot serve `algorithm`.
    fn signer(&self, algorithm: Algorithm, material: &PrivateMaterial) -> Result<SigningParts, KeyError>;

    /// A fresh private key for `algorithm`, PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] where the backend generates no such keys.
    fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError>;

    /// A digest over the parts, one after the other.
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Vec<u8>;

    /// SHA-256 over the parts, one after the other.
    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32];

    /// Fills `bytes` from a secure random source.
    ///
    /// # Errors
    /// [`SigningFailed`] when the source fails.
    fn random(&self, bytes: &mut [u8]) -> Result<(), SigningFailed>;
}

/// See [`danger::small_rsa_key`](crate::danger::small_rsa_key).
pub(crate) fn small_rsa_verifier(
    algorithm: Algorithm,
    material: &PublicMaterial,
) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
    #[cfg(feature = "ring")]
    return ring::small_rsa_verifier(algorithm, material);
    #[cfg(not(feature = "ring"))]
    {
        let _ = (algorithm, material);
        Err(KeyError::NoBackend)
    }
}

/// The backend that constructors use where the caller names none.
pub(crate) fn default_backend() -> Result<&'static dyn Backend, KeyError> {
    #[cfg(feature = "ring")]
    return Ok(&Ring);
    #[cfg(not(feature = "ring"))]
    Err(KeyError::NoBackend)
}
