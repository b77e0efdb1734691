//! Registered claims (RFC 7519 §4.1), read strictly and once.
//!
//! A handler takes the claims it wants as a type of its own; what every token may have, a [`VerifiedToken`](crate::VerifiedToken)
//! has methods for.
//!
//! ```
//! use countersign::VerifiedToken;
//! use countersign::claims::OneOrMany;
//!
//! #[derive(serde::Deserialize)]
//! struct Me {
//!     sub: String,
//!     groups: OneOrMany,
//! }
//!
//! let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "groups": "staff", "exp": 4_000_000_000_u32}))?;
//! let me: Me = token.claims()?;
//! assert!(me.sub == "7" && me.groups.contains("staff"));
//! assert_eq!(token.expires_at().map(|end| end.since_epoch().as_secs()), Some(4_000_000_000));
//! # Ok::<(), countersign::claims::ClaimsError>(())
//! ```

mod text;
mod typed;

pub use crate::json::{Cursor, Unfit};

use crate::json::{self, Index, Patience, Value};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, mem};
use text::{Place, Strings, Unescaped};

pub(crate) use crate::json::JsonError;

/// Claims could not be read into, or out of, the type asked for.
///
/// It says what kind of problem there is, and where. serde's own words quote the claims, so nothing of them is kept.
///
/// ```
/// use countersign::VerifiedToken;
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"age": "secret"}))?;
/// let error = token.claims::<std::collections::BTreeMap<String, u32>>().unwrap_err();
/// assert_eq!(error.to_string(), "the claims cannot be used: a value does not fit the type, at line 1, column 15");
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claims cannot be used: {0}")]
pub struct ClaimsError(Problem);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Refused(&'static str),
    #[error(transparent)]
    Json(JsonError),
    #[error("a value does not fit the type, at line {line}, column {column}")]
    Type { line: usize, column: usize },
    #[error("not JSON, at line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    #[error("a value cannot be written as JSON")]
    Unwritable,
}

impl ClaimsError {
    /// What cannot be said in JSON.
    pub(crate) fn unwritable(_: serde_json::Error) -> Self {
        Self(Problem::Unwritable)
    }

    /// What does not fit the type asked for.
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self(if error.is_data() { Problem::Type { line, column } } else { Problem::Syntax { line, column } })
    }

    pub(crate) fn refused(reason: &'static str) -> Self {
        Self(Problem::Refused(reason))
    }
}

impl From<JsonError> for ClaimsError {
    fn from(error: JsonError) -> Self {
        Self(Problem::Json(error))
    }
}

/// A time in seconds since 1970 (RFC 7519 §2, NumericDate), fractions allowed.
///
/// Negative times, times beyond `i64` and anything but a number are refused.
///
/// ```
/// use countersign::claims::NumericDate;
///
/// let date: NumericDate = serde_json::from_str("1300819380")?;
/// assert_eq!(Some(date), NumericDate::from_secs(1_300_819_380));
/// assert!(serde_json::from_str::<NumericDate>("\"1300819380\"").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumericDate(Duration);

impl NumericDate {
    /// Whole seconds since 1970; `None` beyond `i64`.
    #[must_use]
    pub fn from_secs(seconds: u64) -> Option<Self> {
        i64::try_from(seconds).is_ok().then(|| Self(Duration::from_secs(seconds)))
    }

    /// Time since 1970.
    #[must_use]
    pub fn since_epoch(self) -> Duration {
        self.0
    }

    /// The same as a system time; `None` where the system cannot express it.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(self.0)
    }
}

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.subsec_nanos() == 0 {
            serializer.serialize_u64(self.0.as_secs())
        } else {
            serializer.serialize_f64(self.0.as_secs_f64())
        }
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = NumericDate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970")
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<NumericDate, E> {
                NumericDate::from_secs(seconds).ok_or_else(|| E::custom("a time beyond all times"))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<NumericDate, E> {
                let seconds = u64::try_from(seconds).map_err(|_| E::custom("a time before 1970"))?;
                self.visit_u64(seconds)
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
                let time = Duration::try_from_secs_f64(seconds).map_err(|_| E::custom("an impossible time"))?;
                self.visit_u64::<E>(time.as_secs())?;
                Ok(NumericDate(time))
            }
        }
        // `deserialize_f64`, because `deserialize_any` hands out numbers as maps when somebody in the build turns
        // serde_json's `arbitrary_precision` on.
        deserializer.deserialize_f64(Number)
    }
}

