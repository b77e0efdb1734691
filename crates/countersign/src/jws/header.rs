//! The protected header: what it holds, how it is read, what `crit` may say.

use super::members::{self, is_owned, is_registered};
use super::policy::{Policy, check_extension};
use crate::alg::Algorithm;
use crate::config::ConfigError;
use crate::json::{self, JsonError, Members, Wrong};
use crate::jwk::is_key_id;
use crate::key::SigningKey;
use crate::reason::Rejection;
use serde::de::MapAccess;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// A JOSE header (RFC 7515 §4) that this crate can act on.
///
/// `jku`, `jwk`, `x5u` and `x5c` are never followed or trusted: they are members like any other.
///
/// ```
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::generate(Algorithm::Ed25519)?.with_key_id("2026-11")?;
/// let header = jws::Header::new(&key).with_type("receipt+jws").with("batch", 7.into())?;
/// assert_eq!((header.key_id(), header.get("batch")), (Some("2026-11"), Some(&7.into())));
/// assert!(header.with("alg", "none".into()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    pub(super) algorithm: Algorithm,
    token_type: Option<Cow<'static, str>>,
    content_type: Option<String>,
    pub(super) key_id: Option<String>,
    /// What `crit` lists, `b64` apart.
    critical: Vec<String>,
    members: Map<String, Value>,
}

impl Header {
    /// The header of what `key` signs: its algorithm, and its `kid` where it has one.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        Self::of(key.algorithm(), key.key_id())
    }

    pub(crate) fn of(algorithm: Algorithm, key_id: Option<&str>) -> Self {
        Self {
            algorithm,
            token_type: None,
            content_type: None,
            key_id: key_id.map(str::to_owned),
            critical: Vec::new(),
            members: Map::new(),
        }
    }

    /// Sets `typ`, the kind of the whole object (RFC 7515 §4.1.9).
    #[must_use]
    pub fn with_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = Some(Cow::Owned(token_type.into()));
        self
    }

    /// Sets `cty`, the kind of the payload (RFC 7515 §4.1.10).
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Leaves `kid` out, for whoever puts it into the unprotected header or nowhere.
    #[must_use]
    pub fn without_key_id(mut self) -> Self {
        self.key_id = None;
        self
    }

    /// Adds any other member. A receiver who does not know it ignores it.
    ///
    /// # Errors
    /// [`ConfigError`] for `alg`, `typ`, `cty`, `kid`, `crit` and `b64`, which are written otherwise.
    pub fn with(mut self, name: impl Into<String>, value: Value) -> Result<Self, ConfigError> {
        let name = name.into();
        if is_owned(&name) {
            return Err(ConfigError::new("with", "the header parameter has a method of its own"));
        }
        self.members.insert(name, value);
        Ok(self)
    }

    /// Adds a member and lists it in `crit`: a receiver who does not understand it refuses (RFC 7515 §4.1.11).
    ///
    /// # Errors
    /// [`ConfigError`] for the names that [`Policy::understand`] does not take.
    pub fn with_critical(mut self, name: impl Into<String>, value: Value) -> Result<Self, ConfigError> {
        let name = name.into();
        check_extension(&name).map_err(|problem| ConfigError::new("with_critical", problem))?;
        if !self.critical.contains(&name) {
            self.critical.push(name.clone());
        }
        self.members.insert(name, value);
        Ok(self)
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

    /// Any other member: of a header to be signed, or of one that a signature vouches for
    /// ([`Verified::header`](super::Verified::header)). Before verification there are none, and in a JWT they are not
    /// kept.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The members that [`get`](Self::get) gives, taken out until they are verified.
    pub(super) fn take_members(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.members)
    }

    pub(super) fn put_members(&mut self, members: Map<String, Value>) {
        self.members = members;
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match name {
            "alg" => true,
            "typ" => self.token_type.is_some(),
            "cty" => self.content_type.is_some(),
            "kid" => self.key_id.is_some(),
            _ => self.members.contains_key(name),
        }
    }

    fn write<S: Serializer>(&self, serializer: S, unencoded: bool) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("alg", self.algorithm.name())?;
        for (name, value) in [("typ", self.token_type()), ("cty", self.content_type()), ("kid", self.key_id())] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        let mut critical: Vec<&str> = self.critical.iter().map(String::as_str).collect();
        if unencoded {
            map.serialize_entry("b64", &false)?;
            critical.push("b64");
        }
        if !critical.is_empty() {
            map.serialize_entry("crit", &critical)?;
        }
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write(serializer, false)
    }
}

/// Shows the algorithm alone: all else is the sender's text.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// A header with `b64=false`, which `crit` lists (RFC 7797 §6).
pub(super) struct WithUnencodedPayload<'h>(pub(super) &'h Header);

