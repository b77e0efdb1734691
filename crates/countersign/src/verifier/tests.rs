mod order;

use super::*;
use crate::alg::Algorithm;
use crate::danger::Danger;
use crate::issue::JwtSigner;
use crate::jws::MAX_BYTES;
use crate::key::SigningKey;
use crate::provider::KeySet;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ISSUER: &str = "https://issuer.example/";
const NOW: u64 = 1_800_000_000;

#[derive(Debug)]
struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

/// A provider that counts how often it is asked.
#[derive(Clone, Debug)]
struct Counting(VerifyingKey, Arc<AtomicUsize>);
#[async_trait]
impl KeyProvider for Counting {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.key_now(wanted)
    }
    async fn key(&self, _: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        Err(KeyProviderError::NotFound)
    }
}

fn signing_key() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("k1").expect("a kid")
}

fn builder(keys: impl KeyProvider) -> JwtVerifierBuilder {
    JwtVerifier::builder(keys).issuer(ISSUER).audience("api").clock(Fixed)
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": ["web", "api"], "sub": "7", "exp": NOW + 60, "iat": NOW})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn outcome(verifier: &JwtVerifier, token: &str) -> Result<VerifiedToken, Rejection> {
    match verifier.verify_now(&Credential::new("Bearer", token)).expect("a local key answers now") {
        Ok(token) => Ok(token),
        Err(VerifyError::Rejected(rejection)) => Err(rejection),
        Err(VerifyError::Unavailable(_)) => panic!("a local key is available"),
    }
}

#[test]
fn claims_meet_their_verdict() {
    let key = signing_key();
    let verifier = builder(key.verifying_key().clone()).require_claim("sub").build().expect("a verifier");
    let signer = JwtSigner::new(key);
    let cases: Vec<(Value, Option<Rejection>)> = vec![
        (claims(), None),
        (with("aud", json!("api")), None),
        (with("nbf", json!(NOW + 30)), None),
        (with("exp", json!(NOW - 29)), None),
        (with("iss", json!("https://issuer.example")), Some(Rejection::Issuer)),
        (with("iss", json!("https://issuer.example/evil")), Some(Rejection::Issuer)),
        (without("iss"), Some(Rejection::Issuer)),
        (with("aud", json!("api2")), Some(Rejection::Audience)),
        (with("aud", json!([])), Some(Rejection::Audience)),
        (without("aud"), Some(Rejection::Audience)),
        (without("exp"), Some(Rejection::MissingClaim)),
        (without("sub"), Some(Rejection::MissingClaim)),
        (with("exp", json!(NOW - 30)), Some(Rejection::Expired)),
        (with("exp", json!(0)), Some(Rejection::Expired)),
        (with("nbf", json!(NOW + 31)), Some(Rejection::NotYetValid)),
        (with("iat", json!(NOW + 31)), Some(Rejection::IssuedInFuture)),
    ];
    for (claims, expected) in cases {
        let token = signer.sign(&claims).expect("sign");
        assert_eq!(outcome(&verifier, &token).err(), expected, "{claims}");
    }
}

#[test]
fn further_rules_meet_their_verdict() {
    let key = signing_key();
    let verdict = |rule: fn(JwtVerifierBuilder) -> JwtVerifierBuilder, claims: &Value| {
        let verifier = rule(builder(key.verifying_key().clone())).build().expect("a verifier");
        let token = JwtSigner::new(key.clone()).token_type("at+jwt").sign(claims).expect("sign");
        outcome(&verifier, &token).err()
    };
    type Rule = fn(JwtVerifierBuilder) -> JwtVerifierBuilder;
    let client: Rule = |b| b.audience_claim("client_id");
    let twice: Rule = |b| b.require_claim("sub").require_claim("sub").require_claim("aud").audience_claim("aud");
    let subject: Rule = |b| b.subject("7").subject("8");
    let age: Rule = |b| b.max_age(Duration::from_secs(60));
    let lifetime: Rule = |b| b.max_lifetime(Duration::from_secs(60));
    let profile: Rule = JwtVerifierBuilder::access_tokens_only;
    let none: Rule = |b| b;
    let any_holder: Rule = |b| b.danger(Danger::AnyHolder);
    let own: Rule = |b| {
        b.check(|token| match (token.subject(), token.header().and_then(|header| header.token_type())) {
            (Some("7"), Some("at+jwt")) => Ok(()),
            _ => Err("not_seven"),
        })
    };
    let full = json!({
        "iss": ISSUER, "aud": "api", "sub": "7", "client_id": "c", "iat": NOW, "exp": NOW + 60, "jti": "x",
    });
    let without_of = |claims: &Value, name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    };
    let cases: Vec<(Rule, Value, Option<Rejection>)> = vec![
        (client, with("client_id", json!("api")), None),
        (client, with("client_id", json!(["x", "api"])), None),
        (client, with("client_id", json!("web")), Some(Rejection::Audience)),
        (client, with("client_id", json!(7)), Some(Rejection::Audience)),
        (twice, claims(), None),
        (twice, without("sub"), Some(Rejection::MissingClaim)),
        (client, claims(), Some(Rejection::Audience)),
        (subject, claims(), None),
        (subject, with("sub", json!("8")), None),
        (subject, with("sub", json!("9")), Some(Rejection::Subject)),
        (subject, without("sub"), Some(Rejection::Subject)),
        (age, with("iat", json!(NOW - 90)), None),
        (age, with("iat", json!(NOW - 91)), Some(Rejection::TooOld)),
        (age, without("iat"), Some(Rejection::MissingClaim)),
        (lifetime, with("exp", json!(NOW + 60)), None),
        (lifetime, with("exp", json!(NOW + 61)), Some(Rejection::Lifetime)),
        (lifetime, without("iat"), Some(Rejection::MissingClaim)),
        (profile, full.clone(), None),
        (profile, without_of(&full, "client_id"), Some(Rejection::MissingClaim)),
        (profile, without_of(&full, "jti"), Some(Rejection::MissingClaim)),
        (none, with("cnf", json!({"jkt": "x"})), Some(Rejection::Confirmation)),
        (none, with("cnf", json!({"unheard-of": 1})), Some(Rejection::Confirmation)),
        (none, with("cnf", json!(null)), Some(Rejection::Confirmation)),
        (any_holder, with("cnf", json!({"jkt": "x"})), None),
        (own, claims(), None),
        (own, with("sub", json!("8")), Some(Rejection::Check("not_seven"))),
    ];
    for (rule, claims, expected) in cases {
        assert_eq!(verdict(rule, &claims), expected, "{claims}");
    }
    let verifier = builder(key.verifying_key().clone()).access_tokens_only().build().expect("a verifier");
    let id_token = JwtSigner::new(key.clone()).sign(&full).expect("sign");
    assert_eq!(outcome(&verifier, &id_token).err(), Some(Rejection::TokenType));
}

