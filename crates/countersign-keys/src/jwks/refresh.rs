//! The set in use, and the one refresh that may be under way.

mod install;
mod keeper;
mod report;

use super::absent::Absent;
use super::discovery::Source;
use super::flight::{Discovered, Flight};
use super::runtime::{AbortHandle, AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, Spawner, within};
use super::shared::Shared;
use super::snapshot::{Moment, Snapshot};
use crate::fetch::{FetchError, JwksFetch};
use crate::gate::{PERIOD, Passage, RefreshGate};
use arc_swap::ArcSwapOption;
use countersign::VerifyingKey;
use countersign::clock::{Alarm, Clock};
use countersign::crypto::Backend;
use countersign::keys::{KeyError, KeyIdentity};
use countersign::observe::{Event, Observer, RefreshTrigger, UnknownKeyOutcome};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
use keeper::Keeper;
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Why a refresh gave no keys.
///
/// ```
/// use countersign::provider::KeyProviderError;
/// use countersign_keys::{JwksProvider, RefreshError};
///
/// /// What to tell whoever has asked for a refresh.
/// async fn refresh(keys: &JwksProvider) -> Result<(), &'static str> {
///     let Err(KeyProviderError::Unavailable(unavailable)) = keys.refresh_now().await else { return Ok(()) };
///     let why = unavailable.source.as_deref().and_then(|source| source.downcast_ref::<RefreshError>());
///     Err(why.map_or("unknown", RefreshError::kind))
/// }
/// ```
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
    Discovery(Cow<'static, str>),
    /// It did not end: it took too long, or its runtime went away.
    #[error("the refresh did not end")]
    Abandoned,
    /// Another process that shares its keys with this one could not refresh them a moment ago, and nobody asks again for so
    /// long.
    #[error("another process could not refresh the keys either")]
    #[non_exhaustive]
    Paused {
        /// What is left of the pause.
        retry_after: Duration,
    },
    /// Nobody asks on a tokio runtime, which alone could fetch.
    #[error("there is no tokio runtime to fetch on")]
    NoRuntime,
}

impl RefreshError {
    /// The name for metric labels.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.kind(),
            Self::Document(_) => "document",
            Self::NoUsableKey => "no_usable_key",
            Self::Discovery(_) => "discovery",
            Self::Abandoned => "abandoned",
            Self::Paused { .. } => "paused",
            Self::NoRuntime => "no_runtime",
        }
    }

    /// Whether it may be for reasons that other processes do not have.
    pub(super) fn may_be_ours(&self) -> bool {
        use FetchError::{Address, Connect, Status, Timeout, Tls, Transport};
        match self {
            Self::Abandoned | Self::Fetch(Address | Connect(_) | Timeout(_) | Tls(_) | Transport(_)) => true,
            // What a proxy on the way says who lets others pass. An issuer in trouble says another thing, and so does one that
            // is asked too often.
            Self::Fetch(Status { status, .. }) => (400..500).contains(status) && *status != 429,
            _ => false,
        }
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after(&self) -> Duration {
        match self {
            Self::Fetch(FetchError::Status { retry_after: Some(wait), .. }) | Self::Paused { retry_after: wait } => {
                *wait
            }
            _ => Duration::ZERO,
        }
    }
}

/// How a provider was set up.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) fetch: Box<dyn JwksFetch>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) alarm: Arc<dyn Alarm>,
    pub(super) observer: Box<dyn Observer>,
    /// The default backend where it is not set.
    pub(super) backend: Option<Box<dyn Backend>>,
    /// Where the server says nothing.
    pub(super) time_to_live: Duration,
    pub(super) heeds_cache_headers: bool,
    pub(super) max_stale: Duration,
    pub(super) max_bytes: usize,
    pub(super) alert_threshold: u64,
    /// Where several processes share what one of them has fetched.
    pub(super) shared: Option<Shared>,
}

