//! What the house has for its seams, against the rules of each; what the core has of its own stands beside the suites.

mod fetch;

use countersign::authorize::policy::{deny_overrides, policy_fn};
use countersign::authorize::{Authorizer, action, permissions, role, scopes};
use countersign::cache::{CacheError, CacheKey, CacheStore, Counted, FleetKey};
use countersign::observe::{MetricsObserver, Observer, TracingObserver};
use countersign::revocation::{RevocationLog, StoreDenylist};
use countersign::{Algorithm, Bytes, JwtVerifier, async_trait};
use countersign_cache::MemoryCache;
use countersign_jsonwebtoken::ProviderBackend;
use countersign_keys::JwksProvider;
use countersign_rbac::RbacAuthorizer;
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance;
use countersign_testkit::issuer::TestIssuer;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verifier_whose_keys_are_fetched_keeps_the_rules() {
    let issuer = TestIssuer::start().await;
    let verifier = || {
        let keys = JwksProvider::discover(issuer.issuer()).allow_http_on_loopback().build().expect("a provider");
        JwtVerifier::builder(keys).issuer(issuer.issuer()).audience(issuer.audience()).build().expect("a verifier")
    };
    conformance::token_verifier().jwt(&issuer, verifier()).await;
    issuer.go_down();
    conformance::token_verifier().out_of_reach(verifier(), &issuer.token("ada")).await;
}

fn rbac() -> RbacAuthorizer {
    let builder = RbacAuthorizer::builder().role("reader", ["posts:read"]).role("admin", ["posts:write"]);
    builder.inherits("admin", "reader").build().expect("a catalog")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalogs_and_policies_keep_the_rules() {
    let (admin, reader) =
        (json!({"sub": "a", "roles": ["admin"], "scope": "x"}), json!({"sub": "b", "roles": ["reader"]}));
    let by_role = |authorizer: Arc<dyn Authorizer>| {
        conformance::authorizer(authorizer)
            .allows(role("admin"), &admin)
            .allows(permissions(["posts:read", "posts:write"]), &admin)
            .allows(permissions(["posts:read"]).and(role("reader")), &admin)
            .allows(role("reader"), &reader)
            .denies(role("admin"), &reader)
            .denies(permissions(["posts:write"]), &reader)
            .denies(role("reader"), &json!({"roles": {"reader": true}}))
            .denies(role("reader"), &json!({}))
    };
    by_role(Arc::new(rbac())).allows(scopes(["x"]), &admin).denies(scopes(["x"]), &reader).run().await;

    let policies = || {
        deny_overrides("posts", ["posts:edit"])
            .allow_if(policy_fn("own", |request| Some(request.token.subject() == Some("a"))))
            .deny_if(policy_fn("unknown", |request| request.token.subject().map(|subject| subject == "banned")))
            .build()
            .expect("policies")
    };
    let by_policy = |suite: conformance::AuthorizerSuite| {
        suite
            .allows(action("posts:edit"), &admin)
            .denies(action("posts:edit"), &reader)
            .denies(action("posts:edit"), &json!({"sub": "banned"}))
            .cannot_tell(action("posts:edit"), &json!({}))
    };
    by_policy(conformance::authorizer(policies())).run().await;
    by_policy(by_role(Arc::new((rbac(), policies())))).run().await;
}

/// A store that nobody can reach.
#[derive(Debug)]
struct Gone;

#[async_trait]
impl CacheStore for Gone {
    async fn get(&self, _: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        Err(CacheError::because("no route"))
    }
    async fn put(&self, _: &CacheKey, _: Bytes, _: Duration) -> Result<(), CacheError> {
        Err(CacheError::because("no route"))
    }
    async fn put_new(&self, _: &CacheKey, _: Bytes, _: Duration) -> Result<bool, CacheError> {
        Err(CacheError::because("no route"))
    }
    async fn compare_and_swap(&self, _: &CacheKey, _: &[u8], _: Option<(Bytes, Duration)>) -> Result<bool, CacheError> {
        Err(CacheError::because("no route"))
    }
    async fn add(&self, _: &CacheKey, _: u64, _: Duration) -> Result<Counted, CacheError> {
        Err(CacheError::because("no route"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denylists_in_a_store_keep_the_rules() {
    let until = UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    let new = async || StoreDenylist::new(MemoryCache::new());
    let revoke = async |list: &StoreDenylist, issuer: &str, id: &str| {
        list.revoke_token(issuer, id, until).await.expect("a store that works");
    };
    conformance::revocation_check(new, revoke).await;
    conformance::revocation_check_out_of_reach(StoreDenylist::new(Gone)).await;

    let key = || FleetKey::new([7; 32]).expect("a key");
    let new = async || {
        let clock = FakeClock::at(1_800_000_000);
        let log = RevocationLog::builder(MemoryCache::new(), key()).clock(clock.clone()).build().expect("a log");
        while !log.is_confirmed() {
            log.poll().await.expect("a store that works");
            clock.advance(log.interval());
        }
        log
    };
    let revoke = async |log: &RevocationLog, issuer: &str, id: &str| {
        log.revoke_token(issuer, id, until).await.expect("a store that works");
    };
    conformance::revocation_check(new, revoke).await;
    let log = RevocationLog::builder(Gone, key()).build().expect("a log");
    assert!(log.poll().await.is_err());
    conformance::revocation_check_out_of_reach(log).await;
}

/// Of RSA one hash function: its private keys take a while in Rust alone.
#[test]
fn a_crypto_provider_of_another_library_keeps_the_rules() {
    use Algorithm::{ES256, ES384, Ed25519, EdDSA, HS256, HS384, HS512, PS256, RS256};
    let backend = ProviderBackend::RUST_CRYPTO.danger_sign_by_rsa();
    conformance::backend(&backend, &[HS256, HS384, HS512, RS256, PS256, ES256, ES384, Ed25519, EdDSA]);
}

#[test]
fn the_observers_that_log_and_count_keep_the_rules() {
    conformance::observer(TracingObserver);
    conformance::observer(MetricsObserver);
    conformance::observer(Box::new((TracingObserver, MetricsObserver)) as Box<dyn Observer>);
}
