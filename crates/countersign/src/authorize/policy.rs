//! Policies: conditions of the application's own, and how they make a decision.
//!
//! A [`GrantPolicy`] allows or abstains, and cannot deny. A [`VetoPolicy`] denies or lets pass, and cannot allow. Both may
//! say that they cannot tell. A closure is a policy by [`policy_fn`] or [`async_policy_fn`]; an authorizer and a
//! requirement are one by [`meets`]. [`deny_overrides`] makes an [`Authorizer`](super::Authorizer) of them:
//!
//! | vetoes | grants | decision |
//! |---|---|---|
//! | one denies | any | deny |
//! | none denies, one cannot tell | any | indeterminate |
//! | all pass | one allows | allow |
//! | all pass | none allows, one cannot tell | indeterminate |
//! | all pass | all abstain | deny |
//!
//! No vetoes pass, and no grants abstain: where there is nothing at all, the answer is no. The order in which policies
//! were named does not matter to the outcome; of several reasons for it the first one is told.
//!
//! Policies that answer from memory are asked first: vetoes before grants, and of each those that must wait after those
//! that need not. So an answer from memory spares the waiting, and no grant is asked for before every veto has let pass.
//! Those who wait are asked one after the other.
//!
//! A policy may be asked several times for one decision, so it has no effects: what counts its calls counts wrongly. For a
//! role, a permission or a scope, ask [`meets`], in grants, under `not` and in vetoes: it tells "has not" from "cannot be read".
//!
//! Grants are combined by [`any_of`], [`all_of`] and [`not`], in Kleene's logic:
//!
//! | a | b | `any_of((a, b))` | `all_of((a, b))` | `not(a)` |
//! |---|---|---|---|---|
//! | allow | allow | allow | allow | abstain |
//! | allow | abstain | allow | abstain | abstain |
//! | allow | indeterminate | allow | indeterminate | abstain |
//! | abstain | allow | allow | abstain | allow |
//! | abstain | abstain | abstain | abstain | allow |
//! | abstain | indeterminate | indeterminate | abstain | allow |
//! | indeterminate | allow | allow | indeterminate | indeterminate |
//! | indeterminate | abstain | indeterminate | abstain | indeterminate |
//! | indeterminate | indeterminate | indeterminate | indeterminate | indeterminate |
//!
//! `not` keeps what cannot be told: a block list that is down is no reason to let somebody in.
//!
//! # When a policy fails
//!
//! A policy that cannot tell says `Indeterminate`, and that becomes 503 unless the table says otherwise: it never allows.
//! A closure does so with `Err`, and with `None`. The core has no timer: whoever asks a service puts the deadline of the
//! runtime around the question. `tokio::time::timeout(limit, look_up).await` is a `Result` of a `Result`, which is an answer
//! as it stands: late or failed, nobody can tell. The error itself is not kept, because its text may come from elsewhere: log
//! it where it arises. A policy that panics takes the request with it, as any other code of the application does.
//!
//! # An example
//!
//! ```
//! use countersign::VerifiedToken;
//! use countersign::authorize::policy::{deny_overrides, policy_fn};
//! use countersign::authorize::{AccessRequest, Authorizer, Decision, action};
//!
//! let posts = deny_overrides("posts", ["posts:write"])
//!     .deny_if(policy_fn("suspended", |request| request.token.has_scope("suspended")))
//!     .allow_if(policy_fn("known", |request| request.token.subject().is_some()))
//!     .build()?;
//!
//! let write = action("posts:write");
//! let ask = |claims| {
//!     let token = VerifiedToken::vouched(&claims).expect("claims");
//!     posts.decide_now(&AccessRequest::new(&token, &write))
//! };
//! assert_eq!(ask(serde_json::json!({"sub": "7"})), Some(Decision::Allow));
//! assert!(matches!(ask(serde_json::json!({"sub": "7", "scope": "suspended"})), Some(Decision::Deny(_))));
//! # Ok::<(), countersign::ConfigError>(())
//! ```

