mod rounds;

use super::super::look::is_older;
use super::super::tests::shared;
use super::*;
use crate::{FetchError, FetchRequest, Fetched, JwksFetch, JwksProvider};
use countersign::jwk::JwkSet;
use countersign::observe::Observer;
use countersign::{Algorithm, ConfigError, SigningKey, async_trait};
use countersign_testkit::clock::FakeClock;
use std::sync::atomic::{AtomicUsize, Ordering};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: u64 = 60_000;
const START: u64 = 1_800_000_000;
/// In milliseconds since 1970.
const NOW: u64 = START * 1000;
const KEYS: &str = "https://a.example/keys";

/// It asks nothing but HTTPS, and nobody answers.
#[derive(Debug)]
struct Nobody;
#[async_trait]
impl JwksFetch for Nobody {
    fn check(&self, url: &str) -> Result<(), ConfigError> {
        if url.starts_with("https:") { Ok(()) } else { Err(ConfigError::new("url", "not https")) }
    }
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        Err(FetchError::status(500, None))
    }
}

fn provider() -> (JwksProvider, FakeClock) {
    let clock = FakeClock::at(START);
    let keys = JwksProvider::discover("https://a.example").fetch(Nobody).clock(clock.clone()).build();
    (keys.expect("a provider"), clock)
}

fn body() -> Bytes {
    let key = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("a").expect("a kid");
    let set: JwkSet = key.verifying_key().jwk().into_iter().collect();
    serde_json::to_vec(&set).expect("JSON").into()
}

fn head(order: u64) -> Head {
    Head {
        order,
        fetched_at: NOW,
        age: 0,
        least_age: 0,
        url: None,
        etag: None,
        last_modified: None,
        max_age: None,
        metadata_age: None,
    }
}

/// An entry that was just written, as one finds it.
fn found(document: Option<Document>, claim: Option<u64>) -> Found {
    let claim = claim.map(|order| Claim { owner: "another".to_owned(), order });
    let entry = Entry { written_at: NOW, kept_for: 60 * MINUTE, document, claim, pause: None, debt: 0 };
    Found { raw: Some(Bytes::new()), entry: Some(entry), expires_in: None }
}

#[test]
fn what_stands_there_and_cannot_be_read_is_forged() {
    let nothing = || Found { raw: None, entry: None, expires_in: None };
    let (keys, clock) = provider();
    let now = Moment::now(&clock);
    let forged = Found { raw: Some(Bytes::new()), ..nothing() };
    for (found, outcome) in [(nothing(), None), (forged, Some(SharedKeysOutcome::Forged)), (found(None, None), None)] {
        assert_eq!(found.is_forged(), outcome.is_some());
        assert_eq!(
            keys.refresher.later(&found, now).map(|snapshot| snapshot.is_some()),
            outcome.map_or(Ok(false), Err)
        );
    }
}

#[test]
fn of_what_is_there_that_alone_is_taken_which_was_fetched_later_and_may_serve() {
    let ahead = NOW + millis(crate::jwks::refresh::MAX_SKEW);
    let whole = body();
    let hour = 60 * MINUTE;
    // The order of what is in use and how old it is at least, that of what is found, its ages by the clocks and by the store,
    // and what comes of it.
    let cases = [
        (None, (10, 0, 0), Ok(true)),
        (None, (ahead, 0, 0), Ok(true)),
        (None, (ahead + 1, 0, 0), Err(SharedKeysOutcome::Future)),
        (None, (10, hour - 1, 0), Ok(true)),
        (None, (10, hour, 0), Ok(false)),
        (Some((10, 5)), (11, 0, 0), Ok(true)),
        (Some((10, 5)), (10, 0, 0), Ok(false)),
        (Some((10, 5)), (9, 0, 0), Err(SharedKeysOutcome::Outdated)),
        (Some((10, 5)), (11, 0, 5), Ok(true)),
        (Some((10, 5)), (11, 0, 6), Err(SharedKeysOutcome::Outdated)),
        (Some((ahead + 1, 5)), (9, 0, 0), Ok(true)),
    ];
    for (current, (order, age, least_age), expected) in cases {
        let shown = format!("{current:?} {order} {age} {least_age}");
        let (keys, clock) = provider();
        let (refresher, now) = (&keys.refresher, Moment::now(&clock));
        let other = |body| found(Some(Document { head: Head { age, least_age, ..head(order) }, body }), None);
        if let Some((order, least_age)) = current {
            let in_use = found(Some(Document { head: head(order.min(ahead)), body: body() }), None);
            let in_use = refresher.later(&in_use, now).ok().flatten().expect("a set");
            let had_least_age = Duration::from_millis(least_age);
            refresher.snapshot.store(Some(Arc::new(Snapshot { order, had_least_age, ..in_use })));
        }
        let taken = refresher.later(&other(whole.clone()), now);
        assert_eq!(taken.as_ref().map(Option::is_some).map_err(|outcome| *outcome), expected, "{shown}");
        if let Ok(Some(snapshot)) = taken {
            let ages = (millis(snapshot.age(now)), millis(snapshot.least_age(now)), snapshot.order);
            assert_eq!(ages, (age, least_age, order), "{shown}");
            assert!(!snapshot.is_own && snapshot.is_claimed && snapshot.body == whole && snapshot.keys.len() == 1);
            let unusable = refresher.later(&other(Bytes::from_static(b"{}")), now);
            assert_eq!(unusable.err(), Some(SharedKeysOutcome::Unusable), "{shown}");
        }
    }
}

