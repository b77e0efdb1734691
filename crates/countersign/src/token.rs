//! Tokens before and after verification: two types, so that nothing unverified can be read by mistake.

use crate::base64url;
use crate::claims::{
    AUDIENCE_CLAIM, ClaimsError, Cursor, JsonError, NumericDate, OneOrMany, RegisteredClaims, WantedClaims,
};
use crate::crypto::default_backend;
use crate::jws::{Compact, Header, KnownHeaders, Policy};
use crate::key::{KeyIdentity, VerifyingKey};
use crate::reason::Rejection;
use crate::secret::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A JWT that has a well-formed header and claims set, and has proved nothing.
///
/// Its claims cannot be read. A [`JwtVerifier`](crate::JwtVerifier) makes a [`VerifiedToken`] of it, or refuses.
///
/// ```
/// use countersign::issue::JwtSigner;
/// use countersign::verify::UnverifiedToken;
/// use countersign::{Algorithm, SigningKey, jws};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let token = JwtSigner::new(key).sign(&serde_json::json!({"sub": "7"}))?;
///
/// // To choose a key by, and for nothing else: the claims are out of reach until the signature is verified.
/// let unverified = UnverifiedToken::parse(&token, jws::MAX_BYTES)?;
/// assert_eq!(unverified.header().key_id(), Some("2026-11"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UnverifiedToken<'t> {
    compact: Compact<'t>,
    payload: String,
    claims: RegisteredClaims,
    /// Whether the claims have been read, and not the issuer alone been found.
    is_read: bool,
}

impl<'t> UnverifiedToken<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// As [`Compact::parse`]; and [`Rejection::Issuer`], [`Rejection::Audience`] or [`Rejection::InvalidClaim`] when
    /// a registered claim has the wrong type.
    pub fn parse(token: &'t str, max_bytes: usize) -> Result<Self, Rejection> {
        let (policy, wanted) = (Policy::new().max_bytes(max_bytes), WantedClaims::default());
        let mut token = Self::parse_with(token, &policy, None, &wanted, |_| Ok(()))?;
        token.read_on(&wanted)?;
        Ok(token)
    }

    /// Takes a token apart whose header `accept` takes. Claims that take much to be read are left to
    /// [`verify`](Self::verify), but for the issuer.
    pub(crate) fn parse_with(
        token: &'t str,
        policy: &Policy,
        known: Option<&KnownHeaders>,
        wanted: &WantedClaims,
        accept: impl FnOnce(&Header) -> Result<(), Rejection>,
    ) -> Result<Self, Rejection> {
        let mut compact = Compact::parse_jwt(token, policy, known, accept)?;
        let payload = String::from_utf8(compact.take_unverified_payload()).map_err(|_| Rejection::Malformed)?;
        let mut token = Self { compact, payload, claims: RegisteredClaims::default(), is_read: false };
        token.is_read = token.claims.read_or_find_issuer(&token.payload, wanted).map_err(ill_formed)?;
        Ok(token)
    }

    fn read_on(&mut self, wanted: &WantedClaims) -> Result<(), Rejection> {
        if !self.is_read {
            self.claims.read_on(&self.payload, wanted).map_err(ill_formed)?;
            self.is_read = true;
        }
        Ok(())
    }

    /// The header: what the sender claims, and no more.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.compact.header()
    }

    /// The issuer that the token names: only for choosing whose keys to ask.
    pub(crate) fn unverified_issuer(&self) -> Option<&str> {
        self.claims.issuer(&self.payload)
    }

    /// Checks that one of `keys` has signed it, in their order, remembers its header, reads the claims where they have not been
    /// read, and then shows them to `accept`: what that refuses is not made a token. `wanted` is what it was taken apart with.
    pub(crate) fn verify(
        mut self,
        keys: &[VerifyingKey],
        known: &KnownHeaders,
        wanted: &WantedClaims,
        accept: impl FnOnce(&Claimed<'_>) -> Result<(), Rejection>,
    ) -> Result<VerifiedToken, Rejection> {
        for key in keys {
            match self.compact.check(key) {
                Ok(()) => {
                    self.compact.remember(known, key);
                    self.read_on(wanted)?;
                    accept(&Claimed { header: Some(self.header()), payload: &self.payload, claims: &self.claims })?;
                    let Self { compact, payload, claims, .. } = self;
                    return Ok(VerifiedToken::new(Some(compact.into_header()), payload, claims, Some(key.identity())));
                }
                Err(Rejection::Signature) => {}
                Err(rejection) => return Err(rejection),
            }
        }
        Err(Rejection::Signature)
    }
}

