use crate::{GuardLayer, RequireLayer};
use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::http::Method as HttpMethod;
use actix_web::{FromRequest, Handler, Resource, Responder, Route, guard, web};
use countersign::authorize::{Requirement, Requires};
use countersign::manifest::{
    Declarations, Manifest, Method, PathTemplate, PlannedPath, PlannedRoute, Segment, TagPolicy,
};
use countersign::{ConfigError, Guard};
use std::fmt;
use std::sync::Arc;

/// Routes that say who may come in: there is no way to add one that does not.
///
/// Each route is [`public`](Self::public), [`requires`](Self::requires) something, or has tags whose meaning a
/// [`TagPolicy`] knows. The guard is planted around all of them, so that handlers of public routes can take
/// `Option<Claims<C>>`. Paths are written as [`PathTemplate`] says, tails too. A `GET` route serves `HEAD`; 404 and 405 are
/// actix-web's own.
///
/// ```
/// use actix_web::{App, web};
/// use countersign::authorize::scopes;
/// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// use countersign_actix::{GuardedScope, Verified};
///
/// # fn app(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, secret)?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("https://issuer.example/").audience("api");
/// let guard = Guard::builder(verifier.build()?).build()?;
///
/// let posts = GuardedScope::new(&guard)
///     .public("GET", "/{id}", async |id: web::Path<String>| id.into_inner())
///     .requires("DELETE", "/{id}", scopes(["posts:write"]), async |who: Verified| {
///         who.subject().map(str::to_owned).unwrap_or_default()
///     });
/// let (routes, manifest) = GuardedScope::new(&guard).nest("/posts", posts).build()?;
///
/// // Once for each worker.
/// let factory = move || App::new().service(routes.clone());
/// assert_eq!(
///     manifest.to_string(),
///     "DELETE   /posts/{id}  scopes(posts:write)\n\
///      GET      /posts/{id}  public\n"
/// );
/// # drop(factory()); Ok(()) }
/// # app(&[7; 32]).map_err(|e| e.to_string()).unwrap();
/// ```
#[must_use]
pub struct GuardedScope {
    table: Declarations<Mount>,
}

/// Makes a route of a handler, in each worker.
type Mount = Arc<dyn Fn() -> Route + Send + Sync>;

fn mount<F, Args>(handler: F) -> Mount
where
    F: Handler<Args> + Send + Sync,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Arc::new(move || web::route().to(handler.clone()))
}

impl GuardedScope {
    /// Routes that are judged by `guard`.
    pub fn new(guard: &Guard) -> Self {
        Self { table: Declarations::new(guard) }
    }

    /// A route for everybody.
    pub fn public<F, Args>(self, method: impl AsRef<str>, path: &str, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self { table: self.table.public(method, path, mount(handler)) }
    }

    /// A route for those who meet `requirement`.
    pub fn requires<F, Args>(self, method: impl AsRef<str>, path: &str, requirement: Requirement, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self { table: self.table.requires(method, path, requirement, mount(handler)) }
    }

    /// A route whose tags say what it requires, by the policy of this scope, or else of the one that takes it in.
    pub fn tagged<F, Args, N>(
        self,
        method: impl AsRef<str>,
        path: &str,
        tags: impl IntoIterator<Item = N>,
        handler: F,
    ) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        N: Into<String>,
    {
        Self { table: self.table.tagged(method, path, tags, mount(handler)) }
    }

    /// A route without tags, for that policy to judge.
    pub fn untagged<F, Args>(self, method: impl AsRef<str>, path: &str, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self { table: self.table.untagged(method, path, mount(handler)) }
    }

    /// The route before asks for `R` too, beside what it requires: no request reaches its handler that does not meet it, whatever the
    /// handler has in its signature. `Require<R>` there is given the proof. On a route for everybody, those without credentials pass,
    /// as with `Option<Require<R>>`. [`build`](Self::build) and each guard that is handed over are held against `R`, and the manifest
    /// lists it: see [`Declarations::proves`]. Behind [`nest`](Self::nest) and [`merge`](Self::merge) it is an error.
    ///
    /// ```
    /// use countersign::authorize::{Requirement, Requires, authenticated, scopes};
    /// use countersign::{ConfigError, Guard};
    /// use countersign_actix::{GuardedScope, Require};
    ///
    /// struct WritePosts;
    /// impl Requires for WritePosts {
    ///     fn requirement() -> Requirement { scopes(["posts:write"]) }
    /// }
    ///
    /// fn routes(guard: &Guard) -> GuardedScope {
    ///     GuardedScope::new(guard)
    ///         .requires("POST", "/posts", authenticated(), async |_: Require<WritePosts>| "written")
    ///         .proves::<WritePosts>()
    /// }
    /// ```
    pub fn proves<R: Requires>(self) -> Self {
        Self { table: self.table.proves::<R>() }
    }

