use super::*;
use crate::authorize::Requires;
use crate::manifest::Declarations;

macro_rules! scoped {
    ($($name:ident $scope:literal)*) => {$(
        struct $name;
        impl Requires for $name {
            fn requirement() -> Requirement {
                scopes([$scope])
            }
        }
    )*};
}
scoped! { A "a" B "b" C "c" }

/// As `ScopeAuthorizer`, which has to wait for an answer about these.
#[derive(Debug)]
struct Later(&'static [&'static str]);
#[async_trait]
impl Authorizer for Later {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        ScopeAuthorizer.accepts(requirement)
    }
    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        let is_later = self.0.iter().any(|scope| *request.requirement == scopes([*scope]));
        if is_later { None } else { ScopeAuthorizer.decide_now(request) }
    }
    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        ScopeAuthorizer.decide(request).await
    }
}

fn guard_with(later: &'static [&'static str]) -> (Guard, Seen) {
    let seen = Seen::default();
    let builder = Guard::builder(Named::default()).authorizer(Later(later)).observer(seen.clone());
    (builder.build().expect("a guard"), seen)
}

type Route = fn(Declarations<()>) -> Declarations<()>;

fn gate(guard: &Guard, route: Route) -> Gate {
    let plan = route(Declarations::new(guard)).build().expect("a plan");
    plan.paths.into_iter().flat_map(|path| path.routes).next().expect("a route").gate
}

fn decisions(seen: &Seen) -> usize {
    seen.take().iter().filter(|event| event.starts_with("allow") || event.starts_with("deny")).count()
}

/// By the road that does not wait where it can, and by the other.
fn admitted(gate: &Gate, headers: &[(&str, &str)]) -> Result<(), u16> {
    let request = RequestView::new("GET", "/", None, &headers);
    let later = now(gate.admit(&Screening::enter(gate.guard(), None), &request)).map_err(|denial| denial.status());
    let screening = Screening::enter(gate.guard(), None);
    if let Some(answer) = gate.admit_now(&screening, &request) {
        assert_eq!(answer.map_err(|denial| denial.status()), later, "now and later");
    }
    later
}

#[test]
fn what_a_route_proves_stands_before_its_handler() {
    let public: Route = |table| table.public("GET", "/", ());
    let authenticated_only: Route = |table| table.requires("GET", "/", authenticated(), ());
    // What is declared, and the answer to nobody, to whoever has the scopes `a` and `b`, to a bad token.
    type Row = (Route, Option<u16>, Option<u16>, Option<u16>);
    let rows: [Row; 11] = [
        (public, None, None, None),
        (|table| table.public("GET", "/", ()).proves::<A>(), None, None, Some(401)),
        (|table| table.public("GET", "/", ()).proves::<C>(), None, Some(403), Some(401)),
        (authenticated_only, Some(401), None, Some(401)),
        (|table| table.requires("GET", "/", authenticated(), ()).proves::<A>(), Some(401), None, Some(401)),
        (|table| table.requires("GET", "/", authenticated(), ()).proves::<C>(), Some(401), Some(403), Some(401)),
        (|table| table.requires("GET", "/", scopes(["c"]), ()).proves::<A>(), Some(401), Some(403), Some(401)),
        (|table| table.requires("GET", "/", scopes(["a"]), ()).proves::<A>(), Some(401), None, Some(401)),
        (
            |table| table.requires("GET", "/", scopes(["a"]), ()).proves::<B>().proves::<C>(),
            Some(401),
            Some(403),
            Some(401),
        ),
        (
            |table| table.requires("GET", "/", scopes(["a"]), ()).proves::<C>().proves::<B>(),
            Some(401),
            Some(403),
            Some(401),
        ),
        // Of what is about a resource, the table does not ask.
        (|table| table.requires("GET", "/", authenticated(), ()).proves_on::<C>(), Some(401), None, Some(401)),
    ];
    for later in [&[] as &[_], &["a"], &["b", "c"], &["a", "b", "c"]] {
        let (guard, _) = guard_with(later);
        for (nth, (route, nobody, somebody, bad)) in rows.iter().enumerate() {
            let gate = gate(&guard, *route);
            assert_eq!(gate.is_open(), nth == 0);
            let cases: [(&[_], _); 3] =
                [(&[], nobody), (&[(AUTH, "Bearer me")], somebody), (&[(AUTH, "Bearer bad")], bad)];
            for (headers, expected) in cases {
                assert_eq!(admitted(&gate, headers).err(), *expected, "{nth} {headers:?} {later:?}");
            }
        }
    }
}

