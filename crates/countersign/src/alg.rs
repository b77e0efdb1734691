//! The signature algorithms of RFC 7518, RFC 8037, RFC 8812 and RFC 9964. There is no `none`.

use crate::config::ConfigError;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A JWS signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 8812 §3.2, RFC 9864 §2.2, RFC 9964).
///
/// Which of them there are keys for is a matter of the [backend](crate::crypto): ring has neither ES512 nor ES256K nor
/// ML-DSA.
///
/// `none` has no variant: a token that names it cannot be parsed.
///
/// ```
/// use countersign::Algorithm;
///
/// assert_eq!(Algorithm::from_name("RS256"), Some(Algorithm::RS256));
/// assert_eq!(Algorithm::from_name("none"), None);
/// assert_eq!(Algorithm::from_name("rs256"), None, "names are case-sensitive (RFC 7515 §4.1.1)");
///
/// // In settings, from the environment or a file:
/// let algorithms: Vec<Algorithm> = serde_json::from_str(r#"["RS256", "ES256"]"#)?;
/// assert_eq!(algorithms, [Algorithm::RS256, "ES256".parse()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// ECDSA on secp256k1 with SHA-256.
    ES256K,
    /// Ed25519, under the name that RFC 9864 gives it.
    Ed25519,
    /// Ed25519, under the older name of RFC 8037. A key for one name verifies tokens with either.
    EdDSA,
    /// ML-DSA-44: lattices instead of factors and curves, with an empty context string.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

/// The kind of key that an algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Hmac,
    Rsa,
    Ec(Curve),
    Ed25519,
    /// The keys of RFC 9964, which have one algorithm each.
    Akp(Algorithm),
}

/// The elliptic curves of ECDSA (RFC 7518 §6.2.1.1, RFC 8812 §3.1).
///
/// ```
/// use countersign::crypto::{Curve, PublicMaterial};
/// use countersign::jwk::Jwk;
///
/// // RFC 7517, Appendix A.1
/// let jwk = Jwk::parse(
///     r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
///         "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#,
/// )?;
/// assert!(matches!(jwk.material(), PublicMaterial::Ec { curve: Curve::P256, .. }));
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// secp256k1, which SEC 2 defines.
    Secp256k1,
}

/// The hash functions of the signature algorithms.
///
/// ```
/// use countersign::crypto::{Hash, default_backend};
///
/// let backend = default_backend()?;
/// assert_eq!(backend.digest(Hash::Sha512, &[b"abc"]).len(), 64);
/// assert_eq!(backend.digest(Hash::Sha256, &[b"abc"]), backend.sha256(&[b"abc"]));
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Curve {
    const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// Octets of one coordinate.
    pub(crate) fn coordinate_len(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
            Self::P521 => Algorithm::ES512,
            Self::Secp256k1 => Algorithm::ES256K,
        }
    }
}

impl Algorithm {
    /// Every algorithm that this crate knows.
    pub const ALL: &[Self] = &[
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::ES256K,
        Self::Ed25519,
        Self::EdDSA,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The algorithms of RSA keys; a JWK that names none is usable with each of them that the verifier allows.
    pub(crate) const RSA: [Self; 6] = [Self::RS256, Self::RS384, Self::RS512, Self::PS256, Self::PS384, Self::PS512];

    /// The name in the `alg` header parameter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::ES256K => "ES256K",
            Self::Ed25519 => "Ed25519",
            Self::EdDSA => "EdDSA",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// The algorithm with this `alg` name, compared exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// Whether signer and verifier share one secret (the HMAC algorithms).
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        self.family() == Family::Hmac
    }

    /// Whether two names stand for one signature: equal, or `Ed25519` beside `EdDSA`.
    #[must_use]
    pub fn is_same_as(self, other: Self) -> bool {
        self.canonical() == other.canonical()
    }

    /// The one name of what has two.
    pub(crate) fn canonical(self) -> Self {
        if self == Self::EdDSA { Self::Ed25519 } else { self }
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Hmac,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => Family::Rsa,
            Self::ES256 => Family::Ec(Curve::P256),
            Self::ES384 => Family::Ec(Curve::P384),
            Self::ES512 => Family::Ec(Curve::P521),
            Self::ES256K => Family::Ec(Curve::Secp256k1),
            Self::Ed25519 | Self::EdDSA => Family::Ed25519,
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => Family::Akp(self),
        }
    }

    /// The hash function of the signature; for Ed25519 its own, SHA-512. ML-DSA names none.
    pub(crate) fn hash(self) -> Option<Hash> {
        match self {
            Self::HS256 | Self::RS256 | Self::PS256 | Self::ES256 | Self::ES256K => Some(Hash::Sha256),
            Self::HS384 | Self::RS384 | Self::PS384 | Self::ES384 => Some(Hash::Sha384),
            Self::HS512 | Self::RS512 | Self::PS512 | Self::ES512 | Self::Ed25519 | Self::EdDSA => Some(Hash::Sha512),
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => None,
        }
    }

    /// Octets of a public key of RFC 9964 (FIPS 204, Table 2); `None` for other algorithms.
    pub(crate) fn akp_public_len(self) -> Option<usize> {
        match self {
            Self::MlDsa44 => Some(1312),
            Self::MlDsa65 => Some(1952),
            Self::MlDsa87 => Some(2592),
            _ => None,
        }
    }

    /// The shortest secret that RFC 7518 §3.2 allows, in octets: the length of the hash.
    pub(crate) fn min_secret_len(self) -> usize {
        match self {
            Self::HS384 => 48,
            Self::HS512 => 64,
            _ => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// As [`from_name`](Algorithm::from_name).
impl FromStr for Algorithm {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        let unknown = || ConfigError::new("algorithm", format!("there is no algorithm `{}`", name.escape_default()));
        Self::from_name(name).ok_or_else(unknown)
    }
}

/// Its name.
impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// As [`from_name`](Algorithm::from_name).
impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Algorithm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a JWS algorithm")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Algorithm, E> {
                Algorithm::from_name(name).ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_own_algorithm() {
        for &algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            let written = serde_json::to_string(&algorithm).expect("a name");
            assert_eq!(serde_json::from_str::<Algorithm>(&written).expect("an algorithm"), algorithm);
        }
    }

    #[test]
    fn none_and_other_spellings_are_no_algorithm() {
        for name in ["none", "None", "NONE", "", "hs256", "RS256 ", "es512", "ES521", "ML-DSA", "MlDsa44", "Ed448"] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
            assert!(name.parse::<Algorithm>().is_err(), "{name:?}");
            assert!(serde_json::from_value::<Algorithm>(name.into()).is_err(), "{name:?}");
        }
    }
}
