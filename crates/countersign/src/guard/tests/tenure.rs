use super::*;
use crate::changes::Changes;
use crate::claims::NumericDate;
use crate::reason::End;
use crate::screening::Tenure;
use std::task::Wake;

/// Seconds of the world and of no one's making, moved by hand.
#[derive(Clone, Debug, Default)]
struct Clocks(Arc<(AtomicU64, AtomicU64)>);

impl Clocks {
    fn pass(&self, seconds: u64) {
        self.0.0.fetch_add(seconds, Ordering::Relaxed);
        self.0.1.fetch_add(seconds, Ordering::Relaxed);
    }
    fn set(&self, seconds: u64) {
        self.0.0.store(seconds, Ordering::Relaxed);
    }
    fn stands_still_for(&self, seconds: u64) {
        self.0.0.fetch_add(seconds, Ordering::Relaxed);
    }
    /// The runtime's timer. Nobody is woken: tests poll.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        let (clock, at) = (self.clone(), self.monotonic() + time);
        poll_fn(move |_| if clock.monotonic() >= at { Poll::Ready(()) } else { Poll::Pending })
    }
}

impl Clock for Clocks {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.0.load(Ordering::Relaxed))
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.1.load(Ordering::Relaxed))
    }
}

/// Takes `issuer/subject/exp`, with `-` for what is absent, and goes on vouching for it as it is told to.
#[derive(Debug)]
struct Spelt(Now);
#[async_trait]
impl TokenVerifier for Spelt {
    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        assert!(credential.is_scheme("Bearer"));
        if credential.expose() == "down" {
            return Err(VerifyError::Unavailable(Unavailable::because("no route")));
        }
        token(credential.expose()).ok_or(Rejection::Malformed.into())
    }
    async fn recheck(&self, _: &VerifiedToken) -> Result<(), VerifyError> {
        match answer(|| self.0.lock().key).await {
            TokenStatus::Active => Ok(()),
            TokenStatus::Revoked => Err(Rejection::UnknownKey.into()),
            TokenStatus::Unknown => Err(VerifyError::Unavailable(Unavailable::default())),
        }
    }
}

fn token(text: &str) -> Option<VerifiedToken> {
    let parts: Vec<_> = text.split('/').collect();
    let [issuer, subject, expiry] = parts[..] else { return None };
    let mut claims = serde_json::Map::new();
    for (name, value) in [("iss", issuer), ("sub", subject)].into_iter().filter(|(_, value)| *value != "-") {
        claims.insert(name.into(), json!(value));
    }
    if expiry != "-" {
        claims.insert("exp".into(), json!(expiry.parse::<u64>().ok()?));
    }
    VerifiedToken::vouched(&claims).ok()
}

/// What is said at the moment; nothing where somebody hangs.
#[derive(Debug)]
struct Said {
    status: Option<TokenStatus>,
    key: Option<TokenStatus>,
    decision: Option<Decision>,
    /// How often the authorizer was asked.
    decisions: usize,
    /// What tells, where anybody does.
    changes: Option<Changes>,
}

/// Revocation and authorizer.
#[derive(Clone, Debug)]
struct Now(Arc<Mutex<Said>>, Arc<AtomicUsize>);

impl Now {
    fn good() -> Self {
        let (status, key) = (Some(TokenStatus::Active), Some(TokenStatus::Active));
        Self(
            Arc::new(Mutex::new(Said { status, key, decision: Some(Decision::Allow), decisions: 0, changes: None })),
            Arc::default(),
        )
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.0.lock().expect("lock")
    }
    fn status(&self, status: impl Into<Option<TokenStatus>>) {
        self.lock().status = status.into();
    }
    fn key(&self, key: impl Into<Option<TokenStatus>>) {
        self.lock().key = key.into();
    }
    fn decide(&self, decision: impl Into<Option<Decision>>) {
        self.lock().decision = decision.into();
    }
    /// How often revocation was asked since the last time.
    fn looks(&self) -> usize {
        self.1.swap(0, Ordering::Relaxed)
    }
}

