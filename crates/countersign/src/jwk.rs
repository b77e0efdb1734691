//! JSON Web Keys (RFC 7517): public keys, and sets of them, read so that one bad key does not cost the others.
//!
//! ```
//! use countersign::jwk::JwkSet;
//!
//! let set = JwkSet::parse(r#"{"keys":[
//!     {"kty":"OKP","crv":"Ed25519","kid":"good","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
//!     {"kty":"OKP","crv":"Ed25519","kid":"bad","x":"too short"}
//! ]}"#)?;
//! assert_eq!(set.keys().len(), 1);
//! assert_eq!(set.quarantined().len(), 1, "and it says why");
//! # Ok::<(), countersign::keys::KeyError>(())
//! ```

mod ids_aside;
mod private;
mod roca;

pub(crate) use ids_aside::IdsAside;
pub(crate) use private::read_private;

use crate::alg::{Algorithm, Curve, Family};
use crate::base64url;
use crate::config::ConfigError;
use crate::crypto::{Backend, PublicMaterial, default_backend};
use crate::json::{self, JsonError, Members, Wrong};
use crate::key_error::KeyError;
use curve25519_dalek::edwards::CompressedEdwardsY;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use std::str::FromStr;

/// Keys of one set beyond this number make the set unreadable, and it is not written either.
///
/// ```
/// use countersign::jwk::{JwkSet, MAX_KEYS};
///
/// let set = |keys| format!(r#"{{"keys":[{}]}}"#, vec![r#"{"kty":"unknown"}"#; keys].join(","));
/// assert!(JwkSet::parse(&set(MAX_KEYS)).is_ok());
/// assert!(JwkSet::parse(&set(MAX_KEYS + 1)).is_err());
/// ```
pub const MAX_KEYS: usize = 100;
/// Longer documents are refused unread: sets of keys, and maps of certificates.
///
/// ```
/// use countersign::jwk::{JwkSet, MAX_SET_BYTES};
///
/// let set = r#"{"keys":[]}"#;
/// let padded = |length: usize| set.to_owned() + &" ".repeat(length - set.len());
/// assert!(JwkSet::parse(&padded(MAX_SET_BYTES)).is_ok());
/// assert!(JwkSet::parse(&padded(MAX_SET_BYTES + 1)).is_err());
/// ```
pub const MAX_SET_BYTES: usize = 1024 * 1024;
/// Longer documents are refused unread: single keys as a JWK, in PEM or DER, and certificates with their chains.
///
/// ```
/// use countersign::jwk::{Jwk, MAX_KEY_BYTES};
///
/// let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// let padded = |length: usize| key.to_owned() + &" ".repeat(length - key.len());
/// assert!(Jwk::parse(&padded(MAX_KEY_BYTES)).is_ok());
/// assert!(Jwk::parse(&padded(MAX_KEY_BYTES + 1)).is_err());
/// ```
pub const MAX_KEY_BYTES: usize = 64 * 1024;
/// A longer `kid` is refused, in keys and in tokens.
pub(crate) const MAX_KEY_ID_LEN: usize = 256;

/// A public JSON Web Key that can verify signatures.
///
/// Private and symmetric keys cannot be held in this type; see [`SigningKey::from_jwk`](crate::SigningKey::from_jwk).
///
/// ```
/// use countersign::jwk::Jwk;
///
/// // RFC 8037, Appendix A.2
/// let jwk = Jwk::parse(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
/// assert_eq!(jwk.thumbprint()?.to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    key_id: Option<String>,
    algorithm: Option<Algorithm>,
    material: PublicMaterial,
}

impl Jwk {
    /// Reads one key.
    ///
    /// # Errors
    /// A [`KeyError`] that says what is wrong, be it more than [`MAX_KEY_BYTES`]; unknown members are ignored (RFC 7517 §4).
    pub fn parse(json: &str) -> Result<Self, KeyError> {
        Self::parse_with(json, MIN_RSA_BITS)
    }

    /// For [`danger::small_rsa_key`](crate::danger::small_rsa_key).
    pub(crate) fn parse_small_rsa(json: &str) -> Result<Self, KeyError> {
        Self::parse_with(json, 1024)
    }

