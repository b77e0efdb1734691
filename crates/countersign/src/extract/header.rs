use super::{BearerMethod, ExtractError, Place, SCHEME_OF_TOKENS, TokenExtractor, is_tchar, is_token, token68};
use crate::config::ConfigError;
use crate::request::{Credential, RequestView};

/// Takes the credential from a header field: `Authorization: Bearer …` unless told otherwise.
///
/// The scheme is compared without case, as a whole word (RFC 9110 §11.1). Another scheme is nobody's credential
/// here. The field may stand once.
///
/// ```
/// use countersign::extract::{HeaderExtractor, TokenExtractor};
/// use countersign::request::RequestView;
///
/// let headers = [("authorization", "bearer abc")];
/// let found = HeaderExtractor::bearer().extract(&RequestView::new("GET", "/", None, &headers))?;
/// assert_eq!(found.as_ref().map(|credential| credential.expose()), Some("abc"));
/// # Ok::<(), countersign::extract::ExtractError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeaderExtractor {
    name: String,
    prefix: Option<String>,
}

impl HeaderExtractor {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    #[must_use]
    pub fn bearer() -> Self {
        Self { name: "authorization".into(), prefix: Some("Bearer".into()) }
    }

    /// A field whose whole value is the token.
    ///
    /// # Errors
    /// [`ConfigError`] when `name` is no field name, and for `Cookie`: browsers send that unasked, which is what
    /// [`CookieExtractor`](super::CookieExtractor) knows.
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        if !is_token(name) {
            return Err(ConfigError::new("header", "not a field name"));
        }
        if name.eq_ignore_ascii_case("cookie") {
            return Err(ConfigError::new("header", "`Cookie` is read by a `CookieExtractor`"));
        }
        Ok(Self { name: name.to_ascii_lowercase(), prefix: None })
    }

    /// The scheme that stands before the token. Browsers send some unasked, `Basic` above all, and nothing here sees from
    /// where such a request comes.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no scheme: one word (RFC 9110 §11.1).
    pub fn prefix(mut self, scheme: impl Into<String>) -> Result<Self, ConfigError> {
        let scheme = scheme.into();
        if !is_token(&scheme) {
            return Err(ConfigError::new("prefix", "not an authentication scheme"));
        }
        self.prefix = Some(scheme);
        Ok(self)
    }

    fn credential<'r>(value: &'r [u8], prefix: &str) -> Result<Option<Credential<'r>>, ExtractError> {
        let end = value.iter().position(|octet| !is_tchar(*octet)).unwrap_or(value.len());
        let (scheme, rest) = value.split_at(end);
        let spaces = rest.iter().take_while(|octet| **octet == b' ').count();
        // Only spaces may follow a scheme: a tab, a colon or a wider space makes the field malformed.
        if scheme.is_empty() || (spaces == 0 && !rest.is_empty()) {
            return Err(ExtractError::Malformed);
        }
        if !scheme.eq_ignore_ascii_case(prefix.as_bytes()) {
            return Ok(None);
        }
        let scheme = std::str::from_utf8(scheme).map_err(|_| ExtractError::Malformed)?;
        Ok(Some(Credential::new(scheme, token68(rest.get(spaces..).unwrap_or_default())?)))
    }
}

impl TokenExtractor for HeaderExtractor {
    fn field(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
        let Some(value) = request.headers.header(&self.name, 0) else { return Ok(None) };
        if request.headers.header(&self.name, 1).is_some() {
            return Err(ExtractError::Repeated);
        }
        // White space around a field value is no part of it (RFC 9110 §5.5).
        let value = value.trim_ascii();
        match &self.prefix {
            Some(prefix) => Self::credential(value, prefix),
            None => Ok(Some(Credential::new(SCHEME_OF_TOKENS, token68(value)?))),
        }
    }

    fn place(&self) -> Place {
        match &self.prefix {
            Some(scheme) if self.name == "authorization" => Place::Authorization(scheme.clone()),
            _ => Place::Header(self.name.clone()),
        }
    }

