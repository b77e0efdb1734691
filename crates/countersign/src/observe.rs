//! What happens, told to whoever watches: the seam [`Observer`].
//!
//! With the feature `tracing`, `TracingObserver` writes events to the log; with `metrics`, `MetricsObserver` counts them.
//! A pair of observers is one: `(TracingObserver, MetricsObserver)`.
//!
//! ```
//! use countersign::observe::{Event, Observer};
//!
//! /// Wakes somebody when nobody can be judged. Refusals are everyday life.
//! #[derive(Debug)]
//! struct Pager;
//! impl Observer for Pager {
//!     fn observe(&self, event: &Event<'_>) {
//!         match event {
//!             Event::KeysRefreshFailed { provider, kind, .. } => page(&format!("{provider}: {kind}")),
//!             Event::RevocationsUnconfirmed { goes_on: false } => page("revocations"),
//!             _ => {}
//!         }
//!     }
//! }
//! # fn page(_: &str) {}
//! ```

#[cfg(feature = "metrics")]
mod metrics;
mod subject;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "metrics")]
pub use self::metrics::MetricsObserver;
pub use self::subject::Subject;
#[cfg(feature = "tracing")]
pub use self::tracing::TracingObserver;

use crate::decision::{Decision, Requirement, Trace, Why};
use crate::reason::{End, Reason};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Something that happened. No text of a request or a token stands in it, but for the correlation id, which is held to a
/// closed alphabet.
///
/// ```
/// use countersign::observe::Event;
///
/// /// A line for the log. No text of the sender's stands in it.
/// fn line(event: &Event<'_>) -> Option<String> {
///     match event {
///         Event::Refused { reason, correlation_id, .. } => Some(format!("{correlation_id} refused: {}", reason.name())),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A guard has reached its verdict on a request's credential: once for each request and guard that looked, whoever
    /// asks again. Requests without credentials are not told.
    Verification {
        /// The verdict.
        result: Result<(), Reason>,
        /// How long the call took that reached it, waiting included. What a call without waiting spent before it had to
        /// leave the verdict to this one is not counted.
        duration: Duration,
    },
    /// A guard refused a request: the one line that a log wants. A request whose credential does not count is told after
    /// its [`Verification`](Self::Verification).
    Refused {
        /// Why.
        reason: Reason,
        /// What this refusal can be found by: the request's own id, or a random one. ASCII letters, digits, `-`, `_`, `.`
        /// and `:`, 128 at most.
        correlation_id: &'e str,
        /// What went wrong behind it, where something did: keys that could not be fetched.
        source: Option<&'e (dyn std::error::Error + 'static)>,
    },
    /// A guard's authorizer has decided. A refusal that follows from it is told after it. Of a requirement of no more than a
    /// valid token nothing is told: nobody decides it.
    Decision {
        /// The decision.
        decision: Decision,
        /// Who decided and why; `None` where it allows, and its authorizer does not
        /// [say](crate::authorize::AccessRequest::allow) why.
        why: Option<Why>,
        /// What was required, as it stands in the application's code.
        required: &'e Requirement,
        /// The version of the policies or of the catalog, where the authorizer says one.
        version: Option<&'e str>,
        /// Whom it is about.
        subject: Subject<'e>,
        /// What the refusal can be found by; `None` where it allows.
        correlation_id: Option<&'e str>,
        /// How it came about; `None` where it allows.
        trace: Option<&'e Trace>,
    },
    /// An authorizer in the [shadow](crate::authorize::Shadowed) of another one was asked, and would have decided alike.
    ShadowAgreed {
        /// What was required, as it stands in the application's code.
        required: &'e Requirement,
        /// The decision, which stands.
        decision: Decision,
    },
    /// An authorizer in the [shadow](crate::authorize::Shadowed) of another one would have decided otherwise.
    ShadowDisagreed {
        /// What was required, as it stands in the application's code.
        required: &'e Requirement,
        /// The decision, which stands.
        decision: Decision,
        /// What the shadow said; `None` where it had not answered by then.
        shadow: Option<Decision>,
    },
    /// A connection that outlived its request had to end. What the client does of its own accord is not told. Where the
    /// authorizer is the reason, its [`Decision`](Self::Decision) is told before.
    Ended {
        /// Why.
        end: End,
        /// Found at the request that opened the connection.
        correlation_id: &'e str,
    },
    /// The keys of an issuer were fetched.
    KeysRefreshed {
        /// The name that the application gave the provider.
        provider: &'e str,
        /// What made it fetch.
        trigger: RefreshTrigger,
        /// Whether the document was a new one.
        is_new: bool,
        /// Counts the documents of this provider that were new.
        generation: u64,
        /// How many keys can be used.
        usable: usize,
        /// How many were set aside.
        quarantined: usize,
        /// When the request was sent.
        fetched_at: SystemTime,
        /// How long it took.
        duration: Duration,
    },
    /// The keys of an issuer could not be fetched; what was there stays in use as long as it may.
    KeysRefreshFailed {
        /// The name that the application gave the provider.
        provider: &'e str,
        /// What made it fetch.
        trigger: RefreshTrigger,
        /// What kind of failure: one of a closed set of names.
        kind: &'static str,
        /// What went wrong.
        error: &'e (dyn std::error::Error + 'static),
        /// How long it took.
        duration: Duration,
    },
    /// A token named a key that is not among those at hand.
    UnknownKey {
        /// The name that the application gave the provider.
        provider: &'e str,
        /// What was done about it.
        outcome: UnknownKeyOutcome,
    },
    /// Tokens with unknown key ids did not cause a fetch, because others had just done so. Told each time the count
    /// reaches the alert threshold.
    UnknownKeysThrottled {
        /// The name that the application gave the provider.
        provider: &'e str,
        /// How many since the last time.
        count: u64,
    },
    /// A key was taken from a set whose time to live is over, because it could not be refreshed.
    StaleKeyServed {
        /// The name that the application gave the provider.
        provider: &'e str,
    },
    /// A token was good, by a verdict that a token cache had, or without one. Of tokens that are refused a cache knows
    /// nothing.
    TokenCacheAsked {
        /// Whether the cache had a verdict that still counts.
        is_hit: bool,
    },
    /// What befell the keys that several processes share through a cache store. Keys that another process had fetched, and
    /// that were taken into use, are told as [`KeysRefreshed`](Self::KeysRefreshed) by [`RefreshTrigger::Shared`].
    SharedKeys {
        /// The name that the application gave the provider.
        provider: &'e str,
        /// What it was.
        outcome: SharedKeysOutcome,
    },
    /// A cache store failed. The caller went on as after a miss; a denylist, to which a miss is a verdict, answered 503.
    CacheFailed {
        /// What went wrong.
        error: &'e (dyn std::error::Error + 'static),
    },
    /// A revocation log has been read: answers count on it. Told at first, and after each
    /// [`RevocationsUnconfirmed`](Self::RevocationsUnconfirmed).
    RevocationsConfirmed {
        /// How many entries are known.
        entries: usize,
    },
    /// A revocation log could not be read for longer than its bound. Told once, until it is read again.
    RevocationsUnconfirmed {
        /// Whether requests are judged by what was known last; else they are answered 503.
        goes_on: bool,
    },
    /// A revocation log had lost what this process knew, flushed or failed over, and this process has put it back.
    RevocationsRestored {
        /// How many entries.
        entries: usize,
    },
}

