//! Chromium without a window, driven by the DevTools protocol over two pipes: no port is opened, nothing but JSON is
//! needed to speak it, and a browser whose pipe is closed ends.

use crate::{Failure, programs};
use base64::prelude::{BASE64_STANDARD, Engine};
use countersign::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The browser reads descriptor 3 and writes descriptor 4.
const ON_PIPES: &str = "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>&2";

const FLAGS: [&str; 10] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=800,600",
];

/// A browser with one page. It ends when it is dropped.
pub(super) struct Chromium {
    child: Child,
    commands: Option<ChildStdin>,
    messages: Receiver<Value>,
    reader: Option<JoinHandle<()>>,
    clock: SystemClock,
    last_id: u64,
    /// The page's.
    session: Option<String>,
    /// What has happened and nobody has asked about yet.
    events: Vec<Value>,
}

/// A request as the browser sent it, and its answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) status: u64,
    pub(super) has_cookie: bool,
    /// `Sec-Fetch-Site`.
    pub(super) site: String,
}

impl Chromium {
    pub(super) fn start(profile: &Path) -> Result<Self, Failure> {
        let did_not = |error| Failure::Failed(format!("chromium did not start: {error}"));
        let mut command = Command::new("sh");
        command.args(["-c", ON_PIPES, "chromium"]).args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.display()));
        if programs::is_root() {
            // Its sandbox works for ordinary users alone. All that it loads is ours.
            command.arg("--no-sandbox");
        }
        command.arg("about:blank").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(did_not)?;
        let (sender, messages) = channel();
        let commands = child.stdin.take();
        let reader = child.stdout.take().map(|output| {
            thread::spawn(move || {
                for message in BufReader::new(output).split(0).map_while(Result::ok) {
                    let Ok(message) = serde_json::from_slice(&message) else { break };
                    if sender.send(message).is_err() {
                        break;
                    }
                }
            })
        });
        let clock = SystemClock::new();
        let mut chromium =
            Self { child, commands, messages, reader, clock, last_id: 0, session: None, events: Vec::new() };
        let page = chromium.call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let target = text(&page, "/targetId")?;
        let session = chromium.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }))?;
        chromium.session = Some(text(&session, "/sessionId")?);
        for domain in ["Page", "Network", "Runtime"] {
            chromium.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(chromium)
    }

    /// Sends a command and waits for its result.
    pub(super) fn call(&mut self, method: &str, parameters: Value) -> Result<Value, Failure> {
        self.last_id += 1;
        let id = self.last_id;
        let command = match &self.session {
            Some(page) => json!({ "id": id, "method": method, "params": parameters, "sessionId": page }),
            None => json!({ "id": id, "method": method, "params": parameters }),
        };
        let mut line = command.to_string().into_bytes();
        line.push(0);
        let sent = self.commands.as_mut().map(|commands| commands.write_all(&line));
        if !matches!(sent, Some(Ok(()))) {
            return Err(Failure::Failed("chromium does not listen: does `chromium --headless` work here?".into()));
        }
        let answer = self.wait(method, |message| message["id"] == id)?;
        match answer.get("error") {
            None => Ok(answer.get("result").cloned().unwrap_or_default()),
            Some(error) => Err(Failure::Failed(format!("chromium refuses {method}: {error}"))),
        }
    }

    /// The next message of this kind. Others are kept.
    fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value, Failure> {
        let end = self.clock.monotonic() + PATIENCE;
        loop {
            match self.messages.recv_timeout(end.saturating_sub(self.clock.monotonic())) {
                Ok(message) if is_it(&message) => return Ok(message),
                Ok(message) => self.events.push(message),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::Failed(format!("waited {} s in vain: {what}", PATIENCE.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Failed(format!("chromium ended before this was done: {what}")));
                }
            }
        }
    }

    /// The first event, of those that have happened or of those to come, that `find` makes something of.
    fn event<T>(&mut self, what: &str, find: impl Fn(&[Value]) -> Option<T>) -> Result<T, Failure> {
        loop {
            if let Some(found) = find(&self.events) {
                return Ok(found);
            }
            let next = self.wait(what, |message| message.get("method").is_some())?;
            self.events.push(next);
        }
    }

    /// Forgets what has happened, so that what is asked for next is new.
    pub(super) fn forget(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            drop(message);
        }
        self.events.clear();
    }

    /// Opens a page and waits until it has been loaded.
    pub(super) fn open(&mut self, url: &str) -> Result<(), Failure> {
        self.forget();
        let opened = self.call("Page.navigate", json!({ "url": url }))?;
        if let Some(problem) = opened.get("errorText") {
            return Err(Failure::Failed(format!("{url}: {problem}")));
        }
        self.event(&format!("{url} is loaded"), |events| {
            events.iter().any(|event| event["method"] == "Page.loadEventFired").then_some(())
        })
    }

    /// The value of an expression in the page; of a promise, what comes of it.
    pub(super) fn value(&mut self, expression: &str) -> Result<Value, Failure> {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let result = self.call("Runtime.evaluate", parameters)?;
        match result.get("exceptionDetails") {
            None => Ok(result.pointer("/result/value").cloned().unwrap_or_default()),
            Some(details) => {
                let said = details.pointer("/exception/description").unwrap_or(details);
                Err(Failure::Failed(format!("`{expression}`: {said}")))
            }
        }
    }

    /// Waits until an expression in the page is true.
    pub(super) fn until(&mut self, expression: &str) -> Result<(), Failure> {
        let wait = format!(
            "new Promise((done) => {{
                const look = () => ({expression}) ? done(true) : setTimeout(look, 20);
                setTimeout(() => done(false), {});
                look();
            }})",
            PATIENCE.as_millis() / 2,
        );
        match self.value(&wait)? {
            Value::Bool(true) => Ok(()),
            _ => Err(Failure::Failed(format!("waited in vain for `{expression}`"))),
        }
    }

    /// The request of this method to this URL, and its answer.
    pub(super) fn exchange(&mut self, method: &str, url: &str) -> Result<Exchange, Failure> {
        self.event(&format!("{method} {url}"), |events| exchange(events, method, url))
    }

    /// What Chromium says of a WebSocket that the page asks for and does not get. The cookie is not told here.
    pub(super) fn refused_handshake(&mut self, url: &str) -> Result<String, Failure> {
        self.value(&format!("void new WebSocket({})", json!(url)))?;
        let failure = self.event(&format!("the end of {url}"), |events| {
            let failed = events.iter().find(|event| event["method"] == "Network.webSocketFrameError")?;
            failed.pointer("/params/errorMessage").cloned()
        })?;
        Ok(failure.as_str().unwrap_or_default().to_owned())
    }

    /// Gives the page a screen of this size, and light or dark.
    pub(super) fn screen(&mut self, width: u64, height: u64, scheme: &str) -> Result<(), Failure> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features).map(drop)
    }

    /// Presses a key that is called so, and lets it go.
    pub(super) fn key(&mut self, key: &str) -> Result<(), Failure> {
        let (code, text) = if key == "Enter" { (13, "\r") } else { (9, "\t") };
        let down = json!({
            "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
        });
        self.call("Input.dispatchKeyEvent", down)?;
        let up = json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", up).map(drop)
    }

    /// Writes what the page looks like into a file.
    pub(super) fn picture(&mut self, file: &Path) -> Result<(), Failure> {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }))?;
        let octets = BASE64_STANDARD.decode(text(&picture, "/data")?).unwrap_or_default();
        fs::write(file, octets).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))
    }

    /// Ends the browser, and tells whether it went by itself.
    pub(super) fn close(mut self) -> Result<(), Failure> {
        match self.end() {
            true => Ok(()),
            false => Err(Failure::Failed("chromium had to be killed".into())),
        }
    }

    fn end(&mut self) -> bool {
        drop(self.commands.take());
        let end = self.clock.monotonic() + PATIENCE;
        let went = loop {
            match self.messages.recv_timeout(end.saturating_sub(self.clock.monotonic())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break true,
                Err(RecvTimeoutError::Timeout) => break false,
            }
        };
        if !went {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        went
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if self.reader.is_some() {
            self.end();
        }
    }
}

