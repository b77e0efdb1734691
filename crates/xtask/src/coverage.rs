//! `cargo xtask coverage`: which lines of a crate its own unit tests run, by the compiler's instrumentation.

use crate::Failure;
use crate::cargo::{cargo, named, output, root, succeed, target};
use crate::programs::is_in_path;
use lexopt::Parser;
use serde_json::Value;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CORE: &str = "countersign";

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    let mut packages: Vec<String> = named(arguments)?.into_iter().map(|package| package.name).collect();
    if packages.is_empty() {
        packages.push(CORE.into());
    }
    let tools = Tools::find()?;
    let folder = target("coverage");
    for package in &packages {
        measure(package, &tools, &folder)?;
    }
    Ok(())
}

/// LLVM's two programs, of the version that the compiler is made of.
struct Tools {
    profdata: OsString,
    cov: OsString,
}

impl Tools {
    fn find() -> Result<Self, Failure> {
        let rustc = || Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let told = output(rustc().arg("-vV"), "rustc")?;
        let field = |name| told.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
        let (host, version) = (field("host: "), field("LLVM version: "));
        let version = version.split('.').next().unwrap_or_default();
        let sysroot = output(rustc().args(["--print", "sysroot"]), "rustc")?;
        let own = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin");
        let find = |name: &str| {
            let file = own.join(format!("{name}{}", env::consts::EXE_SUFFIX));
            let elsewhere = format!("{name}-{version}");
            match file.is_file() {
                true => Some(file.into_os_string()),
                false => is_in_path(&elsewhere).then(|| elsewhere.into()),
            }
        };
        match (find("llvm-profdata"), find("llvm-cov")) {
            (Some(profdata), Some(cov)) => Ok(Self { profdata, cov }),
            _ => Err(Failure::Failed(format!(
                "there is no llvm-cov {version}: rustup component add llvm-tools, or Debian's package llvm-{version}, brings it"
            ))),
        }
    }
}

fn measure(package: &str, tools: &Tools, folder: &Path) -> Result<(), Failure> {
    let raw = folder.join("raw");
    // What an earlier run left behind would count as well.
    let _ = fs::remove_dir_all(&raw);
    let mut test = cargo();
    test.env("RUSTFLAGS", "-C instrument-coverage").env("LLVM_PROFILE_FILE", raw.join("%p-%m.profraw"));
    test.args(["test", "--quiet", "--locked", "--lib", "--all-features", "--package", package, "--target-dir"]);
    succeed(test.arg(folder), "cargo test")?;
    let mut test = cargo();
    test.env("RUSTFLAGS", "-C instrument-coverage").args(["test", "--quiet", "--locked", "--lib", "--all-features"]);
    test.args(["--package", package, "--no-run", "--message-format", "json", "--target-dir"]).arg(folder);
    let executable = executable(&output(&mut test, "cargo test")?);
    let executable = executable.ok_or_else(|| Failure::Failed(format!("cargo built no tests of {package}")))?;

    let merged = folder.join("merged.profdata");
    let mut merge = Command::new(&tools.profdata);
    succeed(merge.args(["merge", "--sparse"]).arg(&raw).arg("--output").arg(&merged), "llvm-profdata")?;
    let mut export = Command::new(&tools.cov);
    export.args(["export", "--summary-only", "--instr-profile"]).arg(&merged).arg(&executable);
    let exported = output(&mut export, "llvm-cov")?;
    let sources = root().join("crates").join(package).join("src");
    let sources = sources.canonicalize().unwrap_or(sources);
    let files = lines(&exported, &sources);
    for (file, covered, count) in &files {
        println!("{:>6.1} %  {covered:>5} of {count:>5}  {file}", percent(*covered, *count));
    }
    let (covered, count) = files.iter().fold((0, 0), |(covered, all), (_, c, n)| (covered + c, all + n));
    println!("{:>6.1} %  {covered:>5} of {count:>5} lines of {package}, by its unit tests\n", percent(covered, count));
    match count {
        0 => Err(Failure::Failed(format!("llvm-cov tells of no file of {package}"))),
        _ => Ok(()),
    }
}

/// The program of tests that cargo says it has built.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables = messages.filter_map(|message| {
        let is_test = message.pointer("/profile/test")? == true;
        is_test.then(|| message.get("executable")?.as_str().map(PathBuf::from)).flatten()
    });
    executables.next()
}

/// For each file that is shipped, its lines that ran and all that could. Tests that stand in such a file count with it.
fn lines(exported: &str, sources: &Path) -> Vec<(String, u64, u64)> {
    let Ok(exported) = serde_json::from_str::<Value>(exported) else { return Vec::new() };
    let files = exported.pointer("/data/0/files").and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<_> = files
        .filter_map(|file| {
            let path = Path::new(file.get("filename")?.as_str()?).strip_prefix(sources).ok()?.to_str()?.to_owned();
            let lines = |what| file.pointer(what).and_then(Value::as_u64);
            let is_test = path.split('/').any(|part| part == "tests" || part == "tests.rs");
            let of = (lines("/summary/lines/covered")?, lines("/summary/lines/count")?);
            (!is_test).then_some((path, of.0, of.1))
        })
        .collect();
    found.sort();
    found
}

#[allow(clippy::cast_precision_loss, reason = "no crate has 2^52 lines")]
fn percent(covered: u64, count: u64) -> f64 {
    100.0 * covered as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_files_are_told_with_their_lines() {
        let file = |name: &str, covered: u32| {
            format!(r#"{{"filename":"{name}","summary":{{"lines":{{"count":10,"covered":{covered}}}}}}}"#)
        };
        let files =
            [file("/w/src/b.rs", 7), file("/w/src/a/tests.rs", 1), file("/w/src/a.rs", 10), file("/else/c.rs", 1)];
        let exported = format!(r#"{{"data":[{{"files":[{}]}}]}}"#, files.join(","));
        let expected = [("a.rs".to_owned(), 10, 10), ("b.rs".to_owned(), 7, 10)];
        assert_eq!(lines(&exported, Path::new("/w/src")), expected);
        assert_eq!(lines("not JSON", Path::new("/w/src")), []);
        assert_eq!(percent(7, 10).round(), 70.0);
    }
}
