//! The project's own commands: `cargo xtask` lists them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to the one who runs it")]

mod bench;
mod browser;
mod counts;
mod examples;
mod fuzz;
mod interop;
mod programs;
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
        summary: "Chromium, headless, uses the example `cookie_app` and is kept from abusing it",
        run: browser::run,
    },
    Command {
        name: "counts",
        summary: "[--record]: instructions by callgrind, compared with bench/counts.json; fails where they are more",
        run: counts::run,
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
        name: "test",
        summary: "every test of the workspace, and their sum; `-- …` goes to `cargo test`",
        run: test::run,
    },
    Command {
        name: "vectors",
        summary: "[--backend ring|aws-lc] FILE…: runs test vectors, and tells the verdict on each",
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
            eprintln!("xtask: {failure}");
            failure.into()
        }
    }
}

fn dispatch(mut arguments: Parser) -> Result<(), Failure> {
    match arguments.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => {
            list();
            Ok(())
        }
        Some(Arg::Value(name)) => match COMMANDS.iter().find(|command| name == command.name) {
            Some(command) => (command.run)(arguments),
            None => Err(Failure::Usage(format!(
                "there is no command `{}`; `cargo xtask` lists them",
                name.to_string_lossy()
            ))),
        },
        Some(other) => Err(other.unexpected().into()),
    }
}

fn list() {
    for Command { name, summary, .. } in COMMANDS {
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
            vec!["fuzz", "--forever"],
            vec!["fuzz", "nothing"],
            vec!["interop", "nothing"],
            vec!["vectors"],
            vec!["vectors", "--all"],
            vec!["vectors", "--backend", "openssl", "FILE"],
        ] {
            let answer = dispatch(Parser::from_args(&arguments));
            assert!(matches!(answer, Err(Failure::Usage(_))), "{arguments:?}: {answer:?}");
        }
    }
}
