//! What tests that run beside each other have in common: the machine, the table that they fill together, and what is not there.

use std::io::Write;
use std::path::PathBuf;
use tokio::sync::RwLock;

/// Read-locked by tests while they keep the machine busy, write-locked by those in which nothing may miss a deadline.
pub(crate) static QUIET: RwLock<()> = RwLock::const_new(());

/// A line for the matrix of faults, which `cargo xtask test` ends with: what was done, and what was counted.
pub(crate) fn tell_fault(fault: &str, counts: &[(&str, usize)]) {
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what}={count}")).collect();
    tell(&format!("fault: {fault}: {}\n", counts.join(" ")));
}

/// Says that a test has nothing to try itself on, and why: `for want of …`. `cargo xtask test` counts it as skipped.
pub(crate) fn tell_skipped(what: &str, why: &str) {
    tell(&format!("SKIPPED: {what}: {why}\n"));
}

/// The folder of the public vectors. Without one, `what` is skipped.
pub(crate) fn vectors(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("COUNTERSIGN_VECTORS").map(PathBuf::from);
    if folder.is_none() {
        tell_skipped(what, "for want of COUNTERSIGN_VECTORS");
    }
    folder
}

/// At once, so that no other line comes in between, and past the harness, which keeps what tests print.
fn tell(line: &str) {
    std::io::stdout().lock().write_all(line.as_bytes()).expect("standard output");
}
