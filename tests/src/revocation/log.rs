//! The revocation log against a model: several processes on clocks of their own, over a store that fails, forgets, goes back
//! and lies.

mod fleet;
mod laws;
mod redis;
mod standing;
mod together;
mod told;

use super::{FAR_AWAY, at, token};
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, FleetKey, Found};
use countersign::observe::{Event, Observer};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::revocation::{Distrusting, RevocationCheck, RevocationLog, RevocationLogBuilder, TokenStatus};
use countersign::{Algorithm, Bytes, SigningKey, VerifyingKey, async_trait};
use countersign_testkit::clock::FakeClock;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

const BOUND: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_secs(1);

fn fleet_key() -> FleetKey {
    FleetKey::new([7; 32]).expect("a key")
}

/// What a server holds, and held after each of the last writes.
#[derive(Debug, Default)]
struct Server {
    states: Mutex<Vec<BTreeMap<CacheKey, Bytes>>>,
    questions: AtomicUsize,
    /// How many pages were put.
    pages: AtomicUsize,
    /// What was put for a time, and would go by itself.
    passing: Mutex<BTreeSet<CacheKey>>,
}

impl Server {
    fn states(&self) -> MutexGuard<'_, Vec<BTreeMap<CacheKey, Bytes>>> {
        self.states.lock().expect("lock")
    }

    fn now(&self) -> BTreeMap<CacheKey, Bytes> {
        self.states().last().cloned().unwrap_or_default()
    }

    fn set(&self, state: BTreeMap<CacheKey, Bytes>) {
        let mut states = self.states();
        states.push(state);
        if states.len() > 32 {
            states.remove(0);
        }
    }

    fn is_passing(&self, key: &CacheKey) -> bool {
        self.passing.lock().expect("lock").contains(key)
    }

    fn keep(&self, key: &CacheKey, ttl: Duration) {
        let mut passing = self.passing.lock().expect("lock");
        if ttl < Duration::MAX {
            passing.insert(key.clone())
        } else {
            passing.remove(key)
        };
    }

    fn flush(&self) {
        self.set(BTreeMap::new());
    }

    /// Goes on with what was there so many writes ago, as a replica does that lags.
    fn fail_over(&self, writes: usize) {
        let mut states = self.states();
        let kept = states.len().saturating_sub(writes);
        states.truncate(kept);
    }
}

/// The way of one process to the server.
#[derive(Clone, Debug)]
struct Link(Arc<Server>, Arc<AtomicU8>, Arc<Notify>);

const WORKS: u8 = 0;
const FAILS: u8 = 1;
/// What is asked is done, and nobody hears of it.
const FAILS_AFTER: u8 = 2;
/// As the two, from the next `compare_and_swap` on.
const FAILS_AT_SWAP: u8 = 3;
const FAILS_AFTER_SWAP: u8 = 4;
/// The next answer to `find` is held back, until it is let go.
const HOLDS_BACK: u8 = 5;
const HOLDS: u8 = 6;
/// Others go on before it is asked.
const YIELDS: u8 = 7;

impl Link {
    fn new(server: &Arc<Server>) -> Self {
        Self(server.clone(), Arc::default(), Arc::default())
    }

    fn mode(&self) -> u8 {
        self.1.load(Ordering::SeqCst)
    }

    async fn give_way(&self) {
        if self.mode() == YIELDS {
            tokio::task::yield_now().await;
        }
    }

    fn let_go(&self) {
        self.2.notify_one();
    }

    fn set(&self, mode: u8) {
        self.1.store(mode, Ordering::SeqCst);
    }

    fn ask<T>(&self, work: impl FnOnce(&mut BTreeMap<CacheKey, Bytes>) -> T) -> Result<T, CacheError> {
        self.0.questions.fetch_add(1, Ordering::SeqCst);
        let mode = self.mode();
        if mode == FAILS {
            return Err(CacheError::because("no answer"));
        }
        let mut state = self.0.now();
        let before = state.clone();
        let answer = work(&mut state);
        if state != before {
            self.0.set(state);
        }
        if mode == FAILS_AFTER { Err(CacheError::because("no answer")) } else { Ok(answer) }
    }
}

