//! The keys that an issuer publishes.

mod absent;
mod alarm;
mod discovery;
mod flight;
mod health;
mod refresh;
mod runtime;
mod shared;
mod snapshot;

pub use health::{Health, KeysState, QuarantinedKey, UsableKey};
pub use refresh::RefreshError;

use crate::fetch::JwksFetch;
use alarm::RuntimeAlarm;
use countersign::cache::{CacheStore, FleetKey};
use countersign::clock::{Clock, SystemClock};
use countersign::crypto::{Backend, default_backend};
use countersign::keys::KeyIdentity;
use countersign::observe::{NoObserver, Observer};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::{ConfigError, VerifyingKey, async_trait};
use discovery::Source;
use refresh::{MAX_TIME_TO_LIVE, MIN_TIME_TO_LIVE, Refresher, Settings};
use shared::Shared;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The keys of an issuer, fetched when first needed, kept, and refreshed.
///
/// - A token whose `kid` is known is served from memory: no lock, no I/O, whatever else is going on.
/// - A `kid` that is not known may cause a refresh: one for all who wait, two at once and then one per 5 s at most,
///   whoever asks. A `kid` that a fresh document lacked is remembered for 30 s.
/// - After four fifths of the time to live the keys are refreshed, and nobody waits for it. A refresh that fails is tried
///   again after about 1 s, 2 s, … 60 s, or when the server asks to be asked again; meanwhile the old keys serve, up to 50 min
///   beyond their time to live. After that the answer is "unavailable", never "no such key".
/// - A document without a usable key never replaces one that has some. One that lacks a key ends the trust in it at once.
///
/// A look-up waits 5 s at most for the first keys of all, and 1 s for newer ones; where an unknown `kid` meets the first
/// keys, both.
///
/// Refreshes, and the task that starts them when they are due, run on the tokio runtime that first asked, which must have
/// its I/O and timers enabled. They belong to this provider: they end when it is dropped or [closed](Self::close), and not
/// when a request is. Outside a runtime, what is in memory is served.
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
    pub fn issuer(issuer: impl Into<String>) -> JwksProviderBuilder {
        JwksProviderBuilder::new(Source::Issuer { issuer: issuer.into() })
    }

    /// Keys from the JWK Set that the issuer's metadata names: OpenID Connect's (`/.well-known/openid-configuration`), or
    /// where there is none, RFC 8414's (`/.well-known/oauth-authorization-server`).
    ///
    /// The issuer in the metadata must be identical to this one, the slash at its end included.
    pub fn discover(issuer: impl Into<String>) -> JwksProviderBuilder {
        JwksProviderBuilder::new(Source::Discovery { issuer: issuer.into() })
    }

    /// Keys from a JWK Set in a file that others replace: it is read again every 10 s, and for an unknown `kid`. For one
    /// that stays, [`StaticKeys::from_jwks_file`](crate::StaticKeys::from_jwks_file).
    ///
    /// ```
    /// use countersign_keys::JwksProvider;
    ///
    /// let keys = JwksProvider::file("/run/secrets/keys.json").build()?;
    /// # let _ = keys;
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    pub fn file(path: impl Into<PathBuf>) -> JwksProviderBuilder {
        JwksProviderBuilder::new(Source::File(path.into())).time_to_live(FILE_TIME_TO_LIVE)
    }

    /// Waits until there are keys, 5 s at most, however often the first fetches fail: for a service that wants to start
    /// with them.
    ///
    /// # Errors
    /// [`KeyProviderError::Unavailable`] when there are none by then.
    ///
    /// ```no_run
    /// use countersign_keys::JwksProvider;
    ///
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = JwksProvider::discover("https://tenant.auth0.com/").build()?;
    /// // A service that is not to be told of before it can judge: without keys it answers 503.
    /// if keys.ready().await.is_err() {
    ///     eprintln!("no keys yet: {:?}", keys.health().last_error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ready(&self) -> Result<(), KeyProviderError> {
        self.refresher.ready().await
    }

    /// Refreshes the keys now, whatever the schedule, and says how it ended; joins a refresh that is under way. Once a
    /// second at most: asked again within a second, it says how the last one ended.
    ///
    /// # Errors
    /// [`KeyProviderError::Unavailable`] with the [`RefreshError`] as its source when it fails. The old keys then serve on.
    ///
    /// ```
    /// use countersign::async_trait;
    /// use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch, JwksProvider, KeysState};
    ///
    /// /// An issuer that needs no network.
    /// #[derive(Debug)]
    /// struct Canned;
    ///
    /// #[async_trait]
    /// impl JwksFetch for Canned {
    ///     async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
    ///         Ok(Fetched::new(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
    ///             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = JwksProvider::url("https://issuer.example/jwks").fetch(Canned).build()?;
    /// keys.refresh_now().await?; // an operator has just rotated the keys
    /// let health = keys.health();
    /// assert_eq!((health.state, health.usable.len(), health.generation), (KeysState::Fresh, 1, 1));
    ///
    /// keys.close(); // before the runtime ends
    /// assert_eq!(keys.health().state, KeysState::Closed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn refresh_now(&self) -> Result<(), KeyProviderError> {
        self.refresher.refresh_now().await
    }

    /// Ends all background work for good. What is in memory serves until it is past its bound; then the answer is
    /// "unavailable".
    pub fn close(&self) {
        self.refresher.close();
    }

    /// How it fares.
    ///
    /// ```
    /// use countersign_keys::{JwksProvider, KeysState};
    ///
    /// let keys = JwksProvider::url("https://issuer.example/jwks").name("main").build()?;
    /// assert_eq!(keys.health().state, KeysState::Empty);
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        self.refresher.health()
    }
}

