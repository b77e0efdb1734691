use crate::guarded::{Denied, asking};
use crate::{Claims, GuardExt};
use countersign::manifest::PathParams;
use countersign::reason::Reason;
use countersign::{Guard, VerifiedToken};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, ready};
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply, reject};

/// The beginning of a route of [`GuardedRoutes`](crate::GuardedRoutes), to be made a [`GuardedReply`].
///
/// Method, path and requirement stand before whatever is done with it, and there is no other way to a reply, so that a
/// route is what its declaration says. It has the values that the closures are given: [`PathParams`] first, and then the
/// token or what [`and`](Self::and) adds.
pub struct GuardedRoute<F> {
    filter: F,
    guard: Guard,
}

/// The end of a route of [`GuardedRoutes`](crate::GuardedRoutes).
pub struct GuardedReply {
    pub(crate) filter: BoxedFilter<(Response,)>,
}

impl<F> GuardedRoute<F> {
    pub(crate) fn new(filter: F, guard: Guard) -> Self {
        Self { filter, guard }
    }
}

impl GuardedRoute<BoxedFilter<(PathParams,)>> {
    /// Adds who asks, if anybody does. Bad tokens are refused.
    #[must_use]
    pub fn optional(self) -> GuardedRoute<BoxedFilter<(PathParams, Option<VerifiedToken>)>> {
        let filter = self.filter.and(asking(self.guard.optional())).boxed();
        GuardedRoute { filter, guard: self.guard }
    }

    /// Adds the claims of whoever asks, if anybody does. Bad tokens are refused, and those whose claims do not fit the type.
    #[must_use]
    pub fn optional_claims<C>(self) -> GuardedRoute<BoxedFilter<(PathParams, Option<Claims<C>>)>>
    where
        C: DeserializeOwned + Send + 'static,
    {
        let filter = self.filter.and(asking(self.guard.optional().claims())).boxed();
        GuardedRoute { filter, guard: self.guard }
    }
}

impl GuardedRoute<BoxedFilter<(PathParams, VerifiedToken)>> {
    /// The token's claims in its stead. Tokens whose claims do not fit the type are refused.
    #[must_use]
    pub fn claims<C>(self) -> GuardedRoute<BoxedFilter<(PathParams, Claims<C>)>>
    where
        C: DeserializeOwned + Send + 'static,
    {
        let guard = self.guard.clone();
        let claims = move |params, token: VerifiedToken| {
            let refuse = |_| reject::custom(Denied(guard.refuse(Reason::ClaimsType)));
            ready(token.claims().map(|claims| (params, Claims(claims))).map_err(refuse))
        };
        GuardedRoute { filter: self.filter.and_then(claims).untuple_one().boxed(), guard: self.guard }
    }
}

macro_rules! arities {
    ($(($($extract:ident),*))*) => {$(
        impl<$($extract: Send + 'static),*> GuardedRoute<BoxedFilter<($($extract,)*)>> {
            /// Adds the value of a filter, such as `warp::body::json()`. It runs when the request may pass.
            #[must_use]
            pub fn and<G, More>(self, more: G) -> GuardedRoute<BoxedFilter<($($extract,)* More,)>>
            where
                G: Filter<Extract = (More,)> + Send + Sync + 'static,
                G::Error: Into<Rejection>,
                More: Send + 'static,
            {
                GuardedRoute { filter: self.filter.and(more.boxed()).boxed(), guard: self.guard }
            }

            /// The reply, at once.
            #[must_use]
            pub fn map<H, R>(self, handler: H) -> GuardedReply
            where
                H: Fn($($extract),*) -> R + Clone + Send + Sync + 'static,
                R: Reply + 'static,
            {
                GuardedReply { filter: self.filter.map(handler).map(R::into_response).boxed() }
            }

            /// The reply of a future.
            #[must_use]
            pub fn then<H, N, R>(self, handler: H) -> GuardedReply
            where
                H: Fn($($extract),*) -> N + Clone + Send + Sync + 'static,
                N: Future<Output = R> + Send + 'static,
                R: Reply + Send + 'static,
            {
                GuardedReply { filter: self.filter.then(handler).map(R::into_response).boxed() }
            }

            /// The reply of a future, or its rejection, which goes on as warp's rejections do.
            #[must_use]
            pub fn and_then<H, N, R>(self, handler: H) -> GuardedReply
            where
                H: Fn($($extract),*) -> N + Clone + Send + Sync + 'static,
                N: Future<Output = Result<R, Rejection>> + Send + 'static,
                R: Reply + Send + 'static,
            {
                GuardedReply { filter: self.filter.and_then(handler).map(R::into_response).boxed() }
            }
        }
    )*};
}
arities! { (A1) (A1, A2) (A1, A2, A3) (A1, A2, A3, A4) (A1, A2, A3, A4, A5) (A1, A2, A3, A4, A5, A6) }

impl<F> fmt::Debug for GuardedRoute<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedRoute").finish_non_exhaustive()
    }
}

impl fmt::Debug for GuardedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedReply").finish_non_exhaustive()
    }
}
