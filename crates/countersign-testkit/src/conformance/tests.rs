//! The suites themselves under test: what is right passes, and each flaw is found out by its rule.

mod clock;
mod flawed;
mod policies;

use super::*;
use crate::issuer::TestIssuer;
use countersign::Algorithm;
use countersign::authorize::{Authorizer, ScopeAuthorizer, scopes};
use countersign::clock::Clock;
use countersign::crypto::Ring;
use countersign::extract::{CookieExtractor, HeaderExtractor, QueryExtractor, SubprotocolExtractor, TokenExtractor};
use countersign::observe::NoObserver;
use countersign::revocation::MemoryDenylist;
use countersign::screening::BodyStyle;
use countersign::verify::IssuerRouter;
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verifiers_of_the_core_keep_the_rules() {
    for algorithm in [Algorithm::ES256, Algorithm::HS256] {
        let issuer = TestIssuer::builder().algorithm(algorithm).build();
        token_verifier().jwt(&issuer, issuer.verifier()).await;
        token_verifier().jwt(&issuer, Arc::new(issuer.verifier())).await;
        issuer.go_down();
        token_verifier().out_of_reach(issuer.verifier(), &issuer.token("ada")).await;
    }
    let [one, other] =
        ["https://one.example/", "https://two.example/"].map(|name| TestIssuer::builder().issuer(name).build());
    let router = || IssuerRouter::new([one.verifier(), other.verifier()]);
    token_verifier().jwt(&one, router().expect("a router")).await;
    token_verifier().jwt(&other, router().expect("a router")).await;
}

#[test]
fn the_extractors_of_the_core_keep_the_rules() {
    let header = |name, scheme: &str| HeaderExtractor::new(name).and_then(|it| it.prefix(scheme)).expect("a field");
    token_extractor(HeaderExtractor::bearer(), |token| Carried::header("authorization", format!("Bearer {token}")));
    token_extractor(Box::new(HeaderExtractor::bearer()) as Box<dyn TokenExtractor>, |token| {
        Carried::header("Authorization", format!("bearer  {token}"))
    });
    token_extractor(header("x-token", "Token"), |token| Carried::header("x-token", format!("Token {token}")));
    token_extractor(HeaderExtractor::new("X-Token").expect("a field"), |token| Carried::header("x-token", token));
    token_extractor(CookieExtractor::new("t").expect("a name"), |token| {
        Carried::header("cookie", format!("t={token}"))
    });
    let subprotocol = SubprotocolExtractor::new("bearer").expect("a prefix");
    token_extractor(subprotocol, |token| Carried::header("sec-websocket-protocol", format!("chat, bearer.{token}")));
    let query = QueryExtractor::danger_new("access_token").expect("a name");
    token_extractor(query, |token| Carried::query(format!("access_token={token}")));
}

#[tokio::test]
async fn the_authorizers_of_the_core_keep_the_rules() {
    let claims = json!({ "scope": "a b" });
    let suite =
        |it: Arc<dyn Authorizer>| authorizer(it).allows(scopes(["a"]), &claims).allows(scopes(["a", "b"]), &claims);
    suite(Arc::new(ScopeAuthorizer)).denies(scopes(["a", "c"]), &claims).denies(scopes(["c"]), &json!({})).run().await;
    let list: Vec<Box<dyn Authorizer>> = vec![Box::new(ScopeAuthorizer), Box::new(ScopeAuthorizer)];
    suite(Arc::new(list)).denies(scopes(["c"]), &claims).run().await;
}

#[tokio::test]
async fn the_denylist_in_memory_keeps_the_rules() {
    let revoke = async |list: &MemoryDenylist, issuer: &str, id: &str| {
        let until = crate::clock::FakeClock::at(4_102_444_800).now();
        list.revoke_token(issuer, id, until);
    };
    revocation_check(async || MemoryDenylist::new(), revoke).await;
}

#[test]
fn the_body_styles_and_the_observer_of_nothing_keep_the_rules() {
    for style in [BodyStyle::Problem, BodyStyle::Plain, BodyStyle::Empty] {
        renderer(style);
    }
    observer((NoObserver, NoObserver));
}

#[test]
fn ring_keeps_the_rules() {
    use Algorithm::{ES256, ES384, Ed25519, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
    let all = [HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, Ed25519, EdDSA];
    backend(&Ring, &all);
}

#[cfg(feature = "aws-lc")]
#[test]
fn aws_lc_keeps_the_rules() {
    backend(&countersign::crypto::AwsLc, Algorithm::ALL);
}
