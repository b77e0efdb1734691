use crate::{Headers, Refusal, view};
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use countersign::Guard;
use countersign::manifest::Gate;
use countersign::screening::Screening;
use std::cell::Cell;
use std::future::{Future, Ready, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What is planted in a request: the screening, and a place for a refusal that an extractor came to.
///
/// actix turns a failed extractor inside `Option<…>` into `None`, and would let a bad token pass as no token. So the
/// extractor leaves its refusal here and waits, and the middleware that planted this answers in its stead. The two may run in
/// different tasks, so each wakes the other.
#[derive(Clone)]
pub(crate) struct Planted(Rc<Place>);

struct Place {
    screening: Screening,
    refused: Cell<Option<Refused>>,
    /// The middleware, which waits for the inner service or for a refusal.
    middleware: Cell<Option<Waker>>,
    /// Extractors that have refused, and wait for the middleware's answer.
    extractors: Cell<Vec<Waker>>,
    /// Whether the middleware has answered, or has been dropped.
    is_over: Cell<bool>,
    /// What was planted further out, and is asked again once the inner service has answered.
    outer: Option<Planted>,
}

/// An extractor's answer to the request, which goes with it.
struct Refused {
    response: HttpResponse,
    request: HttpRequest,
}

impl Planted {
    fn plant(request: &ServiceRequest, guard: &Guard) -> Self {
        let mut extensions = request.extensions_mut();
        let outer = extensions.get::<Self>().cloned();
        let screening = Screening::enter(guard, outer.as_ref().map(Self::screening));
        let planted = Self(Rc::new(Place {
            screening,
            refused: Cell::default(),
            middleware: Cell::default(),
            extractors: Cell::default(),
            is_over: Cell::default(),
            outer,
        }));
        extensions.insert(planted.clone());
        planted
    }

    pub(crate) fn screening(&self) -> &Screening {
        &self.0.screening
    }

    /// Ends the request with a refusal: the handler, if it has not run yet, never does.
    pub(crate) fn refuse(&self, response: HttpResponse, request: HttpRequest) {
        if self.0.is_over.get() {
            return;
        }
        self.0.refused.set(Some(Refused { response, request }));
        if let Some(middleware) = self.0.middleware.take() {
            middleware.wake();
        }
    }

    fn listen(&self, context: &Context<'_>) {
        let known = self.0.middleware.take().filter(|known| known.will_wake(context.waker()));
        self.0.middleware.set(Some(known.unwrap_or_else(|| context.waker().clone())));
    }

    /// Until the request has been answered. A handler is dropped by then; a task of its own would stay for good.
    pub(crate) fn poll_over(&self, context: &Context<'_>) -> Poll<()> {
        if self.0.is_over.get() {
            return Poll::Ready(());
        }
        let mut extractors = self.0.extractors.take();
        extractors.push(context.waker().clone());
        self.0.extractors.set(extractors);
        Poll::Pending
    }

    /// Tells the refusal that an extractor came to, where it is what the handler's caller is answered with.
    fn tell(&self, error: Option<&Error>) {
        if let Some(Refusal(denial)) = error.and_then(Error::as_error) {
            self.screening().tell(denial);
        }
    }

    fn uproot(self, request: &HttpRequest) {
        let mut extensions = request.extensions_mut();
        match &self.0.outer {
            Some(outer) => drop(extensions.insert(outer.clone())),
            None => drop(extensions.remove::<Self>()),
        }
    }
}

/// Lets the extractors go that have refused. Dropped when the handler has been.
struct Passing(Planted);

impl Drop for Passing {
    fn drop(&mut self) {
        let Self(Planted(place)) = self;
        place.is_over.set(true);
        // A refusal that nobody answers holds the request, and the request holds this place.
        drop((place.refused.take(), place.middleware.take()));
        place.extractors.take().into_iter().for_each(Waker::wake);
    }
}

type Answer<B> = Result<ServiceResponse<EitherBody<B>>, Error>;

/// Calls the inner service until it answers or an extractor refuses.
async fn pass<S, B>(service: Rc<S>, request: ServiceRequest, planted: Planted) -> Answer<B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let _passing = Passing(planted.clone());
    // The request itself is not kept across the call: routing wants it for itself.
    let mut call = pin!(service.call(request));
    let answer = poll_fn(|context| {
        let answer = call.as_mut().poll(context);
        match planted.0.refused.take() {
            Some(refused) => return Poll::Ready(Err(refused)),
            None if answer.is_pending() => planted.listen(context),
            None => {}
        }
        answer.map(Ok)
    });
    match answer.await {
        Ok(Ok(response)) => {
            planted.tell(response.response().error());
            planted.uproot(response.request());
            Ok(response.map_into_left_body())
        }
        Ok(Err(error)) => {
            planted.tell(Some(&error));
            Err(error)
        }
        Err(Refused { response, request }) => {
            planted.tell(response.error());
            planted.uproot(&request);
            Ok(ServiceResponse::new(request, response).map_into_right_body())
        }
    }
}

