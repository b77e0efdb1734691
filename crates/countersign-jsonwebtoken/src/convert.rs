//! What converts without a loss, or says what would be lost.

use crate::error::ConversionError;
use countersign::Algorithm;
use countersign::jwk::{Jwk, JwkSet};
use jsonwebtoken as theirs;
use jsonwebtoken::jwk::{AlgorithmParameters, CommonParameters};

mod sealed {
    pub trait Sealed {}
    impl Sealed for countersign::Algorithm {}
    impl Sealed for countersign::SigningKey {}
    impl Sealed for countersign::VerifyingKey {}
    impl Sealed for countersign::jwk::Jwk {}
    impl Sealed for countersign::jwk::JwkSet {}
    impl Sealed for countersign::jws::Header {}
    impl Sealed for jsonwebtoken::Algorithm {}
    impl Sealed for jsonwebtoken::jwk::Jwk {}
    impl Sealed for jsonwebtoken::jwk::JwkSet {}
}

/// What has a counterpart in countersign.
///
/// ```
/// use countersign_jsonwebtoken::ToCountersign;
///
/// let theirs: jsonwebtoken::jwk::JwkSet = serde_json::from_str(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let ours = theirs.to_countersign()?;
/// assert_eq!(ours.keys()[0].key_id(), Some("a"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ToCountersign: sealed::Sealed {
    /// The counterpart.
    type Counterpart;

    /// The same, as countersign has it.
    ///
    /// # Errors
    /// [`ConversionError`] for what would be lost and for what countersign refuses.
    fn to_countersign(&self) -> Result<Self::Counterpart, ConversionError>;
}

/// What has a counterpart in jsonwebtoken.
///
/// ```
/// use countersign::Algorithm;
/// use countersign_jsonwebtoken::ToJsonwebtoken;
///
/// assert_eq!(Algorithm::ES256.to_jsonwebtoken()?, jsonwebtoken::Algorithm::ES256);
/// assert!(Algorithm::ES512.to_jsonwebtoken().is_err(), "there is none in jsonwebtoken");
/// # Ok::<(), countersign_jsonwebtoken::ConversionError>(())
/// ```
pub trait ToJsonwebtoken: sealed::Sealed {
    /// The counterpart.
    type Counterpart;

    /// The same, as jsonwebtoken has it.
    ///
    /// # Errors
    /// [`ConversionError`] for what would be lost and for what jsonwebtoken does not have.
    fn to_jsonwebtoken(&self) -> Result<Self::Counterpart, ConversionError>;
}

impl ToCountersign for theirs::Algorithm {
    type Counterpart = Algorithm;

    fn to_countersign(&self) -> Result<Algorithm, ConversionError> {
        Ok(match self {
            Self::HS256 => Algorithm::HS256,
            Self::HS384 => Algorithm::HS384,
            Self::HS512 => Algorithm::HS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::EdDSA => Algorithm::EdDSA,
            _ => return Err(ConversionError::NoCounterpart("an algorithm that jsonwebtoken has gained")),
        })
    }
}

impl ToJsonwebtoken for Algorithm {
    type Counterpart = theirs::Algorithm;

    fn to_jsonwebtoken(&self) -> Result<theirs::Algorithm, ConversionError> {
        match self {
            Self::Ed25519 => Err(ConversionError::NoCounterpart("Ed25519 has its older name alone, EdDSA")),
            other => signature_of(*other),
        }
    }
}

/// The algorithm that makes the same signatures, whatever its name in a header.
pub(crate) fn signature_of(algorithm: Algorithm) -> Result<theirs::Algorithm, ConversionError> {
    Ok(match algorithm {
        Algorithm::HS256 => theirs::Algorithm::HS256,
        Algorithm::HS384 => theirs::Algorithm::HS384,
        Algorithm::HS512 => theirs::Algorithm::HS512,
        Algorithm::ES256 => theirs::Algorithm::ES256,
        Algorithm::ES384 => theirs::Algorithm::ES384,
        Algorithm::RS256 => theirs::Algorithm::RS256,
        Algorithm::RS384 => theirs::Algorithm::RS384,
        Algorithm::RS512 => theirs::Algorithm::RS512,
        Algorithm::PS256 => theirs::Algorithm::PS256,
        Algorithm::PS384 => theirs::Algorithm::PS384,
        Algorithm::PS512 => theirs::Algorithm::PS512,
        Algorithm::Ed25519 | Algorithm::EdDSA => theirs::Algorithm::EdDSA,
        _ => return Err(ConversionError::NoCounterpart("the algorithm")),
    })
}

const CERTIFICATES: ConversionError =
    ConversionError::Loss("the certificate of the key (`x5u`, `x5c`, `x5t`, `x5t#S256`)");
