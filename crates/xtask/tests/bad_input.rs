//! What a person reads who gives a command wrong arguments, or runs it where something is missing: one line that says what to do,
//! and a code that is not 0.
#![cfg(unix)]
#![allow(clippy::expect_used, reason = "a failed expectation is what tests are for")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that is all of `PATH`, with these scripts in it. It is removed when it is dropped.
struct Programs(PathBuf);

impl Programs {
    fn new(name: &str, scripts: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        for (program, script) in scripts {
            let file = folder.join(program);
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a script");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("an executable script");
        }
        Self(folder)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The code that a command ends with, and the lines that it says of itself. What it asks cargo is asked for in earnest.
fn xtask(arguments: &[&str], programs: &Programs) -> (Option<i32>, Vec<String>) {
    xtask_with(arguments, programs, &[])
}

/// The same, where some of `PATH` stand in for the programs that these variables name.
fn xtask_with(arguments: &[&str], programs: &Programs, stand_ins: &[(&str, &str)]) -> (Option<i32>, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env("PATH", &programs.0);
    command.env("CARGO", env!("CARGO")).env("RUSTC", "/nowhere/rustc");
    command.envs(stand_ins.iter().map(|(variable, program)| (variable, programs.0.join(program))));
    let output = command.output().expect("xtask");
    let said = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), said.lines().map(str::to_owned).collect())
}

#[test]
fn without_a_command_they_are_listed() {
    let programs = Programs::new("listed", &[]);
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = xtask.env("PATH", &programs.0).output().expect("xtask");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success());
    assert!(said.lines().count() > 10 && said.lines().all(|line| line.starts_with("cargo xtask ")), "{said}");
}

#[test]
fn wrong_arguments_are_told_in_a_line_that_says_where_to_look() {
    let programs = Programs::new("arguments", &[]);
    let cases: [&[&str]; 17] = [
        &["tset"],
        &["--all"],
        &["bench", "nothing"],
        &["browser", "firefox"],
        &["counts", "--forever"],
        &["coverage", "serde"],
        &["deny", "--forever"],
        &["features", "ring"],
        &["fuzz", "--seconds", "soon"],
        &["interop", "auth0"],
        &["licences", "--write"],
        &["msrv", "1.80"],
        &["mutants", "rules.rs"],
        &["package", "--no-verify"],
        &["semver", "v1", "v2"],
        &["test", "--lib"],
        &["vectors", "--all"],
    ];
    for arguments in cases {
        let (code, said) = xtask(arguments, &programs);
        assert_eq!((code, said.len()), (Some(2), 1), "{arguments:?}: {said:?}");
        assert!(said[0].ends_with("(`cargo xtask` lists the commands and what they take)"), "{said:?}");
    }
}

#[test]
fn a_missing_tool_is_told_with_what_brings_it() {
    let programs = Programs::new("tools", &[]);
    let cases: [(&[&str], &str); 8] = [
        (&["test"], "the tests need redis-server curl openssl: install what is missing"),
        (&["bench", "http"], "need wrk: install what is missing"),
        (&["browser"], "need chromium: install what is missing"),
        (&["counts"], "need valgrind: install what is missing"),
        (&["interop"], "Node.js 20 or newer"),
        (&["deny"], "there is no cargo-deny: cargo install cargo-deny --locked brings it"),
        (
            &["msrv"],
            concat!("rustup toolchain install ", env!("CARGO_PKG_RUST_VERSION"), " --profile minimal brings it"),
        ),
        (&["mutants"], "there is no cargo-mutants: cargo install cargo-mutants --locked brings it"),
    ];
    for (arguments, expected) in cases {
        let (code, said) = xtask(arguments, &programs);
        assert_eq!((code, said.len()), (Some(1), 1), "{arguments:?}: {said:?}");
        assert!(said[0].contains(expected), "{arguments:?}: {said:?}");
    }
}

#[test]
fn a_compiler_that_cannot_be_asked_is_named() {
    let programs = Programs::new("compiler", &[]);
    let (code, said) = xtask(&["coverage"], &programs);
    assert_eq!((code, said.len()), (Some(1), 1), "{said:?}");
    assert!(said[0].contains("rustc could not be run"), "{said:?}");
}

#[test]
fn what_does_not_build_is_told_with_what_it_may_lack() {
    let cargo = ("cargo", "echo 'error: could not connect' >&2; exit 101");
    let cargo_fuzz = ("cargo-fuzz", "case $2 in --version) exit 0;; esac; exit 101");
    let programs = Programs::new("builds", &[cargo, cargo_fuzz, ("valgrind", "exit 1"), RUSTC]);
    let cases: [(&[&str], &str); 4] = [
        (
            &["bench", "authorization"],
            "The first build takes the network, for the libraries, and a C and a C++ compiler",
        ),
        (&["counts"], "rustup run "),
        (&["counts", "--record"], "The first build takes the network, for the libraries, and a C and a C++ compiler"),
        (&["fuzz", "json"], "The first build takes the network, for the libraries, and a C and a C++ compiler"),
    ];
    for (arguments, expected) in cases {
        let (code, said) = xtask_with(arguments, &programs, &[("CARGO", "cargo"), ("RUSTC", "rustc")]);
        let own: Vec<_> = said.iter().filter(|line| line.starts_with("xtask: ")).collect();
        assert_eq!((code, own.len()), (Some(1), 1), "{arguments:?}: {said:?}");
        assert!(own[0].contains(expected), "{arguments:?}: {said:?}");
    }
}

/// A compiler that is nobody's.
const RUSTC: (&str, &str) =
    ("rustc", "case $1 in -vV) echo 'release: 0.9.0'; echo 'host: elsewhere'; echo 'LLVM version: 99.1';; esac");

#[test]
fn tools_of_llvm_that_are_missing_are_told_with_what_brings_them() {
    let programs = Programs::new("llvm", &[RUSTC]);
    let (code, said) = xtask_with(&["coverage"], &programs, &[("RUSTC", "rustc")]);
    let expected = "there is no llvm-cov 99: rustup component add llvm-tools, or Debian's package llvm-99, brings it";
    assert_eq!((code, said), (Some(1), vec![format!("xtask: {expected}")]));
}

#[test]
fn who_is_not_root_is_told_what_to_run_and_who_has_no_network_to_look_there() {
    let (somebody, root) = (("id", "echo 1000"), ("id", "echo 0"));
    let cases = [
        ("somebody", somebody, "sudo apt-get update && sudo apt-get install -y --no-install-recommends valgrind"),
        ("offline", root, "need valgrind, and is the network there?"),
    ];
    for (name, id, expected) in cases {
        let programs = Programs::new(name, &[id, ("apt-get", "exit 100")]);
        let (code, said) = xtask(&["counts"], &programs);
        let own: Vec<_> = said.iter().filter(|line| !line.contains("installing")).collect();
        assert_eq!((code, own.len()), (Some(1), 1), "{name}: {said:?}");
        assert!(own[0].contains(expected), "{name}: {said:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let programs = Programs::new("files", &[]);
    let (code, said) = xtask(&["vectors", "/nowhere/cases.jsonl"], &programs);
    assert_eq!((code, said.len()), (Some(1), 1), "{said:?}");
    assert!(said[0].starts_with("xtask: /nowhere/cases.jsonl: "), "{said:?}");
}
