//! The `kid`s of keys that were set aside, however unreadable the keys are.

use crate::jwk::is_key_id;
use crate::key_error::KeyError;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

/// The `kid`s of keys that were set aside, each with whether such a key may be meant by it all the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdsAside(HashMap<String, bool>);

impl IdsAside {
    /// The `kid` of a key that is set aside for this reason.
    pub(crate) fn add(&mut self, key_id: &str, reason: KeyError) {
        if is_key_id(key_id) {
            // Keys of another kind or for another use may share a `kid` (RFC 7517 §4.5).
            let may_be_meant = !matches!(reason, KeyError::Unsupported(_));
            *self.0.entry(key_id.to_owned()).or_default() |= may_be_meant;
        }
    }

    /// Every `kid` in the text of such a key: which of several another reader would take, nobody knows.
    pub(super) fn add_all_of(&mut self, key: &str, reason: KeyError) {
        // What was read before an error counts.
        let _ = serde_json::Deserializer::from_str(key).deserialize_map(KeyIds(self, reason));
    }

    /// Whether a key that was set aside may be the one that is meant by this `kid`.
    pub(crate) fn is_taken(&self, key_id: &str) -> bool {
        self.0.get(key_id).is_some_and(|may_be_meant| *may_be_meant)
    }

    /// Whether a key that was set aside has this `kid`.
    pub(crate) fn contains(&self, key_id: &str) -> bool {
        self.0.contains_key(key_id)
    }
}

/// Reads on past whatever makes a key unreadable: members that stand twice or are too many, values of another type.
struct KeyIds<'a>(&'a mut IdsAside, KeyError);

impl<'de> Visitor<'de> for KeyIds<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Names and values as they stand: half a surrogate pair in one of them would end the reading.
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let [name, value] = [name, value].map(|text| serde_json::from_str::<String>(text.get()));
            if let (Ok("kid"), Ok(key_id)) = (name.as_deref(), value) {
                self.0.add(&key_id, self.1);
            }
        }
        Ok(())
    }
}