impl Drop for JwksProvider {
    fn drop(&mut self) {
        self.refresher.close();
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
///
/// ```
/// use countersign_keys::JwksProvider;
/// use std::time::Duration;
///
/// let keys = JwksProvider::discover("https://tenant.auth0.com/")
///     .name("auth0") // in metrics and in `health`
///     .time_to_live(Duration::from_secs(5 * 60))
///     .max_stale(Duration::from_secs(2 * 60 * 60)) // to outlive an outage of the issuer
///     .max_bytes(64 * 1024)
///     .build()?;
/// assert_eq!(keys.health().provider, "auth0");
///
/// let error = JwksProvider::url("http://issuer.example/jwks").build().unwrap_err();
/// assert_eq!(error.to_string(), "`url`: `http://issuer.example/jwks`: not https");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct JwksProviderBuilder {
    name: String,
    source: Source,
    fetch: Option<Box<dyn JwksFetch>>,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
    backend: Option<Box<dyn Backend>>,
    time_to_live: Duration,
    heeds_cache_headers: bool,
    max_stale: Duration,
    max_bytes: usize,
    alert_threshold: u64,
    shared: Option<(Box<dyn CacheStore>, FleetKey)>,
    #[cfg(feature = "http")]
    allows_loopback: bool,
    #[cfg(feature = "http")]
    allows_private: bool,
}

const TIME_TO_LIVE: Duration = Duration::from_secs(10 * 60);
const FILE_TIME_TO_LIVE: Duration = Duration::from_secs(10);
const MAX_STALE: Duration = Duration::from_secs(50 * 60);
const MAX_MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_BYTES: usize = 128 * 1024;
const MAX_MAX_BYTES: usize = 1024 * 1024;
const ALERT_THRESHOLD: u64 = 40;

impl JwksProviderBuilder {
    fn new(source: Source) -> Self {
        Self {
            name: "default".to_owned(),
            source,
            fetch: None,
            clock: Box::new(SystemClock::new()),
            observer: Box::new(NoObserver),
            backend: None,
            time_to_live: TIME_TO_LIVE,
            heeds_cache_headers: true,
            max_stale: MAX_STALE,
            max_bytes: MAX_BYTES,
            alert_threshold: ALERT_THRESHOLD,
            shared: None,
            #[cfg(feature = "http")]
            allows_loopback: false,
            #[cfg(feature = "http")]
            allows_private: false,
        }
    }

