//! A cache store in Redis.

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, Cmd, FromRedisValue, RedisResult, Script, ScriptInvocation};
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, Found};
use countersign::{Bytes, ConfigError, async_trait};
use std::fmt::{self, Debug};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// What a verb may take, connecting included. More is not on offer: a request waits for this.
const MAX_TIMEOUT: Duration = Duration::from_millis(100);

/// What one attempt to connect may take. It goes on while verbs that waited for it have long failed.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection may fail without a success in between before it is given up for a new one.
const PATIENCE: Duration = Duration::from_secs(1);

/// `KEYS[1]`. Gives the value and the milliseconds that it has left, which are negative where it stays for ever.
const FIND: &str = r"
local value = redis.call('GET', KEYS[1])
return value and {value, redis.call('PTTL', KEYS[1])}
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
/// server and prefix.
///
/// Building it connects to nothing, so it works while the server is down. Every verb has one deadline for
/// everything, waiting for a connection included, and then is an error; the connection is made anew by
/// itself. Nothing is tried twice: after an error the verb may have been done or not, and may yet be done by
/// a server that was only slow. Whoever counts or takes decides what an error means.
///
/// A server that closes idle connections costs the next verb an error; with `?protocol=resp3` in the URL the
/// closing is noticed at once. Evictions (`maxmemory-policy`) are the server's: an entry may go before its
/// time.
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
    client: Client,
    prefix: String,
    timeout: Duration,
    link: Mutex<Option<Link>>,
    find: Script,
    compare_and_swap: Script,
    add: Script,
}

/// The connection in use.
struct Link {
    connection: ConnectionManager,
    /// Since when there was no success.
    failing_since: Option<Instant>,
}

impl RedisCache {
    /// A store on the server at this URL: `redis://[user][:password@]host[:port][/database]`, or
    /// `unix:///path/to/redis.sock`. `rediss://` (TLS) wants a TLS feature of the `redis` crate, chosen by
    /// the application.
    pub fn builder(url: impl Into<String>) -> RedisCacheBuilder {
        RedisCacheBuilder { url: url.into(), prefix: "countersign".to_owned(), timeout: MAX_TIMEOUT }
    }

    fn key(&self, key: &CacheKey) -> String {
        format!("{}:{key}", self.prefix)
    }

    fn command(&self, name: &str, key: &CacheKey) -> Cmd {
        let mut command = ::redis::cmd(name);
        command.arg(self.key(key));
        command
    }

    /// The connection in use: made lazily, because its making spawns a task, and made anew where the old one
    /// cannot be counted on.
    ///
    /// `ConnectionManager` reconnects where an I/O error told it that the connection is gone. It keeps a
    /// connection on which all goes unanswered (a peer that vanished without a word), and it keeps the
    /// outcome of an attempt that the server refused (a password being rotated, too many clients) for good.
    fn connection(&self) -> Result<ConnectionManager, CacheError> {
        if Handle::try_current().is_err() {
            return Err(CacheError::because("there is no Tokio runtime here"));
        }
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        match link.as_ref() {
            Some(Link { connection, failing_since })
                if failing_since.is_none_or(|since| since.elapsed() < PATIENCE) =>
            {
                Ok(connection.clone())
            }
            _ => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(CONNECTION_TIMEOUT))
                    .set_response_timeout(Some(self.timeout))
                    // A verb that finds the server down is told so, and by its failure starts the next
                    // attempt.
                    .set_number_of_retries(0);
                let connection = ConnectionManager::new_lazy_with_config(self.client.clone(), config)
                    .map_err(CacheError::because)?;
                *link = Some(Link { connection: connection.clone(), failing_since: None });
                Ok(connection)
            }
        }
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CacheError> {
        let mut connection = self.connection()?;
        self.within_deadline(command.query_async(&mut connection)).await
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, CacheError> {
        let mut connection = self.connection()?;
        self.within_deadline(script.invoke_async(&mut connection)).await
    }

    async fn within_deadline<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, CacheError> {
        let answer = match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer.map_err(CacheError::because),
            Err(elapsed) => Err(CacheError::because(elapsed)),
        };
        if let Some(link) = self.link.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            match answer {
                Ok(_) => link.failing_since = None,
                Err(_) => {
                    link.failing_since.get_or_insert_with(Instant::now);
                }
            }
        }
        answer
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
        self.ask(&self.command("GET", key)).await
    }

    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let found: Option<(Bytes, i64)> = self.run(&self.find.key(self.key(key))).await?;
        Ok(found.map(|(value, left)| Found::new(value, u64::try_from(left).ok().map(Duration::from_millis))))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        if ttl.is_zero() {
            return self.remove(key).await;
        }
        let mut command = self.command("SET", key);
        command.arg(&value[..]).arg("PX").arg(milliseconds(ttl));
        self.ask(&command).await
    }

    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        if ttl.is_zero() {
            return self.ask(&self.command("EXISTS", key)).await.map(|exists: bool| !exists);
        }
        let mut command = self.command("SET", key);
        command.arg(&value[..]).arg("NX").arg("PX").arg(milliseconds(ttl));
        self.ask(&command).await
    }

    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        let mut script = self.compare_and_swap.key(self.key(key));
        script.arg(expected);
        if let Some((value, ttl)) = new.filter(|(_, ttl)| !ttl.is_zero()) {
            script.arg(&value[..]).arg(milliseconds(ttl));
        }
        self.run(&script).await
    }

    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.ask(&self.command("GETDEL", key)).await
    }

    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        let mut script = self.add.key(self.key(key));
        script.arg(n.min(i64::MAX.unsigned_abs())).arg(milliseconds(window));
        let (total, left) = self.run(&script).await?;
        Ok(Counted::new(total, Duration::from_millis(left)))
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.ask(&self.command("DEL", key)).await.map(|_: u64| ())
    }
}

