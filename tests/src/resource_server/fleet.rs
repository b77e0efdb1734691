//! Eight processes of the operating system that share their keys and revocations over Redis: what the issuer sees of them, and
//! what they let through.

use super::{FLEET_KEY, HANGS, Issuer, Program, Published, insist, json, revocations, until};
use crate::machine::{QUIET, tell_fault};
use countersign::issue::JwtSigner;
use countersign::jwk::JwkSet;
use countersign::{Algorithm, SigningKey};
use countersign_testkit::jwks_server::Hold;
use countersign_testkit::redis_proxy::RedisProxy;
use countersign_testkit::redis_server::RedisServer;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const PROCESSES: usize = 8;

/// The first of eight refreshes no later than 54 s after a fetch, and the others have it 10 s later.
const EXPIRES: Duration = Duration::from_secs(100);

/// Between two looks at what is waited for.
const PACE: Duration = Duration::from_millis(50);

/// What another process fetched longer ago than this does not answer the question for an unknown key.
const HALF_AN_ANSWER: Duration = Duration::from_secs(5);

async fn start(issuer: &Issuer, url: &str, processes: usize) -> Vec<Program> {
    let _busy = QUIET.read().await;
    let settings = [("REDIS_URL", url), ("FLEET_KEY", FLEET_KEY), ("TOKEN_CACHE", "600")];
    let programs = join_all((0..processes).map(|_| Program::start(issuer, &settings))).await;
    join_all(programs.iter().map(|program| program.becomes("/readyz", 200))).await;
    programs
}

/// One that cannot get ready yet.
async fn start_leader(issuer: &Issuer, url: &str) -> Program {
    Program::start(issuer, &[("REDIS_URL", url), ("FLEET_KEY", FLEET_KEY)]).await
}

/// Within which time what one process has learnt counts in all that Redis answers: a look each 10 s, its deadline, and what a
/// busy machine adds.
const LEARNT_WITHIN: Duration = Duration::from_secs(15);

/// How often Redis was too slow for one of them: on a busy machine it is, and whoever finds it so fetches for itself.
fn failures(programs: &[Program]) -> usize {
    let failed = |line: &serde_json::Value| line["message"] == "cache failed";
    programs.iter().map(|program| program.lines().iter().filter(|line| failed(line)).count()).sum()
}

/// The issuer's own count, against the one fetch for all.
struct OneFetch {
    when: &'static str,
    /// Of all that the issuer has answered.
    total: usize,
    fetches: usize,
    failures: usize,
    late: usize,
}

impl OneFetch {
    /// `late`: how many may have come too late to take what the others had for an answer.
    fn counted(issuer: &Issuer, before: usize, failures: usize, late: usize, when: &'static str) -> Self {
        let total = issuer.server.requests_at("/jwks");
        let fetches = total - before;
        assert!(
            fetches <= 1 + failures + late,
            "{when}: {fetches} fetches, Redis failed {failures} times, {late} were late"
        );
        Self { when, total, fetches, failures, late }
    }

    /// For the matrix of faults, when the test has nothing more to assert.
    fn tell(&self) {
        let counts = [("fetches", self.fetches), ("redis_too_slow", self.failures), ("may_be_late", self.late)];
        tell_fault(&format!("8 processes, {}", self.when), &counts);
    }
}

async fn all_answer(programs: &[Program], token: &str, status: u16) {
    join_all(programs.iter().map(|program| program.answers(token, status))).await;
}

fn key(id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id(id).expect("a key id")
}

fn set_of(keys: &[&SigningKey]) -> Published {
    let set: JwkSet = keys.iter().filter_map(|key| key.verifying_key().jwk()).collect();
    Published::json(serde_json::to_string(&set).expect("JSON"))
}

#[tokio::test]
async fn eight_processes_fetch_once_at_cold_start_for_a_new_key_for_a_key_that_is_gone_and_at_expiry() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let mut issuer = Issuer::start().await;
    issuer.server.say_at("/jwks", issuer.keys().header("cache-control", "max-age=60"));
    let programs = start(&issuer, &redis.url(), PROCESSES).await;
    let cold = OneFetch::counted(&issuer, 0, failures(&programs), 0, "cold start");
    all_answer(&programs, &issuer.role("reader"), 200).await;

    // Another key, which all of them meet at once.
    let (old, failed, met_at) = (issuer.role("reader"), failures(&programs), Instant::now());
    issuer.signer = JwtSigner::new(key("k2"));
    issuer.server.say_at("/jwks", issuer.keys().header("cache-control", "max-age=60"));
    all_answer(&programs, &issuer.role("reader"), 200).await;
    // Who comes to it so late that what the others have does not count as an answer asks again.
    let late = if met_at.elapsed() < HALF_AN_ANSWER { 0 } else { PROCESSES };
    let met = OneFetch::counted(&issuer, cold.total, failures(&programs) - failed, late, "a new key");
    // Each of them may go and look for the key that is gone: one does, and the others have what it found.
    let (failed, met_at) = (failures(&programs), Instant::now());
    all_answer(&programs, &old, 401).await;
    let late = if met_at.elapsed() < HALF_AN_ANSWER { 0 } else { PROCESSES };
    let gone = OneFetch::counted(&issuer, met.total, failures(&programs) - failed, late, "a key that is gone");

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
    let expired = OneFetch::counted(&issuer, gone.total, failures(&programs) - failed, 0, "expiry");
    let metadata = issuer.server.requests_at("/.well-known/openid-configuration");
    assert!(metadata <= 1 + failures(&programs), "what the metadata say is shared too: {metadata}");
    [cold, met, gone, expired].iter().for_each(OneFetch::tell);
}

