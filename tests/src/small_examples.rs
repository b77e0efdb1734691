//! The smaller examples as a person meets them: their printed lines, and what each of them is there to show.

use crate::http::client::{Answer, send};
use crate::quickstart::{Program, executable, start, start_with};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

#[tokio::test]
async fn each_printed_curl_line_gets_what_it_promises() {
    for (name, lines) in [("multi_tenant", 8), ("own_adapter", 6), ("signing_with_rotation", 6), ("tonic_service", 1)] {
        assert_eq!(start(name).await.keep_promises().await, lines, "{name}");
    }
}

fn problem(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test]
async fn a_tenant_whose_issuer_is_out_of_order_stands_alone() {
    let program = start("multi_tenant").await;
    let read = async |login: Value| {
        let token = program.log_in(login).await;
        program.call("GET", "/posts", Some(&token), "").await
    };
    for tenant in ["acme", "globex"] {
        let answer = read(json!({ "tenant": tenant })).await;
        assert_eq!(
            (answer.status, problem(&answer)["message"].clone()),
            (200, json!(format!("The posts of {tenant}")))
        );
    }
    let out_of_order = read(json!({"tenant": "initech"})).await;
    assert_eq!(out_of_order.status, 503);
    assert!(out_of_order.header("retry-after").is_some() && out_of_order.header("www-authenticate").is_none());
    // Each in the name of each other, and for each other's API.
    for (tenant, other) in [("acme", "globex"), ("globex", "acme"), ("acme", "initech")] {
        for login in [json!({"tenant": tenant, "signed_by": other}), json!({"tenant": tenant, "audience": other})] {
            assert_eq!(read(login.clone()).await.status, 401, "{login}");
        }
    }
    let unknown = read(json!({"tenant": "nobody-knows"})).await;
    assert_eq!((unknown.status, problem(&unknown)["error"].clone()), (401, json!("invalid_token")));
}

#[tokio::test]
async fn an_adapter_of_ones_own_refuses_as_axum_does() {
    let (own, axum) = (start("own_adapter").await, start("quickstart").await);
    let said = async |program: &Program, method: &str, path: &str, login: Option<Value>| {
        let token = match login {
            Some(login) => Some(program.log_in(login).await),
            None => None,
        };
        let answer = program.call(method, path, token.as_deref(), "").await;
        let fields = ["www-authenticate", "content-type", "cache-control", "x-content-type-options", "vary"];
        (answer.status, fields.map(|name| answer.header(name)), answer.body)
    };
    for (method, path, login, status) in [
        ("GET", "/me", None, 401),
        ("GET", "/me", Some(json!({"user": "admin", "lifetime": -60})), 401),
        ("GET", "/me", Some(json!({"user": "admin", "audience": "another-api"})), 401),
        ("DELETE", "/admin", Some(json!({"user": "writer"})), 403),
        ("DELETE", "/admin", Some(json!({"user": "admin"})), 200),
    ] {
        let seen = said(&own, method, path, login.clone()).await;
        assert_eq!(seen.0, status, "{method} {path} {login:?}");
        assert_eq!(seen, said(&axum, method, path, login.clone()).await, "{method} {path} {login:?}");
    }
    let large = "a".repeat(300_000);
    assert_eq!(own.call("POST", "/login", None, &large).await.status, 413);
}

#[tokio::test]
async fn tokens_of_before_and_after_a_rotation_are_good() {
    let program = start("signing_with_rotation").await;
    let mut tokens = Vec::new();
    for number in 1..=4 {
        tokens.push(program.log_in(json!({})).await);
        for (token, signed_by) in tokens.iter().zip(1..) {
            let me = program.call("GET", "/me", Some(token), "").await;
            let said = json!(format!("Signed by key-{signed_by}"));
            assert_eq!((me.status, problem(&me)["message"].clone()), (200, said), "key-{number} signs");
        }
        assert_eq!(program.call("POST", "/rotate", None, "").await.status, 204);
    }
}

/// A folder that is removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `keys_from_database` with these words: whether it went well, and what it wrote.
async fn tell(database: &Path, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(executable("keys_from_database"));
    let output = command.arg("--database").arg(database).args(words).output().await.expect("it runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[tokio::test]
async fn keys_count_while_they_stand_in_the_database_and_nothing_does_while_it_cannot_be_read() {
    let folder = Folder::new("keys");
    let (database, elsewhere) = (folder.0.join("keys.db"), folder.0.join("elsewhere.db"));
    let path = database.to_str().expect("UTF-8");
    let program = start_with("keys_from_database", &["--database", path, "--port", "0"], Stdio::inherit()).await;
    let status = async |token: &str| program.call("GET", "/me", Some(token), "").await.status;

    let (_, first) = tell(&database, &["add", "first"]).await;
    assert_eq!(status(&first).await, 200);
    let (_, second) = tell(&database, &["add", "second"]).await;
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    assert!(!tell(&database, &["add", "first"]).await.0, "an id names one key");
    assert_eq!(status(&first).await, 200, "the key that had the id still has it");

    assert!(tell(&database, &["remove", "first"]).await.0);
    assert_eq!((status(&first).await, status(&second).await), (401, 200));
    assert!(!tell(&database, &["remove", "first"]).await.0, "it is gone");

    fs::rename(&database, &elsewhere).expect("the file moves");
    let down = program.call("GET", "/me", Some(&second), "").await;
    assert_eq!((down.status, down.header("retry-after")), (503, Some("1".to_owned())), "it cannot be read");
    assert!(!down.body.contains("keys.db") && !down.body.contains("unable"), "{}", down.body);
    assert!(!database.exists(), "and is not made anew, empty");
    fs::write(
        &database,
        "this is no database, and as long as the header of one would be, and a little longer than that",
    )
    .expect("a file");
    assert_eq!((status(&first).await, status(&second).await), (503, 503), "nor can that");
    fs::rename(&elsewhere, &database).expect("the file moves");
    assert_eq!((status(&first).await, status(&second).await), (401, 200));
}

#[tokio::test]
async fn a_grpc_client_is_told_the_code_that_fits() {
    let program = start_with("tonic_service", &["--port", "0"], Stdio::inherit()).await;
    let url = format!("http://{}", program.address);
    for (login, expected) in [
        (Some(json!({"user": "writer"})), "writer wrote: hello"),
        (Some(json!({"user": "reader"})), "PermissionDenied: a good token, and it does not suffice"),
        (Some(json!({"user": "writer", "lifetime": -60})), "Unauthenticated: no token, or one that proves nothing"),
        (None, "Unauthenticated: no token, or one that proves nothing"),
    ] {
        let mut command = Command::new(executable("tonic_service"));
        command.args(["--ask", &url]).env_remove("TOKEN");
        if let Some(login) = &login {
            command.env("TOKEN", program.log_in(login.clone()).await);
        }
        let output = command.output().await.expect("it runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{login:?}");
    }
    let post = send(program.address, "POST", "/example.Posts/Write", &[], b"").await;
    assert_eq!((post.status, &*post.body), (401, ""), "over HTTP/1.1 too");
}
