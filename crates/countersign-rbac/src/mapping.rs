//! Which claims of a token hold roles and permissions.

mod path;
mod presets;
mod reader;
mod source;

use countersign::{ConfigError, VerifiedToken};
pub use path::ClaimPath;
pub(crate) use reader::{Found, Trouble};
use reader::{MAX_CLAIMS, Members};
pub(crate) use source::Kind;
pub use source::{ClaimFormat, ClaimSource};

/// Which claims of a token hold its roles and permissions.
///
/// | claim | default | a string | a list of strings | absent | anything else |
/// |---|---|---|---|---|---|
/// | [permissions] | `permissions` | split at ASCII white space | each item | nothing | malformed |
/// | [roles] | `roles` | one role | each item | nothing | malformed |
/// | [role] | `role` | one role | malformed | nothing | malformed |
///
/// Anything else is a number, an object, `true`, `null`, or a list with an item that is no string. It is
/// malformed as well when a name on the way to a claim holds something other than an object, and when one
/// stands twice in its object. A malformed claim denies every requirement of roles or permissions; it is
/// never a reason to look into another claim. A claim is absent when it, or a name on the way to it, is not
/// there. Where `_claim_names` says that the issuer keeps it elsewhere (OpenID Connect Core §5.6.2), what it
/// holds is unknown: what would be denied is
/// [`Indeterminate`](countersign::authorize::Decision::Indeterminate).
///
/// Other claims, forms and names are a [`ClaimSource`] each, given to [`of`](Self::of) or [`and`](Self::and).
///
/// What the claims name adds up. Names that the catalog does not know grant nothing.
///
/// ```
/// use countersign_rbac::{ClaimPath, ClaimsMapping};
///
/// let nested = ClaimsMapping::builder()
///     .roles(ClaimPath::keys(["app", "roles"]))
///     .without_role()
///     .without_permissions()
///     .build()?;
/// let keycloak = ClaimsMapping::keycloak("my.api");
/// # let _ = (nested, keycloak);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
///
/// [permissions]: ClaimsMappingBuilder::permissions
/// [roles]: ClaimsMappingBuilder::roles
/// [role]: ClaimsMappingBuilder::role
#[derive(Clone, Debug)]
pub struct ClaimsMapping {
    sources: Vec<ClaimSource>,
    members: Members,
}

impl ClaimsMapping {
    /// The default mapping, to be changed.
    pub fn builder() -> ClaimsMappingBuilder {
        ClaimsMappingBuilder {
            permissions: Some("permissions".into()),
            roles: Some("roles".into()),
            role: Some("role".into()),
        }
    }

    /// These claims and no others.
    ///
    /// # Errors
    /// [`ConfigError`] that names the claim whose path is empty, or is the same as, within, or around another
    /// claim's: one of the two would always be malformed. There may be 30 claims.
    pub fn of(sources: impl IntoIterator<Item = ClaimSource>) -> Result<Self, ConfigError> {
        let sources: Vec<ClaimSource> = sources.into_iter().collect();
        if let Some(one_too_many) = sources.get(MAX_CLAIMS) {
            return Err(ConfigError::new(one_too_many.setting, format!("there are more than {MAX_CLAIMS} claims")));
        }
        if let Some(empty) = sources.iter().find(|source| source.path.names().is_empty()) {
            return Err(ConfigError::new(empty.setting, "the path is empty"));
        }
        let members = Members::select_all(&sources).map_err(|source| {
            ConfigError::new(source.setting, format!("the path `{}` meets another claim's", source.path))
        })?;
        Ok(Self { sources, members })
    }

    /// These claims and one more.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn and(mut self, source: ClaimSource) -> Result<Self, ConfigError> {
        self.sources.push(source);
        Self::of(self.sources)
    }

    /// Gives each role and permission of a token to `sink`. After a malformed claim, what it was given
    /// counts for nothing.
    pub(crate) fn read(&self, token: &VerifiedToken, sink: &mut dyn FnMut(Found<'_>)) -> Result<(), Trouble<'_>> {
        self.members.read(token, sink)
    }
}

/// Permissions in `permissions`, roles in `roles`, a single role in `role`.
impl Default for ClaimsMapping {
    fn default() -> Self {
        Self::preset([
            ClaimSource::permissions("permissions"),
            ClaimSource::roles("roles"),
            ClaimSource::single_role("role".into()),
        ])
    }
}

/// Says where the claims of a [`ClaimsMapping`] stand. With all three left out, its tokens have no role and
/// no permission.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, permissions};
/// use countersign_rbac::{ClaimPath, ClaimsMapping, RbacAuthorizer};
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mapping = ClaimsMapping::builder()
///     .roles(ClaimPath::pointer("/realm_access/roles")?)
///     .permissions("scp")
///     .without_role()
///     .build()?;
/// let rbac = RbacAuthorizer::builder().role("editor", ["posts:write"]).permission("posts:read").mapping(mapping).build()?;
///
/// let token = VerifiedToken::vouched(&json!({"realm_access": {"roles": ["editor"]}, "scp": ["posts:read"]}))?;
/// let both = permissions(["posts:read", "posts:write"]); // one from the list, one by the role
/// assert_eq!(rbac.decide_now(&AccessRequest::new(&token, &both)), Some(Decision::Allow));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClaimsMappingBuilder {
    permissions: Option<ClaimPath>,
    roles: Option<ClaimPath>,
    role: Option<ClaimPath>,
}

impl ClaimsMappingBuilder {
    /// Where permissions stand: a string of words, or a list.
    pub fn permissions(mut self, path: impl Into<ClaimPath>) -> Self {
        self.permissions = Some(path.into());
        self
    }

    /// Where roles stand: one, or a list.
    pub fn roles(mut self, path: impl Into<ClaimPath>) -> Self {
        self.roles = Some(path.into());
        self
    }

    /// Where a single role stands.
    pub fn role(mut self, path: impl Into<ClaimPath>) -> Self {
        self.role = Some(path.into());
        self
    }

    /// Takes no permissions from the token: its roles grant them.
    pub fn without_permissions(mut self) -> Self {
        self.permissions = None;
        self
    }

    /// Reads no claim of roles. A single role may still stand in its own.
    pub fn without_roles(mut self) -> Self {
        self.roles = None;
        self
    }

    /// Reads no claim of a single role.
    pub fn without_role(mut self) -> Self {
        self.role = None;
        self
    }

    /// The mapping.
    ///
    /// # Errors
    /// [`ConfigError`] that names the claim whose path is empty, or is the same as, within, or around another
    /// claim's: one of the two would always be malformed.
    ///
    /// ```
    /// use countersign_rbac::ClaimsMapping;
    ///
    /// let error = ClaimsMapping::builder().roles("role").build().unwrap_err();
    /// assert_eq!(error.to_string(), "`role`: the path `/role` meets another claim's");
    /// assert!(ClaimsMapping::builder().roles("role").without_role().build().is_ok());
    /// ```
    pub fn build(self) -> Result<ClaimsMapping, ConfigError> {
        let permissions = self.permissions.map(ClaimSource::permissions);
        let roles = self.roles.map(ClaimSource::roles);
        let role = self.role.map(ClaimSource::single_role);
        ClaimsMapping::of([permissions, roles, role].into_iter().flatten())
    }
}

#[cfg(test)]
mod tests;
