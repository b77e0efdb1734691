use super::{Ask, Claims, Seen};
use crate::guarded::{denied, standing_before};
use countersign::authorize::{AsResource, Authorized, Proof, Requires};
#[cfg(feature = "ws")]
use countersign::extract::Subprotocols;
use countersign::request::{RequestView, SentToken};
use countersign::screening::{Check, Screening};
use countersign::{ConfigError, Denial, VerifiedToken};
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

/// Demands a token, and perhaps more of it. Made by [`GuardExt::require`](crate::GuardExt::require) and
/// [`GuardExt::protect`](crate::GuardExt::protect).
///
/// ```
/// use countersign::Guard;
/// use countersign::authorize::scopes;
/// use countersign::request::SentToken;
/// use countersign::ConfigError;
/// use countersign_warp::{GuardExt, Guarded};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
///
/// fn orders(guard: &Guard) -> Result<BoxedFilter<(Response,)>, ConfigError> {
///     let read = guard.require(scopes(["orders:read"]))?.sent(); // or `.claims::<Me>()`, or nothing: the token
///     Ok(warp::path!("orders").and(warp::get()).guarded(read, |route| {
///         route.then(async |token: SentToken| fetch("https://orders.internal.example/", &token.authorization()).await)
///     }))
/// }
/// # async fn fetch(_: &str, _authorization: &str) -> String { String::new() }
/// ```
#[derive(Clone, Debug)]
pub struct Required {
    check: Check,
}

impl Required {
    pub(crate) fn new(check: Check) -> Self {
        Self { check }
    }

    /// Stands before all of `routes`, whatever they are made of: none of them is asked before this is met, and a denial is the
    /// answer. It asks whoever comes this far, so what leads to the routes stands before it; what it leads to and they do not
    /// know is 401 for strangers, and warp's 404 for those who may come in.
    ///
    /// A route that wants the token asks for it by [`guarded`](crate::Guarded::guarded): the token is judged once more then, from
    /// memory where verdicts are kept. A WebSocket that it opens is held to what stands around it too, where that is of the same
    /// guard. A stream is held to what its own route asked, so let the route repeat what the stream must meet for as long as it
    /// lasts. A preflight that the guard lets pass falls through, as with `guarded`.
    ///
    /// ```
    /// use countersign::authorize::role;
    /// use countersign::{ConfigError, Guard};
    /// use countersign_warp::GuardExt;
    /// use warp::Filter;
    /// use warp::filters::BoxedFilter;
    /// use warp::reply::Response;
    ///
    /// fn admin(guard: &Guard) -> Result<BoxedFilter<(Response,)>, ConfigError> {
    ///     let users = warp::path!("users").and(warp::get()).map(|| "users");
    ///     let jobs = warp::path!("jobs").and(warp::get()).map(|| "jobs");
    ///     let inside = guard.require(role("admin"))?.around(users.or(jobs));
    ///     Ok(warp::path("admin").and(inside).boxed())
    /// }
    /// ```
    pub fn around<F, R>(self, routes: F) -> BoxedFilter<(Response,)>
    where
        F: Filter<Extract = (R,), Error = Rejection> + Clone + Send + Sync + 'static,
        R: Reply + 'static,
    {
        #[cfg(feature = "ws")]
        let see = {
            let check = self.check.clone();
            move |response: &Response| crate::tenure::hold_to(&check, response)
        };
        #[cfg(not(feature = "ws"))]
        let see = |_: &Response| {};
        standing_before(self, routes, see)
    }

    /// Hands on the token's claims. Tokens whose claims do not fit the type are refused.
    #[must_use]
    pub fn claims<C: DeserializeOwned + Send + 'static>(self) -> RequiredClaims<C> {
        RequiredClaims { check: self.check, claims: PhantomData }
    }

    /// Hands on the token as it was sent: to call another service in the same name.
    #[must_use]
    pub fn sent(self) -> RequiredSent {
        RequiredSent { check: self.check }
    }

    /// Demands `R` too, a requirement that is a type, and hands on the proof.
    ///
    /// # Errors
    /// As of [`GuardExt::prove`](crate::GuardExt::prove).
    pub fn prove<R: Requires>(self) -> Result<Proven<R>, ConfigError> {
        let proved = self.check.guard().check(R::requirement())?;
        Ok(Proven { first: self.check, proved, of: PhantomData })
    }

    /// Hands on what decides whether `R` is met on the thing that the route is about, once it is loaded.
    ///
    /// # Errors
    /// As of [`GuardExt::prove`](crate::GuardExt::prove).
    pub fn prove_on<R: Requires>(self) -> Result<ProvenOn<R>, ConfigError> {
        let proved = self.check.guard().check(R::requirement())?;
        Ok(ProvenOn { first: self.check, proved, of: PhantomData })
    }

    /// Hands on how long whoever asks may stay. Tokens within their leeway are refused.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn tenure(self) -> RequiredTenure {
        RequiredTenure { check: self.check }
    }
}

