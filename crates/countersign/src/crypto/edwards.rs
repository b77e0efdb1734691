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
pub fn check_ed25519_r(signature: &[u8]) -> Result<(), SignatureMismatch> {
    if SMALL_ORDER.iter().any(|point| signature.starts_with(point)) { Err(SignatureMismatch) } else { Ok(()) }
}
