//! The quickstart's world: a demo issuer, the guard of the API that it serves, a page to try it with, and the command line.
//! The three frameworks' programs add their routes. `hybrid` has the same issuer and a guard of its own, `cookie_app` the same
//! command line.

mod answer;
mod command;
mod explain;
mod issuer;
mod respond;
mod routes;
mod terminal;

pub use answer::Answer;
pub use command::{bind, default_address, listen, on_this_machine, open, open_on, start};
pub use issuer::DemoIssuer;
pub use respond::warp_body;
pub use routes::{issuer_routes, page_routes};
pub(crate) use terminal::print;
pub use terminal::{Line, bearer, exit_code, log_ins, say};

use countersign::{ConfigError, Guard, JwtVerifier};
use countersign_keys::JwksProvider;
use countersign_rbac::{RbacAuthorizer, RbacAuthorizerBuilder};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the API calls itself: tokens for it name this in `aud`.
pub const AUDIENCE: &str = "quickstart";

/// The largest body that is read, in bytes.
pub const MAX_LOGIN_BYTES: usize = 16 * 1024;

/// What a route needs: the issuer to log in at, and the guard.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Signs tokens and publishes keys.
    pub issuer: Arc<DemoIssuer>,
    /// Protects the API.
    pub guard: Guard,
    /// The guard's, for the page: it shows what the verifier finds.
    verifier: Arc<JwtVerifier>,
}

impl Demo {
    /// The API of this issuer. Its guard knows of the issuer what any stranger knows: its URL.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting.
    pub fn new(issuer: Arc<DemoIssuer>) -> Result<Self, ConfigError> {
        let verifier = Arc::new(verifier(issuer.url())?);
        let guard = Guard::builder(verifier.clone()).authorizer(roles().build()?).realm(AUDIENCE).build()?;
        Ok(Self { issuer, guard, verifier })
    }
}

/// Verifies tokens of this issuer for the API.
///
/// # Errors
/// [`ConfigError`] that names the setting.
pub fn verifier(issuer: &str) -> Result<JwtVerifier, ConfigError> {
    let keys = JwksProvider::discover(issuer).allow_http_on_loopback().build()?;
    // One process, one clock: no leeway, so that a token that has just expired is refused.
    JwtVerifier::builder(keys).issuer(issuer).audience(AUDIENCE).leeway(Duration::ZERO).build()
}

/// The roles of the API and what they may.
pub fn roles() -> RbacAuthorizerBuilder {
    RbacAuthorizer::builder()
        .role("reader", ["posts:read"])
        .role("writer", ["posts:read", "posts:write"])
        .role("admin", ["users:delete"])
        .inherits("admin", "writer")
}

/// All claims of a token, sorted by name.
pub type AllClaims = BTreeMap<String, Value>;

/// What most routes answer.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// For people.
    pub message: String,
}

impl Message {
    /// A message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A greeting to whoever asks.
    #[must_use]
    pub fn greeting(claims: Option<&AllClaims>) -> Self {
        match claims.and_then(|claims| claims.get("sub")).and_then(Value::as_str) {
            Some(name) => Self::new(format!("Hello, {name}")),
            None => Self::new("Hello, stranger"),
        }
    }
}
