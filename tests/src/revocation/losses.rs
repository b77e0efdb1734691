//! Stores that lose what they hold, and a `StoreDenylist` that notices: what was revoked never counts again until somebody
//! has accepted that.

use super::{FAR_AWAY, Failing, at, redis, server, token};
use TokenStatus::{Active, Revoked, Unknown};
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, FleetKey, Found};
use countersign::observe::{Event, Observer};
use countersign::revocation::{RevocationCheck, StoreDenylist, TokenStatus};
use countersign::{Bytes, VerifiedToken, async_trait};
use countersign_cache::{MemoryCache, SealedCache, TieredCache};
use serde_json::json;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const LOST: &str = "the store has lost its entries";
const NEVER: usize = usize::MAX;

fn epoch_key() -> CacheKey {
    CacheKey::named("denied-epoch")
}

fn good() -> VerifiedToken {
    token(&json!({"iss": "a", "jti": "2", "sub": "v", "iat": 1}))
}

/// Revoked by its id, and by its subject: what the list reads first and last.
fn bad() -> [VerifiedToken; 2] {
    [json!({"iss": "a", "jti": "1", "sub": "v", "iat": 1}), json!({"iss": "a", "jti": "2", "sub": "u", "iat": 1})]
        .map(|claims| token(&claims))
}

async fn revoke(denylist: &StoreDenylist) {
    denylist.revoke_token("a", "1", at(FAR_AWAY)).await.expect("the store works");
    denylist.revoke_subject_before("a", "u", at(10), at(FAR_AWAY)).await.expect("the store works");
}

/// Keeps what the list tells.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("lock"))
    }
}

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        let Event::CacheFailed { error } = event else { panic!("{event:?}") };
        let told = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        self.0.lock().expect("lock").push(told);
    }
}

/// Loses all that it holds before it answers the question of this number from now.
#[derive(Debug)]
struct Forgetful {
    store: Mutex<Arc<MemoryCache>>,
    loses_before: AtomicUsize,
}

impl Forgetful {
    fn new() -> Arc<Self> {
        Arc::new(Self { store: Mutex::default(), loses_before: AtomicUsize::new(NEVER) })
    }

    fn lose_before(&self, question: usize) {
        self.loses_before.store(question, Ordering::SeqCst);
    }

    fn lose(&self) {
        *self.store.lock().expect("lock") = Arc::default();
    }

    fn ask(&self) -> Arc<MemoryCache> {
        let left = self.loses_before.load(Ordering::SeqCst);
        self.loses_before.store(if left == 0 { NEVER } else { left - 1 }, Ordering::SeqCst);
        if left == 0 {
            self.lose();
        }
        self.store.lock().expect("lock").clone()
    }
}

#[async_trait]
impl CacheStore for Forgetful {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.ask().get(key).await
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        self.ask().find(key).await
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.ask().put(key, value, ttl).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        self.ask().put_new(key, value, ttl).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        self.ask().compare_and_swap(key, expected, new).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.ask().add(key, n, window).await
    }
}

#[tokio::test]
async fn a_loss_before_any_question_lets_nothing_through_until_it_is_accepted() {
    for lost_before in 0..4 {
        let (store, told) = (Forgetful::new(), Arc::new(Told::default()));
        let denylist = StoreDenylist::new(store.clone()).observer(told.clone());
        // No status was asked yet: a revocation is a first use as well.
        revoke(&denylist).await;
        for bad in &bad() {
            store.lose_before(lost_before);
            for _ in 0..2 {
                let status = denylist.status(bad).await;
                assert_ne!(status, Active, "lost before question {lost_before}");
            }
            store.lose_before(NEVER);
            store.lose();
            assert_eq!(denylist.status(bad).await, Unknown);
            told.take();
            assert_eq!(denylist.status(&good()).await, Unknown);
            let told = told.take();
            assert!(matches!(&told[..], [one] if one.starts_with(LOST)), "{told:?}");

            revoke(&denylist).await;
            assert_eq!(denylist.status(bad).await, Revoked, "what was put back is known");
            assert_eq!(denylist.status(&good()).await, Unknown, "and perhaps there was more");
            denylist.accept_loss().await.expect("the store works");
            assert_eq!((denylist.status(bad).await, denylist.status(&good()).await), (Revoked, Active));
        }
    }
}

