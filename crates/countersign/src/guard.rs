//! Extractors, verifier, revocation and authorizer in one: what an adapter asks about each request.

mod check;
mod screening;

pub use check::Check;
pub use screening::Screening;

use crate::authorize::{Authorizer, Requirement, ScopeAuthorizer};
use crate::challenge::check_text;
use crate::config::ConfigError;
use crate::denial::{BodyStyle, Denial, Presentation};
use crate::extract::{ExtractError, HeaderExtractor, TokenExtractor};
use crate::observe::{Event, NoObserver, Observer};
use crate::provider::Unavailable;
use crate::reason::Reason;
use crate::request::{Credential, RequestView};
use crate::revocation::{RevocationCheck, TokenStatus};
use crate::token::VerifiedToken;
use crate::verifier::{TokenVerifier, VerifyError};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a request's sender. Whether "nobody" will do is for the asker to say. Exhaustive on purpose: a caller
/// that forgets a case must not compile.
#[derive(Clone, Debug)]
#[must_use]
pub enum Verdict {
    /// No credentials came.
    Anonymous,
    /// The credentials prove who asks.
    Verified(VerifiedToken),
    /// Credentials came, and they do not count.
    Refused(Denial),
}

/// Answers who asks and whether they may.
///
/// Cloning is cheap, and a clone is the same guard. Adapters add methods that plant it and set requirements:
/// `layer()`, `require(…)`, `protect()`.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::request::RequestView;
/// use countersign::screening::Screening;
/// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let verifier = JwtVerifier::builder(key)
///     .algorithms([Algorithm::HS256])
///     .issuer("https://issuer.example/")
///     .audience("my-api")
///     .build()?;
/// let guard = Guard::builder(verifier).realm("my-api").build()?;
///
/// let check = guard.check(scopes(["posts:read"]))?;
/// let nobody = RequestView::new("GET", "/posts", None, &[("accept", "*/*")]);
/// let screening = check.screening(None);
/// let answer = check.judge_now(&screening, &nobody).expect("nothing to wait for");
/// let denial = answer.unwrap_err();
/// assert_eq!(denial.status(), 401);
/// assert_eq!(denial.challenges().next(), Some(r#"Bearer realm="my-api""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Guard(Arc<Parts>);

struct Parts {
    extractors: Vec<Box<dyn TokenExtractor>>,
    first_wins: bool,
    verifier: Box<dyn TokenVerifier>,
    revocation: Option<Box<dyn RevocationCheck>>,
    authorizer: Box<dyn Authorizer>,
    observer: Box<dyn Observer>,
    presentation: Presentation,
    public_scopes: bool,
}

impl Guard {
    /// A guard that takes `Authorization: Bearer …` and asks `verifier`, until told otherwise.
    pub fn builder(verifier: impl TokenVerifier) -> GuardBuilder {
        GuardBuilder {
            extractors: Vec::new(),
            first_wins: false,
            verifier: Box::new(verifier),
            revocation: None,
            authorizer: Box::new(ScopeAuthorizer),
            observer: Box::new(NoObserver),
            realm: None,
            scope: None,
            resource_metadata: None,
            body: BodyStyle::default(),
            public_scopes: false,
        }
    }

    /// A check of this guard, for one route or many.
    ///
    /// # Errors
    /// [`ConfigError`] when the requirement names nothing, or names what the authorizer cannot judge.
    pub fn check(&self, requirement: Requirement) -> Result<Check, ConfigError> {
        requirement.check_names()?;
        self.0.authorizer.accepts(&requirement)?;
        Ok(Check::new(self.clone(), requirement))
    }

    /// A check that asks for a valid token and no more.
    #[must_use]
    pub fn check_authenticated(&self) -> Check {
        Check::new(self.clone(), Requirement::Authenticated)
    }

    /// Whether both are clones of one guard.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Who the credential proves to ask, before revocation; `None` where [`token`](Self::token) must be asked. `Err` is a
    /// verdict already.
    fn token_now(&self, request: &RequestView<'_>) -> Option<Result<VerifiedToken, Verdict>> {
        let credential = match self.credential(request) {
            Ok(credential) => credential,
            Err(verdict) => return Some(Err(verdict)),
        };
        let answer = self.0.verifier.verify_now(&credential)?;
        Some(answer.map_err(|error| self.refused(error)))
    }

    async fn token(&self, request: &RequestView<'_>) -> Result<VerifiedToken, Verdict> {
        let credential = self.credential(request)?;
        self.0.verifier.verify(&credential).await.map_err(|error| self.refused(error))
    }

    /// The verdict on a token whose signature and claims stand; `None` where [`settle`](Self::settle) must be asked.
    fn settle_now(&self, token: &VerifiedToken) -> Option<Verdict> {
        let status = match &self.0.revocation {
            Some(revocation) => revocation.status_now(token)?,
            None => TokenStatus::Active,
        };
        Some(self.conclude(token, status))
    }

    async fn settle(&self, token: &VerifiedToken) -> Verdict {
        let status = match &self.0.revocation {
            Some(revocation) => revocation.status(token).await,
            None => TokenStatus::Active,
        };
        self.conclude(token, status)
    }

