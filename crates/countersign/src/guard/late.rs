use super::parts::Parts;
use super::{Guard, Wiring};
use crate::authorize::{AccessRequest, Authorizer, Decision, Requirement, Why};
use crate::changes::Changes;
use crate::clock::SystemClock;
use crate::config::ConfigError;
use crate::denial::Presentation;
use crate::extract::HeaderExtractor;
use crate::observe::{NoObserver, Observer};
use crate::provider::Unavailable;
use crate::request::Credential;
use crate::token::VerifiedToken;
use crate::verifier::{TokenVerifier, VerifyError};
use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

impl Guard {
    /// A guard for those who build their routes before they know their keys: it stands where a guard must stand, and another
    /// is handed over later, and replaced while the service runs.
    ///
    /// Requirements are declared as ever. Names that the guard to come does not know are found when it is handed over. Until
    /// then every question is answered with 503 (`not_ready`); public routes answer.
    ///
    /// ```
    /// use countersign::authorize::{role, scopes};
    /// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
    ///
    /// let (guard, hand_over) = Guard::later();
    /// let write = guard.check(scopes(["posts:write"]))?; // build the whole router
    ///
    /// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a").build()?;
    /// hand_over.hand_over(&Guard::builder(verifier).build()?)?;
    ///
    /// // A guard that cannot judge what has been declared does not replace one that can.
    /// assert!(guard.check(role("admin")).is_err());
    /// # drop(write);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn later() -> (Self, HandOver) {
        Self::later_told(NoObserver)
    }

    /// As [`later`](Self::later), telling `observer` the requests that are refused before a guard is handed over.
    #[must_use]
    pub fn later_told(observer: impl Observer) -> (Self, HandOver) {
        let late = Arc::new(Late {
            current: RwLock::new(Arc::new(nobody(observer))),
            declared: Mutex::default(),
            kept: Mutex::default(),
            hand_overs: Changes::new(),
        });
        (Self(Wiring::Late(Arc::clone(&late))), HandOver(late))
    }
}

/// Puts a guard in the place that [`Guard::later`] has made. Clones are for the same place.
///
/// ```
/// use countersign::request::RequestView;
/// use countersign::screening::Screening;
/// use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
///
/// let (guard, hand_over) = Guard::later();
/// let nobody = RequestView::new("GET", "/posts", None, &[("accept", "*/*")]);
/// let status = || Screening::enter(&guard, None).require_now(&nobody).and_then(|answer| answer.err()).map(|no| no.status());
/// assert_eq!(status(), Some(503));
///
/// # let key = SigningKey::generate(Algorithm::ES256)?;
/// # let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("i").audience("a").build()?;
/// hand_over.hand_over(&Guard::builder(verifier).build()?)?; // once the configuration has been read
/// assert_eq!(status(), Some(401));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HandOver(Arc<Late>);

impl HandOver {
    /// Judges by `guard` from now on. What is asked of a request through its [`Screening`](crate::screening::Screening), as
    /// layers and extractors do, is answered to the end by the guard that began; what a handler asks a check or a guard itself
    /// ([`Check::decide`](crate::screening::Check::decide), [`Guard::authorize`]), by the guard of that moment. `guard` looks at
    /// connections that are open within a second.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first requirement, of a check that is still there, which `guard` cannot judge; and where `guard`
    /// is itself one that comes later. Then nothing changes.
    pub fn hand_over(&self, guard: &Guard) -> Result<(), ConfigError> {
        let Wiring::Fixed(parts) = &guard.0 else {
            return Err(ConfigError::new("hand_over", "this guard is itself one that is handed over later"));
        };
        // Held until the guard is in its place, so that what is declared meanwhile is declared to the new one.
        let declared = self.0.declared();
        for requirement in declared.iter().filter_map(Weak::upgrade) {
            parts.authorizer.accepts(&requirement).map_err(|error| of_declared(&requirement, &error))?;
        }
        let before = {
            let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Arc::clone(parts))
        };
        // Told without the locks, and after the guard is in its place: who is woken may ask at once.
        drop(declared);
        self.0.hand_overs.tell();
        drop(before);
        Ok(())
    }
}

/// The whole requirement is told beside what is wrong in it: routes are found by it, in the code and in a manifest.
fn of_declared(requirement: &Requirement, error: &ConfigError) -> ConfigError {
    let text = requirement.to_string();
    let problem = format!("`{}`, which is declared: {}", text.escape_debug(), error.problem());
    ConfigError::new(error.setting(), problem)
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver").field("is_wired", &self.0.current().is_wired).finish_non_exhaustive()
    }
}

/// The place of a guard.
pub(super) struct Late {
    current: RwLock<Arc<Parts>>,
    /// What checks require that are still there.
    declared: Mutex<Vec<Weak<Requirement>>>,
    /// What was declared for good.
    kept: Mutex<Vec<Arc<Requirement>>>,
    /// Told of each guard that is handed over.
    pub(super) hand_overs: Changes,
}

impl Late {
    pub(super) fn current(&self) -> Arc<Parts> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what a check requires, for the guards to come.
    pub(super) fn declare(&self, requirement: &Arc<Requirement>) -> Result<(), ConfigError> {
        let mut declared = self.declared();
        // Asked again: a guard may have been handed over since.
        self.current().authorizer.accepts(requirement)?;
        if declared.len() == declared.capacity() {
            declared.retain(|requirement| requirement.strong_count() > 0);
        }
        declared.push(Arc::downgrade(requirement));
        Ok(())
    }

    pub(super) fn keep(&self, requirement: &Arc<Requirement>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains(requirement) {
            kept.push(Arc::clone(requirement));
        }
    }

    #[cfg(test)]
    pub(super) fn declared_len(&self) -> usize {
        self.declared().len()
    }

    fn declared(&self) -> MutexGuard<'_, Vec<Weak<Requirement>>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where no guard has been handed over.
fn nobody(observer: impl Observer) -> Parts {
    Parts {
        extractors: vec![Box::new(HeaderExtractor::bearer())],
        first_wins: false,
        verifier: Box::new(Nobody),
        revocation: None,
        changes: None,
        authorizer: Box::new(Nobody),
        observer: Box::new(observer),
        clock: Box::new(SystemClock::new()),
        correlation_header: "x-request-id".into(),
        presentation: Presentation::bare(),
        protected_resource: None,
        public_scopes: false,
        pass_preflight: false,
        is_wired: false,
    }
}

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl TokenVerifier for Nobody {
    async fn verify(&self, _: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        Err(VerifyError::Unavailable(Unavailable::default()))
    }
}

#[async_trait]
impl Authorizer for Nobody {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        Ok(())
    }

    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        Decision::Indeterminate(Why::new("guard", "not_ready"))
    }
}
