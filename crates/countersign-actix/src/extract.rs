use crate::middleware::Planted;
use crate::{Headers, Refusal, view};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use countersign::request::RequestView;
use countersign::screening::Screening;
use countersign::{Denial, VerifiedToken};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, pending};
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The claims of the request's token, as a type of yours.
///
/// Refuses requests without a valid token, and tokens whose claims do not fit the type. `Option<Claims<C>>` takes
/// requests without credentials as `None`, and refuses the rest as before: the handler does not run. A refusal other
/// than for want of credentials is final, so `Result<Claims<C>, …>` in a handler never sees it.
///
/// Where no guard is planted around the route, `Claims<C>` is 500, and `Option<Claims<C>>` is `None`.
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
            // Nothing, where the middleware answers instead.
            State::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Waiting(future) => future.as_mut().poll(context),
        }
    }
}

/// `Option<…>` around the extractor may take the want of a token for an answer, and is not known here: that refusal is told
/// by the middleware, when it is what the request is answered with.
fn somebody(
    screening: &Screening,
    request: &RequestView<'_>,
    answer: Result<Option<VerifiedToken>, Denial>,
) -> Result<VerifiedToken, Denial> {
    answer?.ok_or_else(|| screening.want_of_credentials(request))
}

fn extract<T: 'static>(
    request: &HttpRequest,
    finish: impl Fn(&Planted, VerifiedToken) -> Result<T, Denial> + 'static,
) -> Extracting<T> {
    let Some(planted) = request.extensions().get::<Planted>().cloned() else {
        return Extracting(State::Ready(Some(Err(Refusal(Denial::unguarded())))));
    };
    let conclude = move |planted: &Planted, request: &HttpRequest, answer: Result<VerifiedToken, Denial>| match answer
        .and_then(|token| finish(planted, token))
    {
        Ok(extracted) => Some(Ok(extracted)),
        Err(denial) if denial.is_for_want_of_credentials() => Some(Err(Refusal(denial))),
        Err(denial) => {
            planted.refuse(denial, request.clone());
            None
        }
    };
    let answer_now = {
        let headers = Headers(request.headers());
        let (screening, view) = (&planted.screening, view(request, &headers));
        screening.optional_now(&view).map(|answer| somebody(screening, &view, answer))
    };
    if let Some(answer) = answer_now {
        return Extracting(State::Ready(conclude(&planted, request, answer)));
    }
    let request = request.clone();
    Extracting(State::Waiting(Box::pin(async move {
        let answer = {
            let headers = Headers(request.headers());
            let (screening, view) = (&planted.screening, view(&request, &headers));
            somebody(screening, &view, screening.optional(&view).await)
        };
        match conclude(&planted, &request, answer) {
            Some(answer) => answer,
            None => pending().await,
        }
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
