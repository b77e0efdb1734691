//! A catalog that can be replaced while it is in use.

use crate::catalog::Catalog;
use arc_swap::{ArcSwap, Guard};
use std::fmt;
use std::sync::Arc;

/// A [`Catalog`] that can be replaced while requests are judged by it. Clones share it: one goes to
/// [`RbacAuthorizer::new`](crate::RbacAuthorizer::new), the other to whatever learns of a new policy.
///
/// A decision is taken by one catalog from beginning to end. A requirement that was declared while the catalog
/// knew a name, and is judged when a newer one has lost it, denies with the code `unknown_name`.
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
pub struct LiveCatalog(Arc<ArcSwap<Catalog>>);

impl LiveCatalog {
    /// Begins with this catalog.
    #[must_use]
    pub fn new(catalog: impl Into<Arc<Catalog>>) -> Self {
        Self(Arc::new(ArcSwap::new(catalog.into())))
    }

    /// The catalog by which requests are judged now.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        self.0.load_full()
    }

    /// Judges by `newer` from now on, and gives the catalog that it replaces.
    pub fn replace(&self, newer: impl Into<Arc<Catalog>>) -> Arc<Catalog> {
        self.0.swap(newer.into())
    }

    pub(crate) fn load(&self) -> Guard<Arc<Catalog>> {
        self.0.load()
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
