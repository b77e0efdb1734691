//! Instruction counts: `cargo xtask counts`. They are the same on a busy machine, so that a regression shows where times
//! are noise.
//!
//! callgrind counts what happens within [`measured`] and nothing else; the program `counts` does one [`Part`] there.
//! What is told is a [`Count`]: a part, or what it takes beyond another part that is not ours.

mod adapters;

use crate::tokens::fixture::{AUDIENCE, Alg, Fixture, ISSUER, Size};
use crate::tokens::ours::{self, AWS_LC, Line, RING, verify};
use countersign::JwtVerifier;
use countersign::VerifiedToken;
use countersign::VerifyingKey;
use countersign::authorize::{Decision, permissions};
use countersign::crypto::{SignatureMismatch, SignatureVerifier};
use countersign::verify::{TokenCache, UnverifiedToken};
use countersign_rbac::RbacAuthorizer;
use serde::Serialize;
use serde_json::json;
use std::hint::black_box;

/// How often a part is done, within one call of [`measured`].
pub const TIMES: u64 = 64;

/// Something whose instructions are counted.
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// Sets it up.
    pub set_up: fn() -> Box<dyn FnMut()>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Part").field(&self.name).finish()
    }
}

/// What is told and recorded.
#[derive(Debug, Serialize)]
pub struct Count {
    /// What it is called.
    pub name: &'static str,
    /// The part that is counted.
    pub of: &'static str,
    /// The part that does the same without us.
    pub beyond: Option<&'static str>,
    /// What it may come to.
    pub at_most: Option<u64>,
}

impl Count {
    const fn new(name: &'static str, of: &'static str) -> Self {
        Self { name, of, beyond: None, at_most: None }
    }

    const fn beyond(name: &'static str, of: &'static str, other: &'static str) -> Self {
        Self { name, of, beyond: Some(other), at_most: None }
    }
}

/// What callgrind looks at.
#[inline(never)]
pub fn measured(part: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        part();
    }
}

/// In the order in which they are told.
pub const COUNTS: &[Count] = &[
    Count::new("parse", "parse"),
    Count::new("verify without signature, no type", "verify without signature"),
    Count {
        at_most: Some(9_000),
        ..Count::beyond("outside crypto, HS256 small, aws-lc", "verify, aws-lc", "aws-lc alone")
    },
    Count::beyond("outside crypto, HS256 small, ring", "verify, ring", "ring alone"),
    Count {
        at_most: Some(9_000),
        ..Count::beyond("outside crypto, HS256 small, aws-lc, no type", "verify, aws-lc, no type", "aws-lc alone")
    },
    Count::new("token-cache hit, no type", "token-cache hit"),
    Count::new("permission check, prepared subject", "permission check"),
    Count::beyond("guard in axum, token-cache hit", "axum, guarded", "axum"),
    Count::beyond("guard in actix-web, token-cache hit", "actix-web, guarded", "actix-web"),
    Count::beyond("guard in warp, token-cache hit", "warp, guarded", "warp"),
];

/// What [`COUNTS`] are made of. Tokens are small and HS256.
pub const PARTS: &[Part] = &[
    Part { name: "parse", set_up: parse },
    Part { name: "verify without signature", set_up: without_signature },
    Part { name: "verify, aws-lc", set_up: || verifying(&AWS_LC) },
    Part { name: "verify, aws-lc, no type", set_up: untyped },
    Part { name: "aws-lc alone", set_up: || alone(&AWS_LC) },
    Part { name: "verify, ring", set_up: || verifying(&RING) },
    Part { name: "ring alone", set_up: || alone(&RING) },
    Part { name: "token-cache hit", set_up: hit },
    Part { name: "permission check", set_up: permission },
    Part { name: "axum", set_up: adapters::axum::bare },
    Part { name: "axum, guarded", set_up: adapters::axum::guarded },
    Part { name: "actix-web", set_up: adapters::actix::bare },
    Part { name: "actix-web, guarded", set_up: adapters::actix::guarded },
    Part { name: "warp", set_up: adapters::warp::bare },
    Part { name: "warp, guarded", set_up: adapters::warp::guarded },
];

/// Does it again and again. The answer is looked at once, before.
fn repeated<T>(mut answer: impl FnMut() -> T + 'static, is_right: impl Fn(T) -> bool) -> Box<dyn FnMut()> {
    assert!(is_right(answer()), "the answer that is counted is the right one");
    Box::new(move || {
        black_box(answer());
    })
}

fn fixture() -> Fixture {
    Fixture::new(Alg::HS256)
}

fn parse() -> Box<dyn FnMut()> {
    let token = fixture().small();
    repeated(move || UnverifiedToken::parse(black_box(&token), 16 * 1024).is_ok(), |is_read| is_read)
}

/// Takes any signature, at no cost.
#[derive(Debug)]
struct Anything;

impl SignatureVerifier for Anything {
    fn verify(&self, _: &[u8], _: &[u8]) -> Result<(), SignatureMismatch> {
        Ok(())
    }
}

fn without_signature() -> Box<dyn FnMut()> {
    let (fixture, token) = (fixture(), fixture().small());
    let key = VerifyingKey::custom(fixture.alg.algorithm(), [0; 32], Anything);
    let verifier = JwtVerifier::builder(key).algorithms([fixture.alg.algorithm()]).issuer(ISSUER).audience(AUDIENCE);
    let verifier = verifier.build().expect("the verifier");
    repeated(move || verify(&verifier, black_box(&token)), |token| token.is_some())
}

fn verifying(line: &Line) -> Box<dyn FnMut()> {
    let fixture = fixture();
    repeated(ours::verifying(line, &fixture, fixture.token(Size::Small)), |me| me.is_some())
}

fn untyped() -> Box<dyn FnMut()> {
    let fixture = fixture();
    repeated(ours::verifying_alone(&AWS_LC, &fixture, fixture.small()), |token| token.is_some())
}

fn alone(line: &Line) -> Box<dyn FnMut()> {
    let fixture = fixture();
    repeated((line.verify)(&fixture, &fixture.small()), |stands| stands)
}

fn hit() -> Box<dyn FnMut()> {
    let (fixture, token) = (fixture(), fixture().small());
    let verifier = AWS_LC.builder(&fixture, ISSUER).token_cache(TokenCache::new()).build().expect("the verifier");
    repeated(move || verify(&verifier, black_box(&token)), |token| token.is_some())
}

fn permission() -> Box<dyn FnMut()> {
    let rbac = (0..100).fold(RbacAuthorizer::builder(), |all, n| all.role(format!("role-{n}"), [format!("use:{n}")]));
    let rbac = rbac.build().expect("the rules");
    let token = VerifiedToken::vouched(&json!({"sub": "alice", "roles": ["role-50"]})).expect("Alice");
    let prepared = rbac.prepare(permissions(["use:50"])).expect("the requirement");
    let subject = rbac.subject(&token);
    repeated(move || black_box(&subject).decide(black_box(&prepared)), |decision| decision == Decision::Allow)
}