#[test]
fn what_is_found_older_by_the_stores_clock_may_be_replaced() {
    let (keys, clock) = provider();
    let now = Moment::now(&clock);
    let aged = |least_age| found(Some(Document { head: Head { least_age, ..head(10) }, body: body() }), None);
    let current = keys.refresher.later(&aged(5), now).ok().flatten().expect("a set");
    for (least_age, expected) in [(4, false), (5, false), (6, true)] {
        assert_eq!(is_older(&aged(least_age), &current, now), expected, "{least_age}");
    }
    assert!(!is_older(&found(None, Some(11)), &current, now), "nothing is known of its age");
    assert!(!is_older(&Found { raw: None, entry: None, expires_in: None }, &current, now));
}

#[test]
fn the_last_order_is_that_of_the_document_or_of_the_claim_unless_it_comes_from_the_future() {
    let (keys, _clock) = provider();
    let ahead = NOW + millis(crate::jwks::refresh::MAX_SKEW);
    for (document, claim, known) in [
        (None, None, None),
        (Some(7), None, Some(7)),
        (None, Some(8), Some(8)),
        (Some(7), Some(8), Some(8)),
        (Some(9), Some(8), Some(9)),
        (Some(9), Some(ahead), Some(ahead)),
        (Some(9), Some(ahead + 1), Some(9)),
        (Some(ahead + 1), None, None),
    ] {
        let document = document.map(|order| Document { head: head(order), body: Bytes::new() });
        let shown = format!("{document:?} {claim:?}");
        assert_eq!(keys.refresher.known_order(&found(document, claim)), known, "{shown}");
    }
    assert_eq!(keys.refresher.known_order(&Found { raw: None, entry: None, expires_in: None }), None);
}

#[test]
fn a_fresh_set_that_came_meanwhile_is_told_by_its_order() {
    let (keys, clock) = provider();
    let (refresher, now) = (&keys.refresher, Moment::now(&clock));
    assert!(!refresher.has_fresh_after(None, now));
    let document = Document { head: head(10), body: body() };
    let snapshot = refresher.later(&found(Some(document), None), now).ok().flatten().expect("a set");
    let stale = Moment { monotonic: now.monotonic + snapshot.time_to_live, ..now };
    refresher.snapshot.store(Some(Arc::new(snapshot)));
    for (before, now, expected) in [
        (None, now, true),
        (Some(9), now, true),
        (Some(10), now, false),
        (Some(11), now, false),
        (Some(9), stale, false),
    ] {
        assert_eq!(refresher.has_fresh_after(before, now), expected, "{before:?} {now:?}");
    }
}

