//! The set in use, and the one refresh that may be under way.

use super::discovery::{Source, jwks_uri, metadata_url};
use crate::fetch::{FetchError, JwksFetch};
use crate::gate::{Passage, RefreshGate};
use arc_swap::ArcSwapOption;
use countersign::VerifyingKey;
use countersign::clock::Clock;
use countersign::jwk::JwkSet;
use countersign::keys::{KeyError, KeyIdentity};
use countersign::observe::{Event, Observer};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet, Unavailable};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Why a refresh gave no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The issuer's metadata or its JWK Set could not be fetched.
    #[error("the document could not be fetched")]
    Fetch(#[from] FetchError),
    /// What was fetched is no JWK Set.
    #[error("the document is no JWK Set")]
    Document(#[source] KeyError),
    /// The set has no key that can be used.
    #[error("the set has no usable key")]
    NoUsableKey,
    /// The issuer's metadata cannot be taken.
    #[error("discovery failed: {0}")]
    Discovery(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) time_to_live: Duration,
    pub(super) max_stale: Duration,
    pub(super) max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_secs(10 * 60),
            max_stale: Duration::from_secs(50 * 60),
            max_bytes: 128 * 1024,
        }
    }
}

/// How long a request waits for the first keys of all …
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// … and for newer ones, when there are some.
const NEXT_WAIT: Duration = Duration::from_secs(1);
/// For all of a refresh, metadata included, whatever the HTTP client allows itself.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(15);
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// How long what the issuer's metadata said is taken for granted.
const METADATA_FOR: Duration = Duration::from_secs(60 * 60);
/// How long a key id that a fresh document lacked is remembered, and how many of them.
const ABSENT_FOR: Duration = Duration::from_secs(30);
const MAX_ABSENT: usize = 1024;

/// What a document gave. Swapped whole.
#[derive(Debug)]
struct Snapshot {
    keys: KeySet,
    /// When the request for it was sent.
    fetched_at: SystemTime,
    /// Counts the documents of this process.
    generation: u64,
}

#[derive(Debug)]
pub(super) struct Refresher {
    source: Source,
    fetch: Box<dyn JwksFetch>,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
    limits: Limits,
    snapshot: ArcSwapOption<Snapshot>,
    /// When the next refresh is due, since when one is under way (0: none is), both in milliseconds since 1970, and
    /// whether the last one failed: with the snapshot, all that the path of a known key reads.
    due: AtomicU64,
    under_way_since: AtomicU64,
    is_failing: AtomicBool,
    state: Mutex<State>,
    /// Counts the refreshes that have ended.
    landed: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    flight: Option<UnderWay>,
    /// Counts the refreshes that were started.
    flights: u64,
    /// Failures since the last success.
    failures: u32,
    last_error: Option<Arc<RefreshError>>,
    gate: RefreshGate,
    absent: Absent,
    /// What the issuer's metadata said, and when; forgotten when a fetch from there fails.
    discovered: Option<(String, SystemTime)>,
}

/// The refresh under way.
#[derive(Debug)]
struct UnderWay {
    number: u64,
    since: SystemTime,
    task: Option<AbortHandle>,
}

impl UnderWay {
    /// Whether it should have ended. It has a timer of its own, but a runtime that nobody drives has no timers.
    fn is_overdue(&self, now: SystemTime) -> bool {
        is_overdue(millis(self.since), now)
    }
}

impl Refresher {
    pub(super) fn new(
        source: Source,
        fetch: Box<dyn JwksFetch>,
        clock: Box<dyn Clock>,
        observer: Box<dyn Observer>,
        limits: Limits,
    ) -> Self {
        let state = State {
            flight: None,
            flights: 0,
            failures: 0,
            last_error: None,
            gate: RefreshGate::new(),
            absent: Absent::default(),
            discovered: None,
        };
        Self {
            source,
            fetch,
            clock,
            observer,
            limits,
            snapshot: ArcSwapOption::empty(),
            due: AtomicU64::new(0),
            under_way_since: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            state: Mutex::new(state),
            landed: watch::Sender::new(0),
        }
    }

    pub(super) fn key_now(self: &Arc<Self>, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        if !self.is_asked_for_its_own(wanted) {
            return Some(Err(KeyProviderError::NotFound));
        }
        let now = self.clock.now();
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_ref().filter(|snapshot| self.may_serve(snapshot, now))?;
        if self.is_due(now) {
            if self.is_worth_waiting(snapshot, now) {
                return None;
            }
            // Nobody waits, and where no runtime is at hand, a later request starts it.
            if self.may_start(now) {
                drop(self.start());
            }
        }
        match snapshot.keys.find(wanted) {
            Ok(key) => Some(Ok(key.clone())),
            Err(KeyProviderError::NotFound) => {
                let is_absent = self.state().absent.holds(wanted, now);
                is_absent.then_some(Err(KeyProviderError::NotFound))
            }
            Err(error) => Some(Err(error)),
        }
    }

