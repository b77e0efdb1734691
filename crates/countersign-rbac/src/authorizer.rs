//! Judges requirements of roles and permissions.

use crate::catalog::{Catalog, CatalogBuilder};
use crate::informed::Informed;
use crate::live::LiveCatalog;
use crate::mapping::ClaimsMapping;
use crate::prepared::{Node, Prepared};
use crate::review::Explanation;
use crate::subject::{Held, Subject};
use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, ScopeAuthorizer, Why};
use countersign::{ConfigError, VerifiedToken, async_trait};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Decides on roles and permissions by a [`Catalog`], and on scopes as [`ScopeAuthorizer`] does.
///
/// A token has the roles that its claims name and every role that these inherit from; it has the permissions
/// that these roles grant and those that its claims name. [`ClaimsMapping`] says which claims. All answers
/// come from memory: [`decide_now`](Authorizer::decide_now) never says `None`.
///
/// An allowance is told as `granted`, with `rbac` as its policy, and so is a denial as one of these:
///
/// | code | meaning |
/// |---|---|
/// | `missing_role`, `missing_permission` | the token does not have what is required |
/// | `exclusive_roles` | the token has two [mutually exclusive](CatalogBuilder::mutually_exclusive) roles |
/// | `malformed_claim` | a claim that should hold roles or permissions is not of its form |
/// | `unmapped_issuer` | nobody said which claims hold roles in tokens of this issuer |
/// | `unknown_name` | a required name is not in the catalog: [`accepts`](Authorizer::accepts) refuses it, so a newer [`LiveCatalog`] has lost it |
/// | `unknown_requirement`, `empty` | the requirement is of an unknown kind, or names nothing |
///
/// Where the issuer keeps a claim elsewhere ([`ClaimsMapping`]), `missing_role` and `missing_permission` are
/// [`Indeterminate`](Decision::Indeterminate) instead, code `claim_elsewhere`. So is what would be allowed where
/// the catalog has mutually exclusive roles: one of them may be among those that cannot be seen.
///
/// In a [condition](AccessRequest::is_condition) what cannot be judged is `Indeterminate`: all codes but the first row's.
///
/// All of them concern requirements of roles and permissions only: in `role("admin").or(scopes(["jobs"]))` a
/// malformed claim denies the left side and leaves the right side as it is.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, permissions, role};
/// use countersign_rbac::RbacAuthorizer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rbac = RbacAuthorizer::builder()
///     .role("editor", ["posts:read", "posts:write"])
///     .role("admin", ["users:delete"])
///     .inherits("admin", "editor")
///     .build()?;
///
/// let admin = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "roles": ["admin"]}))?;
/// let write = permissions(["posts:read", "posts:write"]);
/// assert_eq!(rbac.decide_now(&AccessRequest::new(&admin, &write)), Some(Decision::Allow));
/// assert!(rbac.accepts(&role("amdin")).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RbacAuthorizer {
    catalog: LiveCatalog,
    mappings: HashMap<String, ClaimsMapping>,
    /// For tokens of issuers that have no mapping of their own.
    others: Option<ClaimsMapping>,
}

impl RbacAuthorizer {
    /// An authorizer for this catalog, or [`LiveCatalog`], with the default [`ClaimsMapping`] for the tokens of every
    /// issuer. For other mappings, see [`RbacAuthorizerBuilder::catalog`].
    #[must_use]
    pub fn new(catalog: impl Into<LiveCatalog>) -> Self {
        Self { catalog: catalog.into(), mappings: HashMap::new(), others: Some(ClaimsMapping::default()) }
    }

    /// An authorizer without a role yet, and with the default [`ClaimsMapping`].
    pub fn builder() -> RbacAuthorizerBuilder {
        RbacAuthorizerBuilder::default()
    }

