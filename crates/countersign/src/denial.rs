//! A refusal, rendered once and for every framework: status, header fields, body.

mod correlation;
mod render;

pub(crate) use correlation::CorrelationId;
pub use render::{BodyStyle, Refused, Rendered, Renderer};

use crate::challenge::Challenge;
use crate::reason::Reason;
use bytes::Bytes;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What every denial of one guard has in common.
#[derive(Clone, Debug)]
pub(crate) struct Presentation {
    pub(crate) schemes: Vec<String>,
    pub(crate) realm: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) resource_metadata: Option<String>,
    pub(crate) body: Arc<dyn Renderer>,
}

impl Presentation {
    /// Of a guard that has not been set up: nothing to tell but the scheme.
    pub(crate) fn bare() -> Self {
        Self {
            schemes: vec!["Bearer".into()],
            realm: None,
            scope: None,
            resource_metadata: None,
            body: Arc::new(BodyStyle::default()),
        }
    }

    fn challenges(&self, reason: Reason, missing_scopes: &[String]) -> Vec<String> {
        let is_challenged = match reason.status() {
            400 | 401 => true,
            403 => reason == Reason::NotAllowed,
            _ => false,
        };
        if !is_challenged {
            return Vec::new();
        }
        self.schemes.iter().map(|scheme| self.challenge(scheme, reason, missing_scopes)).collect()
    }

    fn challenge(&self, scheme: &str, reason: Reason, missing_scopes: &[String]) -> String {
        let mut challenge = Challenge::new(scheme);
        let param = |challenge: Challenge, name: &str, value: Option<&str>| match value {
            Some(value) => challenge.param(name, value),
            None => challenge,
        };
        challenge = param(challenge, "realm", self.realm.as_deref());
        // RFC 7617 §2.1: no errors, and the only charset there is. Everything else that is read follows RFC 6750.
        if scheme.eq_ignore_ascii_case("Basic") {
            return challenge.param("charset", "UTF-8").to_string();
        }
        if let Some(error) = reason.oauth_error() {
            challenge = challenge.param("error", error).param("error_description", reason.description());
        }
        let missing = (!missing_scopes.is_empty()).then(|| missing_scopes.join(" "));
        let scope = if reason == Reason::NotAllowed { missing.as_deref() } else { self.scope.as_deref() };
        challenge = param(challenge, "scope", scope);
        param(challenge, "resource_metadata", self.resource_metadata.as_deref()).to_string()
    }
}

/// A refusal: what the client is told, and why.
///
/// Status, header fields and body are computed once, here, so that every adapter answers alike. Nothing of the
/// request or the token stands in them.
///
/// ```
/// use countersign::{Denial, reason::Reason};
///
/// let denial = Denial::unguarded();
/// assert_eq!((denial.status(), denial.reason()), (500, Reason::Unguarded));
/// assert_eq!(denial.content_type(), Some("application/problem+json"));
/// ```
#[derive(Clone)]
pub struct Denial(Arc<Answer>);

struct Answer {
    reason: Reason,
    challenges: Vec<String>,
    retry_after: Option<u64>,
    content_type: Option<Cow<'static, str>>,
    body: Bytes,
    source: Option<Arc<dyn Error + Send + Sync>>,
    correlation_id: CorrelationId,
}

/// What a client is told to wait where nobody knows better, and the longest that it is told.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

impl Denial {
    pub(crate) fn new(
        presentation: &Presentation,
        reason: Reason,
        missing_scopes: &[String],
        retry_after: Option<Duration>,
        source: Option<Arc<dyn Error + Send + Sync>>,
        correlation_id: CorrelationId,
    ) -> Self {
        let retry_after = (reason.status() == 503).then(|| {
            let wait = retry_after.unwrap_or(RETRY_AFTER_DEFAULT).min(RETRY_AFTER_MAX);
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero())
        });
        let refused = Refused::new(reason, correlation_id.as_str()).with_retry_after(retry_after);
        let (content_type, body) = render::render(&*presentation.body, &refused);
        let challenges = presentation.challenges(reason, missing_scopes);
        Self(Arc::new(Answer { reason, challenges, retry_after, content_type, body, source, correlation_id }))
    }

    /// A handler asked for claims on a route where no guard was planted: 500, a mistake in the server's set-up.
    #[must_use]
    pub fn unguarded() -> Self {
        Self::new(
            &Presentation::bare(),
            Reason::Unguarded,
            &[],
            None,
            Some(Arc::new(NoGuardPlanted)),
            CorrelationId::random(),
        )
    }

    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the request merely brought no credentials: what an optional asker takes for an answer.
    #[must_use]
    pub fn is_for_want_of_credentials(&self) -> bool {
        self.reason() == Reason::NoCredentials
    }

    /// The HTTP status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.reason.status()
    }

    /// Why, for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What this refusal can be found by in the logs: the one that [`Event::Refused`] told. 1 to 128 ASCII letters, digits,
    /// `-`, `_`, `.` and `:`.
    ///
    /// It stands neither in the header fields nor in a body of [`BodyStyle`]: whether clients see it is for the
    /// application to say.
    ///
    /// ```
    /// use countersign::Denial;
    ///
    /// let denial = Denial::unguarded();
    /// assert_eq!(denial.correlation_id().len(), 16);
    /// assert_eq!(denial.clone().correlation_id(), denial.correlation_id());
    /// ```
    ///
    /// [`Event::Refused`]: crate::observe::Event::Refused
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        self.0.correlation_id.as_str()
    }

    /// The values of `WWW-Authenticate`, one for each scheme.
    pub fn challenges(&self) -> impl Iterator<Item = &str> {
        self.0.challenges.iter().map(String::as_str)
    }

    /// The value of `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.0.retry_after
    }

    /// The value of `Content-Type`; `None` where there is no body.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.0.content_type.as_deref()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// Every header field of the answer, in order: lower-case name and value.
    ///
    /// ```
    /// use countersign::request::RequestView;
    /// use countersign::screening::Screening;
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// # let guard = Guard::builder(verifier).realm("my-api").build()?;
    /// # let nobody = RequestView::new("GET", "/posts", None, &[("accept", "*/*")]);
    /// let denial = Screening::enter(&guard, None).want_of_credentials(&nobody);
    /// let names: Vec<_> = denial.headers().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["www-authenticate", "content-type", "cache-control"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let challenges = self.challenges().map(|challenge| ("www-authenticate", challenge.to_owned()));
        let content_type = self.content_type().map(|value| ("content-type", value.to_owned()));
        let retry_after = self.retry_after().map(|seconds| ("retry-after", seconds.to_string()));
        challenges.chain(content_type).chain([("cache-control", "no-store".to_owned())]).chain(retry_after)
    }
}

/// What the log of a server that was set up wrongly should say.
#[derive(Debug, thiserror::Error)]
#[error("a handler asks for claims where no guard is planted: add the guard's `layer()` around the route")]
struct NoGuardPlanted;

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial").field("status", &self.status()).field("reason", &self.reason()).finish()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}: {}", self.status(), self.reason())
    }
}

impl Error for Denial {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests;