async fn fetched_at(program: &Program) -> f64 {
    program.metric(r#"countersign_keys_fetched_timestamp_seconds{provider="issuer"}"#).await
}

#[tokio::test]
async fn a_leader_that_is_killed_while_it_fetches_is_succeeded() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let issuer = Issuer::start().await;
    let hold = Hold::new();
    issuer.server.say_at("/jwks", issuer.keys().held(&hold));
    let leader = start_leader(&issuer, &redis.url()).await;
    issuer.server.wait_for_requests(2).await;
    leader.signal("KILL").await;
    issuer.server.say_at("/jwks", issuer.keys());
    let programs = start(&issuer, &redis.url(), PROCESSES - 1).await;
    OneFetch::counted(&issuer, 1, failures(&programs), 0, "leader killed during the fetch").tell();
}

#[tokio::test]
async fn a_leader_that_is_stopped_past_its_lease_loses_when_it_goes_on() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let mut issuer = Issuer::start().await;
    let hold = Hold::new();
    issuer.server.say_at("/jwks", issuer.keys().held(&hold));
    let leader = start_leader(&issuer, &redis.url()).await;
    issuer.server.wait_for_requests(2).await;
    leader.signal("STOP").await;
    // What it has asked for is on its way to it; what the others get is newer.
    hold.release();
    let old = issuer.role("reader");
    issuer.signer = JwtSigner::new(key("k2"));
    issuer.server.say_at("/jwks", issuer.keys());
    let programs = start(&issuer, &redis.url(), PROCESSES - 1).await;
    let fetched = OneFetch::counted(&issuer, 1, failures(&programs), 0, "leader stopped past its lease");

    leader.signal("CONT").await;
    leader.becomes("/readyz", 200).await;
    leader.answers(&issuer.role("reader"), 200).await;
    let own = failures(std::slice::from_ref(&leader));
    assert!(issuer.server.requests_at("/jwks") <= fetched.total + own, "it took what the others had");
    let lost = leader.metric(r#"countersign_shared_keys_total{provider="issuer",outcome="lease_lost"}"#).await;
    assert!(own > 0 || lost == 1.0, "{lost}");
    assert_eq!(
        leader.metric(r#"countersign_keys_generation{provider="issuer"}"#).await,
        1.0,
        "it never had the old set"
    );
    all_answer(&programs, &old, 401).await;
    leader.answers(&old, 401).await;
    fetched.tell();
    tell_fault("leader woken after its lease", &[("lost_leases", usize::from(lost == 1.0)), ("redis_too_slow", own)]);
}

#[tokio::test]
async fn a_leader_that_is_killed_between_fetch_and_commit_is_succeeded() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let way = RedisProxy::start(redis.port()).await.expect("a proxy");
    let mut issuer = Issuer::start().await;
    let hold = Hold::new();
    issuer.server.say_at("/jwks", issuer.keys().held(&hold));
    let leader = start_leader(&issuer, &way.url()).await;
    issuer.server.wait_for_requests(2).await;
    // It has claimed the fetch. What it says of the document next is the commit, which never arrives.
    way.keep("jwks-document:");
    hold.release();
    timeout(HANGS, way.has_kept()).await.expect("it commits");
    leader.signal("KILL").await;
    let old = issuer.role("reader");
    issuer.signer = JwtSigner::new(key("k2"));
    issuer.server.say_at("/jwks", issuer.keys());
    let programs = start(&issuer, &redis.url(), PROCESSES - 1).await;
    let fetched = OneFetch::counted(&issuer, 1, failures(&programs), 0, "leader killed between fetch and commit");
    all_answer(&programs, &issuer.role("reader"), 200).await;
    all_answer(&programs, &old, 401).await;
    fetched.tell();
}

/// What one process answered while it was asked over and over.
#[derive(Default)]
struct Answers {
    let_through: usize,
    refused: usize,
    unavailable: usize,
}