/// How long a request waits for the first keys of all …
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// … and for newer ones, when there are some.
const NEXT_WAIT: Duration = Duration::from_secs(1);
/// For all of a refresh, metadata included, whatever the HTTP client allows itself.
pub(super) const FLIGHT_TIMEOUT: Duration = Duration::from_secs(15);
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Between two refreshes that the application asks for.
const FLOOR: Duration = Duration::from_secs(1);
/// What the clocks of processes that share their keys may differ by. What is further ahead counts for nothing.
pub(super) const MAX_SKEW: Duration = Duration::from_secs(120);
/// What a server can make of the time to live.
pub(super) const MIN_TIME_TO_LIVE: Duration = Duration::from_secs(60);
pub(super) const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(super) struct Refresher {
    pub(super) settings: Settings,
    pub(super) snapshot: ArcSwapOption<Snapshot>,
    /// When the next refresh is due, since when one is under way (0: none is), both in milliseconds of monotonic time, and
    /// whether the last one failed: with the snapshot, all that the path of a known key reads.
    due: AtomicU64,
    under_way_since: AtomicU64,
    is_failing: AtomicBool,
    state: Mutex<State>,
    /// Counts the refreshes that have ended …
    landings: AtomicU64,
    /// … and tells those who wait.
    landed: watch::Sender<()>,
}

#[derive(Debug)]
pub(super) struct State {
    flight: Option<UnderWay>,
    /// Counts the refreshes that were started.
    flights: u64,
    last_started: Option<Duration>,
    /// The task that starts refreshes when they are due.
    keeper: Option<Running>,
    keepers: u64,
    pub(super) is_closed: bool,
    /// Failures since the last success …
    failures: u32,
    /// … and whether one of them was not for an unknown key id, which anybody can make up.
    schedule_fails: bool,
    last_error: Option<Arc<RefreshError>>,
    gate: RefreshGate,
    absent: Absent,
    /// What the issuer's metadata said.
    pub(super) discovered: Option<Discovered>,
}

/// The refresh under way.
#[derive(Debug)]
struct UnderWay {
    since: Duration,
    task: Running,
}

/// A task, by number, because another may have taken its place.
#[derive(Debug)]
struct Running {
    number: u64,
    /// `None` until it has been spawned.
    handle: Option<AbortHandle>,
}

impl Running {
    fn abort(self) {
        if let Some(handle) = self.handle {
            handle.abort();
        }
    }
}

impl Refresher {
    pub(super) fn new(settings: Settings) -> Self {
        let state = State {
            flight: None,
            flights: 0,
            last_started: None,
            keeper: None,
            keepers: 0,
            is_closed: false,
            failures: 0,
            schedule_fails: false,
            last_error: None,
            gate: RefreshGate::new(settings.alert_threshold),
            absent: Absent::default(),
            discovered: None,
        };
        Self {
            settings,
            snapshot: ArcSwapOption::empty(),
            due: AtomicU64::new(0),
            under_way_since: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            state: Mutex::new(state),
            landings: AtomicU64::new(0),
            landed: watch::Sender::new(()),
        }
    }

    pub(super) fn key_now(self: &Arc<Self>, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        if !self.is_asked_for_its_own(wanted) {
            return Some(Err(KeyProviderError::NotFound));
        }
        let now = self.now();
        let snapshot = self.serving(now)?;
        match snapshot.find(wanted) {
            Ok(key) => {
                self.tell_stale(&snapshot, now);
                Some(Ok(key.clone()))
            }
            Err(KeyProviderError::NotFound) => {
                let is_absent = self.state().absent.holds(wanted, now.monotonic);
                is_absent.then(|| {
                    self.tell_unknown(UnknownKeyOutcome::Remembered);
                    snapshot.keys.find(wanted).cloned()
                })
            }
            Err(error) => Some(Err(error)),
        }
    }

    pub(super) async fn key(self: &Arc<Self>, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        if let Some(answer) = self.key_now(wanted) {
            return answer;
        }
        match self.named_key(wanted).await {
            // No key has the token's id: one without an id may be meant.
            Err(KeyProviderError::NotFound) => match self.usable(self.now()) {
                Some(snapshot) => snapshot.keys.find(wanted).cloned(),
                None => Err(KeyProviderError::NotFound),
            },
            answer => answer,
        }
    }

    async fn named_key(self: &Arc<Self>, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let question = self.question();
        let (snapshot, is_settled) = self.current().await?;
        match snapshot.find(wanted) {
            Ok(key) => {
                self.tell_stale(&snapshot, self.now());
                Ok(key.clone())
            }
            Err(KeyProviderError::NotFound) if question.is_answered_by(&snapshot) => {
                Err(self.is_absent(wanted, &question))
            }
            // Whoever has waited for a refresh that does not end waits for it no longer.
            Err(KeyProviderError::NotFound) if !is_settled => Err(self.unresolved(&snapshot)),
            Err(KeyProviderError::NotFound) => self.look_further(wanted).await,
            Err(error) => Err(error),
        }
    }

