//! Countersign, a line for each backend.

use super::bare;
use super::fixture::{AUDIENCE, Alg, Fixture, ISSUER, KEY_IDS, Me, Size, claims};
use countersign::crypto::{Backend, PrivateMaterial, Ring};
use countersign::issue::JwtSigner;
use countersign::provider::KeySet;
use countersign::request::Credential;
use countersign::secret::Secret;
use countersign::verify::{JwtVerifierBuilder, TokenVerifier};
use countersign::{JwtVerifier, SigningKey, VerifiedToken, VerifyingKey};

/// What is measured of one backend.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) backend: &'static dyn Backend,
    /// What its primitive is called, and how it is called.
    pub(super) bare: &'static str,
    pub(super) verify: fn(&Fixture, &str) -> Box<dyn FnMut() -> bool>,
    pub(super) sign: fn(&Fixture) -> Box<dyn FnMut() -> usize>,
}

pub(super) const LINES: &[Line] = &[Line {
    name: "countersign",
    backend: &Ring,
    bare: "ring alone",
    verify: bare::ring_verifying,
    sign: bare::ring_signing,
}];

impl Line {
    /// The key of a fixture on this backend.
    pub(super) fn key(&self, fixture: &Fixture) -> VerifyingKey {
        let key = match fixture.key.verifying_key().jwk() {
            Some(jwk) => VerifyingKey::from_material(self.backend, fixture.alg.algorithm(), jwk.material().clone()),
            None => {
                let secret = PrivateMaterial::Secret(Secret::new(fixture.secret));
                SigningKey::from_material(self.backend, fixture.alg.algorithm(), &secret)
                    .map(|key| key.verifying_key().clone())
            }
        };
        key.expect("the key")
    }

    pub(super) fn keys(&self, fixture: &Fixture) -> KeySet {
        let key = self.key(fixture);
        KEY_IDS.into_iter().map(|id| key.clone().with_key_id(id).expect("a key id")).collect()
    }

    pub(super) fn builder(&self, fixture: &Fixture, issuer: &str) -> JwtVerifierBuilder {
        JwtVerifier::builder(self.keys(fixture)).algorithms([fixture.alg.algorithm()]).issuer(issuer).audience(AUDIENCE)
    }

    fn verifier(&self, fixture: &Fixture) -> JwtVerifier {
        self.builder(fixture, ISSUER).build().expect("the verifier")
    }
}

pub(super) fn verify(verifier: &impl TokenVerifier, token: &str) -> Option<VerifiedToken> {
    verifier.verify_now(&Credential::new("Bearer", token))?.ok()
}

pub(super) fn verifying(line: &Line, fixture: &Fixture, token: String) -> impl FnMut() -> Option<Me> + use<> {
    let verifier = line.verifier(fixture);
    move || verify(&verifier, &token)?.claims().ok()
}

pub(super) fn verifying_alone(
    line: &Line,
    fixture: &Fixture,
    token: String,
) -> impl FnMut() -> Option<VerifiedToken> + use<> {
    let verifier = line.verifier(fixture);
    move || verify(&verifier, &token)
}

pub(super) fn refusing(line: &Line, fixture: &Fixture, token: String) -> impl FnMut() -> bool + use<> {
    let verifier = line.verifier(fixture);
    assert!(verify(&verifier, &fixture.small()).is_some() && verify(&verifier, &token).is_none());
    move || verify(&verifier, &token).is_none()
}

pub(super) fn signing(line: &Line, fixture: &Fixture) -> impl FnMut() -> String + use<> {
    let key = match fixture.alg {
        Alg::HS256 => {
            let secret = PrivateMaterial::Secret(Secret::new(fixture.secret));
            SigningKey::from_material(line.backend, fixture.alg.algorithm(), &secret)
        }
        _ => Ok(fixture.key.clone()),
    };
    let signer = JwtSigner::new(key.and_then(|key| key.with_key_id(KEY_IDS[5])).expect("the key"));
    let claims = claims(Size::Small);
    move || signer.sign(&claims).expect("a token")
}
