//! A cache store in Redis.

mod cluster;
mod command;
mod link;
mod news;
mod sentinel;
mod server;
mod settings;
#[cfg(feature = "tls")]
mod tls;

pub use settings::RedisCacheBuilder;

use ::redis::{ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, Value};
use cluster::Cluster;
use command::{Command, Script};
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, Found};
use countersign::{Bytes, async_trait};
use link::{Link, NO_RUNTIME};
use news::News;
use sentinel::Sentinels;
use server::{Address, BoxedDial, Dialer, Pushes};
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// `KEYS[1]`; `ARGV[1]`: the last octet that is wanted, one more than a value may have. Whoever can write to the server could
/// otherwise have every reader fetch as much as a server holds, again and again.
const GET: &str = r"
local value = redis.call('GETRANGE', KEYS[1], 0, ARGV[1])
if value == '' and redis.call('EXISTS', KEYS[1]) == 0 then return false end
return value
";

/// The same, and the milliseconds that it has left, which are negative where it stays for ever.
const FIND: &str = r"
local left = redis.call('PTTL', KEYS[1])
if left == -2 then return false end
return {redis.call('GETRANGE', KEYS[1], 0, ARGV[1]), left}
";

/// `KEYS[1]`; `ARGV[1]`: the most octets that are taken.
const TAKE: &str = r"
if redis.call('STRLEN', KEYS[1]) > tonumber(ARGV[1]) then
  return redis.error_reply('ERR the value is too long')
end
return redis.call('GETDEL', KEYS[1])
";

/// `KEYS[1]`; `ARGV`: what is expected, and, unless it is to be removed, the new value and its milliseconds.
const COMPARE_AND_SWAP: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return 1
";

/// `KEYS[1]`; `ARGV`: how much, and the milliseconds of the window. Gives the total and what is left.
///
/// The total is read back as text because a number in Lua is a double. `INCRBY` fails on what is no counter
/// and on overflow; adding zero tells which. An entry that would stay for ever (nothing here makes one) gets
/// the window: a limit that is never lifted is an outage. `PEXPIRE` with zero removes the entry.
const ADD: &str = r"
local before = redis.call('GET', KEYS[1])
if before and string.sub(before, 1, 1) == '-' then
  return redis.error_reply('ERR the entry is no counter')
end
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' then
  redis.call('INCRBY', KEYS[1], 0)
  redis.call('SET', KEYS[1], '9223372036854775807', 'KEEPTTL')
end
local total = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = ARGV[2]
end
return {total, left}
";

/// A [`CacheStore`] in Redis (6.2 or later) or in what speaks its language, shared by all who use the same
/// server and prefix: one [server](Self::builder), a [master that sentinels](Self::sentinel) watch over, or a
/// [cluster](Self::cluster).
///
/// Building it connects to nothing, so it works while the server is down. Every verb has one deadline for
/// everything, waiting for a connection included, and then is an error; the connection is made anew by
/// itself. Nothing that a server may have done is tried twice: after an error the verb may have been done or not, and may yet be
/// done by a server that was only slow. Whoever counts or takes decides what an error means.
///
/// A server that closes idle connections costs the next verb a new one, or an error where that comes first. Evictions
/// (`maxmemory-policy`) are the server's: an entry may go before its time. What a master has not yet told its replicas when it
/// dies is lost: an entry that was written may be gone, and one that was removed may be back.
///
/// With `rediss://` in the place of `redis://` (feature `tls`), the server shows a certificate for the host in the URL, or that
/// the sentinels or the cluster name, from an authority that the operating system trusts, or from
/// [one's own](RedisCacheBuilder::trust_only). There is no way around the check, and no way back to plain text.
///
/// [`announce`](CacheStore::announce) publishes the name of the entry in the channel `prefix:news`; from the first
/// [`changed`](CacheStore::changed) on, a second connection listens there. Whoever has access lists wants `&prefix:*` among the
/// channels of its user. Where it is refused, or the connection is lost, nothing is heard until it has been made anew, which then
/// counts as news of every entry.
///
/// Its verbs want a Tokio runtime with I/O and time enabled (`enable_all`). Outside any runtime they are errors; on one
/// that was built without I/O or without time they panic, as all of Tokio does there: it cannot be asked beforehand. The
/// connection lives on the runtime that first used it.
///
/// ```
/// use countersign_cache::RedisCache;
///
/// let store = RedisCache::builder("redis://:secret@127.0.0.1:6379/").prefix("my-api").build()?;
/// assert!(!format!("{store:?}").contains("secret"));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub struct RedisCache {
    route: Arc<Route>,
    news: News,
    prefix: String,
    timeout: Duration,
    max_value_bytes: usize,
    get: Script,
    find: Script,
    take: Script,
    compare_and_swap: Script,
    add: Script,
}

