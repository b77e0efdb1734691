//! JSON Web Signature (RFC 7515), compact serialization: bytes in, bytes out, no claims.
//!
//! ```
//! use countersign::{Algorithm, SigningKey, jws};
//!
//! let key = SigningKey::from_secret(Algorithm::HS256, [7; 32])?;
//! let token = jws::sign(&key, &jws::Header::new(&key), b"any bytes")?;
//!
//! let signed = jws::Compact::parse(&token, jws::MAX_BYTES)?;
//! assert_eq!(signed.verify(key.verifying_key())?, b"any bytes");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::alg::Algorithm;
use crate::base64url;
use crate::crypto::SigningFailed;
use crate::json::{self, JsonError, Members, Wrong};
use crate::jwk::is_key_id;
use crate::key::{SigningKey, VerifyingKey};
use crate::reason::Rejection;
use serde::Serialize;
use serde::de::MapAccess;
use std::fmt;

/// The longest token that is read unless the caller says otherwise, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// A longer header is refused, in bytes of JSON.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// A JOSE header (RFC 7515 §4) that this crate can act on.
///
/// `jku`, `jwk`, `x5u` and `x5c` are never followed or trusted, so they are not kept.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Header {
    #[serde(rename = "alg", serialize_with = "algorithm_name")]
    algorithm: Algorithm,
    #[serde(rename = "typ", skip_serializing_if = "Option::is_none")]
    token_type: Option<String>,
    #[serde(rename = "cty", skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(rename = "kid", skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn algorithm_name<S: serde::Serializer>(algorithm: &Algorithm, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(algorithm.name())
}

impl Header {
    /// The header of what `key` signs: its algorithm, and its `kid` where it has one.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        Self {
            algorithm: key.algorithm(),
            token_type: None,
            content_type: None,
            key_id: key.key_id().map(str::to_owned),
        }
    }

    /// Sets `typ`, the kind of the whole object (RFC 7515 §4.1.9).
    #[must_use]
    pub fn with_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = Some(token_type.into());
        self
    }

    /// Sets `cty`, the kind of the payload (RFC 7515 §4.1.10).
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// `alg`. A claim of the sender: the algorithm that is used comes from the key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`: 1 to 256 octets without control characters.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `typ`.
    #[must_use]
    pub fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    /// `cty`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    fn parse(json: &[u8]) -> Result<Self, Rejection> {
        let mut fields = Fields::default();
        json::read_object(json, &mut fields).map_err(|error| match error {
            JsonError::WrongType("crit" | "b64") => Rejection::CriticalHeader,
            JsonError::WrongType("alg") => Rejection::Algorithm,
            _ => Rejection::Malformed,
        })?;
        // No extension is understood (RFC 7515 §4.1.11), an unencoded payload (RFC 7797) among them.
        if fields.critical || fields.encoded == Some(false) {
            return Err(Rejection::CriticalHeader);
        }
        let name = fields.algorithm.ok_or(Rejection::Malformed)?;
        let algorithm = Algorithm::from_name(&name).ok_or(Rejection::Algorithm)?;
        if fields.key_id.as_deref().is_some_and(|key_id| !is_key_id(key_id)) {
            return Err(Rejection::Malformed);
        }
        Ok(Self { algorithm, token_type: fields.token_type, content_type: fields.content_type, key_id: fields.key_id })
    }
}

/// Shows the algorithm alone: all else is the sender's text.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Fields {
    algorithm: Option<String>,
    token_type: Option<String>,
    content_type: Option<String>,
    key_id: Option<String>,
    critical: bool,
    encoded: Option<bool>,
}

impl<'de> Members<'de> for Fields {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        match name {
            "alg" => self.algorithm = Some(json::typed(map, "alg")?),
            "typ" => self.token_type = Some(json::typed(map, "typ")?),
            "cty" => self.content_type = Some(json::typed(map, "cty")?),
            "kid" => self.key_id = Some(json::typed(map, "kid")?),
            "b64" => self.encoded = Some(json::typed(map, "b64")?),
            "crit" => {
                self.critical = true;
                json::skip(map)?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// A compact JWS, taken apart and not yet verified: its payload is out of reach until [`verify`](Self::verify).
pub struct Compact<'t> {
    header: Header,
    signing_input: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`] beyond `max_bytes`; [`Rejection::Malformed`] for anything but three parts of
    /// canonical base64url, the first of which is strict JSON; [`Rejection::Algorithm`] for an unknown `alg`;
    /// [`Rejection::CriticalHeader`] for `crit`.
    pub fn parse(token: &'t str, max_bytes: usize) -> Result<Self, Rejection> {
        if token.len() > max_bytes {
            return Err(Rejection::TooLarge);
        }
        // From the back, so that a long run of dots costs no more than finding two of them.
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Rejection::Malformed)?;
        if header.len() > MAX_HEADER_BYTES.div_ceil(3) * 4 || payload.contains('.') {
            return Err(Rejection::Malformed);
        }
        let decode = |part: &str| base64url::decode(part).map_err(|_| Rejection::Malformed);
        let header = Header::parse(&decode(header)?)?;
        Ok(Self { header, signing_input, payload: decode(payload)?, signature: decode(signature)? })
    }

    /// The header: what the sender claims, and no more.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Verifies the signature and gives the payload.
    ///
    /// # Errors
    /// [`Rejection::KeyMismatch`] when the header names another algorithm than the key's, or another `kid` than one
    /// the key has; [`Rejection::Signature`] when the signature does not verify.
    pub fn verify(self, key: &VerifyingKey) -> Result<Vec<u8>, Rejection> {
        if !self.header.algorithm.is_same_as(key.algorithm()) {
            return Err(Rejection::KeyMismatch);
        }
        if let (Some(wanted), Some(own)) = (self.header.key_id(), key.key_id())
            && wanted != own
        {
            return Err(Rejection::KeyMismatch);
        }
        key.verify(self.signing_input.as_bytes(), &self.signature).map_err(|_| Rejection::Signature)?;
        Ok(self.payload)
    }

    /// The payload before verification: for the registered claims alone, which decide what key is asked for.
    pub(crate) fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Shows the header's algorithm alone: the rest could be sent again.
impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Signs `payload` into a compact JWS.
///
/// # Errors
/// [`SigningFailed`] when the backend refuses.
pub fn sign(key: &SigningKey, header: &Header, payload: &[u8]) -> Result<String, SigningFailed> {
    let json = serde_json::to_vec(header).map_err(|_| SigningFailed)?;
    let mut token = base64url::encode(&json);
    token.push('.');
    token.push_str(&base64url::encode(payload));
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&base64url::encode(&signature));
    Ok(token)
}

#[cfg(test)]
mod tests;
