//! What clients do to connections: several requests at once, and leaving in the middle.

use super::servers::start_all;
use super::world::Tokens;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
use countersign::{VerifyingKey, async_trait};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

const PATIENCE: Duration = Duration::from_secs(30);

fn request(path: &str, token: Option<&str>, connection: &str) -> String {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n{authorization}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pipelined_request_has_its_own_verdict() {
    let tokens = Tokens::new();
    let sequence = [
        ("/me", Some("T"), 200),
        ("/me", None, 401),
        ("/admin", Some("ADMIN"), 200),
        ("/admin", Some("T"), 403),
        ("/public", Some("B"), 200),
        ("/me", Some("B"), 401),
        ("/optional", None, 200),
        ("/me", Some("T"), 200),
    ];
    for (framework, server) in start_all(&tokens.guard("default")).await {
        let mut all = String::new();
        for (nth, (path, token, _)) in sequence.iter().enumerate() {
            let connection = if nth + 1 == sequence.len() { "close" } else { "keep-alive" };
            all += &request(path, token.map(|name| tokens.named(name)).as_deref(), connection);
        }
        let exchange = async {
            let mut stream = TcpStream::connect(server).await.expect("the server listens");
            stream.write_all(all.as_bytes()).await.expect("a written request");
            read(stream).await
        };
        let answers = tokio::time::timeout(PATIENCE, exchange).await.expect("answers in time");
        let seen: Vec<_> = answers
            .match_indices("HTTP/1.1 ")
            .map(|(at, line)| answers[at + line.len()..][..3].parse::<u16>().expect("a status"))
            .collect();
        assert_eq!(seen, sequence.map(|(_, _, status)| status), "{framework}");
    }
}

/// Keys for which everybody waits until they are given up, and how many wait.
#[derive(Clone, Debug)]
struct Waiting(Arc<watch::Sender<usize>>, Arc<Notify>);

/// One who waits.
struct Waiter<'w>(&'w Waiting);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|waiting| *waiting -= 1);
    }
}

#[async_trait]
impl KeyProvider for Waiting {
    async fn key(&self, _: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.0.send_modify(|waiting| *waiting += 1);
        let _waiter = Waiter(self);
        self.1.notified().await;
        Err(KeyProviderError::Unavailable(Unavailable::default()))
    }
}

impl Waiting {
    async fn until(&self, expected: usize, whom: &str) {
        let mut waiting = self.0.subscribe();
        let seen = tokio::time::timeout(PATIENCE, waiting.wait_for(|waiting| *waiting == expected)).await;
        assert!(seen.is_ok(), "{whom}: {} wait, not {expected}", *self.0.borrow());
    }
}

/// Sends what it is given and leaves the connection open.
async fn begin(server: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.expect("the server listens");
    stream.write_all(text.as_bytes()).await.expect("a written request");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_in_the_middle_leaves_nothing_behind() {
    const CLIENTS: usize = 64;
    let tokens = Tokens::new();
    let keys = Waiting(Arc::new(watch::Sender::new(0)), Arc::default());
    let guard = tokens.with_keys(keys.clone()).build().expect("a guard");
    let whole = request("/me", Some(&tokens.named("T")), "keep-alive");
    for (framework, server) in start_all(&guard).await {
        let mut waiting = Vec::new();
        for nth in 0..CLIENTS {
            // Some ask and wait, some stop in the middle of a line.
            let half = &whole[..whole.len() - 7 * (nth % 2) - nth % 2];
            waiting.push(begin(server, half).await);
        }
        keys.until(CLIENTS / 2, framework).await;
        let public = begin(server, &request("/public", None, "close")).await;
        let answer = tokio::time::timeout(PATIENCE, read(public)).await.expect("an answer in time");
        assert!(answer.starts_with("HTTP/1.1 200"), "{framework} serves others meanwhile: {answer}");
        drop(waiting);
        // actix-web notices that a client is gone when it answers; the others drop the request at once.
        if framework == "actix-web" {
            keys.1.notify_waiters();
        }
        keys.until(0, framework).await;
    }
}

async fn read(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
