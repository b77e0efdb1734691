//! What a guard tells of the requests that it answers, alike in three frameworks.

use super::client::{Answer, send};
use super::servers::start_all;
use super::world::Tokens;
use countersign::observe::{Event, MetricsObserver, Observer, TracingObserver};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::Value;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tracing::Dispatch;

type Log = Arc<Mutex<Vec<u8>>>;

/// The two observers, with a subscriber and a recorder of their own, whatever thread they are called on.
#[derive(Clone)]
struct Watch {
    log: Log,
    subscriber: Dispatch,
    recorder: Arc<DebuggingRecorder>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

struct To(Log);
impl io::Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Watch {
    fn new() -> Self {
        let log = Log::default();
        let written = log.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || To(written.clone())).finish();
        Self { log, subscriber: subscriber.into(), recorder: Arc::new(DebuggingRecorder::new()) }
    }

    /// What was logged since the last time, line by line.
    fn lines(&self) -> Vec<Value> {
        let log = std::mem::take(&mut *self.log.lock().expect("lock"));
        let log = String::from_utf8(log).expect("UTF-8");
        log.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .map(|line: Value| line["fields"].clone())
            .collect()
    }

    /// How much was added to a counter since the last time, over all its labels.
    fn counted(&self, name: &str) -> u64 {
        let snapshot = self.recorder.snapshotter().snapshot().into_vec();
        let of_name = snapshot.into_iter().filter(|(key, ..)| key.key().name() == name);
        of_name.map(|(.., value)| if let DebugValue::Counter(count) = value { count } else { 0 }).sum()
    }
}

impl Observer for Watch {
    fn observe(&self, event: &Event<'_>) {
        metrics::with_local_recorder(&*self.recorder, || {
            tracing::dispatcher::with_default(&self.subscriber, || (TracingObserver, MetricsObserver).observe(event));
        });
    }
}

async fn get(server: SocketAddr, path: &str, token: Option<&str>, id: Option<&str>) -> Answer {
    let authorization = token.map(|token| ("Authorization", format!("Bearer {token}")));
    let id = id.map(|id| ("X-Request-Id", id.to_owned()));
    let headers: Vec<_> =
        authorization.into_iter().chain(id).map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
    let mut answer = send(server, "GET", path, &headers, b"").await;
    answer.headers.retain(|(name, _)| name != "date");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refused_request_is_one_line_and_no_other_request_is_any() {
    let tokens = Tokens::new();
    let watch = Watch::new();
    let guard = tokens.builder("default").observer(watch.clone()).build().expect("a guard");
    let paths =
        ["/public", "/me", "/optional", "/nickname", "/optional-nickname", "/read", "/admin", "/protected/page"];
    for (framework, server) in start_all(&guard).await {
        for path in paths {
            for name in [None, Some("T"), Some("ADMIN"), Some("B"), Some("E"), Some("REVOKED")] {
                let token = name.map(|name| tokens.named(name));
                let case = format!("{framework} {path} {name:?}");
                let answer = get(server, path, token.as_deref(), Some("r-7")).await;
                // One look: a snapshot empties every counter.
                let lines = watch.lines();
                let refusals = usize::from(answer.status >= 400);
                assert_eq!(lines.len(), refusals, "{case}: {lines:?}");
                for line in &lines {
                    assert_eq!(line["status"], answer.status, "{case}");
                    // Claims that do not fit their type are found where no request is at hand.
                    assert_eq!(line["correlation_id"] == "r-7", line["reason"] != "claims_type", "{case}: {line}");
                }
                let verdicts = u64::from(path != "/public" && token.is_some());
                assert_eq!(watch.counted("countersign_verifications_total"), verdicts, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_logged_or_replaced_and_never_answered() {
    let tokens = Tokens::new();
    let watch = Watch::new();
    let guard = tokens.builder("default").observer(watch.clone()).build().expect("a guard");
    let bad = tokens.named("B");
    let too_long = "x".repeat(129);
    for (framework, server) in start_all(&guard).await {
        let plain = get(server, "/me", Some(&bad), None).await;
        watch.lines();
        for (id, is_taken) in [("r-7", true), ("a\"b", false), ("a b", false), ("a\x1b[2Jb", false), (&too_long, false)]
        {
            let answer = get(server, "/me", Some(&bad), Some(id)).await;
            // A server may refuse a control character before any guard looks.
            let Some(line) = watch.lines().pop() else {
                assert_eq!(answer.status, 400, "{framework} {id:?}");
                continue;
            };
            assert_eq!(answer, plain, "{framework} {id:?}");
            assert_eq!(line["correlation_id"] == id, is_taken, "{framework} {id:?}: {line}");
        }
    }
}
