//! jwt-simple: `Token::decode_metadata` for the `kid`, then `verify_token`, which takes its options by value. It reads the
//! registered claims beside the type.
//!
//! It is measured as it is without C (`pure-rust`), which is not its default. That is BoringSSL, whose functions have the
//! names of OpenSSL's, which josekit links into the same program.

use crate::tokens::fixture::{AUDIENCE, Alg, EXPIRES, Fixture, ISSUER, KEY_IDS, Me, Size, me};
use jwt_simple::prelude::*;
use std::collections::{HashMap, HashSet};

pub(super) const NAME: &str = "jwt-simple, pure Rust";

macro_rules! verifying {
    ($key:expr, $token:ident) => {{
        let key = $key;
        let keys: HashMap<String, _> = KEY_IDS.into_iter().map(|id| (id.to_owned(), key.clone())).collect();
        let options = VerificationOptions {
            allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
            allowed_audiences: Some(HashSet::from([AUDIENCE.to_owned()])),
            ..VerificationOptions::default()
        };
        Box::new(move || {
            let metadata = Token::decode_metadata(&$token).ok()?;
            let key = keys.get(metadata.key_id()?)?;
            Some(key.verify_token::<Me>(&$token, Some(options.clone())).ok()?.custom)
        })
    }};
}

pub(super) fn verifying(fixture: &Fixture, token: String) -> Box<dyn FnMut() -> Option<Me>> {
    match fixture.alg {
        Alg::HS256 => verifying!(HS256Key::from_bytes(&fixture.secret), token),
        Alg::RS256 => verifying!(RS256PublicKey::from_pem(&fixture.public_pem()).expect("the key"), token),
        Alg::ES256 => verifying!(ES256PublicKey::from_pem(&fixture.public_pem()).expect("the key"), token),
        Alg::EdDSA => verifying!(Ed25519PublicKey::from_pem(&fixture.public_pem()).expect("the key"), token),
    }
}

macro_rules! signing {
    ($key:expr, $sign:ident) => {{
        let key = $key.with_key_id(KEY_IDS[5]);
        let claims = Claims::with_custom_claims(me(Size::Small), Duration::from_hours(1));
        let mut claims = claims.with_issuer(ISSUER).with_audience(AUDIENCE).with_subject("5f2a7c1e-0b7d-4c51-9a52");
        claims.expires_at = Some(Duration::from_secs(EXPIRES));
        Box::new(move || key.$sign(claims.clone()).expect("a token"))
    }};
}

pub(super) fn signing(fixture: &Fixture) -> Box<dyn FnMut() -> String> {
    match fixture.alg {
        Alg::HS256 => signing!(HS256Key::from_bytes(&fixture.secret), authenticate),
        Alg::RS256 => signing!(RS256KeyPair::from_pem(&fixture.private_pem()).expect("the key"), sign),
        Alg::ES256 => signing!(ES256KeyPair::from_pem(&fixture.private_pem()).expect("the key"), sign),
        Alg::EdDSA => signing!(Ed25519KeyPair::from_pem(&fixture.private_pem()).expect("the key"), sign),
    }
}
