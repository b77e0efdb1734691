use super::*;
use crate::decision::{Finding, Why, role};
use crate::token::VerifiedToken;
use serde_json::json;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

const WHY: Why = Why::new("test", "said");
const NO: Decision = Decision::Deny(WHY);

/// Says so: from memory, after so many polls, or never.
#[derive(Clone, Debug)]
struct Says {
    decision: Decision,
    polls: Option<usize>,
    panics: bool,
    asked: Arc<AtomicUsize>,
}

fn now(decision: Decision) -> Says {
    after(0, decision)
}

fn after(polls: usize, decision: Decision) -> Says {
    Says { decision, polls: Some(polls), panics: false, asked: Arc::default() }
}

#[async_trait]
impl Authorizer for Says {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        if self.decision == NO { Err(ConfigError::new("require", "no")) } else { Ok(()) }
    }
    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "on purpose");
        if self.decision == Decision::Allow {
            let _ = request.allow(WHY);
        }
        (self.polls == Some(0)).then_some(self.decision)
    }
    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        let mut polled = 0;
        poll_fn(|_| {
            polled += 1;
            assert!(!self.panics, "on purpose");
            if self.polls.is_some_and(|polls| polled > polls) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if self.decision == Decision::Allow {
            return request.allow(WHY);
        }
        self.decision
    }
    fn version(&self) -> Option<Arc<str>> {
        Some(self.decision.name().into())
    }
}

#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);
impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        let (required, decision, shadow) = match event {
            Event::ShadowAgreed { required, decision } => (required, decision, "agreed"),
            Event::ShadowDisagreed { required, decision, shadow } => {
                (required, decision, shadow.map_or("unanswered", Decision::name))
            }
            other => panic!("{other:?}"),
        };
        self.0.lock().expect("lock").push(format!("{required}: {}, {shadow}", decision.name()));
    }
}

/// What is decided, after how many polls, and what is told; at once, where it can be.
fn ask(decides: Says, shadow: Says) -> (Decision, usize, Vec<String>) {
    ask_by(decides, shadow, |shadowed| shadowed)
}

/// As [`ask`], where the decision is held back for so many polls; `None` for as long as it takes.
fn ask_waiting(decides: Says, shadow: Says, polls: Option<usize>) -> (Decision, usize, Vec<String>) {
    ask_by(decides, shadow, |shadowed| shadowed.wait_for_shadow(move || held(polls)))
}