/// One string or several: the shape of `aud` (RFC 7519 §4.1.3), and of scopes as providers write them.
///
/// ```
/// use countersign::claims::OneOrMany;
///
/// let one: OneOrMany = serde_json::from_str(r#""api""#)?;
/// let many: OneOrMany = serde_json::from_str(r#"["api","web"]"#)?;
/// assert!(one.contains("api") && many.contains("web") && !many.contains("a"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OneOrMany {
    /// A single string.
    One(String),
    /// A list of strings.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
        .iter()
        .map(String::as_str)
    }

    /// Whether `wanted` is one of them, compared exactly.
    #[must_use]
    pub fn contains(&self, wanted: &str) -> bool {
        self.iter().any(|own| own == wanted)
    }
}

impl Serialize for OneOrMany {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(one) => serializer.serialize_str(one),
            Self::Many(many) => serializer.collect_seq(many),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'de> Visitor<'de> for Strings {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E>(self, one: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(one.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<OneOrMany, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = array.next_element()? {
                    many.push(one);
                }
                Ok(OneOrMany::Many(many))
            }
        }
        deserializer.deserialize_any(Strings)
    }
}

/// The registered claims and the scopes, as far as a token has them, and where all claims stand in the payload. That stands
/// beside them, and is asked for where text is.
#[derive(Clone, Default)]
pub(crate) struct RegisteredClaims {
    noted: Noted,
    /// All claims, by their places.
    members: Index,
}

#[derive(Clone, Default)]
struct Noted {
    issuer: Option<Place>,
    subject: Option<Place>,
    audience: Option<Place>,
    token_id: Option<Place>,
    /// `scope`, RFC 8693 §4.2.
    scope: Option<Place>,
    /// `scp`, as several providers call it.
    scp: Option<Place>,
    /// The claim that was wanted in place of `aud`.
    audience_claim: Option<Place>,
    /// `azp`, where it was wanted.
    authorized_party: Option<Place>,
    unescaped: Unescaped,
    expires_at: Option<NumericDate>,
    not_before: Option<NumericDate>,
    issued_at: Option<NumericDate>,
    /// Whether there is a `cnf` (RFC 7800), whatever is in it.
    is_bound: bool,
    events: Option<Place>,
    /// How many of the required claims are there and not `null`.
    required: usize,
}

/// What is to be noted while the claims are read, beyond the registered ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedClaims {
    /// Which must be there, each of them once.
    pub(crate) required: Vec<String>,
    /// The one that stands for the audience instead of `aud`. None of the registered ones.
    pub(crate) audience: Option<String>,
    /// Whether `azp` is asked for (OpenID Connect Core §2).
    pub(crate) authorized_party: bool,
}

/// What the claim is called that stands for the audience: its own name is the application's, and `aud` may stand beside it.
pub(crate) const AUDIENCE_CLAIM: &str = "audience claim";

impl RegisteredClaims {
    /// Reads them all in one pass.
    pub(crate) fn parse(payload: &str, wanted: &WantedClaims) -> Result<Self, JsonError> {
        let mut claims = Self::default();
        claims.read(payload, wanted)?;
        Ok(claims)
    }

    /// Reads them all into what was empty: where the claims will stay, they need not be moved.
    pub(crate) fn read(&mut self, payload: &str, wanted: &WantedClaims) -> Result<(), JsonError> {
        self.read_with(payload, wanted, Patience::Endless, None)
    }

    /// As [`read`](Self::read), where that takes no more than issuers ask for, and says whether it was so. Otherwise all that is
    /// known then is which issuer they name, if they can be read at all.
    pub(crate) fn read_or_find_issuer(&mut self, payload: &str, wanted: &WantedClaims) -> Result<bool, JsonError> {
        match self.read_with(payload, wanted, Patience::Short, None) {
            Err(JsonError::Laborious) => {
                self.find_issuer(payload);
                Ok(false)
            }
            read => read.map(|()| true),
        }
    }

    #[cold]
    fn find_issuer(&mut self, payload: &str) {
        let Noted { mut issuer, mut unescaped, .. } = mem::take(&mut self.noted);
        if issuer.is_none() {
            let found = json::find_first(payload, self.members.end(), "iss");
            // Strict reading says what is wrong with one that is no string.
            issuer = found.and_then(|found| unescaped.text(found, "iss").ok());
        }
        self.noted = Noted { issuer, unescaped, ..Noted::default() };
        self.members.clear();
    }

