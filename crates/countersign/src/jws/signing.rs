//! Signing: one payload, one or several keys, any serialization.

use super::compact::signing_input;
use super::header::{Fields, Header, WithUnencodedPayload};
use super::json::MAX_SIGNATURES;
use super::{MAX_HEADER_BYTES, fits, is_url_safe, members};
use crate::base64url;
use crate::config::ConfigError;
use crate::crypto::SigningFailed;
use crate::jwk::is_key_id;
use crate::key::SigningKey;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// Signs `payload` into a compact JWS.
///
/// # Errors
/// [`SignError`], by its variants: a header that was made for another key, or that could not be read back, and whatever
/// the backend refuses.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let header = jws::Header::new(&key).with_type("receipt+jws").with_content_type("json");
/// let receipt = jws::sign(&key, &header, br#"{"paid":12}"#)?;
///
/// let read = jws::Compact::parse(&receipt, jws::MAX_BYTES)?;
/// assert_eq!(read.header().token_type(), Some("receipt+jws"));
/// assert_eq!(read.verify(key.verifying_key())?, br#"{"paid":12}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sign(key: &SigningKey, header: &Header, payload: &[u8]) -> Result<String, SignError> {
    sign_under(key, &protected(key, header, false)?, payload, false)
}

/// A header as it stands in a compact token of `key`'s: with padding, which RFC 7515 §2 forbids, where that is asked for.
pub(crate) fn protected(key: &SigningKey, header: &Header, padded: bool) -> Result<String, SignError> {
    fits(header.algorithm, header.key_id(), key.verifying_key()).map_err(|_| SignError::Header)?;
    let json = readable(to_json(header)?)?;
    let mut protected = String::new();
    base64url::encode_onto(&mut protected, json.as_bytes(), padded);
    Ok(protected)
}

/// Signs `payload` under a header that [`protected`] has made for `key`.
pub(crate) fn sign_under(key: &SigningKey, protected: &str, payload: &[u8], padded: bool) -> Result<String, SignError> {
    // Two dots, and as much of a signature as a curve has.
    let mut token = String::with_capacity(protected.len() + payload.len().div_ceil(3) * 4 + 2 + 88);
    token.push_str(protected);
    token.push('.');
    base64url::encode_onto(&mut token, payload, padded);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    base64url::encode_onto(&mut token, &signature, padded);
    Ok(token)
}

/// A protected header that this crate reads back: what it does not take from others it does not give to them.
fn readable(protected: String) -> Result<String, SignError> {
    if protected.len() > MAX_HEADER_BYTES {
        return Err(SignError::TooLarge);
    }
    let read = Fields::read(protected.as_bytes(), true).and_then(|fields| fields.check_key_id());
    read.map(|()| protected).map_err(|_| SignError::Unreadable)
}

/// What is to be signed elsewhere …
pub(crate) fn unsigned(header: &Header, payload: &[u8]) -> Result<String, SignError> {
    let json = readable(to_json(header)?)?;
    Ok(format!("{}.{}", base64url::encode(json.as_bytes()), base64url::encode(payload)))
}

/// … and the token that it becomes.
pub(crate) fn attach_signature(unsigned: String, signature: &[u8]) -> String {
    unsigned + "." + &base64url::encode(signature)
}

/// Why nothing was signed.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let old = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-10")?;
/// let new = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let header = jws::Header::new(&old);
/// assert_eq!(jws::sign(&new, &header, b"any bytes"), Err(jws::SignError::Header));
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The header, protected or not, names another algorithm or `kid` than the key that is to sign under it.
    #[error("the header was made for another key")]
    Header,
    /// A name stands in the protected and in the unprotected header (RFC 7515 §7.2.1).
    #[error("a member stands in both headers")]
    NotDisjoint,
    /// The compact serialization has no unprotected header (RFC 7515 §7.1).
    #[error("this serialization has no unprotected header")]
    Unprotected,
    /// A header longer than any that this crate reads.
    #[error("a header is too large")]
    TooLarge,
    /// A header that this crate would refuse to read: with a `kid` of no or of too many octets, or with members that are
    /// too many or nested too deep.
    #[error("a header could not be read back")]
    Unreadable,
    /// The compact and the flattened serialization have one signature, the general one 1 to [`MAX_SIGNATURES`].
    #[error("this serialization does not take that many signatures")]
    Signatures,
    /// An unencoded payload that this serialization cannot hold (RFC 7797 §5): detach it.
    #[error("the payload cannot stand unencoded in this serialization")]
    Payload,
    /// The backend refused.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

