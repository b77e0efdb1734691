//! What a guard allocates for a request, in the three frameworks, when the verdict comes from memory.
//!
//! A program of its own, because its allocator counts what all threads allocate, and with one test for the same reason.

#![expect(clippy::expect_used, reason = "nothing here but a test")]

use countersign::issue::{Claims as Claimed, JwtSigner};
use countersign::revocation::Changes;
use countersign::verify::TokenCache;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
use http::{Request, header};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::Runtime;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What a guard may add to a request, the claims' own strings in it.
const BEYOND: usize = 5;

#[derive(serde::Deserialize)]
struct User {
    sub: String,
}

/// A request as servers make it: its clones share the texts.
fn request(key: &SigningKey) -> Request<()> {
    let claims =
        Claimed::new("https://issuer.example/").audience("api").subject("7").lifetime(Duration::from_secs(600));
    let token = JwtSigner::new(key.clone()).issue(&claims).expect("a token");
    let request = Request::get("/me").header(header::AUTHORIZATION, format!("Bearer {token}"));
    request.header("accept", "*/*").header("user-agent", "test").body(()).expect("a request")
}

fn guard(key: &SigningKey) -> Guard {
    let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("https://issuer.example/").audience("api");
    Guard::builder(verifier.token_cache(TokenCache::new()).build().expect("a verifier")).build().expect("a guard")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// What one call allocates. The least of several: what happens once is not the request's.
fn allocations<F: Future<Output = u16>>(runtime: &Runtime, mut call: impl FnMut() -> F) -> usize {
    let allocated = || {
        let stats = COUNTING.stats();
        stats.allocations + stats.reallocations
    };
    let counts = (0..8).map(|_| {
        let before = allocated();
        assert_eq!(runtime.block_on(call()), 200);
        allocated() - before
    });
    counts.min().expect("calls")
}

fn axum(router: axum::Router, request: &Request<()>) -> usize {
    use tower::ServiceExt;

    // As `axum::serve` does, once for each connection.
    let router: axum::Router = router.with_state(());
    allocations(&runtime(), || {
        let answer = router.clone().oneshot(request.clone().map(|()| axum::body::Body::empty()));
        async { answer.await.expect("infallible").status().as_u16() }
    })
}

fn in_axum(guard: &Guard, request: &Request<()>) -> Vec<(&'static str, usize)> {
    use ::axum::{Router, routing::get};
    use countersign_axum::{Claims, GuardExt};

    let bare = || Router::new().route("/me", get(async || "7"));
    let claims = || Router::new().route("/me", get(async |Claims(me): Claims<User>| me.sub));
    let none = axum(bare(), request);
    // What the framework itself takes for a layer that does nothing.
    let idle = axum(bare().layer(tower::layer::layer_fn(std::convert::identity)), request);
    assert!(idle > none, "axum boxes each layer of a router");
    vec![
        ("axum: claims", axum(claims().layer(guard.layer()), request) - none),
        ("axum: protect", axum(bare().layer(guard.protect()), request) - none),
        ("axum: protect and claims", axum(claims().layer(guard.protect()), request) - none),
        (
            "axum: beyond two idle layers",
            axum(claims().layer(guard.protect()).layer(guard.layer()), request) - none - 2 * (idle - none),
        ),
    ]
}

macro_rules! actix {
    ($app:expr, $request:expr) => {{
        use actix_web::dev::Service;
        use actix_web::test::{TestRequest, init_service};
        let runtime = runtime();
        let service = runtime.block_on(init_service($app));
        let field = $request.headers()[header::AUTHORIZATION].to_str().expect("text");
        allocations(&runtime, || {
            let request = TestRequest::get().uri("/me").insert_header(("authorization", field)).to_request();
            let answer = service.call(request);
            async { answer.await.expect("an answer").status().as_u16() }
        })
    }};
}

fn in_actix(guard: &Guard, request: &Request<()>) -> Vec<(&'static str, usize)> {
    use actix_web::{App, web};
    use countersign_actix::{Claims, GuardExt};

    let bare = || web::get().to(async || "7");
    let claims = || web::get().to(async |Claims(me): Claims<User>| me.sub);
    let none = actix!(App::new().route("/me", bare()), request);
    vec![
        ("actix-web: claims", actix!(App::new().wrap(guard.layer()).route("/me", claims()), request) - none),
        ("actix-web: protect", actix!(App::new().wrap(guard.protect()).route("/me", bare()), request) - none),
        (
            "actix-web: protect and claims",
            actix!(App::new().wrap(guard.protect()).route("/me", claims()), request) - none,
        ),
    ]
}

fn warp(filter: warp::filters::BoxedFilter<(impl warp::Reply + 'static,)>, request: &Request<()>) -> usize {
    use tower::Service;

    let mut service = warp::service(filter);
    allocations(&runtime(), || {
        let answer = service.call(request.clone().map(|()| String::new()));
        async {
            let answer: Result<warp::reply::Response, Infallible> = answer.await;
            answer.expect("infallible").status().as_u16()
        }
    })
}

fn in_warp(guard: &Guard, request: &Request<()>) -> Vec<(&'static str, usize)> {
    use ::warp::Filter;
    use countersign::authorize::authenticated;
    use countersign_warp::{Claims, GuardExt, Guarded, GuardedRoutes};

    let head = || ::warp::path!("me").and(::warp::get());
    let none = warp(head().map(|| "7").boxed(), request);
    let claims = head().guarded(guard.protect().claims(), |route| route.map(|Claims(me): Claims<User>| me.sub));
    let protect = head().guarded(guard.protect(), |route| route.map(|_| "7"));
    let table = |table: GuardedRoutes| warp(table.build().expect("routes").0, request);
    let open = table(GuardedRoutes::new(guard).public("GET", "/me", |route| route.map(|_| "7")));
    let closed = GuardedRoutes::new(guard)
        .requires("GET", "/me", authenticated(), |route| route.claims().map(|_, Claims(me): Claims<User>| me.sub));
    vec![
        ("warp: claims", warp(claims, request) - none),
        ("warp: protect", warp(protect, request) - none),
        ("warp: claims, in a table", table(closed) - open),
    ]
}

#[test]
fn a_guard_adds_few_allocations_to_a_request() {
    let key = SigningKey::generate(Algorithm::ES256).expect("a key");
    let (guard, request) = (guard(&key), request(&key));
    // The first clone makes the texts shared.
    drop(request.clone());
    for (what, beyond) in
        [in_axum(&guard, &request), in_actix(&guard, &request), in_warp(&guard, &request)].into_iter().flatten()
    {
        println!("{what}: {beyond}");
        assert!(beyond <= BEYOND, "{what}: {beyond} allocations");
    }
    assert_eq!(told(&runtime()), 0, "who tells a thousand connections of a change allocates nothing");
}

/// What is allocated where a thousand wait for changes, and one is told.
fn told(runtime: &Runtime) -> usize {
    let changes = Changes::new();
    runtime.block_on(async {
        let waiting = (0..1_000).map(|_| {
            tokio::spawn({
                let changes = changes.clone();
                async move { changes.changed(0).await }
            })
        });
        let waiting: Vec<_> = waiting.collect();
        tokio::task::yield_now().await;
        let allocated = || COUNTING.stats().allocations + COUNTING.stats().reallocations;
        let before = allocated();
        changes.tell();
        let allocated = allocated() - before;
        for one in waiting {
            assert_eq!(one.await.expect("no panic"), 1);
        }
        allocated
    })
}
