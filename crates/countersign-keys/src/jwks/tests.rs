use super::*;
use crate::{FetchError, FetchRequest, Fetched, StaticKeys, Validators};
use countersign::jwk::JwkSet;
use countersign::observe::{Event, RefreshTrigger};
use countersign::{Algorithm, SigningKey};
use countersign_testkit::clock::FakeClock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);
const START: u64 = 1_800_000_000;

/// An issuer that answers what it is told to, and counts.
#[derive(Clone, Debug, Default)]
struct Issuer(Arc<Script>);
#[derive(Debug, Default)]
struct Script {
    answer: Mutex<Option<Fetched>>,
    /// What comes first, one for each request.
    errors: Mutex<Vec<FetchError>>,
    fetches: AtomicUsize,
    hold: Mutex<Option<Arc<Notify>>>,
    /// Of the last request.
    validators: Mutex<Option<Validators>>,
}

impl Issuer {
    fn publish(&self, keys: &[&SigningKey]) {
        self.say(&document(keys));
    }
    fn say(&self, body: &str) {
        self.answer(Fetched::new(body.to_owned()));
    }
    fn answer(&self, answer: Fetched) {
        *self.0.answer.lock().expect("lock") = Some(answer);
    }
    fn fail(&self) {
        *self.0.answer.lock().expect("lock") = None;
    }
    fn fail_once(&self, error: FetchError) {
        self.0.errors.lock().expect("lock").push(error);
    }
    fn hold(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.0.hold.lock().expect("lock") = Some(gate.clone());
        gate
    }
    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }
    fn was_sent(&self) -> Option<Validators> {
        self.0.validators.lock().expect("lock").clone()
    }
}

#[async_trait]
impl JwksFetch for Issuer {
    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        self.0.fetches.fetch_add(1, Ordering::SeqCst);
        *self.0.validators.lock().expect("lock") = request.validators.cloned();
        let hold = self.0.hold.lock().expect("lock").clone();
        if let Some(gate) = hold {
            gate.notified().await;
        }
        if let Some(error) = self.0.errors.lock().expect("lock").pop() {
            return Err(error);
        }
        let answer = self.0.answer.lock().expect("lock").clone();
        answer.ok_or_else(|| FetchError::status(500, None))
    }
}

/// What was told, in a word each.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);
impl Told {
    fn words(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("lock"))
    }
    fn count(&self, word: &str) -> usize {
        self.0.lock().expect("lock").iter().filter(|told| *told == word).count()
    }
}
impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        let word = match event {
            Event::UnknownKeysThrottled { count, .. } => format!("alert {count}"),
            Event::UnknownKey { outcome, .. } => outcome.name().to_owned(),
            Event::StaleKeyServed { provider } => format!("stale from {provider}"),
            Event::KeysRefreshed { trigger, is_new, generation, usable, quarantined, .. } => {
                format!("{} new={is_new} generation={generation} {usable}+{quarantined}", trigger.name())
            }
            Event::KeysRefreshFailed { trigger, kind, .. } => format!("{} failed: {kind}", trigger.name()),
            _ => "something else".to_owned(),
        };
        self.0.lock().expect("lock").push(word);
    }
}

struct World {
    clock: FakeClock,
    issuer: Issuer,
    told: Told,
    keys: JwksProvider,
}

fn world() -> World {
    world_with(|builder| builder)
}

fn world_with(settings: impl FnOnce(JwksProviderBuilder) -> JwksProviderBuilder) -> World {
    let clock = FakeClock::at(START);
    let (issuer, told) = (Issuer::default(), Told::default());
    let builder = JwksProvider::url("https://issuer.example/jwks")
        .name("main")
        .fetch(issuer.clone())
        .clock(clock.clone())
        .observer(told.clone());
    let keys = settings(builder).build().expect("a provider");
    World { clock, issuer, told, keys }
}

fn key(key_id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id(key_id).expect("a kid")
}

fn document(keys: &[&SigningKey]) -> String {
    let set: JwkSet = keys.iter().filter_map(|key| key.verifying_key().jwk()).collect();
    serde_json::to_string(&set).expect("serialise")
}

fn wanted(key_id: &str) -> KeyRequest<'_> {
    KeyRequest::new(Algorithm::ES256).with_key_id(Some(key_id))
}

/// Whether a key comes from memory, without waiting.
fn has_now(keys: &JwksProvider, key_id: &str) -> bool {
    keys.key_now(&wanted(key_id)).is_some_and(|answer| answer.is_ok())
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
    assert!(has_now(&keys, "a"), "from memory now");
}

#[tokio::test]
async fn a_flood_of_made_up_ids_is_throttled_and_a_rotation_gets_through() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    for n in 0..500 {
        assert_eq!(ask(&w.keys, &format!("made up {n}")).await, "not found");
        assert!(has_now(&w.keys, "old"), "a known key never waits");
    }
    assert_eq!(w.issuer.fetches(), 1 + 2, "the first, and a burst of two");
    assert_eq!(w.told.count("alert 40"), 12, "498 were turned away");
    w.issuer.publish(&[&old, &new]);
    assert_eq!(ask(&w.keys, "new").await, "not found", "the gate is shut");
    w.clock.advance(5 * SECOND);
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
    w.clock.advance(31 * SECOND);
    assert_eq!(ask(&w.keys, "new").await, "key");
}

#[tokio::test]
async fn a_key_without_an_id_hides_no_rotation_and_serves_where_none_is_named() {
    let plain = SigningKey::generate(Algorithm::ES256).expect("generate");
    let identity = |key: &SigningKey| key.verifying_key().identity();
    let w = world();
    let (named, new) = (key("named"), key("new"));
    w.issuer.publish(&[&named, &plain]);
    let found = async |id: &str| w.keys.key(&wanted(id)).await.map(|key| key.identity()).ok();
    assert_eq!(found("other").await, Some(identity(&plain)), "nobody has the name");
    assert_eq!(w.issuer.fetches(), 1, "the document was fresh");
    assert!(has_now(&w.keys, "other"), "and is remembered to lack it");
    w.issuer.publish(&[&named, &plain, &new]);
    assert_eq!(found("new").await, Some(identity(&new)), "a rotation is looked for");
    w.issuer.fail();
    w.clock.advance(31 * SECOND);
    assert_eq!(found("another").await, Some(identity(&plain)), "whatever the issuer's state");
    // A set in which no key has a name answers at once.
    let w = world();
    w.issuer.publish(&[&plain]);
    w.keys.ready().await.expect("keys");
    assert!(has_now(&w.keys, "any"));
    assert_eq!(w.issuer.fetches(), 1);
}

