use crate::clock::{Clock, since_epoch};
use crate::reason::End;
use crate::token::VerifiedToken;
use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

const RECHECK_EVERY: Duration = Duration::from_secs(30);
const RECHECK_MIN: Duration = Duration::from_secs(1);
const RECHECK_MAX: Duration = Duration::from_secs(600);
const STALE_FOR: Duration = Duration::from_secs(60);
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How far apart two looks are at least of which the second comes because something was told: somebody may tell all the time.
const APART: Duration = Duration::from_secs(1);

/// A time by both clocks: one may be set, the other may sleep with the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    wall: Duration,
    pub(super) monotonic: Duration,
}

impl Moment {
    pub(super) fn of(clock: &dyn Clock) -> Self {
        Self { wall: since_epoch(clock.now()), monotonic: clock.monotonic() }
    }

    /// How long ago `earlier` was, by the clock that says more.
    fn since(self, earlier: Self) -> Duration {
        self.wall.saturating_sub(earlier.wall).max(self.monotonic.saturating_sub(earlier.monotonic))
    }

    /// How long it is until `later`, by the clock that says less.
    fn until(self, later: Self) -> Duration {
        later.wall.saturating_sub(self.wall).min(later.monotonic.saturating_sub(self.monotonic))
    }
}

/// What was found when somebody looked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    Good,
    /// It is over, and for this reason.
    Bad(End),
    /// Nobody could tell.
    Unsure,
}

/// What a look asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    /// Whether the token still counts, and not what it allows: what may have changed where something was told. An authorizer
    /// may be far away, and all connections look at once.
    Standing,
}

/// How much has been told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// How many guards were handed over, counted before it was looked which one judges.
    pub(super) hand_overs: u64,
    /// How many changes that one has been told; `None` where nobody tells.
    pub(super) changes: Option<u64>,
}

/// A question that is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    scope: Scope,
    version: u64,
    /// What had been told when it was asked.
    told: Told,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    Ended(End),
    Look(Scope),
    /// Nothing for so long, and unless the version changes, or more has been told.
    Rest {
        left: Duration,
        at: Duration,
        version: u64,
        /// `None` where more has been told already.
        heard: Option<Told>,
    },
}

/// Where a tenure stands.
#[derive(Debug)]
pub(super) struct State {
    pub(super) token: VerifiedToken,
    /// `exp`: by the world's clock as the token says it, by the other as far away as it was when the token came.
    expiry: Option<Moment>,
    recheck_every: Duration,
    pub(super) stale_for: Duration,
    pub(super) close_within: Duration,
    /// `None` where somebody must look at once.
    looked_at: Option<Moment>,
    /// When somebody last looked, at whatever.
    asked_at: Moment,
    /// How many changes had been told then. `None` before the first look: what was told between the verdict on the request and
    /// the beginning of the tenure, nobody has heard.
    heard: Option<u64>,
    /// How many guards had been handed over when somebody last looked at everything. What was heard is the count of one of them,
    /// and says nothing of that of another.
    hand_overs: u64,
    unsure_since: Option<Moment>,
    pub(super) ended: Option<End>,
    /// Counts what makes an answer that is still awaited one to an old question.
    version: u64,
    waiters: BTreeMap<u64, Waker>,
    next_waiter: u64,
}

impl State {
    pub(super) fn new(token: VerifiedToken, now: Moment, hand_overs: u64) -> Self {
        Self {
            expiry: expiry(&token, now),
            token,
            recheck_every: RECHECK_EVERY,
            stale_for: STALE_FOR,
            close_within: CLOSE_WITHIN,
            looked_at: Some(now),
            asked_at: now,
            heard: None,
            hand_overs,
            unsure_since: None,
            ended: None,
            version: 0,
            waiters: BTreeMap::new(),
            next_waiter: 0,
        }
    }

