//! One table of routes in three frameworks, over sockets: one manifest, and each route lets in whom the manifest says.

use super::frameworks::Router;
use crate::http::client::{Answer, send};
use crate::http::world::Tokens;
use countersign::Guard;
use countersign::authorize::{any_role, authenticated, permissions, role, scopes};
use countersign::manifest::{Access, Manifest, Method, Route, Segment, TagPolicy, Untagged};
use countersign_actix::GuardedScope;
use countersign_axum::GuardedRouter;
use countersign_warp::GuardedRoutes;
use std::io::Write;
use std::net::SocketAddr;

fn declare<R: Router>(guard: &Guard) -> R {
    let users = R::new(guard)
        .requires("GET", "/", any_role(["reader", "admin"]))
        .requires("PATCH", "/{user}", role("admin").and(scopes(["a"])))
        .public("OPTIONS", "/{user}");
    let strict = TagPolicy::new(Untagged::Refuse)
        .tag("admin", role("admin"))
        .tag("write", permissions(["posts:write"]))
        .ignore("/docs/*");
    let admin = R::new(guard)
        .tags(strict)
        .tagged("GET", "/settings", &["admin"])
        .tagged("DELETE", "/settings", &["write", "admin"])
        .tagged("GET", "/docs", &["admin"])
        .tagged("GET", "/docs/{page}", &["admin"])
        .untagged("GET", "/docs/{page}/source");
    R::new(guard)
        .tags(TagPolicy::new(Untagged::Pass).tag("reading", permissions(["posts:read"])))
        .public("GET", "/")
        .public("GET", "/posts/{id}")
        .requires("DELETE", "/posts/{id}", permissions(["posts:write"]))
        .requires("POST", "/posts", permissions(["posts:read", "posts:write"]))
        .requires("GET", "/posts/latest", authenticated())
        .requires("GET", "/reports", role("admin"))
        .public("HEAD", "/reports")
        .public("GET", "/files/{*path}")
        .requires("PUT", "/files/{*path}", scopes(["a", "b"]))
        .untagged("GET", "/health")
        .tagged("GET", "/feed", &["reading"])
        .nest("/api", R::new(guard).nest("/users", users).merge(R::new(guard).tagged("GET", "/feed", &["reading"])))
        .nest("/admin", admin)
}

fn started<R: Router>(guard: &Guard) -> (SocketAddr, Manifest) {
    let (served, manifest) = declare::<R>(guard).build().expect("a router");
    (R::serve(served), manifest)
}

fn pretty(value: &impl serde::Serialize) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).expect("JSON"))
}

/// A path that a request for the route has.
fn path(route: &Route) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Fixed(text) => format!("/{text}"),
        Segment::Parameter(_) => "/7".to_owned(),
        Segment::Tail(_) => "/x/y".to_owned(),
    };
    route.path.segments().iter().map(segment).collect()
}

/// What a request with this token is answered, by what the manifest says.
fn status(access: &Access, token: Option<&str>) -> u16 {
    match (access, token) {
        (Access::Public, _) => 200,
        (_, None | Some("B" | "E")) => 401,
        (Access::Requires(_), Some("ADMIN")) => 200,
        // The reader's token: role `reader`, scopes `a b`.
        (Access::Requires(requirement), _) => match requirement.to_string().as_str() {
            "authenticated" | "any_role(reader, admin)" | "permissions(posts:read)" | "scopes(a, b)" => 200,
            _ => 403,
        },
    }
}

/// What the three must have in common. Bodies that no denial has are the frameworks' own.
fn compared(answer: &Answer) -> (u16, Vec<Option<String>>, String) {
    let is_denial = matches!(answer.status, 401 | 403);
    let fields = ["www-authenticate", "cache-control"].map(|name| answer.header(name)).into();
    let body = if is_denial || answer.status == 200 { answer.body.clone() } else { String::new() };
    (answer.status, fields, body)
}

#[test]
fn the_same_declarations_give_one_manifest_in_each_framework() {
    let guard = Tokens::new().guard("default");
    let golden = include_str!("../../data/manifest.json");
    let manifests = [
        ("axum", declare::<GuardedRouter>(&guard).build().expect("a router").1),
        ("actix-web", declare::<GuardedScope>(&guard).build().expect("a scope").1),
        ("warp", declare::<GuardedRoutes>(&guard).build().expect("routes").1),
    ];
    for (framework, manifest) in &manifests {
        assert_eq!(pretty(manifest), golden, "{framework}");
        assert_eq!(pretty(&manifest.openapi()), pretty(&manifests[0].1.openapi()), "{framework}");
    }
}

