//! Names as numbers, and sets of them as bits.

use foldhash::quality::RandomState;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
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
/// Every name in a token is looked for, so the hash is a quick one with a random seed. Tokens put no name into the map,
/// and so cannot make it slow.
#[derive(Debug)]
pub(crate) struct Names<I> {
    ids: HashMap<Arc<str>, I, RandomState>,
    names: Vec<Arc<str>>,
}

impl<I: Id> Names<I> {
    pub(crate) fn new() -> Self {
        Self { ids: HashMap::default(), names: Vec::new() }
    }

    /// The name's number, and whether the name is new.
    pub(crate) fn intern(&mut self, name: &str) -> (I, bool) {
        let name: Arc<str> = Arc::from(name);
        match self.ids.entry(Arc::clone(&name)) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(free) => {
                let id = *free.insert(I::new(self.names.len()));
                self.names.push(name);
                (id, true)
            }
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<I> {
        self.ids.get(name).copied()
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
