//! Who is asking, and may they?
//!
//! The core of Countersign: it verifies JSON Web Tokens, decides what their holders may do, and says no in the right words,
//! without a runtime, an HTTP client or a web framework. Depend on it alone if you write a library, a gateway, a key
//! provider or an adapter; a service usually adds `countersign-keys`, `countersign-rbac` and the adapter of its
//! framework.
//!
//! # A first program
//!
//! A route that takes tokens of one issuer, signed with a shared secret, and asks for a scope:
//!
//! ```
//! use countersign::authorize::scopes;
//! use countersign::request::RequestView;
//! use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
//! # use countersign::{SigningKey, issue::JwtSigner};
//!
//! let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
//! let verifier = JwtVerifier::builder(key)
//!     .algorithms([Algorithm::HS256])
//!     .issuer("https://issuer.example/")
//!     .audience("my-api")
//!     .build()?;
//! let may_read = Guard::builder(verifier).build()?.check(scopes(["posts:read"]))?;
//!
//! # let token = JwtSigner::new(SigningKey::from_secret(Algorithm::HS256, [7; 32])?).sign(&serde_json::json!({
//! #     "iss": "https://issuer.example/", "aud": "my-api", "sub": "ada", "exp": 4_000_000_000_u32, "scope": "posts:read",
//! # }))?;
//! # let authorization = format!("Bearer {token}");
//! let headers = [("authorization", authorization.as_str())];
//! let request = RequestView::new("GET", "/posts", None, &headers);
//! let answer = may_read.judge_now(&may_read.screening(None), &request).expect("a local key needs no waiting");
//! assert_eq!(answer?.subject(), Some("ada")); // or a `Denial`, ready to be sent
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With an adapter, the second half is one line of the router: `guard.require(scopes(["posts:read"]))`.
//!
//! # The road of a request
//!
//! A [`Guard`] asks its [extractors](extract) where the credential is, its [verifier](verify) whether it is true, its
//! [revocation check](revocation) whether it still counts, and, for a route with a [requirement](authorize), its
//! authorizer whether it suffices. What comes out is a [`VerifiedToken`] or a [`Denial`], which knows its status,
//! header fields and body.
//!
//! Each question has two forms: `…_now` answers from memory without waiting or says `None`, and an `async` method
//! answers for good. Implementors write the second and may add the first.
//!
//! # What is refused
//!
//! The algorithm comes from the key and never from the token; there is no `none`. Issuer and audience must be named.
//! `exp` is required. `crit`, duplicate top-level members, non-canonical base64url and unknown types of token are
//! refused before a key is asked for; duplicates in claims that are much to read, behind the signature. Each way to weaken
//! a check is a variant of [`danger::Danger`], or a method or function with `danger` in its path.
//!
//! # Chapters
//!
//! Each begins with what is found there, and an example. In the order in which they read best:
//!
//! 1. [`verify`]: is it true? [`JwtVerifier`] and its settings, verifiers of your own, and why a token is refused.
//! 2. [`keys`], [`jwk`] and [`provider`]: [`VerifyingKey`] and [`SigningKey`], published sets of keys, and where keys
//!    come from.
//! 3. [`claims`]: what a [`VerifiedToken`] says, read strictly and once.
//! 4. [`request`] and [`extract`]: a request as this crate sees it, and where its credential stands: header field, cookie,
//!    subprotocol.
//! 5. [`authorize`] and [`authorize::policy`]: may they? Requirements, decisions, authorizers, and conditions of your own.
//! 6. [`screening`]: all of it applied to one request, and to the connection that outlives it. For whoever writes an adapter.
//! 7. [`reason`], [`challenge`] and [`resource_metadata`]: why not, in names that are safe in logs, and what clients are told.
//! 8. [`revocation`] and [`cache`]: tokens and keys that are good no longer, in memory or for a fleet.
//! 9. [`observe`]: what happens, told to logs, metrics, or you.
//! 10. [`manifest`]: every route and what it asks, as data that a test can hold against a file.
//! 11. [`issue`] and [`cookie`]: tokens of your own, signed here or by a key service, and the cookie that carries one.
//! 12. [`jws`], [`crypto`] and [`secret`]: signatures over any bytes, the libraries that make them, and what is wiped.
//! 13. [`clock`]: time, injected, so that tests can set it.
//! 14. [`danger`]: every way to weaken a check, by name. Read it last.
//!
//! # Beside it
//!
//! | crate | brings |
//! |---|---|
//! | [`countersign-axum`](https://docs.rs/countersign-axum), [`countersign-actix`](https://docs.rs/countersign-actix), [`countersign-warp`](https://docs.rs/countersign-warp) | layers, extractors and guarded routers for a framework |
//! | [`countersign-keys`](https://docs.rs/countersign-keys) | keys from a JWKS address or OpenID discovery, refreshed and kept through outages |
//! | [`countersign-rbac`](https://docs.rs/countersign-rbac) | roles and permissions, from claims or from a live source |
//! | [`countersign-cache`](https://docs.rs/countersign-cache) | stores for what a fleet shares, in memory and in Redis |
//! | [`countersign-testkit`](https://docs.rs/countersign-testkit) | an issuer, a clock and conformance suites for tests |
//! | [`countersign-jsonwebtoken`](https://docs.rs/countersign-jsonwebtoken) | a bridge from and to the crate `jsonwebtoken`, and a backend in Rust alone |
//!
//! The guides stand in the repository's `docs/`: one for each framework (`AXUM.md`, `ACTIX.md`, `WARP.md`, and `CUSTOM.md` for
//! any other), `REQUESTS.md`, `KEYS.md`, `POLICIES.md`, `CACHING.md`, `CONFIGURATION.md`, `DEPLOYMENT.md`, `OBSERVABILITY.md`, `SCALE.md`,
//! `TESTING.md`, and two for who comes from elsewhere (`MIGRATING.md`, `MIGRATING_FROM_JSONWEBTOKEN.md`).
//!
//! # Features
//!
//! `ring`, on by default, and `aws-lc` are the [backends](crypto) for signatures; with both on, ring does what it has.
//! `tracing` and `metrics`, off by default, bring the [observers](observe) that write log lines and count; `token-cache` the
//! cache of verified tokens.

