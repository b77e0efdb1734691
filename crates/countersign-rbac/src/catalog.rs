//! The roles and permissions that there are, and which role inherits from which.

mod closure;

use crate::ids::{Id, Names, PermissionId, RoleId};
pub(crate) use closure::Grants;
use countersign::ConfigError;
use std::fmt;

/// The roles and permissions that there are, with the hierarchy worked out.
///
/// It is built once, refuses what makes no sense, and does not change. Each role has one closed set of roles
/// (itself and every role that it inherits from, directly or not) and one closed set of permissions. Every
/// check uses these, so no check can forget the hierarchy. They take about *roles* × (*roles* +
/// *permissions*) bits of memory.
///
/// Names are compared exactly, in all their letters: `*` and `:` mean nothing here.
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
    roles: Names<RoleId>,
    permissions: Names<PermissionId>,
    /// For each role, itself and all that it inherits.
    closed: Box<[Grants]>,
}

impl Catalog {
    /// A catalog of nothing yet.
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
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

    pub(crate) fn role_id(&self, name: &str) -> Option<RoleId> {
        self.roles.find(name)
    }

    pub(crate) fn permission_id(&self, name: &str) -> Option<PermissionId> {
        self.permissions.find(name)
    }

    /// What somebody without a role and without a permission has.
    pub(crate) fn no_grants(&self) -> Grants {
        Grants { roles: self.roles.no_ids(), permissions: self.permissions.no_ids() }
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("roles", &self.roles.len())
            .field("permissions", &self.permissions.len())
            .finish_non_exhaustive()
    }
}

/// Collects the roles and permissions of a [`Catalog`], in any order. Nothing is checked before
/// [`build`](Self::build).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CatalogBuilder {
    permissions: Vec<String>,
    /// Whether `permissions` are all that there may be.
    only: bool,
    roles: Vec<(String, Vec<String>)>,
    inherits: Vec<(String, String)>,
}

impl CatalogBuilder {
    /// A permission that no role needs to grant: tokens may carry it themselves.
    pub fn permission(mut self, name: impl Into<String>) -> Self {
        self.permissions.push(name.into());
        self
    }

    /// Permissions that exist, and no others do: a role that grants one which is neither here nor in a
    /// [`permission`](Self::permission) is refused. Without this, what a role grants exists.
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let error = Catalog::builder()
    ///     .only_permissions(["posts:read", "posts:write"])
    ///     .role("editor", ["posts:raed"])
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(error.to_string(), "`role`: `editor` grants the unknown permission `posts:raed`");
    /// ```
    pub fn only_permissions<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.permissions.extend(names.into_iter().map(Into::into));
        self.only = true;
        self
    }

    /// A role and the permissions that it grants of itself: `[""; 0]` for none.
    pub fn role<P: Into<String>>(mut self, name: impl Into<String>, permissions: impl IntoIterator<Item = P>) -> Self {
        self.roles.push((name.into(), permissions.into_iter().map(Into::into).collect()));
        self
    }

    /// Whoever has `role` also has the role `inherited`, with all that it grants and inherits.
    pub fn inherits(mut self, role: impl Into<String>, inherited: impl Into<String>) -> Self {
        self.inherits.push((role.into(), inherited.into()));
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.permissions.is_empty() && !self.only && self.roles.is_empty() && self.inherits.is_empty()
    }

    /// The catalog.
    ///
    /// # Errors
    /// [`ConfigError`] that names the culprit: an empty name, a role given twice, a permission that does not
    /// exist (see [`only_permissions`](Self::only_permissions)), an unknown role in
    /// [`inherits`](Self::inherits), or roles that inherit from one another in a circle.
    pub fn build(self) -> Result<Catalog, ConfigError> {
        let mut permissions = Names::new();
        for name in &self.permissions {
            if name.is_empty() {
                return Err(ConfigError::new("permission", "the name of a permission is empty"));
            }
            permissions.intern(name);
        }

        let mut roles = Names::new();
        for (name, granted) in &self.roles {
            if name.is_empty() {
                return Err(ConfigError::new("role", "the name of a role is empty"));
            }
            if !roles.intern(name).1 {
                return Err(ConfigError::new("role", format!("`{name}` is given twice")));
            }
            for permission in granted {
                if permission.is_empty() {
                    return Err(ConfigError::new("role", format!("`{name}` grants a permission without a name")));
                }
                if permissions.intern(permission).1 && self.only {
                    let problem = format!("`{name}` grants the unknown permission `{permission}`");
                    return Err(ConfigError::new("role", problem));
                }
            }
        }

        let mut parents = vec![Vec::new(); roles.len()];
        for (role, inherited) in &self.inherits {
            let find = |name: &str| {
                let unknown = || format!("`{role}` inherits `{inherited}`: `{name}` is not a role");
                roles.find(name).ok_or_else(|| ConfigError::new("inherits", unknown()))
            };
            let (role, inherited): (RoleId, RoleId) = (find(role)?, find(inherited)?);
            if let Some(parents) = parents.get_mut(role.index()) {
                parents.push(inherited);
            }
        }

        let own = self.roles.iter().enumerate().map(|(index, (_, granted))| {
            let mut own = Grants { roles: roles.no_ids(), permissions: permissions.no_ids() };
            own.roles.insert(RoleId::new(index));
            granted.iter().filter_map(|name| permissions.find(name)).for_each(|id| own.permissions.insert(id));
            own
        });
        let mut closed: Box<[Grants]> = own.collect();
        closure::close(&mut closed, &parents).map_err(|cycle| {
            let names: Vec<&str> = cycle.iter().chain(cycle.first()).filter_map(|role| roles.name(*role)).collect();
            ConfigError::new("inherits", format!("roles inherit in a circle: `{}`", names.join("` -> `")))
        })?;
        Ok(Catalog { roles, permissions, closed })
    }
}

#[cfg(test)]
mod tests;
