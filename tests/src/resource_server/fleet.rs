//! Eight processes of the operating system that share their keys over Redis: what the issuer sees of them.

use super::{FLEET_KEY, HANGS, Issuer, Program};
use countersign::issue::JwtSigner;
use countersign::{Algorithm, SigningKey};
use countersign_testkit::jwks_server::Hold;
use countersign_testkit::redis_server::RedisServer;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const PROCESSES: usize = 8;

/// The first of eight refreshes no later than 54 s after a fetch, and the others have it 10 s later.
const EXPIRES: Duration = Duration::from_secs(100);

/// Between two looks at what is waited for.
const PACE: Duration = Duration::from_millis(50);

async fn start(issuer: &Issuer, redis: &RedisServer, processes: usize) -> Vec<Program> {
    let url = redis.url();
    let settings = [("REDIS_URL", &*url), ("FLEET_KEY", FLEET_KEY)];
    futures_util::future::join_all((0..processes).map(|_| Program::start(issuer, &settings))).await
}

async fn all_ready(programs: &[Program]) {
    futures_util::future::join_all(programs.iter().map(|program| program.becomes("/readyz", 200))).await;
}

/// How often Redis was too slow for one of them: on a busy machine it is, and whoever finds it so fetches for itself.
fn failures(programs: &[Program]) -> usize {
    let failed = |line: &serde_json::Value| line["message"] == "cache failed";
    programs.iter().map(|program| program.lines().iter().filter(|line| failed(line)).count()).sum()
}

/// The issuer's own count, against the one fetch for all.
fn assert_one_fetch(issuer: &Issuer, before: usize, failures: usize, when: &str) -> usize {
    let fetches = issuer.server.requests_at("/jwks");
    let more = fetches - before;
    assert!((1..=1 + failures).contains(&more), "{when}: {more} fetches, and Redis failed {failures} times");
    fetches
}

#[tokio::test]
async fn eight_processes_fetch_once_at_cold_start_for_a_new_key_for_a_key_that_is_gone_and_at_expiry() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let mut issuer = Issuer::start().await;
    issuer.server.say_at("/jwks", issuer.keys().header("cache-control", "max-age=60"));
    let programs = start(&issuer, &redis, PROCESSES).await;
    all_ready(&programs).await;
    let cold = assert_one_fetch(&issuer, 0, failures(&programs), "cold start");
    for program in &programs {
        assert_eq!(program.ask("GET", "/me", Some(&issuer.role("reader"))).await.status, 200);
    }

    // Another key, which all of them meet at once.
    let key = SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id("k2").expect("a key id");
    let (old, failed) = (issuer.role("reader"), failures(&programs));
    issuer.signer = JwtSigner::new(key);
    issuer.server.say_at("/jwks", issuer.keys().header("cache-control", "max-age=60"));
    let token = issuer.role("reader");
    let asking = programs.iter().map(|program| async {
        let answered = async {
            while program.ask("GET", "/me", Some(&token)).await.status != 200 {
                sleep(PACE).await;
            }
        };
        timeout(HANGS, answered).await.expect("the new key is found");
    });
    futures_util::future::join_all(asking).await;
    let met = assert_one_fetch(&issuer, cold, failures(&programs) - failed, "a new key");
    let failed = failures(&programs);
    for program in &programs {
        assert_eq!(program.ask("GET", "/me", Some(&old)).await.status, 401, "and the old one is distrusted");
    }

    let gone = assert_one_fetch(&issuer, met, failures(&programs) - failed, "a key that is gone");

    let failed = failures(&programs);
    let mut before = Vec::new();
    for program in &programs {
        before.push(fetched_at(program).await);
    }
    let refreshed = async {
        for (program, before) in programs.iter().zip(&before) {
            while fetched_at(program).await <= *before {
                sleep(PACE).await;
            }
        }
    };
    timeout(EXPIRES, refreshed).await.expect("all refresh before their keys expire");
    assert_one_fetch(&issuer, gone, failures(&programs) - failed, "expiry");
    let metadata = issuer.server.requests_at("/.well-known/openid-configuration");
    assert!(metadata <= 1 + failures(&programs), "what the metadata say is shared too: {metadata}");
}

async fn fetched_at(program: &Program) -> f64 {
    program.metric(r#"countersign_keys_fetched_timestamp_seconds{provider="issuer"}"#).await
}

#[tokio::test]
async fn a_leader_that_is_killed_before_it_commits_is_succeeded() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let issuer = Issuer::start().await;
    let hold = Hold::new();
    issuer.server.say_at("/jwks", issuer.keys().held(&hold));
    let leader = start(&issuer, &redis, 1).await.remove(0);
    issuer.server.wait_for_requests(2).await;
    leader.signal("KILL").await;
    issuer.server.say_at("/jwks", issuer.keys());
    let programs = start(&issuer, &redis, PROCESSES - 1).await;
    all_ready(&programs).await;
    assert_one_fetch(&issuer, 1, failures(&programs), "after the leader");
}

#[tokio::test]
async fn a_leader_that_is_stopped_past_its_lease_loses_when_it_goes_on() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let mut issuer = Issuer::start().await;
    let hold = Hold::new();
    issuer.server.say_at("/jwks", issuer.keys().held(&hold));
    let leader = start(&issuer, &redis, 1).await.remove(0);
    issuer.server.wait_for_requests(2).await;
    leader.signal("STOP").await;
    // What it has asked for is on its way to it; what the others get is newer.
    hold.release();
    let old = issuer.role("reader");
    let key = SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id("k2").expect("a key id");
    issuer.signer = JwtSigner::new(key);
    issuer.server.say_at("/jwks", issuer.keys());
    let programs = start(&issuer, &redis, PROCESSES - 1).await;
    all_ready(&programs).await;
    let fetches = assert_one_fetch(&issuer, 1, failures(&programs), "while it is stopped");

    leader.signal("CONT").await;
    leader.becomes("/readyz", 200).await;
    assert_eq!(leader.ask("GET", "/me", Some(&issuer.role("reader"))).await.status, 200);
    let own = failures(std::slice::from_ref(&leader));
    assert!(issuer.server.requests_at("/jwks") <= fetches + own, "it took what the others had");
    let lost = leader.metric(r#"countersign_shared_keys_total{provider="issuer",outcome="lease_lost"}"#).await;
    assert!(own > 0 || lost == 1.0, "{lost}");
    assert_eq!(
        leader.metric(r#"countersign_keys_generation{provider="issuer"}"#).await,
        1.0,
        "it never had the old set"
    );
    for program in programs.iter().chain([&leader]) {
        assert_eq!(program.ask("GET", "/me", Some(&old)).await.status, 401);
    }
}
