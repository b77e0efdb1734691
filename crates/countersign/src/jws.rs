//! JSON Web Signature (RFC 7515) and unencoded payloads (RFC 7797): bytes in, bytes out, no claims.
//!
//! | serialization | read with | written with |
//! |---|---|---|
//! | compact | [`Compact::parse`], [`Compact::parse_with`] | [`sign`], [`Signing::compact`] |
//! | compact, payload detached | [`Compact::parse_detached`] | [`Signing::detached`] |
//! | flattened and general JSON | [`Json::parse`] | [`Signing::flattened`], [`Signing::general`] |
//! | JSON, payload detached | [`Json::parse_detached`] | [`Signing::detached`] |
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
//!
//! # What is decided here
//!
//! 1. The key decides the algorithm. `alg` can only agree with it, so it does no harm where it is not protected
//!    (RFC 7515 §10.7); what this crate signs protects it.
//! 2. A `kid` that is not the key's refuses. A key or a signature without one matches by algorithm.
//! 3. `crit` names what a [`Policy`] says is understood, or the signature counts for nothing (RFC 7515 §4.1.11). A
//!    `crit` that breaks the RFC's rules refuses the whole object.
//! 4. Payloads are base64url unless the [`Policy`] allows `b64=false` and `crit` lists it.
//! 5. What a [`Verified`] shows as its header stood under the signature. Unprotected members have a method that says
//!    so.
//! 6. Keys and addresses of keys in a header (`jwk`, `jku`, `x5c`, `x5u`) are never used.
//!
//! JWTs are compact, encoded and without `crit`: the verifiers of this crate read them with [`Compact::parse`].

mod anatomy;
mod compact;
mod header;
mod json;
mod known;
mod members;
mod octets;
mod policy;
mod signing;

pub(crate) use anatomy::{Anatomy, Finding};
pub use compact::Compact;
pub use header::Header;
pub use json::{Json, MAX_SIGNATURES, Signature};
pub(crate) use known::KnownHeaders;
pub use policy::Policy;
pub use signing::{SignError, Signing, Unprotected, sign};
pub(crate) use signing::{attach_signature, protected, sign_under, unsigned};

use crate::alg::Algorithm;
use crate::key::VerifyingKey;
use crate::reason::Rejection;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::fmt;

/// The longest token that is read unless the caller says otherwise, in bytes.
///
/// ```
/// use countersign::jws::{Compact, MAX_BYTES};
/// use countersign::reason::Rejection;
///
/// let long = "a".repeat(MAX_BYTES + 1);
/// assert_eq!(Compact::parse(&long, MAX_BYTES).err(), Some(Rejection::TooLarge));
/// ```
pub const MAX_BYTES: usize = 16 * 1024;
/// A longer header is refused, in bytes of JSON.
const MAX_HEADER_BYTES: usize = 4 * 1024;
/// A header of more members is refused: it is read before any key is known, and strangers write it. RFC 7515 has eleven.
const MAX_HEADER_MEMBERS: usize = 32;

/// What a signature vouches for: the payload, and the protected header of that very signature.
///
/// `Debug` shows the algorithm alone.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("ours")?;
/// let token = jws::sign(&key, &jws::Header::new(&key), b"any bytes")?;
/// let verified = jws::Compact::parse(&token, jws::MAX_BYTES)?.into_verified(key.verifying_key())?;
/// assert_eq!(verified.payload(), b"any bytes");
/// assert_eq!((verified.header().key_id(), verified.index()), (Some("ours"), 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Verified {
    payload: Bytes,
    header: Header,
    unprotected: Map<String, Value>,
    index: usize,
}

impl Verified {
    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, without a copy.
    #[must_use]
    pub fn into_payload(self) -> Bytes {
        self.payload
    }

    /// The protected header of the signature that verified.
    ///
    /// `alg` is there even if it stood in the unprotected header: the key has confirmed it.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// A member of the unprotected header (RFC 7515 §4), `kid` among them. **No signature covers it**: whoever carried
    /// the object could write it.
    #[must_use]
    pub fn unprotected(&self, name: &str) -> Option<&Value> {
        self.unprotected.get(name)
    }

    /// Which signature verified, counted from 0 in the order of `signatures`; 0 for the other serializations.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Whether a signature under this `alg` and `kid` can be `key`'s.
fn fits(algorithm: Algorithm, key_id: Option<&str>, key: &VerifyingKey) -> Result<(), Rejection> {
    if !algorithm.is_same_as(key.algorithm()) {
        return Err(Rejection::KeyMismatch);
    }
    match (key_id, key.key_id()) {
        (Some(wanted), Some(own)) if wanted != own => Err(Rejection::KeyMismatch),
        _ => Ok(()),
    }
}

/// What RFC 7797 §5.2 lets stand unencoded between two dots: RFC 3986's unreserved characters without the dot.
fn is_url_safe(payload: &[u8]) -> bool {
    payload.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~'))
}

#[cfg(test)]
mod tests;
