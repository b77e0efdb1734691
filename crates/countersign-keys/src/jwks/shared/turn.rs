//! Who fetches, and what the others do meanwhile.

use super::entry::{Claim, Document, Entry, Head};
use super::{Found, Lease, RENEWAL, Shared};
use crate::fetch::Validators;
use crate::gate::PERIOD;
use crate::jwks::flight::Discovered;
use crate::jwks::refresh::{RefreshError, Refresher, millis, random_fraction, since_1970};
use crate::jwks::runtime::{wait, within};
use crate::jwks::snapshot::{Moment, Snapshot};
use countersign::Bytes;
use countersign::cache::CacheError;
use countersign::observe::{Event, RefreshTrigger, SharedKeysOutcome};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

/// How long others are waited for, however lively they are, by one that has nothing to serve meanwhile.
const TURN_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a lease may go without being renewed: longer than an honest store keeps one.
const LEASE_PATIENCE: Duration = Duration::from_millis(3_500);
/// Between two looks while another process fetches.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How often a write is tried where others write at the same time.
const ATTEMPTS: usize = 3;
/// How often one that was fenced waits for whoever fenced it.
const TURNS: usize = 2;
/// How long an entry without a document is kept.
const BARE_FOR: Duration = Duration::from_secs(120);

/// What is to be done.
enum Turn {
    /// Another process has fetched.
    Install(Box<Snapshot>),
    /// Another process could not.
    Pause(Duration),
    /// It is for this one to fetch.
    Fetch(Box<Claimed>),
    /// Nothing: a newer set is in use by now, or the fleet has fetched for unknown key ids as often as it may.
    Nothing,
    /// The store is of no use.
    Alone,
}

/// What whoever fetches has written into the entry of the document.
struct Claimed {
    lease: Lease,
    raw: Bytes,
    order: u64,
    /// With the document that was there before, for when the fetch fails.
    entry: Entry,
    /// By this process's monotonic clock.
    written_at: Duration,
}

impl Claimed {
    /// What is left of the entry's time. Its writer knows without asking the store.
    fn expires_in(&self, now: Moment) -> Duration {
        Duration::from_millis(self.entry.kept_for).saturating_sub(now.monotonic.saturating_sub(self.written_at))
    }
}

impl Refresher {
    /// The next set, by one process for all; `None` where it is in use already, and where an unknown key id asks for it and the
    /// fleet has fetched for such often enough. Where the store fails, keeps silent or holds what nobody of the fleet wrote, it is fetched as if there
    /// were none.
    pub(in crate::jwks) async fn fetch_for_all(
        &self,
        shared: &Shared,
        mut trigger: RefreshTrigger,
    ) -> Result<Option<Snapshot>, RefreshError> {
        let before = self.snapshot.load().as_ref().map(|snapshot| snapshot.order);
        for _ in 0..TURNS {
            let turn = self.turn_in_time(shared, trigger, before).await;
            match turn.unwrap_or_else(|error| self.without_store(&error)) {
                Turn::Install(snapshot) => return Ok(Some(*snapshot)),
                Turn::Nothing => return Ok(None),
                Turn::Pause(retry_after) => return Err(RefreshError::Paused { retry_after }),
                Turn::Alone => break,
                Turn::Fetch(claimed) => {
                    if let Some(outcome) = self.fetch_claimed(shared, *claimed).await {
                        return outcome.map(Some);
                    }
                    // What others have fetched meanwhile was made after it was asked for.
                    trigger = RefreshTrigger::Shared;
                }
            }
        }
        self.tell_shared(SharedKeysOutcome::Alone);
        self.fetch_alone().await.map(Some)
    }

    /// A turn that is waited for no longer than it may. One that has keys to serve leaves a slow fetch to whoever is at it, for
    /// as long as its own flight lasts, or all would ask an issuer that is slow already. It does so once: whoever can write to
    /// the store can keep a lease alive.
    async fn turn_in_time(
        &self,
        shared: &Shared,
        trigger: RefreshTrigger,
        before: Option<u64>,
    ) -> Result<Turn, CacheError> {
        let mut turn = pin!(self.turn(shared, trigger, before));
        let mut patience = TURN_TIMEOUT;
        loop {
            if let Some(turn) = within(patience, turn.as_mut()).await {
                return turn;
            }
            let has_time = trigger != RefreshTrigger::Request && !self.is_failing();
            if !has_time || self.usable(self.now()).is_none() {
                return Ok(Turn::Alone);
            }
            patience = RENEWAL;
        }
    }

