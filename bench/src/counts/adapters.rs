//! A request to a service, in memory: without a guard, and with one whose verifier remembers the token.

use super::repeated;
use crate::tokens::fixture::{AUDIENCE, ISSUER};
use countersign::issue::{Claims, JwtSigner};
use countersign::verify::TokenCache;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

#[derive(serde::Deserialize)]
struct User {
    sub: String,
}

/// A guard, and the field that it lets in.
fn guard() -> (Guard, String) {
    let key = SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a key");
    let verifier = JwtVerifier::builder(key.verifying_key().clone()).algorithms([Algorithm::HS256]);
    let verifier = verifier.issuer(ISSUER).audience(AUDIENCE).token_cache(TokenCache::new()).build();
    let claims = Claims::new(ISSUER).audience(AUDIENCE).subject("7").lifetime(Duration::from_secs(86_400));
    let token = JwtSigner::new(key).issue(&claims).expect("a token");
    (Guard::builder(verifier.expect("a verifier")).build().expect("a guard"), format!("Bearer {token}"))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Asks a service again and again.
fn asking<F: Future<Output = u16>>(runtime: Runtime, mut ask: impl FnMut() -> F + 'static) -> Box<dyn FnMut()> {
    repeated(move || runtime.block_on(ask()), |status| status == 200)
}

pub(super) mod axum {
    use super::{User, asking, guard, runtime};
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use countersign_axum::{Claims, GuardExt};
    use http::Request;
    use tower::ServiceExt;

    fn served(router: Router, field: String) -> Box<dyn FnMut()> {
        asking(runtime(), move || {
            let request = Request::get("/me").header("authorization", &field).body(Body::empty());
            let answer = router.clone().oneshot(request.expect("a request"));
            async { answer.await.expect("infallible").status().as_u16() }
        })
    }

    pub(in super::super) fn bare() -> Box<dyn FnMut()> {
        served(Router::new().route("/me", get(async || "7")), guard().1)
    }

    pub(in super::super) fn guarded() -> Box<dyn FnMut()> {
        let (guard, field) = guard();
        let router = Router::new().route("/me", get(async |Claims(me): Claims<User>| me.sub)).layer(guard.layer());
        served(router, field)
    }
}

pub(super) mod actix {
    use super::{User, asking, guard, runtime};
    use actix_web::dev::{Service, ServiceResponse};
    use actix_web::test::{TestRequest, init_service};
    use actix_web::{App, Error, web};
    use countersign_actix::{Claims, GuardExt};

    fn served<S, B>(service: S, field: String) -> Box<dyn FnMut()>
    where
        S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    {
        asking(runtime(), move || {
            let request = TestRequest::get().uri("/me").insert_header(("authorization", field.as_str()));
            let answer = service.call(request.to_request());
            async { answer.await.expect("an answer").status().as_u16() }
        })
    }

    pub(in super::super) fn bare() -> Box<dyn FnMut()> {
        let app = App::new().route("/me", web::get().to(async || "7"));
        served(runtime().block_on(init_service(app)), guard().1)
    }

    pub(in super::super) fn guarded() -> Box<dyn FnMut()> {
        let (guard, field) = guard();
        let handler = async |Claims(me): Claims<User>| me.sub;
        let app = App::new().wrap(guard.layer()).route("/me", web::get().to(handler));
        served(runtime().block_on(init_service(app)), field)
    }
}

pub(super) mod warp {
    use super::{User, asking, guard, runtime};
    use countersign_warp::{Claims, GuardExt, Guarded};
    use http::Request;
    use std::convert::Infallible;
    use tower::Service;
    use warp::filters::BoxedFilter;
    use warp::reply::Response;
    use warp::{Filter, Reply};

    fn served(filter: BoxedFilter<(impl Reply + 'static,)>, field: String) -> Box<dyn FnMut()> {
        let mut service = warp::service(filter);
        asking(runtime(), move || {
            let request = Request::get("/me").header("authorization", &field).body(String::new());
            let answer = service.call(request.expect("a request"));
            async {
                let response: Result<Response, Infallible> = answer.await;
                response.expect("infallible").status().as_u16()
            }
        })
    }

    fn head() -> impl Filter<Extract = (), Error = warp::Rejection> + Clone {
        warp::path!("me").and(warp::get())
    }

    pub(in super::super) fn bare() -> Box<dyn FnMut()> {
        served(head().map(|| "7").boxed(), guard().1)
    }

    pub(in super::super) fn guarded() -> Box<dyn FnMut()> {
        let (guard, field) = guard();
        let check = guard.protect().claims();
        served(head().guarded(check, |route| route.map(|Claims(me): Claims<User>| me.sub)), field)
    }
}
