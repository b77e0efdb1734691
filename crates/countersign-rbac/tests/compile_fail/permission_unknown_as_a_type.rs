use countersign::authorize::Proof;

countersign_rbac::permissions! {
    pub mod perm {
        PostsRead = "posts:read",
    }
}

fn read(_: &Proof<perm::PostsRaed>) {}

fn main() {}