    fn without_store(&self, error: &CacheError) -> Turn {
        self.observe(&Event::CacheFailed { error });
        Turn::Alone
    }

    /// `before`: the order of the set that was in use when it began.
    async fn turn(&self, shared: &Shared, trigger: RefreshTrigger, before: Option<u64>) -> Result<Turn, CacheError> {
        // Whoever asks for a refresh wants one that is made now.
        let must_be_made = trigger == RefreshTrigger::Request;
        let mut told = None;
        let mut held: Option<Bytes> = None;
        let mut held_for = Duration::ZERO;
        loop {
            let found = shared.find().await?;
            if (!must_be_made || held.is_some())
                && let Some(turn) = self.settled(&found, must_be_made, before, &mut told)
            {
                return Ok(turn);
            }
            let is_fetching = found.entry.as_ref().is_some_and(|entry| entry.claim.is_some());
            if trigger == RefreshTrigger::UnknownKey && !is_fetching && self.debt(&found) > PERIOD {
                return Ok(Turn::Nothing);
            }
            if let Some(lease) = shared.take_lease().await? {
                return self.claim(shared, lease, trigger, before, told).await;
            }
            let value = shared.held_lease().await?;
            if value.as_ref().is_some_and(|value| !shared.is_lease(value)) {
                self.tell_shared(SharedKeysOutcome::Forged);
                return Ok(Turn::Alone);
            }
            if held_for >= LEASE_PATIENCE {
                return Ok(Turn::Alone);
            }
            let pause = BETWEEN_LOOKS.mul_f64(0.5 + random_fraction());
            held_for = if held.is_some() && value == held { held_for + pause } else { pause };
            held = value.or(held);
            wait(pause).await;
        }
    }

    /// What is there already, if that is enough.
    fn settled(
        &self,
        found: &Found,
        must_be_made: bool,
        before: Option<u64>,
        told: &mut Option<SharedKeysOutcome>,
    ) -> Option<Turn> {
        let now = self.now();
        match self.later(found, now) {
            Ok(Some(snapshot)) if !snapshot.is_stale(now) => return Some(Turn::Install(Box::new(snapshot))),
            // Past its time to live, and still later than what is in use: it serves as long as it may, if no newer one can
            // be had.
            Ok(Some(snapshot)) => drop(self.replace(&mut self.state(), snapshot)),
            // A look was faster.
            Ok(None) if self.has_fresh_after(before, now) => return Some(Turn::Nothing),
            Ok(None) => {}
            Err(outcome) if *told == Some(outcome) => {}
            Err(outcome) => {
                *told = Some(outcome);
                self.tell_shared(outcome);
            }
        }
        let pause = found.entry.as_ref()?.pause_left(now.wall, found.expires_in)?;
        (!must_be_made).then_some(Turn::Pause(pause))
    }

    fn has_fresh_after(&self, before: Option<u64>, now: Moment) -> bool {
        let current = self.snapshot.load();
        current.as_ref().is_some_and(|current| Some(current.order) > before && !current.is_stale(now))
    }

    async fn claim(
        &self,
        shared: &Shared,
        lease: Lease,
        trigger: RefreshTrigger,
        before: Option<u64>,
        mut told: Option<SharedKeysOutcome>,
    ) -> Result<Turn, CacheError> {
        let must_be_made = trigger == RefreshTrigger::Request;
        for _ in 0..ATTEMPTS {
            let found = shared.find().await?;
            // It may have been fetched since the last look.
            if !must_be_made && let Some(turn) = self.settled(&found, must_be_made, before, &mut told) {
                // Who waits for its end waits no longer than for a fetcher that died.
                drop(shared.release(&lease).await);
                return Ok(turn);
            }
            let mut debt = self.debt(&found);
            if trigger == RefreshTrigger::UnknownKey {
                if debt > PERIOD {
                    drop(shared.release(&lease).await);
                    return Ok(Turn::Nothing);
                }
                debt += PERIOD;
            }
            let now = self.now();
            let order = self.next_order(self.known_order(&found));
            let kept = found.entry.as_ref().and_then(|entry| entry.aged(now.wall, found.expires_in));
            let kept = kept.filter(|document| !self.is_from_the_future(document.head.order));
            let claim = Some(Claim { owner: lease.owner.clone(), order });
            let entry = Entry { claim, debt: millis(debt), ..self.entry(now, kept) };
            if let Some(raw) = shared.swap(found.raw.as_ref(), &entry).await? {
                return Ok(Turn::Fetch(Box::new(Claimed { lease, raw, order, entry, written_at: now.monotonic })));
            }
        }
        drop(shared.release(&lease).await);
        Ok(Turn::Alone)
    }

