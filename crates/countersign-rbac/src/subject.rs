//! Who asks, in terms of the catalog.

use crate::catalog::{Catalog, Grants};
use crate::mapping::{ClaimsMapping, Kind, Trouble};
use crate::prepared::{Node, Prepared};
use countersign::VerifiedToken;
use countersign::authorize::{Decision, Requirement, ScopeAuthorizer, Why};
use std::sync::Arc;

pub(crate) const fn deny(code: &'static str) -> Decision {
    Decision::Deny(why(code))
}

const fn why(code: &'static str) -> Why {
    Why::new("rbac", code)
}

/// What one token amounts to by one catalog.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    grants: Grants,
    /// Why nothing can be said of roles and permissions, whatever is held.
    unjudged: Option<Why>,
    /// Whether the token may have more roles and permissions than are held.
    open: bool,
    /// Whether what it has besides may exclude what is held.
    doubtful: bool,
}

impl Held {
    pub(crate) fn read(catalog: &Catalog, mapping: Option<&ClaimsMapping>, token: &VerifiedToken) -> Self {
        Self::read_told(catalog, mapping, token, &mut |_| {})
    }

    /// As [`read`](Self::read), telling of each name that was looked up whether it cost a union of sets.
    fn read_told(
        catalog: &Catalog,
        mapping: Option<&ClaimsMapping>,
        token: &VerifiedToken,
        told: &mut impl FnMut(bool),
    ) -> Self {
        let mut grants = catalog.no_grants();
        let nothing = |code| {
            let unjudged = Some(why(code));
            Self { grants: catalog.no_grants(), unjudged, open: false, doubtful: false }
        };
        let Some(mapping) = mapping else {
            return nothing("unmapped_issuer");
        };
        let read = mapping.read(token, &mut |found| match found.source.kind() {
            Kind::Permissions => {
                if let Some(id) = catalog.permission_id(found.name) {
                    grants.permissions.insert(id);
                }
                told(false);
            }
            Kind::Roles => told(add_role(catalog, &mut grants, found.name)),
        });
        let open = match read {
            Ok(()) => false,
            Err(Trouble::Elsewhere(_)) => true,
            Err(Trouble::Malformed(_)) => return nothing("malformed_claim"),
        };
        if catalog.exclusions().iter().any(|set| set.is_broken_by(&grants)) {
            return nothing("exclusive_roles");
        }
        Self { grants, unjudged: None, open, doubtful: open && !catalog.exclusions().is_empty() }
    }

    /// What to say when a check of the sets says this.
    #[inline]
    fn answer(&self, met: bool, missing: &'static str) -> Decision {
        match self.unjudged {
            Some(why) => Decision::Deny(why),
            None if met && !self.doubtful => Decision::Allow,
            None if self.open => Decision::Indeterminate(why("claim_elsewhere")),
            None => deny(missing),
        }
    }

    /// Whether it is held; `None` where nobody can tell.
    fn tells(&self, held: bool) -> Option<bool> {
        if self.unjudged.is_some() {
            return None;
        }
        match self.answer(held, "") {
            Decision::Allow => Some(true),
            Decision::Deny(_) => Some(false),
            Decision::Indeterminate(_) => None,
        }
    }

    /// Judges one requirement of roles or permissions by its names.
    ///
    /// One name that the catalog does not know spoils its list, because nobody can tell what whoever wrote it
    /// meant. What cannot be judged is what `unjudged` makes of it.
    pub(crate) fn judge(&self, catalog: &Catalog, leaf: &Requirement, unjudged: &dyn Fn(Why) -> Decision) -> Decision {
        if let Some(why) = self.unjudged {
            return unjudged(why);
        }
        let (names, all, missing) = match leaf {
            Requirement::AnyRole(names) => (names, false, "missing_role"),
            Requirement::AllPermissions(names) => (names, true, "missing_permission"),
            Requirement::AnyPermission(names) => (names, false, "missing_permission"),
            _ => return unjudged(why("unknown_requirement")),
        };
        if names.is_empty() {
            return unjudged(why("empty"));
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
                None => return unjudged(why("unknown_name")),
                Some(held) if all => met &= held,
                Some(held) => met |= held,
            }
        }
        self.answer(met, missing)
    }
}

