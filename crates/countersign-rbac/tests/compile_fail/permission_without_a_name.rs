countersign_rbac::permissions! {
    pub mod perm {
        PostsRead = "",
    }
}

fn main() {}
