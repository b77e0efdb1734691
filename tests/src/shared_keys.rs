//! Keys that several processes share: one fetches, and all have what it fetched.

mod deployments;
mod hostile;
mod order;
mod redis;
mod scale;
mod turns;

use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, FleetKey, Found};
use countersign::clock::Clock;
use countersign::jwk::JwkSet;
use countersign::observe::{Event, Observer};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::{Algorithm, Bytes, SigningKey, async_trait};
use countersign_cache::MemoryCache;
use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch, JwksProvider, JwksProviderBuilder};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const START: u64 = 1_800_000_000;
const URL: &str = "https://issuer.example/jwks";

/// A request waits no longer for the first keys of all, and no longer for newer ones.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const NEXT_WAIT: Duration = SECOND;

fn fleet_key() -> FleetKey {
    FleetKey::new([7; 32]).expect("a key")
}

/// Where the fleet keeps the document.
fn document_name() -> CacheKey {
    fleet_key().cache_key("jwks-document", &[b"url", URL.as_bytes(), b""]).expect("a name")
}

fn lease_name() -> CacheKey {
    fleet_key().cache_key("jwks-lease", &[b"url", URL.as_bytes(), b""]).expect("a name")
}

fn key(id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id(id).expect("a kid")
}

fn set_of(keys: &[&SigningKey]) -> String {
    let set: JwkSet = keys.iter().filter_map(|key| key.verifying_key().jwk()).collect();
    serde_json::to_string(&set).expect("JSON")
}

/// The runtime's time, which tests let pass at will, as one process sees it: its clock may be wrong.
#[derive(Clone, Debug)]
struct Virtual {
    /// When the world was at [`START`].
    began: Instant,
    /// When the process started.
    started: Instant,
    ahead_by: Arc<AtomicI64>,
}

impl Virtual {
    fn new(began: Instant, ahead_by: i64) -> Self {
        Self { began, started: Instant::now(), ahead_by: Arc::new(AtomicI64::new(ahead_by)) }
    }
}

impl Clock for Virtual {
    fn now(&self) -> SystemTime {
        let ahead_by = self.ahead_by.load(Ordering::SeqCst);
        let start = START.checked_add_signed(ahead_by).expect("a time after 1970");
        UNIX_EPOCH + Duration::from_secs(start) + self.began.elapsed()
    }
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Open, or not: what waits for it goes on when it is opened.
#[derive(Clone, Debug)]
struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    fn open() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
    fn set(&self, is_open: bool) {
        self.0.send_replace(is_open);
    }
    async fn pass(&self) {
        self.0.subscribe().wait_for(|is_open| *is_open).await.expect("this holds the sender");
    }
}

/// An issuer that publishes one key at a time, `v1`, `v2` and so on, and takes its time to say so.
#[derive(Clone, Debug)]
struct Issuer(Arc<Publisher>);

#[derive(Debug)]
struct Publisher {
    version: AtomicUsize,
    is_down: Mutex<bool>,
    fetches: AtomicUsize,
    keys: Vec<SigningKey>,
    takes: Duration,
}

impl Issuer {
    fn new(versions: usize) -> Self {
        let keys = (1..=versions).map(|version| key(&format!("v{version}"))).collect();
        let takes = Duration::from_millis(150);
        let version = AtomicUsize::new(1);
        Self(Arc::new(Publisher { version, is_down: Mutex::new(false), fetches: AtomicUsize::new(0), keys, takes }))
    }
    fn rotate(&self) {
        self.0.version.fetch_add(1, Ordering::SeqCst);
    }
    fn version(&self) -> usize {
        self.0.version.load(Ordering::SeqCst)
    }
    fn is_down(&self, is_down: bool) {
        *self.0.is_down.lock().expect("lock") = is_down;
    }
    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }
    /// The version whose key this provider trusts, from memory alone.
    fn version_in_use(&self, keys: &JwksProvider) -> Option<usize> {
        self.0.keys.iter().position(|key| keys.trusts(&key.verifying_key().identity())).map(|at| at + 1)
    }
}

/// The way of one process to the issuer.
#[derive(Debug)]
struct Client {
    issuer: Issuer,
    gate: Gate,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// What comes of each fetch of one process.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    NoConnection,
    Status(u16),
    /// It comes so much later.
    Late(Duration),
}

