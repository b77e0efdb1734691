mod limited;
mod socket;

pub use limited::Limited;
pub use socket::{Closed, Socket};

use countersign::extract::Subprotocols;
use countersign::screening::{self, Check};
use futures_core::Stream;
use std::future::Future;
use std::ops::Deref;
use std::time::Duration;
use warp::Reply;
use warp::http::HeaderValue;
use warp::http::header::SEC_WEBSOCKET_PROTOCOL;
use warp::reply::Response;
use warp::ws::Ws;

/// How long whoever asks may stay: for routes that open a WebSocket or a stream. Needs the feature `ws`.
///
/// Made by [`Required::tenure`](crate::Required::tenure), which refuses requests without a valid token, and with one that is
/// within its leeway, before anything is opened. [`Tenure`](screening::Tenure) says what ends it.
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{GuardExt, Guarded, Socket, Tenure};
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
/// use warp::ws::{Message, Ws};
/// use warp::Filter;
///
/// fn echo(guard: &Guard) -> BoxedFilter<(Response,)> {
///     warp::path!("echo").and(warp::get()).guarded(guard.protect().tenure(), |route| {
///         route.and(warp::ws()).map(|tenure: Tenure, ws: Ws| {
///             tenure.on_upgrade(ws, async |mut socket: Socket| {
///                 while let Some(Ok(message)) = socket.recv().await {
///                     let Ok(text) = message.to_str() else { continue };
///                     let answer = match text.strip_prefix("token ") {
///                         Some(token) if socket.tenure().renew(token).await.is_ok() => Message::text("renewed"),
///                         Some(_) => Message::text("not renewed"),
///                         None => message,
///                     };
///                     if socket.send(answer).await.is_err() {
///                         break;
///                     }
///                 }
///             })
///         })
///     })
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Tenure(pub screening::Tenure, pub(crate) Subprotocols);

impl Deref for Tenure {
    type Target = screening::Tenure;

    fn deref(&self) -> &screening::Tenure {
        &self.0
    }
}

impl Tenure {
    /// As [`Tenure::recheck_every`](screening::Tenure::recheck_every).
    #[must_use]
    pub fn recheck_every(self, interval: Duration) -> Self {
        Self(self.0.recheck_every(interval), self.1)
    }

    /// As [`Tenure::stale_for`](screening::Tenure::stale_for).
    #[must_use]
    pub fn stale_for(self, time: Duration) -> Self {
        Self(self.0.stale_for(time), self.1)
    }

    /// As [`Tenure::close_within`](screening::Tenure::close_within).
    #[must_use]
    pub fn close_within(self, time: Duration) -> Self {
        Self(self.0.close_within(time), self.1)
    }

    /// What the application speaks over the connection, best first: the answer selects the first of these that the client offers
    /// in `Sec-WebSocket-Protocol`, and else none. Browsers close a connection whose server selects none of what they offered, as
    /// they do where a [token](countersign::extract::SubprotocolExtractor) is among that: a page offers a protocol beside it.
    #[must_use]
    pub fn protocols<P: AsRef<str>>(self, spoken: impl IntoIterator<Item = P>) -> Self {
        Self(self.0, self.1.select(spoken))
    }

    /// Which of the [protocols](Self::protocols) has been selected.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.1.selected()
    }

    /// Opens the WebSocket, and closes it at the end of the tenure with 4401, 4403 or 4503, whatever the handler is at. Then the
    /// handler receives no more, cannot send, and runs to its own end.
    ///
    /// Both run in one task. A handler that blocks its thread, or computes for long without awaiting, holds up the end too: the
    /// connection stays open for as long.
    #[must_use = "the response must be returned"]
    pub fn on_upgrade<C, A>(self, ws: Ws, handler: C) -> Response
    where
        C: FnOnce(Socket) -> A + Send + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        // What was offered is kept by no clone while the connection is open.
        let Self(tenure, protocols) = self;
        let selected = protocols.selected().and_then(|protocol| HeaderValue::from_str(protocol).ok());
        protocols.forget();
        let opened = OpenedBy(tenure.clone());
        let attend = async move |socket| {
            let handler = |lease| handler(Socket::new(lease));
            tenure.attend(socket, tokio::time::sleep, handler, socket::close).await;
        };
        let mut response = ws.on_upgrade(attend).into_response();
        response.extensions_mut().insert(opened);
        if let Some(protocol) = selected {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }

    /// The same stream, which ends with the tenure: for server-sent events and downloads. Keep a clone to learn why it
    /// [ended](screening::Tenure::ended).
    pub fn limit<S: Stream>(self, stream: S) -> Limited<S> {
        let Self(tenure, protocols) = self;
        protocols.forget();
        Limited::new(tenure, stream)
    }
}

/// What a route that has opened a WebSocket tells those that stand around it: filters hand nothing inwards that they have not
/// extracted.
#[derive(Clone)]
struct OpenedBy(screening::Tenure);

/// Holds a connection that this response opens to what was asked before its route was.
pub(crate) fn hold_to(check: &Check, response: &Response) {
    if let Some(OpenedBy(tenure)) = response.extensions().get() {
        tenure.hold_to(check);
    }
}
