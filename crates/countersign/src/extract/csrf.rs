use super::is_token;
use crate::base64url;
use crate::cache::FleetKey;
use crate::config::ConfigError;
use crate::crypto::{SigningFailed, default_backend};
use crate::request::RequestView;

/// Anti-CSRF tokens that are bound to a session: proof that a request was made by a page that had one from the service.
///
/// A token is 16 random octets and an HMAC-SHA-256 over them and the session, in base64url: 64 characters, made anew for
/// each page or once for each session, and kept nowhere. The session is the value of the cookie that
/// [`CookieExtractor`](super::CookieExtractor) reads, so a token ends with its cookie: issue one when the cookie is set, and
/// a new one when it is replaced.
///
/// The page gets it in its HTML, or in a cookie that its scripts can read
/// ([`HostCookie::readable`](crate::cookie::HostCookie::readable)), and sends it back in a header field. Both ways are the
/// "signed double-submit" of OWASP's cheat sheet. The readable cookie is a vehicle, and nothing is compared with it: whoever
/// can plant a cookie can plant the one that matches, and nobody without the key can make a token for another's session.
///
/// HTML forms cannot set header fields. Those of the same origin pass by `Sec-Fetch-Site` and `Origin`; for others, see
/// [`is_valid`](Self::is_valid).
///
/// ```
/// use countersign::cache::FleetKey;
/// use countersign::extract::{CookieExtractor, CsrfTokens, ExtractError, TokenExtractor};
/// use countersign::request::RequestView;
///
/// let tokens = CsrfTokens::new(FleetKey::from_base64url("tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM")?);
/// let cookie = CookieExtractor::new("__Host-session")?.csrf_tokens(tokens.clone());
///
/// let csrf = tokens.issue("a.b.c")?; // when the cookie is set to `a.b.c`
/// let headers = [("cookie", "__Host-session=a.b.c"), ("x-csrf-token", &csrf)];
/// assert!(cookie.extract(&RequestView::new("POST", "/", None, &headers))?.is_some());
/// let headers = [("cookie", "__Host-session=another"), ("x-csrf-token", &csrf)];
/// assert_eq!(cookie.extract(&RequestView::new("POST", "/", None, &headers)), Err(ExtractError::CrossSite));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CsrfTokens {
    key: FleetKey,
    /// In lower case.
    field: String,
}

/// Where pages send the token, unless told otherwise. In lower case.
pub(crate) const CSRF_FIELD: &str = "x-csrf-token";

const PURPOSE: &str = "csrf token";
const NONCE_LEN: usize = 16;
const TAG_LEN: usize = 32;
/// Of both in base64url, where 3 octets are 4 characters.
const TEXT_LEN: usize = (NONCE_LEN + TAG_LEN) / 3 * 4;

impl CsrfTokens {
    /// Tokens under this key, in the field `X-CSRF-Token`. Every process of the service must have the same key.
    #[must_use]
    pub fn new(key: FleetKey) -> Self {
        Self { key, field: CSRF_FIELD.into() }
    }

    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// The header field in which pages send the token.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no field name, or `Cookie`: browsers send that whoever asks them to.
    pub fn header(mut self, name: &str) -> Result<Self, ConfigError> {
        if !is_token(name) || name.eq_ignore_ascii_case("cookie") {
            return Err(ConfigError::new("csrf_header", "not the name of a field that pages set"));
        }
        self.field = name.to_ascii_lowercase();
        Ok(self)
    }

    /// A token for the session whose cookie has this value: 64 characters of base64url.
    ///
    /// # Errors
    /// [`SigningFailed`] when the backend has no randomness, or there is no backend.
    pub fn issue(&self, session: &str) -> Result<String, SigningFailed> {
        let mut token = vec![0; NONCE_LEN];
        default_backend().map_err(|_| SigningFailed)?.random(&mut token)?;
        let tag = self.key.tag(PURPOSE, &[&token, session.as_bytes()]).map_err(|_| SigningFailed)?;
        token.extend_from_slice(&tag);
        Ok(base64url::encode(&token))
    }