/// What made a provider fetch its keys.
///
/// ```
/// use countersign::observe::RefreshTrigger;
///
/// assert_eq!(RefreshTrigger::UnknownKey.name(), "unknown_key"); // a label of metrics
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefreshTrigger {
    /// There were no keys yet.
    Start,
    /// The time for it had come, ahead of the end of the keys' time to live or after a failure.
    Schedule,
    /// A token named a key that was not at hand.
    UnknownKey,
    /// The application asked for it.
    Request,
    /// Nothing was fetched here: another process had fetched them, and shares them.
    Shared,
}

impl RefreshTrigger {
    /// The name for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Schedule => "schedule",
            Self::UnknownKey => "unknown_key",
            Self::Request => "request",
            Self::Shared => "shared",
        }
    }
}

/// What a provider did about a key that it did not have.
///
/// ```
/// use countersign::observe::{Event, UnknownKeyOutcome};
///
/// /// Whether tokens name keys that nobody has, more often than the keys may be fetched.
/// fn is_alarming(event: &Event<'_>) -> bool {
///     matches!(event, Event::UnknownKey { outcome: UnknownKeyOutcome::Throttled, .. })
/// }
/// assert!(is_alarming(&Event::UnknownKey { provider: "issuer", outcome: UnknownKeyOutcome::Throttled }));
/// assert_eq!(UnknownKeyOutcome::Throttled.name(), "throttled"); // a label of metrics
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownKeyOutcome {
    /// A fresh document had lacked it a moment ago: refused from memory.
    Remembered,
    /// A refresh was under way, and was waited for.
    Joined,
    /// A refresh was started for it.
    Fetched,
    /// Others had just caused refreshes: refused without one.
    Throttled,
}