mod closure;
mod combine;
mod deny_overrides;

pub use closure::{AsyncPolicyFn, GrantAnswer, PolicyFn, VetoAnswer, async_policy_fn, policy_fn};
pub use combine::{AllOf, AnyOf, Grants, Meets, Not, all_of, any_of, meets, not};
pub use deny_overrides::{DenyOverrides, DenyOverridesBuilder, deny_overrides};

use super::AccessRequest;
use crate::decision::{Finding, Trace, Why};
use async_trait::async_trait;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a policy that can allow says. Exhaustive on purpose: a caller that forgets a case must not compile.
///
/// ```
/// use countersign::authorize::Why;
/// use countersign::authorize::policy::Grant;
///
/// fn friend(answer: Result<bool, std::io::Error>) -> Grant {
///     match answer {
///         Ok(true) => Grant::Allow(Why::new("friends", "friend")),
///         Ok(false) => Grant::Abstain(Why::new("friends", "stranger")),
///         Err(_) => Grant::Indeterminate(Why::new("friends", "unreachable")),
///     }
/// }
/// # assert!(matches!(friend(Ok(true)), Grant::Allow(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Grant {
    /// They may.
    Allow(Why),
    /// This policy gives no reason why they should.
    Abstain(Why),
    /// Nobody can tell. It never allows.
    Indeterminate(Why),
}

/// What a policy that can deny says. Exhaustive on purpose: a caller that forgets a case must not compile.
///
/// ```
/// use countersign::authorize::Why;
/// use countersign::authorize::policy::Veto;
///
/// fn quota(used: u64, allowed: u64) -> Veto {
///     if used < allowed { Veto::Pass } else { Veto::Deny(Why::new("quota", "used_up")) }
/// }
/// # assert_eq!(quota(1, 2), Veto::Pass);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Veto {
    /// They may not, whatever grants say.
    Deny(Why),
    /// This policy has nothing against it.
    Pass,
    /// Nobody can tell. No grant outweighs it.
    Indeterminate(Why),
}

/// What a policy says of which nobody has written a method.
const UNANSWERED: Why = Why::new("policy", "unanswered");

/// Allows, or abstains. It cannot deny.
///
/// Write one of the two methods: [`grant_now`](Self::grant_now) where the answer is in memory, [`grant`](Self::grant) where
/// it must be waited for; both where it sometimes is. Who writes neither can tell nothing. For a condition in one line, see
/// [`policy_fn`].
///
/// ```
/// use countersign::authorize::policy::{Grant, GrantPolicy};
/// use countersign::authorize::{AccessRequest, Why};
///
/// /// Subjects that this service knows by name.
/// #[derive(Debug)]
/// struct Friends(Vec<String>);
///
/// impl GrantPolicy for Friends {
///     fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
///         Some(match request.token.subject() {
///             Some(subject) if self.0.iter().any(|friend| friend == subject) => Grant::Allow(Why::new("friends", "friend")),
///             _ => Grant::Abstain(Why::new("friends", "stranger")),
///         })
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` grants nothing",
    note = "make a closure a policy with `policy_fn`, an authorizer with `meets`, or implement `GrantPolicy`"
)]
pub trait GrantPolicy: Debug + Send + Sync + 'static {
    /// The answer, taken from memory without waiting; `None` where [`grant`](Self::grant) must be asked.
    fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        let _ = request;
        None
    }

    /// The answer.
    async fn grant(&self, request: &AccessRequest<'_>) -> Grant {
        self.grant_now(request).unwrap_or(Grant::Indeterminate(UNANSWERED))
    }

    /// How the answer comes about, as far as memory goes: a policy made of others shows them.
    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        granted("grant", self.grant_now(request))
    }
}

/// Denies, or lets pass. It cannot allow.
///
/// Write one of the two methods: [`veto_now`](Self::veto_now) where the answer is in memory, [`veto`](Self::veto) where
/// it must be waited for; both where it sometimes is. Who writes neither can tell nothing, and so blocks everything. For a
/// condition in one line, see [`policy_fn`].
///
/// ```
/// use countersign::authorize::policy::{Veto, VetoPolicy};
/// use countersign::authorize::{AccessRequest, Why};
/// use countersign::async_trait;
///
/// #[derive(Debug)]
/// struct LegalHold;
///
/// #[async_trait]
/// impl VetoPolicy for LegalHold {
///     async fn veto(&self, _: &AccessRequest<'_>) -> Veto {
///         match is_held().await {
///             Ok(true) => Veto::Deny(Why::new("legal_hold", "held")),
///             Ok(false) => Veto::Pass,
///             Err(_) => Veto::Indeterminate(Why::new("legal_hold", "unreachable")),
///         }
///     }
/// }
/// # async fn is_held() -> Result<bool, std::io::Error> { Ok(false) }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` denies nothing",
    note = "make a closure a policy with `policy_fn`, an authorizer with `meets`, or implement `VetoPolicy`"
)]
pub trait VetoPolicy: Debug + Send + Sync + 'static {
    /// The answer, taken from memory without waiting; `None` where [`veto`](Self::veto) must be asked.
    fn veto_now(&self, request: &AccessRequest<'_>) -> Option<Veto> {
        let _ = request;
        None
    }

    /// The answer.
    async fn veto(&self, request: &AccessRequest<'_>) -> Veto {
        self.veto_now(request).unwrap_or(Veto::Indeterminate(UNANSWERED))
    }

    /// How the answer comes about, as far as memory goes.
    fn veto_trace(&self, request: &AccessRequest<'_>) -> Trace {
        vetoed("veto", self.veto_now(request))
    }
}

