//! Over a real Redis: providers in this process, each with a connection of its own. `resource_server` runs in processes of
//! their own.

use super::*;
use crate::machine::{QUIET, tell_fault};
use countersign_cache::RedisCache;
use countersign_testkit::redis_proxy::{RedisProxy, Traffic};
use countersign_testkit::redis_server::RedisServer;
use tokio::sync::RwLockReadGuard;
use tokio::time::timeout;

/// A busy machine is not the fault that is looked for.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How long Redis stands still at least.
const PAUSE: Duration = Duration::from_secs(5);

/// An issuer, a Redis server behind a proxy, and providers.
struct World {
    issuer: Issuer,
    server: RedisServer,
    proxy: RedisProxy,
    keys: Vec<(Arc<JwksProvider>, Told)>,
    _busy: RwLockReadGuard<'static, ()>,
}

impl World {
    async fn new(processes: usize) -> Self {
        let busy = QUIET.read().await;
        let server = RedisServer::start().await.expect("a Redis server");
        let proxy = RedisProxy::start(server.port()).await.expect("a proxy");
        let mut world = Self { issuer: Issuer::new(9), server, proxy, keys: Vec::new(), _busy: busy };
        world.keys = (0..processes).map(|_| world.process(&world.proxy.url(), &Gate::open())).collect();
        world
    }

    fn process(&self, url: &str, gate: &Gate) -> (Arc<JwksProvider>, Told) {
        provider(&self.issuer, redis(url), gate)
    }

    /// All are asked at once, and none takes longer than its deadline and what a busy machine adds.
    async fn ask_all(&self, id: &str) -> Vec<&'static str> {
        let ask = |keys: Arc<JwksProvider>| async move {
            let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(Some(id));
            match timeout(2 * FIRST_WAIT, keys.key(&wanted)).await.expect("a deadline") {
                Ok(_) => "key",
                Err(KeyProviderError::NotFound) => "not found",
                Err(_) => "unavailable",
            }
        };
        futures_util::future::join_all(self.keys.iter().map(|(keys, _)| ask(keys.clone()))).await
    }

    /// All that are asked have it in the end: who misses a deadline of the store on a busy machine asks again.
    async fn all_have(&self, id: &str) {
        let asking = async {
            while self.ask_all(id).await.iter().any(|answer| *answer != "key") {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, asking).await.expect("all have it");
    }

    fn told(&self, word: &str) -> usize {
        self.keys.iter().map(|(_, told)| told.count(word)).sum()
    }

    fn in_use(&self) -> Vec<Option<usize>> {
        self.keys.iter().map(|(keys, _)| self.issuer.version_in_use(keys)).collect()
    }
}

/// A provider whose fetches wait for the gate.
pub(super) fn provider(issuer: &Issuer, store: RedisCache, gate: &Gate) -> (Arc<JwksProvider>, Told) {
    let told = Told::default();
    let keys = JwksProvider::url(URL)
        .fetch(Client { issuer: issuer.clone(), gate: gate.clone(), trouble: Arc::default() })
        .observer(told.clone())
        .shared_cache(store, fleet_key())
        .build()
        .expect("a provider");
    (Arc::new(keys), told)
}

/// Tries until it is so.
pub(super) async fn insist(is_so: impl AsyncFn() -> bool) {
    let tries = async {
        while !is_so().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, tries).await.expect("it is so in the end");
}

