mod openapi;
mod proofs;

use super::*;
use crate::authorize::{AccessRequest, Authorizer, Decision};
use crate::authorize::{authenticated, permissions, role};
use crate::extract::{CookieExtractor, HeaderExtractor};
use crate::guard::Guard;
use crate::token::VerifiedToken;
use crate::verifier::{TokenVerifier, VerifyError};
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

/// Knows every name but `unknown`.
#[derive(Debug)]
struct Stub;

#[async_trait]
impl TokenVerifier for Stub {
    async fn verify(&self, _: &crate::request::Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        Err(crate::reason::Rejection::Signature.into())
    }
}

#[async_trait]
impl Authorizer for Stub {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        requirement.each_leaf(&mut |leaf| match leaf.to_string().contains("unknown") {
            true => Err(ConfigError::new("require", "an unknown name")),
            false => Ok(()),
        })
    }
    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        Decision::Allow
    }
}

fn guard() -> Guard {
    Guard::builder(Stub).authorizer(Stub).build().expect("a guard")
}

fn table() -> Declarations<&'static str> {
    Declarations::new(&guard())
}

fn printed(table: Declarations<&'static str>) -> String {
    table.build().expect("a table that can be built").manifest.to_string()
}

fn refused(table: Declarations<&'static str>) -> String {
    table.build().map(|plan| plan.manifest.to_string()).expect_err("a table that cannot be built").to_string()
}

#[test]
fn paths_that_every_framework_can_serve_are_taken_and_no_others() {
    let good = [
        "/",
        "/a",
        "/a/",
        "/a/{b}",
        "/{a}/",
        "/{_a1}/x/{*rest}",
        "/{*rest}",
        "/v1/posts:batch",
        "/~a/b.c-d_e/@me",
        "/a;b=c",
        "/a(b)'$&!+,",
    ];
    for path in good {
        assert_eq!(PathTemplate::parse(path).map(|path| path.to_string()).as_deref(), Ok(path));
    }
    let many = "/{a}".repeat(16);
    assert!(PathTemplate::parse(&many).is_err(), "one name twice");
    let named = |n: usize| (0..n).map(|nth| format!("/{{p{nth}}}")).collect::<String>();
    assert!(PathTemplate::parse(&named(16)).is_ok());
    let bad = [
        "",
        "a",
        "*",
        "{a}",
        "//",
        "/a//b",
        "//a",
        "/{}",
        "/{*}",
        "/{*a}/b",
        "/{*a}/",
        "/{a",
        "/a}",
        "/x{a}",
        "/{a}x",
        "/{a}{b}",
        "/{1}",
        "/{a-b}",
        "/{a:.*}",
        "/{é}",
        "/{a}/{a}",
        "/{a}/{*a}",
        "/:a",
        "/*",
        "/*a",
        "/a*",
        "/a?b",
        "/a#b",
        "/a b",
        "/a%20b",
        "/é",
        "/a\nb",
        "/a\\b",
        "/.",
        "/..",
        "/a/../b",
        "/\u{202e}",
        &named(17),
    ];
    for path in bad {
        let error = PathTemplate::parse(path).expect_err(path).to_string();
        assert!(!error.contains(|c: char| c.is_control()), "{error}");
    }
}

#[test]
fn templates_match_whole_paths_and_decode_once() {
    let none: Option<&[(&str, &str)]> = None;
    let cases = [
        ("/", "/", Some(&[][..])),
        ("/", "/a", none),
        ("/", "", none),
        ("/a", "/a", Some(&[])),
        ("/a", "/a/", none),
        ("/a/", "/a", none),
        ("/a/", "/a/", Some(&[])),
        ("/a", "/A", none),
        ("/a", "/%61", none),
        ("/a/{b}", "/a/1", Some(&[("b", "1")])),
        ("/a/{b}", "/a/", none),
        ("/a/{b}", "/a/1/", none),
        ("/a/{b}", "/a/1/2", none),
        ("/a/{b}/c", "/a//c", none),
        ("/a/{b}", "/a/x%2Fy%20z", Some(&[("b", "x/y z")])),
        ("/a/{b}", "/a/%252F", Some(&[("b", "%2F")])),
        ("/a/{b}", "/a/1+2", Some(&[("b", "1+2")])),
        ("/a/{b}", "/a/%C3%BC%c3%bc", Some(&[("b", "üü")])),
        ("/{x}/{*y}", "/1/2/3//4/", Some(&[("x", "1"), ("y", "2/3//4/")])),
        ("/{x}/{*y}", "/1/", none),
        ("/{x}/{*y}", "/1", none),
        ("/{*y}", "/", none),
    ];
    for (template, path, expected) in cases {
        let template = PathTemplate::parse(template).expect("a path");
        let params = template.params(path);
        let seen: Option<Vec<_>> = params.as_ref().map(|params| params.iter().collect());
        assert_eq!(seen.as_deref(), expected, "{template} and {path}");
        assert_eq!(template.matches(path), expected.is_some(), "{template} and {path}");
    }
}

