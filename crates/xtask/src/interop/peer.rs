//! A script of `tests/interop`: it answers a line of JSON with a line of JSON.

use super::tools::Tools;
use crate::Failure;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// What is slower than this hangs.
const HANGS: Duration = Duration::from_secs(60);

/// The running script. It ends when it is dropped; it would as well when this process is killed, because its stdin ends.
pub(super) struct Peer {
    script: &'static str,
    child: Child,
    questions: Option<ChildStdin>,
    answers: Receiver<io::Result<String>>,
    /// What it writes to stderr.
    log: PathBuf,
}

impl Peer {
    pub(super) fn start(tools: &Tools, script: &'static str) -> Result<Self, Failure> {
        let did_not = |error: io::Error| Failure::Failed(format!("{script} did not start: {error}"));
        let log = tools.folder.join(script).with_extension("log");
        let mut command = tools.script(script);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log).map_err(did_not)?);
        let mut child = command.spawn().map_err(did_not)?;
        let (told, answers) = mpsc::channel();
        let output = child.stdout.take();
        // Ends with the script, or when nobody listens.
        thread::spawn(move || {
            let mut lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            lines.all(|line| told.send(line).is_ok())
        });
        Ok(Self { script, questions: child.stdin.take(), child, answers, log })
    }

    /// The inner error is the script's own: it understood, and could not.
    pub(super) fn ask<T: DeserializeOwned>(&mut self, question: &Value) -> Result<Result<T, String>, Failure> {
        let silent = |why: &dyn std::fmt::Display| {
            Failure::Failed(format!("{} gave no answer ({why}): {}", self.script, self.log.display()))
        };
        let Some(questions) = &mut self.questions else { return Err(silent(&"it cannot be asked")) };
        writeln!(questions, "{question}").map_err(|error| silent(&error))?;
        let line = self.answers.recv_timeout(HANGS).map_err(|error| silent(&error))?;
        let line = line.map_err(|error| silent(&error))?;
        let answer: Value = serde_json::from_str(&line).map_err(|error| silent(&error))?;
        if let Some(error) = answer.get("error").and_then(Value::as_str) {
            return Ok(Err(error.to_owned()));
        }
        serde_json::from_value(answer).map(Ok).map_err(|error| silent(&error))
    }

    /// What must be answered for anything to go on.
    pub(super) fn demand<T: DeserializeOwned>(&mut self, question: &Value) -> Result<T, Failure> {
        let script = self.script;
        self.ask(question)?.map_err(|error| Failure::Failed(format!("{script}: {question}: {error}")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
