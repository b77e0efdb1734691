//! A real server: killed, paused, out of reach, flushed, failed over to a replica that lacks the last change, and full of lies.

mod cluster;
mod gone;
mod judge;
mod paused;
mod split;

use super::*;
use crate::machine::{QUIET, tell_fault};
use TokenStatus::{Active, Revoked, Unknown};
use countersign::VerifiedToken;
use countersign_cache::{Follower, RedisCache};
use countersign_testkit::redis_proxy::{RedisProxy, Traffic};
use countersign_testkit::redis_server::RedisServer;
use judge::{Judge, Side};
use tokio::time::{sleep, timeout};

/// How long until a busy machine has done what it should.
const PATIENCE: Duration = Duration::from_secs(30);
const PACE: Duration = Duration::from_millis(10);

fn store(url: String) -> RedisCache {
    RedisCache::builder(url).build().expect("settings")
}

fn bad(id: &str) -> VerifiedToken {
    token(&json!({"iss": "a", "jti": id}))
}

struct Member {
    clock: FakeClock,
    log: Arc<RevocationLog>,
}

impl Member {
    fn new(store: impl CacheStore) -> Self {
        let clock = FakeClock::at(1_000);
        let log = RevocationLog::builder(store, fleet_key()).clock(clock.clone()).build().expect("a log");
        Self { clock, log: Arc::new(log) }
    }

    fn status(&self, id: &str) -> Option<TokenStatus> {
        self.log.status_now(&bad(id))
    }

    async fn revoke(&self, id: &str) {
        insist(async || self.log.revoke_token("a", id, at(FAR_AWAY)).await.is_ok()).await;
    }

    /// Polls in time until the view counts.
    async fn confirm(&self) {
        insist(async || {
            self.clock.advance(INTERVAL);
            let _ = self.log.poll().await;
            self.log.is_confirmed()
        })
        .await;
    }
}

/// What was answered for tokens that are revoked.
#[derive(Default)]
struct Answers {
    refused: usize,
    unknown: usize,
    let_through: usize,
}

impl Answers {
    fn count(&mut self, member: &Member, id: &str, expected: TokenStatus) {
        let status = member.status(id);
        self.refused += usize::from(status == Some(Revoked));
        self.unknown += usize::from(status == Some(Unknown));
        self.let_through += usize::from(status == Some(Active));
        assert_eq!(status, Some(expected), "{id}");
    }

    fn tell(&self, fault: &str) {
        let Self { refused, unknown, let_through } = *self;
        tell_fault(fault, &[("refused", refused), ("unknown", unknown), ("let_through", let_through)]);
    }
}

/// What is there: a busy machine is asked again.
async fn got(store: &impl CacheStore, key: &CacheKey) -> Option<Bytes> {
    let mut found = None;
    insist(async || match store.get(key).await {
        Ok(there) => {
            found = there;
            true
        }
        Err(_) => false,
    })
    .await;
    found
}

async fn put(store: &impl CacheStore, value: Bytes) {
    insist(async || store.put(&head_key(), value.clone(), Duration::MAX).await.is_ok()).await;
}

async fn insist(mut works: impl AsyncFnMut() -> bool) {
    let tries = async {
        while !works().await {
            sleep(PACE).await;
        }
    };
    timeout(PATIENCE, tries).await.expect("it works in the end");
}

