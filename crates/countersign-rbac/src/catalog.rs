//! The roles and permissions that there are, and which role inherits from which.

mod builder;
mod closure;
mod name;
mod policy;
mod version;
pub(crate) mod wildcard;

use crate::ids::{Id, Mask, Names, PermissionId, RoleId};
pub use builder::CatalogBuilder;
pub(crate) use closure::Grants;
use std::fmt;
use std::sync::Arc;

/// The roles and permissions that there are, with the hierarchy worked out.
///
/// It is built once, refuses what makes no sense, and does not change. Each role has one closed set of roles
/// (itself and every role that it inherits from, directly or not) and one closed set of permissions. Every
/// check uses these, so no check can forget the hierarchy. They take about *roles* × (*roles* +
/// *permissions*) bits of memory.
///
/// Names are compared exactly, in all their letters. A `*` means something in what a
/// [role](CatalogBuilder::role) grants, and nothing in a token or a requirement.
///
/// ```
/// use countersign_rbac::Catalog;
///
/// let catalog = Catalog::builder()
///     .role("editor", ["posts:read", "posts:write"])
///     .role("admin", ["users:delete"])
///     .inherits("admin", "editor")
///     .build()?;
/// assert!(catalog.grants("admin", "posts:write"));
/// assert!(!catalog.grants("editor", "users:delete"));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub struct Catalog {
    version: Arc<str>,
    roles: Names<RoleId>,
    permissions: Names<PermissionId>,
    /// For each role, what was said of it: for reviews, not for checks.
    own: Box<[Own]>,
    /// For each role, itself and all that it inherits.
    closed: Box<[Grants]>,
    exclusions: Box<[Exclusion]>,
}

/// What a role grants and inherits of itself.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) permissions: Vec<PermissionId>,
    pub(crate) wildcards: Vec<Box<str>>,
    pub(crate) parents: Vec<RoleId>,
}

/// Roles of which nobody may have two.
#[derive(Debug)]
pub(crate) struct Exclusion {
    mask: Mask<RoleId>,
    pub(crate) roles: Vec<RoleId>,
}

impl Exclusion {
    pub(crate) fn is_broken_by(&self, grants: &Grants) -> bool {
        self.mask.count_in(&grants.roles) > 1
    }
}

impl Catalog {
    /// A catalog of nothing yet.
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
    }

    /// The version, for logs and reviews: the one that was [given](CatalogBuilder::version), or 16 hexadecimal
    /// digits that change with the content and not with the order in which it was given. They tell contents
    /// apart; they are no proof against somebody who writes policies.
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let a = Catalog::builder().role("a", ["x"]).role("b", ["y", "z"]).build()?;
    /// let b = Catalog::builder().role("b", ["z", "y"]).role("a", ["x"]).build()?;
    /// assert_eq!(a.version(), b.version());
    /// assert_ne!(a.version(), Catalog::builder().role("a", ["x"]).build()?.version());
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same, shared.
    pub(crate) fn shared_version(&self) -> Arc<str> {
        Arc::clone(&self.version)
    }

    /// The names of all roles, in the order in which they were given.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter()
    }

    /// The names of all permissions, whether or not a role grants them.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter()
    }

    /// Whether `role` is `other`, or inherits from it. Unknown roles include nothing.
    ///
    /// ```
    /// # use countersign_rbac::Catalog;
    /// # let catalog = Catalog::builder()
    /// #     .role("editor", ["posts:write"]).role("admin", ["users:delete"])
    /// #     .inherits("admin", "editor").build()?;
    /// assert!(catalog.includes("admin", "editor"));
    /// assert!(!catalog.includes("editor", "admin"));
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    #[must_use]
    pub fn includes(&self, role: &str, other: &str) -> bool {
        self.closed(role).zip(self.role_id(other)).is_some_and(|(grants, other)| grants.roles.contains(other))
    }

    /// Whether `role` grants `permission`, itself or through a role that it inherits from. Unknown roles
    /// grant nothing, and nobody grants an unknown permission.
    #[must_use]
    pub fn grants(&self, role: &str, permission: &str) -> bool {
        let id = self.permission_id(permission);
        self.closed(role).zip(id).is_some_and(|(grants, id)| grants.permissions.contains(id))
    }

    fn closed(&self, role: &str) -> Option<&Grants> {
        self.role_id(role).and_then(|id| self.closed_grants(id))
    }

    pub(crate) fn closed_grants(&self, role: RoleId) -> Option<&Grants> {
        self.closed.get(role.index())
    }

    pub(crate) fn own_grants(&self, role: RoleId) -> Option<&Own> {
        self.own.get(role.index())
    }

    pub(crate) fn role_name(&self, role: RoleId) -> Option<&str> {
        self.roles.name(role)
    }

    pub(crate) fn permission_name(&self, permission: PermissionId) -> Option<&str> {
        self.permissions.name(permission)
    }

    pub(crate) fn role_id(&self, name: &str) -> Option<RoleId> {
        self.roles.find(name)
    }

    pub(crate) fn permission_id(&self, name: &str) -> Option<PermissionId> {
        self.permissions.find(name)
    }

    /// The roles that may not come together.
    pub(crate) fn exclusions(&self) -> &[Exclusion] {
        &self.exclusions
    }

    /// What somebody without a role and without a permission has.
    pub(crate) fn no_grants(&self) -> Grants {
        Grants { roles: self.roles.no_ids(), permissions: self.permissions.no_ids() }
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("version", &self.version)
            .field("roles", &self.roles.len())
            .field("permissions", &self.permissions.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
