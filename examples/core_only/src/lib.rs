//! Five seams of Countersign, implemented by somebody who has the core crate and nothing else.
//!
//! `[dependencies]` of this package names `countersign` alone: what an implementor needs besides,
//! `async_trait` and `Bytes`, the core re-exports. Copy the piece that comes closest to yours.
//!
//! | Question | Seam | Here |
//! |---|---|---|
//! | Where does the key come from? | [`KeyProvider`] | [`keys_by_tenant`] |
//! | Is it true? | [`TokenVerifier`] | [`basic`] |
//! | Does it still count? | [`RevocationCheck`] | [`session_list`] |
//! | Does it suffice? | [`Authorizer`] | [`office_hours`] |
//! | Where is it kept meanwhile? | [`CacheStore`] | [`map_store`] |
//!
//! Their tests run the suites of `countersign_testkit::conformance`; that of [`map_store`] stands beside it.
//!
//! [`KeyProvider`]: countersign::provider::KeyProvider
//! [`TokenVerifier`]: countersign::verify::TokenVerifier
//! [`RevocationCheck`]: countersign::revocation::RevocationCheck
//! [`Authorizer`]: countersign::authorize::Authorizer
//! [`CacheStore`]: countersign::cache::CacheStore
//!
//! Three things to look at in each of them:
//!
//! - Which answer is "no" and which is "nobody can tell". The first becomes a 401 or 403, the second a 503.
//! - Whose name is meant. A `sub` or a `jti` is unique within its issuer only, so the issuer is compared.
//! - Which methods are there. [`office_hours`] has the asynchronous method alone, which is enough; the others
//!   answer from memory as well, and an adapter then need not wait.
//!
//! ```
//! use core_only::basic::BasicVerifier;
//! use core_only::session_list::SessionList;
//! use countersign::Guard;
//! use countersign::extract::HeaderExtractor;
//! use countersign::request::RequestView;
//! use countersign::secret::Secret;
//!
//! let sessions = SessionList::of("https://staff.example/");
//! sessions.load(Some(["reader".to_owned()].into()));
//! let accounts = BasicVerifier::new("https://staff.example/")?
//!     .account("reader", &Secret::new("an example password"), "posts:read")?;
//! let guard = Guard::builder(accounts)
//!     .extractor(HeaderExtractor::new("authorization")?.prefix("Basic")?)
//!     .realm("staff")
//!     .revocation(sessions)
//!     .build()?;
//!
//! let check = guard.check_authenticated();
//! let judge = |authorization: &str| {
//!     let headers = [("authorization", authorization)];
//!     let request = RequestView::new("GET", "/posts", None, &headers);
//!     check.judge_now(&check.screening(None), &request).expect("nothing to wait for")
//! };
//! assert!(judge("Basic cmVhZGVyOmFuIGV4YW1wbGUgcGFzc3dvcmQ=").is_ok());
//!
//! let denial = judge("Basic cmVhZGVyOmd1ZXNz").unwrap_err();
//! assert_eq!(denial.status(), 401);
//! assert_eq!(denial.challenges().next(), Some(r#"Basic realm="staff", charset="UTF-8""#));
//! # Ok::<(), countersign::ConfigError>(())
//! ```

pub mod basic;
pub mod keys_by_tenant;
pub mod map_store;
pub mod office_hours;
pub mod session_list;

#[cfg(test)]
mod tests;
