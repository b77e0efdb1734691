use super::Worlds;
#[cfg(feature = "http2")]
use crate::client::over_http2;
use crate::client::{Answer, send, send_raw};
use serde::Deserialize;
use std::net::SocketAddr;

/// One line of the [table](super::AdapterTable): a request, and the answer to it.
///
/// ```
/// use countersign_testkit::adapter::AdapterTable;
///
/// let table = AdapterTable::new();
/// // Every case has a name, which a report gives where an answer differs.
/// assert!(table.cases().iter().all(|case| !case.id().is_empty()));
/// ```
// What a denial looks like follows from `detail` and `error`; `body` is for other answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub(super) id: String,
    #[serde(default = "default_world")]
    pub(super) world: String,
    /// The one framework that is asked, where they answer differently.
    #[serde(default)]
    pub(super) framework: Option<String>,
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
    pub(super) h2: bool,
    /// All that is sent, instead of a request made of the fields above. Each character is the octet of its number.
    #[serde(default)]
    raw: Option<String>,
    /// The statuses of the answers that come before the one described here.
    #[serde(default)]
    pub(super) before: Vec<u16>,
    #[serde(default)]
    parsers: Parsers,
    pub(super) status: u16,
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

/// The worlds that are told from `default` by the bodies of their denials.
const STYLES: [&str; 3] = ["plain", "empty", "own"];

/// Where there is no guard, or none yet, there is no renderer either.
const UNSTYLED: [&str; 2] = ["later", "unguarded"];

/// The table, each line checked for what it must say, each denial in every style of body, and each GET as HEAD too.
pub(super) fn cases() -> Vec<Case> {
    let table = include_str!("cases.jsonl");
    let cases: Vec<Case> =
        table.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    for case in &cases {
        assert_eq!(case.raw.is_none(), case.path.starts_with('/'), "{}: either a path or raw octets", case.id);
        assert_eq!(case.error.is_some(), case.reason.is_some(), "{}: a denial has a reason", case.id);
    }
    cases.iter().flat_map(Case::in_each_style).flat_map(Case::with_head).collect()
}

impl Case {
    /// What it is called in reports: `me/repeated`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the reason that the guard tells its observer; `None` where it refuses nothing.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The case, and the same with bodies of each other style, if it is a denial that can have one.
    fn in_each_style(&self) -> impl Iterator<Item = Self> {
        let has_style = !STYLES.contains(&&*self.world) && !UNSTYLED.contains(&&*self.world);
        let styles = STYLES.iter().filter(move |_| has_style && self.error.is_some());
        let styled = styles.map(|style| Self {
            id: format!("{}, {style}", self.id),
            world: format!("{}, {style}", self.world),
            ..self.clone()
        });
        std::iter::once(self.clone()).chain(styled)
    }

    /// The case, and the same for HEAD if it is a GET: the same status and header fields, and no body.
    fn with_head(self) -> impl Iterator<Item = Self> {
        // What handlers answer is the framework's to cut, and hyper sends it over HTTP/2.
        let is_get = self.raw.is_none() && self.method == "GET" && (self.error.is_some() || !self.h2);
        let head = is_get.then(|| Self { id: format!("{}, head", self.id), method: "HEAD".to_owned(), ..self.clone() });
        std::iter::once(self).chain(head)
    }

    /// Content-Type and body of the answer; `None` where the table leaves it to the framework.
    fn content(&self) -> Option<(Option<&'static str>, String)> {
        let content = self.content_of_get();
        if self.method == "HEAD" {
            return Some((content.and_then(|(content_type, _)| content_type), String::new()));
        }
        content
    }

    fn content_of_get(&self) -> Option<(Option<&'static str>, String)> {
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
        Some(match self.world.rsplit(", ").next().unwrap_or_default() {
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
    pub(super) async fn ask(&self, server: SocketAddr, worlds: &Worlds) -> Vec<Answer> {
        if let Some(raw) = &self.raw {
            let octet = |c: char| u8::try_from(u32::from(c)).expect("a character that is one octet");
            let octets: Vec<_> = worlds.fill(raw).chars().map(octet).collect();
            return send_raw(server, &octets).await;
        }
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.clone(), worlds.fill(value).into_bytes())).collect();
        let path = worlds.fill(&self.path);
        #[cfg(feature = "http2")]
        if self.h2 {
            return vec![over_http2(server, &self.method, &path, &headers).await];
        }
        vec![send(server, &self.method, &path, &headers, worlds.fill(&self.sends).as_bytes()).await]
    }

    /// Whether a server's parser gave this answer, as it may.
    pub(super) fn is_parsers(&self, answer: &Answer) -> bool {
        match self.parsers {
            Parsers::Pass => false,
            Parsers::Differ => answer.status / 100 == 4 && answer.header("cache-control").is_none(),
            Parsers::Refuse => answer.status / 100 == self.status / 100 && answer.header("cache-control").is_none(),
        }
    }

    /// Whether a server's parser may answer it.
    #[cfg(test)]
    pub(super) fn may_be_parsers(&self) -> bool {
        self.parsers != Parsers::Pass
    }

    /// What is wrong with the answer that one framework gave.
    pub(super) fn judge(&self, answer: &Answer, worlds: &Worlds) -> Vec<String> {
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
            let body = body.replace("{T}", &worlds.named("T"));
            let seen = (Some(answer.header("content-type").unwrap_or_default()), answer.body.clone());
            let is_right = seen.1 == body && (content_type.is_none() || seen.0.as_deref() == content_type);
            if !is_right {
                wrong.push(format!("{seen:?}, not {content_type:?} {body}"));
            }
        }
        wrong
    }
}
