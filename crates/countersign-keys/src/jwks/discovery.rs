use countersign::ConfigError;
use serde::Deserialize;
use url::Url;

/// Where the JWK Set is.
#[derive(Clone, Debug)]
pub(super) enum Source {
    JwksUri(String),
    Discovery { issuer: String },
}

impl Source {
    /// The URL that is asked first.
    pub(super) fn first_url(&self) -> Result<String, ConfigError> {
        match self {
            Self::JwksUri(url) => {
                Url::parse(url).map_err(|error| ConfigError::new("url", error.to_string()))?;
                Ok(url.clone())
            }
            Self::Discovery { issuer } => {
                let parsed = Url::parse(issuer).map_err(|error| ConfigError::new("discover", error.to_string()))?;
                if parsed.query().is_some() || parsed.fragment().is_some() {
                    return Err(ConfigError::new("discover", "an issuer has neither query nor fragment"));
                }
                Ok(metadata_url(issuer))
            }
        }
    }
}

/// OpenID Connect Discovery 1.0 §4.1: a slash at the issuer's end is removed before the path is appended.
pub(super) fn metadata_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// The `jwks_uri` of an issuer's metadata, if it is that issuer's (OpenID Connect Discovery 1.0 §4.3).
pub(super) fn jwks_uri(metadata: &[u8], issuer: &str) -> Result<String, &'static str> {
    let metadata: Metadata =
        serde_json::from_slice(metadata).map_err(|_| "the metadata has no `issuer` or no `jwks_uri`")?;
    if metadata.issuer != issuer {
        return Err("the metadata is another issuer's");
    }
    Ok(metadata.jwks_uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_taken_from_the_identical_issuer_alone() {
        let metadata = br#"{"issuer":"https://a.example/","jwks_uri":"https://a.example/k"}"#;
        assert_eq!(jwks_uri(metadata, "https://a.example/").as_deref(), Ok("https://a.example/k"));
        for other in ["https://a.example", "https://A.example/", "https://b.example/"] {
            assert!(jwks_uri(metadata, other).is_err(), "{other}");
        }
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"issuer":"https://a.example/"}"#,
            r#"{"issuer":"https://a.example/","issuer":"https://a.example/","jwks_uri":"x"}"#,
        ] {
            assert!(jwks_uri(bad.as_bytes(), "https://a.example/").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference_to_the_path() {
        for issuer in ["https://a.example/t", "https://a.example/t/"] {
            assert_eq!(metadata_url(issuer), "https://a.example/t/.well-known/openid-configuration");
        }
    }
}
