use super::*;
use crate::MemoryCache;
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use tokio::sync::watch;

const TTL: Duration = Duration::from_secs(60);
const OLD: Bytes = Bytes::from_static(b"old");
const NEW: Bytes = Bytes::from_static(b"new");

/// A store far away, which can be held up on the way.
#[derive(Debug)]
struct Far {
    store: MemoryCache,
    reads: AtomicUsize,
    tells_what_is_left: bool,
    back_from_reading: Gate,
    on_the_way_to_write: Gate,
    back_from_writing: Gate,
}

/// Open unless closed.
#[derive(Debug)]
struct Gate(watch::Sender<bool>);

impl Gate {
    fn new() -> Self {
        Self(watch::Sender::new(true))
    }
    fn close(&self) {
        self.0.send_replace(false);
    }
    fn open(&self) {
        self.0.send_replace(true);
    }
    async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("the gate stands");
    }
}

impl Far {
    async fn writing<T>(&self, write: impl Future<Output = T>) -> T {
        self.on_the_way_to_write.pass().await;
        let answer = write.await;
        self.back_from_writing.pass().await;
        answer
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl CacheStore for Far {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        Ok(self.find(key).await?.map(|found| found.value))
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let found = self.store.find(key).await?;
        self.back_from_reading.pass().await;
        Ok(found.map(|found| Found::new(found.value, found.expires_in.filter(|_| self.tells_what_is_left))))
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.writing(self.store.put(key, value, ttl)).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        self.writing(self.store.put_new(key, value, ttl)).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        self.writing(self.store.compare_and_swap(key, expected, new)).await
    }
    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.writing(self.store.take(key)).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.writing(self.store.add(key, n, window)).await
    }
    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.writing(self.store.remove(key)).await
    }
}

/// Fails each time, or returns what is no copy, or never forgets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Fails,
    Lies,
    NeverForgets,
}

#[derive(Debug)]
struct Bad(Trouble, MemoryCache);

#[async_trait]
impl CacheStore for Bad {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        match self.0 {
            Trouble::Fails => Err(CacheError::because("near is broken")),
            Trouble::Lies => Ok(Some(Bytes::from_static(&[0; 23]))),
            Trouble::NeverForgets => self.1.get(key).await,
        }
    }
    async fn put(&self, key: &CacheKey, value: Bytes, _: Duration) -> Result<(), CacheError> {
        match self.0 {
            Trouble::Fails => Err(CacheError::because("near is broken")),
            Trouble::Lies => Ok(()),
            Trouble::NeverForgets => self.1.put(key, value, Duration::MAX).await,
        }
    }
    async fn put_new(&self, _: &CacheKey, _: Bytes, _: Duration) -> Result<bool, CacheError> {
        Err(CacheError::because("near is not asked this"))
    }
    async fn compare_and_swap(&self, _: &CacheKey, _: &[u8], _: Option<(Bytes, Duration)>) -> Result<bool, CacheError> {
        Err(CacheError::because("near is not asked this"))
    }
    async fn add(&self, _: &CacheKey, _: u64, _: Duration) -> Result<Counted, CacheError> {
        Err(CacheError::because("near is not asked this"))
    }
}

