//! `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3): one challenge, written so that it parses.
//!
//! ```
//! use countersign::challenge::Challenge;
//!
//! let challenge = Challenge::new("Bearer").param("realm", "my-api").param("error", "invalid_token");
//! assert_eq!(challenge.to_string(), r#"Bearer realm="my-api", error="invalid_token""#);
//! ```

use crate::config::ConfigError;
use std::fmt::{self, Write};

/// A challenge: a scheme and its parameters, separated by commas.
///
/// ```
/// use countersign::challenge::Challenge;
///
/// // RFC 6750 §3
/// let challenge = Challenge::new("Bearer")
///     .param("realm", "example")
///     .param("error", "invalid_token")
///     .param("error_description", "The access token expired");
/// assert_eq!(
///     challenge.to_string(),
///     r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// A challenge without parameters.
    #[must_use]
    pub fn new(scheme: &str) -> Self {
        Self(scheme.to_owned())
    }

    /// Adds a parameter, quoted.
    ///
    /// Characters that a header field cannot carry are left out; see [`check_text`] for finding them early.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        let separator = if self.0.contains(' ') { ", " } else { " " };
        self.0.push_str(separator);
        self.0.push_str(name);
        self.0.push_str("=\"");
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                self.0.push('\\');
            }
            if is_text(character) {
                self.0.push(character);
            }
        }
        self.0.push('"');
        self
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_text(character: char) -> bool {
    matches!(character, ' '..='~')
}

/// Refuses a value that a challenge could not carry as it is: anything but printable ASCII.
///
/// # Errors
/// [`ConfigError`] that names `setting`.
///
/// ```
/// use countersign::challenge::check_text;
///
/// assert!(check_text("realm", "my-api").is_ok());
/// assert_eq!(check_text("realm", "two\r\nlines").unwrap_err().setting(), "realm");
/// ```
pub fn check_text(setting: &'static str, value: &str) -> Result<(), ConfigError> {
    match value.chars().find(|character| !is_text(*character)) {
        Some(character) => {
            let mut problem = String::from("has a character that a header field cannot carry: ");
            // Writing to a string does not fail.
            let _ = write!(problem, "{}", character.escape_unicode());
            Err(ConfigError::new(setting, problem))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_separated_by_commas_as_in_rfc_9110_11_6_1() {
        let newauth =
            Challenge::new("Newauth").param("realm", "apps").param("type", "1").param("title", "Login to \"apps\"");
        assert_eq!(newauth.to_string(), r#"Newauth realm="apps", type="1", title="Login to \"apps\"""#);
        assert_eq!(Challenge::new("Basic").param("realm", "simple").to_string(), r#"Basic realm="simple""#);
        assert_eq!(Challenge::new("Bearer").to_string(), "Bearer");
    }

    #[test]
    fn no_value_breaks_out_of_its_quotes_or_its_line() {
        let hostile = Challenge::new("Bearer").param("realm", "a\"b\\c\r\nSet-Cookie: x=1\u{0}é");
        assert_eq!(hostile.to_string(), r#"Bearer realm="a\"b\\cSet-Cookie: x=1""#);
        assert!(check_text("realm", "a\nb").is_err());
        assert!(check_text("realm", "é").is_err());
        assert!(check_text("realm", "plain \"text\"").is_ok());
    }
}
