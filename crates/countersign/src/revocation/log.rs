//! Revocations of tokens, subjects and keys in a log that a fleet shares, and a view of it in memory.

mod builder;
mod envelope;
mod fact;
mod follow;
mod standing;

pub use builder::RevocationLogBuilder;

use super::{Changes, RevocationCheck, TokenStatus};
use crate::cache::{CacheError, CacheKey, CacheStore, FleetKey, Result};
use crate::clock::Clock;
use crate::jwk::Thumbprint;
use crate::observe::{Event, Observer};
use crate::token::VerifiedToken;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use envelope::Seal;
use fact::{Entry, Fact, Kind};
pub(super) use standing::Standing;
use standing::{TOLD_CONFIRMED, View};
use std::fmt::{self, Debug};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// How often a change tries to be written, or a head read, where others write at the same time.
const ATTEMPTS: usize = 100;

/// How many keys may be distrusted, whatever else there is.
const MAX_KEYS: usize = 10_000;

/// Octets of an issuer or a name: no token is longer.
const MAX_NAME: usize = 16 * 1024;

/// Revoked tokens, subjects and keys, known to every process of a fleet within a stated time and looked up in memory.
///
/// What [`StoreDenylist`](super::StoreDenylist) asks the store for each request, this knows beforehand: the revocations stand
/// in the store as an ordered log, and each process has a view of it, which [`poll`](Self::poll) brings up to date. No
/// request waits for the store, but the first ones of a process until the log has been read.
///
/// # The bound
///
/// Whatever was acknowledged longer ago than the [bound](RevocationLogBuilder::bound), 5 s unless told, is in every answer: a
/// view counts for four fifths of that, and the rest is for a store that loses a change the moment it has it.
/// [`poll`](Self::poll) wants to be called every [`interval`](Self::interval), a fifth of the bound; `Follower` of
/// `countersign-cache` is the task that does. Where the view is older, because the store fails or nobody polls, the answer is
/// [`TokenStatus::Unknown`] (503), or, with [`danger_degrade`](RevocationLogBuilder::danger_degrade), by what was known last.
/// The observer is told either way, once. Age is measured by both clocks, and the larger counts; an answer looks at the time of
/// the world once in 10 ms.
///
/// What is found counts when two intervals have passed in which nothing went wrong. Those who know more have put it back by
/// then. So it is
///
/// - at the start, where the log is one that nobody has begun and where it goes on: 2 s unless told. Of the requests
///   that come before the first look one looks, and nobody can tell for the others,
/// - after a failure of the store,
/// - where the log does not lead on from the place where the process has been: flushed, failed over, put back,
/// - where the process has not looked for half the bound: it slept, or the machine did.
///
/// Meanwhile a view from before counts while it is young enough, so that a failover, or a look that fails, costs no answer.
///
/// Only a log that goes on is confirmed: where nothing is said in an interval, one of the processes adds a *tick*, in turn. So each of
/// them must be able to write.
///
/// # What is in the store
///
/// 1. Each change is appended by compare-and-swap, and acknowledged when the store has it. It has a number, and a value of a
///    chain of HMACs that depends on all before it.
/// 2. All is authenticated with a [`FleetKey`], bound to the log's name and to its place in the log. What was forged, cut,
///    moved or comes from another log is an error: the view stays as it is, and is old when the bound is over. It is never
///    overwritten, for it may be what a later version writes: whoever removes it lets the processes write the log anew.
/// 3. A log that went back, or on in another way (flushed, started anew, failed over, put back by a stranger, evicted in
///    part), does not lead past the place where a process has been. Then that process reads all of it, keeps what it knew,
///    and appends what the log lacks. Nothing that any process which still runs has seen is lost, and nobody has to be
///    asked. Where a part of the snapshot is gone, the log is begun anew by a process that has been where it goes on, and so
///    knows what was in it; one that cannot say so asks for that in the head, and counts on nothing it finds. Where nobody
///    answers, one whose view counts begins anew: its writers put back what it lacks.
/// 4. What is said of one token, subject or key joins in any order to the same, so that several may do so at once.
/// 5. Entries end with the tokens they concern (an hour later, for clocks that go differently). The last facts stand in the
///    head, 32 at most; all before them in a snapshot, which a process reads when it starts or was far behind. There may be
///    [100 000](RevocationLogBuilder::max_entries) tokens and subjects, and 10 000 keys beside them.
///
/// The issuers, subjects and ids stand there readable.
///
/// # Another key
///
/// The names of the entries come from the [`FleetKey`]: processes with another key have another log in the same store, which
/// begins empty. Nobody is refused for a change of keys, and what stands in the one log is not in the other. So roll the key
/// out to all, and then say again what must stay revoked; what is revoked while both keys are in use is to be said to both. The old
/// log's entries stay in the store until they are removed.
///
/// # What it cannot notice
///
/// - A server that was cut off from its replicas and goes on taking writes, by a process that was cut off together with it: what
///   is said to the server that took over does not reach it. Have a master refuse writes before another takes over
///   (`min-replicas-to-write 1`, and a `min-replicas-max-lag` at least 2 s shorter than what the sentinels wait): then no tick is
///   written there, and nothing counts when the bound is over.
/// - What no running process has seen: a log that was removed or put back before this process' first look, while no other
///   process ran, and the change that a server loses with the process that made it before anybody else polled.
/// - What only processes know that do not poll in time, asleep or cut off from the store.
/// - Recorded heads that somebody who can write to the store puts there one after the other, in their order and at their pace: a
///   process that has just started takes them for the log as far as they go on from what it found first. Heads from before what a
///   process has seen, one or many, are noticed by it whatever their order, and confirm nothing.
///
/// Give it a store that only its own processes can write to, and that does not evict (`maxmemory-policy noeviction`). Let its
/// processes' clocks agree within the hour: one that is further ahead writes nothing that is over for it, and says so.
///
/// ```
/// use countersign::cache::{CacheStore, FleetKey, Result};
/// use countersign::revocation::{Distrusting, RevocationCheck, RevocationLog};
/// use countersign::{Algorithm, ConfigError, Guard, JwtVerifier, VerifyingKey};
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
///
/// fn guard(store: impl CacheStore, fleet: FleetKey, key: VerifyingKey) -> std::result::Result<Guard, ConfigError> {
///     let log = Arc::new(RevocationLog::builder(store, fleet).build()?);
///     // `Follower::start(log.clone())` of `countersign-cache` polls.
///     let verifier = JwtVerifier::builder(Distrusting::new(key, log.clone()))
///         .issuer("https://issuer.example/")
///         .audience("my-api")
///         .build()?;
///     Guard::builder(verifier).revocation(log).build()
/// }
///
/// async fn log_out_everywhere(log: &RevocationLog, subject: &str, now: SystemTime) -> Result<()> {
///     // The tokens of this issuer live for ten minutes, and verifiers allow for 30 seconds.
///     let until = now + Duration::from_secs(630);
///     log.revoke_subject_before("https://issuer.example/", subject, now, until).await
/// }
/// ```
pub struct RevocationLog {
    store: Box<dyn CacheStore>,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
    seal: Seal,
    head_key: CacheKey,
    bound: Duration,
    goes_on: bool,
    max_entries: usize,
    view: ArcSwap<View>,
    /// Told where the view has other facts, and where it counts again.
    changes: Changes,
    /// Held while the view is replaced, and never while something is awaited.
    replacing: Mutex<()>,
    /// Whether a request looks at a log that was not looked at before.
    is_trying: AtomicBool,
    told: AtomicU8,
    /// When the time of the world was last looked at for an answer, in hundredths of a second of monotonic time.
    world_seen: AtomicU64,
}

