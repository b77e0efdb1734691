//! Counts what the groups named as arguments allocate, and prints it: a list for each group, for each case, for each
//! contender. `bench` starts it.

use countersign_bench::{counted, groups};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::process::ExitCode;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let groups = match groups::named(&names) {
        Ok(groups) => groups,
        Err(name) => {
            eprintln!("bench: there is no group `{name}`");
            return ExitCode::from(2);
        }
    };
    let allocations = || {
        let stats = COUNTING.stats();
        stats.allocations + stats.reallocations
    };
    let counts: Vec<_> = groups.iter().map(|group| counted(&mut (group.cases)(), allocations)).collect();
    println!("{}", serde_json::json!(counts));
    ExitCode::SUCCESS
}
