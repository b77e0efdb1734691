//! May they? Requirements, decisions, and the seam [`Authorizer`].

use crate::config::ConfigError;
use crate::request::RequestView;
use crate::token::VerifiedToken;
use async_trait::async_trait;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a route asks of a verified token, by name. An [`Authorizer`] knows what the names mean.
///
/// ```
/// use countersign::authorize::{any_permission, permissions, role};
///
/// let editors = role("admin").or(permissions(["posts:read", "posts:write"]).and(any_permission(["eu", "us"])));
/// # let _ = editors;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// A valid token, and no more.
    Authenticated,
    /// One of these roles.
    AnyRole(Vec<String>),
    /// Each of these permissions.
    AllPermissions(Vec<String>),
    /// One of these permissions.
    AnyPermission(Vec<String>),
    /// Each of these scopes: what the client may do, whoever the user is.
    Scopes(Vec<String>),
    /// Each of these requirements.
    AllOf(Vec<Requirement>),
    /// One of these requirements.
    AnyOf(Vec<Requirement>),
}

fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

/// A valid token, and no more.
#[must_use]
pub fn authenticated() -> Requirement {
    Requirement::Authenticated
}

/// This role.
#[must_use]
pub fn role(name: impl Into<String>) -> Requirement {
    Requirement::AnyRole(vec![name.into()])
}

/// One of these roles.
#[must_use]
pub fn any_role<N: Into<String>>(roles: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::AnyRole(names(roles))
}

/// Each of these permissions.
#[must_use]
pub fn permissions<N: Into<String>>(permissions: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::AllPermissions(names(permissions))
}

/// One of these permissions.
#[must_use]
pub fn any_permission<N: Into<String>>(permissions: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::AnyPermission(names(permissions))
}

/// Each of these scopes.
#[must_use]
pub fn scopes<N: Into<String>>(scopes: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::Scopes(names(scopes))
}

impl Requirement {
    /// This and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::AllOf(vec![self, other])
    }

    /// This or `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::AnyOf(vec![self, other])
    }

    /// The requirement's leaves, each judged by `leaf`, combined in three-valued logic: in a conjunction a denial
    /// outweighs an indeterminate answer, in an alternative a permission does. What cannot change the outcome is not
    /// asked; of several reasons the first one stands.
    ///
    /// An authorizer judges the leaves that it knows and denies the others.
    pub fn decide(&self, leaf: &mut dyn FnMut(&Self) -> Decision) -> Decision {
        match self {
            Self::AllOf(parts) if !parts.is_empty() => {
                let mut all = Decision::Allow;
                for part in parts {
                    match (part.decide(leaf), all) {
                        (denied @ Decision::Deny(_), _) => return denied,
                        (open @ Decision::Indeterminate(_), Decision::Allow) => all = open,
                        _ => {}
                    }
                }
                all
            }
            Self::AnyOf(parts) => {
                let mut any = Decision::Deny(Why::new("requirement", "empty"));
                for (at, part) in parts.iter().enumerate() {
                    match (part.decide(leaf), any) {
                        (Decision::Allow, _) => return Decision::Allow,
                        (open @ Decision::Indeterminate(_), Decision::Deny(_)) => any = open,
                        (denied @ Decision::Deny(_), _) if at == 0 => any = denied,
                        _ => {}
                    }
                }
                any
            }
            Self::AllOf(_) => Decision::Deny(Why::new("requirement", "empty")),
            part => leaf(part),
        }
    }

    /// Each leaf of the requirement.
    ///
    /// # Errors
    /// The first error of `visit`.
    pub fn each_leaf<E>(&self, visit: &mut dyn FnMut(&Self) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::AllOf(parts) | Self::AnyOf(parts) => parts.iter().try_for_each(|part| part.each_leaf(visit)),
            leaf => visit(leaf),
        }
    }

    /// Refuses a requirement that names nothing: "all of none" would let everybody pass.
    pub(crate) fn check_names(&self) -> Result<(), ConfigError> {
        let check = |kind: &str, names: &[String]| {
            if names.is_empty() {
                return Err(ConfigError::new("require", format!("the list of {kind} is empty")));
            }
            if names.iter().any(String::is_empty) {
                return Err(ConfigError::new("require", format!("an empty name stands among the {kind}")));
            }
            Ok(())
        };
        match self {
            Self::Authenticated => Ok(()),
            Self::AnyRole(roles) => check("roles", roles),
            Self::AllPermissions(permissions) | Self::AnyPermission(permissions) => check("permissions", permissions),
            Self::Scopes(scopes) => check("scopes", scopes),
            Self::AllOf(parts) | Self::AnyOf(parts) if parts.is_empty() => {
                Err(ConfigError::new("require", "a combination of no requirements"))
            }
            Self::AllOf(parts) | Self::AnyOf(parts) => parts.iter().try_for_each(Self::check_names),
        }
    }

    /// The scopes that a client must hold, in order, where the requirement is a plain list of them.
    pub(crate) fn required_scopes(&self) -> &[String] {
        match self {
            Self::Scopes(scopes) => scopes,
            _ => &[],
        }
    }
}

