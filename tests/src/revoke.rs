//! The example `revoke`, against a Redis server.

use crate::quickstart::executable;
use countersign::VerifiedToken;
use countersign::cache::FleetKey;
use countersign::clock::{Clock, SystemClock};
use countersign::revocation::{RevocationCheck, RevocationLog, TokenStatus};
use countersign::{Algorithm, SigningKey};
use countersign_cache::RedisCache;
use countersign_testkit::redis_server::RedisServer;
use serde_json::json;
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::{sleep, timeout};

const FLEET_KEY: &str = "tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM";
const ISSUER: &str = "https://issuer.example/";

fn revoke(redis: &str, arguments: &[&str]) -> Output {
    Command::new(executable("revoke"))
        .args(arguments)
        .env_clear()
        .envs([("REDIS_URL", redis), ("FLEET_KEY", FLEET_KEY), ("ISSUER", ISSUER)])
        .output()
        .expect("the program runs")
}

/// A busy machine may make the store late: then nobody can say whether the change is known, and it is said again.
async fn insist(redis: &str, arguments: &[&str]) {
    let done = async {
        while !revoke(redis, arguments).status.success() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), done).await.expect("it works in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_says_is_known_to_whoever_follows_the_log() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let url = redis.url();
    let key = SigningKey::generate(Algorithm::ES256).expect("a key");
    let thumbprint = key.verifying_key().thumbprint().expect("a public key").to_string();
    insist(&url, &["token", "bad"]).await;
    insist(&url, &["subject", "mallory", "--for", "3600"]).await;
    insist(&url, &["thumbprint", &thumbprint]).await;
    insist(&url, &["kid", "stolen"]).await;
    insist(&url, &["restore-kid", "stolen"]).await;

    let store = RedisCache::builder(&url).build().expect("settings");
    let fleet = FleetKey::from_base64url(FLEET_KEY).expect("a key");
    let log = RevocationLog::builder(store, fleet).bound(Duration::from_secs(1)).build().expect("a log");
    let settled = async {
        while !log.is_confirmed() {
            let _ = log.poll().await;
            sleep(log.interval()).await;
        }
    };
    timeout(Duration::from_secs(30), settled).await.expect("it settles");
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    for (id, subject, expected) in [
        ("bad", "ada", TokenStatus::Revoked),
        ("good", "mallory", TokenStatus::Revoked),
        ("good", "ada", TokenStatus::Active),
    ] {
        let claims = json!({"iss": ISSUER, "jti": id, "sub": subject, "iat": now});
        let token = VerifiedToken::vouched(&claims).expect("claims");
        assert_eq!(log.status(&token).await, expected, "{id} {subject}");
    }
}

#[test]
fn what_is_wrong_is_one_line_and_a_status() {
    let nobody = "redis://127.0.0.1:1";
    for (arguments, status, text) in [
        (&[][..], 2, "revoke token JTI"),
        (&["token"], 2, "revoke token JTI"),
        (&["forgive", "bad"], 2, "revoke token JTI"),
        (&["token", "bad", "--for", "ever"], 2, "ever"),
        (&["token", "bad", "--loud"], 2, "--loud"),
        (&["thumbprint", "bad"], 1, "32 octets"),
        (&["token", "bad"], 1, "refused"),
    ] {
        let output = revoke(nobody, arguments);
        let told = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
        assert!(told.contains(text) && told.lines().count() == 1, "{arguments:?}: {told}");
        assert!(!told.contains(FLEET_KEY));
    }
}
