//! OAuth 2.0 protected resource metadata (RFC 9728): where clients learn who issues tokens for this service.
//!
//! ```
//! use countersign::request::RequestView;
//! use countersign::resource_metadata::ResourceMetadata;
//! use countersign::screening::Screening;
//! use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
//!
//! # let key = SigningKey::generate(Algorithm::ES256)?;
//! # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
//! let metadata = ResourceMetadata::builder("https://api.example").authorization_server("https://issuer.example/").build()?;
//! let guard = Guard::builder(verifier).protected_resource(metadata).build()?;
//!
//! let nobody = RequestView::new("GET", "/posts", None, &[("accept", "*/*")]);
//! let denial = Screening::enter(&guard, None).want_of_credentials(&nobody);
//! assert_eq!(
//!     denial.challenges().next(),
//!     Some(r#"Bearer resource_metadata="https://api.example/.well-known/oauth-protected-resource""#),
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::authority::{check_origin, usual_form};
use crate::config::ConfigError;
use crate::extract::BearerMethod;
use bytes::Bytes;
use serde::Serialize;

/// What a service tells about itself (RFC 9728 §2), to be served as JSON at the address that challenges point to.
///
/// Given to [`GuardBuilder::protected_resource`], which fills in how tokens may be sent and puts [`url`](Self::url) into
/// challenges. What to serve is then [`Guard::protected_resource`]: [`document`](Self::document) as [`MEDIA_TYPE`] under
/// [`path`](Self::path), to everybody.
///
/// ```
/// use countersign::resource_metadata::ResourceMetadata;
///
/// let metadata = ResourceMetadata::builder("https://api.example/v1")
///     .authorization_server("https://issuer.example/")
///     .scopes(["posts:read", "posts:write"])
///     .build()?;
/// assert_eq!(metadata.url(), "https://api.example/.well-known/oauth-protected-resource/v1");
/// assert_eq!(metadata.path(), "/.well-known/oauth-protected-resource/v1");
/// assert_eq!(
///     metadata.document(),
///     r#"{"resource":"https://api.example/v1","authorization_servers":["https://issuer.example/"],"scopes_supported":["posts:read","posts:write"]}"#,
/// );
/// # Ok::<(), countersign::ConfigError>(())
/// ```
///
/// [`Guard::protected_resource`]: crate::Guard::protected_resource
/// [`GuardBuilder::protected_resource`]: crate::screening::GuardBuilder::protected_resource
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    members: Members,
    url: String,
    /// Where the path begins in `url`.
    path_at: usize,
}

/// The media type of the document (RFC 9728 §3.2).
///
/// ```
/// use countersign::resource_metadata::{MEDIA_TYPE, ResourceMetadata};
///
/// /// What a handler of the application's own answers with.
/// fn answer(metadata: &ResourceMetadata) -> (&'static str, Vec<u8>) {
///     (MEDIA_TYPE, metadata.document().to_vec())
/// }
/// let metadata =
///     ResourceMetadata::builder("https://api.example").authorization_server("https://issuer.example/").build()?;
/// assert_eq!(answer(&metadata).0, "application/json");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub const MEDIA_TYPE: &str = "application/json";

/// The path below which documents stand (RFC 9728 §3.1).
///
/// ```
/// use countersign::resource_metadata::{ResourceMetadata, WELL_KNOWN};
///
/// let metadata =
///     ResourceMetadata::builder("https://api.example/v1").authorization_server("https://issuer.example/").build()?;
/// assert_eq!(metadata.path(), format!("{WELL_KNOWN}/v1"));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

const HTTPS_PORT: u16 = 443;

/// RFC 9728 §2. Members without a value are left out (§3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Members {
    resource: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bearer_methods_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_tos_uri: Option<String>,
}

impl ResourceMetadata {
    /// Metadata of the resource with this identifier: the `https` URL that clients know the service by.
    pub fn builder(resource: impl Into<String>) -> ResourceMetadataBuilder {
        ResourceMetadataBuilder { members: Members { resource: resource.into(), ..Members::default() } }
    }

    /// The resource's identifier.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.members.resource
    }

    /// Where clients ask for the document (RFC 9728 §3.1): the well-known path stands between the host and the path of the
    /// identifier.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The path of [`url`](Self::url), under which to serve the document.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.get(self.path_at..).unwrap_or_default()
    }

    /// The document: a JSON object.
    #[must_use]
    pub fn document(&self) -> Bytes {
        // Strings and lists of them always serialize.
        serde_json::to_vec(&self.members).unwrap_or_default().into()
    }

    /// Says how tokens may be sent, unless the builder was told.
    pub(crate) fn or_bearer_methods(mut self, methods: impl Iterator<Item = BearerMethod>) -> Self {
        if self.members.bearer_methods_supported.is_empty() {
            self.members.bearer_methods_supported = names(methods);
        }
        self
    }
}

