//! A clock that is set by hand: [`FakeClock`].

use countersign::clock::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that stands still until it is moved. Clones show the same time.
///
/// ```
/// use countersign::clock::Clock;
/// use countersign_testkit::clock::FakeClock;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let clock = FakeClock::at(1_300_819_380);
/// let shared = clock.clone();
/// clock.advance(Duration::from_millis(1_500));
/// assert_eq!(shared.now(), UNIX_EPOCH + Duration::from_millis(1_300_819_381_500));
/// ```
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Mutex<SystemTime>>);

impl FakeClock {
    /// A clock at this many seconds after 1970 in UTC.
    ///
    /// # Panics
    /// Where the system's type for times cannot hold that.
    #[must_use]
    pub fn at(unix_seconds: u64) -> Self {
        Self(Arc::new(Mutex::new(time_at(unix_seconds))))
    }

    /// Moves the clock forward.
    ///
    /// # Panics
    /// Where the system's type for times cannot hold the sum.
    pub fn advance(&self, time: Duration) {
        self.change(|now| now.checked_add(time).expect("a time that `SystemTime` can hold"));
    }

    /// Sets the clock, backwards too.
    ///
    /// # Panics
    /// Where the system's type for times cannot hold that.
    pub fn set(&self, unix_seconds: u64) {
        self.change(|_| time_at(unix_seconds));
    }

    fn change(&self, change: impl FnOnce(SystemTime) -> SystemTime) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = change(*now);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn time_at(unix_seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(unix_seconds)).expect("a time that `SystemTime` can hold")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_as_told_and_for_all_clones() {
        let clock = FakeClock::at(100);
        let shared = clock.clone();
        assert_eq!(shared.now(), time_at(100));
        clock.advance(Duration::from_secs(5));
        assert_eq!(shared.now(), time_at(105));
        shared.set(7);
        assert_eq!(clock.now(), time_at(7));
    }
}
