//! A catalog that can be replaced while it is in use.

use crate::catalog::Catalog;
use arc_swap::{ArcSwap, Guard};
use countersign::authorize::Requirement;
use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A [`Catalog`] that can be replaced while requests are judged by it. Clones share it: one goes to
/// [`RbacAuthorizer::new`](crate::RbacAuthorizer::new), the other to whatever learns of a new policy.
///
/// An authorizer decides by one catalog from beginning to end; in a list of several, and in conditions of policies, each
/// part is a decision of its own. A requirement that was declared while the catalog knew a name, and is judged when a newer
/// one has lost it, denies with the code `unknown_name`: the names that there were are remembered, so that no other
/// authorizer in a list judges them instead.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, Why, permissions};
/// use countersign_rbac::{Catalog, LiveCatalog, RbacAuthorizer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let live = LiveCatalog::new(Catalog::builder().version("1").role("editor", ["posts:write"]).build()?);
/// let rbac = RbacAuthorizer::new(live.clone());
/// let write = permissions(["posts:write"]);
/// assert!(rbac.accepts(&write).is_ok());
///
/// let editor = VerifiedToken::vouched(&serde_json::json!({"roles": ["editor"]}))?;
/// let decide = || rbac.decide_now(&AccessRequest::new(&editor, &write));
/// assert_eq!(decide(), Some(Decision::Allow));
///
/// let old = live.replace(Catalog::builder().version("2").role("editor", ["posts:read"]).build()?);
/// assert_eq!((old.version(), live.current().version()), ("1", "2"));
/// assert_eq!(decide(), Some(Decision::Deny(Why::new("rbac", "unknown_name"))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LiveCatalog(Arc<Shared>);

struct Shared {
    current: ArcSwap<Catalog>,
    /// Names that earlier catalogs knew, and the current one does not.
    lost: Mutex<Lost>,
}

#[derive(Default)]
struct Lost {
    roles: HashSet<Box<str>>,
    permissions: HashSet<Box<str>>,
}

impl LiveCatalog {
    /// Begins with this catalog.
    #[must_use]
    pub fn new(catalog: impl Into<Arc<Catalog>>) -> Self {
        Self(Arc::new(Shared { current: ArcSwap::new(catalog.into()), lost: Mutex::default() }))
    }

    /// The catalog by which requests are judged now.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        self.0.current.load_full()
    }

    /// Judges by `newer` from now on, and gives the catalog that it replaces.
    ///
    /// Names that `newer` lacks are denied from now on, also where routes require them: for those who mean it.
    /// [`try_replace`](Self::try_replace) is for those who do not know.
    pub fn replace(&self, newer: impl Into<Arc<Catalog>>) -> Arc<Catalog> {
        self.swap(newer.into(), &mut self.lost())
    }

    /// Judges by `newer` from now on, and gives the catalog that it replaces, if `newer` knows each name that the one in
    /// use knows.
    ///
    /// A service that reads its policy again may find a slip in it, or half of it; else every route that requires what is
    /// gone would deny. What routes require a catalog does not know: a name that nobody requires counts too.
    ///
    /// # Errors
    /// [`LostNames`]. Then nothing changes; whoever means it calls [`replace`](Self::replace).
    ///
    /// ```
    /// use countersign_rbac::{Catalog, LiveCatalog};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = LiveCatalog::new(Catalog::builder().role("editor", ["posts:read", "posts:write"]).build()?);
    /// live.try_replace(Catalog::builder().role("editor", ["posts:read", "posts:write", "posts:pin"]).build()?)?;
    ///
    /// let slip = Catalog::builder().role("editor", ["posts:raed", "posts:write", "posts:pin"]).build()?;
    /// let lost = live.try_replace(slip).unwrap_err();
    /// assert_eq!(lost.to_string(), "the newer catalog lacks the permission `posts:read`");
    /// assert!(live.current().grants("editor", "posts:read"), "as before");
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_replace(&self, newer: impl Into<Arc<Catalog>>) -> Result<Arc<Catalog>, LostNames> {
        let newer = newer.into();
        let mut lost = self.lost();
        let names = LostNames::between(&self.load(), &newer);
        if names.is_empty() { Ok(self.swap(newer, &mut lost)) } else { Err(names) }
    }

    /// `lost` is held until the newer one is there, so that a name is always known or lost.
    fn swap(&self, newer: Arc<Catalog>, lost: &mut Lost) -> Arc<Catalog> {
        let names = LostNames::between(&self.load(), &newer);
        lost.roles.extend(names.roles.into_iter().map(String::into_boxed_str));
        lost.permissions.extend(names.permissions.into_iter().map(String::into_boxed_str));
        lost.roles.retain(|name| newer.role_id(name).is_none());
        lost.permissions.retain(|name| newer.permission_id(name).is_none());
        self.0.current.swap(newer)
    }

    pub(crate) fn load(&self) -> Guard<Arc<Catalog>> {
        self.0.current.load()
    }

    /// Whether each name in this leaf is known, or was known to an earlier catalog.
    pub(crate) fn ever_knew(&self, leaf: &Requirement) -> bool {
        let lost = self.lost();
        let catalog = self.load();
        let role = |name: &String| catalog.role_id(name).is_some() || lost.roles.contains(name.as_str());
        let permission =
            |name: &String| catalog.permission_id(name).is_some() || lost.permissions.contains(name.as_str());
        match leaf {
            Requirement::AnyRole(names) => names.iter().all(role),
            Requirement::AllPermissions(names) | Requirement::AnyPermission(names) => names.iter().all(permission),
            _ => false,
        }
    }

    fn lost(&self) -> MutexGuard<'_, Lost> {
        self.0.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names that a catalog has and a newer one lacks: why [`LiveCatalog::try_replace`] replaces nothing.
