use super::Tenure;
use crate::reason::End;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A connection that is lent to an application for a [`Tenure`], and taken back at its end: what the sockets of adapters are
/// made of. Made by [`Tenure::attend`].
///
/// Its owner may receive in one task and send in another. To drop it is to leave: the connection is dropped with it.
///
/// ```
/// use countersign::screening::Lease;
/// use std::task::Poll;
///
/// /// A connection of some framework.
/// struct Socket(Vec<String>);
///
/// /// The next message; `None` once the tenure is over, or the peer has gone.
/// async fn next(lease: &Lease<Socket>) -> Option<String> {
///     std::future::poll_fn(|context| lease.poll_receive(context, |socket, _| Poll::Ready(socket.0.pop()))).await?
/// }
/// ```
pub struct Lease<T> {
    tenure: Tenure,
    shared: Arc<Shared<T>>,
}

struct Shared<T>(Mutex<Held<T>>);

struct Held<T> {
    /// `None` once taken back, or left.
    thing: Option<T>,
    is_left: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    attendant: Option<Waker>,
}

impl<T> Shared<T> {
    fn held(&self) -> MutexGuard<'_, Held<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the thing back, and tells its users.
    fn take(&self) -> Option<T> {
        let (thing, wakers) = {
            let mut held = self.held();
            (held.thing.take(), [held.receiver.take(), held.sender.take()])
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        thing
    }

    fn poll_left(&self, context: &Context<'_>) -> Poll<()> {
        let mut held = self.held();
        if held.is_left {
            return Poll::Ready(());
        }
        remember(&mut held.attendant, context);
        Poll::Pending
    }
}

fn remember(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
}

impl<T> Lease<T> {
    /// The tenure.
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Polls the connection for what comes in; ready with `None` once it has been taken back.
    pub fn poll_receive<R>(
        &self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Option<R>> {
        let mut held = self.shared.held();
        remember(&mut held.receiver, context);
        match &mut held.thing {
            Some(thing) => poll(thing, context).map(Some),
            None => Poll::Ready(None),
        }
    }

    /// Polls the connection for what goes out; ready with `None` once it has been taken back.
    pub fn poll_send<R>(
        &self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Option<R>> {
        let mut held = self.shared.held();
        remember(&mut held.sender, context);
        match &mut held.thing {
            Some(thing) => poll(thing, context).map(Some),
            None => Poll::Ready(None),
        }
    }

    /// Uses the connection without waiting; `None` once it has been taken back.
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.shared.held().thing.as_mut().map(use_it)
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        let (thing, attendant) = {
            let mut held = self.shared.held();
            held.is_left = true;
            (held.thing.take(), held.attendant.take())
        };
        drop(thing);
        if let Some(attendant) = attendant {
            attendant.wake();
        }
    }
}

impl<T> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("tenure", &self.tenure).finish_non_exhaustive()
    }
}

impl Tenure {
    /// Lends a connection to an application, and closes it at the end of this tenure, whatever the application is at: waiting
    /// for a message, sending to a peer that does not read, or neither.
    ///
    /// `close` says why and goodbye, and has [`close_within`](Tenure::close_within) for it; then the connection is dropped. The
    /// application is not cut off: it finds the connection gone when it next asks, and runs to its own end. Done when the
    /// application is done and has [left](Lease).
    pub async fn attend<T, A, D, S, F>(
        &self,
        connection: T,
        sleep: S,
        application: impl FnOnce(Lease<T>) -> A,
        close: impl FnOnce(T, End) -> D,
    ) where
        A: Future<Output = ()>,
        D: Future,
        S: Fn(Duration) -> F,
        F: Future,
    {
        let held = Held { thing: Some(connection), is_left: false, receiver: None, sender: None, attendant: None };
        let shared = Arc::new(Shared(Mutex::new(held)));
        let application = application(Lease { tenure: self.clone(), shared: shared.clone() });
        let attendance = async {
            let Some(end) = self.end_or_left(&shared, &sleep).await else { return };
            if let Some(connection) = shared.take() {
                let patience = sleep(self.state().close_within);
                either(close(connection, end), patience).await;
            }
        };
        both(application, attendance).await;
    }

    /// The end; `None` where the application has left before.
    async fn end_or_left<T, S, F>(&self, shared: &Shared<T>, sleep: &S) -> Option<End>
    where
        S: Fn(Duration) -> F,
        F: Future,
    {
        let mut end = pin!(self.end(sleep));
        poll_fn(|context| match shared.poll_left(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => end.as_mut().poll(context).map(Some),
        })
        .await
    }
}

/// Until it is done, or the patience is at its end. That is looked at first, as in [`both`].
async fn either(one: impl Future, patience: impl Future) {
    let (mut one, mut patience) = (pin!(one), pin!(patience));
    poll_fn(|context| match patience.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => one.as_mut().poll(context).map(drop),
    })
    .await;
}

/// Until both of them are done. The attendance is looked at first: a runtime may give each turn of a task so much and no
/// more, and an application whose peer keeps it busy would leave nothing for the timers.
async fn both(application: impl Future<Output = ()>, attendance: impl Future<Output = ()>) {
    let (mut application, mut attendance) = (pin!(application), pin!(attendance));
    let (mut is_application_done, mut is_attendance_done) = (false, false);
    poll_fn(|context| {
        is_attendance_done = is_attendance_done || attendance.as_mut().poll(context).is_ready();
        if !is_application_done && application.as_mut().poll(context).is_ready() {
            is_application_done = true;
            // It may have left just now.
            is_attendance_done = is_attendance_done || attendance.as_mut().poll(context).is_ready();
        }
        if is_application_done && is_attendance_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
