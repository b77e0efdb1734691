//! Protected routes in axum, with an issuer to log in at: `cargo run --example quickstart`.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use countersign::ConfigError;
use countersign::authorize::{permissions, role};
use countersign_axum::{Claims, GuardExt};
use countersign_examples::quickstart::{self, AllClaims, Answer, Demo, MAX_LOGIN_BYTES, Message};
use std::process::ExitCode;

fn router(demo: Demo) -> Result<Router, ConfigError> {
    let guard = &demo.guard;
    let read = guard.require(permissions(["posts:read"]))?;
    let write = guard.require(permissions(["posts:read", "posts:write"]))?;
    let admin = guard.require(role("admin"))?;
    Ok(Router::new()
        .route("/public", get(public))
        .route("/me", get(me))
        .route("/greeting", get(greeting))
        .route("/posts", get(read_posts).route_layer(read).merge(post(write_post).route_layer(write)))
        .route("/admin", delete(wipe).route_layer(admin))
        .layer(guard.layer())
        .route("/login", post(login).layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES)))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/.well-known/openid-configuration", get(metadata))
        .with_state(demo))
}

async fn public() -> Json<Message> {
    Json(Message::new("Everybody may read this"))
}

async fn me(Claims(me): Claims<AllClaims>) -> Json<AllClaims> {
    Json(me)
}

async fn greeting(who: Option<Claims<AllClaims>>) -> Json<Message> {
    Json(Message::greeting(who.as_ref().map(|Claims(who)| who)))
}

async fn read_posts() -> Json<Message> {
    Json(Message::new("Here are the posts"))
}

async fn write_post() -> (StatusCode, Json<Message>) {
    (StatusCode::CREATED, Json(Message::new("Written")))
}

async fn wipe() -> Json<Message> {
    Json(Message::new("Wiped"))
}

async fn login(State(demo): State<Demo>, body: Bytes) -> Response {
    write(demo.issuer.login(&body))
}

async fn jwks(State(demo): State<Demo>) -> Response {
    write(demo.issuer.jwks())
}

async fn metadata(State(demo): State<Demo>) -> Response {
    write(demo.issuer.metadata())
}

fn write(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    for (name, value) in answer.headers {
        let value = axum::http::HeaderValue::from_static(value);
        response.headers_mut().insert(axum::http::HeaderName::from_static(name), value);
    }
    response
}

async fn serve() -> Result<(), String> {
    let Some((listener, demo)) = quickstart::start("axum")? else { return Ok(()) };
    let router = router(demo).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, router).with_graceful_shutdown(interrupted).await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}