    /// That the handler of the route before has `RequireOn<_, R>` in its signature, which asks for `R` on the resource that it loads. As
    /// of [`proves`](Self::proves), but **the table does not enforce it**: before the handler there is no resource. The manifest lists it
    /// apart: see [`Declarations::proves_on`].
    pub fn proves_on<R: Requires>(self) -> Self {
        Self { table: self.table.proves_on::<R>() }
    }

    /// What tags mean in this scope, and in those nested in it that do not say.
    pub fn tags(self, policy: TagPolicy) -> Self {
        Self { table: self.table.tags(policy) }
    }

    /// Takes another scope in, below a prefix. It keeps its guard.
    pub fn nest(self, prefix: &str, other: Self) -> Self {
        Self { table: self.table.nest(prefix, other.table) }
    }

    /// Takes another scope in, as it is.
    pub fn merge(self, other: Self) -> Self {
        Self { table: self.table.merge(other.table) }
    }

    /// The routes, to be given to `App::service` in each worker, and what they serve. A `web::scope` that they are put into
    /// is in no manifest.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first route that cannot be: see [`Declarations::build`].
    pub fn build(self) -> Result<(GuardedResources, Manifest), ConfigError> {
        let plan = self.table.build()?;
        Ok((GuardedResources { paths: plan.paths.into() }, plan.manifest))
    }
}

impl fmt::Debug for GuardedScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedScope").field("table", &self.table).finish()
    }
}

/// The routes of a [`GuardedScope`], for `App::service`. Cloning is cheap.
///
/// ```
/// use actix_web::App;
/// use countersign::Guard;
/// use countersign_actix::GuardedScope;
///
/// fn set_up(guard: &Guard) -> Result<(), countersign::ConfigError> {
///     let (routes, _manifest) = GuardedScope::new(guard).build()?;
///     let app = App::new().service(routes);
/// #   drop(app);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct GuardedResources {
    paths: Arc<[PlannedPath<Mount>]>,
}

impl fmt::Debug for GuardedResources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.paths.iter().map(|path| &path.path).collect();
        f.debug_struct("GuardedResources").field("paths", &paths).finish()
    }
}

impl HttpServiceFactory for GuardedResources {
    fn register(self, config: &mut AppService) {
        // actix-web serves a request by the first resource whose path matches: the plan has them in that order, and each
        // path once, so that a method that it lacks is 405.
        for path in self.paths.iter() {
            let resource = Resource::new(pattern(&path.path));
            path.routes.iter().map(route).fold(resource, Resource::route).register(config);
        }
    }
}

fn route(planned: &PlannedRoute<Mount>) -> Route {
    let own = guard::Method(method(planned.method));
    let methods = if planned.serves_head { guard::Any(own).or(guard::Head()) } else { guard::Any(own) };
    let handler = (planned.handler)().guard(methods);
    match planned.gate.is_open() {
        true => handler.wrap(GuardLayer::new(planned.gate.guard().clone())),
        false => handler.wrap(RequireLayer::new(planned.gate.clone())),
    }
}

fn method(method: Method) -> HttpMethod {
    match method {
        Method::Delete => HttpMethod::DELETE,
        Method::Get => HttpMethod::GET,
        Method::Head => HttpMethod::HEAD,
        Method::Options => HttpMethod::OPTIONS,
        Method::Patch => HttpMethod::PATCH,
        Method::Post => HttpMethod::POST,
        Method::Put => HttpMethod::PUT,
    }
}

fn pattern(path: &PathTemplate) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Fixed(text) => format!("/{text}"),
        Segment::Parameter(name) => format!("/{{{name}}}"),
        Segment::Tail(name) => format!("/{{{name}:.+}}"),
    };
    path.segments().iter().map(segment).collect()
}
