//! Somebody who issues tokens, for tests of what is protected by them: [`TestIssuer`].
//!
//! ```
//! use countersign::request::Credential;
//! use countersign::verify::TokenVerifier;
//! use countersign_testkit::issuer::{Broken, TestIssuer};
//!
//! let issuer = TestIssuer::new();
//! let verifier = issuer.verifier();
//! let is_taken = |token: &str| verifier.verify_now(&Credential::new("Bearer", token)).is_some_and(|verdict| verdict.is_ok());
//! assert!(is_taken(&issuer.token("ada")));
//! assert!(!is_taken(&issuer.broken(Broken::Expired)));
//! ```

mod broken;
mod keys;
mod served;
#[cfg(test)]
mod tests;
mod token;

pub use broken::Broken;
pub use keys::IssuerKeys;
pub(crate) use keys::RSA;
pub use served::ServedIssuer;
pub use token::TestToken;

use crate::jwks_server::{Answer, Publication};
use countersign::clock::{Clock, SystemClock};
use countersign::jwk::JwkSet;
use countersign::provider::KeySet;
use countersign::verify::JwtVerifierBuilder;
use countersign::{Algorithm, JwtVerifier, SigningKey, VerifyingKey};
use keys::Maker;
use serde_json::json;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// An issuer of tokens, and the keys to verify them with. Clones are the same issuer.
///
/// Unless set otherwise it is called `https://issuer.example/`, issues for the audience `api`, signs with ES256, and goes by
/// the system's clock. In memory ([`new`](Self::new)) no test needs a network; on a port of this machine
/// ([`start`](Self::start)) it publishes its keys as issuers do.
///
/// ```
/// use countersign::Guard;
/// use countersign::request::RequestView;
/// use countersign_testkit::issuer::{Broken, TestIssuer};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let issuer = TestIssuer::new();
/// let guard = Guard::builder(issuer.verifier()).build()?;
/// let check = guard.check_authenticated();
///
/// let headers = [("authorization", issuer.bearer("admin"))];
/// let request = RequestView::new("GET", "/", None, &headers);
/// assert_eq!(check.judge(&check.screening(None), &request).await?.subject(), Some("admin"));
///
/// for broken in Broken::all() {
///     let headers = [("authorization", issuer.broken_bearer(broken))];
///     let request = RequestView::new("GET", "/", None, &headers);
///     let denial = check.judge(&check.screening(None), &request).await.expect_err(broken.name());
///     assert_eq!(denial.status(), broken.status(), "{broken}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TestIssuer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
    lifetime: Duration,
    /// How many have been begun.
    tokens: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    maker: Maker,
    signing: SigningKey,
    published: Vec<VerifyingKey>,
    keys: KeySet,
    is_down: bool,
    publication: Option<Publication>,
}

/// Where the key set is, below an issuer that is on a port.
const JWKS_PATH: &str = "/.well-known/jwks.json";

/// Where its metadata are (OpenID Connect Discovery 1.0 §4).
const METADATA_PATH: &str = "/.well-known/openid-configuration";

impl TestIssuer {
    /// One in memory, with everything as it is unless set.
    ///
    /// # Panics
    /// Where the operating system has no randomness for its key.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// One on a free port of this machine, with everything else as it is unless set.
    ///
    /// # Panics
    /// When no port of this machine can be listened on.
    pub async fn start() -> ServedIssuer {
        Self::builder().start().await
    }

    /// Sets one up.
    pub fn builder() -> TestIssuerBuilder {
        TestIssuerBuilder {
            issuer: "https://issuer.example/".to_owned(),
            audience: "api".to_owned(),
            algorithm: Algorithm::ES256,
            clock: Arc::new(SystemClock::new()),
            lifetime: Duration::from_secs(600),
        }
    }

