use super::path::Shape;
use super::tags::Rules;
use super::{Access, Manifest, Method, PathTemplate, Route, Segment, TagPolicy};
use crate::authorize::{Requirement, Requires};
use crate::config::ConfigError;
use crate::extract::Place;
use crate::guard::{Check, Guard};
use std::collections::BTreeMap;
use std::fmt;

/// The routes of a table as they are declared: what the guarded routers of the adapters share.
///
/// `H` is what an adapter keeps of a handler. Nothing is looked at before [`build`](Self::build), which names the first
/// route that cannot be.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::manifest::{Declarations, Gate};
/// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
///
/// # let key = SigningKey::generate(Algorithm::ES256)?;
/// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
/// let guard = Guard::builder(verifier).build()?;
/// let posts = Declarations::new(&guard)
///     .public("GET", "/{id}", "read")
///     .requires("PUT", "/{id}", scopes(["posts:write"]), "write");
/// let plan = Declarations::new(&guard).nest("/posts", posts).build()?;
///
/// // What an adapter does with it: each path once, and for each route what stands before its handler.
/// for path in plan.paths {
///     for route in path.routes {
///         match route.gate {
///             Gate::Open(_) => assert_eq!(route.handler, "read"),
///             Gate::Checked(check) => assert_eq!(check.requirement(), &scopes(["posts:write"])),
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct Declarations<H> {
    guard: Guard,
    policy: Option<TagPolicy>,
    entries: Vec<Entry<H>>,
    nested: Vec<(Option<String>, Self)>,
    /// The last thing said was of a route: what a proof that is named next belongs to.
    follows_route: bool,
    /// Where a proof was named that belongs to no route.
    misplaced_proof: Option<&'static str>,
}

struct Entry<H> {
    method: String,
    path: String,
    declared: Declared,
    proves: Vec<Requirement>,
    handler: H,
}

enum Declared {
    Public,
    Requires(Requirement),
    Tagged(Vec<String>),
}

impl Declared {
    /// The method of the builder that was called.
    fn word(&self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Requires(_) => "requires",
            Self::Tagged(tags) if tags.is_empty() => "untagged",
            Self::Tagged(_) => "tagged",
        }
    }
}

/// What stands before a handler. Exhaustive on purpose: an adapter that forgets a case must not compile.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::manifest::Gate;
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// /// What an adapter wraps the handler in.
/// fn wrapped(gate: &Gate) -> String {
///     match gate {
///         Gate::Open(_) => "the handler".to_owned(),
///         Gate::Checked(check) => format!("a check of {} before the handler", check.requirement()),
///     }
/// }
/// assert_eq!(wrapped(&Gate::Open(guard.clone())), "the handler");
/// let check = guard.check(scopes(["posts:write"]))?;
/// assert_eq!(wrapped(&Gate::Checked(check)), "a check of scopes(posts:write) before the handler");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub enum Gate {
    /// Everybody passes; extractors of the handler may ask this guard.
    Open(Guard),
    /// This check is to be met.
    Checked(Check),
}

impl Gate {
    /// The guard that is asked.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        match self {
            Self::Open(guard) => guard,
            Self::Checked(check) => check.guard(),
        }
    }
}

/// What an adapter builds: each path once, in the order in which paths are to be tried.
///
/// ```
/// use countersign::manifest::Declarations;
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// let plan = Declarations::new(&guard)
///     .public("GET", "/posts/{id}", "one")
///     .public("GET", "/posts/latest", "the latest")
///     .build()?;
/// assert!(plan.paths.iter().map(|path| path.path.as_str()).eq(["/posts/latest", "/posts/{id}"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan<H> {
    /// The first of these that matches a request serves it, with 405 where it lacks the method.
    pub paths: Vec<PlannedPath<H>>,
    /// What is built, as data.
    pub manifest: Manifest,
}