#[derive(Debug, Default)]
struct Failures(AtomicUsize);
impl Observer for Failures {
    fn observe(&self, event: &Event<'_>) {
        assert!(matches!(event, Event::CacheFailed { .. }));
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn key() -> CacheKey {
    CacheKey::named("k")
}

fn far(clock: &FakeClock) -> Far {
    Far {
        store: MemoryCache::with_clock(clock.clone()),
        reads: AtomicUsize::new(0),
        tells_what_is_left: true,
        back_from_reading: Gate::new(),
        on_the_way_to_write: Gate::new(),
        back_from_writing: Gate::new(),
    }
}

fn tiers(far: Far, clock: &FakeClock) -> (TieredCache, Arc<Far>) {
    let far = Arc::new(far);
    let near = MemoryCache::with_clock(clock.clone());
    let tiered = TieredCache::builder(near, far.clone()).clock(clock.clone()).build().expect("settings");
    (tiered, far)
}

fn setup() -> (TieredCache, Arc<Far>, FakeClock) {
    let clock = FakeClock::at(1_000_000);
    let (tiered, far) = tiers(far(&clock), &clock);
    (tiered, far, clock)
}

async fn get(store: &impl CacheStore) -> Option<Bytes> {
    store.get(&key()).await.expect("get")
}

/// What somebody else does, who is not held up.
async fn others_put(far: &Far, value: Bytes, ttl: Duration) {
    far.store.put(&key(), value, ttl).await.expect("put");
}

/// Runs the future until it is held up.
async fn until_held_up<T>(mut future: Pin<&mut impl Future<Output = T>>) {
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending(), "it is held up");
        Poll::Ready(())
    })
    .await;
}

#[test]
fn no_time_near_is_refused() {
    let builder = TieredCache::builder(MemoryCache::new(), MemoryCache::new());
    assert_eq!(builder.near_for(Duration::ZERO).build().expect_err("zero").setting(), "near_for");
}

#[tokio::test]
async fn what_was_read_is_near_until_it_is_written() {
    let (tiered, far, _) = setup();
    tiered.put(&key(), OLD, TTL).await.expect("put");
    for _ in 0..3 {
        assert_eq!(get(&tiered).await, Some(OLD));
    }
    assert_eq!(far.reads(), 1);
    tiered.put(&key(), NEW, TTL).await.expect("put");
    assert_eq!(get(&tiered).await, Some(NEW));
    assert_eq!(far.reads(), 2);
}

/// Every verb that may change something, each on a store where it does.
async fn write(store: &TieredCache, verb: usize) {
    let key = key();
    match verb {
        0 => store.put(&key, NEW, TTL).await.expect("put"),
        1 => assert!(store.compare_and_swap(&key, &OLD, Some((NEW, TTL))).await.expect("swap")),
        2 => assert_eq!(store.take(&key).await.expect("take"), Some(OLD)),
        _ => store.remove(&key).await.expect("remove"),
    }
}
const VERBS: std::ops::RangeInclusive<usize> = 0..=3;

#[tokio::test]
async fn a_read_that_a_write_overtakes_leaves_nothing_old_near() {
    for verb in VERBS {
        let (tiered, far, _) = setup();
        others_put(&far, OLD, TTL).await;
        far.back_from_reading.close();
        let mut read = pin!(get(&tiered));
        until_held_up(read.as_mut()).await;
        write(&tiered, verb).await;
        far.back_from_reading.open();
        assert_eq!(read.await, Some(OLD), "it was read before the write");
        assert_eq!(get(&tiered).await, far.store.get(&key()).await.expect("get"), "verb {verb}");
    }
}

#[tokio::test]
async fn a_read_during_a_write_leaves_nothing_old_near() {
    for verb in VERBS {
        let (tiered, far, _) = setup();
        others_put(&far, OLD, TTL).await;
        assert_eq!(get(&tiered).await, Some(OLD));
        far.on_the_way_to_write.close();
        let mut writing = pin!(write(&tiered, verb));
        until_held_up(writing.as_mut()).await;
        assert_eq!(get(&tiered).await, Some(OLD), "it is not written yet");
        far.on_the_way_to_write.open();
        far.back_from_writing.close();
        until_held_up(writing.as_mut()).await;
        let written = far.store.get(&key()).await.expect("get");
        assert_eq!(get(&tiered).await, written, "verb {verb}, done and not answered");
        far.back_from_writing.open();
        writing.await;
        assert_eq!(get(&tiered).await, written, "verb {verb}");
    }
}