/// The answer, once there is one.
async fn answer<T>(ask: impl Fn() -> Option<T>) -> T {
    poll_fn(|_| ask().map_or(Poll::Pending, Poll::Ready)).await
}

#[async_trait]
impl RevocationCheck for Now {
    async fn status(&self, _: &VerifiedToken) -> TokenStatus {
        self.1.fetch_add(1, Ordering::Relaxed);
        answer(|| self.lock().status).await
    }
    fn changes(&self) -> Option<Changes> {
        self.lock().changes.clone()
    }
}

#[async_trait]
impl Authorizer for Now {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        Ok(())
    }
    async fn decide(&self, question: &AccessRequest<'_>) -> Decision {
        assert!(question.request.is_none_or(|request| (request.method, request.path) == ("GET", "/ws")));
        self.lock().decisions += 1;
        answer(|| self.lock().decision).await
    }
}

struct World {
    clocks: Clocks,
    now: Now,
    seen: Seen,
    check: Check,
}

const WHY: Why = Why::new("switch", "off");

fn world() -> World {
    world_of(Now::good())
}

fn world_of(now: Now) -> World {
    let clocks = Clocks::default();
    let seen = Seen::default();
    let builder = Guard::builder(Spelt(now.clone())).revocation(now.clone()).authorizer(now.clone());
    let guard = builder.observer(seen.clone()).clock(clocks.clone()).build().expect("a guard");
    World { clocks, now, seen, check: guard.check(role("admin")).expect("judged") }
}

impl World {
    /// The tenure of a request with this token, and nothing told yet.
    fn tenure(&self, text: &str) -> Result<Tenure, Denial> {
        let authorization = format!("Bearer {text}");
        let headers = [(AUTH, authorization.as_str()), ("x-request-id", "r-7")];
        let request = RequestView::new("GET", "/ws", None, &headers);
        let screening = self.check.screening(None);
        now(self.check.judge(&screening, &request))?;
        self.seen.take();
        self.now.looks();
        now(screening.tenure(&request))
    }
}

/// `$end` is the future of the end of `$tenure`, which is polled by hand.
macro_rules! ending {
    ($world:ident, $tenure:ident => $end:ident) => {
        let clocks = $world.clocks.clone();
        let mut $end = pin!($tenure.end(move |time| clocks.sleep(time)));
        assert!(poll($end.as_mut()).is_pending());
    };
}

mod told;

#[test]
fn it_ends_at_the_moment_of_expiry_without_leeway_and_stays_ended() {
    let world = world();
    let tenure = world.tenure("i/me/100").expect("a tenure");
    assert_eq!(tenure.expires_at(), NumericDate::from_secs(100));
    ending!(world, tenure => end);
    world.clocks.pass(99);
    assert!(poll(end.as_mut()).is_pending());
    assert_eq!((now(tenure.look()), tenure.ended()), (Ok(()), None));
    world.clocks.pass(1);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Expired));
    assert_eq!((now(tenure.look()), tenure.ended()), (Err(End::Expired), Some(End::Expired)));
    assert_eq!(now(tenure.renew("i/me/999")).unwrap_err().reason(), Reason::Rejected(Rejection::Expired));
    world.clocks.set(0);
    assert_eq!(now(tenure.look()), Err(End::Expired), "time is not turned back");
    let told = world.seen.take();
    assert_eq!(told.iter().filter(|line| line.starts_with("Ended")).count(), 1, "{told:?}");
    assert!(told[0].contains("Expired") && told[0].contains("r-7"), "{told:?}");
}

