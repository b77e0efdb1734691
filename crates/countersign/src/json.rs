//! Strict JSON objects: no member twice at the top level, a bounded number of them, nothing behind the object.

mod cursor;
mod index;
mod scan;

pub(crate) use cursor::Patience;
pub use cursor::{Cursor, Unfit};
pub(crate) use index::{Index, Span, Value};
pub(crate) use scan::find_first;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// More members than this are refused before they are read, unless fewer are.
const MAX_MEMBERS: usize = 256;

/// Why an object was refused. Holds no text of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("not a JSON object")]
    Syntax,
    #[error("a member stands twice")]
    Duplicate,
    #[error("too many members")]
    TooMany,
    /// Whether it is one has not been found out: see [`Patience::Short`].
    #[error("too much to read")]
    Laborious,
    #[error("`{0}` has the wrong type or an impossible value")]
    WrongType(&'static str),
}

/// What reads the members of an object, one at a time.
pub(crate) trait Members<'de> {
    /// More of them are refused before they are read.
    const MOST: usize = MAX_MEMBERS;

    /// Reads the value of member `name` from `map`, or skips it.
    ///
    /// Returns the member's own name as a constant when the value's type mattered and was wrong.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>>;
}

/// A member that could not be read.
pub(crate) enum Wrong<E> {
    Type(&'static str, E),
    Syntax(E),
}

impl<E> From<E> for Wrong<E> {
    fn from(error: E) -> Self {
        Self::Syntax(error)
    }
}

/// Reads the value of a member whose type matters.
pub(crate) fn typed<'de, T: serde::Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    name: &'static str,
) -> Result<T, Wrong<A::Error>> {
    seeded(map, name, PhantomData)
}

/// Reads the value of a member whose type matters, by a seed.
pub(crate) fn seeded<'de, S: DeserializeSeed<'de>, A: MapAccess<'de>>(
    map: &mut A,
    name: &'static str,
    seed: S,
) -> Result<S::Value, Wrong<A::Error>> {
    map.next_value_seed(seed).map_err(|error| Wrong::Type(name, error))
}

/// Reads the value of a member that has to be a string, and shows it to `look`: most are not kept.
pub(crate) fn text<'de, T, A: MapAccess<'de>>(
    map: &mut A,
    name: &'static str,
    look: impl FnOnce(Cow<'de, str>) -> T,
) -> Result<T, Wrong<A::Error>> {
    seeded(map, name, Name).map(look)
}

/// Skips the value of a member that nobody asked for.
pub(crate) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), Wrong<A::Error>> {
    map.next_value::<serde::de::IgnoredAny>()?;
    Ok(())
}

/// Reads one JSON object and nothing behind it.
pub(crate) fn read_object<'de, M: Members<'de>>(bytes: &'de [u8], members: &mut M) -> Result<(), JsonError> {
    // serde_json does not look inside what it skips, and JSON is UTF-8 throughout (RFC 8725 §3.7).
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let mut problem = None;
    let read = json.deserialize_map(Object { members, problem: &mut problem });
    match (read, problem) {
        (Ok(()), None) => json.end().map_err(|_| JsonError::Syntax),
        (Err(error), Some(JsonError::WrongType(name))) if error.is_data() => Err(JsonError::WrongType(name)),
        (Err(_), Some(problem @ (JsonError::Duplicate | JsonError::TooMany))) => Err(problem),
        _ => Err(JsonError::Syntax),
    }
}

struct Object<'a, M> {
    members: &'a mut M,
    problem: &'a mut Option<JsonError>,
}

impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(name) = map.next_key_seed(Name)? {
            if seen.contains(&name) {
                *self.problem = Some(JsonError::Duplicate);
                return Err(A::Error::custom("duplicate member"));
            }
            if seen.len == M::MOST {
                *self.problem = Some(JsonError::TooMany);
                return Err(A::Error::custom("too many members"));
            }
            match self.members.member(&name, &mut map) {
                Ok(()) => {}
                Err(Wrong::Syntax(error)) => return Err(error),
                Err(Wrong::Type(name, error)) => {
                    *self.problem = Some(JsonError::WrongType(name));
                    return Err(error);
                }
            }
            seen.push(name);
        }
        Ok(())
    }
}

/// Names of members, of which a usual object has few enough for the stack.
#[derive(Default)]
struct Seen<'de> {
    first: [Cow<'de, str>; FEW],
    more: Vec<Cow<'de, str>>,
    len: usize,
}

const FEW: usize = 16;

impl<'de> Seen<'de> {
    fn contains(&self, name: &str) -> bool {
        self.first.iter().take(self.len).chain(&self.more).any(|seen| seen == name)
    }

    fn push(&mut self, name: Cow<'de, str>) {
        match self.first.get_mut(self.len) {
            Some(place) => *place = name,
            None => self.more.push(name),
        }
        self.len += 1;
    }
}

/// A string, such as a member name, borrowed from the input where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Number(Option<u32>);

    impl<'de> Members<'de> for Number {
        fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
            if name == "n" {
                self.0 = Some(typed(map, "n")?);
                return Ok(());
            }
            skip(map)
        }
    }

    fn read(text: &str) -> Result<Option<u32>, JsonError> {
        let mut number = Number::default();
        read_object(text.as_bytes(), &mut number)?;
        Ok(number.0)
    }

    #[test]
    fn one_object_and_each_member_once() {
        let many = format!("{{{}}}", (0..300).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>().join(","));
        let cases: &[(&str, Result<Option<u32>, JsonError>)] = &[
            (" { \"n\" : 1 , \"x\" : {\"a\":1,\"a\":2} } ", Ok(Some(1))),
            ("{}", Ok(None)),
            ("{\"n\":1,\"n\":1}", Err(JsonError::Duplicate)),
            ("{\"n\":1,\"\\u006e\":1}", Err(JsonError::Duplicate)),
            ("{\"x\":1,\"x\":1}", Err(JsonError::Duplicate)),
            ("{\"n\":\"1\"}", Err(JsonError::WrongType("n"))),
            ("{\"n\":", Err(JsonError::Syntax)),
            ("{\"n\":1}x", Err(JsonError::Syntax)),
            ("{\"n\":1}{}", Err(JsonError::Syntax)),
            ("[1]", Err(JsonError::Syntax)),
            ("\"n\"", Err(JsonError::Syntax)),
            ("", Err(JsonError::Syntax)),
            ("{\"n\":1,}", Err(JsonError::Syntax)),
            (&many, Err(JsonError::TooMany)),
        ];
        for (text, expected) in cases {
            assert_eq!(&read(text), expected, "{text}");
        }
        for len in [FEW - 1, FEW, FEW + 1, 100] {
            let names: Vec<_> = (0..len).map(|n| format!("\"m{n}\":0")).collect();
            assert_eq!(read(&format!("{{{}}}", names.join(","))), Ok(None), "{len}");
            for name in &names {
                let twice = format!("{{{},{name}}}", names.join(","));
                assert_eq!(read(&twice), Err(JsonError::Duplicate), "{twice}");
            }
        }
        assert_eq!(read_object(b"{\"\xff\":1}", &mut Number::default()), Err(JsonError::Syntax), "not UTF-8");
        assert_eq!(read_object(b"{\"x\":\"\xff\"}", &mut Number::default()), Err(JsonError::Syntax), "not even inside");
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), Ok(None), "what is skipped costs no stack");
    }
}
