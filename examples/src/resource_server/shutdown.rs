use super::LOG_TARGET;
use axum::Router;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What requests in flight get to finish. None waits longer than 5 s for keys, or 100 ms for Redis.
const GRACE: Duration = Duration::from_secs(10);

/// Ends with the first SIGTERM or SIGINT after this call.
pub(super) fn signalled() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    #[cfg(unix)]
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        drop(tokio::signal::ctrl_c().await);
    })
}

/// Serves until `ending` ends. Then no connection is taken, and what is in flight is finished, unless it takes too long.
pub(super) async fn serve_until(
    ending: impl Future<Output = ()>,
    listener: TcpListener,
    router: Router,
) -> io::Result<()> {
    let (end, ended) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async { drop(ended.await) });
    let mut serving = pin!(server.into_future());
    tokio::select! {
        outcome = &mut serving => return outcome,
        () = ending => {}
    }
    tracing::info!(target: LOG_TARGET, "ending");
    drop(end);
    match timeout(GRACE, serving).await {
        Ok(outcome) => outcome?,
        Err(_) => tracing::warn!(target: LOG_TARGET, "requests in flight were cut off"),
    }
    tracing::info!(target: LOG_TARGET, "ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::sync::Arc;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;
    use tokio::sync::Notify;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_delays_the_end_by_its_grace_and_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
        let asked = Arc::new(Notify::new());
        let told = Arc::clone(&asked);
        let never = get(move || async move {
            told.notify_one();
            std::future::pending::<()>().await;
        });
        let start = Instant::now();
        let served = serve_until(asked.notified(), listener, Router::new().route("/", never)).await;
        assert!(served.is_ok());
        assert!((GRACE..GRACE * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}
