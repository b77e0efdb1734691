//! The rules of [`RemoteSigner`].

use super::{CALLERS, PATIENCE, once};
use countersign::VerifyingKey;
use countersign::issue::{Claims, RemoteJwtSigner, RemoteSigner};
use countersign::jws::{Compact, MAX_BYTES};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Runs the rules of [`RemoteSigner`] against one whose public half is `key`.
///
/// - Algorithm and `kid` are those of the public half, and stay what they are.
/// - Each signature is one over its own message, empty or long, in JWS form: for ECDSA R and S, and not DER (RFC 7518 §3.4).
/// - Many sign at once; one that goes away takes nothing from another.
///
/// ```
/// use countersign::issue::{RemoteError, RemoteSigner};
/// use countersign::{Algorithm, SigningKey, async_trait};
/// use countersign_testkit::conformance;
///
/// /// Here a key in memory; in earnest, a service.
/// #[derive(Debug)]
/// struct KeyService(SigningKey);
///
/// #[async_trait]
/// impl RemoteSigner for KeyService {
///     fn algorithm(&self) -> Algorithm {
///         self.0.algorithm()
///     }
///     fn key_id(&self) -> Option<&str> {
///         self.0.key_id()
///     }
///     async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RemoteError> {
///         Ok(self.0.sign(message)?)
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let key = SigningKey::generate(Algorithm::ES256)?.with_key_id("2026-11")?;
/// let public = key.verifying_key().clone();
/// conformance::remote_signer(KeyService(key), &public).await;
/// # Ok::<(), countersign::keys::KeyError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// Where a rule does not hold.
pub async fn remote_signer(signer: impl RemoteSigner, key: &VerifyingKey) {
    let signer = Arc::new(signer);
    let is_named = |rule: &str| {
        assert!(signer.algorithm().is_same_as(key.algorithm()), "{rule}: the algorithm is the public key's");
        assert_eq!(signer.key_id(), key.key_id(), "{rule}: the key id is the public key's");
    };
    is_named("before it has signed");
    for message in [Vec::new(), b"a".to_vec(), vec![0; 1 << 16], (0..=255).collect()] {
        let signature = sign(&*signer, &message).await;
        assert!(key.verify(&message, &signature).is_ok(), "a signature is one over its message, in JWS form");
        let mut other = message.clone();
        other.push(0);
        assert!(key.verify(&other, &signature).is_err(), "a signature is one over its whole message");
    }

    let mut callers = JoinSet::new();
    for nth in 0..CALLERS {
        let (signer, key) = (Arc::clone(&signer), key.clone());
        callers.spawn(async move {
            let message = format!("message {nth}").into_bytes();
            key.verify(&message, &sign(&*signer, &message).await).is_ok()
        });
    }
    let right = callers.join_all().await.into_iter().filter(|is_right| *is_right).count();
    assert_eq!(right, CALLERS, "each of {CALLERS} callers at once gets the signature over its own message");

    let mut left = signer.sign(b"left");
    let _ = once(&mut left).await;
    drop(left);
    assert!(key.verify(b"stays", &sign(&*signer, b"stays").await).is_ok(), "a caller that goes away leaves no trace");

    let token =
        RemoteJwtSigner::new(Arc::clone(&signer)).issue(&Claims::new("me").lifetime(Duration::from_secs(60))).await;
    let token = token.expect("a token");
    let compact = Compact::parse(&token, MAX_BYTES).expect("a token that can be read");
    assert_eq!(compact.header().key_id(), key.key_id(), "a token names the key");
    assert!(compact.verify(key).is_ok(), "a token verifies with the public key");
    is_named("after it has signed");
}

async fn sign(signer: &dyn RemoteSigner, message: &[u8]) -> Vec<u8> {
    let signature = timeout(PATIENCE, signer.sign(message)).await.expect("a signature within a minute");
    signature.expect("a signature")
}
