//! The way to a Redis server, on which things go wrong: [`RedisProxy`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// What a [`RedisProxy`] does with what comes, on connections old and new.
///
/// ```
/// use countersign_testkit::redis_proxy::{RedisProxy, Traffic};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let proxy = RedisProxy::start(6379).await?; // the server need not run yet
/// for traffic in [Traffic::Close, Traffic::Hang, Traffic::Delay(Duration::from_secs(2)), Traffic::Garble] {
///     proxy.set(traffic);
///     // Ask a service whose store is on `proxy.url()`: it answers in time, and lets nobody in who is revoked.
/// }
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Traffic {
    /// Passes it on, both ways.
    Pass,
    /// Closes every connection, new ones as soon as they are made. They are not refused in the sense of TCP: the port
    /// would be anybody's then. [`RedisServer::kill`](crate::redis_server::RedisServer::kill) does that.
    Close,
    /// Takes connections and passes nothing on. What came meanwhile is passed on when it may pass again.
    Hang,
    /// Passes questions on at once, and answers when they are this old.
    Delay(Duration),
    /// Passes questions on, and of the answers the complement of each byte, which is no answer in any version of Redis'
    /// protocol.
    Garble,
}

/// Stands before a Redis server (see [`RedisServer`](crate::redis_server::RedisServer)), on a free loopback port, and
/// does to the connections through it what networks do. Connections end with it.
///
/// ```no_run
/// use countersign_testkit::redis_proxy::{RedisProxy, Traffic};
/// use countersign_testkit::redis_server::RedisServer;
///
/// # async fn example() -> std::io::Result<()> {
/// let server = RedisServer::start().await?;
/// let proxy = RedisProxy::start(server.port()).await?;
/// // a store on `proxy.url()`, and then a network that takes everything and returns nothing:
/// proxy.set(Traffic::Hang);
/// proxy.set(Traffic::Pass);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisProxy {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    connections: Arc<AtomicUsize>,
    keeping: Arc<watch::Sender<usize>>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    traffic: Traffic,
    /// How often the connections of the time were cut.
    cuts: u64,
    /// How often they were forgotten.
    forgotten: u64,
    /// Questions with this in them are kept.
    kept: Option<&'static str>,
    /// The server's port.
    port: u16,
}

impl RedisProxy {
    /// Starts one before the server at this port of 127.0.0.1, which need not run yet. It passes everything on.
    ///
    /// # Errors
    /// Where no port of this machine can be listened on.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state =
            Arc::new(watch::Sender::new(State { traffic: Traffic::Pass, cuts: 0, forgotten: 0, kept: None, port }));
        let connections = Arc::new(AtomicUsize::new(0));
        let keeping = Arc::new(watch::Sender::new(0));
        let (states, count, told) = (state.clone(), connections.clone(), keeping.clone());
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let born = *states.borrow();
                open.spawn(serve(client, states.subscribe(), born, told.clone()));
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, state, connections, keeping, task })
    }

    /// The address as a URL: `redis://127.0.0.1:port/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// The port of 127.0.0.1 where it stands.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Treats the traffic like this from now on.
    pub fn set(&self, traffic: Traffic) {
        self.state.send_modify(|state| state.traffic = traffic);
    }

    /// Closes the connections that there are. New ones can be made.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Passes nothing more on, ever, on the connections that there are, and leaves them open: what a peer without power or
    /// a firewall without memory does. New ones can be made.
    pub fn forget(&self) {
        self.state.send_modify(|state| state.forgotten += 1);
    }

    /// Leads to the server at another port from now on, as an address does that moves to a server that takes over. The
    /// connections that there are are closed.
    pub fn lead_to(&self, port: u16) {
        self.state.send_modify(|state| {
            state.port = port;
            state.cuts += 1;
        });
    }

    /// Keeps questions in which this text stands from the server, and what follows them on the same connections, until the
    /// proxy is told [`keep_nothing`](Self::keep_nothing). The text is looked for in what comes at once.
    pub fn keep(&self, text: &'static str) {
        self.state.send_modify(|state| state.kept = Some(text));
    }

    /// Passes on what was kept.
    pub fn keep_nothing(&self) {
        self.state.send_modify(|state| state.kept = None);
    }

    /// Waits until a question has been [kept](Self::keep).
    pub async fn has_kept(&self) {
        // This holds the sender.
        let _ = self.keeping.subscribe().wait_for(|kept| *kept > 0).await;
    }

    /// How many connections have been made, those included that were closed at once.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for RedisProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one client until it, the server or the proxy has had enough.
