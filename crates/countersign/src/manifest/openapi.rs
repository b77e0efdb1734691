use super::{Access, Manifest, Route, Segment};
use crate::authorize::Requirement;
use crate::extract::Place;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// As many alternatives as an operation lists.
const MOST_ALTERNATIVES: usize = 16;

impl Manifest {
    /// What an OpenAPI 3.1 document says about the security of these routes: `paths` with `security`, the answers of
    /// refusals and `x-countersign-requires`, and `components.securitySchemes`. To be merged into the document that
    /// describes the rest.
    ///
    /// A public route has an empty `security`, so that a default of the document does not apply to it; where its handler proves
    /// something, an element of `security` is for nobody, and the others for whoever sends a credential. Elsewhere, each
    /// element of `security` is one way to be let in, with the names of the roles, permissions, scopes and actions that it
    /// takes; a requirement of more than 16 alternatives names none here, and is whole in `x-countersign-requires`. What routes
    /// [prove](super::Declarations::proves) counts as required, and stands in `x-countersign-proves`; so does what handlers are said to
    /// ask [of a resource](super::Declarations::proves_on), in `x-countersign-proves-on`. Schemes are
    /// where the route's guard looks: `http` where that is `Authorization`, and `apiKey` in a cookie, the query or another field.
    /// OpenAPI knows no tails: `{*rest}` is `{rest}`.
    ///
    /// It says what each route requires: publish it where clients may know that.
    ///
    /// ```
    /// use countersign::authorize::scopes;
    /// use countersign::manifest::Declarations;
    /// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
    /// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("https://issuer.example/").audience("api");
    /// # let guard = Guard::builder(verifier.build()?).build()?;
    ///
    /// let plan = Declarations::new(&guard).requires("GET", "/posts/{id}", scopes(["posts:read"]), ()).build()?;
    /// let document = plan.manifest.openapi();
    /// let operation = &document["paths"]["/posts/{id}"]["get"];
    /// assert_eq!(operation["security"], serde_json::json!([{"bearer": ["posts:read"]}]));
    /// assert_eq!(operation["x-countersign-requires"], "scopes(posts:read)");
    /// assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn openapi(&self) -> Value {
        let mut paths = Map::new();
        let mut schemes = Map::new();
        for route in self.routes() {
            let operations = paths.entry(path(route)).or_insert_with(|| json!({}));
            if let Value::Object(operations) = operations {
                operations.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
            }
            if route.looks_at_credentials() {
                schemes.extend(route.credentials.iter().map(|place| (scheme_name(place), scheme_object(place))));
            }
        }
        json!({"paths": paths, "components": {"securitySchemes": schemes}})
    }
}

fn path(route: &Route) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Fixed(text) => format!("/{text}"),
        Segment::Parameter(name) | Segment::Tail(name) => format!("/{{{name}}}"),
    };
    route.path.segments().iter().map(segment).collect()
}

fn operation(route: &Route) -> Value {
    if !route.looks_at_credentials() {
        return json!({"security": []});
    }
    let required = match &route.access {
        Access::Public => None,
        Access::Requires(requirement) => Some(requirement),
    };
    // Of whoever comes with a credential.
    let whole = Requirement::AllOf(required.into_iter().chain(route.proofs()).cloned().collect());
    let ways = alternatives(&whole).unwrap_or_else(|| vec![BTreeSet::new()]);
    let ways =
        route.credentials.iter().flat_map(|place| ways.iter().map(move |names| json!({scheme_name(place): names})));
    // An empty object is a way without any credential (OpenAPI 3.1, "Security Requirement Object").
    let security: Vec<_> = required.is_none().then(|| json!({})).into_iter().chain(ways).collect();
    let mut responses = Map::new();
    let mut answer = |status: &str, description: &str| {
        responses.insert(status.to_owned(), json!({"description": description}));
    };
    answer("400", "A credential that is malformed, or several that differ");
    answer("401", "No valid token");
    // A cookie of a request that another site caused is refused whatever it is worth.
    let may_cross_sites = route.credentials.iter().any(|place| matches!(place, Place::Cookie(_)));
    let asks_for_more = required != Some(&Requirement::Authenticated) || route.proofs().next().is_some();
    match (asks_for_more, may_cross_sites) {
        (true, true) => answer("403", "A valid token that does not suffice, or a request from another site"),
        (true, false) => answer("403", "A valid token that does not suffice"),
        (false, true) => answer("403", "A request from another site"),
        (false, false) => {}
    }
    answer("503", "It cannot be told whether the token suffices");
    let mut operation = Map::new();
    operation.insert("security".to_owned(), security.into());
    operation.insert("responses".to_owned(), responses.into());
    if let Some(requirement) = required {
        operation.insert("x-countersign-requires".to_owned(), requirement.to_string().into());
    }
    for (name, proofs) in [("x-countersign-proves", &route.proves), ("x-countersign-proves-on", &route.proves_on)] {
        if !proofs.is_empty() {
            let proofs = proofs.iter().map(ToString::to_string).collect();
            operation.insert(name.to_owned(), proofs);
        }
    }
    operation.into()
}

