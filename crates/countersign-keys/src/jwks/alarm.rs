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
