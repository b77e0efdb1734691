use crate::guarded::{answer, asking};
use crate::{Ask, Claims, GuardExt, Proving, Required};
use countersign::authorize::{Proof, Requirement, Requires};
use countersign::manifest::PathParams;
use countersign::request::SentToken;
use countersign::{ConfigError, Guard, VerifiedToken};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, ready};
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply, reject};

/// The beginning of a guarded route, to be made a [`GuardedReply`].
///
/// What was matched and asked stands before whatever is done with it, and there is no other way to a reply: nothing can be put
/// beside it that would answer in the stead of a denial. It has the values that closures are given: of
/// [`guarded`](crate::Guarded::guarded) what the head extracts, and then the answer; of [`GuardedRoutes`](crate::GuardedRoutes)
/// [`PathParams`] first, and then the token, or what is asked for in its stead; and then what [`and`](Self::and) adds.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::manifest::PathParams;
/// use countersign::{ConfigError, Guard};
/// use countersign_warp::{Claims, GuardedRoutes};
///
/// #[derive(serde::Deserialize)]
/// struct Me {
///     sub: String,
/// }
///
/// fn routes(guard: &Guard) -> GuardedRoutes {
///     GuardedRoutes::new(guard)
///         .public("GET", "/posts/{id}", |route| {
///             route.optional().map(|params: PathParams, token| match token {
///                 Some(_) => format!("post {}, and what you may do with it", params.get("id").unwrap_or_default()),
///                 None => format!("post {}", params.get("id").unwrap_or_default()),
///             })
///         })
///         .requires("POST", "/posts", scopes(["posts:write"]), |route| {
///             route.claims::<Me>().and(warp::body::bytes()).then(async |_params, Claims(me): Claims<Me>, text| {
///                 format!("{} bytes by {}", countersign::Bytes::len(&text), me.sub)
///             })
///         })
/// }
/// # let key = countersign::VerifyingKey::from_secret(countersign::Algorithm::HS256, [7; 32])?;
/// # let verifier = countersign::JwtVerifier::builder(key).algorithms([countersign::Algorithm::HS256]).issuer("i").audience("a");
/// # routes(&Guard::builder(verifier.build()?).build()?).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GuardedRoute<F, D = Declared> {
    filter: F,
    declared: D,
}

/// What a route of a table is made from: with it, the token can be asked for in another form, in one verdict.
#[derive(Debug)]
pub struct Declared {
    guard: Guard,
    /// What stands before the question; nothing once something has been added behind it.
    head: Option<BoxedFilter<(PathParams,)>>,
    /// What the declaration requires. Of a route for everybody, nobody asks it.
    required: Required,
    /// What its handler is given proofs of.
    proves: Vec<Requirement>,
    /// What its handler may ask of what it loads.
    proves_on: Vec<Requirement>,
    /// Why the route cannot be.
    error: Option<ConfigError>,
}

/// What is known of a route besides its filter: of one whose head was made by hand, nothing.
pub trait Origin {
    /// Something stands behind the question.
    fn is_gone_on_from(&mut self);

    /// The reply that this filter gives, and what is known of it.
    fn outcome(self, filter: BoxedFilter<(Response,)>) -> GuardedReply;
}

impl Origin for Declared {
    fn is_gone_on_from(&mut self) {
        self.head = None;
    }

    fn outcome(self, filter: BoxedFilter<(Response,)>) -> GuardedReply {
        GuardedReply { filter, proves: self.proves, proves_on: self.proves_on, error: self.error }
    }
}

impl Origin for () {
    fn is_gone_on_from(&mut self) {}

    fn outcome(self, filter: BoxedFilter<(Response,)>) -> GuardedReply {
        GuardedReply { filter, proves: Vec::new(), proves_on: Vec::new(), error: None }
    }
}

/// The end of a guarded route.
///
/// ```
/// use countersign_warp::{GuardedReply, GuardedRoute};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
///
/// /// The end of many routes.
/// fn text<T: Send + 'static>(route: GuardedRoute<BoxedFilter<(T,)>>, text: &'static str) -> GuardedReply {
///     route.map(move |_| text)
/// }
/// ```
pub struct GuardedReply {
    /// Its denials are answers already.
    pub(crate) filter: BoxedFilter<(Response,)>,
    pub(crate) proves: Vec<Requirement>,
    pub(crate) proves_on: Vec<Requirement>,
    pub(crate) error: Option<ConfigError>,
}

/// A route that cannot be, and is not built.
fn nowhere<T: Send + 'static>() -> BoxedFilter<(PathParams, T)> {
    warp::any().and_then(|| ready(Err(reject::not_found()))).untuple_one().boxed()
}

impl<F> GuardedRoute<F> {
    pub(crate) fn new(filter: F, head: BoxedFilter<(PathParams,)>, guard: Guard, required: Required) -> Self {
        let (proves, proves_on) = (Vec::new(), Vec::new());
        Self { filter, declared: Declared { guard, head: Some(head), required, proves, proves_on, error: None } }
    }
}

