//! `JwksProvider` over real sockets.

use countersign::jwk::JwkSet;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::reason::Reason;
use countersign::request::RequestView;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
use countersign_keys::JwksProvider;
use countersign_testkit::clock::FakeClock;
use countersign_testkit::jwks_server::{JwksServer, Script};
use std::time::Duration;

fn key(key_id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id(key_id)
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

fn provider(url: String, clock: &FakeClock) -> JwksProvider {
    JwksProvider::url(url).allow_http_on_loopback().clock(clock.clone()).build().expect("a provider")
}

#[tokio::test]
async fn keys_come_over_http_and_follow_a_rotation() {
    let (old, new) = (key("old"), key("new"));
    let server = JwksServer::start(Script::json(&document(&[&old]))).await;
    let clock = FakeClock::at(1_800_000_000);
    let keys = provider(server.url("/jwks"), &clock);
    assert_eq!(ask(&keys, "old").await, "key");
    server.say(Script::json(&document(&[&new])));
    assert_eq!(ask(&keys, "new").await, "key", "an unknown id is looked for");
    assert_eq!(ask(&keys, "old").await, "not found", "and the removed one is distrusted");
    assert!(!keys.trusts(&old.verifying_key().identity()));
}

#[tokio::test]
async fn what_is_no_good_document_never_replaces_a_good_one() {
    let good = key("good");
    let elsewhere = JwksServer::start(Script::json(&document(&[&key("evil")]))).await;
    let bad = document(&[&good, &key("evil")]);
    let too_long = format!("{bad}{}", " ".repeat(128 * 1024));
    let endless = {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let space = format!("10000\r\n{}\r\n", " ".repeat(0x10000)).repeat(64);
        format!("{head}{:x}\r\n{bad}\r\n{space}0\r\n\r\n", bad.len()).into_bytes()
    };
    let truncated =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{\"keys\":[".to_vec();
    let scripts = [
        ("redirect to a sibling", Script::redirect("/other")),
        ("redirect elsewhere", Script::redirect(&elsewhere.url("/jwks"))),
        ("redirect to a file", Script::redirect("file:///etc/passwd")),
        ("204", Script::response("204 No Content", "application/json", "")),
        ("206", Script::response("206 Partial Content", "application/json", &bad)),
        ("404", Script::response("404 Not Found", "application/json", &bad)),
        ("500", Script::response("500 Internal Server Error", "application/json", &bad)),
        ("HTML", Script::response("200 OK", "text/html", &bad)),
        ("too long", Script::json(&too_long)),
        ("endless", Script::Bytes(endless)),
        ("truncated", Script::Bytes(truncated)),
        ("no HTTP", Script::Bytes(b"220 mail.example ESMTP\r\n".to_vec())),
        ("closed", Script::Bytes(Vec::new())),
        ("empty set", Script::json(r#"{"keys":[]}"#)),
        ("a secret", Script::json(r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"good"}]}"#)),
    ];
    for (name, script) in scripts {
        let server = JwksServer::start(Script::json(&document(&[&good]))).await;
        let clock = FakeClock::at(1_800_000_000);
        let keys = provider(server.url("/jwks"), &clock);
        assert_eq!(ask(&keys, "good").await, "key", "{name}");
        server.say(script);
        clock.advance(Duration::from_secs(601));
        assert_eq!(ask(&keys, "good").await, "key", "{name}: the old set serves");
        assert_eq!(ask(&keys, "evil").await, "unavailable", "{name}: nobody knows what is published");
        assert_eq!(server.requests(), 2, "{name}");
        clock.advance(Duration::from_secs(3000));
        assert_eq!(ask(&keys, "good").await, "unavailable", "{name}: past the bound");
    }
    assert_eq!(elsewhere.requests(), 0, "no redirect was followed");
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_deadline_and_no_more() {
    let server = JwksServer::start(Script::Hang).await;
    let clock = FakeClock::at(1_800_000_000);
    let keys = provider(server.url("/jwks"), &clock);
    let both = async { tokio::join!(ask(&keys, "a"), ask(&keys, "b")) };
    let answers = tokio::time::timeout(Duration::from_secs(60), both).await.expect("a deadline");
    assert_eq!(answers, ("unavailable", "unavailable"));
    assert_eq!(server.requests(), 1, "one for both");
}

#[tokio::test]
async fn unreachable_keys_are_503_with_retry_after_and_a_bad_token_is_still_401() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/jwks", nobody.local_addr().expect("an address"));
    drop(nobody);
    let clock = FakeClock::at(1_800_000_000);
    let verifier = JwtVerifier::builder(provider(url, &clock)).issuer("me").audience("api").clock(clock.clone());
    let guard = Guard::builder(verifier.build().expect("a verifier")).build().expect("a guard");
    let check = guard.check_authenticated();
    let claims = serde_json::json!({"iss": "me", "aud": "api", "exp": 1_800_000_600});
    let token = countersign::issue::JwtSigner::new(key("a")).sign(&claims).expect("a token");
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
