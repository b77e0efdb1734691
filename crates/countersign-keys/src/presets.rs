//! Well-known issuers by name: where their keys are, and what their tokens must say.
//!
//! A [`Preset`] is the settings that one would write by hand. It hands out a
//! [`JwksProviderBuilder`](crate::JwksProviderBuilder) and a
//! [`JwtVerifierBuilder`](countersign::verify::JwtVerifierBuilder), on which everything can still be set; the audience must be.
//!
//! | preset | issuer | algorithms | `typ` | the audience is | besides | claims mapping |
//! |---|---|---|---|---|---|---|
//! | [`auth0`] | `https://` *domain* `/` | RS256 | `JWT`, `at+jwt` | the identifier of the API, in `aud` | | `auth0` |
//! | [`keycloak`] | *server* `/realms/` *realm* | RS256, PS256, ES256, EdDSA | `JWT`, `at+jwt` | the client, in `aud`, where an audience mapper puts it there | the claim `typ` is `Bearer` | `keycloak` |
//! | [`entra`] | `https://login.microsoftonline.com/` *tenant* `/v2.0` | RS256 | `JWT` | the client id of the API, in `aud` | `tid` is the tenant in `iss` | `entra` |
//! | [`entra_tenants`] | the same, for each tenant that is named | RS256 | `JWT` | the client id of the API, in `aud` | `tid` is the tenant in `iss` | `entra` |
//! | [`okta`] | `https://` *domain* `/oauth2/` *server* | RS256 | any that is taken by default, or none | that of the authorization server, in `aud` | `cid` is there | `okta` |
//! | [`cognito`] | `https://cognito-idp.` *region* `.amazonaws.com/` *pool* | RS256 | as Okta | the app client, in `client_id` | `token_use` is `access` | `cognito` |
//! | [`google`] | `https://accounts.google.com`, with or without `https://` | RS256 | `JWT` | the client id, in `aud` | | none |
//! | [`zuplo`] | that of the gateway | EdDSA, RS256 | as Okta | what the gateway was told, in `aud` | | `zuplo` |
//! | [`github_actions`] | `https://token.actions.githubusercontent.com` | RS256 | `JWT` | what the workflow asked for, in `aud` | `repository` is one that is named | none |
//!
//! The last column is the function of `countersign_rbac::ClaimsMapping` that knows this issuer's roles and permissions;
//! [`Preset::claims_mapping`] gives its name.
//!
//! ```
//! use countersign_keys::presets;
//!
//! let auth0 = presets::auth0("tenant.eu.auth0.com")?;
//! let keys = auth0.keys().build()?;
//! let verifier = auth0.verifier(keys).audience("https://api.example").build()?;
//! assert_eq!((auth0.issuers(), auth0.claims_mapping()), (&["https://tenant.eu.auth0.com/".to_owned()][..], Some("auth0")));
//! # let _ = verifier;
//! # Ok::<(), countersign::ConfigError>(())
//! ```

mod names;
mod preset;
mod template_keys;

pub use preset::Preset;

use countersign::{Algorithm, ConfigError};
use preset::{Rule, Source, entra_issuer};
#[cfg(feature = "http")]
use std::sync::Arc;
#[cfg(feature = "http")]
use template_keys::TemplateKeys;

/// The algorithms that a verifier takes by default.
const USUAL: &[Algorithm] = &[Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::Ed25519];
const RS256: &[Algorithm] = &[Algorithm::RS256];
const JWT: &[&str] = &["JWT"];
const JWT_OR_ACCESS_TOKEN: &[&str] = &["JWT", "at+jwt"];

