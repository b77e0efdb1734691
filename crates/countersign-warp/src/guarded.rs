use crate::ask::Seen;
use crate::{Ask, GuardedReply, GuardedRoute, Refusal};
use countersign::{Bytes, Denial};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use warp::filters::BoxedFilter;
use warp::http::Method;
use warp::http::header::CONTENT_LENGTH;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply, reject};

/// Adds [`guarded`](Self::guarded) to filters that extract up to four values. `E` is what they extract.
///
/// ```
/// use countersign::{Guard, VerifiedToken};
/// use countersign_warp::{GuardExt, Guarded};
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
/// use warp::{Filter, Reply};
///
/// /// What the head extracts comes first, then the answer, then what the rest adds. Other routes stand outside.
/// fn posts(guard: &Guard) -> BoxedFilter<(impl Reply + use<>,)> {
///     let write = warp::path!("posts" / u64).and(warp::put()).guarded(guard.protect(), |route| {
///         route.and(warp::body::bytes()).map(|id, token: VerifiedToken, text: countersign::Bytes| {
///             format!("{} bytes into {id} by {:?}", text.len(), token.subject())
///         })
///     });
///     let read = warp::path!("posts" / u64).and(warp::get()).map(|id| format!("post {id}"));
///     write.or(read).boxed()
/// }
/// ```
pub trait Guarded<E>: sealed::Sealed<E> {
    /// What the rest of the route starts from: it has what the head extracts, and then the answer.
    type Start<A: Ask>;

    /// A route: this filter as its head, then the question, then the rest.
    ///
    /// A denial is this route's answer; everything else that the head or the rest rejects falls through as always. The rest
    /// goes on from the closure's [`GuardedRoute`], and from nothing else, so that nothing can answer in the stead of a denial:
    ///
    /// ```compile_fail,E0599
    /// # use countersign::Guard;
    /// # use countersign_warp::{GuardExt, Guarded};
    /// # use warp::Filter;
    /// # fn leak(guard: &Guard) {
    /// warp::path!("posts").guarded(guard.protect(), |route| route.map(|_| "private").or(warp::any().map(|| "public")));
    /// # }
    /// ```
    ///
    /// Other routes and `recover` stand outside. What the closure's route has may be nobody only where the question says so
    /// ([`optional`](crate::GuardExt::optional)). A CORS preflight that the guard
    /// [lets pass](countersign::screening::GuardBuilder::pass_preflight) is none of this route's: it falls through to whatever
    /// answers `OPTIONS`.
    fn guarded<A, F>(self, ask: A, rest: F) -> BoxedFilter<(Response,)>
    where
        A: Ask,
        F: FnOnce(Self::Start<A>) -> GuardedReply;
}

macro_rules! guarded {
    ($(($($extract:ident),*))*) => {$(
        impl<H, $($extract),*> sealed::Sealed<($($extract,)*)> for H
        where
            H: Filter<Extract = ($($extract,)*), Error = Rejection> + Clone + Send + Sync + 'static,
        {
        }

        impl<H, $($extract),*> Guarded<($($extract,)*)> for H
        where
            H: Filter<Extract = ($($extract,)*), Error = Rejection> + Clone + Send + Sync + 'static,
            $($extract: Send + 'static,)*
        {
            type Start<A: Ask> = GuardedRoute<BoxedFilter<($($extract,)* A::Answer,)>, ()>;

            fn guarded<A, F>(self, ask: A, rest: F) -> BoxedFilter<(Response,)>
            where
                A: Ask,
                F: FnOnce(Self::Start<A>) -> GuardedReply,
            {
                let route = GuardedRoute::by_hand(self.and(asking(ask)).boxed());
                rest(route).filter
            }
        }
    )*};
}
guarded! { () (A1) (A1, A2) (A1, A2, A3) (A1, A2, A3, A4) }

mod sealed {
    pub trait Sealed<E> {}
}

/// Asks, and rejects with the denial. [`answer`] turns it into this route's answer before any other route sees it.
pub(crate) fn asking<A: Ask>(
    ask: A,
) -> impl Filter<Extract = (A::Answer,), Error = Rejection> + Clone + Send + Sync + 'static {
    seen().and_then(move |request: Seen| {
        let ask = ask.clone();
        async move {
            // There is no token to hand on, so it is for other routes.
            if ask.is_exempt(&request) {
                return Err(reject::not_found());
            }
            let method = request.method().clone();
            ask.ask(request).await.map_err(|denial| denied(denial, &method))
        }
    })
}

/// Asks, and lets nothing of `routes` be asked before that is met. `see` sees what they answer.
pub(crate) fn standing_before<F, R>(
    ask: impl Ask,
    routes: F,
    see: impl Fn(&Response) + Clone + Send + Sync + 'static,
) -> BoxedFilter<(Response,)>
where
    F: Filter<Extract = (R,), Error = Rejection> + Clone + Send + Sync + 'static,
    R: Reply + 'static,
{
    let answered = move |reply: R| {
        let response = reply.into_response();
        see(&response);
        response
    };
    asking(ask).map(drop).untuple_one().and(routes).map(answered).recover(answer).unify().boxed()
}

/// As much of the request as a verdict needs.
fn seen() -> impl Filter<Extract = (Seen,), Error = Infallible> + Clone + Send + Sync + 'static {
    warp::method().and(warp::path::full()).and(query()).and(warp::header::headers_cloned()).map(Seen::new)
}

/// The query, empty where there is none. warp allocates a rejection for a query that is not there, so it is looked for
/// first. `&` alone is no query either.
fn query() -> impl Filter<Extract = (String,), Error = Infallible> + Copy + Send + Sync + 'static {
    let none = |HasQuery(has_query)| ready(if has_query { Err(reject::not_found()) } else { Ok(String::new()) });
    warp::query::<HasQuery>().and_then(none).or(warp::query::raw()).unify().or(warp::any().map(String::new)).unify()
}

/// Whether there is anything in a query. It can be made of every query: warp would log one that it cannot read, and a token
/// may stand there.
struct HasQuery(bool);

impl<'de> Deserialize<'de> for HasQuery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = HasQuery;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut query: M) -> Result<HasQuery, M::Error> {
        Ok(HasQuery(!matches!(query.next_key::<IgnoredAny>(), Ok(None))))
    }
}

/// The rejection that stands for a denial of a request with this method, within its route.
pub(crate) fn denied(denial: Denial, method: &Method) -> Rejection {
    reject::custom(Denied { denial, is_head: method == Method::HEAD })
}

pub(crate) async fn answer(rejection: Rejection) -> Result<Response, Rejection> {
    match rejection.find::<Denied>() {
        Some(Denied { denial, is_head: false }) => Ok(Refusal(denial.clone()).into_response()),
        Some(Denied { denial, is_head: true }) => Ok(without_body(denial)),
        None => Err(rejection),
    }
}

/// hyper leaves the body of an answer to HEAD out over HTTP/1.1 alone.
fn without_body(denial: &Denial) -> Response {
    let mut response = Refusal(denial.clone()).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, denial.body().len().into());
    *response.body_mut() = Bytes::new().into();
    response
}

#[derive(Debug)]
struct Denied {
    denial: Denial,
    is_head: bool,
}

impl reject::Reject for Denied {}