/// A header that no signature covers (RFC 7515 §4): for hints, such as `kid`.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// // A hint for whoever carries the object, which no signature covers.
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let hints = jws::Unprotected::new().with("queue", "north".into())?;
/// let json = jws::Signing::new(b"a parcel").by_with_unprotected(&key, jws::Header::new(&key), hints).flattened()?;
///
/// let verified = jws::Json::parse(&json, &jws::Policy::new())?.verify(key.verifying_key())?;
/// assert_eq!(verified.unprotected("queue"), Some(&"north".into()));
/// assert_eq!(verified.header().get("queue"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Unprotected(Map<String, Value>);

impl Unprotected {
    /// An empty one, which is not written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member.
    ///
    /// # Errors
    /// [`ConfigError`] for `alg`, which this crate always protects, for `crit` and `b64`, which must be
    /// (RFC 7515 §4.1.11, RFC 7797 §6), and for `kid`, `typ` and `cty` of a kind that no receiver would take.
    pub fn with(mut self, name: impl Into<String>, value: Value) -> Result<Self, ConfigError> {
        let name = name.into();
        let problem = match name.as_str() {
            "alg" | "b64" | "crit" => Some("the header parameter must be protected"),
            "kid" if !value.as_str().is_some_and(is_key_id) => Some("not a `kid` of 1 to 256 printable octets"),
            "typ" | "cty" if !value.is_string() => Some("not a string"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(ConfigError::new("with", problem));
        }
        self.0.insert(name, value);
        Ok(self)
    }
}

impl fmt::Debug for Unprotected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unprotected").finish_non_exhaustive()
    }
}

/// A payload on its way to being signed, by one key or several.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let header = jws::Header::new(&key).without_key_id().with("purpose", "receipt".into())?;
/// let hints = jws::Unprotected::new().with("kid", "2026-11".into())?;
/// let json = jws::Signing::new(b"paid").by_with_unprotected(&key, header, hints).flattened()?;
///
/// let verified = jws::Json::parse(&json, &jws::Policy::new())?.verify(key.verifying_key())?;
/// assert_eq!(verified.payload(), b"paid");
/// assert_eq!(verified.header().get("purpose"), Some(&"receipt".into()));
/// assert_eq!(verified.header().key_id(), None, "it was not protected");
/// assert_eq!(verified.unprotected("kid"), Some(&"2026-11".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is signed before `compact`, `flattened` or `general`"]
pub struct Signing<'a> {
    payload: &'a [u8],
    detached: bool,
    unencoded: bool,
    signers: Vec<Signer<'a>>,
}

#[derive(Clone)]
struct Signer<'a> {
    key: &'a SigningKey,
    header: Header,
    unprotected: Unprotected,
}

