use super::*;
use crate::alg::Algorithm;
use crate::issue::JwtSigner;
use crate::key::{SigningKey, VerifyingKey};
use crate::observe::{Event, Observer};
use crate::provider::{KeyProvider, KeyProviderError, KeyRequest};
use crate::reason::Rejection;
use crate::request::Credential;
use crate::verifier::{JwtVerifier, JwtVerifierBuilder, TokenVerifier, VerifyError};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

const ISSUER: &str = "https://issuer.example/";
const NOW: u64 = 1_800_000_000;

/// The world's clock, and the monotonic one.
#[derive(Clone, Debug)]
struct Hands(Arc<(AtomicU64, AtomicU64)>);
impl Hands {
    fn pass(&self, seconds: u64) {
        self.0.0.fetch_add(seconds, Ordering::SeqCst);
        self.0.1.fetch_add(seconds, Ordering::SeqCst);
    }
}
impl Clock for Hands {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.0.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.1.load(Ordering::SeqCst))
    }
}

/// Some keys, which can be withdrawn; it counts how often one is taken.
#[derive(Clone, Debug)]
struct Keys(Arc<(Mutex<Vec<VerifyingKey>>, AtomicUsize)>);
impl Keys {
    fn publish(&self, keys: &[&SigningKey]) {
        *self.0.0.lock().expect("lock") = keys.iter().map(|key| key.verifying_key().clone()).collect();
    }
    fn taken(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}
#[async_trait]
impl KeyProvider for Keys {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        let keys = self.0.0.lock().expect("lock");
        Some(keys.iter().find(|key| key.key_id() == wanted.key_id).cloned().ok_or(KeyProviderError::NotFound))
    }
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.key_now(wanted).expect("from memory")
    }
    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.0.0.lock().expect("lock").iter().any(|own| own.identity() == *key)
    }
}

#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<bool>>>);
impl Observer for Asked {
    fn observe(&self, event: &Event<'_>) {
        if let Event::TokenCacheAsked { is_hit } = event {
            self.0.lock().expect("lock").push(*is_hit);
        }
    }
}

struct World {
    clock: Hands,
    keys: Keys,
    asked: Asked,
    key: SigningKey,
    verifier: JwtVerifier,
}

fn world(settings: impl FnOnce(JwtVerifierBuilder) -> JwtVerifierBuilder) -> World {
    let clock = Hands(Arc::new((AtomicU64::new(NOW), AtomicU64::new(0))));
    let (keys, asked) = (Keys(Arc::new((Mutex::new(Vec::new()), AtomicUsize::new(0)))), Asked::default());
    let key = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("a").expect("a key id");
    keys.publish(&[&key]);
    let builder = JwtVerifier::builder(keys.clone())
        .issuer(ISSUER)
        .audience("api")
        .clock(clock.clone())
        .token_cache(TokenCache::new())
        .observer(asked.clone());
    let verifier = settings(builder).build().expect("a verifier");
    World { clock, keys, asked, key, verifier }
}

impl World {
    fn sign(&self, claims: &Value) -> String {
        JwtSigner::new(self.key.clone()).sign(claims).expect("sign")
    }

    fn outcome(&self, token: &str) -> Result<VerifiedToken, Rejection> {
        match self.verifier.verify_now(&Credential::new("Bearer", token)).expect("from memory") {
            Ok(token) => Ok(token),
            Err(VerifyError::Rejected(rejection)) => Err(rejection),
            Err(VerifyError::Unavailable(_)) => panic!("the keys are available"),
        }
    }
}

fn claims(name: &str) -> Value {
    json!({"iss": ISSUER, "aud": "api", "sub": name, "exp": NOW + 3600, "iat": NOW})
}

#[test]
fn a_token_that_comes_again_costs_no_signature() {
    let w = world(|builder| builder);
    let token = w.sign(&claims("7"));
    for _ in 0..5 {
        assert_eq!(w.outcome(&token).expect("a token").subject(), Some("7"));
    }
    assert_eq!(w.keys.taken(), 1);
    assert_eq!(*w.asked.0.lock().expect("lock"), [false, true, true, true, true]);
}

