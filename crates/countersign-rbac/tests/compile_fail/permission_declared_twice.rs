countersign_rbac::permissions! {
    pub mod perm {
        PostsRead = "posts:read",
        PostsWrite = "posts:read",
    }
}

fn main() {}
