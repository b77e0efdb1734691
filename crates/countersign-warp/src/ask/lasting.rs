//! Proof and tenure in one: for routes that demand what a type says of whoever opens a connection.

use super::required::judge;
use super::{Ask, OptionalProof, Proven, Seen};
use crate::Tenure;
use countersign::Denial;
use countersign::authorize::{Proof, Requires};
use countersign::extract::Subprotocols;

/// [`Proven`], handing on the proof and a [`Tenure`].
///
/// ```
/// use countersign::authorize::{Proof, Requirement, Requires, scopes};
/// use countersign::{ConfigError, Guard};
/// use countersign_warp::{GuardExt, Guarded, ProvenTenure, Socket, Tenure};
/// use warp::Filter;
/// use warp::filters::BoxedFilter;
/// use warp::reply::Response;
/// use warp::ws::Ws;
///
/// struct JoinChat;
/// impl Requires for JoinChat {
///     fn requirement() -> Requirement { scopes(["chat:join"]) }
/// }
///
/// /// Cannot be called for whoever may not.
/// async fn chat(_may: Proof<JoinChat>, mut socket: Socket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         if socket.send(message).await.is_err() {
///             break;
///         }
///     }
/// }
///
/// fn route(guard: &Guard) -> Result<BoxedFilter<(Response,)>, ConfigError> {
///     let may_join: ProvenTenure<JoinChat> = guard.prove::<JoinChat>()?.tenure();
///     Ok(warp::path!("chat").and(warp::get()).guarded(may_join, |route| {
///         route.and(warp::ws()).map(|(may, tenure): (Proof<JoinChat>, Tenure), ws: Ws| {
///             tenure.on_upgrade(ws, |socket| chat(may, socket))
///         })
///     }))
/// }
/// ```
#[derive(Debug)]
pub struct ProvenTenure<R>(Proven<R>);

impl<R: Requires> Proven<R> {
    /// Hands on how long whoever asks may stay as well, as a pair. The connection is held to `R`, as to what was required
    /// before it. Tokens within their leeway are refused.
    #[must_use]
    pub fn tenure(self) -> ProvenTenure<R> {
        ProvenTenure(self)
    }
}

impl<R> Clone for ProvenTenure<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Requires> Ask for ProvenTenure<R> {
    type Answer = (Proof<R>, Tenure);

    async fn ask(&self, request: Seen) -> Result<(Proof<R>, Tenure), Denial> {
        let first = self.0.first();
        let (screening, request) = (first.screening(None), request.view());
        judge(first, &screening, &request).await?;
        let proof = screening.prove(&request).await?;
        let tenure = screening.tenure(&request).await?;
        Ok((proof, Tenure(tenure, Subprotocols::offered(&request))))
    }

    fn is_exempt(&self, request: &Seen) -> bool {
        self.0.is_exempt(request)
    }
}

/// [`OptionalProof`], handing on the proof and a [`Tenure`].
///
/// ```
/// use countersign::authorize::{Requirement, Requires, scopes};
/// use countersign::{ConfigError, Guard};
/// use countersign_warp::{GuardExt, OptionalProofTenure};
///
/// struct ReadDrafts;
/// impl Requires for ReadDrafts {
///     fn requirement() -> Requirement { scopes(["posts:drafts"]) }
/// }
///
/// /// For a stream of posts that anybody may read, and of drafts for as long as its reader may.
/// fn for_readers(guard: &Guard) -> Result<OptionalProofTenure<ReadDrafts>, ConfigError> {
///     Ok(guard.optional().prove()?.tenure())
/// }
/// ```
#[derive(Debug)]
pub struct OptionalProofTenure<R>(OptionalProof<R>);

impl<R: Requires> OptionalProof<R> {
    /// As of [`Proven::tenure`], if anybody asks.
    #[must_use]
    pub fn tenure(self) -> OptionalProofTenure<R> {
        OptionalProofTenure(self)
    }
}

impl<R> Clone for OptionalProofTenure<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Requires> Ask for OptionalProofTenure<R> {
    type Answer = Option<(Proof<R>, Tenure)>;

    async fn ask(&self, request: Seen) -> Result<Option<(Proof<R>, Tenure)>, Denial> {
        let (screening, request) = (self.0.check().screening(None), request.view());
        let Some(proof) = screening.prove_optional(&request).await? else { return Ok(None) };
        let tenure = screening.tenure(&request).await?;
        Ok(Some((proof, Tenure(tenure, Subprotocols::offered(&request)))))
    }
}
