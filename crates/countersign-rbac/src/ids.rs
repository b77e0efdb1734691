//! Names as numbers, and sets of them as bits.

use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

/// A number that stands for a name. Roles and permissions have different ones, so that the compiler keeps
/// apart what a mix-up would turn into a grant.
pub(crate) trait Id: Copy + Eq {
    fn new(index: usize) -> Self;
    fn index(self) -> usize;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RoleId(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PermissionId(usize);

impl Id for RoleId {
    fn new(index: usize) -> Self {
        Self(index)
    }

    fn index(self) -> usize {
        self.0
    }
}

impl Id for PermissionId {
    fn new(index: usize) -> Self {
        Self(index)
    }

    fn index(self) -> usize {
        self.0
    }
}

/// Names and their numbers, which count from nought without a gap.
///
/// Every name in a token is looked for, so the hash is a quick one with a random seed, and names of common lengths are
/// compared as words. Tokens put no name into the maps, and so cannot make them slow.
#[derive(Debug)]
pub(crate) struct Names<I> {
    short: HashMap<Short, I, RandomState>,
    long: HashMap<Arc<str>, I, RandomState>,
    names: Vec<Arc<str>>,
}

impl<I: Id> Names<I> {
    pub(crate) fn new() -> Self {
        Self { short: HashMap::default(), long: HashMap::default(), names: Vec::new() }
    }

    /// The name's number, and whether the name is new.
    pub(crate) fn intern(&mut self, name: &str) -> (I, bool) {
        if let Some(known) = self.find(name) {
            return (known, false);
        }
        let (id, name) = (I::new(self.names.len()), Arc::from(name));
        match Short::new(&name) {
            Some(short) => self.short.insert(short, id),
            None => self.long.insert(Arc::clone(&name), id),
        };
        self.names.push(name);
        (id, true)
    }

    #[inline]
    pub(crate) fn find(&self, name: &str) -> Option<I> {
        match Short::new(name) {
            Some(short) => self.short.get(&short).copied(),
            None => self.long.get(name).copied(),
        }
    }

    pub(crate) fn name(&self, id: I) -> Option<&str> {
        self.names.get(id.index()).map(AsRef::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// The set of none of these names, with room for all.
    pub(crate) fn no_ids(&self) -> IdSet<I> {
        let words = match self.len().div_ceil(64) {
            0..=INLINE => Words::Inline([0; INLINE]),
            more => Words::Heap(vec![0; more].into()),
        };
        IdSet { words, of: PhantomData }
    }
}

/// A name of up to 32 bytes: its length, and words that overlap where it does not fill them.
#[derive(Clone, Copy, Debug)]
struct Short {
    length: usize,
    words: [u64; 4],
}

impl Short {
    #[inline]
    fn new(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        let length = bytes.len();
        let half = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes).map(u64::from);
        let word = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes);
        let words = match length {
            0..4 => [bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0, 0, 0],
            4..8 => [half(0)?, half(length - 4)?, 0, 0],
            8..=16 => [word(0)?, word(length - 8)?, 0, 0],
            17..=32 => [word(0)?, word(length - 8)?, word(8)?, word(length - 16)?],
            _ => return None,
        };
        Some(Self { length, words })
    }
}

impl PartialEq for Short {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.words, other.words);
        self.length == other.length && (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0
    }
}

impl Eq for Short {}

impl Hash for Short {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d] = self.words;
        state.write_u64(a ^ c.rotate_left(23));
        state.write_u64(b ^ d.rotate_left(23));
    }
}

/// Sets of up to 256 names need no memory but their own.
const INLINE: usize = 4;

#[derive(Clone, Debug)]
enum Words {
    Inline([u64; INLINE]),
    Heap(Box<[u64]>),
}

/// A set of the numbers of one [`Names`]. A number beyond its room is never a member.
#[derive(Clone, Debug)]
pub(crate) struct IdSet<I> {
    words: Words,
    of: PhantomData<I>,
}

impl<I: Id> IdSet<I> {
    #[inline]
    fn words(&self) -> &[u64] {
        match &self.words {
            Words::Inline(words) => words,
            Words::Heap(words) => words,
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match &mut self.words {
            Words::Inline(words) => words,
            Words::Heap(words) => words,
        }
    }

    pub(crate) fn insert(&mut self, id: I) {
        if let Some(word) = self.words_mut().get_mut(id.index() / 64) {
            *word |= 1 << (id.index() % 64);
        }
    }

    pub(crate) fn contains(&self, id: I) -> bool {
        self.words().get(id.index() / 64).is_some_and(|word| word >> (id.index() % 64) & 1 == 1)
    }

    pub(crate) fn insert_all(&mut self, others: &Self) {
        let add =
            |words: &mut [u64], others: &[u64]| words.iter_mut().zip(others).for_each(|(word, other)| *word |= other);
        match (&mut self.words, &others.words) {
            // Of a length that the compiler knows.
            (Words::Inline(words), Words::Inline(others)) => add(words, others),
            (Words::Inline(words), Words::Heap(others)) => add(words, others),
            (Words::Heap(words), Words::Inline(others)) => add(words, others),
            (Words::Heap(words), Words::Heap(others)) => add(words, others),
        }
    }
}

/// A few numbers to look for in an [`IdSet`]: only the words in which they lie, so that a look costs the same
/// in a small catalog and in a large one.
#[derive(Clone, Debug)]
pub(crate) struct Mask<I> {
    words: Box<[(usize, u64)]>,
    of: PhantomData<I>,
}

impl<I: Id> Mask<I> {
    pub(crate) fn new(ids: impl IntoIterator<Item = I>) -> Self {
        let mut words = BTreeMap::new();
        for id in ids {
            *words.entry(id.index() / 64).or_insert(0) |= 1 << (id.index() % 64);
        }
        Self { words: words.into_iter().collect(), of: PhantomData }
    }

