use super::{AccessRequest, Grant, GrantPolicy, Veto, VetoPolicy, granted, vetoed};
use crate::authorize::Authorizer;
use crate::config::ConfigError;
use crate::decision::{Decision, Requirement, Trace, Why};
use async_trait::async_trait;
use std::fmt::Debug;

/// Grants in order: a tuple of up to eight, or a list. What is in a tuple needs no box.
///
/// ```
/// use countersign::authorize::policy::{GrantPolicy, all_of, any_of, policy_fn};
///
/// let staff = policy_fn("staff", |request| request.token.has_scope("staff"));
/// let named = policy_fn("named", |request| request.token.subject().is_some());
/// let both = all_of((staff, named))?; // of two types, without a box
///
/// // As many as the configuration says.
/// let by_scope = |name: &'static str| policy_fn(name, move |request| request.token.has_scope(name));
/// let any = any_of(["a", "b", "c"].map(by_scope).into_iter().collect::<Vec<_>>())?;
/// # let _: (&dyn GrantPolicy, &dyn GrantPolicy) = (&both, &any);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub trait Grants: Debug + Send + Sync + 'static {
    /// The policy at this place, counted from zero.
    fn nth(&self, nth: usize) -> Option<&dyn GrantPolicy>;
}

impl<P: GrantPolicy> Grants for Vec<P> {
    fn nth(&self, nth: usize) -> Option<&dyn GrantPolicy> {
        self.get(nth).map(|policy| policy as &dyn GrantPolicy)
    }
}

