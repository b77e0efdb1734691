//! josekit, on OpenSSL: `decode_with_verifier_selector` chooses by `kid`, then `JwtPayloadValidator` checks the claims, and
//! the type is read from the map that they are. It demands no claim; the type does.

use crate::tokens::fixture::{AUDIENCE, Alg, Fixture, ISSUER, KEY_IDS, Me, SIGNS, Size, claims};
use josekit::jws::{self, JwsHeader, JwsSigner, JwsVerifier};
use josekit::jwt::{self, JwtPayload, JwtPayloadValidator};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

pub(super) const NAME: &str = "josekit, OpenSSL";

fn verifier(fixture: &Fixture) -> Box<dyn JwsVerifier> {
    let key: Result<Box<dyn JwsVerifier>, _> = match fixture.alg {
        Alg::HS256 => jws::HS256.verifier_from_bytes(fixture.secret).map(|key| Box::new(key) as _),
        Alg::RS256 => jws::RS256.verifier_from_pem(fixture.public_pem()).map(|key| Box::new(key) as _),
        Alg::ES256 => jws::ES256.verifier_from_pem(fixture.public_pem()).map(|key| Box::new(key) as _),
        Alg::EdDSA => jws::EdDSA.verifier_from_pem(fixture.public_pem()).map(|key| Box::new(key) as _),
    };
    key.expect("the key")
}

pub(super) fn verifying(fixture: &Fixture, token: String) -> impl FnMut() -> Option<Me> + use<> {
    let keys: HashMap<&str, _> = KEY_IDS.into_iter().map(|id| (id, verifier(fixture))).collect();
    let mut validator = JwtPayloadValidator::new();
    validator.set_issuer(ISSUER);
    validator.set_audience(AUDIENCE);
    move || {
        let select = |header: &JwsHeader| Ok(header.key_id().and_then(|id| keys.get(id)).map(|key| &**key));
        let (payload, _) = jwt::decode_with_verifier_selector(&token, select).ok()?;
        validator.validate(&payload).ok()?;
        Me::deserialize(payload.claims_set()).ok()
    }
}

pub(super) fn signing(fixture: &Fixture) -> impl FnMut() -> String + use<> {
    let key: Result<Box<dyn JwsSigner>, _> = match fixture.alg {
        Alg::HS256 => jws::HS256.signer_from_bytes(fixture.secret).map(|key| Box::new(key) as _),
        Alg::RS256 => jws::RS256.signer_from_pem(fixture.private_pem()).map(|key| Box::new(key) as _),
        Alg::ES256 => jws::ES256.signer_from_pem(fixture.private_pem()).map(|key| Box::new(key) as _),
        Alg::EdDSA => jws::EdDSA.signer_from_pem(fixture.private_pem()).map(|key| Box::new(key) as _),
    };
    let key = key.expect("the key");
    let mut header = JwsHeader::new();
    header.set_token_type("JWT");
    header.set_key_id(SIGNS);
    let Value::Object(claims) = claims(Size::Small) else { unreachable!("an object") };
    let payload = JwtPayload::from_map(claims).expect("the claims");
    move || jwt::encode_with_signer(&payload, &header, &*key).expect("a token")
}
