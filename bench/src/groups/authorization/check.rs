//! May somebody with this role do that?
//!
//! There are so many rules; rule *n* lets the role `role-n` use `permission-n`. Alice has the role in the middle of them,
//! and wants to use what it permits: for those who go through the rules, half of them come before. All that a service
//! knows before the question is built before: rules, Alice, and the question where there is a form for it.

use super::OURS;
use crate::Case;
use countersign::VerifiedToken;
use countersign::authorize::{AccessRequest, Authorizer, Decision, permissions};
use countersign_rbac::RbacAuthorizer;
use serde_json::json;
use std::hint::black_box;

pub(super) const RULES: [usize; 2] = [10, 1_000];
pub(super) const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
pub(super) const MASK: &str = "a mask of 4 words";

pub(super) fn name(rules: usize) -> String {
    format!("may a role, {rules} rules")
}

pub(super) fn name_of_size(permissions: usize) -> String {
    format!("prepared check, {permissions} permissions")
}

pub(super) fn role(rule: usize) -> String {
    format!("role-{rule}")
}

pub(super) fn permission(rule: usize) -> String {
    format!("permission-{rule}")
}

/// Alice's.
pub(super) fn own(rules: usize) -> usize {
    rules / 2
}

fn rbac(rules: usize) -> RbacAuthorizer {
    let all = (0..rules).fold(RbacAuthorizer::builder(), |all, rule| all.role(role(rule), [permission(rule)]));
    all.build().expect("the rules")
}

fn alice(rules: usize) -> VerifiedToken {
    VerifiedToken::vouched(&json!({"sub": "alice", "roles": [role(own(rules))]})).expect("Alice")
}

/// The question by a subject that is ready, and by a token that is read each time.
pub(super) fn case(rules: usize) -> Case {
    let (rbac, token) = (rbac(rules), alice(rules));
    let required = permissions([permission(own(rules))]);
    let (subject, prepared) = (rbac.subject(&token), rbac.prepare(required.clone()).expect("the requirement"));
    assert_eq!(subject.decide(&prepared), Decision::Allow);
    Case::new(name(rules))
        .with(OURS, move || black_box(&subject).decide(black_box(&prepared)))
        .with("countersign, token read each time", move || {
            rbac.decide_now(&AccessRequest::new(black_box(&token), black_box(&required)))
        })
}

/// The least that there is to do: four words of a set, all of whose bits another four words must have.
pub(super) fn has_all(held: &[u64; 4], wanted: &[u64; 4]) -> bool {
    held.iter().zip(wanted).all(|(held, wanted)| held & wanted == *wanted)
}

pub(super) fn mask() -> impl FnMut() -> bool {
    let (held, wanted) = ([u64::MAX, 7, 0, 1], [1, 0, 0, 0]);
    move || has_all(black_box(&held), black_box(&wanted))
}

/// Our answer beside the mask, where there are so many permissions. The role has all of them, and one is wanted.
pub(super) fn beside_a_mask(permissions: usize) -> Case {
    let all = (0..permissions).map(permission);
    let rbac = RbacAuthorizer::builder().role(role(0), all).build().expect("the role");
    let subject = rbac.subject(&alice(0));
    let required = countersign::authorize::permissions([permission(own(permissions))]);
    let prepared = rbac.prepare(required).expect("the requirement");
    assert_eq!(subject.decide(&prepared), Decision::Allow);
    Case::new(name_of_size(permissions))
        .with(OURS, move || black_box(&subject).decide(black_box(&prepared)))
        .with(MASK, mask())
}
