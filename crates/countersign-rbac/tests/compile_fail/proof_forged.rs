//! Only a check that passed makes a proof.

use countersign::VerifiedToken;
use countersign::authorize::Proof;

countersign_rbac::permissions! { mod perm { PostsWrite = "posts:write" } }

fn forge(token: VerifiedToken) -> Proof<perm::PostsWrite> {
    Proof::new(token)
}

fn main() {}
