use super::*;
use crate::authorize::{AccessRequest, Decision, Why, authenticated, permissions, role, scopes};
use crate::extract::CookieExtractor;
use crate::reason::Rejection;
use async_trait::async_trait;
use serde_json::json;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Vouches for whoever names a subject; `bad` is refused, `down` cannot be checked. Counts its calls.
#[derive(Clone, Debug, Default)]
struct Named {
    calls: Arc<AtomicUsize>,
    only_later: bool,
}

#[async_trait]
impl TokenVerifier for Named {
    fn verify_now(&self, credential: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        (!self.only_later).then(|| now(self.verify(credential)))
    }
    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match credential.expose() {
            "bad" => Err(Rejection::Signature.into()),
            "down" => Err(VerifyError::Unavailable(Unavailable::because("no route"))),
            subject => Ok(VerifiedToken::vouched(&json!({"sub": subject, "scope": "a b"})).expect("claims")),
        }
    }
}

#[derive(Debug)]
struct Status(TokenStatus);
#[async_trait]
impl RevocationCheck for Status {
    async fn status(&self, _: &VerifiedToken) -> TokenStatus {
        self.0
    }
}

/// Allows `admin`, denies `reader`, and cannot tell for anybody else.
#[derive(Debug)]
struct ByName;
#[async_trait]
impl Authorizer for ByName {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        requirement.each_leaf(&mut |leaf| match leaf {
            Requirement::AnyRole(roles) if roles == &["admin"] => Ok(()),
            _ => Err(ConfigError::new("require", "an unknown name")),
        })
    }
    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        match request.token.subject() {
            Some("admin") => Decision::Allow,
            Some("reader") => Decision::Deny(Why::new("by_name", "not_admin")),
            _ => Decision::Indeterminate(Why::new("by_name", "unknown")),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);
impl Observer for Seen {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().expect("lock").push(match event {
            Event::Refused { reason, source, .. } => format!("{reason} {}", source.is_some()),
            Event::Verification { .. } => "verified".to_owned(),
            other => format!("{other:?}"),
        });
    }
}

fn judge(check: &Check, headers: &[(&str, &str)]) -> Result<String, (u16, Reason)> {
    let request = RequestView::new("GET", "/", None, &headers);
    let screening = check.screening(None);
    let answer = now(check.judge(&screening, &request));
    if let Some(answer_now) = check.judge_now(&check.screening(None), &request) {
        assert_eq!(answer_now.as_ref().map_err(Denial::reason).err(), answer.as_ref().map_err(Denial::reason).err());
    }
    answer
        .map(|token| token.subject().unwrap_or_default().to_owned())
        .map_err(|denial| (denial.status(), denial.reason()))
}

const AUTH: &str = "authorization";

#[test]
fn each_way_to_fail_has_its_own_answer() {
    let guard = |status| {
        let builder = Guard::builder(Named::default()).authorizer(ByName);
        builder.revocation(Status(status)).build().expect("a guard").check(role("admin")).expect("judged")
    };
    let active = guard(TokenStatus::Active);
    let cases: [(&[(&str, &str)], Result<&str, (u16, Reason)>); 8] = [
        (&[(AUTH, "Bearer admin")], Ok("admin")),
        (&[], Err((401, Reason::NoCredentials))),
        (&[(AUTH, "Basic x")], Err((401, Reason::NoCredentials))),
        (&[(AUTH, "Bearer a b")], Err((400, Reason::MalformedRequest))),
        (&[(AUTH, "Bearer bad")], Err((401, Reason::Rejected(Rejection::Signature)))),
        (&[(AUTH, "Bearer down")], Err((503, Reason::KeysUnavailable))),
        (&[(AUTH, "Bearer reader")], Err((403, Reason::NotAllowed))),
        (&[(AUTH, "Bearer other")], Err((503, Reason::Undecided))),
    ];
    for (headers, expected) in cases {
        assert_eq!(judge(&active, headers), expected.map(str::to_owned), "{headers:?}");
    }
    let admin: &[(&str, &str)] = &[(AUTH, "Bearer admin")];
    assert_eq!(judge(&guard(TokenStatus::Revoked), admin), Err((401, Reason::Revoked)));
    assert_eq!(judge(&guard(TokenStatus::Unknown), admin), Err((503, Reason::RevocationUnknown)));
}

