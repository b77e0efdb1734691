//! jsonwebtoken 11, set up as its documentation has it, with all that it checks turned on.
//!
//! It reads the system clock alone. At the time of a case its rule for times is therefore applied here, in the words of
//! `Validation`: `exp < now - leeway` has expired, `nbf > now + leeway` is not yet valid. What a time may look like it
//! judges itself.

use super::super::case::{Case, Options};
use super::super::drive::Verdict;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Algorithm, VerifyingKey};
use countersign_jsonwebtoken::ToJsonwebtoken;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::jws::Jws;
use jsonwebtoken::{DecodingKey, Header, Validation, crypto, dangerous, decode, decode_header};
use serde_json::Value;
use std::panic::catch_unwind;

/// Its verdict; nothing for what it has not, like detached payloads.
pub(super) fn judge(case: &Case) -> Option<Verdict> {
    // A second installation fails, and changes nothing.
    let _ = DEFAULT_PROVIDER.install_default();
    let judged = catch_unwind(|| match case.level.as_str() {
        "jws" => Some(jws(case, &case.token)),
        "jws-json" if case.payload.is_none() => Some(json(case)),
        "jwt" => Some(jwt(case)),
        "parse" => Some(dangerous::insecure_decode::<Value>(&case.token).map(drop).map_err(|error| error.to_string())),
        "jwks" if case.format.as_deref() == Some("jwks") => Some(jwks(case)),
        "thumbprint" => Some(thumbprint(case)),
        _ => None,
    });
    match judged {
        Ok(None) => None,
        Ok(Some(Ok(()))) => Some(Verdict::Accept),
        Ok(Some(Err(reason))) => Some(Verdict::Reject(reason)),
        Err(_) => Some(Verdict::Error("it panics".into())),
    }
}

/// The keys of the case, each under its `kid`.
fn keys(case: &Case) -> Result<Vec<(Option<String>, DecodingKey)>, String> {
    let document = match (case.key_format.as_deref(), &case.key_doc, &case.jwks) {
        (Some("PEM"), Some(pem), _) => return Ok(from_pem(pem).into_iter().map(|key| (None, key)).collect()),
        (Some("JWKS"), Some(document), _) => document.as_str(),
        (_, _, Some(document)) => document.get(),
        _ => return Ok(Vec::new()),
    };
    let set: JwkSet = serde_json::from_str(document).map_err(|error| error.to_string())?;
    let key = |jwk: Jwk| Some((jwk.common.key_id.clone(), DecodingKey::from_jwk(&jwk).ok()?));
    Ok(set.keys.into_iter().filter_map(key).collect())
}

/// As ours reads it: jsonwebtoken's own reading of PEM is not built.
fn from_pem(pem: &str) -> Option<DecodingKey> {
    let mut keys = Algorithm::ALL.iter().filter_map(|&algorithm| VerifyingKey::from_pem(algorithm, pem).ok());
    keys.find_map(|key| Some(key.to_jsonwebtoken().ok()?.key))
}

/// A token with a `kid` sees keys with that one or with none; a token without sees all.
fn try_keys(case: &Case, header: &Header, judge: impl Fn(&DecodingKey) -> Result<(), String>) -> Result<(), String> {
    let fits = |kid: &Option<String>| header.kid.is_none() || kid.is_none() || *kid == header.kid;
    let mut last = Err("no key fits".to_owned());
    for (_, key) in keys(case)?.iter().filter(|(kid, _)| fits(kid)) {
        last = judge(key);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// The algorithms of the case, as far as they are of the key's family: others beside them fail every token.
fn allowed(case: &Case, key: &DecodingKey) -> Vec<jsonwebtoken::Algorithm> {
    let known = case.options.algs.iter().filter_map(|name| name.parse::<jsonwebtoken::Algorithm>().ok());
    known.filter(|algorithm| algorithm.family() == key.family()).collect()
}

/// Flattened is what it reads; its own `jws::decode` takes claims alone.
fn json(case: &Case) -> Result<(), String> {
    let document = case.json.as_deref().unwrap_or_default();
    let Jws { protected, payload, signature, .. } =
        serde_json::from_str::<Jws<Value>>(document).map_err(|error| error.to_string())?;
    jws(case, &format!("{protected}.{payload}.{signature}"))
}

fn jws(case: &Case, token: &str) -> Result<(), String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let (message, signature) = token.rsplit_once('.').ok_or("no signature")?;
    // The octets are verified as they stand; to read the payload is left to the caller.
    let (_, payload) = message.split_once('.').ok_or("no payload")?;
    URL_SAFE_NO_PAD.decode(payload).map_err(|error| error.to_string())?;
    try_keys(case, &header, |key| {
        if !allowed(case, key).contains(&header.alg) {
            return Err("the algorithm is not allowed".into());
        }
        match crypto::verify(signature, message.as_bytes(), key, header.alg) {
            Ok(true) => Ok(()),
            Ok(false) => Err("the signature is wrong".into()),
            Err(error) => Err(error.to_string()),
        }
    })
}

fn jwt(case: &Case) -> Result<(), String> {
    let Options { iss, aud, now, leeway, required, .. } = &case.options;
    let header = decode_header(&case.token).map_err(|error| error.to_string())?;
    try_keys(case, &header, |key| {
        let mut validation = Validation::new(header.alg);
        validation.algorithms = allowed(case, key);
        validation.validate_nbf = true;
        // So much that it finds no time to be out of bounds: see above.
        validation.leeway = jsonwebtoken::get_current_timestamp();
        validation.required_spec_claims = required.iter().cloned().collect();
        if let Some(issuer) = iss {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".into());
        }
        match aud {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.required_spec_claims.insert("aud".into());
            }
            None => validation.validate_aud = false,
        }
        let token = decode::<Value>(&case.token, key, &validation).map_err(|error| error.to_string())?;
        let now = now.unwrap_or_else(jsonwebtoken::get_current_timestamp);
        let leeway = leeway.unwrap_or(0);
        match (time(&token.claims, "exp"), time(&token.claims, "nbf")) {
            (Some(exp), _) if exp < now.saturating_sub(leeway) => Err("it has expired".into()),
            (_, Some(nbf)) if nbf > now.saturating_add(leeway) => Err("it is not yet valid".into()),
            _ => Ok(()),
        }
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it has judged the number")]
fn time(claims: &Value, name: &str) -> Option<u64> {
    let value = &claims[name];
    value.as_u64().or_else(|| value.as_f64().map(|number| number.round() as u64))
}

fn jwks(case: &Case) -> Result<(), String> {
    let document = case.doc.as_deref().unwrap_or_default();
    let set: JwkSet = serde_json::from_str(document).map_err(|error| error.to_string())?;
    let usable = set.keys.iter().filter(|jwk| DecodingKey::from_jwk(jwk).is_ok()).count();
    match case.keys {
        _ if usable == 0 => Err("no usable key".into()),
        Some(expected) if expected != usable => Err(format!("{usable} usable keys, not {expected}")),
        _ => Ok(()),
    }
}

fn thumbprint(case: &Case) -> Result<(), String> {
    let jwk = case.jwk.as_ref().map(|jwk| jwk.get()).unwrap_or_default();
    let jwk: Jwk = serde_json::from_str(jwk).map_err(|error| error.to_string())?;
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|error| error.to_string())?;
    let is_base64url = URL_SAFE_NO_PAD.decode(&thumbprint).is_ok();
    if is_base64url && case.sha256.as_ref() == Some(&thumbprint) { Ok(()) } else { Err("another thumbprint".into()) }
}