#[test]
fn what_is_not_percent_encoded_utf8_is_no_parameter_and_still_a_match() {
    let template = PathTemplate::parse("/a/{b}").expect("a path");
    for path in ["/a/%", "/a/%4", "/a/%4g", "/a/%zz", "/a/%+1", "/a/%FF", "/a/%C3", "/a/%C3%28", "/a/%ED%A0%80"] {
        assert!(template.matches(path), "{path}");
        assert_eq!(template.params(path), None, "{path}");
    }
}

#[test]
fn no_name_begins_a_line_of_a_manifest() {
    let policy = TagPolicy::new(Untagged::Pass).tag("a\nGET /x public", role("r\r\n\u{1b}[2J"));
    let table = table().tags(policy).tagged("GET", "/", ["a\nGET /x public"], "");
    assert_eq!(printed(table), "GET      /  role(r\\r\\n\\u{1b}[2J)  [a\\nGET /x public]\n");
}

#[test]
fn a_manifest_prints_and_serializes_all_that_was_declared() {
    let policy = TagPolicy::new(Untagged::Pass).tag("admin", role("admin")).tag("posts", permissions(["posts:read"]));
    let users = table().requires("GET", "/", authenticated(), "").requires("DELETE", "/{user}", role("admin"), "");
    let plan = table()
        .tags(policy)
        .tagged("PUT", "/settings", ["posts", "admin", "posts"], "")
        .tagged("GET", "/posts", ["posts"], "")
        .untagged("GET", "/health", "")
        .public("GET", "/", "")
        .nest("/api", table().nest("/users", users).merge(table().public("POST", "/login", "")))
        .build()
        .expect("a table that can be built");
    assert_eq!(
        plan.manifest.to_string(),
        "GET      /                  public\n\
         POST     /api/login         public\n\
         GET      /api/users         authenticated\n\
         DELETE   /api/users/{user}  role(admin)\n\
         GET      /health            public\n\
         GET      /posts             permissions(posts:read)  [posts]\n\
         PUT      /settings          all_of(role(admin), permissions(posts:read))  [admin, posts]\n"
    );
    assert_eq!(
        serde_json::to_value(&plan.manifest).expect("JSON"),
        json!({"routes": [
            {"method": "GET", "path": "/", "access": "public", "tags": []},
            {"method": "POST", "path": "/api/login", "access": "public", "tags": []},
            {"method": "GET", "path": "/api/users", "access": {"requires": "authenticated"}, "tags": []},
            {"method": "DELETE", "path": "/api/users/{user}", "access": {"requires": {"any_role": ["admin"]}}, "tags": []},
            {"method": "GET", "path": "/health", "access": "public", "tags": []},
            {"method": "GET", "path": "/posts", "access": {"requires": {"permissions": ["posts:read"]}}, "tags": ["posts"]},
            {"method": "PUT", "path": "/settings",
             "access": {"requires": {"all_of": [{"any_role": ["admin"]}, {"permissions": ["posts:read"]}]}},
             "tags": ["admin", "posts"]},
        ]})
    );
}

