use countersign::Denial;
use serde::Serialize;
use std::borrow::Cow;

/// An answer of a demo, for each framework to write in its own way.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// Header fields: lower-case name and value.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self { body, ..Self::empty(status).with("content-type", "application/json") },
            Err(_) => Self::empty(500),
        }
    }

    /// An answer that says what is wrong.
    #[must_use]
    pub fn error(status: u16, error: &'static str) -> Self {
        Self::json(status, &serde_json::json!({ "error": error }))
    }

    /// The same with one more header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Denial> for Answer {
    fn from(denial: Denial) -> Self {
        let headers = denial.headers().map(|(name, value)| (name, value.into())).collect();
        Self { status: denial.status(), headers, body: String::from_utf8_lossy(denial.body()).into_owned() }
    }
}
