use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, ScopeAuthorizer, Why};
use countersign::{ConfigError, VerifiedToken, async_trait};
use serde::Deserialize;

/// Who may what in the worlds: a reader reads, and an admin, who is a reader too, writes.
#[derive(Debug)]
pub(super) struct Catalog;

/// A role, the roles that its holder has, and the permissions.
const ROLES: [(&str, &[&str], &[&str]); 2] =
    [("reader", &["reader"], &["posts:read"]), ("admin", &["admin", "reader"], &["posts:read", "posts:write"])];

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    roles: Vec<String>,
}

impl Catalog {
    fn knows(leaf: &Requirement) -> bool {
        let is_role = |name: &String| ROLES.iter().any(|(role, ..)| name == role);
        let is_permission = |name: &String| ROLES.iter().any(|(.., may)| may.contains(&name.as_str()));
        match leaf {
            Requirement::Authenticated | Requirement::Scopes(_) => true,
            Requirement::AnyRole(names) => names.iter().all(is_role),
            Requirement::AllPermissions(names) | Requirement::AnyPermission(names) => names.iter().all(is_permission),
            _ => false,
        }
    }

    fn is_met(leaf: &Requirement, token: &VerifiedToken) -> bool {
        // Claims that do not fit give nobody a role.
        let held = token.claims::<Claims>().map(|claims| claims.roles).unwrap_or_default();
        let held = || ROLES.iter().filter(|(role, ..)| held.iter().any(|name| name == role));
        let has_role = |name: &String| held().any(|(_, roles, _)| roles.contains(&name.as_str()));
        let may = |name: &String| held().any(|(.., may)| may.contains(&name.as_str()));
        match leaf {
            Requirement::AnyRole(names) => names.iter().any(has_role),
            Requirement::AllPermissions(names) => names.iter().all(may),
            Requirement::AnyPermission(names) => names.iter().any(may),
            _ => false,
        }
    }

    fn judge(request: &AccessRequest<'_>) -> Decision {
        request.requirement.decide(&mut |leaf| {
            if !Self::knows(leaf) {
                return request.unjudged(Why::new("catalog", "unknown_name"));
            }
            ScopeAuthorizer::decide_leaf(leaf, request.token).unwrap_or_else(|| {
                if Self::is_met(leaf, request.token) {
                    Decision::Allow
                } else {
                    Decision::Deny(Why::new("catalog", "not_held"))
                }
            })
        })
    }
}

#[async_trait]
impl Authorizer for Catalog {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        requirement.each_leaf(&mut |leaf| {
            if Self::knows(leaf) {
                Ok(())
            } else {
                Err(ConfigError::new("require", "names what the catalog does not know"))
            }
        })
    }

    fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        Some(Self::judge(request))
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        Self::judge(request)
    }
}
