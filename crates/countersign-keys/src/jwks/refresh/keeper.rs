use super::Refresher;
use countersign::clock::Alarm;
use countersign::observe::RefreshTrigger;
use std::sync::{Arc, Weak};

/// Starts refreshes when they are due. It ends with its provider, or with its runtime; then the next refresh that is
/// started brings another one.
pub(super) struct Keeper {
    pub(super) refresher: Weak<Refresher>,
    pub(super) alarm: Arc<dyn Alarm>,
    pub(super) number: u64,
}

impl Keeper {
    pub(super) async fn run(self) {
        if let Some(refresher) = self.refresher.upgrade() {
            refresher.set_next_look();
        }
        loop {
            self.alarm.gone_off().await;
            let Some(refresher) = self.refresher.upgrade() else { return };
            let landings = refresher.landings();
            let now = refresher.clock().monotonic();
            if refresher.due_in(now).is_zero() {
                // However it ends, it sets the alarm anew.
                drop(refresher.start(RefreshTrigger::Schedule, landings));
            } else {
                refresher.look_if_due(now).await;
                let _unchanged = refresher.state();
                refresher.set_alarm();
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(refresher) = self.refresher.upgrade() {
            let mut state = refresher.state();
            if state.keeper.as_ref().is_some_and(|keeper| keeper.number == self.number) {
                state.keeper = None;
            }
        }
    }
}
