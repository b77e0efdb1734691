use crate::clock::Clock;
use crate::config::ConfigError;
use crate::crypto::{Backend, default_backend};
use crate::key::KeyIdentity;
use crate::token::VerifiedToken;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A cache of tokens that have been verified, for
/// [`JwtVerifierBuilder::token_cache`](crate::verify::JwtVerifierBuilder::token_cache): a token that is sent again costs a
/// look-up instead of a signature.
///
/// A verdict is used again only while its key is still trusted, the token's times hold, the checks of the application agree
/// and the verdict is young. A [revocation check](crate::revocation) is asked each time, as without a cache. Refusals are
/// not kept: whoever sends bad tokens can send a different one each time.
///
/// Nothing kept can be sent as a token: of the signature there is a hash alone.
///
/// ```
/// use countersign::verify::TokenCache;
/// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
/// use std::time::Duration;
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let verifier = JwtVerifier::builder(key)
///     .algorithms([Algorithm::HS256])
///     .issuer("https://issuer.example/")
///     .audience("my-api")
///     .token_cache(TokenCache::new().max_age(Duration::from_secs(60)))
///     .build();
/// assert!(verifier.is_ok());
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenCache {
    max_age: Duration,
    max_entries: usize,
    max_bytes: usize,
}

const MAX_AGE: Duration = Duration::from_secs(5 * 60);
const MAX_MAX_AGE: Duration = Duration::from_secs(60 * 60);
const MAX_ENTRIES: usize = 10_000;
const MAX_BYTES: usize = 32 * 1024 * 1024;

impl TokenCache {
    /// A cache of 10 000 tokens and 32 MiB at most, each of them for 5 min at most.
    pub fn new() -> Self {
        Self { max_age: MAX_AGE, max_entries: MAX_ENTRIES, max_bytes: MAX_BYTES }
    }

    /// How long a verdict is used again: 5 min unless set, 1 h at most. A token that expires before is refused before.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// How many tokens are kept: 10 000 unless set. Those that are asked for again stay longest.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// How much memory the tokens may take, in bytes, as far as it can be told: 32 MiB unless set.
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    pub(super) fn build(self) -> Result<Verdicts, ConfigError> {
        let refused = |problem: &'static str| Err(ConfigError::new("token_cache", problem));
        if self.max_age.is_zero() || self.max_age > MAX_MAX_AGE {
            return refused("`max_age` is not above zero and at most 1 h");
        }
        if self.max_entries == 0 || self.max_bytes < MIN_WEIGHT {
            return refused("there is no room for a token");
        }
        let Ok(backend) = default_backend() else { return refused("no backend is compiled in that could hash") };
        // An entry weighs its bytes, and enough that no more than `max_entries` fit.
        let weigher = ByBytes { least: self.max_bytes.div_ceil(self.max_entries).max(MIN_WEIGHT) };
        let options = OptionsBuilder::new()
            .estimated_items_capacity(self.max_entries.min(self.max_bytes / MIN_WEIGHT))
            .weight_capacity(self.max_bytes as u64)
            .build();
        let Ok(options) = options else { return refused("the bounds make no cache") };
        let kept = Cache::with_options(options, weigher, RandomState::new(), DefaultLifecycle::default());
        Ok(Verdicts { backend, max_age: self.max_age, kept })
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

/// SHA-256 of a signature as it is written. Whoever can make two alike could forge signatures as well.
type Index = [u8; 32];

/// The tokens that one verifier has verified.
pub(super) struct Verdicts {
    backend: &'static dyn Backend,
    max_age: Duration,
    kept: Cache<Index, Arc<Kept>, ByBytes, RandomState>,
}

struct Kept {
    /// Header and payload as they were sent. They are compared, so that no signature stands for another's claims.
    signing_input: Box<str>,
    token: VerifiedToken,
    key: KeyIdentity,
    /// By both clocks: one may be set, the other may sleep with the process.
    at: (SystemTime, Duration),
}

/// What an entry takes beside what it holds, the places of its claims among it.
const MIN_WEIGHT: usize = 1024;

#[derive(Clone)]
struct ByBytes {
    least: usize,
}

impl Weighter<Index, Arc<Kept>> for ByBytes {
    fn weight(&self, _: &Index, kept: &Arc<Kept>) -> u64 {
        // The header and the payload are kept a second time, and claims that have escapes a third.
        (MIN_WEIGHT + 3 * kept.signing_input.len()).max(self.least) as u64
    }
}

impl Verdicts {
    /// The verdict on this very token, while it is young. Whether it still counts is for the caller to say.
    pub(super) fn find(&self, token: &str, now: SystemTime, clock: &dyn Clock) -> Option<(VerifiedToken, KeyIdentity)> {
        let (signing_input, signature) = token.rsplit_once('.')?;
        let kept = self.kept.get(&self.index(signature))?;
        if *kept.signing_input != *signing_input {
            return None;
        }
        let (wall, monotonic) = kept.at;
        let age = clock.monotonic().saturating_sub(monotonic).max(now.duration_since(wall).unwrap_or_default());
        (age < self.max_age).then(|| (kept.token.clone(), kept.key))
    }

    /// Keeps the verdict on a token that a key has verified.
    pub(super) fn keep(&self, token: &str, verified: &VerifiedToken, clock: &dyn Clock) {
        if let (Some((signing_input, signature)), Some(key)) = (token.rsplit_once('.'), verified.key()) {
            let at = (clock.now(), clock.monotonic());
            let kept = Kept { signing_input: signing_input.into(), token: verified.clone(), key, at };
            self.kept.insert(self.index(signature), Arc::new(kept));
        }
    }

    fn index(&self, signature: &str) -> Index {
        self.backend.sha256(&[signature.as_bytes()])
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("max_age", &self.max_age).field("entries", &self.kept.len()).finish()
    }
}

#[cfg(test)]
mod tests;
