//! Shared keys and revocations over Redis as people run it: with TLS and access lists, watched over by sentinels, as a cluster, and
//! failed over to a replica that lacks the last second.

use super::redis::{PATIENCE, insist, provider};
use super::*;
use crate::machine::{QUIET, tell_fault};
use countersign::VerifiedToken;
use countersign::revocation::{RevocationCheck, RevocationLog, TokenStatus};
use countersign_cache::{Follower, RedisCache};
use countersign_testkit::jwks_server::Authority;
use countersign_testkit::redis_proxy::{RedisProxy, Traffic};
use countersign_testkit::redis_server::{RedisCluster, RedisSentinels, RedisServer};
use serde_json::json;
use tokio::time::timeout;

const PROCESSES: usize = 4;

fn built(builder: countersign_cache::RedisCacheBuilder) -> RedisCache {
    builder.build().expect("settings")
}

fn bad(id: &str) -> VerifiedToken {
    VerifiedToken::vouched(&json!({"iss": "a", "jti": id})).expect("claims")
}

fn far_away() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(4_000_000_000)
}

/// A process: its keys, and the revocations that it follows.
struct Member {
    keys: Arc<JwksProvider>,
    told: Told,
    log: Arc<RevocationLog>,
    _follower: Follower,
}

impl Member {
    fn new(issuer: &Issuer, store: &dyn Fn() -> RedisCache) -> Self {
        let (keys, told) = provider(issuer, store(), &Gate::open());
        let log = RevocationLog::builder(store(), fleet_key()).build().expect("a log");
        let log = Arc::new(log);
        let _follower = Follower::start(log.clone()).expect("a runtime");
        Self { keys, told, log, _follower }
    }

    async fn has(&self, id: &str) -> bool {
        self.keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some(id))).await.is_ok()
    }

    async fn status(&self, id: &str) -> TokenStatus {
        self.log.status(&bad(id)).await
    }
}

/// Processes that share keys and revocations.
struct Members {
    issuer: Issuer,
    all: Vec<Member>,
}

impl Members {
    fn new(store: &dyn Fn() -> RedisCache) -> Self {
        let issuer = Issuer::new(9);
        let all = (0..PROCESSES).map(|_| Member::new(&issuer, store)).collect();
        Self { issuer, all }
    }

    async fn all_have(&self, id: &str) {
        let has = |member| async move { insist(async || Member::has(member, id).await).await };
        futures_util::future::join_all(self.all.iter().map(has)).await;
    }

    async fn all_say(&self, id: &str, status: TokenStatus) {
        for member in &self.all {
            insist(async || member.status(id).await == status).await;
        }
    }

    async fn revoke(&self, id: &str) {
        insist(async || self.all[0].log.revoke_token("a", id, far_away()).await.is_ok()).await;
    }

    fn failures(&self) -> usize {
        self.all.iter().map(|member| member.told.count("cache failed")).sum()
    }

    fn in_use(&self) -> Vec<Option<usize>> {
        self.all.iter().map(|member| self.issuer.version_in_use(&member.keys)).collect()
    }
}

