//! How a refresh begins and ends: one at a time, and whoever wants another one waits for it.

use super::keeper::Keeper;
use super::{FLIGHT_TIMEOUT, NEXT_WAIT, Refresher, Running, State, UnderWay, millis};
use crate::jwks::flight::Flight;
use crate::jwks::runtime::{Ordering, Spawner};
use crate::jwks::shared::Shared;
use countersign::observe::RefreshTrigger;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

impl Refresher {
    pub(super) fn under_way(&self) -> Option<watch::Receiver<()>> {
        let now = millis(self.clock().monotonic());
        let state = self.state();
        let in_time = |flight: &&UnderWay| !is_overdue(millis(flight.since), Duration::from_millis(now));
        state.flight.as_ref().filter(in_time).map(|_| self.landed.subscribe())
    }

    /// How many refreshes have ended: to be read before it is decided that one is needed.
    pub(in super::super) fn landings(&self) -> u64 {
        self.landings.load(Ordering::Acquire)
    }

    /// A refresh has ended, or never will: those who wait are told. Under the lock, so that it wakes nobody who waits for
    /// the next one.
    pub(super) fn tell_landed(&self, _: &mut State) {
        self.landings.fetch_add(1, Ordering::AcqRel);
        self.landed.send_replace(());
    }

    /// Joins the refresh under way, or starts one, unless one has ended since `landings` was read: what made it necessary
    /// may be over. `None` where no runtime is at hand, and when closed.
    pub(in super::super) fn start(
        self: &Arc<Self>,
        trigger: RefreshTrigger,
        landings: u64,
    ) -> Option<watch::Receiver<()>> {
        self.start_if(trigger, |_| self.landings() == landings)
    }

    /// Joins the refresh under way, or starts one if that `is_needed`; where it is not, there is nothing to wait for.
    pub(super) fn start_if(
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
    pub(in super::super) fn is_current(state: &State, number: u64) -> bool {
        state.flight.as_ref().is_some_and(|flight| flight.task.number == number)
    }

    /// The refresh under way has ended.
    pub(in super::super) fn land(&self, state: &mut State) {
        state.flight = None;
        self.under_way_since.store(0, Ordering::Release);
        self.tell_landed(state);
    }

    /// Whether a refresh that is due must be started, told without a lock.
    pub(super) fn may_start(&self, now: Duration) -> bool {
        let since = self.under_way_since.load(Ordering::Acquire);
        since == 0 || is_overdue(since, now)
    }
}

/// Whether a refresh that was started then should have ended, whichever way the clock went. It has a timer of its own,
/// but a runtime that nobody drives has no timers.
fn is_overdue(since: u64, now: Duration) -> bool {
    millis(now).abs_diff(since) >= millis(FLIGHT_TIMEOUT + NEXT_WAIT)
}
