//! Requirements whose names are looked up already.

use crate::catalog::Catalog;
use crate::ids::{Mask, PermissionId, RoleId};
use countersign::ConfigError;
use countersign::authorize::{Decision, Requirement};
use std::sync::Arc;

/// A requirement whose names a catalog has looked up, for [`Subject::decide`](crate::Subject::decide).
/// [`RbacAuthorizer::prepare`](crate::RbacAuthorizer::prepare) makes it.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{Decision, permissions};
/// use countersign_rbac::{Prepared, RbacAuthorizer};
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rbac = RbacAuthorizer::builder().role("editor", ["posts:read", "posts:write"]).build()?;
/// let write: Prepared = rbac.prepare(permissions(["posts:write"]))?; // names are looked up here, once
/// assert!(rbac.prepare(permissions(["posts:wirte"])).is_err());
///
/// let editor = rbac.subject(&VerifiedToken::vouched(&json!({"sub": "7", "roles": "editor"}))?);
/// assert_eq!(editor.decide(&write), Decision::Allow);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) requirement: Requirement,
    pub(crate) node: Node,
}

impl Prepared {
    pub(crate) fn new(catalog: Arc<Catalog>, requirement: Requirement) -> Result<Self, ConfigError> {
        let node = Node::new(&catalog, &requirement)?;
        Ok(Self { catalog, requirement, node })
    }

    /// What was prepared.
    #[must_use]
    pub fn requirement(&self) -> &Requirement {
        &self.requirement
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A leaf that needs no catalog.
    InToken(Requirement),
    AnyRole(Mask<RoleId>),
    AllPermissions(Mask<PermissionId>),
    AnyPermission(Mask<PermissionId>),
    AllOf(Vec<Node>),
    AnyOf(Vec<Node>),
}

impl Node {
    /// # Errors
    /// As [`accepts`](countersign::authorize::Authorizer::accepts) of an authorizer with this catalog; and
    /// when the requirement, or a part of it, names nothing.
    pub(crate) fn new(catalog: &Catalog, requirement: &Requirement) -> Result<Self, ConfigError> {
        let of_all = |parts: &[Requirement]| match parts {
            [] => Err(ConfigError::new("require", "a combination of no requirements")),
            parts => parts.iter().map(|part| Self::new(catalog, part)).collect::<Result<Vec<_>, _>>(),
        };
        Ok(match requirement {
            Requirement::AnyRole(names) => Self::AnyRole(mask("role", names, |name| catalog.role_id(name))?),
            Requirement::AllPermissions(names) => {
                Self::AllPermissions(mask("permission", names, |name| catalog.permission_id(name))?)
            }
            Requirement::AnyPermission(names) => {
                Self::AnyPermission(mask("permission", names, |name| catalog.permission_id(name))?)
            }
            Requirement::Scopes(names) if names.is_empty() || names.iter().any(String::is_empty) => {
                return Err(ConfigError::new("require", "the list of scopes is empty, or one of their names is"));
            }
            Requirement::Authenticated | Requirement::Scopes(_) => Self::InToken(requirement.clone()),
            Requirement::AllOf(parts) => Self::AllOf(of_all(parts)?),
            Requirement::AnyOf(parts) => Self::AnyOf(of_all(parts)?),
            leaf => {
                let leaf = leaf.to_string();
                return Err(ConfigError::new("require", format!("a catalog cannot judge `{}`", leaf.escape_debug())));
            }
        })
    }

    #[inline]
    pub(crate) fn decide(&self, leaf: &impl Fn(&Self) -> Decision) -> Decision {
        match self {
            Self::AllOf(_) | Self::AnyOf(_) => self.combine(leaf),
            part => leaf(part),
        }
    }

    /// Apart from [`decide`](Self::decide), so that a leaf, which most requirements are, pays for no recursion.
    #[inline(never)]
    fn combine(&self, leaf: &impl Fn(&Self) -> Decision) -> Decision {
        match self {
            Self::AllOf(parts) => Decision::all_of(parts.iter().map(|part| part.decide(leaf))),
            Self::AnyOf(parts) => Decision::any_of(parts.iter().map(|part| part.decide(leaf))),
            part => leaf(part),
        }
    }
}

/// The names as a mask.
pub(crate) fn mask<I: crate::ids::Id>(
    kind: &str,
    names: &[String],
    find: impl Fn(&str) -> Option<I>,
) -> Result<Mask<I>, ConfigError> {
    if names.is_empty() {
        return Err(ConfigError::new("require", format!("the list of {kind}s is empty")));
    }
    let unknown =
        |name: &str| ConfigError::new("require", format!("the {kind} `{}` is not in the catalog", name.escape_debug()));
    let ids = names.iter().map(|name| find(name).ok_or_else(|| unknown(name)));
    ids.collect::<Result<Vec<_>, _>>().map(Mask::new)
}
