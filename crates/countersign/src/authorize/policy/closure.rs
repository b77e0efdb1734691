use super::{AccessRequest, Grant, GrantPolicy, Veto, VetoPolicy, granted, vetoed};
use crate::decision::{Trace, Why};
use async_trait::async_trait;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// What a closure may answer where it is a [`GrantPolicy`]: whether its condition holds, or the [`Grant`] itself.
///
/// | answer | means | code |
/// |---|---|---|
/// | `true` | allow | `holds` |
/// | `false` | abstain | `does_not_hold` |
/// | `None` | indeterminate | `unknown` |
/// | `Err(_)` | indeterminate | `failed` |
///
/// `Some` and `Ok` are what they hold. An absent attribute is `None` and not `false`: or `not` would make a permission of it.
/// Where absence is an answer, say `false`.
///
/// ```
/// use countersign::authorize::policy::{Grant, GrantAnswer};
///
/// assert!(matches!(true.into_grant("staff"), Grant::Allow(why) if why.code == "holds"));
/// assert!(matches!(false.into_grant("staff"), Grant::Abstain(_)));
/// assert!(matches!(None::<bool>.into_grant("staff"), Grant::Indeterminate(_)));
/// assert!(matches!(Err::<bool, _>("timeout").into_grant("staff"), Grant::Indeterminate(why) if why.code == "failed"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer of a policy that allows",
    note = "answer with `bool`, `Option<bool>`, `Result<bool, _>` or `Grant`"
)]
pub trait GrantAnswer {
    /// The answer, given by the policy of this name.
    fn into_grant(self, policy: &'static str) -> Grant;
}

/// What a closure may answer where it is a [`VetoPolicy`]: whether its condition holds, or the [`Veto`] itself.
///
/// | answer | means | code |
/// |---|---|---|
/// | `true` | deny | `holds` |
/// | `false` | pass | |
/// | `None` | indeterminate | `unknown` |
/// | `Err(_)` | indeterminate | `failed` |
///
/// `Some` and `Ok` are what they hold.
///
/// ```
/// use countersign::authorize::policy::{Veto, VetoAnswer};
///
/// assert!(matches!(true.into_veto("suspended"), Veto::Deny(_)));
/// assert_eq!(false.into_veto("suspended"), Veto::Pass);
/// assert!(matches!(None::<bool>.into_veto("suspended"), Veto::Indeterminate(_)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer of a policy that denies",
    note = "answer with `bool`, `Option<bool>`, `Result<bool, _>` or `Veto`"
)]
pub trait VetoAnswer {
    /// The answer, given by the policy of this name.
    fn into_veto(self, policy: &'static str) -> Veto;
}

const HOLDS: &str = "holds";
const UNKNOWN: &str = "unknown";
const FAILED: &str = "failed";

impl GrantAnswer for bool {
    fn into_grant(self, policy: &'static str) -> Grant {
        if self { Grant::Allow(Why::new(policy, HOLDS)) } else { Grant::Abstain(Why::new(policy, "does_not_hold")) }
    }
}

impl GrantAnswer for Grant {
    fn into_grant(self, _: &'static str) -> Grant {
        self
    }
}

impl<T: GrantAnswer> GrantAnswer for Option<T> {
    fn into_grant(self, policy: &'static str) -> Grant {
        self.map_or(Grant::Indeterminate(Why::new(policy, UNKNOWN)), |answer| answer.into_grant(policy))
    }
}

impl<T: GrantAnswer, E> GrantAnswer for Result<T, E> {
    fn into_grant(self, policy: &'static str) -> Grant {
        self.map_or(Grant::Indeterminate(Why::new(policy, FAILED)), |answer| answer.into_grant(policy))
    }
}

impl VetoAnswer for bool {
    fn into_veto(self, policy: &'static str) -> Veto {
        if self { Veto::Deny(Why::new(policy, HOLDS)) } else { Veto::Pass }
    }
}

impl VetoAnswer for Veto {
    fn into_veto(self, _: &'static str) -> Veto {
        self
    }
}

impl<T: VetoAnswer> VetoAnswer for Option<T> {
    fn into_veto(self, policy: &'static str) -> Veto {
        self.map_or(Veto::Indeterminate(Why::new(policy, UNKNOWN)), |answer| answer.into_veto(policy))
    }
}

impl<T: VetoAnswer, E> VetoAnswer for Result<T, E> {
    fn into_veto(self, policy: &'static str) -> Veto {
        self.map_or(Veto::Indeterminate(Why::new(policy, FAILED)), |answer| answer.into_veto(policy))
    }
}

/// A closure as a policy: made by [`policy_fn`].
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{Grant, GrantPolicy, Veto, VetoPolicy, policy_fn};
/// use countersign::authorize::{AccessRequest, authenticated};
///
/// // What holds is a reason for, and the same closure as a veto has a reason against.
/// let trial = policy_fn("trial", |request| request.token.has_scope("trial"));
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "scope": "trial"}))?;
/// let asked = authenticated();
/// let request = AccessRequest::new(&token, &asked);
/// assert!(matches!(trial.grant_now(&request), Some(Grant::Allow(why)) if why.policy == "trial"));
/// assert!(matches!(trial.veto_now(&request), Some(Veto::Deny(why)) if why.policy == "trial"));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Copy)]
pub struct PolicyFn<F> {
    name: &'static str,
    condition: F,
}