fn names(methods: impl Iterator<Item = BearerMethod>) -> Vec<&'static str> {
    let mut names: Vec<_> = methods.map(BearerMethod::name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Sets [`ResourceMetadata`] up.
///
/// ```
/// use countersign::extract::BearerMethod;
/// use countersign::resource_metadata::ResourceMetadata;
///
/// let metadata = ResourceMetadata::builder("https://api.example")
///     .authorization_server("https://issuer.example/")
///     .scopes(["posts:read"])
///     .bearer_methods([BearerMethod::Header])
///     .name("Posts")
///     .documentation("https://api.example/docs")
///     .build()?;
/// assert_eq!(metadata.resource(), "https://api.example");
/// assert!(ResourceMetadata::builder("http://api.example").build().is_err(), "clients must be able to trust it");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ResourceMetadataBuilder {
    members: Members,
}

impl ResourceMetadataBuilder {
    /// An issuer whose tokens the service takes. May be called several times.
    pub fn authorization_server(mut self, issuer: impl Into<String>) -> Self {
        self.members.authorization_servers.push(issuer.into());
        self
    }

    /// The scopes that clients may ask for here. They need not be all that there are.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.members.scopes_supported.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// How tokens may be sent, instead of what the guard's extractors take.
    pub fn bearer_methods(mut self, methods: impl IntoIterator<Item = BearerMethod>) -> Self {
        self.members.bearer_methods_supported = names(methods.into_iter());
        self
    }

    /// The name that people are shown.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.members.resource_name = Some(name.into());
        self
    }

    /// A page for developers.
    pub fn documentation(mut self, url: impl Into<String>) -> Self {
        self.members.resource_documentation = Some(url.into());
        self
    }

    /// A page that says how clients may use the data.
    pub fn policy(mut self, url: impl Into<String>) -> Self {
        self.members.resource_policy_uri = Some(url.into());
        self
    }

    /// A page with the terms of service.
    pub fn terms_of_service(mut self, url: impl Into<String>) -> Self {
        self.members.resource_tos_uri = Some(url.into());
        self
    }

    /// The metadata.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting: a URL that is not `https`, an identifier or issuer with a query or a fragment
    /// (an identifier's query is legal in RFC 9728, and no path to route by), an identifier whose host or port is not in the
    /// form that clients write, or a scope that is none (RFC 6749 §3.3).
    pub fn build(self) -> Result<ResourceMetadata, ConfigError> {
        let members = self.members;
        let pages = [
            ("documentation", &members.resource_documentation),
            ("policy", &members.resource_policy_uri),
            ("terms_of_service", &members.resource_tos_uri),
        ];
        for (setting, url) in pages {
            if let Some(url) = url {
                check_https(setting, url)?;
            }
        }
        for issuer in &members.authorization_servers {
            check_identifier("authorization_server", issuer)?;
        }
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'"' | b'\\'))
        };
        if !members.scopes_supported.iter().all(is_scope) {
            return Err(ConfigError::new("scopes", "has one that is no scope of RFC 6749"));
        }
        let path = check_identifier("resource", &members.resource)?;
        let path_at = members.resource.len() - path.len();
        // Clients compare it with the URL that they came by (RFC 9728 §3.3), which they write in one form.
        check_origin("resource", members.resource.get(..path_at).unwrap_or_default())?;
        let mut url = members.resource.clone();
        // A slash that is all there is of a path goes (RFC 9728 §3.1).
        url.truncate(if path == "/" { path_at } else { url.len() });
        url.insert_str(path_at, WELL_KNOWN);
        Ok(ResourceMetadata { members, url, path_at })
    }
}

