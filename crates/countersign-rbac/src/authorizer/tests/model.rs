//! The same decisions as sets of names would take them.

use super::*;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::BTreeSet;

const ROLES: usize = 70;
const PERMISSIONS: usize = 130;

type Set = BTreeSet<usize>;

#[derive(Clone, Debug)]
struct World {
    grants: Vec<Set>,
    /// Heir and inherited, the heir with the greater number: no circle.
    inherits: Vec<(usize, usize)>,
    roles: Set,
    permissions: Set,
    scoped: bool,
}

fn world() -> impl Strategy<Value = World> {
    (
        vec(btree_set(0..PERMISSIONS, 0..4), ROLES),
        vec((0..ROLES, 0..ROLES), 0..90),
        btree_set(0..ROLES, 0..5),
        btree_set(0..PERMISSIONS, 0..5),
        any::<bool>(),
    )
        .prop_map(|(grants, pairs, roles, permissions, scoped)| {
            let down = |(a, b): (usize, usize)| (a != b).then(|| (a.max(b), a.min(b)));
            World { grants, inherits: pairs.into_iter().filter_map(down).collect(), roles, permissions, scoped }
        })
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let roles = || vec((0..ROLES).prop_map(|n| format!("r{n}")), 1..4);
    let permissions = || vec((0..PERMISSIONS).prop_map(|n| format!("p{n}")), 1..4);
    let leaf = prop_oneof![
        roles().prop_map(Requirement::AnyRole),
        permissions().prop_map(Requirement::AllPermissions),
        permissions().prop_map(Requirement::AnyPermission),
        Just(scopes(["jobs"])),
        Just(authenticated()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Requirement::AllOf),
            vec(inner, 1..4).prop_map(Requirement::AnyOf),
        ]
    })
}

impl World {
    fn authorizer(&self) -> RbacAuthorizer {
        let start = (0..PERMISSIONS).fold(RbacAuthorizer::builder(), |all, p| all.permission(format!("p{p}")));
        let roles =
            self.grants.iter().enumerate().fold(start, |all, (role, grants)| {
                all.role(format!("r{role}"), grants.iter().map(|p| format!("p{p}")))
            });
        let inherits = |all: RbacAuthorizerBuilder, (heir, inherited): &(usize, usize)| {
            all.inherits(format!("r{heir}"), format!("r{inherited}"))
        };
        self.inherits.iter().fold(roles, inherits).build().expect("no circle")
    }

    fn claims(&self) -> Value {
        let names = |kind: &str, set: &Set| set.iter().map(|n| format!("{kind}{n}")).collect::<Vec<_>>();
        json!({
            "roles": names("r", &self.roles),
            "permissions": names("p", &self.permissions).join(" "),
            "scope": if self.scoped { "jobs" } else { "" },
        })
    }

    /// Adds what is inherited until nothing is added any more.
    fn held(&self) -> BTreeSet<String> {
        let mut roles = self.roles.clone();
        loop {
            let more: Set =
                self.inherits.iter().filter(|(heir, _)| roles.contains(heir)).map(|(_, role)| *role).collect();
            if more.is_subset(&roles) {
                break;
            }
            roles.extend(more);
        }
        let granted = roles.iter().flat_map(|role| &self.grants[*role]).chain(&self.permissions);
        granted.map(|p| format!("p{p}")).chain(roles.iter().map(|role| format!("r{role}"))).collect()
    }

    fn may(&self, held: &BTreeSet<String>, requirement: &Requirement) -> bool {
        match requirement {
            Requirement::AnyRole(names) | Requirement::AnyPermission(names) => {
                names.iter().any(|name| held.contains(name))
            }
            Requirement::AllPermissions(names) => names.iter().all(|name| held.contains(name)),
            Requirement::Scopes(_) => self.scoped,
            Requirement::AllOf(parts) => parts.iter().all(|part| self.may(held, part)),
            Requirement::AnyOf(parts) => parts.iter().any(|part| self.may(held, part)),
            _ => true,
        }
    }
}

proptest! {
    #[test]
    fn decisions_are_those_of_sets_of_names(world in world(), asked in vec(requirement(), 1..12)) {
        let (rbac, claims, held) = (world.authorizer(), world.claims(), world.held());
        for requirement in asked {
            prop_assert!(rbac.accepts(&requirement).is_ok());
            let allowed = decide(&rbac, &claims, &requirement) == Decision::Allow;
            prop_assert_eq!(allowed, world.may(&held, &requirement), "{:?}", requirement);
        }
    }

    #[test]
    fn no_payload_panics_or_grants_from_a_malformed_claim(text in ".{0,60}", at in 0usize..3) {
        let claim = ["roles", "role", "permissions"][at];
        let rbac = house();
        for claims in [json!({claim: text}), json!({claim: [text, 7]}), json!({claim: {"k": text}})] {
            let decision = decide(&rbac, &claims, &role("admin"));
            prop_assert!(decision != Decision::Allow || text == "admin");
            if !claims[claim].is_string() {
                prop_assert_eq!(decision, MALFORMED);
            }
        }
    }
}
