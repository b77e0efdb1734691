//! Protected routes in warp, with an issuer to log in at: `cargo run --example quickstart_warp`.

use countersign::ConfigError;
use countersign::authorize::{permissions, role};
use countersign_examples::quickstart::{self, AllClaims, Answer, Demo, DemoIssuer, Message, warp_body};
use countersign_warp::{Claims, GuardExt, Guarded};
use std::process::ExitCode;
use std::sync::Arc;
use warp::http::StatusCode;
use warp::{Filter, Rejection, Reply, delete, path, post, reply};

/// warp answers HEAD only where a route says so.
fn get() -> impl Filter<Extract = (), Error = Rejection> + Copy {
    warp::get().or(warp::head()).unify()
}

fn routes(demo: Demo) -> Result<impl Filter<Extract = impl Reply, Error = Rejection> + Clone, ConfigError> {
    let guard = &demo.guard;
    let public = path!("public").and(get()).map(|| reply::json(&Message::new("Everybody may read this")));
    let me = path!("me")
        .and(get())
        .guarded(guard.protect().claims(), |route| route.map(|Claims(me): Claims<AllClaims>| reply::json(&me)));
    let greeting = path!("greeting").and(get()).guarded(guard.optional().claims(), |route| {
        route.map(|who: Option<Claims<AllClaims>>| reply::json(&Message::greeting(who.as_ref().map(|Claims(who)| who))))
    });
    let read_posts = path!("posts").and(get()).guarded(guard.require(permissions(["posts:read"]))?, |route| {
        route.map(|_token| reply::json(&Message::new("Here are the posts")))
    });
    let may_write = guard.require(permissions(["posts:read", "posts:write"]))?;
    let write_post = path!("posts").and(post()).guarded(may_write, |route| {
        route.map(|_token| reply::with_status(reply::json(&Message::new("Written")), StatusCode::CREATED))
    });
    let wipe = path!("admin")
        .and(delete())
        .guarded(guard.require(role("admin"))?, |route| route.map(|_token| reply::json(&Message::new("Wiped"))));
    let issuer = demo.issuer.clone();
    let with_issuer = warp::any().map(move || issuer.clone());
    let login = path!("login").and(post()).and(with_issuer.clone()).and(warp_body()).map(
        |issuer: Arc<DemoIssuer>, body: Result<Vec<u8>, Answer>| {
            body.map_or_else(|too_large| too_large, |body| issuer.login(&body))
        },
    );
    let jwks = path!(".well-known" / "jwks.json")
        .and(get())
        .and(with_issuer.clone())
        .map(|issuer: Arc<DemoIssuer>| issuer.jwks());
    let metadata = path!(".well-known" / "openid-configuration")
        .and(get())
        .and(with_issuer)
        .map(|issuer: Arc<DemoIssuer>| issuer.metadata());
    let with_demo = warp::any().map(move || demo.clone());
    let page = path::end().and(get()).and(with_demo.clone()).map(|demo: Demo| demo.page());
    let explain = path!("explain").and(post()).and(with_demo).and(warp_body()).then(
        async |demo: Demo, body: Result<Vec<u8>, Answer>| match body {
            Ok(body) => demo.explain(&body).await,
            Err(too_large) => too_large,
        },
    );
    let api = public.or(me).or(greeting).or(read_posts).or(write_post).or(wipe);
    Ok(api.or(page).or(explain).or(login).or(jwks).or(metadata))
}

async fn serve() -> Result<(), String> {
    let Some((listener, demo)) = quickstart::start("warp")? else { return Ok(()) };
    let routes = routes(demo).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    warp::serve(routes).incoming(listener).graceful(interrupted).run().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}
