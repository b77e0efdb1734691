//! A server that publishes keys, or whatever else it is told to answer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a [`JwksServer`] answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Script {
    /// These bytes, status line and all, and then the connection is closed.
    Bytes(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Hang,
}

impl Script {
    /// Status 200 with a JSON body.
    #[must_use]
    pub fn json(body: &str) -> Self {
        Self::response("200 OK", "application/json", body)
    }

    /// Any status, such as `503 Service Unavailable`, with a body of any type.
    #[must_use]
    pub fn response(status: &str, content_type: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::Bytes(
            format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .into_bytes(),
        )
    }
}

/// A scripted HTTP server on a free port of this machine. It stops when it is dropped.
#[derive(Debug)]
pub struct JwksServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<Script>,
    requests: AtomicUsize,
}

impl JwksServer {
    /// Starts it.
    ///
    /// # Panics
    /// When no port of this machine can be listened on.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { script: Mutex::new(script), requests: AtomicUsize::new(0) });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&serving)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, shared, task }
    }

    /// The URL of a path, which stands for every other one too.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers differently from now on.
    pub fn say(&self, script: Script) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&chunk[..read]),
        }
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let script = shared.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match script {
        // A client that has gone away misses nothing.
        Script::Bytes(bytes) => drop(stream.write_all(&bytes).await),
        Script::Hang => std::future::pending().await,
    }
}
