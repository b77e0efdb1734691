//! CORS preflights carry no credentials, so a check can be told to leave them alone.

use super::{Check, GuardBuilder};
use crate::request::RequestView;

impl GuardBuilder {
    /// Lets CORS preflights ([`RequestView::is_preflight`]) through the requirements of routes, for services that answer
    /// them behind the guard. Where whatever answers them stands before the guard, this is not needed, and that is the better
    /// order.
    ///
    /// **A handler that answers `OPTIONS` is then open to everybody**, because anybody can send the two header fields: routes
    /// that take every method must not be behind such a guard, unless the handler asks for claims. Extractors of handlers
    /// refuse preflights as they do any request.
    ///
    /// Layers of axum and middleware of actix-web hand a preflight on to the handler. In warp a route is handed the token, and a
    /// preflight has none: it falls through to whatever route answers `OPTIONS`.
    pub fn pass_preflight(mut self) -> Self {
        self.pass_preflight = true;
        self
    }
}

impl Check {
    /// Whether this request is to be let through unjudged: a preflight, where the guard was told to
    /// [let them pass](GuardBuilder::pass_preflight).
    ///
    /// A route of a [manifest](crate::manifest) names its method, so none of its requests is.
    ///
    /// Adapters that can hand a request on without a token ask before they judge, and do so with an exempt one. Judging itself
    /// exempts nothing.
    ///
    /// ```
    /// use countersign::request::RequestView;
    /// use countersign::screening::{Check, Screening};
    /// use countersign::{Denial, VerifiedToken};
    ///
    /// // What an adapter's middleware does: `Ok` hands the request on.
    /// async fn admit(check: &Check, outer: Option<&Screening>, request: &RequestView<'_>) -> Result<(), Denial> {
    ///     if check.is_exempt(request) {
    ///         return Ok(());
    ///     }
    ///     check.judge(&check.screening(outer), request).await.map(drop)
    /// }
    /// ```
    #[must_use]
    pub fn is_exempt(&self, request: &RequestView<'_>) -> bool {
        !self.is_strict() && self.guard().parts().pass_preflight && request.is_preflight()
    }
}
