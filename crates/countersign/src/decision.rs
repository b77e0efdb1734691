//! The words of a decision: what is required, and the answer.

mod requirement;
mod requires;
mod trace;

pub use requirement::{Requirement, action, any_permission, any_role, authenticated, permissions, role, scopes};
pub use requires::{All, Any, Requires};
pub use trace::{Finding, Trace};

use serde::Serialize;
use std::fmt;

/// The policy and the reason code behind a decision: constants, fit for logs.
///
/// ```
/// use countersign::authorize::Why;
///
/// const CLOSED: Why = Why::new("opening_hours", "closed");
/// assert_eq!(CLOSED.to_string(), "opening_hours/closed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.policy, self.code)
    }
}

/// Of no decisions at all.
const NOTHING: Decision = Decision::Deny(Why::new("requirement", "empty"));

/// The answer to "may they?". Exhaustive on purpose: a caller that forgets a case must not compile.
///
/// ```
/// use countersign::authorize::{Decision, Why};
///
/// fn status(decision: Decision) -> u16 {
///     match decision {
///         Decision::Allow => 200,
///         Decision::Deny(_) => 403,
///         Decision::Indeterminate(_) => 503,
///     }
/// }
/// assert_eq!(status(Decision::Indeterminate(Why::new("roles", "database_down"))), 503);
/// ```
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

impl Decision {
    /// The conjunction in three-valued logic: a denial outweighs an indeterminate answer. Nothing is asked after the first
    /// denial; of several reasons the first one stands. Of nothing at all it is a denial.
    ///
    /// ```
    /// use countersign::authorize::{Decision, Why};
    ///
    /// let no = Decision::Deny(Why::new("example", "no"));
    /// let open = Decision::Indeterminate(Why::new("example", "down"));
    /// assert_eq!(Decision::all_of([Decision::Allow, open, no]), no);
    /// assert_eq!(Decision::any_of([no, open, Decision::Allow]), Decision::Allow);
    /// assert!(matches!(Decision::all_of([]), Decision::Deny(_)));
    /// ```
    pub fn all_of(decisions: impl IntoIterator<Item = Self>) -> Self {
        let mut all = None;
        for decision in decisions {
            match (decision, all) {
                (Self::Deny(_), _) => return decision,
                (Self::Indeterminate(_), None | Some(Self::Allow)) | (Self::Allow, None) => all = Some(decision),
                _ => {}
            }
        }
        all.unwrap_or(NOTHING)
    }

    /// The alternative in three-valued logic: a permission outweighs an indeterminate answer, and that a denial. Nothing is
    /// asked after the first permission; of several reasons the first one stands. Of nothing at all it is a denial.
    ///
    /// ```
    /// use countersign::authorize::{Decision, Why};
    ///
    /// let no = Decision::Deny(Why::new("owner", "someone_else"));
    /// let down = Decision::Indeterminate(Why::new("friends", "unreachable"));
    /// // A friend may, and nobody can tell who is one: that is no denial yet, and no permission either.
    /// assert_eq!(Decision::any_of([no, down]), down);
    /// ```
    pub fn any_of(decisions: impl IntoIterator<Item = Self>) -> Self {
        let mut any = None;
        for decision in decisions {
            match (decision, any) {
                (Self::Allow, _) => return decision,
                (Self::Indeterminate(_), None | Some(Self::Deny(_))) | (Self::Deny(_), None) => any = Some(decision),
                _ => {}
            }
        }
        any.unwrap_or(NOTHING)
    }

    /// The name for logs and metric labels: `allow`, `deny` or `indeterminate`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny(_) => "deny",
            Self::Indeterminate(_) => "indeterminate",
        }
    }

    /// Why not.
    ///
    /// ```
    /// use countersign::authorize::{Decision, Why};
    ///
    /// let no = Decision::Deny(Why::new("owner", "someone_else"));
    /// assert_eq!((no.name(), no.why().map(|why| why.code)), ("deny", Some("someone_else")));
    /// assert_eq!(Decision::Allow.why(), None);
    /// ```
    #[must_use]
    pub fn why(self) -> Option<Why> {
        match self {
            Self::Allow => None,
            Self::Deny(why) | Self::Indeterminate(why) => Some(why),
        }
    }
}
