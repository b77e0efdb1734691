//! The steps in the quickstart's page: log in, press each route, tamper, and see what is made of it.

use super::check::Check;
use super::chromium::Chromium;
use super::program::Program;
use crate::Failure;
use serde_json::{Value, json};
use std::path::Path;

/// Who logs in, and what each route answers then, in the order of the page.
const ANSWERS: [(&str, [&str; 6]); 4] = [
    ("", ["200 OK", "200 OK", "401 Unauthorized", "401 Unauthorized", "401 Unauthorized", "401 Unauthorized"]),
    ("admin", ["200 OK", "200 OK", "200 OK", "200 OK", "201 Created", "200 OK"]),
    ("writer", ["200 OK", "200 OK", "200 OK", "200 OK", "201 Created", "403 Forbidden"]),
    ("reader", ["200 OK", "200 OK", "200 OK", "200 OK", "403 Forbidden", "403 Forbidden"]),
];

/// What is checked of a token, in order, and found.
const CHECKS: [&str; 18] = [
    "ok size",
    "ok parts",
    "ok header",
    "ok crit",
    "ok kid",
    "ok alg",
    "ok typ",
    "ok encoding",
    "ok claims",
    "ok iss",
    "ok key",
    "ok signature",
    "ok aud",
    "ok exp",
    "ok nbf",
    "ok iat",
    "ok cnf",
    "ok events",
];
/// What this API does not ask for.
const UNASKED: [&str; 6] = ["- max_age", "- max_lifetime", "- required claims", "- sub", "- azp", "- own checks"];

/// The body of 403, as the page shows it.
const FORBIDDEN: &str = r#"{
  "type": "about:blank",
  "title": "Forbidden",
  "status": 403,
  "detail": "The access token does not allow this",
  "error": "insufficient_scope"
}"#;

/// What is done to the reader's token, and which checks fail then.
const TAMPERED: [(&str, &[&str]); 6] = [
    ("[data-tamper=role]", &["signature"]),
    ("[data-tamper=none]", &["alg"]),
    ("[data-tamper=bit]", &["signature"]),
    ("[data-tamper=exp]", &["signature"]),
    ("[data-wrong=expired]", &["exp"]),
    ("[data-wrong=foreign]", &["aud"]),
];

