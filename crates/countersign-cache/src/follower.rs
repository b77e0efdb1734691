//! The task that follows a revocation log.

use countersign::ConfigError;
use countersign::revocation::RevocationLog;
use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// After which part of the interval those who have heard news have looked.
const AFTER_NEWS: f64 = 0.2;

/// Polls a [`RevocationLog`] on the Tokio runtime that starts it, every [`interval`](RevocationLog::interval), after a
/// failure in a quarter of it, and soon after others [announce](RevocationLog::changed) something, until it is dropped. The log
/// then is no longer confirmed once its bound is over.
///
/// ```
/// use countersign::cache::FleetKey;
/// use countersign::revocation::RevocationLog;
/// use countersign_cache::{Follower, MemoryCache};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = FleetKey::from_base64url("tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM")?;
/// // `RedisCache` for a fleet
/// let log = Arc::new(RevocationLog::builder(MemoryCache::new(), key).build()?);
/// let follower = Follower::start(log.clone())?;
/// // as long as the service runs
/// drop(follower);
/// # Ok(())
/// # }
/// ```
pub struct Follower {
    log: Arc<RevocationLog>,
    woken: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Starts at once, with a first look.
    ///
    /// # Errors
    /// [`ConfigError`] outside a Tokio runtime.
    pub fn start(log: Arc<RevocationLog>) -> Result<Self, ConfigError> {
        let runtime =
            Handle::try_current().map_err(|_| ConfigError::new("runtime", "there is no Tokio runtime here"))?;
        let woken = Arc::new(Notify::new());
        let task = runtime.spawn(follow(log.clone(), woken.clone()));
        Ok(Self { log, woken, task })
    }

    /// Whether it polls: not when the runtime that started it has ended. Then start another one.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }

    /// Looks now and not when the interval is over: for messages that something is new, by `PUBLISH` or otherwise. One that
    /// is lost costs nothing but time, and several at once are one.
    pub fn wake(&self) {
        self.woken.notify_one();
    }
}

async fn follow(log: Arc<RevocationLog>, woken: Arc<Notify>) {
    let mut heard = 0;
    loop {
        // What goes wrong is told to the log's observer, and tried again, so soon that the view stays young enough where it was
        // one question.
        let pause = if log.poll().await.is_ok() { log.interval() } else { log.interval() / 4 };
        let mut woken = pin!(woken.notified());
        let mut news = pin!(log.changed(heard));
        let waiting = poll_fn(|context| match woken.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => news.as_mut().poll(context).map(Some),
        });
        if let Ok(Some(count)) = timeout(pause, waiting).await {
            heard = count;
            // Not all at once, and not as often as anybody cares to announce something.
            sleep(log.interval().mul_f64(AFTER_NEWS * random_fraction())).await;
        }
    }
}

/// Between 0 and 1, and not for secrets: each `RandomState` has keys of its own.
fn random_fraction() -> f64 {
    let [a, b, ..] = RandomState::new().hash_one(0).to_le_bytes();
    f64::from(u16::from_le_bytes([a, b])) / f64::from(u16::MAX)
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("log", &self.log).finish_non_exhaustive()
    }
}
