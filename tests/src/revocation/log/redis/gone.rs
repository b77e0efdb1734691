//! A hundred threads, each with a log, a connection and a runtime of its own, which all find in the same moment that Redis has lost
//! the log.

use super::*;
use countersign::clock::{Clock, SystemClock};
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::SystemTime;
use tokio::runtime::{Builder, Runtime};

const PROCESSES: usize = 100;
const ENTRIES: usize = 1_000;
/// How often something is done again where the machine was too busy for somebody's deadline.
const TRIES: usize = 50;

/// The machine's time, and so many seconds.
#[derive(Clone, Debug)]
struct Ahead(SystemClock, Arc<AtomicU64>);

impl Ahead {
    fn seconds(&self) -> Duration {
        Duration::from_secs(self.1.load(Ordering::SeqCst))
    }
}

impl Clock for Ahead {
    fn now(&self) -> SystemTime {
        self.0.now() + self.seconds()
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic() + self.seconds()
    }
}

/// What a store was asked.
#[derive(Debug, Default)]
struct Counts {
    questions: AtomicUsize,
    /// How many pages were put.
    pages: AtomicUsize,
}

impl Counts {
    fn question(&self) {
        self.questions.fetch_add(1, Ordering::SeqCst);
    }

    /// Questions, and pages among them, since this was asked.
    fn take(&self) -> (usize, usize) {
        (self.questions.swap(0, Ordering::SeqCst), self.pages.swap(0, Ordering::SeqCst))
    }
}

#[derive(Clone, Debug)]
struct Counting(Arc<RedisCache>, Arc<Counts>);

#[async_trait]
impl CacheStore for Counting {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.1.question();
        self.0.get(key).await
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        self.1.question();
        self.0.find(key).await
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.1.question();
        self.1.pages.fetch_add(1, Ordering::SeqCst);
        self.0.put(key, value, ttl).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        self.1.question();
        self.0.put_new(key, value, ttl).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        self.1.question();
        self.0.compare_and_swap(key, expected, new).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.1.question();
        self.0.add(key, n, window).await
    }
    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.1.question();
        self.0.remove(key).await
    }
}

/// As good as a process: nothing of it is shared but the machine and what the clock is ahead.
struct Alone {
    runtime: Runtime,
    log: RevocationLog,
    counts: Arc<Counts>,
}

impl Alone {
    fn new(server: &RedisServer, ahead: &Ahead) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let counts = Arc::new(Counts::default());
        let counting = Counting(Arc::new(store(server.url())), counts.clone());
        let log = RevocationLog::builder(counting, fleet_key()).clock(ahead.clone()).build().expect("a log");
        Self { runtime, log, counts }
    }

    fn insist(&self, works: impl AsyncFn(&RevocationLog) -> bool) {
        self.runtime.block_on(insist(async || works(&self.log).await));
    }

    fn status(&self, id: &str) -> Option<TokenStatus> {
        self.log.status_now(&bad(id))
    }
}

/// All at once, each in its thread. How many failed.
fn poll(all: &[Alone]) -> usize {
    let barrier = Barrier::new(all.len());
    let polling = |process: &Alone| {
        barrier.wait();
        process.runtime.block_on(process.log.poll()).is_err()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = all.iter().map(|process| scope.spawn(move || polling(process))).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().expect("no panic"))).sum()
    })
}

#[test]
fn of_a_hundred_threads_that_find_the_log_gone_from_redis_one_writes_it_and_no_answer_is_lost() {
    let outside = Runtime::new().expect("a runtime");
    let _busy = outside.block_on(QUIET.write());
    let server = outside.block_on(RedisServer::start()).expect("a Redis server");
    let shared = store(server.url());
    let ahead = Ahead(SystemClock::new(), Arc::default());
    let pass = || ahead.1.fetch_add(INTERVAL.as_secs(), Ordering::SeqCst);
    let all: Vec<_> = (0..PROCESSES).map(|_| Alone::new(&server, &ahead)).collect();
    let mut early = None;
    for n in 0..ENTRIES {
        all[0].insist(async |log| log.revoke_token("a", &n.to_string(), at(FAR_AWAY)).await.is_ok());
        if n == 10 {
            early = outside.block_on(got(&shared, &head_key()));
        }
    }
    let early = early.expect("a head");
    let last = (ENTRIES - 1).to_string();
    // Whatever failed, nobody lets anybody through who is revoked.
    let (mut answers, mut let_through) = (0, 0);
    let mut ask = |nobody_failed: bool| {
        for process in &all {
            let statuses = ["0", &last, "good"].map(|id| process.status(id));
            answers += statuses.len();
            let_through += statuses[..2].iter().filter(|status| **status == Some(Active)).count();
            assert!(!nobody_failed || statuses == [Some(Revoked), Some(Revoked), Some(Active)], "{statuses:?}");
        }
    };
    // What is found counts when two intervals have passed in which nothing went wrong. One after the other, so that the machine
    // has time for each.
    let settle = || {
        let (mut tries, mut in_a_row) = (0, 0);
        while in_a_row < 4 || !all.iter().all(|process| process.log.is_confirmed()) {
            (tries, _) = (tries + 1, pass());
            let failed = all.iter().any(|process| process.runtime.block_on(process.log.poll()).is_err());
            in_a_row = if failed { 0 } else { in_a_row + 1 };
            assert!(tries <= TRIES, "the machine is too busy");
        }
    };
    settle();
    let mut found = Vec::new();
    for (what, head) in [("gone", None), ("from before", Some(early))] {
        let mut rounds = 0;
        let (questions, pages, writers) = loop {
            rounds += 1;
            assert!(rounds <= TRIES, "{what}: the machine is too busy");
            ask(true);
            outside.block_on(async {
                server.say("FLUSHALL").await.expect("an answer");
                if let Some(head) = &head {
                    put(&shared, head.clone()).await;
                }
            });
            for process in &all {
                process.counts.take();
            }
            let failed = poll(&all);
            let counts: Vec<_> = all.iter().map(|process| process.counts.take()).collect();
            ask(failed == 0);
            settle();
            let (questions, pages): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
            let writers = pages.iter().filter(|pages| **pages > 0).count();
            // Where somebody was not answered in time, it may be the one that was to write.
            if writers == 1 || failed == 0 {
                break (questions.iter().sum(), pages.iter().sum(), writers);
            }
        };
        assert_eq!(writers, 1, "{what}: {pages} pages written");
        ask(true);
        found.push((what, questions, pages, writers, rounds));
    }
    assert_eq!(let_through, 0);
    for (what, questions, pages, writers, rounds) in found {
        tell_fault(
            &format!("revocation log {what}, Redis, found by 100 threads at once"),
            &[
                ("entries", ENTRIES),
                ("pages_written", pages),
                ("writers", writers),
                ("questions", questions),
                ("rounds", rounds),
                ("answers", answers),
                ("let_through", let_through),
            ],
        );
    }
}
