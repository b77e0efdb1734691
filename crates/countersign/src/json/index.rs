//! Where the members of an object stand.

use super::cursor::{Cursor, LOOK_STEPS, Patience, Unfit};
use super::{JsonError, MAX_MEMBERS};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::hash::BuildHasher;
use std::ops::Range;

/// As many members as are noted without an allocation: usual claims sets have no more. Among more, a name is looked for by its
/// hash: whoever writes many names also chooses how alike they look.
const FEW: usize = 24;

/// The members of one JSON object, by their places in its text, which stands beside this.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    first: [Member; FEW],
    len: usize,
    /// The kinds of all names: what is of no kind here need not be looked for.
    kinds: u64,
    rest: Option<Box<Rest>>,
}

/// What few objects have.
#[derive(Clone, Debug, Default)]
struct Rest {
    members: Vec<Member>,
    /// Names that are written with escapes, one behind the other.
    unescaped: String,
}

/// A text shorter than 4 GiB is what is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    begin: u32,
    end: u32,
}

impl Span {
    pub(super) fn new(begin: usize, end: usize) -> Option<Self> {
        Some(Self { begin: u32::try_from(begin).ok()?, end: u32::try_from(end).ok()? })
    }

    fn len(self) -> usize {
        (self.end - self.begin) as usize
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.begin as usize..self.end as usize
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Member {
    /// Within the text, or within the names that are written with escapes.
    name: Span,
    value: Span,
    /// Whether the value is a string without escapes.
    is_plain: bool,
    is_unescaped: bool,
}

impl Member {
    #[inline]
    fn value(self, text: &str) -> Option<Value<'_>> {
        Some(Value { text: text.get(self.value.range())?, place: self.value, is_plain: self.is_plain })
    }
}

/// A value in an object: its JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'t> {
    text: &'t str,
    place: Span,
    is_plain: bool,
}

impl<'t> Value<'t> {
    /// The string at this place.
    pub(super) fn string_at(text: &'t str, place: Span) -> Option<Self> {
        let text = text.get(place.range())?;
        Some(Self { text, place, is_plain: !text.contains('\\') })
    }

    pub(crate) fn text(self) -> &'t str {
        self.text
    }

    /// Where it stands in the text of the object.
    pub(crate) fn place(self) -> Span {
        self.place
    }

    /// The string that it is, where that is written without escapes.
    #[inline]
    pub(crate) fn plain(self) -> Option<&'t str> {
        if self.is_plain { self.text.get(1..self.text.len() - 1) } else { None }
    }

    /// The integer that it is, where that has few digits and no sign.
    pub(crate) fn integer(self) -> Option<u64> {
        let mut cursor = Cursor::new(self.text);
        cursor.plain_integer().filter(|_| cursor.end().is_ok())
    }

    /// The string that it is.
    pub(crate) fn string(self, name: &'static str) -> Result<Cow<'t, str>, JsonError> {
        self.plain().map_or_else(|| self.parse(name).map(Cow::Owned), |plain| Ok(Cow::Borrowed(plain)))
    }

    /// What serde_json makes of it.
    pub(crate) fn parse<T: DeserializeOwned>(self, name: &'static str) -> Result<T, JsonError> {
        serde_json::from_str(self.text)
            .map_err(|error| if error.is_data() { JsonError::WrongType(name) } else { JsonError::Syntax })
    }
}

impl From<Unfit> for JsonError {
    fn from(Unfit: Unfit) -> Self {
        Self::Syntax
    }
}

impl Index {
    /// Reads one object and nothing behind it, as strictly as [`read_object`](super::read_object) does, and shows each
    /// member to `look`.
    pub(crate) fn read<'t>(
        &mut self,
        text: &'t str,
        look: impl FnMut(&str, Value<'t>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.read_within(text, Patience::Endless, look)
    }

    /// As [`read`](Self::read). What takes more than there is patience for is [`JsonError::Laborious`], whatever else it is.
    pub(crate) fn read_within<'t>(
        &mut self,
        text: &'t str,
        patience: Patience,
        look: impl FnMut(&str, Value<'t>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        let mut cursor = Cursor::with(text, patience);
        let read = self.read_members(text, &mut cursor, look);
        if read.is_err() && !cursor.has_patience() { Err(JsonError::Laborious) } else { read }
    }

