//! What an answer can count on, and since when.

use super::envelope::{Position, Tick};
use super::fact::{Facts, Now};
use super::{RevocationLog, TokenStatus};
use crate::key::KeyIdentity;
use crate::observe::Event;
use crate::token::VerifiedToken;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often, in milliseconds, an answer looks at the time of the world: what tells that the machine was suspended, which
/// monotonic time may leave out.
const WORLD_EVERY: u32 = 10;

/// How many places are remembered at which the view has been.
const MAX_PLACES: usize = 64;

/// What this process knows.
#[derive(Clone, Default)]
pub(super) struct View {
    pub(super) facts: Arc<Facts>,
    /// How far the log has been followed; `None` before the first look, and where nobody can say.
    pub(super) position: Option<Position>,
    /// The last places, that one included.
    pub(super) places: Arc<VecDeque<Position>>,
    /// The head there, as it stood in the store.
    pub(super) head: Bytes,
    pub(super) clockwork: Clockwork,
}

/// What of a view tells how old it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Clockwork {
    /// The latest tick in the log, and the last one of this process.
    pub(super) tick: Option<Tick>,
    pub(super) own_tick: Option<Tick>,
    /// How many ticks a head must count that goes on from all that this process has seen.
    pub(super) enough: u64,
    /// Whether the latest tick is one from before that.
    is_behind: bool,
    /// When a look first showed the latest tick, by monotonic time.
    ticked_at: Duration,
    /// When the last look began that was answered.
    seen_at: Option<Now>,
    /// When the look began that the view goes back to.
    read_at: Option<Now>,
    /// How long the view counts since then.
    pub(super) young: Duration,
    footing: Footing,
}

/// How far what was found can be relied on.
#[derive(Clone, Copy, Default, PartialEq)]
enum Footing {
    #[default]
    Untried,
    Failed,
    /// Those who know more are given time to write it.
    Settling {
        /// By monotonic time.
        since: Duration,
        /// Whether the log has gone on since then.
        is_moved: bool,
    },
    Firm,
}

impl View {
    /// Whether the view is young enough to count.
    pub(super) fn is_young(&self, now: Now) -> bool {
        let Clockwork { read_at, young, .. } = self.clockwork;
        read_at.is_some_and(|read_at| age(read_at, now) < young)
    }

    /// Is at a place from now on.
    pub(super) fn place(&mut self, position: Position, head: Bytes) {
        let places = Arc::make_mut(&mut self.places);
        if places.back() != Some(&position) {
            places.drain(..(places.len() + 1).saturating_sub(MAX_PLACES));
            places.push_back(position.clone());
        }
        (self.position, self.head) = (Some(position), head);
    }
}

/// By the clock that says more.
fn age(then: Now, now: Now) -> Duration {
    now.1.saturating_sub(then.1).max(now.0.duration_since(then.0).unwrap_or_default())
}

impl Clockwork {
    pub(super) fn new(young: Duration) -> Self {
        Self { young, ..Self::default() }
    }

    pub(super) fn fail(&mut self) {
        self.footing = Footing::Failed;
    }

    /// A look that began then was answered. `is_broken`: what it found does not lead on from where the view was; `is_moved`:
    /// it is not what was found before.
    pub(super) fn look(&mut self, asked_at: Now, interval: Duration, is_broken: bool, is_moved: bool) {
        // After a longer time a change may be lost that the view does not have, and its writer must have time to put it back.
        let is_late = self.seen_at.is_none_or(|seen_at| age(seen_at, asked_at) > 5 * interval / 2);
        self.footing = match self.footing {
            _ if is_late || is_broken => Footing::Settling { since: asked_at.1, is_moved: false },
            Footing::Untried | Footing::Failed => Footing::Settling { since: asked_at.1, is_moved: false },
            // It must lead on from where it has gone to meanwhile, or one that is put back again and again would settle.
            Footing::Settling { since, is_moved: true } if asked_at.1.saturating_sub(since) >= 2 * interval => {
                Footing::Firm
            }
            Footing::Settling { since, is_moved: was_moved } => {
                Footing::Settling { since, is_moved: was_moved || is_moved }
            }
            Footing::Firm => Footing::Firm,
        };
        if self.seen_at.is_none_or(|seen_at| seen_at.1 <= asked_at.1) {
            self.seen_at = Some(asked_at);
        }
        let is_latest = self.read_at.is_none_or(|read_at| read_at.1 <= asked_at.1);
        if self.footing == Footing::Firm && is_moved && is_latest {
            self.read_at = Some(asked_at);
        }
    }

    /// The latest tick is this, of so many.
    pub(super) fn go_to(&mut self, tick: Option<Tick>, ticked: u64, asked_at: Now) {
        let is_other = tick != self.tick;
        if is_other {
            (self.tick, self.ticked_at) = (tick, asked_at.1);
        }
        self.is_behind = ticked < self.enough;
        self.enough = match self.is_behind {
            false => ticked,
            // Past what was seen last, too: that has been on the way.
            true => self.enough.saturating_add(u64::from(is_other)),
        };
    }

