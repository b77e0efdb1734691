//! `cargo xtask deny`: what may be in the dependency tree, by cargo-deny. Advisories are left out: they take the network, and
//! change without us.

use crate::Failure;
use crate::cargo::{cargo, demand, nothing_more, succeed};
use lexopt::Parser;

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    nothing_more(arguments)?;
    demand("cargo-deny")?;
    let mut deny = cargo();
    // That two versions of a crate are in the tree is not ours to mend.
    deny.args(["deny", "--workspace", "check", "--allow", "duplicate", "bans", "licenses", "sources"]);
    succeed(&mut deny, "cargo deny")
}
