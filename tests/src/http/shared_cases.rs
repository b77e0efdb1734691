//! The 45 cases of `http_cases.jsonl` among the shared vectors, where `COUNTERSIGN_VECTORS` names their folder.

use super::client::{Answer, over_http2, send};
use super::servers::start_all;
use super::world::Tokens;
use crate::machine::vectors;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::io::Write;
use std::net::SocketAddr;

#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    headers: Vec<(String, Value)>,
    expect_status: Vec<u16>,
    expect_error: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    http: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Octets { b64: String },
}

impl Value {
    fn bytes(&self, tokens: &Tokens) -> Vec<u8> {
        match self {
            Self::Text(text) => tokens.fill(text).into_bytes(),
            Self::Octets { b64 } => STANDARD.decode(b64).expect("base64"),
        }
    }
}

/// The cases that the servers' own parsers refuse, in their own words, and no others.
const PARSERS: &[&str] = &["http/nul", "http/obs-fold"];

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_http_cases_get_what_they_expect_from_each_adapter() {
    let Some(folder) = vectors("the HTTP cases of the public vectors") else { return };
    let path = folder.join("http_cases.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect();
    let tokens = Tokens::new();
    let servers = start_all(&tokens.guard("default")).await;
    let mut wrong = Vec::new();
    for case in &cases {
        let mut answers = Vec::new();
        for (framework, server) in servers {
            let answer = ask(case, server, &tokens).await;
            let says = |error: &str| {
                answer.header("www-authenticate").is_some_and(|value| value.contains(&format!("error=\"{error}\"")))
            };
            let is_parsers = PARSERS.contains(&case.id.as_str());
            // Every denial of ours has the field; 405 is the framework's.
            let is_own = answer.status < 400 || answer.status == 405 || answer.header("cache-control").is_some();
            let is_expected = case.expect_status.contains(&answer.status) && is_own != is_parsers;
            let error_is_expected = match &case.expect_error {
                Some(error) if answer.status >= 400 && !is_parsers => says(error),
                _ => true,
            };
            if !is_expected || !error_is_expected {
                wrong.push(format!("{} in {framework}: {answer:?}", case.id));
            }
            let compared =
                ["www-authenticate", "content-type", "cache-control", "retry-after"].map(|n| answer.header(n));
            let own = (!is_parsers && answer.status != 405).then_some((compared, answer.body));
            answers.push((framework, answer.status / 100 == 2, own));
        }
        for other in &answers[1..] {
            let same_answer = match (&answers[0].2, &other.2) {
                (Some(first), Some(other)) => first == other,
                _ => true,
            };
            if answers[0].1 != other.1 || !same_answer {
                wrong.push(format!("{}: {:?} and {other:?} differ", case.id, answers[0]));
            }
        }
    }
    // Not `println!`, which is kept from whoever runs the tests.
    writeln!(std::io::stderr(), "{} shared cases × 3 adapters", cases.len()).expect("standard error");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn ask(case: &Case, server: SocketAddr, tokens: &Tokens) -> Answer {
    let path = if case.mode.as_deref() == Some("optional") { "/optional" } else { "/me" };
    let target = match &case.query {
        Some(query) => format!("{path}?{}", tokens.fill(query)),
        None => path.to_owned(),
    };
    let headers: Vec<_> = case.headers.iter().map(|(name, value)| (name.clone(), value.bytes(tokens))).collect();
    let body = tokens.fill(case.body.as_deref().unwrap_or_default());
    let method = case.method.as_deref().unwrap_or("GET");
    if case.http.as_deref() == Some("h2") {
        return over_http2(server, method, &target, &headers).await;
    }
    send(server, method, &target, &headers, body.as_bytes()).await
}
