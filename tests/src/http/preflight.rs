//! Routes that take every method: CORS preflights before them, and cookies from other sites.

use super::client::send;
use super::servers::listener;
use super::world::Tokens;
use countersign::Guard;
use countersign::authorize::role;
use std::net::SocketAddr;

fn axum_server(guard: &Guard) -> SocketAddr {
    use axum::Router;
    use axum::routing::any;
    use countersign_axum::{GuardExt, Verified};

    let admin = guard.require(role("admin")).expect("a role that is known");
    let router = Router::new()
        .route("/any", any(|| async { "any" }).layer(admin.clone()))
        .route("/claims", any(|_: Verified| async { "claims" }).layer(admin));
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn actix_server(guard: &Guard) -> SocketAddr {
    use actix_web::{App, HttpServer, web};
    use countersign_actix::{GuardExt, Verified};

    let admin = guard.require(role("admin")).expect("a role that is known");
    let app = move || {
        App::new()
            .route("/any", web::route().to(async || "any").wrap(admin.clone()))
            .route("/claims", web::route().to(async |_: Verified| "claims").wrap(admin.clone()))
    };
    let (listener, address) = listener();
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
    tokio::spawn(server);
    address
}

fn warp_server(guard: &Guard) -> SocketAddr {
    use countersign_warp::{GuardExt, Guarded};
    use warp::Filter;

    let admin = guard.require(role("admin")).expect("a role that is known");
    let any = warp::path!("any").guarded(admin.clone(), |route| route.map(|_| "any"));
    let claims = warp::path!("claims").guarded(admin, |route| route.map(|_| "claims"));
    let preflights = warp::path!("any").and(warp::options()).map(|| "a preflight");
    let routes = any.or(claims).or(preflights);
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_passes_where_it_was_asked_for_and_nothing_else_does() {
    let tokens = Tokens::new();
    const PREFLIGHT: &[(&str, &str)] = &[("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")];
    let no_origin = &PREFLIGHT[1..];
    let no_method = &PREFLIGHT[..1];
    // Method, path, header fields, the status without `pass_preflight`, and with it in axum, actix-web and warp, where a route is
    // handed the token, which a preflight has not: others answer it, if there are any.
    type Row<'r> = (&'r str, &'r str, &'r [(&'r str, &'r str)], u16, [u16; 3]);
    let table: &[Row<'_>] = &[
        ("OPTIONS", "/any", PREFLIGHT, 401, [200, 200, 200]),
        ("OPTIONS", "/any", no_origin, 401, [401, 401, 401]),
        ("OPTIONS", "/any", no_method, 401, [401, 401, 401]),
        ("OPTIONS", "/any", &[], 401, [401, 401, 401]),
        ("POST", "/any", PREFLIGHT, 401, [401, 401, 401]),
        ("GET", "/any", PREFLIGHT, 401, [401, 401, 401]),
        ("OPTIONS", "/claims", PREFLIGHT, 401, [401, 401, 404]),
    ];
    for passes in [true, false] {
        let builder = tokens.builder("default");
        let builder = if passes { builder.pass_preflight() } else { builder };
        let guard = builder.build().expect("a guard");
        let servers = [axum_server(&guard), actix_server(&guard), warp_server(&guard)];
        for (nth, server) in servers.into_iter().enumerate() {
            for (method, path, headers, without, with) in table {
                let headers: Vec<_> =
                    headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
                let answer = send(server, method, path, &headers, b"").await;
                let expected = if passes { with[nth] } else { *without };
                assert_eq!(answer.status, expected, "{method} {path} {headers:?} at {nth}, passes: {passes}");
            }
        }
    }
}

/// What answers preflights in warp stands around the guarded route, and nobody else's request gets by it.
#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_around_a_guarded_route_of_warp() {
    use countersign_warp::{GuardExt, Guarded};

    let tokens = Tokens::new();
    let admin = tokens.guard("default").require(role("admin")).expect("a role that is known");
    let any = warp::path!("any").guarded(admin, |route| route.map(|_| "any"));
    let cors = warp::cors().allow_origin("https://app.example").allow_methods(["POST"]);
    let routes = warp::Filter::with(any, cors);
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    for (method, origin, expected) in [
        ("OPTIONS", "https://app.example", 200),
        ("OPTIONS", "https://evil.example", 403),
        ("POST", "https://app.example", 401),
        ("POST", "https://evil.example", 403),
    ] {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let answer = send(address, method, "/any", &headers, b"").await;
        assert_eq!(answer.status, expected, "{method} from {origin}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_on_a_route_of_every_method_is_asked_where_it_comes_from_unless_the_method_is_safe() {
    let tokens = Tokens::new();
    let guard = tokens.guard("cookie");
    let cookie = ("Cookie".to_owned(), format!("t={}", tokens.named("ADMIN")).into_bytes());
    let cross = ("Sec-Fetch-Site".to_owned(), b"cross-site".to_vec());
    let own = ("Sec-Fetch-Site".to_owned(), b"same-origin".to_vec());
    let servers = [("axum", axum_server(&guard)), ("actix-web", actix_server(&guard)), ("warp", warp_server(&guard))];
    for (framework, server) in servers {
        for (method, across_sites) in [
            ("GET", 200),
            ("OPTIONS", 200),
            ("TRACE", 200),
            ("POST", 403),
            ("DELETE", 403),
            ("CONNECT", 403),
            ("QUERY", 403),
            ("Trace", 403),
        ] {
            for (site, expected) in [(&cross, across_sites), (&own, 200)] {
                let answer = send(server, method, "/any", &[cookie.clone(), site.clone()], b"").await;
                assert_eq!(answer.status, expected, "{method} {site:?} in {framework}: {answer:?}");
                assert!(!answer.body.contains(&tokens.named("ADMIN")), "{method} in {framework}");
            }
        }
    }
}
