//! Keys of several issuers, in a table that is exchanged while the service runs: a [`KeyProvider`].

use countersign::keys::KeyIdentity;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet, Unavailable};
use countersign::{VerifyingKey, async_trait};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// What is known of one tenant's keys.
#[derive(Clone, Debug)]
pub enum Source {
    /// These are the keys, and there are no others.
    Published(KeySet),
    /// The keys could not be looked at. Asking again may help after this time.
    Offline(Duration),
}

/// The keys of each tenant, by the tenant's issuer.
///
/// A token is verified by the keys of the issuer that it names and by nobody else's, so that one tenant
/// cannot sign for another.
#[derive(Debug, Default)]
pub struct KeysByTenant {
    tenants: RwLock<HashMap<String, Source>>,
}

impl KeysByTenant {
    /// Sets what is known of one tenant, whatever was known before.
    pub fn set(&self, issuer: impl Into<String>, source: Source) {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).insert(issuer.into(), source);
    }
}

#[async_trait]
impl KeyProvider for KeysByTenant {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        Some(match wanted.issuer.and_then(|issuer| tenants.get(issuer)) {
            Some(Source::Published(keys)) => keys.find(wanted).cloned(),
            Some(Source::Offline(retry_after)) => Err(KeyProviderError::Unavailable(
                Unavailable::because("the tenant's keys are offline").retry_after(*retry_after),
            )),
            None => Err(KeyProviderError::NotFound),
        })
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.key_now(wanted).unwrap_or(Err(KeyProviderError::NotFound))
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.values().any(|source| matches!(source, Source::Published(keys) if keys.trusts(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::{Algorithm, SigningKey};

    const RETRY_AFTER: Duration = Duration::from_secs(7);

    fn key(key_id: &str) -> VerifyingKey {
        SigningKey::generate(Algorithm::ES256)
            .expect("a key")
            .with_key_id(key_id)
            .expect("a kid")
            .verifying_key()
            .clone()
    }

    fn outcome(keys: &KeysByTenant, issuer: Option<&str>, key_id: &str) -> &'static str {
        let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(Some(key_id)).with_issuer(issuer);
        match keys.key_now(&wanted).expect("an answer from memory") {
            Ok(key) if key.key_id() == Some(key_id) => "found",
            Err(KeyProviderError::NotFound) => "not published",
            Err(KeyProviderError::Unavailable(cause)) if cause.retry_after == Some(RETRY_AFTER) => "offline",
            _ => "something else",
        }
    }

    #[test]
    fn a_key_counts_for_the_tenant_that_published_it_and_for_nobody_else() {
        let keys = KeysByTenant::default();
        keys.set("a", Source::Published([key("1")].into_iter().collect()));
        keys.set("b", Source::Published([key("2")].into_iter().collect()));
        keys.set("c", Source::Offline(RETRY_AFTER));
        for (issuer, key_id, expected) in [
            (Some("a"), "1", "found"),
            (Some("b"), "2", "found"),
            (Some("a"), "2", "not published"),
            (Some("c"), "1", "offline"),
            (Some("d"), "1", "not published"),
            (None, "1", "not published"),
        ] {
            assert_eq!(outcome(&keys, issuer, key_id), expected, "{issuer:?} {key_id}");
        }
    }

    #[test]
    fn what_is_no_longer_published_is_no_longer_trusted() {
        let (keys, old, new) = (KeysByTenant::default(), key("old"), key("new"));
        let trusted = |keys: &KeysByTenant| (keys.trusts(&old.identity()), keys.trusts(&new.identity()));
        keys.set("a", Source::Published([old.clone()].into_iter().collect()));
        assert_eq!(trusted(&keys), (true, false));
        keys.set("a", Source::Published([new.clone()].into_iter().collect()));
        assert_eq!(trusted(&keys), (false, true));
        keys.set("a", Source::Offline(RETRY_AFTER));
        assert_eq!(trusted(&keys), (false, false));
    }
}
