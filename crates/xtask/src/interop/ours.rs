//! What we sign and verify, as a user would.

use crate::vectors::Under;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::issue::JwtSigner;
use countersign::jwk::JwkSet;
use countersign::jws::{Compact, Header, Json, Policy, Signing, Unprotected};
use countersign::keys::KeyError;
use countersign::provider::KeySet;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{Algorithm, JwtVerifier, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Display;

pub(super) const ISSUER: &str = "https://issuer.example/";
pub(super) const AUDIENCE: &str = "https://api.example/";

/// The longest that any of HS256, HS384 and HS512 asks for.
const SECRET_BYTES: usize = 64;

/// How a payload is signed and sent.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// A JWT, whose claims are checked.
    Compact,
    Flattened,
    /// With two signatures, the second of them by another key.
    General,
    /// Compact, and the payload apart.
    Detached,
    /// As detached, with `b64=false`.
    Unencoded,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Flattened => "flattened",
            Self::General => "general",
            Self::Detached => "detached",
            Self::Unencoded => "unencoded",
        }
    }
}

/// A key of ours, and how others are told of it.
pub(super) struct OurKey {
    key: SigningKey,
    pub(super) jwk: Value,
}

fn said(error: impl Display) -> String {
    error.to_string()
}

impl OurKey {
    /// A fresh key. Keys that the backend does not generate come from the one that does.
    pub(super) fn generate(under: &Under, algorithm: Algorithm, key_id: &str) -> Result<Self, String> {
        if algorithm.name().starts_with("HS") {
            return Self::secret(under, algorithm, key_id).map_err(said);
        }
        let key = SigningKey::generate(algorithm).and_then(|key| key.with_backend(under.backend)).map_err(said)?;
        let key = key.with_key_id(key_id).map_err(said)?;
        let jwk = serde_json::to_value(key.verifying_key().jwk()).map_err(said)?;
        Ok(Self { key, jwk })
    }

    fn secret(under: &Under, algorithm: Algorithm, key_id: &str) -> Result<Self, KeyError> {
        let mut secret = [0; SECRET_BYTES];
        under.backend.random(&mut secret).map_err(|_| KeyError::Unsupported("no randomness"))?;
        let name = algorithm.name();
        let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret), "alg": name, "kid": key_id});
        Ok(Self { key: SigningKey::from_jwk_with(under.backend, algorithm, &jwk.to_string())?, jwk })
    }

    /// The payload signed, in the general form by `other` as well.
    pub(super) fn sign(&self, form: Form, payload: &Value, other: &Self) -> Result<String, String> {
        let text = payload.to_string();
        let signing = || Signing::new(text.as_bytes()).by(&self.key, Header::new(&self.key));
        match form {
            Form::Compact => JwtSigner::new(self.key.clone()).token_type("at+jwt").sign(payload).map_err(said),
            Form::Flattened => signing().flattened().map_err(said),
            Form::General => {
                let hints = Unprotected::new().with("kid", other.key.key_id().into()).map_err(said)?;
                let header = Header::new(&other.key).without_key_id();
                signing().by_with_unprotected(&other.key, header, hints).general().map_err(said)
            }
            Form::Detached => signing().detached().compact().map_err(said),
            Form::Unencoded => signing().detached().unencoded().compact().map_err(said),
        }
    }
}

/// The payload of a token of theirs. What is detached, they gave us apart.
pub(super) fn verify(
    under: &Under,
    algorithm: Algorithm,
    form: Form,
    jwk: &Value,
    token: &str,
    detached: &str,
) -> Result<Value, String> {
    let keys = keys(under, algorithm, jwk)?;
    let policy = Policy::new().allow_unencoded_payload();
    let payload = match form {
        Form::Compact => return claims(keys, algorithm, token),
        Form::Flattened | Form::General => {
            let jws = Json::parse(token, &policy).map_err(said)?;
            jws.verify(one(&keys, algorithm)?).map_err(said)?.payload().to_vec()
        }
        Form::Detached | Form::Unencoded => {
            let jws = Compact::parse_detached(token, detached.as_bytes(), &policy).map_err(said)?;
            jws.verify(one(&keys, algorithm)?).map_err(said)?
        }
    };
    serde_json::from_slice(&payload).map_err(said)
}