    #[inline]
    fn read_members<'t>(
        &mut self,
        text: &'t str,
        cursor: &mut Cursor<'t>,
        mut look: impl FnMut(&str, Value<'t>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        let mut names = Names::default();
        cursor.expect(b'{')?;
        if !cursor.past(b'}') {
            loop {
                let (place, name) = match cursor.plain_string() {
                    // Behind it stands the quotation mark.
                    Some(name) => (cursor.at() - 1 - name.len()..cursor.at() - 1, Cow::Borrowed(name)),
                    None => (0..0, cursor.string()?),
                };
                if self.may_have(&name) {
                    cursor.take(LOOK_STEPS)?;
                    if names.has(&name, self, text) {
                        return Err(JsonError::Duplicate);
                    }
                }
                if self.len == MAX_MEMBERS {
                    return Err(JsonError::TooMany);
                }
                cursor.expect(b':')?;
                let (begin, is_plain) = cursor.value()?;
                let end = cursor.at();
                let value = text.get(begin..end).zip(Span::new(begin, end)).zip(Span::new(place.start, place.end));
                let ((text, place), own) = value.ok_or(JsonError::Syntax)?;
                look(&name, Value { text, place, is_plain })?;
                self.kinds |= kind(&name);
                let (own, is_unescaped) = match name {
                    Cow::Borrowed(_) => (own, false),
                    Cow::Owned(name) => (self.keep_name(&name)?, true),
                };
                self.push(Member { name: own, value: place, is_plain, is_unescaped });
                if !cursor.past(b',') {
                    break;
                }
            }
            cursor.expect(b'}')?;
        }
        Ok(cursor.end()?)
    }

    /// Whether `name`, which will be the next, may be that of a member.
    #[inline]
    fn may_have(&self, name: &str) -> bool {
        self.kinds & kind(name) != 0 || self.len >= FEW
    }

    /// Forgets all members.
    pub(crate) fn clear(&mut self) {
        (self.len, self.kinds, self.rest) = (0, 0, None);
    }

    /// Where the last member ends that has been read.
    pub(crate) fn end(&self) -> usize {
        self.len.checked_sub(1).and_then(|last| self.member(last)).map_or(0, |member| member.value.range().end)
    }

    /// Keeps a name that is written with escapes.
    #[cold]
    fn keep_name(&mut self, name: &str) -> Result<Span, JsonError> {
        let unescaped = &mut self.rest.get_or_insert_default().unescaped;
        let begin = unescaped.len();
        unescaped.push_str(name);
        Span::new(begin, unescaped.len()).ok_or(JsonError::Syntax)
    }

    #[inline]
    fn push(&mut self, member: Member) {
        match self.first.get_mut(self.len) {
            Some(free) => *free = member,
            None => self.rest.get_or_insert_default().members.push(member),
        }
        self.len += 1;
    }

    #[inline]
    fn member(&self, number: usize) -> Option<&Member> {
        match self.first.get(number) {
            Some(member) => (number < self.len).then_some(member),
            None => self.rest.as_ref()?.members.get(number - FEW),
        }
    }

    /// Where the name of a member stands: in the text, or among those that are written with escapes.
    #[inline]
    fn names<'s>(&'s self, member: &Member, text: &'s str) -> &'s [u8] {
        match &self.rest {
            Some(rest) if member.is_unescaped => rest.unescaped.as_bytes(),
            _ => text.as_bytes(),
        }
    }

    #[inline]
    fn is_called(&self, member: &Member, text: &str, name: &[u8]) -> bool {
        member.name.len() == name.len() && self.names(member, text).get(member.name.range()) == Some(name)
    }

    /// The value of the member `name` of this text.
    #[inline]
    pub(crate) fn find<'t>(&self, text: &'t str, name: &str) -> Option<Value<'t>> {
        self.called(text, name)?.value(text)
    }

    /// Apart from [`find`](Self::find), so that a reference comes back in a register, and no [`Value`] through memory.
    #[inline(never)]
    fn called(&self, text: &str, name: &str) -> Option<&Member> {
        if self.kinds & kind(name) == 0 {
            return None;
        }
        let mut number = 0;
        while let Some(member) = self.member(number) {
            if self.is_called(member, text, name.as_bytes()) {
                return Some(member);
            }
            number += 1;
        }
        None
    }

    /// What the member of this number is called, in this text.
    #[inline]
    pub(crate) fn name<'t>(&self, text: &'t str, number: usize) -> Option<Cow<'t, str>> {
        let member = self.member(number)?;
        Some(match &self.rest {
            Some(rest) if member.is_unescaped => Cow::Owned(rest.unescaped.get(member.name.range())?.to_owned()),
            _ => Cow::Borrowed(text.get(member.name.range())?),
        })
    }

    /// The value of the member of this number, in this text.
    #[inline]
    pub(crate) fn value<'t>(&self, text: &'t str, number: usize) -> Option<Value<'t>> {
        self.member(number)?.value(text)
    }
}

