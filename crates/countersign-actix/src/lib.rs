//! Countersign for actix-web: plant a guard, require things of routes, take claims in handlers.
//!
//! ```
//! use actix_web::{App, web};
//! use countersign::authorize::scopes;
//! use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
//! use countersign_actix::{Claims, GuardExt};
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
//! let app = App::new()
//!     .wrap(guard.layer())
//!     .route("/posts", web::post().to(async || "written").wrap(guard.require(scopes(["posts:write"]))?))
//!     .route("/me", web::get().to(async |Claims(me): Claims<Me>| me.sub))
//!     .route("/greeting", web::get().to(async |me: Option<Claims<Me>>| {
//!         me.map_or("stranger".into(), |Claims(me)| me.sub)
//!     }));
//! # drop(app); Ok(()) }
//! # app(&[7; 32]).map_err(|e| e.to_string()).unwrap();
//! ```
//!
//! - [`layer`](GuardExt::layer) plants the guard. The verdict is reached when a route asks for it, once per request: a
//!   public route costs nothing.
//! - [`require`](GuardExt::require) refuses whoever does not meet the requirement. Wrap a `Route` with it, so that 405
//!   stays 405; around a `Scope` it stands before routing. It plants its own guard too.
//! - [`protect`](GuardExt::protect) demands a valid token from everything beneath it.
//! - [`Claims`] and [`Verified`] demand a token in a handler; as `Option<…>` they take nobody too, and refuse bad
//!   tokens before the handler runs. Where no guard is planted around the route, `Claims` is 500, and `Option<Claims>`
//!   is `None`: actix turns every failed extractor into that, and there is no guard to answer instead.
//! - [`Sent`] is the token itself, to send on.
//! - [`Require`] demands in a handler what a type says, and gives the proof to hand on; [`RequireOn`] decides on the thing
//!   that the handler is about.
//! - `Tenure` (feature `ws`) is for handlers that open a WebSocket or a stream: the verdict comes before the upgrade, and the
//!   connection is closed when the token expires, is revoked or no longer suffices.
//! - [`Headers`] makes a view of the request, for an extractor that a handler asks itself.
//!
//! A [`GuardedScope`] holds no route that does not say who may come in, and tells what it holds as a
//! [`Manifest`](countersign::manifest::Manifest): a table, JSON, or the `security` of an OpenAPI document.

mod extract;
mod middleware;
mod refusal;
mod scope;
#[cfg(feature = "ws")]
mod tenure;
mod view;

pub use extract::{Claims, Extracting, Require, RequireOn, Sent, Verified};
pub use middleware::{GuardLayer, GuardService, RequireLayer, RequireService};
pub use refusal::Refusal;
pub use scope::{GuardedResources, GuardedScope};
#[cfg(feature = "ws")]
pub use tenure::{Limited, Socket, Tenure};
pub use view::Headers;

use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, web};
use countersign::authorize::Requirement;
use countersign::request::RequestView;
use countersign::resource_metadata::{MEDIA_TYPE, WELL_KNOWN};
use countersign::{ConfigError, Guard};
use std::future::ready;

/// What a [`Guard`] can do in actix-web.
///
/// ```
/// use actix_web::{App, web};
/// use countersign::authorize::scopes;
/// use countersign::{ConfigError, Guard};
/// use countersign_actix::GuardExt;
///
/// fn set_up(guard: &Guard) -> Result<(), ConfigError> {
///     let delete = guard.require(scopes(["account:delete"]))?;
///     let app = App::new()
///         .wrap(guard.layer())
///         .configure(guard.describe())
///         .route("/news", web::get().to(async || "for everybody, by a handler that may ask who it is"))
///         .service(
///             web::scope("/account")
///                 .wrap(guard.protect()) // nobody comes in without a token, whatever route is added later
///                 .route("", web::get().to(async || "yours"))
///                 .route("", web::delete().to(async || "deleted").wrap(delete)),
///         );
/// #   drop(app);
///     Ok(())
/// }
/// # let key = countersign::VerifyingKey::from_secret(countersign::Algorithm::HS256, [7; 32])?;
/// # let verifier = countersign::JwtVerifier::builder(key).algorithms([countersign::Algorithm::HS256]).issuer("i").audience("a");
/// # set_up(&Guard::builder(verifier.build()?).build()?)?;
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

    /// Serves what the guard is told of this service
    /// ([RFC 9728](countersign::screening::GuardBuilder::protected_resource)), to everybody, and 404 where it is told nothing: the
    /// paths below `/.well-known/oauth-protected-resource` are its own. `App::new().configure(guard.describe())`, before scopes
    /// that could take them.
    fn describe(&self) -> impl FnOnce(&mut ServiceConfig);

    /// Refuses requests without a valid token: around a scope, those that no route matches too.
    fn protect(&self) -> RequireLayer;
}

impl GuardExt for Guard {
    fn layer(&self) -> GuardLayer {
        GuardLayer::new(self.clone())
    }

    fn require(&self, requirement: Requirement) -> Result<RequireLayer, ConfigError> {
        self.check(requirement).map(|check| RequireLayer::new(check.into()))
    }

    fn describe(&self) -> impl FnOnce(&mut ServiceConfig) {
        let guard = self.clone();
        move |app| {
            // Asked each time: another guard may be handed over. Paths are compared as they were sent.
            let serve = move |request: HttpRequest| {
                ready(match guard.protected_resource() {
                    Some(metadata) if metadata.path() == request.uri().path() => {
                        HttpResponse::Ok().content_type(MEDIA_TYPE).body(metadata.document())
                    }
                    _ => HttpResponse::NotFound().finish(),
                })
            };
            let head = web::head().to(serve.clone());
            let paths = [WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/{{rest:.*}}")];
            app.service(web::resource(paths.to_vec()).route(web::get().to(serve)).route(head));
        }
    }

    fn protect(&self) -> RequireLayer {
        RequireLayer::new(self.check_authenticated().into())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for countersign::Guard {}
}

fn view<'r>(request: &'r HttpRequest, headers: &'r Headers<'r>) -> RequestView<'r> {
    headers.view(request.method(), request.uri())
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
