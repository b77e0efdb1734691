//! Where in the claims a claim stands.

use countersign::ConfigError;
use std::fmt::{self, Display, Write};

/// The way from the claims set to one claim: names of members, each within the one before.
///
/// A `&str` or `String` is the path of a single name. It is not taken apart: `https://app.example/roles` and
/// `cognito:groups` are names of claims, and a Keycloak client may be called `my.api`. The names lead through
/// objects only, not into lists.
///
/// ```
/// use countersign_rbac::ClaimPath;
///
/// let keys = ClaimPath::keys(["resource_access", "my.api", "roles"]);
/// assert_eq!(keys, ClaimPath::pointer("/resource_access/my.api/roles")?);
/// assert_eq!(ClaimPath::from("https://app.example/roles"), ClaimPath::keys(["https://app.example/roles"]));
/// assert_eq!(ClaimPath::from("app/roles").to_string(), "/app~1roles");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// The path of these names, from the outside in. A mapping refuses the path of none.
    #[must_use]
    pub fn keys<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(Into::into).collect())
    }

    /// The path in the notation of JSON Pointer (RFC 6901): `/` before each name, `~1` for a `/` and `~0` for
    /// a `~` in a name.
    ///
    /// # Errors
    /// [`ConfigError`] when the text does not start with `/`, the empty text included, which would mean the
    /// claims set as a whole; or when a `~` is not followed by `0` or `1`.
    pub fn pointer(text: &str) -> Result<Self, ConfigError> {
        let problem = |what: &str| ConfigError::new("pointer", format!("`{text}` {what}"));
        let names = text.strip_prefix('/').ok_or_else(|| problem("does not start with `/`"))?;
        let unescape = |name: &str| {
            let mut parts = name.split('~');
            let mut plain = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (character, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
                    (Some(rest), _) => ('~', rest),
                    (_, Some(rest)) => ('/', rest),
                    (None, None) => return Err(problem("has a `~` that is neither `~0` nor `~1`")),
                };
                plain.push(character);
                plain.push_str(rest);
            }
            Ok(plain)
        };
        names.split('/').map(unescape).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self::keys([name])
    }
}

impl From<String> for ClaimPath {
    fn from(name: String) -> Self {
        Self::keys([name])
    }
}

/// Writes it as a JSON Pointer.
impl Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.0 {
            f.write_char('/')?;
            for character in name.chars() {
                match character {
                    '~' => f.write_str("~0")?,
                    '/' => f.write_str("~1")?,
                    other => f.write_char(other)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read_as_rfc_6901_says() {
        let cases: &[(&str, &[&str])] = &[
            ("/roles", &["roles"]),
            ("/realm_access/roles", &["realm_access", "roles"]),
            ("/a~1b", &["a/b"]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
            ("/~10", &["/0"]),
            ("/https:~1~1app.example~1roles", &["https://app.example/roles"]),
            ("/c%d/ /\"", &["c%d", " ", "\""]),
            ("/", &[""]),
            ("//a/", &["", "a", ""]),
            ("/Rollen/Führung", &["Rollen", "Führung"]),
        ];
        for (text, names) in cases {
            let path = ClaimPath::pointer(text).expect(text);
            assert_eq!(path.names(), *names, "{text}");
            assert_eq!(path.to_string(), *text, "written as it was read");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["", "roles", "#/roles", "~1roles", "/a~", "/a~2", "/a~/b", "/~~0"] {
            assert_eq!(ClaimPath::pointer(text).unwrap_err().setting(), "pointer", "{text}");
        }
    }

    #[test]
    fn a_string_is_one_name() {
        for name in ["a.b", "a/b", "cognito:groups", "https://app.example/roles", "", "~0"] {
            assert_eq!(ClaimPath::from(name).names(), [name]);
            assert_eq!(ClaimPath::from(name.to_owned()), ClaimPath::from(name));
        }
    }
}
