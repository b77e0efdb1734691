//! The quickstart as a person meets it: three programs, their printed `curl` lines, and the same answers from each.

use crate::cookie_app;
use crate::http::client::{Answer, send};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const PROGRAMS: [&str; 3] = ["quickstart", "quickstart_actix", "quickstart_warp"];

/// A running program. It ends when it is dropped.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// What it printed, up to its last line.
    pub(crate) lines: Vec<String>,
    pub(crate) child: Child,
}

/// Examples are built beside the tests: `target/debug/examples` beside `target/debug/deps`.
pub(crate) fn executable(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a path");
    let target = tests.parent().and_then(|deps| deps.parent()).expect("a target folder");
    let path = target.join("examples").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --examples` first", path.display());
    path
}

pub(crate) async fn start(name: &'static str) -> Program {
    start_with_log(name, Stdio::inherit()).await
}

/// Starts a program whose stderr goes to `log`.
pub(crate) async fn start_with_log(name: &'static str, log: Stdio) -> Program {
    start_with(name, &["--port", "0"], log).await
}

/// Starts a program with these arguments.
pub(crate) async fn start_with(name: &'static str, arguments: &[&str], log: Stdio) -> Program {
    let mut child = Command::new(executable(name))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut lines = Vec::new();
    while let Some(line) = output.next_line().await.expect("text") {
        let is_last = line.starts_with("Ctrl-C");
        lines.push(line);
        if is_last {
            break;
        }
    }
    let (_, address) = lines[0].split_once("http://").expect("the first line says where");
    let address = address.parse().expect("an address");
    Program { name, address, lines, child }
}

impl Program {
    /// Sends these header fields and no others of its own.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        send(self.address, method, path, &headers, body.as_bytes()).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        let headers: Vec<_> =
            token.iter().map(|token| ("Authorization".to_owned(), format!("Bearer {token}").into_bytes())).collect();
        send(self.address, method, path, &headers, body.as_bytes()).await
    }

    pub(crate) async fn log_in(&self, body: Value) -> String {
        let answer = self.call("POST", "/login", None, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}: {}", self.name, answer.body);
        let login: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(login["token_type"], "Bearer");
        login["access_token"].as_str().expect("a token").to_owned()
    }

    /// Pastes into a shell what is printed for one, and answers how many lines promise something.
    pub(crate) async fn keep_promises(&self) -> usize {
        let is_set = |line: &str| line.split_once("=$(").is_some_and(|(name, _)| name.chars().all(char::is_uppercase));
        let log_ins = self.lines.iter().filter(|line| line.starts_with("token()") || is_set(line));
        let mut script: String = log_ins.map(|line| format!("{line}\n")).collect();
        let curls: Vec<_> = self.lines.iter().filter(|line| line.starts_with("curl ")).collect();
        for line in &curls {
            let (command, _) = line.split_once("  # ").expect("a promise");
            script.push_str(&format!("{command} -s -o /dev/null -w '%{{http_code}}\\n'\n"));
        }
        let answered = Command::new("sh").args(["-c", &script]).output().await.expect("curl runs");
        let answered = String::from_utf8_lossy(&answered.stdout).into_owned();
        let answered: Vec<_> = answered.lines().collect();
        assert_eq!(answered.len(), curls.len(), "{}: {answered:?}", self.name);
        for (status, line) in answered.into_iter().zip(&curls) {
            assert!(line.contains(&format!("  # {status}")), "{}: {status}: {line}", self.name);
        }
        curls.len()
    }
}

#[tokio::test]
async fn each_printed_curl_line_gets_what_it_promises() {
    for name in PROGRAMS {
        let program = start(name).await;
        let lines = program.keep_promises().await;
        assert!(lines >= 15, "{name} prints {lines} lines");
        let discover = format!("discover(\"http://{}\").allow_http_on_loopback()", program.address);
        assert!(program.lines.iter().rev().nth(1).is_some_and(|line| line.contains(&discover)), "{name}");
    }
}

#[tokio::test]
async fn the_twins_answer_alike() {
    let mut surfaces = Vec::new();
    for name in PROGRAMS {
        let program = start(name).await;
        let reader = program.log_in(json!({"user": "reader"})).await;
        let writer = program.log_in(json!({"user": "writer"})).await;
        let admin = program.log_in(json!({"user": "admin", "lifetime": 60})).await;
        let expired = program.log_in(json!({"user": "admin", "lifetime": -86400})).await;
        let foreign = program.log_in(json!({"user": "admin", "audience": "another-api"})).await;
        let tokens =
            [None, Some("garbage"), Some(&*reader), Some(&*writer), Some(&*admin), Some(&*expired), Some(&*foreign)];
        let routes = [
            ("GET", "/public"),
            ("HEAD", "/public"),
            ("GET", "/me"),
            ("HEAD", "/me"),
            ("GET", "/greeting"),
            ("HEAD", "/greeting"),
            ("GET", "/posts"),
            ("HEAD", "/posts"),
            ("POST", "/posts"),
            ("DELETE", "/admin"),
        ];
        let mut surface = Vec::new();
        for (method, path) in routes {
            for (who, token) in tokens.iter().enumerate() {
                let answer = program.call(method, path, *token, "").await;
                surface.push((method, path, who, comparable(&program, &answer)));
            }
        }
        for body in [
            r#"{"user":"nobody"}"#,
            r#"{"user":"admin","lifetime":86401}"#,
            r#"{"user":"admin","lifetime":-86401}"#,
            r#"{"user":"#,
            "",
        ] {
            surface.push((
                "POST",
                "/login",
                0,
                comparable(&program, &program.call("POST", "/login", None, body).await),
            ));
        }
        surface.push((
            "GET",
            "/.well-known/openid-configuration",
            0,
            comparable(&program, &program.call("GET", "/.well-known/openid-configuration", None, "").await),
        ));
        for lifetime in [0, -1, -29] {
            let over = program.log_in(json!({"user": "admin", "lifetime": lifetime})).await;
            assert_eq!(program.call("GET", "/me", Some(&over), "").await.status, 401, "{name}: {lifetime} s");
        }
        let large = format!(r#"{{"user":"admin","audience":"{}"}}"#, "a".repeat(300_000));
        for path in ["/login", "/explain"] {
            assert_eq!(program.call("POST", path, None, &large).await.status, 413, "{name}: a large body, {path}");
        }
        let jwks = program.call("GET", "/.well-known/jwks.json", None, "").await;
        let jwks: Value = serde_json::from_str(&jwks.body).expect("JSON");
        let algorithms: Vec<_> = jwks["keys"].as_array().expect("keys").iter().map(|key| &key["alg"]).collect();
        assert_eq!(algorithms, ["RS256", "ES256"], "{name}");
        surfaces.push((name, surface));
    }
    let statuses: Vec<_> = surfaces[0].1.iter().map(|(.., answer)| answer.0).collect();
    // For each route: nobody, garbage, reader, writer, admin, expired, foreign.
    let expected = [
        [200; 7],
        [200; 7],
        [401, 401, 200, 200, 200, 401, 401],
        [401, 401, 200, 200, 200, 401, 401],
        [200, 401, 200, 200, 200, 401, 401],
        [200, 401, 200, 200, 200, 401, 401],
        [401, 401, 200, 200, 200, 401, 401],
        [401, 401, 200, 200, 200, 401, 401],
        [401, 401, 403, 201, 201, 401, 401],
        [401, 401, 403, 403, 200, 401, 401],
    ];
    assert_eq!(statuses[..70], expected.concat());
    assert_eq!(statuses[70..], [401, 400, 400, 400, 400, 200]);
    for (name, surface) in &surfaces[1..] {
        for (first, other) in surfaces[0].1.iter().zip(surface) {
            assert_eq!(first, other, "{} and {name} differ", surfaces[0].0);
        }
    }
}

/// What must be equal, without what each process and each token has of its own.
fn comparable(program: &Program, answer: &Answer) -> (u16, [Option<String>; 4], String) {
    let headers = ["www-authenticate", "content-type", "cache-control", "retry-after"];
    let mut body = answer.body.replace(&program.address.to_string(), "ADDRESS");
    if let Ok(Value::Object(mut claims)) = serde_json::from_str::<Value>(&answer.body)
        && claims.contains_key("jti")
    {
        let names: Vec<_> = claims.keys().cloned().collect();
        assert!(
            body.find(&format!("\"{}\"", names[0])) < body.find(&format!("\"{}\"", names[1])),
            "members are sorted"
        );
        for name in ["jti", "iat", "exp", "iss"] {
            claims.remove(name);
        }
        body = Value::Object(claims).to_string();
    }
    (answer.status, headers.map(|name| answer.header(name)), body)
}

/// A page without what each answer has of its own.
fn without_nonce(page: &Answer) -> (String, String) {
    let policy = page.header("content-security-policy").expect("a policy");
    let (_, rest) = policy.split_once("script-src 'nonce-").expect("a nonce");
    let (nonce, _) = rest.split_once('\'').expect("its end");
    assert_eq!(nonce.len(), 32);
    (page.body.replace(nonce, ""), policy.replace(nonce, ""))
}

#[tokio::test]
async fn the_page_and_what_it_asks_are_the_same_in_each_program() {
    let mut pages = Vec::new();
    for name in PROGRAMS {
        let program = start(name).await;
        let page = program.call("GET", "/", None, "").await;
        let again = program.call("GET", "/", None, "").await;
        assert_ne!(page.body, again.body, "{name}: each answer has a nonce of its own");
        assert_eq!(without_nonce(&page), without_nonce(&again), "{name}");
        assert_eq!(program.call("HEAD", "/", None, "").await.status, 200, "{name}");

        let reader = program.log_in(json!({"user": "reader"})).await;
        let expired = program.log_in(json!({"user": "reader", "lifetime": -60, "audience": "another-api"})).await;
        let tampered = format!("{reader}A");
        let mut told = Vec::new();
        for (token, failing) in [
            (&*reader, vec![]),
            (&*expired, vec!["aud", "exp"]),
            (&*tampered, vec!["signature"]),
            ("<b>", vec!["parts"]),
            ("\u{e9}", vec!["parts"]),
            ("", vec!["parts"]),
        ] {
            let answer = program.call("POST", "/explain", None, token).await;
            assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store".into())), "{name}");
            let explained: Value = serde_json::from_str(&answer.body).expect("JSON");
            let checks = explained["checks"].as_array().expect("checks");
            let failed: Vec<_> = checks.iter().filter(|check| check["outcome"] == "failed").collect();
            let names: Vec<_> = failed.iter().map(|check| check["check"].as_str().expect("a name")).collect();
            assert_eq!(names, failing, "{name}: {token}");
            assert_eq!(explained["is_accepted"], failing.is_empty(), "{name}: {token}");
            told.push(answer.body);
        }
        pages.push((without_nonce(&page), told));
    }
    let ((page, policy), _) = &pages[0];
    assert!(page.starts_with("<!doctype html>") && !page.contains("http://") && !page.contains("https://"), "{page}");
    assert!(!page.contains("innerHTML") && !page.contains("style=") && !page.contains("onclick="), "{page}");
    assert_eq!(
        policy,
        "default-src 'none'; script-src 'nonce-'; style-src 'nonce-'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    assert!(pages.iter().all(|other| *other == pages[0]));
}

const OTHERS: [&str; 6] =
    ["hybrid", "multi_tenant", "own_adapter", "signing_with_rotation", "keys_from_database", "tonic_service"];

/// They read their options by themselves, and have no `--listen`.
const OF_THEIR_OWN: [&str; 2] = ["keys_from_database", "tonic_service"];

#[tokio::test]
async fn a_wrong_command_line_gets_one_clear_line() {
    let holding = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = holding.local_addr().expect("an address").to_string();
    let port = taken.rsplit(':').next().expect("a port");
    let cases: [(&[&str], &str); 9] = [
        (&["--listen", "nowhere"], "--listen wants"),
        (&["--listen", "0.0.0.0:0"], "stays on this machine"),
        (&["--listen"], "--listen"),
        (&["--listen", &taken], "--port 0 picks a free one"),
        (&["--port", port], "--port 0 picks a free one"),
        (&["--port", "65536"], "--port wants a number"),
        (&["--port", "-1"], "--port wants a number"),
        (&["--prot", "1"], "--help lists the options"),
        (&[], "PORT wants a number"),
    ];
    for name in PROGRAMS.into_iter().chain(OTHERS).chain(cookie_app::PROGRAMS) {
        for (arguments, expected) in cases {
            if OF_THEIR_OWN.contains(&name) && arguments.first().is_some_and(|first| *first != "--port") {
                continue;
            }
            let mut command = Command::new(executable(name));
            let output = command.args(arguments).env("PORT", "nowhere").output().await.expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains(expected), "{name} {arguments:?}: {said}");
            assert!(said.starts_with("error: ") && said.lines().count() == 1, "{name} {arguments:?}: {said}");
        }
    }
    drop(holding);
}
