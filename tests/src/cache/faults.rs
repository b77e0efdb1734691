//! Redis in trouble, with work going on: what `RedisCache`, a `TieredCache` before it and a `StoreDenylist` on either
//! say meanwhile may be "nobody knows", and never what is wrong.

use super::{HANGS, QUIET, TTL, assert_no_verb_works, assert_recovers, redis, server};
use countersign::cache::{CacheError, CacheKey, CacheStore};
use countersign::revocation::{RevocationCheck, StoreDenylist, TokenStatus};
use countersign::{Bytes, VerifiedToken};
use countersign_cache::{MemoryCache, RedisCache, TieredCache};
use countersign_testkit::redis_proxy::{RedisProxy, Traffic};
use countersign_testkit::redis_server::RedisServer;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{RwLockReadGuard, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Short, so that near does not hide for long what happens far.
const NEAR_FOR: Duration = Duration::from_millis(50);

/// How long until all that is at work has noticed a fault, or its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What works without a pause takes the processor from the tests beside it, whose deadlines are short.
const PACE: Duration = Duration::from_millis(10);

const TOKENS: [&str; 2] = ["revoked", "good"];

fn token(id: &str) -> VerifiedToken {
    let claims = json!({"iss": "a", "jti": id, "sub": id, "iat": 100});
    VerifiedToken::vouched(&claims).expect("claims")
}

fn far_away() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(4_000_000_000)
}

/// Half by its id and half by its subject, as `by` says.
async fn revoke(denylist: &StoreDenylist, by: usize) -> Result<(), CacheError> {
    match by % 2 {
        0 => denylist.revoke_token("a", TOKENS[0], far_away()).await,
        _ => denylist.revoke_subject_before("a", TOKENS[0], far_away(), far_away()).await,
    }
}

async fn bounded<T>(answer: impl Future<Output = T>) -> T {
    timeout(HANGS, answer).await.expect("the deadline holds")
}

/// Tries until it goes well: a busy machine is not the fault that is looked for.
async fn insist(verb: impl AsyncFn() -> Result<(), CacheError>) {
    let tries = async {
        while verb().await.is_err() {
            sleep(PACE).await;
        }
    };
    timeout(PATIENCE, tries).await.expect("Redis works");
}

/// A server behind a proxy, and what is under test before it.
struct World {
    server: RedisServer,
    proxy: RedisProxy,
    stores: [Arc<dyn CacheStore>; 2],
    denylists: [Arc<StoreDenylist>; 2],
    _busy: RwLockReadGuard<'static, ()>,
}

impl World {
    async fn new() -> Self {
        let busy = QUIET.read().await;
        let server = server().await;
        let proxy = RedisProxy::start(server.port()).await.expect("a proxy");
        let far = |prefix: &str| {
            let builder = RedisCache::builder(proxy.url()).prefix(prefix);
            builder.build().expect("settings")
        };
        let tiered = |prefix: &str| {
            let builder = TieredCache::builder(MemoryCache::new(), far(prefix)).near_for(NEAR_FOR);
            builder.build().expect("settings")
        };
        let stores: [Arc<dyn CacheStore>; 2] = [Arc::new(far("far")), Arc::new(tiered("tiered"))];
        let denylists = stores.clone().map(|store| Arc::new(StoreDenylist::new(store)));
        Self { server, proxy, stores, denylists, _busy: busy }
    }

    async fn statuses(&self, id: &str) -> [TokenStatus; 2] {
        let token = token(id);
        let [far, tiered] = &self.denylists;
        [bounded(far.status(&token)).await, bounded(tiered.status(&token)).await]
    }

    /// Redis works again, without what it held: nobody is let through until what was revoked has been put back, and that
    /// has been said. Then all goes well.
    async fn assert_losses_are_noticed_and_accepted(&self, load: &mut Load) {
        for (by, denylist) in self.denylists.iter().enumerate() {
            insist(async || revoke(denylist, by).await).await;
        }
        let put_back = async {
            while self.statuses("revoked").await != [TokenStatus::Revoked; 2] {
                sleep(PACE).await;
            }
        };
        timeout(PATIENCE, put_back).await.expect("what was put back is known");
        assert_eq!(self.statuses("good").await, [TokenStatus::Unknown; 2]);
        for denylist in &self.denylists {
            insist(async || denylist.accept_loss().await).await;
        }
        load.until_all(Outcome::Known).await;
    }

