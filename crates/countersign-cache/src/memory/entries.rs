//! The entries of a [`MemoryCache`](super::MemoryCache): found by key, dropped by expiry, then by age. Times are monotonic:
//! setting the clock of the world must neither lose an entry nor prolong one.

use crate::counter;
use countersign::Bytes;
use countersign::cache::{CacheError, CacheKey, Counted, Found};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

pub(super) struct Entries {
    max_entries: usize,
    max_bytes: usize,
    /// Keys and values of all entries together.
    bytes: usize,
    next_id: u64,
    ids: HashMap<CacheKey, u64>,
    /// Ids grow with every write, so the first entry is the one written longest ago.
    by_age: BTreeMap<u64, Entry>,
    by_expiry: BTreeSet<(Duration, u64)>,
}

struct Entry {
    key: CacheKey,
    value: Bytes,
    /// `None` where the time to live leads beyond what the clock can tell.
    expires: Option<Duration>,
}

impl Entry {
    fn size(&self) -> usize {
        size(&self.key, &self.value)
    }

    fn is_live(&self, now: Duration) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    fn left(&self, now: Duration) -> Duration {
        self.expires.map_or(Duration::MAX, |expires| expires.saturating_sub(now))
    }
}

fn size(key: &CacheKey, value: &[u8]) -> usize {
    key.as_str().len().saturating_add(value.len())
}

impl Entries {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            bytes: 0,
            next_id: 0,
            ids: HashMap::new(),
            by_age: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
        }
    }

    pub(super) fn read(&self, key: &CacheKey, now: Duration) -> Option<Bytes> {
        self.live(key, now).map(|entry| entry.value.clone())
    }

    pub(super) fn find(&self, key: &CacheKey, now: Duration) -> Option<Found> {
        self.live(key, now).map(|entry| Found::new(entry.value.clone(), Some(entry.left(now))))
    }

    /// Sets the value, whatever was there; a time to live of zero leaves nothing there.
    pub(super) fn write(
        &mut self,
        key: &CacheKey,
        value: &[u8],
        ttl: Duration,
        now: Duration,
    ) -> Result<(), CacheError> {
        if ttl.is_zero() {
            self.remove(key);
            return Ok(());
        }
        self.insert(key, value, now.checked_add(ttl), now)
    }

    pub(super) fn add(
        &mut self,
        key: &CacheKey,
        n: u64,
        window: Duration,
        now: Duration,
    ) -> Result<Counted, CacheError> {
        let Some(entry) = self.live(key, now) else {
            let total = n.min(counter::MAX);
            self.write(key, total.to_string().as_bytes(), window, now)?;
            return Ok(Counted::new(total, window));
        };
        let before = counter::parse(&entry.value).ok_or_else(|| CacheError::because("the entry is no counter"))?;
        let total = before.saturating_add(n).min(counter::MAX);
        let (expires, left) = (entry.expires, entry.left(now));
        self.insert(key, total.to_string().as_bytes(), expires, now)?;
        Ok(Counted::new(total, left))
    }

    pub(super) fn remove(&mut self, key: &CacheKey) {
        if let Some(id) = self.ids.get(key) {
            self.drop_entry(*id);
        }
    }

    fn live(&self, key: &CacheKey, now: Duration) -> Option<&Entry> {
        self.by_age.get(self.ids.get(key)?).filter(|entry| entry.is_live(now))
    }

    fn insert(
        &mut self,
        key: &CacheKey,
        value: &[u8],
        expires: Option<Duration>,
        now: Duration,
    ) -> Result<(), CacheError> {
        let size = size(key, value);
        if size > self.max_bytes {
            return Err(CacheError::because("the entry is larger than the whole store"));
        }
        self.remove(key);
        self.make_room(size, now);

        let id = self.next_id;
        self.next_id += 1;
        self.bytes += size;
        self.ids.insert(key.clone(), id);
        if let Some(expires) = expires {
            self.by_expiry.insert((expires, id));
        }
        // Copied, because `Bytes` may be a small window on a large buffer, which would then be kept and not
        // counted.
        let value = Bytes::copy_from_slice(value);
        self.by_age.insert(id, Entry { key: key.clone(), value, expires });
        Ok(())
    }

    /// Drops what has expired, then the oldest, until one more entry of this size fits.
    fn make_room(&mut self, size: usize, now: Duration) {
        while let Some((expires, id)) = self.by_expiry.first().copied()
            && expires <= now
        {
            self.drop_entry(id);
        }
        while self.by_age.len() >= self.max_entries || self.bytes > self.max_bytes - size {
            let Some((oldest, _)) = self.by_age.first_key_value() else { break };
            self.drop_entry(*oldest);
        }
    }

    fn drop_entry(&mut self, id: u64) {
        if let Some(entry) = self.by_age.remove(&id) {
            self.bytes -= entry.size();
            self.ids.remove(&entry.key);
            if let Some(expires) = entry.expires {
                self.by_expiry.remove(&(expires, id));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn count_and_bytes(&self) -> (usize, usize) {
        assert_eq!(self.ids.len(), self.by_age.len());
        assert!(self.by_expiry.len() <= self.by_age.len());
        assert_eq!(self.bytes, self.by_age.values().map(Entry::size).sum::<usize>());
        (self.by_age.len(), self.bytes)
    }
}
