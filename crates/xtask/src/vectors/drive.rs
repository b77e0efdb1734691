use super::backend::Under;
use super::case::{Case, Options};
use super::keys::{algorithms, key_set};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::clock::{Clock, SystemClock};
use countersign::danger::Danger;
use countersign::jwk::{Jwk, JwkSet};
use countersign::jws::{self, Compact, Json, Policy};
use countersign::keys::KeyError;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet};
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, UnverifiedToken, VerifyError};
use countersign::{Algorithm, JwtVerifier, VerifyingKey};
use serde_json::Value;
use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What became of a case.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Reject(String),
    /// An algorithm that the backend has not.
    Unsupported(String),
    /// A level that is not driven here.
    Skip(&'static str),
    /// The case makes no sense.
    Error(String),
}

impl Verdict {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject(_) => "reject",
            Self::Unsupported(_) => "unsupported",
            Self::Skip(_) => "skip",
            Self::Error(_) => "error",
        }
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Accept => "",
            Self::Reject(reason) | Self::Unsupported(reason) | Self::Error(reason) => reason,
            Self::Skip(reason) => reason,
        }
    }
}

impl From<Rejection> for Verdict {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection.to_string())
    }
}

pub(super) fn drive(case: &Case, under: &Under) -> Verdict {
    match case.level.as_str() {
        "jws" => jws(case, under),
        "jwt" => jwt(case, under),
        "parse" => match UnverifiedToken::parse(&case.token, jws::MAX_BYTES) {
            Ok(_) => Verdict::Accept,
            Err(rejection) => refused(case, under, rejection, &case.token),
        },
        "jwks" => jwks(case, under),
        "thumbprint" => thumbprint(case),
        "jws-json" => json(case, under),
        "jws-detached" => detached(case, under),
        "http" | "jwks-http" => Verdict::Skip("driven over sockets elsewhere"),
        other => Verdict::Error(format!("unknown level `{other}`")),
    }
}

/// A refusal, unless it is for want of a backend: the header is sound, and the case allows the algorithm that it names.
fn refused(case: &Case, under: &Under, rejection: Rejection, token: &str) -> Verdict {
    match algorithm_named(token) {
        Some(name)
            if rejection == Rejection::Algorithm && under.lacks.contains(&name.as_str()) && case.allows(&name) =>
        {
            Verdict::Unsupported(name)
        }
        _ => rejection.into(),
    }
}

fn algorithm_named(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header["alg"].as_str().map(str::to_owned)
}

fn jws(case: &Case, under: &Under) -> Verdict {
    let policy = match policy(case) {
        Ok(policy) => policy,
        Err(error) => return Verdict::Error(error),
    };
    compact(case, under, || Compact::parse_with(&case.token, &policy))
}

fn detached(case: &Case, under: &Under) -> Verdict {
    let policy = match policy(case) {
        Ok(policy) => policy,
        Err(error) => return Verdict::Error(error),
    };
    match payload(case) {
        Some(payload) => compact(case, under, || Compact::parse_detached(&case.token, &payload, &policy)),
        None => Verdict::Error("a detached payload in base64url is wanted".into()),
    }
}

fn payload(case: &Case) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(case.payload.as_ref()?).ok()
}

/// The extensions that the case says are understood.
fn policy(case: &Case) -> Result<Policy, String> {
    case.options.crit.iter().try_fold(Policy::new(), |policy, name| match name.as_str() {
        "b64" => Ok(policy.allow_unencoded_payload()),
        name => policy.understand(name).map_err(|error| error.to_string()),
    })
}

fn compact<'c>(case: &'c Case, under: &Under, parse: impl Fn() -> Result<Compact<'c>, Rejection>) -> Verdict {
    let header = match parse() {
        Ok(token) => token.header().clone(),
        Err(rejection) => return refused(case, under, rejection, &case.token),
    };
    match keys_for(case, under, header.algorithm(), header.key_id()) {
        Ok(keys) => first_good(keys, |key| parse().and_then(|token| token.verify(key)).map(drop)),
        Err(verdict) => verdict,
    }
}

