use countersign::request::{HeaderSource, RequestView};
use http::{HeaderMap, HeaderValue, Method, Uri};
use std::fmt;

/// The header fields of a request, where they are: for what takes a [`RequestView`], such as an
/// [extractor](countersign::extract::TokenExtractor) of the application's own.
///
/// ```
/// use axum::extract::{OriginalUri, State};
/// use axum::http::{HeaderMap, Method, StatusCode};
/// use countersign::extract::CookieExtractor;
/// use countersign_axum::Headers;
///
/// /// Of a login, which has no cookie yet: whether one of our own pages sent it.
/// async fn log_in(
///     State(cookies): State<CookieExtractor>,
///     method: Method,
///     OriginalUri(uri): OriginalUri,
///     headers: HeaderMap,
/// ) -> StatusCode {
///     match cookies.is_ours(&Headers(&headers).view(&method, &uri)) {
///         true => StatusCode::OK,
///         false => StatusCode::FORBIDDEN,
///     }
/// }
/// # let cookies = CookieExtractor::new("__Host-session")?.origin("https://app.example")?;
/// # let _: axum::Router = axum::Router::new().route("/login", axum::routing::post(log_in)).with_state(cookies);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Headers<'r>(pub &'r HeaderMap);

impl HeaderSource for Headers<'_> {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}

impl Headers<'_> {
    /// A view of the request. Nested routers show handlers a shorter `uri`: take `OriginalUri` there.
    #[must_use]
    pub fn view<'v>(&'v self, method: &'v Method, uri: &'v Uri) -> RequestView<'v> {
        RequestView::new(method.as_str(), uri.path(), uri.query(), self)
    }
}

/// No field is shown: credentials stand in them.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}