/// A path and its routes.
///
/// ```
/// use countersign::manifest::{Declarations, Method};
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// let plan = Declarations::new(&guard).public("GET", "/posts", "list").public("POST", "/posts", "add").build()?;
/// for path in plan.paths {
///     assert_eq!(path.path.as_str(), "/posts"); // once, with both of its routes
///     assert!(path.routes.iter().map(|route| route.method).eq([Method::Get, Method::Post]));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct PlannedPath<H> {
    /// The path.
    pub path: PathTemplate,
    /// Its routes, one for each method.
    pub routes: Vec<PlannedRoute<H>>,
}

/// A route, what stands before it, and its handler.
///
/// ```
/// use countersign::manifest::{Declarations, Gate};
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// let plan = Declarations::new(&guard).public("GET", "/posts", "the handler").build()?;
/// for route in plan.paths.into_iter().flat_map(|path| path.routes) {
///     assert!(matches!(route.gate, Gate::Open(_)));
///     assert!(route.serves_head, "an adapter mounts `{}` for HEAD as well", route.handler);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct PlannedRoute<H> {
    /// The method.
    pub method: Method,
    /// Whether this route, which has `GET`, serves `HEAD` as well.
    pub serves_head: bool,
    /// What stands before the handler.
    pub gate: Gate,
    /// What the route was declared with.
    pub handler: H,
}

impl<H> Declarations<H> {
    /// A table whose routes are judged by `guard`.
    pub fn new(guard: &Guard) -> Self {
        Self {
            guard: guard.clone(),
            policy: None,
            entries: Vec::new(),
            nested: Vec::new(),
            follows_route: false,
            misplaced_proof: None,
        }
    }

    /// A route for everybody.
    pub fn public(self, method: impl AsRef<str>, path: &str, handler: H) -> Self {
        self.declare(method.as_ref(), path, Declared::Public, handler)
    }

    /// A route for those who meet `requirement`.
    pub fn requires(self, method: impl AsRef<str>, path: &str, requirement: Requirement, handler: H) -> Self {
        self.declare(method.as_ref(), path, Declared::Requires(requirement), handler)
    }

    /// A route whose tags say what it requires, by the policy of this table, or else of the one that takes it in.
    pub fn tagged<T: Into<String>>(
        self,
        method: impl AsRef<str>,
        path: &str,
        tags: impl IntoIterator<Item = T>,
        handler: H,
    ) -> Self {
        let mut tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        tags.sort();
        tags.dedup();
        self.declare(method.as_ref(), path, Declared::Tagged(tags), handler)
    }

    /// A route without tags, for that policy to judge.
    pub fn untagged(self, method: impl AsRef<str>, path: &str, handler: H) -> Self {
        self.declare(method.as_ref(), path, Declared::Tagged(Vec::new()), handler)
    }

    fn declare(mut self, method: &str, path: &str, declared: Declared, handler: H) -> Self {
        self.entries.push(Entry { method: method.into(), path: path.into(), declared, proves: Vec::new(), handler });
        self.follows_route = true;
        self
    }

