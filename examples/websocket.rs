//! Connections that end with their token, in axum: `cargo run --example websocket`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use countersign::ConfigError;
use countersign::authorize::permissions;
use countersign_axum::{GuardExt, Socket, Tenure, Verified};
use countersign_examples::quickstart::{self, Answer, MAX_LOGIN_BYTES};
use countersign_examples::websocket::{self, Demo};
use std::process::ExitCode;

fn router(demo: Demo) -> Result<Router, ConfigError> {
    let read = demo.guard.require(permissions(["posts:read"]))?;
    Ok(Router::new()
        .route("/echo", get(echo).route_layer(read.clone()))
        .route("/seconds", get(seconds).route_layer(read))
        .route("/logout", post(log_out))
        .layer(demo.guard.layer())
        .route("/login", post(log_in).layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES)))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/.well-known/openid-configuration", get(metadata))
        .with_state(demo))
}

async fn echo(tenure: Tenure, upgrade: WebSocketUpgrade) -> Response {
    tenure.on_upgrade(upgrade, async |mut socket: Socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Text(text) = message else { continue };
            let answer = websocket::answer(socket.tenure(), &text).await;
            if socket.send(Message::Text(answer.into())).await.is_err() {
                break;
            }
        }
    })
}

async fn seconds(tenure: Tenure) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(tenure.limit(websocket::seconds())))
}

async fn log_out(State(demo): State<Demo>, Verified(token): Verified) -> StatusCode {
    demo.log_out(&token);
    StatusCode::NO_CONTENT
}

async fn log_in(State(demo): State<Demo>, body: Bytes) -> Answer {
    demo.issuer.login(&body)
}

async fn jwks(State(demo): State<Demo>) -> Answer {
    demo.issuer.jwks()
}

async fn metadata(State(demo): State<Demo>) -> Answer {
    demo.issuer.metadata()
}

async fn serve() -> Result<(), String> {
    let Some((listener, demo)) = websocket::start("axum")? else { return Ok(()) };
    let router = router(demo).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, router).with_graceful_shutdown(interrupted).await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}
