//! `Arc` and `Box` forward every method of every seam: a default that is used on the way would be a bypass.

use countersign::authorize::{AccessRequest, Authorizer, Decision, Finding, Requirement, Trace, Why, role};
use countersign::cache::{CacheKey, CacheStore};
use countersign::clock::{Alarm, Clock};
use countersign::extract::{BearerMethod, ExtractError, TokenExtractor};
use countersign::observe::{Event, Observer};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::reason::Rejection;
use countersign::request::{Credential, RequestView};
use countersign::revocation::{Changes, RevocationCheck, TokenStatus};
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{Algorithm, Bytes, ConfigError, VerifiedToken, VerifyingKey, async_trait};
use countersign_cache::MemoryCache;
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Answers each question differently from every default.
#[derive(Debug)]
struct Contrary(VerifyingKey, AtomicUsize);

const NO: Decision = Decision::Deny(Why::new("contrary", "later"));

#[async_trait]
impl KeyProvider for Contrary {
    fn key_now(&self, _: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        Some(Err(KeyProviderError::Ambiguous))
    }
    async fn key(&self, _: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        Err(KeyProviderError::WrongAlgorithm)
    }
    fn candidates(&self, _: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        vec![self.0.clone()]
    }
    fn trusts(&self, _: &countersign::keys::KeyIdentity) -> bool {
        true
    }
    fn algorithms(&self) -> Option<Vec<Algorithm>> {
        Some(vec![Algorithm::ES384])
    }
    fn changes(&self) -> Option<Changes> {
        Some(Changes::new())
    }
}

#[async_trait]
impl TokenVerifier for Contrary {
    fn verify_now(&self, _: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        Some(Err(Rejection::Credentials.into()))
    }
    async fn verify(&self, _: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        Err(Rejection::Expired.into())
    }
    fn recheck_now(&self, _: &VerifiedToken) -> Option<Result<(), VerifyError>> {
        Some(Err(Rejection::UnknownKey.into()))
    }
    async fn recheck(&self, _: &VerifiedToken) -> Result<(), VerifyError> {
        Err(Rejection::Signature.into())
    }
    fn changes(&self) -> Option<Changes> {
        Some(Changes::new())
    }
}

#[async_trait]
impl RevocationCheck for Contrary {
    fn status_now(&self, _: &VerifiedToken) -> Option<TokenStatus> {
        Some(TokenStatus::Revoked)
    }
    async fn status(&self, _: &VerifiedToken) -> TokenStatus {
        TokenStatus::Unknown
    }
    fn changes(&self) -> Option<Changes> {
        Some(Changes::new())
    }
}

#[async_trait]
impl Authorizer for Contrary {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        Err(ConfigError::new("require", "contrary"))
    }
    fn judges(&self, _: &Requirement) -> bool {
        true
    }
    fn decide_now(&self, _: &AccessRequest<'_>) -> Option<Decision> {
        Some(Decision::Indeterminate(Why::new("contrary", "now")))
    }
    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        NO
    }
    fn trace(&self, _: &AccessRequest<'_>) -> Trace {
        Trace::new("contrary", Finding::Pass, None)
    }
    fn version(&self) -> Option<Arc<str>> {
        Some("v7".into())
    }
}

impl TokenExtractor for Contrary {
    fn extract<'r>(&self, _: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
        Err(ExtractError::Repeated)
    }
    fn field(&self) -> Option<&str> {
        Some("contrary")
    }
    fn scheme(&self) -> &str {
        "Contrary"
    }
    fn bearer_method(&self) -> Option<BearerMethod> {
        Some(BearerMethod::Query)
    }
}

