//! The rules of [`GrantPolicy`] and [`VetoPolicy`].

use super::{CALLERS, PATIENCE, once};
use countersign::VerifiedToken;
use countersign::authorize::policy::{Grant, GrantPolicy, Veto, VetoPolicy};
use countersign::authorize::{AccessRequest, Finding, Requirement, Resource, Trace, Why, action, authenticated, role};
use countersign::request::RequestView;
use serde_json::{Value, json};
use std::task::Poll;
use tokio::time::timeout;

/// Runs the rules of [`GrantPolicy`] against one, on requests of which it is known what it finds: [`Finding::Allow`],
/// [`Finding::Abstain`] or [`Finding::Indeterminate`].
///
/// - The finding is the expected one, each time and for many at once. `grant_now` says what `grant` says, or nothing.
/// - Whoever goes away in the middle takes nothing from another.
/// - `grant_trace` says what `grant_now` says, and [`Finding::Waits`] where that says nothing.
/// - Of requests that nobody has thought of it says the same each time, and does not panic: claims of any form, no resource and
///   an odd one, another action.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::policy_fn;
/// use countersign::authorize::{AccessRequest, Finding, action};
/// use countersign_testkit::conformance;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let known = policy_fn("known", |request: &AccessRequest<'_>| request.token.subject().is_some());
/// let write = action("posts:write");
/// let somebody = VerifiedToken::vouched(&serde_json::json!({ "sub": "7" }))?;
/// let nobody = VerifiedToken::vouched(&serde_json::json!({}))?;
/// let cases = [
///     (AccessRequest::new(&somebody, &write), Finding::Allow),
///     (AccessRequest::new(&nobody, &write), Finding::Abstain),
/// ];
/// conformance::grant_policy(known, cases).await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// Where a rule does not hold, or there is no case.
pub async fn grant_policy<'r>(policy: impl GrantPolicy, cases: impl IntoIterator<Item = (AccessRequest<'r>, Finding)>) {
    let found = |answer| match answer {
        Grant::Allow(why) => (Finding::Allow, Some(why)),
        Grant::Abstain(why) => (Finding::Abstain, Some(why)),
        Grant::Indeterminate(why) => (Finding::Indeterminate, Some(why)),
    };
    let suite = Suite {
        name: "grant",
        now: |request: &AccessRequest<'_>| policy.grant_now(request).map(found),
        later: async |request: &AccessRequest<'_>| found(policy.grant(request).await),
        trace: |request: &AccessRequest<'_>| policy.grant_trace(request),
    };
    suite.run(cases.into_iter().collect()).await;
}

/// Runs the rules of [`VetoPolicy`] against one, on requests of which it is known what it finds: [`Finding::Deny`],
/// [`Finding::Pass`] or [`Finding::Indeterminate`]. They are those of [`grant_policy`], for `veto_now`, `veto` and `veto_trace`.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::policy_fn;
/// use countersign::authorize::{AccessRequest, Finding, action};
/// use countersign_testkit::conformance;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let suspended = policy_fn("suspended", |request: &AccessRequest<'_>| request.token.has_scope("suspended"));
/// let write = action("posts:write");
/// let token = VerifiedToken::vouched(&serde_json::json!({ "sub": "7", "scope": "suspended" }))?;
/// conformance::veto_policy(suspended, [(AccessRequest::new(&token, &write), Finding::Deny)]).await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// Where a rule does not hold, or there is no case.
pub async fn veto_policy<'r>(policy: impl VetoPolicy, cases: impl IntoIterator<Item = (AccessRequest<'r>, Finding)>) {
    let found = |answer| match answer {
        Veto::Deny(why) => (Finding::Deny, Some(why)),
        Veto::Pass => (Finding::Pass, None),
        Veto::Indeterminate(why) => (Finding::Indeterminate, Some(why)),
    };
    let suite = Suite {
        name: "veto",
        now: |request: &AccessRequest<'_>| policy.veto_now(request).map(found),
        later: async |request: &AccessRequest<'_>| found(policy.veto(request).await),
        trace: |request: &AccessRequest<'_>| policy.veto_trace(request),
    };
    suite.run(cases.into_iter().collect()).await;
}

type Found = (Finding, Option<Why>);

/// The three methods of a policy of either kind.
struct Suite<N, L, T> {
    name: &'static str,
    now: N,
    later: L,
    trace: T,
}

