//! A denylist in the memory of this process.

use super::{Changes, RevocationCheck, TokenStatus, judge};
use crate::clock::{Clock, SystemClock};
use crate::token::VerifiedToken;
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// Revoked tokens and subjects, in the memory of this process.
///
/// An entry is kept at least until the token that it stops would have expired; what is over goes when the list grows, and
/// is over only when the clock says so both by the time of the world and by monotonic time: a clock that is put ahead for a
/// while brings back no token.
///
/// ```
/// use countersign::revocation::{MemoryDenylist, RevocationCheck, TokenStatus};
/// use countersign::VerifiedToken;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let denylist = MemoryDenylist::new();
/// let far_away = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
/// let token = VerifiedToken::vouched(&serde_json::json!({"iss": "me", "jti": "t1", "sub": "u1", "iat": 100}))?;
/// assert_eq!(denylist.status_now(&token), Some(TokenStatus::Active));
///
/// // everything issued to `u1` before second 101
/// denylist.revoke_subject_before("me", "u1", UNIX_EPOCH + Duration::from_secs(101), far_away);
/// assert_eq!(denylist.status_now(&token), Some(TokenStatus::Revoked));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
pub struct MemoryDenylist {
    clock: Box<dyn Clock>,
    entries: RwLock<Entries>,
    changes: Changes,
}

/// Keyed by issuer and name, because a token id or a subject is unique within its issuer only.
#[derive(Default)]
struct Entries {
    tokens: HashMap<(String, String), End>,
    subjects: HashMap<(String, String), SubjectEntry>,
    /// When the list has this many entries, those that are over are dropped.
    sweep_at: usize,
}

struct SubjectEntry {
    before: SystemTime,
    end: End,
}

/// When an entry may go. By the time of the world alone, a clock put ahead would end it early, and put back later would
/// bring its token back.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) until: SystemTime,
    /// As far away, by monotonic time, as `until` was when the entry was made.
    pub(super) monotonic: Duration,
}

impl End {
    pub(super) fn max(self, other: Self) -> Self {
        Self { until: self.until.max(other.until), monotonic: self.monotonic.max(other.monotonic) }
    }

    pub(super) fn is_over(self, now: SystemTime, monotonic: Duration) -> bool {
        self.until <= now && self.monotonic <= monotonic
    }
}

const FIRST_SWEEP: usize = 1024;

impl MemoryDenylist {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }

    /// An empty list on a clock of the caller's.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        let entries = Entries { sweep_at: FIRST_SWEEP, ..Entries::default() };
        Self { clock: Box::new(clock), entries: RwLock::new(entries), changes: Changes::new() }
    }

    /// Revokes the token with this `jti` from this issuer. `until` is when the token expires, leeway included: the
    /// entry may be forgotten then.
    pub fn revoke_token(&self, issuer: &str, token_id: &str, until: SystemTime) {
        self.change(until, |entries, end| {
            let entry = entries.tokens.entry((issuer.to_owned(), token_id.to_owned())).or_insert(end);
            *entry = end.max(*entry);
        });
    }

    /// Revokes every token that this issuer issued to this subject before `before`, and those that do not say when.
    /// `until` is when the last of them expires, leeway included.
    pub fn revoke_subject_before(&self, issuer: &str, subject: &str, before: SystemTime, until: SystemTime) {
        self.change(until, |entries, end| {
            let entry =
                entries.subjects.entry((issuer.to_owned(), subject.to_owned())).or_insert(SubjectEntry { before, end });
            entry.before = before.max(entry.before);
            entry.end = end.max(entry.end);
        });
    }

    fn change(&self, until: SystemTime, change: impl FnOnce(&mut Entries, End)) {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let left = until.duration_since(now).unwrap_or_default();
        let end = End { until, monotonic: monotonic.saturating_add(left) };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut entries, end);
        if entries.tokens.len() + entries.subjects.len() >= entries.sweep_at {
            entries.tokens.retain(|_, end| !end.is_over(now, monotonic));
            entries.subjects.retain(|_, entry| !entry.end.is_over(now, monotonic));
            entries.sweep_at = FIRST_SWEEP.max(2 * (entries.tokens.len() + entries.subjects.len()));
        }
        drop(entries);
        self.changes.tell();
    }

    fn look_up(&self, token: &VerifiedToken) -> TokenStatus {
        let issuer = token.issuer().unwrap_or_default();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let key = |name: &str| (issuer.to_owned(), name.to_owned());
        if !entries.tokens.is_empty() && token.token_id().is_some_and(|id| entries.tokens.contains_key(&key(id))) {
            return TokenStatus::Revoked;
        }
        if entries.subjects.is_empty() {
            return TokenStatus::Active;
        }
        let entry = token.subject().and_then(|subject| entries.subjects.get(&key(subject)));
        entry.map_or(TokenStatus::Active, |entry| judge(token, entry.before))
    }
}

