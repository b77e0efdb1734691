//! What no library checks of an Ed25519 signature.

use super::SignatureMismatch;
use curve25519_dalek::constants::EIGHT_TORSION;
use std::sync::LazyLock;

/// The eight points whose order divides 8.
static SMALL_ORDER: LazyLock<[[u8; 32]; 8]> =
    LazyLock::new(|| EIGHT_TORSION.each_ref().map(|point| point.compress().to_bytes()));

/// Refuses an R of small order, which only somebody who means to confuse verifiers makes (RFC 8032 §8.4 leaves that open).
///
/// For backends: an S beyond the group's order and an R in a second spelling are refused by the libraries.
///
/// # Errors
/// [`SignatureMismatch`] for such an R.
///
/// ```
/// use countersign::crypto::{SignatureMismatch, check_ed25519_r};
/// use countersign::{Algorithm, SigningKey};
///
/// let signature = SigningKey::generate(Algorithm::Ed25519)?.sign(b"message")?;
/// assert_eq!(check_ed25519_r(&signature), Ok(()));
///
/// let neutral = [&[1][..], &[0; 31], &signature[32..]].concat(); // R is the neutral element
/// assert_eq!(check_ed25519_r(&neutral), Err(SignatureMismatch));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_ed25519_r(signature: &[u8]) -> Result<(), SignatureMismatch> {
    if SMALL_ORDER.iter().any(|point| signature.starts_with(point)) { Err(SignatureMismatch) } else { Ok(()) }
}
