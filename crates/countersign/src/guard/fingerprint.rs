use crate::request::Credential;
use std::hash::{BuildHasher, RandomState};

/// What a credential is known by later in its request, without being kept: a keyed hash of its length and of its end.
///
/// The end is enough to tell that something has put another credential in its place, and costs the same for tokens of any
/// length: a JWS ends in its signature, and what is no JWS is seldom longer. It proves nothing to anybody who can choose
/// both, and nobody outside the service can.
#[derive(Debug)]
pub(super) struct Fingerprint {
    keys: RandomState,
    hash: u64,
}

/// In octets.
const END_LEN: usize = 64;

impl Fingerprint {
    pub(super) fn of(credential: &Credential<'_>) -> Self {
        let keys = RandomState::new();
        Self { hash: keys.hash_one(parts(credential)), keys }
    }

    pub(super) fn is_of(&self, credential: &Credential<'_>) -> bool {
        self.keys.hash_one(parts(credential)) == self.hash
    }
}

fn parts<'c>(credential: &'c Credential<'_>) -> (usize, &'c [u8]) {
    let text = credential.expose().as_bytes();
    (text.len(), text.get(text.len().saturating_sub(END_LEN)..).unwrap_or_default())
}
