//! The programs in `examples`, for commands that start them.

use crate::Failure;
use serde_json::Value;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(crate) struct Executable {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
}

/// Builds these examples and finds them, wherever cargo puts them.
pub(crate) fn build(names: &[&'static str]) -> Result<Vec<Executable>, Failure> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "countersign-examples", "--message-format", "json-render-diagnostics"]);
    cargo.args(names.iter().flat_map(|name| ["--example", name]));
    let output = cargo.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::Failed(format!("cargo build could not be run: {error}")))?;
    if !output.status.success() {
        return Err(Failure::Failed("the examples could not be built".into()));
    }
    let built = String::from_utf8_lossy(&output.stdout);
    names
        .iter()
        .map(|name| match executable(&built, name) {
            Some(path) => Ok(Executable { name, path }),
            None => Err(Failure::Failed(format!("cargo built no `{name}`"))),
        })
        .collect()
}

/// Where cargo says that it put an example.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let target = message.get("target")?;
        let is_it = target.get("name")? == name && target.pointer("/kind/0")? == "example";
        is_it.then(|| message.get("executable")?.as_str().map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_of_an_example_is_found_among_other_artifacts() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"a","kind":["lib"]},"executable":null}
not JSON
{"reason":"compiler-artifact","target":{"name":"a","kind":["example"]},"executable":"/t/debug/examples/a"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "a"), Some("/t/debug/examples/a".into()));
        assert_eq!(executable(messages, "b"), None);
    }
}
