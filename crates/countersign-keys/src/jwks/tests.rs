use super::*;
use crate::{FetchError, Fetched, StaticKeys};
use countersign::jwk::JwkSet;
use countersign::observe::Event;
use countersign::{Algorithm, SigningKey};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

#[derive(Clone, Debug)]
struct Hand(Arc<AtomicU64>);
impl Hand {
    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}
impl Clock for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// An issuer that answers what it is told to, and counts.
#[derive(Clone, Debug, Default)]
struct Issuer(Arc<Script>);
#[derive(Debug, Default)]
struct Script {
    answer: Mutex<Option<String>>,
    fetches: AtomicUsize,
    hold: Mutex<Option<Arc<Notify>>>,
}

impl Issuer {
    fn publish(&self, keys: &[&SigningKey]) {
        let set: JwkSet = keys.iter().filter_map(|key| key.verifying_key().jwk()).collect();
        self.say(&serde_json::to_string(&set).expect("serialise"));
    }
    fn say(&self, body: &str) {
        *self.0.answer.lock().expect("lock") = Some(body.to_owned());
    }
    fn fail(&self) {
        *self.0.answer.lock().expect("lock") = None;
    }
    fn hold(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.0.hold.lock().expect("lock") = Some(gate.clone());
        gate
    }
    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl JwksFetch for Issuer {
    async fn fetch(&self, _: &str, _: usize) -> Result<Fetched, FetchError> {
        self.0.fetches.fetch_add(1, Ordering::SeqCst);
        let hold = self.0.hold.lock().expect("lock").clone();
        if let Some(gate) = hold {
            gate.notified().await;
        }
        let answer = self.0.answer.lock().expect("lock").clone();
        answer.map(Fetched::new).ok_or(FetchError::Status(500))
    }
}

#[derive(Clone, Debug, Default)]
struct Alerts(Arc<AtomicU64>);
impl Observer for Alerts {
    fn observe(&self, event: &Event<'_>) {
        if let Event::UnknownKeysThrottled { count, .. } = event {
            self.0.fetch_add(*count, Ordering::SeqCst);
        }
    }
}

struct World {
    clock: Hand,
    issuer: Issuer,
    alerts: Alerts,
    keys: JwksProvider,
}

fn world() -> World {
    let clock = Hand(Arc::new(AtomicU64::new(1_800_000_000)));
    let (issuer, alerts) = (Issuer::default(), Alerts::default());
    let keys = JwksProvider::url("https://issuer.example/jwks")
        .fetch(issuer.clone())
        .clock(clock.clone())
        .observer(alerts.clone())
        .build()
        .expect("a provider");
    World { clock, issuer, alerts, keys }
}

fn key(key_id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id(key_id)
}

fn wanted(key_id: &str) -> KeyRequest<'_> {
    KeyRequest::new(Algorithm::ES256).with_key_id(Some(key_id))
}

async fn ask(keys: &JwksProvider, key_id: &str) -> &'static str {
    match keys.key(&wanted(key_id)).await {
        Ok(_) => "key",
        Err(KeyProviderError::NotFound) => "not found",
        Err(KeyProviderError::Unavailable(_)) => "unavailable",
        Err(_) => "another error",
    }
}

/// Lets tasks that are ready run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_callers_at_cold_start_cause_one_fetch() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    let keys = Arc::new(w.keys);
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { ask(&keys, "a").await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), "key");
    }
    assert_eq!(w.issuer.fetches(), 1);
    assert!(keys.key_now(&wanted("a")).is_some_and(|answer| answer.is_ok()), "from memory now");
}

#[tokio::test]
async fn a_flood_of_made_up_ids_is_throttled_and_a_rotation_gets_through() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    for n in 0..500 {
        assert_eq!(ask(&w.keys, &format!("made up {n}")).await, "not found");
        assert!(w.keys.key_now(&wanted("old")).is_some_and(|answer| answer.is_ok()), "a known key never waits");
    }
    assert_eq!(w.issuer.fetches(), 1 + 2, "the first, and a burst of two");
    assert!(w.alerts.0.load(Ordering::SeqCst) >= 480);
    w.issuer.publish(&[&old, &new]);
    assert_eq!(ask(&w.keys, "new").await, "not found", "the gate is shut");
    w.clock.advance(5);
    assert_eq!(ask(&w.keys, "new").await, "key", "one period later it is not, and nothing was remembered");
    assert_eq!(w.issuer.fetches(), 4);
}

#[tokio::test]
async fn an_id_that_a_fresh_document_lacked_is_remembered_until_a_newer_document() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    assert_eq!(ask(&w.keys, "old").await, "key");
    for _ in 0..10 {
        assert_eq!(ask(&w.keys, "new").await, "not found");
    }
    assert_eq!(w.issuer.fetches(), 2, "remembered after the first look");
    w.issuer.publish(&[&old, &new]);
    w.clock.advance(31);
    assert_eq!(ask(&w.keys, "new").await, "key");
}

