//! The rules of [`KeyProvider`].

mod keys;

use super::{CALLERS, PATIENCE, once};
use countersign::async_trait;
use countersign::keys::KeyIdentity;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::{Algorithm, VerifyingKey};
use keys::{key, odd_ids, odd_keys, same_material_for_another_algorithm, various_keys};
use std::collections::HashSet;
use std::fmt::Debug;
use std::slice;
use std::sync::Arc;
use std::task::Poll;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Said where a provider may not know of the method.
const LEAVES_TRUST: &str = " (a provider that leaves it out says `.without_trust()`)";
const LEAVES_CANDIDATES: &str = " (a provider that leaves it out says `.without_candidates()`)";

/// The rules of [`KeyProvider`], to be run against one: see [`KeyProviderSuite`].
///
/// ```
/// use countersign::provider::KeySet;
/// use countersign_testkit::conformance;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// // In a test of your own provider, which stands here for `KeySet`.
/// conformance::key_provider().fixed(async |keys| KeySet::from_iter(keys)).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn key_provider() -> KeyProviderSuite {
    KeyProviderSuite { trusts: true, has_candidates: true }
}

/// The rules of [`KeyProvider`], for providers of every kind:
///
/// - [`fixed`](Self::fixed): the provider is made with its keys.
/// - [`single`](Self::single): it has one key.
/// - [`changing`](Self::changing): it follows a source of keys, which may also be out of reach. All that `fixed` asks
///   is asked here too.
/// - [`by_issuer`](Self::by_issuer): it keeps the keys of several issuers apart.
///
/// A provider is asked on a tokio runtime with timers; callers are tasks, and rivals in earnest on a runtime with
/// several threads.
///
/// ```
/// use countersign::provider::KeySet;
/// use countersign_testkit::conformance;
///
/// # async fn example() {
/// conformance::key_provider().fixed(async |keys| KeySet::from_iter(keys)).await;
/// conformance::key_provider().single(async |key| key).await;
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
#[non_exhaustive]
pub struct KeyProviderSuite {
    trusts: bool,
    has_candidates: bool,
}

/// Where a provider gets its keys from, in the hands of the suite.
///
/// ```
/// use countersign::provider::KeySet;
/// use countersign::{VerifyingKey, async_trait};
/// use countersign_testkit::clock::FakeClock;
/// use countersign_testkit::conformance::KeySource;
/// use countersign_testkit::jwks_server::{Answer, JwksServer};
/// use std::time::Duration;
///
/// /// A server that publishes, and the clock of a provider that looks again after ten minutes.
/// struct Published {
///     server: JwksServer,
///     clock: FakeClock,
/// }
///
/// #[async_trait]
/// impl KeySource for Published {
///     async fn publish(&mut self, keys: Vec<VerifyingKey>) {
///         let keys: countersign::jwk::JwkSet = keys.iter().filter_map(VerifyingKey::jwk).collect();
///         self.server.say(Answer::json(document(&keys)));
///         self.server.listen().await;
///     }
///
///     async fn go_down(&mut self) {
///         self.server.refuse().await;
///     }
///
///     async fn settle(&mut self) {
///         self.clock.pass(Duration::from_secs(601)).await;
///     }
/// }
/// # fn document(_: &countersign::jwk::JwkSet) -> String { String::new() }
/// ```
#[async_trait]
pub trait KeySource: Send {
    /// From now on these keys are published, and no others, and the source can be reached.
    async fn publish(&mut self, keys: Vec<VerifyingKey>);

    /// From now on the source cannot be reached.
    async fn go_down(&mut self);

    /// Gives the provider what it needs to learn how things stand, time above all. Nothing is said of what it answers
    /// before; afterwards it answers by what is published, or as best it can where the source is down.
    async fn settle(&mut self);
}

impl KeyProviderSuite {
    /// For a provider that leaves [`trusts`](KeyProvider::trusts) as it is: no verdict is used again.
    pub fn without_trust(mut self) -> Self {
        self.trusts = false;
        self
    }

    /// For a provider that leaves [`candidates`](KeyProvider::candidates) as it is: it names none.
    pub fn without_candidates(mut self) -> Self {
        self.has_candidates = false;
        self
    }

    /// Runs the rules against providers that are made with their keys: public ones, of which several may share a key
    /// id and differ in their algorithms.
    ///
    /// # Panics
    /// Where a rule does not hold.
    pub async fn fixed<P: KeyProvider>(self, new: impl AsyncFn(Vec<VerifyingKey>) -> P) {
        self.sets(async |keys| (new(keys).await, ())).await;
    }

