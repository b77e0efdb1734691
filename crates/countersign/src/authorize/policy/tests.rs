//! The tables of the module's page, read from the page, hold for every combination.

use super::*;
use crate::authorize::{Authorizer, Decision, Requirement, ScopeAuthorizer, Shadowed, action, role, scopes};
use crate::config::ConfigError;
use crate::token::VerifiedToken;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

const PAGE: &str = include_str!("../policy.rs");

/// The cells of the table whose header begins so, without their code spans' marks.
fn table(header: &str) -> Vec<Vec<&'static str>> {
    let rows = PAGE.split_once(header).expect("the table").1.lines().skip(2);
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect();
    rows.map_while(|line| line.strip_prefix("//! |")).map(cells).collect()
}

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn token() -> VerifiedToken {
    VerifiedToken::vouched(&json!({"iss": "me", "sub": "7", "scope": "a"})).expect("claims")
}

/// What a policy says, in the words of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Yes,
    No,
    Perhaps,
}
use Says::{No, Perhaps, Yes};

const WHY: Why = Why::new("test", "said");

/// Says so: from memory, or when it is waited for.
#[derive(Clone, Debug)]
struct Policy {
    says: Says,
    waits: bool,
    asked: Option<Asked>,
}

/// Who was asked, in order.
type Asked = (&'static str, Arc<Mutex<Vec<&'static str>>>);

fn says(says: Says, waits: bool) -> Policy {
    Policy { says, waits, asked: None }
}

impl Policy {
    fn note(&self) {
        if let Some((name, asked)) = &self.asked {
            asked.lock().expect("lock").push(name);
        }
    }

    fn grants(&self) -> Grant {
        self.note();
        match self.says {
            Yes => Grant::Allow(WHY),
            No => Grant::Abstain(WHY),
            Perhaps => Grant::Indeterminate(WHY),
        }
    }

    fn vetoes(&self) -> Veto {
        self.note();
        match self.says {
            Yes => Veto::Deny(WHY),
            No => Veto::Pass,
            Perhaps => Veto::Indeterminate(WHY),
        }
    }
}

#[async_trait]
impl GrantPolicy for Policy {
    fn grant_now(&self, _: &AccessRequest<'_>) -> Option<Grant> {
        (!self.waits).then(|| self.grants())
    }
    async fn grant(&self, _: &AccessRequest<'_>) -> Grant {
        self.grants()
    }
    fn grant_trace(&self, _: &AccessRequest<'_>) -> Trace {
        Trace::new("g", Finding::Waits, None)
    }
}

#[async_trait]
impl VetoPolicy for Policy {
    fn veto_now(&self, _: &AccessRequest<'_>) -> Option<Veto> {
        (!self.waits).then(|| self.vetoes())
    }
    async fn veto(&self, _: &AccessRequest<'_>) -> Veto {
        self.vetoes()
    }
    fn veto_trace(&self, _: &AccessRequest<'_>) -> Trace {
        Trace::new("v", Finding::Waits, None)
    }
}

fn in_words(answer: Grant) -> &'static str {
    match answer {
        Grant::Allow(_) => "allow",
        Grant::Abstain(_) => "abstain",
        Grant::Indeterminate(_) => "indeterminate",
    }
}

fn said(word: &str) -> Says {
    match word {
        "allow" => Yes,
        "abstain" => No,
        "indeterminate" => Perhaps,
        other => panic!("no answer of a grant: {other}"),
    }
}

/// What a grant says in the end; where it says it at once, both ways agree.
fn grant(policy: &dyn GrantPolicy) -> &'static str {
    let (token, requirement) = (token(), role("x"));
    let request = AccessRequest::new(&token, &requirement);
    let answer = now(policy.grant(&request));
    if let Some(at_once) = policy.grant_now(&request) {
        assert_eq!(at_once, answer);
    }
    in_words(answer)
}

