use crate::{Refusal, with_view};
use countersign::manifest::Gate;
use countersign::screening::Screening;
use countersign::{Bytes, Denial, Guard};
use http::request::Parts;
use http::{Extensions, Request, Response};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Plants a guard. Made by [`GuardExt::layer`](crate::GuardExt::layer).
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use countersign::Guard;
/// use countersign_axum::{GuardExt, Verified};
///
/// fn app(guard: &Guard) -> Router {
///     Router::new()
///         .route("/health", get(async || "up")) // asks nobody, and so no token is looked at
///         .route("/me", get(async |me: Verified| me.subject().unwrap_or_default().to_owned()))
///         .layer(guard.layer())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
}

impl GuardLayer {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { inner, guard: self.guard.clone() }
    }
}

/// A service with a guard planted around it.
///
/// ```
/// use axum::Router;
/// use countersign::Guard;
/// use countersign_axum::{GuardExt, GuardService};
/// use tower_layer::Layer;
///
/// /// The whole app behind one guard, for whoever serves it.
/// fn guarded(guard: &Guard, app: Router) -> GuardService<Router> {
///     guard.layer().layer(app)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
    guard: Guard,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for GuardService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        plant(&self.guard, request.extensions_mut());
        self.inner.call(request)
    }
}

/// The screening by this guard, which stands with the request for whoever asks further in.
fn plant(guard: &Guard, extensions: &mut Extensions) -> Screening {
    match extensions.get::<Screening>() {
        Some(planted) if planted.guard().is_same_as(guard) => planted.clone(),
        outer => {
            let screening = Screening::enter(guard, outer);
            extensions.insert(screening.clone());
            screening
        }
    }
}

/// Refuses requests that do not meet a requirement. Made by [`GuardExt::require`](crate::GuardExt::require) and
/// [`GuardExt::protect`](crate::GuardExt::protect).
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use countersign::authorize::scopes;
/// use countersign::{ConfigError, Guard};
/// use countersign_axum::{GuardExt, RequireLayer};
///
/// fn app(guard: &Guard) -> Result<Router, ConfigError> {
///     // Made once, when the service starts: what the guard cannot judge is found here.
///     let write: RequireLayer = guard.require(scopes(["posts:write"]))?;
///     Ok(Router::new()
///         .route("/posts", post(async || "written").route_layer(write.clone()))
///         .route("/drafts", post(async || "kept").route_layer(write)))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RequireLayer {
    gate: Gate,
}

impl RequireLayer {
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> RequireService<S> {
        RequireService { inner, gate: self.gate.clone() }
    }
}

/// A service that only those reach who meet a requirement.
///
/// ```
/// use axum::Router;
/// use countersign::authorize::scopes;
/// use countersign::{ConfigError, Guard};
/// use countersign_axum::{GuardExt, RequireService};
/// use tower_layer::Layer;
///
/// /// All of another crate's routes, for administrators alone.
/// fn admin(guard: &Guard, routes: Router) -> Result<RequireService<Router>, ConfigError> {
///     Ok(guard.require(scopes(["admin"]))?.layer(routes))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    inner: S,
    gate: Gate,
}

impl<S, B, R> Service<Request<B>> for RequireService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<S, B> {
        // Bodies are `Send` and not `Sync`: the request is taken apart before anything is awaited.
        let (mut parts, body) = request.into_parts();
        let screening = plant(self.gate.guard(), &mut parts.extensions);
        let answer = with_view!(&parts, view => self.gate.admit_now(&screening, &view));
        match answer {
            Some(Ok(())) => ResponseFuture::passed(self.inner.call(Request::from_parts(parts, body))),
            Some(Err(denial)) => ResponseFuture { state: State::Refused { denial: Some(denial) } },
            None => {
                // The service that was polled ready is the one to call; its clone stays behind.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                let judging = judge(self.gate.clone(), screening, parts);
                ResponseFuture { state: State::Judging { judging: Box::pin(judging), rest: Some((inner, body)) } }
            }
        }
    }
}

type Judging = Pin<Box<dyn Future<Output = (Parts, Result<(), Denial>)> + Send>>;

async fn judge(gate: Gate, screening: Screening, parts: Parts) -> (Parts, Result<(), Denial>) {
    let answer = with_view!(&parts, view => gate.admit(&screening, &view).await);
    (parts, answer)
}

pin_project! {
    /// The answer of a [`RequireService`]: the inner service's, or a refusal.
    ///
    /// ```
    /// use axum::Router;
    /// use axum::body::Body;
    /// use axum::http::{Request, StatusCode};
    /// use countersign_axum::{GuardExt, ResponseFuture};
    /// # use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
    /// use tower_layer::Layer;
    /// use tower_service::Service;
    /// # fn now<F: Future>(future: F) -> F::Output {
    /// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     match std::pin::pin!(future).poll(&mut context) {
    /// #         std::task::Poll::Ready(output) => output,
    /// #         std::task::Poll::Pending => unreachable!("a refusal waits for nobody"),
    /// #     }
    /// # }
    /// # let key = SigningKey::generate(Algorithm::ES256)?.verifying_key().clone();
    /// # let guard = Guard::builder(JwtVerifier::builder(key).issuer("i").audience("a").build()?).build()?;
    ///
    /// let mut app = guard.protect().layer(Router::new());
    /// let future: ResponseFuture<Router, Body> = app.call(Request::new(Body::empty()));
    /// # let _ = r#"
    /// let answer = future.await?;
    /// # "#;
    /// # let answer = now(future)?;
    /// assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    fn passed(future: S::Future) -> Self {
        Self { state: State::Passed { future } }
    }
}

impl<S: Service<Request<B>>, B> std::fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Passed { #[pin] future: S::Future },
        Refused { denial: Option<Denial> },
        Judging { judging: Judging, rest: Option<(S, B)> },
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            let next = match state.as_mut().project() {
                StateProjection::Passed { future } => return future.poll(context),
                StateProjection::Refused { denial } => {
                    let denial = denial.take().unwrap_or_else(Denial::unguarded);
                    return Poll::Ready(Ok(Refusal(denial).into_http()));
                }
                StateProjection::Judging { judging, rest } => {
                    let (parts, answer) = ready!(judging.as_mut().poll(context));
                    match (answer, rest.take()) {
                        (Ok(()), Some((mut inner, body))) => {
                            State::Passed { future: inner.call(Request::from_parts(parts, body)) }
                        }
                        (Ok(()), None) => State::Refused { denial: None },
                        (Err(denial), _) => State::Refused { denial: Some(denial) },
                    }
                }
            };
            state.set(next);
        }
    }
}