/// What is true of every deployment.
async fn shares(name: &str, store: &(dyn Fn() -> RedisCache + Sync)) {
    insist(async || store().get(&CacheKey::named("any")).await.is_ok()).await;
    let members = Members::new(store);
    members.all_have("v1").await;
    let cold = members.issuer.fetches();
    assert!(cold <= 1 + members.failures(), "{name}: {cold}");

    // One learns of a key that replaces the other, and nobody else asks.
    let listens = store();
    let listening = tokio::spawn(async move {
        let first = listens.changed(&document_name(), 0).await;
        listens.changed(&document_name(), first).await
    });
    members.issuer.rotate();
    insist(async || members.all[0].has("v2").await).await;
    insist(async || members.in_use() == [Some(2); PROCESSES]).await;
    let rotated = members.issuer.fetches() - cold;
    assert!(rotated <= 1 + members.failures(), "{name}: {rotated}");
    let announcing = async {
        loop {
            drop(store().announce(&document_name()).await);
            sleep(SECOND / 20).await;
        }
    };
    tokio::select! {
        heard = timeout(PATIENCE, listening) => assert!(heard.expect("news").expect("no panic") > 1, "{name}"),
        () = announcing => {}
    }

    members.revoke("1").await;
    members.all_say("1", TokenStatus::Revoked).await;
    members.all_say("2", TokenStatus::Active).await;

    // What nobody of the fleet wrote makes no key.
    let foreign = FleetKey::new([8; 32]).expect("a key");
    let body = set_of(&[&key("evil")]);
    let tag = foreign.tag("jwks-document", &[document_name().as_str().as_bytes(), body.as_bytes()]).expect("a tag");
    let forged = Bytes::from([&tag[..], body.as_bytes()].concat());
    insist(async || store().put(&document_name(), forged.clone(), MINUTE).await.is_ok()).await;
    let late = Member::new(&members.issuer, store);
    insist(async || late.has("v2").await).await;
    assert!(!late.has("evil").await && !late.has("v1").await, "{name}");
    insist(async || late.status("1").await == TokenStatus::Revoked).await;
    tell_fault(
        name,
        &[
            ("processes", PROCESSES),
            ("fetches_cold", cold),
            ("fetches_rotated", rotated),
            ("redis_too_slow", members.failures()),
        ],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_with_a_user_who_may_do_no_more_than_he_must() {
    let _busy = QUIET.read().await;
    let authority = Authority::new();
    let login = "--user default off --user app on >hunter2 ~countersign:* &countersign:* +@all -@dangerous";
    let server = RedisServer::start_tls(&authority.certificate(), login.split(' ')).await.expect("a Redis server");
    let url = format!("rediss://app:hunter2@localhost:{}/", server.tls_port());
    shares("TLS with a user", &|| built(RedisCache::builder(url.clone()).trust_only(authority.pem()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_what_sentinels_watch_over() {
    let _busy = QUIET.read().await;
    let world = RedisSentinels::start().await.expect("a master, a replica and sentinels");
    shares("Sentinel", &|| built(RedisCache::sentinel("redis://mymaster", world.urls()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster_of_three() {
    let _busy = QUIET.read().await;
    let cluster = RedisCluster::start().await.expect("a cluster");
    shares("Cluster of three", &|| built(RedisCache::cluster(cluster.urls()))).await;
}

/// What a replica holds whose clock goes so many seconds ahead of its master's: the ends of entries are copied as times of the
/// world. (The server's own clock cannot be set: libfaketime does not get along with Debian's.)
async fn set_ahead(replica: &RedisServer, seconds: i64) {
    for key in replica.say("KEYS *").await.expect("an answer").lines() {
        let left = replica.say(&format!("PTTL {key}")).await.expect("an answer");
        let left: i64 = left.trim().trim_start_matches(':').parse().expect("a number");
        if left > 0 {
            replica.say(&format!("PEXPIRE {key} {}", left - 1_000 * seconds)).await.expect("an answer");
        }
    }
}

/// The replica is behind because nothing comes through to it, then the master dies, and the address leads to the replica, whose
/// clock goes so many seconds ahead.
async fn fails_over(what: &str, ahead: i64) {
    let _busy = QUIET.read().await;
    let [mut master, replica] =
        [RedisServer::start().await, RedisServer::start().await].map(|server| server.expect("a Redis server"));
    let replication = RedisProxy::start(master.port()).await.expect("a proxy");
    let address = RedisProxy::start(master.port()).await.expect("a proxy");
    let port = replication.port();
    assert_eq!(replica.say(&format!("REPLICAOF 127.0.0.1 {port}")).await.expect("an answer"), "+OK\n");
    replica.until("INFO replication", "master_link_status:up").await.expect("a replica");
    let store = || redis(&address.url());
    let members = Members::new(&store);
    members.all_have("v1").await;
    members.revoke("early").await;
    members.all_say("early", TokenStatus::Revoked).await;
    let before = redis(&master.url()).get(&document_name()).await.expect("get").expect("a document");
    let lagging = redis(&replica.url());
    insist(async || lagging.get(&document_name()).await.is_ok_and(|there| there.as_ref() == Some(&before))).await;

    // What is said now is acknowledged, and lost.
    replication.set(Traffic::Hang);
    members.issuer.rotate();
    members.all_have("v2").await;
    members.revoke("late").await;
    members.all_say("late", TokenStatus::Revoked).await;
    master.kill();
    assert_eq!(replica.say("REPLICAOF NO ONE").await.expect("an answer"), "+OK\n");
    set_ahead(&replica, ahead).await;
    assert_eq!(lagging.get(&document_name()).await.expect("get"), Some(before.clone()), "it is behind");
    address.lead_to(replica.port());

    // Until those who know it have put it back, and after that: nobody trusts what is gone, nobody lets the revoked through.
    let (mut looks, mut unknown) = (0, 0);
    let is_put_back =
        async || lagging.get(&document_name()).await.is_ok_and(|kept| kept.is_some_and(|kept| kept != before));
    // To a clock that is behind, what it has is as young as what it lost. All look, and leave it there.
    let is_left = || ahead < 0 && members.all.iter().all(|member| member.told.count("outdated") > 0);
    let put_back = async {
        while !is_left() && !is_put_back().await {
            assert_eq!(members.in_use(), [Some(2); PROCESSES]);
            for member in &members.all {
                for id in ["early", "late"] {
                    let status = member.status(id).await;
                    assert_ne!(status, TokenStatus::Active, "{id}");
                    unknown += usize::from(status == TokenStatus::Unknown);
                    looks += 1;
                }
            }
            sleep(SECOND / 20).await;
        }
    };
    timeout(PATIENCE, put_back).await.expect("the newer document is put back");
    assert_eq!(members.in_use(), [Some(2); PROCESSES], "who knows of the newer one keeps to it");
    members.all_say("late", TokenStatus::Revoked).await;
    members.all_say("good", TokenStatus::Active).await;
    let late = Member::new(&members.issuer, &store);
    insist(async || late.has("v2").await).await;
    assert!(!late.has("v1").await, "who starts then does not trust what is gone");
    insist(async || late.status("late").await == TokenStatus::Revoked).await;
    insist(is_put_back).await;
    members.issuer.rotate();
    members.all_have("v3").await;
    let fetches = members.issuer.fetches();
    tell_fault(what, &[("processes", PROCESSES), ("answers", looks), ("unknown", unknown), ("fetches", fetches)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lost_the_last_second_makes_no_verdict_wrong() {
    fails_over("failed over to a replica that lost the last second", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_ahead_makes_no_verdict_wrong() {
    fails_over("failed over to a replica that lost the last second, its clock 60 s ahead", 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_behind_makes_nobody_go_back() {
    fails_over("failed over to a replica that lost the last second, its clock 60 s behind", -60).await;
}

fn redis(url: &str) -> RedisCache {
    built(RedisCache::builder(url))
}

/// How many subscribers the server has cut off.
async fn kill_subscribers(server: &RedisServer) -> usize {
    let killed = server.say("CLIENT KILL TYPE pubsub").await.expect("an answer");
    killed.trim().trim_start_matches(':').parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pubsub_connection_that_is_killed_loses_nothing() {
    let _busy = QUIET.read().await;
    let server = RedisServer::start().await.expect("a Redis server");
    let store = || redis(&server.url());
    let members = Members::new(&store);
    members.all_have("v1").await;
    insist(async || {
        let listeners = server.say("PUBSUB NUMSUB countersign:news").await.expect("an answer");
        listeners.lines().any(|line| line.trim_start_matches(':').parse().is_ok_and(|count: usize| count >= PROCESSES))
    })
    .await;
    let others_learn = async |version: usize| {
        members.issuer.rotate();
        insist(async || members.all[0].has(&format!("v{version}")).await).await;
        insist(async || members.in_use() == [Some(version); PROCESSES]).await;
    };
    others_learn(2).await;
    let killed = kill_subscribers(&server).await;
    assert!(killed >= PROCESSES, "{killed}");
    // Whoever has lost the message while it made its connection anew looks then.
    others_learn(3).await;
    // And who is never told looks by itself.
    let mut kept_down = 0;
    let keeping_down = async {
        loop {
            kept_down += kill_subscribers(&server).await;
            sleep(SECOND / 50).await;
        }
    };
    tokio::select! {
        () = others_learn(4) => {}
        () = keeping_down => {}
    }
    let (fetches, failed) = (members.issuer.fetches(), members.failures());
    assert!((4..=4 + failed).contains(&fetches), "{fetches} fetches, and Redis failed {failed} times");
    tell_fault(
        "pub/sub connections killed",
        &[("processes", PROCESSES), ("killed", killed + kept_down), ("fetches", fetches), ("redis_too_slow", failed)],
    );
}
