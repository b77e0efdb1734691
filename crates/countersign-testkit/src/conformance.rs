//! What every implementation of a seam must do, as tests that run against any of them.
//!
//! A suite panics at the first rule that does not hold and names it.

mod cache;
mod key_provider;

pub use cache::cache_store;
pub use key_provider::{KeyProviderSuite, KeySource, key_provider};
