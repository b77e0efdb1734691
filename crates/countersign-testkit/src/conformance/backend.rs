//! The rules of [`Backend`].

use crate::issuer::RSA;
use countersign::crypto::{Backend, Hash, PrivateMaterial, PublicMaterial, SignatureVerifier, default_backend};
use countersign::keys::KeyError;
use countersign::secret::Secret;
use countersign::{Algorithm, SigningKey};
use std::sync::Arc;

/// What is signed: nothing, little and much.
const MESSAGES: [&[u8]; 3] = [b"", b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI3In0", &[7; 10_000]];

/// Runs the rules of [`Backend`] against one, for the algorithms that it has.
///
/// - What it signs it verifies, and so does the backend that is compiled in, where that has the algorithm; and the other way
///   round.
/// - Of a signature nothing may be changed, cut off or added; of the message neither, and of the key.
/// - Material that is not the algorithm's is refused with a [`KeyError`].
/// - Keys, where it generates any, differ; so do random octets.
/// - Digests are those of the hash function, however the text is cut into parts.
///
/// ```
/// use countersign::Algorithm;
/// use countersign::crypto::Ring;
/// use countersign_testkit::conformance;
///
/// conformance::backend(&Ring, &[Algorithm::HS256, Algorithm::ES256, Algorithm::Ed25519, Algorithm::RS256]);
/// ```
///
/// # Panics
/// Where a rule does not hold.
pub fn backend(backend: &dyn Backend, algorithms: &[Algorithm]) {
    for &algorithm in algorithms {
        if algorithm.is_symmetric() { secrets(backend, algorithm) } else { keys(backend, algorithm) }
    }
    digests(backend);
    let fill = |mut octets: [u8; 32]| {
        assert!(backend.random(&mut octets).is_ok(), "random octets can be had");
        octets
    };
    assert_ne!(fill([0; 32]), fill([0; 32]), "random octets differ");
    assert!(backend.random(&mut []).is_ok(), "no random octets at all can be had");
}

fn secrets(backend: &dyn Backend, algorithm: Algorithm) {
    let material = |octet| PrivateMaterial::Secret(Secret::new(vec![octet; 64]));
    let reference = default_backend().expect("the testkit has a backend");
    let parts = backend.signer(algorithm, &material(7));
    let parts = parts.unwrap_or_else(|error| panic!("a secret signs with {algorithm}: {error}"));
    assert!(parts.public.is_none(), "a secret has no public half: {algorithm}");
    let verifier = |backend: &dyn Backend, octet| {
        let verifier = backend.secret_verifier(algorithm, &[octet; 64]);
        verifier.unwrap_or_else(|error| panic!("a secret verifies {algorithm}: {error}"))
    };
    let (own, theirs) = (verifier(backend, 7), verifier(reference, 7));
    for message in MESSAGES {
        let signature = parts.signer.sign(message).expect("a signature");
        stands(&own, message, &signature, algorithm, "what it signs it verifies");
        stands(&theirs, message, &signature, algorithm, "what it signs, another backend verifies");
        let signed = reference.signer(algorithm, &material(7)).expect("a secret").signer.sign(message);
        stands(&own, message, &signed.expect("a signature"), algorithm, "what another backend signs it verifies");
        falls(&own, message, &signature, algorithm);
        let is_taken = verifier(backend, 8).verify(message, &signature).is_ok();
        assert!(!is_taken, "another secret does not verify it: {algorithm}");
    }
    refused(backend.secret_verifier(Algorithm::ES256, &[7; 64]).err(), "a secret is not for ES256");
    let foreign = public(&foreign_key(algorithm));
    refused(backend.verifier(algorithm, &foreign).err(), "a public key is no secret");
}

fn keys(backend: &dyn Backend, algorithm: Algorithm) {
    let reference = default_backend().expect("the testkit has a backend");
    let [key, other] = [0, 1].map(|nth| key(backend, reference, algorithm, nth));
    let material = public(&key);
    let own = backend.verifier(algorithm, &material);
    let own = own.unwrap_or_else(|error| panic!("a public key verifies {algorithm}: {error}"));
    let another = backend.verifier(algorithm, &public(&other)).expect("another key");
    let theirs = reference.verifier(algorithm, &material).ok();
    for message in MESSAGES {
        let signature = key.sign(message).expect("a signature");
        stands(&own, message, &signature, algorithm, "what it signs it verifies");
        if let Some(theirs) = &theirs {
            stands(theirs, message, &signature, algorithm, "what it signs, another backend verifies");
            let signed = key.with_backend(reference).ok().and_then(|key| key.sign(message).ok());
            if let Some(signed) = signed {
                stands(&own, message, &signed, algorithm, "what another backend signs it verifies");
            }
        }
        falls(&own, message, &signature, algorithm);
        assert!(another.verify(message, &signature).is_err(), "another key does not verify it: {algorithm}");
    }
    refused(backend.verifier(algorithm, &public(&foreign_key(algorithm))).err(), "a key is for its own algorithms");
    refused(backend.secret_verifier(algorithm, &[7; 64]).err(), "a public key is no secret");
    let secret = PrivateMaterial::Secret(Secret::new(vec![7; 64]));
    refused(backend.signer(algorithm, &secret).err(), "a secret signs with HMAC alone");
    match (backend.generate(algorithm), backend.generate(algorithm)) {
        (Ok(one), Ok(other)) => assert_ne!(*one, *other, "keys that are generated differ: {algorithm}"),
        (Err(one), Err(_)) => assert!(matches!(one, KeyError::Unsupported(_)), "what it does not generate: {one:?}"),
        _ => panic!("keys are generated each time, or never: {algorithm}"),
    }
}

/// A key of the backend's, of material of its own where it generates any.
fn key(backend: &dyn Backend, reference: &dyn Backend, algorithm: Algorithm, nth: usize) -> SigningKey {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    let key = match algorithm {
        RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => SigningKey::from_pem_with(backend, algorithm, RSA[nth]),
        _ => {
            let document = backend.generate(algorithm).or_else(|_| reference.generate(algorithm));
            document.and_then(|document| SigningKey::from_der_with(backend, algorithm, &document))
        }
    };
    key.unwrap_or_else(|error| panic!("a private key signs with {algorithm}: {error}"))
}

/// A key that is not for this algorithm.
fn foreign_key(algorithm: Algorithm) -> SigningKey {
    let other = if algorithm == Algorithm::ES256 { Algorithm::ES384 } else { Algorithm::ES256 };
    SigningKey::generate(other).expect("a key")
}

fn public(key: &SigningKey) -> PublicMaterial {
    key.verifying_key().jwk().expect("a public key").material().clone()
}

fn refused(error: Option<KeyError>, rule: &str) {
    assert!(error.is_some(), "{rule}");
}

fn stands(verifier: &Arc<dyn SignatureVerifier>, message: &[u8], signature: &[u8], algorithm: Algorithm, rule: &str) {
    assert!(verifier.verify(message, signature).is_ok(), "{rule}: {algorithm}, {} octets", message.len());
}

/// Whatever is not this signature over this message.
fn falls(verifier: &Arc<dyn SignatureVerifier>, message: &[u8], signature: &[u8], algorithm: Algorithm) {
    let is_taken = |message: &[u8], signature: &[u8]| verifier.verify(message, signature).is_ok();
    // Some are of several thousand octets.
    for at in (0..signature.len()).step_by(signature.len().div_ceil(64)) {
        let mut changed = signature.to_vec();
        changed[at] ^= 1 << (at % 8);
        assert!(!is_taken(message, &changed), "nothing of a signature may be changed: {algorithm}, octet {at}");
    }
    let (half, shorter) = (&signature[..signature.len() / 2], &signature[..signature.len() - 1]);
    let longer = [signature, &[0]].concat();
    let twice = signature.repeat(2);
    let zeros = vec![0; signature.len()];
    for wrong in [&b""[..], half, shorter, &signature[1..], &longer, &twice, &zeros, &vec![0xff; signature.len()]] {
        assert!(!is_taken(message, wrong), "nothing may be cut off, added or made up: {algorithm}, {}", wrong.len());
    }
    let more = [message, b"."].concat();
    assert!(!is_taken(&more, signature), "another message is not signed: {algorithm}");
    if !message.is_empty() {
        assert!(!is_taken(b"", signature), "no message is not signed: {algorithm}");
    }
}

fn digests(backend: &dyn Backend) {
    let reference = default_backend().expect("the testkit has a backend");
    let parts: [&[&[u8]]; 5] = [&[], &[b""], &[b"abc"], &[b"a", b"", b"bc"], &[&[7; 1000], &[8; 1000]]];
    for parts in parts {
        for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let expected = reference.digest(hash, &[&parts.concat()]);
            assert_eq!(backend.digest(hash, parts), expected, "a digest is that of the hash function: {hash:?}");
        }
        assert_eq!(backend.sha256(parts), reference.sha256(&[&parts.concat()]), "`sha256` is SHA-256");
    }
}
