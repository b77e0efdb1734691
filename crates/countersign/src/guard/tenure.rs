//! How long somebody may stay on a connection that outlives its request.

mod lease;
mod limit;
mod look;
mod opened;
mod state;

pub use lease::Lease;
pub use limit::Limit;
pub(super) use opened::Passed;

use super::parts::Parts;
use super::{Check, Guard, Screening};
use crate::changes::Changes;
use crate::claims::NumericDate;
use crate::denial::{CorrelationId, Denial};
use crate::reason::{End, Reason, Rejection};
use crate::request::RequestView;
use crate::token::VerifiedToken;
use opened::Opened;
use state::{Moment, State, is_expired};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// How long somebody may stay on a connection that outlives its request: a WebSocket, a stream of events, a long download.
///
/// A request is judged once. What it opens may last for hours, in which the token expires, is revoked, or loses what the route
/// requires. A tenure looks again, and says when and why the connection has to [end](Self::end):
///
/// - At the token's `exp`, without leeway: leeway is for the differences of clocks at the moment of a request. It is measured
///   on both of the guard's clocks, and the one counts that comes first.
/// - When the revocation check says so, when the key that signed the token is trusted no longer, or when the authorizer does not
///   allow any longer what the route required. All are asked every [`recheck_every`](Self::recheck_every), and at once after
///   [`wake`](Self::wake). Revocation and key are asked as well when they [tell](crate::revocation::Changes) of a change, once a
///   second at most, and once in the first second.
/// - When any of them cannot tell for longer than [`stale_for`](Self::stale_for).
///
/// An ended tenure stays ended. Until then [`renew`](Self::renew) lets it go on with another token of the same subject.
///
/// The authorizer is asked about the requirements that the request met, of this guard, with the request's method, path and
/// query; its header fields are not kept, and neither is a resource that a handler has loaded. The signature is not verified
/// again: the verifier is asked whether the key that it was verified with [still counts](crate::verify::TokenVerifier::recheck),
/// and one that its issuer withdraws, or that is distrusted, ends the tenure as a revocation does. Nothing is told of looks that
/// change nothing. Where the guard is [handed over](Guard::later) anew, the new one looks at everything, within a second.
///
/// Cloning is cheap, and a clone is the same tenure: keep one where [`wake`](Self::wake) can reach it. Adapters have the
/// extractors that make one, and the helpers that close a connection at its end.
///
/// ```
/// use countersign::reason::End;
/// use countersign::screening::{Check, Tenure};
/// use countersign::{Denial, VerifiedToken};
/// use std::time::Duration;
///
/// /// Where no adapter is at hand: `sleep` is the runtime's.
/// async fn serve<F: Future<Output = ()>>(
///     check: &Check,
///     token: &VerifiedToken,
///     sleep: impl Fn(Duration) -> F,
/// ) -> Result<End, Denial> {
///     let tenure = check.tenure(token)?.recheck_every(Duration::from_secs(10));
///     Ok(tenure.end(sleep).await)
/// }
/// ```
#[derive(Clone)]
pub struct Tenure(Arc<Inner>);

struct Inner {
    guard: Guard,
    opened: Opened,
    state: Mutex<State>,
}

impl Tenure {
    /// A tenure of this token by this guard.
    fn begin(guard: &Guard, opened: Opened, token: VerifiedToken) -> Result<Self, Denial> {
        let hand_overs = guard.hand_overs().map_or(0, Changes::count);
        let now = Moment::of(&*guard.parts().clock);
        let is_expired = is_expired(&token, now);
        let state = Mutex::new(State::new(token, now, hand_overs));
        let tenure = Self(Arc::new(Inner { guard: guard.clone(), opened, state }));
        if is_expired { Err(tenure.refuse(Reason::Rejected(Rejection::Expired))) } else { Ok(tenure) }
    }

    /// How often revocation, verifier and authorizer are asked: every 30 s unless set. Held to between 1 s and 10 min.
    ///
    /// It also bounds how late the end is noticed when the system's clock is set or the process sleeps.
    #[must_use]
    pub fn recheck_every(self, interval: Duration) -> Self {
        self.state().set_recheck_every(interval);
        self
    }

    /// For how long the connection is kept while nobody can tell whether the token still counts: 60 s unless set. Zero ends it
    /// at once.
    #[must_use]
    pub fn stale_for(self, time: Duration) -> Self {
        self.state().stale_for = time;
        self
    }

    /// How long the peer has to take its Close frame and answer it before the connection is dropped: 5 s unless set.
    #[must_use]
    pub fn close_within(self, time: Duration) -> Self {
        self.state().close_within = time;
        self
    }

