//! Looks that come because something was told.

use super::*;

/// A world in which revocation tells, and what it tells by.
fn telling() -> (World, Changes) {
    let (now, changes) = (Now::good(), Changes::new());
    now.lock().changes = Some(changes.clone());
    (world_of(now), changes)
}

impl World {
    /// How often revocation was asked since the last time, and how often the authorizer.
    fn asked(&self) -> (usize, usize) {
        (self.now.looks(), std::mem::take(&mut self.now.lock().decisions))
    }
}

/// Polls `$end` as one who is woken does, and says how often he was woken before.
macro_rules! turn {
    ($bell:ident, $end:ident) => {{
        let rings = $bell.0.swap(0, Ordering::Relaxed);
        (rings, $end.as_mut().poll(&mut Context::from_waker(&Waker::from($bell.clone()))))
    }};
}

#[test]
fn who_is_told_by_revocation_looks_at_once_and_asks_no_authorizer() {
    let (world, changes) = telling();
    let tenure = world.tenure("i/me/-").expect("a tenure");
    world.asked();
    ending!(world, tenure => end);
    let bell = Arc::new(Bell::default());
    assert_eq!(turn!(bell, end), (0, Poll::Pending));
    assert_eq!(world.asked(), (0, 0));
    // What was told before the tenure began, it has not heard.
    world.clocks.pass(1);
    assert_eq!(turn!(bell, end), (0, Poll::Pending));
    assert_eq!(world.asked(), (1, 0));
    world.clocks.pass(10);
    assert_eq!(turn!(bell, end), (0, Poll::Pending));
    assert_eq!(world.asked(), (0, 0));
    changes.tell();
    assert_eq!(turn!(bell, end), (1, Poll::Pending));
    assert_eq!(world.asked(), (1, 0));
    // The look at everything comes when it would have come.
    world.clocks.pass(18);
    assert_eq!(turn!(bell, end), (0, Poll::Pending));
    assert_eq!(world.asked(), (0, 0));
    world.clocks.pass(1);
    assert_eq!(turn!(bell, end), (0, Poll::Pending));
    assert_eq!(world.asked(), (1, 1));
    world.clocks.pass(1);
    world.now.status(TokenStatus::Revoked);
    changes.tell();
    assert_eq!(turn!(bell, end), (1, Poll::Ready(End::Revoked)));
    assert_eq!(world.asked(), (1, 0));
}

#[test]
fn who_tells_all_the_time_is_heard_once_a_second() {
    let (world, changes) = telling();
    let tenure = world.tenure("i/me/-").expect("a tenure").recheck_every(Duration::from_secs(600));
    ending!(world, tenure => end);
    let bell = Arc::new(Bell::default());
    world.clocks.pass(1);
    assert_eq!(turn!(bell, end), (0, Poll::Pending));
    world.asked();
    let mut woken = 0;
    for _ in 0..100 {
        for _ in 0..100 {
            changes.tell();
            let (rings, answer) = turn!(bell, end);
            assert_eq!(answer, Poll::Pending);
            woken += rings;
        }
        world.clocks.pass(1);
        assert_eq!(turn!(bell, end), (0, Poll::Pending));
    }
    assert_eq!(world.asked(), (100, 0));
    assert_eq!(woken, 100, "once in each second");
}

#[test]
fn a_key_that_is_lost_is_told_by_the_verifier() {
    /// Tells of its keys, and trusts the one as it is told to.
    #[derive(Debug)]
    struct Telling(Spelt, Changes);
    #[async_trait]
    impl TokenVerifier for Telling {
        async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
            self.0.verify(credential).await
        }
        async fn recheck(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
            self.0.recheck(token).await
        }
        fn changes(&self) -> Option<Changes> {
            Some(self.1.clone())
        }
    }
    for revocation_tells in [false, true] {
        let (clocks, said, changes) = (Clocks::default(), Now::good(), Changes::new());
        said.lock().changes = revocation_tells.then(Changes::new);
        let verifier = Telling(Spelt(said.clone()), changes.clone());
        let guard = Guard::builder(verifier).revocation(said.clone()).clock(clocks.clone()).build().expect("a guard");
        let opened = token("i/me/-").expect("a token");
        let tenure = guard.check_authenticated().tenure(&opened).expect("a tenure");
        let mut end = pin!(tenure.end(|time| clocks.sleep(time)));
        let bell = Arc::new(Bell::default());
        for _ in 0..2 {
            assert_eq!(turn!(bell, end), (0, Poll::Pending));
            clocks.pass(1);
        }
        said.key(TokenStatus::Revoked);
        changes.tell();
        assert_eq!(turn!(bell, end), (1, Poll::Ready(End::Revoked)), "{revocation_tells}");
    }
}

