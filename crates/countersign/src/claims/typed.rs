//! Claims as a type of the caller's.
//!
//! Where the members stand is known, so those that the type does not ask for cost nothing, and strings are not searched
//! for their end again. This way takes the usual types; serde_json reads whatever it does not take, and says what is wrong.
//! A claim may be nested as deeply here as a whole claims set may be there, which is one level more.

use crate::json::{Index, Value};
use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Display};
use std::mem;

/// The object in `text` that this is the index of.
pub(super) fn read<C: DeserializeOwned>(text: &str, members: &Index) -> serde_json::Result<C> {
    C::deserialize(Claims { text, members }).or_else(|NotThisWay| serde_json::from_str(text))
}

/// It does not fit, or this way does not take it: serde_json says which.
#[derive(Debug)]
struct NotThisWay;

impl Display for NotThisWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not this way")
    }
}

impl std::error::Error for NotThisWay {}

impl Error for NotThisWay {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

struct Claims<'de> {
    text: &'de str,
    members: &'de Index,
}

/// What must not be read member by member: an object is none of these, or asks for its text.
macro_rules! not_this_way {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* _: V) -> Result<V::Value, NotThisWay> {
            $(let _ = $argument;)*
            Err(NotThisWay)
        }
    )*};
}

impl<'de> Deserializer<'de> for Claims<'de> {
    type Error = NotThisWay;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotThisWay> {
        let has_failed = Cell::new(false);
        let mut unread = Unread { claims: self, read: 0, owes_value: false, has_failed: &has_failed };
        let read = visitor.visit_map(&mut unread)?;
        // Whoever leaves members unread, or goes on after one that does not fit, serde_json may refuse.
        if unread.name().is_none() && !unread.owes_value && !has_failed.get() { Ok(read) } else { Err(NotThisWay) }
    }

    forward_to_deserialize_any! { map struct }

    not_this_way! {
        deserialize_bool(); deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_char(); deserialize_str(); deserialize_string();
        deserialize_bytes(); deserialize_byte_buf(); deserialize_option(); deserialize_unit();
        deserialize_unit_struct(name: &'static str); deserialize_newtype_struct(name: &'static str); deserialize_seq();
        deserialize_tuple(len: usize); deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]); deserialize_identifier();
        deserialize_ignored_any();
    }
}

struct Unread<'de, 'f> {
    claims: Claims<'de>,
    /// How many names have been read.
    read: usize,
    /// Whether the last of them has a value that nobody has read.
    owes_value: bool,
    has_failed: &'f Cell<bool>,
}

impl<'de> Unread<'de, '_> {
    #[inline]
    fn name(&self) -> Option<Cow<'de, str>> {
        self.claims.members.name(self.claims.text, self.read)
    }
}

impl<'de> MapAccess<'de> for &mut Unread<'de, '_> {
    type Error = NotThisWay;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, NotThisWay> {
        let Some(name) = self.name() else { return Ok(None) };
        self.read += 1;
        if mem::replace(&mut self.owes_value, true) {
            return Err(NotThisWay);
        }
        match name {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            Cow::Owned(name) => seed.deserialize(StringDeserializer::new(name)).map(Some),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, NotThisWay> {
        if !mem::take(&mut self.owes_value) {
            return Err(NotThisWay);
        }
        let value = self.claims.members.value(self.claims.text, self.read - 1).ok_or(NotThisWay)?;
        seed.deserialize(Member { value, has_failed: self.has_failed })
    }
}

/// One claim. What is no plain string is serde_json's to read.
struct Member<'de, 'f> {
    value: Value<'de>,
    has_failed: &'f Cell<bool>,
}

impl<'de> Member<'de, '_> {
    fn json<T>(
        &self,
        read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'de>>) -> serde_json::Result<T>,
    ) -> Result<T, NotThisWay> {
        let mut json = serde_json::Deserializer::from_str(self.value.text());
        read(&mut json).and_then(|value| json.end().map(|()| value)).map_err(|_| {
            self.has_failed.set(true);
            NotThisWay
        })
    }
}

macro_rules! strings {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotThisWay> {
            match self.value.plain() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => self.json(|json| json.$method(visitor)),
            }
        }
    )*};
}

