//! A cache store near by, before one far away.

mod copy;
mod epochs;
#[cfg(test)]
mod tests;

use crate::counter;
use copy::Copy;
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, Found};
use countersign::clock::{Clock, SystemClock};
use countersign::observe::{Event, NoObserver, Observer};
use countersign::{Bytes, ConfigError, async_trait};
use epochs::{Epoch, Epochs};
use std::fmt::{self, Debug};
use std::time::Duration;

const NEAR_FOR: Duration = Duration::from_secs(1);

/// A [`CacheStore`] that reads from one near by, in memory as a rule, before it asks one far away, in Redis as a rule.
///
/// 1. The far store is the one that counts. Every write and every atomic verb goes there, and ends the life of what was
///    kept near of the same key.
/// 2. `get` answers from near what was read from far less than `near_for` ago (1 s unless told) and had not expired there.
///    Else it asks far, and keeps the answer near. Absence is not kept, nor is what may be a counter, nor what the far
///    store cannot tell the time left of.
/// 3. What was written through this cache is seen through it at once. What others wrote to the far store is seen at once
///    where nothing was there, and at most `near_for` after it was done where something was. So is a write of this
///    process that failed or was given up, and that the far store does later.
/// 4. A near store that fails is a miss, told to the observer as [`Event::CacheFailed`]. A far store that fails is an
///    error, unless near has the answer.
///
/// `find` always asks far, because only far knows what is left.
///
/// The near store belongs to this cache alone: what others put there is not found, and is overwritten. Copies are
/// 24 bytes longer than what they are of.
///
/// ```
/// # #[cfg(feature = "redis")]
/// use countersign_cache::{MemoryCache, RedisCache, TieredCache};
/// use std::time::Duration;
///
/// # #[cfg(feature = "redis")]
/// # fn example() -> Result<(), countersign::ConfigError> {
/// let far = RedisCache::builder("redis://127.0.0.1:6379/").build()?;
/// let near = MemoryCache::builder().max_entries(1_000).build()?;
/// let store = TieredCache::builder(near, far).near_for(Duration::from_millis(500)).build()?;
/// # Ok(())
/// # }
/// ```
pub struct TieredCache {
    near: Box<dyn CacheStore>,
    far: Box<dyn CacheStore>,
    near_for: Duration,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
    epochs: Epochs,
}

impl TieredCache {
    /// `near` before `far`: what was read from far serves from near for one second.
    #[must_use]
    pub fn new(near: impl CacheStore, far: impl CacheStore) -> Self {
        Self::with(Self::builder(near, far))
    }

    /// As [`new`](Self::new), with other settings.
    pub fn builder(near: impl CacheStore, far: impl CacheStore) -> TieredCacheBuilder {
        TieredCacheBuilder {
            near: Box::new(near),
            far: Box::new(far),
            near_for: NEAR_FOR,
            clock: Box::new(SystemClock::new()),
            observer: Box::new(NoObserver),
        }
    }

    fn with(settings: TieredCacheBuilder) -> Self {
        let TieredCacheBuilder { near, far, near_for, clock, observer } = settings;
        Self { near, far, near_for, clock, observer, epochs: Epochs::new() }
    }

    /// What near has of this key that may serve.
    async fn copy(&self, key: &CacheKey, epoch: Epoch) -> Option<Bytes> {
        match self.near.get(key).await {
            Ok(copy) => Copy::decode(&copy?, epoch, self.clock.monotonic()),
            Err(error) => {
                self.observer.observe(&Event::CacheFailed { error: &error });
                None
            }
        }
    }

    /// What far has, which near keeps if `epoch` was there before and is there still.
    async fn fetch(&self, key: &CacheKey, epoch: Option<Epoch>) -> Result<Option<Found>, CacheError> {
        // Before far is asked: it may have answered long before the answer is here.
        let asked_at = self.clock.monotonic();
        let found = self.far.find(key).await?;
        if let (Some(epoch), Some(found)) = (epoch, &found) {
            self.keep(key, epoch, found, asked_at).await;
        }
        Ok(found)
    }

    /// A write that begins after the look at the epoch makes the copy one of an epoch that is over. So nothing needs to
    /// be locked while the near store, which may be anything, takes its time, and nothing needs to be removed there.
    async fn keep(&self, key: &CacheKey, epoch: Epoch, found: &Found, asked_at: Duration) {
        let Some(left) = found.expires_in else { return };
        let until = asked_at.saturating_add(left.min(self.near_for));
        let ttl = until.saturating_sub(self.clock.monotonic());
        if ttl.is_zero() || counter::parse(&found.value).is_some() || self.epochs.now(key) != Some(epoch) {
            return;
        }
        let copy = Copy { epoch, until, value: found.value.clone() };
        if let Err(error) = self.near.put(key, copy.encode(), ttl).await {
            self.observer.observe(&Event::CacheFailed { error: &error });
        }
    }
}

impl Debug for TieredCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TieredCache")
            .field("near", &self.near)
            .field("far", &self.far)
            .field("near_for", &self.near_for)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl CacheStore for TieredCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let epoch = self.epochs.now(key);
        if let Some(epoch) = epoch
            && let Some(value) = self.copy(key, epoch).await
        {
            return Ok(Some(value));
        }
        Ok(self.fetch(key, epoch).await?.map(|found| found.value))
    }

    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        self.fetch(key, self.epochs.now(key)).await
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        let _write = self.epochs.write(key);
        self.far.put(key, value, ttl).await
    }

    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        let _write = self.epochs.write(key);
        self.far.put_new(key, value, ttl).await
    }

    /// What was refused counts as a write too: whoever tries again must see what far has now.
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        let _write = self.epochs.write(key);
        self.far.compare_and_swap(key, expected, new).await
    }

    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let _write = self.epochs.write(key);
        self.far.take(key).await
    }

    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        let _write = self.epochs.write(key);
        self.far.add(key, n, window).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        let _write = self.epochs.write(key);
        self.far.remove(key).await
    }

    async fn changed(&self, key: &CacheKey, heard: u64) -> u64 {
        self.far.changed(key, heard).await
    }

    async fn announce(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.far.announce(key).await
    }
}

/// Makes a [`TieredCache`].
///
/// ```
/// use countersign_cache::{MemoryCache, TieredCache};
/// use std::time::Duration;
///
/// let builder = TieredCache::builder(MemoryCache::new(), MemoryCache::new());
/// let error = builder.near_for(Duration::ZERO).build().unwrap_err();
/// assert_eq!(error.setting(), "near_for");
/// ```
#[must_use]
pub struct TieredCacheBuilder {
    near: Box<dyn CacheStore>,
    far: Box<dyn CacheStore>,
    near_for: Duration,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
}

impl TieredCacheBuilder {
    /// How long after it was read from far a value may serve from near, and so how late the writes of others may be
    /// seen. 1 s unless told.
    pub fn near_for(mut self, time: Duration) -> Self {
        self.near_for = time;
        self
    }

    /// The clock by whose monotonic time that is measured. The system's unless told.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Told where the near store fails. Nobody unless told.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// The cache. Neither store is asked anything.
    ///
    /// # Errors
    /// [`ConfigError`] where nothing may serve from near for any time.
    pub fn build(self) -> Result<TieredCache, ConfigError> {
        if self.near_for.is_zero() {
            return Err(ConfigError::new("near_for", "is zero, so nothing could be kept near"));
        }
        Ok(TieredCache::with(self))
    }
}

impl Debug for TieredCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TieredCacheBuilder")
            .field("near", &self.near)
            .field("far", &self.far)
            .field("near_for", &self.near_for)
            .finish_non_exhaustive()
    }
}
