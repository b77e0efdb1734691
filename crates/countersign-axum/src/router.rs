use crate::{GuardLayer, RequireLayer};
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use countersign::authorize::{Requirement, Requires};
use countersign::manifest::{Declarations, Manifest, Method, TagPolicy};
use countersign::{ConfigError, Guard};
use std::fmt;

/// A router whose routes say who may come in: there is no way to add one that does not.
///
/// Each route is [`public`](Self::public), [`requires`](Self::requires) something, or has tags whose meaning a
/// [`TagPolicy`] knows. The guard is planted around all of them, so that handlers of public routes can take
/// `Option<Claims<C>>`. Paths are written as [`PathTemplate`](countersign::manifest::PathTemplate) says; handlers of nested
/// tables see the whole path. A `GET` route serves `HEAD`; 404 and 405 are axum's own.
///
/// ```
/// use axum::extract::Path;
/// use countersign::authorize::scopes;
/// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// use countersign_axum::{GuardedRouter, Verified};
///
/// # fn app(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, secret)?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("https://issuer.example/").audience("api");
/// let guard = Guard::builder(verifier.build()?).build()?;
///
/// let posts = GuardedRouter::new(&guard)
///     .public("GET", "/{id}", |Path(id): Path<String>| async move { id })
///     .requires("DELETE", "/{id}", scopes(["posts:write"]), |who: Verified| async move {
///         who.subject().map(str::to_owned).unwrap_or_default()
///     });
/// let (router, manifest) = GuardedRouter::new(&guard).nest("/posts", posts).build()?;
///
/// assert_eq!(
///     manifest.to_string(),
///     "DELETE   /posts/{id}  scopes(posts:write)\n\
///      GET      /posts/{id}  public\n"
/// );
/// # let router: axum::Router = router; drop(router); Ok(()) }
/// # app(&[7; 32]).map_err(|e| e.to_string()).unwrap();
/// ```
#[must_use]
pub struct GuardedRouter<S = ()> {
    table: Declarations<Mount<S>>,
}

/// A handler that waits to learn its method.
type Mount<S> = Box<dyn FnOnce(MethodFilter) -> MethodRouter<S> + Send + Sync>;

fn mount<H, T, S>(handler: H) -> Mount<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Box::new(move |method| on(method, handler))
}

impl<S: Clone + Send + Sync + 'static> GuardedRouter<S> {
    /// A router whose routes are judged by `guard`.
    pub fn new(guard: &Guard) -> Self {
        Self { table: Declarations::new(guard) }
    }

    /// A route for everybody.
    pub fn public<H, T>(self, method: impl AsRef<str>, path: &str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self { table: self.table.public(method, path, mount(handler)) }
    }

    /// A route for those who meet `requirement`.
    pub fn requires<H, T>(self, method: impl AsRef<str>, path: &str, requirement: Requirement, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self { table: self.table.requires(method, path, requirement, mount(handler)) }
    }

    /// A route whose tags say what it requires, by the policy of this router, or else of the one that takes it in.
    pub fn tagged<H, T, N>(
        self,
        method: impl AsRef<str>,
        path: &str,
        tags: impl IntoIterator<Item = N>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        N: Into<String>,
    {
        Self { table: self.table.tagged(method, path, tags, mount(handler)) }
    }

    /// A route without tags, for that policy to judge.
    pub fn untagged<H, T>(self, method: impl AsRef<str>, path: &str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
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
    /// use countersign_axum::{GuardedRouter, Require};
    ///
    /// struct WritePosts;
    /// impl Requires for WritePosts {
    ///     fn requirement() -> Requirement { scopes(["posts:write"]) }
    /// }
    ///
    /// fn routes(guard: &Guard) -> GuardedRouter {
    ///     GuardedRouter::new(guard)
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

    /// What tags mean in this router, and in those nested in it that do not say.
    pub fn tags(self, policy: TagPolicy) -> Self {
        Self { table: self.table.tags(policy) }
    }

    /// Takes another router in, below a prefix. It keeps its guard.
    pub fn nest(self, prefix: &str, other: Self) -> Self {
        Self { table: self.table.nest(prefix, other.table) }
    }

    /// Takes another router in, as it is.
    pub fn merge(self, other: Self) -> Self {
        Self { table: self.table.merge(other.table) }
    }

    /// The router, and what it serves. What is added to axum's router afterwards is in no manifest.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first route that cannot be: see [`Declarations::build`].
    pub fn build(self) -> Result<(Router<S>, Manifest), ConfigError> {
        let plan = self.table.build()?;
        let mut router = Router::new();
        for path in plan.paths {
            for route in path.routes {
                let handler = (route.handler)(filter(route.method));
                let guarded = match route.gate.is_open() {
                    true => handler.route_layer(GuardLayer::new(route.gate.guard().clone())),
                    false => handler.route_layer(RequireLayer::new(route.gate)),
                };
                router = router.route(path.path.as_str(), guarded);
            }
        }
        Ok((router, plan.manifest))
    }
}

/// axum serves `HEAD` by the handler of `GET`, unless there is one of its own.
fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Delete => MethodFilter::DELETE,
        Method::Get => MethodFilter::GET,
        Method::Head => MethodFilter::HEAD,
        Method::Options => MethodFilter::OPTIONS,
        Method::Patch => MethodFilter::PATCH,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
    }
}

impl<S> fmt::Debug for GuardedRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedRouter").field("table", &self.table).finish()
    }
}