#[test]
fn an_entry_is_kept_for_as_long_as_its_document_may_serve() {
    let (keys, clock) = provider();
    let now = Moment::now(&clock);
    let hour = 60 * MINUTE;
    // What the server said, the age, and how long it is kept: the time to live, and 50 minutes.
    for (max_age, age, kept_for) in [
        (None, 0, hour),
        (Some(20 * MINUTE), 0, 70 * MINUTE),
        (None, 20 * MINUTE, 40 * MINUTE),
        (None, hour - 2 * MINUTE - 1, 2 * MINUTE + 1),
        (None, hour, 2 * MINUTE),
        (None, 2 * hour, 2 * MINUTE),
    ] {
        let document = Document { head: Head { age, max_age, ..head(10) }, body: Bytes::new() };
        let entry = keys.refresher.entry(now, Some(document));
        assert_eq!((entry.kept_for, entry.written_at), (kept_for, NOW), "{max_age:?} {age}");
    }
    assert_eq!(keys.refresher.entry(now, None).kept_for, 2 * MINUTE);
    let (written_at, raw) = (now.monotonic, Bytes::new());
    let lease = Lease { owner: String::new(), value: Bytes::new(), renewals: 0 };
    let claimed = Claimed { lease, raw, order: 1, entry: keys.refresher.entry(now, None), written_at };
    for (passes, left) in [(0, 120), (50, 70), (70, 0), (1, 0)] {
        clock.advance(passes * SECOND);
        assert_eq!(claimed.expires_in(Moment::now(&clock)), left * SECOND, "{passes}");
    }
}

#[test]
fn what_unknown_key_ids_have_cost_is_bounded() {
    let (keys, _clock) = provider();
    for (debt, counts) in [(0, 0), (7_000, 7_000), (10_000, 10_000), (10_001, 10_000), (u64::MAX, 10_000)] {
        let mut found = found(None, None);
        found.entry.as_mut().expect("an entry").debt = debt;
        assert_eq!(millis(keys.refresher.debt(&found)), counts, "{debt}");
    }
    assert_eq!(keys.refresher.debt(&Found { raw: None, entry: None, expires_in: None }), Duration::ZERO);
}

#[test]
fn the_younger_metadata_is_kept_and_told_where_they_are_a_place_alone() {
    let (keys, clock) = provider();
    clock.advance(10 * SECOND);
    let (refresher, now) = (&keys.refresher, Moment::now(&clock));
    let (moved, secret) = ("https://a.example/moved", "https://a.example/keys?key=hunter3");
    let hear = |url: &str, age: u64| {
        let head = Head { url: Some(url.to_owned()), metadata_age: Some(age), ..head(10) };
        refresher.hear_of_metadata(&head, now, SECOND);
        let known = refresher.state().discovered.clone();
        known.map(|known| (known.url.clone(), millis(known.age(now.monotonic))))
    };
    assert_eq!(hear("http://a.example/keys", 0), None, "the client does not ask it");
    let mut is_known = Some((KEYS.to_owned(), 6_000));
    assert_eq!(hear(KEYS, 5_000), is_known);
    for age in [5_000, 5_001] {
        assert_eq!(hear(moved, age), is_known, "{age}");
    }
    is_known = Some((moved.to_owned(), 5_999));
    assert_eq!(hear(moved, 4_999), is_known);
    let document = Document { head: Head { url: Some(moved.to_owned()), ..head(10) }, body: body() };
    let snapshot = refresher.later(&found(Some(document), None), now).ok().flatten().expect("a set");
    let told = |snapshot: &Snapshot| {
        let head = refresher.document(snapshot, now).head;
        (head.url, head.metadata_age, head.order)
    };
    assert_eq!(told(&snapshot), (Some(moved.to_owned()), Some(5_999), 10));
    assert_eq!(told(&Snapshot { url: KEYS.to_owned(), ..snapshot.clone() }), (None, None, 10), "of other keys");
    assert_eq!(hear(secret, 0).map(|(url, _)| url).as_deref(), Some(secret));
    assert_eq!(told(&Snapshot { url: secret.to_owned(), ..snapshot }), (None, None, 10));
}

#[test]
fn a_place_alone_has_no_query_no_name_and_no_password() {
    for (url, is_alone) in [
        (KEYS, true),
        ("https://a.example:8443/t/keys", true),
        ("https://a.example/keys?", false),
        ("https://a.example/keys?key=1", false),
        ("https://ada@a.example/keys", false),
        ("https://:hunter3@a.example/keys", false),
        ("https://ada:hunter3@a.example/keys", false),
        ("keys", false),
    ] {
        assert_eq!(is_a_place_alone(url), is_alone, "{url}");
    }
}

