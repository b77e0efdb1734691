//! `cargo xtask interop`: tokens of others here, and ours there. A real identity provider before the example
//! `resource_server`, and libraries that sign what we verify and verify what we sign.

mod http;
mod libraries;
mod ours;
mod peer;
mod provider;
mod table;
mod tools;

use crate::cargo::nothing_more;
use crate::{Failure, examples, vectors};
use lexopt::Parser;
use std::env;
use std::path::{Path, PathBuf};
use table::{Cell, Row, Table};
use tools::Tools;

const VECTORS: &str = "COUNTERSIGN_VECTORS";

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    nothing_more(arguments)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tools = Tools::provide(&root)?;
    let mut table = Table::default();
    let whole = try_all(&tools, &mut table);
    print!("{table}");
    whole?;
    table.verdict()
}

fn try_all(tools: &Tools, table: &mut Table) -> Result<(), Failure> {
    for resource_server in examples::build(&["resource_server"])? {
        provider::run(tools, &resource_server, table)?;
    }
    libraries::run(tools, table)?;
    nimbus(env::var_os(VECTORS).map(PathBuf::from), table)
}

/// What Nimbus signed stands among the vectors from elsewhere: to run it takes Java.
fn nimbus(folder: Option<PathBuf>, table: &mut Table) -> Result<(), Failure> {
    let Some(folder) = folder else {
        table.note(format!("left out: samples made by Nimbus, because {VECTORS} names no folder"));
        return Ok(());
    };
    let (samples, mut problems) = vectors::check(&folder.join("peers.jsonl"), "/nimbus-")?;
    if samples == 0 {
        problems.push("the vectors hold no such sample".into());
    }
    let theirs = Cell { outcome: format!("{samples} samples verify"), problems };
    table.push(Row { case: "Nimbus, from the vectors".into(), ours: Cell::nothing(), theirs });
    Ok(())
}
