//! When this process wrote: what tells a copy that still counts from one that a write may have overtaken.

use countersign::cache::CacheKey;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Keys share their epochs, so that this needs little room: a write makes a thousandth of all copies stale.
const SHARDS: u64 = 1024;

pub(super) struct Epochs {
    hasher: RandomState,
    shards: Vec<Shard>,
}

/// How many writes have begun and have ended, counted from a number that is this cache's own.
struct Shard {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A time without writes. What was read from the far store in it stays true to this process for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(pub(super) u64);

/// A write under way. It ends when this is dropped, so a write that is given up ends too.
pub(super) struct Write<'e>(Option<&'e Shard>);

impl Epochs {
    pub(super) fn new() -> Self {
        let hasher = RandomState::new();
        // Two caches that were given one near store must not take each other's copies for their own.
        let start = hasher.hash_one("start");
        let shards = (0..SHARDS).map(|_| Shard { begun: AtomicU64::new(start), ended: AtomicU64::new(start) });
        Self { shards: shards.collect(), hasher }
    }

    /// The epoch of this key; `None` while a write is under way.
    pub(super) fn now(&self, key: &CacheKey) -> Option<Epoch> {
        let shard = self.shard(key)?;
        // In this order: no write ends before it begins, so where both are equal, every write that had begun by the
        // second look had ended by the first.
        let ended = shard.ended.load(SeqCst);
        let begun = shard.begun.load(SeqCst);
        (begun == ended).then_some(Epoch(begun))
    }

    pub(super) fn write(&self, key: &CacheKey) -> Write<'_> {
        let shard = self.shard(key);
        if let Some(shard) = shard {
            shard.begun.fetch_add(1, SeqCst);
        }
        Write(shard)
    }

    /// Always `Some`: the number of shards is fixed. A key without one would never be kept near.
    fn shard(&self, key: &CacheKey) -> Option<&Shard> {
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS).ok()?;
        self.shards.get(at)
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if let Some(shard) = self.0 {
            shard.ended.fetch_add(1, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_with_a_write_and_there_is_none_until_all_writes_have_ended() {
        let (epochs, key) = (Epochs::new(), CacheKey::named("k"));
        let first = epochs.now(&key).expect("an epoch");
        assert_eq!(epochs.now(&key), Some(first));
        let (one, other) = (epochs.write(&key), epochs.write(&key));
        assert_eq!(epochs.now(&key), None);
        drop(one);
        assert_eq!(epochs.now(&key), None);
        drop(other);
        assert_ne!(epochs.now(&key).expect("an epoch"), first);
    }

    #[test]
    fn no_two_caches_have_the_same_epochs() {
        let key = CacheKey::named("k");
        assert_ne!(Epochs::new().now(&key), Epochs::new().now(&key));
    }
}
