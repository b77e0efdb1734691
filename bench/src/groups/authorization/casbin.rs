//! casbin: the model `rbac_model.conf` of its examples, in a program that has its policy at hand, so that no adapter is
//! asked. `enforce((who, what, how))` asks whether one of Alice's roles may. With its feature `cached`, which remembers
//! whose roles are whose; [`CACHED`] is the enforcer that remembers answers as well.

use super::check::{own, permission, role};
use crate::Case;
use casbin::{CachedEnforcer, CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi, RbacApi};
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(super) const NAME: &str = "casbin";
pub(super) const CACHED: &str = "casbin, answers cached";

const MODEL: &str = "
[request_definition]
r = sub, obj, act

[policy_definition]
p = sub, obj, act

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
";

pub(super) fn contend(case: Case, rules: usize) -> Case {
    let plain: Enforcer = enforcer(rules);
    let cached: CachedEnforcer = enforcer(rules);
    let wanted = permission(own(rules));
    let question = move || (black_box("alice"), wanted.clone(), "use");
    let again = question.clone();
    assert!(plain.enforce(question()).expect("an answer") && cached.enforce(question()).expect("an answer"));
    case.with(NAME, move || plain.enforce(question())).with(CACHED, move || cached.enforce(again()))
}

fn enforcer<E: CoreApi + MgmtApi + RbacApi>(rules: usize) -> E {
    ready(async {
        let model = DefaultModel::from_str(MODEL).await.expect("the model");
        let mut enforcer = E::new(model, MemoryAdapter::default()).await.expect("an enforcer");
        let policies = (0..rules).map(|rule| vec![role(rule), permission(rule), "use".to_owned()]).collect();
        enforcer.add_policies(policies).await.expect("the rules");
        enforcer.add_role_for_user("alice", &role(own(rules)), None).await.expect("the role");
        enforcer
    })
}

/// What a future comes to that waits for nothing.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("everything is in memory"),
    }
}
