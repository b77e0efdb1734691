use super::{KeyProvider, KeyProviderError, KeyRequest};
use crate::alg::Algorithm;
use crate::config::ConfigError;
use crate::crypto::{Backend, default_backend};
use crate::jwk::{IdsAside, JwkSet, Quarantined};
use crate::key::{KeyIdentity, VerifyingKey};
use crate::key_error::KeyError;
use async_trait::async_trait;
use std::collections::HashMap;

/// An immutable set of verifying keys, looked up by `kid`.
///
/// - A token with a `kid` is verified by the key under that `kid`; where no key has it, be it one that was set aside, by
///   the one key without a `kid` that fits its algorithm.
/// - A token without a `kid` is verified where exactly one key of the set fits its algorithm. A verifier can be told to
///   try several: [`try_keys`](crate::verify::JwtVerifierBuilder::try_keys).
///
/// What leaves a doubt about which key is meant is set aside, and [`quarantined`](Self::quarantined) says so:
///
/// - different keys for one algorithm under one `kid` (RFC 7517 §4.5), be one of them unreadable;
/// - shared secrets beside public keys: a secret is configured, a public key is published, and the one must never pass
///   for the other (RFC 8725 §2.1).
///
/// ```
/// use countersign::jwk::JwkSet;
/// use countersign::provider::KeySet;
///
/// let document = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// let keys = KeySet::from_jwks(&JwkSet::parse(document)?)?;
/// assert_eq!(keys.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    by_id: HashMap<String, Vec<VerifyingKey>>,
    without_id: Vec<VerifyingKey>,
    quarantined: Vec<Quarantined>,
    ids_aside: IdsAside,
}

impl KeySet {
    /// The keys of a JWK Set. A key without `alg` becomes one key for each algorithm of its kind.
    ///
    /// Two keys with one `kid` and one algorithm and different material are both set aside: there is no telling
    /// which is meant. So is a key that shares its `kid` with one that the set could not use, unless that one is
    /// [unsupported](KeyError::Unsupported): it is then for something else.
    ///
    /// # Errors
    /// [`ConfigError`] for `backend` where none is compiled in. No document causes one.
    pub fn from_jwks(set: &JwkSet) -> Result<Self, ConfigError> {
        Ok(Self::from_jwks_with(default_backend()?, set))
    }

    /// The keys of a JWK Set, on a [backend](crate::crypto) of the caller's choice. What it has not is set aside.
    #[must_use]
    pub fn from_jwks_with(backend: &dyn Backend, set: &JwkSet) -> Self {
        let mut quarantined = set.quarantined().to_vec();
        let mut ids_aside = set.ids_aside().clone();
        let mut placed = Vec::new();
        for (index, jwk) in set.placed() {
            for algorithm in jwk.algorithms() {
                match VerifyingKey::from_jwk_with(backend, algorithm, jwk) {
                    Ok(key) => placed.push((index, key)),
                    Err(reason) => {
                        quarantined.push(Quarantined::new(index, reason));
                        ids_aside.add(jwk.key_id().unwrap_or_default(), reason);
                    }
                }
            }
        }
        Self::from_placed(placed, quarantined, ids_aside)
    }

