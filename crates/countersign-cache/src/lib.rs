//! Cache stores for Countersign: [`MemoryCache`], [`RedisCache`], [`TieredCache`] of one before another, and
//! [`SealedCache`] around one that others can write to.
//!
//! Add this crate if something that you use takes a [`CacheStore`]: keys shared by several processes, tokens
//! that are consumed once, counters that several processes keep together. [`MemoryCache`] serves one process,
//! [`RedisCache`] as many as see the same server, sentinels or cluster. [`TieredCache`] spares those who read the same entries over and
//! over the way to the server. A library depends on the trait in `countersign` and leaves the choice to its user.
//!
//! ```
//! use countersign::Bytes;
//! use countersign::cache::{CacheKey, CacheStore};
//! use countersign_cache::MemoryCache;
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryCache::builder().max_entries(1_000).max_bytes(1 << 20).build()?;
//! let code = CacheKey::hashed("code", &[b"a code that counts once"]);
//! store.put(&code, Bytes::from_static(b"for whom"), Duration::from_secs(60)).await?;
//!
//! assert_eq!(store.take(&code).await?.as_deref(), Some(&b"for whom"[..]));
//! assert_eq!(store.take(&code).await?, None);
//! # Ok(())
//! # }
//! ```
//!
//! `Follower` (feature `follower`, on by default) is the task that keeps a `RevocationLog` up to date.
//! The feature `redis`, on by default, has [`RedisCache`]; `tls` adds `rediss://`. `ring` (on by default) and `aws-lc` are the
//! [backends](countersign::crypto) for seals; TLS is ring's in any case.
//!
//! What comes back from a store that others can write to is untrusted, unless a [`SealedCache`] authenticates it.
//!
//! [`CacheStore`]: countersign::cache::CacheStore

mod counter;
#[cfg(all(feature = "follower", any(feature = "aws-lc", feature = "ring")))]
mod follower;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod sealed;
mod tiered;

#[cfg(all(feature = "follower", any(feature = "aws-lc", feature = "ring")))]
pub use self::follower::Follower;
pub use self::memory::{MemoryCache, MemoryCacheBuilder};
#[cfg(feature = "redis")]
pub use self::redis::{RedisCache, RedisCacheBuilder};
pub use self::sealed::SealedCache;
pub use self::tiered::{TieredCache, TieredCacheBuilder};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
