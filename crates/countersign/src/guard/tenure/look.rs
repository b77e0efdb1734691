//! Looking, waiting for the end, and going on with another token.

use super::super::parts::Parts;
use super::super::{Refusal, Verdict};
use super::Tenure;
use super::opened::Opened;
use super::state::{Asked, Found, Moment, Next, Scope, Told, is_expired};
use crate::authorize::{Decision, Noted};
use crate::changes::Changes;
use crate::denial::Denial;
use crate::extract::{SCHEME_OF_TOKENS, token68};
use crate::observe::Event;
use crate::reason::{End, Reason, Rejection};
use crate::request::Credential;
use crate::revocation::TokenStatus;
use crate::token::VerifiedToken;
use crate::verifier::VerifyError;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long an answer is waited for until it counts as none. What is asked has deadlines of its own; this one is for what has
/// none.
const PATIENCE: Duration = Duration::from_secs(5);

/// A decision against whoever stays: which check, and what came of it.
type Against = Option<(usize, Decision)>;

impl Tenure {
    /// Waits for the end, and says why. Looks again when it is time to, at once after [`wake`](Tenure::wake), within a second
    /// when something is [told](crate::revocation::Changes) or another guard is [handed over](crate::Guard::later), and goes on
    /// after [`renew`](Tenure::renew).
    ///
    /// `sleep` is the timer of the runtime. A clock that is set by hand has [alarms](crate::clock::Clock::alarm) in its place,
    /// except for the wait for an answer.
    pub async fn end<S, F>(&self, sleep: S) -> End
    where
        S: Fn(Duration) -> F,
        F: Future,
    {
        let (mut own, _) = self.told();
        let mut alarm = own.clock.alarm();
        loop {
            let (parts, told) = self.told();
            if !Arc::ptr_eq(&parts, &own) {
                // The clock of another guard may be another one.
                (alarm, own) = (parts.clock.alarm(), Arc::clone(&parts));
            }
            let next = self.state().next(Moment::of(&*parts.clock), told);
            let (left, at, version, heard) = match next {
                Next::Ended(end) => return end,
                Next::Look(scope) => {
                    self.look_within(scope, &sleep).await;
                    continue;
                }
                Next::Rest { left, at, version, heard } => (left, at, version, heard),
            };
            let news = self.news(&parts, heard);
            match &alarm {
                Some(alarm) => {
                    alarm.set(Some(at));
                    self.rest(version, news, alarm.gone_off()).await;
                }
                None => self.rest(version, news, sleep(left)).await,
            }
        }
    }

    /// Looks now: at the clock, the revocation check, the verifier and the authorizer. `Ok` while they may stay, and while it cannot be told
    /// but has been for less than [`stale_for`](Tenure::stale_for).
    ///
    /// # Errors
    /// Why the connection has to end.
    pub async fn look(&self) -> Result<(), End> {
        self.look_at(Scope::All).await
    }

    async fn look_at(&self, scope: Scope) -> Result<(), End> {
        loop {
            // Before anything is asked: what is told meanwhile is news.
            let (token, asked) = self.asking(scope);
            let is_over = self.state().is_over(self.now());
            let (found, against) = match is_over {
                true => (Found::Bad(End::Expired), None),
                false => self.ask(&token, scope).await,
            };
            if let Some(answer) = self.conclude(asked, found, against, &token) {
                return answer;
            }
        }
    }

    fn asking(&self, scope: Scope) -> (VerifiedToken, Asked) {
        let (_, told) = self.told();
        let state = self.state();
        (state.token.clone(), state.asking(scope, told))
    }

    /// Which guard judges, and what has been told.
    fn told(&self) -> (Arc<Parts>, Told) {
        // Counted before: a guard that is handed over meanwhile is news then.
        let hand_overs = self.0.guard.hand_overs().map_or(0, Changes::count);
        let parts = self.parts();
        let changes = parts.changes.as_ref().map(Changes::count);
        (parts, Told { hand_overs, changes })
    }

