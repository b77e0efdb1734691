use super::{Claims, IssueError, claims_set};
use crate::alg::Algorithm;
use crate::clock::{Clock, SystemClock};
use crate::jws::{Header, attach_signature, unsigned};
use async_trait::async_trait;
use serde::Serialize;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a [`RemoteSigner`] failed with.
///
/// ```
/// use countersign::issue::{IssueError, RemoteError};
///
/// /// What a key service answers, as the signer gives it.
/// fn signature(answer: std::io::Result<Vec<u8>>) -> Result<Vec<u8>, RemoteError> {
///     match answer?.as_slice() {
///         signature @ [_, ..] => Ok(signature.to_vec()),
///         [] => Err("the service answered nothing".into()),
///     }
/// }
/// let error = signature(Ok(Vec::new())).map_err(IssueError::Remote);
/// assert!(matches!(error, Err(IssueError::Remote(why)) if why.to_string() == "the service answered nothing"));
/// ```
pub type RemoteError = Box<dyn Error + Send + Sync>;

/// A private key that lives elsewhere: in an HSM, in a key management service.
///
/// ```
/// use countersign::issue::{RemoteError, RemoteSigner};
/// use countersign::{Algorithm, async_trait};
///
/// #[derive(Debug)]
/// struct KeyService;
///
/// #[async_trait]
/// impl RemoteSigner for KeyService {
///     fn algorithm(&self) -> Algorithm {
///         Algorithm::ES256
///     }
///     fn key_id(&self) -> Option<&str> {
///         Some("2026-11")
///     }
///     async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RemoteError> {
///         Ok(ask_the_service(message).await?) // R and S, 64 octets: not DER
///     }
/// }
/// # async fn ask_the_service(_: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![0; 64]) }
/// ```
#[async_trait]
pub trait RemoteSigner: Debug + Send + Sync + 'static {
    /// The key's one algorithm.
    fn algorithm(&self) -> Algorithm;

    /// The `kid` of its public half, where that has one.
    fn key_id(&self) -> Option<&str> {
        None
    }

    /// The signature over `message` in JWS form (RFC 7518 §3): for ECDSA, R and S and not DER.
    ///
    /// # Errors
    /// Whatever keeps the key from signing.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RemoteError>;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: RemoteSigner + ?Sized> RemoteSigner for $pointer<T> {
            fn algorithm(&self) -> Algorithm {
                (**self).algorithm()
            }

            fn key_id(&self) -> Option<&str> {
                (**self).key_id()
            }

            fn sign<'s, 'm, 'f>(
                &'s self,
                message: &'m [u8],
            ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, RemoteError>> + Send + 'f>>
            where
                's: 'f,
                'm: 'f,
                Self: 'f,
            {
                (**self).sign(message)
            }
        }
    )*};
}
forward!(Arc, Box);

/// Signs JWTs with a key that lives elsewhere; otherwise as [`JwtSigner`](super::JwtSigner).
///
/// ```
/// use countersign::issue::{Claims, IssueError, RemoteJwtSigner, RemoteSigner};
/// use std::time::Duration;
///
/// async fn access_token(key: impl RemoteSigner, subject: &str) -> Result<String, IssueError> {
///     let signer = RemoteJwtSigner::new(key).token_type("at+jwt");
///     let claims = Claims::new("https://issuer.example/").subject(subject).audience("my-api");
///     signer.issue(&claims.lifetime(Duration::from_secs(300))).await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RemoteJwtSigner {
    key: Arc<dyn RemoteSigner>,
    header: Header,
    clock: Arc<dyn Clock>,
}

impl RemoteJwtSigner {
    /// Signs with `key`, and writes its `kid` where it has one. `typ` is `JWT`.
    #[must_use]
    pub fn new(key: impl RemoteSigner) -> Self {
        let header = Header::of(key.algorithm(), key.key_id()).with_type("JWT");
        Self { key: Arc::new(key), header, clock: Arc::new(SystemClock::new()) }
    }

    /// Another `typ`: `at+jwt` for access tokens (RFC 9068 §2.1).
    #[must_use]
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        self.header = self.header.with_type(token_type);
        self
    }

    /// Where the time comes from: the system unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A signed token that says this, from now on.
    ///
    /// # Errors
    /// As [`JwtSigner::issue`](super::JwtSigner::issue); and [`IssueError::Remote`] when the key does not sign.
    pub async fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        self.sign(&claims.at(self.clock.now())?).await
    }

    /// A signed token with these claims, as they are: nothing is added.
    ///
    /// # Errors
    /// As [`JwtSigner::sign`](super::JwtSigner::sign); and [`IssueError::Remote`] when the key does not sign.
    pub async fn sign(&self, claims: &(impl Serialize + Sync)) -> Result<String, IssueError> {
        let unsigned = unsigned(&self.header, claims_set(claims)?.as_bytes())?;
        let signature = self.key.sign(unsigned.as_bytes()).await.map_err(IssueError::Remote)?;
        Ok(attach_signature(unsigned, &signature))
    }
}
