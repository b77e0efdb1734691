use countersign::request::{HeaderSource, RequestView};
use std::fmt;
use warp::http::{HeaderMap, HeaderValue, Method};

/// The header fields of a request, where they are: for what takes a [`RequestView`], such as an
/// [extractor](countersign::extract::TokenExtractor) of the application's own.
///
/// ```
/// use countersign::extract::CookieExtractor;
/// use countersign_warp::Headers;
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::http::{HeaderMap, Method, StatusCode};
///
/// /// Of a login, which has no cookie yet: whether one of our own pages sent it.
/// fn log_in(cookies: CookieExtractor) -> BoxedFilter<(StatusCode,)> {
///     let route = warp::path!("login").and(warp::post()).and(warp::header::headers_cloned());
///     let answer = move |headers: HeaderMap| match cookies.is_ours(&Headers(&headers).view(&Method::POST, "/login", None)) {
///         true => StatusCode::OK,
///         false => StatusCode::FORBIDDEN,
///     };
///     route.map(answer).boxed()
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Headers<'r>(pub &'r HeaderMap);

impl HeaderSource for Headers<'_> {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}

impl Headers<'_> {
    /// A view of the request. `path` is the whole one, undecoded: `warp::path::FullPath` has it.
    #[must_use]
    pub fn view<'v>(&'v self, method: &'v Method, path: &'v str, query: Option<&'v str>) -> RequestView<'v> {
        RequestView::new(method.as_str(), path, query, self)
    }
}

/// No field is shown: credentials stand in them.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}
