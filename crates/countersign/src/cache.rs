//! Bytes with a time to live, shared or not: the seam [`CacheStore`].
//!
//! What comes back from a store that others can write to is untrusted: parse it as strictly as an answer from the
//! network, and authenticate it: with a [`FleetKey`], as `SealedCache` of `countersign-cache` does.
//!
//! ```
//! use countersign::Bytes;
//! use countersign::cache::{CacheKey, CacheStore, Result};
//! use std::time::Duration;
//!
//! /// Takes a code once: whoever comes second finds nothing, in whichever process.
//! async fn redeem(store: &impl CacheStore, code: &str) -> Result<Option<Bytes>> {
//!     store.take(&CacheKey::hashed("code", &[code.as_bytes()])).await
//! }
//!
//! async fn keep(store: &impl CacheStore, code: &str, whose: &str) -> Result<()> {
//!     let key = CacheKey::hashed("code", &[code.as_bytes()]);
//!     store.put(&key, Bytes::copy_from_slice(whose.as_bytes()), Duration::from_secs(60)).await
//! }
//! ```

mod fleet_key;

pub use fleet_key::FleetKey;

use async_trait::async_trait;
use bytes::Bytes;
use std::error::Error;
use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The name of an entry.
///
/// Made of a constant, and of nothing that a token had a say in unless it was hashed.
///
/// ```
/// use countersign::cache::CacheKey;
///
/// let key = CacheKey::hashed("denied", &[b"https://issuer.example/", b"\r\nany token id"]);
/// assert!(key.as_str().starts_with("denied:") && key.as_str().len() == 50);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(String);

impl CacheKey {
    /// A constant name.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// A constant name and the SHA-256 of `parts`, each with its length, so that no two lists collide.
    #[cfg(any(feature = "aws-lc", feature = "ring"))]
    #[must_use]
    pub fn hashed(name: &'static str, parts: &[&[u8]]) -> Self {
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let pieces: Vec<&[u8]> = lengths.iter().zip(parts).flat_map(|(length, part)| [&length[..], part]).collect();
        Self(format!("{name}:{}", crate::base64url::encode(&crate::crypto::DEFAULT.sha256(&pieces))))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The store could not do it. To a caller that reads, that is a miss, or, where a miss would be a verdict, what nobody can
/// tell.
///
/// ```
/// use countersign::cache::CacheError;
/// use std::error::Error;
///
/// let error = CacheError::because("the connection was closed");
/// assert_eq!(error.to_string(), "the cache store failed");
/// assert_eq!(error.source().map(ToString::to_string), Some("the connection was closed".to_owned()));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the cache store failed")]
pub struct CacheError(#[source] Box<dyn Error + Send + Sync>);

impl CacheError {
    /// Failed because of `source`.
    #[must_use]
    pub fn because(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// What a store answers.
///
/// ```
/// use countersign::cache::{self, CacheError};
///
/// /// What a server of some store has answered, as a number.
/// fn number(answer: std::io::Result<String>) -> cache::Result<u64> {
///     answer.map_err(CacheError::because)?.parse().map_err(CacheError::because)
/// }
/// assert_eq!(number(Ok("7".into())).ok(), Some(7));
/// assert!(number(Ok("seven".into())).is_err());
/// ```
pub type Result<T> = std::result::Result<T, CacheError>;

/// What [`CacheStore::find`] found.
///
/// ```
/// use countersign::Bytes;
/// use countersign::cache::Found;
/// use std::time::Duration;
///
/// /// How long a copy may be kept: not past its original, and not at all where nobody knows.
/// fn keep(found: &Found) -> Option<Duration> {
///     Some(found.expires_in?.min(Duration::from_secs(5)))
/// }
/// let two = Duration::from_secs(2);
/// assert_eq!(keep(&Found::new(Bytes::from_static(b"value"), Some(two))), Some(two));
/// assert_eq!(keep(&Found::new(Bytes::from_static(b"value"), None)), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The value.
    pub value: Bytes,
    /// What is left of its time to live, or less; `None` where the store cannot tell.
    pub expires_in: Option<Duration>,
}

impl Found {
    /// A value and what is left of its time to live, where that is known.
    #[must_use]
    pub fn new(value: Bytes, expires_in: Option<Duration>) -> Self {
        Self { value, expires_in }
    }
}

/// What [`CacheStore::add`] counted.
///
/// ```
/// use countersign::cache::{CacheKey, CacheStore, Result};
/// use std::time::Duration;
///
/// /// At most five tries a minute, over all processes.
/// async fn may_try(store: &impl CacheStore, account: &str) -> Result<bool> {
///     let key = CacheKey::hashed("tries", &[account.as_bytes()]);
///     let counted = store.add(&key, 1, Duration::from_secs(60)).await?;
///     Ok(counted.total <= 5)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counted {
    /// The sum within the window, this addition included.
    pub total: u64,
    /// What is left of the window.
    pub resets_in: Duration,
}

impl Counted {
    /// A sum and the rest of its window.
    #[must_use]
    pub fn new(total: u64, resets_in: Duration) -> Self {
        Self { total, resets_in }
    }
}

/// A store of bytes with a time to live, and the atomic verbs that correct code needs.
///
/// Every verb is atomic on its own, for all users of the store. A time to live of zero is an entry that nobody
/// sees. `countersign-testkit` has a conformance suite: run it against your own.
///
/// ```
/// use countersign::Bytes;
/// use countersign::cache::{CacheKey, CacheStore, Result};
/// use std::time::Duration;
///
/// /// Whether this name is seen for the first time in ten minutes.
/// async fn is_new(store: &impl CacheStore, name: &str) -> Result<bool> {
///     let key = CacheKey::hashed("seen", &[name.as_bytes()]);
///     store.put_new(&key, Bytes::new(), Duration::from_secs(600)).await
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no cache store",
    note = "use `MemoryCache` or `RedisCache` of `countersign-cache`, or implement `CacheStore`"
)]
pub trait CacheStore: Debug + Send + Sync + 'static {
    /// The value, unless it has expired.
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>>;

