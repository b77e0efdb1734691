//! The state machine under shuttle, which tries many orders in which its tasks and threads may take turns.

use super::*;
use crate::{FetchError, FetchRequest, Fetched};
use countersign::jwk::JwkSet;
use countersign::{Algorithm, SigningKey};
use countersign_testkit::clock::FakeClock;
use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::sync::Mutex;
use std::sync::LazyLock;

/// Orders that are tried for each test.
const ORDERS: usize = 3_000;
const SECOND: Duration = Duration::from_secs(1);

static OLD: LazyLock<SigningKey> = LazyLock::new(|| key("old"));
static NEW: LazyLock<SigningKey> = LazyLock::new(|| key("new"));

fn key(id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id(id).expect("a key id")
}

fn document(keys: &[&SigningKey]) -> Result<String, ()> {
    let set: JwkSet = keys.iter().filter_map(|key| key.verifying_key().jwk()).collect();
    Ok(serde_json::to_string(&set).expect("serialise"))
}

/// An issuer whose answers take their turns; they are decided when the request comes.
#[derive(Clone, Debug)]
struct Issuer(Arc<Mutex<Script>>);
#[derive(Debug)]
struct Script {
    answer: Result<String, ()>,
    fetches: usize,
    /// A client that panics once.
    panics: bool,
}

impl Issuer {
    fn new(answer: Result<String, ()>) -> Self {
        Self(Arc::new(Mutex::new(Script { answer, fetches: 0, panics: false })))
    }
    fn say(&self, answer: Result<String, ()>) {
        self.0.lock().expect("lock").answer = answer;
    }
    fn fetches(&self) -> usize {
        self.0.lock().expect("lock").fetches
    }
}

#[async_trait]
impl JwksFetch for Issuer {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let answer = {
            let mut script = self.0.lock().expect("lock");
            script.fetches += 1;
            assert!(!std::mem::take(&mut script.panics), "on purpose");
            script.answer.clone()
        };
        yield_now().await;
        answer.map(Fetched::new).map_err(|()| FetchError::status(500, None))
    }
}

fn provider(issuer: &Issuer, clock: &FakeClock) -> Arc<JwksProvider> {
    let builder = JwksProvider::url("https://issuer.example/jwks").fetch(issuer.clone()).clock(clock.clone());
    Arc::new(builder.build().expect("a provider"))
}

async fn ask(keys: &JwksProvider, id: &str) -> &'static str {
    match keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some(id))).await {
        Ok(_) => "key",
        Err(KeyProviderError::NotFound) => "not found",
        Err(KeyProviderError::Unavailable(_)) => "unavailable",
        Err(_) => "another error",
    }
}

