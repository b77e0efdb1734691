//! A catalog's version where none is given.

use super::CatalogBuilder;
use super::name::Name;
use std::sync::Arc;

/// Sixteen hexadecimal digits that tell contents apart. They prove nothing: whoever may write the policy may
/// write its version too.
///
/// FNV-1a over each name with its length and kind, the names in order: it does not matter in which order the
/// policy says them, and the standard library's hasher may change from release to release.
pub(super) fn fingerprint(policy: &CatalogBuilder) -> Arc<str> {
    let mut lines: Vec<Vec<&str>> = Vec::new();
    lines.extend(policy.permissions.iter().map(|name| vec!["permission", name]));
    for (role, granted) in &policy.roles {
        lines.push(vec!["role", role]);
        lines.extend(granted.iter().map(|permission| vec!["grants", role, permission]));
    }
    lines.extend(policy.inherits.iter().map(|(role, inherited)| vec!["inherits", role, inherited]));
    for set in &policy.exclusive {
        let mut names: Vec<&str> = set.iter().map(Name::as_str).collect();
        names.sort_unstable();
        names.insert(0, "exclusive");
        lines.push(names);
    }
    lines.sort_unstable();
    lines.dedup();

    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for line in &lines {
        add(&(line.len() as u64).to_le_bytes());
        for name in line {
            add(&(name.len() as u64).to_le_bytes());
            add(name.as_bytes());
        }
    }
    format!("{hash:016x}").into()
}
