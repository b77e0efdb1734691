//! A proof is for one request: it is neither copied nor made of nothing.

use countersign::authorize::{Authorized, Proof};

countersign_rbac::permissions! { mod perm { PostsWrite = "posts:write" } }

fn is_clone<T: Clone>() {}

fn is_default<T: Default>() {}

fn main() {
    is_clone::<Proof<perm::PostsWrite>>();
    is_default::<Proof<perm::PostsWrite>>();
    is_clone::<Authorized<u8, perm::PostsWrite>>();
}
