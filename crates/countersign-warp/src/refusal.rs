use countersign::Denial;
use warp::http::{HeaderName, HeaderValue, Response, StatusCode};
use warp::{Reply, reply};

/// A [`Denial`] as warp's reply.
///
/// ```
/// use countersign::Denial;
/// use countersign_warp::Refusal;
/// use warp::Reply;
///
/// // What a handler answers that asks a check itself.
/// let answer = Refusal(Denial::unguarded()).into_response();
/// assert_eq!(answer.status(), 500);
/// assert_eq!(answer.headers()["cache-control"], "no-store");
/// ```
#[derive(Clone, Debug)]
pub struct Refusal(pub Denial);

impl Reply for Refusal {
    fn into_response(self) -> reply::Response {
        let denial = self.0;
        let mut response = Response::new(denial.body().clone().into());
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
