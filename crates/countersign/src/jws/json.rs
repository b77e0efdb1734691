//! The JSON serializations (RFC 7515 §7.2): flattened with one signature, general with several.

use super::compact::{decode_header, signing_input};
use super::header::{Fields, Header};
use super::policy::Policy;
use super::{MAX_HEADER_BYTES, Verified, fits, members};
use crate::alg::Algorithm;
use crate::base64url;
use crate::json::{self, Members, Wrong};
use crate::jwk::is_key_id;
use crate::key::VerifyingKey;
use crate::reason::Rejection;
use bytes::Bytes;
use serde::de::MapAccess;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt;

/// More signatures than this are refused: each may cost a verification.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let signed = |times| {
///     let empty = jws::Signing::new(b"a contract");
///     (0..times).fold(empty, |signing, _| signing.by(&key, jws::Header::new(&key))).general()
/// };
/// assert!(signed(jws::MAX_SIGNATURES).is_ok());
/// assert_eq!(signed(jws::MAX_SIGNATURES + 1), Err(jws::SignError::Signatures));
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
pub const MAX_SIGNATURES: usize = 8;

/// A JWS in JSON, taken apart and not yet verified: its payload is out of reach until a signature is.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let ours = SigningKey::generate(Algorithm::ES256)?.with_key_id("ours")?;
/// let theirs = SigningKey::generate(Algorithm::Ed25519)?.with_key_id("theirs")?;
/// let json = jws::Signing::new(b"a contract")
///     .by(&ours, jws::Header::new(&ours))
///     .by(&theirs, jws::Header::new(&theirs))
///     .general()?;
///
/// let signed = jws::Json::parse(&json, &jws::Policy::new())?;
/// let verified = signed.verify(theirs.verifying_key())?;
/// assert_eq!((verified.payload(), verified.index()), (&b"a contract"[..], 1));
///
/// let both = signed.verify_all(&[ours.verifying_key().clone(), theirs.verifying_key().clone()])?;
/// assert_eq!(both.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Json {
    payload: Bytes,
    /// The payload as it was signed: in base64url, or as it is.
    signed_payload: Bytes,
    signatures: Vec<Signature>,
}

/// One signature of a [`Json`], not yet verified: hints for choosing a key.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("ours")?;
/// let json = jws::Signing::new(b"a contract").by(&key, jws::Header::new(&key)).general()?;
/// let signed = jws::Json::parse(&json, &jws::Policy::new())?;
/// let ids: Vec<_> = signed.signatures().iter().filter_map(|signature| signature.key_id()).collect();
/// assert_eq!(ids, ["ours"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Signature {
    /// The refusal is this signature's alone: another may be good.
    header: Result<Header, Rejection>,
    key_id: Option<String>,
    unprotected: Map<String, Value>,
    protected: String,
    signature: Vec<u8>,
}

impl Signature {
    /// `alg`, where this signature can be verified at all.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.header.as_ref().ok().map(Header::algorithm)
    }

    /// `kid`, from whichever header has it. A claim of the sender.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    fn check(&self, signed_payload: &[u8], key: &VerifyingKey) -> Result<&Header, Rejection> {
        let header = self.header.as_ref().map_err(|rejection| *rejection)?;
        fits(header.algorithm, self.key_id(), key)?;
        let signing_input = signing_input(&self.protected, signed_payload);
        key.verify(&signing_input, &self.signature).map_err(|_| Rejection::Signature)?;
        Ok(header)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

impl Json {
    /// Takes a JWS apart, flattened or general, that has its payload in it.
    ///
    /// Members that RFC 7515 §7.2 does not know are ignored. A signature whose `alg` is unknown, or whose `crit` is not
    /// understood, counts for nothing and leaves the others standing; without any other, it refuses the object.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`] beyond the policy's size or [`MAX_SIGNATURES`]; [`Rejection::Malformed`] for what is not
    /// strict JSON of that form, mixes the two forms, or has a name in both headers of a signature;
    /// [`Rejection::Algorithm`] for an unknown `alg`; [`Rejection::CriticalHeader`] for `crit` and `b64` outside the
    /// policy, in an unprotected header, or, `b64`, not the same for all signatures (RFC 7797 §3).
    pub fn parse(json: impl AsRef<[u8]>, policy: &Policy) -> Result<Self, Rejection> {
        Self::read(json.as_ref(), None, policy)
    }

