//! The keys of a case, as a user would read them: public ones from a document, secrets from the configuration.

use super::backend::Under;
use super::case::Case;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::jwk::JwkSet;
use countersign::keys::KeyError;
use countersign::provider::KeySet;
use countersign::{Algorithm, VerifyingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The algorithms that the case allows, as far as there are such and the backend has them.
pub(super) fn algorithms(case: &Case, under: &Under) -> Vec<Algorithm> {
    let there = case.options.algs.iter().filter(|name| !under.lacks.contains(&name.as_str()));
    there.filter_map(|name| Algorithm::from_name(name)).collect()
}

/// The keys of the case that can be used.
pub(super) fn key_set(case: &Case, under: &Under) -> Result<KeySet, KeyError> {
    let algorithms = algorithms(case, under);
    match (case.key_format.as_deref(), &case.key_doc, &case.jwks) {
        (Some("PEM"), Some(pem), _) => {
            let read = |algorithm| VerifyingKey::from_pem(algorithm, pem)?.with_backend(under.backend);
            Ok(algorithms.into_iter().filter_map(|algorithm| read(algorithm).ok()).collect())
        }
        (Some("JWKS"), Some(document), _) => read(document, &algorithms, under),
        (_, _, Some(document)) => read(document.get(), &algorithms, under),
        _ => Ok(KeySet::default()),
    }
}

fn read(document: &str, algorithms: &[Algorithm], under: &Under) -> Result<KeySet, KeyError> {
    let public = KeySet::from_jwks_with(under.backend, &JwkSet::parse(document)?);
    let secrets = secrets(document, algorithms, under)?;
    if secrets.is_empty() {
        return Ok(public);
    }
    Ok(public.iter().cloned().chain(secrets).collect())
}

/// The secrets of a document, for each algorithm that they may serve. One that cannot serve at all is a mistake in the
/// configuration, of which a user is told.
fn secrets(document: &str, algorithms: &[Algorithm], under: &Under) -> Result<Vec<VerifyingKey>, KeyError> {
    let document: Document = serde_json::from_str(document).map_err(|_| KeyError::Malformed("not a JWK Set"))?;
    let is_secret = |json: &&str| serde_json::from_str(json).is_ok_and(|Kind { kty }| kty == "oct");
    let mut secrets = Vec::new();
    for json in document.keys.iter().map(|key| key.get()).filter(is_secret) {
        let mut read = algorithms
            .iter()
            .map(|algorithm| secret(*algorithm, json, under))
            .filter(|outcome| !matches!(outcome, Err(KeyError::WrongAlgorithm)))
            .collect::<Vec<_>>();
        if read.iter().any(Result::is_ok) {
            read.retain(Result::is_ok);
        }
        secrets.extend(read.into_iter().collect::<Result<Vec<_>, _>>()?);
    }
    Ok(secrets)
}

/// One secret, which must be good by the rules for JWKs, on the backend.
fn secret(algorithm: Algorithm, json: &str, under: &Under) -> Result<VerifyingKey, KeyError> {
    let read = VerifyingKey::from_secret_jwk(algorithm, json)?;
    let Octets { k } = serde_json::from_str(json).map_err(|_| KeyError::Malformed("not a JWK"))?;
    let octets = URL_SAFE_NO_PAD.decode(k).map_err(|_| KeyError::Malformed("not base64url"))?;
    let key = VerifyingKey::from_secret_with(under.backend, algorithm, &octets)?;
    match read.key_id() {
        Some(key_id) => key.with_key_id(key_id),
        None => Ok(key),
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Kind {
    kty: String,
}

#[derive(Deserialize)]
struct Octets {
    k: String,
}