/// Adds what a role brings along; `false` where that is there already. So a token costs one union for each role of the
/// catalog at most, however many names it holds and however often.
fn add_role(catalog: &Catalog, grants: &mut Grants, name: &str) -> bool {
    let new = catalog.role_id(name).filter(|id| !grants.roles.contains(*id));
    let closed = new.and_then(|id| catalog.closed_grants(id));
    closed.inspect(|closed| grants.insert_all(closed)).is_some()
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
/// assert_eq!((editor.has_role("editor"), editor.has_permission("posts:read")), (Some(true), Some(true)));
/// assert_eq!(editor.has_permission("users:delete"), None, "no name of the catalog");
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

    /// Whether it has this role, itself or by inheritance. `None` where nobody can tell: a claim that cannot be read, roles
    /// that exclude one another, a name that the catalog does not know. As the answer of a
    /// [policy](countersign::authorize::policy::policy_fn) that is `Indeterminate`.
    #[must_use]
    pub fn has_role(&self, name: &str) -> Option<bool> {
        self.held.tells(self.held.grants.roles.contains(self.catalog.role_id(name)?))
    }

    /// Whether it has this permission, from a role or from the token itself. `None` as with [`has_role`](Self::has_role).
    #[must_use]
    pub fn has_permission(&self, name: &str) -> Option<bool> {
        self.held.tells(self.held.grants.permissions.contains(self.catalog.permission_id(name)?))
    }

    /// The roles that it has, themselves and by inheritance; `None` where nobody can tell.
    pub(crate) fn roles(&self) -> Option<impl Iterator<Item = &str>> {
        let held = |name: &&str| self.has_role(name) == Some(true);
        self.held.tells(true).map(|_| self.catalog.roles().filter(held))
    }

    /// The permissions that it has; `None` where nobody can tell.
    pub(crate) fn permissions(&self) -> Option<impl Iterator<Item = &str>> {
        let held = |name: &&str| self.has_permission(name) == Some(true);
        self.held.tells(true).map(|_| self.catalog.permissions().filter(held))
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
            ScopeAuthorizer::decide_leaf(leaf, &self.token)
                .unwrap_or_else(|| self.held.judge(&self.catalog, leaf, &Decision::Deny))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand roles, each of which inherits the next one.
    fn chain() -> Catalog {
        let chain = (0..1000_usize).fold(Catalog::builder(), |all, n| {
            let all = all.role(n.to_string(), [format!("p{n}")]);
            if n == 0 { all } else { all.inherits((n - 1).to_string(), n.to_string()) }
        });
        chain.build().expect("a chain")
    }

    #[test]
    fn ten_thousand_roles_in_a_token_cost_one_look_each_and_one_union_for_each_role_of_the_catalog() {
        // The leaf comes first, so that every role adds to what is there.
        let names: Vec<String> = (0..10_000).map(|n| (999 - n % 2000).to_string()).collect();
        let claims = serde_json::json!({"roles": names, "permissions": names});
        let token = VerifiedToken::vouched(&claims).expect("claims");
        let (mut looks, mut unions) = (0, 0);
        let held = Held::read_told(&chain(), Some(&ClaimsMapping::default()), &token, &mut |is_union| {
            looks += 1;
            unions += usize::from(is_union);
        });
        assert_eq!((looks, unions), (20_000, 1000));
        assert!(held.unjudged.is_none());
    }

    #[test]
    fn a_role_is_added_once_however_often_a_token_names_it() {
        let catalog = chain();
        let added = |names: &mut dyn Iterator<Item = usize>| {
            let mut grants = catalog.no_grants();
            names.filter(|n| add_role(&catalog, &mut grants, &n.to_string())).count()
        };
        // From the leaf upwards, every role adds to what is there.
        assert_eq!(added(&mut (0..10_000).map(|n| 999 - n % 1000)), 1000);
        assert_eq!(added(&mut (0..10_000).map(|n| n % 2000)), 1, "the first brings all others along");
        assert_eq!(added(&mut (1000..2000)), 0);
    }
}
