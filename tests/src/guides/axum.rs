use axum::routing::{delete, get};
use axum::{Json, Router};
use countersign::authorize::role;
use countersign::{ConfigError, Guard, JwtVerifier};
use countersign_axum::{Claims, GuardExt};
use countersign_keys::JwksProvider;
use countersign_rbac::RbacAuthorizer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Deserialize, Serialize)]
struct Me {
    sub: String,
    name: Option<String>,
}

fn guard(verifier: JwtVerifier) -> Result<Guard, ConfigError> {
    let rbac = RbacAuthorizer::builder().role("editor", ["posts:write"]).role("admin", ["users:delete"]).build()?;
    Guard::builder(verifier).authorizer(rbac).build()
}

fn routes(guard: Guard) -> Result<Router, ConfigError> {
    Ok(Router::new()
        .route("/", get(async || "everybody"))
        .route("/me", get(async |Claims(me): Claims<Me>| Json(me)))
        .route("/users", delete(async || "gone").route_layer(guard.require(role("admin"))?))
        .layer(guard.layer()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = "https://tenant.auth0.com/";
    let keys = Arc::new(JwksProvider::discover(issuer).build()?);
    let verifier = JwtVerifier::builder(keys.clone()).issuer(issuer).audience("my-api").build()?;
    let routes = routes(guard(verifier)?)?;

    // 5 s at most. Where it fails, start anyway: the keys are asked for again, and until then tokens are answered 503.
    if let Err(error) = keys.ready().await {
        eprintln!("no keys yet: {error}");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    Ok(axum::serve(listener, routes).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use countersign_testkit::issuer::{Broken, TestIssuer};
    use tower::ServiceExt;

    #[tokio::test]
    async fn who_may_come_in() -> Result<(), Box<dyn std::error::Error>> {
        let issuer = TestIssuer::new();
        let routes = routes(guard(issuer.verifier())?)?;
        for (method, path, authorization, status) in [
            ("GET", "/", None, 200),
            ("GET", "/me", None, 401),
            ("GET", "/me", Some(issuer.broken_bearer(Broken::Expired)), 401),
            ("GET", "/me", Some(issuer.bearer("editor")), 200),
            ("DELETE", "/users", Some(issuer.bearer("editor")), 403),
            ("DELETE", "/users", Some(issuer.bearer("admin")), 200),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let answer = routes.clone().oneshot(request.body(Body::empty())?).await?;
            assert_eq!(answer.status(), status, "{method} {path}");
        }
        Ok(())
    }
}
