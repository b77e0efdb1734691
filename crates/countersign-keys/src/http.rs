//! The HTTP client: HTTPS, public addresses, no redirects, bounded time and size.

mod address;
mod freshness;

use crate::fetch::{FetchError, FetchRequest, Fetched, JwksFetch};
use address::{AddressRule, CheckedResolver, NotAllowed, is_allowed};
use countersign::clock::{Clock, SystemClock};
use countersign::{ConfigError, async_trait};
use freshness::{max_age, retry_after, validators};
use reqwest::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use reqwest::{Client, Proxy, StatusCode, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// For the whole exchange, body included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
/// A refresh is given up soon after this.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches over HTTPS, from public addresses, with the certificate authorities of the operating system.
///
/// Connects within 2 s, finishes within 5 s, follows no redirect, uses no proxy, all unless told otherwise. Addresses
/// are checked after names are resolved and before a connection is made, so that a name cannot be pointed inwards later.
///
/// ```no_run
/// use countersign_keys::{HttpFetch, JwksProvider};
///
/// let authority = std::fs::read("/etc/ssl/our-own-authority.pem")?;
/// let client = HttpFetch::builder().allow_private_addresses().trust_only(authority).build()?;
/// let keys = JwksProvider::discover("https://issuer.internal/").fetch(client).build()?;
/// # let _ = keys;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpFetch {
    client: Client,
    rule: AddressRule,
}

impl HttpFetch {
    /// For HTTPS to public addresses alone.
    ///
    /// # Errors
    /// [`ConfigError`] when TLS cannot be set up: the system has no certificate authorities, say.
    pub fn new() -> Result<Self, ConfigError> {
        Self::builder().build()
    }

    /// A client that is told otherwise.
    pub fn builder() -> HttpFetchBuilder {
        HttpFetchBuilder {
            rule: AddressRule::default(),
            authorities: None,
            proxy: None,
            headers: HeaderMap::new(),
            problem: None,
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TOTAL_TIMEOUT,
        }
    }

    /// What of the URL can be judged without asking anybody.
    fn judge(&self, url: &str) -> Result<Url, ConfigError> {
        let refused = |problem: &'static str| Err(ConfigError::new("url", problem));
        let Ok(url) = Url::parse(url) else { return refused("not a URL") };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return refused("has a user, a password or a fragment");
        }
        let (literal, is_local) = match url.host() {
            Some(Host::Ipv4(address)) => (Some(address.into()), address.is_loopback()),
            Some(Host::Ipv6(address)) => (Some(address.into()), address.is_loopback()),
            Some(Host::Domain(name)) => (None, name == "localhost"),
            None => return refused("has no host"),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_local && self.rule.loopback => {}
            "http" if is_local => {
                return refused("not https, which `.allow_http_on_loopback()` allows for this machine");
            }
            "http" => return refused("not https"),
            _ => return refused("neither https nor http"),
        }
        // Literals do not pass the resolver.
        if literal.is_some_and(|address| !is_allowed(self.rule, address)) {
            return refused("the address is not public");
        }
        Ok(url)
    }
}

/// Sets an [`HttpFetch`] up.
///
/// ```
/// use countersign_keys::HttpFetch;
/// use std::time::Duration;
///
/// let client = HttpFetch::builder()
///     .proxy("http://proxy.internal:3128")
///     .header("x-api-key", "not shown in Debug")
///     .connect_timeout(Duration::from_secs(1))
///     .timeout(Duration::from_secs(3));
/// assert!(!format!("{client:?}").contains("not shown"));
/// assert!(HttpFetch::builder().timeout(Duration::ZERO).build().is_err());
/// ```
#[must_use]
pub struct HttpFetchBuilder {
    rule: AddressRule,
    authorities: Option<Vec<u8>>,
    proxy: Option<String>,
    headers: HeaderMap,
    /// The first header field that is none.
    problem: Option<ConfigError>,
    connect_timeout: Duration,
    timeout: Duration,
}

