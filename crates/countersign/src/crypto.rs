//! Signature backends: what turns key material into something that verifies or signs.
//!
//! A backend is a value. Two keys of one process may come from different backends, nothing is global, and
//! nothing here panics.
//!
//! | | [`Ring`](https://docs.rs/ring), feature `ring` | [`AwsLc`](https://docs.rs/aws-lc-rs), feature `aws-lc` |
//! |---|---|---|
//! | HS, RS, PS 256/384/512, ES256, ES384, Ed25519 | yes | yes |
//! | ES512, ES256K, ML-DSA-44/65/87 | no | yes |
//! | RSA keys generated | no | yes |
//! | public keys parsed | RSA and EC at each verification | once |
//!
//! Both give the same verdict on every signature. Constructors that name no backend use the one that is compiled in. Where
//! both are, they use ring, and aws-lc for the algorithms and the key generation that ring lacks: to turn `aws-lc` on
//! changes nothing for keys that there were without it. To have a key on aws-lc, say so:
//!
#![cfg_attr(all(feature = "aws-lc", feature = "ring"), doc = "```")]
#![cfg_attr(not(all(feature = "aws-lc", feature = "ring")), doc = "```ignore")]
//! use countersign::crypto::AwsLc;
//! use countersign::{Algorithm, SigningKey};
//!
//! let key = SigningKey::generate(Algorithm::ES256)?; // ring, if it is there
//! let public = key.verifying_key().with_backend(&AwsLc)?;
//! let signature = key.sign(b"message")?;
//! assert!(public.verify(b"message", &signature).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without either, what needs a signature or a hash is refused with [`KeyError::NoBackend`](crate::keys::KeyError), or the
//! [`ConfigError`](crate::ConfigError) of the same meaning, unless the caller has a [`Backend`] of its own. `countersign-jsonwebtoken` has one that is Rust alone.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(all(feature = "aws-lc", feature = "ring"))]
mod both;
mod edwards;
#[cfg(feature = "ring")]
mod ring;

#[cfg(feature = "aws-lc")]
pub use self::aws_lc::AwsLc;
pub use self::edwards::check_ed25519_r;
#[cfg(feature = "ring")]
pub use self::ring::Ring;

use crate::alg::Algorithm;
pub use crate::alg::{Curve, Hash};
use crate::key_error::KeyError;
use std::fmt::{self, Debug};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A signature did not verify. There is nothing more to say, on purpose.
///
/// ```
/// use countersign::crypto::SignatureMismatch;
/// use countersign::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let signature = key.sign(b"pay 12")?;
/// assert_eq!(key.verifying_key().verify(b"pay 1200", &signature), Err(SignatureMismatch));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureMismatch;

/// A signature could not be made.
///
/// ```
/// use countersign::crypto::SigningFailed;
/// use countersign::jws::SignError;
///
/// // What a `Signer` says when its hardware does not answer, as it reaches who calls `jws::sign`.
/// let error = SignError::from(SigningFailed);
/// assert_eq!(error, SignError::Signing(SigningFailed));
/// assert_eq!(error.to_string(), "the backend could not sign");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the backend could not sign")]
pub struct SigningFailed;

/// Verifies signatures with one key and one algorithm.
///
/// ```
/// use countersign::crypto::{SignatureMismatch, SignatureVerifier};
/// use countersign::{Algorithm, VerifyingKey};
///
/// /// A key that some hardware holds.
/// #[derive(Debug)]
/// struct InHardware;
///
/// impl SignatureVerifier for InHardware {
///     fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
///         if ask_it(message, signature) { Ok(()) } else { Err(SignatureMismatch) }
///     }
/// }
/// # fn ask_it(_: &[u8], _: &[u8]) -> bool { false }
///
/// let key = VerifyingKey::custom(Algorithm::ES256, [7; 32], InHardware);
/// assert!(key.verify(b"message", b"no signature").is_err());
/// ```
pub trait SignatureVerifier: Debug + Send + Sync + 'static {
    /// Whether `signature` stands over `message`.
    ///
    /// # Errors
    /// [`SignatureMismatch`], whatever the cause.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch>;
}

