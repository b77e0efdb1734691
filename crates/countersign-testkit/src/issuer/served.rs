use super::{TestIssuer, TestIssuerBuilder};
use crate::jwks_server::{Answer, JwksServer};
use std::ops::Deref;

/// A [`TestIssuer`] on a free port of this machine. It publishes its metadata at `/.well-known/openid-configuration` and its
/// keys at `/.well-known/jwks.json`, and ends when it is dropped.
///
/// Its name is its URL, over plain HTTP: a provider of keys must be told that this is allowed, as
/// `JwksProvider::discover(issuer.issuer()).allow_http_on_loopback()` does. `docs/TESTING.md` shows a whole test.
///
/// ```
/// use countersign_testkit::issuer::TestIssuer;
/// use countersign_testkit::jwks_server::Answer;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut issuer = TestIssuer::start().await;
/// assert_eq!(issuer.issuer(), issuer.server.url(""));
/// issuer.rotate(); // both keys stand in the document
///
/// // Faults are those of the server:
/// issuer.server.say_at("/.well-known/jwks.json", [Answer::silence(), Answer::json(issuer.jwks())]);
/// issuer.server.refuse().await;
/// issuer.server.listen().await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ServedIssuer {
    issuer: TestIssuer,
    /// What answers. What it is told to say holds until the issuer publishes something else.
    pub server: JwksServer,
}

impl TestIssuerBuilder {
    /// An issuer on a free port of this machine.
    ///
    /// # Panics
    /// As [`build`](Self::build); for a shared secret, which nobody publishes; and when no port of this machine can be
    /// listened on.
    pub async fn start(self) -> ServedIssuer {
        assert!(!self.algorithm.is_symmetric(), "`{}` has a shared secret: nobody publishes it", self.algorithm);
        let server = JwksServer::start(Answer::new(404)).await;
        let issuer = self.issuer(server.url("")).build();
        issuer.change(|state| state.publication = Some(server.publication()));
        ServedIssuer { issuer, server }
    }
}

impl Deref for ServedIssuer {
    type Target = TestIssuer;

    fn deref(&self) -> &TestIssuer {
        &self.issuer
    }
}
