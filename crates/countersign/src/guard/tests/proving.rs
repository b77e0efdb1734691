use super::*;
use crate::authorize::{All, Any, AsResource, Authorized, Proof, Requires};

struct Admin;
impl Requires for Admin {
    fn requirement() -> Requirement {
        role("admin")
    }
}

struct Nameless;
impl Requires for Nameless {
    fn requirement() -> Requirement {
        role("nameless")
    }
}

struct Post(&'static str);
impl AsResource for Post {
    fn as_resource(&self) -> Resource<'_> {
        Resource::new("post", self.0)
    }
}

struct Touch;
impl Requires for Touch {
    fn requirement() -> Requirement {
        action("touch")
    }
}

fn prove<R: Requires>(guard: &Guard, headers: &[(&str, &str)]) -> Result<Option<String>, (u16, Reason)> {
    let request = RequestView::new("GET", "/", None, &headers);
    let fresh = || Screening::enter(guard, None);
    let somebody: Result<Proof<R>, _> = now(fresh().prove(&request));
    let screening = fresh();
    let optional = screening.prove_optional_now::<R>(&request);
    let later = now(fresh().prove_optional::<R>(&request));
    if let Some(optional) = optional {
        assert_eq!(optional.is_ok(), later.is_ok(), "now and later");
    }
    match (&somebody, &later) {
        (Err(denial), Ok(None)) => assert_eq!(denial.reason(), Reason::NoCredentials),
        (Ok(_), Ok(Some(_))) => {}
        (Err(one), Err(other)) => assert_eq!(one.reason(), other.reason()),
        differ => panic!("{differ:?}"),
    }
    later
        .map(|proof| proof.map(|proof| proof.into_token().subject().unwrap_or_default().to_owned()))
        .map_err(|denial| (denial.status(), denial.reason()))
}

#[test]
fn a_proof_is_for_those_alone_who_meet_the_requirement() {
    type Row<'r> = (&'r [(&'r str, &'r str)], Result<Option<&'r str>, (u16, Reason)>);
    let table: [Row<'_>; 6] = [
        (&[(AUTH, "Bearer admin")], Ok(Some("admin"))),
        (&[], Ok(None)),
        (&[(AUTH, "Bearer bad")], Err((401, Reason::Rejected(Rejection::Signature)))),
        (&[(AUTH, "Bearer reader")], Err((403, Reason::NotAllowed))),
        (&[(AUTH, "Bearer other")], Err((503, Reason::Undecided))),
        (&[(AUTH, "Bearer down")], Err((503, Reason::KeysUnavailable))),
    ];
    for only_later in [false, true] {
        let verifier = Named { only_later, ..Named::default() };
        let guard = Guard::builder(verifier).authorizer(ByName).build().expect("a guard");
        for (headers, expected) in &table {
            let expected = expected.map(|subject| subject.map(str::to_owned));
            assert_eq!(prove::<Admin>(&guard, headers), expected, "{headers:?}");
            assert_eq!(prove::<All<(Admin, Admin)>>(&guard, headers), expected, "{headers:?}");
        }
    }
}

#[test]
fn what_a_guard_cannot_judge_is_its_owners_mistake_and_allows_nobody() {
    let seen = Seen::default();
    let guard = Guard::builder(Named::default()).authorizer(ByName).observer(seen.clone()).build().expect("a guard");
    let admin: &[(&str, &str)] = &[(AUTH, "Bearer admin"), ("x-request-id", "r-7")];
    assert_eq!(prove::<Nameless>(&guard, admin), Err((500, Reason::Unjudged)));
    assert_eq!(prove::<Any<(Admin, Nameless)>>(&guard, admin), Err((500, Reason::Unjudged)));
    assert_eq!(prove::<Nameless>(&guard, &[]), Ok(None), "nobody is not judged");
    let told = seen.take();
    assert!(told.contains(&"refused: unjudged, r-7, `require`: an unknown name".to_owned()), "{told:?}");
    let token = VerifiedToken::vouched(&json!({"sub": "admin"})).expect("claims");
    let denial = now(guard.authorize::<Nameless, _>(&token, Post("1"))).map(drop).unwrap_err();
    assert_eq!(denial.reason(), Reason::Unjudged);
    assert!(seen.take().concat().starts_with("refused: unjudged"));
}

/// Knows no role, and has known `admin`.
#[derive(Debug)]
struct Forgetful;
#[async_trait]
impl Authorizer for Forgetful {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        Err(ConfigError::new("require", "an unknown name"))
    }
    fn judges(&self, leaf: &Requirement) -> bool {
        *leaf == role("admin")
    }
    fn decide_now(&self, _: &AccessRequest<'_>) -> Option<Decision> {
        Some(Decision::Deny(Why::new("forgetful", "unknown_name")))
    }
    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        Decision::Deny(Why::new("forgetful", "unknown_name"))
    }
}

