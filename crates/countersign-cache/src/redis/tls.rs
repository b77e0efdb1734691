//! TLS to a Redis server, as the one to a key server is: certificates are checked, and the provider of the cryptography is
//! given by value, so that no other user of rustls in the process has a say.

use countersign::ConfigError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How servers show who they are.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// With these authorities in PEM, or those of the operating system.
    pub(super) fn new(authorities: Option<&[u8]>) -> Result<Self, ConfigError> {
        let refused = |error: rustls::Error| ConfigError::new("url", format!("TLS cannot be set up: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(refused)?;
        let builder = match authorities {
            Some(pem) => builder.with_root_certificates(roots(pem)?),
            None => builder.with_platform_verifier().map_err(refused)?,
        };
        Ok(Self(Arc::new(builder.with_no_client_auth())))
    }

    /// The stream, once the server has shown that it is `host`, a name or an address.
    pub(super) async fn handshake(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let refused = |problem: &'static str| ConfigError::new("trust_only", problem);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| refused("not PEM"))?;
        roots.add(certificate).map_err(|_| refused("a certificate that cannot be read"))?;
    }
    if roots.is_empty() { Err(refused("no certificate stands in it")) } else { Ok(roots) }
}