async fn held(polls: Option<usize>) {
    let mut polled = 0;
    poll_fn(|_| {
        polled += 1;
        if polls.is_some_and(|polls| polled > polls) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn ask_by(
    decides: impl Authorizer,
    shadow: impl Authorizer,
    set: impl FnOnce(Shadowed) -> Shadowed,
) -> (Decision, usize, Vec<String>) {
    let told = Told::default();
    let shadowed = set(Shadowed::new(decides, shadow, told.clone()));
    let (token, requirement) = (VerifiedToken::vouched(&json!({})).expect("claims"), role("admin"));
    let request = AccessRequest::new(&token, &requirement);
    let take = || std::mem::take(&mut *told.0.lock().expect("lock"));
    if let Some(decision) = shadowed.decide_now(&request) {
        return (decision, 0, take());
    }
    assert!(take().is_empty(), "nothing is decided yet");
    let mut deciding = pin!(shadowed.decide(&request));
    for polls in 1..10 {
        if let Poll::Ready(decision) = deciding.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (decision, polls, take());
        }
    }
    panic!("no decision");
}

#[test]
fn the_decision_is_that_of_who_decides_and_comes_no_later() {
    let open = Decision::Indeterminate(WHY);
    let all = [Decision::Allow, NO, open];
    let never = |decision| Says { polls: None, ..now(decision) };
    let failing = |decision| Says { panics: true, ..now(decision) };
    for decision in all {
        for other in all {
            for shadow in [now(other), after(1, other), after(5, other), never(other), failing(other)] {
                for polls in 0..3 {
                    let expected = if polls == 0 { 0 } else { polls + 1 };
                    let (decided, took, _) = ask(after(polls, decision), shadow.clone());
                    assert_eq!((decided, took), (decision, expected), "{shadow:?}");
                    let (decided, took, told) = ask_waiting(after(polls, decision), shadow.clone(), Some(3));
                    assert_eq!(decided, decision, "held back, and the same: {shadow:?}");
                    assert!(took <= polls + 4, "{took} polls: {shadow:?}");
                    assert_eq!(told.len(), 1, "{told:?}");
                }
            }
        }
    }
}

#[test]
fn agreement_disagreement_and_silence_are_told_apart() {
    let told = |decides, shadow| ask(decides, shadow).2;
    let other_no = Decision::Deny(Why::new("other", "reason"));
    assert_eq!(told(now(NO), now(other_no)), ["role(admin): deny, agreed"]);
    assert_eq!(told(now(NO), now(Decision::Allow)), ["role(admin): deny, allow"]);
    assert_eq!(told(now(Decision::Allow), now(Decision::Indeterminate(WHY))), ["role(admin): allow, indeterminate"]);
    assert_eq!(told(after(2, NO), now(Decision::Allow)), ["role(admin): deny, allow"]);
    assert_eq!(told(after(2, NO), after(2, other_no)), ["role(admin): deny, agreed"], "as long as the decision takes");
    assert_eq!(told(after(2, NO), after(3, other_no)), ["role(admin): deny, unanswered"]);
    assert_eq!(told(now(NO), after(1, other_no)), ["role(admin): deny, unanswered"], "nothing is waited for");
    let failing = Says { panics: true, ..now(NO) };
    assert_eq!(told(now(NO), failing.clone()), ["role(admin): deny, unanswered"]);
    assert_eq!(told(after(2, NO), failing), ["role(admin): deny, unanswered"]);
}

#[test]
fn a_shadow_that_is_waited_for_is_heard_behind_an_answer_from_memory() {
    let told = |decides, shadow, polls| {
        let (decision, took, told) = ask_waiting(decides, shadow, polls);
        (decision, took, told.concat())
    };
    let never = Says { polls: None, ..now(NO) };
    let failing = Says { panics: true, ..now(NO) };
    assert_eq!(told(now(NO), after(3, NO), None), (NO, 4, "role(admin): deny, agreed".into()));
    assert_eq!(told(now(NO), after(3, Decision::Allow), None), (NO, 4, "role(admin): deny, allow".into()));
    assert_eq!(told(now(NO), now(Decision::Allow), None), (NO, 0, "role(admin): deny, allow".into()), "in memory");
    assert_eq!(told(after(1, NO), after(3, Decision::Allow), None), (NO, 4, "role(admin): deny, allow".into()));
    assert_eq!(told(after(3, NO), after(1, Decision::Allow), None), (NO, 4, "role(admin): deny, allow".into()));
    assert_eq!(told(now(NO), never.clone(), Some(2)), (NO, 3, "role(admin): deny, unanswered".into()));
    assert_eq!(told(after(2, NO), never, Some(2)), (NO, 5, "role(admin): deny, unanswered".into()), "from then on");
    assert_eq!(told(now(NO), failing, None), (NO, 0, "role(admin): deny, unanswered".into()));
}

#[test]
fn neither_a_limit_that_panics_nor_a_second_question_changes_a_decision() {
    /// Has its answer in memory, and loses it when it is to be waited for.
    #[derive(Debug)]
    struct AtOnce;
    #[async_trait]
    impl Authorizer for AtOnce {
        fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
            Ok(())
        }
        fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
            Some(request.allow(WHY))
        }
        async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
            Decision::Indeterminate(WHY)
        }
    }
    let (decision, _, told) = ask_by(AtOnce, after(2, NO), |shadowed| shadowed.wait_for_shadow(std::future::pending));
    assert_eq!((decision, told.concat()), (Decision::Allow, "role(admin): allow, deny".into()));
    for is_late in [false, true] {
        let limit = move || {
            assert!(is_late, "on purpose");
            async { panic!("on purpose") }
        };
        let (decision, took, told) = ask_by(AtOnce, after(2, NO), |shadowed| shadowed.wait_for_shadow(limit));
        assert_eq!((decision, took, told.concat()), (Decision::Allow, 1, "role(admin): allow, unanswered".into()));
    }
}

#[test]
fn a_shadow_has_no_say_in_anything_else() {
    let shadowed = Shadowed::new(now(Decision::Allow), now(NO), Told::default());
    assert!(shadowed.accepts(&role("x")).is_ok());
    assert_eq!(shadowed.version().as_deref(), Some("allow"));
    let (token, requirement) = (VerifiedToken::vouched(&json!({})).expect("claims"), role("x"));
    let noted = crate::authorize::Noted::default();
    let request = AccessRequest::new(&token, &requirement).noting(&noted);
    assert_eq!(shadowed.trace(&request).finding, Finding::Allow);

    let noted = crate::authorize::Noted::default();
    let request = AccessRequest::new(&token, &requirement).noting(&noted);
    let denies = Shadowed::new(now(NO), now(Decision::Allow), Told::default());
    assert_eq!(
        (denies.decide_now(&request), noted.why()),
        (Some(NO), None),
        "its reasons are not told as the decision's"
    );
}