    /// Its name, as it stands in `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// For whom it issues: `aud`.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// The value of an `Authorization` field with a good token of somebody who is called this and has one role, called this
    /// as well: `bearer("admin")` is `Bearer …`, with `"sub": "admin"` and `"roles": ["admin"]`.
    #[must_use]
    pub fn bearer(&self, name: &str) -> String {
        self.subject(name).role(name).bearer()
    }

    /// The token of [`bearer`](Self::bearer) alone.
    #[must_use]
    pub fn token(&self, name: &str) -> String {
        self.subject(name).role(name).sign()
    }

    /// The beginning of a token about somebody: it has no role, no scope and no claim of an application's own until they are
    /// given.
    pub fn subject(&self, subject: &str) -> TestToken {
        TestToken::new(self, subject)
    }

    /// The token of [`bearer("admin")`](Self::bearer), broken in this way.
    #[must_use]
    pub fn broken(&self, how: Broken) -> String {
        self.subject("admin").role("admin").broken(how)
    }

    /// The value of an `Authorization` field with a [broken](Self::broken) token.
    #[must_use]
    pub fn broken_bearer(&self, how: Broken) -> String {
        format!("Bearer {}", self.broken(how))
    }

    /// A verifier that takes what this issuer signs for its audience, by its clock, and nothing else. It follows
    /// [rotation](Self::rotate), and needs no network.
    ///
    /// # Panics
    /// Never: its settings are good ones.
    #[must_use]
    pub fn verifier(&self) -> JwtVerifier {
        self.verifier_builder().build().expect("settings that are complete")
    }

    /// The same verifier, before it is built: for [`max_age`](JwtVerifierBuilder::max_age), checks of an application's own
    /// and whatever else a service sets.
    ///
    /// ```
    /// use countersign::request::Credential;
    /// use countersign::verify::TokenVerifier;
    /// use countersign_testkit::issuer::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier_builder().access_tokens_only().build()?;
    /// let is_taken = |token: &str| verifier.verify_now(&Credential::new("Bearer", token)).is_some_and(|it| it.is_ok());
    /// assert!(!is_taken(&issuer.token("ada")));
    /// let access = issuer.subject("ada").token_type("at+jwt").claim("client_id", "app");
    /// assert!(is_taken(&access.sign()));
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    pub fn verifier_builder(&self) -> JwtVerifierBuilder {
        let algorithm = self.state().signing.algorithm();
        JwtVerifier::builder(self.keys())
            .algorithms([algorithm])
            .issuer(self.issuer())
            .audience(self.audience())
            .clock(Arc::clone(&self.0.clock))
    }

    /// The keys that it publishes, as they are whenever they are asked for.
    #[must_use]
    pub fn keys(&self) -> IssuerKeys {
        IssuerKeys(self.clone())
    }

    /// The key set as a document (RFC 7517 §5). A shared secret does not stand in it.
    ///
    /// # Panics
    /// Never: public keys are JSON.
    #[must_use]
    pub fn jwks(&self) -> String {
        jwks(&self.state().published)
    }