impl<'a> Signing<'a> {
    /// Will sign `payload`.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { payload, detached: false, unencoded: false, signers: Vec::new() }
    }

    /// Leaves the payload out: it travels otherwise (RFC 7515 Appendix F).
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Signs the payload as it is, without base64url (RFC 7797): writes `b64=false` and lists it in `crit`, in the
    /// header of every signature.
    pub fn unencoded(mut self) -> Self {
        self.unencoded = true;
        self
    }

    /// Signs with `key` under a protected header.
    pub fn by(self, key: &'a SigningKey, header: Header) -> Self {
        self.by_with_unprotected(key, header, Unprotected::new())
    }

    /// Signs with `key` under a protected header and beside an unprotected one. Their names must differ.
    pub fn by_with_unprotected(mut self, key: &'a SigningKey, header: Header, unprotected: Unprotected) -> Self {
        self.signers.push(Signer { key, header, unprotected });
        self
    }

    /// The compact serialization (RFC 7515 §7.1), of one signature without an unprotected header. An unencoded payload
    /// is detached, or consists of letters, digits, `-`, `_` and `~` (RFC 7797 §5.2).
    ///
    /// # Errors
    /// [`SignError`], by its variants.
    pub fn compact(self) -> Result<String, SignError> {
        let signer = self.only_signer()?;
        if !signer.unprotected.0.is_empty() {
            return Err(SignError::Unprotected);
        }
        let payload = match (self.detached, self.unencoded) {
            (true, _) => String::new(),
            (false, true) if !is_url_safe(self.payload) => return Err(SignError::Payload),
            (false, _) => self.payload_text()?,
        };
        let Signed { protected, signature, .. } = self.signed(signer)?;
        Ok(format!("{protected}.{payload}.{signature}"))
    }

    /// The flattened JSON serialization (RFC 7515 §7.2.2), of one signature. An unencoded payload is UTF-8 or detached.
    ///
    /// # Errors
    /// [`SignError`], by its variants.
    pub fn flattened(self) -> Result<String, SignError> {
        let signed = self.signed(self.only_signer()?)?;
        to_json(&Flattened { payload: self.payload_member()?, signed })
    }

    /// The general JSON serialization (RFC 7515 §7.2.1). An unencoded payload is UTF-8 or detached.
    ///
    /// # Errors
    /// [`SignError`], by its variants.
    pub fn general(self) -> Result<String, SignError> {
        if !(1..=MAX_SIGNATURES).contains(&self.signers.len()) {
            return Err(SignError::Signatures);
        }
        let signatures = self.signers.iter().map(|signer| self.signed(signer)).collect::<Result<_, _>>()?;
        to_json(&General { payload: self.payload_member()?, signatures })
    }

    fn only_signer(&self) -> Result<&Signer<'a>, SignError> {
        match self.signers.as_slice() {
            [signer] => Ok(signer),
            _ => Err(SignError::Signatures),
        }
    }

    fn payload_member(&self) -> Result<Option<String>, SignError> {
        if self.detached { Ok(None) } else { self.payload_text().map(Some) }
    }

    fn payload_text(&self) -> Result<String, SignError> {
        if !self.unencoded {
            return Ok(base64url::encode(self.payload));
        }
        std::str::from_utf8(self.payload).map(str::to_owned).map_err(|_| SignError::Payload)
    }

    fn signed<'s>(&self, signer: &'s Signer<'_>) -> Result<Signed<'s>, SignError> {
        let Signer { key, header, unprotected: Unprotected(unprotected) } = signer;
        // A `kid` counts wherever it stands: whoever reads this holds it against the key.
        let key_id = header.key_id().or_else(|| unprotected.get("kid")?.as_str());
        fits(header.algorithm, key_id, key.verifying_key()).map_err(|_| SignError::Header)?;
        if unprotected.keys().any(|name| header.has(name)) {
            return Err(SignError::NotDisjoint);
        }
        let protected = readable(match self.unencoded {
            true => to_json(&WithUnencodedPayload(header))?,
            false => to_json(header)?,
        })?;
        let hints = to_json(unprotected)?;
        if hints.len() > MAX_HEADER_BYTES {
            return Err(SignError::TooLarge);
        }
        members::read_all(hints.as_bytes()).map_err(|_| SignError::Unreadable)?;
        let protected = base64url::encode(protected.as_bytes());
        let input = match self.unencoded {
            true => signing_input(&protected, self.payload),
            false => signing_input(&protected, base64url::encode(self.payload).as_bytes()),
        };
        let signature = key.sign(&input)?;
        let header = (!unprotected.is_empty()).then_some(unprotected);
        Ok(Signed { protected, header, signature: base64url::encode(&signature) })
    }
}

/// Shows the algorithms alone.
impl fmt::Debug for Signing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.signers.iter().map(|signer| signer.header.algorithm).collect();
        f.debug_struct("Signing").field("algorithms", &algorithms).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Signed<'s> {
    protected: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'s Map<String, Value>>,
    signature: String,
}

#[derive(Serialize)]
struct Flattened<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(flatten)]
    signed: Signed<'s>,
}

#[derive(Serialize)]
struct General<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    signatures: Vec<Signed<'s>>,
}

fn to_json(value: &impl Serialize) -> Result<String, SignError> {
    serde_json::to_string(value).map_err(|_| SignError::Unreadable)
}

#[cfg(test)]
mod tests;