    pub(super) async fn key(self: &Arc<Self>, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        if let Some(answer) = self.key_now(wanted) {
            return answer;
        }
        let snapshot = self.current().await?;
        match snapshot.keys.find(wanted) {
            Err(KeyProviderError::NotFound) => self.look_further(wanted).await,
            answer => answer.cloned(),
        }
    }

    pub(super) async fn ready(self: &Arc<Self>) -> Result<(), KeyProviderError> {
        self.current().await.map(drop)
    }

    pub(super) fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        match self.usable() {
            Some(snapshot) if self.is_asked_for_its_own(wanted) => snapshot.keys.candidates(wanted),
            _ => Vec::new(),
        }
    }

    pub(super) fn trusts(&self, key: &KeyIdentity) -> bool {
        self.usable().is_some_and(|snapshot| snapshot.keys.trusts(key))
    }

    /// Ends the refresh under way.
    pub(super) fn stop(&self) {
        let flight = self.state().flight.take();
        if let Some(task) = flight.and_then(|flight| flight.task) {
            task.abort();
        }
    }

    /// A set that may serve, fetched now if there is none.
    async fn current(self: &Arc<Self>) -> Result<Arc<Snapshot>, KeyProviderError> {
        let now = self.clock.now();
        let wait = match self.usable() {
            None => FIRST_WAIT,
            Some(snapshot) if self.is_due(now) && self.is_worth_waiting(&snapshot, now) => NEXT_WAIT,
            Some(snapshot) => return Ok(snapshot),
        };
        // After a failure nobody asks again before it is due, however many wait.
        let landed = if self.is_due(now) { self.start() } else { self.under_way() };
        wait_for(landed, wait).await;
        self.usable().ok_or_else(|| self.unavailable())
    }

    /// The set in use lacks the key: a newer one may have it.
    async fn look_further(self: &Arc<Self>, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        if let Some(landed) = self.under_way() {
            wait_for(Some(landed), NEXT_WAIT).await;
            match self.usable().ok_or_else(|| self.unavailable())?.keys.find(wanted) {
                Err(KeyProviderError::NotFound) => {}
                answer => return answer.cloned(),
            }
        }
        let asked_at = self.clock.now();
        let newer_than = match self.may_ask(asked_at) {
            true => {
                let before = self.usable().map_or(0, |snapshot| snapshot.generation);
                wait_for(self.start(), NEXT_WAIT).await;
                before
            }
            false => u64::MAX,
        };
        let snapshot = self.usable().ok_or_else(|| self.unavailable())?;
        match snapshot.keys.find(wanted) {
            Err(KeyProviderError::NotFound) if snapshot.generation > newer_than => {
                self.state().absent.remember(wanted, asked_at);
                Err(KeyProviderError::NotFound)
            }
            // The scheduled refreshes fail too, so that nobody can say what is published.
            Err(KeyProviderError::NotFound) if self.is_stale(&snapshot, asked_at) => Err(self.unavailable()),
            answer => answer.cloned(),
        }
    }

    /// Whether an unknown key id may cause a refresh now.
    fn may_ask(&self, now: SystemTime) -> bool {
        let passage = {
            let mut state = self.state();
            if state.failures > 0 && !self.is_due(now) {
                return false;
            }
            state.gate.pass(now)
        };
        if let Passage::Alert(count) = passage {
            self.observer.observe(&Event::UnknownKeysThrottled { provider: "", count });
        }
        passage == Passage::Open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<Arc<Snapshot>> {
        let now = self.clock.now();
        self.snapshot.load_full().filter(|snapshot| self.may_serve(snapshot, now))
    }

    fn may_serve(&self, snapshot: &Snapshot, now: SystemTime) -> bool {
        snapshot.age(now) < self.limits.time_to_live + self.limits.max_stale
    }

    fn is_stale(&self, snapshot: &Snapshot, now: SystemTime) -> bool {
        snapshot.age(now) >= self.limits.time_to_live
    }

    /// Past its time, without a refresh having been tried: a process that slept. While refreshes fail nobody waits for
    /// the next.
    fn is_worth_waiting(&self, snapshot: &Snapshot, now: SystemTime) -> bool {
        self.is_stale(snapshot, now) && !self.is_failing.load(Ordering::Acquire)
    }

    /// Whether a refresh that is due must be started, told without a lock.
    fn may_start(&self, now: SystemTime) -> bool {
        let since = self.under_way_since.load(Ordering::Acquire);
        since == 0 || is_overdue(since, now)
    }

    /// An issuer that was discovered signs for itself alone (RFC 8725 §3.8).
    fn is_asked_for_its_own(&self, wanted: &KeyRequest<'_>) -> bool {
        match (&self.source, wanted.issuer) {
            (Source::Discovery { issuer }, Some(wanted)) => issuer == wanted,
            _ => true,
        }
    }

    /// Whether a refresh is due. One that lies further ahead than any is ever set stands there because the clock was
    /// put back.
    fn is_due(&self, now: SystemTime) -> bool {
        let wait = self.due_in(now);
        wait.is_zero() || wait > self.limits.time_to_live + BACKOFF_MAX
    }

    fn due_in(&self, now: SystemTime) -> Duration {
        Duration::from_millis(self.due.load(Ordering::Acquire).saturating_sub(millis(now)))
    }

    fn unavailable(&self) -> KeyProviderError {
        let wait = self.due_in(self.clock.now()).clamp(BACKOFF_MIN, BACKOFF_MAX);
        let mut unavailable = Unavailable::default().retry_after(wait);
        unavailable.source = self.state().last_error.clone().map(|error| error as _);
        KeyProviderError::Unavailable(unavailable)
    }

    fn under_way(&self) -> Option<watch::Receiver<u64>> {
        let now = self.clock.now();
        let state = self.state();
        state.flight.as_ref().filter(|flight| !flight.is_overdue(now)).map(|_| self.landed.subscribe())
    }

    /// Joins the refresh under way, or starts one. `None` where no tokio runtime is at hand.
    pub(super) fn start(self: &Arc<Self>) -> Option<watch::Receiver<u64>> {
        let runtime = Handle::try_current().ok()?;
        let since = self.clock.now();
        let (landed, number, overdue) = {
            let mut state = self.state();
            // No flight lands while the lock is held, so this one's landing is not missed.
            let landed = self.landed.subscribe();
            if state.flight.as_ref().is_some_and(|flight| !flight.is_overdue(since)) {
                return Some(landed);
            }
            state.flights += 1;
            let number = state.flights;
            let overdue = state.flight.replace(UnderWay { number, since, task: None });
            self.under_way_since.store(millis(since).max(1), Ordering::Release);
            (landed, number, overdue)
        };
        if let Some(task) = overdue.and_then(|flight| flight.task) {
            task.abort();
        }
        // Without the lock: a runtime that shuts down drops the task on the spot, and its end takes the lock.
        let flight = Flight { refresher: Arc::clone(self), number, has_outcome: false };
        let task = runtime.spawn(flight.run()).abort_handle();
        if let Some(flight) = self.state().flight.as_mut().filter(|flight| flight.number == number) {
            flight.task = Some(task);
        }
        Some(landed)
    }

    async fn fetch_keys(&self) -> Result<KeySet, RefreshError> {
        let url = match &self.source {
            Source::JwksUri(url) => url.clone(),
            Source::Discovery { issuer } => self.discovered(issuer).await?,
        };
        let document = self.fetch.fetch(&url, self.limits.max_bytes).await?;
        let text = std::str::from_utf8(&document.body)
            .map_err(|_| RefreshError::Document(KeyError::Malformed("not UTF-8")))?;
        let keys = KeySet::from_jwks(&JwkSet::parse(text).map_err(RefreshError::Document)?);
        if keys.is_empty() { Err(RefreshError::NoUsableKey) } else { Ok(keys) }
    }

    async fn discovered(&self, issuer: &str) -> Result<String, RefreshError> {
        let now = self.clock.now();
        let known = self.state().discovered.clone();
        match known {
            Some((url, at)) if now.duration_since(at).is_ok_and(|age| age < METADATA_FOR) => return Ok(url),
            _ => {}
        }
        let metadata = self.fetch.fetch(&metadata_url(issuer), self.limits.max_bytes).await?;
        let url = jwks_uri(&metadata.body, issuer).map_err(RefreshError::Discovery)?;
        self.state().discovered = Some((url.clone(), now));
        Ok(url)
    }

    fn install(&self, state: &mut State, keys: KeySet, fetched_at: SystemTime) {
        state.failures = 0;
        state.last_error = None;
        state.absent = Absent::default();
        let generation = self.snapshot.load().as_ref().map_or(1, |before| before.generation + 1);
        self.snapshot.store(Some(Arc::new(Snapshot { keys, fetched_at, generation })));
        self.is_failing.store(false, Ordering::Release);
        // Four fifths of the time, give or take a tenth, so that a fleet does not fetch in step.
        let ahead = self.limits.time_to_live.mul_f64(0.8 + 0.1 * (2.0 * random_fraction() - 1.0));
        self.due.store(millis(fetched_at + ahead), Ordering::Release);
    }

    fn back_off(&self, state: &mut State) {
        state.failures = state.failures.saturating_add(1);
        state.discovered = None;
        self.is_failing.store(true, Ordering::Release);
        let doubled = BACKOFF_MIN.saturating_mul(1 << state.failures.saturating_sub(1).min(10));
        let backoff = doubled.min(BACKOFF_MAX).mul_f64(0.5 + 0.5 * random_fraction());
        self.due.store(millis(self.clock.now() + backoff), Ordering::Release);
    }
}

