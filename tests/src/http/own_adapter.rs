//! The adapter of the example `own_adapter`, for a fourth framework: hyper alone. It is held to the table of the others.

#[expect(unreachable_pub, reason = "the example is a library to its own program")]
#[path = "../../../examples/src/own_adapter.rs"]
mod adapter;

use super::servers::{axum_server, listener};
use super::world::worlds;
use adapter::{Answered, Headers, judge, refusal, respond, view};
use countersign::authorize::{permissions, role, scopes};
use countersign::resource_metadata::MEDIA_TYPE;
use countersign::screening::{Check, Screening};
use countersign::{Denial, Guard};
use countersign_testkit::adapter::{AdapterTable, AnyClaims, Nicknamed, Unheard, World};
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

/// The routes of the table.
struct Routes {
    guard: Guard,
    authenticated: Check,
    read: Check,
    admin: Check,
    scoped: Check,
}

fn json(value: &impl Serialize) -> Answered {
    let body = serde_json::to_vec(value).expect("JSON");
    respond(200, [("content-type", "application/json")].into_iter(), body.into())
}

fn text(body: impl Into<String>) -> Answered {
    respond(200, [("content-type", "text/plain; charset=utf-8")].into_iter(), body.into().into())
}

fn empty(status: u16) -> Answered {
    respond(status, std::iter::empty::<(&str, &str)>(), "".into())
}

/// The claims of whoever asks, where somebody must.
async fn claims<C: DeserializeOwned>(check: &Check, request: &mut Request<Incoming>) -> Result<C, Answered> {
    let token = judge(check, request).await?;
    let screening = request.extensions().get::<Screening>().expect("it stays with the request");
    screening.claims(&token).map_err(|denial| refusal(&denial))
}

impl Routes {
    fn new(guard: &Guard) -> Self {
        let check = |requirement| guard.check(requirement).expect("a requirement that can be judged");
        Self {
            guard: guard.clone(),
            authenticated: guard.check_authenticated(),
            read: check(permissions(["posts:read"])),
            admin: check(role("admin")),
            scoped: check(scopes(["a", "c"])),
        }
    }

    /// The claims of whoever asks, if anybody does.
    async fn optional<C: DeserializeOwned>(&self, request: &Request<Incoming>) -> Result<Option<C>, Denial> {
        let screening = self.authenticated.screening(None);
        let headers = Headers(request.headers());
        let token = screening.optional(&view(request, &headers)).await?;
        token.map(|token| screening.claims(&token)).transpose()
    }

    /// How many octets the field has that sends the token on.
    async fn sent_length(&self, request: &Request<Incoming>) -> Result<usize, Denial> {
        let screening = self.authenticated.screening(None);
        let headers = Headers(request.headers());
        let view = view(request, &headers);
        screening.optional(&view).await?;
        Ok(screening.sent_token(&view).map_or(0, |token| token.authorization().len()))
    }

    async fn sent(&self, request: &mut Request<Incoming>) -> Result<String, Answered> {
        judge(&self.authenticated, request).await?;
        let screening = request.extensions().get::<Screening>().expect("it stays with the request");
        let headers = Headers(request.headers());
        Ok(screening.sent_token(&view(request, &headers)).expect("it was sent").authorization().to_string())
    }

    async fn unjudged(&self, request: &Request<Incoming>) -> Result<(), Denial> {
        let screening = self.authenticated.screening(None);
        let headers = Headers(request.headers());
        screening.prove::<Unheard>(&view(request, &headers)).await.map(drop)
    }

    async fn route(&self, mut request: Request<Incoming>) -> Result<Answered, Answered> {
        let refused = |denial: Denial| refusal(&denial);
        let path = request.uri().path().to_owned();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let request = &mut request;
        Ok(match (&*path, reads) {
            ("/me", true) => json(&claims::<AnyClaims>(&self.authenticated, request).await?),
            ("/me", _) if matches!(*request.method(), Method::POST | Method::OPTIONS) => {
                json(&claims::<AnyClaims>(&self.authenticated, request).await?)
            }
            ("/public", true) => text("public"),
            ("/optional", true) => json(&self.optional::<AnyClaims>(request).await.map_err(refused)?),
            ("/nickname", true) => json(&claims::<Nicknamed>(&self.authenticated, request).await?),
            ("/optional-nickname", true) => json(&self.optional::<Nicknamed>(request).await.map_err(refused)?),
            ("/subject", true) => json(&judge(&self.authenticated, request).await?.subject()),
            ("/sent", true) => text(self.sent(request).await?),
            ("/sent-if-any", true) => text(self.sent_length(request).await.map_err(refused)?.to_string()),
            ("/read", true) => judge(&self.read, request).await.map(|_| text("read"))?,
            ("/admin", true) => judge(&self.admin, request).await.map(|_| text("admin"))?,
            ("/scoped", true) => judge(&self.scoped, request).await.map(|_| text("scoped"))?,
            ("/unjudged", true) => self.unjudged(request).await.map(|()| text("unjudged")).map_err(refused)?,
            ("/protected/page", true) => judge(&self.authenticated, request).await.map(|_| text("page"))?,
            (path, true) => match self.guard.protected_resource().filter(|metadata| metadata.path() == path) {
                Some(metadata) => respond(200, [("content-type", MEDIA_TYPE)].into_iter(), metadata.document()),
                None => empty(404),
            },
            _ => empty(405),
        })
    }
}

/// hyper leaves the body of an answer to HEAD out over HTTP/1.1 alone.
fn without_body(answer: Answered) -> Answered {
    let (mut head, body) = answer.into_parts();
    head.headers.extend(body.size_hint().exact().map(|length| (CONTENT_LENGTH, length.into())));
    Answered::from_parts(head, "".into())
}

fn start(guard: &Guard) -> SocketAddr {
    let routes = Arc::new(Routes::new(guard));
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let routes = Arc::clone(&routes);
            tokio::spawn(async move {
                let answer = service_fn(move |request: Request<Incoming>| {
                    let routes = Arc::clone(&routes);
                    async move {
                        let is_head = request.method() == Method::HEAD;
                        let answer = routes.route(request).await.unwrap_or_else(|refusal| refusal);
                        Ok::<_, Infallible>(if is_head { without_body(answer) } else { answer })
                    }
                });
                // What goes wrong with one connection is the client's affair.
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_framework_answers_the_table_as_the_three_do() {
    let table = AdapterTable::with_worlds(worlds());
    // A check of its own stands before each route: there is none without a guard.
    let report = table.run("hyper", async |world: World| world.guard().map(start)).await;
    report.assert_right();
    let axum = table.run("axum", async |world: World| world.guard().map(axum_server)).await;
    let differing = report.differences_from(&axum);
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    // All but those of the world without a guard.
    assert!(report.left_out().iter().all(|id| id.starts_with("unguarded/")), "{:?}", report.left_out());
}
