//! A clock that is set by hand: [`FakeClock`].
//!
//! ```
//! use countersign::clock::Clock;
//! use countersign_testkit::clock::FakeClock;
//! use std::time::{Duration, UNIX_EPOCH};
//!
//! let clock = FakeClock::at(1_000);
//! let seen = clock.clone(); // what is under test has a clone, which shows the same time
//! clock.advance(Duration::from_secs(60));
//! assert_eq!(seen.now(), UNIX_EPOCH + Duration::from_secs(1_060));
//! ```

use countersign::clock::{Alarm, Clock};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

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
/// assert_eq!(shared.monotonic(), Duration::from_millis(1_500));
/// ```
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    time: Mutex<Time>,
    /// Counts what those who wait want to know of: moves of the clock, alarms set, alarms gone.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Time {
    wall: SystemTime,
    monotonic: Duration,
    alarms: Vec<Weak<Mutex<Setting>>>,
}

/// What an alarm is at.
#[derive(Debug, Default)]
struct Setting {
    at: Option<Duration>,
    /// Whether it went off, and whoever waited for it has not set it again.
    at_work: bool,
}

/// How long [`FakeClock::pass`] waits for the work of one alarm, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

impl FakeClock {
    /// A clock at this many seconds after 1970 in UTC.
    ///
    /// # Panics
    /// Where the system's type for times cannot hold that.
    #[must_use]
    pub fn at(unix_seconds: u64) -> Self {
        let time = Time { wall: time_at(unix_seconds), monotonic: Duration::ZERO, alarms: Vec::new() };
        Self(Arc::new(Shared { time: Mutex::new(time), changes: watch::Sender::new(0) }))
    }

    /// Moves the clock forward, and waits for nothing: whoever has set an alarm is told.
    ///
    /// # Panics
    /// Where the system's type for times cannot hold the sum.
    pub fn advance(&self, time: Duration) {
        self.change(|now| {
            now.wall = now.wall.checked_add(time).expect("a time that `SystemTime` can hold");
            now.monotonic += time;
        });
    }

    /// Lets time pass: moves the clock forward from alarm to alarm, and waits until the work of each is done, that is,
    /// until it has been set again or is gone. Then nothing that was due is left.
    ///
    /// # Panics
    /// Where the work of an alarm takes longer than a minute: nobody waits for it, or it waits for what never comes.
    pub async fn pass(&self, time: Duration) {
        let until = self.monotonic() + time;
        loop {
            self.rest().await;
            let now = self.monotonic();
            let next = self.alarms().into_iter().filter_map(|alarm| lock(&alarm).at).filter(|at| *at <= until).min();
            self.advance(next.unwrap_or(until).saturating_sub(now));
            if next.is_none() {
                return;
            }
        }
    }

    /// Sets the time of the world, backwards too, as an operator does or the end of a suspension. Monotonic time stays
    /// what it is.
    ///
    /// # Panics
    /// Where the system's type for times cannot hold that.
    pub fn set(&self, unix_seconds: u64) {
        self.change(|now| now.wall = time_at(unix_seconds));
    }

    /// Waits until no alarm is due and no work of one is under way.
    async fn rest(&self) {
        let mut changes = self.0.changes.subscribe();
        let at_rest = async {
            loop {
                let now = self.monotonic();
                let is_busy = |setting: &Setting| setting.at_work || setting.at.is_some_and(|at| at <= now);
                if !self.alarms().iter().any(|alarm| is_busy(&lock(alarm))) {
                    return;
                }
                changes.changed().await.expect("this clock holds the sender");
            }
        };
        tokio::time::timeout(PATIENCE, at_rest).await.expect("an alarm went off, and its work does not end");
    }

    fn alarms(&self) -> Vec<Arc<Mutex<Setting>>> {
        let mut time = lock(&self.0.time);
        time.alarms.retain(|alarm| alarm.strong_count() > 0);
        time.alarms.iter().filter_map(Weak::upgrade).collect()
    }

