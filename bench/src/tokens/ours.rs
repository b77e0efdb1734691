//! Countersign, a line for each backend.

use super::bare;
use super::fixture::{AUDIENCE, Alg, Fixture, ISSUER, KEY_IDS, Me, SIGNS, Size, claims};
use countersign::crypto::{AwsLc, Backend, PrivateMaterial, Ring};
use countersign::issue::JwtSigner;
use countersign::provider::KeySet;
use countersign::request::Credential;
use countersign::secret::Secret;
use countersign::verify::{JwtVerifierBuilder, TokenVerifier};
use countersign::{Algorithm, JwtVerifier, SigningKey, VerifiedToken, VerifyingKey};

/// What is measured of one backend.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) backend: &'static dyn Backend,
    /// What its primitive is called, and how it is called.
    pub(crate) bare: &'static str,
    pub(crate) verify: fn(&Fixture, &str) -> Box<dyn FnMut() -> bool>,
    pub(crate) sign: fn(&Fixture) -> Box<dyn FnMut() -> usize>,
}

pub(crate) const AWS_LC: Line = Line {
    name: "countersign, aws-lc",
    backend: &AwsLc,
    bare: "aws-lc alone",
    verify: bare::aws_lc::verifying,
    sign: bare::aws_lc::signing,
};

pub(crate) const RING: Line = Line {
    name: "countersign, ring",
    backend: &Ring,
    bare: "ring alone",
    verify: bare::ring::verifying,
    sign: bare::ring::signing,
};

pub(crate) const LINES: &[Line] = &[AWS_LC, RING];

impl Line {
    fn signing_key(&self, fixture: &Fixture) -> SigningKey {
        let key = match fixture.alg {
            // A secret cannot change its backend.
            Alg::HS256 => {
                let secret = PrivateMaterial::Secret(Secret::new(fixture.secret));
                let key = SigningKey::from_material(self.backend, Algorithm::HS256, &secret);
                key.and_then(|key| key.with_key_id(SIGNS))
            }
            _ => fixture.key.with_backend(self.backend),
        };
        key.expect("the key")
    }

    /// The key of a fixture on this backend.
    pub(crate) fn key(&self, fixture: &Fixture) -> VerifyingKey {
        match fixture.alg {
            Alg::HS256 => self.signing_key(fixture).verifying_key().clone(),
            _ => fixture.key.verifying_key().with_backend(self.backend).expect("the key"),
        }
    }

    pub(crate) fn keys(&self, fixture: &Fixture) -> KeySet {
        let key = self.key(fixture);
        KEY_IDS.into_iter().map(|id| key.clone().with_key_id(id).expect("a key id")).collect()
    }

    pub(crate) fn builder(&self, fixture: &Fixture, issuer: &str) -> JwtVerifierBuilder {
        JwtVerifier::builder(self.keys(fixture)).algorithms([fixture.alg.algorithm()]).issuer(issuer).audience(AUDIENCE)
    }

    pub(crate) fn verifier(&self, fixture: &Fixture) -> JwtVerifier {
        self.builder(fixture, ISSUER).build().expect("the verifier")
    }
}

pub(crate) fn verify(verifier: &impl TokenVerifier, token: &str) -> Option<VerifiedToken> {
    verifier.verify_now(&Credential::new("Bearer", token))?.ok()
}

pub(crate) fn verifying(line: &Line, fixture: &Fixture, token: String) -> impl FnMut() -> Option<Me> + use<> {
    let verifier = line.verifier(fixture);
    move || verify(&verifier, &token)?.claims().ok()
}

pub(crate) fn verifying_alone(
    line: &Line,
    fixture: &Fixture,
    token: String,
) -> impl FnMut() -> Option<VerifiedToken> + use<> {
    let verifier = line.verifier(fixture);
    move || verify(&verifier, &token)
}

pub(crate) fn refusing(line: &Line, fixture: &Fixture, token: String) -> impl FnMut() -> bool + use<> {
    let verifier = line.verifier(fixture);
    assert!(verify(&verifier, &fixture.small()).is_some() && verify(&verifier, &token).is_none());
    move || verify(&verifier, &token).is_none()
}

pub(crate) fn signing(line: &Line, fixture: &Fixture) -> impl FnMut() -> String + use<> {
    let signer = JwtSigner::new(line.signing_key(fixture));
    let claims = claims(Size::Small);
    move || signer.sign(&claims).expect("a token")
}
