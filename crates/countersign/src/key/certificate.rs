//! Keys in X.509 certificates, which some issuers publish instead of JWKs.

use super::VerifyingKey;
use super::der::{first_block, public_from_spki};
use crate::alg::Algorithm;
use crate::crypto::{PublicMaterial, default_backend};
use crate::json::{self, Members, Wrong};
use crate::jwk::{Jwk, JwkSet, MAX_KEY_BYTES, MAX_KEYS, MAX_SET_BYTES, check_len, is_key_id, malformed_json};
use crate::key_error::KeyError;
use pkcs8::der::{Decode, Encode};
use serde::de::MapAccess;

impl VerifyingKey {
    /// The public key of an X.509 certificate, in PEM or DER; of a chain in PEM, that of the first certificate, which is the
    /// one that the others vouch for. Text around the PEM blocks is skipped.
    ///
    /// The key alone is taken: neither the certificate's dates nor its issuer are looked at. Where it comes from is what
    /// makes it trusted.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for what is no certificate, and for more than [`MAX_KEY_BYTES`];
    /// [`KeyError::WrongAlgorithm`] for a key of another kind.
    pub fn from_certificate(algorithm: Algorithm, certificate: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::from_material(default_backend()?, algorithm, material(certificate.as_ref())?)
    }
}

impl JwkSet {
    /// The keys of a JSON object that maps key ids to X.509 certificates in PEM, as Google publishes them.
    ///
    /// The keys alone are taken, as [`VerifyingKey::from_certificate`] does. A certificate that cannot be used is set
    /// aside with its reason.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the document is no such object, or has more than [`MAX_KEYS`] members or
    /// [`MAX_SET_BYTES`].
    ///
    /// ```
    /// use countersign::jwk::JwkSet;
    ///
    /// let set = JwkSet::from_certificates(r#"{"a": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}"#)?;
    /// assert_eq!((set.keys().len(), set.quarantined().len()), (0, 1));
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn from_certificates(json: &str) -> Result<Self, KeyError> {
        check_len(json.as_bytes(), MAX_SET_BYTES)?;
        let mut certificates = Certificates::default();
        json::read_object(json.as_bytes(), &mut certificates).map_err(malformed_json)?;
        if certificates.0.len() > MAX_KEYS {
            return Err(KeyError::Malformed("too many keys"));
        }
        let keys = certificates.0.into_iter().map(|(key_id, pem)| {
            if !is_key_id(&key_id) {
                return Err(KeyError::Malformed("`kid` is empty, too long or has control characters"));
            }
            Ok(Jwk::from_parts(Some(key_id), None, material(pem.as_bytes())?))
        });
        Ok(Self::sorted(keys))
    }
}

#[derive(Default)]
struct Certificates(Vec<(String, String)>);

impl<'de> Members<'de> for Certificates {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        self.0.push((name.to_owned(), json::typed(map, "certificate")?));
        Ok(())
    }
}

fn material(certificate: &[u8]) -> Result<PublicMaterial, KeyError> {
    const MALFORMED: KeyError = KeyError::Malformed("not a certificate");
    check_len(certificate, MAX_KEY_BYTES)?;
    let from_der = |certificate: x509_cert::Certificate| {
        let key = certificate.tbs_certificate().subject_public_key_info().to_der().map_err(|_| MALFORMED)?;
        public_from_spki(&key)
    };
    // A certificate in DER may hold any text, PEM among it: what is DER as a whole is not looked into.
    if let Ok(certificate) = x509_cert::Certificate::from_der(certificate) {
        return from_der(certificate);
    }
    match first_block(certificate)? {
        (label, document) if label == "CERTIFICATE" => {
            from_der(x509_cert::Certificate::from_der(&document).map_err(|_| MALFORMED)?)
        }
        _ => Err(MALFORMED),
    }
}
