//! The pieces put together in guards, and what this package promises about itself.

use crate::basic::BasicVerifier;
use crate::keys_by_tenant::{KeysByTenant, Source};
use crate::office_hours::OfficeHours;
use crate::session_list::SessionList;
use countersign::authorize::{Requirement, authenticated, role, scopes};
use countersign::extract::HeaderExtractor;
use countersign::issue::JwtSigner;
use countersign::reason::{Reason, Rejection};
use countersign::request::RequestView;
use countersign::screening::Check;
use countersign::secret::Secret;
use countersign::{Algorithm, Denial, Guard, JwtVerifier, SigningKey, VerifyingKey};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const STAFF: &str = "https://staff.example/";
/// 2026-11-20, a Friday, at noon.
const OPEN: u64 = 1_795_176_000;
const CLOSED: u64 = OPEN + 12 * 3_600;
const CLOCK_NOT_SET: u64 = 0;

const ADMIN: &str = "Basic YWRtaW46YSBsb25nOnBhc3N3b3Jk";
const READER: &str = "Basic cmVhZGVyOmFub3RoZXIgb25l";
const WRONG_PASSWORD: &str = "Basic YWRtaW46Z3Vlc3M=";
const UNKNOWN_USER: &str = "Basic bm9ib2R5Omd1ZXNz";
const NO_COLON: &str = "Basic YWRtaW4=";

struct Office {
    clock: FakeClock,
    sessions: Arc<SessionList>,
    guard: Guard,
}

fn office() -> Office {
    let clock = FakeClock::at(OPEN);
    let sessions = Arc::new(SessionList::of(STAFF));
    let accounts = BasicVerifier::new(STAFF)
        .and_then(|basic| basic.account("admin", &Secret::new("a long:password"), "posts:read posts:write"))
        .and_then(|basic| basic.account("reader", &Secret::new("another one"), "posts:read"))
        .expect("accounts");
    let roles = [("admin".to_owned(), vec!["editor".to_owned()])].into();
    let guard = Guard::builder(accounts)
        .extractor(HeaderExtractor::new("authorization").and_then(|h| h.prefix("Basic")).expect("a scheme"))
        .realm("staff")
        .revocation(sessions.clone())
        .authorizer(OfficeHours::new(STAFF, roles, 9..17, clock.clone()))
        .build()
        .expect("a guard");
    Office { clock, sessions, guard }
}

impl Office {
    fn opened_sessions(self, ids: &[&str]) -> Self {
        self.sessions.load(Some(ids.iter().copied().map(str::to_owned).collect()));
        self
    }

    fn at(self, unix_seconds: u64) -> Self {
        self.clock.set(unix_seconds);
        self
    }

    fn check(&self, requirement: Requirement) -> Check {
        self.guard.check(requirement).expect("a requirement that can be judged")
    }
}

