//! Keys in PEM and DER: what is written is read, here and by `openssl`, and what `openssl` writes is read too.

use countersign::crypto::{AwsLc, Backend, Ring};
use countersign::keys::KeyError;
use countersign::{Algorithm, SigningKey, VerifyingKey};
use std::io::Write;
use std::process::{Command, Stdio};

const RSA: &str = include_str!("../../examples/src/quickstart/demo-rsa.pem");

/// A key for each asymmetric algorithm.
fn keys() -> Vec<SigningKey> {
    let asymmetric = Algorithm::ALL.iter().copied().filter(|algorithm| !algorithm.is_symmetric());
    let key = |algorithm: Algorithm| match algorithm.name().as_bytes() {
        [b'R' | b'P', ..] => SigningKey::from_pem(algorithm, RSA).expect("an RSA key"),
        _ => SigningKey::generate(algorithm).expect("generate"),
    };
    asymmetric.map(key).collect()
}

/// What `openssl` answers to `input`.
fn openssl(arguments: &str, input: impl AsRef<[u8]>) -> Vec<u8> {
    let mut openssl = Command::new("openssl");
    let openssl =
        openssl.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = openssl.spawn().expect("openssl is installed");
    child.stdin.take().expect("a pipe").write_all(input.as_ref()).expect("openssl reads");
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Whether both are written in the same form, and sign for each other.
fn assert_same(read: Result<SigningKey, KeyError>, key: &SigningKey) {
    let read = read.unwrap_or_else(|error| panic!("{}: {error}", key.algorithm()));
    assert_eq!(read.verifying_key().identity(), key.verifying_key().identity());
    assert!(read.to_pkcs8_der() == key.to_pkcs8_der(), "{}", key.algorithm());
    let signature = read.sign(b"m").expect("sign");
    assert!(key.verifying_key().verify(b"m", &signature).is_ok(), "{}", key.algorithm());
}

#[test]
fn a_private_key_comes_back_as_it_was_written() {
    let mut forms = 0;
    for key in keys() {
        let algorithm = key.algorithm();
        let pem = [key.to_pkcs8_pem(), key.to_pkcs1_pem(), key.to_sec1_pem()];
        let der = [key.to_pkcs8_der(), key.to_pkcs1_der(), key.to_sec1_der()];
        for (pem, der) in pem.into_iter().zip(der).filter_map(|(pem, der)| Some((pem.ok()?, der.ok()?))) {
            assert_same(SigningKey::from_pem(algorithm, pem.as_bytes()), &key);
            assert_same(SigningKey::from_der(algorithm, &der), &key);
            assert!(VerifyingKey::from_pem(algorithm, pem.as_bytes()).is_err(), "a private key is no public one");
            forms += 1;
        }
    }
    assert_eq!(forms, 6 * 2 + 4 * 2 + 2 + 3, "RSA and EC in two forms, Ed25519 and ML-DSA in one");
}

#[test]
fn a_public_key_comes_back_as_it_was_written() {
    let mut forms = 0;
    for key in keys() {
        let (algorithm, key) = (key.algorithm(), key.verifying_key());
        let mut read = vec![
            VerifyingKey::from_pem(algorithm, key.to_spki_pem().expect("SPKI")),
            VerifyingKey::from_der(algorithm, &key.to_spki_der().expect("SPKI")),
        ];
        if let (Ok(pem), Ok(der)) = (key.to_pkcs1_pem(), key.to_pkcs1_der()) {
            read.extend([VerifyingKey::from_pem(algorithm, pem), VerifyingKey::from_der(algorithm, &der)]);
        }
        forms += read.len();
        for read in read {
            assert_eq!(read.expect("our own").identity(), key.identity(), "{algorithm}");
        }
    }
    assert_eq!(forms, 2 * (6 * 2 + 4 + 2 + 3), "RSA in two forms, the others in one");
}

#[test]
fn openssl_writes_our_keys_as_we_do() {
    // ML-DSA is new in OpenSSL 3.5. aws-lc reads and writes it as we do: the tests of `countersign::crypto`.
    let is_known = |key: &SigningKey| !key.algorithm().name().starts_with("ML-DSA");
    for key in keys().into_iter().filter(is_known) {
        let public = key.verifying_key();
        let pem = key.to_pkcs8_pem().expect("PKCS#8");
        let mut cases = vec![
            ("pkey", pem.as_bytes().to_vec()),
            ("pkcs8 -topk8 -nocrypt -outform DER", key.to_pkcs8_der().expect("PKCS#8").to_vec()),
            ("pkey -pubout", public.to_spki_pem().expect("SPKI").into_bytes()),
            ("pkey -pubout -outform DER", public.to_spki_der().expect("SPKI")),
        ];
        if let Ok(pkcs1) = key.to_pkcs1_pem() {
            cases.push(("rsa -traditional", pkcs1.as_bytes().to_vec()));
            cases.push(("rsa -RSAPublicKey_out", public.to_pkcs1_pem().expect("PKCS#1").into_bytes()));
        }
        if let Ok(sec1) = key.to_sec1_pem() {
            cases.push(("ec", sec1.as_bytes().to_vec()));
        }
        for (arguments, ours) in cases {
            assert!(openssl(arguments, pem.as_bytes()) == ours, "{}: {arguments}", key.algorithm());
        }
    }
}

#[test]
fn keys_of_openssl_are_read() {
    let cases = [
        (Algorithm::PS256, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
        (Algorithm::RS256, "genrsa -traditional 2048"),
        (Algorithm::ES256, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
        (Algorithm::ES384, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
        (Algorithm::ES512, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
        (Algorithm::ES256K, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"),
        (Algorithm::EdDSA, "genpkey -algorithm ed25519"),
    ];
    for (algorithm, arguments) in cases {
        let pem = openssl(arguments, "");
        let key = SigningKey::from_pem(algorithm, &pem).unwrap_or_else(|error| panic!("{arguments}: {error}"));
        let public = VerifyingKey::from_pem(algorithm, openssl("pkey -pubout", &pem)).expect(arguments);
        assert_eq!(key.verifying_key().identity(), public.identity(), "{arguments}");
    }
}

/// Lengths that are no whole number of octets move the padding of PSS (RFC 8017 §9.1.2). With an exponent of 3 ring verifies and
/// does not sign.
#[test]
fn signatures_of_rsa_keys_of_any_length_and_exponent_are_judged_alike() {
    for options in ["2049", "2050", "2055", "2056", "2063", "2048 -pkeyopt rsa_keygen_pubexp:3"] {
        let pem = openssl(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{options}"), "");
        for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::PS512] {
            let key = SigningKey::from_pem_with(&AwsLc, algorithm, &pem).expect(options);
            let on_ring = SigningKey::from_pem_with(&Ring, algorithm, &pem);
            assert!(on_ring.is_err() || !options.ends_with(":3"));
            let signature = key.sign(b"m").expect("sign");
            let mut shifted = signature.clone();
            shifted.insert(0, 0);
            for backend in [&Ring as &dyn Backend, &AwsLc] {
                let public = key.verifying_key().with_backend(backend).expect(options);
                assert!(public.verify(b"m", &signature).is_ok(), "{algorithm} {options} {backend:?}");
                for (message, signature) in [(b"n", &signature[..]), (b"m", &signature[1..]), (b"m", &shifted)] {
                    assert!(public.verify(message, signature).is_err(), "{algorithm} {options} {backend:?}");
                }
            }
        }
    }
}

#[test]
fn files_that_openssl_writes_around_a_key_are_read() {
    let pair = openssl("ecparam -name prime256v1 -genkey", "");
    assert!(pair.starts_with(b"-----BEGIN EC PARAMETERS-----"));
    let key = SigningKey::from_pem(Algorithm::ES256, &pair).expect("parameters and a key");
    let identity = key.verifying_key().identity();

    let certificate = openssl("req -x509 -key /dev/stdin -subj /CN=leaf", &pair);
    let explained = openssl("x509 -text", &certificate);
    assert!(explained.starts_with(b"Certificate:"));
    let other = openssl("req -x509 -key /dev/stdin -subj /CN=root", RSA);
    let chain = [&explained[..], &other].concat();
    for file in [certificate, explained, chain] {
        let key = VerifyingKey::from_certificate(Algorithm::ES256, file).expect("a certificate");
        assert_eq!(key.identity(), identity);
    }

    let without_point = openssl("ec -no_public", &pair);
    let error = SigningKey::from_pem(Algorithm::ES256, &without_point).err();
    assert_eq!(error, Some(KeyError::Unsupported("an EC private key without its public point")));
    let key = SigningKey::from_pem(Algorithm::ES256, openssl("ec", &without_point)).expect("with its point again");
    assert_eq!(key.verifying_key().identity(), identity);
}
