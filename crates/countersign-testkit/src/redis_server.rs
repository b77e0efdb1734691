//! A real Redis for a test: [`RedisServer`], [`RedisCluster`], and [`RedisSentinels`] with what they watch over.

mod several;

pub use several::{RedisCluster, RedisSentinels};

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a server may take to answer its first `PING`.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const BETWEEN_PINGS: Duration = Duration::from_millis(10);
/// How long several servers may take to agree.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

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
    program: &'static str,
    port: u16,
    tls_port: Option<u16>,
    directory: PathBuf,
    arguments: Vec<String>,
    process: Option<Child>,
}

/// What a server is started with, beyond the usual.
#[derive(Clone, Debug)]
struct Wanted {
    program: &'static str,
    /// Before all others goes the name of a file of settings.
    settings: Option<String>,
    arguments: Vec<String>,
    files: Vec<(&'static str, String)>,
    is_tls: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { program: "redis-server", settings: None, arguments: Vec::new(), files: Vec::new(), is_tls: false }
    }
}

/// A port of 127.0.0.1 that nobody has at this moment.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// Where the program is not installed, or does not answer within ten seconds. The error says which, and
    /// ends with what the server logged.
    pub async fn start() -> io::Result<Self> {
        Self::begin(Wanted::default()).await
    }

    /// Starts a server with these arguments behind the usual ones.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn start_with<A: Into<String>>(arguments: impl IntoIterator<Item = A>) -> io::Result<Self> {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self::begin(Wanted { arguments, ..Wanted::default() }).await
    }

    /// Starts Valkey's `valkey-server` instead.
    ///
    /// # Errors
    /// As for [`start`](Self::start); [`NotFound`](io::ErrorKind::NotFound) where it is not installed.
    pub async fn start_valkey() -> io::Result<Self> {
        Self::begin(Wanted { program: "valkey-server", ..Wanted::default() }).await
    }

    /// Starts a server that speaks TLS with this certificate at [`tls_port`](Self::tls_port), and plain text at
    /// [`port`](Self::port).
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    #[cfg(feature = "tls")]
    pub async fn start_tls<A: Into<String>>(
        certificate: &crate::jwks_server::Certificate,
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let files = [("cert.pem", certificate.pem()), ("key.pem", certificate.key_pem())];
        let settings =
            "--tls-cert-file cert.pem --tls-key-file key.pem --tls-ca-cert-file cert.pem --tls-auth-clients no";
        Self::begin(Wanted {
            arguments: settings.split(' ').map(str::to_owned).chain(arguments.into_iter().map(Into::into)).collect(),
            files: files.map(|(name, text)| (name, text.to_owned())).into(),
            is_tls: true,
            ..Wanted::default()
        })
        .await
    }

    /// Starts a sentinel with these settings.
    pub(crate) async fn start_sentinel(settings: String) -> io::Result<Self> {
        let arguments = vec!["--sentinel".to_owned()];
        Self::begin(Wanted { settings: Some(settings), arguments, ..Wanted::default() }).await
    }

    async fn begin(wanted: Wanted) -> io::Result<Self> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            let tls_port = wanted.is_tls.then(free_port).transpose()?;
            let directory = std::env::temp_dir().join(format!("countersign-redis-{}-{port}", std::process::id()));
            fs::create_dir_all(&directory)?;
            for (name, text) in &wanted.files {
                fs::write(directory.join(name), text)?;
            }
            let mut arguments = Vec::new();
            if let Some(settings) = &wanted.settings {
                fs::write(directory.join("settings.conf"), settings)?;
                arguments.push("settings.conf".to_owned());
            }
            arguments.extend(["--port", &port.to_string(), "--bind", "127.0.0.1"].map(str::to_owned));
            if wanted.settings.is_none() {
                arguments.extend(["--save", "", "--appendonly", "no"].map(str::to_owned));
            }
            if let Some(port) = tls_port {
                arguments.extend(["--tls-port".to_owned(), port.to_string()]);
            }
            arguments.extend(wanted.arguments.iter().cloned());
            let program = wanted.program;
            let mut server = Self { program, port, tls_port, directory, arguments, process: None };
            match server.restart().await {
                Ok(()) => return Ok(server),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The port for TLS on 127.0.0.1.
    ///
    /// # Panics
    /// When the server was started without.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("a server that was started with TLS")
    }

    /// Sends one command, its words separated by spaces, and returns the strings, numbers and errors of the answer, a line
    /// each.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn say(&self, command: &str) -> io::Result<String> {
        let mut connection = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?);
        connection.write_all(format!("{command}\r\n").as_bytes()).await?;
        let (mut answer, mut left) = (String::new(), 1_u64);
        while left > 0 {
            let mut line = String::new();
            connection.read_line(&mut line).await?;
            let (kind, rest) = line.trim_end().split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
            left -= 1;
            match (kind, rest.parse::<u64>()) {
                ("*", Ok(items)) => left += items,
                ("$", Ok(length)) => {
                    let mut text = String::new();
                    (&mut connection).take(length + 2).read_to_string(&mut text).await?;
                    answer += text.trim_end();
                    answer += "\n";
                }
                _ => {
                    answer += line.trim_end();
                    answer += "\n";
                }
            }
        }
        Ok(answer)
    }

    /// Asks until the answer to a command has this in it.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) after half a minute, with the last answer.
    pub async fn until(&self, command: &str, wanted: &str) -> io::Result<()> {
        let mut last = String::new();
        let asked = async {
            loop {
                last = self.say(command).await.unwrap_or_else(|error| error.to_string());
                if last.contains(wanted) {
                    return;
                }
                sleep(BETWEEN_PINGS).await;
            }
        };
        let in_time = timeout(SETTLED_WITHIN, asked).await;
        in_time.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("`{command}`: {last}")))
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
        let program = self.program;
        let process = Command::new(program)
            .current_dir(&self.directory)
            .args(&self.arguments)
            .args(["--daemonize", "no"])
            .arg("--dir")
            .arg(&self.directory)
            .arg("--logfile")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                let text = format!("`{program}` cannot be run ({error}): is it installed, and in `PATH`?");
                io::Error::new(error.kind(), text)
            })?;
        let process = self.process.insert(process);
        timeout(START_TIMEOUT, answers(process, self.port, &log)).await.map_err(|_| {
            let text = format!("`{program}` did not answer within {START_TIMEOUT:?}: {}", logged(&log));
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
        if ping(port).await.is_ok_and(|answer| [b"+PONG\r\n", b"-NOAUTH"].contains(&&answer))
            && process.try_wait()?.is_none()
        {
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