    /// Whether `token` was issued for the session whose cookie has this value, compared in constant time.
    ///
    /// For a token that comes as a field of a form. On the routes that take such forms the cookie must be read by an
    /// extractor of which [`danger_any_site`](super::CookieExtractor::danger_any_site) is said, or the request is refused
    /// before its body is read; then this call is what stands between the user and other sites.
    ///
    /// ```
    /// use countersign::cache::FleetKey;
    /// use countersign::extract::CsrfTokens;
    ///
    /// let tokens = CsrfTokens::new(FleetKey::new([7; 32])?);
    /// let csrf = tokens.issue("a.b.c")?;
    /// assert!(tokens.is_valid("a.b.c", &csrf));
    /// assert!(!tokens.is_valid("another", &csrf));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_valid(&self, session: &str, token: &str) -> bool {
        // Before decoding, which takes memory.
        if token.len() != TEXT_LEN {
            return false;
        }
        let Ok(octets) = base64url::decode(token) else { return false };
        let Some((nonce, tag)) = octets.split_at_checked(NONCE_LEN) else { return false };
        self.key.is_tag(tag, PURPOSE, &[nonce, session.as_bytes()])
    }

    /// Whether the request has a valid token in its field, once.
    pub(super) fn comes_with(&self, request: &RequestView<'_>, session: &str) -> bool {
        match (request.headers.header(&self.field, 0), request.headers.header(&self.field, 1)) {
            (Some(value), None) => {
                std::str::from_utf8(value.trim_ascii()).is_ok_and(|token| self.is_valid(session, token))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[cfg(feature = "ring")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens() -> CsrfTokens {
        CsrfTokens::new(FleetKey::new([7; 32]).expect("a key"))
    }

    #[test]
    fn a_token_is_for_one_session_under_one_key() {
        let token = tokens().issue("a.b.c").expect("a token");
        assert_eq!(token.len(), TEXT_LEN);
        assert_ne!(token, tokens().issue("a.b.c").expect("a token"), "each has a nonce of its own");
        assert!(tokens().is_valid("a.b.c", &token));
        for session in ["", "a.b", "a.b.c.", "A.b.c", "a.b.d"] {
            assert!(!tokens().is_valid(session, &token), "{session}");
        }
        let stranger = CsrfTokens::new(FleetKey::new([8; 32]).expect("a key"));
        assert!(!stranger.is_valid("a.b.c", &token));
    }

    #[test]
    fn a_tag_of_the_key_for_another_purpose_is_no_token() {
        let nonce = [1; NONCE_LEN];
        let mut forged = nonce.to_vec();
        forged.extend(tokens().key.tag("value", &[&nonce, b"a.b.c"]).expect("a tag"));
        assert!(!tokens().is_valid("a.b.c", &base64url::encode(&forged)));
        let mut own = nonce.to_vec();
        own.extend(tokens().key.tag(PURPOSE, &[&nonce, b"a.b.c"]).expect("a tag"));
        assert!(tokens().is_valid("a.b.c", &base64url::encode(&own)));
    }

    #[test]
    fn a_nonce_lends_the_session_no_octets() {
        let token = tokens().issue("ab").expect("a token");
        let octets = base64url::decode(&token).expect("base64url");
        let (nonce, tag) = octets.split_at(NONCE_LEN);
        for (at, session) in
            [(NONCE_LEN - 1, format!("{}ab", char::from(nonce[NONCE_LEN - 1]))), (NONCE_LEN, "b".into())]
        {
            let mut moved = nonce[..at].to_vec();
            moved.extend_from_slice(tag);
            assert!(!tokens().is_valid(&session, &base64url::encode(&moved)));
        }
    }

    #[test]
    fn fields_are_checked() {
        for bad in ["", "x csrf", "x:csrf", "é", "Cookie"] {
            assert_eq!(tokens().header(bad).unwrap_err().setting(), "csrf_header", "{bad}");
        }
        assert!(!format!("{:?}", tokens()).contains('7'), "no key is shown");
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_token(at in 0..TEXT_LEN, new in any::<char>(), text in "\\PC{0,80}|[A-Za-z0-9_-]{64}") {
            let tokens = tokens();
            prop_assert!(!tokens.is_valid("a.b.c", &text));
            let token = tokens.issue("a.b.c").expect("a token");
            let mut changed: Vec<_> = token.chars().collect();
            changed[at] = new;
            let changed: String = changed.into_iter().collect();
            prop_assert_eq!(tokens.is_valid("a.b.c", &changed), changed == token);
            prop_assert!(!tokens.is_valid("a.b.c", &token[..at]));
        }
    }
}
