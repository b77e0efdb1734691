//! Header members beyond those that have a field: read strictly, kept as JSON values.

use crate::json::{self, JsonError, Members, Wrong};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt;

/// Whether this crate writes and reads the member itself.
pub(super) fn is_owned(name: &str) -> bool {
    matches!(name, "alg" | "typ" | "cty" | "kid" | "crit" | "b64")
}

/// Whether RFC 7515 §4.1, RFC 7516 §4.1 or RFC 7518 §4 defines the member: `crit` must not list it (RFC 7515 §4.1.11).
pub(super) fn is_registered(name: &str) -> bool {
    matches!(name, "alg" | "jku" | "jwk" | "kid" | "x5u" | "x5c" | "x5t" | "x5t#S256" | "typ" | "cty" | "crit")
        || matches!(name, "enc" | "zip" | "epk" | "apu" | "apv" | "iv" | "tag" | "p2s" | "p2c")
}

/// Reads an object of which every member is kept.
pub(super) fn read_all(json: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut all = All(Map::new());
    json::read_object(json, &mut all)?;
    Ok(all.0)
}

/// Reads one value and keeps it.
pub(super) fn keep<'de, A: MapAccess<'de>>(
    kept: &mut Map<String, Value>,
    name: &str,
    map: &mut A,
) -> Result<(), Wrong<A::Error>> {
    let Strict(value) = map.next_value()?;
    kept.insert(name.to_owned(), value);
    Ok(())
}

struct All(Map<String, Value>);

impl<'de> Members<'de> for All {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
        keep(&mut self.0, name, map)
    }
}

/// A value in which no object, however deep, has a member twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        value(raw.get(), MAX_DEPTH).map(Self).ok_or_else(|| D::Error::custom("not a strict JSON value"))
    }
}

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 32;

/// Reads a value level by level, from its text. serde_json's own `Value` gives some member names a meaning of their own
/// (`$serde_json::private::…`), which no other reader of the header shares.
fn value(text: &str, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    match text.bytes().next()? {
        b'{' => {
            let Object(members) = serde_json::from_str(text).ok()?;
            let mut object = Map::new();
            for (name, raw) in members {
                if object.insert(name, value(raw.get(), depth)?).is_some() {
                    return None;
                }
            }
            Some(Value::Object(object))
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.into_iter().map(|raw| value(raw.get(), depth)).collect::<Option<_>>().map(Value::Array)
        }
        b'"' => serde_json::from_str(text).ok().map(Value::String),
        b't' | b'f' => serde_json::from_str(text).ok().map(Value::Bool),
        b'n' => Some(Value::Null),
        _ => serde_json::from_str(text).ok().map(Value::Number),
    }
}

/// The members of an object as they stand, their values unread.
struct Object<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_serde_json_keeps_for_itself_are_names_like_any_other() {
        let kept = |text: &str| read_all(text.as_bytes()).ok().map(Value::Object).map(|value| value.to_string());
        for text in [
            r#"{"z":{"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}}"#,
            r#"{"alg":{"$serde_json::private::RawValue":"\"HS256\""}}"#,
            r#"{"z":{"$serde_json::private::Number":"1"}}"#,
            r#"{"z":[1,-2.5,1e3,"a",true,false,null,{"a":{"b":[]}}]}"#,
        ] {
            let plain = text.replace("1e3", "1000.0");
            let seen = kept(text).expect(text);
            assert!(seen == plain || seen == text.replace("1e3", "1e+3"), "{seen}");
        }
        for twice in [r#"{"z":{"a":1,"a":1}}"#, r#"{"z":[{"a":{"b":1,"\u0062":1}}]}"#, r#"{"z":{"a":1},"z":1}"#] {
            assert_eq!(kept(twice), None, "{twice}");
        }
        let deep = |levels: usize| format!(r#"{{"z":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(kept(&deep(MAX_DEPTH)).is_some());
        assert!(kept(&deep(MAX_DEPTH + 1)).is_none());
    }
}