#[test]
fn combinations_of_grants_follow_the_table() {
    let rows = table("| a | b | `any_of((a, b))` |");
    for row in &rows {
        let &[a, b, any, all, none] = &row[..] else { panic!("five cells: {row:?}") };
        for (a_waits, b_waits) in [(false, false), (false, true), (true, false), (true, true)] {
            let pair = || (says(said(a), a_waits), says(said(b), b_waits));
            assert_eq!(grant(&any_of(pair()).expect("two")), any, "{row:?}");
            assert_eq!(grant(&all_of(pair()).expect("two")), all, "{row:?}");
            assert_eq!(grant(&not(pair().0)), none, "{row:?}");
        }
    }
    let pairs: std::collections::BTreeSet<_> = rows.iter().map(|row| (row[0], row[1])).collect();
    assert_eq!((pairs.len(), rows.len()), (9, 9), "each pair once");
}

/// Whether a cell of the decision table describes these policies. `yes`, `no`: the words for a definite answer.
fn describes(cell: &str, policies: &[Says], yes: &str, no: &str) -> bool {
    let any = |says| policies.contains(&says);
    match cell {
        "any" => true,
        cell if cell == format!("one {yes}") => any(Yes),
        cell if cell == format!("none {yes}, one cannot tell") => !any(Yes) && any(Perhaps),
        cell if cell == format!("all {no}") => policies.iter().all(|says| *says == No),
        other => panic!("no words for policies: {other}"),
    }
}

/// What the table says: in words, by the one row that fits.
fn expected(vetoes: &[Says], grants: &[Says]) -> &'static str {
    let rows = table("| vetoes | grants | decision |");
    let fitting: Vec<_> = rows
        .iter()
        .filter(|row| describes(row[0], vetoes, "denies", "pass") && describes(row[1], grants, "allows", "abstain"))
        .collect();
    assert_eq!(fitting.len(), 1, "{vetoes:?} {grants:?}");
    fitting[0][2]
}

fn policies(vetoes: impl IntoIterator<Item = Policy>, grants: impl IntoIterator<Item = Policy>) -> DenyOverrides {
    let builder = vetoes.into_iter().fold(deny_overrides("test", ["act"]), DenyOverridesBuilder::deny_if);
    grants.into_iter().fold(builder, DenyOverridesBuilder::allow_if).build().expect("policies")
}

/// What an authorizer decides in the end; where it does at once, both ways agree.
fn decide(authorizer: &dyn Authorizer) -> Decision {
    let (token, requirement) = (token(), action("act"));
    let request = AccessRequest::new(&token, &requirement);
    let decision = now(authorizer.decide(&request));
    if let Some(at_once) = authorizer.decide_now(&request) {
        assert_eq!(at_once, decision);
    }
    decision
}

fn decision_in_words(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny(_) => "deny",
        Decision::Indeterminate(_) => "indeterminate",
    }
}

/// Every list of up to two policies, each of which waits or does not.
fn every_list() -> Vec<Vec<Policy>> {
    let one: Vec<_> = [Yes, No, Perhaps].into_iter().flat_map(|s| [says(s, false), says(s, true)]).collect();
    let pairs = one.iter().flat_map(|a| one.iter().map(|b| vec![a.clone(), b.clone()]));
    [vec![]].into_iter().chain(one.iter().map(|a| vec![a.clone()])).chain(pairs).collect()
}

fn answers(policies: &[Policy]) -> Vec<Says> {
    policies.iter().map(|policy| policy.says).collect()
}

#[test]
fn vetoes_and_grants_decide_as_the_table_says() {
    assert_eq!(table("| vetoes | grants | decision |").len(), 5);
    let lists = every_list();
    assert_eq!(lists.len(), 1 + 6 + 36);
    for vetoes in &lists {
        for grants in &lists {
            let decision = decide(&policies(vetoes.clone(), grants.clone()));
            let expected = expected(&answers(vetoes), &answers(grants));
            assert_eq!(decision_in_words(decision), expected, "{vetoes:?} {grants:?}");
        }
    }
}

