//! What a role amounts to once everything that it inherits is counted in.

use super::Own;
use crate::ids::{Id, IdSet, PermissionId, RoleId};

/// Roles and permissions held together.
#[derive(Clone, Debug)]
pub(crate) struct Grants {
    pub(crate) roles: IdSet<RoleId>,
    pub(crate) permissions: IdSet<PermissionId>,
}

impl Grants {
    pub(crate) fn insert_all(&mut self, others: &Self) {
        self.roles.insert_all(&others.roles);
        self.permissions.insert_all(&others.permissions);
    }
}

/// Adds to each role's own grants those of every role that it inherits from, directly or not.
///
/// The roles are visited in topological order and without recursion, so that the depth of a hierarchy is
/// bounded by memory and not by the stack.
///
/// # Errors
/// Roles that inherit from one another, each from the next and the last from the first.
pub(super) fn close(grants: &mut [Grants], own: &[Own]) -> Result<(), Vec<RoleId>> {
    let mut waiting: Vec<usize> = own.iter().map(|own| own.parents.len()).collect();
    let mut heirs: Vec<Vec<RoleId>> = vec![Vec::new(); own.len()];
    for (role, own) in own.iter().enumerate() {
        for parent in &own.parents {
            if let Some(heirs) = heirs.get_mut(parent.index()) {
                heirs.push(RoleId::new(role));
            }
        }
    }

    let is_free = |(role, waits): (usize, &usize)| (*waits == 0).then(|| RoleId::new(role));
    let mut closed: Vec<RoleId> = waiting.iter().enumerate().filter_map(is_free).collect();
    while let Some(role) = closed.pop() {
        for heir in heirs.get(role.index()).into_iter().flatten() {
            if let Ok([role, heir]) = grants.get_disjoint_mut([role.index(), heir.index()]) {
                heir.insert_all(role);
            }
            if let Some(waits) = waiting.get_mut(heir.index()) {
                *waits -= 1;
                if *waits == 0 {
                    closed.push(*heir);
                }
            }
        }
    }
    find_cycle(&waiting, own).map_or(Ok(()), Err)
}

/// A role that still waits has a parent that still waits: whoever follows them comes round.
fn find_cycle(waiting: &[usize], own: &[Own]) -> Option<Vec<RoleId>> {
    let waits = |role: RoleId| waiting.get(role.index()).is_some_and(|waits| *waits > 0);
    let mut next = RoleId::new(waiting.iter().position(|waits| *waits > 0)?);
    let mut path = Vec::new();
    loop {
        if let Some(start) = path.iter().position(|seen| *seen == next) {
            return Some(path.split_off(start));
        }
        path.push(next);
        next = own.get(next.index())?.parents.iter().copied().find(|parent| waits(*parent))?;
    }
}
