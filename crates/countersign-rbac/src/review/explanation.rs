//! Why a token may, or may not.

use super::GrantSource;
use super::table::{Table, plain};
use crate::catalog::{Catalog, Grants};
use crate::ids::{PermissionId, RoleId};
use crate::mapping::{ClaimsMapping, Kind, Trouble};
use crate::subject::Subject;
use countersign::VerifiedToken;
use countersign::authorize::{Decision, Requirement};
use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt;

/// Why a requirement is met by a token, or is not. [`RbacAuthorizer::explain`](crate::RbacAuthorizer::explain)
/// makes it, for operators and their logs: it says what the catalog knows, which no client should be told. It
/// holds names of the catalog, the requirement and the mapping, and no other text of the token.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{Decision, permissions};
/// use countersign_rbac::RbacAuthorizer;
/// use countersign_rbac::review::Standing;
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rbac = RbacAuthorizer::builder().role("admin", ["users:delete"]).build()?;
/// let somebody = VerifiedToken::vouched(&json!({"sub": "7"}))?;
///
/// // "Why 403?" What they lack, and who could be made of them.
/// let explanation = rbac.explain(&somebody, &permissions(["users:delete"]));
/// assert!(matches!(explanation.decision, Decision::Deny(why) if why.code == "missing_permission"));
/// assert_eq!(explanation.findings[0].standing, Standing::Missing(vec!["admin".to_owned()]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// What the authorizer decides.
    pub decision: Decision,
    /// The [version](Catalog::version) of the catalog.
    pub version: String,
    /// What keeps the token's roles and permissions from counting.
    pub problem: Option<Problem>,
    /// Each name in the requirement, once.
    pub findings: Vec<Finding>,
}

/// What keeps the roles and permissions of a token from counting.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::role;
/// use countersign_rbac::RbacAuthorizer;
/// use countersign_rbac::review::Problem;
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rbac = RbacAuthorizer::builder().role("admin", ["users:delete"]).build()?;
/// let odd = VerifiedToken::vouched(&json!({"sub": "7", "roles": {"admin": true}}))?;
/// let explanation = rbac.explain(&odd, &role("admin"));
/// assert_eq!(explanation.problem, Some(Problem::MalformedClaim(Some("/roles".to_owned()))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Nobody said which claims hold roles in tokens of this issuer.
    UnmappedIssuer,
    /// This claim is not of its form; `None` where it cannot be told which.
    MalformedClaim(Option<String>),
    /// The token has these roles, which exclude one another.
    ExclusiveRoles(Vec<String>),
    /// The issuer keeps this claim elsewhere, so that what is missing is unknown.
    ClaimElsewhere(String),
}

/// What is asked for by a name.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{permissions, role};
/// use countersign_rbac::RbacAuthorizer;
/// use countersign_rbac::review::Asked;
///
/// let rbac = RbacAuthorizer::builder().role("admin", ["users:delete"]).build()?;
/// let somebody = VerifiedToken::vouched(&serde_json::json!({"sub": "7"}))?;
/// let explanation = rbac.explain(&somebody, &role("admin").and(permissions(["users:delete"])));
/// assert!(explanation.findings.iter().map(|finding| finding.asked).eq([Asked::Role, Asked::Permission]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// A role.
    Role,
    /// A permission.
    Permission,
    /// A scope.
    Scope,
}

/// A name in a requirement, and how the token stands to it.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::permissions;
/// use countersign_rbac::RbacAuthorizer;
/// use countersign_rbac::review::Standing;
///
/// let rbac = RbacAuthorizer::builder().role("reader", ["posts:read"]).role("writer", ["posts:write"]).build()?;
/// let reader = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "roles": ["reader"]}))?;
/// let explanation = rbac.explain(&reader, &permissions(["posts:read", "posts:write"]));
///
/// // What they lack, for whoever may give it to them.
/// let lacks = explanation.findings.iter().filter(|finding| matches!(finding.standing, Standing::Missing(_)));
/// assert!(lacks.map(|finding| finding.name.as_str()).eq(["posts:write"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What the name is.
    pub asked: Asked,
    /// The name.
    pub name: String,
    /// Whether the token has it.
    pub standing: Standing,
}

