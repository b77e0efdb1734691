use super::{Guard, Verdict};
use crate::denial::Denial;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::token::VerifiedToken;
use serde::de::DeserializeOwned;
use std::sync::{Arc, OnceLock};

/// One request before one guard: holds the verdict once it is reached.
///
/// Adapters keep it with the request. Every check and every extractor that asks the same guard about the same
/// request shares one verdict; another guard's verdict never stands in for it.
#[derive(Clone, Debug)]
pub struct Screening(Arc<Screened>);

#[derive(Debug)]
struct Screened {
    guard: Guard,
    /// Shared with an earlier screening by the same guard.
    progress: Arc<Progress>,
    /// The guards planted further out.
    outer: Option<Screening>,
}

/// How far one guard has got with one request.
#[derive(Debug, Default)]
struct Progress {
    /// Verified, whether or not revocation has been asked yet.
    token: OnceLock<VerifiedToken>,
    verdict: OnceLock<Verdict>,
}

impl Screening {
    /// The screening by `guard` of a request that came through `outer`: an earlier one of the same guard, or a new
    /// one.
    #[must_use]
    pub fn enter(guard: &Guard, outer: Option<&Self>) -> Self {
        let earlier = std::iter::successors(outer, |screening| screening.0.outer.as_ref())
            .find(|screening| screening.0.guard.is_same_as(guard));
        match (earlier, outer) {
            // The innermost guard is the one that handlers ask.
            (Some(earlier), Some(innermost)) if std::ptr::eq(earlier, innermost) => earlier.clone(),
            _ => Self(Arc::new(Screened {
                guard: guard.clone(),
                progress: earlier.map_or_else(Arc::default, |earlier| earlier.0.progress.clone()),
                outer: outer.cloned(),
            })),
        }
    }

    /// The guard.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// The verdict, reached without waiting; `None` where [`verdict`](Self::verdict) must be asked.
    pub fn verdict_now(&self, request: &RequestView<'_>) -> Option<&Verdict> {
        let Screened { guard, progress, .. } = &*self.0;
        if let Some(verdict) = progress.verdict.get() {
            return Some(verdict);
        }
        let token = match progress.token.get() {
            Some(token) => token,
            None => match guard.token_now(request)? {
                Ok(token) => progress.token.get_or_init(|| token),
                Err(verdict) => return Some(progress.verdict.get_or_init(|| verdict)),
            },
        };
        let verdict = guard.settle_now(token)?;
        Some(progress.verdict.get_or_init(|| verdict))
    }

    /// The verdict. `request` must be the one that this screening was made for.
    pub async fn verdict(&self, request: &RequestView<'_>) -> &Verdict {
        let Screened { guard, progress, .. } = &*self.0;
        if let Some(verdict) = progress.verdict.get() {
            return verdict;
        }
        let token = match progress.token.get() {
            Some(token) => token,
            None => match guard.token(request).await {
                Ok(token) => progress.token.get_or_init(|| token),
                Err(verdict) => return progress.verdict.get_or_init(|| verdict),
            },
        };
        let verdict = guard.settle(token).await;
        progress.verdict.get_or_init(|| verdict)
    }

    /// Who asks, where somebody must: what a handler's extractor wants. `None` where [`require`](Self::require) must
    /// be asked.
    pub fn require_now(&self, request: &RequestView<'_>) -> Option<Result<VerifiedToken, Denial>> {
        self.optional_now(request).map(|answer| self.somebody(answer))
    }

    /// Who asks, where somebody must.
    ///
    /// # Errors
    /// The [`Denial`] of a request without credentials, or with ones that do not count.
    pub async fn require(&self, request: &RequestView<'_>) -> Result<VerifiedToken, Denial> {
        let answer = self.optional(request).await;
        self.somebody(answer)
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
        anybody(self.verdict(request).await)
    }

    fn somebody(&self, answer: Result<Option<VerifiedToken>, Denial>) -> Result<VerifiedToken, Denial> {
        answer?.ok_or_else(|| self.0.guard.refuse(Reason::NoCredentials))
    }

    /// The claims of a verified token, as a handler's type.
    ///
    /// # Errors
    /// The [`Denial`] of a token whose claims do not fit: 401, `invalid_token`.
    pub fn claims<C: DeserializeOwned>(&self, token: &VerifiedToken) -> Result<C, Denial> {
        token.claims().map_err(|_| self.0.guard.refuse(Reason::ClaimsType))
    }
}

fn anybody(verdict: &Verdict) -> Result<Option<VerifiedToken>, Denial> {
    match verdict {
        Verdict::Anonymous => Ok(None),
        Verdict::Verified(token) => Ok(Some(token.clone())),
        Verdict::Refused(denial) => Err(denial.clone()),
    }
}
