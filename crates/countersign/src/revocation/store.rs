//! A denylist in a cache store.

mod epoch;

use super::{RevocationCheck, TokenStatus, judge};
use crate::cache::{CacheError, CacheKey, CacheStore, Result};
use crate::clock::{Clock, SystemClock};
use crate::observe::{Event, NoObserver, Observer};
use crate::token::VerifiedToken;
use async_trait::async_trait;
use bytes::Bytes;
use epoch::Epoch;
use std::fmt::{self, Debug};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often an entry tries to be written where others write the same one.
const ATTEMPTS: usize = 100;

/// Revoked tokens and subjects, in a [`CacheStore`]: one list for all who share the store.
///
/// It answers as [`MemoryDenylist`](super::MemoryDenylist) does, at the price of three questions to the store for a token
/// that counts: for the token, for its subject, and whether the store still has what was put into it. An entry is kept
/// until the token that it stops would have expired.
///
/// A store that fails, and an entry that cannot be read, are [`TokenStatus::Unknown`], told to the observer as
/// [`Event::CacheFailed`]: nothing is let through because nobody could look.
///
/// # A store that loses what it holds
///
/// A Redis server that is flushed, or starts anew without what it held, has forgotten who was revoked. The list notices:
///
/// 1. Beside the entries stands an *epoch*, a random value that never expires. A list sees it at its first use, whether
///    that is a question or a revocation, and puts one there if there is none. Of several processes that are first at
///    once, all see the same.
/// 2. Before it says [`TokenStatus::Active`], and after it has read the entries, it looks whether the epoch is still there.
///    If that is gone or another one, the answer is `Unknown`, and the observer is told that the store has lost its entries.
///    What is revoked, or revoked again, is `Revoked` all the while.
/// 3. It stays so until [`accept_loss`](Self::accept_loss) is called on this list, or the process starts anew: after what
///    was revoked has been put back, or when all tokens of the time before have expired.
///
/// The epoch is asked for with [`CacheStore::find`], which `TieredCache` always asks far: its copies delay no notice, but
/// may say `Revoked` for as long as they serve. A store of one's own that answers `find` from copies delays it as long.
///
/// # What it cannot notice
///
/// What was lost before this process' first use of the list; and what is lost while the epoch stays: entries that a server
/// evicts (`maxmemory-policy` should be `noeviction`), those that a snapshot or a replica that takes over does not have yet,
/// and those that somebody removes. Whoever can write to the store can take a revocation back. Give the list a store that
/// only its own processes can write to, and in which others cannot crowd it out.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::cache::Result;
/// use countersign::revocation::{RevocationCheck, StoreDenylist, TokenStatus};
/// use std::time::{Duration, SystemTime};
///
/// /// The tokens of this issuer live for ten minutes, and verifiers allow for 30 seconds.
/// const LIFETIME: Duration = Duration::from_secs(630);
///
/// async fn log_out_everywhere(denylist: &StoreDenylist, token: &VerifiedToken, now: SystemTime) -> Result<()> {
///     let (Some(issuer), Some(subject)) = (token.issuer(), token.subject()) else { return Ok(()) };
///     denylist.revoke_subject_before(issuer, subject, now, now + LIFETIME).await?;
///     assert_eq!(denylist.status(token).await, TokenStatus::Revoked);
///     Ok(())
/// }
/// ```
pub struct StoreDenylist {
    store: Box<dyn CacheStore>,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
    /// `None` where losses may go unnoticed.
    epoch: Option<Epoch>,
}

impl StoreDenylist {
    /// The list in this store, with what is in it already.
    #[must_use]
    pub fn new(store: impl CacheStore) -> Self {
        Self {
            store: Box::new(store),
            clock: Box::new(SystemClock::new()),
            observer: Box::new(NoObserver),
            epoch: Some(Epoch::default()),
        }
    }

    /// The clock by which it is reckoned how long an entry is to be kept. The system's unless told.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Told why a status is unknown. Nobody unless told.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Goes on where the store has lost its entries: **every token that was revoked counts again**, unless it is revoked
    /// again, and nobody is told. For those to whom an outage is worse. It spares the question after the epoch.
    #[must_use]
    pub fn danger_unnoticed_losses(mut self) -> Self {
        self.epoch = None;
        self
    }

