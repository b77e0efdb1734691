//! The project's own commands: `cargo xtask` lists them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to the one who runs it")]

mod bench;
mod browser;
mod cargo;
mod counts;
mod coverage;
mod deny;
mod examples;
mod features;
mod fuzz;
mod interop;
mod licences;
mod msrv;
mod mutants;
mod package;
mod programs;
mod semver;
mod test;
mod vectors;

use lexopt::{Arg, Parser};
use std::fmt;
use std::process::ExitCode;

struct Command {
    name: &'static str,
    summary: &'static str,
    /// Gets what follows the name.
    run: fn(Parser) -> Result<(), Failure>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "bench",
        summary: "[GROUP]… [--quick]: measures us beside other libraries, in one run; a table, and compare.json",
        run: bench::run,
    },
    Command {
        name: "browser",
        summary: "Chromium, headless, uses `quickstart` and `cookie_app`, and is kept from abusing them; pictures of both",
        run: browser::run,
    },
    Command {
        name: "counts",
        summary: "[--record]: instructions by callgrind, compared with bench/counts.json; fails where they are more",
        run: counts::run,
    },
    Command {
        name: "coverage",
        summary: "[CRATE]…: lines that a crate's unit tests run; the core's unless some are named",
        run: coverage::run,
    },
    Command { name: "deny", summary: "what may be in the dependency tree, by cargo-deny", run: deny::run },
    Command {
        name: "features",
        summary: "[CRATE]…: each crate with none of its features, with each and with any two: checked, and its unit tests run",
        run: features::run,
    },
    Command {
        name: "fuzz",
        summary: "[--smoke] [TARGET]… [--seconds N]: makes up inputs; `--smoke` replays the corpora first",
        run: fuzz::run,
    },
    Command {
        name: "interop",
        summary: "an identity provider and other libraries, installed and run: their tokens here, ours there",
        run: interop::run,
    },
    Command {
        name: "licences",
        summary: "[--check]: writes docs/LICENCES.md, or says whether it is up to date",
        run: licences::run,
    },
    Command {
        name: "msrv",
        summary: "the crates that are published, built by the oldest Rust that their manifests name",
        run: msrv::run,
    },
    Command {
        name: "mutants",
        summary: "[FILE]… [--shard K/N]: changes security-critical lines, and wants tests to go red; hours",
        run: mutants::run,
    },
    Command {
        name: "package",
        summary: "packs each crate that is published, and builds it from what was packed",
        run: package::run,
    },
    Command {
        name: "semver",
        summary: "[REVISION]: public dependencies, and what has changed since a release, by cargo-semver-checks",
        run: semver::run,
    },
    Command {
        name: "test",
        summary: "every test of the workspace, and their sum; `-- …` goes to `cargo test`",
        run: test::run,
    },
    Command {
        name: "vectors",
        summary: "[--backend ring|aws-lc] [FILE]…: runs test vectors, the project's own unless named, and tells the verdict on each",
        run: vectors::run,
    },
];

/// Why a command ends without having done its work.
#[derive(Debug)]
enum Failure {
    /// It was asked for something that it does not understand.
    Usage(String),
    /// It was understood and did not succeed.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) | Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Usage(_) => Self::from(2),
            Failure::Failed(_) => Self::FAILURE,
        }
    }
}

fn main() -> ExitCode {
    match dispatch(Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                Failure::Usage(reason) => {
                    eprintln!("xtask: {reason} (`cargo xtask` lists the commands and what they take)");
                }
                Failure::Failed(reason) => eprintln!("xtask: {reason}"),
            }
            failure.into()
        }
    }
}

fn dispatch(mut arguments: Parser) -> Result<(), Failure> {
    match arguments.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => {
            list(COMMANDS);
            Ok(())
        }
        Some(Arg::Value(name)) => match COMMANDS.iter().find(|command| name == command.name) {
            Some(command) if asks_for_help(&mut arguments) => {
                list(std::slice::from_ref(command));
                Ok(())
            }
            Some(command) => (command.run)(arguments),
            None => Err(Failure::Usage(format!("there is no command `{}`", name.to_string_lossy()))),
        },
        Some(other) => Err(other.unexpected().into()),
    }
}

/// Whether what follows the name of a command begins so.
fn asks_for_help(arguments: &mut Parser) -> bool {
    let next = arguments.try_raw_args().and_then(|rest| rest.peek().map(|next| next == "--help" || next == "-h"));
    next.unwrap_or(false)
}

fn list(commands: &[Command]) {
    for Command { name, summary, .. } in commands {
        println!("cargo xtask {name:<10} {summary}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_a_matter_of_usage() {
        for arguments in [
            vec!["tset"],
            vec!["--test"],
            vec!["test", "extra"],
            vec!["test", "--lib"],
            vec!["bench", "--forever"],
            vec!["bench", "nothing"],
            vec!["browser", "firefox"],
            vec!["counts", "--forever"],
            vec!["counts", "parse"],
            vec!["coverage", "--forever"],
            vec!["coverage", "serde"],
            vec!["deny", "advisories"],
            vec!["features", "ring"],
            vec!["features", "--all"],
            vec!["fuzz", "--forever"],
            vec!["fuzz", "nothing"],
            vec!["fuzz", "--seconds", "some"],
            vec!["fuzz", "--seconds", "0"],
            vec!["interop", "nothing"],
            vec!["licences", "--write"],
            vec!["msrv", "1.80"],
            vec!["mutants", "--forever"],
            vec!["mutants", "rules.rs"],
            vec!["mutants", "--shard", "4/4"],
            vec!["mutants", "--shard"],
            vec!["package", "--no-verify"],
            vec!["semver", "--forever"],
            vec!["semver", "v1", "v2"],
            vec!["vectors", "--all"],
            vec!["vectors", "--backend", "openssl", "FILE"],
        ] {
            let answer = dispatch(Parser::from_args(&arguments));
            assert!(matches!(answer, Err(Failure::Usage(_))), "{arguments:?}: {answer:?}");
            let Err(Failure::Usage(reason)) = answer else { continue };
            assert_eq!(reason.lines().count(), 1, "{arguments:?}: {reason}");
        }
    }

    #[test]
    fn every_command_says_what_it_is_for_and_does_nothing_else() {
        for command in COMMANDS {
            assert!(dispatch(Parser::from_args([command.name, "--help"])).is_ok(), "{}", command.name);
        }
        let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
