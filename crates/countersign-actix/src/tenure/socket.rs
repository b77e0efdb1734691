use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream, ProtocolError, Session};
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
/// use countersign_actix::Socket;
///
/// /// `None` once the client has gone, or may stay no longer.
/// async fn wait_for_the_end(mut socket: Socket) {
///     while socket.recv().await.is_some() {}
/// }
/// ```
#[derive(Debug)]
pub struct Socket(Lease<Connection>);

/// Both directions.
pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) messages: MessageStream,
}

impl Connection {
    /// Says why, and waits for the peer's Close frame or for the server to be done with the connection.
    pub(super) async fn close(mut self, end: End) {
        let reason = CloseReason { code: CloseCode::from(end.close_code()), description: Some(end.text().to_owned()) };
        if self.session.close(Some(reason)).await.is_ok() {
            while let Some(Ok(_)) = self.messages.recv().await {}
        }
    }
}

impl Socket {
    pub(super) fn new(lease: Lease<Connection>) -> Self {
        Self(lease)
    }

    /// How long it lasts: to be renewed, and to be cloned to where it can be [woken](Tenure::wake).
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        self.0.tenure()
    }

    /// The next message; `None` when the connection is closed, or its tenure has [ended](Tenure::ended).
    pub async fn recv(&mut self) -> Option<Result<Message, ProtocolError>> {
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
    type Item = Result<Message, ProtocolError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let messages = |connection: &mut Connection, context: &mut Context<'_>| {
            Pin::new(&mut connection.messages).poll_next(context)
        };
        self.0.poll_receive(context, messages).map(Option::flatten)
    }
}

impl Sink<Message> for Socket {
    type Error = Closed;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let answer = self.0.poll_send(context, |own, context| Pin::new(&mut own.session).poll_ready(context));
        Poll::Ready(ready!(answer).unwrap_or(Err(Closed)))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Closed> {
        self.0.with(|own| Pin::new(&mut own.session).start_send(message)).unwrap_or(Err(Closed))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let answer = self.0.poll_send(context, |own, context| Pin::new(&mut own.session).poll_flush(context));
        Poll::Ready(ready!(answer).unwrap_or(Err(Closed)))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let answer = self.0.poll_send(context, |own, context| Pin::new(&mut own.session).poll_close(context));
        Poll::Ready(ready!(answer).unwrap_or(Ok(())))
    }
}
