//! Every way to weaken a check, by name.
//!
//! Nothing here is a default, and each name says what is given up. To find all of it in a code base, look for `danger`.
//!
//! ```
//! use countersign::danger::Danger;
//! use countersign::{Algorithm, JwtVerifier, VerifyingKey, danger};
//!
//! // A gateway of old signs with a short secret, and writes no `aud`. Two checks are weakened, and no more.
//! let key = danger::short_secret(Algorithm::HS256, "sixteen octets!!")?;
//! let verifier = JwtVerifier::builder(key.verifying_key().clone())
//!     .algorithms([Algorithm::HS256])
//!     .issuer("https://gateway.example/")
//!     .danger(Danger::AnyAudience)
//!     .build();
//! assert!(verifier.is_ok());
//! assert!(VerifyingKey::from_secret(Algorithm::HS256, "sixteen octets!!").is_err());
//! # Ok::<(), countersign::keys::KeyError>(())
//! ```

use crate::alg::Algorithm;
use crate::jwk::Jwk;
use crate::key::{SigningKey, VerifyingKey};
use crate::key_error::KeyError;

/// A shared secret shorter than the hash (RFC 7518 §3.2 forbids it): for reading what another system signed.
///
/// Short secrets can be searched for by whoever has one token.
///
/// # Errors
/// [`KeyError::Invalid`] for an empty secret, and for text that is a key in PEM, OpenSSH or JWK form;
/// [`KeyError::WrongAlgorithm`] for anything but HMAC.
///
/// ```
/// use countersign::{Algorithm, danger};
///
/// let key = danger::short_secret(Algorithm::HS256, "sixteen octets!!")?;
/// assert!(danger::short_secret(Algorithm::HS256, "").is_err());
/// # let _ = key;
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
pub fn short_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<SigningKey, KeyError> {
    SigningKey::from_short_secret(algorithm, secret.as_ref())
}

/// An RSA public key of 1024 to 2047 bits (RFC 7518 §3.3 forbids it), as a JWK: for reading old material. RS256 and RS512
/// alone.
///
/// # Errors
/// [`KeyError`] that says what is wrong with it, as [`Jwk::parse`] and [`VerifyingKey::from_jwk`] do.
///
/// ```
/// use countersign::jwk::Jwk;
/// use countersign::{Algorithm, danger};
///
/// let modulus = format!("wF{}QE", "V".repeat(167)); // of 1024 bits
/// let jwk = format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB"}}"#);
/// assert!(Jwk::parse(&jwk).is_err());
/// assert!(danger::small_rsa_key(Algorithm::RS256, &jwk).is_ok());
/// assert!(danger::small_rsa_key(Algorithm::PS256, &jwk).is_err());
/// ```
pub fn small_rsa_key(algorithm: Algorithm, jwk: &str) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_small_rsa(algorithm, &Jwk::parse_small_rsa(jwk)?)
}

/// A check that a [`JwtVerifier`](crate::JwtVerifier) is told to leave out.
///
/// ```
/// use countersign::danger::Danger;
/// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let verifier = JwtVerifier::builder(key)
///     .algorithms([Algorithm::HS256])
///     .issuer("https://gateway.example/")
///     .danger(Danger::AnyAudience) // the gateway writes no `aud`
///     .build();
/// assert!(verifier.is_ok());
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Danger {
    /// Takes tokens from every issuer whose keys the provider gives, and those that name none.
    AnyIssuer,
    /// Takes tokens that were issued for other services (RFC 8725 §3.9).
    AnyAudience,
    /// Takes tokens that never expire. Those that have an `exp` still do.
    NoExpiration,
    /// Takes tokens that are bound to a holder (`cnf`, RFC 7800) from anybody: whoever steals one can use it. Unless this
    /// is said they are refused, because nothing here checks the proof (RFC 9449 §7.2, RFC 8705 §3).
    AnyHolder,
    /// Takes base64url with padding, which RFC 7515 §2 forbids: one token then has two spellings. Where it is said,
    /// unpadded tokens are still taken.
    PaddedBase64url,
}

/// The settings under which the tokens of Flama's JWT article verify: they have padding, no expiration and no audience, and
/// one of them no issuer. Their secret, sixteen zero octets, is read with [`short_secret`].
///
/// ```
/// use countersign::request::Credential;
/// use countersign::verify::TokenVerifier;
/// use countersign::{Algorithm, JwtVerifier, danger};
///
/// let key = danger::short_secret(Algorithm::HS256, [0; 16])?;
/// let verifier = JwtVerifier::builder(key.verifying_key().clone())
///     .algorithms([Algorithm::HS256])
///     .dangers(danger::FLAMA)
///     .build()?;
/// let token = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJkYXRhIjogeyJmb28iOiAiYmFyIn0sICJpYXQiOiAwfQ==.\
///              J3zdedMZSFNOimstjJat0V28rM_b1UU62XCp9dg_5kg=";
/// assert!(verifier.verify_now(&Credential::new("Bearer", token)).is_some_and(|verdict| verdict.is_ok()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const FLAMA: &[Danger] = &[Danger::AnyIssuer, Danger::AnyAudience, Danger::NoExpiration, Danger::PaddedBase64url];