/// Takes all steps, and tells how many they were. The first that goes wrong ends it.
pub(super) fn run(chromium: &mut Chromium, program: &Program, folder: &Path) -> Result<usize, Failure> {
    let mut check = Check { chromium, program, steps: 0 };
    check.chromium.screen(1280, 900, "light")?;
    check.chromium.open(&check.url("/"))?;
    check.chromium.until("document.body.dataset.verdict === 'none'")?;
    for (user, answers) in ANSWERS {
        press_each(&mut check, user, &answers)?;
    }
    shows_the_token(&mut check)?;
    lists_every_check(&mut check)?;
    pictures(&mut check, folder, "accepted", &[(1280, "light")])?;
    for (button, failing) in TAMPERED {
        tamper(&mut check, button, failing)?;
        if button == "[data-tamper=role]" {
            let looks = [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")];
            pictures(&mut check, folder, "refused", &looks)?;
        }
    }
    put_back(&mut check)?;
    takes_all_for_text(&mut check)?;
    is_reached_by_keyboard(&mut check)?;
    is_its_own(&mut check)?;
    check.chromium.call("Emulation.clearDeviceMetricsOverride", json!({}))?;
    check.chromium.call("Emulation.setEmulatedMedia", json!({ "features": [] }))?;
    Ok(check.steps)
}

fn click(check: &mut Check<'_>, button: &str) -> Result<(), Failure> {
    check.chromium.value(&format!("document.querySelector({}).click()", json!(button))).map(drop)
}

fn log_in(check: &mut Check<'_>, user: &str) -> Result<(), Failure> {
    click(check, &format!("[data-user='{user}']"))?;
    let verdict = if user.is_empty() { "none" } else { "accepted" };
    check.chromium.until(&format!(
        "document.body.dataset.user === {} && document.body.dataset.verdict === {}",
        json!(user),
        json!(verdict)
    ))
}

fn press_each(check: &mut Check<'_>, user: &str, answers: &[&str]) -> Result<(), Failure> {
    log_in(check, user)?;
    click(check, "#all")?;
    const STATUSES: &str = "[...document.querySelectorAll('#routes .status')].map((status) => status.textContent)";
    check.chromium.until(&format!("{STATUSES}.every((status) => status)"))?;
    let seen = check.chromium.value(STATUSES)?;
    let who = if user.is_empty() { "nobody" } else { user };
    let statuses: Vec<_> = answers.iter().filter_map(|answer| answer.split(' ').next()).collect();
    check.step(&format!("{who} presses all routes at once: {}", statuses.join(", ")), &seen, &json!(answers))?;

    let routes =
        check.chromium.value("[...document.querySelectorAll('[data-route]')].map((it) => it.dataset.route)")?;
    let routes: Vec<_> = routes.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut seen = Vec::new();
    for route in &routes {
        seen.push(press(check, route)?.get(0).cloned().unwrap_or_default());
    }
    check.step(
        &format!("{who} presses each by its own button: the same"),
        &seen,
        &answers.iter().map(|it| json!(it)).collect(),
    )
}

/// Presses a route, and answers its status and the beginning of its challenge.
fn press(check: &mut Check<'_>, route: &str) -> Result<Value, Failure> {
    click(check, &format!("[data-route='{route}']"))?;
    check.chromium.until(&format!("document.getElementById('asked').textContent === {}", json!(route)))?;
    check.chromium.until("!document.getElementById('answer').hidden")?;
    check.chromium.value(
        "[document.getElementById('status').textContent,
          /error=\"([a-z_]+)\"/.exec(document.getElementById('challenge').textContent)?.[1] ?? '']",
    )
}

fn shows_the_token(check: &mut Check<'_>) -> Result<(), Failure> {
    let seen = check.chromium.value(
        "(() => {
            const part = (i) => document.getElementById(`part${i}`).value;
            const sent = [...document.querySelectorAll('#encoded span')].map((span) => span.textContent.length > 0);
            return [JSON.parse(part(0)).alg, JSON.parse(part(1)).sub, JSON.parse(part(1)).roles, part(2).length, sent];
        })()",
    )?;
    let wanted = json!(["ES256", "reader", ["reader"], 86, [true, true, true]]);
    check.step("shows header, claims and signature of the token", &seen, &wanted)
}

/// Of a token that is accepted: what each check found, and what this API does not ask for.
fn lists_every_check(check: &mut Check<'_>) -> Result<(), Failure> {
    let seen = check.chromium.value(
        "['#checks li', '#unasked li'].map((list) => [...document.querySelectorAll(list)].map(
            (line) => [...line.children].slice(0, 2).map((part) => part.textContent).join(' ')))",
    )?;
    check.step("lists every check of it", &seen, &json!([CHECKS, UNASKED]))
}

fn tamper(check: &mut Check<'_>, button: &str, failing: &[&str]) -> Result<(), Failure> {
    click(check, button)?;
    check.chromium.until("document.body.dataset.verdict === 'refused'")?;
    let seen = check
        .chromium
        .value("[...document.querySelectorAll('#checks .mark.failed')].map((mark) => mark.nextSibling.textContent)")?;
    check.step(&format!("{button} is refused for its {}", failing.join(", ")), &seen, &json!(failing))?;
    let seen = press(check, "DELETE /admin")?;
    check.step("… and gets 401, invalid_token", &seen, &json!(["401 Unauthorized", "invalid_token"]))
}

fn put_back(check: &mut Check<'_>) -> Result<(), Failure> {
    click(check, "#undo")?;
    check.chromium.until("document.body.dataset.verdict === 'accepted'")?;
    let seen = press(check, "POST /posts")?;
    check.step(
        "put back, it is accepted, and may not write",
        &seen,
        &json!(["403 Forbidden", "insufficient_scope"]),
    )?;
    let seen = check.chromium.value("document.getElementById('body').textContent")?;
    check.step("… and reads why", &seen, &json!(FORBIDDEN))
}

