//! The groups, each in a module of its name: `cargo xtask bench` finds them by their files.

mod authorization;
mod http;
mod rejections;
mod verification;

use crate::Group;

/// Every group there is.
pub const GROUPS: &[Group] = &[authorization::GROUP, http::GROUP, rejections::GROUP, verification::GROUP];

/// The groups of these names; all where there are none.
///
/// # Errors
/// The name that no group has.
pub fn named(names: &[String]) -> Result<Vec<&'static Group>, String> {
    if names.is_empty() {
        return Ok(GROUPS.iter().collect());
    }
    let find = |name: &String| GROUPS.iter().find(|group| group.name == name).ok_or_else(|| name.clone());
    names.iter().map(find).collect()
}