#[test]
fn types_of_token_are_kept_apart() {
    let key = signing_key();
    let default = builder(key.verifying_key().clone()).build().expect("a verifier");
    let narrow = builder(key.verifying_key().clone()).types(["at+jwt"]).build().expect("a verifier");
    for (token_type, by_default, narrowed) in [
        ("JWT", true, false),
        ("application/AT+jwt", true, true),
        ("at+jwt", true, true),
        ("dpop+jwt", false, false),
        ("logout+jwt", false, false),
        ("", false, false),
    ] {
        let token = JwtSigner::new(key.clone()).token_type(token_type).sign(&claims()).expect("sign");
        assert_eq!(outcome(&default, &token).is_ok(), by_default, "{token_type}");
        assert_eq!(outcome(&narrow, &token).is_ok(), narrowed, "{token_type}");
    }
    let payload = claims().to_string();
    let untyped = crate::jws::sign(&key, &Header::new(&key), payload.as_bytes()).expect("sign");
    assert!(outcome(&default, &untyped).is_ok());
    assert_eq!(outcome(&narrow, &untyped).err(), Some(Rejection::TokenType), "an ID token often has no `typ`");
}

#[test]
fn a_logout_token_stands_in_for_no_other() {
    let key = signing_key();
    let events = |events: Value| {
        let mut claims = with("events", events);
        claims["jti"] = json!("x");
        claims["client_id"] = json!("c");
        claims["aud"] = json!("api");
        claims
    };
    let logout = || events(json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    let verdict = |builder: JwtVerifierBuilder, token_type: &str, claims: &Value| {
        let token = JwtSigner::new(key.clone()).token_type(token_type).sign(claims).expect("sign");
        outcome(&builder.build().expect("a verifier"), &token).err()
    };
    let plain = || builder(key.verifying_key().clone());
    assert_eq!(verdict(plain(), "JWT", &logout()), Some(Rejection::SecurityEvent));
    assert_eq!(verdict(plain(), "at+jwt", &logout()), Some(Rejection::SecurityEvent));
    assert_eq!(verdict(plain().id_tokens_only(), "JWT", &logout()), Some(Rejection::SecurityEvent));
    assert_eq!(verdict(plain().access_tokens_only(), "at+jwt", &logout()), Some(Rejection::SecurityEvent));
    assert_eq!(verdict(plain().types(["JWT", "logout+jwt"]), "JWT", &logout()), Some(Rejection::SecurityEvent));
    assert_eq!(verdict(plain(), "logout+jwt", &logout()), Some(Rejection::TokenType));
    assert_eq!(verdict(plain().types(["logout+jwt"]), "logout+jwt", &logout()), None, "it is asked for by its name");
    for claims in [json!({"created": 1}), json!(["https://example.com/"]), json!("x:y"), json!(null), json!({})] {
        assert_eq!(verdict(plain(), "JWT", &events(claims.clone())), None, "a claim of an application's own: {claims}");
    }
    let risc = events(json!({"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {"reason": 1}}));
    assert_eq!(verdict(plain(), "JWT", &risc), Some(Rejection::SecurityEvent));
}

#[test]
fn nothing_is_looked_up_for_a_token_that_is_refused_anyway() {
    let key = signing_key();
    let asked = Arc::new(AtomicUsize::new(0));
    let verifier = builder(Counting(key.verifying_key().clone(), asked.clone())).build().expect("a verifier");
    let sign = |claims: &Value| JwtSigner::new(key.clone()).sign(claims).expect("sign");
    let other = SigningKey::generate(Algorithm::ES384).expect("generate");
    let refused = [
        ("garbage".to_owned(), Rejection::Malformed),
        ("a.b.c.d.e".to_owned(), Rejection::Malformed),
        (format!("{}{}", sign(&claims()), "A".repeat(MAX_BYTES)), Rejection::TooLarge),
        (sign(&with("iss", json!("https://elsewhere.example/"))), Rejection::Issuer),
        (JwtSigner::new(other).sign(&claims()).expect("sign"), Rejection::Algorithm),
        (JwtSigner::new(key.clone()).token_type("dpop+jwt").sign(&claims()).expect("sign"), Rejection::TokenType),
    ];
    for (token, expected) in refused {
        assert_eq!(outcome(&verifier, &token).err(), Some(expected), "{token:.40}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert!(outcome(&verifier, &sign(&claims())).is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn keys_and_algorithms_are_not_confused() {
    let key = signing_key();
    let verifier = builder(key.verifying_key().clone())
        .algorithms([Algorithm::ES256, Algorithm::HS256])
        .build()
        .expect("a verifier");
    let public = serde_json::to_string(&key.verifying_key().jwk()).expect("serialise");
    let sign = |key: SigningKey| JwtSigner::new(key).sign(&claims()).expect("sign");
    // the public key's own bytes as an HMAC secret: 32 of them, so that length does not save us
    let hmac = SigningKey::from_secret(Algorithm::HS256, &public.as_bytes()[10..42]).expect("a secret");
    assert_eq!(outcome(&verifier, &sign(hmac.with_key_id("k1").expect("a kid"))).err(), Some(Rejection::KeyMismatch));
    let same_id = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("k1").expect("a kid");
    assert_eq!(outcome(&verifier, &sign(same_id)).err(), Some(Rejection::Signature));
    let other_id = key.clone().with_key_id("k2").expect("a kid");
    assert_eq!(outcome(&verifier, &sign(other_id)).err(), Some(Rejection::UnknownKey));
}

#[test]
fn a_token_without_kid_tries_as_many_keys_as_it_is_told() {
    use crate::provider::KeySet;
    let keys: Vec<_> = (0..9).map(|n| signing_key().with_key_id(n.to_string()).expect("a kid")).collect();
    let set = |count| -> KeySet { keys.iter().take(count).map(|key| key.verifying_key().clone()).collect() };
    let nameless = |key: &SigningKey| {
        let payload = claims().to_string();
        let named = JwtSigner::new(key.clone()).sign(&claims()).expect("sign");
        let header = crate::base64url::encode(br#"{"alg":"ES256"}"#);
        let input = format!("{header}.{}", crate::base64url::encode(payload.as_bytes()));
        let signature = crate::base64url::encode(&key.sign(input.as_bytes()).expect("sign"));
        (named, format!("{input}.{signature}"))
    };
    let (_, last_of_eight) = nameless(&keys[7]);
    let (named, _) = nameless(&keys[8]);
    let stranger = nameless(&signing_key()).1;
    let eight = builder(set(8)).try_keys(8).build().expect("a verifier");
    assert!(outcome(&eight, &last_of_eight).is_ok());
    assert_eq!(outcome(&eight, &stranger).err(), Some(Rejection::Signature));
    assert_eq!(outcome(&eight, &named).err(), Some(Rejection::UnknownKey), "a `kid` is never overruled");
    let nine = builder(set(9)).try_keys(8).build().expect("a verifier");
    assert_eq!(outcome(&nine, &last_of_eight).err(), Some(Rejection::KeyAmbiguous));
    let strict = builder(set(8)).build().expect("a verifier");
    assert_eq!(outcome(&strict, &last_of_eight).err(), Some(Rejection::KeyAmbiguous));
    for (verifier, token) in
        [(&eight, &last_of_eight), (&eight, &stranger), (&nine, &last_of_eight), (&strict, &last_of_eight)]
    {
        let explanation = now(verifier.explain(token));
        assert_eq!(explanation.failures().next(), outcome(verifier, token).err(), "{explanation}");
        assert_eq!(explanation.is_accepted(), outcome(verifier, token).is_ok(), "{explanation}");
    }
}

/// Its keys cannot be told any longer from when it has said that there are several.
#[derive(Debug)]
struct Aging(AtomicUsize);
#[async_trait]
impl KeyProvider for Aging {
    fn key_now(&self, _: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        Some(Err(match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => KeyProviderError::Ambiguous,
            _ => KeyProviderError::Unavailable(Unavailable::default()),
        }))
    }
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.key_now(wanted).unwrap_or(Err(KeyProviderError::NotFound))
    }
}

#[test]
fn keys_that_cannot_be_told_any_longer_are_no_reason_to_refuse() {
    let token = JwtSigner::new(signing_key()).sign(&claims()).expect("sign");
    let verifier = |tries| builder(Aging(AtomicUsize::new(0))).try_keys(tries).build().expect("a verifier");
    let answer = |tries| verifier(tries).verify_now(&Credential::new("Bearer", &token)).expect("an answer");
    assert!(matches!(answer(8), Err(VerifyError::Unavailable(_))), "{:?}", answer(8));
    assert_eq!(now(verifier(8).explain(&token)).failures().next(), None);
    // One that tries no others does not ask for them.
    assert!(matches!(answer(1), Err(VerifyError::Rejected(Rejection::KeyAmbiguous))), "{:?}", answer(1));
    assert_eq!(now(verifier(1).explain(&token)).failures().next(), Some(Rejection::KeyAmbiguous));
}

#[test]
fn each_danger_leaves_out_one_check() {
    let key = signing_key();
    let keys = || key.verifying_key().clone();
    let sign = |claims: &Value| JwtSigner::new(key.clone()).sign(claims).expect("sign");
    let any_issuer = JwtVerifier::builder(keys()).audience("api").clock(Fixed).danger(Danger::AnyIssuer).build();
    let any_audience = JwtVerifier::builder(keys()).issuer(ISSUER).clock(Fixed).danger(Danger::AnyAudience).build();
    let lasting = builder(keys()).danger(Danger::NoExpiration).build();
    let tokens = [without("iss"), without("aud"), without("exp"), with("exp", json!(1))].map(|claims| sign(&claims));
    let table = [
        (any_issuer, [true, false, false, false]),
        (any_audience, [false, true, false, false]),
        (lasting, [false, false, true, false]),
    ];
    for (verifier, expected) in table {
        let verifier = verifier.expect("a verifier");
        assert_eq!(tokens.each_ref().map(|token| outcome(&verifier, token).is_ok()), expected);
    }
}

/// Such a verifier would refuse whatever comes, and nobody would know why.
#[test]
fn keys_of_algorithms_that_are_not_allowed_make_no_verifier() {
    let secret = |algorithm| VerifyingKey::from_secret(algorithm, [7; 64]).expect("a secret");
    let build = |builder: JwtVerifierBuilder| builder.issuer(ISSUER).audience("api").build();
    let [hs256, hs512] = [Algorithm::HS256, Algorithm::HS512].map(secret);
    for keys in [
        Box::new(hs256.clone()) as Box<dyn KeyProvider>,
        Box::new(Arc::new(hs256.clone())),
        Box::new(KeySet::from_iter([hs256.clone()])),
    ] {
        let error = build(JwtVerifier::builder(keys)).expect_err("no key's algorithm is allowed");
        assert_eq!(error.to_string(), "`algorithms`: none is that of a key (HS256): no token could be taken");
    }
    let both = KeySet::from_iter([hs512.clone(), hs256, hs512]);
    let error = build(JwtVerifier::builder(both.clone())).expect_err("two algorithms");
    assert_eq!(error.problem(), "none is that of a key (HS256, HS512): no token could be taken");
    assert!(build(JwtVerifier::builder(both).algorithms([Algorithm::HS512, Algorithm::RS256])).is_ok());
    assert!(build(JwtVerifier::builder(KeySet::from_iter([]))).is_ok(), "nothing is said of no keys");
}

#[test]
fn settings_that_make_no_sense_name_themselves() {
    let key = || signing_key().verifying_key().clone();
    let bare = || JwtVerifier::builder(key());
    let cases = [
        (bare().audience("api"), "issuer"),
        (bare().issuer(ISSUER), "audience"),
        (bare().issuer("").audience("api"), "issuer"),
        (bare().issuer(ISSUER).audience(""), "audience"),
        (builder(key()).danger(Danger::AnyIssuer), "issuer"),
        (builder(key()).danger(Danger::AnyAudience), "audience"),
        (builder(key()).algorithms([]), "algorithms"),
        (builder(key()).types([""]), "types"),
        (builder(key()).types::<&str>([]), "types"),
        (builder(key()).leeway(Duration::from_secs(121)), "leeway"),
        (builder(key()).require_claim(""), "require_claim"),
        (builder(key()).audience_claim(""), "audience_claim"),
        (builder(key()).audience_claim("sub"), "audience_claim"),
        (builder(key()).audience_claim("events"), "audience_claim"),
        (bare().issuer(ISSUER).audience_claim("client_id").danger(Danger::AnyAudience), "audience_claim"),
        (builder(key()).access_tokens_only().types(["JWT"]), "types"),
        (builder(key()).types(["at+jwt"]).access_tokens_only(), "types"),
        (builder(key()).id_tokens_only().types(["JWT"]), "types"),
        (builder(key()).access_tokens_only().id_tokens_only(), "id_tokens_only"),
        (builder(key()).id_tokens_only().access_tokens_only(), "access_tokens_only"),
        (builder(key()).access_tokens_only().audience_claim("client_id"), "audience_claim"),
        (builder(key()).audience_claim("client_id").access_tokens_only(), "audience_claim"),
        (builder(key()).audience_claim("aud").id_tokens_only(), "audience_claim"),
        (bare().issuer(ISSUER).danger(Danger::AnyAudience).access_tokens_only(), "access_tokens_only"),
        (bare().audience("api").access_tokens_only().danger(Danger::AnyIssuer), "access_tokens_only"),
        (bare().issuer(ISSUER).id_tokens_only().danger(Danger::AnyAudience), "id_tokens_only"),
        (bare().audience("api").id_tokens_only().danger(Danger::AnyIssuer), "id_tokens_only"),
        (builder(key()).access_tokens_only().danger(Danger::NoExpiration), "access_tokens_only"),
        (builder(key()).danger(Danger::NoExpiration).id_tokens_only(), "id_tokens_only"),
        (builder(key()).subject(""), "subject"),
        (builder(key()).max_age(Duration::ZERO), "max_age"),
        (builder(key()).max_lifetime(Duration::ZERO), "max_lifetime"),
        (builder(key()).try_keys(0), "try_keys"),
        (builder(key()).try_keys(9), "try_keys"),
        (builder(key()).max_bytes(0), "max_bytes"),
        (builder(key()).max_bytes(usize::MAX), "max_bytes"),
    ];
    for (builder, setting) in cases {
        assert_eq!(builder.build().expect_err(setting).setting(), setting);
    }
    assert!(builder(key()).leeway(Duration::from_secs(120)).build().is_ok());
}

fn now<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("a local key answers now"),
    }
}

#[test]
fn an_explanation_tells_every_check_and_agrees_with_the_verdict() {
    let key = signing_key();
    let seen = Arc::new(AtomicUsize::new(0));
    let counting = seen.clone();
    let verifier = builder(key.verifying_key().clone()).require_claim("sub").check(move |token| {
        counting.fetch_add(1, Ordering::Relaxed);
        if token.subject() == Some("8") { Err("eight") } else { Ok(()) }
    });
    let verifier = verifier.build().expect("a verifier");
    let sign = |key: &SigningKey, claims: &Value| JwtSigner::new(key.clone()).sign(claims).expect("sign");
    let stranger = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("k1").expect("a kid");
    let mut bad = without("aud");
    bad["exp"] = json!(1);
    bad["nbf"] = json!(NOW + 1000);
    let cases: Vec<(String, Vec<Rejection>)> = vec![
        (sign(&key, &claims()), vec![]),
        (sign(&key, &with("sub", json!("8"))), vec![Rejection::Check("eight")]),
        (sign(&key, &bad), vec![Rejection::Audience, Rejection::Expired, Rejection::NotYetValid]),
        (
            sign(&stranger, &bad),
            vec![Rejection::Signature, Rejection::Audience, Rejection::Expired, Rejection::NotYetValid],
        ),
        (sign(&key, &with("iss", json!("x"))), vec![Rejection::Issuer]),
        (sign(&key.clone().with_key_id("k2").expect("a kid"), &claims()), vec![Rejection::UnknownKey]),
        ("garbage".to_owned(), vec![Rejection::Malformed]),
    ];
    for (token, expected) in cases {
        let explanation = now(verifier.explain(&token));
        assert_eq!(explanation.failures().collect::<Vec<_>>(), expected, "{explanation}");
        assert_eq!(outcome(&verifier, &token).err(), expected.first().copied(), "{explanation}");
        assert_eq!(explanation.is_accepted(), expected.is_empty(), "{explanation}");
    }
    seen.store(0, Ordering::Relaxed);
    let _ = now(verifier.explain(&sign(&stranger, &claims())));
    let _ = now(verifier.explain(&sign(&key, &bad)));
    assert_eq!(seen.load(Ordering::Relaxed), 0, "own checks see no claims that anything else refuses");
    let text = now(verifier.explain(&sign(&key, &bad))).to_string();
    assert!(text.contains("ok    signature\nFAIL  aud: audience\nFAIL  exp: expired\n"), "{text}");
}

/// A token of any header and payload, which nobody has signed.
fn unsigned(header: &str, payload: &str) -> String {
    let [header, payload] = [header, payload].map(|json| crate::base64url::encode(json.as_bytes()));
    format!("{header}.{payload}.AAAA")
}

#[test]
fn an_explanation_goes_past_each_kind_of_failure() {
    use Rejection::*;
    let key = signing_key();
    let verifier = builder(key.verifying_key().clone()).max_lifetime(Duration::from_secs(60)).build();
    let verifier = verifier.expect("a verifier");
    let bad = r#"{"iss":"x","aud":"y","exp":1,"iat":0}"#;
    let good = r#"{"alg":"ES256"}"#;
    let cases: Vec<(String, &[Rejection])> = vec![
        (
            unsigned(r#"{"alg":"none","typ":"logout+jwt","kid":"","crit":["x"],"x":1}"#, bad),
            &[CriticalHeader, Malformed, Algorithm, TokenType, Issuer, Audience, Expired],
        ),
        (
            unsigned(r#"{"typ":"a","crit":["x"]}"#, bad),
            &[Malformed, CriticalHeader, TokenType, Issuer, Audience, Expired],
        ),
        (unsigned(r#"{"alg":7}"#, bad), &[Algorithm, Issuer, Audience, Expired]),
        (unsigned(r#"{"alg":"ES256","crit":"x"}"#, bad), &[CriticalHeader, Issuer, Audience, Expired]),
        (unsigned("[]", bad), &[Malformed, Issuer, Audience, Expired]),
        (
            unsigned(r#"{"alg":"ES256","typ":"a"}"#, r#"{"exp":"soon","iss":"x","aud":7,"iat":0,"nbf":9e9}"#),
            &[TokenType, InvalidClaim, Audience, Issuer, NotYetValid],
        ),
        (unsigned(good, r#"{"iat":"now","aud":"api","exp":1,"iss":7}"#), &[InvalidClaim, Issuer, Expired]),
        (unsigned(good, r#"{"exp":[1}"#), &[Malformed]),
        (unsigned(good, r#"{"iss":7,"exp":1,"exp":2}"#), &[Issuer, Malformed]),
        (unsigned(good, r#"{"exp":1,"exp":2,"iss":7}"#), &[Malformed]),
        (unsigned(good, "7"), &[Malformed]),
        (
            format!(
                "{}.{}.AAAA",
                crate::base64url::encode(good.as_bytes()),
                crate::base64url::encode(b"{\"x\":\"\xff\"}")
            ),
            &[Malformed],
        ),
        (unsigned(good, bad) + "=", &[Malformed, Issuer, Audience, Expired]),
        (format!("a.{}", unsigned(good, bad)), &[Malformed]),
        ("A".repeat(MAX_BYTES + 1), &[TooLarge]),
    ];
    for (token, expected) in cases {
        let explanation = now(verifier.explain(&token));
        assert_eq!(explanation.failures().collect::<Vec<_>>(), expected, "{token:.400}\n{explanation}");
        assert_eq!(outcome(&verifier, &token).err(), expected.first().copied(), "{token:.400}\n{explanation}");
        assert!(!explanation.is_accepted());
        let names: Vec<_> = explanation.steps().iter().map(|step| step.check).collect();
        for name in ["size", "parts", "header", "crit", "kid", "alg", "typ", "encoding", "claims", "iss", "key", "aud"]
        {
            assert!(names.contains(&name), "{name} is told: {explanation}");
        }
        let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
        assert_eq!(twice, None, "{explanation}");
    }
}

#[test]
fn what_reads_a_claim_of_the_wrong_type_is_no_failure_of_its_own() {
    use Rejection::{Audience, InvalidClaim};
    type Rule = fn(JwtVerifierBuilder) -> JwtVerifierBuilder;
    let age: Rule = |b| b.max_age(Duration::from_secs(60));
    let lifetime: Rule = |b| b.max_lifetime(Duration::from_secs(60));
    let cases: [(Rule, &str, &str, Rejection); 4] = [
        (age, "max_age", "iat", InvalidClaim),
        (lifetime, "max_lifetime", "iat", InvalidClaim),
        (lifetime, "max_lifetime", "exp", InvalidClaim),
        (JwtVerifierBuilder::id_tokens_only, "azp", "aud", Audience),
    ];
    for (rule, check, claim, reason) in cases {
        let verifier = rule(builder(signing_key().verifying_key().clone())).build().expect("a verifier");
        let payload = with(claim, json!({})).to_string();
        let explanation = now(verifier.explain(&unsigned(r#"{"alg":"ES256"}"#, &payload)));
        assert!(explanation.failures().eq([reason]), "{explanation}");
        let step = explanation.steps().iter().find(|step| step.check == check).expect(check);
        assert_eq!(step.outcome, Outcome::NotChecked("it could not be read"), "{explanation}");
    }
}

#[test]
fn an_explanation_tells_the_audience_claim_from_aud() {
    use Rejection::Audience;
    let verifier = builder(signing_key().verifying_key().clone()).audience_claim("azp").build().expect("a verifier");
    let cases: [(&str, &[&str]); 6] = [
        (r#""aud":7,"azp":7"#, &["aud", "audience claim"]),
        (r#""azp":7,"aud":7"#, &["audience claim", "aud"]),
        (r#""aud":"api","azp":7"#, &["audience claim"]),
        (r#""aud":7,"azp":"api""#, &["aud"]),
        (r#""aud":7,"azp":"web""#, &["aud", "audience claim"]),
        (r#""aud":"api","azp":"web""#, &["audience claim"]),
    ];
    for (claims, expected) in cases {
        let payload = format!(r#"{{"iss":"{ISSUER}","exp":{},{claims}}}"#, NOW + 60);
        let explanation = now(verifier.explain(&unsigned(r#"{"alg":"ES256"}"#, &payload)));
        let failed = explanation.steps().iter().filter(|step| step.outcome == Outcome::Failed(Audience));
        assert_eq!(failed.map(|step| step.check).collect::<Vec<_>>(), expected, "{explanation}");
    }
}

#[test]
fn what_nobody_checks_is_told_as_not_checked() {
    let key = signing_key();
    let sign = |claims: &Value| JwtSigner::new(key.clone()).sign(claims).expect("sign");
    let dangers = [Danger::AnyIssuer, Danger::AnyAudience, Danger::NoExpiration, Danger::AnyHolder];
    let lax = JwtVerifier::builder(key.verifying_key().clone()).clock(Fixed).dangers(&dangers).build();
    let lax = lax.expect("a verifier");
    let told = |verifier: &JwtVerifier, claims: &Value| {
        let explanation = now(verifier.explain(&sign(claims)));
        assert!(explanation.is_accepted(), "{explanation}");
        let not_checked = explanation.steps().iter().filter_map(|step| match step.outcome {
            Outcome::NotChecked(why) => Some((step.check, why)),
            _ => None,
        });
        not_checked.collect::<Vec<_>>()
    };
    let asked = "not asked for";
    let rest = [
        ("max_age", asked),
        ("max_lifetime", asked),
        ("required claims", asked),
        ("sub", asked),
        ("azp", asked),
        ("own checks", asked),
    ];
    let left_out = [
        ("iss", "Danger::AnyIssuer"),
        ("aud", "Danger::AnyAudience"),
        ("exp", "Danger::NoExpiration"),
        ("cnf", "Danger::AnyHolder"),
    ];
    let [iss, aud, exp, cnf] = left_out;
    let [age, lifetime, required, sub, azp, own] = rest;
    let all = [iss, aud, exp, age, lifetime, required, sub, azp, cnf, own];
    assert_eq!(told(&lax, &json!({})), all);
    assert_eq!(told(&lax, &claims()), [&all[..2], &all[3..]].concat(), "an `exp` that is there is checked");
    let plain = builder(key.verifying_key().clone()).build().expect("a verifier");
    assert_eq!(told(&plain, &claims()), rest);
    let strict = builder(key.verifying_key().clone()).id_tokens_only().subject("7").check(|_| Ok(()));
    let strict = strict.audience("web").max_age(Duration::from_secs(60)).max_lifetime(Duration::from_secs(60));
    assert_eq!(told(&strict.build().expect("a verifier"), &with("azp", json!("api"))), []);
}

/// The two tokens printed in Flama's JWT article, signed with sixteen zero octets.
const FLAMA_TOKENS: [&str; 2] = [
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJkYXRhIjogeyJmb28iOiAiYmFyIn0sICJpYXQiOiAwfQ==.\
     J3zdedMZSFNOimstjJat0V28rM_b1UU62XCp9dg_5kg=",
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJkYXRhIjogeyJpZCI6ICI0OTdmNmVjYS02Mjc2LTQ5OTMtYmZlYi01M2NiYmJiYTZmMDgi\
     LCAicGVybWlzc2lvbnMiOiBbIm15LXBlcm1pc3Npb24tbmFtZSJdfSwgImlhdCI6IDE3MjU5ODk5NzQsICJpc3MiOiAidm9ydGljbyJ9.\
     vwwgqahgtALckMAzQHWpNDNwhS8E4KAGwNiFcqEZ_04=",
];

#[test]
fn flamas_printed_tokens_verify_by_their_recipe_and_each_part_of_it_is_needed() {
    use crate::danger;
    assert!(VerifyingKey::from_secret(Algorithm::HS256, [0; 16]).is_err(), "the secret is too short");
    let key = danger::short_secret(Algorithm::HS256, [0; 16]).expect("named");
    let without = |left_out: Option<Danger>| {
        let mut builder = JwtVerifier::builder(key.verifying_key().clone()).algorithms([Algorithm::HS256]).clock(Fixed);
        let dangers = danger::FLAMA.iter().copied().filter(|danger| Some(*danger) != left_out);
        builder = dangers.fold(builder, JwtVerifierBuilder::danger);
        builder = match left_out {
            Some(Danger::AnyIssuer) => builder.issuer(ISSUER),
            Some(Danger::AnyAudience) => builder.audience("api"),
            _ => builder,
        };
        builder.build().expect("a verifier")
    };
    for token in FLAMA_TOKENS {
        assert!(outcome(&without(None), token).is_ok());
        let reasons = [
            (Danger::PaddedBase64url, Rejection::Padding),
            (Danger::AnyIssuer, Rejection::Issuer),
            (Danger::AnyAudience, Rejection::Audience),
            (Danger::NoExpiration, Rejection::MissingClaim),
        ];
        for (danger, reason) in reasons {
            assert_eq!(outcome(&without(Some(danger)), token).err(), Some(reason), "{danger:?}");
        }
        let bad = token.replacen("J3z", "J3y", 1).replacen("vww", "vwx", 1);
        assert_eq!(outcome(&without(None), &bad).err(), Some(Rejection::Signature));
        assert_eq!(outcome(&without(None), token.trim_end_matches('=')).map(drop), Ok(()), "unpadded is right anyway");
    }
    let padded = JwtSigner::new(key.clone()).danger_padded_base64url().sign(&json!({"foo": "b"})).expect("sign");
    assert!(padded.ends_with('='), "{padded}");
    assert!(outcome(&without(None), &padded).is_ok());
    assert!(outcome(&without(Some(Danger::PaddedBase64url)), &padded).is_err());
}

#[test]
fn flamas_printed_tokens_are_refused_each_for_all_of_its_reasons() {
    use Rejection::{Audience, Issuer, MissingClaim, Padding};
    let default =
        JwtVerifier::builder(signing_key().verifying_key().clone()).issuer(ISSUER).audience("api").clock(Fixed);
    let short = crate::danger::short_secret(Algorithm::HS256, [0; 16]).expect("named");
    let theirs = JwtVerifier::builder(short.verifying_key().clone()).algorithms([Algorithm::HS256]).clock(Fixed);
    let named = theirs.issuer("vortico").audience("api").build().expect("a verifier");
    let default = default.build().expect("a verifier");
    let table: [(&JwtVerifier, [&[Rejection]; 2]); 2] = [
        (&default, [&[Rejection::Algorithm, Padding, Issuer, Audience, MissingClaim]; 2]),
        (&named, [&[Padding, Issuer, Audience, MissingClaim], &[Padding, Audience, MissingClaim]]),
    ];
    for (verifier, expected) in table {
        for (token, expected) in FLAMA_TOKENS.into_iter().zip(expected) {
            let explanation = now(verifier.explain(token));
            assert_eq!(explanation.failures().collect::<Vec<_>>(), expected, "{explanation}");
            assert_eq!(outcome(verifier, token).err(), expected.first().copied());
        }
    }
}

#[test]
fn id_tokens_are_checked_as_openid_connect_says() {
    let key = signing_key();
    let verifier = builder(key.verifying_key().clone()).id_tokens_only().build().expect("a verifier");
    let id = |change: fn(&mut Value)| {
        let mut claims = json!({
            "iss": ISSUER, "aud": "api", "sub": "7", "exp": NOW + 60, "iat": NOW, "nonce": "n-0S6_WzA2Mj",
        });
        change(&mut claims);
        JwtSigner::new(key.clone()).sign(&claims).expect("sign")
    };
    let cases: [(String, Option<Rejection>); 8] = [
        (id(|_| {}), None),
        (id(|claims| claims["azp"] = json!("api")), None),
        (id(|claims| claims["aud"] = json!(["api"])), None),
        (id(|claims| claims["azp"] = json!("another")), Some(Rejection::AuthorizedParty)),
        (id(|claims| claims["azp"] = json!(7)), Some(Rejection::AuthorizedParty)),
        (id(|claims| claims["aud"] = json!(["api", "web"])), Some(Rejection::Audience)),
        (id(|claims| drop(claims.as_object_mut().expect("an object").remove("iat"))), Some(Rejection::MissingClaim)),
        (JwtSigner::new(key.clone()).token_type("at+jwt").sign(&claims()).expect("sign"), Some(Rejection::TokenType)),
    ];
    for (token, expected) in &cases {
        assert_eq!(outcome(&verifier, token).err(), *expected);
    }
    let token = outcome(&verifier, &cases[0].0).expect("valid");
    assert_eq!(token.check_nonce("n-0S6_WzA2Mj"), Ok(()));
    assert_eq!(token.check_nonce("another"), Err(Rejection::Nonce));
    let nameless = outcome(&verifier, &id(|claims| claims["nonce"] = json!(""))).expect("valid");
    assert_eq!(nameless.check_nonce(""), Err(Rejection::Nonce), "a lost login is no login");
    let two = builder(key.verifying_key().clone()).audience("web").id_tokens_only().build().expect("a verifier");
    let several = id(|claims| claims["aud"] = json!(["api", "web"]));
    assert_eq!(outcome(&two, &several).err(), Some(Rejection::AuthorizedParty));
    assert_eq!(token.check_access_token("x"), Err(Rejection::AccessTokenHash));
}

#[test]
fn at_hash_is_the_one_of_openid_connect_core_appendix_a_3() {
    // The ID token there is signed with RS256, whose hash is that of ES256.
    let key = signing_key();
    let verifier = builder(key.verifying_key().clone()).id_tokens_only().build().expect("a verifier");
    let claims = json!({
        "iss": ISSUER, "aud": "api", "sub": "7", "exp": NOW + 60, "iat": NOW, "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
    });
    let token = outcome(&verifier, &JwtSigner::new(key).sign(&claims).expect("sign")).expect("valid");
    assert_eq!(token.check_access_token("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), Ok(()));
    assert_eq!(
        token.check_access_token("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Z"),
        Err(Rejection::AccessTokenHash)
    );
}