/// What the rules look at, once a signature stands over it or somebody else vouches for it.
pub(crate) struct Claimed<'a> {
    pub(crate) header: Option<&'a Header>,
    pub(crate) payload: &'a str,
    pub(crate) claims: &'a RegisteredClaims,
}

/// Why claims that cannot be read refuse a token.
pub(crate) fn ill_formed(error: JsonError) -> Rejection {
    match error {
        JsonError::WrongType("iss") => Rejection::Issuer,
        JsonError::WrongType("aud" | AUDIENCE_CLAIM) => Rejection::Audience,
        JsonError::WrongType("azp") => Rejection::AuthorizedParty,
        JsonError::WrongType(_) => Rejection::InvalidClaim,
        JsonError::Syntax | JsonError::Duplicate | JsonError::TooMany | JsonError::Laborious => Rejection::Malformed,
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedToken").field("header", self.header()).finish_non_exhaustive()
    }
}

/// Who asks: claims that somebody trusted has vouched for.
///
/// Cloning is cheap. `Debug` shows no claim.
///
/// ```
/// use countersign::VerifiedToken;
///
/// #[derive(serde::Deserialize)]
/// struct Me { name: String }
///
/// # let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "name": "Ada", "scope": "posts:read"}))?;
/// # #[allow(clippy::unwrap_used)] fn look(token: &VerifiedToken) {
/// assert_eq!(token.subject(), Some("7"));
/// assert!(token.has_scope("posts:read"));
/// assert_eq!(token.claims::<Me>().unwrap().name, "Ada");
/// # }
/// # look(&token);
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone)]
pub struct VerifiedToken(Arc<Verified>);

struct Verified {
    header: Option<Arc<Header>>,
    payload: String,
    claims: RegisteredClaims,
    /// `aud`, copied when it is asked for.
    audience: OnceLock<Option<OneOrMany>>,
    key: Option<KeyIdentity>,
}

impl VerifiedToken {
    fn new(header: Option<Arc<Header>>, payload: String, claims: RegisteredClaims, key: Option<KeyIdentity>) -> Self {
        Self(Arc::new(Verified { header, payload, claims, audience: OnceLock::new(), key }))
    }

    /// What the claims would be if a signature stood: for explaining, and never handed out.
    pub(crate) fn assumed(header: Option<Header>, payload: String, claims: RegisteredClaims) -> Self {
        Self::new(header.map(Arc::new), payload, claims, None)
    }

    /// Claims that a [`TokenVerifier`](crate::verify::TokenVerifier) other than the JWT one vouches for: a user
    /// whose password it checked, the answer of an introspection endpoint.
    ///
    /// Nobody looks at `exp`, `nbf`, `iss` or `aud` after that: whoever vouches has looked. Only a
    /// [tenure](crate::screening::Tenure) ends at `exp`.
    ///
    /// # Errors
    /// [`ClaimsError`] when the claims are no JSON object, or a registered claim among them has the wrong type.
    pub fn vouched(claims: &impl Serialize) -> Result<Self, ClaimsError> {
        let payload = serde_json::to_string(claims).map_err(ClaimsError::unwritable)?;
        let registered = RegisteredClaims::parse(&payload, &WantedClaims::default())?;
        Ok(Self::new(None, payload, registered, None))
    }

