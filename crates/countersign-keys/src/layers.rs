//! Providers that stand before other providers.

use countersign::keys::KeyIdentity;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest};
use countersign::revocation::Changes;
use countersign::{VerifyingKey, async_trait};

/// Several sources of keys as one: keys from configuration beside those that an issuer publishes.
///
/// - A key under the token's `kid` is taken from the first layer that has it, in the order in which they were named. So
///   layers that answer from memory belong first.
/// - Where no layer has the `kid`, and for a token without one, the key is taken that alone fits, all layers together.
///   Give keys from configuration an id, or an outage of another layer leaves them without a part in this.
/// - A key that no layer has is "not published" only where every layer could be asked; else it is "unavailable".
/// - Layers are asked one after the other, so that their waits add up.
///
/// ```
/// use countersign::{Algorithm, SigningKey};
/// use countersign_keys::{JwksProvider, LayeredKeys, StaticKeys};
///
/// let own = SigningKey::generate(Algorithm::ES256)?.with_key_id("ours")?;
/// let published = JwksProvider::url("https://issuer.example/jwks").build()?;
/// let keys = LayeredKeys::new(StaticKeys::from_keys([own.verifying_key().clone()])).then(published);
/// # let _ = keys;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LayeredKeys {
    layers: Vec<Box<dyn KeyProvider>>,
}

impl LayeredKeys {
    /// The first layer.
    #[must_use]
    pub fn new(first: impl KeyProvider) -> Self {
        Self { layers: vec![Box::new(first)] }
    }

    /// One more, which is asked after those before it.
    #[must_use]
    pub fn then(mut self, next: impl KeyProvider) -> Self {
        self.layers.push(Box::new(next));
        self
    }
}

/// What the layers have said so far.
#[derive(Default)]
struct Answers {
    /// A key that fits and is not the one that the token names.
    fitting: Option<VerifyingKey>,
    error: Option<KeyProviderError>,
}

impl Answers {
    /// Takes one more answer; `Some` where it settles the question.
    fn hear(
        &mut self,
        wanted: &KeyRequest<'_>,
        answer: Result<VerifyingKey, KeyProviderError>,
    ) -> Option<VerifyingKey> {
        match answer {
            Ok(key) if wanted.key_id.is_some() && key.key_id() == wanted.key_id => return Some(key),
            Ok(key) => match &self.fitting {
                Some(other) if other.identity() != key.identity() => self.regret(KeyProviderError::Ambiguous),
                _ => self.fitting = Some(key),
            },
            Err(error) => self.regret(error),
        }
        None
    }

    /// Keeps the error that says the most: what could not be asked might have had the key.
    fn regret(&mut self, error: KeyProviderError) {
        let weight = |error: &KeyProviderError| match error {
            KeyProviderError::NotFound => 0,
            KeyProviderError::WrongAlgorithm => 1,
            KeyProviderError::Ambiguous => 2,
            _ => 3,
        };
        if self.error.as_ref().is_none_or(|kept| weight(kept) < weight(&error)) {
            self.error = Some(error);
        }
    }

    fn conclude(self) -> Result<VerifyingKey, KeyProviderError> {
        match (self.fitting, self.error) {
            (Some(key), None | Some(KeyProviderError::NotFound | KeyProviderError::WrongAlgorithm)) => Ok(key),
            (_, Some(error)) => Err(error),
            (None, None) => Err(KeyProviderError::NotFound),
        }
    }
}

#[async_trait]
impl KeyProvider for LayeredKeys {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        let mut answers = Answers::default();
        for layer in &self.layers {
            if let Some(key) = answers.hear(wanted, layer.key_now(wanted)?) {
                return Some(Ok(key));
            }
        }
        Some(answers.conclude())
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let mut answers = Answers::default();
        for layer in &self.layers {
            if let Some(key) = answers.hear(wanted, layer.key(wanted).await) {
                return Ok(key);
            }
        }
        answers.conclude()
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let mut found: Vec<VerifyingKey> = Vec::new();
        for layer in &self.layers {
            // A layer with one key that fits finds nothing ambiguous, and has it all the same.
            let one = layer.key_now(wanted).and_then(Result::ok);
            for key in layer.candidates(wanted).into_iter().chain(one) {
                if found.iter().all(|other| other.identity() != key.identity()) {
                    found.push(key);
                }
            }
        }
        found
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.layers.iter().any(|layer| layer.trusts(key))
    }

    fn changes(&self) -> Option<Changes> {
        Changes::any_of(self.layers.iter().filter_map(KeyProvider::changes))
    }
}

