mod gate;
mod late;
mod proving;
mod tenure;

use super::*;
use crate::authorize::policy::{DenyOverrides, all_of, async_policy_fn, deny_overrides, meets, not, policy_fn};
use crate::authorize::{
    AccessRequest, Decision, Resource, Trace, Why, action, authenticated, permissions, role, scopes,
};
use crate::extract::{BearerMethod, CookieExtractor, QueryExtractor, SubprotocolExtractor};
use crate::observe::Event;
use crate::reason::Rejection;
use crate::request::{Credential, RequestView};
use crate::resource_metadata::ResourceMetadataBuilder;
use crate::revocation::TokenStatus;
use async_trait::async_trait;
use serde_json::json;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
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

/// Every token counts, and it takes 7 ms to say so.
#[derive(Debug)]
struct SlowStatus(HandClock);
#[async_trait]
impl RevocationCheck for SlowStatus {
    async fn status(&self, _: &VerifiedToken) -> TokenStatus {
        self.0.advance(7);
        TokenStatus::Active
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
            Event::Verification { result: Ok(()), duration } => format!("verified in {duration:?}"),
            Event::Verification { result: Err(reason), duration } => format!("{reason} in {duration:?}"),
            Event::Decision { decision, why, .. } => {
                format!("{} by {}", decision.name(), why.map_or("somebody".to_owned(), |why| why.to_string()))
            }
            Event::Refused { reason, correlation_id, source: None } => format!("refused: {reason}, {correlation_id}"),
            Event::Refused { reason, correlation_id, source: Some(source) } => {
                format!("refused: {reason}, {correlation_id}, {source}")
            }
            other => format!("{other:?}"),
        });
    }
}
impl Seen {
    /// What was told since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("lock"))
    }
}

