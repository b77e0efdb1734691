//! What a [`JwtVerifier`] is made with.

use super::JwtVerifier;
#[cfg(feature = "token-cache")]
use super::token_cache::TokenCache;
use crate::alg::Algorithm;
use crate::claims::WantedClaims;
use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;
use crate::danger::Danger;
use crate::jws::{KnownHeaders, MAX_BYTES, Policy};
#[cfg(feature = "token-cache")]
use crate::observe::{NoObserver, Observer};
use crate::provider::KeyProvider;
use crate::rules::{Check, TokenRules};
use crate::token::VerifiedToken;
use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::time::Duration;

#[derive(Default)]
struct Checks(Vec<Check>);

impl Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} checks", self.0.len())
    }
}

/// Sets a [`JwtVerifier`] up. Issuer and audience must be named.
///
/// An issuer whose access tokens are short-lived and name their tenant:
///
/// ```
/// use countersign::issue::JwtSigner;
/// use countersign::reason::Rejection;
/// use countersign::request::Credential;
/// use countersign::verify::{TokenVerifier, VerifyError};
/// use countersign::{Algorithm, JwtVerifier, SigningKey};
/// use std::time::Duration;
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let verifier = JwtVerifier::builder(key.verifying_key().clone())
///     .algorithms([Algorithm::ES256])
///     .issuer("https://issuer.example/")
///     .audience("my-api")
///     .types(["at+jwt"])
///     .leeway(Duration::from_secs(10))
///     .max_lifetime(Duration::from_secs(900))
///     .require_claim("tenant")
///     .build()?;
///
/// let token = JwtSigner::new(key).token_type("at+jwt").sign(&serde_json::json!({
///     "iss": "https://issuer.example/", "aud": "my-api", "sub": "7", "exp": 4_000_000_000_u32, "iat": 3_999_999_999_u32,
///     "tenant": "north",
/// }))?;
/// // Issued in the future.
/// let verdict = verifier.verify_now(&Credential::new("Bearer", &token)).expect("a local key needs no waiting");
/// assert!(matches!(verdict, Err(VerifyError::Rejected(Rejection::IssuedInFuture))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct JwtVerifierBuilder {
    keys: Box<dyn KeyProvider>,
    clock: Box<dyn Clock>,
    algorithms: Vec<Algorithm>,
    types: Option<Vec<String>>,
    profiles: Vec<Profile>,
    issuers: Vec<String>,
    audiences: Vec<String>,
    audience_claim: Option<String>,
    subjects: Vec<String>,
    max_age: Option<Duration>,
    max_lifetime: Option<Duration>,
    checks: Checks,
    leeway: Duration,
    required_claims: Vec<String>,
    max_bytes: usize,
    max_candidates: usize,
    dangers: Vec<Danger>,
    #[cfg(feature = "token-cache")]
    token_cache: Option<TokenCache>,
    #[cfg(feature = "token-cache")]
    observer: Box<dyn Observer>,
}

/// A kind of token with rules of its own, all of which hold or none (RFC 8725 §3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// RFC 9068.
    AccessToken,
    /// OpenID Connect Core §3.1.3.7.
    IdToken,
}

impl Profile {
    /// The method that asks for it.
    fn setting(self) -> &'static str {
        match self {
            Self::AccessToken => "access_tokens_only",
            Self::IdToken => "id_tokens_only",
        }
    }

    fn token_type(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
        }
    }

    fn required_claims(self) -> &'static [&'static str] {
        match self {
            Self::AccessToken => &["iss", "exp", "aud", "sub", "client_id", "iat", "jti"],
            Self::IdToken => &["iss", "sub", "aud", "exp", "iat"],
        }
    }
}

/// The largest leeway, RFC 7519 §4.1.4: "usually no more than a few minutes".
const MAX_LEEWAY: Duration = Duration::from_secs(120);
/// The most keys that a verifier can be told to try.
const MAX_CANDIDATES: usize = 8;
/// The longest token that a verifier can be told to read.
const MAX_MAX_BYTES: usize = 1024 * 1024;

