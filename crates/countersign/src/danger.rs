//! Every way to weaken a check, by name.

/// A check that a [`JwtVerifier`](crate::JwtVerifier) is told to leave out.
///
/// ```
/// use countersign::danger::Danger;
/// use countersign::{Algorithm, JwtVerifier, VerifyingKey};
///
/// let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let verifier = JwtVerifier::builder(key)
///     .algorithms([Algorithm::HS256])
///     .issuer("https://gateway.example/")
///     .danger(Danger::AnyAudience) // the gateway writes no `aud`
///     .build();
/// assert!(verifier.is_ok());
/// # Ok::<(), countersign::keys::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Danger {
    /// Takes tokens from every issuer whose keys the provider gives, and those that name none.
    AnyIssuer,
    /// Takes tokens that were issued for other services (RFC 8725 §3.9).
    AnyAudience,
    /// Takes tokens that never expire. Those that have an `exp` still do.
    NoExpiration,
}