/// Shows nothing of proxy and header fields, which may hold secrets.
impl fmt::Debug for HttpFetchBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetchBuilder")
            .field("rule", &self.rule)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl HttpFetchBuilder {
    /// Also plain HTTP to this machine (`localhost`, 127.0.0.0/8, `[::1]`): development and tests.
    pub fn allow_http_on_loopback(mut self) -> Self {
        self.rule.loopback = true;
        self
    }

    /// Also HTTPS to private addresses: an issuer inside the same network. Link-local ones stay out of reach.
    pub fn allow_private_addresses(mut self) -> Self {
        self.rule.private = true;
        self
    }

    /// The certificate authorities that are trusted, as certificates in PEM, instead of the operating system's.
    pub fn trust_only(mut self, authorities: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(authorities.into());
        self
    }

    /// A proxy that every request goes through: `http://proxy.internal:3128`. It resolves the names, so that it decides
    /// which addresses are asked; addresses that stand in a URL are still judged here. The environment names no proxy
    /// unless it is read into this.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// A header field that every request carries: an API key, say. Whatever it holds is not shown. May be called several
    /// times.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                self.headers.append(name, value);
            }
            _ => self.problem = Some(ConfigError::new("header", "not a header field")),
        }
        self
    }

    /// What connecting may take, names and TLS included: 2 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// What a whole exchange may take, body included: 5 s unless set, 10 s at most.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting: PEM without a certificate, a proxy that is no URL, a timeout of zero or above
    /// 10 s; `fetch` when TLS cannot be set up.
    pub fn build(self) -> Result<HttpFetch, ConfigError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        for (setting, timeout) in [("connect_timeout", self.connect_timeout), ("timeout", self.timeout)] {
            if timeout.is_zero() || timeout > MAX_TIMEOUT {
                return Err(ConfigError::new(setting, "not above zero and at most 10 s"));
            }
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls(self.rule, self.authorities.as_deref())?)
            .redirect(redirect::Policy::none())
            .referer(false)
            .default_headers(self.headers)
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            // One request in minutes: a kept connection would belong to whichever runtime made it.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        let client = match self.proxy {
            None => client.no_proxy().dns_resolver(CheckedResolver::new(self.rule)),
            Some(url) => client.proxy(Proxy::all(url).map_err(|_| ConfigError::new("proxy", "not a URL"))?),
        };
        let client = client.build().map_err(|error| ConfigError::new("fetch", error.to_string()))?;
        Ok(HttpFetch { client, rule: self.rule })
    }
}

fn tls(rule: AddressRule, authorities: Option<&[u8]>) -> Result<ClientConfig, ConfigError> {
    let refused = |error: rustls::Error| ConfigError::new("fetch", format!("TLS cannot be set up: {error}"));
    let builder = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(refused)
    };
    if let Some(pem) = authorities {
        return Ok(builder()?.with_root_certificates(roots(pem)?).with_no_client_auth());
    }
    match builder()?.with_platform_verifier() {
        Ok(config) => Ok(config.with_no_client_auth()),
        // A development machine may have no authorities; without any, every https connection is refused.
        Err(_) if rule.loopback => Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth()),
        Err(error) => Err(refused(error)),
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let refused = |problem: &'static str| ConfigError::new("trust_only", problem);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| refused("not PEM"))?;
        roots.add(certificate).map_err(|_| refused("a certificate that cannot be read"))?;
    }
    if roots.is_empty() { Err(refused("no certificate stands in it")) } else { Ok(roots) }
}

#[async_trait]
impl JwksFetch for HttpFetch {
    fn check(&self, url: &str) -> Result<(), ConfigError> {
        self.judge(url).map(drop)
    }

    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let url = self.judge(request.url).map_err(FetchError::Url)?;
        let mut asking = self.client.get(url).header(ACCEPT, "application/jwk-set+json, application/json");
        if let Some(validators) = request.validators {
            for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
                if let Some(value) = value {
                    asking = asking.header(name, value);
                }
            }
        }
        let mut response = asking.send().await.map_err(transport)?;
        let fields = response.headers();
        // For the dates that a server writes; how old something is, the provider measures.
        let now = SystemClock::new().now();
        let answer = Fetched::not_modified().with_validators(validators(fields)).with_max_age(max_age(fields, now));
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if request.validators.is_some() => return Ok(answer),
            status => return Err(FetchError::status(status.as_u16(), retry_after(fields, now))),
        }
        if !is_json(fields.get(CONTENT_TYPE)) || fields.contains_key(CONTENT_ENCODING) {
            return Err(FetchError::ContentType);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > request.max_bytes {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { body: Some(body.into()), ..answer })
    }
}