impl JwtVerifierBuilder {
    pub(super) fn new(keys: impl KeyProvider) -> Self {
        Self {
            keys: Box::new(keys),
            clock: Box::new(SystemClock::new()),
            algorithms: vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::Ed25519],
            types: None,
            profiles: Vec::new(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            audience_claim: None,
            subjects: Vec::new(),
            max_age: None,
            max_lifetime: None,
            checks: Checks::default(),
            leeway: Duration::from_secs(30),
            required_claims: Vec::new(),
            max_bytes: MAX_BYTES,
            max_candidates: 1,
            dangers: Vec::new(),
            #[cfg(feature = "token-cache")]
            token_cache: None,
            #[cfg(feature = "token-cache")]
            observer: Box::new(NoObserver),
        }
    }

    /// An issuer whose tokens are taken, compared exactly. May be called several times.
    ///
    /// **Several issuers over one set of keys are not kept apart: whoever holds any of its keys can sign as each of
    /// them** (RFC 8725 §3.8). Where issuers do not trust each other, give each a verifier with its own keys, or a
    /// [`KeyProvider`] that chooses by [`KeyRequest::issuer`](crate::provider::KeyRequest::issuer).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// A name of this service; a token must have one of them in `aud`, compared exactly. May be called several
    /// times.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The claim that stands for the audience, instead of `aud`: some providers' access tokens name their client there,
    /// and nothing else. A string or a list of strings, as `aud` is. Claims that mean something else to every verifier,
    /// such as `sub` and `scope`, are refused by [`build`](Self::build).
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
    ///
    /// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// let verifier = JwtVerifier::builder(key)
    ///     .algorithms([Algorithm::HS256])
    ///     .issuer("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_example")
    ///     .audience("the-app-client-id")
    ///     .audience_claim("client_id")
    ///     .build();
    /// assert!(verifier.is_ok());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn audience_claim(mut self, name: impl Into<String>) -> Self {
        self.audience_claim = Some(name.into());
        self
    }

    /// A subject whose tokens are taken, compared exactly: others are refused. May be called several times.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// // An inner service that one caller may reach.
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let verifier = JwtVerifier::builder(key.verifying_key().clone())
    ///     .issuer("https://issuer.example/")
    ///     .audience("billing")
    ///     .subject("order-service")
    ///     .build();
    /// assert!(verifier.is_ok());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subjects.push(subject.into());
        self
    }

    /// How long ago a token may have been issued, leeway added. It must say when, then.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    /// use std::time::Duration;
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let verifier = || {
    ///     JwtVerifier::builder(key.verifying_key().clone()).issuer("https://issuer.example/").audience("my-api")
    /// };
    /// // Whatever `exp` says: a token is used within the hour, or not at all.
    /// assert!(verifier().max_age(Duration::from_secs(3600)).build().is_ok());
    /// assert!(verifier().max_age(Duration::ZERO).build().is_err(), "no token could be taken");
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// How long a token may be meant to live, from `iat` to `exp`. It must have both, then.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = Some(max_lifetime);
        self
    }

    /// Takes access tokens as RFC 9068 profiles them and nothing else: `typ` is `at+jwt`, and `iss`, `exp`, `aud`, `sub`,
    /// `client_id`, `iat` and `jti` are there.
    ///
    /// A profile is whole: [`build`](Self::build) refuses it beside another one, beside [`types`](Self::types) and
    /// [`audience_claim`](Self::audience_claim), and where a danger takes any issuer, any audience or tokens without end.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let verifier = || {
    ///     JwtVerifier::builder(key.verifying_key().clone()).issuer("https://issuer.example/").audience("my-api")
    /// };
    /// assert!(verifier().access_tokens_only().build().is_ok());
    /// assert!(verifier().access_tokens_only().types(["JWT"]).build().is_err());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn access_tokens_only(mut self) -> Self {
        self.profiles.push(Profile::AccessToken);
        self
    }

    /// Takes ID tokens as OpenID Connect Core §3.1.3.7 wants them checked by the client that the audience names: `iss`,
    /// `sub`, `aud`, `exp` and `iat` are there, `typ` is `JWT` or absent, no audience stands there that was not named
    /// here, and `azp` is one of them where it is there or there are several audiences. The profile is whole, as that of
    /// [access tokens](Self::access_tokens_only) is.
    ///
    /// What belongs to one login is checked on the token:
    /// [`check_nonce`](VerifiedToken::check_nonce) and [`check_access_token`](VerifiedToken::check_access_token).
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// // The audience of an ID token is the client that asked for it, and no API.
    /// let verifier = JwtVerifier::builder(key.verifying_key().clone())
    ///     .issuer("https://issuer.example/")
    ///     .audience("my-client-id")
    ///     .id_tokens_only()
    ///     .build();
    /// assert!(verifier.is_ok());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn id_tokens_only(mut self) -> Self {
        self.profiles.push(Profile::IdToken);
        self
    }

    /// A check of the application's own, after all others. It sees header and claims, and says no with a constant reason,
    /// which goes into logs and metrics and not to the client. May be called several times.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
    ///
    /// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// let verifier = JwtVerifier::builder(key)
    ///     .algorithms([Algorithm::HS256])
    ///     .issuer("https://issuer.example/")
    ///     .audience("my-api")
    ///     .check(|token| match token.claims::<serde_json::Value>() {
    ///         Ok(claims) if claims["tenant"] == "north" => Ok(()),
    ///         _ => Err("another_tenant"),
    ///     });
    /// # let _ = verifier;
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn check(mut self, check: impl Fn(&VerifiedToken) -> Result<(), &'static str> + Send + Sync + 'static) -> Self {
        self.checks.0.push(Box::new(check));
        self
    }

    /// The algorithms that are taken, instead of RS256, PS256, ES256 and Ed25519 (also as `EdDSA`).
    ///
    /// A shared secret needs this line: a verifier of one key, or of a set of keys, none of which is for an algorithm that is
    /// taken, is an error when it is built.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
    ///
    /// let key = VerifyingKey::from_secret(Algorithm::HS512, [7; 64])?;
    /// let verifier = JwtVerifier::builder(key)
    ///     .algorithms([Algorithm::HS512])
    ///     .issuer("https://issuer.example/")
    ///     .audience("my-api")
    ///     .build();
    /// assert!(verifier.is_ok());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// The values of `typ` that are taken. A token without one is refused then (RFC 8725 §3.11): `["at+jwt"]` keeps ID
    /// tokens out (RFC 9068 §4).
    ///
    /// Unless called, `JWT`, `at+jwt` and no `typ` at all are taken.
    ///
    /// Whatever is named here, a token that tells of security events is refused: one whose `events` is an object with a
    /// colon in a member's name, as URIs have (RFC 8417 §2.2). Only `logout+jwt` and `secevent+jwt` take it, of tokens that
    /// say so in `typ`. An application whose own `events` claim looks like that calls it otherwise.
    ///
    /// ```
    /// use countersign::issue::JwtSigner;
    /// use countersign::request::Credential;
    /// use countersign::verify::TokenVerifier;
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let verifier = JwtVerifier::builder(key.verifying_key().clone())
    ///     .issuer("https://issuer.example/")
    ///     .audience("my-api")
    ///     .types(["at+jwt"])
    ///     .build()?;
    ///
    /// let claims = serde_json::json!({ "iss": "https://issuer.example/", "aud": "my-api", "sub": "7", "exp": 4_000_000_000_u32 });
    /// let is_taken = |token: &str| verifier.verify_now(&Credential::new("Bearer", token)).is_some_and(|verdict| verdict.is_ok());
    /// assert!(is_taken(&JwtSigner::new(key.clone()).token_type("at+jwt").sign(&claims)?));
    /// assert!(!is_taken(&JwtSigner::new(key).token_type("JWT").sign(&claims)?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// How far clocks may differ: 30 s unless set, 120 s at most.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    /// use std::time::Duration;
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let verifier = || {
    ///     JwtVerifier::builder(key.verifying_key().clone()).issuer("https://issuer.example/").audience("my-api")
    /// };
    /// assert!(verifier().leeway(Duration::ZERO).build().is_ok());
    /// assert!(verifier().leeway(Duration::from_secs(121)).build().is_err());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// A claim that must be there and not `null`. May be called several times.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// // Whoever revokes tokens by their id needs one in each.
    /// let verifier = JwtVerifier::builder(key.verifying_key().clone())
    ///     .issuer("https://issuer.example/")
    ///     .audience("my-api")
    ///     .require_claim("jti")
    ///     .build();
    /// assert!(verifier.is_ok());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn require_claim(mut self, name: impl Into<String>) -> Self {
        self.required_claims.push(name.into());
        self
    }

    /// The longest token that is read, in bytes: 16 KiB unless set, 1 MiB at most.
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// How many keys are tried for a token that names none of them: 1 unless set, 8 at most. Where more keys fit, the
    /// token is refused.
    pub fn try_keys(mut self, at_most: usize) -> Self {
        self.max_candidates = at_most;
        self
    }

    /// Keeps what has been verified, so that a token that is sent again costs no signature. Off unless set.
    ///
    /// ```
    /// use countersign::verify::TokenCache;
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// // Times, audience and revocation are still looked at each time: the signature alone is remembered.
    /// let verifier = JwtVerifier::builder(key.verifying_key().clone())
    ///     .issuer("https://issuer.example/")
    ///     .audience("my-api")
    ///     .token_cache(TokenCache::new())
    ///     .build();
    /// assert!(verifier.is_ok());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    #[cfg(feature = "token-cache")]
    pub fn token_cache(mut self, cache: TokenCache) -> Self {
        self.token_cache = Some(cache);
        self
    }

    /// Is told how the token cache fares.
    #[cfg(feature = "token-cache")]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Where the time comes from: the system unless set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Leaves a check out. May be called several times.
    ///
    /// ```
    /// use countersign::danger::Danger;
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let verifier = || JwtVerifier::builder(key.verifying_key().clone()).issuer("https://issuer.example/");
    /// // Nothing is left out by leaving it unsaid.
    /// assert!(verifier().build().is_err());
    /// assert!(verifier().danger(Danger::AnyAudience).build().is_ok());
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn danger(mut self, danger: Danger) -> Self {
        self.dangers.push(danger);
        self
    }

    /// Leaves several checks out, as [`danger`](Self::danger) does: a recipe such as
    /// [`FLAMA`](crate::danger::FLAMA).
    pub fn dangers(mut self, dangers: &[Danger]) -> Self {
        self.dangers.extend_from_slice(dangers);
        self
    }

    /// The verifier.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting: `issuer` or `audience` not set, an empty list, a leeway beyond its
    /// bound, settings that contradict each other.
    ///
    /// ```
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let error = JwtVerifier::builder(key.verifying_key().clone()).issuer("https://issuer.example/").build().unwrap_err();
    /// assert_eq!(error.setting(), "audience");
    /// # Ok::<(), countersign::keys::KeyError>(())
    /// ```
    pub fn build(self) -> Result<JwtVerifier, ConfigError> {
        let profile = self.profile()?;
        let named = |names: Vec<String>, setting, danger| {
            named_or_dangerous(names, setting, danger, self.dangers.contains(&danger))
        };
        let issuers = named(self.issuers, "issuer", Danger::AnyIssuer)?;
        let audiences = named(self.audiences, "audience", Danger::AnyAudience)?;
        if self.algorithms.is_empty() {
            return Err(ConfigError::new("algorithms", "the list is empty: no token could be taken"));
        }
        if let Some(keys) = self.keys.algorithms().filter(|keys| !keys.is_empty())
            && !keys.iter().any(|key| self.algorithms.iter().any(|allowed| allowed.is_same_as(*key)))
        {
            return Err(ConfigError::new("algorithms", not_of_the_keys(keys)));
        }
        if self.types.as_ref().is_some_and(|types| types.is_empty() || types.iter().any(String::is_empty)) {
            return Err(ConfigError::new("types", "the list is empty, or an empty `typ` stands in it"));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(ConfigError::new("leeway", format!("more than {} s", MAX_LEEWAY.as_secs())));
        }
        if let Some(problem) = self.audience_claim.as_deref().and_then(no_audience_claim) {
            return Err(ConfigError::new("audience_claim", problem));
        }
        if self.audience_claim.is_some() && audiences.is_none() {
            return Err(ConfigError::new("audience_claim", "is set, and `Danger::AnyAudience` is said"));
        }
        if self.subjects.iter().any(String::is_empty) {
            return Err(ConfigError::new("subject", "is empty"));
        }
        for (setting, span) in [("max_age", self.max_age), ("max_lifetime", self.max_lifetime)] {
            if span.is_some_and(|span| span.is_zero()) {
                return Err(ConfigError::new(setting, "is zero: no token could be taken"));
            }
        }
        if self.required_claims.iter().any(String::is_empty) {
            return Err(ConfigError::new("require_claim", "an empty name"));
        }
        if !(1..=MAX_MAX_BYTES).contains(&self.max_bytes) {
            return Err(ConfigError::new("max_bytes", format!("not between 1 and {MAX_MAX_BYTES}")));
        }
        if !(1..=MAX_CANDIDATES).contains(&self.max_candidates) {
            return Err(ConfigError::new("try_keys", format!("not between 1 and {MAX_CANDIDATES}")));
        }
        let mut required_claims = BTreeSet::from_iter(self.required_claims);
        if let Some(profile) = profile {
            required_claims.extend(profile.required_claims().iter().map(|name| (*name).to_owned()));
        }
        let rules = TokenRules {
            algorithms: self.algorithms,
            type_optional: self.types.is_none() && profile != Some(Profile::AccessToken),
            types: match (self.types, profile) {
                (Some(types), _) => types,
                (None, Some(profile)) => vec![profile.token_type().to_owned()],
                (None, None) => ["JWT", "at+jwt"].map(str::to_owned).to_vec(),
            },
            issuers,
            audiences,
            subjects: self.subjects,
            holder_required: !self.dangers.contains(&Danger::AnyHolder),
            max_age: self.max_age,
            max_lifetime: self.max_lifetime,
            checks: self.checks.0,
            leeway: self.leeway,
            expiration_required: !self.dangers.contains(&Danger::NoExpiration),
            wanted: WantedClaims {
                required: required_claims.into_iter().collect(),
                audience: self.audience_claim.filter(|name| name != "aud"),
                authorized_party: profile == Some(Profile::IdToken),
            },
        };
        let policy = Policy::new().max_bytes(self.max_bytes);
        let is_padded = self.dangers.contains(&Danger::PaddedBase64url);
        Ok(JwtVerifier {
            keys: self.keys,
            clock: self.clock,
            rules,
            policy: if is_padded { policy.danger_padded_base64url() } else { policy },
            known: KnownHeaders::default(),
            max_candidates: self.max_candidates,
            #[cfg(feature = "token-cache")]
            verdicts: self.token_cache.map(TokenCache::build).transpose()?,
            #[cfg(feature = "token-cache")]
            observer: self.observer,
        })
    }

    /// The one profile that was asked for, if nothing takes a part of it back.
    fn profile(&self) -> Result<Option<Profile>, ConfigError> {
        let Some(profile) = self.profiles.first().copied() else { return Ok(None) };
        if let Some(other) = self.profiles.iter().find(|other| **other != profile) {
            return Err(ConfigError::new(other.setting(), format!("is set beside `{}`", profile.setting())));
        }
        for (setting, is_set) in [("types", self.types.is_some()), ("audience_claim", self.audience_claim.is_some())] {
            if is_set {
                return Err(ConfigError::new(setting, format!("is set beside `{}`", profile.setting())));
            }
        }
        let takes_a_part_back =
            |danger: &&Danger| matches!(danger, Danger::AnyIssuer | Danger::AnyAudience | Danger::NoExpiration);
        match self.dangers.iter().find(takes_a_part_back) {
            Some(danger) => {
                Err(ConfigError::new(profile.setting(), format!("is set, and `Danger::{danger:?}` is said")))
            }
            None => Ok(Some(profile)),
        }
    }
}

/// Why a claim cannot stand for the audience.
fn no_audience_claim(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("is empty"),
        "iss" | "sub" | "exp" | "nbf" | "iat" | "jti" | "scope" | "scp" | "cnf" | "events" => {
            Some("names a claim that has a meaning of its own")
        }
        _ => None,
    }
}

fn not_of_the_keys(keys: Vec<Algorithm>) -> String {
    let names: BTreeSet<_> = keys.iter().map(|key| key.name()).collect();
    let names: Vec<_> = names.into_iter().collect();
    format!("none is that of a key ({}): no token could be taken", names.join(", "))
}

fn named_or_dangerous(
    names: Vec<String>,
    setting: &'static str,
    danger: Danger,
    dangerous: bool,
) -> Result<Option<Vec<String>>, ConfigError> {
    if names.iter().any(String::is_empty) {
        return Err(ConfigError::new(setting, "is empty"));
    }
    match (names.is_empty(), dangerous) {
        (false, false) => Ok(Some(names)),
        (true, true) => Ok(None),
        (true, false) => Err(ConfigError::new(setting, format!("is not set, and `Danger::{danger:?}` is not said"))),
        (false, true) => Err(ConfigError::new(setting, format!("is set, and `Danger::{danger:?}` is said"))),
    }
}
