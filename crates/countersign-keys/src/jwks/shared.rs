//! One fetcher for all processes that share a cache store: what they keep there, and in which turn they do it.
//!
//! Two entries for each source of keys. The *lease* is taken by whoever fetches, and ends by itself. The *document* holds what
//! was fetched last, and who fetches now: whoever has the lease writes its claim there before it fetches, and publishes by
//! replacing exactly what it wrote. So one that slept past its lease finds another claim, or a newer document, and loses,
//! whatever its clock says. Both are authenticated: whoever can write to the store can remove, repeat and hold back, and
//! forge nothing.

mod entry;
mod look;
mod turn;

use super::discovery::Source;
use super::runtime::{AtomicU64, Ordering, within};
use countersign::cache::{CacheError, CacheKey, CacheStore, FleetKey};
use countersign::{Bytes, ConfigError};
use entry::{Entry, TAG_LEN};
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// For each question to the store, whatever it allows itself.
const STORE_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a fetcher that has died keeps the others waiting …
const LEASE: Duration = Duration::from_secs(3);
/// … and how often one that lives prolongs its lease.
const RENEWAL: Duration = Duration::from_secs(1);

const LEASE_NAME: &str = "jwks-lease";
const DOCUMENT_NAME: &str = "jwks-document";

/// What one provider has to do with a store.
#[derive(Debug)]
pub(super) struct Shared {
    store: Arc<dyn CacheStore>,
    key: FleetKey,
    lease: CacheKey,
    document: CacheKey,
    /// A larger body is not read.
    max_bytes: usize,
    /// When to look again what others have fetched, in milliseconds of monotonic time.
    look_at: AtomicU64,
    /// When it was last looked; 0 before the first time.
    looked_at: AtomicU64,
}

/// What stands in the entry of the document.
struct Found {
    /// As it is written; `None` where nothing is.
    raw: Option<Bytes>,
    /// `None` where nothing is, or nothing that counts.
    entry: Option<Entry>,
    /// What is left of its time, where the store can tell.
    expires_in: Option<Duration>,
}

impl Found {
    fn is_forged(&self) -> bool {
        self.raw.is_some() && self.entry.is_none()
    }
}

/// The right to fetch, for a while.
struct Lease {
    owner: String,
    /// As it is written. Another one after each renewal, so that the others see it live.
    value: Bytes,
    renewals: u64,
}

impl Shared {
    pub(super) fn new(
        store: Box<dyn CacheStore>,
        key: FleetKey,
        source: &Source,
        variant: &str,
        max_bytes: usize,
    ) -> Result<Self, ConfigError> {
        const SETTING: &str = "shared_cache";
        let Some(parts) = source.identity() else {
            return Err(ConfigError::new(SETTING, "is set, and each process reads the file itself"));
        };
        let [kind, url] = parts.each_ref().map(String::as_bytes);
        let parts = [kind, url, variant.as_bytes()];
        let name = |name| key.cache_key(name, &parts).map_err(|error| ConfigError::new(SETTING, error.to_string()));
        let (lease, document) = (name(LEASE_NAME)?, name(DOCUMENT_NAME)?);
        let (look_at, looked_at) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
        Ok(Self { store: store.into(), key, lease, document, max_bytes, look_at, looked_at })
    }

    pub(super) fn look_at(&self) -> u64 {
        self.look_at.load(Ordering::Acquire)
    }

    /// Where others announce what they have fetched.
    pub(super) fn news(&self) -> News {
        News { store: Arc::clone(&self.store), document: self.document.clone(), heard: 0 }
    }

    /// Tells the others that there is a newer document. Those who do not hear it look by themselves.
    async fn announce(&self) {
        drop(in_time(self.store.announce(&self.document)).await);
    }

    async fn find(&self) -> Result<Found, CacheError> {
        let Some(found) = in_time(self.store.find(&self.document)).await? else {
            return Ok(Found { raw: None, entry: None, expires_in: None });
        };
        let entry = self.open(DOCUMENT_NAME, &self.document, &found.value);
        let entry = entry.and_then(|sealed| Entry::decode(&sealed, self.max_bytes));
        Ok(Found { raw: Some(found.value), entry, expires_in: found.expires_in })
    }

