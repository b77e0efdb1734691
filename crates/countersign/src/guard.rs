//! Extractors, verifier, revocation and authorizer in one: what an adapter asks about each request.

mod check;
mod fingerprint;
mod gate;
mod late;
mod parts;
mod preflight;
mod proving;
mod resource;
mod screening;
mod tenure;

pub use check::Check;
pub use gate::Gate;
pub use late::HandOver;
pub use screening::Screening;
pub use tenure::{Lease, Limit, Tenure};

use late::Late;
use parts::Parts;

use crate::authorize::{Authorizer, Requirement, Requires, ScopeAuthorizer};
use crate::challenge::check_text;
use crate::changes::Changes;
use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;
use crate::denial::{BodyStyle, CorrelationId, Denial, Presentation, Renderer};
use crate::extract::{CSRF_FIELD, HeaderExtractor, Place, TokenExtractor, is_token};
use crate::observe::{NoObserver, Observer};
use crate::provider::Unavailable;
use crate::reason::Reason;
use crate::resource_metadata::ResourceMetadata;
use crate::revocation::RevocationCheck;
use crate::token::VerifiedToken;
use crate::verifier::{TokenVerifier, VerifyError};
use std::fmt;
use std::sync::Arc;

/// What is known of a request's sender. Whether "nobody" will do is for the asker to say. Exhaustive on purpose: a caller
/// that forgets a case must not compile.
///
/// ```
/// use countersign::screening::Verdict;
///
/// fn greeting(verdict: &Verdict) -> String {
///     match verdict {
///         Verdict::Anonymous => "Welcome.".to_owned(),
///         Verdict::Verified(token) => format!("Welcome, {}.", token.subject().unwrap_or("whoever you are")),
///         // Bad credentials are no missing ones: this is an answer, and not a greeting.
///         Verdict::Refused(denial) => format!("{}", denial.status()),
///     }
/// }
/// # assert_eq!(greeting(&Verdict::Anonymous), "Welcome.");
/// ```
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
pub struct Guard(Wiring);

#[derive(Clone)]
enum Wiring {
    Fixed(Arc<Parts>),
    Late(Arc<Late>),
}

/// Why a request has no verified token: a verdict that has not been rendered and told yet.
enum NoToken {
    Anonymous,
    Refused(Refusal),
}

/// Why a request is refused, and what went wrong behind it.
struct Refusal {
    reason: Reason,
    cause: Unavailable,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, cause: Unavailable::default() }
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Rejected(rejection) => Reason::Rejected(rejection).into(),
            VerifyError::Unavailable(cause) => Self { reason: Reason::KeysUnavailable, cause },
        }
    }
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
            clock: Box::new(SystemClock::new()),
            correlation_header: "x-request-id".into(),
            realm: None,
            scope: None,
            resource_metadata: None,
            protected_resource: None,
            body: Arc::new(BodyStyle::default()),
            public_scopes: false,
            pass_preflight: false,
        }
    }

    /// A check of this guard, for one route or many.
    ///
    /// # Errors
    /// [`ConfigError`] when the requirement names nothing, or names what the authorizer cannot judge.
    pub fn check(&self, requirement: Requirement) -> Result<Check, ConfigError> {
        requirement.check_names()?;
        self.parts().authorizer.accepts(&requirement)?;
        let check = Check::new(self.clone(), requirement);
        if let Wiring::Late(late) = &self.0 {
            late.declare(check.shared_requirement())?;
        }
        Ok(check)
    }

    /// Declares that handlers require `R` in their signatures, so that names which the authorizer does not know are found
    /// now, and in each guard that is [handed over](Self::later) afterwards.
    ///
    /// # Errors
    /// As of [`check`](Self::check).
    ///
    /// ```
    /// use countersign::authorize::{Requirement, Requires, scopes};
    /// use countersign::{ConfigError, Guard};
    ///
    /// struct WritePosts;
    /// impl Requires for WritePosts {
    ///     fn requirement() -> Requirement { scopes(["posts:write"]) }
    /// }
    ///
    /// fn start(guard: &Guard) -> Result<(), ConfigError> {
    ///     guard.declare::<WritePosts>()
    /// }
    /// ```
    pub fn declare<R: Requires>(&self) -> Result<(), ConfigError> {
        self.declare_for_good(R::requirement())
    }

    pub(crate) fn declare_for_good(&self, requirement: Requirement) -> Result<(), ConfigError> {
        let check = self.check(requirement)?;
        if let Wiring::Late(late) = &self.0 {
            late.keep(check.shared_requirement());
        }
        Ok(())
    }

    /// A check that asks for a valid token and no more.
    #[must_use]
    pub fn check_authenticated(&self) -> Check {
        Check::new(self.clone(), Requirement::Authenticated)
    }

    /// Whether both are clones of one guard.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Wiring::Fixed(own), Wiring::Fixed(other)) => Arc::ptr_eq(own, other),
            (Wiring::Late(own), Wiring::Late(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }

    /// Where its extractors look, each place once.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.parts().places()
    }

    /// What it is made of at the moment.
    fn parts(&self) -> Arc<Parts> {
        match &self.0 {
            Wiring::Fixed(parts) => Arc::clone(parts),
            Wiring::Late(late) => late.current(),
        }
    }

    /// What is told of each guard that is handed over; `None` where none can be.
    fn hand_overs(&self) -> Option<&Changes> {
        match &self.0 {
            Wiring::Fixed(_) => None,
            Wiring::Late(late) => Some(&late.hand_overs),
        }
    }

    /// A refusal in this guard's manner, told to its observer, for code that refuses for reasons of its own. Its
    /// correlation id is a random one.
    #[must_use]
    pub fn refuse(&self, reason: Reason) -> Denial {
        let parts = self.parts();
        let denial = parts.deny(reason.into(), &[], CorrelationId::random());
        parts.tell_refused(&denial);
        denial
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        f.debug_struct("Guard")
            .field("extractors", &parts.extractors)
            .field("verifier", &parts.verifier)
            .field("revocation", &parts.revocation)
            .field("authorizer", &parts.authorizer)
            .finish_non_exhaustive()
    }
}