    fn from_placed(placed: Vec<(usize, VerifyingKey)>, mut quarantined: Vec<Quarantined>, ids_aside: IdsAside) -> Self {
        let mut set = Self { ids_aside: ids_aside.clone(), ..Self::default() };
        let has_public_keys = placed.iter().any(|(_, key)| !key.algorithm().is_symmetric());
        let is_disputed = |key: &VerifyingKey| {
            let is_rival = |other: &VerifyingKey| {
                other.key_id() == key.key_id()
                    && other.algorithm().is_same_as(key.algorithm())
                    && other.identity() != key.identity()
            };
            key.key_id().is_some() && placed.iter().any(|(_, other)| is_rival(other))
        };
        for (index, key) in &placed {
            let key_id = key.key_id().unwrap_or_default();
            let problem = if has_public_keys && key.algorithm().is_symmetric() {
                Some(KeyError::NotPublic)
            } else if ids_aside.is_taken(key_id) || is_disputed(key) {
                Some(KeyError::DuplicateKeyId)
            } else {
                None
            };
            if let Some(reason) = problem {
                quarantined.push(Quarantined::new(*index, reason));
                set.ids_aside.add(key_id, reason);
                continue;
            }
            let slot = match key.key_id() {
                Some(key_id) => set.by_id.entry(key_id.to_owned()).or_default(),
                None => &mut set.without_id,
            };
            if !slot.iter().any(|other| other.identity() == key.identity()) {
                slot.push(key.clone());
            }
        }
        quarantined.sort_by_key(|key| key.index);
        // A key without `alg` is set aside once, and not for each algorithm.
        quarantined.dedup();
        set.quarantined = quarantined;
        set
    }

    /// How many keys there are; an RSA key without `alg` counts once for each algorithm.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Each key, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.by_id.values().flatten().chain(&self.without_id)
    }

    /// What was set aside when the set was read, with reasons.
    #[must_use]
    pub fn quarantined(&self) -> &[Quarantined] {
        &self.quarantined
    }

    /// The key for a token.
    ///
    /// # Errors
    /// [`KeyProviderError`], never `Unavailable`.
    ///
    /// ```
    /// use countersign::jwk::JwkSet;
    /// use countersign::provider::{KeyProviderError, KeyRequest, KeySet};
    /// use countersign::Algorithm;
    ///
    /// let document = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
    ///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    /// let keys = KeySet::from_jwks(&JwkSet::parse(document)?)?;
    /// let ask = |algorithm, id| keys.find(&KeyRequest::new(algorithm).with_key_id(Some(id)));
    /// assert!(ask(Algorithm::Ed25519, "a").is_ok());
    /// assert!(matches!(ask(Algorithm::ES256, "a"), Err(KeyProviderError::WrongAlgorithm)));
    /// assert!(matches!(ask(Algorithm::Ed25519, "b"), Err(KeyProviderError::NotFound)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find(&self, wanted: &KeyRequest<'_>) -> Result<&VerifyingKey, KeyProviderError> {
        let fits = |key: &&VerifyingKey| key.algorithm().is_same_as(wanted.algorithm);
        let Some(key_id) = wanted.key_id else { return only(self.iter().filter(fits)) };
        match self.by_id.get(key_id) {
            Some(keys) => keys.iter().find(fits).ok_or(KeyProviderError::WrongAlgorithm),
            // A document that is mended will have it: whoever can ask for a newer one may.
            None if self.ids_aside.contains(key_id) => Err(KeyProviderError::NotFound),
            None => only(self.without_id.iter().filter(fits)),
        }
    }
}

fn only<'k>(mut fitting: impl Iterator<Item = &'k VerifyingKey>) -> Result<&'k VerifyingKey, KeyProviderError> {
    match (fitting.next(), fitting.next()) {
        (Some(_), Some(_)) => Err(KeyProviderError::Ambiguous),
        (Some(key), None) => Ok(key),
        (None, _) => Err(KeyProviderError::NotFound),
    }
}

impl FromIterator<VerifyingKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = VerifyingKey>>(keys: I) -> Self {
        Self::from_placed(keys.into_iter().enumerate().collect(), Vec::new(), IdsAside::default())
    }
}

