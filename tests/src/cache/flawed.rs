//! The suite itself under test: a plain store, each time with another flaw, and the rule by which it is found
//! out.

use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, Found};
use countersign::clock::Clock;
use countersign::{Bytes, async_trait};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    PutNewIsTwoSteps,
    SwapIsTwoSteps,
    TakeIsTwoSteps,
    AddIsTwoSteps,
    AddExtendsTheWindow,
    AddWraps,
    AddTakesTextForZero,
    CountersAreDoubles,
    SwapTakesAbsentForEmpty,
    SwapKeepsTheTimeToLive,
    RefusedPutNewProlongs,
    ZeroIsForEver,
    ValuesEndAtNul,
    KeysIgnoreCase,
    PutNewExpiresLate,
    TakenStays,
    FindSaysTooMuch,
    FindRoundsUp,
    FindSeesTheExpired,
}
use Flaw::*;

#[derive(Debug)]
struct Plain {
    flaw: Option<Flaw>,
    clock: FakeClock,
    entries: Mutex<HashMap<String, (Bytes, Option<SystemTime>)>>,
}

impl Plain {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Between looking and acting: where the others come in.
    async fn step(&self, flaw: Flaw) {
        if self.has(flaw) {
            tokio::task::yield_now().await;
        }
    }

    fn name(&self, key: &CacheKey) -> String {
        let name = key.as_str();
        if self.has(KeysIgnoreCase) { name.to_lowercase() } else { name.to_owned() }
    }

    fn look(&self, key: &CacheKey) -> Option<(Bytes, Option<SystemTime>)> {
        let entry = self.entries.lock().expect("lock").get(&self.name(key)).cloned()?;
        let live = entry.1.is_none_or(|expires| self.clock.now() < expires);
        live.then_some(entry)
    }

    fn set(&self, key: &CacheKey, mut value: Bytes, expires: Option<SystemTime>) {
        if self.has(ValuesEndAtNul)
            && let Some(end) = value.iter().position(|byte| *byte == 0)
        {
            value.truncate(end);
        }
        self.entries.lock().expect("lock").insert(self.name(key), (value, expires));
    }

    fn expires(&self, ttl: Duration) -> Option<SystemTime> {
        if ttl.is_zero() && self.has(ZeroIsForEver) { None } else { self.clock.now().checked_add(ttl) }
    }

    fn drop_entry(&self, key: &CacheKey) {
        self.entries.lock().expect("lock").remove(&self.name(key));
    }
}

