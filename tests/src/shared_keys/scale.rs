//! What a fleet costs its issuer and its Redis: the model of docs/SCALE.md, and a fleet that is simulated and agrees with it.
//!
//! The processes live on the paused time of one runtime, and Redis on the machine's: while one waits for the other, a
//! blocking task is under way, and for so long paused time stands still. To the processes Redis answers at once.

use super::*;
use countersign::revocation::RevocationLog;
use countersign_cache::{Follower, RedisCache};
use countersign_testkit::redis_server::RedisServer;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use tokio::runtime::{Builder, Handle, Runtime};

/// What is asserted of the simulation.
const AGREES_WITHIN: f64 = 0.2;

/// The defaults: of the time to live, and of the bound of a revocation log.
const TIME_TO_LIVE: f64 = 600.0;
const BOUND: f64 = 5.0;
/// Between two looks of one process: 10 s, a tenth earlier or less.
const BETWEEN_LOOKS: f64 = 9.5;
/// Between two `PING`s of a connection that listens.
const BETWEEN_PINGS: f64 = 5.0;
/// Where a look finds something, Redis runs the script, and `PTTL` and `GETRANGE` in it.
const FIND: f64 = 3.0;
/// `EVALSHA`, `GET`, and `SET` or `DEL`.
const SWAP: f64 = 3.0;
/// `SET … NX`.
const PLAIN: f64 = 1.0;
/// `EVALSHA` and `GETRANGE`.
const GET: f64 = 2.0;

/// In a minute, or at one event.
#[derive(Clone, Copy, Debug)]
struct Cost {
    fetches: f64,
    /// Round trips.
    questions: f64,
    /// What Redis runs, that in scripts included.
    commands: f64,
}

/// A minute of a fleet that shares its keys, which live for so many seconds.
fn shared(processes: f64, time_to_live: f64) -> Cost {
    // Each draws a time from seven to nine tenths of the time to live, and the first of them refreshes.
    let refreshes = 60.0 / (time_to_live * (0.7 + 0.2 / (processes + 1.0)));
    let looks = processes * 60.0 / BETWEEN_LOOKS;
    // Those whose own time comes before they have looked again find what the first one fetched: one question more.
    let late = (processes - 1.0) * (BETWEEN_LOOKS / 2.0) / (0.2 * time_to_live);
    Cost {
        fetches: refreshes,
        // Of the leader: look, lease, look again, claim, publish, release.
        questions: looks + refreshes * (6.0 + late),
        commands: looks * FIND + refreshes * (2.0 * FIND + PLAIN + 3.0 * SWAP + late * FIND),
    }
}

/// A minute of as many that share nothing.
fn alone(processes: f64) -> Cost {
    Cost { fetches: processes * 60.0 / (0.8 * TIME_TO_LIVE), questions: 0.0, commands: 0.0 }
}

/// The moment when all of a fleet start, with nothing in Redis and a fetch that takes so many seconds.
fn cold_start(processes: f64, fetch: f64) -> Cost {
    let others = processes - 1.0;
    // In vain at first, and then again after 50 to 150 ms each time until the document is there.
    let in_vain = fetch / 0.1 + 13.0 / 24.0;
    Cost {
        fetches: 1.0,
        questions: 6.0 + others * (3.0 * in_vain + 1.0),
        commands: (2.0 * FIND + PLAIN + 3.0 * SWAP) + others * (in_vain * (FIND + PLAIN + GET) + FIND),
    }
}

/// A minute in which all of a fleet are asked all the time, and at once, for keys that nobody has.
fn made_up_ids(processes: f64, fetch: f64) -> Cost {
    // One in 5 s gets through the gate of each process, and of those that ask at once one fetches. Who asks later learns that
    // the fleet has asked.
    let (looks, once) = (processes * 60.0 / BETWEEN_LOOKS, cold_start(processes, fetch));
    Cost { fetches: 12.0, questions: looks + 12.0 * once.questions, commands: looks * FIND + 12.0 * once.commands }
}

/// A minute of a fleet that follows a revocation log to which nothing is added.
fn revocations(processes: f64) -> Cost {
    // Each asks once in an interval, and one of them adds a tick.
    let (looks, ticks) = (processes * 60.0 / (BOUND / 5.0), 60.0 / (BOUND / 5.0));
    Cost { fetches: 0.0, questions: looks + ticks, commands: looks * FIND + ticks * SWAP }
}

