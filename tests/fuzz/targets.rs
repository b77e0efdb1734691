//! What each fuzz target does with its bytes, and what must hold for all of them.
//!
//! No fuzzer stands here: the programs in `bin/` hand over what libFuzzer makes up, `crates/countersign/tests/laws/fuzz_replay.rs`
//! hands over the corpora.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign::claims::NumericDate;
use countersign::clock::Clock;
use countersign::danger::{self, Danger};
use countersign::issue::JwtSigner;
use countersign::jwk::{Jwk, JwkSet, MAX_KEYS};
use countersign::jws::{self, Compact, Header, Json, Policy, Signing};
use countersign::keys::KeyError;
use countersign::provider::{KeyProviderError, KeyRequest, KeySet};
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, UnverifiedToken, VerifyError};
use countersign::{Algorithm, JwtVerifier, SigningKey, VerifiedToken, VerifyingKey};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A target, by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target there is. Each has a program in `bin/` and a folder in `corpus/`.
pub const TARGETS: [Target; 6] =
    [("claims", claims), ("compact", compact), ("json", json), ("jwk", jwk), ("jwks", jwks), ("pem", pem)];

const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 30;
const UNTRUE: &[u8] = b"sealed by nobody";

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

static KEY: LazyLock<SigningKey> = LazyLock::new(|| secret(7));

/// By the plain rules, by every rule that can be asked for, with another claim as the audience, and by as few rules as
/// can be.
static VERIFIERS: LazyLock<[JwtVerifier; 4]> = LazyLock::new(|| {
    let plain = || {
        JwtVerifier::builder(KEY.verifying_key().clone())
            .algorithms([Algorithm::HS256])
            .issuer("me")
            .audience("api")
            .leeway(Duration::from_secs(LEEWAY))
            .clock(Still)
    };
    let strict = plain()
        .subject("7")
        .max_age(Duration::from_secs(600))
        .max_lifetime(Duration::from_secs(3600))
        .access_tokens_only();
    let renamed = plain().audience_claim("client_id");
    let lax = JwtVerifier::builder(KEY.verifying_key().clone())
        .algorithms([Algorithm::HS256])
        .dangers(danger::FLAMA)
        .danger(Danger::AnyHolder)
        .clock(Still);
    [plain(), strict, renamed, lax].map(|builder| builder.build().expect("a verifier"))
});

fn secret(octet: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::HS256, [octet; 32]).expect("a secret")
}

/// A JWS in the compact serialization; or, where there is a line feed, the header before it and the payload behind it,
/// which are then signed.
pub fn compact(data: &[u8]) {
    if let Ok(token) = std::str::from_utf8(data) {
        compact_token(token);
    }
    if let Some((header, payload)) = split(data) {
        compact_token(&sealed(header, payload));
    }
}

