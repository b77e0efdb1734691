//! The denylists: one table for all of them, and what a store has in mind for the one that relies on it.

mod log;
mod losses;

use TokenStatus::{Active, Revoked, Unknown};
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted};
use countersign::claims::NumericDate;
use countersign::clock::{Clock, SystemClock};
use countersign::issue::JwtSigner;
use countersign::observe::{Event, Observer};
use countersign::reason::Reason;
use countersign::request::RequestView;
use countersign::revocation::{MemoryDenylist, RevocationCheck, StoreDenylist, TokenStatus};
use countersign::{Algorithm, Bytes, Guard, JwtVerifier, SigningKey, VerifiedToken, VerifyingKey, async_trait};
use countersign_cache::{MemoryCache, RedisCache, TieredCache};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::redis_server::RedisServer;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Later than any test runs.
const FAR_AWAY: u64 = 4_000_000_000;

#[derive(Clone, Copy, Debug)]
enum Revoke<'r> {
    /// Issuer, token id, until.
    Token(&'r str, &'r str, SystemTime),
    /// Issuer, subject, before, until.
    Subject(&'r str, &'r str, SystemTime, SystemTime),
}
use Revoke::{Subject, Token};

#[async_trait]
trait Denylist: RevocationCheck {
    async fn revoke(&self, what: Revoke<'_>) -> Result<(), CacheError>;
}

#[async_trait]
impl Denylist for MemoryDenylist {
    async fn revoke(&self, what: Revoke<'_>) -> Result<(), CacheError> {
        match what {
            Token(issuer, id, until) => self.revoke_token(issuer, id, until),
            Subject(issuer, subject, before, until) => self.revoke_subject_before(issuer, subject, before, until),
        }
        Ok(())
    }
}

#[async_trait]
impl Denylist for StoreDenylist {
    async fn revoke(&self, what: Revoke<'_>) -> Result<(), CacheError> {
        match what {
            Token(issuer, id, until) => self.revoke_token(issuer, id, until).await,
            Subject(issuer, subject, before, until) => self.revoke_subject_before(issuer, subject, before, until).await,
        }
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn token(claims: &Value) -> VerifiedToken {
    VerifiedToken::vouched(claims).expect("claims")
}

async fn server() -> RedisServer {
    RedisServer::start().await.expect("a Redis server")
}

fn redis(server: &RedisServer) -> RedisCache {
    RedisCache::builder(server.url()).build().expect("settings")
}

/// What is revoked, and the answer to each token then.
type Case<'c> = (&'c [Revoke<'c>], &'c [(Value, TokenStatus)]);

async fn assert_case(name: &str, denylist: &dyn Denylist, (revoked, asked): Case<'_>) {
    for (claims, _) in asked {
        assert_eq!(denylist.status(&token(claims)).await, Active, "{name}: {claims} before {revoked:?}");
    }
    for what in revoked {
        denylist.revoke(*what).await.expect("the store works");
    }
    for (claims, expected) in asked {
        assert_eq!(denylist.status(&token(claims)).await, *expected, "{name}: {claims} after {revoked:?}");
    }
}

#[tokio::test]
async fn every_denylist_gives_the_same_answers() {
    let long = "x".repeat(100_000);
    let until = at(FAR_AWAY);
    let just_after = at(100) + Duration::from_nanos(1);
    let early = UNIX_EPOCH - Duration::from_secs(1);
    let cases: &[Case<'_>] = &[
        (
            &[Token("a", "1", until)],
            &[
                (json!({"iss": "a", "jti": "1"}), Revoked),
                (json!({"iss": "a", "jti": "1", "sub": "u", "iat": FAR_AWAY}), Revoked),
                (json!({"iss": "a", "jti": "2"}), Active),
                (json!({"iss": "b", "jti": "1"}), Active),
                (json!({"iss": "a", "sub": "1"}), Active),
                (json!({"jti": "1"}), Active),
                (json!({"iss": "a"}), Active),
                (json!({}), Active),
            ],
        ),
        (
            &[Subject("a", "u", at(100), until)],
            &[
                (json!({"iss": "a", "sub": "u", "iat": 0}), Revoked),
                (json!({"iss": "a", "sub": "u", "iat": 99.9}), Revoked),
                (json!({"iss": "a", "sub": "u", "iat": 100}), Active),
                (json!({"iss": "a", "sub": "u", "iat": 100.5, "jti": "1"}), Active),
                (json!({"iss": "a", "sub": "u", "iat": FAR_AWAY}), Active),
                (json!({"iss": "a", "sub": "u"}), Revoked),
                (json!({"iss": "a", "sub": "u", "jti": "1"}), Revoked),
                (json!({"iss": "a", "sub": "v"}), Active),
                (json!({"iss": "b", "sub": "u"}), Active),
                (json!({"iss": "a", "jti": "u"}), Active),
                (json!({"sub": "u"}), Active),
            ],
        ),
        // The latest time counts, and the longest entry, in any order.
        (
            &[Subject("a", "u", at(100), until), Subject("a", "u", at(50), at(10))],
            &[(json!({"iss": "a", "sub": "u", "iat": 99}), Revoked)],
        ),
        (
            &[Subject("a", "u", at(50), until), Subject("a", "u", at(100), at(10))],
            &[
                (json!({"iss": "a", "sub": "u", "iat": 99}), Revoked),
                (json!({"iss": "a", "sub": "u", "iat": 100}), Active),
            ],
        ),
        (&[Token("a", "1", until), Token("a", "1", at(10))], &[(json!({"iss": "a", "jti": "1"}), Revoked)]),
        (&[Token("a", "1", until), Token("a", "1", until)], &[(json!({"iss": "a", "jti": "1"}), Revoked)]),
        (
            &[Token("a", "1", until), Subject("a", "u", at(100), until)],
            &[
                (json!({"iss": "a", "jti": "1", "sub": "u", "iat": 200}), Revoked),
                (json!({"iss": "a", "jti": "2", "sub": "u", "iat": 50}), Revoked),
                (json!({"iss": "a", "jti": "2", "sub": "u", "iat": 200}), Active),
                (json!({"iss": "a", "jti": "2", "sub": "v", "iat": 50}), Active),
            ],
        ),
        // Times are exact, and may be odd.
        (&[Subject("a", "u", just_after, until)], &[(json!({"iss": "a", "sub": "u", "iat": 100}), Revoked)]),
        (&[Subject("a", "u", early, until)], &[(json!({"iss": "a", "sub": "u", "iat": 0}), Active)]),
        (&[Subject("a", "u", early, until)], &[(json!({"iss": "a", "sub": "u"}), Revoked)]),
        (&[Subject("a", "u", until, until)], &[(json!({"iss": "a", "sub": "u", "iat": FAR_AWAY - 1}), Revoked)]),
        (&[Token("a", "1", at(i64::MAX.unsigned_abs()))], &[(json!({"iss": "a", "jti": "1"}), Revoked)]),
        // Names are any text, and do not run into each other.
        (
            &[Token("ab", "c", until), Token("", "empty", until), Token("a", "", until)],
            &[
                (json!({"iss": "ab", "jti": "c"}), Revoked),
                (json!({"iss": "a", "jti": "bc"}), Active),
                (json!({"jti": "empty"}), Revoked),
                (json!({"iss": "a", "jti": ""}), Revoked),
                (json!({"iss": "a", "sub": ""}), Active),
            ],
        ),
        (
            &[Token("\r\n", "\0", until), Subject("é", "用户 1", at(100), until), Token("a", &long, until)],
            &[
                (json!({"iss": "\r\n", "jti": "\0"}), Revoked),
                (json!({"iss": "é", "sub": "用户 1", "iat": 1}), Revoked),
                (json!({"iss": "e\u{301}", "sub": "用户 1", "iat": 1}), Active),
                (json!({"iss": "a", "jti": long}), Revoked),
            ],
        ),
    ];
    let server = server().await;
    for (at, case) in cases.iter().enumerate() {
        let shared =
            |name: &str| RedisCache::builder(server.url()).prefix(format!("{name}{at}")).build().expect("settings");
        assert_case("memory", &MemoryDenylist::new(), *case).await;
        assert_case("a store in memory", &StoreDenylist::new(MemoryCache::new()), *case).await;
        assert_case("Redis", &StoreDenylist::new(shared("far")), *case).await;
        let tiered = TieredCache::new(MemoryCache::new(), shared("tiered"));
        assert_case("memory before Redis", &StoreDenylist::new(tiered), *case).await;
    }
}

proptest! {
    #[test]
    fn whatever_is_revoked_both_denylists_agree(
        revoked in prop::collection::vec((any::<bool>(), 0..2_usize, 0..3_usize, 0_u64..4), 0..12),
        asked in prop::collection::vec((0..2_usize, 0..4_usize, 0..4_usize, 0_u64..5), 1..12),
    ) {
        let names = ["a", "b", "c"];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let lists: [&dyn Denylist; 2] = [&MemoryDenylist::new(), &StoreDenylist::new(MemoryCache::new())];
            for (is_token, issuer, name, time) in revoked {
                let (issuer, name, until) = (names[issuer], names[name], at(FAR_AWAY + time));
                let what = if is_token { Token(issuer, name, until) } else { Subject(issuer, name, at(time), until) };
                for list in lists {
                    list.revoke(what).await.expect("the store works");
                }
            }
            for (issuer, id, subject, time) in asked {
                let mut claims = json!({"iss": names[issuer]});
                // What is beyond the lists is a claim that is not there.
                for (claim, value) in [
                    ("jti", names.get(id).map(|name| json!(name))),
                    ("sub", names.get(subject).map(|name| json!(name))),
                    ("iat", Some(time).filter(|time| *time < 4).map(|time| json!(time))),
                ] {
                    if let Some(value) = value {
                        claims[claim] = value;
                    }
                }
                let [memory, store] = lists;
                let token = token(&claims);
                assert_eq!(memory.status(&token).await, store.status(&token).await, "{claims}");
            }
        });
    }
}

#[tokio::test]
async fn an_entry_is_there_until_its_tokens_are_over() {
    let clock = FakeClock::at(1_000);
    let memory = MemoryDenylist::with_clock(clock.clone());
    let store = StoreDenylist::new(MemoryCache::with_clock(clock.clone())).clock(clock.clone());
    let lists: [&dyn Denylist; 2] = [&memory, &store];
    let claims = [json!({"iss": "a", "jti": "1"}), json!({"iss": "a", "sub": "u", "iat": 50})];
    for list in lists {
        for (until, before) in [(1_060, 10), (1_100, 100), (1_050, 20), (900, 30)] {
            list.revoke(Token("a", "1", at(until))).await.expect("the store works");
            list.revoke(Subject("a", "u", at(before), at(until))).await.expect("the store works");
        }
    }
    clock.advance(Duration::from_secs(100) - Duration::from_nanos(1));
    for claims in &claims {
        for list in lists {
            assert_eq!(list.status(&token(claims)).await, Revoked, "{list:?}: {claims}");
        }
    }
    clock.advance(Duration::from_nanos(1));
    for claims in &claims {
        assert_eq!(store.status(&token(claims)).await, Active, "the store is not filled with what is over");
    }
}

#[tokio::test]
async fn a_clock_that_is_put_ahead_and_back_brings_no_token_back() {
    let clock = FakeClock::at(1_000);
    let memory = MemoryDenylist::with_clock(clock.clone());
    let store = StoreDenylist::new(MemoryCache::with_clock(clock.clone())).clock(clock.clone());
    let lists: [&dyn Denylist; 2] = [&memory, &store];
    for list in lists {
        list.revoke(Token("a", "1", at(1_100))).await.expect("the store works");
        list.revoke(Subject("a", "u", at(10), at(1_100))).await.expect("the store works");
    }
    let assert_revoked = async |when| {
        for claims in [json!({"iss": "a", "jti": "1"}), json!({"iss": "a", "sub": "u", "iat": 5})] {
            for list in lists {
                assert_eq!(list.status(&token(&claims)).await, Revoked, "{list:?}: {claims} {when}");
            }
        }
    };
    clock.set(5_000);
    // More than any list holds before it looks for what is over.
    for n in 0..3_000 {
        for list in lists {
            list.revoke(Token("b", &n.to_string(), at(6_000))).await.expect("the store works");
        }
    }
    assert_revoked("ahead").await;
    clock.set(1_000);
    assert_revoked("back again").await;
    clock.advance(Duration::from_secs(99));
    assert_revoked("just before the end").await;
}

/// An entry must not end early because somebody whose clock goes ahead writes to it, too.
#[tokio::test]
async fn a_clock_that_goes_ahead_shortens_no_entry() {
    for time in [1_090, 9_000] {
        let (clock, ahead) = (FakeClock::at(1_000), FakeClock::at(time));
        let cache = Arc::new(MemoryCache::with_clock(clock.clone()));
        let right = StoreDenylist::new(cache.clone()).clock(clock.clone());
        let wrong = StoreDenylist::new(cache).clock(ahead);
        right.revoke_subject_before("a", "u", at(10), at(1_100)).await.expect("the store works");
        wrong.revoke_subject_before("a", "u", at(20), at(1_100)).await.expect("the store works");
        clock.advance(Duration::from_secs(99));
        let claims = json!({"iss": "a", "sub": "u", "iat": 19});
        assert_eq!(right.status(&token(&claims)).await, Revoked, "a clock at {time}");
    }
}

async fn assert_the_latest_and_the_longest_win(store: Arc<dyn CacheStore>, left: impl AsyncFn() -> Duration) {
    const RIVALS: u64 = 32;
    let denylist = Arc::new(StoreDenylist::new(store));
    let start = Arc::new(tokio::sync::Barrier::new(usize::try_from(RIVALS).expect("a count")));
    let now = SystemClock::new().now();
    let mut rivals = JoinSet::new();
    for n in 0..RIVALS {
        let (denylist, start) = (denylist.clone(), start.clone());
        rivals.spawn(async move {
            start.wait().await;
            // Who is latest is not who stays longest.
            let until = now + Duration::from_secs(1_000 * (RIVALS - n));
            denylist.revoke_subject_before("a", "u", at(n), until).await.expect("the store works");
        });
    }
    rivals.join_all().await;
    for (issued_at, expected) in [(RIVALS - 2, Revoked), (RIVALS - 1, Active)] {
        let claims = json!({"iss": "a", "sub": "u", "iat": issued_at});
        assert_eq!(denylist.status(&token(&claims)).await, expected, "{claims}");
    }
    let left = left().await;
    let longest = Duration::from_secs(1_000 * RIVALS);
    // The clock of the world and that of the store need not agree to the microsecond; rivals are 1 000 s apart.
    let slack = Duration::from_secs(1);
    assert!(left < longest + slack && left > longest - Duration::from_secs(1_000), "{left:?} of {longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_rival_revocations_the_latest_time_and_the_longest_stay_win() {
    let server = server().await;
    let stores: [Arc<dyn CacheStore>; 3] = [
        Arc::new(MemoryCache::new()),
        Arc::new(redis(&server)),
        Arc::new(TieredCache::new(
            MemoryCache::new(),
            RedisCache::builder(server.url()).prefix("t").build().expect("settings"),
        )),
    ];
    for store in stores {
        let left = async || {
            let found = store.find(&subject_key()).await.expect("find").expect("the entry");
            found.expires_in.expect("a time")
        };
        assert_the_latest_and_the_longest_win(store.clone(), left).await;
    }
}

/// Keys and entries are shared by all versions that share a store.
fn token_key() -> CacheKey {
    CacheKey::hashed("denied-token", &[b"a", b"1"])
}
fn subject_key() -> CacheKey {
    CacheKey::hashed("denied-subject", &[b"a", b"u"])
}

#[tokio::test]
async fn what_is_written_is_what_other_versions_read() {
    let store = Arc::new(MemoryCache::new());
    let denylist = StoreDenylist::new(store.clone());
    denylist.revoke_token("a", "1", at(FAR_AWAY)).await.expect("the store works");
    denylist.revoke_subject_before("a", "u", at(100), at(FAR_AWAY)).await.expect("the store works");
    for (key, value) in
        [(token_key(), "until 4000000000000000000"), (subject_key(), "before 100000000000 until 4000000000000000000")]
    {
        assert_eq!(store.get(&key).await.expect("get"), Some(Bytes::from(value)));
    }
}

#[derive(Debug, Default)]
struct Failures(AtomicUsize);
impl Observer for Failures {
    fn observe(&self, event: &Event<'_>) {
        assert!(matches!(event, Event::CacheFailed { .. }), "{event:?}");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_unknown_and_stays_until_it_is_removed() {
    let garbage: [&[u8]; 8] =
        [b"", b"1", b"until", b"until 1 ", b"until 007", b"before 1 til 2", b"{\"until\":1}", b"\xff\xfe"];
    for garbage in garbage {
        let store = Arc::new(MemoryCache::new());
        let failures = Arc::new(Failures::default());
        let denylist = StoreDenylist::new(store.clone()).observer(failures.clone());
        for (key, claims) in [
            (token_key(), json!({"iss": "a", "jti": "1"})),
            (subject_key(), json!({"iss": "a", "sub": "u", "iat": FAR_AWAY})),
        ] {
            let garbage = Bytes::from_static(garbage);
            store.put(&key, garbage.clone(), Duration::from_secs(60)).await.expect("put");
            let told = failures.0.load(Ordering::Relaxed);
            assert_eq!(denylist.status(&token(&claims)).await, Unknown, "{garbage:?}");
            assert_eq!(failures.0.load(Ordering::Relaxed), told + 1, "{garbage:?}");
            let revoke = if key == token_key() {
                Token("a", "1", at(FAR_AWAY))
            } else {
                Subject("a", "u", at(FAR_AWAY + 1), at(FAR_AWAY + 2))
            };
            assert!(denylist.revoke(revoke).await.is_err(), "{garbage:?}");
            assert_eq!(store.get(&key).await.expect("get"), Some(garbage));
            store.remove(&key).await.expect("remove");
            denylist.revoke(revoke).await.expect("the store works");
            assert_eq!(denylist.status(&token(&claims)).await, Revoked);
        }
    }
}

/// Fails from a certain question on.
#[derive(Debug)]
struct Failing(AtomicUsize, MemoryCache);

impl Failing {
    fn ask(&self) -> Result<&MemoryCache, CacheError> {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(|_| &self.1).map_err(|_| CacheError::because("it failed"))
    }
}

#[async_trait]
impl CacheStore for Failing {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        self.ask()?.get(key).await
    }
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.ask()?.put(key, value, ttl).await
    }
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        self.ask()?.put_new(key, value, ttl).await
    }
    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        self.ask()?.compare_and_swap(key, expected, new).await
    }
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        self.ask()?.add(key, n, window).await
    }
}

