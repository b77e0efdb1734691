//! Collects a catalog and checks it.

use super::name::Name;
use super::{Catalog, Exclusion, Grants, Own, closure, version, wildcard};
use crate::ids::{Id, IdSet, Mask, Names, PermissionId, RoleId};
use countersign::ConfigError;
use std::collections::{HashMap, HashSet};

/// Collects the roles and permissions of a [`Catalog`], in any order. Nothing is checked before
/// [`build`](Self::build).
///
/// ```
/// use countersign_rbac::Catalog;
///
/// let catalog = Catalog::builder()
///     .version("2026-11")
///     .permission("reports:read") // no role grants it: it stands in tokens only
///     .role("editor", ["posts:read", "posts:write"])
///     .role("chief", [""; 0])
///     .inherits("chief", "editor")
///     .build()?;
/// assert!(catalog.grants("chief", "posts:write"));
///
/// let error = Catalog::builder().role("a", ["x"]).inherits("a", "b").build();
/// assert!(error.is_err(), "nobody has said what `b` is");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CatalogBuilder {
    pub(super) version: Option<Name>,
    pub(super) permissions: Vec<Name>,
    /// Whether `permissions` are all that there may be.
    pub(super) only: bool,
    pub(super) only_roles: Option<Vec<Name>>,
    pub(super) roles: Vec<(Name, Vec<Name>)>,
    /// A role, and what it inherits.
    pub(super) inherits: Vec<(Name, Name)>,
    pub(super) exclusive: Vec<Vec<Name>>,
}

fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> impl Iterator<Item = Name> {
    names.into_iter().map(|name| Name::from(name.into()))
}

