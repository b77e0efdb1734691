//! cedar-policy: a policy for each rule, and the entities that `principal in Role::"…"` needs, as its documentation does
//! roles. `is_authorized` asks whether Alice may act. Policies, entities and the request are built before.

use super::check::{own, permission, role};
use crate::Case;
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::json;
use std::hint::black_box;

pub(super) const NAME: &str = "cedar-policy";

pub(super) fn contend(case: Case, rules: usize) -> Case {
    let policies = (0..rules).map(|rule| {
        let (role, permission) = (role(rule), permission(rule));
        format!("permit(principal in Role::\"{role}\", action == Action::\"{permission}\", resource);\n")
    });
    let policies: PolicySet = policies.collect::<String>().parse().expect("the policies");
    let parents = json!([{"type": "Role", "id": role(own(rules))}]);
    let mut entities = vec![json!({"uid": {"type": "User", "id": "alice"}, "attrs": {}, "parents": parents})];
    entities
        .extend((0..rules).map(|rule| json!({"uid": {"type": "Role", "id": role(rule)}, "attrs": {}, "parents": []})));
    let entities = Entities::from_json_value(entities.into(), None).expect("the entities");
    let request = Request::new(
        entity("User", "alice"),
        entity("Action", &permission(own(rules))),
        entity("Service", "api"),
        Context::empty(),
        None,
    );
    let request = request.expect("a request without a schema");
    let authorizer = Authorizer::new();
    let ask = move || authorizer.is_authorized(black_box(&request), &policies, &entities);
    assert_eq!(ask().decision(), Decision::Allow);
    case.with(NAME, ask)
}

fn entity(kind: &str, id: &str) -> EntityUid {
    format!("{kind}::\"{id}\"").parse().expect("the name of an entity")
}
