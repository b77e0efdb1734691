//! An adapter for a framework that has none, here hyper alone: `cargo run --example own_adapter`.
//!
//! An adapter translates and decides nothing. It shows the request to the core (`Headers`, `judge`), and writes the core's
//! refusal as it stands (`refusal`): status, challenges and body are the same in each framework. All else is this service.

use countersign::authorize::role;
use countersign::request::{HeaderSource, RequestView};
use countersign::screening::{Check, Screening};
use countersign::{Bytes, ConfigError, Denial, Guard, VerifiedToken};
use countersign_examples::quickstart::{self, Answer, Demo, Line, Message, bearer, log_ins};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

type Answered = Response<Full<Bytes>>;

/// The header fields of a request, where they are.
struct Headers<'r>(&'r HeaderMap);

impl HeaderSource for Headers<'_> {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}

/// Asks whether a request meets a requirement. The screening stays with the request: whoever asks again further in, or asks
/// another check of this guard, shares the verdict.
async fn judge<B>(check: &Check, request: &mut Request<B>) -> Result<VerifiedToken, Answered> {
    let screening = check.screening(request.extensions().get::<Screening>());
    request.extensions_mut().insert(screening.clone());
    let headers = Headers(request.headers());
    let (method, uri) = (request.method().as_str(), request.uri());
    let view = RequestView::new(method, uri.path(), uri.query(), &headers);
    // From memory, where nothing has to be waited for.
    let answer = match check.judge_now(&screening, &view) {
        Some(answer) => answer,
        None => check.judge(&screening, &view).await,
    };
    answer.map_err(|denial| refusal(&denial))
}

/// A refusal of the core as a response of this framework.
fn refusal(denial: &Denial) -> Answered {
    respond(denial.status(), denial.headers(), denial.body().clone())
}

fn respond<V: AsRef<str>>(status: u16, headers: impl Iterator<Item = (&'static str, V)>, body: Bytes) -> Answered {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value.as_ref()) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The service: one check for each guarded route, made when the program starts, so that a mistake in one is found then.
struct Service {
    demo: Demo,
    me: Check,
    admin: Check,
}

impl Service {
    fn new(demo: Demo) -> Result<Self, ConfigError> {
        let guard: &Guard = &demo.guard;
        Ok(Self { me: guard.check_authenticated(), admin: guard.check(role("admin"))?, demo })
    }

    async fn route(&self, mut request: Request<Incoming>) -> Result<Answered, Answered> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = match (method, &*path) {
            (Method::GET, "/public") => Answer::json(200, &Message::new("Everybody may read this")),
            (Method::GET, "/me") => {
                let token = judge(&self.me, &mut request).await?;
                Answer::json(200, &Message::new(format!("Hello, {}", token.subject().unwrap_or_default())))
            }
            (Method::DELETE, "/admin") => {
                judge(&self.admin, &mut request).await?;
                Answer::json(200, &Message::new("Wiped"))
            }
            (Method::POST, "/login") => match Limited::new(request, quickstart::MAX_LOGIN_BYTES).collect().await {
                Ok(body) => self.demo.issuer.login(&body.to_bytes()),
                Err(_) => Answer::empty(413),
            },
            (Method::GET, "/.well-known/jwks.json") => self.demo.issuer.jwks(),
            (Method::GET, "/.well-known/openid-configuration") => self.demo.issuer.metadata(),
            _ => Answer::empty(404),
        };
        Ok(respond(answer.status, answer.headers.into_iter(), answer.body.into()))
    }
}

const LOG_INS: [(&str, &str); 2] = [("ADMIN", r#"{"user":"admin"}"#), ("READER", r#"{"user":"reader"}"#)];

fn lines() -> [Line; 6] {
    [
        ("", String::new(), "/public", "200 for anybody"),
        ("", String::new(), "/me", "401 without a token"),
        ("", bearer("$READER"), "/me", "200 with one"),
        ("", bearer("garbage"), "/me", "401: no token at all"),
        ("-X DELETE ", bearer("$READER"), "/admin", "403: the reader is no admin"),
        ("-X DELETE ", bearer("$ADMIN"), "/admin", "200: the admin is"),
    ]
}

async fn serve() -> Result<(), String> {
    let Some((listener, issuer)) = quickstart::open()? else { return Ok(()) };
    let url = issuer.url().to_owned();
    let demo = Demo::new(issuer).map_err(|error| error.to_string())?;
    let service = Arc::new(Service::new(demo).map_err(|error| error.to_string())?);
    quickstart::say("Countersign with hyper alone", &url, "", &log_ins(&url, &LOG_INS), &lines());
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(async |request| {
                Ok::<_, Infallible>(service.route(request).await.unwrap_or_else(|refusal| refusal))
            });
            // What goes wrong with one connection is the client's affair.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}
