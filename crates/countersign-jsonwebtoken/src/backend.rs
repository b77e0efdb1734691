use crate::convert::signature_of;
use countersign::Algorithm;
use countersign::crypto::{
    Backend, Curve, Hash, PrivateMaterial, PublicMaterial, SignatureMismatch, SignatureVerifier, Signer, SigningFailed,
    SigningParts, check_ed25519_r,
};
use countersign::keys::KeyError;
use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::edwards::CompressedEdwardsY;
use jsonwebtoken as theirs;
use jsonwebtoken::crypto::CryptoProvider;
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Signatures by a crypto provider of jsonwebtoken: HS, RS and PS 256/384/512, ES256, ES384 and Ed25519.
///
/// It is chosen by value, like every backend, and takes no part in what is installed for jsonwebtoken itself. It gives the
/// verdicts of [`Ring`](countersign::crypto): what a provider lets pass and countersign does not, it checks itself. Digests
/// are those of `sha2`, and random octets the operating system's.
///
/// - A key is prepared at each use, because what providers prepare may not be shared between threads. For speed take ring or
///   aws-lc.
/// - It generates no keys: `openssl genpkey` does.
/// - A provider that panics has not verified and cannot sign.
/// - In a build without ring and aws-lc, what takes no backend by value stays without: fleet keys, anti-CSRF tokens, the token
///   cache, `at_hash`, and the random `jti` of [`Claims`](countersign::issue::Claims), to which `token_id` gives one.
///
/// ```
/// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
/// use countersign_jsonwebtoken::ProviderBackend;
///
/// # #[cfg(feature = "rust_crypto")] {
/// let key = VerifyingKey::from_secret_with(&ProviderBackend::RUST_CRYPTO, Algorithm::HS256, &[7; 32])?;
/// let verifier =
///     JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("my-service").audience("my-api").build()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct ProviderBackend {
    provider: &'static CryptoProvider,
    most_rsa_bits: usize,
    signs_by_rsa: bool,
}

const NO_SUCH: KeyError = KeyError::Unsupported("jsonwebtoken has no such algorithm");
const NOT_TAKEN: KeyError = KeyError::Invalid("the crypto provider does not take the key");
const INCONSISTENT: KeyError =
    KeyError::Invalid("the private key is inconsistent, or the crypto provider cannot sign with it");

impl ProviderBackend {
    /// aws-lc, as jsonwebtoken uses it.
    #[cfg(feature = "aws_lc_rs")]
    pub const AWS_LC_RS: Self = Self::unbounded(&theirs::crypto::aws_lc::DEFAULT_PROVIDER);

    /// RustCrypto, as jsonwebtoken uses it: neither C nor assembler.
    ///
    /// RSA moduli have at most 4096 bits. RSA private keys are refused: what signing takes depends on the key, in time that
    /// can be measured over a network ([RUSTSEC-2023-0071]). Verification uses no secret and is not concerned.
    /// [`danger_sign_by_rsa`](Self::danger_sign_by_rsa) signs all the same.
    ///
    /// [RUSTSEC-2023-0071]: https://rustsec.org/advisories/RUSTSEC-2023-0071.html
    #[cfg(feature = "rust_crypto")]
    pub const RUST_CRYPTO: Self =
        Self { provider: &theirs::crypto::rust_crypto::DEFAULT_PROVIDER, most_rsa_bits: 4096, signs_by_rsa: false };

    /// Any provider. That of RustCrypto is known again, and gives [`RUST_CRYPTO`](Self::RUST_CRYPTO) with its bounds.
    #[must_use]
    pub fn new(provider: &'static CryptoProvider) -> Self {
        #[cfg(feature = "rust_crypto")]
        if std::ptr::fn_addr_eq(provider.signer_factory, Self::RUST_CRYPTO.provider.signer_factory)
            || std::ptr::fn_addr_eq(provider.verifier_factory, Self::RUST_CRYPTO.provider.verifier_factory)
        {
            return Self { provider, ..Self::RUST_CRYPTO };
        }
        Self::unbounded(provider)
    }

    const fn unbounded(provider: &'static CryptoProvider) -> Self {
        Self { provider, most_rsa_bits: 8192, signs_by_rsa: true }
    }

    /// Signs with RSA keys by RustCrypto, too. Only where nobody can measure how long it takes.
    #[must_use]
    pub fn danger_sign_by_rsa(mut self) -> Self {
        self.signs_by_rsa = true;
        self
    }

    fn verifying(&self, algorithm: theirs::Algorithm, key: DecodingKey, signature_len: usize) -> Verifying {
        Verifying { provider: self.provider, algorithm, key, signature_len }
    }

    /// A signer that has shown that it fits the public key.
    fn tried(&self, algorithm: Algorithm, key: EncodingKey, public: PublicMaterial) -> Result<SigningParts, KeyError> {
        let verifier = self.verifier(algorithm, &public)?;
        let signer = Signing { provider: self.provider, algorithm: theirs_of(algorithm)?, key };
        // Of some damage a provider tells only in a signature: better now than at the first token.
        let signature = signer.sign(b"").map_err(|SigningFailed| INCONSISTENT)?;
        verifier.verify(b"", &signature).map_err(|SignatureMismatch| INCONSISTENT)?;
        Ok(SigningParts::new(Arc::new(signer), Some(public)))
    }
}

