//! A client that sends exactly the bytes that it is given.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server answered. Status 0: it closed the connection without an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// Every value of a field, joined as if it stood once.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(" | "))
    }
}

/// Sends one HTTP/1.1 request on a connection of its own. `headers` may hold any bytes.
pub(crate) async fn send(
    server: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(String, Vec<u8>)],
    body: &[u8],
) -> Answer {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        request.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    parse(&exchange(server, &request).await)
}

/// Sends these bytes on a connection of their own. Every answer to them, in order, but those that are none yet (1xx).
pub(crate) async fn send_raw(server: SocketAddr, request: &[u8]) -> Vec<Answer> {
    let raw = exchange(server, request).await;
    let mut answers = Vec::new();
    let mut rest = raw.as_slice();
    while !rest.is_empty() {
        let answer = parse(rest);
        let head = rest.windows(4).position(|octets| octets == b"\r\n\r\n").map_or(rest.len(), |at| at + 4);
        let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
        let length = if answer.status < 200 { 0 } else { length.unwrap_or(rest.len() - head) };
        let body = rest[head..].get(..length).expect("the body that was announced").to_vec();
        rest = &rest[head + length..];
        if answer.status >= 200 {
            answers.push(Answer { body: String::from_utf8_lossy(&body).into_owned(), ..answer });
        }
    }
    answers
}

async fn exchange(server: SocketAddr, request: &[u8]) -> Vec<u8> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await.expect("the server listens");
        // A server that refuses early closes before it has read everything: what it answered counts.
        let _ = stream.write_all(request).await;
        let mut raw = Vec::new();
        let _ = stream.read_to_end(&mut raw).await;
        raw
    };
    tokio::time::timeout(Duration::from_secs(20), exchange).await.expect("an answer in time")
}

fn parse(raw: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(raw);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Answer::default() };
    let mut lines = head.split("\r\n");
    let status_line = lines.next().expect("a status line");
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Answer { status, headers, body: body.to_owned() }
}

/// Over HTTP/2 with prior knowledge, where field lines stay as many as they are sent.
pub(crate) async fn over_http2(
    server: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(String, Vec<u8>)],
) -> Answer {
    let stream = TcpStream::connect(server).await.expect("the server listens");
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = http::Request::builder().method(method).uri(format!("http://{server}{target}"));
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_slice());
    }
    let mut client = client.ready().await.expect("a stream");
    let (response, _) = client.send_request(request.body(()).expect("a request"), true).expect("a stream");
    let response = response.await.expect("an answer");
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let status = response.status().as_u16();
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while let Some(chunk) = incoming.data().await {
        body.extend_from_slice(&chunk.expect("a body"));
    }
    connection.abort();
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}
