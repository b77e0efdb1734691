use serde::Serialize;

/// An answer of the demo issuer, for each framework to write in its own way.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// Header fields: lower-case name and value.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body.
    pub body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self { status, headers: vec![("content-type", "application/json")], body },
            Err(_) => Self { status: 500, headers: Vec::new(), body: String::new() },
        }
    }

    pub(super) fn error(status: u16, error: &'static str) -> Self {
        Self::json(status, &serde_json::json!({ "error": error }))
    }

    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}