fn text(value: &Value, pointer: &str) -> Result<String, Failure> {
    match value.pointer(pointer).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::Failed(format!("chromium answered without {pointer}"))),
    }
}

/// What the page asked for, what was sent and what came back are three events, in any order.
fn exchange(events: &[Value], method: &str, url: &str) -> Option<Exchange> {
    let text = |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let asked = events.iter().find(|event| {
        let is = |pointer: &str, wanted: &str| event.pointer(pointer).and_then(Value::as_str) == Some(wanted);
        is("/method", "Network.requestWillBeSent")
            && is("/params/request/method", method)
            && is("/params/request/url", url)
    })?;
    let id = text(asked, "/params/requestId")?;
    let of_it = |name: &str| {
        let is_it =
            |event: &&Value| event["method"] == name && text(event, "/params/requestId").as_deref() == Some(&id);
        events.iter().find(is_it)
    };
    let sent = of_it("Network.requestWillBeSentExtraInfo")?.pointer("/params/headers")?.as_object()?;
    let answered = of_it("Network.responseReceivedExtraInfo")?;
    let field = |name: &str| sent.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    Some(Exchange {
        status: answered.pointer("/params/statusCode")?.as_u64()?,
        has_cookie: field("cookie").is_some(),
        site: field("sec-fetch-site").and_then(Value::as_str).unwrap_or("unsaid").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_put_together_from_events_in_any_order() {
        let event = |name: &str, id: &str, more: Value| {
            let mut parameters = more;
            parameters["requestId"] = json!(id);
            json!({ "method": format!("Network.{name}"), "params": parameters })
        };
        let asked =
            |id, method| event("requestWillBeSent", id, json!({"request": {"method": method, "url": "http://a/"}}));
        let sent = |id, headers| event("requestWillBeSentExtraInfo", id, json!({ "headers": headers }));
        let answered = |id, status: u64| event("responseReceivedExtraInfo", id, json!({ "statusCode": status }));
        let events = [
            answered("2", 403),
            sent("1", json!({})),
            asked("1", "GET"),
            sent("2", json!({"Cookie": "a=b", "Sec-Fetch-Site": "same-site"})),
            asked("2", "POST"),
            answered("1", 200),
        ];
        let post = Exchange { status: 403, has_cookie: true, site: "same-site".into() };
        assert_eq!(exchange(&events, "POST", "http://a/"), Some(post));
        let get = Exchange { status: 200, has_cookie: false, site: "unsaid".into() };
        assert_eq!(exchange(&events, "GET", "http://a/"), Some(get));
        assert_eq!(exchange(&events, "POST", "http://b/"), None);
        assert_eq!(exchange(&events[1..], "POST", "http://a/"), None, "not answered yet");
    }
}
