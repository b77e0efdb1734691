//! Reads the selected claims where they stand in the payload.

use super::source::{ClaimFormat, ClaimSource, Kind};
use countersign::VerifiedToken;
use countersign::claims::{Cursor, Unfit};
use std::collections::HashSet;

/// As many claims as a mapping selects at most. With a marker for each and `_claim_names` there are fewer than
/// 64 members of one object to look at, as many as [`Reading::object`] counts.
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
    pub(super) fn read<'m>(&'m self, token: &VerifiedToken, sink: &mut Sink<'_>) -> Result<(), Trouble<'m>> {
        let mut reading = Reading { sink, room: String::new(), within: None, elsewhere: None };
        for (name, node) in &self.0 {
            let Some(mut claim) = token.claim(name) else { continue };
            reading
                .node(&mut claim, node)
                .map_err(|_| Trouble::Malformed(reading.within.and_then(Node::any_source)))?;
        }
        reading.elsewhere.map_or(Ok(()), |source| Err(Trouble::Elsewhere(source)))
    }

    fn find(&self, name: &str) -> Option<(usize, &Node)> {
        self.0.iter().enumerate().find(|(_, (known, _))| known == name).map(|(index, (_, node))| (index, node))
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
    /// What is being read.
    within: Option<&'m Node>,
    elsewhere: Option<&'m ClaimSource>,
}

impl<'m> Reading<'m, '_, '_> {
    fn found(&mut self, source: &ClaimSource, name: &str) {
        let Self { sink, room, .. } = self;
        source.translate(name, room, &mut |name| sink(Found { source, name }));
    }

    fn object(&mut self, json: &mut Cursor<'_>, members: &'m Members) -> Result<(), Unfit> {
        let mut seen: u64 = 0;
        json.object(|json, name| {
            let Some((index, node)) = members.find(name) else { return json.skip() };
            let bit = u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(u64::MAX);
            // A selected member that stands twice.
            if seen & bit != 0 {
                self.within = Some(node);
                return Err(Unfit);
            }
            seen |= bit;
            self.node(json, node)
        })
    }

    fn node(&mut self, json: &mut Cursor<'_>, node: &'m Node) -> Result<(), Unfit> {
        self.within = Some(node);
        match node {
            Node::Object(members) => self.object(json, members),
            Node::Claim(source) => self.claim(json, source),
            Node::Marker(source) => {
                if flag(json)? != Some(false) {
                    self.elsewhere = Some(source);
                }
                Ok(())
            }
            Node::ClaimNames(sources) => self.claim_names(json, sources),
        }
    }

    /// The names in `_claim_names`, whose values say where each claim is.
    fn claim_names(&mut self, json: &mut Cursor<'_>, sources: &'m [ClaimSource]) -> Result<(), Unfit> {
        json.object(|json, name| {
            let named = |source: &&ClaimSource| source.path.names().first().is_some_and(|first| first == name);
            if let Some(source) = sources.iter().find(named) {
                self.elsewhere = Some(source);
            }
            json.skip()
        })
    }

    /// The value of a selected claim.
    fn claim(&mut self, json: &mut Cursor<'_>, source: &ClaimSource) -> Result<(), Unfit> {
        use ClaimFormat::{Array, MapKeys, MapOfArrays, Single, SpaceSeparated, StringOrArray};
        match (source.format, json.peek()) {
            (StringOrArray | Array, Some(b'[')) => self.list(json, source),
            (StringOrArray | Single | SpaceSeparated, Some(b'"')) => {
                let text = json.string()?;
                if source.format == SpaceSeparated || (source.format, source.kind) == (StringOrArray, Kind::Permissions)
                {
                    text.split_ascii_whitespace().for_each(|word| self.found(source, word));
                } else {
                    self.found(source, &text);
                }
                Ok(())
            }
            (MapKeys | MapOfArrays, Some(b'{')) => self.map(json, source),
            _ => Err(Unfit),
        }
    }

    /// A list of strings, and nothing else.
    fn list(&mut self, json: &mut Cursor<'_>, source: &ClaimSource) -> Result<(), Unfit> {
        json.list(|json| {
            let name = json.string()?;
            self.found(source, &name);
            Ok(())
        })
    }

    /// An object whose members stand once each.
    fn map(&mut self, json: &mut Cursor<'_>, source: &ClaimSource) -> Result<(), Unfit> {
        let mut seen = HashSet::new();
        json.object(|json, name| {
            if source.format == ClaimFormat::MapOfArrays {
                self.list(json, source)?;
            } else if flag(json)?.ok_or(Unfit)? {
                self.found(source, name);
            }
            if seen.insert(name.to_owned()) { Ok(()) } else { Err(Unfit) }
        })
    }
}

/// Whether a value says yes: `true`, or an object that is not empty. `None` for what says neither yes nor no.
fn flag(json: &mut Cursor<'_>) -> Result<Option<bool>, Unfit> {
    match json.peek() {
        Some(b't' | b'f') => json.parse().map(Some),
        Some(b'{') => {
            let mut says = None;
            json.object(|json, _| {
                says = Some(true);
                json.skip()
            })?;
            Ok(says)
        }
        _ => json.skip().map(|()| None),
    }
}
