//! PEM and DER written: SPKI, PKCS#1, PKCS#8, SEC 1.

use super::der::{EC, ED25519, ML_DSA, ML_DSA_SEED, P256, P384, P521, RSA, SECP256K1};
use super::{SigningKey, VerifyingKey};
use crate::alg::{Algorithm, Curve};
use crate::crypto::{PrivateMaterial, PublicMaterial, RsaPrivate};
use crate::key_error::KeyError;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use pkcs8::der::{self, Encode};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

const NO_PUBLIC_KEY: KeyError =
    KeyError::Unsupported("a secret or a key that lives elsewhere has no public key to write");
const NO_PRIVATE_KEY: KeyError = KeyError::Unsupported("a secret has no such form");
const NOT_RSA: KeyError = KeyError::Unsupported("PKCS#1 is for RSA keys");
const NOT_EC: KeyError = KeyError::Unsupported("SEC 1 is for EC keys");
const UNWRITABLE: KeyError = KeyError::Invalid("the key cannot be written as DER");

impl VerifyingKey {
    /// The public key in DER: SPKI, the form that everything reads (RFC 5280 §4.1.2.7; RFC 8410 §4 for Ed25519, RFC 9881 §4
    /// for ML-DSA).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a secret and for a custom key.
    pub fn to_spki_der(&self) -> Result<Vec<u8>, KeyError> {
        spki(self.public()?)
    }

    /// The public key in PEM: `PUBLIC KEY`.
    ///
    /// # Errors
    /// As [`to_spki_der`](Self::to_spki_der).
    ///
    /// ```
    /// use countersign::{Algorithm, SigningKey, VerifyingKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let pem = key.verifying_key().to_spki_pem()?;
    /// let read = VerifyingKey::from_pem(Algorithm::ES256, &pem)?;
    /// assert_eq!(read.identity(), key.verifying_key().identity());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn to_spki_pem(&self) -> Result<String, KeyError> {
        pem("PUBLIC KEY", &self.to_spki_der()?)
    }

    /// An RSA public key in DER: PKCS#1 (RFC 8017 §A.1.1).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for every other key.
    pub fn to_pkcs1_der(&self) -> Result<Vec<u8>, KeyError> {
        match self.public()? {
            PublicMaterial::Rsa { modulus, exponent } => pkcs1_public(modulus, exponent),
            _ => Err(NOT_RSA),
        }
    }

    /// An RSA public key in PEM: `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// As [`to_pkcs1_der`](Self::to_pkcs1_der).
    pub fn to_pkcs1_pem(&self) -> Result<String, KeyError> {
        pem("RSA PUBLIC KEY", &self.to_pkcs1_der()?)
    }

    fn public(&self) -> Result<&PublicMaterial, KeyError> {
        self.0.public.as_ref().ok_or(NO_PUBLIC_KEY)
    }
}

/// What these methods return is wiped when it is dropped; what is made of it is for the caller to keep.
impl SigningKey {
    /// The private key in DER: PKCS#8 (RFC 5958, in its first version, which everything reads); of ML-DSA the seed alone
    /// (RFC 9881 §6).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a secret.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.private()?.to_pkcs8_der()
    }

    /// The private key in PEM: `PRIVATE KEY`.
    ///
    /// # Errors
    /// As [`to_pkcs8_der`](Self::to_pkcs8_der).
    ///
    /// ```
    /// use countersign::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::Ed25519)?;
    /// let pem = key.to_pkcs8_pem()?; // for a file that nobody else reads
    /// let read = SigningKey::from_pem(Algorithm::Ed25519, pem.as_bytes())?;
    /// assert_eq!(read.verifying_key().identity(), key.verifying_key().identity());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        pem("PRIVATE KEY", &self.to_pkcs8_der()?).map(Zeroizing::new)
    }

    /// An RSA private key in DER: PKCS#1 (RFC 8017 §A.1.2).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for every other key.
    pub fn to_pkcs1_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.private()?.to_pkcs1_der()
    }

    /// An RSA private key in PEM: `RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// As [`to_pkcs1_der`](Self::to_pkcs1_der).
    pub fn to_pkcs1_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        pem("RSA PRIVATE KEY", &self.to_pkcs1_der()?).map(Zeroizing::new)
    }

    /// An EC private key in DER: SEC 1 (RFC 5915), with its curve and its public point.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for every other key.
    pub fn to_sec1_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self.private()? {
            PrivateMaterial::Ec { curve, scalar, point } => {
                let parameters = Some(sec1::EcParameters::NamedCurve(name(*curve)));
                secret(&sec1::EcPrivateKey { private_key: scalar, parameters, public_key: Some(point) })
            }
            _ => Err(NOT_EC),
        }
    }

    /// An EC private key in PEM: `EC PRIVATE KEY`.
    ///
    /// # Errors
    /// As [`to_sec1_der`](Self::to_sec1_der).
    pub fn to_sec1_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        pem("EC PRIVATE KEY", &self.to_sec1_der()?).map(Zeroizing::new)
    }

    fn private(&self) -> Result<&PrivateMaterial, KeyError> {
        self.private.as_deref().ok_or(NO_PRIVATE_KEY)
    }
}