fn claims(keys: KeySet, algorithm: Algorithm, token: &str) -> Result<Value, String> {
    let verifier = JwtVerifier::builder(keys).algorithms([algorithm]).issuer(ISSUER).audience(AUDIENCE);
    let verifier = verifier.build().map_err(said)?;
    let verdict = verifier.verify_now(&Credential::new("Bearer", token)).ok_or("no answer at once")?;
    verdict.map_err(|error| why(&error))?.claims().map_err(said)
}

/// What is wrong with the token, where something is.
fn why(error: &VerifyError) -> String {
    match error {
        VerifyError::Rejected(rejection) => rejection.to_string(),
        other => other.to_string(),
    }
}

fn keys(under: &Under, algorithm: Algorithm, jwk: &Value) -> Result<KeySet, String> {
    if jwk.get("kty").is_some_and(|kty| kty == "oct") {
        let key = VerifyingKey::from_secret_jwk_with(under.backend, algorithm, &jwk.to_string()).map_err(said)?;
        return Ok([key].into_iter().collect());
    }
    let set = JwkSet::parse(&json!({"keys": [jwk]}).to_string()).map_err(said)?;
    let keys = KeySet::from_jwks_with(under.backend, &set);
    match keys.quarantined().first() {
        Some(key) => Err(format!("their key is set aside: {}", key.reason)),
        None => Ok(keys),
    }
}

/// The key for this algorithm: one of RSA that names none is a key for several.
fn one(keys: &KeySet, algorithm: Algorithm) -> Result<&VerifyingKey, String> {
    let is_it = |key: &&VerifyingKey| key.algorithm().is_same_as(algorithm);
    keys.iter().find(is_it).ok_or_else(|| "their key is for another algorithm".into())
}

/// The same token with another payload under the same signatures.
pub(super) fn tampered(form: Form, token: &str, payload: &Value) -> Option<(String, String)> {
    let mut changed = payload.clone();
    *changed.get_mut("sub")? = "somebody else".into();
    let changed = changed.to_string();
    let encoded = URL_SAFE_NO_PAD.encode(&changed);
    let token = match form {
        Form::Detached | Form::Unencoded => token.to_owned(),
        Form::Compact => {
            let (header, rest) = token.split_once('.')?;
            let (_, signature) = rest.split_once('.')?;
            format!("{header}.{encoded}.{signature}")
        }
        Form::Flattened | Form::General => {
            let mut json: Value = serde_json::from_str(token).ok()?;
            *json.get_mut("payload")? = encoded.into();
            json.to_string()
        }
    };
    Some((token, changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::BACKENDS;
    use countersign::reason::Rejection;

    const FORMS: [Form; 5] = [Form::Compact, Form::Flattened, Form::General, Form::Detached, Form::Unencoded];

    #[test]
    fn every_form_is_read_back_and_not_when_it_is_tampered_with() {
        let payload = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": 4_102_444_800_u64, "sub": "Zoë"});
        let other = OurKey::generate(&BACKENDS[0], Algorithm::ES256, "other").unwrap();
        for algorithm in [Algorithm::HS384, Algorithm::PS256, Algorithm::Ed25519] {
            for under in &BACKENDS {
                let key = OurKey::generate(under, algorithm, "k").unwrap();
                for form in FORMS {
                    let token = key.sign(form, &payload, &other).unwrap();
                    let read = verify(under, algorithm, form, &key.jwk, &token, &payload.to_string());
                    assert_eq!(read, Ok(payload.clone()), "{algorithm} {form:?}");
                    let (token, payload) = tampered(form, &token, &payload).unwrap();
                    let read = verify(under, algorithm, form, &key.jwk, &token, &payload);
                    assert_eq!(read, Err(Rejection::Signature.to_string()), "{algorithm} {form:?}");
                }
            }
        }
    }
}
