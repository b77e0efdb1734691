use super::{COOKIE, CookieApp, LONGEST_LIFETIME};
use crate::quickstart::{self, Line};
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

const FIRST: &str =
    "Open it in a browser that keeps `Secure` cookies from this machine without TLS, as Chromium does.\n\n";

/// Opens the socket, makes the service and says what to try. `None` when only help was asked for.
///
/// # Errors
/// One line for the person who started the program.
pub fn start(framework: &str) -> Result<Option<(TcpListener, Arc<CookieApp>)>, String> {
    let Some((listener, url)) = quickstart::listen()? else {
        return Ok(None);
    };
    let app = CookieApp::new(&url).map_err(|error| error.to_string())?;
    let title = format!("Countersign cookie app with {framework}");
    quickstart::say(&title, &url, FIRST, &[], &lines(&app).map_err(|error| error.to_string())?);
    Ok(Some((listener, Arc::new(app))))
}

fn lines(app: &CookieApp) -> Result<[Line; 12], Box<dyn Error>> {
    let token = |user| app.token(user, Duration::from_secs(LONGEST_LIFETIME));
    let (reader, writer, leaving) = (token("reader")?, token("writer")?, token("writer")?);
    let with = |token: &str, field: &str| format!("-H 'Cookie: {COOKIE}={token}' {field}");
    let proof = format!("-H 'X-CSRF-Token: {}' ", app.csrf_tokens.issue(&writer)?);
    let foreign = format!("-H 'X-CSRF-Token: {}' ", app.csrf_tokens.issue(&reader)?);
    let (ours, theirs) = ("-H 'Sec-Fetch-Site: same-origin' ", "-H 'Sec-Fetch-Site: cross-site' ");
    let user = "-d '{\"user\":\"writer\"}' ";
    let note = |token: &str, field: &str| with(token, &format!("{field}-d '{{\"text\":\"a note\"}}' "));
    Ok([
        ("", format!("{ours}{user}"), "/login", "204 with the cookie"),
        ("", format!("{theirs}{user}"), "/login", "403: another site's login"),
        ("", String::new(), "/me", "401 without the cookie"),
        ("", with(&writer, ""), "/me", "200 with it, and with an anti-CSRF token"),
        ("", note(&writer, ours), "/notes", "201: ours, as browsers say"),
        ("", note(&writer, theirs), "/notes", "403: another site's request"),
        ("", note(&writer, ""), "/notes", "403: nobody says whose it is"),
        ("", note(&writer, &proof), "/notes", "201: a token of the session says it"),
        ("", note(&writer, &foreign), "/notes", "403: a token of another session"),
        ("", note(&reader, ours), "/notes", "403: the reader may not write"),
        ("-X POST ", with(&leaving, ours), "/logout", "204: the cookie is gone, and the token revoked"),
        ("", with(&leaving, ""), "/me", "401: a copy of it is worth nothing"),
    ])
}
