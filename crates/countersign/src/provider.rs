//! Where keys come from: the seam [`KeyProvider`], and [`KeySet`], the set that most providers hold.
//!
//! ```
//! use countersign::provider::{KeyProvider, KeyRequest};
//! use countersign::{Algorithm, SigningKey};
//!
//! // One key is a provider, and so are a `KeySet` and what `countersign-keys` has.
//! let key = SigningKey::generate(Algorithm::ES256)?;
//! let keys: &dyn KeyProvider = key.verifying_key();
//! assert!(matches!(keys.key_now(&KeyRequest::new(Algorithm::ES256)), Some(Ok(_))));
//! assert!(matches!(keys.key_now(&KeyRequest::new(Algorithm::RS256)), Some(Err(_))));
//! # Ok::<(), countersign::keys::KeyError>(())
//! ```

mod key_set;

pub use key_set::KeySet;

use crate::alg::Algorithm;
use crate::changes::Changes;
use crate::key::{KeyIdentity, VerifyingKey};
use async_trait::async_trait;
use std::error::Error;
use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Which key a token asks for. Everything in it comes from the token, unverified: use it to look up, never to
/// build a URL, a cache key or a log line.
///
/// ```
/// use countersign::provider::{KeyProvider, KeyRequest};
/// use countersign::{Algorithm, VerifyingKey};
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?.with_key_id("2026-11")?;
/// let ask = |id| key.key_now(&KeyRequest::new(Algorithm::HS256).with_key_id(id));
/// assert!(matches!(ask(Some("2026-11")), Some(Ok(_))));
/// assert!(matches!(ask(Some("2026-10")), Some(Err(_))));
/// assert!(matches!(ask(None), Some(Ok(_)))); // one key, for everything that names none
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KeyRequest<'t> {
    /// `alg`, among those that the verifier allows.
    pub algorithm: Algorithm,
    /// `kid`: 1 to 256 octets without control characters.
    pub key_id: Option<&'t str>,
    /// `iss`, one of those that the verifier allows.
    pub issuer: Option<&'t str>,
}

impl<'t> KeyRequest<'t> {
    /// A request for a key of this algorithm.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, key_id: None, issuer: None }
    }

    /// With the token's `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: Option<&'t str>) -> Self {
        self.key_id = key_id;
        self
    }

    /// With the token's `iss`.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Option<&'t str>) -> Self {
        self.issuer = issuer;
        self
    }
}

/// Shows the algorithm alone: all else is the sender's text.
impl Debug for KeyRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Why there is no key.
///
/// ```
/// use countersign::provider::{KeyProviderError, Unavailable};
/// use countersign::verify::VerifyError;
///
/// let down = KeyProviderError::Unavailable(Unavailable::because("no route to the issuer"));
/// assert!(matches!(VerifyError::from(down), VerifyError::Unavailable(_))); // 503
/// assert!(matches!(VerifyError::from(KeyProviderError::NotFound), VerifyError::Rejected(_))); // 401
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyProviderError {
    /// The keys were looked at, and this one is not among them. The token is refused: 401.
    #[error("no such key is published")]
    NotFound,
    /// The key under this `kid` is for another algorithm. The token is refused: 401.
    #[error("the key with this id is for another algorithm")]
    WrongAlgorithm,
    /// The token names no `kid`, and several keys fit. The token is refused: 401.
    #[error("several keys fit and the token names none")]
    Ambiguous,
    /// The keys could not be looked at. Nothing is known of the token: 503.
    #[error("the keys cannot be had")]
    Unavailable(#[source] Unavailable),
}

/// Something that a verdict needs could not be reached.
///
/// ```
/// use countersign::provider::Unavailable;
/// use std::time::Duration;
///
/// let down = Unavailable::because("no route to the issuer").retry_after(Duration::from_secs(5));
/// assert_eq!(down.to_string(), "what a verdict needs cannot be reached"); // the cause is its `source`, for logs
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Unavailable {
    /// When asking again may help.
    pub retry_after: Option<Duration>,
    /// What went wrong, for logs.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what a verdict needs cannot be reached")
    }
}