impl RevocationLog {
    /// The log in this store, under this key. Nothing is asked yet.
    pub fn builder(store: impl CacheStore, key: FleetKey) -> RevocationLogBuilder {
        RevocationLogBuilder::new(Box::new(store), key)
    }

    /// How long a change may take until every answer counts on it, or is "nobody can tell".
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// How long to wait between two [`poll`](Self::poll)s: a fifth of the bound.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.bound / 5
    }

    /// Whether the view is young enough to count.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.view.load().is_young(self.now())
    }

    /// Looks at the log, follows it, and puts back what it has lost. One question to the store where nothing is new, and
    /// another one where it is this process' turn to add a tick.
    ///
    /// Anybody may call it, at any time and several at once: a message that something is new can bring the next look
    /// forward. It is never needed for that.
    ///
    /// # Errors
    /// [`CacheError`] where the store fails, or holds what cannot be read. The observer is told
    /// ([`Event::CacheFailed`]).
    pub async fn poll(&self) -> Result<()> {
        let outcome = self.follow_and_tick().await;
        if !self.is_confirmed() {
            if !self.is_starting(&self.view.load()) {
                self.tell_unconfirmed();
            }
        } else if self.told.swap(TOLD_CONFIRMED, Ordering::Relaxed) != TOLD_CONFIRMED {
            self.observer.observe(&Event::RevocationsConfirmed { entries: self.entries() });
            self.changes.tell();
        }
        outcome
    }

    /// Waits until others may have added something, and gives how often they have said so: as
    /// [`CacheStore::changed`], for those who call [`poll`](Self::poll). What this process adds it announces to them.
    pub async fn changed(&self, heard: u64) -> u64 {
        self.store.changed(&self.head_key, heard).await
    }

    /// Revokes the token with this `jti` from this issuer. `until` is when the token expires, leeway included: the entry is
    /// forgotten after that. A revocation that is there already is never shortened.
    ///
    /// # Errors
    /// [`CacheError`] where the store fails or holds what cannot be read, where there is no room for another entry, where
    /// `until` was more than an hour ago by this process' clock and nothing longer is known, and for an issuer or name of more than
    /// 16 KiB. After a failure of the store the change may be known to all or to nobody; to
    /// say it again does no harm.
    pub async fn revoke_token(&self, issuer: &str, token_id: &str, until: SystemTime) -> Result<()> {
        self.say(Kind::Token, issuer, token_id, |_| Some(entry(None, until))).await
    }

    /// Revokes every token that this issuer issued to this subject before `before`, and those that do not say when.
    /// `until` is when the last of them expires, leeway included. Of several revocations the latest `before` and the
    /// longest `until` count.
    ///
    /// # Errors
    /// As for [`revoke_token`](Self::revoke_token).
    ///
    /// ```
    /// use countersign::cache::Result;
    /// use countersign::revocation::RevocationLog;
    /// use std::time::{Duration, SystemTime};
    ///
    /// /// "Log me out everywhere", where access tokens live for 15 minutes and the leeway is 30 seconds.
    /// async fn log_out(log: &RevocationLog, subject: &str, now: SystemTime) -> Result<()> {
    ///     let until = now + Duration::from_secs(15 * 60 + 30);
    ///     log.revoke_subject_before("https://issuer.example/", subject, now, until).await
    /// }
    /// ```
    pub async fn revoke_subject_before(
        &self,
        issuer: &str,
        subject: &str,
        before: SystemTime,
        until: SystemTime,
    ) -> Result<()> {
        self.say(Kind::Subject, issuer, subject, |_| Some(entry(Some(before), until))).await
    }

    /// Distrusts the key that this issuer, spelt in this way, publishes under this `kid`, for all who ask through
    /// [`Distrusting`](super::Distrusting). `until` is when no document holds it any longer and no process has it: what is
    /// left out then. Of several the longest counts.
    ///
    /// The [thumbprint](Self::distrust_thumbprint) is the sure way: it is the same under another `kid`, at an issuer that is spelt
    /// otherwise (with or without a slash at the end) or has several names, and it is known of a verdict in a token cache. While
    /// a key is distrusted by its id, cached verdicts do not count, and each token is verified anew.
    ///
    /// # Errors
    /// As for [`revoke_token`](Self::revoke_token).
    ///
    /// ```
    /// use countersign::cache::Result;
    /// use countersign::revocation::RevocationLog;
    /// use std::time::SystemTime;
    ///
    /// /// A key of the issuer is said to have been lost. Later it turns out that it was not.
    /// async fn alarm(log: &RevocationLog, until: SystemTime, is_false: bool) -> Result<()> {
    ///     log.distrust_key_id("https://issuer.example/", "2026-11", until).await?;
    ///     if is_false {
    ///         log.restore_key_id("https://issuer.example/", "2026-11").await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn distrust_key_id(&self, issuer: &str, key_id: &str, until: SystemTime) -> Result<()> {
        self.say(Kind::KeyId, issuer, key_id, |known| Some(verdict(known, false, until))).await
    }

    /// Distrusts the key with this thumbprint, whoever publishes it and under whichever `kid`. `until` as for
    /// [`distrust_key_id`](Self::distrust_key_id).
    ///
    /// # Errors
    /// As for [`revoke_token`](Self::revoke_token).
    pub async fn distrust_thumbprint(&self, thumbprint: &Thumbprint, until: SystemTime) -> Result<()> {
        self.say(Kind::Thumbprint, "", &thumbprint.to_string(), |known| Some(verdict(known, false, until))).await
    }

    /// Takes back [`distrust_key_id`](Self::distrust_key_id). Whoever distrusts the key at the same time is right.
    ///
    /// # Errors
    /// As for [`revoke_token`](Self::revoke_token).
    pub async fn restore_key_id(&self, issuer: &str, key_id: &str) -> Result<()> {
        self.say(Kind::KeyId, issuer, key_id, |known| known.map(|known| verdict(Some(known), true, known.until))).await
    }

    /// Takes back [`distrust_thumbprint`](Self::distrust_thumbprint).
    ///
    /// # Errors
    /// As for [`revoke_token`](Self::revoke_token).
    pub async fn restore_thumbprint(&self, thumbprint: &Thumbprint) -> Result<()> {
        let restored = |known: Option<Entry>| known.map(|known| verdict(Some(known), true, known.until));
        self.say(Kind::Thumbprint, "", &thumbprint.to_string(), restored).await
    }

    fn entries(&self) -> usize {
        let (others, keys) = self.view.load().facts.len();
        others + keys
    }

    /// Appends what is to be said of a name, given what is known of it.
    async fn say(
        &self,
        kind: Kind,
        issuer: &str,
        name: &str,
        entry: impl Fn(Option<Entry>) -> Option<Entry> + Send,
    ) -> Result<()> {
        if issuer.len().max(name.len()) > MAX_NAME {
            return Err(CacheError::because("an issuer or a name is longer than any token"));
        }
        for _ in 0..ATTEMPTS {
            let asked_at = self.now();
            let (head, raw) = self.follow().await?;
            let view = self.with_room_for(kind);
            if view.head != raw {
                // Another look was faster, or slower: what the view has may not be in the log that this head ends.
                continue;
            }
            let Some(entry) = entry(view.facts.get(kind, issuer, name)) else { return Ok(()) };
            let fact = Fact { kind, issuer: issuer.into(), name: name.into(), entry };
            if view.facts.holds(&fact) {
                return Ok(());
            }
            if fact.is_long_over(asked_at) {
                // Nothing is distrusted that is over; and what is not written must not be taken for revoked.
                let over = "what is to be revoked is over by this process' clock";
                return if fact.entry.is_lifted { Ok(()) } else { Err(CacheError::because(over)) };
            }
            if view.facts.get(kind, issuer, name).is_none() && !self.has_room(&view, kind) {
                return Err(CacheError::because("there are too many revocations"));
            }
            let written = self.write(Some(&raw), &head, std::slice::from_ref(&fact)).await;
            if written.is_err() {
                self.lose_footing();
            }
            if let Some(place) = written? {
                self.learn(&view, &[fact], place, asked_at, false);
                // Those who do not hear it look by themselves.
                let _ = self.store.announce(&self.head_key).await;
                return Ok(());
            }
        }
        Err(CacheError::because(follow::FASTER))
    }
}

fn entry(before: Option<SystemTime>, until: SystemTime) -> Entry {
    Entry { before, until, version: 0, is_lifted: false }
}

/// The next verdict on a key: a version more, unless it says what is known.
fn verdict(known: Option<Entry>, is_lifted: bool, until: SystemTime) -> Entry {
    let version = match known {
        None => 1,
        Some(known) if known.is_lifted == is_lifted => known.version,
        Some(known) => known.version.saturating_add(1),
    };
    Entry { before: None, until, version, is_lifted }
}

impl Debug for RevocationLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationLog")
            .field("store", &self.store)
            .field("bound", &self.bound)
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl RevocationCheck for RevocationLog {
    fn status_now(&self, token: &VerifiedToken) -> Option<TokenStatus> {
        match self.standing() {
            Standing::Untried => None,
            Standing::Unknown => Some(TokenStatus::Unknown),
            Standing::Known(known) => Some(known.status(token)),
        }
    }

    async fn status(&self, token: &VerifiedToken) -> TokenStatus {
        match self.tried_standing().await {
            Standing::Untried | Standing::Unknown => TokenStatus::Unknown,
            Standing::Known(known) => known.status(token),
        }
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.changes.clone())
    }
}