    pub(super) async fn ready(self: &Arc<Self>) -> Result<(), KeyProviderError> {
        let waiting = async {
            let mut landed = self.landed.subscribe();
            while self.current().await.is_err() {
                if self.state().is_closed || Spawner::here().is_none() || landed.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        match within(FIRST_WAIT, waiting).await {
            Some(true) => Ok(()),
            _ => Err(self.unavailable()),
        }
    }

    pub(super) fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        match self.usable(self.now()) {
            Some(snapshot) if self.is_asked_for_its_own(wanted) => snapshot.keys.candidates(wanted),
            _ => Vec::new(),
        }
    }

    /// Whether a verdict by this key may stand: not where a look-up would wait for a refresh first.
    pub(super) fn trusts(self: &Arc<Self>, key: &KeyIdentity) -> bool {
        self.serving(self.now()).is_some_and(|snapshot| snapshot.keys.trusts(key))
    }

    /// Refreshes now, or joins the refresh under way, and says how it ended. Asked again within a second of a start, it
    /// says how that one ended.
    pub(super) async fn refresh_now(self: &Arc<Self>) -> Result<(), KeyProviderError> {
        let now = self.clock().monotonic();
        let is_time = |state: &State| state.last_started.is_none_or(|at| now.saturating_sub(at) >= FLOOR);
        let has_ended = match self.start_if(RefreshTrigger::Request, is_time) {
            Some(landed) => wait_for(Some(landed), FLIGHT_TIMEOUT + NEXT_WAIT).await,
            None => false,
        };
        let is_well = {
            let state = self.state();
            state.last_error.is_none() && !state.is_closed
        };
        if has_ended && is_well { Ok(()) } else { Err(self.unavailable()) }
    }

    /// Ends all work; what is at hand serves as long as it may.
    pub(super) fn close(&self) {
        let (flight, keeper) = {
            let mut state = self.state();
            state.is_closed = true;
            self.settings.alarm.set(None);
            self.under_way_since.store(0, Ordering::Release);
            self.tell_landed(&mut state);
            (state.flight.take(), state.keeper.take())
        };
        for task in flight.map(|flight| flight.task).into_iter().chain(keeper) {
            task.abort();
        }
    }

    /// The set that answers without waiting. Where a refresh is due, it is started, and nobody waits for it.
    fn serving(self: &Arc<Self>, now: Moment) -> Option<Arc<Snapshot>> {
        let landings = self.landings();
        let snapshot = self.usable(now)?;
        if self.is_due(&snapshot, now) {
            if self.is_worth_waiting(&snapshot, now) {
                return None;
            }
            // Where no runtime is at hand, a later request starts it.
            if self.may_start(now.monotonic) {
                drop(self.start(RefreshTrigger::Schedule, landings));
            }
        }
        Some(snapshot)
    }

    /// A set that may serve, fetched now if there is none; and whether no refresh was waited for in vain.
    async fn current(self: &Arc<Self>) -> Result<(Arc<Snapshot>, bool), KeyProviderError> {
        let landings = self.landings();
        let now = self.now();
        let (wait, is_due, trigger) = match self.usable(now) {
            None => {
                let is_due = !self.is_failing.load(Ordering::Acquire) || self.due_in(now.monotonic).is_zero();
                (FIRST_WAIT, is_due, RefreshTrigger::Start)
            }
            Some(snapshot) => {
                let is_due = self.is_due(&snapshot, now);
                if !(is_due && self.is_worth_waiting(&snapshot, now)) {
                    return Ok((snapshot, true));
                }
                (NEXT_WAIT, is_due, RefreshTrigger::Schedule)
            }
        };
        // After a failure nobody asks again before it is due, however many wait.
        let landed = if is_due { self.start(trigger, landings) } else { self.under_way() };
        let is_settled = wait_for(landed, wait).await;
        let snapshot = self.usable(self.now()).ok_or_else(|| self.unavailable())?;
        Ok((snapshot, is_settled))
    }

    /// The set in use lacks the key: a newer one may have it.
    async fn look_further(self: &Arc<Self>, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        if let Some(landed) = self.under_way() {
            let is_settled = wait_for(Some(landed), NEXT_WAIT).await;
            let snapshot = self.usable(self.now()).ok_or_else(|| self.unavailable())?;
            let answer = match snapshot.find(wanted) {
                Err(KeyProviderError::NotFound) if is_settled => None,
                Err(KeyProviderError::NotFound) => Some(Err(self.unresolved(&snapshot))),
                answer => Some(answer.cloned()),
            };
            if let Some(answer) = answer {
                self.tell_unknown(UnknownKeyOutcome::Joined);
                return answer;
            }
        }
        let landings = self.landings();
        let question = self.question();
        let is_let_through = self.may_ask(question.asked_at.monotonic);
        if is_let_through {
            self.ask_for(wanted, &question, landings).await;
        }
        self.tell_unknown(if is_let_through { UnknownKeyOutcome::Fetched } else { UnknownKeyOutcome::Throttled });
        let snapshot = self.usable(self.now()).ok_or_else(|| self.unavailable())?;
        match snapshot.find(wanted) {
            Err(KeyProviderError::NotFound) if question.is_answered_by(&snapshot) => {
                Err(self.is_absent(wanted, &question))
            }
            Err(KeyProviderError::NotFound) => Err(self.unresolved(&snapshot)),
            answer => answer.cloned(),
        }
    }

    /// Waits for a newer set. One that another process had fetched some time before may lack the key: then it is fetched.
    async fn ask_for(self: &Arc<Self>, wanted: &KeyRequest<'_>, question: &Question, landings: u64) {
        let asking = async {
            wait_for(self.start(RefreshTrigger::UnknownKey, landings), NEXT_WAIT).await;
            let landings = self.landings();
            let found = self.snapshot.load_full();
            let must_be_fetched = |snapshot: Arc<Snapshot>| {
                question.is_only_half_answered_by(&snapshot)
                    && matches!(snapshot.find(wanted), Err(KeyProviderError::NotFound))
            };
            if found.is_some_and(must_be_fetched) {
                wait_for(self.start(RefreshTrigger::UnknownKey, landings), NEXT_WAIT).await;
            }
        };
        within(NEXT_WAIT, asking).await;
    }

    /// The set lacks the key, and no newer one could be had: where the scheduled refreshes fail too, nobody can say what is
    /// published, nor while nobody asks because another process could not.
    fn unresolved(&self, snapshot: &Snapshot) -> KeyProviderError {
        let now = self.now();
        let is_unknown = {
            let state = self.state();
            let is_paused = matches!(state.last_error.as_deref(), Some(RefreshError::Paused { .. }));
            snapshot.is_stale(now) || state.schedule_fails || (is_paused && !self.due_in(now.monotonic).is_zero())
        };
        if is_unknown { self.unavailable() } else { KeyProviderError::NotFound }
    }

    fn question(&self) -> Question {
        let answers = self.snapshot.load().as_ref().map_or(0, |snapshot| snapshot.answer);
        Question { asked_at: self.now(), answers }
    }

    /// A document that was fetched after the question lacked the key.
    fn is_absent(&self, wanted: &KeyRequest<'_>, question: &Question) -> KeyProviderError {
        self.state().absent.remember(wanted, question.asked_at.monotonic);
        KeyProviderError::NotFound
    }

    /// Whether an unknown key id may cause a refresh now.
    fn may_ask(&self, now: Duration) -> bool {
        let passage = {
            let mut state = self.state();
            if state.failures > 0 && !self.due_in(now).is_zero() {
                state.gate.turn_away()
            } else {
                state.gate.pass(now)
            }
        };
        if let Passage::Alert(count) = passage {
            self.observe(&Event::UnknownKeysThrottled { provider: self.name(), count });
        }
        passage == Passage::Open
    }

    fn tell_stale(&self, snapshot: &Snapshot, now: Moment) {
        if snapshot.is_stale(now) {
            self.observe(&Event::StaleKeyServed { provider: self.name() });
        }
    }

    fn tell_unknown(&self, outcome: UnknownKeyOutcome) {
        self.observe(&Event::UnknownKey { provider: self.name(), outcome });
    }

    pub(super) fn observe(&self, event: &Event<'_>) {
        self.settings.observer.observe(event);
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.settings.clock
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(self.clock())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self, now: Moment) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full().filter(|snapshot| self.may_serve(snapshot, now))
    }

