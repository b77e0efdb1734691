use countersign::reason::End;
use countersign::screening::{Lease, Tenure};
use futures_core::Stream;
use futures_sink::Sink;
use std::error;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use warp::Error;
use warp::ws::{Message, WebSocket};

/// A WebSocket that lasts as long as its [`Tenure`]. Made by [`Tenure::on_upgrade`](crate::Tenure::on_upgrade).
///
/// A `Stream` and a `Sink` of messages, so that it can be split. To drop it is to close the connection.
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{GuardExt, Guarded, Socket, Tenure};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
/// use warp::ws::Ws;
///
/// fn echo(guard: &Guard) -> BoxedFilter<(Response,)> {
///     warp::path!("echo").and(warp::get()).guarded(guard.protect().tenure(), |route| {
///         route.and(warp::ws()).map(|tenure: Tenure, ws: Ws| {
///             tenure.on_upgrade(ws, async |mut socket: Socket| {
///                 // `None` once the client has gone, or may stay no longer.
///                 while let Some(Ok(message)) = socket.recv().await {
///                     if socket.send(message).await.is_err() {
///                         break;
///                     }
///                 }
///             })
///         })
///     })
/// }
/// ```
#[derive(Debug)]
pub struct Socket(Lease<WebSocket>);

/// A message cannot be sent: the connection is closed, or its tenure has [ended](Tenure::ended).
///
/// ```
/// use countersign_warp::{Closed, Socket};
/// use std::error::Error;
/// use warp::ws::Message;
///
/// /// Sends the news, and says why they did not arrive: nothing but the end of the tenure has no cause.
/// async fn tell(socket: &mut Socket, news: &str) -> Result<(), Closed> {
///     let sent = socket.send(Message::text(news)).await;
///     if let Err(closed) = &sent {
///         eprintln!("{closed}, by {:?}", closed.source());
///     }
///     sent
/// }
/// ```
#[derive(Debug)]
pub struct Closed(Option<Error>);

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed")
    }
}

impl error::Error for Closed {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.as_ref().map(|error| error as &(dyn error::Error + 'static))
    }
}

/// What the socket says, or that it is gone.
fn sent(answer: Option<Result<(), Error>>) -> Result<(), Closed> {
    answer.ok_or(Closed(None))?.map_err(|error| Closed(Some(error)))
}

impl Socket {
    pub(super) fn new(lease: Lease<WebSocket>) -> Self {
        Self(lease)
    }

    /// How long it lasts: to be renewed, and to be cloned to where it can be [woken](Tenure::wake).
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        self.0.tenure()
    }

    /// The next message; `None` when the connection is closed, or its tenure has [ended](Tenure::ended).
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`Closed`] when the connection is closed, or its tenure has [ended](Tenure::ended).
    pub async fn send(&mut self, message: Message) -> Result<(), Closed> {
        poll_fn(|context| Pin::new(&mut *self).poll_ready(context)).await?;
        Pin::new(&mut *self).start_send(message)?;
        poll_fn(|context| Pin::new(&mut *self).poll_flush(context)).await
    }
}

impl Stream for Socket {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_receive(context, |socket, context| Pin::new(socket).poll_next(context)).map(Option::flatten)
    }
}

impl Sink<Message> for Socket {
    type Error = Closed;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let answer = self.0.poll_send(context, |socket, context| Pin::new(socket).poll_ready(context));
        Poll::Ready(sent(ready!(answer)))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Closed> {
        sent(self.0.with(|socket| Pin::new(socket).start_send(message)))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let answer = self.0.poll_send(context, |socket, context| Pin::new(socket).poll_flush(context));
        Poll::Ready(sent(ready!(answer)))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let answer = self.0.poll_send(context, |socket, context| Pin::new(socket).poll_close(context));
        Poll::Ready(sent(ready!(answer).or(Some(Ok(())))))
    }
}

/// Says why, and waits for the peer's Close frame: a connection that is dropped before what has come is read may lose what
/// was sent.
pub(super) async fn close(mut socket: WebSocket, end: End) {
    let mut socket = Pin::new(&mut socket);
    let frame = Message::close_with(end.close_code(), end.text());
    if poll_fn(|context| socket.as_mut().poll_ready(context)).await.is_err()
        || socket.as_mut().start_send(frame).is_err()
    {
        return;
    }
    if poll_fn(|context| socket.as_mut().poll_flush(context)).await.is_ok() {
        while let Some(Ok(_)) = poll_fn(|context| socket.as_mut().poll_next(context)).await {}
    }
}
