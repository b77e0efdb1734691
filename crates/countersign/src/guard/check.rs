use super::parts::Parts;
use super::{Guard, Screening, Verdict};
use crate::authorize::{AccessRequest, Decision, Noted, Requirement, Resource, Why};
use crate::denial::{CorrelationId, Denial};
use crate::observe::{Event, Subject};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::token::VerifiedToken;
use std::sync::Arc;

/// A guard and a requirement: judges requests.
///
/// Made by [`Guard::check`], which has seen to it that the requirement can be judged.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::issue::JwtSigner;
/// use countersign::request::RequestView;
/// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
///
/// # let key = SigningKey::generate(Algorithm::ES256)?;
/// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
/// # let token = JwtSigner::new(key).sign(&serde_json::json!({
/// #     "iss": "i", "aud": "a", "sub": "7", "exp": 4_000_000_000_u32, "scope": "posts:read",
/// # }))?;
/// # let authorization = format!("Bearer {token}");
/// # let headers = [("authorization", authorization.as_str())];
/// let guard = Guard::builder(verifier).build()?;
/// let (read, write) = (guard.check(scopes(["posts:read"]))?, guard.check(scopes(["posts:write"]))?);
///
/// let request = RequestView::new("POST", "/posts", None, &headers); // with the scope `posts:read`
/// let screening = read.screening(None); // both share its verdict: the token is verified once
/// let may = |check: &countersign::screening::Check| check.judge_now(&screening, &request).is_some_and(|answer| answer.is_ok());
/// assert!(may(&read) && !may(&write));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Check {
    guard: Guard,
    requirement: Arc<Requirement>,
    /// Whether nothing is let through unjudged.
    is_strict: bool,
}

impl Check {
    pub(super) fn new(guard: Guard, requirement: Requirement) -> Self {
        Self { guard, requirement: Arc::new(requirement), is_strict: false }
    }

    /// The guard.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Judges preflights too: for a route that names its method, none needs to be let through.
    pub(crate) fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    pub(super) fn is_strict(&self) -> bool {
        self.is_strict
    }

    pub(super) fn shared_requirement(&self) -> &Arc<Requirement> {
        &self.requirement
    }

    /// What is required.
    #[must_use]
    pub fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    /// The screening that [`judge`](Self::judge) wants, for a request that came through `outer`.
    #[must_use]
    pub fn screening(&self, outer: Option<&Screening>) -> Screening {
        Screening::enter(&self.guard, outer)
    }

    /// Judges a request without waiting; `None` where [`judge`](Self::judge) must be asked.
    ///
    /// `Err` carries the answer to send; `Ok`, who asks.
    pub fn judge_now(&self, screening: &Screening, request: &RequestView<'_>) -> Option<Result<VerifiedToken, Denial>> {
        let screening = self.own(screening);
        let token = match token(&screening, request, screening.verdict_now(request)?) {
            Ok(token) => token,
            Err(denial) => return Some(Err(denial)),
        };
        let noted = Noted::default();
        let question = self.question(token).with_request(request).noting(&noted);
        let decision = self.decision_now(screening.parts(), &question)?;
        let answer =
            self.conclude(screening.parts(), &question, &noted, decision, || screening.correlation_id(request));
        if answer.is_ok() {
            screening.note_passed(self);
        }
        Some(answer.map(|()| token.clone()))
    }

    /// Judges a request.
    ///
    /// # Errors
    /// The [`Denial`] to send.
    ///
    /// ```
    /// use countersign::request::RequestView;
    /// use countersign::screening::{Check, Screening};
    /// use countersign::{Denial, VerifiedToken};
    ///
    /// async fn judge(check: &Check, screening: &Screening, request: &RequestView<'_>) -> Result<VerifiedToken, Denial> {
    ///     match check.judge_now(screening, request) {
    ///         Some(answer) => answer, // the keys were at hand: nothing was awaited
    ///         None => check.judge(screening, request).await,
    ///     }
    /// }
    /// ```
    pub async fn judge(&self, screening: &Screening, request: &RequestView<'_>) -> Result<VerifiedToken, Denial> {
        self.judge_on(screening, request, None).await
    }

