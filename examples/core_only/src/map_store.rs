//! A hash map under one lock: a [`CacheStore`].

use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, Result};
use countersign::clock::Clock;
use countersign::secret::Secret;
use countersign::{Bytes, async_trait};
use std::collections::HashMap;
use std::str;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// A store in memory for the few entries that a service makes of its own accord: each verb looks at all of them for
/// what is over, and their number has no bound. An entry is a value, when it was made and how long it lives; values are
/// kept as secrets, so that `Debug` shows none.
#[derive(Debug)]
pub struct MapStore<C>(pub C, pub Mutex<HashMap<CacheKey, (Secret, Duration, Duration)>>);

/// The entries that live, and the present time. Every verb is atomic because it holds the lock to its end; the clock is
/// somebody else's code, and is asked before.
fn open<C: Clock>(store: &MapStore<C>) -> (MutexGuard<'_, HashMap<CacheKey, (Secret, Duration, Duration)>>, Duration) {
    let now = store.0.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut entries = store.1.lock().unwrap_or_else(PoisonError::into_inner);
    entries.retain(|_, (_, since, ttl)| now < since.saturating_add(*ttl));
    (entries, now)
}

/// `take` and `remove` follow from these.
#[async_trait]
impl<C: Clock> CacheStore for MapStore<C> {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>> {
        Ok(open(self).0.get(key).map(|(value, ..)| Bytes::copy_from_slice(value.expose())))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<()> {
        let (mut live, now) = open(self);
        live.insert(key.clone(), (Secret::new(value), now, ttl));
        Ok(())
    }

    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool> {
        let (mut live, now) = open(self);
        Ok(!live.contains_key(key) && live.insert(key.clone(), (Secret::new(value), now, ttl)).is_none())
    }

    async fn compare_and_swap(&self, key: &CacheKey, expected: &[u8], new: Option<(Bytes, Duration)>) -> Result<bool> {
        let (mut live, now) = open(self);
        let is_own = live.get(key).is_some_and(|(value, ..)| value.expose() == expected) && live.remove(key).is_some();
        live.extend(new.filter(|_| is_own).map(|(value, ttl)| (key.clone(), (Secret::new(value), now, ttl))));
        Ok(is_own)
    }

    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted> {
        let (mut live, now) = open(self);
        let (value, since, ttl) = live.entry(key.clone()).or_insert_with(|| (Secret::new("0"), now, window));
        let is_plain = |count: &i64| *count >= 0 && count.to_string().as_bytes() == value.expose();
        let count = str::from_utf8(value.expose()).ok().and_then(|text| text.parse().ok()).filter(is_plain);
        let total = count.ok_or_else(|| CacheError::because("the entry is no counter"))?.saturating_add_unsigned(n);
        *value = Secret::new(total.to_string());
        Ok(Counted::new(total.unsigned_abs(), ttl.saturating_sub(now.saturating_sub(*since))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_testkit::{clock::FakeClock, conformance};

    #[tokio::test(flavor = "multi_thread")]
    async fn it_keeps_the_rules_of_cache_stores() {
        let clock = FakeClock::at(1_300_819_380);
        conformance::cache_store(MapStore(clock.clone(), Mutex::default()), async |time| clock.advance(time)).await;
    }

    #[tokio::test]
    async fn what_is_over_is_forgotten_by_whatever_is_asked_next() {
        let clock = FakeClock::at(1_300_819_380);
        let store = MapStore(clock.clone(), Mutex::default());
        for n in 0..100_u8 {
            let key = CacheKey::hashed("n", &[&[n]]);
            store.put(&key, Bytes::from_static(b"v"), Duration::from_secs(1)).await.expect("a store in memory");
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(store.get(&CacheKey::named("other")).await.expect("a store in memory"), None);
        assert!(store.1.lock().expect("lock").is_empty());
    }
}
