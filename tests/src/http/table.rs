//! The project's own table, `tests/data/http_cases.jsonl`.

use super::client::{Answer, over_http2, send, send_raw};
use super::servers::{start_all, start_unguarded};
use super::world::Tokens;
use countersign::observe::{Event, Observer};
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// The reason of a denial that no guard has told.
const UNGUARDED: &str = "unguarded";

/// One line of the table. What a denial looks like follows from `detail` and `error`; `body` is for other answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    #[serde(default = "default_world")]
    world: String,
    /// The one framework that is asked, where they answer differently.
    #[serde(default)]
    framework: Option<String>,
    #[serde(default = "default_method")]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The request's body.
    #[serde(default)]
    sends: String,
    /// Over HTTP/2.
    #[serde(default)]
    h2: bool,
    /// All that is sent, instead of a request made of the fields above. Each character is the octet of its number.
    #[serde(default)]
    raw: Option<String>,
    /// The statuses of the answers that come before the one described here.
    #[serde(default)]
    before: Vec<u16>,
    #[serde(default)]
    parsers: Parsers,
    status: u16,
    /// The name of the reason that the guard tells its observer.
    #[serde(default)]
    pub(super) reason: Option<String>,
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

/// What the servers' own HTTP parsers do, before any adapter is asked, and in their own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Parsers {
    #[default]
    Pass,
    /// One may refuse what another passes, which is answered as the line says.
    Differ,
    /// All refuse. The class of `status` counts.
    Refuse,
}

fn default_world() -> String {
    "default".to_owned()
}

fn default_method() -> String {
    "GET".to_owned()
}

/// The table, each line checked for what it must say.
pub(super) fn cases() -> Vec<Case> {
    let table = include_str!("../../data/http_cases.jsonl");
    let cases: Vec<Case> =
        table.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    for case in &cases {
        assert_eq!(case.raw.is_none(), case.path.starts_with('/'), "{}: either a path or raw octets", case.id);
        assert_eq!(case.error.is_some(), case.reason.is_some(), "{}: a denial has a reason", case.id);
    }
    cases
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
            500 => "Internal Server Error",
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

    /// The answers, in order. Status 0 stands for none.
    async fn ask(&self, server: SocketAddr, tokens: &Tokens) -> Vec<Answer> {
        if let Some(raw) = &self.raw {
            let octet = |c: char| u8::try_from(u32::from(c)).expect("a character that is one octet");
            let octets: Vec<_> = tokens.fill(raw).chars().map(octet).collect();
            return send_raw(server, &octets).await;
        }
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.clone(), tokens.fill(value).into_bytes())).collect();
        let path = tokens.fill(&self.path);
        vec![match self.h2 {
            true => over_http2(server, &self.method, &path, &headers).await,
            false => send(server, &self.method, &path, &headers, tokens.fill(&self.sends).as_bytes()).await,
        }]
    }

    /// Whether a server's parser gave this answer, as it may.
    fn is_parsers(&self, answer: &Answer) -> bool {
        match self.parsers {
            Parsers::Pass => false,
            Parsers::Differ => answer.status / 100 == 4 && answer.header("cache-control").is_none(),
            Parsers::Refuse => answer.status / 100 == self.status / 100 && answer.header("cache-control").is_none(),
        }
    }

    /// What is wrong with the answer that one framework gave.
    fn judge(&self, answer: &Answer, tokens: &Tokens) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.parsers == Parsers::Refuse {
            wrong.push(format!("{answer:?}, not a parser's of the class of {}", self.status));
            return wrong;
        }
        let seen = (answer.status, answer.header("www-authenticate"), answer.header("retry-after"));
        let expected = (self.status, self.challenge.clone(), self.retry_after.clone());
        if seen != expected {
            wrong.push(format!("{seen:?}, not {expected:?}"));
        }
        if self.error.is_some() && answer.header("cache-control").as_deref() != Some("no-store") {
            wrong.push("may be stored".to_owned());
        }
        if let Some((content_type, body)) = self.content() {
            let body = body.replace("{T}", &tokens.named("T"));
            let seen = (Some(answer.header("content-type").unwrap_or_default()), answer.body.clone());
            let is_right = seen.1 == body && (content_type.is_none() || seen.0.as_deref() == content_type);
            if !is_right {
                wrong.push(format!("{seen:?}, not {content_type:?} {body}"));
            }
        }
        wrong
    }
}

/// The names of the reasons that a guard has told.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);
impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("lock"))
    }
}
impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Refused { reason, .. } = event {
            self.0.lock().expect("lock").push(reason.name().to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_adapters_answer_the_shared_table_alike() {
    let cases = cases();
    let tokens = Tokens::new();
    let told = Told::default();
    let mut worlds = HashMap::new();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for case in &cases {
        let asked_before = asked;
        if !worlds.contains_key(&case.world) {
            let servers = match case.world.as_str() {
                "unguarded" => start_unguarded().await.to_vec(),
                world => start_all(&tokens.guard_told(world, told.clone())).await.to_vec(),
            };
            worlds.insert(case.world.clone(), servers);
        }
        let mut answers = Vec::new();
        let is_asked = |framework: &str| case.framework.as_deref().is_none_or(|only| only == framework);
        for (framework, server) in worlds[&case.world].iter().copied().filter(|(framework, _)| is_asked(framework)) {
            asked += 1;
            let mut all = case.ask(server, &tokens).await;
            let answer = all.pop().unwrap_or_default();
            let is_parsers = case.is_parsers(&answer);
            let mut found = if is_parsers { Vec::new() } else { case.judge(&answer, &tokens) };
            let before: Vec<_> = all.iter().map(|answer| answer.status).collect();
            if before != case.before {
                found.push(format!("after {before:?}, not {:?}", case.before));
            }
            // Each denial is told once. Where there is no guard, nobody tells.
            let reason = case.reason.as_ref().filter(|reason| !is_parsers && *reason != UNGUARDED);
            let (told, denials) = (told.take(), before.iter().filter(|status| **status >= 400).count());
            if told.get(denials..) != Some(reason.cloned().as_slice()) {
                found.push(format!("the guard told {told:?}, not {reason:?}"));
            }
            wrong.extend(found.into_iter().map(|found| format!("{} in {framework}: {found}", case.id)));
            let compared =
                ["www-authenticate", "content-type", "cache-control", "retry-after"].map(|name| answer.header(name));
            if !is_parsers {
                answers.push((framework, answer.status, compared, answer.body));
            }
        }
        assert!(asked > asked_before, "{}: no framework of that name", case.id);
        // 404 and 405 are the frameworks' own.
        if !matches!(case.status, 404 | 405)
            && let Some((first, others)) = answers.split_first()
        {
            for other in others {
                if (first.1, &first.2, &first.3) != (other.1, &other.2, &other.3) {
                    wrong.push(format!("{}: {first:?} and {other:?} differ", case.id));
                }
            }
        }
    }
    // Not `println!`, which is kept from whoever runs the tests.
    writeln!(std::io::stderr(), "{} cases × 3 adapters, {asked} answers", cases.len()).expect("standard error");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