    /// Runs the rules against providers that are made with one key each.
    ///
    /// # Panics
    /// Where a rule does not hold.
    pub async fn single<P: KeyProvider>(self, new: impl AsyncFn(VerifyingKey) -> P) {
        for key in various_keys().into_iter().chain(odd_keys()) {
            self.subject(new(key.clone()).await).keeps_its_keys(slice::from_ref(&key)).await;
            self.subject(new(key.clone()).await).serves_many(slice::from_ref(&key)).await;
            self.subject(new(key.clone()).await).survives_a_caller(&key).await;
        }
    }

    /// Runs the rules against providers that follow a source. `new` gives a provider that has asked for nothing yet, and
    /// its source.
    ///
    /// # Panics
    /// Where a rule does not hold.
    pub async fn changing<P: KeyProvider, S: KeySource>(self, new: impl AsyncFn() -> (P, S)) {
        let publishing = async |keys| {
            let (provider, mut source) = new().await;
            source.publish(keys).await;
            (provider, source)
        };
        self.sets(publishing).await;
        let pair = async || {
            let (provider, source) = new().await;
            (self.subject(provider), source)
        };
        let (subject, source) = pair().await;
        subject.begins_in_an_outage(source).await;
        let (subject, source) = pair().await;
        subject.follows(source).await;
        let (subject, source) = pair().await;
        subject.outlasts_an_outage(source).await;
    }

    /// Runs the rules against a provider that is made with the keys of several issuers.
    ///
    /// # Panics
    /// Where a rule does not hold.
    pub async fn by_issuer<P: KeyProvider>(self, new: impl AsyncFn(Vec<(String, Vec<VerifyingKey>)>) -> P) {
        let (one, two) = ("https://one.example", "https://two.example/");
        let [own, other, namesake] = ["a", "b", "a"].map(|id| key(Algorithm::ES256, id));
        let keys = vec![(one.to_owned(), vec![own.clone(), other.clone()]), (two.to_owned(), vec![namesake.clone()])];
        let subject = self.subject(new(keys).await);
        let es256 = KeyRequest::new(Algorithm::ES256);
        let from = |issuer, id| es256.with_issuer(Some(issuer)).with_key_id(id);
        // Twice over: what is remembered for one issuer is not the other's.
        for _ in 0..2 {
            for (issuer, id, expected) in
                [(one, "a", &own), (two, "a", &namesake), (one, "b", &other), (two, "a", &namesake)]
            {
                subject.finds(&from(issuer, Some(id)), expected, "a key is found under its own issuer").await;
            }
            subject.lacks(&from(two, Some("b")), "a key is not found under another issuer").await;
        }
        for unknown in
            ["https://three.example", "https://one.example/", "https://two.example", "HTTPS://one.example", ""]
        {
            subject.lacks(&from(unknown, Some("a")), "an issuer that is not configured has no keys").await;
        }
        subject.is_ambiguous(&from(one, None), &[&own, &other]).await;
        subject.finds(&from(two, None), &namesake, "an issuer's only key that fits is found without an id").await;
        for key in [&own, &other, &namesake] {
            assert_eq!(
                subject.provider.trusts(&key.identity()),
                self.trusts,
                "`trusts` knows the keys of each issuer{LEAVES_TRUST}"
            );
        }
    }

    fn subject<P: KeyProvider>(self, provider: P) -> Subject<P> {
        Subject { provider: Arc::new(provider), suite: self }
    }

    /// What `new` gives beside the provider is kept as long as that.
    async fn sets<P: KeyProvider, S>(self, new: impl AsyncFn(Vec<VerifyingKey>) -> (P, S)) {
        for keys in [various_keys(), odd_keys()] {
            let (provider, _source) = new(keys.clone()).await;
            self.subject(provider).keeps_its_keys(&keys).await;
        }
        let keys = various_keys();
        let (provider, _source) = new(keys.clone()).await;
        self.subject(provider).serves_many(&keys).await;
        for key in &keys {
            let (provider, _source) = new(keys.clone()).await;
            self.subject(provider).survives_a_caller(key).await;
        }
    }
}

struct Subject<P> {
    provider: Arc<P>,
    suite: KeyProviderSuite,
}

type Answer = Result<VerifyingKey, KeyProviderError>;

