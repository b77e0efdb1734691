//! What a token must say to be taken: issuer, audience, times, type, claims.

use crate::alg::Algorithm;
use crate::claims::{AUDIENCE_CLAIM, NumericDate, WantedClaims};
use crate::jws::Header;
use crate::reason::Rejection;
use crate::token::{Claimed, VerifiedToken};
use std::fmt;
use std::time::Duration;

/// A check of the application's own: says no with a constant reason.
pub(crate) type Check = Box<dyn Fn(&VerifiedToken) -> Result<(), &'static str> + Send + Sync>;

/// The rules of one verifier. `None` for issuers or audiences means that a danger was named.
pub(crate) struct TokenRules {
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) types: Vec<String>,
    /// Whether a token may leave `typ` out.
    pub(crate) type_optional: bool,
    pub(crate) issuers: Option<Vec<String>>,
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) subjects: Vec<String>,
    pub(crate) holder_required: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) checks: Vec<Check>,
    pub(crate) leeway: Duration,
    pub(crate) expiration_required: bool,
    /// What else is asked of the claims; where that is `azp`, it must be one of the audiences (OpenID Connect Core
    /// §3.1.3.7).
    pub(crate) wanted: WantedClaims,
}

/// What came out of a check.
///
/// ```
/// use countersign::reason::Rejection;
/// use countersign::verify::Outcome;
///
/// fn mark(outcome: &Outcome) -> String {
///     match outcome {
///         Outcome::Passed => "ok".to_owned(),
///         Outcome::Failed(rejection) => rejection.name().to_owned(),
///         Outcome::NotChecked(why) => format!("({why})"),
///         _ => String::new(),
///     }
/// }
/// assert_eq!(mark(&Outcome::Failed(Rejection::Expired)), "expired");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed(Rejection),
    /// It was not made: it is not asked for, a danger leaves it out, keys are not to be had, or what it looks at could
    /// not be read. It says which.
    NotChecked(&'static str),
}

impl Outcome {
    fn refusal(self) -> Result<(), Rejection> {
        match self {
            Self::Failed(rejection) => Err(rejection),
            Self::Passed | Self::NotChecked(_) => Ok(()),
        }
    }
}

