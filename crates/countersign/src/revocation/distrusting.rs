//! Keys without those that a [`RevocationLog`] distrusts.

use super::RevocationCheck;
use super::log::{RevocationLog, Standing};
use crate::alg::Algorithm;
use crate::changes::Changes;
use crate::key::{KeyIdentity, VerifyingKey};
use crate::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
use async_trait::async_trait;
use std::sync::Arc;

/// The keys of another provider, without those that a [`RevocationLog`] distrusts: for the hours between the theft of a key and
/// the moment when no document and no process has it any longer.
///
/// 1. A key that is distrusted, by its id or its thumbprint, is "not published": 401. A token that names a distrusted id is
///    refused before the provider is asked.
///    An id is distrusted of one issuer, as its name is spelt there; a thumbprint wherever the key is found. Distrust by
///    thumbprint where the key is at hand.
/// 2. A verdict in a token cache counts for nothing from the next request on, where its key's thumbprint is distrusted, and
///    while any key is distrusted by its id, for a cached verdict does not know it.
/// 3. Where the log's view is older than its bound, the keys are "unavailable": 503, unless the log
///    [degrades](super::RevocationLogBuilder::danger_degrade).
///
/// Put it around all other providers.
///
/// ```
/// use countersign::cache::{CacheStore, FleetKey, Result};
/// use countersign::jwk::Jwk;
/// use countersign::provider::KeyProvider;
/// use countersign::revocation::{Distrusting, RevocationLog};
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
///
/// fn keys(published: impl KeyProvider, log: &Arc<RevocationLog>) -> impl KeyProvider {
///     Distrusting::new(published, log.clone())
/// }
///
/// /// What an administrator starts when the issuer says that this key was stolen.
/// async fn distrust(log: &RevocationLog, stolen: &Jwk, now: SystemTime) -> std::result::Result<(), Box<dyn std::error::Error>> {
///     log.distrust_thumbprint(&stolen.thumbprint()?, now + Duration::from_secs(24 * 60 * 60)).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Distrusting<P> {
    keys: P,
    log: Arc<RevocationLog>,
}

impl<P: KeyProvider> Distrusting<P> {
    /// The keys of `keys` that `log` does not distrust.
    #[must_use]
    pub fn new(keys: P, log: Arc<RevocationLog>) -> Self {
        Self { keys, log }
    }
}

/// Whether the key that is wanted may be asked for.
fn admit(standing: &Standing<'_>, wanted: &KeyRequest<'_>) -> Result<(), KeyProviderError> {
    match standing {
        Standing::Known(known) if wanted.key_id.is_some_and(|id| known.distrusts_id(wanted.issuer, id)) => {
            Err(KeyProviderError::NotFound)
        }
        Standing::Known(_) => Ok(()),
        Standing::Untried | Standing::Unknown => {
            let why = Unavailable::because("which keys are distrusted cannot be told: the log was not read in time");
            Err(KeyProviderError::Unavailable(why))
        }
    }
}

/// Whether a key that was found may be used, by whatever id it was asked for.
fn judge(standing: &Standing<'_>, wanted: &KeyRequest<'_>, key: &VerifyingKey) -> Result<(), KeyProviderError> {
    admit(standing, wanted)?;
    match standing {
        Standing::Known(known)
            if known.distrusts(&key.identity())
                || key.key_id().is_some_and(|id| known.distrusts_id(wanted.issuer, id)) =>
        {
            Err(KeyProviderError::NotFound)
        }
        _ => Ok(()),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: KeyProvider> KeyProvider for Distrusting<P> {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        let standing = self.log.standing();
        if matches!(standing, Standing::Untried) {
            return None;
        }
        if let Err(error) = admit(&standing, wanted) {
            return Some(Err(error));
        }
        let answer = self.keys.key_now(wanted)?;
        Some(answer.and_then(|key| judge(&standing, wanted, &key).map(|()| key)))
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        admit(&self.log.tried_standing().await, wanted)?;
        let key = self.keys.key(wanted).await?;
        // Anew: it may have taken long.
        judge(&self.log.standing(), wanted, &key)?;
        Ok(key)
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let standing = self.log.standing();
        let mut keys = self.keys.candidates(wanted);
        keys.retain(|key| judge(&standing, wanted, key).is_ok());
        keys
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        match self.log.standing() {
            Standing::Known(known) => !known.distrusts(key) && !known.distrusts_some_id() && self.keys.trusts(key),
            Standing::Untried | Standing::Unknown => false,
        }
    }

    fn algorithms(&self) -> Option<Vec<Algorithm>> {
        self.keys.algorithms()
    }

    fn changes(&self) -> Option<Changes> {
        Changes::any_of(self.log.changes().into_iter().chain(self.keys.changes()))
    }
}