/// Whether a token has what is asked for.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::role;
/// use countersign_rbac::RbacAuthorizer;
/// use countersign_rbac::review::Standing;
///
/// let rbac = RbacAuthorizer::builder().role("reader", ["posts:read"]).build()?;
/// let somebody = VerifiedToken::vouched(&serde_json::json!({"sub": "7"}))?;
/// let standing = |name: &str| rbac.explain(&somebody, &role(name)).findings.remove(0).standing;
/// assert_eq!(standing("reader"), Standing::Missing(vec!["reader".to_owned()]));
/// assert_eq!(standing("raeder"), Standing::Unknown);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It has, in each of these ways. A scope has none: it stands in the token.
    Held(Vec<Origin>),
    /// It has not. These roles would give it.
    Missing(Vec<String>),
    /// The catalog does not know the name, perhaps no longer.
    Unknown,
}

/// One way in which a token comes by a role or permission.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::permissions;
/// use countersign_rbac::RbacAuthorizer;
/// use countersign_rbac::review::Standing;
///
/// let rbac = RbacAuthorizer::builder().role("reader", ["posts:read"]).build()?;
/// let reader = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "roles": ["reader"]}))?;
/// let explanation = rbac.explain(&reader, &permissions(["posts:read"]));
/// let Standing::Held(ways) = &explanation.findings[0].standing else { unreachable!("a reader reads") };
/// assert_eq!((ways[0].claim.as_str(), ways[0].role.as_deref()), ("/roles", Some("reader")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The claim, as a JSON Pointer.
    pub claim: String,
    /// The role that it names; `None` where it names the permission itself.
    pub role: Option<String>,
    /// How that role comes by the permission. `None` where a role is asked for.
    pub grant: Option<GrantSource>,
}

/// A name in a claim, by its number in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Named {
    Role(RoleId),
    Permission(PermissionId),
}

/// What the claims of a token name, and what is wrong with them.
fn claims(
    catalog: &Catalog,
    mapping: Option<&ClaimsMapping>,
    token: &VerifiedToken,
) -> (Vec<(String, Named)>, Option<Problem>) {
    let Some(mapping) = mapping else {
        return (Vec::new(), Some(Problem::UnmappedIssuer));
    };
    let (mut named, mut seen) = (Vec::new(), HashSet::new());
    let read = mapping.read(token, &mut |found| {
        let id = match found.source.kind() {
            Kind::Roles => catalog.role_id(found.name).map(Named::Role),
            Kind::Permissions => catalog.permission_id(found.name).map(Named::Permission),
        };
        let entry = id.map(|id| (found.source.path().to_string(), id));
        if let Some(entry) = entry.filter(|entry| seen.insert(entry.clone())) {
            named.push(entry);
        }
    });
    let problem = match read {
        Ok(()) => None,
        Err(Trouble::Elsewhere(source)) => Some(Problem::ClaimElsewhere(source.path().to_string())),
        Err(Trouble::Malformed(source)) => {
            return (Vec::new(), Some(Problem::MalformedClaim(source.map(|source| source.path().to_string()))));
        }
    };
    let mut grants: Grants = catalog.no_grants();
    for (_, named) in &named {
        if let Named::Role(role) = named {
            catalog.closed_grants(*role).into_iter().for_each(|closed| grants.insert_all(closed));
        }
    }
    match catalog.exclusions().iter().find(|set| set.is_broken_by(&grants)) {
        Some(set) => {
            let held = set.roles.iter().filter(|role| grants.roles.contains(**role));
            let names = held.filter_map(|role| catalog.role_name(*role)).map(str::to_owned).collect();
            (Vec::new(), Some(Problem::ExclusiveRoles(names)))
        }
        None => (named, problem),
    }
}

impl Explanation {
    pub(crate) fn new(
        subject: &Subject,
        mapping: Option<&ClaimsMapping>,
        token: &VerifiedToken,
        requirement: &Requirement,
    ) -> Self {
        let catalog = subject.catalog();
        let (named, problem) = claims(catalog, mapping, token);
        let mut findings: Vec<Finding> = Vec::new();
        let mut add = |asked, names: &[String]| {
            for name in names {
                if findings.iter().any(|known| known.asked == asked && known.name == *name) {
                    continue;
                }
                let standing = match asked {
                    Asked::Role => of_role(catalog, &named, name),
                    Asked::Permission => of_permission(catalog, &named, name),
                    Asked::Scope if token.has_scope(name) => Standing::Held(Vec::new()),
                    Asked::Scope => Standing::Missing(Vec::new()),
                };
                findings.push(Finding { asked, name: name.clone(), standing });
            }
        };
        let Ok(()) = requirement.each_leaf::<Infallible>(&mut |leaf| {
            match leaf {
                Requirement::AnyRole(names) => add(Asked::Role, names),
                Requirement::AllPermissions(names) | Requirement::AnyPermission(names) => add(Asked::Permission, names),
                Requirement::Scopes(names) => add(Asked::Scope, names),
                _ => {}
            }
            Ok(())
        });
        Self { decision: subject.decide_by_name(requirement), version: catalog.version().to_owned(), problem, findings }
    }
}