/// A task for each of these ids, that asks for it.
fn callers(keys: &Arc<JwksProvider>, ids: &[&'static str]) -> Vec<JoinHandle<&'static str>> {
    let ask = |id| {
        let keys = keys.clone();
        spawn(async move { ask(&keys, id).await })
    };
    ids.iter().copied().map(ask).collect()
}

fn try_orders(test: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    // A refresh has large frames where nothing is optimised.
    config.stack_size = 1 << 18;
    shuttle::Runner::new(shuttle::scheduler::RandomScheduler::new(ORDERS), config).run(test);
}

#[test]
fn callers_at_cold_start_share_one_fetch() {
    try_orders(|| {
        let issuer = Issuer::new(document(&[&OLD]));
        let keys = provider(&issuer, &FakeClock::at(1_800_000_000));
        let asking = callers(&keys, &["old"; 4]);
        for answer in asking {
            assert_eq!(block_on(answer).expect("no panic"), "key");
        }
        assert_eq!(issuer.fetches(), 1);
    });
}

#[test]
fn a_caller_that_goes_away_takes_nothing_along() {
    try_orders(|| {
        let issuer = Issuer::new(document(&[&OLD]));
        let keys = provider(&issuer, &FakeClock::at(1_800_000_000));
        let mut asking = callers(&keys, &["old"; 2]);
        let (staying, leaving) = (asking.pop().expect("two"), asking.pop().expect("two"));
        leaving.abort();
        assert_eq!(block_on(staying).expect("no panic"), "key");
        // It may have had its answer before.
        let _ = block_on(leaving);
        assert_eq!(issuer.fetches(), 1);
    });
}

#[test]
fn a_removed_key_never_comes_back() {
    try_orders(|| {
        let issuer = Issuer::new(document(&[&OLD]));
        let clock = FakeClock::at(1_800_000_000);
        let keys = provider(&issuer, &clock);
        block_on(keys.ready()).expect("keys");
        issuer.say(document(&[&NEW]));
        clock.advance(541 * SECOND);
        let asking: Vec<_> = (0..3)
            .map(|_| {
                let keys = keys.clone();
                spawn(async move {
                    let mut was_gone = false;
                    for _ in 0..3 {
                        let is_gone = !keys.trusts(&OLD.verifying_key().identity());
                        assert!(is_gone || !was_gone, "trusted again");
                        was_gone = is_gone;
                        yield_now().await;
                    }
                    ask(&keys, "new").await
                })
            })
            .collect();
        for answer in asking {
            assert_eq!(block_on(answer).expect("no panic"), "key", "whoever asks for the new one gets it");
        }
        assert_eq!((block_on(ask(&keys, "old")), keys.health().generation), ("not found", 2));
    });
}

#[test]
fn unknown_ids_never_pass_the_gate_more_than_twice() {
    try_orders(|| {
        let issuer = Issuer::new(document(&[&OLD]));
        let keys = provider(&issuer, &FakeClock::at(1_800_000_000));
        block_on(keys.ready()).expect("keys");
        let asking = callers(&keys, &["a", "b", "c", "d"]);
        for answer in asking {
            assert_eq!(block_on(answer).expect("no panic"), "not found");
        }
        assert!((2..=3).contains(&issuer.fetches()), "{}", issuer.fetches());
    });
}

#[test]
fn closing_leaves_nobody_waiting_and_nothing_running() {
    try_orders(|| {
        let issuer = Issuer::new(document(&[&OLD]));
        let keys = provider(&issuer, &FakeClock::at(1_800_000_000));
        let asking = callers(&keys, &["old"; 2]);
        let closing = {
            let keys = keys.clone();
            shuttle::thread::spawn(move || keys.close())
        };
        for answer in asking {
            let answer = block_on(answer).expect("no panic");
            assert!(["key", "unavailable"].contains(&answer), "{answer}");
        }
        closing.join().expect("no panic");
        assert!(block_on(keys.refresh_now()).is_err());
        assert!(block_on(keys.refresh_now()).is_err());
        assert!(issuer.fetches() <= 1, "at most the one that was being sent");
        assert_eq!(keys.health().state, KeysState::Closed);
    });
}

#[test]
fn a_refresh_that_was_given_up_has_no_say_when_it_ends_after_all() {
    try_orders(|| {
        let issuer = Issuer::new(document(&[&OLD]));
        let clock = FakeClock::at(1_800_000_000);
        let keys = provider(&issuer, &clock);
        // The first one's answer is the old set; by the time of the second, the set is new.
        let first = callers(&keys, &["old"]).pop().expect("one");
        shuttle::thread::yield_now();
        issuer.say(document(&[&NEW]));
        clock.advance(20 * SECOND);
        let second = {
            let keys = keys.clone();
            spawn(async move { keys.refresh_now().await.is_ok() })
        };
        block_on(first).expect("no panic");
        assert!(block_on(second).expect("no panic"));
        clock.advance(SECOND);
        block_on(keys.refresh_now()).expect("a refresh");
        assert_eq!(block_on(ask(&keys, "new")), "key");
        assert!(!keys.trusts(&OLD.verifying_key().identity()), "however late the first one ended");
    });
}

#[test]
fn an_outage_and_its_end_are_seen_by_all() {
    try_orders(|| {
        let issuer = Issuer::new(Err(()));
        let clock = FakeClock::at(1_800_000_000);
        let keys = provider(&issuer, &clock);
        let asking = callers(&keys, &["old"; 3]);
        for answer in asking {
            assert_eq!(block_on(answer).expect("no panic"), "unavailable");
        }
        assert_eq!(issuer.fetches(), 1, "after a failure nobody asks before it is due");
        issuer.say(document(&[&OLD]));
        clock.advance(2 * SECOND);
        let asking = callers(&keys, &["old"; 3]);
        for answer in asking {
            assert_eq!(block_on(answer).expect("no panic"), "key");
        }
        assert_eq!(issuer.fetches(), 2);
    });
}
