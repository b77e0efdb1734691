use crate::middleware::Planted;
use crate::{Headers, Refusal, view};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use countersign::reason::Reason;
use countersign::{Denial, VerifiedToken};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The claims of the request's token, as a type of yours.
///
/// Refuses requests without a valid token, and tokens whose claims do not fit the type. `Option<Claims<C>>` takes
/// requests without credentials as `None`, and refuses the rest as before.
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

/// An extractor at work. Ready at once where the verdict needs no waiting.
pub struct Extracting<T>(State<T>);

enum State<T> {
    Ready(Option<Result<T, Refusal>>),
    Waiting(Pin<Box<dyn Future<Output = Result<T, Refusal>>>>),
}

impl<T> fmt::Debug for Extracting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extracting").finish_non_exhaustive()
    }
}

impl<T> Unpin for Extracting<T> {}

impl<T> Future for Extracting<T> {
    type Output = Result<T, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Waiting(future) => future.as_mut().poll(context),
        }
    }
}

fn extract<T: 'static>(
    request: &HttpRequest,
    finish: impl Fn(&Planted, VerifiedToken) -> Result<T, Denial> + 'static,
) -> Extracting<T> {
    let Some(planted) = request.extensions().get::<Planted>().cloned() else {
        return Extracting(State::Ready(Some(Err(Refusal(Denial::unguarded())))));
    };
    let headers = Headers(request.headers());
    let conclude = move |planted: &Planted, answer: Result<VerifiedToken, Denial>| {
        answer.and_then(|token| finish(planted, token)).map_err(|denial| {
            // Nobody is not refused for good: an optional extractor takes that for an answer.
            if denial.reason() != Reason::NoCredentials {
                planted.refuse(&denial);
            }
            Refusal(denial)
        })
    };
    if let Some(answer) = planted.screening.require_now(&view(request, &headers)) {
        return Extracting(State::Ready(Some(conclude(&planted, answer))));
    }
    let request = request.clone();
    Extracting(State::Waiting(Box::pin(async move {
        let headers = Headers(request.headers());
        let answer = planted.screening.require(&view(&request, &headers)).await;
        conclude(&planted, answer)
    })))
}

impl FromRequest for Verified {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, |_, token| Ok(Self(token)))
    }
}

impl<C: DeserializeOwned + 'static> FromRequest for Claims<C> {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, |planted, token| planted.screening.claims(&token).map(Self))
    }
}