/// A set in use that was claimed for all, of this order and so many milliseconds old by both clocks.
fn in_use(keys: &JwksProvider, now: Moment, order: u64, age: u64) -> Snapshot {
    let document = Document { head: Head { age, least_age: age, ..head(order) }, body: body() };
    keys.refresher.later(&found(Some(document), None), now).ok().flatten().expect("a set")
}

#[tokio::test]
async fn what_is_in_use_is_put_where_the_store_has_lost_it_or_has_gone_back() {
    let (keys, clock) = provider();
    let (refresher, now) = (&keys.refresher, Moment::now(&clock));
    let current = in_use(&keys, now, 10, 5);
    let alone = Snapshot { is_claimed: false, ..current.clone() };
    let stale = Snapshot { time_to_live: Duration::ZERO, ..current.clone() };
    // What is in use, the order and the age of what is found, and whether it is replaced.
    let cases = [
        (Some(&current), None, true),
        (Some(&alone), None, false),
        (Some(&stale), None, false),
        (None, None, false),
        (Some(&current), Some((9, 6)), true),
        (Some(&current), Some((9, 5)), false),
        (Some(&current), Some((10, 6)), false),
        (Some(&current), Some((11, 6)), false),
    ];
    for (current, there, is_mended) in cases {
        let (shared, _store) = shared();
        refresher.snapshot.store(current.cloned().map(Arc::new));
        if let Some((order, least_age)) = there {
            let document = Document { head: Head { least_age, ..head(order) }, body: body() };
            let entry = refresher.entry(now, Some(document));
            assert!(shared.swap(None, &entry).await.expect("a store").is_some());
        }
        let before = shared.find().await.expect("a store");
        refresher.mend(&shared, &before).await.expect("a store");
        let after = shared.find().await.expect("a store");
        assert_eq!(after.raw != before.raw, is_mended, "{current:?} {there:?}");
        let order = after.entry.and_then(|entry| Some(entry.document?.head.order));
        assert_eq!(order, if is_mended { Some(10) } else { there.map(|(order, _)| order) }, "{current:?} {there:?}");
    }
}

#[tokio::test]
async fn what_is_there_already_is_taken_and_what_is_amiss_is_told_once() {
    let (clock, told) = (FakeClock::at(START), Told::default());
    let keys = JwksProvider::discover("https://a.example").fetch(Nobody).clock(clock.clone()).observer(told.clone());
    let keys = keys.build().expect("a provider");
    let (refresher, now) = (&keys.refresher, Moment::now(&clock));
    let there = |age| found(Some(Document { head: Head { age, ..head(10) }, body: body() }), None);
    let settled = |found: &Found, before| refresher.settled(found, false, before, &mut None);
    let ten_minutes = 10 * MINUTE;
    assert!(settled(&there(ten_minutes), None).is_none(), "it is past its time to live");
    let snapshot = refresher.snapshot.load_full().expect("it serves meanwhile");
    assert_eq!((snapshot.order, snapshot.is_stale(now)), (10, true));
    refresher.snapshot.store(None);
    assert!(matches!(settled(&there(ten_minutes - 1), None), Some(Turn::Install(_))));
    refresher.snapshot.store(Some(Arc::new(in_use(&keys, now, 10, 0))));
    assert!(matches!(settled(&there(0), None), Some(Turn::Nothing)), "a look was faster");
    assert!(settled(&there(0), Some(10)).is_none());
    let mut paused = found(None, None);
    paused.entry.as_mut().expect("an entry").pause = Some(5_000);
    for (must_be_made, expected) in [(false, Some("pause")), (true, None)] {
        assert_eq!(refresher.settled(&paused, must_be_made, Some(10), &mut None).as_ref().map(word), expected);
    }
    let forged = || Found { raw: Some(Bytes::new()), entry: None, expires_in: None };
    let mut last = None;
    for _ in 0..2 {
        assert!(refresher.settled(&forged(), false, None, &mut last).is_none());
    }
    assert_eq!((last, told.0.load(Ordering::Relaxed)), (Some(SharedKeysOutcome::Forged), 1));
}

