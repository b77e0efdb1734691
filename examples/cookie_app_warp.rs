//! A page with a login in warp, its token in a cookie: `cargo run --example cookie_app_warp`.

use countersign::authorize::permissions;
use countersign::{ConfigError, VerifiedToken};
use countersign_examples::cookie_app::{self, CookieApp};
use countersign_examples::quickstart::{self, Answer, warp_body};
use countersign_warp::{GuardExt, Guarded, Headers, Socket, Tenure};
use std::process::ExitCode;
use std::sync::Arc;
use warp::header::headers_cloned;
use warp::http::{HeaderMap, Method};
use warp::reply::Response;
use warp::ws::Ws;
use warp::{Filter, Rejection, Reply, get, path, post};

type App = Arc<CookieApp>;
/// 413 for one that is too large.
type Body = Result<Vec<u8>, Answer>;

fn routes(app: App) -> Result<impl Filter<Extract = impl Reply, Error = Rejection> + Clone, ConfigError> {
    let guard = app.guard().clone();
    let with_app = warp::any().map(move || app.clone());
    let page = path::end().and(get()).and(with_app.clone()).map(|app: App| app.page());
    let log_in = path!("login").and(post()).and(with_app.clone()).and(headers_cloned()).and(warp_body()).map(
        |app: App, headers: HeaderMap, body: Body| {
            let request = Headers(&headers);
            let request = request.view(&Method::POST, "/login", None);
            body.map_or_else(|too_large| too_large, |body| app.log_in(&request, &body))
        },
    );
    let me = path!("me").and(get()).and(with_app.clone()).and(headers_cloned()).guarded(guard.protect(), |route| {
        route.map(|app: App, headers: HeaderMap, token: VerifiedToken| {
            app.me(&token, &Headers(&headers).view(&Method::GET, "/me", None))
        })
    });
    let may_read = guard.require(permissions(["notes:read"]))?;
    let notes = path!("notes")
        .and(get())
        .and(with_app.clone())
        .guarded(may_read, |route| route.map(|app: App, _token| app.notes()));
    let may_write = guard.require(permissions(["notes:write"]))?;
    let add_note = path!("notes").and(post()).and(with_app.clone()).guarded(may_write, |route| {
        route.and(warp_body()).map(|app: App, token: VerifiedToken, body: Body| {
            body.map_or_else(|too_large| too_large, |body| app.add_note(&token, &body))
        })
    });
    let log_out = path!("logout")
        .and(post())
        .and(with_app)
        .guarded(guard.protect(), |route| route.map(|app: App, token: VerifiedToken| app.log_out(&token)));
    let follow = path!("ws").and(get()).guarded(guard.protect().tenure(), |route| route.and(warp::ws()).map(follow));
    Ok(page.or(log_in).or(me).or(notes).or(add_note).or(log_out).or(follow))
}

/// Nothing is said: it is closed when the session ends.
fn follow(tenure: Tenure, ws: Ws) -> Response {
    tenure.on_upgrade(ws, async |mut socket: Socket| while let Some(Ok(_)) = socket.recv().await {})
}

async fn serve() -> Result<(), String> {
    let Some((listener, app)) = cookie_app::start("warp")? else { return Ok(()) };
    let routes = routes(app).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    warp::serve(routes).incoming(listener).graceful(interrupted).run().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}
