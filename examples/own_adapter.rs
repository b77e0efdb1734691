//! A service in a framework for which there is no adapter, here hyper alone: `cargo run --example own_adapter`.
//!
//! Its adapter is `src/own_adapter.rs`: forty lines, which translate and decide nothing. All
//! that stands here is this service.

use countersign::authorize::role;
use countersign::screening::Check;
use countersign::{ConfigError, Guard};
use countersign_examples::own_adapter::{Answered, judge, respond};
use countersign_examples::quickstart::{self, Answer, Demo, Line, Message, bearer, log_ins};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

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
