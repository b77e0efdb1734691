use super::Decision;
use crate::config::ConfigError;
use serde::Serialize;
use std::fmt;

/// What a route asks of a verified token, by name. An
/// [`Authorizer`](crate::authorize::Authorizer) knows what the names mean.
///
/// ```
/// use countersign::authorize::{any_permission, permissions, role};
///
/// let editors = role("admin").or(permissions(["posts:read", "posts:write"]).and(any_permission(["eu", "us"])));
/// # let _ = editors;
/// ```
///
/// It serializes as its parts: `{"any_of": [{"any_role": ["admin"]}, {"permissions": ["posts:read"]}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Requirement {
    /// A valid token, and no more.
    Authenticated,
    /// One of these roles.
    AnyRole(Vec<String>),
    /// Each of these permissions.
    #[serde(rename = "permissions")]
    AllPermissions(Vec<String>),
    /// One of these permissions.
    AnyPermission(Vec<String>),
    /// Each of these scopes: what the client may do, whoever the user is.
    Scopes(Vec<String>),
    /// That policies allow this action, on the resource in question where there is one.
    Action(String),
    /// Each of these requirements.
    AllOf(Vec<Requirement>),
    /// One of these requirements.
    AnyOf(Vec<Requirement>),
}

fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

/// A valid token, and no more.
///
/// ```
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, ScopeAuthorizer, authenticated};
/// # use countersign::VerifiedToken;
///
/// # let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7"}))?;
/// let requirement = authenticated();
/// let question = AccessRequest::new(&token, &requirement);
/// assert_eq!(ScopeAuthorizer.decide_now(&question), Some(Decision::Allow));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[must_use]
pub fn authenticated() -> Requirement {
    Requirement::Authenticated
}

/// This role.
///
/// A [`ScopeAuthorizer`](crate::authorize::ScopeAuthorizer), which a guard has unless told otherwise, knows no roles, and says so
/// when the route is set up.
///
/// ```
/// use countersign::authorize::role;
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
///
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a").build()?;
/// let guard = Guard::builder(verifier).build()?;
/// assert!(guard.check(role("admin")).is_err());
/// assert_eq!(role("admin").to_string(), "role(admin)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn role(name: impl Into<String>) -> Requirement {
    Requirement::AnyRole(vec![name.into()])
}

/// One of these roles.
///
/// ```
/// use countersign::authorize::{any_role, role};
///
/// // Whoever has one of the two passes; with `and`, both must be there.
/// let staff = any_role(["editor", "admin"]);
/// assert_eq!(staff.to_string(), "any_role(editor, admin)");
/// assert_ne!(staff, role("editor").and(role("admin")));
/// ```
#[must_use]
pub fn any_role<N: Into<String>>(roles: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::AnyRole(names(roles))
}

/// Each of these permissions.
///
/// ```
/// use countersign::authorize::permissions;
///
/// let publish = permissions(["posts:write", "posts:publish"]);
/// assert_eq!(publish.to_string(), "permissions(posts:write, posts:publish)");
/// ```
#[must_use]
pub fn permissions<N: Into<String>>(permissions: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::AllPermissions(names(permissions))
}

/// One of these permissions.
///
/// ```
/// use countersign::authorize::{any_permission, permissions};
///
/// // To see a draft it takes one of the two; to change it, both.
/// let see = any_permission(["posts:write", "posts:review"]);
/// let change = permissions(["posts:write", "posts:review"]);
/// assert_ne!(see, change);
/// ```
#[must_use]
pub fn any_permission<N: Into<String>>(permissions: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::AnyPermission(names(permissions))
}

/// Each of these scopes.
///
/// ```
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, ScopeAuthorizer, scopes};
/// use countersign::VerifiedToken;
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "scope": "posts:read"}))?;
/// let ask = |requirement| ScopeAuthorizer.decide_now(&AccessRequest::new(&token, &requirement));
/// assert_eq!(ask(scopes(["posts:read"])), Some(Decision::Allow));
/// assert!(matches!(ask(scopes(["posts:read", "posts:write"])), Some(Decision::Deny(_))));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[must_use]
pub fn scopes<N: Into<String>>(scopes: impl IntoIterator<Item = N>) -> Requirement {
    Requirement::Scopes(names(scopes))
}

/// That [policies](crate::authorize::policy) allow this action, on the resource in question where there is one.
///
/// Where policies look at the resource, let the handler [ask](crate::screening::Check::decide) when it has loaded it: a
/// route has none to show, and then they cannot tell.
///
/// ```
/// use countersign::authorize::policy::{deny_overrides, policy_fn};
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, action};
/// use countersign::VerifiedToken;
///
/// let staff = policy_fn("staff", |request| Some(request.token.issuer() == Some("https://staff.example/")));
/// let policies = deny_overrides("reports", ["reports:read"]).allow_if(staff).build()?;
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"iss": "https://staff.example/"}))?;
/// let read = action("reports:read");
/// assert_eq!(policies.decide_now(&AccessRequest::new(&token, &read)), Some(Decision::Allow));
/// assert!(policies.accepts(&action("reports:raed")).is_err(), "a slip is found at the start");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn action(name: impl Into<String>) -> Requirement {
    Requirement::Action(name.into())
}

