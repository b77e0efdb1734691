//! What a token's claims amount to: roles and permissions from four claims of one payload, two of them nested.
//!
//! Beside us stands what is done where there is no catalog: serde reads the four claims into lists, and their names are
//! collected into a set. Its questions are asked by name later, ours by bits.

use super::OURS;
use crate::Case;
use countersign::VerifiedToken;
use countersign_rbac::{ClaimPath, ClaimSource, ClaimsMapping, RbacAuthorizer, Subject};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::hint::black_box;

pub(super) const NAME: &str = "subject from 4 claims, 24 names";
pub(super) const SMALL: &str = "subject from 4 claims, 8 names";
pub(super) const NAMES: &str = "HashSet<String>";

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    realm_access: Access,
    #[serde(default)]
    resource_access: Clients,
}

#[derive(Default, Deserialize)]
struct Clients {
    #[serde(default, rename = "my.api")]
    own: Access,
}

#[derive(Default, Deserialize)]
struct Access {
    #[serde(default)]
    roles: Vec<String>,
}

fn names(payload: &[u8]) -> HashSet<String> {
    let Claims { permissions, roles, realm_access, resource_access } =
        serde_json::from_slice(payload).expect("the claims");
    permissions.into_iter().chain(roles).chain(realm_access.roles).chain(resource_access.own.roles).collect()
}

/// Twelve permissions and twelve roles, and what else a Keycloak token says.
pub(super) fn case() -> Case {
    compare(
        NAME,
        &json!({
            "exp": 1_800_000_300, "iat": 1_800_000_000, "jti": "9d1fd7a1-5b7e-4f0a-8b1e-0c1f6d7b8a90",
            "iss": "https://id.example/realms/shop", "aud": ["my.api", "account"],
            "sub": "5f2a7c1e-0b7d-4c51-9a52-6f0e3c9d1b22", "typ": "Bearer", "azp": "shop-web",
            "sid": "0d2f7e64-3c1b-4a7b-93a4-2b8f6f1c5e10", "acr": "1", "scope": "openid email profile",
            "permissions": [
                "orders:read", "orders:write", "orders:refund", "products:read", "products:write", "products:publish",
                "customers:read", "customers:write", "invoices:read", "invoices:send", "reports:read", "reports:export"
            ],
            "roles": ["editor", "auditor", "support", "approver"],
            "realm_access": {"roles": ["offline_access", "uma_authorization", "default-roles-shop", "staff"]},
            "resource_access": {
                "account": {"roles": ["manage-account", "view-profile"]},
                "my.api": {"roles": ["order-manager", "catalog-manager", "cashier", "viewer"]}
            },
            "email_verified": true, "name": "Alice Adams", "preferred_username": "alice", "email": "alice@shop.example"
        }),
    )
}

/// Two names in each claim, and little else.
pub(super) fn small() -> Case {
    compare(
        SMALL,
        &json!({
            "exp": 1_800_000_300, "iss": "https://id.example/realms/shop", "aud": "my.api",
            "sub": "5f2a7c1e-0b7d-4c51-9a52-6f0e3c9d1b22",
            "permissions": ["orders:read", "orders:write"],
            "roles": ["editor", "auditor"],
            "realm_access": {"roles": ["offline_access", "staff"]},
            "resource_access": {"my.api": {"roles": ["order-manager", "viewer"]}}
        }),
    )
}

fn compare(case: &str, claims: &Value) -> Case {
    let token = VerifiedToken::vouched(claims).expect("the token");
    let (payload, all) = (token.payload().to_owned(), names(token.payload().as_bytes()));
    let rbac = rbac(&all);
    check(&rbac.subject(&token), &all);
    Case::new(case)
        .with(OURS, move || rbac.subject(black_box(&token)))
        .with(NAMES, move || names(black_box(payload.as_bytes())))
}

/// A catalog that knows every name, so that none is cheap because it means nothing.
fn rbac(names: &HashSet<String>) -> RbacAuthorizer {
    let at = |path: &[&str]| ClaimSource::roles(ClaimPath::keys(path.iter().copied()));
    let mapping = ClaimsMapping::of([
        ClaimSource::permissions("permissions"),
        ClaimSource::roles("roles"),
        at(&["realm_access", "roles"]),
        at(&["resource_access", "my.api", "roles"]),
    ]);
    let (permissions, roles): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.contains(':'));
    let known = permissions.into_iter().fold(RbacAuthorizer::builder(), |known, name| known.permission(name));
    let known = roles.into_iter().fold(known, |known, role| known.role(role, [format!("use:{role}")]));
    known.mapping(mapping.expect("the mapping")).build().expect("the catalog")
}

/// Both sides found the same.
fn check(subject: &Subject, names: &HashSet<String>) {
    let holds = |name: &&String| subject.has_permission(name) == Some(true) || subject.has_role(name) == Some(true);
    let held = names.iter().filter(holds).count();
    assert_eq!(held, names.len());
}
