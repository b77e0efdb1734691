//! A cache store in the memory of this process.

mod entries;
#[cfg(test)]
mod tests;

use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, Found};
use countersign::clock::{Clock, SystemClock};
use countersign::{Bytes, ConfigError, async_trait};
use entries::Entries;
use std::fmt::{self, Debug};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const MAX_ENTRIES: usize = 10_000;
const MAX_BYTES: usize = 32 << 20;

/// A [`CacheStore`] in the memory of this process, bounded by entries and by bytes.
///
/// What has expired is dropped at the next write. If that is not enough room, the entries that were written
/// longest ago go, before their time: a caller for whom an entry lost early is a hole (and not a miss) gives
/// the store a size that its entries cannot fill, and does not share it with what strangers can make grow.
///
/// Times to live run on the clock's monotonic time, which nobody sets; while the machine sleeps, it may stand still.
///
/// ```
/// use countersign::cache::{CacheKey, CacheStore};
/// use countersign_cache::MemoryCache;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), countersign::cache::CacheError> {
/// let store = MemoryCache::new();
/// let failures = CacheKey::hashed("failures", &[b"203.0.113.7"]);
/// for expected in 1..=3 {
///     let counted = store.add(&failures, 1, Duration::from_secs(60)).await?;
///     assert_eq!(counted.total, expected);
/// }
/// # Ok(())
/// # }
/// ```
pub struct MemoryCache {
    clock: Box<dyn Clock>,
    entries: Mutex<Entries>,
}

impl MemoryCache {
    /// An empty store of at most 10 000 entries and 32 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }

    /// As [`new`](Self::new), on a clock of the caller's.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self { clock: Box::new(clock), entries: Mutex::new(Entries::new(MAX_ENTRIES, MAX_BYTES)) }
    }

    /// A store with other bounds than those of [`new`](Self::new).
    pub fn builder() -> MemoryCacheBuilder {
        MemoryCacheBuilder { max_entries: MAX_ENTRIES, max_bytes: MAX_BYTES, clock: Box::new(SystemClock::new()) }
    }

    /// The entries, locked, and the present monotonic time. The clock is the user's code and runs before the lock is
    /// taken.
    fn open(&self) -> (MutexGuard<'_, Entries>, Duration) {
        let now = self.clock.monotonic();
        (self.entries.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").finish_non_exhaustive()
    }
}

#[async_trait]
impl CacheStore for MemoryCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let (entries, now) = self.open();
        Ok(entries.read(key, now))
    }

    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let (entries, now) = self.open();
        Ok(entries.find(key, now))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        let (mut entries, now) = self.open();
        entries.write(key, &value, ttl, now)
    }

    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        let (mut entries, now) = self.open();
        if entries.read(key, now).is_some() {
            return Ok(false);
        }
        entries.write(key, &value, ttl, now).map(|()| true)
    }

    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        let (mut entries, now) = self.open();
        if entries.read(key, now).is_none_or(|value| value != expected) {
            return Ok(false);
        }
        match new {
            Some((value, ttl)) => entries.write(key, &value, ttl, now)?,
            None => entries.remove(key),
        }
        Ok(true)
    }

    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let (mut entries, now) = self.open();
        let value = entries.read(key, now);
        entries.remove(key);
        Ok(value)
    }

    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        let (mut entries, now) = self.open();
        entries.add(key, n, window, now)
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        let (mut entries, _) = self.open();
        entries.remove(key);
        Ok(())
    }
}

/// Makes a [`MemoryCache`].
///
/// ```
/// use countersign_cache::MemoryCache;
///
/// let error = MemoryCache::builder().max_entries(0).build().unwrap_err();
/// assert_eq!(error.setting(), "max_entries");
/// ```
#[must_use]
pub struct MemoryCacheBuilder {
    max_entries: usize,
    max_bytes: usize,
    clock: Box<dyn Clock>,
}

impl MemoryCacheBuilder {
    /// The most entries that are kept. 10 000 unless told.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// The most bytes that are kept, keys and values together. 32 MiB unless told. What the store needs to
    /// find and order its entries is not counted: a few hundred bytes for each.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The clock by whose monotonic time entries expire. The system's unless told.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The store, empty.
    ///
    /// # Errors
    /// [`ConfigError`] where a bound is zero: nothing could ever be kept.
    pub fn build(self) -> Result<MemoryCache, ConfigError> {
        for (setting, bound) in [("max_entries", self.max_entries), ("max_bytes", self.max_bytes)] {
            if bound == 0 {
                return Err(ConfigError::new(setting, "is zero, so nothing could be kept"));
            }
        }
        let entries = Mutex::new(Entries::new(self.max_entries, self.max_bytes));
        Ok(MemoryCache { clock: self.clock, entries })
    }
}

impl Debug for MemoryCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCacheBuilder")
            .field("max_entries", &self.max_entries)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}
