use super::{Answer, Demo, DemoIssuer, MAX_LOGIN_BYTES};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use std::sync::Arc;

/// The routes of the issuer, in axum.
pub fn issuer_routes(issuer: Arc<DemoIssuer>) -> Router {
    Router::new()
        .route("/login", post(login).layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES)))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/.well-known/openid-configuration", get(metadata))
        .with_state(issuer)
}

/// The page and what it asks, in axum.
pub fn page_routes(demo: Demo) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/explain", post(explain).layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES)))
        .with_state(demo)
}

async fn page(State(demo): State<Demo>) -> Answer {
    demo.page()
}

async fn explain(State(demo): State<Demo>, body: Bytes) -> Answer {
    demo.explain(&body).await
}

async fn login(State(issuer): State<Arc<DemoIssuer>>, body: Bytes) -> Answer {
    issuer.login(&body)
}

async fn jwks(State(issuer): State<Arc<DemoIssuer>>) -> Answer {
    issuer.jwks()
}

async fn metadata(State(issuer): State<Arc<DemoIssuer>>) -> Answer {
    issuer.metadata()
}
