//! One claim that holds roles or permissions.

use super::ClaimPath;
use std::collections::HashMap;

/// In which form a claim holds names.
///
/// | form | a string | a list of strings | an object | absent | anything else |
/// |---|---|---|---|---|---|
/// | `StringOrArray`, of roles | one role | each item | malformed | nothing | malformed |
/// | `StringOrArray`, of permissions | its words, split at ASCII white space | each item | malformed | nothing | malformed |
/// | `Array` | malformed | each item | malformed | nothing | malformed |
/// | `SpaceSeparated` | its words, split at ASCII white space | malformed | malformed | nothing | malformed |
/// | `Single` | one name | malformed | malformed | nothing | malformed |
/// | `MapKeys` | malformed | malformed | the names of its members | nothing | malformed |
/// | `MapOfArrays` | malformed | malformed | the items of its members | nothing | malformed |
///
/// Anything else is a number, `true`, `false`, `null`, or a list with an item that is no string.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{AccessRequest, Authorizer, Decision, role};
/// use countersign_rbac::{ClaimFormat, ClaimSource, ClaimsMapping, RbacAuthorizer};
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // {"roles": {"editor": true, "admin": false}}
/// let mapping = ClaimsMapping::of([ClaimSource::roles("roles").format(ClaimFormat::MapKeys)])?;
/// let rbac = RbacAuthorizer::builder().role("editor", ["posts:write"]).role("admin", ["users:delete"]).mapping(mapping).build()?;
///
/// let token = VerifiedToken::vouched(&json!({"roles": {"editor": true, "admin": false}}))?;
/// let has = |name| rbac.decide_now(&AccessRequest::new(&token, &role(name))) == Some(Decision::Allow);
/// assert!(has("editor") && !has("admin"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimFormat {
    /// A string or a list of strings: what a claim has unless its format is said.
    StringOrArray,
    /// A list of strings.
    Array,
    /// A string of words.
    SpaceSeparated,
    /// A string that is one name.
    Single,
    /// An object whose members are called by the names, as Zitadel has. A member counts if it is `true` or an object that is not
    /// empty, and does not if it is `false`; any other, or one that stands twice, is malformed.
    MapKeys,
    /// An object of lists of strings, whose items are the names. What the members are called does not matter,
    /// but none may stand twice.
    MapOfArrays,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Permissions,
    Roles,
}

/// One claim that holds roles or permissions, and what its names are called in the catalog.
///
/// A name goes through these steps in this order, those of them that are set:
///
/// 1. [`strip_prefix`](Self::strip_prefix): a name without the prefix counts for nothing;
/// 2. [`rename`](Self::rename): a name that is not in the table counts for nothing;
/// 3. [`add_prefix`](Self::add_prefix).
///
/// ```
/// use countersign_rbac::{ClaimFormat, ClaimSource, ClaimsMapping};
///
/// let mapping = ClaimsMapping::of([
///     ClaimSource::roles("https://app.example/groups")
///         .format(ClaimFormat::Array)
///         .rename([("0c6e-7", "editor"), ("0c6e-8", "editor"), ("0c6e-8", "admin")]),
///     ClaimSource::permissions("permissions").strip_prefix("blog/"),
/// ])?;
/// # let _ = mapping;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClaimSource {
    pub(super) path: ClaimPath,
    pub(super) kind: Kind,
    pub(super) format: ClaimFormat,
    pub(super) setting: &'static str,
    strip: String,
    table: Option<HashMap<String, Vec<String>>>,
    add: String,
    pub(super) elsewhere_if: Option<String>,
}

impl ClaimSource {
    fn new(path: ClaimPath, kind: Kind, setting: &'static str) -> Self {
        let format = ClaimFormat::StringOrArray;
        Self { path, kind, format, setting, strip: String::new(), table: None, add: String::new(), elsewhere_if: None }
    }

    /// A claim that holds roles.
    pub fn roles(path: impl Into<ClaimPath>) -> Self {
        Self::new(path.into(), Kind::Roles, "roles")
    }

    /// A claim that holds permissions.
    pub fn permissions(path: impl Into<ClaimPath>) -> Self {
        Self::new(path.into(), Kind::Permissions, "permissions")
    }

    pub(super) fn single_role(path: ClaimPath) -> Self {
        Self::new(path, Kind::Roles, "role").format(ClaimFormat::Single)
    }

    /// Takes this form and no other.
    pub fn format(mut self, format: ClaimFormat) -> Self {
        self.format = format;
        self
    }

    /// Takes the prefix off. A name that does not begin with it is meant for somebody else and counts for
    /// nothing.
    pub fn strip_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.strip = prefix.into();
        self
    }

    /// Puts the prefix before each name, so that names from this claim are not those from another.
    pub fn add_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.add = prefix.into();
        self
    }

    /// Says what names are called in the catalog: identifiers of groups, say, and the roles that their members
    /// have. One that stands several times has several. A name that is not in the table counts for nothing:
    /// who may make groups at the issuer must not make roles here.
    pub fn rename<F: Into<String>, T: Into<String>>(mut self, names: impl IntoIterator<Item = (F, T)>) -> Self {
        let table = self.table.get_or_insert_default();
        for (from, to) in names {
            table.entry(from.into()).or_default().push(to.into());
        }
        self
    }

    /// What this claim holds is unknown where the token has a claim `name` that is not `false`: it says that
    /// the issuer keeps the names elsewhere. Entra's `hasgroups` does. `_claim_names` (OpenID Connect Core
    /// §5.6.2) is understood without being asked for.
    pub fn elsewhere_if(mut self, name: impl Into<String>) -> Self {
        self.elsewhere_if = Some(name.into());
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn path(&self) -> &ClaimPath {
        &self.path
    }

    /// Gives what `name` is called in the catalog to `sink`. `room` is memory to write in.
    pub(super) fn translate(&self, name: &str, room: &mut String, sink: &mut dyn FnMut(&str)) {
        // An empty prefix is not compared: where it lies in no memory, comparing can cost more than all the rest.
        let stripped = if self.strip.is_empty() { Some(name) } else { name.strip_prefix(self.strip.as_str()) };
        let Some(name) = stripped else { return };
        let mut give = |name: &str| {
            if self.add.is_empty() {
                return sink(name);
            }
            room.clear();
            // Once for all names of a token, but for unusually long ones.
            room.reserve((self.add.len() + name.len()).max(64));
            room.push_str(&self.add);
            room.push_str(name);
            sink(room);
        };
        match &self.table {
            Some(table) => table.get(name).into_iter().flatten().for_each(|name| give(name)),
            None => give(name),
        }
    }
}
