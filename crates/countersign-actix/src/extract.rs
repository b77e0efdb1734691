use crate::middleware::Planted;
use crate::{Headers, Refusal, view};
use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use countersign::authorize::{AsResource, Authorized, Proof, Requires};
use countersign::request::{RequestView, SentToken};
use countersign::screening::Screening;
use countersign::{Denial, VerifiedToken};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The claims of the request's token, as a type of yours.
///
/// Refuses requests without a valid token, and tokens whose claims do not fit the type. `Option<Claims<C>>` takes
/// requests without credentials as `None`, and refuses the rest as before: the handler does not run. A refusal other
/// than for want of credentials is final, so `Result<Claims<C>, …>` in a handler never sees it. Where a task of its own asks,
/// by `Claims::extract`, that ends the handler too; the task goes on with the refusal once the request has been answered.
///
/// Ask without `Option` in such a task: `Option<Claims<C>>` makes `None` of the refusal there, and whoever sent a bad token, or
/// one that could not be checked, is a stranger. That holds for `Option` of every extractor here.
///
/// Where no guard is planted around the route, `Claims<C>` is 500, and `Option<Claims<C>>` is `None`.
///
/// ```
/// use actix_web::{App, web};
/// use countersign_actix::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct Me {
///     sub: String,
///     email: Option<String>, // a token without it fits too
/// }
///
/// async fn me(Claims(me): Claims<Me>) -> String {
///     me.email.unwrap_or(me.sub)
/// }
///
/// async fn greeting(me: Option<Claims<Me>>) -> String {
///     me.map_or_else(|| "Welcome.".to_owned(), |Claims(me)| format!("Welcome, {}.", me.sub))
/// }
///
/// let app = App::new().route("/me", web::get().to(me)).route("/", web::get().to(greeting));
/// # drop(app);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<C>(pub C);

/// The request's verified token itself: subject, issuer, scopes, without a type for the claims.
///
/// `Option<Verified>` is for handlers, and not for tasks of their own: see [`Claims`].
///
/// ```
/// use actix_web::{App, web};
/// use countersign_actix::Verified;
///
/// async fn posts(token: Verified) -> String {
///     let of = token.subject().unwrap_or("nobody in particular");
///     if token.has_scope("posts:drafts") { format!("all of {of}'s") } else { format!("{of}'s, without drafts") }
/// }
///
/// let app = App::new().route("/posts", web::get().to(posts));
/// # drop(app);
/// ```
#[derive(Clone, Debug)]
pub struct Verified(pub VerifiedToken);

impl Deref for Verified {
    type Target = VerifiedToken;

    fn deref(&self) -> &VerifiedToken {
        &self.0
    }
}

/// That the request meets `R`, a requirement that is a type.
///
/// Refuses whoever does not meet it. `Option<Require<R>>` takes requests without credentials as `None`, and refuses the rest
/// as before: the handler does not run. A guard that cannot judge `R` is 500; where no guard is planted, `Require<R>` is 500 and
/// `Option<Require<R>>` is `None`. `Option` is for handlers, and not for tasks of their own: see [`Claims`].
///
/// A guard learns of `R` when the first request asks. So that it is held against the guard at the start, and against each one
/// that is [handed over](countersign::Guard::later), declare it:
/// [`GuardedScope::proves`](crate::GuardedScope::proves), which asks before the handler and hands the proof on, or
/// `guard.declare::<R>()`. What middleware and scopes require is declared without that.
///
/// ```
/// use actix_web::{App, web};
/// use countersign::authorize::{Proof, Requirement, Requires, scopes};
/// use countersign_actix::Require;
///
/// struct WritePosts;
/// impl Requires for WritePosts {
///     fn requirement() -> Requirement { scopes(["posts:write"]) }
/// }
///
/// /// Cannot be called by whoever has not checked.
/// fn store(writer: &Proof<WritePosts>, text: &str) -> String {
///     format!("{:?} wrote {text}", writer.token().subject())
/// }
///
/// async fn write(writer: Require<WritePosts>, text: String) -> String {
///     store(&writer, &text)
/// }
///
/// let app = App::new().route("/posts", web::post().to(write));
/// ```
#[derive(Debug)]
pub struct Require<R>(pub Proof<R>);

