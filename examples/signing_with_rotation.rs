//! An issuer that signs, publishes its keys and rotates them, and an API that trusts it, in axum:
//! `cargo run --example signing_with_rotation`.
//!
//! What matters stands in `examples/src/rotation.rs`: a key is published before it signs, and stays published until the last
//! token of its time has expired. The API knows no more than the issuer's URL, and keeps its keys for as long as the issuer
//! says; a token of before a rotation and one of after it are both good.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use countersign::clock::SystemClock;
use countersign::issue::Claims;
use countersign::{Guard, JwtVerifier};
use countersign_axum::{GuardExt, Verified};
use countersign_examples::quickstart::{self, Answer, Line, Message, bearer, log_ins};
use countersign_examples::rotation::{RotatingKeys, RotationError};
use countersign_keys::JwksProvider;
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const AUDIENCE: &str = "rotation";
const LIFETIME: Duration = Duration::from_secs(600);

/// How long verifiers may keep a key set: said in `Cache-Control`.
const KEPT: Duration = Duration::from_secs(300);

/// A demo that could not be seen rotating would show little: here the next key signs at once. An issuer says a span longer than
/// [`KEPT`]; this one relies on its verifiers, which look again for a key that they do not know.
const PUBLISHED_BEFORE: Duration = Duration::ZERO;

struct Issuer {
    url: String,
    keys: RotatingKeys<SystemClock>,
}

async fn log_in(State(issuer): State<Arc<Issuer>>) -> Answer {
    match issuer.keys.issue(Claims::new(&issuer.url).subject("7").audience(AUDIENCE)) {
        Ok(token) => Answer::json(200, &json!({ "access_token": token, "token_type": "Bearer" }))
            .with("cache-control", "no-store"),
        Err(_) => Answer::error(500, "no token could be made"),
    }
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Answer {
    Answer::json(200, &issuer.keys.published()).with("cache-control", format!("max-age={}", KEPT.as_secs()))
}

/// What a timer does in an issuer, and nobody from outside.
async fn rotate(State(issuer): State<Arc<Issuer>>) -> Answer {
    match issuer.keys.rotate() {
        Ok(()) => Answer::empty(204),
        Err(RotationError::TooEarly) => Answer::error(409, "the next key has not been published for long enough"),
        Err(RotationError::Key(_)) => Answer::error(500, "no key could be made"),
    }
}

async fn me(Verified(token): Verified) -> Json<Message> {
    Json(Message::new(format!("Signed by {}", token.header().and_then(|header| header.key_id()).unwrap_or("nobody"))))
}

fn router(url: &str) -> Result<Router, Box<dyn Error>> {
    let keys = JwksProvider::issuer(url).allow_http_on_loopback().build()?;
    let verifier = JwtVerifier::builder(keys).issuer(url).audience(AUDIENCE).build()?;
    let guard = Guard::builder(verifier).realm(AUDIENCE).build()?;
    let keys = RotatingKeys::new(SystemClock::new(), PUBLISHED_BEFORE, LIFETIME)?;
    let issuer = Router::new()
        .route("/login", post(log_in))
        .route("/rotate", post(rotate))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state(Arc::new(Issuer { url: url.to_owned(), keys }));
    Ok(Router::new().route("/me", get(me)).layer(guard.layer()).merge(issuer))
}

fn lines() -> [Line; 6] {
    [
        ("", bearer("$BEFORE"), "/me", "200: signed by key-1"),
        ("-X POST ", String::new(), "/rotate", "204: key-2 signs from now on"),
        ("", bearer("$BEFORE"), "/me", "200: key-1 is published still"),
        ("", bearer("$(token '{}')"), "/me", "200: signed by key-2, which was published before"),
        ("-X POST ", String::new(), "/rotate", "204: key-3 signs from now on"),
        ("", bearer("$(token '{}')"), "/me", "200: the API looks again for a key that it does not know"),
    ]
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let Some((listener, url)) = quickstart::listen()? else { return Ok(()) };
    let router = router(&url)?;
    quickstart::say("Countersign signing with rotation", &url, "", &log_ins(&url, &[("BEFORE", "{}")]), &lines());
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    Ok(axum::serve(listener, router).with_graceful_shutdown(interrupted).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await.map_err(|error| error.to_string()))
}
