//! The suite itself under test: plain providers, each time with another flaw, and the rule by which it is found out.

use countersign::keys::KeyIdentity;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet, Unavailable};
use countersign::{Algorithm, VerifyingKey, async_trait};
use countersign_testkit::conformance::{KeySource, key_provider};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    AbsentIsAmbiguous,
    AbsentIsUnavailable,
    AnIdIsDemanded,
    AnotherAlgorithmIsUnavailable,
    AnyAlgorithmWillDo,
    CandidatesOfAnyAlgorithm,
    DownDeniesWhatWasKnown,
    DownIsForEver,
    DownIsNotFound,
    DownRemembersTheAbsent,
    IdsAreCutOff,
    IdsAreNormalized,
    IdsAreTrimmed,
    IdsIgnoreCase,
    IssuersAreAnswers,
    IssuersAreRemembered,
    KeepsTheRemoved,
    KeepsTheReplaced,
    LeavingFailsOthers,
    NeverLooksAgain,
    NoCandidates,
    NowForgetsTheAlgorithm,
    NowSaysNotFoundEarly,
    OneCallerAtATime,
    OneCandidate,
    OneKeyForEachId,
    QuotesPanic,
    TheFirstCallerMustStay,
    TheFirstOfSeveralIsGiven,
    TheOlderNameIsAnother,
    TrustsAll,
    TrustsNothing,
    TrustsTheMaterialForAnyAlgorithm,
    TrustsTheRemoved,
    TrustsTheReplaced,
}
use Flaw::*;

/// What is published; `None` where it cannot be reached.
type Published = Arc<Mutex<Option<Vec<VerifyingKey>>>>;

#[derive(Debug)]
struct Plain {
    flaw: Option<Flaw>,
    published: Published,
    state: Mutex<State>,
    is_looking: AtomicBool,
    was_left: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// What was published when the provider last looked.
    known: Option<Vec<VerifyingKey>>,
    ever_known: Vec<KeyIdentity>,
    replaced: Vec<KeyIdentity>,
    was_down: bool,
    absent: Vec<String>,
    had_issuer: bool,
}

/// A caller that may go away before it is done.
struct Caller<'p>(Option<&'p AtomicBool>);

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if let Some(was_left) = self.0 {
            was_left.store(true, Ordering::SeqCst);
        }
    }
}

fn unavailable() -> KeyProviderError {
    KeyProviderError::Unavailable(Unavailable::default())
}