#[tokio::test]
async fn a_read_from_the_midst_of_one_write_to_the_midst_of_another_leaves_nothing_old_near() {
    let (tiered, far, _) = setup();
    others_put(&far, OLD, TTL).await;
    far.on_the_way_to_write.close();
    let mut first = pin!(write(&tiered, 0));
    until_held_up(first.as_mut()).await;
    far.back_from_reading.close();
    let mut read = pin!(get(&tiered));
    until_held_up(read.as_mut()).await;
    let mut second = pin!(write(&tiered, 0));
    until_held_up(second.as_mut()).await;
    far.on_the_way_to_write.open();
    first.await;
    far.back_from_reading.open();
    assert_eq!(read.await, Some(OLD));
    second.await;
    assert_eq!(get(&tiered).await, Some(NEW));
}

#[tokio::test]
async fn a_write_that_is_given_up_leaves_nothing_old_near_and_ends() {
    let (tiered, far, _) = setup();
    others_put(&far, OLD, TTL).await;
    assert_eq!(get(&tiered).await, Some(OLD));
    far.back_from_writing.close();
    {
        let mut writing = pin!(write(&tiered, 0));
        until_held_up(writing.as_mut()).await;
    }
    let reads = far.reads();
    for _ in 0..3 {
        assert_eq!(get(&tiered).await, Some(NEW));
    }
    assert_eq!(far.reads(), reads + 1, "near serves again");
}

#[tokio::test]
async fn a_refused_swap_shows_what_is_far() {
    let (tiered, far, _) = setup();
    others_put(&far, OLD, TTL).await;
    assert_eq!(get(&tiered).await, Some(OLD));
    others_put(&far, NEW, TTL).await;
    assert_eq!(get(&tiered).await, Some(OLD), "not yet seen");
    assert!(!tiered.compare_and_swap(&key(), &OLD, None).await.expect("swap"));
    assert_eq!(get(&tiered).await, Some(NEW));
}

#[tokio::test]
async fn what_others_write_is_seen_after_near_for_whatever_the_wall_clock_says() {
    for wall_clock in [1_000_000, 0, 2_000_000] {
        let (tiered, far, clock) = setup();
        others_put(&far, OLD, Duration::MAX).await;
        assert_eq!(get(&tiered).await, Some(OLD));
        others_put(&far, NEW, Duration::MAX).await;
        clock.advance(NEAR_FOR - Duration::from_nanos(1));
        clock.set(wall_clock);
        assert_eq!((get(&tiered).await, far.reads()), (Some(OLD), 1), "still near with the clock at {wall_clock}");
        clock.advance(Duration::from_nanos(1));
        assert_eq!(get(&tiered).await, Some(NEW), "the clock was set to {wall_clock}");
    }
}

#[tokio::test]
async fn what_others_put_where_nothing_was_is_seen_at_once() {
    let (tiered, far, _) = setup();
    assert_eq!(get(&tiered).await, None);
    others_put(&far, NEW, TTL).await;
    assert_eq!(get(&tiered).await, Some(NEW));
}

#[tokio::test]
async fn nothing_is_near_for_longer_than_far() {
    let (tiered, far, clock) = setup();
    let short = NEAR_FOR / 4;
    others_put(&far, OLD, short).await;
    assert_eq!(get(&tiered).await, Some(OLD));
    clock.advance(short - Duration::from_nanos(1));
    assert_eq!(get(&tiered).await, Some(OLD));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(get(&tiered).await, None);
}

#[tokio::test]
async fn the_time_of_an_answer_counts_from_when_it_was_asked_for() {
    for (slowness, serves) in [(NEAR_FOR, false), (NEAR_FOR / 2, true)] {
        let (tiered, far, clock) = setup();
        others_put(&far, OLD, TTL).await;
        far.back_from_reading.close();
        let mut read = pin!(get(&tiered));
        until_held_up(read.as_mut()).await;
        others_put(&far, NEW, TTL).await;
        clock.advance(slowness);
        far.back_from_reading.open();
        assert_eq!(read.await, Some(OLD));
        assert_eq!(get(&tiered).await, Some(if serves { OLD } else { NEW }), "{slowness:?}");
        clock.advance(NEAR_FOR - slowness);
        assert_eq!(get(&tiered).await, Some(NEW), "{slowness:?}");
    }
}

