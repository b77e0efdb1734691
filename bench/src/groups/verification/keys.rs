//! A known key beside a bare map, and tokens that were verified before.

use super::fixture::{AUDIENCE, Fixture, ISSUER, KEY_IDS};
use super::ours::{LINES, verify};
use crate::Case;
use countersign::crypto::{SignatureMismatch, SignatureVerifier};
use countersign::provider::{KeyProvider, KeyRequest};
use countersign::verify::TokenCache;
use countersign::{JwtVerifier, VerifyingKey};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;

pub(super) const NAME: &str = "a known key among 10";
pub(super) const MAP: &str = "HashMap<String, VerifyingKey>";
pub(super) const HOT: &str = "token cache, one RS256 token";
pub(super) const COLD: &str = "token cache, 100 000 RS256 tokens in turn";
const TOKENS: usize = 100_000;

pub(super) fn case(fixture: &Fixture) -> Case {
    let mut case = Case::new(NAME);
    for line in LINES {
        let (keys, algorithm) = (line.keys(fixture), fixture.alg.algorithm());
        case = case.with(line.name, move || {
            let wanted = KeyRequest::new(algorithm).with_key_id(black_box(Some("key-5"))).with_issuer(Some(ISSUER));
            keys.key_now(&wanted)
        });
    }
    let key = LINES[0].key(fixture);
    let keys: HashMap<String, VerifyingKey> = KEY_IDS.into_iter().map(|id| (id.to_owned(), key.clone())).collect();
    case.with(MAP, move || keys.get(black_box("key-5")).cloned())
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
