//! What others have fetched, seen without being woken: the safety net of a fleet.

use super::{Found, Shared};
use crate::jwks::refresh::{Refresher, millis, random_fraction};
use crate::jwks::runtime::Ordering;
use countersign::cache::CacheError;
use countersign::observe::{Event, RefreshTrigger, SharedKeysOutcome};
use std::time::Duration;

/// How long it takes at most until what one process has learnt is known to all, while the store works.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

impl Refresher {
    /// Sets the time for the next look, a tenth earlier or less, so that a fleet does not look in step.
    pub(in crate::jwks) fn set_next_look(&self) {
        if let Some(shared) = &self.settings.shared {
            let at = self.clock().monotonic() + BETWEEN_LOOKS.mul_f64(1.0 - 0.1 * random_fraction());
            shared.look_at.store(millis(at), Ordering::Release);
        }
    }

    /// Takes what another process has fetched, if it is time to look.
    pub(in crate::jwks) async fn look_if_due(&self, now: Duration) {
        let Some(shared) = &self.settings.shared else { return };
        if shared.look_at() > millis(now) {
            return;
        }
        if let Err(error) = self.look(shared).await {
            self.observe(&Event::CacheFailed { error: &error });
        }
        self.set_next_look();
    }

    async fn look(&self, shared: &Shared) -> Result<(), CacheError> {
        let found = shared.find().await?;
        let now = self.now();
        let later = self.later(&found, now).unwrap_or_else(|outcome| {
            self.tell_shared(outcome);
            None
        });
        let Some(snapshot) = later.filter(|snapshot| !snapshot.is_stale(now)) else {
            return self.mend(shared, &found).await;
        };
        let installed = {
            let mut state = self.state();
            if state.is_closed {
                return Ok(());
            }
            self.install(&mut state, snapshot)
        };
        let duration = self.clock().monotonic().saturating_sub(now.monotonic);
        self.tell_installed(&installed, RefreshTrigger::Shared, duration);
        Ok(())
    }

    /// Puts what is in use where the store has lost it, so that whoever starts next need not fetch.
    async fn mend(&self, shared: &Shared, found: &Found) -> Result<(), CacheError> {
        let now = self.now();
        // What is there, if it counts, stays: whoever wrote it may have fetched later. So may others who have fetched alone.
        let current = self.snapshot.load_full().filter(|current| current.is_claimed && !current.is_stale(now));
        let Some(current) = current.filter(|_| self.known_order(found).is_none()) else { return Ok(()) };
        let entry = self.entry(now, Some(self.document(&current, now)));
        if shared.swap(found.raw.as_ref(), &entry).await?.is_some() {
            self.tell_shared(SharedKeysOutcome::Published);
        }
        Ok(())
    }
}