#[test]
fn what_is_told_while_the_answer_is_awaited_is_looked_at_again() {
    let (world, changes) = telling();
    let tenure = world.tenure("i/me/-").expect("a tenure");
    ending!(world, tenure => end);
    world.now.status(None);
    world.clocks.pass(1);
    assert!(poll(end.as_mut()).is_pending());
    changes.tell();
    world.now.status(TokenStatus::Active);
    assert!(poll(end.as_mut()).is_pending());
    assert_eq!(world.now.looks(), 1);
    world.now.status(TokenStatus::Revoked);
    world.clocks.pass(1);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Revoked));
}

#[test]
fn doubt_begins_with_what_is_told_and_ends_with_a_look_at_everything() {
    let (world, changes) = telling();
    let told = |status: TokenStatus| {
        world.now.status(status);
        changes.tell();
    };
    let tenure = world.tenure("i/me/-").expect("a tenure").stale_for(Duration::from_secs(60));
    let tenure = tenure.recheck_every(Duration::from_secs(40));
    ending!(world, tenure => end);
    world.clocks.pass(10);
    told(TokenStatus::Unknown);
    assert!(poll(end.as_mut()).is_pending());
    // The authorizer cannot tell either; that revocation can again says nothing of that.
    world.now.decide(Decision::Indeterminate(WHY));
    world.clocks.pass(30);
    assert!(poll(end.as_mut()).is_pending());
    told(TokenStatus::Active);
    world.clocks.pass(2);
    assert!(poll(end.as_mut()).is_pending());
    world.clocks.pass(27);
    assert!(poll(end.as_mut()).is_pending(), "59 s of doubt");
    world.clocks.pass(1);
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Unknown));

    let (world, changes) = telling();
    let tenure = world.tenure("i/me/-").expect("a tenure").stale_for(Duration::ZERO);
    ending!(world, tenure => end);
    world.clocks.pass(1);
    assert!(poll(end.as_mut()).is_pending());
    world.clocks.pass(1);
    world.now.status(TokenStatus::Unknown);
    changes.tell();
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::Unknown), "no doubt is borne");
}

#[test]
fn of_a_thousand_who_wait_each_is_woken_once() {
    let (world, changes) = telling();
    let tenures: Vec<_> = (0..1000).map(|_| world.tenure("i/me/-").expect("a tenure")).collect();
    let sleep = |time| world.clocks.sleep(time);
    let mut ends: Vec<_> = tenures.iter().map(|tenure| Box::pin(tenure.end(sleep))).collect();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut turn = || {
        let context = &mut Context::from_waker(&waker);
        ends.iter_mut().map(|end| end.as_mut().poll(context)).filter(|end| *end == Poll::Ready(End::Revoked)).count()
    };
    assert_eq!(turn(), 0);
    world.clocks.pass(1);
    assert_eq!(turn(), 0);
    world.clocks.pass(1);
    world.asked();
    world.now.status(TokenStatus::Revoked);
    changes.tell();
    changes.tell();
    assert_eq!(bell.0.load(Ordering::Relaxed), 1000);
    assert_eq!(turn(), 1000);
    assert_eq!(world.asked(), (1000, 0));
}

/// A guard that is handed over, of what is said and who tells of it.
fn handed(said: &Now, clocks: &Clocks) -> Guard {
    let builder = Guard::builder(Spelt(said.clone())).revocation(said.clone()).authorizer(said.clone());
    builder.clock(clocks.clone()).build().expect("a guard")
}