impl fmt::Debug for ProviderBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderBackend")
            .field("most_rsa_bits", &self.most_rsa_bits)
            .field("signs_by_rsa", &self.signs_by_rsa)
            .finish_non_exhaustive()
    }
}

impl Backend for ProviderBackend {
    fn verifier(
        &self,
        algorithm: Algorithm,
        material: &PublicMaterial,
    ) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        check_kind(algorithm, algorithms_of(material))?;
        let theirs = theirs_of(algorithm)?;
        let verifying = match material.clone().checked()? {
            PublicMaterial::Rsa { modulus, exponent } => {
                if modulus.len() * 8 > self.most_rsa_bits {
                    return Err(KeyError::Unsupported("RustCrypto takes RSA moduli of up to 4096 bits"));
                }
                self.verifying(theirs, DecodingKey::from_rsa_raw_components(&modulus, &exponent), modulus.len())
            }
            PublicMaterial::Ec { curve, point } => {
                if !is_on_curve(curve, &point) {
                    return Err(KeyError::Invalid("the point is not on its curve"));
                }
                self.verifying(theirs, DecodingKey::from_ec_der(&point), point.len() - 1)
            }
            PublicMaterial::Ed25519(key) => {
                let verifying = self.verifying(theirs, DecodingKey::from_ed_der(&key), 64);
                // Octets that stand for no point are let pass, as by other backends, and verify nothing.
                if CompressedEdwardsY(key).decompress().is_none() {
                    return Ok(Arc::new(verifying));
                }
                verifying
            }
            _ => return Err(NO_SUCH),
        };
        if verifying.prepare().is_none() { Err(NOT_TAKEN) } else { Ok(Arc::new(verifying)) }
    }

    fn secret_verifier(&self, algorithm: Algorithm, secret: &[u8]) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        let len = tag_len(algorithm)?;
        let verifying = self.verifying(theirs_of(algorithm)?, DecodingKey::from_secret(secret), len);
        if verifying.prepare().is_none() { Err(NOT_TAKEN) } else { Ok(Arc::new(verifying)) }
    }

    fn signer(&self, algorithm: Algorithm, material: &PrivateMaterial) -> Result<SigningParts, KeyError> {
        match material {
            PrivateMaterial::Secret(secret) => {
                tag_len(algorithm)?;
                let key = EncodingKey::from_secret(secret.expose());
                let signer = Signing { provider: self.provider, algorithm: theirs_of(algorithm)?, key };
                signer.sign(b"").map_err(|SigningFailed| NOT_TAKEN)?;
                Ok(SigningParts::new(Arc::new(signer), None))
            }
            PrivateMaterial::Rsa(rsa) => {
                let public = PublicMaterial::Rsa { modulus: rsa.n.clone(), exponent: rsa.e.clone() };
                check_kind(algorithm, algorithms_of(&public))?;
                if !self.signs_by_rsa {
                    return Err(KeyError::Unsupported(
                        "RustCrypto's RSA leaks the key by its timing (RUSTSEC-2023-0071)",
                    ));
                }
                let key = EncodingKey::from_rsa_der(&material.to_pkcs1_der()?);
                self.tried(algorithm, key, public.checked()?)
            }
            PrivateMaterial::Ec { curve, scalar, point } => {
                let public = PublicMaterial::Ec { curve: *curve, point: point.clone() };
                check_kind(algorithm, algorithms_of(&public))?;
                theirs_of(algorithm)?;
                if !is_on_curve(*curve, point) || point.len() != 1 + 2 * scalar.len() {
                    return Err(KeyError::Invalid("the EC private key does not fit its public key"));
                }
                self.tried(algorithm, EncodingKey::from_ec_der(&material.to_pkcs8_der()?), public)
            }
            PrivateMaterial::Ed25519 { seed, public } => {
                if !algorithm.is_same_as(Algorithm::Ed25519) {
                    return Err(KeyError::WrongAlgorithm);
                }
                let derived = ed25519_public(seed)?;
                if public.as_ref().is_some_and(|public| *public != derived) {
                    return Err(KeyError::Invalid("the Ed25519 private key does not fit its public key"));
                }
                let key = EncodingKey::from_ed_der(&material.to_pkcs8_der()?);
                self.tried(algorithm, key, PublicMaterial::Ed25519(derived))
            }
            PrivateMaterial::Akp { algorithm: own, .. } if *own == algorithm => Err(NO_SUCH),
            _ => Err(KeyError::WrongAlgorithm),
        }
    }

    fn generate(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let _ = algorithm;
        Err(KeyError::Unsupported("crypto providers of jsonwebtoken generate no keys"))
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Vec<u8> {
        match hash {
            Hash::Sha384 => digest_of::<Sha384>(parts).to_vec(),
            Hash::Sha512 => digest_of::<Sha512>(parts).to_vec(),
            _ => digest_of::<Sha256>(parts).to_vec(),
        }
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        digest_of::<Sha256>(parts).into()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), SigningFailed> {
        getrandom::getrandom(bytes).map_err(|_| SigningFailed)
    }
}

