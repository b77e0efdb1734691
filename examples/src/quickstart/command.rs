use super::{AUDIENCE, Demo, DemoIssuer, guard};
use countersign::issue::IssueError;
use lexopt::prelude::*;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

const USAGE: &str = "Options:
  --listen ADDRESS  where to listen, on this machine [default: 127.0.0.1:3000]; port 0 picks a free one
  --help            this text";

/// Opens the demo's world and says what to try. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn start(framework: &str) -> Result<Option<(TcpListener, Demo)>, String> {
    let Some((listener, issuer)) = open()? else {
        return Ok(None);
    };
    let guard = guard(issuer.url()).map_err(|error| error.to_string())?;
    let title = format!("Countersign quickstart with {framework}");
    say(&title, issuer.url(), "", &lines(&issuer).map_err(|error| error.to_string())?);
    Ok(Some((listener, Demo { issuer, guard })))
}

/// Reads the command line, opens the socket and makes the issuer. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn open() -> Result<Option<(TcpListener, Arc<DemoIssuer>)>, String> {
    let Some((listener, url)) = listen()? else {
        return Ok(None);
    };
    let issuer = DemoIssuer::new(url).map_err(|error| error.to_string())?;
    Ok(Some((listener, Arc::new(issuer))))
}

/// Reads the command line and opens the socket, and says by which URL it is reached. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn listen() -> Result<Option<(TcpListener, String)>, String> {
    let Some(listen) = listen_address()? else {
        return Ok(None);
    };
    let listener = TcpListener::bind(listen)
        .map_err(|error| format!("cannot listen on {listen}: {error} (--listen 127.0.0.1:0 picks a free port)"))?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok(Some((listener, format!("http://{address}"))))
}

fn listen_address() -> Result<Option<SocketAddr>, String> {
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 3000));
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            Long("listen") => {
                let value = arguments.value().map_err(|error| error.to_string())?;
                listen = value
                    .to_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or("--listen wants an address such as 127.0.0.1:3000")?;
            }
            Long("help") | Short('h') => {
                let _ = writeln!(std::io::stdout(), "{USAGE}");
                return Ok(None);
            }
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    if !listen.ip().is_loopback() {
        return Err(format!("--listen {listen}: the demo hands tokens to anybody, so it stays on this machine"));
    }
    Ok(Some(listen))
}

/// A line to paste: method, header fields and path for curl, and the answer that it should get.
pub type Line = (&'static str, String, &'static str, &'static str);

/// Says where the program listens and what to try: `first`, and then the lines.
pub fn say(title: &str, url: &str, first: &str, lines: &[Line]) {
    let mut text = format!("{title}, listening on {url}\n\n{first}");
    text.push_str("Paste a line; behind the # stands what it should answer. Tokens last ten minutes.\n\n");
    for (method, headers, path, answer) in lines {
        text.push_str(&format!("curl -i {method}{headers}{url}{path}  # {answer}\n"));
    }
    text.push_str("\nCtrl-C ends it.\n");
    print(&text);
}

/// Writes to standard output. A closed pipe is no reason not to serve.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn lines(issuer: &DemoIssuer) -> Result<[Line; 19], IssueError> {
    let nobody = String::new;
    let admin = || issuer.bearer("admin", 600, AUDIENCE);
    let writer = || issuer.bearer("writer", 600, AUDIENCE);
    let reader = || issuer.bearer("reader", 600, AUDIENCE);
    let garbage = || "-H 'Authorization: Bearer garbage' ".to_owned();
    let login = "-H 'Content-Type: application/json' -d '{\"user\":\"admin\"}' ".to_owned();
    Ok([
        ("", nobody(), "/public", "200 for anybody"),
        ("", login, "/login", "200 with a token"),
        ("", nobody(), "/.well-known/jwks.json", "200 with the keys"),
        ("", nobody(), "/greeting", "200 for a stranger"),
        ("", reader()?, "/greeting", "200 for the reader, by name"),
        ("", garbage(), "/greeting", "401: optional is not careless"),
        ("", nobody(), "/me", "401 without a token"),
        ("", reader()?, "/me", "200 with the claims"),
        ("-I ", reader()?, "/me", "200 without a body"),
        ("", issuer.bearer("admin", -600, AUDIENCE)?, "/me", "401: expired"),
        ("", issuer.bearer("admin", 600, "another-api")?, "/me", "401: for another API"),
        ("", garbage(), "/me", "401: no token at all"),
        ("", reader()?, "/posts", "200: the reader may read"),
        ("-X POST ", reader()?, "/posts", "403: the reader may not write"),
        ("-X POST ", writer()?, "/posts", "201: the writer may"),
        ("-X POST ", admin()?, "/posts", "201: the admin may what the writer may"),
        ("-X DELETE ", writer()?, "/admin", "403: the writer is no admin"),
        ("-X DELETE ", admin()?, "/admin", "200: the admin is"),
        ("-X DELETE ", nobody(), "/posts", "405: no such method here"),
    ])
}

/// Ends the program: quietly, or with one line on what went wrong.
#[must_use]
pub fn exit_code(outcome: Result<(), String>) -> std::process::ExitCode {
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "error: {problem}");
            std::process::ExitCode::FAILURE
        }
    }
}
