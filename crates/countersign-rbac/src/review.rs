//! Reviews: what a catalog says and why a decision fell, as data and as tables to read.
//!
//! ```
//! use countersign_rbac::Catalog;
//! use countersign_rbac::review::Grant;
//!
//! let catalog = Catalog::builder()
//!     .role("viewer", ["posts:read"])
//!     .role("editor", ["posts:write"])
//!     .inherits("editor", "viewer")
//!     .build()?;
//! // Who may read? A test can hold the whole matrix against a file.
//! let matrix = catalog.matrix();
//! let may_read = matrix.roles.iter().filter(|(_, grants)| grants[0] != Grant::No).map(|(role, _)| role.as_str());
//! assert_eq!((matrix.permissions[0].as_str(), may_read.collect::<Vec<_>>()), ("posts:read", vec!["viewer", "editor"]));
//! # Ok::<(), countersign::ConfigError>(())
//! ```

mod explanation;
mod table;

use crate::catalog::{Catalog, wildcard};
use crate::ids::{PermissionId, RoleId};
pub use explanation::{Asked, Explanation, Finding, Origin, Problem, Standing};
use std::fmt;
use table::{Table, plain};

/// How a role comes by a permission.
///
/// ```
/// use countersign_rbac::Catalog;
/// use countersign_rbac::review::Grant;
///
/// let catalog = Catalog::builder().role("viewer", ["posts:read"]).role("admin", ["*"]).build()?;
/// let matrix = catalog.matrix();
/// let grants: Vec<_> = matrix.roles.iter().flat_map(|(_, grants)| grants.iter().copied()).collect();
/// assert_eq!(grants, [Grant::Own, Grant::Wildcard]);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// Not at all.
    No,
    /// It grants it by name.
    Own,
    /// It grants it by a wildcard.
    Wildcard,
    /// A role that it inherits grants it.
    Inherited,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::No => "-",
            Self::Own => "own",
            Self::Wildcard => "wildcard",
            Self::Inherited => "inherited",
        })
    }
}

/// Who has what: each role with each permission. [`Catalog::matrix`] makes it.
///
/// ```
/// use countersign_rbac::Catalog;
/// use countersign_rbac::review::Grant;
///
/// let catalog = Catalog::builder().role("reader", ["posts:read"]).role("writer", ["posts:write"]).build()?;
/// let matrix = catalog.matrix();
/// assert_eq!(matrix.permissions, ["posts:read", "posts:write"]);
/// assert_eq!(matrix.roles[1], ("writer".to_owned(), vec![Grant::No, Grant::Own]));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Matrix {
    /// The [version](Catalog::version) of the catalog.
    pub version: String,
    /// The permissions, in the order of the grants.
    pub permissions: Vec<String>,
    /// The roles, each with one grant for each permission.
    pub roles: Vec<(String, Vec<Grant>)>,
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["role"].into_iter().chain(self.permissions.iter().map(String::as_str)));
        for (role, grants) in &self.roles {
            table.row([role.clone()].into_iter().chain(grants.iter().map(Grant::to_string)));
        }
        write!(f, "catalog {}\n{table}", plain(&self.version))
    }
}

/// What a role grants. [`Catalog::review`] makes it.
///
/// ```
/// use countersign_rbac::Catalog;
///
/// let catalog = Catalog::builder()
///     .role("editor", ["posts:write"])
///     .role("admin", ["users:delete"])
///     .inherits("admin", "editor")
///     .build()?;
/// let admin = catalog.review("admin").expect("a role of the catalog");
/// assert_eq!(admin.inherits, ["editor"]);
/// let by_others = admin.grants.iter().filter(|grant| grant.role != "admin").map(|grant| grant.permission.as_str());
/// assert_eq!(by_others.collect::<Vec<_>>(), ["posts:write"]);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoleReview {
    /// The [version](Catalog::version) of the catalog.
    pub version: String,
    /// The role.
    pub role: String,
    /// Every role that it inherits from, directly or not.
    pub inherits: Vec<String>,
    /// The permissions that it grants, each once for each way in which it does.
    pub grants: Vec<GrantSource>,
}

/// One way in which a role comes by a permission.
///
/// ```
/// use countersign_rbac::Catalog;
///
/// let catalog = Catalog::builder().role("editor", ["posts:*"]).only_permissions(["posts:read"]).build()?;
/// let editor = catalog.review("editor").expect("a role of the catalog");
/// let [source] = editor.grants.as_slice() else { unreachable!("there is one permission") };
/// assert_eq!((source.permission.as_str(), source.wildcard.as_deref()), ("posts:read", Some("posts:*")));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantSource {
    /// The permission.
    pub permission: String,
    /// The role that grants it of itself: the reviewed one, or one that it inherits from.
    pub role: String,
    /// The wildcard by which it does, where it is one.
    pub wildcard: Option<String>,
}

