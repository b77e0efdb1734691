use crate::fetch::Validators;
use countersign::Bytes;
use countersign::VerifyingKey;
use countersign::clock::Clock;
use countersign::provider::{KeyProviderError, KeyRequest, KeySet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A point in time on both clocks: the world's may be set, the monotonic one may stand still while the process is
/// suspended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) wall: SystemTime,
    pub(super) monotonic: Duration,
}

impl Moment {
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }

    /// How long ago `earlier` was, by whichever clock says more.
    fn since(self, earlier: Self) -> Duration {
        let by_the_wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        by_the_wall.max(self.monotonic.saturating_sub(earlier.monotonic))
    }
}

/// What a document gave. Swapped whole.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) keys: Arc<KeySet>,
    /// The document, for telling whether the next one is the same.
    pub(super) body: Bytes,
    /// Where it came from, and what the server calls it.
    pub(super) url: String,
    pub(super) validators: Validators,
    /// When the request that confirmed it was sent, or when it was found where another process had left it …
    pub(super) asked_at: Moment,
    /// … how old it was then …
    pub(super) had_age: Duration,
    /// … and how old at least, as far as clocks of several processes have no part in it.
    pub(super) had_least_age: Duration,
    /// Whether this process sent that request.
    pub(super) is_own: bool,
    /// When it was sent, by the clock of the process that sent it.
    pub(super) fetched_at: SystemTime,
    /// What was fetched later has more: milliseconds since 1970, and more where that would not be more.
    pub(super) order: u64,
    /// Whether that was claimed before it was fetched, where all could see it. Otherwise the clock alone vouches for it.
    pub(super) is_claimed: bool,
    /// What the server said of its freshness …
    pub(super) max_age: Option<Duration>,
    /// … and what was made of it.
    pub(super) time_to_live: Duration,
    /// Counts the different documents of this process.
    pub(super) generation: u64,
    /// Counts the answers that confirmed or replaced a document.
    pub(super) answer: u64,
}

impl Snapshot {
    /// The key for a token. Where keys have ids, one without an id is not the one that a token names, until a fresh
    /// document has been looked at: a rotation may be why none has the name.
    pub(super) fn find(&self, wanted: &KeyRequest<'_>) -> Result<&VerifyingKey, KeyProviderError> {
        let key = self.keys.find(wanted)?;
        let is_guess = wanted.key_id.is_some() && key.key_id().is_none();
        if is_guess && self.keys.iter().any(|key| key.key_id().is_some()) {
            return Err(KeyProviderError::NotFound);
        }
        Ok(key)
    }

    pub(super) fn age(&self, now: Moment) -> Duration {
        now.since(self.asked_at).saturating_add(self.had_age)
    }

    /// For telling which of two is older. By [`Self::age`], one is old because the clock of whoever fetched it is behind.
    pub(super) fn least_age(&self, now: Moment) -> Duration {
        now.since(self.asked_at).saturating_add(self.had_least_age)
    }

    /// Past its time to live.
    pub(super) fn is_stale(&self, now: Moment) -> bool {
        self.age(now) >= self.time_to_live
    }
}
