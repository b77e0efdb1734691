//! A request, as much of it as a verdict needs, borrowed from whatever framework holds it.
//!
//! ```
//! use countersign::request::RequestView;
//!
//! // Header fields in a list, for tests; an adapter lends its framework's own.
//! let headers = [("Authorization", "Bearer abc"), ("Accept", "text/html")];
//! let request = RequestView::new("POST", "/posts", Some("draft=1"), &headers);
//! assert_eq!(request.headers.header("authorization", 0), Some(&b"Bearer abc"[..]));
//! assert!(!request.is_safe());
//! ```

use std::borrow::Cow;
use std::fmt;
use zeroize::Zeroizing;

/// Reads header fields of a request, without copying.
///
/// `Sync`, because a view of the request is held while a verdict is awaited.
///
/// ```
/// use countersign::request::{HeaderSource, RequestView};
/// use std::collections::BTreeMap;
///
/// /// The header fields of some framework: names in lower case.
/// struct Fields(BTreeMap<String, Vec<String>>);
///
/// impl HeaderSource for Fields {
///     fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
///         Some(self.0.get(name)?.get(nth)?.as_bytes())
///     }
/// }
///
/// let fields = Fields(BTreeMap::from([("authorization".into(), vec!["Bearer x".into()])]));
/// let request = RequestView::new("GET", "/posts", None, &fields);
/// assert_eq!(request.headers.header("authorization", 0), Some(&b"Bearer x"[..]));
/// assert_eq!(request.headers.header("authorization", 1), None); // it stands there once
/// ```
pub trait HeaderSource: Sync {
    /// The value of the `nth` field line named `name` (lower case), counted from zero, in order of arrival.
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]>;
}

/// Header fields in a list: for tests, and for callers that hold them so.
///
/// ```
/// use countersign::request::HeaderSource;
///
/// let headers = [("Cookie", "a=1"), ("cookie", "b=2")];
/// assert_eq!(headers.header("cookie", 1), Some(&b"b=2"[..]));
/// ```
impl<N: AsRef<str> + Sync, V: AsRef<[u8]> + Sync> HeaderSource for &[(N, V)] {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        nth_value(self, name, nth)
    }
}

impl<N: AsRef<str> + Sync, V: AsRef<[u8]> + Sync, const LEN: usize> HeaderSource for [(N, V); LEN] {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        nth_value(self, name, nth)
    }
}

fn nth_value<'l, N: AsRef<str>, V: AsRef<[u8]>>(list: &'l [(N, V)], name: &str, nth: usize) -> Option<&'l [u8]> {
    list.iter().filter(|(own, _)| own.as_ref().eq_ignore_ascii_case(name)).nth(nth).map(|(_, value)| value.as_ref())
}

/// What extractors and authorizers see of a request.
///
/// ```
/// use countersign::request::RequestView;
///
/// let headers = [("authorization", "Bearer x")];
/// let request = RequestView::new("GET", "/posts", None, &headers);
/// assert!(request.is_safe());
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct RequestView<'r> {
    /// The method, as it stands in the request line.
    pub method: &'r str,
    /// The path, undecoded, as the client sent it.
    pub path: &'r str,
    /// The query, undecoded, without the question mark.
    pub query: Option<&'r str>,
    /// The header fields.
    pub headers: &'r dyn HeaderSource,
}

impl<'r> RequestView<'r> {
    /// A view of these parts.
    #[must_use]
    pub fn new(method: &'r str, path: &'r str, query: Option<&'r str>, headers: &'r dyn HeaderSource) -> Self {
        Self { method, path, query, headers }
    }

    /// Whether the method is safe (RFC 9110 §9.2.1): GET, HEAD, OPTIONS or TRACE.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    /// Whether this is the question that browsers ask before a request to another origin (Fetch, "CORS-preflight
    /// request"): `OPTIONS` with one `Origin` and one `Access-Control-Request-Method`. Anybody can send one.
    ///
    /// ```
    /// use countersign::request::RequestView;
    ///
    /// let headers = [("origin", "https://app.example"), ("access-control-request-method", "DELETE")];
    /// assert!(RequestView::new("OPTIONS", "/posts/7", None, &headers).is_preflight());
    /// ```
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        let stands_once = |name| {
            self.headers.header(name, 0).is_some_and(|value| !value.is_empty())
                && self.headers.header(name, 1).is_none()
        };
        self.method == "OPTIONS" && stands_once("origin") && stands_once("access-control-request-method")
    }
}

/// What a request carried to prove who asks: a token, a password, something of an application's own.
///
/// Opaque, and `Debug` shows the scheme alone.
///
/// ```
/// use countersign::request::Credential;
///
/// let credential = Credential::new("Bearer", "abc");
/// assert!(credential.is_scheme("bearer"));
/// assert_eq!(credential.expose(), "abc");
/// assert_eq!(format!("{credential:?}"), r#"Credential { scheme: "Bearer", .. }"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credential<'r> {
    scheme: &'r str,
    text: Cow<'r, str>,
}

impl<'r> Credential<'r> {
    /// A credential of an authentication scheme (RFC 9110 §11.1), and its text: borrowed from the request, or owned where
    /// it stands there in another form.
    #[must_use]
    pub fn new(scheme: &'r str, text: impl Into<Cow<'r, str>>) -> Self {
        Self { scheme, text: text.into() }
    }

    /// Whether it came under this authentication scheme, compared without case (RFC 9110 §11.1). A token that came
    /// without one counts as `Bearer`.
    #[must_use]
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The text, for the code that judges it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// A verified token as it was sent: to call another service in the sender's name, or to bind something to the session.
///
/// Send it to those alone for whom it is meant: whoever has it can do all that it allows, and a service that is not in its
/// audience must not take it. For others there is token exchange (RFC 8693). Whoever verifies it has made it:
/// [`Screening::sent_token`](crate::screening::Screening::sent_token). `Debug` shows the scheme alone; the text is wiped when
/// dropped.
///
/// ```
/// use countersign::request::SentToken;
///
/// /// The field with which another service of the same audience is asked in the sender's name.
/// fn field(sent: &SentToken) -> (&'static str, String) {
///     ("authorization", sent.authorization().to_string())
/// }
/// ```
#[derive(Clone)]
pub struct SentToken {
    scheme: String,
    text: Zeroizing<String>,
}

impl SentToken {
    pub(crate) fn new(credential: &Credential<'_>) -> Self {
        // Written as RFC 6750 writes it, however the sender did.
        let scheme = if credential.is_scheme("Bearer") { "Bearer" } else { credential.scheme };
        Self { scheme: scheme.to_owned(), text: Zeroizing::new(credential.text.to_string()) }
    }

    /// The token.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value of an `Authorization` field that sends it on: `Bearer …`.
    #[must_use]
    pub fn authorization(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{} {}", self.scheme, self.expose()))
    }
}

impl fmt::Debug for SentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentToken").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView").field("method", &self.method).finish_non_exhaustive()
    }
}
