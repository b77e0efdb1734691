fn main() {
    let _ = countersign_rbac::require("admin", [""; 0], true);
}
