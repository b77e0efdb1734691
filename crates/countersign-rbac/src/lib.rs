//! Roles and permissions for [`countersign`]: a catalog that is checked at start-up, decisions made from the
//! claims of a token.
//!
//! Use it where tokens say which roles or permissions their subject has, and the service knows what they
//! mean. Where scopes are enough, the core judges them alone. Where somebody else decides, or a decision
//! depends on the thing that is asked for, implement [`Authorizer`](countersign::authorize::Authorizer).
//!
//! [`RbacAuthorizer`] is what a [`Guard`](countersign::Guard) is given. It holds a [`Catalog`], which says
//! what the roles are worth, and a [`ClaimsMapping`] for each issuer, which says where in a token they stand.
//!
//! ```
//! use countersign::VerifiedToken;
//! use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement};
//! use countersign::authorize::{any_permission, permissions, role};
//! use countersign_rbac::{ClaimPath, ClaimsMapping, RbacAuthorizer};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rbac = RbacAuthorizer::builder()
//!     .role("editor", ["posts:read", "posts:write"])
//!     .role("admin", ["users:delete"])
//!     .inherits("admin", "editor")
//!     .permission("reports:read") // no role grants it: it stands in tokens only
//!     .mapping(ClaimsMapping::builder().roles(ClaimPath::pointer("/realm_access/roles")?).build()?)
//!     .build()?;
//!
//! // A name that the catalog does not know is found when the route is declared.
//! let error = rbac.accepts(&permissions(["posts:raed"])).unwrap_err();
//! assert_eq!(error.to_string(), "`require`: the permission `posts:raed` is not in the catalog");
//!
//! // A verifier makes these. Here we vouch for them ourselves.
//! let admin = VerifiedToken::vouched(&json!({"sub": "1", "realm_access": {"roles": ["admin"]}}))?;
//! let auditor = VerifiedToken::vouched(&json!({"sub": "2", "permissions": "reports:read"}))?;
//! let broken = VerifiedToken::vouched(&json!({"sub": "3", "realm_access": {"roles": {"admin": true}}}))?;
//!
//! let may = |token: &VerifiedToken, requirement: &Requirement| {
//!     rbac.decide_now(&AccessRequest::new(token, requirement)) == Some(Decision::Allow)
//! };
//! assert!(may(&admin, &role("editor").and(permissions(["posts:write", "users:delete"]))));
//! assert!(may(&auditor, &any_permission(["reports:read", "users:delete"])));
//! assert!(!may(&auditor, &role("editor")));
//! assert!(!may(&broken, &role("admin")));
//! # Ok(())
//! # }
//! ```
//!
//! # What there is beside
//!
//! - [`CatalogBuilder::file`] reads a policy in JSON, or in TOML (feature `toml`); [`permissions!`] and
//!   [`roles!`] hold names for the compiler to check, and a policy to them.
//! - [`LiveCatalog`] replaces the catalog while requests are judged.
//! - [`ClaimsMapping`] has presets for well-known issuers.
//! - [`RbacAuthorizer::informing`] shows roles and permissions to policies.
//! - [`Subject`] and [`Prepared`] answer many questions about one token.
//! - [`Catalog::matrix`], [`Catalog::review`] and [`RbacAuthorizer::explain`] say who has what, and why.
//! - [`require()`] is the form of the Flask extension.
//!
//! # What is decided how
//!
//! - Whoever has a role has every role that it inherits from, whichever way the question is put.
//! - The permissions of a token are those of its roles and those that it carries itself.
//! - A token with two mutually exclusive roles has no role and no permission.
//! - A list of roles asks for one of them. A list of permissions asks for all, unless it says `any`.
//! - Roles, permissions and scopes stay three things: a scope `admin` is not the role `admin`.
//! - A claim that is not of its form denies. So does a name that the catalog does not know, on the side of
//!   the requirement; on the side of the token it grants nothing, a `*` included.
//! - What a claim holds that the issuer keeps elsewhere is unknown, which is not "nothing": 503 and not 403.

mod authorizer;
mod catalog;
mod ids;
mod informed;
mod live;
mod mapping;
mod names;
mod prepared;
mod require;
pub mod review;
mod subject;

pub use authorizer::{RbacAuthorizer, RbacAuthorizerBuilder};
pub use catalog::{Catalog, CatalogBuilder};
pub use informed::Informed;
pub use live::{LiveCatalog, LostNames};
pub use mapping::{ClaimFormat, ClaimPath, ClaimSource, ClaimsMapping, ClaimsMappingBuilder};
#[doc(hidden)]
pub use names::__private;
pub use prepared::Prepared;
pub use require::require;
pub use subject::Subject;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
