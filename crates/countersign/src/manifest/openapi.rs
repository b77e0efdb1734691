use super::{Access, Manifest, Route, Segment};
use crate::authorize::Requirement;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// As many alternatives as an operation lists.
const MOST_ALTERNATIVES: usize = 16;

impl Manifest {
    /// What an OpenAPI 3.1 document says about the security of these routes: `paths` with `security`, the answers of
    /// refusals and `x-countersign-requires`, and `components.securitySchemes`. To be merged into the document that
    /// describes the rest.
    ///
    /// A public route has an empty `security`, so that a default of the document does not apply to it. Elsewhere, each
    /// element of `security` is one way to be let in, with the names of the roles, permissions, scopes and actions that it
    /// takes; a requirement of more than 16 alternatives names none here, and is whole in `x-countersign-requires`. Schemes
    /// are those of the guard's challenges. OpenAPI knows no tails: `{*rest}` is `{rest}`.
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
            if let Access::Requires(_) = route.access {
                schemes.extend(route.schemes.iter().map(|scheme| (scheme_name(scheme), scheme_object(scheme))));
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
    let Access::Requires(requirement) = &route.access else { return json!({"security": []}) };
    let ways = alternatives(requirement).unwrap_or_else(|| vec![BTreeSet::new()]);
    let security: Vec<_> = route
        .schemes
        .iter()
        .flat_map(|scheme| ways.iter().map(move |names| json!({scheme_name(scheme): names})))
        .collect();
    let mut responses = Map::new();
    responses.insert("401".into(), json!({"description": "No valid token"}));
    if *requirement != Requirement::Authenticated {
        responses.insert("403".into(), json!({"description": "A valid token that does not suffice"}));
    }
    responses.insert("503".into(), json!({"description": "It cannot be told whether the token suffices"}));
    json!({"security": security, "x-countersign-requires": requirement.to_string(), "responses": responses})
}

/// The name among the components, which have fewer characters to choose from than schemes.
fn scheme_name(scheme: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c.to_ascii_lowercase() } else { '_' };
    scheme.chars().map(allowed).collect()
}

fn scheme_object(scheme: &str) -> Value {
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
        other => json!({"type": "http", "scheme": other}),
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
