//! What an extractor of actix-web answers that loads the thing on which it is decided, where the handler takes nobody too.

use super::client::send;
use super::servers::listener;
use super::world::Tokens;
use actix_web::error::{ErrorNotFound, ErrorServiceUnavailable};
use actix_web::{App, Error, HttpRequest, HttpServer, web};
use countersign::authorize::{AsResource, Requirement, Requires, Resource, scopes};
use countersign_actix::{GuardExt, RequireOn};
use std::pin::Pin;

struct Scoped;
impl Requires for Scoped {
    fn requirement() -> Requirement {
        scopes(["a"])
    }
}

#[derive(Debug)]
struct Thing;
impl AsResource for Thing {
    fn as_resource(&self) -> Resource<'_> {
        Resource::new("thing", "1")
    }
}

impl actix_web::FromRequest for Thing {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;
    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let id = request.match_info().query("id").to_owned();
        Box::pin(async move {
            // Some loads wait and some do not.
            if id.starts_with("later-") {
                tokio::task::yield_now().await;
            }
            match id.trim_start_matches("later-") {
                "gone" => Err(ErrorNotFound("no such thing")),
                "down" => Err(ErrorServiceUnavailable("the database is down")),
                _ => Ok(Self),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn option_takes_nobody_and_makes_nobody_of_no_error() {
    let tokens = Tokens::new();
    let guard = tokens.guard("default");
    let app = move || {
        let option = async |thing: Option<RequireOn<Thing, Scoped>>| thing.is_some().to_string();
        let result = async |thing: Result<RequireOn<Thing, Scoped>, Error>| thing.is_ok().to_string();
        App::new()
            .wrap(guard.layer())
            .route("/option/{id}", web::get().to(option))
            .route("/result/{id}", web::get().to(result))
    };
    let (listener, address) = listener();
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
    tokio::spawn(server);
    for (id, token, status, body) in [
        ("1", Some("T"), 200, Some("true")),
        ("1", Some("B"), 401, None),
        ("gone", Some("B"), 401, None),
        ("gone", Some("T"), 404, Some("no such thing")),
        ("down", Some("T"), 503, Some("the database is down")),
        ("1", None, 200, Some("false")),
        ("gone", None, 200, Some("false")),
    ] {
        for path in ["option", "result"] {
            for when in ["", "later-"] {
                let path = format!("/{path}/{when}{id}");
                let bearer = |name| ("Authorization".to_owned(), format!("Bearer {}", tokens.named(name)).into_bytes());
                let fields: Vec<_> = token.map(bearer).into_iter().collect();
                let answer = send(address, "GET", &path, &fields, b"").await;
                assert_eq!(answer.status, status, "{path} by {token:?}");
                assert_eq!(body.unwrap_or(&answer.body), answer.body, "{path} by {token:?}");
            }
        }
    }
}
