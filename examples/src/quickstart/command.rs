use super::terminal::{self, Line, log_ins, say_and};
use super::{AUDIENCE, Demo, DemoIssuer};
use lexopt::prelude::*;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

const USAGE: &str = "Options:
  --port PORT       the port on 127.0.0.1 [default: that of the environment variable PORT, or 3000]; 0 picks a free one
  --listen ADDRESS  address and port, on this machine, such as [::1]:3000
  --help            this text";

/// Opens the demo's world and says what to try. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn start(framework: &str) -> Result<Option<(TcpListener, Demo)>, String> {
    let Some((listener, issuer)) = open()? else {
        return Ok(None);
    };
    let url = issuer.url().to_owned();
    let demo = Demo::new(issuer).map_err(|error| error.to_string())?;
    let first = format!("Open {url} in a browser: log in, look into the token, press the routes, try to cheat.\n\n");
    let last = format!(
        "It is an issuer for a service of yours too: JwksProvider::discover(\"{url}\").allow_http_on_loopback(), and the \
         audience {AUDIENCE}.\n"
    );
    say_and(
        &format!("Countersign quickstart with {framework}"),
        &url,
        &first,
        &log_ins(&url, &LOG_INS),
        &lines(),
        &last,
    );
    Ok(Some((listener, demo)))
}

/// Reads the command line, opens the socket and makes the issuer. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn open() -> Result<Option<(TcpListener, Arc<DemoIssuer>)>, String> {
    let Some(listen) = listen_address()? else {
        return Ok(None);
    };
    open_on(listen).map(Some)
}

/// Opens the socket and makes the issuer.
///
/// # Errors
/// One line for the person who started the program.
pub fn open_on(listen: SocketAddr) -> Result<(TcpListener, Arc<DemoIssuer>), String> {
    let (listener, url) = bind(listen)?;
    let issuer = DemoIssuer::new(url).map_err(|error| error.to_string())?;
    Ok((listener, Arc::new(issuer)))
}

/// Reads the command line and opens the socket, and says by which URL it is reached. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn listen() -> Result<Option<(TcpListener, String)>, String> {
    let Some(listen) = listen_address()? else {
        return Ok(None);
    };
    bind(listen).map(Some)
}

/// Opens a socket, and says by which URL it is reached.
///
/// # Errors
/// One line for the person who started the program.
pub fn bind(listen: SocketAddr) -> Result<(TcpListener, String), String> {
    let listener = TcpListener::bind(listen).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            format!("another program listens on {listen}: choose a port with --port or PORT; --port 0 picks a free one")
        }
        ErrorKind::PermissionDenied => {
            format!("this user may not listen on {listen}: choose a port above 1023 with --port or PORT")
        }
        _ => format!("cannot listen on {listen}: {error}; --port 0 picks a free port of 127.0.0.1"),
    })?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((listener, format!("http://{address}")))
}

fn listen_address() -> Result<Option<SocketAddr>, String> {
    let mut listen = None;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            Long("listen") => {
                let value = arguments.value().map_err(|error| error.to_string())?;
                let address = value.to_str().and_then(|text| text.parse().ok());
                listen = Some(address.ok_or("--listen wants an address such as 127.0.0.1:3000")?);
            }
            Long("port") => {
                let value = arguments.value().map_err(|error| error.to_string())?;
                listen = Some(on_this_machine(value.to_str(), "--port")?);
            }
            Long("help") | Short('h') => {
                let _ = writeln!(std::io::stdout(), "{USAGE}");
                return Ok(None);
            }
            other => return Err(format!("{}; --help lists the options", other.unexpected())),
        }
    }
    let listen = listen.map_or_else(default_address, Ok)?;
    if !listen.ip().is_loopback() {
        return Err(format!("--listen {listen}: the demo hands tokens to anybody, so it stays on this machine"));
    }
    Ok(Some(listen))
}

/// Where a program listens that is not told: the port of the environment variable `PORT`, or 3000.
///
/// # Errors
/// One line for the person who started the program.
pub fn default_address() -> Result<SocketAddr, String> {
    match std::env::var_os("PORT") {
        Some(port) => on_this_machine(port.to_str(), "PORT"),
        None => on_this_machine(Some("3000"), "PORT"),
    }
}

/// This port on this machine, which `setting` has set.
///
/// # Errors
/// One line for the person who started the program.
pub fn on_this_machine(port: Option<&str>, setting: &str) -> Result<SocketAddr, String> {
    let port = port.and_then(|text| text.parse().ok());
    let port = port.ok_or_else(|| format!("{setting} wants a number from 0 to 65535, such as 3000"))?;
    Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

/// The tokens that the lines name, and what is asked for at the login.
const LOG_INS: [(&str, &str); 5] = [
    ("ADMIN", r#"{"user":"admin"}"#),
    ("WRITER", r#"{"user":"writer"}"#),
    ("READER", r#"{"user":"reader"}"#),
    ("EXPIRED", r#"{"user":"admin","lifetime":-600}"#),
    ("FOREIGN", r#"{"user":"admin","audience":"another-api"}"#),
];

fn lines() -> [Line; 20] {
    let nobody = String::new;
    let with = terminal::bearer;
    let login = r#"-d '{"user":"admin"}' "#.to_owned();
    let token = r#"-d "$FOREIGN" "#.to_owned();
    [
        ("", nobody(), "/public", "200 for anybody"),
        ("", login, "/login", "200 with a token"),
        ("", nobody(), "/.well-known/jwks.json", "200 with the keys"),
        ("", nobody(), "/greeting", "200 for a stranger"),
        ("", with("$READER"), "/greeting", "200 for the reader, by name"),
        ("", with("garbage"), "/greeting", "401: optional is not careless"),
        ("", nobody(), "/me", "401 without a token"),
        ("", with("$READER"), "/me", "200 with the claims"),
        ("-I ", with("$READER"), "/me", "200 without a body"),
        ("", with("$EXPIRED"), "/me", "401: expired"),
        ("", with("$FOREIGN"), "/me", "401: for another API"),
        ("", token, "/explain", "200 with every check of that token"),
        ("", with("garbage"), "/me", "401: no token at all"),
        ("", with("$READER"), "/posts", "200: the reader may read"),
        ("-X POST ", with("$READER"), "/posts", "403: the reader may not write"),
        ("-X POST ", with("$WRITER"), "/posts", "201: the writer may"),
        ("-X POST ", with("$ADMIN"), "/posts", "201: the admin may what the writer may"),
        ("-X DELETE ", with("$WRITER"), "/admin", "403: the writer is no admin"),
        ("-X DELETE ", with("$ADMIN"), "/admin", "200: the admin is"),
        ("-X DELETE ", nobody(), "/posts", "405: no such method here"),
    ]
}