#[async_trait]
impl CacheStore for Link {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.give_way().await;
        self.ask(|state| state.get(key).cloned())
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let left = self.0.is_passing(key).then_some(INTERVAL);
        let found = self.get(key).await?.map(|value| Found::new(value, left));
        if self.mode() == HOLDS_BACK {
            self.set(HOLDS);
            self.2.notified().await;
        }
        Ok(found)
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.give_way().await;
        self.0.pages.fetch_add(1, Ordering::SeqCst);
        self.ask(|state| drop(state.insert(key.clone(), value)))?;
        self.0.keep(key, ttl);
        Ok(())
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, _: Duration) -> Result<bool, CacheError> {
        self.give_way().await;
        self.ask(|state| {
            let is_new = !state.contains_key(key);
            state.entry(key.clone()).or_insert(value);
            is_new
        })
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        match self.mode() {
            FAILS_AT_SWAP => self.set(FAILS),
            FAILS_AFTER_SWAP => self.set(FAILS_AFTER),
            _ => {}
        }
        self.give_way().await;
        let ttl = new.as_ref().map(|(_, ttl)| *ttl);
        let is_swapped = self.ask(|state| {
            let is_expected = state.get(key).is_some_and(|value| value == expected);
            match new {
                Some((value, _)) if is_expected => drop(state.insert(key.clone(), value)),
                None if is_expected => drop(state.remove(key)),
                _ => {}
            }
            is_expected
        })?;
        if let Some(ttl) = ttl.filter(|_| is_swapped) {
            self.0.keep(key, ttl);
        }
        Ok(is_swapped)
    }
    async fn add(&self, _: &CacheKey, _: u64, _: Duration) -> Result<Counted, CacheError> {
        Err(CacheError::because("nothing is counted"))
    }
}

/// The entry under which the log's head stands.
fn head_key() -> CacheKey {
    fleet_key().cache_key("revocations", &[b"revocations"]).expect("a name")
}

/// Keeps the names of what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("lock"))
    }
}

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        let told = match event {
            Event::RevocationsConfirmed { entries } => format!("confirmed {entries}"),
            Event::RevocationsUnconfirmed { goes_on: false } => "unconfirmed".to_owned(),
            Event::RevocationsUnconfirmed { goes_on: true } => "unconfirmed, goes on".to_owned(),
            Event::RevocationsRestored { entries } => format!("restored {entries}"),
            Event::CacheFailed { .. } => "failed".to_owned(),
            event => panic!("{event:?}"),
        };
        self.0.lock().expect("lock").push(told);
    }
}

fn public_key() -> VerifyingKey {
    let key = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("k").expect("a key id");
    key.verifying_key().clone()
}

/// One process of the fleet.
struct Process {
    link: Link,
    clock: FakeClock,
    told: Arc<Told>,
    log: Arc<RevocationLog>,
    keys: Distrusting<VerifyingKey>,
}

impl Process {
    fn new(server: &Arc<Server>, key: &VerifyingKey, second: u64) -> Self {
        Self::with(server, key, second, |builder| builder)
    }

    fn with(
        server: &Arc<Server>,
        key: &VerifyingKey,
        second: u64,
        change: impl FnOnce(RevocationLogBuilder) -> RevocationLogBuilder,
    ) -> Self {
        let (link, clock, told) = (Link::new(server), FakeClock::at(second), Arc::new(Told::default()));
        let builder = RevocationLog::builder(link.clone(), fleet_key()).clock(clock.clone()).observer(told.clone());
        let log = Arc::new(change(builder).build().expect("a log"));
        let keys = Distrusting::new(key.clone(), log.clone());
        Self { link, clock, told, log, keys }
    }

    /// Polls in time until the view counts: at once, or when what it has found has settled.
    async fn confirm(&self) {
        for _ in 0..3 {
            self.log.poll().await.expect("the store works");
            if self.log.is_confirmed() {
                return;
            }
            self.clock.advance(INTERVAL);
        }
        panic!("it is not confirmed");
    }

    /// What it says of a token, from memory; `None` where it would ask.
    fn status(&self, id: &str) -> Option<TokenStatus> {
        self.log.status_now(&token(&json!({"iss": "a", "jti": id, "sub": id, "iat": 100})))
    }

    /// Whether the key is trusted; `None` where nobody can tell.
    fn trusts(&self) -> Option<bool> {
        let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(Some("k")).with_issuer(Some("a"));
        match self.keys.key_now(&wanted)? {
            Ok(_) => Some(true),
            Err(KeyProviderError::NotFound) => Some(false),
            Err(KeyProviderError::Unavailable(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }
}
