use super::path::Shape;
use super::tags::Rules;
use super::{Access, Manifest, Method, PathTemplate, Route, Segment, TagPolicy};
use crate::authorize::{Requirement, Requires};
use crate::config::ConfigError;
use crate::extract::Place;
use crate::guard::{Check, Gate, Guard};
use std::collections::BTreeMap;
use std::fmt;

/// The routes of a table as they are declared: what the guarded routers of the adapters share.
///
/// `H` is what an adapter keeps of a handler. Nothing is looked at before [`build`](Self::build), which names the first
/// route that cannot be.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::manifest::Declarations;
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
///         match route.gate.check() {
///             None => assert_eq!(route.handler, "read"),
///             Some(check) => assert_eq!(check.requirement(), &scopes(["posts:write"])),
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
    /// The word by which a proof was named that belongs to no route, and where.
    misplaced_proof: Option<(&'static str, &'static str)>,
}

struct Entry<H> {
    method: String,
    path: String,
    declared: Declared,
    proves: Vec<Requirement>,
    proves_on: Vec<Requirement>,
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
/// use countersign::manifest::Declarations;
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// let plan = Declarations::new(&guard).public("GET", "/posts", "the handler").build()?;
/// for route in plan.paths.into_iter().flat_map(|path| path.routes) {
///     assert!(route.gate.is_open());
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
    /// What stands before the handler: all that was declared but what is asked [of a resource](Declarations::proves_on).
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
        let (method, path) = (method.to_owned(), path.to_owned());
        self.entries.push(Entry { method, path, declared, proves: Vec::new(), proves_on: Vec::new(), handler });
        self.follows_route = true;
        self
    }

    /// The route before asks for `R` too, beside what it requires: no request reaches its handler that does not meet it, whatever the
    /// handler has in its signature. `Require<R>` there is given the proof without another decision. On a route for everybody, those
    /// without credentials pass, as with `Option<Require<R>>`, and whoever comes with one must meet it.
    ///
    /// The guard is held against `R` when the table is built, and each guard that is [handed over](Guard::later) afterwards, and the
    /// manifest lists it. What is about a resource is [`proves_on`](Self::proves_on).
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
    /// for route in plan.paths.into_iter().flat_map(|path| path.routes) {
    ///     assert!(route.gate.proves().eq([&scopes(["posts:write"])]));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn proves<R: Requires>(self) -> Self {
        self.add_proof("proves", |entry| entry.proves.push(R::requirement()))
    }

    /// That the handler of the route before asks for `R` of the resource that it loads: `RequireOn<_, R>` of the adapters. The guard is
    /// held against `R`, and the manifest lists it, as with [`proves`](Self::proves).
    ///
    /// **Declared, and not enforced by the table**: before the handler there is no resource. A handler that loses the extractor is not
    /// found out, and hears of whoever meets what the route requires; the manifest and [`openapi`](Manifest::openapi) list `R` all the
    /// same, apart from what is enforced.
    ///
    /// ```
    /// use countersign::authorize::{Requirement, Requires, authenticated, scopes};
    /// use countersign::manifest::Declarations;
    /// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
    /// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("https://issuer.example/").audience("api");
    /// # let guard = Guard::builder(verifier.build()?).build()?;
    ///
    /// struct EditPost;
    /// impl Requires for EditPost {
    ///     fn requirement() -> Requirement { scopes(["posts:edit"]) }
    /// }
    ///
    /// let table = Declarations::new(&guard).requires("PUT", "/posts/{id}", authenticated(), "a handler").proves_on::<EditPost>();
    /// assert_eq!(
    ///     table.build()?.manifest.to_string(),
    ///     "PUT      /posts/{id}  authenticated  proves on a resource scopes(posts:edit)\n"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn proves_on<R: Requires>(self) -> Self {
        self.add_proof("proves_on", |entry| entry.proves_on.push(R::requirement()))
    }

    fn add_proof(mut self, word: &'static str, add: impl FnOnce(&mut Entry<H>)) -> Self {
        let problem = match self.entries.last_mut().filter(|_| self.follows_route) {
            Some(entry) => {
                add(entry);
                return self;
            }
            None if self.nested.is_empty() => "stands before the first route of its table",
            None => "stands behind a table that is taken in, and not behind a route",
        };
        self.misplaced_proof = Some((word, problem));
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
            own.route.proofs().try_for_each(|proof| guard.declare_for_good(proof.clone()))?;
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
        if let Some((word, problem)) = misplaced_proof {
            return Err(ConfigError::new(word, problem));
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
        let Self { method, path, declared, proves, proves_on, handler } = self;
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
        let check = |word: &'static str, requirement: &Requirement| {
            guard.check(requirement.clone()).map(Check::strict).map_err(|error| wrong_in(word, &error))
        };
        let gate = match &access {
            Access::Public => Gate::open(guard),
            Access::Requires(requirement) => Gate::from(check(word, requirement)?),
        };
        proves_on.iter().try_for_each(|requirement| check("proves_on", requirement).map(drop))?;
        let method = method.parse().map_err(|error: ConfigError| wrong(&error))?;
        let (path, credentials) = (template, Vec::new());
        let mut route = Route { method, path, access, proves: Vec::new(), proves_on: Vec::new(), credentials, tags };
        route.add_proofs(proves, proves_on);
        let proofs: Vec<_> = route.proves.iter().map(|proof| check("proves", proof)).collect::<Result<_, _>>()?;
        let gate = gate.proving(proofs.into_iter());
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
