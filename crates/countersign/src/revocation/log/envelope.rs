//! What stands in the store: one head, and the pages of one snapshot, each sealed with the fleet's key.
//!
//! The head is the end of the log: where it starts, the facts since, and where the snapshot of all that went before lies. A
//! *chain* runs through the log: the value after each fact is an HMAC over the one before and the fact. Whoever was at a
//! number and a value of the chain and finds both in the head knows that nothing before was changed, left out or put in; of
//! two logs that went on separately after a failover, the values differ.
//!
//! *Ticks* are random values that the processes add in turn, one in an interval, whether anything is said or not. They tell a
//! log that goes on from one that stands still or was put back, over longer than the facts that stand in the head. They are
//! counted, so that who has seen many knows each head from before, in whichever order such heads come back.

use super::fact::Fact;
use crate::base64url;
use crate::cache::{CacheError, CacheKey, FleetKey, Result};
use crate::crypto::DEFAULT;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The octets of an HMAC-SHA-256.
const TAG_LEN: usize = 32;

/// What tags are made for.
const HEAD: &str = "revocation log head";
const PAGE: &str = "revocation log page";
const CHAIN: &str = "revocation log chain";

/// How many facts, and how many octets of them, a head holds before they move to a snapshot: what each look at the log may
/// cost.
const MAX_TAIL: usize = 32;
const MAX_TAIL_BYTES: usize = 64 * 1024;

/// How many stay in the head then, so that those who are not far behind need no snapshot.
const KEPT: usize = 16;

/// About how many octets a page of a snapshot has.
const PAGE_BYTES: usize = 64 * 1024;

/// How many ticks a head holds: who has not looked for longer does not know whether the log went on.
const MAX_TICKS: usize = 32;
const TICK_LEN: usize = 12;

/// What a head and a page never exceed. JSON has up to six octets for one.
const MAX_VALUE_BYTES: usize = 6 * MAX_TAIL_BYTES + 64 * 1024;

/// What is added to the count where a log is begun, or goes on from where it had gone back to: more than those who have seen
/// the last ticks may be apart.
const LEAP: u64 = 1 << 16;

/// A place in the log: how many facts come before it, and the value of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) number: u64,
    chain: Vec<u8>,
}

/// A value that was in no head before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick([u8; TICK_LEN]);

/// The end of the log.
#[derive(Clone, Debug)]
pub(super) struct Head {
    start: Position,
    pub(super) snapshot: Option<Snapshot>,
    /// Somebody who has just started found a part of the snapshot gone, and asks those who know what was in it.
    pub(super) is_help_wanted: bool,
    /// The last ones, the latest at the end.
    ticks: Vec<Tick>,
    /// How many there were, or more where the log was put back or begun anew.
    pub(super) ticked: u64,
    facts: Vec<Fact>,
}

/// Where the pages of a snapshot lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    address: String,
    pub(super) pages: u32,
}

/// The first line of a head as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    version: u8,
    start: u64,
    chain: String,
    snapshot: Option<Snapshot>,
    help: bool,
    ticked: u64,
    ticks: Vec<String>,
}

impl Head {
    pub(super) fn tick(&self) -> Option<Tick> {
        self.ticks.last().copied()
    }

    /// Whether this log went on from where that tick was the latest.
    pub(super) fn has_passed(&self, tick: Tick) -> bool {
        self.ticks.contains(&tick)
    }

    /// Whether its facts go back to this place: it is there, or has never been on the way.
    pub(super) fn reaches_back_to(&self, place: &Position) -> bool {
        self.start.number <= place.number
    }

    pub(super) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Whether so many more facts call for a snapshot.
    pub(super) fn is_full_with(&self, more: &[Fact]) -> bool {
        let bytes: usize = self.facts.iter().chain(more).map(|fact| fact.issuer.len() + fact.name.len()).sum();
        self.facts.len() + more.len() > MAX_TAIL || bytes > MAX_TAIL_BYTES
    }
}

/// Seals and opens what one log of one fleet keeps in the store.
pub(super) struct Seal {
    key: FleetKey,
    name: String,
}

impl Seal {
    pub(super) fn new(key: FleetKey, name: String) -> Self {
        Self { key, name }
    }

    /// By the fleet's key, as that of each page: a log that has another one is another log.
    pub(super) fn head_key(&self) -> Result<CacheKey> {
        self.key.cache_key("revocations", &[self.name.as_bytes()])
    }

    pub(super) fn page_key(&self, snapshot: &Snapshot, page: u32) -> Result<CacheKey> {
        let parts: [&[u8]; 3] = [self.name.as_bytes(), snapshot.address.as_bytes(), &page.to_be_bytes()];
        self.key.cache_key("revocations", &parts)
    }

    /// Where a process says that it writes a snapshot that others would write too. It vouches for nothing, and so has no tag.
    pub(super) fn claim_key(&self) -> Result<CacheKey> {
        self.key.cache_key("revocations", &[self.name.as_bytes(), b"claim"])
    }

