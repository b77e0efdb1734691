//! Policies in JSON.

use super::{Lines, Policy};
use crate::catalog::CatalogBuilder;
use crate::catalog::name::Name;
use countersign::ConfigError;
use serde_json::value::RawValue;

pub(super) fn add(builder: CatalogBuilder, lines: &Lines<'_>) -> Result<CatalogBuilder, ConfigError> {
    let policy: Policy<&RawValue> = serde_json::from_str(lines.text).map_err(|error| {
        let text = error.to_string();
        let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
        lines.line(error.line()).error("policy", problem)
    })?;
    policy.add_to(builder, |raw| {
        // A raw value is a part of the text that was read: where it begins tells the line.
        let place = lines.at(raw.get().as_ptr().addr().saturating_sub(lines.text.as_ptr().addr()));
        match serde_json::from_str(raw.get()) {
            Ok(name) => Ok(Name::at(place, name)),
            Err(_) => Err(place.error("policy", format_args!("`{}` is no string", raw.get()))),
        }
    })
}
