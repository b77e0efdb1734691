//! A cache store whose values cannot be forged.

use crate::counter;
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, FleetKey, Found};
use countersign::{Bytes, async_trait};
use std::fmt::{self, Debug};
use std::time::Duration;

/// What tags are made for.
const PURPOSE: &str = "sealed cache";

/// The octets of an HMAC-SHA-256.
const TAG_LEN: usize = 32;

/// A [`CacheStore`] that puts a seal on what it gives another one to keep: for stores that more can write to than may be
/// trusted, as a Redis server often is.
///
/// 1. A value is kept after an HMAC-SHA-256 under the [`FleetKey`], over the entry's name and the value, each with its
///    length. What was forged, changed, cut, moved from another name or sealed with another key is a [`CacheError`]:
///    never a value, and never absent.
/// 2. The same value under the same name has the same seal, so that `compare_and_swap` works. Values are not hidden.
/// 3. **Numbers are not sealed.** A value that is a counter (a decimal number without sign and leading zeros, up to
///    `i64::MAX`) is kept and read as it is, because `add` is done by the store itself, which has no key. Whoever can
///    write to the store can put a number anywhere: take none from here that must not be forged, and write a letter before
///    one that must not be.
/// 4. Whoever can write to the store can still remove entries, prolong or shorten them, put back an older value of the
///    same entry, and reset counters. No seal shows that.
///
/// `take` of what does not authenticate is an error too, and removes it.
///
/// All who share the entries need the same key. Values become 32 bytes longer. Between this and a store far away there may
/// be a [`TieredCache`](crate::TieredCache); put around one, its copies are checked each time as well.
///
/// ```
/// use countersign::Bytes;
/// use countersign::cache::{CacheKey, CacheStore, FleetKey};
/// use countersign_cache::{MemoryCache, SealedCache};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shared = Arc::new(MemoryCache::new());
/// let key = FleetKey::from_base64url("tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM")?;
/// let store = SealedCache::new(shared.clone(), key);
///
/// let name = CacheKey::named("motto");
/// store.put(&name, Bytes::from_static(b"trust"), Duration::from_secs(60)).await?;
/// assert_eq!(store.get(&name).await?.as_deref(), Some(&b"trust"[..]));
///
/// shared.put(&name, Bytes::from_static(b"forged"), Duration::from_secs(60)).await?;
/// assert!(store.get(&name).await.is_err());
/// # Ok(())
/// # }
/// ```
pub struct SealedCache {
    store: Box<dyn CacheStore>,
    key: FleetKey,
}

impl SealedCache {
    /// What is in `store`, under this key.
    #[must_use]
    pub fn new(store: impl CacheStore, key: FleetKey) -> Self {
        Self { store: Box::new(store), key }
    }

    /// What is kept for a value. No number is as long as a seal, so the two cannot be taken for each other.
    fn seal(&self, name: &CacheKey, value: &[u8]) -> Result<Bytes, CacheError> {
        if counter::parse(value).is_some() {
            return Ok(Bytes::copy_from_slice(value));
        }
        let tag = self.key.tag(PURPOSE, &[name.as_str().as_bytes(), value])?;
        Ok(Bytes::from([&tag[..], value].concat()))
    }

    fn open(&self, name: &CacheKey, kept: Bytes) -> Result<Bytes, CacheError> {
        if counter::parse(&kept).is_some() {
            return Ok(kept);
        }
        let is_sealed = kept
            .split_at_checked(TAG_LEN)
            .is_some_and(|(tag, value)| self.key.is_tag(tag, PURPOSE, &[name.as_str().as_bytes(), value]));
        if is_sealed {
            Ok(kept.slice(TAG_LEN..))
        } else {
            Err(CacheError::because(format!("`{name}` holds what was not sealed with this fleet's key")))
        }
    }
}

