use super::parts::{Parts, Verified};
use super::tenure::Passed;
use super::{Check, Guard, NoToken, Verdict};
use crate::authorize::Requirement;
use crate::denial::{CorrelationId, Denial};
use crate::reason::Reason;
use crate::request::{RequestView, SentToken};
use crate::token::VerifiedToken;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One request before one guard: holds the verdict once it is reached.
///
/// Adapters keep it with the request. Every check and every extractor that asks the same guard about the same
/// request shares one verdict; another guard's verdict never stands in for it.
///
/// ```
/// use countersign::request::RequestView;
/// use countersign::screening::Screening;
/// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
///
/// # let key = SigningKey::generate(Algorithm::ES256)?;
/// # let verifier = || JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build();
/// let (outer, inner) = (Guard::builder(verifier()?).build()?, Guard::builder(verifier()?).build()?);
///
/// // A layer of `outer` makes it, one of `inner` behind it makes another: neither verdict stands in for the other.
/// let first = Screening::enter(&outer, None);
/// let second = Screening::enter(&inner, Some(&first));
/// assert!(second.guard().is_same_as(&inner));
///
/// let nobody = RequestView::new("GET", "/posts", None, &[("accept", "*/*")]);
/// assert!(matches!(second.optional_now(&nobody), Some(Ok(None))));
/// assert!(matches!(second.require_now(&nobody), Some(Err(denial)) if denial.status() == 401));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Screening(Arc<Screened>);

/// One allocation for each guard that meets a request.
#[derive(Debug)]
struct Screened {
    judging: Judging,
    /// The guards planted further out.
    outer: Option<Screening>,
}

#[derive(Debug)]
enum Judging {
    First(Progress),
    /// By a guard that stands further out too, with another one between: what it finds is shared with that screening, which
    /// is a first one.
    Again(Screening),
}

/// How far one guard has got with one request.
#[derive(Debug)]
struct Progress {
    guard: Guard,
    /// What the guard was made of when the request came: one that is replaced meanwhile judges it to the end.
    parts: Arc<Parts>,
    /// Verified, whether or not revocation has been asked yet.
    token: OnceLock<Verified>,
    verdict: OnceLock<Verdict>,
    /// The refusal of a request without credentials, where somebody had to be there, and whether it has been told.
    nobody: OnceLock<Denial>,
    nobody_told: AtomicBool,
    /// Found when the first refusal needs it.
    correlation_id: OnceLock<CorrelationId>,
    /// What was required of the request and met: asked again while its connection lasts.
    passed: Passed,
}

impl Progress {
    fn new(guard: &Guard) -> Self {
        Self {
            guard: guard.clone(),
            parts: guard.parts(),
            token: OnceLock::new(),
            verdict: OnceLock::new(),
            nobody: OnceLock::new(),
            nobody_told: AtomicBool::new(false),
            correlation_id: OnceLock::new(),
            passed: Passed::default(),
        }
    }
}

impl Screening {
    /// The screening by `guard` of a request that came through `outer`: an earlier one of the same guard, or a new
    /// one.
    #[must_use]
    pub fn enter(guard: &Guard, outer: Option<&Self>) -> Self {
        let earlier = std::iter::successors(outer, |screening| screening.0.outer.as_ref())
            .find(|screening| screening.guard().is_same_as(guard));
        let judging = match (earlier, outer) {
            // The innermost guard is the one that handlers ask.
            (Some(earlier), Some(innermost)) if std::ptr::eq(earlier, innermost) => return earlier.clone(),
            (Some(earlier), _) => Judging::Again(earlier.first().clone()),
            (None, _) => Judging::First(Progress::new(guard)),
        };
        Self(Arc::new(Screened { judging, outer: outer.cloned() }))
    }

    /// The screening that holds the progress of this one.
    fn first(&self) -> &Self {
        match &self.0.judging {
            Judging::First(_) => self,
            Judging::Again(first) => first,
        }
    }

    fn progress(&self) -> &Progress {
        match &self.0.judging {
            Judging::First(progress) => progress,
            Judging::Again(first) => first.progress(),
        }
    }