macro_rules! others {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, NotThisWay> {
            self.json(|json| json.$method($($argument,)* visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for Member<'de, '_> {
    type Error = NotThisWay;

    strings! { deserialize_any deserialize_str deserialize_string }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotThisWay> {
        if self.value.text() == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotThisWay> {
        visitor.visit_unit()
    }

    others! {
        deserialize_bool(); deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_char(); deserialize_bytes(); deserialize_byte_buf();
        deserialize_unit(); deserialize_unit_struct(name: &'static str); deserialize_newtype_struct(name: &'static str);
        deserialize_seq(); deserialize_tuple(len: usize); deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map(); deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]); deserialize_identifier();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{hash_map, vec};
    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde::{Deserialize, Serialize};
    use serde_json::value::RawValue;
    use std::collections::{BTreeMap, HashMap};
    use std::fmt::Debug;

    #[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
    struct Plain {
        name: String,
        #[serde(default)]
        nick: Option<String>,
        age: Option<u8>,
        #[serde(default)]
        roles: Vec<String>,
        ratio: Option<f64>,
        tag: Option<Kind>,
        unit: Option<()>,
        id: Option<Id>,
        pair: Option<(i64, bool)>,
        letter: Option<char>,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    enum Kind {
        Person,
        Machine { number: u32 },
        Both(String, i8),
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Id(String);

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Narrow {
        name: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Flat {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, serde_json::Value>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { name: String },
        B { age: u8 },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Untagged {
        Named { name: String },
        Aged { age: u8 },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wrapped(Plain);

    /// The first claim, with its value or without, and never the others.
    #[derive(Debug, PartialEq)]
    struct First<const VALUE: bool>(String);

    impl<'de, const VALUE: bool> Deserialize<'de> for First<VALUE> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct OfMap<const VALUE: bool>;
            impl<'de, const VALUE: bool> Visitor<'de> for OfMap<VALUE> {
                type Value = First<VALUE>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<First<VALUE>, A::Error> {
                    let name = map.next_key::<String>()?;
                    if VALUE && name.is_some() {
                        map.next_value::<IgnoredAny>()?;
                    }
                    Ok(First(name.unwrap_or_default()))
                }
            }
            deserializer.deserialize_map(OfMap)
        }
    }

    /// A claim whose errors nobody minds.
    #[derive(Debug, Deserialize, PartialEq)]
    struct Careless {
        #[serde(default, deserialize_with = "careless")]
        x: Option<u8>,
        name: String,
    }

    fn careless<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
        Ok(u8::deserialize(deserializer).ok())
    }

    #[derive(Debug, Deserialize)]
    struct Raw {
        name: Box<RawValue>,
    }

    /// Reads one way and the other: the outcome is the same, and so is what it says where it fails.
    fn same<C: DeserializeOwned + PartialEq + Debug>(payload: &str) {
        let mut members = Index::default();
        if members.read(payload, |_, _| Ok(())).is_err() {
            return;
        }
        let reference = serde_json::from_str::<C>(payload).map_err(|error| error.to_string());
        let read = read::<C>(payload, &members).map_err(|error| error.to_string());
        assert_eq!(read, reference, "{payload}");
        // What the fast way takes is what serde_json takes.
        if let Ok(fast) = C::deserialize(Claims { text: payload, members: &members }) {
            assert_eq!(Ok(fast), reference, "{payload}");
        }
    }

    fn each_type(payload: &str) {
        same::<Plain>(payload);
        same::<Narrow>(payload);
        same::<Flat>(payload);
        same::<Tagged>(payload);
        same::<Untagged>(payload);
        same::<Wrapped>(payload);
        same::<Careless>(payload);
        same::<First<true>>(payload);
        same::<First<false>>(payload);
        same::<Option<Plain>>(payload);
        same::<serde_json::Value>(payload);
        same::<HashMap<String, String>>(payload);
        same::<BTreeMap<u32, serde_json::Value>>(payload);
        same::<(String, u8)>(payload);
        same::<String>(payload);
        same::<()>(payload);
    }

    proptest! {
        #[test]
        fn claims_are_what_serde_json_reads(
            name in ".{0,12}",
            nick in proptest::option::of("[a-z]{0,4}"),
            age in proptest::option::of(any::<u8>()),
            roles in vec(".{0,6}", 0..4),
            ratio in proptest::option::of(-1e9..1e9),
            others in hash_map("[a-z0-9é\"]{0,3}", prop_oneof!["[a-z]{0,3}".prop_map(serde_json::Value::from), any::<i32>().prop_map(Into::into), Just(serde_json::Value::Null)], 0..4),
        ) {
            let plain = Plain { name, nick, age, roles, ratio, ..Plain::default() };
            let mut claims = serde_json::to_value(&plain).expect("claims");
            each_type(&claims.to_string());
            for (name, value) in others {
                claims[name] = value;
            }
            each_type(&claims.to_string());
            each_type(&format!("{claims:#}"));
        }
    }

    #[test]
    fn types_of_every_kind_are_read_alike() {
        for payload in [
            "{}",
            r#"{"name":"a"}"#,
            r#"{"name":"a","x":1}"#,
            r#"{"n\u0061me":"\u0061"}"#,
            r#"{"name":7}"#,
            r#"{"name":null}"#,
            r#"{"name":"\ud800"}"#,
            r#"{"name":"a","age":256}"#,
            r#"{"name":"a","age":-1}"#,
            r#"{"name":"a","age":1.0,"ratio":1}"#,
            r#"{"name":"a","tag":"Person"}"#,
            r#"{"name":"a","tag":"Nobody"}"#,
            r#"{"name":"a","tag":{"Machine":{"number":7}}}"#,
            r#"{"name":"a","tag":{"Both":["x",1]}}"#,
            r#"{"name":"a","unit":null,"id":"7","pair":[1,true],"letter":"ß"}"#,
            r#"{"name":"a","id":7,"pair":[1]}"#,
            r#"{"name":"a","letter":"xy"}"#,
            r#"{"name":"a","roles":"b"}"#,
            r#"{"name":"a","roles":["b",1]}"#,
            r#"{"kind":"A","name":"a"}"#,
            r#"{"x":[1],"name":"a"}"#,
            r#"{"x":"y","name":"a"}"#,
            r#"{"x":7,"name":"a"}"#,
            r#"{"age":7,"kind":"B"}"#,
            r#"{"kind":"C"}"#,
            r#"{"1":2,"3":"x"}"#,
            r#"{"01":2}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"$serde_json::private::RawValue":"1"}"#,
            r#"{"name":123456789012345678901234567890,"ratio":1e400}"#,
        ] {
            each_type(payload);
        }
    }

    #[test]
    fn a_text_that_is_asked_for_is_the_text() {
        let payload = r#"{ "name" : [ 1,  2 ] , "x" : 1 }"#;
        let mut members = Index::default();
        members.read(payload, |_, _| Ok(())).expect("an object");
        let raw: Raw = read(payload, &members).expect("claims");
        assert_eq!(raw.name.get(), "[ 1,  2 ]");
        let all: Box<RawValue> = read(payload, &members).expect("claims");
        assert_eq!(all.get(), payload);
    }

    #[test]
    fn usual_types_need_no_second_way() {
        let payload = r#"{"name":"a","age":7,"roles":["b"],"ratio":0.5,"x":{"y":[1]}}"#;
        let mut members = Index::default();
        members.read(payload, |_, _| Ok(())).expect("an object");
        let claims = || Claims { text: payload, members: &members };
        let plain = Plain::deserialize(claims()).expect("claims");
        assert_eq!((plain.name.as_str(), plain.age, plain.roles.len(), plain.ratio), ("a", Some(7), 1, Some(0.5)));
        assert!(Flat::deserialize(claims()).is_ok() && serde_json::Value::deserialize(claims()).is_ok());
    }
}
