//! What a process of a fleet does from its first look to the end of its turn, before an issuer that answers as it is told.

use super::super::super::tests::{Store, fleet_key};
use super::*;
use crate::jwks::runtime::Ordering::Release;
use countersign::cache::CacheStore;
use std::sync::Mutex;
use tokio::time::Instant;

#[derive(Clone, Debug)]
struct Issuer {
    /// Or the status of its refusal.
    answer: Result<Bytes, u16>,
    takes: Duration,
}

impl Issuer {
    fn up() -> Self {
        Self { answer: Ok(body()), takes: Duration::ZERO }
    }
    fn refuses(status: u16) -> Self {
        Self { answer: Err(status), takes: Duration::ZERO }
    }
}

#[async_trait]
impl JwksFetch for Issuer {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        wait(self.takes).await;
        match &self.answer {
            Ok(body) => Ok(Fetched::new(body.clone())),
            Err(status) => Err(FetchError::status(*status, None)),
        }
    }
}

/// What was told of what is shared.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<SharedKeysOutcome>>>);
impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        if let Event::SharedKeys { outcome, .. } = event {
            self.0.lock().expect("lock").push(*outcome);
        }
    }
}

struct Process {
    keys: JwksProvider,
    now: Moment,
    heard: Heard,
}

impl Process {
    fn new(store: &Store, issuer: Issuer) -> Self {
        let (clock, heard) = (FakeClock::at(START), Heard::default());
        let keys = JwksProvider::url(KEYS).fetch(issuer).clock(clock.clone()).observer(heard.clone());
        let keys = keys.shared_cache(store.clone(), fleet_key()).build().expect("a provider");
        Self { keys, now: Moment::now(&clock), heard }
    }
    fn refresher(&self) -> &Refresher {
        &self.keys.refresher
    }
    fn shared(&self) -> &Shared {
        self.refresher().settings.shared.as_ref().expect("shared")
    }
    fn heard(&self) -> Vec<SharedKeysOutcome> {
        std::mem::take(&mut self.heard.0.lock().expect("lock"))
    }
    fn order_in_use(&self) -> Option<u64> {
        self.refresher().snapshot.load().as_ref().map(|snapshot| snapshot.order)
    }
    /// Writes an entry where nothing is.
    async fn put(&self, entry: &Entry) {
        assert!(self.shared().swap(None, entry).await.expect("a store").is_some());
    }
    /// An entry with a document of this order, so many milliseconds old.
    fn entry(&self, order: u64, age: u64) -> Entry {
        self.refresher().entry(self.now, Some(Document { head: Head { age, ..head(order) }, body: body() }))
    }
    async fn there(&self) -> Entry {
        self.shared().find().await.expect("a store").entry.expect("an entry")
    }
    async fn claimed(&self, trigger: RefreshTrigger) -> Claimed {
        match soon(self.refresher().turn(self.shared(), trigger, None)).await.expect("a store") {
            Turn::Fetch(claimed) => *claimed,
            other => panic!("nobody else fetches, and still: {}", word(&other)),
        }
    }
}