#[test]
fn an_answer_from_memory_is_taken_where_no_waiting_would_change_it() {
    let (token, requirement) = (token(), action("act"));
    let request = AccessRequest::new(&token, &requirement);
    let at_once = |vetoes: &[Policy], grants: &[Policy]| {
        policies(vetoes.to_vec(), grants.to_vec()).decide_now(&request).map(decision_in_words)
    };
    let (yes, no, perhaps, later) = (says(Yes, false), says(No, false), says(Perhaps, false), says(No, true));
    assert_eq!(at_once(&[later.clone(), yes.clone()], &[]), Some("deny"));
    assert_eq!(at_once(std::slice::from_ref(&no), &[later.clone(), yes.clone()]), Some("allow"));
    assert_eq!(at_once(std::slice::from_ref(&perhaps), std::slice::from_ref(&later)), Some("indeterminate"));
    assert_eq!(at_once(std::slice::from_ref(&later), std::slice::from_ref(&yes)), None, "the veto must be asked first");
    assert_eq!(at_once(&[perhaps, later.clone()], std::slice::from_ref(&yes)), None, "it may still deny");
    assert_eq!(at_once(&[no], &[says(Perhaps, false), later]), None, "it may still allow");
}

#[test]
fn policies_are_asked_from_memory_first_and_vetoes_before_grants() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let policy = |name, says, waits| Policy { says, waits, asked: Some((name, asked.clone())) };
    let decide_by = |veto: Says, grant: Says| {
        let vetoes = [policy("late veto", veto, true), policy("veto", No, false)];
        let grants = [policy("late grant", Yes, true), policy("grant", grant, false)];
        let decision = decision_in_words(decide(&policies(vetoes, grants)));
        let mut order: Vec<&str> = Vec::new();
        for name in std::mem::take(&mut *asked.lock().expect("lock")) {
            if !order.contains(&name) {
                order.push(name);
            }
        }
        (decision, order)
    };
    assert_eq!(decide_by(No, No), ("allow", vec!["veto", "late veto", "grant", "late grant"]));
    assert_eq!(decide_by(No, Yes), ("allow", vec!["veto", "late veto", "grant"]));
    assert_eq!(decide_by(Yes, Yes), ("deny", vec!["veto", "late veto"]));
    assert_eq!(decide_by(Perhaps, Yes), ("indeterminate", vec!["veto", "late veto"]));
}

#[test]
fn of_several_reasons_the_first_one_is_told() {
    let named = |name: &'static str, answer: Option<bool>| policy_fn(name, move |_| answer);
    let builder = || deny_overrides("set", ["act"]);
    let first = builder().allow_if(named("a", None)).allow_if(named("b", None)).build().expect("policies");
    assert_eq!(decide(&first), Decision::Indeterminate(Why::new("a", "unknown")));
    let first = builder().deny_if(named("a", Some(true))).deny_if(named("b", Some(true))).build().expect("policies");
    assert_eq!(decide(&first), Decision::Deny(Why::new("a", "holds")));
    let none = builder().allow_if(named("a", Some(false))).build().expect("policies");
    assert_eq!(decide(&none), Decision::Deny(Why::new("set", "no_grant")));
}

#[test]
fn a_policy_that_answers_nothing_allows_nothing() {
    #[derive(Debug)]
    struct Silent;
    impl GrantPolicy for Silent {}
    impl VetoPolicy for Silent {}
    assert_eq!(grant(&Silent), "indeterminate");
    let vetoed = deny_overrides("set", ["act"]).deny_if(Silent).allow_if(says(Yes, false)).build().expect("policies");
    assert_eq!(decide(&vetoed), Decision::Indeterminate(Why::new("policy", "unanswered")));
}

