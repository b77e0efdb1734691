//! A page with a login in axum, its token in a cookie: `cargo run --example cookie_app`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use countersign::ConfigError;
use countersign::authorize::permissions;
use countersign_axum::{GuardExt, Headers, Socket, Tenure, Verified};
use countersign_examples::cookie_app::{self, CookieApp};
use countersign_examples::quickstart::{self, Answer, MAX_LOGIN_BYTES};
use std::process::ExitCode;
use std::sync::Arc;

type App = State<Arc<CookieApp>>;

fn router(app: Arc<CookieApp>) -> Result<Router, ConfigError> {
    let guard = app.guard();
    let read = guard.require(permissions(["notes:read"]))?;
    let write = guard.require(permissions(["notes:write"]))?;
    Ok(Router::new()
        .route("/", get(page))
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/notes", get(notes).route_layer(read).merge(post(add_note).route_layer(write)))
        .route("/logout", post(log_out))
        .route("/ws", get(follow))
        .layer(guard.layer())
        .layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES))
        .with_state(app))
}

async fn page(State(app): App) -> Answer {
    app.page()
}

async fn log_in(State(app): App, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    app.log_in(&Headers(&headers).view(&method, &uri), &body)
}

async fn me(State(app): App, Verified(token): Verified, method: Method, uri: Uri, headers: HeaderMap) -> Answer {
    app.me(&token, &Headers(&headers).view(&method, &uri))
}

async fn notes(State(app): App) -> Answer {
    app.notes()
}

async fn add_note(State(app): App, Verified(token): Verified, body: Bytes) -> Answer {
    app.add_note(&token, &body)
}

async fn log_out(State(app): App, Verified(token): Verified) -> Answer {
    app.log_out(&token)
}

/// Nothing is said: it is closed when the session ends.
async fn follow(tenure: Tenure, upgrade: WebSocketUpgrade) -> Response {
    tenure.on_upgrade(upgrade, async |mut socket: Socket| while let Some(Ok(_)) = socket.recv().await {})
}

async fn serve() -> Result<(), String> {
    let Some((listener, app)) = cookie_app::start("axum")? else { return Ok(()) };
    let router = router(app).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, router).with_graceful_shutdown(interrupted).await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}
