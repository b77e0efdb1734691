//! Processes on the paused time of one runtime, and Redis on the machine's.
//!
//! While one waits for the other, a blocking task is under way, and for so long paused time stands still. To the processes Redis
//! answers at once, and what one announces all have heard when it is said.

use super::super::*;
use super::Cost;
use countersign_cache::RedisCache;
use countersign_testkit::redis_server::RedisServer;
use std::collections::BTreeMap;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

/// The way of one process from paused time to a Redis of real time.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    pub(super) redis: Arc<RedisCache>,
    outside: Handle,
    questions: Arc<AtomicUsize>,
    /// How often this process has been told of the one entry that is announced here.
    told: watch::Receiver<u64>,
    all: Arc<Mutex<Vec<watch::Receiver<u64>>>>,
}

impl Bridge {
    async fn ask<T: Send + 'static>(
        &self,
        question: impl AsyncFnOnce(&RedisCache) -> Result<T, CacheError> + Send + 'static,
    ) -> Result<T, CacheError> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let Self { redis, outside, .. } = self.clone();
        tokio::task::spawn_blocking(move || outside.block_on(question(&redis))).await.expect("an answer")
    }
}

#[async_trait]
impl CacheStore for Bridge {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let key = key.clone();
        self.ask(async move |redis| in_the_end(async || redis.get(&key).await).await).await
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let key = key.clone();
        self.ask(async move |redis| in_the_end(async || redis.find(&key).await).await).await
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        let key = key.clone();
        self.ask(async move |redis| redis.put(&key, value, ttl).await).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        let key = key.clone();
        self.ask(async move |redis| redis.put_new(&key, value, ttl).await).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        let (key, expected) = (key.clone(), expected.to_vec());
        self.ask(async move |redis| redis.compare_and_swap(&key, &expected, new).await).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        let key = key.clone();
        self.ask(async move |redis| redis.add(&key, n, window).await).await
    }
    async fn changed(&self, _: &CacheKey, heard: u64) -> u64 {
        // One was told when the connection began to listen.
        let mut told = self.told.clone();
        let count = *told.wait_for(|count| *count - 1 != heard).await.expect("somebody listens");
        count - 1
    }
    async fn announce(&self, key: &CacheKey) -> Result<(), CacheError> {
        let (key, all) = (key.clone(), Arc::clone(&self.all));
        self.ask(async move |redis| {
            let mut all = all.lock().expect("lock").clone();
            let before: Vec<_> = all.iter().map(|told| *told.borrow()).collect();
            redis.announce(&key).await?;
            // All hear it at once.
            for (told, before) in all.iter_mut().zip(before) {
                timeout(MINUTE, told.wait_for(|count| *count > before)).await.expect("in time").expect("it listens");
            }
            Ok(())
        })
        .await
    }
}

/// What changes nothing is asked again where the machine was too busy to answer.
async fn in_the_end<T>(question: impl AsyncFn() -> Result<T, CacheError>) -> Result<T, CacheError> {
    for _ in 0..100 {
        if let Ok(answer) = question().await {
            return Ok(answer);
        }
    }
    question().await
}

/// A Redis on real time, and processes on paused time.
pub(super) struct Simulation {
    pub(super) inside: Runtime,
    pub(super) outside: Runtime,
    server: RedisServer,
    questions: Arc<AtomicUsize>,
    pub(super) issuer: Issuer,
    pub(super) told: Told,
}

impl Simulation {
    pub(super) fn new() -> Self {
        let outside = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        // One question at a time, so that each is answered within its 100 ms of real time on a busy machine too.
        let inside = Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(1).build();
        let server = outside.block_on(RedisServer::start()).expect("a Redis server");
        Self {
            inside: inside.expect("a runtime"),
            outside,
            server,
            questions: Arc::default(),
            issuer: Issuer::new(2),
            told: Told::default(),
        }
    }

    /// Each has a connection of its own, which is made here, and one that listens for news of this entry.
    pub(super) fn bridges(&self, processes: usize, of: &CacheKey) -> Vec<Bridge> {
        let all = Arc::<Mutex<Vec<_>>>::default();
        let name = fleet_key().cache_key("warm", &[]).expect("a name");
        let bridge = |_| {
            let redis = RedisCache::builder(self.server.url()).build().expect("settings");
            self.outside.block_on(async {
                in_the_end(async || redis.find(&name).await).await.expect("an answer");
                // So that Redis knows this script too.
                in_the_end(async || redis.compare_and_swap(&name, b"", None).await).await.expect("an answer");
            });
            let (redis, all) = (Arc::new(redis), Arc::clone(&all));
            let told = self.listen(&redis, of.clone());
            all.lock().expect("lock").push(told.clone());
            Bridge { redis, outside: self.outside.handle().clone(), questions: Arc::clone(&self.questions), told, all }
        };
        (0..processes).map(bridge).collect()
    }

    /// Who hears on real time, and tells on paused time. It listens when this returns.
    fn listen(&self, redis: &Arc<RedisCache>, of: CacheKey) -> watch::Receiver<u64> {
        let (tells, mut told) = watch::channel(0);
        let redis = Arc::clone(redis);
        self.outside.spawn(async move {
            loop {
                let heard = *tells.borrow();
                tells.send_replace(redis.changed(&of, heard).await);
            }
        });
        self.outside.block_on(async { drop(told.wait_for(|count| *count > 0).await.expect("it listens")) });
        told
    }

    pub(super) fn provider(&self, began: Instant, time_to_live: u32, store: Option<Bridge>) -> JwksProvider {
        let (gate, trouble) = (Gate::open(), Arc::default());
        let builder = JwksProvider::url(URL)
            .fetch(Client { issuer: self.issuer.clone(), gate, trouble })
            .clock(Virtual::new(began, 0))
            .time_to_live(time_to_live * SECOND)
            .observer(self.told.clone());
        match store {
            Some(store) => builder.shared_cache(store, fleet_key()).build(),
            None => builder.build(),
        }
        .expect("a provider")
    }

    /// What is done inside, and what it cost in all.
    pub(super) fn measure<T>(&self, act: impl Future<Output = T>) -> (T, Cost) {
        let before = (self.issuer.fetches(), self.questions.load(Ordering::SeqCst), self.commands());
        let done = self.inside.block_on(act);
        let after = (self.issuer.fetches(), self.questions.load(Ordering::SeqCst), self.commands());
        let counted = |before: usize, after: usize| f64::from(u32::try_from(after - before).expect("a few"));
        let cost = Cost {
            fetches: counted(before.0, after.0),
            questions: counted(before.1, after.1),
            commands: counted(before.2, after.2),
        };
        (done, cost)
    }

    /// How many commands Redis says that it has run: those that questions are made of.
    fn commands(&self) -> usize {
        let asking = async {
            let client = ::redis::Client::open(self.server.url()).expect("a URL");
            let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
            let mut info = ::redis::cmd("INFO");
            info.arg("commandstats").query_async::<String>(&mut connection).await.expect("statistics")
        };
        let told = self.outside.block_on(asking);
        let calls: BTreeMap<_, usize> = told.lines().filter_map(calls).collect();
        ["del", "eval", "evalsha", "exists", "get", "getrange", "pttl", "publish", "set"]
            .iter()
            .filter_map(|name| calls.get(name))
            .sum()
    }
}

/// `cmdstat_get:calls=12,usec=…`
fn calls(line: &str) -> Option<(&str, usize)> {
    let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    Some((name, rest.split(',').next()?.parse().ok()?))
}
