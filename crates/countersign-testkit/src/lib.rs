//! For tests of Countersign, and of what is built on it.
//!
//! Depend on it in `[dev-dependencies]`: to have an issuer whose tokens are good, or bad in a way that has a name ([`issuer`]),
//! to set the time by hand ([`clock`]), to have a server that publishes keys and misbehaves as told ([`jwks_server`]), to have a
//! real server beside a test ([`redis_server`]) and a bad way to it ([`redis_proxy`]), and, above all, if you implement one of
//! the seams: [`conformance`] holds the rules that your implementation must keep, and runs them against it.
//!
//! `docs/TESTING.md` shows how to test a protected app of each framework.
//!
//! What goes wrong here is a panic with its reason: that is how a test fails.
//!
//! ```
//! use countersign::Guard;
//! use countersign::authorize::scopes;
//! use countersign::request::RequestView;
//! use countersign_testkit::issuer::{Broken, TestIssuer};
//!
//! let issuer = TestIssuer::new();
//! let read = Guard::builder(issuer.verifier()).build()?.check(scopes(["posts:read"]))?;
//! let status = |authorization: &str| {
//!     let headers = [("authorization", authorization)];
//!     let request = RequestView::new("GET", "/posts", None, &headers);
//!     let answer = read.judge_now(&read.screening(None), &request).expect("a local key needs no waiting");
//!     answer.map_or_else(|denial| denial.status(), |_| 200)
//! };
//! assert_eq!(status(&issuer.subject("7").scope("posts:read").bearer()), 200);
//! assert_eq!(status(&issuer.subject("7").bearer()), 403);
//! assert_eq!(status(&issuer.broken_bearer(Broken::Expired)), 401);
//! # Ok::<(), countersign::ConfigError>(())
//! ```
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed expectation is what tests are for"
)]

pub mod adapter;
pub mod client;
pub mod clock;
pub mod conformance;
pub mod issuer;
pub mod jwks_server;
pub mod redis_proxy;
pub mod redis_server;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
