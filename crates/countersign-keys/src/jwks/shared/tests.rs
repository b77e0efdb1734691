use super::*;
use crate::jwks::refresh::millis;
use crate::{FetchError, FetchRequest, Fetched, JwksFetch, JwksProvider};
use countersign::async_trait;
use countersign::cache::Counted;
use countersign::clock::Clock;
use countersign_testkit::clock::FakeClock;
use std::collections::HashMap;
use std::sync::Mutex;

const MAX_BYTES: usize = 1000;
const MILLISECOND: Duration = Duration::from_millis(1);

/// A store that forgets nothing, and keeps what is announced.
#[derive(Clone, Debug, Default)]
pub(super) struct Store(Arc<Mutex<HashMap<String, Bytes>>>, pub(super) Arc<Mutex<Vec<String>>>);
#[async_trait]
impl CacheStore for Store {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        Ok(self.0.lock().expect("lock").get(key.as_str()).cloned())
    }
    async fn put(&self, key: &CacheKey, value: Bytes, _: Duration) -> Result<(), CacheError> {
        self.0.lock().expect("lock").insert(key.as_str().to_owned(), value);
        Ok(())
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        let is_new = self.get(key).await?.is_none();
        if is_new {
            self.put(key, value, ttl).await?;
        }
        Ok(is_new)
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        if self.get(key).await?.as_deref() != Some(expected) {
            return Ok(false);
        }
        match new {
            Some((value, ttl)) => self.put(key, value, ttl).await?,
            None => drop(self.0.lock().expect("lock").remove(key.as_str())),
        }
        Ok(true)
    }
    async fn add(&self, _: &CacheKey, _: u64, _: Duration) -> Result<Counted, CacheError> {
        Err(CacheError::because("nothing is counted"))
    }
    async fn announce(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.1.lock().expect("lock").push(key.as_str().to_owned());
        Ok(())
    }
}

pub(super) fn fleet_key() -> FleetKey {
    FleetKey::new([7; 32]).expect("a key")
}

pub(super) fn shared() -> (Shared, Store) {
    let (store, source) = (Store::default(), Source::JwksUri("https://a.example/keys".to_owned()));
    let shared = Shared::new(Box::new(store.clone()), fleet_key(), &source, "", MAX_BYTES);
    (shared.expect("shared"), store)
}

#[tokio::test]
async fn a_lease_is_one_processs_until_it_is_given_back_and_shows_that_it_lives() {
    let (shared, store) = shared();
    let mut lease = shared.take_lease().await.expect("a store").expect("a lease");
    assert!(shared.take_lease().await.expect("a store").is_none(), "it is another's");
    let mut seen = Vec::new();
    for renewals in 1..=3 {
        let held = shared.held_lease().await.expect("a store").expect("a lease");
        assert!(shared.is_lease(&held) && held == lease.value && !seen.contains(&held), "{renewals}");
        seen.push(held);
        shared.renew(&mut lease).await.expect("a store");
        assert_eq!(lease.renewals, renewals);
    }
    shared.release(&lease).await.expect("a store");
    assert!(shared.held_lease().await.expect("a store").is_none());
    // It ended, and another one has it.
    let other = shared.take_lease().await.expect("a store").expect("a lease");
    assert_ne!(other.owner, lease.owner);
    shared.renew(&mut lease).await.expect("a store");
    shared.release(&lease).await.expect("a store");
    assert_eq!((lease.renewals, shared.held_lease().await.expect("a store")), (3, Some(other.value)));
    let forged = Bytes::from_static(&[0; 64]);
    store.put(&shared.lease, forged.clone(), LEASE).await.expect("a store");
    assert!(!shared.is_lease(&forged));
}

#[tokio::test]
async fn it_is_the_document_that_is_announced() {
    let (shared, store) = shared();
    shared.announce().await;
    assert_eq!(*store.1.lock().expect("lock"), [shared.document.as_str()]);
    let mut news = shared.news();
    news.hear(7);
    assert_eq!((news.document, news.heard), (shared.document, 7));
}