/// An Auth0 tenant: `tenant.eu.auth0.com`, or a domain of one's own.
///
/// Access tokens of either profile, for the API whose identifier is the audience. An API that signs with PS256 wants
/// [`algorithms`](countersign::verify::JwtVerifierBuilder::algorithms); one that signs with HS256 has no keys to fetch. A tenant that has a
/// domain of its own issues tokens in the name of the domain that was asked: name that one.
///
/// # Errors
/// [`ConfigError`] where the domain is no host name in lower case.
///
/// ```
/// use countersign_keys::presets;
///
/// let auth0 = presets::auth0("tenant.eu.auth0.com")?;
/// let verifier = auth0.verifier(auth0.keys().build()?).audience("https://api.example").build()?;
/// # let _ = verifier;
/// assert_eq!(presets::auth0("tenant.eu.auth0.com/x?").unwrap_err().setting(), "domain");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn auth0(domain: &str) -> Result<Preset, ConfigError> {
    names::check_host("domain", domain)?;
    let preset = Preset::of(format!("https://{domain}/"));
    Ok(Preset { types: JWT_OR_ACCESS_TOKEN, claims_mapping: Some("auth0"), ..preset })
}

/// A realm of a Keycloak server: `https://id.example`, with `/auth` behind it where the server has that.
///
/// Access tokens alone: ID tokens say `ID` in their claim `typ`, and refresh tokens `Refresh`. Keycloak puts no API into
/// `aud` by itself; an audience mapper does, and its value is the audience.
///
/// # Errors
/// [`ConfigError`] where the server is no URL that a preset can stand on, and where the realm has something else than ASCII
/// letters, digits, `-`, `.`, `_` and `~` in its name.
///
/// ```
/// use countersign_keys::presets;
///
/// let realm = presets::keycloak("https://id.example", "staff")?;
/// assert_eq!(realm.issuers(), ["https://id.example/realms/staff"]);
/// let keys = realm.keys().allow_private_addresses().build()?;
/// let verifier = realm.verifier(keys).audience("my-api").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn keycloak(server: &str, realm: &str) -> Result<Preset, ConfigError> {
    names::check_url("server", server)?;
    names::check_segment("realm", realm)?;
    let preset = Preset::of(format!("{}/realms/{realm}", server.strip_suffix('/').unwrap_or(server)));
    Ok(Preset {
        algorithms: USUAL,
        types: JWT_OR_ACCESS_TOKEN,
        rule: Some(says("typ", ["Bearer"], "no_access_token")),
        claims_mapping: Some("keycloak"),
        ..preset
    })
}

/// One tenant of Microsoft Entra ID, by its id.
///
/// Access tokens of version 2.0: the registration of the API has `requestedAccessTokenVersion` set to 2, and its client id is
/// the audience. They name their client in `azp`, which keeps ID tokens out where users log in to that registration too.
///
/// # Errors
/// [`ConfigError`] where the tenant is no UUID in lower case. Its domain will not do: tokens have the id.
///
/// ```
/// use countersign_keys::presets;
///
/// let tenant = presets::entra("7d2c1a4e-0000-4000-8000-000000000001")?;
/// let keys = tenant.keys().build()?;
/// let verifier = tenant.verifier(keys).audience("9b1e7a52-0000-4000-8000-00000000000a").build()?;
/// # let _ = verifier;
/// assert_eq!(presets::entra("common").unwrap_err().setting(), "tenant");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn entra(tenant: &str) -> Result<Preset, ConfigError> {
    names::check_uuid("tenant", tenant)?;
    Ok(Preset {
        types: JWT,
        rule: Some(Rule::TenantOfIssuer),
        required_claim: Some("azp"),
        claims_mapping: Some("entra"),
        ..Preset::of(entra_issuer(tenant))
    })
}

