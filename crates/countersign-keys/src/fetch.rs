use countersign::{Bytes, ConfigError, async_trait};
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Which document is wanted.
///
/// ```
/// use countersign_keys::{FetchRequest, Validators};
///
/// let at_hand = Validators::new(Some(r#""v7""#.to_owned()), None);
/// let request = FetchRequest::new("https://issuer.example/jwks", 128 * 1024).with_validators(Some(&at_hand));
/// assert_eq!(request.validators.and_then(|own| own.etag.as_deref()), Some(r#""v7""#)); // to be sent as `If-None-Match`
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FetchRequest<'r> {
    /// Where it is: from configuration, or from the issuer's metadata.
    pub url: &'r str,
    /// The largest body that is read, in bytes after decompression.
    pub max_bytes: usize,
    /// What the document at hand was called, so that the server may say that it has not changed (RFC 9110 §13).
    pub validators: Option<&'r Validators>,
}

impl<'r> FetchRequest<'r> {
    /// A request for the document at `url`, whatever is at hand.
    #[must_use]
    pub fn new(url: &'r str, max_bytes: usize) -> Self {
        Self { url, max_bytes, validators: None }
    }

    /// A request for the document unless it is the one that these validators name.
    #[must_use]
    pub fn with_validators(mut self, validators: Option<&'r Validators>) -> Self {
        self.validators = validators;
        self
    }
}

/// What a server calls one version of a document (RFC 9110 §8.8): values of header fields, sent back as they came.
///
/// ```
/// use countersign_keys::Validators;
///
/// let sent = Validators::new(Some(r#"W/"7""#.to_owned()), Some("Sun, 22 Nov 2026 12:00:00 GMT".to_owned()));
/// assert_eq!(sent.etag.as_deref(), Some(r#"W/"7""#)); // as it came, quotes and all
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// These two fields.
    #[must_use]
    pub fn new(etag: Option<String>, last_modified: Option<String>) -> Self {
        Self { etag, last_modified }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What a server answered.
///
/// ```
/// use countersign_keys::{Fetched, Validators};
/// use std::time::Duration;
///
/// let document = Fetched::new(r#"{"keys":[]}"#)
///     .with_validators(Validators::new(Some(r#""v7""#.to_owned()), None))
///     .with_max_age(Some(Duration::from_secs(300)));
/// assert!(document.body.is_some());
/// assert!(Fetched::not_modified().body.is_none());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The body, within the size asked for; `None` where the document is the one that the request's validators name.
    pub body: Option<Bytes>,
    /// What the server calls this version.
    pub validators: Validators,
    /// How long the server says that the document is fresh.
    pub max_age: Option<Duration>,
}

impl Fetched {
    /// A document with this body.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), validators: Validators::default(), max_age: None }
    }

    /// The document at hand has not changed (status 304).
    #[must_use]
    pub fn not_modified() -> Self {
        Self { body: None, validators: Validators::default(), max_age: None }
    }

    /// With what the server calls this version.
    #[must_use]
    pub fn with_validators(mut self, validators: Validators) -> Self {
        self.validators = validators;
        self
    }

    /// With how long the server says that the document is fresh.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Option<Duration>) -> Self {
        self.max_age = max_age;
        self
    }
}

/// Why a document could not be had.
///
/// ```
/// use countersign_keys::FetchError;
/// use std::time::Duration;
///
/// // What a client of one's own says of a server that is busy.
/// let busy = FetchError::status(429, Some(Duration::from_secs(30)));
/// assert_eq!((busy.kind(), busy.to_string().as_str()), ("status", "the server answered with status 429"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server answered with something other than 200. Redirects are not followed.
    #[error("the server answered with status {status}")]
    #[non_exhaustive]
    Status {
        /// The status code.
        status: u16,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The body is larger than allowed.
    #[error("the document is too large")]
    TooLarge,
    /// The server does not call the body JSON, or sends it encoded.
    #[error("the document is not called JSON, or is encoded")]
    ContentType,
    /// The URL is none that may be asked: no HTTPS, a user in it, an address that is not public.
    #[error("the URL may not be asked")]
    Url(#[source] ConfigError),
    /// The host resolves to addresses that may not be asked.
    #[error("the address of the host may not be asked")]
    Address,
    /// No connection could be made.
    #[error("no connection could be made")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The server could not show that it is the one that was asked.
    #[error("the server's certificate is refused, or there is no TLS with it")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
    /// It took too long.
    #[error("the request took too long")]
    Timeout(#[source] Box<dyn Error + Send + Sync>),
    /// The exchange failed on its way, or what was read could not be.
    #[error("the request failed")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
}

impl FetchError {
    /// The server answered with this status.
    #[must_use]
    pub fn status(status: u16, retry_after: Option<Duration>) -> Self {
        Self::Status { status, retry_after }
    }

    /// The name for metric labels.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::TooLarge => "too_large",
            Self::ContentType => "content_type",
            Self::Url(_) => "url",
            Self::Address => "address",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Transport(_) => "transport",
        }
    }

    /// Whether asking again at once may help: nothing was answered, or a gateway answered for a server that it could not
    /// reach and asks for no pause.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Status { status: 502..=504, retry_after: None })
    }
}

/// Gets a document from a URL: an HTTP client.
///
/// Follows no redirects, takes nothing but status 200 (and 304 where validators were sent), stops at `max_bytes`, and
/// gives up in time: the caller waits.
///
/// ```
/// use countersign::async_trait;
/// use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch};
///
/// /// For tests: an issuer that needs no network.
/// #[derive(Debug)]
/// struct Canned(&'static str);
///
/// #[async_trait]
/// impl JwksFetch for Canned {
///     async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
///         if self.0.len() > request.max_bytes { Err(FetchError::TooLarge) } else { Ok(Fetched::new(self.0)) }
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` fetches no documents",
    note = "use `HttpFetch` (feature `http`), or implement `JwksFetch`"
)]
pub trait JwksFetch: Debug + Send + Sync + 'static {
    /// Whether this URL may be asked at all, told when a provider is built.
    ///
    /// # Errors
    /// [`ConfigError`] that says why not.
    fn check(&self, url: &str) -> Result<(), ConfigError> {
        let _ = url;
        Ok(())
    }

    /// What this makes of documents besides fetching them. Providers that
    /// [share a store](crate::JwksProviderBuilder::shared_cache) have a document in common only where they say the same here:
    /// one that leaves keys out must not be given what another one left in.
    fn variant(&self) -> &str {
        ""
    }

    /// The document.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError>;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: JwksFetch + ?Sized> JwksFetch for $pointer<T> {
            fn check(&self, url: &str) -> Result<(), ConfigError> {
                (**self).check(url)
            }

            fn variant(&self) -> &str {
                (**self).variant()
            }

            fn fetch<'s, 'q, 'r, 'f>(
                &'s self,
                request: &'q FetchRequest<'r>,
            ) -> Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'f>>
            where
                's: 'f,
                'q: 'f,
                'r: 'f,
                Self: 'f,
            {
                (**self).fetch(request)
            }
        }
    )*};
}
forward!(Arc, Box);
