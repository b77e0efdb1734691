//! Connections that end with their token, in warp: `cargo run --example websocket_warp`.

use countersign::authorize::permissions;
use countersign::{ConfigError, VerifiedToken};
use countersign_examples::quickstart::{self, Answer, warp_body};
use countersign_examples::websocket::{self, Demo};
use countersign_warp::{GuardExt, Guarded, Socket, Tenure};
use std::process::ExitCode;
use warp::http::StatusCode;
use warp::reply::{self, Response};
use warp::ws::{Message, Ws};
use warp::{Filter, Rejection, Reply, get, path, post};

fn routes(demo: Demo) -> Result<impl Filter<Extract = impl Reply, Error = Rejection> + Clone, ConfigError> {
    let read = demo.guard.require(permissions(["posts:read"]))?.tenure();
    let protect = demo.guard.protect();
    let demo = warp::any().map(move || demo.clone());
    let echo = path!("echo").and(get()).guarded(read.clone(), |route| route.and(warp::ws()).map(echo));
    let seconds = path!("seconds").and(get()).guarded(read, |route| {
        route.map(|tenure: Tenure| {
            let events = reply::stream(tenure.limit(websocket::seconds()));
            reply::with_header(events, "content-type", "text/event-stream")
        })
    });
    let log_out = path!("logout").and(post()).guarded(protect, |route| route.and(demo.clone()).map(log_out));
    let log_in = path!("login").and(post()).and(demo.clone()).and(warp_body()).map(
        |demo: Demo, body: Result<Vec<u8>, Answer>| {
            body.map_or_else(|too_large| too_large, |body| demo.issuer.login(&body))
        },
    );
    let jwks = path!(".well-known" / "jwks.json").and(get()).and(demo.clone()).map(|demo: Demo| demo.issuer.jwks());
    let metadata =
        path!(".well-known" / "openid-configuration").and(get()).and(demo).map(|demo: Demo| demo.issuer.metadata());
    Ok(echo.or(seconds).or(log_out).or(log_in).or(jwks).or(metadata))
}

fn echo(tenure: Tenure, ws: Ws) -> Response {
    tenure.on_upgrade(ws, async |mut socket: Socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let Ok(text) = message.to_str() else { continue };
            let answer = websocket::answer(socket.tenure(), text).await;
            if socket.send(Message::text(answer)).await.is_err() {
                break;
            }
        }
    })
}

fn log_out(token: VerifiedToken, demo: Demo) -> StatusCode {
    demo.log_out(&token);
    StatusCode::NO_CONTENT
}

async fn serve() -> Result<(), String> {
    let Some((listener, demo)) = websocket::start("warp")? else { return Ok(()) };
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
