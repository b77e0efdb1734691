use countersign::authorize::permissions;

countersign_rbac::permissions! {
    pub mod perm {
        PostsRead = "posts:read",
    }
}

fn main() {
    let _ = permissions([perm::PostsWrit]);
}