    /// Relies on what the store holds now, after it has lost its entries. For the operator, who has put back what was
    /// revoked, or knows that those tokens have expired. To be called soon after that: what the store loses again before
    /// this call goes unnoticed.
    ///
    /// It speaks for this list alone: the other processes have their own, and each must be told, or started anew. Called
    /// before the first use it is that use.
    ///
    /// # Errors
    /// [`CacheError`] where the store fails, or holds no epoch where one should be. Then all is as it was.
    ///
    /// ```
    /// use countersign::cache::Result;
    /// use countersign::revocation::StoreDenylist;
    /// use std::time::SystemTime;
    ///
    /// /// What an administrator starts when the log says that the store has lost its entries.
    /// async fn put_back(denylist: &StoreDenylist, revoked: &[(String, String, SystemTime)]) -> Result<()> {
    ///     for (issuer, token_id, until) in revoked {
    ///         denylist.revoke_token(issuer, token_id, *until).await?;
    ///     }
    ///     denylist.accept_loss().await
    /// }
    /// ```
    pub async fn accept_loss(&self) -> Result<()> {
        match &self.epoch {
            Some(epoch) => epoch.accept(&*self.store).await,
            None => Ok(()),
        }
    }

    /// Revokes the token with this `jti` from this issuer. `until` is when the token expires, leeway included: the
    /// entry may be forgotten then. A revocation that is there already is never shortened.
    ///
    /// # Errors
    /// [`CacheError`] where the store fails, or holds there what cannot be read. Then the token may be revoked or not;
    /// to revoke it again does no harm.
    pub async fn revoke_token(&self, issuer: &str, token_id: &str, until: SystemTime) -> Result<()> {
        self.write(&token_key(issuer, token_id), Entry { before: None, until }).await
    }

    /// Revokes every token that this issuer issued to this subject before `before`, and those that do not say when.
    /// `until` is when the last of them expires, leeway included. Of several revocations the latest `before` and the
    /// longest `until` count, whoever is told them and in which order.
    ///
    /// # Errors
    /// As for [`revoke_token`](Self::revoke_token).
    pub async fn revoke_subject_before(
        &self,
        issuer: &str,
        subject: &str,
        before: SystemTime,
        until: SystemTime,
    ) -> Result<()> {
        self.write(&subject_key(issuer, subject), Entry { before: Some(before), until }).await
    }

    /// Joins `new` with what is there. What cannot be read is left as it is, because it may be a revocation.
    async fn write(&self, key: &CacheKey, new: Entry) -> Result<()> {
        if let Some(epoch) = &self.epoch {
            // Seen before it is written, so that it is noticed where this is lost. Where something has been lost already, it
            // is written all the same: that is how it is put back.
            epoch.seen(&*self.store).await?;
        }
        for _ in 0..ATTEMPTS {
            // `find` and not `get`: what is written must live no shorter than what it replaces, even where the clock
            // of whoever wrote that goes behind this one.
            let found = self.store.find(key).await?;
            let (entry, left) = match &found {
                None => (new, Duration::ZERO),
                Some(found) => (Entry::read(key, &found.value)?.join(new), found.expires_in.unwrap_or_default()),
            };
            let ttl = entry.until.duration_since(self.clock.now()).unwrap_or_default().max(left);
            if ttl.is_zero() {
                return Ok(());
            }
            let value = entry.encode();
            let is_written = match found {
                None => self.store.put_new(key, value, ttl).await?,
                Some(found) => self.store.compare_and_swap(key, &found.value, Some((value, ttl))).await?,
            };
            if is_written {
                return Ok(());
            }
        }
        Err(CacheError::because("others were faster each time"))
    }

    async fn read(&self, key: &CacheKey) -> Result<Option<Entry>> {
        let value = self.store.get(key).await?;
        value.map(|value| Entry::read(key, &value)).transpose()
    }

    async fn look_up(&self, token: &VerifiedToken) -> Result<TokenStatus> {
        if token.token_id().is_none() && token.subject().is_none() {
            return Ok(TokenStatus::Active);
        }
        let Some(epoch) = &self.epoch else { return self.judge(token).await };
        let seen = epoch.seen(&*self.store).await?;
        let status = self.judge(token).await?;
        if status == TokenStatus::Active {
            epoch.confirm(&*self.store, seen).await?;
        }
        Ok(status)
    }

    /// The status by what is in the store.
    async fn judge(&self, token: &VerifiedToken) -> Result<TokenStatus> {
        let issuer = token.issuer().unwrap_or_default();
        if let Some(token_id) = token.token_id()
            && let Some(entry) = self.read(&token_key(issuer, token_id)).await?
            && entry.judge(token) == TokenStatus::Revoked
        {
            return Ok(TokenStatus::Revoked);
        }
        let Some(subject) = token.subject() else { return Ok(TokenStatus::Active) };
        let entry = self.read(&subject_key(issuer, subject)).await?;
        Ok(entry.map_or(TokenStatus::Active, |entry| entry.judge(token)))
    }
}

impl Debug for StoreDenylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreDenylist").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
impl RevocationCheck for StoreDenylist {
    async fn status(&self, token: &VerifiedToken) -> TokenStatus {
        self.look_up(token).await.unwrap_or_else(|error| {
            self.observer.observe(&Event::CacheFailed { error: &error });
            TokenStatus::Unknown
        })
    }
}