    /// Asks this check as well from the next look on: for a requirement that the request has met somewhere where the tenure did not
    /// hear of it. It judges nothing by itself. A check of another guard is none of this one's business, and left out.
    ///
    /// ```
    /// use countersign::screening::{Check, Tenure};
    /// use countersign::{Denial, VerifiedToken};
    ///
    /// /// Of a request that has passed both.
    /// fn held_to_both(own: &Check, outer: &Check, token: &VerifiedToken) -> Result<Tenure, Denial> {
    ///     let tenure = own.tenure(token)?;
    ///     tenure.hold_to(outer);
    ///     Ok(tenure)
    /// }
    /// ```
    pub fn hold_to(&self, check: &Check) {
        if check.guard().is_same_as(&self.0.guard) {
            self.0.opened.add_check(check);
        }
    }

    /// The token by which they stay.
    #[must_use]
    pub fn token(&self) -> VerifiedToken {
        self.state().token.clone()
    }

    /// The token's `exp`; `None` where it has none, and only a refusal ends the tenure.
    #[must_use]
    pub fn expires_at(&self) -> Option<NumericDate> {
        self.state().token.expires_at()
    }

    /// Why it has ended; `None` where it has not, or nobody has looked yet.
    #[must_use]
    pub fn ended(&self) -> Option<End> {
        self.state().ended
    }

    /// Whoever awaits the [end](Self::end) looks at once, at everything. For an application that is told of a changed role, or of
    /// a logout where revocation does not [tell](crate::revocation::Changes): it does not wait and may be called from anywhere.
    pub fn wake(&self) {
        let wakers = self.state().look_again();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::of(&*self.parts().clock)
    }

    /// Of the guard as it is: one that has been handed over since the request came judges who may stay.
    fn parts(&self) -> Arc<Parts> {
        self.0.guard.parts()
    }

    /// The refusal of whoever wants to stay, told.
    fn refuse(&self, reason: Reason) -> Denial {
        let parts = self.parts();
        let denial = parts.deny(reason.into(), &[], self.0.opened.correlation_id.clone());
        parts.tell_refused(&denial);
        denial
    }
}

impl fmt::Debug for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Tenure")
            .field("expires_at", &state.token.expires_at())
            .field("ended", &state.ended)
            .finish_non_exhaustive()
    }
}

impl Check {
    /// How long a token that this check let pass may stay. **It judges nothing**: neither this check's requirement nor
    /// revocation is asked here, only, as of any tenure, [every so often](Tenure::recheck_every) from then on. Whoever calls it
    /// has judged the request by this check, or opens a connection that may be closed a moment later.
    ///
    /// For code without a [`Screening`] at hand: what ends is found in the logs by a random correlation id, and policies see no
    /// request.
    ///
    /// # Errors
    /// The [`Denial`] of a token that has expired, by the guard's clock and without leeway: nothing should be opened for it.
    pub fn tenure(&self, token: &VerifiedToken) -> Result<Tenure, Denial> {
        let opened = Opened::new(vec![self.clone()], None, CorrelationId::random());
        Tenure::begin(self.guard(), opened, token.clone())
    }
}

impl Screening {
    /// How long whoever asks may stay, where somebody must ask: what the handler of a WebSocket or of a stream wants.
    ///
    /// The requirements of this guard that the request has met so far are asked again.
    ///
    /// # Errors
    /// The [`Denial`] to send instead of opening anything: of [`require`](Self::require), and of a token that is within its
    /// leeway.
    pub async fn tenure(&self, request: &RequestView<'_>) -> Result<Tenure, Denial> {
        let answer = self.tenure_optional(request).await;
        self.somebody(request, answer)
    }

    /// How long whoever asks may stay, if anybody does. `None` where [`tenure_optional`](Self::tenure_optional) must be asked.
    pub fn tenure_optional_now(&self, request: &RequestView<'_>) -> Option<Result<Option<Tenure>, Denial>> {
        self.optional_now(request).map(|answer| self.begin_tenure(request, answer))
    }

    /// How long whoever asks may stay, if anybody does.
    ///
    /// # Errors
    /// As of [`tenure`](Self::tenure), for requests with credentials.
    pub async fn tenure_optional(&self, request: &RequestView<'_>) -> Result<Option<Tenure>, Denial> {
        let answer = self.optional(request).await;
        self.begin_tenure(request, answer)
    }

    fn begin_tenure(
        &self,
        request: &RequestView<'_>,
        answer: Result<Option<VerifiedToken>, Denial>,
    ) -> Result<Option<Tenure>, Denial> {
        let Some(token) = answer? else { return Ok(None) };
        let mut opened = Opened::new(self.passed(), Some(request), self.correlation_id(request));
        if self.parts().reads_queries() {
            opened.forget_query();
        }
        let tenure = Tenure::begin(self.guard(), opened, token)?;
        if !std::ptr::eq(self.parts(), &*tenure.parts()) {
            // Another guard has been handed over since the request came, and has not judged yet.
            tenure.wake();
        }
        Ok(Some(tenure))
    }
}
