//! A resource that nobody has decided on.

use countersign::VerifiedToken;
use countersign::authorize::Authorized;
use std::marker::PhantomData;

countersign_rbac::permissions! { mod perm { PostsWrite = "posts:write" } }

fn forge(resource: u8, token: VerifiedToken) -> Authorized<u8, perm::PostsWrite> {
    Authorized { resource, token, of: PhantomData }
}

fn main() {}