    /// Writes an entry in the place of `before`, and gives what is written then: `None` where something else stood there.
    async fn swap(&self, before: Option<&Bytes>, entry: &Entry) -> Result<Option<Bytes>, CacheError> {
        let raw = self.seal(DOCUMENT_NAME, &self.document, &entry.encode()?)?;
        let (value, ttl) = (raw.clone(), Duration::from_millis(entry.kept_for));
        let is_written = match before {
            None => in_time(self.store.put_new(&self.document, value, ttl)).await?,
            Some(before) => in_time(self.store.compare_and_swap(&self.document, before, Some((value, ttl)))).await?,
        };
        Ok(is_written.then_some(raw))
    }

    async fn take_lease(&self) -> Result<Option<Lease>, CacheError> {
        let owner = fresh_owner();
        let lease = Lease { value: self.lease_value(&owner, 0)?, owner, renewals: 0 };
        let is_taken = in_time(self.store.put_new(&self.lease, lease.value.clone(), LEASE)).await?;
        Ok(is_taken.then_some(lease))
    }

    /// What others have written who hold the lease.
    async fn held_lease(&self) -> Result<Option<Bytes>, CacheError> {
        in_time(self.store.get(&self.lease)).await
    }

    fn is_lease(&self, value: &Bytes) -> bool {
        self.open(LEASE_NAME, &self.lease, value).is_some()
    }

    /// Prolongs the lease. It fails where the lease is another's: then what is fetched will find that out too.
    async fn renew(&self, lease: &mut Lease) -> Result<(), CacheError> {
        let value = self.lease_value(&lease.owner, lease.renewals + 1)?;
        let new = Some((value.clone(), LEASE));
        if in_time(self.store.compare_and_swap(&self.lease, &lease.value, new)).await? {
            lease.renewals += 1;
            lease.value = value;
        }
        Ok(())
    }

    /// Gives the lease back, so that nobody waits for its end. If that fails, they wait.
    async fn release(&self, lease: &Lease) -> Result<(), CacheError> {
        in_time(self.store.compare_and_swap(&self.lease, &lease.value, None)).await.map(drop)
    }

    fn lease_value(&self, owner: &str, renewals: u64) -> Result<Bytes, CacheError> {
        self.seal(LEASE_NAME, &self.lease, format!("{owner} {renewals}").as_bytes())
    }

    /// Bound to the name of the entry, which stands for the source: what was written for another one is not this one's.
    fn seal(&self, purpose: &'static str, name: &CacheKey, value: &[u8]) -> Result<Bytes, CacheError> {
        let tag = self.key.tag(purpose, &[name.as_str().as_bytes(), value])?;
        Ok(Bytes::from([&tag[..], value].concat()))
    }

    fn open(&self, purpose: &'static str, name: &CacheKey, value: &Bytes) -> Option<Bytes> {
        if value.len() > TAG_LEN + Entry::max_len(self.max_bytes) {
            return None;
        }
        let (tag, sealed) = value.split_at_checked(TAG_LEN)?;
        let parts = [name.as_str().as_bytes(), sealed];
        self.key.is_tag(tag, purpose, &parts).then(|| value.slice(TAG_LEN..))
    }
}

/// What is announced of the document.
pub(super) struct News {
    store: Arc<dyn CacheStore>,
    document: CacheKey,
    heard: u64,
}

impl News {
    /// Ready when there is some.
    pub(super) fn next(&self) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        let Self { store, document, heard } = self;
        let (store, document, heard) = (Arc::clone(store), document.clone(), *heard);
        Box::pin(async move { store.changed(&document, heard).await })
    }

    pub(super) fn hear(&mut self, count: u64) {
        self.heard = count;
    }
}

/// An error where the store does not answer in time.
async fn in_time<T>(answer: impl Future<Output = Result<T, CacheError>>) -> Result<T, CacheError> {
    within(STORE_TIMEOUT, answer).await.unwrap_or_else(|| Err(CacheError::because("the store did not answer in time")))
}

/// A name that no other owner has. It need not be secret: what bears it is authenticated.
fn fresh_owner() -> String {
    let half = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