const UNWRITABLE: ConversionError = ConversionError::NoCounterpart("it cannot be written as JSON");

/// A public key, as it verifies signatures. `use` and `key_ops` must allow that; what comes back says it by `use`.
impl ToCountersign for theirs::jwk::Jwk {
    type Counterpart = Jwk;

    fn to_countersign(&self) -> Result<Jwk, ConversionError> {
        if has_certificate(&self.common) { Err(CERTIFICATES) } else { jwk_without_certificates(self) }
    }
}

/// A public key, without the certificates that come with it: a [`Jwk`] holds none, and nothing here trusts them.
///
/// # Errors
/// [`ConversionError::Key`] for what [`Jwk::parse`] refuses, secrets among it.
///
/// ```
/// use countersign_jsonwebtoken::{ToCountersign, jwk_without_certificates};
///
/// let theirs: jsonwebtoken::jwk::Jwk = serde_json::from_str(r#"{"kty":"OKP","crv":"Ed25519","kid":"a",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5t":"NIIsaFZtXwBvxOtDTvVBpTFMRlc"}"#)?;
/// assert!(theirs.to_countersign().is_err(), "it would lose the thumbprint of the certificate");
/// assert_eq!(jwk_without_certificates(&theirs)?.key_id(), Some("a"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn jwk_without_certificates(jwk: &theirs::jwk::Jwk) -> Result<Jwk, ConversionError> {
    let json = serde_json::to_string(jwk).map_err(|_| UNWRITABLE)?;
    Ok(Jwk::parse(&json)?)
}

fn has_certificate(common: &CommonParameters) -> bool {
    common.x509_url.is_some()
        || common.x509_chain.is_some()
        || common.x509_sha1_fingerprint.is_some()
        || common.x509_sha256_fingerprint.is_some()
}

impl ToJsonwebtoken for Jwk {
    type Counterpart = theirs::jwk::Jwk;

    fn to_jsonwebtoken(&self) -> Result<theirs::jwk::Jwk, ConversionError> {
        if let Some(algorithm) = self.algorithm() {
            algorithm.to_jsonwebtoken()?;
        }
        let json = serde_json::to_value(self).map_err(|_| UNWRITABLE)?;
        let jwk: theirs::jwk::Jwk =
            serde_json::from_value(json.clone()).map_err(|_| ConversionError::NoCounterpart("the key"))?;
        // What it does not know it keeps as text, which verifies nothing.
        if matches!(jwk.algorithm, AlgorithmParameters::Other(_)) {
            return Err(ConversionError::NoCounterpart("keys of this kind or on this curve"));
        }
        if serde_json::to_value(&jwk).map_err(|_| UNWRITABLE)? == json {
            Ok(jwk)
        } else {
            Err(ConversionError::Loss("a member"))
        }
    }
}

/// As documents are read: a key that cannot be used is set aside with its reason, and the rest live.
impl ToCountersign for theirs::jwk::JwkSet {
    type Counterpart = JwkSet;

    fn to_countersign(&self) -> Result<JwkSet, ConversionError> {
        if self.keys.iter().any(|key| has_certificate(&key.common)) {
            return Err(CERTIFICATES);
        }
        jwk_set_without_certificates(self)
    }
}

/// A set of keys, without the certificates that come with them: see [`jwk_without_certificates`].
///
/// # Errors
/// [`ConversionError::Key`] for what [`JwkSet::parse`] refuses as a whole.
///
/// ```
/// use countersign_jsonwebtoken::{ToCountersign, jwk_set_without_certificates};
///
/// let theirs: jsonwebtoken::jwk::JwkSet = serde_json::from_str(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5t":"NIIsaFZtXwBvxOtDTvVBpTFMRlc"}]}"#)?;
/// assert!(theirs.to_countersign().is_err());
/// assert_eq!(jwk_set_without_certificates(&theirs)?.keys().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn jwk_set_without_certificates(set: &theirs::jwk::JwkSet) -> Result<JwkSet, ConversionError> {
    let json = serde_json::to_string(set).map_err(|_| UNWRITABLE)?;
    Ok(JwkSet::parse(&json)?)
}

impl ToJsonwebtoken for JwkSet {
    type Counterpart = theirs::jwk::JwkSet;

    fn to_jsonwebtoken(&self) -> Result<theirs::jwk::JwkSet, ConversionError> {
        if !self.quarantined().is_empty() {
            return Err(ConversionError::Loss("the keys set aside, and why"));
        }
        let keys = self.keys().iter().map(ToJsonwebtoken::to_jsonwebtoken).collect::<Result<_, _>>()?;
        Ok(theirs::jwk::JwkSet { keys })
    }
}

#[cfg(test)]
mod tests;
