use crate::{Refusal, with_view};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use countersign::screening::Screening;
use countersign::{Denial, VerifiedToken};
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::ops::Deref;

/// The claims of the request's token, as a type of yours.
///
/// Refuses requests without a valid token, and tokens whose claims do not fit the type. `Option<Claims<C>>` takes
/// requests without credentials as `None`, and refuses the rest as before. Where no guard is planted around the route,
/// both are 500.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<C>(pub C);

/// The request's verified token itself: subject, issuer, scopes, without a type for the claims.
#[derive(Clone, Debug)]
pub struct Verified(pub VerifiedToken);

impl Deref for Verified {
    type Target = VerifiedToken;

    fn deref(&self) -> &VerifiedToken {
        &self.0
    }
}

/// The screening by the innermost guard planted around this route.
fn screening(parts: &Parts) -> Result<Screening, Denial> {
    parts.extensions.get::<Screening>().cloned().ok_or_else(Denial::unguarded)
}

impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        let token = with_view!(parts, view => screening.require(&view).await);
        token.map(Self).map_err(Refusal)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        let token = with_view!(parts, view => screening.optional(&view).await);
        token.map(|token| token.map(Self)).map_err(Refusal)
    }
}

impl<C: DeserializeOwned, S: Sync> FromRequestParts<S> for Claims<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Verified(token) = <Verified as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        screening(parts).and_then(|screening| screening.claims(&token)).map(Self).map_err(Refusal)
    }
}

impl<C: DeserializeOwned, S: Sync> OptionalFromRequestParts<S> for Claims<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        let token = <Verified as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        let Some(Verified(token)) = token else { return Ok(None) };
        screening(parts)
            .and_then(|screening| screening.claims(&token))
            .map(|claims| Some(Self(claims)))
            .map_err(Refusal)
    }
}
