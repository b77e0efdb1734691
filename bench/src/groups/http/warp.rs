//! A filter of warp, as a service.

use super::{BARE, CACHED, EACH, REQUEST, User, call, guard, runtime};
use crate::Case;
use countersign_warp::{Claims, GuardExt, Guarded};
use std::convert::Infallible;
use std::net::TcpListener;
use tower::Service;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Reply};

pub(super) const NAME: &str = "a request to warp";

fn calling(filter: BoxedFilter<(impl Reply + 'static,)>) -> impl FnMut() -> u16 {
    let runtime = runtime();
    let mut service = warp::service(filter);
    move || {
        let answer = service.call(REQUEST.clone().map(|()| String::new()));
        call(&runtime, async {
            let response: Result<Response, Infallible> = answer.await;
            response.expect("infallible").status().as_u16()
        })
    }
}

fn guarded(is_cached: bool) -> BoxedFilter<(Response,)> {
    let claims = guard(is_cached).protect().claims();
    warp::path!("me").and(warp::get()).guarded(claims, |route| route.map(|Claims(me): Claims<User>| me.sub))
}

pub(super) fn case() -> Case {
    let bare = warp::path!("me").and(warp::get()).map(|| "7");
    Case::new(NAME)
        .with(CACHED, calling(guarded(true)))
        .with(EACH, calling(guarded(false)))
        .with(BARE, calling(bare.boxed()))
}

pub(super) fn serve(listener: TcpListener) {
    // Whichever of two routes comes second is asked after the first has rejected: that is warp's price, and the guarded one's.
    let open = warp::path!("open").and(warp::get()).map(|| "7").boxed();
    runtime().block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        warp::serve(open.or(guarded(true))).incoming(listener).run().await;
    });
}
