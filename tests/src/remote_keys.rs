//! `JwksProvider` over real sockets.

mod endpoint;
mod faults;

use countersign::issue::JwtSigner;
use countersign::jwk::JwkSet;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::reason::Reason;
use countersign::request::RequestView;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
use countersign_keys::JwksProvider;
use countersign_testkit::clock::FakeClock;
use countersign_testkit::jwks_server::{Answer, Authority, Certificate, JwksServer};
use std::time::Duration;

const NOW: u64 = 1_800_000_000;

fn key(key_id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id(key_id).expect("a kid")
}

fn document(keys: &[&SigningKey]) -> String {
    let set: JwkSet = keys.iter().filter_map(|key| key.verifying_key().jwk()).collect();
    serde_json::to_string(&set).expect("JSON")
}

async fn ask(keys: &JwksProvider, key_id: &str) -> &'static str {
    match keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some(key_id))).await {
        Ok(_) => "key",
        Err(KeyProviderError::NotFound) => "not found",
        Err(KeyProviderError::Unavailable(_)) => "unavailable",
        Err(other) => panic!("{other}"),
    }
}

/// A token that is good for a day.
fn token(key: &SigningKey) -> String {
    let claims = serde_json::json!({"iss": "me", "aud": "api", "nbf": NOW, "exp": NOW + 86_400, "jti": fresh_id()});
    JwtSigner::new(key.clone()).sign(&claims).expect("a token")
}

/// Of a different token each time.
fn fresh_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0).to_string()
}

fn provider(url: String, clock: &FakeClock) -> JwksProvider {
    JwksProvider::url(url).allow_http_on_loopback().clock(clock.clone()).build().expect("a provider")
}

#[tokio::test]
async fn keys_come_over_http_and_follow_a_rotation() {
    let (old, new) = (key("old"), key("new"));
    let server = JwksServer::start(Answer::json(document(&[&old]))).await;
    let clock = FakeClock::at(NOW);
    let keys = provider(server.url("/jwks"), &clock);
    assert_eq!(ask(&keys, "old").await, "key");
    server.say(Answer::json(document(&[&new])));
    assert_eq!(ask(&keys, "new").await, "key", "an unknown id is looked for");
    assert_eq!(ask(&keys, "old").await, "not found", "and the removed one is distrusted");
    assert!(!keys.trusts(&old.verifying_key().identity()));
}

#[tokio::test]
async fn what_is_no_good_document_never_replaces_a_good_one() {
    let good = key("good");
    let elsewhere = JwksServer::start(Answer::json(document(&[&key("evil")]))).await;
    let bad = document(&[&good, &key("evil")]);
    let answers = [
        ("redirect to a sibling", Answer::redirect("/other")),
        ("redirect elsewhere", Answer::redirect(&elsewhere.url("/jwks"))),
        ("redirect to a file", Answer::redirect("file:///etc/passwd")),
        ("redirect to itself", Answer::redirect_loop()),
        ("204", Answer::new(204)),
        ("206", Answer::json(&bad).status(206)),
        ("304 to no question", Answer::json(&bad).status(304)),
        ("redirect to a metadata service", Answer::redirect("http://169.254.169.254/latest/meta-data/")),
        ("redirect to plain HTTP", Answer::redirect("http://issuer.example/jwks")),
        ("404", Answer::json(&bad).status(404)),
        ("500", Answer::json(&bad).status(500)),
        ("HTML", Answer::json(&bad).header("content-type", "text/html")),
        ("too long", Answer::json(&bad).padded(128 * 1024)),
        ("endless", Answer::json(&bad).padded(500 << 20).chunked()),
        ("bomb", Answer::json(&bad).padded(10 << 30).gzip()),
        ("header bomb", Answer::json(&bad).header_bomb(1 << 20)),
        ("truncated", Answer::json(&bad).truncated(9)),
        ("longer than said", Answer::json(&bad).content_length(9)),
        ("reset", Answer::json(&bad).resets_after(9)),
        ("no HTTP", Answer::raw("220 mail.example ESMTP\r\n")),
        ("closed", Answer::raw("")),
        ("empty set", Answer::json(r#"{"keys":[]}"#)),
        ("a secret", Answer::json(r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"good"}]}"#)),
    ];
    for (name, answer) in answers {
        let server = JwksServer::start(Answer::json(document(&[&good]))).await;
        let clock = FakeClock::at(NOW);
        let keys = provider(server.url("/jwks"), &clock);
        assert_eq!(ask(&keys, "good").await, "key", "{name}");
        server.say(answer);
        clock.advance(Duration::from_secs(601));
        assert_eq!(ask(&keys, "good").await, "key", "{name}: the old set serves");
        assert_eq!(ask(&keys, "evil").await, "unavailable", "{name}: nobody knows what is published");
        assert_eq!(server.requests(), 2, "{name}");
        clock.advance(Duration::from_secs(3000));
        assert_eq!(ask(&keys, "good").await, "unavailable", "{name}: past the bound");
    }
    assert_eq!(elsewhere.connections(), 0, "no redirect was followed");
}

#[tokio::test]
async fn a_server_without_a_good_certificate_is_asked_nothing() {
    let published = document(&[&key("a")]);
    for certificate in [Authority::new().certificate(), Certificate::self_signed()] {
        let server = JwksServer::start_tls(certificate, Answer::json(&published)).await;
        let keys = provider(server.url("/jwks"), &FakeClock::at(NOW));
        assert_eq!(ask(&keys, "a").await, "unavailable");
        assert!(server.connections() > 0, "it was tried");
        assert_eq!(server.requests(), 0);
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_deadline_and_no_more() {
    let server = JwksServer::start(Answer::silence()).await;
    let clock = FakeClock::at(NOW);
    let keys = provider(server.url("/jwks"), &clock);
    let both = async { tokio::join!(ask(&keys, "a"), ask(&keys, "b")) };
    let answers = tokio::time::timeout(Duration::from_secs(60), both).await.expect("a deadline");
    assert_eq!(answers, ("unavailable", "unavailable"));
    assert_eq!(server.requests(), 1, "one for both");
}

#[tokio::test]
async fn unreachable_keys_are_503_with_retry_after_and_a_bad_token_is_still_401() {
    let mut server = JwksServer::start(Answer::silence()).await;
    server.refuse().await;
    let clock = FakeClock::at(NOW);
    let verifier =
        JwtVerifier::builder(provider(server.url("/jwks"), &clock)).issuer("me").audience("api").clock(clock.clone());
    let guard = Guard::builder(verifier.build().expect("a verifier")).build().expect("a guard");
    let check = guard.check_authenticated();
    let token = token(&key("a"));
    for (token, status, reason) in [
        (token.as_str(), 503, Reason::KeysUnavailable),
        ("garbage", 401, Reason::Rejected(countersign::reason::Rejection::Malformed)),
    ] {
        let headers = [("authorization", format!("Bearer {token}"))];
        let request = RequestView::new("GET", "/", None, &headers);
        let denial = check.judge(&check.screening(None), &request).await.expect_err("a denial");
        assert_eq!((denial.status(), denial.reason()), (status, reason));
        assert_eq!(denial.retry_after().is_some(), status == 503);
        assert_eq!(std::error::Error::source(&denial).is_some(), status == 503, "the log learns why");
    }
}
