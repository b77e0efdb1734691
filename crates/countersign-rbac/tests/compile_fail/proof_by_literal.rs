//! The parts of a proof are nobody's to put together.

use countersign::VerifiedToken;
use countersign::authorize::Proof;
use std::marker::PhantomData;

countersign_rbac::permissions! { mod perm { PostsWrite = "posts:write" } }

fn forge(token: VerifiedToken) -> Proof<perm::PostsWrite> {
    Proof { token, of: PhantomData }
}

fn main() {}
