//! What goes wrong in production, each fault by name and with counts: the time is set by hand, the sockets are real.

use super::{NOW, ask, document, key, provider, token};
use countersign::provider::KeyProvider;
use countersign::reason::{Reason, Rejection};
use countersign::request::{Credential, RequestView};
use countersign::verify::{TokenCache, TokenVerifier, VerifyError};
use countersign::{Guard, JwtVerifier, SigningKey};
use countersign_keys::{HttpFetch, JwksProvider, KeysState};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::jwks_server::{Answer, Authority, Certificate, Hold, JwksServer};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn verifier(keys: impl KeyProvider, clock: &FakeClock) -> JwtVerifier {
    let builder = JwtVerifier::builder(keys).issuer("me").audience("api").clock(clock.clone());
    builder.token_cache(TokenCache::new()).build().expect("a verifier")
}

async fn verdict(verifier: &JwtVerifier, token: &str) -> &'static str {
    match verifier.verify(&Credential::new("Bearer", token)).await {
        Ok(_) => "accepted",
        Err(VerifyError::Rejected(Rejection::UnknownKey)) => "unknown key",
        Err(VerifyError::Rejected(_)) => "rejected",
        Err(_) => "unavailable",
    }
}

#[tokio::test]
async fn a_hundred_thousand_made_up_kids_cost_a_fetch_in_five_seconds_and_delay_nobody() {
    let (a, b) = (key("a"), key("b"));
    let server = JwksServer::start(Answer::json(document(&[&a]))).await;
    let clock = FakeClock::at(NOW);
    let verifier = verifier(provider(server.url("/jwks"), &clock), &clock);
    let (good, rotated) = (token(&a), token(&b));
    assert_eq!(verdict(&verifier, &good).await, "accepted");
    let [_, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let mut rotated_since: Option<Duration> = None;
    let mut served_after = None;
    for n in 0..100_000_u32 {
        clock.advance(Duration::from_millis(1));
        let header = base64_url(format!(r#"{{"alg":"ES256","kid":"made up {n}"}}"#).as_bytes());
        assert_eq!(verdict(&verifier, &format!("{header}.{payload}.{signature}")).await, "unknown key");
        if n % 100 == 0 {
            // Not from the token cache either.
            let fresh = token(&a);
            let now = verifier.verify_now(&Credential::new("Bearer", &fresh));
            assert!(now.is_some_and(|verdict| verdict.is_ok()), "a known key never waits");
        }
        let elapsed = Duration::from_millis(u64::from(n) + 1);
        if n == 50_000 {
            server.say(Answer::json(document(&[&a, &b])));
            rotated_since = Some(elapsed);
        }
        if let Some(since) = rotated_since.filter(|_| served_after.is_none() && n % 50 == 0)
            && verdict(&verifier, &rotated).await == "accepted"
        {
            served_after = Some(elapsed.saturating_sub(since));
        }
    }
    let allowed = 1 + 2 + 100 / 5;
    assert!(server.requests() <= allowed, "{} fetches in 100 s", server.requests());
    assert!(served_after.is_some_and(|after| after <= 5 * SECOND), "the rotation: {served_after:?}");
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_at_cold_start_cost_one_fetch() {
    let hold = Hold::new();
    let a = key("a");
    let server = JwksServer::start(Answer::json(document(&[&a])).held(&hold)).await;
    let keys = Arc::new(provider(server.url("/jwks"), &FakeClock::at(NOW)));
    let asking: Vec<_> = (0..1000)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { ask(&keys, "a").await })
        })
        .collect();
    server.wait_for_requests(1).await;
    hold.release();
    for task in asking {
        assert_eq!(task.await.expect("no panic"), "key");
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_mid_refresh_leaves_the_keys_to_the_others() {
    let hold = Hold::new();
    let server = JwksServer::start(Answer::json(document(&[&key("a")])).held(&hold)).await;
    let keys = Arc::new(provider(server.url("/jwks"), &FakeClock::at(NOW)));
    let [first, second] = [(), ()].map(|()| {
        let keys = keys.clone();
        tokio::spawn(async move { ask(&keys, "a").await })
    });
    server.wait_for_requests(1).await;
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    hold.release();
    assert_eq!(second.await.expect("no panic"), "key");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn an_endpoint_that_drips_or_falls_silent_costs_a_second_and_the_old_set_serves() {
    let (good, next) = (key("good"), key("next"));
    let body = document(&[&good, &next]);
    for (name, answer) in [
        ("one octet a second", Answer::json(&body).dripping(SECOND)),
        ("silent from the start", Answer::silence()),
        ("silent after the header fields", Answer::json(&body).hangs_after(0)),
        ("silent in the middle", Answer::json(&body).hangs_after(20)),
    ] {
        let server = JwksServer::start([Answer::json(document(&[&good])), answer]).await;
        let clock = FakeClock::at(NOW);
        let keys = provider(server.url("/jwks"), &clock);
        assert_eq!(ask(&keys, "good").await, "key", "{name}");
        // The timers slept with the process: the first look-up waits for one refresh, a second at most.
        clock.set(NOW + 700);
        let waited = tokio::time::timeout(4 * SECOND, ask(&keys, "good")).await;
        assert_eq!(waited.expect("the deadline of a look-up holds"), "key", "{name}");
        let waited = tokio::time::timeout(4 * SECOND, ask(&keys, "next")).await;
        assert_eq!(waited.expect("the deadline of a look-up holds"), "unavailable", "{name}");
        assert_eq!(server.requests(), 2, "{name}: one refresh for both");
    }
}

#[tokio::test]
async fn an_outage_beyond_the_bound_is_503_and_ends_with_the_first_good_answer() {
    let (old, new) = (key("old"), key("new"));
    let server = JwksServer::start(Answer::json(document(&[&old]))).await;
    let clock = FakeClock::at(NOW);
    let keys = Arc::new(provider(server.url("/jwks"), &clock));
    let guard = Guard::builder(verifier(keys.clone(), &clock)).build().expect("a guard");
    let check = guard.check_authenticated();
    let answer = async |token: &str| {
        let headers = [("authorization", format!("Bearer {token}"))];
        let request = RequestView::new("GET", "/", None, &headers);
        match check.judge(&check.screening(None), &request).await {
            Ok(_) => (200, None),
            Err(denial) => (denial.status(), denial.retry_after()),
        }
    };
    assert_eq!(answer(&token(&old)).await.0, 200);
    server.say(Answer::new(500));
    let mut waits = 0;
    for minute in 1..=120_u64 {
        clock.pass(60 * SECOND).await;
        let (old_status, old_wait) = answer(&token(&old)).await;
        let (new_status, new_wait) = answer(&token(&new)).await;
        match minute {
            ..10 => assert_eq!(old_status, 200, "minute {minute}"),
            10..60 => assert_eq!((old_status, new_status), (200, 503), "minute {minute}"),
            // One minute of slack: the set's age counts from its request.
            60 => {}
            _ => assert_eq!((old_status, new_status), (503, 503), "minute {minute}"),
        }
        for wait in [old_wait, new_wait].into_iter().flatten() {
            assert!((1..=30).contains(&wait), "Retry-After: {wait}");
            waits += 1;
        }
    }
    assert!(waits > 100);
    assert_eq!(keys.health().state, KeysState::Dead);
    let before = server.requests();
    server.say(Answer::json(document(&[&old, &new])));
    clock.pass(61 * SECOND).await;
    assert_eq!(server.requests(), before + 1);
    assert_eq!((answer(&token(&old)).await.0, answer(&token(&new)).await.0), (200, 200));
}

#[tokio::test]
async fn a_removed_key_is_refused_at_once_by_the_token_cache_too() {
    let (old, new) = (key("old"), key("new"));
    let server = JwksServer::start(Answer::json(document(&[&old]))).await;
    let clock = FakeClock::at(NOW);
    let keys = Arc::new(provider(server.url("/jwks"), &clock));
    let verifier = verifier(keys.clone(), &clock);
    let cached = token(&old);
    for _ in 0..3 {
        assert_eq!(verdict(&verifier, &cached).await, "accepted");
    }
    server.say(Answer::json(document(&[&new])));
    clock.advance(SECOND);
    keys.refresh_now().await.expect("a refresh");
    assert!(!keys.trusts(&old.verifying_key().identity()));
    assert_eq!(verdict(&verifier, &cached).await, "unknown key");
    assert_eq!(verdict(&verifier, &token(&new)).await, "accepted");
}

#[tokio::test]
async fn jumping_clocks_and_suspension_cost_one_refresh() {
    let a = key("a");
    let server = JwksServer::start(Answer::json(document(&[&a]))).await;
    let clock = FakeClock::at(NOW);
    let keys = provider(server.url("/jwks"), &clock);
    assert_eq!(ask(&keys, "a").await, "key");
    for (name, at, fetches) in [
        ("an hour back", NOW - 3600, 1),
        ("an hour ahead", NOW + 3600, 2),
        ("ten years ahead", NOW + 315_360_000, 3),
        ("home again", NOW, 3),
    ] {
        clock.set(at);
        for _ in 0..10 {
            assert_eq!(ask(&keys, "a").await, "key", "{name}");
        }
        assert_eq!(server.requests(), fetches, "{name}");
    }
    clock.pass(541 * SECOND).await;
    assert_eq!(server.requests(), 4, "and the timers go on");
}

#[tokio::test]
async fn an_unchanged_document_is_not_sent_again() {
    let a = key("a");
    let server = JwksServer::start(Answer::json(document(&[&a])).etag("\"1\"")).await;
    let clock = FakeClock::at(NOW);
    let keys = provider(server.url("/jwks"), &clock);
    keys.ready().await.expect("keys");
    clock.pass(3600 * SECOND).await;
    let log = server.log();
    assert!(log.len() > 6, "{} requests in an hour", log.len());
    assert_eq!(log[0].header("if-none-match"), None);
    assert!(log[1..].iter().all(|request| request.header("if-none-match") == Some("\"1\"")));
    assert_eq!((keys.health().generation, keys.health().state), (1, KeysState::Fresh));
    server.say(Answer::json(document(&[&a, &key("b")])).etag("\"2\""));
    clock.pass(541 * SECOND).await;
    assert_eq!((keys.health().generation, keys.health().usable.len()), (2, 2));
}

#[tokio::test]
async fn the_servers_own_pace_is_kept_within_bounds() {
    let a = key("a");
    let server = JwksServer::start(Answer::json(document(&[&a])).header("cache-control", "public, max-age=120")).await;
    let clock = FakeClock::at(NOW);
    let keys = provider(server.url("/jwks"), &clock);
    keys.ready().await.expect("keys");
    assert_eq!(keys.health().time_to_live_seconds, Some(120));
    server.say([Answer::new(429).header("retry-after", "40"), Answer::json(document(&[&a]))]);
    clock.pass(83 * SECOND).await;
    assert_eq!(server.requests(), 1);
    while server.requests() < 2 {
        clock.pass(SECOND).await;
    }
    clock.pass(38 * SECOND).await;
    assert_eq!(server.requests(), 2, "left alone for as long as it asked");
    clock.pass(3 * SECOND).await;
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn certificates_decide_who_is_believed() {
    let authority = Authority::new();
    let client = |authority: &Authority| {
        let client = HttpFetch::builder().allow_http_on_loopback().trust_only(authority.pem());
        client.build().expect("a client")
    };
    let cases = [
        ("good", authority.certificate(), "key", KeysState::Fresh),
        ("for another host", authority.certificate_for("other.example"), "unavailable", KeysState::Dead),
        ("expired", authority.expired(), "unavailable", KeysState::Dead),
        ("not yet valid", authority.not_yet_valid(), "unavailable", KeysState::Dead),
        ("by itself", Certificate::self_signed(), "unavailable", KeysState::Dead),
        ("by others", Authority::new().certificate(), "unavailable", KeysState::Dead),
    ];
    for (name, certificate, expected, state) in cases {
        let server = JwksServer::start_tls(certificate, Answer::json(document(&[&key("a")]))).await;
        let keys = JwksProvider::url(server.url("/jwks")).fetch(client(&authority)).build().expect("a provider");
        assert_eq!(ask(&keys, "a").await, expected, "{name}");
        assert_eq!(keys.health().state, state, "{name}");
        let error = keys.health().last_error.unwrap_or_default();
        assert_eq!(error.contains("certificate is refused"), expected != "key", "{name}: {error}");
        assert_eq!(server.requests(), usize::from(expected == "key"), "{name}: nothing is asked of a stranger");
        assert_eq!(server.connections(), 1, "{name}: nor is it tried twice");
    }
}

#[tokio::test]
async fn a_proxy_and_header_fields_are_used_as_told() {
    let proxy = JwksServer::start(Answer::json(document(&[&key("a")]))).await;
    let client = HttpFetch::builder()
        .allow_http_on_loopback()
        .proxy(proxy.url(""))
        .header("x-api-key", "the operator's own")
        .build()
        .expect("a client");
    assert!(!format!("{client:?}").contains("the operator's own"));
    let builder = HttpFetch::builder().proxy("http://me:hunter2@127.0.0.1:1").header("x-api-key", "hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let keys = JwksProvider::url("http://127.0.0.1:9/jwks").fetch(client).build().expect("a provider");
    assert_eq!(ask(&keys, "a").await, "key");
    let [request] = &proxy.log()[..] else { panic!("one request") };
    assert_eq!(request.target(), "http://127.0.0.1:9/jwks");
    assert_eq!(request.header("x-api-key"), Some("the operator's own"));
    for (builder, setting) in [
        (HttpFetch::builder().proxy("no proxy at all:"), "proxy"),
        (HttpFetch::builder().header("a b", "c"), "header"),
        (HttpFetch::builder().header("a", "b\r\nc: d"), "header"),
        (HttpFetch::builder().trust_only("no PEM"), "trust_only"),
        (HttpFetch::builder().timeout(Duration::ZERO), "timeout"),
        (HttpFetch::builder().timeout(11 * SECOND), "timeout"),
        (HttpFetch::builder().connect_timeout(Duration::ZERO), "connect_timeout"),
    ] {
        assert_eq!(builder.build().expect_err(setting).setting(), setting);
    }
}

#[tokio::test]
async fn one_bad_key_or_a_shared_id_leaves_the_others_alone() {
    let (good, twin, other) = (key("good"), key("twin"), key("twin"));
    let bad = serde_json::json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "bad"});
    let jwk = |key: &SigningKey| serde_json::to_value(key.verifying_key().jwk()).expect("JSON");
    let set = serde_json::json!({"keys": [jwk(&good), bad, jwk(&twin), jwk(&other), {"kty": "oct", "k": "AAAA"}]});
    let server = JwksServer::start(Answer::json(set.to_string())).await;
    let keys = provider(server.url("/jwks"), &FakeClock::at(NOW));
    assert_eq!(ask(&keys, "good").await, "key");
    assert_ne!(ask(&keys, "twin").await, "key", "nobody can tell which is meant");
    let health = keys.health();
    let set_aside: Vec<_> = health.quarantined.iter().map(|key| key.index).collect();
    assert_eq!((health.usable.len(), set_aside), (1, vec![1, 2, 3, 4]));
}

#[tokio::test]
async fn no_error_tells_a_url() {
    let mut server = JwksServer::start(Answer::silence()).await;
    server.refuse().await;
    let keys = provider(server.url("/jwks?api_key=hunter3"), &FakeClock::at(NOW));
    assert_eq!(ask(&keys, "a").await, "unavailable");
    let health = serde_json::to_string(&keys.health()).expect("JSON");
    assert!(health.contains("no connection could be made") && !health.contains("hunter3"), "{health}");
}

#[tokio::test]
async fn keys_come_over_ipv6_and_each_fetch_looks_the_host_up_anew() {
    let server = JwksServer::start_on(Ipv6Addr::LOCALHOST, Answer::json(document(&[&key("a")]))).await;
    let clock = FakeClock::at(NOW);
    let keys = provider(server.url("/jwks"), &clock);
    assert_eq!(ask(&keys, "a").await, "key");
    clock.pass(541 * SECOND).await;
    assert_eq!((server.requests(), server.connections()), (2, 2), "no connection is kept");
}

#[tokio::test]
async fn hostile_kids_reach_no_url_no_answer_and_no_error() {
    let server = JwksServer::start(Answer::json(document(&[&key("a")]))).await;
    let clock = FakeClock::at(NOW);
    let keys = Arc::new(provider(server.url("/jwks"), &clock));
    let guard = Guard::builder(verifier(keys.clone(), &clock)).build().expect("a guard");
    let check = guard.check_authenticated();
    let payload = base64_url(format!(r#"{{"iss":"me","aud":"api","exp":{}}}"#, NOW + 60).as_bytes());
    let kids = [
        "MARK'\"<>&?#/../%0d%0a".to_owned(),
        "MARK\r\nset-cookie: a=b".to_owned(),
        "MARK\0".to_owned(),
        "MARK\u{1b}[31m".to_owned(),
        format!("MARK{}", "x".repeat(10_000)),
        "MARKé\u{202e}".to_owned(),
    ];
    for kid in &kids {
        let header = serde_json::json!({"alg": "ES256", "kid": kid}).to_string();
        let hostile = format!("{}.{payload}.{}", base64_url(header.as_bytes()), base64_url(&[7; 64]));
        let headers = [("authorization", format!("Bearer {hostile}"))];
        let request = RequestView::new("GET", "/", None, &headers);
        let denial = check.judge(&check.screening(None), &request).await.expect_err("a denial");
        assert!(matches!(denial.reason(), Reason::Rejected(_)), "{:?}", denial.reason());
        let told = format!("{denial} {denial:?} {:?} {:?}", denial.body(), denial.headers().collect::<Vec<_>>());
        assert!(!told.contains("MARK"), "{told}");
    }
    let health = serde_json::to_string(&keys.health()).expect("JSON");
    assert!(!health.contains("MARK"), "{health}");
    for request in server.log() {
        assert_eq!(request.target(), "/jwks");
        assert!(request.headers().all(|(_, value)| !value.contains("MARK")));
    }
}