/// Where a command goes.
enum Route {
    Server { link: Link, address: Address, dialer: Dialer },
    Sentinel { link: Link, sentinels: Sentinels },
    Cluster(Cluster),
}

impl Route {
    async fn ask(&self, command: &Command<'_>) -> RedisResult<Value> {
        match self {
            Self::Server { link, address, dialer } => {
                let (dialer, address) = (dialer.clone(), address.clone());
                let dial = move || dialer.clone().dial(address.clone());
                link.ask(dial, async |connection| command.send(connection, false).await).await
            }
            Self::Sentinel { link, sentinels } => {
                let sentinels = sentinels.clone();
                let dial = move || sentinels.clone().dial();
                let answer = link.ask(dial, async |connection| command.send(connection, false).await).await;
                if answer.as_ref().is_err_and(takes_no_writes) {
                    link.give_up();
                }
                answer
            }
            Self::Cluster(cluster) => cluster.ask(command).await,
        }
    }

    /// A connection on which the server says what is published.
    fn dial_listener(&self, pushes: Pushes) -> BoxedDial {
        match self {
            Self::Server { address, dialer, .. } => dialer.telling(pushes).dial(address.clone()),
            Self::Sentinel { sentinels, .. } => sentinels.telling(pushes).dial(),
            Self::Cluster(cluster) => cluster.dial_listener(pushes),
        }
    }
}

/// What a master says that has become a replica, or that is cut off from its replicas where it is to take writes with them
/// alone: the sentinels may know of another.
fn takes_no_writes(error: &::redis::RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || error.code() == Some("NOREPLICAS")
}

impl RedisCache {
    /// A store on the server at this URL: `redis://[user][:password@]host[:port][/database]`, or
    /// `unix:///path/to/redis.sock`. `rediss://` is TLS, for which there is the feature `tls`.
    pub fn builder(url: impl Into<String>) -> RedisCacheBuilder {
        RedisCacheBuilder::server(url.into())
    }

    /// A store on the master that these sentinels watch over. `master` is a URL as that of a [server](Self::builder), with what
    /// the sentinels call the master in the place of its host; name, password and database are the master's. The
    /// sentinels have URLs and passwords of their own.
    ///
    /// They are asked, one after the other, whenever there is a connection to be made; what they name is taken where it says
    /// itself that it is a master. During a failover every verb is an error by its deadline.
    ///
    /// ```
    /// use countersign_cache::RedisCache;
    ///
    /// let sentinels = ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379", "redis://10.0.0.3:26379"];
    /// let store = RedisCache::sentinel("redis://app:secret@mymaster", sentinels).build()?;
    /// # let _ = store;
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    pub fn sentinel<U: Into<String>>(
        master: impl Into<String>,
        sentinels: impl IntoIterator<Item = U>,
    ) -> RedisCacheBuilder {
        RedisCacheBuilder::sentinel(master.into(), sentinels.into_iter().map(Into::into).collect())
    }

    /// A store on a Redis Cluster, found through any of these nodes, which all have the same name and password.
    ///
    /// An entry lies on the node that has the slot of its name. The name stands in braces behind the prefix
    /// (`prefix:{name}`), so that whatever a script keeps beside an entry can be kept in its slot. A node that says that a slot
    /// is elsewhere has done nothing, so that one is asked: three times at most, within the deadline of the verb.
    ///
    /// ```
    /// use countersign_cache::RedisCache;
    ///
    /// let store = RedisCache::cluster(["redis://:secret@10.0.0.1", "redis://:secret@10.0.0.2"]).build()?;
    /// # let _ = store;
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    pub fn cluster<U: Into<String>>(nodes: impl IntoIterator<Item = U>) -> RedisCacheBuilder {
        RedisCacheBuilder::cluster(nodes.into_iter().map(Into::into).collect())
    }

