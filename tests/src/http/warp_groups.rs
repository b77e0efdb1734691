//! One requirement around many routes of warp.

use super::client::send;
use super::servers::listener;
use super::world::Tokens;
use countersign::authorize::role;
use countersign_warp::GuardExt;
use std::net::SocketAddr;
use warp::{Filter, path};

fn server(tokens: &Tokens, passes: bool) -> SocketAddr {
    let builder = tokens.builder("default");
    let builder = if passes { builder.pass_preflight() } else { builder };
    let guard = builder.build().expect("a guard");
    let users = path!("users").and(warp::get()).map(|| "users");
    let jobs = path!("jobs" / u32).and(warp::post()).map(|job| format!("job {job}"));
    let any = path!("any").map(|| "any method");
    let inside = guard.require(role("admin")).expect("a role that is known").around(users.or(jobs).or(any));
    // It would answer whatever fell through a denial.
    let sibling = path("admin").and(path("users")).map(|| "fell through");
    let preflights = path!("admin" / "jobs" / u32).and(warp::options()).map(|_| "a preflight");
    let routes = path("admin").and(inside).or(sibling).or(preflights).or(path!("open").map(|| "open"));
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn all_routes_inside_ask_and_none_outside_does() {
    let tokens = Tokens::new();
    let [strict, open] = [false, true].map(|passes| server(&tokens, passes));
    let preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")];
    for (method, path, strangers, readers, admins) in [
        ("GET", "/admin/users", 401, 403, 200),
        ("POST", "/admin/jobs/7", 401, 403, 200),
        ("POST", "/admin/jobs/seven", 401, 403, 404),
        // What the routes inside reject falls through as always.
        ("POST", "/admin/users", 401, 403, 200),
        ("GET", "/admin/jobs/7", 401, 403, 405),
        ("GET", "/admin/nothing", 401, 403, 404),
        ("GET", "/open", 200, 200, 200),
        ("GET", "/nothing", 404, 404, 404),
    ] {
        for (token, expected) in [(None, strangers), (Some("T"), readers), (Some("ADMIN"), admins)] {
            let field = token.map(|name| ("Authorization".to_owned(), format!("Bearer {}", tokens.named(name))));
            let fields: Vec<_> = field.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
            let answer = send(strict, method, path, &fields, b"").await;
            assert_eq!(answer.status, expected, "{method} {path} by {token:?}");
        }
    }
    for (server, beside, inside) in [(strict, 401, 401), (open, 200, 404)] {
        let fields = preflight.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(send(server, "OPTIONS", "/admin/jobs/7", &fields, b"").await.status, beside);
        // Its route takes every method, and no preflight comes as far.
        assert_eq!(send(server, "OPTIONS", "/admin/any", &fields, b"").await.status, inside);
        assert_eq!(send(server, "POST", "/admin/jobs/7", &fields, b"").await.status, 401);
    }
}
