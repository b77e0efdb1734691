//! The cache stores of `countersign-cache` against the rules that any store keeps, and Redis in all its
//! moods.

mod deployments;
mod faults;
mod flawed;

use crate::machine::QUIET;
use countersign::Bytes;
use countersign::cache::{CacheError, CacheKey, CacheStore, FleetKey};
use countersign_cache::{MemoryCache, RedisCache, SealedCache, TieredCache};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance;
use countersign_testkit::redis_proxy::RedisProxy;
use countersign_testkit::redis_server::RedisServer;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const TTL: Duration = Duration::from_secs(3_600);

/// Twenty times the deadline of a verb: what is slower than this hangs.
const HANGS: Duration = Duration::from_secs(2);

async fn server() -> RedisServer {
    RedisServer::start().await.expect("a Redis server")
}

fn store(url: impl Into<String>) -> RedisCache {
    RedisCache::builder(url).build().expect("settings")
}

fn fleet_key() -> FleetKey {
    FleetKey::new([7; 32]).expect("a key")
}

fn key() -> CacheKey {
    CacheKey::named("k")
}

fn value() -> Bytes {
    Bytes::from_static(b"v")
}

/// The outcome of every verb in turn, none of which hangs.
async fn every_verb(store: &impl CacheStore) -> [Result<(), CacheError>; 8] {
    async fn bounded<T>(verb: impl Future<Output = Result<T, CacheError>>) -> Result<(), CacheError> {
        timeout(HANGS, verb).await.expect("the deadline holds").map(drop)
    }
    let key = key();
    [
        bounded(store.put(&key, value(), TTL)).await,
        bounded(store.get(&key)).await,
        bounded(store.find(&key)).await,
        bounded(store.put_new(&key, value(), TTL)).await,
        bounded(store.compare_and_swap(&key, b"v", Some((value(), TTL)))).await,
        bounded(store.take(&key)).await,
        bounded(store.add(&key, 1, TTL)).await,
        bounded(store.remove(&key)).await,
    ]
}

async fn assert_no_verb_works(store: &impl CacheStore) {
    for (at, outcome) in every_verb(store).await.into_iter().enumerate() {
        assert!(outcome.is_err(), "verb {at} is an error");
    }
}

/// How long until a busy machine has done what it should.
const PATIENCE: Duration = Duration::from_secs(20);

