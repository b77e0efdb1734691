//! The guides in `docs/`: their code is compiled and run as doc tests of this crate.

#[doc = include_str!("../../docs/ACTIX.md")]
mod actix {}
#[doc = include_str!("../../docs/AXUM.md")]
mod axum {}
#[doc = include_str!("../../docs/CACHING.md")]
mod caching {}
#[doc = include_str!("../../docs/CONFIGURATION.md")]
mod configuration {}
#[doc = include_str!("../../docs/CUSTOM.md")]
mod custom {}
#[doc = include_str!("../../docs/DEPLOYMENT.md")]
mod deployment {}
#[doc = include_str!("../../docs/KEYS.md")]
mod keys {}
#[doc = include_str!("../../docs/MIGRATING.md")]
mod migrating {}
#[doc = include_str!("../../docs/POLICIES.md")]
mod policies {}
#[doc = include_str!("../../docs/REQUESTS.md")]
mod requests {}
#[doc = include_str!("../../docs/TESTING.md")]
mod testing {}
#[doc = include_str!("../../docs/WARP.md")]
mod warp {}
