//! Issuing: claims in, signed JWT out.
//!
//! ```
//! use countersign::issue::{Claims, JwtSigner};
//! use countersign::{Algorithm, SigningKey};
//! use std::time::Duration;
//!
//! let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
//! let signer = JwtSigner::new(key).token_type("at+jwt");
//! let claims = Claims::new("https://issuer.example/")
//!     .subject("7")
//!     .audience("my-api")
//!     .lifetime(Duration::from_secs(900));
//! let token = signer.issue(&claims)?;
//! # assert_eq!(token.split('.').count(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod claims;
mod remote;

pub use claims::Claims;
pub use remote::{RemoteError, RemoteJwtSigner, RemoteSigner};

use crate::claims::{ClaimsError, RegisteredClaims, WantedClaims};
use crate::clock::{Clock, SystemClock};
use crate::crypto::SigningFailed;
use crate::jws::{self, Header, SignError};
use crate::key::SigningKey;
use crate::key_error::KeyError;
use serde::Serialize;
use std::sync::{Arc, OnceLock};

/// Why no token was made.
///
/// ```
/// use countersign::issue::{Claims, IssueError, JwtSigner};
/// use countersign::{Algorithm, SigningKey};
///
/// let signer = JwtSigner::new(SigningKey::generate(Algorithm::ES256)?);
/// assert!(matches!(signer.issue(&Claims::new("https://issuer.example/").subject("7")), Err(IssueError::NoLifetime)));
/// assert!(matches!(signer.sign(&["no object"]), Err(IssueError::Claims(_))));
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The claims are no JSON object, a registered claim among them has the wrong type, or [`Claims`] say nothing: an empty
    /// `iss`, `sub`, `aud` or `jti`, a lifetime under a second or over before the token becomes good.
    #[error("the claims cannot be signed")]
    Claims(#[from] ClaimsError),
    /// No lifetime was given: a token that never expires is made only on purpose.
    #[error("the token has no lifetime, and `danger_no_expiration` is not said")]
    NoLifetime,
    /// The header could not be read back, or the backend refused.
    #[error(transparent)]
    Signing(#[from] SignError),
    /// The key that lives elsewhere did not sign.
    #[error("the remote key did not sign")]
    Remote(#[source] RemoteError),
    /// There is no backend.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<SigningFailed> for IssueError {
    fn from(error: SigningFailed) -> Self {
        Self::Signing(error.into())
    }
}

/// Signs JWTs with one key.
///
/// ```
/// use countersign::issue::JwtSigner;
/// use countersign::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let signer = JwtSigner::new(key).token_type("at+jwt");
/// let token = signer.sign(&serde_json::json!({"iss": "https://issuer.example/", "sub": "7", "exp": 4_000_000_000_u32}))?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JwtSigner {
    key: SigningKey,
    header: Header,
    /// The header as it stands in each token, once there has been one.
    protected: OnceLock<String>,
    clock: Arc<dyn Clock>,
    padded: bool,
}

impl JwtSigner {
    /// Signs with `key`, and writes its `kid` where it has one. `typ` is `JWT`.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        let header = Header::new(&key).with_type("JWT");
        let protected = OnceLock::new();
        Self { key, header, protected, clock: Arc::new(SystemClock::new()), padded: false }
    }

    /// Another `typ`: `at+jwt` for access tokens (RFC 9068 §2.1).
    #[must_use]
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        self.header = self.header.with_type(token_type);
        self.protected = OnceLock::new();
        self
    }

    /// Where the time comes from: the system unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Writes base64url with padding, which RFC 7515 §2 forbids, for readers that demand it.
    #[must_use]
    pub fn danger_padded_base64url(mut self) -> Self {
        self.padded = true;
        self.protected = OnceLock::new();
        self
    }

    /// A signed token that says this, from now on.
    ///
    /// # Errors
    /// [`IssueError::NoLifetime`]; [`IssueError::Claims`] for claims that say nothing, or that no verifier could read back;
    /// [`IssueError::Signing`] for a header that no verifier could read back, and when the backend refuses.
    pub fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        self.sign(&claims.at(self.clock.now())?)
    }

    /// A signed token with these claims, as they are: nothing is added.
    ///
    /// # Errors
    /// [`IssueError::Claims`] and [`IssueError::Signing`] for claims and headers that no verifier could read back, and the
    /// latter when the backend refuses.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, IssueError> {
        let payload = claims_set(claims)?;
        let protected = match self.protected.get() {
            Some(protected) => protected,
            None => {
                let protected = jws::protected(&self.key, &self.header, self.padded)?;
                self.protected.get_or_init(|| protected)
            }
        };
        Ok(jws::sign_under(&self.key, protected, payload.as_bytes(), self.padded)?)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}