impl<R> Deref for Require<R> {
    type Target = Proof<R>;

    fn deref(&self) -> &Proof<R> {
        &self.0
    }
}

/// What the request is about, loaded by its own extractor `T`, and the decision that the request meets `R` on it.
///
/// The future of `T` is polled for requests with a valid token alone, so let it do its loading there. What `T` rejects is
/// answered as `T` answers it. [`GuardedScope::proves_on`](crate::GuardedScope::proves_on) declares it.
///
/// `Option<RequireOn<T, R>>` takes requests without credentials as `None`, and nothing else: what `T` rejects is final, as what this
/// refuses is, a database that is down and a thing that is not there, so that `Result<RequireOn<T, R>, …>` in a handler never sees
/// it. `Option` is for handlers, and not for tasks of their own: see [`Claims`].
///
/// ```
/// use actix_web::dev::Payload;
/// use actix_web::{App, Error, FromRequest, HttpRequest, web};
/// use countersign::authorize::{AsResource, Requirement, Requires, Resource, action};
/// use countersign_actix::RequireOn;
/// use std::future::{Ready, ready};
///
/// struct Post { id: String, text: String }
///
/// impl FromRequest for Post {
///     type Error = Error;
///     type Future = Ready<Result<Self, Error>>;
///     fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
///         let id = request.match_info().query("id").to_owned();
///         ready(Ok(Self { id, text: "from the database".into() }))
///     }
/// }
///
/// impl AsResource for Post {
///     fn as_resource(&self) -> Resource<'_> { Resource::new("post", &self.id) }
/// }
///
/// struct ReadPost;
/// impl Requires for ReadPost {
///     fn requirement() -> Requirement { action("posts:read") }
/// }
///
/// async fn read(post: RequireOn<Post, ReadPost>) -> String {
///     post.0.text.clone()
/// }
///
/// let app = App::new().route("/posts/{id}", web::get().to(read));
/// ```
#[derive(Debug)]
pub struct RequireOn<T, R>(pub Authorized<T, R>);

/// The request's token as it was sent, once it has been verified: to call another service in the same name.
///
/// Where something behind the guard has replaced or removed the credential since, this is 500: nobody has verified what stands
/// there.
///
/// ```
/// use actix_web::{App, web};
/// use countersign_actix::Sent;
///
/// async fn orders(Sent(token): Sent) -> String {
///     fetch("https://orders.internal.example/", &token.authorization()).await
/// }
/// # async fn fetch(_: &str, _authorization: &str) -> String { String::new() }
///
/// let app = App::new().route("/orders", web::get().to(orders));
/// # drop(app);
/// ```
#[derive(Clone, Debug)]
pub struct Sent(pub SentToken);

/// An extractor at work. Ready at once where the verdict needs no waiting.
///
/// ```
/// use actix_web::dev::Payload;
/// use actix_web::{FromRequest, HttpRequest};
/// use countersign_actix::{Extracting, Refusal, Verified};
/// use std::pin::Pin;
///
/// /// Who asks, by name: an extractor of one's own on top of one of these.
/// struct Name(Option<String>);
/// impl FromRequest for Name {
///     type Error = Refusal;
///     type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;
///     fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
///         let verified: Extracting<Verified> = Verified::from_request(request, payload);
///         Box::pin(async move { Ok(Self(verified.await?.subject().map(str::to_owned))) })
///     }
/// }
/// ```
pub struct Extracting<T>(State<T>);

enum State<T> {
    Ready(Option<Result<T, Refusal>>),
    /// The middleware answers instead. It ends as [`answered`] does.
    Refused(Planted, Option<Refusal>),
    Waiting(Pin<Box<dyn Future<Output = Result<T, Refusal>>>>),
}

