use super::{BearerMethod, ExtractError, Place, SCHEME_OF_TOKENS, TokenExtractor, token68};
use crate::config::ConfigError;
use crate::request::{Credential, RequestView};
use std::borrow::Cow;

/// Takes the token from a parameter of the query (RFC 6750 §2.3), which weakens a guard.
///
/// Addresses are written into logs, histories, bookmarks and `Referer` fields, and whoever reads one there has the token:
/// RFC 6750 §5.3 and RFC 9700 §4.3.2 tell not to. Prefer a header field, a cookie, or for WebSockets a
/// [`SubprotocolExtractor`](super::SubprotocolExtractor). Where there is no other way, it is for the application to
///
/// - send `Cache-Control: private` or `no-store` with every answer to such a request (RFC 6750 §2.3; refusals have it),
/// - send `Referrer-Policy: no-referrer` with every page,
/// - keep queries out of its own logs and those in front of it, and let such tokens live for a minute.
///
/// The parameter may stand once, even with the same value (RFC 6749 §3.1), however its name is spelt. Percent-encoding is
/// undone strictly, once. A bare `+` is malformed, because form encoding reads a space there and RFC 3986 a plus; write
/// `%2B`. An empty value is malformed too.
///
/// ```
/// use countersign::extract::{QueryExtractor, TokenExtractor};
/// use countersign::request::{Credential, RequestView};
///
/// let query = QueryExtractor::danger_new("access_token")?;
/// let request = RequestView::new("GET", "/file", Some("page=2&access_token=a.b%7Ec"), &[("accept", "*/*")]);
/// let found = query.extract(&request)?;
/// assert_eq!(found.as_ref().map(Credential::expose), Some("a.b~c"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct QueryExtractor {
    name: String,
}

impl QueryExtractor {
    /// The parameter of this name, such as `access_token`, which is RFC 6750's.
    ///
    /// # Errors
    /// [`ConfigError`] when the name is empty or has anything but letters, digits, `-`, `.`, `_` and `~` (RFC 3986 §2.3).
    pub fn danger_new(name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        let is_unreserved = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
        if name.is_empty() || !name.bytes().all(is_unreserved) {
            return Err(ConfigError::new("query", "not a parameter name of unreserved characters"));
        }
        Ok(Self { name })
    }
}

impl TokenExtractor for QueryExtractor {
    fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
        let mut values = request.query.unwrap_or_default().split('&').filter_map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            // A name that does not decode is not ours.
            decode(name).is_some_and(|name| *name == *self.name.as_bytes()).then_some(value)
        });
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(ExtractError::Repeated);
        }
        let text = match decode(value).ok_or(ExtractError::Malformed)? {
            Cow::Borrowed(octets) => Cow::Borrowed(token68(octets)?),
            Cow::Owned(octets) => Cow::Owned(token68(&octets)?.to_owned()),
        };
        Ok(Some(Credential::new(SCHEME_OF_TOKENS, text)))
    }

    fn place(&self) -> Place {
        Place::Query(self.name.clone())
    }

    fn bearer_method(&self) -> Option<BearerMethod> {
        (self.name == "access_token").then_some(BearerMethod::Query)
    }
}

/// What `%` and two hexadecimal digits stand for (RFC 3986 §2.1), and everything else as it is; `None` for a `%` without
/// them, and for a bare `+`.
fn decode(text: &str) -> Option<Cow<'_, [u8]>> {
    if text.contains('+') {
        return None;
    }
    if !text.contains('%') {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        decoded.push(match octet {
            b'%' => hexadecimal(octets.next()?)? << 4 | hexadecimal(octets.next()?)?,
            other => other,
        });
    }
    Some(Cow::Owned(decoded))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extract(query: Option<&str>) -> Result<Option<String>, ExtractError> {
        let extractor = QueryExtractor::danger_new("access_token").expect("a name");
        let found = extractor.extract(&RequestView::new("GET", "/", query, &[("a", "b")]))?;
        Ok(found.map(|credential| credential.expose().to_owned()))
    }

    #[test]
    fn the_parameter_stands_once_and_is_decoded_strictly() {
        let found = |text: &str| Ok(Some(text.to_owned()));
        let (malformed, repeated) = (|| Err(ExtractError::Malformed), || Err(ExtractError::Repeated));
        let cases = [
            ("access_token=a.b.c", found("a.b.c")),
            ("x=1&access_token=a.b.c&y", found("a.b.c")),
            ("access_token=a%2Eb%2ec", found("a.b.c")),
            ("access%5Ftoken=a", found("a")),
            ("access_token=a%2B%2F%3D", found("a+/=")),
            ("access_token=a/b==", found("a/b==")),
            ("", Ok(None)),
            ("&&=&", Ok(None)),
            ("ACCESS_TOKEN=a", Ok(None)),
            ("xaccess_token=a&access_tokenx=a&access_token%00=a", Ok(None)),
            ("access_token%=a&access%5token=a", Ok(None)),
            ("x=access_token=a", Ok(None)),
            ("access_token", malformed()),
            ("access_token=", malformed()),
            ("access_token=%", malformed()),
            ("access_token=a%2", malformed()),
            ("access_token=a%2G", malformed()),
            ("access_token=a%+2", malformed()),
            ("access_token=a+b", malformed()),
            ("access_token=a%20b", malformed()),
            ("access_token=a%252Eb", malformed()),
            ("access_token=a;b", malformed()),
            ("access_token=a=b", malformed()),
            ("access_token=é", malformed()),
            ("access_token=a%é9", malformed()),
            ("access_token=%C3%A9", malformed()),
            ("access_token=%FF", malformed()),
            ("access_token=a%00", malformed()),
            ("access_token=a&access_token=b", repeated()),
            ("access_token=a&access_token=a", repeated()),
            ("access_token=a&access_token", repeated()),
            ("access_token=a&%61ccess_token=", repeated()),
        ];
        for (query, expected) in cases {
            assert_eq!(extract(Some(query)), expected, "{query}");
        }
        assert_eq!(extract(None), Ok(None));
        let huge = format!("access_token={}", "%41".repeat(1 << 18));
        assert_eq!(extract(Some(&huge)).map(|found| found.map(|text| text.len())), Ok(Some(1 << 18)));
    }

    #[test]
    fn names_are_checked() {
        for bad in ["", "a b", "a=b", "a&b", "a%20b", "a+b", "é"] {
            assert!(QueryExtractor::danger_new(bad).is_err(), "{bad}");
        }
    }
}
