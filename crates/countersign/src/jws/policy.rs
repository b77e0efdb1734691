//! What a caller allows beyond the plain case.

use super::MAX_BYTES;
use super::members::is_registered;
use super::octets::Octets;
use crate::base64url;
use crate::config::ConfigError;
use crate::reason::Rejection;

/// What a caller of [`Compact`](super::Compact) and [`Json`](super::Json) allows. By default: 16 KiB, no `crit`,
/// encoded payloads.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let header = jws::Header::new(&key).with_critical("https://example.com/tenant", "blue".into())?;
/// let token = jws::sign(&key, &header, b"payload")?;
///
/// let refused = jws::Compact::parse_with(&token, &jws::Policy::new());
/// assert_eq!(refused.unwrap_err(), countersign::reason::Rejection::CriticalHeader);
///
/// let policy = jws::Policy::new().understand("https://example.com/tenant")?;
/// let verified = jws::Compact::parse_with(&token, &policy)?.into_verified(key.verifying_key())?;
/// assert_eq!(verified.header().get("https://example.com/tenant"), Some(&"blue".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    pub(super) max_bytes: usize,
    pub(super) unencoded: bool,
    pub(super) padded: bool,
    understood: Vec<String>,
}

impl Policy {
    /// Nothing beyond the plain case.
    #[must_use]
    pub fn new() -> Self {
        Self { max_bytes: MAX_BYTES, unencoded: false, padded: false, understood: Vec::new() }
    }

    /// The longest serialized JWS that is read, in bytes. A detached payload, which the caller already has, is not
    /// counted.
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Says that the caller reads the protected member `name` after verification and does as it says, so that `crit`
    /// may list it (RFC 7515 §4.1.11). May be said several times.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that RFC 7515, RFC 7516 or RFC 7518 defines, which `crit` must not list; for `b64`,
    /// which [`allow_unencoded_payload`](Self::allow_unencoded_payload) brings in; and for no name at all.
    pub fn understand(mut self, name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        check_extension(&name).map_err(|problem| ConfigError::new("understand", problem))?;
        self.understood.push(name);
        Ok(self)
    }

    /// Allows `b64=false` (RFC 7797): the signature is over the payload itself. `crit` may then list `b64`.
    #[must_use]
    pub fn allow_unencoded_payload(mut self) -> Self {
        self.unencoded = true;
        self
    }

    /// Takes compact tokens whose base64url has padding, which RFC 7515 §2 forbids: one token then has two spellings.
    #[must_use]
    pub fn danger_padded_base64url(mut self) -> Self {
        self.padded = true;
        self
    }

    /// What either of the two allows, for reading what one of them will judge.
    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.max_bytes = self.max_bytes.max(other.max_bytes);
        self.unencoded |= other.unencoded;
        self.padded |= other.padded;
        self.understood.extend(other.understood.iter().cloned());
        self
    }

    pub(super) fn unpadded(mut self) -> Self {
        self.padded = false;
        self
    }

    /// Decodes a part of a compact token.
    pub(super) fn decode(&self, part: &str) -> Result<Vec<u8>, Rejection> {
        base64url::decode(part).or_else(|_| self.decode_padded(part))
    }

    /// What is said of a part that is not unpadded base64url.
    fn decode_padded(&self, part: &str) -> Result<Vec<u8>, Rejection> {
        // Without it, the padded form is the unpadded one, or nothing.
        if !part.ends_with('=') {
            return Err(Rejection::Malformed);
        }
        match base64url::decode_padded(part) {
            Ok(decoded) if self.padded => Ok(decoded),
            Ok(_) => Err(Rejection::Padding),
            Err(_) => Err(Rejection::Malformed),
        }
    }

    /// A part of a compact token that is looked at and not kept: its signature, its header.
    pub(super) fn decode_octets<'t>(&self, part: &'t str) -> Result<Octets<'t>, Rejection> {
        Octets::of(part, |part| self.decode_padded(part))
    }

    pub(super) fn understands(&self, name: &str) -> bool {
        if name == "b64" { self.unencoded } else { self.understood.iter().any(|understood| understood == name) }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a caller may list `name` in `crit`, or say what it means there.
pub(super) fn check_extension(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("is empty"),
        "b64" => Err("`b64` has a method of its own"),
        name if is_registered(name) => Err("`crit` must not list a registered header parameter"),
        _ => Ok(()),
    }
}