fn token_key(issuer: &str, token_id: &str) -> CacheKey {
    CacheKey::hashed("denied-token", &[issuer.as_bytes(), token_id.as_bytes()])
}

fn subject_key(issuer: &str, subject: &str) -> CacheKey {
    CacheKey::hashed("denied-subject", &[issuer.as_bytes(), subject.as_bytes()])
}

/// Written as `until <time>`, or `before <time> until <time>`: times in nanoseconds since 1970, as exact as those that a
/// [`MemoryDenylist`](super::MemoryDenylist) keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Revoked is what was issued before this; `None`: whenever it was issued.
    before: Option<SystemTime>,
    until: SystemTime,
}

impl Entry {
    fn judge(self, token: &VerifiedToken) -> TokenStatus {
        self.before.map_or(TokenStatus::Revoked, |before| judge(token, before))
    }

    /// Revokes what either does, for as long as either does.
    fn join(self, other: Self) -> Self {
        let before = self.before.zip(other.before).map(|(one, other)| one.max(other));
        Self { before, until: self.until.max(other.until) }
    }

    fn encode(self) -> Bytes {
        let until = nanoseconds(self.until);
        Bytes::from(match self.before {
            None => format!("until {until}"),
            Some(before) => format!("before {} until {until}", nanoseconds(before)),
        })
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(value).ok()?.split(' ');
        let entry = match (words.next()?, words.next()?, words.next(), words.next()) {
            ("until", until, None, _) => Self { before: None, until: time(until)? },
            ("before", before, Some("until"), Some(until)) => Self { before: Some(time(before)?), until: time(until)? },
            _ => return None,
        };
        // One spelling of each: what is spelt otherwise was written by somebody else.
        (entry.encode() == value).then_some(entry)
    }

    fn read(key: &CacheKey, value: &[u8]) -> Result<Self> {
        Self::decode(value).ok_or_else(|| CacheError::because(format!("`{key}` holds what is no revocation")))
    }
}

pub(super) fn nanoseconds(time: SystemTime) -> i128 {
    let (distance, sign) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after, 1),
        Err(before) => (before.duration(), -1),
    };
    // A `Duration` has less than 2^94 nanoseconds.
    i128::try_from(distance.as_nanos()).map_or(i128::MAX, |distance| sign * distance)
}

pub(super) fn time(nanoseconds: &str) -> Option<SystemTime> {
    const SECOND: u128 = 1_000_000_000;
    let nanoseconds: i128 = nanoseconds.parse().ok()?;
    let distance = nanoseconds.unsigned_abs();
    let distance =
        Duration::new(u64::try_from(distance / SECOND).ok()?, u32::try_from(distance % SECOND).unwrap_or_default());
    if nanoseconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let times = [
            UNIX_EPOCH,
            UNIX_EPOCH + Duration::from_nanos(1),
            UNIX_EPOCH - Duration::from_nanos(1),
            UNIX_EPOCH + Duration::new(4_000_000_000, 999_999_999),
            UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs()),
            UNIX_EPOCH - Duration::from_secs(i64::MAX.unsigned_abs()),
        ];
        for until in times {
            for before in times.map(Some).into_iter().chain([None]) {
                let entry = Entry { before, until };
                assert_eq!(Entry::decode(&entry.encode()), Some(entry));
            }
        }
        let entry = Entry { before: Some(UNIX_EPOCH), until: UNIX_EPOCH + Duration::from_secs(2) };
        assert_eq!(entry.encode(), "before 0 until 2000000000");
    }

    #[test]
    fn what_is_spelt_otherwise_is_no_entry() {
        let none: [&[u8]; 16] = [
            b"",
            b"until",
            b"until ",
            b"until 1 ",
            b" until 1",
            b"until  1",
            b"until 01",
            b"until +1",
            b"until -0",
            b"until 1.5",
            b"until 1\n",
            b"before 1",
            b"before 1 until",
            b"before 1 until 2 3",
            b"until 99999999999999999999999999999999999999",
            b"until \xff",
        ];
        for value in none {
            assert_eq!(Entry::decode(value), None, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn two_entries_together_revoke_what_either_does() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let entry = |before: Option<u64>, until| Entry { before: before.map(at), until: at(until) };
        for (one, other, both) in [
            (entry(Some(1), 20), entry(Some(2), 10), entry(Some(2), 20)),
            (entry(Some(1), 20), entry(None, 10), entry(None, 20)),
            (entry(None, 20), entry(None, 30), entry(None, 30)),
        ] {
            assert_eq!((one.join(other), other.join(one)), (both, both));
        }
    }
}