fn json(case: &Case, under: &Under) -> Verdict {
    let policy = match policy(case) {
        Ok(policy) => policy,
        Err(error) => return Verdict::Error(error),
    };
    let document = case.json.as_deref().unwrap_or_default();
    let parsed = match payload(case) {
        Some(payload) => Json::parse_detached(document, &payload, &policy),
        None => Json::parse(document, &policy),
    };
    let jws = match parsed {
        Ok(jws) => jws,
        Err(rejection) => return refused(case, under, rejection, &protected(document, 0)),
    };
    let mut verdict = Verdict::from(Rejection::UnknownKey);
    for (index, signature) in jws.signatures().iter().enumerate() {
        let one = match signature.algorithm() {
            None => refused(case, under, Rejection::Algorithm, &protected(document, index)),
            Some(algorithm) => match keys_for(case, under, algorithm, signature.key_id()) {
                Ok(keys) => first_good(keys, |key| jws.verify(key).map(drop)),
                Err(verdict) => verdict,
            },
        };
        match one {
            Verdict::Accept => return one,
            // What cannot be judged might be the one that verifies.
            _ if matches!(verdict, Verdict::Unsupported(_)) => {}
            _ => verdict = one,
        }
    }
    verdict
}

/// The protected header of a signature, in base64url; empty where there is none.
fn protected(document: &str, index: usize) -> String {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let protected = document["signatures"][index]["protected"].as_str().or(document["protected"].as_str());
    protected.unwrap_or_default().to_owned()
}

/// The keys to try for a signature, if the case allows its algorithm.
fn keys_for(
    case: &Case,
    under: &Under,
    algorithm: Algorithm,
    key_id: Option<&str>,
) -> Result<Vec<VerifyingKey>, Verdict> {
    if !algorithms(case, under).iter().any(|allowed| allowed.is_same_as(algorithm)) {
        let name = algorithm.name();
        return Err(match under.lacks.contains(&name) && case.allows(name) {
            true => Verdict::Unsupported(name.to_owned()),
            false => Rejection::Algorithm.into(),
        });
    }
    let keys = key_set(case, under).map_err(|error| Verdict::Reject(error.to_string()))?;
    let wanted = KeyRequest::new(algorithm).with_key_id(key_id);
    candidates(&keys, &wanted).map_err(|error| Verdict::Reject(error.to_string()))
}

fn first_good(keys: Vec<VerifyingKey>, verify: impl Fn(&VerifyingKey) -> Result<(), Rejection>) -> Verdict {
    let mut last = Rejection::UnknownKey;
    for key in keys {
        match verify(&key) {
            Ok(()) => return Verdict::Accept,
            Err(rejection) => last = rejection,
        }
    }
    last.into()
}

/// Of more keys than these, none is tried.
const MOST_KEYS: usize = 8;

/// The key for a token, or those that fit one that names none: what a verifier does that was told to try several.
fn candidates(keys: &KeySet, wanted: &KeyRequest<'_>) -> Result<Vec<VerifyingKey>, KeyProviderError> {
    match keys.find(wanted) {
        Ok(key) => Ok(vec![key.clone()]),
        Err(KeyProviderError::Ambiguous) => {
            let keys = keys.candidates(wanted);
            if keys.len() <= MOST_KEYS { Ok(keys) } else { Err(KeyProviderError::Ambiguous) }
        }
        Err(error) => Err(error),
    }
}

#[derive(Debug)]
struct At(SystemTime);

impl Clock for At {
    fn now(&self) -> SystemTime {
        self.0
    }
}

