use super::*;
use crate::clock::FakeClock;
use crate::conformance::{KeySource, key_provider};
use countersign::VerifiedToken;
use countersign::async_trait;
use countersign::jwk::Jwk;
use countersign::provider::{KeyProvider, KeyRequest};
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, VerifyError};

type Verdict = Result<VerifiedToken, VerifyError>;

fn verdict(verifier: &JwtVerifier, token: &str) -> Verdict {
    verifier.verify_now(&Credential::new("Bearer", token)).expect("keys in memory")
}

fn refusal(verdict: &Verdict) -> Option<Rejection> {
    match verdict {
        Err(VerifyError::Rejected(rejection)) => Some(*rejection),
        _ => None,
    }
}

/// Whether a key can be made for it with the features that are on.
fn has_keys(algorithm: Algorithm) -> bool {
    use Algorithm::{ES256K, ES512, MlDsa44, MlDsa65, MlDsa87};
    cfg!(feature = "aws-lc") || !matches!(algorithm, ES512 | ES256K | MlDsa44 | MlDsa65 | MlDsa87)
}

#[test]
fn good_tokens_are_taken_and_broken_ones_refused_for_their_reason_under_every_algorithm() {
    let mut tried = 0;
    for &algorithm in Algorithm::ALL.iter().filter(|algorithm| has_keys(**algorithm)) {
        let issuer = TestIssuer::builder().algorithm(algorithm).build();
        let verifier = issuer.verifier();
        let good = verdict(&verifier, &issuer.token("admin")).expect("a good token");
        assert_eq!(good.subject(), Some("admin"), "{algorithm}");
        for broken in Broken::all() {
            let verdict = verdict(&verifier, &issuer.broken(broken));
            assert_eq!(refusal(&verdict), Some(broken.rejection()), "{broken}, {algorithm}: {verdict:?}");
            assert_eq!(broken.status(), 401, "{broken}");
            tried += 1;
        }
    }
    assert!(tried >= 13 * 33, "{tried}");
}

#[test]
fn names_are_words_and_none_stands_twice() {
    let names: Vec<_> = Broken::all().map(Broken::name).collect();
    let is_word =
        |name: &str| name.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
    assert!(names.iter().all(|name| is_word(name)), "{names:?}");
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn tokens_go_by_the_clock_that_is_given() {
    let clock = FakeClock::at(1_800_000_000);
    let issuer = TestIssuer::builder().clock(clock.clone()).lifetime(Duration::from_secs(60)).build();
    let verifier = issuer.verifier();
    let token = issuer.token("ada");
    assert!(verdict(&verifier, &token).is_ok());
    clock.advance(Duration::from_secs(90));
    assert_eq!(refusal(&verdict(&verifier, &token)), Some(Rejection::Expired));
    assert!(verdict(&verifier, &issuer.token("ada")).is_ok());
}

#[test]
fn rotation_keeps_what_was_until_it_is_withdrawn() {
    for algorithm in [Algorithm::ES256, Algorithm::RS256, Algorithm::HS512] {
        let issuer = TestIssuer::builder().algorithm(algorithm).build();
        let verifier = issuer.verifier();
        let mut old = issuer.token("ada");
        for _ in 0..3 {
            issuer.clone().rotate();
            let new = issuer.token("ada");
            assert!(verdict(&verifier, &old).is_ok() && verdict(&verifier, &new).is_ok(), "{algorithm}");
            issuer.withdraw_old_keys();
            assert_eq!(refusal(&verdict(&verifier, &old)), Some(Rejection::UnknownKey), "{algorithm}");
            assert!(verdict(&verifier, &new).is_ok(), "{algorithm}");
            old = new;
        }
    }
}

#[test]
fn a_token_says_what_it_was_given() {
    let clock = FakeClock::at(1_800_000_000);
    let issuer = TestIssuer::builder().clock(clock).build();
    let token = issuer.subject("ada").role("a").role("b").permission("p").scope("x").scope("y").token_id("t");
    let token =
        token.audience("web").lifetime(Duration::from_secs(5)).not_before(Duration::from_secs(1)).without("iat");
    let expected = json!({
        "iss": "https://issuer.example/", "aud": "web", "sub": "ada", "roles": ["a", "b"], "permissions": ["p"],
        "scope": "x y", "jti": "t", "exp": 1_800_000_005_u64, "nbf": 1_800_000_001_u64,
    });
    assert_eq!(serde_json::Value::Object(token.claims.clone()), expected);
    let header = token.token_type("at+jwt").header("kid", json!(null)).header_text(&issuer.signing_key());
    assert_eq!(header, r#"{"alg":"ES256","typ":"at+jwt"}"#);
}

/// The issuer as the source of its own keys.
struct Publishing(TestIssuer);

#[async_trait]
impl KeySource for Publishing {
    async fn publish(&mut self, keys: Vec<VerifyingKey>) {
        self.0.change(|state| (state.published, state.is_down) = (keys, false));
    }

    async fn go_down(&mut self) {
        self.0.go_down();
    }

    async fn settle(&mut self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_keys_keep_the_rules() {
    let new = async || {
        let issuer = TestIssuer::new();
        (issuer.keys(), Publishing(issuer))
    };
    key_provider().changing(new).await;
}

#[tokio::test]
async fn on_a_port_it_publishes_what_it_signs_with() {
    let issuer = TestIssuer::start().await;
    let document = async |path: &str| get(&issuer.server.url(path)).await;
    let metadata = document("/.well-known/openid-configuration").await;
    assert!(metadata.contains(&format!(r#""issuer":"{}""#, issuer.issuer())), "{metadata}");
    assert!(metadata.contains(&format!(r#""jwks_uri":"{}""#, issuer.server.url("/.well-known/jwks.json"))));

    issuer.rotate();
    let body = document("/.well-known/jwks.json").await;
    let set = JwkSet::parse(body.rsplit("\r\n").next().unwrap_or_default()).expect("a key set");
    let ids: Vec<_> = set.keys().iter().filter_map(Jwk::key_id).collect();
    assert_eq!(ids, ["key-1", "key-2"]);

    issuer.go_down();
    assert!(document("/.well-known/jwks.json").await.starts_with("HTTP/1.1 503"));
    let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(Some("key-1"));
    assert!(issuer.keys().key(&wanted).await.is_err());
    issuer.come_back();
    assert!(document("/.well-known/openid-configuration").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
#[should_panic(expected = "`HS256` has a shared secret")]
async fn nobody_publishes_a_shared_secret() {
    let _ = TestIssuer::builder().algorithm(Algorithm::HS256).start().await;
}

async fn get(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("a connection");
    stream.write_all(format!("GET /{path} HTTP/1.1\r\n\r\n").as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