#[tokio::test]
async fn a_loss_that_another_process_covered_up_and_one_that_was_undone_are_noticed() {
    let (store, told) = (Forgetful::new(), Arc::new(Told::default()));
    let denylist = StoreDenylist::new(store.clone()).observer(told.clone());
    revoke(&denylist).await;
    let old = store.ask();
    store.lose();
    let new = StoreDenylist::new(store.clone());
    assert_eq!(new.status(&good()).await, Active, "it was not there when the entries were lost");
    assert_eq!(denylist.status(&good()).await, Unknown, "the epoch is another one");
    *store.store.lock().expect("lock") = old;
    assert_eq!(denylist.status(&good()).await, Unknown, "somebody may have been revoked meanwhile");
    assert_eq!(new.status(&good()).await, Unknown);
    assert!(told.take().iter().all(|told| told.starts_with(LOST)));
    denylist.accept_loss().await.expect("the store works");
    assert_eq!(denylist.status(&good()).await, Active);
    assert_eq!(new.status(&good()).await, Unknown, "each process is told for itself");
}

/// Holds up those who have read the entry of a token, or who want to put an epoch.
#[derive(Debug)]
struct Held {
    store: Arc<Forgetful>,
    read: Option<Barrier>,
    put_new: Option<Barrier>,
}

#[async_trait]
impl CacheStore for Held {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let answer = self.store.get(key).await;
        if let Some(barrier) = self.read.as_ref().filter(|_| *key == super::token_key()) {
            barrier.wait().await;
            barrier.wait().await;
        }
        answer
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        self.store.find(key).await
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.store.put(key, value, ttl).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        if let Some(barrier) = self.put_new.as_ref().filter(|_| *key == epoch_key()) {
            barrier.wait().await;
        }
        self.store.put_new(key, value, ttl).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        self.store.compare_and_swap(key, expected, new).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.store.add(key, n, window).await
    }
}

#[tokio::test]
async fn what_was_read_before_a_loss_was_accepted_is_not_confirmed_by_what_was_accepted() {
    let read = Barrier::new(2);
    let store = Arc::new(Held { store: Forgetful::new(), read: Some(read), put_new: None });
    let denylist = Arc::new(StoreDenylist::new(store.clone()));
    denylist.revoke_token("a", "1", at(FAR_AWAY)).await.expect("the store works");
    store.store.lose();
    let asked = denylist.clone();
    let held = store.read.as_ref().expect("a barrier");
    let status = tokio::spawn(async move { asked.status(&token(&json!({"iss": "a", "jti": "1"}))).await });
    held.wait().await;
    denylist.revoke_token("a", "1", at(FAR_AWAY)).await.expect("the store works");
    denylist.accept_loss().await.expect("the store works");
    held.wait().await;
    assert_eq!(status.await.expect("a status"), Unknown);
    assert_eq!(denylist.status(&good()).await, Active, "and what was accepted stays so");
}

#[tokio::test]
async fn all_who_are_first_at_once_see_one_epoch() {
    const RIVALS: usize = 8;
    let list = |store: &Arc<Held>| Arc::new(StoreDenylist::new(store.clone()));
    let same = |store: &Arc<Held>| std::iter::repeat_n(list(store), RIVALS).collect();
    let each = |store: &Arc<Held>| std::iter::repeat_with(|| list(store)).take(RIVALS).collect();
    let lists: [&dyn Fn(&Arc<Held>) -> Vec<Arc<StoreDenylist>>; 2] = [&same, &each];
    for lists in lists {
        let put_new = Some(Barrier::new(RIVALS));
        let store = Arc::new(Held { store: Forgetful::new(), read: None, put_new });
        let lists = lists(&store);
        let mut first = JoinSet::new();
        for list in lists.clone() {
            first.spawn(async move { list.status(&good()).await });
        }
        assert_eq!(first.join_all().await, [Active; RIVALS]);
        for list in lists {
            assert_eq!(list.status(&good()).await, Active);
        }
    }
}

