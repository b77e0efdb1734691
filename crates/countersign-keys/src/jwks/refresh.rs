//! The set in use, and the one refresh that may be under way.

mod error;
mod install;
mod keeper;
mod look_up;
mod report;
mod start;

pub use error::RefreshError;

use super::absent::Absent;
use super::discovery::Source;
use super::flight::Discovered;
use super::runtime::{AbortHandle, AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, Spawner, within};
use super::shared::Shared;
use super::snapshot::{Moment, Snapshot};
use crate::fetch::JwksFetch;
use crate::gate::RefreshGate;
use arc_swap::ArcSwapOption;
use countersign::clock::{Alarm, Clock};
use countersign::crypto::Backend;
use countersign::observe::{Event, Observer, RefreshTrigger};
use countersign::provider::{KeyProviderError, Unavailable};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

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
                let is_due = !self.is_failing() || self.due_in(now.monotonic).is_zero();
                (FIRST_WAIT, is_due, RefreshTrigger::Start)
            }
            Some(snapshot) => {
                if !self.is_worth_waiting(&snapshot, now) {
                    return Ok((snapshot, true));
                }
                (NEXT_WAIT, true, RefreshTrigger::Schedule)
            }
        };
        // After a failure nobody asks again before it is due, however many wait.
        let landed = if is_due { self.start(trigger, landings) } else { self.under_way() };
        let is_settled = wait_for(landed, wait).await;
        let snapshot = self.usable(self.now()).ok_or_else(|| self.unavailable())?;
        Ok((snapshot, is_settled))
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

    /// Whether the last refresh failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Acquire)
    }

    pub(super) fn usable(&self, now: Moment) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full().filter(|snapshot| self.may_serve(snapshot, now))
    }

    fn may_serve(&self, snapshot: &Snapshot, now: Moment) -> bool {
        snapshot.age(now) < snapshot.time_to_live + self.settings.max_stale
    }

    /// Past its time, without a refresh having been tried: a process that slept. While refreshes fail nobody waits for
    /// the next.
    fn is_worth_waiting(&self, snapshot: &Snapshot, now: Moment) -> bool {
        snapshot.is_stale(now) && !self.is_failing()
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

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
