//! Where is it? The seam [`TokenExtractor`], and extractors for header fields and cookies.

mod cookie;
mod header;

pub use cookie::CookieExtractor;
pub use header::HeaderExtractor;

use crate::request::{Credential, RequestView};
use std::fmt::Debug;
use std::sync::Arc;

/// A request that cannot be taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// A field or cookie that may stand once stands several times: 400.
    #[error("the credential is repeated")]
    Repeated,
    /// The credential is not written as its scheme demands: 400.
    #[error("the credential is malformed")]
    Malformed,
    /// A cookie credential on an unsafe request that another site may have caused: 403.
    #[error("the request comes from another site")]
    CrossSite,
}

/// Finds the credential of a request.
///
/// ```
/// use countersign::extract::{ExtractError, TokenExtractor};
/// use countersign::request::{Credential, RequestView};
///
/// /// Devices of ours send their token in a field of its own.
/// #[derive(Debug)]
/// struct DeviceToken;
/// impl TokenExtractor for DeviceToken {
///     fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
///         let Some(value) = request.headers.header("x-device-token", 0) else { return Ok(None) };
///         let text = std::str::from_utf8(value).map_err(|_| ExtractError::Malformed)?;
///         Ok(Some(Credential::new("Bearer", text)))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` extracts no credentials",
    note = "use `HeaderExtractor` or `CookieExtractor`, or implement `TokenExtractor`"
)]
pub trait TokenExtractor: Debug + Send + Sync + 'static {
    /// The credential; `None` when it is not here.
    ///
    /// # Errors
    /// [`ExtractError`] when something is here that cannot be taken. It ends the request.
    fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError>;

    /// The authentication scheme that a challenge names (RFC 9110 §11.1).
    fn scheme(&self) -> &str {
        SCHEME_OF_TOKENS
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: TokenExtractor + ?Sized> TokenExtractor for $pointer<T> {
            fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
                (**self).extract(request)
            }

            fn scheme(&self) -> &str {
                (**self).scheme()
            }
        }
    )*};
}
forward!(Arc, Box);

/// The scheme of a token that comes without one: in a cookie, or in a field of its own.
const SCHEME_OF_TOKENS: &str = "Bearer";

/// A token68 (RFC 9110 §11.2), which RFC 6750 §2.1 calls b64token.
fn token68(value: &[u8]) -> Result<&str, ExtractError> {
    let padding = value.iter().rev().take_while(|octet| **octet == b'=').count();
    let body = value.get(..value.len() - padding).unwrap_or_default();
    let is_body = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(octet);
    if body.is_empty() || !body.iter().all(is_body) {
        return Err(ExtractError::Malformed);
    }
    std::str::from_utf8(value).map_err(|_| ExtractError::Malformed)
}

/// An octet of a token (RFC 9110 §5.6.2): field names and schemes are made of them.
fn is_tchar(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_tchar)
}
