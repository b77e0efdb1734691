use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What requests come over.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {
    /// What it is at the bottom.
    fn tcp(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

#[cfg(feature = "tls")]
impl Connection for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}
