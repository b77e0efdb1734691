use super::{AccessRequest, Authorizer};
use crate::config::ConfigError;
use crate::decision::{Decision, Requirement, Trace};
use crate::observe::{Event, Observer};
use async_trait::async_trait;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

/// An authorizer that decides, and another one in its shadow that is asked the same and never decides: to see what a new
/// catalog or a new decision service would have said.
///
/// The observer is told where the shadow agrees ([`Event::ShadowAgreed`]), and where it disagrees or has not answered in time
/// ([`Event::ShadowDisagreed`]). Whether the reasons agree does not matter.
///
/// Unless [told to](Self::wait_for_shadow), nothing waits for the shadow. Where the decision comes from memory, the shadow is
/// asked for what it has in memory. Where the decision must be waited for, the shadow is asked at the same time, and has as
/// long as the decision takes; what it has begun by then is dropped. A shadow that panics has not answered. What it computes
/// without waiting it computes within the request.
///
/// Requirements that the shadow does not accept are declared all the same: it says no to them, and that is told.
///
/// ```
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, ScopeAuthorizer, Shadowed, scopes};
/// use countersign::observe::NoObserver;
///
/// let (today, tomorrow) = (ScopeAuthorizer, ScopeAuthorizer);
/// let authorizer = Shadowed::new(today, tomorrow, NoObserver);
/// assert!(authorizer.accepts(&scopes(["a"])).is_ok());
/// ```
#[derive(Debug)]
pub struct Shadowed {
    decides: Box<dyn Authorizer>,
    shadow: Box<dyn Authorizer>,
    observer: Box<dyn Observer>,
    limit: Option<Limit>,
}

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Begins the time that a decision is held back at most.
struct Limit(Box<dyn Fn() -> Wait + Send + Sync>);

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limit")
    }
}

/// What a shadow does must not reach the request.
fn aside<T>(ask: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(ask)).ok()
}

fn is_alike(a: Decision, b: Decision) -> bool {
    std::mem::discriminant(&a) == std::mem::discriminant(&b)
}

impl Shadowed {
    /// `decides`, with `shadow` in its shadow.
    #[must_use]
    pub fn new(decides: impl Authorizer, shadow: impl Authorizer, observer: impl Observer) -> Self {
        Self { decides: Box::new(decides), shadow: Box::new(shadow), observer: Box::new(observer), limit: None }
    }

    /// Holds a decision back until the shadow has answered too, or the future of `limit` is over: for a shadow that must be
    /// waited for, such as a decision service, in front of which stands an authorizer that answers from memory.
    ///
    /// Each request then takes as long as the slower of the two, and at most as long as `limit` after the decision: with
    /// tokio, `.wait_for_shadow(|| tokio::time::sleep(Duration::from_millis(50)))`. The decision stays what it is, whatever
    /// becomes of the shadow and of `limit`. Where the shadow has its answer in memory, nothing is held back.
    ///
    /// ```
    /// use countersign::VerifiedToken;
    /// use countersign::async_trait;
    /// use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, ScopeAuthorizer, Shadowed, scopes};
    /// use countersign::observe::NoObserver;
    /// # use countersign::ConfigError;
    ///
    /// #[derive(Debug)]
    /// struct Service; // which has nothing in memory
    /// #[async_trait]
    /// impl Authorizer for Service {
    /// #   fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> { Ok(()) }
    ///     // …
    ///     async fn decide(&self, _: &AccessRequest<'_>) -> Decision { Decision::Allow }
    /// }
    ///
    /// let (token, read) = (VerifiedToken::vouched(&serde_json::json!({"scope": "read"}))?, scopes(["read"]));
    /// let question = AccessRequest::new(&token, &read);
    /// let passing = Shadowed::new(ScopeAuthorizer, Service, NoObserver);
    /// assert_eq!(passing.decide_now(&question), Some(Decision::Allow), "the service is never asked");
    /// let waiting = Shadowed::new(ScopeAuthorizer, Service, NoObserver).wait_for_shadow(std::future::pending);
    /// assert_eq!(waiting.decide_now(&question), None, "`decide` asks both");
    /// # Ok::<(), countersign::claims::ClaimsError>(())
    /// ```
    #[must_use]
    pub fn wait_for_shadow<F>(mut self, limit: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.limit = Some(Limit(Box::new(move || Box::pin(limit()))));
        self
    }

    fn compare(&self, request: &AccessRequest<'_>, decision: Decision, shadow: Option<Decision>) {
        let required = request.requirement;
        self.observer.observe(&match shadow {
            Some(shadow) if is_alike(decision, shadow) => Event::ShadowAgreed { required, decision },
            shadow => Event::ShadowDisagreed { required, decision, shadow },
        });
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Authorizer for Shadowed {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        self.decides.accepts(requirement)
    }

    fn judges(&self, leaf: &Requirement) -> bool {
        self.decides.judges(leaf)
    }

    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        let decision = self.decides.decide_now(request)?;
        match aside(|| self.shadow.decide_now(&request.unnoted())) {
            Some(None) if self.limit.is_some() => None,
            shadow => {
                self.compare(request, decision, shadow.flatten());
                Some(decision)
            }
        }
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        let unnoted = request.unnoted();
        // What can be answered now was not answered before for the shadow's sake alone, and is not to be waited for.
        let mut decided = self.limit.as_ref().and_then(|_| self.decides.decide_now(request));
        let mut deciding = decided.is_none().then(|| self.decides.decide(request));
        let mut shadowing = aside(|| self.shadow.decide(&unnoted));
        let (mut shadow, mut wait) = (None, None);
        let decision = poll_fn(|context| {
            if let (None, Some(future)) = (decided, &mut deciding)
                && let Poll::Ready(decision) = future.as_mut().poll(context)
            {
                decided = Some(decision);
            }
            if let Some(future) = &mut shadowing {
                match aside(|| future.as_mut().poll(context)) {
                    Some(Poll::Pending) => {}
                    Some(Poll::Ready(decision)) => {
                        shadow = Some(decision);
                        aside(|| shadowing = None);
                    }
                    None => drop(aside(|| shadowing = None)),
                }
            }
            let Some(decision) = decided else { return Poll::Pending };
            let Some(limit) = self.limit.as_ref().filter(|_| shadowing.is_some()) else { return Poll::Ready(decision) };
            let wait = wait.get_or_insert_with(|| aside(|| limit.0()));
            match wait.as_mut().and_then(|wait| aside(|| wait.as_mut().poll(context))) {
                Some(Poll::Pending) => Poll::Pending,
                _ => Poll::Ready(decision),
            }
        })
        .await;
        aside(|| drop((shadowing, wait)));
        self.compare(request, decision, shadow);
        decision
    }

    fn trace(&self, request: &AccessRequest<'_>) -> Trace {
        self.decides.trace(request)
    }

    fn version(&self) -> Option<Arc<str>> {
        self.decides.version()
    }
}

#[cfg(test)]
mod tests;
