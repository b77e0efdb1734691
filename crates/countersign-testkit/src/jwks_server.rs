//! A server that publishes keys, or whatever else it is told to answer: [`JwksServer`].
//!
//! ```
//! use countersign_testkit::client::send;
//! use countersign_testkit::jwks_server::{Answer, JwksServer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! // An issuer that is out of order at first.
//! let server = JwksServer::start([Answer::new(503), Answer::json(r#"{"keys":[]}"#)]).await;
//! assert_eq!(send(server.address(), "GET", "/jwks", &[], b"").await.status, 503);
//! assert_eq!(send(server.address(), "GET", "/jwks", &[], b"").await.body, r#"{"keys":[]}"#);
//! assert_eq!(server.requests_at("/jwks"), 2);
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod answer;
mod body;
mod connection;
mod request;
#[cfg(feature = "tls")]
mod tls;

pub use answer::{Answer, Hold};
pub use request::Request;
#[cfg(feature = "tls")]
pub use tls::{Authority, Certificate};

use connection::Connection;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long [`JwksServer::wait_for_requests`] waits, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many connections may wait to be taken: more than any test opens at once.
const BACKLOG: u32 = 4096;

/// A scripted HTTP server on a free port of this machine. It ends, connections and all, when it is dropped.
///
/// Answers are given one after the other, and the last one again and again. Paths that have answers of their own
/// ([`say_at`](Self::say_at)) are served from those.
///
/// ```
/// use countersign_testkit::jwks_server::{Answer, JwksServer};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # async fn get(url: &str) -> std::io::Result<String> {
/// #     let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap_or((url, ""));
/// #     let mut stream = tokio::net::TcpStream::connect(host).await?;
/// #     stream.write_all(format!("GET /{path} HTTP/1.1\r\n\r\n").as_bytes()).await?;
/// #     let mut answer = String::new();
/// #     stream.read_to_string(&mut answer).await?;
/// #     Ok(answer)
/// # }
/// # async fn example() -> std::io::Result<()> {
/// let server = JwksServer::start([Answer::new(503), Answer::json(r#"{"keys":[]}"#)]).await;
/// server.say_at("/teapot", Answer::new(418));
///
/// let url = server.url("/jwks");
/// assert!(get(&url).await?.starts_with("HTTP/1.1 503"));
/// assert!(get(&url).await?.ends_with(r#"{"keys":[]}"#));
/// assert!(get(&url).await?.ends_with(r#"{"keys":[]}"#));
/// assert!(get(&server.url("/teapot")).await?.starts_with("HTTP/1.1 418"));
/// assert_eq!((server.requests(), server.requests_at("/jwks")), (4, 3));
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct JwksServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    /// Bound to the port while nobody listens: connections are refused, and no one else can have it.
    placeholder: Option<TcpSocket>,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<Script>,
    log: watch::Sender<Vec<Request>>,
    connections: AtomicUsize,
    #[cfg(feature = "tls")]
    certificate: Option<Certificate>,
}

#[derive(Debug)]
struct Script {
    at: HashMap<String, Answers>,
    elsewhere: Answers,
}

