use super::{Guard, Screening, Verdict};
use crate::authorize::{AccessRequest, Decision, Requirement};
use crate::denial::Denial;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::token::VerifiedToken;

/// A guard and a requirement: judges requests.
///
/// Made by [`Guard::check`], which has seen to it that the requirement can be judged.
#[derive(Clone, Debug)]
pub struct Check {
    guard: Guard,
    requirement: Requirement,
}

impl Check {
    pub(super) fn new(guard: Guard, requirement: Requirement) -> Self {
        Self { guard, requirement }
    }

    /// The guard.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
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
        let question = AccessRequest::new(token, &self.requirement).with_request(request);
        let decision = match self.requirement {
            Requirement::Authenticated => Decision::Allow,
            _ => self.guard.0.authorizer.decide_now(&question)?,
        };
        Some(self.conclude(&screening, request, token, decision))
    }

    /// Judges a request.
    ///
    /// # Errors
    /// The [`Denial`] to send.
    pub async fn judge(&self, screening: &Screening, request: &RequestView<'_>) -> Result<VerifiedToken, Denial> {
        let screening = self.own(screening);
        let token = token(&screening, request, screening.verdict(request).await)?;
        let question = AccessRequest::new(token, &self.requirement).with_request(request);
        let decision = match self.requirement {
            Requirement::Authenticated => Decision::Allow,
            _ => self.guard.0.authorizer.decide(&question).await,
        };
        self.conclude(&screening, request, token, decision)
    }

    /// A screening by another guard is no screening: its verdict must not count here.
    fn own(&self, screening: &Screening) -> Screening {
        Screening::enter(&self.guard, Some(screening))
    }

    fn conclude(
        &self,
        screening: &Screening,
        request: &RequestView<'_>,
        token: &VerifiedToken,
        decision: Decision,
    ) -> Result<VerifiedToken, Denial> {
        match decision {
            Decision::Allow => Ok(token.clone()),
            Decision::Deny(_) => {
                let scopes = if self.guard.0.public_scopes { self.requirement.required_scopes() } else { &[] };
                Err(screening.refuse(request, Reason::NotAllowed, scopes))
            }
            Decision::Indeterminate(_) => Err(screening.refuse(request, Reason::Undecided, &[])),
        }
    }
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