#[tokio::test]
async fn what_is_removed_distrusted_or_revoked_is_refused_by_each_process_within_the_bound() {
    let redis = RedisServer::start().await.expect("a Redis server");
    let mut issuer = Issuer::start().await;
    let [by_id, by_thumbprint, removed, kept, next] = ["by-id", "by-thumbprint", "removed", "kept", "next"].map(key);
    issuer.server.say_at("/jwks", set_of(&[&by_id, &by_thumbprint, &removed, &kept]));
    let mut token = |key: &SigningKey, id: &str| {
        issuer.signer = JwtSigner::new(key.clone());
        issuer.token(&[("jti", json!(id))])
    };
    let stopped = [token(&by_id, "1"), token(&by_thumbprint, "2"), token(&kept, "3")];
    let (of_removed, good, of_next) = (token(&removed, "4"), token(&kept, "5"), token(&next, "6"));
    let programs = start(&issuer, &redis.url(), PROCESSES).await;
    let log = revocations(&redis);
    for _ in 0..2 {
        for token in stopped.iter().chain([&of_removed, &good]) {
            all_answer(&programs, token, 200).await;
        }
    }
    for program in &programs {
        let hits = program.metric(r#"countersign_token_cache_total{outcome="hit"}"#).await;
        assert!(hits >= 5.0, "each token is in the token cache: {hits}");
    }

    let thumbprint = by_thumbprint.verifying_key().jwk().expect("a public key").thumbprint().expect("a hash");
    insist(async || log.distrust_key_id(&issuer.url, "by-id", until()).await.is_ok()).await;
    insist(async || log.distrust_thumbprint(&thumbprint, until()).await.is_ok()).await;
    insist(async || log.revoke_token(&issuer.url, "3", until()).await.is_ok()).await;
    let acknowledged_at = Instant::now();
    // No request that began later than the bound is let through, however slow the machine is: who cannot tell says so.
    let asking = programs.iter().map(|program| async {
        let mut answers = Answers::default();
        let mut left: Vec<&String> = stopped.iter().collect();
        while !left.is_empty() || acknowledged_at.elapsed() <= log.bound() {
            for token in &stopped {
                let is_late = acknowledged_at.elapsed() > log.bound();
                match program.ask("GET", "/me", Some(token)).await.status {
                    200 if is_late => panic!("let through after the bound"),
                    200 => answers.let_through += 1,
                    401 => {
                        answers.refused += 1;
                        left.retain(|open| *open != token);
                    }
                    503 => answers.unavailable += 1,
                    other => panic!("{other}"),
                }
            }
            let status = program.ask("GET", "/me", Some(&good)).await.status;
            assert!(matches!(status, 200 | 503), "{status}");
            sleep(2 * PACE).await;
        }
        answers
    });
    let answers = timeout(2 * HANGS, join_all(asking)).await.expect("all refuse");
    let sum = |count: fn(&Answers) -> usize| answers.iter().map(count).sum::<usize>();
    let counts = [
        ("processes", PROCESSES),
        ("let_through_within_the_bound", sum(|answers| answers.let_through)),
        ("refused", sum(|answers| answers.refused)),
        ("unavailable", sum(|answers| answers.unavailable)),
    ];
    tell_fault("key distrusted by id, by thumbprint, token revoked", &counts);

    // One process meets the new document. The others are told, or look.
    let removed_at = Instant::now();
    let (fetches, failed) = (issuer.server.requests_at("/jwks"), failures(&programs));
    issuer.server.say_at("/jwks", set_of(&[&by_id, &by_thumbprint, &kept, &next]));
    programs[0].answers(&of_next, 200).await;
    let known_at = Instant::now();
    let asking = programs.iter().map(|program| async {
        let failed = || failures(std::slice::from_ref(program));
        let (mut answers, before) = (Answers::default(), failed());
        while answers.refused == 0 {
            let is_late = known_at.elapsed() > LEARNT_WITHIN;
            match program.ask("GET", "/me", Some(&of_removed)).await.status {
                // Who was not answered when it looked has until its next look.
                200 if is_late && failed() == before => panic!("a removed key after the bound"),
                200 => answers.let_through += 1,
                401 => answers.refused += 1,
                503 => answers.unavailable += 1,
                other => panic!("{other}"),
            }
            sleep(2 * PACE).await;
        }
        answers
    });
    let answers = timeout(2 * HANGS, join_all(asking)).await.expect("all refuse");
    let sum = |count: fn(&Answers) -> usize| answers.iter().map(count).sum::<usize>();
    let [let_through, refused, unavailable] =
        [sum(|answers| answers.let_through), sum(|answers| answers.refused), sum(|answers| answers.unavailable)];
    // And none of them trusts it again.
    all_answer(&programs, &of_removed, 401).await;
    let fetches = issuer.server.requests_at("/jwks") - fetches;
    let failed = failures(&programs) - failed;
    // The token of the removed key has an unknown key id then, which the fleet looks for as one process would.
    let at_most = 2 + usize::try_from(removed_at.elapsed().as_secs() / 5).expect("a few") + failed;
    assert!((1..=at_most).contains(&fetches), "{fetches} fetches, and Redis failed {failed} times");
    for token in &stopped {
        all_answer(&programs, token, 401).await;
    }
    all_answer(&programs, &good, 200).await;
    let counts = [
        ("processes", PROCESSES),
        ("let_through_within_the_bound", let_through),
        ("refused", refused),
        ("unavailable", unavailable),
        ("fetches", fetches),
        ("redis_too_slow", failed),
    ];
    tell_fault("key removed from the document", &counts);
}
