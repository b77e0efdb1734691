//! Octets that are looked at and not kept.

use crate::base64url::{self, NotBase64Url};

/// As long as the signature of an RSA key of 4096 bits.
const MOST: usize = 512;

/// A part of a compact token, found to be well encoded: its signature, its header. Its octets stand on the stack while they are
/// looked at, unless there are more than usual.
pub(super) enum Octets<'t> {
    Encoded(&'t str),
    Decoded(Vec<u8>),
}

impl<'t> Octets<'t> {
    /// Takes unpadded base64url as it is, and what `otherwise` makes of anything else.
    pub(super) fn of<E>(part: &'t str, otherwise: impl FnOnce(&str) -> Result<Vec<u8>, E>) -> Result<Self, E> {
        if base64url::is_canonical(part) { Ok(Self::Encoded(part)) } else { otherwise(part).map(Self::Decoded) }
    }

    /// Shows the octets to `look`.
    pub(super) fn with<T>(&self, look: impl FnOnce(&[u8]) -> T) -> Result<T, NotBase64Url> {
        match self {
            Self::Decoded(octets) => Ok(look(octets)),
            Self::Encoded(part) if base64url::decoded_len(part) > MOST => Ok(look(&base64url::decode(part)?)),
            Self::Encoded(part) => {
                let mut octets = [0; MOST];
                Ok(look(base64url::decode_into(part, &mut octets)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_every_length_are_whole() {
        for len in [0, 1, 64, MOST - 1, MOST, MOST + 1, 1024] {
            let signature: Vec<u8> = (0..=250).cycle().take(len).collect();
            let text = base64url::encode(&signature);
            let octets = Octets::of(&text, base64url::decode).expect("base64url");
            assert!(matches!(octets, Octets::Encoded(_)));
            assert_eq!(octets.with(<[u8]>::to_vec), Ok(signature), "{len}");
            assert!(Octets::of(&format!("{text}="), base64url::decode).is_err(), "{len}");
            let decoded = Octets::of("=", |_| Ok::<_, NotBase64Url>(vec![1])).expect("octets");
            assert_eq!(decoded.with(<[u8]>::to_vec), Ok(vec![1]));
        }
    }
}
