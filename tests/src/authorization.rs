//! Roles and policies together: who may read a document.

use countersign::authorize::policy::{DenyOverrides, async_policy_fn, deny_overrides, meets, policy_fn};
use countersign::authorize::{Attribute, Attributes, Authorizer, Decision, Resource, Why, action, role};
use countersign::observe::{Event, Observer};
use countersign::screening::Check;
use countersign::{Algorithm, ConfigError, Guard, JwtVerifier, VerifiedToken, VerifyingKey};
use countersign_rbac::{Catalog, RbacAuthorizer};
use serde_json::json;
use std::sync::{Arc, Mutex};

struct Document {
    team: &'static str,
    is_public: bool,
}

impl Attributes for Document {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        match name {
            "team" => Some(self.team.into()),
            "is_public" => Some(self.is_public.into()),
            _ => None,
        }
    }
}

/// Who is in which team; team `red` cannot be looked up.
async fn is_member(team: &str, subject: Option<&str>) -> Result<bool, &'static str> {
    if team == "red" { Err("no route") } else { Ok(subject == Some("member")) }
}

fn documents() -> Result<DenyOverrides, ConfigError> {
    deny_overrides("documents", ["documents:read"])
        .allow_if(policy_fn("public", |request| request.resource?.attribute("is_public")?.as_flag()))
        .allow_if(async_policy_fn("team", |request| {
            Box::pin(async move {
                let team = request.resource?.attribute("team")?.as_text()?;
                Some(is_member(team, request.token.subject()).await)
            })
        }))
        .build()
}

fn guard(authorizer: impl Authorizer) -> Guard {
    let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret");
    let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("me").audience("api");
    Guard::builder(verifier.build().expect("a verifier")).authorizer(authorizer).build().expect("a guard")
}

async fn read(check: &Check, role: &str, subject: &str, document: &Document) -> u16 {
    let token = VerifiedToken::vouched(&json!({"sub": subject, "roles": [role]})).expect("claims");
    let question = check.question(&token).with_resource(Resource::new("document", "1").with_attributes(document));
    check.decide(&question).await.map_or_else(|denial| denial.status(), |()| 200)
}

#[tokio::test]
async fn admins_members_and_whoever_reads_what_is_public_may_and_others_may_not() {
    let rbac = RbacAuthorizer::builder()
        .role("admin", ["documents:delete"])
        .role("reader", [""; 0])
        .build()
        .expect("a catalog");
    let guard = guard((rbac, documents().expect("policies")));
    let check = guard.check(role("admin").or(action("documents:read"))).expect("judged");
    let document = |team, is_public| Document { team, is_public };
    for (role, subject, document, expected) in [
        ("admin", "other", document("blue", false), 200),
        ("reader", "member", document("blue", false), 200),
        ("reader", "other", document("blue", true), 200),
        ("reader", "other", document("blue", false), 403),
        ("reader", "member", document("red", false), 503),
        ("reader", "member", document("red", true), 200),
        ("admin", "other", document("red", false), 200),
    ] {
        assert_eq!(read(&check, role, subject, &document).await, expected, "{role} {subject} {}", document.team);
    }
    assert!(guard.check(role("amdin").or(action("documents:read"))).is_err());
    assert!(guard.check(role("admin").or(action("documents:raed"))).is_err());
}

#[tokio::test]
async fn a_veto_reaches_those_whom_a_role_lets_in() {
    let rbac = Arc::new(RbacAuthorizer::builder().role("admin", ["documents:delete"]).build().expect("a catalog"));
    let documents = deny_overrides("documents", ["documents:read"])
        .deny_if(policy_fn("sealed", |request| Some(request.resource?.attribute("team")?.as_text()? == "sealed")))
        .allow_if(meets(rbac.clone(), role("admin")).expect("a role"))
        .build();
    let check = guard((rbac, documents.expect("policies"))).check(action("documents:read")).expect("judged");
    assert_eq!(read(&check, "admin", "a", &Document { team: "blue", is_public: false }).await, 200);
    assert_eq!(read(&check, "admin", "a", &Document { team: "sealed", is_public: false }).await, 403);
}

/// What each decision was told with.
#[derive(Clone, Debug, Default)]
struct Audit(Arc<Mutex<Vec<(Decision, Option<Why>, Option<String>)>>>);

impl Observer for Audit {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Decision { decision, why, version, .. } = event {
            self.0.lock().expect("lock").push((*decision, *why, version.map(str::to_owned)));
        }
    }
}

#[tokio::test]
async fn each_decision_of_a_catalog_is_told_with_its_reason_and_version() {
    let catalog = Catalog::builder().role("admin", ["documents:read"]).version("2026-11").build().expect("a catalog");
    let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret");
    let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("me").audience("api");
    let audit = Audit::default();
    let guard = Guard::builder(verifier.build().expect("a verifier"))
        .authorizer(RbacAuthorizer::new(catalog))
        .observer(audit.clone())
        .build()
        .expect("a guard");
    let check = guard.check(role("admin")).expect("a check");
    let document = Document { team: "blue", is_public: false };
    assert_eq!(read(&check, "admin", "7", &document).await, 200);
    assert_eq!(read(&check, "guest", "8", &document).await, 403);
    let missing = Why::new("rbac", "missing_role");
    let version = Some("2026-11".to_owned());
    let expected = [
        (Decision::Allow, Some(Why::new("rbac", "granted")), version.clone()),
        (Decision::Deny(missing), Some(missing), version),
    ];
    assert_eq!(*audit.0.lock().expect("lock"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_late_can_tell_nothing() {
    let late = |name| {
        async_policy_fn(name, |_| {
            Box::pin(tokio::time::timeout(
                std::time::Duration::from_secs(2),
                std::future::pending::<Result<bool, String>>(),
            ))
        })
    };
    let granted = deny_overrides("documents", ["documents:read"]).allow_if(late("grant"));
    let vetoed =
        deny_overrides("documents", ["documents:read"]).deny_if(late("veto")).allow_if(policy_fn("anybody", |_| true));
    for policies in [granted, vetoed] {
        let check = guard(policies.build().expect("policies")).check(action("documents:read")).expect("judged");
        assert_eq!(read(&check, "reader", "a", &Document { team: "blue", is_public: true }).await, 503);
    }
}
