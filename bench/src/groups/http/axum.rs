//! A router of axum, which the adapters of others serve as well.

use super::{BARE, CACHED, EACH, FIELD, User, call, guard, runtime};
use crate::Case;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use countersign_axum::{Claims, GuardExt};
use http::{Request, header};
use tower::ServiceExt;

pub(super) const NAME: &str = "a request to axum";

pub(super) fn request() -> Request<Body> {
    let request = Request::get("/me").header(header::AUTHORIZATION, FIELD.as_str());
    request.header("accept", "*/*").header("user-agent", "bench").body(Body::empty()).expect("a request")
}

/// How often a router is called.
pub(super) fn calling(router: Router) -> impl FnMut() -> u16 {
    let runtime = runtime();
    move || {
        let router = router.clone();
        call(&runtime, async { router.oneshot(request()).await.expect("infallible").status().as_u16() })
    }
}

pub(super) fn case() -> Case {
    let guarded = |is_cached| {
        Router::new().route("/me", get(async |Claims(me): Claims<User>| me.sub)).layer(guard(is_cached).layer())
    };
    let bare = Router::new().route("/me", get(async || "7"));
    Case::new(NAME)
        .with(CACHED, calling(guarded(true)))
        .with(EACH, calling(guarded(false)))
        .with(BARE, calling(bare))
}