impl fmt::Display for RoleReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "catalog {}, role {}", plain(&self.version), plain(&self.role))?;
        if !self.inherits.is_empty() {
            write!(f, ", which inherits {}", plain(&self.inherits.join(", ")))?;
        }
        let mut table = Table::new(["permission", "granted by", "wildcard"]);
        for GrantSource { permission, role, wildcard } in &self.grants {
            table.row([permission.clone(), role.clone(), wildcard.clone().unwrap_or("-".to_owned())]);
        }
        write!(f, "\n{table}")
    }
}

impl Catalog {
    /// Who has what: a table of all roles and all permissions, with as many cells.
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let catalog = Catalog::builder()
    ///     .version("7")
    ///     .role("viewer", ["posts:read"])
    ///     .role("editor", ["posts:write"])
    ///     .role("admin", ["*"])
    ///     .inherits("editor", "viewer")
    ///     .build()?;
    /// assert_eq!(
    ///     catalog.matrix().to_string(),
    ///     "catalog 7\n\
    ///      role    posts:read  posts:write\n\
    ///      viewer  own         -\n\
    ///      editor  inherited   own\n\
    ///      admin   wildcard    wildcard\n"
    /// );
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    #[must_use]
    pub fn matrix(&self) -> Matrix {
        let grant = |role: RoleId, permission: PermissionId| {
            let (Some(own), Some(name)) = (self.own_grants(role), self.permission_name(permission)) else {
                return Grant::No;
            };
            if !self.closed_grants(role).is_some_and(|grants| grants.permissions.contains(permission)) {
                Grant::No
            } else if own.permissions.contains(&permission) {
                Grant::Own
            } else if own.wildcards.iter().any(|wildcard| wildcard::matches(wildcard, name)) {
                Grant::Wildcard
            } else {
                Grant::Inherited
            }
        };
        let permissions: Vec<PermissionId> = self.permissions().filter_map(|name| self.permission_id(name)).collect();
        let row = |name: &str| {
            let role = self.role_id(name);
            let of_role = |role| permissions.iter().map(|permission| grant(role, *permission)).collect();
            (name.to_owned(), role.map_or(Vec::new(), of_role))
        };
        Matrix {
            version: self.version().to_owned(),
            permissions: self.permissions().map(str::to_owned).collect(),
            roles: self.roles().map(row).collect(),
        }
    }

    /// What a role grants: of itself, by which wildcard, and from which role it has inherited the rest. `None`
    /// for a role that there is not.
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let catalog = Catalog::builder()
    ///     .version("7")
    ///     .only_permissions(["posts:read", "posts:write", "users:delete"])
    ///     .role("editor", ["posts:*"])
    ///     .role("admin", ["users:delete"])
    ///     .inherits("admin", "editor")
    ///     .build()?;
    /// let admin = catalog.review("admin").ok_or("no such role")?;
    /// assert_eq!(
    ///     admin.to_string(),
    ///     "catalog 7, role admin, which inherits editor\n\
    ///      permission    granted by  wildcard\n\
    ///      posts:read    editor      posts:*\n\
    ///      posts:write   editor      posts:*\n\
    ///      users:delete  admin       -\n"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn review(&self, role: &str) -> Option<RoleReview> {
        let id = self.role_id(role)?;
        let included = self.roles().filter(|name| self.includes(role, name));
        let grants = self.permissions().filter_map(|name| self.permission_id(name));
        Some(RoleReview {
            version: self.version().to_owned(),
            role: role.to_owned(),
            inherits: included.filter(|name| *name != role).map(str::to_owned).collect(),
            grants: grants.flat_map(|permission| self.grants_of(id, permission)).collect(),
        })
    }

    /// Every way in which this role comes by a permission.
    pub(crate) fn grants_of(&self, role: RoleId, permission: PermissionId) -> Vec<GrantSource> {
        let Some(closed) = self.closed_grants(role).filter(|closed| closed.permissions.contains(permission)) else {
            return Vec::new();
        };
        let included = self.roles().filter_map(|name| self.role_id(name)).filter(|id| closed.roles.contains(*id));
        included.flat_map(|role| self.sources(role, permission)).collect()
    }

    /// How this role grants a permission of itself.
    fn sources(&self, role: RoleId, permission: PermissionId) -> Vec<GrantSource> {
        let (Some(own), Some(role), Some(name)) =
            (self.own_grants(role), self.role_name(role), self.permission_name(permission))
        else {
            return Vec::new();
        };
        let source = |wildcard| GrantSource { permission: name.to_owned(), role: role.to_owned(), wildcard };
        let by_name = own.permissions.contains(&permission).then_some(None);
        let wildcards = own.wildcards.iter().filter(|wildcard| wildcard::matches(wildcard, name));
        by_name.into_iter().chain(wildcards.map(|wildcard| Some(wildcard.to_string()))).map(source).collect()
    }
}

#[cfg(test)]
mod tests;