    /// What it signs with: for tokens that [`TestToken`] cannot make.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        self.state().signing.clone()
    }

    /// Signs with another key from now on, and publishes it beside those that there were. RSA keys are two that take turns,
    /// each time under a new id; of other algorithms each is a fresh one.
    ///
    /// ```
    /// use countersign::request::Credential;
    /// use countersign::verify::TokenVerifier;
    /// use countersign_testkit::issuer::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier();
    /// let is_taken = |token: &str| verifier.verify_now(&Credential::new("Bearer", token)).is_some_and(|it| it.is_ok());
    ///
    /// let old = issuer.token("ada");
    /// issuer.rotate();
    /// let new = issuer.token("ada");
    /// assert!(is_taken(&old) && is_taken(&new));
    /// issuer.withdraw_old_keys();
    /// assert!(!is_taken(&old) && is_taken(&new));
    /// ```
    ///
    /// # Panics
    /// Where the operating system has no randomness for the key.
    pub fn rotate(&self) {
        self.change(|state| {
            state.signing = state.maker.next();
            state.published.push(state.signing.verifying_key().clone());
        });
    }

    /// Publishes no key but the one that it signs with.
    pub fn withdraw_old_keys(&self) {
        self.change(|state| state.published = vec![state.signing.verifying_key().clone()]);
    }

    /// Publishes nothing more until it [comes back](Self::come_back): [`keys`](Self::keys) are unavailable, and on a port
    /// the answer is 503. Correct services answer 503 themselves, where they do not know the keys already.
    ///
    /// ```
    /// use countersign::request::Credential;
    /// use countersign::verify::{TokenVerifier, VerifyError};
    /// use countersign_testkit::issuer::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// issuer.go_down();
    /// let token = issuer.token("ada");
    /// let verdict = issuer.verifier().verify_now(&Credential::new("Bearer", &token));
    /// assert!(matches!(verdict, Some(Err(VerifyError::Unavailable(_)))));
    /// ```
    pub fn go_down(&self) {
        self.change(|state| state.is_down = true);
    }

    /// Publishes again.
    pub fn come_back(&self) {
        self.change(|state| state.is_down = false);
    }

    /// The time by its clock, in seconds since 1970.
    fn now(&self) -> u64 {
        self.0.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// A key of nobody's, for its algorithm.
    fn stranger(&self) -> SigningKey {
        let maker = self.state().maker.clone();
        maker.stranger()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.keys = state.published.iter().cloned().collect();
        if let Some(publication) = &state.publication {
            let answers = if state.is_down {
                [Answer::new(503), Answer::new(503)]
            } else {
                let metadata = json!({ "issuer": self.issuer(), "jwks_uri": format!("{}{JWKS_PATH}", self.issuer()) });
                [Answer::json(jwks(&state.published)), Answer::json(metadata.to_string())]
            };
            for (path, answer) in [JWKS_PATH, METADATA_PATH].into_iter().zip(answers) {
                publication.say_at(path, answer);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

fn jwks(keys: &[VerifyingKey]) -> String {
    let set: JwkSet = keys.iter().filter_map(VerifyingKey::jwk).collect();
    serde_json::to_string(&set).expect("public keys are JSON")
}

/// Sets a [`TestIssuer`] up.
///
/// ```
/// use countersign::Algorithm;
/// use countersign_testkit::clock::FakeClock;
/// use countersign_testkit::issuer::TestIssuer;
///
/// let clock = FakeClock::at(1_800_000_000);
/// let issuer = TestIssuer::builder().audience("posts").algorithm(Algorithm::RS256).clock(clock.clone()).build();
/// assert_eq!(issuer.audience(), "posts");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TestIssuerBuilder {
    issuer: String,
    audience: String,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    lifetime: Duration,
}

impl TestIssuerBuilder {
    /// Its name: `iss`. One on a port is called by its URL instead.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// For whom it issues: `aud`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// What it signs with. ES512, ES256K and ML-DSA need the feature `aws-lc`.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Where the time comes from, of its tokens and of its verifiers.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long its tokens are good, unless they say otherwise: ten minutes unless set.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// An issuer in memory.
    ///
    /// # Panics
    /// Where no backend that is compiled in makes keys for the algorithm, or the operating system has no randomness for one.
    #[must_use]
    pub fn build(self) -> TestIssuer {
        let mut maker = Maker::new(self.algorithm);
        let signing = maker.next();
        let published = vec![signing.verifying_key().clone()];
        let keys = published.iter().cloned().collect();
        let state = State { maker, signing, published, keys, is_down: false, publication: None };
        let Self { issuer, audience, clock, lifetime, .. } = self;
        let (tokens, state) = (AtomicU64::new(0), Mutex::new(state));
        TestIssuer(Arc::new(Inner { issuer, audience, clock, lifetime, tokens, state }))
    }
}