#[async_trait]
impl JwksFetch for Client {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let late = match *self.trouble.lock().expect("lock") {
            Some(Trouble::NoConnection) => return Err(FetchError::Connect("on purpose".into())),
            Some(Trouble::Status(status)) => return Err(FetchError::status(status, None)),
            Some(Trouble::Late(late)) => late,
            None => Duration::ZERO,
        };
        let publisher = &self.issuer.0;
        publisher.fetches.fetch_add(1, Ordering::SeqCst);
        let is_down = *publisher.is_down.lock().expect("lock");
        let published = set_of(&[&publisher.keys[self.issuer.version() - 1]]);
        sleep(publisher.takes + late).await;
        self.gate.pass().await;
        if is_down { Err(FetchError::status(500, None)) } else { Ok(Fetched::new(published)) }
    }
}

/// What a store does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    Fails,
    Hangs,
    /// Answers after this time.
    Slow(Duration),
    /// Does what it is asked, and says that it failed.
    Lies,
    Panics,
}

/// The way of one process to the store.
#[derive(Clone, Debug)]
struct Way(Arc<Road>);

#[derive(Debug)]
struct Road {
    store: Arc<MemoryCache>,
    mood: Mutex<Mood>,
    questions: AtomicUsize,
    gate: Gate,
    /// Whether it tells what is left of an entry's time.
    tells_time: bool,
    /// How often something was announced, as anybody can: to all who use the store.
    news: Arc<watch::Sender<u64>>,
    /// Whether it is told.
    hears: AtomicBool,
}

impl Way {
    fn set(&self, mood: Mood) {
        *self.0.mood.lock().expect("lock") = mood;
    }
    fn questions(&self) -> usize {
        self.0.questions.load(Ordering::SeqCst)
    }
    fn hears(&self, hears: bool) {
        self.0.hears.store(hears, Ordering::SeqCst);
    }
    async fn ask<T>(&self, answer: impl Future<Output = Result<T, CacheError>>) -> Result<T, CacheError> {
        self.0.questions.fetch_add(1, Ordering::SeqCst);
        self.0.gate.pass().await;
        let mood = *self.0.mood.lock().expect("lock");
        match mood {
            Mood::Well => answer.await,
            Mood::Fails => Err(CacheError::because("on purpose")),
            Mood::Hangs => std::future::pending().await,
            Mood::Slow(time) => {
                sleep(time).await;
                answer.await
            }
            Mood::Lies => answer.await.and(Err(CacheError::because("on purpose"))),
            Mood::Panics => panic!("nobody is to ask"),
        }
    }
}

#[async_trait]
impl CacheStore for Way {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.ask(self.0.store.get(key)).await
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let found = self.ask(self.0.store.find(key)).await?;
        Ok(found.map(|found| if self.0.tells_time { found } else { Found::new(found.value, None) }))
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.ask(self.0.store.put(key, value, ttl)).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        self.ask(self.0.store.put_new(key, value, ttl)).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        self.ask(self.0.store.compare_and_swap(key, expected, new)).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.ask(self.0.store.add(key, n, window)).await
    }
    async fn changed(&self, key: &CacheKey, heard: u64) -> u64 {
        if *key != document_name() || !self.0.hears.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let count = *self.0.news.subscribe().wait_for(|count| *count != heard).await.expect("this holds the sender");
        self.0.gate.pass().await;
        count
    }
    async fn announce(&self, key: &CacheKey) -> Result<(), CacheError> {
        if *key == document_name() {
            self.ask(async { Ok(()) }).await?;
            self.0.news.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}

/// What was told of shared keys and of refreshes, in a word or two each.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn count(&self, word: &str) -> usize {
        self.0.lock().expect("lock").iter().filter(|told| *told == word).count()
    }
}

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        let word = match event {
            Event::SharedKeys { outcome, .. } => outcome.name().to_owned(),
            Event::KeysRefreshed { trigger, .. } => format!("by {}", trigger.name()),
            Event::KeysRefreshFailed { kind, .. } => format!("failed: {kind}"),
            Event::CacheFailed { .. } => "cache failed".to_owned(),
            _ => return,
        };
        self.0.lock().expect("lock").push(word);
    }
}

