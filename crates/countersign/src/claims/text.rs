//! Text in a payload, by its place: claims that are read need no copy.

use super::OneOrMany;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::ops::Range;

/// A string of a payload: where it stands, or the string itself where it is written with escapes.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    At(Range<usize>),
    Unescaped(Box<str>),
}

impl Text {
    /// The place of `text` in `payload`, or a copy where it is no part of it.
    fn within(payload: &[u8], text: &str) -> Self {
        let place =
            text.as_ptr().addr().checked_sub(payload.as_ptr().addr()).map(|at| at..at.saturating_add(text.len()));
        match place {
            Some(place) if payload.get(place.clone()).is_some_and(|own| std::ptr::eq(own, text.as_bytes())) => {
                Self::At(place)
            }
            _ => Self::Unescaped(text.into()),
        }
    }

    /// The string, by the payload that it was read from.
    pub(crate) fn of<'p>(&'p self, payload: &'p [u8]) -> &'p str {
        match self {
            // The place was that of a string: no name that anybody trusts is empty.
            Self::At(place) => {
                payload.get(place.clone()).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
            }
            Self::Unescaped(text) => text,
        }
    }
}

/// [`OneOrMany`] of a payload.
#[derive(Clone, Debug)]
pub(crate) enum Texts {
    One(Text),
    Many(Vec<Text>),
}

impl Texts {
    pub(crate) fn iter<'p>(&'p self, payload: &'p [u8]) -> impl Iterator<Item = &'p str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
        .iter()
        .map(|text| text.of(payload))
    }

    pub(crate) fn contains(&self, payload: &[u8], wanted: &str) -> bool {
        self.iter(payload).any(|own| own == wanted)
    }

    pub(crate) fn to_owned(&self, payload: &[u8]) -> OneOrMany {
        match self {
            Self::One(one) => OneOrMany::One(one.of(payload).to_owned()),
            Self::Many(many) => OneOrMany::Many(many.iter().map(|text| text.of(payload).to_owned()).collect()),
        }
    }
}

/// Reads a string of this payload.
#[derive(Clone, Copy)]
pub(super) struct ReadText<'p>(pub(super) &'p [u8]);

impl<'de> DeserializeSeed<'de> for ReadText<'_> {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for ReadText<'_> {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text, E> {
        Ok(Text::within(self.0, text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text::Unescaped(text.into()))
    }
}

/// Reads one string of this payload, or several.
#[derive(Clone, Copy)]
pub(super) struct ReadTexts<'p>(pub(super) &'p [u8]);

impl<'de> DeserializeSeed<'de> for ReadTexts<'_> {
    type Value = Texts;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Texts, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadTexts<'_> {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, one: &'de str) -> Result<Texts, E> {
        Ok(Texts::One(Text::within(self.0, one)))
    }

    fn visit_str<E>(self, one: &str) -> Result<Texts, E> {
        Ok(Texts::One(Text::Unescaped(one.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Texts, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = array.next_element_seed(ReadText(self.0))? {
            many.push(one);
        }
        Ok(Texts::Many(many))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(payload: &str) -> Option<Texts> {
        let mut json = serde_json::Deserializer::from_str(payload);
        ReadTexts(payload.as_bytes()).deserialize(&mut json).ok().filter(|_| json.end().is_ok())
    }

    proptest! {
        /// What is read by its place is what is read by copying.
        #[test]
        fn texts_are_what_one_or_many_reads(strings in prop::collection::vec(".*", 0..5), one in ".*") {
            for payload in [serde_json::json!(strings).to_string(), serde_json::json!(one).to_string()] {
                let texts = read(&payload).map(|texts| texts.to_owned(payload.as_bytes()));
                prop_assert_eq!(texts, serde_json::from_str::<OneOrMany>(&payload).ok());
            }
        }
    }

    #[test]
    fn only_what_is_escaped_is_copied() {
        for (payload, is_place) in [("\"a b\"", true), ("\"\"", true), ("\"é\"", true), ("\"a\\u0062\"", false)] {
            let Some(Texts::One(text)) = read(payload) else { panic!("{payload}") };
            assert_eq!(matches!(text, Text::At(_)), is_place, "{payload}");
        }
        for bad in ["7", "null", "{}", "[7]", "[[]]", "true"] {
            assert!(read(bad).is_none(), "{bad}");
        }
        let copy = Text::within(b"other", &String::from("other"));
        assert!(matches!(&copy, Text::Unescaped(text) if &**text == "other"), "no part of that payload");
    }
}