#[tokio::test]
async fn a_store_that_is_down_at_first_costs_nothing_later() {
    for answers in 0..5 {
        let store = Arc::new(Failing(AtomicUsize::new(answers), MemoryCache::new()));
        let denylist = StoreDenylist::new(store.clone());
        assert_eq!(denylist.status(&good()).await, Unknown, "{answers} answers");
        store.0.store(NEVER, Ordering::Relaxed);
        assert_eq!(denylist.status(&good()).await, Active, "{answers} answers");
        revoke(&denylist).await;
        assert_eq!(denylist.status(&bad()[0]).await, Revoked, "{answers} answers");

        // A failure is not a loss, and a loss is not accepted by a failure.
        store.0.store(2, Ordering::Relaxed);
        assert_eq!(denylist.status(&good()).await, Unknown);
        store.0.store(NEVER, Ordering::Relaxed);
        assert_eq!(denylist.status(&good()).await, Active);
        store.1.remove(&epoch_key()).await.expect("remove");
        assert_eq!(denylist.status(&good()).await, Unknown);
        store.0.store(0, Ordering::Relaxed);
        assert!(denylist.accept_loss().await.is_err());
        store.0.store(NEVER, Ordering::Relaxed);
        assert_eq!(denylist.status(&good()).await, Unknown);
    }
}

#[tokio::test]
async fn an_epoch_that_was_forged_is_an_error_and_nothing_is_accepted() {
    let below = Arc::new(MemoryCache::new());
    let sealed = SealedCache::new(below.clone(), FleetKey::new([7; 32]).expect("a key"));
    let stores: [Arc<dyn CacheStore>; 2] = [Arc::new(sealed), below.clone()];
    // Of the right form where it is to be sealed, of none where it is not.
    for (store, forged) in stores.into_iter().zip(["epoch AAAAAAAAAAAAAAAAAAAAAA", "7"]) {
        let told = Arc::new(Told::default());
        let [old, new] = [(); 2].map(|()| StoreDenylist::new(store.clone()).observer(told.clone()));
        assert_eq!(old.status(&good()).await, Active);
        below.put(&epoch_key(), Bytes::from(forged), Duration::from_secs(60)).await.expect("put");
        for list in [&old, &new] {
            assert_eq!(list.status(&good()).await, Unknown, "{forged}");
            assert!(list.accept_loss().await.is_err(), "{forged}");
        }
        let told = told.take();
        assert!(told.len() == 2 && told.iter().all(|told| told.starts_with("`denied-epoch` holds what")), "{told:?}");
        below.remove(&epoch_key()).await.expect("remove");
    }
}

#[tokio::test]
async fn a_store_far_away_is_asked_for_its_epoch_whatever_is_near() {
    let far = Forgetful::new();
    let denylist = StoreDenylist::new(TieredCache::new(MemoryCache::new(), far.clone()));
    revoke(&denylist).await;
    assert_eq!(denylist.status(&good()).await, Active);
    far.lose();
    assert_eq!(denylist.status(&good()).await, Unknown);
    assert_ne!(denylist.status(&bad()[0]).await, Active);
}

#[tokio::test]
async fn redis_keeps_an_epoch_as_long_as_it_can() {
    let server = server().await;
    let store = Arc::new(redis(&server));
    let denylist = StoreDenylist::new(store.clone());
    assert_eq!(denylist.status(&good()).await, Active);
    let found = store.find(&epoch_key()).await.expect("find").expect("the epoch");
    let years = found.expires_in.expect("a time").as_secs() / (366 * 86_400);
    assert!(years > 1_000_000, "{years} years");
    assert_eq!(StoreDenylist::new(store.clone()).status(&good()).await, Active);
    assert_eq!(store.get(&epoch_key()).await.expect("get"), Some(found.value), "it stays");
}

#[tokio::test]
async fn losses_go_unnoticed_where_that_is_said_to_be_wanted() {
    let store = Arc::new(Failing(AtomicUsize::new(NEVER), MemoryCache::new()));
    let denylist = StoreDenylist::new(store.clone()).danger_unnoticed_losses();
    revoke(&denylist).await;
    denylist.accept_loss().await.expect("nothing to accept");
    assert_eq!(store.1.get(&epoch_key()).await.expect("get"), None);
    store.0.store(2, Ordering::Relaxed);
    assert_eq!(denylist.status(&good()).await, Active, "it asks twice");
}