impl<F> GuardedRoute<F, ()> {
    pub(crate) fn by_hand(filter: F) -> Self {
        Self { filter, declared: () }
    }
}

impl<F, D: Origin> GuardedRoute<F, D> {
    fn reply(self, filter: impl FnOnce(F) -> BoxedFilter<(Response,)>) -> GuardedReply {
        self.declared.outcome(filter(self.filter))
    }
}

impl GuardedRoute<BoxedFilter<(PathParams,)>> {
    /// Adds who asks, if anybody does. Bad tokens are refused.
    #[must_use]
    pub fn optional(self) -> GuardedRoute<BoxedFilter<(PathParams, Option<VerifiedToken>)>> {
        let ask = self.declared.guard.optional();
        self.asking(ask)
    }

    /// Adds the claims of whoever asks, if anybody does. Bad tokens are refused, and those whose claims do not fit the type.
    #[must_use]
    pub fn optional_claims<C>(self) -> GuardedRoute<BoxedFilter<(PathParams, Option<Claims<C>>)>>
    where
        C: DeserializeOwned + Send + 'static,
    {
        let ask = self.declared.guard.optional().claims();
        self.asking(ask)
    }

    /// Adds the token as it was sent, if one was. Bad tokens are refused.
    #[must_use]
    pub fn optional_sent(self) -> GuardedRoute<BoxedFilter<(PathParams, Option<SentToken>)>> {
        let ask = self.declared.guard.optional().sent();
        self.asking(ask)
    }

    /// Adds the proof that whoever asks meets `R`, if anybody does. Whoever does not meet it is refused. Where the guard cannot
    /// judge `R`, [`build`](crate::GuardedRoutes::build) says so.
    #[must_use]
    pub fn optional_proof<R: Requires>(mut self) -> GuardedRoute<BoxedFilter<(PathParams, Option<Proof<R>>)>> {
        self.declared.proves.push(R::requirement());
        let ask = self.declared.guard.optional().prove::<R>();
        self.asking_if(ask, Self::asking)
    }

    /// Adds how long whoever asks may stay, if anybody does. Tokens within their leeway are refused.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn optional_tenure(self) -> GuardedRoute<BoxedFilter<(PathParams, Option<crate::Tenure>)>> {
        let ask = self.declared.guard.optional().tenure();
        self.asking(ask)
    }

    fn asking<A: Ask>(self, ask: A) -> GuardedRoute<BoxedFilter<(PathParams, A::Answer)>> {
        let Self { filter, declared } = self;
        GuardedRoute { filter: filter.and(asking(ask)).boxed(), declared }
    }
}

impl GuardedRoute<BoxedFilter<(PathParams, VerifiedToken)>> {
    /// The token's claims in its stead. Tokens whose claims do not fit the type are refused.
    #[must_use]
    pub fn claims<C>(self) -> GuardedRoute<BoxedFilter<(PathParams, Claims<C>)>>
    where
        C: DeserializeOwned + Send + 'static,
    {
        let ask = self.declared.required.clone().claims();
        self.asking(ask)
    }

    /// The token as it was sent in its stead: to call another service in the same name.
    #[must_use]
    pub fn sent(self) -> GuardedRoute<BoxedFilter<(PathParams, SentToken)>> {
        let ask = self.declared.required.clone().sent();
        self.asking(ask)
    }

    /// The proof that whoever asks meets `R`, beside what the declaration requires. Where the guard cannot judge `R`,
    /// [`build`](crate::GuardedRoutes::build) says so. The manifest lists it.
    #[must_use]
    pub fn prove<R: Requires>(mut self) -> GuardedRoute<BoxedFilter<(PathParams, Proof<R>)>> {
        self.declared.proves.push(R::requirement());
        let ask = self.declared.required.clone().prove::<R>();
        self.asking_if(ask, Self::asking)
    }

    /// What decides whether `R` is met on the thing that the route is about, once it is loaded. As of [`prove`](Self::prove), but the
    /// manifest lists it apart: the handler asks, and not the route.
    #[must_use]
    pub fn prove_on<R: Requires>(mut self) -> GuardedRoute<BoxedFilter<(PathParams, Proving<R>)>> {
        self.declared.proves_on.push(R::requirement());
        let ask = self.declared.required.clone().prove_on::<R>();
        self.asking_if(ask, Self::asking)
    }

    /// How long whoever asks may stay in its stead. Tokens within their leeway are refused.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn tenure(self) -> GuardedRoute<BoxedFilter<(PathParams, crate::Tenure)>> {
        let ask = self.declared.required.clone().tenure();
        self.asking(ask)
    }
}

