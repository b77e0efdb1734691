//! The HTTP client: HTTPS, public addresses, no redirects, bounded time and size.

mod address;

use crate::fetch::{FetchError, Fetched, JwksFetch};
use address::{AddressRule, CheckedResolver, is_allowed};
use countersign::{ConfigError, async_trait};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// For the whole exchange, body included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Fetches over HTTPS, from public addresses, with the certificate authorities of the operating system.
///
/// Connects within 2 s, finishes within 5 s, follows no redirect, uses no proxy. Addresses are checked after names are
/// resolved and before a connection is made, so that a name cannot be pointed inwards later.
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
        Self::with_rule(AddressRule::Public)
    }

    /// Also for plain HTTP to this machine (`localhost`, 127.0.0.0/8, `[::1]`): development and tests.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_loopback() -> Result<Self, ConfigError> {
        Self::with_rule(AddressRule::Loopback)
    }

    /// Also for HTTPS to private addresses: an issuer inside the same network. Link-local ones stay out of reach.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_private_addresses() -> Result<Self, ConfigError> {
        Self::with_rule(AddressRule::Private)
    }

    fn with_rule(rule: AddressRule) -> Result<Self, ConfigError> {
        let refused = |problem: String| ConfigError::new("fetch", problem);
        let client = Client::builder()
            .tls_backend_preconfigured(tls(rule)?)
            .dns_resolver(CheckedResolver(rule))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            // One request in minutes: a kept connection would belong to whichever runtime made it.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { client, rule })
    }

    /// What of the URL can be judged without asking anybody.
    pub(crate) fn check(&self, url: &str) -> Result<Url, ConfigError> {
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
            "http" if is_local && self.rule == AddressRule::Loopback => {}
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

fn tls(rule: AddressRule) -> Result<ClientConfig, ConfigError> {
    let refused = |error: rustls::Error| ConfigError::new("fetch", format!("TLS cannot be set up: {error}"));
    let builder = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(refused)
    };
    match builder()?.with_platform_verifier() {
        Ok(config) => Ok(config.with_no_client_auth()),
        // A development machine may have no authorities; without any, every https connection is refused.
        Err(_) if rule == AddressRule::Loopback => {
            Ok(builder()?.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
        }
        Err(error) => Err(refused(error)),
    }
}

#[async_trait]
impl JwksFetch for HttpFetch {
    async fn fetch(&self, url: &str, max_bytes: usize) -> Result<Fetched, FetchError> {
        let url = self.check(url).map_err(FetchError::Url)?;
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        let mut response = self.client.get(url).header(ACCEPT, accept).send().await.map_err(transport)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        if !is_json(response.headers().get(CONTENT_TYPE)) {
            return Err(FetchError::ContentType);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > max_bytes {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched::new(body))
    }
}

fn transport(error: reqwest::Error) -> FetchError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        if cause.is::<address::NotAllowed>() {
            return FetchError::Address;
        }
        source = cause.source();
    }
    FetchError::Transport(error.into())
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
        let loopback = HttpFetch::with_loopback().expect("a client");
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
        let private = HttpFetch::with_private_addresses();
        let Ok(public) = HttpFetch::new() else {
            assert!(private.is_err(), "a machine without certificate authorities has no such client at all");
            return;
        };
        let refused = public.fetch("https://localhost:1/jwks", 1024).await;
        assert!(matches!(refused, Err(FetchError::Address)), "{refused:?}");
        let asked = private.expect("a client").fetch("https://localhost:1/jwks", 1024).await;
        assert!(matches!(asked, Err(FetchError::Transport(_))), "{asked:?}");
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
