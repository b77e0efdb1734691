//! Libraries that sign and verify: each algorithm in common, in each form that both have.

use super::ours::{self, AUDIENCE, Form, ISSUER, OurKey};
use super::peer::Peer;
use super::table::{Cell, Row, Table};
use super::tools::Tools;
use crate::Failure;
use crate::vectors::{BACKENDS, Under};
use countersign::Algorithm;
use countersign::clock::{Clock, SystemClock};
use countersign::reason::Rejection;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

const SCRIPTS: [&str; 3] = ["peer_jose.mjs", "peer_joserfc.py", "peer_pyjwt.py"];

/// Every one of the libraries has these, whatever runs it. One that has not would be compared in less than it seems.
const AT_LEAST: [Algorithm; 13] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
];

const LIFETIME: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Hello {
    library: String,
    algorithms: Vec<String>,
    forms: Vec<Form>,
}

#[derive(Deserialize)]
struct Made {
    jwk: Value,
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Payload(String),
    Refused(String),
}

pub(super) fn run(tools: &Tools, table: &mut Table) -> Result<(), Failure> {
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let payload = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": (now + LIFETIME).as_secs(),
        "iat": now.as_secs(),
        "sub": "7",
        "name": "Zoë Ångström 李雷",
        "tenant": {"id": 42, "quota": 12.5},
    });
    for script in SCRIPTS {
        let mut peer = Peer::start(tools, script)?;
        let hello: Hello = peer.demand(&json!({"do": "hello"}))?;
        let offers = |algorithm: &Algorithm| hello.algorithms.iter().any(|name| name == algorithm.name());
        let (theirs, not_theirs): (Vec<_>, Vec<_>) = Algorithm::ALL.iter().copied().partition(offers);
        for algorithm in theirs {
            let mut comparison = Comparison { peer: &mut peer, algorithm, payload: &payload };
            let ours = comparison.ours(&hello.forms)?;
            let theirs = comparison.theirs(&hello.forms)?;
            table.push(Row { case: format!("{} {algorithm}", hello.library), ours, theirs });
        }
        for algorithm in AT_LEAST.iter().filter(|algorithm| not_theirs.contains(algorithm)) {
            let missing = Cell::of("", Err("the library does not offer it".into()));
            table.push(Row { case: format!("{} {algorithm}", hello.library), ours: Cell::nothing(), theirs: missing });
        }
        let not_ours = hello.algorithms.iter().filter(|name| Algorithm::from_name(name).is_none());
        for (whose, names) in [
            ("not there", not_theirs.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>()),
            ("not here", not_ours.map(String::as_str).collect()),
        ] {
            if !names.is_empty() {
                table.note(format!("{}, {whose}: {}", hello.library, names.join(", ")));
            }
        }
    }
    Ok(())
}

struct Comparison<'a> {
    peer: &'a mut Peer,
    algorithm: Algorithm,
    payload: &'a Value,
}

impl Comparison<'_> {
    /// Our tokens, signed under each backend, which they verify; and refuse when they are tampered with.
    fn ours(&mut self, forms: &[Form]) -> Result<Cell, Failure> {
        let mut problems = Vec::new();
        for under in self.backends() {
            let mut wrong = |form: &str, what| problems.push(format!("ours by {}, {form}: {what}", under.name));
            let keys = OurKey::generate(under, self.algorithm, "ours");
            let (key, other) = match (keys, OurKey::generate(under, Algorithm::ES256, "another")) {
                (Ok(key), Ok(other)) => (key, other),
                (Err(error), _) | (_, Err(error)) => {
                    wrong("key", error);
                    continue;
                }
            };
            for &form in forms {
                let token = match key.sign(form, self.payload, &other) {
                    Ok(token) => token,
                    Err(error) => {
                        wrong(form.name(), error);
                        continue;
                    }
                };
                let text = self.payload.to_string();
                match self.ask_for_verdict(form, &key, &other, &token, &text)? {
                    Ok(Verdict::Payload(read)) if is_same(&read, self.payload) => {}
                    Ok(Verdict::Payload(read)) => wrong(form.name(), format!("they read {read}")),
                    Ok(Verdict::Refused(why)) => wrong(form.name(), format!("they refuse: {why}")),
                    Err(error) => wrong(form.name(), format!("they fail: {error}")),
                }
                let Some((token, text)) = ours::tampered(form, &token, self.payload) else {
                    wrong(form.name(), "it cannot be tampered with".into());
                    continue;
                };
                match self.ask_for_verdict(form, &key, &other, &token, &text)? {
                    Ok(Verdict::Refused(_)) => {}
                    Ok(Verdict::Payload(_)) => wrong(form.name(), "tampered with, and they accept".into()),
                    Err(error) => wrong(form.name(), format!("tampered with, and they fail: {error}")),
                }
            }
        }
        Ok(Cell { outcome: names(forms), problems })
    }

    fn ask_for_verdict(
        &mut self,
        form: Form,
        key: &OurKey,
        other: &OurKey,
        token: &str,
        payload: &str,
    ) -> Result<Result<Verdict, String>, Failure> {
        self.peer.ask(&json!({
            "do": "verify",
            "alg": self.algorithm.name(),
            "form": form,
            "jwk": key.jwk,
            "other": other.jwk,
            "token": token,
            "payload": payload,
            "iss": ISSUER,
            "aud": AUDIENCE,
        }))
    }

    /// Their tokens, which we verify under each backend; and refuse when they are tampered with.
    fn theirs(&mut self, forms: &[Form]) -> Result<Cell, Failure> {
        let mut problems = Vec::new();
        for &form in forms {
            let mut wrong = |whose: &str, what| problems.push(format!("theirs, {}, {whose}: {what}", form.name()));
            let text = self.payload.to_string();
            let question = json!({"do": "sign", "alg": self.algorithm.name(), "form": form, "payload": text});
            let Made { jwk, token } = match self.peer.ask(&question)? {
                Ok(made) => made,
                Err(error) => {
                    wrong("signing", error);
                    continue;
                }
            };
            for under in self.backends() {
                match ours::verify(under, self.algorithm, form, &jwk, &token, &text) {
                    Ok(read) if read == *self.payload => {}
                    Ok(read) => wrong(under.name, format!("we read {read}")),
                    Err(why) => wrong(under.name, format!("we refuse: {why}")),
                }
                let Some((token, text)) = ours::tampered(form, &token, self.payload) else {
                    wrong(under.name, "it cannot be tampered with".into());
                    continue;
                };
                match ours::verify(under, self.algorithm, form, &jwk, &token, &text) {
                    Err(why) if why == Rejection::Signature.to_string() => {}
                    Err(why) => wrong(under.name, format!("tampered with, and we refuse for another reason: {why}")),
                    Ok(_) => wrong(under.name, "tampered with, and we accept".into()),
                }
            }
        }
        Ok(Cell { outcome: names(forms), problems })
    }

    /// Those that have the algorithm.
    fn backends(&self) -> impl Iterator<Item = &'static Under> + use<> {
        let algorithm = self.algorithm.name();
        BACKENDS.iter().filter(move |under| !under.lacks.contains(&algorithm))
    }
}

fn is_same(read: &str, payload: &Value) -> bool {
    serde_json::from_str::<Value>(read).is_ok_and(|read| read == *payload)
}

fn names(forms: &[Form]) -> String {
    forms.iter().map(|form| form.name()).collect::<Vec<_>>().join(" ")
}