/// Makes signatures with one key and one algorithm.
///
/// ```
/// use countersign::crypto::{Signer, SigningFailed};
///
/// /// A key that some hardware holds. One that is reached over the network is a `RemoteSigner`.
/// #[derive(Debug)]
/// struct InHardware;
///
/// impl Signer for InHardware {
///     fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
///         ask_it(message).ok_or(SigningFailed) // of ECDSA, R and S: not DER
///     }
/// }
/// # fn ask_it(_: &[u8]) -> Option<Vec<u8>> { None }
/// # assert!(InHardware.sign(b"message").is_err());
/// ```
pub trait Signer: Debug + Send + Sync + 'static {
    /// The signature over `message`, in JWS form.
    ///
    /// # Errors
    /// [`SigningFailed`] when the backend refuses.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// The public half of a key. Integers are big-endian. It is checked when a key is made of it.
///
/// ```
/// use countersign::crypto::PublicMaterial;
/// use countersign::keys::KeyError;
///
/// // The neutral element: every signature of a certain form would verify under it.
/// let mut neutral = [0; 32];
/// neutral[0] = 1;
/// assert!(matches!(PublicMaterial::Ed25519(neutral).checked(), Err(KeyError::Invalid(_) | KeyError::Weak(_))));
/// ```
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
    /// An "Algorithm Key Pair" (RFC 9964): ML-DSA.
    Akp {
        /// The one algorithm of the key.
        algorithm: Algorithm,
        /// `pub`
        public: Vec<u8>,
    },
}

/// A private key or a shared secret. `Debug` shows the kind alone.
///
/// ```
/// use countersign::crypto::{PrivateMaterial, default_backend};
/// use countersign::secret::Secret;
/// use countersign::{Algorithm, SigningKey};
///
/// let material = PrivateMaterial::Secret(Secret::new([7; 32]));
/// assert_eq!(format!("{material:?}"), "Secret(…)");
/// let key = SigningKey::from_material(default_backend()?, Algorithm::HS256, &material)?;
/// # let _ = key;
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
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
    /// An "Algorithm Key Pair" (RFC 9964): ML-DSA.
    Akp {
        /// The one algorithm of the key.
        algorithm: Algorithm,
        /// `priv`: the 32 octets of the seed.
        seed: Zeroizing<Vec<u8>>,
        /// `pub`, for a consistency check.
        public: Option<Vec<u8>>,
    },
    /// An HMAC secret.
    Secret(crate::secret::Secret),
}

/// The integers of an RSA private key, big-endian without leading zeros.
///
/// ```
/// use countersign::crypto::{PrivateMaterial, RsaPrivate, default_backend};
/// use countersign::{Algorithm, SigningKey};
///
/// /// A key of another library, by its integers.
/// fn key(n: Vec<u8>, e: Vec<u8>, secret: [Vec<u8>; 6]) -> Result<SigningKey, countersign::keys::KeyError> {
///     let [d, p, q, dp, dq, qi] = secret.map(Into::into);
///     let material = PrivateMaterial::Rsa(Box::new(RsaPrivate { n, e, d, p, q, dp, dq, qi }));
///     SigningKey::from_material(default_backend()?, Algorithm::PS256, &material)
/// }
/// assert!(key(vec![0xc1; 256], vec![1, 0, 1], [const { Vec::new() }; 6]).is_err(), "integers that are no key");
/// ```
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
            Self::Akp { .. } => "Akp(…)",
            Self::Secret(_) => "Secret(…)",
        })
    }
}

