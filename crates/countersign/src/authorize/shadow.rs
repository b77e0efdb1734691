use super::{AccessRequest, Authorizer};
use crate::config::ConfigError;
use crate::decision::{Decision, Requirement, Trace};
use crate::observe::{Event, Observer};
use async_trait::async_trait;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

/// An authorizer that decides, and another one in its shadow that is asked the same and never decides: to see what a new
/// catalog or a new decision service would have said.
///
/// Where the shadow disagrees, or has not answered in time, the observer is told ([`Event::ShadowDisagreed`]). Whether the
/// reasons agree does not matter.
///
/// The shadow is not waited for. Where the decision comes from memory, the shadow is asked for what it has in memory. Where
/// the decision must be waited for, the shadow is asked at the same time, and has as long as the decision takes; what it
/// has begun by then is dropped. A shadow that panics has not answered. What it computes without waiting it computes within
/// the request.
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
        Self { decides: Box::new(decides), shadow: Box::new(shadow), observer: Box::new(observer) }
    }

    fn compare(&self, request: &AccessRequest<'_>, decision: Decision, shadow: Option<Decision>) {
        if shadow.is_none_or(|shadow| !is_alike(decision, shadow)) {
            let required = request.requirement;
            self.observer.observe(&Event::ShadowDisagreed { required, decision, shadow });
        }
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
        let shadow = aside(|| self.shadow.decide_now(&request.unnoted())).flatten();
        self.compare(request, decision, shadow);
        Some(decision)
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        let unnoted = request.unnoted();
        let mut deciding = self.decides.decide(request);
        let mut shadowing = aside(|| self.shadow.decide(&unnoted));
        let mut shadow = None;
        let decision = poll_fn(|context| {
            let decided = deciding.as_mut().poll(context);
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
            decided
        })
        .await;
        aside(|| drop(shadowing));
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