    /// Each word of the mask with the same word of the set.
    #[inline]
    fn with<'s>(&'s self, set: &'s IdSet<I>) -> impl Iterator<Item = (u64, u64)> + 's {
        let words = set.words();
        self.words.iter().map(|(at, mask)| (*mask, words.get(*at).copied().unwrap_or(0)))
    }

    #[inline]
    pub(crate) fn all_in(&self, set: &IdSet<I>) -> bool {
        self.with(set).all(|(mask, word)| word & mask == mask)
    }

    #[inline]
    pub(crate) fn any_in(&self, set: &IdSet<I>) -> bool {
        self.with(set).any(|(mask, word)| word & mask != 0)
    }

    /// How many of them are in the set.
    pub(crate) fn count_in(&self, set: &IdSet<I>) -> u32 {
        self.with(set).map(|(mask, word)| (word & mask).count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Around the edges of words, and on both sides of what is held without memory of its own.
    const SIZES: [usize; 8] = [1, 63, 64, 65, 255, 256, 257, 10_000];

    fn numbers(size: usize) -> (Names<PermissionId>, Vec<PermissionId>) {
        let mut names = Names::new();
        let ids = (0..size).map(|n| names.intern(&n.to_string()).0).collect();
        (names, ids)
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        for size in SIZES {
            let (names, ids) = numbers(size);
            let members: Vec<usize> =
                [0, 1, 62, 63, 64, 127, 128, 255, 256, 9_999].into_iter().filter(|n| *n < size).collect();
            let mut set = names.no_ids();
            for member in &members {
                set.insert(ids[*member]);
            }
            let mut all = names.no_ids();
            all.insert_all(&set);
            for (index, id) in ids.iter().enumerate() {
                assert_eq!(set.contains(*id), members.contains(&index), "{index}");
                assert_eq!(all.contains(*id), members.contains(&index), "{index}");
            }
            set.insert(PermissionId::new(100_000));
            assert!(!set.contains(PermissionId::new(100_000)));
        }
    }

    #[test]
    fn a_mask_finds_what_it_looks_for_in_sets_of_any_size() {
        for size in SIZES {
            let (names, ids) = numbers(size);
            let held: Vec<_> = ids.iter().copied().step_by(3).collect();
            let mut set = names.no_ids();
            held.iter().for_each(|id| set.insert(*id));
            for step in [1, 2, 3, 6, 64] {
                let asked: Vec<_> = ids.iter().copied().step_by(step).collect();
                let mask = Mask::new(asked.iter().copied());
                let found = asked.iter().filter(|id| held.contains(id)).count();
                assert_eq!(mask.count_in(&set) as usize, found, "{size} by {step}");
                assert_eq!(mask.any_in(&set), found > 0);
                assert_eq!(mask.all_in(&set), found == asked.len());
            }
            let beyond = Mask::new([PermissionId::new(100_000)]);
            assert!(!beyond.all_in(&set) && !beyond.any_in(&set) && beyond.count_in(&set) == 0);
        }
    }

    #[test]
    fn a_name_is_told_from_its_like_at_every_length() {
        for length in 0..40 {
            let name: String = ('a'..='z').cycle().take(length).collect();
            let mut names: Names<RoleId> = Names::new();
            let (id, new) = names.intern(&name);
            assert!(new && names.find(&name) == Some(id), "{name}");
            let others = (0..length).flat_map(|at| {
                let (before, after) = name.split_at(at);
                [format!("{before}A{}", &after[1..]), format!("{before}{}", &after[1..]), format!("{before}z{after}")]
            });
            // In others of the length the first and the last octets are the same.
            let others: Vec<String> = others.chain([format!("{name}\0"), format!("\0{name}")]).collect();
            for other in others.iter().filter(|other| **other != name) {
                assert_eq!(names.find(other), None, "{other:?} is not {name:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn names_have_the_numbers_of_their_order(asked in proptest::collection::vec("[ab]{0,3}|[a-cé\0]{0,36}", 0..60)) {
            let (mut names, mut model) = (Names::<PermissionId>::new(), Vec::<String>::new());
            for name in &asked {
                let known = model.iter().position(|own| own == name);
                prop_assert_eq!(names.find(name), known.map(PermissionId::new));
                prop_assert_eq!(names.intern(name), (PermissionId::new(known.unwrap_or(model.len())), known.is_none()));
                if known.is_none() {
                    model.push(name.clone());
                }
            }
            prop_assert!(names.iter().eq(&model));
        }
    }

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::new();
        let (first, new): (RoleId, bool) = names.intern("ä");
        assert!(new);
        assert_eq!(names.intern("ä"), (first, false));
        assert_eq!(names.find("ä"), Some(first));
        assert_eq!(names.find("a"), None);
        assert_eq!(names.name(first), Some("ä"));
        assert_eq!(names.len(), 1);
    }
}
