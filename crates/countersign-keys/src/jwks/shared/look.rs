//! What others have fetched: looked at when they announce it, and without being woken, which is the safety net of a fleet.

use super::{Found, Shared};
use crate::jwks::refresh::{Refresher, millis, random_fraction};
use crate::jwks::runtime::Ordering;
use crate::jwks::snapshot::{Moment, Snapshot};
use countersign::cache::CacheError;
use countersign::observe::{Event, RefreshTrigger, SharedKeysOutcome};
use std::time::Duration;

/// How long it takes at most until what one process has learnt is known to all, while the store works.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// Within which time after news all have looked, not at once: one look is one question, and the document is the answer.
const AFTER_NEWS: Duration = Duration::from_millis(500);

/// Between two looks that news bring about: anybody who can announce something can do so as often as they like.
const BETWEEN_NEWS: Duration = Duration::from_secs(1);

impl Refresher {
    /// Brings the next look forward: there is news.
    pub(in crate::jwks) fn look_soon(&self) {
        if let Some(shared) = &self.settings.shared {
            let _unchanged = self.state();
            let now = self.clock().monotonic();
            if shared.look_at() <= millis(now + AFTER_NEWS) {
                return;
            }
            let at = millis(now + AFTER_NEWS.mul_f64(random_fraction()));
            let earliest = shared.looked_at.load(Ordering::Acquire).saturating_add(millis(BETWEEN_NEWS));
            // One that is due sooner than that stays.
            shared.look_at.store(at.max(earliest).min(shared.look_at()), Ordering::Release);
            self.set_alarm();
        }
    }

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
        shared.looked_at.store(millis(now), Ordering::Release);
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

    /// Puts what is in use where the store has lost it, or has gone back to what was there before, so that whoever starts next
    /// need not fetch, and does not trust what is gone.
    pub(super) async fn mend(&self, shared: &Shared, found: &Found) -> Result<(), CacheError> {
        let now = self.now();
        // What is there, if it counts and may be later, stays. Others too may have what was fetched alone.
        let current = self.snapshot.load_full().filter(|current| current.is_claimed && !current.is_stale(now));
        let is_lost = |current: &Snapshot| {
            self.known_order(found).is_none_or(|order| order < current.order && is_older(found, current, now))
        };
        let Some(current) = current.filter(|current| is_lost(current)) else { return Ok(()) };
        let entry = self.entry(now, Some(self.document(&current, now)));
        if shared.swap(found.raw.as_ref(), &entry).await?.is_some() {
            self.tell_shared(SharedKeysOutcome::Published);
        }
        Ok(())
    }
}

/// Whether what was found is older than what is in use by the store's clock as well: an order alone is as good as the clocks of
/// those who gave it.
pub(super) fn is_older(found: &Found, current: &Snapshot, now: Moment) -> bool {
    let Some((entry, document)) = found.entry.as_ref().and_then(|entry| Some((entry, entry.document.as_ref()?))) else {
        return false;
    };
    entry.document_age_by_the_store(&document.head, found.expires_in) > current.least_age(now)
}