impl Error for Unavailable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl Unavailable {
    /// Unavailable because of `source`.
    #[must_use]
    pub fn because(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { retry_after: None, source: Some(Arc::from(source.into())) }
    }

    /// With a time after which asking again may help.
    #[must_use]
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }
}

/// Finds the key for a token.
///
/// ```
/// use countersign::async_trait;
/// use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
/// use countersign::{Algorithm, VerifyingKey};
///
/// #[derive(Debug)]
/// struct FromDatabase;
///
/// #[async_trait]
/// impl KeyProvider for FromDatabase {
///     async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
///         let row = load(wanted.key_id).await.map_err(|e| KeyProviderError::Unavailable(Unavailable::because(e)))?;
///         let pem = row.ok_or(KeyProviderError::NotFound)?;
///         VerifyingKey::from_pem(wanted.algorithm, pem).map_err(|_| KeyProviderError::WrongAlgorithm)
///     }
/// }
/// # async fn load(_: Option<&str>) -> Result<Option<String>, std::io::Error> { Ok(None) }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no keys",
    note = "pass a `VerifyingKey`, a `KeySet`, a provider of `countersign-keys`, or implement `KeyProvider`"
)]
pub trait KeyProvider: Debug + Send + Sync + 'static {
    /// The key, answered from memory without waiting; `None` where [`key`](Self::key) must be asked. That a key is
    /// known to be absent is an answer too.
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        let _ = wanted;
        None
    }

    /// The key.
    ///
    /// # Errors
    /// [`KeyProviderError`]: "not published" and "could not be checked" are different answers.
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError>;

    /// The keys that fit a token which names none of them, from memory: asked after
    /// [`KeyProviderError::Ambiguous`], by a verifier that was told to try several. A provider that does not know has
    /// none.
    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let _ = wanted;
        Vec::new()
    }

    /// Whether a verdict that this key gave may be used again. Asked before a cached verdict counts; a provider
    /// that does not know says no.
    fn trusts(&self, key: &KeyIdentity) -> bool {
        let _ = key;
        false
    }

    /// The algorithms of all keys that there will ever be, where these are settled: building a verifier that allows none of
    /// them is an error. `None` where keys come and go.
    fn algorithms(&self) -> Option<Vec<Algorithm>> {
        None
    }

    /// What is told when a key that was trusted may not be so any longer; `None` where nobody tells. Connections that are open
    /// wait for it, as for [`RevocationCheck::changes`](crate::revocation::RevocationCheck::changes). Asked once, when a guard
    /// is built.
    fn changes(&self) -> Option<Changes> {
        None
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: KeyProvider + ?Sized> KeyProvider for $pointer<T> {
            fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
                (**self).key_now(wanted)
            }

            fn key<'s, 'w, 't, 'f>(
                &'s self,
                wanted: &'w KeyRequest<'t>,
            ) -> Pin<Box<dyn Future<Output = Result<VerifyingKey, KeyProviderError>> + Send + 'f>>
            where
                's: 'f,
                'w: 'f,
                't: 'f,
                Self: 'f,
            {
                (**self).key(wanted)
            }

            fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
                (**self).candidates(wanted)
            }

            fn trusts(&self, key: &KeyIdentity) -> bool {
                (**self).trusts(key)
            }

            fn algorithms(&self) -> Option<Vec<Algorithm>> {
                (**self).algorithms()
            }

            fn changes(&self) -> Option<Changes> {
                (**self).changes()
            }
        }
    )*};
}
forward!(Arc, Box);

/// One key, for everything.
#[async_trait]
impl KeyProvider for VerifyingKey {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        let answer = match (wanted.key_id, self.key_id()) {
            (Some(wanted), Some(own)) if wanted != own => Err(KeyProviderError::NotFound),
            _ if !wanted.algorithm.is_same_as(self.algorithm()) => Err(KeyProviderError::WrongAlgorithm),
            _ => Ok(self.clone()),
        };
        Some(answer)
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.key_now(wanted).unwrap_or(Err(KeyProviderError::NotFound))
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.identity() == *key
    }

    fn algorithms(&self) -> Option<Vec<Algorithm>> {
        Some(vec![self.algorithm()])
    }
}
