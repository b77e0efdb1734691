//! The steps in `cookie_app`, one after another.

use super::chromium::{Chromium, Exchange};
use super::program::{Neighbour, Program};
use crate::Failure;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::Path;

const COOKIE: &str = "__Host-session";

pub(super) struct Check<'c> {
    pub(super) chromium: &'c mut Chromium,
    pub(super) program: &'c Program,
    pub(super) steps: usize,
}

/// Takes all steps, and tells how many they were. The first that goes wrong ends it.
pub(super) fn run(
    chromium: &mut Chromium,
    program: &Program,
    neighbour: &Neighbour,
    folder: &Path,
) -> Result<usize, Failure> {
    let mut check = Check { chromium, program, steps: 0 };
    let picture = |name: &str| folder.join(format!("{}-{name}.png", program.name));

    check.chromium.call("Network.clearBrowserCookies", json!({}))?;
    check.open_own_page()?;
    check.chromium.picture(&picture("stranger"))?;
    let cookie = check.log_in()?;
    check.add_a_note()?;
    check.open_a_socket()?;
    check.chromium.picture(&picture("writer"))?;
    check.others_are_refused("another port", &neighbour.on_another_port(), "same-site", true, 403)?;
    check.others_are_refused("another site", &neighbour.on_another_site(), "cross-site", false, 401)?;
    check.nothing_has_come_of_it()?;
    check.log_out(&cookie)?;
    check.the_session_ends_by_itself()?;
    check.chromium.picture(&picture("expired"))?;
    Ok(check.steps)
}

