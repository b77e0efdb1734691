//! Policies in TOML.

use super::{Lines, Policy};
use crate::catalog::CatalogBuilder;
use crate::catalog::name::Name;
use ::toml::Spanned;
use countersign::ConfigError;

pub(super) fn add(builder: CatalogBuilder, lines: &Lines<'_>) -> Result<CatalogBuilder, ConfigError> {
    let policy: Policy<Spanned<String>> = ::toml::from_str(lines.text).map_err(|error| {
        let problem = error.message();
        match error.span() {
            Some(span) => lines.at(span.start).error("policy", problem),
            None => ConfigError::new("policy", problem.to_owned()),
        }
    })?;
    policy.add_to(builder, |name| Ok(Name::at(lines.at(name.span().start), name.into_inner())))
}
