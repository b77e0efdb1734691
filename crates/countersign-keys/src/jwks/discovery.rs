use crate::fetch::JwksFetch;
use crate::file::FileFetch;
use countersign::ConfigError;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// Where the JWK Set is.
#[derive(Clone)]
pub(super) enum Source {
    JwksUri(String),
    /// At the usual place below the issuer.
    Issuer {
        issuer: String,
    },
    Discovery {
        issuer: String,
    },
    File(PathBuf),
}

/// Shows nothing of a query, where keys to an API stand.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JwksUri(url) => f.debug_tuple("JwksUri").field(&url.split('?').next()).finish(),
            Self::Issuer { issuer } => f.debug_tuple("Issuer").field(issuer).finish(),
            Self::Discovery { issuer } => f.debug_tuple("Discovery").field(issuer).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Source {
    /// The URLs that are asked, as far as they are known now.
    pub(super) fn urls(&self) -> Result<Vec<String>, ConfigError> {
        match self {
            Self::JwksUri(url) => {
                Url::parse(url).map_err(|error| ConfigError::new("url", error.to_string()))?;
                Ok(vec![url.clone()])
            }
            Self::Issuer { issuer } => {
                check_issuer("issuer", issuer)?;
                Ok(vec![Self::well_known(issuer)])
            }
            Self::Discovery { issuer } => {
                check_issuer("discover", issuer)?;
                Ok(Self::metadata_urls(issuer).into())
            }
            Self::File(path) if path.as_os_str().is_empty() => Err(ConfigError::new("file", "the path is empty")),
            Self::File(_) => Ok(Vec::new()),
        }
    }

    /// Where the set is, if nobody has to be asked for that.
    pub(super) fn url(&self) -> Option<String> {
        match self {
            Self::JwksUri(url) => Some(url.clone()),
            Self::Issuer { issuer } => Some(Self::well_known(issuer)),
            Self::Discovery { .. } | Self::File(_) => None,
        }
    }

    /// What fetches it, where that is no HTTP client.
    pub(super) fn fetch(&self) -> Option<Box<dyn JwksFetch>> {
        match self {
            Self::File(path) => Some(Box::new(FileFetch(path.clone()))),
            _ => None,
        }
    }

    /// What stands for it among processes: none for a file, which each has for itself.
    pub(super) fn identity(&self) -> Option<[String; 2]> {
        let (kind, source) = match self {
            Self::JwksUri(url) => ("url", url.clone()),
            Self::Issuer { issuer } => ("issuer", Self::well_known(issuer)),
            Self::Discovery { issuer } => ("discover", issuer.clone()),
            Self::File(_) => return None,
        };
        Some([kind.to_owned(), source])
    }

    /// Whether keys from here may sign for this issuer (RFC 8725 §3.8): one that is named signs for itself alone, and one
    /// that was discovered is spelt as its metadata spells it.
    pub(super) fn is_for(&self, wanted: &str) -> bool {
        match self {
            Self::Issuer { issuer } => without_slash(issuer) == without_slash(wanted),
            Self::Discovery { issuer } => issuer == wanted,
            Self::JwksUri(_) | Self::File(_) => true,
        }
    }

    /// `/.well-known/jwks.json` below an issuer, written with or without a slash at its end.
    pub(super) fn well_known(issuer: &str) -> String {
        format!("{}/.well-known/jwks.json", without_slash(issuer))
    }

    /// Where an issuer's metadata may be. OpenID Connect Discovery 1.0 §4.1 appends its path to the issuer, a slash at
    /// whose end is removed before; RFC 8414 §3.1 puts its own between host and path.
    pub(super) fn metadata_urls(issuer: &str) -> [String; 2] {
        let base = without_slash(issuer);
        let authority = base.find("://").map_or(0, |at| at + 3);
        let path = base.get(authority..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| authority + at);
        let (host, path) = base.split_at_checked(path).unwrap_or((base, ""));
        [
            format!("{base}/.well-known/openid-configuration"),
            format!("{host}/.well-known/oauth-authorization-server{path}"),
        ]
    }
}

fn without_slash(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

fn check_issuer(setting: &'static str, issuer: &str) -> Result<(), ConfigError> {
    let parsed = Url::parse(issuer).map_err(|error| ConfigError::new(setting, error.to_string()))?;
    if parsed.query().is_some() || parsed.fragment().is_some() || parsed.cannot_be_a_base() {
        return Err(ConfigError::new(setting, "an issuer is a URL without query and fragment"));
    }
    Ok(())
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
    fn metadata_lies_below_the_issuer_or_between_its_host_and_its_path() {
        let cases = [
            ("https://a.example", "https://a.example", "https://a.example", ""),
            ("https://a.example/", "https://a.example", "https://a.example", ""),
            ("https://a.example:8443/t", "https://a.example:8443/t", "https://a.example:8443", "/t"),
            ("https://a.example/t/u/", "https://a.example/t/u", "https://a.example", "/t/u"),
        ];
        for (issuer, base, host, path) in cases {
            let expected = [
                format!("{base}/.well-known/openid-configuration"),
                format!("{host}/.well-known/oauth-authorization-server{path}"),
            ];
            assert_eq!(Source::metadata_urls(issuer), expected, "{issuer}");
        }
    }
}