#[test]
fn the_answers_of_closures_are_those_of_their_tables() {
    type Answer = Result<Option<bool>, &'static str>;
    let cases: [(Answer, Grant, Veto); 4] = {
        let why = |code| Why::new("p", code);
        let open = |code| (Grant::Indeterminate(why(code)), Veto::Indeterminate(why(code)));
        [
            (Ok(Some(true)), Grant::Allow(why("holds")), Veto::Deny(why("holds"))),
            (Ok(Some(false)), Grant::Abstain(why("does_not_hold")), Veto::Pass),
            (Ok(None), open("unknown").0, open("unknown").1),
            (Err("no route"), open("failed").0, open("failed").1),
        ]
    };
    let (token, requirement) = (token(), role("x"));
    let request = AccessRequest::new(&token, &requirement);
    for (answer, grant, veto) in cases {
        let at_once = policy_fn("p", move |_| answer);
        let later = async_policy_fn("p", move |_| Box::pin(async move { answer }));
        assert_eq!((at_once.grant_now(&request), at_once.veto_now(&request)), (Some(grant), Some(veto)));
        assert_eq!((now(at_once.grant(&request)), now(at_once.veto(&request))), (grant, veto));
        assert_eq!((later.grant_now(&request), later.veto_now(&request)), (None, None));
        assert_eq!((now(later.grant(&request)), now(later.veto(&request))), (grant, veto));
    }
    let own = Grant::Abstain(Why::new("p", "not_on_sundays"));
    assert_eq!(policy_fn("p", move |_| own).grant_now(&request), Some(own));
    assert_eq!(policy_fn("p", |_| Veto::Pass).veto_now(&request), Some(Veto::Pass));
}

#[test]
fn what_combines_nothing_is_refused_when_it_is_built() {
    let none = || Vec::<Box<dyn GrantPolicy>>::new();
    assert_eq!(all_of(none()).unwrap_err().to_string(), "`all_of`: a combination of no policies");
    assert_eq!(any_of(none()).unwrap_err().to_string(), "`any_of`: a combination of no policies");
    for actions in [vec![], vec![""], vec!["act", ""], vec!["act", "look", "act"]] {
        assert_eq!(deny_overrides("set", actions).build().unwrap_err().setting(), "deny_overrides");
    }
    assert_eq!(meets(ScopeAuthorizer, role("admin")).unwrap_err().setting(), "authorizer");
    assert_eq!(meets(ScopeAuthorizer, scopes::<&str>([])).unwrap_err().setting(), "require");
}

/// Has policies when it is built, and none when it is asked.
#[derive(Debug)]
struct Vanishing(Mutex<bool>, Policy);
impl Grants for Vanishing {
    fn nth(&self, nth: usize) -> Option<&dyn GrantPolicy> {
        let is_first = std::mem::replace(&mut *self.0.lock().expect("lock"), false);
        (is_first && nth == 0).then_some(&self.1 as &dyn GrantPolicy)
    }
}

#[test]
fn a_list_that_loses_its_policies_allows_nothing() {
    let vanishing = || Vanishing(Mutex::new(true), says(Yes, false));
    assert_eq!(grant(&all_of(vanishing()).expect("one")), "indeterminate");
    assert_eq!(grant(&not(any_of(vanishing()).expect("one"))), "indeterminate");
}

#[test]
fn policies_judge_their_own_actions_and_nothing_else() {
    let own = policies([], [says(Yes, true)]);
    let accepts = |requirement| own.accepts(&requirement).map_err(|error| error.to_string());
    assert_eq!(accepts(action("act").and(crate::authorize::authenticated())), Ok(()));
    let error = accepts(action("atc")).unwrap_err();
    assert_eq!(error, "`require`: there are no policies for the action `atc`");
    let error = accepts(action("act").or(role("x"))).unwrap_err();
    assert_eq!(error, "`require`: policies judge actions, not `role(x)`");
    assert!(accepts(scopes(["a"])).is_err());
    let token = token();
    for foreign in [scopes(["a"]), role("x"), action("other"), action("act").and(action("other"))] {
        let decision = now(own.decide(&AccessRequest::new(&token, &foreign)));
        assert_eq!(decision, Decision::Deny(Why::new("requirement", "unjudged")), "{foreign:?}");
    }
}

