//! The example `cookie_app` over real sockets, in three frameworks: logging in, whose request it is, logging out.

use crate::http::client::Answer;
use crate::quickstart::{Program, start};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

pub(crate) const PROGRAMS: [&str; 3] = ["cookie_app", "cookie_app_actix", "cookie_app_warp"];

/// What is slower than this hangs. Connections look by themselves after 30 s: what must be told at once is told before.
const HANGS: Duration = Duration::from_secs(20);

const OURS: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const THEIRS: (&str, &str) = ("Sec-Fetch-Site", "cross-site");
/// A page of the same host at another port.
const NEIGHBOURS: (&str, &str) = ("Sec-Fetch-Site", "same-site");

fn error(answer: &Answer) -> Option<String> {
    Some(serde_json::from_str::<Value>(&answer.body).ok()?["error"].as_str()?.to_owned())
}

/// Logs in and answers the value of `Cookie`.
async fn log_in(program: &Program, user: &str) -> String {
    let answer = program.send("POST", "/login", &[OURS], &json!({ "user": user }).to_string()).await;
    assert_eq!((answer.status, &*answer.body), (204, ""), "{}", program.name);
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    let set = answer.header("set-cookie").expect("a cookie");
    let (pair, attributes) = set.split_once("; ").expect("attributes");
    assert!(pair.starts_with("__Host-session=ey"), "{}: {pair}", program.name);
    assert_eq!(attributes, "Path=/; Secure; SameSite=Lax; Max-Age=600; HttpOnly", "{}", program.name);
    pair.to_owned()
}

async fn csrf_token(program: &Program, cookie: &str) -> String {
    let me = program.send("GET", "/me", &[("Cookie", cookie)], "").await;
    let me: Value = serde_json::from_str(&me.body).expect("JSON");
    me["csrf_token"].as_str().expect("a token").to_owned()
}

async fn notes(program: &Program, cookie: &str) -> Value {
    let notes = program.send("GET", "/notes", &[("Cookie", cookie)], "").await;
    assert_eq!(notes.status, 200, "{}: {}", program.name, notes.body);
    serde_json::from_str(&notes.body).expect("JSON")
}

#[tokio::test]
async fn each_printed_curl_line_gets_what_it_promises() {
    for name in PROGRAMS {
        assert_eq!(start(name).await.keep_promises().await, 12, "{name}");
    }
}