    fn parse_with(json: &str, min_rsa_bits: usize) -> Result<Self, KeyError> {
        let fields = Fields::read(json.as_bytes())?;
        if fields.private {
            return Err(KeyError::NotPublic);
        }
        fields.check_use("verify")?;
        let material = fields.public_material(min_rsa_bits)?;
        let algorithm = fields.algorithm(material_family(&material))?;
        Ok(Self::from_parts(fields.key_id, algorithm, material))
    }

    pub(crate) fn from_parts(key_id: Option<String>, algorithm: Option<Algorithm>, material: PublicMaterial) -> Self {
        let algorithm = match &material {
            // RFC 9964: `alg` is no restriction of the key but a part of it.
            PublicMaterial::Akp { algorithm, .. } => Some(*algorithm),
            _ => algorithm,
        };
        Self { key_id, algorithm, material }
    }

    /// The `kid`.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The `alg`, where the key names one.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The algorithms that this key can serve: its `alg`, or all of its kind.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match (self.algorithm, material_family(&self.material)) {
            (Some(algorithm), _) => vec![algorithm],
            (None, Family::Ec(curve)) => vec![curve.algorithm()],
            (None, Family::Ed25519) => vec![Algorithm::EdDSA],
            (None, Family::Akp(algorithm)) => vec![algorithm],
            (None, _) => Algorithm::RSA.to_vec(),
        }
    }

    /// The key material.
    #[must_use]
    pub fn material(&self) -> &PublicMaterial {
        &self.material
    }

    /// The thumbprint of RFC 7638 (RFC 8037 §2, RFC 9964), with SHA-256.
    ///
    /// # Errors
    /// [`KeyError::NoBackend`] where nothing can hash.
    pub fn thumbprint(&self) -> Result<Thumbprint, KeyError> {
        Ok(self.thumbprint_with(default_backend()?))
    }

    /// The same thumbprint, hashed by a backend of the caller's choice.
    #[must_use]
    pub fn thumbprint_with(&self, backend: &dyn Backend) -> Thumbprint {
        // RFC 7638 §3.2: the required members, in lexicographic order, without white space.
        let canonical = match &self.material {
            PublicMaterial::Rsa { modulus, exponent } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64url::encode(exponent), base64url::encode(modulus))
            }
            PublicMaterial::Ec { curve, point } => {
                let (x, y) = coordinates(*curve, point);
                format!(r#"{{"crv":"{}","kty":"EC","x":"{x}","y":"{y}"}}"#, curve.name())
            }
            PublicMaterial::Ed25519(key) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(key))
            }
            PublicMaterial::Akp { algorithm, public } => {
                format!(r#"{{"alg":"{algorithm}","kty":"AKP","pub":"{}"}}"#, base64url::encode(public))
            }
        };
        Thumbprint(backend.sha256(&[canonical.as_bytes()]))
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.material {
            PublicMaterial::Rsa { modulus, exponent } => {
                map.serialize_entry("kty", "RSA")?;
                map.serialize_entry("n", &base64url::encode(modulus))?;
                map.serialize_entry("e", &base64url::encode(exponent))?;
            }
            PublicMaterial::Ec { curve, point } => {
                let (x, y) = coordinates(*curve, point);
                map.serialize_entry("kty", "EC")?;
                map.serialize_entry("crv", curve.name())?;
                map.serialize_entry("x", &x)?;
                map.serialize_entry("y", &y)?;
            }
            PublicMaterial::Ed25519(key) => {
                map.serialize_entry("kty", "OKP")?;
                map.serialize_entry("crv", "Ed25519")?;
                map.serialize_entry("x", &base64url::encode(key))?;
            }
            PublicMaterial::Akp { public, .. } => {
                map.serialize_entry("kty", "AKP")?;
                map.serialize_entry("pub", &base64url::encode(public))?;
            }
        }
        if let Some(key_id) = &self.key_id {
            map.serialize_entry("kid", key_id)?;
        }
        if let Some(algorithm) = self.algorithm {
            map.serialize_entry("alg", algorithm.name())?;
        }
        map.serialize_entry("use", "sig")?;
        map.end()
    }
}

fn coordinates(curve: Curve, point: &[u8]) -> (String, String) {
    let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(curve.coordinate_len()).unwrap_or_default();
    (base64url::encode(x), base64url::encode(y))
}