impl JwksServer {
    /// Starts it on 127.0.0.1.
    ///
    /// # Panics
    /// When no port of this machine can be listened on.
    pub async fn start(answers: impl Into<Answers>) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST, answers).await
    }

    /// Starts it on another address of this machine: [`Ipv6Addr::LOCALHOST`](std::net::Ipv6Addr::LOCALHOST), say.
    ///
    /// # Panics
    /// When the address is none that stays within this machine, or cannot be listened on.
    pub async fn start_on(address: impl Into<IpAddr>, answers: impl Into<Answers>) -> Self {
        Self::run(address.into(), Shared::new(answers.into()))
    }

    /// Starts it on 127.0.0.1, over TLS.
    ///
    /// # Panics
    /// When no port of this machine can be listened on.
    #[cfg(feature = "tls")]
    pub async fn start_tls(certificate: Certificate, answers: impl Into<Answers>) -> Self {
        let shared = Shared { certificate: Some(certificate), ..Shared::new(answers.into()) };
        Self::run(Ipv4Addr::LOCALHOST.into(), shared)
    }

    fn run(address: IpAddr, shared: Shared) -> Self {
        assert!(address.is_loopback(), "`{address}` is not of this machine alone");
        let socket = bound((address, 0).into()).expect("a free port");
        let shared = Arc::new(shared);
        let address = socket.local_addr().expect("an address");
        let task = serve(socket, Arc::clone(&shared));
        Self { address, shared, task, placeholder: None }
    }

    /// The URL of a path, by the address.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.is_secure() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers differently from now on, where a path has no answers of its own.
    pub fn say(&self, answers: impl Into<Answers>) {
        self.script(|script| script.elsewhere = answers.into());
    }

    /// Answers differently from now on to requests for this path, whatever their query: `/.well-known/openid-configuration`.
    pub fn say_at(&self, path: &str, answers: impl Into<Answers>) {
        self.script(|script| _ = script.at.insert(path.to_owned(), answers.into()));
    }

    /// Stops listening: connections are refused, those that are open are closed. The port stays its own.
    ///
    /// # Panics
    /// When somebody else takes the port in that very moment.
    pub async fn refuse(&mut self) {
        if self.placeholder.is_none() {
            self.task.abort();
            // It was told to end.
            let _ = (&mut self.task).await;
            self.placeholder = Some(bound(self.address).expect("its own port"));
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    /// When the port cannot be listened on.
    pub async fn listen(&mut self) {
        if let Some(socket) = self.placeholder.take() {
            self.task = serve(socket, Arc::clone(&self.shared));
        }
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.log.borrow().len()
    }

    /// How many requests have come for this path, whatever their query.
    #[must_use]
    pub fn requests_at(&self, path: &str) -> usize {
        self.shared.log.borrow().iter().filter(|request| request.path() == path).count()
    }

    /// How many connections were made, with or without a request.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The requests that have come, in their order.
    #[must_use]
    pub fn log(&self) -> Vec<Request> {
        self.shared.log.borrow().clone()
    }

    /// Waits until this many requests have come, all in all.
    ///
    /// # Panics
    /// When they have not after a minute.
    pub async fn wait_for_requests(&self, count: usize) {
        let mut log = self.shared.log.subscribe();
        let arrived = tokio::time::timeout(PATIENCE, log.wait_for(|log| log.len() >= count)).await.is_ok();
        assert!(arrived, "{} requests have come, and not {count}", self.requests());
    }

    /// What changes answers wherever the server itself is.
    pub(crate) fn publication(&self) -> Publication {
        Publication(Arc::clone(&self.shared))
    }

    fn script(&self, change: impl FnOnce(&mut Script)) {
        self.shared.script(change);
    }
}

/// The script of a [`JwksServer`], which may be gone.
#[derive(Debug)]
pub(crate) struct Publication(Arc<Shared>);

impl Publication {
    pub(crate) fn say_at(&self, path: &str, answer: Answer) {
        self.0.script(|script| _ = script.at.insert(path.to_owned(), answer.into()));
    }
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn new(answers: Answers) -> Self {
        Self {
            script: Mutex::new(Script { at: HashMap::new(), elsewhere: answers }),
            log: watch::Sender::default(),
            connections: AtomicUsize::new(0),
            #[cfg(feature = "tls")]
            certificate: None,
        }
    }

    fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.certificate.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// The answer whose turn it is. Whoever waits for the request hears of it once its answer is chosen, and can have
    /// the next one answered differently.
    fn answer(&self, request: &Request) -> Answer {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let Script { at, elsewhere } = &mut *script;
        let answer = at.get_mut(request.path()).unwrap_or(elsewhere).next();
        self.log.send_modify(|log| log.push(request.clone()));
        answer
    }
}

/// Answers in the order in which they are given; the last one is given again and again.
///
/// ```
/// use countersign_testkit::jwks_server::{Answer, Answers};
///
/// let one: Answers = Answer::new(503).into();
/// let some: Answers = [Answer::silence(), Answer::reset(), Answer::new(503)].into();
/// # let _ = (one, some);
/// ```
#[derive(Clone, Debug)]
pub struct Answers {
    next: VecDeque<Answer>,
    last: Answer,
}

impl Answers {
    fn next(&mut self) -> Answer {
        self.next.pop_front().unwrap_or_else(|| self.last.clone())
    }
}

impl From<Answer> for Answers {
    fn from(answer: Answer) -> Self {
        Self { next: VecDeque::new(), last: answer }
    }
}

/// # Panics
/// Where there is none.
impl From<Vec<Answer>> for Answers {
    fn from(answers: Vec<Answer>) -> Self {
        let mut next = VecDeque::from(answers);
        let last = next.pop_back().expect("an answer");
        Self { next, last }
    }
}

/// # Panics
/// Where there is none.
impl<const N: usize> From<[Answer; N]> for Answers {
    fn from(answers: [Answer; N]) -> Self {
        Vec::from(answers).into()
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    // Or the connections of the past, which the system remembers for a while, would keep the port. Elsewhere the option
    // means that two may share it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn serve(socket: TcpSocket, shared: Arc<Shared>) -> JoinHandle<()> {
    let listener = socket.listen(BACKLOG).expect("a port to listen on");
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        // Declared last, and so closed first: a client that sees its connection end finds nobody at the port.
        let listener = listener;
        while let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            connections.spawn(converse(stream, Arc::clone(&shared)));
            while connections.try_join_next().is_some() {}
        }
    })
}

/// An error is the client's going away, which is no business of the server.
async fn converse(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(feature = "tls")]
    if let Some(Certificate { config, .. }) = &shared.certificate {
        let stream = tokio_rustls::TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
        return respond(stream, &shared).await;
    }
    respond(stream, &shared).await
}

async fn respond(mut stream: impl Connection, shared: &Shared) -> io::Result<()> {
    if let Some(request) = Request::read(&mut stream).await? {
        shared.answer(&request).give(&request, &mut stream).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
