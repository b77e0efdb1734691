//! Time, injected: the only place that reads the system clock.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the present time comes from.
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
/// assert_eq!(Fixed.now(), Fixed.now());
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> SystemTime;
}

/// The clock of the operating system: the default everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Clock + ?Sized> Clock for $pointer<T> {
            fn now(&self) -> SystemTime {
                self.deref().now()
            }
        }
    )*};
}
forward!(Arc, Box);

/// Time since 1970 in UTC; a clock set before that reads as 1970, when no token is valid yet.
pub(crate) fn since_epoch(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}
