//! The guard of a protected resource that describes itself (RFC 9728).

use super::{Guard, GuardBuilder};
use crate::config::ConfigError;
use crate::extract::TokenExtractor;
use crate::resource_metadata::{ResourceMetadata, check_https};
use std::sync::Arc;

impl GuardBuilder {
    /// What this service tells about itself (RFC 9728): challenges point to its address, and how tokens may be sent is what
    /// the extractors take, unless the metadata say it.
    ///
    /// ```
    /// use countersign::resource_metadata::ResourceMetadata;
    /// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
    ///
    /// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// # let verifier =
    /// #     JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("https://issuer.example/").audience("api").build()?;
    /// let metadata = ResourceMetadata::builder("https://api.example").authorization_server("https://issuer.example/").build()?;
    /// let guard = Guard::builder(verifier).protected_resource(metadata).build()?;
    ///
    /// let to_serve = guard.protected_resource().expect("metadata");
    /// assert_eq!(to_serve.path(), "/.well-known/oauth-protected-resource");
    /// assert_eq!(
    ///     to_serve.document(),
    ///     r#"{"resource":"https://api.example","authorization_servers":["https://issuer.example/"],"bearer_methods_supported":["header"]}"#,
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn protected_resource(mut self, metadata: ResourceMetadata) -> Self {
        self.protected_resource = Some(metadata);
        self
    }

    /// The address for challenges, and what is to be served there where that is for this service to do.
    pub(super) fn described(
        url: Option<String>,
        metadata: Option<ResourceMetadata>,
        extractors: &[Box<dyn TokenExtractor>],
    ) -> Result<(Option<String>, Option<ResourceMetadata>), ConfigError> {
        match (url, metadata) {
            (Some(_), Some(_)) => Err(ConfigError::new(
                "resource_metadata",
                "is set, and so is `protected_resource`, which has an address",
            )),
            (Some(url), None) => {
                check_https("resource_metadata", &url)?;
                Ok((Some(url), None))
            }
            (None, Some(metadata)) => {
                let methods = extractors.iter().filter_map(TokenExtractor::bearer_method);
                Ok((Some(metadata.url().to_owned()), Some(metadata.or_bearer_methods(methods))))
            }
            (None, None) => Ok((None, None)),
        }
    }
}

impl Guard {
    /// What this service tells about itself, where the guard was [told](GuardBuilder::protected_resource): for adapters to
    /// serve.
    #[must_use]
    pub fn protected_resource(&self) -> Option<Arc<ResourceMetadata>> {
        self.parts().protected_resource.clone()
    }
}
