use countersign::clock::{Alarm, Clock};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// An alarm on the runtime's timers, for clocks that have none of their own.
#[derive(Debug)]
pub(super) struct RuntimeAlarm {
    clock: Arc<dyn Clock>,
    at: watch::Sender<Option<Duration>>,
}

impl RuntimeAlarm {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, at: watch::Sender::new(None) }
    }
}

impl Alarm for RuntimeAlarm {
    fn set(&self, at: Option<Duration>) {
        self.at.send_replace(at);
    }

    fn gone_off<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async {
            let mut settings = self.at.subscribe();
            loop {
                let set = *settings.borrow_and_update();
                let left = set.map(|at| at.saturating_sub(self.clock.monotonic()));
                match left {
                    Some(Duration::ZERO) if self.at.send_if_modified(|at| *at == set && at.take().is_some()) => return,
                    Some(Duration::ZERO) => {}
                    Some(left) => drop(tokio::time::timeout(left, settings.changed()).await),
                    // The sender lives as long as this alarm.
                    None => drop(settings.changed().await),
                }
            }
        })
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;
    use countersign_testkit::clock::FakeClock;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_goes_off_once_when_it_is_time_and_not_when_it_was_set_anew() {
        const SECOND: Duration = Duration::from_secs(1);
        let clock = FakeClock::at(1_800_000_000);
        let alarm = RuntimeAlarm::new(Arc::new(clock.clone()));
        let goes_off = async || timeout(SECOND / 2, alarm.gone_off()).await.is_ok();
        assert!(!goes_off().await, "nobody has set it");
        alarm.set(Some(SECOND));
        assert!(!goes_off().await, "too early");
        clock.advance(SECOND);
        assert!(goes_off().await);
        assert!(!goes_off().await, "it has gone off");
        let (gone_off, ()) = tokio::join!(goes_off(), async { alarm.set(Some(SECOND)) });
        assert!(gone_off, "whoever waits is woken");
        for at in [Some(2 * SECOND), None] {
            alarm.set(at);
            assert!(!goes_off().await, "{at:?}");
        }
    }
}