    /// Starts the work, and waits until all of it goes well.
    async fn load(&self) -> Load {
        for (by, denylist) in self.denylists.iter().enumerate() {
            insist(async || revoke(denylist, by).await).await;
        }
        let mut load = Load::new();
        for (at, store) in self.stores.iter().enumerate() {
            insist(async || store.put(&CacheKey::named("kept"), Bytes::from_static(b"v"), TTL).await).await;
            load.spawn(Reader(store.clone()));
            load.spawn(Writer { store: store.clone(), turn: 0, last: Bytes::new(), perhaps: Vec::new() });
            let totals = Arc::new(Mutex::default());
            for _ in 0..2 {
                load.spawn(Counter { store: store.clone(), totals: totals.clone() });
            }
            load.spawn(Judge { denylist: self.denylists[at].clone() });
        }
        load.until_all(Outcome::Known).await;
        load
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// An answer, which was right.
    Known,
    /// An error, or `TokenStatus::Unknown`.
    Unknown,
}

/// Does one thing over and over; panics at a wrong answer.
trait Work: Send + 'static {
    /// `losses` says whether Redis may have lost what it held; to be asked when the answer is there.
    fn turn(&mut self, losses: &Losses) -> impl Future<Output = Outcome> + Send;
}

fn outcome<T>(answer: &Result<T, CacheError>) -> Outcome {
    if answer.is_ok() { Outcome::Known } else { Outcome::Unknown }
}

/// Reads what was written once.
struct Reader(Arc<dyn CacheStore>);
impl Work for Reader {
    async fn turn(&mut self, losses: &Losses) -> Outcome {
        let answer = bounded(self.0.get(&CacheKey::named("kept"))).await;
        if let Ok(found) = &answer {
            assert!(found.as_deref() == Some(b"v") || losses.may_be() && found.is_none(), "read {found:?}");
        }
        outcome(&answer)
    }
}

/// Writes, and reads what it wrote.
struct Writer {
    store: Arc<dyn CacheStore>,
    turn: u64,
    /// What was written last.
    last: Bytes,
    /// What was perhaps written, or yet will be.
    perhaps: Vec<Bytes>,
}
impl Work for Writer {
    async fn turn(&mut self, losses: &Losses) -> Outcome {
        let key = CacheKey::named("written");
        self.turn += 1;
        let value = Bytes::from(format!("turn {}", self.turn));
        let written = bounded(self.store.put(&key, value.clone(), TTL)).await;
        match &written {
            Ok(()) => self.last = value,
            Err(_) => self.perhaps.push(value),
        }
        // Twice, because the second time it may be near.
        let mut read = outcome(&written);
        for _ in 0..2 {
            let answer = bounded(self.store.get(&key)).await;
            match &answer {
                Ok(Some(found)) => {
                    assert!(*found == self.last || self.perhaps.contains(found), "{found:?} after {:?}", self.last);
                }
                Ok(None) => assert!(losses.may_be() || self.last.is_empty(), "lost {:?}", self.last),
                Err(_) => read = Outcome::Unknown,
            }
        }
        read
    }
}

/// Counts together with others: no sum comes up twice.
struct Counter {
    store: Arc<dyn CacheStore>,
    totals: Arc<Mutex<BTreeSet<u64>>>,
}
impl Work for Counter {
    async fn turn(&mut self, losses: &Losses) -> Outcome {
        let answer = bounded(self.store.add(&CacheKey::named("count"), 1, TTL)).await;
        if let Ok(counted) = &answer {
            let is_new = self.totals.lock().expect("lock").insert(counted.total);
            assert!(is_new || losses.may_be(), "{} was counted twice", counted.total);
        }
        outcome(&answer)
    }
}

/// Asks for the status of a token that was revoked, and of one that was not. Whatever Redis has lost, neither is taken for
/// the other.
struct Judge {
    denylist: Arc<StoreDenylist>,
}
impl Work for Judge {
    async fn turn(&mut self, _: &Losses) -> Outcome {
        let mut outcome = Outcome::Known;
        for id in TOKENS {
            let status = bounded(self.denylist.status(&token(id))).await;
            let right = if id == "revoked" { TokenStatus::Revoked } else { TokenStatus::Active };
            match status {
                TokenStatus::Unknown => outcome = Outcome::Unknown,
                status => assert_eq!(status, right, "the token `{id}`"),
            }
        }
        outcome
    }
}

/// All that is at work, and how often each had which outcome.
struct Load {
    work: JoinSet<()>,
    outcomes: Arc<watch::Sender<Vec<[u64; 2]>>>,
    losses: Arc<Losses>,
}

/// Whether Redis may have lost what it held.
#[derive(Default)]
struct Losses(AtomicBool);