    /// When more is told than was heard, by the guard that is made of these or by whoever hands another one over.
    async fn news(&self, parts: &Parts, heard: Option<Told>) {
        let Some(heard) = heard else { return pending().await };
        let mut another = pin!(more(self.0.guard.hand_overs(), Some(heard.hand_overs)));
        let mut changed = pin!(more(parts.changes.as_ref(), heard.changes));
        poll_fn(|context| match another.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => changed.as_mut().poll(context),
        })
        .await;
    }

    /// Goes on with another token, which the client has sent over the connection: one that this guard's verifier takes as a
    /// Bearer token, of the same issuer and subject, not revoked, and good for what the request required. The verdict is told
    /// as that on a request is, and found by the id of the request that opened the connection.
    ///
    /// # Errors
    /// The [`Denial`], of which a client needs to know the [reason](Denial::reason) at most. The tenure is what it was. An
    /// ended one is not renewed, and neither is that of a token without a subject: nobody could tell that it is the same one.
    pub async fn renew(&self, token: &str) -> Result<(), Denial> {
        let parts = self.parts();
        let correlation_id = &self.0.opened.correlation_id;
        let started = parts.clock.monotonic();
        let version = self.state().version();
        let answer =
            self.verify(&parts, token).await.map_err(|refusal| parts.deny(refusal, &[], correlation_id.clone()));
        let verdict = match &answer {
            Ok(token) => Verdict::Verified(token.clone()),
            Err(denial) => Verdict::Refused(denial.clone()),
        };
        parts.tell_verdict(&verdict, parts.clock.monotonic().saturating_sub(started));
        let token = answer?;
        let request = self.0.opened.request();
        for check in &self.0.opened.checks() {
            let noted = Noted::default();
            let question = Opened::question(check, &token, request.as_ref()).noting(&noted);
            let decision = check.decision(&parts, &question).await;
            check.conclude(&parts, &question, &noted, decision, || correlation_id.clone())?;
        }
        let renewed = self.state().renew(version, token, self.now());
        match renewed {
            Ok(wakers) => wakers.into_iter().for_each(Waker::wake),
            Err(end) => return Err(self.refuse(end.reason())),
        }
        Ok(())
    }

    async fn verify(&self, parts: &Parts, text: &str) -> Result<VerifiedToken, Refusal> {
        let text = token68(text.as_bytes()).map_err(|_| Reason::MalformedRequest)?;
        let token = parts.verifier.verify(&Credential::new(SCHEME_OF_TOKENS, text)).await?;
        let own = self.token();
        if own.issuer() != token.issuer() {
            return Err(Reason::Rejected(Rejection::Issuer).into());
        }
        if own.subject().is_none() || own.subject() != token.subject() {
            return Err(Reason::Rejected(Rejection::Subject).into());
        }
        // No leeway: see `Tenure`.
        if is_expired(&token, self.now()) {
            return Err(Reason::Rejected(Rejection::Expired).into());
        }
        match status(parts, &token).await {
            TokenStatus::Active => Ok(token),
            TokenStatus::Revoked => Err(Reason::Revoked.into()),
            TokenStatus::Unknown => Err(Reason::RevocationUnknown.into()),
        }
    }

    /// What revocation, verifier and authorizer say. A definite answer outweighs that nobody can tell.
    async fn ask(&self, token: &VerifiedToken, scope: Scope) -> (Found, Against) {
        let parts = self.parts();
        let mut found = match standing(&parts, token).await {
            TokenStatus::Revoked => return (Found::Bad(End::Revoked), None),
            TokenStatus::Unknown => Found::Unsure,
            TokenStatus::Active => Found::Good,
        };
        let mut against = None;
        if scope == Scope::Standing {
            return (found, against);
        }
        let request = self.0.opened.request();
        for (nth, check) in self.0.opened.checks().iter().enumerate() {
            let question = Opened::question(check, token, request.as_ref());
            match check.decision(&parts, &question).await {
                Decision::Allow => {}
                decision @ Decision::Deny(_) => return (Found::Bad(End::NotAllowed), Some((nth, decision))),
                decision @ Decision::Indeterminate(_) => {
                    found = Found::Unsure;
                    against = against.or(Some((nth, decision)));
                }
            }
        }
        (found, against)
    }

    /// Looks, and gives up where no answer comes.
    async fn look_within<S, F>(&self, scope: Scope, sleep: &S)
    where
        S: Fn(Duration) -> F,
        F: Future,
    {
        let (token, asked) = self.asking(scope);
        let is_answered = {
            let mut looking = pin!(self.look_at(scope));
            // Most answers come from memory, and need no timer.
            let mut patience = pin!(None);
            poll_fn(|context| {
                if looking.as_mut().poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                if patience.is_none() {
                    let left = self.state().left(self.now());
                    patience.set(Some(sleep(left.map_or(PATIENCE, |left| left.min(PATIENCE)))));
                }
                match patience.as_mut().as_pin_mut() {
                    Some(patience) => patience.poll(context).map(|_| false),
                    None => Poll::Pending,
                }
            })
            .await
        };
        if !is_answered {
            let _ = self.conclude(asked, Found::Unsure, None, &token);
        }
    }

    /// Takes what was found, and tells the end where this is it.
    fn conclude(&self, asked: Asked, found: Found, against: Against, token: &VerifiedToken) -> Option<Result<(), End>> {
        let concluded = self.state().conclude(asked, self.now(), found)?;
        let Err((end, wakers)) = concluded else { return Some(Ok(())) };
        if let Some(wakers) = wakers {
            self.tell(end, against, token);
            wakers.into_iter().for_each(Waker::wake);
        }
        Some(Err(end))
    }

    fn tell(&self, end: End, against: Against, token: &VerifiedToken) {
        let parts = self.parts();
        let correlation_id = self.0.opened.correlation_id.as_str();
        if let Some((nth, decision)) = against
            && matches!(end, End::NotAllowed | End::Unknown)
            && let Some(check) = self.0.opened.checks().get(nth)
        {
            let request = self.0.opened.request();
            let question = Opened::question(check, token, request.as_ref());
            check.tell(&parts, &question, decision, decision.why(), Some(correlation_id));
        }
        parts.observer.observe(&Event::Ended { end, correlation_id });
    }

    /// Until the timer is over, there is news, or the version is another one.
    async fn rest(&self, version: u64, news: impl Future, timer: impl Future) {
        let (mut news, mut timer) = (pin!(news), pin!(timer));
        let mut waiting = Waiting { tenure: self, number: None };
        poll_fn(|context| {
            if waiting.is_over(version, context.waker()) || news.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            timer.as_mut().poll(context).map(drop)
        })
        .await;
    }
}

