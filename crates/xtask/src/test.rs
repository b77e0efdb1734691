//! `cargo xtask test`: every test of the workspace, the faults that were tried, and one line that sums all up.

mod faults;
mod tally;

use crate::{Failure, bench, features, programs};
use faults::Faults;
use lexopt::Parser;
use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
pub(crate) use tally::Tally;

/// What the tests start: a Redis of their own, an HTTP client and a reader and writer of keys that are none of ours.
const PROGRAMS: &[&str] = &["redis-server", "curl", "openssl"];

/// What some tests start where it is there. Not every Debian has it.
const OFFERED: &[&str] = &["valkey-server"];

/// Everything.
const WHOLE: &[&str] = &["--workspace", "--all-features", "--no-fail-fast"];

/// What reads JSON, once more for each feature of serde_json that changes what it hands out, and for both at once: any crate
/// of a build may turn them on. (`raw_value` is on in any case.)
const SERDE_JSON_FEATURES: [&str; 3] = [
    "serde_json/arbitrary_precision",
    "serde_json/preserve_order",
    "serde_json/arbitrary_precision,serde_json/preserve_order",
];
const READS_JSON: &[&str] = &[
    "-p",
    "countersign",
    "-p",
    "countersign-jsonwebtoken",
    "-p",
    "countersign-keys",
    "-p",
    "countersign-rbac",
    "-p",
    "countersign-tests",
    "-p",
    "xtask",
    "--lib",
    "--bins",
    "--test",
    "laws",
    "--no-fail-fast",
    "--features",
];

/// Of those, what waits for servers and clocks and reads no other JSON than the rest does.
const WAITS: [&str; 7] = [
    "cookie_app::",
    "deployments::",
    "remote_keys::",
    "resource_server::",
    "revocation::",
    "shared_keys::",
    "websocket::",
];

/// The core on aws-lc alone: what the first run tries on ring, which is the backend where both are there.
const ON_AWS_LC: &[&str] = &[
    "-p",
    "countersign",
    "--no-default-features",
    "--features",
    "aws-lc,metrics,token-cache,tracing",
    "--lib",
    "--test",
    "laws",
    "--no-fail-fast",
];

/// The bridge on RustCrypto alone, without C and assembler: the tables that its backend is held to.
const ON_RUST_CRYPTO: &[&str] =
    &["-p", "countersign-jsonwebtoken", "--features", "rust_crypto", "--lib", "--no-fail-fast"];

/// The state machine of the key provider under shuttle: a build of its own, because a flag of the compiler chooses it.
const MODEL: &[&str] = &[
    "-p",
    "countersign-keys",
    "--no-default-features",
    "--features",
    "ring",
    "--lib",
    "model",
    "--target-dir",
    MODEL_FOLDER,
];
const MODEL_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/shuttle");
const MODEL_FLAGS: &str = "--cfg shuttle";

pub(crate) fn run(arguments: Parser) -> Result<(), Failure> {
    let own = for_cargo(arguments)?;
    programs::provide("the tests", PROGRAMS)?;
    programs::offer(OFFERED);

    let mut runs = vec![([WHOLE.iter().map(OsString::from).collect(), own.clone()].concat(), None)];
    // Who passes arguments on wants those tests and no others.
    if own.is_empty() {
        let skipped = WAITS.iter().flat_map(|name| ["--skip", name]);
        let reads_json = |feature| {
            let arguments = READS_JSON.iter().copied().chain([feature, "--"]).chain(skipped.clone());
            arguments.map(OsString::from).collect()
        };
        runs.extend(SERDE_JSON_FEATURES.map(|feature| (reads_json(feature), None)));
        runs.extend([ON_AWS_LC, ON_RUST_CRYPTO].map(|run| (run.iter().map(OsString::from).collect(), None)));
        runs.push((MODEL.iter().map(OsString::from).collect(), Some(MODEL_FLAGS)));
    }
    let (mut sum, mut faults) = (Tally::default(), Faults::default());
    let mut all_succeeded = true;
    for (arguments, flags) in runs {
        let ((tally, tried), succeeded) = cargo_test(&arguments, flags)?;
        sum += tally;
        faults += tried;
        all_succeeded &= succeeded;
    }
    let builds = if own.is_empty() { the_rest(&mut sum, &mut all_succeeded) } else { Ok(()) };
    print!("{faults}");
    println!("{sum}");
    builds?;
    judge(&sum, all_succeeded).map_err(|reason| Failure::Failed(reason.into()))?;
    // Who wants some tests wants no more than their rows.
    let missing = if own.is_empty() { faults.missing() } else { Vec::new() };
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed(format!("the matrix of faults lacks rows: {}", missing.join("; "))))
    }
}

