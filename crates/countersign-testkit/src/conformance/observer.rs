//! The rules of [`Observer`].

use super::CALLERS;
use super::renderer::reasons;
use countersign::authorize::{Decision, Why, role};
use countersign::observe::{Event, Observer, RefreshTrigger, SharedKeysOutcome, Subject, UnknownKeyOutcome};
use countersign::reason::End;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

/// Runs the rules of [`Observer`] against one: it is told of events of every kind, with the least and the most that stands in
/// them, by one thread and by many at once. It takes them, and does not panic.
///
/// That it does not block cannot be seen from outside: whoever writes one sees to that.
///
/// ```
/// use countersign::observe::NoObserver;
/// use countersign_testkit::conformance;
///
/// conformance::observer(NoObserver);
/// ```
///
/// # Panics
/// Where the observer does.
pub fn observer(observer: impl Observer) {
    let observer = Arc::new(observer);
    tell(&*observer);
    let threads: Vec<_> = (0..CALLERS / 4)
        .map(|_| {
            let observer = Arc::clone(&observer);
            thread::spawn(move || tell(&*observer))
        })
        .collect();
    for thread in threads {
        assert!(thread.join().is_ok(), "an observer takes events from many threads at once");
    }
}

fn tell(observer: &dyn Observer) {
    let error = io::Error::other("a failure");
    let required = role("admin");
    let long = "a".repeat(128);
    let mut events = vec![Event::Verification { result: Ok(()), duration: Duration::ZERO }];
    for reason in reasons() {
        events.push(Event::Verification { result: Err(reason), duration: Duration::MAX });
        for (correlation_id, source) in [("7", None), (&*long, Some(&error as &(dyn std::error::Error + 'static)))] {
            events.push(Event::Refused { reason, correlation_id, source });
        }
    }
    let why = Why::new("policy", "code");
    for decision in [Decision::Allow, Decision::Deny(why), Decision::Indeterminate(why)] {
        let subject = Subject::new(Some("https://issuer.example/"), None);
        for (version, correlation_id) in [(None, None), (Some("1"), Some("7"))] {
            let why = decision.why();
            let (required, trace) = (&required, None);
            events.push(Event::Decision { decision, why, required, version, subject, correlation_id, trace });
        }
        events.push(Event::ShadowAgreed { required: &required, decision });
        events.push(Event::ShadowDisagreed { required: &required, decision, shadow: None });
    }
    for end in [End::Expired, End::Revoked, End::NotAllowed, End::Unknown] {
        events.push(Event::Ended { end, correlation_id: "7" });
    }
    use RefreshTrigger as Trigger;
    for (provider, trigger) in [
        ("", Trigger::Start),
        ("a", Trigger::Schedule),
        ("a", Trigger::UnknownKey),
        ("a", Trigger::Request),
        ("a", Trigger::Shared),
    ] {
        let (generation, usable, quarantined) = (u64::MAX, usize::MAX, 0);
        let (fetched_at, duration, is_new) = (UNIX_EPOCH, Duration::ZERO, true);
        events.push(Event::KeysRefreshed {
            provider,
            trigger,
            is_new,
            generation,
            usable,
            quarantined,
            fetched_at,
            duration,
        });
        events.push(Event::KeysRefreshFailed { provider, trigger, kind: "status", error: &error, duration });
    }
    use UnknownKeyOutcome::{Fetched, Joined, Remembered, Throttled};
    for outcome in [Remembered, Joined, Fetched, Throttled] {
        events.push(Event::UnknownKey { provider: "a", outcome });
    }
    use SharedKeysOutcome as Shared;
    for outcome in [
        Shared::Published,
        Shared::Forged,
        Shared::Future,
        Shared::Outdated,
        Shared::Unusable,
        Shared::LeaseLost,
        Shared::Alone,
    ] {
        events.push(Event::SharedKeys { provider: "a", outcome });
    }
    events.extend([
        Event::UnknownKeysThrottled { provider: "a", count: u64::MAX },
        Event::StaleKeyServed { provider: "a" },
        Event::TokenCacheAsked { is_hit: true },
        Event::TokenCacheAsked { is_hit: false },
        Event::CacheFailed { error: &error },
        Event::RevocationsConfirmed { entries: 0 },
        Event::RevocationsUnconfirmed { goes_on: true },
        Event::RevocationsRestored { entries: 7 },
    ]);
    events.iter().for_each(|event| observer.observe(event));
}