macro_rules! tuple {
    ($($name:ident $at:tt),+) => {
        impl<$($name: GrantPolicy),+> Grants for ($($name,)+) {
            fn nth(&self, nth: usize) -> Option<&dyn GrantPolicy> {
                match nth {
                    $($at => Some(&self.$at),)+
                    _ => None,
                }
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// In what two combinations differ: the answer that ends the search, and the one that stands where nothing else does.
#[derive(Clone, Copy)]
enum Mode {
    Any,
    All,
}

impl Mode {
    /// `so_far` and one more answer; whether the search is over.
    fn add(self, so_far: Option<Grant>, answer: Grant) -> (Grant, bool) {
        let is_last = match self {
            Self::Any => matches!(answer, Grant::Allow(_)),
            Self::All => matches!(answer, Grant::Abstain(_)),
        };
        let kept = match (so_far, answer) {
            (Some(Grant::Indeterminate(why)), _) if !is_last => Grant::Indeterminate(why),
            (Some(so_far), answer) if !is_last && !matches!(answer, Grant::Indeterminate(_)) => so_far,
            (_, answer) => answer,
        };
        (kept, is_last)
    }

    /// The first answer that no other one changes; or all of them, where none is open.
    fn now(self, grants: &dyn Grants, request: &AccessRequest<'_>) -> Option<Grant> {
        let (mut so_far, mut is_open) = (None, false);
        for policy in all(grants) {
            let Some(answer) = policy.grant_now(request) else {
                is_open = true;
                continue;
            };
            let (kept, is_last) = self.add(so_far, answer);
            if is_last {
                return Some(kept);
            }
            so_far = Some(kept);
        }
        if is_open { None } else { Some(so_far.unwrap_or(NOTHING)) }
    }

    async fn later(self, grants: &dyn Grants, request: &AccessRequest<'_>) -> Grant {
        if let Some(answer) = self.now(grants, request) {
            return answer;
        }
        let mut so_far = None;
        for nth in 0.. {
            let Some(policy) = grants.nth(nth) else { break };
            let answer = match policy.grant_now(request) {
                Some(answer) => answer,
                None => policy.grant(request).await,
            };
            let (kept, is_last) = self.add(so_far, answer);
            if is_last {
                return kept;
            }
            so_far = Some(kept);
        }
        so_far.unwrap_or(NOTHING)
    }
}

fn all(grants: &dyn Grants) -> impl Iterator<Item = &dyn GrantPolicy> {
    (0..).map_while(|nth| grants.nth(nth))
}

/// What a combination of nothing says, which only a list that changes could become. `not` makes no permission of it.
const NOTHING: Grant = Grant::Indeterminate(Why::new("policy", "empty"));

fn check<G: Grants>(setting: &'static str, grants: G) -> Result<G, ConfigError> {
    match grants.nth(0) {
        Some(_) => Ok(grants),
        None => Err(ConfigError::new(setting, "a combination of no policies")),
    }
}

/// Allows where one of its policies does: made by [`any_of`].
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{Grant, GrantPolicy, any_of, policy_fn};
/// use countersign::authorize::{AccessRequest, authenticated};
///
/// let by_scope = |name: &'static str| policy_fn(name, move |request| request.token.has_scope(name));
/// let either = any_of((by_scope("editor"), by_scope("admin")))?;
/// let token = VerifiedToken::vouched(&serde_json::json!({"scope": "admin"}))?;
/// let asked = authenticated();
/// let answer = either.grant_now(&AccessRequest::new(&token, &asked));
/// assert!(matches!(answer, Some(Grant::Allow(why)) if why.policy == "admin"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AnyOf<G>(G);

/// Allows where one of these does; [the table](super) says what else.
///
/// # Errors
/// [`ConfigError`] when there are none: `not` would make a permission of it.
///
/// ```
/// use countersign::authorize::policy::{any_of, not, policy_fn};
///
/// let staff = policy_fn("staff", |request| request.token.has_scope("staff"));
/// let robot = policy_fn("robot", |request| request.token.subject().is_none());
/// let people = not(any_of((staff, robot))?);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn any_of<G: Grants>(grants: G) -> Result<AnyOf<G>, ConfigError> {
    check("any_of", grants).map(AnyOf)
}

#[async_trait]
impl<G: Grants> GrantPolicy for AnyOf<G> {
    fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        Mode::Any.now(&self.0, request)
    }

    async fn grant(&self, request: &AccessRequest<'_>) -> Grant {
        Mode::Any.later(&self.0, request).await
    }

    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        let parts = all(&self.0).map(|policy| policy.grant_trace(request));
        granted("any_of", self.grant_now(request)).with_parts(parts)
    }
}

/// Allows where each of its policies does: made by [`all_of`].
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{Grant, GrantPolicy, all_of, policy_fn};
/// use countersign::authorize::{AccessRequest, authenticated};
///
/// let by_scope = |name: &'static str| policy_fn(name, move |request| request.token.has_scope(name));
/// let both = all_of((by_scope("editor"), by_scope("admin")))?;
/// let token = VerifiedToken::vouched(&serde_json::json!({"scope": "admin"}))?;
/// let asked = authenticated();
/// let answer = both.grant_now(&AccessRequest::new(&token, &asked));
/// assert!(matches!(answer, Some(Grant::Abstain(why)) if why.policy == "editor"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AllOf<G>(G);

/// Allows where each of these does; [the table](super) says what else.
///
/// # Errors
/// [`ConfigError`] when there are none: "all of none" would let everybody in.
///
/// ```
/// use countersign::authorize::policy::{GrantPolicy, all_of, policy_fn};
///
/// let staff = policy_fn("staff", |request| request.token.has_scope("staff"));
/// let named = policy_fn("named", |request| request.token.subject().is_some());
/// let both = all_of((staff, named))?;
/// assert!(all_of(Vec::<Box<dyn GrantPolicy>>::new()).is_err());
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn all_of<G: Grants>(grants: G) -> Result<AllOf<G>, ConfigError> {
    check("all_of", grants).map(AllOf)
}

#[async_trait]
impl<G: Grants> GrantPolicy for AllOf<G> {
    fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        Mode::All.now(&self.0, request)
    }

    async fn grant(&self, request: &AccessRequest<'_>) -> Grant {
        Mode::All.later(&self.0, request).await
    }

    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        let parts = all(&self.0).map(|policy| policy.grant_trace(request));
        granted("all_of", self.grant_now(request)).with_parts(parts)
    }
}

/// Allows where its policy abstains: made by [`not`].
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{Grant, GrantPolicy, not, policy_fn};
/// use countersign::authorize::{AccessRequest, authenticated};
///
/// let person = not(policy_fn("robot", |request| request.token.has_scope("robot")));
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7"}))?;
/// let asked = authenticated();
/// assert!(matches!(person.grant_now(&AccessRequest::new(&token, &asked)), Some(Grant::Allow(_))));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Not<P>(P);

/// Allows where this abstains, and abstains where it allows. What cannot be told stays so.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{Grant, GrantPolicy, not, policy_fn};
/// use countersign::authorize::{AccessRequest, authenticated};
///
/// // The attribute is not there: nobody can tell whether the post is locked, and so nobody can tell that it is not.
/// let unlocked = not(policy_fn("locked", |request| request.resource?.attribute("locked")?.as_flag()));
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7"}))?;
/// let asked = authenticated();
/// assert!(matches!(unlocked.grant_now(&AccessRequest::new(&token, &asked)), Some(Grant::Indeterminate(_))));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
pub fn not<P: GrantPolicy>(policy: P) -> Not<P> {
    Not(policy)
}

