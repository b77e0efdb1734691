//! The examples as a person meets them. Their clock is the system's: some tokens last a few seconds.

use super::client::Client;
use super::{closing, expired};
use crate::quickstart::start;
use serde_json::{Value, json};
use tokio::process::Command;

const PROGRAMS: [&str; 3] = ["websocket", "websocket_actix", "websocket_warp"];

#[tokio::test]
async fn each_printed_curl_line_gets_what_it_promises() {
    for name in PROGRAMS {
        let program = start(name).await;
        let log_in = program.lines.iter().find(|line| line.starts_with("TOKEN=")).expect("a line that logs in");
        let curls: Vec<_> = program.lines.iter().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(curls.len(), 3, "{name}");
        for line in curls {
            let (command, promise) = line.split_once("  # ").expect("a promise");
            // What lasts is given up after a second.
            let script = format!("{log_in}; {command} -s -m 1 -o /dev/null -w '%{{http_code}}'");
            let status = Command::new("sh").args(["-c", &script]).output().await.expect("curl runs");
            let status = String::from_utf8_lossy(&status.stdout).into_owned();
            assert_eq!(status, promise[..3], "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn the_twins_close_and_renew_alike() {
    for name in PROGRAMS {
        let program = start(name).await;
        let short = program.log_in(json!({"user": "admin", "lifetime": 3})).await;
        let ends = Client::open(program.address, "/echo", &short).await;

        let token = program.log_in(json!({"user": "writer", "lifetime": 60})).await;
        let mut client = Client::open(program.address, "/echo", &token).await;
        for text in ["hello", "{\"token\": 7}", "{\"token\": \"a\", \"b\": 1}"] {
            assert_eq!(client.ask(text).await, text, "{name}");
        }
        let longer = program.log_in(json!({"user": "writer"})).await;
        let answer = client.ask(&json!({"token": longer}).to_string()).await;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert!(answer["renewed_until"].is_u64(), "{name}: {answer}");
        let other = program.log_in(json!({"user": "admin"})).await;
        for (token, reason) in [("garbage", "malformed"), (other.as_str(), "subject")] {
            let answer = client.ask(&json!({"token": token}).to_string()).await;
            assert_eq!(answer, json!({"not_renewed": reason}).to_string(), "{name}");
        }

        assert_eq!(ends.close().await, expired(), "{name}");
        assert_eq!(client.ask("still here").await, "still here", "{name}");
        assert_eq!(program.call("POST", "/logout", Some(&longer), "").await.status, 204, "{name}");
        assert_eq!(client.close().await, closing(4401, "The access token has been revoked"), "{name}");
        assert_eq!(program.call("GET", "/seconds", Some(&longer), "").await.status, 401, "{name}");
    }
}
