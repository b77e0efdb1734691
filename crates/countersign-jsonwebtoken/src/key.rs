use crate::convert::{ToJsonwebtoken, signature_of};
use crate::error::ConversionError;
use countersign::crypto::{Backend, Curve, PrivateMaterial, PublicMaterial, default_backend};
use countersign::keys::KeyError;
use countersign::secret::Secret;
use countersign::{Algorithm, SigningKey, VerifyingKey};
use jsonwebtoken as theirs;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

/// A key that verifies, with what jsonwebtoken does not keep in it.
///
/// ```
/// use countersign_jsonwebtoken::ToJsonwebtoken;
/// use countersign::{Algorithm, SigningKey};
/// use jsonwebtoken::Validation;
///
/// # #[cfg(feature = "ring")] {
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let decoding = key.verifying_key().to_jsonwebtoken()?;
/// let validation = Validation::new(decoding.algorithm); // this algorithm and no other
/// assert_eq!(decoding.key_id.as_deref(), Some("2026-11"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decoding {
    /// The key.
    pub key: DecodingKey,
    /// Its one algorithm, for a `Validation`.
    pub algorithm: theirs::Algorithm,
    /// Its `kid`: whoever looks keys up looks it up by this.
    pub key_id: Option<String>,
}

/// A key that signs, with the header of what it signs.
///
/// ```
/// use countersign::{Algorithm, SigningKey};
/// use countersign_jsonwebtoken::{Encoding, ToJsonwebtoken};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let Encoding { header, .. } = key.to_jsonwebtoken()?;
/// assert_eq!((header.alg, header.kid.as_deref()), (jsonwebtoken::Algorithm::ES256, Some("2026-11")));
///
/// // A secret is not given out again.
/// assert!(SigningKey::from_secret(Algorithm::HS256, [7; 32])?.to_jsonwebtoken().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Encoding {
    /// The key.
    pub key: EncodingKey,
    /// `alg`, `kid` and `typ: JWT`.
    pub header: theirs::Header,
}

/// A public key. [`KeyError::Unsupported`] for a secret and for a custom key, which give nothing out.
impl ToJsonwebtoken for VerifyingKey {
    type Counterpart = Decoding;

    fn to_jsonwebtoken(&self) -> Result<Decoding, ConversionError> {
        let algorithm = self.algorithm().to_jsonwebtoken()?;
        let jwk = self.jwk().ok_or(KeyError::Unsupported("a secret or a key that lives elsewhere is not given out"))?;
        let key = match jwk.material() {
            PublicMaterial::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(modulus, exponent),
            PublicMaterial::Ec { point, .. } => DecodingKey::from_ec_der(point),
            PublicMaterial::Ed25519(key) => DecodingKey::from_ed_der(key),
            _ => return Err(ConversionError::NoCounterpart("keys of this kind")),
        };
        Ok(Decoding { key, algorithm, key_id: self.key_id().map(str::to_owned) })
    }
}

/// An asymmetric key. [`KeyError::Unsupported`] for a secret, which is not given out.
impl ToJsonwebtoken for SigningKey {
    type Counterpart = Encoding;

    fn to_jsonwebtoken(&self) -> Result<Encoding, ConversionError> {
        let algorithm = self.algorithm().to_jsonwebtoken()?;
        let key = match algorithm.family() {
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_der(&self.to_pkcs1_der()?),
            AlgorithmFamily::Ec => EncodingKey::from_ec_der(&self.to_pkcs8_der()?),
            AlgorithmFamily::Ed => EncodingKey::from_ed_der(&self.to_pkcs8_der()?),
            AlgorithmFamily::Hmac => return Err(KeyError::Unsupported("a secret is not given out").into()),
        };
        let mut header = theirs::Header::new(algorithm);
        header.kid = self.key_id().map(str::to_owned);
        Ok(Encoding { key, header })
    }
}

/// jsonwebtoken's key as a key for `algorithm`, on the backend that is compiled in.
///
/// # Errors
/// [`ConversionError::Key`] for a key of another family and for what countersign refuses, as a secret does that is short or
/// the text of a key; [`ConversionError::NoCounterpart`] for an algorithm that jsonwebtoken lacks.
///
/// ```
/// use countersign::Algorithm;
/// use countersign_jsonwebtoken::verifying_key;
/// use jsonwebtoken::DecodingKey;
///
/// let secret = DecodingKey::from_secret(b"a secret of at least thirty-two octets");
/// assert!(verifying_key(Algorithm::HS256, &secret).is_ok());
/// assert!(verifying_key(Algorithm::RS256, &secret).is_err(), "a key is for one kind of algorithm");
/// ```
pub fn verifying_key(algorithm: Algorithm, key: &DecodingKey) -> Result<VerifyingKey, ConversionError> {
    verifying_key_with(default_backend()?, algorithm, key)
}

