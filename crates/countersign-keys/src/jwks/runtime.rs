//! What the refresher takes from the runtime and from `std::sync`, so that a model checker can stand in for both
//! (`--cfg shuttle`, in this crate's own tests).

#[cfg(not(all(test, shuttle)))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::time::Duration;
    use tokio::runtime::Handle;
    pub(crate) use tokio::task::AbortHandle;

    /// Runs a task on the runtime that asks, if there is one.
    pub(crate) struct Spawner(Handle);

    impl Spawner {
        pub(crate) fn here() -> Option<Self> {
            Handle::try_current().ok().map(Self)
        }

        pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
            self.0.spawn(task).abort_handle()
        }
    }

    /// `None` where the time was over first.
    pub(crate) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(time, future).await.ok()
    }

    pub(crate) async fn wait(time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(all(test, shuttle))]
mod model {
    pub(crate) use shuttle::future::AbortHandle;
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
    use std::time::Duration;

    pub(crate) struct Spawner;

    impl Spawner {
        pub(crate) fn here() -> Option<Self> {
            Some(Self)
        }

        pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
            shuttle::future::spawn(task).abort_handle()
        }
    }

    /// Time stands still in the model.
    pub(crate) async fn within<T>(_: Duration, future: impl Future<Output = T>) -> Option<T> {
        Some(future.await)
    }

    pub(crate) async fn wait(_: Duration) {
        shuttle::future::yield_now().await;
    }
}

#[cfg(all(test, shuttle))]
pub(crate) use model::*;
#[cfg(not(all(test, shuttle)))]
pub(crate) use real::*;
