//! The rules of [`TokenExtractor`].

use countersign::extract::{ExtractError, Place, TokenExtractor};
use countersign::request::RequestView;

/// The parts of a request that carry a token, for the rules of [`token_extractor`].
///
/// ```
/// use countersign::extract::HeaderExtractor;
/// use countersign_testkit::conformance::{Carried, token_extractor};
///
/// // What goes with the credential is carried beside it.
/// let carry = |token: &str| Carried::header("x-device-token", token).and_header("x-device", "7");
/// token_extractor(HeaderExtractor::new("x-device-token")?, carry);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct Carried {
    headers: Vec<(String, Vec<u8>)>,
    query: Option<String>,
}

impl Carried {
    /// A header field.
    pub fn header(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self { headers: vec![(name.into(), value.into())], query: None }
    }

    /// A parameter of the query: `access_token=…`.
    pub fn query(parameter: impl Into<String>) -> Self {
        Self { headers: Vec::new(), query: Some(parameter.into()) }
    }

    /// One more header field: what goes with the credential.
    pub fn and_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Both, in one request.
    fn with(mut self, other: Self) -> Self {
        self.headers.extend(other.headers);
        self.query = match (self.query, other.query) {
            (Some(own), Some(other)) => Some(format!("{own}&{other}")),
            (own, other) => own.or(other),
        };
        self
    }
}

/// Two tokens by the alphabet of RFC 6750 (§2.1).
const TOKENS: [&str; 2] = ["eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl", "another-Token.~_1"];

/// Runs the rules of [`TokenExtractor`] against one. `carry` puts a token where the extractor looks for it, in a safe request.
///
/// - A token is found as it was sent, under the extractor's scheme, whatever else the request carries.
/// - Nothing is found where nothing is.
/// - Two tokens in the place of one are an error, and never one of them (RFC 6750 §3.1).
/// - What is found is not empty, and of visible ASCII characters alone, whatever was sent.
/// - The answer depends on the request alone. Names of fields are in lower case, and what `place` says agrees with `field`.
///
/// ```
/// use countersign::extract::{CookieExtractor, HeaderExtractor};
/// use countersign_testkit::conformance::{Carried, token_extractor};
///
/// token_extractor(HeaderExtractor::bearer(), |token| Carried::header("authorization", format!("Bearer {token}")));
/// token_extractor(CookieExtractor::new("t")?, |token| Carried::header("cookie", format!("a=b; t={token}; c=d")));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
///
/// # Panics
/// Where a rule does not hold.
pub fn token_extractor(extractor: impl TokenExtractor, carry: impl Fn(&str) -> Carried) {
    let find = |carried: &Carried| find(&extractor, carried);
    let nothing = Carried::default();
    assert_eq!(find(&nothing), Ok(None), "nothing is found where nothing is");
    let around = Carried::header("accept", "*/*").and_header("x-forwarded-for", "::1").and_header("host", "a.example");
    assert_eq!(find(&around), Ok(None), "fields of others hold no token");
    for token in TOKENS {
        let found = Ok(Some((token.to_owned(), true)));
        let carried = carry(token);
        assert_eq!(find(&carried), found, "a token is found as it was sent, under the extractor's scheme");
        assert_eq!(find(&carried), found, "the answer is the same each time");
        assert_eq!(find(&around.clone().with(carried)), found, "what else a request carries changes nothing");
        assert_eq!(find(&nothing), Ok(None), "what was found in one request is not found in the next");
    }
    let [one, other] = TOKENS.map(&carry);
    for both in [one.clone().with(other.clone()), other.with(one)] {
        assert!(find(&both).is_err(), "two tokens in the place of one are an error, and not one of them");
    }
    for text in hostile() {
        is_sound(&find(&carry(&text)), &text);
    }
    for value in [&b"\xff"[..], b"\xc3\x28", b"\0", b"\x7f", b"\t", b" "] {
        let mut carried = carry(TOKENS[0]);
        carried.headers.iter_mut().for_each(|(_, own)| own.extend_from_slice(value));
        is_sound(&find(&carried), "octets at the end of a field");
    }
    names_are_right(&extractor);
}

type Found = Result<Option<(String, bool)>, ExtractError>;

fn find(extractor: &impl TokenExtractor, carried: &Carried) -> Found {
    let headers = carried.headers.as_slice();
    let request = RequestView::new("GET", "/path", carried.query.as_deref(), &headers);
    let found = extractor.extract(&request)?;
    Ok(found.map(|found| (found.expose().to_owned(), found.is_scheme(extractor.scheme()))))
}

fn is_sound(found: &Found, sent: &str) {
    if let Ok(Some((text, _))) = found {
        let is_visible = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
        let sent: String = sent.chars().take(200).collect();
        assert!(is_visible, "what is found is visible ASCII and not empty: {text:?} in {sent:?}");
    }
}

fn hostile() -> Vec<String> {
    let odd = [
        "",
        " ",
        "a b",
        "a\tb",
        "a\u{a0}b",
        "é",
        "\u{202e}a",
        "\u{1}",
        "\0",
        "a,b",
        "\"a\"",
        "a;b",
        "=",
        "a=b",
        "%",
        "%00",
        "%0d%0a",
        "Bearer a",
        "Bearer",
        ",",
        "a, Bearer b",
        "<script>",
    ];
    let mut hostile: Vec<_> = odd.iter().map(|text| (*text).to_owned()).collect();
    hostile.extend(["a".repeat(1 << 20), " ".repeat(1 << 16), "=".repeat(1 << 16)]);
    hostile
}

fn names_are_right(extractor: &impl TokenExtractor) {
    let is_lower = |name: &str| {
        !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && !octet.is_ascii_uppercase())
    };
    if let Some(field) = extractor.field() {
        assert!(is_lower(field), "`field` is in lower case: {field:?}");
    }
    if let Place::Header(name) = extractor.place() {
        assert!(is_lower(&name), "the field in `place` is in lower case: {name:?}");
    }
    let scheme = extractor.scheme();
    let is_token = !scheme.is_empty() && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    assert!(is_token, "`scheme` is a name that a challenge can carry: {scheme:?}");
}
