use super::super::snapshot::Snapshot;
use super::{BACKOFF_MAX, BACKOFF_MIN, MAX_SKEW, Ordering, RefreshError, Refresher, State};
use super::{millis, random_fraction, since_1970};
use countersign::observe::{Event, RefreshTrigger};
use std::sync::Arc;
use std::time::Duration;

/// What is in use after an answer, and whether its document is another than before.
pub(in super::super) struct Installed {
    pub(in super::super) snapshot: Arc<Snapshot>,
    pub(in super::super) is_new: bool,
}

impl Refresher {
    /// What was fetched, confirmed or found is in use from now on, unless what is in use was fetched later.
    pub(in super::super) fn install(&self, state: &mut State, snapshot: Snapshot) -> Installed {
        state.failures = 0;
        state.schedule_fails = false;
        state.last_error = None;
        let installed = self.replace(state, snapshot);
        self.is_failing.store(false, Ordering::Release);
        // Four fifths of the time, give or take a tenth, so that a fleet does not fetch in step.
        let snapshot = &installed.snapshot;
        let ahead = snapshot.time_to_live.mul_f64(0.7 + 0.2 * random_fraction());
        self.set_due(snapshot.asked_at.monotonic + ahead.saturating_sub(snapshot.had_age));
        installed
    }

    /// Puts a snapshot in the place of one that was fetched earlier.
    pub(in super::super) fn replace(&self, state: &mut State, mut snapshot: Snapshot) -> Installed {
        let current = self.snapshot.load_full();
        let is_new = match current {
            Some(current) if !self.is_later(snapshot.order, &current) => {
                return Installed { snapshot: current, is_new: false };
            }
            Some(current) => {
                let is_new = current.body != snapshot.body;
                snapshot.generation = current.generation + u64::from(is_new);
                snapshot.answer = current.answer + 1;
                is_new
            }
            None => {
                (snapshot.generation, snapshot.answer) = (1, 1);
                true
            }
        };
        if is_new {
            state.absent.forget_all();
        }
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(Some(Arc::clone(&snapshot)));
        Installed { snapshot, is_new }
    }

    /// Whether this order is of something that was fetched after `current`. An order that lies in the future by more than
    /// clocks differ was given by one that has been set back since, and counts for nothing.
    pub(in super::super) fn is_later(&self, order: u64, current: &Snapshot) -> bool {
        order > current.order || self.is_from_the_future(current.order)
    }

    pub(in super::super) fn is_from_the_future(&self, order: u64) -> bool {
        order > since_1970(self.clock().now()).saturating_add(millis(MAX_SKEW))
    }

    /// The order of what is fetched now: later than what is in use, and than `known`.
    pub(in super::super) fn next_order(&self, known: Option<u64>) -> u64 {
        let current = self.snapshot.load().as_ref().map(|current| current.order);
        let before = current.into_iter().chain(known).filter(|order| !self.is_from_the_future(*order)).max();
        since_1970(self.clock().now()).max(before.map_or(0, |before| before.saturating_add(1)))
    }

    pub(in super::super) fn tell_installed(&self, installed: &Installed, trigger: RefreshTrigger, duration: Duration) {
        let Installed { snapshot, is_new } = installed;
        self.observe(&Event::KeysRefreshed {
            provider: self.name(),
            trigger: if snapshot.is_own { trigger } else { RefreshTrigger::Shared },
            is_new: *is_new,
            generation: snapshot.generation,
            usable: snapshot.keys.len(),
            quarantined: snapshot.keys.quarantined().len(),
            fetched_at: snapshot.fetched_at,
            duration,
        });
    }

    /// How long nobody asks after one more failure.
    pub(in super::super) fn backoff(&self, state: &State, error: &RefreshError) -> Duration {
        let said = error.retry_after().min(BACKOFF_MAX);
        if matches!(error, RefreshError::Paused { .. }) {
            // A little later than the pause ends, and not all at once.
            return said + BACKOFF_MIN.mul_f64(0.5 * random_fraction());
        }
        let doubled = BACKOFF_MIN.saturating_mul(1 << state.failures.min(10));
        doubled.min(BACKOFF_MAX).mul_f64(0.5 + 0.5 * random_fraction()).max(said)
    }
}
