//! Keys on a backend of the caller's choice.

use super::{SigningKey, Verifying, VerifyingKey, der};
use crate::alg::Algorithm;
use crate::crypto::{Backend, PrivateMaterial};
use crate::jwk::{Jwk, read_private};
use crate::key_error::KeyError;
use std::sync::Arc;

const NO_MATERIAL: KeyError = KeyError::Unsupported("a secret or a key that lives elsewhere cannot change its backend");

impl VerifyingKey {
    /// A public key from a JWK, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As [`from_jwk`](Self::from_jwk), and as the backend says.
    pub fn from_jwk_with(backend: &dyn Backend, algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        if jwk.algorithm().is_some_and(|own| !own.is_same_as(algorithm)) {
            return Err(KeyError::WrongAlgorithm);
        }
        let key = Self::from_material(backend, algorithm, jwk.material().clone())?;
        match jwk.key_id() {
            Some(key_id) => key.with_key_id(key_id),
            None => Ok(key),
        }
    }

    /// A public key in PEM, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and as the backend says.
    pub fn from_pem_with(backend: &dyn Backend, algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_material(backend, algorithm, der::public_from_pem(pem.as_ref())?)
    }

    /// A public key in DER, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As [`from_der`](Self::from_der), and as the backend says.
    pub fn from_der_with(backend: &dyn Backend, algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::from_material(backend, algorithm, der::public_from_der(der)?)
    }

    /// A shared secret from an `oct` JWK that verifies alone, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As [`from_secret_jwk`](Self::from_secret_jwk), and as the backend says.
    pub fn from_secret_jwk_with(backend: &dyn Backend, algorithm: Algorithm, json: &str) -> Result<Self, KeyError> {
        let jwk = read_private(json, "verify")?;
        let PrivateMaterial::Secret(secret) = &jwk.material else { return Err(KeyError::WrongAlgorithm) };
        if jwk.algorithm.is_some_and(|own| own != algorithm) {
            return Err(KeyError::WrongAlgorithm);
        }
        let key = Self::from_secret_with(backend, algorithm, secret.expose())?;
        match jwk.key_id {
            Some(key_id) => key.with_key_id(key_id),
            None => Ok(key),
        }
    }

    /// The same public key, on a backend of the caller's choice.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a custom key and for a secret, which is not kept:
    /// [`from_secret_with`](Self::from_secret_with) takes the backend. As [`from_material`](Self::from_material) otherwise.
    pub fn with_backend(&self, backend: &dyn Backend) -> Result<Self, KeyError> {
        let material = self.0.public.clone().ok_or(NO_MATERIAL)?.checked()?;
        let verifier = backend.verifier(self.0.algorithm, &material)?;
        Ok(Self(Arc::new(Verifying { verifier, ..Verifying::clone(&self.0) })))
    }
}

impl SigningKey {
    /// A private key in PEM, on a backend of the caller's choice: ring takes fewer RSA keys than aws-lc.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and as the backend says.
    pub fn from_pem_with(backend: &dyn Backend, algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_material(backend, algorithm, &der::private_from_pem(pem.as_ref())?)
    }

    /// A private key in DER, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As [`from_der`](Self::from_der), and as the backend says.
    pub fn from_der_with(backend: &dyn Backend, algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::from_material(backend, algorithm, &der::private_from_der(der)?)
    }

    /// A private or symmetric JWK, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As [`from_jwk`](Self::from_jwk), and as the backend says.
    pub fn from_jwk_with(backend: &dyn Backend, algorithm: Algorithm, json: &str) -> Result<Self, KeyError> {
        let jwk = read_private(json, "sign")?;
        if jwk.algorithm.is_some_and(|own| !own.is_same_as(algorithm)) {
            return Err(KeyError::WrongAlgorithm);
        }
        let key = Self::from_material(backend, algorithm, &jwk.material)?;
        match jwk.key_id {
            Some(key_id) => key.with_key_id(key_id),
            None => Ok(key),
        }
    }

    /// The same key, on a backend of the caller's choice.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a secret, which is not kept: [`from_material`](Self::from_material) takes the backend.
    /// As the backend says otherwise.
    pub fn with_backend(&self, backend: &dyn Backend) -> Result<Self, KeyError> {
        let material = self.private.as_deref().ok_or(NO_MATERIAL)?;
        let key = Self::from_material(backend, self.algorithm(), material)?;
        match self.key_id() {
            Some(key_id) => key.with_key_id(key_id),
            None => Ok(key),
        }
    }
}