    /// Fetches and publishes. `None` where another process has taken over meanwhile.
    async fn fetch_claimed(&self, shared: &Shared, mut claimed: Claimed) -> Option<Result<Snapshot, RefreshError>> {
        let fetched = {
            let mut fetch = pin!(self.fetch_snapshot(claimed.order));
            loop {
                match within(RENEWAL, fetch.as_mut()).await {
                    Some(fetched) => break fetched,
                    // Whether it still is this one's shows when it publishes.
                    None => drop(shared.renew(&mut claimed.lease).await),
                }
            }
        };
        let now = self.now();
        let expires_in = Some(claimed.expires_in(now));
        let debt = millis(claimed.entry.debt_left(now.wall, expires_in));
        let entry = match &fetched {
            Ok(snapshot) => Entry { debt, ..self.entry(now, Some(self.document(snapshot, now))) },
            Err(error) => {
                let pause = self.backoff(&self.state(), error);
                // A process that cannot reach the issuer holds up those that can for no longer than this.
                let pause = if error.may_be_ours() { pause.min(PERIOD.max(error.retry_after())) } else { pause };
                let pause = Some(millis(pause));
                Entry { pause, debt, ..self.entry(now, claimed.entry.aged(now.wall, expires_in)) }
            }
        };
        let outcome = match self.publish(shared, &claimed, &entry).await {
            Ok(true) => {
                if fetched.is_ok() {
                    self.tell_shared(SharedKeysOutcome::Published);
                    shared.announce().await;
                }
                Some(fetched)
            }
            Ok(false) => {
                self.tell_shared(SharedKeysOutcome::LeaseLost);
                None
            }
            Err(error) => {
                self.observe(&Event::CacheFailed { error: &error });
                Some(fetched)
            }
        };
        drop(shared.release(&claimed.lease).await);
        outcome
    }

    /// Replaces the claim. `false` where another process has claimed it since, or has published what it fetched later.
    async fn publish(&self, shared: &Shared, claimed: &Claimed, entry: &Entry) -> Result<bool, CacheError> {
        let mut before = Some(claimed.raw.clone());
        for _ in 0..ATTEMPTS {
            if shared.swap(before.as_ref(), entry).await?.is_some() {
                return Ok(true);
            }
            // The store may have lost the claim, and what was put there instead is older.
            let found = shared.find().await?;
            if self.known_order(&found).is_some_and(|order| order >= claimed.order) {
                return Ok(false);
            }
            before = found.raw;
        }
        Ok(false)
    }

    /// What the unknown key ids that the fleet has met have cost. Each costs [`PERIOD`], and where more than that is owed
    /// nobody fetches for another one: as at the gate of one process, two at once and then one in each period.
    fn debt(&self, found: &Found) -> Duration {
        let entry = found.entry.as_ref();
        entry.map_or(Duration::ZERO, |entry| entry.debt_left(self.now().wall, found.expires_in)).min(2 * PERIOD)
    }

    /// The order of the last document that is there, or is being fetched, and counts.
    pub(super) fn known_order(&self, found: &Found) -> Option<u64> {
        let entry = found.entry.as_ref()?;
        let document = entry.document.as_ref().map(|document| document.head.order);
        let claim = entry.claim.as_ref().map(|claim| claim.order);
        document.into_iter().chain(claim).filter(|order| !self.is_from_the_future(*order)).max()
    }

