use super::*;
use crate::alg::Algorithm;
use crate::changes::Changes;
use crate::issue::JwtSigner;
use crate::key::SigningKey;
use crate::provider::{KeyProvider, KeySet, Unavailable};
use crate::request::Credential;
use crate::verifier::{IssuerRouter, JwtVerifierBuilder, TokenVerifier};
use async_trait::async_trait;
use serde_json::json;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

const ISSUER: &str = "https://issuer.example/";

/// Published keys, or none to be had; by the `bool`s it knows which are trusted, and answers without waiting.
#[derive(Clone, Debug)]
struct Keys(Arc<Mutex<Option<KeySet>>>, bool, bool);

impl Keys {
    fn publish(&self, keys: &[&SigningKey]) {
        *self.0.lock().expect("lock") = Some(keys.iter().map(|key| key.verifying_key().clone()).collect());
    }
    fn go_down(&self) {
        *self.0.lock().expect("lock") = None;
    }
    fn find(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let keys = self.0.lock().expect("lock");
        let keys = keys.as_ref().ok_or(KeyProviderError::Unavailable(Unavailable::default()))?;
        keys.find(wanted).cloned()
    }
}

#[async_trait]
impl KeyProvider for Keys {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        self.2.then(|| self.find(wanted))
    }
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.find(wanted)
    }
    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        self.0.lock().expect("lock").as_ref().map(|keys| keys.candidates(wanted)).unwrap_or_default()
    }
    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.1 && self.0.lock().expect("lock").as_ref().is_some_and(|keys| keys.trusts(key))
    }
}

fn key(id: Option<&str>) -> SigningKey {
    let key = SigningKey::generate(Algorithm::ES256).expect("generate");
    match id {
        Some(id) => key.with_key_id(id).expect("a key id"),
        None => key,
    }
}

fn builder(keys: impl KeyProvider) -> JwtVerifierBuilder {
    JwtVerifier::builder(keys).issuer(ISSUER).audience("api")
}

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn token(verifier: &impl TokenVerifier, key: &SigningKey) -> VerifiedToken {
    let claims = json!({"iss": ISSUER, "aud": "api", "exp": 4_000_000_000_u32});
    let token = JwtSigner::new(key.clone()).sign(&claims).expect("sign");
    now(verifier.verify(&Credential::new("Bearer", &token))).expect("a token")
}

/// What comes of it: nothing, a rejection, or that nobody can tell.
fn said(answer: Result<(), VerifyError>) -> Result<(), Option<Rejection>> {
    answer.map_err(|error| match error {
        VerifyError::Rejected(rejection) => Some(rejection),
        VerifyError::Unavailable(_) => None,
    })
}

fn recheck(verifier: &impl TokenVerifier, token: &VerifiedToken) -> Result<(), Option<Rejection>> {
    let later = said(now(verifier.recheck(token)));
    if let Some(at_once) = verifier.recheck_now(token) {
        assert_eq!(said(at_once), later);
    }
    later
}

#[test]
fn a_key_counts_for_as_long_as_it_is_published() {
    const GONE: Result<(), Option<Rejection>> = Err(Some(Rejection::UnknownKey));
    for (tells_trust, tells_now) in [(true, true), (true, false), (false, true), (false, false)] {
        let keys = Keys(Arc::default(), tells_trust, tells_now);
        let (own, other, same_id) = (key(Some("a")), key(Some("b")), key(Some("a")));
        keys.publish(&[&own]);
        let verifier = builder(keys.clone()).build().expect("a verifier");
        let token = token(&verifier, &own);
        assert_eq!(verifier.recheck_now(&token).is_some(), tells_trust || tells_now);
        let cases: [(&[&SigningKey], _); 5] =
            [(&[&own], Ok(())), (&[&other, &own], Ok(())), (&[&other], GONE), (&[&same_id], GONE), (&[], GONE)];
        for (published, expected) in cases {
            keys.publish(published);
            assert_eq!(recheck(&verifier, &token), expected, "{published:?} {tells_trust} {tells_now}");
        }
        keys.go_down();
        assert_eq!(recheck(&verifier, &token), Err(None), "nobody can tell");
    }
}

#[test]
fn a_token_that_names_no_key_has_its_own_among_those_that_are_tried() {
    let keys = Keys(Arc::default(), false, true);
    let (own, another, third) = (key(None), key(None), key(None));
    keys.publish(&[&own]);
    let build = |most| builder(keys.clone()).try_keys(most).build().expect("a verifier");
    let (one, two) = (build(1), build(2));
    let token = token(&one, &own);
    let cases: [(&[&SigningKey], _, _); 4] = [
        (&[&own], Ok(()), Ok(())),
        (&[&own, &another], Err(Some(Rejection::KeyAmbiguous)), Ok(())),
        (&[&third, &another], Err(Some(Rejection::KeyAmbiguous)), Err(Some(Rejection::UnknownKey))),
        (&[&own, &another, &third], Err(Some(Rejection::KeyAmbiguous)), Err(Some(Rejection::KeyAmbiguous))),
    ];
    for (published, by_one, by_two) in cases {
        keys.publish(published);
        assert_eq!(recheck(&one, &token), by_one, "{published:?}");
        assert_eq!(recheck(&two, &token), by_two, "{published:?}");
    }
}

