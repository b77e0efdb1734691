use crate::config::ConfigError;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What actix-web takes, and more than a path that people read has.
const MOST_PARAMETERS: usize = 16;

/// The path of a route, in one form for all frameworks: `/posts/{id}`, `/files/{*rest}`.
///
/// A parameter `{name}` is a whole segment that is not empty. A tail `{*name}` stands at the end and takes one or more
/// segments. Names are made of letters, digits and `_`, and stand once. Fixed segments have the characters that a path may
/// have unencoded (RFC 3986 §3.3), but for `*`; `/posts` and `/posts/` are two paths.
///
/// Each framework's router reads odd paths of requests in its own way: axum takes an empty segment for a parameter before a
/// slash, and actix-web decodes a path before it compares. Whichever route serves, it stands behind its own requirement.
///
/// ```
/// use countersign::manifest::PathTemplate;
///
/// let file = PathTemplate::parse("/users/{user}/files/{*path}")?;
/// let params = file.params("/users/j%C3%BCrg/files/a/b").expect("it matches");
/// assert_eq!((params.get("user"), params.get("path")), (Some("jürg"), Some("a/b")));
/// assert!(!file.matches("/users/ada/files/"));
/// assert!(PathTemplate::parse("/users/{user}/{user}").is_err());
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: Arc<str>,
    segments: Arc<[Segment]>,
    /// Up to here the text stands in every path that matches: what most paths differ in.
    plain: usize,
}

/// What stands between two slashes of a [`PathTemplate`]. Exhaustive on purpose: an adapter that forgets a case must not
/// compile.
///
/// ```
/// use countersign::manifest::{PathTemplate, Segment};
///
/// /// The path as a framework writes it that has `:name` and `*name`.
/// fn colons(path: &PathTemplate) -> String {
///     path.segments().iter().map(|segment| match segment {
///         Segment::Fixed(text) => format!("/{text}"),
///         Segment::Parameter(name) => format!("/:{name}"),
///         Segment::Tail(name) => format!("/*{name}"),
///     }).collect()
/// }
/// assert_eq!(colons(&PathTemplate::parse("/posts/{id}/{*rest}")?), "/posts/:id/*rest");
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These characters. Empty at the end of a path with a slash there.
    Fixed(Arc<str>),
    /// Any one segment, by this name.
    Parameter(Arc<str>),
    /// The rest of the path, by this name.
    Tail(Arc<str>),
}

/// A segment without the name of its parameter, in the order in which segments are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape<'t> {
    Fixed(&'t str),
    Parameter,
    Tail,
}

impl Segment {
    fn parse(text: &str, is_last: bool) -> Result<Self, &'static str> {
        if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let (name, is_tail) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
            if is_tail && !is_last {
                return Err("a tail stands at the end");
            }
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err("the name of a parameter is made of letters, digits and `_`, and starts with no digit");
            }
            return Ok(if is_tail { Self::Tail(name.into()) } else { Self::Parameter(name.into()) });
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@".contains(c);
        match text {
            "" if !is_last => Err("an empty segment"),
            "." | ".." => Err("clients resolve the segments `.` and `..` before they ask"),
            _ if text.contains(['{', '}']) || text.starts_with([':', '*']) => {
                Err("a parameter is a whole segment `{name}`, and a tail is `{*name}`")
            }
            _ if !text.chars().all(is_plain) => Err("a character that no path of a route may have"),
            _ => Ok(Self::Fixed(text.into())),
        }
    }

    fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Fixed(_) => None,
            Self::Parameter(name) | Self::Tail(name) => Some(name),
        }
    }

    fn shape(&self) -> Shape<'_> {
        match self {
            Self::Fixed(text) => Shape::Fixed(text),
            Self::Parameter(_) => Shape::Parameter,
            Self::Tail(_) => Shape::Tail,
        }
    }
}

impl PathTemplate {
    /// Reads a path.
    ///
    /// # Errors
    /// [`ConfigError`] that says what is wrong with it.
    pub fn parse(path: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: &str| ConfigError::new("path", format!("`{}`: {problem}", path.escape_debug()));
        let inner = path.strip_prefix('/').ok_or_else(|| wrong("a path starts with `/`"))?;
        let last = inner.split('/').count() - 1;
        let segments: Arc<[_]> = inner
            .split('/')
            .enumerate()
            .map(|(nth, text)| Segment::parse(text, nth == last))
            .collect::<Result<_, _>>()
            .map_err(wrong)?;
        let mut names = BTreeSet::new();
        if !segments.iter().filter_map(Segment::name).all(|name| names.insert(name)) {
            return Err(wrong("two parameters have one name"));
        }
        if names.len() > MOST_PARAMETERS {
            return Err(wrong("more than 16 parameters"));
        }
        Ok(Self { text: path.into(), segments, plain: path.find('{').unwrap_or(path.len()) })
    }

    /// This path below `prefix`, whose own page is its `/`.
    pub(super) fn below(&self, prefix: Option<&Self>) -> Result<Self, ConfigError> {
        match prefix {
            None => Ok(self.clone()),
            Some(prefix) if &*self.text == "/" => Ok(prefix.clone()),
            Some(prefix) => Self::parse(&format!("{prefix}{self}")),
        }
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands between the slashes.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn shape(&self) -> Vec<Shape<'_>> {
        self.segments.iter().map(Segment::shape).collect()
    }

    /// Whether the path of a request, percent-encoded as it came, has this form.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.captures(path).is_some()
    }

    /// The parameters of a request's path, percent-decoded once. `None` where the path has another form, and where a
    /// parameter is not UTF-8 or not percent-encoded rightly.
    #[must_use]
    pub fn params(&self, path: &str) -> Option<PathParams> {
        let names = self.segments.iter().filter_map(Segment::name).cloned();
        names
            .zip(self.captures(path)?)
            .map(|(name, value)| Some((name, decoded(value)?)))
            .collect::<Option<_>>()
            .map(PathParams)
    }

    fn captures<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        if !path.starts_with(self.text.get(..self.plain)?) {
            return None;
        }
        let mut captured = Vec::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &*self.segments {
            let here = rest?;
            let (first, behind) = here.split_once('/').map_or((here, None), |(first, behind)| (first, Some(behind)));
            match segment {
                Segment::Fixed(text) if **text == *first => {}
                Segment::Parameter(_) if !first.is_empty() => captured.push(first),
                Segment::Tail(_) if !here.is_empty() => {
                    captured.push(here);
                    return Some(captured);
                }
                _ => return None,
            }
            rest = behind;
        }
        rest.is_none().then_some(captured)
    }
}

fn decoded(text: &str) -> Option<String> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl Serialize for PathTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// What a request's path has in the place of a template's parameters, percent-decoded.
///
/// ```
/// use countersign::manifest::PathTemplate;
///
/// let posts = PathTemplate::parse("/users/{user}/posts/{id}")?;
/// let params = posts.params("/users/ada/posts/7").expect("it matches");
/// assert_eq!((params.get("user"), params.get("id"), params.get("tag")), (Some("ada"), Some("7"), None));
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathParams(Vec<(Arc<str>, String)>);

impl PathParams {
    /// The parameter of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(own, value)| (own == name).then_some(value))
    }

    /// Names and values, in the order of the path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_str()))
    }
}
