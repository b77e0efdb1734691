use super::*;

const ADMIN: &[(&str, &str)] = &[(AUTH, "Bearer admin")];

fn by_name() -> Guard {
    Guard::builder(Named::default()).authorizer(ByName).build().expect("a guard")
}

#[test]
fn until_a_guard_is_handed_over_nobody_is_judged_and_then_everybody() {
    let (guard, hand_over) = Guard::later();
    let check = guard.check(role("admin")).expect("nothing to hold it against");
    let request = RequestView::new("GET", "/", None, &ADMIN);
    let before = Screening::enter(&guard, None);
    for headers in [ADMIN, &[], &[("cookie", "t=admin")]] {
        assert_eq!(judge(&check, headers), Err((503, Reason::NotReady)), "{headers:?}");
        let request = RequestView::new("GET", "/", None, &headers);
        let optional = now(Screening::enter(&guard, None).optional(&request)).unwrap_err();
        assert_eq!((optional.reason(), optional.retry_after()), (Reason::NotReady, Some(5)), "{headers:?}");
    }
    let token = VerifiedToken::vouched(&json!({"sub": "admin"})).expect("claims");
    for check in [&check, &guard.check_authenticated()] {
        let denial = now(check.decide(&check.question(&token))).unwrap_err();
        assert_eq!(denial.reason(), Reason::Undecided, "{:?}", check.requirement());
        assert!(check.decide_now(&check.question(&token)).is_none_or(|answer| answer.is_err()));
    }

    hand_over.hand_over(&by_name()).expect("a guard that knows the role");
    assert_eq!(judge(&check, ADMIN), Ok("admin".into()));
    assert_eq!(judge(&check, &[]), Err((401, Reason::NoCredentials)));
    assert_eq!(judge(&check, &[(AUTH, "Bearer reader")]), Err((403, Reason::NotAllowed)));
    assert!(now(check.decide(&check.question(&token))).is_ok());
    let denial = now(before.require(&request)).unwrap_err();
    assert_eq!(denial.reason(), Reason::NotReady, "a request is judged to its end by what it began with");
}

#[test]
fn a_guard_that_cannot_judge_what_is_declared_does_not_replace_another() {
    let (guard, hand_over) = Guard::later();
    let check = guard.check(role("admin")).expect("nothing to hold it against");
    let gone = guard.check(role("long forgotten")).expect("nothing to hold it against");
    let refused = hand_over.hand_over(&by_name()).unwrap_err();
    assert_eq!(refused.setting(), "require");
    assert_eq!(judge(&check, ADMIN), Err((503, Reason::NotReady)), "nothing has changed");
    drop(gone);
    hand_over.hand_over(&by_name()).expect("nobody requires the other role any more");

    let scopes_alone = Guard::builder(Named::default()).build().expect("a guard");
    assert_eq!(hand_over.hand_over(&scopes_alone).unwrap_err().setting(), "authorizer");
    assert_eq!(judge(&check, ADMIN), Ok("admin".into()), "the old guard stays");
    assert_eq!(guard.check(role("amdin")).unwrap_err().setting(), "require");
    assert_eq!(guard.check(permissions::<&str>([])).unwrap_err().setting(), "require");

    drop(check);
    hand_over.hand_over(&scopes_alone).expect("nothing is declared");
    assert!(guard.check(scopes(["a"])).is_ok() && guard.check(role("admin")).is_err());
    assert_eq!(hand_over.hand_over(&guard).unwrap_err().setting(), "hand_over");
}

#[test]
fn who_is_refused_before_there_is_a_guard_is_told() {
    let seen = Seen::default();
    let (guard, _) = Guard::later_told(seen.clone());
    let request = RequestView::new("GET", "/", None, &[("x-request-id", "r-7")]);
    assert!(now(Screening::enter(&guard, None).require(&request)).is_err());
    assert_eq!(seen.take().last().map(String::as_str), Some("refused: not_ready, r-7"));
}

#[test]
fn clones_are_one_guard_whatever_is_handed_over() {
    let (guard, hand_over) = Guard::later();
    let (other, _) = Guard::later();
    let clone = guard.clone();
    hand_over.clone().hand_over(&by_name()).expect("a guard");
    assert!(guard.is_same_as(&clone));
    assert!(!guard.is_same_as(&other) && !guard.is_same_as(&by_name()));
    let request = RequestView::new("GET", "/", None, &ADMIN);
    let outer = Screening::enter(&guard, None);
    let token = now(outer.require(&request)).expect("a token");
    hand_over
        .hand_over(&Guard::builder(Named { only_later: true, ..Named::default() }).build().expect("a guard"))
        .expect("handed over");
    let inner = Screening::enter(&clone, Some(&outer));
    let again = inner.require_now(&request).expect("the verdict of this request is kept").expect("a token");
    assert_eq!(again.subject(), token.subject());
    assert!(Screening::enter(&clone, None).require_now(&request).is_none(), "the next request asks the new guard");
}

