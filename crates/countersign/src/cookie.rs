//! Cookies that hold a session, set and cleared rightly.
//!
//! ```
//! use countersign::cookie::HostCookie;
//! use std::time::Duration;
//!
//! let session = HostCookie::new("__Host-session")?;
//! let set = session.set("a.signed.token", Duration::from_secs(900))?;
//! assert!(set.starts_with("__Host-session=a.signed.token") && set.contains("HttpOnly") && set.contains("Secure"));
//! assert!(session.clear().contains("Expires=Thu, 01 Jan 1970"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::config::ConfigError;
use crate::extract::is_token;
use std::time::Duration;

/// A cookie whose name begins with `__Host-` (RFC 6265bis §4.1.3.2): browsers take it from this host alone, over TLS alone,
/// and send it nowhere else. It is the cookie to keep a token in.
///
/// What comes out is the value of one `Set-Cookie` field:
///
/// - `Path=/; Secure` and no `Domain`, which the prefix demands;
/// - `HttpOnly`, so that no script can read it, unless the cookie is [`readable`](Self::readable);
/// - `SameSite=Lax`, or [`Strict`](SameSite::Strict). There is no `None`: other sites could use the cookie.
///
/// Send the answer that sets or clears a cookie with `Cache-Control: no-store`.
///
/// ```
/// use countersign::cookie::HostCookie;
/// use std::time::Duration;
///
/// let session = HostCookie::new("__Host-session")?;
/// assert_eq!(
///     session.set("a.b.c", Duration::from_secs(600))?,
///     "__Host-session=a.b.c; Path=/; Secure; SameSite=Lax; Max-Age=600; HttpOnly",
/// );
/// assert_eq!(
///     session.clear(),
///     "__Host-session=; Path=/; Secure; SameSite=Lax; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HostCookie {
    name: String,
    same_site: SameSite,
    readable: bool,
}

/// To which requests of other sites a browser adds a cookie (RFC 6265bis §4.1.2.7).
///
/// ```
/// use countersign::cookie::{HostCookie, SameSite};
/// use std::time::Duration;
///
/// // A console that no other site links to.
/// let session = HostCookie::new("__Host-session")?.same_site(SameSite::Strict);
/// assert!(session.set("a.signed.token", Duration::from_secs(900))?.contains("SameSite=Strict"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// To links that are followed, so that whoever comes from elsewhere is logged in.
    #[default]
    Lax,
    /// To none.
    Strict,
}

/// Why a value goes into no cookie. It holds no part of the value.
///
/// ```
/// use countersign::cookie::{CookieError, HostCookie};
/// use std::time::Duration;
///
/// let session = HostCookie::new("__Host-session")?;
/// let minute = Duration::from_secs(60);
/// assert_eq!(session.set("a; Domain=other.example", minute), Err(CookieError::NotCookieOctets));
/// assert_eq!(session.set(&"a".repeat(5_000), minute), Err(CookieError::TooLong)); // browsers would drop it in silence
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// It is empty, or has white space, a quotation mark, a comma, a semicolon, a backslash, a control character or
    /// anything beyond ASCII (RFC 6265 §4.1.1).
    #[error("the value is not made of cookie octets")]
    NotCookieOctets,
    /// Name, value and attributes are longer than 4096 octets together, which browsers need not keep (RFC 6265 §6.1). It
    /// is not cut into pieces.
    #[error("the cookie is longer than {MAX_LEN} octets")]
    TooLong,
}

const MAX_LEN: usize = 4096;
const PREFIX: &str = "__Host-";

impl HostCookie {
    /// The cookie of this name.
    ///
    /// # Errors
    /// [`ConfigError`] when the name does not begin with `__Host-`, ends there, or is no cookie name (RFC 6265 §4.1.1).
    pub fn new(name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        if !name.strip_prefix(PREFIX).is_some_and(is_token) {
            return Err(ConfigError::new("cookie", "not a cookie name that begins with `__Host-`"));
        }
        Ok(Self { name, same_site: SameSite::default(), readable: false })
    }

    /// Which requests of other sites have it, instead of [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Lets scripts of the page read it: for what they must send back in a header field, such as
    /// [anti-CSRF tokens](crate::extract::CsrfTokens). Never for a session, which any injected script could carry away.
    /// Pages on other ports of the host can read it too (RFC 6265 §8.5).
    ///
    /// ```
    /// use countersign::cookie::HostCookie;
    /// use std::time::Duration;
    ///
    /// let csrf = HostCookie::new("__Host-csrf")?.readable();
    /// assert!(!csrf.set("x", Duration::from_secs(600))?.contains("HttpOnly"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn readable(mut self) -> Self {
        self.readable = true;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `Set-Cookie` value that gives the cookie this value for `max_age`, counted in whole seconds. For a token, that is
    /// what is left of its life. Under a second it is [`clear`](Self::clear)'s.
    ///
    /// # Errors
    /// [`CookieError`] for a value that does not go into a cookie as it is.
    pub fn set(&self, value: &str, max_age: Duration) -> Result<String, CookieError> {
        if value.is_empty() || !value.bytes().all(is_cookie_octet) {
            return Err(CookieError::NotCookieOctets);
        }
        let cookie = match max_age.as_secs() {
            0 => return Ok(self.clear()),
            seconds => self.field(value, &format!("Max-Age={seconds}")),
        };
        if cookie.len() > MAX_LEN { Err(CookieError::TooLong) } else { Ok(cookie) }
    }