    /// The head of a log that has no facts, like that of no other log. `enough`: what the count of its ticks must exceed for
    /// those who have seen another one.
    pub(super) fn begin(&self, enough: u64) -> Result<Head> {
        let start = Position { number: 0, chain: random::<TAG_LEN>()?.to_vec() };
        let (ticks, ticked) = (vec![Tick(random()?)], enough.saturating_add(LEAP));
        Ok(Head { start, snapshot: None, is_help_wanted: false, ticks, ticked, facts: Vec::new() })
    }

    /// The head with one more tick; `enough` as for [`begin`](Self::begin).
    pub(super) fn tick(&self, head: &Head, enough: u64) -> Result<Head> {
        let mut new = head.clone();
        new.ticked = if head.ticked < enough { enough.saturating_add(LEAP) } else { head.ticked.saturating_add(1) };
        let gone = (new.ticks.len() + 1).saturating_sub(MAX_TICKS);
        new.ticks.drain(..gone);
        new.ticks.push(Tick(random()?));
        Ok(new)
    }

    /// The value after a fact, and the number.
    fn next(&self, at: &Position, fact: &Fact) -> Result<Position> {
        let (number, line) = (at.number.to_be_bytes(), fact.encode());
        let parts: [&[u8]; 4] = [self.name.as_bytes(), &number, &at.chain, line.as_bytes()];
        let chain = self.key.tag(CHAIN, &parts)?;
        Ok(Position { number: at.number.saturating_add(1), chain })
    }

    /// The place behind the last fact.
    pub(super) fn end(&self, head: &Head) -> Result<Position> {
        head.facts.iter().try_fold(head.start.clone(), |at, fact| self.next(&at, fact))
    }

    /// The facts after a place; `None` where the log does not lead past it.
    pub(super) fn after<'h>(&self, head: &'h Head, place: &Position) -> Result<Option<&'h [Fact]>> {
        let mut at = head.start.clone();
        let mut left = &head.facts[..];
        loop {
            if at == *place {
                return Ok(Some(left));
            }
            let Some((fact, rest)) = left.split_first() else { return Ok(None) };
            at = self.next(&at, fact)?;
            left = rest;
        }
    }

    /// The head with more facts; where `snapshot` holds all of them, with those alone that stay.
    pub(super) fn extend(&self, head: &Head, more: &[Fact], snapshot: Option<Snapshot>) -> Result<Head> {
        let mut new = head.clone();
        new.facts.extend_from_slice(more);
        if snapshot.is_some() {
            new.snapshot = snapshot;
            let mut gone = new.facts.len().saturating_sub(KEPT);
            if new.facts.iter().skip(gone).map(|fact| fact.issuer.len() + fact.name.len()).sum::<usize>()
                > MAX_TAIL_BYTES / 2
            {
                gone = new.facts.len();
            }
            for fact in new.facts.drain(..gone) {
                new.start = self.next(&new.start, &fact)?;
            }
        }
        Ok(new)
    }

    pub(super) fn seal_head(&self, head: &Head) -> Result<Bytes> {
        let first = Line {
            version: 1,
            start: head.start.number,
            chain: base64url::encode(&head.start.chain),
            snapshot: head.snapshot.clone(),
            help: head.is_help_wanted,
            ticked: head.ticked,
            ticks: head.ticks.iter().map(|tick| base64url::encode(&tick.0)).collect(),
        };
        let first = serde_json::to_string(&first).map_err(CacheError::because)?;
        self.seal(HEAD, &[], &lines(Some(first), &head.facts))
    }

    /// # Errors
    /// [`CacheError`] for what was not made with this key for this log, or by a version that says more than this one knows.
    pub(super) fn open_head(&self, value: &Bytes) -> Result<Head> {
        self.open(HEAD, &[], value).and_then(read_head).ok_or_else(|| match self.head_key() {
            Ok(key) => CacheError::because(format!("`{key}` holds what is no head of this fleet's log")),
            Err(error) => error,
        })
    }

    /// A snapshot of these facts: where it lies, and its pages.
    pub(super) fn snapshot(&self, facts: &[Fact]) -> Result<(Snapshot, Vec<Bytes>)> {
        let mut pages: Vec<Vec<String>> = Vec::new();
        let mut room = 0_usize;
        for line in facts.iter().map(Fact::encode) {
            let length = line.len();
            match pages.last_mut() {
                Some(page) if length <= room => page.push(line),
                _ => {
                    pages.push(vec![line]);
                    room = PAGE_BYTES;
                }
            }
            room = room.saturating_sub(length);
        }
        let count = u32::try_from(pages.len()).map_err(CacheError::because)?;
        let snapshot = Snapshot { address: base64url::encode(&random::<TAG_LEN>()?), pages: count };
        let sealed = (0..).zip(&pages).map(|(number, page)| self.seal_page(&snapshot, number, &page.join("\n")));
        let sealed: Result<Vec<Bytes>> = sealed.collect();
        Ok((snapshot, sealed?))
    }

    fn seal_page(&self, snapshot: &Snapshot, page: u32, body: &str) -> Result<Bytes> {
        self.seal(PAGE, &[snapshot.address.as_bytes(), &page.to_be_bytes()], body)
    }

    /// # Errors
    /// As for [`open_head`](Self::open_head).
    pub(super) fn open_page(&self, snapshot: &Snapshot, page: u32, value: &Bytes) -> Result<Vec<Fact>> {
        let body = self.open(PAGE, &[snapshot.address.as_bytes(), &page.to_be_bytes()], value);
        body.and_then(|body| body.split('\n').map(Fact::decode).collect()).ok_or_else(|| {
            match self.page_key(snapshot, page) {
                Ok(key) => CacheError::because(format!("`{key}` holds what is no page of this snapshot")),
                Err(error) => error,
            }
        })
    }

    fn parts<'p>(&'p self, place: &[&'p [u8]], body: &'p str) -> Vec<&'p [u8]> {
        [&[self.name.as_bytes()], place, &[body.as_bytes()]].concat()
    }

    fn seal(&self, purpose: &'static str, place: &[&[u8]], body: &str) -> Result<Bytes> {
        let tag = self.key.tag(purpose, &self.parts(place, body))?;
        Ok(Bytes::from([&tag[..], body.as_bytes()].concat()))
    }

    fn open<'v>(&self, purpose: &'static str, place: &[&[u8]], value: &'v Bytes) -> Option<&'v str> {
        if value.len() > MAX_VALUE_BYTES {
            return None;
        }
        let (tag, body) = value.split_at_checked(TAG_LEN)?;
        let body = std::str::from_utf8(body).ok()?;
        self.key.is_tag(tag, purpose, &self.parts(place, body)).then_some(body)
    }
}

