//! Roles and conditions in one rule, in axum: `cargo run --example hybrid`.
//!
//! A document may be read by `admin`, by members of the team that owns it, and by everybody if it is public; else 403.
//! Who is in which team is asked of a directory, and while that fails nobody can tell: 503.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::{Json, Router};
use countersign::authorize::policy::{DenyOverrides, async_policy_fn, deny_overrides, meets, policy_fn};
use countersign::authorize::{
    AsResource, Attribute, Attributes, Requirement, Requires, Resource, action, authenticated, role,
};
use countersign::observe::TracingObserver;
use countersign::{ConfigError, Guard, JwtVerifier};
use countersign_axum::{GuardedRouter, RequireOn};
use countersign_examples::quickstart::{self, Line, Message, bearer, issuer_routes, log_ins};
use countersign_rbac::RbacAuthorizer;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

#[derive(Clone, Copy)]
struct Document {
    id: &'static str,
    team: &'static str,
    is_public: bool,
    text: &'static str,
}

const DOCUMENTS: [Document; 3] = [
    Document { id: "plan", team: "press", is_public: false, text: "The plan of the press team" },
    Document { id: "news", team: "press", is_public: true, text: "The news of the press team" },
    Document { id: "ledger", team: "accounts", is_public: false, text: "The ledger of the accounts team" },
];

/// What policies may ask of a document.
impl Attributes for Document {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        match name {
            "team" => Some(self.team.into()),
            "is_public" => Some(self.is_public.into()),
            _ => None,
        }
    }
}

impl AsResource for Document {
    fn as_resource(&self) -> Resource<'_> {
        Resource::new("document", self.id).with_attributes(self)
    }
}

/// Nothing is loaded for whoever has no token: [`RequireOn`] asks for that first. Who has one is told which documents there
/// are: where that is a secret, answer 404 for 403 too.
impl<S: Send + Sync> FromRequestParts<S> for Document {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StatusCode> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| StatusCode::NOT_FOUND)?;
        DOCUMENTS.into_iter().find(|document| document.id == id).ok_or(StatusCode::NOT_FOUND)
    }
}

struct ReadDocument;

impl Requires for ReadDocument {
    fn requirement() -> Requirement {
        action("documents:read")
    }
}

const MEMBERS: [(&str, &str); 2] = [("accounts", "writer"), ("press", "writer")];

/// Stands in for a directory that is asked over the network. It fails when it is asked about `accounts` for the first time.
#[derive(Debug, Default)]
struct Teams {
    has_failed: AtomicBool,
}

impl Teams {
    async fn has_member(&self, team: &str, subject: Option<&str>) -> Result<bool, std::io::Error> {
        tokio::task::yield_now().await;
        if team == "accounts" && !self.has_failed.swap(true, Ordering::Relaxed) {
            return Err(std::io::ErrorKind::ConnectionRefused.into());
        }
        Ok(subject.is_some_and(|subject| MEMBERS.contains(&(team, subject))))
    }
}

/// What takes the directory longer is a failure.
const DEADLINE: Duration = Duration::from_secs(2);

/// The rule. What is in memory is asked first: the directory hears of nobody whom another line lets in.
fn documents(teams: Teams) -> Result<DenyOverrides, ConfigError> {
    let roles = RbacAuthorizer::builder().role("admin", ["documents:read"]).build()?;
    let teams = Arc::new(teams);
    deny_overrides("documents", ["documents:read"])
        .allow_if(meets(roles, role("admin"))?)
        .allow_if(policy_fn("public", |request| request.resource?.attribute("is_public")?.as_flag()))
        .allow_if(async_policy_fn("team", move |request| {
            let teams = teams.clone();
            Box::pin(async move {
                let team = request.resource?.attribute("team")?.as_text()?;
                let answer = timeout(DEADLINE, teams.has_member(team, request.token.subject())).await;
                if let Ok(Err(error)) = &answer {
                    tracing::warn!(%error, "the directory failed");
                }
                Some(answer)
            })
        }))
        .build()
}

fn router(verifier: JwtVerifier) -> Result<Router, ConfigError> {
    let guard = Guard::builder(verifier).authorizer(documents(Teams::default())?).observer(TracingObserver).build()?;
    // The rule is about a document, so it is asked when there is one. Whether the guard can judge it is checked here.
    let table = GuardedRouter::new(&guard);
    let table = table.requires("GET", "/documents/{id}", authenticated(), read).proves_on::<ReadDocument>();
    table.build().map(|(router, _manifest)| router)
}

/// The very document that was decided on.
async fn read(RequireOn(document): RequireOn<Document, ReadDocument>) -> Json<Message> {
    Json(Message::new(document.text))
}

const LOG_INS: [(&str, &str); 3] =
    [("ADMIN", r#"{"user":"admin"}"#), ("WRITER", r#"{"user":"writer"}"#), ("READER", r#"{"user":"reader"}"#)];

fn lines() -> [Line; 8] {
    [
        ("", bearer("$ADMIN"), "/documents/plan", "200: an admin may read all"),
        ("", bearer("$WRITER"), "/documents/plan", "200: the writer is of the team"),
        ("", bearer("$READER"), "/documents/news", "200: the reader is not, but the news are public"),
        ("", bearer("$READER"), "/documents/plan", "403: the plan is not"),
        ("", String::new(), "/documents/news", "401 without a token"),
        ("", bearer("$WRITER"), "/documents/ledger", "503: the directory fails, once"),
        ("", bearer("$WRITER"), "/documents/ledger", "200: and now it answers"),
        ("", bearer("$READER"), "/documents/ledger", "403: the reader is of no team"),
    ]
}

/// The operator reads on stderr how each decision came about; whoever asks is told no more than its status.
fn install_log() {
    let levels = Targets::new().with_default(LevelFilter::INFO).with_target("countersign", LevelFilter::DEBUG);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(levels);
    tracing_subscriber::registry().with(log).init();
}

async fn serve() -> Result<(), String> {
    let Some((listener, issuer)) = quickstart::open()? else { return Ok(()) };
    install_log();
    let verifier = quickstart::verifier(issuer.url()).map_err(|error| error.to_string())?;
    let router = router(verifier).map_err(|error| error.to_string())?;
    quickstart::say("Countersign hybrid", issuer.url(), "", &log_ins(issuer.url(), &LOG_INS), &lines());
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    let router = router.merge(issuer_routes(issuer));
    axum::serve(listener, router).with_graceful_shutdown(interrupted).await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}