/// A refresh under way. However it ends, those who wait are told.
struct Flight {
    refresher: Arc<Refresher>,
    number: u64,
    has_outcome: bool,
}

impl Flight {
    async fn run(mut self) {
        let refresher = Arc::clone(&self.refresher);
        let sent_at = refresher.clock.now();
        let outcome = match tokio::time::timeout(FLIGHT_TIMEOUT, refresher.fetch_keys()).await {
            Ok(outcome) => outcome.map_err(Arc::new),
            Err(elapsed) => Err(Arc::new(FetchError::Transport(elapsed.into()).into())),
        };
        let event_source = outcome.as_ref().map(|keys| (keys.len(), keys.quarantined().len())).map_err(Arc::clone);
        {
            let mut state = refresher.state();
            // One that was given up for overdue has no say any longer.
            if !self.is_current(&state) {
                return;
            }
            self.has_outcome = true;
            match outcome {
                Ok(keys) => refresher.install(&mut state, keys, sent_at),
                Err(error) => {
                    state.last_error = Some(error);
                    refresher.back_off(&mut state);
                }
            }
        }
        drop(event_source);
    }

    fn is_current(&self, state: &State) -> bool {
        state.flight.as_ref().is_some_and(|flight| flight.number == self.number)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.refresher.state();
        if self.is_current(&state) {
            state.flight = None;
            self.refresher.under_way_since.store(0, Ordering::Release);
            // It panicked, or its runtime went away.
            if !self.has_outcome {
                self.refresher.back_off(&mut state);
            }
        }
        // Under the lock, so that it wakes nobody who waits for the next one.
        self.refresher.landed.send_modify(|count| *count += 1);
    }
}

