use super::{Event, Observer};
use crate::clock::since_epoch;
use crate::decision::Decision;
use crate::reason::Reason;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::Duration;

const VERIFICATIONS: &str = "countersign_verifications_total";
const VERIFICATION_DURATION: &str = "countersign_verification_duration_seconds";
const REFUSALS: &str = "countersign_refusals_total";
const DECISIONS: &str = "countersign_decisions_total";
const ENDS: &str = "countersign_ends_total";
const SHADOW_AGREEMENTS: &str = "countersign_shadow_agreements_total";
const SHADOW_DISAGREEMENTS: &str = "countersign_shadow_disagreements_total";
const REFRESHES: &str = "countersign_keys_refreshes_total";
const REFRESH_DURATION: &str = "countersign_keys_refresh_duration_seconds";
const FETCHED: &str = "countersign_keys_fetched_timestamp_seconds";
const GENERATION: &str = "countersign_keys_generation";
const KEYS: &str = "countersign_keys";
const UNKNOWN_KEYS: &str = "countersign_unknown_keys_total";
const UNKNOWN_KEYS_THROTTLED: &str = "countersign_unknown_keys_throttled_total";
const STALE_KEYS_SERVED: &str = "countersign_stale_keys_served_total";
const SHARED_KEYS: &str = "countersign_shared_keys_total";
const TOKEN_CACHE: &str = "countersign_token_cache_total";
const CACHE_FAILURES: &str = "countersign_cache_failures_total";
const REVOCATIONS_CONFIRMED: &str = "countersign_revocations_confirmed";
const REVOCATIONS_RESTORED: &str = "countersign_revocations_restored_total";

/// Counts and measures, through the recorder that the application has installed for the `metrics` facade.
///
/// Names begin with `countersign_`; `docs/OBSERVABILITY.md` lists them with their labels. The values of labels are constants
/// and the names that the application gave its providers: nothing that a request, a token or a server brings becomes one.
///
/// ```
/// use countersign::observe::MetricsObserver;
/// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
///
/// // once, when the recorder is installed
/// MetricsObserver::describe();
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let verifier = JwtVerifier::builder(key)
///     .algorithms([Algorithm::HS256])
///     .issuer("https://issuer.example/")
///     .audience("my-api")
///     .build()?;
/// let guard = Guard::builder(verifier).observer(MetricsObserver).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MetricsObserver;

impl MetricsObserver {
    /// Tells the installed recorder the meaning and the unit of each metric: for exporters that show them.
    pub fn describe() {
        describe_counter!(VERIFICATIONS, Unit::Count, "Verdicts on credentials");
        describe_histogram!(VERIFICATION_DURATION, Unit::Seconds, "How long verdicts took, waiting included");
        describe_counter!(REFUSALS, Unit::Count, "Requests refused");
        describe_counter!(ENDS, Unit::Count, "Connections that had to end");
        describe_counter!(DECISIONS, Unit::Count, "Decisions of authorizers");
        describe_counter!(SHADOW_AGREEMENTS, Unit::Count, "Decisions that an authorizer in the shadow shared");
        describe_counter!(
            SHADOW_DISAGREEMENTS,
            Unit::Count,
            "Decisions that an authorizer in the shadow did not share"
        );
        describe_counter!(REFRESHES, Unit::Count, "Fetches of key documents that have ended");
        describe_histogram!(REFRESH_DURATION, Unit::Seconds, "How long fetches of key documents took");
        describe_gauge!(FETCHED, Unit::Seconds, "When the keys in use were asked for, since 1970 in UTC");
        describe_gauge!(GENERATION, Unit::Count, "Key documents so far that were new");
        describe_gauge!(KEYS, Unit::Count, "Keys in the document in use");
        describe_counter!(UNKNOWN_KEYS, Unit::Count, "Tokens that named a key that was not at hand");
        describe_counter!(UNKNOWN_KEYS_THROTTLED, Unit::Count, "Tokens with unknown keys that caused no fetch");
        describe_counter!(STALE_KEYS_SERVED, Unit::Count, "Keys used past their time to live");
        describe_counter!(SHARED_KEYS, Unit::Count, "What befell keys shared by several processes");
        describe_counter!(TOKEN_CACHE, Unit::Count, "Good tokens, by a kept verdict or verified anew");
        describe_counter!(CACHE_FAILURES, Unit::Count, "Failures of cache stores");
        describe_gauge!(REVOCATIONS_CONFIRMED, Unit::Count, "1 while the revocation log was read within its bound");
        describe_counter!(REVOCATIONS_RESTORED, Unit::Count, "Revocations put back into a log that had lost them");
    }
}

