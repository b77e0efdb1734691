//! Why a request was refused, or a connection had to end: closed sets of names, safe in logs and as metric labels.
//!
//! ```
//! use countersign::reason::{Reason, Rejection};
//!
//! let expired = Reason::Rejected(Rejection::Expired);
//! assert_eq!((expired.status(), expired.oauth_error()), (401, Some("invalid_token")));
//! assert_eq!(Reason::NotAllowed.status(), 403);
//! assert_eq!(Reason::KeysUnavailable.status(), 503); // nothing is known of the token
//! ```

mod end;

pub use end::End;

use std::fmt;

/// Why a credential proved nothing. Always 401.
///
/// ```
/// use countersign::reason::Rejection;
///
/// // For logs a name, for people a sentence; neither has text of the token in it.
/// assert_eq!(Rejection::Expired.name(), "expired");
/// assert!(!Rejection::Expired.description().is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// Longer than the verifier reads.
    TooLarge,
    /// Not three parts of canonical base64url around strict JSON (RFC 7515 §5.2, RFC 7519 §7.2).
    Malformed,
    /// Base64url with padding, and well-formed without it (RFC 7515 §2).
    Padding,
    /// An algorithm that this verifier does not allow, or does not know.
    Algorithm,
    /// A `crit` header parameter, or one that only `crit` may bring in (RFC 7515 §4.1.11).
    CriticalHeader,
    /// A `typ` that this verifier does not take (RFC 8725 §3.11).
    TokenType,
    /// No key is published under the token's `kid`.
    UnknownKey,
    /// The key under the token's `kid` is for another algorithm.
    KeyMismatch,
    /// No `kid`, and more than one key fits.
    KeyAmbiguous,
    /// The signature does not verify.
    Signature,
    /// `iss` is absent, malformed or not trusted.
    Issuer,
    /// `aud` is absent, malformed or does not name this service.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come.
    NotYetValid,
    /// `iat` lies in the future.
    IssuedInFuture,
    /// A required claim is absent.
    MissingClaim,
    /// A registered claim has the wrong type or an impossible value.
    InvalidClaim,
    /// `sub` is not one of those that this verifier takes.
    Subject,
    /// `azp` is not this client, or is absent where several audiences make it necessary.
    AuthorizedParty,
    /// `nonce` is not the one that was sent.
    Nonce,
    /// `at_hash` is absent or not the access token's.
    AccessTokenHash,
    /// Issued too long ago for this verifier.
    TooOld,
    /// Meant to be valid for longer than this verifier allows.
    Lifetime,
    /// Bound to a holder (`cnf`, RFC 7800), and the sender has not shown to be that holder.
    Confirmation,
    /// A Security Event Token (RFC 8417), of which logout tokens are a kind, where an access or ID token is due.
    SecurityEvent,
    /// A check of the application's own said no, with this constant reason.
    Check(&'static str),
    /// Credentials other than a JWT (a password, say) are wrong.
    Credentials,
}

impl Rejection {
    /// The name for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Padding => "padding",
            Self::Algorithm => "algorithm",
            Self::CriticalHeader => "critical_header",
            Self::TokenType => "token_type",
            Self::UnknownKey => "unknown_key",
            Self::KeyMismatch => "key_mismatch",
            Self::KeyAmbiguous => "key_ambiguous",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::MissingClaim => "missing_claim",
            Self::InvalidClaim => "invalid_claim",
            Self::Subject => "subject",
            Self::AuthorizedParty => "authorized_party",
            Self::Nonce => "nonce",
            Self::AccessTokenHash => "access_token_hash",
            Self::TooOld => "too_old",
            Self::Lifetime => "lifetime",
            Self::Confirmation => "confirmation",
            Self::SecurityEvent => "security_event",
            Self::Check(reason) => reason,
            Self::Credentials => "credentials",
        }
    }

    /// What a client is told. A closed set of sentences in which nothing of the token stands.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::TooLarge | Self::Malformed | Self::Padding => "The access token is malformed",
            Self::Expired | Self::TooOld => "The access token is expired",
            Self::NotYetValid | Self::IssuedInFuture => "The access token is not yet valid",
            Self::Issuer
            | Self::Audience
            | Self::Subject
            | Self::AuthorizedParty
            | Self::Nonce
            | Self::AccessTokenHash
            | Self::Lifetime
            | Self::Check(_) => "The access token is not valid for this resource",
            Self::MissingClaim | Self::InvalidClaim => "The access token does not carry the claims needed here",
            Self::Credentials => "The credentials are not valid",
            Self::Algorithm
            | Self::CriticalHeader
            | Self::TokenType
            | Self::UnknownKey
            | Self::KeyMismatch
            | Self::KeyAmbiguous
            | Self::Signature
            | Self::Confirmation
            | Self::SecurityEvent => "The access token could not be verified",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a request was refused.