fn digest_of<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

fn theirs_of(algorithm: Algorithm) -> Result<theirs::Algorithm, KeyError> {
    signature_of(algorithm).map_err(|_| NO_SUCH)
}

const RSA: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// What keys of this kind can serve.
fn algorithms_of(material: &PublicMaterial) -> &'static [Algorithm] {
    match material {
        PublicMaterial::Rsa { .. } => &RSA,
        PublicMaterial::Ec { curve: Curve::P256, .. } => &[Algorithm::ES256],
        PublicMaterial::Ec { curve: Curve::P384, .. } => &[Algorithm::ES384],
        PublicMaterial::Ec { curve: Curve::P521, .. } => &[Algorithm::ES512],
        PublicMaterial::Ec { curve: Curve::Secp256k1, .. } => &[Algorithm::ES256K],
        PublicMaterial::Ed25519(_) => &[Algorithm::Ed25519, Algorithm::EdDSA],
        PublicMaterial::Akp { algorithm: Algorithm::MlDsa44, .. } => &[Algorithm::MlDsa44],
        PublicMaterial::Akp { algorithm: Algorithm::MlDsa65, .. } => &[Algorithm::MlDsa65],
        PublicMaterial::Akp { algorithm: Algorithm::MlDsa87, .. } => &[Algorithm::MlDsa87],
        _ => &[],
    }
}

fn check_kind(algorithm: Algorithm, own: &[Algorithm]) -> Result<(), KeyError> {
    if own.contains(&algorithm) { Ok(()) } else { Err(KeyError::WrongAlgorithm) }
}

/// Octets of a tag of HMAC.
fn tag_len(algorithm: Algorithm) -> Result<usize, KeyError> {
    match algorithm {
        Algorithm::HS256 => Ok(32),
        Algorithm::HS384 => Ok(48),
        Algorithm::HS512 => Ok(64),
        _ => Err(KeyError::WrongAlgorithm),
    }
}

/// Whether this is a point of the curve in its one form that JWS has: providers take compressed ones, too, or find out only
/// when they verify.
fn is_on_curve(curve: Curve, point: &[u8]) -> bool {
    if point.first() != Some(&4) {
        return false;
    }
    match curve {
        Curve::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
        _ => false,
    }
}

/// The public key of a seed (RFC 8032 §5.1.5).
fn ed25519_public(seed: &[u8]) -> Result<[u8; 32], KeyError> {
    let bad = KeyError::Malformed("an Ed25519 seed has 32 octets");
    let seed = <&[u8; 32]>::try_from(seed).map_err(|_| bad)?;
    let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed)));
    let scalar = Zeroizing::new(hash.first_chunk::<32>().copied().ok_or(bad)?);
    Ok(EdwardsPoint::mul_base_clamped(*scalar).compress().to_bytes())
}

/// What `work` gives; nothing where a provider panics.
fn unless_it_panics<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok().flatten()
}

struct Verifying {
    provider: &'static CryptoProvider,
    algorithm: theirs::Algorithm,
    key: DecodingKey,
    signature_len: usize,
}

impl Verifying {
    fn prepare(&self) -> Option<Box<dyn theirs::crypto::JwtVerifier>> {
        unless_it_panics(|| {
            let verifier = (self.provider.verifier_factory)(&self.algorithm, &self.key).ok()?;
            (verifier.algorithm() == self.algorithm).then_some(verifier)
        })
    }
}

impl SignatureVerifier for Verifying {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        if signature.len() != self.signature_len {
            return Err(SignatureMismatch);
        }
        if self.algorithm == theirs::Algorithm::EdDSA {
            check_ed25519_r(signature)?;
        }
        let verifier = self.prepare().ok_or(SignatureMismatch)?;
        unless_it_panics(|| verifier.verify(message, &signature.to_vec()).ok()).ok_or(SignatureMismatch)
    }
}

struct Signing {
    provider: &'static CryptoProvider,
    algorithm: theirs::Algorithm,
    key: EncodingKey,
}

impl Signer for Signing {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        unless_it_panics(|| {
            let signer = (self.provider.signer_factory)(&self.algorithm, &self.key).ok()?;
            if signer.algorithm() != self.algorithm {
                return None;
            }
            signer.try_sign(message).ok()
        })
        .ok_or(SigningFailed)
    }
}

// Neither says anything of the key.
impl fmt::Debug for Verifying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifying({:?})", self.algorithm)
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signing({:?})", self.algorithm)
    }
}

#[cfg(test)]
#[cfg(any(feature = "aws_lc_rs", feature = "rust_crypto"))]
mod tests;