/// The policy and the reason code behind a decision: constants, fit for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Why {
    /// The policy that decided.
    pub policy: &'static str,
    /// Its reason.
    pub code: &'static str,
}

impl Why {
    /// A policy and its reason.
    #[must_use]
    pub const fn new(policy: &'static str, code: &'static str) -> Self {
        Self { policy, code }
    }
}

/// The answer to "may they?". Exhaustive on purpose: a caller that forgets a case must not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// They may.
    Allow,
    /// They may not: 403.
    Deny(Why),
    /// Nobody can tell: 503. It never allows.
    Indeterminate(Why),
}

/// The question that an [`Authorizer`] answers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessRequest<'a> {
    /// Who asks.
    pub token: &'a VerifiedToken,
    /// What the route asks of them.
    pub requirement: &'a Requirement,
    /// The request itself, where the question comes from one.
    pub request: Option<&'a RequestView<'a>>,
}

impl<'a> AccessRequest<'a> {
    /// Whether `token` meets `requirement`.
    #[must_use]
    pub fn new(token: &'a VerifiedToken, requirement: &'a Requirement) -> Self {
        Self { token, requirement, request: None }
    }

    /// With the request that raised the question.
    #[must_use]
    pub fn with_request(mut self, request: &'a RequestView<'a>) -> Self {
        self.request = Some(request);
        self
    }
}

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
///             ScopeAuthorizer::decide_leaf(leaf, request.token).unwrap_or(match request.token.subject() {
///                 Some("root") => Decision::Allow,
///                 _ => Decision::Deny(Why::new("root", "not_root")),
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

    /// The decision, taken from memory without waiting; `None` where [`decide`](Self::decide) must be asked.
    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        let _ = request;
        None
    }

    /// The decision.
    async fn decide(&self, request: &AccessRequest<'_>) -> Decision;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Authorizer + ?Sized> Authorizer for $pointer<T> {
            fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
                (**self).accepts(requirement)
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
        }
    )*};
}
forward!(Arc, Box);

/// Judges scopes, which stand in the token itself, and nothing else: what a guard has when it is given no other.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeAuthorizer;

impl ScopeAuthorizer {
    /// The decision on a leaf that needs no catalog; `None` for roles and permissions.
    #[must_use]
    pub fn decide_leaf(leaf: &Requirement, token: &VerifiedToken) -> Option<Decision> {
        match leaf {
            Requirement::Authenticated => Some(Decision::Allow),
            Requirement::Scopes(scopes) if !scopes.is_empty() && scopes.iter().all(|scope| token.has_scope(scope)) => {
                Some(Decision::Allow)
            }
            Requirement::Scopes(_) => Some(Decision::Deny(Why::new("scopes", "missing_scope"))),
            _ => None,
        }
    }

