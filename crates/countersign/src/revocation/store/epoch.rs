//! Whether a store still has what was put into it: an entry of its own, which goes when all entries go.

use super::ATTEMPTS;
use crate::base64url;
use crate::cache::{CacheError, CacheKey, CacheStore, Result};
use crate::crypto::DEFAULT;
use bytes::Bytes;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So that no number is written, which a sealed store would leave unsealed.
const PREFIX: &str = "epoch ";

/// Octets: too many for two epochs ever to be the same.
const LENGTH: usize = 16;

/// What this process knows of the epoch of its store.
#[derive(Default)]
pub(super) struct Epoch(Mutex<State>);

#[derive(Clone, Default, PartialEq)]
enum State {
    #[default]
    Unseen,
    Seen(Bytes),
    /// Gone or changed since it was seen. It stays so where the old epoch comes back, as it does when a server takes over
    /// and hands back: what was revoked meanwhile is not in the old one's store.
    Lost,
}

/// What was known when an answer was begun.
pub(super) struct Seen(State);

impl Epoch {
    /// What is known. The first time the store is asked, and given an epoch where it has none: of several who do so at once,
    /// all see the same.
    ///
    /// To be asked before the entries: an answer whose entries were read before a loss was accepted must not be confirmed
    /// by what was accepted.
    pub(super) async fn seen(&self, store: &dyn CacheStore) -> Result<Seen> {
        let known = self.lock().clone();
        if known != State::Unseen {
            return Ok(Seen(known));
        }
        let epoch = find_or_begin(store).await?;
        let mut state = self.lock();
        if *state == State::Unseen {
            *state = State::Seen(epoch);
        }
        Ok(Seen(state.clone()))
    }

    /// An error unless the store still has the epoch that was seen. To be asked after the entries: what was lost before
    /// they were read is noticed then.
    pub(super) async fn confirm(&self, store: &dyn CacheStore, seen: Seen) -> Result<()> {
        if let State::Seen(epoch) = &seen.0 {
            if find(store).await?.as_ref() == Some(epoch) {
                return Ok(());
            }
            let mut state = self.lock();
            // Not where the loss has been accepted meanwhile.
            if *state == seen.0 {
                *state = State::Lost;
            }
        }
        Err(CacheError::because("the store has lost its entries, revocations among them, and nobody has accepted that"))
    }

    /// Goes on with the epoch that the store has now.
    pub(super) async fn accept(&self, store: &dyn CacheStore) -> Result<()> {
        let epoch = find_or_begin(store).await?;
        *self.lock() = State::Seen(epoch);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key() -> CacheKey {
    CacheKey::named("denied-epoch")
}

/// With `find`, which no store answers from a copy that may be older than its entries.
async fn find(store: &dyn CacheStore) -> Result<Option<Bytes>> {
    let Some(found) = store.find(&key()).await? else { return Ok(None) };
    if !is_epoch(&found.value) {
        return Err(CacheError::because(format!("`{}` holds what is no epoch", key())));
    }
    Ok(Some(found.value))
}

async fn find_or_begin(store: &dyn CacheStore) -> Result<Bytes> {
    for _ in 0..ATTEMPTS {
        if let Some(epoch) = find(store).await? {
            return Ok(epoch);
        }
        let epoch = new()?;
        if store.put_new(&key(), epoch.clone(), Duration::MAX).await? {
            return Ok(epoch);
        }
    }
    Err(CacheError::because("others were faster each time"))
}

fn new() -> Result<Bytes> {
    let mut octets = [0; LENGTH];
    DEFAULT.random(&mut octets).map_err(CacheError::because)?;
    Ok(Bytes::from(format!("{PREFIX}{}", base64url::encode(&octets))))
}

fn is_epoch(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value).ok().and_then(|text| text.strip_prefix(PREFIX));
    text.and_then(|text| base64url::decode(text).ok()).is_some_and(|octets| octets.len() == LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_like_no_other_and_nothing_else_is_one() {
        let (one, other) = (new().expect("random octets"), new().expect("random octets"));
        assert!(is_epoch(&one) && is_epoch(&other) && one != other);
        let none: [&[u8]; 8] = [
            b"",
            b"7",
            b"epoch ",
            b"epoch AAAAAAAAAAAAAAAAAAAAA",
            b"epoch AAAAAAAAAAAAAAAAAAAAAB",
            b"epoch AAAAAAAAAAAAAAAAAAAAAAA",
            b"epoch  AAAAAAAAAAAAAAAAAAAAAA",
            b"Epoch AAAAAAAAAAAAAAAAAAAAAA",
        ];
        assert!(is_epoch(b"epoch AAAAAAAAAAAAAAAAAAAAAA"));
        for value in none {
            assert!(!is_epoch(value), "{}", value.escape_ascii());
        }
    }
}
