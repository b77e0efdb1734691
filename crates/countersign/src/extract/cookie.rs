use super::{CsrfTokens, ExtractError, MAX_LINES, Place, SCHEME_OF_TOKENS, TokenExtractor, is_token, token68};
use crate::authority::check_origin;
use crate::config::ConfigError;
use crate::request::{Credential, RequestView};

/// Takes the token from a cookie, and guards it against requests that other sites cause (CSRF).
///
/// A browser sends cookies along whoever asked it to, so on an unsafe method (RFC 9110 §9.2.1), and on a WebSocket
/// handshake, which other sites may start and read, the cookie counts only where the browser says that the request is
/// ours:
///
/// 1. `Sec-Fetch-Site: same-origin` or `none` is ours;
/// 2. else an `Origin` that was configured with [`origin`](Self::origin) is ours;
/// 3. else a request with a token of [`csrf_tokens`](Self::csrf_tokens) that was issued for this very cookie is ours,
///    whatever the other fields say: a page of another site that has it was given it, and lets users work from there;
/// 4. everything else is refused with 403, a request with none of these fields among it.
///
/// Browsers may leave `Sec-Fetch-Site` out of WebSocket handshakes, as Chromium does, and cannot send a token there: where
/// there are any, name the origins.
///
/// Where there is no cookie nothing is asked, so a login asks for itself: [`is_ours`](Self::is_ours). Name the cookie with
/// `__Host-` ([`HostCookie`](crate::cookie::HostCookie)): neighbouring hosts can overwrite any other.
///
/// ```
/// use countersign::extract::{CookieExtractor, ExtractError, TokenExtractor};
/// use countersign::request::RequestView;
///
/// let cookie = CookieExtractor::new("__Host-session")?.origin("https://app.example")?;
/// let headers = [("cookie", "__Host-session=abc"), ("origin", "https://evil.example")];
/// assert!(cookie.extract(&RequestView::new("GET", "/", None, &headers)).is_ok());
/// let refused = cookie.extract(&RequestView::new("POST", "/", None, &headers));
/// assert_eq!(refused, Err(ExtractError::CrossSite));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieExtractor {
    name: String,
    origins: Vec<String>,
    csrf_tokens: Option<CsrfTokens>,
    any_site: bool,
}

impl CookieExtractor {
    /// The cookie of this name.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no cookie name (RFC 6265 §4.1.1).
    pub fn new(name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        if !is_token(&name) {
            return Err(ConfigError::new("cookie", "not a cookie name"));
        }
        Ok(Self { name, origins: Vec::new(), csrf_tokens: None, any_site: false })
    }

    /// An origin whose unsafe requests are ours, as browsers write it: `https://app.example`, in lower case, with no slash
    /// behind it, and with a port where that is not the default. May be called several times.
    ///
    /// ```
    /// use countersign::extract::CookieExtractor;
    ///
    /// let origin = |origin| CookieExtractor::new("__Host-session")?.origin(origin);
    /// assert!(origin("https://app.example:8443").is_ok());
    /// let error = origin("https://app.example:443").unwrap_err().to_string();
    /// assert_eq!(error, "`origin`: in a form that no client sends: write `https://app.example`");
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] when no browser sends it: it is no origin of `http` or `https`, or not in the one form that they write.
    pub fn origin(mut self, origin: impl Into<String>) -> Result<Self, ConfigError> {
        let origin = origin.into();
        check_origin("origin", &origin)?;
        self.origins.push(origin);
        Ok(self)
    }

    /// Takes an unsafe request that carries one of these tokens, issued for the cookie's value. WebSocket handshakes of
    /// pages cannot carry one.
    #[must_use]
    pub fn csrf_tokens(mut self, tokens: CsrfTokens) -> Self {
        self.csrf_tokens = Some(tokens);
        self
    }

    /// Takes the cookie whoever caused the request: **any site can act in the user's name**, unless the application looks
    /// for itself, as it must where the token is a field of a form ([`CsrfTokens::is_valid`]).
    #[must_use]
    pub fn danger_any_site(mut self) -> Self {
        self.any_site = true;
        self
    }

    /// The cookie's value. The same value twice is one; different values are refused.
    fn find<'r>(&self, request: &RequestView<'r>) -> Result<Option<&'r [u8]>, ExtractError> {
        let mut found = None;
        // HTTP/2 may split the field into several lines (RFC 9113 §8.2.3).
        for nth in 0.. {
            let Some(line) = request.headers.header("cookie", nth) else { break };
            if nth == MAX_LINES {
                return Err(ExtractError::Repeated);
            }
            for pair in line.split(|octet| *octet == b';') {
                let pair = pair.trim_ascii();
                let Some(at) = pair.iter().position(|octet| *octet == b'=') else { continue };
                let (name, value) = pair.split_at(at);
                let value = value.get(1..).unwrap_or_default();
                if name != self.name.as_bytes() || value.is_empty() {
                    continue;
                }
                match found {
                    None => found = Some(value),
                    Some(other) if other == value => {}
                    Some(_) => return Err(ExtractError::Repeated),
                }
            }
        }
        Ok(found)
    }

    /// Whether a request is ours by its method or by what the browser says of it (1 and 2 above), whatever cookie it has.
    ///
    /// For requests that have none and change something all the same. First of all for a login: another site could start
    /// one with credentials of its own, and the user would go on in a stranger's account. Anti-CSRF tokens have no say,
    /// because there is no session yet that they could belong to. Refuse the others with
    /// [`Guard::refuse`](crate::Guard::refuse) and [`Reason::CrossSite`](crate::reason::Reason::CrossSite).
    ///
    /// ```
    /// use countersign::extract::CookieExtractor;
    /// use countersign::request::RequestView;
    ///
    /// let cookie = CookieExtractor::new("__Host-session")?.origin("https://app.example")?;
    /// let is_ours = |site| cookie.is_ours(&RequestView::new("POST", "/login", None, &[("sec-fetch-site", site)]));
    /// assert!(is_ours("same-origin"));
    /// assert!(!is_ours("same-site") && !is_ours("cross-site"));
    /// assert!(!cookie.is_ours(&RequestView::new("POST", "/login", None, &[("accept", "*/*")])));
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_ours(&self, request: &RequestView<'_>) -> bool {
        if self.any_site {
            return true;
        }
        if request.is_safe() && request.headers.header("upgrade", 0).is_none() {
            return true;
        }
        let once = |name| match (request.headers.header(name, 0), request.headers.header(name, 1)) {
            (Some(value), None) => Some(value),
            _ => None,
        };
        if matches!(once("sec-fetch-site"), Some(b"same-origin" | b"none")) {
            return true;
        }
        once("origin").is_some_and(|origin| self.origins.iter().any(|ours| ours.as_bytes() == origin))
    }

    fn has_token_for(&self, request: &RequestView<'_>, session: &str) -> bool {
        self.csrf_tokens.as_ref().is_some_and(|tokens| tokens.comes_with(request, session))
    }
}