impl Check<'_> {
    /// A step that is good if `seen` is what is `wanted`.
    pub(super) fn step<T: Debug + PartialEq>(&mut self, what: &str, seen: &T, wanted: &T) -> Result<(), Failure> {
        if seen != wanted {
            let name = self.program.name;
            return Err(Failure::Failed(format!("{name}: {what}: {seen:?} instead of {wanted:?}")));
        }
        println!("  ok  {what}");
        self.steps += 1;
        Ok(())
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.program.url)
    }

    fn socket(&self) -> String {
        self.url("/ws").replacen("http", "ws", 1)
    }

    fn open_own_page(&mut self) -> Result<(), Failure> {
        self.chromium.open(&self.url("/"))?;
        self.chromium.until("document.body.dataset.session !== undefined")
    }

    fn cookies(&mut self) -> Result<Vec<Value>, Failure> {
        let url = self.url("/");
        let cookies = self.chromium.call("Network.getCookies", json!({ "urls": [url] }))?;
        Ok(cookies.get("cookies").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// Answers the cookie's value, as somebody has it who got hold of it.
    fn log_in(&mut self) -> Result<Value, Failure> {
        self.chromium.value("document.querySelector('[data-user=writer]').click()")?;
        self.chromium.until("document.body.dataset.session === 'writer'")?;
        let seen = self.chromium.value("document.getElementById('who').textContent")?;
        self.step("logs in as writer", &seen, &json!("Logged in as writer"))?;
        let cookies = self.cookies()?;
        let kept: Vec<_> = cookies
            .iter()
            .map(|kept| json!([kept["name"], kept["secure"], kept["httpOnly"], kept["sameSite"], kept["path"]]))
            .collect();
        let wanted = vec![json!([COOKIE, true, true, "Lax", "/"])];
        self.step("keeps one cookie: __Host-, Secure, HttpOnly, SameSite=Lax", &kept, &wanted)?;
        let readable = self.chromium.value("document.cookie")?;
        self.step("shows it to no script", &readable, &json!(""))?;
        Ok(cookies.first().map(|cookie| cookie["value"].clone()).unwrap_or_default())
    }

    fn add_a_note(&mut self) -> Result<(), Failure> {
        self.chromium.forget();
        // What would run if the page took notes for HTML.
        let note = "<img src=x onerror=alert(1)> Water the plants";
        let script = format!("document.getElementById('text').value = {}", json!(note));
        self.chromium.value(&script)?;
        self.chromium.value("document.querySelector('#new button').click()")?;
        let seen = self.chromium.exchange("POST", &self.url("/notes"))?;
        let wanted = Exchange { status: 201, has_cookie: true, site: "same-origin".into() };
        self.step("changes something from its own page: 201", &seen, &wanted)?;
        self.chromium.until("document.querySelectorAll('#notes li').length === 1")?;
        let shown = self.chromium.value("document.querySelector('#notes li').firstChild.nodeValue")?;
        self.step("shows it as text", &shown, &json!(note))
    }

    fn open_a_socket(&mut self) -> Result<(), Failure> {
        self.chromium.until("document.body.dataset.socket !== undefined")?;
        let socket = self.chromium.value("document.body.dataset.socket")?;
        self.step("opens a WebSocket from its own page", &socket, &json!("open"))
    }

    /// A page of somebody else's sends a form, and requests of its scripts, with all cookies that the browser gives it.
    fn others_are_refused(
        &mut self,
        who: &str,
        page: &str,
        site: &str,
        has_cookie: bool,
        status: u64,
    ) -> Result<(), Failure> {
        let (notes, login) = (self.url("/notes"), self.url("/login"));
        let cookie = if has_cookie { "the cookie comes along" } else { "the cookie stays behind" };
        let refused = |status| Exchange { status, has_cookie, site: site.to_owned() };

        self.chromium.open(page)?;
        self.chromium.forget();
        // Sent as text, the name and the value of this field are JSON.
        let form = format!(
            "const form = document.body.appendChild(document.createElement('form'));
             form.method = 'post'; form.enctype = 'text/plain'; form.action = {};
             const field = form.appendChild(document.createElement('input'));
             field.name = '{{\"text\":\"'; field.value = '\"}}';
             form.submit();",
            json!(notes)
        );
        self.chromium.value(&form)?;
        let seen = self.chromium.exchange("POST", &notes)?;
        self.step(&format!("a form on {who}: {cookie}, {status}"), &seen, &refused(status))?;

        for (what, url, body, status) in [
            ("a script", &notes, r#"{"text":"theirs"}"#, status),
            ("a login", &login, r#"{"user":"reader"}"#, 403),
            ("a logout", &self.url("/logout"), "", status),
        ] {
            self.chromium.open(page)?;
            self.chromium.forget();
            let script = format!(
                "fetch({}, {{ method: 'POST', mode: 'no-cors', credentials: 'include', body: {} }}).then(() => true, () => false)",
                json!(url),
                json!(body)
            );
            self.chromium.value(&script)?;
            let seen = self.chromium.exchange("POST", url)?;
            self.step(&format!("{what} on {who}: {cookie}, {status}"), &seen, &refused(status))?;
        }

        self.chromium.open(page)?;
        self.chromium.forget();
        let seen = self.chromium.refused_handshake(&self.socket())?;
        let wanted = match status {
            401 => "HTTP Authentication failed; no valid credentials available".to_owned(),
            _ => format!("Error during WebSocket handshake: Unexpected response code: {status}"),
        };
        self.step(&format!("a WebSocket on {who}: {status} before the upgrade"), &seen, &wanted)
    }

    fn nothing_has_come_of_it(&mut self) -> Result<(), Failure> {
        self.open_own_page()?;
        let seen = self.chromium.value("document.body.dataset.session")?;
        self.step("is still logged in as writer", &seen, &json!("writer"))?;
        self.chromium.until("document.querySelectorAll('#notes li').length > 0")?;
        let notes = self.chromium.value("document.querySelectorAll('#notes li').length")?;
        self.step("has the one note and no other", &notes, &json!(1))
    }

    fn log_out(&mut self, cookie: &Value) -> Result<(), Failure> {
        // Another page of the session, as it were.
        let other = format!(
            "const other = new WebSocket({});
             other.onopen = () => {{ document.body.dataset.other = 'open'; }};
             other.onclose = (event) => {{ document.body.dataset.other = event.code; }};",
            json!(self.socket())
        );
        self.chromium.value(&other)?;
        self.chromium.until("document.body.dataset.other === 'open'")?;
        self.chromium.value("document.getElementById('leave').click()")?;
        self.chromium.until("document.body.dataset.session === ''")?;
        self.chromium.until("document.body.dataset.other !== 'open'")?;
        let closed = self.chromium.value("document.body.dataset.other")?;
        self.step("logging out closes what is open elsewhere: 4401", &closed, &json!("4401"))?;
        let kept = self.cookies()?;
        self.step("logs out and forgets the cookie", &kept, &Vec::new())?;
        let stolen = json!({
            "name": COOKIE, "value": cookie, "url": self.url("/"), "secure": true, "httpOnly": true, "path": "/",
        });
        self.chromium.call("Network.setCookie", stolen)?;
        self.chromium.forget();
        self.chromium.value("fetch('/me').then((answer) => answer.status)")?;
        let seen = self.chromium.exchange("GET", &self.url("/me"))?;
        let wanted = Exchange { status: 401, has_cookie: true, site: "same-origin".into() };
        self.step("a copy of the cookie is worth nothing: 401", &seen, &wanted)
    }

    fn the_session_ends_by_itself(&mut self) -> Result<(), Failure> {
        let log_in = format!(
            "fetch('/login', {{ method: 'POST', body: {} }}).then((answer) => answer.status)",
            json!(r#"{"user":"writer","lifetime":8}"#)
        );
        self.chromium.value(&log_in)?;
        self.open_own_page()?;
        self.chromium.until("document.body.dataset.socket !== undefined")?;
        let opened = self.chromium.value("[document.body.dataset.session, document.body.dataset.socket]")?;
        self.step("logs in for eight seconds", &opened, &json!(["writer", "open"]))?;
        self.chromium.until("document.body.dataset.socket !== 'open'")?;
        let closed = self.chromium.value("document.body.dataset.socket")?;
        self.step("the WebSocket is closed when the token expires: 4401", &closed, &json!("4401"))?;
        self.chromium.until("document.body.dataset.session === ''")?;
        let said = self.chromium.value("document.getElementById('said').textContent")?;
        self.step("the page says so", &said, &json!("Your session is over. Please log in again."))
    }
}
