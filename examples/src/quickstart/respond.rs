//! An [`Answer`] as the response of each framework.

use super::{Answer, MAX_LOGIN_BYTES};
use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use futures_util::StreamExt;
use std::pin::pin;
use warp::{Buf, Filter, Rejection, Reply, Stream};

/// axum and warp have their types from one crate.
fn write<B: From<String>>(answer: Answer) -> Response<B> {
    let mut response = Response::new(B::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(&*value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response<Body> {
        write(self)
    }
}

impl Reply for Answer {
    fn into_response(self) -> warp::reply::Response {
        write(self)
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let status = actix_web::http::StatusCode::from_u16(self.status);
        let mut response = HttpResponse::build(status.unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR));
        for (name, value) in self.headers {
            response.append_header((name, &*value));
        }
        response.body(self.body)
    }
}

/// The body of a request in warp, or 413 where it is larger than [`MAX_LOGIN_BYTES`]: warp limits a body by its announced
/// length alone.
pub fn warp_body() -> impl Filter<Extract = (Result<Vec<u8>, Answer>,), Error = Rejection> + Copy {
    warp::body::stream().then(read)
}

async fn read<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>) -> Result<Vec<u8>, Answer> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(Ok(mut chunk)) = body.next().await {
        if read.len() + chunk.remaining() > MAX_LOGIN_BYTES {
            return Err(Answer::empty(413));
        }
        read.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    Ok(read)
}