/// The fields that HTTP keeps for credentials (RFC 9110 §11, RFC 6265 §4.2), the one in which WebSockets may carry them, and
/// the one of anti-CSRF tokens.
const HOLD_CREDENTIALS: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "sec-websocket-protocol", CSRF_FIELD];

/// Sets a [`Guard`] up.
///
/// A service for browsers and programs, which tells its clients what they lack:
///
/// ```
/// use countersign::authorize::ScopeAuthorizer;
/// use countersign::extract::{CookieExtractor, HeaderExtractor};
/// use countersign::revocation::MemoryDenylist;
/// use countersign::screening::BodyStyle;
/// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
///
/// # let key = SigningKey::generate(Algorithm::ES256)?;
/// # let verifier = JwtVerifier::builder(key.verifying_key().clone())
/// #     .issuer("https://issuer.example/").audience("my-api").build()?;
/// let guard = Guard::builder(verifier)
///     .extractor(HeaderExtractor::bearer())
///     .extractor(CookieExtractor::new("__Host-session")?.origin("https://app.example")?)
///     .revocation(MemoryDenylist::new())
///     .authorizer(ScopeAuthorizer)
///     .realm("my-api")
///     .body(BodyStyle::Plain)
///     .public_scopes()
///     .correlation_header("X-Trace-Id")
///     .build()?;
/// # let _ = guard;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct GuardBuilder {
    extractors: Vec<Box<dyn TokenExtractor>>,
    first_wins: bool,
    verifier: Box<dyn TokenVerifier>,
    revocation: Option<Box<dyn RevocationCheck>>,
    authorizer: Box<dyn Authorizer>,
    observer: Box<dyn Observer>,
    clock: Box<dyn Clock>,
    correlation_header: String,
    realm: Option<String>,
    scope: Option<String>,
    resource_metadata: Option<String>,
    protected_resource: Option<ResourceMetadata>,
    body: Arc<dyn Renderer>,
    public_scopes: bool,
    pass_preflight: bool,
}