///
/// ```
/// use countersign::reason::Reason;
///
/// /// Whether the client should log in again, or try again.
/// fn advice(reason: Reason) -> &'static str {
///     match reason.status() {
///         401 => "log in",
///         503 => "wait",
///         _ => "do not try again",
///     }
/// }
/// assert_eq!(advice(Reason::NoCredentials), "log in");
/// assert_eq!(advice(Reason::RevocationUnknown), "wait");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// No credentials came. 401.
    NoCredentials,
    /// The request carries different credentials, or repeats a field that may stand once. 400.
    SeveralCredentials,
    /// The credential is not written as its scheme demands. 400.
    MalformedRequest,
    /// A cookie credential on an unsafe request from elsewhere. 403.
    CrossSite,
    /// The credential proves nothing. 401.
    Rejected(Rejection),
    /// The token has been revoked. 401.
    Revoked,
    /// The token is right, but its claims do not fit the handler's type. 401.
    ClaimsType,
    /// The token is right and does not allow this. 403.
    NotAllowed,
    /// The guard has not been handed over. 503.
    NotReady,
    /// The keys cannot be had. 503.
    KeysUnavailable,
    /// Whether the token has been revoked cannot be told. 503.
    RevocationUnknown,
    /// Whether this is allowed cannot be told. 503.
    Undecided,
    /// A handler asks for claims where no guard stands. 500.
    Unguarded,
    /// A handler requires by its types what the guard's authorizer cannot judge. 500.
    Unjudged,
}

impl Reason {
    /// The name for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::SeveralCredentials => "several_credentials",
            Self::MalformedRequest => "malformed_request",
            Self::CrossSite => "cross_site",
            Self::Rejected(rejection) => rejection.name(),
            Self::Revoked => "revoked",
            Self::ClaimsType => "claims_type",
            Self::NotAllowed => "not_allowed",
            Self::NotReady => "not_ready",
            Self::KeysUnavailable => "keys_unavailable",
            Self::RevocationUnknown => "revocation_unknown",
            Self::Undecided => "undecided",
            Self::Unguarded => "unguarded",
            Self::Unjudged => "unjudged",
        }
    }

    /// The HTTP status code.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::SeveralCredentials | Self::MalformedRequest => 400,
            Self::NoCredentials | Self::Rejected(_) | Self::Revoked | Self::ClaimsType => 401,
            Self::CrossSite | Self::NotAllowed => 403,
            Self::Unguarded | Self::Unjudged => 500,
            Self::NotReady | Self::KeysUnavailable | Self::RevocationUnknown | Self::Undecided => 503,
        }
    }

    /// The `error` code of RFC 6750 §3.1, where one is sent in the challenge.
    #[must_use]
    pub fn oauth_error(self) -> Option<&'static str> {
        match self {
            Self::SeveralCredentials | Self::MalformedRequest => Some("invalid_request"),
            Self::Rejected(_) | Self::Revoked | Self::ClaimsType => Some("invalid_token"),
            Self::NotAllowed => Some("insufficient_scope"),
            Self::NoCredentials
            | Self::CrossSite
            | Self::NotReady
            | Self::KeysUnavailable
            | Self::RevocationUnknown
            | Self::Undecided
            | Self::Unguarded
            | Self::Unjudged => None,
        }
    }

    /// The code that stands for this in a response body.
    #[must_use]
    pub fn body_code(self) -> &'static str {
        match self {
            Self::NoCredentials => "unauthorized",
            Self::CrossSite => "cross_site_request",
            Self::NotReady | Self::KeysUnavailable | Self::RevocationUnknown | Self::Undecided => {
                "temporarily_unavailable"
            }
            Self::Unguarded | Self::Unjudged => "server_error",
            other => other.oauth_error().unwrap_or("server_error"),
        }
    }

    /// What a client is told.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::NoCredentials => "Authentication is required",
            Self::SeveralCredentials => "The request carries more than one credential",
            Self::MalformedRequest => "The credential is malformed",
            Self::CrossSite => "The request comes from another site",
            Self::Rejected(rejection) => rejection.description(),
            Self::Revoked => "The access token has been revoked",
            Self::ClaimsType => "The access token does not carry the claims needed here",
            Self::NotAllowed => "The access token does not allow this",
            Self::NotReady | Self::KeysUnavailable | Self::RevocationUnknown | Self::Undecided => {
                "The request cannot be judged at the moment"
            }
            Self::Unguarded | Self::Unjudged => "The server is not set up for this request",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Rejection {}
