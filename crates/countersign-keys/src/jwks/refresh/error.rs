//! What may go wrong.

use crate::fetch::FetchError;
use countersign::keys::KeyError;
use std::borrow::Cow;
use std::time::Duration;

/// Why a refresh gave no keys.
///
/// ```
/// use countersign::provider::KeyProviderError;
/// use countersign_keys::{JwksProvider, RefreshError};
///
/// /// What to tell whoever has asked for a refresh.
/// async fn refresh(keys: &JwksProvider) -> Result<(), &'static str> {
///     let Err(KeyProviderError::Unavailable(unavailable)) = keys.refresh_now().await else { return Ok(()) };
///     let why = unavailable.source.as_deref().and_then(|source| source.downcast_ref::<RefreshError>());
///     Err(why.map_or("unknown", RefreshError::kind))
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The issuer's metadata or its JWK Set could not be fetched.
    #[error("the document could not be fetched")]
    Fetch(#[from] FetchError),
    /// What was fetched is no JWK Set.
    #[error("the document is no JWK Set")]
    Document(#[source] KeyError),
    /// The set has no key that can be used.
    #[error("the set has no usable key")]
    NoUsableKey,
    /// The issuer's metadata cannot be taken.
    #[error("discovery failed: {0}")]
    Discovery(Cow<'static, str>),
    /// It did not end: it took too long, or its runtime went away.
    #[error("the refresh did not end")]
    Abandoned,
    /// Another process that shares its keys with this one could not refresh them a moment ago, and nobody asks again for so
    /// long.
    #[error("another process could not refresh the keys either")]
    #[non_exhaustive]
    Paused {
        /// What is left of the pause.
        retry_after: Duration,
    },
    /// Nobody asks on a tokio runtime, which alone could fetch.
    #[error("there is no tokio runtime to fetch on")]
    NoRuntime,
}

impl RefreshError {
    /// The name for metric labels.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.kind(),
            Self::Document(_) => "document",
            Self::NoUsableKey => "no_usable_key",
            Self::Discovery(_) => "discovery",
            Self::Abandoned => "abandoned",
            Self::Paused { .. } => "paused",
            Self::NoRuntime => "no_runtime",
        }
    }

    /// Whether it may be for reasons that other processes do not have.
    pub(in super::super) fn may_be_ours(&self) -> bool {
        use FetchError::{Address, Connect, Status, Timeout, Tls, Transport};
        match self {
            Self::Abandoned | Self::Fetch(Address | Connect(_) | Timeout(_) | Tls(_) | Transport(_)) => true,
            // What a proxy on the way says who lets others pass. An issuer in trouble says another thing, and so does one that
            // is asked too often.
            Self::Fetch(Status { status, .. }) => (400..500).contains(status) && *status != 429,
            _ => false,
        }
    }

    /// How long the server asks to be left alone.
    pub(in super::super) fn retry_after(&self) -> Duration {
        match self {
            Self::Fetch(FetchError::Status { retry_after: Some(wait), .. }) | Self::Paused { retry_after: wait } => {
                *wait
            }
            _ => Duration::ZERO,
        }
    }
}