impl Plain {
    fn new(flaw: Option<Flaw>, published: Published) -> Self {
        let (is_looking, was_left) = Default::default();
        Self { flaw, published, state: Mutex::default(), is_looking, was_left }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().expect("lock"))
    }

    fn known(&self) -> Vec<VerifyingKey> {
        self.state(|state| state.known.clone().unwrap_or_default())
    }

    fn fits(&self, key: &VerifyingKey, algorithm: Algorithm) -> bool {
        if self.has(TheOlderNameIsAnother) {
            return key.algorithm() == algorithm;
        }
        key.algorithm().is_same_as(algorithm)
    }

    fn is_id(&self, own: &str, wanted: &str) -> bool {
        match self.flaw {
            Some(IdsIgnoreCase) => own.to_lowercase() == wanted.to_lowercase(),
            Some(IdsAreTrimmed) => own.trim() == wanted.trim(),
            Some(IdsAreCutOff) => own.chars().take(255).eq(wanted.chars().take(255)),
            Some(IdsAreNormalized) => own.replace("e\u{301}", "é") == wanted.replace("e\u{301}", "é"),
            Some(QuotesPanic) => {
                assert!(!wanted.contains('"'), "a quote");
                own == wanted
            }
            _ => own == wanted,
        }
    }

    fn find(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let keys = self.known();
        let by_issuer = wanted.issuer.is_some() && self.has(IssuersAreAnswers);
        let Some(id) = wanted.key_id.filter(|_| !by_issuer) else {
            if self.has(AnIdIsDemanded) {
                return Err(KeyProviderError::NotFound);
            }
            let mut fitting = keys.into_iter().filter(|key| self.fits(key, wanted.algorithm));
            return match (fitting.next(), fitting.next()) {
                (Some(_), Some(_)) if !by_issuer && !self.has(TheFirstOfSeveralIsGiven) => {
                    Err(KeyProviderError::Ambiguous)
                }
                (Some(key), _) => Ok(key),
                (None, _) => Err(KeyProviderError::NotFound),
            };
        };
        let mut of_id: Vec<_> =
            keys.into_iter().filter(|key| self.is_id(key.key_id().unwrap_or_default(), id)).collect();
        if self.has(OneKeyForEachId) {
            of_id.truncate(1);
        }
        match of_id.iter().find(|key| self.fits(key, wanted.algorithm) || self.has(AnyAlgorithmWillDo)) {
            Some(key) => Ok(key.clone()),
            None if !of_id.is_empty() && self.has(AnotherAlgorithmIsUnavailable) => Err(unavailable()),
            None if !of_id.is_empty() => Err(KeyProviderError::WrongAlgorithm),
            None if self.has(AbsentIsUnavailable) => Err(unavailable()),
            None if self.has(AbsentIsAmbiguous) => Err(KeyProviderError::Ambiguous),
            None => Err(KeyProviderError::NotFound),
        }
    }

    /// Looks at what is published, with a pause in which others come in.
    async fn look(&self) -> Result<(), KeyProviderError> {
        while self.is_looking.swap(true, Ordering::SeqCst) {
            match self.flaw {
                Some(OneCallerAtATime) => return Err(unavailable()),
                Some(TheFirstCallerMustStay) => tokio::time::sleep(Duration::from_secs(1)).await,
                _ => break,
            }
        }
        let mut caller = Caller(Some(&self.was_left));
        tokio::task::yield_now().await;
        caller.0 = None;
        if self.has(LeavingFailsOthers) && self.was_left.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        self.is_looking.store(false, Ordering::SeqCst);
        let published = self.published.lock().expect("lock").clone();
        self.state(|state| self.learn(state, published))
    }

    fn learn(&self, state: &mut State, published: Option<Vec<VerifyingKey>>) -> Result<(), KeyProviderError> {
        let is_at_first = state.known.is_none();
        if self.has(NeverLooksAgain) && !is_at_first {
            return Ok(());
        }
        let Some(mut published) = published.filter(|_| !(self.has(DownIsForEver) && state.was_down)) else {
            state.was_down = true;
            return Err(match self.flaw {
                Some(DownIsNotFound) if is_at_first => KeyProviderError::NotFound,
                Some(DownDeniesWhatWasKnown) if !is_at_first => KeyProviderError::NotFound,
                _ => unavailable(),
            });
        };
        for old in state.known.take().unwrap_or_default() {
            match published.iter_mut().find(|new| new.key_id() == old.key_id() && new.algorithm() == old.algorithm()) {
                Some(new) if self.has(KeepsTheReplaced) => *new = old,
                Some(new) if new.identity() != old.identity() => state.replaced.push(old.identity()),
                None if self.has(KeepsTheRemoved) => published.push(old),
                _ => {}
            }
        }
        state.ever_known.extend(published.iter().map(VerifyingKey::identity));
        state.known = Some(published);
        Ok(())
    }
}

#[async_trait]
impl KeyProvider for Plain {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        match self.flaw {
            Some(NowSaysNotFoundEarly) => Some(self.find(wanted)),
            Some(NowForgetsTheAlgorithm) => {
                let key = self.known().into_iter().find(|key| key.key_id() == wanted.key_id)?;
                Some(Ok(key))
            }
            _ => None,
        }
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let looked = self.look().await;
        let is_absent = self.state(|state| {
            if looked.is_err() && self.has(DownRemembersTheAbsent) {
                let known = state.known.iter().flatten().filter_map(VerifyingKey::key_id);
                let is_known = state.known.is_none() || known.into_iter().any(|id| Some(id) == wanted.key_id);
                state.absent.extend(wanted.key_id.filter(|_| !is_known).map(str::to_owned));
            }
            state.absent.iter().any(|absent| Some(&absent[..]) == wanted.key_id)
        });
        looked?;
        let had_issuer = self.state(|state| std::mem::replace(&mut state.had_issuer, wanted.issuer.is_some()));
        if is_absent || (had_issuer && wanted.issuer.is_none() && self.has(IssuersAreRemembered)) {
            return Err(KeyProviderError::NotFound);
        }
        self.find(wanted)
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let mut keys = self.known();
        keys.retain(|key| self.fits(key, wanted.algorithm) || self.has(CandidatesOfAnyAlgorithm));
        keys.truncate(match self.flaw {
            Some(NoCandidates) => 0,
            Some(OneCandidate) => 1,
            _ => usize::MAX,
        });
        keys
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        let is_known = || self.known().iter().any(|own| own.identity() == *key);
        match self.flaw {
            Some(TrustsAll) => true,
            Some(TrustsNothing) => false,
            Some(TrustsTheMaterialForAnyAlgorithm) => key.algorithm() == Algorithm::PS256 || is_known(),
            Some(TrustsTheReplaced) => self.state(|state| state.replaced.contains(key)) || is_known(),
            Some(TrustsTheRemoved) => self.state(|state| state.ever_known.contains(key)),
            _ => is_known(),
        }
    }
}