    pub(super) fn set_recheck_every(&mut self, interval: Duration) {
        self.recheck_every = interval.clamp(RECHECK_MIN, RECHECK_MAX);
    }

    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }

    /// Until the token expires; `None` where it never does.
    pub(super) fn left(&self, now: Moment) -> Option<Duration> {
        self.expiry.map(|expiry| now.until(expiry))
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// A question of this scope, where so much has been told.
    pub(super) fn asking(&self, scope: Scope, told: Told) -> Asked {
        Asked { scope, version: self.version, told }
    }

    /// What to do, where so much has been told.
    pub(super) fn next(&self, now: Moment, told: Told) -> Next {
        if let Some(end) = self.ended {
            return Next::Ended(end);
        }
        let left_of = |time: Duration, since: Moment| time.saturating_sub(now.since(since));
        let mut look = self.looked_at.map_or(Duration::ZERO, |at| left_of(self.recheck_every, at));
        if let Some(since) = self.unsure_since {
            look = look.min(left_of(self.stale_for, since));
        }
        // Another guard may allow something else, and not only know of other revocations.
        let is_another = told.hand_overs != self.hand_overs;
        let is_news = is_another || (told.changes.is_some() && told.changes != self.heard);
        let (look, scope) = match left_of(APART, self.asked_at) {
            sooner if is_another && sooner < look => (sooner, Scope::All),
            sooner if is_news && sooner < look => (sooner, Scope::Standing),
            _ => (look, Scope::All),
        };
        match self.left(now).map_or(look, |left| left.min(look)) {
            Duration::ZERO => Next::Look(scope),
            left => {
                let (at, heard) = (now.monotonic.saturating_add(left), (!is_news).then_some(told));
                Next::Rest { left, at, version: self.version, heard }
            }
        }
    }

    /// Takes what was found. `None` where it is the answer to an old question; the wakers of those who wait for an end, where
    /// this is it.
    pub(super) fn conclude(
        &mut self,
        asked: Asked,
        now: Moment,
        found: Found,
    ) -> Option<Result<(), (End, Option<Vec<Waker>>)>> {
        if let Some(end) = self.ended {
            return Some(Err((end, None)));
        }
        if asked.version != self.version {
            return None;
        }
        let end = match found {
            Found::Bad(end) => Some(end),
            _ if self.is_over(now) => Some(End::Expired),
            Found::Good => {
                // Of what was not asked, nobody can tell still.
                if asked.scope == Scope::All {
                    self.unsure_since = None;
                }
                None
            }
            Found::Unsure => {
                let since = *self.unsure_since.get_or_insert(now);
                (now.since(since) >= self.stale_for).then_some(End::Unknown)
            }
        };
        (self.asked_at, self.heard) = (now, asked.told.changes);
        if asked.scope == Scope::All {
            (self.looked_at, self.hand_overs) = (Some(now), asked.told.hand_overs);
        }
        let Some(end) = end else { return Some(Ok(())) };
        self.ended = Some(end);
        Some(Err((end, Some(self.change()))))
    }

    /// Goes on with another token, which has been looked at since the state had this version.
    pub(super) fn renew(&mut self, version: u64, token: VerifiedToken, now: Moment) -> Result<Vec<Waker>, End> {
        if let Some(end) = self.ended {
            return Err(end);
        }
        self.expiry = expiry(&token, now);
        self.token = token;
        self.looked_at = (version == self.version).then_some(now);
        self.unsure_since = None;
        Ok(self.change())
    }

    pub(super) fn look_again(&mut self) -> Vec<Waker> {
        self.looked_at = None;
        self.change()
    }

    fn change(&mut self) -> Vec<Waker> {
        self.version += 1;
        std::mem::take(&mut self.waiters).into_values().collect()
    }

    /// Wakes this waiter when the version changes. It is known by its number from the second time on. Gives the waker that it
    /// had before, as [`leave`](Self::leave) does, to be dropped without the lock: with a waker, a task may be dropped that waits.
    #[must_use]
    pub(super) fn wait(&mut self, number: &mut Option<u64>, waker: &Waker) -> Option<Waker> {
        let number = *number.get_or_insert_with(|| {
            self.next_waiter += 1;
            self.next_waiter
        });
        match self.waiters.get(&number) {
            Some(own) if own.will_wake(waker) => None,
            _ => self.waiters.insert(number, waker.clone()),
        }
    }

    #[must_use]
    pub(super) fn leave(&mut self, number: u64) -> Option<Waker> {
        self.waiters.remove(&number)
    }
}

/// Whether the token has expired, without leeway.
pub(super) fn is_expired(token: &VerifiedToken, now: Moment) -> bool {
    expiry(token, now).is_some_and(|expiry| now.until(expiry).is_zero())
}

fn expiry(token: &VerifiedToken, now: Moment) -> Option<Moment> {
    let wall = token.expires_at()?.since_epoch();
    Some(Moment { wall, monotonic: now.monotonic.saturating_add(wall.saturating_sub(now.wall)) })
}