    /// Judges a request, and what it is about.
    pub(super) async fn judge_on(
        &self,
        screening: &Screening,
        request: &RequestView<'_>,
        resource: Option<Resource<'_>>,
    ) -> Result<VerifiedToken, Denial> {
        let screening = self.own(screening);
        let token = token(&screening, request, screening.verdict(request).await)?;
        let noted = Noted::default();
        let mut question = self.question(token).with_request(request).noting(&noted);
        question.resource = resource;
        let decision = self.decision(screening.parts(), &question).await;
        let answer =
            self.conclude(screening.parts(), &question, &noted, decision, || screening.correlation_id(request));
        if answer.is_ok() && resource.is_none() {
            screening.note_passed(self);
        }
        answer.map(|()| token.clone())
    }

    /// What this check asks about a token: to be asked of it again with the resource that a handler has loaded.
    #[must_use]
    pub fn question<'a>(&'a self, token: &'a VerifiedToken) -> AccessRequest<'a> {
        AccessRequest::new(token, &self.requirement)
    }

    /// Answers a question without waiting; `None` where [`decide`](Self::decide) must be asked. `Err` carries the answer to
    /// send.
    pub fn decide_now(&self, question: &AccessRequest<'_>) -> Option<Result<(), Denial>> {
        let noted = Noted::default();
        let question = question.about(&self.requirement).noting(&noted);
        let parts = self.guard.parts();
        let decision = self.decision_now(&parts, &question)?;
        Some(self.conclude(&parts, &question, &noted, decision, || correlation_id(&parts, &question)))
    }