#[tokio::test]
async fn what_is_left_is_what_far_says() {
    let (tiered, far, clock) = setup();
    others_put(&far, OLD, TTL).await;
    clock.advance(NEAR_FOR);
    for _ in 0..2 {
        let found = tiered.find(&key()).await.expect("find");
        assert_eq!(found, Some(Found::new(OLD, Some(TTL - NEAR_FOR))));
    }
    assert_eq!(far.reads(), 2);
    assert_eq!(get(&tiered).await, Some(OLD));
    assert_eq!(far.reads(), 2, "what `find` found is near, too");
}

#[tokio::test]
async fn nothing_is_kept_of_a_store_that_cannot_tell_what_is_left() {
    let clock = FakeClock::at(1_000_000);
    let (tiered, far) = tiers(Far { tells_what_is_left: false, ..far(&clock) }, &clock);
    others_put(&far, OLD, TTL).await;
    assert_eq!(get(&tiered).await, Some(OLD));
    others_put(&far, NEW, TTL).await;
    assert_eq!(get(&tiered).await, Some(NEW));
}

#[tokio::test]
async fn counters_are_never_near() {
    let (tiered, far, _) = setup();
    for total in 1_u64..=3 {
        let counted = if total == 2 { tiered.add(&key(), 1, TTL).await } else { far.store.add(&key(), 1, TTL).await };
        assert_eq!(counted.expect("add").total, total);
        assert_eq!(get(&tiered).await, Some(Bytes::from(total.to_string())));
    }
}

#[tokio::test]
async fn near_serves_while_far_fails() {
    let clock = FakeClock::at(1_000_000);
    let near = MemoryCache::with_clock(clock.clone());
    let far = Arc::new(MemoryCache::with_clock(clock.clone()));
    far.put(&key(), OLD, TTL).await.expect("put");
    let tiered = TieredCache::builder(near, far).clock(clock.clone()).build().expect("settings");
    assert_eq!(get(&tiered).await, Some(OLD));

    let bad = || Bad(Trouble::Fails, MemoryCache::new());
    let tiered = TieredCache { far: Box::new(bad()), ..tiered };
    assert_eq!(get(&tiered).await, Some(OLD));
    assert!(tiered.put(&key(), NEW, TTL).await.is_err());
    assert!(tiered.get(&key()).await.is_err(), "a write that failed may have been done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_near_store_in_trouble_breaks_no_rule() {
    for trouble in [Trouble::Fails, Trouble::Lies, Trouble::NeverForgets] {
        let clock = FakeClock::at(1_000_000);
        let far = MemoryCache::with_clock(clock.clone());
        let failures = Arc::new(Failures::default());
        let tiered = TieredCache::builder(Bad(trouble, MemoryCache::with_clock(clock.clone())), far)
            .clock(clock.clone())
            .observer(failures.clone())
            .build()
            .expect("settings");
        conformance::cache_store(tiered, async |time| clock.advance(time)).await;
        assert_eq!(failures.0.load(Ordering::Relaxed) > 0, trouble == Trouble::Fails, "{trouble:?}");
    }
}

#[tokio::test]
async fn two_caches_with_one_near_store_do_not_see_each_others_copies() {
    let clock = FakeClock::at(1_000_000);
    let near = Arc::new(MemoryCache::with_clock(clock.clone()));
    let tiered = |far: MemoryCache| TieredCache::builder(near.clone(), far).clock(clock.clone()).build();
    let (one, other) = (MemoryCache::with_clock(clock.clone()), MemoryCache::with_clock(clock.clone()));
    one.put(&key(), OLD, TTL).await.expect("put");
    other.put(&key(), NEW, TTL).await.expect("put");
    let (one, other) = (tiered(one).expect("settings"), tiered(other).expect("settings"));
    for _ in 0..2 {
        assert_eq!(get(&one).await, Some(OLD));
        assert_eq!(get(&other).await, Some(NEW));
    }
}
