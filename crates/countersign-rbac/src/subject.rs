//! Who asks, in terms of the catalog.

use crate::catalog::{Catalog, Grants};
use crate::mapping::{ClaimsMapping, Found, Malformed};
use countersign::VerifiedToken;
use countersign::authorize::{Decision, Requirement, Why};

pub(crate) const fn deny(code: &'static str) -> Decision {
    Decision::Deny(Why::new("rbac", code))
}

/// The roles and permissions of one token, with all that they include.
#[derive(Debug)]
pub(crate) struct Subject<'c> {
    catalog: &'c Catalog,
    grants: Grants,
}

impl<'c> Subject<'c> {
    pub(crate) fn new(catalog: &'c Catalog, mapping: &ClaimsMapping, token: &VerifiedToken) -> Result<Self, Malformed> {
        let mut grants = catalog.no_grants();
        mapping.read(token.payload(), &mut |found| match found {
            Found::Permission(name) => {
                if let Some(id) = catalog.permission_id(name) {
                    grants.permissions.insert(id);
                }
            }
            // A role that is there already has brought its closed sets along. So a token costs one union for
            // each role of the catalog at most, however many names it holds and however often.
            Found::Role(name) => {
                let new = catalog.role_id(name).filter(|id| !grants.roles.contains(*id));
                if let Some(closed) = new.and_then(|id| catalog.closed_grants(id)) {
                    grants.insert_all(closed);
                }
            }
        })?;
        Ok(Self { catalog, grants })
    }

    /// Judges one requirement of roles or permissions.
    pub(crate) fn judge(&self, leaf: &Requirement) -> Decision {
        match leaf {
            Requirement::AnyRole(names) => {
                let held = names.iter().map(|name| Some(self.grants.roles.contains(self.catalog.role_id(name)?)));
                combine(held, false, "missing_role")
            }
            Requirement::AllPermissions(names) => combine(self.held(names), true, "missing_permission"),
            Requirement::AnyPermission(names) => combine(self.held(names), false, "missing_permission"),
            _ => deny("unknown_requirement"),
        }
    }

    fn held(&self, names: &[String]) -> impl Iterator<Item = Option<bool>> {
        names.iter().map(|name| Some(self.grants.permissions.contains(self.catalog.permission_id(name)?)))
    }
}

/// Allows when all, or any, are held. One name that the catalog does not know (`None`) spoils the whole list,
/// because nobody can tell what whoever wrote it meant.
fn combine(held: impl Iterator<Item = Option<bool>>, all: bool, missing: &'static str) -> Decision {
    let mut verdict = None;
    for held in held {
        let Some(held) = held else {
            return deny("unknown_name");
        };
        verdict = Some(verdict.map_or(held, |verdict| if all { verdict && held } else { verdict || held }));
    }
    match verdict {
        Some(true) => Decision::Allow,
        Some(false) => deny(missing),
        None => deny("empty"),
    }
}
