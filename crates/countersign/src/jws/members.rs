//! Header members beyond those that have a field: read strictly, kept as JSON values.

use crate::json::{self, JsonError, Members, Wrong};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashSet;
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
    // Two passes, because a visitor that builds the value would mistake a number for an object as soon as any crate
    // in the build turns on serde_json's `arbitrary_precision`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        serde_json::from_str::<Unique>(raw).map_err(|_| D::Error::custom("duplicate member"))?;
        serde_json::from_str(raw).map(Self).map_err(|_| D::Error::custom("not a value"))
    }
}

/// Any value, read only for the names in its objects.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some((name, Self)) = members.next_entry::<String, Self>()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(self)
    }
}
