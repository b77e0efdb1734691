//! Keys that sign, are published before they do, and stay published until the last token of theirs has expired.

use countersign::clock::Clock;
use countersign::issue::{Claims, IssueError, JwtSigner};
use countersign::jwk::JwkSet;
use countersign::keys::KeyError;
use countersign::{Algorithm, SigningKey, VerifyingKey};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The keys of an issuer, through their rotations.
///
/// A key has three times: it is published, and waits; it signs; it is published still, while tokens of its last moment are
/// good. So a verifier that holds keys for as long as it likes, within `published_before`, never meets a token whose key it
/// does not know.
#[derive(Debug)]
pub struct RotatingKeys<C> {
    clock: Arc<C>,
    /// How long a key is published before it signs: longer than any verifier keeps a key set.
    published_before: Duration,
    /// The longest life of a token.
    lifetime: Duration,
    keys: Mutex<Keys>,
}

#[derive(Debug)]
struct Keys {
    made: u64,
    signing: JwtSigner,
    next: SigningKey,
    /// When `next` was published.
    since: SystemTime,
    /// What no longer signs, and until when a token of it may be good.
    retired: Vec<(VerifyingKey, SystemTime)>,
}

/// Why the keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Verifiers may not know the next key yet.
    #[error("the next key has not been published for long enough")]
    TooEarly,
    /// No key can be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl<C: Clock> RotatingKeys<C> {
    /// A key that signs, and the next one.
    ///
    /// # Errors
    /// [`KeyError`] when no key can be made.
    pub fn new(clock: C, published_before: Duration, lifetime: Duration) -> Result<Self, KeyError> {
        let clock = Arc::new(clock);
        let (signing, next, since) = (signer(key(1)?, &clock), key(2)?, clock.now());
        let keys = Mutex::new(Keys { made: 2, signing, next, since, retired: Vec::new() });
        Ok(Self { clock, published_before, lifetime, keys })
    }

    /// A token by the key that signs now. It lasts for the lifetime that was agreed, and no longer.
    ///
    /// # Errors
    /// [`IssueError`] when the backend cannot sign.
    pub fn issue(&self, claims: Claims) -> Result<String, IssueError> {
        // Signed under the lock: no rotation comes between the choice of the key and the token's beginning.
        self.keys().signing.issue(&claims.lifetime(self.lifetime))
    }

    /// What verifiers may know: the key that signs, the next one, and those that signed what may still be good.
    #[must_use]
    pub fn published(&self) -> JwkSet {
        let mut keys = self.keys();
        let now = self.clock.now();
        keys.retired.retain(|(_, until)| *until > now);
        let current = [keys.signing.key().verifying_key(), keys.next.verifying_key()];
        let all = current.into_iter().chain(keys.retired.iter().map(|(key, _)| key));
        all.filter_map(VerifyingKey::jwk).collect()
    }

    /// The next key signs, and another one is published as the next.
    ///
    /// # Errors
    /// [`RotationError`]; the keys then stay as they are.
    pub fn rotate(&self) -> Result<(), RotationError> {
        let mut keys = self.keys();
        let now = self.clock.now();
        // A clock that was put back makes it too early.
        if now.duration_since(keys.since).unwrap_or_default() < self.published_before {
            return Err(RotationError::TooEarly);
        }
        let another = key(keys.made + 1)?;
        keys.made += 1;
        let next = std::mem::replace(&mut keys.next, another);
        let retiring = std::mem::replace(&mut keys.signing, signer(next, &self.clock));
        // Verifiers grant leeway: two minutes at the most here.
        let until = now + self.lifetime + Duration::from_secs(120);
        keys.retired.push((retiring.key().verifying_key().clone(), until));
        keys.since = now;
        Ok(())
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        // Each change is whole before anything can fail.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(number: u64) -> Result<SigningKey, KeyError> {
    SigningKey::generate(Algorithm::ES256)?.with_key_id(format!("key-{number}"))
}

fn signer<C: Clock>(key: SigningKey, clock: &Arc<C>) -> JwtSigner {
    JwtSigner::new(key).clock(Arc::clone(clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Clone, Debug)]
    struct ByHand(Arc<AtomicU64>);
    impl Clock for ByHand {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    const DAY: Duration = Duration::from_secs(86_400);
    const LIFETIME: Duration = Duration::from_secs(600);

    fn ids<C: Clock>(keys: &RotatingKeys<C>) -> Vec<String> {
        let published = keys.published();
        let mut ids: Vec<_> = published.keys().iter().filter_map(|key| key.key_id().map(str::to_owned)).collect();
        ids.sort();
        ids
    }

    fn signs_with<C: Clock>(keys: &RotatingKeys<C>) -> String {
        keys.keys().signing.key().key_id().expect("an id").to_owned()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_its_last_token_has_expired() {
        let time = ByHand(Arc::new(AtomicU64::new(1_800_000_000)));
        let wait = |span: Duration| time.0.fetch_add(span.as_secs(), Ordering::Relaxed);
        let keys = RotatingKeys::new(time.clone(), DAY, LIFETIME).expect("keys");
        assert_eq!((signs_with(&keys), ids(&keys)), ("key-1".into(), vec!["key-1".into(), "key-2".into()]));

        wait(DAY - Duration::from_secs(1));
        assert!(matches!(keys.rotate(), Err(RotationError::TooEarly)));
        assert_eq!((signs_with(&keys), ids(&keys).len()), ("key-1".into(), 2), "nothing has changed");

        wait(Duration::from_secs(1));
        keys.rotate().expect("the next key is known");
        assert_eq!(signs_with(&keys), "key-2");
        assert_eq!(ids(&keys), ["key-1", "key-2", "key-3"]);
        assert!(matches!(keys.rotate(), Err(RotationError::TooEarly)), "the third one has not been published yet");

        wait(LIFETIME + Duration::from_secs(119));
        assert_eq!(ids(&keys), ["key-1", "key-2", "key-3"], "a last token may be good");
        wait(Duration::from_secs(1));
        assert_eq!(ids(&keys), ["key-2", "key-3"]);
    }

    #[test]
    fn a_clock_that_was_put_back_rotates_nothing() {
        let time = ByHand(Arc::new(AtomicU64::new(1_800_000_000)));
        let keys = RotatingKeys::new(time.clone(), DAY, LIFETIME).expect("keys");
        time.0.store(1_700_000_000, Ordering::Relaxed);
        assert!(matches!(keys.rotate(), Err(RotationError::TooEarly)));
    }
}
