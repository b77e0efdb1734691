//! Keys, each bound to one algorithm when it is built.

mod backend;
mod certificate;
mod der;
mod export;

use crate::alg::{Algorithm, Family};
use crate::crypto::{
    Backend, PrivateMaterial, PublicMaterial, RsaSize, SignatureMismatch, SignatureVerifier, Signer, SigningFailed,
    default_backend, small_rsa_verifier,
};
use crate::jwk::{Jwk, Thumbprint, is_key_id, material_family};
use crate::key_error::KeyError;
use crate::secret::Secret;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Weak};

/// A key that verifies signatures of **one** algorithm, decided here and never by a token.
///
/// Cloning is cheap. `Debug` shows the key id and the algorithm alone.
///
/// ```
/// use countersign::{Algorithm, VerifyingKey};
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?.with_key_id("2026-11")?;
/// assert_eq!(format!("{key:?}"), r#"VerifyingKey { key_id: Some("2026-11"), algorithm: HS256 }"#);
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone)]
pub struct VerifyingKey(Arc<Verifying>);

#[derive(Clone)]
struct Verifying {
    algorithm: Algorithm,
    key_id: Option<String>,
    identity: KeyIdentity,
    public: Option<PublicMaterial>,
    verifier: Arc<dyn SignatureVerifier>,
}

/// Tells whether a key is still held by anybody.
#[derive(Clone)]
pub(crate) struct KeyLife(Weak<Verifying>);

impl KeyLife {
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Which key verified a token: what a cached verdict is bound to.
///
/// ```
/// use countersign::{Algorithm, SigningKey};
///
/// let (one, another) = (SigningKey::generate(Algorithm::ES256)?, SigningKey::generate(Algorithm::ES256)?);
/// let renamed = one.verifying_key().clone().with_key_id("another name")?;
/// assert_eq!(renamed.identity(), one.verifying_key().identity());
/// assert_ne!(one.verifying_key().identity(), another.verifying_key().identity());
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyIdentity {
    algorithm: Algorithm,
    digest: [u8; 32],
}

impl KeyIdentity {
    /// The key's one algorithm; `Ed25519` under either of its names.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Of a public key, its thumbprint.
    #[cfg(any(feature = "aws-lc", feature = "ring"))]
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether both stand for one key, be it for two algorithms.
    pub(crate) fn has_material_of(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Debug for KeyIdentity {
    // The digest stays unprinted: a secret's could be searched for offline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyIdentity").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl VerifyingKey {
    /// A shared secret for an HMAC algorithm.
    ///
    /// # Errors
    /// [`KeyError::Weak`] for a secret shorter than the hash (RFC 7518 §3.2), [`KeyError::Invalid`] for text that
    /// is a public key in PEM, OpenSSH or JWK form, [`KeyError::WrongAlgorithm`] for any other algorithm.
    ///
    /// A verifier takes HMAC only where [`algorithms`](crate::verify::JwtVerifierBuilder::algorithms) says so.
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_secret_with(default_backend()?, algorithm, secret.as_ref())
    }

    /// A shared secret, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As [`from_secret`](Self::from_secret), and as the backend says.
    pub fn from_secret_with(backend: &dyn Backend, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        check_secret(algorithm, secret, algorithm.min_secret_len())?;
        Self::from_any_secret(backend, algorithm, secret)
    }

    fn from_any_secret(backend: &dyn Backend, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let digest = backend.sha256(&[b"countersign secret key\0", secret]);
        Ok(Self::assemble(algorithm, digest, None, backend.secret_verifier(algorithm, secret)?))
    }

    /// A shared secret from an `oct` JWK, as text, that verifies alone. Its `kid` is kept; its `key_ops`, if it has any,
    /// must allow `verify`.
    ///
    /// It belongs into configuration: [`JwkSet`](crate::jwk::JwkSet) sets it aside.
    ///
    /// # Errors
    /// As [`from_secret`](Self::from_secret); [`KeyError::WrongAlgorithm`] when the JWK names another algorithm or is no
    /// secret.
    ///
    /// ```
    /// use countersign::{Algorithm, SigningKey, VerifyingKey};
    ///
    /// let jwk = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ///     "kid":"partner","key_ops":["verify"]}"#;
    /// let key = VerifyingKey::from_secret_jwk(Algorithm::HS256, jwk)?;
    /// assert_eq!(key.key_id(), Some("partner"));
    /// assert!(SigningKey::from_jwk(Algorithm::HS256, jwk).is_err());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn from_secret_jwk(algorithm: Algorithm, json: &str) -> Result<Self, KeyError> {
        Self::from_secret_jwk_with(default_backend()?, algorithm, json)
    }

