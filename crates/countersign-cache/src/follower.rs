//! The task that follows a revocation log.

use countersign::ConfigError;
use countersign::revocation::RevocationLog;
use std::fmt::{self, Debug};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Polls a [`RevocationLog`] on the Tokio runtime that starts it, every [`interval`](RevocationLog::interval), after a
/// failure in a quarter of it, until it is dropped. The log then is no longer confirmed once its bound is over.
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

    /// Looks now and not when the interval is over: for messages that something is new, by `PUBLISH` or otherwise. One that
    /// is lost costs nothing but time, and several at once are one.
    pub fn wake(&self) {
        self.woken.notify_one();
    }
}

async fn follow(log: Arc<RevocationLog>, woken: Arc<Notify>) {
    loop {
        // What goes wrong is told to the log's observer, and tried again, so soon that the view stays young enough where it was
        // one question.
        let pause = if log.poll().await.is_ok() { log.interval() } else { log.interval() / 4 };
        let _ = timeout(pause, woken.notified()).await;
    }
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
