use crate::Failure;
use crate::examples::Executable;
use crate::interop::http::{self, Answer};
use crate::interop::tools::Tools;
use countersign::reason::Rejection;
use serde_json::Value;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::thread;

/// What else the program reads.
const UNSET: [&str; 7] =
    ["ACCESS_TOKENS_ONLY", "FLEET_KEY", "JWKS_URI", "PERMISSIONS_CLAIM", "REDIS_URL", "ROLES_CLAIM", "TOKEN_CACHE"];

/// The running example. It ends when it is dropped, or when this process is killed: what keeps it sees its stdin end.
pub(super) struct ResourceServer {
    address: SocketAddr,
    keeper: Child,
}

impl ResourceServer {
    /// It finds the issuer's keys by discovery, over HTTP on loopback, which it is told to allow. Its other `settings`
    /// are not set unless they are named.
    pub(super) fn start(
        tools: &Tools,
        executable: &Executable,
        issuer: &str,
        audience: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let did_not = |error: io::Error| Failure::Failed(format!("{} did not start: {error}", executable.name));
        let mut command = tools.script("keeper.mjs");
        command.arg(&executable.path);
        for name in UNSET {
            command.env_remove(name);
        }
        command.envs([("ISSUER", issuer), ("AUDIENCE", audience)]);
        command.envs([("ALLOW_HTTP_LOOPBACK", "1"), ("LISTEN", "127.0.0.1:0")]);
        command.envs(settings.iter().copied());
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(did_not)?;
        let output = keeper.stdout.take();
        let mut server = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), keeper };
        let mut log = output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok));
        server.address = log.find_map(|line| serving(&line)).ok_or_else(|| did_not(io::ErrorKind::NotFound.into()))?;
        // A log that nobody reads stops who writes it.
        thread::spawn(move || log.for_each(drop));
        Ok(server)
    }

    /// Asks, and holds the status of the answer against the one that is wanted.
    pub(super) fn says(&self, status: u16, method: &str, path: &str, token: &str) -> Result<(), String> {
        self.answer(status, method, path, token).map(drop)
    }

    /// Asks, and wants to hear that the token proves nothing, for this reason as far as clients are told.
    pub(super) fn refuses(&self, token: &str, why: Rejection) -> Result<(), String> {
        let answer = self.answer(401, "GET", "/posts", token)?;
        if answer.body.contains(why.description()) {
            return Ok(());
        }
        Err(format!("401 for another reason than {why}: {}", answer.body))
    }

    fn answer(&self, status: u16, method: &str, path: &str, token: &str) -> Result<Answer, String> {
        let answer = http::send(self.address, method, path, Some(token)).map_err(|error| error.to_string())?;
        if answer.status == status {
            return Ok(answer);
        }
        Err(format!("{method} {path}: {}, not {status}: {}", answer.status, answer.body))
    }
}

/// The address in the line that says that it serves.
fn serving(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line.get("message")? == "serving").then(|| line.get("address")?.as_str()?.parse().ok())?
}

impl Drop for ResourceServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_where_it_serves() {
        assert_eq!(serving(r#"{"message":"serving","address":"127.0.0.1:1"}"#), Some(([127, 0, 0, 1], 1).into()));
        assert_eq!(serving(r#"{"message":"refused","address":"127.0.0.1:1"}"#), None);
        assert_eq!(serving("listening"), None);
    }
}