/// It had several keys when it was asked for one, and has one by now, which it tells.
#[derive(Debug)]
struct Shrinking(VerifyingKey, Option<Changes>);
#[async_trait]
impl KeyProvider for Shrinking {
    async fn key(&self, _: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        Err(KeyProviderError::Ambiguous)
    }
    fn candidates(&self, _: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        vec![self.0.clone()]
    }
    fn trusts(&self, _: &KeyIdentity) -> bool {
        false
    }
    fn changes(&self) -> Option<Changes> {
        self.1.clone()
    }
}

#[test]
fn a_verifier_that_tries_no_others_does_not_ask_for_them() {
    let own = key(None);
    let keys = || Shrinking(own.verifying_key().clone(), None);
    let build = |most| builder(keys()).try_keys(most).build().expect("a verifier");
    let token = token(&build(2), &own);
    assert_eq!(recheck(&build(2), &token), Ok(()));
    assert_eq!(recheck(&build(1), &token), Err(Some(Rejection::KeyAmbiguous)));
}

/// A verifier that says nothing of what it has given.
#[derive(Debug)]
struct Plain;
#[async_trait]
impl TokenVerifier for Plain {
    async fn verify(&self, _: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        Err(Rejection::Credentials.into())
    }
}

#[test]
fn what_keys_tell_of_themselves_is_passed_on_and_whoever_tells_nothing_is_asked() {
    let own = key(None);
    let told = Changes::new();
    told.tell();
    let verifier = |changes| builder(Shrinking(own.verifying_key().clone(), changes)).build().expect("a verifier");
    let router = |changes| IssuerRouter::new([verifier(changes)]).expect("a router");
    for (changes, count) in [(None, None), (Some(told), Some(1))] {
        assert_eq!(verifier(changes.clone()).changes().map(|changes| changes.count()), count);
        assert_eq!(router(changes).changes().map(|changes| changes.count()), count);
    }
    let local = builder(own.verifying_key().clone()).build().expect("a verifier");
    let token = token(&local, &own);
    let router = IssuerRouter::new([local]).expect("a router");
    assert_eq!(router.recheck_now(&token).map(said), Some(Ok(())));
    // Nothing is known without asking, unless it says so.
    assert!(Plain.recheck_now(&token).is_none() && Plain.changes().is_none());
}

#[test]
fn of_a_key_that_a_verifier_says_nothing_of_nobody_can_tell() {
    let own = key(None);
    let signed = token(&builder(own.verifying_key().clone()).build().expect("a verifier"), &own);
    let vouched = VerifiedToken::vouched(&json!({"iss": ISSUER})).expect("claims");
    assert_eq!((recheck(&Plain, &signed), recheck(&Plain, &vouched)), (Err(None), Ok(())));
}

#[test]
fn a_verifier_speaks_for_no_token_that_it_would_not_give() {
    let own = key(Some("a"));
    let verifier = builder(own.verifying_key().clone()).build().expect("a verifier");
    let token = token(&verifier, &own);
    assert_eq!(recheck(&verifier, &token), Ok(()));

    let elsewhere = || JwtVerifier::builder(own.verifying_key().clone()).issuer("https://elsewhere.example/");
    let elsewhere = || elsewhere().audience("api").build().expect("a verifier");
    assert_eq!(recheck(&elsewhere(), &token), Err(Some(Rejection::Issuer)));
    let typed = builder(own.verifying_key().clone()).types(["at+jwt"]).build().expect("a verifier");
    assert_eq!(recheck(&typed, &token), Err(Some(Rejection::TokenType)));
    let vouched = VerifiedToken::vouched(&json!({"iss": ISSUER})).expect("claims");
    assert_eq!(recheck(&verifier, &vouched), Err(Some(Rejection::UnknownKey)));

    let router = IssuerRouter::new([verifier, elsewhere()]).expect("a router");
    assert_eq!(recheck(&router, &token), Ok(()));
    assert_eq!(recheck(&IssuerRouter::new([elsewhere()]).expect("a router"), &token), Err(Some(Rejection::Issuer)));
    let replaced = builder(key(Some("a")).verifying_key().clone()).build().expect("a verifier");
    let router = IssuerRouter::new([replaced, elsewhere()]).expect("a router");
    assert_eq!(recheck(&router, &token), Err(Some(Rejection::UnknownKey)));
}