#[async_trait]
impl KeyProvider for KeySet {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        Some(self.find(wanted).cloned())
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.find(wanted).cloned()
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let fits = |key: &&VerifyingKey| key.algorithm().is_same_as(wanted.algorithm);
        match wanted.key_id {
            None => self.iter().filter(fits).cloned().collect(),
            Some(key_id) if self.by_id.contains_key(key_id) || self.ids_aside.contains(key_id) => Vec::new(),
            Some(_) => self.without_id.iter().filter(fits).cloned().collect(),
        }
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.iter().any(|own| own.identity() == *key)
    }

    fn algorithms(&self) -> Option<Vec<Algorithm>> {
        Some(self.iter().map(VerifyingKey::algorithm).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn key(algorithm: Algorithm, key_id: Option<&str>) -> VerifyingKey {
        let key = SigningKey::generate(algorithm).expect("generate");
        match key_id {
            Some(key_id) => key.with_key_id(key_id).expect("a kid").verifying_key().clone(),
            None => key.verifying_key().clone(),
        }
    }

    fn material(key: &VerifyingKey) -> crate::crypto::PublicMaterial {
        key.jwk().expect("a public key").material().clone()
    }

    fn outcome(set: &KeySet, algorithm: Algorithm, key_id: Option<&str>) -> &'static str {
        match set.find(&KeyRequest::new(algorithm).with_key_id(key_id)) {
            Ok(key) if key.key_id().is_some() => "by id",
            Ok(_) => "without id",
            Err(KeyProviderError::NotFound) => "not found",
            Err(KeyProviderError::WrongAlgorithm) => "wrong algorithm",
            Err(KeyProviderError::Ambiguous) => "ambiguous",
            Err(KeyProviderError::Unavailable(_)) => "unavailable",
        }
    }

    #[test]
    fn keys_are_found_by_id_then_by_the_one_that_fits() {
        use Algorithm::{ES256, ES384, Ed25519, EdDSA, RS256};
        let set: KeySet = [key(ES256, Some("a")), key(ES256, Some("b")), key(EdDSA, Some("c")), key(ES384, None)]
            .into_iter()
            .collect();
        let cases = [
            (ES256, Some("a"), "by id"),
            (RS256, Some("a"), "wrong algorithm"),
            (EdDSA, Some("c"), "by id"),
            (Ed25519, Some("c"), "by id"),
            (ES384, Some("c"), "wrong algorithm"),
            (ES384, Some("zzz"), "without id"),
            (ES256, Some("zzz"), "not found"),
            (ES256, None, "ambiguous"),
            (EdDSA, None, "by id"),
            (RS256, None, "not found"),
        ];
        for (algorithm, key_id, expected) in cases {
            assert_eq!(outcome(&set, algorithm, key_id), expected, "{algorithm} {key_id:?}");
        }
    }

    #[test]
    fn one_id_for_different_keys_of_one_algorithm_is_nobodys() {
        let same = key(Algorithm::ES256, Some("same"));
        let doubled: KeySet = [same.clone(), key(Algorithm::ES256, Some("same")), key(Algorithm::EdDSA, Some("same"))]
            .into_iter()
            .collect();
        let set_aside: Vec<_> = doubled.quarantined().iter().map(|key| (key.index, key.reason)).collect();
        assert_eq!(set_aside, [(0, KeyError::DuplicateKeyId), (1, KeyError::DuplicateKeyId)]);
        assert_eq!(outcome(&doubled, Algorithm::ES256, Some("same")), "wrong algorithm");
        assert_eq!(outcome(&doubled, Algorithm::EdDSA, Some("same")), "by id");
        let repeated: KeySet = [same.clone(), same].into_iter().collect();
        assert_eq!(repeated.len(), 1, "the same key twice is one key");
        let edwards = key(Algorithm::EdDSA, Some("e"));
        let renamed =
            VerifyingKey::from_material(default_backend().expect("a backend"), Algorithm::Ed25519, material(&edwards));
        let both: KeySet = [edwards, renamed.expect("a key").with_key_id("e").expect("a kid")].into_iter().collect();
        assert_eq!((both.len(), both.quarantined().len()), (1, 0), "under either name");
    }

    #[test]
    fn what_is_set_aside_keeps_its_place_in_the_document() {
        let good = serde_json::to_string(&key(Algorithm::ES256, Some("a")).jwk()).expect("serialise");
        let coordinate = "A".repeat(43);
        let off_curve = format!(r#"{{"kty":"EC","crv":"P-256","x":"{coordinate}","y":"{coordinate}","kid":"b"}}"#);
        let document = format!(r#"{{"keys":[{{"kty":"oct"}},{good},{off_curve},{{"kty":"RSA"}}]}}"#);
        let set = KeySet::from_jwks(&JwkSet::parse(&document).expect("a set")).expect("a backend");
        let places: Vec<_> = set.quarantined().iter().map(|key| key.index).collect();
        assert_eq!((set.len(), places), (1, vec![0, 2, 3]));
    }

    #[test]
    fn a_key_of_several_algorithms_is_set_aside_once() {
        let modulus = crate::base64url::encode(&[0xff; 256]);
        let rsa = format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB","kid":"a"}}"#);
        let document = format!(r#"{{"keys":[{rsa},{{"kid":"a"}}]}}"#);
        let set = KeySet::from_jwks(&JwkSet::parse(&document).expect("a set")).expect("a backend");
        let reasons: Vec<_> = set.quarantined().iter().map(|key| (key.index, key.reason)).collect();
        assert_eq!(reasons, [(0, KeyError::DuplicateKeyId), (1, KeyError::Malformed("no `kty`"))]);
    }

    #[test]
    fn an_unreadable_key_takes_its_id_with_it_and_one_for_something_else_does_not() {
        let good = serde_json::to_string(&key(Algorithm::ES256, Some("a")).jwk()).expect("serialise");
        let coordinate = "A".repeat(43);
        let off_curve = format!(r#"{{"kid":"a","kty":"EC","crv":"P-256","x":"{coordinate}","y":"{coordinate}"}}"#);
        let crowded =
            format!(r#"{{{}"kid":"a","kty":"EC"}}"#, (0..256).map(|n| format!(r#""m{n}":0,"#)).collect::<String>());
        let long = format!(r#"{{"x":"{}","kid":"a"}}"#, "A".repeat(crate::jwk::MAX_KEY_BYTES));
        let cases = [
            (&*off_curve, 0),
            (&*crowded, 0),
            (&*long, 0),
            (r#"{"kty":"EC","kty":"EC","kid":"a"}"#, 0),
            (r#"{"kid":"z","kid":"a","kty":"EC"}"#, 0),
            (r#"{"kid":"a","kid":"z","kty":"EC"}"#, 0),
            (r#"{"kid":7,"kty":"EC","kid":"a"}"#, 0),
            (r#"{"kty":[7],"kid":"a"}"#, 0),
            (r#"{"\ud800":"\ud800","kid":"a"}"#, 0),
            (r#"{"kid":"a","kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, 0),
            (r#"{"kid":"a","kty":"EC","kty":"EC"}"#, 0),
            (r#"{"kid":"a"}"#, 0),
            (r#"{"\u006bid":"\u0061","kty":"oct","k":"AA"}"#, 0),
            (r#"{"kid":"a","kty":"RSA","n":"AQ","e":"AQAB"}"#, 0),
            (r#"{"kid":"a","kty":"OKP","crv":"X25519","x":"AA"}"#, 1),
            (r#"{"kid":"a","kty":"AKP","pub":"AA"}"#, 0),
            (r#"{"kid":"a","kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#, 0),
            (r#"{"kid":"a","kty":"AKP","alg":"SLH-DSA-SHA2-128s","pub":"AA"}"#, 1),
            (r#"{"kid":"a","kty":"XYZ","pub":"AA"}"#, 1),
            (r#"{"kid":"a","kty":"EC","use":"enc"}"#, 1),
            (r#"{"kid":"b","kty":"EC"}"#, 1),
            (r#"{"kty":"EC"}"#, 1),
            (r#"{"kid":["a"],"kty":"EC","x":{"kid":"a"}}"#, 1),
            (r#"["kid","a"]"#, 1),
        ];
        for (bad, expected) in cases {
            for keys in [format!("{good},{bad}"), format!("{bad},{good}")] {
                let set = KeySet::from_jwks(&JwkSet::parse(&format!(r#"{{"keys":[{keys}]}}"#)).expect("a set"));
                let set = set.expect("a backend");
                assert_eq!(set.len(), expected, "{bad}");
                let doubled = set.quarantined().iter().filter(|key| key.reason == KeyError::DuplicateKeyId).count();
                assert_eq!((doubled, set.quarantined().len()), (1 - expected, 2 - expected), "{bad}");
            }
        }
    }

    #[test]
    fn whoever_names_a_key_that_was_set_aside_gets_no_other() {
        use Algorithm::{ES256, HS256};
        let nameless = key(ES256, None);
        let secret = VerifyingKey::from_secret(HS256, [7; 32]).and_then(|key| key.with_key_id("a")).expect("a secret");
        let disputed: KeySet = [key(ES256, Some("a")), key(ES256, Some("a")), nameless.clone()].into_iter().collect();
        let mut sets = vec![disputed, [secret, nameless.clone()].into_iter().collect()];
        let json = |key: &VerifyingKey| serde_json::to_string(&key.jwk()).expect("serialise");
        let coordinate = "A".repeat(43);
        let off_curve = format!(r#"{{"kid":"a","kty":"EC","crv":"P-256","x":"{coordinate}","y":"{coordinate}"}}"#);
        for aside in [&off_curve, r#"{"kid":"a"}"#, r#"{"kid":"a","kty":"AKP"}"#, r#"{"kid":"a","kty":"oct","k":"AA"}"#]
        {
            let document = format!(r#"{{"keys":[{aside},{}]}}"#, json(&nameless));
            sets.push(KeySet::from_jwks(&JwkSet::parse(&document).expect("a set")).expect("a backend"));
        }
        for set in sets {
            assert_eq!(outcome(&set, ES256, Some("a")), "not found", "{set:?}");
            assert!(set.candidates(&KeyRequest::new(ES256).with_key_id(Some("a"))).is_empty(), "{set:?}");
            assert_eq!(outcome(&set, ES256, Some("b")), "without id", "{set:?}");
            assert_eq!(outcome(&set, ES256, None), "without id", "{set:?}");
            assert_eq!(set.candidates(&KeyRequest::new(ES256).with_key_id(Some("b"))).len(), 1, "{set:?}");
        }
    }

    #[test]
    fn a_secret_beside_public_keys_is_set_aside() {
        let secret =
            |key_id: &str| VerifyingKey::from_secret(Algorithm::HS256, [7; 32]).and_then(|key| key.with_key_id(key_id));
        let (one, two) = (secret("one").expect("a secret"), secret("two").expect("a secret"));
        let secrets: KeySet = [one.clone(), two.clone()].into_iter().collect();
        assert_eq!((secrets.len(), secrets.quarantined().len()), (2, 0));
        let mixed: KeySet = [one, key(Algorithm::ES256, Some("a")), two].into_iter().collect();
        let set_aside: Vec<_> = mixed.quarantined().iter().map(|key| (key.index, key.reason)).collect();
        assert_eq!(set_aside, [(0, KeyError::NotPublic), (2, KeyError::NotPublic)]);
        assert_eq!(outcome(&mixed, Algorithm::HS256, Some("one")), "not found");
        assert_eq!(outcome(&mixed, Algorithm::ES256, Some("a")), "by id");
    }

    #[test]
    fn a_set_trusts_what_it_holds() {
        let held = key(Algorithm::ES256, Some("a"));
        let set: KeySet = [held.clone()].into_iter().collect();
        assert!(set.trusts(&held.identity()));
        assert!(!set.trusts(&key(Algorithm::ES256, Some("a")).identity()));
    }
}