/// A condition that is answered from memory, as a policy under this name.
///
/// The name stands in logs and labels: a constant of the application's.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{deny_overrides, policy_fn};
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, Why, action};
///
/// let posts = deny_overrides("posts", ["posts:write"])
///     .deny_if(policy_fn("suspended", |request| request.token.has_scope("suspended")))
///     .allow_if(policy_fn("staff", |request| request.token.issuer() == Some("https://staff.example/")))
///     .build()?;
///
/// let staff = VerifiedToken::vouched(&serde_json::json!({"iss": "https://staff.example/", "sub": "7"}))?;
/// let customer = VerifiedToken::vouched(&serde_json::json!({"iss": "https://shop.example/", "sub": "7"}))?;
/// let write = action("posts:write");
/// assert_eq!(posts.decide_now(&AccessRequest::new(&staff, &write)), Some(Decision::Allow));
/// let no = Decision::Deny(Why::new("posts", "no_grant"));
/// assert_eq!(posts.decide_now(&AccessRequest::new(&customer, &write)), Some(no));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn policy_fn<F, T>(name: &'static str, condition: F) -> PolicyFn<F>
where
    F: Fn(&AccessRequest<'_>) -> T + Send + Sync + 'static,
{
    PolicyFn { name, condition }
}

impl<F> fmt::Debug for PolicyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyFn").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F, T> GrantPolicy for PolicyFn<F>
where
    F: Fn(&AccessRequest<'_>) -> T + Send + Sync + 'static,
    T: GrantAnswer,
{
    fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        Some((self.condition)(request).into_grant(self.name))
    }

    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        granted(self.name, self.grant_now(request))
    }
}

impl<F, T> VetoPolicy for PolicyFn<F>
where
    F: Fn(&AccessRequest<'_>) -> T + Send + Sync + 'static,
    T: VetoAnswer,
{
    fn veto_now(&self, request: &AccessRequest<'_>) -> Option<Veto> {
        Some((self.condition)(request).into_veto(self.name))
    }

    fn veto_trace(&self, request: &AccessRequest<'_>) -> Trace {
        vetoed(self.name, self.veto_now(request))
    }
}

/// An answer that must be waited for.
type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A closure that waits, as a policy: made by [`async_policy_fn`].
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{GrantPolicy, async_policy_fn};
/// use countersign::authorize::{AccessRequest, authenticated};
///
/// let member = async_policy_fn("member", |request| Box::pin(is_member(request.token.subject())));
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7"}))?;
/// let asked = authenticated();
/// assert_eq!(member.grant_now(&AccessRequest::new(&token, &asked)), None, "nothing is known without waiting");
/// # async fn is_member(_: Option<&str>) -> Result<bool, std::io::Error> { Ok(true) }
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Copy)]
pub struct AsyncPolicyFn<F> {
    name: &'static str,
    condition: F,
}

/// A condition that must be waited for, as a policy under this name.
///
/// ```
/// use countersign::authorize::policy::{async_policy_fn, deny_overrides};
///
/// async fn is_member(subject: Option<&str>) -> Result<bool, std::io::Error> {
///     Ok(subject == Some("7"))
/// }
///
/// let posts = deny_overrides("posts", ["posts:write"])
///     .allow_if(async_policy_fn("member", |request| Box::pin(is_member(request.token.subject()))))
///     .build()?;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn async_policy_fn<F, T>(name: &'static str, condition: F) -> AsyncPolicyFn<F>
where
    F: for<'a> Fn(&'a AccessRequest<'a>) -> Later<'a, T> + Send + Sync + 'static,
{
    AsyncPolicyFn { name, condition }
}

impl<F> fmt::Debug for AsyncPolicyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncPolicyFn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, T> GrantPolicy for AsyncPolicyFn<F>
where
    F: for<'a> Fn(&'a AccessRequest<'a>) -> Later<'a, T> + Send + Sync + 'static,
    T: GrantAnswer + Send,
{
    async fn grant(&self, request: &AccessRequest<'_>) -> Grant {
        (self.condition)(request).await.into_grant(self.name)
    }

    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        granted(self.name, self.grant_now(request))
    }
}

#[async_trait]
impl<F, T> VetoPolicy for AsyncPolicyFn<F>
where
    F: for<'a> Fn(&'a AccessRequest<'a>) -> Later<'a, T> + Send + Sync + 'static,
    T: VetoAnswer + Send,
{
    async fn veto(&self, request: &AccessRequest<'_>) -> Veto {
        (self.condition)(request).await.into_veto(self.name)
    }

    fn veto_trace(&self, request: &AccessRequest<'_>) -> Trace {
        vetoed(self.name, self.veto_now(request))
    }
}