    fn key(&self, key: &CacheKey) -> String {
        match *self.route {
            Route::Cluster(_) => format!("{}:{{{key}}}", self.prefix),
            _ => format!("{}:{key}", self.prefix),
        }
    }

    /// Where all who use the store announce changes.
    fn channel(&self) -> String {
        format!("{}:news", self.prefix)
    }

    fn command(&self, name: &'static str, key: &CacheKey) -> Command<'_> {
        Command::new(name, self.key(key))
    }

    /// What was read, unless it is longer than anything that is written.
    fn fitting<V: AsRef<[u8]>>(&self, value: V) -> Result<V, CacheError> {
        if value.as_ref().len() > self.max_value_bytes {
            return Err(CacheError::because("the value is too long"));
        }
        Ok(value)
    }

    async fn ask<T: FromRedisValue>(&self, command: Command<'_>) -> Result<T, CacheError> {
        if Handle::try_current().is_err() {
            return Err(CacheError::because(NO_RUNTIME));
        }
        let answer = tokio::time::timeout(self.timeout, self.route.ask(&command)).await;
        let answer = answer.map_err(CacheError::because)?.map_err(CacheError::because)?;
        ::redis::from_redis_value(answer).map_err(CacheError::because)
    }
}

impl Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl CacheStore for RedisCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let script = Command::script(&self.get, self.key(key)).arg(self.max_value_bytes);
        let value: Option<Bytes> = self.ask(script).await?;
        value.map(|value| self.fitting(value)).transpose()
    }

    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let script = Command::script(&self.find, self.key(key)).arg(self.max_value_bytes);
        let Some((value, left)): Option<(Bytes, i64)> = self.ask(script).await? else { return Ok(None) };
        Ok(Some(Found::new(self.fitting(value)?, u64::try_from(left).ok().map(Duration::from_millis))))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        if ttl.is_zero() {
            return self.remove(key).await;
        }
        self.fitting(&value)?;
        self.ask(self.command("SET", key).arg(&value[..]).arg("PX").arg(milliseconds(ttl))).await
    }

    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        if ttl.is_zero() {
            return self.ask(self.command("EXISTS", key)).await.map(|exists: bool| !exists);
        }
        self.fitting(&value)?;
        self.ask(self.command("SET", key).arg(&value[..]).arg("NX").arg("PX").arg(milliseconds(ttl))).await
    }

    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        let script = Command::script(&self.compare_and_swap, self.key(key)).arg(expected);
        self.ask(match new.filter(|(_, ttl)| !ttl.is_zero()) {
            Some((value, ttl)) => script.arg(&self.fitting(value)?[..]).arg(milliseconds(ttl)),
            None => script,
        })
        .await
    }

    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.ask(Command::script(&self.take, self.key(key)).arg(self.max_value_bytes)).await
    }

    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        let script = Command::script(&self.add, self.key(key));
        let (total, left) = self.ask(script.arg(n.min(i64::MAX.unsigned_abs())).arg(milliseconds(window))).await?;
        Ok(Counted::new(total, Duration::from_millis(left)))
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.ask(self.command("DEL", key)).await.map(|_: u64| ())
    }

    async fn changed(&self, key: &CacheKey, heard: u64) -> u64 {
        self.news.changed(&self.route, &self.channel(), key.as_str(), heard).await
    }

    async fn announce(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.ask(Command::new("PUBLISH", self.channel()).arg(key.as_str())).await.map(|_: u64| ())
    }
}

/// Whole milliseconds, rounded up so that no entry is over before its time, and few enough for the server to
/// add them to its clock.
fn milliseconds(time: Duration) -> u64 {
    const MOST: u64 = i64::MAX.unsigned_abs() / 2;
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(MOST).min(MOST)
}

#[cfg(test)]
mod tests;
