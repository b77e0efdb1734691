//! The keys that an issuer publishes.

mod discovery;
mod refresh;

pub use refresh::RefreshError;

use crate::fetch::JwksFetch;
use countersign::clock::{Clock, SystemClock};
use countersign::keys::KeyIdentity;
use countersign::observe::{NoObserver, Observer};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::{ConfigError, VerifyingKey, async_trait};
use discovery::Source;
use refresh::{Limits, Refresher};
use std::sync::Arc;
use std::time::Duration;

/// The keys of an issuer, fetched when first needed, kept, and refreshed.
///
/// - A token whose `kid` is known is served from memory: no lock, no I/O, whatever else is going on.
/// - A `kid` that is not known may cause a refresh: one for all who wait, two at once and then one per 5 s at most,
///   whoever asks. A `kid` that a fresh document lacked is remembered for 30 s.
/// - After four fifths of the time to live, the next request starts a refresh and does not wait for it. A refresh that
///   fails is tried again after 1 s, 2 s, … 60 s; meanwhile the old keys serve, up to 50 min beyond their time to
///   live. After that the answer is "unavailable", never "no such key".
/// - A document without a usable key never replaces one that has some.
///
/// Refreshes run as tasks of the tokio runtime that asked; they end when the provider is dropped, and not when a
/// request is.
///
/// ```no_run
/// use countersign_keys::JwksProvider;
///
/// let keys = JwksProvider::url("https://issuer.example/.well-known/jwks.json").build()?;
/// # let _ = keys;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct JwksProvider {
    refresher: Arc<Refresher>,
}

impl JwksProvider {
    /// Keys from a JWK Set at this URL.
    pub fn url(url: impl Into<String>) -> JwksProviderBuilder {
        JwksProviderBuilder::new(Source::JwksUri(url.into()))
    }

    /// Keys from `/.well-known/jwks.json` below an issuer, written with or without a slash at its end.
    pub fn issuer(issuer: impl AsRef<str>) -> JwksProviderBuilder {
        let issuer = issuer.as_ref();
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        Self::url(format!("{base}/.well-known/jwks.json"))
    }

    /// Keys from the JWK Set that the issuer's OpenID Connect metadata names (`/.well-known/openid-configuration`).
    ///
    /// The issuer in the metadata must be identical to this one, the slash at its end included.
    pub fn discover(issuer: impl Into<String>) -> JwksProviderBuilder {
        JwksProviderBuilder::new(Source::Discovery { issuer: issuer.into() })
    }

    /// Waits until there are keys, for a service that wants to start with them.
    ///
    /// # Errors
    /// [`KeyProviderError::Unavailable`] when the first fetch fails.
    pub async fn ready(&self) -> Result<(), KeyProviderError> {
        self.refresher.ready().await
    }
}

impl Drop for JwksProvider {
    fn drop(&mut self) {
        self.refresher.stop();
    }
}

#[async_trait]
impl KeyProvider for JwksProvider {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        self.refresher.key_now(wanted)
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.refresher.key(wanted).await
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        self.refresher.candidates(wanted)
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.refresher.trusts(key)
    }
}

/// Sets a [`JwksProvider`] up.
#[derive(Debug)]
#[must_use]
pub struct JwksProviderBuilder {
    source: Source,
    fetch: Option<Box<dyn JwksFetch>>,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
    limits: Limits,
    #[cfg(feature = "http")]
    reach: Reach,
}

#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Loopback,
    Private,
}

const MIN_TIME_TO_LIVE: Duration = Duration::from_secs(60);
const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(60 * 60);

impl JwksProviderBuilder {
    fn new(source: Source) -> Self {
        Self {
            source,
            fetch: None,
            clock: Box::new(SystemClock::new()),
            observer: Box::new(NoObserver),
            limits: Limits::default(),
            #[cfg(feature = "http")]
            reach: Reach::Public,
        }
    }

    /// How long a document is fresh: 10 min unless set, between 1 min and 1 h.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.limits.time_to_live = time_to_live;
        self
    }

    /// How long the keys serve beyond their time to live while they cannot be refreshed: 50 min unless set, 24 h at
    /// most.
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.limits.max_stale = max_stale;
        self
    }

    /// The largest document that is read, in bytes after decompression: 128 KiB unless set.
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.limits.max_bytes = max_bytes;
        self
    }

    /// An HTTP client of the caller's. It decides which addresses may be asked.
    pub fn fetch(mut self, fetch: impl JwksFetch) -> Self {
        self.fetch = Some(Box::new(fetch));
        self
    }

    /// Allows plain HTTP to this machine: development and tests.
    #[cfg(feature = "http")]
    pub fn allow_http_on_loopback(mut self) -> Self {
        self.reach = Reach::Loopback;
        self
    }

    /// Allows private addresses, over HTTPS: an issuer inside the same network.
    #[cfg(feature = "http")]
    pub fn allow_private_addresses(mut self) -> Self {
        self.reach = Reach::Private;
        self
    }

    /// Where the time comes from: the system unless set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Is told of refreshes, and of floods of unknown key ids.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// The provider. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting: a URL that may not be asked, a time to live out of bounds.
    pub fn build(self) -> Result<JwksProvider, ConfigError> {
        if !(MIN_TIME_TO_LIVE..=MAX_TIME_TO_LIVE).contains(&self.limits.time_to_live) {
            return Err(ConfigError::new("time_to_live", "not between 1 min and 1 h"));
        }
        if self.limits.max_stale > Duration::from_secs(24 * 60 * 60) {
            return Err(ConfigError::new("max_stale", "more than 24 h"));
        }
        if self.limits.max_bytes == 0 {
            return Err(ConfigError::new("max_bytes", "is zero"));
        }
        let first_url = self.source.first_url()?;
        let fetch = match self.fetch {
            Some(fetch) => fetch,
            #[cfg(feature = "http")]
            None => {
                let client = match self.reach {
                    Reach::Public => crate::HttpFetch::new(),
                    Reach::Loopback => crate::HttpFetch::with_loopback(),
                    Reach::Private => crate::HttpFetch::with_private_addresses(),
                }?;
                client.check(&first_url)?;
                Box::new(client)
            }
            #[cfg(not(feature = "http"))]
            None => {
                let _ = first_url;
                return Err(ConfigError::new("fetch", "is not set, and the feature `http` is off"));
            }
        };
        let refresher = Refresher::new(self.source, fetch, self.clock, self.observer, self.limits);
        Ok(JwksProvider { refresher: Arc::new(refresher) })
    }
}

#[cfg(test)]
mod tests;