#[test]
fn every_source_is_looked_at_and_different_credentials_are_refused() {
    let builder = || {
        Guard::builder(Named::default())
            .extractor(HeaderExtractor::bearer())
            .extractor(CookieExtractor::new("t").expect("a name"))
    };
    let all = builder().build().expect("a guard").check_authenticated();
    let first = builder().first_wins().build().expect("a guard").check_authenticated();
    let cookie = ("cookie", "t=b");
    assert_eq!(judge(&all, &[(AUTH, "Bearer a")]), Ok("a".into()));
    assert_eq!(judge(&all, &[cookie]), Ok("b".into()));
    assert_eq!(judge(&all, &[(AUTH, "Bearer b"), cookie]), Ok("b".into()));
    assert_eq!(judge(&all, &[(AUTH, "Bearer a"), cookie]), Err((400, Reason::SeveralCredentials)));
    assert_eq!(judge(&all, &[(AUTH, "Bearer a"), (AUTH, "Bearer a")]), Err((400, Reason::SeveralCredentials)));
    assert_eq!(judge(&first, &[(AUTH, "Bearer a"), cookie]), Ok("a".into()));
}

#[test]
fn a_requirement_that_nothing_can_judge_is_refused_when_it_is_declared() {
    let bare = Guard::builder(Named::default()).build().expect("a guard");
    assert_eq!(bare.check(role("admin")).unwrap_err().setting(), "authorizer");
    assert_eq!(bare.check(permissions(["a"])).unwrap_err().setting(), "authorizer");
    assert_eq!(bare.check(scopes::<&str>([])).unwrap_err().setting(), "require");
    assert!(bare.check(scopes(["a"])).is_ok());
    let by_name = Guard::builder(Named::default()).authorizer(ByName).build().expect("a guard");
    assert_eq!(by_name.check(role("amdin")).unwrap_err().setting(), "require");
}

#[test]
fn one_guard_reaches_one_verdict_and_another_guard_its_own() {
    let (mine, theirs) = (Named::default(), Named::default());
    let (my_calls, their_calls) = (mine.calls.clone(), theirs.calls.clone());
    let my_guard = Guard::builder(mine).build().expect("a guard");
    let their_guard = Guard::builder(theirs).build().expect("a guard");
    let request = RequestView::new("GET", "/", None, &[(AUTH, "Bearer me")]);

    let outer = Screening::enter(&my_guard, None);
    let check = my_guard.check(scopes(["a"])).expect("judged");
    assert!(now(check.judge(&check.screening(Some(&outer)), &request)).is_ok());
    assert!(now(check.judge(&outer, &request)).is_ok());
    assert!(now(outer.require(&request)).is_ok());
    assert_eq!(my_calls.load(Ordering::Relaxed), 1);

    let their_check = their_guard.check(authenticated()).expect("judged");
    let inner = their_check.screening(Some(&outer));
    assert!(inner.guard().is_same_as(&their_guard));
    assert!(now(their_check.judge(&inner, &request)).is_ok());
    // even when it is handed the other guard's screening
    assert!(now(their_check.judge(&outer, &request)).is_ok());
    assert_eq!(their_calls.load(Ordering::Relaxed), 2);

    let again = Screening::enter(&my_guard, Some(&inner));
    assert!(again.guard().is_same_as(&my_guard));
    assert!(now(again.require(&request)).is_ok());
    assert_eq!(my_calls.load(Ordering::Relaxed), 1, "found behind the other guard");
}