impl<T> fmt::Debug for Extracting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extracting").finish_non_exhaustive()
    }
}

impl<T> Unpin for Extracting<T> {}

impl<T> Future for Extracting<T> {
    type Output = Result<T, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Refused(planted, refusal) => {
                ready!(planted.poll_over(context));
                refusal.take().map_or(Poll::Pending, |refusal| Poll::Ready(Err(refusal)))
            }
            State::Waiting(future) => future.as_mut().poll(context),
        }
    }
}

/// What an extractor asks about a request.
pub(crate) trait Question: 'static {
    type Answer: 'static;

    /// `None` where [`ask`](Self::ask) must be called; inside, nothing where nobody asks.
    fn ask_now(screening: &Screening, request: &RequestView<'_>) -> Option<Result<Option<Self::Answer>, Denial>>;

    async fn ask(screening: &Screening, request: &RequestView<'_>) -> Result<Option<Self::Answer>, Denial>;
}

struct Who;

impl Question for Who {
    type Answer = VerifiedToken;

    fn ask_now(screening: &Screening, request: &RequestView<'_>) -> Option<Result<Option<VerifiedToken>, Denial>> {
        screening.optional_now(request)
    }

    async fn ask(screening: &Screening, request: &RequestView<'_>) -> Result<Option<VerifiedToken>, Denial> {
        screening.optional(request).await
    }
}

struct WithClaims<C>(PhantomData<C>);

impl<C: DeserializeOwned + 'static> Question for WithClaims<C> {
    type Answer = C;

    fn ask_now(screening: &Screening, request: &RequestView<'_>) -> Option<Result<Option<C>, Denial>> {
        let answer = Who::ask_now(screening, request)?;
        Some(answer.and_then(|token| token.map(|token| screening.claims(&token)).transpose()))
    }

    async fn ask(screening: &Screening, request: &RequestView<'_>) -> Result<Option<C>, Denial> {
        Who::ask(screening, request).await?.map(|token| screening.claims(&token)).transpose()
    }
}

struct AsSent;

impl Question for AsSent {
    type Answer = SentToken;

    fn ask_now(screening: &Screening, request: &RequestView<'_>) -> Option<Result<Option<SentToken>, Denial>> {
        let answer = Who::ask_now(screening, request)?;
        Some(answer.and_then(|token| token.map(|_| Self::verified(screening, request)).transpose()))
    }

    async fn ask(screening: &Screening, request: &RequestView<'_>) -> Result<Option<SentToken>, Denial> {
        Who::ask(screening, request).await?.map(|_| Self::verified(screening, request)).transpose()
    }
}

impl AsSent {
    /// Not "nobody", where the verified token stands in the request no more.
    fn verified(screening: &Screening, request: &RequestView<'_>) -> Result<SentToken, Denial> {
        screening.sent_token(request).ok_or_else(Denial::unguarded)
    }
}

struct Whether<R>(PhantomData<R>);

impl<R: Requires> Question for Whether<R> {
    type Answer = Proof<R>;

    fn ask_now(screening: &Screening, request: &RequestView<'_>) -> Option<Result<Option<Proof<R>>, Denial>> {
        screening.prove_optional_now(request)
    }

    async fn ask(screening: &Screening, request: &RequestView<'_>) -> Result<Option<Proof<R>>, Denial> {
        screening.prove_optional(request).await
    }
}

/// What becomes of an answer.
enum Concluded<A> {
    Answered(Result<A, Refusal>),
    /// The middleware answers in the extractor's stead.
    Refused(Refusal),
}

/// `Option<…>` around the extractor may take the want of a token for an answer, and is not known here: that refusal is told
/// by the middleware, when it is what the request is answered with.
fn conclude<A>(
    planted: &Planted,
    request: &HttpRequest,
    view: &RequestView<'_>,
    answer: Result<Option<A>, Denial>,
) -> Concluded<A> {
    match answer {
        Ok(Some(answer)) => Concluded::Answered(Ok(answer)),
        Ok(None) => Concluded::Answered(Err(Refusal(planted.screening().want_of_credentials(view)))),
        Err(denial) => Concluded::Refused(refuse(planted, request, denial)),
    }
}

