use crate::convert::ToCountersign;
use crate::error::ConversionError;
use crate::key::{signing_key_with, verifying_key_with};
use countersign::crypto::{Backend, Curve, Hash, PublicMaterial, Ring};
use countersign::{Algorithm, SigningKey, VerifyingKey};
use jsonwebtoken as theirs;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use jsonwebtoken::signature;
use jsonwebtoken::{DecodingKey, EncodingKey};

/// *ring* for users of jsonwebtoken: each of its twelve algorithms, and what it needs for JWKs.
///
/// A constant: installing it is the caller's own call, once for the process.
///
/// Keys are held to the rules of countersign. A secret is at least as long as the hash (RFC 7518 §3.2) and not the text of a
/// key; an RSA key has at least 2048 bits; an EC private key carries its public point. What is refused is
/// `ErrorKind::Provider`, with the reason. jsonwebtoken asks for a signer or verifier at each use, so a key is read and
/// checked each time; a private RSA key signs twice.
///
/// ```
/// use countersign_jsonwebtoken::RING;
/// use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
/// use serde_json::{Value, json};
///
/// RING.install_default().expect("the first of this process");
///
/// let token = encode(&Header::default(), &json!({"exp": 4_102_444_800_u64}), &EncodingKey::from_secret(&[7; 32]))?;
/// assert!(decode::<Value>(&token, &DecodingKey::from_secret(&[7; 32]), &Validation::default()).is_ok());
/// assert!(decode::<Value>(&token, &DecodingKey::from_secret(&[8; 32]), &Validation::default()).is_err());
/// assert!(decode::<Value>(&token, &DecodingKey::from_secret(b"secret"), &Validation::default()).is_err());
/// # Ok::<(), jsonwebtoken::errors::Error>(())
/// ```
pub static RING: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |der| {
            let key = SigningKey::from_der_with(&Ring, Algorithm::RS256, der).map_err(refused)?;
            rsa_components(key.verifying_key())
        },
        rsa_pub_components_from_public_key: |der| {
            rsa_components(&VerifyingKey::from_der_with(&Ring, Algorithm::RS256, der).map_err(refused)?)
        },
        ec_pub_components_from_private_key: ec_components,
        ed_pub_components_from_private_key: ed_component,
        compute_digest: digest,
    },
};

fn refused(error: impl Into<ConversionError>) -> Error {
    new_error(ErrorKind::Provider(error.into().to_string()))
}

fn signer(algorithm: &theirs::Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let ours = algorithm.to_countersign().map_err(refused)?;
    let key = signing_key_with(&Ring, ours, key).map_err(refused)?;
    Ok(Box::new(Signer { algorithm: *algorithm, key }))
}

fn verifier(algorithm: &theirs::Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let ours = algorithm.to_countersign().map_err(refused)?;
    let key = verifying_key_with(&Ring, ours, key).map_err(refused)?;
    Ok(Box::new(Verifier { algorithm: *algorithm, key }))
}

struct Signer {
    algorithm: theirs::Algorithm,
    key: SigningKey,
}

impl signature::Signer<Vec<u8>> for Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        self.key.sign(message).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for Signer {
    fn algorithm(&self) -> theirs::Algorithm {
        self.algorithm
    }
}

struct Verifier {
    algorithm: theirs::Algorithm,
    key: VerifyingKey,
}

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.key.verify(message, signature).map_err(signature::Error::from_source)
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> theirs::Algorithm {
        self.algorithm
    }
}

fn material(key: &VerifyingKey) -> Option<PublicMaterial> {
    key.jwk().map(|jwk| jwk.material().clone())
}

fn rsa_components(key: &VerifyingKey) -> Result<(Vec<u8>, Vec<u8>), Error> {
    match material(key) {
        Some(PublicMaterial::Rsa { modulus, exponent }) => Ok((modulus, exponent)),
        _ => Err(new_error(ErrorKind::InvalidKeyFormat)),
    }
}

fn ec_components(der: &[u8], algorithm: theirs::Algorithm) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>), Error> {
    let key = SigningKey::from_der_with(&Ring, algorithm.to_countersign().map_err(refused)?, der).map_err(refused)?;
    let Some(PublicMaterial::Ec { curve, point }) = material(key.verifying_key()) else {
        return Err(new_error(ErrorKind::InvalidEcdsaKey));
    };
    let (curve, len) = match curve {
        Curve::P256 => (EllipticCurve::P256, 32),
        Curve::P384 => (EllipticCurve::P384, 48),
        _ => return Err(new_error(ErrorKind::InvalidEcdsaKey)),
    };
    let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(len).unwrap_or_default();
    Ok((curve, x.to_vec(), y.to_vec()))
}

fn ed_component(der: &[u8], curve: &EllipticCurve) -> Result<Vec<u8>, Error> {
    if *curve != EllipticCurve::Ed25519 {
        return Err(new_error(ErrorKind::InvalidAlgorithm));
    }
    let key = SigningKey::from_der_with(&Ring, Algorithm::EdDSA, der).map_err(refused)?;
    match material(key.verifying_key()) {
        Some(PublicMaterial::Ed25519(key)) => Ok(key.to_vec()),
        _ => Err(new_error(ErrorKind::InvalidEddsaKey)),
    }
}

fn digest(octets: &[u8], hash: ThumbprintHash) -> Result<Vec<u8>, Error> {
    let hash = match hash {
        ThumbprintHash::SHA256 => Hash::Sha256,
        ThumbprintHash::SHA384 => Hash::Sha384,
        ThumbprintHash::SHA512 => Hash::Sha512,
        _ => return Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    };
    Ok(Ring.digest(hash, &[octets]))
}

#[cfg(test)]
mod tests;