    /// Reads what [`read_or_find_issuer`](Self::read_or_find_issuer) did not. That the issuer is another one is told as
    /// [`JsonError::Duplicate`]: it cannot be, and is not relied on.
    pub(crate) fn read_on(&mut self, payload: &str, wanted: &WantedClaims) -> Result<(), JsonError> {
        let found = mem::take(&mut self.noted).issuer;
        self.read(payload, wanted)?;
        if self.noted.issuer == found { Ok(()) } else { Err(JsonError::Duplicate) }
    }

    /// Reads on past claims of the wrong type, as far as there is JSON, and names them: for explaining, and never for
    /// deciding.
    pub(crate) fn parse_on(payload: &str, wanted: &WantedClaims) -> (Self, Vec<&'static str>, Result<(), JsonError>) {
        let (mut claims, mut mistyped) = (Self::default(), Vec::new());
        let read = claims.read_with(payload, wanted, Patience::Endless, Some(&mut mistyped));
        (claims, mistyped, read)
    }

    fn read_with(
        &mut self,
        payload: &str,
        wanted: &WantedClaims,
        patience: Patience,
        mistyped: Option<&mut Vec<&'static str>>,
    ) -> Result<(), JsonError> {
        let mut reader = Reader { claims: &mut self.noted, wanted, mistyped };
        self.members.read_within(payload, patience, |name, value| reader.member(name, value))
    }

    /// The claim `name` of this payload, if it is there.
    #[inline]
    pub(crate) fn find<'p>(&self, payload: &'p str, name: &str) -> Option<Value<'p>> {
        self.members.find(payload, name)
    }

    /// The claims as a type of the caller's.
    pub(crate) fn typed<C: DeserializeOwned>(&self, payload: &str) -> Result<C, ClaimsError> {
        typed::read(payload, &self.members).map_err(|error| ClaimsError::unreadable(&error))
    }

    /// Whether all claims that were wanted as required are there.
    pub(crate) fn has_required(&self, wanted: &WantedClaims) -> bool {
        // No member stands twice, and no name in the list, so the numbers tell.
        self.noted.required == wanted.required.len()
    }

    fn text<'p>(&'p self, payload: &'p str, place: Option<Place>) -> Option<&'p str> {
        self.noted.unescaped.strings(payload, place?).next()
    }

    /// `iss`.
    pub(crate) fn issuer<'p>(&'p self, payload: &'p str) -> Option<&'p str> {
        self.text(payload, self.noted.issuer)
    }

    /// `sub`.
    pub(crate) fn subject<'p>(&'p self, payload: &'p str) -> Option<&'p str> {
        self.text(payload, self.noted.subject)
    }

    /// `jti`.
    pub(crate) fn token_id<'p>(&'p self, payload: &'p str) -> Option<&'p str> {
        self.text(payload, self.noted.token_id)
    }

    /// `azp`, where it was wanted.
    pub(crate) fn authorized_party<'p>(&'p self, payload: &'p str) -> Option<&'p str> {
        self.text(payload, self.noted.authorized_party)
    }

    /// `aud`, one by one.
    pub(crate) fn audience<'p>(&'p self, payload: &'p str) -> Option<Strings<'p>> {
        Some(self.noted.unescaped.strings(payload, self.noted.audience?))
    }

    /// The claim that was wanted in place of `aud`, one by one.
    pub(crate) fn audience_claim<'p>(&'p self, payload: &'p str) -> Option<Strings<'p>> {
        Some(self.noted.unescaped.strings(payload, self.noted.audience_claim?))
    }

    /// `aud`, copied.
    pub(crate) fn owned_audience(&self, payload: &str) -> Option<OneOrMany> {
        let is_list = Unescaped::is_list(payload, self.noted.audience?);
        let mut strings = self.audience(payload)?.map(str::to_owned);
        if is_list { Some(OneOrMany::Many(strings.collect())) } else { strings.next().map(OneOrMany::One) }
    }

    /// Each scope once for each time it stands there; a string of scopes is split at spaces, a list is not.
    pub(crate) fn scopes<'p>(&'p self, payload: &'p str) -> impl Iterator<Item = &'p str> {
        [self.noted.scope, self.noted.scp].into_iter().flatten().flat_map(move |place| {
            let strings = self.noted.unescaped.strings(payload, place);
            let (text, list) = match Unescaped::is_list(payload, place) {
                true => (None, Some(strings)),
                false => (Some(strings), None),
            };
            let words = text.into_iter().flatten().flat_map(|text| text.split(' ')).filter(|scope| !scope.is_empty());
            words.chain(list.into_iter().flatten())
        })
    }

    pub(crate) fn expires_at(&self) -> Option<NumericDate> {
        self.noted.expires_at
    }

    pub(crate) fn not_before(&self) -> Option<NumericDate> {
        self.noted.not_before
    }

    pub(crate) fn issued_at(&self) -> Option<NumericDate> {
        self.noted.issued_at
    }

    /// Whether there is a `cnf` (RFC 7800), whatever is in it.
    pub(crate) fn is_bound(&self) -> bool {
        self.noted.is_bound
    }

    /// Whether `events` makes it a Security Event Token (RFC 8417 §2.2).
    pub(crate) fn is_event(&self, payload: &str) -> bool {
        self.noted.events.is_some_and(|place| are_events(place.text(payload)))
    }
}

