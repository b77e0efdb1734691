//! Which route serves a request, and what cannot be built, is the same everywhere.

use super::frameworks::{Router, said};
use crate::http::world::Tokens;
use countersign::Guard;
use countersign::authorize::{Requirement, action, role};
use countersign::manifest::{Manifest, Segment, TagPolicy, Untagged};
use countersign_actix::GuardedScope;
use countersign_axum::GuardedRouter;
use countersign_warp::GuardedRoutes;
use proptest::prelude::*;
use proptest::sample::select;

/// Tables that no router can be built of, and how the error begins.
fn wrong<R: Router>(guard: &Guard) -> Vec<(R, &'static str)> {
    let table = || R::new(guard);
    let policy = || TagPolicy::new(Untagged::Refuse).tag("a", role("admin"));
    vec![
        (
            table().requires("GET", "/x", role("unknown")),
            "`requires`: GET /x: `require`: the role `unknown` is not in the catalog",
        ),
        (
            table().requires("GET", "/x", action("unheard")),
            "`requires`: GET /x: `require`: a catalog cannot judge `action(unheard)`",
        ),
        (table().requires("GET", "/x", Requirement::AnyOf(vec![])), "`requires`: GET /x: "),
        (table().nest("/n", table().requires("GET", "/x", role("unknown"))), "`requires`: GET /n/x: "),
        (table().public("GET", "/x").requires("GET", "/x", role("admin")), "`requires`: GET /x: is declared twice"),
        (table().public("GET", "/{x}").merge(table().public("GET", "/{y}")), "`public`: GET /{y}: is declared twice"),
        (table().public("GET", "/{x}").public("GET", "/{*y}"), "`public`: GET /{*y}: a parameter and a tail"),
        (table().public("GET", "/{x:.*}"), "`public`: GET /{x:.*}: "),
        (table().public("BREW", "/x"), "`public`: BREW /x: "),
        (table().tagged("GET", "/x", &["a"]), "`tagged`: GET /x: no policy"),
        (table().tags(policy()).tagged("GET", "/x", &["a", "b"]), "`tagged`: GET /x: the policy knows no tag `b`"),
        (table().tags(policy()).untagged("GET", "/x"), "`untagged`: GET /x: no tags"),
        (table().tags(policy().ignore("/y")).tagged("GET", "/x", &["a"]), "`ignore`: `/y` "),
        (table().tags(policy().tag("b", role("unknown"))), "`tag`: `b`: "),
    ]
}

#[test]
fn what_cannot_be_built_is_the_same_in_each_framework_and_is_named() {
    let guard = Tokens::new().guard("default");
    fn errors<R: Router>(guard: &Guard) -> Vec<(String, &'static str)> {
        let error =
            |table: R| table.build().map(|(_, manifest)| manifest.to_string()).expect_err("no router").to_string();
        wrong(guard).into_iter().map(|(table, expected)| (error(table), expected)).collect()
    }
    let axum = errors::<GuardedRouter>(&guard);
    for (error, expected) in &axum {
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
    }
    assert_eq!(errors::<GuardedScope>(&guard), axum);
    assert_eq!(errors::<GuardedRoutes>(&guard), axum);
}

type Declared = Vec<(&'static str, String)>;

fn declared() -> impl Strategy<Value = Declared> {
    let segment = select(vec!["a", "b", "", "{x}", "{y}", "{*t}"]);
    let path = prop::collection::vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/")));
    prop::collection::vec((select(vec!["GET", "POST", "HEAD"]), path), 1..7)
}

/// Without empty segments before a slash, which axum alone takes for a parameter.
fn asked() -> impl Strategy<Value = Vec<String>> {
    let segments = prop::collection::vec(select(vec!["a", "b", "c", "d%20e", "%C3%BC"]), 1..4);
    let path = (segments, select(vec!["", "/"])).prop_map(|(segments, end)| format!("/{}{end}", segments.join("/")));
    prop::collection::vec(prop_oneof![1 => Just("/".to_owned()), 9 => path], 1..8)
}

/// What is to be answered: of the paths that match, the one that is fixed earliest.
fn expected(manifest: &Manifest, method: &str, path: &str) -> (u16, String) {
    let rank = |segment: &Segment| match segment {
        Segment::Fixed(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Tail(_) => 2,
    };
    let matching = manifest.routes().iter().filter(|route| route.path.matches(path));
    let best = matching.min_by_key(|route| route.path.segments().iter().map(rank).collect::<Vec<_>>());
    let Some(best) = best else { return (404, String::new()) };
    let mut own = manifest.routes().iter().filter(|route| route.path == best.path);
    let has = |name: &'static str| own.clone().any(|route| route.method.as_str() == name);
    let serving = if method == "HEAD" && !has("HEAD") { "GET" } else { method };
    match own.find(|route| route.method.as_str() == serving) {
        None => (405, String::new()),
        Some(_) if method == "HEAD" => (200, String::new()),
        Some(route) => {
            let params = route.path.params(path).expect("it matches");
            let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            (200, said(serving, route.path.as_str(), &params))
        }
    }
}

async fn holds<R: Router>(guard: &Guard, declared: &Declared, asked: &[String]) -> Result<(), TestCaseError> {
    let table = declared.iter().fold(R::new(guard), |table, (method, path)| table.public(method, path));
    let Ok((served, manifest)) = table.build() else { return Ok(()) };
    for path in asked {
        for method in ["GET", "POST", "HEAD", "DELETE"] {
            let (status, body) = R::ask(&served, method, path).await;
            let body = if method == "HEAD" || status != 200 { String::new() } else { body };
            prop_assert_eq!((status, body), expected(&manifest, method, path), "{} {} of\n{}", method, path, manifest);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(384) })]

    /// Whatever the core takes, each framework can be built of, and routes alike.
    #[test]
    fn the_route_that_is_fixed_earliest_serves(declared in declared(), asked in asked()) {
        let guard = Tokens::new().guard("default");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            holds::<GuardedRouter>(&guard, &declared, &asked).await?;
            holds::<GuardedScope>(&guard, &declared, &asked).await?;
            holds::<GuardedRoutes>(&guard, &declared, &asked).await
        })?;
    }
}