    /// That the handler of the route before has `R` in its signature, beside what the route requires: `Require<R>` or
    /// `RequireOn<_, R>` of the adapters, and on a route for everybody `Option<Require<R>>`. So that the guard is held against `R`
    /// when the table is built, and each guard that is [handed over](Guard::later) afterwards, and the manifest lists it.
    ///
    /// Declared, not enforced by the table: the handler's extractor asks, because what is about a resource can be asked nowhere
    /// else. A handler that loses it is not found out, and the manifest and [`openapi`](Manifest::openapi) list `R` all the same.
    /// What must hold whatever the handler's signature says belongs into the route's requirement.
    ///
    /// ```
    /// use countersign::authorize::{Requirement, Requires, authenticated, scopes};
    /// use countersign::manifest::Declarations;
    /// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
    /// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("https://issuer.example/").audience("api");
    /// # let guard = Guard::builder(verifier.build()?).build()?;
    ///
    /// struct WritePosts;
    /// impl Requires for WritePosts {
    ///     fn requirement() -> Requirement { scopes(["posts:write"]) }
    /// }
    ///
    /// let plan = Declarations::new(&guard).requires("POST", "/posts", authenticated(), "a handler").proves::<WritePosts>().build()?;
    /// assert_eq!(plan.manifest.to_string(), "POST     /posts  authenticated  proves scopes(posts:write)\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn proves<R: Requires>(mut self) -> Self {
        match self.entries.last_mut().filter(|_| self.follows_route) {
            Some(entry) => entry.proves.push(R::requirement()),
            None if self.nested.is_empty() => self.misplaced_proof = Some("stands before the first route of its table"),
            None => self.misplaced_proof = Some("stands behind a table that is taken in, and not behind a route"),
        }
        self
    }

    /// What tags mean in this table, and in those nested in it that do not say.
    pub fn tags(mut self, policy: TagPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Takes another table in, below a prefix such as `/api` or `/users/{user}`. The nested `/` is the prefix itself. The
    /// nested table keeps its guard.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        self.nested.push((Some(prefix.to_owned()), other));
        self.follows_route = false;
        self
    }

    /// Takes another table in, as it is.
    pub fn merge(mut self, other: Self) -> Self {
        self.nested.push((None, other));
        self.follows_route = false;
        self
    }

    /// What is to be served, and the manifest of it.
    ///
    /// # Errors
    /// [`ConfigError`] that names the route, tag or pattern: a method or path that cannot be, two routes of one method and
    /// one form of path, names that the guard's authorizer does not know, tags without a policy or unknown to it, a route
    /// without tags where the policy refuses those, a pattern that covers nothing, a proof that does not follow a route.
    pub fn build(self) -> Result<Plan<H>, ConfigError> {
        let mut found = Vec::new();
        self.collect(None, None, &mut found)?;
        found.sort_by(|a, b| (a.route.path.shape(), a.route.method).cmp(&(b.route.path.shape(), b.route.method)));
        refuse_twins(&found)?;
        refuse_rivals(&found)?;
        for own in &found {
            let guard = own.gate.guard();
            own.route.proves.iter().try_for_each(|proof| guard.declare_for_good(proof.clone()))?;
        }
        let mut paths: Vec<PlannedPath<H>> = Vec::new();
        let mut routes = Vec::with_capacity(found.len());
        for Found { route, gate, handler, .. } in found {
            let planned = PlannedRoute { method: route.method, serves_head: false, gate, handler };
            match paths.last_mut() {
                Some(last) if last.path == route.path => last.routes.push(planned),
                _ => paths.push(PlannedPath { path: route.path.clone(), routes: vec![planned] }),
            }
            routes.push(route);
        }
        for path in &mut paths {
            if !path.routes.iter().any(|route| route.method == Method::Head) {
                path.routes.iter_mut().for_each(|route| route.serves_head = route.method == Method::Get);
            }
        }
        Ok(Plan { paths, manifest: Manifest::new(routes) })
    }

    fn collect(
        self,
        prefix: Option<&PathTemplate>,
        outer: Option<&Rules>,
        found: &mut Vec<Found<H>>,
    ) -> Result<(), ConfigError> {
        let Self { guard, policy, entries, nested, follows_route: _, misplaced_proof } = self;
        if let Some(problem) = misplaced_proof {
            return Err(ConfigError::new("proves", problem));
        }
        let own = policy.map(|policy| Rules::new(policy, &guard, prefix)).transpose()?;
        let rules = own.as_ref().or(outer);
        let places = guard.places();
        for entry in entries {
            found.push(entry.resolve(&guard, &places, prefix, rules)?);
        }
        for (own_prefix, table) in nested {
            match own_prefix {
                None => table.collect(prefix, rules, found)?,
                Some(own_prefix) => {
                    let prefix = PathTemplate::parse(&own_prefix)
                        .and_then(|own| if own.as_str() == "/" { Err(no_prefix()) } else { own.below(prefix) })
                        .map_err(|error| ConfigError::new("nest", error.to_string()))?;
                    table.collect(Some(&prefix), rules, found)?;
                }
            }
        }
        own.map_or(Ok(()), Rules::finish)
    }
}

impl<H> fmt::Debug for Declarations<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<_> = self.entries.iter().map(|entry| format!("{} {}", entry.method, entry.path)).collect();
        f.debug_struct("Declarations").field("routes", &routes).field("nested", &self.nested).finish_non_exhaustive()
    }
}

