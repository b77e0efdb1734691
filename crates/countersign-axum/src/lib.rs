//! Countersign for axum: plant a guard, require things of routes, take claims in handlers.
//!
//! ```
//! use axum::routing::{get, post};
//! use axum::{Json, Router};
//! use countersign::authorize::scopes;
//! use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
//! use countersign_axum::{Claims, GuardExt};
//!
//! #[derive(serde::Deserialize)]
//! struct Me { sub: String }
//!
//! # fn app(secret: &[u8]) -> Result<Router, Box<dyn std::error::Error>> {
//! let key = VerifyingKey::from_secret(Algorithm::HS256, secret)?;
//! let verifier = JwtVerifier::builder(key)
//!     .algorithms([Algorithm::HS256])
//!     .issuer("https://issuer.example/")
//!     .audience("my-api")
//!     .build()?;
//! let guard = Guard::builder(verifier).build()?;
//!
//! let app = Router::new()
//!     .route("/posts", post(|| async { "written" }).route_layer(guard.require(scopes(["posts:write"]))?))
//!     .route("/me", get(|Claims(me): Claims<Me>| async { me.sub }))
//!     .route("/greeting", get(|me: Option<Claims<Me>>| async { me.map_or("stranger".into(), |Claims(me)| me.sub) }))
//!     .layer(guard.layer());
//! # Ok(app) }
//! # app(&[7; 32]).map(drop).map_err(|e| e.to_string()).unwrap();
//! ```
//!
//! - [`layer`](GuardExt::layer) plants the guard. The verdict is reached when a route asks for it, once per request: a
//!   public route costs nothing.
//! - [`require`](GuardExt::require) on a route (`route_layer` or `Handler::layer`, so that 405 stays 405) refuses
//!   whoever does not meet the requirement. It plants its own guard too.
//! - [`protect`](GuardExt::protect) demands a valid token from everything beneath it.
//! - [`Claims`] and [`Verified`] demand a token in a handler; as `Option<…>` they take nobody too, and refuse bad
//!   tokens.
//! - [`Sent`] is the token itself, to send on.
//! - [`Require`] demands in a handler what a type says, and gives the proof to hand on; [`RequireOn`] decides on the thing
//!   that the handler is about.
//! - `Tenure` (feature `ws`) is for handlers that open a WebSocket or a stream: the verdict comes before the upgrade, and the
//!   connection is closed when the token expires, is revoked or no longer suffices.
//! - [`Headers`] makes a view of the request, for an extractor that a handler asks itself.
//!
//! A [`GuardedRouter`] holds no route that does not say who may come in, and tells what it holds as a
//! [`Manifest`](countersign::manifest::Manifest): a table, JSON, or the `security` of an OpenAPI document.
//!
//! # Beyond axum
//!
//! The layers stand before any tower service of `http::Request` whose response body comes from bytes. Around a service of
//! tonic they go through its axum router, `Routes::new(service).into_axum_router().layer(guard.protect())`, with
//! [`BodyStyle::Empty`](countersign::screening::BodyStyle::Empty): gRPC clients take a body for a message, and without one read
//! 401, 403 and 503 as `UNAUTHENTICATED`, `PERMISSION_DENIED` and `UNAVAILABLE`.

mod extract;
mod layer;
mod refusal;
mod router;
#[cfg(feature = "ws")]
mod tenure;
mod view;

pub use extract::{Claims, Require, RequireOn, Sent, Verified};
pub use layer::{GuardLayer, GuardService, RequireLayer, RequireService, ResponseFuture};
pub use refusal::Refusal;
pub use router::GuardedRouter;
#[cfg(feature = "ws")]
pub use tenure::{Limited, Socket, Tenure};
pub use view::Headers;

use axum::Router;
use axum::extract::OriginalUri;
use axum::response::IntoResponse;
use axum::routing::get;
use countersign::authorize::Requirement;
use countersign::resource_metadata::{MEDIA_TYPE, WELL_KNOWN};
use countersign::{ConfigError, Guard};
use http::request::Parts;
use http::{StatusCode, header};

/// What a [`Guard`] can do in axum, and in any tower service that takes `http::Request`.
///
/// ```
/// use axum::Router;
/// use axum::routing::{delete, get};
/// use countersign::authorize::scopes;
/// use countersign::{ConfigError, Guard};
/// use countersign_axum::GuardExt;
///
/// fn app(guard: &Guard) -> Result<Router, ConfigError> {
///     let account = Router::new()
///         .route("/", get(async || "yours"))
///         .route("/", delete(async || "deleted").route_layer(guard.require(scopes(["account:delete"]))?))
///         .layer(guard.protect()); // nobody comes in without a token, whatever route is added later
///     Ok(Router::new()
///         .nest("/account", account)
///         .route("/news", get(async || "for everybody, by a handler that may ask who it is"))
///         .layer(guard.layer())
///         .merge(guard.describe()))
/// }
/// # let key = countersign::VerifyingKey::from_secret(countersign::Algorithm::HS256, [7; 32])?;
/// # let verifier = countersign::JwtVerifier::builder(key).algorithms([countersign::Algorithm::HS256]).issuer("i").audience("a");
/// # app(&Guard::builder(verifier.build()?).build()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait GuardExt: sealed::Sealed {
    /// Plants the guard: extractors beneath it ask this guard.
    fn layer(&self) -> GuardLayer;

    /// Refuses requests that do not meet `requirement`.
    ///
    /// # Errors
    /// [`ConfigError`] when the requirement names nothing, or names what the guard's authorizer cannot judge.
    fn require(&self, requirement: Requirement) -> Result<RequireLayer, ConfigError>;

    /// A router that serves what the guard is told of this service
    /// ([RFC 9728](countersign::screening::GuardBuilder::protected_resource)), to everybody, and 404 where it is told nothing: the
    /// paths below `/.well-known/oauth-protected-resource` are its own. Merge it into the router at the root of the host.
    fn describe<S: Clone + Send + Sync + 'static>(&self) -> Router<S>;

    /// Refuses requests without a valid token: around a router, those that no route matches too.
    fn protect(&self) -> RequireLayer;
}

impl GuardExt for Guard {
    fn layer(&self) -> GuardLayer {
        GuardLayer::new(self.clone())
    }

    fn require(&self, requirement: Requirement) -> Result<RequireLayer, ConfigError> {
        self.check(requirement).map(|check| RequireLayer::new(check.into()))
    }

    fn describe<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let guard = self.clone();
        // Asked each time: another guard may be handed over.
        let serve = async move |OriginalUri(uri): OriginalUri| match guard.protected_resource() {
            Some(metadata) if metadata.path() == uri.path() => {
                ([(header::CONTENT_TYPE, MEDIA_TYPE)], metadata.document()).into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        };
        Router::new().route(WELL_KNOWN, get(serve.clone())).route(&format!("{WELL_KNOWN}/{{*rest}}"), get(serve))
    }

    fn protect(&self) -> RequireLayer {
        RequireLayer::new(self.check_authenticated().into())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for countersign::Guard {}
}

/// Calls `ask` with a view of the request. Nested routers show a stripped path, so the original one is used.
macro_rules! with_view {
    ($parts:expr, $view:ident => $ask:expr) => {{
        let headers = $crate::Headers(&$parts.headers);
        let $view = headers.view(&$parts.method, $crate::original_uri($parts));
        $ask
    }};
}
use with_view;

fn original_uri(parts: &Parts) -> &http::Uri {
    parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0)
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