/// A SHA-256 JWK thumbprint (RFC 7638); `Display` writes it in base64url, and `FromStr` reads that, or the
/// [URI](Self::to_uri).
///
/// ```
/// use countersign::jwk::Thumbprint;
///
/// // RFC 8037, Appendix A.3
/// let thumbprint: Thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".parse()?;
/// assert_eq!(thumbprint.to_uri().parse(), Ok(thumbprint));
/// assert!("kPrK".parse::<Thumbprint>().is_err());
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

/// What stands before a thumbprint in its URI (RFC 9278 §3).
const THUMBPRINT_URI: &str = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:";

impl Thumbprint {
    pub(crate) fn of(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The 32 octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The thumbprint as a URI (RFC 9278 §3).
    ///
    /// ```
    /// use countersign::jwk::Jwk;
    ///
    /// // RFC 8037, Appendix A.2
    /// let jwk = Jwk::parse(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
    /// let uri = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    /// assert_eq!(jwk.thumbprint()?.to_uri(), uri);
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    #[must_use]
    pub fn to_uri(&self) -> String {
        format!("{THUMBPRINT_URI}{self}")
    }
}

impl FromStr for Thumbprint {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut octets = [0; 32];
        let text = text.strip_prefix(THUMBPRINT_URI).unwrap_or(text);
        match base64url::decode(text) {
            Ok(decoded) if decoded.len() == octets.len() => {
                octets.copy_from_slice(&decoded);
                Ok(Self(octets))
            }
            _ => Err(ConfigError::new("thumbprint", "is not 32 octets in base64url")),
        }
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// A set of public keys as an issuer publishes it (RFC 7517 §5).
///
/// A key that cannot be used is set aside with its reason; the rest live.
///
/// ```
/// use countersign::jwk::JwkSet;
/// use countersign::keys::KeyError;
///
/// let set = JwkSet::parse(r#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"},
///     {"kty":"oct","k":"c2VjcmV0","kid":"b"}
/// ]}"#)?;
/// assert_eq!(set.keys().len(), 1);
/// assert_eq!(set.quarantined()[0].index, 1);
/// assert_eq!(set.quarantined()[0].reason, KeyError::NotPublic);
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    /// The place of each usable key in the document.
    places: Vec<usize>,
    quarantined: Vec<Quarantined>,
    ids_aside: IdsAside,
}

/// A key that was set aside.
///
/// ```
/// use countersign::jwk::JwkSet;
/// use countersign::keys::KeyError;
///
/// let set = JwkSet::parse(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#)?;
/// let aside = &set.quarantined()[0];
/// assert_eq!((aside.index, aside.reason), (0, KeyError::NotPublic)); // somebody has published a secret
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// Its place in `keys`, counted from zero.
    pub index: usize,
    /// Why it cannot be used.
    pub reason: KeyError,
}

impl Quarantined {
    pub(crate) fn new(index: usize, reason: KeyError) -> Self {
        Self { index, reason }
    }
}

impl JwkSet {
    /// Reads a set.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the document as a whole is no JWK Set, or has more than [`MAX_KEYS`] keys or
    /// [`MAX_SET_BYTES`].
    /// A set without a usable key is no error here: ask [`keys`](Self::keys).
    pub fn parse(json: &str) -> Result<Self, KeyError> {
        check_len(json.as_bytes(), MAX_SET_BYTES)?;
        let mut document = Document::default();
        let read = json::read_object(json.as_bytes(), &mut document);
        if document.0.as_ref().is_some_and(|keys| keys.len() > MAX_KEYS) {
            return Err(KeyError::Malformed("too many keys"));
        }
        read.map_err(|error| match error {
            JsonError::WrongType(_) => KeyError::Malformed("`keys` is not an array"),
            JsonError::Duplicate => KeyError::Malformed("a member stands twice"),
            _ => KeyError::Malformed("not a JSON object"),
        })?;
        let raw = document.0.ok_or(KeyError::Malformed("no member `keys`"))?;
        let mut set = Self::sorted(raw.iter().map(|key| Jwk::parse(key.get())));
        for Quarantined { index, reason } in &set.quarantined {
            if let Some(key) = raw.get(*index) {
                set.ids_aside.add_all_of(key.get(), *reason);
            }
        }
        Ok(set)
    }

