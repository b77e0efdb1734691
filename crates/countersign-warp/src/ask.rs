use countersign::authorize::{Proof, Requires};
use countersign::request::{RequestView, SentToken};
use countersign::screening::{Check, Screening};
use countersign::{Denial, Guard, VerifiedToken, async_trait};
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// The claims of the request's token, as a type of yours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<C>(pub C);

/// What a guarded route asks, and what it hands to the rest of the route when the answer is good.
#[async_trait]
pub trait Ask: sealed::Sealed + Clone + Send + Sync + 'static {
    /// What the rest of the route is given.
    type Answer: Send + 'static;

    /// Asks.
    ///
    /// # Errors
    /// The [`Denial`] to answer with.
    async fn ask(&self, request: &RequestView<'_>) -> Result<Self::Answer, Denial>;
}

/// Demands a token, and perhaps more of it. Made by [`GuardExt::require`](crate::GuardExt::require) and
/// [`GuardExt::protect`](crate::GuardExt::protect).
#[derive(Clone, Debug)]
pub struct Required {
    check: Check,
}

impl Required {
    pub(crate) fn new(check: Check) -> Self {
        Self { check }
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

    /// Hands on how long whoever asks may stay. Tokens within their leeway are refused.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn tenure(self) -> RequiredTenure {
        RequiredTenure { check: self.check }
    }
}

/// [`Required`], handing on the token as it was sent.
#[derive(Clone, Debug)]
pub struct RequiredSent {
    check: Check,
}

#[async_trait]
impl Ask for RequiredSent {
    type Answer = SentToken;

    async fn ask(&self, request: &RequestView<'_>) -> Result<SentToken, Denial> {
        let screening = self.check.screening(None);
        self.check.judge(&screening, request).await?;
        screening.sent_token(request).ok_or_else(Denial::unguarded)
    }
}

/// [`Required`], handing on a [`Tenure`](crate::Tenure).
#[cfg(feature = "ws")]
#[derive(Clone, Debug)]
pub struct RequiredTenure {
    check: Check,
}

#[cfg(feature = "ws")]
#[async_trait]
impl Ask for RequiredTenure {
    type Answer = crate::Tenure;

    async fn ask(&self, request: &RequestView<'_>) -> Result<crate::Tenure, Denial> {
        let screening = self.check.screening(None);
        self.check.judge(&screening, request).await?;
        screening.tenure(request).await.map(crate::Tenure)
    }
}

#[async_trait]
impl Ask for Required {
    type Answer = VerifiedToken;

    async fn ask(&self, request: &RequestView<'_>) -> Result<VerifiedToken, Denial> {
        self.check.judge(&self.check.screening(None), request).await
    }
}

/// [`Required`], handing on claims.
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

#[async_trait]
impl<C: DeserializeOwned + Send + 'static> Ask for RequiredClaims<C> {
    type Answer = Claims<C>;

    async fn ask(&self, request: &RequestView<'_>) -> Result<Claims<C>, Denial> {
        let screening = self.check.screening(None);
        let token = self.check.judge(&screening, request).await?;
        screening.claims(&token).map(Claims)
    }
}

/// Demands that a requirement which is a type is met, and hands on the proof. Made by
/// [`GuardExt::prove`](crate::GuardExt::prove).
#[derive(Debug)]
pub struct Proven<R> {
    /// Kept, so that what is declared is held against a guard that is handed over later.
    check: Check,
    of: PhantomData<fn() -> R>,
}

impl<R> Proven<R> {
    pub(crate) fn new(check: Check) -> Self {
        Self { check, of: PhantomData }
    }
}

impl<R> Clone for Proven<R> {
    fn clone(&self) -> Self {
        Self::new(self.check.clone())
    }
}

#[async_trait]
impl<R: Requires> Ask for Proven<R> {
    type Answer = Proof<R>;

    async fn ask(&self, request: &RequestView<'_>) -> Result<Proof<R>, Denial> {
        self.check.screening(None).prove(request).await
    }
}

/// Takes nobody, too. Made by [`GuardExt::optional`](crate::GuardExt::optional).
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

    /// Hands on how long whoever asks may stay, if anybody does. Tokens within their leeway are refused.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn tenure(self) -> OptionalTenure {
        OptionalTenure { guard: self.guard }
    }
}

/// [`Optional`], handing on the token as it was sent.
#[derive(Clone, Debug)]
pub struct OptionalSent {
    guard: Guard,
}

#[async_trait]
impl Ask for OptionalSent {
    type Answer = Option<SentToken>;

    async fn ask(&self, request: &RequestView<'_>) -> Result<Option<SentToken>, Denial> {
        let screening = Screening::enter(&self.guard, None);
        screening.optional(request).await?;
        Ok(screening.sent_token(request))
    }
}

/// [`Optional`], handing on a [`Tenure`](crate::Tenure).
#[cfg(feature = "ws")]
#[derive(Clone, Debug)]
pub struct OptionalTenure {
    guard: Guard,
}

#[cfg(feature = "ws")]
#[async_trait]
impl Ask for OptionalTenure {
    type Answer = Option<crate::Tenure>;

    async fn ask(&self, request: &RequestView<'_>) -> Result<Option<crate::Tenure>, Denial> {
        let tenure = Screening::enter(&self.guard, None).tenure_optional(request).await?;
        Ok(tenure.map(crate::Tenure))
    }
}

#[async_trait]
impl Ask for Optional {
    type Answer = Option<VerifiedToken>;

    async fn ask(&self, request: &RequestView<'_>) -> Result<Option<VerifiedToken>, Denial> {
        Screening::enter(&self.guard, None).optional(request).await
    }
}

/// [`Optional`], handing on claims.
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

#[async_trait]
impl<C: DeserializeOwned + Send + 'static> Ask for OptionalClaims<C> {
    type Answer = Option<Claims<C>>;

    async fn ask(&self, request: &RequestView<'_>) -> Result<Option<Claims<C>>, Denial> {
        let screening = Screening::enter(&self.guard, None);
        match screening.optional(request).await? {
            Some(token) => screening.claims(&token).map(|claims| Some(Claims(claims))),
            None => Ok(None),
        }
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
    impl Sealed for super::Optional {}
    impl Sealed for super::OptionalSent {}
    #[cfg(feature = "ws")]
    impl Sealed for super::OptionalTenure {}
    impl<C> Sealed for super::OptionalClaims<C> {}
}