    /// What is there, as a set, if it was fetched later than what is in use and may serve; and what is amiss with it.
    pub(super) fn later(&self, found: &Found, now: Moment) -> Result<Option<Snapshot>, SharedKeysOutcome> {
        if found.is_forged() {
            return Err(SharedKeysOutcome::Forged);
        }
        let Some(entry) = &found.entry else { return Ok(None) };
        let Some(Document { head, body }) = &entry.document else { return Ok(None) };
        if self.is_from_the_future(head.order) {
            return Err(SharedKeysOutcome::Future);
        }
        let current = self.snapshot.load_full();
        if let Some(current) = current.as_ref().filter(|current| !self.is_later(head.order, current)) {
            return if head.order < current.order { Err(SharedKeysOutcome::Outdated) } else { Ok(None) };
        }
        // The order is as good as the clocks where it was given while the store was away, or has lost what it held. The store
        // has one clock.
        let at_least = entry.document_age_by_the_store(head, found.expires_in);
        if current.as_ref().is_some_and(|current| at_least > current.least_age(now)) {
            return Err(SharedKeysOutcome::Outdated);
        }
        let max_age = head.max_age.map(Duration::from_millis);
        let had_age = entry.document_age(head, now.wall, found.expires_in);
        let time_to_live = self.time_to_live(max_age);
        if had_age >= time_to_live.saturating_add(self.settings.max_stale) {
            return Ok(None);
        }
        let keys = match current.filter(|current| current.body == body) {
            Some(current) => Arc::clone(&current.keys),
            None => Arc::new(self.read_keys(body).map_err(|_| SharedKeysOutcome::Unusable)?),
        };
        self.hear_of_metadata(head, now, entry.age(now.wall, found.expires_in));
        Ok(Some(Snapshot {
            keys,
            // Its own octets, not a part of all that was read.
            body: Bytes::copy_from_slice(body),
            url: head.url.clone().or_else(|| self.settings.source.url()).unwrap_or_default(),
            validators: Validators::new(head.etag.clone(), head.last_modified.clone()),
            asked_at: now,
            had_age,
            had_least_age: at_least,
            is_own: false,
            fetched_at: UNIX_EPOCH.checked_add(Duration::from_millis(head.fetched_at)).unwrap_or(now.wall),
            order: head.order,
            is_claimed: true,
            max_age,
            time_to_live,
            generation: 0,
            answer: 0,
        }))
    }

    /// Where the issuer's metadata said that the keys are, for when it is this one's turn to fetch them.
    fn hear_of_metadata(&self, head: &Head, now: Moment, since_written: Duration) {
        let (Some(age), Some(url)) = (head.metadata_age, &head.url) else { return };
        if self.settings.fetch.check(url).is_err() {
            return;
        }
        let had_age = since_written.saturating_add(Duration::from_millis(age));
        let heard = Discovered { url: url.clone(), at: now.monotonic, had_age };
        let mut state = self.state();
        if state.discovered.as_ref().is_none_or(|known| known.age(now.monotonic) > had_age) {
            state.discovered = Some(heard);
        }
    }

    /// A set of this process, to be written.
    pub(super) fn document(&self, snapshot: &Snapshot, now: Moment) -> Document {
        // The others know what they were set up with. What was discovered they are told, unless more than a place may stand in
        // it: the store is no place for a key to an API.
        let discovered = self.state().discovered.clone();
        let discovered = discovered.filter(|known| known.url == snapshot.url && is_a_place_alone(&known.url));
        let head = Head {
            order: snapshot.order,
            fetched_at: since_1970(snapshot.fetched_at),
            age: millis(snapshot.age(now)),
            least_age: millis(snapshot.least_age(now)),
            url: discovered.as_ref().map(|known| known.url.clone()),
            etag: snapshot.validators.etag.clone(),
            last_modified: snapshot.validators.last_modified.clone(),
            max_age: snapshot.max_age.map(millis),
            metadata_age: discovered.map(|known| millis(known.age(now.monotonic))),
        };
        Document { head, body: snapshot.body.clone() }
    }

    /// An entry with this document, kept for as long as that may serve.
    pub(super) fn entry(&self, now: Moment, document: Option<Document>) -> Entry {
        let kept_for = document.as_ref().map_or(Duration::ZERO, |Document { head, .. }| {
            let serves = self.time_to_live(head.max_age.map(Duration::from_millis)) + self.settings.max_stale;
            serves.saturating_sub(Duration::from_millis(head.age))
        });
        let kept_for = millis(kept_for.max(BARE_FOR));
        Entry { written_at: since_1970(now.wall), kept_for, document, claim: None, pause: None, debt: 0 }
    }

    pub(super) fn tell_shared(&self, outcome: SharedKeysOutcome) {
        self.observe(&Event::SharedKeys { provider: self.name(), outcome });
    }
}

/// Whether nothing stands in a URL but where something is: no query, and no name or password.
fn is_a_place_alone(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.query().is_none() && url.username().is_empty() && url.password().is_none())
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
