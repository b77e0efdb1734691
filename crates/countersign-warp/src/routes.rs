use crate::guarded::asking;
use crate::{GuardedReply, GuardedRoute, Required};
use countersign::authorize::Requirement;
use countersign::manifest::{Declarations, Gate, Manifest, Method, PathParams, PathTemplate, TagPolicy};
use countersign::{ConfigError, Guard, VerifiedToken};
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, reject};

/// Routes that say who may come in: there is no way to add one that does not.
///
/// Each route is [`public`](Self::public), [`requires`](Self::requires) something, or has tags whose meaning a
/// [`TagPolicy`] knows. A filter cannot be looked at, so the head of each route, its method and path, is made from the
/// declaration; the closure goes on from there. Paths are written as [`PathTemplate`] says, and the filter matches whole
/// paths, wherever it stands. A `GET` route serves `HEAD`; 404 and 405 are warp's rejections, and a denial is an answer.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// use countersign_warp::GuardedRoutes;
///
/// # fn app(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, secret)?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("https://issuer.example/").audience("api");
/// let guard = Guard::builder(verifier.build()?).build()?;
///
/// let posts = GuardedRoutes::new(&guard)
///     .public("GET", "/{id}", |route| route.map(|params| params.get("id").unwrap_or_default().to_owned()))
///     .requires("PUT", "/{id}", scopes(["posts:write"]), |route| {
///         route.and(warp::body::bytes()).map(|_params, token, text| {
///             format!("{} bytes by {}", text.len(), token.subject().unwrap_or_default())
///         })
///     });
/// let (routes, manifest) = GuardedRoutes::new(&guard).nest("/posts", posts).build()?;
///
/// assert_eq!(
///     manifest.to_string(),
///     "GET      /posts/{id}  public\n\
///      PUT      /posts/{id}  scopes(posts:write)\n"
/// );
/// # drop(routes); Ok(()) }
/// # app(&[7; 32]).map_err(|e| e.to_string()).unwrap();
/// ```
#[must_use]
pub struct GuardedRoutes {
    table: Declarations<Mount>,
}

/// What stands before the rest of a route, by the kind of its declaration.
type PublicRoute = GuardedRoute<BoxedFilter<(PathParams,)>>;
type RequiringRoute = GuardedRoute<BoxedFilter<(PathParams, VerifiedToken)>>;
type TaggedRoute = GuardedRoute<BoxedFilter<(PathParams, Option<VerifiedToken>)>>;

/// Goes on from a route's head.
enum Mount {
    Public(Box<dyn FnOnce(PublicRoute) -> GuardedReply + Send>),
    Requires(Box<dyn FnOnce(RequiringRoute) -> GuardedReply + Send>),
    Tagged(Box<dyn FnOnce(TaggedRoute) -> GuardedReply + Send>),
}

impl Mount {
    fn onto(self, head: BoxedFilter<(PathParams,)>, gate: Gate) -> GuardedReply {
        // Routes here say what they prove in their closures.
        let (guard, check) = (gate.guard().clone(), gate.check().cloned());
        let required = Required::new(check.clone().unwrap_or_else(|| guard.check_authenticated()));
        let ask = asking(required.clone());
        let whole = head.clone();
        match (self, check) {
            (Self::Public(rest), None) => rest(GuardedRoute::new(head, whole, guard, required)),
            (Self::Requires(rest), _) => rest(GuardedRoute::new(head.and(ask).boxed(), whole, guard, required)),
            (Self::Tagged(rest), None) => {
                let head = head.map(|params| (params, None)).untuple_one().boxed();
                rest(GuardedRoute::new(head, whole, guard, required))
            }
            (Self::Tagged(rest), Some(_)) => {
                rest(GuardedRoute::new(head.and(ask.map(Some)).boxed(), whole, guard, required))
            }
            // No declaration comes to this one. Whatever asks for less than the gate is not built.
            (Self::Public(rest), Some(_)) => {
                let head = head.and(ask).map(|params, _| params).boxed();
                rest(GuardedRoute::new(head.clone(), head, guard, required))
            }
        }
    }
}

impl GuardedRoutes {
    /// Routes that are judged by `guard`.
    pub fn new(guard: &Guard) -> Self {
        Self { table: Declarations::new(guard) }
    }

    /// A route for everybody. The closure's route has the path's parameters.
    pub fn public<F>(self, method: impl AsRef<str>, path: &str, rest: F) -> Self
    where
        F: FnOnce(GuardedRoute<BoxedFilter<(PathParams,)>>) -> GuardedReply + Send + 'static,
    {
        Self { table: self.table.public(method, path, Mount::Public(Box::new(rest))) }
    }

    /// A route for those who meet `requirement`. The closure's route has the path's parameters and the token.
    pub fn requires<F>(self, method: impl AsRef<str>, path: &str, requirement: Requirement, rest: F) -> Self
    where
        F: FnOnce(GuardedRoute<BoxedFilter<(PathParams, VerifiedToken)>>) -> GuardedReply + Send + 'static,
    {
        Self { table: self.table.requires(method, path, requirement, Mount::Requires(Box::new(rest))) }
    }

