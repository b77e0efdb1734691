//! Every route and what it asks: declared once, served by any framework, written down as a [`Manifest`].
//!
//! An adapter's guarded router (`GuardedRouter` for axum, `GuardedScope` for actix-web, `GuardedRoutes` for warp) takes
//! routes that say `public`, what they require, or which tags they have; there is no way to declare one that says nothing.
//! Those three translate: what is declared, and what comes of it, is a matter of [`Declarations`].
//!
//! # Paths
//!
//! The three frameworks write paths differently; here there is [one form](PathTemplate) for all. Where two paths match a
//! request, the one that is fixed in the earlier segment is taken, whatever order they were declared in:
//! `/posts/latest` before `/posts/{id}` before `/{*rest}`. A request whose path matches and whose method does not is 405,
//! and one whose path matches nothing is 404, guard or no guard. A route for `GET` answers `HEAD` too, unless a route of its
//! own does.
//!
//! # The surface, as data
//!
//! The same declarations give the same [`Manifest`] in each framework, in any order of declaring. It prints as a table and
//! serializes to JSON, so that a test can hold the whole surface of a service against a file, and [`Manifest::openapi`]
//! gives the `security` of each operation. It knows what was declared through it and nothing else that a framework serves.
//!
//! ```
//! use countersign::authorize::scopes;
//! use countersign::manifest::Declarations;
//! use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
//!
//! # let key = SigningKey::generate(Algorithm::ES256)?;
//! # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
//! let guard = Guard::builder(verifier).build()?;
//! let plan = Declarations::new(&guard)
//!     .public("GET", "/health", "the handler, as an adapter keeps it")
//!     .requires("POST", "/posts", scopes(["posts:write"]), "another one")
//!     .build()?;
//! let routes: Vec<_> = plan.manifest.routes().iter().map(|route| (route.method.as_str(), route.path.to_string())).collect();
//! assert_eq!(routes, [("GET", "/health".to_owned()), ("POST", "/posts".to_owned())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod declarations;
mod openapi;
mod path;
mod tags;

pub use crate::guard::Gate;
pub use declarations::{Declarations, Plan, PlannedPath, PlannedRoute};
pub use path::{PathParams, PathTemplate, Segment};
pub use tags::{TagPolicy, Untagged};

use crate::authorize::Requirement;
use crate::config::ConfigError;
use crate::extract::{Place, SCHEME_OF_TOKENS};
use crate::guard::Guard;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The methods that a route can have. Exhaustive on purpose: an adapter that forgets one must not compile.
///
/// `TRACE` and `CONNECT` are not among them: the first returns the request's credentials (RFC 9110 §9.3.8), the second has
/// no path.
///
/// ```
/// use countersign::manifest::Method;
///
/// assert_eq!("GET".parse::<Method>()?, Method::Get);
/// assert!("TRACE".parse::<Method>().is_err());
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Method {
    const ALL: [Self; 7] = [Self::Delete, Self::Get, Self::Head, Self::Options, Self::Patch, Self::Post, Self::Put];

    /// The method's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|method| method.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            ConfigError::new("method", format!("`{}` is none of {known}", name.escape_debug()))
        })
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Whom a route lets in. Exhaustive on purpose: code that forgets a case must not compile.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::manifest::Access;
///
/// assert_eq!(Access::Public.to_string(), "public");
/// assert_eq!(Access::Requires(scopes(["posts:write"])).to_string(), "scopes(posts:write)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everybody. No credential is looked at unless the handler asks.
    Public,
    /// Whoever has a valid token that meets the requirement.
    Requires(Requirement),
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Requires(requirement) => requirement.fmt(f),
        }
    }
}

/// One route of a [`Manifest`].
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::manifest::{Access, Declarations};
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// let plan = Declarations::new(&guard)
///     .public("GET", "/health", "a handler")
///     .requires("POST", "/posts", scopes(["posts:write"]), "another")
///     .build()?;
///
/// // A test that no route is open but those that are meant to be.
/// let open = plan.manifest.routes().iter().filter(|route| route.access == Access::Public);
/// assert!(open.map(|route| route.path.as_str()).eq(["/health"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Route {
    /// The method. `GET` answers `HEAD` too, unless the same path has a route for that.
    pub method: Method,
    /// The path, with the prefixes of the tables it is nested in.
    pub path: PathTemplate,
    /// Whom it lets in.
    pub access: Access,
    /// What is asked besides, in order, each once: the handler hears of requests alone that meet these too, whatever its signature
    /// says. A public route's handler hears of those without credentials as well. Left out of JSON and text where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proves: Vec<Requirement>,
    /// What the handler asks of the resource that it loads, in order, each once: see [`Declarations::proves_on`]. **The handler's
    /// extractor enforces it, and not the table**, since there is no resource before. Left out of JSON and text where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proves_on: Vec<Requirement>,
    /// Where its guard looked for the credential when the table was built, unless nobody is asked for one. Left out of JSON and
    /// text where that is `Authorization: Bearer` alone. A guard that is [handed over later](crate::Guard::later) is not
    /// known by then: build the table again for its manifest.
    #[serde(skip_serializing_if = "is_usual")]
    pub credentials: Vec<Place>,
    /// The tags that it was declared with, in order, each once.
    pub tags: Vec<String>,
}

