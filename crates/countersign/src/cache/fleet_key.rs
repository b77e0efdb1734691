use super::{CacheError, CacheKey, Result};
use crate::alg::Algorithm;
use crate::base64url;
use crate::config::ConfigError;
use crate::key::SigningKey;
use crate::secret::Secret;
use std::fmt::{self, Debug};

/// A secret that the processes of one service share, and nobody else has: what they leave with others, in a store that
/// others can write to or as an [anti-CSRF token](crate::extract::CsrfTokens), is authenticated with it (HMAC-SHA-256).
///
/// Each use has a purpose that is part of what is authenticated, so that nothing made for one counts for another. Make it of random octets, not of a password, and give no JWT key of the same octets to anybody.
///
/// To change it, start processes that have another one, and end those that have the old one. Meanwhile there are two fleets: each has
/// entries of its own for what is named with the key (shared keys are fetched once by each), and what was left by the other is
/// refused. A `RevocationLog` under one name is one fleet's alone, so it wants
/// another name too.
///
/// ```
/// use countersign::cache::FleetKey;
///
/// let key = FleetKey::from_base64url("tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM")?;
/// let tag = key.tag("letters", &[b"to whom", b"text"])?;
/// assert!(key.is_tag(&tag, "letters", &[b"to whom", b"text"]));
/// assert!(!key.is_tag(&tag, "letters", &[b"to who", b"mtext"]));
/// assert_eq!(format!("{key:?}"), "FleetKey(…)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FleetKey(SigningKey);

/// The name of the setting in errors.
const SETTING: &str = "fleet_key";

impl FleetKey {
    /// A secret of at least 32 octets.
    ///
    /// # Errors
    /// [`ConfigError`] for `fleet_key` where it is shorter, or is the text of a key in PEM, OpenSSH or JWK form.
    pub fn new(octets: impl AsRef<[u8]>) -> std::result::Result<Self, ConfigError> {
        let key = SigningKey::from_secret(Algorithm::HS256, octets);
        key.map(Self).map_err(|error| ConfigError::new(SETTING, error.to_string()))
    }

    /// A secret of at least 32 octets, written in base64url without padding (RFC 7515 §2): 43 characters or more.
    ///
    /// # Errors
    /// As [`new`](Self::new), and where the text is not canonical base64url. The text is in no error.
    pub fn from_base64url(text: &str) -> std::result::Result<Self, ConfigError> {
        let octets = base64url::decode(text)
            .map_err(|_| ConfigError::new(SETTING, "is not base64url without padding and white space"))?;
        Self::new(Secret::new(octets).expose())
    }

    /// What only holders of the key can make of `parts`. No two lists of parts have the same tag, and none has the same
    /// one for two purposes.
    ///
    /// # Errors
    /// [`CacheError`] where the backend cannot do it; ring's always can.
    pub fn tag(&self, purpose: &'static str, parts: &[&[u8]]) -> Result<Vec<u8>> {
        self.0.sign(&message(purpose, parts)).map_err(CacheError::because)
    }

    /// The name of an entry: a constant, and the [tag](Self::tag) of `parts` for that constant. Whoever lacks the key cannot
    /// tell it from `parts`, and services that have different keys meet in no entry of a store that they share.
    ///
    /// ```
    /// use countersign::cache::FleetKey;
    ///
    /// let key = FleetKey::new([7; 32])?;
    /// let name = key.cache_key("letters", &[b"to whom"])?;
    /// assert!(name.as_str().starts_with("letters:") && name.as_str().len() == 51);
    /// assert_ne!(name, FleetKey::new([8; 32])?.cache_key("letters", &[b"to whom"])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`tag`](Self::tag).
    pub fn cache_key(&self, name: &'static str, parts: &[&[u8]]) -> Result<CacheKey> {
        Ok(CacheKey(format!("{name}:{}", base64url::encode(&self.tag(name, parts)?))))
    }

    /// Whether `tag` is what [`tag`](Self::tag) makes of the same, compared in constant time.
    #[must_use]
    pub fn is_tag(&self, tag: &[u8], purpose: &'static str, parts: &[&[u8]]) -> bool {
        self.0.verifying_key().verify(&message(purpose, parts), tag).is_ok()
    }
}

/// Each part after its length, so that none can lend octets to the next.
fn message(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut message = Vec::new();
    for part in [purpose.as_bytes()].iter().chain(parts) {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

impl Debug for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetKey(…)")
    }
}

#[cfg(all(test, any(feature = "aws-lc", feature = "ring")))]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_too_short_or_badly_written_is_refused_and_not_repeated() {
        let long = "QUFB".repeat(11);
        for text in ["", "c2hvcnQ", &long[..42], &format!("{long}="), &format!(" {long}"), &format!("{long}\n"), "§"] {
            let error = FleetKey::from_base64url(text).expect_err(text);
            assert_eq!(error.setting(), "fleet_key");
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
        }
        FleetKey::from_base64url(&long).expect("33 octets");
        FleetKey::new([7; 32]).expect("32 octets");
        let short = FleetKey::new([7; 31]).expect_err("31 octets");
        assert_eq!(short.setting(), "fleet_key");
        assert!(FleetKey::new("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ").is_err(), "a public key is no secret");
    }

    #[test]
    fn a_tag_stands_for_its_key_its_purpose_and_its_parts_alone() {
        let key = FleetKey::new([7; 32]).expect("a key");
        let tag = key.tag("p", &[b"ab", b"c"]).expect("a tag");
        assert_eq!(tag, key.tag("p", &[b"ab", b"c"]).expect("a tag"), "whoever has the key makes the same one");
        assert!(key.is_tag(&tag, "p", &[b"ab", b"c"]));
        let others: [(&str, &[&[u8]]); 6] = [
            ("p", &[b"a", b"bc"]),
            ("p", &[b"abc"]),
            ("p", &[b"ab", b"c", b""]),
            ("p", &[b"", b"ab", b"c"]),
            ("pa", &[b"b", b"c"]),
            ("q", &[b"ab", b"c"]),
        ];
        for (purpose, parts) in others {
            assert!(!key.is_tag(&tag, purpose, parts), "{purpose} {parts:?}");
        }
        assert!(!FleetKey::new([8; 32]).expect("a key").is_tag(&tag, "p", &[b"ab", b"c"]));
        assert!(!key.is_tag(&tag[..31], "p", &[b"ab", b"c"]) && !key.is_tag(b"", "p", &[b"ab", b"c"]));
    }
}