struct Switch(Published);

#[async_trait]
impl KeySource for Switch {
    async fn publish(&mut self, keys: Vec<VerifyingKey>) {
        *self.0.lock().expect("lock") = Some(keys);
    }

    async fn go_down(&mut self) {
        *self.0.lock().expect("lock") = None;
    }

    async fn settle(&mut self) {}
}

/// What a suite says, on one thread and in a time of its own: `Err` holds the rule that does not hold.
fn verdict(suite: impl AsyncFnOnce() + Send + 'static) -> Result<(), String> {
    let suite = std::thread::spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(suite());
    });
    suite.join().map_err(|panic| match panic.downcast::<String>() {
        Ok(said) => *said,
        Err(panic) => panic.downcast::<&str>().expect("a panic says something").to_string(),
    })
}

async fn changing(flaw: Option<Flaw>) {
    let new = async || {
        let published = Published::default();
        (Plain::new(flaw, Arc::clone(&published)), Switch(published))
    };
    key_provider().changing(new).await;
}

#[test]
fn a_provider_with_a_flaw_is_found_out_by_the_rule_that_it_breaks() {
    assert_eq!(verdict(async || changing(None).await), Ok(()));
    for (flaw, rule) in [
        (AbsentIsAmbiguous, "an id that is not published is not found"),
        (AbsentIsUnavailable, "an id that is not published is not found"),
        (AnIdIsDemanded, "the only key that fits is found without an id"),
        (AnotherAlgorithmIsUnavailable, "an id known for another algorithm is refused"),
        (AnyAlgorithmWillDo, "a key fits the algorithm that was asked for"),
        (CandidatesOfAnyAlgorithm, "`candidates`"),
        (DownDeniesWhatWasKnown, "an outage makes a known key unavailable at most"),
        (DownIsForEver, "a key is found as soon as its source is back"),
        (DownIsNotFound, "what was never reached is unavailable"),
        (DownRemembersTheAbsent, "a key that was asked for in an outage is found after it"),
        (IdsAreCutOff, "a published key is found by its id"),
        (IdsAreNormalized, "a published key is found by its id"),
        (IdsAreTrimmed, "an id that is not published is not found"),
        (IdsIgnoreCase, "an id that is not published is not found"),
        (IssuersAreAnswers, "an issuer does not change which key has an id"),
        (IssuersAreRemembered, "a request with an issuer does not change what the next one finds"),
        (KeepsTheRemoved, "a key that was removed is not found"),
        (KeepsTheReplaced, "a key that replaces another under its id is found"),
        (LeavingFailsOthers, "a caller that goes away takes nothing from another one"),
        (NeverLooksAgain, "a key that was added is found"),
        (NoCandidates, "`candidates` are the keys that fit"),
        (NowForgetsTheAlgorithm, "`key_now` agrees with `key`"),
        (NowSaysNotFoundEarly, "`key_now` agrees with `key`"),
        (OneCallerAtATime, "each of 32 callers at once gets its key"),
        (OneCandidate, "`candidates` are the keys that fit"),
        (OneKeyForEachId, "keys of one id are told apart by their algorithms"),
        (QuotesPanic, "a quote"),
        (TheFirstCallerMustStay, "a caller that goes away takes nothing from another one"),
        (TheFirstOfSeveralIsGiven, "where several keys fit and no id was asked for, none is given"),
        (TheOlderNameIsAnother, "keys of one id are told apart by their algorithms"),
        (TrustsAll, "`trusts` says no to a key that was never published"),
        (TrustsNothing, "`trusts` knows a published key that was looked up"),
        (TrustsTheMaterialForAnyAlgorithm, "`trusts` says no to a published key for another algorithm"),
        (TrustsTheRemoved, "`trusts` says no to a key that was removed"),
        (TrustsTheReplaced, "`trusts` says no to a key that was replaced under its id"),
    ] {
        let said = verdict(async move || changing(Some(flaw)).await).expect_err("a flaw is found out");
        assert!(said.contains(rule), "{flaw:?} was found out by `{said}`");
    }
}

/// `key` and nothing else, as an implementor may leave it.
#[derive(Debug)]
struct Bare(KeySet);

#[async_trait]
impl KeyProvider for Bare {
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.0.find(wanted).cloned()
    }
}