/// What is written into the page is never HTML.
fn takes_all_for_text(check: &mut Check<'_>) -> Result<(), Failure> {
    check.chromium.value("document.getElementById('part1').select()")?;
    check.chromium.value("document.getElementById('part1').focus()")?;
    check.chromium.call("Input.insertText", json!({ "text": "<img src=x onerror=alert(1)>" }))?;
    check.chromium.until("document.body.dataset.verdict === 'refused'")?;
    let seen = check.chromium.value(
        "[document.images.length, document.querySelector('#checks .failed + code').textContent,
          !document.querySelector('.of-claims .changed').hidden]",
    )?;
    check.step("what is no JSON is refused as claims, and no HTML", &seen, &json!([0, "claims", true]))?;

    // A server that answers with markup wherever the page shows what it says.
    check.chromium.value(
        "void (window.fetch = async () => new Response(JSON.stringify({
            checks: [{ check: '<img>', outcome: 'failed', why: '<img>' }],
        }), { headers: { 'WWW-Authenticate': '<img>' } }))",
    )?;
    click(check, "#undo")?;
    check.chromium.until("document.body.dataset.verdict === 'refused'")?;
    press(check, "GET /me")?;
    let seen = check.chromium.value(
        "[document.images.length, document.querySelector('#checks code').textContent,
          document.getElementById('challenge').textContent, document.getElementById('body').textContent.includes('<img>')]",
    )?;
    check.step("what the server says is no HTML", &seen, &json!([0, "<img>", "<img>", true]))
}

fn is_reached_by_keyboard(check: &mut Check<'_>) -> Result<(), Failure> {
    check.chromium.open(&check.url("/"))?;
    check.chromium.until("document.body.dataset.verdict === 'none'")?;
    for key in ["Tab", "Tab", "Tab", "Enter"] {
        check.chromium.key(key)?;
    }
    check.chromium.until("document.body.dataset.verdict === 'accepted'")?;
    let seen = check.chromium.value("document.body.dataset.user")?;
    check.step("logs in by keyboard: Tab, Tab, Tab, Enter", &seen, &json!("writer"))?;

    let tree = check.chromium.call("Accessibility.getFullAXTree", json!({}))?;
    let nodes = tree.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let role = |node: &&Value| {
        let role = node.pointer("/role/value").and_then(Value::as_str).unwrap_or_default();
        ["button", "textbox"].contains(&role)
    };
    let is_named =
        |node: &&Value| node.pointer("/name/value").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    let controls: Vec<_> = nodes.iter().filter(role).collect();
    let seen = (controls.len(), controls.iter().filter(|node| is_named(node)).count());
    check.step("each of its buttons and fields has a name", &seen, &(21, 21))
}

/// A page from one file: nothing is asked of anybody else, and a script that is put into it does not run.
fn is_its_own(check: &mut Check<'_>) -> Result<(), Failure> {
    let seen = check.chromium.value(
        "performance.getEntriesByType('resource').filter((entry) => !entry.name.startsWith(location.origin)).length",
    )?;
    check.step("asks nobody but its own program", &seen, &json!(0))?;
    let seen = check.chromium.value(
        "new Promise((done) => {
            document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
            const script = document.createElement('script');
            script.textContent = 'document.title = \"taken over\"';
            document.body.append(script);
            setTimeout(() => done(document.title), 5000);
        })",
    )?;
    check.step("runs no script but its own", &seen, &json!("script-src-elem"))
}

/// What the page looks like: wide or narrow, light or dark. Nothing stands out at the side.
fn pictures(check: &mut Check<'_>, folder: &Path, what: &str, looks: &[(u64, &str)]) -> Result<(), Failure> {
    for (width, scheme) in looks.iter().copied() {
        check.chromium.screen(width, 900, scheme)?;
        let height = check.chromium.value("document.documentElement.scrollHeight")?;
        check.chromium.screen(width, height.as_u64().unwrap_or(900), scheme)?;
        check.chromium.picture(&folder.join(format!("{}-{what}-{width}-{scheme}.png", check.program.name)))?;
        let width_of_all = check.chromium.value("document.documentElement.scrollWidth")?;
        check.step(&format!("{what}, it fits into {width} px, {scheme}"), &width_of_all, &json!(width))?;
    }
    check.chromium.screen(1280, 900, "light")
}
