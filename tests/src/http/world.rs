//! The worlds of the adapter table, with roles from a catalog.

use countersign_rbac::RbacAuthorizer;
use countersign_testkit::adapter::Worlds;
use std::ops::Deref;

pub(crate) struct Tokens(Worlds);

impl Tokens {
    pub(crate) fn new() -> Self {
        Self(worlds())
    }
}

impl Deref for Tokens {
    type Target = Worlds;

    fn deref(&self) -> &Worlds {
        &self.0
    }
}

pub(super) fn worlds() -> Worlds {
    let rbac = RbacAuthorizer::builder()
        .role("reader", ["posts:read"])
        .role("admin", ["posts:write"])
        .inherits("admin", "reader")
        .build()
        .expect("a catalog");
    Worlds::new().authorizer(rbac)
}