/// Sets of features, and what builds alone.
fn the_rest(sum: &mut Tally, all_succeeded: &mut bool) -> Result<(), Failure> {
    let (tally, succeeded) = features::check_all_and_test_none()?;
    *sum += tally;
    *all_succeeded &= succeeded;
    bench::check()
}

fn cargo_test(arguments: &[OsString], flags: Option<&str>) -> Result<((Tally, Faults), bool), Failure> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("test").args(arguments);
    if let Some(flags) = flags {
        cargo.env("RUSTFLAGS", flags);
    }
    let could_not = |error| Failure::Failed(format!("cargo test could not be run: {error}"));
    // Only the results are read. The rest keeps the terminal, and with it cargo's colours and progress.
    let mut child = cargo.stdout(Stdio::piped()).spawn().map_err(could_not)?;
    let tally = match child.stdout.take() {
        Some(output) => relay(BufReader::new(output), io::stdout()),
        None => Ok(<(Tally, Faults)>::default()),
    };
    let status = child.wait().map_err(could_not)?;
    Ok((tally.map_err(could_not)?, status.success()))
}

/// What follows `--`.
fn for_cargo(mut arguments: Parser) -> Result<Vec<OsString>, Failure> {
    let mut arguments = arguments.raw_args()?;
    match arguments.next() {
        None => Ok(Vec::new()),
        Some(dashes) if dashes == "--" => Ok(arguments.collect()),
        Some(other) => Err(Failure::Usage(format!(
            "unexpected argument `{}`; what is for `cargo test` stands after `--`",
            other.to_string_lossy()
        ))),
    }
}

/// Passes each line on as it comes, and adds up the results and the faults among them. The last line is ended if it is not,
/// so that the sum stands on a line of its own.
fn relay(mut output: impl BufRead, mut terminal: impl Write) -> io::Result<(Tally, Faults)> {
    let (mut tally, mut faults) = (Tally::default(), Faults::default());
    let mut line = Vec::new();
    // Bytes, because a test may print anything.
    while output.read_until(b'\n', &mut line)? > 0 {
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        terminal.write_all(&line)?;
        terminal.flush()?;
        let text = String::from_utf8_lossy(&line);
        tally.read(&text);
        faults.read(&text);
        line.clear();
    }
    Ok((tally, faults))
}

fn judge(tally: &Tally, cargo_is_content: bool) -> Result<(), &'static str> {
    if tally.failed > 0 {
        Err("tests failed")
    } else if !cargo_is_content {
        Err("cargo test failed, and not by a test that says so: see above")
    } else if tally.passed() == 0 {
        Err("no test ran")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_passed_on_whatever_it_is_and_read() {
        let output: &[u8] = b"\xff\xfe\n\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured";
        let mut terminal = Vec::new();
        let (tally, _) = relay(output, &mut terminal).unwrap();
        assert_eq!(tally.to_string(), "2 passed, 0 failed, 1 skipped (1 ignored)");
        assert_eq!(terminal, [output, b"\n"].concat());
    }

    #[test]
    fn what_follows_the_dashes_is_for_cargo_dashes_included() {
        let cases: [(&[&str], &[&str]); 3] =
            [(&[], &[]), (&["--"], &[]), (&["--", "-p", "x", "--", "--nocapture"], &["-p", "x", "--", "--nocapture"])];
        for (arguments, expected) in cases {
            assert_eq!(for_cargo(Parser::from_args(arguments)).unwrap(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn only_a_run_in_which_something_passed_and_nothing_failed_is_good() {
        let tally = |passed, failed| {
            let mut tally = Tally::default();
            tally.read(&format!("test result: ok. {passed} passed; {failed} failed; 1 ignored"));
            tally
        };
        let cases = [
            (tally(1, 0), true, true),
            (tally(1, 0), false, false),
            (tally(1, 1), false, false),
            (tally(1, 1), true, false),
            (tally(0, 0), true, false),
            (tally(0, 0), false, false),
        ];
        for (tally, cargo_is_content, good) in cases {
            assert_eq!(judge(&tally, cargo_is_content).is_ok(), good, "{tally:?} {cargo_is_content}");
        }
    }
}