#[tokio::test]
async fn killed_or_flushed_it_is_told_again_what_it_has_forgotten() {
    let mut server = RedisServer::start().await.expect("a Redis server");
    let [one, other] = [(); 2].map(|()| Member::new(store(server.url())));
    let mut answers = Answers::default();
    one.revoke("1").await;
    other.confirm().await;
    answers.count(&other, "1", Revoked);

    server.kill();
    for member in [&one, &other] {
        assert!(member.log.poll().await.is_err());
        member.clock.advance(BOUND);
        answers.count(member, "1", Unknown);
        assert_eq!(member.status("2"), Some(Unknown));
    }
    assert!(one.log.revoke_token("a", "2", at(FAR_AWAY)).await.is_err(), "nobody says that it was heard");
    server.restart().await.expect("a Redis server");
    for member in [&one, &other] {
        member.confirm().await;
        answers.count(member, "1", Revoked);
        assert_eq!(member.status("3"), Some(Active));
    }
    // Who starts then knows it too.
    let new = Member::new(store(server.url()));
    new.confirm().await;
    answers.count(&new, "1", Revoked);
    assert_eq!(new.status("3"), Some(Active));

    let client = ::redis::Client::open(server.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    ::redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("flushed");
    one.confirm().await;
    let new = Member::new(store(server.url()));
    new.confirm().await;
    answers.count(&new, "1", Revoked);
    answers.tell("revocation log, Redis killed and flushed");
}

#[tokio::test]
async fn out_of_reach_for_the_bound_nothing_counts_and_nobody_waits() {
    let server = RedisServer::start().await.expect("a Redis server");
    let proxy = RedisProxy::start(server.port()).await.expect("a proxy");
    let [near, far] = [Member::new(store(server.url())), Member::new(store(proxy.url()))];
    let mut answers = Answers::default();
    far.confirm().await;
    for traffic in [Traffic::Hang, Traffic::Close, Traffic::Garble] {
        proxy.set(traffic);
        near.revoke(&format!("{traffic:?}")).await;
        assert!(far.log.poll().await.is_err());
        far.clock.advance(BOUND);
        let id = format!("{traffic:?}");
        // From memory, at once.
        answers.count(&far, &id, Unknown);
        assert_eq!(far.status("good"), Some(Unknown));
        proxy.set(Traffic::Pass);
        far.confirm().await;
        answers.count(&far, &id, Revoked);
        assert_eq!(far.status("good"), Some(Active));
    }
    answers.tell("revocation log, Redis out of reach for the bound");
}

/// A store whose server can be another one from one moment to the next.
#[derive(Clone, Debug)]
struct Elected(Arc<Mutex<Arc<RedisCache>>>);

impl Elected {
    fn now(&self) -> Arc<RedisCache> {
        self.0.lock().expect("lock").clone()
    }
}

#[async_trait]
impl CacheStore for Elected {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.now().get(key).await
    }
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        self.now().find(key).await
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.now().put(key, value, ttl).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        self.now().put_new(key, value, ttl).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        self.now().compare_and_swap(key, expected, new).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.now().add(key, n, window).await
    }
}

#[tokio::test]
async fn a_replica_that_lost_the_last_second_is_told_it_before_anybody_relies_on_it() {
    let [mut first, second] =
        [RedisServer::start().await, RedisServer::start().await].map(|s| s.expect("a Redis server"));
    let replica = ::redis::Client::open(second.url()).expect("a URL");
    let mut replica = replica.get_multiplexed_async_connection().await.expect("a connection");
    let port = first.port().to_string();
    ::redis::cmd("REPLICAOF").arg("127.0.0.1").arg(&port).exec_async(&mut replica).await.expect("a replica");

    let elected = Elected(Arc::new(Mutex::new(Arc::new(store(first.url())))));
    let [writer, reader] = [(); 2].map(|()| Member::new(elected.clone()));
    writer.revoke("1").await;
    reader.confirm().await;
    let taking_over = Arc::new(store(second.url()));
    let head = got(&elected, &head_key()).await.expect("a head");
    insist(async || taking_over.get(&head_key()).await.is_ok_and(|there| there.as_ref() == Some(&head))).await;
    // What is said now is acknowledged, and lost.
    ::redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut replica).await.expect("alone");
    writer.revoke("2").await;
    first.kill();
    assert!(reader.log.poll().await.is_err());
    reader.clock.advance(BOUND);
    *elected.0.lock().expect("lock") = taking_over;

    insist(async || reader.log.poll().await.is_ok()).await;
    let mut answers = Answers::default();
    // It does not know what is missing, and does not rely on it yet.
    answers.count(&reader, "2", Unknown);
    writer.confirm().await;
    reader.confirm().await;
    answers.count(&reader, "1", Revoked);
    answers.count(&reader, "2", Revoked);
    assert_eq!(reader.status("3"), Some(Active));
    answers.tell("revocation log, failed over to a replica that lost the last second");
}