impl<P: KeyProvider> Subject<P> {
    async fn ask(&self, wanted: &KeyRequest<'_>) -> Answer {
        let before = self.provider.key_now(wanted);
        let answer = timeout(PATIENCE, self.provider.key(wanted)).await;
        let answer = answer.unwrap_or_else(|_| panic!("`key` answers, which it has not for {}", Shown(wanted)));
        for now in [before, self.provider.key_now(wanted)].into_iter().flatten() {
            let agrees = outcome(&now) == outcome(&answer);
            assert!(agrees, "`key_now` agrees with `key`: {now:?} and {answer:?} for {}", Shown(wanted));
        }
        if let Ok(key) = &answer {
            let fits = key.algorithm().is_same_as(wanted.algorithm);
            assert!(fits, "a key fits the algorithm that was asked for: {key:?} for {}", Shown(wanted));
        }
        answer
    }

    async fn finds(&self, wanted: &KeyRequest<'_>, expected: &VerifyingKey, rule: &str) {
        let answer = self.ask(wanted).await;
        let is_found = answer.as_ref().is_ok_and(|key| key.identity() == expected.identity());
        assert!(is_found, "{rule}: {answer:?} for {}", Shown(wanted));
    }

    async fn lacks(&self, wanted: &KeyRequest<'_>, rule: &str) {
        let answer = self.ask(wanted).await;
        assert!(matches!(answer, Err(KeyProviderError::NotFound)), "{rule}: {answer:?} for {}", Shown(wanted));
    }

    /// For where an id is known for other algorithms, or none was asked for.
    async fn refuses(&self, wanted: &KeyRequest<'_>, rule: &str) {
        let answer = self.ask(wanted).await;
        let refused = matches!(answer, Err(KeyProviderError::NotFound | KeyProviderError::WrongAlgorithm));
        assert!(refused, "{rule}: {answer:?} for {}", Shown(wanted));
    }

    async fn is_ambiguous(&self, wanted: &KeyRequest<'_>, fitting: &[&VerifyingKey]) {
        let answer = self.ask(wanted).await;
        let is_ambiguous = matches!(answer, Err(KeyProviderError::Ambiguous));
        assert!(is_ambiguous, "where several keys fit and no id was asked for, none is given: {answer:?}");
        let expected = if self.suite.has_candidates { identities(fitting.iter().copied()) } else { HashSet::new() };
        let candidates = self.provider.candidates(wanted);
        assert_eq!(identities(&candidates), expected, "`candidates` are the keys that fit{LEAVES_CANDIDATES}");
        assert_eq!(candidates.len(), expected.len(), "`candidates` has each key once");
    }

    /// What holds for these keys, each with an id, at any time.
    async fn keeps_its_keys(&self, keys: &[VerifyingKey]) {
        for key in keys {
            let wanted = KeyRequest::new(key.algorithm()).with_key_id(key.key_id());
            for _ in 0..2 {
                self.finds(&wanted, key, "a published key is found by its id and algorithm").await;
            }
            for algorithm in Algorithm::ALL.iter().copied() {
                let wanted = KeyRequest::new(algorithm).with_key_id(key.key_id());
                let own = keys.iter().find(|own| own.key_id() == key.key_id() && own.algorithm().is_same_as(algorithm));
                match own {
                    Some(own) => self.finds(&wanted, own, "keys of one id are told apart by their algorithms").await,
                    None => self.refuses(&wanted, "an id known for another algorithm is refused").await,
                }
            }
        }
        self.answers_without_an_id(keys).await;
        self.knows_no_other_ids(keys).await;
        self.trusts_these(keys).await;
        self.is_not_confused_by_issuers(keys).await;
    }

    async fn answers_without_an_id(&self, keys: &[VerifyingKey]) {
        for algorithm in Algorithm::ALL.iter().copied() {
            let wanted = KeyRequest::new(algorithm);
            let fitting: Vec<_> = keys.iter().filter(|key| key.algorithm().is_same_as(algorithm)).collect();
            match fitting[..] {
                [] => self.refuses(&wanted, "where no key fits and no id was asked for, there is none").await,
                [only] => self.finds(&wanted, only, "the only key that fits is found without an id").await,
                _ => self.is_ambiguous(&wanted, &fitting).await,
            }
            for candidate in self.provider.candidates(&wanted) {
                let fits = identities(fitting.iter().copied()).contains(&candidate.identity());
                assert!(fits, "`candidates` has no key but those that fit: {candidate:?} for {}", Shown(&wanted));
            }
        }
    }