/// jsonwebtoken's key as a key for `algorithm`, on a backend of the caller's choice.
///
/// # Errors
/// As [`verifying_key`], and as the backend says.
///
/// ```
/// use countersign::Algorithm;
/// use countersign_jsonwebtoken::verifying_key_with;
/// use jsonwebtoken::DecodingKey;
///
/// # #[cfg(feature = "rust_crypto")] {
/// use countersign_jsonwebtoken::ProviderBackend;
///
/// let secret = DecodingKey::from_secret(b"a secret of at least thirty-two octets");
/// let key = verifying_key_with(&ProviderBackend::RUST_CRYPTO, Algorithm::HS256, &secret)?;
/// assert_eq!(key.algorithm(), Algorithm::HS256);
/// # }
/// # Ok::<(), countersign_jsonwebtoken::ConversionError>(())
/// ```
pub fn verifying_key_with(
    backend: &dyn Backend,
    algorithm: Algorithm,
    key: &DecodingKey,
) -> Result<VerifyingKey, ConversionError> {
    check_family(algorithm, key.family())?;
    let octets = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let material = PublicMaterial::Rsa { modulus: n.clone(), exponent: e.clone() };
            return Ok(VerifyingKey::from_material(backend, algorithm, material)?);
        }
        DecodingKeyKind::SecretOrDer(octets) => octets,
    };
    let material = match (key.family(), octets.first()) {
        (AlgorithmFamily::Hmac, _) => return Ok(VerifyingKey::from_secret_with(backend, algorithm, octets)?),
        // An uncompressed point; DER begins with a SEQUENCE.
        (AlgorithmFamily::Ec, Some(4)) => PublicMaterial::Ec { curve: curve(algorithm)?, point: octets.clone() },
        (AlgorithmFamily::Ed, _) if octets.len() == 32 => {
            let key =
                octets.as_slice().try_into().map_err(|_| KeyError::Malformed("an Ed25519 public key has 32 octets"))?;
            PublicMaterial::Ed25519(key)
        }
        _ => return Ok(VerifyingKey::from_der_with(backend, algorithm, octets)?),
    };
    Ok(VerifyingKey::from_material(backend, algorithm, material)?)
}

/// jsonwebtoken's key as a key for `algorithm`, on the backend that is compiled in.
///
/// # Errors
/// As [`verifying_key`].
///
/// ```
/// use countersign::Algorithm;
/// use countersign_jsonwebtoken::signing_key;
/// use jsonwebtoken::EncodingKey;
///
/// # #[cfg(feature = "ring")] {
/// let key = signing_key(Algorithm::HS256, &EncodingKey::from_secret(&[7; 32]))?;
/// assert_eq!(key.algorithm(), Algorithm::HS256);
/// assert!(signing_key(Algorithm::HS256, &EncodingKey::from_secret(b"secret")).is_err(), "RFC 7518 §3.2");
/// # }
/// # Ok::<(), countersign_jsonwebtoken::ConversionError>(())
/// ```
pub fn signing_key(algorithm: Algorithm, key: &EncodingKey) -> Result<SigningKey, ConversionError> {
    signing_key_with(default_backend()?, algorithm, key)
}

/// jsonwebtoken's key as a key for `algorithm`, on a backend of the caller's choice.
///
/// # Errors
/// As [`signing_key`], and as the backend says.
///
/// ```
/// use countersign::Algorithm;
/// use countersign_jsonwebtoken::signing_key_with;
/// use jsonwebtoken::EncodingKey;
///
/// # #[cfg(feature = "rust_crypto")] {
/// use countersign_jsonwebtoken::ProviderBackend;
///
/// let key = signing_key_with(&ProviderBackend::RUST_CRYPTO, Algorithm::HS256, &EncodingKey::from_secret(&[7; 32]))?;
/// assert_eq!(key.sign(b"message").map(|signature| signature.len()), Ok(32));
/// # }
/// # Ok::<(), countersign_jsonwebtoken::ConversionError>(())
/// ```
pub fn signing_key_with(
    backend: &dyn Backend,
    algorithm: Algorithm,
    key: &EncodingKey,
) -> Result<SigningKey, ConversionError> {
    check_family(algorithm, key.family())?;
    if key.family() == AlgorithmFamily::Hmac {
        let material = PrivateMaterial::Secret(Secret::new(key.as_bytes()));
        return Ok(SigningKey::from_material(backend, algorithm, &material)?);
    }
    Ok(SigningKey::from_der_with(backend, algorithm, key.as_bytes())?)
}

fn check_family(algorithm: Algorithm, family: AlgorithmFamily) -> Result<(), ConversionError> {
    if signature_of(algorithm)?.family() == family { Ok(()) } else { Err(KeyError::WrongAlgorithm.into()) }
}

fn curve(algorithm: Algorithm) -> Result<Curve, ConversionError> {
    match algorithm {
        Algorithm::ES256 => Ok(Curve::P256),
        Algorithm::ES384 => Ok(Curve::P384),
        _ => Err(KeyError::WrongAlgorithm.into()),
    }
}

#[cfg(test)]
#[cfg(feature = "ring")]
mod tests;
