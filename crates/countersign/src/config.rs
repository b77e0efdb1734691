//! The error of every builder.

use std::borrow::Cow;

/// A setting that makes no sense, found when a thing is built and not when a request comes.
///
/// ```
/// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let error = JwtVerifier::builder(key).issuer("https://issuer.example/").build().unwrap_err();
/// assert_eq!(error.setting(), "audience");
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}`: {problem}")]
pub struct ConfigError {
    setting: &'static str,
    problem: Cow<'static, str>,
}

impl ConfigError {
    /// The setting by the name of its builder method, and what is wrong with it.
    #[must_use]
    pub fn new(setting: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { setting, problem: problem.into() }
    }

    /// The setting's name.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
