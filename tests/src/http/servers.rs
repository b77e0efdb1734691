//! The same routes in three frameworks, each on a free port of this machine.

use super::typed::Post;
use actix_web::web;
use countersign::Guard;
use countersign::authorize::{permissions, role, scopes};
use countersign_testkit::adapter::Unheard;
use std::net::{SocketAddr, TcpListener};

pub(crate) use countersign_testkit::adapter::{AnyClaims, Nicknamed};

/// The three servers' addresses, by name.
pub(crate) async fn start_all(guard: &Guard) -> [(&'static str, SocketAddr); 3] {
    [("axum", axum_server(guard)), ("actix-web", actix_server(guard)), ("warp", warp_server(guard))]
}

/// The two in which a handler asks who it is, with routes that have no guard before them.
pub(crate) async fn start_unguarded() -> [(&'static str, SocketAddr); 2] {
    [("axum", axum_unguarded()), ("actix-web", actix_unguarded())]
}

pub(super) fn axum_unguarded() -> SocketAddr {
    let me = axum::routing::get(async |_: countersign_axum::Verified| "me");
    let optional = axum::routing::get(async |_: Option<countersign_axum::Verified>| "optional");
    let router = axum::Router::new().route("/me", me).route("/optional", optional);
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(super) fn actix_unguarded() -> SocketAddr {
    let app = || {
        actix_web::App::new()
            .route("/me", get_or_head().to(async |_: countersign_actix::Verified| "me"))
            .route("/optional", get_or_head().to(async |_: Option<countersign_actix::Verified>| "optional"))
    };
    let (listener, address) = listener();
    let server = actix_web::HttpServer::new(app).workers(1).disable_signals().listen(listener);
    tokio::spawn(server.expect("a server").run());
    address
}

/// `web::get()` serves no `HEAD`.
fn get_or_head() -> actix_web::Route {
    use actix_web::guard::{Any, Get, Head};
    web::route().guard(Any(Get()).or(Head()))
}

pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// How long the `Authorization` field would be that sends it on.
fn length(token: Option<countersign::request::SentToken>) -> String {
    token.map_or(0, |token| token.authorization().len()).to_string()
}

pub(super) fn axum_server(guard: &Guard) -> SocketAddr {
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use countersign_axum::{Claims, GuardExt, Require, Sent, Verified};

    let require = |requirement| guard.require(requirement).expect("a requirement that can be judged");
    let router = Router::new()
        .route("/public", get(|| async { "public" }))
        .route("/me", get(|Claims(me): Claims<AnyClaims>| async { Json(me) }))
        .route("/me", post(|Claims(me): Claims<AnyClaims>| async { Json(me) }))
        .route("/me", axum::routing::options(|Claims(me): Claims<AnyClaims>| async { Json(me) }))
        .route("/optional", get(|who: Option<Claims<AnyClaims>>| async move { Json(who.map(|Claims(who)| who)) }))
        .route("/nickname", get(|Claims(who): Claims<Nicknamed>| async { Json(who) }))
        .route(
            "/optional-nickname",
            get(|who: Option<Claims<Nicknamed>>| async move { Json(who.map(|Claims(who)| who)) }),
        )
        .route("/subject", get(|token: Verified| async move { Json(token.subject().map(str::to_owned)) }))
        .route("/sent", get(|Sent(token): Sent| async move { token.authorization().to_string() }))
        .route("/sent-if-any", get(|token: Option<Sent>| async move { length(token.map(|Sent(token)| token)) }))
        .route("/read", get(|| async { "read" }).route_layer(require(permissions(["posts:read"]))))
        .route("/admin", get(|| async { "admin" }).route_layer(require(role("admin"))))
        .route("/unjudged", get(|_: Require<Unheard>| async { "unjudged" }))
        .route("/scoped", get(|| async { "scoped" }).route_layer(require(scopes(["a", "c"]))))
        .nest("/protected", Router::new().route("/page", get(|| async { "page" })).route_layer(guard.protect()))
        .layer(guard.layer())
        .merge(guard.describe());
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(super) fn actix_server(guard: &Guard) -> SocketAddr {
    use actix_web::http::Method;
    use actix_web::{App, HttpServer, web::Json};
    use countersign_actix::{Claims, GuardExt, Require, Sent, Verified};

    async fn me(Claims(me): Claims<AnyClaims>) -> Json<AnyClaims> {
        Json(me)
    }
    async fn optional(who: Option<Claims<AnyClaims>>) -> Json<Option<AnyClaims>> {
        Json(who.map(|Claims(who)| who))
    }
    async fn nickname(Claims(who): Claims<Nicknamed>) -> Json<Nicknamed> {
        Json(who)
    }
    async fn optional_nickname(who: Option<Claims<Nicknamed>>) -> Json<Option<Nicknamed>> {
        Json(who.map(|Claims(who)| who))
    }
    async fn subject(token: Verified) -> Json<Option<String>> {
        Json(token.subject().map(str::to_owned))
    }
    async fn sent_if_any(token: Option<Sent>) -> String {
        length(token.map(|Sent(token)| token))
    }
    // One route, so that 405 stays 405.
    let at = |path: &str, route| web::resource(path).route(route);
    let (listener, address) = listener();
    let guard = guard.clone();
    let read = guard.require(permissions(["posts:read"])).expect("a requirement that can be judged");
    let admin = guard.require(role("admin")).expect("a requirement that can be judged");
    let scoped = guard.require(scopes(["a", "c"])).expect("a requirement that can be judged");
    let app = move || {
        App::new()
            .configure(guard.describe())
            .wrap(guard.layer())
            .service(at("/public", get_or_head().to(async || "public")))
            .service(at("/me", get_or_head().to(me)).post(me).route(web::method(Method::OPTIONS).to(me)))
            .service(at("/optional", get_or_head().to(optional)))
            .service(at("/nickname", get_or_head().to(nickname)))
            .service(at("/optional-nickname", get_or_head().to(optional_nickname)))
            .service(at("/subject", get_or_head().to(subject)))
            .service(at("/sent-if-any", get_or_head().to(sent_if_any)))
            .service(at("/sent", get_or_head().to(async |Sent(token): Sent| token.authorization().to_string())))
            .service(at("/unjudged", get_or_head().to(async |_: Require<Unheard>| "unjudged")))
            .service(at("/read", get_or_head().to(async || "read").wrap(read.clone())))
            .service(at("/admin", get_or_head().to(async || "admin").wrap(admin.clone())))
            .service(at("/scoped", get_or_head().to(async || "scoped").wrap(scoped.clone())))
            .service(
                web::scope("/protected").wrap(guard.protect()).service(at("/page", get_or_head().to(async || "page"))),
            )
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen_auto_h2c(listener).expect("a server").run();
    tokio::spawn(server);
    address
}

pub(super) fn warp_server(guard: &Guard) -> SocketAddr {
    use countersign_warp::{Claims, GuardExt, Guarded, Refusal};
    use warp::{Filter, Reply, path, reply};

    let get = || warp::get().or(warp::head()).unify();
    let require = |requirement| guard.require(requirement).expect("a requirement that can be judged");
    let public = path!("public").and(get()).map(|| "public");
    let me = path!("me")
        .and(get().or(warp::post()).unify().or(warp::options()).unify())
        .guarded(guard.protect().claims(), |route| route.map(|Claims(me): Claims<AnyClaims>| reply::json(&me)));
    let optional = path!("optional").and(get()).guarded(guard.optional().claims(), |route| {
        route.map(|who: Option<Claims<AnyClaims>>| reply::json(&who.map(|Claims(who)| who)))
    });
    let nickname = path!("nickname")
        .and(get())
        .guarded(guard.protect().claims(), |route| route.map(|Claims(who): Claims<Nicknamed>| reply::json(&who)));
    let optional_nickname = path!("optional-nickname").and(get()).guarded(guard.optional().claims(), |route| {
        route.map(|who: Option<Claims<Nicknamed>>| reply::json(&who.map(|Claims(who)| who)))
    });
    let subject = path!("subject")
        .and(get())
        .guarded(guard.protect(), |route| route.map(|token: countersign::VerifiedToken| reply::json(&token.subject())));
    let sent = path!("sent").and(get()).guarded(guard.protect().sent(), |route| {
        route.map(|token: countersign::request::SentToken| token.authorization().to_string())
    });
    let sent_if_any = path!("sent-if-any").and(get()).guarded(guard.optional().sent(), |route| route.map(length));
    let asked = guard.clone();
    let unjudged = path!("unjudged").and(get()).guarded(guard.protect(), move |route| {
        route.then(move |token| {
            let guard = asked.clone();
            async move {
                match guard.authorize::<Unheard, _>(&token, Post::default()).await {
                    Ok(_) => "unjudged".into_response(),
                    Err(denial) => Refusal(denial).into_response(),
                }
            }
        })
    });
    let read = path!("read").and(get()).guarded(require(permissions(["posts:read"])), |r| r.map(|_| "read"));
    let admin = path!("admin").and(get()).guarded(require(role("admin")), |route| route.map(|_| "admin"));
    let scoped = path!("scoped").and(get()).guarded(require(scopes(["a", "c"])), |route| route.map(|_| "scoped"));
    let page = path("protected").and(guard.protect().around(path!("page").and(get()).map(|| "page")));
    // The catch-all would answer 200 to whatever fell through a denial.
    let open = path("read").or(path("admin")).unify().map(|| "fell through");
    let routes = public.or(me).or(optional).or(nickname).or(optional_nickname).or(subject).or(unjudged);
    let routes = routes.or(sent).or(sent_if_any).or(read).or(admin).or(scoped).or(page).or(open).or(guard.describe());
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    address
}
