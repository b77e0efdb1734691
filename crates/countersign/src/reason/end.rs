use super::{Reason, Rejection};
use std::fmt;

/// Why a connection that outlived its request had to end.
///
/// ```
/// use countersign::reason::End;
///
/// assert_eq!((End::Expired.close_code(), End::Expired.text()), (4401, "The access token is expired"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// The token has expired. 4401.
    Expired,
    /// The token has been revoked, or the key that signed it is trusted no longer. 4401.
    Revoked,
    /// The token no longer allows what the route requires. 4403.
    NotAllowed,
    /// Whether the token still counts could not be told for too long. 4503.
    Unknown,
}

impl End {
    /// The name for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::NotAllowed => "not_allowed",
            Self::Unknown => "unknown",
        }
    }

    /// The status code of a WebSocket's Close frame, of those for private use (RFC 6455 §7.4.2): 4000, and the HTTP status
    /// of the same refusal.
    #[must_use]
    pub fn close_code(self) -> u16 {
        4000 + self.reason().status()
    }

    /// What the client is told. One of a closed set of sentences in ASCII, at most 123 octets long, so that it fits into a
    /// Close frame (RFC 6455 §5.5).
    #[must_use]
    pub fn text(self) -> &'static str {
        self.reason().description()
    }

    /// The same as the refusal of a request.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Expired => Reason::Rejected(Rejection::Expired),
            Self::Revoked => Reason::Revoked,
            Self::NotAllowed => Reason::NotAllowed,
            Self::Unknown => Reason::Undecided,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_code_and_a_text_that_fits_into_a_close_frame() {
        let cases = [(End::Expired, 4401), (End::Revoked, 4401), (End::NotAllowed, 4403), (End::Unknown, 4503)];
        for (end, code) in cases {
            assert_eq!(end.close_code(), code, "{end}");
            assert!(end.text().is_ascii() && (1..=123).contains(&end.text().len()), "{end}");
        }
    }
}
