//! May they? Requirements, decisions, and the seam [`Authorizer`].
//!
//! A [`Requirement`] says what a route asks; an [`Authorizer`] judges it. A guard without one judges scopes;
//! `RbacAuthorizer` of `countersign-rbac` judges roles and permissions as well; [policies](policy) judge
//! [actions](action) by conditions of the application's own. A tuple or a list of authorizers is one. The question that it
//! is asked, an [`AccessRequest`], may be about a [`Resource`]: a handler that has loaded one asks its
//! [`Check`](crate::screening::Check).
//!
//! ```
//! use countersign::authorize::{AccessRequest, Authorizer, Decision, ScopeAuthorizer, scopes};
//! use countersign::VerifiedToken;
//!
//! let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "scope": "posts:read"}))?;
//! let write = scopes(["posts:write"]);
//! let decision = ScopeAuthorizer.decide_now(&AccessRequest::new(&token, &write));
//! assert!(matches!(decision, Some(Decision::Deny(why)) if why.code == "missing_scope"));
//! # Ok::<(), countersign::claims::ClaimsError>(())
//! ```

mod attributes;
mod authorizer;
mod authzen;
mod leaves;
mod list;
pub mod policy;
mod proof;
mod request;
mod scopes;
mod shadow;

pub use crate::decision::{
    All, Any, Decision, Finding, Requirement, Requires, Trace, Why, action, any_permission, any_role, authenticated,
    permissions, role, scopes,
};
pub use attributes::{Attribute, Attributes};
pub use authorizer::Authorizer;
pub use proof::{AsResource, Authorized, Proof};
pub(crate) use request::Noted;
pub use request::{AccessRequest, Resource};
pub use scopes::ScopeAuthorizer;
pub use shadow::Shadowed;

#[cfg(test)]
mod tests;
