//! One connection, made when it is needed and made anew when it is gone.

use super::server::{CONNECTION_TIMEOUT, Made, failed};
use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisError, RedisResult};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// How long a connection may fail without a success in between before it is given up for a new one: all goes unanswered where
/// a peer vanished without a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is said where a verb is asked outside of one.
pub(super) const NO_RUNTIME: &str = "there is no Tokio runtime here";

/// A connection in use.
#[derive(Debug, Default)]
pub(super) struct Link(Mutex<Option<Line>>);

/// One connection and its successors, until one cannot be made.
#[derive(Debug)]
struct Line {
    state: watch::Receiver<State>,
    /// Whether a verb has succeeded on the connection of the time.
    has_served: Arc<AtomicBool>,
    /// Since when there was no success.
    failing_since: Option<Instant>,
    task: AbortHandle,
}

#[derive(Clone, Debug)]
enum State {
    Connecting,
    Open(MultiplexedConnection),
    /// For good: the next verb starts another line.
    Failed(Arc<RedisError>),
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    fn is_usable(&self) -> bool {
        // The sender goes with its task, and the task with the runtime that had it.
        self.state.has_changed().is_ok()
            && !matches!(*self.state.borrow(), State::Failed(_))
            && self.failing_since.is_none_or(|since| since.elapsed() < PATIENCE)
    }

    /// Starts to connect. A connection that has served and is closed is made anew at once, so that the next verb need not
    /// fail to find out; one that was closed unused is not, or a server that closes all would be kept busy.
    fn start<F>(runtime: &Handle, dial: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = RedisResult<Made>> + Send,
    {
        let (tell, state) = watch::channel(State::Connecting);
        let has_served = Arc::new(AtomicBool::new(false));
        let served = Arc::clone(&has_served);
        let task = runtime.spawn(async move {
            loop {
                let made = timeout(CONNECTION_TIMEOUT, dial()).await;
                match made.unwrap_or_else(|_| Err(failed("no connection within a second"))) {
                    Ok((connection, driver)) => {
                        tell.send_replace(State::Open(connection));
                        driver.await;
                    }
                    Err(error) => {
                        tell.send_replace(State::Failed(Arc::new(error)));
                        return;
                    }
                }
                if !served.swap(false, Ordering::Relaxed) {
                    tell.send_replace(State::Failed(Arc::new(failed("the server closed the connection"))));
                    return;
                }
                tell.send_replace(State::Connecting);
            }
        });
        Self { state, has_served, failing_since: None, task: task.abort_handle() }
    }
}

impl Link {
    /// Asks on the connection in use. Where there is none that can be counted on, `dial` makes one; whoever comes meanwhile
    /// waits for the same.
    pub(super) async fn ask<T, F>(
        &self,
        dial: impl Fn() -> F + Send + 'static,
        question: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<Made>> + Send,
    {
        let fails = FailsUnlessAnswered(Some(self));
        let answer = question(&mut self.connection(dial).await?).await;
        fails.answered(answer.as_ref().err().is_none_or(RedisError::is_cluster_error));
        answer
    }

    async fn connection<F>(&self, dial: impl Fn() -> F + Send + 'static) -> RedisResult<MultiplexedConnection>
    where
        F: Future<Output = RedisResult<Made>> + Send,
    {
        let runtime = Handle::try_current().map_err(|_| failed(NO_RUNTIME))?;
        let mut state = {
            let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match line.as_ref() {
                Some(line) if line.is_usable() => line.state.clone(),
                _ => line.insert(Line::start(&runtime, dial)).state.clone(),
            }
        };
        let settled = state.wait_for(|state| !matches!(state, State::Connecting)).await;
        match settled.as_deref() {
            Ok(State::Open(connection)) => Ok(connection.clone()),
            Ok(State::Failed(error)) => Err((**error).clone()),
            _ => Err(failed("the runtime that was connecting has ended")),
        }
    }

    /// Notes how a question fared, so that a connection on which nothing succeeds is given up.
    fn note(&self, has_succeeded: bool) {
        if let Some(line) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            if has_succeeded {
                line.failing_since = None;
                line.has_served.store(true, Ordering::Relaxed);
            } else {
                line.failing_since.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Gives the connection up: the next question makes another one.
    pub(super) fn give_up(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Notes a failure where the caller's deadline ends the wait before there is an answer.
struct FailsUnlessAnswered<'l>(Option<&'l Link>);

impl FailsUnlessAnswered<'_> {
    fn answered(mut self, has_succeeded: bool) {
        if let Some(link) = self.0.take() {
            link.note(has_succeeded);
        }
    }
}

impl Drop for FailsUnlessAnswered<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0 {
            link.note(false);
        }
    }
}
