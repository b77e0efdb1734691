//! Redis as people run it: over TLS with a name and a password, watched over by sentinels, as a cluster, and Valkey.

use super::{HANGS, QUIET, TTL, assert_no_verb_works, assert_recovers, every_verb, put, value};
use crate::machine::tell_skipped;
use countersign::Bytes;
use countersign::cache::{CacheError, CacheKey, CacheStore};
use countersign_cache::{RedisCache, RedisCacheBuilder};
use countersign_testkit::conformance;
use countersign_testkit::jwks_server::{Authority, Certificate};
use countersign_testkit::redis_server::{RedisCluster, RedisSentinels, RedisServer};
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

const PASSWORD: &str = "hunter2";

/// Nobody but `app` may do anything, and `app` only with keys of one prefix.
const LOGINS: &str = "--user default off --user app on >hunter2 ~countersign:* +@all";

async fn tls_server(certificate: &Certificate) -> RedisServer {
    RedisServer::start_tls(certificate, LOGINS.split(' ')).await.expect("a Redis server with TLS")
}

fn secured(login: &str, host: &str, server: &RedisServer) -> RedisCacheBuilder {
    RedisCache::builder(format!("rediss://{login}@{host}:{}/", server.tls_port()))
}

fn built(builder: RedisCacheBuilder) -> RedisCache {
    builder.build().expect("settings")
}

/// Redis has its own clock, in milliseconds.
async fn keeps_the_rules(store: RedisCache) {
    conformance::cache_store(store, async |time| sleep(time + Duration::from_millis(20)).await).await;
}

/// An error and what stands behind it.
fn told(error: &CacheError) -> String {
    let mut text = format!("{error:?}");
    let mut source: Option<&dyn Error> = Some(error);
    while let Some(error) = source {
        text += &format!(" {error}");
        source = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_over_tls_with_a_name_and_a_password_keeps_the_rules() {
    let _quiet = QUIET.write().await;
    let authority = Authority::new();
    let server = tls_server(&authority.certificate()).await;
    for (host, protocol) in [("localhost", "resp2"), ("127.0.0.1", "resp3")] {
        let url = format!("rediss://app:{PASSWORD}@{host}:{}/?protocol={protocol}", server.tls_port());
        keeps_the_rules(built(RedisCache::builder(url).trust_only(authority.pem()))).await;
    }
}

#[tokio::test]
async fn a_server_that_cannot_show_who_it_is_gets_no_password() {
    let _busy = QUIET.read().await;
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (case, certificate) in [
        ("other name", authority.certificate_for("other.example")),
        ("expired", authority.expired()),
        ("not yet valid", authority.not_yet_valid()),
        ("unknown authority", stranger.certificate()),
        ("self-signed", Certificate::self_signed()),
    ] {
        let server = tls_server(&certificate).await;
        let store = built(secured("app:hunter2", "localhost", &server).trust_only(authority.pem()));
        assert_no_verb_works(&store).await;
        let error = store.get(&CacheKey::named("k")).await.expect_err(case);
        assert!(!told(&error).contains(PASSWORD), "{case}: {}", told(&error));
    }
    // The system's authorities do not know ours, and the plain port is no TLS.
    let server = tls_server(&authority.certificate()).await;
    assert_no_verb_works(&built(secured("app:hunter2", "localhost", &server))).await;
    let plain = format!("rediss://app:hunter2@localhost:{}/", server.port());
    assert_no_verb_works(&built(RedisCache::builder(plain).trust_only(authority.pem()))).await;
}

/// What reads all that it is sent and answers with what a plain Redis would say.
#[tokio::test]
async fn there_is_no_way_back_to_plain_text() {
    let _busy = QUIET.read().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        // Two attempts, so that one after a failure is heard too.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut chunk = [0; 4_096];
            let read = stream.read(&mut chunk).await.expect("something");
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"+OK\r\n+OK\r\n").await.expect("an answer");
            heard.extend_from_slice(&chunk[..read]);
        }
        heard
    });
    let authority = Authority::new();
    let url = format!("rediss://app:{PASSWORD}@localhost:{port}/");
    let store = built(RedisCache::builder(url).trust_only(authority.pem()));
    assert_no_verb_works(&store).await;
    let heard = timeout(HANGS, heard).await.expect("two attempts").expect("no panic");
    assert_eq!(heard.first(), Some(&0x16), "a handshake comes first");
    let holds = |text: &[u8]| heard.windows(text.len()).any(|window| window == text);
    assert!(!holds(PASSWORD.as_bytes()) && !holds(b"AUTH"), "nothing else came");
}

