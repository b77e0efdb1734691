//! The rules of [`Authorizer`].

use super::{CALLERS, PATIENCE};
use countersign::VerifiedToken;
use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, action, permissions, role};
use serde::Serialize;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The rules of [`Authorizer`], to be run against one: see [`AuthorizerSuite`].
///
/// ```
/// use countersign::authorize::policy::{deny_overrides, policy_fn};
/// use countersign::authorize::action;
/// use countersign_testkit::conformance;
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let posts = deny_overrides("posts", ["posts:write"])
///     .allow_if(policy_fn("named", |request| request.token.subject().is_some()))
///     .build();
/// conformance::authorizer(posts.expect("policies"))
///     .allows(action("posts:write"), &json!({"sub": "7"}))
///     .denies(action("posts:write"), &json!({}))
///     .run()
///     .await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn authorizer(authorizer: impl Authorizer) -> AuthorizerSuite {
    AuthorizerSuite { authorizer: Arc::new(authorizer), cases: Vec::new() }
}

/// The rules of [`Authorizer`], on cases whose outcome is known:
///
/// - What a case requires is accepted, and its parts are judged.
/// - The decision is the expected one, each time and for many at once. `decide_now` says what `decide` says, or nothing.
/// - Requirements are combined in three-valued logic: `and` and `or` decide as their parts do.
/// - A name that is not accepted allows nobody anything, alone or beside others.
/// - Under a condition nothing is allowed that is denied otherwise.
///
/// ```
/// use countersign::authorize::{ScopeAuthorizer, scopes};
/// use countersign_testkit::conformance;
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// conformance::authorizer(ScopeAuthorizer)
///     .allows(scopes(["a"]), &json!({ "scope": "a b" }))
///     .denies(scopes(["c"]), &json!({ "scope": "a b" }))
///     .run()
///     .await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthorizerSuite {
    authorizer: Arc<dyn Authorizer>,
    cases: Vec<Case>,
}

#[derive(Clone, Debug)]
struct Case {
    requirement: Requirement,
    token: VerifiedToken,
    expected: &'static str,
}

impl AuthorizerSuite {
    /// A case in which the requirement is met by these claims.
    ///
    /// # Panics
    /// Where the claims are none.
    pub fn allows(self, requirement: Requirement, claims: &impl Serialize) -> Self {
        self.case(requirement, claims, "allow")
    }

    /// A case in which it is not.
    ///
    /// # Panics
    /// Where the claims are none.
    pub fn denies(self, requirement: Requirement, claims: &impl Serialize) -> Self {
        self.case(requirement, claims, "deny")
    }

    /// A case in which nobody can tell.
    ///
    /// # Panics
    /// Where the claims are none.
    pub fn cannot_tell(self, requirement: Requirement, claims: &impl Serialize) -> Self {
        self.case(requirement, claims, "indeterminate")
    }

    fn case(mut self, requirement: Requirement, claims: &impl Serialize, expected: &'static str) -> Self {
        let token = VerifiedToken::vouched(claims).expect("claims");
        self.cases.push(Case { requirement, token, expected });
        self
    }

    /// Runs the rules.
    ///
    /// # Panics
    /// Where a rule does not hold, or there is no case.
    pub async fn run(self) {
        assert!(!self.cases.is_empty(), "there is a case to try");
        for case in &self.cases {
            let Case { requirement, token, expected } = case;
            let accepted = self.authorizer.accepts(requirement);
            assert!(accepted.is_ok(), "what it decides is accepted before: {requirement:?}");
            let leaves = requirement.each_leaf(&mut |leaf| if self.authorizer.judges(leaf) { Ok(()) } else { Err(()) });
            assert!(leaves.is_ok(), "what it accepts, it judges: {requirement:?}");
            for _ in 0..2 {
                assert_eq!(self.decide(requirement, token).await, *expected, "the decision on {requirement:?}");
            }
            self.is_no_wider_under_a_condition(case).await;
            self.allows_nothing_unheard_of(case).await;
        }
        self.combines().await;
        self.serves_many().await;
    }

    async fn decide(&self, requirement: &Requirement, token: &VerifiedToken) -> &'static str {
        self.answer(&AccessRequest::new(token, requirement)).await
    }

    async fn answer(&self, request: &AccessRequest<'_>) -> &'static str {
        let now = self.authorizer.decide_now(request);
        let decision = timeout(PATIENCE, self.authorizer.decide(request)).await.expect("a decision within a minute");
        if let Some(now) = now {
            assert_eq!(now.name(), decision.name(), "`decide_now` says what `decide` says, or nothing");
        }
        if decision != Decision::Allow {
            // Asked after a refusal: that it panics is all that can be wrong with it.
            let _ = self.authorizer.trace(request);
        }
        decision.name()
    }

    async fn is_no_wider_under_a_condition(&self, case: &Case) {
        let request = AccessRequest::new(&case.token, &case.requirement).as_condition();
        let decided = self.answer(&request).await;
        let is_right = (decided == "allow") == (case.expected == "allow");
        assert!(is_right, "a condition is allowed where the requirement is: {:?}", case.requirement);
    }

    async fn allows_nothing_unheard_of(&self, case: &Case) {
        const UNHEARD: &str = "unheard-of:a3f1c2";
        for unheard in [role(UNHEARD), permissions([UNHEARD]), action(UNHEARD)] {
            if self.authorizer.accepts(&unheard).is_ok() {
                continue;
            }
            assert!(!self.authorizer.judges(&unheard), "what it does not accept, it does not judge: {unheard:?}");
            for requirement in [unheard.clone(), case.requirement.clone().and(unheard.clone())] {
                let is_accepted = self.authorizer.accepts(&requirement).is_ok();
                assert!(!is_accepted, "a requirement is accepted where all of its parts are: {requirement:?}");
                let decided = self.decide(&requirement, &case.token).await;
                assert_ne!(decided, "allow", "what is not accepted allows nothing: {requirement:?}");
            }
        }
    }

    async fn combines(&self) {
        for one in &self.cases {
            for other in self.cases.iter().filter(|other| other.token.payload() == one.token.payload()) {
                let parts = [one.expected, other.expected];
                let strongest =
                    |order: [&'static str; 3]| order.into_iter().find(|name| parts.contains(name)).unwrap_or_default();
                let (both, either) =
                    (strongest(["deny", "indeterminate", "allow"]), strongest(["allow", "indeterminate", "deny"]));
                let combined = |join: fn(Requirement, Requirement) -> Requirement| {
                    join(one.requirement.clone(), other.requirement.clone())
                };
                for (requirement, expected) in [(combined(Requirement::and), both), (combined(Requirement::or), either)]
                {
                    let decided = self.decide(&requirement, &one.token).await;
                    assert_eq!(decided, expected, "parts are combined in three-valued logic: {requirement:?}");
                }
            }
        }
    }

    async fn serves_many(&self) {
        let mut callers = JoinSet::new();
        for case in self.cases.iter().cycle().take(CALLERS).cloned() {
            let suite = self.clone();
            callers.spawn(async move { (suite.decide(&case.requirement, &case.token).await, case) });
        }
        for (decided, case) in callers.join_all().await {
            assert_eq!(decided, case.expected, "each of {CALLERS} callers at once gets its decision");
        }
    }
}
