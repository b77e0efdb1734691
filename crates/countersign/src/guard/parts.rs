use super::fingerprint::Fingerprint;
use super::{NoToken, Refusal, Verdict};
use crate::authorize::Authorizer;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::denial::{CorrelationId, Denial, Presentation};
use crate::extract::{ExtractError, Place, TokenExtractor};
use crate::observe::{Event, Observer};
use crate::provider::Unavailable;
use crate::reason::Reason;
use crate::request::{Credential, RequestView};
use crate::resource_metadata::ResourceMetadata;
use crate::revocation::{RevocationCheck, TokenStatus};
use crate::token::VerifiedToken;
use crate::verifier::{TokenVerifier, VerifyError};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// What a guard is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) extractors: Vec<Box<dyn TokenExtractor>>,
    pub(super) first_wins: bool,
    pub(super) verifier: Box<dyn TokenVerifier>,
    pub(super) revocation: Option<Box<dyn RevocationCheck>>,
    /// What revocation and verifier tell.
    pub(super) changes: Option<Changes>,
    pub(super) authorizer: Box<dyn Authorizer>,
    pub(super) observer: Box<dyn Observer>,
    pub(super) clock: Box<dyn Clock>,
    /// The name of the field, in lower case.
    pub(super) correlation_header: String,
    pub(super) presentation: Presentation,
    pub(super) protected_resource: Option<Arc<ResourceMetadata>>,
    pub(super) public_scopes: bool,
    pub(super) pass_preflight: bool,
    /// Whether this is a guard, and not the place of one that has not been handed over.
    pub(super) is_wired: bool,
}

impl Parts {
    /// Who the credential proves to ask, before revocation; `None` where [`token`](Self::token) must be asked.
    pub(super) fn token_now(&self, request: &RequestView<'_>) -> Option<Result<Verified, NoToken>> {
        let credential = match self.credential(request) {
            Ok(credential) => credential,
            Err(nobody) => return Some(Err(nobody)),
        };
        let answer = self.verifier.verify_now(&credential)?;
        Some(verified(answer, &credential))
    }

    pub(super) async fn token(&self, request: &RequestView<'_>) -> Result<Verified, NoToken> {
        let credential = self.credential(request)?;
        verified(self.verifier.verify(&credential).await, &credential)
    }

    /// Whether a token whose signature and claims stand still counts; `None` where [`settle`](Self::settle) must be asked.
    pub(super) fn settle_now(&self, token: &VerifiedToken) -> Option<Result<VerifiedToken, NoToken>> {
        let status = match &self.revocation {
            Some(revocation) => revocation.status_now(token)?,
            None => TokenStatus::Active,
        };
        Some(conclude(token, status))
    }

    pub(super) async fn settle(&self, token: &VerifiedToken) -> Result<VerifiedToken, NoToken> {
        let status = match &self.revocation {
            Some(revocation) => revocation.status(token).await,
            None => TokenStatus::Active,
        };
        conclude(token, status)
    }

    fn credential<'r>(&self, request: &RequestView<'r>) -> Result<Credential<'r>, NoToken> {
        if !self.is_wired {
            return Err(NoToken::Refused(Reason::NotReady.into()));
        }
        match self.extract(request) {
            Ok(Some(credential)) => Ok(credential),
            Ok(None) => Err(NoToken::Anonymous),
            Err(reason) => Err(NoToken::Refused(reason.into())),
        }
    }

    /// Whether credentials may stand in the query.
    pub(super) fn reads_queries(&self) -> bool {
        self.extractors.iter().any(|extractor| matches!(extractor.place(), Place::Query(_)))
    }

    /// Where its extractors look, each place once.
    pub(super) fn places(&self) -> Vec<Place> {
        let is_same = |one: &Place, other: &Place| match (one, other) {
            (Place::Authorization(one), Place::Authorization(other)) => one.eq_ignore_ascii_case(other),
            _ => one == other,
        };
        let mut places: Vec<Place> = Vec::new();
        for place in self.extractors.iter().map(TokenExtractor::place) {
            if !places.iter().any(|other| is_same(other, &place)) {
                places.push(place);
            }
        }
        places
    }

    pub(super) fn deny(&self, refusal: Refusal, missing_scopes: &[String], correlation_id: CorrelationId) -> Denial {
        let Refusal { reason, cause } = refusal;
        let Unavailable { retry_after, source } = cause;
        Denial::new(&self.presentation, reason, missing_scopes, retry_after, source, correlation_id)
    }

    pub(super) fn tell_refused(&self, denial: &Denial) {
        let (reason, correlation_id) = (denial.reason(), denial.correlation_id());
        self.observer.observe(&Event::Refused { reason, correlation_id, source: denial.source() });
    }

    pub(super) fn tell_verdict(&self, verdict: &Verdict, duration: Duration) {
        let result = match verdict {
            Verdict::Anonymous => return,
            Verdict::Verified(_) => Ok(()),
            Verdict::Refused(denial) => Err(denial.reason()),
        };
        self.observer.observe(&Event::Verification { result, duration });
        if let Verdict::Refused(denial) = verdict {
            self.tell_refused(denial);
        }
    }

    /// The one credential of the request. All sources are looked at; different credentials are refused, unless the
    /// first one found was said to win.
    pub(super) fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, Reason> {
        let mut found = None;
        for extractor in &self.extractors {
            let credential = extractor.extract(request).map_err(|error| match error {
                ExtractError::Repeated => Reason::SeveralCredentials,
                ExtractError::Malformed => Reason::MalformedRequest,
                ExtractError::CrossSite => Reason::CrossSite,
            })?;
            match (&found, credential) {
                (_, None) => {}
                (None, Some(credential)) if self.first_wins => return Ok(Some(credential)),
                (None, Some(credential)) => found = Some(credential),
                (Some(first), Some(second)) if first.expose() == second.expose() => {}
                (Some(_), Some(_)) => return Err(Reason::SeveralCredentials),
            }
        }
        Ok(found)
    }
}

/// A token that was verified, and what its text is known by.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) token: VerifiedToken,
    pub(super) text: Fingerprint,
}

fn verified(answer: Result<VerifiedToken, VerifyError>, credential: &Credential<'_>) -> Result<Verified, NoToken> {
    match answer {
        Ok(token) => Ok(Verified { token, text: Fingerprint::of(credential) }),
        Err(error) => Err(NoToken::Refused(error.into())),
    }
}

fn conclude(token: &VerifiedToken, status: TokenStatus) -> Result<VerifiedToken, NoToken> {
    match status {
        TokenStatus::Active => Ok(token.clone()),
        TokenStatus::Revoked => Err(NoToken::Refused(Reason::Revoked.into())),
        TokenStatus::Unknown => Err(NoToken::Refused(Reason::RevocationUnknown.into())),
    }
}