#[tokio::test]
async fn a_refused_login_is_told_without_the_password() {
    let _busy = QUIET.read().await;
    let authority = Authority::new();
    let server = tls_server(&authority.certificate()).await;
    for login in ["app:hunter3", "nobody:hunter3", ":hunter3", "app:"] {
        let store = built(secured(login, "localhost", &server).trust_only(authority.pem()));
        let error = store.get(&CacheKey::named("k")).await.expect_err(login);
        assert!(!told(&error).contains("hunter3"), "{}", told(&error));
        assert_no_verb_works(&store).await;
    }
    let store = built(secured("app:hunter2", "localhost", &server).trust_only(authority.pem()).prefix("foreign"));
    assert_no_verb_works(&store).await;
}

#[tokio::test]
async fn a_server_with_tls_that_is_killed_works_again_when_it_is_back() {
    let _busy = QUIET.read().await;
    let authority = Authority::new();
    let mut server = tls_server(&authority.certificate()).await;
    let store = built(secured("app:hunter2", "localhost", &server).trust_only(authority.pem()));
    assert_recovers(&store).await;
    server.kill();
    assert_no_verb_works(&store).await;
    server.restart().await.expect("a restart");
    assert_recovers(&store).await;
    server.pause();
    assert_no_verb_works(&store).await;
    server.resume();
    assert_recovers(&store).await;
}

async fn cluster() -> RedisCluster {
    RedisCluster::start().await.expect("a cluster")
}

fn on_cluster(urls: impl IntoIterator<Item = String>) -> RedisCache {
    built(RedisCache::cluster(urls))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_of_three_keeps_the_rules() {
    let _quiet = QUIET.write().await;
    let cluster = cluster().await;
    keeps_the_rules(on_cluster(cluster.urls())).await;
    let resp3 = cluster.urls().into_iter().map(|url| format!("{url}?protocol=resp3"));
    keeps_the_rules(on_cluster(resp3)).await;
    for node in cluster.nodes() {
        assert_eq!(node.say("DBSIZE").await.expect("an answer"), ":0\n", "the suite cleans up behind it");
    }
}

/// Enough names for each node to have some.
fn names() -> impl Iterator<Item = CacheKey> {
    (0_u32..60).map(|at| CacheKey::hashed("entry", &[&at.to_be_bytes()]))
}

#[tokio::test]
async fn entries_spread_over_a_cluster_that_is_found_through_one_node() {
    let _quiet = QUIET.write().await;
    let cluster = cluster().await;
    let store = on_cluster(cluster.urls().into_iter().take(1));
    assert_recovers(&store).await;
    for name in names() {
        store.put(&name, value(), TTL).await.expect("put");
    }
    for node in cluster.nodes() {
        let keys = node.say("KEYS *").await.expect("the keys");
        assert!(keys.lines().count() > 5, "{keys}");
        let is_tagged = |key: &str| key.starts_with("countersign:{entry:") && key.ends_with('}');
        assert!(keys.lines().all(is_tagged), "{keys}");
    }
    for name in names() {
        assert_eq!(store.get(&name).await.expect("get"), Some(value()));
    }
}

#[tokio::test]
async fn a_node_that_is_gone_takes_its_own_entries_with_it_and_no_others() {
    let _busy = QUIET.read().await;
    let mut cluster = cluster().await;
    let store = on_cluster(cluster.urls());
    assert_recovers(&store).await;
    let last = cluster.nodes().len() - 1;
    cluster.nodes_mut()[last].kill();
    let outcomes = async || {
        let mut works = 0;
        for name in names() {
            let verb = timeout(HANGS, store.put(&name, value(), TTL));
            works += usize::from(verb.await.expect("the deadline holds").is_ok());
        }
        works
    };
    // The others answer as soon as the map is read from one of them.
    let others = async {
        while !(20..60).contains(&outcomes().await) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), others).await.expect("the other nodes serve");
    cluster.nodes_mut()[last].restart().await.expect("a restart");
    let all = async {
        while outcomes().await < 60 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), all).await.expect("all nodes serve");
}