#[test]
fn policies_see_the_action_that_is_asked_for() {
    let set = deny_overrides("set", ["act", "look"])
        .allow_if(policy_fn("looks", |request| request.action == Some("look")))
        .build()
        .expect("policies");
    let token = token();
    let decide = |requirement| set.decide_now(&AccessRequest::new(&token, &requirement));
    assert_eq!(decide(action("look")), Some(Decision::Allow));
    assert_eq!(decide(action("act").or(action("look"))), Some(Decision::Allow));
    assert_ne!(decide(action("look").and(action("act"))), Some(Decision::Allow));
}

#[test]
fn each_part_of_a_requirement_is_judged_by_the_first_who_accepts_it() {
    let token = token();
    for waits in [false, true] {
        let (open, closed) = (policies([], [says(Yes, waits)]), policies([], [says(No, waits)]));
        let down = deny_overrides("down", ["look"]).allow_if(says(Perhaps, waits)).build().expect("policies");
        let all = (open, closed, down, ScopeAuthorizer);
        let list: Vec<Box<dyn Authorizer>> = vec![Box::new(all)];
        let decide = |requirement: Requirement| {
            assert!(list.accepts(&requirement).is_ok(), "{requirement:?}");
            let request = AccessRequest::new(&token, &requirement);
            let decision = now(list.decide(&request));
            assert!(list.decide_now(&request).is_none_or(|at_once| at_once == decision));
            assert!(waits || list.decide_now(&request).is_some());
            decision_in_words(decision)
        };
        assert_eq!(decide(action("act")), "allow", "the second one is not asked");
        assert_eq!(decide(scopes(["a"]).and(action("act"))), "allow");
        assert_eq!(decide(scopes(["b"]).and(action("act"))), "deny", "no policy opens what scopes close");
        assert_eq!(decide(scopes(["b"]).or(action("act"))), "allow");
        assert_eq!(decide(action("look").and(action("act"))), "indeterminate");
        assert_eq!(decide(action("look").or(action("act"))), "allow");
        assert_eq!(decide(action("look").and(scopes(["b"]))), "deny");
    }
}

#[test]
fn what_no_authorizer_of_a_list_accepts_is_refused_and_denied() {
    let token = token();
    let list = (policies([], [says(Yes, false)]), ScopeAuthorizer);
    let table = [
        (
            role("admin"),
            "`require`: no authorizer of the list judges `role(admin)`: policies judge actions, not `role(admin)`; \
             `ScopeAuthorizer`, the default, cannot judge `role(admin)`",
        ),
        (
            scopes(["a"]).and(action("atc")),
            "`require`: no authorizer of the list judges `action(atc)`: there are no policies for the action `atc`; \
             `ScopeAuthorizer`, the default, cannot judge `action(atc)`",
        ),
    ];
    for (requirement, expected) in table {
        assert_eq!(list.accepts(&requirement).unwrap_err().to_string(), expected);
    }
    // What an application takes for a name stays on its line.
    for refusal in [list.accepts(&action("a\nb")), list.accepts(&role("a\nb")), ScopeAuthorizer.accepts(&role("a\nb"))]
    {
        let error = refusal.unwrap_err().to_string();
        assert!(error.contains("a\\nb") && !error.contains('\n'), "{error}");
    }
    let unjudged = Some(Decision::Deny(Why::new("requirement", "unjudged")));
    assert_eq!(list.decide_now(&AccessRequest::new(&token, &role("admin"))), unjudged);
    let none = Vec::<ScopeAuthorizer>::new();
    let error = none.accepts(&scopes(["a"])).unwrap_err().to_string();
    assert_eq!(error, "`authorizer`: is an empty list: nothing can judge `scopes(a)`");
    assert_eq!(none.decide_now(&AccessRequest::new(&token, &scopes(["a"]))), unjudged);
}

#[test]
fn an_authorizer_is_a_grant_for_a_requirement_of_its_own() {
    let grants = |requirement| grant(&meets(ScopeAuthorizer, requirement).expect("judged"));
    assert_eq!((grants(scopes(["a"])), grants(scopes(["b"]))), ("allow", "abstain"));
    let open = policies([], [says(Perhaps, true)]);
    assert_eq!(grant(&meets(open, action("act")).expect("judged")), "indeterminate");
}