/// A process: a provider, its way to the store and its clock.
struct Process {
    keys: Arc<JwksProvider>,
    way: Way,
    clock: Virtual,
    told: Told,
    /// Closed, it does nothing: neither the issuer's answers nor the store's reach it.
    gate: Gate,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

impl Process {
    /// Whether it has this key, and how long it took to tell.
    async fn ask(&self, id: &str) -> (&'static str, Duration) {
        let asked_at = Instant::now();
        let answer = match self.keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some(id))).await {
            Ok(_) => "key",
            Err(KeyProviderError::NotFound) => "not found",
            Err(_) => "unavailable",
        };
        (answer, asked_at.elapsed())
    }

    fn has_trouble(&self, trouble: impl Into<Option<Trouble>>) {
        *self.trouble.lock().expect("lock") = trouble.into();
    }

    async fn has(&self, id: &str) -> bool {
        self.ask(id).await.0 == "key"
    }
}

/// An issuer, a store, and who uses them.
struct Fleet {
    began: Instant,
    issuer: Issuer,
    store: Arc<MemoryCache>,
    news: Arc<watch::Sender<u64>>,
    processes: Vec<Process>,
}

impl Fleet {
    fn new(processes: usize) -> Self {
        Self::with(processes, |_| 0, true)
    }

    fn with(processes: usize, ahead_by: impl Fn(usize) -> i64, tells_time: bool) -> Self {
        let began = Instant::now();
        let store = Arc::new(MemoryCache::with_clock(Virtual::new(began, 0)));
        let news = Arc::new(watch::Sender::new(0));
        let mut fleet = Self { began, issuer: Issuer::new(9), store, news, processes: Vec::new() };
        for at in 0..processes {
            let process = fleet.process(ahead_by(at), tells_time, |builder| builder);
            fleet.processes.push(process);
        }
        fleet
    }

    fn process(
        &self,
        ahead_by: i64,
        tells_time: bool,
        settings: impl FnOnce(JwksProviderBuilder) -> JwksProviderBuilder,
    ) -> Process {
        let (gate, told, clock) = (Gate::open(), Told::default(), Virtual::new(self.began, ahead_by));
        let trouble = Arc::<Mutex<Option<Trouble>>>::default();
        let way = Way(Arc::new(Road {
            store: Arc::clone(&self.store),
            mood: Mutex::new(Mood::Well),
            questions: AtomicUsize::new(0),
            gate: gate.clone(),
            tells_time,
            news: Arc::clone(&self.news),
            hears: AtomicBool::new(true),
        }));
        let builder = JwksProvider::url(URL)
            .fetch(Client { issuer: self.issuer.clone(), gate: gate.clone(), trouble: Arc::clone(&trouble) })
            .clock(clock.clone())
            .observer(told.clone())
            .shared_cache(way.clone(), fleet_key());
        let keys = Arc::new(settings(builder).build().expect("a provider"));
        Process { keys, way, clock, told, gate, trouble }
    }

    /// What all answer when asked at once, and the longest that one took.
    async fn ask_all(&self, id: &str) -> (Vec<&'static str>, Duration) {
        let answers = futures_util::future::join_all(self.processes.iter().map(|process| process.ask(id))).await;
        let longest = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
        (answers.into_iter().map(|(answer, _)| answer).collect(), longest)
    }

    /// Nobody is told anything: what is left are the looks.
    fn without_news(self) -> Self {
        self.processes.iter().for_each(|process| process.way.hears(false));
        self
    }

    async fn kept(&self) -> Bytes {
        self.store.get(&document_name()).await.expect("get").expect("a document")
    }

    async fn put(&self, name: &CacheKey, value: impl Into<Bytes>) {
        self.store.put(name, value.into(), 3_600 * SECOND).await.expect("put");
    }

    async fn flush(&self) {
        for name in [document_name(), lease_name()] {
            self.store.remove(&name).await.expect("remove");
        }
    }

    fn told(&self, word: &str) -> usize {
        self.processes.iter().map(|process| process.told.count(word)).sum()
    }
}