    /// A route whose tags say what it requires, by the policy of this table, or else of the one that takes it in. The
    /// closure's route has the path's parameters and the token: `None` where the policy makes the route public, whoever
    /// asks.
    ///
    /// There is no `claims`, `sent`, `prove` or `tenure` on it: [`VerifiedToken::claims`] reads the claims, and a route that wants
    /// more says what it [`requires`](Self::requires), or is [`public`](Self::public) and asks with `optional_…`.
    pub fn tagged<F, N>(self, method: impl AsRef<str>, path: &str, tags: impl IntoIterator<Item = N>, rest: F) -> Self
    where
        F: FnOnce(GuardedRoute<BoxedFilter<(PathParams, Option<VerifiedToken>)>>) -> GuardedReply + Send + 'static,
        N: Into<String>,
    {
        Self { table: self.table.tagged(method, path, tags, Mount::Tagged(Box::new(rest))) }
    }

    /// A route without tags, for that policy to judge. The closure's route has the path's parameters.
    pub fn untagged<F>(self, method: impl AsRef<str>, path: &str, rest: F) -> Self
    where
        F: FnOnce(GuardedRoute<BoxedFilter<(PathParams,)>>) -> GuardedReply + Send + 'static,
    {
        Self { table: self.table.untagged(method, path, Mount::Public(Box::new(rest))) }
    }

    /// What tags mean in this table, and in those nested in it that do not say.
    pub fn tags(self, policy: TagPolicy) -> Self {
        Self { table: self.table.tags(policy) }
    }

    /// Takes another table in, below a prefix. It keeps its guard.
    pub fn nest(self, prefix: &str, other: Self) -> Self {
        Self { table: self.table.nest(prefix, other.table) }
    }

    /// Takes another table in, as it is.
    pub fn merge(self, other: Self) -> Self {
        Self { table: self.table.merge(other.table) }
    }

    /// The filter, and what it serves. What it is combined with by `or` is in no manifest.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first route that cannot be: see [`Declarations::build`]. Of a proof that a route's closure
    /// wants, it names what the guard cannot judge.
    pub fn build(self) -> Result<(BoxedFilter<(Response,)>, Manifest), ConfigError> {
        let mut plan = self.table.build()?;
        let paths: Arc<[PathTemplate]> = plan.paths.iter().map(|path| path.path.clone()).collect();
        let mut branches = Vec::new();
        for (nth, path) in plan.paths.into_iter().enumerate() {
            for route in path.routes {
                let head = at(paths.clone(), nth).and(method(route.method, route.serves_head)).boxed();
                let guard = route.gate.guard().clone();
                let reply = route.handler.onto(head, route.gate);
                if let Some(error) = reply.error {
                    return Err(error);
                }
                plan.manifest.add_proofs(route.method, &path.path, &guard, reply.proves, reply.proves_on);
                branches.push(Branch { paths: vec![path.path.clone()], filter: reply.filter });
            }
        }
        Ok((one_of(branches), plan.manifest))
    }
}

/// Matches requests for one path of the plan, and not those that an earlier one matches.
fn at(paths: Arc<[PathTemplate]>, nth: usize) -> BoxedFilter<(PathParams,)> {
    let params = move |path: FullPath| {
        let params = paths.get(nth)?.params(path.as_str())?;
        let is_taken = paths.iter().take(nth).any(|earlier| earlier.matches(path.as_str()));
        (!is_taken).then_some(params)
    };
    warp::path::full().and_then(move |path| ready(params(path).ok_or_else(reject::not_found))).boxed()
}

/// Rejects other methods as warp does: 405.
fn method(method: Method, serves_head: bool) -> BoxedFilter<()> {
    match method {
        Method::Delete => warp::delete().boxed(),
        Method::Get if serves_head => warp::get().or(warp::head()).unify().boxed(),
        Method::Get => warp::get().boxed(),
        Method::Head => warp::head().boxed(),
        Method::Options => warp::options().boxed(),
        Method::Patch => warp::patch().boxed(),
        Method::Post => warp::post().boxed(),
        Method::Put => warp::put().boxed(),
    }
}

/// A filter and the paths of the plan that it serves.
struct Branch {
    paths: Vec<PathTemplate>,
    filter: BoxedFilter<(Response,)>,
}

impl Branch {
    /// Asked only for paths that it serves: each filter that is asked costs a future.
    fn gated(self) -> BoxedFilter<(Response,)> {
        let paths = self.paths;
        let gate = move |path: FullPath| {
            let is_here = paths.iter().any(|own| own.matches(path.as_str()));
            ready(if is_here { Ok(()) } else { Err(reject::not_found()) })
        };
        warp::path::full().and_then(gate).untuple_one().and(self.filter).boxed()
    }

    fn or(self, other: Self) -> Self {
        let paths = self.paths.iter().chain(&other.paths).cloned().collect();
        // What comes this far and is not in the first half is in the second.
        Self { paths, filter: self.gated().or(other.filter).unify().boxed() }
    }
}

/// The first of the routes that does not reject, as a tree: in a chain, a request would be held against every route before
/// its own.
fn one_of(mut branches: Vec<Branch>) -> BoxedFilter<(Response,)> {
    while branches.len() > 1 {
        let mut rest = branches.into_iter();
        branches = Vec::new();
        while let Some(first) = rest.next() {
            branches.push(match rest.next() {
                Some(second) => first.or(second),
                None => first,
            });
        }
    }
    let nothing = || warp::any().and_then(|| ready(Err(reject::not_found()))).boxed();
    branches.pop().map_or_else(nothing, Branch::gated)
}

impl fmt::Debug for GuardedRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedRoutes").field("table", &self.table).finish()
    }
}