impl Observer for Contrary {
    fn observe(&self, _: &Event<'_>) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

impl Clock for Contrary {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(7)
    }

    fn alarm(&self) -> Option<Box<dyn Alarm>> {
        FakeClock::at(0).alarm()
    }
}

fn contrary() -> Contrary {
    Contrary(VerifyingKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret"), AtomicUsize::new(0))
}

async fn check(keys: impl KeyProvider, identity: countersign::keys::KeyIdentity) {
    let wanted = KeyRequest::new(Algorithm::HS256);
    assert!(matches!(keys.key_now(&wanted), Some(Err(KeyProviderError::Ambiguous))));
    assert!(matches!(keys.key(&wanted).await, Err(KeyProviderError::WrongAlgorithm)));
    assert_eq!(keys.candidates(&wanted).len(), 1);
    assert!(keys.trusts(&identity));
    assert_eq!(keys.algorithms().as_deref(), Some(&[Algorithm::ES384][..]));
    assert!(keys.changes().is_some());
}

async fn check_verifier(verifier: impl TokenVerifier) {
    let credential = Credential::new("Bearer", "x");
    let now = verifier.verify_now(&credential);
    assert!(matches!(now, Some(Err(VerifyError::Rejected(Rejection::Credentials)))));
    let later = verifier.verify(&credential).await;
    assert!(matches!(later, Err(VerifyError::Rejected(Rejection::Expired))));
    let token = VerifiedToken::vouched(&serde_json::json!({})).expect("claims");
    let now = verifier.recheck_now(&token);
    assert!(matches!(now, Some(Err(VerifyError::Rejected(Rejection::UnknownKey)))));
    let later = verifier.recheck(&token).await;
    assert!(matches!(later, Err(VerifyError::Rejected(Rejection::Signature))));
    assert!(verifier.changes().is_some());
}

async fn check_judges(revocation: impl RevocationCheck, authorizer: impl Authorizer) {
    let token = VerifiedToken::vouched(&serde_json::json!({})).expect("claims");
    assert_eq!(revocation.status_now(&token), Some(TokenStatus::Revoked));
    assert_eq!(revocation.status(&token).await, TokenStatus::Unknown);
    assert!(revocation.changes().is_some());
    let requirement = role("admin");
    let question = AccessRequest::new(&token, &requirement);
    assert!(authorizer.accepts(&requirement).is_err() && authorizer.judges(&requirement));
    assert!(matches!(authorizer.decide_now(&question), Some(Decision::Indeterminate(_))));
    assert_eq!(authorizer.decide(&question).await, NO);
    assert_eq!(authorizer.trace(&question).finding, Finding::Pass);
    assert_eq!(authorizer.version().as_deref(), Some("v7"));
}

fn check_rest(extractor: impl TokenExtractor, observer: impl Observer, clock: impl Clock) {
    let request = RequestView::new("GET", "/", None, &[("a", "b")]);
    assert_eq!(extractor.extract(&request), Err(ExtractError::Repeated));
    assert_eq!((extractor.scheme(), extractor.field()), ("Contrary", Some("contrary")));
    assert_eq!(extractor.bearer_method(), Some(BearerMethod::Query));
    observer.observe(&Event::TokenCacheAsked { is_hit: true });
    assert_eq!(clock.now(), UNIX_EPOCH);
    assert_eq!(clock.monotonic(), Duration::from_secs(7));
    assert!(clock.alarm().is_some());
}

#[tokio::test]
async fn pointers_forward_every_method() {
    let identity = contrary().0.identity();
    check(Arc::new(contrary()), identity).await;
    check(Box::new(contrary()) as Box<dyn KeyProvider>, identity).await;
    check(Arc::new(Box::new(contrary()) as Box<dyn KeyProvider>), identity).await;
    check_verifier(Arc::new(contrary())).await;
    check_verifier(Box::new(contrary()) as Box<dyn TokenVerifier>).await;
    check_judges(Arc::new(contrary()), Arc::new(contrary())).await;
    check_judges(Box::new(contrary()) as Box<dyn RevocationCheck>, Box::new(contrary()) as Box<dyn Authorizer>).await;
    let observer = Arc::new(contrary());
    check_rest(Arc::new(contrary()), observer.clone(), Arc::new(contrary()));
    check_rest(
        Box::new(contrary()) as Box<dyn TokenExtractor>,
        Box::new(observer.clone()) as Box<dyn Observer>,
        Box::new(contrary()) as Box<dyn Clock>,
    );
    assert_eq!(observer.1.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn pointers_to_stores_keep_the_rules_of_stores() {
    let clock = FakeClock::at(1_800_000_000);
    let store: Arc<Box<dyn CacheStore>> = Arc::new(Box::new(MemoryCache::with_clock(clock.clone())));
    conformance::cache_store(store.clone(), async |time| clock.advance(time)).await;
    let key = CacheKey::named("k");
    assert!(store.get(&key).await.expect("memory").is_none());
    store.put(&key, Bytes::new(), Duration::from_secs(60)).await.expect("memory");
    let found = store.find(&key).await.expect("memory").expect("the entry");
    assert_eq!(found.expires_in, Some(Duration::from_secs(60)), "`find` is not made of `get` on the way");
}
