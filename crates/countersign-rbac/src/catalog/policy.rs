//! Policies as text.

mod json;
#[cfg(feature = "toml")]
mod toml;

use super::CatalogBuilder;
use super::name::{Name, Place};
use countersign::ConfigError;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

/// What stands in a policy. `S` is a string that knows where it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "S: Deserialize<'de>")]
struct Policy<S> {
    version: Option<S>,
    permissions: Option<Vec<S>>,
    #[serde(default = "Vec::new")]
    exclusive: Vec<Vec<S>>,
    roles: Entries<S>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "S: Deserialize<'de>")]
struct Role<S> {
    #[serde(default = "Vec::new")]
    permissions: Vec<S>,
    #[serde(default = "Vec::new")]
    inherits: Vec<S>,
}

/// The members of an object, in their order, those that stand twice included.
struct Entries<S>(Vec<(S, Role<S>)>);

impl<'de, S: Deserialize<'de>> Deserialize<'de> for Entries<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<S>(PhantomData<S>);

        impl<'de, S: Deserialize<'de>> Visitor<'de> for Members<S> {
            type Value = Entries<S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("roles by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Finds lines in a text.
struct Lines<'t> {
    file: Option<Arc<str>>,
    text: &'t str,
    /// Where each line but the first begins.
    breaks: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(file: Option<&Path>, text: &'t str) -> Self {
        let file = file.map(|file| file.display().to_string().into());
        Self { file, text, breaks: text.match_indices('\n').map(|(at, _)| at + 1).collect() }
    }

    fn line(&self, line: usize) -> Place {
        Place { file: self.file.clone(), line }
    }

    fn at(&self, offset: usize) -> Place {
        self.line(1 + self.breaks.partition_point(|start| *start <= offset))
    }
}

/// Refuses a name that stands twice in its list.
fn once(names: &[Name], list: &str) -> Result<(), ConfigError> {
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(twice.error("policy", format_args!("`{twice}` stands twice in {list}"))),
        None => Ok(()),
    }
}

impl<S> Policy<S> {
    /// Adds what it says to `builder`. `name` makes a name of a string, or says what is wrong with it.
    fn add_to(
        self,
        mut builder: CatalogBuilder,
        name: impl Fn(S) -> Result<Name, ConfigError>,
    ) -> Result<CatalogBuilder, ConfigError> {
        let names = |list: Vec<S>| list.into_iter().map(&name).collect::<Result<Vec<_>, _>>();
        if let Some(version) = self.version {
            builder.version = Some(name(version)?);
        }
        if let Some(permissions) = self.permissions {
            let permissions = names(permissions)?;
            once(&permissions, "`permissions`")?;
            builder.permissions.extend(permissions);
            builder.only = true;
        }
        for (role, Role { permissions, inherits }) in self.roles.0 {
            let (role, permissions, inherits) = (name(role)?, names(permissions)?, names(inherits)?);
            once(&permissions, &format!("what `{role}` grants"))?;
            once(&inherits, &format!("what `{role}` inherits"))?;
            builder.inherits.extend(inherits.into_iter().map(|inherited| (role.clone(), inherited)));
            builder.roles.push((role, permissions));
        }
        for set in self.exclusive {
            builder.exclusive.push(names(set)?);
        }
        Ok(builder)
    }
}

impl CatalogBuilder {
    /// Adds what a policy in JSON says.
    ///
    /// | member | meaning |
    /// |---|---|
    /// | `version` | see [`version`](Self::version); optional |
    /// | `permissions` | see [`only_permissions`](Self::only_permissions); without it, what a role grants exists |
    /// | `roles` | for each role what it grants, in `permissions`, and in `inherits` the roles that it inherits |
    /// | `exclusive` | lists of [mutually exclusive](Self::mutually_exclusive) roles; optional |
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let policy = r#"{
    ///     "version": "2031-05-04",
    ///     "permissions": ["posts:read", "posts:write", "users:delete"],
    ///     "roles": {
    ///         "editor": {"permissions": ["posts:*"]},
    ///         "admin": {"permissions": ["users:delete"], "inherits": ["editor"]}
    ///     }
    /// }"#;
    /// let catalog = Catalog::builder().json(policy)?.build()?;
    /// assert!(catalog.grants("admin", "posts:write"));
    ///
    /// let typo = policy.replace("users:delete\"], ", "users:delte\"], ");
    /// let error = Catalog::builder().json(&typo)?.build().unwrap_err();
    /// assert_eq!(error.to_string(), "`role`: line 6: `admin` grants the unknown permission `users:delte`");
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] with the line, for a text that is no JSON, an unknown member or one that stands twice, a
    /// value of the wrong type, and a name that stands twice in its list. What the names mean is checked by
    /// [`build`](Self::build), whose errors have the line too.
    pub fn json(self, text: &str) -> Result<Self, ConfigError> {
        json::add(self, &Lines::new(None, text))
    }

    /// Adds what a policy in TOML says: the same members as in [`json`](Self::json).
    ///
    /// ```
    /// use countersign_rbac::Catalog;
    ///
    /// let catalog = Catalog::builder()
    ///     .toml(
    ///         r#"
    ///             permissions = ["posts:read", "posts:write", "invoices:pay", "invoices:approve"]
    ///             exclusive = [["payer", "approver"]]
    ///
    ///             [roles]
    ///             editor = { permissions = ["posts:*"] }
    ///             payer = { permissions = ["invoices:pay"], inherits = ["editor"] }
    ///             approver = { permissions = ["invoices:approve"] }
    ///         "#,
    ///     )?
    ///     .build()?;
    /// assert!(catalog.grants("payer", "posts:write"));
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// As [`json`](Self::json).
    #[cfg(feature = "toml")]
    pub fn toml(self, text: &str) -> Result<Self, ConfigError> {
        toml::add(self, &Lines::new(None, text))
    }

    /// Adds what a policy file says, read once and now. Its name ends with `.json`, or with `.toml` (feature
    /// `toml`).
    ///
    /// # Errors
    /// As [`json`](Self::json), with the file's name beside the line; and when the file cannot be read, is not
    /// UTF-8, or has another ending.
    pub fn file(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let problem = |what: &dyn fmt::Display| ConfigError::new("policy", format!("`{}`: {what}", path.display()));
        let read = || std::fs::read_to_string(path).map_err(|error| problem(&error));
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => json::add(self, &Lines::new(Some(path), &read()?)),
            #[cfg(feature = "toml")]
            Some("toml") => toml::add(self, &Lines::new(Some(path), &read()?)),
            #[cfg(not(feature = "toml"))]
            Some("toml") => Err(problem(&"needs the feature `toml`")),
            _ => Err(problem(&"ends neither with `.json` nor with `.toml`")),
        }
    }
}

#[cfg(test)]
mod tests;