#[test]
fn a_guard_that_is_handed_over_looks_at_once_and_at_everything() {
    let revoked = |said: &Now| said.status(TokenStatus::Revoked);
    let withdrawn = |said: &Now| said.key(TokenStatus::Revoked);
    let forbids = |said: &Now| said.decide(Decision::Deny(WHY));
    let cases: [(fn(&Now), End); 3] = [(revoked, End::Revoked), (withdrawn, End::Revoked), (forbids, End::NotAllowed)];
    for (nth, (change, expected)) in cases.into_iter().enumerate() {
        for (old_tells, new_tells) in [(false, false), (false, true), (true, false), (true, true)] {
            let said = |tells: bool| {
                let said = Now::good();
                said.lock().changes = tells.then(Changes::new);
                said
            };
            let (clocks, old, new) = (Clocks::default(), said(old_tells), said(new_tells));
            let (guard, hand_over) = Guard::later();
            hand_over.hand_over(&handed(&old, &clocks)).expect("a guard");
            let check = guard.check(role("admin")).expect("judged");
            let tenure = check.tenure(&token("i/me/-").expect("a token")).expect("a tenure");
            let tenure = tenure.recheck_every(Duration::from_secs(600));
            let mut end = pin!(tenure.end(|time| clocks.sleep(time)));
            let bell = Arc::new(Bell::default());
            for _ in 0..2 {
                assert_eq!(turn!(bell, end), (0, Poll::Pending));
                clocks.pass(1);
            }
            change(&new);
            hand_over.hand_over(&handed(&new, &clocks)).expect("another guard");
            assert_eq!(turn!(bell, end), (1, Poll::Ready(expected)), "case {nth}: {old_tells}, {new_tells}");
        }
    }
}

#[test]
fn what_one_guard_has_told_is_not_taken_for_what_another_tells() {
    let (clocks, old, new) = (Clocks::default(), Now::good(), Now::good());
    let changes = Changes::new();
    (old.lock().changes, new.lock().changes) = (Some(Changes::new()), Some(changes.clone()));
    let (guard, hand_over) = Guard::later();
    hand_over.hand_over(&handed(&old, &clocks)).expect("a guard");
    old.lock().changes.as_ref().expect("it tells").tell();
    let tenure = guard.check_authenticated().tenure(&token("i/me/-").expect("a token")).expect("a tenure");
    let mut end = pin!(tenure.end(|time| clocks.sleep(time)));
    let bell = Arc::new(Bell::default());
    for _ in 0..2 {
        assert_eq!(turn!(bell, end), (0, Poll::Pending));
        clocks.pass(1);
    }
    // Found good by the new guard, which then tells as often as the old one has.
    hand_over.hand_over(&handed(&new, &clocks)).expect("another guard");
    assert_eq!(turn!(bell, end), (1, Poll::Pending));
    assert_eq!(new.looks(), 1);
    clocks.pass(1);
    new.status(TokenStatus::Revoked);
    old.lock().changes.as_ref().expect("it tells").tell();
    assert_eq!(turn!(bell, end), (0, Poll::Pending), "nobody listens to the old guard");
    changes.tell();
    assert_eq!(turn!(bell, end), (1, Poll::Ready(End::Revoked)));
}

#[test]
fn a_guard_that_is_handed_over_while_a_request_is_judged_looks_at_what_it_opens() {
    let (clocks, old, new) = (Clocks::default(), Now::good(), Now::good());
    let (guard, hand_over) = Guard::later();
    hand_over.hand_over(&handed(&old, &clocks)).expect("a guard");
    let check = guard.check(role("admin")).expect("judged");
    let request = RequestView::new("GET", "/ws", None, &[(AUTH, "Bearer i/me/-")]);
    let screening = check.screening(None);
    now(check.judge(&screening, &request)).expect("allowed");
    new.decide(Decision::Deny(WHY));
    hand_over.hand_over(&handed(&new, &clocks)).expect("another guard");
    let tenure = now(screening.tenure(&request)).expect("a tenure");
    let mut end = pin!(tenure.end(|time| clocks.sleep(time)));
    assert_eq!(poll(end.as_mut()), Poll::Ready(End::NotAllowed));
}