struct Reader<'c> {
    claims: &'c mut Noted,
    wanted: &'c WantedClaims,
    /// Where they are kept, claims of the wrong type do not end the reading.
    mistyped: Option<&'c mut Vec<&'static str>>,
}

impl Reader<'_> {
    fn text(&mut self, value: Value<'_>, name: &'static str) -> Result<Option<Place>, JsonError> {
        let read = self.claims.unescaped.text(value, name);
        self.typed(read)
    }

    fn texts(&mut self, value: Value<'_>, name: &'static str) -> Result<Option<Place>, JsonError> {
        let read = self.claims.unescaped.texts(value, name);
        self.typed(read)
    }

    fn date(&mut self, value: Value<'_>, name: &'static str) -> Result<Option<NumericDate>, JsonError> {
        let whole = value.integer().and_then(NumericDate::from_secs);
        self.typed(whole.map_or_else(|| value.parse(name), Ok))
    }

    fn typed<T>(&mut self, read: Result<T, JsonError>) -> Result<Option<T>, JsonError> {
        match (read, &mut self.mistyped) {
            (Err(JsonError::WrongType(name)), Some(mistyped)) => {
                mistyped.push(name);
                Ok(None)
            }
            (read, _) => read.map(Some),
        }
    }

    fn member(&mut self, name: &str, value: Value<'_>) -> Result<(), JsonError> {
        let mut is_null = false;
        match name {
            "iss" => self.claims.issuer = self.text(value, "iss")?,
            "sub" => self.claims.subject = self.text(value, "sub")?,
            "aud" => self.claims.audience = self.texts(value, "aud")?,
            "exp" => self.claims.expires_at = self.date(value, "exp")?,
            "nbf" => self.claims.not_before = self.date(value, "nbf")?,
            "iat" => self.claims.issued_at = self.date(value, "iat")?,
            "jti" => self.claims.token_id = self.text(value, "jti")?,
            "scope" => self.claims.scope = self.texts(value, "scope")?,
            "scp" => self.claims.scp = self.texts(value, "scp")?,
            _ if self.wanted.audience.as_deref() == Some(name) => {
                self.claims.audience_claim = self.texts(value, AUDIENCE_CLAIM)?;
            }
            "azp" if self.wanted.authorized_party => self.claims.authorized_party = self.text(value, "azp")?,
            _ => {
                self.claims.is_bound |= name == "cnf";
                if name == "events" {
                    self.claims.events = Some(Place::of(value));
                }
                is_null = value.text() == "null";
            }
        }
        if !is_null && self.wanted.required.iter().any(|required| required == name) {
            self.claims.required += 1;
        }
        Ok(())
    }
}

