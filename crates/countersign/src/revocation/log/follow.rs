//! How the view follows the log, and the log the view.

use super::RevocationLog;
use super::envelope::{Head, Position, Snapshot, Tick};
use super::fact::{Fact, Facts, Kind, Now};
use super::standing::{Clockwork, View};
use super::{ATTEMPTS, MAX_KEYS};
use crate::cache::{CacheError, Result};
use crate::observe::Event;
use bytes::Bytes;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long a page stays that nothing leads to yet.
const PENDING: Duration = Duration::from_secs(60 * 60);

/// How often one of many that would write the same snapshot looks at most whether another one has. The clock ends that where it
/// goes on: no store answers as often within a quarter of an interval.
const LOOKS: usize = 4096;

/// A place in the log, and the head as it stood in the store then.
pub(super) struct Place {
    position: Position,
    tick: Option<Tick>,
    ticked: u64,
    head: Bytes,
}

impl RevocationLog {
    pub(super) fn replace(&self, change: impl FnOnce(&mut View)) {
        let replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.view.load_full();
        let mut view = View::clone(&before);
        change(&mut view);
        let is_news = !Arc::ptr_eq(&before.facts, &view.facts);
        self.view.store(Arc::new(view));
        drop(replacing);
        if is_news {
            self.changes.tell();
        }
    }

    pub(super) fn lose_footing(&self) {
        self.replace(|view| view.clockwork.fail());
    }

