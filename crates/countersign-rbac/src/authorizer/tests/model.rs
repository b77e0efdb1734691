//! The same decisions as sets of names would take them.

use super::*;
use crate::review::{Asked, Grant, Standing};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const ROLES: usize = 70;
const PERMISSIONS: usize = 300;
const AREAS: usize = 40;

type Set = BTreeSet<usize>;

fn permission(n: usize) -> String {
    format!("a{}:p{n}", n % AREAS)
}

#[derive(Clone, Debug)]
struct World {
    grants: Vec<Set>,
    /// For some roles, the area whose permissions they grant by a wildcard; `AREAS` for all.
    wildcards: BTreeMap<usize, usize>,
    /// Heir and inherited, the heir with the greater number: no circle.
    inherits: BTreeSet<(usize, usize)>,
    roles: Set,
    permissions: Set,
    scoped: bool,
}

fn world() -> impl Strategy<Value = World> {
    (
        vec(btree_set(0..PERMISSIONS, 0..4), ROLES),
        btree_map(0..ROLES, 0..=AREAS, 0..3),
        vec((0..ROLES, 0..ROLES), 0..90),
        btree_set(0..ROLES, 0..5),
        btree_set(0..PERMISSIONS, 0..5),
        any::<bool>(),
    )
        .prop_map(|(grants, wildcards, pairs, roles, permissions, scoped)| {
            let down = |(a, b): (usize, usize)| (a != b).then(|| (a.max(b), a.min(b)));
            World {
                grants,
                wildcards,
                inherits: pairs.into_iter().filter_map(down).collect(),
                roles,
                permissions,
                scoped,
            }
        })
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let roles = || vec((0..ROLES).prop_map(|n| format!("r{n}")), 1..4);
    let permissions = || vec((0..PERMISSIONS).prop_map(permission), 1..4);
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
        let start = (0..PERMISSIONS).fold(RbacAuthorizer::builder(), |all, p| all.permission(permission(p)));
        let roles = self.grants.iter().enumerate().fold(start, |all, (role, grants)| {
            let wildcard = self.wildcards.get(&role).map(|area| match *area {
                AREAS => "*".to_owned(),
                area => format!("a{area}:*"),
            });
            all.role(format!("r{role}"), grants.iter().copied().map(permission).chain(wildcard))
        });
        let inherits = |all: RbacAuthorizerBuilder, (heir, inherited): &(usize, usize)| {
            all.inherits(format!("r{heir}"), format!("r{inherited}"))
        };
        self.inherits.iter().fold(roles, inherits).build().expect("no circle")
    }

    fn claims(&self) -> Value {
        json!({
            "roles": self.roles.iter().map(|n| format!("r{n}")).collect::<Vec<_>>(),
            "permissions": self.permissions.iter().copied().map(permission).collect::<Vec<_>>().join(" "),
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
        let areas: Set = roles.iter().filter_map(|role| self.wildcards.get(role)).copied().collect();
        let by_wildcard = (0..PERMISSIONS).filter(|p| areas.contains(&AREAS) || areas.contains(&(p % AREAS)));
        let granted = roles.iter().flat_map(|role| &self.grants[*role]).chain(&self.permissions).copied();
        granted.chain(by_wildcard).map(permission).chain(roles.iter().map(|role| format!("r{role}"))).collect()
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
    fn every_way_to_ask_agrees_with_sets_of_names(world in world(), asked in vec(requirement(), 1..12)) {
        let (rbac, claims, held) = (world.authorizer(), world.claims(), world.held());
        let subject = rbac.subject(&token(&claims));
        for requirement in asked {
            prop_assert!(rbac.accepts(&requirement).is_ok());
            let decision = decide(&rbac, &claims, &requirement);
            prop_assert_eq!(decision == Decision::Allow, world.may(&held, &requirement), "{:?}", requirement);
            let prepared = rbac.prepare(requirement.clone()).expect("known names");
            prop_assert_eq!(subject.decide(&prepared), decision, "{:?}", requirement);
            prop_assert_eq!(subject.decide_by_name(&requirement), decision, "{:?}", requirement);
            let explanation = rbac.explain(&token(&claims), &requirement);
            prop_assert_eq!(explanation.decision, decision);
            for finding in explanation.findings.iter().filter(|finding| finding.asked != Asked::Scope) {
                let is_held = matches!(&finding.standing, Standing::Held(origins) if !origins.is_empty());
                prop_assert_eq!(is_held, held.contains(&finding.name), "{:?}", finding);
            }
        }
        for name in rbac.catalog().permissions() {
            prop_assert_eq!(subject.has_permission(name), Some(held.contains(name)), "{}", name);
        }
        for name in rbac.catalog().roles() {
            prop_assert_eq!(subject.has_role(name), Some(held.contains(name)), "{}", name);
        }
    }

    #[test]
    fn another_role_never_takes_a_permission_away(world in world(), added in 0..ROLES) {
        let rbac = world.authorizer();
        let before = rbac.subject(&token(&world.claims()));
        let mut more = world.clone();
        more.roles.insert(added);
        let after = rbac.subject(&token(&more.claims()));
        for name in rbac.catalog().permissions() {
            prop_assert!(after.has_permission(name) == Some(true) || before.has_permission(name) != Some(true), "{}", name);
        }
        for name in rbac.catalog().roles() {
            prop_assert!(after.has_role(name) == Some(true) || before.has_role(name) != Some(true), "{}", name);
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

proptest! {
    // Each case looks at 21 000 cells.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_table_of_roles_and_permissions_is_what_the_checks_say(world in world()) {
        let rbac = world.authorizer();
        let matrix = rbac.catalog().matrix();
        for (role, grants) in &matrix.roles {
            for (name, grant) in matrix.permissions.iter().zip(grants) {
                prop_assert_eq!(*grant != Grant::No, rbac.catalog().grants(role, name), "{} and {}", role, name);
            }
        }
    }
}