#[test]
fn the_clock_that_comes_first_counts() {
    // Set back: the token lasts no longer than it would have.
    let behind = world();
    let tenure = behind.tenure("i/me/100").expect("a tenure");
    ending!(behind, tenure => end);
    behind.clocks.pass(50);
    behind.clocks.set(0);
    behind.clocks.pass(49);
    assert!(poll(end.as_mut()).is_pending());
    behind.clocks.pass(1);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Expired));
    // Asleep, or set forward: seen when it is next looked at the clock, 30 s later by the timer at most.
    let ahead = world();
    let tenure = ahead.tenure("i/me/1000").expect("a tenure");
    ending!(ahead, tenure => end);
    ahead.clocks.stands_still_for(5000);
    ahead.clocks.pass(29);
    assert!(poll(end.as_mut()).is_pending());
    ahead.clocks.pass(1);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Expired));
}

#[test]
fn a_token_within_its_leeway_opens_nothing() {
    let world = world();
    world.clocks.set(100);
    let denial = world.tenure("i/me/100").unwrap_err();
    assert_eq!((denial.reason(), denial.correlation_id()), (Reason::Rejected(Rejection::Expired), "r-7"));
    assert_eq!(world.seen.take(), ["refused: expired, r-7"]);
    assert!(world.check.tenure(&token("i/me/100").expect("a token")).is_err());
    assert!(world.check.tenure(&token("i/me/101").expect("a token")).is_ok());
    let nobody = RequestView::new("GET", "/ws", None, &[("accept", "*/*")]);
    let denial = now(Screening::enter(world.check.guard(), None).tenure(&nobody)).unwrap_err();
    assert_eq!(denial.reason(), Reason::NoCredentials);
    let optional = Screening::enter(world.check.guard(), None).tenure_optional_now(&nobody);
    assert!(matches!(optional, Some(Ok(None))));
}

#[test]
fn what_is_found_at_a_look_decides() {
    let unsure = Decision::Indeterminate(WHY);
    use TokenStatus::{Active, Revoked, Unknown};
    let (allow, deny) = (Decision::Allow, Decision::Deny(WHY));
    let cases: [(TokenStatus, TokenStatus, Decision, Result<(), End>, Result<(), End>); 14] = [
        (Active, Active, allow, Ok(()), Ok(())),
        (Revoked, Active, allow, Err(End::Revoked), Err(End::Revoked)),
        (Revoked, Active, deny, Err(End::Revoked), Err(End::Revoked)),
        (Revoked, Unknown, allow, Err(End::Revoked), Err(End::Revoked)),
        (Active, Revoked, allow, Err(End::Revoked), Err(End::Revoked)),
        (Active, Revoked, deny, Err(End::Revoked), Err(End::Revoked)),
        (Unknown, Revoked, allow, Err(End::Revoked), Err(End::Revoked)),
        (Active, Active, deny, Err(End::NotAllowed), Err(End::NotAllowed)),
        (Unknown, Active, deny, Err(End::NotAllowed), Err(End::NotAllowed)),
        (Active, Unknown, deny, Err(End::NotAllowed), Err(End::NotAllowed)),
        (Unknown, Active, allow, Ok(()), Err(End::Unknown)),
        (Active, Unknown, allow, Ok(()), Err(End::Unknown)),
        (Active, Active, unsure, Ok(()), Err(End::Unknown)),
        (Unknown, Active, unsure, Ok(()), Err(End::Unknown)),
    ];
    for (status, key, decision, patient, strict) in cases {
        for (stale_for, expected) in [(60, patient), (0, strict)] {
            let world = world();
            let tenure = world.tenure("i/me/-").expect("a tenure").stale_for(Duration::from_secs(stale_for));
            world.now.status(status);
            world.now.key(key);
            world.now.decide(decision);
            assert_eq!(now(tenure.look()), expected, "{status:?} {key:?} {decision:?} {stale_for}");
            let told = world.seen.take();
            let by_authorizer = expected.is_err() && ![status, key].contains(&Revoked) && decision != allow;
            let decisions = told.iter().filter(|line| line.ends_with("by switch/off")).count();
            assert_eq!(decisions, usize::from(by_authorizer), "{told:?}");
            assert_eq!(told.len(), usize::from(expected.is_err()) + decisions, "{told:?}");
        }
    }
}

