//! The example `hybrid` over a real socket: its printed lines, who may read what, and the look-up that fails once.

use crate::quickstart::{Program, start_with_log};
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

/// What is slower than this hangs.
const HANGS: Duration = Duration::from_secs(30);

async fn start() -> Program {
    start_with_log("hybrid", Stdio::null()).await
}

#[tokio::test]
async fn each_printed_curl_line_gets_what_it_promises() {
    assert_eq!(start().await.keep_promises().await, 8);
}

#[tokio::test]
async fn admins_members_and_whoever_reads_what_is_public_may_and_others_may_not() {
    let program = start().await;
    let log_in = |user| program.log_in(json!({ "user": user }));
    let (admin, writer, reader) = (log_in("admin").await, log_in("writer").await, log_in("reader").await);
    let foreign = program.log_in(json!({"user": "admin", "audience": "another-api"})).await;
    let who = [None, Some("garbage"), Some(&*foreign), Some(&*admin), Some(&*writer), Some(&*reader)];
    // For each document: nobody, garbage, foreign, admin, writer, reader. For the admin the directory is not asked.
    for (id, expected) in [
        ("ledger", [401, 401, 401, 200, 503, 403]),
        ("ledger", [401, 401, 401, 200, 200, 403]),
        ("plan", [401, 401, 401, 200, 200, 403]),
        ("news", [401, 401, 401, 200, 200, 200]),
        ("none", [401, 401, 401, 404, 404, 404]),
    ] {
        for (who, (token, expected)) in who.into_iter().zip(expected).enumerate() {
            let answer = program.call("GET", &format!("/documents/{id}"), token, "").await;
            assert_eq!(answer.status, expected, "{id} {who}");
            assert_eq!(answer.header("retry-after").is_some(), expected == 503, "{id} {who}");
            assert_eq!(answer.body.contains(&format!("The {id} of the")), expected == 200, "{}", answer.body);
            assert!(expected == 200 || !answer.body.contains("team"), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn the_log_says_which_policy_could_not_tell_and_the_answer_does_not() {
    let mut program = start_with_log("hybrid", Stdio::piped()).await;
    let mut log = BufReader::new(program.child.stderr.take().expect("a pipe")).lines();
    let writer = program.log_in(json!({"user": "writer"})).await;
    let refused = program.call("GET", "/documents/ledger", Some(&writer), "").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5".to_owned())));
    assert!(!refused.body.contains("directory") && !refused.body.contains("documents"), "{}", refused.body);
    for expected in ["the directory failed", "team/failed", "status=503"] {
        let found = async {
            while let Some(line) = log.next_line().await.expect("text") {
                if line.contains(expected) {
                    return true;
                }
            }
            false
        };
        assert!(timeout(HANGS, found).await.expect("the line comes"), "{expected}");
    }
}