    /// The guard.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.progress().guard
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.progress().parts
    }

    /// The verdict, reached without waiting; `None` where [`verdict`](Self::verdict) must be asked.
    pub fn verdict_now(&self, request: &RequestView<'_>) -> Option<&Verdict> {
        let progress @ Progress { parts, .. } = self.progress();
        if let Some(verdict) = progress.verdict.get() {
            return Some(verdict);
        }
        let started = parts.clock.monotonic();
        let Verified { token, .. } = match progress.token.get() {
            Some(verified) => verified,
            None => match parts.token_now(request)? {
                Ok(verified) => progress.token.get_or_init(|| verified),
                Err(nobody) => return Some(self.reach(request, Err(nobody), started)),
            },
        };
        let found = parts.settle_now(token)?;
        Some(self.reach(request, found, started))
    }

    /// The verdict. `request` must be the one that this screening was made for.
    pub async fn verdict(&self, request: &RequestView<'_>) -> &Verdict {
        let progress @ Progress { parts, .. } = self.progress();
        if let Some(verdict) = progress.verdict.get() {
            return verdict;
        }
        let started = parts.clock.monotonic();
        let Verified { token, .. } = match progress.token.get() {
            Some(verified) => verified,
            None => match parts.token(request).await {
                Ok(verified) => progress.token.get_or_init(|| verified),
                Err(nobody) => return self.reach(request, Err(nobody), started),
            },
        };
        let found = parts.settle(token).await;
        self.reach(request, found, started)
    }

    /// Keeps what was found as the verdict and tells it, unless another asker was faster.
    fn reach(&self, request: &RequestView<'_>, found: Result<VerifiedToken, NoToken>, started: Duration) -> &Verdict {
        let progress @ Progress { parts, .. } = self.progress();
        let mut is_first = false;
        let verdict = progress.verdict.get_or_init(|| {
            is_first = true;
            match found {
                Ok(token) => Verdict::Verified(token),
                Err(NoToken::Anonymous) => Verdict::Anonymous,
                Err(NoToken::Refused(refusal)) => {
                    Verdict::Refused(parts.deny(refusal, &[], self.correlation_id(request)))
                }
            }
        });
        if is_first {
            parts.tell_verdict(verdict, parts.clock.monotonic().saturating_sub(started));
        }
        verdict
    }

    pub(super) fn correlation_id(&self, request: &RequestView<'_>) -> CorrelationId {
        let progress @ Progress { parts, .. } = self.progress();
        progress.correlation_id.get_or_init(|| CorrelationId::of(request, &parts.correlation_header)).clone()
    }

    pub(super) fn note_passed(&self, check: &Check) {
        self.progress().passed.note(check);
    }

    pub(super) fn has_passed(&self, check: &Check) -> bool {
        self.progress().passed.any(|passed| passed.is_same_as(check))
    }

    /// Whether what a table says of the route has been asked, and met, and was this.
    pub(super) fn has_passed_as_declared(&self, requirement: &Requirement) -> bool {
        self.progress().passed.any(|passed| passed.is_strict() && passed.requirement() == requirement)
    }

    pub(super) fn passed(&self) -> Vec<Check> {
        self.progress().passed.all()
    }

    pub(super) fn refuse_nobody(&self, request: &RequestView<'_>) -> Denial {
        let denial = self.want_of_credentials(request);
        self.tell(&denial);
        denial
    }

    /// Who asks, where somebody must: what a handler's extractor wants. `None` where [`require`](Self::require) must
    /// be asked.
    pub fn require_now(&self, request: &RequestView<'_>) -> Option<Result<VerifiedToken, Denial>> {
        self.optional_now(request).map(|answer| self.somebody(request, answer))
    }

    /// Who asks, where somebody must.
    ///
    /// # Errors
    /// The [`Denial`] of a request without credentials, or with ones that do not count.
    pub async fn require(&self, request: &RequestView<'_>) -> Result<VerifiedToken, Denial> {
        let answer = self.optional(request).await;
        self.somebody(request, answer)
    }

    /// Who asks, if anybody does: what a handler's optional extractor wants. `None` where
    /// [`optional`](Self::optional) must be asked.
    pub fn optional_now(&self, request: &RequestView<'_>) -> Option<Result<Option<VerifiedToken>, Denial>> {
        self.verdict_now(request).map(anybody)
    }

    /// Who asks, if anybody does. Bad credentials are refused.
    ///
    /// # Errors
    /// The [`Denial`] of a request with credentials that do not count.
    pub async fn optional(&self, request: &RequestView<'_>) -> Result<Option<VerifiedToken>, Denial> {
        match self.optional_now(request) {
            Some(answer) => answer,
            None => anybody(self.verdict(request).await),
        }
    }

    /// The refusal of a request without credentials, told to nobody yet: for frameworks in which the handler may still
    /// take it for "nobody". Where it becomes the answer, [`tell`](Self::tell) it.
    #[must_use]
    pub fn want_of_credentials(&self, request: &RequestView<'_>) -> Denial {
        let progress @ Progress { parts, .. } = self.progress();
        let refuse = || parts.deny(Reason::NoCredentials.into(), &[], self.correlation_id(request));
        progress.nobody.get_or_init(refuse).clone()
    }

    /// Tells the observer that the request is answered with this refusal, which must come from
    /// [`want_of_credentials`](Self::want_of_credentials) of this request and guard: every other one has been told. Once is
    /// enough, and a second time does nothing.
    pub fn tell(&self, denial: &Denial) {
        let progress @ Progress { parts, .. } = self.progress();
        let is_own = progress.nobody.get().is_some_and(|own| own.is_same_as(denial));
        if is_own && !progress.nobody_told.swap(true, Ordering::Relaxed) {
            parts.tell_refused(denial);
        }
    }

    pub(super) fn somebody<T>(
        &self,
        request: &RequestView<'_>,
        answer: Result<Option<T>, Denial>,
    ) -> Result<T, Denial> {
        answer?.ok_or_else(|| self.refuse_nobody(request))
    }

    /// The token as it was sent, where it has been verified; `None` where it has not, or not yet, and where something behind the
    /// guard has put another credential into the request, or taken it out: nobody has verified that.
    ///
    /// ```
    /// use countersign::Denial;
    /// use countersign::request::{RequestView, SentToken};
    /// use countersign::screening::Screening;
    ///
    /// async fn sent(screening: &Screening, request: &RequestView<'_>) -> Result<Option<SentToken>, Denial> {
    ///     screening.require(request).await?;
    ///     Ok(screening.sent_token(request))
    /// }
    /// ```
    #[must_use]
    pub fn sent_token(&self, request: &RequestView<'_>) -> Option<SentToken> {
        let progress @ Progress { parts, .. } = self.progress();
        let Verdict::Verified(_) = progress.verdict.get()? else { return None };
        let credential = parts.extract(request).ok()??;
        let is_verified = progress.token.get().is_some_and(|verified| verified.text.is_of(&credential));
        is_verified.then(|| SentToken::new(&credential))
    }

    /// The claims of a verified token, as a handler's type.
    ///
    /// No request is at hand here, and one that was verified has not been asked for its id: the correlation id of a
    /// refusal is a random one, unless this screening has refused before.
    ///
    /// # Errors
    /// The [`Denial`] of a token whose claims do not fit: 401, `invalid_token`.
    ///
    /// ```
    /// use countersign::request::RequestView;
    /// use countersign::screening::Screening;
    /// use countersign::Denial;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Tenant {
    ///     tenant: String,
    /// }
    ///
    /// async fn tenant(screening: &Screening, request: &RequestView<'_>) -> Result<String, Denial> {
    ///     let token = screening.require(request).await?;
    ///     Ok(screening.claims::<Tenant>(&token)?.tenant)
    /// }
    /// ```
    pub fn claims<C: DeserializeOwned>(&self, token: &VerifiedToken) -> Result<C, Denial> {
        token.claims().map_err(|_| {
            let progress @ Progress { parts, .. } = self.progress();
            let correlation_id = progress.correlation_id.get_or_init(CorrelationId::random).clone();
            let denial = parts.deny(Reason::ClaimsType.into(), &[], correlation_id);
            parts.tell_refused(&denial);
            denial
        })
    }
}

fn anybody(verdict: &Verdict) -> Result<Option<VerifiedToken>, Denial> {
    match verdict {
        Verdict::Anonymous => Ok(None),
        Verdict::Verified(token) => Ok(Some(token.clone())),
        Verdict::Refused(denial) => Err(denial.clone()),
    }
}