impl Requirement {
    /// This and `other`.
    ///
    /// ```
    /// use countersign::authorize::{role, scopes};
    ///
    /// // What the user is, and what the user lets this client do.
    /// let requirement = role("editor").and(scopes(["posts:write"]));
    /// assert_eq!(requirement.to_string(), "all_of(role(editor), scopes(posts:write))");
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::AllOf(vec![self, other])
    }

    /// This or `other`.
    ///
    /// ```
    /// use countersign::authorize::{permissions, role};
    ///
    /// let requirement = role("admin").or(permissions(["posts:write"]));
    /// assert_eq!(requirement.to_string(), "any_of(role(admin), permissions(posts:write))");
    /// ```
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::AnyOf(vec![self, other])
    }

    /// The requirement's leaves, each judged by `leaf`, combined in three-valued logic: in a conjunction a denial
    /// outweighs an indeterminate answer, in an alternative a permission does. What cannot change the outcome is not
    /// asked; of several reasons the first one stands.
    ///
    /// An authorizer judges the leaves that it knows and denies the others.
    ///
    /// ```
    /// use countersign::authorize::{Decision, Requirement, Why, authenticated, role, scopes};
    ///
    /// let requirement = role("admin").or(authenticated().and(scopes(["posts:read"])));
    /// let decision = requirement.decide(&mut |leaf| match leaf {
    ///     Requirement::Authenticated | Requirement::Scopes(_) => Decision::Allow,
    ///     _ => Decision::Deny(Why::new("example", "not_judged")),
    /// });
    /// assert_eq!(decision, Decision::Allow);
    /// ```
    pub fn decide<'s>(&'s self, leaf: &mut dyn FnMut(&'s Self) -> Decision) -> Decision {
        match self {
            Self::AllOf(parts) => Decision::all_of(parts.iter().map(|part| part.decide(leaf))),
            Self::AnyOf(parts) => Decision::any_of(parts.iter().map(|part| part.decide(leaf))),
            part => leaf(part),
        }
    }

    /// Whether it has parts, or is a leaf.
    pub(crate) fn is_combination(&self) -> bool {
        matches!(self, Self::AllOf(_) | Self::AnyOf(_))
    }

    /// Each leaf of the requirement.
    ///
    /// # Errors
    /// The first error of `visit`.
    ///
    /// ```
    /// use countersign::authorize::{Requirement, role, scopes};
    ///
    /// /// Whether it takes a look into the database.
    /// fn asks_for_roles(requirement: &Requirement) -> bool {
    ///     let stop_at_roles = &mut |leaf: &Requirement| match leaf {
    ///         Requirement::AnyRole(_) => Err(()),
    ///         _ => Ok(()),
    ///     };
    ///     requirement.each_leaf(stop_at_roles).is_err()
    /// }
    /// assert!(asks_for_roles(&scopes(["a"]).and(role("admin"))));
    /// assert!(!asks_for_roles(&scopes(["a"])));
    /// ```
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
            Self::Action(action) => check("actions", std::slice::from_ref(action)),
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

/// In the words in which it is built: `any_of(role(admin), action(posts:read))`.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, word: &str, items: &[T]) -> fmt::Result {
            write!(f, "{word}(")?;
            for (nth, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if nth == 0 { "" } else { ", " })?;
            }
            f.write_str(")")
        }
        match self {
            Self::Authenticated => f.write_str("authenticated"),
            Self::AnyRole(roles) if roles.len() == 1 => list(f, "role", roles),
            Self::AnyRole(roles) => list(f, "any_role", roles),
            Self::AllPermissions(permissions) => list(f, "permissions", permissions),
            Self::AnyPermission(permissions) => list(f, "any_permission", permissions),
            Self::Scopes(scopes) => list(f, "scopes", scopes),
            Self::Action(action) => list(f, "action", std::slice::from_ref(action)),
            Self::AllOf(parts) => list(f, "all_of", parts),
            Self::AnyOf(parts) => list(f, "any_of", parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_shown_in_the_words_in_which_it_is_built() {
        for (requirement, expected) in [
            (authenticated(), "authenticated"),
            (role("a"), "role(a)"),
            (any_role(["a"]), "role(a)"),
            (any_role(["a", "b"]), "any_role(a, b)"),
            (permissions(["a", "b"]), "permissions(a, b)"),
            (any_permission(["a"]), "any_permission(a)"),
            (scopes(["a", "b"]), "scopes(a, b)"),
            (action("a:b"), "action(a:b)"),
            (role("a").and(scopes(["b"])), "all_of(role(a), scopes(b))"),
            (role("a").or(authenticated()), "any_of(role(a), authenticated)"),
        ] {
            assert_eq!(requirement.to_string(), expected);
        }
    }
}