#[tokio::test]
async fn a_store_that_fails_at_any_question_lets_nothing_through() {
    let claims = json!({"iss": "a", "jti": "1", "sub": "u", "iat": 1});
    // At first two questions more, for an epoch and for putting one there.
    for (is_first, enough) in [(true, 5), (false, 3)] {
        for questions in 0..=enough {
            let expected = if questions < enough { Unknown } else { Active };
            let failures = Arc::new(Failures::default());
            let store = Arc::new(Failing(AtomicUsize::new(usize::MAX), MemoryCache::new()));
            let denylist = StoreDenylist::new(store.clone()).observer(failures.clone());
            if !is_first {
                denylist.accept_loss().await.expect("the store works");
            }
            store.0.store(questions, Ordering::Relaxed);
            assert_eq!(denylist.status(&token(&claims)).await, expected, "{questions} answers");
            assert_eq!(failures.0.load(Ordering::Relaxed), usize::from(expected == Unknown));
        }
    }
    for questions in 0..4 {
        let denylist = StoreDenylist::new(Failing(AtomicUsize::new(questions), MemoryCache::new()));
        assert!(denylist.revoke_token("a", "1", at(FAR_AWAY)).await.is_err(), "{questions} answers");
    }
    // Nothing of the token can be revoked: nothing is asked.
    let denylist = StoreDenylist::new(Failing(AtomicUsize::new(0), MemoryCache::new()));
    assert_eq!(denylist.status(&token(&json!({"iss": "a"}))).await, Active);
}