#[test]
fn a_verdict_ends_with_its_time_and_its_youth() {
    type Settings = fn(JwtVerifierBuilder) -> JwtVerifierBuilder;
    let plain: Settings = |builder| builder;
    let aging: Settings = |builder| builder.max_age(Duration::from_secs(60));
    let cases: [(&str, Value, Settings, u64, Result<(), Rejection>); 4] = [
        ("exp", json!(NOW + 60), plain, 90, Err(Rejection::Expired)),
        ("exp", json!(NOW + 60), plain, 89, Ok(())),
        ("iat", json!(NOW), aging, 91, Err(Rejection::TooOld)),
        ("iat", json!(NOW), aging, 90, Ok(())),
    ];
    for (name, value, settings, later, expected) in cases {
        let w = world(settings);
        let mut claims = claims("7");
        claims[name] = value;
        let token = w.sign(&claims);
        w.outcome(&token).expect("a token");
        w.clock.pass(later);
        assert_eq!(w.outcome(&token).map(drop), expected, "{name} after {later} s");
        assert_eq!(w.keys.taken(), if expected.is_ok() { 1 } else { 2 }, "{name} after {later} s");
    }
    // Five minutes on either clock, and it is verified anew.
    for by_the_wall in [true, false] {
        let w = world(|builder| builder);
        let token = w.sign(&claims("7"));
        w.outcome(&token).expect("a token");
        let hand = if by_the_wall { &w.clock.0.0 } else { &w.clock.0.1 };
        hand.fetch_add(300, Ordering::SeqCst);
        w.outcome(&token).expect("a token");
        assert_eq!(w.keys.taken(), 2);
    }
    // A clock that was put back: not valid yet.
    let w = world(|builder| builder);
    let mut early = claims("7");
    early["nbf"] = json!(NOW);
    let token = w.sign(&early);
    w.outcome(&token).expect("a token");
    w.clock.0.0.store(NOW - 3600, Ordering::SeqCst);
    assert_eq!(w.outcome(&token).err(), Some(Rejection::NotYetValid));
}

#[test]
fn a_verdict_ends_with_its_key() {
    let w = world(|builder| builder);
    let token = w.sign(&claims("7"));
    w.outcome(&token).expect("a token");
    let next = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("b").expect("a key id");
    w.keys.publish(&[&next]);
    assert_eq!(w.outcome(&token).err(), Some(Rejection::UnknownKey), "withdrawn");
    // Another key under the same id.
    let other = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("a").expect("a key id");
    w.keys.publish(&[&other]);
    assert_eq!(w.outcome(&token).err(), Some(Rejection::Signature));
    w.keys.publish(&[&w.key, &next]);
    w.outcome(&token).expect("published again");
}

#[test]
fn no_part_of_a_token_stands_for_another() {
    let w = world(|builder| builder);
    let (token, other) = (w.sign(&claims("7")), w.sign(&claims("8")));
    let (input, signature) = token.rsplit_once('.').expect("three parts");
    let (other_input, other_signature) = other.rsplit_once('.').expect("three parts");
    w.outcome(&token).expect("a token");
    for forged in [format!("{other_input}.{signature}"), format!("{input}.{other_signature}")] {
        assert_eq!(w.outcome(&forged).err(), Some(Rejection::Signature));
    }
    for forged in [format!("{input}."), format!("{input}.{signature}="), format!(".{signature}"), signature.to_owned()]
    {
        assert!(w.outcome(&forged).is_err(), "{forged}");
    }
    assert_eq!(w.outcome(&token).expect("a token").subject(), Some("7"));
    let kept = w.verifier.verdicts.as_ref().expect("a cache").kept.len();
    assert_eq!(kept, 1, "refusals are not kept");
}

#[test]
fn the_application_is_asked_each_time() {
    let is_open = Arc::new(AtomicBool::new(true));
    let asked = is_open.clone();
    let w =
        world(move |builder| builder.check(move |_| if asked.load(Ordering::SeqCst) { Ok(()) } else { Err("closed") }));
    let token = w.sign(&claims("7"));
    w.outcome(&token).expect("a token");
    is_open.store(false, Ordering::SeqCst);
    assert_eq!(w.outcome(&token).err(), Some(Rejection::Check("closed")));
}

