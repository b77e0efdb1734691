//! The primitive alone: a signature over the token's bytes, by a key that is parsed as far as the library keeps it so.

pub(crate) mod aws_lc;
pub(crate) mod ring;

use super::fixture::Fixture;

/// The bytes that are signed, and the signature.
fn parts(fixture: &Fixture, token: &str) -> (Vec<u8>, Vec<u8>) {
    let (input, _) = token.rsplit_once('.').expect("a token");
    let signature = fixture.key.sign(input.as_bytes()).expect("a signature");
    (input.into(), signature)
}
