use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{Method, Uri};
use countersign::request::{HeaderSource, RequestView};
use std::fmt;

/// The header fields of a request, where they are: for what takes a [`RequestView`], such as an
/// [extractor](countersign::extract::TokenExtractor) of the application's own.
///
/// ```
/// use actix_web::web::Data;
/// use actix_web::{App, HttpRequest, HttpResponse, web};
/// use countersign::extract::CookieExtractor;
/// use countersign_actix::Headers;
///
/// /// Of a login, which has no cookie yet: whether one of our own pages sent it.
/// async fn log_in(cookies: Data<CookieExtractor>, request: HttpRequest) -> HttpResponse {
///     match cookies.is_ours(&Headers(request.headers()).view(request.method(), request.uri())) {
///         true => HttpResponse::Ok().finish(),
///         false => HttpResponse::Forbidden().finish(),
///     }
/// }
///
/// let app = App::new().route("/login", web::post().to(log_in));
/// # drop(app);
/// ```
#[derive(Clone, Copy)]
pub struct Headers<'r>(pub &'r HeaderMap);

impl HeaderSource for Headers<'_> {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.get_all(name).nth(nth).map(HeaderValue::as_bytes)
    }
}

impl Headers<'_> {
    /// A view of the request.
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
