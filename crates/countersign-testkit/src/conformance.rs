//! What every implementation of a seam must do, as tests that run against any of them.
//!
//! A suite panics at the first rule that does not hold and names it.

mod cache;

pub use cache::cache_store;
