//! The rules of [`Clock`].

use super::{CALLERS, PATIENCE, once};
use countersign::clock::{Alarm, Clock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::timeout;

const SECOND: Duration = Duration::from_secs(1);

/// Runs the rules of [`Clock`] against one. `pass` lets that much time pass for it: a clock that is set by hand it moves, for
/// others it sleeps.
///
/// - It is after 1970, and time goes on.
/// - Monotonic time never goes back, whichever thread looks, and has gone on by what has passed.
/// - An alarm, where the clock has any, goes off when its time has come and not before, once for each time that is set, and at
///   once where that time is over. What was set before no longer counts, and one that is not set never goes off. Whoever
///   waits is woken. Each alarm is its own.
///
/// ```
/// use countersign_testkit::clock::FakeClock;
/// use countersign_testkit::conformance;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let clock = FakeClock::at(1_800_000_000);
/// conformance::clock(clock.clone(), async |time| clock.advance(time)).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// Where a rule does not hold.
pub async fn clock(clock: impl Clock, pass: impl AsyncFn(Duration)) {
    let clock: Arc<dyn Clock> = Arc::new(clock);
    assert!(clock.now() > UNIX_EPOCH, "the present time is after 1970");
    never_goes_back(&clock);
    let (now, monotonic) = (clock.now(), clock.monotonic());
    pass(SECOND).await;
    assert!(clock.monotonic() >= monotonic + SECOND, "monotonic time goes on by what has passed");
    assert!(clock.now() > now, "the present time goes on");
    if clock.alarm().is_some() {
        alarms(&*clock, &pass).await;
        wakes(&*clock, &pass).await;
    }
    never_goes_back(&clock);
}

fn never_goes_back(clock: &Arc<dyn Clock>) {
    let latest = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..CALLERS / 4)
        .map(|_| {
            let (clock, latest) = (Arc::clone(clock), Arc::clone(&latest));
            thread::spawn(move || {
                for _ in 0..1_000 {
                    let seen = latest.load(Ordering::SeqCst);
                    let time = u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
                    latest.fetch_max(time, Ordering::SeqCst);
                    if time < seen {
                        return false;
                    }
                }
                true
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap_or(false), "monotonic time never goes back, whichever thread looks");
    }
}

fn alarm(clock: &dyn Clock) -> Box<dyn Alarm> {
    clock.alarm().expect("a clock that has alarms gives one to whoever asks")
}

async fn has_gone_off(alarm: &dyn Alarm) -> bool {
    once(&mut alarm.gone_off()).await.is_ready()
}

async fn alarms(clock: &dyn Clock, pass: &impl AsyncFn(Duration)) {
    let (early, late, unset, replaced, removed) =
        (alarm(clock), alarm(clock), alarm(clock), alarm(clock), alarm(clock));
    let start = clock.monotonic();
    early.set(Some(start + SECOND));
    late.set(Some(start + 3 * SECOND));
    for time in [start + SECOND, start + 3 * SECOND] {
        replaced.set(Some(time));
    }
    removed.set(Some(start + SECOND));
    removed.set(None);
    assert!(!has_gone_off(&*early).await, "an alarm does not go off before its time");
    pass(SECOND).await;
    assert!(has_gone_off(&*early).await, "an alarm goes off when its time has come");
    assert!(!has_gone_off(&*early).await, "an alarm goes off once for a time that is set");
    assert!(!has_gone_off(&*late).await, "each alarm is its own");
    assert!(!has_gone_off(&*replaced).await, "a time that was set before no longer counts");
    drop(early);
    pass(3 * SECOND).await;
    assert!(has_gone_off(&*late).await, "an alarm goes off, late too, whichever others are gone");
    assert!(has_gone_off(&*replaced).await, "the time that was set last counts");
    assert!(!has_gone_off(&*removed).await, "where no time is set, nothing goes off");
    assert!(!has_gone_off(&*unset).await, "an alarm that nobody has set does not go off");
    for over in [Duration::ZERO, clock.monotonic()] {
        late.set(Some(over));
        assert!(has_gone_off(&*late).await, "an alarm goes off at once where its time has come already");
    }
}

async fn wakes(clock: &dyn Clock, pass: &impl AsyncFn(Duration)) {
    let alarm = alarm(clock);
    alarm.set(Some(clock.monotonic() + SECOND));
    let waiting = tokio::spawn(async move { alarm.gone_off().await });
    // It waits by then.
    tokio::task::yield_now().await;
    pass(SECOND).await;
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "whoever waits for an alarm is woken");
}
