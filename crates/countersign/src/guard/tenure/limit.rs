use super::Tenure;
use crate::reason::End;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Ends a stream with a [`Tenure`]: what the limited streams of adapters are made of.
///
/// Nothing more is taken from the stream after the end. What was taken before may still be on its way to a peer that reads
/// slowly.
///
/// ```
/// use countersign::screening::Limit;
/// use std::pin::Pin;
/// use std::task::{Context, Poll};
///
/// /// A stream of some framework's, which ends with the tenure.
/// struct Events {
///     limit: Limit,
///     waiting: Vec<String>,
/// }
///
/// impl Events {
///     fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
///         let Self { limit, waiting } = self.get_mut();
///         limit.poll_next(context, |_| Poll::Ready(waiting.pop()))
///     }
/// }
/// ```
pub struct Limit {
    /// `None` once the stream is over. Never locked: the mutex makes it `Sync`, which some want of a stream.
    end: Option<Mutex<Pin<Box<dyn Future<Output = End> + Send>>>>,
}

impl Limit {
    /// The limit that this tenure is. `sleep` is the timer of the runtime, as in [`Tenure::end`].
    #[must_use]
    pub fn new<S, F>(tenure: Tenure, sleep: S) -> Self
    where
        S: Fn(Duration) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        Self { end: Some(Mutex::new(Box::pin(async move { tenure.end(sleep).await }))) }
    }

    /// The next item of a stream, which `next` polls; `None` where there is no more, or the tenure has ended.
    pub fn poll_next<T>(
        &mut self,
        context: &mut Context<'_>,
        next: impl FnOnce(&mut Context<'_>) -> Poll<Option<T>>,
    ) -> Poll<Option<T>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let end = end.get_mut().unwrap_or_else(PoisonError::into_inner);
        let item = match end.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => next(context),
        };
        if let Poll::Ready(None) = item {
            self.end = None;
        }
        item
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").field("is_over", &self.end.is_none()).finish_non_exhaustive()
    }
}
