//! The axum adapter's layers around a service of tower alone: no router, no body of a framework, an error of its own.

use crate::http::world::Tokens;
use countersign::authorize::role;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet};
use countersign::request::RequestView;
use countersign::screening::Screening;
use countersign::{Guard, VerifyingKey, async_trait};
use countersign_axum::GuardExt;
use http::{Request, Response};
use std::future::{Ready, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tower::{Layer, Service, ServiceExt};

/// Answers with who asks and what was sent. Like many services it may be called when it was polled ready and not before,
/// and a clone of it has not been.
#[derive(Debug, Default)]
struct Echo {
    is_ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Echo {
    fn clone(&self) -> Self {
        Self { is_ready: false, calls: Arc::clone(&self.calls) }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Broken;

impl Service<Request<String>> for Echo {
    type Response = Response<Vec<u8>>;
    type Error = Broken;
    type Future = Ready<Result<Response<Vec<u8>>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without being ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        let screening = request.extensions().get::<Screening>().expect("planted");
        let view = RequestView::new("POST", "/", None, &[("accept", "*/*")]);
        let token = screening.require_now(&view).expect("the layer has waited").expect("the layer has let it pass");
        let who = token.subject().unwrap_or_default();
        match request.body().as_str() {
            "break" => ready(Err(Broken)),
            body => ready(Ok(Response::new(format!("{who}: {body}").into_bytes()))),
        }
    }
}

/// Keys that have to be waited for.
#[derive(Debug)]
struct Elsewhere(KeySet);
#[async_trait]
impl KeyProvider for Elsewhere {
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        tokio::task::yield_now().await;
        self.0.key(wanted).await
    }
}

fn request(token: Option<String>, body: &str) -> Request<String> {
    let request = Request::builder().method("POST").uri("/anything?at=all");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    request.body(body.to_owned()).expect("a request")
}

async fn ask(guard: &Guard, echo: &Echo, request: Request<String>) -> Result<Response<Vec<u8>>, Broken> {
    let required = guard.require(role("admin")).expect("a known role").layer(echo.clone());
    guard.layer().layer(required).oneshot(request).await
}

#[tokio::test]
async fn the_layers_guard_a_service_that_knows_no_framework() {
    let tokens = Tokens::new();
    let waiting = tokens.with_keys(Elsewhere(tokens.keys())).build().expect("a guard");
    let cases = [(Some("ADMIN"), 200), (Some("T"), 403), (Some("B"), 401), (Some("E"), 401), (None, 401)];
    for (guard, has_to_wait) in [(tokens.guard("default"), false), (waiting, true)] {
        let echo = Echo::default();
        for (name, status) in cases {
            let case = format!("{name:?}, waiting: {has_to_wait}");
            let calls = echo.calls.load(Ordering::SeqCst);
            let request = request(name.map(|name| tokens.named(name)), "hello");
            let response = ask(&guard, &echo, request).await.expect("an answer");
            assert_eq!(response.status(), status, "{case}");
            let was_called = echo.calls.load(Ordering::SeqCst) - calls;
            assert_eq!(was_called, usize::from(status == 200), "{case}");
            if status == 200 {
                assert_eq!(response.body(), b"reader: hello", "{case}: who asks, and the body as it came");
            } else {
                assert_eq!(response.headers()["cache-control"], "no-store", "{case}");
                assert_eq!(response.headers()["content-type"], "application/problem+json", "{case}");
                assert!(response.headers().contains_key("www-authenticate"), "{case}");
            }
        }
        let broken = ask(&guard, &echo, request(Some(tokens.named("ADMIN")), "break")).await;
        assert_eq!(broken.err(), Some(Broken), "the service's own error stays its own");
    }
}

#[tokio::test]
async fn a_service_is_called_again_when_it_is_ready_again() {
    let tokens = Tokens::new();
    let waiting = tokens.with_keys(Elsewhere(tokens.keys())).build().expect("a guard");
    for guard in [tokens.guard("default"), waiting] {
        let mut service = guard.protect().layer(Echo::default());
        for body in ["one", "two"] {
            poll_fn(|context| Service::<Request<String>>::poll_ready(&mut service, context)).await.expect("ready");
            let response = service.call(request(Some(tokens.named("T")), body)).await.expect("an answer");
            assert_eq!(response.into_body(), format!("reader: {body}").into_bytes());
        }
    }
}