/// The names of an object so far, where there are many.
#[derive(Default)]
struct Names {
    many: Option<Box<Table>>,
}

/// Numbers of members by the hash of their names. The seed keeps lists of names that collide everywhere from being made. Whoever
/// works it out has a walk past [`MAX_MEMBERS`] names for each of as many, and no more.
struct Table {
    seed: foldhash::quality::RandomState,
    /// A number and one; zero where there is none.
    places: [u16; 2 * MAX_MEMBERS],
}

impl Table {
    /// With the names that are in `index`.
    fn of(index: &Index, text: &str) -> Box<Self> {
        let seed = foldhash::quality::RandomState::default();
        let mut table = Box::new(Self { seed, places: [0; 2 * MAX_MEMBERS] });
        for (number, member) in (0..index.len).filter_map(|number| Some((number, index.member(number)?))) {
            let name = index.names(member, text).get(member.name.range()).unwrap_or_default();
            table.has(name, number, index, text);
        }
        table
    }

    /// Whether `name` is there already; otherwise it is from now on, as that of member `number`.
    fn has(&mut self, name: &[u8], number: usize, index: &Index, text: &str) -> bool {
        let mut at = usize::try_from(self.seed.hash_one(name) % self.places.len() as u64).unwrap_or_default();
        while let Some(place) = self.places.get_mut(at) {
            match usize::from(*place).checked_sub(1) {
                None => {
                    *place = u16::try_from(number + 1).unwrap_or_default();
                    return false;
                }
                Some(other) => {
                    if index.member(other).is_some_and(|member| index.is_called(member, text, name)) {
                        return true;
                    }
                }
            }
            // At most half of the places are taken.
            at = (at + 1) % self.places.len();
        }
        false
    }
}

impl Names {
    /// Whether `name` is one of those in `index`, which will be told it next.
    #[cold]
    fn has(&mut self, name: &str, index: &Index, text: &str) -> bool {
        if index.len < FEW {
            return index.find(text, name).is_some();
        }
        let table = self.many.get_or_insert_with(|| Table::of(index, text));
        table.has(name.as_bytes(), index.len, index, text)
    }
}

/// One bit, by length and ends of a name.
#[inline]
fn kind(name: &str) -> u64 {
    let end = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(*byte));
    let bytes = name.as_bytes();
    1_u64.rotate_left(end(bytes.first()) ^ (end(bytes.last()) << 3) ^ (end(bytes.get(bytes.len() / 2)) << 1))
}

#[cfg(test)]
mod tests {
    use super::super::{Members, Wrong, find_first, read_object};
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde::de::MapAccess;
    use serde_json::value::RawValue;

    /// The members by serde_json, which skips what it does not look into.
    #[derive(Debug, Default, PartialEq)]
    struct Raw(Vec<(String, String)>);

