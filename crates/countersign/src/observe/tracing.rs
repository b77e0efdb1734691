use super::{Event, Observer, SharedKeysOutcome};
use crate::decision::Decision;
use crate::reason::End;
use std::error::Error;
use std::fmt::{self, Write};
use std::iter::successors;

const TARGET: &str = "countersign";

/// Writes to the log, through the application's `tracing` subscriber and under the target `countersign`: one line for each
/// refusal and each decision of an authorizer, and what befalls the keys. Verdicts are not logged, and neither are questions to
/// a cache: count them.
///
/// Refusals with a status of 500 or more, connections that ended because nobody could tell, failed refreshes, throttling,
/// failing caches, shared keys that count for nothing, and revocations that cannot be read or were lost are `WARN`, other refusals and ends and revocations that are read again `INFO`, decisions and all else `DEBUG`. Messages and fields are constants; `docs/OBSERVABILITY.md` lists them. Texts of errors may have come
/// over the network: their control characters are written as escapes, and what is past 1024 bytes is left out. They are
/// recorded as strings, so that subscribers quote them.
///
/// ```
/// use countersign::observe::TracingObserver;
/// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let verifier = JwtVerifier::builder(key)
///     .algorithms([Algorithm::HS256])
///     .issuer("https://issuer.example/")
///     .audience("my-api")
///     .build()?;
/// let guard = Guard::builder(verifier).observer(TracingObserver).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingObserver;

impl Observer for TracingObserver {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::Refused { reason, correlation_id, source } => {
                let (status, reason) = (reason.status(), reason.name());
                // The level is part of what is fixed where a line is written.
                macro_rules! line {
                    ($level:ident) => {
                        tracing::$level!(
                            target: TARGET,
                            reason,
                            status,
                            correlation_id,
                            error = source.map(chain),
                            "request refused"
                        )
                    };
                }
                if status >= 500 { line!(warn) } else { line!(info) }
            }
            Event::Decision { decision, why, required, version, subject, correlation_id, trace } => {
                // A refusal has its one line already; this one is for whoever wants to know how it came about.
                tracing::debug!(
                    target: TARGET,
                    outcome = decision.name(),
                    policy = why.map(|why| why.policy),
                    code = why.map(|why| why.code),
                    required = on_a_line(required),
                    version = version.map(on_a_line),
                    subject = subject.hash(),
                    correlation_id,
                    trace = trace.map(on_a_line),
                    "decided"
                );
            }
            Event::ShadowAgreed { required, decision } => {
                tracing::debug!(
                    target: TARGET,
                    outcome = decision.name(),
                    required = on_a_line(required),
                    "shadow agrees"
                );
            }
            Event::ShadowDisagreed { required, decision, shadow } => {
                let why = shadow.and_then(Decision::why);
                tracing::info!(
                    target: TARGET,
                    outcome = decision.name(),
                    shadow = shadow.map_or("unanswered", Decision::name),
                    policy = why.map(|why| why.policy),
                    code = why.map(|why| why.code),
                    required = on_a_line(required),
                    "shadow disagrees"
                );
            }
            Event::Ended { end, correlation_id } => {
                let (end, close_code, is_known) = (end.name(), end.close_code(), end != End::Unknown);
                macro_rules! line {
                    ($level:ident) => {
                        tracing::$level!(target: TARGET, end, close_code, correlation_id, "connection ended")
                    };
                }
                if is_known { line!(info) } else { line!(warn) }
            }
            Event::KeysRefreshed { provider, trigger, is_new, generation, usable, quarantined, duration, .. } => {
                tracing::debug!(
                    target: TARGET,
                    provider,
                    outcome = super::outcome(is_new),
                    trigger = trigger.name(),
                    generation,
                    usable,
                    quarantined,
                    duration_seconds = duration.as_secs_f64(),
                    "keys refreshed"
                );
            }
            Event::KeysRefreshFailed { provider, trigger, kind, error, duration } => {
                tracing::warn!(
                    target: TARGET,
                    provider,
                    outcome = kind,
                    trigger = trigger.name(),
                    error = chain(error),
                    duration_seconds = duration.as_secs_f64(),
                    "keys not refreshed"
                );
            }
            Event::UnknownKey { provider, outcome } => {
                tracing::debug!(target: TARGET, provider, outcome = outcome.name(), "unknown key");
            }
            Event::UnknownKeysThrottled { provider, count } => {
                tracing::warn!(target: TARGET, provider, count, "unknown keys throttled");
            }
            Event::StaleKeyServed { provider } => tracing::debug!(target: TARGET, provider, "stale key served"),
            Event::SharedKeys { provider, outcome } => {
                let is_amiss = matches!(
                    outcome,
                    SharedKeysOutcome::Forged
                        | SharedKeysOutcome::Future
                        | SharedKeysOutcome::Unusable
                        | SharedKeysOutcome::Alone
                );
                let outcome = outcome.name();
                macro_rules! line {
                    ($level:ident) => {
                        tracing::$level!(target: TARGET, provider, outcome, "shared keys")
                    };
                }
                if is_amiss { line!(warn) } else { line!(debug) }
            }
            Event::CacheFailed { error } => tracing::warn!(target: TARGET, error = chain(error), "cache failed"),
            Event::RevocationsConfirmed { entries } => {
                tracing::info!(target: TARGET, entries, "revocations confirmed");
            }
            Event::RevocationsUnconfirmed { goes_on } => {
                tracing::warn!(target: TARGET, goes_on, "revocations unconfirmed");
            }
            Event::RevocationsRestored { entries } => {
                tracing::warn!(target: TARGET, entries, "revocations restored");
            }
            Event::Verification { .. } | Event::TokenCacheAsked { .. } => {}
        }
    }
}

/// How much of an error is written: bytes of text, and errors in the chain of its sources.
const MAX_LEN: usize = 1024;
const MAX_SOURCES: usize = 16;

/// A text of the application's own, which names of a catalog file may stand in.
fn on_a_line(text: impl fmt::Display) -> String {
    let mut line = Line::default();
    // Fails where the line is full.
    let _ = write!(line, "{text}");
    line.0
}

/// An error and its sources in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = Line::default();
    for (depth, error) in successors(Some(error), |&error| error.source()).take(MAX_SOURCES).enumerate() {
        let separator = if depth == 0 { "" } else { ": " };
        // Fails where the line is full.
        if write!(line, "{separator}{error}").is_err() {
            break;
        }
    }
    line.0
}

/// Text that stays on its line and moves no terminal's cursor, whatever is written into it.
#[derive(Default)]
struct Line(String);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let before = self.0.len();
            match character {
                // What a subscriber escapes where it quotes.
                '"' | '\'' | '\\' => self.0.push(character),
                _ => self.0.extend(character.escape_debug()),
            }
            if self.0.len() > MAX_LEN {
                self.0.truncate(before);
                self.0.push('…');
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}
