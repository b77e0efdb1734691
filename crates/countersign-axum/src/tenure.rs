mod limited;
mod socket;

pub use limited::Limited;
pub use socket::Socket;

use crate::extract::screening;
use crate::{Refusal, with_view};
use axum::extract::ws::{OnFailedUpgrade, WebSocketUpgrade};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::Response;
use countersign::extract::Subprotocols;
use countersign::screening;
use futures_core::Stream;
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::request::Parts;
use std::future::Future;
use std::ops::Deref;
use std::time::Duration;

/// How long whoever asks may stay: for handlers that open a WebSocket or a stream. Needs the feature `ws`.
///
/// Refuses requests without a valid token, and with one that is within its leeway, before anything is opened:
/// [`Tenure`](screening::Tenure) says what ends it. `Option<Tenure>` takes requests without credentials as `None`. Name it
/// before `WebSocketUpgrade`, so that a stranger is told of the want of credentials first.
///
/// What was required before it is asked again while the connection lasts: by the layer of the route, and by a
/// [`Require`](crate::Require) that is named before it.
///
/// ```
/// use axum::Router;
/// use axum::extract::ws::{Message, WebSocketUpgrade};
/// use axum::response::Response;
/// use axum::routing::get;
/// use countersign_axum::{Socket, Tenure};
///
/// async fn echo(tenure: Tenure, upgrade: WebSocketUpgrade) -> Response {
///     tenure.on_upgrade(upgrade, async |mut socket: Socket| {
///         while let Some(Ok(message)) = socket.recv().await {
///             if let Message::Text(text) = message {
///                 let answer = match text.strip_prefix("token ") {
///                     Some(token) if socket.tenure().renew(token).await.is_ok() => "renewed".into(),
///                     Some(_) => "not renewed".into(),
///                     None => text,
///                 };
///                 if socket.send(Message::Text(answer)).await.is_err() {
///                     break;
///                 }
///             }
///         }
///     })
/// }
///
/// let app: Router = Router::new().route("/echo", get(echo));
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
    /// Where the framework has been told of protocols too, what is selected here is answered in the stead of its choice.
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
    pub fn on_upgrade<F, C, A>(self, upgrade: WebSocketUpgrade<F>, handler: C) -> Response
    where
        F: OnFailedUpgrade,
        C: FnOnce(Socket) -> A + Send + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        // What was offered is kept by no clone while the connection is open.
        let Self(tenure, protocols) = self;
        let selected = protocols.selected().and_then(|protocol| HeaderValue::from_str(protocol).ok());
        protocols.forget();
        let mut response = upgrade.on_upgrade(async move |socket| {
            let handler = |lease| handler(Socket::new(lease));
            tenure.attend(socket, tokio::time::sleep, handler, socket::close).await;
        });
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

impl<S: Sync> FromRequestParts<S> for Tenure {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        with_view!(parts, view => {
            let tenure = screening.tenure(&view).await.map_err(Refusal)?;
            Ok(Self(tenure, Subprotocols::offered(&view)))
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Tenure {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        with_view!(parts, view => {
            let tenure = screening.tenure_optional(&view).await.map_err(Refusal)?;
            Ok(tenure.map(|tenure| Self(tenure, Subprotocols::offered(&view))))
        })
    }
}
