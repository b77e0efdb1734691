//! A WebSocket client, and one that reads a body as it comes.

use super::world::World;
use crate::http::client::{Answer, send};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{ProtocolError, SubProtocolError};
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

/// An open WebSocket.
pub(super) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Opens one with a token of these claims.
    pub(super) async fn connect(world: &World, path: &str, claims: &Value) -> Self {
        Self::open(world.address, path, &world.token(claims)).await
    }

    /// Opens one with this token.
    pub(super) async fn open(server: SocketAddr, path: &str, token: &str) -> Self {
        let (client, _) = Self::upgrade(server, path, "authorization", &format!("Bearer {token}")).await;
        client.expect("an upgrade")
    }

    /// Opens one as a page does, which can offer subprotocols and set no other field. Gives what the server selects, and no
    /// client where it selects none, as in a browser.
    pub(super) async fn offer(server: SocketAddr, path: &str, offered: &str) -> (Option<Self>, Option<String>) {
        Self::upgrade(server, path, "sec-websocket-protocol", offered).await
    }

    async fn upgrade(
        server: SocketAddr,
        path: &str,
        field: &'static str,
        value: &str,
    ) -> (Option<Self>, Option<String>) {
        let mut request = format!("ws://{server}{path}").into_client_request().expect("a request");
        request.headers_mut().insert(field, value.parse().expect("a field value"));
        let stream = in_time(TcpStream::connect(server)).await.expect("the server listens");
        match in_time(tokio_tungstenite::client_async(request, stream)).await {
            Ok((socket, answer)) => {
                assert_eq!(answer.status(), 101);
                let selected = answer.headers().get_all("sec-websocket-protocol").iter();
                let selected: Vec<_> = selected.map(|value| value.to_str().expect("text").to_owned()).collect();
                assert!(selected.len() < 2, "one answer: {selected:?}");
                (Some(Self(socket)), selected.into_iter().next())
            }
            Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol))) => {
                (None, None)
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a text and gives the next one that comes.
    pub(super) async fn ask(&mut self, text: &str) -> String {
        in_time(self.0.send(Message::text(text))).await.expect("sent");
        let answer = in_time(self.0.next()).await.expect("an answer").expect("a message");
        answer.into_text().expect("text").to_string()
    }

    /// Waits for the server's Close frame, and then for the end of the connection.
    pub(super) async fn close(mut self) -> Option<(u16, String)> {
        let mut closing = None;
        while let Some(Ok(message)) = in_time(self.0.next()).await {
            if let Message::Close(Some(frame)) = message {
                closing = Some((frame.code.into(), frame.reason.to_string()));
            }
        }
        closing
    }

    /// Closes, and waits until the server has done so too.
    pub(super) async fn leave(mut self) {
        in_time(self.0.close(None)).await.expect("a Close frame is sent");
        while let Some(Ok(_)) = in_time(self.0.next()).await {}
    }
}

/// The answer to an upgrade that is refused.
pub(super) async fn refused(server: SocketAddr, path: &str, token: Option<&str>) -> Answer {
    let upgrade = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers = upgrade.into_iter().chain(bearer.iter().map(|bearer| ("Authorization", bearer.as_str())));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
    send(server, "GET", path, &headers, b"").await
}

/// A body on its way.
pub(super) struct Download {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Download {
    pub(super) async fn start(server: SocketAddr, path: &str, token: &str) -> Self {
        let mut stream = TcpStream::connect(server).await.expect("the server listens");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        Self { stream, read: Vec::new() }
    }

    pub(super) async fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.read).contains(text) {
            let length = in_time(self.stream.read_buf(&mut self.read)).await.expect("a body");
            assert_ne!(length, 0, "it has ended: {}", String::from_utf8_lossy(&self.read));
        }
    }

    /// All that came, once it has ended.
    pub(super) async fn rest(mut self) -> String {
        in_time(self.stream.read_to_end(&mut self.read)).await.expect("a body");
        String::from_utf8_lossy(&self.read).into_owned()
    }
}