#[test]
fn a_request_keeps_its_guard_behind_another_one_too() {
    let (guard, hand_over) = Guard::later();
    hand_over.hand_over(&by_name()).expect("a guard");
    let request = RequestView::new("GET", "/", None, &ADMIN);
    let outer = Screening::enter(&guard, None);
    let between = Screening::enter(&by_name(), Some(&outer));
    hand_over.hand_over(&Guard::builder(Down).authorizer(ByName).build().expect("a guard")).expect("a guard");
    assert!(now(Screening::enter(&guard, Some(&between)).require(&request)).is_ok());
    assert!(now(Screening::enter(&guard, None).require(&request)).is_err());
}

#[derive(Debug)]
struct Down;
#[async_trait]
impl TokenVerifier for Down {
    async fn verify(&self, _: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        Err(VerifyError::Unavailable(Unavailable::default()))
    }
}

/// Hands a guard over while it is asked, and accepts everything.
#[derive(Debug)]
struct Meanwhile(HandOver);
#[async_trait]
impl Authorizer for Meanwhile {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        self.0.hand_over(&by_name())
    }
    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        Decision::Allow
    }
}

#[test]
fn a_guard_that_comes_while_a_check_is_declared_is_asked_too() {
    let (guard, hand_over) = Guard::later();
    let meanwhile = Guard::builder(Named::default()).authorizer(Meanwhile(hand_over.clone())).build();
    hand_over.hand_over(&meanwhile.expect("a guard")).expect("nothing is declared");
    assert_eq!(guard.check(role("amdin")).unwrap_err().setting(), "require");
}

struct Amdin;
impl Requires for Amdin {
    fn requirement() -> Requirement {
        role("amdin")
    }
}

#[test]
fn a_type_that_is_declared_is_held_against_every_guard_to_come() {
    let (guard, hand_over) = Guard::later();
    guard.declare::<Amdin>().expect("nothing to hold it against");
    guard.declare::<Amdin>().expect("twice is once");
    let error = hand_over.hand_over(&by_name()).unwrap_err().to_string();
    assert_eq!(error, "`require`: `role(amdin)`, which is declared: an unknown name");
    assert_eq!(by_name().declare::<Amdin>().unwrap_err().setting(), "require");
}

#[test]
fn what_a_request_requires_by_its_types_is_asked_of_the_guard_that_began() {
    // The old guard accepts nothing, and would allow whatever it is asked; the new one accepts the role, and denies it.
    #[derive(Debug)]
    struct Trusting;
    #[async_trait]
    impl Authorizer for Trusting {
        fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
            Err(ConfigError::new("require", "an unknown name"))
        }
        async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
            Decision::Allow
        }
    }
    struct Admin;
    impl Requires for Admin {
        fn requirement() -> Requirement {
            role("admin")
        }
    }
    let (guard, hand_over) = Guard::later();
    let old = Guard::builder(Named::default()).authorizer(Trusting).build().expect("a guard");
    hand_over.hand_over(&old).expect("nothing is declared");
    let headers = [(AUTH, "Bearer reader")];
    let request = RequestView::new("GET", "/", None, &headers);
    let screening = Screening::enter(&guard, None);
    assert_eq!(now(screening.prove::<Admin>(&request)).unwrap_err().reason(), Reason::Unjudged);
    hand_over.hand_over(&by_name()).expect("handed over");
    assert_eq!(now(screening.prove::<Admin>(&request)).unwrap_err().reason(), Reason::Unjudged);
    let next = Screening::enter(&guard, None);
    assert_eq!(now(next.prove::<Admin>(&request)).unwrap_err().reason(), Reason::NotAllowed);
}

#[test]
fn checks_that_come_and_go_leave_nothing_behind() {
    let (guard, hand_over) = Guard::later();
    let kept: Vec<_> = (0..3).map(|n| guard.check(role(format!("role {n}"))).expect("a check")).collect();
    for n in 0..10_000 {
        drop(guard.check(role(format!("passing {n}"))));
    }
    let Wiring::Late(late) = &guard.0 else { panic!("made by `later`") };
    let room = format!("{:?}", late.declared_len());
    assert!(late.declared_len() < 64, "{room}");
    assert_eq!(kept.len(), 3);
    assert_eq!(hand_over.hand_over(&by_name()).unwrap_err().setting(), "require", "those that are there still count");
}

#[test]
fn declaring_and_handing_over_at_once_never_leaves_a_check_that_is_not_known() {
    let (guard, hand_over) = Guard::later();
    std::thread::scope(|scope| {
        let declaring = scope.spawn(|| (0..200).map(|_| guard.check(role("amdin"))).collect::<Vec<_>>());
        let handing = scope.spawn(|| (0..200).map(|_| hand_over.hand_over(&by_name()).is_ok()).collect::<Vec<_>>());
        let (checks, handed) = (declaring.join().expect("checks"), handing.join().expect("hand-overs"));
        // Whoever came first, a guard that does not know the name and a check of it never stand together.
        let is_declared = checks.iter().any(Result::is_ok);
        let is_handed = handed.last() == Some(&true);
        assert!(is_declared != is_handed, "declared: {is_declared}, handed over: {is_handed}");
    });
}