fn jwt(case: &Case, under: &Under) -> Verdict {
    let Options { iss, aud, now, leeway, required, typ, .. } = &case.options;
    let now = now.map_or_else(|| SystemClock::new().now(), |now| UNIX_EPOCH + Duration::from_secs(now));
    let keys = match key_set(case, under) {
        Ok(keys) => keys,
        Err(error) => return Verdict::Reject(error.to_string()),
    };
    let mut builder = JwtVerifier::builder(keys)
        .algorithms(algorithms(case, under))
        .leeway(Duration::from_secs(leeway.unwrap_or(0)))
        .clock(At(now))
        .try_keys(MOST_KEYS);
    builder = match iss {
        Some(issuer) => builder.issuer(issuer),
        None => builder.danger(Danger::AnyIssuer),
    };
    builder = match aud {
        Some(audience) => builder.audience(audience),
        None => builder.danger(Danger::AnyAudience),
    };
    if let Some(typ) = typ {
        builder = builder.types([typ]);
    }
    builder = builder.danger(Danger::NoExpiration);
    for claim in required {
        builder = builder.require_claim(claim);
    }
    let verifier = match builder.build() {
        Ok(verifier) => verifier,
        // No algorithm that the case allows is to be had, and no token to be taken.
        Err(error) if error.setting() == "algorithms" => {
            let rejection = UnverifiedToken::parse(&case.token, jws::MAX_BYTES).err();
            return refused(case, under, rejection.unwrap_or(Rejection::Algorithm), &case.token);
        }
        Err(error) => return Verdict::Error(error.to_string()),
    };
    match verifier.verify_now(&Credential::new("Bearer", &case.token)) {
        Some(Ok(_)) => Verdict::Accept,
        Some(Err(VerifyError::Rejected(rejection))) => refused(case, under, rejection, &case.token),
        Some(Err(error)) => Verdict::Error(error.to_string()),
        None => Verdict::Error("a local key set must answer at once".into()),
    }
}

fn jwks(case: &Case, under: &Under) -> Verdict {
    let document = case.doc.as_deref().unwrap_or_default();
    match case.format.as_deref() {
        Some("jwks") => {}
        Some("pem") => return pem(document, under),
        _ => return Verdict::Skip("a document of another form"),
    }
    let set = match JwkSet::parse(document).or_else(|error| JwkSet::from_certificates(document).map_err(|_| error)) {
        Ok(set) => set,
        Err(error) => return Verdict::Reject(error.to_string()),
    };
    let keys = KeySet::from_jwks_with(under.backend, &set);
    let name = |key: &VerifyingKey| Some((key.key_id().map(str::to_owned), key.jwk()?.thumbprint().ok()?));
    let usable = keys.iter().filter_map(name).collect::<HashSet<_>>().len();
    let elsewhere = keys_of_curves_not_here(document, under);
    match (usable, case.keys) {
        (usable, expected)
            if elsewhere > 0 && (1..=elsewhere).contains(&(expected.unwrap_or(1).saturating_sub(usable))) =>
        {
            Verdict::Unsupported(format!("{usable} usable keys, and {elsewhere} on curves that the backend has not"))
        }
        (0, _) => {
            let reason = keys.quarantined().first().map(|key| key.reason.to_string());
            Verdict::Reject(reason.unwrap_or_else(|| "no usable key".into()))
        }
        (usable, Some(expected)) if usable != expected => {
            Verdict::Reject(format!("{usable} usable keys, not {expected}"))
        }
        _ => Verdict::Accept,
    }
}

fn pem(document: &str, under: &Under) -> Verdict {
    let mut outcomes = Algorithm::ALL
        .iter()
        .map(|&algorithm| VerifyingKey::from_pem(algorithm, document)?.with_backend(under.backend));
    match outcomes.find(|outcome| !matches!(outcome, Err(KeyError::WrongAlgorithm))) {
        Some(Ok(_)) => Verdict::Accept,
        Some(Err(error)) => Verdict::Reject(error.to_string()),
        None => Verdict::Error("a key for no algorithm".into()),
    }
}

fn keys_of_curves_not_here(document: &str, under: &Under) -> usize {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return 0 };
    let keys = document["keys"].as_array().into_iter().flatten();
    let is_elsewhere = |key: &&Value| key["crv"].as_str().is_some_and(|curve| under.lacks_curves.contains(&curve));
    keys.filter(is_elsewhere).count()
}

fn thumbprint(case: &Case) -> Verdict {
    let jwk = case.jwk.as_ref().map(|jwk| jwk.get()).unwrap_or_default();
    match Jwk::parse(jwk).and_then(|jwk| jwk.thumbprint()) {
        Ok(thumbprint) if case.sha256.as_deref() == Some(&thumbprint.to_string()) => Verdict::Accept,
        Ok(thumbprint) => Verdict::Reject(format!("the thumbprint is {thumbprint}")),
        Err(error) => Verdict::Reject(error.to_string()),
    }
}