#[test]
fn it_looks_as_often_as_it_is_told_to() {
    for (wish, interval) in [(None, 30), (Some(10), 10), (Some(0), 1), (Some(9999), 600)] {
        let world = world();
        let mut tenure = world.tenure("i/me/-").expect("a tenure");
        if let Some(wish) = wish {
            tenure = tenure.recheck_every(Duration::from_secs(wish));
        }
        ending!(world, tenure => end);
        assert_eq!(world.now.looks(), 0, "the verdict was reached a moment ago");
        for _ in 0..3 {
            world.clocks.pass(interval - 1);
            assert!(poll(end.as_mut()).is_pending());
            assert_eq!(world.now.looks(), 0, "{interval}");
            world.clocks.pass(1);
            assert!(poll(end.as_mut()).is_pending());
            assert_eq!(world.now.looks(), 1, "{interval}");
        }
        world.now.status(TokenStatus::Revoked);
        world.clocks.pass(interval);
        assert_eq!(poll(end.as_mut()), Poll::Ready(End::Revoked));
    }
}

#[test]
fn doubt_is_borne_for_a_time_and_forgotten_when_it_is_over() {
    let world = world();
    let tenure = world.tenure("i/me/-").expect("a tenure").stale_for(Duration::from_secs(45));
    ending!(world, tenure => end);
    world.now.status(TokenStatus::Unknown);
    world.clocks.pass(30);
    assert!(poll(end.as_mut()).is_pending());
    world.clocks.pass(30);
    assert!(poll(end.as_mut()).is_pending(), "30 s of doubt");
    world.now.status(TokenStatus::Active);
    world.clocks.pass(14);
    assert!(poll(end.as_mut()).is_pending());
    assert_eq!(now(tenure.look()), Ok(()));
    world.now.status(TokenStatus::Unknown);
    for seconds in [30, 30, 14] {
        world.clocks.pass(seconds);
        assert!(poll(end.as_mut()).is_pending(), "doubt began anew");
    }
    // Looked at sooner than in 30 s, because the time is up.
    world.clocks.pass(1);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Unknown));
}