#[cfg(feature = "ws")]
impl<R: Requires> GuardedRoute<BoxedFilter<(PathParams, Proof<R>)>> {
    /// How long whoever asks may stay, beside the proof, as a pair: the connection is held to `R` too. Tokens within their leeway are
    /// refused.
    #[must_use]
    pub fn tenure(self) -> GuardedRoute<BoxedFilter<(PathParams, (Proof<R>, crate::Tenure))>> {
        let ask = self.declared.required.clone().prove::<R>().map(crate::Proven::tenure);
        self.asking_if(ask, Self::asking)
    }
}

#[cfg(feature = "ws")]
impl<R: Requires> GuardedRoute<BoxedFilter<(PathParams, Option<Proof<R>>)>> {
    /// How long whoever asks may stay, beside the proof, if anybody does. As of `prove::<R>().tenure()`.
    #[must_use]
    pub fn tenure(self) -> GuardedRoute<BoxedFilter<(PathParams, Option<(Proof<R>, crate::Tenure)>)>> {
        let ask = self.declared.guard.optional().prove::<R>().map(crate::OptionalProof::tenure);
        self.asking_if(ask, Self::asking)
    }
}

impl<Before: Send + 'static> GuardedRoute<BoxedFilter<(PathParams, Before)>> {
    /// Asks in the place of the question before, unless something else stands behind that already.
    fn asking<A: Ask>(self, ask: A) -> GuardedRoute<BoxedFilter<(PathParams, A::Answer)>> {
        let Self { filter, declared } = self;
        let head = declared.head.clone().unwrap_or_else(|| filter.map(|params, _| params).boxed());
        GuardedRoute { filter: head.and(asking(ask)).boxed(), declared }
    }
}

impl<F> GuardedRoute<F> {
    /// Asks, or keeps why that cannot be asked.
    fn asking_if<A: Ask>(
        self,
        ask: Result<A, ConfigError>,
        asking: impl FnOnce(Self, A) -> GuardedRoute<BoxedFilter<(PathParams, A::Answer)>>,
    ) -> GuardedRoute<BoxedFilter<(PathParams, A::Answer)>> {
        match ask {
            Ok(ask) => asking(self, ask),
            Err(error) => GuardedRoute {
                filter: nowhere(),
                declared: Declared { error: Some(error), head: None, ..self.declared },
            },
        }
    }
}

macro_rules! arities {
    ($(($($extract:ident),*))*) => {$(
        impl<D: Origin, $($extract: Send + 'static),*> GuardedRoute<BoxedFilter<($($extract,)*)>, D> {
            /// Adds the value of a filter, such as `warp::body::json()`. It runs when the request may pass.
            #[must_use]
            pub fn and<G, More>(self, more: G) -> GuardedRoute<BoxedFilter<($($extract,)* More,)>, D>
            where
                G: Filter<Extract = (More,)> + Send + Sync + 'static,
                G::Error: Into<Rejection>,
                More: Send + 'static,
            {
                let Self { filter, mut declared } = self;
                declared.is_gone_on_from();
                GuardedRoute { filter: filter.and(more.boxed()).boxed(), declared }
            }

            /// The reply, at once.
            #[must_use]
            pub fn map<H, R>(self, handler: H) -> GuardedReply
            where
                H: Fn($($extract),*) -> R + Clone + Send + Sync + 'static,
                R: Reply + 'static,
            {
                self.reply(|filter| filter.map(handler).map(R::into_response).recover(answer).unify().boxed())
            }

            /// The reply of a future.
            #[must_use]
            pub fn then<H, N, R>(self, handler: H) -> GuardedReply
            where
                H: Fn($($extract),*) -> N + Clone + Send + Sync + 'static,
                N: Future<Output = R> + Send + 'static,
                R: Reply + Send + 'static,
            {
                self.reply(|filter| filter.then(handler).map(R::into_response).recover(answer).unify().boxed())
            }

            /// The reply of a future, or its rejection, which goes on as warp's rejections do.
            #[must_use]
            pub fn and_then<H, N, R>(self, handler: H) -> GuardedReply
            where
                H: Fn($($extract),*) -> N + Clone + Send + Sync + 'static,
                N: Future<Output = Result<R, Rejection>> + Send + 'static,
                R: Reply + Send + 'static,
            {
                self.reply(|filter| filter.and_then(handler).map(R::into_response).recover(answer).unify().boxed())
            }
        }
    )*};
}
arities! {
    (A1) (A1, A2) (A1, A2, A3) (A1, A2, A3, A4) (A1, A2, A3, A4, A5) (A1, A2, A3, A4, A5, A6) (A1, A2, A3, A4, A5, A6, A7)
    (A1, A2, A3, A4, A5, A6, A7, A8)
}

impl<F, D> fmt::Debug for GuardedRoute<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedRoute").finish_non_exhaustive()
    }
}

impl fmt::Debug for GuardedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedReply").finish_non_exhaustive()
    }
}
