//! An adapter for a framework that has none: hyper, as it is.
//!
//! It shows the request to the core ([`Headers`], [`view`]), asks ([`judge`]), and writes the core's refusal as it stands
//! ([`refusal`]): status, challenges and body are the same in each framework. It decides nothing.
//! `countersign_testkit::adapter::AdapterTable` holds it to what the adapters of the workspace are held to.

use countersign::request::{HeaderSource, RequestView};
use countersign::screening::{Check, Screening};
use countersign::{Bytes, Denial, VerifiedToken};
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};

/// A response of this framework.
pub type Answered = Response<Full<Bytes>>;

/// The header fields of a request, where they are.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'r>(pub &'r HeaderMap);

impl HeaderSource for Headers<'_> {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}

/// A request as the core sees it, its target as the client sent it.
pub fn view<'r, B>(request: &'r Request<B>, headers: &'r Headers<'r>) -> RequestView<'r> {
    let uri = request.uri();
    RequestView::new(request.method().as_str(), uri.path(), uri.query(), headers)
}

/// Asks whether a request meets a requirement. The screening stays with the request: whoever asks again further in, or asks
/// another check of this guard, shares the verdict.
///
/// # Errors
/// The response that says why not.
pub async fn judge<B>(check: &Check, request: &mut Request<B>) -> Result<VerifiedToken, Answered> {
    let screening = check.screening(request.extensions().get::<Screening>());
    request.extensions_mut().insert(screening.clone());
    let headers = Headers(request.headers());
    let view = view(request, &headers);
    // From memory, where nothing has to be waited for.
    let answer = match check.judge_now(&screening, &view) {
        Some(answer) => answer,
        None => check.judge(&screening, &view).await,
    };
    answer.map_err(|denial| refusal(&denial))
}

/// A refusal of the core as a response of this framework.
#[must_use]
pub fn refusal(denial: &Denial) -> Answered {
    respond(denial.status(), denial.headers(), denial.body().clone())
}

/// A response of these parts.
pub fn respond<V: AsRef<str>>(status: u16, headers: impl Iterator<Item = (&'static str, V)>, body: Bytes) -> Answered {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value.as_ref()) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}