/// The claims as JSON, if a verifier could read them back.
fn claims_set(claims: &impl Serialize) -> Result<String, IssueError> {
    let payload = serde_json::to_string(claims).map_err(ClaimsError::unwritable)?;
    RegisteredClaims::parse(&payload, &WantedClaims::default()).map_err(ClaimsError::from)?;
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;
    use serde_json::json;
    use std::time::Duration;

    #[derive(Debug)]
    struct At(u64);
    impl Clock for At {
        fn now(&self) -> std::time::SystemTime {
            std::time::UNIX_EPOCH + Duration::from_secs(self.0)
        }
    }

    fn signer() -> JwtSigner {
        JwtSigner::new(SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret")).clock(At(1000))
    }

    fn said(claims: &Claims) -> serde_json::Value {
        let token = signer().issue(claims).expect("a token");
        let compact = jws::Compact::parse(&token, jws::MAX_BYTES).expect("well-formed");
        serde_json::from_slice(&compact.verify(signer().key().verifying_key()).expect("signed")).expect("JSON")
    }

    #[test]
    fn the_header_follows_settings_that_are_changed_after_a_token() {
        let signer = JwtSigner::new(SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a key"));
        let protected = |signer: &JwtSigner| {
            let token = signer.sign(&json!({"sub": "7"})).expect("a token");
            token.split('.').next().expect("a header").to_owned()
        };
        let first = protected(&signer);
        assert_eq!(protected(&signer), first);
        let typed = signer.clone().token_type("at+jwt");
        assert_ne!(protected(&typed), first);
        assert_eq!(protected(&typed.token_type("JWT")), first);
        let padded = protected(&signer.token_type("J").danger_padded_base64url());
        assert!(padded.ends_with('='), "{padded}");
    }

    #[test]
    fn claims_say_what_was_set_and_when() {
        let claims = Claims::new("me").subject("7").audience("api").lifetime(Duration::from_secs(60)).token_id("t");
        let own = claims.clone().with(&json!({"a": {"b": 1}})).expect("an object");
        let own = own.not_before(Duration::from_secs(5)).audience("web");
        let expected = json!({"iss": "me", "sub": "7", "aud": "api", "iat": 1000, "exp": 1060, "jti": "t"});
        assert_eq!(said(&claims), expected);
        assert_eq!(
            said(&own),
            json!({"iss": "me", "sub": "7", "aud": ["api", "web"], "iat": 1000, "exp": 1060, "nbf": 1005, "jti": "t",
                "a": {"b": 1}})
        );
        assert_eq!(format!("{own:?}"), "Claims { .. }");
    }

    /// A key, its `kid`, and whether the service that has it is up.
    #[derive(Debug)]
    struct Elsewhere(SigningKey, &'static str, bool);
    #[async_trait::async_trait]
    impl RemoteSigner for Elsewhere {
        fn algorithm(&self) -> Algorithm {
            self.0.algorithm()
        }
        fn key_id(&self) -> Option<&str> {
            Some(self.1)
        }
        async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RemoteError> {
            if self.2 { Ok(self.0.sign(message)?) } else { Err("the service is down".into()) }
        }
    }

    fn now<F: Future>(future: F) -> F::Output {
        match std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(output) => output,
            std::task::Poll::Pending => panic!("nothing here waits"),
        }
    }

    #[test]
    fn a_key_that_lives_elsewhere_signs_alike() {
        let key = signer().key().clone().with_key_id("k").expect("a kid");
        let claims = Claims::new("me").lifetime(Duration::from_secs(60)).token_id("t");
        let here = JwtSigner::new(key.clone()).token_type("at+jwt").clock(At(1000)).issue(&claims).expect("a token");
        let signs = |is_up| {
            let boxed: Box<dyn RemoteSigner> = Box::new(Arc::new(Elsewhere(key.clone(), "k", is_up)));
            now(RemoteJwtSigner::new(boxed).token_type("at+jwt").clock(At(1000)).issue(&claims))
        };
        assert_eq!(signs(true).expect("a token"), here);
        assert!(matches!(signs(false), Err(IssueError::Remote(_))));
        for key_id in ["", "a\nb"] {
            let outcome = now(RemoteJwtSigner::new(Elsewhere(key.clone(), key_id, true)).issue(&claims));
            assert!(matches!(outcome, Err(IssueError::Signing(SignError::Unreadable))), "{key_id:?}");
        }
    }

    #[test]
    fn a_token_without_end_is_made_on_purpose_alone() {
        let lasting = Claims::new("me");
        assert!(matches!(signer().issue(&lasting), Err(IssueError::NoLifetime)));
        assert!(said(&lasting.danger_no_expiration()).get("exp").is_none());
    }

    #[test]
    fn claims_that_say_nothing_are_not_issued() {
        let good = || Claims::new("me").lifetime(Duration::from_secs(1));
        let empty = [
            Claims::new("").lifetime(Duration::from_secs(1)),
            good().subject(""),
            good().audience(""),
            good().audience("api").audience(""),
            good().token_id(""),
            good().lifetime(Duration::ZERO),
            good().lifetime(Duration::from_millis(999)),
            good().not_before(Duration::from_secs(1)),
            good().lifetime(Duration::from_millis(5999)).not_before(Duration::from_secs(5)),
            good().lifetime(Duration::from_secs(60)).not_before(Duration::from_secs(3600)),
        ];
        for (at, claims) in empty.iter().enumerate() {
            assert!(matches!(signer().issue(claims), Err(IssueError::Claims(_))), "case {at}");
        }
        assert_eq!(said(&good().lifetime(Duration::from_millis(1999)))["exp"], 1001);
        assert_eq!(said(&good().not_before(Duration::from_millis(999)))["nbf"], 1000);
        let lasting = Claims::new("me").danger_no_expiration().not_before(Duration::from_secs(3600));
        assert_eq!(said(&lasting)["nbf"], 4600);
    }

    #[test]
    fn token_ids_are_128_random_bits() {
        let claims = Claims::new("me").lifetime(Duration::from_secs(60));
        let ids: Vec<_> = (0..100).map(|_| said(&claims)["jti"].as_str().expect("a string").to_owned()).collect();
        assert!(ids.iter().all(|id| id.len() == 22), "{ids:?}");
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 100);
    }

    #[test]
    fn own_claims_are_an_object_and_none_of_the_registered_ones() {
        for own in [json!({"exp": 1}), json!({"iss": "x"}), json!({"jti": "x"}), json!(7), json!([]), json!(null)] {
            assert!(matches!(Claims::new("me").with(&own), Err(IssueError::Claims(_))), "{own}");
        }
    }

    #[test]
    fn what_nobody_could_read_back_is_not_signed() {
        let signer = JwtSigner::new(SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret"));
        for claims in [json!(7), json!([]), json!({"exp": "soon"}), json!({"aud": 7}), json!(null)] {
            assert!(matches!(signer.sign(&claims), Err(IssueError::Claims(_))), "{claims}");
        }
        assert!(signer.sign(&json!({})).is_ok());
    }
}
