//! Is it true? The seam [`TokenVerifier`], and the verifier for JWTs.

mod builder;
mod explain;
mod recheck;
mod router;
#[cfg(feature = "token-cache")]
mod token_cache;

pub use crate::rules::Outcome;
pub use builder::JwtVerifierBuilder;
pub use explain::{Explanation, Step};
pub use router::IssuerRouter;
#[cfg(feature = "token-cache")]
pub use token_cache::TokenCache;

use crate::changes::Changes;
use crate::clock::{Clock, since_epoch};
use crate::jws::{Header, KnownHeaders, Policy};
use crate::key::VerifyingKey;
#[cfg(feature = "token-cache")]
use crate::observe::{Event, Observer};
use crate::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
use crate::reason::Rejection;
use crate::request::Credential;
use crate::rules::TokenRules;
use crate::token::{Claimed, UnverifiedToken, VerifiedToken};
use async_trait::async_trait;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Why there is no verified token.
///
/// ```
/// use countersign::verify::VerifyError;
///
/// fn status(error: &VerifyError) -> u16 {
///     match error {
///         VerifyError::Unavailable(_) => 503, // the caller may try again, with the same token
///         _ => 401,
///     }
/// }
/// # assert_eq!(status(&countersign::reason::Rejection::Expired.into()), 401);
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The credential proves nothing: 401.
    #[error("the token is refused")]
    Rejected(#[from] Rejection),
    /// What is needed to judge it could not be had: 503.
    #[error("the token cannot be judged")]
    Unavailable(#[source] Unavailable),
}

impl From<KeyProviderError> for VerifyError {
    fn from(error: KeyProviderError) -> Self {
        match error {
            KeyProviderError::NotFound => Self::Rejected(Rejection::UnknownKey),
            KeyProviderError::WrongAlgorithm => Self::Rejected(Rejection::KeyMismatch),
            KeyProviderError::Ambiguous => Self::Rejected(Rejection::KeyAmbiguous),
            KeyProviderError::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}

/// Turns a credential into somebody: a JWT, a password, an opaque token.
///
/// ```
/// use countersign::reason::Rejection;
/// use countersign::request::Credential;
/// use countersign::secret::Secret;
/// use countersign::verify::{TokenVerifier, VerifyError};
/// use countersign::{VerifiedToken, async_trait};
///
/// /// One key for all machines of a workshop.
/// #[derive(Debug)]
/// struct WorkshopKey(Secret);
///
/// #[async_trait]
/// impl TokenVerifier for WorkshopKey {
///     async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
///         if !self.0.matches(credential.expose().as_bytes()) {
///             return Err(Rejection::Credentials.into());
///         }
///         let claims = serde_json::json!({ "sub": "workshop", "scope": "machines:start" });
///         VerifiedToken::vouched(&claims).map_err(|_| Rejection::InvalidClaim.into())
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` verifies no credentials",
    note = "use `JwtVerifier`, or implement `TokenVerifier`"
)]
pub trait TokenVerifier: Debug + Send + Sync + 'static {
    /// The verdict, reached from memory without waiting; `None` where [`verify`](Self::verify) must be asked.
    fn verify_now(&self, credential: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        let _ = credential;
        None
    }

    /// The verdict.
    ///
    /// # Errors
    /// [`VerifyError`]: "not proven" and "could not be checked" are different answers.
    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError>;

    /// What [`recheck`](Self::recheck) says, from memory without waiting; `None` where that must be asked.
    fn recheck_now(&self, token: &VerifiedToken) -> Option<Result<(), VerifyError>> {
        let _ = token;
        None
    }

    /// Whether what vouched for a token that this verifier has given still does: asked every so often while a connection lasts
    /// that the token has opened. A [`JwtVerifier`] looks whether the token's key is trusted still, and at nothing else.
    ///
    /// A verifier of [`vouched`](VerifiedToken::vouched) claims that withdraws nothing of what it has said need not implement it:
    /// nothing speaks against such a token then. Whether a [key](VerifiedToken::key) that has signed one still counts, nobody can
    /// tell who is not asked: that is [`Unavailable`](VerifyError::Unavailable) unless it is implemented. A verifier that is made
    /// of others passes the question on, and asks about no token that they have not given.
    ///
    /// # Errors
    /// [`VerifyError`]: [`Rejected`](VerifyError::Rejected) ends the connection; [`Unavailable`](VerifyError::Unavailable) is
    /// borne as long as that nobody can tell.
    async fn recheck(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
        match token.key() {
            None => Ok(()),
            Some(_) => Err(VerifyError::Unavailable(Unavailable::because(
                "this verifier does not say whether a key still counts",
            ))),
        }
    }

    /// What is told when [`recheck`](Self::recheck) may give another answer; `None` where nobody tells. As
    /// [`RevocationCheck::changes`](crate::revocation::RevocationCheck::changes).
    fn changes(&self) -> Option<Changes> {
        None
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: TokenVerifier + ?Sized> TokenVerifier for $pointer<T> {
            fn verify_now(&self, credential: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
                (**self).verify_now(credential)
            }

            fn verify<'s, 'c, 'r, 'f>(
                &'s self,
                credential: &'c Credential<'r>,
            ) -> Pin<Box<dyn Future<Output = Result<VerifiedToken, VerifyError>> + Send + 'f>>
            where
                's: 'f,
                'c: 'f,
                'r: 'f,
                Self: 'f,
            {
                (**self).verify(credential)
            }

            fn recheck_now(&self, token: &VerifiedToken) -> Option<Result<(), VerifyError>> {
                (**self).recheck_now(token)
            }

            fn recheck<'s, 't, 'f>(
                &'s self,
                token: &'t VerifiedToken,
            ) -> Pin<Box<dyn Future<Output = Result<(), VerifyError>> + Send + 'f>>
            where
                's: 'f,
                't: 'f,
                Self: 'f,
            {
                (**self).recheck(token)
            }

            fn changes(&self) -> Option<Changes> {
                (**self).changes()
            }
        }
    )*};
}
forward!(Arc, Box);

/// Verifies JWTs (RFC 7519 §7.2) by the rules of RFC 8725.
///
/// In this order: size, three parts, strict header, `crit`, `kid`, `alg`, `typ`, canonical base64url, strict claims of
/// the registered types, `iss`; then the key is asked for; then the signature, `aud`, the times, the required claims,
/// and whatever else is asked of them. What fails first ends it; [`explain`](Self::explain) goes on. Of claims that take much
/// to be read, more than issuers write, only `iss` is found before the signature; they are read strictly behind it.
///
/// ```
/// use countersign::request::Credential;
/// use countersign::issue::JwtSigner;
/// use countersign::verify::TokenVerifier;
/// use countersign::{Algorithm, JwtVerifier, SigningKey};
///
/// let key = SigningKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let verifier = JwtVerifier::builder(key.verifying_key().clone())
///     .algorithms([Algorithm::HS256])
///     .issuer("https://issuer.example/")
///     .audience("my-api")
///     .build()?;
///
/// let token = JwtSigner::new(key).sign(&serde_json::json!({
///     "iss": "https://issuer.example/", "aud": "my-api", "sub": "7", "exp": 4_000_000_000_u32,
/// }))?;
/// let verdict = verifier.verify_now(&Credential::new("Bearer", &token)).expect("a local key needs no waiting");
/// assert_eq!(verdict?.subject(), Some("7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JwtVerifier {
    keys: Box<dyn KeyProvider>,
    clock: Box<dyn Clock>,
    rules: TokenRules,
    policy: Policy,
    known: KnownHeaders,
    max_candidates: usize,
    #[cfg(feature = "token-cache")]
    verdicts: Option<token_cache::Verdicts>,
    #[cfg(feature = "token-cache")]
    observer: Box<dyn Observer>,
}

impl JwtVerifier {
    /// A verifier that takes its keys from `keys`: a [`VerifyingKey`], a
    /// [`KeySet`](crate::provider::KeySet), a provider of `countersign-keys`, one of your own.
    ///
    /// A shared secret needs [`algorithms`](JwtVerifierBuilder::algorithms) too: HMAC is not among the defaults.
    pub fn builder(keys: impl KeyProvider) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new(keys)
    }

    fn parse<'t>(&self, token: &'t str) -> Result<UnverifiedToken<'t>, Rejection> {
        let accept = |header: &Header| self.rules.check_header(header);
        let token = UnverifiedToken::parse_with(token, &self.policy, Some(&self.known), &self.rules.wanted, accept)?;
        self.rules.check_issuer(token.unverified_issuer())?;
        Ok(token)
    }

    fn finish(
        &self,
        credential: &Credential<'_>,
        token: UnverifiedToken<'_>,
        key: Result<VerifyingKey, KeyProviderError>,
    ) -> Result<VerifiedToken, VerifyError> {
        let accept = |claimed: &Claimed<'_>| self.rules.check(claimed, since_epoch(self.clock.now()));
        let token = match key {
            Err(KeyProviderError::Ambiguous) if self.max_candidates > 1 => {
                let keys = self.candidates(&wanted_key(&token))?;
                token.verify(&keys, &self.known, &self.rules.wanted, accept)?
            }
            key => token.verify(std::slice::from_ref(&key?), &self.known, &self.rules.wanted, accept)?,
        };
        self.rules.check_own(&token)?;
        self.keep(credential, &token);
        Ok(token)
    }

    #[cfg(feature = "token-cache")]
    fn keep(&self, credential: &Credential<'_>, token: &VerifiedToken) {
        if let Some(verdicts) = &self.verdicts {
            // Told here, once for each verification that no hit saved, however often the cache was asked on the way.
            self.observer.observe(&Event::TokenCacheAsked { is_hit: false });
            verdicts.keep(credential.expose(), token, &*self.clock);
        }
    }

    #[cfg(not(feature = "token-cache"))]
    fn keep(&self, _: &Credential<'_>, _: &VerifiedToken) {}

    /// The token, where it has been verified before and that verdict still counts. Why it does not, the full verification
    /// says.
    #[cfg(feature = "token-cache")]
    fn verified_before(&self, credential: &Credential<'_>) -> Option<VerifiedToken> {
        let verdicts = self.verdicts.as_ref()?;
        let now = self.clock.now();
        let (token, _) = verdicts
            .find(credential.expose(), now, &*self.clock)
            .filter(|(token, key)| self.keys.trusts(key) && self.rules.check_again(token, since_epoch(now)).is_ok())?;
        self.observer.observe(&Event::TokenCacheAsked { is_hit: true });
        Some(token)
    }

    #[cfg(not(feature = "token-cache"))]
    fn verified_before(&self, _: &Credential<'_>) -> Option<VerifiedToken> {
        None
    }

    /// The keys to try for a token that names none.
    fn candidates(&self, wanted: &KeyRequest<'_>) -> Result<Vec<VerifyingKey>, VerifyError> {
        let keys = self.keys.candidates(wanted);
        if keys.is_empty()
            && let Some(Err(error @ KeyProviderError::Unavailable(_))) = self.keys.key_now(wanted)
        {
            // There were several a moment ago.
            return Err(error.into());
        }
        // More than are tried is as good as any number: which one comes first must not decide.
        if keys.is_empty() || keys.len() > self.max_candidates { Err(Rejection::KeyAmbiguous.into()) } else { Ok(keys) }
    }
}

fn wanted_key<'a>(token: &'a UnverifiedToken<'_>) -> KeyRequest<'a> {
    KeyRequest::new(token.header().algorithm())
        .with_key_id(token.header().key_id())
        .with_issuer(token.unverified_issuer())
}

#[async_trait]
impl TokenVerifier for JwtVerifier {
    fn verify_now(&self, credential: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        if let Some(token) = self.verified_before(credential) {
            return Some(Ok(token));
        }
        match self.parse(credential.expose()) {
            Ok(token) => {
                let key = self.keys.key_now(&wanted_key(&token))?;
                Some(self.finish(credential, token, key))
            }
            Err(rejection) => Some(Err(rejection.into())),
        }
    }

    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        if let Some(token) = self.verified_before(credential) {
            return Ok(token);
        }
        let token = self.parse(credential.expose())?;
        let key = self.keys.key(&wanted_key(&token)).await;
        self.finish(credential, token, key)
    }

    fn recheck_now(&self, token: &VerifiedToken) -> Option<Result<(), VerifyError>> {
        self.has_key_now(token)
    }

    async fn recheck(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
        self.has_key(token).await
    }

    fn changes(&self) -> Option<Changes> {
        self.keys.changes()
    }
}

#[cfg(test)]
mod tests;
