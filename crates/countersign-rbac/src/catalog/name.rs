//! A name, and where it stands.

use countersign::ConfigError;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Where in a policy a name stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Option<Arc<str>>,
    pub(super) line: usize,
}

impl Place {
    pub(super) fn error(&self, setting: &'static str, problem: impl fmt::Display) -> ConfigError {
        ConfigError::new(setting, format!("{self}: {problem}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "`{file}`, line {}", self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

/// A name as somebody gave it. Two are equal when their texts are.
#[derive(Clone, Debug)]
pub(super) struct Name {
    text: String,
    /// `None` where it was given by code.
    place: Option<Place>,
}

impl Name {
    pub(super) fn at(place: Place, text: String) -> Self {
        Self { text, place: Some(place) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The problem, and where to look for it.
    pub(super) fn error(&self, setting: &'static str, problem: impl fmt::Display) -> ConfigError {
        match &self.place {
            Some(place) => place.error(setting, problem),
            None => ConfigError::new(setting, problem.to_string()),
        }
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self { text, place: None }
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
