//! Keys from a SQLite database, by a `KeyProvider` of one's own: `cargo run --example keys_from_database`.
//!
//! ```console
//! $ cargo run --example keys_from_database -- --database keys.db serve
//! $ TOKEN=$(cargo run --example keys_from_database -- --database keys.db add first)    # in another shell
//! $ curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/me                 # 200
//! $ cargo run --example keys_from_database -- --database keys.db remove first          # and then 401
//! ```
//!
//! `add` makes a key, keeps its public half in the database, and writes a token for ten minutes. The database is asked for each
//! token, so that what is added or removed counts at once. While it cannot be read, nobody can tell which keys count: 503.

use axum::routing::get;
use axum::{Json, Router};
use countersign::issue::{Claims, JwtSigner};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey, VerifyingKey, async_trait};
use countersign_axum::{GuardExt, Verified};
use countersign_examples::quickstart::{self, Message};
use lexopt::prelude::*;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const ISSUER: &str = "https://issuer.example/";
const AUDIENCE: &str = "keys-from-database";
const LIFETIME: Duration = Duration::from_secs(600);

/// Stands in the way of no other process for longer.
const BUSY: Duration = Duration::from_millis(500);

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY NOT NULL, algorithm TEXT NOT NULL, pem TEXT NOT NULL
) STRICT";

/// The keys in a database. Each question opens it anew: a file that was replaced is seen, and one that is missing is not
/// made.
#[derive(Debug)]
struct DatabaseKeys {
    path: PathBuf,
}

impl DatabaseKeys {
    fn look_up(path: &Path, key_id: &str) -> rusqlite::Result<Option<(String, String)>> {
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database.busy_timeout(BUSY)?;
        let mut statement = database.prepare("SELECT algorithm, pem FROM keys WHERE id = ?1")?;
        statement.query_row([key_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }
}

fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> KeyProviderError {
    KeyProviderError::Unavailable(Unavailable::because(cause).retry_after(Duration::from_secs(1)))
}

#[async_trait]
impl KeyProvider for DatabaseKeys {
    /// What is not known is an error of its own: "no such row" is 401, "no answer" and "a row that is no key" are 503.
    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        // Which of several keys it may be, a token has to say.
        let key_id = wanted.key_id.ok_or(KeyProviderError::Ambiguous)?.to_owned();
        // SQLite waits for the disk, and tasks must not.
        let found = tokio::task::spawn_blocking({
            let (path, key_id) = (self.path.clone(), key_id.clone());
            move || Self::look_up(&path, &key_id)
        });
        let row = found.await.map_err(unavailable)?.map_err(unavailable)?;
        let (algorithm, pem) = row.ok_or(KeyProviderError::NotFound)?;
        let algorithm = Algorithm::from_name(&algorithm).ok_or_else(|| unavailable("a key of no known algorithm"))?;
        // The algorithm is the key's: what the token says is held against it, and never taken.
        if !algorithm.is_same_as(wanted.algorithm) {
            return Err(KeyProviderError::WrongAlgorithm);
        }
        VerifyingKey::from_pem(algorithm, pem).and_then(|key| key.with_key_id(key_id)).map_err(unavailable)
    }
}

fn router(path: &Path) -> Result<Router, Box<dyn Error>> {
    let keys = DatabaseKeys { path: path.to_owned() };
    let verifier = JwtVerifier::builder(keys).issuer(ISSUER).audience(AUDIENCE).build()?;
    let guard = Guard::builder(verifier).realm(AUDIENCE).build()?;
    Ok(Router::new().route("/me", get(me)).layer(guard.layer()))
}

async fn me(Verified(token): Verified) -> Json<Message> {
    Json(Message::new(format!("Hello, {}", token.subject().unwrap_or_default())))
}

fn open(path: &Path) -> Result<Connection, Box<dyn Error>> {
    let database = Connection::open(path)?;
    database.busy_timeout(BUSY)?;
    database.execute_batch(SCHEMA)?;
    Ok(database)
}

/// Keeps the public half of a key, and answers a token by it.
fn add(path: &Path, key_id: &str) -> Result<String, Box<dyn Error>> {
    let key = SigningKey::generate(Algorithm::ES256)?.with_key_id(key_id)?;
    let row = [key_id, key.algorithm().name(), &key.verifying_key().to_spki_pem()?];
    open(path)?.execute("INSERT INTO keys (id, algorithm, pem) VALUES (?1, ?2, ?3)", row)?;
    Ok(JwtSigner::new(key).issue(&Claims::new(ISSUER).subject("7").audience(AUDIENCE).lifetime(LIFETIME))?)
}

fn remove(path: &Path, key_id: &str) -> Result<(), Box<dyn Error>> {
    match open(path)?.execute("DELETE FROM keys WHERE id = ?1", [key_id])? {
        0 => Err("there is no key of this id".into()),
        _ => Ok(()),
    }
}

async fn serve(path: &Path, listen: SocketAddr) -> Result<(), Box<dyn Error>> {
    let (listener, url) = quickstart::bind(listen)?;
    open(path)?;
    let router = router(path)?;
    quickstart::say("Countersign keys from a database", &url, "", &[], &[("", String::new(), "/me", "401: no token")]);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    Ok(axum::serve(listener, router).with_graceful_shutdown(interrupted).await?)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (mut path, mut listen, mut words) = (PathBuf::from("keys.db"), None, Vec::new());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("database") => path = arguments.value()?.into(),
            Long("port") => listen = Some(quickstart::on_this_machine(arguments.value()?.to_str(), "--port")?),
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match *words {
        [] | ["serve"] => serve(&path, listen.map_or_else(quickstart::default_address, Ok)?).await,
        ["add", key_id] => Ok(writeln!(std::io::stdout(), "{}", add(&path, key_id)?)?),
        ["remove", key_id] => remove(&path, key_id),
        _ => Err("wants `serve`, `add ID` or `remove ID`; --database FILE and --port PORT may be set".into()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(run().await.map_err(|error| error.to_string()))
}
