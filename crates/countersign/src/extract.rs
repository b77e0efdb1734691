//! Where is it? The seam [`TokenExtractor`], and extractors for header fields, cookies, WebSocket subprotocols and, by
//! the door of danger, the query.
//!
//! ```
//! use countersign::extract::{ExtractError, HeaderExtractor, TokenExtractor};
//! use countersign::request::RequestView;
//!
//! let bearer = HeaderExtractor::bearer();
//! let headers = [("authorization", "Bearer abc")];
//! let found = bearer.extract(&RequestView::new("GET", "/posts", None, &headers))?;
//! assert_eq!(found.as_ref().map(|credential| credential.expose()), Some("abc"));
//!
//! // Twice is once too often: another part of the system may look at the other one.
//! let headers = [("authorization", "Bearer abc"), ("authorization", "Bearer xyz")];
//! assert_eq!(bearer.extract(&RequestView::new("GET", "/posts", None, &headers)), Err(ExtractError::Repeated));
//! # Ok::<(), ExtractError>(())
//! ```

mod cookie;
mod csrf;
mod header;
mod query;
mod subprotocol;

pub use cookie::CookieExtractor;
pub(crate) use csrf::CSRF_FIELD;
pub use csrf::CsrfTokens;
pub use header::HeaderExtractor;
pub use query::QueryExtractor;
pub use subprotocol::{SubprotocolExtractor, Subprotocols};

use crate::request::{Credential, RequestView};
use serde::Serialize;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// A request that cannot be taken as it is.
///
/// ```
/// use countersign::extract::{ExtractError, HeaderExtractor, TokenExtractor};
/// use countersign::request::RequestView;
///
/// let headers = [("authorization", "Bearer two words")];
/// let request = RequestView::new("GET", "/posts", None, &headers);
/// assert_eq!(HeaderExtractor::bearer().extract(&request), Err(ExtractError::Malformed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// A field or cookie that may stand once stands several times: 400.
    #[error("the credential is repeated")]
    Repeated,
    /// The credential is not written as its scheme demands: 400.
    #[error("the credential is malformed")]
    Malformed,
    /// A cookie credential on an unsafe request that another site may have caused (CSRF): 403.
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
///         if request.headers.header("x-device-token", 1).is_some() {
///             return Err(ExtractError::Repeated); // which of them counts, nobody can tell
///         }
///         match std::str::from_utf8(value) {
///             Ok(text) if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic()) => {
///                 Ok(Some(Credential::new("Bearer", text)))
///             }
///             _ => Err(ExtractError::Malformed),
///         }
///     }
///     fn field(&self) -> Option<&str> {
///         Some("x-device-token")
///     }
/// }
/// ```
///
/// `countersign_testkit::conformance::token_extractor` runs the rules that callers rely on.
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

    /// The header field, in lower case, that holds the credential alone or what goes with it, such as an anti-CSRF token; `None`
    /// where there is none, or it is `Authorization`, `Cookie` or the like. A guard does not take that field for the [request's id](crate::screening::GuardBuilder::correlation_header).
    fn field(&self) -> Option<&str> {
        None
    }

    /// Where this looks, for [manifests](crate::manifest) and what is made of them. What [`field`](Self::field) says, unless
    /// there is more to say.
    fn place(&self) -> Place {
        self.field().map_or(Place::Elsewhere, |field| Place::Header(field.to_owned()))
    }

    /// The authentication scheme that a challenge names (RFC 9110 §11.1).
    fn scheme(&self) -> &str {
        SCHEME_OF_TOKENS
    }

    /// The method of RFC 6750 by which this takes tokens, for [metadata](crate::resource_metadata); `None` for a way that
    /// it does not know.
    fn bearer_method(&self) -> Option<BearerMethod> {
        None
    }
}

/// A way to send a bearer token (RFC 6750 §2) that a request shows before its body is read.
///
/// ```
/// use countersign::extract::{BearerMethod, CookieExtractor, HeaderExtractor, TokenExtractor};
///
/// assert_eq!(HeaderExtractor::bearer().bearer_method(), Some(BearerMethod::Header));
/// assert_eq!(BearerMethod::Header.name(), "header"); // as it stands in metadata
/// assert_eq!(CookieExtractor::new("__Host-session")?.bearer_method(), None);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BearerMethod {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    Header,
    /// `access_token` in the query (RFC 6750 §2.3).
    Query,
}

impl BearerMethod {
    /// The name in `bearer_methods_supported` (RFC 9728 §2).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
        }
    }
}

/// The place in a request where a credential stands.
///
/// ```
/// use countersign::extract::{CookieExtractor, HeaderExtractor, Place, TokenExtractor};
///
/// assert_eq!(HeaderExtractor::bearer().place(), Place::Authorization("Bearer".into()));
/// assert_eq!(CookieExtractor::new("__Host-session")?.place().to_string(), "cookie __Host-session");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Place {
    /// The field `Authorization`, behind this scheme (RFC 9110 §11.6.2).
    Authorization(String),
    /// A header field of this name, in lower case.
    Header(String),
    /// A cookie of this name.
    Cookie(String),
    /// A parameter of the query of this name.
    Query(String),
    /// Where an extractor of the application's own looks, that does not say.
    Elsewhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization(scheme) => write!(f, "authorization {scheme}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Elsewhere => f.write_str("elsewhere"),
        }
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: TokenExtractor + ?Sized> TokenExtractor for $pointer<T> {
            fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
                (**self).extract(request)
            }

            fn field(&self) -> Option<&str> {
                (**self).field()
            }

            fn place(&self) -> Place {
                (**self).place()
            }

            fn scheme(&self) -> &str {
                (**self).scheme()
            }

            fn bearer_method(&self) -> Option<BearerMethod> {
                (**self).bearer_method()
            }
        }
    )*};
}
forward!(Arc, Box);