    /// The `Set-Cookie` value that makes browsers forget the cookie (RFC 6265 §3.1).
    #[must_use]
    pub fn clear(&self) -> String {
        self.field("", "Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    }

    fn field(&self, value: &str, lifetime: &str) -> String {
        let Self { name, same_site, readable } = self;
        let same_site = match same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
        };
        let http_only = if *readable { "" } else { "; HttpOnly" };
        format!("{name}={value}; Path=/; Secure; SameSite={same_site}; {lifetime}{http_only}")
    }
}

/// RFC 6265 §4.1.1. The quotation marks that may stand around a value are no part of it everywhere, so they are refused.
fn is_cookie_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn cookie() -> HostCookie {
        HostCookie::new("__Host-s").expect("a name")
    }

    #[test]
    fn each_setting_has_its_attributes_and_never_a_domain() {
        let strict = cookie().same_site(SameSite::Strict);
        let cases = [
            (cookie(), "Path=/; Secure; SameSite=Lax; Max-Age=3600; HttpOnly"),
            (cookie().readable(), "Path=/; Secure; SameSite=Lax; Max-Age=3600"),
            (strict.clone(), "Path=/; Secure; SameSite=Strict; Max-Age=3600; HttpOnly"),
            (strict.readable(), "Path=/; Secure; SameSite=Strict; Max-Age=3600"),
        ];
        for (cookie, attributes) in cases {
            assert_eq!(cookie.set("a.b-c_d", HOUR), Ok(format!("__Host-s=a.b-c_d; {attributes}")));
            let gone = attributes.replace("Max-Age=3600", "Expires=Thu, 01 Jan 1970 00:00:00 GMT");
            assert_eq!(cookie.clear(), format!("__Host-s=; {gone}"));
        }
    }

    #[test]
    fn lifetimes_are_whole_seconds_and_none_clears() {
        assert!(cookie().set("a", Duration::from_millis(1999)).is_ok_and(|set| set.contains("Max-Age=1;")));
        for over in [Duration::ZERO, Duration::from_millis(999)] {
            assert_eq!(cookie().set("a", over), Ok(cookie().clear()));
        }
        assert!(cookie().set("a", Duration::MAX).is_ok_and(|set| set.contains("Max-Age=18446744073709551615;")));
    }

    #[test]
    fn only_cookie_octets_go_in() {
        let bad =
            ["", "a b", "a;b", "a; Domain=evil.example", "a,b", "\"a\"", "a\\b", "a\r\nX: y", "a\0", "a\u{7f}", "é"];
        for value in bad {
            assert_eq!(cookie().set(value, HOUR), Err(CookieError::NotCookieOctets), "{value:?}");
        }
        let all: String = (0x21..0x7f).map(char::from).filter(|c| !"\",;\\".contains(*c)).collect();
        assert!(cookie().set(&all, HOUR).is_ok_and(|set| set.starts_with(&format!("__Host-s={all}; "))));
    }

    #[test]
    fn what_browsers_need_not_keep_is_refused_whole() {
        let rest = cookie().set("a", HOUR).expect("a cookie").len() - 1;
        assert!(cookie().set(&"a".repeat(4096 - rest), HOUR).is_ok_and(|set| set.len() == 4096));
        assert_eq!(cookie().set(&"a".repeat(4097 - rest), HOUR), Err(CookieError::TooLong));
    }

    #[test]
    fn names_are_checked() {
        for bad in ["", "s", "__Host-", "__host-s", "__Secure-s", "x__Host-s", "__Host-a b", "__Host-a=b", "__Host-é"]
        {
            assert_eq!(HostCookie::new(bad).unwrap_err().setting(), "cookie", "{bad}");
        }
    }

    #[test]
    fn what_is_set_is_what_the_extractor_reads() {
        use crate::extract::{CookieExtractor, TokenExtractor};
        use crate::request::RequestView;
        let set = cookie().set("a.b.c", HOUR).expect("a cookie");
        let pair = set.split(';').next().expect("a pair");
        let extractor = CookieExtractor::new(cookie().name()).expect("a name");
        let headers = [("cookie", pair)];
        let found = extractor.extract(&RequestView::new("GET", "/", None, &headers)).expect("no fault");
        assert_eq!(found.expect("a credential").expose(), "a.b.c");
    }
}
