use countersign::{Bytes, async_trait};
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A document as it came over the network.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The body, decompressed, within the size asked for.
    pub body: Bytes,
}

impl Fetched {
    /// A document with this body.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into() }
    }
}

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server answered with something other than 200. Redirects are not followed.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The body is larger than allowed.
    #[error("the document is too large")]
    TooLarge,
    /// The server does not call the body JSON.
    #[error("the document is not called JSON")]
    ContentType,
    /// The URL is none that may be asked: no HTTPS, a user in it, an address that is not public.
    #[error("the URL may not be asked")]
    Url(#[source] countersign::ConfigError),
    /// The host resolves to addresses that may not be asked.
    #[error("the address of the host may not be asked")]
    Address,
    /// The connection failed or took too long.
    #[error("the request failed")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
}

/// Gets a document from a URL: an HTTP client.
///
/// Follows no redirects, takes nothing but status 200, stops at `max_bytes`, and gives up in time: the caller waits.
///
/// ```
/// use countersign::async_trait;
/// use countersign_keys::{FetchError, Fetched, JwksFetch};
///
/// /// For tests: an issuer that needs no network.
/// #[derive(Debug)]
/// struct Canned(&'static str);
///
/// #[async_trait]
/// impl JwksFetch for Canned {
///     async fn fetch(&self, _url: &str, max_bytes: usize) -> Result<Fetched, FetchError> {
///         if self.0.len() > max_bytes { Err(FetchError::TooLarge) } else { Ok(Fetched::new(self.0)) }
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` fetches no documents",
    note = "use `HttpFetch` (feature `http`), or implement `JwksFetch`"
)]
pub trait JwksFetch: Debug + Send + Sync + 'static {
    /// The document at `url`, which comes from configuration or from the issuer's metadata.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn fetch(&self, url: &str, max_bytes: usize) -> Result<Fetched, FetchError>;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: JwksFetch + ?Sized> JwksFetch for $pointer<T> {
            fn fetch<'s, 'u, 'f>(
                &'s self,
                url: &'u str,
                max_bytes: usize,
            ) -> Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'f>>
            where
                's: 'f,
                'u: 'f,
                Self: 'f,
            {
                (**self).fetch(url, max_bytes)
            }
        }
    )*};
}
forward!(Arc, Box);
