use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use countersign::Denial;
use std::fmt;

/// A [`Denial`] as actix-web's error and response.
///
/// ```
/// use actix_web::ResponseError;
/// use countersign::Denial;
/// use countersign_actix::Refusal;
///
/// // What a handler answers that asks a check itself.
/// let answer = Refusal(Denial::unguarded()).error_response();
/// assert_eq!(answer.status(), 500);
/// assert_eq!(answer.headers().get("cache-control").map(|value| value.as_bytes()), Some(&b"no-store"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Refusal(pub Denial);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for header in self.0.headers() {
            response.append_header(header);
        }
        response.body(self.0.body().clone())
    }
}