/// How long the modulus of a fresh RSA key is.
///
/// ```
/// use countersign::crypto::RsaSize;
/// use countersign::keys::KeyError;
/// use countersign::{Algorithm, SigningKey};
///
/// match SigningKey::generate_rsa(Algorithm::PS256, RsaSize::Bits3072) {
///     Ok(key) => assert_eq!(key.algorithm(), Algorithm::PS256),
///     Err(error) => assert!(matches!(error, KeyError::Unsupported(_))), // without the feature `aws-lc`
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RsaSize {
    /// 2048 bits, the least that RFC 7518 §3.3 allows.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

/// What a private key gives: the signer, and the public half unless it is a secret.
///
/// ```
/// use countersign::Algorithm;
/// use countersign::crypto::{PrivateMaterial, PublicMaterial, default_backend};
/// use zeroize::Zeroizing;
///
/// let seed = PrivateMaterial::Ed25519 { seed: Zeroizing::new(vec![7; 32]), public: None };
/// let parts = default_backend()?.signer(Algorithm::Ed25519, &seed)?;
/// assert_eq!(parts.signer.sign(b"message")?.len(), 64);
/// assert!(matches!(parts.public, Some(PublicMaterial::Ed25519(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// Keys take one where they are made, and a backend can be made of another one: this one leaves RSA out.
///
/// ```
/// use countersign::crypto::{
///     Backend, Hash, PrivateMaterial, PublicMaterial, SignatureVerifier, SigningFailed, SigningParts, default_backend,
/// };
/// use countersign::keys::KeyError;
/// use countersign::secret::Secret;
/// use countersign::{Algorithm, SigningKey};
/// use std::sync::Arc;
/// use zeroize::Zeroizing;
///
/// #[derive(Debug)]
/// struct WithoutRsa(&'static dyn Backend);
///
/// impl WithoutRsa {
///     fn check(algorithm: Algorithm) -> Result<(), KeyError> {
///         let is_rsa = algorithm.name().starts_with("RS") || algorithm.name().starts_with("PS");
///         if is_rsa { Err(KeyError::Unsupported("RSA is left out")) } else { Ok(()) }
///     }
/// }
///
/// impl Backend for WithoutRsa {
///     fn verifier(&self, algorithm: Algorithm, material: &PublicMaterial) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
///         Self::check(algorithm)?;
///         self.0.verifier(algorithm, material)
///     }
///     fn signer(&self, algorithm: Algorithm, material: &PrivateMaterial) -> Result<SigningParts, KeyError> {
///         Self::check(algorithm)?;
///         self.0.signer(algorithm, material)
///     }
/// #   fn secret_verifier(&self, algorithm: Algorithm, secret: &[u8]) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
/// #       self.0.secret_verifier(algorithm, secret)
/// #   }
/// #   fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
/// #       Self::check(algorithm)?;
/// #       self.0.generate(algorithm)
/// #   }
/// #   fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Vec<u8> { self.0.digest(hash, parts) }
/// #   fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] { self.0.sha256(parts) }
/// #   fn random(&self, bytes: &mut [u8]) -> Result<(), SigningFailed> { self.0.random(bytes) }
///     // And so on: `secret_verifier`, `generate`, `digest`, `sha256`, `random`.
/// }
///
/// let backend = WithoutRsa(default_backend()?);
/// let secret = PrivateMaterial::Secret(Secret::new([7; 32]));
/// assert!(SigningKey::from_material(&backend, Algorithm::HS256, &secret).is_ok());
/// assert!(backend.generate(Algorithm::RS256).is_err());
/// # Ok::<(), KeyError>(())
/// ```
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

    /// A fresh private key for `algorithm`, PKCS#8 DER; of RSA one with 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] where the backend generates no such keys.
    fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError>;

    /// A fresh RSA private key, PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] where the backend generates none, which is so unless it says otherwise.
    fn generate_rsa(&self, size: RsaSize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let _ = size;
        Err(KeyError::Unsupported("this backend generates no RSA keys"))
    }

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
    #[cfg(all(feature = "aws-lc", not(feature = "ring")))]
    return aws_lc::small_rsa_verifier(algorithm, material);
    #[cfg(not(any(feature = "aws-lc", feature = "ring")))]
    {
        let _ = (algorithm, material);
        Err(KeyError::NoBackend)
    }
}

