//! Why a key was refused.

use crate::config::ConfigError;

/// Why key material cannot serve. Holds nothing of the material.
///
/// ```
/// use countersign::keys::KeyError;
/// use countersign::{Algorithm, SigningKey, VerifyingKey};
///
/// assert!(matches!(VerifyingKey::from_secret(Algorithm::HS256, "secret"), Err(KeyError::Weak(_))));
/// assert_eq!(SigningKey::from_secret(Algorithm::ES256, [7; 32]).err(), Some(KeyError::WrongAlgorithm));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not what it claims to be: PEM, DER, a JWK.
    #[error("the key cannot be read: {0}")]
    Malformed(&'static str),
    /// Readable, and impossible as a key: a point off its curve, an even modulus.
    #[error("the key is invalid: {0}")]
    Invalid(&'static str),
    /// A kind of key, a use or an algorithm that this crate or its backend does not have.
    #[error("the key is not supported: {0}")]
    Unsupported(&'static str),
    /// Readable, and too weak to be trusted.
    #[error("the key is too weak: {0}")]
    Weak(&'static str),
    /// A private or symmetric key where only public ones belong.
    #[error("a private or symmetric key stands where only public keys belong")]
    NotPublic,
    /// The key cannot serve the algorithm asked for.
    #[error("the key is for another algorithm")]
    WrongAlgorithm,
    /// Different keys of one set share a `kid` and an algorithm.
    #[error("another key has the same `kid` and algorithm")]
    DuplicateKeyId,
    /// No signature backend is compiled in.
    #[error("no signature backend is compiled in: enable the feature `ring` or `aws-lc`")]
    NoBackend,
}

/// For set-ups in which one error serves: the setting is `backend` where none is compiled in, and `key` otherwise.
impl From<KeyError> for ConfigError {
    fn from(error: KeyError) -> Self {
        Self::new(if error == KeyError::NoBackend { "backend" } else { "key" }, error.to_string())
    }
}