#[async_trait]
impl CacheStore for Plain {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        Ok(self.look(key).map(|(value, _)| value))
    }

    async fn find(&self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let found = match self.look(key) {
            None if self.has(FindSeesTheExpired) => self.entries.lock().expect("lock").get(&self.name(key)).cloned(),
            found => found,
        };
        Ok(found.map(|(value, expires)| {
            let left = expires.and_then(|expires| expires.duration_since(self.clock.now()).ok());
            let left = match left {
                Some(left) if self.has(FindSaysTooMuch) => Some(left + Duration::from_millis(1)),
                Some(left) if self.has(FindRoundsUp) => Some(Duration::from_secs(60 * left.as_secs().div_ceil(60))),
                // Where another rule is to find the flaw, `find` does not give it away.
                left => left.filter(|_| self.flaw.is_none()),
            };
            Found::new(value, left)
        }))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.set(key, value, self.expires(ttl));
        Ok(())
    }

    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool, CacheError> {
        if let Some((value, _)) = self.look(key) {
            if self.has(RefusedPutNewProlongs) && !ttl.is_zero() {
                self.set(key, value, self.expires(ttl));
            }
            return Ok(false);
        }
        self.step(PutNewIsTwoSteps).await;
        let late = if self.has(PutNewExpiresLate) { 2 } else { 1 };
        self.set(key, value, self.expires(ttl.saturating_mul(late)));
        Ok(true)
    }

    async fn compare_and_swap(
        &self,
        key: &CacheKey,
        expected: &[u8],
        new: Option<(Bytes, Duration)>,
    ) -> Result<bool, CacheError> {
        let found = self.look(key).or_else(|| self.has(SwapTakesAbsentForEmpty).then(Default::default));
        let Some((_, before)) = found.filter(|(value, _)| value == expected) else { return Ok(false) };
        self.step(SwapIsTwoSteps).await;
        match new {
            Some((value, ttl)) if self.has(SwapKeepsTheTimeToLive) && !ttl.is_zero() => {
                self.set(key, value, before);
            }
            Some((value, ttl)) => self.set(key, value, self.expires(ttl)),
            None => self.drop_entry(key),
        }
        Ok(true)
    }

    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let found = self.look(key);
        self.step(TakeIsTwoSteps).await;
        if !self.has(TakenStays) {
            self.drop_entry(key);
        }
        Ok(found.map(|(value, _)| value))
    }

    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted, CacheError> {
        let (before, mut expires) = match self.look(key) {
            None => (0, self.expires(window)),
            Some((text, expires)) => {
                let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<i64>().ok());
                let counter = number.filter(|n| *n >= 0 && n.to_string() == text);
                match counter {
                    Some(counter) => (counter.unsigned_abs(), expires),
                    None if self.has(AddTakesTextForZero) => (0, expires),
                    None => return Err(CacheError::because("no counter")),
                }
            }
        };
        self.step(AddIsTwoSteps).await;
        if self.has(AddExtendsTheWindow) {
            expires = self.expires(window);
        }
        let mut total = before.saturating_add(n).min(i64::MAX.unsigned_abs());
        if self.has(AddWraps) {
            total = before.wrapping_add(n);
        }
        if self.has(CountersAreDoubles) && total > 1 << 53 {
            total &= !1;
        }
        self.set(key, Bytes::from(total.to_string()), expires);
        let left = expires.and_then(|expires| expires.duration_since(self.clock.now()).ok());
        Ok(Counted::new(total, left.unwrap_or_default()))
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.drop_entry(key);
        Ok(())
    }
}

/// What the suite says of a store on one thread: `Err` holds the rule that does not hold.
fn verdict(flaw: Option<Flaw>) -> Result<(), String> {
    let suite = std::thread::spawn(move || {
        let clock = FakeClock::at(1_300_819_380);
        let store = Plain { flaw, clock: clock.clone(), entries: Mutex::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(conformance::cache_store(store, async |time| clock.advance(time)));
    });
    suite.join().map_err(|panic| match panic.downcast::<String>() {
        Ok(said) => *said,
        Err(panic) => panic.downcast::<&str>().expect("a panic says something").to_string(),
    })
}

#[test]
fn a_store_with_a_flaw_is_found_out_by_the_rule_that_it_breaks() {
    assert_eq!(verdict(None), Ok(()));
    for (flaw, rule) in [
        (PutNewIsTwoSteps, "one of 32 `put_new` sets the value"),
        (SwapIsTwoSteps, "one of 32 `compare_and_swap` replaces the value"),
        (TakeIsTwoSteps, "one of 32 `take` gets the value"),
        (AddIsTwoSteps, "each of 32 `add` is counted once"),
        (AddExtendsTheWindow, "a later addition does not extend the window"),
        (AddWraps, "a counter stops at `i64::MAX`"),
        (AddTakesTextForZero, "which is no counter, is an error"),
        (CountersAreDoubles, "a counter is exact above 2^53"),
        (SwapTakesAbsentForEmpty, "what is absent does not equal the empty value"),
        (SwapKeepsTheTimeToLive, "what was swapped in has its own time to live"),
        (RefusedPutNewProlongs, "what is refused does not prolong the time to live"),
        (ZeroIsForEver, "nobody sees what was put for no time"),
        (ValuesEndAtNul, "`get` gives every byte of \\x00"),
        (KeysIgnoreCase, "has its own value"),
        (PutNewExpiresLate, "what `put_new` set is over after its time to live"),
        (TakenStays, "`take` gives it once"),
        (FindSaysTooMuch, "`find` says no more than what was put for"),
        (FindRoundsUp, "grows less as time passes"),
        (FindSeesTheExpired, "`find` and `get` agree"),
    ] {
        let said = verdict(Some(flaw)).expect_err("a flaw is found out");
        assert!(said.contains(rule), "{flaw:?} was found out by `{said}`");
    }
}