#[tokio::test]
async fn keys_are_refreshed_ahead_of_time_without_anybody_waiting() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    assert_eq!(ask(&w.keys, "old").await, "key");
    w.issuer.publish(&[&new]);
    w.clock.advance(599 * SECOND);
    assert!(has_now(&w.keys, "old"));
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
    w.clock.advance(601 * SECOND);
    assert_eq!(ask(&w.keys, "old").await, "key", "stale, serving");
    assert_eq!(ask(&w.keys, "new").await, "unavailable", "nobody can say whether it is published");
    let fetches = w.issuer.fetches();
    for _ in 0..100 {
        assert_eq!(ask(&w.keys, "old").await, "key");
        assert_eq!(ask(&w.keys, "new").await, "unavailable");
    }
    assert_eq!(w.issuer.fetches(), fetches, "backing off");
    w.clock.advance(50 * 60 * SECOND);
    assert_eq!(ask(&w.keys, "old").await, "unavailable", "past the bound");
    assert!(!w.keys.trusts(&old.verifying_key().identity()));
    w.issuer.publish(&[&old, &new]);
    w.clock.advance(60 * SECOND);
    assert_eq!(ask(&w.keys, "new").await, "key", "a refused id is taken as soon as the keys are back");
}

#[tokio::test]
async fn no_usable_key_never_replaces_a_good_one() {
    for document in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#, "<html>", "", "{}"] {
        let w = world();
        w.issuer.publish(&[&key("a")]);
        assert_eq!(ask(&w.keys, "a").await, "key");
        w.issuer.say(document);
        w.clock.advance(601 * SECOND);
        assert_eq!(ask(&w.keys, "a").await, "key", "{document}");
        assert_eq!(w.issuer.fetches(), 2);
    }
}

#[cfg(all(feature = "aws-lc", feature = "ring"))]
#[tokio::test(start_paused = true)]
async fn keys_are_on_the_backend_that_was_chosen() {
    use countersign::crypto::{AwsLc, Ring};
    // What ring lacks tells them apart.
    let key = SigningKey::generate(Algorithm::ES512).and_then(|key| key.with_key_id("a")).expect("generate");
    let wanted = KeyRequest::new(Algorithm::ES512).with_key_id(Some("a"));
    for (w, is_there) in [(world_with(|b| b.backend(AwsLc)), true), (world_with(|b| b.backend(Ring)), false)] {
        w.issuer.publish(&[&key]);
        assert_eq!(w.keys.key(&wanted).await.is_ok(), is_there);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_fetched_yet_is_unavailable_and_not_unknown() {
    let w = world();
    for _ in 0..10 {
        assert_eq!(ask(&w.keys, "a").await, "unavailable");
    }
    assert_eq!(w.issuer.fetches(), 1, "the failure counts");
    assert!(w.keys.ready().await.is_err());
    w.issuer.publish(&[&key("a")]);
    w.clock.advance(60 * SECOND);
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
    let now = w.keys.refresher.start(RefreshTrigger::Request, 0);
    assert!(now.is_some_and(|landed| landed.has_changed().unwrap_or(true)), "told that it ended");
    drop(entered);
    assert_eq!(w.issuer.fetches(), 0);
    w.clock.advance(2 * SECOND);
    assert_eq!(ask_elsewhere(&w.keys, "a"), "key", "another runtime is served");
}

#[test]
fn a_runtime_that_nobody_drives_does_not_hold_the_refresh_for_ever() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    assert_eq!(ask_elsewhere(&w.keys, "a"), "key");
    w.clock.advance(599 * SECOND);
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    {
        let _entered = idle.enter();
        assert!(w.keys.key_now(&wanted("a")).is_some(), "starts a refresh there, which nobody drives");
    }
    assert_eq!(w.issuer.fetches(), 1);
    w.clock.advance(20 * SECOND);
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
    w.clock.advance(601 * SECOND);
    assert_eq!(ask(&w.keys, "a").await, "key");
    let gate = w.issuer.hold();
    w.clock.advance(5 * SECOND);
    assert!(has_now(&w.keys, "a"), "starts the next try");
    settle().await;
    assert_eq!(w.issuer.fetches(), 3);
    for _ in 0..100 {
        assert!(has_now(&w.keys, "a"), "while it hangs");
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
        async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("on purpose");
        }
    }
    let fetch = Panics::default();
    let keys =
        JwksProvider::url("https://issuer.example/jwks").fetch(fetch.clone()).clock(FakeClock::at(START)).build();
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
        async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
            match request.url {
                "https://a.example/.well-known/openid-configuration" => {
                    Ok(Fetched::new(r#"{"issuer":"https://a.example/","jwks_uri":"https://a.example/k"}"#))
                }
                "https://a.example/k" => Ok(Fetched::new(self.0.clone())),
                _ => Err(FetchError::status(404, None)),
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
        let candidates = keys.candidates(&KeyRequest::new(Algorithm::ES256).with_issuer(Some(issuer)));
        assert_eq!(!candidates.is_empty(), is_its_own);
    }
}

#[tokio::test]
async fn the_timer_refreshes_without_a_request() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    w.keys.ready().await.expect("keys");
    w.issuer.publish(&[&new]);
    w.clock.pass(419 * SECOND).await;
    assert_eq!(w.issuer.fetches(), 1, "not before seven tenths of the time to live");
    w.clock.pass(122 * SECOND).await;
    assert_eq!(w.issuer.fetches(), 2, "and by nine tenths");
    assert!(has_now(&w.keys, "new") && !has_now(&w.keys, "old"));
    // A day without a request is a day of refreshes ahead of time.
    w.clock.pass(24 * 3600 * SECOND).await;
    let fetches = w.issuer.fetches();
    assert!((2 + 86_400 / 541..=2 + 86_400 / 419).contains(&fetches), "{fetches}");
    assert!(has_now(&w.keys, "new"));
}

#[tokio::test]
async fn an_outage_is_retried_by_the_timer_ever_more_rarely() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    w.keys.ready().await.expect("keys");
    w.issuer.fail();
    w.clock.pass(600 * SECOND).await;
    let fetches = w.issuer.fetches();
    w.clock.pass(600 * SECOND).await;
    let tries = w.issuer.fetches() - fetches;
    assert!((10..=20).contains(&tries), "every 30 to 60 s: {tries}");
    assert_eq!(w.keys.health().state, KeysState::Stale);
    w.clock.pass(3000 * SECOND).await;
    assert_eq!(w.keys.health().state, KeysState::Dead);
    assert_eq!(ask(&w.keys, "a").await, "unavailable");
    w.issuer.publish(&[&key("a")]);
    w.clock.pass(61 * SECOND).await;
    assert!(has_now(&w.keys, "a"), "the first good answer ends it, and nobody had to ask");
    assert_eq!((w.keys.health().state, w.keys.health().failures), (KeysState::Fresh, 0));
}

