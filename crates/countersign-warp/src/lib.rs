//! Countersign for warp: routes that ask who is there, and answer their own denials.
//!
//! In warp a rejection falls through to the next route, so a check is not one filter among others but the owner of
//! the rest of its route: `head.guarded(check, |route| …)` matches `head`, judges, and runs the rest; a denial is an
//! answer, and no sibling route is asked. The closure's `route` is no filter: it can be gone on from, and nothing can be put
//! beside it.
//!
//! ```
//! use countersign::authorize::scopes;
//! use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
//! use countersign_warp::{Claims, GuardExt, Guarded};
//! use warp::Filter;
//!
//! #[derive(serde::Deserialize)]
//! struct Me { sub: String }
//!
//! # fn app(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let key = VerifyingKey::from_secret(Algorithm::HS256, secret)?;
//! let verifier = JwtVerifier::builder(key)
//!     .algorithms([Algorithm::HS256])
//!     .issuer("https://issuer.example/")
//!     .audience("my-api")
//!     .build()?;
//! let guard = Guard::builder(verifier).build()?;
//!
//! let write = warp::path!("posts").and(warp::post())
//!     .guarded(guard.require(scopes(["posts:write"]))?, |route| route.map(|_token| "written"));
//! let me = warp::path!("me").and(warp::get())
//!     .guarded(guard.protect().claims::<Me>(), |route| route.map(|Claims(me): Claims<Me>| me.sub));
//! let greeting = warp::path!("greeting").and(warp::get())
//!     .guarded(guard.optional().claims::<Me>(), |route| {
//!         route.map(|me: Option<Claims<Me>>| me.map_or("stranger".into(), |Claims(me)| me.sub))
//!     });
//! let app = write.or(me).or(greeting);
//! # drop(app); Ok(()) }
//! # app(&[7; 32]).map_err(|e| e.to_string()).unwrap();
//! ```
//!
//! - [`require`](GuardExt::require) refuses whoever does not meet the requirement, and gives the rest of the route the
//!   verified token; [`protect`](GuardExt::protect) demands a valid token alone.
//! - [`around`](Required::around) on either of them stands before many routes at once.
//! - [`prove`](GuardExt::prove) demands what a type says, and gives the rest of the route the proof to hand on;
//!   `guard.optional().prove::<R>()` takes nobody, too. `guard.protect().prove_on::<R>()` gives a [`Proving`], which decides on
//!   the thing that the route has loaded.
//! - [`optional`](GuardExt::optional) takes nobody too, and refuses bad tokens.
//! - `.sent()` on what `require`, `protect` and `optional` give hands on the token itself, to send on.
//! - `.claims::<C>()` on each of them gives the rest of the route [`Claims<C>`] instead.
//! - `.tenure()` (feature `ws`) gives a `Tenure` instead, for routes that open a WebSocket or a stream: the verdict comes
//!   before the upgrade, and the connection is closed when the token expires, is revoked or no longer suffices. Behind `prove` it
//!   gives the proof and the `Tenure`.
//! - Path and method belong into the head: what the head does not match is 404 or 405, as without a guard.
//! - [`Headers`] makes a view of the request, for an extractor that a handler asks itself.
//!
//! [`GuardedRoutes`] hold no route that does not say who may come in, and tell what they hold as a
//! [`Manifest`](countersign::manifest::Manifest): a table, JSON, or the `security` of an OpenAPI document.

mod ask;
mod guarded;
mod refusal;
mod route;
mod routes;
#[cfg(feature = "ws")]
mod tenure;
mod view;

pub use ask::{Ask, Claims, Optional, OptionalClaims, OptionalProof, OptionalSent};
#[cfg(feature = "ws")]
pub use ask::{OptionalProofTenure, OptionalTenure, ProvenTenure, RequiredTenure};
pub use ask::{Proven, ProvenOn, Proving, Required, RequiredClaims, RequiredSent};
pub use guarded::Guarded;
pub use refusal::Refusal;
pub use route::{GuardedReply, GuardedRoute};
pub use routes::GuardedRoutes;
#[cfg(feature = "ws")]
pub use tenure::{Closed, Limited, Socket, Tenure};
pub use view::Headers;

