//! A known key beside a bare map, and tokens that were verified before.

use crate::Case;
use crate::tokens::fixture::{AUDIENCE, Fixture, ISSUER, KEY_IDS, SIGNS};
use crate::tokens::ours::{LINES, verify};
use countersign::crypto::{AwsLc, SignatureMismatch, SignatureVerifier};
use countersign::jwk::JwkSet;
use countersign::provider::{KeyProvider, KeyRequest};
use countersign::verify::TokenCache;
use countersign::{JwtVerifier, VerifyingKey, async_trait};
use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch, JwksProvider};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::pending;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;

pub(super) const NAME: &str = "a known key among 10";
pub(super) const MAP: &str = "HashMap<String, VerifyingKey>";
pub(super) const PROVIDER: &str = "JwksProvider";
pub(super) const HANGING: &str = "JwksProvider, a refresh hangs";
pub(super) const HOT: &str = "token cache, one RS256 token";
pub(super) const COLD: &str = "token cache, 100 000 RS256 tokens in turn";
const TOKENS: usize = 100_000;

pub(super) fn case(fixture: &Fixture) -> Case {
    let mut case = Case::new(NAME);
    for line in LINES {
        let (keys, algorithm) = (line.keys(fixture), fixture.alg.algorithm());
        case = case.with(line.name, move || {
            let wanted = KeyRequest::new(algorithm).with_key_id(black_box(Some(SIGNS))).with_issuer(Some(ISSUER));
            keys.key_now(&wanted)
        });
    }
    for (name, is_refreshing) in [(PROVIDER, false), (HANGING, true)] {
        let ((keys, runtime), algorithm) = (provider(fixture, is_refreshing), fixture.alg.algorithm());
        case = case.with(name, move || {
            let _ = &runtime;
            let wanted = KeyRequest::new(algorithm).with_key_id(black_box(Some(SIGNS))).with_issuer(Some(ISSUER));
            keys.key_now(&wanted)
        });
    }
    let key = LINES[0].key(fixture);
    let keys: HashMap<String, VerifyingKey> = KEY_IDS.into_iter().map(|id| (id.to_owned(), key.clone())).collect();
    case.with(MAP, move || keys.get(black_box(SIGNS)).cloned())
}

/// Answers once, and hangs when it is asked again.
#[derive(Debug)]
struct Once {
    document: Vec<u8>,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl JwksFetch for Once {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(Fetched::new(self.document.clone())),
            _ => pending().await,
        }
    }
}

/// A provider, and the runtime that has its refreshes: it stands still when this returns, and what is under way stays so.
fn provider(fixture: &Fixture, is_refreshing: bool) -> (JwksProvider, Runtime) {
    let key = fixture.key.verifying_key();
    let keys = KEY_IDS.into_iter().map(|id| key.clone().with_key_id(id).ok().and_then(|key| key.jwk()).expect("a JWK"));
    let document = serde_json::to_vec(&keys.collect::<JwkSet>()).expect("a document");
    let asked = Arc::new(AtomicUsize::new(0));
    let fetch = Once { document, asked: asked.clone() };
    let keys = JwksProvider::url("https://issuer.example/jwks").fetch(fetch).backend(AwsLc).build();
    let keys = keys.expect("the provider");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        keys.ready().await.expect("keys");
        if is_refreshing {
            let wanted = KeyRequest::new(fixture.alg.algorithm()).with_key_id(Some("key-X")).with_issuer(Some(ISSUER));
            let unknown = timeout(Duration::from_millis(20), keys.key(&wanted)).await;
            assert!(unknown.is_err() && asked.load(Ordering::Relaxed) == 2, "a refresh is under way");
        }
    });
    (keys, runtime)
}

pub(super) fn hot(fixture: &Fixture) -> Case {
    let token = fixture.small();
    let mut case = Case::new(HOT);
    for line in LINES {
        let verifier = line.builder(fixture, ISSUER).token_cache(TokenCache::new()).build().expect("the verifier");
        let token = token.clone();
        case = case.with(line.name, move || verify(&verifier, &token));
    }
    case
}

/// Their entries have left the processor's caches when they are asked for again; the token itself has just arrived, as in a
/// server. The cache does not look at signatures, so that none of these tokens needs a real one.
pub(super) fn cold(fixture: &Fixture) -> Case {
    #[derive(Debug)]
    struct Anything;
    impl SignatureVerifier for Anything {
        fn verify(&self, _: &[u8], _: &[u8]) -> Result<(), SignatureMismatch> {
            Ok(())
        }
    }
    let token = fixture.small();
    // Before the last letter, which leaves bits unused.
    let number_at = token.len() - 9;
    let mut case = Case::new(COLD);
    for line in LINES {
        let key = VerifyingKey::custom(fixture.alg.algorithm(), [0; 32], Anything);
        let cache = TokenCache::new().max_entries(2 * TOKENS).max_bytes(1 << 30);
        let verifier = JwtVerifier::builder(key).issuer(ISSUER).audience(AUDIENCE).token_cache(cache).build();
        let verifier = verifier.expect("the verifier");
        let mut token = token.clone();
        let mut ask = move |n: usize| {
            token.truncate(number_at);
            write!(token, "{n:08}A").expect("a string");
            verify(&verifier, &token)
        };
        assert!((0..TOKENS).all(|n| ask(n).is_some()));
        let mut next = 0;
        case = case.with(line.name, move || {
            // 7 919 is prime to their number: each comes once before any comes again.
            next = (next + 7_919) % TOKENS;
            ask(next)
        });
    }
    case
}
