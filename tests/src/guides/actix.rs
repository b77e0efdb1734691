use actix_web::web::{self, Json, ServiceConfig};
use actix_web::{App, HttpServer};
use countersign::authorize::role;
use countersign::{ConfigError, Guard, JwtVerifier};
use countersign_actix::{Claims, GuardExt};
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

fn routes(guard: Guard) -> Result<impl FnOnce(&mut ServiceConfig) + Clone, ConfigError> {
    let admin = guard.require(role("admin"))?;
    Ok(move |app: &mut ServiceConfig| {
        app.route("/", web::get().to(async || "everybody"))
            .route("/me", web::get().to(async |Claims(me): Claims<Me>| Json(me)))
            .route("/users", web::delete().to(async || "gone").wrap(admin));
    })
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = "https://tenant.auth0.com/";
    let keys = Arc::new(JwksProvider::discover(issuer).build()?);
    let verifier = JwtVerifier::builder(keys.clone()).issuer(issuer).audience("my-api").build()?;
    let guard = guard(verifier)?;
    let routes = routes(guard.clone())?;

    // 5 s at most. Where it fails, start anyway: the keys are asked for again, and until then tokens are answered 503.
    if let Err(error) = keys.ready().await {
        eprintln!("no keys yet: {error}");
    }
    let app = move || App::new().wrap(guard.layer()).configure(routes.clone());
    Ok(HttpServer::new(app).bind("127.0.0.1:8080")?.run().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service};
    use countersign_testkit::issuer::{Broken, TestIssuer};

    #[actix_web::test]
    async fn who_may_come_in() -> Result<(), Box<dyn std::error::Error>> {
        let issuer = TestIssuer::new();
        let guard = guard(issuer.verifier())?;
        let app = init_service(App::new().wrap(guard.layer()).configure(routes(guard.clone())?)).await;
        let (me, delete) = (|| TestRequest::get().uri("/me"), || TestRequest::delete().uri("/users"));
        for (request, authorization, status) in [
            (TestRequest::get().uri("/"), None, 200),
            (me(), None, 401),
            (me(), Some(issuer.broken_bearer(Broken::Expired)), 401),
            (me(), Some(issuer.bearer("editor")), 200),
            (delete(), Some(issuer.bearer("editor")), 403),
            (delete(), Some(issuer.bearer("admin")), 200),
        ] {
            let request = authorization
                .into_iter()
                .fold(request, |request, value| request.insert_header(("authorization", value)));
            assert_eq!(call_service(&app, request.to_request()).await.status(), status);
        }
        Ok(())
    }
}