impl CatalogBuilder {
    /// What [`Catalog::version`] says; without it, a fingerprint of the content. Of several, the last counts.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into().into());
        self
    }

    /// A permission that no role needs to grant: tokens may carry it themselves.
    pub fn permission(mut self, name: impl Into<String>) -> Self {
        self.permissions.push(name.into().into());
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
    pub fn only_permissions<N: Into<String>>(mut self, permissions: impl IntoIterator<Item = N>) -> Self {
        self.permissions.extend(names(permissions));
        self.only = true;
        self
    }

    /// Roles that must be given, and no others may be: what the code asks for, held against a policy file.
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let error = Catalog::builder().only_roles(["editor"]).role("edtior", ["posts:read"]).build().unwrap_err();
    /// assert_eq!(error.to_string(), "`role`: `edtior` is not among the roles that there may be");
    /// ```
    pub fn only_roles<N: Into<String>>(mut self, roles: impl IntoIterator<Item = N>) -> Self {
        self.only_roles.get_or_insert_default().extend(names(roles));
        self
    }

    /// A role and the permissions that it grants of itself: `[""; 0]` for none.
    ///
    /// `*` stands for every permission of the catalog, and `posts:*` for every one that begins with `posts:`
    /// and goes on; instead of the `:` there may be a `.` or a `/`. What they stand for is worked out once,
    /// when the catalog is built, and there must be something.
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let catalog = Catalog::builder()
    ///     .only_permissions(["posts:read", "posts:comments:read", "users:read"])
    ///     .role("editor", ["posts:*"])
    ///     .build()?;
    /// assert!(catalog.grants("editor", "posts:comments:read"));
    /// assert!(!catalog.grants("editor", "users:read"));
    ///
    /// let error = Catalog::builder().role("editor", ["posts:*"]).build().unwrap_err();
    /// assert_eq!(error.to_string(), "`role`: `editor` grants `posts:*`, which stands for no permission");
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    pub fn role<P: Into<String>>(mut self, name: impl Into<String>, permissions: impl IntoIterator<Item = P>) -> Self {
        self.roles.push((name.into().into(), names(permissions).collect()));
        self
    }

    /// Whoever has `role` also has the role `inherited`, with all that it grants and inherits.
    pub fn inherits(mut self, role: impl Into<String>, inherited: impl Into<String>) -> Self {
        self.inherits.push((role.into().into(), inherited.into().into()));
        self
    }

    /// Roles of which nobody may have two (separation of duties). What is inherited counts. A token with two
    /// of them has no role and no permission.
    ///
    /// ```
    /// use countersign::VerifiedToken;
    /// use countersign::authorize::{AccessRequest, Authorizer, Decision, Why, permissions};
    /// use countersign_rbac::{Catalog, RbacAuthorizer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let catalog = Catalog::builder()
    ///     .role("payer", ["invoices:pay"])
    ///     .role("approver", ["invoices:approve"])
    ///     .mutually_exclusive(["payer", "approver"])
    ///     .build()?;
    /// let both = VerifiedToken::vouched(&serde_json::json!({"roles": ["payer", "approver"]}))?;
    /// let pay = permissions(["invoices:pay"]);
    /// let decision = RbacAuthorizer::new(catalog).decide_now(&AccessRequest::new(&both, &pay));
    /// assert_eq!(decision, Some(Decision::Deny(Why::new("rbac", "exclusive_roles"))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn mutually_exclusive<N: Into<String>>(mut self, roles: impl IntoIterator<Item = N>) -> Self {
        self.exclusive.push(names(roles).collect());
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        let Self { version, permissions, only, only_roles, roles, inherits, exclusive } = self;
        version.is_none()
            && permissions.is_empty()
            && !only
            && only_roles.is_none()
            && roles.is_empty()
            && inherits.is_empty()
            && exclusive.is_empty()
    }

    /// The catalog.
    ///
    /// # Errors
    /// [`ConfigError`] that names the culprit, and its line where it comes from a policy file: an empty name, a
    /// role given twice, a permission that a role grants twice, a role inherited twice, a permission that does not exist (see [`only_permissions`](Self::only_permissions)), a
    /// `*` where none may be or that stands for nothing, an unknown role, roles that inherit from one another
    /// in a circle, or a role that includes two mutually exclusive ones.
    pub fn build(self) -> Result<Catalog, ConfigError> {
        let permissions = self.permissions()?;
        let roles = self.roles()?;
        let own = self.own(&roles, &permissions)?;

        let mut expanded = HashMap::new();
        let mut closed = Vec::with_capacity(own.len());
        for ((name, granted), (index, own)) in self.roles.iter().zip(own.iter().enumerate()) {
            let mut grants = Grants { roles: roles.no_ids(), permissions: permissions.no_ids() };
            grants.roles.insert(RoleId::new(index));
            own.permissions.iter().for_each(|id| grants.permissions.insert(*id));
            for pattern in granted.iter().filter(|granted| wildcard::is_one(granted)) {
                let known = expanded.entry(&**pattern);
                let (ids, count): &(IdSet<_>, _) = known.or_insert_with(|| wildcard::expand(pattern, &permissions));
                if *count == 0 {
                    let problem = format!("`{name}` grants `{pattern}`, which stands for no permission");
                    return Err(pattern.error("role", problem));
                }
                grants.permissions.insert_all(ids);
            }
            closed.push(grants);
        }
        closure::close(&mut closed, &own).map_err(|cycle| {
            let names: Vec<&str> = cycle.iter().chain(cycle.first()).filter_map(|role| roles.name(*role)).collect();
            let problem = format!("roles inherit in a circle: `{}`", names.join("` -> `"));
            // Some edge of the circle stands somewhere, and tells where to look.
            let edge =
                self.inherits.iter().find(|(role, parent)| names.contains(&&**role) && names.contains(&&**parent));
            match edge {
                Some((_, inherited)) => inherited.error("inherits", problem),
                None => ConfigError::new("inherits", problem),
            }
        })?;

        let exclusions = self.exclusions(&roles, &closed)?;
        let version = match &self.version {
            Some(version) if version.is_empty() => return Err(version.error("version", "is empty")),
            Some(version) => version.as_str().into(),
            None => version::fingerprint(&self),
        };
        Ok(Catalog { version, roles, permissions, own: own.into(), closed: closed.into(), exclusions })
    }

    /// Every permission that there is.
    fn permissions(&self) -> Result<Names<PermissionId>, ConfigError> {
        let mut permissions = Names::new();
        for name in &self.permissions {
            if name.is_empty() {
                return Err(name.error("permission", "the name of a permission is empty"));
            }
            if name.contains('*') {
                return Err(name.error("permission", format!("`{name}` has a `*`, which only a role may grant")));
            }
            permissions.intern(name);
        }
        for (role, granted) in &self.roles {
            let mut seen = HashSet::new();
            for permission in granted {
                if !seen.insert(&**permission) {
                    return Err(permission.error("role", format!("`{role}` grants `{permission}` twice")));
                }
                if permission.is_empty() {
                    return Err(permission.error("role", format!("`{role}` grants a permission without a name")));
                }
                if permission.contains('*') {
                    if !wildcard::is_one(permission) {
                        let problem = format!(
                            "`{role}` grants `{permission}`: a `*` stands alone, or last after `:`, `.` or `/`"
                        );
                        return Err(permission.error("role", problem));
                    }
                } else if permissions.intern(permission).1 && self.only {
                    let problem = format!("`{role}` grants the unknown permission `{permission}`");
                    return Err(permission.error("role", problem));
                }
            }
        }
        Ok(permissions)
    }

    fn roles(&self) -> Result<Names<RoleId>, ConfigError> {
        let mut roles = Names::new();
        for (name, _) in &self.roles {
            if name.is_empty() {
                return Err(name.error("role", "the name of a role is empty"));
            }
            if !roles.intern(name).1 {
                return Err(name.error("role", format!("`{name}` is given twice")));
            }
        }
        if let Some(only) = &self.only_roles {
            let allowed: HashSet<&str> = only.iter().map(|name| &**name).collect();
            if let Some((other, _)) = self.roles.iter().find(|(name, _)| !allowed.contains(&**name)) {
                return Err(other.error("role", format!("`{other}` is not among the roles that there may be")));
            }
            if let Some(missing) = only.iter().find(|name| roles.find(name).is_none()) {
                return Err(missing.error("only_roles", format!("the role `{missing}` is not given")));
            }
        }
        Ok(roles)
    }

    /// What each role grants and inherits of itself.
    fn own(&self, roles: &Names<RoleId>, permissions: &Names<PermissionId>) -> Result<Vec<Own>, ConfigError> {
        let of_role = |(_, granted): &(Name, Vec<Name>)| Own {
            permissions: granted.iter().filter_map(|name| permissions.find(name)).collect(),
            wildcards: granted.iter().filter(|name| wildcard::is_one(name)).map(|name| name.as_str().into()).collect(),
            parents: Vec::new(),
        };
        let mut own: Vec<Own> = self.roles.iter().map(of_role).collect();
        for (child, parent) in &self.inherits {
            let find = |name: &Name| {
                let unknown =
                    || name.error("inherits", format!("`{child}` inherits `{parent}`: `{name}` is not a role"));
                roles.find(name).ok_or_else(unknown)
            };
            let (role, inherited) = (find(child)?, find(parent)?);
            if let Some(own) = own.get_mut(role.index()) {
                if own.parents.contains(&inherited) {
                    return Err(parent.error("inherits", format!("`{child}` inherits `{parent}` twice")));
                }
                own.parents.push(inherited);
            }
        }
        Ok(own)
    }

    fn exclusions(&self, roles: &Names<RoleId>, closed: &[Grants]) -> Result<Box<[Exclusion]>, ConfigError> {
        let mut exclusions = Vec::new();
        for names in &self.exclusive {
            let mut ids = Vec::new();
            for name in names {
                let unknown = || name.error("mutually_exclusive", format!("`{name}` is not a role"));
                let id = roles.find(name).ok_or_else(unknown)?;
                if ids.contains(&id) {
                    return Err(name.error("mutually_exclusive", format!("`{name}` stands twice in one set")));
                }
                ids.push(id);
            }
            let listed = || names.iter().map(|name| &**name).collect::<Vec<_>>().join("`, `");
            if ids.len() < 2 {
                let problem = format!("`{}`: a set of fewer than two roles excludes nothing", listed());
                return Err(match names.first() {
                    Some(name) => name.error("mutually_exclusive", problem),
                    None => ConfigError::new("mutually_exclusive", "a set of no roles excludes nothing"),
                });
            }
            let exclusion = Exclusion { mask: Mask::new(ids.iter().copied()), roles: ids };
            // Nobody could ever use such a role.
            let clash = closed.iter().zip(&self.roles).find(|(grants, _)| exclusion.is_broken_by(grants));
            if let Some((_, (role, _))) = clash {
                let problem = format!("`{role}` includes two of the mutually exclusive roles `{}`", listed());
                return Err(role.error("mutually_exclusive", problem));
            }
            exclusions.push(exclusion);
        }
        Ok(exclusions.into())
    }
}