#[tokio::test]
async fn keys_are_refreshed_ahead_of_time_without_anybody_waiting() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    assert_eq!(ask(&w.keys, "old").await, "key");
    w.issuer.publish(&[&new]);
    w.clock.advance(599);
    assert!(w.keys.key_now(&wanted("old")).is_some_and(|answer| answer.is_ok()));
    settle().await;
    assert_eq!(w.issuer.fetches(), 2);
    assert_eq!(ask(&w.keys, "old").await, "not found", "a removed key is distrusted at once");
    assert!(!w.keys.trusts(&old.verifying_key().identity()));
    assert!(w.keys.trusts(&new.verifying_key().identity()));
}

#[tokio::test]
async fn an_outage_serves_old_keys_then_503_then_recovers() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    assert_eq!(ask(&w.keys, "old").await, "key");
    w.issuer.fail();
    w.clock.advance(601);
    assert_eq!(ask(&w.keys, "old").await, "key", "stale, serving");
    assert_eq!(ask(&w.keys, "new").await, "unavailable", "nobody can say whether it is published");
    let fetches = w.issuer.fetches();
    for _ in 0..100 {
        assert_eq!(ask(&w.keys, "old").await, "key");
        assert_eq!(ask(&w.keys, "new").await, "unavailable");
    }
    assert_eq!(w.issuer.fetches(), fetches, "backing off");
    w.clock.advance(50 * 60);
    assert_eq!(ask(&w.keys, "old").await, "unavailable", "past the bound");
    assert!(!w.keys.trusts(&old.verifying_key().identity()));
    w.issuer.publish(&[&old, &new]);
    w.clock.advance(60);
    assert_eq!(ask(&w.keys, "new").await, "key", "a refused id is taken as soon as the keys are back");
}

#[tokio::test]
async fn no_usable_key_never_replaces_a_good_one() {
    for document in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#, "<html>", "", "{}"] {
        let w = world();
        w.issuer.publish(&[&key("a")]);
        assert_eq!(ask(&w.keys, "a").await, "key");
        w.issuer.say(document);
        w.clock.advance(601);
        assert_eq!(ask(&w.keys, "a").await, "key", "{document}");
        assert_eq!(w.issuer.fetches(), 2);
    }
}

#[tokio::test]
async fn nothing_fetched_yet_is_unavailable_and_not_unknown() {
    let w = world();
    for _ in 0..10 {
        assert_eq!(ask(&w.keys, "a").await, "unavailable");
    }
    assert_eq!(w.issuer.fetches(), 1, "the failure counts");
    assert!(w.keys.ready().await.is_err());
    w.issuer.publish(&[&key("a")]);
    w.clock.advance(60);
    assert!(w.keys.ready().await.is_ok());
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_refresh_along() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    let gate = w.issuer.hold();
    let keys = Arc::new(w.keys);
    let first = tokio::spawn({
        let keys = keys.clone();
        async move { ask(&keys, "a").await }
    });
    settle().await;
    let second = tokio::spawn({
        let keys = keys.clone();
        async move { ask(&keys, "a").await }
    });
    settle().await;
    first.abort();
    settle().await;
    gate.notify_waiters();
    assert_eq!(second.await.expect("no panic"), "key");
    assert_eq!(w.issuer.fetches(), 1);
}

#[tokio::test]
async fn dropping_the_provider_ends_its_refresh() {
    let w = world();
    let _gate = w.issuer.hold();
    let script = Arc::downgrade(&w.keys.refresher);
    drop(w.keys.refresher.key_now(&wanted("a")));
    let keys = Arc::new(w.keys);
    let asking = tokio::spawn({
        let keys = keys.clone();
        async move { ask(&keys, "a").await }
    });
    settle().await;
    asking.abort();
    settle().await;
    assert_eq!(w.issuer.fetches(), 1);
    drop(keys);
    settle().await;
    assert!(script.upgrade().is_none(), "no task holds it any longer");
}

/// Asks in a runtime of its own, which is gone afterwards.
fn ask_elsewhere(keys: &JwksProvider, key_id: &str) -> &'static str {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(ask(keys, key_id))
}

#[test]
fn a_runtime_that_shuts_down_takes_its_refresh_along_and_nothing_else() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let handle = runtime.handle().clone();
    drop(runtime);
    // The runtime is gone: whatever is spawned there is dropped on the spot.
    let entered = handle.enter();
    let now = w.keys.refresher.start();
    assert!(now.is_some_and(|landed| landed.has_changed().unwrap_or(true)), "told that it ended");
    drop(entered);
    assert_eq!(w.issuer.fetches(), 0);
    w.clock.advance(2);
    assert_eq!(ask_elsewhere(&w.keys, "a"), "key", "another runtime is served");
}

