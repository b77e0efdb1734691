use super::telemetry;
use crate::quickstart::{AllClaims, Message};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use countersign::authorize::{permissions, role};
use countersign::revocation::RevocationLog;
use countersign::{ConfigError, Guard};
use countersign_axum::{Claims, GuardExt};
use countersign_keys::JwksProvider;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::sleep;

/// What operators ask.
#[derive(Clone)]
pub(super) struct Operations {
    pub(super) keys: Arc<JwksProvider>,
    pub(super) metrics: PrometheusHandle,
    /// Whether the revocations, if any, have counted once. Until then every token is answered 503; later a store that is away
    /// takes no process along.
    pub(super) settled: Arc<OnceLock<()>>,
}

/// How often it is looked whether the revocations count.
const PACE: Duration = Duration::from_millis(100);

/// Sets `settled` when the revocations count for the first time.
pub(super) async fn settle(revocations: Option<Arc<RevocationLog>>, settled: Arc<OnceLock<()>>) {
    while revocations.as_ref().is_some_and(|log| !log.is_confirmed()) {
        sleep(PACE).await;
    }
    let _ = settled.set(());
}

pub(super) fn router(guard: &Guard, operations: Operations) -> Result<Router, ConfigError> {
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
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(operations))
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

/// An answer about this moment.
const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

async fn healthz() -> impl IntoResponse {
    (NO_STORE, "alive\n")
}

async fn readyz(State(operations): State<Operations>) -> impl IntoResponse {
    let mut health = operations.keys.health();
    health.ready &= operations.settled.get().is_some();
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, NO_STORE, Json(health))
}

async fn metrics(State(operations): State<Operations>) -> impl IntoResponse {
    telemetry::measure_keys(&operations.keys.health());
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (NO_STORE, kind, operations.metrics.render())
}
