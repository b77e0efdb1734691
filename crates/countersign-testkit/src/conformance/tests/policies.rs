//! The suites for policies: those of the core pass, and each flaw is found out by its rule.

use super::flawed::{find_out, wait};
use super::*;
use countersign::VerifiedToken;
use countersign::async_trait;
use countersign::authorize::policy::{
    Grant, GrantPolicy, Veto, VetoPolicy, all_of, any_of, async_policy_fn, meets, not, policy_fn,
};
use countersign::authorize::{AccessRequest, Finding, Trace, Why, action};
use std::sync::atomic::{AtomicUsize, Ordering};

fn token(claims: serde_json::Value) -> VerifiedToken {
    VerifiedToken::vouched(&claims).expect("claims")
}

#[tokio::test]
async fn the_policies_of_the_core_keep_the_rules() {
    let known = policy_fn("known", |request: &AccessRequest<'_>| request.token.subject().is_some());
    let later = async_policy_fn("later", |request: &AccessRequest<'_>| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            request.token.has_scope("a")
        })
    });
    let unknown = policy_fn("unknown", |_: &AccessRequest<'_>| None::<bool>);
    let scoped = meets(ScopeAuthorizer, scopes(["a"])).expect("scopes");
    let write = action("posts:write");
    let (both, one, none) =
        (token(json!({ "sub": "7", "scope": "a" })), token(json!({ "sub": "7" })), token(json!({})));
    let cases = |findings: [Finding; 3]| {
        [&both, &one, &none].map(|it| AccessRequest::new(it, &write)).into_iter().zip(findings)
    };

    use Finding::{Abstain, Allow, Deny, Indeterminate, Pass};
    grant_policy(known, cases([Allow, Allow, Abstain])).await;
    grant_policy(later, cases([Allow, Abstain, Abstain])).await;
    grant_policy(unknown, cases([Indeterminate; 3])).await;
    grant_policy(scoped.clone(), cases([Allow, Abstain, Abstain])).await;
    grant_policy(not(later), cases([Abstain, Allow, Allow])).await;
    grant_policy(any_of((known, later)).expect("policies"), cases([Allow, Allow, Abstain])).await;
    grant_policy(all_of((known, later, unknown)).expect("policies"), cases([Indeterminate, Abstain, Abstain])).await;
    let boxed: Box<dyn GrantPolicy> = Box::new(Arc::new(later));
    grant_policy(boxed, cases([Allow, Abstain, Abstain])).await;

    veto_policy(known, cases([Deny, Deny, Pass])).await;
    veto_policy(later, cases([Deny, Pass, Pass])).await;
    veto_policy(unknown, cases([Indeterminate; 3])).await;
    veto_policy(scoped, cases([Deny, Pass, Pass])).await;
    let boxed: Box<dyn VetoPolicy> = Box::new(Arc::new(known));
    veto_policy(boxed, cases([Deny, Deny, Pass])).await;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    CountsItsCalls,
    CountsOnly,
    FindsNothing,
    NowGivesAnotherReason,
    NowSaysYes,
    PanicsWithoutASubject,
    TracesWhatWaits,
    TracesTheContrary,
}

/// Knows one subject.
#[derive(Debug, Default)]
struct One {
    flaw: Option<Flaw>,
    calls: AtomicUsize,
}

impl One {
    fn finds(&self, request: &AccessRequest<'_>) -> bool {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        assert!(self.flaw != Some(Flaw::PanicsWithoutASubject) || request.token.subject().is_some(), "no subject");
        match self.flaw {
            Some(Flaw::FindsNothing) => false,
            Some(Flaw::CountsItsCalls) if calls > 8 => false,
            // Only what was not among the cases is answered otherwise.
            Some(Flaw::CountsOnly) if request.action == Some("unheard-of:a3f1c2") => calls.is_multiple_of(2),
            _ => request.token.subject() == Some("ada"),
        }
    }

