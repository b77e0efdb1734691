//! Requirements that are types: what extractors ask a screening, and handlers a guard.

use super::parts::Parts;
use super::{Check, Guard, Refusal, Screening};
use crate::authorize::{AsResource, Authorized, Authorizer, Proof, Requirement, Requires};
use crate::config::ConfigError;
use crate::denial::{CorrelationId, Denial};
use crate::provider::Unavailable;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::token::VerifiedToken;
use std::sync::Arc;

impl Screening {
    /// That whoever asks meets `R`, where somebody must: what a handler's extractor wants. What a table has asked of the same
    /// request before its handler is not decided again.
    ///
    /// # Errors
    /// The [`Denial`] to send; of a requirement that the guard cannot judge, 500.
    pub async fn prove<R: Requires>(&self, request: &RequestView<'_>) -> Result<Proof<R>, Denial> {
        let answer = self.prove_optional(request).await;
        self.somebody(request, answer)
    }

    /// That whoever asks meets `R`, if anybody does. Whoever does not meet it is refused. `None` where
    /// [`prove_optional`](Self::prove_optional) must be asked.
    pub fn prove_optional_now<R: Requires>(
        &self,
        request: &RequestView<'_>,
    ) -> Option<Result<Option<Proof<R>>, Denial>> {
        let token = match self.optional_now(request)? {
            Ok(Some(token)) => token,
            Ok(None) => return Some(Ok(None)),
            Err(denial) => return Some(Err(denial)),
        };
        let requirement = R::requirement();
        if self.has_passed_as_declared(&requirement) {
            return Some(Ok(Some(Proof::new(token))));
        }
        let check = match self.check_of(requirement, request) {
            Ok(check) => check,
            Err(denial) => return Some(Err(denial)),
        };
        let answer = check.judge_now(self, request)?;
        Some(answer.map(|token| Some(Proof::new(token))))
    }

    /// That whoever asks meets `R`, if anybody does.
    ///
    /// # Errors
    /// As of [`prove`](Self::prove), for requests with credentials.
    pub async fn prove_optional<R: Requires>(&self, request: &RequestView<'_>) -> Result<Option<Proof<R>>, Denial> {
        if let Some(answer) = self.prove_optional_now(request) {
            return answer;
        }
        let Some(token) = self.optional(request).await? else { return Ok(None) };
        let requirement = R::requirement();
        let token = match self.has_passed_as_declared(&requirement) {
            true => token,
            false => self.check_of(requirement, request)?.judge(self, request).await?,
        };
        Ok(Some(Proof::new(token)))
    }

    /// That whoever asks meets `R` on what the handler has loaded: the resource comes back with the decision, or not at
    /// all.
    ///
    /// Ask [`require`](Self::require) before loading, so that strangers do not learn what there is.
    ///
    /// # Errors
    /// As of [`prove`](Self::prove).
    pub async fn authorize<R: Requires, T: AsResource + Sync>(
        &self,
        request: &RequestView<'_>,
        resource: T,
    ) -> Result<Authorized<T, R>, Denial> {
        let check = self.check_of(R::requirement(), request)?;
        let token = check.judge_on(self, request, Some(resource.as_resource())).await?;
        Ok(Authorized::new(resource, token))
    }

    fn check_of(&self, requirement: Requirement, request: &RequestView<'_>) -> Result<Check, Denial> {
        let check = passing_check(self.guard(), self.parts(), requirement);
        check.map_err(|error| misused(self.parts(), error, || self.correlation_id(request)))
    }
}

impl Guard {
    /// That a token meets `R` on something loaded: for handlers, and for what is asked outside a request.
    ///
    /// The token is taken as it is: no credential is looked at here, no time and no revocation. The guard of the moment
    /// decides, where another one has been [handed over](Guard::later) since the request began. A refusal has a random
    /// correlation id.
    ///
    /// # Errors
    /// The [`Denial`] to send: 403, 503 where nobody can tell, 500 where the guard cannot judge `R`.
    ///
    /// ```
    /// use countersign::authorize::{AsResource, Authorized, Requirement, Requires, Resource, scopes};
    /// use countersign::{Denial, Guard, VerifiedToken};
    ///
    /// struct Post { id: String, text: String }
    ///
    /// impl AsResource for Post {
    ///     fn as_resource(&self) -> Resource<'_> { Resource::new("post", &self.id) }
    /// }
    ///
    /// struct EditPost;
    /// impl Requires for EditPost {
    ///     fn requirement() -> Requirement { scopes(["posts:edit"]) }
    /// }
    ///
    /// fn publish(post: &Authorized<Post, EditPost>) -> usize {
    ///     post.text.len()
    /// }
    ///
    /// async fn handler(guard: &Guard, token: &VerifiedToken, post: Post) -> Result<usize, Denial> {
    ///     Ok(publish(&guard.authorize(token, post).await?))
    /// }
    /// ```
    pub async fn authorize<R: Requires, T: AsResource + Sync>(
        &self,
        token: &VerifiedToken,
        resource: T,
    ) -> Result<Authorized<T, R>, Denial> {
        let parts = self.parts();
        let check = passing_check(self, &parts, R::requirement());
        let check = check.map_err(|error| misused(&parts, error, CorrelationId::random))?;
        check.decide_by(&parts, &check.question(token).with_resource(resource.as_resource())).await?;
        Ok(Authorized::new(resource, token.clone()))
    }
}

/// A check that serves one request, judged by these parts: a guard that replaces this one need not accept it.
fn passing_check(guard: &Guard, parts: &Parts, requirement: Requirement) -> Result<Check, ConfigError> {
    requirement.check_names()?;
    match parts.authorizer.accepts(&requirement) {
        Err(error) if !has_lost(&*parts.authorizer, &requirement) => Err(error),
        _ => Ok(Check::new(guard.clone(), requirement)),
    }
}

/// Whether names that the authorizer has accepted once are all that it refuses. To ask for them is nobody's mistake: it
/// denies them, as it does where a layer asks.
fn has_lost(authorizer: &dyn Authorizer, requirement: &Requirement) -> bool {
    let mut has_lost = false;
    let all = requirement.each_leaf(&mut |leaf| {
        if authorizer.accepts(leaf).is_err() {
            has_lost = true;
            return if authorizer.judges(leaf) { Ok(()) } else { Err(()) };
        }
        Ok(())
    });
    all.is_ok() && has_lost
}

/// A requirement came with a request that nobody has shown to this guard before.
fn misused(parts: &Parts, error: ConfigError, correlation_id: impl FnOnce() -> CorrelationId) -> Denial {
    let cause = Unavailable { retry_after: None, source: Some(Arc::new(error)) };
    let denial = parts.deny(Refusal { reason: Reason::Unjudged, cause }, &[], correlation_id());
    parts.tell_refused(&denial);
    denial
}
