//! `cargo xtask browser`: what only a browser can show. Which cookies it keeps, to whom it sends them, what it says about
//! the origin of a request, what a page is told when its session ends, and what a page looks like.

mod check;
mod chromium;
mod program;
mod quickstart;

use crate::cargo::nothing_more;
use crate::examples::{self, Executable};
use crate::{Failure, programs};
use chromium::Chromium;
use lexopt::Parser;
use program::Neighbour;
use std::fs;

/// Two pages, each behind each of the adapters.
const EXAMPLES: [&str; 6] =
    ["quickstart", "quickstart_actix", "quickstart_warp", "cookie_app", "cookie_app_actix", "cookie_app_warp"];

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    nothing_more(arguments)?;
    programs::provide("the checks in a browser", &["chromium"])?;
    let executables = examples::build(&EXAMPLES)?;
    let folder = program::pictures(&executables)?;
    let profile = folder.join("profile");
    // What an earlier run that was cut off left behind.
    let _ = fs::remove_dir_all(&profile);
    let outcome = check_all(&executables, &folder, &profile);
    let _ = fs::remove_dir_all(&profile);
    let steps = outcome?;
    println!("{steps} steps in {} programs went as they should; pictures: {}", EXAMPLES.len(), folder.display());
    Ok(())
}

fn check_all(
    executables: &[Executable],
    folder: &std::path::Path,
    profile: &std::path::Path,
) -> Result<usize, Failure> {
    let neighbour = Neighbour::start()?;
    let mut chromium = Chromium::start(profile)?;
    let mut steps = 0;
    for executable in executables {
        println!("{}", executable.name);
        let program = executable.start()?;
        steps += match executable.name.starts_with("quickstart") {
            true => quickstart::run(&mut chromium, &program, folder)?,
            false => check::run(&mut chromium, &program, &neighbour, folder)?,
        };
    }
    chromium.close()?;
    Ok(steps)
}
