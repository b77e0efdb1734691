//! Which key is it? Of those in use, or of those that a newer document has.

use super::{NEXT_WAIT, RefreshError, Refresher, wait_for};
use crate::gate::{PERIOD, Passage};
use crate::jwks::runtime::within;
use crate::jwks::snapshot::{Moment, Snapshot};
use countersign::VerifyingKey;
use countersign::keys::KeyIdentity;
use countersign::observe::{Event, RefreshTrigger, UnknownKeyOutcome};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use std::sync::Arc;
use std::time::Duration;

impl Refresher {
    pub(in super::super) fn key_now(
        self: &Arc<Self>,
        wanted: &KeyRequest<'_>,
    ) -> Option<Result<VerifyingKey, KeyProviderError>> {
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

    pub(in super::super) async fn key(
        self: &Arc<Self>,
        wanted: &KeyRequest<'_>,
    ) -> Result<VerifyingKey, KeyProviderError> {
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

    pub(in super::super) fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        match self.usable(self.now()) {
            Some(snapshot) if self.is_asked_for_its_own(wanted) => snapshot.keys.candidates(wanted),
            _ => Vec::new(),
        }
    }

    /// Whether a verdict by this key may stand: not where a look-up would wait for a refresh first.
    pub(in super::super) fn trusts(self: &Arc<Self>, key: &KeyIdentity) -> bool {
        self.serving(self.now()).is_some_and(|snapshot| snapshot.keys.trusts(key))
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
    pub(super) fn unresolved(&self, snapshot: &Snapshot) -> KeyProviderError {
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

    fn is_asked_for_its_own(&self, wanted: &KeyRequest<'_>) -> bool {
        wanted.issuer.is_none_or(|issuer| self.settings.source.is_for(issuer))
    }
}

/// When a key was asked for, and how many answers there had been by then.
pub(super) struct Question {
    pub(super) asked_at: Moment,
    pub(super) answers: u64,
}

impl Question {
    /// Whether this process asked for this set after the question. What another process asked for, by a clock of its own, may
    /// have the key; it does not show that the key is not published.
    pub(super) fn is_answered_by(&self, snapshot: &Snapshot) -> bool {
        snapshot.is_own && snapshot.answer > self.answers && snapshot.asked_at.monotonic >= self.asked_at.monotonic
    }

    /// Whether this set was found since the question, and is too old to leave it at that.
    pub(super) fn is_only_half_answered_by(&self, snapshot: &Snapshot) -> bool {
        !snapshot.is_own && snapshot.answer > self.answers && snapshot.had_age >= PERIOD
    }
}