#[test]
fn what_cannot_be_built_names_its_route() {
    let policy = || TagPolicy::new(Untagged::Refuse).tag("a", role("a"));
    let cases = [
        (table().requires("GET", "/x", role("unknown"), ""), "`requires`: GET /x: `require`: an unknown name"),
        (table().requires("GET", "/x", Requirement::AllOf(vec![]), ""), "`requires`: GET /x: `require`: a comb"),
        (
            table().nest("/n", table().requires("GET", "/x", role("unknown"), "")),
            "`requires`: GET /n/x: `require`: an ",
        ),
        (table().public("get", "/x", ""), "`public`: get /x: `method`: `get` is none of DELETE, GET, HEAD, "),
        (table().public("TRACE", "/x", ""), "`public`: TRACE /x: `method`: "),
        (table().public("GET", "x", ""), "`public`: GET x: `path`: `x`: a path starts with `/`"),
        (table().public("GET", "/{x}/{x}", ""), "`public`: GET /{x}/{x}: `path`: "),
        (table().public("GET", "/x", "").public("GET", "/x", ""), "`public`: GET /x: is declared twice, as GET /x"),
        (
            table().public("GET", "/{x}", "").requires("GET", "/{y}", role("a"), ""),
            "`requires`: GET /{y}: is declared twice, as GET /{x}",
        ),
        (
            table().public("GET", "/{x}", "").public("POST", "/{y}", ""),
            "`public`: POST /{y}: names its parameters otherwise than GET /{x}",
        ),
        (
            table().public("GET", "/a/{x}/b", "").public("GET", "/a/{*y}", ""),
            "`public`: GET /a/{*y}: a parameter and a tail stand at one place, in this path and in that of GET /a/{x}/b",
        ),
        (
            table().public("GET", "/n", "").nest("/n", table().public("GET", "/", "")),
            "`public`: GET /n: is declared twice",
        ),
        (
            table().nest("/{*n}", table().public("GET", "/x", "")),
            "`public`: GET /{*n}/x: `path`: `/{*n}/x`: a tail stands",
        ),
        (
            table().nest("/n/", table().public("GET", "/x", "")),
            "`public`: GET /n//x: `path`: `/n//x`: an empty segment",
        ),
        (table().nest("/", table()), "`nest`: `path`: `/`: tables without a prefix are merged"),
        (table().nest("", table()), "`nest`: `path`: ``: a path starts with `/`"),
        (table().nest("/n", table().public("GET", "x", "")), "`public`: GET /nx: `path`: `x`: a path starts with `/`"),
        (table().tagged("GET", "/x", ["a"], ""), "`tagged`: GET /x: no policy says what tags mean"),
        (table().untagged("GET", "/x", ""), "`untagged`: GET /x: no policy says what tags mean"),
        (table().tags(policy()).tagged("GET", "/x", ["a", "b"], ""), "`tagged`: GET /x: the policy knows no tag `b`"),
        (table().tags(policy()).untagged("GET", "/x", ""), "`untagged`: GET /x: no tags, and the policy refuses "),
        (
            table().tags(policy().ignore("/x")).tagged("GET", "/x", ["b"], ""),
            "`tagged`: GET /x: the policy knows no tag `b`",
        ),
        (table().tags(policy().tag("a", role("b"))), "`tag`: `a`: a tag has a name, and stands once"),
        (table().tags(policy().tag("", role("b"))), "`tag`: ``: a tag has a name"),
        (table().tags(policy().tag("b", role("unknown"))), "`tag`: `b`: `require`: an unknown name"),
        (table().tags(policy().ignore("/*")), "`ignore`: `/*` would make every route public"),
        (table().tags(policy().ignore("docs/*")), "`ignore`: `path`: `docs`: a path starts with `/`"),
        (table().tags(policy().ignore("/x")), "`ignore`: `/x` covers no tagged route"),
        (
            table().tags(policy().ignore("/x")).requires("GET", "/x", role("a"), ""),
            "`ignore`: `/x` covers no tagged route",
        ),
    ];
    for (table, expected) in cases {
        let error = refused(table);
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
    }
}