impl Observer for MetricsObserver {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::Verification { result, duration } => {
                let result = result.map_or_else(Reason::name, |()| "verified");
                counter!(VERIFICATIONS, "result" => result).increment(1);
                histogram!(VERIFICATION_DURATION).record(duration);
            }
            Event::Refused { reason, .. } => {
                let status = reason.status().to_string();
                counter!(REFUSALS, "reason" => reason.name(), "status" => status).increment(1);
            }
            Event::Decision { decision, why, .. } => {
                let (policy, code) = why.map_or(("", ""), |why| (why.policy, why.code));
                counter!(DECISIONS, "outcome" => decision.name(), "policy" => policy, "code" => code).increment(1);
            }
            Event::ShadowAgreed { decision, .. } => {
                counter!(SHADOW_AGREEMENTS, "outcome" => decision.name()).increment(1);
            }
            Event::ShadowDisagreed { decision, shadow, .. } => {
                let shadow = shadow.map_or("unanswered", Decision::name);
                counter!(SHADOW_DISAGREEMENTS, "outcome" => decision.name(), "shadow" => shadow).increment(1);
            }
            Event::Ended { end, .. } => counter!(ENDS, "end" => end.name()).increment(1),
            Event::KeysRefreshed {
                provider,
                trigger,
                is_new,
                generation,
                usable,
                quarantined,
                fetched_at,
                duration,
            } => {
                refresh(provider, super::outcome(is_new), trigger.name(), duration);
                let provider = provider.to_owned();
                gauge!(FETCHED, "provider" => provider.clone()).set(since_epoch(fetched_at).as_secs_f64());
                gauge!(GENERATION, "provider" => provider.clone()).set(generation as f64);
                gauge!(KEYS, "provider" => provider.clone(), "state" => "usable").set(usable as f64);
                gauge!(KEYS, "provider" => provider, "state" => "quarantined").set(quarantined as f64);
            }
            Event::KeysRefreshFailed { provider, trigger, kind, duration, .. } => {
                refresh(provider, kind, trigger.name(), duration);
            }
            Event::UnknownKey { provider, outcome } => {
                counter!(UNKNOWN_KEYS, "provider" => provider.to_owned(), "outcome" => outcome.name()).increment(1);
            }
            Event::UnknownKeysThrottled { provider, count } => {
                counter!(UNKNOWN_KEYS_THROTTLED, "provider" => provider.to_owned()).increment(count);
            }
            Event::StaleKeyServed { provider } => {
                counter!(STALE_KEYS_SERVED, "provider" => provider.to_owned()).increment(1);
            }
            Event::TokenCacheAsked { is_hit } => {
                counter!(TOKEN_CACHE, "outcome" => if is_hit { "hit" } else { "miss" }).increment(1);
            }
            Event::SharedKeys { provider, outcome } => {
                counter!(SHARED_KEYS, "provider" => provider.to_owned(), "outcome" => outcome.name()).increment(1);
            }
            Event::CacheFailed { .. } => counter!(CACHE_FAILURES).increment(1),
            Event::RevocationsConfirmed { .. } => gauge!(REVOCATIONS_CONFIRMED).set(1.0),
            Event::RevocationsUnconfirmed { .. } => gauge!(REVOCATIONS_CONFIRMED).set(0.0),
            Event::RevocationsRestored { entries } => counter!(REVOCATIONS_RESTORED).increment(entries as u64),
        }
    }
}

fn refresh(provider: &str, outcome: &'static str, trigger: &'static str, duration: Duration) {
    let provider = provider.to_owned();
    counter!(REFRESHES, "provider" => provider.clone(), "outcome" => outcome, "trigger" => trigger).increment(1);
    histogram!(REFRESH_DURATION, "provider" => provider).record(duration);
}