fn transport(error: reqwest::Error) -> FetchError {
    // A URL may hold a key in its query, and errors go into logs.
    let error = error.without_url();
    let mut source: Option<&(dyn Error + 'static)> = Some(&error);
    let mut is_tls = false;
    while let Some(cause) = source {
        if cause.is::<NotAllowed>() {
            return FetchError::Address;
        }
        is_tls |= cause.is::<rustls::Error>();
        // An `io::Error` names as its source what stands behind the error that it wraps, and not that error itself.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        source = wrapped.map_or_else(|| cause.source(), |wrapped| Some(wrapped));
    }
    match () {
        () if is_tls => FetchError::Tls(error.into()),
        () if error.is_timeout() => FetchError::Timeout(error.into()),
        () if error.is_connect() => FetchError::Connect(error.into()),
        () => FetchError::Transport(error.into()),
    }
}

/// `application/json`, `application/jwk-set+json` and their kin; an absent type is taken, a wrong one is not.
fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let Some(value) = content_type else { return true };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_judged_before_anybody_is_asked() {
        let public = HttpFetch::new();
        let loopback = HttpFetch::builder().allow_http_on_loopback().build().expect("a client");
        let cases = [
            ("https://issuer.example/jwks", true, true),
            ("https://8.8.8.8/jwks", true, true),
            ("http://issuer.example/jwks", false, false),
            ("http://127.0.0.1:3000/jwks", false, true),
            ("http://localhost:3000/jwks", false, true),
            ("http://[::1]:3000/jwks", false, true),
            ("http://127.0.0.1.evil.example/jwks", false, false),
            ("http://localhost.evil.example/jwks", false, false),
            ("https://127.0.0.1/jwks", false, true),
            ("https://10.0.0.1/jwks", false, false),
            ("https://169.254.169.254/latest", false, false),
            ("https://[::ffff:10.0.0.1]/jwks", false, false),
            ("https://2130706433/jwks", false, true),
            ("https://user@issuer.example/jwks", false, false),
            ("https://issuer.example/jwks#a", false, false),
            ("file:///etc/passwd", false, false),
            ("ftp://issuer.example/", false, false),
            ("not a url", false, false),
            ("", false, false),
        ];
        for (url, publicly, locally) in cases {
            // A machine without certificate authorities has no client for the public.
            if let Ok(public) = &public {
                assert_eq!(public.check(url).is_ok(), publicly, "{url}");
            }
            assert_eq!(loopback.check(url).is_ok(), locally, "{url}");
        }
    }

    #[tokio::test]
    async fn names_are_checked_after_they_are_resolved() {
        let private = HttpFetch::builder().allow_private_addresses().build();
        let Ok(public) = HttpFetch::new() else {
            assert!(private.is_err(), "a machine without certificate authorities has no such client at all");
            return;
        };
        let refused = public.fetch(&FetchRequest::new("https://localhost:1/jwks", 1024)).await;
        assert!(matches!(refused, Err(FetchError::Address)), "{refused:?}");
        let asked = private.expect("a client").fetch(&FetchRequest::new("https://localhost:1/jwks", 1024)).await;
        assert!(matches!(asked, Err(FetchError::Connect(_))), "{asked:?}");
    }

    #[test]
    fn content_types_other_than_json_are_refused() {
        let is = |value: &'static str| is_json(Some(&HeaderValue::from_static(value)));
        assert!(is_json(None));
        assert!(is("application/json"));
        assert!(is("Application/JSON; charset=utf-8"));
        assert!(is("application/jwk-set+json"));
        for other in ["text/html", "text/plain", "application/jsonp", "application/", "", "text/x+json"] {
            assert!(!is(other), "{other}");
        }
    }
}
