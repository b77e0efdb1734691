//! Who asks, in terms of the catalog.

use crate::catalog::{Catalog, Grants};
use crate::mapping::{ClaimsMapping, Kind, Trouble};
use crate::prepared::{Node, Prepared};
use countersign::VerifiedToken;
use countersign::authorize::{Decision, Requirement, ScopeAuthorizer, Why};
use std::sync::Arc;

pub(crate) const fn deny(code: &'static str) -> Decision {
    Decision::Deny(Why::new("rbac", code))
}

/// What one token amounts to by one catalog.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    grants: Grants,
    /// The answer to every requirement of roles or permissions, whatever is held.
    denied: Option<Decision>,
    /// Whether the token may have more roles and permissions than are held.
    open: bool,
    /// Whether what it has besides may exclude what is held.
    doubtful: bool,
}

impl Held {
    pub(crate) fn read(catalog: &Catalog, mapping: Option<&ClaimsMapping>, token: &VerifiedToken) -> Self {
        let mut grants = catalog.no_grants();
        let nothing = |denied| Self { grants: catalog.no_grants(), denied: Some(denied), open: false, doubtful: false };
        let Some(mapping) = mapping else {
            return nothing(deny("unmapped_issuer"));
        };
        let read = mapping.read(token.payload(), &mut |found| match found.source.kind() {
            Kind::Permissions => {
                if let Some(id) = catalog.permission_id(found.name) {
                    grants.permissions.insert(id);
                }
            }
            // A role that is there already has brought its closed sets along. So a token costs one union for
            // each role of the catalog at most, however many names it holds and however often.
            Kind::Roles => {
                let new = catalog.role_id(found.name).filter(|id| !grants.roles.contains(*id));
                if let Some(closed) = new.and_then(|id| catalog.closed_grants(id)) {
                    grants.insert_all(closed);
                }
            }
        });
        let open = match read {
            Ok(()) => false,
            Err(Trouble::Elsewhere(_)) => true,
            Err(Trouble::Malformed(_)) => return nothing(deny("malformed_claim")),
        };
        if catalog.exclusions().iter().any(|set| set.is_broken_by(&grants)) {
            return nothing(deny("exclusive_roles"));
        }
        Self { grants, denied: None, open, doubtful: open && !catalog.exclusions().is_empty() }
    }

    /// What to say when a check of the sets says this.
    fn answer(&self, met: bool, missing: &'static str) -> Decision {
        match self.denied {
            Some(denied) => denied,
            None if met && !self.doubtful => Decision::Allow,
            None if self.open => Decision::Indeterminate(Why::new("rbac", "claim_elsewhere")),
            None => deny(missing),
        }
    }

    /// Judges one requirement of roles or permissions by its names.
    ///
    /// One name that the catalog does not know spoils its list, because nobody can tell what whoever wrote it
    /// meant.
    pub(crate) fn judge(&self, catalog: &Catalog, leaf: &Requirement) -> Decision {
        if let Some(denied) = self.denied {
            return denied;
        }
        let (names, all, missing) = match leaf {
            Requirement::AnyRole(names) => (names, false, "missing_role"),
            Requirement::AllPermissions(names) => (names, true, "missing_permission"),
            Requirement::AnyPermission(names) => (names, false, "missing_permission"),
            _ => return deny("unknown_requirement"),
        };
        if names.is_empty() {
            return deny("empty");
        }
        let roles = matches!(leaf, Requirement::AnyRole(_));
        let mut met = all;
        for name in names {
            let held = if roles {
                catalog.role_id(name).map(|id| self.grants.roles.contains(id))
            } else {
                catalog.permission_id(name).map(|id| self.grants.permissions.contains(id))
            };
            match held {
                None => return deny("unknown_name"),
                Some(held) if all => met &= held,
                Some(held) => met |= held,
            }
        }
        self.answer(met, missing)
    }
}

/// Who asks, worked out once: the roles and permissions of a token by the catalog of that moment.
///
/// For those who ask many questions about one token, in a handler or when a list is filtered. It has its
/// catalog; what comes later does not change it. [`RbacAuthorizer::subject`](crate::RbacAuthorizer::subject)
/// makes it.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{Decision, any_permission, permissions};
/// use countersign_rbac::RbacAuthorizer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rbac = RbacAuthorizer::builder().role("editor", ["posts:read", "posts:write"]).build()?;
/// let write = rbac.prepare(permissions(["posts:write"]))?;
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"roles": ["editor"]}))?;
/// let editor = rbac.subject(&token);
/// assert_eq!(editor.decide(&write), Decision::Allow);
/// assert!(editor.has_role("editor") && editor.has_permission("posts:read"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Subject {
    catalog: Arc<Catalog>,
    token: VerifiedToken,
    held: Held,
}

impl Subject {
    pub(crate) fn new(catalog: Arc<Catalog>, mapping: Option<&ClaimsMapping>, token: &VerifiedToken) -> Self {
        let held = Held::read(&catalog, mapping, token);
        Self { catalog, token: token.clone(), held }
    }

    /// The catalog that says what its roles are worth.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Whether it has this role, itself or by inheritance. What cannot be told counts as no.
    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        self.catalog.role_id(name).is_some_and(|id| self.held.grants.roles.contains(id))
            && self.held.answer(true, "") == Decision::Allow
    }

    /// Whether it has this permission, from a role or from the token itself. What cannot be told counts as no.
    #[must_use]
    pub fn has_permission(&self, name: &str) -> bool {
        self.catalog.permission_id(name).is_some_and(|id| self.held.grants.permissions.contains(id))
            && self.held.answer(true, "") == Decision::Allow
    }

    /// Whether it meets a prepared requirement: a few words of bit arithmetic, and no memory. One that was
    /// prepared by another catalog is judged by its names.
    #[inline]
    pub fn decide(&self, requirement: &Prepared) -> Decision {
        if !Arc::ptr_eq(&self.catalog, &requirement.catalog) {
            return self.decide_by_name(&requirement.requirement);
        }
        requirement.node.decide(&|leaf| match leaf {
            Node::AnyRole(mask) => self.held.answer(mask.any_in(&self.held.grants.roles), "missing_role"),
            Node::AllPermissions(mask) => {
                self.held.answer(mask.all_in(&self.held.grants.permissions), "missing_permission")
            }
            Node::AnyPermission(mask) => {
                self.held.answer(mask.any_in(&self.held.grants.permissions), "missing_permission")
            }
            Node::InToken(leaf) => {
                ScopeAuthorizer::decide_leaf(leaf, &self.token).unwrap_or(deny("unknown_requirement"))
            }
            Node::AllOf(_) | Node::AnyOf(_) => deny("unknown_requirement"),
        })
    }

    /// Whether it meets a requirement.
    pub fn decide_by_name(&self, requirement: &Requirement) -> Decision {
        requirement.decide(&mut |leaf| {
            ScopeAuthorizer::decide_leaf(leaf, &self.token).unwrap_or_else(|| self.held.judge(&self.catalog, leaf))
        })
    }
}