#[tokio::test]
async fn a_look_takes_what_is_later_and_fresh_and_nothing_for_a_provider_that_is_closed() {
    let ten_minutes = 10 * MINUTE;
    for (age, is_closed, in_use) in
        [(0, false, Some(10)), (ten_minutes - 1, false, Some(10)), (ten_minutes, false, None), (0, true, None)]
    {
        let process = Process::new(&Store::default(), Issuer::refuses(500));
        process.put(&process.entry(10, age)).await;
        process.refresher().state().is_closed = is_closed;
        process.shared().look_at.store(0, Release);
        process.refresher().look_if_due(process.now.monotonic).await;
        assert_eq!((process.order_in_use(), process.heard()), (in_use, vec![]), "{age} {is_closed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_lives_is_waited_for_beyond_the_bound_by_one_that_can_serve_meanwhile() {
    use RefreshTrigger::{Request, Schedule};
    // Who asks, whether there are keys to serve, whether the last refresh failed, and whether it is waited for.
    for (trigger, has_keys, is_failing, waits) in [
        (Schedule, true, false, true),
        (Request, true, false, false),
        (Schedule, false, false, false),
        (Schedule, true, true, false),
    ] {
        let process = Process::new(&Store::default(), Issuer::up());
        let (refresher, shared) = (process.refresher(), process.shared());
        if has_keys {
            refresher.snapshot.store(Some(Arc::new(in_use(&process.keys, process.now, 10, 0))));
        }
        if is_failing {
            refresher.back_off(&mut refresher.state(), trigger, RefreshError::NoRuntime);
        }
        let mut lease = shared.take_lease().await.expect("a store").expect("a lease");
        let lives = async {
            for _ in 0..12 {
                wait(SECOND).await;
                shared.renew(&mut lease).await.expect("a store");
            }
            shared.release(&lease).await.expect("a store");
        };
        let since = Instant::now();
        let asks = async {
            let turn = soon(refresher.turn_in_time(shared, trigger, Some(10))).await.expect("a store");
            (word(&turn), since.elapsed())
        };
        let ((turn, waited), ()) = tokio::join!(asks, lives);
        let shown = format!("{trigger:?} {has_keys} {is_failing}: {waited:?}");
        assert_eq!(turn, if waits { "fetch" } else { "alone" }, "{shown}");
        assert!(if waits { waited >= 12 * SECOND } else { waited == TURN_TIMEOUT }, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_died_is_waited_for_no_longer_than_its_lease_may_rest() {
    let process = Process::new(&Store::default(), Issuer::up());
    let _lease = process.shared().take_lease().await.expect("a store").expect("a lease");
    let since = Instant::now();
    let turn = soon(process.refresher().turn(process.shared(), RefreshTrigger::Schedule, None)).await;
    assert_eq!(word(&turn.expect("a store")), "alone");
    let waited = since.elapsed();
    assert!(waited >= LEASE_PATIENCE && waited < LEASE_PATIENCE + 2 * BETWEEN_LOOKS, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn looks_at_a_lease_are_a_tenth_of_a_second_apart_and_not_in_step() {
    let mut waits = Vec::new();
    for _ in 0..100 {
        let process = Process::new(&Store::default(), Issuer::up());
        let shared = process.shared();
        let lease = shared.take_lease().await.expect("a store").expect("a lease");
        let ends = async {
            wait(Duration::from_millis(1)).await;
            shared.release(&lease).await.expect("a store");
        };
        let since = Instant::now();
        let asks = async {
            drop(process.claimed(RefreshTrigger::Schedule).await);
            since.elapsed()
        };
        waits.push(tokio::join!(asks, ends).0);
    }
    let (least, most) = (BETWEEN_LOOKS / 2, BETWEEN_LOOKS * 3 / 2 + Duration::from_millis(1));
    assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < BETWEEN_LOOKS) && waits.iter().any(|wait| *wait > BETWEEN_LOOKS));
}

#[tokio::test(start_paused = true)]
async fn who_has_the_lease_claims_what_is_still_to_be_fetched_and_pays_for_it() {
    use RefreshTrigger::{Request, Schedule, UnknownKey};
    let (period, ahead) = (millis(PERIOD), NOW + millis(crate::jwks::refresh::MAX_SKEW));
    // Who asks, what is owed, the order of what is there, what comes of it, what is owed then, and what is kept of it.
    let cases = [
        (Schedule, 0, None, "fetch", 0, None),
        (Schedule, 0, Some(10), "install", 0, Some(10)),
        (Request, 0, Some(10), "fetch", 0, Some(10)),
        (Request, 0, Some(ahead + 1), "fetch", 0, None),
        (UnknownKey, 0, None, "fetch", period, None),
        (UnknownKey, period, None, "fetch", 2 * period, None),
        (UnknownKey, period + 1, None, "nothing", period + 1, None),
        (Schedule, period + 1, None, "fetch", period + 1, None),
    ];
    for (trigger, debt, order, expected, owed, kept) in cases {
        let shown = format!("{trigger:?} {debt} {order:?}");
        let process = Process::new(&Store::default(), Issuer::up());
        let (refresher, shared) = (process.refresher(), process.shared());
        let entry = order.map_or_else(|| refresher.entry(process.now, None), |order| process.entry(order, 0));
        process.put(&Entry { debt, ..entry }).await;
        let lease = shared.take_lease().await.expect("a store").expect("a lease");
        let owner = lease.owner.clone();
        let turn = refresher.claim(shared, lease, trigger, None, None).await.expect("a store");
        assert_eq!(word(&turn), expected, "{shown}");
        let there = process.there().await;
        let order = there.document.as_ref().map(|document| document.head.order);
        assert_eq!((there.debt, order), (owed, kept), "{shown}");
        let is_held = shared.held_lease().await.expect("a store").is_some();
        let claim = match &turn {
            Turn::Fetch(claimed) => Some(Claim { owner, order: claimed.order }),
            _ => None,
        };
        assert_eq!((is_held, there.claim), (claim.is_some(), claim), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_is_announced_what_failed_makes_all_pause_and_debts_stay() {
    // What the issuer does, and how long the others pause at most.
    let slow = Issuer { takes: Duration::from_millis(2_500), ..Issuer::up() };
    let cases = [
        (Issuer::up(), None),
        (slow, None),
        (Issuer::refuses(500), Some(crate::jwks::refresh::MAX_TIME_TO_LIVE)),
        (Issuer::refuses(404), Some(PERIOD)),
    ];
    for (issuer, pause) in cases {
        let shown = format!("{:?} {:?}", issuer.answer.is_ok(), issuer.takes);
        let store = Store::default();
        let process = Process::new(&store, issuer);
        let (refresher, shared) = (process.refresher(), process.shared());
        for _ in 0..5 {
            drop(refresher.back_off(&mut refresher.state(), RefreshTrigger::Schedule, RefreshError::NoRuntime));
        }
        let claimed = process.claimed(RefreshTrigger::UnknownKey).await;
        let order = claimed.order;
        let fetched = refresher.fetch_claimed(shared, claimed).await.expect("nobody has taken over");
        let there = process.there().await;
        assert_eq!((there.debt, there.claim), (millis(PERIOD), None), "{shown}");
        assert!(shared.held_lease().await.expect("a store").is_none(), "{shown}");
        let announced = store.1.lock().expect("lock").len();
        match (pause, fetched) {
            (None, Ok(snapshot)) => {
                assert_eq!((snapshot.order, snapshot.is_claimed, there.pause), (order, true, None), "{shown}");
                assert_eq!(there.document.map(|document| document.head.order), Some(order), "{shown}");
                assert_eq!((announced, process.heard()), (1, vec![SharedKeysOutcome::Published]), "{shown}");
            }
            (Some(most), Err(_)) => {
                let paused = Duration::from_millis(there.pause.expect("a pause"));
                assert!(paused > SECOND && paused <= most, "{shown} {paused:?}");
                assert_eq!((announced, process.heard()), (0, vec![]), "{shown}");
            }
            (_, fetched) => panic!("{shown}: {fetched:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_fetcher_shows_that_it_lives_and_one_that_was_overtaken_gives_way() {
    let process = Process::new(&Store::default(), Issuer { takes: 3 * SECOND, ..Issuer::up() });
    let (refresher, shared) = (process.refresher(), process.shared());
    let claimed = process.claimed(RefreshTrigger::Schedule).await;
    let (order, raw) = (claimed.order, claimed.raw.clone());
    let held = || async { shared.held_lease().await.expect("a store") };
    let watched = async {
        let first = held().await;
        wait(Duration::from_millis(1_500)).await;
        let second = held().await;
        assert!(first.is_some() && second.is_some() && first != second);
        // Another one has claimed it, and publishes first.
        let newer = process.entry(order + 1, 0);
        assert!(shared.swap(Some(&raw), &newer).await.expect("a store").is_some());
    };
    let (fetched, ()) = tokio::join!(refresher.fetch_claimed(shared, claimed), watched);
    assert!(fetched.is_none());
    assert_eq!(process.heard(), [SharedKeysOutcome::LeaseLost]);
    assert_eq!(process.there().await.document.map(|document| document.head.order), Some(order + 1));
}

#[tokio::test(start_paused = true)]
async fn one_fetches_and_the_others_have_it() {
    let store = Store::default();
    let [one, other] = [Issuer::up(), Issuer::refuses(500)].map(|issuer| Process::new(&store, issuer));
    let next = async |process: &Process| {
        soon(process.refresher().fetch_for_all(process.shared(), RefreshTrigger::Start)).await
    };
    let own = next(&one).await.expect("fetched").expect("a set");
    let found = next(&other).await.expect("found").expect("a set");
    assert_eq!((own.is_own, found.is_own, found.order), (true, false, own.order));
    assert!(own.is_claimed && found.is_claimed && found.body == own.body);

    // Where it failed, the others pause.
    let store = Store::default();
    let [one, other] = [Issuer::refuses(500), Issuer::up()].map(|issuer| Process::new(&store, issuer));
    assert!(matches!(next(&one).await, Err(RefreshError::Fetch(_))));
    assert!(matches!(next(&other).await, Err(RefreshError::Paused { .. })));

    // A lease that nobody of the fleet wrote holds up nobody, and what is then fetched alone was not claimed.
    let store = Store::default();
    let alone = Process::new(&store, Issuer::up());
    let forged = Bytes::from_static(&[0; 64]);
    store.put(&alone.shared().lease, forged, SECOND).await.expect("a store");
    let own = next(&alone).await.expect("fetched").expect("a set");
    assert!(own.is_own && !own.is_claimed);
    assert_eq!(alone.heard(), [SharedKeysOutcome::Forged, SharedKeysOutcome::Alone]);
}