    /// Takes a JWS apart whose payload travelled otherwise (RFC 7515 Appendix F).
    ///
    /// # Errors
    /// As [`parse`](Self::parse); and [`Rejection::Malformed`] for a `payload` member, be it empty.
    pub fn parse_detached(json: impl AsRef<[u8]>, payload: &[u8], policy: &Policy) -> Result<Self, Rejection> {
        Self::read(json.as_ref(), Some(payload), policy)
    }

    /// The signatures in their order.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Verifies that any one signature is `key`'s, and says which.
    ///
    /// # Errors
    /// [`Rejection::KeyMismatch`] when none has the key's algorithm and a `kid` that agrees; [`Rejection::Signature`]
    /// when one has and does not verify.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Verified, Rejection> {
        let mut refusal = Rejection::KeyMismatch;
        for (index, signature) in self.signatures.iter().enumerate() {
            match signature.check(&self.signed_payload, key) {
                Ok(header) => {
                    let (header, unprotected) = (header.clone(), signature.unprotected.clone());
                    return Ok(Verified { payload: self.payload.clone(), header, unprotected, index });
                }
                Err(Rejection::Signature) => refusal = Rejection::Signature,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    /// Verifies that each of `keys` has made a signature. The answers stand in the order of the keys.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); and [`Rejection::KeyMismatch`] for no keys, of which nothing would follow, and for
    /// one key given twice, of which less would follow than it seems.
    pub fn verify_all(&self, keys: &[VerifyingKey]) -> Result<Vec<Verified>, Rejection> {
        let twice = |(at, key): (usize, &VerifyingKey)| {
            keys.iter().take(at).any(|earlier| earlier.identity().has_material_of(&key.identity()))
        };
        if keys.is_empty() || keys.len() > self.signatures.len() || keys.iter().enumerate().any(twice) {
            return Err(Rejection::KeyMismatch);
        }
        keys.iter().map(|key| self.verify(key)).collect()
    }

    fn read(json: &[u8], detached: Option<&[u8]>, policy: &Policy) -> Result<Self, Rejection> {
        if json.len() > policy.max_bytes {
            return Err(Rejection::TooLarge);
        }
        // Padding is a weakness of compact tokens out there, and of those alone.
        let policy = &policy.clone().unpadded();
        let mut object = Object::default();
        json::read_object(json, &mut object).map_err(|_| Rejection::Malformed)?;
        let parts =
            object.signatures()?.into_iter().map(|part| Part::read(part, policy)).collect::<Result<Vec<_>, _>>()?;
        let unencoded = parts.first().is_some_and(|part| part.fields.is_unencoded());
        if parts.iter().any(|part| part.fields.is_unencoded() != unencoded) {
            return Err(Rejection::CriticalHeader);
        }
        let (payload, signed_payload) = match (detached, object.payload) {
            (None, Some(text)) if unencoded => as_it_is(text.into()),
            (None, Some(text)) => (policy.decode(&text)?.into(), text.into()),
            (Some(payload), None) if unencoded => as_it_is(Bytes::copy_from_slice(payload)),
            (Some(payload), None) => (Bytes::copy_from_slice(payload), base64url::encode(payload).into()),
            _ => return Err(Rejection::Malformed),
        };
        let signatures = parts.into_iter().map(|part| part.finish(policy)).collect::<Result<Vec<_>, _>>()?;
        match signatures.iter().find_map(|signature| signature.header.as_ref().err()) {
            Some(rejection) if signatures.iter().all(|signature| signature.header.is_err()) => Err(*rejection),
            _ => Ok(Self { payload, signed_payload, signatures }),
        }
    }
}

/// An unencoded payload, and what of it is signed.
fn as_it_is(payload: Bytes) -> (Bytes, Bytes) {
    (payload.clone(), payload)
}

/// Shows the algorithms alone.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").field("signatures", &self.signatures).finish_non_exhaustive()
    }
}

/// The members of the whole object, or of an element of `signatures`.
#[derive(Default)]
struct Object<'j> {
    payload: Option<String>,
    protected: Option<String>,
    header: Option<&'j RawValue>,
    signature: Option<String>,
    signatures: Option<Vec<&'j RawValue>>,
}

