//! Names that the compiler checks.

/// Declares permissions once: a module with a type for each, whose `NAME` is what tokens and policies say, and
/// `NAMES` with all of them. Each type [`Requires`](countersign::authorize::Requires) its permission, so that handlers
/// can ask for it: `Require<perm::PostsWrite>`, `Require<All<(perm::PostsRead, perm::PostsWrite)>>`.
///
/// A misspelt type does not compile, nor does a name that stands twice, is empty, or has a `*`. Given to
/// [`only_permissions`](crate::CatalogBuilder::only_permissions), the same names hold a policy file to what
/// the code knows.
///
/// ```
/// use countersign::authorize::permissions;
/// use countersign_rbac::{Catalog, RbacAuthorizer};
///
/// countersign_rbac::permissions! {
///     /// What may be done in the blog.
///     pub mod perm {
///         PostsRead = "posts:read",
///         /// Writing includes deleting.
///         PostsWrite = "posts:write",
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let catalog = Catalog::builder()
///     .only_permissions(perm::NAMES)
///     .role("reader", [perm::PostsRead])
///     .role("editor", [perm::PostsRead::NAME, perm::PostsWrite::NAME])
///     .build()?;
/// let rbac = RbacAuthorizer::new(catalog);
/// let write = rbac.prepare(permissions([perm::PostsWrite]))?;
/// # let _ = write;
/// # Ok(())
/// # }
/// ```
///
/// One name for two permissions (the compiler says: `` `PostsWrite`: the permission `posts:read` is declared twice ``):
///
/// ```compile_fail,E0080
/// countersign_rbac::permissions! {
///     pub mod perm {
///         PostsRead = "posts:read",
///         PostsWrite = "posts:read",
///     }
/// }
/// ```
///
/// No name, and a wildcard:
///
/// ```compile_fail,E0080
/// countersign_rbac::permissions! { pub mod perm { PostsRead = "" } }
/// ```
///
/// ```compile_fail,E0080
/// countersign_rbac::permissions! { pub mod perm { PostsAll = "posts:*" } }
/// ```
///
/// A permission that is not declared:
///
/// ```compile_fail,E0433
/// countersign_rbac::permissions! { pub mod perm { PostsRead = "posts:read" } }
/// assert_eq!(perm::PostsRaed::NAME, "posts:read");
/// ```
///
/// Two permissions with one type:
///
/// ```compile_fail,E0428
/// countersign_rbac::permissions! { pub mod perm { PostsRead = "posts:read", PostsRead = "posts:write" } }
/// ```
#[macro_export]
macro_rules! permissions {
    ($($declared:tt)*) => { $crate::__names! { "permission", "*", permissions, $($declared)* } };
}