/// Counts how often it is asked.
#[derive(Debug)]
struct Counting<R>(R, AtomicUsize);

#[async_trait]
impl<R: RevocationCheck> RevocationCheck for Counting<R> {
    async fn status(&self, token: &VerifiedToken) -> TokenStatus {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.status(token).await
    }
}

#[tokio::test]
async fn a_guard_asks_for_each_request_and_refuses_from_the_next_one_on() {
    const NOW: u32 = 1_300_819_380;
    let secret = [7; 32];
    let key = VerifyingKey::from_secret(Algorithm::HS256, secret).expect("a key");
    let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("a").audience("api");
    let verifier = verifier.clock(FakeClock::at(NOW.into())).build().expect("a verifier");
    let signer = JwtSigner::new(SigningKey::from_secret(Algorithm::HS256, secret).expect("a key"));
    let expires_at = NumericDate::from_secs(u64::from(NOW) + 60);
    let signed = signer.sign(&json!({"iss": "a", "aud": "api", "exp": expires_at, "jti": "1"})).expect("a token");

    let denylist = Arc::new(StoreDenylist::new(MemoryCache::new()));
    let check = Arc::new(Counting(denylist.clone(), AtomicUsize::new(0)));
    let guard = Guard::builder(verifier).revocation(check.clone()).build().expect("a guard").check_authenticated();
    let ask = async |authorization: &str| {
        let headers = [("authorization", authorization)];
        let request = RequestView::new("GET", "/", None, &headers);
        guard.judge(&guard.screening(None), &request).await
    };
    let bearer = format!("Bearer {signed}");
    for asked in 1..=3 {
        assert_eq!(ask(&bearer).await.expect("it counts").token_id(), Some("1"));
        assert_eq!(check.1.load(Ordering::Relaxed), asked);
    }
    denylist.revoke_token("a", "1", at(FAR_AWAY)).await.expect("the store works");
    let denial = ask(&bearer).await.expect_err("it is revoked");
    assert_eq!((denial.status(), denial.reason()), (401, Reason::Revoked));
    assert_eq!(check.1.load(Ordering::Relaxed), 4);
    assert_eq!(ask("Bearer e30.e30.e30").await.expect_err("no token").status(), 401);
    assert_eq!(check.1.load(Ordering::Relaxed), 4, "what is not verified is nobody's to revoke");
}
