use countersign::keys::KeyError;

/// Why something of one library has no counterpart in the other. Holds nothing of what was to be converted.
///
/// ```
/// use countersign::Algorithm;
/// use countersign_jsonwebtoken::{ConversionError, ToJsonwebtoken};
///
/// let error: ConversionError = Algorithm::ES512.to_jsonwebtoken().unwrap_err();
/// assert!(!error.to_string().is_empty()); // what cannot be held there, and no octet of a key
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// The other library has nothing of the kind.
    #[error("the other library has no such thing: {0}")]
    NoCounterpart(&'static str),
    /// The other library has the thing, and a part of it would be lost.
    #[error("a part would be lost: {0}")]
    Loss(&'static str),
    /// A header that does not fit the key that it is for.
    #[error("the header does not fit the key: {0}")]
    Misfit(&'static str),
    /// The key itself is refused.
    #[error("the key is refused: {0}")]
    Key(#[from] KeyError),
}
