use crate::{Ask, Refusal};
use countersign::Denial;
use countersign::request::{HeaderSource, RequestView};
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, HeaderValue, Method};
use warp::path::FullPath;
use warp::{Filter, Rejection, Reply, reject};

/// Adds [`guarded`](Self::guarded) to filters that extract up to four values. `E` is what they extract.
pub trait Guarded<E>: sealed::Sealed<E> {
    /// The filter that the rest of the route starts from: it extracts what the head extracts, and then the answer.
    type Start<A: Ask>;

    /// A route: this filter as its head, then the question, then the rest.
    ///
    /// A denial is this route's answer; everything else that the head or the rest rejects falls through as always.
    fn guarded<A, F, R, X>(self, ask: A, rest: F) -> BoxedFilter<(warp::reply::Response,)>
    where
        A: Ask,
        F: FnOnce(Self::Start<A>) -> R,
        R: Filter<Extract = (X,), Error = Rejection> + Clone + Send + Sync + 'static,
        X: Reply + Send + 'static;
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
            type Start<A: Ask> = BoxedFilter<($($extract,)* A::Answer,)>;

            fn guarded<A, F, R, X>(self, ask: A, rest: F) -> BoxedFilter<(warp::reply::Response,)>
            where
                A: Ask,
                F: FnOnce(Self::Start<A>) -> R,
                R: Filter<Extract = (X,), Error = Rejection> + Clone + Send + Sync + 'static,
                X: Reply + Send + 'static,
            {
                rest(self.and(asking(ask)).boxed()).map(X::into_response).recover(answer).unify().boxed()
            }
        }
    )*};
}
guarded! { () (A1) (A1, A2) (A1, A2, A3) (A1, A2, A3, A4) }

mod sealed {
    pub trait Sealed<E> {}
}

/// Asks, and rejects with the denial. [`answer`] turns it into this route's answer before any other route sees it.
pub(crate) fn asking<A: Ask>(ask: A) -> BoxedFilter<(A::Answer,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and_then(move |method: Method, path: FullPath, query: String, headers: HeaderMap| {
            let ask = ask.clone();
            async move {
                let query = (!query.is_empty()).then_some(query.as_str());
                let headers = Headers(headers);
                let request = RequestView::new(method.as_str(), path.as_str(), query, &headers);
                ask.ask(&request).await.map_err(|denial| reject::custom(Denied(denial)))
            }
        })
        .boxed()
}

pub(crate) async fn answer(rejection: Rejection) -> Result<warp::reply::Response, Rejection> {
    match rejection.find::<Denied>() {
        Some(Denied(denial)) => Ok(Refusal(denial.clone()).into_response()),
        None => Err(rejection),
    }
}

#[derive(Debug)]
pub(crate) struct Denied(pub(crate) Denial);

impl reject::Reject for Denied {}

struct Headers(HeaderMap);

impl HeaderSource for Headers {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}