    fn now(&self, request: &AccessRequest<'_>) -> Option<(bool, Why)> {
        match self.flaw {
            Some(Flaw::NowSaysYes) => Some((true, WHY)),
            Some(Flaw::NowGivesAnotherReason) => Some((self.finds(request), Why::new("one", "now"))),
            _ => None,
        }
    }

    fn trace(&self, now: Option<Finding>) -> Trace {
        let why = (self.flaw == Some(Flaw::NowGivesAnotherReason)).then(|| Why::new("one", "now")).or(now.map(|_| WHY));
        let finding = match self.flaw {
            Some(Flaw::TracesWhatWaits) => Finding::Allow,
            Some(Flaw::TracesTheContrary) => Finding::Deny,
            _ => now.unwrap_or(Finding::Waits),
        };
        Trace::new("one", finding, why)
    }
}

const WHY: Why = Why::new("one", "one");

fn grant((finds, why): (bool, Why)) -> Grant {
    if finds { Grant::Allow(why) } else { Grant::Abstain(why) }
}

fn veto((finds, why): (bool, Why)) -> Veto {
    if finds { Veto::Deny(why) } else { Veto::Pass }
}

#[async_trait]
impl GrantPolicy for One {
    fn grant_now(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        self.now(request).map(grant)
    }
    async fn grant(&self, request: &AccessRequest<'_>) -> Grant {
        grant((self.finds(request), WHY))
    }
    fn grant_trace(&self, request: &AccessRequest<'_>) -> Trace {
        self.trace(self.now(request).map(|(finds, _)| if finds { Finding::Allow } else { Finding::Abstain }))
    }
}

#[async_trait]
impl VetoPolicy for One {
    fn veto_now(&self, request: &AccessRequest<'_>) -> Option<Veto> {
        self.now(request).map(veto)
    }
    async fn veto(&self, request: &AccessRequest<'_>) -> Veto {
        veto((self.finds(request), WHY))
    }
    fn veto_trace(&self, request: &AccessRequest<'_>) -> Trace {
        self.trace(self.now(request).map(|(finds, _)| if finds { Finding::Deny } else { Finding::Pass }))
    }
}

#[test]
fn flawed_policies_are_found_out() {
    let (ada, eve, write) = (token(json!({ "sub": "ada" })), token(json!({ "sub": "eve" })), action("posts:write"));
    let cases = |found, not| [(AccessRequest::new(&ada, &write), found), (AccessRequest::new(&eve, &write), not)];
    let one = |flaw| One { flaw, ..One::default() };
    let grants = |flaw| wait(grant_policy(one(flaw), cases(Finding::Allow, Finding::Abstain)));
    let vetoes = |flaw| wait(veto_policy(one(flaw), cases(Finding::Deny, Finding::Pass)));
    let flaws = |name: &str| {
        [
            (Flaw::CountsItsCalls, "callers at once gets its own answer".to_owned()),
            (Flaw::CountsOnly, "the answer is the same each time".to_owned()),
            (Flaw::FindsNothing, "what it finds".to_owned()),
            (Flaw::NowGivesAnotherReason, format!("`{name}_now` says what `{name}` says")),
            (Flaw::NowSaysYes, format!("`{name}_now` says what `{name}` says")),
            (Flaw::PanicsWithoutASubject, "no subject".to_owned()),
            (Flaw::TracesWhatWaits, format!("`{name}_trace` says what `{name}_now` says")),
            (Flaw::TracesTheContrary, format!("`{name}_trace` says what `{name}_now` says")),
        ]
    };
    let (of_grants, of_vetoes) = (flaws("grant"), flaws("veto"));
    find_out(grants, &of_grants.each_ref().map(|(flaw, rule)| (*flaw, rule.as_str())));
    find_out(vetoes, &of_vetoes.each_ref().map(|(flaw, rule)| (*flaw, rule.as_str())));
}