/// Refuses what is no `https` URL of RFC 3986, and what has a user in it. Gives what stands behind host and port.
///
/// # Errors
/// [`ConfigError`] that names `setting`.
pub(crate) fn check_https<'u>(setting: &'static str, url: &'u str) -> Result<&'u str, ConfigError> {
    let refused = || ConfigError::new(setting, "not a URL such as `https://api.example/path`");
    let rest = url.strip_prefix("https://").ok_or_else(refused)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    usual_form(authority, HTTPS_PORT).map_err(|problem| ConfigError::new(setting, problem))?;
    let is_rest = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?#%".contains(&octet);
    if !path.bytes().all(is_rest) {
        return Err(refused());
    }
    let is_encoded =
        |part: &str| matches!(part.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    if !path.split('%').skip(1).all(is_encoded) {
        return Err(ConfigError::new(setting, "has a `%` without two hexadecimal digits behind it"));
    }
    Ok(path)
}

/// The path of an identifier (RFC 9728 §1.2, RFC 8414 §2): nothing of it may be lost on the way to where its metadata is.
fn check_identifier<'u>(setting: &'static str, url: &'u str) -> Result<&'u str, ConfigError> {
    let path = check_https(setting, url)?;
    let is_step = |segment: &str| matches!(segment, "." | "..");
    if path.contains(['?', '#']) || path.split('/').any(is_step) {
        return Err(ConfigError::new(setting, "has a query, a fragment, or a segment that is `.` or `..`"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_well_known_path_stands_between_host_and_path() {
        let cases = [
            // RFC 9728 §3.1
            ("https://resource.example.com", "https://resource.example.com", ""),
            ("https://resource.example.com/resource1", "https://resource.example.com", "/resource1"),
            ("https://api.example/", "https://api.example", ""),
            ("https://api.example/v1/", "https://api.example", "/v1/"),
            ("https://api.example:8443/a/b", "https://api.example:8443", "/a/b"),
            ("https://[::1]/a", "https://[::1]", "/a"),
            ("https://api.example/%7Ea", "https://api.example", "/%7Ea"),
            ("https://api.example//", "https://api.example", "//"),
        ];
        for (resource, host, path) in cases {
            let metadata = ResourceMetadata::builder(resource).build().expect(resource);
            assert_eq!(metadata.path(), format!("/.well-known/oauth-protected-resource{path}"), "{resource}");
            assert_eq!(metadata.url(), format!("{host}{}", metadata.path()), "{resource}");
            assert_eq!(metadata.resource(), resource, "as it was given");
            assert_eq!(metadata.document(), json!({"resource": resource}).to_string(), "nothing without a value");
        }
    }

    #[test]
    fn every_member_has_its_name() {
        let metadata = ResourceMetadata::builder("https://api.example")
            .authorization_server("https://a.example/")
            .authorization_server("https://b.example/tenant")
            .scopes(["posts:read", "posts:write"])
            .bearer_methods([BearerMethod::Query, BearerMethod::Header, BearerMethod::Query])
            .name("Posts \"é\"\n")
            .documentation("https://docs.example/?page=1#top")
            .policy("https://docs.example/policy")
            .terms_of_service("https://docs.example/terms")
            .build()
            .expect("metadata");
        let document: serde_json::Value = serde_json::from_slice(&metadata.document()).expect("JSON");
        let expected = json!({
            "resource": "https://api.example",
            "authorization_servers": ["https://a.example/", "https://b.example/tenant"],
            "scopes_supported": ["posts:read", "posts:write"],
            "bearer_methods_supported": ["header", "query"],
            "resource_name": "Posts \"é\"\n",
            "resource_documentation": "https://docs.example/?page=1#top",
            "resource_policy_uri": "https://docs.example/policy",
            "resource_tos_uri": "https://docs.example/terms",
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn what_is_no_https_url_is_refused_with_its_setting() {
        let bad = [
            "",
            "api.example",
            "http://api.example",
            "HTTPS://api.example",
            "https:/api.example",
            "https://",
            "https:///path",
            "https://:443",
            "https://user@api.example",
            "https://api.example\\@evil.example",
            "https://api.example/a b",
            "https://api.example/\"",
            "https://api.example/{a}",
            "https://api.example/\r\nX: y",
            "https://api.example/é",
            "https://é.example",
            "https://%zz",
            "https://[",
            "https://[::1",
            "https://api.example:99999",
            "https://api.example:x/",
            "https://api..example",
            "https://api.example/%zz",
            "https://api.example/%4",
            "https://api.example/a%",
        ];
        let not_for_identifiers =
            ["https://api.example?a", "https://api.example/a#b", "https://api.example/../a", "https://api.example/."];
        let new = || ResourceMetadata::builder("https://api.example");
        for url in bad {
            for built in [new().documentation(url), new().policy(url), new().terms_of_service(url)] {
                assert!(built.build().is_err(), "{url}");
            }
        }
        for url in bad.into_iter().chain(not_for_identifiers) {
            assert_eq!(ResourceMetadata::builder(url).build().unwrap_err().setting(), "resource", "{url}");
            let issuer = new().authorization_server(url).build();
            assert_eq!(issuer.unwrap_err().setting(), "authorization_server", "{url}");
        }
        // An issuer is written as it writes itself, and a page is found all the same.
        for url in ["https://api.example:443/a", "https://API.example/a", "https://api.example:/a"] {
            let error = ResourceMetadata::builder(url).build().expect_err(url).to_string();
            assert_eq!(error, "`resource`: in a form that no client sends: write `https://api.example`", "{url}");
            assert!(new().authorization_server(url).documentation(url).build().is_ok(), "{url}");
        }
        for scope in ["", "a b", "a\"", "a\\", "é"] {
            assert_eq!(new().scopes(["a", scope]).build().unwrap_err().setting(), "scopes", "{scope}");
        }
    }
}