    fn change(&self, change: impl FnOnce(&mut Time)) {
        change(&mut lock(&self.0.time));
        self.0.changes.send_modify(|count| *count += 1);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        lock(&self.0.time).wall
    }

    fn monotonic(&self) -> Duration {
        lock(&self.0.time).monotonic
    }

    fn alarm(&self) -> Option<Box<dyn Alarm>> {
        let setting = Arc::default();
        lock(&self.0.time).alarms.push(Arc::downgrade(&setting));
        Some(Box::new(FakeAlarm { clock: self.clone(), setting: Some(setting) }))
    }
}

#[derive(Debug)]
struct FakeAlarm {
    clock: FakeClock,
    /// `None` once dropped.
    setting: Option<Arc<Mutex<Setting>>>,
}

impl FakeAlarm {
    fn has_gone_off(&self) -> bool {
        let now = self.clock.monotonic();
        let Some(setting) = &self.setting else { return false };
        let mut setting = lock(setting);
        let is_due = setting.at.is_some_and(|at| at <= now);
        if is_due {
            *setting = Setting { at: None, at_work: true };
        }
        is_due
    }
}

impl Alarm for FakeAlarm {
    fn set(&self, at: Option<Duration>) {
        if let Some(setting) = &self.setting {
            *lock(setting) = Setting { at, at_work: false };
        }
        self.clock.change(|_| {});
    }

    fn gone_off<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async {
            let mut changes = self.clock.0.changes.subscribe();
            while !self.has_gone_off() {
                changes.changed().await.expect("this alarm's clock holds the sender");
            }
        })
    }
}

impl Drop for FakeAlarm {
    fn drop(&mut self) {
        // Gone before those who wait look again.
        self.setting = None;
        self.clock.change(|_| {});
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn time_at(unix_seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(unix_seconds)).expect("a time that `SystemTime` can hold")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[test]
    fn it_moves_as_told_and_for_all_clones() {
        let clock = FakeClock::at(100);
        let shared = clock.clone();
        assert_eq!(shared.now(), time_at(100));
        clock.advance(Duration::from_secs(5));
        assert_eq!((shared.now(), shared.monotonic()), (time_at(105), Duration::from_secs(5)));
        shared.set(7);
        assert_eq!((clock.now(), clock.monotonic()), (time_at(7), Duration::from_secs(5)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn passing_time_runs_what_is_due_in_order_and_to_its_end() {
        const SECOND: Duration = Duration::from_secs(1);
        let clock = FakeClock::at(0);
        let told = Arc::new(Mutex::new(Vec::new()));
        for (name, every) in [("a", 2), ("b", 3)] {
            let (clock, told) = (clock.clone(), told.clone());
            let alarm = clock.alarm().expect("an alarm");
            alarm.set(Some(every * SECOND));
            tokio::spawn(async move {
                loop {
                    alarm.gone_off().await;
                    tokio::task::yield_now().await;
                    lock(&told).push((name, clock.monotonic().as_secs()));
                    alarm.set(Some(clock.monotonic() + every * SECOND));
                }
            });
        }
        clock.pass(7 * SECOND).await;
        let mut told = lock(&told).clone();
        told.sort_by_key(|(name, at)| (*at, *name));
        assert_eq!(told, [("a", 2), ("b", 3), ("a", 4), ("a", 6), ("b", 6)]);
        assert_eq!(clock.monotonic(), 7 * SECOND);
    }

    #[tokio::test]
    async fn an_alarm_that_is_gone_or_not_set_holds_nothing_up() {
        let clock = FakeClock::at(0);
        let alarm = clock.alarm().expect("an alarm");
        alarm.set(Some(Duration::ZERO));
        alarm.gone_off().await;
        let mut passing = pin!(clock.pass(Duration::ZERO));
        assert!(passing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "still at work");
        drop(alarm);
        passing.await;
        let unset = clock.alarm().expect("an alarm");
        unset.set(Some(Duration::ZERO));
        unset.set(None);
        clock.pass(Duration::from_secs(1)).await;
    }
}
