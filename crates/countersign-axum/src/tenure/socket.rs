use axum::Error;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use countersign::reason::End;
use countersign::screening::{Lease, Tenure};
use futures_core::Stream;
use futures_sink::Sink;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A WebSocket that lasts as long as its [`Tenure`]. Made by [`Tenure::on_upgrade`](crate::Tenure::on_upgrade).
///
/// A `Stream` and a `Sink` of messages, so that it can be split. To drop it is to close the connection.
///
/// ```
/// use axum::extract::ws::{Message, WebSocketUpgrade};
/// use axum::response::Response;
/// use countersign_axum::{Socket, Tenure};
///
/// async fn echo(tenure: Tenure, upgrade: WebSocketUpgrade) -> Response {
///     tenure.on_upgrade(upgrade, async |mut socket: Socket| {
///         // `None` once the client has gone, or may stay no longer.
///         while let Some(Ok(Message::Text(text))) = socket.recv().await {
///             if socket.send(Message::Text(text)).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
/// # let _: axum::Router = axum::Router::new().route("/echo", axum::routing::get(echo));
/// ```
#[derive(Debug)]
pub struct Socket(Lease<WebSocket>);

/// What sending says after the end.
fn ended() -> Error {
    Error::new("the tenure of this connection has ended")
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
    /// [`Error`] when the connection is closed, or its tenure has [ended](Tenure::ended).
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
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
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let answer = self.0.poll_send(context, |socket, context| Pin::new(socket).poll_ready(context));
        Poll::Ready(ready!(answer).unwrap_or_else(|| Err(ended())))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.0.with(|socket| Pin::new(socket).start_send(message)).unwrap_or_else(|| Err(ended()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let answer = self.0.poll_send(context, |socket, context| Pin::new(socket).poll_flush(context));
        Poll::Ready(ready!(answer).unwrap_or_else(|| Err(ended())))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let answer = self.0.poll_send(context, |socket, context| Pin::new(socket).poll_close(context));
        Poll::Ready(ready!(answer).unwrap_or(Ok(())))
    }
}

/// Says why, and waits for the peer's Close frame: a connection that is dropped before what has come is read may lose what
/// was sent.
pub(super) async fn close(mut socket: WebSocket, end: End) {
    let frame = CloseFrame { code: end.close_code(), reason: Utf8Bytes::from_static(end.text()) };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