    /// What this provider is called in events, metrics and [`Health`]: `default` unless set. Never anything that a token
    /// says.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How long a document is fresh where its server does not say: 10 min unless set, between 1 min and 1 h; of a file,
    /// 10 s unless set, at least 1 s.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = time_to_live;
        self
    }

    /// Takes the time to live from here alone, whatever the server says in `Cache-Control` and `Expires`. Unless this is
    /// said, the server's word counts, held to between 1 min and 1 h.
    pub fn ignore_cache_headers(mut self) -> Self {
        self.heeds_cache_headers = false;
        self
    }

    /// How long the keys serve beyond their time to live while they cannot be refreshed: 50 min unless set, 24 h at
    /// most.
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.max_stale = max_stale;
        self
    }

    /// The largest document that is read, in bytes after decompression: 128 KiB unless set, 1 MiB at most.
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// How many tokens with unknown key ids are turned away between one
    /// [`UnknownKeysThrottled`](countersign::observe::Event::UnknownKeysThrottled) and the next: 40 unless set.
    pub fn alert_threshold(mut self, count: u64) -> Self {
        self.alert_threshold = count;
        self
    }

    /// Shares what is fetched with all processes that have the same store, the same key and the same source of keys: one
    /// fetches, and all have what it fetched.
    ///
    /// 1. Whoever needs newer keys looks in the store first. If they are not there, the process that takes a lease fetches
    ///    them, and the others wait for it, as long as they would for an answer of the issuer. A fetcher that dies is
    ///    succeeded after 3 s; one that slept past its lease has no say. What it could not fetch nobody asks for until a
    ///    common pause is over.
    /// 2. Each process reads the document itself, by its own settings, and looks whether another one has fetched it anew:
    ///    within half a second where the store [tells](CacheStore::changed) of it, and every 10 s or sooner in any case. What was fetched earlier never replaces what was fetched later.
    /// 3. A store that fails, is slow, or holds what was not written with this key is no reason to wait or to believe: the
    ///    process fetches for itself. No question to it takes longer than 100 ms.
    /// 4. A key that is known is served from memory, whatever the store is at.
    ///
    /// The key is what keeps write access to the store from being the power to make tokens. Whoever has that access can
    /// still remove what is there, keep it from being replaced, and put back a document of before: a process that starts
    /// then takes one for as long as it is fresh, and while the issuer cannot be asked, as long as it may serve.
    ///
    /// Clocks of the processes may differ by two minutes. In a store that does not tell what is left of an entry's time
    /// ([`CacheStore::find`]), a document may live longer by as much as they differ.
    ///
    /// ```
    /// use countersign::cache::FleetKey;
    /// # use countersign::cache::CacheStore;
    /// use countersign_keys::JwksProvider;
    ///
    /// # fn example(redis: impl CacheStore) -> Result<(), countersign::ConfigError> {
    /// // `redis` is a `RedisCache` of `countersign-cache`.
    /// let key = FleetKey::from_base64url("tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM")?;
    /// let keys = JwksProvider::discover("https://tenant.auth0.com/").shared_cache(redis, key).build()?;
    /// # let _ = keys;
    /// # Ok(())
    /// # }
    /// ```
    pub fn shared_cache(mut self, store: impl CacheStore, key: FleetKey) -> Self {
        self.shared = Some((Box::new(store), key));
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
        self.allows_loopback = true;
        self
    }

    /// Allows private addresses, over HTTPS: an issuer inside the same network.
    #[cfg(feature = "http")]
    pub fn allow_private_addresses(mut self) -> Self {
        self.allows_private = true;
        self
    }

    /// Where the time comes from: the system unless set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Is told of refreshes, and of unknown key ids.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// What verifies with the keys: ring unless set, or [what there is](countersign::crypto).
    ///
    #[cfg_attr(feature = "aws-lc", doc = "```")]
    #[cfg_attr(not(feature = "aws-lc"), doc = "```ignore")]
    /// use countersign::crypto::AwsLc;
    /// use countersign_keys::JwksProvider;
    ///
    /// let keys = JwksProvider::url("https://issuer.example/jwks").backend(AwsLc).build()?;
    /// # let _ = keys;
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Box::new(backend));
        self
    }

    /// The provider. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting: a URL that may not be asked, a time to live out of bounds, no backend for
    /// signatures, a file that is to be shared.
    pub fn build(self) -> Result<JwksProvider, ConfigError> {
        let shortest = if matches!(self.source, Source::File(_)) { Duration::from_secs(1) } else { MIN_TIME_TO_LIVE };
        if !(shortest..=MAX_TIME_TO_LIVE).contains(&self.time_to_live) {
            let problem = format!("not between {} s and 1 h", shortest.as_secs());
            return Err(ConfigError::new("time_to_live", problem));
        }
        if self.max_stale > MAX_MAX_STALE {
            return Err(ConfigError::new("max_stale", "more than 24 h"));
        }
        if !(1..=MAX_MAX_BYTES).contains(&self.max_bytes) {
            return Err(ConfigError::new("max_bytes", "not between 1 byte and 1 MiB"));
        }
        if self.alert_threshold == 0 {
            return Err(ConfigError::new("alert_threshold", "is zero"));
        }
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            return Err(ConfigError::new("name", "is empty, or has control characters"));
        }
        if let (None, Err(error)) = (&self.backend, default_backend()) {
            return Err(ConfigError::new("backend", error.to_string()));
        }
        let urls = self.source.urls()?;
        let fetch: Box<dyn JwksFetch> = match (self.source.fetch(), self.fetch) {
            (Some(_), Some(_)) => return Err(ConfigError::new("fetch", "is set, and a file needs no client")),
            #[cfg(feature = "http")]
            (_, Some(_)) if self.allows_loopback || self.allows_private => {
                return Err(ConfigError::new("fetch", "is set: the client decides which addresses may be asked"));
            }
            (Some(fetch), None) => fetch,
            (None, Some(fetch)) => fetch,
            #[cfg(feature = "http")]
            (None, None) => {
                let mut client = crate::HttpFetch::builder();
                if self.allows_loopback {
                    client = client.allow_http_on_loopback();
                }
                if self.allows_private {
                    client = client.allow_private_addresses();
                }
                Box::new(client.build()?)
            }
            #[cfg(not(feature = "http"))]
            (None, None) => return Err(ConfigError::new("fetch", "is not set, and the feature `http` is off")),
        };
        for url in urls {
            fetch.check(&url).map_err(|error| self.source.refused(&url, &error))?;
        }
        let shared = self
            .shared
            .map(|(store, key)| Shared::new(store, key, &self.source, fetch.variant(), self.max_bytes))
            .transpose()?;
        let clock: Arc<dyn Clock> = Arc::from(self.clock);
        let alarm = clock.alarm().map_or_else(|| Arc::new(RuntimeAlarm::new(Arc::clone(&clock))) as _, Arc::from);
        let refresher = Refresher::new(Settings {
            name: self.name,
            source: self.source,
            fetch,
            clock,
            alarm,
            observer: self.observer,
            backend: self.backend,
            time_to_live: self.time_to_live,
            heeds_cache_headers: self.heeds_cache_headers,
            max_stale: self.max_stale,
            max_bytes: self.max_bytes,
            alert_threshold: self.alert_threshold,
            shared,
        });
        Ok(JwksProvider { refresher: Arc::new(refresher) })
    }
}

#[cfg(test)]
#[cfg(shuttle)]
mod model;
#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