/// Accepts every role, and denies because it cannot judge any.
#[derive(Clone, Copy, Debug)]
struct Lost {
    waits: bool,
}

#[async_trait]
impl Authorizer for Lost {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        Ok(())
    }
    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        (!self.waits).then(|| request.unjudged(WHY))
    }
    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        request.unjudged(WHY)
    }
}

#[test]
fn what_cannot_be_judged_is_no_condition_that_is_not_met() {
    let token = token();
    let asked = action("act");
    let request = AccessRequest::new(&token, &asked);
    for waits in [false, true] {
        let lost = Lost { waits };
        assert_eq!(now(lost.decide(&AccessRequest::new(&token, &role("admin")))), Decision::Deny(WHY));
        let requirements = [role("admin"), role("a").and(role("b")), role("a").or(role("b"))];
        for requirement in requirements {
            let condition = || meets((lost, ScopeAuthorizer), requirement.clone()).expect("accepted");
            assert_eq!(grant(&condition()), "indeterminate", "{requirement}");
            assert_eq!(grant(&not(condition())), "indeterminate", "{requirement}");
            let vetoed = deny_overrides("p", ["act"]).deny_if(condition()).allow_if(says(Yes, false)).build();
            assert_eq!(decide(&vetoed.expect("policies")), Decision::Indeterminate(WHY), "{requirement}");
            let nested = meets(policies([], [says(Yes, false)]), action("act")).expect("accepted");
            assert_eq!(grant(&nested), "allow");
            assert_eq!(now(condition().veto(&request)), Veto::Indeterminate(WHY));
        }
    }
    // What a list has nobody for, and what policies and scopes do not know.
    let list = || (policies([], [says(Yes, false)]), ScopeAuthorizer);
    for authorizer in [Box::new(list()) as Box<dyn Authorizer>, Box::new(list().0), Box::new(ScopeAuthorizer)] {
        let unknown = role("admin");
        let decision = now(authorizer.decide(&AccessRequest::new(&token, &unknown).as_condition()));
        assert_eq!(decision_in_words(decision), "indeterminate", "{authorizer:?}");
    }
}

#[test]
fn an_authorizer_is_a_veto_for_a_requirement_of_its_own() {
    let decide = |requirement| {
        let veto = meets(ScopeAuthorizer, requirement).expect("judged");
        decide(&deny_overrides("p", ["act"]).deny_if(veto).allow_if(says(Yes, false)).build().expect("policies"))
    };
    assert_eq!(decide(scopes(["b"])), Decision::Allow);
    assert_eq!(decide(scopes(["a"])), Decision::Deny(Why::new("requirement", "met")));
}

#[test]
fn a_veto_that_fails_is_not_skipped() {
    for waits in [false, true] {
        for vetoes in [vec![says(Perhaps, waits)], vec![says(No, false), says(Perhaps, waits), says(No, true)]] {
            let failing = policies(vetoes, [says(Yes, false), says(Yes, true)]);
            assert_eq!(decide(&failing), Decision::Indeterminate(WHY), "{failing:?}");
        }
    }
}

#[test]
fn an_answer_is_for_its_own_action_and_resource() {
    let token = token();
    let by_action = async_policy_fn("by_action", |request| {
        Box::pin(async move { Some(request.action? == "write" && request.resource?.id == "mine") })
    });
    let policies = deny_overrides("p", ["read", "write"]).allow_if(by_action).build().expect("policies");
    let list = (policies, ScopeAuthorizer);
    let (read, write) = (action("read"), action("write"));
    let decide = |requirement: &Requirement, id: &str| {
        let resource = crate::authorize::Resource::new("post", id);
        decision_in_words(now(list.decide(&AccessRequest::new(&token, requirement).with_resource(resource))))
    };
    for _ in 0..2 {
        assert_eq!(
            (decide(&write, "mine"), decide(&write, "theirs"), decide(&read, "mine")),
            ("allow", "deny", "deny")
        );
        let (both, either) = (read.clone().and(write.clone()), read.clone().or(write.clone()));
        assert_eq!(
            (decide(&both, "mine"), decide(&either, "mine"), decide(&either, "theirs")),
            ("deny", "allow", "deny")
        );
    }
}