struct Found<H> {
    route: Route,
    word: &'static str,
    gate: Gate,
    handler: H,
}

impl<H> Entry<H> {
    fn resolve(
        self,
        guard: &Guard,
        places: &[Place],
        prefix: Option<&PathTemplate>,
        rules: Option<&Rules>,
    ) -> Result<Found<H>, ConfigError> {
        let Self { method, path, declared, proves, handler } = self;
        let word = declared.word();
        let wrong_in = |word: &'static str, problem: &dyn fmt::Display| {
            let prefix = prefix.map(PathTemplate::as_str).unwrap_or_default();
            let name = format!("{} {prefix}{}", method.escape_debug(), path.escape_debug());
            ConfigError::new(word, format!("{name}: {problem}"))
        };
        let wrong = |problem: &dyn fmt::Display| wrong_in(word, problem);
        let template = PathTemplate::parse(&path).and_then(|path| path.below(prefix)).map_err(|error| wrong(&error))?;
        let (access, tags) = match declared {
            Declared::Public => (Access::Public, Vec::new()),
            Declared::Requires(requirement) => (Access::Requires(requirement), Vec::new()),
            Declared::Tagged(tags) => {
                let rules = rules.ok_or_else(|| wrong(&"no policy says what tags mean"))?;
                (rules.access(&template, &tags).map_err(|problem| wrong(&problem))?, tags)
            }
        };
        let gate = match &access {
            Access::Public => Gate::Open(guard.clone()),
            Access::Requires(requirement) => {
                Gate::Checked(guard.check(requirement.clone()).map_err(|error| wrong(&error))?.strict())
            }
        };
        for proof in &proves {
            guard.check(proof.clone()).map_err(|error| wrong_in("proves", &error))?;
        }
        let method = method.parse().map_err(|error: ConfigError| wrong(&error))?;
        let mut route = Route { method, path: template, access, proves: Vec::new(), credentials: Vec::new(), tags };
        route.add_proofs(proves);
        if route.looks_at_credentials() {
            route.credentials = places.to_vec();
        }
        Ok(Found { route, word, gate, handler })
    }
}

impl<H> Found<H> {
    fn clash(&self, problem: &str, other: &Self) -> ConfigError {
        let (own, other) = (&self.route, &other.route);
        let problem = format!("{} {}: {problem} {} {}", own.method, own.path, other.method, other.path);
        ConfigError::new(self.word, problem)
    }
}

fn no_prefix() -> ConfigError {
    ConfigError::new("path", "`/`: tables without a prefix are merged")
}

/// Refuses two routes where one would do, or where the frameworks disagree about which. `found` is sorted.
fn refuse_twins<H>(found: &[Found<H>]) -> Result<(), ConfigError> {
    for (first, second) in found.iter().zip(found.iter().skip(1)) {
        if first.route.path.shape() == second.route.path.shape() {
            if first.route.method == second.route.method {
                return Err(second.clash("is declared twice, as", first));
            }
            if first.route.path != second.route.path {
                return Err(second.clash("names its parameters otherwise than", first));
            }
        }
    }
    Ok(())
}

/// Refuses a parameter and a tail at one place: not every framework's router can tell them apart.
fn refuse_rivals<H>(found: &[Found<H>]) -> Result<(), ConfigError> {
    let mut seen: BTreeMap<Vec<Shape<'_>>, &Found<H>> = BTreeMap::new();
    for own in found {
        let shape = own.route.path.shape();
        for (nth, segment) in own.route.path.segments().iter().enumerate() {
            let (kind, rival) = match segment {
                Segment::Fixed(_) => continue,
                Segment::Parameter(_) => (Shape::Parameter, Shape::Tail),
                Segment::Tail(_) => (Shape::Tail, Shape::Parameter),
            };
            let place = |kind| shape.iter().take(nth).copied().chain([kind]).collect::<Vec<_>>();
            if let Some(other) = seen.get(&place(rival)) {
                return Err(own.clash("a parameter and a tail stand at one place, in this path and in that of", other));
            }
            seen.entry(place(kind)).or_insert(own);
        }
    }
    Ok(())
}