    /// Whether this process is to add a tick. The one that did last goes on; another takes over when it has not done so for
    /// two looks. Who waits for the log to go on, or could count on it if it did, does not wait as long, and who knows that
    /// it went back does not wait at all.
    pub(super) fn is_tick_due(&self, now: Now, interval: Duration) -> bool {
        let is_mine = self.own_tick.is_some() && self.own_tick == self.tick;
        let is_waiting = matches!(self.footing, Footing::Settling { is_moved: false, .. });
        // Looks come a little early or late.
        let nearly = |intervals: u32| intervals * interval * 7 / 8;
        let since = now.1.saturating_sub(self.ticked_at);
        let is_old = self.read_at.is_none_or(|read_at| now.1.saturating_sub(read_at.1) >= nearly(2));
        self.is_behind
            || since >= nearly(if is_mine || is_waiting { 1 } else { 2 })
            || (self.footing == Footing::Firm && is_old)
    }
}

/// What the observer was told last.
pub(super) const TOLD_NOTHING: u8 = 0;
pub(super) const TOLD_CONFIRMED: u8 = 1;
const TOLD_UNCONFIRMED: u8 = 2;

/// What an answer can count on.
pub(in super::super) enum Standing<'l> {
    /// The log has not been looked at yet.
    Untried,
    /// Nobody can tell.
    Unknown,
    /// This is known.
    Known(Known<'l>),
}

/// What is known at a moment.
pub(in super::super) struct Known<'l> {
    view: arc_swap::Guard<Arc<View>>,
    log: &'l RevocationLog,
}

impl Known<'_> {
    pub(super) fn status(&self, token: &VerifiedToken) -> TokenStatus {
        self.view.facts.status(token)
    }

    pub(in super::super) fn distrusts_id(&self, issuer: Option<&str>, key_id: &str) -> bool {
        self.view.facts.distrusts_id(issuer, key_id, || self.log.now())
    }

    pub(in super::super) fn distrusts(&self, key: &KeyIdentity) -> bool {
        self.view.facts.distrusts(key, || self.log.now())
    }

    pub(in super::super) fn distrusts_some_id(&self) -> bool {
        self.view.facts.distrusts_some_id(|| self.log.now())
    }
}

impl RevocationLog {
    /// What an answer can count on at this moment.
    pub(in super::super) fn standing(&self) -> Standing<'_> {
        let view = self.view.load();
        if self.counts(&view) {
            return Standing::Known(Known { view, log: self });
        }
        if view.clockwork.footing == Footing::Untried {
            return Standing::Untried;
        }
        if !self.is_starting(&view) {
            self.tell_unconfirmed();
        }
        if self.goes_on { Standing::Known(Known { view, log: self }) } else { Standing::Unknown }
    }

    /// The same, after a look at the log where there was none. One request looks; those that come meanwhile do not wait for it.
    pub(in super::super) async fn tried_standing(&self) -> Standing<'_> {
        match self.standing() {
            Standing::Untried if !self.is_trying.swap(true, Ordering::Relaxed) => {
                let _trying = Trying(self);
                // What went wrong is told, and the standing says it.
                let _ = self.poll().await;
                self.standing()
            }
            standing => standing,
        }
    }

    /// [`is_young`](View::is_young), in most cases by one look at one clock.
    #[inline]
    fn counts(&self, view: &View) -> bool {
        let Clockwork { read_at: Some(read_at), young, .. } = view.clockwork else { return false };
        let monotonic = self.clock.monotonic();
        if monotonic.saturating_sub(read_at.1) >= young {
            return false;
        }
        // Hundredths of a second, with no division of 128 bits.
        let now =
            monotonic.as_secs().wrapping_mul(100).wrapping_add(u64::from(monotonic.subsec_millis() / WORLD_EVERY));
        if now == self.world_seen.load(Ordering::Relaxed) {
            return true;
        }
        let is_young = view.is_young((self.clock.now(), monotonic));
        if is_young {
            self.world_seen.store(now, Ordering::Relaxed);
        }
        is_young
    }

    pub(super) fn now(&self) -> Now {
        (self.clock.now(), self.clock.monotonic())
    }

    /// Whether all goes well, and the view does not count yet.
    pub(super) fn is_starting(&self, view: &View) -> bool {
        let is_settling = matches!(view.clockwork.footing, Footing::Settling { .. });
        is_settling && !self.goes_on && self.told.load(Ordering::Relaxed) == TOLD_NOTHING
    }

    pub(super) fn tell_unconfirmed(&self) {
        if self.told.load(Ordering::Relaxed) != TOLD_UNCONFIRMED
            && self.told.swap(TOLD_UNCONFIRMED, Ordering::Relaxed) != TOLD_UNCONFIRMED
        {
            self.observer.observe(&Event::RevocationsUnconfirmed { goes_on: self.goes_on });
        }
    }
}

/// A request that looks, until it is done or dropped.
struct Trying<'l>(&'l RevocationLog);

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        self.0.is_trying.store(false, Ordering::Relaxed);
    }
}
