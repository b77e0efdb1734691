//! A resource server: the quickstart's protected routes for the tokens of a real issuer, with what an operator needs.
//!
//! | setting | | meaning |
//! |---|---|---|
//! | `ISSUER` | required | `iss` of the tokens, exactly |
//! | `AUDIENCE` | required | this API's name, which tokens have in `aud` |
//! | `JWKS_URI` | discovery | where the issuer's keys are; unless set, its metadata says so |
//! | `LISTEN` | `127.0.0.1:8080` | address and port; port 0 picks a free one, which the log tells |
//! | `ACCESS_TOKENS_ONLY` | off | `1` takes access tokens as RFC 9068 profiles them and nothing else: for issuers that make such, so that no ID token can stand in for one |
//! | `TOKEN_CACHE` | off | for how many seconds, 1 to 3600, a verified token is not verified again; revocations are asked for each time |
//! | `PERMISSIONS_CLAIM` | `permissions` | the claim that holds permissions: a name, or a JSON Pointer |
//! | `ROLES_CLAIM` | `roles` and `role` | the claim that holds roles, likewise; where it is set, `role` is not read |
//! | `REDIS_URL`, `FLEET_KEY` | off | both or none: the Redis server where keys and revocations are shared, and the secret that authenticates them: 32 random octets or more, in base64url without padding |
//! | `REVOCATIONS` | `strict` | what becomes of tokens while the revocations cannot be confirmed: 503, or with `degrade`, what was known last |
//! | `ALLOW_HTTP_LOOPBACK` | off | for development: `1` allows the issuer's keys to come over plain HTTP from this machine |
//!
//! A setting that is missing or makes no sense ends the program with status 2 and one line on stderr that names it. What
//! is set to nothing is wrong, not absent. Secrets are printed nowhere.
//!
//! # What is served
//!
//! `/public`, `/greeting`, `/me`, `/posts` and `/admin` as in the quickstart, and for operators:
//!
//! - `/healthz`: 200 as long as the process lives.
//! - `/readyz`: 200 while there are keys that may serve, and once the revocations have settled, 2 s after the start; else 503. The body is the provider's
//!   [`Health`](countersign_keys::Health). After that Redis does not count: a
//!   process that waits for it would be missing with it.
//! - `/metrics`: for Prometheus, what `docs/OBSERVABILITY.md` lists, and `resource_server_keys_age_seconds`.
//!
//! These three ask for no token: let the proxy that ends TLS, and times out clients that dawdle, keep them inside.
//!
//! The log is JSON, one event a line, on stdout. SIGTERM or SIGINT ends the program: no new connections, 10 s at most for
//! the requests in flight, then the keys are closed.
//!
//! # Several processes
//!
//! With `REDIS_URL` and `FLEET_KEY` one of them fetches the issuer's keys for all. While Redis cannot be asked, each fetches
//! for itself.
//!
//! # Revocation
//!
//! Whoever has `REDIS_URL` and `FLEET_KEY` can revoke a token or a subject's tokens, and distrust a key, with
//! [`RevocationLog`] over [`RedisCache`](countersign_cache::RedisCache). Every process counts on it 5 s later, token caches
//! included. While Redis cannot be asked for that long, tokens are answered with 503, or with `REVOCATIONS=degrade` by what was
//! known last. What Redis loses, the processes that run put back.

mod routes;
mod settings;
mod shutdown;
mod telemetry;

pub use settings::{SettingError, Settings};

use crate::quickstart;
use countersign::observe::{MetricsObserver, TracingObserver};
use countersign::provider::KeyProvider;
use countersign::revocation::Distrusting;
#[cfg(doc)]
use countersign::revocation::RevocationLog;
use countersign::{Guard, JwtVerifier};
use countersign_cache::Follower;
use routes::Operations;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Who is told what happens: the log, and the metrics.
const OBSERVER: (TracingObserver, MetricsObserver) = (TracingObserver, MetricsObserver);

/// What lines of its own stand under; those of a guard and of a provider are under `countersign`.
const LOG_TARGET: &str = "resource_server";

/// The name of the protected space in challenges.
const REALM: &str = "resource_server";

/// The status of a program that was set up wrongly.
const WRONG_SETTING: u8 = 2;

/// The whole program, for this environment.
#[must_use]
pub fn run(environment: impl IntoIterator<Item = (OsString, OsString)>) -> ExitCode {
    let problem = match Settings::read(environment).map(start) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    };
    let _ = writeln!(std::io::stderr(), "error: {problem}");
    if problem.is::<SettingError>() { ExitCode::from(WRONG_SETTING) } else { ExitCode::FAILURE }
}

fn start(settings: Settings) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(serve(settings));
    // Dropped, it would wait for a name that is being looked up.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    telemetry::install_log()?;
    let metrics = telemetry::install_metrics()?;
    let Settings { listen, issuer, audience, keys, access_tokens_only, revocations, token_cache, claims } = settings;
    let keys = Arc::new(keys);

    let trusted: Arc<dyn KeyProvider> = match &revocations {
        Some(log) => Arc::new(Distrusting::new(Arc::clone(&keys), Arc::clone(log))),
        None => Arc::clone(&keys) as _,
    };
    let mut verifier = JwtVerifier::builder(trusted).issuer(&issuer).audience(&audience).observer(OBSERVER);
    if access_tokens_only {
        verifier = verifier.access_tokens_only();
    }
    let caches_tokens = token_cache.is_some();
    if let Some(cache) = token_cache {
        verifier = verifier.token_cache(cache);
    }
    let mut guard = Guard::builder(verifier.build()?)
        .authorizer(quickstart::roles().mapping_for(&issuer, claims).build()?)
        .realm(REALM)
        .observer(OBSERVER);
    let (shared, shares_revocations) = (revocations.clone(), revocations.is_some());
    // It polls for as long as this serves.
    let mut follower = None;
    if let Some(log) = revocations {
        follower = Some(Follower::start(Arc::clone(&log))?);
        guard = guard.revocation(log);
    }
    let operations = Operations { keys: Arc::clone(&keys), metrics: metrics.clone(), settled: Arc::default() };
    let settling = routes::settle(shared, Arc::clone(&operations.settled));
    let router = routes::router(&guard.build()?, operations)?;

    // Before anybody can know that it serves: who ends a program that has just started is heard.
    let ending = shutdown::signalled()?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| {
        SettingError::new("LISTEN", format!("cannot listen on {listen}: {error}; name another address or port"))
    })?;
    let address = listener.local_addr()?;
    tracing::info!(target: LOG_TARGET, %address, issuer, audience, shares_revocations, caches_tokens, "serving");

    let mut background = JoinSet::new();
    background.spawn(telemetry::keep_up(metrics));
    background.spawn(settling);
    // So that it gets ready before it is asked. What fails is logged by the provider, which tries again by itself.
    let first_keys = Arc::clone(&keys);
    background.spawn(async move { drop(first_keys.ready().await) });

    shutdown::serve_until(ending, listener, router).await?;
    // Not before: a request in flight may wait for keys, and for the revocations.
    keys.close();
    drop(follower);
    Ok(())
}