impl Debug for SealedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedCache").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CacheStore for SealedCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.store.get(key).await?.map(|kept| self.open(key, kept)).transpose()
    }

    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let Some(found) = self.store.find(key).await? else { return Ok(None) };
        Ok(Some(Found::new(self.open(key, found.value)?, found.expires_in)))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.store.put(key, self.seal(key, &value)?, ttl).await
    }

    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        self.store.put_new(key, self.seal(key, &value)?, ttl).await
    }

    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        let expected = self.seal(key, expected)?;
        let new = match new {
            Some((value, ttl)) => Some((self.seal(key, &value)?, ttl)),
            None => None,
        };
        self.store.compare_and_swap(key, &expected, new).await
    }

    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.store.take(key).await?.map(|kept| self.open(key, kept)).transpose()
    }

    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.store.add(key, n, window).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.store.remove(key).await
    }

    async fn changed(&self, key: &CacheKey, heard: u64) -> u64 {
        self.store.changed(key, heard).await
    }

    async fn announce(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.store.announce(key).await
    }
}

#[cfg(test)]
#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod tests {
    use super::*;
    use crate::MemoryCache;
    use std::sync::Arc;

    const TTL: Duration = Duration::from_secs(60);
    const VALUE: Bytes = Bytes::from_static(b"until 7");

    fn sealed(store: &Arc<MemoryCache>, octet: u8) -> SealedCache {
        SealedCache::new(Arc::clone(store), FleetKey::new([octet; 32]).expect("a key"))
    }

    /// What is kept of [`VALUE`] under this name.
    async fn kept(store: &SealedCache, name: &CacheKey) -> Bytes {
        store.put(name, VALUE, TTL).await.expect("put");
        store.store.take(name).await.expect("take").expect("what is kept")
    }

    #[tokio::test]
    async fn what_does_not_authenticate_is_an_error_and_never_a_value_or_absent() {
        let below = Arc::new(MemoryCache::new());
        let store = sealed(&below, 7);
        let (name, other) = (CacheKey::named("name"), CacheKey::named("other"));
        let good = kept(&store, &name).await;
        let changed = |at: usize| {
            let mut changed = good.to_vec();
            changed[at] ^= 1;
            Bytes::from(changed)
        };
        let bad = [
            ("forged", VALUE),
            ("empty", Bytes::new()),
            ("forged, with a seal of zeros", Bytes::from([&[0; 32][..], &VALUE].concat())),
            ("moved from another name", kept(&store, &other).await),
            ("of another key", kept(&sealed(&below, 8), &name).await),
            ("another value", changed(TAG_LEN)),
            ("another seal", changed(0)),
            ("longer", Bytes::from([&good[..], b"0"].concat())),
            ("shorter", good.slice(..good.len() - 1)),
            ("the seal alone", good.slice(..TAG_LEN)),
            ("less than a seal", good.slice(..TAG_LEN - 1)),
            ("no counter", Bytes::from_static(b"007")),
        ];
        for (what, kept) in bad {
            below.put(&name, kept.clone(), TTL).await.expect("put");
            assert!(store.get(&name).await.is_err(), "get: {what}");
            assert!(store.find(&name).await.is_err(), "find: {what}");
            let swapped = store.compare_and_swap(&name, &VALUE, None).await.expect("swap");
            assert!(!swapped, "compare_and_swap: {what}");
            assert!(!store.put_new(&name, VALUE, TTL).await.expect("put_new"), "put_new: {what}");
            assert!(store.take(&name).await.is_err(), "take: {what}");
            assert_eq!(below.get(&name).await.expect("get"), None, "take removed it: {what}");
        }
        below.put(&name, good, TTL).await.expect("put");
        assert_eq!(store.get(&name).await.expect("get"), Some(VALUE), "and the good one is good");
    }

    #[tokio::test]
    async fn numbers_are_kept_as_they_are_because_the_store_counts() {
        let below = Arc::new(MemoryCache::new());
        let store = sealed(&below, 7);
        let name = CacheKey::named("name");
        store.add(&name, 41, TTL).await.expect("add");
        below.add(&name, 1, TTL).await.expect("add");
        assert_eq!(store.get(&name).await.expect("get").as_deref(), Some(&b"42"[..]));
        store.put(&name, Bytes::from_static(b"9223372036854775808"), TTL).await.expect("put");
        let kept = below.get(&name).await.expect("get").expect("what is kept");
        assert_eq!(kept.len(), TAG_LEN + 19, "what is no counter is sealed");
    }

    #[test]
    fn what_is_printed_holds_no_key() {
        let store = sealed(&Arc::new(MemoryCache::new()), 7);
        assert!(format!("{store:?}").starts_with("SealedCache { store: MemoryCache"));
    }
}
