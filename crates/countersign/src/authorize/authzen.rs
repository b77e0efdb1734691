//! The request of an AuthZEN 1.0 access evaluation (OpenID Authorization API 1.0 §6.1).

use super::{AccessRequest, Attribute, Attributes};
use serde::ser::{Error as _, SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

/// `type`, `id` and properties of a subject or a resource.
struct Entity<'a> {
    kind: &'a str,
    id: &'a str,
    properties: Properties<'a>,
}

/// Attributes as an object: first `own`, then those that have other names.
struct Properties<'a> {
    own: [(&'static str, Option<&'a str>); 2],
    others: Option<&'a dyn Attributes>,
}

const NONE_OWN: [(&str, Option<&str>); 2] = [("iss", None), ("sub", None)];

#[derive(Serialize)]
struct Action<'a> {
    name: &'a str,
}

impl Serialize for Entity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entity = serializer.serialize_struct("Entity", 3)?;
        entity.serialize_field("type", self.kind)?;
        entity.serialize_field("id", self.id)?;
        entity.serialize_field("properties", &self.properties)?;
        entity.end()
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        // A member that stands twice is read differently by different services.
        let mut names = BTreeSet::new();
        for (name, value) in self.own {
            if let Some(value) = value {
                names.insert(name.to_owned());
                object.serialize_entry(name, value)?;
            }
        }
        let mut result = Ok(());
        if let Some(others) = self.others {
            others.each(&mut |name: &str, value: Attribute<'_>| {
                if result.is_ok() && names.insert(name.to_owned()) {
                    result = object.serialize_entry(name, &value);
                }
            });
        }
        result?;
        object.end()
    }
}

/// Injective: the first `#` ends the issuer. A subject is unique within its issuer only.
fn identity(issuer: &str, subject: &str) -> String {
    let issuer = issuer.replace('%', "%25").replace('#', "%23");
    format!("{issuer}#{subject}")
}

impl Serialize for AccessRequest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [subject, context] = self.facts();
        let (issuer, name) = (self.token.issuer(), self.token.subject());
        let name = name.ok_or_else(|| S::Error::custom("the token names no subject"))?;
        let action = self.action.or(self.request.map(|request| request.method));
        let action = action.ok_or_else(|| S::Error::custom("the question names no action"))?;
        let (kind, id, attributes) = match (self.resource, self.request) {
            (Some(resource), _) => (resource.kind, resource.id, resource.attributes()),
            (None, Some(request)) => ("route", request.path, None),
            (None, None) => return Err(S::Error::custom("the question names no resource")),
        };
        let identity = identity(issuer.unwrap_or_default(), name);
        let own = [("iss", issuer), ("sub", Some(name))];
        let subject = Entity { kind: "user", id: &identity, properties: Properties { own, others: subject } };
        let resource = Entity { kind, id, properties: Properties { own: NONE_OWN, others: attributes } };

        let mut evaluation = serializer.serialize_struct("AccessRequest", 4)?;
        evaluation.serialize_field("subject", &subject)?;
        evaluation.serialize_field("action", &Action { name: action })?;
        evaluation.serialize_field("resource", &resource)?;
        match context {
            Some(context) => {
                evaluation.serialize_field("context", &Properties { own: NONE_OWN, others: Some(context) })?;
            }
            None => evaluation.skip_field("context")?,
        }
        evaluation.end()
    }
}
