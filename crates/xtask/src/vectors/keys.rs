//! The keys of a case, as a user would read them: public ones from a document, secrets from the configuration.

use super::case::Case;
use countersign::jwk::JwkSet;
use countersign::keys::KeyError;
use countersign::provider::KeySet;
use countersign::{Algorithm, VerifyingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The algorithms that the case allows, as far as there are such.
pub(super) fn algorithms(case: &Case) -> Vec<Algorithm> {
    case.options.algs.iter().filter_map(|name| Algorithm::from_name(name)).collect()
}

/// The keys of the case that can be used.
pub(super) fn key_set(case: &Case) -> Result<KeySet, KeyError> {
    let algorithms = algorithms(case);
    match (case.key_format.as_deref(), &case.key_doc, &case.jwks) {
        (Some("PEM"), Some(pem), _) => {
            Ok(algorithms.into_iter().filter_map(|algorithm| VerifyingKey::from_pem(algorithm, pem).ok()).collect())
        }
        (Some("JWKS"), Some(document), _) => read(document, &algorithms),
        (_, _, Some(document)) => read(document.get(), &algorithms),
        _ => Ok(KeySet::default()),
    }
}

fn read(document: &str, algorithms: &[Algorithm]) -> Result<KeySet, KeyError> {
    let public = KeySet::from_jwks(&JwkSet::parse(document)?);
    let secrets = secrets(document, algorithms)?;
    if secrets.is_empty() {
        return Ok(public);
    }
    Ok(public.iter().cloned().chain(secrets).collect())
}

/// The secrets of a document, for each algorithm that they may serve. One that cannot serve at all is a mistake in the
/// configuration, of which a user is told.
fn secrets(document: &str, algorithms: &[Algorithm]) -> Result<Vec<VerifyingKey>, KeyError> {
    let document: Document = serde_json::from_str(document).map_err(|_| KeyError::Malformed("not a JWK Set"))?;
    let is_secret = |json: &&str| serde_json::from_str(json).is_ok_and(|Kind { kty }| kty == "oct");
    let mut secrets = Vec::new();
    for json in document.keys.iter().map(|key| key.get()).filter(is_secret) {
        let mut read = algorithms
            .iter()
            .map(|algorithm| VerifyingKey::from_secret_jwk(*algorithm, json))
            .filter(|outcome| !matches!(outcome, Err(KeyError::WrongAlgorithm)))
            .collect::<Vec<_>>();
        if read.iter().any(Result::is_ok) {
            read.retain(Result::is_ok);
        }
        secrets.extend(read.into_iter().collect::<Result<Vec<_>, _>>()?);
    }
    Ok(secrets)
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Kind {
    kty: String,
}