/// Several tenants of Microsoft Entra ID, each by its id, over one document of keys.
///
/// The issuers are `https://login.microsoftonline.com/{tenantid}/v2.0` with each of these ids in the place of
/// `{tenantid}`, and a token's `tid` must be the id in its `iss`. Tokens of every other tenant are refused: anybody can have
/// a tenant, so what the template alone says is that somebody has an account with Microsoft. A service that takes new
/// tenants while it runs makes a verifier anew.
///
/// A `sub` is unique within its tenant alone: keep it together with `iss`.
///
/// The document is that of all tenants. It names the issuer that each key may sign for; a key for one tenant, as that of
/// personal accounts has, signs for none here. Personal accounts are [`entra`] with their tenant's id.
///
/// # Errors
/// [`ConfigError`] where there is no tenant, where one is no UUID in lower case, and where the HTTP client cannot be set up.
///
/// ```
/// use countersign_keys::presets;
///
/// let tenants = ["7d2c1a4e-0000-4000-8000-000000000001", "7d2c1a4e-0000-4000-8000-000000000002"];
/// let tenants = presets::entra_tenants(tenants)?;
/// let keys = tenants.keys().build()?;
/// let verifier = tenants.verifier(keys).audience("9b1e7a52-0000-4000-8000-00000000000a").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn entra_tenants<T: AsRef<str>>(tenants: impl IntoIterator<Item = T>) -> Result<Preset, ConfigError> {
    let mut issuers = Vec::new();
    for tenant in tenants {
        names::check_uuid("tenants", tenant.as_ref())?;
        if tenant.as_ref() == PERSONAL_ACCOUNTS {
            return Err(ConfigError::new("tenants", "personal accounts have keys of their own: take `presets::entra`"));
        }
        issuers.push(entra_issuer(tenant.as_ref()));
    }
    if issuers.is_empty() {
        return Err(ConfigError::new("tenants", "no tenant is named: no token could be taken"));
    }
    #[cfg(feature = "http")]
    let fetch: Option<Arc<dyn crate::JwksFetch>> =
        Some(Arc::new(TemplateKeys::new(crate::HttpFetch::new()?, preset::ENTRA_TEMPLATE)));
    #[cfg(not(feature = "http"))]
    let fetch = None;
    Ok(Preset {
        issuers,
        source: Source::Template("https://login.microsoftonline.com/common/discovery/v2.0/keys", fetch),
        types: JWT,
        rule: Some(Rule::TenantOfIssuer),
        required_claim: Some("azp"),
        claims_mapping: Some("entra"),
        ..Preset::of(String::new())
    })
}

/// The tenant of all personal accounts with Microsoft.
const PERSONAL_ACCOUNTS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// A custom authorization server of Okta: the domain of the organization, and the server's id, such as `default`.
///
/// Access tokens alone, which name their client in `cid`. The audience is the one that the server has
/// (`api://default`). Access tokens of the organization's own server are for Okta, and nobody else can verify them.
///
/// # Errors
/// [`ConfigError`] where the domain is no host name in lower case, and where the server's id has something else than ASCII
/// letters, digits, `-`, `.`, `_` and `~` in it.
///
/// ```
/// use countersign_keys::presets;
///
/// let okta = presets::okta("example.okta.com", "default")?;
/// assert_eq!(okta.issuers(), ["https://example.okta.com/oauth2/default"]);
/// let verifier = okta.verifier(okta.keys().build()?).audience("api://default").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn okta(domain: &str, server: &str) -> Result<Preset, ConfigError> {
    names::check_host("domain", domain)?;
    names::check_segment("server", server)?;
    let preset = Preset::of(format!("https://{domain}/oauth2/{server}"));
    Ok(Preset { required_claim: Some("cid"), claims_mapping: Some("okta"), ..preset })
}

/// A user pool of Amazon Cognito, by its id, which begins with its region.
///
/// Access tokens alone, by `token_use`. They have no `aud`: the app client that they were issued to stands in `client_id`,
/// and its id is the audience here. So a token says which client asks, and not for which API it is; scopes of a resource
/// server do that.
///
/// # Errors
/// [`ConfigError`] where the pool is no id such as `eu-central-1_EXAMPLE`. The regions of China have another domain, and are
/// refused.
///
/// ```
/// use countersign_keys::presets;
///
/// let pool = presets::cognito("eu-central-1_EXAMPLE")?;
/// assert_eq!(pool.issuers(), ["https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE"]);
/// let verifier = pool.verifier(pool.keys().build()?).audience("the-app-client-id").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn cognito(pool: &str) -> Result<Preset, ConfigError> {
    let region = names::region_of_pool("pool", pool)?;
    let preset = Preset::of(format!("https://cognito-idp.{region}.amazonaws.com/{pool}"));
    Ok(Preset {
        audience_claim: Some("client_id"),
        rule: Some(says("token_use", ["access"], "no_access_token")),
        claims_mapping: Some("cognito"),
        ..preset
    })
}