fn lines(first: Option<String>, facts: &[Fact]) -> String {
    let lines: Vec<String> = first.into_iter().chain(facts.iter().map(Fact::encode)).collect();
    lines.join("\n")
}

fn read_head(body: &str) -> Option<Head> {
    let mut lines = body.split('\n');
    let first: Line = serde_json::from_str(lines.next()?).ok()?;
    let chain = base64url::decode(&first.chain).ok().filter(|chain| chain.len() == TAG_LEN)?;
    let facts: Option<Vec<Fact>> = lines.map(Fact::decode).collect();
    let ticks: Option<Vec<Tick>> = first.ticks.iter().map(|tick| read_tick(tick)).collect();
    let ticks = ticks.filter(|ticks| (1..=MAX_TICKS).contains(&ticks.len()))?;
    let start = Position { number: first.start, chain };
    let (snapshot, is_help_wanted, ticked) = (first.snapshot, first.help, first.ticked);
    let head = Head { start, snapshot, is_help_wanted, ticks, ticked, facts: facts? };
    (first.version == 1).then_some(head)
}

fn read_tick(tick: &str) -> Option<Tick> {
    base64url::decode(tick).ok()?.try_into().ok().map(Tick)
}

fn random<const LEN: usize>() -> Result<[u8; LEN]> {
    let mut octets = [0; LEN];
    DEFAULT.random(&mut octets).map_err(CacheError::because)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::super::fact::{Entry, Kind};
    use super::*;
    use std::time::UNIX_EPOCH;

    fn seal() -> Seal {
        Seal::new(FleetKey::new([7; 32]).expect("a key"), "n".to_owned())
    }

    /// What takes the most octets when it is written.
    fn longest() -> Fact {
        let name: std::sync::Arc<str> = "\u{1}".repeat(16 * 1024).into();
        let entry = Entry { before: None, until: UNIX_EPOCH, version: u64::MAX, is_lifted: true };
        Fact { kind: Kind::KeyId, issuer: name.clone(), name, entry }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_longer_is_not_even_authenticated() {
        let seal = seal();
        let mut head = seal.begin(0).expect("a head");
        while !head.is_full_with(&[longest()]) {
            head = seal.extend(&head, &[longest()], None).expect("a head");
        }
        for _ in 0..2 * MAX_TICKS {
            head = seal.tick(&head, 0).expect("a head");
        }
        assert_eq!(head.ticks.len(), MAX_TICKS);
        let value = seal.seal_head(&head).expect("a value");
        assert!(value.len() > MAX_TAIL_BYTES);
        let read = seal.open_head(&value).expect("what was written");
        assert_eq!((read.ticks, read.facts), (head.ticks, head.facts));
        let (snapshot, pages) = seal.snapshot(&[longest(), longest()]).expect("a snapshot");
        for (number, page) in (0..).zip(&pages) {
            seal.open_page(&snapshot, number, page).expect("what was written");
        }

        // In truth of the fleet, and never written by it.
        let facts = vec![longest(); 5];
        let long = Head { facts, ..seal.begin(0).expect("a head") };
        assert!(seal.open_head(&seal.seal_head(&long).expect("a value")).is_err());
    }

    #[test]
    fn a_head_has_ticks_and_not_too_many() {
        let seal = seal();
        for (ticks, is_head) in [(0, false), (1, true), (MAX_TICKS, true), (MAX_TICKS + 1, false)] {
            let mut head = seal.begin(0).expect("a head");
            head.ticks = vec![Tick([7; TICK_LEN]); ticks];
            assert_eq!(seal.open_head(&seal.seal_head(&head).expect("a value")).is_ok(), is_head, "{ticks}");
        }
    }
}