impl GuardBuilder {
    /// Where to look for the credential, instead of `Authorization: Bearer …`. May be called several times; every
    /// source is looked at, and different credentials in one request are refused.
    ///
    /// ```
    /// use countersign::extract::HeaderExtractor;
    /// use countersign::request::RequestView;
    /// use countersign::screening::Screening;
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// let guard = Guard::builder(verifier)
    ///     .extractor(HeaderExtractor::bearer())
    ///     .extractor(HeaderExtractor::new("x-device-token")?)
    ///     .build()?;
    ///
    /// // Two tokens: which of them counts, nobody can tell.
    /// let headers = [("authorization", "Bearer one"), ("x-device-token", "two")];
    /// let request = RequestView::new("GET", "/posts", None, &headers);
    /// let answer = Screening::enter(&guard, None).require_now(&request).expect("nothing to wait for");
    /// assert_eq!(answer.unwrap_err().status(), 400);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn extractor(mut self, extractor: impl TokenExtractor) -> Self {
        self.extractors.push(Box::new(extractor));
        self
    }

    /// Takes the first credential found, in the order in which the extractors were named, and looks no further.
    ///
    /// This is how two others look, so that their clients need not change:
    ///
    /// - the Flask extension asks its extractors in the order of their list: name them in that order;
    /// - Flama looks into its header field, and into its cookie only where the request has no such field: name the
    ///   [`HeaderExtractor`] first, then the [`CookieExtractor`](crate::extract::CookieExtractor).
    ///
    /// A source that is malformed ends the request (400), whatever stands in the next, and so it does in Flama. Where a header
    /// field has another scheme than the extractor's, the next source is asked; there Flama answers 400 too.
    ///
    /// ```
    /// use countersign::extract::{CookieExtractor, HeaderExtractor};
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// // A client that sends both is judged by its header field.
    /// let guard = Guard::builder(verifier)
    ///     .extractor(HeaderExtractor::bearer())
    ///     .extractor(CookieExtractor::new("__Host-session")?.origin("https://app.example")?)
    ///     .first_wins()
    ///     .build()?;
    /// # let _ = guard;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn first_wins(mut self) -> Self {
        self.first_wins = true;
        self
    }

    /// Asks whether verified tokens have been revoked.
    ///
    /// ```
    /// use countersign::revocation::MemoryDenylist;
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    /// use std::sync::Arc;
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// let denylist = Arc::new(MemoryDenylist::new());
    /// let guard = Guard::builder(verifier).revocation(Arc::clone(&denylist)).build()?;
    ///
    /// // Where somebody logs out: until the token would have expired anyway.
    /// let until = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    /// denylist.revoke_token("https://issuer.example/", "a-token-id", until);
    /// # let _ = guard;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn revocation(mut self, revocation: impl RevocationCheck) -> Self {
        self.revocation = Some(Box::new(revocation));
        self
    }

    /// Asks whether verified tokens meet the requirements of routes. Without one, only scopes can be required.
    ///
    /// ```
    /// use countersign::authorize::policy::{deny_overrides, policy_fn};
    /// use countersign::authorize::{ScopeAuthorizer, action, scopes};
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// let staff = policy_fn("staff", |request| request.token.issuer() == Some("https://staff.example/"));
    /// let reports = deny_overrides("reports", ["reports:read"]).allow_if(staff).build()?;
    ///
    /// // A tuple is an authorizer: each judges what it knows.
    /// let guard = Guard::builder(verifier).authorizer((ScopeAuthorizer, reports)).build()?;
    /// assert!(guard.check(scopes(["reports"]).and(action("reports:read"))).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Box::new(authorizer);
        self
    }

    /// Tells what happens: each verdict once, and each refusal.
    ///
    /// ```
    /// use countersign::observe::{Event, Observer};
    /// use countersign::request::RequestView;
    /// use countersign::screening::Screening;
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// #[derive(Debug, Default)]
    /// struct Refusals(AtomicUsize);
    /// impl Observer for Refusals {
    ///     fn observe(&self, event: &Event<'_>) {
    ///         if let Event::Refused { .. } = event {
    ///             self.0.fetch_add(1, Ordering::Relaxed);
    ///         }
    ///     }
    /// }
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// let refusals = Arc::new(Refusals::default());
    /// let guard = Guard::builder(verifier).observer(Arc::clone(&refusals)).build()?;
    ///
    /// let headers = [("authorization", "Bearer no-token-at-all")];
    /// let request = RequestView::new("GET", "/posts", None, &headers);
    /// let _ = Screening::enter(&guard, None).require_now(&request);
    /// assert_eq!(refusals.0.load(Ordering::Relaxed), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Measures by this clock how long verdicts take and when a [`Tenure`] ends, instead of the system's: the verifier's, where
    /// that has one of its own.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The request header field that holds the request's id, instead of `X-Request-Id`.
    ///
    /// Where a request has the field once, with 1 to 128 ASCII letters, digits, `-`, `_`, `.` and `:`, its refusal has that
    /// value as its [correlation id](Denial::correlation_id); elsewhere, a random one of 16 hexadecimal digits. The field
    /// is the sender's to write, unless something in front of the service writes it. It must hold no secret: the fields of
    /// HTTP and of the extractors are refused, and so is `X-CSRF-Token`.
    ///
    /// ```
    /// use countersign::request::RequestView;
    /// use countersign::screening::Screening;
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = || JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build();
    /// let guard = Guard::builder(verifier()?).correlation_header("X-Trace-Id").build()?;
    ///
    /// let headers = [("x-trace-id", "r-2026-7")];
    /// let request = RequestView::new("GET", "/posts", None, &headers);
    /// let answer = Screening::enter(&guard, None).require_now(&request).expect("nothing to wait for");
    /// assert_eq!(answer.unwrap_err().correlation_id(), "r-2026-7");
    ///
    /// assert!(Guard::builder(verifier()?).correlation_header("Cookie").build().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn correlation_header(mut self, name: impl Into<String>) -> Self {
        self.correlation_header = name.into();
        self
    }

    /// The `realm` of challenges (RFC 9110 §11.5).
    ///
    /// ```
    /// use countersign::request::RequestView;
    /// use countersign::screening::Screening;
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// let guard = Guard::builder(verifier).realm("my-api").scope("posts:read").build()?;
    ///
    /// let nobody = RequestView::new("GET", "/posts", None, &[("accept", "*/*")]);
    /// let denial = Screening::enter(&guard, None).want_of_credentials(&nobody);
    /// assert_eq!(denial.challenges().next(), Some(r#"Bearer realm="my-api", scope="posts:read""#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The `scope` of challenges (RFC 6750 §3): what a client should ask for.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The `resource_metadata` of challenges (RFC 9728 §5.1): the `https` URL of this resource's metadata, where something
    /// else serves them. Else see [`protected_resource`](Self::protected_resource).
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// How bodies are written: a [`BodyStyle`], which is [`Problem`](BodyStyle::Problem) unless said otherwise, or a
    /// [`Renderer`] of the application's own.
    ///
    /// ```
    /// use countersign::request::RequestView;
    /// use countersign::screening::{BodyStyle, Screening};
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// let guard = Guard::builder(verifier).body(BodyStyle::Empty).build()?;
    ///
    /// let nobody = RequestView::new("GET", "/posts", None, &[("accept", "*/*")]);
    /// let denial = Screening::enter(&guard, None).want_of_credentials(&nobody);
    /// assert_eq!((denial.status(), denial.content_type()), (401, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn body(mut self, renderer: impl Renderer) -> Self {
        self.body = Arc::new(renderer);
        self
    }

    /// Tells clients which scopes a route asks for when theirs do not suffice. Roles and permissions are never told.
    ///
    /// ```
    /// use countersign::authorize::scopes;
    /// use countersign::issue::JwtSigner;
    /// use countersign::request::RequestView;
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// # let token = JwtSigner::new(key).sign(&serde_json::json!({"iss": "i", "aud": "a", "sub": "7", "exp": 4_000_000_000_u32}))?;
    /// # let authorization = format!("Bearer {token}");
    /// let guard = Guard::builder(verifier).public_scopes().build()?;
    /// let write = guard.check(scopes(["posts:write"]))?;
    ///
    /// let headers = [("authorization", authorization.as_str())]; // a good token without that scope
    /// let request = RequestView::new("POST", "/posts", None, &headers);
    /// let answer = write.judge_now(&write.screening(None), &request).expect("a local key needs no waiting");
    /// let denial = answer.unwrap_err();
    /// assert_eq!(denial.status(), 403);
    /// assert!(denial.challenges().any(|challenge| challenge.contains(r#"scope="posts:write""#)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn public_scopes(mut self) -> Self {
        self.public_scopes = true;
        self
    }

    /// The guard.
    ///
    /// # Errors
    /// [`ConfigError`] that names the setting: a challenge parameter that a header field cannot carry, metadata at no `https`
    /// URL or at two, Basic without a realm, or a correlation header that is no field name or one that holds credentials.
    ///
    /// ```
    /// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    ///
    /// # let key = SigningKey::generate(Algorithm::ES256)?;
    /// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
    /// let error = Guard::builder(verifier).realm("two\nlines").build().unwrap_err();
    /// assert_eq!(error.setting(), "realm");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let (resource_metadata, protected_resource) =
            Self::described(self.resource_metadata, self.protected_resource, &self.extractors)?;
        for (setting, value) in [("realm", &self.realm), ("scope", &self.scope)] {
            check_text(setting, value.as_deref().unwrap_or_default())?;
        }
        if self.realm.is_none() && schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic")) {
            return Err(ConfigError::new("realm", "is not set: the Basic scheme demands one"));
        }
        let correlation_header = self.correlation_header.to_ascii_lowercase();
        if !is_token(&correlation_header) {
            return Err(ConfigError::new("correlation_header", "not a field name"));
        }
        let mut own = self.extractors.iter().filter_map(|extractor| extractor.field());
        if HOLD_CREDENTIALS.contains(&correlation_header.as_str()) || own.any(|field| field == correlation_header) {
            return Err(ConfigError::new("correlation_header", "holds credentials, which must not be logged"));
        }
        let presentation =
            Presentation { schemes, realm: self.realm, scope: self.scope, resource_metadata, body: self.body };
        let told = self.revocation.as_ref().and_then(RevocationCheck::changes);
        let changes = Changes::any_of(told.into_iter().chain(self.verifier.changes()));
        Ok(Guard(Wiring::Fixed(Arc::new(Parts {
            extractors: self.extractors,
            first_wins: self.first_wins,
            verifier: self.verifier,
            revocation: self.revocation,
            changes,
            authorizer: self.authorizer,
            observer: self.observer,
            clock: self.clock,
            correlation_header,
            presentation,
            protected_resource: protected_resource.map(Arc::new),
            public_scopes: self.public_scopes,
            pass_preflight: self.pass_preflight,
            is_wired: true,
        }))))
    }
}

#[cfg(test)]
mod tests;
