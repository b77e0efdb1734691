//! A real Redis for a test: [`RedisServer`].

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a server may take to answer its first `PING`.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const BETWEEN_PINGS: Duration = Duration::from_millis(10);

/// The port that was free is anybody's until the server has it, so a loser tries another one.
const ATTEMPTS: usize = 5;

/// The program `redis-server` on a free loopback port, with nothing kept on disk. It is killed when this is
/// dropped.
///
/// ```no_run
/// use countersign_testkit::redis_server::RedisServer;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut server = RedisServer::start().await?;
/// // a store on `server.url()`, and then an outage:
/// server.kill();
/// server.restart().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    directory: PathBuf,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// Where the program is not installed, or does not answer within ten seconds. The error says which, and
    /// ends with what the server logged.
    pub async fn start() -> io::Result<Self> {
        let mut attempt = 1;
        loop {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let directory = std::env::temp_dir().join(format!("countersign-redis-{}-{port}", std::process::id()));
            fs::create_dir_all(&directory)?;
            let mut server = Self { port, directory, process: None };
            match server.restart().await {
                Ok(()) => return Ok(server),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The address as a URL: `redis://127.0.0.1:port/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once, as a crash would. Its connections break, its port refuses new ones.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().and_then(|()| process.wait()).expect("an end of `redis-server`");
        }
    }

    /// Starts the server on the same port, empty, and waits until it answers. A running one is killed first.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn restart(&mut self) -> io::Result<()> {
        self.kill();
        let log = self.directory.join("redis.log");
        fs::write(&log, "")?;
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(&self.directory)
            .arg("--logfile")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                let text = format!("`redis-server` cannot be run ({error}): is it installed, and in `PATH`?");
                io::Error::new(error.kind(), text)
            })?;
        let process = self.process.insert(process);
        timeout(START_TIMEOUT, answers(process, self.port, &log)).await.map_err(|_| {
            let text = format!("`redis-server` did not answer within {START_TIMEOUT:?}: {}", logged(&log));
            io::Error::new(io::ErrorKind::TimedOut, text)
        })?
    }

    /// Stops the server without ending it: connections stay, the kernel takes new ones, and nothing is
    /// answered.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("a running `redis-server`");
        // The shell's own `kill`: the program of that name is not on every machine.
        let command = format!("kill {signal} {}", process.id());
        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.is_ok_and(|status| status.success()), "`kill {signal}` failed");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        // What is left behind then is an empty directory among the temporary ones: no reason to fail a test.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Waits until the server answers, or is known never to.
async fn answers(process: &mut Child, port: u16, log: &Path) -> io::Result<()> {
    loop {
        // Asked first: a server that found the port taken has ended, and the one that has it might answer.
        if let Some(status) = process.try_wait()? {
            let logged = logged(log);
            let taken = logged.contains("Address already in use");
            let kind = if taken { io::ErrorKind::AddrInUse } else { io::ErrorKind::Other };
            return Err(io::Error::new(kind, format!("`redis-server` ended with {status}: {logged}")));
        }
        if ping(port).await.is_ok_and(|answer| &answer == b"+PONG\r\n") && process.try_wait()?.is_none() {
            return Ok(());
        }
        sleep(BETWEEN_PINGS).await;
    }
}

async fn ping(port: u16) -> io::Result<[u8; 7]> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    connection.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    connection.read_exact(&mut answer).await?;
    Ok(answer)
}

fn logged(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default().trim().to_owned()
}