impl<'j> Object<'j> {
    /// What signs, without the payload: this object itself, or the elements of `signatures`.
    fn signatures(&mut self) -> Result<Vec<Self>, Rejection> {
        let Some(signatures) = self.signatures.take() else {
            let (protected, header, signature) = (self.protected.take(), self.header, self.signature.take());
            return Ok(vec![Self { protected, header, signature, ..Self::default() }]);
        };
        // Members of the other form, or out of place, would mean something to another reader (RFC 7515 §7.2.2).
        if self.protected.is_some() || self.header.is_some() || self.signature.is_some() || signatures.is_empty() {
            return Err(Rejection::Malformed);
        }
        if signatures.len() > MAX_SIGNATURES {
            return Err(Rejection::TooLarge);
        }
        let read = |raw: &'j RawValue| {
            let mut element = Self::default();
            json::read_object(raw.get().as_bytes(), &mut element).map_err(|_| Rejection::Malformed)?;
            let misplaced = element.payload.is_some() || element.signatures.is_some();
            if misplaced { Err(Rejection::Malformed) } else { Ok(element) }
        };
        signatures.into_iter().map(read).collect()
    }
}

impl<'de> Members<'de> for Object<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        match name {
            "payload" => self.payload = Some(json::typed(map, "payload")?),
            "protected" => self.protected = Some(json::typed(map, "protected")?),
            "header" => self.header = Some(json::typed(map, "header")?),
            "signature" => self.signature = Some(json::typed(map, "signature")?),
            "signatures" => self.signatures = Some(json::typed(map, "signatures")?),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// One signature and its two headers, before the payload is known.
struct Part {
    protected: String,
    fields: Fields,
    unprotected: Map<String, Value>,
    signature: Vec<u8>,
}

impl Part {
    fn read(object: Object<'_>, policy: &Policy) -> Result<Self, Rejection> {
        let signature = policy.decode(&object.signature.ok_or(Rejection::Malformed)?)?;
        let fields = match &object.protected {
            Some(protected) => Fields::read(&decode_header(protected, policy)?, true)?,
            None => Fields::default(),
        };
        let unprotected = match object.header {
            Some(raw) if raw.get().len() > MAX_HEADER_BYTES => return Err(Rejection::Malformed),
            Some(raw) => members::read_all(raw.get().as_bytes()).map_err(|_| Rejection::Malformed)?,
            None => Map::new(),
        };
        // Nobody vouches for what stands there, so it cannot demand anything (RFC 7515 §4.1.11, RFC 7797 §6).
        if unprotected.contains_key("crit") || unprotected.contains_key("b64") {
            return Err(Rejection::CriticalHeader);
        }
        let wrong = |(name, value): (&String, &Value)| match name.as_str() {
            "kid" => !value.as_str().is_some_and(is_key_id),
            "alg" | "typ" | "cty" => !value.is_string(),
            _ => false,
        };
        if unprotected.keys().any(|name| fields.has(name)) || unprotected.iter().any(wrong) {
            return Err(Rejection::Malformed);
        }
        fields.critical_understood(policy)?;
        fields.check_key_id()?;
        Ok(Self { protected: object.protected.unwrap_or_default(), fields, unprotected, signature })
    }

    fn finish(self, policy: &Policy) -> Result<Signature, Rejection> {
        let Self { protected, fields, unprotected, signature } = self;
        let hint = |name: &str| unprotected.get(name).and_then(Value::as_str);
        let algorithm = match (fields.algorithm(), hint("alg")) {
            (Ok(own), _) => own,
            (Err(_), Some(name)) => Algorithm::from_name(name).ok_or(Rejection::Algorithm),
            (Err(absent), None) => return Err(absent),
        };
        let key_id = fields.key_id.as_deref().or_else(|| hint("kid")).map(str::to_owned);
        let header = match fields.critical_understood(policy)? {
            true => algorithm.map(|algorithm| fields.into_header(algorithm)),
            false => Err(Rejection::CriticalHeader),
        };
        Ok(Signature { header, key_id, unprotected, protected, signature })
    }
}

#[cfg(test)]
mod tests;
