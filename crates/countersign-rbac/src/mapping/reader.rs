//! Reads the selected claims straight from the payload, in one pass, and skips the others.

use super::source::{ClaimFormat, ClaimSource, Kind};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// As many claims as a mapping selects at most. With a marker for each and `_claim_names` there are fewer than
/// 64 members of one object to look at, as many as [`Object`] counts.
pub(super) const MAX_CLAIMS: usize = 30;

/// A name in a selected claim, as the catalog calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'n> {
    pub(crate) source: &'n ClaimSource,
    pub(crate) name: &'n str,
}

/// A claim that was read to its end, or not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble<'m> {
    /// A selected claim is not of its form: this one, where it can be told. Says no more, because the rest is
    /// text from a token.
    Malformed(Option<&'m ClaimSource>),
    /// The issuer keeps the names elsewhere. All others have been read.
    Elsewhere(&'m ClaimSource),
}

type Sink<'s> = dyn FnMut(Found<'_>) + 's;

/// The members of an object that lead to selected claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<(String, Node)>);

#[derive(Clone, Debug)]
enum Node {
    Claim(ClaimSource),
    Object(Members),
    /// Says that a claim is elsewhere, unless it is `false`.
    Marker(ClaimSource),
    /// `_claim_names`, and the claims to look for in it.
    ClaimNames(Vec<ClaimSource>),
}

impl Members {
    /// Selects the claims; the first that cannot be, because its path leads to, into or around another's.
    pub(super) fn select_all(sources: &[ClaimSource]) -> Result<Self, &ClaimSource> {
        if sources.is_empty() {
            return Ok(Self::default());
        }
        let mut members = Self(vec![(CLAIM_NAMES.to_owned(), Node::ClaimNames(sources.to_vec()))]);
        if let Some(refused) = sources.iter().find(|source| !members.select(source.path.names(), source)) {
            return Err(refused);
        }
        for source in sources {
            let Some(marker) = &source.elsewhere_if else { continue };
            match members.0.iter().find(|(name, _)| name == marker) {
                None => members.0.push((marker.clone(), Node::Marker(source.clone()))),
                Some((_, Node::Marker(_))) => {}
                Some(_) => return Err(source),
            }
        }
        Ok(members)
    }

    fn select(&mut self, path: &[String], source: &ClaimSource) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        let known = self.0.iter_mut().find(|(known, _)| known == name).map(|(_, node)| node);
        match known {
            Some(Node::Object(inner)) => inner.select(rest, source),
            Some(_) => false,
            None if rest.is_empty() => {
                self.0.push((name.clone(), Node::Claim(source.clone())));
                true
            }
            None => {
                let mut inner = Self::default();
                let selected = inner.select(rest, source);
                self.0.push((name.clone(), Node::Object(inner)));
                selected
            }
        }
    }

    /// Gives each name in the selected claims to `sink`. After a malformed claim, what it was given counts for
    /// nothing.
    pub(super) fn read<'m>(&'m self, payload: &[u8], sink: &mut Sink<'_>) -> Result<(), Trouble<'m>> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut reading = Reading { sink, room: String::new(), within: None, elsewhere: None };
        let mut json = serde_json::Deserializer::from_slice(payload);
        let read = Object { members: self, reading: &mut reading }.deserialize(&mut json).and_then(|()| json.end());
        match (read, reading.elsewhere) {
            (Err(_), _) => Err(Trouble::Malformed(reading.within)),
            (Ok(()), Some(source)) => Err(Trouble::Elsewhere(source)),
            (Ok(()), None) => Ok(()),
        }
    }

    fn any_source(&self) -> Option<&ClaimSource> {
        self.0.iter().find_map(|(_, node)| node.any_source())
    }
}

impl Node {
    /// A claim that is malformed when this is.
    fn any_source(&self) -> Option<&ClaimSource> {
        match self {
            Self::Claim(source) | Self::Marker(source) => Some(source),
            Self::Object(members) => members.any_source(),
            Self::ClaimNames(_) => None,
        }
    }
}

const CLAIM_NAMES: &str = "_claim_names";

struct Reading<'m, 's, 'f> {
    sink: &'s mut Sink<'f>,
    room: String,
    /// The claim that is being read.
    within: Option<&'m ClaimSource>,
    elsewhere: Option<&'m ClaimSource>,
}

impl Reading<'_, '_, '_> {
    fn found(&mut self, source: &ClaimSource, name: &str) {
        let Self { sink, room, .. } = self;
        source.translate(name, room, &mut |name| sink(Found { source, name }));
    }
}