///
/// ```
/// use countersign_rbac::{Catalog, LiveCatalog};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let live = LiveCatalog::new(Catalog::builder().role("editor", ["posts:read"]).role("guest", ["posts:read"]).build()?);
/// let newer = std::sync::Arc::new(Catalog::builder().role("editor", ["posts:read"]).build()?);
/// if let Err(lost) = live.try_replace(newer.clone()) {
///     let is_meant = lost.roles().all(|role| role == "guest") && lost.permissions().next().is_none();
///     assert!(is_meant, "{lost}");
///     live.replace(newer);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostNames {
    roles: Vec<String>,
    permissions: Vec<String>,
}

impl LostNames {
    fn between(older: &Catalog, newer: &Catalog) -> Self {
        let owned = |name: &str| name.to_owned();
        Self {
            roles: older.roles().filter(|name| newer.role_id(name).is_none()).map(owned).collect(),
            permissions: older.permissions().filter(|name| newer.permission_id(name).is_none()).map(owned).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.permissions.is_empty()
    }

    /// The roles, in the order of the older catalog.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }

    /// The permissions, in the order of the older catalog.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter().map(String::as_str)
    }
}

impl fmt::Display for LostNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the newer catalog lacks")?;
        let kinds = [("role", &self.roles), ("permission", &self.permissions)];
        for (nth, (kind, names)) in kinds.into_iter().filter(|(_, names)| !names.is_empty()).enumerate() {
            let (and, s) = (if nth == 0 { "" } else { ", and" }, if names.len() == 1 { "" } else { "s" });
            write!(f, "{and} the {kind}{s}")?;
            for (nth, name) in names.iter().enumerate() {
                write!(f, "{} `{}`", if nth == 0 { "" } else { "," }, name.escape_debug())?;
            }
        }
        Ok(())
    }
}

impl Error for LostNames {}

impl From<Catalog> for LiveCatalog {
    fn from(catalog: Catalog) -> Self {
        Self::new(catalog)
    }
}

impl From<Arc<Catalog>> for LiveCatalog {
    fn from(catalog: Arc<Catalog>) -> Self {
        Self::new(catalog)
    }
}

impl fmt::Debug for LiveCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveCatalog").field(&**self.load()).finish()
    }
}

#[cfg(test)]
mod tests;