    /// The roles and permissions that it knows now.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.current()
    }

    /// What a token amounts to by the catalog of now, for many questions about it.
    #[must_use]
    pub fn subject(&self, token: &VerifiedToken) -> Subject {
        Subject::new(self.catalog.current(), self.mapping_of(token), token)
    }

    /// A requirement whose names are looked up once, for [`Subject::decide`].
    ///
    /// # Errors
    /// [`ConfigError`] that names what the catalog does not know or cannot judge, and a requirement that names
    /// nothing.
    pub fn prepare(&self, requirement: Requirement) -> Result<Prepared, ConfigError> {
        Prepared::new(self.catalog.current(), requirement)
    }

    /// Why a token meets a requirement, or does not: which claim, role and wildcard gives each name in it, or
    /// which roles would. For operators. Claims without a token are
    /// [vouched](VerifiedToken::vouched) for by whoever asks.
    ///
    /// ```
    /// use countersign::VerifiedToken;
    /// use countersign::authorize::{permissions, role};
    /// use countersign_rbac::{Catalog, RbacAuthorizer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let catalog = Catalog::builder()
    ///     .version("7")
    ///     .only_permissions(["posts:read", "posts:write", "users:delete"])
    ///     .role("editor", ["posts:*"])
    ///     .role("chief", ["posts:read"])
    ///     .role("admin", ["users:delete"])
    ///     .inherits("chief", "editor")
    ///     .build()?;
    /// let rbac = RbacAuthorizer::new(catalog);
    /// let chief = VerifiedToken::vouched(&serde_json::json!({"roles": ["chief"]}))?;
    /// let asked = role("editor").and(permissions(["posts:write", "users:delete"]));
    /// assert_eq!(
    ///     rbac.explain(&chief, &asked).to_string(),
    ///     "denied: missing_permission, catalog 7\n\
    ///      asked for                held  why\n\
    ///      role editor              yes   /roles has chief\n\
    ///      permission posts:write   yes   /roles has chief, which inherits editor, which grants posts:*\n\
    ///      permission users:delete  no    given by admin\n"
    /// );
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn explain(&self, token: &VerifiedToken, requirement: &Requirement) -> Explanation {
        Explanation::new(&self.subject(token), self.mapping_of(token), token, requirement)
    }

    /// `authorizer`, told who asks in terms of this catalog: [`AccessRequest::subject`] has their `roles`, `permissions` and
    /// `scopes`, which are read from the token when somebody looks.
    ///
    /// Where nobody can tell, they are absent, which a closure makes `Indeterminate`. Attributes that the question has
    /// already stand behind these three.
    ///
    /// ```
    /// use countersign::VerifiedToken;
    /// use countersign::authorize::policy::{deny_overrides, policy_fn};
    /// use countersign::authorize::{AccessRequest, Authorizer, Decision, action};
    /// use countersign_rbac::RbacAuthorizer;
    /// use serde_json::json;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rbac = RbacAuthorizer::builder().role("editor", ["posts:write"]).role("chief", [""; 0]).inherits("chief", "editor").build()?;
    /// let posts = deny_overrides("posts", ["posts:publish"])
    ///     .allow_if(policy_fn("editors", |request| request.subject("roles")?.contains("editor")))
    ///     .build()?;
    /// let authorizer = rbac.informing(posts);
    ///
    /// let publish = action("posts:publish");
    /// let chief = VerifiedToken::vouched(&json!({"sub": "7", "roles": ["chief"]}))?;
    /// assert_eq!(authorizer.decide_now(&AccessRequest::new(&chief, &publish)), Some(Decision::Allow));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn informing<A: Authorizer>(&self, authorizer: A) -> Informed<A> {
        Informed::new(self.clone(), authorizer)
    }

    fn mapping_of(&self, token: &VerifiedToken) -> Option<&ClaimsMapping> {
        let own = token.issuer().and_then(|issuer| self.mappings.get(issuer));
        own.or(self.others.as_ref())
    }

    fn judge(&self, request: &AccessRequest<'_>) -> Decision {
        let catalog = self.catalog.load();
        let held = OnceCell::new();
        let decision = request.requirement.decide(&mut |leaf| {
            ScopeAuthorizer::decide_leaf(leaf, request.token).unwrap_or_else(|| {
                held.get_or_init(|| Held::read(&catalog, self.mapping_of(request.token), request.token)).judge(
                    &catalog,
                    leaf,
                    &|why| request.unjudged(why),
                )
            })
        });
        match decision {
            Decision::Allow => request.allow(Why::new("rbac", "granted")),
            refused => refused,
        }
    }
}

#[async_trait]
impl Authorizer for RbacAuthorizer {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        let catalog = self.catalog.load();
        requirement.each_leaf(&mut |leaf| Node::new(&catalog, leaf).map(drop))
    }

    /// What it accepts, and requirements of names that an earlier catalog of its [`LiveCatalog`] knew.
    fn judges(&self, leaf: &Requirement) -> bool {
        // In a list it is asked about each action of each request: no error is built to be dropped.
        !matches!(leaf, Requirement::Action(_)) && (self.accepts(leaf).is_ok() || self.catalog.ever_knew(leaf))
    }

    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        Some(self.judge(request))
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        self.judge(request)
    }

    fn version(&self) -> Option<Arc<str>> {
        Some(self.catalog.load().shared_version())
    }
}