struct Object<'m, 'r, 's, 'f> {
    members: &'m Members,
    reading: &'r mut Reading<'m, 's, 'f>,
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // `deserialize_any` would show a number as a map where somebody in the build turns serde_json's
        // `arbitrary_precision` on.
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen: u64 = 0;
        while let Some(selected) = map.next_key_seed(Name(self.members))? {
            let Some((index, node)) = selected else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.reading.within = node.any_source();
            let bit = u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(u64::MAX);
            if seen & bit != 0 {
                return Err(A::Error::custom("a selected member stands twice"));
            }
            seen |= bit;
            match node {
                Node::Object(members) => map.next_value_seed(Object { members, reading: &mut *self.reading })?,
                Node::Claim(source) => map.next_value_seed(Value { source, reading: &mut *self.reading })?,
                Node::Marker(source) => {
                    if map.next_value_seed(Flag)? != Some(false) {
                        self.reading.elsewhere = Some(source);
                    }
                }
                Node::ClaimNames(sources) => {
                    map.next_value_seed(ClaimNames { sources, reading: &mut *self.reading })?;
                }
            }
            self.reading.within = None;
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

/// The names in `_claim_names`, whose values say where each claim is.
struct ClaimNames<'m, 'r, 's, 'f> {
    sources: &'m [ClaimSource],
    reading: &'r mut Reading<'m, 's, 'f>,
}

impl<'de> DeserializeSeed<'de> for ClaimNames<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ClaimNames<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Text)? {
            let named = |source: &&ClaimSource| source.path.names().first().is_some_and(|first| *first == name);
            if let Some(source) = self.sources.iter().find(named) {
                self.reading.elsewhere = Some(source);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Any string, and nothing else.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// The value of a selected claim.
struct Value<'m, 'r, 's, 'f> {
    source: &'m ClaimSource,
    reading: &'r mut Reading<'m, 's, 'f>,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.source.format {
            ClaimFormat::StringOrArray => deserializer.deserialize_any(self),
            ClaimFormat::Array => deserializer.deserialize_seq(self),
            ClaimFormat::SpaceSeparated | ClaimFormat::Single => deserializer.deserialize_str(self),
            ClaimFormat::MapKeys | ClaimFormat::MapOfArrays => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a claim of the form {:?}", self.source.format)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let Self { source, reading } = self;
        match (source.format, source.kind) {
            (ClaimFormat::SpaceSeparated, _) | (ClaimFormat::StringOrArray, Kind::Permissions) => {
                text.split_ascii_whitespace().for_each(|word| reading.found(source, word));
            }
            (ClaimFormat::Single, _) | (ClaimFormat::StringOrArray, Kind::Roles) => reading.found(source, text),
            _ => return Err(E::custom("a string is not its form")),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { source, reading } = self;
        if !matches!(source.format, ClaimFormat::StringOrArray | ClaimFormat::Array) {
            return Err(A::Error::custom("a list is not its form"));
        }
        while list.next_element_seed(Item { source, reading: &mut *reading })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { source, reading } = self;
        let mut seen = HashSet::new();
        // With `arbitrary_precision`, a number is shown as a map to `deserialize_any`, which the form of a
        // string or list asks for; it ends here too.
        if !matches!(source.format, ClaimFormat::MapKeys | ClaimFormat::MapOfArrays) {
            return Err(A::Error::custom("an object is not its form"));
        }
        while let Some(name) = map.next_key_seed(Text)? {
            if source.format == ClaimFormat::MapOfArrays {
                map.next_value_seed(Items { source, reading: &mut *reading })?;
            } else {
                match map.next_value_seed(Flag)? {
                    Some(true) => reading.found(source, &name),
                    Some(false) => {}
                    None => return Err(A::Error::custom("neither a flag nor an object")),
                }
            }
            if !seen.insert(name) {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(())
    }
}

/// A string in a list.
struct Item<'m, 'r, 's, 'f> {
    source: &'m ClaimSource,
    reading: &'r mut Reading<'m, 's, 'f>,
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Item<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.reading.found(self.source, text);
        Ok(())
    }
}

/// A list of strings, and nothing else.
struct Items<'m, 'r, 's, 'f> {
    source: &'m ClaimSource,
    reading: &'r mut Reading<'m, 's, 'f>,
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { source, reading } = self;
        while list.next_element_seed(Item { source, reading: &mut *reading })?.is_some() {}
        Ok(())
    }
}

/// Whether a value says yes: `true`, or an object that is not empty. `None` for what says neither yes nor no.
struct Flag;

impl<'de> DeserializeSeed<'de> for Flag {
    type Value = Option<bool>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flag {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Some(flag))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut says = None;
        while let Some(name) = map.next_key_seed(Text)? {
            // What serde_json shows of a number when `arbitrary_precision` is on.
            says = (name != "$serde_json::private::Number").then_some(true);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(says)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