    async fn knows_no_other_ids(&self, keys: &[VerifyingKey]) {
        let of_keys = keys.iter().filter_map(VerifyingKey::key_id);
        let near = of_keys.flat_map(|id| [id.to_uppercase(), format!("{id} "), format!(" {id}"), format!("{id}{id}")]);
        let known: HashSet<_> = keys.iter().filter_map(VerifyingKey::key_id).collect();
        let ids = near.chain(odd_ids()).filter(|id| (1..=256).contains(&id.len()) && !known.contains(&id[..]));
        for id in ids {
            let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(Some(&id));
            self.lacks(&wanted, "an id that is not published is not found").await;
        }
    }

    async fn trusts_these(&self, keys: &[VerifyingKey]) {
        let is_trusted = |key: &VerifyingKey| self.provider.trusts(&key.identity());
        for key in keys {
            let trusted = is_trusted(key);
            assert_eq!(
                trusted, self.suite.trusts,
                "`trusts` knows a published key that was looked up{LEAVES_TRUST}: {key:?}"
            );
            let namesake = self::key(Algorithm::ES256, key.key_id().unwrap_or_default());
            assert!(!is_trusted(&namesake), "`trusts` says no to a key that was never published: {key:?}");
        }
        if let Some(settled) = self.provider.algorithms() {
            let are_told = keys.iter().all(|key| settled.iter().any(|told| told.is_same_as(key.algorithm())));
            assert!(are_told, "`algorithms`, where it tells any, tells that of each key: {settled:?}");
        }
        let other = same_material_for_another_algorithm();
        assert!(!is_trusted(&other), "`trusts` says no to a published key for another algorithm: {other:?}");
    }

    /// A provider may know issuers or not: under one that it does not know, there is no key; under any other, the
    /// same as ever.
    async fn is_not_confused_by_issuers(&self, keys: &[VerifyingKey]) {
        for key in keys {
            let wanted = KeyRequest::new(key.algorithm()).with_key_id(key.key_id());
            for issuer in ["https://one.example", "https://two.example", "../", "\" '%0d%0a"] {
                let from_issuer = wanted.with_issuer(Some(issuer));
                let answer = self.ask(&from_issuer).await;
                let is_right = match &answer {
                    Ok(found) => found.identity() == key.identity(),
                    Err(error) => matches!(error, KeyProviderError::NotFound),
                };
                assert!(
                    is_right,
                    "an issuer does not change which key has an id: {answer:?} for {}",
                    Shown(&from_issuer)
                );
                self.finds(&wanted, key, "a request with an issuer does not change what the next one finds").await;
            }
        }
    }

    /// For a provider that nobody has asked.
    async fn serves_many(&self, keys: &[VerifyingKey]) {
        let mut callers = JoinSet::new();
        for key in keys.iter().cycle().take(CALLERS).cloned() {
            let provider = Arc::clone(&self.provider);
            callers.spawn(async move {
                let wanted = KeyRequest::new(key.algorithm()).with_key_id(key.key_id());
                let answer = timeout(PATIENCE, provider.key(&wanted)).await;
                (answer, key)
            });
        }
        for (answer, key) in callers.join_all().await {
            let is_found = matches!(&answer, Ok(Ok(found)) if found.identity() == key.identity());
            assert!(is_found, "each of {CALLERS} callers at once gets its key: {answer:?} for {key:?}");
        }
    }

    /// For a provider that nobody has asked.
    async fn survives_a_caller(&self, key: &VerifyingKey) {
        let wanted = KeyRequest::new(key.algorithm()).with_key_id(key.key_id());
        let mut first = self.provider.key(&wanted);
        let mut second = self.provider.key(&wanted);
        let _ = once(&mut first).await;
        let already = once(&mut second).await;
        drop(first);
        let answer = match already {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => timeout(PATIENCE, second).await,
        };
        let is_found = matches!(&answer, Ok(Ok(found)) if found.identity() == key.identity());
        assert!(is_found, "a caller that goes away takes nothing from another one: {answer:?}");
        self.finds(&wanted, key, "a caller that went away has left no trace").await;
    }