#[tokio::test]
async fn a_document_that_has_not_changed_is_confirmed_and_not_sent_again() {
    let w = world();
    let a = key("a");
    let called = Validators::new(Some("\"1\"".into()), Some("Sun, 06 Nov 1994 08:49:37 GMT".into()));
    w.issuer.answer(Fetched::new(document(&[&a])).with_validators(called.clone()));
    w.keys.ready().await.expect("keys");
    assert_eq!(w.issuer.was_sent(), None, "there was nothing to compare");
    w.issuer.answer(Fetched::not_modified());
    for _ in 0..2 {
        w.clock.pass(541 * SECOND).await;
        assert_eq!(w.issuer.was_sent().as_ref(), Some(&called));
    }
    let health = w.keys.health();
    assert_eq!((health.generation, health.state), (1, KeysState::Fresh));
    assert!(health.age_seconds < Some(600) && has_now(&w.keys, "a"));
    // The same document, sent whole.
    w.issuer.publish(&[&a]);
    w.clock.pass(541 * SECOND).await;
    assert_eq!(w.keys.health().generation, 1);
    w.clock.pass(541 * SECOND).await;
    assert_eq!(w.issuer.was_sent(), None, "it came without a name");
    w.issuer.publish(&[&a, &key("b")]);
    w.clock.pass(541 * SECOND).await;
    assert_eq!(w.keys.health().generation, 2);
}

#[tokio::test]
async fn nothing_has_not_changed_where_nothing_was() {
    let w = world();
    w.issuer.answer(Fetched::not_modified());
    assert_eq!(ask(&w.keys, "a").await, "unavailable");
}

#[tokio::test]
async fn a_confirmed_document_ends_a_question_too() {
    let w = world();
    let called = Validators::new(Some("\"1\"".into()), None);
    w.issuer.answer(Fetched::new(document(&[&key("a")])).with_validators(called));
    w.keys.ready().await.expect("keys");
    w.issuer.answer(Fetched::not_modified());
    for _ in 0..5 {
        assert_eq!(ask(&w.keys, "made up").await, "not found");
    }
    assert_eq!(w.issuer.fetches(), 2, "remembered after the first");
    assert_eq!(w.told.count("remembered"), 4);
}

#[tokio::test]
async fn what_a_server_says_of_freshness_is_held_within_bounds() {
    let seconds = Duration::from_secs;
    for (said, heeded, expected) in [
        (None, true, 600),
        (Some(seconds(300)), true, 300),
        (Some(seconds(0)), true, 60),
        (Some(seconds(31_536_000)), true, 3600),
        (Some(seconds(300)), false, 600),
    ] {
        let w = world_with(|builder| if heeded { builder } else { builder.ignore_cache_headers() });
        w.issuer.answer(Fetched::new(document(&[&key("a")])).with_max_age(said));
        w.keys.ready().await.expect("keys");
        assert_eq!(w.keys.health().time_to_live_seconds, Some(expected), "{said:?}");
        w.clock.pass(seconds(expected * 7 / 10 - 1)).await;
        assert_eq!(w.issuer.fetches(), 1, "{said:?}");
        w.clock.pass(seconds(expected * 2 / 10 + 2)).await;
        assert_eq!(w.issuer.fetches(), 2, "{said:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it_within_bounds() {
    for (asked, at_least) in [(30, 30), (3600, 60)] {
        let w = world();
        w.issuer.publish(&[&key("a")]);
        w.issuer.fail_once(FetchError::status(429, Some(asked * SECOND)));
        assert_eq!(ask(&w.keys, "a").await, "unavailable");
        w.clock.pass((at_least - 1) * SECOND).await;
        assert_eq!((w.issuer.fetches(), ask(&w.keys, "a").await), (1, "unavailable"), "{asked} s");
        w.clock.pass(2 * SECOND).await;
        assert_eq!((w.issuer.fetches(), has_now(&w.keys, "a")), (2, true), "{asked} s");
    }
}

#[tokio::test]
async fn one_failure_to_reach_anything_is_tried_again_at_once_and_no_other() {
    let connect = || FetchError::Connect("refused".into());
    let cases = [
        (vec![connect()], 2, "key"),
        (vec![connect(), connect()], 2, "unavailable"),
        (vec![FetchError::status(503, None)], 2, "key"),
        (vec![FetchError::status(503, Some(SECOND))], 1, "unavailable"),
        (vec![FetchError::status(500, None)], 1, "unavailable"),
        (vec![FetchError::Timeout("slow".into())], 1, "unavailable"),
        (vec![FetchError::Tls("certificate".into())], 1, "unavailable"),
        (vec![FetchError::TooLarge], 1, "unavailable"),
    ];
    for (errors, fetches, expected) in cases {
        let (w, shown) = (world(), format!("{errors:?}"));
        w.issuer.publish(&[&key("a")]);
        errors.into_iter().for_each(|error| w.issuer.fail_once(error));
        assert_eq!((ask(&w.keys, "a").await, w.issuer.fetches()), (expected, fetches), "{shown}");
    }
}

#[tokio::test]
async fn a_process_that_slept_joins_one_refresh_before_the_old_keys_serve() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    w.keys.ready().await.expect("keys");
    w.issuer.publish(&[&new]);
    // Suspended: the world went on, and the timers did not.
    w.clock.set(START + 1200);
    assert!(!w.keys.trusts(&old.verifying_key().identity()), "no verdict stands before somebody has looked");
    assert!(w.keys.key_now(&wanted("old")).is_none(), "nor is a key given");
    assert_eq!(ask(&w.keys, "old").await, "not found");
    assert_eq!(w.issuer.fetches(), 2);
    // And again, with an issuer that is down: the old keys serve once somebody has tried.
    w.issuer.fail();
    w.clock.set(START + 2400);
    assert_eq!(ask(&w.keys, "new").await, "key");
    assert!(has_now(&w.keys, "new"));
    assert_eq!(w.issuer.fetches(), 3);
    // Suspended for longer than the bound.
    w.clock.set(START + 24 * 3600);
    assert_eq!(ask(&w.keys, "new").await, "unavailable");
}

#[tokio::test]
async fn a_clock_that_is_put_back_or_ahead_stops_nothing() {
    let w = world();
    let (old, new) = (key("old"), key("new"));
    w.issuer.publish(&[&old]);
    w.keys.ready().await.expect("keys");
    w.clock.set(START - 3600);
    assert!(has_now(&w.keys, "old"));
    w.issuer.publish(&[&new]);
    w.clock.pass(541 * SECOND).await;
    assert!(has_now(&w.keys, "new"), "refreshed on time");
    w.clock.set(START + 10 * 365 * 24 * 3600);
    assert_eq!(ask(&w.keys, "new").await, "key", "fetched anew");
    assert_eq!(w.keys.health().state, KeysState::Fresh);
}

#[tokio::test]
async fn a_new_document_ends_what_was_remembered_of_the_old() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    w.keys.ready().await.expect("keys");
    assert_eq!(ask(&w.keys, "b").await, "not found");
    assert_eq!(ask(&w.keys, "b").await, "not found");
    assert_eq!(w.issuer.fetches(), 2, "remembered");
    w.issuer.publish(&[&key("a"), &key("c")]);
    w.clock.advance(SECOND);
    w.keys.refresh_now().await.expect("a refresh");
    assert_eq!(ask(&w.keys, "b").await, "not found");
    assert_eq!(w.issuer.fetches(), 4, "looked for anew");
}