    /// A public key from a JWK, for `algorithm`.
    ///
    /// # Errors
    /// [`KeyError::WrongAlgorithm`] when the JWK names another or is of another kind; [`KeyError::Invalid`] for a
    /// point off its curve.
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        Self::from_jwk_with(default_backend()?, algorithm, jwk)
    }

    /// A public key in PEM: `PUBLIC KEY` (SPKI) or `RSA PUBLIC KEY` (PKCS#1). Text around the block is skipped.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else: private keys, two keys, be it on one line, more than
    /// [`MAX_KEY_BYTES`](crate::jwk::MAX_KEY_BYTES).
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_pem_with(default_backend()?, algorithm, pem)
    }

    /// A public key in DER: SPKI or PKCS#1.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else.
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::from_der_with(default_backend()?, algorithm, der)
    }

    /// Public key material, on a backend of the caller's choice.
    ///
    /// # Errors
    /// [`KeyError`] for material that no backend may see (a small RSA modulus, an Ed25519 point of small order), and as
    /// the backend says.
    pub fn from_material(
        backend: &dyn Backend,
        algorithm: Algorithm,
        material: PublicMaterial,
    ) -> Result<Self, KeyError> {
        if algorithm.family() != material_family(&material) {
            return Err(KeyError::WrongAlgorithm);
        }
        let material = material.checked()?;
        let verifier = backend.verifier(algorithm, &material)?;
        let digest = *Jwk::from_parts(None, None, material.clone()).thumbprint_with(backend).as_bytes();
        Ok(Self::assemble(algorithm, digest, Some(material), verifier))
    }

    /// A key whose signatures something else verifies: an HSM, another library.
    ///
    /// `fingerprint` tells this key from others, so that a cached verdict can be bound to it.
    #[must_use]
    pub fn custom(algorithm: Algorithm, fingerprint: [u8; 32], verifier: impl SignatureVerifier) -> Self {
        Self::assemble(algorithm, fingerprint, None, Arc::new(verifier))
    }

    fn assemble(
        algorithm: Algorithm,
        digest: [u8; 32],
        public: Option<PublicMaterial>,
        verifier: Arc<dyn SignatureVerifier>,
    ) -> Self {
        let identity = KeyIdentity { algorithm: algorithm.canonical(), digest };
        Self(Arc::new(Verifying { algorithm, key_id: None, identity, public, verifier }))
    }

    /// For [`danger::small_rsa_key`](crate::danger::small_rsa_key): the material is not held to 2048 bits again.
    pub(crate) fn from_small_rsa(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        if jwk.algorithm().is_some_and(|own| own != algorithm) || algorithm.family() != Family::Rsa {
            return Err(KeyError::WrongAlgorithm);
        }
        let verifier = small_rsa_verifier(algorithm, jwk.material())?;
        let key = Self::assemble(algorithm, *jwk.thumbprint()?.as_bytes(), Some(jwk.material().clone()), verifier);
        match jwk.key_id() {
            Some(key_id) => key.with_key_id(key_id),
            None => Ok(key),
        }
    }

    /// The same key under a `kid`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for a `kid` that no token could name: it has 1 to 256 octets and no control characters.
    pub fn with_key_id(self, key_id: impl Into<String>) -> Result<Self, KeyError> {
        let key_id = key_id.into();
        if !is_key_id(&key_id) {
            return Err(KeyError::Malformed("`kid` is empty, too long or has control characters"));
        }
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.key_id = Some(key_id);
        Ok(Self(Arc::new(inner)))
    }

    /// The key's one algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The `kid`, where the key has one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// How long it lives; `None` where the caller alone holds it, so that it ends with the call.
    pub(crate) fn life(&self) -> Option<KeyLife> {
        (Arc::strong_count(&self.0) > 1).then(|| KeyLife(Arc::downgrade(&self.0)))
    }

    /// What tells this key from every other.
    #[must_use]
    pub fn identity(&self) -> KeyIdentity {
        self.0.identity
    }

    /// The public JWK, for publishing; `None` for a secret and for a custom key.
    #[must_use]
    pub fn jwk(&self) -> Option<Jwk> {
        let material = self.0.public.clone()?;
        Some(Jwk::from_parts(self.0.key_id.clone(), Some(self.algorithm()), material))
    }

    /// The SHA-256 thumbprint (RFC 7638), under which a fleet
    /// [distrusts](crate::revocation::RevocationLog::distrust_thumbprint) the key; `None` for a secret and for a custom key.
    ///
    /// ```
    /// use countersign::{Algorithm, SigningKey};
    ///
    /// let signing_key = SigningKey::generate(Algorithm::ES256)?;
    /// let key = signing_key.verifying_key();
    /// assert_eq!(key.thumbprint(), Some(key.jwk().expect("a public key").thumbprint()?));
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    #[must_use]
    pub fn thumbprint(&self) -> Option<Thumbprint> {
        self.0.public.as_ref().map(|_| Thumbprint::of(self.0.identity.digest))
    }

    /// Whether `signature` stands over `message`.
    ///
    /// # Errors
    /// [`SignatureMismatch`], whatever the cause.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.0.verifier.verify(message, signature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("key_id", &self.0.key_id).field("algorithm", &self.algorithm()).finish()
    }
}