#[test]
fn nothing_is_decided_twice_before_the_handler() {
    let route: Route = |table| table.requires("GET", "/", scopes(["a"]), ()).proves::<A>().proves::<B>().proves::<B>();
    let headers: &[(&str, &str)] = &[(AUTH, "Bearer me")];
    let request = RequestView::new("GET", "/", None, &headers);
    for later in [&[] as &[_], &["a"], &["b"], &["a", "b"]] {
        let (guard, seen) = guard_with(later);
        let gate = gate(&guard, route);
        let screening = Screening::enter(&guard, None);
        let answer = gate.admit_now(&screening, &request);
        assert_eq!(answer.is_some(), later.is_empty());
        match answer {
            Some(answer) => answer,
            None => now(gate.admit(&screening, &request)),
        }
        .expect("both are met");
        assert_eq!(decisions(&seen), 2, "{later:?}");
        // What an extractor of the handler asks for: the proof is there.
        now(screening.prove::<A>(&request)).expect("a proof");
        assert!(now(screening.prove_optional::<B>(&request)).expect("an answer").is_some());
        assert_eq!(decisions(&seen), 0, "{later:?}");
        assert!(now(screening.prove::<C>(&request)).is_err());
        assert_eq!(decisions(&seen), 1, "of what was not declared");
    }
}

#[test]
fn what_a_layer_has_required_is_decided_again_for_a_handler() {
    let (guard, seen) = guard_with(&[]);
    let gate = Gate::from(guard.check(scopes(["a"])).expect("a check"));
    let headers: &[(&str, &str)] = &[(AUTH, "Bearer me")];
    let request = RequestView::new("GET", "/", None, &headers);
    let screening = Screening::enter(&guard, None);
    assert!(matches!(gate.admit_now(&screening, &request), Some(Ok(()))));
    assert_eq!(decisions(&seen), 1);
    // Something may stand between a layer and the handler that makes another request of it.
    now(screening.prove::<A>(&request)).expect("a proof");
    assert_eq!(decisions(&seen), 1);
}

#[test]
fn another_guards_verdict_does_not_open_a_gate() {
    let ((guard, _), (other, _)) = (guard_with(&[]), guard_with(&[]));
    let headers: &[(&str, &str)] = &[(AUTH, "Bearer me")];
    let request = RequestView::new("GET", "/", None, &headers);
    let screening = Screening::enter(&other, None);
    now(screening.prove::<A>(&request)).expect("a proof");
    let route: Route = |table| table.public("GET", "/", ()).proves::<C>();
    let gate = gate(&guard, route);
    assert_eq!(gate.admit_now(&screening, &request).expect("an answer").map_err(|denial| denial.status()), Err(403));
    assert_eq!(now(gate.admit(&screening, &request)).map_err(|denial| denial.status()), Err(403));
}

#[test]
fn a_gate_of_a_check_lets_preflights_through_where_it_is_said() {
    let headers = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    let preflight = RequestView::new("OPTIONS", "/", None, &headers);
    for passes in [false, true] {
        let builder = Guard::builder(Named::default());
        let guard = if passes { builder.pass_preflight() } else { builder }.build().expect("a guard");
        let gate = Gate::from(guard.check(scopes(["a"])).expect("a check"));
        let screening = Screening::enter(&guard, None);
        assert_eq!(gate.admit_now(&screening, &preflight).expect("an answer").is_ok(), passes);
        assert_eq!(now(gate.admit(&screening, &preflight)).is_ok(), passes);
    }
}