/// Whole milliseconds, rounded up so that no entry is over before its time, and few enough for the server to
/// add them to its clock.
fn milliseconds(time: Duration) -> u64 {
    const MOST: u64 = i64::MAX.unsigned_abs() / 2;
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(MOST).min(MOST)
}

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
    url: String,
    prefix: String,
    timeout: Duration,
}

impl RedisCacheBuilder {
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

    /// The store. Nothing is connected, and no runtime is needed.
    ///
    /// # Errors
    /// [`ConfigError`] where the URL is none that this build can use, where the prefix is empty or has
    /// something else than printable ASCII without spaces and braces in it, and where the timeout is zero or
    /// above 100 ms.
    pub fn build(self) -> Result<RedisCache, ConfigError> {
        // The crate's own error is left out: what it says of a URL is not ours to keep free of passwords.
        let client = Client::open(self.url)
            .map_err(|_| ConfigError::new("url", "is no Redis URL, or wants TLS, which this build of `redis` lacks"))?;
        // Braces would choose the slot in a cluster.
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'{' && byte != b'}';
        if self.prefix.is_empty() || !self.prefix.bytes().all(fits) {
            return Err(ConfigError::new("prefix", "is not printable ASCII without spaces and braces"));
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return Err(ConfigError::new("timeout", "is not above zero and at most 100 ms"));
        }
        Ok(RedisCache {
            client,
            prefix: self.prefix,
            timeout: self.timeout,
            link: Mutex::new(None),
            find: Script::new(FIND),
            compare_and_swap: Script::new(COMPARE_AND_SWAP),
            add: Script::new(ADD),
        })
    }
}

impl Debug for RedisCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCacheBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const URL: &str = "redis://:hunter2@127.0.0.1:6379/";

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let builder = || RedisCache::builder(URL);
        for (builder, setting) in [
            (RedisCache::builder("http://:hunter2@127.0.0.1/"), "url"),
            (RedisCache::builder(""), "url"),
            (builder().prefix(""), "prefix"),
            (builder().prefix("two words"), "prefix"),
            (builder().prefix("{slot}"), "prefix"),
            (builder().prefix("line\r\nfeed"), "prefix"),
            (builder().prefix("préfixe"), "prefix"),
            (builder().timeout(Duration::ZERO), "timeout"),
            (builder().timeout(Duration::from_millis(101)), "timeout"),
        ] {
            let error = builder.build().expect_err(setting);
            assert_eq!(error.setting(), setting);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        builder().prefix("my-api:v2").timeout(Duration::from_millis(1)).build().expect("settings");
    }

    #[test]
    fn what_is_printed_holds_no_password() {
        let builder = RedisCache::builder(URL);
        assert!(!format!("{builder:?}").contains("hunter2"));
        assert!(!format!("{:?}", builder.build().expect("settings")).contains("hunter2"));
    }

    #[test]
    fn without_a_runtime_a_verb_is_an_error() {
        let store = RedisCache::builder(URL).build().expect("settings");
        let key = CacheKey::named("k");
        let answer = pin!(store.get(&key)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(answer, Poll::Ready(Err(_))));
    }

    #[test]
    fn times_are_rounded_up_and_bounded() {
        for (time, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(1_001), 2),
            (Duration::from_secs(60), 60_000),
            (Duration::MAX, i64::MAX.unsigned_abs() / 2),
        ] {
            assert_eq!(milliseconds(time), expected, "{time:?}");
        }
    }
}
