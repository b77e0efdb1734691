//! The rules of [`Renderer`].

use countersign::reason::{Reason, Rejection};
use countersign::screening::{Refused, Renderer};

/// Runs the rules of [`Renderer`] against one: for every reason, with and without `Retry-After`, and with ids short and long.
///
/// - It does not panic, and writes the same body for the same refusal.
/// - A body has a media type, with parameters that a header field can carry; without a body there is none.
/// - What is called JSON is JSON, and what is called `charset=utf-8` is UTF-8.
///
/// ```
/// use countersign::screening::BodyStyle;
/// use countersign_testkit::conformance;
///
/// conformance::renderer(BodyStyle::Problem);
/// ```
///
/// # Panics
/// Where a rule does not hold.
pub fn renderer(renderer: impl Renderer) {
    let long = "a".repeat(128);
    for reason in reasons() {
        for id in ["7", "0af7651916cd43dd8448eb211c80319c", "A-b_c.d:e", &long] {
            for retry_after in [None, Some(1), Some(30)] {
                let refused = Refused::new(reason, id).with_retry_after(retry_after);
                let rendered = renderer.render(&refused);
                assert_eq!(renderer.render(&refused), rendered, "one refusal has one body: {reason}");
                let (media_type, body) = (rendered.content_type(), rendered.body());
                let Some(media_type) = media_type else {
                    assert!(body.is_empty(), "a body has a media type: {reason}");
                    continue;
                };
                assert!(is_media_type(media_type), "the media type is one (RFC 9110 §8.3.1): {media_type:?}, {reason}");
                let essence = media_type.split(';').next().unwrap_or_default().trim_end().to_ascii_lowercase();
                if essence == "application/json" || essence.ends_with("+json") {
                    let is_json = serde_json::from_slice::<serde_json::Value>(body).is_ok();
                    assert!(is_json, "what is called JSON is JSON: {body:?}, {reason}");
                }
                if media_type.to_ascii_lowercase().contains("utf-8") {
                    assert!(std::str::from_utf8(body).is_ok(), "what is called UTF-8 is UTF-8: {reason}");
                }
            }
        }
    }
}

fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet))
    };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let halves = essence.trim_end_matches(' ').split_once('/');
    halves.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        && parameters.bytes().all(|octet| matches!(octet, b' '..=b'~'))
}

/// Every reason for which a request is refused.
pub(super) fn reasons() -> Vec<Reason> {
    use Rejection as R;
    let rejections = [
        R::TooLarge,
        R::Malformed,
        R::Padding,
        R::Algorithm,
        R::CriticalHeader,
        R::TokenType,
        R::UnknownKey,
        R::KeyMismatch,
        R::KeyAmbiguous,
        R::Signature,
        R::Issuer,
        R::Audience,
        R::Expired,
        R::NotYetValid,
        R::IssuedInFuture,
        R::MissingClaim,
        R::InvalidClaim,
        R::Subject,
        R::AuthorizedParty,
        R::Nonce,
        R::AccessTokenHash,
        R::TooOld,
        R::Lifetime,
        R::Confirmation,
        R::SecurityEvent,
        R::Check("own"),
        R::Credentials,
    ];
    let others = [
        Reason::NoCredentials,
        Reason::SeveralCredentials,
        Reason::MalformedRequest,
        Reason::CrossSite,
        Reason::Revoked,
        Reason::ClaimsType,
        Reason::NotAllowed,
        Reason::NotReady,
        Reason::KeysUnavailable,
        Reason::RevocationUnknown,
        Reason::Undecided,
        Reason::Unguarded,
        Reason::Unjudged,
    ];
    rejections.into_iter().map(Reason::Rejected).chain(others).collect()
}