#[test]
fn guards_that_look_in_different_places_are_told_apart_in_each_framework() {
    let tokens = Tokens::new();
    let (header, cookie) = (tokens.guard("default"), tokens.guard("cookie"));
    fn manifest<R: Router>(header: &Guard, cookie: &Guard) -> (String, String) {
        let nested = R::new(cookie).requires("POST", "/me", authenticated());
        let table = R::new(header).requires("POST", "/me", authenticated()).nest("/site", nested);
        let manifest = table.build().expect("a router").1;
        (pretty(&manifest), pretty(&manifest.openapi()))
    }
    let axum = manifest::<GuardedRouter>(&header, &cookie);
    assert_eq!(axum, manifest::<GuardedScope>(&header, &cookie));
    assert_eq!(axum, manifest::<GuardedRoutes>(&header, &cookie));
    let json: serde_json::Value = serde_json::from_str(&axum.0).expect("JSON");
    assert_eq!(json["routes"][0].get("credentials"), None);
    let both = serde_json::json!([{"authorization": "Bearer"}, {"cookie": "t"}]);
    assert_eq!(json["routes"][1]["credentials"], both);
    let openapi: serde_json::Value = serde_json::from_str(&axum.1).expect("JSON");
    let ways = serde_json::json!([{"bearer": []}, {"cookie.t": []}]);
    assert_eq!(openapi["paths"]["/site/me"]["post"]["security"], ways);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_lets_in_whom_the_manifest_says() {
    let tokens = Tokens::new();
    let guard = tokens.guard("default");
    let servers = [
        ("axum", started::<GuardedRouter>(&guard)),
        ("actix-web", started::<GuardedScope>(&guard)),
        ("warp", started::<GuardedRoutes>(&guard)),
    ];
    let manifest = &servers[0].1.1;
    let mut requests = Vec::new();
    for route in manifest.routes() {
        let methods = |wanted: &str| {
            let own = |other: &&Route| other.path == route.path && other.method.as_str() == wanted;
            manifest.routes().iter().find(own)
        };
        for token in [None, Some("T"), Some("ADMIN"), Some("B"), Some("E")] {
            let expected = status(&route.access, token);
            requests.push((route.method.as_str(), path(route), token, expected));
            if route.method == Method::Get {
                let expected = methods("HEAD").map_or(expected, |head| status(&head.access, token));
                requests.push(("HEAD", path(route), token, expected));
            }
        }
        let has = |wanted: &str| methods(wanted).is_some() || (wanted == "HEAD" && methods("GET").is_some());
        for method in ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"] {
            if !has(method) {
                requests.push((method, path(route), Some("ADMIN"), 405));
                requests.push((method, path(route), None, 405));
            }
        }
    }
    for unknown in
        ["/nowhere", "/posts/", "/posts/1/2", "/files/", "/api", "/api/users/", "/admin", "/docs/x", "//", "/feed/x"]
    {
        requests.push(("GET", unknown.to_owned(), None, 404));
        requests.push(("DELETE", unknown.to_owned(), Some("ADMIN"), 404));
    }
    let mut wrong = Vec::new();
    for (method, path, token, expected) in &requests {
        let headers: Vec<_> = token
            .iter()
            .map(|name| ("Authorization".to_owned(), format!("Bearer {}", tokens.named(name)).into_bytes()))
            .collect();
        let mut answers = Vec::new();
        for (framework, (server, _)) in &servers {
            let answer = send(*server, method, path, &headers, b"").await;
            if answer.status != *expected {
                wrong.push(format!("{method} {path} with {token:?} in {framework}: {}, not {expected}", answer.status));
            }
            if *method == "HEAD" && !answer.body.is_empty() {
                wrong.push(format!("{method} {path} with {token:?} in {framework}: a body"));
            }
            answers.push(compared(&answer));
        }
        if answers.iter().any(|other| *other != answers[0]) {
            wrong.push(format!("{method} {path} with {token:?}: {answers:?} differ"));
        }
    }
    let (routes, requests) = (manifest.routes().len(), requests.len());
    // Not `println!`, which is kept from whoever runs the tests.
    writeln!(std::io::stderr(), "{routes} routes, {requests} requests × 3 adapters").expect("standard error");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_decoded_once() {
    let guard = Tokens::new().guard("default");
    let servers = [
        ("axum", started::<GuardedRouter>(&guard).0),
        ("actix-web", started::<GuardedScope>(&guard).0),
        ("warp", started::<GuardedRoutes>(&guard).0),
    ];
    let cases = [
        ("/posts/a%20b", r#"GET /posts/{id} {"id": "a b"}"#),
        ("/posts/%C3%BC", r#"GET /posts/{id} {"id": "ü"}"#),
        ("/posts/a%2Fb", r#"GET /posts/{id} {"id": "a/b"}"#),
        ("/posts/a%252Fb", r#"GET /posts/{id} {"id": "a%2Fb"}"#),
        ("/posts/a+b", r#"GET /posts/{id} {"id": "a+b"}"#),
        ("/posts/1?id=2", r#"GET /posts/{id} {"id": "1"}"#),
        ("/files/a/b%20c//", r#"GET /files/{*path} {"path": "a/b c//"}"#),
        ("/admin/docs/x/source", r#"GET /docs/{page}/source {"page": "x"}"#),
    ];
    for (target, expected) in cases {
        for (framework, server) in servers {
            let answer = send(server, "GET", target, &[], b"").await;
            assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{target} in {framework}");
        }
    } // What is not UTF-8 is refused: by axum's extractor, and in warp because no path is like this. actix-web replaces it.
    for target in ["/posts/%FF", "/files/a/%C3"] {
        for (framework, server) in servers {
            let status = send(server, "GET", target, &[], b"").await.status;
            let expected = match framework {
                "axum" => 400,
                "warp" => 404,
                _ => 200,
            };
            assert_eq!(status, expected, "{target} in {framework}");
        }
    }
}