/// Collects the roles of an [`RbacAuthorizer`] and the claims that it reads. Nothing is checked before
/// [`build`](Self::build).
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, permissions};
/// use countersign_rbac::{ClaimsMapping, RbacAuthorizer};
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rbac = RbacAuthorizer::builder()
///     .role("editor", ["posts:*"])
///     .role("admin", ["users:delete"])
///     .inherits("admin", "editor")
///     .permission("posts:write")
///     .mapping(ClaimsMapping::builder().roles("groups").without_role().without_permissions().build()?)
///     .build()?;
///
/// let editor = VerifiedToken::vouched(&json!({"sub": "7", "groups": ["editor", "unheard of"]}))?;
/// let write = permissions(["posts:write"]);
/// assert_eq!(rbac.decide_now(&AccessRequest::new(&editor, &write)), Some(Decision::Allow));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RbacAuthorizerBuilder {
    own: CatalogBuilder,
    ready: Option<LiveCatalog>,
    mapping: Option<ClaimsMapping>,
    mappings: Vec<(String, ClaimsMapping)>,
}

impl RbacAuthorizerBuilder {
    /// A role and the permissions that it grants of itself: `[""; 0]` for none.
    pub fn role<P: Into<String>>(mut self, name: impl Into<String>, permissions: impl IntoIterator<Item = P>) -> Self {
        self.own = self.own.role(name, permissions);
        self
    }

    /// Whoever has `role` also has the role `inherited`, with all that it grants and inherits.
    pub fn inherits(mut self, role: impl Into<String>, inherited: impl Into<String>) -> Self {
        self.own = self.own.inherits(role, inherited);
        self
    }

    /// A permission that no role needs to grant: tokens may carry it themselves.
    pub fn permission(mut self, name: impl Into<String>) -> Self {
        self.own = self.own.permission(name);
        self
    }

    /// A catalog that is ready, or a [`LiveCatalog`], instead of roles and permissions given here.
    pub fn catalog(mut self, catalog: impl Into<LiveCatalog>) -> Self {
        self.ready = Some(catalog.into());
        self
    }

    /// The claims to read in the tokens of every issuer that has no [`mapping_for`](Self::mapping_for) of its
    /// own.
    pub fn mapping(mut self, mapping: ClaimsMapping) -> Self {
        self.mapping = Some(mapping);
        self
    }

    /// The claims to read in the tokens of this issuer, compared with `iss` exactly.
    ///
    /// As soon as one issuer has a mapping of its own, the default mapping is gone: roles and permissions in
    /// tokens of other issuers, and of none, count only if [`mapping`](Self::mapping) is given too. A claim
    /// may mean one thing to the issuer that you had in mind, and be free text to another.
    ///
    /// ```
    /// use countersign::VerifiedToken;
    /// use countersign::authorize::{AccessRequest, Authorizer, Decision, role};
    /// use countersign_rbac::{ClaimsMapping, RbacAuthorizer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rbac = RbacAuthorizer::builder()
    ///     .role("admin", ["users:delete"])
    ///     .mapping_for("https://staff.example/", ClaimsMapping::builder().roles("groups").build()?)
    ///     .build()?;
    ///
    /// let claims = |iss: &str| serde_json::json!({"iss": iss, "groups": ["admin"], "roles": ["admin"]});
    /// let staff = VerifiedToken::vouched(&claims("https://staff.example/"))?;
    /// let customer = VerifiedToken::vouched(&claims("https://customers.example/"))?;
    /// assert_eq!(rbac.decide_now(&AccessRequest::new(&staff, &role("admin"))), Some(Decision::Allow));
    /// assert_ne!(rbac.decide_now(&AccessRequest::new(&customer, &role("admin"))), Some(Decision::Allow));
    /// # Ok(())
    /// # }
    /// ```
    pub fn mapping_for(mut self, issuer: impl Into<String>, mapping: ClaimsMapping) -> Self {
        self.mappings.push((issuer.into(), mapping));
        self
    }

    /// The authorizer.
    ///
    /// # Errors
    /// [`ConfigError`] as in [`CatalogBuilder::build`]; when there are both a ready
    /// [`catalog`](Self::catalog) and roles or permissions given here; and when an issuer is empty or has two
    /// mappings.
    pub fn build(self) -> Result<RbacAuthorizer, ConfigError> {
        let catalog = match self.ready {
            Some(_) if !self.own.is_empty() => {
                let problem = "there are a ready catalog and roles or permissions beside it";
                return Err(ConfigError::new("catalog", problem));
            }
            Some(ready) => ready,
            None => self.own.build()?.into(),
        };
        let mut mappings = HashMap::new();
        for (issuer, mapping) in self.mappings {
            if issuer.is_empty() {
                return Err(ConfigError::new("mapping_for", "the issuer is empty"));
            }
            let twice = format!("`{issuer}` has two mappings");
            if mappings.insert(issuer, mapping).is_some() {
                return Err(ConfigError::new("mapping_for", twice));
            }
        }
        let others = self.mapping.or_else(|| mappings.is_empty().then(ClaimsMapping::default));
        Ok(RbacAuthorizer { catalog, mappings, others })
    }
}

#[cfg(test)]
mod tests;