/// A source of keys, and another for when the first cannot be asked: a second endpoint that publishes the same keys, a copy
/// in a file.
///
/// What the first one says counts, "not published" too: a key that it has withdrawn is not taken from the second. The
/// second one is believed in what it has: where it lacks a key, the answer is "unavailable".
///
/// ```
/// use countersign_keys::{FailoverKeys, JwksProvider};
///
/// let first = JwksProvider::url("https://issuer.example/jwks").build()?;
/// let copy = JwksProvider::file("/var/lib/my-api/jwks.json").build()?;
/// let keys = FailoverKeys::new(first, copy);
/// # let _ = keys;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct FailoverKeys {
    first: Box<dyn KeyProvider>,
    second: Box<dyn KeyProvider>,
}

impl FailoverKeys {
    /// `first`, and `second` for when `first` is unavailable.
    #[must_use]
    pub fn new(first: impl KeyProvider, second: impl KeyProvider) -> Self {
        Self { first: Box::new(first), second: Box::new(second) }
    }
}

#[async_trait]
impl KeyProvider for FailoverKeys {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        match self.first.key_now(wanted)? {
            Err(KeyProviderError::Unavailable(_)) => None,
            answer => Some(answer),
        }
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        let unavailable = match self.first.key(wanted).await {
            Err(KeyProviderError::Unavailable(unavailable)) => unavailable,
            answer => return answer,
        };
        match self.second.key(wanted).await {
            // What a copy lacks may have been published since.
            Err(KeyProviderError::Unavailable(_) | KeyProviderError::NotFound) => {
                Err(KeyProviderError::Unavailable(unavailable))
            }
            answer => answer,
        }
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        let first = self.first.candidates(wanted);
        if first.is_empty() { self.second.candidates(wanted) } else { first }
    }

    /// What the first one trusts: the second may not know yet what the first has withdrawn. So verdicts by the second's
    /// keys are not used again.
    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.first.trusts(key)
    }

    fn changes(&self) -> Option<Changes> {
        Changes::any_of(self.first.changes().into_iter().chain(self.second.changes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::provider::{KeySet, Unavailable};
    use countersign::{Algorithm, SigningKey};

    /// A source that answers when it is waited for, or cannot be reached at all.
    #[derive(Debug)]
    struct Remote(Option<KeySet>);
    #[async_trait]
    impl KeyProvider for Remote {
        async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
            let keys = self.0.as_ref().ok_or_else(|| KeyProviderError::Unavailable(Unavailable::default()))?;
            keys.find(wanted).cloned()
        }
        fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
            self.0.as_ref().map(|keys| keys.candidates(wanted)).unwrap_or_default()
        }
        fn trusts(&self, key: &KeyIdentity) -> bool {
            self.0.as_ref().is_some_and(|keys| keys.trusts(key))
        }
    }

    fn key(algorithm: Algorithm, key_id: Option<&str>) -> VerifyingKey {
        let key = SigningKey::generate(algorithm).expect("generate");
        match key_id {
            Some(key_id) => key.with_key_id(key_id).expect("a key id").verifying_key().clone(),
            None => key.verifying_key().clone(),
        }
    }

    fn set(keys: &[&VerifyingKey]) -> KeySet {
        keys.iter().map(|key| (*key).clone()).collect()
    }

    /// The place among `known` of the key that is found.
    async fn found(keys: &impl KeyProvider, key_id: Option<&str>, known: &[&VerifyingKey]) -> String {
        let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(key_id);
        let answer = keys.key(&wanted).await;
        if let Some(now) = keys.key_now(&wanted) {
            assert_eq!(format!("{now:?}"), format!("{answer:?}"), "now and later agree");
        }
        match answer {
            Ok(key) => known.iter().position(|other| other.identity() == key.identity()).expect("a key").to_string(),
            Err(KeyProviderError::NotFound) => "not found".into(),
            Err(KeyProviderError::WrongAlgorithm) => "wrong algorithm".into(),
            Err(KeyProviderError::Ambiguous) => "ambiguous".into(),
            Err(_) => "unavailable".into(),
        }
    }

    #[tokio::test]
    async fn layers_answer_as_one_set_and_in_order() {
        use Algorithm::{ES256, ES384};
        let [a, b, other_a, plain] = [Some("a"), Some("b"), Some("a"), None].map(|id| key(ES256, id));
        let c = key(ES384, Some("c"));
        let known = [&a, &b, &other_a, &plain, &c];
        let no_keys = set(&[]);
        let cases: &[(Vec<KeySet>, Option<&str>, &str)] = &[
            (vec![set(&[&a]), set(&[&b])], Some("a"), "0"),
            (vec![set(&[&a]), set(&[&b])], Some("b"), "1"),
            (vec![set(&[&a]), set(&[&b])], Some("c"), "not found"),
            (vec![set(&[&a]), set(&[&other_a])], Some("a"), "0"),
            (vec![set(&[&other_a]), set(&[&a])], Some("a"), "2"),
            (vec![set(&[&c]), set(&[&a])], Some("c"), "wrong algorithm"),
            (vec![set(&[&plain]), set(&[&b])], Some("b"), "1"),
            (vec![set(&[&plain]), set(&[&b])], Some("zzz"), "3"),
            (vec![set(&[&a]), set(&[&b])], None, "ambiguous"),
            (vec![set(&[&a]), set(&[&a])], None, "0"),
            (vec![set(&[&a]), no_keys.clone()], None, "0"),
            (vec![set(&[&a, &b]), no_keys], None, "ambiguous"),
        ];
        for (layers, key_id, expected) in cases {
            let mut layers = layers.clone().into_iter();
            let mut keys = LayeredKeys::new(layers.next().expect("a layer"));
            for layer in layers {
                keys = keys.then(layer);
            }
            assert_eq!(found(&keys, *key_id, &known).await, *expected, "{keys:?} {key_id:?}");
        }
        let both = LayeredKeys::new(set(&[&a])).then(set(&[&b, &plain]));
        assert_eq!(both.candidates(&KeyRequest::new(ES256)).len(), 3);
        assert!(both.trusts(&a.identity()) && both.trusts(&b.identity()) && !both.trusts(&c.identity()));
    }

    #[tokio::test]
    async fn a_layer_that_cannot_be_asked_leaves_nothing_unpublished() {
        let (a, plain) = (key(Algorithm::ES256, Some("a")), key(Algorithm::ES256, None));
        let known = [&a, &plain];
        let keys = LayeredKeys::new(set(&[&a])).then(Remote(None));
        assert_eq!(found(&keys, Some("a"), &known).await, "0");
        assert_eq!(found(&keys, Some("b"), &known).await, "unavailable");
        assert_eq!(found(&keys, None, &known).await, "unavailable");
        let keys = LayeredKeys::new(set(&[&plain])).then(Remote(None));
        assert_eq!(found(&keys, Some("a"), &known).await, "unavailable");
    }

    #[tokio::test]
    async fn the_second_is_asked_when_the_first_cannot_be_and_only_then() {
        let (a, b) = (key(Algorithm::ES256, Some("a")), key(Algorithm::ES256, Some("b")));
        let known = [&a, &b];
        let up = FailoverKeys::new(set(&[&a]), set(&[&a, &b]));
        assert_eq!(found(&up, Some("a"), &known).await, "0");
        assert_eq!(found(&up, Some("b"), &known).await, "not found", "withdrawn");
        assert!(!up.trusts(&b.identity()));
        let down = FailoverKeys::new(Remote(None), Remote(Some(set(&[&a, &b]))));
        assert_eq!(found(&down, Some("b"), &known).await, "1");
        assert_eq!(found(&down, Some("c"), &known).await, "unavailable", "a copy may be old");
        assert_eq!(down.candidates(&KeyRequest::new(Algorithm::ES256)).len(), 2);
        assert!(!down.trusts(&b.identity()));
        assert_eq!(found(&FailoverKeys::new(Remote(None), Remote(None)), Some("a"), &known).await, "unavailable");
    }
}