#[tokio::test]
async fn lies_change_no_verdict_and_the_log_is_written_anew_where_they_are_removed() {
    let server = RedisServer::start().await.expect("a Redis server");
    let shared = store(server.url());
    let [one, other] = [(); 2].map(|()| Member::new(store(server.url())));
    one.confirm().await;
    let early = got(&shared, &head_key()).await.expect("a head");
    one.revoke("1").await;
    other.confirm().await;
    let good = got(&shared, &head_key()).await.expect("a head");
    let foreign = {
        let builder = RevocationLog::builder(store(server.url()), fleet_key());
        let others = builder.name("others").build().expect("a log");
        insist(async || others.poll().await.is_ok()).await;
        got(&shared, &fleet_key().cache_key("revocations", &[b"others"]).expect("a name")).await.expect("a head")
    };
    let mut answers = Answers::default();
    let lies = [Bytes::new(), Bytes::from_static(b"7"), good.slice(..good.len() - 1), foreign];
    for lie in lies {
        put(&shared, lie.clone()).await;
        for member in [&one, &other, &Member::new(store(server.url()))] {
            assert!(member.log.poll().await.is_err());
            assert_ne!(member.status("1"), Some(Active));
            assert!(member.log.revoke_token("a", "2", at(FAR_AWAY)).await.is_err());
            member.clock.advance(BOUND);
            answers.count(member, "1", Unknown);
            assert_eq!(member.status("3"), Some(Unknown));
        }
        assert_eq!(got(&shared, &head_key()).await, Some(lie), "it is nobody's to overwrite");
        insist(async || shared.remove(&head_key()).await.is_ok()).await;
        other.confirm().await;
        let new = Member::new(store(server.url()));
        new.confirm().await;
        answers.count(&new, "1", Revoked);
        assert_eq!(new.status("3"), Some(Active));
    }
    // An older head of the same log, of which nothing is forged.
    put(&shared, early).await;
    one.confirm().await;
    let new = Member::new(store(server.url()));
    new.confirm().await;
    answers.count(&new, "1", Revoked);
    answers.tell("revocation log, Redis filled with lies");
}

