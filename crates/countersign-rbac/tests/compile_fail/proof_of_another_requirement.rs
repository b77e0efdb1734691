//! A proof is for what it was made for.

use countersign::authorize::Proof;

countersign_rbac::permissions! { mod perm { PostsRead = "posts:read", PostsWrite = "posts:write" } }

fn write(_: &Proof<perm::PostsWrite>) {}

fn read(reader: &Proof<perm::PostsRead>) {
    write(reader);
}

fn main() {}
