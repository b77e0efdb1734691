use super::{Check, Guard, Screening};
use crate::authorize::Requirement;
use crate::denial::Denial;
use crate::request::RequestView;
use std::sync::Arc;

/// What stands before a handler: whatever it asks is asked before the handler hears of the request.
///
/// Of a route of a table it is what was declared: what the route requires, and then what it
/// [proves](crate::manifest::Declarations::proves). A `Check` alone is one too.
///
/// ```
/// use countersign::manifest::Gate;
/// use countersign::request::RequestView;
/// use countersign::screening::Screening;
/// use countersign::Denial;
///
/// // What an adapter's middleware does: `Ok` hands the request on.
/// async fn admit(gate: &Gate, outer: Option<&Screening>, request: &RequestView<'_>) -> Result<(), Denial> {
///     let screening = Screening::enter(gate.guard(), outer);
///     match gate.admit_now(&screening, request) {
///         Some(answer) => answer,
///         None => gate.admit(&screening, request).await,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    asks: Asks,
    proves: Arc<[Check]>,
}

#[derive(Clone, Debug)]
enum Asks {
    /// Nobody is asked for a credential. Of whoever sends one, proofs are wanted all the same.
    Nobody(Guard),
    Everybody(Check),
}

impl From<Check> for Gate {
    fn from(check: Check) -> Self {
        Self { asks: Asks::Everybody(check), proves: Arc::default() }
    }
}

impl Gate {
    pub(crate) fn open(guard: &Guard) -> Self {
        Self { asks: Asks::Nobody(guard.clone()), proves: Arc::default() }
    }

    /// Asks these as well. What the gate requires already is asked once.
    pub(crate) fn proving(self, proofs: impl Iterator<Item = Check>) -> Self {
        let is_asked = |own: &Check| self.check().is_some_and(|check| check.requirement() == own.requirement());
        Self { proves: proofs.filter(|own| !is_asked(own)).collect(), ..self }
    }

    /// The guard that is asked.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        match &self.asks {
            Asks::Nobody(guard) => guard,
            Asks::Everybody(check) => check.guard(),
        }
    }

    /// Whether nothing is asked and no credential looked at: everybody passes, and the handler's extractors may ask the guard.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.check().is_none() && self.proves.is_empty()
    }

    /// What everybody has to meet; `None` where those without credentials pass.
    #[must_use]
    pub fn check(&self) -> Option<&Check> {
        match &self.asks {
            Asks::Nobody(_) => None,
            Asks::Everybody(check) => Some(check),
        }
    }

    /// What is asked besides, of whoever has sent a credential.
    pub fn proves(&self) -> impl Iterator<Item = &Requirement> {
        self.proves.iter().map(Check::requirement)
    }

    /// Whether a request passes, where that is known without waiting; `None` where [`admit`](Self::admit) must be asked. `Ok` hands
    /// the request on, `Err` carries the answer to send.
    pub fn admit_now(&self, screening: &Screening, request: &RequestView<'_>) -> Option<Result<(), Denial>> {
        match &self.asks {
            Asks::Nobody(_) if self.proves.is_empty() => return Some(Ok(())),
            Asks::Nobody(guard) => match Screening::enter(guard, Some(screening)).optional_now(request)? {
                Ok(Some(_)) => {}
                Ok(None) => return Some(Ok(())),
                Err(denial) => return Some(Err(denial)),
            },
            Asks::Everybody(check) if check.is_exempt(request) => return Some(Ok(())),
            Asks::Everybody(check) => {
                if let Err(denial) = check.judge_now(screening, request)? {
                    return Some(Err(denial));
                }
            }
        }
        for proof in &*self.proves {
            if let Err(denial) = proof.judge_now(screening, request)? {
                return Some(Err(denial));
            }
        }
        Some(Ok(()))
    }

    /// Whether a request passes. What [`admit_now`](Self::admit_now) has found met is not asked again.
    ///
    /// # Errors
    /// The [`Denial`] to send.
    pub async fn admit(&self, screening: &Screening, request: &RequestView<'_>) -> Result<(), Denial> {
        match &self.asks {
            Asks::Nobody(_) if self.proves.is_empty() => return Ok(()),
            Asks::Nobody(guard) => {
                if Screening::enter(guard, Some(screening)).optional(request).await?.is_none() {
                    return Ok(());
                }
            }
            Asks::Everybody(check) if check.is_exempt(request) => return Ok(()),
            Asks::Everybody(check) => pass(check, screening, request).await?,
        }
        for proof in &*self.proves {
            pass(proof, screening, request).await?;
        }
        Ok(())
    }
}

async fn pass(check: &Check, screening: &Screening, request: &RequestView<'_>) -> Result<(), Denial> {
    match check.screening(Some(screening)).has_passed(check) {
        true => Ok(()),
        false => check.judge(screening, request).await.map(drop),
    }
}
