//! One veto and three grants, behind pointers, of which the last one allows. The condition of each is the bare mask, which
//! stands beside them: four of them, and what brings them together.

use super::{OURS, check};
use crate::Case;
use countersign::VerifiedToken;
use countersign::authorize::policy::{PolicyFn, deny_overrides, policy_fn};
use countersign::authorize::{AccessRequest, Authorizer, Decision, action};
use serde_json::json;
use std::hint::black_box;

pub(super) const NAME: &str = "1 veto and 3 grants";

/// A mask whose outcome the compiler does not know.
fn condition(name: &'static str, holds: bool) -> PolicyFn<impl Fn(&AccessRequest<'_>) -> bool> {
    let (held, wanted) = black_box(([1, 7, 0, u64::MAX], [if holds { 1 } else { 2 }, 0, 0, 0]));
    policy_fn(name, move |_| check::has_all(&held, &wanted))
}

pub(super) fn case() -> Case {
    let policies = deny_overrides("posts", ["posts:write"])
        .deny_if(condition("suspended", false))
        .allow_if(condition("first", false))
        .allow_if(condition("second", false))
        .allow_if(condition("third", true))
        .build()
        .expect("the policies");
    // For as long as the program runs: a question borrows what it is about.
    let token = Box::leak(Box::new(VerifiedToken::vouched(&json!({"sub": "alice"})).expect("Alice")));
    let request = AccessRequest::new(token, Box::leak(Box::new(action("posts:write"))));
    let ask = move || policies.decide_now(black_box(&request));
    assert_eq!(ask(), Some(Decision::Allow));
    Case::new(NAME).with(OURS, ask).with(check::MASK, check::mask())
}
