//! The compact serialization (RFC 7515 §7.1), with the payload in it or beside it.

use super::header::{Fields, Header};
use super::known::KnownHeaders;
use super::octets::Octets;
use super::policy::Policy;
use super::{MAX_HEADER_BYTES, Verified, fits, is_url_safe};
use crate::base64url;
use crate::key::VerifyingKey;
use crate::reason::Rejection;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::{fmt, mem};

/// A compact JWS, taken apart and not yet verified: its payload is out of reach until [`verify`](Self::verify).
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let (ours, theirs) = (SigningKey::generate(Algorithm::ES256)?, SigningKey::generate(Algorithm::ES256)?);
/// let token = jws::sign(&ours, &jws::Header::new(&ours), b"any bytes")?;
///
/// let parsed = || jws::Compact::parse(&token, jws::MAX_BYTES);
/// assert!(parsed()?.verify(theirs.verifying_key()).is_err());
/// let verified = parsed()?.into_verified(ours.verifying_key())?;
/// assert_eq!((verified.payload(), verified.header().algorithm()), (&b"any bytes"[..], Algorithm::ES256));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Compact<'t> {
    header: Shared,
    /// The header's text, where it may be remembered and is not yet: never with `b64=false`.
    unknown: Option<&'t str>,
    /// The header's other members, out of reach until the signature is verified.
    members: Map<String, Value>,
    signing_input: Cow<'t, [u8]>,
    payload: Cow<'t, [u8]>,
    signature: Octets<'t>,
}

/// A header. What is read afresh is put where it can be shared when a signature stands over it: most tokens of strangers never
/// come so far.
enum Shared {
    Fresh(Header),
    Remembered(Arc<Header>),
}

impl Shared {
    fn get(&self) -> &Header {
        match self {
            Self::Fresh(header) => header,
            Self::Remembered(header) => header,
        }
    }

    fn into_shared(self) -> Arc<Header> {
        match self {
            Self::Fresh(header) => Arc::new(header),
            Self::Remembered(header) => header,
        }
    }
}

pub(super) struct Parts<'t> {
    signing_input: &'t str,
    pub(super) protected: &'t str,
    pub(super) payload: &'t str,
    pub(super) signature: &'t str,
}

impl<'t> Parts<'t> {
    pub(super) fn split(token: &'t str, max_bytes: usize) -> Result<Self, Rejection> {
        if token.len() > max_bytes {
            return Err(Rejection::TooLarge);
        }
        // From the back, so that a long run of dots costs no more than finding two of them.
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (protected, payload) = signing_input.split_once('.').ok_or(Rejection::Malformed)?;
        // All of it is looked at, many octets at a time.
        if payload.bytes().fold(false, |any, octet| any | (octet == b'.')) {
            return Err(Rejection::Malformed);
        }
        Ok(Self { signing_input, protected, payload, signature })
    }

    fn header(&self, policy: &Policy, keep_members: bool) -> Result<(Header, bool), Rejection> {
        let octets = policy.decode_octets(header_part(self.protected)?)?;
        let fields = octets.with(|json| Fields::read(json, keep_members)).map_err(|_| Rejection::Malformed)??;
        let algorithm = fields.algorithm()?;
        if !fields.critical_understood(policy)? {
            return Err(Rejection::CriticalHeader);
        }
        fields.check_key_id()?;
        let unencoded = fields.is_unencoded();
        Ok((fields.into_header(algorithm?), unencoded))
    }
}

/// The bytes of a protected header.
pub(super) fn decode_header(part: &str, policy: &Policy) -> Result<Vec<u8>, Rejection> {
    policy.decode(header_part(part)?)
}

/// A protected header that is not too long.
fn header_part(part: &str) -> Result<&str, Rejection> {
    if part.len() > MAX_HEADER_BYTES.div_ceil(3) * 4 { Err(Rejection::Malformed) } else { Ok(part) }
}

impl<'t> Compact<'t> {
    /// Takes a token apart, the plain case: no `crit`, an encoded payload.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`] beyond `max_bytes`; [`Rejection::Malformed`] for anything but three parts of
    /// canonical base64url, the first of which is strict JSON; [`Rejection::Padding`] where padding alone is wrong with
    /// them; [`Rejection::Algorithm`] for an unknown `alg`; [`Rejection::CriticalHeader`] for `crit`.
    pub fn parse(token: &'t str, max_bytes: usize) -> Result<Self, Rejection> {
        Self::attached(token, &Policy::new().max_bytes(max_bytes), false, None, |_| Ok(()))
    }

    /// Takes a token apart, and lets [`into_verified`](Self::into_verified) give all of its header.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), `crit` and `b64` being judged by `policy`. An unencoded payload is
    /// [`Rejection::Malformed`] unless it consists of letters, digits, `-`, `_` and `~` (RFC 7797 §5.2).
    pub fn parse_with(token: &'t str, policy: &Policy) -> Result<Self, Rejection> {
        Self::attached(token, policy, true, None, |_| Ok(()))
    }

