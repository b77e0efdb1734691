use super::envelope::Seal;
use super::standing::{Clockwork, TOLD_NOTHING, View};
use super::{Changes, RevocationLog};
use crate::cache::{CacheStore, FleetKey};
use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;
use crate::observe::{NoObserver, Observer};
use arc_swap::ArcSwap;
use std::fmt::{self, Debug};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(5);
const MIN_BOUND: Duration = Duration::from_secs(1);
const MAX_BOUND: Duration = Duration::from_secs(5 * 60);
const MAX_ENTRIES: usize = 100_000;

/// Makes a [`RevocationLog`].
///
/// ```
/// use countersign::cache::{CacheStore, FleetKey};
/// use countersign::revocation::RevocationLog;
/// use std::time::Duration;
///
/// fn log(store: impl CacheStore, fleet: FleetKey) {
///     let error = RevocationLog::builder(store, fleet).bound(Duration::ZERO).build().unwrap_err();
///     assert_eq!(error.setting(), "bound");
/// }
/// ```
#[must_use]
pub struct RevocationLogBuilder {
    store: Box<dyn CacheStore>,
    key: FleetKey,
    name: String,
    bound: Duration,
    max_entries: usize,
    goes_on: bool,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
}

impl RevocationLogBuilder {
    pub(super) fn new(store: Box<dyn CacheStore>, key: FleetKey) -> Self {
        Self {
            store,
            key,
            name: "revocations".to_owned(),
            bound: BOUND,
            max_entries: MAX_ENTRIES,
            goes_on: false,
            clock: Box::new(SystemClock::new()),
            observer: Box::new(NoObserver),
        }
    }

    /// The name of the log, where a fleet has several under one key. What was written for one counts in no other.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How long a change may take until every answer counts on it, or is "nobody can tell": 5 s unless told, from 1 s to
    /// 5 min. Each process asks the store five times in that time.
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// How many tokens and subjects may be revoked at a time, which every process keeps in memory: 100 000 unless told. One more
    /// is an error for whoever revokes it. There is room for 10 000 distrusted keys beside them in any case.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Goes on by what was known last where the view is older than the bound, and by nothing at all where the log could
    /// not be read yet: **what is revoked meanwhile counts until the store is back.** For those to whom an outage is worse.
    /// The observer is told ([`RevocationsUnconfirmed`](crate::observe::Event::RevocationsUnconfirmed)).
    pub fn danger_degrade(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// The clock by which views grow old and entries end. The system's unless told.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Told when the view is too old and when it counts again, what was put back, and failures of the store. Nobody unless
    /// told.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// The log. The store is not asked yet.
    ///
    /// # Errors
    /// [`ConfigError`] for a bound below 1 s or above 5 min, and where the crypto backend cannot name the entries.
    pub fn build(self) -> Result<RevocationLog, ConfigError> {
        if self.bound < MIN_BOUND || self.bound > MAX_BOUND {
            return Err(ConfigError::new("bound", "is not between 1 s and 5 min"));
        }
        let seal = Seal::new(self.key, self.name);
        let head_key = seal.head_key().map_err(|error| ConfigError::new("key", error.to_string()))?;
        let interval = self.bound / 5;
        // An interval less: a store that lost a change the moment it had it may have been read before that was put back.
        let view = View { clockwork: Clockwork::new(self.bound.saturating_sub(interval)), ..View::default() };
        Ok(RevocationLog {
            store: self.store,
            clock: self.clock,
            observer: self.observer,
            head_key,
            seal,
            bound: self.bound,
            goes_on: self.goes_on,
            max_entries: self.max_entries,
            view: ArcSwap::from_pointee(view),
            changes: Changes::new(),
            replacing: Mutex::new(()),
            is_trying: AtomicBool::new(false),
            told: AtomicU8::new(TOLD_NOTHING),
            world_seen: AtomicU64::new(u64::MAX),
        })
    }
}

impl Debug for RevocationLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationLogBuilder")
            .field("store", &self.store)
            .field("name", &self.name)
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}