/// Puts a value, where it is not the deadline that is looked at: a machine that is busy is asked again.
async fn put(store: &impl CacheStore, key: &CacheKey) {
    let given_up = Instant::now() + PATIENCE;
    while let Err(error) = store.put(key, value(), TTL).await {
        assert!(Instant::now() < given_up, "it still fails: {error:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Asks until the store works again, all of it. The first answers after an outage may still be errors.
async fn assert_recovers(store: &impl CacheStore) {
    let given_up = Instant::now() + PATIENCE;
    loop {
        put(store, &key()).await;
        let outcomes = every_verb(store).await;
        if outcomes.iter().all(Result::is_ok) {
            return;
        }
        assert!(Instant::now() < given_up, "it still fails: {outcomes:?}");
    }
}

async fn redis(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("a connection")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_rules() {
    let clock = FakeClock::at(1_300_819_380);
    let store = MemoryCache::with_clock(clock.clone());
    conformance::cache_store(store, async |time| clock.advance(time)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_the_rules_in_both_its_protocols() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    for protocol in ["resp2", "resp3"] {
        let store = store(format!("{}?protocol={protocol}", server.url()));
        // Redis has its own clock, in milliseconds.
        conformance::cache_store(store, async |time| sleep(time + Duration::from_millis(20)).await).await;
    }
    let left: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis(&server).await).await.expect("keys");
    assert!(left.is_empty(), "the suite cleans up behind it: {left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_before_memory_keeps_the_rules() {
    let clock = FakeClock::at(1_300_819_380);
    let (near, far) = (MemoryCache::with_clock(clock.clone()), MemoryCache::with_clock(clock.clone()));
    let store = TieredCache::builder(near, far).clock(clock.clone()).build().expect("settings");
    conformance::cache_store(store, async |time| clock.advance(time)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_before_redis_keeps_the_rules() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let tiered = TieredCache::new(MemoryCache::new(), store(server.url()));
    conformance::cache_store(tiered, async |time| sleep(time + Duration::from_millis(20)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealed_memory_keeps_the_rules() {
    let clock = FakeClock::at(1_300_819_380);
    let store = SealedCache::new(MemoryCache::with_clock(clock.clone()), fleet_key());
    conformance::cache_store(store, async |time| clock.advance(time)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealed_redis_keeps_the_rules() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let store = SealedCache::new(store(server.url()), fleet_key());
    conformance::cache_store(store, async |time| sleep(time + Duration::from_millis(20)).await).await;
}

#[tokio::test]
async fn who_can_write_to_redis_can_delete_and_not_forge() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let store = SealedCache::new(store(server.url()), fleet_key());
    let connection = &mut redis(&server).await;
    store.put(&key(), value(), TTL).await.expect("put");
    let () =
        redis::cmd("COPY").arg("countersign:k").arg("countersign:other").query_async(connection).await.expect("copy");
    assert!(store.get(&CacheKey::named("other")).await.is_err(), "moved");
    let () = redis::cmd("SETRANGE").arg("countersign:k").arg(32).arg("w").query_async(connection).await.expect("write");
    assert!(store.get(&key()).await.is_err(), "changed");
    let () = redis::cmd("DEL").arg("countersign:k").query_async(connection).await.expect("delete");
    assert_eq!(store.get(&key()).await.expect("get"), None);
}

#[tokio::test]
async fn what_another_process_wrote_to_redis_is_seen_when_near_is_over() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let clock = FakeClock::at(1_300_819_380);
    let near = MemoryCache::with_clock(clock.clone());
    let mine = TieredCache::builder(near, store(server.url())).clock(clock.clone()).build().expect("settings");
    let yours = TieredCache::new(MemoryCache::new(), store(server.url()));
    mine.put(&key(), value(), TTL).await.expect("put");
    assert_eq!(mine.get(&key()).await.expect("get"), Some(value()));
    yours.put(&key(), Bytes::from_static(b"w"), TTL).await.expect("put");
    assert_eq!(mine.get(&key()).await.expect("get"), Some(value()), "still near");
    clock.advance(Duration::from_secs(1));
    assert_eq!(mine.get(&key()).await.expect("get").as_deref(), Some(&b"w"[..]));
}

#[tokio::test]
async fn keys_on_the_server_carry_the_prefix_and_a_time_to_live() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let mine = RedisCache::builder(server.url()).prefix("mine").build().expect("settings");
    let yours = RedisCache::builder(server.url()).prefix("yours").build().expect("settings");
    mine.put(&CacheKey::named("put"), value(), TTL).await.expect("put");
    mine.put_new(&CacheKey::named("put_new"), value(), TTL).await.expect("put_new");
    mine.add(&CacheKey::named("add"), 1, TTL).await.expect("add");
    mine.put(&CacheKey::named("swap"), value(), TTL).await.expect("put");
    mine.compare_and_swap(&CacheKey::named("swap"), b"v", Some((value(), TTL))).await.expect("swap");
    yours.put(&CacheKey::named("put"), Bytes::from_static(b"w"), TTL).await.expect("put");
    store(server.url()).put(&CacheKey::named("put"), value(), TTL).await.expect("put");

    let connection = &mut redis(&server).await;
    let mut names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(connection).await.expect("keys");
    names.sort();
    assert_eq!(names, ["countersign:put", "mine:add", "mine:put", "mine:put_new", "mine:swap", "yours:put"]);
    for name in names {
        let left: i64 = redis::cmd("PTTL").arg(&name).query_async(connection).await.expect("a time");
        assert!((1..=3_600_000).contains(&left), "{name} stays for {left} ms");
    }
    assert_eq!(mine.get(&CacheKey::named("put")).await.expect("get"), Some(value()));
}

#[tokio::test]
async fn what_one_store_puts_another_on_the_same_server_takes() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let (one, other) = (store(server.url()), store(server.url()));
    assert!(one.put_new(&key(), value(), TTL).await.expect("put_new"));
    assert!(!other.put_new(&key(), value(), TTL).await.expect("put_new"));
    assert_eq!(other.take(&key()).await.expect("take"), Some(value()));
    assert_eq!(one.take(&key()).await.expect("take"), None);
}

#[tokio::test]
async fn what_redis_keeps_as_another_type_is_an_error_and_a_counter_without_an_end_gets_one() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let store = store(server.url());
    let connection = &mut redis(&server).await;
    let key = key();
    let () = redis::cmd("RPUSH").arg("countersign:k").arg("v").query_async(connection).await.expect("a list");
    assert!(store.get(&key).await.is_err());
    assert!(store.find(&key).await.is_err());
    assert!(store.take(&key).await.is_err());
    assert!(store.add(&key, 1, TTL).await.is_err());
    assert!(store.compare_and_swap(&key, b"v", None).await.is_err());
    store.remove(&key).await.expect("remove");

    let () = redis::cmd("SET").arg("countersign:k").arg("7").query_async(connection).await.expect("a number");
    let found = store.find(&key).await.expect("find").expect("the entry");
    assert_eq!((&found.value[..], found.expires_in), (&b"7"[..], None), "it never expires");
    let counted = store.add(&key, 1, TTL).await.expect("add");
    assert_eq!((counted.total, counted.resets_in), (8, TTL));
    let found = store.find(&key).await.expect("find").expect("the entry");
    assert!(found.expires_in.is_some_and(|left| left > TTL / 2 && left <= TTL), "{found:?}");
    assert!(store.add(&key, 1, 2 * TTL).await.expect("add").resets_in <= TTL);
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let _quiet = QUIET.write().await;
    let server = server().await;
    let store = store(server.url());
    assert_eq!(store.add(&key(), 1, TTL).await.expect("add").total, 1);
    let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut redis(&server).await).await.expect("flush");
    assert_eq!(store.add(&key(), 1, TTL).await.expect("add").total, 2);
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_at_once_and_works_when_it_comes() {
    let mut server = server().await;
    server.kill();
    let store = store(server.url());
    assert_no_verb_works(&store).await;
    server.restart().await.expect("a restart");
    assert_recovers(&store).await;
}

#[tokio::test]
async fn a_server_that_is_killed_works_again_when_it_is_back() {
    let mut server = server().await;
    let store = store(server.url());
    put(&store, &key()).await;
    server.kill();
    assert_no_verb_works(&store).await;
    server.restart().await.expect("a restart");
    assert_recovers(&store).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_an_error_by_the_deadline_and_works_when_it_goes_on() {
    let server = server().await;
    let (connected, fresh) = (store(server.url()), store(server.url()));
    put(&connected, &key()).await;
    server.pause();
    assert_no_verb_works(&connected).await;
    assert_no_verb_works(&fresh).await;
    server.resume();
    assert_recovers(&connected).await;
    assert_recovers(&fresh).await;
}

#[tokio::test]
async fn with_resp3_a_connection_that_the_server_closed_is_made_anew_before_it_is_needed() {
    let server = server().await;
    let store = store(format!("{}?protocol=resp3", server.url()));
    put(&store, &key()).await;
    let connection = &mut redis(&server).await;
    let killed: u64 =
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").query_async(connection).await.expect("kill");
    assert_eq!(killed, 1);
    let connections = async || {
        let mut list = redis::cmd("CLIENT");
        let list: String = list.arg("LIST").query_async(&mut connection.clone()).await.expect("the connections");
        list.lines().count()
    };
    let anew = async || {
        while connections().await < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), anew()).await.expect("a new connection");
    let found = async || store.get(&key()).await.ok().flatten() == Some(value());
    let asked = async {
        while !found().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asked).await.expect("it is found");
}

#[tokio::test]
async fn a_login_that_was_refused_is_tried_again() {
    let server = server().await;
    let store = store(format!("redis://:secret@127.0.0.1:{}/", server.port()));
    assert_no_verb_works(&store).await;
    let mut configure = redis::cmd("CONFIG");
    configure.arg("SET").arg("requirepass").arg("secret");
    let () = configure.query_async(&mut redis(&server).await).await.expect("a password");
    assert_recovers(&store).await;
}

/// A peer that vanishes without a word (a power cut, a firewall that forgot) is silence, not an error.
#[tokio::test]
async fn a_connection_that_fell_silent_is_given_up_for_a_new_one() {
    let server = server().await;
    let proxy = RedisProxy::start(server.port()).await.expect("a proxy");
    let store = store(proxy.url());
    put(&store, &key()).await;
    proxy.forget();
    assert!(timeout(HANGS, store.get(&key())).await.expect("the deadline holds").is_err());
    assert_recovers(&store).await;
    assert!(proxy.connections() > 1);
}

/// The connection lives on the runtime that made it; when that one ends, the next verb's runtime takes over.
#[test]
fn a_store_outlives_the_runtime_that_first_used_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let first = runtime().expect("a runtime");
    let server = first.block_on(server());
    let store = store(server.url());
    first.block_on(put(&store, &key()));
    drop(first);
    runtime().expect("a runtime").block_on(assert_recovers(&store));
}