/// More lines of one field are not looked through: an adapter goes through all of them for each.
const MAX_LINES: usize = 256;

/// The scheme of a token that comes without one: in a cookie, or in a field of its own.
pub(crate) const SCHEME_OF_TOKENS: &str = "Bearer";

/// A token68 (RFC 9110 §11.2), which RFC 6750 §2.1 calls b64token.
pub(crate) fn token68(value: &[u8]) -> Result<&str, ExtractError> {
    let padding = value.iter().rev().take_while(|octet| **octet == b'=').count();
    let body = value.get(..value.len() - padding).unwrap_or_default();
    let is_body = |octet: u8| {
        octet.is_ascii_alphanumeric()
            | (octet == b'-')
            | (octet == b'_')
            | (octet == b'.')
            | (octet == b'~')
            | (octet == b'+')
            | (octet == b'/')
    };
    // All of it is looked at, many octets at a time.
    if body.is_empty() || !body.iter().fold(true, |all, octet| all & is_body(*octet)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extractors() -> [(&'static str, Box<dyn TokenExtractor>); 5] {
        [
            ("authorization", Box::new(HeaderExtractor::bearer())),
            ("x-token", Box::new(HeaderExtractor::new("x-token").expect("a name"))),
            ("cookie", Box::new(CookieExtractor::new("t").expect("a name"))),
            ("sec-websocket-protocol", Box::new(SubprotocolExtractor::new("t").expect("a prefix"))),
            ("", Box::new(QueryExtractor::danger_new("t").expect("a name"))),
        ]
    }

    #[test]
    fn the_methods_of_rfc_6750_are_known_as_such() {
        let header = |name, scheme: &str| -> Box<dyn TokenExtractor> {
            Box::new(HeaderExtractor::new(name).and_then(|header| header.prefix(scheme)).expect("a scheme"))
        };
        let query =
            |name: &str| -> Box<dyn TokenExtractor> { Box::new(QueryExtractor::danger_new(name).expect("a name")) };
        let cases = [
            (header("Authorization", "bearer"), Some(BearerMethod::Header)),
            (Box::new(Arc::new(HeaderExtractor::bearer())), Some(BearerMethod::Header)),
            (query("access_token"), Some(BearerMethod::Query)),
            (header("Authorization", "Token"), None),
            (header("x-authorization", "Bearer"), None),
            (Box::new(HeaderExtractor::new("authorization").expect("a name")), None),
            (query("token"), None),
            (Box::new(CookieExtractor::new("t").expect("a name")), None),
            (Box::new(SubprotocolExtractor::new("t").expect("a prefix")), None),
        ];
        for (extractor, method) in cases {
            assert_eq!(extractor.bearer_method(), method, "{extractor:?}");
        }
    }

    #[test]
    fn each_extractor_says_where_it_looks() {
        #[derive(Debug)]
        struct Own(Option<&'static str>);
        impl TokenExtractor for Own {
            fn extract<'r>(&self, _: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
                Ok(None)
            }
            fn field(&self) -> Option<&str> {
                self.0
            }
        }
        let header = |name, scheme: &str| -> Box<dyn TokenExtractor> {
            Box::new(HeaderExtractor::new(name).and_then(|header| header.prefix(scheme)).expect("a scheme"))
        };
        let places = extractors().map(|(_, extractor)| extractor.place().to_string());
        let expected =
            ["authorization Bearer", "header x-token", "cookie t", "header sec-websocket-protocol", "query t"];
        assert_eq!(places, expected);
        let cases: [(Box<dyn TokenExtractor>, &str); 6] = [
            (header("Authorization", "Token"), "authorization Token"),
            (header("X-Token", "Bearer"), "header x-token"),
            (Box::new(HeaderExtractor::new("Authorization").expect("a name")), "header authorization"),
            (Box::new(Own(None)), "elsewhere"),
            (Box::new(Own(Some("x-device"))), "header x-device"),
            (Box::new(Arc::new(HeaderExtractor::bearer())), "authorization Bearer"),
        ];
        for (extractor, place) in cases {
            assert_eq!(extractor.place().to_string(), place, "{extractor:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_extracted_stands_in_the_request(
            lines in prop::collection::vec(prop_oneof![any::<Vec<u8>>(), "((Bearer |t=|t[.])?[a-c.=,; é%]{0,8}){0,3}".prop_map(String::into_bytes)], 0..3),
            query in "([t&=%64+.é]|t=[a-c.]{0,4}){0,8}",
        ) {
            for (field, extractor) in extractors() {
                let headers: Vec<_> = lines.iter().map(|line| (field, line)).collect();
                let headers = headers.as_slice();
                let request = RequestView::new("GET", "/", Some(&query), &headers);
                let Ok(Some(found)) = extractor.extract(&request) else { continue };
                let text = found.expose();
                prop_assert!(text.bytes().all(|octet| octet.is_ascii_graphic()) && !text.is_empty());
                let stands_in = |source: &[u8]| source.windows(text.len()).any(|part| part == text.as_bytes());
                if field.is_empty() {
                    // No other codes can follow a `%` here.
                    let codes = [("%44", "D"), ("%46", "F"), ("%64", "d"), ("%66", "f")];
                    let decoded = codes.iter().fold(query.clone(), |query, (code, letter)| query.replace(code, letter));
                    prop_assert!(stands_in(decoded.as_bytes()), "{text} in {query}");
                } else {
                    prop_assert!(lines.iter().any(|line| stands_in(line)), "{text} in {lines:?}");
                }
            }
        }
    }
}
