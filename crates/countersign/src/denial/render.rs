use crate::extract::is_token;
use crate::reason::Reason;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

/// What a [`Renderer`] sees of a refusal.
///
/// ```
/// use countersign::reason::Reason;
/// use countersign::screening::Refused;
///
/// // For the test of a renderer.
/// let refused = Refused::new(Reason::KeysUnavailable, "r-7").with_retry_after(Some(5));
/// assert_eq!((refused.status(), refused.retry_after), (503, Some(5)));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// Why. Its name is for choosing; clients are told the [code](Self::code) and the [description](Self::description).
    pub reason: Reason,
    /// What the refusal can be found by in the logs: 1 to 128 ASCII letters, digits, `-`, `_`, `.` and `:`.
    pub correlation_id: &'a str,
    /// What `Retry-After` says, in seconds.
    pub retry_after: Option<u64>,
}

impl<'a> Refused<'a> {
    /// A refusal for this reason, that is found by this id.
    #[must_use]
    pub fn new(reason: Reason, correlation_id: &'a str) -> Self {
        Self { reason, correlation_id, retry_after: None }
    }

    /// With this `Retry-After`, in seconds.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..self }
    }

    /// The HTTP status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.reason.status()
    }

    /// The code for a program, such as `invalid_token`: lower-case letters and `_`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason.body_code()
    }

    /// The sentence for a person, in English. A constant, in which nothing must be escaped.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.reason.description()
    }
}

/// A body and its media type.
///
/// ```
/// use countersign::screening::Rendered;
///
/// let page = Rendered::new("text/html; charset=utf-8", "<h1>Please log in</h1>");
/// assert_eq!(page.content_type(), Some("text/html; charset=utf-8"));
/// assert!(Rendered::empty().body().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Rendered {
    content_type: Option<Cow<'static, str>>,
    body: Bytes,
}

impl Rendered {
    /// A body of this media type (RFC 9110 §8.3.1), such as `text/plain; charset=utf-8`.
    pub fn new(content_type: impl Into<Cow<'static, str>>, body: impl Into<Bytes>) -> Self {
        Self { content_type: Some(content_type.into()), body: body.into() }
    }

    /// No body.
    pub fn empty() -> Self {
        Self { content_type: None, body: Bytes::new() }
    }

    /// The media type; `None` where there is no body.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Writes the bodies of refusals, in every framework alike.
///
/// The body is all it writes: status, challenges, `Cache-Control` and `Retry-After` stay as they are. It is asked once for
/// each refusal and must neither block nor panic. Where what it calls a media type is none, the body is the one of
/// [`BodyStyle::Problem`] instead.
///
/// ```
/// use countersign::reason::Reason;
/// use countersign::screening::{Refused, Rendered, Renderer};
///
/// /// Tells what to quote to support.
/// #[derive(Debug)]
/// struct Support;
/// impl Renderer for Support {
///     fn render(&self, refused: &Refused<'_>) -> Rendered {
///         let text = format!("{}. Reference: {}", refused.description(), refused.correlation_id);
///         Rendered::new("text/plain; charset=utf-8", text)
///     }
/// }
///
/// let body = Support.render(&Refused::new(Reason::NoCredentials, "r-7"));
/// assert_eq!(body, Rendered::new("text/plain; charset=utf-8", "Authentication is required. Reference: r-7"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` renders no refusals",
    note = "use a `BodyStyle`, or implement `Renderer`"
)]
pub trait Renderer: Debug + Send + Sync + 'static {
    /// The body that tells of this refusal.
    fn render(&self, refused: &Refused<'_>) -> Rendered;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Renderer + ?Sized> Renderer for $pointer<T> {
            fn render(&self, refused: &Refused<'_>) -> Rendered {
                (**self).render(refused)
            }
        }
    )*};
}
forward!(Arc, Box);

/// How the body of a refusal is written.
///
/// ```
/// use countersign::reason::Reason;
/// use countersign::screening::{BodyStyle, Refused, Renderer};
///
/// let refused = Refused::new(Reason::NoCredentials, "r-7");
/// assert_eq!(BodyStyle::Problem.render(&refused).content_type(), Some("application/problem+json"));
/// assert_eq!(BodyStyle::Empty.render(&refused).content_type(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyStyle {
    /// Problem details (RFC 9457), `application/problem+json`.
    #[default]
    Problem,
    /// `{"error": …, "error_description": …}`, `application/json`.
    Plain,
    /// No body.
    Empty,
}

impl Renderer for BodyStyle {
    fn render(&self, refused: &Refused<'_>) -> Rendered {
        let (status, code, description) = (refused.status(), refused.code(), refused.description());
        // Every part is a constant without a character that JSON escapes.
        match self {
            Self::Empty => Rendered::empty(),
            Self::Plain => Rendered::new(
                "application/json",
                format!(r#"{{"error":"{code}","error_description":"{description}"}}"#),
            ),
            Self::Problem => Rendered::new(
                "application/problem+json",
                format!(
                    r#"{{"type":"about:blank","title":"{}","status":{status},"detail":"{description}","error":"{code}"}}"#,
                    title(status)
                ),
            ),
        }
    }
}

/// The body that goes out, and its media type.
pub(super) fn render(renderer: &dyn Renderer, refused: &Refused<'_>) -> (Option<Cow<'static, str>>, Bytes) {
    let mut rendered = renderer.render(refused);
    if rendered.content_type.as_deref().is_some_and(|value| !is_media_type(value)) {
        rendered = BodyStyle::Problem.render(refused);
    }
    (rendered.content_type, rendered.body)
}

/// A type, a subtype, and parameters that a header field can carry (RFC 9110 §8.3.1).
fn is_media_type(value: &str) -> bool {
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let (kind, subtype) = essence.trim_end_matches(' ').split_once('/').unwrap_or_default();
    is_token(kind) && is_token(subtype) && parameters.bytes().all(|octet| matches!(octet, b' '..=b'~'))
}

/// RFC 9457 §4.2.1: with `about:blank`, the title is the status phrase.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
