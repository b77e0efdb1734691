//! Which handlers run.

use super::client::{Answer, send};
use super::servers::{AnyClaims, listener, start_unguarded};
use super::world::Tokens;
use countersign::Guard;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Runs = Arc<AtomicUsize>;

/// An optional handler in each framework, which counts its runs.
fn counting(guard: &Guard) -> [(&'static str, SocketAddr, Runs); 3] {
    let axum_runs = Runs::default();
    let axum = {
        use axum::{Router, routing::get};
        use countersign_axum::{Claims, GuardExt};
        let runs = axum_runs.clone();
        let handler = async move |_: Option<Claims<AnyClaims>>| {
            runs.fetch_add(1, Ordering::SeqCst);
        };
        let router = Router::new().route("/", get(handler)).layer(guard.layer());
        let (listener, address) = listener();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    };
    let actix_runs = Runs::default();
    let actix = {
        use actix_web::{App, HttpServer, web};
        use countersign_actix::{Claims, GuardExt};
        async fn handler(runs: web::Data<AtomicUsize>, _: Option<Claims<AnyClaims>>) -> &'static str {
            runs.fetch_add(1, Ordering::SeqCst);
            ""
        }
        let (runs, guard) = (actix_runs.clone(), guard.clone());
        let app = move || {
            App::new().app_data(web::Data::from(runs.clone())).wrap(guard.layer()).route("/", web::get().to(handler))
        };
        let (listener, address) = listener();
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
        tokio::spawn(server);
        address
    };
    let warp_runs = Runs::default();
    let warp = {
        use countersign_warp::{Claims, GuardExt, Guarded};
        let runs = warp_runs.clone();
        let route = warp::get().guarded(guard.optional().claims(), |route| {
            route.map(move |_: Option<Claims<AnyClaims>>| {
                runs.fetch_add(1, Ordering::SeqCst);
                ""
            })
        });
        let (listener, address) = listener();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        tokio::spawn(warp::serve(route).incoming(listener).run());
        address
    };
    [("axum", axum, axum_runs), ("actix-web", actix, actix_runs), ("warp", warp, warp_runs)]
}

async fn get(server: SocketAddr, token: Option<&str>) -> Answer {
    let headers: Vec<_> =
        token.iter().map(|token| ("Authorization".to_owned(), format!("Bearer {token}").into_bytes())).collect();
    send(server, "GET", "/", &headers, b"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_optional_never_reaches_its_handler() {
    let tokens = Tokens::new();
    for (framework, server, runs) in counting(&tokens.guard("default")) {
        for (token, status, expected) in
            [(None, 200, 1), (Some("T"), 200, 2), (Some("B"), 401, 2), (Some("E"), 401, 2), (Some("T"), 200, 3)]
        {
            let token = token.map(|name| tokens.named(name));
            assert_eq!(get(server, token.as_deref()).await.status, status, "{framework}");
            assert_eq!(runs.load(Ordering::SeqCst), expected, "{framework}: runs after {status}");
        }
    }
    for (framework, server, runs) in counting(&tokens.guard("down")) {
        assert_eq!(get(server, Some(&tokens.named("T"))).await.status, 503, "{framework}");
        assert_eq!(runs.load(Ordering::SeqCst), 0, "{framework}: after a verdict that had to be waited for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn optional_claims_without_a_guard_are_a_mistake_where_the_framework_lets_them_be_one() {
    let [(_, axum), (_, actix)] = start_unguarded().await;
    assert_eq!(send(axum, "GET", "/optional", &[], b"").await.status, 500);
    // Its own `Option<T>` takes every error for `None`, and no middleware of ours is there to answer.
    assert_eq!(send(actix, "GET", "/optional", &[], b"").await.status, 200);
}

/// Routes that hand on the token as it was sent, behind a check and then something that writes another token into the
/// request, or none.
fn rewriting(guard: &Guard, other: Option<&str>) -> [(&'static str, SocketAddr); 2] {
    let other = other.map(|token| format!("Bearer {token}"));
    let axum = {
        use axum::http::{HeaderValue, header::AUTHORIZATION};
        use axum::{Router, extract::Request, middleware::map_request, routing::get};
        use countersign_axum::{GuardExt, Sent};
        let other = other.as_deref().map(|value| HeaderValue::from_str(value).expect("a value"));
        let rewrite = move |mut request: Request| {
            request.headers_mut().remove(AUTHORIZATION);
            request.headers_mut().extend(other.clone().map(|value| (AUTHORIZATION, value)));
            std::future::ready(request)
        };
        let router = Router::new()
            .route("/sent", get(async |_: Sent| "sent"))
            .route("/sent-if-any", get(async |_: Option<Sent>| "sent"))
            .layer(map_request(rewrite))
            .layer(guard.protect());
        let (listener, address) = listener();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    };
    let actix = {
        use actix_web::dev::Service;
        use actix_web::http::header::{AUTHORIZATION, HeaderValue};
        use actix_web::{App, HttpServer, web};
        use countersign_actix::{GuardExt, Sent};
        let guard = guard.clone();
        let app = move || {
            let other = other.as_deref().map(|value| HeaderValue::from_str(value).expect("a value"));
            App::new()
                .route("/sent", web::get().to(async |_: Sent| "sent"))
                .route("/sent-if-any", web::get().to(async |_: Option<Sent>| "sent"))
                .wrap_fn(move |mut request, service| {
                    request.headers_mut().remove(AUTHORIZATION);
                    if let Some(value) = other.clone() {
                        request.headers_mut().insert(AUTHORIZATION, value);
                    }
                    service.call(request)
                })
                .wrap(guard.protect())
        };
        let (listener, address) = listener();
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
        tokio::spawn(server);
        address
    };
    [("axum", axum), ("actix-web", actix)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_took_the_place_of_the_verified_one_is_not_handed_on() {
    let tokens = Tokens::new();
    let guard = tokens.guard("default");
    let (own, other) = (tokens.named("T"), tokens.named("T2"));
    for (stands, expected) in [(Some(&own), 200), (Some(&other), 500), (None, 500)] {
        for (framework, server) in rewriting(&guard, stands.map(String::as_str)) {
            for path in ["/sent", "/sent-if-any"] {
                let headers = [("Authorization".to_owned(), format!("Bearer {own}").into_bytes())];
                let answer = send(server, "GET", path, &headers, b"").await;
                assert_eq!(answer.status, expected, "{path} in {framework}: {answer:?}");
            }
        }
    }
}