#[test]
fn what_a_provider_does_not_do_is_said_and_not_passed_over() {
    let bare = async |keys: Vec<VerifyingKey>| Bare(KeySet::from_iter(keys));
    let suite = key_provider();
    assert_eq!(verdict(async move || suite.without_trust().without_candidates().fixed(bare).await), Ok(()));
    for (suite, method, instead) in [
        (suite.without_trust(), "`candidates`", "says `.without_candidates()`"),
        (suite.without_candidates(), "`trusts`", "says `.without_trust()`"),
    ] {
        let said = verdict(async move || suite.fixed(bare).await).expect_err("it does less than it says");
        assert!(said.contains(method) && said.contains(instead), "{said}");
        let whole = async |keys: Vec<VerifyingKey>| KeySet::from_iter(keys);
        verdict(async move || suite.fixed(whole).await).expect_err("it does more than it says");
    }
}

/// Tells of one algorithm, and has keys for more.
#[derive(Debug)]
struct TellsOne(KeySet);

#[async_trait]
impl KeyProvider for TellsOne {
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.0.find(wanted).cloned()
    }

    fn algorithms(&self) -> Option<Vec<Algorithm>> {
        Some(vec![Algorithm::ES256])
    }
}

#[test]
fn a_provider_that_hides_an_algorithm_is_found_out() {
    let new = async |keys: Vec<VerifyingKey>| TellsOne(KeySet::from_iter(keys));
    let suite = key_provider().without_trust().without_candidates();
    let said = verdict(async move || suite.fixed(new).await).expect_err("a flaw is found out");
    assert!(said.contains("`algorithms`, where it tells any, tells that of each key"), "{said}");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mixup {
    AnyIssuer,
    TheFirstIsTheDefault,
    SlashesAreTrimmed,
    CaseIsIgnored,
    TrustsTheFirstAlone,
}
use Mixup::*;

#[derive(Debug)]
struct Routed {
    mixup: Option<Mixup>,
    issuers: Vec<(String, KeySet)>,
}

#[async_trait]
impl KeyProvider for Routed {
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let answer = |(_, keys): &(String, KeySet)| keys.find(wanted).cloned();
        let mut own = self.issuers.iter().filter(|(issuer, _)| self.is(issuer, wanted.issuer.unwrap_or_default()));
        match self.mixup {
            Some(AnyIssuer) => self.issuers.iter().find_map(|keys| answer(keys).ok()).ok_or(KeyProviderError::NotFound),
            Some(TheFirstIsTheDefault) => {
                own.next().or(self.issuers.first()).map_or(Err(KeyProviderError::NotFound), answer)
            }
            _ => own.next().map_or(Err(KeyProviderError::NotFound), answer),
        }
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let own = self.issuers.iter().filter(|(issuer, _)| Some(&issuer[..]) == wanted.issuer);
        own.flat_map(|(_, keys)| keys.candidates(wanted)).collect()
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        let known = if self.mixup == Some(TrustsTheFirstAlone) { 1 } else { usize::MAX };
        self.issuers.iter().take(known).any(|(_, keys)| keys.trusts(key))
    }
}

impl Routed {
    fn is(&self, own: &str, wanted: &str) -> bool {
        match self.mixup {
            Some(SlashesAreTrimmed) => own.trim_end_matches('/') == wanted.trim_end_matches('/'),
            Some(CaseIsIgnored) => own.eq_ignore_ascii_case(wanted),
            _ => own == wanted,
        }
    }
}

#[test]
fn a_provider_that_mixes_issuers_up_is_found_out() {
    let verdict = |mixup| {
        verdict(async move || {
            let new = async |issuers: Vec<(String, Vec<VerifyingKey>)>| {
                let issuers = issuers.into_iter().map(|(issuer, keys)| (issuer, KeySet::from_iter(keys)));
                Routed { mixup, issuers: issuers.collect() }
            };
            key_provider().by_issuer(new).await;
        })
    };
    assert_eq!(verdict(None), Ok(()));
    for (mixup, rule) in [
        (AnyIssuer, "a key is found under its own issuer"),
        (TheFirstIsTheDefault, "an issuer that is not configured has no keys"),
        (SlashesAreTrimmed, "an issuer that is not configured has no keys"),
        (CaseIsIgnored, "an issuer that is not configured has no keys"),
        (TrustsTheFirstAlone, "`trusts` knows the keys of each issuer"),
    ] {
        let said = verdict(Some(mixup)).expect_err("a flaw is found out");
        assert!(said.contains(rule), "{mixup:?} was found out by `{said}`");
    }
}