    fn told<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.lose_footing();
            self.observer.observe(&Event::CacheFailed { error });
        }
        outcome
    }

    /// Brings the view up to what the store holds, and the store up to the view.
    pub(super) async fn follow(&self) -> Result<(Head, Bytes)> {
        let outcome = self.try_to_follow().await;
        self.told(outcome)
    }

    /// The same, and adds a tick where it is this process' turn.
    pub(super) async fn follow_and_tick(&self) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let asked_at = self.now();
            let (head, raw) = self.follow().await?;
            let view = self.view.load_full();
            if !view.clockwork.is_tick_due(asked_at, self.interval()) || view.head != raw {
                return Ok(());
            }
            let outcome = self.try_to_tick(&view, &head, &raw, asked_at).await;
            if self.told(outcome)? {
                return Ok(());
            }
        }
        self.told(Err(CacheError::because(FASTER)))
    }

    async fn try_to_tick(&self, view: &View, head: &Head, raw: &Bytes, asked_at: Now) -> Result<bool> {
        let ticked = self.seal.tick(head, view.clockwork.enough)?;
        let place = self.place(&ticked, self.seal.seal_head(&ticked)?)?;
        self.replace(|view| view.clockwork.own_tick = ticked.tick());
        let new = Some((place.head.clone(), Duration::MAX));
        let is_written = self.store.compare_and_swap(&self.head_key, raw, new).await?;
        if is_written {
            self.learn(view, &[], place, asked_at, false);
        }
        Ok(is_written)
    }

    fn place(&self, head: &Head, raw: Bytes) -> Result<Place> {
        Ok(Place { position: self.seal.end(head)?, tick: head.tick(), ticked: head.ticked, head: raw })
    }

    async fn try_to_follow(&self) -> Result<(Head, Bytes)> {
        let (mut gone, mut is_broken, mut has_claim) = (Bytes::new(), false, false);
        for _ in 0..ATTEMPTS {
            let asked_at = self.now();
            let view = self.view.load_full();
            // `find` and not `get`: no store answers it from a copy.
            let Some(found) = self.store.find(&self.head_key).await? else {
                is_broken = true;
                self.begin(&view, &mut has_claim).await?;
                continue;
            };
            let raw = found.value;
            let head = self.seal.open_head(&raw)?;
            let place = self.place(&head, raw.clone())?;
            is_broken |= !view.clockwork.tick.is_some_and(|tick| head.has_passed(tick));
            let next = match &view.position {
                Some(position) => self.seal.after(&head, position)?,
                None => None,
            };
            if let Some(facts) = next {
                if head.is_help_wanted {
                    self.begin_again(&head, &raw, &mut has_claim).await?;
                    continue;
                }
                self.learn(&view, facts, place, asked_at, is_broken);
                return Ok((head, raw));
            }
            is_broken |= view.position.as_ref().is_some_and(|position| head.reaches_back_to(position));
            let Some(theirs) = self.read_all(&head).await? else {
                // Replaced meanwhile, unless the head is still the same.
                if gone == raw {
                    self.help_or_ask_for_help(&view, &head, &raw, asked_at, &mut has_claim).await?;
                }
                gone = raw;
                continue;
            };
            let lost = lost(&view, &theirs, asked_at);
            let all: Vec<Fact> = theirs.iter().collect();
            if lost.is_empty() {
                self.learn(&view, &all, place, asked_at, is_broken);
                return Ok((head, raw));
            }
            is_broken = true;
            self.replace(|view| {
                join(view, &all, asked_at);
                view.position = None;
            });
            if self.is_spared(Some(&raw), &head, &lost, &mut has_claim).await? {
                continue;
            }
            if self.write(Some(&raw), &head, &lost).await?.is_some() {
                self.observer.observe(&Event::RevocationsRestored { entries: lost.len() });
            }
        }
        Err(CacheError::because(FASTER))
    }

    /// Puts a head where there is none, with what is known.
    async fn begin(&self, view: &View, has_claim: &mut bool) -> Result<()> {
        let known = lost(view, &Facts::default(), self.now());
        let head = self.seal.begin(view.clockwork.enough)?;
        if self.is_spared(None, &head, &known, has_claim).await? {
            return Ok(());
        }
        self.replace(|view| view.clockwork.own_tick = head.tick());
        let written = self.write(None, &head, &known).await?;
        if written.is_some() && (view.position.is_some() || !known.is_empty()) {
            self.observer.observe(&Event::RevocationsRestored { entries: known.len() });
        }
        Ok(())
    }

    /// Where a part of the snapshot is gone, evicted or removed. Who has been at a place from which the head has all that
    /// came after knows what was in it. Who has not leaves word for those who have. Where nobody has answered by the next
    /// look, one whose view counts begins anew: what it lacks is younger than the bound, and is put back by its writer.
    async fn help_or_ask_for_help(
        &self,
        view: &View,
        head: &Head,
        raw: &Bytes,
        now: Now,
        has_claim: &mut bool,
    ) -> Result<()> {
        for place in view.places.iter() {
            if self.seal.after(head, place)?.is_some() {
                return self.begin_again(head, raw, has_claim).await;
            }
        }
        if head.is_help_wanted && view.is_young(now) {
            return self.begin_again(head, raw, has_claim).await;
        }
        if !head.is_help_wanted {
            let mut asking = head.clone();
            asking.is_help_wanted = true;
            let asking = self.seal.seal_head(&asking)?;
            self.store.compare_and_swap(&self.head_key, raw, Some((asking, Duration::MAX))).await?;
        }
        Err(CacheError::because("a page of the log's snapshot is gone"))
    }

    /// Puts a new log in the place of one of which a part is gone.
    async fn begin_again(&self, head: &Head, raw: &Bytes, has_claim: &mut bool) -> Result<()> {
        let now = self.now();
        let new = self.seal.begin(self.view.load().clockwork.enough.max(head.ticked))?;
        self.replace(|view| {
            join(view, head.facts(), now);
            view.position = None;
        });
        let known = lost(&self.view.load(), &Facts::default(), now);
        if self.is_spared(Some(raw), &new, &known, has_claim).await? {
            return Ok(());
        }
        self.replace(|view| view.clockwork.own_tick = new.tick());
        if self.write(Some(raw), &new, &known).await?.is_some() {
            self.observer.observe(&Event::RevocationsRestored { entries: known.len() });
        }
        Ok(())
    }

    /// Whether another process has put something in the place of `found` meanwhile. Where a log is lost, all find that at once,
    /// and each would write the whole snapshot: one of them claims that, and the others look. The claim is advice and no lock:
    /// whoever has looked in vain writes, so that the log stands again whatever became of the other.
    async fn is_spared(&self, found: Option<&Bytes>, head: &Head, more: &[Fact], has_claim: &mut bool) -> Result<bool> {
        if *has_claim || !head.is_full_with(more) {
            return Ok(false);
        }
        let (key, claim) = (self.seal.claim_key()?, Bytes::from_static(b"claimed"));
        *has_claim = self.store.put_new(&key, claim, self.interval()).await?;
        let began = self.clock.monotonic();
        let mut looks = LOOKS;
        // No longer than until a look that has failed is repeated.
        while !*has_claim && looks > 0 && self.clock.monotonic().saturating_sub(began) < self.interval() / 4 {
            let there = self.store.find(&self.head_key).await?;
            if there.as_ref().map(|there| &there.value) != found {
                return Ok(true);
            }
            looks -= 1;
        }
        Ok(false)
    }

    /// All that a head leads to; `None` where a page is gone.
    async fn read_all(&self, head: &Head) -> Result<Option<Facts>> {
        let now = self.now();
        let mut facts = Facts::default();
        if let Some(snapshot) = &head.snapshot {
            for page in 0..snapshot.pages {
                let key = self.seal.page_key(snapshot, page)?;
                let Some(found) = self.store.find(&key).await? else {
                    return Ok(None);
                };
                for fact in self.seal.open_page(snapshot, page, &found.value)? {
                    facts.join(&fact, now);
                }
                // Its writer ended before it could say that the page counts.
                if found.expires_in.is_some_and(|left| left <= PENDING) {
                    let stays = Some((found.value.clone(), Duration::MAX));
                    self.store.compare_and_swap(&key, &found.value, stays).await?;
                }
            }
        }
        for fact in head.facts() {
            facts.join(fact, now);
        }
        Ok(Some(facts))
    }

    /// The view has the facts beside those of `before`, and so all that stands before the place, read at that time.
    pub(super) fn learn(&self, before: &View, facts: &[Fact], place: Place, asked_at: Now, is_broken: bool) {
        let interval = self.interval();
        let Clockwork { tick: last, enough, .. } = before.clockwork;
        // From before what this process has seen: nothing that is said there counts until the ticks are past that.
        let is_behind = place.ticked < enough;
        let is_broken = is_broken || (is_behind && place.tick != last);
        // A word that help is wanted is a change of the head, and none of the log.
        let is_moved = !is_behind && (before.position.as_ref() != Some(&place.position) || place.tick != last);
        self.replace(|view| {
            view.clockwork.look(asked_at, interval, is_broken, is_moved);
            // Unless another look has shown a later one meanwhile.
            if view.clockwork.enough == enough || place.ticked >= view.clockwork.enough {
                view.clockwork.go_to(place.tick, place.ticked, asked_at);
            }
            if view.position == before.position {
                view.place(place.position, place.head);
            } else if facts.iter().any(|fact| !view.facts.holds(fact)) {
                // Others were faster, with another log: there is no saying past which place the view is.
                view.position = None;
            }
            join(view, facts, asked_at);
        });
    }

    /// Puts a head with more facts in the place of `expected`, and says where its log ends; `None` where that was no longer
    /// there. The view must have what `head` leads to.
    pub(super) async fn write(&self, expected: Option<&Bytes>, head: &Head, more: &[Fact]) -> Result<Option<Place>> {
        let pages = if head.is_full_with(more) { Some(self.write_snapshot(more).await?) } else { None };
        let (snapshot, pages) = pages.unzip();
        let extended = self.seal.extend(head, more, snapshot.clone())?;
        let place = self.place(&extended, self.seal.seal_head(&extended)?)?;
        let new = place.head.clone();
        let is_written = match expected {
            Some(expected) => self.store.compare_and_swap(&self.head_key, expected, Some((new, Duration::MAX))).await?,
            None => self.store.put_new(&self.head_key, new, Duration::MAX).await?,
        };
        if is_written && let Some(snapshot) = &snapshot {
            for (page, value) in (0..).zip(pages.unwrap_or_default()) {
                // By comparison: one that was replaced meanwhile is not to come back. Where that fails, whoever reads it next
                // does it.
                let (key, stays) = (self.seal.page_key(snapshot, page)?, Some((value.clone(), Duration::MAX)));
                let _ = self.store.compare_and_swap(&key, &value, stays).await;
            }
        }
        // What nothing leads to: the old snapshot, or the one that was written in vain.
        let useless = match &snapshot {
            Some(_) if is_written => head.snapshot.as_ref(),
            in_vain => in_vain.as_ref(),
        };
        if let Some(snapshot) = useless {
            for page in 0..snapshot.pages {
                // Where that fails it is left behind, and harms nobody.
                let _ = self.store.remove(&self.seal.page_key(snapshot, page)?).await;
            }
        }
        Ok(is_written.then_some(place))
    }

    async fn write_snapshot(&self, more: &[Fact]) -> Result<(Snapshot, Vec<Bytes>)> {
        let now = self.now();
        let mut facts = Facts::clone(&self.view.load().facts);
        for fact in more {
            facts.join(fact, now);
        }
        facts.sweep(now);
        let (snapshot, pages) = self.seal.snapshot(&facts.iter().collect::<Vec<_>>())?;
        for (page, value) in (0..).zip(&pages) {
            // It stays when a head leads to it.
            self.store.put(&self.seal.page_key(&snapshot, page)?, value.clone(), PENDING).await?;
        }
        Ok((snapshot, pages))
    }

    pub(super) fn has_room(&self, view: &View, kind: Kind) -> bool {
        let (others, keys) = view.facts.len();
        match kind {
            Kind::Token | Kind::Subject => others < self.max_entries,
            Kind::KeyId | Kind::Thumbprint => keys < MAX_KEYS,
        }
    }

    /// The view, without what has been over for long where there is no room otherwise.
    pub(super) fn with_room_for(&self, kind: Kind) -> Arc<View> {
        let view = self.view.load_full();
        if self.has_room(&view, kind) {
            return view;
        }
        let now = self.now();
        self.replace(|view| Arc::make_mut(&mut view.facts).sweep(now));
        self.view.load_full()
    }
}

pub(super) const FASTER: &str = "others were faster each time";

/// What the view has and `theirs` does not say.
fn lost(view: &View, theirs: &Facts, now: Now) -> Vec<Fact> {
    view.facts.kept(now).filter(|fact| !theirs.holds(fact)).collect()
}

/// Copies what is known only where something is new.
fn join(view: &mut View, facts: &[Fact], now: Now) {
    if facts.iter().all(|fact| view.facts.holds(fact)) {
        return;
    }
    let known = Arc::make_mut(&mut view.facts);
    known.sweep(now);
    for fact in facts {
        known.join(fact, now);
    }
}
