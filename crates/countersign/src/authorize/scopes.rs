use super::{AccessRequest, Authorizer};
use crate::config::ConfigError;
use crate::decision::{Decision, Requirement, Why};
use crate::token::VerifiedToken;
use async_trait::async_trait;

/// Judges scopes, which stand in the token itself, and nothing else: what a guard has when it is given no other.
///
/// ```
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, ScopeAuthorizer, role, scopes};
/// use countersign::VerifiedToken;
///
/// // RFC 8693 writes one string, some providers a list in `scp`.
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "scope": "posts:read posts:write"}))?;
/// let both = scopes(["posts:write", "posts:read"]);
/// assert_eq!(ScopeAuthorizer.decide_now(&AccessRequest::new(&token, &both)), Some(Decision::Allow));
/// assert!(ScopeAuthorizer.accepts(&role("admin")).is_err());
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeAuthorizer;

impl ScopeAuthorizer {
    /// The decision on a leaf that needs no catalog; `None` for roles and permissions.
    #[must_use]
    pub fn decide_leaf(leaf: &Requirement, token: &VerifiedToken) -> Option<Decision> {
        match leaf {
            Requirement::Authenticated => Some(Decision::Allow),
            Requirement::Scopes(scopes) if !scopes.is_empty() && scopes.iter().all(|scope| token.has_scope(scope)) => {
                Some(Decision::Allow)
            }
            Requirement::Scopes(_) => Some(Decision::Deny(Why::new("scopes", "missing_scope"))),
            _ => None,
        }
    }

    pub(super) fn judge(request: &AccessRequest<'_>) -> Decision {
        let decision = request.requirement.decide(&mut |leaf| {
            Self::decide_leaf(leaf, request.token)
                .unwrap_or_else(|| request.unjudged(Why::new("scopes", "not_a_scope")))
        });
        match decision {
            Decision::Allow => request.allow(Why::new("scopes", "held")),
            other => other,
        }
    }
}

#[async_trait]
impl Authorizer for ScopeAuthorizer {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        requirement.each_leaf(&mut |leaf| {
            if self.judges(leaf) {
                return Ok(());
            }
            let leaf = leaf.to_string();
            let problem = format!("`ScopeAuthorizer`, the default, cannot judge `{}`", leaf.escape_debug());
            Err(ConfigError::new("authorizer", problem))
        })
    }

    /// Asked of each leaf of each request in a list, so no error is built to be dropped.
    fn judges(&self, leaf: &Requirement) -> bool {
        matches!(leaf, Requirement::Authenticated | Requirement::Scopes(_))
    }

    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        Some(Self::judge(request))
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        Self::judge(request)
    }
}