    fn may_serve(&self, snapshot: &Snapshot, now: Moment) -> bool {
        snapshot.age(now) < snapshot.time_to_live + self.settings.max_stale
    }

    /// Past its time, without a refresh having been tried: a process that slept. While refreshes fail nobody waits for
    /// the next.
    fn is_worth_waiting(&self, snapshot: &Snapshot, now: Moment) -> bool {
        snapshot.is_stale(now) && !self.is_failing.load(Ordering::Acquire)
    }

    /// Whether a refresh that is due must be started, told without a lock.
    fn may_start(&self, now: Duration) -> bool {
        let since = self.under_way_since.load(Ordering::Acquire);
        since == 0 || is_overdue(since, now)
    }

    fn is_asked_for_its_own(&self, wanted: &KeyRequest<'_>) -> bool {
        wanted.issuer.is_none_or(|issuer| self.settings.source.is_for(issuer))
    }

    /// Whether a refresh is due: by the timer, or because the world's clock says that the set is past its time, and the
    /// timer slept with the process.
    fn is_due(&self, snapshot: &Snapshot, now: Moment) -> bool {
        self.due_in(now.monotonic).is_zero() || self.is_worth_waiting(snapshot, now)
    }

    /// When the next refresh is due. A time that lies further ahead than any is ever set comes from a clock that was put
    /// back.
    fn due_in(&self, now: Duration) -> Duration {
        let wait = Duration::from_millis(self.due.load(Ordering::Acquire).saturating_sub(millis(now)));
        if wait > MAX_TIME_TO_LIVE + BACKOFF_MAX { Duration::ZERO } else { wait }
    }