mod alg;
mod authority;
pub mod authorize;
mod base64url;
pub mod cache;
pub mod challenge;
mod changes;
pub mod claims;
pub mod clock;
mod config;
pub mod cookie;
pub mod crypto;
pub mod danger;
mod decision;
mod denial;
pub mod extract;
mod guard;
pub mod issue;
mod json;
pub mod jwk;
pub mod jws;
mod key;
mod key_error;
pub mod manifest;
pub mod observe;
pub mod provider;
pub mod reason;
pub mod request;
pub mod resource_metadata;
pub mod revocation;
mod rules;
pub mod secret;
mod token;
mod verifier;

pub use alg::Algorithm;
pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use config::ConfigError;
pub use denial::Denial;
pub use guard::Guard;
pub use key::{SigningKey, VerifyingKey};
pub use token::VerifiedToken;
pub use verifier::JwtVerifier;

/// What there is to know about keys beside [`VerifyingKey`] and [`SigningKey`]: how they are told apart, and why one is
/// refused.
///
/// ```
/// use countersign::keys::KeyError;
/// use countersign::{Algorithm, VerifyingKey};
///
/// let short = VerifyingKey::from_secret(Algorithm::HS256, *b"secret");
/// assert!(matches!(short, Err(KeyError::Weak(_))));
/// ```
pub mod keys {
    pub use crate::key::KeyIdentity;
    pub use crate::key_error::KeyError;
}

/// Is it true? The seam `TokenVerifier`, and what [`JwtVerifier`] is made with.
///
/// ```
/// use countersign::issue::JwtSigner;
/// use countersign::reason::Rejection;
/// use countersign::request::Credential;
/// use countersign::verify::{TokenVerifier, VerifyError};
/// use countersign::{Algorithm, JwtVerifier, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let verifier = JwtVerifier::builder(key.verifying_key().clone())
///     .issuer("https://issuer.example/")
///     .audience("my-api")
///     .build()?;
///
/// let token = JwtSigner::new(key).sign(&serde_json::json!({
///     "iss": "https://issuer.example/", "aud": "another-api", "sub": "7", "exp": 4_000_000_000_u32,
/// }))?;
/// let verdict = verifier.verify_now(&Credential::new("Bearer", &token)).expect("a local key needs no waiting");
/// assert!(matches!(verdict, Err(VerifyError::Rejected(Rejection::Audience))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod verify {
    pub use crate::token::UnverifiedToken;
    #[cfg(feature = "token-cache")]
    pub use crate::verifier::TokenCache;
    pub use crate::verifier::{
        Explanation, IssuerRouter, JwtVerifierBuilder, Outcome, Step, TokenVerifier, VerifyError,
    };
}

/// What adapters are made with: a [`Guard`] applied to one request, and to the connection that outlives it.
///
/// ```
/// use countersign::request::RequestView;
/// use countersign::screening::{Check, Screening};
/// use countersign::{Denial, VerifiedToken};
///
/// /// What stands before a handler, in any framework: the request as this crate sees it, and a question about it.
/// async fn before(check: &Check, outer: Option<&Screening>, request: &RequestView<'_>) -> Result<VerifiedToken, Denial> {
///     let screening = check.screening(outer); // kept with the request, so that extractors share its verdict
///     check.judge(&screening, request).await
/// }
/// ```
pub mod screening {
    pub use crate::denial::{BodyStyle, Refused, Rendered, Renderer};
    pub use crate::guard::{Check, GuardBuilder, HandOver, Lease, Limit, Screening, Tenure, Verdict};
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