/// When more is told than so much.
async fn more(changes: Option<&Changes>, heard: Option<u64>) {
    match (changes, heard) {
        (Some(changes), Some(heard)) => drop(changes.changed(heard).await),
        _ => pending().await,
    }
}

async fn status(parts: &Parts, token: &VerifiedToken) -> TokenStatus {
    let Some(revocation) = &parts.revocation else { return TokenStatus::Active };
    match revocation.status_now(token) {
        Some(status) => status,
        None => revocation.status(token).await,
    }
}

/// The status of the token, and of what vouched for it: a key that is not trusted any longer revokes what it has signed.
async fn standing(parts: &Parts, token: &VerifiedToken) -> TokenStatus {
    let status = status(parts, token).await;
    if status == TokenStatus::Revoked {
        return status;
    }
    let answer = match parts.verifier.recheck_now(token) {
        Some(answer) => answer,
        None => parts.verifier.recheck(token).await,
    };
    match answer {
        Ok(()) => status,
        Err(VerifyError::Rejected(_)) => TokenStatus::Revoked,
        Err(VerifyError::Unavailable(_)) => TokenStatus::Unknown,
    }
}

/// One who waits for a change, and leaves when dropped.
struct Waiting<'t> {
    tenure: &'t Tenure,
    number: Option<u64>,
}

impl Waiting<'_> {
    fn is_over(&mut self, version: u64, waker: &Waker) -> bool {
        let mut state = self.tenure.state();
        if state.version() != version {
            return true;
        }
        let before = state.wait(&mut self.number, waker);
        drop(state);
        drop(before);
        false
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.tenure.state().leave(number);
            drop(waker);
        }
    }
}
