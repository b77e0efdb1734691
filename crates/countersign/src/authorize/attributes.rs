use serde::Serialize;
use serde_json::{Map, Value};

/// The value of an attribute, borrowed from whatever has it.
///
/// ```
/// use countersign::authorize::Attribute;
///
/// let teams = ["red".to_owned(), "blue".to_owned()];
/// assert_eq!(Attribute::from("7").as_text(), Some("7"));
/// assert_eq!(Attribute::from("7").as_integer(), None);
/// assert_eq!(Attribute::from(&teams[..]).contains("blue"), Some(true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Text.
    Text(&'a str),
    /// A list of texts.
    Texts(&'a [String]),
    /// Anything else that JSON knows.
    Json(&'a Value),
}

impl<'a> Attribute<'a> {
    /// What it says, where it is a flag.
    #[must_use]
    pub fn as_flag(self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    /// The number, where it is a whole one.
    #[must_use]
    pub fn as_integer(self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(integer),
            _ => None,
        }
    }

    /// The text, where it is one. A list of one text is none.
    #[must_use]
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this text is in the list; `None` where it is no list of texts. A text is none: `"admin"` does not contain
    /// `"a"`.
    #[must_use]
    pub fn contains(self, wanted: &str) -> Option<bool> {
        match self {
            Self::Texts(texts) => Some(texts.iter().any(|text| text == wanted)),
            Self::Json(Value::Array(items)) => {
                let texts = items.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
                Some(texts.contains(&wanted))
            }
            _ => None,
        }
    }
}

impl From<bool> for Attribute<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Attribute<'_> {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<f64> for Attribute<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for Attribute<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [String]> for Attribute<'a> {
    fn from(texts: &'a [String]) -> Self {
        Self::Texts(texts)
    }
}

impl<'a> From<&'a Value> for Attribute<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Flag(*flag),
            Value::String(text) => Self::Text(text),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(number)) if number.fract() != 0.0 => Self::Number(number),
                // Beyond `i64`, where `f64` would round.
                _ => Self::Json(value),
            },
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Json(value),
        }
    }
}

/// What is known of a resource, a subject or the circumstances, read when a policy asks for it.
///
/// An application implements it for what it has loaded, so that nothing is copied. JSON objects have it, and so have arrays
/// and slices of names and attributes.
///
/// Absent and false are two things. Two attributes that are both absent are equal as `Option`s: compare what is there, as
/// the owner is here.
///
/// ```
/// use countersign::authorize::policy::policy_fn;
/// use countersign::authorize::{Attribute, Attributes};
///
/// struct Post { author: String, is_public: bool }
///
/// impl Attributes for Post {
///     fn get(&self, name: &str) -> Option<Attribute<'_>> {
///         match name {
///             "author" => Some(self.author.as_str().into()),
///             "is_public" => Some(self.is_public.into()),
///             _ => None,
///         }
///     }
/// }
///
/// // Where tokens come from one issuer: a subject is unique within its issuer only.
/// let own = policy_fn("own", |request| {
///     let author = request.resource?.attribute("author")?;
///     Some(author.as_text()? == request.token.subject()?)
/// });
/// # let _ = own;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no attributes",
    note = "pass a JSON object, an array of `(name, Attribute)`, or implement `Attributes`"
)]
pub trait Attributes: Sync {
    /// The attribute of this name; `None` where there is none.
    fn get(&self, name: &str) -> Option<Attribute<'_>>;

    /// Each attribute with its name: what goes to a decision service, as a property. None, unless it says which: what
    /// policies may read need not leave the process.
    fn each(&self, visit: &mut dyn FnMut(&str, Attribute<'_>)) {
        let _ = visit;
    }
}

impl Attributes for Map<String, Value> {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        Map::get(self, name).map(Attribute::from)
    }

    fn each(&self, visit: &mut dyn FnMut(&str, Attribute<'_>)) {
        for (name, value) in self {
            visit(name, value.into());
        }
    }
}

/// The members of an object; any other value has none.
impl Attributes for Value {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        self.as_object().and_then(|object| Attributes::get(object, name))
    }

    fn each(&self, visit: &mut dyn FnMut(&str, Attribute<'_>)) {
        if let Some(object) = self.as_object() {
            object.each(visit);
        }
    }
}

/// Of a name that stands twice, the first counts.
impl Attributes for &[(&str, Attribute<'_>)] {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        first(self, name)
    }

    fn each(&self, visit: &mut dyn FnMut(&str, Attribute<'_>)) {
        self.iter().for_each(|(name, value)| visit(name, *value));
    }
}

/// Of a name that stands twice, the first counts.
impl<const LEN: usize> Attributes for [(&str, Attribute<'_>); LEN] {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        first(self, name)
    }

    fn each(&self, visit: &mut dyn FnMut(&str, Attribute<'_>)) {
        self.iter().for_each(|(name, value)| visit(name, *value));
    }
}

fn first<'a>(list: &[(&str, Attribute<'a>)], name: &str) -> Option<Attribute<'a>> {
    list.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
}
