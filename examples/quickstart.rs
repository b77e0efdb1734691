//! Protected routes in axum, with an issuer to log in at: `cargo run --example quickstart`.

use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use countersign::ConfigError;
use countersign::authorize::{permissions, role};
use countersign_axum::{Claims, GuardExt};
use countersign_examples::quickstart::{self, AllClaims, Demo, Message, issuer_routes, page_routes};
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
        .merge(issuer_routes(demo.issuer.clone()))
        .merge(page_routes(demo)))
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
