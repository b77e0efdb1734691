//! The parts of the websocket examples that no framework has a say in: a guard that asks a denylist, and what is said on
//! connections.

use crate::quickstart::{self, AUDIENCE, DemoIssuer, roles};
use countersign::clock::{Clock, SystemClock};
use countersign::revocation::MemoryDenylist;
use countersign::screening::Tenure;
use countersign::{Bytes, ConfigError, Guard, JwtVerifier, VerifiedToken};
use countersign_keys::JwksProvider;
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// Of the tokens that the demo issuer gives.
const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);

/// What a route needs.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Signs tokens and publishes keys.
    pub issuer: Arc<DemoIssuer>,
    /// Protects the API.
    pub guard: Guard,
    denylist: Arc<MemoryDenylist>,
}

/// A message that asks for more time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renewal {
    token: String,
}

/// Reads the command line, opens the socket, makes the demo's world and says what to try. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn start(framework: &str) -> Result<Option<(TcpListener, Demo)>, String> {
    let Some((listener, issuer)) = quickstart::open()? else { return Ok(None) };
    let demo = Demo::new(issuer).map_err(|error| error.to_string())?;
    quickstart::print(&instructions(framework, demo.issuer.url()));
    Ok(Some((listener, demo)))
}

impl Demo {
    fn new(issuer: Arc<DemoIssuer>) -> Result<Self, ConfigError> {
        let keys = JwksProvider::discover(issuer.url()).allow_http_on_loopback().build()?;
        let verifier = JwtVerifier::builder(keys).issuer(issuer.url()).audience(AUDIENCE);
        let verifier = verifier.leeway(Duration::ZERO).build()?;
        let denylist = Arc::new(MemoryDenylist::new());
        // Without an extractor, `Authorization: Bearer …` is read. Browsers cannot send it with a WebSocket: name an
        // extractor here that reads what they can send.
        let builder = Guard::builder(verifier).revocation(denylist.clone()).authorizer(roles().build()?);
        let guard = builder.realm(AUDIENCE).build()?;
        Ok(Self { issuer, guard, denylist })
    }

    /// Revokes whatever the subject of this token has been given so far. The denylist tells the connections that are open: those
    /// of the subject are closed within a second.
    pub fn log_out(&self, token: &VerifiedToken) {
        let now = SystemClock::new().now();
        if let (Some(issuer), Some(subject)) = (token.issuer(), token.subject()) {
            self.denylist.revoke_subject_before(issuer, subject, now, now + LONGEST_LIFETIME);
        }
    }
}

/// What is said to a message: itself, or, where it is `{"token": "…"}`, whether the connection goes on by that token.
pub async fn answer(tenure: &Tenure, text: &str) -> String {
    let Ok(Renewal { token }) = serde_json::from_str(text) else { return text.to_owned() };
    match tenure.renew(&token).await {
        Ok(()) => json!({ "renewed_until": tenure.expires_at() }),
        Err(denial) => json!({ "not_renewed": denial.reason().name() }),
    }
    .to_string()
}

/// Counts the seconds, as server-sent events, for as long as somebody listens.
pub fn seconds() -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync {
    stream::unfold(0_u64, |second| async move {
        if second > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Some((Ok(format!("data: {second}\n\n").into()), second + 1))
    })
}

/// Lines to paste.
fn instructions(framework: &str, url: &str) -> String {
    let log_in = format!(
        "TOKEN=$(curl -s {url}/login -d '{{\"user\":\"reader\",\"lifetime\":30}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')"
    );
    let bearer = "-H \"Authorization: Bearer $TOKEN\"";
    let upgrade = "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=='";
    let socket = url.replacen("http", "ws", 1);
    [
        &format!("Countersign websocket with {framework}, listening on {url}\n"),
        "A token for 30 seconds:\n",
        &log_in,
        "\nWhat it opens lasts as long as it does:\n",
        &format!("curl -i {upgrade} {url}/echo  # 401 before the upgrade: no token"),
        &format!("curl -i {bearer} -N {url}/seconds  # 200: counts, and ends when the token expires"),
        &format!("npx wscat {bearer} -c {socket}/echo  # echoes, and is closed with 4401 when the token expires"),
        "\nOn the WebSocket, {\"token\": \"…\"} with another token of the same user lets it go on. In another shell, with a token\nof its own:\n",
        &format!("curl -i -X POST {bearer} {url}/logout  # 204, and whatever the user has open is closed within a second\n"),
        "Ctrl-C ends it.\n",
    ]
    .join("\n")
}