/// Knows roles until it has lost them.
#[derive(Debug)]
struct Forgetful(Arc<std::sync::atomic::AtomicBool>);

#[async_trait]
impl Authorizer for Forgetful {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        match self.0.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(ConfigError::new("require", "lost")),
            false => Ok(()),
        }
    }
    fn judges(&self, leaf: &Requirement) -> bool {
        matches!(leaf, Requirement::AnyRole(_))
    }
    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        Decision::Deny(WHY)
    }
}

/// Allows whatever it is asked.
#[derive(Debug)]
struct Open;

#[async_trait]
impl Authorizer for Open {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        Ok(())
    }
    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        Decision::Allow
    }
}

#[test]
fn a_name_that_its_authorizer_has_lost_does_not_fall_to_the_next_one() {
    let lost = Arc::<std::sync::atomic::AtomicBool>::default();
    let nested: Vec<Box<dyn Authorizer>> = vec![Box::new((Forgetful(lost.clone()), Open))];
    let list = (Shadowed::new(Arc::new(nested), Open, crate::observe::NoObserver), Open);
    let token = token();
    for is_lost in [false, true] {
        lost.store(is_lost, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(now(list.decide(&AccessRequest::new(&token, &role("admin")))), Decision::Deny(WHY), "{is_lost}");
        assert_eq!(now(list.decide(&AccessRequest::new(&token, &action("act")))), Decision::Allow);
    }
}

#[test]
fn pointers_to_policies_forward_every_method() {
    async fn check(policy: impl GrantPolicy + VetoPolicy, waits: bool) {
        let (token, requirement) = (token(), role("x"));
        let request = AccessRequest::new(&token, &requirement);
        assert_eq!((policy.grant_now(&request).is_none(), policy.veto_now(&request).is_none()), (waits, waits));
        assert_eq!(policy.grant(&request).await, Grant::Allow(WHY));
        assert_eq!(policy.veto(&request).await, Veto::Deny(WHY));
        assert_eq!((policy.grant_trace(&request).asked, policy.veto_trace(&request).asked), ("g".into(), "v".into()));
    }
    for waits in [false, true] {
        now(check(Arc::new(says(Yes, waits)), waits));
        now(check(Box::new(Arc::new(says(Yes, waits))), waits));
    }
}

/// A combination of grants.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Says, bool),
    Any(Vec<Tree>),
    All(Vec<Tree>),
    Not(Box<Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let says = prop_oneof![Just(Yes), Just(No), Just(Perhaps)];
    let leaf = (says, any::<bool>()).prop_map(|(says, waits)| Tree::Leaf(says, waits));
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..5).prop_map(Tree::Any),
            vec(inner.clone(), 1..5).prop_map(Tree::All),
            inner.prop_map(|tree| Tree::Not(Box::new(tree))),
        ]
    })
}

impl Tree {
    fn policy(&self) -> Box<dyn GrantPolicy> {
        let all = |trees: &[Self]| trees.iter().map(Self::policy).collect::<Vec<_>>();
        match self {
            Self::Leaf(answer, waits) => Box::new(says(*answer, *waits)),
            Self::Any(trees) => Box::new(any_of(all(trees)).expect("some")),
            Self::All(trees) => Box::new(all_of(all(trees)).expect("some")),
            Self::Not(tree) => Box::new(not(tree.policy())),
        }
    }