#[tokio::test]
async fn a_login_that_is_not_ours_sets_no_cookie() {
    for name in PROGRAMS {
        let program = start(name).await;
        let url = format!("http://{}", program.address);
        let neighbour = format!("http://{}:1", program.address.ip());
        let cases: [(&[(&str, &str)], &str, u16); 14] = [
            (&[OURS], r#"{"user":"writer"}"#, 204),
            (&[OURS], r#"{"user":"reader","lifetime":1}"#, 204),
            (&[("Origin", &url)], r#"{"user":"writer"}"#, 204),
            (&[("Sec-Fetch-Site", "none")], r#"{"user":"writer"}"#, 204),
            (&[], r#"{"user":"writer"}"#, 403),
            (&[THEIRS], r#"{"user":"writer"}"#, 403),
            (&[NEIGHBOURS, ("Origin", &neighbour)], r#"{"user":"writer"}"#, 403),
            (&[("Origin", "null")], r#"{"user":"writer"}"#, 403),
            (&[OURS, THEIRS], r#"{"user":"writer"}"#, 403),
            (&[OURS], r#"{"user":"admin"}"#, 401),
            (&[OURS], r#"{"user":"writer","lifetime":0}"#, 400),
            (&[OURS], r#"{"user":"writer","lifetime":601}"#, 400),
            (&[OURS], r#"{"user":"writer","roles":["admin"]}"#, 400),
            (&[OURS], "", 400),
        ];
        for (headers, body, status) in cases {
            let answer = program.send("POST", "/login", headers, body).await;
            assert_eq!(answer.status, status, "{name} {headers:?} {body}");
            assert_eq!(answer.header("set-cookie").is_some(), status == 204, "{name} {headers:?} {body}");
            assert_eq!(error(&answer).as_deref() == Some("cross_site_request"), status == 403, "{}", answer.body);
        }
        let large = format!(r#"{{"user":"{}"}}"#, "a".repeat(300_000));
        assert_eq!(program.send("POST", "/login", &[OURS], &large).await.status, 413, "{name}");
    }
}

#[tokio::test]
async fn a_change_is_made_by_our_own_page_or_with_a_token_of_the_session() {
    let mut seen = Vec::new();
    for name in PROGRAMS {
        let program = start(name).await;
        let (writer, reader) = (log_in(&program, "writer").await, log_in(&program, "reader").await);
        let (own, foreign) = (csrf_token(&program, &writer).await, csrf_token(&program, &reader).await);
        let origin = format!("http://{}", program.address);
        let written = ("Cookie", &*writer);
        let cases: [(&[(&str, &str)], u16, Option<&str>); 11] = [
            (&[OURS], 401, Some("unauthorized")),
            (&[written, OURS], 201, None),
            (&[written, ("Origin", &origin)], 201, None),
            (&[written, ("X-CSRF-Token", &own)], 201, None),
            (&[written, ("X-CSRF-Token", &own), THEIRS], 201, None),
            (&[written], 403, Some("cross_site_request")),
            (&[written, THEIRS], 403, Some("cross_site_request")),
            (&[written, NEIGHBOURS], 403, Some("cross_site_request")),
            (&[written, ("Origin", "https://evil.example")], 403, Some("cross_site_request")),
            (&[written, ("X-CSRF-Token", &foreign)], 403, Some("cross_site_request")),
            (&[("Cookie", &reader), OURS], 403, Some("insufficient_scope")),
        ];
        let mut surface = Vec::new();
        for (number, (headers, status, expected)) in cases.into_iter().enumerate() {
            let body = json!({ "text": format!("note {number}") }).to_string();
            let answer = program.send("POST", "/notes", headers, &body).await;
            assert_eq!((answer.status, error(&answer).as_deref()), (status, expected), "{name} {number}");
            let fields = ["www-authenticate", "content-type", "cache-control", "set-cookie"];
            surface.push((answer.status, fields.map(|field| answer.header(field)), answer.body));
        }
        let made: Vec<_> = (1..5).map(|number| json!({"author": "writer", "text": format!("note {number}")})).collect();
        assert_eq!(notes(&program, &reader).await, Value::Array(made), "{name}: and nothing else");
        seen.push(surface);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

#[tokio::test]
async fn who_logs_out_takes_the_worth_of_the_token_along() {
    for name in PROGRAMS {
        let program = start(name).await;
        let (leaving, other) = (log_in(&program, "writer").await, log_in(&program, "writer").await);
        let me = async |headers: &[(&str, &str)]| program.send("GET", "/me", headers, "").await.status;
        let before = [me(&[]).await, me(&[("Cookie", &leaving)]).await, me(&[("Cookie", &other)]).await];
        assert_eq!(before, [401, 200, 200], "{name}");

        for headers in [&[("Cookie", &*leaving), THEIRS][..], &[("Cookie", &*leaving)], &[OURS]] {
            let refused = program.send("POST", "/logout", headers, "").await;
            assert!([401, 403].contains(&refused.status) && refused.header("set-cookie").is_none(), "{name}");
        }
        assert_eq!(me(&[("Cookie", &leaving)]).await, 200, "{name}: nobody is logged out by another site");

        let out = program.send("POST", "/logout", &[("Cookie", &leaving), OURS], "").await;
        assert_eq!((out.status, out.header("cache-control").as_deref()), (204, Some("no-store")), "{name}");
        let cleared = "__Host-session=; Path=/; Secure; SameSite=Lax; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly";
        assert_eq!(out.header("set-cookie").as_deref(), Some(cleared), "{name}");
        let after = [me(&[]).await, me(&[("Cookie", &leaving)]).await, me(&[("Cookie", &other)]).await];
        assert_eq!(after, [401, 401, 200], "{name}: a copy is worth nothing, another session goes on");
    }
}

#[tokio::test]
async fn a_web_socket_is_for_our_own_page_and_ends_with_the_session() {
    for name in PROGRAMS {
        let program = start(name).await;
        let (leaving, other) = (log_in(&program, "reader").await, log_in(&program, "reader").await);
        let (ours, theirs) = (format!("http://{}", program.address), "https://evil.example");
        for (cookie, origin, status) in [
            (None, Some(&*ours), 401),
            (Some(&*leaving), None, 403),
            (Some(&*leaving), Some(theirs), 403),
            (Some(&*leaving), Some("null"), 403),
        ] {
            let upgrade = [
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ];
            let more =
                cookie.map(|cookie| ("Cookie", cookie)).into_iter().chain(origin.map(|origin| ("Origin", origin)));
            let headers: Vec<_> = upgrade.into_iter().chain(more).collect();
            let refused = program.send("GET", "/ws", &headers, "").await;
            assert_eq!(refused.status, status, "{name} {origin:?}: {}", refused.body);
        }

        let mut open = Vec::new();
        for cookie in [&leaving, &other] {
            let mut request = format!("ws://{}/ws", program.address).into_client_request().expect("a request");
            request.headers_mut().insert("cookie", cookie.parse().expect("a field value"));
            request.headers_mut().insert("origin", ours.parse().expect("a field value"));
            let stream = TcpStream::connect(program.address).await.expect("the server listens");
            open.push(tokio_tungstenite::client_async(request, stream).await.expect("an upgrade").0);
        }
        let out = program.send("POST", "/logout", &[("Cookie", &leaving), OURS], "").await;
        assert_eq!(out.status, 204, "{name}");
        let closing = timeout(HANGS, open[0].next()).await.expect("in time");
        let Some(Ok(Message::Close(Some(frame)))) = closing else { panic!("{name}: {closing:?}") };
        assert_eq!(u16::from(frame.code), 4401, "{name}");
        // The other session goes on: its connection answers.
        open[1].send(Message::Ping("a".into())).await.expect("sent");
        let answer = timeout(HANGS, open[1].next()).await.expect("in time");
        assert!(matches!(answer, Some(Ok(Message::Pong(_)))), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn the_page_runs_its_own_script_alone_and_is_kept_by_nobody() {
    for name in PROGRAMS {
        let program = start(name).await;
        let (page, again) = (program.send("GET", "/", &[], "").await, program.send("GET", "/", &[], "").await);
        assert_eq!((page.status, page.header("content-type").as_deref()), (200, Some("text/html; charset=utf-8")));
        assert_eq!(page.header("cache-control").as_deref(), Some("no-store"), "{name}");
        assert_eq!(page.header("x-content-type-options").as_deref(), Some("nosniff"), "{name}");
        let policy = page.header("content-security-policy").expect("a policy");
        for directive in ["default-src 'none';", "connect-src 'self';", "base-uri 'none';", "frame-ancestors 'none'"] {
            assert!(policy.contains(directive), "{name}: {policy}");
        }
        let (_, nonce) = policy.split_once("script-src 'nonce-").expect("a nonce");
        let nonce = &nonce[..32];
        assert_eq!(page.body.matches(&format!("nonce=\"{nonce}\"")).count(), 2, "{name}");
        assert!(!again.body.contains(nonce), "{name}: each answer has a nonce of its own");
        for foreign in ["innerHTML", "document.cookie", "http:", "https:", "onclick=\"", "NONCE"] {
            assert!(!page.body.contains(foreign), "{name}: {foreign}");
        }
    }
}