/// Whether a claim of the name `events` is the one of RFC 8417 §2.2: an object whose members have URIs for names.
fn are_events(value: &str) -> bool {
    let mut is_named_so = false;
    let read = Index::default().read(value, |name, _| {
        is_named_so |= name.contains(':');
        Ok(())
    });
    // An object that cannot be read strictly may be one to another reader.
    is_named_so || (read.is_err() && value.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(payload: &str) -> Result<RegisteredClaims, JsonError> {
        RegisteredClaims::parse(payload, &WantedClaims::default())
    }

    #[test]
    fn registered_claims_have_their_types() {
        let cases: &[(&str, Option<JsonError>)] = &[
            (r#"{"iss":"a","aud":"b","exp":1.5,"nbf":0,"iat":1e3,"jti":"x","sub":"s","scope":"a b"}"#, None),
            (r#"{"aud":["a","b"],"scp":["c"]}"#, None),
            (r#"{"aud":[]}"#, None),
            (r#"{"iss":["a"]}"#, Some(JsonError::WrongType("iss"))),
            (r#"{"iss":null}"#, Some(JsonError::WrongType("iss"))),
            (r#"{"aud":{"a":1}}"#, Some(JsonError::WrongType("aud"))),
            (r#"{"aud":["a",1]}"#, Some(JsonError::WrongType("aud"))),
            (r#"{"aud":7}"#, Some(JsonError::WrongType("aud"))),
            (r#"{"exp":"1"}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"exp":-1}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"exp":-0.5}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"exp":9223372036854775808}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"exp":18446744073709551616}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"exp":1e300}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"exp":true}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"exp":null}"#, Some(JsonError::WrongType("exp"))),
            (r#"{"nbf":[1]}"#, Some(JsonError::WrongType("nbf"))),
            (r#"{"iat":{}}"#, Some(JsonError::WrongType("iat"))),
            (r#"{"scope":7}"#, Some(JsonError::WrongType("scope"))),
            (r#"{"sub":1,"sub":1}"#, Some(JsonError::WrongType("sub"))),
            (r#"{"a":1,"a":1}"#, Some(JsonError::Duplicate)),
            (r#"{"exp":1e400}"#, Some(JsonError::Syntax)),
            ("null", Some(JsonError::Syntax)),
        ];
        for (payload, expected) in cases {
            assert_eq!(parse(payload).err(), *expected, "{payload}");
        }
    }

    #[test]
    fn the_issuer_that_is_read_is_the_one_that_was_found() {
        let stuffing = vec!["[[]]"; 100].join(",");
        let payload = format!(r#"{{"x":[{stuffing}],"iss":"a","sub":"s"}}"#);
        let wanted = WantedClaims::default();
        let found = || {
            let mut claims = RegisteredClaims::default();
            assert_eq!(claims.read_or_find_issuer(&payload, &wanted), Ok(false));
            assert_eq!((claims.issuer(&payload), claims.subject(&payload)), (Some("a"), None));
            claims
        };
        let mut claims = found();
        assert_eq!(claims.read_on(&payload, &wanted), Ok(()));
        assert_eq!((claims.issuer(&payload), claims.subject(&payload)), (Some("a"), Some("s")));
        // As if the scan had been wrong.
        assert_eq!(found().read_on(r#"{"x":[],"iss":"a"}"#, &wanted), Err(JsonError::Duplicate));
        assert_eq!(found().read_on("{}", &wanted), Err(JsonError::Duplicate));
        assert_eq!(RegisteredClaims::default().read_on(&payload, &wanted), Err(JsonError::Duplicate));
    }

    #[test]
    fn scopes_are_words_or_list_items_and_never_letters() {
        let cases: &[(&str, &[&str])] = &[
            (r#"{"scope":"posts:read  posts:write"}"#, &["posts:read", "posts:write"]),
            (r#"{"scope":["a b","c"]}"#, &["a b", "c"]),
            (r#"{"scp":"a","scope":"b"}"#, &["b", "a"]),
            (r#"{"scope":""}"#, &[]),
            (r#"{}"#, &[]),
        ];
        for (payload, expected) in cases {
            let claims = parse(payload).unwrap_or_else(|error| panic!("{error}: {payload}"));
            assert_eq!(claims.scopes(payload).collect::<Vec<_>>(), *expected, "{payload}");
        }
    }

    #[test]
    fn what_is_wanted_is_noted_on_the_way() {
        let wanted = |required: &[&str]| WantedClaims {
            required: required.iter().map(|name| (*name).to_owned()).collect(),
            audience: Some("client_id".to_owned()),
            authorized_party: true,
        };
        let payload =
            r#"{"sub":"s","x":0,"y":null,"cnf":null,"events":null,"z":{"deep":[null]},"client_id":["c"],"azp":"a"}"#;
        for (required, is_there) in [
            (&[][..], true),
            (&["sub", "x", "z", "client_id", "azp"], true),
            (&["y"], false),
            (&["cnf"], false),
            (&["events"], false),
            (&["deep"], false),
            (&["sub", "absent"], false),
        ] {
            let wanted = wanted(required);
            let claims = RegisteredClaims::parse(payload, &wanted).expect("claims");
            assert_eq!(claims.has_required(&wanted), is_there, "{required:?}");
            let audience: Vec<_> = claims.audience_claim(payload).expect("an audience").collect();
            assert_eq!(audience, ["c"]);
            assert_eq!(claims.authorized_party(payload), Some("a"));
        }
        let plain = parse(payload).expect("claims");
        assert!(
            plain.audience_claim(payload).is_none() && plain.authorized_party(payload).is_none() && plain.is_bound()
        );
        for (payload, wrong) in
            [(r#"{"client_id":7}"#, AUDIENCE_CLAIM), (r#"{"azp":["a"]}"#, "azp"), (r#"{"azp":null}"#, "azp")]
        {
            let outcome = RegisteredClaims::parse(payload, &wanted(&[]));
            assert_eq!(outcome.err(), Some(JsonError::WrongType(wrong)), "{payload}");
            assert!(parse(payload).is_ok(), "{payload}: nobody asked");
        }
    }

    #[test]
    fn one_or_many_strings_are_written_as_they_are_read() {
        for text in [r#""api""#, r#"["api"]"#, r#"["api","web"]"#, "[]"] {
            let strings: OneOrMany = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&strings).expect("serialise"), text);
        }
    }

    #[test]
    fn dates_reach_beyond_2106_and_end_with_i64() {
        for (seconds, is_date) in [(0, true), (1 << 40, true), (i64::MAX as u64, true), (1 << 63, false)] {
            let date = NumericDate::from_secs(seconds);
            assert_eq!(date.map(|date| date.since_epoch().as_secs()), is_date.then_some(seconds));
            assert_eq!(serde_json::from_str::<NumericDate>(&seconds.to_string()).ok(), date);
        }
    }

    #[test]
    fn dates_are_written_as_they_are_read() {
        for text in ["0", "1300819380", "1300819380.5"] {
            let date: NumericDate = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&date).expect("serialise"), text);
        }
    }

    #[test]
    fn events_are_those_whose_names_are_uris_or_cannot_be_read() {
        for (events, are_events) in [
            (r#"{"https://a.example/event":{}}"#, true),
            (r#"{"https://a.example/event":{},"a":1}"#, true),
            (r#"{"a":1,"urn:b":1}"#, true),
            (r#"{"a":1,"a":1}"#, true),
            (r#"{"a":1}"#, false),
            ("{}", false),
            (r#"["urn:a"]"#, false),
            (r#""urn:a""#, false),
            ("null", false),
        ] {
            let payload = format!(r#"{{"events":{events}}}"#);
            let claims = parse(&payload).expect(events);
            assert_eq!(claims.is_event(&payload), are_events, "{events}");
        }
        let payload = r#"{"event":{"urn:a":1}}"#;
        assert!(!parse(payload).expect("claims").is_event(payload));
    }

    #[test]
    fn claims_are_given_as_they_stand_there() {
        let payload = r#"{"jti":"j","aud":["a","b"],"x":1}"#;
        let claims = parse(payload).expect(payload);
        assert_eq!(claims.token_id(payload), Some("j"));
        let many = OneOrMany::Many(vec!["a".to_owned(), "b".to_owned()]);
        assert!(many.contains("a") && many.contains("b") && !many.contains("c") && !many.contains(""));
        assert_eq!(claims.owned_audience(payload), Some(many));
        let payload = r#"{"aud":"a"}"#;
        let audience = parse(payload).expect(payload).owned_audience(payload);
        assert_eq!(audience, Some(OneOrMany::One("a".to_owned())));
        assert_eq!(parse("{}").expect("claims").owned_audience("{}"), None);
        let date = NumericDate::from_secs(7).expect("a date");
        assert_eq!(date.to_system_time(), Some(UNIX_EPOCH + Duration::from_secs(7)));
    }

    #[test]
    fn an_error_says_what_was_expected() {
        for (error, expected) in [
            (serde_json::from_str::<NumericDate>(r#""1""#).err(), "seconds since 1970"),
            (serde_json::from_str::<OneOrMany>("7").err(), "a string or an array of strings"),
        ] {
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{error}");
        }
    }
}
