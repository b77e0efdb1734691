//! Clocks, good and bad.

use super::flawed::{find_out, wait};
use crate::clock::FakeClock;
use crate::conformance::clock;
use countersign::clock::{Alarm, Clock, SystemClock};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[tokio::test]
async fn the_clocks_of_the_house_keep_the_rules() {
    clock(SystemClock::new(), async |time| tokio::time::sleep(time).await).await;
    let fake = FakeClock::at(1_800_000_000);
    clock(Arc::new(fake.clone()), async |time| fake.advance(time)).await;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    Before1970,
    StandsStill,
    WallStandsStill,
    GoesBack,
    RingsEarly,
    RingsNever,
    RingsAgain,
    RingsUnset,
    KeepsTheFirst,
    KeepsWhatIsRemoved,
    MissesWhatIsOver,
    WakesNobody,
}

#[derive(Clone, Debug)]
struct Flawed {
    inner: FakeClock,
    flaw: Option<Flaw>,
    is_back: Arc<AtomicBool>,
}

impl Clock for Flawed {
    fn now(&self) -> SystemTime {
        match self.flaw {
            Some(Flaw::Before1970) => UNIX_EPOCH - Duration::from_secs(1),
            Some(Flaw::WallStandsStill) => UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            _ => self.inner.now(),
        }
    }

    fn monotonic(&self) -> Duration {
        match self.flaw {
            Some(Flaw::StandsStill) => Duration::ZERO,
            Some(Flaw::GoesBack) if self.is_back.fetch_xor(true, Ordering::SeqCst) => Duration::ZERO,
            Some(Flaw::GoesBack) => self.inner.monotonic() + Duration::from_secs(1),
            _ => self.inner.monotonic(),
        }
    }

    fn alarm(&self) -> Option<Box<dyn Alarm>> {
        let inner = self.inner.alarm()?;
        Some(Box::new(FlawedAlarm { clock: self.clone(), inner, was_set: false.into(), has_rung: false.into() }))
    }
}

#[derive(Debug)]
struct FlawedAlarm {
    clock: Flawed,
    inner: Box<dyn Alarm>,
    was_set: AtomicBool,
    has_rung: AtomicBool,
}

impl Alarm for FlawedAlarm {
    fn set(&self, at: Option<Duration>) {
        let is_again = self.was_set.swap(true, Ordering::SeqCst);
        let now = self.clock.monotonic();
        match self.clock.flaw {
            Some(Flaw::RingsEarly) => self.inner.set(at.map(|at| at.saturating_sub(Duration::from_secs(1)))),
            Some(Flaw::KeepsTheFirst) if is_again && at.is_some_and(|at| at > now) => {}
            Some(Flaw::KeepsWhatIsRemoved) if at.is_none() => {}
            Some(Flaw::MissesWhatIsOver) if at.is_some_and(|at| at <= now) => self.inner.set(None),
            _ => self.inner.set(at),
        }
    }

    fn gone_off<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let (was_set, has_rung) = (self.was_set.load(Ordering::SeqCst), self.has_rung.load(Ordering::SeqCst));
        match self.clock.flaw {
            Some(Flaw::RingsNever) => Box::pin(std::future::pending()),
            Some(Flaw::RingsAgain) if has_rung => Box::pin(ready(())),
            Some(Flaw::RingsUnset) if !was_set => Box::pin(ready(())),
            // Looks when it is asked, and not again.
            Some(Flaw::WakesNobody) => Box::pin(async {
                let mut inner = self.inner.gone_off();
                std::future::poll_fn(|_| {
                    inner.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                })
                .await;
            }),
            _ => Box::pin(async {
                self.inner.gone_off().await;
                self.has_rung.store(true, Ordering::SeqCst);
            }),
        }
    }
}

#[test]
fn a_flawed_clock_is_found_out() {
    let run = |flaw| {
        let inner = FakeClock::at(1_800_000_000);
        let flawed = Flawed { inner: inner.clone(), flaw, is_back: Arc::default() };
        wait(async {
            tokio::time::pause(); // whoever is not woken is not waited for in real time
            clock(flawed, async |time| inner.advance(time)).await;
        });
    };
    let flaws = [
        (Flaw::Before1970, "the present time is after 1970"),
        (Flaw::StandsStill, "monotonic time goes on by what has passed"),
        (Flaw::WallStandsStill, "the present time goes on"),
        (Flaw::GoesBack, "monotonic time never goes back"),
        (Flaw::RingsEarly, "an alarm does not go off before its time"),
        (Flaw::RingsNever, "an alarm goes off when its time has come"),
        (Flaw::RingsAgain, "an alarm goes off once for a time that is set"),
        (Flaw::RingsUnset, "an alarm that nobody has set does not go off"),
        (Flaw::KeepsTheFirst, "a time that was set before no longer counts"),
        (Flaw::KeepsWhatIsRemoved, "where no time is set, nothing goes off"),
        (Flaw::MissesWhatIsOver, "an alarm goes off at once where its time has come already"),
        (Flaw::WakesNobody, "whoever waits for an alarm is woken"),
    ];
    find_out(run, &flaws);
}