/// For backends that hand a key on to a library. What these methods return is wiped when it is dropped.
impl PrivateMaterial {
    /// As [`SigningKey::to_pkcs8_der`].
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a secret.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self {
            Self::Rsa(rsa) => pkcs8(RSA, Some(AnyRef::NULL), &pkcs1_private(rsa)?),
            Self::Ec { curve, scalar, point } => {
                // PKCS#8 has named the curve; `openssl` leaves it out here, too.
                let key = sec1::EcPrivateKey { private_key: scalar, parameters: None, public_key: Some(point) };
                pkcs8(EC, Some(AnyRef::from(&name(*curve))), &secret(&key)?)
            }
            Self::Ed25519 { seed, .. } => {
                let seed = OctetStringRef::new(seed).map_err(|_| UNWRITABLE)?;
                pkcs8(ED25519, None, &secret(&seed)?)
            }
            Self::Akp { algorithm, seed, .. } => {
                let seed = AnyRef::new(ML_DSA_SEED, seed).map_err(|_| UNWRITABLE)?;
                pkcs8(ml_dsa(*algorithm)?, None, &secret(&seed)?)
            }
            Self::Secret(_) => Err(NO_PRIVATE_KEY),
        }
    }

    /// As [`SigningKey::to_pkcs1_der`].
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for every key but RSA's.
    pub fn to_pkcs1_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self {
            Self::Rsa(rsa) => pkcs1_private(rsa),
            _ => Err(NOT_RSA),
        }
    }
}

fn spki(material: &PublicMaterial) -> Result<Vec<u8>, KeyError> {
    let write = |oid, parameters: Option<AnyRef<'_>>, bits: &[u8]| {
        let algorithm = AlgorithmIdentifierRef { oid, parameters };
        let subject_public_key = BitStringRef::from_bytes(bits).map_err(|_| UNWRITABLE)?;
        SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(|_| UNWRITABLE)
    };
    match material {
        PublicMaterial::Rsa { modulus, exponent } => write(RSA, Some(AnyRef::NULL), &pkcs1_public(modulus, exponent)?),
        PublicMaterial::Ec { curve, point } => write(EC, Some(AnyRef::from(&name(*curve))), point),
        PublicMaterial::Ed25519(key) => write(ED25519, None, key),
        PublicMaterial::Akp { algorithm, public } => write(ml_dsa(*algorithm)?, None, public),
    }
}

fn pkcs8(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    secret(&PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(key).map_err(|_| UNWRITABLE)?))
}

fn pkcs1_public(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, KeyError> {
    let key = pkcs1::RsaPublicKeyRef { modulus: integer(modulus)?, public_exponent: integer(exponent)? };
    key.to_der().map_err(|_| UNWRITABLE)
}

fn pkcs1_private(rsa: &RsaPrivate) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    secret(&pkcs1::RsaPrivateKeyRef {
        modulus: integer(&rsa.n)?,
        public_exponent: integer(&rsa.e)?,
        private_exponent: integer(&rsa.d)?,
        prime1: integer(&rsa.p)?,
        prime2: integer(&rsa.q)?,
        exponent1: integer(&rsa.dp)?,
        exponent2: integer(&rsa.dq)?,
        coefficient: integer(&rsa.qi)?,
        other_prime_infos: None,
    })
}

fn integer(octets: &[u8]) -> Result<UintRef<'_>, KeyError> {
    UintRef::new(octets).map_err(|_| UNWRITABLE)
}

fn secret(document: &impl Encode) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    document.to_der().map(Zeroizing::new).map_err(|_| UNWRITABLE)
}

fn name(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => P256,
        Curve::P384 => P384,
        Curve::P521 => P521,
        Curve::Secp256k1 => SECP256K1,
    }
}

fn ml_dsa(algorithm: Algorithm) -> Result<ObjectIdentifier, KeyError> {
    ML_DSA.into_iter().find(|(own, _)| *own == algorithm).map(|(_, oid)| oid).ok_or(UNWRITABLE)
}

fn pem(label: &'static str, document: &[u8]) -> Result<String, KeyError> {
    der::pem::encode_string(label, der::pem::LineEnding::LF, document)
        .map_err(|_| KeyError::Invalid("the key cannot be written as PEM"))
}
