//! How the view follows the log, and the log the view.

use super::envelope::{Head, Position, Snapshot};
use super::fact::{Fact, Facts, Now};
use super::{ATTEMPTS, Footing, MAX_ENTRIES, RevocationLog, View};
use crate::cache::{CacheError, Result};
use crate::observe::Event;
use bytes::Bytes;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A place in the log, and the head as it stood in the store then.
type Place = (Option<Position>, Bytes);

impl RevocationLog {
    pub(super) fn replace(&self, change: impl FnOnce(&mut View)) {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::clone(&self.view.load());
        change(&mut view);
        self.view.store(Arc::new(view));
    }

    /// Brings the view up to what the store holds, and the store up to the view.
    pub(super) async fn follow(&self) -> Result<(Head, Bytes)> {
        let outcome = self.try_to_follow().await;
        if let Err(error) = &outcome {
            self.replace(|view| view.footing = Footing::Failed);
            self.observer.observe(&Event::CacheFailed { error });
        }
        outcome
    }

    async fn try_to_follow(&self) -> Result<(Head, Bytes)> {
        let mut gone = Bytes::new();
        for _ in 0..ATTEMPTS {
            let asked_at = self.now();
            let view = self.view.load_full();
            // `find` and not `get`: no store answers it from a copy.
            let Some(found) = self.store.find(&self.head_key).await? else {
                self.begin(&view).await?;
                continue;
            };
            let raw = found.value;
            let head = self.seal.open_head(&raw)?;
            if view.position.is_some() && raw == view.head {
                self.learn(&view, &[], (view.position.clone(), raw.clone()), asked_at);
                return Ok((head, raw));
            }
            let place = (Some(self.seal.end(&head)?), raw.clone());
            let next = match &view.position {
                Some(position) => self.seal.after(&head, position)?,
                None => None,
            };
            if let Some(facts) = next {
                if head.is_help_wanted {
                    self.begin_again(&view, &head, &raw).await?;
                    continue;
                }
                self.learn(&view, facts, place, asked_at);
                return Ok((head, raw));
            }
            let Some(theirs) = self.read_all(&head).await? else {
                // Replaced meanwhile, unless the head is still the same.
                if gone == raw {
                    self.begin_again(&view, &head, &raw).await?;
                }
                gone = raw;
                continue;
            };
            let lost = self.lost(&view, &theirs, asked_at);
            let all: Vec<Fact> = theirs.iter().collect();
            if lost.is_empty() {
                self.learn(&view, &all, place, asked_at);
                return Ok((head, raw));
            }
            self.replace(|view| {
                join(view, &all, asked_at);
                view.position = None;
            });
            if self.write(Some(&raw), &head, &lost).await?.is_some() {
                self.observer.observe(&Event::RevocationsRestored { entries: lost.len() });
            }
        }
        Err(CacheError::because("others were faster each time"))
    }

    /// Puts a head where there is none, with what is known.
    async fn begin(&self, view: &View) -> Result<()> {
        let known = self.lost(view, &Facts::default(), self.now());
        let written = self.write(None, &self.seal.begin()?, &known).await?;
        if written.is_some() && (view.position.is_some() || !known.is_empty()) {
            self.observer.observe(&Event::RevocationsRestored { entries: known.len() });
        }
        Ok(())
    }

    /// Puts a new log in the place of one whose snapshot is gone, evicted or removed. Who has never known it cannot, and
    /// leaves word for those who have.
    async fn begin_again(&self, view: &View, head: &Head, raw: &Bytes) -> Result<()> {
        if view.read_at.is_none() {
            if !head.is_help_wanted {
                let mut asking = head.clone();
                asking.is_help_wanted = true;
                let asking = self.seal.seal_head(&asking)?;
                self.store.compare_and_swap(&self.head_key, raw, Some((asking, Duration::MAX))).await?;
            }
            return Err(CacheError::because("a page of the log's snapshot is gone"));
        }
        let now = self.now();
        self.replace(|view| {
            join(view, head.facts(), now);
            view.position = None;
        });
        let known = self.lost(&self.view.load(), &Facts::default(), now);
        if self.write(Some(raw), &self.seal.begin()?, &known).await?.is_some() {
            self.observer.observe(&Event::RevocationsRestored { entries: known.len() });
        }
        Ok(())
    }