/// ID tokens of Google, of people and of service accounts: Google's access tokens are no JWTs.
///
/// The audience is a client id of one's own, or for service accounts whatever they asked for. Such a token says *who* asks:
/// anybody can have an account, and a service account can ask for any audience. Who may come in is the business of
/// [`subject`](countersign::verify::JwtVerifierBuilder::subject), of a [`check`](countersign::verify::JwtVerifierBuilder::check) (of `hd`, for the members of one
/// organization) or of an authorizer. `azp` is not looked at: it names the app that asked.
///
/// ```
/// use countersign_keys::presets;
///
/// let google = presets::google();
/// let keys = google.keys().build()?;
/// let verifier = google.verifier(keys).audience("1234.apps.googleusercontent.com").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn google() -> Preset {
    // Both stand in tokens, and one document has the keys of both: its metadata names one issuer alone.
    let issuers = ["https://accounts.google.com", "accounts.google.com"].map(str::to_owned).into();
    let source = Source::Url("https://www.googleapis.com/oauth2/v3/certs");
    Preset { issuers, source, types: JWT, ..Preset::of(String::new()) }
}

/// A Zuplo gateway that signs tokens for the services behind it, by its issuer.
///
/// The issuer is what the gateway's metadata calls itself: that of the JWT Service Plugin, which signs with EdDSA, or of
/// Zuplo's identity tokens, signed with RS256. The audience is what the policy or the code of the gateway asks for; a
/// token without one is refused.
///
/// Zuplo's identity tokens come from one issuer for all of its customers: name the deployment by
/// [`subject`](countersign::verify::JwtVerifierBuilder::subject).
///
/// # Errors
/// [`ConfigError`] where the issuer is no URL that a preset can stand on.
///
/// ```
/// use countersign_keys::presets;
///
/// let gateway = presets::zuplo("https://my-gateway.example")?;
/// let verifier = gateway.verifier(gateway.keys().build()?).audience("my-api").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn zuplo(issuer: &str) -> Result<Preset, ConfigError> {
    names::check_url("issuer", issuer)?;
    let preset = Preset::of(issuer.to_owned());
    Ok(Preset { algorithms: &[Algorithm::Ed25519, Algorithm::RS256], claims_mapping: Some("zuplo"), ..preset })
}

/// Workflows of GitHub Actions in these repositories, each as `owner/name`.
///
/// Whoever has an account with GitHub can have a token from this issuer, for any audience: that of the workflow's
/// `core.getIDToken(audience)`. The repository is what tells ours from theirs, compared exactly. Which branch, environment
/// or workflow may do what is for a [`check`](countersign::verify::JwtVerifierBuilder::check) to say. A name can come to belong to somebody else
/// once it is given up; `repository_id` cannot.
///
/// # Errors
/// [`ConfigError`] where no repository is named, and where one is not of the form `owner/name`.
///
/// ```
/// use countersign_keys::presets;
///
/// let actions = presets::github_actions(["octo-org/octo-repo"])?;
/// let verifier = actions.verifier(actions.keys().build()?).audience("https://deploy.example").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub fn github_actions<T: Into<String>>(repositories: impl IntoIterator<Item = T>) -> Result<Preset, ConfigError> {
    let repositories: Vec<String> = repositories.into_iter().map(Into::into).collect();
    if repositories.is_empty() {
        return Err(ConfigError::new("repositories", "no repository is named: anybody's workflow could come in"));
    }
    for repository in &repositories {
        names::check_repository("repositories", repository)?;
    }
    let preset = Preset::of("https://token.actions.githubusercontent.com".to_owned());
    Ok(Preset { types: JWT, rule: Some(says("repository", repositories, "another_repository")), ..preset })
}

fn says<T: Into<String>>(claim: &'static str, one_of: impl IntoIterator<Item = T>, otherwise: &'static str) -> Rule {
    Rule::Says { claim, one_of: one_of.into_iter().map(Into::into).collect(), otherwise }
}

#[cfg(test)]
mod tests;