/// A JWS in JSON; or, where there are line feeds, the protected header before the first, the unprotected one before the
/// second and the payload behind that, which are then signed.
pub fn json(data: &[u8]) {
    json_object(data);
    let Some((protected, rest)) = split(data) else { return };
    let (unprotected, payload) = split(rest).unwrap_or((b"{}", rest));
    let token = sealed(protected, payload);
    let unprotected = std::str::from_utf8(unprotected).unwrap_or("{}");
    let [protected, payload, signature] = parts(&token).expect("it was made of three");
    let other = BASE64URL.encode(UNTRUE);
    let own = format!(r#""protected":"{protected}","header":{unprotected},"signature":"{signature}""#);
    json_object(format!(r#"{{"payload":"{payload}",{own}}}"#).as_bytes());
    let two = format!(r#"[{{"protected":"{protected}","signature":"{other}"}},{{{own}}}]"#);
    json_object(format!(r#"{{"payload":"{payload}","signatures":{two}}}"#).as_bytes());
}

/// A JSON Web Key, public or private.
pub fn jwk(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let public = Jwk::parse(text);
    if let Ok(jwk) = &public {
        public_jwk(jwk);
    }
    let mut has_signed = false;
    for &algorithm in Algorithm::ALL {
        if let Ok(key) = SigningKey::from_jwk(algorithm, text) {
            assert!(public.is_err(), "one document is a public and a private key");
            private_key(&key, algorithm, &mut has_signed);
        }
        if let Ok(key) = danger::small_rsa_key(algorithm, text) {
            assert!(algorithm == key.algorithm() && !algorithm.is_symmetric());
        }
    }
}

/// A JWK Set, or a map of certificates.
pub fn jwks(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(set) = JwkSet::parse(text) {
        let document: Keys<'_> = serde_json::from_str(text).expect("a set was read from it");
        sorted_set(&set, document.keys.len());
    }
    if let Ok(set) = JwkSet::from_certificates(text) {
        let document: BTreeMap<String, &RawValue> = serde_json::from_str(text).expect("a map was read from it");
        sorted_set(&set, document.len());
    }
}

/// Keys and certificates, in PEM or DER.
pub fn pem(data: &[u8]) {
    let mut is_public = false;
    let mut is_private = false;
    let mut has_signed = false;
    for &algorithm in Algorithm::ALL {
        let readers = [
            VerifyingKey::from_pem(algorithm, data),
            VerifyingKey::from_der(algorithm, data),
            VerifyingKey::from_certificate(algorithm, data),
        ];
        assert!(readers.iter().filter(|key| key.is_ok()).count() <= 1, "one document has two meanings");
        for key in readers.into_iter().flatten() {
            is_public = true;
            assert_eq!(key.algorithm(), algorithm);
            let jwk = key.jwk().expect("a public key is no secret");
            assert_eq!(VerifyingKey::from_jwk(algorithm, &jwk).expect("its own JWK").identity(), key.identity());
            public_jwk(&jwk);
        }
        let readers = [SigningKey::from_pem(algorithm, data), SigningKey::from_der(algorithm, data)];
        for key in readers.into_iter().flatten() {
            is_private = true;
            private_key(&key, algorithm, &mut has_signed);
        }
        if let Ok(key) = VerifyingKey::from_secret(algorithm, data) {
            assert!(algorithm.is_symmetric() && data.len() >= 32 && key.jwk().is_none());
            assert!(!data.windows(10).any(|window| window == b"-----BEGIN"), "a key's text is a secret");
        }
    }
    assert!(!(is_public && is_private), "one document is a public and a private key");
}

/// A claims set, which is signed, and vouched for.
pub fn claims(data: &[u8]) {
    let header =
        format!(r#"{{"alg":"HS256","typ":"{}"}}"#, if data.len().is_multiple_of(2) { "JWT" } else { "at+jwt" });
    let token = sealed(header.as_bytes(), data);
    same_verdicts(&token);
    let parsed = UnverifiedToken::parse(&token, usize::MAX);
    if let Ok(raw) = serde_json::from_slice::<&RawValue>(data) {
        let vouched = VerifiedToken::vouched(&raw);
        assert_eq!(vouched.is_ok(), parsed.is_ok(), "who vouches makes no difference");
        let issued = JwtSigner::new(KEY.clone()).sign(&raw);
        assert_eq!(issued.is_ok(), parsed.is_ok(), "what is issued can be read, and the other way round");
        if let Ok(token) = vouched {
            readable(&token);
        }
    } else {
        assert!(parsed.is_err(), "claims are JSON");
    }
    for (at, verifier) in VERIFIERS.iter().enumerate() {
        let Some(Ok(verified)) = verifier.verify_now(&Credential::new("Bearer", &token)) else { continue };
        assert!(parsed.is_ok(), "all claims have been read");
        assert_eq!(verified.payload().as_bytes(), data);
        assert_eq!(format!("{verified:?}"), "VerifiedToken { key: Some(KeyIdentity { algorithm: HS256, .. }), .. }");
        readable(&verified);
        if at < 3 {
            lawful(&verified, at == 1, if at == 2 { "client_id" } else { "aud" });
        }
    }
}

fn compact_token(token: &str) {
    same_verdicts(token);
    let parsed = Compact::parse(token, usize::MAX);
    if let Some(shorter) = token.len().checked_sub(1) {
        assert_eq!(Compact::parse(token, shorter).err(), Some(Rejection::TooLarge));
    }
    let strict = Compact::parse_with(token, &Policy::new().max_bytes(usize::MAX));
    let padded = policies()[1].clone().danger_padded_base64url();
    assert!(strict.is_err() || parsed.is_ok(), "keeping members makes it stricter");
    assert!(strict.is_err() || Compact::parse_with(token, &padded).is_ok(), "a policy allows more, and not less");
    as_flattened(token, strict.as_ref().err().copied());
    for policy in policies() {
        if let Ok(detached) = Compact::parse_detached(token, UNTRUE, policy) {
            assert!(token.contains(".."));
            assert_eq!(format!("{detached:?}"), format!("Compact {{ header: {}, .. }}", shown(detached.header())));
        }
        if let Ok(compact) = Compact::parse_with(token, policy)
            && let Ok(verified) = compact.into_verified(KEY.verifying_key())
        {
            assert!(is_sealed(token));
            written_again(&verified);
        }
    }
    let Ok(compact) = parsed else { return };
    let header = compact.header().clone();
    assert_eq!(format!("{compact:?}"), format!("Compact {{ header: {}, .. }}", shown(&header)));
    assert!(header.get("jwk").is_none() && header.key_id().is_none_or(|key_id| (1..=256).contains(&key_id.len())));
    let payload = parts(token).map(|parts| parts.map(|part| BASE64URL.decode(part).expect("canonical base64url")));
    let [protected, payload, _] = payload.expect("three parts");
    as_another_reads_it(&header, &protected);
    let verdict = compact.verify(KEY.verifying_key());
    assert_eq!(verdict.is_ok(), header.algorithm() == Algorithm::HS256 && is_sealed(token));
    if let Ok(verified) = verdict {
        assert_eq!(verified, payload);
        let again = jws::sign(&KEY, &header, &payload).expect("HMAC signs");
        let again = Compact::parse(&again, usize::MAX).expect("what we write we read");
        assert_eq!(*again.header(), header);
        assert_eq!(again.verify(KEY.verifying_key()), Ok(payload));
    }
}

/// A header that is taken under the plain policy is what another reader of JSON sees in it.
fn as_another_reads_it(header: &Header, protected: &[u8]) {
    // A member that nobody asked for may hold a number that no `Value` can.
    let Ok(members) = serde_json::from_slice::<Value>(protected) else { return };
    assert!(members.get("crit").is_none() && members.get("b64") != Some(&Value::Bool(false)), "it was not understood");
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    assert_eq!(text("alg"), Some(header.algorithm().name()));
    let own = [header.token_type(), header.content_type(), header.key_id()];
    assert_eq!(["typ", "cty", "kid"].map(text), own);
}

/// A compact token and the same in JSON are judged alike.
fn as_flattened(token: &str, refusal: Option<Rejection>) {
    let Some([protected, payload, signature]) = parts(token) else { return };
    let members = [("protected", protected), ("payload", payload), ("signature", signature)];
    let object = serde_json::to_string(&BTreeMap::from(members)).expect("strings");
    let parsed = Json::parse(object, &Policy::new().max_bytes(usize::MAX));
    assert_eq!(parsed.is_ok(), refusal.is_none(), "{refusal:?}");
    if let Ok(parsed) = parsed {
        let compact = Compact::parse_with(token, &Policy::new().max_bytes(usize::MAX)).expect("it is good");
        let verdicts = (parsed.verify(KEY.verifying_key()), compact.into_verified(KEY.verifying_key()));
        match verdicts {
            (Ok(json), Ok(compact)) => {
                assert_eq!((json.payload(), json.header()), (compact.payload(), compact.header()));
            }
            (json, compact) => assert_eq!(json.err(), compact.err()),
        }
    }
}

fn json_object(text: &[u8]) {
    if let Some(shorter) = text.len().checked_sub(1) {
        let refusal = Json::parse(text, &Policy::new().max_bytes(shorter)).err();
        assert_eq!(refusal, Some(Rejection::TooLarge));
    }
    for policy in policies() {
        for parsed in [Json::parse(text, policy), Json::parse_detached(text, UNTRUE, policy)].into_iter().flatten() {
            let signatures = parsed.signatures();
            assert!((1..=jws::MAX_SIGNATURES).contains(&signatures.len()));
            let shown = signatures.iter().map(|one| format!("Signature {{ algorithm: {:?}, .. }}", one.algorithm()));
            let shown = shown.collect::<Vec<_>>().join(", ");
            assert_eq!(format!("{parsed:?}"), format!("Json {{ signatures: [{shown}], .. }}"));
            assert_eq!(parsed.verify_all(&[]).err(), Some(Rejection::KeyMismatch));
            let Ok(verified) = parsed.verify(KEY.verifying_key()) else { continue };
            assert!(parsed.verify_all(&[KEY.verifying_key().clone()]).is_ok() && verified.index() < signatures.len());
            assert!(parsed.verify(secret(8).verifying_key()).is_err(), "one key's seal is not another's");
            // A member that nobody asked for may hold a number that no `Value` can.
            assert!(serde_json::from_slice(text).map_or(true, |document| has_seal(&document)), "nobody signed it");
            written_again(&verified);
        }
    }
}

/// What was verified is signed again, in every form, and comes back as it was.
fn written_again(verified: &jws::Verified) {
    // serde_json's decimal fractions are not exact, and grow when written.
    let header = verified.header();
    let text = serde_json::to_string(header).expect("a header");
    let has_fraction = text.contains(['.', 'e', 'E']) && has_fraction(&serde_json::from_str(&text).expect("JSON"));
    let extensions = ["exp", "http://example.invalid/x", "x"];
    let policy = extensions.into_iter().try_fold(Policy::new().max_bytes(usize::MAX), Policy::understand);
    let policy = policy.expect("none is registered").allow_unencoded_payload();
    let same = |again: &jws::Verified| {
        assert_eq!(again.payload(), verified.payload());
        assert!(has_fraction || again.header() == header, "what is written is read");
    };
    let key = KEY.verifying_key();
    let signing = || Signing::new(verified.payload()).by(&KEY, header.clone());
    for signing in [signing(), signing().unencoded()] {
        if let Ok(text) = signing.clone().compact() {
            same(&Compact::parse_with(&text, &policy).expect("our own").into_verified(key).expect("our own"));
        }
        if let Ok(text) = signing.clone().flattened() {
            same(&Json::parse(text, &policy).expect("our own").verify(key).expect("our own"));
        }
        if let Ok(text) = signing.clone().general() {
            same(&Json::parse(text, &policy).expect("our own").verify(key).expect("our own"));
        }
        if let Ok(text) = signing.detached().compact() {
            let parsed = Compact::parse_detached(&text, verified.payload(), &policy).expect("our own");
            same(&parsed.into_verified(key).expect("our own"));
        }
    }
}

fn public_jwk(jwk: &Jwk) {
    let text = serde_json::to_string(jwk).expect("a JWK");
    let again = Jwk::parse(&text).expect("what we write we read");
    assert_eq!(again, *jwk);
    assert_eq!(again.thumbprint(), jwk.thumbprint());
    assert!(jwk.key_id().is_none_or(|key_id| (1..=256).contains(&key_id.len())));
    let own = jwk.algorithms();
    assert!(!own.is_empty() && !own.iter().any(|algorithm| algorithm.is_symmetric()));
    for &algorithm in Algorithm::ALL {
        let Ok(key) = VerifyingKey::from_jwk(algorithm, jwk) else { continue };
        assert!(own.iter().any(|own| own.is_same_as(algorithm)), "{algorithm} is not among {own:?}");
        assert!(key.verify(UNTRUE, UNTRUE).is_err() && key.verify(UNTRUE, &[0; 64]).is_err());
        assert_eq!(key.key_id(), jwk.key_id());
        assert_eq!(key.jwk().as_ref().map(Jwk::material), Some(jwk.material()));
    }
}

/// Signing is slow with RSA, so one algorithm of each document does it.
fn private_key(key: &SigningKey, algorithm: Algorithm, has_signed: &mut bool) {
    assert_eq!(key.algorithm(), algorithm);
    let shown = format!("SigningKey {{ key_id: {:?}, algorithm: {algorithm:?} }}", key.key_id());
    assert_eq!(format!("{key:?}"), shown);
    if !std::mem::replace(has_signed, true) {
        let signature = key.sign(UNTRUE).expect("a key that was taken signs");
        assert!(key.verifying_key().verify(UNTRUE, &signature).is_ok(), "a key is one pair");
        assert!(key.verifying_key().verify(b"another", &signature).is_err());
    }
}

fn sorted_set(set: &JwkSet, keys: usize) {
    assert!(keys <= MAX_KEYS);
    assert_eq!(set.keys().len() + set.quarantined().len(), keys);
    let places: Vec<_> = set.quarantined().iter().map(|quarantined| quarantined.index).collect();
    assert!(places.is_sorted_by(|a, b| a < b) && places.iter().all(|place| *place < keys));
    let again = JwkSet::parse(&serde_json::to_string(set).expect("a set")).expect("what we write we read");
    assert_eq!(again.keys(), set.keys());
    assert!(again.quarantined().is_empty());
    let usable = KeySet::from_jwks(set).expect("a backend");
    for key in usable.iter() {
        let wanted = KeyRequest::new(key.algorithm()).with_key_id(key.key_id());
        match usable.find(&wanted) {
            Ok(found) => assert_eq!(found.identity(), key.identity()),
            Err(KeyProviderError::Ambiguous) => assert!(key.key_id().is_none(), "a `kid` names one key"),
            Err(other) => panic!("{other:?} for a key of the set"),
        }
    }
    assert!(usable.quarantined().iter().all(|one| one.index < keys && one.reason != KeyError::NoBackend));
}

/// What explains a verdict agrees with it, for every verifier.
fn same_verdicts(token: &str) {
    for verifier in VERIFIERS.iter() {
        let verdict = verifier.verify_now(&Credential::new("Bearer", token)).expect("a local key needs no waiting");
        let explanation =
            std::pin::pin!(verifier.explain(token)).as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(explanation) = explanation else { panic!("a local key needs no waiting") };
        match verdict {
            Ok(_) => assert!(explanation.is_accepted() && is_sealed(token), "{explanation}"),
            Err(VerifyError::Rejected(rejection)) => {
                let first = explanation.failures().next();
                // Claims that are much to read are read behind these.
                let is_sooner = matches!(rejection, Rejection::Issuer | Rejection::Signature | Rejection::KeyMismatch);
                assert!(first == Some(rejection) || (first.is_some() && is_sooner), "{rejection}: {explanation}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// All rules but the fewest, as another reader of JSON sees the claims.
fn lawful(token: &VerifiedToken, strict: bool, audience: &str) {
    let Ok(claims) = serde_json::from_str::<Value>(token.payload()) else { return };
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
    let (now, leeway) = (NOW as f64, LEEWAY as f64);
    assert!(claims["iss"] == "me" && token.issuer() == Some("me"));
    assert!(seconds("exp").is_some_and(|end| end > now - leeway));
    assert!(seconds("nbf").is_none_or(|start| start <= now + leeway));
    assert!(claims.get("cnf").is_none(), "a bound token was taken from anybody");
    let audience = &claims[audience];
    assert!(audience == "api" || audience.as_array().is_some_and(|names| names.contains(&"api".into())));
    if strict {
        assert!(claims["sub"] == "7" && ["client_id", "jti"].iter().all(|name| !claims[*name].is_null()));
        assert!(seconds("iat").is_some_and(|issued| issued >= now - 600.0 - leeway));
        assert!(seconds("exp").unwrap_or(f64::MAX) - seconds("iat").unwrap_or(0.0) <= 3600.001);
    }
}

fn readable(token: &VerifiedToken) {
    for scope in token.scopes() {
        assert!(token.has_scope(scope));
    }
    for date in [token.expires_at(), token.not_before(), token.issued_at()].into_iter().flatten() {
        let _ = date.to_system_time();
        let text = serde_json::to_string(&date).expect("a number");
        let again: NumericDate = serde_json::from_str(&text).expect("what we write we read");
        // A fraction is written as a double, which holds fewer digits than a time.
        let difference = again.since_epoch().abs_diff(date.since_epoch());
        assert!(difference.is_zero() || date.since_epoch().subsec_nanos() != 0 && difference < Duration::from_secs(1));
    }
    if let Ok(claims) = serde_json::from_str::<Value>(token.payload()) {
        assert_eq!(token.subject(), claims.get("sub").and_then(Value::as_str));
        assert_eq!(token.claims::<Value>().expect("it is JSON"), claims);
    }
}

/// Without and with what has to be allowed by name.
fn policies() -> &'static [Policy; 2] {
    static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| {
        let plain = Policy::new().max_bytes(usize::MAX);
        let open = plain.clone().allow_unencoded_payload();
        let open = ["exp", "x"].into_iter().try_fold(open, Policy::understand).expect("none is registered");
        [plain, open]
    });
    &POLICIES
}

#[derive(Deserialize)]
struct Keys<'d> {
    #[serde(borrow)]
    keys: Vec<&'d RawValue>,
}

fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|byte| *byte == b'\n')?;
    Some((data.get(..at)?, data.get(at + 1..)?))
}

fn parts(token: &str) -> Option<[&str; 3]> {
    token.split('.').collect::<Vec<_>>().try_into().ok()
}

/// A compact JWS of any header and payload, under [`KEY`].
fn sealed(header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
    let signature = KEY.sign(input.as_bytes()).expect("HMAC signs");
    format!("{input}.{}", BASE64URL.encode(signature))
}

/// Whether [`KEY`] has signed it, found out without the code under test. Padding is not looked at.
fn is_sealed(token: &str) -> bool {
    let Some((input, signature)) = token.rsplit_once('.') else { return false };
    let own = KEY.sign(input.as_bytes()).expect("HMAC signs");
    signature.trim_end_matches('=') == BASE64URL.encode(own)
}

fn has_seal(document: &Value) -> bool {
    let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let alone = std::slice::from_ref(document);
    let signatures = document.get("signatures").and_then(Value::as_array).map_or(alone, Vec::as_slice);
    // The payload stands in the object, in base64url or as it is, or is the detached one.
    let payloads = [text(document, "payload"), BASE64URL.encode(UNTRUE), String::from_utf8_lossy(UNTRUE).into_owned()];
    signatures.iter().any(|one| {
        let (protected, signature) = (text(one, "protected"), text(one, "signature"));
        payloads.iter().any(|payload| is_sealed(&format!("{protected}.{payload}.{signature}")))
    })
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

fn shown(header: &Header) -> String {
    format!("Header {{ algorithm: {:?}, .. }}", header.algorithm())
}