    /// The keys that can be used on one side, those that cannot on the other.
    pub(crate) fn sorted(keys: impl Iterator<Item = Result<Jwk, KeyError>>) -> Self {
        let mut set = Self::default();
        for (index, key) in keys.enumerate() {
            match key {
                Ok(key) => {
                    set.keys.push(key);
                    set.places.push(index);
                }
                Err(reason) => set.quarantined.push(Quarantined { index, reason }),
            }
        }
        set
    }

    /// The usable keys, in the document's order.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The usable keys, each with its place in the document.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (usize, &Jwk)> {
        self.places.iter().copied().zip(&self.keys)
    }

    /// The `kid`s of the keys set aside.
    pub(crate) fn ids_aside(&self) -> &IdsAside {
        &self.ids_aside
    }

    /// The keys set aside, with place and reason.
    #[must_use]
    pub fn quarantined(&self) -> &[Quarantined] {
        &self.quarantined
    }
}

impl FromIterator<Jwk> for JwkSet {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        let keys: Vec<_> = keys.into_iter().collect();
        Self { places: (0..keys.len()).collect(), keys, ..Self::default() }
    }
}

/// Fails beyond [`MAX_KEYS`], as reading does: who published such a set would not be understood.
impl Serialize for JwkSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.keys.len() > MAX_KEYS {
            return Err(S::Error::custom("too many keys"));
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("keys", &self.keys)?;
        map.end()
    }
}

/// The member `keys`, read until it is one too long.
#[derive(Default)]
struct Document<'de>(Option<Vec<&'de RawValue>>);

impl<'de> Members<'de> for Document<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        if name == "keys" {
            return map.next_value_seed(self).map_err(|error| Wrong::Type("keys", error));
        }
        json::skip(map)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Document<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Document<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let keys = self.0.insert(Vec::new());
        while let Some(key) = items.next_element()? {
            keys.push(key);
            if keys.len() > MAX_KEYS {
                return Err(A::Error::custom("too many keys"));
            }
        }
        Ok(())
    }
}

pub(crate) fn material_family(material: &PublicMaterial) -> Family {
    match material {
        PublicMaterial::Rsa { .. } => Family::Rsa,
        PublicMaterial::Ec { curve, .. } => Family::Ec(*curve),
        PublicMaterial::Ed25519(_) => Family::Ed25519,
        PublicMaterial::Akp { algorithm, .. } => Family::Akp(*algorithm),
    }
}

/// The members of a JWK that this crate reads, as they stand.
#[derive(Default)]
struct Fields {
    kty: Option<String>,
    key_id: Option<String>,
    alg: Option<String>,
    usage: Option<String>,
    operations: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    public: Option<String>,
    /// A member that only private or symmetric keys have is present, whatever its type.
    private: bool,
}

impl<'de> Members<'de> for Fields {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        match name {
            "kty" => self.kty = Some(json::typed(map, "kty")?),
            "kid" => self.key_id = Some(json::typed(map, "kid")?),
            "alg" => self.alg = Some(json::typed(map, "alg")?),
            "use" => self.usage = Some(json::typed(map, "use")?),
            "key_ops" => self.operations = Some(json::typed(map, "key_ops")?),
            "crv" => self.crv = Some(json::typed(map, "crv")?),
            "n" => self.n = Some(json::typed(map, "n")?),
            "e" => self.e = Some(json::typed(map, "e")?),
            "x" => self.x = Some(json::typed(map, "x")?),
            "y" => self.y = Some(json::typed(map, "y")?),
            "pub" => self.public = Some(json::typed(map, "pub")?),
            "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" | "k" | "priv" => {
                self.private = true;
                json::skip(map)?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl Fields {
    fn read(json: &[u8]) -> Result<Self, KeyError> {
        check_len(json, MAX_KEY_BYTES)?;
        let mut fields = Self::default();
        json::read_object(json, &mut fields).map_err(malformed_json)?;
        if let Some(key_id) = &fields.key_id
            && !is_key_id(key_id)
        {
            return Err(KeyError::Malformed("`kid` is empty, too long or has control characters"));
        }
        Ok(fields)
    }

    /// `use` and `key_ops` must allow `operation`, and `key_ops` must not repeat itself (RFC 7517 §4.2, §4.3).
    fn check_use(&self, operation: &str) -> Result<(), KeyError> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(KeyError::Unsupported("`use` is not `sig`"));
        }
        let Some(operations) = &self.operations else { return Ok(()) };
        let repeats =
            operations.iter().enumerate().any(|(at, one)| operations.iter().take(at).any(|other| other == one));
        if repeats {
            return Err(KeyError::Malformed("`key_ops` repeats an operation"));
        }
        if !operations.iter().any(|one| one == operation) {
            return Err(KeyError::Unsupported("`key_ops` does not allow it"));
        }
        Ok(())
    }