/// The name among the components, one for each place.
fn scheme_name(place: &Place) -> String {
    match place {
        Place::Authorization(scheme) => match scheme.to_ascii_lowercase().as_str() {
            usual @ ("bearer" | "basic") => usual.to_owned(),
            other => format!("authorization.{}", component(other)),
        },
        Place::Header(name) => format!("header.{}", component(name)),
        Place::Cookie(name) => format!("cookie.{}", component(name)),
        Place::Query(name) => format!("query.{}", component(name)),
        Place::Elsewhere => "elsewhere".to_owned(),
    }
}

/// Names of components have fewer characters to choose from than those of fields: for each of the others a full stop and
/// its number, and so for the full stop itself.
fn component(name: &str) -> String {
    let mut component = String::with_capacity(name.len());
    for octet in name.bytes() {
        if octet.is_ascii_alphanumeric() || b"_-".contains(&octet) {
            component.push(char::from(octet));
        } else {
            component.push_str(&format!(".{octet:02x}"));
        }
    }
    component
}

fn scheme_object(place: &Place) -> Value {
    let api_key = |place: &str, name: &str| json!({"type": "apiKey", "in": place, "name": name});
    match place {
        Place::Authorization(scheme) => match scheme.to_ascii_lowercase().as_str() {
            "bearer" => json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
            other => json!({"type": "http", "scheme": other}),
        },
        Place::Header(name) => api_key("header", name),
        Place::Cookie(name) => api_key("cookie", name),
        Place::Query(name) => {
            let danger = "Danger: addresses are written into logs and histories (RFC 9700 §4.3.2)";
            json!({"type": "apiKey", "in": "query", "name": name, "description": danger})
        }
        // Nothing that OpenAPI has a type for: a name that says so, and no place that is none.
        Place::Elsewhere => {
            json!({"type": "http", "scheme": "x-elsewhere", "description": "As the application documents it"})
        }
    }
}

/// The ways to meet a requirement, each with all of its names. `None`: too many to list.
fn alternatives(requirement: &Requirement) -> Option<Vec<BTreeSet<&str>>> {
    let ways: Vec<BTreeSet<&str>> = match requirement {
        Requirement::Authenticated => vec![BTreeSet::new()],
        Requirement::AnyRole(names) | Requirement::AnyPermission(names) => {
            names.iter().map(|name| BTreeSet::from([name.as_str()])).collect()
        }
        Requirement::AllPermissions(names) | Requirement::Scopes(names) => {
            vec![names.iter().map(String::as_str).collect()]
        }
        Requirement::Action(name) => vec![BTreeSet::from([name.as_str()])],
        Requirement::AnyOf(parts) => {
            let mut ways = Vec::new();
            for part in parts {
                ways.extend(alternatives(part)?);
            }
            ways
        }
        Requirement::AllOf(parts) => {
            let mut ways = vec![BTreeSet::new()];
            for part in parts {
                let further = alternatives(part)?;
                ways = ways.iter().flat_map(|way| further.iter().map(move |more| way | more)).collect();
                if ways.len() > MOST_ALTERNATIVES {
                    return None;
                }
            }
            ways
        }
    };
    (ways.len() <= MOST_ALTERNATIVES).then_some(ways)
}
