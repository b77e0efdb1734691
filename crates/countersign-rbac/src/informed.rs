//! An authorizer that is told who asks.

use crate::authorizer::RbacAuthorizer;
use crate::subject::Subject;
use countersign::authorize::{AccessRequest, Attribute, Attributes, Authorizer, Decision, Requirement, Trace};
use countersign::{ConfigError, VerifiedToken, async_trait};
use std::sync::{Arc, OnceLock};

/// An authorizer that sees roles and permissions: made by [`RbacAuthorizer::informing`].
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::policy::{deny_overrides, policy_fn};
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, action};
/// use countersign_rbac::RbacAuthorizer;
///
/// let rbac = RbacAuthorizer::builder().role("editor", ["posts:write"]).build()?;
/// let posts = deny_overrides("posts", ["posts:publish"])
///     .allow_if(policy_fn("writers", |request| request.subject("permissions")?.contains("posts:write")))
///     .build()?;
/// let informed = rbac.informing(posts); // for `GuardBuilder::authorizer`, beside `rbac`
///
/// let editor = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "roles": ["editor"]}))?;
/// let decision = informed.decide_now(&AccessRequest::new(&editor, &action("posts:publish")));
/// assert_eq!(decision, Some(Decision::Allow));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Informed<A> {
    rbac: RbacAuthorizer,
    authorizer: A,
}

impl<A> Informed<A> {
    pub(crate) fn new(rbac: RbacAuthorizer, authorizer: A) -> Self {
        Self { rbac, authorizer }
    }

    fn facts<'a>(&'a self, request: &AccessRequest<'a>) -> Facts<'a> {
        let (token, others) = (request.token, request.subject_attributes());
        Facts { rbac: &self.rbac, token, others, found: OnceLock::new() }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<A: Authorizer> Authorizer for Informed<A> {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        self.authorizer.accepts(requirement)
    }

    fn judges(&self, leaf: &Requirement) -> bool {
        self.authorizer.judges(leaf)
    }

    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        self.authorizer.decide_now(&request.with_subject(&self.facts(request)))
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        self.authorizer.decide(&request.with_subject(&self.facts(request))).await
    }

    fn trace(&self, request: &AccessRequest<'_>) -> Trace {
        self.authorizer.trace(&request.with_subject(&self.facts(request)))
    }

    fn version(&self) -> Option<Arc<str>> {
        self.authorizer.version().or_else(|| self.rbac.version())
    }
}

/// What a token amounts to, found when somebody looks.
struct Facts<'a> {
    rbac: &'a RbacAuthorizer,
    token: &'a VerifiedToken,
    others: Option<&'a dyn Attributes>,
    found: OnceLock<Found>,
}

/// `None` for what nobody can tell.
struct Found {
    roles: Option<Vec<String>>,
    permissions: Option<Vec<String>>,
    scopes: Vec<String>,
}

impl Found {
    fn new(subject: &Subject, token: &VerifiedToken) -> Self {
        Self {
            roles: subject.roles().map(owned),
            permissions: subject.permissions().map(owned),
            scopes: owned(token.scopes()),
        }
    }
}

fn owned<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}

const NAMES: [&str; 3] = ["roles", "permissions", "scopes"];

impl Attributes for Facts<'_> {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        if !NAMES.contains(&name) {
            return self.others?.get(name);
        }
        let found = self.found.get_or_init(|| Found::new(&self.rbac.subject(self.token), self.token));
        let names = match name {
            "roles" => found.roles.as_deref()?,
            "permissions" => found.permissions.as_deref()?,
            _ => &found.scopes,
        };
        Some(names.into())
    }

    fn each(&self, visit: &mut dyn FnMut(&str, Attribute<'_>)) {
        for name in NAMES {
            if let Some(names) = self.get(name) {
                visit(name, names);
            }
        }
        if let Some(others) = self.others {
            others.each(&mut |name: &str, attribute: Attribute<'_>| {
                if !NAMES.contains(&name) {
                    visit(name, attribute);
                }
            });
        }
    }
}