#[tokio::test]
async fn a_clock_without_a_monotonic_time_may_be_put_back() {
    #[derive(Clone, Debug)]
    struct Wall(Arc<Mutex<u64>>);
    impl Clock for Wall {
        fn now(&self) -> std::time::SystemTime {
            std::time::UNIX_EPOCH + Duration::from_secs(*self.0.lock().expect("lock"))
        }
    }
    let (clock, issuer) = (Wall(Arc::new(Mutex::new(START))), Issuer::default());
    let keys = JwksProvider::url("https://issuer.example/jwks").fetch(issuer.clone()).clock(clock.clone()).build();
    let keys = keys.expect("a provider");
    issuer.publish(&[&key("old")]);
    keys.ready().await.expect("keys");
    issuer.publish(&[&key("new")]);
    *clock.0.lock().expect("lock") = START - 24 * 3600;
    assert!(has_now(&keys, "old"));
    settle().await;
    assert!(has_now(&keys, "new"), "a refresh that seems a day away is due");
}

#[tokio::test(start_paused = true)]
async fn no_look_up_waits_longer_than_it_may() {
    let waited = async |keys: &JwksProvider, id: &str| {
        let since = tokio::time::Instant::now();
        let answer = ask(keys, id).await;
        (answer, since.elapsed().as_secs())
    };
    let w = world();
    let gate = w.issuer.hold();
    assert_eq!(waited(&w.keys, "a").await, ("unavailable", 5), "for the first keys of all");
    w.issuer.publish(&[&key("a")]);
    *w.issuer.0.hold.lock().expect("lock") = None;
    gate.notify_waiters();
    settle().await;
    assert_eq!(waited(&w.keys, "a").await, ("key", 0));
    let _gate = w.issuer.hold();
    assert_eq!(waited(&w.keys, "b").await, ("not found", 1), "for a refresh of its own");
    assert_eq!(waited(&w.keys, "c").await, ("not found", 1), "for one under way");
    assert_eq!((w.told.count("fetched"), w.told.count("joined")), (1, 1), "which the gate is not asked for");
    w.clock.set(START + 700);
    assert_eq!(waited(&w.keys, "a").await, ("key", 1), "past the time to live");
    assert_eq!(waited(&w.keys, "d").await, ("unavailable", 1), "and not for the same one again");
}

#[tokio::test]
async fn the_application_can_refresh_now_but_not_more_than_once_a_second() {
    let w = world();
    w.issuer.fail();
    assert!(w.keys.refresh_now().await.is_err());
    w.issuer.publish(&[&key("a")]);
    assert!(w.keys.refresh_now().await.is_err(), "how the last one ended");
    assert_eq!(w.issuer.fetches(), 1);
    w.clock.advance(SECOND);
    w.keys.refresh_now().await.expect("whatever the backoff says");
    for _ in 0..100 {
        w.keys.refresh_now().await.expect("how the last one ended");
    }
    assert_eq!(w.issuer.fetches(), 2);
    assert!(w.told.words().contains(&"request new=true generation=1 1+0".to_owned()));
}

#[test]
fn a_refresh_that_nobody_could_make_is_no_success() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    assert_eq!(ask_elsewhere(&w.keys, "a"), "key");
    w.clock.advance(2 * SECOND);
    // Outside a runtime there is nothing to wait for.
    let mut refreshing = std::pin::pin!(w.keys.refresh_now());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(matches!(refreshing.as_mut().poll(&mut context), std::task::Poll::Ready(Err(_))));
    // On a runtime that nobody drives a refresh never ends: whoever joins it waits for as long as one may take.
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    {
        let _entered = idle.enter();
        let landings = w.keys.refresher.landings();
        assert!(w.keys.refresher.start(RefreshTrigger::Request, landings).is_some());
    }
    let driven = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let refreshed = driven.expect("a runtime").block_on(w.keys.refresh_now());
    assert!(refreshed.is_err());
    assert_eq!(w.issuer.fetches(), 1);
    drop(idle);
}