impl Ask for Required {
    type Answer = VerifiedToken;

    async fn ask(&self, request: Seen) -> Result<VerifiedToken, Denial> {
        judge(&self.check, &self.check.screening(None), &request.view()).await
    }

    fn is_exempt(&self, request: &Seen) -> bool {
        self.check.is_exempt(&request.view())
    }
}

/// From memory where that is possible: then no future of the verifier's is boxed.
pub(super) async fn judge(
    check: &Check,
    screening: &Screening,
    request: &RequestView<'_>,
) -> Result<VerifiedToken, Denial> {
    match check.judge_now(screening, request) {
        Some(answer) => answer,
        None => check.judge(screening, request).await,
    }
}

/// [`Required`], handing on the token as it was sent.
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{GuardExt, RequiredSent};
///
/// fn to_send_on(guard: &Guard) -> RequiredSent {
///     guard.protect().sent()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RequiredSent {
    check: Check,
}

impl Ask for RequiredSent {
    type Answer = SentToken;

    async fn ask(&self, request: Seen) -> Result<SentToken, Denial> {
        let (screening, request) = (self.check.screening(None), request.view());
        judge(&self.check, &screening, &request).await?;
        screening.sent_token(&request).ok_or_else(Denial::unguarded)
    }

    fn is_exempt(&self, request: &Seen) -> bool {
        self.check.is_exempt(&request.view())
    }
}

/// [`Required`], handing on a [`Tenure`](crate::Tenure).
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{GuardExt, RequiredTenure};
///
/// /// Asks the same of every route that opens a WebSocket.
/// fn for_sockets(guard: &Guard) -> RequiredTenure {
///     guard.protect().tenure()
/// }
/// ```
#[cfg(feature = "ws")]
#[derive(Clone, Debug)]
pub struct RequiredTenure {
    check: Check,
}

#[cfg(feature = "ws")]
impl Ask for RequiredTenure {
    type Answer = crate::Tenure;

    async fn ask(&self, request: Seen) -> Result<crate::Tenure, Denial> {
        let (screening, request) = (self.check.screening(None), request.view());
        judge(&self.check, &screening, &request).await?;
        let tenure = screening.tenure(&request).await?;
        Ok(crate::Tenure(tenure, Subprotocols::offered(&request)))
    }

    fn is_exempt(&self, request: &Seen) -> bool {
        self.check.is_exempt(&request.view())
    }
}

/// [`Required`], handing on claims.
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{GuardExt, RequiredClaims};
///
/// #[derive(serde::Deserialize)]
/// struct Tenant {
///     tenant: String,
/// }
///
/// /// Asks the same of many routes.
/// fn of_a_tenant(guard: &Guard) -> RequiredClaims<Tenant> {
///     guard.protect().claims()
/// }
/// ```
#[derive(Debug)]
pub struct RequiredClaims<C> {
    check: Check,
    claims: PhantomData<fn() -> C>,
}

impl<C> Clone for RequiredClaims<C> {
    fn clone(&self) -> Self {
        Self { check: self.check.clone(), claims: PhantomData }
    }
}

impl<C: DeserializeOwned + Send + 'static> Ask for RequiredClaims<C> {
    type Answer = Claims<C>;

    async fn ask(&self, request: Seen) -> Result<Claims<C>, Denial> {
        let screening = self.check.screening(None);
        let token = judge(&self.check, &screening, &request.view()).await?;
        screening.claims(&token).map(Claims)
    }

    fn is_exempt(&self, request: &Seen) -> bool {
        self.check.is_exempt(&request.view())
    }
}

/// Demands that a requirement which is a type is met, and hands on the proof. Made by
/// [`GuardExt::prove`](crate::GuardExt::prove).
///
/// ```
/// use countersign::authorize::{Proof, Requirement, Requires, scopes};
/// use countersign::{ConfigError, Guard};
/// use countersign_warp::{GuardExt, Guarded};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
///
/// struct WritePosts;
/// impl Requires for WritePosts {
///     fn requirement() -> Requirement { scopes(["posts:write"]) }
/// }
///
/// /// Cannot be called by whoever has not checked.
/// fn store(writer: Proof<WritePosts>) -> String {
///     format!("{:?} wrote", writer.token().subject())
/// }
///
/// fn write(guard: &Guard) -> Result<BoxedFilter<(Response,)>, ConfigError> {
///     let may_write = guard.prove::<WritePosts>()?;
///     Ok(warp::path!("posts").and(warp::post()).guarded(may_write, |route| route.map(store)))
/// }
/// ```
#[derive(Debug)]
pub struct Proven<R> {
    first: Check,
    /// Kept, so that what is declared is held against a guard that is handed over later.
    proved: Check,
    of: PhantomData<fn() -> R>,
}

