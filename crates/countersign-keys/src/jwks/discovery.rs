use crate::fetch::JwksFetch;
use crate::file::FileFetch;
use countersign::ConfigError;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// How many characters of a text that is not ours an error shows.
const MAX_SHOWN: usize = 200;

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

    /// The setting that a client refuses, with the URL that it would ask. Users, passwords and queries are not shown: keys to
    /// an API stand there.
    pub(super) fn refused(&self, url: &str, error: &ConfigError) -> ConfigError {
        let setting = match self {
            Self::JwksUri(_) => "url",
            Self::Issuer { .. } => "issuer",
            Self::Discovery { .. } => "discover",
            Self::File(_) => "file",
        };
        let shown = Url::parse(url).ok().map(|mut url| {
            let is_plain = url.set_username("").and(url.set_password(None)).is_ok();
            url.set_query(None);
            url.set_fragment(None);
            if is_plain { shown(url.as_str()) } else { shown(url.scheme()) }
        });
        ConfigError::new(setting, format!("`{}`: {}", shown.unwrap_or_default(), error.problem()))
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

/// Text from settings or from a server, for an error: escaped, and cut.
fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
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
pub(super) fn jwks_uri(metadata: &[u8], issuer: &str) -> Result<String, Cow<'static, str>> {
    let metadata: Metadata =
        serde_json::from_slice(metadata).map_err(|_| "the metadata has no `issuer` or no `jwks_uri`")?;
    if metadata.issuer != issuer {
        let (theirs, wanted) = (shown(&metadata.issuer), shown(issuer));
        return Err(format!("the metadata's issuer is `{theirs}`, and `{wanted}` was asked for").into());
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
    fn another_issuers_metadata_is_told_apart_by_name_escaped_and_cut() {
        let told = |theirs: &str| {
            let metadata = serde_json::json!({ "issuer": theirs, "jwks_uri": "https://a.example/k" }).to_string();
            jwks_uri(metadata.as_bytes(), "https://a.example").expect_err(theirs)
        };
        assert_eq!(
            told("https://a.example/"),
            "the metadata's issuer is `https://a.example/`, and `https://a.example` was asked for"
        );
        assert!(told("a\n\u{1b}[31m\u{202e}b").contains(r"`a\n\u{1b}[31m\u{202e}b`"));
        assert!(told(&"x".repeat(100_000)).len() < 1024);
    }

    #[test]
    fn metadata_lies_below_the_issuer_or_between_its_host_and_its_path() {
        let cases = [
            ("https://a.example", "https://a.example", "https://a.example", ""),
            ("https://a.example/", "https://a.example", "https://a.example", ""),
            ("https://a.example:8443/t", "https://a.example:8443/t", "https://a.example:8443", "/t"),
            ("https://a.example/t/u/", "https://a.example/t/u", "https://a.example", "/t/u"),
            ("https://a.b/t", "https://a.b/t", "https://a.b", "/t"),
        ];
        for (issuer, base, host, path) in cases {
            let expected = [
                format!("{base}/.well-known/openid-configuration"),
                format!("{host}/.well-known/oauth-authorization-server{path}"),
            ];
            assert_eq!(Source::metadata_urls(issuer), expected, "{issuer}");
        }
    }

    #[test]
    fn a_source_that_others_can_ask_has_a_name_among_processes_and_one_that_names_its_keys_a_url() {
        let (keys, issuer) = ("https://a.example/keys", "https://a.example/t/");
        let cases = [
            (Source::JwksUri(keys.into()), Some(keys), Some(["url", keys])),
            (
                Source::Issuer { issuer: issuer.into() },
                Some("https://a.example/t/.well-known/jwks.json"),
                Some(["issuer", "https://a.example/t/.well-known/jwks.json"]),
            ),
            (Source::Discovery { issuer: issuer.into() }, None, Some(["discover", issuer])),
            (Source::File("keys.json".into()), None, None),
        ];
        for (source, url, identity) in cases {
            assert_eq!(source.url().as_deref(), url, "{source:?}");
            assert_eq!(source.identity(), identity.map(|parts| parts.map(str::to_owned)), "{source:?}");
        }
    }
}