impl Serialize for WithUnencodedPayload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer, true)
    }
}

/// A protected header as it was read.
#[derive(Default)]
pub(super) struct Fields {
    /// `None` in it for a name that is not known.
    algorithm: Option<Option<Algorithm>>,
    pub(super) token_type: Option<Cow<'static, str>>,
    content_type: Option<String>,
    pub(super) key_id: Option<String>,
    critical: Option<Vec<String>>,
    encoded: Option<bool>,
    /// Absent where nobody will ask for other members: they are then skipped.
    members: Option<Map<String, Value>>,
}

impl Fields {
    pub(super) fn read(json: &[u8], keep_members: bool) -> Result<Self, Rejection> {
        let mut fields = Self { members: keep_members.then(Map::new), ..Self::default() };
        json::read_object(json, &mut fields).map_err(|error| match error {
            JsonError::WrongType("crit" | "b64") => Rejection::CriticalHeader,
            JsonError::WrongType("alg") => Rejection::Algorithm,
            _ => Rejection::Malformed,
        })?;
        Ok(fields)
    }

    /// What `alg` says; [`Rejection::Malformed`] where it is absent. A name that is not known is told of after all else.
    pub(super) fn algorithm(&self) -> Result<Result<Algorithm, Rejection>, Rejection> {
        Ok(self.algorithm.ok_or(Rejection::Malformed)?.ok_or(Rejection::Algorithm))
    }

    pub(super) fn check_key_id(&self) -> Result<(), Rejection> {
        if self.key_id.as_deref().is_none_or(is_key_id) { Ok(()) } else { Err(Rejection::Malformed) }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match name {
            "alg" => self.algorithm.is_some(),
            "typ" => self.token_type.is_some(),
            "cty" => self.content_type.is_some(),
            "kid" => self.key_id.is_some(),
            "crit" => self.critical.is_some(),
            "b64" => self.encoded.is_some(),
            _ => self.members.as_ref().is_some_and(|members| members.contains_key(name)),
        }
    }

    pub(super) fn is_unencoded(&self) -> bool {
        self.encoded == Some(false)
    }

    /// Whether everything that `crit` lists is understood.
    ///
    /// Refuses what breaks RFC 7515 §4.1.11 (an empty list, a name twice, a registered one, one that is absent) and
    /// RFC 7797 §6 (`b64=false` that `crit` does not list), and `b64=false` where it is not allowed.
    pub(super) fn critical_understood(&self, policy: &Policy) -> Result<bool, Rejection> {
        let listed = self.critical.as_deref().unwrap_or_default();
        let well_formed = |(at, name): (usize, &String)| {
            !is_registered(name) && self.has(name) && !listed.iter().take(at).any(|earlier| earlier == name)
        };
        if (self.critical.is_some() && listed.is_empty()) || !listed.iter().enumerate().all(well_formed) {
            return Err(Rejection::CriticalHeader);
        }
        if self.is_unencoded() && !(policy.unencoded && listed.iter().any(|name| name == "b64")) {
            return Err(Rejection::CriticalHeader);
        }
        Ok(listed.iter().all(|name| policy.understands(name)))
    }

    /// The header, with the `alg` that was found in it or beside it.
    pub(super) fn into_header(self, algorithm: Algorithm) -> Header {
        let mut critical = self.critical.unwrap_or_default();
        critical.retain(|name| name != "b64");
        Header {
            algorithm,
            token_type: self.token_type,
            content_type: self.content_type,
            key_id: self.key_id,
            critical,
            members: self.members.unwrap_or_default(),
        }
    }
}

/// A `typ`, which most tokens have and few write in a way of their own.
fn token_type(written: Cow<'_, str>) -> Cow<'static, str> {
    match &*written {
        "JWT" => Cow::Borrowed("JWT"),
        "at+jwt" => Cow::Borrowed("at+jwt"),
        _ => Cow::Owned(written.into_owned()),
    }
}

impl<'de> Members<'de> for Fields {
    const MOST: usize = super::MAX_HEADER_MEMBERS;

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        match name {
            "alg" => self.algorithm = Some(json::text(map, "alg", |name| Algorithm::from_name(&name))?),
            "typ" => self.token_type = Some(json::text(map, "typ", token_type)?),
            "cty" => self.content_type = Some(json::typed(map, "cty")?),
            "kid" => self.key_id = Some(json::typed(map, "kid")?),
            "b64" => self.encoded = Some(json::typed(map, "b64")?),
            "crit" => self.critical = Some(json::typed(map, "crit")?),
            _ => match &mut self.members {
                Some(members) => members::keep(members, name, map)?,
                None => json::skip(map)?,
            },
        }
        Ok(())
    }
}
