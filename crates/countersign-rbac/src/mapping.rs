//! Which claims of a token hold roles and permissions.

mod path;
mod reader;

use countersign::ConfigError;
pub use path::ClaimPath;
use reader::{Claim, Members};
pub(crate) use reader::{Found, Malformed};

/// Which claims of a token hold its roles and permissions.
///
/// | claim | default | a string | a list of strings | absent | anything else |
/// |---|---|---|---|---|---|
/// | [permissions] | `permissions` | split at ASCII white space | each item | nothing | malformed |
/// | [roles] | `roles` | one role | each item | nothing | malformed |
/// | [role] | `role` | one role | malformed | nothing | malformed |
///
/// Anything else is a number, an object, `true`, `null`, or a list with an item that is no string. It is
/// malformed as well when a name on the way to a claim holds something other than an object, and when one
/// stands twice in its object. A malformed claim denies every requirement of roles or permissions; it is
/// never a reason to look into another claim. A claim is absent when it, or a name on the way to it, is not
/// there.
///
/// What the claims name adds up. Names that the catalog does not know grant nothing.
///
/// ```
/// use countersign_rbac::{ClaimPath, ClaimsMapping};
///
/// let keycloak = ClaimsMapping::builder()
///     .roles(ClaimPath::keys(["realm_access", "roles"]))
///     .without_role()
///     .without_permissions()
///     .build()?;
/// let auth0 = ClaimsMapping::builder().roles("https://app.example/roles").build()?;
/// # let _ = (keycloak, auth0);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
///
/// [permissions]: ClaimsMappingBuilder::permissions
/// [roles]: ClaimsMappingBuilder::roles
/// [role]: ClaimsMappingBuilder::role
#[derive(Clone, Debug)]
pub struct ClaimsMapping(Members);

impl ClaimsMapping {
    /// The default mapping, to be changed.
    pub fn builder() -> ClaimsMappingBuilder {
        ClaimsMappingBuilder {
            permissions: Some("permissions".into()),
            roles: Some("roles".into()),
            role: Some("role".into()),
        }
    }

    /// Gives each role and permission in the payload to `sink`. After an error, what it was given counts for
    /// nothing.
    pub(crate) fn read(&self, payload: &[u8], sink: &mut dyn FnMut(Found<'_>)) -> Result<(), Malformed> {
        self.0.read(payload, sink)
    }
}

/// Permissions in `permissions`, roles in `roles`, a single role in `role`.
impl Default for ClaimsMapping {
    fn default() -> Self {
        let mut members = Members::default();
        for (name, claim) in [("permissions", Claim::Permissions), ("roles", Claim::Roles), ("role", Claim::Role)] {
            members.select(&[name.to_owned()], claim);
        }
        Self(members)
    }
}

/// Says where the claims of a [`ClaimsMapping`] stand. With all three left out, its tokens have no role and
/// no permission.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClaimsMappingBuilder {
    permissions: Option<ClaimPath>,
    roles: Option<ClaimPath>,
    role: Option<ClaimPath>,
}

impl ClaimsMappingBuilder {
    /// Where permissions stand: a string of words, or a list.
    pub fn permissions(mut self, path: impl Into<ClaimPath>) -> Self {
        self.permissions = Some(path.into());
        self
    }

    /// Where roles stand: one, or a list.
    pub fn roles(mut self, path: impl Into<ClaimPath>) -> Self {
        self.roles = Some(path.into());
        self
    }

    /// Where a single role stands.
    pub fn role(mut self, path: impl Into<ClaimPath>) -> Self {
        self.role = Some(path.into());
        self
    }

    /// Takes no permissions from the token: its roles grant them.
    pub fn without_permissions(mut self) -> Self {
        self.permissions = None;
        self
    }

    /// Reads no claim of roles. A single role may still stand in its own.
    pub fn without_roles(mut self) -> Self {
        self.roles = None;
        self
    }

    /// Reads no claim of a single role.
    pub fn without_role(mut self) -> Self {
        self.role = None;
        self
    }

    /// The mapping.
    ///
    /// # Errors
    /// [`ConfigError`] that names the claim whose path is empty, or is the same as, within, or around another
    /// claim's: one of the two would always be malformed.
    ///
    /// ```
    /// use countersign_rbac::ClaimsMapping;
    ///
    /// let error = ClaimsMapping::builder().roles("role").build().unwrap_err();
    /// assert_eq!(error.to_string(), "`role`: the path `/role` meets another claim's");
    /// assert!(ClaimsMapping::builder().roles("role").without_role().build().is_ok());
    /// ```
    pub fn build(self) -> Result<ClaimsMapping, ConfigError> {
        let mut members = Members::default();
        for (setting, path, claim) in [
            ("permissions", self.permissions, Claim::Permissions),
            ("roles", self.roles, Claim::Roles),
            ("role", self.role, Claim::Role),
        ] {
            let Some(path) = path else { continue };
            if path.names().is_empty() {
                return Err(ConfigError::new(setting, "the path is empty"));
            }
            if !members.select(path.names(), claim) {
                return Err(ConfigError::new(setting, format!("the path `{path}` meets another claim's")));
            }
        }
        Ok(ClaimsMapping(members))
    }
}

#[cfg(test)]
mod tests;
