use countersign::jwk::JwkSet;
use countersign::keys::{KeyError, KeyIdentity};
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet};
use countersign::{Algorithm, ConfigError, VerifyingKey, async_trait};
use std::path::Path;

/// Keys that do not change while the process lives.
///
/// ```
/// use countersign::Algorithm;
/// use countersign_keys::StaticKeys;
///
/// let keys = StaticKeys::from_secret(Algorithm::HS256, "a secret of at least thirty-two octets")?;
/// assert_eq!(keys.keys().len(), 1);
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StaticKeys(KeySet);

/// A larger file is no JWK Set.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

impl StaticKeys {
    /// The public keys of a JWK Set. Keys that cannot be used are set aside, with reasons in
    /// [`quarantined`](KeySet::quarantined).
    ///
    /// # Errors
    /// [`ConfigError`] when the text is no JWK Set, or no key in it can be used.
    pub fn from_jwks(json: &str) -> Result<Self, ConfigError> {
        let set = JwkSet::parse(json).map_err(|error| refused("jwks", error))?;
        let keys = KeySet::from_jwks(&set)?;
        if keys.is_empty() {
            let reason = keys.quarantined().first().map_or_else(
                || "the set is empty".to_owned(),
                |first| format!("no key can be used; the one at {} because {}", first.index, first.reason),
            );
            return Err(ConfigError::new("jwks", reason));
        }
        Ok(Self(keys))
    }

    /// The public keys of a JWK Set in a file, read once.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read, and as [`from_jwks`](Self::from_jwks).
    pub fn from_jwks_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::from_jwks(&read("jwks_file", path.as_ref())?)
    }

    /// One public key in PEM: SPKI or PKCS#1.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no such key, or not one for `algorithm`.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let key = VerifyingKey::from_pem(algorithm, pem).map_err(|error| refused("pem", error))?;
        Ok(Self::from_keys([key]))
    }

    /// One public key in a PEM file, read once.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read, and as [`from_pem`](Self::from_pem).
    pub fn from_pem_file(algorithm: Algorithm, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::from_pem(algorithm, read("pem_file", path.as_ref())?)
    }

    /// One shared secret, for HMAC.
    ///
    /// # Errors
    /// [`ConfigError`] when it is shorter than the hash, or `algorithm` is no HMAC.
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let key = VerifyingKey::from_secret(algorithm, secret).map_err(|error| refused("secret", error))?;
        Ok(Self::from_keys([key]))
    }

    /// Keys made elsewhere.
    #[must_use]
    pub fn from_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The set.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.0
    }
}

fn refused(setting: &'static str, error: KeyError) -> ConfigError {
    ConfigError::new(setting, error.to_string())
}

fn read(setting: &'static str, path: &Path) -> Result<String, ConfigError> {
    let problem = |error: std::io::Error| ConfigError::new(setting, format!("`{}`: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(problem)?.len();
    if length > MAX_FILE_BYTES {
        return Err(ConfigError::new(setting, format!("`{}`: larger than 1 MiB", path.display())));
    }
    std::fs::read_to_string(path).map_err(problem)
}

#[async_trait]
impl KeyProvider for StaticKeys {
    fn key_now(&self, wanted: &KeyRequest<'_>) -> Option<Result<VerifyingKey, KeyProviderError>> {
        self.0.key_now(wanted)
    }

    async fn key(&self, wanted: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        self.0.key(wanted).await
    }

    fn candidates(&self, wanted: &KeyRequest<'_>) -> Vec<VerifyingKey> {
        self.0.candidates(wanted)
    }

    fn trusts(&self, key: &KeyIdentity) -> bool {
        self.0.trusts(key)
    }

    fn algorithms(&self) -> Option<Vec<Algorithm>> {
        self.0.algorithms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::SigningKey;

    #[test]
    fn what_gives_no_key_names_its_setting() {
        let cases = [
            (StaticKeys::from_jwks("{}"), "jwks"),
            (StaticKeys::from_jwks(r#"{"keys":[]}"#), "jwks"),
            (StaticKeys::from_jwks(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#), "jwks"),
            (StaticKeys::from_jwks_file("/nonexistent/keys.json"), "jwks_file"),
            (StaticKeys::from_pem(Algorithm::RS256, "no PEM"), "pem"),
            (StaticKeys::from_pem_file(Algorithm::RS256, "/nonexistent/key.pem"), "pem_file"),
            (StaticKeys::from_secret(Algorithm::HS256, "short"), "secret"),
            (StaticKeys::from_secret(Algorithm::RS256, [7; 64]), "secret"),
        ];
        for (outcome, setting) in cases {
            assert_eq!(outcome.expect_err(setting).setting(), setting);
        }
    }

    #[test]
    fn a_file_gives_the_keys_that_its_text_gives() {
        let key = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("a").expect("a kid");
        let set: JwkSet = key.verifying_key().jwk().into_iter().collect();
        let path = std::env::temp_dir().join(format!("countersign-static-keys-{}.json", std::process::id()));
        std::fs::write(&path, serde_json::to_string(&set).expect("serialise")).expect("write");
        let keys = StaticKeys::from_jwks_file(&path);
        std::fs::remove_file(&path).expect("remove");
        assert!(keys.expect("keys").trusts(&key.verifying_key().identity()));
    }
}
