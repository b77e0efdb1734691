mod limited;
mod socket;

pub use limited::Limited;
pub use socket::Socket;

use crate::Refusal;
use crate::extract::{Extracting, Question, extract};
use actix_web::dev::Payload;
use actix_web::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{FromRequest, HttpRequest, HttpResponse, rt};
use actix_ws::{MessageStream, Session};
use countersign::Denial;
use countersign::extract::Subprotocols;
use countersign::request::RequestView;
use countersign::screening::{self, Screening};
use futures_core::Stream;
use socket::Connection;
use std::future::Future;
use std::ops::Deref;
use std::time::Duration;

/// How long whoever asks may stay: for handlers that open a WebSocket or a stream. Needs the feature `ws`.
///
/// Refuses requests without a valid token, and with one that is within its leeway, before anything is opened:
/// [`Tenure`](screening::Tenure) says what ends it. `Option<Tenure>` takes requests without credentials as `None`, and refuses
/// the rest as before.
///
/// What was required before it is asked again while the connection lasts: by the layer of the route, and by a
/// [`Require`](crate::Require) that is named before it.
///
/// ```
/// use actix_web::web::{self, Payload};
/// use actix_web::{App, Error, HttpRequest, HttpResponse};
/// use actix_ws::Message;
/// use countersign_actix::{Socket, Tenure};
///
/// async fn echo(tenure: Tenure, request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
///     let opened = actix_ws::handle(&request, body)?;
///     Ok(tenure.on_upgrade(opened, async |mut socket: Socket| {
///         while let Some(Ok(message)) = socket.recv().await {
///             let answer = match message {
///                 Message::Text(text) => match text.strip_prefix("token ") {
///                     Some(token) if socket.tenure().renew(token).await.is_ok() => Message::Text("renewed".into()),
///                     Some(_) => Message::Text("not renewed".into()),
///                     None => Message::Text(text),
///                 },
///                 Message::Ping(payload) => Message::Pong(payload),
///                 Message::Close(_) => break,
///                 _ => continue,
///             };
///             if socket.send(answer).await.is_err() {
///                 break;
///             }
///         }
///     }))
/// }
///
/// let app = App::new().route("/echo", web::get().to(echo));
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

    /// Serves the WebSocket that `actix_ws::handle` has opened, and closes it at the end of the tenure with 4401, 4403 or 4503,
    /// whatever the handler is at. Then the handler receives no more, cannot send, and runs to its own end.
    ///
    /// Both run in one task of this worker. A handler that blocks the thread, or computes for long without awaiting, holds up the
    /// end too, as whatever else blocks this worker does: the connection stays open for as long.
    ///
    /// Pings are the handler's to answer, as elsewhere with `actix-ws`. Where the peer does not read, actix keeps what it has
    /// not written yet, and the connection with it, until the peer reads on or goes away.
    #[must_use = "the response must be returned"]
    pub fn on_upgrade<C, A>(self, opened: (HttpResponse, Session, MessageStream), handler: C) -> HttpResponse
    where
        C: FnOnce(Socket) -> A + 'static,
        A: Future<Output = ()> + 'static,
    {
        let (mut response, session, messages) = opened;
        // What was offered is kept by no clone while the connection is open.
        let Self(tenure, protocols) = self;
        if let Some(protocol) = protocols.selected().and_then(|protocol| HeaderValue::from_str(protocol).ok()) {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        protocols.forget();
        rt::spawn(async move {
            let handler = |lease| handler(Socket::new(lease));
            tenure.attend(Connection { session, messages }, rt::time::sleep, handler, Connection::close).await;
        });
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

struct HowLong;

impl Question for HowLong {
    type Answer = Tenure;

    fn ask_now(screening: &Screening, request: &RequestView<'_>) -> Option<Result<Option<Tenure>, Denial>> {
        let tenure = screening.tenure_optional_now(request)?;
        Some(tenure.map(|tenure| tenure.map(|tenure| Tenure(tenure, Subprotocols::offered(request)))))
    }

    async fn ask(screening: &Screening, request: &RequestView<'_>) -> Result<Option<Tenure>, Denial> {
        let tenure = screening.tenure_optional(request).await?;
        Ok(tenure.map(|tenure| Tenure(tenure, Subprotocols::offered(request))))
    }
}

impl FromRequest for Tenure {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract::<HowLong, _>(request, |tenure| tenure)
    }
}