impl From<Result<(), Rejection>> for Outcome {
    fn from(outcome: Result<(), Rejection>) -> Self {
        outcome.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

pub(crate) const NOT_ASKED_FOR: &str = "not asked for";

/// The outcome of a check, unless there is a reason not to make it.
fn unless(left_out: bool, why: &'static str, check: impl FnOnce() -> Result<(), Rejection>) -> Outcome {
    if left_out { Outcome::NotChecked(why) } else { check().into() }
}

impl TokenRules {
    /// What can be said of the header before anything else is looked at.
    pub(crate) fn check_header(&self, header: &Header) -> Result<(), Rejection> {
        self.check_algorithm(header.algorithm())?;
        self.check_type(header.token_type())
    }

    /// Whether a key may be asked for: the last check before that.
    pub(crate) fn check_issuer(&self, issuer: Option<&str>) -> Result<(), Rejection> {
        self.issuer(issuer).refusal()
    }

    /// What can be said once the signature stands.
    pub(crate) fn check(&self, token: &Claimed<'_>, now: Duration) -> Result<(), Rejection> {
        self.each(token, now, &mut |_, outcome| outcome.refusal())
    }

    /// What the application says of a token for which all else holds.
    pub(crate) fn check_own(&self, token: &VerifiedToken) -> Result<(), Rejection> {
        self.each_own(token, &mut |outcome| outcome)
    }

    /// What time, or the application, may have changed since all of it was checked.
    #[cfg(feature = "token-cache")]
    pub(crate) fn check_again(&self, token: &VerifiedToken, now: Duration) -> Result<(), Rejection> {
        self.check_expiration(token.expires_at(), now)?;
        self.check_start(token.not_before(), Rejection::NotYetValid, now)?;
        self.check_start(token.issued_at(), Rejection::IssuedInFuture, now)?;
        self.check_age(token.issued_at(), now)?;
        self.check_own(token)
    }

    /// Tells the outcome of each check behind the signature, by name and in order, until `tell` has enough.
    pub(crate) fn each(
        &self,
        token: &Claimed<'_>,
        now: Duration,
        tell: &mut dyn FnMut(&'static str, Outcome) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let (start, end, issued) = (token.claims.not_before(), token.claims.expires_at(), token.claims.issued_at());
        let audience = if self.wanted.audience.is_some() { AUDIENCE_CLAIM } else { "aud" };
        tell(audience, unless(self.audiences.is_none(), "Danger::AnyAudience", || self.check_audience(token)))?;
        let endless = !self.expiration_required && end.is_none();
        tell("exp", unless(endless, "Danger::NoExpiration", || self.check_expiration(end, now)))?;
        tell("nbf", self.check_start(start, Rejection::NotYetValid, now).into())?;
        tell("iat", self.check_start(issued, Rejection::IssuedInFuture, now).into())?;
        tell("max_age", unless(self.max_age.is_none(), NOT_ASKED_FOR, || self.check_age(issued, now)))?;
        let lifetime = self.max_lifetime.is_none();
        tell("max_lifetime", unless(lifetime, NOT_ASKED_FOR, || self.check_lifetime(end, issued)))?;
        let required = self.wanted.required.is_empty();
        tell("required claims", unless(required, NOT_ASKED_FOR, || self.check_required(token)))?;
        tell("sub", unless(self.subjects.is_empty(), NOT_ASKED_FOR, || self.check_subject(token)))?;
        let party = !self.wanted.authorized_party;
        tell("azp", unless(party, NOT_ASKED_FOR, || self.check_authorized_party(token)))?;
        tell("cnf", unless(!self.holder_required, "Danger::AnyHolder", || Self::check_holder(token)))?;
        tell("events", Self::check_event(token).into())
    }

    /// Tells the outcome of each check of the application's own. They see claims that are verified, and no others.
    pub(crate) fn each_own(
        &self,
        token: &VerifiedToken,
        tell: &mut dyn FnMut(Result<(), Rejection>) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        self.checks.iter().try_for_each(|check| tell(check(token).map_err(Rejection::Check)))
    }

    pub(crate) fn check_algorithm(&self, algorithm: Algorithm) -> Result<(), Rejection> {
        let is_allowed = self.algorithms.iter().any(|allowed| allowed.is_same_as(algorithm));
        if is_allowed { Ok(()) } else { Err(Rejection::Algorithm) }
    }

    pub(crate) fn check_type(&self, token_type: Option<&str>) -> Result<(), Rejection> {
        match token_type {
            None if self.type_optional => Ok(()),
            Some(own) if self.types.iter().any(|allowed| is_type(own, allowed)) => Ok(()),
            _ => Err(Rejection::TokenType),
        }
    }

    pub(crate) fn issuer(&self, issuer: Option<&str>) -> Outcome {
        let Some(issuers) = &self.issuers else { return Outcome::NotChecked("Danger::AnyIssuer") };
        let is_trusted = issuer.is_some_and(|issuer| issuers.iter().any(|trusted| trusted == issuer));
        if is_trusted { Outcome::Passed } else { Outcome::Failed(Rejection::Issuer) }
    }

    fn check_required(&self, token: &Claimed<'_>) -> Result<(), Rejection> {
        if token.claims.has_required(&self.wanted) { Ok(()) } else { Err(Rejection::MissingClaim) }
    }

    fn check_subject(&self, token: &Claimed<'_>) -> Result<(), Rejection> {
        let is_taken = |subject: &str| self.subjects.iter().any(|taken| taken == subject);
        if token.claims.subject(token.payload).is_some_and(is_taken) { Ok(()) } else { Err(Rejection::Subject) }
    }

    /// OpenID Connect Core §3.1.3.7, 3 to 5: no audience but those that are named here; `azp` present where there are
    /// several, and one of them where present.
    fn check_authorized_party(&self, token: &Claimed<'_>) -> Result<(), Rejection> {
        let ours = |party: &str| self.audiences.as_ref().is_none_or(|own| own.iter().any(|name| name == party));
        let Claimed { claims, payload, .. } = *token;
        let audience = || claims.audience(payload).ok_or(Rejection::Audience);
        if !audience()?.all(ours) {
            return Err(Rejection::Audience);
        }
        match claims.authorized_party(payload) {
            Some(party) if ours(party) => Ok(()),
            None if audience()?.count() == 1 => Ok(()),
            _ => Err(Rejection::AuthorizedParty),
        }
    }

    fn check_holder(token: &Claimed<'_>) -> Result<(), Rejection> {
        if token.claims.is_bound() { Err(Rejection::Confirmation) } else { Ok(()) }
    }

    /// What tells that something has happened to somebody says nothing about who is asking. Signed by the same issuer, and
    /// often for the same audience, it differs in `events` alone where its `typ` does not name it (OpenID Connect
    /// Back-Channel Logout §2.4; RFC 8417 §4.5).
    fn check_event(token: &Claimed<'_>) -> Result<(), Rejection> {
        let token_type = token.header.and_then(Header::token_type);
        let says_so = |own| ["logout+jwt", "secevent+jwt"].iter().any(|event| is_type(own, event));
        // A verifier that was told to take such a `typ` wants such a token.
        if token.claims.is_event(token.payload) && !token_type.is_some_and(says_so) {
            return Err(Rejection::SecurityEvent);
        }
        Ok(())
    }

    fn check_audience(&self, token: &Claimed<'_>) -> Result<(), Rejection> {
        let Some(audiences) = &self.audiences else { return Ok(()) };
        let audience = match self.wanted.audience {
            Some(_) => token.claims.audience_claim(token.payload),
            None => token.claims.audience(token.payload),
        };
        let is_ours = |name: &str| audiences.iter().any(|own| own == name);
        if audience.ok_or(Rejection::Audience)?.any(is_ours) { Ok(()) } else { Err(Rejection::Audience) }
    }

    /// RFC 7519 §4.1.4: not on or after the time.
    fn check_expiration(&self, expires_at: Option<NumericDate>, now: Duration) -> Result<(), Rejection> {
        match expires_at {
            None if self.expiration_required => Err(Rejection::MissingClaim),
            // No sum here can overflow: a date is at most i64::MAX seconds, a duration goes to u64::MAX.
            Some(at) if now >= at.since_epoch().saturating_add(self.leeway) => Err(Rejection::Expired),
            _ => Ok(()),
        }
    }

    fn check_start(&self, at: Option<NumericDate>, early: Rejection, now: Duration) -> Result<(), Rejection> {
        let is_early = at.is_some_and(|at| at.since_epoch() > now.saturating_add(self.leeway));
        if is_early { Err(early) } else { Ok(()) }
    }

    /// What does not say when it was issued cannot show how old it is.
    fn check_age(&self, issued_at: Option<NumericDate>, now: Duration) -> Result<(), Rejection> {
        let Some(max_age) = self.max_age else { return Ok(()) };
        let issued_at = issued_at.ok_or(Rejection::MissingClaim)?.since_epoch();
        let is_old = now > issued_at.saturating_add(max_age).saturating_add(self.leeway);
        if is_old { Err(Rejection::TooOld) } else { Ok(()) }
    }

    fn check_lifetime(&self, expires_at: Option<NumericDate>, issued_at: Option<NumericDate>) -> Result<(), Rejection> {
        let Some(max_lifetime) = self.max_lifetime else { return Ok(()) };
        let issued_at = issued_at.ok_or(Rejection::MissingClaim)?.since_epoch();
        let expires_at = expires_at.ok_or(Rejection::MissingClaim)?.since_epoch();
        if expires_at > issued_at.saturating_add(max_lifetime) { Err(Rejection::Lifetime) } else { Ok(()) }
    }
}

impl fmt::Debug for TokenRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRules")
            .field("algorithms", &self.algorithms)
            .field("types", &self.types)
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
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
            subjects: vec![],
            holder_required: true,
            max_age: None,
            max_lifetime: None,
            checks: vec![],
            leeway: Duration::from_secs(30),
            expiration_required: true,
            wanted: WantedClaims::default(),
        };
        let at = NumericDate::from_secs;
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
            let outcome = rules
                .check_expiration(expires, now)
                .and_then(|()| rules.check_start(not_before, Rejection::NotYetValid, now))
                .and_then(|()| rules.check_start(issued, Rejection::IssuedInFuture, now));
            assert_eq!(outcome, expected, "{expires:?} {not_before:?} {issued:?}");
        }
        let lasting = TokenRules { expiration_required: false, ..rules };
        assert_eq!(lasting.check_expiration(None, now), Ok(()));
        assert_eq!(lasting.check_expiration(at(1), now), Err(Rejection::Expired));
    }
}