#[test]
fn what_is_longer_than_an_entry_may_be_is_not_opened() {
    let (shared, _store) = shared();
    let max_len = Entry::max_len(MAX_BYTES);
    for (length, is_opened) in [(0, true), (1, true), (max_len - 1, true), (max_len, true), (max_len + 1, false)] {
        let value = vec![b'x'; length];
        let sealed = shared.seal(DOCUMENT_NAME, &shared.document, &value).expect("a value");
        let opened = shared.open(DOCUMENT_NAME, &shared.document, &sealed);
        assert_eq!(opened.as_deref(), is_opened.then_some(&value[..]), "{length}");
        assert_eq!(shared.open(LEASE_NAME, &shared.document, &sealed), None, "{length}");
        assert_eq!(shared.open(DOCUMENT_NAME, &shared.lease, &sealed), None, "{length}");
        assert_eq!(shared.open(DOCUMENT_NAME, &shared.document, &sealed.slice(..TAG_LEN - 1)), None, "{length}");
    }
}

#[test]
fn no_two_owners_have_the_same_name() {
    let (one, other) = (fresh_owner(), fresh_owner());
    assert!(one != other && one.len() == 32 && one.bytes().all(|octet| octet.is_ascii_hexdigit()), "{one}");
}

/// It answers nothing.
#[derive(Debug)]
struct Nobody;
#[async_trait]
impl JwksFetch for Nobody {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        Err(FetchError::status(500, None))
    }
}

#[tokio::test]
async fn looks_come_in_time_and_not_too_often() {
    let clock = FakeClock::at(1_800_000_000);
    let keys = JwksProvider::url("https://a.example/keys").fetch(Nobody).clock(clock.clone());
    let keys = keys.shared_cache(Store::default(), fleet_key()).build().expect("a provider");
    let refresher = &keys.refresher;
    let shared = refresher.settings.shared.as_ref().expect("shared");
    clock.advance(60_000 * MILLISECOND);
    let now = millis(clock.monotonic());
    let looks: Vec<u64> = (0..500)
        .map(|_| {
            refresher.set_next_look();
            shared.look_at() - now
        })
        .collect();
    assert!(looks.iter().all(|at| (9_000..=10_000).contains(at)));
    assert!(looks.iter().any(|at| *at < 9_200) && looks.iter().any(|at| *at > 9_800));
    // When it was last looked, and when it will be looked then, where there is news.
    for (looked_at, least, most) in [(0, 0, 500), (now - 1_000, 0, 500), (now - 600, 400, 500), (now, 1_000, 1_000)] {
        let looks: Vec<u64> = (0..200)
            .map(|_| {
                shared.looked_at.store(looked_at, Ordering::Release);
                refresher.set_next_look();
                refresher.look_soon();
                let at = shared.look_at();
                refresher.look_soon();
                assert!(shared.look_at() <= at, "more news put nothing off");
                at - now
            })
            .collect();
        assert!(looks.iter().all(|at| (least..=most).contains(at)), "{looked_at}");
        assert!(looks.iter().any(|at| *at > most - 50) && looks.iter().any(|at| *at < least + 50), "{looked_at}");
    }
    for _ in 0..20 {
        shared.look_at.store(now + 500, Ordering::Release);
        shared.looked_at.store(0, Ordering::Release);
        refresher.look_soon();
        assert_eq!(shared.look_at(), now + 500, "one that is near stays");
    }
    for (look_at, looks) in [(now + 1, false), (now, true), (now - 1, true)] {
        shared.look_at.store(look_at, Ordering::Release);
        shared.looked_at.store(7, Ordering::Release);
        refresher.look_if_due(clock.monotonic()).await;
        let looked_at = shared.looked_at.load(Ordering::Acquire);
        assert_eq!((looked_at == now, shared.look_at() >= now + 9_000), (looks, looks), "{look_at}");
    }
}
