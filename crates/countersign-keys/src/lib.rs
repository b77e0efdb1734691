//! Key providers for Countersign.
//!
//! - [`StaticKeys`]: keys from configuration: a JWK Set as text or file, PEM, a shared secret.
//! - [`JwksProvider`]: the keys that an issuer publishes, fetched over HTTPS (or read from a file that others replace),
//!   kept, and refreshed.
//! - [`LayeredKeys`] and [`FailoverKeys`]: several sources as one.
//! - [`presets`]: well-known issuers by name, with keys and rules.
//!
//! Providers are [`KeyProvider`](countersign::provider::KeyProvider)s: hand them to
//! [`JwtVerifier::builder`](countersign::JwtVerifier::builder).
//!
//! ```no_run
//! use countersign::JwtVerifier;
//! use countersign_keys::JwksProvider;
//!
//! let keys = JwksProvider::discover("https://tenant.auth0.com/").build()?;
//! let verifier = JwtVerifier::builder(keys).issuer("https://tenant.auth0.com/").audience("my-api").build()?;
//! # let _ = verifier;
//! # Ok::<(), countersign::ConfigError>(())
//! ```
//!
//! The feature `http` (on by default) has the HTTP client; without it, give [`JwksProvider`] a [`JwksFetch`] of your
//! own. `ring` (on by default) and `aws-lc` are the [backends](countersign::crypto) for signatures; TLS is ring's in any
//! case.

mod fetch;
mod file;
mod gate;
#[cfg(feature = "http")]
mod http;
mod jwks;
mod layers;
pub mod presets;
mod static_keys;

pub use fetch::{FetchError, FetchRequest, Fetched, JwksFetch, Validators};
#[cfg(feature = "http")]
pub use http::{HttpFetch, HttpFetchBuilder};
pub use jwks::{Health, JwksProvider, JwksProviderBuilder, KeysState, QuarantinedKey, RefreshError, UsableKey};
pub use layers::{FailoverKeys, LayeredKeys};
pub use static_keys::StaticKeys;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
