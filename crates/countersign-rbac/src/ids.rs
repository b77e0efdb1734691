//! Names as numbers, and sets of them as bits.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::marker::PhantomData;
use std::sync::Arc;

/// A number that stands for a name. Roles and permissions have different ones, so that the compiler keeps
/// apart what a mix-up would turn into a grant.
pub(crate) trait Id: Copy + Eq {
    fn new(index: usize) -> Self;
    fn index(self) -> usize;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoleId(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Debug)]
pub(crate) struct Names<I> {
    ids: HashMap<Arc<str>, I>,
    names: Vec<Arc<str>>,
}

impl<I: Id> Names<I> {
    pub(crate) fn new() -> Self {
        Self { ids: HashMap::new(), names: Vec::new() }
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
        IdSet { words: vec![0; self.len().div_ceil(64)].into(), of: PhantomData }
    }
}

/// A set of the numbers of one [`Names`]. A number beyond its room is never a member.
#[derive(Clone, Debug)]
pub(crate) struct IdSet<I> {
    words: Box<[u64]>,
    of: PhantomData<I>,
}

impl<I: Id> IdSet<I> {
    pub(crate) fn insert(&mut self, id: I) {
        if let Some(word) = self.words.get_mut(id.index() / 64) {
            *word |= 1 << (id.index() % 64);
        }
    }

    pub(crate) fn contains(&self, id: I) -> bool {
        self.words.get(id.index() / 64).is_some_and(|word| word >> (id.index() % 64) & 1 == 1)
    }

    pub(crate) fn insert_all(&mut self, others: &Self) {
        for (word, other) in self.words.iter_mut().zip(&others.words) {
            *word |= other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let mut names = Names::new();
        let ids: Vec<PermissionId> = (0..130).map(|n| names.intern(&n.to_string()).0).collect();
        let members = [0, 1, 63, 64, 127, 128, 129];
        let mut set = names.no_ids();
        for member in members {
            set.insert(ids[member]);
        }
        let mut all = names.no_ids();
        all.insert_all(&set);
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(set.contains(*id), members.contains(&index), "{index}");
            assert_eq!(all.contains(*id), members.contains(&index), "{index}");
        }
        assert!(!set.contains(PermissionId::new(100_000)));
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