    fn attached(
        token: &'t str,
        policy: &Policy,
        keep_members: bool,
        known: Option<&KnownHeaders>,
        accept: impl FnOnce(&Header) -> Result<(), Rejection>,
    ) -> Result<Self, Rejection> {
        let parts = Parts::split(token, policy.max_bytes)?;
        let remembered = known.and_then(|known| known.find(parts.protected));
        let (header, unknown, members, unencoded) = match remembered {
            Some(header) => (Shared::Remembered(header), None, Map::new(), false),
            None => {
                let (mut header, unencoded) = parts.header(policy, keep_members)?;
                let members = header.take_members();
                (Shared::Fresh(header), (!unencoded).then_some(parts.protected), members, unencoded)
            }
        };
        accept(header.get())?;
        let payload = match unencoded {
            false => Cow::Owned(policy.decode(parts.payload)?),
            true if is_url_safe(parts.payload.as_bytes()) => Cow::Borrowed(parts.payload.as_bytes()),
            true => return Err(Rejection::Malformed),
        };
        let signature = policy.decode_octets(parts.signature)?;
        let signing_input = Cow::Borrowed(parts.signing_input.as_bytes());
        Ok(Self { header, unknown, members, signing_input, payload, signature })
    }

    /// Takes a token apart whose payload travelled otherwise (RFC 7515 Appendix F).
    ///
    /// ```
    /// use countersign::{Algorithm, SigningKey, jws};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let body = b"{\"amount\": 20.00}";
    /// let token = jws::Signing::new(body).detached().unencoded().by(&key, jws::Header::new(&key)).compact()?;
    /// assert!(token.contains(".."));
    ///
    /// let policy = jws::Policy::new().allow_unencoded_payload();
    /// let signed = jws::Compact::parse_detached(&token, body, &policy)?;
    /// assert!(signed.verify(key.verifying_key()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`parse_with`](Self::parse_with); and [`Rejection::Malformed`] for a token that brings a payload along.
    pub fn parse_detached(token: &'t str, payload: &'t [u8], policy: &Policy) -> Result<Self, Rejection> {
        let parts = Parts::split(token, policy.max_bytes)?;
        if !parts.payload.is_empty() {
            return Err(Rejection::Malformed);
        }
        let (mut header, unencoded) = parts.header(policy, true)?;
        let members = header.take_members();
        let input = match unencoded {
            true => signing_input(parts.protected, payload),
            false => signing_input(parts.protected, base64url::encode(payload).as_bytes()),
        };
        let signature = policy.decode_octets(parts.signature)?;
        let (header, signing_input, payload) = (Shared::Fresh(header), Cow::Owned(input), Cow::Borrowed(payload));
        Ok(Self { header, unknown: None, members, signing_input, payload, signature })
    }

    /// As [`parse`](Self::parse), with the dangers of a policy, if `accept` takes the header. All headers in `known` have
    /// been read under that policy.
    pub(crate) fn parse_jwt(
        token: &'t str,
        policy: &Policy,
        known: Option<&KnownHeaders>,
        accept: impl FnOnce(&Header) -> Result<(), Rejection>,
    ) -> Result<Self, Rejection> {
        Self::attached(token, policy, false, known, accept)
    }

    /// The header: what the sender claims, and no more.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.header.get()
    }

    /// Verifies the signature and gives the payload.
    ///
    /// # Errors
    /// [`Rejection::KeyMismatch`] when the header names another algorithm than the key's, or another `kid` than one
    /// the key has; [`Rejection::Signature`] when the signature does not verify.
    pub fn verify(self, key: &VerifyingKey) -> Result<Vec<u8>, Rejection> {
        self.check(key)?;
        Ok(self.payload.into_owned())
    }

    /// Verifies the signature and gives the payload and the header, with all its members where
    /// [`parse_with`](Self::parse_with) or [`parse_detached`](Self::parse_detached) read them.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn into_verified(self, key: &VerifyingKey) -> Result<Verified, Rejection> {
        self.check(key)?;
        let mut header = match self.header {
            Shared::Fresh(header) => header,
            Shared::Remembered(header) => Arc::unwrap_or_clone(header),
        };
        header.put_members(self.members);
        let payload = Bytes::from(self.payload.into_owned());
        Ok(Verified { payload, header, unprotected: Map::new(), index: 0 })
    }

    /// Whether `key` has signed it.
    pub(crate) fn check(&self, key: &VerifyingKey) -> Result<(), Rejection> {
        fits(self.header().algorithm, self.header().key_id(), key)?;
        match self.signature.with(|signature| key.verify(&self.signing_input, signature)) {
            Ok(Ok(())) => Ok(()),
            _ => Err(Rejection::Signature),
        }
    }

    /// Remembers the header, now that `key` has been found to have signed it.
    pub(crate) fn remember(&self, known: &KnownHeaders, key: &VerifyingKey) {
        if let Some(protected) = self.unknown {
            known.remember(protected, self.header(), key);
        }
    }

    /// The header, of which nothing is known unless [`check`](Self::check) says so.
    pub(crate) fn into_header(self) -> Arc<Header> {
        self.header.into_shared()
    }

    /// Takes the payload out before verification: for the registered claims alone, which decide what key is asked for. The
    /// signature stands over the token's text, and needs it no more.
    pub(crate) fn take_unverified_payload(&mut self) -> Vec<u8> {
        mem::take(&mut self.payload).into_owned()
    }
}

/// What is signed (RFC 7515 §5.1, RFC 7797 §3), the payload being in base64url unless `b64=false`.
pub(super) fn signing_input(protected: &str, payload: &[u8]) -> Vec<u8> {
    [protected.as_bytes(), b".", payload].concat()
}

/// Shows the header's algorithm alone: the rest could be sent again.
impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact").field("header", self.header()).finish_non_exhaustive()
    }
}
