//! The rules of [`CacheStore`].

use countersign::Bytes;
use countersign::cache::{CacheKey, CacheStore, Counted, Found};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Longer than the suite runs.
const LONG: Duration = Duration::from_secs(3_600);

/// What the suite waits for, once. A store in real time must get through a few verbs within it.
const SHORT: Duration = Duration::from_secs(1);

/// How many want the same thing at the same time.
const RIVALS: usize = 32;

/// Runs every rule of [`CacheStore`] against `store`, which nobody else uses meanwhile.
///
/// `pass` lets the given time pass for the store, and a little more does no harm: it advances the store's
/// clock, or really waits where the store has a clock of its own. The store needs room for a hundred entries
/// and one mebibyte. Rivals are tasks: on a runtime with several threads they are rivals in earnest.
///
/// ```
/// use countersign::cache::CacheStore;
/// use countersign_testkit::{clock::FakeClock, conformance};
///
/// # async fn example(my_store: impl Fn(FakeClock) -> std::sync::Arc<dyn CacheStore>) {
/// let clock = FakeClock::at(1_300_819_380);
/// let store = my_store(clock.clone());
/// conformance::cache_store(store, async |time| clock.advance(time)).await;
/// # }
/// ```
///
/// # Panics
/// Where a rule does not hold, and where the store fails.
pub async fn cache_store<S: CacheStore>(store: S, pass: impl AsyncFn(Duration)) {
    let store = Arc::new(store);
    let suite = Suite { store: &store };
    suite.what_is_absent().await;
    suite.put_and_get().await;
    suite.values_are_bytes().await;
    suite.put_new().await;
    suite.compare_and_swap().await;
    suite.take_and_remove().await;
    suite.add().await;
    suite.what_is_no_counter().await;
    suite.find().await;
    suite.a_time_to_live_of_zero().await;
    suite.keys_do_not_collide().await;
    suite.expiry(&pass).await;
    suite.rivals_put_new().await;
    suite.rivals_take().await;
    suite.rivals_compare_and_swap().await;
    suite.rivals_add().await;
}

struct Suite<'s, S> {
    store: &'s Arc<S>,
}