#[cfg(feature = "ws")]
impl<R> Proven<R> {
    pub(super) fn first(&self) -> &Check {
        &self.first
    }
}

impl<R> Clone for Proven<R> {
    fn clone(&self) -> Self {
        Self { first: self.first.clone(), proved: self.proved.clone(), of: PhantomData }
    }
}

impl<R: Requires> Ask for Proven<R> {
    type Answer = Proof<R>;

    async fn ask(&self, request: Seen) -> Result<Proof<R>, Denial> {
        let (screening, request) = (self.first.screening(None), request.view());
        judge(&self.first, &screening, &request).await?;
        screening.prove(&request).await
    }

    fn is_exempt(&self, request: &Seen) -> bool {
        self.first.is_exempt(&request.view())
    }
}

/// Demands a token, and hands on a [`Proving`]. Made by [`Required::prove_on`].
///
/// ```
/// use countersign::authorize::{Requirement, Requires, action};
/// use countersign::{ConfigError, Guard};
/// use countersign_warp::{GuardExt, ProvenOn};
///
/// struct ReadPost;
/// impl Requires for ReadPost {
///     fn requirement() -> Requirement { action("posts:read") }
/// }
///
/// /// Asks the same of many routes; each decides on its own post, by [`Proving::on`](countersign_warp::Proving::on).
/// fn readers(guard: &Guard) -> Result<ProvenOn<ReadPost>, ConfigError> {
///     guard.protect().prove_on()
/// }
/// ```
#[derive(Debug)]
pub struct ProvenOn<R> {
    first: Check,
    /// As of [`Proven`].
    proved: Check,
    of: PhantomData<fn() -> R>,
}

impl<R> Clone for ProvenOn<R> {
    fn clone(&self) -> Self {
        Self { first: self.first.clone(), proved: self.proved.clone(), of: PhantomData }
    }
}

impl<R: Requires> Ask for ProvenOn<R> {
    type Answer = Proving<R>;

    async fn ask(&self, request: Seen) -> Result<Proving<R>, Denial> {
        let screening = self.first.screening(None);
        let token = judge(&self.first, &screening, &request.view()).await?;
        Ok(Proving { token, screening, request, of: PhantomData })
    }

    fn is_exempt(&self, request: &Seen) -> bool {
        self.first.is_exempt(&request.view())
    }
}

/// A request with a valid token, before it is known whether it meets `R` on the thing that it is about.
///
/// ```
/// use countersign::authorize::{AsResource, Requirement, Requires, Resource, action};
/// use countersign::{ConfigError, Guard};
/// use countersign_warp::{GuardExt, Guarded, Proving};
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
/// use warp::{Filter, Rejection};
///
/// struct Post { id: String, text: String }
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
/// /// Loads nothing for strangers.
/// async fn read(id: String, may_read: Proving<ReadPost>) -> Result<String, Rejection> {
///     let post = Post { id, text: "from the database".into() };
///     Ok(may_read.on(post).await?.text.clone())
/// }
///
/// fn route(guard: &Guard) -> Result<BoxedFilter<(Response,)>, ConfigError> {
///     let may_read = guard.protect().prove_on::<ReadPost>()?;
///     Ok(warp::path!("posts" / String).and(warp::get()).guarded(may_read, |route| route.and_then(read)))
/// }
/// ```
#[must_use]
pub struct Proving<R> {
    token: VerifiedToken,
    screening: Screening,
    request: Seen,
    of: PhantomData<fn() -> R>,
}

impl<R> Proving<R> {
    /// Who asks.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }
}

impl<R: Requires> Proving<R> {
    /// That whoever asks meets `R` on `resource`, which comes back with the decision, or not at all.
    ///
    /// # Errors
    /// The denial as a rejection: returned from the route, it is the route's answer.
    pub async fn on<T: AsResource + Sync>(self, resource: T) -> Result<Authorized<T, R>, Rejection> {
        let answer = self.screening.authorize(&self.request.view(), resource).await;
        answer.map_err(|denial| denied(denial, self.request.method()))
    }

    /// How long whoever asks may stay, for a route that opens a WebSocket or a stream: ask before [`on`](Self::on). The connection is
    /// held to what the route requires, and not to `R`, since no resource is kept. Tokens within their leeway are refused.
    ///
    /// # Errors
    /// As of [`on`](Self::on).
    #[cfg(feature = "ws")]
    pub async fn tenure(&self) -> Result<crate::Tenure, Rejection> {
        let request = self.request.view();
        let tenure = self.screening.tenure(&request).await;
        let tenure = tenure.map_err(|denial| denied(denial, self.request.method()))?;
        Ok(crate::Tenure(tenure, Subprotocols::offered(&request)))
    }
}

impl<R> fmt::Debug for Proving<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proving").finish_non_exhaustive()
    }
}
