//! Time, injected: the only place that reads the system's clocks.
//!
//! ```
//! use countersign::clock::Clock;
//! use countersign::issue::JwtSigner;
//! use countersign::request::Credential;
//! use countersign::verify::TokenVerifier;
//! use countersign::{Algorithm, JwtVerifier, SigningKey};
//! use std::time::{Duration, SystemTime, UNIX_EPOCH};
//!
//! /// Always the same second. `FakeClock` of `countersign-testkit` can be advanced.
//! #[derive(Debug)]
//! struct At(u64);
//! impl Clock for At {
//!     fn now(&self) -> SystemTime { UNIX_EPOCH + Duration::from_secs(self.0) }
//! }
//!
//! let key = SigningKey::generate(Algorithm::ES256)?;
//! let is_good_at = |second| {
//!     let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").clock(At(second)).build()?;
//!     let token = JwtSigner::new(key.clone()).sign(&serde_json::json!({"iss": "i", "aud": "a", "exp": 1_000}))?;
//!     let verdict = verifier.verify_now(&Credential::new("Bearer", &token));
//!     Ok::<_, Box<dyn std::error::Error>>(verdict.is_some_and(|verdict| verdict.is_ok()))
//! };
//! assert!(is_good_at(1_000 + 29)?, "within the leeway");
//! assert!(!is_good_at(1_000 + 30)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt::Debug;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from.
///
/// ```
/// use countersign::clock::Clock;
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
///
/// #[derive(Debug)]
/// struct Fixed;
/// impl Clock for Fixed {
///     fn now(&self) -> SystemTime {
///         UNIX_EPOCH + Duration::from_secs(1_300_819_380)
///     }
/// }
/// assert_eq!(Fixed.monotonic(), Duration::from_secs(1_300_819_380));
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present time, as the world tells it: what `exp`, `nbf` and `iat` are held against.
    fn now(&self) -> SystemTime;

    /// The time since a point that is fixed for this clock, measured by what nobody sets: how old something is, when
    /// something is due.
    ///
    /// Unless implemented, the time since 1970 by [`now`](Self::now): for clocks that are never put back.
    fn monotonic(&self) -> Duration {
        since_epoch(self.now())
    }

    /// An alarm on this clock's [`monotonic`](Self::monotonic) time; `None` where that runs as the runtime's own timers
    /// do, so that those serve.
    ///
    /// For clocks that are set by hand, which alone know when a time has come.
    fn alarm(&self) -> Option<Box<dyn Alarm>> {
        None
    }
}

/// Tells one waiting task that a time has come.
///
/// ```
/// use countersign::clock::Clock;
/// use std::time::Duration;
///
/// /// Waits on any clock: one that is set by hand has an alarm, for others `sleep` is the runtime's.
/// async fn wait<F: Future<Output = ()>>(clock: &impl Clock, time: Duration, sleep: impl FnOnce(Duration) -> F) {
///     match clock.alarm() {
///         Some(alarm) => {
///             alarm.set(Some(clock.monotonic() + time));
///             alarm.gone_off().await;
///         }
///         None => sleep(time).await,
///     }
/// }
/// ```
pub trait Alarm: Debug + Send + Sync + 'static {
    /// Sets the time, instead of what was set before; `None` sets none. The alarm goes off once for it, and at once where
    /// it has come already.
    fn set(&self, at: Option<Duration>);

    /// Ready when the time that was set has come; never where none was set.
    fn gone_off<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// The clocks of the operating system: the default everywhere.
///
/// ```
/// use countersign::clock::{Clock, SystemClock};
///
/// let clock = SystemClock::new();
/// let started = clock.monotonic();
/// assert!(clock.monotonic() >= started, "also where somebody sets the system's time back");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time is zero now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Clock + ?Sized> Clock for $pointer<T> {
            fn now(&self) -> SystemTime {
                self.deref().now()
            }

            fn monotonic(&self) -> Duration {
                self.deref().monotonic()
            }

            fn alarm(&self) -> Option<Box<dyn Alarm>> {
                self.deref().alarm()
            }
        }
    )*};
}
forward!(Arc, Box);

/// Time since 1970 in UTC; a clock set before that reads as 1970, when no token is valid yet.
pub(crate) fn since_epoch(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}