impl<S: CacheStore> Suite<'_, S> {
    /// A key of this rule's own, with nothing there.
    async fn fresh(&self, rule: &str) -> CacheKey {
        let key = CacheKey::hashed("conformance", &[rule.as_bytes()]);
        self.remove(&key).await;
        key
    }

    async fn get(&self, key: &CacheKey) -> Option<Bytes> {
        self.store.get(key).await.expect("`get` failed")
    }

    /// What `find` finds, which `get` finds too.
    async fn found(&self, key: &CacheKey) -> Option<Found> {
        let found = self.store.find(key).await.expect("`find` failed");
        let value = found.as_ref().map(|found| found.value.clone());
        assert_eq!(value, self.get(key).await, "`find` and `get` agree");
        found
    }

    /// What is left of the entry, which must be there; a store that cannot tell keeps every rule.
    async fn left(&self, key: &CacheKey) -> Duration {
        let found = self.found(key).await.expect("what `find` is to find is there");
        found.expires_in.unwrap_or_default()
    }

    async fn put(&self, key: &CacheKey, value: &[u8], ttl: Duration) {
        self.store.put(key, Bytes::copy_from_slice(value), ttl).await.expect("`put` failed");
    }

    async fn put_if_new(&self, key: &CacheKey, value: &[u8], ttl: Duration) -> bool {
        self.store.put_new(key, Bytes::copy_from_slice(value), ttl).await.expect("`put_new` failed")
    }

    async fn swap(&self, key: &CacheKey, expected: &[u8], new: Option<(&[u8], Duration)>) -> bool {
        let new = new.map(|(value, ttl)| (Bytes::copy_from_slice(value), ttl));
        self.store.compare_and_swap(key, expected, new).await.expect("`compare_and_swap` failed")
    }

    async fn take(&self, key: &CacheKey) -> Option<Bytes> {
        self.store.take(key).await.expect("`take` failed")
    }

    async fn count(&self, key: &CacheKey, n: u64, window: Duration) -> Counted {
        self.store.add(key, n, window).await.expect("`add` failed")
    }

    async fn remove(&self, key: &CacheKey) {
        self.store.remove(key).await.expect("`remove` failed");
    }

    async fn holds(&self, key: &CacheKey, value: &[u8]) -> bool {
        self.get(key).await.as_deref() == Some(value)
    }

    async fn what_is_absent(&self) {
        let key = self.fresh("absent").await;
        assert_eq!(self.get(&key).await, None, "`get` of what is absent is `None`");
        assert_eq!(self.take(&key).await, None, "`take` of what is absent is `None`");
        assert!(!self.swap(&key, b"", None).await, "what is absent does not equal the empty value");
        assert!(
            !self.swap(&key, b"", Some((b"new", LONG))).await && self.get(&key).await.is_none(),
            "`compare_and_swap` sets nothing where nothing was"
        );
        self.remove(&key).await;
    }

    async fn put_and_get(&self) {
        let key = self.fresh("put").await;
        self.put(&key, b"one", LONG).await;
        assert!(self.holds(&key, b"one").await, "`get` gives what was put");
        assert!(self.holds(&key, b"one").await, "`get` leaves the value where it is");
        self.put(&key, b"two", LONG).await;
        assert!(self.holds(&key, b"two").await, "`put` replaces");
        self.put(&key, b"three", Duration::MAX).await;
        assert!(self.holds(&key, b"three").await, "any time to live is taken, however long");
        self.remove(&key).await;
    }

    async fn values_are_bytes(&self) {
        let all: Vec<u8> = (0..=255).collect();
        let big: Vec<u8> = (0..=255).cycle().take(256 << 10).collect();
        let values: [&[u8]; 7] = [b"", b"\0", b"a\0b\0", b"\r\n$-1\r\n", b"\xff\xfe", &all, &big];
        let key = self.fresh("bytes").await;
        for value in values {
            let shown = value.get(..8).unwrap_or(value).escape_ascii();
            let length = value.len();
            self.remove(&key).await;
            assert!(self.put_if_new(&key, value, LONG).await, "`put_new` of {shown} ({length} bytes)");
            assert!(self.holds(&key, value).await, "`get` gives every byte of {shown} ({length} bytes)");
            assert!(
                !self.swap(&key, &[value, b"\0"].concat(), Some((b"longer", LONG))).await,
                "{shown} ({length} bytes) does not equal itself and a NUL"
            );
            assert!(
                self.swap(&key, value, Some((value, LONG))).await,
                "`compare_and_swap` knows {shown} ({length} bytes) again"
            );
            let taken = self.take(&key).await;
            assert!(
                taken.as_deref() == Some(value),
                "`take` gives every byte of {shown} ({length} bytes), as swapped in"
            );
        }
    }

    async fn put_new(&self) {
        let key = self.fresh("put_new").await;
        assert!(self.put_if_new(&key, b"first", LONG).await, "`put_new` sets what is absent");
        assert!(!self.put_if_new(&key, b"second", LONG).await, "`put_new` refuses where a value is");
        assert!(self.holds(&key, b"first").await, "a refused `put_new` changes nothing");
        self.put(&key, b"", LONG).await;
        assert!(!self.put_if_new(&key, b"third", LONG).await, "the empty value is a value to `put_new`");
        self.remove(&key).await;
        assert!(self.put_if_new(&key, b"fourth", LONG).await, "`put_new` sets what was removed");
        self.remove(&key).await;
    }

    async fn compare_and_swap(&self) {
        let key = self.fresh("compare_and_swap").await;
        self.put(&key, b"mine", LONG).await;
        for other in [&b"yours"[..], b"", b"min", b"mine ", b"MINE"] {
            let shown = other.escape_ascii();
            assert!(
                !self.swap(&key, other, Some((b"new", LONG))).await && !self.swap(&key, other, None).await,
                "`compare_and_swap` refuses where `mine` is and `{shown}` was expected"
            );
            assert!(self.holds(&key, b"mine").await, "a refused `compare_and_swap` changes nothing");
        }
        assert!(self.swap(&key, b"mine", Some((b"new", LONG))).await, "what equals is replaced");
        assert!(self.holds(&key, b"new").await, "`get` gives what was swapped in");
        assert!(self.swap(&key, b"new", None).await, "what equals is removed");
        assert_eq!(self.get(&key).await, None, "what `compare_and_swap` removed is gone");
    }

    async fn take_and_remove(&self) {
        let key = self.fresh("take").await;
        self.put(&key, b"once", LONG).await;
        assert_eq!(self.take(&key).await.as_deref(), Some(&b"once"[..]), "`take` gives the value");
        assert_eq!(self.take(&key).await, None, "`take` gives it once");
        assert_eq!(self.get(&key).await, None, "what was taken is gone");
        self.put(&key, b"again", LONG).await;
        self.remove(&key).await;
        assert_eq!(self.get(&key).await, None, "what was removed is gone");
        self.remove(&key).await;
    }

    async fn add(&self) {
        let key = self.fresh("add").await;
        let counted = self.count(&key, 2, LONG).await;
        assert_eq!(counted.total, 2, "a counter starts at zero");
        assert!(
            !counted.resets_in.is_zero() && counted.resets_in <= LONG,
            "the first addition has its window before it, not {:?}",
            counted.resets_in
        );
        let counted = self.count(&key, 3, 2 * LONG).await;
        assert_eq!(counted.total, 5, "`add` adds");
        assert!(
            !counted.resets_in.is_zero() && counted.resets_in <= LONG,
            "a later addition does not extend the window to {:?}",
            counted.resets_in
        );
        assert_eq!(self.count(&key, 0, LONG).await.total, 5, "adding zero tells the sum");
        assert!(self.holds(&key, b"5").await, "`get` shows a counter as decimal text");
        assert!(!self.put_if_new(&key, b"x", LONG).await, "a counter is a value to `put_new`");
        assert!(self.swap(&key, b"5", Some((b"7", LONG))).await, "a counter can be swapped as its text");
        assert_eq!(self.count(&key, 1, LONG).await.total, 8, "`add` counts on from decimal text");
        assert_eq!(self.take(&key).await.as_deref(), Some(&b"8"[..]), "a counter can be taken as its text");
        assert_eq!(self.count(&key, 1, LONG).await.total, 1, "a counter that was taken starts at zero");
        self.put(&key, b"40", LONG).await;
        let counted = self.count(&key, 2, 2 * LONG).await;
        assert_eq!(counted.total, 42, "`add` counts on from what `put` set");
        assert!(
            counted.resets_in <= LONG,
            "what `put` set keeps its time to live when it is added to, not {:?}",
            counted.resets_in
        );

        // doubles go wrong above 2^53, and sums above i64::MAX
        let most = i64::MAX.unsigned_abs();
        for (n, total, rule) in [
            (9_007_199_254_740_993, 9_007_199_254_740_993, "a counter is exact above 2^53"),
            (2, 9_007_199_254_740_995, "`add` is exact above 2^53"),
            (most, most, "a counter stops at `i64::MAX`"),
            (1, most, "a counter that has stopped stays where it is"),
            (u64::MAX, most, "no addition is too large for a counter that has stopped"),
        ] {
            if n > 2 && n < most {
                self.remove(&key).await;
            }
            let counted = self.count(&key, n, LONG).await;
            assert_eq!(counted.total, total, "{rule}");
            assert!(
                !counted.resets_in.is_zero() && counted.resets_in <= LONG,
                "{rule}, and keeps its window, not {:?}",
                counted.resets_in
            );
        }
        self.remove(&key).await;
        assert_eq!(self.count(&key, u64::MAX, LONG).await.total, most, "a counter starts at most at `i64::MAX`");
        self.remove(&key).await;
    }

    async fn what_is_no_counter(&self) {
        let key = self.fresh("no counter").await;
        let texts: [&[u8]; 11] =
            [b"", b"text", b"1.5", b" 1", b"1 ", b"+1", b"-1", b"-0", b"007", b"9223372036854775808", b"\xd9\xa1"];
        for text in texts {
            let shown = text.escape_ascii();
            self.put(&key, text, LONG).await;
            for n in [0, 1, u64::MAX] {
                let counted = self.store.add(&key, n, LONG).await;
                assert!(counted.is_err(), "`add` of {n} to `{shown}`, which is no counter, is an error");
            }
            assert!(self.holds(&key, text).await, "a failed `add` leaves `{shown}` as it was");
        }
        self.remove(&key).await;
    }

    async fn find(&self) {
        let key = self.fresh("find").await;
        assert_eq!(self.found(&key).await, None, "`find` of what is absent is `None`");
        self.put(&key, b"", LONG).await;
        assert!(self.left(&key).await <= LONG, "`find` says no more than what was put for");
        self.put(&key, b"\0", 2 * LONG).await;
        assert!(self.left(&key).await <= 2 * LONG, "`find` says no more than what was put for last");
        self.put(&key, b"\r\n$-1\r\n", LONG).await;
        assert!(self.left(&key).await <= LONG, "`find` says no more than the shorter time that was put last");
        assert!(self.swap(&key, b"\r\n$-1\r\n", Some((b"v", LONG / 2))).await, "what equals is replaced");
        assert!(self.left(&key).await <= LONG / 2, "`find` says no more than what was swapped in for");
        assert!(!self.put_if_new(&key, b"w", 2 * LONG).await, "`put_new` refuses where a value is");
        assert!(self.left(&key).await <= LONG / 2, "`find` does not count what was refused");
        self.remove(&key).await;
        assert_eq!(self.found(&key).await, None, "`find` of what was removed is `None`");
        assert!(self.put_if_new(&key, b"v", LONG).await, "`put_new` sets what is absent");
        assert!(self.left(&key).await <= LONG, "`find` says no more than what `put_new` set for");
        self.remove(&key).await;
        self.count(&key, 7, LONG).await;
        self.count(&key, 1, 2 * LONG).await;
        assert!(self.left(&key).await <= LONG, "`find` says no more than the window of a counter");
        self.remove(&key).await;
    }

    async fn a_time_to_live_of_zero(&self) {
        let key = self.fresh("zero").await;
        self.put(&key, b"v", Duration::ZERO).await;
        assert_eq!(self.get(&key).await, None, "nobody sees what was put for no time");
        self.put(&key, b"v", LONG).await;
        self.put(&key, b"w", Duration::ZERO).await;
        assert_eq!(self.get(&key).await, None, "`put` for no time replaces what was there");

        assert!(self.put_if_new(&key, b"v", Duration::ZERO).await, "`put_new` for no time sets what is absent");
        assert_eq!(self.get(&key).await, None, "nobody sees what `put_new` set for no time");
        self.put(&key, b"v", LONG).await;
        assert!(!self.put_if_new(&key, b"w", Duration::ZERO).await, "`put_new` for no time refuses as ever");
        assert!(self.holds(&key, b"v").await, "a refused `put_new` for no time changes nothing");

        assert!(
            !self.swap(&key, b"w", Some((b"x", Duration::ZERO))).await && self.holds(&key, b"v").await,
            "a refused `compare_and_swap` for no time changes nothing"
        );
        assert!(self.swap(&key, b"v", Some((b"x", Duration::ZERO))).await, "what equals is swapped for no time");
        assert_eq!(self.get(&key).await, None, "nobody sees what was swapped in for no time");

        for _ in 0..2 {
            let counted = self.count(&key, 3, Duration::ZERO).await;
            assert_eq!(counted, Counted::new(3, Duration::ZERO), "a counter for no time forgets itself at once");
            assert_eq!(self.get(&key).await, None, "nobody sees a counter for no time");
        }
        self.count(&key, 3, LONG).await;
        assert_eq!(
            self.count(&key, 4, Duration::ZERO).await.total,
            7,
            "a window of zero counts in the first addition alone"
        );
        assert!(self.holds(&key, b"7").await, "a later window of zero ends nothing");
        self.remove(&key).await;
    }

    async fn keys_do_not_collide(&self) {
        let keys = [
            CacheKey::named("conformance-a"),
            CacheKey::named("conformance-A"),
            CacheKey::named("conformance-a:b"),
            CacheKey::named("conformance-a*"),
            CacheKey::named("conformance-{a}"),
            CacheKey::named("conformance a"),
            CacheKey::hashed("conformance-a", &[b"b"]),
            CacheKey::hashed("conformance-a", &[b"b", b""]),
            CacheKey::hashed("conformance-A", &[b"b"]),
        ];
        for key in &keys {
            self.put(key, key.as_str().as_bytes(), LONG).await;
        }
        for (at, removed) in keys.iter().enumerate() {
            assert!(self.holds(removed, removed.as_str().as_bytes()).await, "`{removed}` has its own value");
            self.remove(removed).await;
            for key in keys.iter().skip(at + 1) {
                assert!(self.get(key).await.is_some(), "removing `{removed}` leaves `{key}`");
            }
        }
    }

    /// Everything that has to do with time is prepared together, so that time passes once.
    async fn expiry(&self, pass: &impl AsyncFn(Duration)) {
        let put = self.fresh("expiry put").await;
        self.put(&put, b"v", SHORT).await;
        let shortest = self.fresh("expiry shortest").await;
        self.put(&shortest, b"v", Duration::from_nanos(1)).await;
        let shortened = self.fresh("expiry shortened").await;
        self.put(&shortened, b"v", LONG).await;
        self.put(&shortened, b"v", SHORT).await;
        let prolonged = self.fresh("expiry prolonged").await;
        self.put(&prolonged, b"v", SHORT).await;
        self.put(&prolonged, b"v", LONG).await;
        let put_new = self.fresh("expiry put_new").await;
        assert!(self.put_if_new(&put_new, b"v", SHORT).await, "`put_new` sets what is absent");
        let refused = self.fresh("expiry refused").await;
        self.put(&refused, b"v", SHORT).await;
        assert!(!self.put_if_new(&refused, b"w", LONG).await, "`put_new` refuses where a value is");
        assert!(!self.swap(&refused, b"w", Some((b"x", LONG))).await, "what differs is not swapped");
        let swapped = self.fresh("expiry swapped").await;
        self.put(&swapped, b"v", LONG).await;
        assert!(self.swap(&swapped, b"v", Some((b"v", SHORT))).await, "what equals is replaced");
        let kept = self.fresh("expiry kept").await;
        self.put(&kept, b"v", SHORT).await;
        assert!(self.swap(&kept, b"v", Some((b"v", LONG))).await, "what equals is replaced");
        let counter = self.fresh("expiry counter").await;
        self.count(&counter, 1, SHORT).await;
        self.count(&counter, 1, LONG).await;
        let number = self.fresh("expiry number").await;
        self.put(&number, b"1", SHORT).await;
        self.count(&number, 1, LONG).await;
        let stopped = self.fresh("expiry stopped").await;
        self.count(&stopped, 1, SHORT).await;
        self.count(&stopped, u64::MAX, LONG).await;

        pass(SHORT).await;

        for (key, rule) in [
            (&put, "what was put is over after its time to live"),
            (&shortest, "the shortest time to live is over, too"),
            (&shortened, "`put` may shorten the time to live"),
            (&put_new, "what `put_new` set is over after its time to live"),
            (&refused, "what is refused does not prolong the time to live"),
            (&swapped, "what was swapped in has its own time to live"),
            (&counter, "a counter is over after the window of its first addition"),
            (&number, "a number that was put is over after its own time to live, whatever was added"),
            (&stopped, "a counter that has stopped is over after its window"),
        ] {
            assert_eq!(self.get(key).await, None, "{rule}");
            assert_eq!(self.found(key).await, None, "{rule}, for `find` too");
        }
        for key in [&prolonged, &kept] {
            assert!(self.left(key).await <= LONG - SHORT, "what `find` says is left grows less as time passes");
        }
        assert!(self.holds(&prolonged, b"v").await, "`put` may prolong the time to live");
        assert!(self.holds(&kept, b"v").await, "`compare_and_swap` may prolong the time to live");

        assert_eq!(self.take(&put).await, None, "what is over cannot be taken");
        assert!(!self.swap(&swapped, b"v", Some((b"w", LONG))).await, "what is over equals nothing");
        assert!(self.put_if_new(&put_new, b"w", LONG).await, "`put_new` sets what is over");
        assert_eq!(self.count(&counter, 5, LONG).await.total, 5, "a counter that is over starts at zero");
        self.remove(&refused).await;
        for key in [&prolonged, &kept, &put_new, &counter] {
            self.remove(key).await;
        }
    }

    /// What each of many tasks got that did the same thing at the same time; `verb` is told which of them it
    /// is.
    async fn rivals<T, F>(&self, verb: impl Fn(Arc<S>, usize) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let start = Arc::new(Barrier::new(RIVALS));
        let mut tasks = JoinSet::new();
        for rival in 0..RIVALS {
            let (start, turn) = (start.clone(), verb(self.store.clone(), rival));
            tasks.spawn(async move {
                start.wait().await;
                turn.await
            });
        }
        tasks.join_all().await
    }

    async fn rivals_put_new(&self) {
        let key = self.fresh("rivals put_new").await;
        let won = self
            .rivals(|store, rival| {
                let key = key.clone();
                async move {
                    let value = Bytes::from(rival.to_string());
                    let won = store.put_new(&key, value, LONG).await.expect("`put_new` failed");
                    won.then_some(rival)
                }
            })
            .await;
        let winners: Vec<usize> = won.into_iter().flatten().collect();
        let [winner] = winners[..] else { panic!("one of {RIVALS} `put_new` sets the value, not {winners:?}") };
        assert!(
            self.holds(&key, winner.to_string().as_bytes()).await,
            "the value is that of the one `put_new` that said so"
        );
        self.remove(&key).await;
    }

    async fn rivals_take(&self) {
        let key = self.fresh("rivals take").await;
        self.put(&key, b"once", LONG).await;
        let taken = self
            .rivals(|store, _| {
                let key = key.clone();
                async move { store.take(&key).await.expect("`take` failed") }
            })
            .await;
        let winners = taken.into_iter().flatten().count();
        assert_eq!(winners, 1, "one of {RIVALS} `take` gets the value");
    }

    async fn rivals_compare_and_swap(&self) {
        let key = self.fresh("rivals compare_and_swap").await;
        self.put(&key, b"old", LONG).await;
        let won = self
            .rivals(|store, rival| {
                let key = key.clone();
                async move {
                    let new = Some((Bytes::from(rival.to_string()), LONG));
                    let won = store.compare_and_swap(&key, b"old", new).await;
                    won.expect("`compare_and_swap` failed").then_some(rival)
                }
            })
            .await;
        let winners: Vec<usize> = won.into_iter().flatten().collect();
        let [winner] = winners[..] else {
            panic!("one of {RIVALS} `compare_and_swap` replaces the value, not {winners:?}")
        };
        let winner = winner.to_string();
        assert!(
            self.holds(&key, winner.as_bytes()).await,
            "the value is that of the one `compare_and_swap` that said so"
        );

        let removed = self
            .rivals(|store, _| {
                let (key, owner) = (key.clone(), winner.clone());
                async move {
                    let removed = store.compare_and_swap(&key, owner.as_bytes(), None).await;
                    removed.expect("`compare_and_swap` failed")
                }
            })
            .await;
        let winners = removed.into_iter().filter(|removed| *removed).count();
        assert_eq!(winners, 1, "one of {RIVALS} `compare_and_swap` removes the value");
    }

    async fn rivals_add(&self) {
        let key = self.fresh("rivals add").await;
        let totals: BTreeSet<u64> = self
            .rivals(|store, _| {
                let key = key.clone();
                async move { store.add(&key, 3, LONG).await.expect("`add` failed").total }
            })
            .await
            .into_iter()
            .collect();
        let expected: BTreeSet<u64> = (1..).map(|n| 3 * n).take(RIVALS).collect();
        assert_eq!(totals, expected, "each of {RIVALS} `add` is counted once, and sees a sum of its own");
        self.remove(&key).await;
    }
}