    /// What the view has and `theirs` does not say.
    fn lost(&self, view: &View, theirs: &Facts, now: Now) -> Vec<Fact> {
        view.facts.iter().filter(|fact| !fact.is_over(now) && !theirs.holds(fact)).collect()
    }

    /// All that a head leads to; `None` where a page is gone.
    async fn read_all(&self, head: &Head) -> Result<Option<Facts>> {
        let now = self.now();
        let mut facts = Facts::default();
        if let Some(snapshot) = &head.snapshot {
            for page in 0..snapshot.pages {
                let Some(found) = self.store.find(&self.seal.page_key(snapshot, page)).await? else {
                    return Ok(None);
                };
                for fact in self.seal.open_page(snapshot, page, &found.value)? {
                    facts.join(&fact, now);
                }
            }
        }
        for fact in head.facts() {
            facts.join(fact, now);
        }
        Ok(Some(facts))
    }

    /// The view has the facts beside those of `before`, and so all that stands before the place, read at that time.
    pub(super) fn learn(&self, before: &View, facts: &[Fact], place: Place, asked_at: Now) {
        let settled = 2 * self.interval();
        self.replace(|view| {
            if view.position == before.position {
                (view.position, view.head) = place;
            } else if facts.iter().any(|fact| !view.facts.holds(fact)) {
                // Others were faster, with another log: there is no saying past which place the view is.
                view.position = None;
            }
            join(view, facts, asked_at);
            view.footing = match view.footing {
                Footing::Untried | Footing::Firm => Footing::Firm,
                Footing::Failed => Footing::Settling(asked_at.1),
                Footing::Settling(since) if asked_at.1.saturating_sub(since) >= settled => Footing::Firm,
                settling @ Footing::Settling(_) => settling,
            };
            if view.footing == Footing::Firm && view.read_at.is_none_or(|read_at| read_at.1 <= asked_at.1) {
                view.read_at = Some(asked_at);
            }
        });
    }

    /// Puts a head with more facts in the place of `expected`, and says where its log ends; `None` where that was no longer
    /// there. The view must have what `head` leads to.
    pub(super) async fn write(&self, expected: Option<&Bytes>, head: &Head, more: &[Fact]) -> Result<Option<Place>> {
        let snapshot = if head.is_full_with(more) { Some(self.write_snapshot(more).await?) } else { None };
        let extended = self.seal.extend(head, more, snapshot.clone())?;
        let new = self.seal.seal_head(&extended)?;
        let place = (Some(self.seal.end(&extended)?), new.clone());
        let is_written = match expected {
            Some(expected) => self.store.compare_and_swap(&self.head_key, expected, Some((new, Duration::MAX))).await?,
            None => self.store.put_new(&self.head_key, new, Duration::MAX).await?,
        };
        // What nothing leads to: the old snapshot, or the one that was written in vain.
        let useless = match &snapshot {
            Some(_) if is_written => head.snapshot.as_ref(),
            in_vain => in_vain.as_ref(),
        };
        if let Some(snapshot) = useless {
            for page in 0..snapshot.pages {
                // Where that fails it is left behind, and harms nobody.
                let _ = self.store.remove(&self.seal.page_key(snapshot, page)).await;
            }
        }
        Ok(is_written.then_some(place))
    }

    async fn write_snapshot(&self, more: &[Fact]) -> Result<Snapshot> {
        let now = self.now();
        let mut facts = Facts::clone(&self.view.load().facts);
        for fact in more {
            facts.join(fact, now);
        }
        facts.sweep(now);
        if facts.len() > MAX_ENTRIES {
            return Err(CacheError::because("there are too many revocations"));
        }
        let (snapshot, pages) = self.seal.snapshot(&facts.iter().collect::<Vec<_>>())?;
        for (page, value) in (0..).zip(pages) {
            self.store.put(&self.seal.page_key(&snapshot, page), value, Duration::MAX).await?;
        }
        Ok(snapshot)
    }
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