/// The way of one process from paused time to a Redis of real time.
#[derive(Clone, Debug)]
struct Bridge {
    redis: Arc<RedisCache>,
    outside: Handle,
    questions: Arc<AtomicUsize>,
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
struct Simulation {
    inside: Runtime,
    outside: Runtime,
    server: RedisServer,
    questions: Arc<AtomicUsize>,
    issuer: Issuer,
    told: Told,
}

impl Simulation {
    fn new() -> Self {
        let outside = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        // One question at a time, so that each is answered within its 100 ms of real time on a busy machine too.
        let inside = Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(1).build();
        let server = outside.block_on(RedisServer::start()).expect("a Redis server");
        Self {
            inside: inside.expect("a runtime"),
            outside,
            server,
            questions: Arc::default(),
            issuer: Issuer::new(1),
            told: Told::default(),
        }
    }

    /// Each has a connection of its own, which is made here.
    fn bridges(&self, processes: usize) -> Vec<Bridge> {
        let name = fleet_key().cache_key("warm", &[]).expect("a name");
        let bridge = |_| {
            let redis = RedisCache::builder(self.server.url()).build().expect("settings");
            self.outside.block_on(async {
                in_the_end(async || redis.find(&name).await).await.expect("an answer");
                // So that Redis knows this script too.
                in_the_end(async || redis.compare_and_swap(&name, b"", None).await).await.expect("an answer");
            });
            Bridge {
                redis: Arc::new(redis),
                outside: self.outside.handle().clone(),
                questions: Arc::clone(&self.questions),
            }
        };
        (0..processes).map(bridge).collect()
    }