fn negate(answer: Grant) -> Grant {
    match answer {
        Grant::Allow(why) => Grant::Abstain(why),
        Grant::Abstain(why) => Grant::Allow(why),
        Grant::Indeterminate(why) => Grant::Indeterminate(why),
    }
}

#[async_trait]
impl<P: GrantPolicy> GrantPolicy for Not<P> {
    fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        self.0.grant_now(request).map(negate)
    }

    async fn grant(&self, request: &AccessRequest<'_>) -> Grant {
        negate(self.0.grant(request).await)
    }

    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        granted("not", self.grant_now(request)).with_parts([self.0.grant_trace(request)])
    }
}

/// Allows, or denies, where an authorizer holds a requirement to be met: made by [`meets`].
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{Grant, GrantPolicy, Veto, VetoPolicy, meets};
/// use countersign::authorize::{AccessRequest, ScopeAuthorizer, authenticated, scopes};
///
/// let admins = meets(ScopeAuthorizer, scopes(["posts:admin"]))?;
/// let token = VerifiedToken::vouched(&serde_json::json!({"scope": "posts:read"}))?;
/// let asked = authenticated();
/// let request = AccessRequest::new(&token, &asked);
/// assert!(matches!(admins.grant_now(&request), Some(Grant::Abstain(_))));
/// assert_eq!(admins.veto_now(&request), Some(Veto::Pass));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Meets<A> {
    authorizer: A,
    requirement: Requirement,
}

/// Whether `authorizer` holds this requirement to be met: how a policy asks for a role. As a grant it allows where it is met
/// and abstains where it is not; as a veto it denies where it is met and lets pass where it is not. What the route requires is
/// no matter.
///
/// "Not met" is what the authorizer knows, because it is asked for a [condition](AccessRequest::is_condition): a claim that it
/// cannot read, or a name that its catalog has lost, is `Indeterminate`, also under [`not`] and in a veto.
///
/// # Errors
/// [`ConfigError`] when the requirement names nothing, or names what the authorizer cannot judge.
///
/// ```
/// use countersign::authorize::policy::{deny_overrides, meets, policy_fn};
/// use countersign::authorize::{ScopeAuthorizer, scopes};
///
/// let posts = deny_overrides("posts", ["posts:delete"])
///     .deny_if(meets(ScopeAuthorizer, scopes(["read_only"]))?)
///     .deny_if(policy_fn("nameless", |request| request.token.subject().is_none()))
///     .allow_if(meets(ScopeAuthorizer, scopes(["posts:admin"]))?)
///     .build()?;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn meets<A: Authorizer>(authorizer: A, requirement: Requirement) -> Result<Meets<A>, ConfigError> {
    requirement.check_names()?;
    authorizer.accepts(&requirement)?;
    Ok(Meets { authorizer, requirement })
}

fn met(request: &AccessRequest<'_>, decision: Decision) -> Grant {
    match decision {
        Decision::Allow => Grant::Allow(request.noted().unwrap_or(Why::new("requirement", "met"))),
        Decision::Deny(why) => Grant::Abstain(why),
        Decision::Indeterminate(why) => Grant::Indeterminate(why),
    }
}

fn vetoed_by(answer: Grant) -> Veto {
    match answer {
        Grant::Allow(why) => Veto::Deny(why),
        Grant::Abstain(_) => Veto::Pass,
        Grant::Indeterminate(why) => Veto::Indeterminate(why),
    }
}

impl<A> Meets<A> {
    fn question<'q>(&'q self, request: &AccessRequest<'q>) -> AccessRequest<'q> {
        request.about(&self.requirement).as_condition()
    }
}

#[async_trait]
impl<A: Authorizer> GrantPolicy for Meets<A> {
    fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        request.note(None);
        self.authorizer.decide_now(&self.question(request)).map(|decision| met(request, decision))
    }

    async fn grant(&self, request: &AccessRequest<'_>) -> Grant {
        request.note(None);
        let decision = self.authorizer.decide(&self.question(request)).await;
        met(request, decision)
    }

    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        granted("meets", self.grant_now(request)).with_parts([self.authorizer.trace(&self.question(request))])
    }
}

#[async_trait]
impl<A: Authorizer> VetoPolicy for Meets<A> {
    fn veto_now(&self, request: &AccessRequest<'_>) -> Option<Veto> {
        self.grant_now(request).map(vetoed_by)
    }

    async fn veto(&self, request: &AccessRequest<'_>) -> Veto {
        vetoed_by(self.grant(request).await)
    }

    fn veto_trace(&self, request: &AccessRequest<'_>) -> Trace {
        vetoed("meets", self.veto_now(request)).with_parts([self.authorizer.trace(&self.question(request))])
    }
}