#[test]
fn outside_a_runtime_the_reason_is_told() {
    let w = world();
    let wanted = wanted("a");
    let mut asking = std::pin::pin!(w.keys.key(&wanted));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(KeyProviderError::Unavailable(unavailable))) = asking.as_mut().poll(&mut context)
    else {
        panic!("unavailable at once");
    };
    let source = unavailable.source.expect("a source").to_string();
    assert_eq!(source, "there is no tokio runtime to fetch on");
}

#[test]
fn a_keeper_that_died_with_its_runtime_is_followed_by_another() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    assert_eq!(ask_elsewhere(&w.keys, "a"), "key");
    w.issuer.publish(&[&key("b")]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        assert_eq!(ask(&w.keys, "b").await, "key", "a refresh that was started here");
        w.issuer.publish(&[&key("c")]);
        w.clock.pass(541 * SECOND).await;
        assert!(has_now(&w.keys, "c"), "and one that nobody asked for");
    });
}

#[tokio::test]
async fn an_alarm_that_goes_off_early_is_set_anew() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    w.keys.ready().await.expect("keys");
    w.keys.refresher.settings.alarm.set(Some(Duration::ZERO));
    w.clock.pass(400 * SECOND).await;
    assert_eq!(w.issuer.fetches(), 1, "nothing was due");
    w.clock.pass(141 * SECOND).await;
    assert_eq!(w.issuer.fetches(), 2);
}

/// Answers one after the other, each held back until it is let go, whatever has happened meanwhile.
#[derive(Clone, Debug, Default)]
struct OneByOne(Arc<Mutex<Vec<(String, Arc<Notify>)>>>);
impl OneByOne {
    fn then(&self, keys: &[&SigningKey]) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        self.0.lock().expect("lock").push((document(keys), gate.clone()));
        gate
    }
}
#[async_trait]
impl JwksFetch for OneByOne {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let (document, gate) = self.0.lock().expect("lock").remove(0);
        // A task that is told to end while it does not wait ends later, or not at all.
        let answer = tokio::spawn(async move { gate.notified().await });
        answer.await.expect("no panic");
        Ok(Fetched::new(document))
    }
}

#[tokio::test]
async fn an_answer_that_was_asked_for_before_the_question_does_not_settle_it() {
    let (a, b) = (key("a"), key("b"));
    let (clock, answers) = (FakeClock::at(START), OneByOne::default());
    let keys = JwksProvider::url("https://issuer.example/jwks").fetch(answers.clone()).clock(clock.clone()).build();
    let keys = Arc::new(keys.expect("a provider"));
    let [early, late] = [answers.then(&[&a]), answers.then(&[&a, &b])];
    let asking = |id: &'static str| {
        let keys = keys.clone();
        tokio::spawn(async move { ask(&keys, id).await })
    };
    let first = asking("a");
    settle().await;
    clock.advance(SECOND);
    let second = asking("b");
    settle().await;
    early.notify_one();
    late.notify_one();
    assert_eq!(first.await.expect("no panic"), "key");
    assert_eq!(second.await.expect("no panic"), "key", "a second look, because the first document was older");
    // The same where there are keys already.
    let c = key("c");
    clock.advance(5 * SECOND);
    let [early, late] = [answers.then(&[&a]), answers.then(&[&a, &c])];
    let first = asking("nobody");
    settle().await;
    clock.advance(SECOND);
    let second = asking("c");
    settle().await;
    early.notify_one();
    late.notify_one();
    assert_eq!(first.await.expect("no panic"), "not found");
    assert_eq!(second.await.expect("no panic"), "key", "a second look here too");
}

#[tokio::test]
async fn a_document_that_is_sent_again_unchanged_is_not_read_again() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    w.keys.ready().await.expect("keys");
    let before = w.keys.refresher.snapshot.load_full().expect("a set");
    w.clock.advance(SECOND);
    w.keys.refresh_now().await.expect("a refresh");
    let after = w.keys.refresher.snapshot.load_full().expect("a set");
    assert!(Arc::ptr_eq(&before.keys, &after.keys) && after.answer > before.answer);
}

#[tokio::test]
async fn a_late_answer_of_a_refresh_that_was_given_up_brings_nothing_back() {
    let (old, new) = (key("old"), key("new"));
    let (clock, answers) = (FakeClock::at(START), OneByOne::default());
    let keys = JwksProvider::url("https://issuer.example/jwks").fetch(answers.clone()).clock(clock.clone()).build();
    let keys = keys.expect("a provider");
    let [late, prompt] = [answers.then(&[&old]), answers.then(&[&new])];
    assert!(keys.refresher.start(RefreshTrigger::Request, 0).is_some());
    settle().await;
    clock.advance(20 * SECOND);
    prompt.notify_one();
    keys.refresh_now().await.expect("the second one");
    late.notify_one();
    settle().await;
    assert!(has_now(&keys, "new") && !keys.trusts(&old.verifying_key().identity()));
    assert_eq!(keys.health().generation, 1);
}

#[tokio::test]
async fn an_outage_within_the_time_to_live_is_no_proof_that_a_key_is_unknown() {
    let w = world();
    w.issuer.answer(Fetched::new(document(&[&key("a")])).with_max_age(Some(3600 * SECOND)));
    w.keys.ready().await.expect("keys");
    w.issuer.fail();
    assert_eq!(ask(&w.keys, "b").await, "not found", "a failure for an unknown id says nothing of the schedule");
    assert_eq!(ask(&w.keys, "b").await, "not found");
    w.clock.pass(3599 * SECOND).await;
    assert_eq!(w.keys.health().state, KeysState::Fresh);
    assert_eq!((ask(&w.keys, "a").await, ask(&w.keys, "b").await), ("key", "unavailable"), "scheduled ones failed");
    w.issuer.publish(&[&key("a")]);
    w.clock.pass(61 * SECOND).await;
    assert_eq!((ask(&w.keys, "a").await, ask(&w.keys, "b").await), ("key", "not found"));
}