impl UnknownKeyOutcome {
    /// The name for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Remembered => "remembered",
            Self::Joined => "joined",
            Self::Fetched => "fetched",
            Self::Throttled => "throttled",
        }
    }
}

/// What befell keys that several processes share.
///
/// ```
/// use countersign::observe::{Event, SharedKeysOutcome};
///
/// /// Whether somebody else writes where the fleet shares its keys.
/// fn is_alarming(event: &Event<'_>) -> bool {
///     matches!(event, Event::SharedKeys { outcome: SharedKeysOutcome::Forged, .. })
/// }
/// assert!(is_alarming(&Event::SharedKeys { provider: "issuer", outcome: SharedKeysOutcome::Forged }));
/// assert!(!is_alarming(&Event::SharedKeys { provider: "issuer", outcome: SharedKeysOutcome::Published }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SharedKeysOutcome {
    /// What this process had fetched is there for the others.
    Published,
    /// What was there was not written with this fleet's key for this source, or was changed, cut or too large. It counts for
    /// nothing.
    Forged,
    /// What was there is said to be of a time that no clock shows yet. It counts for nothing.
    Future,
    /// What was there is older than what is in use, which stays.
    Outdated,
    /// What was there has no key that this process can use. What is in use stays.
    Unusable,
    /// Another process had taken over before what was fetched here could be published. It was dropped.
    LeaseLost,
    /// This process fetches for itself, whatever the others do: the store failed, or those who were to fetch took too long.
    Alone,
}

impl SharedKeysOutcome {
    /// The name for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Forged => "forged",
            Self::Future => "future",
            Self::Outdated => "outdated",
            Self::Unusable => "unusable",
            Self::LeaseLost => "lease_lost",
            Self::Alone => "alone",
        }
    }
}

/// The name of a refresh that gave keys; one that gave none is named by the kind of its failure.
#[cfg(any(feature = "metrics", feature = "tracing"))]
fn outcome(is_new: bool) -> &'static str {
    if is_new { "new" } else { "unchanged" }
}

/// Watches. Called in the middle of a request: it must not block.
///
/// ```
/// use countersign::observe::{Event, Observer};
///
/// #[derive(Debug)]
/// struct ToStderr;
/// impl Observer for ToStderr {
///     fn observe(&self, event: &Event<'_>) {
///         if let Event::Refused { reason, .. } = event {
///             eprintln!("refused: {reason}");
///         }
///     }
/// }
/// ```
pub trait Observer: Debug + Send + Sync + 'static {
    /// Told of each event.
    fn observe(&self, event: &Event<'_>);
}

/// Watches nothing.
///
/// ```
/// use countersign::observe::{Event, NoObserver, Observer};
///
/// // What a piece of the application's own starts with, until it is given another.
/// let observer: Box<dyn Observer> = Box::new(NoObserver);
/// observer.observe(&Event::TokenCacheAsked { is_hit: true });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _: &Event<'_>) {}
}

/// Both watch, the first one first. Pairs nest.
///
/// ```
/// use countersign::observe::{Event, NoObserver, Observer};
///
/// let both = (NoObserver, (NoObserver, NoObserver));
/// both.observe(&Event::TokenCacheAsked { is_hit: true });
/// ```
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, event: &Event<'_>) {
        self.0.observe(event);
        self.1.observe(event);
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Observer + ?Sized> Observer for $pointer<T> {
            fn observe(&self, event: &Event<'_>) {
                (**self).observe(event);
            }
        }
    )*};
}
forward!(Arc, Box);

#[cfg(test)]
#[cfg(all(any(feature = "aws-lc", feature = "ring"), feature = "metrics", feature = "tracing"))]
mod tests;
