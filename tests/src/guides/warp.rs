use countersign::authorize::role;
use countersign::{ConfigError, Guard, JwtVerifier};
use countersign_keys::JwksProvider;
use countersign_rbac::RbacAuthorizer;
use countersign_warp::{Claims, GuardExt, Guarded};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use warp::{Filter, Rejection, Reply};

#[derive(Deserialize, Serialize)]
struct Me {
    sub: String,
    name: Option<String>,
}

fn guard(verifier: JwtVerifier) -> Result<Guard, ConfigError> {
    let rbac = RbacAuthorizer::builder().role("editor", ["posts:write"]).role("admin", ["users:delete"]).build()?;
    Guard::builder(verifier).authorizer(rbac).build()
}

fn routes(guard: Guard) -> Result<impl Filter<Extract = impl Reply, Error = Rejection> + Clone, ConfigError> {
    let public = warp::path::end().and(warp::get()).map(|| "everybody");
    let me = warp::path!("me")
        .and(warp::get())
        .guarded(guard.protect().claims(), |route| route.map(|Claims(me): Claims<Me>| warp::reply::json(&me)));
    let users = warp::path!("users")
        .and(warp::delete())
        .guarded(guard.require(role("admin"))?, |route| route.map(|_token| "gone"));
    Ok(public.or(me).or(users))
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
    warp::serve(routes).incoming(listener).run().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_testkit::issuer::{Broken, TestIssuer};

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
            let mut request = warp::test::request().method(method).path(path);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            assert_eq!(request.reply(&routes).await.status(), status, "{method} {path}");
        }
        Ok(())
    }
}
