use super::Refresher;
use crate::jwks::shared::News;
use countersign::clock::Alarm;
use countersign::observe::RefreshTrigger;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;

/// Starts refreshes when they are due, and looks when others have news. It ends with its provider, or with its runtime; then the next refresh that is
/// started brings another one.
pub(super) struct Keeper {
    pub(super) refresher: Weak<Refresher>,
    pub(super) alarm: Arc<dyn Alarm>,
    /// Where keys are shared.
    pub(super) news: Option<News>,
    pub(super) number: u64,
}

impl Keeper {
    pub(super) async fn run(mut self) {
        if let Some(refresher) = self.refresher.upgrade() {
            refresher.set_next_look();
        }
        let alarm = Arc::clone(&self.alarm);
        let mut gone_off = alarm.gone_off();
        let mut announced = self.next_news();
        loop {
            let news = poll_fn(|context| match gone_off.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => announced.as_mut().poll(context).map(Some),
            })
            .await;
            let Some(refresher) = self.refresher.upgrade() else { return };
            if let Some(count) = news {
                if let Some(news) = &mut self.news {
                    news.hear(count);
                }
                announced = self.next_news();
                refresher.look_soon();
                continue;
            }
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
            gone_off = alarm.gone_off();
        }
    }

    fn next_news(&self) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        self.news.as_ref().map_or_else(|| Box::pin(pending()) as _, News::next)
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