    fn scheme(&self) -> &str {
        self.prefix.as_deref().unwrap_or(SCHEME_OF_TOKENS)
    }

    fn bearer_method(&self) -> Option<BearerMethod> {
        let is_bearer = self.prefix.as_deref().is_some_and(|prefix| prefix.eq_ignore_ascii_case("Bearer"));
        (self.name == "authorization" && is_bearer).then_some(BearerMethod::Header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extract(values: &[&[u8]]) -> Result<Option<String>, ExtractError> {
        let headers: Vec<_> = values.iter().map(|value| ("Authorization", *value)).collect();
        let headers = headers.as_slice();
        let request = RequestView::new("GET", "/", None, &headers);
        Ok(HeaderExtractor::bearer().extract(&request)?.map(|credential| credential.expose().to_owned()))
    }

    #[test]
    fn the_field_is_read_as_the_rfcs_write_it() {
        let t = || Ok(Some("a.b.c".to_owned()));
        let malformed = || Err(ExtractError::Malformed);
        let cases: &[(&[u8], Result<Option<String>, ExtractError>)] = &[
            (b"Bearer a.b.c", t()),
            (b"bEARER a.b.c", t()),
            (b"Bearer   a.b.c", t()),
            (b" Bearer a.b.c ", t()),
            (b"Bearer a.b.c==", Ok(Some("a.b.c==".into()))),
            (b"Basic dTpw", Ok(None)),
            (b"Bearerx a.b.c", Ok(None)),
            (b"Bearera.b.c", Ok(None)),
            (b"JWT a.b.c", Ok(None)),
            (b"a.b.c", Ok(None)),
            (b"", malformed()),
            (b"Bearer", malformed()),
            (b"Bearer ", malformed()),
            (b"Bearer =", malformed()),
            (b"Bearer\ta.b.c", malformed()),
            (b"Bearer: a.b.c", malformed()),
            (b"Bearer=a.b.c", malformed()),
            (b"Bearer a b", malformed()),
            (b"Bearer a,b", malformed()),
            (b"Bearer a=b", malformed()),
            (b"Bearer \xc3\xa9", malformed()),
            (b"Bearer\xc2\xa0a.b.c", malformed()),
            (b"\xef\xbc\xa2earer a.b.c", malformed()),
            (b"Bearer \xff\xfe", malformed()),
            (b"Bearer \"a.b.c\"", malformed()),
        ];
        for (value, expected) in cases {
            assert_eq!(&extract(&[value]), expected, "{}", value.escape_ascii());
        }
        assert_eq!(extract(&[]), Ok(None));
        assert_eq!(extract(&[b"Bearer a", b"Bearer a"]), Err(ExtractError::Repeated));
        assert_eq!(extract(&[b"Basic a", b"Bearer a"]), Err(ExtractError::Repeated));
    }

    #[test]
    fn any_field_and_any_prefix_can_be_set() {
        let headers = [("X-Token", "a.b.c"), ("authorization", "Token a.b.c")];
        let request = RequestView::new("GET", "/", None, &headers);
        let bare = HeaderExtractor::new("X-Token").expect("a name");
        assert_eq!(bare.extract(&request).map(|c| c.map(|c| c.expose().to_owned())), Ok(Some("a.b.c".into())));
        let token = HeaderExtractor::new("Authorization").and_then(|header| header.prefix("Token")).expect("set up");
        assert_eq!(token.extract(&request).map(|c| c.map(|c| c.expose().to_owned())), Ok(Some("a.b.c".into())));
        assert_eq!(token.scheme(), "Token");
        assert!(
            token.extract(&request).is_ok_and(|c| c.is_some_and(|c| c.is_scheme("token") && !c.is_scheme("Bearer")))
        );
        assert!(HeaderExtractor::new("x token").is_err());
        assert!(HeaderExtractor::new("").is_err());
        assert!(HeaderExtractor::new("Cookie").is_err(), "browsers send it unasked");
        assert!(bare.prefix("two words").is_err());
    }
}
