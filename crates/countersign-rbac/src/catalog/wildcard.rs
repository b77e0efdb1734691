//! `*` and `posts:*`.

use crate::ids::{IdSet, Names, PermissionId};

/// Whether a granted name is a wildcard. Other names with a `*` are neither wildcards nor names.
pub(crate) fn is_one(name: &str) -> bool {
    name.strip_suffix('*').is_some_and(|prefix| {
        !prefix.contains('*') && (prefix.is_empty() || (prefix.len() > 1 && prefix.ends_with([':', '.', '/'])))
    })
}

/// Whether `wildcard` stands for the permission `name`.
pub(crate) fn matches(wildcard: &str, name: &str) -> bool {
    let rest = wildcard.strip_suffix('*').and_then(|prefix| name.strip_prefix(prefix));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// The permissions that it stands for, and how many they are.
pub(super) fn expand(wildcard: &str, permissions: &Names<PermissionId>) -> (IdSet<PermissionId>, usize) {
    let mut ids = permissions.no_ids();
    let mut count = 0;
    for id in permissions.iter().filter(|name| matches(wildcard, name)).filter_map(|name| permissions.find(name)) {
        ids.insert(id);
        count += 1;
    }
    (ids, count)
}
