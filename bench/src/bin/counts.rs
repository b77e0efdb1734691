//! `counts PART`: does it where callgrind looks. `counts`: the list of what is counted, as JSON. `cargo xtask counts`
//! starts it.

use countersign_bench::counts::{COUNTS, PARTS, TIMES, measured};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        println!("{}", serde_json::json!({ "times": TIMES, "counts": COUNTS }));
        return ExitCode::SUCCESS;
    };
    let Some(part) = PARTS.iter().find(|part| part.name == name) else {
        eprintln!("counts: there is no part `{name}`");
        return ExitCode::from(2);
    };
    let mut part = (part.set_up)();
    // What is done once is done before.
    for _ in 0..TIMES {
        part();
    }
    measured(&mut part);
    ExitCode::SUCCESS
}
