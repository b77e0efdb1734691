//! Private JWKs and `oct` secrets: read from configuration alone.

use super::{Fields, bytes, ed25519_material, malformed_json};
use crate::alg::{Algorithm, Family};
use crate::crypto::{PrivateMaterial, PublicMaterial, RsaPrivate};
use crate::json::{self, Members, Wrong};
use crate::key_error::KeyError;
use crate::secret::Secret;
use serde::de::MapAccess;
use zeroize::Zeroizing;

/// A private JWK, taken apart.
pub(crate) struct PrivateJwk {
    pub(crate) key_id: Option<String>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) material: PrivateMaterial,
}

#[derive(Default)]
struct PrivateFields {
    d: Option<Zeroizing<String>>,
    p: Option<Zeroizing<String>>,
    q: Option<Zeroizing<String>>,
    dp: Option<Zeroizing<String>>,
    dq: Option<Zeroizing<String>>,
    qi: Option<Zeroizing<String>>,
    k: Option<Zeroizing<String>>,
    seed: Option<Zeroizing<String>>,
    oth: bool,
}

impl<'de> Members<'de> for PrivateFields {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        let (slot, name) = match name {
            "d" => (&mut self.d, "d"),
            "p" => (&mut self.p, "p"),
            "q" => (&mut self.q, "q"),
            "dp" => (&mut self.dp, "dp"),
            "dq" => (&mut self.dq, "dq"),
            "qi" => (&mut self.qi, "qi"),
            "k" => (&mut self.k, "k"),
            "priv" => (&mut self.seed, "priv"),
            "oth" => {
                self.oth = true;
                return json::skip(map);
            }
            _ => return json::skip(map),
        };
        *slot = Some(Zeroizing::new(json::typed(map, name)?));
        Ok(())
    }
}

/// Reads a private or symmetric JWK that is to serve `operation`, one of RFC 7517 §4.3.
pub(crate) fn read_private(json: &str, operation: &str) -> Result<PrivateJwk, KeyError> {
    let fields = Fields::read(json.as_bytes())?;
    let mut private = PrivateFields::default();
    json::read_object(json.as_bytes(), &mut private).map_err(malformed_json)?;
    fields.check_use(operation)?;
    let octets = |member: &Option<Zeroizing<String>>| -> Result<Zeroizing<Vec<u8>>, KeyError> {
        bytes(member.as_ref().map(|text| text.as_str()), "").map(Zeroizing::new)
    };
    if private.oth {
        return Err(KeyError::Unsupported("RSA with more than two primes"));
    }
    if fields.kty.as_deref() == Some("oct") {
        let material = PrivateMaterial::Secret(Secret::new(octets(&private.k)?.to_vec()));
        let algorithm = fields.algorithm(Family::Hmac)?;
        return Ok(PrivateJwk { key_id: fields.key_id, algorithm, material });
    }
    let public = fields.public_material(super::MIN_RSA_BITS)?;
    let algorithm = fields.algorithm(super::material_family(&public))?;
    let d = || octets(&private.d);
    let material = match public {
        PublicMaterial::Rsa { modulus, exponent } => PrivateMaterial::Rsa(Box::new(RsaPrivate {
            n: modulus,
            e: exponent,
            d: d()?,
            p: octets(&private.p)?,
            q: octets(&private.q)?,
            dp: octets(&private.dp)?,
            dq: octets(&private.dq)?,
            qi: octets(&private.qi)?,
        })),
        PublicMaterial::Ec { curve, point } => PrivateMaterial::Ec { curve, scalar: d()?, point },
        PublicMaterial::Ed25519(key) => {
            ed25519_material(&key)?;
            PrivateMaterial::Ed25519 { seed: d()?, public: Some(key) }
        }
        PublicMaterial::Akp { algorithm, public } => {
            PrivateMaterial::Akp { algorithm, seed: octets(&private.seed)?, public: Some(public) }
        }
    };
    Ok(PrivateJwk { key_id: fields.key_id, algorithm, material })
}
