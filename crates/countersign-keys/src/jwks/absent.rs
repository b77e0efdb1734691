use countersign::provider::KeyRequest;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long a key id that a fresh document lacked is remembered, and how many of them.
const ABSENT_FOR: Duration = Duration::from_secs(30);
const MAX_ABSENT: usize = 1024;

/// Key ids that a fresh document lacked. Hashed with a key of this process, so that nobody can make two collide.
#[derive(Debug, Default)]
pub(super) struct Absent {
    hasher: RandomState,
    /// Since when, on the monotonic clock.
    since: HashMap<u64, Duration>,
    in_order: VecDeque<u64>,
}

impl Absent {
    fn hash(&self, wanted: &KeyRequest<'_>) -> u64 {
        self.hasher.hash_one((wanted.key_id, wanted.algorithm))
    }

    pub(super) fn holds(&self, wanted: &KeyRequest<'_>, now: Duration) -> bool {
        self.since.get(&self.hash(wanted)).is_some_and(|since| now.saturating_sub(*since) < ABSENT_FOR)
    }

    pub(super) fn remember(&mut self, wanted: &KeyRequest<'_>, now: Duration) {
        let hash = self.hash(wanted);
        if self.since.insert(hash, now).is_none() {
            self.in_order.push_back(hash);
        }
        if self.in_order.len() > MAX_ABSENT
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.since.remove(&oldest);
        }
    }

    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::Algorithm;

    fn wanted(id: &str) -> KeyRequest<'_> {
        KeyRequest::new(Algorithm::ES256).with_key_id(Some(id))
    }

    #[test]
    fn a_flood_of_ids_takes_bounded_room() {
        let mut absent = Absent::default();
        let ids: Vec<String> = (0..10_000).map(|n| format!("made up {n}")).collect();
        for id in &ids {
            absent.remember(&wanted(id), Duration::ZERO);
        }
        assert_eq!((absent.since.len(), absent.in_order.len()), (MAX_ABSENT, MAX_ABSENT));
        let holds = |id: &String, now| absent.holds(&wanted(id), now);
        assert!(holds(&ids[9_999], Duration::from_secs(29)) && !holds(&ids[9_999], ABSENT_FOR));
        assert!(!holds(&ids[0], Duration::ZERO), "the oldest went first");
    }
}
