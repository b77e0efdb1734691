use countersign::clock::{Clock, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// What the scripted server goes by.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate authority of the test's own, made when it is needed: certificates for
/// [`JwksServer::start_tls`](super::JwksServer::start_tls), good and bad.
///
/// A client that trusts [`pem`](Self::pem) takes [`certificate`](Self::certificate) and no other. Another authority is
/// one that it does not know.
///
/// ```
/// use countersign_testkit::jwks_server::{Answer, Authority, Certificate, JwksServer};
///
/// # async fn example(asks: impl AsyncFn(&str, String) -> bool) {
/// let authority = Authority::new();
/// let stranger = Authority::new();
/// for (certificate, is_good) in [
///     (authority.certificate(), true),
///     (authority.certificate_for("other.example"), false),
///     (authority.expired(), false),
///     (authority.not_yet_valid(), false),
///     (stranger.certificate(), false),
///     (Certificate::self_signed(), false),
/// ] {
///     let server = JwksServer::start_tls(certificate, Answer::json(r#"{"keys":[]}"#)).await;
///     // `asks` is the client under test: it trusts this authority and says whether it got an answer.
///     assert_eq!(asks(authority.pem(), server.url("/jwks")).await, is_good);
///     assert_eq!((server.connections(), server.requests()), (1, usize::from(is_good)));
/// }
/// # }
/// ```
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// With a new key.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        let mut wanted = validity(&[], now() - DAY, now() + DAY);
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = key();
        // A name of its own: a namesake is not unknown, its signatures are wrong.
        let name: String = key.public_key_raw().iter().map(|octet| format!("{octet:02x}")).take(16).collect();
        wanted.distinguished_name.push(DnType::CommonName, name);
        let pem = wanted.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(wanted, key) }
    }

    /// Its own certificate in PEM: what a client is told to trust.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A good certificate: for `localhost`, 127.0.0.1 and ::1, from yesterday to tomorrow by the system's clock.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        self.issue(&validity(&OWN_NAMES, now() - DAY, now() + DAY))
    }

    /// A certificate for this name or address alone.
    ///
    /// # Panics
    /// When it can be neither.
    #[must_use]
    pub fn certificate_for(&self, host: &str) -> Certificate {
        self.issue(&validity(&[host], now() - DAY, now() + DAY))
    }

    /// A certificate that was good until yesterday.
    #[must_use]
    pub fn expired(&self) -> Certificate {
        self.issue(&validity(&OWN_NAMES, now() - 2 * DAY, now() - DAY))
    }

    /// A certificate that will be good tomorrow.
    #[must_use]
    pub fn not_yet_valid(&self) -> Certificate {
        self.issue(&validity(&OWN_NAMES, now() + DAY, now() + 2 * DAY))
    }

    fn issue(&self, wanted: &CertificateParams) -> Certificate {
        let key = key();
        let certificate = wanted.signed_by(&key, &self.issuer).expect("a certificate");
        Certificate::new(certificate, &key)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the certificate, and not the key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("pem", &self.pem).finish_non_exhaustive()
    }
}

/// A certificate with its key, for [`JwksServer::start_tls`](super::JwksServer::start_tls) and
/// [`RedisServer::start_tls`](crate::redis_server::RedisServer::start_tls). Most come from an [`Authority`].
///
/// ```
/// use countersign_testkit::jwks_server::{Answer, Authority, Certificate, JwksServer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let certificate = Authority::new().certificate_for("127.0.0.1");
/// let server = JwksServer::start_tls(certificate, Answer::json(r#"{"keys":[]}"#)).await;
/// assert!(server.url("/jwks").starts_with("https://127.0.0.1:"));
///
/// let alone = Certificate::self_signed(); // and its parts, for a server that is a program of its own
/// assert!(alone.pem().starts_with("-----BEGIN CERTIFICATE-----"));
/// assert!(alone.key_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Certificate {
    pub(super) config: Arc<ServerConfig>,
    pem: String,
    key_pem: String,
}