#[tokio::test]
async fn a_replica_that_takes_the_place_of_its_master_is_found() {
    let _busy = QUIET.read().await;
    let mut cluster = cluster().await;
    let replica = cluster.replica_of(0).await.expect("a replica");
    let store = on_cluster(cluster.urls());
    assert_recovers(&store).await;
    for name in names() {
        put(&store, &name).await;
    }
    let moved = cluster.nodes()[0].say("DBSIZE").await.expect("a number");
    replica.until("DBSIZE", moved.trim()).await.expect("it has what its master has");
    cluster.nodes_mut()[0].kill();
    replica.until("INFO replication", "role:master").await.expect("a failover");
    let all = async {
        for name in names() {
            while store.get(&name).await.ok().flatten() != Some(value()) {
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    timeout(Duration::from_secs(20), all).await.expect("every entry is found");
}

#[tokio::test]
async fn a_node_that_hangs_costs_the_entries_of_others_nothing() {
    let _quiet = QUIET.write().await;
    let cluster = cluster().await;
    let store = on_cluster(cluster.urls());
    assert_recovers(&store).await;
    for name in names() {
        store.put(&name, value(), TTL).await.expect("put");
    }
    let hanging = &cluster.nodes()[0];
    let lost = hanging.say("KEYS *").await.expect("the keys");
    hanging.pause();
    for name in names().chain(names()) {
        let found = timeout(HANGS, store.get(&name)).await.expect("the deadline holds");
        assert_eq!(found.is_err(), lost.contains(name.as_str()), "{name}: {found:?}");
    }
    hanging.resume();
    assert_recovers(&store).await;
}

#[tokio::test]
async fn a_cluster_that_hangs_is_an_error_by_the_deadline_and_works_when_it_goes_on() {
    let _busy = QUIET.read().await;
    let cluster = cluster().await;
    let store = on_cluster(cluster.urls());
    assert_recovers(&store).await;
    for node in cluster.nodes() {
        node.pause();
    }
    assert_no_verb_works(&store).await;
    assert_no_verb_works(&on_cluster(cluster.urls())).await;
    for node in cluster.nodes() {
        node.resume();
    }
    assert_recovers(&store).await;
}

/// A slot on its way from one node to another, and then there: each verb counts once, whoever has the slot.
#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    let _quiet = QUIET.write().await;
    let cluster = cluster().await;
    let store = on_cluster(cluster.urls());
    assert_recovers(&store).await;
    let key = CacheKey::named("k");
    let slot = cluster.nodes()[0].say("CLUSTER KEYSLOT {k}").await.expect("a slot");
    let slot: u16 = slot.trim().trim_start_matches(':').parse().expect("a number");
    let from = usize::from(slot / 5_461).min(2);
    let (from, to) = (&cluster.nodes()[from], &cluster.nodes()[(from + 1) % 3]);
    let id = async |node: &RedisServer| node.say("CLUSTER MYID").await.expect("an id").trim().to_owned();
    let (from_id, to_id) = (id(from).await, id(to).await);
    let told = async |node: &RedisServer, command: String| {
        assert_eq!(node.say(&command).await.expect("an answer"), "+OK\n", "{command}");
    };
    assert_eq!(store.add(&key, 1, TTL).await.expect("add").total, 1);

    told(to, format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")).await;
    told(from, format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")).await;
    assert_eq!(store.add(&key, 1, TTL).await.expect("add").total, 2, "it is where it was");
    told(from, format!("MIGRATE 127.0.0.1 {} countersign:{{k}} 0 1000", to.port())).await;
    assert_eq!(store.add(&key, 1, TTL).await.expect("add").total, 3, "whoever asks is let in");
    assert_eq!(store.get(&key).await.expect("get").as_deref(), Some(&b"3"[..]));
    assert!(!store.put_new(&key, Bytes::new(), TTL).await.expect("put_new"));

    for node in [to, from] {
        told(node, format!("CLUSTER SETSLOT {slot} NODE {to_id}")).await;
    }
    assert_eq!(store.add(&key, 1, TTL).await.expect("add").total, 4, "it has moved");
    for outcome in every_verb(&store).await {
        outcome.expect("it works");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_sentinels_watch_over_keeps_the_rules_and_survives_its_master() {
    let _quiet = QUIET.write().await;
    let mut world = RedisSentinels::start().await.expect("a master, a replica and sentinels");
    // One that is not there is passed over.
    let urls = || ["redis://127.0.0.1:9/".to_owned()].into_iter().chain(world.urls());
    let store = built(RedisCache::sentinel("redis://mymaster", urls()));
    keeps_the_rules(built(RedisCache::sentinel("redis://mymaster/?protocol=resp3", urls()))).await;
    assert_recovers(&store).await;
    let unknown = built(RedisCache::sentinel("redis://other", world.urls()));
    assert_no_verb_works(&unknown).await;

    world.master_mut().kill();
    assert_no_verb_works(&store).await;
    let replica = world.replica();
    let promoted = replica.until("INFO replication", "role:master");
    let meanwhile = async {
        loop {
            // Errors, perhaps; never a verb that hangs.
            drop(every_verb(&store).await);
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        promoted = promoted => promoted.expect("a failover"),
        () = meanwhile => {}
    }
    assert_recovers(&store).await;
    let key = CacheKey::named("after");
    store.put(&key, value(), TTL).await.expect("put");
    assert!(replica.say("KEYS *").await.expect("the keys").contains("countersign:after"), "it is where the master is");
}

#[tokio::test]
async fn a_demoted_master_is_left() {
    let _busy = QUIET.read().await;
    let mut world = RedisSentinels::start().await.expect("a master, a replica and sentinels");
    let store = built(RedisCache::sentinel("redis://mymaster", world.urls()));
    assert_recovers(&store).await;
    let failover = world.sentinels_mut()[0].say("SENTINEL FAILOVER mymaster").await.expect("an answer");
    assert_eq!(failover, "+OK\n");
    world.replica().until("INFO replication", "role:master").await.expect("a failover");
    world.master_mut().until("INFO replication", "role:slave").await.expect("a failover");
    assert_recovers(&store).await;
    put(&store, &CacheKey::named("after")).await;
    assert!(world.replica().say("KEYS *").await.expect("the keys").contains("countersign:after"));
}

/// A server that keeps its connections and takes no more writes: the sentinels are asked anew, and what they name must be a
/// master.
#[tokio::test]
async fn a_master_that_says_it_is_none_is_asked_for_again() {
    let _quiet = QUIET.write().await;
    let mut world = RedisSentinels::start().await.expect("a master, a replica and sentinels");
    let store = built(RedisCache::sentinel("redis://mymaster", world.urls()));
    assert_recovers(&store).await;
    // Nobody puts the roles right again.
    for sentinel in world.sentinels_mut() {
        sentinel.pause();
    }
    let own = |list: String| list.lines().filter(|line| line.contains("cmd=") && !line.contains("cmd=client")).count();
    let master = world.master_mut();
    let before = own(master.say("CLIENT LIST TYPE normal").await.expect("the connections"));
    assert_eq!(master.say("REPLICAOF 127.0.0.1 9").await.expect("an answer"), "+OK\n");
    let key = CacheKey::named("k");
    let error = store.put(&key, value(), TTL).await.expect_err("read-only");
    assert!(told(&error).contains("READONLY") || told(&error).contains("ReadOnly"), "{}", told(&error));
    let gone = async {
        while own(world.master_mut().say("CLIENT LIST TYPE normal").await.expect("the connections")) >= before {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), gone).await.expect("the connection is given up");
    assert!(timeout(HANGS, store.get(&key)).await.expect("the deadline holds").is_err(), "and no replica is read");
    world.master_mut().say("REPLICAOF NO ONE").await.expect("an answer");
    for sentinel in world.sentinels_mut() {
        sentinel.resume();
    }
    assert_recovers(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn valkey_keeps_the_rules() {
    let _quiet = QUIET.write().await;
    let valkey = match RedisServer::start_valkey().await {
        Ok(valkey) => valkey,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tell_skipped("the rules of a store on Valkey", "for want of valkey-server");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    keeps_the_rules(built(RedisCache::builder(valkey.url().replace("redis:", "valkey:")))).await;
}
