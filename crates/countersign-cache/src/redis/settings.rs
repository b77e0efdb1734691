use super::cluster::Cluster;
use super::command::Script;
use super::link::Link;
use super::news::News;
use super::sentinel::Sentinels;
use super::server::{Address, Dialer, Parsed};
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::{ADD, COMPARE_AND_SWAP, FIND, GET, RedisCache, Route, TAKE};
use ::redis::RedisConnectionInfo;
use countersign::ConfigError;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

/// What a verb may take, connecting included. More is not on offer: a request waits for this.
const MAX_TIMEOUT: Duration = Duration::from_millis(100);

const MAX_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// Makes a [`RedisCache`].
///
/// ```
/// use countersign_cache::RedisCache;
/// use std::time::Duration;
///
/// let builder = RedisCache::builder("redis://127.0.0.1:6379/");
/// let error = builder.timeout(Duration::from_secs(1)).build().unwrap_err();
/// assert_eq!(error.setting(), "timeout");
/// ```
#[must_use]
pub struct RedisCacheBuilder {
    place: Place,
    prefix: String,
    timeout: Duration,
    max_value_bytes: usize,
    #[cfg(feature = "tls")]
    authorities: Option<Vec<u8>>,
}

/// Where the store is, in URLs.
enum Place {
    Server(String),
    Sentinel { master: String, sentinels: Vec<String> },
    Cluster(Vec<String>),
}

impl RedisCacheBuilder {
    fn new(place: Place) -> Self {
        Self {
            place,
            prefix: "countersign".to_owned(),
            timeout: MAX_TIMEOUT,
            max_value_bytes: MAX_VALUE_BYTES,
            #[cfg(feature = "tls")]
            authorities: None,
        }
    }

    pub(super) fn server(url: String) -> Self {
        Self::new(Place::Server(url))
    }

    pub(super) fn sentinel(master: String, sentinels: Vec<String>) -> Self {
        Self::new(Place::Sentinel { master, sentinels })
    }

    pub(super) fn cluster(nodes: Vec<String>) -> Self {
        Self::new(Place::Cluster(nodes))
    }

    /// What all keys on the server begin with, followed by a colon: `countersign` unless told. Users of one
    /// server who must not see each other's entries have different prefixes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a verb may take, from its first poll to its answer. 100 ms unless told, which is also the
    /// most.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many octets a value may have: 4 MiB unless told. A longer one is an error for who writes it, and for who finds it: of
    /// what others have put there, no more is fetched.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Trusts the certificate authorities in this PEM, and no others: those of the operating system have no say.
    ///
    /// ```no_run
    /// use countersign_cache::RedisCache;
    ///
    /// let authority = std::fs::read("/etc/ssl/our-own-authority.pem")?;
    /// let store = RedisCache::builder("rediss://app:secret@redis.internal").trust_only(authority).build()?;
    /// # let _ = store;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn trust_only(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// The store. Nothing is connected, and no runtime is needed.
    ///
    /// # Errors
    /// [`ConfigError`] where a URL is none that this build can use, where several URLs do not agree about TLS, or those of
    /// a cluster about name and password, where the prefix is empty or has something else than printable ASCII without spaces
    /// and braces in it, where the timeout is zero or above 100 ms, and where authorities are no PEM or there is no TLS for
    /// them.
    pub fn build(self) -> Result<RedisCache, ConfigError> {
        // Braces would choose the slot in a cluster.
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'{' && byte != b'}';
        if self.prefix.is_empty() || !self.prefix.bytes().all(fits) {
            return Err(ConfigError::new("prefix", "is not printable ASCII without spaces and braces"));
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return Err(ConfigError::new("timeout", "is not above zero and at most 100 ms"));
        }
        Ok(RedisCache {
            route: Arc::new(self.route()?),
            news: News::default(),
            prefix: self.prefix,
            timeout: self.timeout,
            max_value_bytes: self.max_value_bytes,
            get: Script::new(GET),
            find: Script::new(FIND),
            take: Script::new(TAKE),
            compare_and_swap: Script::new(COMPARE_AND_SWAP),
            add: Script::new(ADD),
        })
    }

    fn route(&self) -> Result<Route, ConfigError> {
        match &self.place {
            Place::Server(url) => {
                let parsed = Parsed::url("url", url)?;
                let dialer = self.dialers(parsed.is_tls)?(parsed.login);
                Ok(Route::Server { link: Link::default(), address: parsed.address, dialer })
            }
            Place::Sentinel { master, sentinels } => {
                let master = Parsed::url("master", master)?;
                let Address::Tcp(name, _) = master.address else {
                    return Err(ConfigError::new("master", "is a Unix socket, and not the name of a master"));
                };
                let sentinels = several("sentinels", sentinels)?;
                if sentinels.iter().any(|sentinel| sentinel.is_tls != master.is_tls) {
                    return Err(ConfigError::new("sentinels", "some URLs want TLS, and others do not"));
                }
                let dialer = self.dialers(master.is_tls)?;
                let sentinels = sentinels.into_iter().map(|one| (one.address, dialer(one.login))).collect();
                let sentinels = Sentinels { sentinels, master: name, to_master: dialer(master.login) };
                Ok(Route::Sentinel { link: Link::default(), sentinels })
            }
            Place::Cluster(nodes) => {
                let nodes = several("nodes", nodes)?;
                let mut agreed: Option<(RedisConnectionInfo, bool)> = None;
                let mut seeds = Vec::new();
                for node in nodes {
                    if node.login.db() != 0 || matches!(node.address, Address::Unix(_)) {
                        return Err(ConfigError::new("nodes", "a cluster has no databases and no Unix sockets"));
                    }
                    let (login, is_tls) = agreed.get_or_insert((node.login.clone(), node.is_tls));
                    if who(login) != who(&node.login) || *is_tls != node.is_tls {
                        return Err(ConfigError::new("nodes", "the URLs differ in more than host and port"));
                    }
                    seeds.push(node.address);
                }
                let (login, is_tls) = agreed.unwrap_or_default();
                Ok(Route::Cluster(Cluster::new(seeds, self.dialers(is_tls)?(login))))
            }
        }
    }

    /// What makes the dialers of a store, all of them with TLS or none.
    #[cfg(feature = "tls")]
    fn dialers(&self, is_tls: bool) -> Result<impl Fn(RedisConnectionInfo) -> Dialer, ConfigError> {
        if !is_tls && self.authorities.is_some() {
            return Err(ConfigError::new("trust_only", "is set, and the URL does not want TLS (`rediss://`)"));
        }
        let tls = is_tls.then(|| Tls::new(self.authorities.as_deref())).transpose()?;
        let timeout = self.timeout;
        Ok(move |login| Dialer { login, tls: tls.clone(), timeout, pushes: None })
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unnecessary_wraps, reason = "with TLS there is something to fail")]
    fn dialers(&self, _: bool) -> Result<impl Fn(RedisConnectionInfo) -> Dialer, ConfigError> {
        let timeout = self.timeout;
        Ok(move |login| Dialer { login, timeout, pushes: None })
    }
}

fn several(setting: &'static str, urls: &[String]) -> Result<Vec<Parsed>, ConfigError> {
    if urls.is_empty() {
        return Err(ConfigError::new(setting, "the list is empty"));
    }
    urls.iter().map(|url| Parsed::url(setting, url)).collect()
}

/// What the nodes of a cluster must have in common.
fn who(login: &RedisConnectionInfo) -> (Option<&str>, Option<&str>, ::redis::ProtocolVersion) {
    (login.username(), login.password(), login.protocol())
}

impl Debug for RedisCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCacheBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