fn redis(url: &str) -> RedisCache {
    RedisCache::builder(url).build().expect("settings")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_providers_fetch_once_and_see_a_new_key_with_one_fetch_more() {
    let world = World::new(8).await;
    world.all_have("v1").await;
    // One fetch, and one for each process that found no time to ask Redis.
    assert!(world.issuer.fetches() <= 1 + world.told("cache failed"), "{}", world.issuer.fetches());
    let (fetches, failures) = (world.issuer.fetches(), world.told("cache failed"));
    world.issuer.rotate();
    world.all_have("v2").await;
    let more = world.issuer.fetches() - fetches;
    let failed = world.told("cache failed") - failures;
    let told: Vec<_> = world.keys.iter().map(|(_, told)| told).collect();
    assert!(more <= 1 + failed, "{more} more, and Redis failed {failed} times: {told:?}");
    assert_eq!(world.in_use(), [Some(2); 8]);
    assert!(world.told("by shared") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_redis_no_verdict_is_wrong_and_none_is_late() {
    let mut world = World::new(4).await;
    world.all_have("v1").await;
    let faults = ["killed", "restarted", "paused", "resumed", "cut off", "garbled", "well again", "flushed"];
    for (version, fault) in (2..).zip(faults) {
        let failed = world.told("cache failed");
        let began = Instant::now();
        // Each fault, and a rotation in the midst of it.
        match fault {
            "killed" => world.server.kill(),
            "restarted" => world.server.restart().await.expect("a restart"),
            "paused" => world.server.pause(),
            "resumed" => world.server.resume(),
            "cut off" => world.proxy.set(Traffic::Hang),
            "garbled" => world.proxy.set(Traffic::Garble),
            "well again" => world.proxy.set(Traffic::Pass),
            _ => drop(world.server.say("FLUSHALL").await.expect("an answer")),
        }
        world.proxy.cut();
        let old = format!("v{}", version - 1);
        assert_eq!(world.ask_all(&old).await, ["key"; 4], "{fault}: what is known is served");
        assert!(world.ask_all("made up").await.iter().all(|answer| *answer != "key"), "{fault}");
        world.issuer.rotate();
        let own = format!("v{version}");
        world.all_have(&own).await;
        assert_eq!(world.in_use(), [Some(version); 4], "{fault}: and what was removed is distrusted");
        let mut answers = 12;
        while fault == "paused" && began.elapsed() < PAUSE {
            assert_eq!(world.ask_all(&own).await, ["key"; 4], "{fault}: what is known is served");
            assert!(world.ask_all(&old).await.iter().all(|answer| *answer != "key"), "{fault}: what is gone is not");
            answers += 8;
            sleep(Duration::from_millis(100)).await;
        }
        let failed = world.told("cache failed") - failed;
        tell_fault(&format!("Redis {fault}"), &[("processes", 4), ("answers", answers), ("redis_failed", failed)]);
    }
    assert!(world.told("cache failed") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_full_of_what_others_wrote_gives_no_wrong_key() {
    let world = World::new(1).await;
    world.all_have("v1").await;
    // It would put the good document back before the next one looks.
    world.keys[0].0.close();
    let store = redis(&world.server.url());
    let good = store.get(&document_name()).await.expect("get").expect("a document");
    let foreign = FleetKey::new([8; 32]).expect("a key");
    let tag = foreign.tag("jwks-document", &[document_name().as_str().as_bytes(), &good[32..]]).expect("a tag");
    let (mut tried, mut wrong) = (0, 0);
    for (what, value) in [
        ("forged", Bytes::from(set_of(&[&key("evil")]))),
        ("foreign", Bytes::from([&tag[..], &good[32..]].concat())),
        ("truncated", good.slice(..good.len() - 1)),
        ("replayed under the lease's name", Bytes::new()),
    ] {
        let name = if value.is_empty() { lease_name() } else { document_name() };
        let value = if value.is_empty() { good.clone() } else { value };
        store.put(&name, value, MINUTE).await.expect("put");
        let fetches = world.issuer.fetches();
        let (late, told) = world.process(&world.server.url(), &Gate::open());
        timeout(PATIENCE, late.ready()).await.expect("a deadline").expect("keys");
        let in_use = world.issuer.version_in_use(&late);
        (tried, wrong) = (tried + 1, wrong + usize::from(in_use != Some(1)));
        assert_eq!(in_use, Some(1), "{what}");
        if name == document_name() {
            assert_eq!(world.issuer.fetches(), fetches + 1, "{what}: {told:?}");
            assert!(told.count("forged") > 0 || told.count("cache failed") > 0, "{what}: {told:?}");
        }
        store.remove(&lease_name()).await.expect("remove");
    }
    let counts = [("tried", tried), ("wrong", wrong)];
    tell_fault("Redis filled with forged, foreign, truncated and replayed envelopes", &counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_sleeps_over_redis_is_succeeded_and_fenced() {
    let world = World::new(3).await;
    // Its answer from the issuer does not come, and its lease is not renewed: for the others it sleeps.
    let gate = Gate::open();
    let way = RedisProxy::start(world.server.port()).await.expect("a proxy");
    let (sleeper, told) = world.process(&way.url(), &gate);
    gate.set(false);
    let leading = tokio::spawn({
        let keys = sleeper.clone();
        async move { keys.refresh_now().await.is_ok() }
    });
    let fetching = async {
        while world.issuer.fetches() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, fetching).await.expect("it fetches");
    way.set(Traffic::Hang);
    world.issuer.rotate();
    world.all_have("v2").await;
    let store = redis(&world.server.url());
    let kept = store.get(&document_name()).await.expect("get");
    way.set(Traffic::Pass);
    gate.set(true);
    assert!(timeout(PATIENCE, leading).await.expect("an end").expect("no panic"));
    let caught_up = async {
        while world.issuer.version_in_use(&sleeper) != Some(2) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, caught_up).await.expect("it has what its successor fetched");
    assert!(kept.is_some() && store.get(&document_name()).await.expect("get") == kept, "and so has Redis");
    assert!(told.count("lease_lost") + told.count("cache failed") > 0, "{told:?}");
}
