//! What the browser talks to: the examples, and a page of somebody else's.

use crate::Failure;
use crate::examples::Executable;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The folder for pictures, in the target folder.
pub(super) fn pictures(executables: &[Executable]) -> Result<PathBuf, Failure> {
    // `target/debug/examples/name`
    let target = executables.first().and_then(|first| first.path.ancestors().nth(3)).unwrap_or(Path::new("target"));
    let folder = target.join("browser");
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::Failed(format!("{} could not be made: {error}", folder.display())))?;
    Ok(folder)
}

/// A running example. It ends when it is dropped.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// Such as `http://127.0.0.1:3000`.
    pub(super) url: String,
    child: Child,
}

impl Executable {
    pub(super) fn start(&self) -> Result<Program, Failure> {
        let did_not = |error: io::Error| Failure::Failed(format!("{} did not start: {error}", self.name));
        let mut command = Command::new(&self.path);
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(did_not)?;
        let output = child.stdout.take();
        let mut program = Program { name: self.name, url: String::new(), child };
        let mut first = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut first).map_err(did_not)?;
        }
        match first.trim().split_once("listening on ") {
            Some((_, url)) => program.url = url.to_owned(),
            None => return Err(did_not(io::Error::other("it does not say where it listens"))),
        }
        Ok(program)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves an empty page, whose scripts are what the check runs in it. Reached as `127.0.0.1` it is the same host as the
/// program, at another port: the same site, and another origin. Reached as `localhost` it is another site.
pub(super) struct Neighbour {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 46\r\nConnection: close\r\n\r\n\
                    <!doctype html><title>Somebody else's</title>\n";

impl Neighbour {
    pub(super) fn start() -> Result<Self, Failure> {
        let could_not = |error: io::Error| Failure::Failed(format!("no port for the other page: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(could_not)?;
        let address = listener.local_addr().map_err(could_not)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                for stream in listener.incoming().flatten() {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    // Browsers open connections that they may never use.
                    let _ = answer(stream);
                }
            }
        });
        Ok(Self { address, is_over, thread: Some(thread) })
    }

    /// Its page, at the same host as the program.
    pub(super) fn on_another_port(&self) -> String {
        format!("http://127.0.0.1:{}/", self.address.port())
    }

    /// Its page, at another site.
    pub(super) fn on_another_site(&self) -> String {
        format!("http://localhost:{}/", self.address.port())
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut head: Vec<u8> = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            read => head.extend(chunk.iter().take(read)),
        }
    }
    stream.write_all(PAGE.as_bytes())
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes it up.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_long_as_it_says() {
        let (head, body) = PAGE.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
