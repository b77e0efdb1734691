//! Who is asking, and may they?
//!
//! The core of Countersign: JSON Web Signatures, JWT verification, and the seams of an authorization system, without
//! a runtime, an HTTP client or a web framework. Depend on it alone if you write a library, a gateway, a key
//! provider or an adapter; a service usually adds `countersign-keys`, `countersign-rbac` and the adapter of its
//! framework.
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
//! refused before a key is asked for. Each way to weaken a check is a variant of [`danger::Danger`], or a method or
//! function with `danger` in its path.
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

/// What there is to know about keys beside [`VerifyingKey`] and [`SigningKey`].
pub mod keys {
    pub use crate::key::KeyIdentity;
    pub use crate::key_error::KeyError;
}

/// Is it true? The seam `TokenVerifier`, and what [`JwtVerifier`] is made with.
pub mod verify {
    pub use crate::token::UnverifiedToken;
    #[cfg(feature = "token-cache")]
    pub use crate::verifier::TokenCache;
    pub use crate::verifier::{
        Explanation, IssuerRouter, JwtVerifierBuilder, Outcome, Step, TokenVerifier, VerifyError,
    };
}

/// What adapters are made with: a [`Guard`] applied to one request, and to the connection that outlives it.
pub mod screening {
    pub use crate::denial::{BodyStyle, Refused, Rendered, Renderer};
    pub use crate::guard::{Check, GuardBuilder, HandOver, Lease, Limit, Screening, Tenure, Verdict};
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