#[tokio::test]
async fn a_key_without_an_id_does_not_stand_in_while_nobody_can_look() {
    let plain = SigningKey::generate(Algorithm::ES256).expect("generate");
    let w = world();
    w.issuer.publish(&[&key("named"), &plain]);
    w.keys.ready().await.expect("keys");
    w.issuer.fail();
    w.clock.pass(1200 * SECOND).await;
    assert_eq!((ask(&w.keys, "named").await, ask(&w.keys, "rotated").await), ("key", "unavailable"));
}

#[tokio::test(start_paused = true)]
async fn starting_up_outlives_a_first_failure() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    w.issuer.fail_once(FetchError::status(500, None));
    let (ready, ()) = tokio::join!(w.keys.ready(), async {
        settle().await;
        w.clock.pass(2 * SECOND).await;
    });
    ready.expect("keys, at the second try");
    assert_eq!(w.issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_first_keys_of_a_closed_provider() {
    let w = world();
    w.keys.close();
    let since = tokio::time::Instant::now();
    assert!(w.keys.ready().await.is_err());
    assert_eq!(since.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_closed_provider_works_no_more_and_serves_what_it_has() {
    let w = world();
    w.issuer.publish(&[&key("a")]);
    w.keys.ready().await.expect("keys");
    let gate = w.issuer.hold();
    let keys = Arc::new(w.keys);
    let asking = tokio::spawn({
        let keys = keys.clone();
        async move { ask(&keys, "b").await }
    });
    settle().await;
    keys.close();
    assert_eq!(asking.await.expect("no panic"), "not found", "nobody waits for what was stopped");
    gate.notify_waiters();
    w.clock.pass(3599 * SECOND).await;
    assert_eq!((ask(&keys, "a").await, ask(&keys, "c").await), ("key", "unavailable"));
    w.clock.pass(SECOND).await;
    assert_eq!(ask(&keys, "a").await, "unavailable");
    assert!(keys.refresh_now().await.is_err());
    assert_eq!((w.issuer.fetches(), keys.health().state), (2, KeysState::Closed));
}

#[tokio::test]
async fn health_says_what_is_the_matter() {
    let w = world();
    assert_eq!(w.keys.health().state, KeysState::Empty);
    let gate = w.issuer.hold();
    let keys = Arc::new(w.keys);
    let asking = tokio::spawn({
        let keys = keys.clone();
        async move { keys.ready().await.is_ok() }
    });
    settle().await;
    assert_eq!(keys.health().state, KeysState::Warming);
    w.issuer.say(&document(&[&key("a")]).replace("]}", r#",{"kty":"oct","k":"AAAA"}]}"#));
    *w.issuer.0.hold.lock().expect("lock") = None;
    gate.notify_waiters();
    assert!(asking.await.expect("no panic"));
    for _ in 0..100 {
        w.issuer.fail_once(FetchError::Transport("a\r\nforged: line".into()));
    }
    w.clock.pass(541 * SECOND).await;
    let health = serde_json::to_value(keys.health()).expect("JSON");
    let expected = serde_json::json!({
        "provider": "main", "state": "fresh", "ready": true, "time_to_live_seconds": 600, "generation": 1,
        "usable": [{"key_id": "a", "algorithm": "ES256"}],
        "quarantined": [{"index": 1, "reason": "a private or symmetric key stands where only public keys belong"}],
        "last_error": "the document could not be fetched: the request failed: a  forged: line",
        "unknown_keys_let_through": 0, "unknown_keys_turned_away": 0,
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&health[name], value, "{name}");
    }
    assert!(health["age_seconds"].as_u64().is_some_and(|age| (420..=541).contains(&age)), "{health}");
    assert!(health["next_refresh_in_seconds"].as_u64() <= Some(60), "{health}");
}

#[tokio::test]
async fn health_tells_when_nothing_is_there_when_it_is_fetched_and_when_it_will_be() {
    let w = world();
    let told = || {
        let health = w.keys.health();
        (health.state, health.ready, health.next_refresh_in_seconds.is_some(), health.failures)
    };
    assert_eq!(told(), (KeysState::Empty, false, false, 0));
    assert_eq!(ask(&w.keys, "a").await, "unavailable");
    assert_eq!(told(), (KeysState::Dead, false, true, 1));
    w.issuer.publish(&[&key("a")]);
    w.clock.advance(2 * SECOND);
    w.keys.refresh_now().await.expect("a refresh");
    assert_eq!(told(), (KeysState::Fresh, true, true, 0));
    let gate = w.issuer.hold();
    w.clock.advance(2 * SECOND);
    let refreshing = async { w.keys.refresh_now().await.is_ok() };
    let watching = async {
        settle().await;
        let told = told();
        gate.notify_waiters();
        told
    };
    assert_eq!(tokio::join!(refreshing, watching), (true, (KeysState::Refreshing, true, true, 0)));
    w.keys.close();
    assert_eq!(told(), (KeysState::Closed, true, false, 0), "nothing will be fetched");
}

#[tokio::test]
async fn what_happens_is_told() {
    let w = world_with(|builder| builder.alert_threshold(2));
    w.issuer.publish(&[&key("a")]);
    assert_eq!(ask(&w.keys, "a").await, "key");
    assert_eq!(w.told.words(), ["start new=true generation=1 1+0"]);
    for id in ["b", "b", "c", "d", "e"] {
        assert_eq!(ask(&w.keys, id).await, "not found");
    }
    let again = "unknown_key new=false generation=1 1+0";
    let expected = [again, "fetched", "remembered", again, "fetched", "throttled", "alert 2", "throttled"];
    assert_eq!(w.told.words(), expected);
    let health = w.keys.health();
    assert_eq!((health.unknown_keys_let_through, health.unknown_keys_turned_away), (2, 2));
    w.issuer.say("<html>");
    w.clock.advance(600 * SECOND);
    assert_eq!(ask(&w.keys, "a").await, "key");
    assert_eq!(w.told.words(), ["schedule failed: document", "stale from main"]);
}

#[tokio::test]
async fn a_file_is_read_again_when_it_was_replaced() {
    let path = std::env::temp_dir().join(format!("countersign-watched-{}.json", std::process::id()));
    let clock = FakeClock::at(START);
    let keys = JwksProvider::file(&path).clock(clock.clone()).build().expect("a provider");
    assert_eq!(ask(&keys, "a").await, "unavailable", "there is no file");
    let (a, b) = (key("a"), key("b"));
    std::fs::write(&path, document(&[&a])).expect("write");
    clock.pass(2 * SECOND).await;
    assert_eq!(ask(&keys, "a").await, "key");
    std::fs::write(&path, document(&[&a, &b])).expect("write");
    assert_eq!(ask(&keys, "b").await, "key", "an unknown id is looked for");
    std::fs::write(&path, document(&[&b])).expect("write");
    clock.pass(10 * SECOND).await;
    assert_eq!((has_now(&keys, "a"), has_now(&keys, "b")), (false, true), "within its time to live");
    std::fs::write(&path, "half a docu").expect("write");
    clock.pass(60 * SECOND).await;
    assert_eq!(ask(&keys, "b").await, "key", "what cannot be read replaces nothing");
    std::fs::write(&path, " ".repeat(200 * 1024)).expect("write");
    clock.pass(60 * SECOND).await;
    std::fs::remove_file(&path).expect("remove");
    assert!(keys.health().last_error.is_some_and(|error| error.contains("too large")));
}

/// Answers by URL, each document by the name `"1"`; what has no answer is 404.
#[derive(Clone, Debug, Default)]
struct Documents(Arc<Mutex<Vec<(&'static str, Result<String, u16>)>>>, Arc<Mutex<Vec<String>>>);
impl Documents {
    fn set(&self, documents: Vec<(&'static str, Result<String, u16>)>) {
        *self.0.lock().expect("lock") = documents;
    }
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.1.lock().expect("lock"))
    }
}
#[async_trait]
impl JwksFetch for Documents {
    fn check(&self, url: &str) -> Result<(), ConfigError> {
        if url.starts_with("https:") { Ok(()) } else { Err(ConfigError::new("url", "not https")) }
    }
    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let named = if request.validators.is_some() { " by name" } else { "" };
        self.1.lock().expect("lock").push(request.url.replace("https://a.example", "") + named);
        let documents = self.0.lock().expect("lock").clone();
        let found = documents.into_iter().find(|(url, _)| *url == request.url).map_or(Err(404), |(_, answer)| answer);
        let name = Validators::new(Some("\"1\"".into()), None);
        found.map(|body| Fetched::new(body).with_validators(name)).map_err(|status| FetchError::status(status, None))
    }
}

fn metadata(issuer: &str, jwks_uri: &str) -> Result<String, u16> {
    Ok(format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#))
}

const OPENID: &str = "https://a.example/t/.well-known/openid-configuration";
const OAUTH: &str = "https://a.example/.well-known/oauth-authorization-server/t";
const KEYS: &str = "https://a.example/keys";
const ISSUER: &str = "https://a.example/t";

#[tokio::test]
async fn metadata_has_two_forms_and_is_kept_for_a_day() {
    let (clock, documents) = (FakeClock::at(START), Documents::default());
    let keys = JwksProvider::discover(ISSUER).fetch(documents.clone()).clock(clock.clone()).build();
    let keys = keys.expect("a provider");
    documents.set(vec![(OAUTH, metadata(ISSUER, KEYS)), (KEYS, Ok(document(&[&key("a")])))]);
    assert_eq!(ask(&keys, "a").await, "key");
    let [openid, oauth] = ["/t/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/t"];
    assert_eq!(documents.asked(), [openid, oauth, "/keys"]);
    // The keys move, and the metadata knows where to.
    let moved = "https://a.example/moved";
    documents.set(vec![(OPENID, metadata(ISSUER, moved)), (moved, Ok(document(&[&key("b")])))]);
    clock.pass(541 * SECOND).await;
    assert!(has_now(&keys, "b"));
    assert_eq!(documents.asked(), ["/keys by name", openid, "/moved"], "the name is the other document's");
    // Metadata that cannot be had says nothing against what it said before.
    documents.set(vec![(OPENID, Err(500)), (moved, Ok(document(&[&key("c")])))]);
    clock.pass(25 * 3600 * SECOND).await;
    assert!(has_now(&keys, "c"));
    let asked = documents.asked();
    let of_metadata = asked.iter().filter(|url| *url == openid).count();
    assert!((5..=18).contains(&of_metadata), "{of_metadata} of {}", asked.len());
    // A failing key document is no reason to doubt the metadata.
    documents.set(vec![(OPENID, metadata(ISSUER, moved)), (moved, Err(500))]);
    clock.pass(700 * SECOND).await;
    documents.asked();
    clock.pass(70 * SECOND).await;
    assert!(documents.asked().iter().all(|url| url == "/moved by name"));
    // Metadata that was read a moment ago is not what is fallen back to: its keys have just been asked for.
    documents.set(vec![(OPENID, Err(500))]);
    clock.pass(70 * SECOND).await;
    let asked = documents.asked();
    let count = |name: &str| asked.iter().filter(|url| *url == name).count();
    assert!(count(openid) > 0, "{asked:?}");
    assert_eq!(count("/moved by name"), count(openid), "{asked:?}");
}

#[tokio::test]
async fn metadata_is_asked_for_again_when_it_is_a_day_old() {
    let (clock, documents) = (FakeClock::at(START), Documents::default());
    let keys = JwksProvider::discover(ISSUER).fetch(documents.clone()).clock(clock.clone()).build();
    let keys = keys.expect("a provider");
    documents.set(vec![(OPENID, metadata(ISSUER, KEYS)), (KEYS, Ok(document(&[&key("a")])))]);
    keys.ready().await.expect("keys");
    let day = 24 * 3600;
    for (at, asks) in [(day - 1, false), (day, true), (2 * day - 1, false), (2 * day, true)] {
        // Time goes by for the clock alone, so that no refresh comes of itself.
        clock.advance(Duration::from_secs(at) - clock.monotonic());
        documents.asked();
        keys.refresh_now().await.expect("a refresh");
        assert_eq!(documents.asked().len() == 2, asks, "{at}");
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_or_with_a_forbidden_url_gives_no_keys() {
    for (answer, kind) in [
        (metadata("https://a.example/t/", KEYS), "discovery"),
        (metadata("https://b.example/t", KEYS), "discovery"),
        (metadata(ISSUER, "http://a.example/keys"), "url"),
        (metadata(ISSUER, "file:///etc/passwd"), "url"),
        (Ok("{}".to_owned()), "discovery"),
        (Err(500), "status"),
    ] {
        let (documents, told) = (Documents::default(), Told::default());
        let keys = JwksProvider::discover(ISSUER).fetch(documents.clone()).observer(told.clone()).build();
        documents.set(vec![(OPENID, answer.clone()), (KEYS, Ok(document(&[&key("a")])))]);
        assert_eq!(ask(&keys.expect("a provider"), "a").await, "unavailable", "{answer:?}");
        assert_eq!(told.words(), [format!("start failed: {kind}")], "{answer:?}");
        assert!(!documents.asked().contains(&"/keys".to_owned()), "{answer:?}");
    }
}

#[tokio::test]
async fn an_issuer_that_was_named_answers_for_itself_with_and_without_a_slash() {
    let documents = Documents::default();
    documents.set(vec![("https://a.example/t/.well-known/jwks.json", Ok(document(&[&key("a")])))]);
    for named in ["https://a.example/t", "https://a.example/t/"] {
        let keys = JwksProvider::issuer(named).fetch(documents.clone()).build().expect("a provider");
        for (issuer, is_its_own) in [
            ("https://a.example/t", true),
            ("https://a.example/t/", true),
            ("https://a.example/", false),
            ("https://b.example/t", false),
        ] {
            let answer = keys.key(&wanted("a").with_issuer(Some(issuer))).await;
            assert_eq!(answer.is_ok(), is_its_own, "{named} for {issuer}");
        }
    }
}

#[test]
fn what_is_shown_holds_no_secret_of_the_settings() {
    let keys = JwksProvider::url("https://issuer.example/jwks?api_key=hunter3").fetch(Issuer::default());
    assert!(!format!("{keys:?}").contains("hunter3"));
    let keys = keys.build().expect("a provider");
    assert!(!format!("{keys:?}").contains("hunter3"));
}

#[cfg(feature = "http")]
#[test]
fn a_url_that_is_not_asked_stands_in_the_error_with_the_setting_and_without_secrets() {
    for (builder, error) in [
        (
            JwksProvider::discover("http://127.0.0.1:3000"),
            "`discover`: `http://127.0.0.1:3000/.well-known/openid-configuration`: not https, which \
             `.allow_http_on_loopback()` allows for this machine",
        ),
        (
            JwksProvider::issuer("http://a.example/t/"),
            "`issuer`: `http://a.example/t/.well-known/jwks.json`: not https",
        ),
        (JwksProvider::url("http://a.example/jwks?key=hunter3"), "`url`: `http://a.example/jwks`: not https"),
        (
            JwksProvider::url("https://ada:hunter3@a.example/jwks#hunter3"),
            "`url`: `https://a.example/jwks`: has a user, a password or a fragment",
        ),
    ] {
        // A machine without certificate authorities has no client for the public.
        let told = builder.build().expect_err(error).to_string();
        assert!(told == error || told.contains("TLS"), "{told}");
    }
}

#[test]
fn settings_that_make_no_sense_name_themselves() {
    let url = || JwksProvider::url("https://issuer.example/jwks").fetch(Issuer::default());
    let mut cases = vec![
        (JwksProvider::url("nonsense").fetch(Issuer::default()), "url"),
        (JwksProvider::discover("https://a.example/?q").fetch(Issuer::default()), "discover"),
        (url().time_to_live(Duration::from_secs(59)), "time_to_live"),
        (url().time_to_live(Duration::from_secs(3601)), "time_to_live"),
        (url().max_stale(Duration::from_secs(90_000)), "max_stale"),
        (url().time_to_live(Duration::from_secs(3)), "time_to_live"),
        (url().max_bytes(0), "max_bytes"),
        (url().max_bytes(2 * 1024 * 1024), "max_bytes"),
        (url().alert_threshold(0), "alert_threshold"),
        (url().name(""), "name"),
        (url().name("a\nb"), "name"),
        (JwksProvider::file("keys.json").fetch(Issuer::default()), "fetch"),
        (JwksProvider::file(""), "file"),
        (JwksProvider::issuer("https://a.example/?q").fetch(Issuer::default()), "issuer"),
        (JwksProvider::issuer("https://a.example/#f").fetch(Issuer::default()), "issuer"),
        (JwksProvider::file("keys.json").time_to_live(Duration::ZERO), "time_to_live"),
    ];
    #[cfg(feature = "http")]
    cases.extend([
        (JwksProvider::url("http://127.0.0.1/jwks").allow_private_addresses(), "url"),
        (JwksProvider::url("http://issuer.example/jwks").allow_http_on_loopback(), "url"),
        (url().allow_private_addresses(), "fetch"),
    ]);
    #[cfg(not(feature = "http"))]
    cases.push((JwksProvider::url("https://issuer.example/jwks"), "fetch"));
    for (builder, setting) in cases {
        let error = builder.build().expect_err(setting);
        // A machine without certificate authorities fails earlier, at the client.
        assert!(error.setting() == setting || error.setting() == "fetch", "{error}");
    }
    for builder in [
        url().time_to_live(Duration::from_secs(60)),
        url().time_to_live(Duration::from_secs(3600)),
        url().max_stale(Duration::from_secs(86_400)),
        url().max_bytes(1024 * 1024),
        JwksProvider::file("keys.json").time_to_live(SECOND),
    ] {
        let shown = format!("{builder:?}");
        assert!(builder.build().is_ok(), "{shown}");
    }
    assert!(StaticKeys::from_jwks("{}").is_err());
}
