//! A catalog that can be replaced while it is in use.

use crate::catalog::Catalog;
use arc_swap::{ArcSwap, Guard};
use countersign::authorize::Requirement;
use std::collections::HashSet;
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
    /// Names that a catalog has lost to a newer one.
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
    pub fn replace(&self, newer: impl Into<Arc<Catalog>>) -> Arc<Catalog> {
        let newer = newer.into();
        // Held until the newer one is there, so that a name is always known or lost.
        let mut lost = self.lost();
        let older = self.0.current.load_full();
        lost.roles.extend(older.roles().filter(|name| newer.role_id(name).is_none()).map(Box::from));
        lost.permissions.extend(older.permissions().filter(|name| newer.permission_id(name).is_none()).map(Box::from));
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
