//! What was decided on stays what it was.

use countersign::authorize::Authorized;

countersign_rbac::permissions! { mod perm { PostsWrite = "posts:write" } }

struct Post {
    id: u64,
}

fn swap(post: &mut Authorized<Post, perm::PostsWrite>) {
    post.id = 7;
}

fn main() {}