#[test]
fn ignored_patterns_make_tagged_routes_public_and_no_others() {
    let cases = [
        ("/docs/*", "/docs/a", true),
        ("/docs/*", "/docs/", true),
        ("/docs/*", "/docs/a/{b}", true),
        ("/docs/*", "/docs/{*rest}", true),
        ("/docs/*", "/docs", false),
        ("/docs/*", "/docsx/a", false),
        ("/docs/*", "/{docs}/a", false),
        ("/docs/*", "/{*rest}", false),
        ("/docs", "/docs", true),
        ("/docs", "/docs/a", false),
        ("/{page}", "/{name}", true),
        ("/{page}", "/docs", false),
        ("/u/{id}/*", "/u/{user}/picture", true),
        ("/u/{id}/*", "/u/me/picture", false),
        ("/", "/", true),
        ("/", "/a", false),
    ];
    for (pattern, path, is_public) in cases {
        let policy = TagPolicy::new(Untagged::Refuse).tag("a", role("a")).ignore(pattern);
        let plan = table().tags(policy).tagged("GET", path, ["a"], "").build();
        match is_public {
            true => assert_eq!(plan.expect(pattern).manifest.routes()[0].access, Access::Public, "{pattern} {path}"),
            false => assert_eq!(plan.expect_err(pattern).setting(), "ignore", "{pattern} {path}"),
        }
    }
    let policy = TagPolicy::new(Untagged::Refuse).ignore("/a/*").ignore("/a/b");
    let ignored = table().tags(policy).untagged("GET", "/a/b", "").requires("GET", "/a/c", role("a"), "");
    assert_eq!(printed(ignored), "GET      /a/b  public\nGET      /a/c  role(a)\n");
}

#[test]
fn a_nested_table_has_its_own_policy_or_that_of_the_next_one_out() {
    let inner = || table().tagged("GET", "/x", ["a"], "");
    let policy = |name: &str| TagPolicy::new(Untagged::Refuse).tag("a", role(name));
    assert_eq!(printed(table().tags(policy("outer")).nest("/n", inner())), "GET      /n/x  role(outer)  [a]\n");
    assert_eq!(
        printed(table().tags(policy("outer")).nest("/n", inner().tags(policy("inner")))),
        "GET      /n/x  role(inner)  [a]\n"
    );
    // Patterns stand below the prefix of the table whose policy they belong to.
    assert_eq!(printed(table().nest("/n", inner().tags(policy("inner").ignore("/x")))), "GET      /n/x  public  [a]\n");
    assert_eq!(printed(table().tags(policy("o").ignore("/n/x")).nest("/n", inner())), "GET      /n/x  public  [a]\n");
}

#[test]
fn a_nested_table_keeps_its_guard() {
    let (outer, inner) = (guard(), guard());
    let nested = Declarations::new(&inner).public("GET", "/a", ()).requires("GET", "/b", role("a"), ());
    let plan = Declarations::new(&outer).nest("/n", nested).public("GET", "/a", ()).build().expect("a plan");
    for path in plan.paths {
        for route in path.routes {
            assert!(
                route.gate.guard().is_same_as(if path.path.as_str() == "/a" { &outer } else { &inner }),
                "{}",
                path.path
            );
        }
    }
}

