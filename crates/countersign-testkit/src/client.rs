//! A client that sends exactly the octets that it is given: what is malformed, too, which no library for HTTP would send.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a server may keep a connection open, in real time.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server answered.
///
/// ```
/// use countersign_testkit::client::send;
/// use countersign_testkit::jwks_server::{Answer, JwksServer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let server = JwksServer::start(Answer::json("{}")).await;
/// let answer = send(server.address(), "GET", "/", &[], b"").await;
/// assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
/// assert_eq!(answer.header("www-authenticate"), None);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status code. 0: no answer came before the server closed the connection, or for 20 s.
    pub status: u16,
    /// The header fields in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with a replacement character for what is no UTF-8.
    pub body: String,
}

impl Answer {
    /// Every value of a field, with ` | ` between two; `None` where the answer has no such field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(" | "))
    }
}

/// Sends one HTTP/1.1 request on a connection of its own. `headers` may hold any octets.
///
/// ```
/// use countersign_testkit::client::send;
/// use countersign_testkit::jwks_server::{Answer, JwksServer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let server = JwksServer::start(Answer::json("{}")).await;
/// let headers = [("Authorization".to_owned(), b"Bearer \xff".to_vec())];
/// let answer = send(server.address(), "GET", "/me", &headers, b"").await;
/// assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// Where nobody listens, or what comes is no HTTP.
pub async fn send(
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

/// Sends these octets on a connection of their own. Every answer to them, in order, but those that are none yet (1xx).
///
/// # Panics
/// As [`send`].
///
/// ```
/// use countersign_testkit::client::send_raw;
/// use countersign_testkit::jwks_server::{Answer, JwksServer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let server = JwksServer::start(Answer::json("{}")).await;
/// // Two requests in one go, as a client with a connection of its own may send them.
/// let both = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
/// let answers = send_raw(server.address(), both).await;
/// assert!(answers.iter().all(|answer| answer.status == 200));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn send_raw(server: SocketAddr, request: &[u8]) -> Vec<Answer> {
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
    let mut raw = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(server).await.expect("the server listens");
        // A server that refuses early closes before it has read everything: what it answered counts.
        let _ = stream.write_all(request).await;
        let _ = stream.read_to_end(&mut raw).await;
    };
    // What has come until then counts, too.
    let _ = tokio::time::timeout(PATIENCE, exchange).await;
    raw
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

/// Over HTTP/2 with prior knowledge, where field lines stay as many as they are sent. What is no answer of HTTP/2 is none, with
/// status 0.
///
/// # Panics
/// Where nobody listens.
///
/// ```
/// use countersign_testkit::client::over_http2;
/// use countersign_testkit::jwks_server::{Answer, JwksServer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// // A server that has HTTP/1.1 alone. One with HTTP/2 is asked for two lines of one field in the same way.
/// let server = JwksServer::start(Answer::json("{}")).await;
/// let fields = ["Bearer a", "Bearer b"].map(|value| ("authorization".to_owned(), value.as_bytes().to_vec()));
/// assert_eq!(over_http2(server.address(), "GET", "/me", &fields).await.status, 0);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "http2")]
pub async fn over_http2(server: SocketAddr, method: &str, target: &str, headers: &[(String, Vec<u8>)]) -> Answer {
    let stream = TcpStream::connect(server).await.expect("the server listens");
    let mut request = http::Request::builder().method(method).uri(format!("http://{server}{target}"));
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_slice());
    }
    let request = request.body(()).expect("a request that HTTP/2 can carry");
    tokio::time::timeout(PATIENCE, exchange_http2(stream, request))
        .await
        .expect("an answer in time")
        .unwrap_or_default()
}

#[cfg(feature = "http2")]
async fn exchange_http2(stream: TcpStream, request: http::Request<()>) -> Result<Answer, h2::Error> {
    let (client, connection) = h2::client::handshake(stream).await?;
    // It ends when the client is gone, or when the server has closed it; whoever waits is told then.
    tokio::spawn(connection);
    let (response, _) = client.ready().await?.send_request(request, true)?;
    let (head, mut incoming) = response.await?.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = incoming.data().await {
        body.extend_from_slice(&chunk?);
    }
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    Ok(Answer { status: head.status.as_u16(), headers, body: text(&body) })
}
