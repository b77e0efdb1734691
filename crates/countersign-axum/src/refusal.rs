use axum::body::Body;
use axum::response::{IntoResponse, Response};
use countersign::Denial;
use http::{HeaderName, HeaderValue, StatusCode};

/// A [`Denial`] as axum's response and as the rejection of extractors.
///
/// ```
/// use axum::response::IntoResponse;
/// use countersign::Denial;
/// use countersign_axum::Refusal;
///
/// // What a handler answers that asks a check itself.
/// let answer = Refusal(Denial::unguarded()).into_response();
/// assert_eq!(answer.status(), 500);
/// assert_eq!(answer.headers()["cache-control"], "no-store");
/// ```
#[derive(Clone, Debug)]
pub struct Refusal(pub Denial);

impl Refusal {
    /// The response, with a body of any type that bytes go into.
    pub(crate) fn into_http<B: From<countersign::Bytes>>(self) -> http::Response<B> {
        let denial = self.0;
        let mut response = http::Response::new(B::from(denial.body().clone()));
        *response.status_mut() = StatusCode::from_u16(denial.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in denial.headers() {
            // A denial is made of constants and of settings that were checked when the guard was built.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.into_http::<Body>()
    }
}
