//! gatehouse, in both forms that its documentation has. [`BY_ROLES`] is its `RbacPolicy`: the rules are a map of the
//! application's, from a permission to the roles that grant it, and roles are numbers. [`BY_RULES`] is a policy of its
//! `PolicyBuilder` for each rule. `check` asks whether Alice may; nothing is waited for, so it is polled once.

use super::check::{own, permission};
use crate::Case;
use gatehouse::{AccessEvaluation, EvaluationSession, PermissionChecker, PolicyBuilder, PolicyDomain, RbacPolicy};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(super) const BY_ROLES: &str = "gatehouse, RbacPolicy";
pub(super) const BY_RULES: &str = "gatehouse, a policy per rule";

struct User {
    roles: HashSet<usize>,
}

struct Service;

impl PolicyDomain for Service {
    type Subject = User;
    type Action = String;
    type Resource = ();
    type Context = ();
}

pub(super) fn contend(case: Case, rules: usize) -> Case {
    case.with(BY_ROLES, asking(by_roles(rules), rules)).with(BY_RULES, asking(by_rules(rules), rules))
}

fn by_roles(rules: usize) -> PermissionChecker<Service> {
    let granting: HashMap<String, Vec<usize>> = (0..rules).map(|rule| (permission(rule), vec![rule])).collect();
    let required = move |action: &String, (): &()| granting.get(action).cloned().unwrap_or_default();
    let mut checker = PermissionChecker::new();
    checker.add_policy(RbacPolicy::new(required, |user: &User| user.roles.iter().copied().collect()));
    checker
}

fn by_rules(rules: usize) -> PermissionChecker<Service> {
    let mut checker = PermissionChecker::new();
    for rule in 0..rules {
        let permission = permission(rule);
        let policy = PolicyBuilder::<Service>::new(format!("rule {rule}"))
            .when(move |user, action, (), ()| *action == permission && user.roles.contains(&rule))
            .build();
        checker.add_policy(policy);
    }
    checker
}

fn asking(checker: PermissionChecker<Service>, rules: usize) -> impl FnMut() -> AccessEvaluation {
    let alice = User { roles: HashSet::from([own(rules)]) };
    let (session, action) = (EvaluationSession::empty(), permission(own(rules)));
    let ask = move || {
        let check = checker.bind(&session, &alice, black_box(&action), &());
        match pin!(check.check(&())).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => unreachable!("everything is in memory"),
        }
    };
    assert!(ask().is_granted());
    ask
}