impl TokenExtractor for CookieExtractor {
    fn field(&self) -> Option<&str> {
        self.csrf_tokens.as_ref().map(CsrfTokens::field)
    }

    fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
        let Some(value) = self.find(request)? else { return Ok(None) };
        let text = token68(value)?;
        if !self.is_ours(request) && !self.has_token_for(request, text) {
            return Err(ExtractError::CrossSite);
        }
        Ok(Some(Credential::new(SCHEME_OF_TOKENS, text)))
    }

    fn place(&self) -> Place {
        Place::Cookie(self.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie() -> CookieExtractor {
        CookieExtractor::new("t").and_then(|c| c.origin("https://app.example")).expect("set up")
    }

    fn extract(method: &str, headers: &[(&str, &str)]) -> Result<Option<String>, ExtractError> {
        let found = cookie().extract(&RequestView::new(method, "/", None, &headers))?;
        Ok(found.map(|credential| credential.expose().to_owned()))
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = || Ok(Some("a.b".to_owned()));
        let cases: &[(&[(&str, &str)], Result<Option<String>, ExtractError>)] = &[
            (&[("cookie", "t=a.b")], found()),
            (&[("cookie", "x=1; t=a.b;y=2")], found()),
            (&[("cookie", "x=1"), ("cookie", "t=a.b")], found()),
            (&[("cookie", "t=a.b; t=a.b")], found()),
            (&[("cookie", "t=a.b; t=c")], Err(ExtractError::Repeated)),
            (&[("cookie", "t=a.b"), ("cookie", "t=c")], Err(ExtractError::Repeated)),
            (&[("cookie", "t=")], Ok(None)),
            (&[("cookie", "tt=a.b; T=a.b; t")], Ok(None)),
            (&[("cookie", "")], Ok(None)),
            (&[], Ok(None)),
            (&[("cookie", "t=\"a.b\"")], Err(ExtractError::Malformed)),
            (&[("cookie", "t=a b")], Err(ExtractError::Malformed)),
            (&[("cookie", "t=é")], Err(ExtractError::Malformed)),
        ];
        for (headers, expected) in cases {
            assert_eq!(&extract("GET", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn an_unsafe_request_needs_to_be_ours() {
        let ours: &[&[(&str, &str)]] = &[
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            // No page has a say in the first of them.
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("origin", "https://app.example")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://app.example")],
        ];
        let others: &[&[(&str, &str)]] = &[
            &[],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://app.example.evil.example")],
            &[("origin", "http://app.example")],
            &[("origin", "null")],
            &[("origin", "https://app.example"), ("origin", "https://evil.example")],
            &[("referer", "https://app.example/page")],
        ];
        for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "QUERY", "post", "get", "trace", ""] {
            for (headers, expected) in ours.iter().map(|h| (h, true)).chain(others.iter().map(|h| (h, false))) {
                let headers: Vec<_> = headers.iter().copied().chain([("cookie", "t=a.b")]).collect();
                let outcome = extract(method, &headers);
                let wanted = if expected { Ok(Some("a.b".to_owned())) } else { Err(ExtractError::CrossSite) };
                assert_eq!(outcome, wanted, "{method} {headers:?}");
                let headers = headers.split_last().map_or(&[][..], |(_, others)| others);
                let without_cookie = cookie().is_ours(&RequestView::new(method, "/", None, &headers));
                assert_eq!(without_cookie, expected, "{method} {headers:?}");
            }
            assert_eq!(extract(method, &[]), Ok(None), "without the cookie the extractor asks nothing");
        }
        let handshake = [("cookie", "t=a.b"), ("upgrade", "websocket"), ("origin", "https://evil.example")];
        assert_eq!(extract("GET", &handshake), Err(ExtractError::CrossSite));
        let handshake = [("cookie", "t=a.b"), ("upgrade", "websocket"), ("origin", "https://app.example")];
        assert_eq!(extract("GET", &handshake), Ok(Some("a.b".to_owned())));
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            let outcome = extract(method, &[("cookie", "t=a.b"), ("sec-fetch-site", "cross-site")]);
            assert_eq!(outcome, Ok(Some("a.b".to_owned())), "{method}");
        }
    }

    #[cfg(feature = "ring")]
    #[test]
    fn a_token_of_this_session_makes_an_unsafe_request_ours() {
        let tokens = |octet| CsrfTokens::new(crate::cache::FleetKey::new([octet; 32]).expect("a key"));
        let issue = |octet, session| tokens(octet).issue(session).expect("a token");
        let (own, padded) = (issue(7, "a.b"), format!(" {} ", issue(7, "a.b")));
        let (of_another, of_a_stranger) = (issue(7, "other"), issue(8, "a.b"));
        let cross = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
        let field = "x-csrf-token";
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[(field, &own)], true),
            (&[(field, &padded)], true),
            (&[("X-CSRF-Token", &own), cross[0], cross[1]], true),
            (&[(field, &own), ("origin", "null")], true),
            // What is no token takes nothing away from a request that is ours otherwise.
            (&[(field, "x"), ("sec-fetch-site", "same-origin")], true),
            (&[], false),
            (&cross, false),
            (&[(field, "")], false),
            (&[(field, "x")], false),
            (&[(field, &of_another)], false),
            (&[(field, &of_a_stranger)], false),
            (&[(field, &own[1..])], false),
            (&[(field, &own), (field, &own)], false),
            (&[(field, &own), (field, "x")], false),
            (&[("x-xsrf-token", &own)], false),
            (&[("cookie", &format!("csrf={own}"))], false),
        ];
        let cookie = cookie();
        let with_tokens = cookie.clone().csrf_tokens(tokens(7));
        let ask = |cookie: &CookieExtractor, method, headers: &[(&str, &str)]| {
            let headers: Vec<_> = headers.iter().copied().chain([("cookie", "t=a.b")]).collect();
            let headers = headers.as_slice();
            cookie.extract(&RequestView::new(method, "/", None, &headers)).map(|found| found.is_some())
        };
        for (headers, is_ours) in cases {
            let expected = if *is_ours { Ok(true) } else { Err(ExtractError::CrossSite) };
            for method in ["POST", "DELETE"] {
                assert_eq!(ask(&with_tokens, method, headers), expected, "{method} {headers:?}");
            }
            assert_eq!(ask(&with_tokens, "GET", headers), Ok(true), "{headers:?}");
            let by_header = headers.iter().any(|(name, value)| (*name, *value) == ("sec-fetch-site", "same-origin"));
            let without_session = with_tokens.is_ours(&RequestView::new("POST", "/", None, headers));
            assert_eq!(without_session, by_header, "a token is of a session: {headers:?}");
            assert_eq!(ask(&cookie.clone().danger_any_site(), "POST", headers), Ok(true), "{headers:?}");
        }
        assert_eq!(ask(&cookie, "POST", &[(field, &own)]), Err(ExtractError::CrossSite), "nobody said so");
        let renamed = cookie.csrf_tokens(tokens(7).header("X-XSRF-Token").expect("a field"));
        assert_eq!(ask(&renamed, "POST", &[("x-xsrf-token", &own)]), Ok(true));
        assert_eq!(ask(&renamed, "POST", &[(field, &own)]), Err(ExtractError::CrossSite));
    }

    #[test]
    fn origins_and_names_are_checked() {
        for bad in
            ["app.example", "https://app.example/", "https://app.example:443", "https://app.example:99999", "null"]
        {
            let error = CookieExtractor::new("t").expect("a name").origin(bad).expect_err(bad);
            assert_eq!(error.setting(), "origin", "{bad}");
        }
        assert!(CookieExtractor::new("a b").is_err());
        assert!(CookieExtractor::new("").is_err());
    }
}
