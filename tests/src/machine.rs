//! What tests that run beside each other have in common: the machine, and the table that they fill together.

use std::io::Write;
use tokio::sync::RwLock;

/// Read-locked by tests while they keep the machine busy, write-locked by those in which nothing may miss a deadline.
pub(crate) static QUIET: RwLock<()> = RwLock::const_new(());

/// A line for the matrix of faults, which `cargo xtask test` ends with: what was done, and what was counted.
pub(crate) fn tell_fault(fault: &str, counts: &[(&str, usize)]) {
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what}={count}")).collect();
    // At once, so that no other line comes in between, and past the harness, which keeps what tests print.
    let line = format!("fault: {fault}: {}\n", counts.join(" "));
    std::io::stdout().lock().write_all(line.as_bytes()).expect("standard output");
}