impl Default for MemoryDenylist {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for MemoryDenylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDenylist").finish_non_exhaustive()
    }
}

#[async_trait]
impl RevocationCheck for MemoryDenylist {
    fn status_now(&self, token: &VerifiedToken) -> Option<TokenStatus> {
        Some(self.look_up(token))
    }

    async fn status(&self, token: &VerifiedToken) -> TokenStatus {
        self.look_up(token)
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.changes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    #[derive(Clone, Debug)]
    struct At(Arc<RwLock<u64>>);
    impl Clock for At {
        fn now(&self) -> SystemTime {
            at(*self.0.read().expect("lock"))
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn status(list: &MemoryDenylist, claims: serde_json::Value) -> TokenStatus {
        list.look_up(&VerifiedToken::vouched(&claims).expect("claims"))
    }

    #[test]
    fn entries_go_when_their_tokens_are_over_and_not_before() {
        let time = Arc::new(RwLock::new(0));
        let list = MemoryDenylist::with_clock(At(time.clone()));
        for n in 0..10_000_u64 {
            *time.write().expect("lock") = n;
            list.revoke_token("a", &n.to_string(), at(n + 10));
        }
        let kept = list.entries.read().expect("lock").tokens.len();
        assert!(kept <= 2 * FIRST_SWEEP, "{kept} entries kept");
        assert_eq!(status(&list, json!({"iss": "a", "jti": "9999"})), TokenStatus::Revoked);
        assert_eq!(status(&list, json!({"iss": "a", "jti": "9995"})), TokenStatus::Revoked);
    }

    /// Two hands of one clock.
    #[derive(Clone, Debug)]
    struct Hands(Arc<RwLock<(u64, u64)>>);
    impl Clock for Hands {
        fn now(&self) -> SystemTime {
            at(self.0.read().expect("lock").0)
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.read().expect("lock").1)
        }
    }

    #[test]
    fn an_entry_is_over_when_both_times_say_so() {
        for ((world, monotonic), is_kept) in [
            ((999, 999), true),
            ((1_000, 999), true),
            ((999, 1_000), true),
            ((0, 5_000), true),
            ((1_000, 1_000), false),
        ] {
            let time = Arc::new(RwLock::new((0, 0)));
            let list = MemoryDenylist::with_clock(Hands(time.clone()));
            list.revoke_token("a", "1", at(1_000));
            list.revoke_subject_before("a", "u", at(10), at(1_000));
            *time.write().expect("lock") = (world, monotonic);
            for n in 0..FIRST_SWEEP {
                list.revoke_token("b", &n.to_string(), at(9_999));
            }
            for claims in [json!({"iss": "a", "jti": "1"}), json!({"iss": "a", "sub": "u", "iat": 5})] {
                let expected = if is_kept { TokenStatus::Revoked } else { TokenStatus::Active };
                assert_eq!(status(&list, claims), expected, "at {world} and {monotonic}");
            }
        }
    }
}