fn granted(asked: &str, answer: Option<Grant>) -> Trace {
    let (finding, why) = match answer {
        Some(Grant::Allow(why)) => (Finding::Allow, Some(why)),
        Some(Grant::Abstain(why)) => (Finding::Abstain, Some(why)),
        Some(Grant::Indeterminate(why)) => (Finding::Indeterminate, Some(why)),
        None => (Finding::Waits, None),
    };
    Trace::new(asked, finding, why)
}

fn vetoed(asked: &str, answer: Option<Veto>) -> Trace {
    let (finding, why) = match answer {
        Some(Veto::Deny(why)) => (Finding::Deny, Some(why)),
        Some(Veto::Pass) => (Finding::Pass, None),
        Some(Veto::Indeterminate(why)) => (Finding::Indeterminate, Some(why)),
        None => (Finding::Waits, None),
    };
    Trace::new(asked, finding, why)
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: GrantPolicy + ?Sized> GrantPolicy for $pointer<T> {
            fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
                (**self).grant_now(request)
            }

            fn grant<'s, 'q, 'r, 'f>(
                &'s self,
                request: &'q AccessRequest<'r>,
            ) -> Pin<Box<dyn Future<Output = Grant> + Send + 'f>>
            where
                's: 'f,
                'q: 'f,
                'r: 'f,
                Self: 'f,
            {
                (**self).grant(request)
            }

            fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
                (**self).grant_trace(request)
            }
        }

        #[deny(clippy::missing_trait_methods)]
        impl<T: VetoPolicy + ?Sized> VetoPolicy for $pointer<T> {
            fn veto_now(&self, request: &AccessRequest<'_>) -> Option<Veto> {
                (**self).veto_now(request)
            }

            fn veto<'s, 'q, 'r, 'f>(
                &'s self,
                request: &'q AccessRequest<'r>,
            ) -> Pin<Box<dyn Future<Output = Veto> + Send + 'f>>
            where
                's: 'f,
                'q: 'f,
                'r: 'f,
                Self: 'f,
            {
                (**self).veto(request)
            }

            fn veto_trace(&self, request: &AccessRequest<'_>) -> Trace {
                (**self).veto_trace(request)
            }
        }
    )*};
}
forward!(Arc, Box);

#[cfg(test)]
mod tests;