async fn serve(client: TcpStream, state: watch::Receiver<State>, born: State, keeping: Arc<watch::Sender<usize>>) {
    let mut end = state.clone();
    tokio::select! {
        _ = relay(client, born.port, Way { state, forgotten: born.forgotten, keeping }) => {}
        _ = end.wait_for(|now| now.cuts != born.cuts || now.traffic == Traffic::Close) => {}
    }
}

async fn relay(client: TcpStream, port: u16, mut way: Way) -> io::Result<()> {
    way.open().await;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        ended = way.clone().questions(from_client, to_server) => ended,
        ended = way.answers(from_server, to_client) => ended,
    }
}

/// The state as one connection sees it.
#[derive(Clone)]
struct Way {
    state: watch::Receiver<State>,
    /// As it was when the connection was made.
    forgotten: u64,
    /// Counts the questions that were kept.
    keeping: Arc<watch::Sender<usize>>,
}

impl Way {
    /// Waits until something may pass, and says how.
    async fn open(&mut self) -> Traffic {
        let forgotten = self.forgotten;
        let is_open = |now: &State| now.traffic != Traffic::Hang && now.forgotten == forgotten;
        let traffic = self.state.wait_for(is_open).await.map(|now| now.traffic);
        match traffic {
            Ok(traffic) => traffic,
            // The proxy is gone, and this connection with it.
            Err(_) => std::future::pending().await,
        }
    }

    async fn questions(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut chunk = vec![0; 1 << 14];
        loop {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            self.open().await;
            self.let_go(&chunk[..read]).await;
            to.write_all(&chunk[..read]).await?;
        }
    }