/// How often it was told what there is with what is shared.
#[derive(Clone, Debug, Default)]
struct Told(Arc<AtomicUsize>);
impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        if matches!(event, Event::SharedKeys { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_the_lease_is_waited_for_while_it_lives_unless_nothing_may_be_fetched() {
    use RefreshTrigger::{Schedule, UnknownKey};
    let period = millis(PERIOD);
    // Who asks, what is owed in milliseconds, whether another one has claimed the document, whether that one holds the lease,
    // and what is to be done.
    let cases = [
        (UnknownKey, 0, false, false, "fetch"),
        (UnknownKey, period, false, false, "fetch"),
        (UnknownKey, period + 1, false, false, "nothing"),
        (UnknownKey, period + 1, false, true, "nothing"),
        (UnknownKey, period + 1, true, true, "alone"),
        (UnknownKey, 0, false, true, "alone"),
        (Schedule, period + 1, false, false, "fetch"),
        (Schedule, period + 1, false, true, "alone"),
    ];
    for (trigger, debt, is_claimed, is_held, expected) in cases {
        let (keys, clock) = provider();
        let (refresher, now) = (&keys.refresher, Moment::now(&clock));
        let (shared, _store) = shared();
        let claim = is_claimed.then(|| Claim { owner: "another".to_owned(), order: 7 });
        let entry = Entry { claim, debt, ..refresher.entry(now, None) };
        assert!(shared.swap(None, &entry).await.expect("a store").is_some());
        let _lease = if is_held { shared.take_lease().await.expect("a store") } else { None };
        let turn = soon(refresher.turn(&shared, trigger, None)).await.expect("a store");
        assert_eq!(word(&turn), expected, "{trigger:?} {debt} {is_claimed} {is_held}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_is_waited_for_and_a_document_that_is_there_is_not() {
    let (keys, clock) = provider();
    let (refresher, now) = (&keys.refresher, Moment::now(&clock));
    let (shared, _store) = shared();
    let mut lease = shared.take_lease().await.expect("a store").expect("a lease");
    let lives = async {
        for _ in 0..6 {
            wait(SECOND).await;
            shared.renew(&mut lease).await.expect("a store");
        }
        shared.release(&lease).await.expect("a store");
    };
    let (turn, ()) = tokio::join!(soon(refresher.turn(&shared, RefreshTrigger::Schedule, None)), lives);
    let Turn::Fetch(claimed) = turn.expect("a store") else { panic!("it was given back after six seconds") };
    let entry = refresher.entry(now, Some(Document { head: head(10), body: body() }));
    assert!(shared.swap(Some(&claimed.raw), &entry).await.expect("a store").is_some());
    let since = tokio::time::Instant::now();
    let turn = soon(refresher.turn(&shared, RefreshTrigger::Schedule, None)).await.expect("a store");
    assert_eq!((word(&turn), since.elapsed()), ("install", Duration::ZERO), "though another one holds the lease");
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_is_published_unless_something_later_stands_there() {
    let (keys, clock) = provider();
    let (refresher, now) = (&keys.refresher, Moment::now(&clock));
    let of_order = |order| refresher.entry(now, Some(Document { head: head(order), body: body() }));
    // How much later than the claim is what has taken its place, and whether it is replaced.
    for (later_by, is_published) in [(None, true), (Some(-1), true), (Some(0), false), (Some(1), false)] {
        let (shared, _store) = shared();
        let turn = soon(refresher.turn(&shared, RefreshTrigger::Schedule, None)).await.expect("a store");
        let Turn::Fetch(claimed) = turn else { panic!("nobody else fetches") };
        if let Some(order) = later_by.map(|later| claimed.order.saturating_add_signed(later)) {
            assert!(shared.swap(Some(&claimed.raw), &of_order(order)).await.expect("a store").is_some());
        }
        let before = shared.find().await.expect("a store").raw;
        let published = refresher.publish(&shared, &claimed, &of_order(claimed.order)).await.expect("a store");
        let after = shared.find().await.expect("a store").raw;
        assert_eq!((published, after != before), (is_published, is_published), "{later_by:?}");
    }
}

/// What ends within a minute, of which nobody waits a second.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(60 * SECOND, future).await.expect("an end")
}

fn word(turn: &Turn) -> &'static str {
    match turn {
        Turn::Install(_) => "install",
        Turn::Pause(_) => "pause",
        Turn::Fetch(_) => "fetch",
        Turn::Nothing => "nothing",
        Turn::Alone => "alone",
    }
}
