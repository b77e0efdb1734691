//! Where a server is, and how a connection to one is made.

#[cfg(feature = "tls")]
use super::tls::Tls;
use ::redis::aio::{AsyncPushSender, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError, RedisResult,
};
use countersign::ConfigError;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// What one attempt to connect may take. It goes on while verbs that waited for it have long failed.
pub(super) const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// What a URL says.
pub(super) struct Parsed {
    pub(super) address: Address,
    pub(super) login: RedisConnectionInfo,
    pub(super) is_tls: bool,
}

impl Parsed {
    /// # Errors
    /// [`ConfigError`] without a word of the URL, in which a password may stand.
    pub(super) fn url(setting: &'static str, url: &str) -> Result<Self, ConfigError> {
        let refused = |problem| ConfigError::new(setting, problem);
        let (scheme, rest) = url.split_once(':').ok_or_else(|| refused("is no Redis URL"))?;
        let is_tls = ["rediss", "valkeys"].iter().any(|secure| scheme.eq_ignore_ascii_case(secure));
        if is_tls && cfg!(not(feature = "tls")) {
            return Err(refused("wants TLS: the feature `tls` of `countersign-cache`"));
        }
        // `redis` would take `#insecure` for a wish not to check certificates.
        if url.contains('#') {
            return Err(refused("has a fragment"));
        }
        // TLS is ours, and `redis` is not to know of it.
        let plain = if is_tls { format!("redis:{rest}") } else { url.to_owned() };
        let parsed = plain.into_connection_info().map_err(|_| refused("is no Redis URL"))?;
        let address = match parsed.addr() {
            ConnectionAddr::Tcp(host, port) => Address::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
            _ => return Err(refused("is no Redis URL")),
        };
        Ok(Self { address, login: parsed.redis_settings().clone(), is_tls })
    }
}

/// What must be polled for a connection to do something. It ends when the connection does.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection that was made.
pub(super) type Made = (MultiplexedConnection, Driver);

/// Makes connections: with whose name, under what protection.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) login: RedisConnectionInfo,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
    /// How long a server may take over one answer.
    pub(super) timeout: Duration,
    /// Who is told what a server says without being asked.
    pub(super) pushes: Option<Pushes>,
}

/// Is told what a server says without being asked.
#[derive(Clone)]
pub(super) struct Pushes(Arc<dyn AsyncPushSender>);

impl Pushes {
    pub(super) fn to(told: impl AsyncPushSender) -> Self {
        Self(Arc::new(told))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that is being made.
pub(super) type BoxedDial = Pin<Box<dyn Future<Output = RedisResult<Made>> + Send>>;

impl Dialer {
    pub(super) fn dial(self, address: Address) -> BoxedDial {
        Box::pin(async move { self.connect(&address).await })
    }

    /// Makes connections in the same way, on which the server may say something without being asked.
    pub(super) fn telling(&self, pushes: Pushes) -> Self {
        // The older protocol has no room for it beside answers.
        let login = self.login.clone().set_protocol(ProtocolVersion::RESP3);
        Self { login, pushes: Some(pushes), ..self.clone() }
    }

    /// A connection that is logged in. Where TLS is wanted there is none without.
    pub(super) async fn connect(&self, address: &Address) -> RedisResult<Made> {
        let stream: Box<dyn Stream> = match address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                self.secured(host, stream).await?
            }
            #[cfg(unix)]
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(failed("there are no Unix sockets here")),
        };
        let mut config = AsyncConnectionConfig::new().set_response_timeout(Some(self.timeout));
        if let Some(Pushes(told)) = &self.pushes {
            config = config.set_push_sender(Arc::clone(told));
        }
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.login, stream, config).await?;
        Ok((connection, Box::pin(driver)))
    }

    #[cfg(feature = "tls")]
    async fn secured(&self, host: &str, stream: TcpStream) -> RedisResult<Box<dyn Stream>> {
        match &self.tls {
            Some(tls) => Ok(Box::new(tls.handshake(host, stream).await?)),
            None => Ok(Box::new(stream)),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_async, reason = "with TLS there is something to wait for")]
    async fn secured(&self, _: &str, stream: TcpStream) -> RedisResult<Box<dyn Stream>> {
        Ok(Box::new(stream))
    }
}

/// An error of ours among those of `redis`.
pub(super) fn failed(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Io, what))
}
