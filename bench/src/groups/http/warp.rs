//! A filter of warp, as a service.

use super::{BARE, CACHED, EACH, FIELD, User, call, guard, runtime};
use crate::Case;
use countersign_warp::{Claims, GuardExt, Guarded};
use http::Request;
use std::convert::Infallible;
use tower::Service;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Reply};

pub(super) const NAME: &str = "a request to warp";

fn calling(filter: BoxedFilter<(impl Reply + 'static,)>) -> impl FnMut() -> u16 {
    let runtime = runtime();
    let mut service = warp::service(filter);
    move || {
        let request = Request::get("/me").header("authorization", FIELD.as_str());
        let request = request.header("accept", "*/*").header("user-agent", "bench").body(String::new());
        let answer = service.call(request.expect("a request"));
        call(&runtime, async {
            let response: Result<Response, Infallible> = answer.await;
            response.expect("infallible").status().as_u16()
        })
    }
}

pub(super) fn case() -> Case {
    let head = || warp::path!("me").and(warp::get());
    let guarded = |is_cached| {
        let route = head().guarded(guard(is_cached).protect().claims(), |route| {
            route.map(|Claims(me): Claims<User>| me.sub)
        });
        calling(route)
    };
    Case::new(NAME)
        .with(CACHED, guarded(true))
        .with(EACH, guarded(false))
        .with(BARE, calling(head().map(|| "7").boxed()))
}
