//! A token of one issuer among many, each of which has ten keys.

use crate::Case;
use crate::tokens::fixture::Fixture;
use crate::tokens::ours::{LINES, verify};
use countersign::verify::IssuerRouter;

pub(super) const MANY: usize = 1_000;

pub(super) fn name(issuers: usize) -> String {
    format!("RS256, issuers with 10 keys each: {issuers}")
}

pub(super) fn case(fixture: &Fixture, issuers: usize) -> Case {
    let issuer = |n: usize| format!("https://issuer-{n:03}.example/");
    let tokens: Vec<_> = (0..issuers).map(|n| fixture.small_of(&issuer(n))).collect();
    let mut case = Case::new(name(issuers));
    for line in LINES {
        let verifiers = (0..issuers).map(|n| line.builder(fixture, &issuer(n)).build().expect("the verifier"));
        let (router, tokens) = (IssuerRouter::new(verifiers).expect("the router"), tokens.clone());
        let mut next = 0;
        case = case.with(line.name, move || {
            next = (next + 1) % issuers;
            verify(&router, &tokens[next])
        });
    }
    case
}