    fn provider(&self, began: Instant, time_to_live: u32, store: Option<Bridge>) -> JwksProvider {
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
    fn measure<T>(&self, act: impl Future<Output = T>) -> (T, Cost) {
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
        ["del", "eval", "evalsha", "exists", "get", "getrange", "pttl", "set"]
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

/// A line for what was simulated, and what disagrees with the model.
struct Table {
    text: String,
    disagreements: Vec<String>,
}

impl Table {
    fn new() -> Self {
        let mut text = format!("\n{:<12} {:>9} {:>7}", "", "processes", "minutes");
        for of in ["fetches", "questions", "commands"] {
            write!(text, " {of:>9} {:>9} {:>5}", "model", "ratio").expect("text");
        }
        text.push('\n');
        Self { text, disagreements: Vec::new() }
    }

    /// `model` is of a minute, or, where there are none, of the event.
    fn row(&mut self, what: &str, processes: usize, minutes: u32, found: Cost, model: Cost) {
        write!(self.text, "{what:<12} {processes:>9} {minutes:>7}").expect("text");
        for (of, found, model) in [
            ("fetches", found.fetches, model.fetches),
            ("questions", found.questions, model.questions),
            ("commands", found.commands, model.commands),
        ] {
            let model = model * f64::from(minutes.max(1));
            if model == 0.0 {
                write!(self.text, " {found:>9} {model:>9} {:>5}", "").expect("text");
            } else {
                write!(self.text, " {found:>9} {model:>9.1} {:>5.2}", found / model).expect("text");
            }
            if (found - model).abs() > AGREES_WITHIN * model {
                self.disagreements.push(format!("{what}, {processes} processes, {of}: {found} and not {model:.1}"));
            }
        }
        self.text.push('\n');
    }
}

/// All are asked for one key that nobody has, each second.
async fn flood(keys: &[JwksProvider], seconds: u64) {
    for _ in 0..seconds {
        let id = format!("made up {:?}", Instant::now());
        let asking = keys.iter().map(|keys| {
            let id = &id;
            async move { keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some(id))).await.is_ok() }
        });
        let began = Instant::now();
        assert!(!futures_util::future::join_all(asking).await.contains(&true));
        tokio::time::sleep_until(began + SECOND).await;
    }
}

#[test]
fn a_simulated_fleet_costs_what_the_model_says() {
    let table = (0..3).find_map(|_| simulated()).expect("a machine that is not too busy");
    // Not by `println!`, which is kept from whoever runs the tests.
    std::io::stdout().write_all(table.text.as_bytes()).expect("stdout");
    assert!(table.disagreements.is_empty(), "{:?}\n{}", table.disagreements, table.text);
}

/// `None` where a write was not answered in time: then some have fetched alone, as they should.
fn simulated() -> Option<Table> {
    let mut table = Table::new();
    for (what, processes, time_to_live, minutes) in
        [("shared", 8, 600, 60), ("shared", 200, 600, 15), ("shared 1 min", 200, 60, 5)]
    {
        let count = f64::from(u32::try_from(processes).expect("a few"));
        let world = Simulation::new();
        let bridges = world.bridges(processes);
        let fetch = world.issuer.0.takes.as_secs_f64();
        let (keys, cost) = world.measure(async {
            let began = Instant::now();
            let keys: Vec<_> =
                bridges.iter().map(|bridge| world.provider(began, time_to_live, Some(bridge.clone()))).collect();
            let ready = futures_util::future::join_all(keys.iter().map(JwksProvider::ready)).await;
            assert!(ready.iter().all(Result::is_ok));
            keys
        });
        // Of a few the chance of each shows.
        if processes == 200 && time_to_live == 600 {
            table.row("cold start", processes, 0, cost, cold_start(count, fetch));
        }
        let ((), cost) = world.measure(async { sleep(minutes * MINUTE).await });
        table.row(what, processes, minutes, cost, shared(count, time_to_live.into()));
        if processes == 8 {
            world.inside.block_on(flood(&keys, 10));
            let ((), cost) = world.measure(flood(&keys, 240));
            table.row("made-up ids", processes, 4, cost, made_up_ids(count, fetch));
        }
        if world.told.count("cache failed") > 0 {
            return None;
        }
        let kept = world.outside.block_on(bridges[0].redis.get(&document_name())).expect("get").expect("a document");
        let document = set_of(&[&world.issuer.0.keys[0]]);
        assert!(kept.len() < document.len() + 512, "{} and {}", kept.len(), document.len());
    }
    let world = Simulation::new();
    let (keys, _) = world.measure(async {
        // Out of step from the start.
        let (began, mut keys) = (Instant::now(), Vec::new());
        for _ in 0..200 {
            keys.push(world.provider(began, 600, None));
            keys[keys.len() - 1].ready().await.expect("keys");
            sleep(8 * MINUTE / 200).await;
        }
        keys
    });
    let ((), cost) = world.measure(async { sleep(24 * MINUTE).await });
    table.row("alone", 200, 24, cost, alone(200.0));
    drop(keys);
    let bridges = world.bridges(100);
    let (followers, _) = world.measure(async {
        let began = Instant::now();
        let logs = bridges.into_iter().map(|bridge| {
            let builder = RevocationLog::builder(bridge, fleet_key()).clock(Virtual::new(began, 0));
            Arc::new(builder.observer(world.told.clone()).build().expect("a log"))
        });
        let followers: Vec<_> = logs.map(|log| Follower::start(log).expect("a runtime")).collect();
        sleep(SECOND / 2).await;
        followers
    });
    let ((), cost) = world.measure(async { sleep(MINUTE).await });
    table.row("revocations", 100, 1, cost, revocations(100.0));
    drop(followers);
    (world.told.count("cache failed") == 0).then_some(table)
}

#[test]
fn the_table_of_the_note_is_the_models() {
    let note = include_str!("../../../docs/SCALE.md");
    let mut table = String::from("\n");
    for processes in [10.0, 100.0, 1_000.0] {
        let (shared, alone, revocations) = (shared(processes, TIME_TO_LIVE), alone(processes), revocations(processes));
        let start = cold_start(processes, 0.15);
        let pings = 60.0 * processes / BETWEEN_PINGS;
        let numbers = [shared.fetches, alone.fetches, shared.questions, shared.commands, revocations.questions, pings];
        let per_minute: Vec<_> = numbers.iter().map(|number| rounded(*number)).collect();
        let at_start = [rounded(start.questions), rounded(start.commands)];
        writeln!(table, "| {processes} | {} | {} |", per_minute.join(" | "), at_start.join(" | ")).expect("text");
    }
    std::io::stdout().write_all(table.as_bytes()).expect("stdout");
    for row in table.lines() {
        assert!(note.contains(row), "docs/SCALE.md lacks {row}");
    }
}

/// To two places where it is small.
fn rounded(number: f64) -> String {
    if number < 10.0 { format!("{number:.2}") } else { format!("{number:.0}") }
}
