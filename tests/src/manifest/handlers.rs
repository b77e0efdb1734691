//! What handlers of guarded routers are given, and what stands beside the routers.

use super::frameworks::Router;
use crate::http::client::{Answer, send};
use crate::http::servers::{AnyClaims, Nicknamed};
use crate::http::world::Tokens;
use countersign::Guard;
use countersign::authorize::{authenticated, permissions};
use countersign_actix::GuardedScope;
use countersign_axum::GuardedRouter;
use countersign_warp::GuardedRoutes;
use std::net::SocketAddr;
use warp::Filter;

/// `/who` is public and says who asks; `/nickname` wants a claim that few tokens have; `/posts` takes a body.
fn servers(guard: &Guard) -> [(&'static str, SocketAddr); 3] {
    let axum = {
        use axum::Json;
        use countersign_axum::{Claims, Verified};
        GuardedRouter::new(guard)
            .public("GET", "/who", async |who: Option<Claims<AnyClaims>>| {
                Json(who.map(|Claims(who)| who["sub"].clone()))
            })
            .requires("GET", "/nickname", authenticated(), async |Claims(who): Claims<Nicknamed>| Json(who))
            .requires("POST", "/posts", permissions(["posts:read"]), async |who: Verified, text: String| {
                format!("{} wrote {text}", who.subject().unwrap_or_default())
            })
            .build()
            .map(|(router, _)| <GuardedRouter as Router>::serve(router))
    };
    let actix = {
        use actix_web::web::Json;
        use countersign_actix::{Claims, Verified};
        GuardedScope::new(guard)
            .public("GET", "/who", async |who: Option<Claims<AnyClaims>>| {
                Json(who.map(|Claims(who)| who["sub"].clone()))
            })
            .requires("GET", "/nickname", authenticated(), async |Claims(who): Claims<Nicknamed>| Json(who))
            .requires("POST", "/posts", permissions(["posts:read"]), async |who: Verified, text: String| {
                format!("{} wrote {text}", who.subject().unwrap_or_default())
            })
            .build()
            .map(|(resources, _)| <GuardedScope as Router>::serve(resources))
    };
    let warp = {
        use countersign_warp::Claims;
        use warp::reply;
        let text = || warp::body::bytes().map(|bytes: bytes::Bytes| String::from_utf8_lossy(&bytes).into_owned());
        GuardedRoutes::new(guard)
            .public("GET", "/who", |route| {
                let claims = route.optional_claims::<AnyClaims>();
                claims.map(|_, who| reply::json(&who.map(|Claims(who)| who["sub"].clone())))
            })
            .requires("GET", "/nickname", authenticated(), |route| {
                route.claims::<Nicknamed>().map(|_, Claims(who)| reply::json(&who))
            })
            .requires("POST", "/posts", permissions(["posts:read"]), move |route| {
                route
                    .and(text())
                    .then(|_, who, text| async move { format!("{} wrote {text}", who.subject().unwrap_or_default()) })
            })
            .build()
            .map(|(routes, _)| <GuardedRoutes as Router>::serve(routes))
    };
    [("axum", axum), ("actix-web", actix), ("warp", warp)].map(|(name, server)| (name, server.expect("a router")))
}

async fn ask(server: SocketAddr, tokens: &Tokens, method: &str, path: &str, token: Option<&str>) -> Answer {
    let bearer = |name: &str| ("Authorization".to_owned(), format!("Bearer {}", tokens.named(name)).into_bytes());
    let headers: Vec<_> = token.map(bearer).into_iter().collect();
    send(server, method, path, &headers, if method == "POST" { b"text" } else { b"" }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_are_given_what_the_guard_found() {
    let tokens = Tokens::new();
    let servers = servers(&tokens.guard("default"));
    let cases = [
        ("GET", "/who", None, 200, Some("null")),
        ("GET", "/who", Some("T"), 200, Some(r#""reader""#)),
        ("GET", "/who", Some("B"), 401, None),
        ("GET", "/nickname", None, 401, None),
        ("GET", "/nickname", Some("T"), 401, None),
        ("POST", "/posts", Some("T"), 200, Some("reader wrote text")),
        ("POST", "/posts", Some("ROLES"), 403, None),
        ("POST", "/posts", None, 401, None),
    ];
    for (method, path, token, status, body) in cases {
        let mut answers = Vec::new();
        for (framework, server) in servers {
            let answer = ask(server, &tokens, method, path, token).await;
            assert_eq!(answer.status, status, "{method} {path} with {token:?} in {framework}");
            assert_eq!(body.unwrap_or(&answer.body), answer.body, "{method} {path} with {token:?} in {framework}");
            answers.push((answer.header("www-authenticate"), answer.header("cache-control"), answer.body));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {path} with {token:?}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_route_matches_goes_on_to_what_stands_beside_and_a_denial_does_not() {
    let tokens = Tokens::new();
    let guard = tokens.guard("default");
    fn own<R: Router>(guard: &Guard) -> R::Served {
        R::new(guard).requires("GET", "/own", authenticated()).build().expect("a router").0
    }
    let axum = own::<GuardedRouter>(&guard).fallback(|| async { "beside" });
    let warp = own::<GuardedRoutes>(&guard).or(warp::any().map(|| "beside")).map(warp::Reply::into_response).boxed();
    let servers = [("axum", <GuardedRouter as Router>::serve(axum)), ("warp", <GuardedRoutes as Router>::serve(warp))];
    for (framework, server) in servers {
        for (path, token, status) in [("/own", None, 401), ("/own", Some("T"), 200), ("/other", None, 200)] {
            let answer = ask(server, &tokens, "GET", path, token).await;
            assert_eq!(answer.status, status, "{path} in {framework}");
            assert_eq!(answer.body == "beside", path == "/other", "{path} in {framework}: {}", answer.body);
        }
    }
}