#[test]
fn who_does_not_answer_cannot_tell_and_does_not_hold_up_the_expiry() {
    type Hang = fn(&Now);
    let hangs: [Hang; 3] = [|now| now.status(None), |now| now.key(None), |now| now.decide(None)];
    for hang in hangs {
        let world = world();
        let tenure = world.tenure("i/me/100").expect("a tenure").stale_for(Duration::from_secs(10));
        ending!(world, tenure => end);
        hang(&world.now);
        world.clocks.pass(30);
        assert!(poll(end.as_mut()).is_pending());
        world.clocks.pass(5);
        assert!(poll(end.as_mut()).is_pending(), "5 s without an answer: doubt begins");
        world.clocks.pass(10);
        assert!(poll(end.as_mut()).is_pending(), "and one more look has 5 s");
        world.clocks.pass(5);
        assert_eq!(poll(end.as_mut()), Poll::Ready(End::Unknown));

        let late = self::world();
        let tenure = late.tenure("i/me/32").expect("a tenure");
        ending!(late, tenure => end);
        hang(&late.now);
        late.clocks.pass(30);
        assert!(poll(end.as_mut()).is_pending());
        late.clocks.pass(2);
        assert_eq!(poll(end.as_mut()), Poll::Ready(End::Expired));
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);
impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_is_told_looks_at_once_and_so_do_all_who_wait() {
    let world = world();
    let tenure = world.tenure("i/me/-").expect("a tenure");
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let rings = || bell.0.swap(0, Ordering::Relaxed);
    let sleep = |_| std::future::pending::<()>();
    let (mut one, mut other) = (pin!(tenure.end(sleep)), pin!(tenure.end(sleep)));
    let mut poll_both = || {
        let context = &mut Context::from_waker(&waker);
        [one.as_mut().poll(context), other.as_mut().poll(context)]
    };
    assert_eq!(poll_both(), [Poll::Pending; 2]);
    assert_eq!(poll_both(), [Poll::Pending; 2]);
    let elsewhere = tenure.clone();
    elsewhere.wake();
    assert_eq!((rings(), world.now.looks()), (2, 0));
    assert_eq!(poll_both(), [Poll::Pending; 2]);
    assert!((1..=2).contains(&world.now.looks()));
    world.now.status(TokenStatus::Revoked);
    assert_eq!(poll_both(), [Poll::Pending; 2]);
    assert_eq!(now(tenure.look()), Err(End::Revoked));
    assert_eq!(rings(), 2, "the end wakes them too");
    assert_eq!(poll_both(), [Poll::Ready(End::Revoked); 2]);
}

/// Asks the tenure when it is dropped, as a task may that ends with its last waker.
struct Last(Tenure, Arc<AtomicUsize>);
impl Wake for Last {
    fn wake(self: Arc<Self>) {}
}
impl Drop for Last {
    fn drop(&mut self) {
        assert_eq!(self.0.ended(), None);
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_is_dropped_with_a_waker_may_ask_the_tenure() {
    let world = world();
    let tenure = world.tenure("i/me/-").expect("a tenure");
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut end = Box::pin(tenure.end(|_| std::future::pending::<()>()));
    for before in [0, 0, 1] {
        assert_eq!(dropped.load(Ordering::Relaxed), before);
        let waker = Waker::from(Arc::new(Last(tenure.clone(), dropped.clone())));
        assert!(end.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(end);
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn one_who_no_longer_waits_is_not_kept() {
    let world = world();
    let tenure = world.tenure("i/me/-").expect("a tenure");
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    for _ in 0..100 {
        let mut end = pin!(tenure.end(|_| std::future::pending::<()>()));
        assert!(end.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&bell), 2, "this one's and the waker's");
}

#[test]
fn a_renewed_tenure_goes_on_with_the_new_token() {
    let world = world();
    let tenure = world.tenure("i/me/100").expect("a tenure");
    ending!(world, tenure => end);
    world.clocks.pass(99);
    now(tenure.renew("i/me/200")).expect("renewed");
    assert_eq!(world.seen.take(), ["verified in 0ns", "allow by somebody"]);
    assert_eq!(tenure.token().expires_at(), NumericDate::from_secs(200));
    world.clocks.pass(100);
    assert!(poll(end.as_mut()).is_pending());
    // A shorter one counts as well.
    now(tenure.renew("i/me/205")).expect("renewed");
    now(tenure.renew("i/me/204")).expect("renewed");
    assert!(poll(end.as_mut()).is_pending());
    world.clocks.pass(5);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Expired));
}

#[test]
fn a_token_that_does_not_renew_changes_nothing() {
    let world = world();
    let rejected = Reason::Rejected;
    let cases = [
        ("", Reason::MalformedRequest),
        ("a b", Reason::MalformedRequest),
        ("\r\n\0é", Reason::MalformedRequest),
        ("garbage", rejected(Rejection::Malformed)),
        ("i/you/200", rejected(Rejection::Subject)),
        ("i/-/200", rejected(Rejection::Subject)),
        ("j/me/200", rejected(Rejection::Issuer)),
        ("-/me/200", rejected(Rejection::Issuer)),
        ("i/me/50", rejected(Rejection::Expired)),
        ("down", Reason::KeysUnavailable),
    ];
    for (text, reason) in cases {
        let tenure = world.tenure("i/me/100").expect("a tenure");
        world.clocks.set(50);
        let denial = now(tenure.renew(text)).unwrap_err();
        assert_eq!((denial.reason(), denial.correlation_id()), (reason, "r-7"), "{text}");
        assert_eq!(tenure.expires_at(), NumericDate::from_secs(100), "{text}");
        let told = world.seen.take();
        assert_eq!(told[0], format!("{reason} in 0ns"), "{text}");
        assert!(told[1].starts_with(&format!("refused: {reason}, r-7")) && told.len() == 2, "{told:?}");
    }
    let nameless = world.tenure("i/-/100").expect("a tenure");
    assert_eq!(now(nameless.renew("i/-/200")).unwrap_err().reason(), rejected(Rejection::Subject));

    let tenure = world.tenure("i/me/100").expect("a tenure");
    for (status, decision, reason) in [
        (TokenStatus::Revoked, Decision::Allow, Reason::Revoked),
        (TokenStatus::Unknown, Decision::Allow, Reason::RevocationUnknown),
        (TokenStatus::Active, Decision::Deny(WHY), Reason::NotAllowed),
        (TokenStatus::Active, Decision::Indeterminate(WHY), Reason::Undecided),
    ] {
        world.now.status(status);
        world.now.decide(decision);
        assert_eq!(now(tenure.renew("i/me/200")).unwrap_err().reason(), reason);
        assert_eq!((tenure.expires_at(), tenure.ended()), (NumericDate::from_secs(100), None));
    }
}

#[test]
fn an_answer_about_the_old_token_does_not_end_the_new_one() {
    let world = world();
    let tenure = world.tenure("i/me/100").expect("a tenure");
    let mut looking = pin!(tenure.look());
    world.now.decide(None);
    assert!(poll(looking.as_mut()).is_pending());
    world.now.decide(Decision::Allow);
    now(tenure.renew("i/me/200")).expect("renewed");
    world.now.looks();
    assert_eq!(poll(looking.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(world.now.looks(), 1, "asked again, about the new one");
}

#[test]
fn whoever_is_told_while_a_token_is_renewed_looks_again() {
    let world = world();
    let tenure = world.tenure("i/me/100").expect("a tenure");
    ending!(world, tenure => end);
    world.now.decide(None);
    let mut renewing = pin!(tenure.renew("i/me/200"));
    assert!(poll(renewing.as_mut()).is_pending(), "revocation has been asked, the authorizer not yet");
    tenure.wake();
    world.now.decide(Decision::Allow);
    assert!(matches!(poll(renewing.as_mut()), Poll::Ready(Ok(()))));
    world.now.status(TokenStatus::Revoked);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Revoked));
}

#[test]
fn every_requirement_that_the_request_met_is_asked_again_and_once() {
    #[derive(Clone, Debug, Default)]
    struct Asked(Arc<Mutex<Vec<String>>>);
    #[async_trait]
    impl Authorizer for Asked {
        fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
            Ok(())
        }
        async fn decide(&self, question: &AccessRequest<'_>) -> Decision {
            assert!(question.resource.is_none(), "what was loaded is not kept");
            self.0.lock().expect("lock").push(question.requirement.to_string());
            if question.requirement == &role("never") { Decision::Deny(WHY) } else { Decision::Allow }
        }
    }
    let asked = Asked::default();
    let guard =
        Guard::builder(Spelt(Now::good())).authorizer(asked.clone()).clock(Clocks::default()).build().expect("a guard");
    let request = RequestView::new("GET", "/ws", None, &[(AUTH, "Bearer i/me/100")]);
    let screening = Screening::enter(&guard, None);
    for (required, passes) in [("a", true), ("never", false), ("b", true), ("c", true)] {
        let check = guard.check(role(required)).expect("judged");
        for _ in 0..2 {
            assert_eq!(now(check.judge(&screening, &request)).is_ok(), passes);
        }
    }
    asked.0.lock().expect("lock").clear();
    let tenure = now(screening.tenure(&request)).expect("a tenure");
    assert_eq!(now(tenure.look()), Ok(()));
    assert_eq!(*asked.0.lock().expect("lock"), ["role(a)", "role(b)", "role(c)"]);
    asked.0.lock().expect("lock").clear();

    // What it did not hear of, and nothing of another guard.
    let outer = guard.check(role("outer")).expect("judged");
    let another = Guard::builder(Spelt(Now::good())).authorizer(asked.clone()).build().expect("a guard");
    for check in [&outer, &outer, &another.check(role("another")).expect("judged")] {
        tenure.clone().hold_to(check);
    }
    assert_eq!(now(tenure.look()), Ok(()));
    assert_eq!(*asked.0.lock().expect("lock"), ["role(a)", "role(b)", "role(c)", "role(outer)"]);
    tenure.hold_to(&guard.check(role("never")).expect("judged"));
    assert_eq!(now(tenure.look()), Err(End::NotAllowed));
}

/// Says when it is dropped.
struct Thing(Arc<AtomicUsize>);
impl Drop for Thing {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_is_lent_is_taken_back_at_the_end_whatever_the_borrower_is_at() {
    let world = world();
    let tenure = world.tenure("i/me/100").expect("a tenure").close_within(Duration::from_secs(3));
    let dropped = Arc::new(AtomicUsize::new(0));
    let borrower = |lease: Lease<Thing>| async move {
        let received = poll_fn(|context| lease.poll_receive(context, |_, _| Poll::<()>::Pending)).await;
        assert_eq!(received, None);
        assert_eq!(poll_fn(|context| lease.poll_send(context, |_, _| Poll::Ready(()))).await, None);
        assert_eq!(lease.tenure().ended(), Some(End::Expired));
    };
    let goodbye = |thing: Thing, end| async move {
        assert_eq!(end, End::Expired);
        std::future::pending::<()>().await;
        drop(thing);
    };
    let clocks = world.clocks.clone();
    let attending = tenure.attend(Thing(dropped.clone()), move |time| clocks.sleep(time), borrower, goodbye);
    let mut attending = pin!(attending);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let context = &mut Context::from_waker(&waker);
    assert!(attending.as_mut().poll(context).is_pending());
    world.clocks.pass(100);
    assert!(attending.as_mut().poll(context).is_pending(), "saying goodbye");
    assert_ne!(bell.0.load(Ordering::Relaxed), 0, "the borrower is woken");
    world.clocks.pass(2);
    assert!(poll(attending.as_mut()).is_pending());
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    world.clocks.pass(1);
    assert!(poll(attending.as_mut()).is_ready(), "a peer that does not take it");
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_borrower_who_leaves_ends_the_attendance_and_one_who_stays_is_not_cut_off() {
    let world = world();
    let dropped = Arc::new(AtomicUsize::new(0));
    let goodbye = |_: Thing, _| std::future::ready(());

    let tenure = world.tenure("i/me/100").expect("a tenure");
    let mut leaving = pin!(tenure.attend(
        Thing(dropped.clone()),
        |_| std::future::pending::<()>(),
        |_| std::future::ready(()),
        goodbye
    ));
    assert!(poll(leaving.as_mut()).is_ready());
    assert_eq!((dropped.load(Ordering::Relaxed), tenure.ended()), (1, None));

    let is_done = Arc::new(Mutex::new(false));
    let finished = is_done.clone();
    let busy = |lease: Lease<Thing>| async move {
        answer(|| finished.lock().expect("lock").then_some(())).await;
        drop(lease);
    };
    let clocks = world.clocks.clone();
    let mut staying = pin!(tenure.attend(Thing(dropped.clone()), move |time| clocks.sleep(time), busy, goodbye));
    world.clocks.pass(100);
    assert!(poll(staying.as_mut()).is_pending());
    assert_eq!(dropped.load(Ordering::Relaxed), 2, "closed all the same");
    *is_done.lock().expect("lock") = true;
    assert!(poll(staying.as_mut()).is_ready());
}

/// A runtime that gives each turn of a task so much, and what a busy peer leaves of it.
#[test]
fn a_peer_that_keeps_the_application_busy_keeps_no_connection_open() {
    let world = world();
    let tenure = world.tenure("i/me/100").expect("a tenure").close_within(Duration::from_secs(3));
    let dropped = Arc::new(AtomicUsize::new(0));
    let is_spent = Arc::new(Mutex::new(false));
    let spend = || {
        let is_spent = is_spent.clone();
        move || *is_spent.lock().expect("lock") = true
    };
    let (receiving, closing) = (spend(), spend());
    let application = |lease: Lease<Thing>| async move {
        let flooded = poll_fn(|context| {
            lease.poll_receive(context, |_, _| {
                receiving();
                Poll::<()>::Pending
            })
        });
        assert_eq!(flooded.await, None, "taken back");
    };
    let goodbye = |thing: Thing, end| async move {
        assert_eq!(end, End::Expired);
        poll_fn(|_| {
            closing();
            Poll::<()>::Pending
        })
        .await;
        drop(thing);
    };
    let (clocks, left) = (world.clocks.clone(), is_spent.clone());
    let sleep = move |time| {
        let (mut sleep, left) = (Box::pin(clocks.sleep(time)), left.clone());
        poll_fn(move |context| match *left.lock().expect("lock") {
            true => Poll::Pending,
            false => sleep.as_mut().poll(context),
        })
    };
    let mut attending = pin!(tenure.attend(Thing(dropped.clone()), sleep, application, goodbye));
    let mut turn = || {
        *is_spent.lock().expect("lock") = false;
        poll(attending.as_mut())
    };
    assert!(turn().is_pending());
    world.clocks.pass(100);
    assert!(turn().is_pending(), "saying goodbye");
    assert_eq!(tenure.ended(), Some(End::Expired));
    world.clocks.pass(3);
    assert!(turn().is_ready());
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_guard_that_is_handed_over_looks_at_connections_that_are_open() {
    let clocks = Clocks::default();
    let build = |revocation: TokenStatus| {
        Guard::builder(Spelt(Now::good()))
            .revocation(Status(revocation))
            .clock(clocks.clone())
            .build()
            .expect("a guard")
    };
    let (guard, hand_over) = Guard::later();
    hand_over.hand_over(&build(TokenStatus::Active)).expect("a guard");
    let opened = token("me/you/1000").expect("a token");
    let tenure = guard.check_authenticated().tenure(&opened).expect("a tenure");
    assert_eq!(now(tenure.look()), Ok(()));
    hand_over.hand_over(&build(TokenStatus::Revoked)).expect("a guard that knows better");
    assert_eq!(now(tenure.renew("me/you/2000")).unwrap_err().reason(), Reason::Revoked);
    assert_eq!(now(tenure.look()), Err(End::Revoked));
}

#[test]
fn a_stream_is_over_at_the_end_of_its_tenure_and_stays_so() {
    use crate::screening::Limit;
    let world = world();
    let limit = || {
        let (tenure, clocks) = (world.tenure("me/you/1000").expect("a tenure"), world.clocks.clone());
        Limit::new(tenure, move |time| clocks.sleep(time))
    };
    let mut context = Context::from_waker(Waker::noop());
    let (mut idle, mut short) = (limit(), limit());
    assert_eq!(idle.poll_next(&mut context, |_| Poll::Ready(Some(7))), Poll::Ready(Some(7)));
    assert_eq!(idle.poll_next::<u8>(&mut context, |_| Poll::Pending), Poll::Pending);
    assert_eq!(short.poll_next::<u8>(&mut context, |_| Poll::Ready(None)), Poll::Ready(None), "it ends before");
    world.clocks.pass(1000);
    for over in [&mut idle, &mut short] {
        for _ in 0..2 {
            assert_eq!(over.poll_next(&mut context, |_| Poll::Ready(Some(8))), Poll::Ready(None));
        }
    }
}
