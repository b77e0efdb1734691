//! Where well-known issuers put roles and permissions.

use super::reader::Members;
use super::{ClaimFormat, ClaimPath, ClaimSource, ClaimsMapping};

/// Presets. What an issuer puts into a token depends on how it is set up; each preset says what it expects and
/// takes no other form. [`and`](ClaimsMapping::and) adds a claim of one's own. Scopes, in `scope` and `scp`, are
/// read by the core and are neither roles nor permissions.
///
/// | preset | claim | form | becomes |
/// |---|---|---|---|
/// | [`auth0`](Self::auth0) | `/permissions` | list | permissions |
/// | [`keycloak`](Self::keycloak) | `/realm_access/roles` | list | roles, as `realm:…` |
/// | | `/resource_access/` *client* `/roles` | list | roles, as `client:…` |
/// | [`cognito`](Self::cognito) | `/cognito:groups` | list | roles |
/// | [`entra`](Self::entra) | `/roles` | list | roles |
/// | [`entra_groups`](Self::entra_groups) | `/roles` | list | roles |
/// | | `/groups` | list, or kept elsewhere | roles, by a table |
/// | [`okta`](Self::okta) | `/groups` | list | roles |
/// | [`zuplo`](Self::zuplo) | `/permissions` | string of words, or list | permissions |
/// | | `/roles` | string, or list | roles |
/// | | `/role` | string | one role |
/// | [`flama`](Self::flama) | `/data/permissions` | list | permissions |
/// | | `/data/roles` | object of lists | permissions |
impl ClaimsMapping {
    /// Paths that do not meet. Were there one that did, nothing would be read and nothing granted.
    pub(super) fn preset(sources: impl IntoIterator<Item = ClaimSource>) -> Self {
        Self::of(sources).unwrap_or(Self { sources: Vec::new(), members: Members::default() })
    }

    /// Auth0, for an API that has RBAC with "Add Permissions in the Access Token" switched on: `permissions`.
    /// Roles are in no token of its own making; an Action puts them into a claim that is named like a URL.
    ///
    /// ```
    /// use countersign_rbac::{ClaimSource, ClaimsMapping};
    ///
    /// let with_roles = ClaimsMapping::auth0().and(ClaimSource::roles("https://app.example/roles"))?;
    /// # let _ = with_roles;
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    #[must_use]
    pub fn auth0() -> Self {
        Self::preset([ClaimSource::permissions("permissions").format(ClaimFormat::Array)])
    }

    /// Keycloak: the roles of the realm, and those of one client, which is the service that asks. They are kept
    /// apart by what they are called in the catalog: `realm:admin` is not `client:admin`. Roles of other
    /// clients are not read. A source that is added to these, of groups, say, needs a prefix or a table of its own, or a group
    /// that somebody names `client:admin` is that role.
    ///
    /// ```
    /// use countersign::VerifiedToken;
    /// use countersign::authorize::{AccessRequest, Authorizer, Decision, role};
    /// use countersign_rbac::{ClaimsMapping, RbacAuthorizer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rbac = RbacAuthorizer::builder()
    ///     .role("client:admin", ["users:delete"])
    ///     .role("realm:admin", ["users:list"])
    ///     .mapping(ClaimsMapping::keycloak("my.api"))
    ///     .build()?;
    /// let claims = serde_json::json!({"resource_access": {"other": {"roles": ["admin"]}}});
    /// let of_another_client = VerifiedToken::vouched(&claims)?;
    /// let admin = role("client:admin");
    /// assert_ne!(rbac.decide_now(&AccessRequest::new(&of_another_client, &admin)), Some(Decision::Allow));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn keycloak(client: impl Into<String>) -> Self {
        let of_client = ClaimPath::keys(["resource_access".to_owned(), client.into(), "roles".to_owned()]);
        Self::preset([
            ClaimSource::roles(ClaimPath::keys(["realm_access", "roles"]))
                .format(ClaimFormat::Array)
                .add_prefix("realm:"),
            ClaimSource::roles(of_client).format(ClaimFormat::Array).add_prefix("client:"),
        ])
    }

    /// Amazon Cognito: groups are roles. `cognito:roles`, which names IAM roles, is not read.
    #[must_use]
    pub fn cognito() -> Self {
        Self::preset([ClaimSource::roles("cognito:groups").format(ClaimFormat::Array)])
    }

    /// Microsoft Entra ID: the roles of the application, in `roles`. Groups are not read.
    #[must_use]
    pub fn entra() -> Self {
        Self::preset([ClaimSource::roles("roles").format(ClaimFormat::Array)])
    }

    /// Microsoft Entra ID, whose groups give roles by this table of object identifiers, beside the roles of the
    /// application.
    ///
    /// Where somebody is in more groups than a token holds, Entra leaves them out and says so (`_claim_names`,
    /// `hasgroups`). Then nobody can tell what the token lacks: what would be denied is
    /// [`Indeterminate`](countersign::authorize::Decision::Indeterminate), code `claim_elsewhere`.
    ///
    /// ```
    /// use countersign::VerifiedToken;
    /// use countersign::authorize::{AccessRequest, Authorizer, Decision, Why, role};
    /// use countersign_rbac::{ClaimsMapping, RbacAuthorizer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let groups = [("7d2c1a4e-0000-4000-8000-000000000001", "editor")];
    /// let rbac = RbacAuthorizer::builder()
    ///     .role("editor", ["posts:write"])
    ///     .mapping(ClaimsMapping::entra_groups(groups))
    ///     .build()?;
    /// let claims = serde_json::json!({"_claim_names": {"groups": "src1"}});
    /// let decision = rbac.decide_now(&AccessRequest::new(&VerifiedToken::vouched(&claims)?, &role("editor")));
    /// assert_eq!(decision, Some(Decision::Indeterminate(Why::new("rbac", "claim_elsewhere"))));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn entra_groups<I: Into<String>, R: Into<String>>(groups: impl IntoIterator<Item = (I, R)>) -> Self {
        Self::preset([
            ClaimSource::roles("roles").format(ClaimFormat::Array),
            ClaimSource::roles("groups").format(ClaimFormat::Array).rename(groups).elsewhere_if("hasgroups"),
        ])
    }

    /// Okta, with a claim `groups` at the authorization server: groups are roles.
    #[must_use]
    pub fn okta() -> Self {
        Self::preset([ClaimSource::roles("groups").format(ClaimFormat::Array)])
    }

    /// A Zuplo gateway that signs tokens for the services behind it, with `permissions`, `roles` or `role` among
    /// its additional claims. These are the claims of the default mapping too; this says that they are meant.
    #[must_use]
    pub fn zuplo() -> Self {
        Self::default()
    }

    /// Flama: `data.permissions`, and `data.roles`, which says for each role of the user what it grants. The
    /// permissions in both count; what the roles are called does not, because the token says itself what they
    /// are worth.
    #[must_use]
    pub fn flama() -> Self {
        Self::preset([
            ClaimSource::permissions(ClaimPath::keys(["data", "permissions"])).format(ClaimFormat::Array),
            ClaimSource::permissions(ClaimPath::keys(["data", "roles"])).format(ClaimFormat::MapOfArrays),
        ])
    }
}