fn refuse(planted: &Planted, request: &HttpRequest, denial: Denial) -> Refusal {
    let refusal = Refusal(denial);
    planted.refuse(refusal.error_response(), request.clone());
    refusal
}

/// Ends with the refusal once no handler can take it for something else: it is gone by then, and a task of its own ends too. There
/// `Option<…>` around the extractor still makes `None` of it.
async fn answered<A, E>(planted: &Planted, refusal: E) -> Result<A, E> {
    poll_fn(|context| planted.poll_over(context)).await;
    Err(refusal)
}

/// As [`refuse`], with the error of another extractor: `Option<…>` would take it for nobody. The response keeps it, so a task of its
/// own is told the status.
fn reject(planted: &Planted, request: &HttpRequest, error: Error) -> Error {
    let status = error.as_response_error().status_code();
    planted.refuse(HttpResponse::from_error(error), request.clone());
    InternalError::new("the request has been answered", status).into()
}

fn planted(request: &HttpRequest) -> Result<Planted, Refusal> {
    request.extensions().get::<Planted>().cloned().ok_or_else(|| Refusal(Denial::unguarded()))
}

pub(crate) fn extract<Q: Question, T: 'static>(request: &HttpRequest, wrap: fn(Q::Answer) -> T) -> Extracting<T> {
    let planted = match planted(request) {
        Ok(planted) => planted,
        Err(refusal) => return Extracting(State::Ready(Some(Err(refusal)))),
    };
    {
        let headers = Headers(request.headers());
        let view = view(request, &headers);
        if let Some(answer) = Q::ask_now(planted.screening(), &view) {
            let concluded = conclude(&planted, request, &view, answer);
            return Extracting(match concluded {
                Concluded::Answered(answer) => State::Ready(Some(answer.map(wrap))),
                Concluded::Refused(refusal) => State::Refused(planted, Some(refusal)),
            });
        }
    }
    let request = request.clone();
    Extracting(State::Waiting(Box::pin(async move { wait::<Q>(&planted, &request).await.map(wrap) })))
}

async fn wait<Q: Question>(planted: &Planted, request: &HttpRequest) -> Result<Q::Answer, Refusal> {
    let concluded = {
        let headers = Headers(request.headers());
        let view = view(request, &headers);
        conclude(planted, request, &view, Q::ask(planted.screening(), &view).await)
    };
    match concluded {
        Concluded::Answered(answer) => answer,
        Concluded::Refused(refusal) => answered(planted, refusal).await,
    }
}

impl FromRequest for Verified {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract::<Who, _>(request, Self)
    }
}

impl<C: DeserializeOwned + 'static> FromRequest for Claims<C> {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract::<WithClaims<C>, _>(request, Self)
    }
}

impl FromRequest for Sent {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract::<AsSent, _>(request, Self)
    }
}

impl<R: Requires> FromRequest for Require<R> {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract::<Whether<R>, _>(request, Self)
    }
}

impl<T, R> FromRequest for RequireOn<T, R>
where
    T: FromRequest + AsResource + Sync + 'static,
    R: Requires,
{
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // Called here, because the payload may be another extractor's; polled once it is known who asks.
        let loading = T::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let planted = planted(&request)?;
            wait::<Who>(&planted, &request).await?;
            let resource = match loading.await {
                Ok(resource) => resource,
                Err(error) => return answered(&planted, reject(&planted, &request, error.into())).await,
            };
            let authorized = {
                let headers = Headers(request.headers());
                planted.screening().authorize(&view(&request, &headers), resource).await
            };
            match authorized {
                Ok(authorized) => Ok(Self(authorized)),
                Err(denial) => Ok(answered(&planted, refuse(&planted, &request, denial)).await?),
            }
        })
    }
}