/// Declares roles once, as [`permissions!`](crate::permissions!) does permissions. Given to
/// [`only_roles`](crate::CatalogBuilder::only_roles), the same names hold a policy file to what the code knows.
///
/// ```
/// use countersign::authorize::role;
/// use countersign_rbac::{Catalog, RbacAuthorizer};
///
/// countersign_rbac::roles! {
///     pub mod roles {
///         Editor = "editor",
///         Admin = "admin",
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = r#"{"roles": {"editor": {"permissions": ["posts:write"]}, "admin": {"inherits": ["editor"]}}}"#;
/// let rbac = RbacAuthorizer::new(Catalog::builder().only_roles(roles::NAMES).json(policy)?.build()?);
/// let admin = rbac.prepare(role(roles::Admin))?;
/// # let _ = admin;
/// # Ok(())
/// # }
/// ```
///
/// One name for two roles (the compiler says: `` `Admin`: the role `admin` is declared twice ``):
///
/// ```compile_fail,E0080
/// countersign_rbac::roles! {
///     pub mod roles {
///         Editor = "admin",
///         Admin = "admin",
///     }
/// }
/// ```
#[macro_export]
macro_rules! roles {
    ($($declared:tt)*) => { $crate::__names! { "role", "", any_role, $($declared)* } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __names {
    ($kind:literal, $not_in:literal, $required:ident, $(#[$about:meta])* $visibility:vis mod $module:ident {
        $($(#[$doc:meta])* $name:ident = $wire:literal),+ $(,)?
    }) => {
        #[doc = concat!("Each ", $kind, " and its name.\n")]
        $(#[$about])*
        #[allow(dead_code, unreachable_pub, reason = "some names are declared for policies and tokens alone")]
        $visibility mod $module {
            /// Every name, in the order of its declaration.
            pub const NAMES: [&str; [$($wire),+].len()] = [$($wire),+];

            $(
                #[doc = concat!("The ", $kind, " `", $wire, "`.\n")]
                $(#[$doc])*
                #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
                pub struct $name;

                impl $name {
                    /// What tokens and policies call it.
                    pub const NAME: &'static str = $wire;
                }

                impl From<$name> for String {
                    fn from(_: $name) -> Self {
                        $name::NAME.into()
                    }
                }

                impl $crate::__private::Requires for $name {
                    fn requirement() -> $crate::__private::Requirement {
                        $crate::__private::$required([$name::NAME])
                    }
                }

                const _: () = {
                    if $wire.is_empty() {
                        panic!("{}", concat!("`", stringify!($name), "`: the name of a ", $kind, " is empty"));
                    }
                    if $crate::__private::has_any($wire, $not_in) {
                        panic!("{}", concat!("`", stringify!($name), "`: the ", $kind, " `", $wire, "` has a `", $not_in, "`"));
                    }
                    if $crate::__private::count(&NAMES, $wire) != 1 {
                        panic!("{}", concat!("`", stringify!($name), "`: the ", $kind, " `", $wire, "` is declared twice"));
                    }
                };
            )+
        }
    };
}

/// What the macros look at while they compile.
#[doc(hidden)]
pub mod __private {
    pub use countersign::authorize::{Requirement, Requires, any_role, permissions};

    const fn same(mut left: &[u8], mut right: &[u8]) -> bool {
        if left.len() != right.len() {
            return false;
        }
        while let (Some((l, left_rest)), Some((r, right_rest))) = (left.split_first(), right.split_first()) {
            if *l != *r {
                return false;
            }
            (left, right) = (left_rest, right_rest);
        }
        true
    }

    /// How often `name` is among `names`.
    #[must_use]
    pub const fn count(mut names: &[&str], name: &str) -> usize {
        let mut found = 0;
        while let Some((first, rest)) = names.split_first() {
            if same(first.as_bytes(), name.as_bytes()) {
                found += 1;
            }
            names = rest;
        }
        found
    }

    /// Whether an octet of `text` is the one of `octet`, if that has one.
    #[must_use]
    pub const fn has_any(text: &str, octet: &str) -> bool {
        let (Some(octet), mut text) = (octet.as_bytes().first(), text.as_bytes()) else {
            return false;
        };
        while let Some((first, rest)) = text.split_first() {
            if *first == *octet {
                return true;
            }
            text = rest;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::__private::{count, has_any};

    crate::permissions! {
        mod perm {
            Read = "read",
            ReadAll = "readall",
            Führung = "führung",
        }
    }

    crate::roles! { pub(super) mod role { Everyone = "*", Read = "read" } }

    #[test]
    fn declared_names_are_what_they_say() {
        assert_eq!(perm::NAMES, ["read", "readall", "führung"]);
        assert_eq!([perm::Read::NAME, perm::ReadAll::NAME, perm::Führung::NAME], perm::NAMES);
        assert_eq!(String::from(perm::ReadAll), "readall");
        assert_eq!(role::NAMES.map(str::to_owned), [String::from(role::Everyone), role::Read.into()]);
    }

    #[test]
    fn names_are_counted_whole() {
        let names = ["a", "ab", "a", "b", "", "é"];
        for (name, expected) in [("a", 2), ("ab", 1), ("b", 1), ("", 1), ("c", 0), ("é", 1), ("e", 0)] {
            assert_eq!(count(&names, name), expected, "{name}");
        }
        assert!(has_any("posts:*", "*") && has_any("*", "*"));
        assert!(!has_any("posts", "*") && !has_any("", "*") && !has_any("*", ""));
    }
}