impl<N, L, T> Suite<N, L, T>
where
    N: Fn(&AccessRequest<'_>) -> Option<Found>,
    L: AsyncFn(&AccessRequest<'_>) -> Found,
    T: Fn(&AccessRequest<'_>) -> Trace,
{
    async fn run(self, cases: Vec<(AccessRequest<'_>, Finding)>) {
        assert!(!cases.is_empty(), "there is a case to try");
        for (request, expected) in &cases {
            for _ in 0..2 {
                assert_eq!(self.ask(request).await.0, *expected, "what it finds: {request:?}");
            }
        }
        self.serves_many(&cases).await;
        let (request, expected) = &cases[0];
        self.survives_a_caller(request, *expected).await;
        self.takes_whatever_comes().await;
        for (request, expected) in &cases {
            assert_eq!(self.ask(request).await.0, *expected, "what came in between changes nothing: {request:?}");
        }
    }

    async fn ask(&self, request: &AccessRequest<'_>) -> Found {
        let Self { name, now, later, trace } = self;
        let now = now(request);
        let found = timeout(PATIENCE, later(request)).await.expect("an answer within a minute");
        if let Some(now) = now {
            assert_eq!(now, found, "`{name}_now` says what `{name}` says, or nothing: {request:?}");
        }
        let Trace { finding, why, .. } = trace(request);
        let told = now.unwrap_or((Finding::Waits, None));
        assert_eq!((finding, why), told, "`{name}_trace` says what `{name}_now` says, or that it waits: {request:?}");
        found
    }

    async fn serves_many(&self, cases: &[(AccessRequest<'_>, Finding)]) {
        let mut callers: Vec<_> = cases
            .iter()
            .cycle()
            .take(CALLERS)
            .map(|(request, expected)| (Box::pin((self.later)(request)), *expected, None))
            .collect();
        // All are under way before anybody is waited for.
        for (caller, _, already) in &mut callers {
            if let Poll::Ready(found) = once(caller).await {
                *already = Some(found);
            }
        }
        for (caller, expected, already) in callers {
            let found = match already {
                Some(found) => found,
                None => timeout(PATIENCE, caller).await.expect("an answer within a minute"),
            };
            assert_eq!(found.0, expected, "each of {CALLERS} callers at once gets its own answer");
        }
    }

    async fn survives_a_caller(&self, request: &AccessRequest<'_>, expected: Finding) {
        let (mut first, mut second) = (Box::pin((self.later)(request)), Box::pin((self.later)(request)));
        let _ = once(&mut first).await;
        let already = once(&mut second).await;
        drop(first);
        let found = match already {
            Poll::Ready(found) => found,
            Poll::Pending => timeout(PATIENCE, second).await.expect("an answer within a minute"),
        };
        assert_eq!(found.0, expected, "a caller that goes away takes nothing from another one");
    }

    async fn takes_whatever_comes(&self) {
        let (tokens, long) = (tokens(), "a".repeat(1 << 12));
        let headers = [("authorization", "Bearer a"), ("x-forwarded-for", "\u{202e}")];
        let view = RequestView::new("PROPFIND", "/%00/../é", Some("a=b&a=c&&="), &headers);
        let requirements: [Requirement; 3] = [authenticated(), role("unheard-of:a3f1c2"), action(&long)];
        for token in &tokens {
            for requirement in &requirements {
                let plain = AccessRequest::new(token, requirement);
                let odd =
                    plain.with_action("unheard-of:a3f1c2").with_resource(Resource::new("", &long)).with_request(&view);
                for request in [plain, odd, plain.as_condition()] {
                    let found = self.ask(&request).await;
                    assert_eq!(self.ask(&request).await, found, "the answer is the same each time: {request:?}");
                }
            }
        }
    }
}

/// Claims as nobody expects them.
fn tokens() -> Vec<VerifiedToken> {
    let odd = [
        json!({}),
        json!({ "sub": "" }),
        json!({ "sub": "\u{0}\u{202e}é", "plan": 7, "roles": { "admin": true }, "groups": [null, [], 1e300] }),
        json!({ "iss": "https://elsewhere.example/", "sub": "a".repeat(1 << 16), "scope": " ".repeat(1 << 12) }),
        json!({ "sub": "7", "scope": "a a  a", "roles": null, "permissions": "admin", "exp": 0, "extra": [[[[[]]]]] }),
    ];
    odd.iter().map(|claims: &Value| VerifiedToken::vouched(claims).expect("claims")).collect()
}