/// Plants a guard. Made by [`GuardExt::layer`](crate::GuardExt::layer).
///
/// ```
/// use actix_web::{App, web};
/// use countersign::Guard;
/// use countersign_actix::{GuardExt, Verified};
///
/// fn set_up(guard: &Guard) {
///     let app = App::new()
///         .wrap(guard.layer())
///         .route("/health", web::get().to(async || "up")) // asks nobody, and so no token is looked at
///         .route("/me", web::get().to(async |me: Verified| me.subject().unwrap_or_default().to_owned()));
/// #   drop(app);
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

/// A service with a guard planted around it.
///
/// ```
/// use actix_web::Error;
/// use actix_web::body::MessageBody;
/// use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
/// use countersign::Guard;
/// use countersign_actix::{GuardExt, GuardService};
///
/// /// A service with a guard around it, as `wrap` makes it of an app.
/// async fn guarded<S, B>(guard: &Guard, service: S) -> Result<GuardService<S>, ()>
/// where
///     S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
///     B: MessageBody + 'static,
/// {
///     guard.layer().new_transform(service).await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    service: Rc<S>,
    guard: Guard,
}

impl<S, B> Transform<S, ServiceRequest> for GuardLayer
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = GuardService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(GuardService { service: Rc::new(service), guard: self.guard.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for GuardService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Answer<B>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let planted = Planted::plant(&request, &self.guard);
        Box::pin(pass(Rc::clone(&self.service), request, planted))
    }
}

/// Refuses requests that do not meet a requirement. Made by [`GuardExt::require`](crate::GuardExt::require) and
/// [`GuardExt::protect`](crate::GuardExt::protect).
///
/// ```
/// use actix_web::{App, web};
/// use countersign::authorize::scopes;
/// use countersign::{ConfigError, Guard};
/// use countersign_actix::{GuardExt, RequireLayer};
///
/// fn set_up(guard: &Guard) -> Result<(), ConfigError> {
///     // Made once, when the service starts: what the guard cannot judge is found here.
///     let write: RequireLayer = guard.require(scopes(["posts:write"]))?;
///     let app = App::new()
///         .route("/posts", web::post().to(async || "written").wrap(write.clone()))
///         .route("/drafts", web::post().to(async || "kept").wrap(write));
/// #   drop(app);
///     Ok(())
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

/// A service that only those reach who meet a requirement.
///
/// ```
/// use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
/// use actix_web::test::TestRequest;
/// use actix_web::{Error, HttpResponse};
/// use countersign::authorize::scopes;
/// use countersign_actix::{GuardExt, RequireService};
/// # use actix_web::dev::fn_service;
/// # use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
///
/// # actix_web::rt::System::new().block_on(async {
/// # let key = SigningKey::generate(Algorithm::ES256)?.verifying_key().clone();
/// # let guard = Guard::builder(JwtVerifier::builder(key).issuer("i").audience("a").build()?).build()?;
/// # async fn serve(request: ServiceRequest) -> Result<ServiceResponse, Error> {
/// #     Ok(request.into_response(HttpResponse::Ok().finish()))
/// # }
/// # let service = fn_service(serve);
/// // As `wrap` does it with the service of a route.
/// let write = guard.require(scopes(["posts:write"]))?;
/// let guarded: RequireService<_> = write.new_transform(service).await.map_err(|()| "no service")?;
/// let answer = guarded.call(TestRequest::post().to_srv_request()).await?;
/// assert_eq!(answer.status(), 401);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    service: Rc<S>,
    gate: Rc<Gate>,
}

impl<S, B> Transform<S, ServiceRequest> for RequireLayer
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RequireService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequireService { service: Rc::new(service), gate: Rc::new(self.gate.clone()) }))
    }
}

impl<S, B> Service<ServiceRequest> for RequireService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Answer<B>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let planted = Planted::plant(&request, self.gate.guard());
        let gate = Rc::clone(&self.gate);
        let service = Rc::clone(&self.service);
        Box::pin(async move {
            let answer = {
                let headers = Headers(request.headers());
                let view = view(request.request(), &headers);
                let screening = planted.screening();
                // A verdict from memory boxes no future of the verifier's.
                match gate.admit_now(screening, &view) {
                    Some(answer) => answer,
                    None => gate.admit(screening, &view).await,
                }
            };
            match answer {
                Ok(()) => pass(service, request, planted).await,
                Err(denial) => {
                    planted.uproot(request.request());
                    Ok(request.into_response(Refusal(denial).error_response()).map_into_right_body())
                }
            }
        })
    }
}