/// Milliseconds, moved by hand.
#[derive(Clone, Debug, Default)]
struct HandClock(Arc<AtomicU64>);
impl HandClock {
    fn advance(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}
impl Clock for HandClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// [`Named`], whose every question takes 3 ms, and which answers at the second poll.
#[derive(Debug)]
struct Slow(HandClock, Named);
#[async_trait]
impl TokenVerifier for Slow {
    fn verify_now(&self, _: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        self.0.advance(3);
        None
    }
    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        self.0.advance(3);
        let mut was_polled = false;
        poll_fn(|_| if std::mem::replace(&mut was_polled, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        self.1.verify(credential).await
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
    let subprotocol = SubprotocolExtractor::new("t").expect("a prefix");
    let with_socket = builder().extractor(subprotocol).build().expect("a guard").check_authenticated();
    let socket = |item| ("sec-websocket-protocol", item);
    assert_eq!(judge(&with_socket, &[socket("chat, t.b")]), Ok("b".into()));
    assert_eq!(judge(&with_socket, &[socket("t.b"), cookie]), Ok("b".into()));
    assert_eq!(judge(&with_socket, &[socket("t.a"), cookie]), Err((400, Reason::SeveralCredentials)));
    assert_eq!(judge(&with_socket, &[socket("t.a, t.b")]), Err((400, Reason::SeveralCredentials)));
    assert_eq!(judge(&with_socket, &[socket("t.")]), Err((400, Reason::MalformedRequest)));
    assert_eq!(judge(&all, &[socket("t.b")]), Err((401, Reason::NoCredentials)), "nobody looks there");
}

#[test]
fn only_preflights_are_exempt_and_only_where_it_was_said() {
    let builder = || Guard::builder(Named::default());
    let strict = builder().build().expect("a guard").check_authenticated();
    let open = builder().pass_preflight().build().expect("a guard").check(scopes(["a"])).expect("judged");
    let (origin, asked) = (("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT"));
    let cases: &[(&str, &[(&str, &str)], bool)] = &[
        ("OPTIONS", &[origin, asked], true),
        ("OPTIONS", &[origin, asked, ("access-control-request-headers", "authorization")], true),
        ("OPTIONS", &[("origin", "null"), asked], true),
        ("OPTIONS", &[], false),
        ("OPTIONS", &[origin], false),
        ("OPTIONS", &[asked], false),
        ("OPTIONS", &[("origin", ""), asked], false),
        ("OPTIONS", &[origin, ("access-control-request-method", "")], false),
        ("OPTIONS", &[origin, origin, asked], false),
        ("OPTIONS", &[origin, asked, asked], false),
        ("options", &[origin, asked], false),
        ("GET", &[origin, asked], false),
        ("POST", &[origin, asked], false),
        ("HEAD", &[origin, asked], false),
    ];
    for (method, headers, is_exempt) in cases {
        let request = RequestView::new(method, "/", None, headers);
        assert_eq!(open.is_exempt(&request), *is_exempt, "{method} {headers:?}");
        assert!(!strict.is_exempt(&request), "{method} {headers:?}");
        // Judging, and what handlers ask, exempt nobody.
        let screening = open.screening(None);
        let judged = open.judge_now(&screening, &request).expect("an answer now");
        assert_eq!(judged.unwrap_err().reason(), Reason::NoCredentials, "{method} {headers:?}");
        let required = screening.require_now(&request).expect("an answer now");
        assert_eq!(required.unwrap_err().reason(), Reason::NoCredentials, "{method} {headers:?}");
    }
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

const ID: (&str, &str) = ("x-request-id", "r-7");

#[test]
fn each_verdict_and_each_refusal_is_told_once_whoever_asks_again() {
    let seen = Seen::default();
    let builder = Guard::builder(Named::default()).authorizer(ByName).revocation(Status(TokenStatus::Active));
    let guard = builder.observer(seen.clone()).clock(HandClock::default()).build().expect("a guard");
    let check = guard.check(role("admin")).expect("judged");
    let cases: [(&[(&str, &str)], &[&str]); 7] = [
        (&[ID], &["refused: no_credentials, r-7"]),
        (&[ID, (AUTH, "Bearer a b")], &["malformed_request in 0ns", "refused: malformed_request, r-7"]),
        (&[ID, (AUTH, "Bearer bad")], &["signature in 0ns", "refused: signature, r-7"]),
        (&[ID, (AUTH, "Bearer down")], &["keys_unavailable in 0ns", "refused: keys_unavailable, r-7, no route"]),
        (
            &[ID, (AUTH, "Bearer reader")],
            &["verified in 0ns", "deny by by_name/not_admin", "refused: not_allowed, r-7"],
        ),
        (
            &[ID, (AUTH, "Bearer other")],
            &["verified in 0ns", "indeterminate by by_name/unknown", "refused: undecided, r-7"],
        ),
        (&[ID, (AUTH, "Bearer admin")], &["verified in 0ns", "allow by somebody"]),
    ];
    for (headers, expected) in cases {
        let request = RequestView::new("GET", "/", None, &headers);
        let screening = check.screening(None);
        let first = now(check.judge(&screening, &request));
        assert_eq!(seen.take(), expected, "{headers:?}");
        let _ = now(screening.verdict(&request));
        let _ = screening.verdict_now(&request);
        let again = now(screening.require(&request));
        let authenticated = now(guard.check_authenticated().judge(&screening, &request));
        assert_eq!(seen.take(), [""; 0], "{headers:?}");
        if let (Err(first), Err(again), Err(authenticated)) = (first, again, authenticated) {
            assert_eq!([first.correlation_id(), again.correlation_id(), authenticated.correlation_id()], ["r-7"; 3]);
        }
    }
}

#[test]
fn requests_without_credentials_reach_no_verdict_that_is_told() {
    let seen = Seen::default();
    let guard = Guard::builder(Named::default()).observer(seen.clone()).build().expect("a guard");
    let none: [(&str, &str); 0] = [];
    let request = RequestView::new("GET", "/", None, &none);
    let screening = Screening::enter(&guard, None);
    assert!(now(screening.optional(&request)).is_ok());
    assert_eq!(seen.take(), [""; 0]);
    assert!(now(screening.require(&request)).is_err());
    assert!(matches!(&*seen.take(), [refused] if refused.starts_with("refused: no_credentials, ")));
}

#[test]
fn a_want_of_credentials_is_told_once_and_only_where_it_is_the_answer() {
    let seen = Seen::default();
    let guard = Guard::builder(Named::default()).observer(seen.clone()).build().expect("a guard");
    let none: [(&str, &str); 0] = [];
    let request = RequestView::new("GET", "/", None, &none);
    let (screening, other) = (Screening::enter(&guard, None), Screening::enter(&guard, None));
    let denial = screening.want_of_credentials(&request);
    assert_eq!(seen.take(), [""; 0]);
    other.tell(&denial);
    screening.tell(&other.want_of_credentials(&request));
    screening.tell(&Denial::unguarded());
    assert_eq!(seen.take(), [""; 0], "another's");
    screening.tell(&denial);
    screening.tell(&denial);
    let required = now(screening.require(&request)).unwrap_err();
    assert_eq!(seen.take(), [format!("refused: no_credentials, {}", denial.correlation_id())]);
    assert_eq!(required.correlation_id(), denial.correlation_id());
}

#[test]
fn a_verdict_takes_as_long_as_the_call_that_reaches_it() {
    let cases: [(&str, &[&str]); 2] =
        [("Bearer me", &["verified in 50ms"]), ("Bearer bad", &["signature in 43ms", "refused: signature, r-7"])];
    for (credential, expected) in cases {
        let (seen, clock) = (Seen::default(), HandClock::default());
        clock.advance(1_000_000);
        let builder = Guard::builder(Slow(clock.clone(), Named::default())).revocation(SlowStatus(clock.clone()));
        let guard = builder.observer(seen.clone()).clock(clock.clone()).build().expect("a guard");
        let check = guard.check_authenticated();
        let headers = [(AUTH, credential), ID];
        let request = RequestView::new("GET", "/", None, &headers);
        let screening = check.screening(None);
        assert!(check.judge_now(&screening, &request).is_none());
        assert_eq!(seen.take(), [""; 0], "nothing is known yet");
        clock.advance(500);
        let mut judging = pin!(check.judge(&screening, &request));
        assert!(poll(judging.as_mut()).is_pending());
        clock.advance(40);
        assert!(poll(judging.as_mut()).is_ready());
        assert_eq!(seen.take(), expected);
    }
}

#[test]
fn of_several_who_reach_a_verdict_at_once_one_tells_it() {
    for (credential, expected) in [("Bearer me", 1), ("Bearer bad", 2)] {
        let (seen, clock) = (Seen::default(), HandClock::default());
        let guard = Guard::builder(Slow(clock, Named::default())).observer(seen.clone()).build().expect("a guard");
        let headers = [(AUTH, credential)];
        let request = RequestView::new("GET", "/", None, &headers);
        let outer = Screening::enter(&guard, None);
        let check = guard.check_authenticated();
        let inner = check.screening(Some(&outer));
        let (mut one, mut other) = (pin!(outer.require(&request)), pin!(check.judge(&inner, &request)));
        assert!(poll(one.as_mut()).is_pending() && poll(other.as_mut()).is_pending());
        let answers = (poll(one.as_mut()), poll(other.as_mut()));
        let (Poll::Ready(one), Poll::Ready(other)) = answers else { panic!("both have been polled twice") };
        assert_eq!(seen.take().len(), expected, "{credential}");
        let id = |answer: Result<VerifiedToken, Denial>| answer.err().map(|denial| denial.correlation_id().to_owned());
        assert_eq!(id(one), id(other), "one refusal, which all are answered with");
    }
}

#[test]
fn a_refusal_is_found_by_the_id_of_its_request() {
    let guard = Guard::builder(Named::default()).correlation_header("X-Trace").build().expect("a guard");
    let id = |value: Option<&str>| {
        let headers: Vec<_> = [(AUTH, "Bearer bad"), ID].into_iter().chain(value.map(|v| ("x-trace", v))).collect();
        let headers = headers.as_slice();
        let request = RequestView::new("GET", "/", None, &headers);
        let denial = now(Screening::enter(&guard, None).require(&request)).unwrap_err();
        denial.correlation_id().to_owned()
    };
    assert_eq!(id(Some("t-1")), "t-1");
    for hostile in [None, Some("t\r\nx: y"), Some("\""), Some("\0"), Some("\u{1b}[2J"), Some(&*"t".repeat(10 * 1024))] {
        let (one, other) = (id(hostile), id(hostile));
        assert!(one.len() == 16 && one.bytes().all(|octet| octet.is_ascii_hexdigit()), "{one}");
        assert_ne!(one, other);
    }
}

#[test]
fn the_id_stands_in_no_part_of_the_answer() {
    let guard = Guard::builder(Named::default()).realm("api").build().expect("a guard");
    let answer = |headers: &[(&str, &str)]| {
        let request = RequestView::new("GET", "/", None, &headers);
        let denial = now(Screening::enter(&guard, None).require(&request)).unwrap_err();
        (denial.headers().collect::<Vec<_>>(), denial.body().clone())
    };
    let bad = (AUTH, "Bearer bad");
    assert_eq!(answer(&[bad, ID]), answer(&[bad]));
}

#[test]
fn refusals_without_a_request_at_hand_take_the_id_that_was_found() {
    let seen = Seen::default();
    let guard = Guard::builder(Named::default()).authorizer(ByName).observer(seen.clone()).build().expect("a guard");
    let headers = [(AUTH, "Bearer reader"), ID];
    let request = RequestView::new("GET", "/", None, &headers);
    let screening = Screening::enter(&guard, None);
    let token = now(screening.require(&request)).expect("verified");
    let misfit = |screening: &Screening| screening.claims::<u8>(&token).unwrap_err().correlation_id().to_owned();

    let random = misfit(&screening);
    assert_eq!((random.len(), misfit(&screening)), (16, random.clone()), "one id for each request");
    assert_ne!(misfit(&Screening::enter(&guard, None)), random);

    let refused = Screening::enter(&guard, None);
    let check = guard.check(role("admin")).expect("judged");
    assert!(now(check.judge(&refused, &request)).is_err());
    assert_eq!(misfit(&refused), "r-7");

    seen.take();
    let own = guard.refuse(Reason::CrossSite);
    assert_eq!(seen.take(), [format!("refused: cross_site, {}", own.correlation_id())]);
}

/// Says which fields it was asked for.
struct Watched(Mutex<Vec<String>>);
impl crate::request::HeaderSource for Watched {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.lock().expect("lock").push(name.to_owned());
        (name == AUTH && nth == 0).then_some(b"Bearer me".as_slice())
    }
}

#[test]
fn a_verified_request_is_not_asked_for_its_id() {
    let guard = Guard::builder(Named::default()).build().expect("a guard");
    let headers = Watched(Mutex::default());
    let request = RequestView::new("GET", "/", None, &headers);
    assert!(now(Screening::enter(&guard, None).require(&request)).is_ok());
    assert!(headers.0.lock().expect("lock").iter().all(|name| name == AUTH));
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
fn challenges_point_to_the_metadata_that_the_guard_completes() {
    let metadata = || ResourceMetadata::builder("https://api.example/v1");
    let query = || QueryExtractor::danger_new("access_token").expect("a name");
    let cookie = || CookieExtractor::new("t").expect("a name");
    let builder = || Guard::builder(Named::default());
    let cases: [(GuardBuilder, ResourceMetadataBuilder, Option<&[&str]>); 5] = [
        (builder(), metadata(), Some(&["header"])),
        (builder().extractor(cookie()), metadata(), None),
        (builder().extractor(query()).extractor(HeaderExtractor::bearer()), metadata(), Some(&["header", "query"])),
        (builder().extractor(query()).extractor(cookie()).extractor(query()), metadata(), Some(&["query"])),
        (builder().extractor(query()), metadata().bearer_methods([BearerMethod::Header]), Some(&["header"])),
    ];
    for (builder, metadata, methods) in cases {
        let guard = builder.protected_resource(metadata.build().expect("metadata")).build().expect("a guard");
        let served = guard.protected_resource().expect("metadata");
        let document: serde_json::Value = serde_json::from_slice(&served.document()).expect("JSON");
        let found = document.get("bearer_methods_supported").cloned();
        assert_eq!(found, methods.map(|methods| json!(methods)), "{guard:?}");
        let denial = guard.refuse(Reason::NoCredentials);
        let url = "https://api.example/.well-known/oauth-protected-resource/v1";
        assert!(denial.challenges().eq([format!(r#"Bearer resource_metadata="{url}""#)]), "{denial:?}");
        assert_eq!(served.url(), url);
    }
    assert!(builder().resource_metadata("https://a.example/").build().expect("a guard").protected_resource().is_none());
    let both =
        builder().resource_metadata("https://a.example/").protected_resource(metadata().build().expect("metadata"));
    assert_eq!(both.build().unwrap_err().setting(), "resource_metadata");
}

#[test]
fn what_makes_no_sense_in_a_header_is_refused_when_built() {
    let builder = || Guard::builder(Named::default());
    assert_eq!(builder().realm("a\nb").build().unwrap_err().setting(), "realm");
    assert_eq!(builder().scope("é").build().unwrap_err().setting(), "scope");
    for url in ["\u{7f}", "https://api.example/\r\n", "http://api.example/", "/.well-known/oauth-protected-resource"] {
        assert_eq!(builder().resource_metadata(url).build().unwrap_err().setting(), "resource_metadata", "{url:?}");
    }
    for name in ["", "x id", "x\r\ny", "é", "Authorization", "cookie", "Sec-WebSocket-Protocol", "X-CSRF-Token"] {
        assert_eq!(builder().correlation_header(name).build().unwrap_err().setting(), "correlation_header", "{name}");
    }
    let basic = HeaderExtractor::new("authorization").and_then(|h| h.prefix("Basic")).expect("a scheme");
    assert_eq!(builder().extractor(basic).build().unwrap_err().setting(), "realm");
}

/// Lets subjects see the posts that they wrote; who wrote `later` must be looked up, and for `down` that fails.
fn own_posts() -> DenyOverrides {
    let own = policy_fn("own", |request| {
        let author = request.resource?.attribute("author")?;
        Some(author.as_text()? == request.token.subject()?)
    });
    let looked_up = async_policy_fn("looked_up", |request| {
        Box::pin(async move {
            match request.resource.map(|post| post.id) {
                Some("later") => Ok(true),
                Some("down") => Err("no route"),
                _ => Ok(false),
            }
        })
    });
    deny_overrides("posts", ["read"]).allow_if(own).allow_if(looked_up).build().expect("policies")
}

#[test]
fn a_handler_asks_about_what_it_has_loaded() {
    let seen = Seen::default();
    let builder = Guard::builder(Named::default()).authorizer((own_posts(), ByName)).observer(seen.clone());
    let guard = builder.build().expect("a guard");
    let check = guard.check(role("admin").or(action("read"))).expect("judged");
    let headers = [(AUTH, "Bearer x"), ID];
    let request = RequestView::new("GET", "/", None, &headers);
    let decide = |subject: &str, post: &str, author: &str| {
        let token = VerifiedToken::vouched(&json!({"sub": subject})).expect("claims");
        let author = [("author", author.into())];
        let post = Resource::new("post", post).with_attributes(&author);
        let question = check.question(&token).with_resource(post).with_request(&request);
        let answer = now(check.decide(&question));
        if let Some(at_once) = check.decide_now(&question) {
            assert_eq!(at_once.is_ok(), answer.is_ok());
        }
        seen.take();
        // Whoever passes another requirement is asked this check's.
        let other = authenticated();
        let denial = now(check.decide(&question.about(&other))).err();
        assert_eq!(denial.as_ref().map(Denial::status), answer.as_ref().err().map(Denial::status));
        let told = seen.take().into_iter().filter(|told| told.starts_with("refused")).collect::<Vec<_>>();
        assert_eq!(told, denial.iter().map(|d| format!("refused: {}, r-7", d.reason())).collect::<Vec<_>>());
        answer.map_err(|denial| denial.status())
    };
    assert_eq!(decide("reader", "1", "reader"), Ok(()));
    assert_eq!(decide("admin", "1", "reader"), Ok(()));
    assert_eq!(decide("reader", "1", "admin"), Err(403));
    assert_eq!(decide("reader", "later", "admin"), Ok(()));
    assert_eq!(decide("reader", "down", "admin"), Err(503));
    assert_eq!(decide("other", "1", "admin"), Err(503), "whether this one is `admin` cannot be told");
    assert_eq!(decide("admin", "down", "reader"), Ok(()), "one that allows stands");
}

#[test]
fn a_question_about_nothing_loaded_allows_nothing() {
    let guard = Guard::builder(Named::default()).authorizer(own_posts()).build().expect("a guard");
    let check = guard.check(action("read")).expect("judged");
    let token = VerifiedToken::vouched(&json!({"sub": "reader"})).expect("claims");
    let denial = now(check.decide(&check.question(&token))).unwrap_err();
    assert_eq!((denial.status(), denial.correlation_id().len()), (503, 16));
    assert_eq!(judge(&check, &[(AUTH, "Bearer reader")]), Err((503, Reason::Undecided)));
}

/// What a decision was told with.
#[derive(Clone, Debug, Default)]
struct Audit(Arc<Mutex<Vec<String>>>);
impl Observer for Audit {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Decision { decision, why, required, version, subject, correlation_id, trace } = event {
            let why = why.map_or("-".to_owned(), |why| why.to_string());
            let (version, id) = (version.unwrap_or("-"), correlation_id.unwrap_or("-"));
            let is_hash = subject.hash().is_some_and(|hash| hash.len() == 64);
            assert!(is_hash && !format!("{event:?}").contains("member"), "{event:?}");
            let trace = trace.map_or("-".to_owned(), ToString::to_string);
            self.0.lock().expect("lock").push(format!("{} {why} {required} {version} {id} {trace}", decision.name()));
        }
    }
}

/// An authorizer that has a version.
#[derive(Debug)]
struct Versioned<A>(A);
#[async_trait]
impl<A: Authorizer> Authorizer for Versioned<A> {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        self.0.accepts(requirement)
    }
    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        self.0.decide_now(request)
    }
    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        self.0.decide(request).await
    }
    fn trace(&self, request: &AccessRequest<'_>) -> Trace {
        self.0.trace(request)
    }
    fn version(&self) -> Option<Arc<str>> {
        Some("v7".into())
    }
}

#[test]
fn each_decision_is_told_with_its_reason_and_refusals_with_all_that_was_found() {
    let audit = Audit::default();
    let team = async_policy_fn("team", |request| {
        Box::pin(async move {
            match request.token.subject() {
                Some("lost") => Err("no route"),
                subject => Ok(subject == Some("member")),
            }
        })
    });
    let policies = deny_overrides("documents", ["read"])
        .deny_if(policy_fn("suspended", |request| request.token.subject() == Some("suspended")))
        .allow_if(policy_fn("public", |request| request.token.subject() == Some("anybody")))
        .allow_if(all_of((team, not(meets(ScopeAuthorizer, scopes(["c"])).expect("judged")))).expect("two"));
    let authorizer = (Versioned(policies.build().expect("policies")), ScopeAuthorizer);
    let guard =
        Guard::builder(Named::default()).authorizer(authorizer).observer(audit.clone()).build().expect("a guard");
    let check = guard.check(scopes(["c"]).or(action("read"))).expect("judged");
    let told = |check: &Check, subject: &str| {
        let credential = format!("Bearer {subject}");
        let headers = [(AUTH, credential.as_str()), ID];
        let request = RequestView::new("GET", "/", None, &headers);
        let _ = now(check.judge(&check.screening(None), &request));
        std::mem::take(&mut *audit.0.lock().expect("lock"))
    };
    let required = "any_of(scopes(c), action(read))";
    let scopes_c = "scopes(c): deny (scopes/missing_scope)";
    let not_c = "not: allow (scopes/missing_scope) [meets: abstain (scopes/missing_scope) [scopes(c): deny (scopes/missing_scope)]]";
    let waits = format!("all_of: waits [team: waits; {not_c}]");
    assert_eq!(told(&check, "anybody"), [format!("allow public/holds {required} v7 - -")]);
    assert_eq!(told(&check, "member"), [format!("allow team/holds {required} v7 - -")]);
    assert_eq!(
        told(&check, "suspended"),
        [format!(
            "deny scopes/missing_scope {required} v7 r-7 any_of: deny (scopes/missing_scope) [{scopes_c}; action(read): deny \
             (suspended/holds) [suspended: deny (suspended/holds); public: abstain (public/does_not_hold); {waits}]]"
        )]
    );
    assert_eq!(
        told(&check, "lost"),
        [format!(
            "indeterminate team/failed {required} v7 r-7 any_of: indeterminate (team/failed) [{scopes_c}; action(read): waits \
             [suspended: pass; public: abstain (public/does_not_hold); {waits}]]"
        )]
    );
    let plain = guard.check(scopes(["a"])).expect("judged");
    assert_eq!(told(&plain, "anybody"), ["allow scopes/held scopes(a) v7 - -"]);
    assert_eq!(told(&guard.check_authenticated(), "anybody"), [""; 0], "nobody decides that");
}

#[test]
fn the_reason_of_a_permission_is_that_of_the_part_that_made_it() {
    let audit = Audit::default();
    let set = |name: &'static str, action: &'static str, answer: bool| {
        let later = async_policy_fn(name, move |_| Box::pin(async move { answer }));
        deny_overrides(name, [action]).allow_if(later).build().expect("policies")
    };
    let authorizer = (set("yes", "yes", true), set("no", "no", false), set("other", "other", true), ScopeAuthorizer);
    let guard =
        Guard::builder(Named::default()).authorizer(authorizer).observer(audit.clone()).build().expect("a guard");
    let cases = [
        (action("yes").and(action("no")).or(action("other")), "other/holds"),
        (action("no").and(action("yes")).or(action("other")), "other/holds"),
        (scopes(["a"]).and(action("no")).or(action("other")), "other/holds"),
        (action("no").and(scopes(["a"])).or(action("yes")), "yes/holds"),
        (action("no").or(scopes(["a"])), "scopes/held"),
    ];
    for (requirement, expected) in cases {
        let check = guard.check(requirement).expect("judged");
        assert_eq!(judge(&check, &[(AUTH, "Bearer me")]), Ok("me".into()));
        for told in std::mem::take(&mut *audit.0.lock().expect("lock")) {
            assert!(told.starts_with(&format!("allow {expected} ")), "{told}");
        }
    }
}

#[test]
fn a_token_is_sent_on_only_once_it_is_verified() {
    let guard = Guard::builder(Named::default()).build().expect("a guard");
    let sent = |value: &str| {
        let headers = [(AUTH, value)];
        let request = RequestView::new("GET", "/", None, &headers);
        let screening = Screening::enter(&guard, None);
        assert!(screening.sent_token(&request).is_none(), "nobody has looked at it");
        let _ = now(screening.optional(&request));
        let token = screening.sent_token(&request)?;
        assert!(!format!("{token:?}").contains(token.expose()));
        Some(token.authorization().to_string())
    };
    assert_eq!(sent("bearer somebody"), Some("Bearer somebody".to_owned()));
    assert_eq!(sent("Bearer bad"), None);
    assert_eq!(sent("Bearer down"), None);
    assert_eq!(sent("Basic me"), None);
}

#[test]
fn a_credential_that_was_put_in_the_place_of_the_verified_one_is_not_sent_on() {
    let guard = Guard::builder(Named::default()).build().expect("a guard");
    let long = |first: &str| format!("Bearer {first}{}", "a".repeat(100));
    for (came, stands, is_sent) in [
        ("Bearer a".to_owned(), vec!["bearer  a".to_owned()], true),
        ("Bearer a".to_owned(), vec!["Bearer b".to_owned()], false),
        ("Bearer a".to_owned(), vec!["Bearer aa".to_owned()], false),
        ("Bearer a".to_owned(), vec!["Bearer a b".to_owned()], false),
        ("Bearer a".to_owned(), vec![], false),
        (long("x"), vec![long("x")], true),
        (long("x"), vec![long("xa")], false),
        (long("x"), vec![format!("{}b", long(""))], false),
    ] {
        let [came, stands] = [vec![came], stands].map(|values| values.into_iter().map(|value| (AUTH, value)).collect());
        let [came, stands]: [Vec<_>; 2] = [came, stands];
        let (came, stands) = (came.as_slice(), stands.as_slice());
        for is_now in [true, false] {
            let screening = Screening::enter(&guard, None);
            let came = RequestView::new("GET", "/", None, &came);
            let verdict = match is_now {
                true => screening.optional_now(&came).expect("nothing to wait for"),
                false => now(screening.optional(&came)),
            };
            assert!(verdict.expect("a good token").is_some());
            let stands = RequestView::new("GET", "/", None, &stands);
            assert_eq!(screening.sent_token(&stands).is_some(), is_sent);
        }
    }
}

#[test]
fn no_field_that_holds_a_credential_is_the_requests_id() {
    let builder = |field: &str| {
        let own = HeaderExtractor::new("X-Device-Token").expect("a field");
        let key = crate::cache::FleetKey::new([7; 32]).expect("a key");
        let tokens = crate::extract::CsrfTokens::new(key).header("X-Page").expect("a field");
        let cookie = CookieExtractor::new("session").expect("a name").csrf_tokens(tokens);
        Guard::builder(Named::default()).extractor(own).extractor(cookie).correlation_header(field).build()
    };
    for field in ["x-device-token", "x-page", "X-DEVICE-TOKEN", "authorization", "Cookie", "sec-websocket-protocol"] {
        assert_eq!(builder(field).unwrap_err().setting(), "correlation_header", "{field}");
    }
    assert!(builder("x-request-id").is_ok());
}

#[test]
fn a_field_in_hundreds_of_lines_is_not_looked_through() {
    for (field, line) in [("cookie", "a=b"), ("sec-websocket-protocol", "chat")] {
        let guard = Guard::builder(Named::default())
            .extractor(CookieExtractor::new("t").expect("a name"))
            .extractor(SubprotocolExtractor::new("bearer").expect("a prefix"));
        let check = guard.build().expect("a guard").check_authenticated();
        for (lines, expected) in [(256, Reason::NoCredentials), (257, Reason::SeveralCredentials)] {
            let status = expected.status();
            assert_eq!(judge(&check, &vec![(field, line); lines]), Err((status, expected)), "{lines} × {field}");
        }
    }
}
