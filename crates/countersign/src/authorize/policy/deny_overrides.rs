use super::{AccessRequest, Grant, GrantPolicy, Veto, VetoPolicy};
use crate::authorize::Authorizer;
use crate::authorize::leaves::{self, Leaves};
use crate::authorize::list::UNJUDGED;
use crate::config::ConfigError;
use crate::decision::{Decision, Requirement, Trace, Why};
use async_trait::async_trait;

/// Decides on actions by vetoes and grants: made by [`deny_overrides`].
///
/// It accepts requirements of its own actions, and of no more than a valid token. Roles, permissions and scopes are the
/// business of another authorizer, in a tuple with this one: so what a route requires by role no grant can open. An answer
/// from memory allocates nothing.
///
/// In a tuple the first set of policies for an action decides alone: vetoes of another set do not reach it. Let all that
/// concerns an action stand in one set.
///
/// ```
/// use countersign::authorize::policy::{deny_overrides, policy_fn};
/// use countersign::authorize::{Authorizer, ScopeAuthorizer, action, scopes};
///
/// let posts = deny_overrides("posts", ["posts:write"])
///     .allow_if(policy_fn("named", |request| request.token.subject().is_some()))
///     .build()?;
/// assert!(posts.accepts(&action("posts:write")).is_ok());
/// assert!(posts.accepts(&scopes(["posts:write"])).is_err(), "that is another authorizer's");
///
/// let both = (ScopeAuthorizer, posts); // for `GuardBuilder::authorizer`
/// assert!(both.accepts(&scopes(["posts:write"])).is_ok());
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct DenyOverrides {
    name: &'static str,
    actions: Vec<String>,
    vetoes: Vec<Box<dyn VetoPolicy>>,
    grants: Vec<Box<dyn GrantPolicy>>,
}

/// Policies for these actions: a veto outweighs a grant, and without a grant the answer is no. [The table](super) says all
/// of it. `name` is the policy of that denial in logs and labels: a constant of the application's, like all names of
/// policies.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{deny_overrides, meets, policy_fn};
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, ScopeAuthorizer, action, scopes};
///
/// let posts = deny_overrides("posts", ["posts:read", "posts:list"])
///     .deny_if(policy_fn("suspended", |request| request.token.has_scope("suspended")))
///     .allow_if(meets(ScopeAuthorizer, scopes(["posts:read"]))?)
///     .allow_if(policy_fn("at_night", |_| Err::<bool, _>("the clock is not set")))
///     .build()?;
///
/// let decide = |scope: &str| {
///     let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "scope": scope})).ok()?;
///     posts.decide_now(&AccessRequest::new(&token, &action("posts:read")))
/// };
/// assert_eq!(decide("posts:read"), Some(Decision::Allow));
/// assert!(matches!(decide("posts:read suspended"), Some(Decision::Deny(why)) if why.policy == "suspended"));
/// assert!(matches!(decide(""), Some(Decision::Indeterminate(why)) if why.policy == "at_night"));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn deny_overrides<N: Into<String>>(
    name: &'static str,
    actions: impl IntoIterator<Item = N>,
) -> DenyOverridesBuilder {
    let actions = actions.into_iter().map(Into::into).collect();
    DenyOverridesBuilder { policies: DenyOverrides { name, actions, vetoes: Vec::new(), grants: Vec::new() } }
}

/// Collects the policies of a [`DenyOverrides`].
///
/// ```
/// use countersign::authorize::policy::{deny_overrides, policy_fn};
///
/// let hours = policy_fn("closed", |_| false);
/// let staff = policy_fn("staff", |request| request.token.has_scope("staff"));
/// let reports = deny_overrides("reports", ["reports:read", "reports:export"]).deny_if(hours).allow_if(staff).build();
/// assert!(reports.is_ok());
/// assert!(deny_overrides("reports", ["reports:read", "reports:read"]).build().is_err(), "an action stands twice");
/// ```
#[derive(Debug)]
#[must_use]
pub struct DenyOverridesBuilder {
    policies: DenyOverrides,
}

impl DenyOverridesBuilder {
    /// Denies where this policy does, whatever others say.
    pub fn deny_if(mut self, veto: impl VetoPolicy) -> Self {
        self.policies.vetoes.push(Box::new(veto));
        self
    }

    /// Allows where this policy does, unless there is a veto.
    pub fn allow_if(mut self, grant: impl GrantPolicy) -> Self {
        self.policies.grants.push(Box::new(grant));
        self
    }

    /// The authorizer. Without a grant it denies everything.
    ///
    /// # Errors
    /// [`ConfigError`] when no action is named, one has an empty name, or one stands twice.
    pub fn build(self) -> Result<DenyOverrides, ConfigError> {
        let actions = &self.policies.actions;
        if actions.is_empty() || actions.iter().any(String::is_empty) {
            return Err(ConfigError::new("deny_overrides", "the list of actions is empty, or one of their names is"));
        }
        let twice = actions.iter().enumerate().find(|(at, action)| actions.iter().take(*at).any(|own| own == *action));
        if let Some((_, action)) = twice {
            return Err(ConfigError::new("deny_overrides", format!("the action `{action}` stands twice")));
        }
        Ok(self.policies)
    }
}