impl Losses {
    fn may_be(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Load {
    fn new() -> Self {
        Self { work: JoinSet::new(), outcomes: Arc::new(watch::Sender::new(Vec::new())), losses: Arc::default() }
    }

    fn spawn(&mut self, mut work: impl Work) {
        let at = self.work.len();
        self.outcomes.send_modify(|outcomes| outcomes.push([0, 0]));
        let (outcomes, losses) = (self.outcomes.clone(), self.losses.clone());
        self.work.spawn(async move {
            loop {
                let outcome = work.turn(&losses).await;
                outcomes.send_modify(|outcomes| outcomes[at][outcome as usize] += 1);
                sleep(PACE).await;
            }
        });
    }

    /// Waits until each has this outcome twice from now on: the first one may belong to what was before.
    async fn until_all(&mut self, outcome: Outcome) {
        let mut outcomes = self.outcomes.subscribe();
        let then = outcomes.borrow_and_update().clone();
        let is_enough = |now: &Vec<[u64; 2]>| {
            now.iter().zip(&then).all(|(now, then)| now[outcome as usize] >= then[outcome as usize] + 2)
        };
        let all = timeout(PATIENCE, outcomes.wait_for(is_enough));
        let what_went_wrong = tokio::select! {
            all = all => match all {
                Ok(Ok(_)) => return,
                _ => format!("not all were {outcome:?}: {then:?}, then {:?}", self.outcomes.borrow()),
            },
            ended = self.work.join_next() => format!("a wrong answer: {ended:?}"),
        };
        panic!("{what_went_wrong}");
    }

    /// Ends the work, which went well to the end.
    fn end(mut self) {
        assert!(self.work.try_join_next().is_none(), "a wrong answer");
    }

    /// From now on, what was there may be gone.
    fn expect_losses(&self) {
        self.losses.0.store(true, Ordering::SeqCst);
    }
}

/// Breaks something that loses nothing, and mends it again: everybody notices, nobody is told what is wrong, and all is
/// as it was.
async fn assert_rides_out(break_it: impl FnOnce(&World), mend_it: impl FnOnce(&World)) {
    let world = World::new().await;
    let mut load = world.load().await;
    break_it(&world);
    load.until_all(Outcome::Unknown).await;
    // What was revoked may still be near.
    assert_eq!(world.statuses("good").await, [TokenStatus::Unknown; 2]);
    for (by, denylist) in world.denylists.iter().enumerate() {
        assert!(bounded(revoke(denylist, by)).await.is_err(), "nothing can be revoked");
    }
    mend_it(&world);
    load.until_all(Outcome::Known).await;
    load.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_at_the_start_is_unknown_until_it_comes() {
    let mut world = World::new().await;
    world.server.kill();
    for id in TOKENS {
        assert_eq!(world.statuses(id).await, [TokenStatus::Unknown; 2], "the token `{id}`");
    }
    for store in &world.stores {
        assert_no_verb_works(store).await;
    }
    world.server.restart().await.expect("a restart");
    for store in &world.stores {
        assert_recovers(store).await;
    }
    world.load().await.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_is_unknown_until_it_is_back_and_what_it_held_is_put_back() {
    let mut world = World::new().await;
    let mut load = world.load().await;
    world.server.kill();
    load.until_all(Outcome::Unknown).await;
    assert_eq!(world.statuses("good").await, [TokenStatus::Unknown; 2]);
    load.expect_losses();
    world.server.restart().await.expect("a restart");
    world.assert_losses_are_noticed_and_accepted(&mut load).await;
    load.end();
    world.load().await.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_under_load_is_unknown_until_the_way_is_free() {
    assert_rides_out(|world| world.proxy.set(Traffic::Close), |world| world.proxy.set(Traffic::Pass)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_under_load_are_made_anew() {
    let world = World::new().await;
    let mut load = world.load().await;
    for _ in 0..5 {
        let before = world.proxy.connections();
        world.proxy.cut();
        load.until_all(Outcome::Known).await;
        assert!(world.proxy.connections() > before);
    }
    load.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_under_load_is_unknown_until_it_goes_on() {
    assert_rides_out(|world| world.server.pause(), |world| world.server.resume()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_hangs_under_load_is_unknown_until_it_goes_on() {
    assert_rides_out(|world| world.proxy.set(Traffic::Hang), |world| world.proxy.set(Traffic::Pass)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_connections_under_load_are_given_up_for_new_ones() {
    let world = World::new().await;
    let mut load = world.load().await;
    world.proxy.forget();
    load.until_all(Outcome::Unknown).await;
    load.until_all(Outcome::Known).await;
    load.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_slower_than_the_deadline_are_unknown() {
    let slow = Traffic::Delay(Duration::from_millis(300));
    assert_rides_out(|world| world.proxy.set(slow), |world| world.proxy.set(Traffic::Pass)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbled_answers_are_unknown() {
    assert_rides_out(|world| world.proxy.set(Traffic::Garble), |world| world.proxy.set(Traffic::Pass)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_under_load_is_unknown_until_what_was_revoked_is_put_back() {
    let world = World::new().await;
    let mut load = world.load().await;
    load.expect_losses();
    let () = ::redis::cmd("FLUSHALL").query_async(&mut redis(&world.server).await).await.expect("a flush");
    assert_eq!(world.statuses("good").await, [TokenStatus::Unknown; 2]);
    let near_is_over = async {
        while world.statuses("revoked").await != [TokenStatus::Unknown; 2] {
            sleep(PACE).await;
        }
    };
    timeout(PATIENCE, near_is_over).await.expect("what was near is over");
    world.assert_losses_are_noticed_and_accepted(&mut load).await;
    load.end();
    world.load().await.end();
}