#[test]
fn a_runtime_that_nobody_drives_does_not_hold_the_refresh_for_ever() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    assert_eq!(ask_elsewhere(&w.keys, "a"), "key");
    w.clock.advance(599);
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    {
        let _entered = idle.enter();
        assert!(w.keys.key_now(&wanted("a")).is_some(), "starts a refresh there, which nobody drives");
    }
    assert_eq!(w.issuer.fetches(), 1);
    w.clock.advance(20);
    assert_eq!(ask_elsewhere(&w.keys, "a"), "key");
    assert_eq!(w.issuer.fetches(), 2, "given up for overdue, and started here");
    drop(idle);
}

#[tokio::test]
async fn while_refreshes_fail_a_known_key_waits_for_none_of_them() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    assert_eq!(ask(&w.keys, "a").await, "key");
    w.issuer.fail();
    w.clock.advance(601);
    assert_eq!(ask(&w.keys, "a").await, "key");
    let gate = w.issuer.hold();
    w.clock.advance(5);
    assert!(w.keys.key_now(&wanted("a")).is_some_and(|answer| answer.is_ok()), "starts the next try");
    settle().await;
    assert_eq!(w.issuer.fetches(), 3);
    for _ in 0..100 {
        assert!(w.keys.key_now(&wanted("a")).is_some_and(|answer| answer.is_ok()), "while it hangs");
    }
    assert_eq!(w.issuer.fetches(), 3);
    gate.notify_waiters();
}

#[tokio::test]
async fn a_client_that_panics_counts_as_one_that_fails() {
    #[derive(Clone, Debug, Default)]
    struct Panics(Arc<AtomicUsize>);
    #[async_trait]
    impl JwksFetch for Panics {
        async fn fetch(&self, _: &str, _: usize) -> Result<Fetched, FetchError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("on purpose");
        }
    }
    let fetch = Panics::default();
    let clock = Hand(Arc::new(AtomicU64::new(1_800_000_000)));
    let keys = JwksProvider::url("https://issuer.example/jwks").fetch(fetch.clone()).clock(clock).build();
    let keys = keys.expect("a provider");
    for _ in 0..10 {
        assert_eq!(ask(&keys, "a").await, "unavailable");
    }
    assert_eq!(fetch.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn discovery_takes_the_uri_of_the_identical_issuer() {
    #[derive(Clone, Debug)]
    struct TwoDocuments(String);
    #[async_trait]
    impl JwksFetch for TwoDocuments {
        async fn fetch(&self, url: &str, _: usize) -> Result<Fetched, FetchError> {
            match url {
                "https://a.example/.well-known/openid-configuration" => {
                    Ok(Fetched::new(r#"{"issuer":"https://a.example/","jwks_uri":"https://a.example/k"}"#))
                }
                "https://a.example/k" => Ok(Fetched::new(self.0.clone())),
                _ => Err(FetchError::Status(404)),
            }
        }
    }
    let set: JwkSet = key("a").verifying_key().jwk().into_iter().collect();
    let fetch = TwoDocuments(serde_json::to_string(&set).expect("serialise"));
    let provider = |issuer: &str| JwksProvider::discover(issuer).fetch(fetch.clone()).build().expect("a provider");
    assert_eq!(ask(&provider("https://a.example/"), "a").await, "key");
    assert_eq!(ask(&provider("https://a.example"), "a").await, "unavailable", "not the identical issuer");
    let keys = provider("https://a.example/");
    for (issuer, is_its_own) in [("https://a.example/", true), ("https://b.example/", false)] {
        let answer = keys.key(&wanted("a").with_issuer(Some(issuer))).await;
        assert_eq!(answer.is_ok(), is_its_own, "an issuer that was discovered signs for itself alone");
    }
}

#[test]
fn settings_that_make_no_sense_name_themselves() {
    let url = || JwksProvider::url("https://issuer.example/jwks").fetch(Issuer::default());
    let cases = [
        (JwksProvider::url("nonsense").fetch(Issuer::default()), "url"),
        (JwksProvider::discover("https://a.example/?q").fetch(Issuer::default()), "discover"),
        (JwksProvider::url("http://127.0.0.1/jwks").allow_private_addresses(), "url"),
        (JwksProvider::url("http://issuer.example/jwks").allow_http_on_loopback(), "url"),
        (url().time_to_live(Duration::from_secs(59)), "time_to_live"),
        (url().time_to_live(Duration::from_secs(3601)), "time_to_live"),
        (url().max_stale(Duration::from_secs(90_000)), "max_stale"),
        (url().max_bytes(0), "max_bytes"),
    ];
    for (builder, setting) in cases {
        let error = builder.build().expect_err(setting);
        // A machine without certificate authorities fails earlier, at the client.
        assert!(error.setting() == setting || error.setting() == "fetch", "{error}");
    }
    assert!(StaticKeys::from_jwks("{}").is_err());
}