#[test]
fn what_cannot_be_answered_now_is_answered_later() {
    let named = Named { only_later: true, ..Named::default() };
    let check = Guard::builder(named).build().expect("a guard").check_authenticated();
    let request = RequestView::new("GET", "/", None, &[(AUTH, "Bearer me")]);
    let screening = check.screening(None);
    assert!(check.judge_now(&screening, &request).is_none());
    assert!(now(check.judge(&screening, &request)).is_ok());
    assert!(check.judge_now(&screening, &request).is_some(), "the verdict is kept");
}

#[test]
fn a_revocation_check_that_waits_does_not_cost_a_second_verification() {
    let named = Named::default();
    let calls = named.calls.clone();
    let guard = Guard::builder(named).revocation(Status(TokenStatus::Active)).build().expect("a guard");
    let check = guard.check_authenticated();
    let request = RequestView::new("GET", "/", None, &[(AUTH, "Bearer me")]);
    let screening = check.screening(None);
    assert!(check.judge_now(&screening, &request).is_none(), "the list must be asked");
    assert!(now(check.judge(&screening, &request)).is_ok());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn optional_askers_take_nobody_and_refuse_bad_credentials() {
    let guard = Guard::builder(Named::default()).build().expect("a guard");
    let ask = |headers: &[(&str, &str)]| {
        let request = RequestView::new("GET", "/", None, &headers);
        now(Screening::enter(&guard, None).optional(&request)).map(|token| token.is_some()).map_err(|d| d.status())
    };
    assert_eq!(ask(&[]), Ok(false));
    assert_eq!(ask(&[(AUTH, "Bearer me")]), Ok(true));
    assert_eq!(ask(&[(AUTH, "Bearer bad")]), Err(401));
}

#[test]
fn the_observer_sees_each_verdict_by_name() {
    let seen = Seen::default();
    let guard = Guard::builder(Named::default()).observer(seen.clone()).build().expect("a guard");
    let check = guard.check(scopes(["a"])).expect("judged");
    for headers in [&[][..], &[(AUTH, "Bearer bad")], &[(AUTH, "Bearer down")], &[(AUTH, "Bearer me")]] {
        let request = RequestView::new("GET", "/", None, &headers);
        let screening = check.screening(None);
        let allowed = || now(check.judge(&screening, &request)).is_ok();
        assert_eq!([allowed(), allowed()], [headers == [(AUTH, "Bearer me")]; 2]);
    }
    let expected =
        ["no_credentials false", "no_credentials false", "signature false", "keys_unavailable true", "verified"];
    assert_eq!(*seen.0.lock().expect("lock"), expected, "a verdict on a token is told once, the want of one each time");
}

#[test]
fn scopes_are_told_only_where_they_are_public() {
    let challenge = |builder: GuardBuilder| {
        let check = builder.build().expect("a guard").check(scopes(["a", "c"])).expect("judged");
        let request = RequestView::new("GET", "/", None, &[(AUTH, "Bearer me")]);
        let denial = now(check.judge(&check.screening(None), &request)).unwrap_err();
        denial.challenges().next().map(str::to_owned).unwrap_or_default()
    };
    assert!(!challenge(Guard::builder(Named::default())).contains("scope="));
    assert!(challenge(Guard::builder(Named::default()).public_scopes()).contains(r#"scope="a c""#));
}

#[test]
fn what_a_header_cannot_carry_is_refused_when_built() {
    let builder = || Guard::builder(Named::default());
    assert_eq!(builder().realm("a\nb").build().unwrap_err().setting(), "realm");
    assert_eq!(builder().scope("é").build().unwrap_err().setting(), "scope");
    assert_eq!(builder().resource_metadata("\u{7f}").build().unwrap_err().setting(), "resource_metadata");
    let basic = HeaderExtractor::new("authorization").and_then(|h| h.prefix("Basic")).expect("a scheme");
    assert_eq!(builder().extractor(basic).build().unwrap_err().setting(), "realm");
}