    /// The value and what is left of its time to live, unless it has expired: for those who keep a copy, which must not
    /// outlive it.
    ///
    /// Unless implemented, by [`get`](Self::get), and what is left is unknown.
    async fn find(&self, key: &CacheKey) -> Result<Option<Found>> {
        Ok(self.get(key).await?.map(|value| Found::new(value, None)))
    }

    /// Sets the value, whatever was there.
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<()>;

    /// Sets the value if there is none, and says whether it did.
    async fn put_new(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<bool>;

    /// Replaces (`Some`) or removes (`None`) the value if it equals `expected`, and says whether it did.
    async fn compare_and_swap(&self, key: &CacheKey, expected: &[u8], new: Option<(Bytes, Duration)>) -> Result<bool>;

    /// Removes the value and gives it to exactly one caller.
    ///
    /// Unless implemented, by [`get`](Self::get) and [`compare_and_swap`](Self::compare_and_swap), again where
    /// somebody else was faster, 100 times at most.
    async fn take(&self, key: &CacheKey) -> Result<Option<Bytes>> {
        for _ in 0..100 {
            let Some(value) = self.get(key).await? else { return Ok(None) };
            if self.compare_and_swap(key, &value, None).await? {
                return Ok(Some(value));
            }
        }
        Err(CacheError::because("others were faster each time"))
    }

    /// Adds to a counter that starts at zero and forgets itself `window` after its first addition. It stops at
    /// `i64::MAX`.
    ///
    /// # Errors
    /// [`CacheError`] also where the entry is no counter.
    async fn add(&self, key: &CacheKey, n: u64, window: Duration) -> Result<Counted>;

    /// Removes the value, if any.
    ///
    /// Unless implemented, by [`take`](Self::take).
    async fn remove(&self, key: &CacheKey) -> Result<()> {
        self.take(key).await.map(drop)
    }

    /// Waits until others may have [announced](Self::announce) a change of this entry, and gives how often that was: zero is
    /// what has been `heard` at first, and the last number the next time, so that nothing is missed in between.
    ///
    /// A hint that comes late, for nothing, or never: where the store cannot be listened to, and unless implemented, it waits for
    /// ever. So look from time to time as well. Whoever can write to the store can announce what they like.
    ///
    /// ```
    /// use countersign::cache::{CacheKey, CacheStore};
    ///
    /// async fn follow(store: &impl CacheStore, key: &CacheKey, look: impl AsyncFn()) {
    ///     let mut heard = 0;
    ///     loop {
    ///         look().await;
    ///         // In life with the runtime's deadline around it, so as to look from time to time.
    ///         heard = store.changed(key, heard).await;
    ///     }
    /// }
    /// ```
    async fn changed(&self, key: &CacheKey, heard: u64) -> u64 {
        let _ = (key, heard);
        std::future::pending().await
    }

    /// Wakes those who wait for [`changed`](Self::changed). It changes nothing, and need not be tried again: they look from
    /// time to time.
    ///
    /// Unless implemented, it does nothing.
    async fn announce(&self, key: &CacheKey) -> Result<()> {
        let _ = key;
        Ok(())
    }
}

type Answer<'f, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'f>>;

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: CacheStore + ?Sized> CacheStore for $pointer<T> {
            fn get<'s, 'k, 'f>(&'s self, key: &'k CacheKey) -> Answer<'f, Option<Bytes>>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).get(key)
            }

            fn find<'s, 'k, 'f>(&'s self, key: &'k CacheKey) -> Answer<'f, Option<Found>>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).find(key)
            }

            fn put<'s, 'k, 'f>(&'s self, key: &'k CacheKey, value: Bytes, ttl: Duration) -> Answer<'f, ()>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).put(key, value, ttl)
            }

            fn put_new<'s, 'k, 'f>(&'s self, key: &'k CacheKey, value: Bytes, ttl: Duration) -> Answer<'f, bool>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).put_new(key, value, ttl)
            }

            fn compare_and_swap<'s, 'k, 'e, 'f>(
                &'s self,
                key: &'k CacheKey,
                expected: &'e [u8],
                new: Option<(Bytes, Duration)>,
            ) -> Answer<'f, bool>
            where 's: 'f, 'k: 'f, 'e: 'f, Self: 'f {
                (**self).compare_and_swap(key, expected, new)
            }

            fn take<'s, 'k, 'f>(&'s self, key: &'k CacheKey) -> Answer<'f, Option<Bytes>>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).take(key)
            }

            fn add<'s, 'k, 'f>(&'s self, key: &'k CacheKey, n: u64, window: Duration) -> Answer<'f, Counted>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).add(key, n, window)
            }

            fn remove<'s, 'k, 'f>(&'s self, key: &'k CacheKey) -> Answer<'f, ()>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).remove(key)
            }

            fn changed<'s, 'k, 'f>(&'s self, key: &'k CacheKey, heard: u64) -> Pin<Box<dyn Future<Output = u64> + Send + 'f>>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).changed(key, heard)
            }

            fn announce<'s, 'k, 'f>(&'s self, key: &'k CacheKey) -> Answer<'f, ()>
            where 's: 'f, 'k: 'f, Self: 'f {
                (**self).announce(key)
            }
        }
    )*};
}
forward!(Arc, Box);

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(all(test, any(feature = "aws-lc", feature = "ring")))]
mod tests {
    use super::*;

    #[test]
    fn hashed_keys_tell_lists_apart() {
        let keys = [
            CacheKey::hashed("n", &[b"ab", b"c"]),
            CacheKey::hashed("n", &[b"a", b"bc"]),
            CacheKey::hashed("n", &[b"abc"]),
            CacheKey::hashed("n", &[b"abc", b""]),
            CacheKey::hashed("m", &[b"abc"]),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other != key), "{key}");
        }
    }
}