#[tokio::test]
async fn of_a_value_that_is_too_long_little_is_fetched() {
    let _busy = QUIET.read().await;
    let server = RedisServer::start().await.expect("a Redis server");
    let [member, starts] = [(); 2].map(|()| Member::new(store(server.url())));
    member.revoke("1").await;
    member.confirm().await;
    let client = ::redis::Client::open(server.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let key = format!("countersign:{}", head_key());
    let length = 100 << 20;
    ::redis::cmd("SETRANGE").arg(&key).arg(length).arg("x").exec_async(&mut connection).await.expect("set");
    let sent = async |connection: &mut ::redis::aio::MultiplexedConnection| -> usize {
        let told: String = ::redis::cmd("INFO").arg("stats").query_async(connection).await.expect("statistics");
        let line = told.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:")).expect("a line");
        line.trim().parse().expect("a number")
    };
    let before = sent(&mut connection).await;
    let shared = store(server.url());
    for member in [&member, &starts] {
        assert!(member.log.poll().await.is_err());
        assert_ne!(member.status("1"), Some(Active));
    }
    assert!(shared.get(&head_key()).await.is_err() && shared.find(&head_key()).await.is_err());
    assert!(shared.take(&head_key()).await.is_err());
    let fetched = sent(&mut connection).await - before;
    assert!(fetched < 20 << 20, "{fetched} octets");
    let narrow = RedisCache::builder(server.url()).max_value_bytes(3).build().expect("settings");
    let (key, long) = (CacheKey::named("narrow"), Bytes::from_static(b"1234"));
    assert!(narrow.put(&key, long.clone(), PATIENCE).await.is_err());
    assert!(narrow.put_new(&key, long.clone(), PATIENCE).await.is_err());
    for (value, expected) in [("", true), ("123", true), ("1234", false)] {
        let value = Bytes::from_static(value.as_bytes());
        insist(async || shared.put(&key, value.clone(), PATIENCE).await.is_ok()).await;
        let swapped = narrow.compare_and_swap(&key, &value, Some((long.clone(), PATIENCE))).await;
        assert!(swapped.is_err(), "what nobody could read");
        let expected = expected.then_some(&value);
        assert_eq!(narrow.get(&key).await.ok().flatten().as_ref(), expected);
        assert_eq!(narrow.find(&key).await.ok().flatten().map(|found| found.value).as_ref(), expected);
        assert_eq!(narrow.take(&key).await.ok().flatten().as_ref(), expected);
    }
}

/// The interval is a minute, twice as long as anything here is waited for: what is known was announced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_announced_is_known_before_the_next_look_and_so_is_what_was_lost_with_a_connection() {
    const LONG: Duration = Duration::from_secs(300);
    let _busy = QUIET.read().await;
    let server = RedisServer::start().await.expect("a Redis server");
    let log = || {
        // What has not settled counts here too: that takes two intervals.
        let builder = RevocationLog::builder(store(server.url()), fleet_key()).bound(LONG).danger_degrade();
        Arc::new(builder.build().expect("a log"))
    };
    let (writer, reader) = (log(), log());
    assert!(reader.interval() >= 2 * PATIENCE);
    let follower = Follower::start(reader.clone()).expect("a runtime");
    let listens = async || {
        insist(async || {
            let listeners = server.say("PUBSUB NUMSUB countersign:news").await.expect("an answer");
            listeners.contains(":1")
        })
        .await;
    };
    let revoke = async |id: &str| insist(async || writer.revoke_token("a", id, at(FAR_AWAY)).await.is_ok()).await;
    listens().await;
    revoke("heard").await;
    insist(async || reader.status(&bad("heard")).await == Revoked).await;
    let killed = server.say("CLIENT KILL TYPE pubsub").await.expect("an answer");
    assert_eq!(killed.trim(), ":1");
    let killed = killed.trim().trim_start_matches(':').parse().expect("a number");
    // Announced to nobody; the listener looks when it has its connection back.
    revoke("unheard").await;
    insist(async || reader.status(&bad("unheard")).await == Revoked).await;
    listens().await;
    revoke("heard again").await;
    insist(async || reader.status(&bad("heard again")).await == Revoked).await;
    let revoked = ["heard", "unheard", "heard again"];
    let mut lost = 0;
    for id in revoked {
        lost += usize::from(reader.status(&bad(id)).await != Revoked);
    }
    let counts = [("killed", killed), ("revoked", revoked.len()), ("lost", lost)];
    tell_fault("revocation log, pub/sub connection killed", &counts);
    drop(follower);
}

#[tokio::test]
async fn where_nobody_polls_nothing_counts_after_the_bound() {
    let server = RedisServer::start().await.expect("a Redis server");
    let builder = RevocationLog::builder(store(server.url()), fleet_key()).bound(Duration::from_secs(1));
    let log = Arc::new(builder.build().expect("a log"));
    let follower = Follower::start(log.clone()).expect("a runtime");
    insist(async || log.is_confirmed()).await;
    drop(follower);
    insist(async || !log.is_confirmed()).await;
    assert_eq!(log.status(&bad("any")).await, Unknown, "nobody polls any longer");
}
