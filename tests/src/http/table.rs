//! The project's own table, `tests/data/http_cases.jsonl`.

use super::client::send;
use super::servers::start_all;
use super::world::Tokens;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Write;

/// One line of the table. What a denial looks like follows from `detail` and `error`; `body` is for other answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(default = "default_world")]
    world: String,
    #[serde(default = "default_method")]
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    status: u16,
    #[serde(default)]
    challenge: Option<String>,
    #[serde(default)]
    retry_after: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    body: Option<String>,
}

fn default_world() -> String {
    "default".to_owned()
}

fn default_method() -> String {
    "GET".to_owned()
}

impl Case {
    /// Content-Type and body of the answer; `None` where the table leaves it to the framework.
    fn content(&self) -> Option<(Option<&'static str>, String)> {
        if self.method == "HEAD" {
            return Some((Some("application/problem+json").filter(|_| self.error.is_some()), String::new()));
        }
        let (Some(error), Some(detail)) = (&self.error, &self.detail) else {
            return self.body.clone().map(|body| (None, body));
        };
        let status = self.status;
        let title = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            503 => "Service Unavailable",
            other => panic!("{}: no denial has status {other}", self.id),
        };
        Some(match self.world.as_str() {
            "plain" => (Some("application/json"), format!(r#"{{"error":"{error}","error_description":"{detail}"}}"#)),
            "empty" => (Some(""), String::new()),
            "own" => (Some("text/plain; charset=utf-8"), format!("no: {error}")),
            _ => (
                Some("application/problem+json"),
                format!(
                    r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}","error":"{error}"}}"#
                ),
            ),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_adapters_answer_the_shared_table_alike() {
    let table = include_str!("../../data/http_cases.jsonl");
    let cases: Vec<Case> =
        table.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let tokens = Tokens::new();
    let mut worlds = HashMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        if !worlds.contains_key(&case.world) {
            worlds.insert(case.world.clone(), start_all(&tokens.guard(&case.world)).await);
        }
        let headers: Vec<_> =
            case.headers.iter().map(|(name, value)| (name.clone(), tokens.fill(value).into_bytes())).collect();
        let mut answers = Vec::new();
        for (framework, server) in worlds[&case.world] {
            let answer = send(server, &case.method, &tokens.fill(&case.path), &headers, b"").await;
            let seen = (answer.status, answer.header("www-authenticate"), answer.header("retry-after"));
            let expected = (case.status, case.challenge.clone(), case.retry_after.clone());
            if seen != expected {
                wrong.push(format!("{} in {framework}: {seen:?}, not {expected:?}", case.id));
            }
            if case.error.is_some() && answer.header("cache-control").as_deref() != Some("no-store") {
                wrong.push(format!("{} in {framework}: may be stored", case.id));
            }
            if let Some((content_type, body)) = case.content() {
                let body = body.replace("{T}", &tokens.named("T"));
                let seen = (Some(answer.header("content-type").unwrap_or_default()), answer.body.clone());
                let is_right = seen.1 == body && (content_type.is_none() || seen.0.as_deref() == content_type);
                if !is_right {
                    wrong.push(format!("{} in {framework}: {seen:?}, not {content_type:?} {body}", case.id));
                }
            }
            let compared =
                ["www-authenticate", "content-type", "cache-control", "retry-after"].map(|name| answer.header(name));
            answers.push((framework, answer.status, compared, answer.body));
        }
        // 404 and 405 are the frameworks' own.
        if !matches!(case.status, 404 | 405) {
            for other in &answers[1..] {
                let (first, other) = (&answers[0], other);
                if (first.1, &first.2, &first.3) != (other.1, &other.2, &other.3) {
                    wrong.push(format!("{}: {first:?} and {other:?} differ", case.id));
                }
            }
        }
    }
    // Not `println!`, which is kept from whoever runs the tests.
    writeln!(std::io::stderr(), "{} cases × 3 adapters", cases.len()).expect("standard error");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