impl DenyOverrides {
    fn is_own(&self, action: &str) -> bool {
        self.actions.iter().any(|own| own == action)
    }

    /// The decision on a leaf that the policies need not be asked about.
    fn without_policies(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        match request.requirement {
            Requirement::Authenticated => Some(Decision::Allow),
            Requirement::Action(action) if self.is_own(action) => None,
            _ => Some(request.unjudged(UNJUDGED)),
        }
    }

    fn no_grant(&self) -> Decision {
        Decision::Deny(Why::new(self.name, "no_grant"))
    }

    fn policies_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        let (mut unresolved, mut is_open) = (None, false);
        for veto in &self.vetoes {
            // What is usual first, as a branch that is foreseen and not as a jump into a table.
            let answer = veto.veto_now(request);
            if let Some(Veto::Pass) = answer {
                continue;
            }
            match answer {
                Some(Veto::Deny(why)) => return Some(Decision::Deny(why)),
                Some(Veto::Indeterminate(why)) => unresolved = unresolved.or(Some(why)),
                Some(Veto::Pass) => {}
                None => is_open = true,
            }
        }
        // An open veto may still deny what is unresolved now.
        if is_open {
            return None;
        }
        if let Some(why) = unresolved {
            return Some(Decision::Indeterminate(why));
        }
        for grant in &self.grants {
            let answer = grant.grant_now(request);
            if let Some(Grant::Abstain(_)) = answer {
                continue;
            }
            match answer {
                Some(Grant::Allow(why)) => return Some(request.allow(why)),
                Some(Grant::Indeterminate(why)) => unresolved = unresolved.or(Some(why)),
                Some(Grant::Abstain(_)) => {}
                None => is_open = true,
            }
        }
        match unresolved {
            _ if is_open => None,
            Some(why) => Some(Decision::Indeterminate(why)),
            None => Some(self.no_grant()),
        }
    }

    /// Asks whoever answers from memory once more: then the reasons come in the order in which the policies were named.
    async fn policies_later(&self, request: &AccessRequest<'_>) -> Decision {
        if let Some(decision) = self.policies_now(request) {
            return decision;
        }
        let mut unresolved = None;
        for veto in &self.vetoes {
            let answer = match veto.veto_now(request) {
                Some(answer) => answer,
                None => veto.veto(request).await,
            };
            match answer {
                Veto::Deny(why) => return Decision::Deny(why),
                Veto::Indeterminate(why) => unresolved = unresolved.or(Some(why)),
                Veto::Pass => {}
            }
        }
        if let Some(why) = unresolved {
            return Decision::Indeterminate(why);
        }
        for is_waiting in [false, true] {
            unresolved = None;
            for grant in &self.grants {
                let answer = match grant.grant_now(request) {
                    Some(answer) => answer,
                    None if is_waiting => grant.grant(request).await,
                    None => continue,
                };
                match answer {
                    Grant::Allow(why) => return request.allow(why),
                    Grant::Indeterminate(why) => unresolved = unresolved.or(Some(why)),
                    Grant::Abstain(_) => {}
                }
            }
        }
        unresolved.map_or(self.no_grant(), Decision::Indeterminate)
    }
}

#[async_trait]
impl Leaves for DenyOverrides {
    fn leaf_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        self.without_policies(request).or_else(|| self.policies_now(request))
    }

    async fn leaf(&self, request: &AccessRequest<'_>) -> Decision {
        match self.without_policies(request) {
            Some(decision) => decision,
            None => self.policies_later(request).await,
        }
    }
}

#[async_trait]
impl Authorizer for DenyOverrides {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        requirement.each_leaf(&mut |leaf| match leaf {
            leaf if self.judges(leaf) => Ok(()),
            Requirement::Action(action) => {
                let action = action.escape_debug();
                Err(ConfigError::new("require", format!("there are no policies for the action `{action}`")))
            }
            leaf => {
                let leaf = leaf.to_string();
                Err(ConfigError::new("require", format!("policies judge actions, not `{}`", leaf.escape_debug())))
            }
        })
    }

    /// Asked of each leaf of each request in a list, so no error is built to be dropped.
    fn judges(&self, leaf: &Requirement) -> bool {
        match leaf {
            Requirement::Authenticated => true,
            Requirement::Action(action) => self.is_own(action),
            _ => false,
        }
    }

    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        leaves::decide_now(self, request)
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        leaves::decide(self, request).await
    }

    fn trace(&self, request: &AccessRequest<'_>) -> Trace {
        Trace::of_requirement(request.requirement, &mut |leaf| {
            let request = &request.about(leaf);
            let trace = Trace::decided(leaf.to_string(), self.leaf_now(request));
            if self.without_policies(request).is_some() {
                return trace;
            }
            let vetoes = self.vetoes.iter().map(|veto| veto.veto_trace(request));
            trace.with_parts(vetoes.chain(self.grants.iter().map(|grant| grant.grant_trace(request))))
        })
    }
}
