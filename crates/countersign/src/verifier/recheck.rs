//! Whether the key of a token that was verified is trusted still.

use super::{JwtVerifier, VerifyError};
use crate::key::{KeyIdentity, VerifyingKey};
use crate::provider::{KeyProviderError, KeyRequest};
use crate::reason::Rejection;
use crate::token::VerifiedToken;

/// The key that verified a token, and how to ask for it.
struct Own<'t> {
    key: KeyIdentity,
    wanted: KeyRequest<'t>,
}

impl JwtVerifier {
    /// What a provider is asked only for tokens that this verifier could have given: its rules may be others than those by which
    /// the token was judged, where a guard was handed over since.
    fn own<'t>(&self, token: &'t VerifiedToken) -> Result<Own<'t>, Rejection> {
        let (Some(header), Some(key)) = (token.header(), token.key()) else { return Err(Rejection::UnknownKey) };
        self.rules.check_header(header)?;
        self.rules.check_issuer(token.issuer())?;
        let wanted = KeyRequest::new(header.algorithm()).with_key_id(header.key_id()).with_issuer(token.issuer());
        Ok(Own { key, wanted })
    }

    pub(super) fn has_key_now(&self, token: &VerifiedToken) -> Option<Result<(), VerifyError>> {
        let own = match self.own(token) {
            Ok(own) => own,
            Err(rejection) => return Some(Err(rejection.into())),
        };
        if self.keys.trusts(&own.key) {
            return Some(Ok(()));
        }
        let answer = self.keys.key_now(&own.wanted)?;
        Some(self.is_still(&own, answer))
    }

    pub(super) async fn has_key(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
        let own = self.own(token)?;
        // A provider that says no may only not know: whether the key is gone, a question for it tells.
        if self.keys.trusts(&own.key) {
            return Ok(());
        }
        let answer = self.keys.key(&own.wanted).await;
        self.is_still(&own, answer)
    }

    /// Whether the key that the token would be verified with is the one that has verified it.
    fn is_still(&self, own: &Own<'_>, answer: Result<VerifyingKey, KeyProviderError>) -> Result<(), VerifyError> {
        let is_same = match answer {
            Err(KeyProviderError::Ambiguous) if self.max_candidates > 1 => {
                self.candidates(&own.wanted)?.iter().any(|key| key.identity() == own.key)
            }
            answer => answer?.identity() == own.key,
        };
        if is_same { Ok(()) } else { Err(Rejection::UnknownKey.into()) }
    }
}

#[cfg(test)]
mod tests;
