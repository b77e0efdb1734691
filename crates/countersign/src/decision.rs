//! The words of a decision: what is required, and the answer.

mod requirement;

pub use requirement::{Requirement, action, any_permission, any_role, authenticated, permissions, role, scopes};

/// The policy and the reason code behind a decision: constants, fit for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Why {
    /// The policy that decided.
    pub policy: &'static str,
    /// Its reason.
    pub code: &'static str,
}

impl Why {
    /// A policy and its reason.
    #[must_use]
    pub const fn new(policy: &'static str, code: &'static str) -> Self {
        Self { policy, code }
    }
}

/// The answer to "may they?". Exhaustive on purpose: a caller that forgets a case must not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// They may.
    Allow,
    /// They may not: 403.
    Deny(Why),
    /// Nobody can tell: 503. It never allows.
    Indeterminate(Why),
}
