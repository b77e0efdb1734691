//! jsonwebtoken, 11 on aws-lc and 9 on ring: `decode_header` for the `kid`, then `decode` with the key under it.

use crate::tokens::fixture::{AUDIENCE, Alg, Fixture, ISSUER, KEY_IDS, Me, Size, claims};
use std::collections::HashMap;

macro_rules! version {
    ($module:ident, $library:ident, $name:literal) => {
        pub(super) mod $module {
            use super::*;
            use $library::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};

            pub(in super::super) const NAME: &str = $name;

            fn algorithm(alg: Alg) -> Algorithm {
                match alg {
                    Alg::HS256 => Algorithm::HS256,
                    Alg::RS256 => Algorithm::RS256,
                    Alg::ES256 => Algorithm::ES256,
                    Alg::EdDSA => Algorithm::EdDSA,
                }
            }

            fn key(fixture: &Fixture) -> DecodingKey {
                match fixture.alg {
                    Alg::HS256 => Ok(DecodingKey::from_secret(&fixture.secret)),
                    Alg::RS256 => DecodingKey::from_rsa_pem(fixture.public_pem().as_bytes()),
                    Alg::ES256 => DecodingKey::from_ec_pem(fixture.public_pem().as_bytes()),
                    Alg::EdDSA => DecodingKey::from_ed_pem(fixture.public_pem().as_bytes()),
                }
                .expect("the key")
            }

            pub(in super::super) fn verifying(fixture: &Fixture, token: String) -> impl FnMut() -> Option<Me> + use<> {
                let key = key(fixture);
                let keys: HashMap<String, DecodingKey> =
                    KEY_IDS.into_iter().map(|id| (id.to_owned(), key.clone())).collect();
                let mut validation = Validation::new(algorithm(fixture.alg));
                validation.set_issuer(&[ISSUER]);
                validation.set_audience(&[AUDIENCE]);
                validation.set_required_spec_claims(&["exp", "iss", "aud"]);
                validation.validate_nbf = true;
                move || {
                    let header = decode_header(&token).ok()?;
                    let key = keys.get(&header.kid?)?;
                    Some(decode::<Me>(&token, key, &validation).ok()?.claims)
                }
            }

            pub(in super::super) fn signing(fixture: &Fixture) -> impl FnMut() -> String + use<> {
                let key = match fixture.alg {
                    Alg::HS256 => Ok(EncodingKey::from_secret(&fixture.secret)),
                    Alg::RS256 => EncodingKey::from_rsa_pem(fixture.private_pem().as_bytes()),
                    Alg::ES256 => EncodingKey::from_ec_pem(fixture.private_pem().as_bytes()),
                    Alg::EdDSA => EncodingKey::from_ed_pem(fixture.private_pem().as_bytes()),
                }
                .expect("the key");
                let mut header = Header::new(algorithm(fixture.alg));
                header.kid = Some(KEY_IDS[5].into());
                let claims = claims(Size::Small);
                move || encode(&header, &claims, &key).expect("a token")
            }
        }
    };
}

version!(v11, jsonwebtoken, "jsonwebtoken 11, aws-lc");
version!(v9, jsonwebtoken_9, "jsonwebtoken 9, ring");
