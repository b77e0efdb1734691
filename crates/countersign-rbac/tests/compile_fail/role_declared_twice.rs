countersign_rbac::roles! {
    pub mod roles {
        Editor = "admin",
        Admin = "admin",
    }
}

fn main() {}