/// A key that makes signatures of one algorithm.
///
/// Cloning is cheap. `Debug` shows the key id and the algorithm alone. The private half, kept so that it can be written out,
/// is wiped when the last clone is dropped; the backend has its own copy.
///
/// ```
/// use countersign::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("demo")?;
/// let signature = key.sign(b"message").expect("ring signs");
/// assert!(key.verifying_key().verify(b"message", &signature).is_ok());
/// assert!(key.verifying_key().verify(b"massage", &signature).is_err());
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    signer: Arc<dyn Signer>,
    verifying: VerifyingKey,
    /// For writing the key out; `None` for a secret.
    private: Option<Arc<PrivateMaterial>>,
}

impl SigningKey {
    /// A shared secret for an HMAC algorithm.
    ///
    /// # Errors
    /// As [`VerifyingKey::from_secret`].
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let material = PrivateMaterial::Secret(Secret::new(secret.as_ref()));
        Self::from_material(default_backend()?, algorithm, &material)
    }

    /// For [`danger::short_secret`](crate::danger::short_secret).
    pub(crate) fn from_short_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        check_secret(algorithm, secret, 1)?;
        let backend = default_backend()?;
        let verifying = VerifyingKey::from_any_secret(backend, algorithm, secret)?;
        let material = PrivateMaterial::Secret(Secret::new(secret));
        Ok(Self { signer: backend.signer(algorithm, &material)?.signer, verifying, private: None })
    }

    /// A private key in PEM: `PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC 1). Text around the
    /// block is skipped, and so are `EC PARAMETERS`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else, be it two keys or more than
    /// [`MAX_KEY_BYTES`](crate::jwk::MAX_KEY_BYTES); [`KeyError::WrongAlgorithm`] for a key of another kind.
    /// [`KeyError::Unsupported`] for an encrypted key, and for an EC key without its public point, which RFC 5915 leaves
    /// optional and ring cannot derive: `openssl ec -in key.pem` adds it.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_pem_with(default_backend()?, algorithm, pem)
    }

    /// A private key in DER: PKCS#8, PKCS#1 or SEC 1.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::from_der_with(default_backend()?, algorithm, der)
    }

    /// A private or symmetric JWK, as text, for `algorithm`. Its `kid` is kept.
    ///
    /// # Errors
    /// [`KeyError::WrongAlgorithm`] when the JWK names another algorithm or is of another kind.
    pub fn from_jwk(algorithm: Algorithm, json: &str) -> Result<Self, KeyError> {
        Self::from_jwk_with(default_backend()?, algorithm, json)
    }

    /// A fresh key, for an issuer that lives as long as its process, and for tests; of RSA one with 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for HMAC, and for what no [backend](crate::crypto) that is compiled in generates: with ring
    /// alone, RSA.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let document = default_backend()?.generate(algorithm)?;
        Self::from_der(algorithm, &document)
    }

    /// A fresh RSA key of this size.
    ///
    /// # Errors
    /// [`KeyError::WrongAlgorithm`] for an algorithm of other keys; [`KeyError::Unsupported`] without the feature `aws-lc`.
    ///
    #[cfg_attr(feature = "aws-lc", doc = "```")]
    #[cfg_attr(not(feature = "aws-lc"), doc = "```ignore")]
    /// use countersign::crypto::RsaSize;
    /// use countersign::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::generate_rsa(Algorithm::PS256, RsaSize::Bits3072)?;
    /// assert_eq!(key.sign(b"message").expect("a signature").len(), 3072 / 8);
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn generate_rsa(algorithm: Algorithm, size: RsaSize) -> Result<Self, KeyError> {
        if algorithm.family() != Family::Rsa {
            return Err(KeyError::WrongAlgorithm);
        }
        let document = default_backend()?.generate_rsa(size)?;
        Self::from_der(algorithm, &document)
    }

    /// Private key material, on a backend of the caller's choice.
    ///
    /// # Errors
    /// As the backend says.
    pub fn from_material(
        backend: &dyn Backend,
        algorithm: Algorithm,
        material: &PrivateMaterial,
    ) -> Result<Self, KeyError> {
        if let PrivateMaterial::Secret(secret) = material {
            let verifying = VerifyingKey::from_secret_with(backend, algorithm, secret.expose())?;
            return Ok(Self { signer: backend.signer(algorithm, material)?.signer, verifying, private: None });
        }
        let parts = backend.signer(algorithm, material)?;
        let public = parts.public.ok_or(KeyError::Invalid("the backend gave no public key"))?;
        let verifying = VerifyingKey::from_material(backend, algorithm, public)?;
        Ok(Self { signer: parts.signer, verifying, private: Some(Arc::new(material.clone())) })
    }

    /// What a backend makes the key of; `None` for a secret.
    #[cfg(all(test, feature = "aws-lc", feature = "ring"))]
    pub(crate) fn material(&self) -> Option<&PrivateMaterial> {
        self.private.as_deref()
    }

    /// The same key under a `kid`, which its tokens then name.
    ///
    /// # Errors
    /// As [`VerifyingKey::with_key_id`].
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Result<Self, KeyError> {
        self.verifying = self.verifying.with_key_id(key_id)?;
        Ok(self)
    }

    /// The key's one algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The `kid`, where the key has one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.verifying.key_id()
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The signature over `message`, in JWS form.
    ///
    /// # Errors
    /// [`SigningFailed`] when the backend refuses.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        self.signer.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("key_id", &self.key_id()).field("algorithm", &self.algorithm()).finish()
    }
}