impl Route {
    fn add_proofs(&mut self, proves: Vec<Requirement>, proves_on: Vec<Requirement>) {
        add(&mut self.proves, proves);
        add(&mut self.proves_on, proves_on);
    }

    /// What is asked of whoever comes with a credential, beside what is required.
    fn proofs(&self) -> impl Iterator<Item = &Requirement> {
        self.proves.iter().chain(&self.proves_on)
    }

    fn looks_at_credentials(&self) -> bool {
        self.access != Access::Public || self.proofs().next().is_some()
    }
}

fn add(own: &mut Vec<Requirement>, more: Vec<Requirement>) {
    for requirement in more {
        if !own.contains(&requirement) {
            own.push(requirement);
        }
    }
    own.sort_by_key(ToString::to_string);
}

/// Whether nothing need be said of these.
fn is_usual(credentials: &[Place]) -> bool {
    match credentials {
        [] => true,
        [Place::Authorization(scheme)] => scheme.eq_ignore_ascii_case(SCHEME_OF_TOKENS),
        _ => false,
    }
}

/// All that a guarded router serves, in the order of paths and methods.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::manifest::Declarations;
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// // What `GuardedRouter` of an adapter does with handlers of its framework.
/// let plan = Declarations::new(&guard)
///     .requires("DELETE", "/posts/{id}", scopes(["posts:write"]), "the handler")
///     .public("GET", "/posts/{id}", "another")
///     .build()?;
/// assert_eq!(
///     plan.manifest.to_string(),
///     "DELETE   /posts/{id}  scopes(posts:write)\n\
///      GET      /posts/{id}  public\n"
/// );
/// assert_eq!(
///     serde_json::to_value(&plan.manifest)?["routes"][0],
///     serde_json::json!({
///         "method": "DELETE",
///         "path": "/posts/{id}",
///         "access": {"requires": {"scopes": ["posts:write"]}},
///         "tags": [],
///     })
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Manifest {
    routes: Vec<Route>,
}

impl Manifest {
    fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by(|a, b| (a.path.as_str(), a.method).cmp(&(b.path.as_str(), b.method)));
        Self { routes }
    }

    /// The routes, in the order of paths and methods.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// For adapters that learn what a handler proves from the handler that they have made, and not from
    /// [`Declarations::proves`] and [`Declarations::proves_on`]: adds it to the route. `guard` is the one of the route's gate. Nothing is
    /// added where there is no such route.
    ///
    /// It writes down and enforces nothing: `proves` is for what no request reaches the handler without.
    pub fn add_proofs(
        &mut self,
        method: Method,
        path: &PathTemplate,
        guard: &Guard,
        proves: Vec<Requirement>,
        proves_on: Vec<Requirement>,
    ) {
        let is_wanted = |route: &&mut Route| route.method == method && route.path == *path;
        if let Some(route) = self.routes.iter_mut().find(is_wanted) {
            route.add_proofs(proves, proves_on);
            if route.looks_at_credentials() {
                route.credentials = guard.places();
            }
        }
    }
}

/// A line for each route: method, path, whom it lets in, what it proves, and on a resource, by which credentials where these are
/// unusual, tags. Names are escaped as `Debug` does it, so that none begins a line.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.routes.iter().map(|route| route.path.as_str().len()).max().unwrap_or_default();
        for Route { method, path, access, proves, proves_on, credentials, tags } in &self.routes {
            write!(f, "{:8} {:width$}  {}", method.as_str(), path.as_str(), access.to_string().escape_debug())?;
            for (word, proofs) in [("proves", proves), ("proves on a resource", proves_on)] {
                if !proofs.is_empty() {
                    let proofs: Vec<_> = proofs.iter().map(ToString::to_string).collect();
                    write!(f, "  {word} {}", proofs.join(" and ").escape_debug())?;
                }
            }
            if !is_usual(credentials) {
                let places: Vec<_> = credentials.iter().map(ToString::to_string).collect();
                write!(f, "  by {}", places.join(", ").escape_debug())?;
            }
            if !tags.is_empty() {
                write!(f, "  [{}]", tags.join(", ").escape_debug())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
