use countersign::screening::{Limit, Tenure};
use futures_core::Stream;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A stream that ends with a tenure, as [`Limit`] says. Made by [`Tenure::limit`](crate::Tenure::limit).
///
/// ```
/// use countersign_warp::Tenure;
/// use futures_core::Stream;
/// use warp::Reply;
/// use warp::hyper::body::Bytes;
/// use warp::reply;
///
/// /// A long download: it ends when the token does.
/// fn download<S>(tenure: Tenure, parts: S) -> impl Reply
/// where
///     S: Stream<Item = Result<Bytes, std::io::Error>> + Send + Sync + 'static,
/// {
///     reply::stream(tenure.limit(parts))
/// }
/// ```
pub struct Limited<S> {
    stream: Pin<Box<S>>,
    limit: Limit,
}

impl<S> Limited<S> {
    pub(super) fn new(tenure: Tenure, stream: S) -> Self {
        Self { stream: Box::pin(stream), limit: Limit::new(tenure, tokio::time::sleep) }
    }
}

impl<S> fmt::Debug for Limited<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limited").field(&self.limit).finish()
    }
}

impl<S: Stream> Stream for Limited<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Self { stream, limit } = &mut *self;
        limit.poll_next(context, |context| stream.as_mut().poll_next(context))
    }
}