    fn credential<'r>(&self, request: &RequestView<'r>) -> Result<Credential<'r>, Verdict> {
        match self.extract(request) {
            Ok(Some(credential)) => Ok(credential),
            Ok(None) => Err(Verdict::Anonymous),
            Err(reason) => Err(Verdict::Refused(self.refuse(reason))),
        }
    }

    /// A refusal in this guard's manner, told to its observer.
    #[must_use]
    pub fn refuse(&self, reason: Reason) -> Denial {
        self.refuse_with(reason, &[], Unavailable::default())
    }

    fn refuse_with(&self, reason: Reason, missing_scopes: &[String], cause: Unavailable) -> Denial {
        let source = cause.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static));
        self.0.observer.observe(&Event::Refused { reason, correlation_id: "", source });
        Denial::new(&self.0.presentation, reason, missing_scopes, cause.retry_after, cause.source)
    }

    fn refused(&self, error: VerifyError) -> Verdict {
        Verdict::Refused(match error {
            VerifyError::Rejected(rejection) => self.refuse(Reason::Rejected(rejection)),
            VerifyError::Unavailable(cause) => self.refuse_with(Reason::KeysUnavailable, &[], cause),
        })
    }

    fn conclude(&self, token: &VerifiedToken, status: TokenStatus) -> Verdict {
        match status {
            TokenStatus::Active => {
                self.0.observer.observe(&Event::Verification { result: Ok(()), duration: Duration::ZERO });
                Verdict::Verified(token.clone())
            }
            TokenStatus::Revoked => Verdict::Refused(self.refuse(Reason::Revoked)),
            TokenStatus::Unknown => Verdict::Refused(self.refuse(Reason::RevocationUnknown)),
        }
    }

    /// The one credential of the request. All sources are looked at; different credentials are refused, unless the
    /// first one found was said to win.
    fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, Reason> {
        let mut found = None;
        for extractor in &self.0.extractors {
            let credential = extractor.extract(request).map_err(|error| match error {
                ExtractError::Repeated => Reason::SeveralCredentials,
                ExtractError::Malformed => Reason::MalformedRequest,
                ExtractError::CrossSite => Reason::CrossSite,
            })?;
            match (&found, credential) {
                (_, None) => {}
                (None, Some(credential)) if self.0.first_wins => return Ok(Some(credential)),
                (None, Some(credential)) => found = Some(credential),
                (Some(first), Some(second)) if first.expose() == second.expose() => {}
                (Some(_), Some(_)) => return Err(Reason::SeveralCredentials),
            }
        }
        Ok(found)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("extractors", &self.0.extractors)
            .field("verifier", &self.0.verifier)
            .field("revocation", &self.0.revocation)
            .field("authorizer", &self.0.authorizer)
            .finish_non_exhaustive()
    }
}

/// Sets a [`Guard`] up.
#[derive(Debug)]
#[must_use]
pub struct GuardBuilder {
    extractors: Vec<Box<dyn TokenExtractor>>,
    first_wins: bool,
    verifier: Box<dyn TokenVerifier>,
    revocation: Option<Box<dyn RevocationCheck>>,
    authorizer: Box<dyn Authorizer>,
    observer: Box<dyn Observer>,
    realm: Option<String>,
    scope: Option<String>,
    resource_metadata: Option<String>,
    body: BodyStyle,
    public_scopes: bool,
}

impl GuardBuilder {
    /// Where to look for the credential, instead of `Authorization: Bearer …`. May be called several times; every
    /// source is looked at, and different credentials in one request are refused.
    pub fn extractor(mut self, extractor: impl TokenExtractor) -> Self {
        self.extractors.push(Box::new(extractor));
        self
    }

    /// Takes the first credential found, in the order in which the extractors were named, and looks no further.
    pub fn first_wins(mut self) -> Self {
        self.first_wins = true;
        self
    }

    /// Asks whether verified tokens have been revoked.
    pub fn revocation(mut self, revocation: impl RevocationCheck) -> Self {
        self.revocation = Some(Box::new(revocation));
        self
    }

    /// Asks whether verified tokens meet the requirements of routes. Without one, only scopes can be required.
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Box::new(authorizer);
        self
    }

    /// Tells what happens.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// The `realm` of challenges (RFC 9110 §11.5).
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The `scope` of challenges (RFC 6750 §3): what a client should ask for.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The `resource_metadata` of challenges (RFC 9728 §5.1): the URL of this resource's metadata.
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// How bodies are written.
    pub fn body(mut self, style: BodyStyle) -> Self {
        self.body = style;
        self
    }

    /// Tells clients which scopes a route asks for when theirs do not suffice. Roles and permissions are never told.
    pub fn public_scopes(mut self) -> Self {
        self.public_scopes = true;
        self
    }

    /// The guard.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting: a challenge parameter that a header field cannot carry, or Basic
    /// without a realm.
    pub fn build(mut self) -> Result<Guard, ConfigError> {
        if self.extractors.is_empty() {
            self.extractors.push(Box::new(HeaderExtractor::bearer()));
        }
        let mut schemes: Vec<String> = Vec::new();
        for extractor in &self.extractors {
            check_text("extractor", extractor.scheme())?;
            if !schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(extractor.scheme())) {
                schemes.push(extractor.scheme().to_owned());
            }
        }
        for (setting, value) in
            [("realm", &self.realm), ("scope", &self.scope), ("resource_metadata", &self.resource_metadata)]
        {
            check_text(setting, value.as_deref().unwrap_or_default())?;
        }
        if self.realm.is_none() && schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic")) {
            return Err(ConfigError::new("realm", "is not set: the Basic scheme demands one"));
        }
        let presentation = Presentation {
            schemes,
            realm: self.realm,
            scope: self.scope,
            resource_metadata: self.resource_metadata,
            body: self.body,
        };
        Ok(Guard(Arc::new(Parts {
            extractors: self.extractors,
            first_wins: self.first_wins,
            verifier: self.verifier,
            revocation: self.revocation,
            authorizer: self.authorizer,
            observer: self.observer,
            presentation,
            public_scopes: self.public_scopes,
        })))
    }
}

#[cfg(test)]
mod tests;
