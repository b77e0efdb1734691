//! What a log says: revocations of tokens, subjects and keys, each joined with what is said of the same elsewhere.

use super::super::memory::End;
use super::super::store::{nanoseconds, time};
use super::super::{TokenStatus, judge};
use crate::base64url;
use crate::key::KeyIdentity;
use crate::token::VerifiedToken;
use foldhash::quality::RandomState;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The two hands of a clock: the time of the world, and the monotonic one.
pub(super) type Now = (SystemTime, Duration);

/// How long an entry is kept, and written into snapshots, after it is over: for processes whose clocks go differently.
const KEPT_AFTER: Duration = Duration::from_secs(60 * 60);

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Token,
    Subject,
    KeyId,
    /// The name is the thumbprint in base64url, and there is no issuer.
    Thumbprint,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) kind: Kind,
    pub(super) issuer: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) entry: Entry,
}

/// What is said of one token, subject or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Revoked is what was issued before this; `None`: whenever it was issued.
    pub(super) before: Option<SystemTime>,
    pub(super) until: SystemTime,
    /// Of two that say opposite things of a key, the higher one counts.
    pub(super) version: u64,
    /// The key is trusted again.
    pub(super) is_lifted: bool,
}

impl Entry {
    /// What both say together: whoever hears them, in whichever order, comes to the same. Of two that were written without
    /// knowledge of each other, the stricter one counts.
    fn join(self, other: Self) -> Self {
        let is_lifted = match self.version.cmp(&other.version) {
            std::cmp::Ordering::Less => other.is_lifted,
            std::cmp::Ordering::Equal => self.is_lifted && other.is_lifted,
            std::cmp::Ordering::Greater => self.is_lifted,
        };
        Self {
            before: self.before.max(other.before),
            until: self.until.max(other.until),
            version: self.version.max(other.version),
            is_lifted,
        }
    }
}

/// A fact as it is written: JSON on one line, with one spelling.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    kind: Kind,
    #[serde(borrow)]
    iss: Cow<'l, str>,
    #[serde(borrow)]
    name: Cow<'l, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    before: Option<Cow<'l, str>>,
    #[serde(borrow)]
    until: Cow<'l, str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    version: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lifted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(version: &u64) -> bool {
    *version == 0
}

impl Fact {
    pub(super) fn encode(&self) -> String {
        let line = Line {
            kind: self.kind,
            iss: Cow::Borrowed(&self.issuer),
            name: Cow::Borrowed(&self.name),
            before: self.entry.before.map(|before| nanoseconds(before).to_string().into()),
            until: nanoseconds(self.entry.until).to_string().into(),
            version: self.entry.version,
            lifted: self.entry.is_lifted,
        };
        // Text and numbers are always JSON.
        serde_json::to_string(&line).unwrap_or_default()
    }

    pub(super) fn decode(line: &str) -> Option<Self> {
        let read: Line<'_> = serde_json::from_str(line).ok()?;
        let before = match &read.before {
            Some(before) => Some(time(before)?),
            None => None,
        };
        let entry = Entry { before, until: time(&read.until)?, version: read.version, is_lifted: read.lifted };
        let fact = Self { kind: read.kind, issuer: read.iss.into(), name: read.name.into(), entry };
        let has_sense = match fact.kind {
            Kind::Token | Kind::Subject => {
                before.is_some() == (fact.kind == Kind::Subject) && read.version == 0 && !read.lifted
            }
            Kind::KeyId => before.is_none(),
            Kind::Thumbprint => before.is_none() && fact.issuer.is_empty() && digest(&fact.name).is_some(),
        };
        (has_sense && fact.encode() == line).then_some(fact)
    }

    /// Whether what it stops is over by this clock, and by every other one that goes not much differently.
    pub(super) fn is_long_over(&self, now: Now) -> bool {
        now.0.duration_since(self.entry.until).is_ok_and(|since| since > KEPT_AFTER)
    }
}

fn digest(thumbprint: &str) -> Option<[u8; 32]> {
    base64url::decode(thumbprint).ok()?.try_into().ok()
}