    fn unavailable(&self) -> KeyProviderError {
        let wait = self.due_in(self.clock().monotonic()).clamp(BACKOFF_MIN, BACKOFF_MAX);
        let mut unavailable = Unavailable::default().retry_after(wait);
        let error = self.state().last_error.clone();
        let error = error.or_else(|| Spawner::here().is_none().then(|| Arc::new(RefreshError::NoRuntime)));
        unavailable.source = error.map(|error| error as _);
        KeyProviderError::Unavailable(unavailable)
    }

    fn under_way(&self) -> Option<watch::Receiver<()>> {
        let now = millis(self.clock().monotonic());
        let state = self.state();
        let in_time = |flight: &&UnderWay| !is_overdue(millis(flight.since), Duration::from_millis(now));
        state.flight.as_ref().filter(in_time).map(|_| self.landed.subscribe())
    }

    /// How many refreshes have ended: to be read before it is decided that one is needed.
    pub(super) fn landings(&self) -> u64 {
        self.landings.load(Ordering::Acquire)
    }

    /// A refresh has ended, or never will: those who wait are told. Under the lock, so that it wakes nobody who waits for
    /// the next one.
    fn tell_landed(&self, _: &mut State) {
        self.landings.fetch_add(1, Ordering::AcqRel);
        self.landed.send_replace(());
    }

    /// Joins the refresh under way, or starts one, unless one has ended since `landings` was read: what made it necessary
    /// may be over. `None` where no runtime is at hand, and when closed.
    pub(super) fn start(self: &Arc<Self>, trigger: RefreshTrigger, landings: u64) -> Option<watch::Receiver<()>> {
        self.start_if(trigger, |_| self.landings() == landings)
    }

    /// Joins the refresh under way, or starts one if that `is_needed`; where it is not, there is nothing to wait for.
    fn start_if(
        self: &Arc<Self>,
        trigger: RefreshTrigger,
        is_needed: impl FnOnce(&State) -> bool,
    ) -> Option<watch::Receiver<()>> {
        let spawner = Spawner::here()?;
        let (landed, number, overdue) = {
            let mut state = self.state();
            if state.is_closed {
                return None;
            }
            let since = self.clock().monotonic();
            // No flight lands while the lock is held, so this one's landing is not missed.
            let mut landed = self.landed.subscribe();
            if state.flight.as_ref().is_some_and(|flight| !is_overdue(millis(flight.since), since)) {
                return Some(landed);
            }
            if !is_needed(&state) {
                landed.mark_changed();
                return Some(landed);
            }
            state.flights += 1;
            state.last_started = Some(since);
            let number = state.flights;
            let task = Running { number, handle: None };
            let overdue = state.flight.replace(UnderWay { since, task });
            self.under_way_since.store(millis(since).max(1), Ordering::Release);
            (landed, number, overdue)
        };
        if let Some(overdue) = overdue {
            overdue.task.abort();
        }
        // Without the lock: a runtime that shuts down drops the task on the spot, and its end takes the lock.
        let handle = spawner.spawn(Flight::new(Arc::clone(self), number, trigger).run());
        let mut state = self.state();
        match state.flight.as_mut().filter(|flight| flight.task.number == number) {
            Some(flight) => flight.task.handle = Some(handle),
            // Closed meanwhile, or over.
            None => handle.abort(),
        }
        drop(state);
        self.keep(&spawner);
        Some(landed)
    }