    impl<'de> Members<'de> for Raw {
        fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), Wrong<A::Error>> {
            let value: &RawValue = map.next_value()?;
            self.0.push((name.to_owned(), value.get().to_owned()));
            Ok(())
        }
    }

    fn reference(text: &str) -> Result<Raw, JsonError> {
        let mut raw = Raw::default();
        read_object(text.as_bytes(), &mut raw).map(|()| raw)
    }

    /// The members as they are shown, after each has been found again.
    fn read(text: &str) -> Result<Raw, JsonError> {
        let (mut index, mut shown) = (Index::default(), Raw::default());
        index.read(text, |name, value| {
            shown.0.push((name.to_owned(), value.text().to_owned()));
            Ok(())
        })?;
        for (number, (name, value)) in shown.0.iter().enumerate() {
            let found = index.find(text, name).expect(name);
            let (own, got) = index.name(text, number).zip(index.value(text, number)).expect(name);
            assert_eq!((found.text(), &*own, got.text()), (value.as_str(), name.as_str(), value.as_str()));
            let string = serde_json::from_str::<String>(value).ok();
            assert!(found.plain().is_none_or(|plain| string.as_deref() == Some(plain)), "{value}");
            assert_eq!(found.plain().is_some(), string.is_some() && !value.contains('\\'), "{value}");
            assert_eq!(got.string("n").ok().map(Cow::into_owned), string, "{value}");
            assert!(found.integer().is_none_or(|integer| serde_json::from_str(value).ok() == Some(integer)), "{value}");
        }
        assert!(index.name(text, shown.0.len()).is_none() && index.value(text, shown.0.len()).is_none());
        assert!(index.find(text, "no such name").is_none());
        Ok(shown)
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,20}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Into::into),
                vec((".{0,6}", inner), 0..4).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    /// What short patience makes of it: the same, or nothing but that it is too much.
    fn read_shortly(text: &str) -> Option<Result<Vec<String>, JsonError>> {
        let mut names = Vec::new();
        let look = |name: &str, _: Value<'_>| {
            names.push(name.to_owned());
            Ok(())
        };
        match Index::default().read_within(text, Patience::Short, look) {
            Err(JsonError::Laborious) => None,
            read => Some(read.map(|()| names)),
        }
    }

    /// The string that is the value of the member `n` by a scan.
    fn scanned(text: &str) -> Option<&str> {
        find_first(text, 0, "n").map(Value::text)
    }

    proptest! {
        #[test]
        fn an_index_is_what_serde_json_reads(
            members in vec(("n|[abn\"\\\\é]{0,2}|[a-z]{1,12}", json()), 0..24),
            escaped in any::<bool>(),
            pretty in any::<bool>(),
            broken in proptest::option::of((any::<prop::sample::Index>(), "[\\x00-\\x7f]?")),
        ) {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    let value = if pretty { format!("{value:#}") } else { value.to_string() };
                    let name = serde_json::json!(name).to_string();
                    let name = if escaped { name.replace('n', r"\u006E").replace('a', r"\u0061") } else { name };
                    format!("{name}:{value}")
                })
                .collect();
            let mut text = format!("{{{}}}", members.join(if pretty { " ,\r\n\t" } else { "," }));
            if let Some((at, to)) = broken {
                let at = at.index(text.chars().count());
                text = text.chars().enumerate().map(|(n, c)| if n == at { to.clone() } else { c.into() }).collect();
            }
            let read = read(&text);
            prop_assert_eq!(&read, &reference(&text), "{}", text);
            if let Some(shortly) = read_shortly(&text) {
                let names = |Raw(members): &Raw| members.iter().map(|(name, _)| name.clone()).collect();
                prop_assert_eq!(shortly, read.as_ref().map(names).map_err(|error| *error), "{}", text);
            }
            let _ = scanned(&text);
            if let Ok(Raw(members)) = read {
                let own = members.iter().find(|(name, _)| name == "n").map(|(_, value)| value.as_str());
                prop_assert_eq!(scanned(&text), own.filter(|own| own.starts_with('"')), "{}", text);
            }
        }

        #[test]
        fn a_scan_takes_any_text(text in "[\"\\\\:né😀{}]{0,40}") {
            let _ = scanned(&text);
        }
    }

    #[test]
    fn one_object_and_each_member_once() {
        // Some are written with an escape.
        let name = |n: usize| if n.is_multiple_of(3) { format!("\\u006d{n}") } else { format!("m{n}") };
        let many = |len: usize| (0..len).map(|n| format!("\"{}\":\"{n}\"", name(n))).collect::<Vec<_>>();
        for len in [0, 1, FEW - 1, FEW, FEW + 1, FEW + 2, MAX_MEMBERS, MAX_MEMBERS + 1] {
            let members = many(len);
            let text = format!("{{{}}}", members.join(","));
            assert_eq!(read(&text), reference(&text), "{len}");
            assert_eq!(read(&text).is_ok(), len <= MAX_MEMBERS);
            for again in members.iter().step_by(7).chain(members.last()) {
                let text = format!("{{{},{again}}}", members.join(","));
                assert_eq!(read(&text), reference(&text), "{again}");
                assert!(read(&text).is_err());
            }
        }
        let cases = [
            ("", JsonError::Syntax),
            ("[]", JsonError::Syntax),
            ("{", JsonError::Syntax),
            ("{}x", JsonError::Syntax),
            ("{\"a\":1,}", JsonError::Syntax),
            ("{\"a\"}", JsonError::Syntax),
            ("{\"a\":}", JsonError::Syntax),
            ("{\"a\":1\"b\":2}", JsonError::Syntax),
            ("{\"a\":01}", JsonError::Syntax),
            ("{\"a\":\"\u{1}\"}", JsonError::Syntax),
            ("{\"\\ud800\":1}", JsonError::Syntax),
            ("{\"a\":1,\"\\u0061\":1}", JsonError::Duplicate),
            ("{\"\\u0061\":1,\"a\":1}", JsonError::Duplicate),
            ("{\"\":1,\"\":1}", JsonError::Duplicate),
        ];
        for (text, error) in cases {
            assert_eq!(read(text), Err(error), "{text}");
            assert_eq!(reference(text), Err(error), "{text}");
        }
        let told = Index::default().read("{\"x\":1,\"x\":2}", |_, _| Err(JsonError::WrongType("x")));
        assert_eq!(told, Err(JsonError::WrongType("x")), "what is first is told");
    }
}
