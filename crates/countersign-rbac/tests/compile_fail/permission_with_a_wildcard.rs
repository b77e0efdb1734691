countersign_rbac::permissions! {
    pub mod perm {
        PostsAll = "posts:*",
    }
}

fn main() {}
