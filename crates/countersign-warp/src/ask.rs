#[cfg(feature = "ws")]
mod lasting;
mod optional;
mod required;

pub use optional::{Optional, OptionalClaims, OptionalProof, OptionalSent};
pub use required::{Proven, ProvenOn, Proving, Required, RequiredClaims, RequiredSent};
#[cfg(feature = "ws")]
pub use {
    lasting::{OptionalProofTenure, ProvenTenure},
    optional::OptionalTenure,
    required::RequiredTenure,
};

use countersign::request::{HeaderSource, RequestView};
use countersign::{Denial, Guard};
use std::future::Future;
use warp::http::{HeaderMap, HeaderValue, Method};
use warp::path::FullPath;

/// The claims of the request's token, as a type of yours.
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
///     email: Option<String>, // a token without it fits too
/// }
///
/// fn me(guard: &Guard) -> BoxedFilter<(Response,)> {
///     warp::path!("me").and(warp::get()).guarded(guard.protect().claims::<Me>(), |route| {
///         route.map(|Claims(me): Claims<Me>| me.email.unwrap_or(me.sub))
///     })
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<C>(pub C);

/// What a guarded route asks, and what it hands to the rest of the route when the answer is good. Made by the methods of
/// [`GuardExt`](crate::GuardExt).
///
/// ```
/// use countersign::{Guard, VerifiedToken};
/// use countersign_warp::{Ask, GuardExt, Guarded};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
///
/// /// The same route for whoever may see it: what is asked is an argument.
/// fn list(ask: impl Ask<Answer = VerifiedToken>) -> BoxedFilter<(Response,)> {
///     warp::path!("posts").and(warp::get()).guarded(ask, |route| {
///         route.map(|token: VerifiedToken| format!("the posts of {:?}", token.subject()))
///     })
/// }
///
/// fn posts(guard: &Guard) -> BoxedFilter<(Response,)> {
///     list(guard.protect())
/// }
/// ```
pub trait Ask: sealed::Sealed + Clone + Send + Sync + 'static {
    /// What the rest of the route is given.
    type Answer: Send + 'static;

    /// Asks.
    #[doc(hidden)]
    fn ask(&self, request: Seen) -> impl Future<Output = Result<Self::Answer, Denial>> + Send;

    /// Whether the request is a preflight that nobody is asked about.
    #[doc(hidden)]
    fn is_exempt(&self, _: &Seen) -> bool {
        false
    }
}

/// A request, as much of it as a verdict needs. warp's filters lend nothing, so it is owned.
#[derive(Debug)]
pub struct Seen {
    method: Method,
    path: FullPath,
    query: String,
    headers: Fields,
}

#[derive(Debug)]
struct Fields(HeaderMap);

impl HeaderSource for Fields {
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        self.0.get_all(name).iter().nth(nth).map(HeaderValue::as_bytes)
    }
}

impl Seen {
    pub(crate) fn new(method: Method, path: FullPath, query: String, headers: HeaderMap) -> Self {
        Self { method, path, query, headers: Fields(headers) }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    fn view(&self) -> RequestView<'_> {
        let query = (!self.query.is_empty()).then_some(self.query.as_str());
        RequestView::new(self.method.as_str(), self.path.as_str(), query, &self.headers)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Required {}
    impl<C> Sealed for super::RequiredClaims<C> {}
    impl Sealed for super::RequiredSent {}
    #[cfg(feature = "ws")]
    impl Sealed for super::RequiredTenure {}
    impl<R> Sealed for super::Proven<R> {}
    impl<R> Sealed for super::ProvenOn<R> {}
    impl Sealed for super::Optional {}
    impl Sealed for super::OptionalSent {}
    #[cfg(feature = "ws")]
    impl Sealed for super::OptionalTenure {}
    impl<C> Sealed for super::OptionalClaims<C> {}
    impl<R> Sealed for super::OptionalProof<R> {}
    #[cfg(feature = "ws")]
    impl<R> Sealed for super::ProvenTenure<R> {}
    #[cfg(feature = "ws")]
    impl<R> Sealed for super::OptionalProofTenure<R> {}
}
