use super::IssueError;
use crate::base64url;
use crate::claims::ClaimsError;
use crate::clock::since_epoch;
use crate::crypto::default_backend;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt;
use std::time::{Duration, SystemTime};

/// The names that the builder writes. Own claims cannot set them behind its back.
const OURS: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// What a token shall say. It needs a lifetime.
///
/// `iat` is the time of signing, `exp` follows from the lifetime, and `jti` is 128 random bits.
///
/// ```
/// use countersign::issue::{Claims, JwtSigner};
/// use countersign::{Algorithm, SigningKey};
/// use std::time::Duration;
///
/// let signer = JwtSigner::new(SigningKey::generate(Algorithm::ES256)?);
/// let claims = Claims::new("https://issuer.example/")
///     .subject("7")
///     .audience("my-api")
///     .lifetime(Duration::from_secs(600))
///     .with(&serde_json::json!({ "scope": "posts:read" }))?;
/// let token = signer.issue(&claims)?;
/// # let _ = token;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Claims {
    issuer: String,
    subject: Option<String>,
    audience: Vec<String>,
    lifetime: Option<Duration>,
    not_before: Option<Duration>,
    token_id: TokenId,
    own: Map<String, Value>,
    is_endless: bool,
}

#[derive(Clone)]
enum TokenId {
    Random,
    Given(String),
}

impl Claims {
    /// Claims of this issuer: `iss`.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            subject: None,
            audience: Vec::new(),
            lifetime: None,
            not_before: None,
            token_id: TokenId::Random,
            own: Map::new(),
            is_endless: false,
        }
    }

    /// Whom the token is about: `sub`.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Whom the token is for: `aud`. May be called several times.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// How long the token is good, from its signing on, in whole seconds, one at least: `exp`.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// How long after its signing the token becomes good, in whole seconds, less than its lifetime: `nbf`.
    pub fn not_before(mut self, delay: Duration) -> Self {
        self.not_before = Some(delay);
        self
    }

    /// The token's id, instead of 128 random bits: `jti`.
    pub fn token_id(mut self, token_id: impl Into<String>) -> Self {
        self.token_id = TokenId::Given(token_id.into());
        self
    }

    /// Claims of one's own, beside the registered ones. Of two with one name the later stands.
    ///
    /// # Errors
    /// [`IssueError::Claims`] when they are no JSON object, or name one of `iss`, `sub`, `aud`, `exp`, `nbf`, `iat` and
    /// `jti`, which have methods of their own.
    pub fn with(mut self, own: &impl Serialize) -> Result<Self, IssueError> {
        let own = serde_json::to_value(own).map_err(ClaimsError::unwritable)?;
        let Value::Object(own) = own else { return Err(ClaimsError::refused("not a JSON object").into()) };
        if own.keys().any(|name| OURS.contains(&name.as_str())) {
            return Err(ClaimsError::refused("a registered claim that has a method of its own").into());
        }
        self.own.extend(own);
        Ok(self)
    }

    /// Allows a token that never expires: whoever gets hold of it has it for good.
    pub fn danger_no_expiration(mut self) -> Self {
        self.is_endless = true;
        self
    }

    /// Whether they say anything: an empty name names nobody, and a token that ends as it begins, or before, is never
    /// good.
    fn check(&self) -> Result<(), ClaimsError> {
        let has_empty = |texts: &[String]| texts.iter().any(String::is_empty);
        let is_over = |(delay, lifetime): (Duration, Duration)| delay.as_secs() >= lifetime.as_secs();
        let problem = if self.issuer.is_empty() {
            "`iss` is empty"
        } else if has_empty(self.subject.as_slice()) {
            "`sub` is empty"
        } else if has_empty(&self.audience) {
            "`aud` is empty"
        } else if matches!(&self.token_id, TokenId::Given(token_id) if token_id.is_empty()) {
            "`jti` is empty"
        } else if self.lifetime.is_some_and(|lifetime| lifetime.as_secs() == 0) {
            "the lifetime is shorter than a second"
        } else if self.not_before.zip(self.lifetime).is_some_and(is_over) {
            "the token ends before it becomes good"
        } else {
            return Ok(());
        };
        Err(ClaimsError::refused(problem))
    }

    /// The claims set of a token that is signed `now`.
    pub(super) fn at(&self, now: SystemTime) -> Result<Value, IssueError> {
        self.check()?;
        let now = since_epoch(now).as_secs();
        let mut claims = self.own.clone();
        claims.insert("iss".into(), json!(self.issuer));
        claims.insert("iat".into(), json!(now));
        claims.insert("jti".into(), json!(self.token_id.text()?));
        if let Some(subject) = &self.subject {
            claims.insert("sub".into(), json!(subject));
        }
        match self.audience.as_slice() {
            [] => {}
            [one] => drop(claims.insert("aud".into(), json!(one))),
            many => drop(claims.insert("aud".into(), json!(many))),
        }
        match self.lifetime {
            Some(lifetime) => {
                claims.insert("exp".into(), json!(now.saturating_add(lifetime.as_secs())));
            }
            None if self.is_endless => {}
            None => return Err(IssueError::NoLifetime),
        }
        if let Some(delay) = self.not_before {
            claims.insert("nbf".into(), json!(now.saturating_add(delay.as_secs())));
        }
        Ok(Value::Object(claims))
    }
}

impl TokenId {
    fn text(&self) -> Result<String, IssueError> {
        match self {
            Self::Given(token_id) => Ok(token_id.clone()),
            Self::Random => {
                let mut octets = [0; 16];
                default_backend()?.random(&mut octets)?;
                Ok(base64url::encode(&octets))
            }
        }
    }
}

/// Shows no claim.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}