#[test]
fn a_flood_of_good_tokens_takes_bounded_room() {
    const ROOM: usize = 1024 * 1024;
    for (settings, entries, bytes) in [
        (TokenCache::new().max_entries(100), 100, MAX_BYTES),
        (TokenCache::new().max_bytes(ROOM), ROOM / MIN_WEIGHT, ROOM),
    ] {
        let w = world(|builder| builder.token_cache(settings));
        let key =
            SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret").with_key_id("a").expect("a key id");
        let w = World { key: key.clone(), ..w };
        w.keys.publish(&[&key]);
        let verdicts = w.verifier.verdicts.as_ref().expect("a cache");
        let mut longest = claims("7");
        longest["filler"] = json!("x".repeat(5_000));
        for n in 0..3_000 {
            longest["jti"] = json!(n.to_string());
            let mut short = claims("7");
            short["jti"] = json!(n.to_string());
            let token = w.sign(if n % 2 == 0 { &longest } else { &short });
            verdicts.keep(&token, &verified(&w, &token), &w.clock);
        }
        assert!((1..=entries).contains(&verdicts.kept.len()), "{} entries", verdicts.kept.len());
        assert!(verdicts.kept.weight() <= bytes as u64, "{} bytes", verdicts.kept.weight());
    }
}

/// The token as a verifier for its algorithm gives it.
fn verified(w: &World, token: &str) -> VerifiedToken {
    let verifier = JwtVerifier::builder(w.key.verifying_key().clone())
        .algorithms([Algorithm::HS256])
        .issuer(ISSUER)
        .audience("api")
        .clock(w.clock.clone())
        .build()
        .expect("a verifier");
    verifier.verify_now(&Credential::new("Bearer", token)).expect("from memory").expect("a token")
}

#[test]
fn settings_that_make_no_cache_are_refused() {
    for cache in [
        TokenCache::new().max_age(Duration::ZERO),
        TokenCache::new().max_age(Duration::from_secs(3601)),
        TokenCache::new().max_entries(0),
        TokenCache::new().max_bytes(MIN_WEIGHT - 1),
    ] {
        let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret");
        let builder = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer(ISSUER).audience("api");
        let verifier = builder.token_cache(cache.clone()).build();
        assert_eq!(verifier.expect_err("settings").setting(), "token_cache", "{cache:?}");
    }
    for cache in [
        TokenCache::new().max_age(Duration::from_secs(3600)),
        TokenCache::new().max_entries(1),
        TokenCache::new().max_bytes(MIN_WEIGHT),
    ] {
        assert!(cache.clone().build().is_ok(), "{cache:?}");
    }
}

#[test]
fn a_token_weighs_what_it_takes_three_times_and_no_less_than_its_share() {
    let w = world(|builder| builder);
    let key = SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret").with_key_id("a").expect("a key id");
    let w = World { key, ..w };
    let token = verified(&w, &w.sign(&claims("7")));
    let weight = |length: usize, least| {
        let key = token.key().expect("a key");
        let kept = Kept {
            signing_input: "x".repeat(length).into(),
            token: token.clone(),
            key,
            at: (UNIX_EPOCH, Duration::ZERO),
        };
        ByBytes { least }.weight(&[0; 32], &Arc::new(kept))
    };
    for (length, least, expected) in
        [(0, 0, 1024), (1, 0, 1027), (1000, 0, 4024), (1000, 4024, 4024), (1000, 5000, 5000)]
    {
        assert_eq!(weight(length, least), expected, "{length} {least}");
    }
}

#[test]
fn what_is_kept_shows_nothing_of_a_token() {
    let w = world(|builder| builder);
    w.outcome(&w.sign(&claims("7"))).expect("a token");
    assert_eq!(
        format!("{:?}", w.verifier.verdicts.as_ref().expect("a cache")),
        "TokenCache { max_age: 300s, entries: 1 }"
    );
}
