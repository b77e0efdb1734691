//! Text in a payload, by its place: claims that are read need no copy.

use super::OneOrMany;
use crate::json::{Cursor, JsonError, Span, Unfit, Value};
use std::slice;

/// A value of a payload that is a string, or one or several: its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(Span);

impl Place {
    pub(super) fn of(value: Value<'_>) -> Self {
        Self(value.place())
    }

    /// The JSON text at this place of the payload.
    pub(super) fn text(self, payload: &str) -> &str {
        text_at(payload, self)
    }
}

/// Strings that cannot be borrowed, because they are written with escapes: by the place of their value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unescaped(Vec<(Place, OneOrMany)>);

impl Unescaped {
    /// Notes the string that is the value of `name`.
    pub(super) fn text(&mut self, value: Value<'_>, name: &'static str) -> Result<Place, JsonError> {
        let place = Place::of(value);
        if value.plain().is_none() {
            self.0.push((place, OneOrMany::One(value.parse(name)?)));
        }
        Ok(place)
    }

    /// Notes the strings that are the value of `name`, or the one.
    pub(super) fn texts(&mut self, value: Value<'_>, name: &'static str) -> Result<Place, JsonError> {
        let place = Place::of(value);
        if value.plain().is_none() && !is_plain_list(value.text()) {
            self.0.push((place, value.parse(name)?));
        }
        Ok(place)
    }

    fn find(&self, place: Place) -> Option<&OneOrMany> {
        self.0.iter().find(|(own, _)| *own == place).map(|(_, strings)| strings)
    }

    /// The strings at this place of the payload.
    pub(super) fn strings<'p>(&'p self, payload: &'p str, place: Place) -> Strings<'p> {
        match self.find(place) {
            Some(OneOrMany::One(one)) => Strings::Unescaped(slice::from_ref(one).iter()),
            Some(OneOrMany::Many(many)) => Strings::Unescaped(many.iter()),
            None => Strings::Plain(Cursor::new(text_at(payload, place))),
        }
    }

    /// Whether there is a list at this place of the payload.
    pub(super) fn is_list(payload: &str, place: Place) -> bool {
        text_at(payload, place).starts_with('[')
    }
}

/// What stands there. No name that anybody trusts is empty.
fn text_at(payload: &str, Place(span): Place) -> &str {
    payload.get(span.range()).unwrap_or_default()
}

/// A list of strings without escapes.
fn is_plain_list(text: &str) -> bool {
    Cursor::new(text).list(|cursor| cursor.plain_string().map(drop).ok_or(Unfit)).is_ok()
}

/// Strings of a payload, one after the other.
#[derive(Debug)]
pub(crate) enum Strings<'p> {
    /// One without escapes, or a list of such.
    Plain(Cursor<'p>),
    Unescaped(slice::Iter<'p, String>),
}

impl<'p> Iterator for Strings<'p> {
    type Item = &'p str;

    fn next(&mut self) -> Option<&'p str> {
        match self {
            Self::Plain(cursor) => {
                let _ = cursor.past(b'[') || cursor.past(b',');
                cursor.plain_string()
            }
            Self::Unescaped(strings) => strings.next().map(String::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;
    use proptest::prelude::*;

    /// What the value of the only claim in this payload is read as, and whether it was copied.
    fn read(payload: &str) -> Option<(OneOrMany, bool)> {
        let (mut unescaped, mut read) = (Unescaped::default(), None);
        let look = |_: &str, value: Value<'_>| {
            read = Some(unescaped.texts(value, "aud")?);
            Ok(())
        };
        Index::default().read(payload, look).ok()?;
        let place = read?;
        let strings: Vec<_> = unescaped.strings(payload, place).map(str::to_owned).collect();
        let strings = match Unescaped::is_list(payload, place) {
            true => OneOrMany::Many(strings),
            false => OneOrMany::One(strings.concat()),
        };
        Some((strings, unescaped.find(place).is_some()))
    }

    fn claim(value: &str) -> String {
        format!("{{ \"aud\" : {value} }}")
    }

    proptest! {
        /// What is read by its place is what is read by copying.
        #[test]
        fn texts_are_what_one_or_many_reads(strings in prop::collection::vec(".*", 0..5), one in ".*", pretty: bool) {
            for value in [serde_json::json!(strings), serde_json::json!(one)] {
                let value = if pretty { format!("{value:#}") } else { value.to_string() };
                let read = read(&claim(&value)).map(|(strings, _)| strings);
                prop_assert_eq!(read, serde_json::from_str::<OneOrMany>(&value).ok());
            }
        }
    }

    #[test]
    fn only_what_is_escaped_is_copied() {
        for (value, is_copied) in [
            ("\"a b\"", false),
            ("\"\"", false),
            ("\"é\"", false),
            ("[\"a\" , \"b\"]", false),
            ("[]", false),
            ("\"a\\u0062\"", true),
            ("[\"a\",\"\\n\"]", true),
        ] {
            let strings = serde_json::from_str(value).expect("strings");
            assert_eq!(read(&claim(value)), Some((strings, is_copied)), "{value}");
        }
        for bad in ["7", "null", "{}", "[7]", "[[]]", "[\"a\",null]", "true", "\"\\ud800\"", "[\"\\ud800\"]"] {
            assert!(read(&claim(bad)).is_none(), "{bad}");
        }
    }
}