    async fn begins_in_an_outage(&self, mut source: impl KeySource) {
        let key = key(Algorithm::ES256, "a");
        let es256 = KeyRequest::new(Algorithm::ES256);
        source.go_down().await;
        for wanted in [es256.with_key_id(Some("a")), es256] {
            let answer = self.ask(&wanted).await;
            let is_unknown = matches!(answer, Err(KeyProviderError::Unavailable(_)));
            assert!(is_unknown, "what was never reached is unavailable: {answer:?} for {}", Shown(&wanted));
        }
        assert!(!self.provider.trusts(&key.identity()), "`trusts` knows nothing that was never reached");
        assert!(self.provider.candidates(&es256).is_empty(), "`candidates` has nothing that was never reached");

        source.publish(vec![key.clone()]).await;
        source.settle().await;
        let wanted = es256.with_key_id(Some("a"));
        self.finds(&wanted, &key, "a key is found as soon as its source is back").await;
        self.lacks(&es256.with_key_id(Some("b")), "an id that a source lacks is not found once that is back").await;
    }

    async fn follows(&self, mut source: impl KeySource) {
        let [old, stays, new, renewed] = ["old", "stays", "new", "stays"].map(|id| key(Algorithm::ES256, id));
        let es256 = KeyRequest::new(Algorithm::ES256);
        let find = async |key: &VerifyingKey, rule| self.finds(&es256.with_key_id(key.key_id()), key, rule).await;
        source.publish(vec![old.clone(), stays.clone()]).await;
        for key in [&old, &stays] {
            find(key, "a published key is found").await;
        }

        source.publish(vec![stays.clone(), new.clone()]).await;
        source.settle().await;
        find(&new, "a key that was added is found").await;
        find(&stays, "a key that stays published stays found").await;
        self.lacks(&es256.with_key_id(Some("old")), "a key that was removed is not found").await;
        assert!(!self.provider.trusts(&old.identity()), "`trusts` says no to a key that was removed");
        for key in [&stays, &new] {
            let trusted = self.provider.trusts(&key.identity());
            assert_eq!(trusted, self.suite.trusts, "`trusts` knows what is published after a change{LEAVES_TRUST}");
        }
        self.is_ambiguous(&es256, &[&stays, &new]).await;

        source.publish(vec![renewed.clone()]).await;
        source.settle().await;
        find(&renewed, "a key that replaces another under its id is found").await;
        assert!(!self.provider.trusts(&stays.identity()), "`trusts` says no to a key that was replaced under its id");
    }

    async fn outlasts_an_outage(&self, mut source: impl KeySource) {
        let [key, next] = ["a", "b"].map(|id| key(Algorithm::ES256, id));
        let es256 = KeyRequest::new(Algorithm::ES256);
        let wanted = es256.with_key_id(Some("a"));
        source.publish(vec![key.clone()]).await;
        self.finds(&wanted, &key, "a published key is found").await;

        source.go_down().await;
        source.settle().await;
        let answer = self.ask(&wanted).await;
        let is_right = match &answer {
            Ok(found) => found.identity() == key.identity(),
            Err(error) => matches!(error, KeyProviderError::Unavailable(_)),
        };
        assert!(is_right, "an outage makes a known key unavailable at most: {answer:?}");
        let answer = self.ask(&es256.with_key_id(Some("b"))).await;
        let is_right = matches!(answer, Err(KeyProviderError::NotFound | KeyProviderError::Unavailable(_)));
        assert!(is_right, "an outage gives nobody a key: {answer:?}");

        source.publish(vec![key.clone(), next.clone()]).await;
        source.settle().await;
        self.finds(&es256.with_key_id(Some("b")), &next, "a key that was asked for in an outage is found after it")
            .await;
        self.finds(&wanted, &key, "a key that outlasted an outage is found after it").await;
    }
}

fn identities<'k>(keys: impl IntoIterator<Item = &'k VerifyingKey>) -> HashSet<KeyIdentity> {
    keys.into_iter().map(VerifyingKey::identity).collect()
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Key(KeyIdentity),
    NotFound,
    WrongAlgorithm,
    Ambiguous,
    Unavailable,
}

fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Ok(key) => Outcome::Key(key.identity()),
        Err(KeyProviderError::WrongAlgorithm) => Outcome::WrongAlgorithm,
        Err(KeyProviderError::Ambiguous) => Outcome::Ambiguous,
        Err(KeyProviderError::Unavailable(_)) => Outcome::Unavailable,
        Err(_) => Outcome::NotFound,
    }
}

/// A request in words. Its `Debug` keeps back what a stranger sent; here it is the suite's own.
struct Shown<'r>(&'r KeyRequest<'r>);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(KeyRequest { algorithm, key_id, issuer, .. }) = self;
        write!(f, "{algorithm:?}, id {key_id:?}, issuer {issuer:?}")
    }
}