    /// The claims as a type of the caller's. Decoded when asked for, each time.
    ///
    /// # Errors
    /// [`ClaimsError`] when they do not fit.
    pub fn claims<C: DeserializeOwned>(&self) -> Result<C, ClaimsError> {
        self.0.claims.typed(&self.0.payload)
    }

    /// The claim `name`, for reading it where it stands, without building values.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Cursor<'_>> {
        self.0.claims.find(&self.0.payload, name).map(|value| Cursor::new(value.text()))
    }

    /// A claim that is a string.
    fn text_claim(&self, name: &'static str) -> Option<Cow<'_, str>> {
        self.0.claims.find(&self.0.payload, name)?.string(name).ok()
    }

    /// The header that was signed with the claims; `None` for [`vouched`](Self::vouched) claims.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.0.header.as_deref()
    }

    /// The claims set: the JSON object as it was signed.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.0.payload
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.claims.issuer(&self.0.payload)
    }

    /// `sub`. Unique within an issuer only: keep both.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.claims.subject(&self.0.payload)
    }

    /// `aud`.
    #[must_use]
    pub fn audience(&self) -> Option<&OneOrMany> {
        self.0.audience.get_or_init(|| self.0.claims.owned_audience(&self.0.payload)).as_ref()
    }

    /// `exp`.
    #[must_use]
    pub fn expires_at(&self) -> Option<NumericDate> {
        self.0.claims.expires_at()
    }

    /// `nbf`.
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.0.claims.not_before()
    }

    /// `iat`.
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.0.claims.issued_at()
    }

    /// `jti`.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.0.claims.token_id(&self.0.payload)
    }

    /// The scopes in `scope` (RFC 8693 §4.2) and `scp`: words of a string, or items of a list.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.claims.scopes(&self.0.payload)
    }

    /// Whether the token has this scope, compared exactly.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|own| own == scope)
    }

    /// The key that verified it; `None` for [`vouched`](Self::vouched) claims.
    #[must_use]
    pub fn key(&self) -> Option<KeyIdentity> {
        self.0.key
    }

    /// Whether this ID token answers the login that was started with `nonce` (OpenID Connect Core §3.1.3.7, 11).
    ///
    /// # Errors
    /// [`Rejection::Nonce`] when it answers another, or names none; and for an empty `nonce`, which starts no login.
    pub fn check_nonce(&self, nonce: &str) -> Result<(), Rejection> {
        match self.text_claim("nonce") {
            Some(own) if !nonce.is_empty() && Secret::new(&*own).matches(nonce.as_bytes()) => Ok(()),
            _ => Err(Rejection::Nonce),
        }
    }

    /// Whether this ID token came with `access_token` (OpenID Connect Core §3.1.3.8): `at_hash` is the left half of its
    /// hash, by the hash function of the ID token's own `alg`.
    ///
    /// # Errors
    /// [`Rejection::AccessTokenHash`] when it came with another, or does not say; and where the `alg` names no hash
    /// function, as ML-DSA does not.
    pub fn check_access_token(&self, access_token: &str) -> Result<(), Rejection> {
        let header = self.header().ok_or(Rejection::AccessTokenHash)?;
        let backend = default_backend().map_err(|_| Rejection::AccessTokenHash)?;
        let hash = header.algorithm().hash().ok_or(Rejection::AccessTokenHash)?;
        let hash = backend.digest(hash, &[access_token.as_bytes()]);
        let half = hash.get(..hash.len() / 2).unwrap_or_default();
        match self.text_claim("at_hash") {
            Some(own) if own == base64url::encode(half) => Ok(()),
            _ => Err(Rejection::AccessTokenHash),
        }
    }

    pub(crate) fn claimed(&self) -> Claimed<'_> {
        Claimed { header: self.header(), payload: &self.0.payload, claims: &self.0.claims }
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken").field("key", &self.0.key).finish_non_exhaustive()
    }
}