    /// By the page's table for pairs, from left to right.
    fn in_words(&self, rows: &[Vec<&'static str>]) -> &'static str {
        let fold = |trees: &[Self], column: usize| {
            let pair = |a, b| rows.iter().find(|row| row[0] == a && row[1] == b).expect("a row")[column];
            trees.iter().map(|tree| tree.in_words(rows)).reduce(pair).expect("some")
        };
        match self {
            Self::Leaf(says, _) => ["allow", "abstain", "indeterminate"][*says as usize],
            Self::Any(trees) => fold(trees, 2),
            Self::All(trees) => fold(trees, 3),
            Self::Not(tree) => {
                let word = tree.in_words(rows);
                rows.iter().find(|row| row[0] == word).expect("a row")[4]
            }
        }
    }
}

proptest! {
    #[test]
    fn trees_of_grants_agree_with_the_table(tree in tree()) {
        let rows = table("| a | b | `any_of((a, b))` |");
        prop_assert_eq!(grant(&tree.policy()), tree.in_words(&rows));
    }

    #[test]
    fn decisions_over_trees_agree_with_the_table(
        vetoes in vec((0..3usize, any::<bool>()), 0..4),
        grants in vec(tree(), 0..4),
    ) {
        let rows = table("| a | b | `any_of((a, b))` |");
        let vetoes: Vec<_> = vetoes.into_iter().map(|(n, waits)| says([Yes, No, Perhaps][n], waits)).collect();
        let builder = vetoes.iter().cloned().fold(deny_overrides("test", ["act"]), DenyOverridesBuilder::deny_if);
        let policies = grants.iter().fold(builder, |all, tree| all.allow_if(tree.policy())).build().expect("policies");
        let granted: Vec<_> = grants.iter().map(|tree| said(tree.in_words(&rows))).collect();
        prop_assert_eq!(decision_in_words(decide(&policies)), expected(&answers(&vetoes), &granted));
    }
}

#[test]
fn policies_are_asked_about_the_action_that_is_required() {
    let posts = deny_overrides("posts", ["posts:read"])
        .allow_if(policy_fn("read", |request| request.action == Some("posts:read")))
        .build()
        .expect("policies");
    let (token, read) = (token(), action("posts:read"));
    for required in [read.clone(), read.clone().and(read.clone())] {
        for request in [AccessRequest::new(&token, &required), AccessRequest::new(&token, &required).with_action("x")] {
            assert_eq!(posts.decide_now(&request), Some(Decision::Allow), "{required}");
            assert_eq!(now(posts.decide(&request)), Decision::Allow, "{required}");
        }
    }
}

#[test]
fn combinations_answer_from_memory_where_no_waiting_would_change_it() {
    let (yes, no, later) = (says(Yes, false), says(No, false), says(No, true));
    let (token, requirement) = (token(), action("act"));
    let request = AccessRequest::new(&token, &requirement);
    let any = |a: &Policy, b: &Policy| any_of((a.clone(), b.clone())).expect("two").grant_now(&request).map(in_words);
    let all = |a: &Policy, b: &Policy| all_of((a.clone(), b.clone())).expect("two").grant_now(&request).map(in_words);
    let (allow, abstain) = (grant(&yes), grant(&no));
    assert_eq!((any(&yes, &later), any(&later, &yes), any(&no, &no)), (Some(allow), Some(allow), Some(abstain)));
    assert_eq!((all(&no, &later), all(&later, &no), all(&yes, &yes)), (Some(abstain), Some(abstain), Some(allow)));
    assert_eq!((any(&no, &later), all(&yes, &later)), (None, None));
    // Of several that cannot tell, the first one is named.
    let unknown = |name: &'static str| policy_fn(name, |_: &AccessRequest<'_>| None::<bool>);
    let first = Grant::Indeterminate(Why::new("a", "unknown"));
    assert_eq!(any_of((unknown("a"), unknown("b"))).expect("two").grant_now(&request), Some(first));
    assert_eq!(all_of((unknown("a"), unknown("b"))).expect("two").grant_now(&request), Some(first));
    let veto = meets(ScopeAuthorizer, scopes(["a"])).expect("a requirement").veto_now(&request);
    assert!(matches!(veto, Some(Veto::Deny(_))));
}

#[test]
fn whoever_is_logged_in_meets_what_asks_for_no_more() {
    let (token, requirement) = (token(), Requirement::Authenticated);
    let request = AccessRequest::new(&token, &requirement);
    let policies = policies([], [says(No, false)]);
    assert_eq!(policies.decide_now(&request), Some(Decision::Allow));
    assert_eq!(now(policies.decide(&request)), Decision::Allow);
}
