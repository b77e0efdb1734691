//! What others announce: one connection of its own that listens, from when somebody waits for news.

use super::Route;
use super::server::{CONNECTION_TIMEOUT, Made, Pushes, failed};
use ::redis::{PushInfo, PushKind, RedisResult, Value};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How long after a connection could not be had, or was lost, another one is tried: twice as long each time …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … and no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a connection is asked whether it lives. Messages come without being asked for, and so does silence.
const BETWEEN_PINGS: Duration = Duration::from_secs(5);
/// How often in a row it may fail to say so.
const MISSES: u32 = 2;

/// How often there were news of the entries that somebody waits for.
#[derive(Debug, Default)]
struct Heard(Mutex<HashMap<String, watch::Sender<u64>>>);

impl Heard {
    fn of(&self, name: &str) -> watch::Receiver<u64> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = heard.get(name) {
            return count.subscribe();
        }
        let (count, told) = watch::channel(0);
        heard.insert(name.to_owned(), count);
        told
    }

    /// News of one entry. Of one that nobody waits for nothing is kept.
    fn tell(&self, name: &str) {
        if let Some(count) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            count.send_modify(|count| *count += 1);
        }
    }

    /// Perhaps news of each: nobody listened for a while.
    fn tell_all(&self) {
        for count in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            count.send_modify(|count| *count += 1);
        }
    }

    /// What the server pushes: a channel, which is ours, and a name.
    fn read(&self, pushed: &PushInfo) {
        if let (PushKind::Message, [_, Value::BulkString(name)]) = (&pushed.kind, pushed.data.as_slice())
            && let Ok(name) = std::str::from_utf8(name)
        {
            self.tell(name);
        }
    }
}

/// Who listens, and for what.
#[derive(Debug, Default)]
pub(super) struct News {
    heard: Arc<Heard>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl News {
    /// Waits until the count of news of an entry is another one, and gives it.
    pub(super) async fn changed(&self, route: &Arc<Route>, channel: &str, name: &str, heard: u64) -> u64 {
        let mut told = self.heard.of(name);
        if let Ok(runtime) = Handle::try_current() {
            self.listen(&runtime, route, channel);
            if let Ok(count) = told.wait_for(|count| *count != heard).await {
                return *count;
            }
        }
        std::future::pending().await
    }

    /// Sees to it that somebody listens. The listener ends with its runtime; then whoever waits next starts another one.
    fn listen(&self, runtime: &Handle, route: &Arc<Route>, channel: &str) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_none_or(JoinHandle::is_finished) {
            let listening = listen(Arc::clone(&self.heard), Arc::clone(route), channel.to_owned());
            *listener = Some(runtime.spawn(listening));
        }
    }
}

impl Drop for News {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            listener.abort();
        }
    }
}

async fn listen(heard: Arc<Heard>, route: Arc<Route>, channel: String) {
    let mut pause = FIRST_PAUSE;
    loop {
        let for_pushes = Arc::clone(&heard);
        let pushes = Pushes::to(move |pushed: PushInfo| {
            for_pushes.read(&pushed);
            Ok::<(), ()>(())
        });
        let made = timeout(CONNECTION_TIMEOUT, route.dial_listener(pushes)).await;
        let made = made.unwrap_or_else(|_| Err(failed("no connection in time")));
        let listened_for = match made {
            Ok(connection) => listen_on(connection, &heard, &channel).await,
            Err(_) => Duration::ZERO,
        };
        if is_good(listened_for) {
            pause = FIRST_PAUSE;
        }
        sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// Whether a connection that listened for so long is worth another one at once. One that is closed again and again as soon as
/// it listens is not.
fn is_good(listened_for: Duration) -> bool {
    listened_for >= BETWEEN_PINGS
}

/// Listens for as long as the connection lives, and says how long that was; zero where it was refused.
async fn listen_on((mut connection, mut driver): Made, heard: &Heard, channel: &str) -> Duration {
    let since = OnceLock::new();
    let mut listening = pin!(async {
        connection.subscribe(channel).await?;
        let _ = since.set(Instant::now());
        // What was said while nobody listened is not said again.
        heard.tell_all();
        let mut misses = 0;
        while misses < MISSES {
            sleep(BETWEEN_PINGS).await;
            let answer: RedisResult<Value> = ::redis::cmd("PING").query_async(&mut connection).await;
            misses = if answer.is_ok() { 0 } else { misses + 1 };
        }
        RedisResult::Ok(())
    });
    // What goes wrong shows in the silence, for which there are looks.
    poll_fn(|context| {
        let is_over = driver.as_mut().poll(context).is_ready() || listening.as_mut().poll(context).is_ready();
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    since.get().map_or(Duration::ZERO, Instant::elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connection_that_listened_for_a_while_is_worth_another_one_at_once() {
        for (millis, is_worth_it) in [(0, false), (1, false), (4_999, false), (5_000, true), (60_000, true)] {
            assert_eq!(is_good(Duration::from_millis(millis)), is_worth_it, "{millis}");
        }
    }

    #[test]
    fn messages_count_for_those_who_wait_and_nothing_else_is_kept() {
        let heard = Heard::default();
        let (one, other) = (heard.of("one"), heard.of("other"));
        let message = |kind, name: &[u8]| PushInfo {
            kind,
            data: vec![Value::BulkString(b"channel".to_vec()), Value::BulkString(name.to_vec())],
        };
        heard.read(&message(PushKind::Message, b"one"));
        for unread in [
            message(PushKind::Subscribe, b"one"),
            message(PushKind::Message, b"another"),
            message(PushKind::Message, &[0xFF]),
            PushInfo { kind: PushKind::Message, data: vec![Value::Nil] },
        ] {
            heard.read(&unread);
        }
        assert_eq!((*one.borrow(), *other.borrow()), (1, 0));
        heard.tell_all();
        assert_eq!((*one.borrow(), *other.borrow()), (2, 1));
        assert_eq!(heard.0.lock().expect("lock").len(), 2);
    }
}
