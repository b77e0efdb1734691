//! Secrets that do not print themselves and are wiped when dropped.
//!
//! ```
//! use countersign::secret::Secret;
//!
//! let secret = Secret::new(*b"what nobody else may know");
//! assert!(secret.matches(b"what nobody else may know"));
//! assert!(!format!("{secret:?}").contains("nobody"));
//! ```

use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that must not be shown: an HMAC secret, a raw credential.
///
/// `Debug` shows nothing of them, not even the length; the memory is overwritten on drop.
///
/// ```
/// use countersign::secret::Secret;
///
/// let secret = Secret::new("an example secret of 32 octets..");
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the code that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether `other` is equal, in time that depends on the lengths alone.
    ///
    /// For comparing a presented password or API key with the expected one.
    ///
    /// ```
    /// use countersign::secret::Secret;
    ///
    /// let expected = Secret::new("correct horse");
    /// assert!(expected.matches(b"correct horse"));
    /// assert!(!expected.matches(b"battery staple"));
    /// ```
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        self.expose().ct_eq(other).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