    /// Waits for as long as these octets are to be kept.
    async fn let_go(&mut self, octets: &[u8]) {
        let is_kept = |state: &State| {
            state.kept.is_some_and(|text| octets.windows(text.len().max(1)).any(|found| found == text.as_bytes()))
        };
        if !is_kept(&self.state.borrow()) {
            return;
        }
        self.keeping.send_modify(|kept| *kept += 1);
        if self.state.wait_for(|state| !is_kept(state)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn answers(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut chunk = vec![0; 1 << 14];
        loop {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            if let delay @ Traffic::Delay(time) = self.open().await {
                // Over when its time is, or when answers are treated otherwise.
                let _ = timeout(time, self.state.wait_for(|now| now.traffic != delay)).await;
            }
            if self.open().await == Traffic::Garble {
                chunk[..read].iter_mut().for_each(|byte| *byte = !*byte);
            }
            to.write_all(&chunk[..read]).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy before a server that returns what it is sent.
    async fn proxy() -> RedisProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        RedisProxy::start(port).await.expect("a proxy")
    }

    async fn connect(proxy: &RedisProxy) -> TcpStream {
        TcpStream::connect(proxy.address).await.expect("a connection")
    }

    async fn send(stream: &mut TcpStream, question: &[u8]) {
        stream.write_all(question).await.expect("it takes the question");
    }

    async fn receive(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await.expect("an answer");
        answer
    }

    async fn is_closed(stream: &mut TcpStream) -> bool {
        stream.read(&mut [0]).await.map_or(true, |read| read == 0)
    }

    #[tokio::test]
    async fn what_passes_is_what_was_sent_and_what_is_garbled_is_not() {
        let proxy = proxy().await;
        let mut stream = connect(&proxy).await;
        for (traffic, expected) in [
            (Traffic::Pass, *b"*1+OK"),
            (Traffic::Garble, (*b"*1+OK").map(|byte| !byte)),
            (Traffic::Delay(Duration::from_millis(1)), *b"*1+OK"),
        ] {
            proxy.set(traffic);
            send(&mut stream, b"*1+OK").await;
            assert_eq!(receive(&mut stream, 5).await, expected, "{traffic:?}");
        }
        assert_eq!(proxy.connections(), 1);
    }

    #[tokio::test]
    async fn what_was_held_up_passes_later() {
        for held_up in [Traffic::Hang, Traffic::Delay(Duration::from_secs(3_600))] {
            let proxy = proxy().await;
            let mut old = connect(&proxy).await;
            send(&mut old, b"a").await;
            receive(&mut old, 1).await;
            proxy.set(held_up);
            let mut new = connect(&proxy).await;
            send(&mut old, b"old").await;
            send(&mut new, b"new").await;
            proxy.set(Traffic::Pass);
            assert_eq!(receive(&mut old, 3).await, b"old", "{held_up:?}");
            assert_eq!(receive(&mut new, 3).await, b"new", "{held_up:?}");
        }
    }

    #[tokio::test]
    async fn what_is_kept_comes_when_it_is_let_go_and_the_rest_at_once() {
        let proxy = proxy().await;
        let (mut keeps, mut passes) = (connect(&proxy).await, connect(&proxy).await);
        proxy.keep("secret");
        send(&mut keeps, b"a secret").await;
        proxy.has_kept().await;
        send(&mut keeps, b"!").await;
        send(&mut passes, b"another").await;
        assert_eq!(receive(&mut passes, 7).await, b"another");
        assert!(keeps.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        proxy.keep_nothing();
        assert_eq!(receive(&mut keeps, 9).await, b"a secret!");
    }

    #[tokio::test]
    async fn an_address_moves_and_old_connections_end() {
        let (first, second) = (proxy().await, proxy().await);
        let way = RedisProxy::start(first.address.port()).await.expect("a proxy");
        let mut old = connect(&way).await;
        send(&mut old, b"a").await;
        receive(&mut old, 1).await;
        way.lead_to(second.address.port());
        assert!(is_closed(&mut old).await);
        let mut new = connect(&way).await;
        send(&mut new, b"b").await;
        assert_eq!(receive(&mut new, 1).await, b"b");
        assert_eq!((first.connections(), second.connections()), (1, 1));
    }

    #[tokio::test]
    async fn connections_are_closed_and_new_ones_too_or_not() {
        let proxy = proxy().await;
        let (mut first, mut second) = (connect(&proxy).await, connect(&proxy).await);
        for stream in [&mut first, &mut second] {
            send(stream, b"a").await;
            receive(stream, 1).await;
        }
        proxy.cut();
        assert!(is_closed(&mut first).await && is_closed(&mut second).await);
        let mut third = connect(&proxy).await;
        send(&mut third, b"a").await;
        receive(&mut third, 1).await;
        proxy.set(Traffic::Close);
        assert!(is_closed(&mut third).await);
        assert!(is_closed(&mut connect(&proxy).await).await);
        assert_eq!(proxy.connections(), 4);
    }

    #[tokio::test]
    async fn what_is_forgotten_stays_open_beside_new_connections() {
        let proxy = proxy().await;
        let mut old = connect(&proxy).await;
        send(&mut old, b"a").await;
        receive(&mut old, 1).await;
        proxy.forget();
        send(&mut old, b"b").await;
        let mut new = connect(&proxy).await;
        send(&mut new, b"c").await;
        assert_eq!(receive(&mut new, 1).await, b"c");
        assert!(old.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        drop(proxy);
        assert!(is_closed(&mut old).await);
    }

    #[tokio::test]
    async fn where_no_server_runs_connections_are_closed() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let proxy = RedisProxy::start(port).await.expect("a proxy");
        assert!(is_closed(&mut connect(&proxy).await).await);
    }
}
