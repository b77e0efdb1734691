//! Reads the selected claims straight from the payload, in one pass, and skips the others.

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A claim that a mapping selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Permissions,
    Roles,
    Role,
}

/// As many claims as a mapping selects at most, hence the most members of one object that it looks at.
const CLAIMS: usize = 3;

/// What stands in a selected claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'n> {
    Permission(&'n str),
    Role(&'n str),
}

/// A selected claim is not of its form. Says no more, because the rest is text from a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

type Sink<'s> = dyn FnMut(Found<'_>) + 's;

/// The members of an object that lead to selected claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<(String, Node)>);

#[derive(Clone, Debug)]
enum Node {
    Claim(Claim),
    Object(Members),
}

impl Members {
    /// Selects the claim at `path`; `false` where the path is empty, or leads to, into or around another
    /// claim.
    pub(super) fn select(&mut self, path: &[String], claim: Claim) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        let known = self.0.iter_mut().find(|(known, _)| known == name).map(|(_, node)| node);
        match known {
            Some(Node::Object(inner)) => inner.select(rest, claim),
            Some(Node::Claim(_)) => false,
            None if rest.is_empty() => {
                self.0.push((name.clone(), Node::Claim(claim)));
                true
            }
            None => {
                let mut inner = Self::default();
                let selected = inner.select(rest, claim);
                self.0.push((name.clone(), Node::Object(inner)));
                selected
            }
        }
    }

    /// Gives each name in the selected claims to `sink`. After an error, what it was given counts for
    /// nothing.
    pub(super) fn read(&self, payload: &[u8], sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut json = serde_json::Deserializer::from_slice(payload);
        Object { members: self, sink }.deserialize(&mut json).map_err(|_| Malformed)?;
        json.end().map_err(|_| Malformed)
    }
}

struct Object<'m, 's> {
    members: &'m Members,
    sink: &'s mut Sink<'s>,
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // `deserialize_any` would show a number as a map where somebody in the build turns serde_json's
        // `arbitrary_precision` on.
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = [false; CLAIMS];
        while let Some(selected) = map.next_key_seed(Name(self.members))? {
            let Some((index, node)) = selected else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match seen.get_mut(index) {
                Some(seen @ false) => *seen = true,
                _ => return Err(A::Error::custom("a selected member stands twice")),
            }
            match node {
                Node::Object(members) => map.next_value_seed(Object { members, sink: &mut *self.sink })?,
                Node::Claim(claim) => map.next_value_seed(Value { claim: *claim, sink: &mut *self.sink })?,
            }
        }
        Ok(())
    }
}

/// A member's name, compared where it stands.
struct Name<'m>(&'m Members);

impl<'de, 'm> DeserializeSeed<'de> for Name<'m> {
    type Value = Option<(usize, &'m Node)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'m> Visitor<'_> for Name<'m> {
    type Value = Option<(usize, &'m Node)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let selected = self.0.0.iter().enumerate().find(|(_, (known, _))| known == name);
        Ok(selected.map(|(index, (_, node))| (index, node)))
    }
}

/// The value of a selected claim.
struct Value<'s> {
    claim: Claim,
    sink: &'s mut Sink<'s>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.claim {
            Claim::Role => deserializer.deserialize_str(self),
            Claim::Permissions | Claim::Roles => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.claim == Claim::Role { "a string" } else { "a string or a list of strings" })
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        match self.claim {
            Claim::Permissions => {
                text.split_ascii_whitespace().for_each(|word| (self.sink)(Found::Permission(word)));
            }
            Claim::Roles | Claim::Role => (self.sink)(Found::Role(text)),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Item { claim: self.claim, sink: &mut *self.sink })?.is_some() {}
        Ok(())
    }
}

/// A string in a list.
struct Item<'s> {
    claim: Claim,
    sink: &'s mut Sink<'s>,
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.sink)(match self.claim {
            Claim::Permissions => Found::Permission(text),
            Claim::Roles | Claim::Role => Found::Role(text),
        });
        Ok(())
    }
}