    fn algorithm(&self, family: Family) -> Result<Option<Algorithm>, KeyError> {
        let Some(name) = self.alg.as_deref() else { return Ok(None) };
        let algorithm = Algorithm::from_name(name).ok_or(KeyError::Unsupported("`alg` is unknown"))?;
        if algorithm.family() == family { Ok(Some(algorithm)) } else { Err(KeyError::WrongAlgorithm) }
    }

    fn public_material(&self, min_rsa_bits: usize) -> Result<PublicMaterial, KeyError> {
        match self.kty.as_deref() {
            Some("RSA") => {
                rsa_material_of(min_rsa_bits, &integer(self.n.as_deref(), "`n`")?, &integer(self.e.as_deref(), "`e`")?)
            }
            Some("EC") => {
                let curve = self.crv.as_deref().ok_or(KeyError::Malformed("no `crv`"))?;
                let curve = Curve::from_name(curve).ok_or(KeyError::Unsupported("unknown `crv`"))?;
                let x = bytes(self.x.as_deref(), "`x`")?;
                let y = bytes(self.y.as_deref(), "`y`")?;
                // RFC 7518 §6.2.1.2: full length, leading zeros included.
                if x.len() != curve.coordinate_len() || y.len() != curve.coordinate_len() {
                    return Err(KeyError::Malformed("a coordinate has the wrong length"));
                }
                Ok(PublicMaterial::Ec { curve, point: [&[4][..], &x, &y].concat() })
            }
            Some("OKP") => match self.crv.as_deref() {
                Some("Ed25519") => ed25519_material(&bytes(self.x.as_deref(), "`x`")?),
                Some(_) => Err(KeyError::Unsupported("unknown `crv`")),
                None => Err(KeyError::Malformed("no `crv`")),
            },
            Some("AKP") => {
                let algorithm = self.alg.as_deref().ok_or(KeyError::Malformed("no `alg`"))?;
                let algorithm = Algorithm::from_name(algorithm).ok_or(KeyError::Unsupported("`alg` is unknown"))?;
                akp_material(algorithm, bytes(self.public.as_deref(), "`pub`")?)
            }
            Some(_) => Err(KeyError::Unsupported("unknown `kty`")),
            None => Err(KeyError::Malformed("no `kty`")),
        }
    }
}

pub(crate) fn malformed_json(error: JsonError) -> KeyError {
    KeyError::Malformed(match error {
        JsonError::Syntax => "not a JSON object",
        JsonError::Duplicate => "a member stands twice",
        JsonError::TooMany => "too many members",
        JsonError::WrongType(_) => "a member has the wrong type",
        JsonError::Laborious => "too much to read",
    })
}

/// Sizes are bounded before there is any work.
pub(crate) fn check_len(document: &[u8], most: usize) -> Result<(), KeyError> {
    if document.len() > most { Err(KeyError::Malformed("the document is too long")) } else { Ok(()) }
}

/// A `kid` that may be looked up: 1 to 256 octets without control characters.
pub(crate) fn is_key_id(key_id: &str) -> bool {
    (1..=MAX_KEY_ID_LEN).contains(&key_id.len()) && !key_id.chars().any(char::is_control)
}

fn bytes(text: Option<&str>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    let text = text.ok_or(match member {
        "`n`" => KeyError::Malformed("no `n`"),
        "`e`" => KeyError::Malformed("no `e`"),
        "`x`" => KeyError::Malformed("no `x`"),
        "`y`" => KeyError::Malformed("no `y`"),
        "`pub`" => KeyError::Malformed("no `pub`"),
        _ => KeyError::Malformed("a private member is missing"),
    })?;
    base64url::decode(text).map_err(|_| KeyError::Malformed("not canonical base64url"))
}

/// A Base64urlUInt (RFC 7518 §2), without the leading zeros that some issuers write.
fn integer(text: Option<&str>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    Ok(without_leading_zeros(&bytes(text, member)?).to_vec())
}

pub(crate) fn without_leading_zeros(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|octet| **octet == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

impl PublicMaterial {
    /// The same, if it may be trusted with a signature. Whether a point is on its curve is for a backend to say.
    ///
    /// # Errors
    /// [`KeyError`] for an RSA key of fewer than 2048 bits or more than 8192, an impossible or factored modulus, an even or
    /// huge exponent, an Ed25519 point of small order or in a second spelling, an ML-DSA key of the wrong length.
    pub fn checked(self) -> Result<Self, KeyError> {
        match self {
            Self::Rsa { modulus, exponent } => rsa_material(&modulus, &exponent),
            Self::Ed25519(key) => ed25519_material(&key),
            Self::Akp { algorithm, public } => akp_material(algorithm, public),
            point @ Self::Ec { .. } => Ok(point),
        }
    }
}

/// RFC 7518 §3.3.
const MIN_RSA_BITS: usize = 2048;

/// An RSA public key between 2048 and 8192 bits, with an odd exponent of at least 3 (RFC 7518 §3.3).
pub(crate) fn rsa_material(modulus: &[u8], exponent: &[u8]) -> Result<PublicMaterial, KeyError> {
    rsa_material_of(MIN_RSA_BITS, modulus, exponent)
}

fn rsa_material_of(min_bits: usize, modulus: &[u8], exponent: &[u8]) -> Result<PublicMaterial, KeyError> {
    let modulus = without_leading_zeros(modulus);
    let exponent = without_leading_zeros(exponent);
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    let is_odd = |integer: &[u8]| integer.last().is_some_and(|last| last & 1 == 1);
    if bits < min_bits {
        return Err(KeyError::Weak("the RSA modulus is too short"));
    }
    if bits > 8192 {
        return Err(KeyError::Unsupported("an RSA modulus has at most 8192 bits"));
    }
    if !is_odd(modulus) {
        return Err(KeyError::Invalid("an RSA modulus is odd"));
    }
    if !is_odd(exponent) || exponent == [1] {
        return Err(KeyError::Invalid("an RSA exponent is odd and at least 3"));
    }
    if exponent.len() > 4 {
        return Err(KeyError::Unsupported("an RSA exponent has at most 32 bits"));
    }
    if roca::is_marked(modulus) {
        return Err(KeyError::Weak("the RSA modulus can be factored (CVE-2017-15361)"));
    }
    Ok(PublicMaterial::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
}

/// An Ed25519 key in its one spelling, and of full order (RFC 8032 §5.1.3; RFC 8725 §3.4). ring takes any 32 octets.
///
/// Octets that stand for no point are let pass, as other verifiers do: no signature verifies under them.
pub(crate) fn ed25519_material(key: &[u8]) -> Result<PublicMaterial, KeyError> {
    let key: [u8; 32] = key.try_into().map_err(|_| KeyError::Malformed("an Ed25519 public key has 32 octets"))?;
    let compressed = CompressedEdwardsY(key);
    match compressed.decompress() {
        Some(point) if point.compress() != compressed => Err(KeyError::Invalid("the Ed25519 point is not canonical")),
        Some(point) if point.is_small_order() => Err(KeyError::Weak("the Ed25519 point has a small order")),
        _ => Ok(PublicMaterial::Ed25519(key)),
    }
}

/// The public key of an algorithm that has keys of its own (RFC 9964).
pub(crate) fn akp_material(algorithm: Algorithm, public: Vec<u8>) -> Result<PublicMaterial, KeyError> {
    let len = algorithm.akp_public_len().ok_or(KeyError::WrongAlgorithm)?;
    if public.len() != len {
        return Err(KeyError::Malformed("the ML-DSA public key has the wrong length"));
    }
    Ok(PublicMaterial::Akp { algorithm, public })
}

#[cfg(test)]
mod tests;
