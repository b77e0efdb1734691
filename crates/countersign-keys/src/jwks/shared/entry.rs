//! What stands in the entry of the document: written after a tag by [`FleetKey`](countersign::cache::FleetKey), and strictly
//! read.

use crate::jwks::refresh::{millis, since_1970};
use countersign::Bytes;
use countersign::cache::CacheError;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// The octets of an HMAC-SHA-256.
pub(super) const TAG_LEN: usize = 32;

/// What stands before the body: URLs and values of header fields, which an HTTP client has read and bounded.
const MAX_HEAD_LEN: usize = 64 * 1024;
const LENGTH_LEN: usize = 4;

/// All times are in milliseconds; points in time since 1970, by the clock of whoever wrote the entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) written_at: u64,
    /// The time to live that it was given.
    pub(super) kept_for: u64,
    pub(super) document: Option<Document>,
    /// Who fetches.
    pub(super) claim: Option<Claim>,
    /// How long nobody is to fetch from when this was written: the last fetch failed.
    pub(super) pause: Option<u64>,
    /// What unknown key ids have cost, in time that was to pass for it from when this was written.
    pub(super) debt: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) head: Head,
    pub(super) body: Bytes,
}

/// What is known of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) order: u64,
    /// When the request was sent, by the clock of the process that sent it.
    pub(super) fetched_at: u64,
    /// How old it was when the entry was written …
    pub(super) age: u64,
    /// … and how old at least, as far as clocks that differ have no part in it.
    pub(super) least_age: u64,
    /// Where it came from, if the issuer's metadata said so and nothing secret stands in it.
    pub(super) url: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) max_age: Option<u64>,
    /// How old the issuer's metadata was when the entry was written, where they said the URL.
    pub(super) metadata_age: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    pub(super) owner: String,
    /// Of the document that is being fetched.
    pub(super) order: u64,
}

/// All but the body.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    written_at: u64,
    kept_for: u64,
    document: Option<Head>,
    claim: Option<Claim>,
    pause: Option<u64>,
    debt: u64,
}

impl Entry {
    /// The most that an entry may have, its tag left out.
    pub(super) fn max_len(max_bytes: usize) -> usize {
        LENGTH_LEN + MAX_HEAD_LEN + max_bytes
    }

    /// The length of what is JSON, that, and the body.
    pub(super) fn encode(&self) -> Result<Vec<u8>, CacheError> {
        let written = Written {
            written_at: self.written_at,
            kept_for: self.kept_for,
            document: self.document.as_ref().map(|document| document.head.clone()),
            claim: self.claim.clone(),
            pause: self.pause,
            debt: self.debt,
        };
        let written = serde_json::to_vec(&written).map_err(CacheError::because)?;
        if written.len() > MAX_HEAD_LEN {
            return Err(CacheError::because("the URL or the validators of the document are too long to be shared"));
        }
        let length = u32::try_from(written.len()).map_err(CacheError::because)?;
        let body = self.document.as_ref().map(|document| &document.body[..]).unwrap_or_default();
        Ok([&length.to_be_bytes(), &written[..], body].concat())
    }

    pub(super) fn decode(octets: &Bytes, max_bytes: usize) -> Option<Self> {
        let (length, rest) = octets.split_at_checked(LENGTH_LEN)?;
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let (written, body) = rest.split_at_checked(length).filter(|(written, _)| written.len() <= MAX_HEAD_LEN)?;
        let Written { written_at, kept_for, document, claim, pause, debt } = serde_json::from_slice(written).ok()?;
        let document = match document {
            Some(head) if body.len() <= max_bytes => Some(Document { head, body: octets.slice_ref(body) }),
            None if body.is_empty() => None,
            _ => return None,
        };
        Some(Self { written_at, kept_for, document, claim, pause, debt })
    }

    /// How long ago it was written: by its writer's clock and this one, or by the store's, whichever says more. Clocks that
    /// differ make it look older, or the store alone tell.
    pub(super) fn age(&self, now: SystemTime, expires_in: Option<Duration>) -> Duration {
        let by_the_clocks = since_1970(now).saturating_sub(self.written_at);
        Duration::from_millis(by_the_clocks.max(self.age_by_the_store(expires_in)))
    }

    fn age_by_the_store(&self, expires_in: Option<Duration>) -> u64 {
        expires_in.map_or(0, |left| self.kept_for.saturating_sub(millis(left)))
    }

    /// How long ago the request for the document was sent, at least: as far as clocks that differ have no part in it.
    pub(super) fn document_age_by_the_store(&self, head: &Head, expires_in: Option<Duration>) -> Duration {
        Duration::from_millis(self.age_by_the_store(expires_in).saturating_add(head.least_age))
    }

    /// How long ago the request for the document was sent.
    pub(super) fn document_age(&self, head: &Head, now: SystemTime, expires_in: Option<Duration>) -> Duration {
        let by_the_clocks = Duration::from_millis(since_1970(now).saturating_sub(head.fetched_at));
        by_the_clocks.max(self.age(now, expires_in).saturating_add(Duration::from_millis(head.age)))
    }