#[test]
fn get_serves_head_unless_a_route_of_its_own_does() {
    let plan = table()
        .public("GET", "/a", "")
        .public("POST", "/a", "")
        .public("GET", "/b", "")
        .requires("HEAD", "/b", role("a"), "")
        .build()
        .expect("a plan");
    let seen: Vec<_> = plan
        .paths
        .iter()
        .flat_map(|path| path.routes.iter().map(move |route| (path.path.as_str(), route.method, route.serves_head)))
        .collect();
    let expected = [
        ("/a", Method::Get, true),
        ("/a", Method::Post, false),
        ("/b", Method::Get, false),
        ("/b", Method::Head, false),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn the_manifest_tells_guards_apart_that_look_in_different_places() {
    let cookie = CookieExtractor::new("t").expect("a name");
    let cookie = Guard::builder(Stub).authorizer(Stub).extractor(cookie).extractor(HeaderExtractor::bearer());
    let nested = Declarations::new(&cookie.build().expect("a guard"));
    let plan = table()
        .requires("GET", "/a", role("a"), "")
        .nest("/n", nested.requires("GET", "/a", role("a"), "").public("GET", "/b", ""))
        .build()
        .expect("a plan");
    let expected = "GET      /a    role(a)\n\
                    GET      /n/a  role(a)  by cookie t, authorization Bearer\n\
                    GET      /n/b  public\n";
    assert_eq!(plan.manifest.to_string(), expected);
    let json = serde_json::to_value(&plan.manifest).expect("JSON");
    let credentials = [0, 1, 2].map(|nth: usize| json["routes"][nth]["credentials"].clone());
    assert_eq!(credentials, [json!(null), json!([{"cookie": "t"}, {"authorization": "Bearer"}]), json!(null)]);
}

/// Declarations that may or may not fit together.
fn declared() -> impl Strategy<Value = Vec<(Method, String, bool)>> {
    let segment = select(vec!["a", "b", "", "{x}", "{y}", "{*t}"]);
    let path = prop::collection::vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/")));
    prop::collection::vec((select(Method::ALL.to_vec()), path, any::<bool>()), 1..8)
}

fn of(routes: &[(Method, String, bool)]) -> Result<Plan<usize>, ConfigError> {
    let declare = |table: Declarations<usize>, (nth, (method, path, is_public)): (usize, &(Method, String, bool))| {
        match is_public {
            true => table.public(method.as_str(), path, nth),
            false => table.requires(method.as_str(), path, role(format!("r{nth}")), nth),
        }
    };
    routes.iter().enumerate().fold(Declarations::new(&guard()), declare).build()
}

proptest! {
    #[test]
    fn every_declared_route_is_in_the_manifest_once_with_its_access_and_in_the_plan_with_its_gate(routes in declared()) {
        let Ok(plan) = of(&routes) else { return Ok(()) };
        prop_assert_eq!(plan.manifest.routes().len(), routes.len());
        for (nth, (method, path, is_public)) in routes.iter().enumerate() {
            let expected = if *is_public { Access::Public } else { Access::Requires(role(format!("r{nth}"))) };
            let same = |route: &&Route| route.method == *method && route.path.as_str() == path;
            let found: Vec<_> = plan.manifest.routes().iter().filter(same).collect();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(&found[0].access, &expected);
            let planned = plan.paths.iter().filter(|planned| planned.path.as_str() == path);
            let planned: Vec<_> = planned.flat_map(|path| &path.routes).filter(|route| route.handler == nth).collect();
            prop_assert_eq!(planned.len(), 1);
            prop_assert_eq!(planned[0].method, *method);
            let gate = &planned[0].gate;
            match (gate.check(), expected) {
                (None, Access::Public) => prop_assert!(gate.is_open()),
                (Some(check), Access::Requires(requirement)) => prop_assert_eq!(check.requirement(), &requirement),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn the_order_of_declaring_changes_nothing(routes in declared(), swaps in prop::collection::vec(any::<(Index, Index)>(), 8)) {
        // Requirements of their own would differ between the two orders.
        let routes: Vec<_> = routes.into_iter().map(|(method, path, _)| (method, path, true)).collect();
        let mut shuffled = routes.clone();
        for (a, b) in swaps {
            shuffled.swap(a.index(routes.len()), b.index(routes.len()));
        }
        match (of(&routes), of(&shuffled)) {
            (Ok(one), Ok(other)) => {
                prop_assert_eq!(&one.manifest, &other.manifest);
                let order = |plan: &Plan<usize>| plan.paths.iter().map(|path| path.path.to_string()).collect::<Vec<_>>();
                prop_assert_eq!(order(&one), order(&other));
            }
            (one, other) => prop_assert_eq!(one.is_err(), other.is_err()),
        }
    }

    #[test]
    fn a_decoded_parameter_is_what_was_encoded(value in "\\PC{1,20}") {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let params = PathTemplate::parse("/{v}").expect("a path").params(&format!("/{encoded}")).expect("a match");
        prop_assert_eq!(params.get("v"), Some(value.as_str()));
    }
}

#[test]
fn a_route_that_names_its_method_lets_no_preflight_through() {
    use crate::request::RequestView;
    let guard = Guard::builder(Stub).authorizer(Stub).pass_preflight().build().expect("a guard");
    let headers = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    let preflight = RequestView::new("OPTIONS", "/x", None, &headers);
    assert!(guard.check(role("admin")).expect("judged").is_exempt(&preflight), "around routes of every method");
    let plan = Declarations::new(&guard).requires("OPTIONS", "/x", role("admin"), "x").build().expect("a table");
    let gates: Vec<_> = plan.paths.iter().flat_map(|path| &path.routes).map(|route| route.gate.check()).collect();
    assert!(matches!(gates[..], [Some(check)] if !check.is_exempt(&preflight)), "{gates:?}");
}