impl Snapshot {
    /// How old it is; zero where the clock was put back.
    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.fetched_at).unwrap_or_default()
    }
}

/// Whether a refresh that was started then should have ended, whichever way the clock went.
fn is_overdue(since: u64, now: SystemTime) -> bool {
    millis(now).abs_diff(since) >= duration_millis(FLIGHT_TIMEOUT + NEXT_WAIT)
}

async fn wait_for(landed: Option<watch::Receiver<u64>>, at_most: Duration) {
    if let Some(mut landed) = landed {
        // Whether it landed, and how, is seen in the snapshot.
        let _ = tokio::time::timeout(at_most, landed.changed()).await;
    }
}

fn millis(time: SystemTime) -> u64 {
    duration_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Between 0 and 1: each `RandomState` has keys of its own. For jitter, not for secrets.
fn random_fraction() -> f64 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0).to_le_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// Key ids that a fresh document lacked. Hashed with a key of this process, so that nobody can make two collide.
#[derive(Debug, Default)]
struct Absent {
    hasher: RandomState,
    until: HashMap<u64, SystemTime>,
    in_order: VecDeque<u64>,
}

impl Absent {
    fn hash(&self, wanted: &KeyRequest<'_>) -> u64 {
        self.hasher.hash_one((wanted.key_id, wanted.algorithm))
    }

    fn holds(&self, wanted: &KeyRequest<'_>, now: SystemTime) -> bool {
        self.until.get(&self.hash(wanted)).is_some_and(|until| now < *until)
    }

    fn remember(&mut self, wanted: &KeyRequest<'_>, now: SystemTime) {
        let hash = self.hash(wanted);
        if self.until.insert(hash, now + ABSENT_FOR).is_none() {
            self.in_order.push_back(hash);
        }
        if self.in_order.len() > MAX_ABSENT
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.until.remove(&oldest);
        }
    }
}
