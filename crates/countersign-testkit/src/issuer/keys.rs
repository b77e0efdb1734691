use super::TestIssuer;
use countersign::crypto::default_backend;
use countersign::keys::KeyIdentity;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
use countersign::{Algorithm, SigningKey, VerifyingKey, async_trait};

/// ring makes no RSA keys. These are in public view, and good for nothing but tests.
pub(crate) const RSA: [&str; 2] = [include_str!("rsa_1.pem"), include_str!("rsa_2.pem")];

/// One that is never published.
const RSA_STRANGER: &str = include_str!("rsa_3.pem");

/// Makes keys for one algorithm.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    algorithm: Algorithm,
    made: usize,
}

impl Maker {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, made: 0 }
    }

    /// The next key, under an id of its own.
    pub(super) fn next(&mut self) -> SigningKey {
        let key = self.key(RSA[self.made % RSA.len()]);
        self.made += 1;
        key.with_key_id(format!("key-{}", self.made)).expect("a key id")
    }

    /// A key that was never published, without an id.
    pub(super) fn stranger(&self) -> SigningKey {
        self.key(RSA_STRANGER)
    }

    fn key(&self, rsa: &str) -> SigningKey {
        use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
        let algorithm = self.algorithm;
        let key = match algorithm {
            // Those that aws-lc could make would take a while.
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => SigningKey::from_pem(algorithm, rsa),
            secret if secret.is_symmetric() => {
                let mut octets = [0; 64];
                default_backend().expect("a backend").random(&mut octets).expect("randomness");
                SigningKey::from_secret(algorithm, octets)
            }
            _ => SigningKey::generate(algorithm),
        };
        key.unwrap_or_else(|error| panic!("no key for `{algorithm}`: {error}"))
    }
}

/// The keys of a [`TestIssuer`], in memory: what it publishes at the moment.
///
/// ```
/// use countersign::JwtVerifier;
/// use countersign_testkit::issuer::TestIssuer;
///
/// let issuer = TestIssuer::new();
/// let verifier = JwtVerifier::builder(issuer.keys()).issuer(issuer.issuer()).audience("api").build()?;
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct IssuerKeys(pub(super) TestIssuer);

impl IssuerKeys {
    fn find(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let state = self.0.state();
        if state.is_down {
            return Err(KeyProviderError::Unavailable(Unavailable::default()));
        }
        state.keys.find(wanted).cloned()
    }
}

#[async_trait]
impl KeyProvider for IssuerKeys {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        Some(self.find(wanted))
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.find(wanted)
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let state = self.0.state();
        if state.is_down { Vec::new() } else { state.keys.candidates(wanted) }
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        let state = self.0.state();
        !state.is_down && state.keys.trusts(key)
    }
}
