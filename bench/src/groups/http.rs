//! What a guard costs a request: one in-memory call of a service, with the same token each time, beside the same route
//! without one and beside the middleware of others. Over loopback, both routes of one server.

mod actix;
mod axum;
mod peers;
mod warp;

use crate::{Bound, Case, Group, Served, Target};
use ::http::{Request, header};
use countersign::issue::{Claims, JwtSigner};
use countersign::verify::TokenCache;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
use std::future::Future;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

pub(super) const GROUP: Group = Group { name: "http", cases, targets, served };

const CACHED: &str = "countersign, token cache";
const BARE: &str = "no guard";
const EACH: &str = "countersign";
const ISSUER: &str = "https://issuer.example/";
const AUDIENCE: &str = "api";
const GUARDED: &str = "/me";
const OPEN: &str = "/open";

/// What a handler takes.
#[derive(Clone, Debug, serde::Deserialize)]
struct User {
    sub: String,
}

/// One key for everybody.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::ES256).expect("a key"));

/// One token, as its field says it.
static FIELD: LazyLock<String> = LazyLock::new(|| {
    let claims = Claims::new(ISSUER).audience(AUDIENCE).subject("7").lifetime(Duration::from_secs(86_400));
    format!("Bearer {}", JwtSigner::new(KEY.clone()).issue(&claims).expect("a token"))
});

/// A request, as a server makes one of what it has read: its clones share the texts.
static REQUEST: LazyLock<Request<()>> = LazyLock::new(|| {
    let request = Request::get(GUARDED).header(header::AUTHORIZATION, FIELD.as_str()).header("accept", "*/*");
    let request = request.header("user-agent", "bench").body(()).expect("a request");
    drop(request.clone());
    request
});

fn guard(is_cached: bool) -> Guard {
    let verifier = JwtVerifier::builder(KEY.verifying_key().clone()).issuer(ISSUER).audience(AUDIENCE);
    let verifier = if is_cached { verifier.token_cache(TokenCache::new()) } else { verifier };
    Guard::builder(verifier.build().expect("a verifier")).build().expect("a guard")
}

/// The runtime on which a service is called.
fn runtime() -> Arc<Runtime> {
    Arc::new(tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"))
}

/// Calls, and sees that the answer is the one that it should be.
fn call<F: Future<Output = u16>>(runtime: &Runtime, call: F) -> u16 {
    let status = runtime.block_on(call);
    assert_eq!(status, 200);
    status
}

fn cases() -> Vec<Case> {
    vec![peers::contend(axum::case()), actix::case(), warp::case()]
}

fn targets() -> Vec<Target> {
    // A layer of axum is boxed by axum, as the idle one shows.
    let mut targets: Vec<_> = [(axum::NAME, axum::IDLE), (actix::NAME, BARE), (warp::NAME, BARE)]
        .into_iter()
        .map(|(case, control)| Target::new(case, CACHED, Bound::AllocationsBeyond(5), (case, control)))
        .collect();
    for peer in peers::NAMES {
        targets.push(Target::new(axum::NAME, CACHED, Bound::Faster(1.0), (axum::NAME, peer)));
        targets.push(Target::new(axum::NAME, EACH, Bound::Faster(1.0), (axum::NAME, peer)));
    }
    targets
}

fn served() -> Vec<Served> {
    let server = |name, serve: fn(TcpListener), at_least| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        // It ends with the process.
        thread::spawn(move || serve(listener));
        Served { name, address, guarded: GUARDED, open: OPEN, authorization: FIELD.clone(), at_least }
    };
    vec![
        server("axum over loopback", axum::serve, 0.93),
        server("actix-web over loopback", actix::serve, 0.93),
        server("warp over loopback", warp::serve, 0.90),
    ]
}
