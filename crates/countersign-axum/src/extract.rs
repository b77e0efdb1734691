use crate::{Refusal, with_view};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use countersign::authorize::{AsResource, Authorized, Proof, Requires};
use countersign::request::SentToken;
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
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use countersign_axum::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct Me {
///     sub: String,
///     email: Option<String>, // a token without it fits too
/// }
///
/// async fn me(Claims(me): Claims<Me>) -> String {
///     me.email.unwrap_or(me.sub)
/// }
///
/// async fn greeting(me: Option<Claims<Me>>) -> String {
///     me.map_or_else(|| "Welcome.".to_owned(), |Claims(me)| format!("Welcome, {}.", me.sub))
/// }
///
/// let app: Router = Router::new().route("/me", get(me)).route("/", get(greeting));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<C>(pub C);

/// The request's verified token itself: subject, issuer, scopes, without a type for the claims.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use countersign_axum::Verified;
///
/// async fn posts(token: Verified) -> String {
///     let of = token.subject().unwrap_or("nobody in particular");
///     if token.has_scope("posts:drafts") { format!("all of {of}'s") } else { format!("{of}'s, without drafts") }
/// }
///
/// let app: Router = Router::new().route("/posts", get(posts));
/// ```
#[derive(Clone, Debug)]
pub struct Verified(pub VerifiedToken);

impl Deref for Verified {
    type Target = VerifiedToken;

    fn deref(&self) -> &VerifiedToken {
        &self.0
    }
}

/// That the request meets `R`, a requirement that is a type.
///
/// Refuses whoever does not meet it. `Option<Require<R>>` takes requests without credentials as `None`, and refuses the rest
/// as before. A guard that cannot judge `R`, and no guard at all, are 500.
///
/// A guard learns of `R` when the first request asks. So that it is held against the guard at the start, and against each one
/// that is [handed over](countersign::Guard::later), declare it:
/// [`GuardedRouter::proves`](crate::GuardedRouter::proves), which asks before the handler and hands the proof on, or
/// `guard.declare::<R>()`. What layers and routers require is declared without that.
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use countersign::authorize::{Proof, Requirement, Requires, scopes};
/// use countersign_axum::Require;
///
/// struct WritePosts;
/// impl Requires for WritePosts {
///     fn requirement() -> Requirement { scopes(["posts:write"]) }
/// }
///
/// /// Cannot be called by whoever has not checked.
/// fn store(writer: &Proof<WritePosts>, text: &str) -> String {
///     format!("{:?} wrote {text}", writer.token().subject())
/// }
///
/// async fn write(Require(writer): Require<WritePosts>, text: String) -> String {
///     store(&writer, &text)
/// }
///
/// let app: Router = Router::new().route("/posts", post(write));
/// ```
#[derive(Debug)]
pub struct Require<R>(pub Proof<R>);

impl<R> Deref for Require<R> {
    type Target = Proof<R>;

    fn deref(&self) -> &Proof<R> {
        &self.0
    }
}

/// What the request is about, loaded by its own extractor `T`, and the decision that the request meets `R` on it.
///
/// Nothing is loaded for requests without a valid token. What `T` rejects is answered as `T` answers it.
/// [`GuardedRouter::proves_on`](crate::GuardedRouter::proves_on) declares it.
///
/// ```
/// use axum::Router;
/// use axum::extract::{FromRequestParts, Path};
/// use axum::http::StatusCode;
/// use axum::http::request::Parts;
/// use axum::routing::get;
/// use countersign::authorize::{AsResource, Requirement, Requires, Resource, action};
/// use countersign_axum::RequireOn;
///
/// struct Post { id: String, text: String }
///
/// impl<S: Send + Sync> FromRequestParts<S> for Post {
///     type Rejection = StatusCode;
///     async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StatusCode> {
///         let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| StatusCode::NOT_FOUND)?;
///         Ok(Self { id, text: "from the database".into() })
///     }
/// }
///
/// impl AsResource for Post {
///     fn as_resource(&self) -> Resource<'_> { Resource::new("post", &self.id) }
/// }
///
/// struct ReadPost;
/// impl Requires for ReadPost {
///     fn requirement() -> Requirement { action("posts:read") }
/// }
///
/// async fn read(RequireOn(post): RequireOn<Post, ReadPost>) -> String {
///     post.text.clone()
/// }
///
/// let app: Router = Router::new().route("/posts/{id}", get(read));
/// ```
#[derive(Debug)]
pub struct RequireOn<T, R>(pub Authorized<T, R>);

/// The request's token as it was sent, once it has been verified: to call another service in the same name.
///
/// Where something behind the guard has replaced or removed the credential since, this is 500: nobody has verified what stands
/// there.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use countersign_axum::Sent;
///
/// async fn orders(Sent(token): Sent) -> String {
///     fetch("https://orders.internal.example/", &token.authorization()).await
/// }
/// # async fn fetch(_: &str, _authorization: &str) -> String { String::new() }
///
/// let app: Router = Router::new().route("/orders", get(orders));
/// ```
#[derive(Clone, Debug)]
pub struct Sent(pub SentToken);

/// The screening by the innermost guard planted around this route.
pub(crate) fn screening(parts: &Parts) -> Result<Screening, Denial> {
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

impl<S: Sync> FromRequestParts<S> for Sent {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        with_view!(parts, view => screening.require(&view).await).map_err(Refusal)?;
        let sent = with_view!(parts, view => screening.sent_token(&view));
        sent.map(Self).ok_or_else(|| Refusal(Denial::unguarded()))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Sent {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        let token = with_view!(parts, view => screening.optional(&view).await).map_err(Refusal)?;
        let sent = with_view!(parts, view => screening.sent_token(&view)).map(Self);
        // Not "nobody", where the verified token stands in the request no more.
        token.map(|_| sent.ok_or_else(|| Refusal(Denial::unguarded()))).transpose()
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

impl<R: Requires, S: Sync> FromRequestParts<S> for Require<R> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        let proof = with_view!(parts, view => screening.prove(&view).await);
        proof.map(Self).map_err(Refusal)
    }
}

impl<R: Requires, S: Sync> OptionalFromRequestParts<S> for Require<R> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refusal> {
        let screening = screening(parts).map_err(Refusal)?;
        let proof = with_view!(parts, view => screening.prove_optional(&view).await);
        proof.map(|proof| proof.map(Self)).map_err(Refusal)
    }
}

impl<T, R, S> FromRequestParts<S> for RequireOn<T, R>
where
    T: FromRequestParts<S> + AsResource + Send + Sync,
    R: Requires,
    S: Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let screening = screening(parts).map_err(refuse)?;
        with_view!(parts, view => screening.require(&view).await).map_err(refuse)?;
        let resource = T::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let authorized = with_view!(parts, view => screening.authorize(&view, resource).await);
        authorized.map(Self).map_err(refuse)
    }
}

fn refuse(denial: Denial) -> Response {
    Refusal(denial).into_response()
}
