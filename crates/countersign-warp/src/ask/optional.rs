use super::{Ask, Claims, Guard, Seen};
use countersign::authorize::{Proof, Requires};
#[cfg(feature = "ws")]
use countersign::extract::Subprotocols;
use countersign::request::SentToken;
use countersign::screening::{Check, Screening};
use countersign::{ConfigError, Denial, VerifiedToken};
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// Takes nobody, too. Made by [`GuardExt::optional`](crate::GuardExt::optional).
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{Claims, GuardExt, Guarded};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
///
/// #[derive(serde::Deserialize)]
/// struct Me {
///     sub: String,
/// }
///
/// /// Nobody is welcome. Whoever comes with a bad token is told so, and not greeted as a stranger.
/// fn greeting(guard: &Guard) -> BoxedFilter<(Response,)> {
///     warp::path::end().and(warp::get()).guarded(guard.optional().claims::<Me>(), |route| {
///         route.map(|me: Option<Claims<Me>>| match me {
///             Some(Claims(me)) => format!("Welcome, {}.", me.sub),
///             None => "Welcome.".to_owned(),
///         })
///     })
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Optional {
    guard: Guard,
}

impl Optional {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard }
    }

    /// Hands on the token's claims. Tokens whose claims do not fit the type are refused.
    #[must_use]
    pub fn claims<C: DeserializeOwned + Send + 'static>(self) -> OptionalClaims<C> {
        OptionalClaims { guard: self.guard, claims: PhantomData }
    }

    /// Hands on the token as it was sent, if one was.
    #[must_use]
    pub fn sent(self) -> OptionalSent {
        OptionalSent { guard: self.guard }
    }

    /// Hands on the proof that whoever asks meets `R`, a requirement that is a type, if anybody does. Whoever does not meet it
    /// is refused.
    ///
    /// # Errors
    /// As of [`GuardExt::prove`](crate::GuardExt::prove).
    pub fn prove<R: Requires>(self) -> Result<OptionalProof<R>, ConfigError> {
        Ok(OptionalProof { check: self.guard.check(R::requirement())?, of: PhantomData })
    }

    /// Hands on how long whoever asks may stay, if anybody does. Tokens within their leeway are refused.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn tenure(self) -> OptionalTenure {
        OptionalTenure { guard: self.guard }
    }
}

impl Ask for Optional {
    type Answer = Option<VerifiedToken>;

    async fn ask(&self, request: Seen) -> Result<Option<VerifiedToken>, Denial> {
        Screening::enter(&self.guard, None).optional(&request.view()).await
    }
}

/// [`Optional`], handing on the token as it was sent.
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{GuardExt, OptionalSent};
///
/// /// To call another service in the sender's name, where there is one.
/// fn if_any(guard: &Guard) -> OptionalSent {
///     guard.optional().sent()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OptionalSent {
    guard: Guard,
}

impl Ask for OptionalSent {
    type Answer = Option<SentToken>;

    async fn ask(&self, request: Seen) -> Result<Option<SentToken>, Denial> {
        let (screening, request) = (Screening::enter(&self.guard, None), request.view());
        screening.optional(&request).await?;
        Ok(screening.sent_token(&request))
    }
}

/// [`Optional`], handing on a [`Tenure`](crate::Tenure).
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{GuardExt, OptionalTenure};
///
/// /// For streams that anybody may read, and whose reader stays as long as the token lasts, where there is one.
/// fn for_readers(guard: &Guard) -> OptionalTenure {
///     guard.optional().tenure()
/// }
/// ```
#[cfg(feature = "ws")]
#[derive(Clone, Debug)]
pub struct OptionalTenure {
    guard: Guard,
}

#[cfg(feature = "ws")]
impl Ask for OptionalTenure {
    type Answer = Option<crate::Tenure>;

    async fn ask(&self, request: Seen) -> Result<Option<crate::Tenure>, Denial> {
        let request = request.view();
        let tenure = Screening::enter(&self.guard, None).tenure_optional(&request).await?;
        Ok(tenure.map(|tenure| crate::Tenure(tenure, Subprotocols::offered(&request))))
    }
}

/// [`Optional`], handing on claims.
///
/// ```
/// use countersign::Guard;
/// use countersign_warp::{Claims, GuardExt, Guarded, OptionalClaims};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
///
/// #[derive(serde::Deserialize)]
/// struct Me {
///     sub: String,
/// }
///
/// fn who(guard: &Guard) -> BoxedFilter<(Response,)> {
///     let who: OptionalClaims<Me> = guard.optional().claims();
///     warp::path!("who").and(warp::get()).guarded(who, |route| {
///         route.map(|who: Option<Claims<Me>>| who.map_or("nobody".to_owned(), |Claims(me)| me.sub))
///     })
/// }
/// ```
#[derive(Debug)]
pub struct OptionalClaims<C> {
    guard: Guard,
    claims: PhantomData<fn() -> C>,
}

impl<C> Clone for OptionalClaims<C> {
    fn clone(&self) -> Self {
        Self { guard: self.guard.clone(), claims: PhantomData }
    }
}

impl<C: DeserializeOwned + Send + 'static> Ask for OptionalClaims<C> {
    type Answer = Option<Claims<C>>;

    async fn ask(&self, request: Seen) -> Result<Option<Claims<C>>, Denial> {
        let screening = Screening::enter(&self.guard, None);
        match screening.optional(&request.view()).await? {
            Some(token) => screening.claims(&token).map(|claims| Some(Claims(claims))),
            None => Ok(None),
        }
    }
}

/// [`Optional`], handing on the proof that a requirement which is a type is met.
///
/// ```
/// use countersign::authorize::{Proof, Requirement, Requires, scopes};
/// use countersign::{ConfigError, Guard};
/// use countersign_warp::{GuardExt, Guarded};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
///
/// struct ReadDrafts;
/// impl Requires for ReadDrafts {
///     fn requirement() -> Requirement { scopes(["posts:drafts"]) }
/// }
///
/// /// Strangers see what is published. Whoever comes with a token must be allowed to see drafts.
/// fn list(guard: &Guard) -> Result<BoxedFilter<(Response,)>, ConfigError> {
///     let may_see_drafts = guard.optional().prove::<ReadDrafts>()?;
///     Ok(warp::path!("posts").and(warp::get()).guarded(may_see_drafts, |route| {
///         route.map(|proof: Option<Proof<ReadDrafts>>| if proof.is_some() { "all" } else { "published" })
///     }))
/// }
/// ```
#[derive(Debug)]
pub struct OptionalProof<R> {
    /// Kept, so that what is declared is held against a guard that is handed over later.
    check: Check,
    of: PhantomData<fn() -> R>,
}

#[cfg(feature = "ws")]
impl<R> OptionalProof<R> {
    pub(super) fn check(&self) -> &Check {
        &self.check
    }
}

impl<R> Clone for OptionalProof<R> {
    fn clone(&self) -> Self {
        Self { check: self.check.clone(), of: PhantomData }
    }
}

impl<R: Requires> Ask for OptionalProof<R> {
    type Answer = Option<Proof<R>>;

    async fn ask(&self, request: Seen) -> Result<Option<Proof<R>>, Denial> {
        self.check.screening(None).prove_optional(&request.view()).await
    }
}
