//! The keys of a case, as a user would read them.

use super::case::Case;
use countersign::jwk::Jwk;
use countersign::keys::KeyError;
use countersign::provider::KeySet;
use countersign::{Algorithm, SigningKey, VerifyingKey};
use serde_json::Value;

/// The algorithms that the case allows, as far as there are such.
pub(super) fn algorithms(case: &Case) -> Vec<Algorithm> {
    case.options.algs.iter().filter_map(|name| Algorithm::from_name(name)).collect()
}

/// The keys of the case that can be used, one for each algorithm that they may serve.
pub(super) fn key_set(case: &Case) -> KeySet {
    if let (Some(pem), Some("PEM")) = (&case.key_doc, case.key_format.as_deref()) {
        return algorithms(case)
            .into_iter()
            .filter_map(|algorithm| VerifyingKey::from_pem(algorithm, pem).ok())
            .collect();
    }
    let keys = case.jwks.as_ref().and_then(|set| set["keys"].as_array()).into_iter().flatten();
    keys.flat_map(|key| algorithms(case).into_iter().filter_map(|algorithm| read(key, algorithm).ok())).collect()
}

/// A secret is configured, and a public key published: two ways in.
fn read(key: &Value, algorithm: Algorithm) -> Result<VerifyingKey, KeyError> {
    let json = key.to_string();
    if key["kty"] == "oct" {
        return Ok(SigningKey::from_jwk(algorithm, &json)?.verifying_key().clone());
    }
    VerifyingKey::from_jwk(&Jwk::parse(&json)?, algorithm)
}