/// A secret long enough, and not a public key that somebody pasted (RFC 8725 §2.1).
fn check_secret(algorithm: Algorithm, secret: &[u8], min_len: usize) -> Result<(), KeyError> {
    if algorithm.family() != Family::Hmac {
        return Err(KeyError::WrongAlgorithm);
    }
    if is_key_text(secret) {
        return Err(KeyError::Invalid("the secret is the text of a key"));
    }
    if secret.is_empty() {
        return Err(KeyError::Invalid("the secret is empty"));
    }
    if secret.len() < min_len {
        return Err(KeyError::Weak("an HMAC secret is at least as long as the hash"));
    }
    Ok(())
}

/// Whether this is a key in PEM (RFC 7468), SSH2 (RFC 4716) or OpenSSH form, or JSON that holds a JWK.
fn is_key_text(secret: &[u8]) -> bool {
    let text = secret.trim_ascii_start();
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text).trim_ascii();
    let holds = |needle: &[u8]| text.windows(needle.len()).any(|window| window == needle);
    holds(b"-----BEGIN")
        || holds(b"---- BEGIN")
        // Not `sk-` alone: services call their secrets so, `sk-live-…`.
        || [&b"ssh-"[..], b"ecdsa-", b"sk-ssh-", b"sk-ecdsa-"].iter().any(|prefix| text.starts_with(prefix))
        // What is cut short is no JSON, and was meant to be a key all the same.
        || (text.starts_with(b"{") && holds(b"\"kty\""))
        || serde_json::from_slice(text).is_ok_and(|value| holds_jwk(&value))
}

fn holds_jwk(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key("kty") || members.values().any(holds_jwk),
        Value::Array(items) => items.iter().any(holds_jwk),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
