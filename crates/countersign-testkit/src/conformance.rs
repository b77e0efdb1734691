//! What every implementation of a seam must do, as tests that run against any of them.
//!
//! | seam | suite |
//! |---|---|
//! | [`TokenVerifier`](countersign::verify::TokenVerifier) | [`token_verifier`] |
//! | [`TokenExtractor`](countersign::extract::TokenExtractor) | [`token_extractor`] |
//! | [`KeyProvider`](countersign::provider::KeyProvider) | [`key_provider`] |
//! | [`RevocationCheck`](countersign::revocation::RevocationCheck) | [`revocation_check`], [`revocation_check_out_of_reach`] |
//! | [`Authorizer`](countersign::authorize::Authorizer) | [`authorizer`] |
//! | [`GrantPolicy`](countersign::authorize::policy::GrantPolicy), [`VetoPolicy`](countersign::authorize::policy::VetoPolicy) | [`grant_policy`], [`veto_policy`] |
//! | [`CacheStore`](countersign::cache::CacheStore) | [`cache_store`] |
//! | [`Renderer`](countersign::screening::Renderer) | [`renderer`] |
//! | [`Observer`](countersign::observe::Observer) | [`observer`] |
//! | [`RemoteSigner`](countersign::issue::RemoteSigner) | [`remote_signer`] |
//! | [`Backend`](countersign::crypto::Backend) | [`backend`] |
//! | `JwksFetch` of `countersign-keys` | [`jwks_fetch`] |
//! | [`Clock`](countersign::clock::Clock) | [`clock`](clock()) |
//! | an adapter of a framework | [`adapter`](crate::adapter) |
//!
//! A suite panics at the first rule that does not hold and names it.
//!
//! ```
//! use countersign::revocation::MemoryDenylist;
//! use countersign_testkit::conformance;
//! use std::time::{Duration, UNIX_EPOCH};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! // In a test of your own revocation check, which stands here for `MemoryDenylist`.
//! let revoke = async |list: &MemoryDenylist, issuer: &str, token_id: &str| {
//!     list.revoke_token(issuer, token_id, UNIX_EPOCH + Duration::from_secs(4_102_444_800));
//! };
//! conformance::revocation_check(async || MemoryDenylist::new(), revoke).await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod authorizer;
mod backend;
mod cache;
mod clock;
mod jwks_fetch;
mod key_provider;
mod observer;
mod policy;
mod remote_signer;
mod renderer;
mod revocation_check;
#[cfg(test)]
mod tests;
mod token_extractor;
mod token_verifier;

pub use authorizer::{AuthorizerSuite, authorizer};
pub use backend::backend;
pub use cache::cache_store;
pub use clock::clock;
pub use jwks_fetch::{FetchAnswered, FetchAsked, jwks_fetch};
pub use key_provider::{KeyProviderSuite, KeySource, key_provider};
pub use observer::observer;
pub use policy::{grant_policy, veto_policy};
pub use remote_signer::remote_signer;
pub use renderer::renderer;
pub use revocation_check::{revocation_check, revocation_check_out_of_reach};
pub use token_extractor::{Carried, token_extractor};
pub use token_verifier::{TokenVerifierSuite, token_verifier};

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// How long one answer may take, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many ask at the same time.
const CALLERS: usize = 32;

/// Polls it one time.
async fn once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}