/// Shows the certificate, and not the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("pem", &self.pem).finish_non_exhaustive()
    }
}

impl Certificate {
    /// A certificate that only itself vouches for, and is good in all else.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn self_signed() -> Self {
        let key = key();
        let wanted = validity(&OWN_NAMES, now() - DAY, now() + DAY);
        Self::new(wanted.self_signed(&key).expect("a certificate"), &key)
    }

    /// In PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its private key in PEM, for servers that are programs of their own.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    fn new(certificate: rcgen::Certificate, key: &KeyPair) -> Self {
        let (pem, key_pem) = (certificate.pem(), key.serialize_pem());
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let certificate = CertificateDer::from(certificate);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key.into()))
            .expect("a certificate that fits its key");
        Self { config: Arc::new(config), pem, key_pem }
    }
}

fn now() -> SystemTime {
    SystemClock::new().now()
}

fn key() -> KeyPair {
    KeyPair::generate().expect("randomness")
}

fn validity(names: &[&str], from: SystemTime, until: SystemTime) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut wanted = CertificateParams::new(names).expect("names or addresses");
    wanted.not_before = from.into();
    wanted.not_after = until.into();
    wanted
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, JwksServer};
    use super::*;
    use std::io;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::{ServerName, pem::PemObject};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    /// What a client gets that trusts these authorities and calls the server by this name.
    async fn get(server: &JwksServer, name: &str, trusted: &[&Authority]) -> io::Result<String> {
        let mut roots = RootCertStore::empty();
        for authority in trusted {
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("an authority");
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let stream = TcpStream::connect(server.address()).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(b"GET /jwks HTTP/1.1\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_certificate_is_taken_where_it_is_good_and_nowhere_else() {
        let (authority, stranger) = (Authority::new(), Authority::new());
        let other = "other.example";
        let cases = [
            ("good", authority.certificate(), "localhost", ""),
            ("good", authority.certificate(), "127.0.0.1", ""),
            ("good", authority.certificate(), "::1", ""),
            ("good for itself", authority.certificate_for(other), other, ""),
            ("other name", authority.certificate(), other, "NotValidForName"),
            ("another name", authority.certificate_for(other), "localhost", "NotValidForName"),
            ("expired", authority.expired(), "localhost", "Expired"),
            ("not yet", authority.not_yet_valid(), "localhost", "NotValidYet"),
            ("unknown", stranger.certificate(), "localhost", "UnknownIssuer"),
            ("self-signed", Certificate::self_signed(), "localhost", "UnknownIssuer"),
        ];
        for (case, certificate, name, refusal) in cases {
            let server = JwksServer::start_tls(certificate, Answer::json("{}")).await;
            match get(&server, name, &[&authority]).await {
                Ok(answer) => assert!(refusal.is_empty() && answer.ends_with("\r\n\r\n{}"), "{case}: {answer}"),
                Err(error) => {
                    assert!(!refusal.is_empty() && format!("{error:?}").contains(refusal), "{case}: {error:?}");
                }
            }
            assert_eq!((server.connections(), server.requests()), (1, usize::from(refusal.is_empty())), "{case}");
        }
    }

    #[tokio::test]
    async fn an_authority_tells_only_its_certificate() {
        let authority = Authority::new();
        assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!format!("{authority:?}").contains("KeyPair"));
    }

    #[tokio::test]
    async fn faults_reach_through_tls() {
        let authority = Authority::new();
        let answers = [Answer::json("{}").truncated(1), Answer::reset(), Answer::json("{}").padded(1 << 20)];
        let server = JwksServer::start_tls(authority.certificate(), answers).await;
        assert_eq!(server.url("/jwks"), format!("https://{}/jwks", server.address()));
        let trusted = [&authority];
        let get = async || get(&server, "localhost", &trusted).await;
        assert!(get().await.expect("an answer").ends_with("\r\n\r\n{"));
        assert_eq!(get().await.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
        assert!(get().await.expect("an answer").len() > 1 << 20);
    }
}