    /// The document, to be written again: older by the time since it was written.
    pub(super) fn aged(&self, now: SystemTime, expires_in: Option<Duration>) -> Option<Document> {
        let mut document = self.document.clone()?;
        document.head.age = millis(self.document_age(&document.head, now, expires_in));
        document.head.least_age = millis(self.document_age_by_the_store(&document.head, expires_in));
        let since = millis(self.age(now, expires_in));
        document.head.metadata_age = document.head.metadata_age.map(|age| age.saturating_add(since));
        Some(document)
    }

    /// What is left of the pause.
    pub(super) fn pause_left(&self, now: SystemTime, expires_in: Option<Duration>) -> Option<Duration> {
        let left = Duration::from_millis(self.pause?).saturating_sub(self.age(now, expires_in));
        (!left.is_zero()).then_some(left)
    }

    /// What is left of the debt.
    pub(super) fn debt_left(&self, now: SystemTime, expires_in: Option<Duration>) -> Duration {
        Duration::from_millis(self.debt).saturating_sub(self.age(now, expires_in))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let head = Head {
            order: 7,
            fetched_at: 1_000,
            age: 500,
            least_age: 400,
            url: Some("https://issuer.example/jwks".to_owned()),
            etag: Some("\"é\"".to_owned()),
            last_modified: None,
            max_age: Some(60_000),
            metadata_age: Some(100),
        };
        Entry {
            written_at: 1_500,
            kept_for: 10_000,
            document: Some(Document { head, body: Bytes::from_static(b"{\"keys\":[]}") }),
            claim: Some(Claim { owner: "me".to_owned(), order: 8 }),
            pause: Some(2_000),
            debt: 5_000,
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written_and_nothing_that_is_cut_or_longer() {
        let whole = entry();
        let bare = Entry { document: None, claim: None, pause: None, ..entry() };
        for entry in [&whole, &bare] {
            let octets = Bytes::from(entry.encode().expect("octets"));
            assert_eq!(Entry::decode(&octets, 11).as_ref(), Some(entry));
            let body = entry.document.as_ref().map_or(0, |document| document.body.len());
            for length in 0..octets.len() - body {
                assert_eq!(Entry::decode(&octets.slice(..length), 11), None, "{length}");
            }
            let longer = Bytes::from([&octets[..], b"x"].concat());
            assert_eq!(Entry::decode(&longer, 11), None, "no more than a body may have, and none without a document");
        }
        assert_eq!(Entry::decode(&Bytes::from_static(&[255; 64]), 11), None);
    }

    #[test]
    fn ages_are_told_by_whichever_clock_says_more() {
        let (entry, at) = (entry(), |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
        let head = &entry.document.as_ref().expect("a document").head;
        // Now, what the store has left, the age of the entry, of the document, of that at least, and what is left of the pause
        // and of the debt.
        for (now, left, age, document, at_least, pause, debt) in [
            (1_500, None, 0, 500, 400, Some(2_000), 5_000),
            (2_500, None, 1_000, 1_500, 400, Some(1_000), 4_000),
            (2_500, Some(10_000), 1_000, 1_500, 400, Some(1_000), 4_000),
            (2_500, Some(7_000), 3_000, 3_500, 3_400, None, 2_000),
            (0, None, 0, 500, 400, Some(2_000), 5_000),
            (0, Some(9_000), 1_000, 1_500, 1_400, Some(1_000), 4_000),
            (0, Some(99_000), 0, 500, 400, Some(2_000), 5_000),
            (9_000, Some(9_900), 7_500, 8_000, 500, None, 0),
        ] {
            let (now, left) = (at(now), left.map(Duration::from_millis));
            let found = (
                millis(entry.age(now, left)),
                millis(entry.document_age(head, now, left)),
                millis(entry.document_age_by_the_store(head, left)),
                entry.pause_left(now, left).map(millis),
                millis(entry.debt_left(now, left)),
            );
            assert_eq!(found, (age, document, at_least, pause, debt), "{now:?} {left:?}");
            let aged = entry.aged(now, left).expect("a document").head;
            let told = (aged.age, aged.least_age, aged.metadata_age, aged.order);
            assert_eq!(told, (document, at_least, Some(100 + age), 7), "{now:?} {left:?}");
        }
    }

    #[test]
    fn what_stands_before_the_body_has_a_bound_of_its_own() {
        assert_eq!(Entry::max_len(11), 4 + 64 * 1024 + 11);
        let with_url = |length: usize| {
            let mut entry = entry();
            entry.document.as_mut().expect("a document").head.url = Some("x".repeat(length));
            entry
        };
        let without = with_url(0).encode().expect("octets").len() - LENGTH_LEN - b"{\"keys\":[]}".len();
        let longest = with_url(MAX_HEAD_LEN - without);
        let octets = Bytes::from(longest.encode().expect("octets"));
        assert_eq!(octets.len(), Entry::max_len(11));
        assert_eq!(Entry::decode(&octets, 11), Some(longest));
        for more in [1, 1000] {
            assert!(with_url(MAX_HEAD_LEN - without + more).encode().is_err(), "{more}");
        }
    }
}
