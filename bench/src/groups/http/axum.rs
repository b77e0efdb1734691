//! A router of axum, which the adapters of others serve as well.

use super::{BARE, CACHED, EACH, GUARDED, OPEN, REQUEST, User, call, guard, runtime};
use crate::Case;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use countersign_axum::{Claims, GuardExt};
use http::Request;
use std::net::TcpListener;
use tower::ServiceExt;
use tower::layer::layer_fn;
use tower::util::MapRequest;

pub(super) const NAME: &str = "a request to axum";
pub(super) const IDLE: &str = "no guard, an idle layer";

pub(super) fn request() -> Request<Body> {
    REQUEST.clone().map(|()| Body::empty())
}

/// What axum takes for any layer that leaves something with the request: it boxes the layer, its future and the thing.
fn idle<S>(service: S) -> MapRequest<S, impl Fn(Request<Body>) -> Request<Body> + Clone> {
    MapRequest::new(service, |mut request: Request<Body>| {
        request.extensions_mut().insert(7_u8);
        request
    })
}

/// How often a router is called.
pub(super) fn calling(router: Router) -> impl FnMut() -> u16 {
    let runtime = runtime();
    // As `axum::serve` does, once for each connection.
    let router: Router = router.with_state(());
    move || {
        let router = router.clone();
        call(&runtime, async { router.oneshot(request()).await.expect("infallible").status().as_u16() })
    }
}

fn guarded(is_cached: bool) -> Router {
    Router::new().route(GUARDED, get(async |Claims(me): Claims<User>| me.sub)).layer(guard(is_cached).layer())
}

fn bare(path: &str) -> Router {
    Router::new().route(path, get(async || "7"))
}

pub(super) fn case() -> Case {
    Case::new(NAME)
        .with(CACHED, calling(guarded(true)))
        .with(EACH, calling(guarded(false)))
        .with(BARE, calling(bare(GUARDED)))
        .with(IDLE, calling(bare(GUARDED).layer(layer_fn(idle))))
}

pub(super) fn serve(listener: TcpListener) {
    runtime().block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        axum::serve(listener, guarded(true).merge(bare(OPEN))).await.expect("a server");
    });
}