async fn judge(check: &Check, authorization: Option<&str>) -> Result<String, Denial> {
    let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    let headers = headers.as_slice();
    let request = RequestView::new("GET", "/posts", None, &headers);
    let answer = check.judge(&check.screening(None), &request).await;
    if let Some(answer_now) = check.judge_now(&check.screening(None), &request) {
        let reason = |answer: &Result<_, Denial>| answer.as_ref().err().map(Denial::reason);
        assert_eq!(reason(&answer_now), reason(&answer), "both forms of the question have one answer");
    }
    answer.map(|token| token.subject().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn each_piece_has_its_say_in_the_verdict() {
    use Reason::{MalformedRequest, NoCredentials, NotAllowed, Rejected, RevocationUnknown, Revoked, Undecided};
    let ready = || office().opened_sessions(&["admin", "reader"]);
    let editor = || role("editor");
    let by_night = || role("editor").or(scopes(["posts:read"]));
    for (office, requirement, authorization, expected) in [
        (ready(), editor(), Some(ADMIN), Ok("admin")),
        (ready(), authenticated(), Some(READER), Ok("reader")),
        (ready(), by_night(), Some(READER), Ok("reader")),
        (ready().at(CLOSED), by_night(), Some(ADMIN), Ok("admin")),
        (ready(), editor(), Some("Basic a b"), Err((400, MalformedRequest))),
        (ready(), editor(), None, Err((401, NoCredentials))),
        (ready(), editor(), Some("Bearer abc"), Err((401, NoCredentials))),
        (ready(), editor(), Some(WRONG_PASSWORD), Err((401, Rejected(Rejection::Credentials)))),
        (ready(), editor(), Some(UNKNOWN_USER), Err((401, Rejected(Rejection::Credentials)))),
        (ready(), editor(), Some(NO_COLON), Err((401, Rejected(Rejection::Malformed)))),
        (office().opened_sessions(&["reader"]), editor(), Some(ADMIN), Err((401, Revoked))),
        (ready(), editor(), Some(READER), Err((403, NotAllowed))),
        (ready(), scopes(["posts:write"]), Some(READER), Err((403, NotAllowed))),
        (ready().at(CLOSED), editor(), Some(ADMIN), Err((403, NotAllowed))),
        (office(), editor(), Some(ADMIN), Err((503, RevocationUnknown))),
        (ready().at(CLOCK_NOT_SET), editor(), Some(ADMIN), Err((503, Undecided))),
    ] {
        let answer = judge(&office.check(requirement), authorization).await;
        let answer = answer.map_err(|denial| (denial.status(), denial.reason()));
        assert_eq!(answer, expected.map(str::to_owned), "{authorization:?}");
    }
}

#[tokio::test]
async fn whoever_must_prove_themselves_is_asked_for_a_password() {
    let check = office().opened_sessions(&[]).check(role("editor"));
    for authorization in [None, Some(WRONG_PASSWORD), Some(UNKNOWN_USER), Some(NO_COLON), Some(ADMIN)] {
        let denial = judge(&check, authorization).await.expect_err("no session is open");
        assert_eq!(denial.status(), 401, "{authorization:?}");
        assert_eq!(
            denial.challenges().collect::<Vec<_>>(),
            [r#"Basic realm="staff", charset="UTF-8""#],
            "{authorization:?}"
        );
    }
}

#[tokio::test]
async fn a_verdict_changes_with_what_the_pieces_know() {
    let office = office().opened_sessions(&["admin"]);
    let check = office.check(role("editor"));
    let status = async || judge(&check, Some(ADMIN)).await.map_err(|denial| denial.status());
    assert_eq!(status().await, Ok("admin".into()));
    office.sessions.load(Some(HashSet::new()));
    assert_eq!(status().await, Err(401));
    office.sessions.load(None);
    assert_eq!(status().await, Err(503));
    office.sessions.load(Some(["admin".to_owned()].into()));
    office.clock.set(CLOSED);
    assert_eq!(status().await, Err(403));
}

#[test]
fn a_role_that_nobody_holds_is_refused_when_the_route_is_declared() {
    assert_eq!(office().guard.check(role("edtior")).unwrap_err().setting(), "require");
}

#[tokio::test]
async fn a_tenant_signs_for_itself_and_an_outage_is_no_refusal() {
    let tenants = ["https://one.example/", "https://two.example/", "https://three.example/"];
    let [one, two, three] = tenants;
    let keys = Arc::new(KeysByTenant::default());
    let verifier = tenants
        .iter()
        .fold(JwtVerifier::builder(keys.clone()), |builder, issuer| builder.issuer(*issuer))
        .audience("api")
        .algorithms([Algorithm::ES256])
        .clock(FakeClock::at(OPEN))
        .build()
        .expect("a verifier");
    let check = Guard::builder(verifier).build().expect("a guard").check_authenticated();

    let key = SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id("1").expect("a kid");
    let published = || Source::Published([key.verifying_key().clone()].into_iter().collect());
    let signer = JwtSigner::new(key.clone());
    let outcome = async |issuer: &str| {
        let claims = json!({"iss": issuer, "aud": "api", "sub": "7", "exp": OPEN + 60});
        let token = signer.sign(&claims).expect("a token");
        let answer = judge(&check, Some(&format!("Bearer {token}"))).await;
        answer.map_err(|denial| (denial.reason(), denial.retry_after()))
    };
    let unknown = || Err((Reason::Rejected(Rejection::UnknownKey), None));

    keys.set(one, published());
    keys.set(two, Source::Published([].into_iter().collect()));
    assert_eq!(outcome(one).await, Ok("7".into()));
    assert_eq!(outcome(two).await, unknown());
    assert_eq!(outcome(three).await, unknown());

    keys.set(one, Source::Offline(Duration::from_secs(7)));
    assert_eq!(outcome(one).await, Err((Reason::KeysUnavailable, Some(7))));
    keys.set(three, published());
    assert_eq!(outcome(three).await, Ok("7".into()));
}

#[tokio::test]
async fn each_piece_keeps_the_rules_of_its_seam() {
    let by_issuer = async |table: Vec<(String, Vec<VerifyingKey>)>| {
        let keys = KeysByTenant::default();
        for (issuer, own) in table {
            keys.set(issuer, Source::Published(own.into_iter().collect()));
        }
        keys
    };
    conformance::key_provider().without_candidates().by_issuer(by_issuer).await;

    let basic = BasicVerifier::new(STAFF).and_then(|basic| basic.account("admin", &Secret::new("a long:password"), ""));
    let [good, wrong, nobody, no_colon] =
        [ADMIN, WRONG_PASSWORD, UNKNOWN_USER, NO_COLON].map(|it| it.strip_prefix("Basic ").expect("the scheme"));
    let suite = conformance::token_verifier().scheme("Basic");
    suite.credentials(basic.expect("an account"), &[good], &[wrong, nobody, no_colon]).await;

    // A token that nobody has spoken of is active for a denylist. This is the other kind.
    conformance::revocation_check_out_of_reach(SessionList::of(STAFF)).await;

    let claims = |subject| json!({"iss": STAFF, "sub": subject, "scope": "posts:read"});
    let office = |now| {
        let roles = [("admin".to_owned(), vec!["editor".to_owned()])].into();
        conformance::authorizer(OfficeHours::new(STAFF, roles, 9..17, FakeClock::at(now)))
            .allows(scopes(["posts:read"]), &claims("admin"))
            .denies(role("editor"), &claims("reader"))
    };
    office(OPEN).allows(role("editor"), &claims("admin")).run().await;
    office(CLOSED).denies(role("editor"), &claims("admin")).run().await;
    office(CLOCK_NOT_SET).cannot_tell(role("editor"), &claims("admin")).run().await;
}

#[test]
fn the_core_is_the_only_dependency() {
    let mut section = "";
    let mut dependencies = Vec::new();
    for line in include_str!("../Cargo.toml").lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            let is_expected = matches!(section, "[dependencies]" | "[dev-dependencies]");
            assert!(is_expected || !section.contains("dependencies"), "{section}");
        } else if section == "[dependencies]" && !line.is_empty() && !line.starts_with('#') {
            dependencies.push(line.split(['.', '=', ' ']).next().unwrap_or_default());
        }
    }
    assert_eq!(dependencies, ["countersign"]);
}

/// Lines of code: neither blank ones nor comments, imports and tests.
fn lines_of_code(source: &str) -> usize {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default().lines().map(str::trim);
    code.filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("use ")).count()
}

#[test]
fn each_piece_is_short() {
    let lines = [
        ("keys_by_tenant", lines_of_code(include_str!("keys_by_tenant.rs"))),
        ("session_list", lines_of_code(include_str!("session_list.rs"))),
        ("office_hours", lines_of_code(include_str!("office_hours.rs"))),
        ("map_store", lines_of_code(include_str!("map_store.rs"))),
        ("basic", lines_of_code(include_str!("basic.rs"))),
    ];
    let most = [40, 40, 40, 40, 80];
    assert!(lines.iter().zip(most).all(|((_, lines), most)| *lines < most), "{lines:?}, and at most {most:?}");
}
