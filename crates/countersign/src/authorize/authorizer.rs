use super::AccessRequest;
use crate::config::ConfigError;
use crate::decision::{Decision, Requirement, Trace};
use async_trait::async_trait;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Decides whether a verified token meets a requirement.
///
/// ```
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, ScopeAuthorizer, Why};
/// use countersign::{ConfigError, async_trait};
///
/// /// `admin` is whoever the issuer calls `root`; there are no other roles.
/// #[derive(Debug)]
/// struct Root;
///
/// #[async_trait]
/// impl Authorizer for Root {
///     fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
///         requirement.each_leaf(&mut |leaf| match leaf {
///             Requirement::AnyRole(roles) if roles.iter().all(|role| role == "admin") => Ok(()),
///             Requirement::Authenticated | Requirement::Scopes(_) => Ok(()),
///             _ => Err(ConfigError::new("require", "a name that is not `admin`")),
///         })
///     }
///
///     async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
///         request.requirement.decide(&mut |leaf| {
///             ScopeAuthorizer::decide_leaf(leaf, request.token).unwrap_or_else(|| {
///                 match (self.accepts(leaf), request.token.subject()) {
///                     (Err(_), _) => request.unjudged(Why::new("root", "unknown_name")),
///                     (Ok(()), Some("root")) => Decision::Allow,
///                     (Ok(()), _) => Decision::Deny(Why::new("root", "not_root")),
///                 }
///             })
///         })
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` decides nothing",
    note = "use `RbacAuthorizer` of `countersign-rbac`, or implement `Authorizer`"
)]
pub trait Authorizer: Debug + Send + Sync + 'static {
    /// Whether this authorizer can judge the requirement. Asked when a route is declared.
    ///
    /// # Errors
    /// [`ConfigError`] that names what cannot be judged: an unknown permission, say.
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError>;

    /// Whether a part of a requirement is this authorizer's to judge, among several in a list; the first that says so judges
    /// it. What it has once accepted stays its own: one whose names can change says yes to those that it has lost, and
    /// denies them, or they would fall to the next one, which may allow.
    ///
    /// Unless implemented, what it [accepts](Self::accepts) now.
    fn judges(&self, leaf: &Requirement) -> bool {
        self.accepts(leaf).is_ok()
    }

    /// The decision, taken from memory without waiting; `None` where [`decide`](Self::decide) must be asked.
    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        let _ = request;
        None
    }

    /// The decision.
    async fn decide(&self, request: &AccessRequest<'_>) -> Decision;

    /// How the decision comes about, as far as memory goes: asked after a refusal, for the log. What must be waited for is
    /// not asked again.
    fn trace(&self, request: &AccessRequest<'_>) -> Trace {
        Trace::of_requirement(request.requirement, &mut |leaf| {
            Trace::decided(leaf.to_string(), self.decide_now(&request.about(leaf)))
        })
    }

    /// The version of the policies or of the catalog, told with each decision. One that can be swapped says which is in
    /// use now, and that may be another one already than a decision was made with.
    fn version(&self) -> Option<Arc<str>> {
        None
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Authorizer + ?Sized> Authorizer for $pointer<T> {
            fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
                (**self).accepts(requirement)
            }

            fn judges(&self, leaf: &Requirement) -> bool {
                (**self).judges(leaf)
            }

            fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
                (**self).decide_now(request)
            }

            fn decide<'s, 'q, 'r, 'f>(
                &'s self,
                request: &'q AccessRequest<'r>,
            ) -> Pin<Box<dyn Future<Output = Decision> + Send + 'f>>
            where
                's: 'f,
                'q: 'f,
                'r: 'f,
                Self: 'f,
            {
                (**self).decide(request)
            }

            fn trace(&self, request: &AccessRequest<'_>) -> Trace {
                (**self).trace(request)
            }

            fn version(&self) -> Option<Arc<str>> {
                (**self).version()
            }
        }
    )*};
}
forward!(Arc, Box);
