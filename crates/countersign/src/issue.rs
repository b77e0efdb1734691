//! Issuing: claims in, signed JWT out.

use crate::claims::{ClaimsError, RegisteredClaims};
use crate::crypto::SigningFailed;
use crate::jws::{self, Header};
use crate::key::SigningKey;
use serde::Serialize;

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The claims are no JSON object, or a registered claim among them has the wrong type.
    #[error("the claims cannot be signed")]
    Claims(#[source] ClaimsError),
    /// The backend refused.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

/// Signs JWTs with one key.
///
/// ```
/// use countersign::issue::JwtSigner;
/// use countersign::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11");
/// let signer = JwtSigner::new(key).token_type("at+jwt");
/// let token = signer.sign(&serde_json::json!({"iss": "https://issuer.example/", "sub": "7", "exp": 4_000_000_000_u32}))?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JwtSigner {
    key: SigningKey,
    header: Header,
}

impl JwtSigner {
    /// Signs with `key`, and writes its `kid` where it has one. `typ` is `JWT`.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        let header = Header::new(&key).with_type("JWT");
        Self { key, header }
    }

    /// Another `typ`: `at+jwt` for access tokens (RFC 9068 §2.1).
    #[must_use]
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        self.header = self.header.with_type(token_type);
        self
    }

    /// A signed token with these claims, as they are.
    ///
    /// # Errors
    /// [`IssueError::Claims`] for what no verifier could read back; [`IssueError::Signing`] when the backend refuses.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, IssueError> {
        let payload = serde_json::to_vec(claims).map_err(|error| IssueError::Claims(ClaimsError::new(error)))?;
        RegisteredClaims::parse(&payload)
            .map_err(|error| IssueError::Claims(ClaimsError::new(serde::de::Error::custom(error))))?;
        Ok(jws::sign(&self.key, &self.header, &payload)?)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;
    use serde_json::json;

    #[test]
    fn what_nobody_could_read_back_is_not_signed() {
        let signer = JwtSigner::new(SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret"));
        for claims in [json!(7), json!([]), json!({"exp": "soon"}), json!({"aud": 7}), json!(null)] {
            assert!(matches!(signer.sign(&claims), Err(IssueError::Claims(_))), "{claims}");
        }
        assert!(signer.sign(&json!({})).is_ok());
    }
}