#[test]
fn a_name_that_an_authorizer_has_lost_is_denied_where_a_type_requires_it() {
    let seen = Seen::default();
    let authorizer = (Forgetful, ScopeAuthorizer);
    let guard =
        Guard::builder(Named::default()).authorizer(authorizer).observer(seen.clone()).build().expect("a guard");
    let admin: &[(&str, &str)] = &[(AUTH, "Bearer admin"), ("x-request-id", "r-7")];
    assert_eq!(prove::<Admin>(&guard, admin), Err((403, Reason::NotAllowed)));
    assert!(seen.take().contains(&"deny by forgetful/unknown_name".to_owned()), "a decision, told as one");
    assert_eq!(prove::<Any<(Admin, Admin)>>(&guard, admin), Err((403, Reason::NotAllowed)));
    assert_eq!(prove::<Nameless>(&guard, admin), Err((500, Reason::Unjudged)), "a name that it never knew");
    assert_eq!(prove::<Any<(Admin, Nameless)>>(&guard, admin), Err((500, Reason::Unjudged)));
    assert!(guard.check(role("admin")).is_err() && guard.declare::<Admin>().is_err(), "what is declared is a mistake");
    seen.take();
    let token = VerifiedToken::vouched(&json!({"sub": "admin"})).expect("claims");
    let denial = now(guard.authorize::<Admin, _>(&token, Post("1"))).map(drop).unwrap_err();
    assert_eq!((denial.status(), denial.reason()), (403, Reason::NotAllowed));
    assert_eq!(seen.take()[0], "deny by forgetful/unknown_name");
}

#[test]
fn a_resource_comes_back_only_with_the_decision_on_it() {
    let first = policy_fn("first", |request| Some(request.resource?.id == "1"));
    let posts = deny_overrides("posts", ["touch"]).allow_if(first).build().expect("policies");
    let guard = Guard::builder(Named::default()).authorizer(posts).build().expect("a guard");
    let headers = [(AUTH, "Bearer me")];
    let request = RequestView::new("GET", "/", None, &headers);
    let screening = Screening::enter(&guard, None);
    let token = now(screening.require(&request)).expect("a token");
    for (id, expected) in [("1", None), ("2", Some(Reason::NotAllowed))] {
        let in_request: Result<Authorized<Post, Touch>, _> = now(screening.authorize(&request, Post(id)));
        let alone: Result<Authorized<Post, Touch>, _> = now(guard.authorize(&token, Post(id)));
        for answer in [in_request, alone] {
            assert_eq!(answer.as_ref().err().map(Denial::reason), expected, "{id}");
            let Ok(authorized) = answer else { continue };
            assert_eq!((authorized.0, authorized.token().subject()), (id, Some("me")));
            assert_eq!(authorized.into_parts().0.0, id);
        }
    }
    assert!(now(screening.prove::<Touch>(&request)).is_err(), "without the resource the policy cannot tell");
    let nobody = RequestView::new("GET", "/", None, &[("accept", "*/*")]);
    let answer = now(Screening::enter(&guard, None).authorize::<Touch, _>(&nobody, Post("1")));
    assert_eq!(answer.map(drop).unwrap_err().reason(), Reason::NoCredentials);
}

#[test]
fn proofs_of_all_are_proofs_of_each_and_show_no_token() {
    struct Scoped;
    impl Requires for Scoped {
        fn requirement() -> Requirement {
            scopes(["a"])
        }
    }
    struct OtherScope;
    impl Requires for OtherScope {
        fn requirement() -> Requirement {
            scopes(["b"])
        }
    }
    let guard = Guard::builder(Named::default()).build().expect("a guard");
    let request = RequestView::new("GET", "/", None, &[(AUTH, "Bearer hidden")]);
    let proof: Proof<All<(Scoped, OtherScope)>> = now(Screening::enter(&guard, None).prove(&request)).expect("both");
    assert!(!format!("{proof:?}").contains("hidden"), "{proof:?}");
    let (a, b): (Proof<Scoped>, Proof<OtherScope>) = proof.split();
    assert_eq!((a.token().subject(), b.token().subject()), (Some("hidden"), Some("hidden")));
    let all = <All<(Scoped, OtherScope, Scoped)>>::requirement();
    assert_eq!(all.to_string(), "all_of(scopes(a), scopes(b), scopes(a))");
    assert_eq!(<Any<(Scoped, Admin)>>::requirement(), scopes(["a"]).or(role("admin")));
}
