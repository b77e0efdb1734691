//! Errors hold nothing of a token, wherever in it the text stands.

use countersign::danger::Danger;
use countersign::issue::{Claims, JwtSigner};
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, UnverifiedToken};
use countersign::{Algorithm, JwtVerifier, SigningKey, VerifiedToken, jws};
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;

const MARKER: &str = "alice@secret.example";

fn key() -> SigningKey {
    SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret")
}

/// All that an error can be made to say.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        said.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    said
}

/// Base64url through the public API: the payload of a signed token.
fn encode(bytes: &[u8]) -> String {
    let token = jws::sign(&key(), &jws::Header::new(&key()), bytes).expect("HMAC signs");
    token.split('.').nth(1).expect("three parts").to_owned()
}

/// A signed token of any header and payload.
fn sealed(header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
    format!("{input}.{}", encode(&key().sign(input.as_bytes()).expect("HMAC signs")))
}

/// Objects that have the marker in every place: as a name, as a value, as a value of the wrong type, behind the end.
fn marked(names: &[&str]) -> Vec<String> {
    let values = [json!(MARKER), json!([MARKER]), json!({MARKER: MARKER}), json!([{"a": MARKER}, 7])];
    let member = |name: &str| values.each_ref().map(|value| json!({name: value}).to_string());
    let mut objects: Vec<String> = names.iter().chain([&MARKER]).flat_map(|name| member(name)).collect();
    for text in ["{MARKER}", "\"MARKER\"", "{\"MARKER\":1,\"MARKER\":2}", "{}MARKER", "MARKER", "{\"x\":MARKER}"] {
        objects.push(text.replace("MARKER", MARKER));
    }
    objects
}

#[test]
fn no_error_tells_what_a_token_says() {
    let headers = marked(&["alg", "typ", "cty", "kid", "crit", "b64", "jwk"]).into_iter().map(|header| {
        // Most of them need an `alg` to get any further.
        [header.replacen('{', r#"{"alg":"HS256","#, 1), header]
    });
    let payloads = marked(&["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "cnf", "client_id"]);
    let plain = r#"{"alg":"HS256"}"#;
    let mut tokens: Vec<String> = headers.flatten().map(|header| sealed(&header, "{}")).collect();
    tokens.extend(payloads.iter().map(|payload| sealed(plain, payload)));
    tokens.extend([MARKER.to_owned(), format!("{MARKER}.{MARKER}.{MARKER}"), format!("a.{MARKER}")]);

    let builder = || JwtVerifier::builder(key().verifying_key().clone()).algorithms([Algorithm::HS256]);
    let strict = builder().issuer("me").audience("api").subject("7").require_claim("x").audience_claim("client_id");
    let lax = builder().dangers(&[Danger::AnyIssuer, Danger::AnyAudience, Danger::NoExpiration, Danger::AnyHolder]);
    let verifiers = [strict, lax].map(|builder| builder.build().expect("a verifier"));
    let mut said = Vec::new();
    let mut verified = 0;
    for token in &tokens {
        said.extend(UnverifiedToken::parse(token, jws::MAX_BYTES).err().map(|error| told(&error)));
        said.extend(jws::Compact::parse_with(token, &jws::Policy::new()).err().map(|error| told(&error)));
        said.extend(jws::Json::parse(token, &jws::Policy::new()).err().map(|error| told(&error)));
        for verifier in &verifiers {
            match verifier.verify_now(&Credential::new("Bearer", token)).expect("a local key") {
                Ok(token) => {
                    verified += 1;
                    said.extend(ill_fitting(&token));
                }
                Err(error) => said.push(told(&error)),
            }
        }
    }
    for payload in &payloads {
        let Ok(claims) = serde_json::from_str::<Value>(payload) else { continue };
        said.extend(VerifiedToken::vouched(&claims).err().map(|error| told(&error)));
        said.extend(VerifiedToken::vouched(&claims).ok().iter().flat_map(ill_fitting));
        said.extend(JwtSigner::new(key()).sign(&claims).err().map(|error| told(&error)));
        said.extend(Claims::new(MARKER).with(&claims).err().map(|error| told(&error)));
        said.extend(JwtSigner::new(key()).issue(&Claims::new(MARKER)).err().map(|error| told(&error)));
    }
    for name in ["alg", "typ", "cty", "kid", "crit", "b64", "", "jwk"] {
        let header = || jws::Header::new(&key());
        said.extend(header().with(name, MARKER.into()).err().map(|error| told(&error)));
        said.extend(header().with_critical(name, MARKER.into()).err().map(|error| told(&error)));
        said.extend(jws::Unprotected::new().with(name, json!([MARKER])).err().map(|error| told(&error)));
    }
    assert!(said.len() > 500 && verified > 30, "{} {verified}", said.len());
    for said in said {
        assert!(!said.contains("alice") && !said.contains("secret.example"), "{said}");
    }
}

/// What is said of claims that do not fit the types asked for.
fn ill_fitting(token: &VerifiedToken) -> Vec<String> {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    #[derive(Debug, Deserialize)]
    enum Kind {}
    #[derive(Debug, Deserialize)]
    struct Own {
        #[serde(rename = "sub", alias = "iss", alias = "aud", alias = "jti", alias = "scope", alias = "client_id")]
        _own: Kind,
    }
    let errors = [
        token.claims::<Nothing>().map(drop),
        token.claims::<Own>().map(drop),
        token.claims::<std::collections::BTreeMap<String, u32>>().map(drop),
        token.claims::<Vec<u8>>().map(drop),
    ];
    errors.into_iter().filter_map(Result::err).map(|error| told(&error)).collect()
}
