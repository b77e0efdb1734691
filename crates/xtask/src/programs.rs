//! The programs that tests and checks start: found, or installed where that is simple.

use crate::Failure;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where commands put what they install for themselves, below the root.
pub(crate) const TOOLS: &str = "target/tools";

/// Makes sure that each of `programs` can be started, for the sake of `whose`. Each is named like the Debian package that
/// brings it.
pub(crate) fn provide(whose: &str, programs: &[&str]) -> Result<(), Failure> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_in_path("apt-get") {
        return Err(Failure::Failed(format!("{whose} need {names}: install what is missing")));
    }
    if !is_root() {
        return Err(Failure::Failed(format!(
            "{whose} need {names}: \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}"
        )));
    }
    eprintln!("xtask: installing {names}");
    let installed = apt_get(&["update"])
        .and_then(|()| apt_get(&[&["install", "-y", "--no-install-recommends"], missing.as_slice()].concat()));
    if let Err(Failure::Failed(reason) | Failure::Usage(reason)) = installed {
        return Err(Failure::Failed(format!("{whose} need {names}, and is the network there? {reason}")));
    }
    match self::missing(programs).as_slice() {
        [] => Ok(()),
        still => Err(Failure::Failed(format!("installed, and still not in PATH: {}", still.join(" ")))),
    }
}

/// Installs those of `programs` that the package manager has, where that takes no more than asking. What then is missing is
/// left out, aloud, by the tests that would start it.
pub(crate) fn offer(programs: &[&str]) {
    let has_package = |program: &&str| {
        let policy =
            Command::new("apt-cache").args(["show", program]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        policy.is_ok_and(|status| status.success())
    };
    if !is_root() || !is_in_path("apt-get") {
        return;
    }
    let known: Vec<&str> = missing(programs).into_iter().filter(has_package).collect();
    if known.is_empty() {
        return;
    }
    eprintln!("xtask: installing {}", known.join(" "));
    if let Err(Failure::Failed(reason) | Failure::Usage(reason)) =
        apt_get(&[&["install", "-y", "--no-install-recommends"], known.as_slice()].concat())
    {
        eprintln!("xtask: going on without: {reason}");
    }
}

fn missing<'p>(programs: &[&'p str]) -> Vec<&'p str> {
    programs.iter().copied().filter(|program| !is_in_path(program)).collect()
}

pub(crate) fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let file = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path).any(|folder| is_executable(&folder.join(&file)))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get(arguments: &[&str]) -> Result<(), Failure> {
    let mut apt_get = Command::new("apt-get");
    apt_get.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    // Tests start a Redis of their own. Where a package asks for the runlevel, 1 keeps its service down.
    apt_get.env("RUNLEVEL", "1");
    // Standard output is for the results of tests.
    match apt_get.stdout(std::io::stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed(format!("apt-get {}: {status}", arguments.join(" ")))),
        Err(error) => Err(Failure::Failed(format!("apt-get cannot be run: {error}"))),
    }
}