    fn judge(request: &AccessRequest<'_>) -> Decision {
        request.requirement.decide(&mut |leaf| {
            Self::decide_leaf(leaf, request.token).unwrap_or(Decision::Deny(Why::new("scopes", "not_a_scope")))
        })
    }
}

#[async_trait]
impl Authorizer for ScopeAuthorizer {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        requirement.each_leaf(&mut |leaf| match leaf {
            Requirement::Authenticated | Requirement::Scopes(_) => Ok(()),
            Requirement::AnyRole(names) | Requirement::AllPermissions(names) | Requirement::AnyPermission(names) => {
                let names = names.join("`, `");
                Err(ConfigError::new("authorizer", format!("is not set: nothing can judge `{names}`")))
            }
            _ => Err(ConfigError::new("authorizer", "is not set: nothing can judge this requirement")),
        })
    }

    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        Some(Self::judge(request))
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        Self::judge(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NO: Decision = Decision::Deny(Why::new("test", "no"));
    const PERHAPS: Decision = Decision::Indeterminate(Why::new("test", "perhaps"));

    fn leaf(leaf: &Requirement) -> Decision {
        match leaf {
            Requirement::AnyRole(names) if names == &["yes"] => Decision::Allow,
            Requirement::AnyRole(names) if names == &["perhaps"] => PERHAPS,
            _ => NO,
        }
    }

    #[test]
    fn combinations_follow_kleenes_table() {
        use Decision::Allow;
        let table = [
            ("yes", "yes", Allow, Allow),
            ("yes", "perhaps", PERHAPS, Allow),
            ("yes", "no", NO, Allow),
            ("perhaps", "perhaps", PERHAPS, PERHAPS),
            ("perhaps", "no", NO, PERHAPS),
            ("no", "no", NO, NO),
        ];
        for (a, b, all, any) in table {
            for (a, b) in [(a, b), (b, a)] {
                assert_eq!(role(a).and(role(b)).decide(&mut leaf), all, "{a} and {b}");
                assert_eq!(role(a).or(role(b)).decide(&mut leaf), any, "{a} or {b}");
            }
        }
    }

    #[test]
    fn nothing_required_is_no_requirement() {
        let none: [&str; 0] = [];
        for empty in [
            any_role(none),
            permissions(none),
            any_permission(none),
            scopes(none),
            role(""),
            Requirement::AllOf(vec![]),
            Requirement::AnyOf(vec![]),
            authenticated().and(permissions(none)),
        ] {
            assert_eq!(empty.check_names().unwrap_err().setting(), "require", "{empty:?}");
            if !matches!(empty, Requirement::AnyRole(_)) {
                let token = VerifiedToken::vouched(&json!({"scope": "a"})).expect("claims");
                assert_ne!(ScopeAuthorizer::judge(&AccessRequest::new(&token, &empty)), Decision::Allow);
            }
        }
    }

    #[test]
    fn scopes_need_no_authorizer_and_roles_do() {
        let token = VerifiedToken::vouched(&json!({"scope": "a b"})).expect("claims");
        let judge = |requirement: &Requirement| ScopeAuthorizer::judge(&AccessRequest::new(&token, requirement));
        assert_eq!(judge(&scopes(["a", "b"])), Decision::Allow);
        assert_ne!(judge(&scopes(["a", "c"])), Decision::Allow);
        assert_eq!(judge(&authenticated()), Decision::Allow);
        assert_ne!(judge(&role("admin")), Decision::Allow);
        assert!(ScopeAuthorizer.accepts(&scopes(["a"]).and(authenticated())).is_ok());
        let error = ScopeAuthorizer.accepts(&scopes(["a"]).or(role("admin"))).unwrap_err();
        assert_eq!(error.to_string(), "`authorizer`: is not set: nothing can judge `admin`");
    }
}
