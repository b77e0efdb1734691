use countersign::reason::End;
use countersign::screening::Tenure;
use futures_core::Stream;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

/// A stream that ends with a tenure. Made by [`Tenure::limit`](crate::Tenure::limit).
///
/// Nothing more is taken from it after the end. What was taken before may still be on its way to a peer that reads slowly.
pub struct Limited<S> {
    stream: Pin<Box<S>>,
    /// `None` once it has come. Never locked: the mutex makes the stream `Sync`, which some want of one.
    end: Option<Mutex<Pin<Box<dyn Future<Output = End> + Send>>>>,
}

impl<S> Limited<S> {
    pub(super) fn new(tenure: Tenure, stream: S) -> Self {
        let end: Pin<Box<dyn Future<Output = End> + Send>> =
            Box::pin(async move { tenure.end(tokio::time::sleep).await });
        Self { stream: Box::pin(stream), end: Some(Mutex::new(end)) }
    }
}

impl<S> fmt::Debug for Limited<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("is_over", &self.end.is_none()).finish_non_exhaustive()
    }
}

impl<S: Stream> Stream for Limited<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let end = end.get_mut().unwrap_or_else(PoisonError::into_inner);
        let item = match end.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => self.stream.as_mut().poll_next(context),
        };
        if let Poll::Ready(None) = item {
            self.end = None;
        }
        item
    }
}