use countersign::authorize::{Requirement, Requires};
use countersign::resource_metadata::MEDIA_TYPE;
use countersign::{Bytes, ConfigError, Guard};
use std::future::ready;
use warp::filters::BoxedFilter;
use warp::http::header::CONTENT_TYPE;
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Reply};

/// What a [`Guard`] can do in warp.
///
/// ```
/// use countersign::authorize::scopes;
/// use countersign::{ConfigError, Guard, VerifiedToken};
/// use countersign_warp::{GuardExt, Guarded};
/// use warp::filters::BoxedFilter;
/// use warp::{Filter, Reply};
///
/// fn app(guard: &Guard) -> Result<BoxedFilter<(impl Reply + use<>,)>, ConfigError> {
///     let delete = warp::path!("account").and(warp::delete())
///         .guarded(guard.require(scopes(["account:delete"]))?, |route| route.map(|_token| "deleted"));
///     let account = warp::path!("account").and(warp::get())
///         .guarded(guard.protect(), |route| route.map(|_token| "yours"));
///     let news = warp::path!("news").and(warp::get())
///         .guarded(guard.optional(), |route| {
///             route.map(|token: Option<VerifiedToken>| if token.is_some() { "your news" } else { "news" })
///         });
///     Ok(delete.or(account).or(news).or(guard.describe()).boxed())
/// }
/// # let key = countersign::VerifyingKey::from_secret(countersign::Algorithm::HS256, [7; 32])?;
/// # let verifier = countersign::JwtVerifier::builder(key).algorithms([countersign::Algorithm::HS256]).issuer("i").audience("a");
/// # app(&Guard::builder(verifier.build()?).build()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait GuardExt: sealed::Sealed {
    /// Refuses requests that do not meet `requirement`.
    ///
    /// # Errors
    /// [`ConfigError`] when the requirement names nothing, or names what the guard's authorizer cannot judge.
    fn require(&self, requirement: Requirement) -> Result<Required, ConfigError>;

    /// Refuses requests that do not meet `R`, a requirement that is a type, and gives the rest of the route the
    /// [`Proof`](countersign::authorize::Proof).
    ///
    /// # Errors
    /// As of [`require`](Self::require).
    fn prove<R: Requires>(&self) -> Result<Proven<R>, ConfigError>;

    /// A route that serves what the guard is told of this service
    /// ([RFC 9728](countersign::screening::GuardBuilder::protected_resource)), to everybody; it does not match where it is told
    /// nothing. It takes the path as the client sent it.
    fn describe(&self) -> BoxedFilter<(Response,)>;

    /// Refuses requests without a valid token.
    fn protect(&self) -> Required;

    /// Takes requests without credentials, and refuses those with bad ones.
    fn optional(&self) -> Optional;
}

impl GuardExt for Guard {
    fn require(&self, requirement: Requirement) -> Result<Required, ConfigError> {
        self.check(requirement).map(Required::new)
    }

    fn prove<R: Requires>(&self) -> Result<Proven<R>, ConfigError> {
        self.protect().prove()
    }

    fn describe(&self) -> BoxedFilter<(Response,)> {
        let guard = self.clone();
        warp::path::full()
            .and_then(move |path: FullPath| {
                // Asked each time: another guard may be handed over.
                let metadata = guard.protected_resource().filter(|metadata| metadata.path() == path.as_str());
                ready(metadata.map(|metadata| metadata.document()).ok_or_else(warp::reject::not_found))
            })
            .and(warp::get().or(warp::head()).unify())
            .map(|document: Bytes| {
                warp::reply::with_header(document.to_vec(), CONTENT_TYPE, MEDIA_TYPE).into_response()
            })
            .boxed()
    }

    fn protect(&self) -> Required {
        Required::new(self.check_authenticated())
    }

    fn optional(&self) -> Optional {
        Optional::new(self.clone())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for countersign::Guard {}
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