fn of_role(catalog: &Catalog, named: &[(String, Named)], name: &str) -> Standing {
    let Some(asked) = catalog.role_id(name) else {
        return Standing::Unknown;
    };
    let includes = |role| catalog.closed_grants(role).is_some_and(|closed| closed.roles.contains(asked));
    let origins = named.iter().filter_map(|(claim, named)| match named {
        Named::Role(role) if includes(*role) => {
            Some(Origin { claim: claim.clone(), role: catalog.role_name(*role).map(str::to_owned), grant: None })
        }
        _ => None,
    });
    or_missing(origins.collect(), || catalog.roles().filter(|role| catalog.includes(role, name)))
}

fn of_permission(catalog: &Catalog, named: &[(String, Named)], name: &str) -> Standing {
    let Some(asked) = catalog.permission_id(name) else {
        return Standing::Unknown;
    };
    let mut origins = Vec::new();
    for (claim, named) in named {
        match named {
            Named::Permission(id) if *id == asked => {
                origins.push(Origin { claim: claim.clone(), role: None, grant: None });
            }
            Named::Permission(_) => {}
            Named::Role(role) => {
                let named = catalog.role_name(*role).map(str::to_owned);
                let origin = |grant| Origin { claim: claim.clone(), role: named.clone(), grant: Some(grant) };
                origins.extend(catalog.grants_of(*role, asked).into_iter().map(origin));
            }
        }
    }
    or_missing(origins, || catalog.roles().filter(|role| catalog.grants(role, name)))
}

fn or_missing<'c, R: Iterator<Item = &'c str>>(origins: Vec<Origin>, givers: impl FnOnce() -> R) -> Standing {
    if origins.is_empty() {
        return Standing::Missing(givers().map(str::to_owned).collect());
    }
    Standing::Held(origins)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnmappedIssuer => f.write_str("no mapping says which claims of this issuer hold roles"),
            Self::MalformedClaim(Some(claim)) => write!(f, "the claim {claim} is not of its form"),
            Self::MalformedClaim(None) => f.write_str("a claim is not of its form"),
            Self::ExclusiveRoles(roles) => write!(f, "the roles {} exclude one another", roles.join(" and ")),
            Self::ClaimElsewhere(claim) => write!(f, "the issuer keeps the claim {claim} elsewhere"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.claim)?;
        if let Some(role) = &self.role {
            write!(f, " has {role}")?;
        }
        match &self.grant {
            None => Ok(()),
            Some(GrantSource { role, wildcard, .. }) => {
                if self.role.as_ref() != Some(role) {
                    write!(f, ", which inherits {role}")?;
                }
                write!(f, ", which grants {}", wildcard.as_deref().unwrap_or("it"))
            }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decision {
            Decision::Allow => f.write_str("allowed"),
            Decision::Deny(why) => write!(f, "denied: {}", why.code),
            Decision::Indeterminate(why) => write!(f, "indeterminate: {}", why.code),
        }?;
        writeln!(f, ", catalog {}", plain(&self.version))?;
        if let Some(problem) = &self.problem {
            writeln!(f, "{}", plain(&problem.to_string()))?;
        }
        let mut table = Table::new(["asked for", "held", "why"]);
        for Finding { asked, name, standing } in &self.findings {
            let kind = match asked {
                Asked::Role => "role",
                Asked::Permission => "permission",
                Asked::Scope => "scope",
            };
            let mut row = |held: &str, why: String| table.row([format!("{kind} {name}"), held.to_owned(), why]);
            match (standing, asked) {
                (Standing::Held(_), Asked::Scope) => row("yes", "the token has it".to_owned()),
                (Standing::Held(origins), _) => origins.iter().for_each(|origin| row("yes", origin.to_string())),
                (Standing::Missing(_), Asked::Scope) => row("no", "the token has it not".to_owned()),
                (Standing::Missing(roles), _) if roles.is_empty() => row("no", "no role gives it".to_owned()),
                (Standing::Missing(roles), _) => row("no", format!("given by {}", roles.join(", "))),
                (Standing::Unknown, _) => row("no", "not in the catalog".to_owned()),
            }
        }
        write!(f, "{table}")
    }
}