    /// Answers a question that a handler has about what it has loaded.
    ///
    /// What is required is this check's requirement, whatever the question says. The token is taken as it is: no
    /// credential is looked at here, no time and no revocation. Where the question holds the request, a refusal is found by its id,
    /// elsewhere by a random one.
    ///
    /// # Errors
    /// The [`Denial`] to send: 403, or 503 where nobody can tell.
    ///
    /// ```
    /// use countersign::authorize::policy::{deny_overrides, policy_fn};
    /// use countersign::authorize::{Attribute, Attributes, Resource, action};
    /// use countersign::screening::Check;
    /// use countersign::{Algorithm, ConfigError, Denial, Guard, JwtVerifier, VerifiedToken, VerifyingKey};
    ///
    /// struct Post { id: String, author: String, text: String }
    ///
    /// impl Attributes for Post {
    ///     fn get(&self, name: &str) -> Option<Attribute<'_>> {
    ///         (name == "author").then_some(self.author.as_str().into())
    ///     }
    /// }
    ///
    /// fn set_up(verifier: JwtVerifier) -> Result<Check, ConfigError> {
    ///     // Tokens of one issuer: a subject is unique within its issuer only.
    ///     let own = policy_fn("own", |request| {
    ///         Some(request.resource?.attribute("author")?.as_text()? == request.token.subject()?)
    ///     });
    ///     let posts = deny_overrides("posts", ["posts:read"]).allow_if(own).build()?;
    ///     Guard::builder(verifier).authorizer(posts).build()?.check(action("posts:read"))
    /// }
    ///
    /// // In a handler, which has the token from its framework's extractor and the check from its state.
    /// async fn read(may_read: &Check, token: &VerifiedToken, post: Post) -> Result<String, Denial> {
    ///     let question = may_read.question(token).with_resource(Resource::new("post", &post.id).with_attributes(&post));
    ///     may_read.decide(&question).await?;
    ///     Ok(post.text)
    /// }
    /// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a").build()?;
    /// # let check = set_up(verifier)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn decide(&self, question: &AccessRequest<'_>) -> Result<(), Denial> {
        self.decide_by(&self.guard.parts(), question).await
    }

    pub(super) async fn decide_by(&self, parts: &Parts, question: &AccessRequest<'_>) -> Result<(), Denial> {
        let noted = Noted::default();
        let question = question.about(&self.requirement).noting(&noted);
        let decision = self.decision(parts, &question).await;
        self.conclude(parts, &question, &noted, decision, || correlation_id(parts, &question))
    }

    /// Whoever asks for no more than a valid token asks no authorizer.
    fn decision_now(&self, parts: &Parts, question: &AccessRequest<'_>) -> Option<Decision> {
        match *self.requirement {
            Requirement::Authenticated if parts.is_wired => Some(Decision::Allow),
            _ => parts.authorizer.decide_now(question),
        }
    }

    pub(super) async fn decision(&self, parts: &Parts, question: &AccessRequest<'_>) -> Decision {
        match *self.requirement {
            Requirement::Authenticated if parts.is_wired => Decision::Allow,
            _ => parts.authorizer.decide(question).await,
        }
    }

    /// Tells the decision, and what follows from it. A permission is told with nothing that must be found first.
    pub(super) fn conclude(
        &self,
        parts: &Parts,
        question: &AccessRequest<'_>,
        noted: &Noted,
        decision: Decision,
        correlation_id: impl FnOnce() -> CorrelationId,
    ) -> Result<(), Denial> {
        let Err((reason, scopes)) = self.refusal(parts, decision) else {
            self.tell(parts, question, decision, noted.why(), None);
            return Ok(());
        };
        let correlation_id = correlation_id();
        self.tell(parts, question, decision, decision.why(), Some(correlation_id.as_str()));
        let denial = parts.deny(reason.into(), scopes, correlation_id);
        parts.tell_refused(&denial);
        Err(denial)
    }

    pub(super) fn tell(
        &self,
        parts: &Parts,
        question: &AccessRequest<'_>,
        decision: Decision,
        why: Option<Why>,
        correlation_id: Option<&str>,
    ) {
        let authorizer = &parts.authorizer;
        let trace = match (&*self.requirement, decision) {
            (Requirement::Authenticated, Decision::Allow) => return,
            (_, Decision::Allow) => None,
            _ => Some(authorizer.trace(question).ending_in(decision)),
        };
        parts.observer.observe(&Event::Decision {
            decision,
            why,
            required: &self.requirement,
            version: authorizer.version().as_deref(),
            subject: Subject::new(question.token.issuer(), question.token.subject()),
            correlation_id,
            trace: trace.as_ref(),
        });
    }

    /// What is to be refused, and the scopes to tell.
    fn refusal(&self, parts: &Parts, decision: Decision) -> Result<(), (Reason, &[String])> {
        match decision {
            Decision::Allow => Ok(()),
            Decision::Deny(_) if parts.public_scopes => Err((Reason::NotAllowed, self.requirement.required_scopes())),
            Decision::Deny(_) => Err((Reason::NotAllowed, &[])),
            Decision::Indeterminate(_) => Err((Reason::Undecided, &[])),
        }
    }

    /// A screening by another guard is no screening: its verdict must not count here.
    fn own(&self, screening: &Screening) -> Screening {
        Screening::enter(&self.guard, Some(screening))
    }
}

/// Of a question that was asked outside a screening.
fn correlation_id(parts: &Parts, question: &AccessRequest<'_>) -> CorrelationId {
    question.request.map_or_else(CorrelationId::random, |request| CorrelationId::of(request, &parts.correlation_header))
}

fn token<'v>(
    screening: &Screening,
    request: &RequestView<'_>,
    verdict: &'v Verdict,
) -> Result<&'v VerifiedToken, Denial> {
    match verdict {
        Verdict::Verified(token) => Ok(token),
        Verdict::Refused(denial) => Err(denial.clone()),
        Verdict::Anonymous => Err(screening.refuse_nobody(request)),
    }
}