/// The backend that constructors use where the caller names none: ring, then aws-lc for what is not there.
///
/// # Errors
/// [`KeyError::NoBackend`] where neither is compiled in.
///
/// ```
/// use countersign::crypto::default_backend;
///
/// let digest = default_backend()?.sha256(&[b"in one ", b"or two"]);
/// assert_eq!(digest, default_backend()?.sha256(&[b"in one or two"]));
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
pub fn default_backend() -> Result<&'static dyn Backend, KeyError> {
    #[cfg(any(feature = "aws-lc", feature = "ring"))]
    return Ok(DEFAULT);
    #[cfg(not(any(feature = "aws-lc", feature = "ring")))]
    Err(KeyError::NoBackend)
}

#[cfg(all(feature = "ring", feature = "aws-lc"))]
pub(crate) const DEFAULT: &dyn Backend = &both::RingFirst;
#[cfg(all(feature = "ring", not(feature = "aws-lc")))]
pub(crate) const DEFAULT: &dyn Backend = &Ring;
#[cfg(all(feature = "aws-lc", not(feature = "ring")))]
pub(crate) const DEFAULT: &dyn Backend = &AwsLc;

/// Debug with the name alone: what these types hold may not be printed.
#[cfg(any(feature = "aws-lc", feature = "ring"))]
macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
#[cfg(any(feature = "aws-lc", feature = "ring"))]
use opaque_debug;

#[cfg(test)]
#[cfg(all(feature = "aws-lc", feature = "ring"))]
mod tests;

#[cfg(test)]
#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
mod no_backend {
    use super::*;
    use crate::config::ConfigError;
    use crate::jwk::{Jwk, JwkSet};
    use crate::key::{SigningKey, VerifyingKey};
    use crate::provider::KeySet;

    const KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[test]
    fn what_needs_one_says_so() {
        const NONE: Option<KeyError> = Some(KeyError::NoBackend);
        let jwk = Jwk::parse(KEY).expect("read without one");
        for &algorithm in Algorithm::ALL {
            assert_eq!(SigningKey::generate(algorithm).err(), NONE);
            if jwk.algorithms().iter().any(|own| own.is_same_as(algorithm)) {
                assert_eq!(VerifyingKey::from_jwk(algorithm, &jwk).err(), NONE);
            }
        }
        assert_eq!(SigningKey::generate_rsa(Algorithm::RS256, RsaSize::Bits2048).err(), NONE);
        let (own, secret) = (Algorithm::EdDSA, Algorithm::HS256);
        for verifying in [
            VerifyingKey::from_secret(secret, [7; 32]),
            VerifyingKey::from_secret_jwk(secret, "{}"),
            VerifyingKey::from_pem(own, "-----BEGIN PUBLIC KEY-----"),
            VerifyingKey::from_der(own, &[]),
            VerifyingKey::from_certificate(own, "-----BEGIN CERTIFICATE-----"),
        ] {
            assert_eq!(verifying.err(), NONE);
        }
        for signing in [
            SigningKey::from_secret(secret, [7; 32]),
            SigningKey::from_pem(own, "-----BEGIN PRIVATE KEY-----"),
            SigningKey::from_der(own, &[]),
            SigningKey::from_jwk(own, KEY),
        ] {
            assert_eq!(signing.err(), NONE);
        }
        assert_eq!(jwk.thumbprint().err(), NONE);
        let set = JwkSet::parse(&format!(r#"{{"keys":[{KEY}]}}"#)).expect("a set");
        let error = KeySet::from_jwks(&set).expect_err("no backend");
        assert_eq!((error.setting(), error), ("backend", ConfigError::from(KeyError::NoBackend)));
        let error = crate::cache::FleetKey::new([7; 32]).expect_err("no backend");
        assert_eq!(error.setting(), "fleet_key");
    }
}