    /// Sees to it that the task runs which starts refreshes when they are due.
    fn keep(self: &Arc<Self>, spawner: &Spawner) {
        let number = {
            let mut state = self.state();
            if state.is_closed || state.keeper.is_some() {
                return;
            }
            state.keepers += 1;
            state.keeper = Some(Running { number: state.keepers, handle: None });
            state.keepers
        };
        let news = self.settings.shared.as_ref().map(Shared::news);
        let alarm = Arc::clone(&self.settings.alarm);
        let keeper = Keeper { refresher: Arc::downgrade(self), alarm, news, number };
        let handle = spawner.spawn(keeper.run());
        let mut state = self.state();
        match state.keeper.as_mut().filter(|keeper| keeper.number == number) {
            Some(keeper) => keeper.handle = Some(handle),
            None => handle.abort(),
        }
    }

    /// Whether the refresh with this number is the one under way.
    pub(super) fn is_current(state: &State, number: u64) -> bool {
        state.flight.as_ref().is_some_and(|flight| flight.task.number == number)
    }

    pub(super) fn back_off(
        &self,
        state: &mut State,
        trigger: RefreshTrigger,
        error: RefreshError,
    ) -> Arc<RefreshError> {
        state.schedule_fails |= trigger != RefreshTrigger::UnknownKey;
        let wait = self.backoff(state, &error);
        state.failures = state.failures.saturating_add(1);
        self.is_failing.store(true, Ordering::Release);
        self.set_due(self.clock().monotonic() + wait);
        let error = Arc::new(error);
        state.last_error = Some(Arc::clone(&error));
        error
    }

    fn set_due(&self, at: Duration) {
        // Rounded up, so that it is due when the alarm goes off.
        self.due.store(millis(at).saturating_add(1), Ordering::Release);
        self.set_alarm();
    }

    /// The alarm goes off when a refresh is due, or when it is time to see what other processes have fetched.
    pub(super) fn set_alarm(&self) {
        let due = self.due.load(Ordering::Acquire);
        let at = self.settings.shared.as_ref().map_or(due, |shared| due.min(shared.look_at()));
        self.settings.alarm.set(Some(Duration::from_millis(at)));
    }

    /// The refresh under way has ended.
    pub(super) fn land(&self, state: &mut State) {
        state.flight = None;
        self.under_way_since.store(0, Ordering::Release);
        self.tell_landed(state);
    }
}

/// When a key was asked for, and how many answers there had been by then.
struct Question {
    asked_at: Moment,
    answers: u64,
}

impl Question {
    /// Whether this process asked for this set after the question. What another process asked for, by a clock of its own, may
    /// have the key; it does not show that the key is not published.
    fn is_answered_by(&self, snapshot: &Snapshot) -> bool {
        snapshot.is_own && snapshot.answer > self.answers && snapshot.asked_at.monotonic >= self.asked_at.monotonic
    }

    /// Whether this set was found since the question, and is too old to leave it at that.
    fn is_only_half_answered_by(&self, snapshot: &Snapshot) -> bool {
        !snapshot.is_own && snapshot.answer > self.answers && snapshot.had_age >= PERIOD
    }
}

/// Whether a refresh that was started then should have ended, whichever way the clock went. It has a timer of its own,
/// but a runtime that nobody drives has no timers.
fn is_overdue(since: u64, now: Duration) -> bool {
    millis(now).abs_diff(since) >= millis(FLIGHT_TIMEOUT + NEXT_WAIT)
}

/// Whether nothing is left to wait for. How a refresh landed is seen in the snapshot.
async fn wait_for(landed: Option<watch::Receiver<()>>, at_most: Duration) -> bool {
    match landed {
        Some(mut landed) => within(at_most, landed.changed()).await.is_some(),
        None => true,
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// In milliseconds; zero for what was before.
pub(super) fn since_1970(time: SystemTime) -> u64 {
    millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Between 0 and 1: each `RandomState` has keys of its own. For jitter, not for secrets.
pub(super) fn random_fraction() -> f64 {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0).to_le_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}
