//! PEM and DER read: SPKI, PKCS#1, PKCS#8, SEC 1.

use crate::alg::{Algorithm, Curve};
use crate::crypto::{PrivateMaterial, PublicMaterial, RsaPrivate};
use crate::jwk::{MAX_KEY_BYTES, akp_material, check_len, ed25519_material, rsa_material, without_leading_zeros};
use crate::key_error::KeyError;
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use pkcs8::der::{self, Decode, Tag, TagNumber, Tagged};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
pub(super) const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 9881 §2.
pub(super) const ML_DSA: [(Algorithm, ObjectIdentifier); 3] = [
    (Algorithm::MlDsa44, ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17")),
    (Algorithm::MlDsa65, ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18")),
    (Algorithm::MlDsa87, ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19")),
];
/// RFC 9881 §6: `seed [0] OCTET STRING`, with implicit tags.
pub(super) const ML_DSA_SEED: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };

pub(super) fn public_from_pem(pem: &[u8]) -> Result<PublicMaterial, KeyError> {
    let (label, document) = only_key(pem)?;
    match label.as_str() {
        "PUBLIC KEY" => public_from_spki(&document),
        "RSA PUBLIC KEY" => public_from_pkcs1(&document),
        _ => Err(KeyError::Malformed("the PEM block is not a public key")),
    }
}

pub(super) fn public_from_der(document: &[u8]) -> Result<PublicMaterial, KeyError> {
    check_len(document, MAX_KEY_BYTES)?;
    if SubjectPublicKeyInfoRef::from_der(document).is_ok() {
        return public_from_spki(document);
    }
    public_from_pkcs1(document)
}

pub(super) fn private_from_pem(pem: &[u8]) -> Result<PrivateMaterial, KeyError> {
    let (label, document) = only_key(pem)?;
    match label.as_str() {
        "PRIVATE KEY" => private_from_pkcs8(&document),
        "RSA PRIVATE KEY" => private_from_pkcs1(&document),
        "EC PRIVATE KEY" => private_from_sec1(&document, None),
        "ENCRYPTED PRIVATE KEY" => Err(KeyError::Unsupported("encrypted PEM")),
        _ => Err(KeyError::Malformed("the PEM block is not a private key")),
    }
}

pub(super) fn private_from_der(document: &[u8]) -> Result<PrivateMaterial, KeyError> {
    check_len(document, MAX_KEY_BYTES)?;
    if pkcs8::PrivateKeyInfoRef::from_der(document).is_ok() {
        return private_from_pkcs8(document);
    }
    if pkcs1::RsaPrivateKeyRef::from_der(document).is_ok() {
        return private_from_pkcs1(document);
    }
    private_from_sec1(document, None)
}

/// The one block of a file that holds a key. Before it may stand `EC PARAMETERS`, which name the curve that the key names
/// itself: `openssl ecparam -genkey` writes both.
///
/// Another reader may take for a block what does not start its line, or stands within another block: such a file is
/// refused, because there is no telling which key is meant.
fn only_key(pem: &[u8]) -> Result<(String, Zeroizing<Vec<u8>>), KeyError> {
    check_len(pem, MAX_KEY_BYTES)?;
    let begins = pem.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
    let mut keys = blocks(pem).filter(|block| !block.starts_with(b"-----BEGIN EC PARAMETERS-----"));
    match (keys.next(), keys.next()) {
        (Some(block), None) if begins == blocks(pem).count() => decode_block(block),
        _ => Err(NOT_ONE_BLOCK),
    }
}

/// The first block of a file: in a chain of certificates that of whoever presents it (RFC 8446 §4.4.2).
pub(super) fn first_block(pem: &[u8]) -> Result<(String, Zeroizing<Vec<u8>>), KeyError> {
    decode_block(blocks(pem).next().ok_or(NOT_ONE_BLOCK)?)
}

const BEGIN: &[u8] = b"-----BEGIN ";
const NOT_ONE_BLOCK: KeyError = KeyError::Malformed("not one PEM block");

fn decode_block(block: &[u8]) -> Result<(String, Zeroizing<Vec<u8>>), KeyError> {
    let (label, document) = der::pem::decode_vec(block).map_err(|_| NOT_ONE_BLOCK)?;
    Ok((label.to_owned(), Zeroizing::new(document)))
}

/// The blocks of a PEM file, without the text around them (RFC 7468 §2), such as `openssl x509 -text` writes. One that does
/// not end reaches to the end of the file. A byte order mark, as some editors write it, is no part of the first line.
fn blocks(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    const END: &[u8] = b"-----END ";
    let starts_line = |text: &[u8]| matches!(text.split_first(), Some((b'\r' | b'\n', line)) if line == BEGIN);
    let find = |text: &[u8], needle: &[u8]| text.windows(needle.len()).position(|window| window == needle);
    let mut rest = pem.strip_prefix("\u{feff}".as_bytes()).unwrap_or(pem);
    std::iter::from_fn(move || {
        let begin = match rest.starts_with(BEGIN) {
            true => 0,
            false => rest.windows(BEGIN.len() + 1).position(starts_line)? + 1,
        };
        rest = rest.get(begin..)?;
        let end = find(rest, END).and_then(|at| {
            let label = at + END.len();
            Some(label + find(rest.get(label..)?, b"-----")? + 5)
        });
        let (block, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        rest = behind;
        Some(block)
    })
}

pub(super) fn public_from_spki(document: &[u8]) -> Result<PublicMaterial, KeyError> {
    let info =
        SubjectPublicKeyInfoRef::from_der(document).map_err(|_| KeyError::Malformed("not DER of a public key"))?;
    let bits = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed("not DER of a public key"))?;
    match info.algorithm.oid {
        RSA => public_from_pkcs1(bits),
        EC => ec_point(named_curve(&info.algorithm)?, bits).map(|(curve, point)| PublicMaterial::Ec { curve, point }),
        ED25519 => ed25519_material(bits),
        oid => {
            let algorithm = ml_dsa(oid).ok_or(KeyError::Unsupported("an unknown kind of public key"))?;
            akp_material(algorithm, bits.to_vec())
        }
    }
}

fn public_from_pkcs1(document: &[u8]) -> Result<PublicMaterial, KeyError> {
    let key = pkcs1::RsaPublicKeyRef::from_der(document).map_err(|_| KeyError::Malformed("not DER of a public key"))?;
    rsa_material(key.modulus.as_bytes(), key.public_exponent.as_bytes())
}

fn private_from_pkcs8(document: &[u8]) -> Result<PrivateMaterial, KeyError> {
    const MALFORMED: KeyError = KeyError::Malformed("not DER of a private key");
    let info = pkcs8::PrivateKeyInfoRef::from_der(document).map_err(|_| MALFORMED)?;
    match info.algorithm.oid {
        RSA => private_from_pkcs1(info.private_key.as_bytes()),
        EC => private_from_sec1(info.private_key.as_bytes(), Some(named_curve(&info.algorithm)?)),
        ED25519 => {
            // RFC 8410 §7: the octet string holds an octet string.
            let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|_| MALFORMED)?;
            let public = match info.public_key {
                Some(public) => Some(public.as_bytes().and_then(|bytes| bytes.try_into().ok()).ok_or(MALFORMED)?),
                None => None,
            };
            Ok(PrivateMaterial::Ed25519 { seed: Zeroizing::new(seed.as_bytes().to_vec()), public })
        }
        oid => {
            let algorithm = ml_dsa(oid).ok_or(KeyError::Unsupported("an unknown kind of private key"))?;
            let seed = ml_dsa_seed(info.private_key.as_bytes())?;
            let public = match info.public_key {
                Some(public) => Some(public.as_bytes().ok_or(MALFORMED)?.to_vec()),
                None => None,
            };
            Ok(PrivateMaterial::Akp { algorithm, seed: Zeroizing::new(seed.to_vec()), public })
        }
    }
}

fn ml_dsa(oid: ObjectIdentifier) -> Option<Algorithm> {
    ML_DSA.into_iter().find(|(_, own)| *own == oid).map(|(algorithm, _)| algorithm)
}

/// The seed in one of the three forms of RFC 9881 §6: alone, beside the expanded key, or not at all. Signatures are made
/// with what the seed expands to, so what stands beside it is not read.
fn ml_dsa_seed(key: &[u8]) -> Result<&[u8], KeyError> {
    const MALFORMED: KeyError = KeyError::Malformed("not DER of an ML-DSA private key");
    let any = AnyRef::from_der(key).map_err(|_| MALFORMED)?;
    let seed = match any.tag() {
        ML_DSA_SEED => any.value(),
        Tag::Sequence => {
            let both = any.sequence(|both| Ok::<_, der::Error>([(); 2].map(|()| <&OctetStringRef>::decode(both))));
            let [Ok(seed), Ok(_expanded)] = both.map_err(|_| MALFORMED)? else { return Err(MALFORMED) };
            seed.as_bytes()
        }
        Tag::OctetString => return Err(KeyError::Unsupported("an ML-DSA private key without its seed")),
        _ => return Err(MALFORMED),
    };
    if seed.len() == 32 { Ok(seed) } else { Err(MALFORMED) }
}

fn private_from_pkcs1(document: &[u8]) -> Result<PrivateMaterial, KeyError> {
    let key =
        pkcs1::RsaPrivateKeyRef::from_der(document).map_err(|_| KeyError::Malformed("not DER of a private key"))?;
    rsa_material(key.modulus.as_bytes(), key.public_exponent.as_bytes())?;
    let secret = |integer: &[u8]| Zeroizing::new(without_leading_zeros(integer).to_vec());
    Ok(PrivateMaterial::Rsa(Box::new(RsaPrivate {
        n: without_leading_zeros(key.modulus.as_bytes()).to_vec(),
        e: without_leading_zeros(key.public_exponent.as_bytes()).to_vec(),
        d: secret(key.private_exponent.as_bytes()),
        p: secret(key.prime1.as_bytes()),
        q: secret(key.prime2.as_bytes()),
        dp: secret(key.exponent1.as_bytes()),
        dq: secret(key.exponent2.as_bytes()),
        qi: secret(key.coefficient.as_bytes()),
    })))
}

fn private_from_sec1(document: &[u8], curve: Option<Curve>) -> Result<PrivateMaterial, KeyError> {
    let key = sec1::EcPrivateKey::from_der(document).map_err(|_| KeyError::Malformed("not DER of a private key"))?;
    let own = match &key.parameters {
        Some(parameters) => Some(curve_of(parameters.named_curve())?),
        None => None,
    };
    let curve = match (curve, own) {
        (Some(outer), Some(own)) if outer != own => {
            return Err(KeyError::Invalid("the key names two curves"));
        }
        (Some(curve), _) | (None, Some(curve)) => curve,
        (None, None) => return Err(KeyError::Malformed("the EC key names no curve")),
    };
    let public = key.public_key.ok_or(KeyError::Unsupported("an EC private key without its public point"))?;
    let (curve, point) = ec_point(curve, public)?;
    Ok(PrivateMaterial::Ec { curve, scalar: Zeroizing::new(key.private_key.to_vec()), point })
}

fn ec_point(curve: Curve, bits: &[u8]) -> Result<(Curve, Vec<u8>), KeyError> {
    match bits.first() {
        Some(4) if bits.len() == 1 + 2 * curve.coordinate_len() => Ok((curve, bits.to_vec())),
        Some(2 | 3) => Err(KeyError::Unsupported("a compressed EC point")),
        _ => Err(KeyError::Malformed("the EC point has the wrong length")),
    }
}

fn named_curve(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Curve, KeyError> {
    curve_of(algorithm.parameters_oid().ok())
}

fn curve_of(name: Option<ObjectIdentifier>) -> Result<Curve, KeyError> {
    match name {
        Some(P256) => Ok(Curve::P256),
        Some(P384) => Ok(Curve::P384),
        Some(P521) => Ok(Curve::P521),
        Some(SECP256K1) => Ok(Curve::Secp256k1),
        _ => Err(KeyError::Unsupported("an unknown curve")),
    }
}
