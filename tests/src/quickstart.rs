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
    let mut child = Command::new(executable(name))
        .args(["--listen", "127.0.0.1:0"])
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

    /// Runs each printed line, and answers how many there are.
    pub(crate) async fn keep_promises(&self) -> usize {
        let curls: Vec<_> = self.lines.iter().filter(|line| line.starts_with("curl ")).collect();
        for line in &curls {
            let (command, promise) = line.split_once("  # ").expect("a promise");
            let status = Command::new("sh")
                .args(["-c", &format!("{command} -s -o /dev/null -w '%{{http_code}}'")])
                .output()
                .await
                .expect("curl runs");
            let status = String::from_utf8_lossy(&status.stdout).into_owned();
            assert_eq!(status, promise[..3], "{}: {line:.60}… # {promise}", self.name);
        }
        curls.len()
    }
}

#[tokio::test]
async fn each_printed_curl_line_gets_what_it_promises() {
    for name in PROGRAMS {
        let lines = start(name).await.keep_promises().await;
        assert!(lines >= 15, "{name} prints {lines} lines");
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
        assert_eq!(program.call("POST", "/login", None, &large).await.status, 413, "{name}: a large body");
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

#[tokio::test]
async fn a_wrong_command_line_gets_one_clear_line() {
    let holding = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = holding.local_addr().expect("an address").to_string();
    let cases: [&[&str]; 4] =
        [&["--listen", "nowhere"], &["--listen", "0.0.0.0:0"], &["--listen"], &["--listen", &taken]];
    for name in PROGRAMS.into_iter().chain(["hybrid"]).chain(cookie_app::PROGRAMS) {
        for arguments in cases {
            let output = Command::new(executable(name)).args(arguments).output().await.expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{name} {arguments:?}");
            assert!(said.starts_with("error: ") && said.lines().count() == 1, "{name} {arguments:?}: {said}");
        }
    }
    drop(holding);
}