/// An entry in memory.
#[derive(Clone, Copy, Debug)]
struct Held {
    entry: Entry,
    end: End,
}

impl Held {
    /// Whether it distrusts a key: that ends with its time, for a key is not over as a token is.
    fn distrusts(&self, now: Now) -> bool {
        !self.entry.is_lifted && !self.end.is_over(now.0, now.1)
    }

    /// Whether it has not been over for long, by one clock or the other.
    fn is_kept(&self, now: Now) -> bool {
        match (now.0.checked_sub(KEPT_AFTER), now.1.checked_sub(KEPT_AFTER)) {
            (Some(world), Some(monotonic)) => !self.end.is_over(world, monotonic),
            _ => true,
        }
    }

    /// Learns what `new` says. What says nothing new leaves the end where it is, or whoever hears it again and again would keep it
    /// for ever.
    fn join(&mut self, new: Self) {
        let entry = self.entry.join(new.entry);
        if entry != self.entry {
            *self = Self { entry, end: self.end.max(new.end) };
        }
    }
}

/// Seeded anew in each process. No stranger chooses what is revoked.
type Names = HashMap<Arc<str>, Held, RandomState>;

/// What is known of the names of one issuer, which are unique within it alone.
#[derive(Clone, Debug, Default)]
struct OfIssuer {
    tokens: Names,
    subjects: Names,
    key_ids: Names,
}

impl OfIssuer {
    fn of(&self, kind: Kind) -> Option<&Names> {
        match kind {
            Kind::Token => Some(&self.tokens),
            Kind::Subject => Some(&self.subjects),
            Kind::KeyId => Some(&self.key_ids),
            Kind::Thumbprint => None,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> Option<&mut Names> {
        match kind {
            Kind::Token => Some(&mut self.tokens),
            Kind::Subject => Some(&mut self.subjects),
            Kind::KeyId => Some(&mut self.key_ids),
            Kind::Thumbprint => None,
        }
    }
}

/// All that is known, as requests look it up.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Mostly one or a few: compared sooner than hashed.
    issuers: BTreeMap<Arc<str>, OfIssuer>,
    thumbprints: HashMap<[u8; 32], Held, RandomState>,
    /// When the last distrust of a key by its id is over, where there is any.
    key_ids_end: Option<End>,
}

impl Facts {
    /// Learns a fact.
    pub(super) fn join(&mut self, fact: &Fact, now: Now) {
        let left = fact.entry.until.duration_since(now.0).unwrap_or_default();
        let end = End { until: fact.entry.until, monotonic: now.1.saturating_add(left) };
        let new = Held { entry: fact.entry, end };
        if fact.kind == Kind::Thumbprint {
            if let Some(digest) = digest(&fact.name) {
                self.thumbprints.entry(digest).and_modify(|held| held.join(new)).or_insert(new);
            }
        } else if let Some(names) = self.issuers.entry(fact.issuer.clone()).or_default().of_mut(fact.kind) {
            let was_distrusted = names.get(&fact.name).is_some_and(|held| !held.entry.is_lifted);
            let held = names.entry(fact.name.clone()).and_modify(|held| held.join(new)).or_insert(new);
            let Held { entry, end } = *held;
            if fact.kind == Kind::KeyId && !entry.is_lifted {
                self.key_ids_end = Some(self.key_ids_end.map_or(end, |other| other.max(end)));
            } else if fact.kind == Kind::KeyId && was_distrusted {
                self.reckon_key_ids_end();
            }
        }
    }

    fn reckon_key_ids_end(&mut self) {
        let held = self.issuers.values().flat_map(|of| of.key_ids.values());
        let ends = held.filter(|held| !held.entry.is_lifted).map(|held| held.end);
        self.key_ids_end = ends.reduce(End::max);
    }

    pub(super) fn get(&self, kind: Kind, issuer: &str, name: &str) -> Option<Entry> {
        let held = match kind {
            Kind::Thumbprint => self.thumbprints.get(&digest(name)?),
            kind => self.issuers.get(issuer)?.of(kind)?.get(name),
        };
        held.map(|held| held.entry)
    }

