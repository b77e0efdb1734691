//! The two observers emit what `docs/OBSERVABILITY.md` says, and nothing that a sender or a server wrote unescaped.

use super::*;
use crate::decision::{Finding, action, role};
use crate::guard::Guard;
use crate::provider::Unavailable;
use crate::reason::Rejection;
use crate::request::{Credential, RequestView};
use crate::token::VerifiedToken;
use crate::verifier::{TokenVerifier, VerifyError};
use async_trait::async_trait;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

const PAGE: &str = include_str!("../../../../docs/OBSERVABILITY.md");

/// What a server might say to get into a log.
const HOSTILE: &str = "a\r\nrequest refused status=200 \"b\" \0 \u{1b}[2J \u{9b}31m \u{202e} \u{2028} é";

/// An error with a source.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String, #[source] Option<Box<Self>>);

fn said(text: &str) -> Said {
    Said(format!("1 {text}"), Some(Box::new(Said(format!("2 {text}"), None))))
}

/// Every event there is, and both cases where it matters.
fn tell_everything(observer: &impl Observer, error: &(dyn Error + 'static)) {
    let (provider, duration, trigger) = ("auth0", Duration::from_millis(1500), RefreshTrigger::Schedule);
    let correlation_id = "r-7";
    let refused = |reason, source| Event::Refused { reason, correlation_id, source };
    let refreshed = |is_new| Event::KeysRefreshed {
        provider,
        trigger,
        is_new,
        generation: 3,
        usable: 2,
        quarantined: 1,
        fetched_at: UNIX_EPOCH + Duration::from_secs(1_300_819_380),
        duration,
    };
    let required = &role("admin").or(action("act"));
    let why = Why::new("team", "down");
    let trace = &Trace::new("any_of", Finding::Indeterminate, Some(why)).with_parts([
        Trace::new("role(admin)", Finding::Deny, Some(Why::new("rbac", "missing_role"))),
        Trace::new("action(act)", Finding::Waits, None),
    ]);
    let decided = |decision: Decision, version, is_refused: bool| Event::Decision {
        decision,
        why: decision.why(),
        required,
        version,
        subject: Subject::new(Some("me"), is_refused.then_some("7")),
        correlation_id: is_refused.then_some(correlation_id),
        trace: is_refused.then_some(trace),
    };
    let disagreed = |shadow| Event::ShadowDisagreed { required, decision: Decision::Allow, shadow };
    for event in [
        decided(Decision::Allow, None, false),
        decided(Decision::Deny(why), Some("v7"), true),
        decided(Decision::Indeterminate(why), None, true),
        Event::ShadowAgreed { required, decision: Decision::Allow },
        disagreed(Some(Decision::Deny(why))),
        disagreed(None),
        Event::Verification { result: Ok(()), duration },
        Event::Verification { result: Err(Reason::Rejected(Rejection::Expired)), duration },
        refused(Reason::Rejected(Rejection::Expired), None),
        refused(Reason::KeysUnavailable, Some(error)),
        Event::Ended { end: End::Revoked, correlation_id },
        Event::Ended { end: End::Unknown, correlation_id },
        refreshed(true),
        refreshed(false),
        Event::KeysRefreshFailed { provider, trigger, kind: "timeout", error, duration },
        Event::UnknownKey { provider, outcome: UnknownKeyOutcome::Joined },
        Event::UnknownKeysThrottled { provider, count: 40 },
        Event::StaleKeyServed { provider },
        Event::SharedKeys { provider, outcome: SharedKeysOutcome::Published },
        Event::SharedKeys { provider, outcome: SharedKeysOutcome::Forged },
        Event::TokenCacheAsked { is_hit: true },
        Event::TokenCacheAsked { is_hit: false },
        Event::CacheFailed { error },
        Event::RevocationsConfirmed { entries: 3 },
        Event::RevocationsUnconfirmed { goes_on: false },
        Event::RevocationsRestored { entries: 2 },
    ] {
        observer.observe(&event);
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Captured {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// What is logged while `run` runs: as text, and as JSON.
fn logged(run: impl Fn()) -> (String, Vec<Value>) {
    let builder = || {
        let builder = tracing_subscriber::fmt().with_max_level(::tracing::Level::TRACE).without_time();
        builder.with_ansi(false).with_span_events(FmtSpan::NONE)
    };
    let (text, json) = (Captured::default(), Captured::default());
    ::tracing::subscriber::with_default(builder().with_writer(text.clone()).finish(), &run);
    ::tracing::subscriber::with_default(builder().json().with_writer(json.clone()).finish(), &run);
    let read = |captured: Captured| String::from_utf8(captured.0.lock().expect("lock").clone()).expect("UTF-8");
    let json = read(json);
    (read(text), json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[derive(Debug, PartialEq)]
struct Metric {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// The metrics that `run` touches, by name, and every number under its name and labels.
fn measured(run: impl FnOnce()) -> (BTreeMap<String, Metric>, BTreeMap<String, f64>) {
    let recorder = DebuggingRecorder::new();
    ::metrics::with_local_recorder(&recorder, || {
        MetricsObserver::describe();
        run();
    });
    let (mut metrics, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for (key, unit, description, value) in recorder.snapshotter().snapshot().into_vec() {
        let name = key.key().name().to_owned();
        let expected = if name.ends_with("_seconds") { ::metrics::Unit::Seconds } else { ::metrics::Unit::Count };
        assert_eq!(unit, Some(expected), "{name}");
        assert!(description.is_some_and(|description| !description.is_empty()), "{name}");
        let (kind, number) = match value {
            DebugValue::Counter(count) => ("counter", count as f64),
            DebugValue::Gauge(value) => ("gauge", *value),
            DebugValue::Histogram(values) => ("histogram", values.iter().map(|value| **value).sum()),
        };
        let labels: Vec<_> = key.key().labels().map(|label| (label.key(), label.value())).collect();
        let text: Vec<_> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        numbers.insert(format!("{name}{{{}}}", text.join(",")), number);
        let metric = metrics.entry(name).or_insert_with(|| Metric { kind: kind.into(), labels: BTreeMap::new() });
        for (label, value) in labels {
            metric.labels.entry(label.to_owned()).or_default().insert(value.to_owned());
        }
    }
    (metrics, numbers)
}

/// The names in code spans of a cell.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the page's table whose header begins so, cell by cell.
fn rows(header: &str) -> Vec<Vec<&'static str>> {
    let table = PAGE.split_once(header).expect("the table").1;
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    table.lines().skip(2).take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn the_page_lists_the_metrics_that_are_emitted() {
    let (metrics, _) = measured(|| tell_everything(&MetricsObserver, &said("no route")));
    let emitted: BTreeMap<_, _> = metrics
        .into_iter()
        .map(|(name, metric)| (name, (metric.kind, metric.labels.into_keys().collect::<BTreeSet<_>>())))
        .collect();
    let listed: BTreeMap<_, _> = rows("| name | kind |")
        .into_iter()
        .map(|cells| (cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), names(cells[2]))))
        .collect();
    assert_eq!(emitted, listed);
    assert_eq!(listed.len(), 20);
}

#[test]
fn the_page_names_no_metric_that_is_not_emitted() {
    let (metrics, _) = measured(|| tell_everything(&MetricsObserver, &said("no route")));
    let words = PAGE.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let found: BTreeSet<_> = words.filter(|word| word.starts_with("countersign_")).collect();
    assert!(found.iter().all(|name| metrics.contains_key(*name)), "{found:?}");
}

#[test]
fn the_page_lists_the_lines_that_are_logged() {
    let (_, lines) = logged(|| tell_everything(&TracingObserver, &said("no route")));
    let mut emitted: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for line in &lines {
        assert_eq!(line["target"], "countersign");
        let mut fields = line["fields"].as_object().expect("fields").clone();
        let message = fields.remove("message").expect("a message");
        let (levels, names) = emitted.entry(message.as_str().expect("text").to_owned()).or_default();
        levels.insert(line["level"].as_str().expect("a level").to_owned());
        names.extend(fields.into_iter().map(|(name, _)| name));
    }
    let listed: BTreeMap<_, _> = rows("| message | level |")
        .into_iter()
        .map(|cells| (cells[0].trim_matches('`').to_owned(), (names(cells[1]), names(cells[2]))))
        .collect();
    assert_eq!(emitted, listed);
    assert_eq!(listed.len(), 15);
}

#[test]
fn the_page_lists_the_values_of_labels() {
    let rows = rows("| label | values |");
    let listed = |label: &str| {
        let row = rows.iter().find(|cells| cells[0] == label);
        names(row.unwrap_or_else(|| panic!("a row for {label}"))[1])
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let triggers = [
        RefreshTrigger::Start,
        RefreshTrigger::Schedule,
        RefreshTrigger::UnknownKey,
        RefreshTrigger::Request,
        RefreshTrigger::Shared,
    ];
    assert_eq!(listed("`trigger`"), set(&triggers.map(RefreshTrigger::name)));
    let why = Why::new("a", "b");
    let decisions = [Decision::Allow, Decision::Deny(why), Decision::Indeterminate(why)].map(Decision::name);
    assert_eq!(listed("`outcome` of decisions"), set(&decisions));
    let ends = [End::Expired, End::Revoked, End::NotAllowed, End::Unknown];
    assert_eq!(listed("`end`"), set(&ends.map(End::name)));
    assert_eq!(listed("`shadow`"), set(&[&decisions[..], &["unanswered"]].concat()));
    let outcomes = [
        UnknownKeyOutcome::Remembered,
        UnknownKeyOutcome::Joined,
        UnknownKeyOutcome::Fetched,
        UnknownKeyOutcome::Throttled,
    ];
    assert_eq!(listed("`outcome` of unknown keys"), set(&outcomes.map(UnknownKeyOutcome::name)));

    let outcomes = [
        SharedKeysOutcome::Published,
        SharedKeysOutcome::Forged,
        SharedKeysOutcome::Future,
        SharedKeysOutcome::Outdated,
        SharedKeysOutcome::Unusable,
        SharedKeysOutcome::LeaseLost,
        SharedKeysOutcome::Alone,
    ];
    assert_eq!(listed("`outcome` of shared keys"), set(&outcomes.map(SharedKeysOutcome::name)));

    let mut by_status: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    for reason in every_reason() {
        by_status.entry(reason.status()).or_default().insert(reason.name().to_owned());
    }
    let unauthorized = &listed("`reason` with `status` 401, no token") | &listed("`reason` with `status` 401, token");
    assert_eq!(by_status[&401], unauthorized);
    for status in [400, 403, 503] {
        assert_eq!(by_status[&status], listed(&format!("`reason` with `status` {status}")));
    }
}

/// Every reason that a guard refuses for.
fn every_reason() -> Vec<Reason> {
    let rejections = [
        Rejection::TooLarge,
        Rejection::Malformed,
        Rejection::Padding,
        Rejection::Algorithm,
        Rejection::CriticalHeader,
        Rejection::TokenType,
        Rejection::UnknownKey,
        Rejection::KeyMismatch,
        Rejection::KeyAmbiguous,
        Rejection::Signature,
        Rejection::Issuer,
        Rejection::Audience,
        Rejection::Expired,
        Rejection::NotYetValid,
        Rejection::IssuedInFuture,
        Rejection::MissingClaim,
        Rejection::InvalidClaim,
        Rejection::Subject,
        Rejection::AuthorizedParty,
        Rejection::Nonce,
        Rejection::AccessTokenHash,
        Rejection::TooOld,
        Rejection::Lifetime,
        Rejection::Confirmation,
        Rejection::SecurityEvent,
        Rejection::Credentials,
    ];
    let others = [
        Reason::NoCredentials,
        Reason::SeveralCredentials,
        Reason::MalformedRequest,
        Reason::CrossSite,
        Reason::Revoked,
        Reason::ClaimsType,
        Reason::NotAllowed,
        Reason::NotReady,
        Reason::KeysUnavailable,
        Reason::RevocationUnknown,
        Reason::Undecided,
        Reason::Unjudged,
    ];
    rejections.into_iter().map(Reason::Rejected).chain(others).collect()
}

#[test]
fn each_event_moves_its_own_metrics() {
    let (_, numbers) = measured(|| tell_everything(&MetricsObserver, &said("no route")));
    let expected = [
        ("countersign_cache_failures_total{}", 1.0),
        ("countersign_decisions_total{outcome=allow,policy=,code=}", 1.0),
        ("countersign_decisions_total{outcome=deny,policy=team,code=down}", 1.0),
        ("countersign_decisions_total{outcome=indeterminate,policy=team,code=down}", 1.0),
        ("countersign_ends_total{end=revoked}", 1.0),
        ("countersign_ends_total{end=unknown}", 1.0),
        ("countersign_keys_fetched_timestamp_seconds{provider=auth0}", 1_300_819_380.0),
        ("countersign_keys_generation{provider=auth0}", 3.0),
        ("countersign_keys_refresh_duration_seconds{provider=auth0}", 4.5),
        ("countersign_keys_refreshes_total{provider=auth0,outcome=new,trigger=schedule}", 1.0),
        ("countersign_keys_refreshes_total{provider=auth0,outcome=timeout,trigger=schedule}", 1.0),
        ("countersign_keys_refreshes_total{provider=auth0,outcome=unchanged,trigger=schedule}", 1.0),
        ("countersign_keys{provider=auth0,state=quarantined}", 1.0),
        ("countersign_keys{provider=auth0,state=usable}", 2.0),
        ("countersign_refusals_total{reason=expired,status=401}", 1.0),
        ("countersign_refusals_total{reason=keys_unavailable,status=503}", 1.0),
        ("countersign_revocations_confirmed{}", 0.0),
        ("countersign_revocations_restored_total{}", 2.0),
        ("countersign_shadow_agreements_total{outcome=allow}", 1.0),
        ("countersign_shadow_disagreements_total{outcome=allow,shadow=deny}", 1.0),
        ("countersign_shadow_disagreements_total{outcome=allow,shadow=unanswered}", 1.0),
        ("countersign_shared_keys_total{provider=auth0,outcome=forged}", 1.0),
        ("countersign_shared_keys_total{provider=auth0,outcome=published}", 1.0),
        ("countersign_stale_keys_served_total{provider=auth0}", 1.0),
        ("countersign_token_cache_total{outcome=hit}", 1.0),
        ("countersign_token_cache_total{outcome=miss}", 1.0),
        ("countersign_unknown_keys_throttled_total{provider=auth0}", 40.0),
        ("countersign_unknown_keys_total{provider=auth0,outcome=joined}", 1.0),
        ("countersign_verification_duration_seconds{}", 3.0),
        ("countersign_verifications_total{result=expired}", 1.0),
        ("countersign_verifications_total{result=verified}", 1.0),
    ];
    assert_eq!(numbers, expected.map(|(name, number)| (name.to_owned(), number)).into());
}

#[test]
fn each_event_is_logged_with_what_it_says() {
    let (_, lines) = logged(|| tell_everything(&TracingObserver, &said("no route")));
    let error = "1 no route: 2 no route";
    let required = "any_of(role(admin), action(act))";
    let trace = "any_of: indeterminate (team/down) [role(admin): deny (rbac/missing_role); action(act): waits]";
    let subject = Subject::new(Some("me"), Some("7")).hash();
    let expected = [
        json!({"message": "decided", "outcome": "allow", "required": required}),
        json!({"message": "decided", "outcome": "deny", "policy": "team", "code": "down", "required": required,
               "version": "v7", "subject": subject, "correlation_id": "r-7", "trace": trace}),
        json!({"message": "decided", "outcome": "indeterminate", "policy": "team", "code": "down", "required": required,
               "subject": subject, "correlation_id": "r-7", "trace": trace}),
        json!({"message": "shadow agrees", "outcome": "allow", "required": required}),
        json!({"message": "shadow disagrees", "outcome": "allow", "shadow": "deny", "policy": "team", "code": "down",
               "required": required}),
        json!({"message": "shadow disagrees", "outcome": "allow", "shadow": "unanswered", "required": required}),
        json!({"message": "request refused", "reason": "expired", "status": 401, "correlation_id": "r-7"}),
        json!({"message": "request refused", "reason": "keys_unavailable", "status": 503, "correlation_id": "r-7",
               "error": error}),
        json!({"message": "connection ended", "end": "revoked", "close_code": 4401, "correlation_id": "r-7"}),
        json!({"message": "connection ended", "end": "unknown", "close_code": 4503, "correlation_id": "r-7"}),
        json!({"message": "keys refreshed", "provider": "auth0", "outcome": "new", "trigger": "schedule",
               "generation": 3, "usable": 2, "quarantined": 1, "duration_seconds": 1.5}),
        json!({"message": "keys refreshed", "provider": "auth0", "outcome": "unchanged", "trigger": "schedule",
               "generation": 3, "usable": 2, "quarantined": 1, "duration_seconds": 1.5}),
        json!({"message": "keys not refreshed", "provider": "auth0", "outcome": "timeout", "trigger": "schedule",
               "error": error, "duration_seconds": 1.5}),
        json!({"message": "unknown key", "provider": "auth0", "outcome": "joined"}),
        json!({"message": "unknown keys throttled", "provider": "auth0", "count": 40}),
        json!({"message": "stale key served", "provider": "auth0"}),
        json!({"message": "shared keys", "provider": "auth0", "outcome": "published"}),
        json!({"message": "shared keys", "provider": "auth0", "outcome": "forged"}),
        json!({"message": "cache failed", "error": error}),
        json!({"message": "revocations confirmed", "entries": 3}),
        json!({"message": "revocations unconfirmed", "goes_on": false}),
        json!({"message": "revocations restored", "entries": 2}),
    ];
    assert_eq!(lines.iter().map(|line| line["fields"].clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn refusals_are_warnings_only_where_the_server_could_not_judge() {
    let reasons = [every_reason(), vec![Reason::Unguarded]].concat();
    let (_, lines) = logged(|| {
        for reason in &reasons {
            TracingObserver.observe(&Event::Refused { reason: *reason, correlation_id: "r-7", source: None });
        }
    });
    assert_eq!(lines.len(), reasons.len());
    for (reason, line) in reasons.iter().zip(lines) {
        assert_eq!(line["level"], if reason.status() >= 500 { "WARN" } else { "INFO" }, "{reason}");
    }
}

/// Whether text keeps to its lines and moves no cursor.
fn is_tame(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !(c.is_control() || matches!(c, '\u{202e}' | '\u{2028}')))
}

#[test]
fn no_error_leaves_its_line_or_its_quotes() {
    assert!(!is_tame(HOSTILE));
    let (text, lines) = logged(|| tell_everything(&TracingObserver, &said(HOSTILE)));
    assert_eq!((text.lines().count(), lines.len()), (22, 22), "{text}");
    assert!(is_tame(&text), "{text}");
    assert!(!text.contains(r#"200 "b""#) && text.contains(r#"200 \"b\""#), "{text}");
    let errors: Vec<_> = lines.iter().filter_map(|line| line["fields"]["error"].as_str()).collect();
    assert_eq!(errors.len(), 3);
    for error in errors {
        assert!(is_tame(error) && !error.contains('\n'), "{error}");
        assert!(error.contains(r#"2 a\r\nrequest refused status=200 "b" \0 \u{1b}[2J \u{9b}31m \u{202e}"#), "{error}");
        assert!(error.ends_with('é'), "what is plain stays as it is: {error}");
    }
}

/// Its own source, without end.
#[derive(Debug)]
struct Endless;
impl std::fmt::Display for Endless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("again")
    }
}
impl Error for Endless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Self)
    }
}

/// Cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}", Err::<&str, _>(std::fmt::Error)?)]
struct Mute;

#[test]
fn long_endless_and_mute_errors_end() {
    let error_of = |error: &(dyn Error + 'static)| {
        let (_, lines) = logged(|| TracingObserver.observe(&Event::CacheFailed { error }));
        lines[0]["fields"]["error"].as_str().expect("text").to_owned()
    };
    for huge in ["x".repeat(10 * 1024), "\r\n".repeat(5 * 1024), "é".repeat(10 * 1024)] {
        let error = error_of(&said(&huge));
        assert!(error.len() <= 1024 + '…'.len_utf8() && error.ends_with('…'), "{}", error.len());
    }
    assert_eq!(error_of(&said(&"x".repeat(400))).len(), 2 * 402 + 2, "what fits is kept whole");
    assert_eq!(error_of(&Endless).matches("again").count(), 16);
    assert_eq!(error_of(&Mute), "");
}

/// Vouches for everybody, but for `down` and `bad`.
#[derive(Debug)]
struct Vouching;
#[async_trait]
impl TokenVerifier for Vouching {
    fn verify_now(&self, credential: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        Some(match credential.expose() {
            "down" => Err(VerifyError::Unavailable(Unavailable::because(said(HOSTILE)))),
            "bad" => Err(Rejection::Check("not_on_sundays").into()),
            _ => Ok(VerifiedToken::vouched(&json!({"sub": "a\"\r\nb", "scope": "a"})).expect("claims")),
        })
    }
    async fn verify(&self, _: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        Err(Rejection::Credentials.into())
    }
}

#[test]
fn a_guard_writes_one_line_for_each_refusal_whatever_the_request_says() {
    let guard = Guard::builder(Vouching).observer((TracingObserver, MetricsObserver)).build().expect("a guard");
    let check = guard.check(crate::authorize::scopes(["b"])).expect("judged");
    let huge = "x".repeat(10 * 1024);
    let ids = [HOSTILE, "\r\n", "\"", "\0", "\u{1b}[2J", &huge, "r-7"];
    let credentials = [None, Some("Bearer down"), Some("Bearer bad"), Some("Bearer \"\r\n"), Some("Bearer me")];
    let ask = || {
        for id in ids {
            for credential in credentials {
                let authorization = credential.map(|credential| ("authorization", credential));
                let headers: Vec<_> = authorization.into_iter().chain([("x-request-id", id)]).collect();
                let headers = headers.as_slice();
                let request = RequestView::new("GET", "/a\r\nb", Some("c=\"d\""), &headers);
                let screening = check.screening(None);
                assert!(check.judge_now(&screening, &request).is_some_and(|answer| answer.is_err()));
                let _ = screening.optional_now(&request);
            }
        }
    };
    let (text, lines) = logged(ask);
    let refusals = ids.len() * credentials.len();
    let (decided, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line["fields"]["message"] == "decided");
    assert_eq!((text.lines().count(), lines.len(), decided.len()), (refusals + ids.len(), refusals, ids.len()));
    assert!(is_tame(&text) && text.lines().all(|line| line.len() < 2048), "{text}");
    for (line, n) in lines.iter().zip(0..) {
        let id = line["fields"]["correlation_id"].as_str().expect("an id");
        let is_own = n / credentials.len() == ids.len() - 1;
        assert_eq!(id == "r-7", is_own, "{line}");
        assert!(is_own || (id.len() == 16 && id.bytes().all(|octet| octet.is_ascii_hexdigit())), "{line}");
    }

    let told: BTreeSet<_> = decided.iter().map(|line| line["fields"]["subject"].as_str()).collect();
    assert_eq!(told, [Subject::new(None, Some("a\"\r\nb")).hash().as_deref()].into(), "one subject, not by its name");

    let (metrics, numbers) = measured(ask);
    let of = |name: &str, label: &str| metrics[name].labels[label].iter().map(String::as_str).collect::<Vec<_>>();
    let reasons = ["keys_unavailable", "malformed_request", "no_credentials", "not_allowed", "not_on_sundays"];
    assert_eq!(of("countersign_refusals_total", "reason"), reasons);
    assert_eq!(of("countersign_refusals_total", "status"), ["400", "401", "403", "503"]);
    let results = ["keys_unavailable", "malformed_request", "not_on_sundays", "verified"];
    assert_eq!(of("countersign_verifications_total", "result"), results);
    let counted = |name: &str| numbers.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, n)| n).sum::<f64>();
    assert_eq!(counted("countersign_refusals_total"), refusals as f64);
    assert_eq!(counted("countersign_verifications_total"), (ids.len() * 4) as f64);
}

#[test]
fn decisions_add_no_line_to_a_refusal_unless_somebody_debugs() {
    let (_, lines) = logged(|| tell_everything(&TracingObserver, &said("no route")));
    let levels: Vec<_> = lines.iter().take(6).map(|line| line["level"].as_str().expect("a level")).collect();
    assert_eq!(levels, ["DEBUG", "DEBUG", "DEBUG", "DEBUG", "INFO", "INFO"]);
}

#[test]
fn names_of_a_catalog_stay_on_their_line() {
    let required = &role(HOSTILE);
    let trace = &Trace::decided(required.to_string(), None).with_parts(vec![Trace::decided(HOSTILE, None); 200]);
    let (text, lines) = logged(|| {
        let why = Why::new("a", "b");
        TracingObserver.observe(&Event::Decision {
            decision: Decision::Deny(why),
            why: Some(why),
            required,
            version: Some(HOSTILE),
            subject: Subject::new(None, Some(HOSTILE)),
            correlation_id: None,
            trace: Some(trace),
        });
        TracingObserver.observe(&Event::ShadowDisagreed { required, decision: Decision::Allow, shadow: None });
        TracingObserver.observe(&Event::ShadowAgreed { required, decision: Decision::Allow });
    });
    assert_eq!((text.lines().count(), is_tame(&text)), (3, true), "{text}");
    let trace = lines[0]["fields"]["trace"].as_str().expect("text");
    assert!(trace.len() <= 1024 + '…'.len_utf8() && trace.ends_with('…'), "{}", trace.len());
}

#[test]
fn a_subject_is_told_by_a_hash_of_issuer_and_name() {
    let hash = |issuer, subject| Subject::new(issuer, subject).hash();
    // printf '\0\0\0\0\0\0\0\2me\0\0\0\0\0\0\0\0017' | sha256sum
    let expected = "a9df0f9d54ca7f85715470902135d7d2df06227b13e40d98ac7e2c35f1fc5fa3";
    assert_eq!(hash(Some("me"), Some("7")).as_deref(), Some(expected));
    assert_eq!(hash(Some("me"), None), None, "nobody");
    let different = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", "")].map(|(i, s)| hash(Some(i), Some(s)));
    assert_eq!(BTreeSet::from(different).len(), 4);
    assert_eq!(format!("{:?}", Subject::new(Some("me"), Some("7"))), "Subject");
}
