//! What a token must say to be taken: issuer, audience, times, type, claims.

use crate::alg::Algorithm;
use crate::claims::{NumericDate, has_member};
use crate::jws::Header;
use crate::reason::Rejection;
use crate::token::{UnverifiedToken, VerifiedToken};
use std::time::Duration;

/// The rules of one verifier. `None` for issuers or audiences means that a danger was named.
#[derive(Clone, Debug)]
pub(crate) struct TokenRules {
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) types: Vec<String>,
    /// Whether a token may leave `typ` out.
    pub(crate) type_optional: bool,
    pub(crate) issuers: Option<Vec<String>>,
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) leeway: Duration,
    pub(crate) expiration_required: bool,
    pub(crate) required_claims: Vec<String>,
}

impl TokenRules {
    /// What can be said before a key is asked for, so that nothing else causes a look-up.
    pub(crate) fn check_unverified(&self, token: &UnverifiedToken<'_>) -> Result<(), Rejection> {
        self.check_header(token.header())?;
        if let Some(issuers) = &self.issuers {
            let issuer = token.unverified_issuer().ok_or(Rejection::Issuer)?;
            if !issuers.iter().any(|trusted| trusted == issuer) {
                return Err(Rejection::Issuer);
            }
        }
        Ok(())
    }

    fn check_header(&self, header: &Header) -> Result<(), Rejection> {
        if !self.algorithms.iter().any(|allowed| allowed.is_same_as(header.algorithm())) {
            return Err(Rejection::Algorithm);
        }
        match header.token_type() {
            None if self.type_optional => Ok(()),
            Some(own) if self.types.iter().any(|allowed| is_type(own, allowed)) => Ok(()),
            _ => Err(Rejection::TokenType),
        }
    }

    /// What can be said once the signature stands.
    pub(crate) fn check(&self, token: &VerifiedToken, now: Duration) -> Result<(), Rejection> {
        let claims = token.registered();
        if let Some(audiences) = &self.audiences {
            let audience = claims.audience.as_ref().ok_or(Rejection::Audience)?;
            if !audiences.iter().any(|own| audience.contains(own)) {
                return Err(Rejection::Audience);
            }
        }
        self.check_times(claims.expires_at, claims.not_before, claims.issued_at, now)?;
        let missing = self.required_claims.iter().any(|name| !has_member(token.payload(), name));
        if missing { Err(Rejection::MissingClaim) } else { Ok(()) }
    }

    fn check_times(
        &self,
        expires_at: Option<NumericDate>,
        not_before: Option<NumericDate>,
        issued_at: Option<NumericDate>,
        now: Duration,
    ) -> Result<(), Rejection> {
        // Neither sum can overflow: a date is at most i64::MAX seconds, a duration goes to u64::MAX.
        let latest = now.saturating_add(self.leeway);
        match expires_at {
            None if self.expiration_required => return Err(Rejection::MissingClaim),
            // RFC 7519 §4.1.4: not on or after the time.
            Some(at) if now >= at.since_epoch().saturating_add(self.leeway) => {
                return Err(Rejection::Expired);
            }
            _ => {}
        }
        if not_before.is_some_and(|at| at.since_epoch() > latest) {
            return Err(Rejection::NotYetValid);
        }
        if issued_at.is_some_and(|at| at.since_epoch() > latest) {
            return Err(Rejection::IssuedInFuture);
        }
        Ok(())
    }
}

/// Media types compare without case, and `application/` may be left out (RFC 7515 §4.1.9).
fn is_type(own: &str, allowed: &str) -> bool {
    short_type(own).eq_ignore_ascii_case(short_type(allowed))
}

fn short_type(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match media_type.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => media_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_compare_as_media_types() {
        for (own, allowed, same) in [
            ("JWT", "JWT", true),
            ("jwt", "JWT", true),
            ("application/at+jwt", "at+jwt", true),
            ("Application/AT+JWT", "at+jwt", true),
            ("at+jwt", "application/at+jwt", true),
            ("text/jwt", "JWT", false),
            ("application/x/jwt", "x/jwt", false),
            ("", "JWT", false),
            ("dpop+jwt", "JWT", false),
        ] {
            assert_eq!(is_type(own, allowed), same, "{own} as {allowed}");
        }
    }

    #[test]
    fn times_are_held_to_the_second() {
        let rules = TokenRules {
            algorithms: vec![],
            types: vec![],
            type_optional: true,
            issuers: None,
            audiences: None,
            leeway: Duration::from_secs(30),
            expiration_required: true,
            required_claims: vec![],
        };
        let at = |seconds: u32| Some(NumericDate::from_secs(seconds));
        let now = Duration::from_secs(1000);
        let cases = [
            (at(1000), None, None, Ok(())),
            (at(971), None, None, Ok(())),
            (at(970), None, None, Err(Rejection::Expired)),
            (None, None, None, Err(Rejection::MissingClaim)),
            (at(0), None, None, Err(Rejection::Expired)),
            (at(2000), at(1030), None, Ok(())),
            (at(2000), at(1031), None, Err(Rejection::NotYetValid)),
            (at(2000), None, at(1030), Ok(())),
            (at(2000), None, at(1031), Err(Rejection::IssuedInFuture)),
        ];
        for (expires, not_before, issued, expected) in cases {
            assert_eq!(
                rules.check_times(expires, not_before, issued, now),
                expected,
                "{expires:?} {not_before:?} {issued:?}"
            );
        }
        let lasting = TokenRules { expiration_required: false, ..rules };
        assert_eq!(lasting.check_times(None, None, None, now), Ok(()));
        assert_eq!(lasting.check_times(at(1), None, None, now), Err(Rejection::Expired));
    }
}