    /// Whether this says all that the fact says.
    pub(super) fn holds(&self, fact: &Fact) -> bool {
        self.get(fact.kind, &fact.issuer, &fact.name).is_some_and(|entry| entry.join(fact.entry) == entry)
    }

    /// Forgets what has been over for long by both clocks.
    pub(super) fn sweep(&mut self, now: Now) {
        self.thumbprints.retain(|_, held| held.is_kept(now));
        self.issuers.retain(|_, of| {
            for names in [&mut of.tokens, &mut of.subjects, &mut of.key_ids] {
                names.retain(|_, held| held.is_kept(now));
            }
            !(of.tokens.is_empty() && of.subjects.is_empty() && of.key_ids.is_empty())
        });
        self.reckon_key_ids_end();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Fact> + '_ {
        self.all().map(|(fact, _)| fact)
    }

    /// Those that have not been over for long.
    pub(super) fn kept(&self, now: Now) -> impl Iterator<Item = Fact> + '_ {
        self.all().filter(move |(_, held)| held.is_kept(now)).map(|(fact, _)| fact)
    }

    fn all(&self) -> impl Iterator<Item = (Fact, Held)> + '_ {
        let named = self.issuers.iter().flat_map(|(issuer, of)| {
            let kinds = [(Kind::Token, &of.tokens), (Kind::Subject, &of.subjects), (Kind::KeyId, &of.key_ids)];
            kinds.into_iter().flat_map(move |(kind, names)| {
                names.iter().map(move |(name, held)| (kind, issuer.clone(), name.clone(), *held))
            })
        });
        let thumbprints = self.thumbprints.iter();
        let thumbprints =
            thumbprints.map(|(digest, held)| (Kind::Thumbprint, "".into(), base64url::encode(digest).into(), *held));
        named
            .chain(thumbprints)
            .map(|(kind, issuer, name, held)| (Fact { kind, issuer, name, entry: held.entry }, held))
    }

    /// How many tokens and subjects there are, and how many keys.
    pub(super) fn len(&self) -> (usize, usize) {
        let others: usize = self.issuers.values().map(|of| of.tokens.len() + of.subjects.len()).sum();
        let keys: usize = self.issuers.values().map(|of| of.key_ids.len()).sum();
        (others, keys + self.thumbprints.len())
    }

    pub(super) fn status(&self, token: &VerifiedToken) -> TokenStatus {
        if self.issuers.is_empty() {
            return TokenStatus::Active;
        }
        let Some(of) = self.issuers.get(token.issuer().unwrap_or_default()) else { return TokenStatus::Active };
        if !of.tokens.is_empty() && token.token_id().is_some_and(|id| of.tokens.contains_key(id)) {
            return TokenStatus::Revoked;
        }
        if of.subjects.is_empty() {
            return TokenStatus::Active;
        }
        let before = token.subject().and_then(|subject| of.subjects.get(subject)).and_then(|held| held.entry.before);
        before.map_or(TokenStatus::Active, |before| judge(token, before))
    }

    /// Whether a key is distrusted by this id: at any issuer, where it is not said at which.
    pub(super) fn distrusts_id(&self, issuer: Option<&str>, key_id: &str, now: impl Fn() -> Now) -> bool {
        if self.key_ids_end.is_none() {
            return false;
        }
        let distrusts = |of: &OfIssuer| of.key_ids.get(key_id).is_some_and(|held| held.distrusts(now()));
        match issuer {
            Some(issuer) => self.issuers.get(issuer).is_some_and(distrusts),
            None => self.issuers.values().any(distrusts),
        }
    }

    pub(super) fn distrusts(&self, key: &KeyIdentity, now: impl Fn() -> Now) -> bool {
        !self.thumbprints.is_empty() && self.thumbprints.get(key.digest()).is_some_and(|held| held.distrusts(now()))
    }

    /// Whether any key is distrusted by its id.
    pub(super) fn distrusts_some_id(&self, now: impl Fn() -> Now) -> bool {
        self.key_ids_end.is_some_and(|end| {
            let now = now();
            !end.is_over(now.0, now.1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn entries() -> impl Strategy<Value = Entry> {
        (prop::option::of(0_u64..4), 0_u64..4, 0_u64..3, any::<bool>()).prop_map(
            |(before, until, version, is_lifted)| Entry {
                before: before.map(at),
                until: at(until),
                version,
                is_lifted,
            },
        )
    }

    proptest! {
        #[test]
        fn facts_come_to_the_same_in_any_order_and_however_often(a in entries(), b in entries(), c in entries()) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
            prop_assert_eq!(a.join(b).join(b), a.join(b));
        }

        #[test]
        fn whether_any_id_is_distrusted_is_what_a_walk_over_all_says(
            said in prop::collection::vec((0..3, 0..3, entries(), 0_u64..6, any::<bool>()), 0..20),
        ) {
            let mut facts = Facts::default();
            for (issuer, id, entry, second, sweeps) in said {
                let now = (at(second), Duration::from_secs(second));
                let name = |n: i32| n.to_string().into();
                facts.join(&Fact { kind: Kind::KeyId, issuer: name(issuer), name: name(id), entry }, now);
                if sweeps {
                    facts.sweep((at(10_000), Duration::from_secs(3_600 + second)));
                }
                for second in 0..6 {
                    let now = (at(second), Duration::from_secs(second));
                    let walk = facts.all().any(|(_, held)| held.distrusts(now));
                    prop_assert_eq!(facts.distrusts_some_id(|| now), walk);
                }
            }
        }

        #[test]
        fn a_fact_is_read_as_it_was_written(issuer in ".*", name in ".*", kind in 0..3, entry in entries()) {
            let (issuer, name) = (issuer.into(), name.into());
            let (kind, entry) = match kind {
                0 => (Kind::Token, Entry { before: None, version: 0, is_lifted: false, ..entry }),
                1 => {
                    let before = entry.before.or(Some(UNIX_EPOCH));
                    (Kind::Subject, Entry { before, version: 0, is_lifted: false, ..entry })
                }
                _ => (Kind::KeyId, Entry { before: None, ..entry }),
            };
            let fact = Fact { kind, issuer, name, entry };
            let line = fact.encode();
            prop_assert!(!line.contains('\n'), "{line}");
            prop_assert_eq!(Fact::decode(&line), Some(fact));
        }
    }

    #[test]
    fn what_is_spelt_otherwise_or_makes_no_sense_is_no_fact() {
        let good = r#"{"kind":"token","iss":"a","name":"1","until":"5"}"#;
        assert!(Fact::decode(good).is_some());
        let thumbprint = "A".repeat(43);
        let print =
            |iss: &str, name: &str| format!(r#"{{"kind":"thumbprint","iss":"{iss}","name":"{name}","until":"5"}}"#);
        assert!(Fact::decode(&print("", &thumbprint)).is_some());
        for bad in [
            "",
            "{}",
            r#"{"kind":"token","iss":"a","name":"1","until":"05"}"#,
            r#"{"kind":"token","iss":"a","name":"1","until":"5","lifted":false}"#,
            r#"{"kind":"token","iss":"a","name":"1","until":"5","lifted":true}"#,
            r#"{"kind":"token","iss":"a","name":"1","before":"1","until":"5"}"#,
            r#"{"kind":"token","iss":"a","name":"1","until":"5","more":1}"#,
            r#"{"kind":"token","iss":"a","name":"1","until":5}"#,
            r#"{"kind":"subject","iss":"a","name":"1","until":"5"}"#,
            r#"{"kind":"session","iss":"a","name":"1","until":"5"}"#,
            r#"{"iss":"a","kind":"token","name":"1","until":"5"}"#,
            &print("a", &thumbprint),
            &print("", "short"),
            &format!("{good} "),
        ] {
            assert_eq!(Fact::decode(bad), None, "{bad}");
        }
    }
}
