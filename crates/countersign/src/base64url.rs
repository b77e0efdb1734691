//! Base64url as RFC 7515 §2 wants it: no padding, no white space, no unused bits.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use base64_simd::{Out, URL_SAFE_NO_PAD};

/// The text was not canonical unpadded base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64Url;

/// In a vector that is as long as what is in it.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| NotBase64Url)
}

/// How many octets canonical text of this length stands for.
pub(crate) fn decoded_len(text: &str) -> usize {
    text.len() / 4 * 3 + (text.len() % 4).saturating_sub(1)
}

/// Decodes into the beginning of `octets`, and gives that. Text for more than there is room for is refused.
pub(crate) fn decode_into<'o>(text: &str, octets: &'o mut [u8]) -> Result<&'o [u8], NotBase64Url> {
    if decoded_len(text) > octets.len() {
        return Err(NotBase64Url);
    }
    let decoded = URL_SAFE_NO_PAD.decode(text.as_bytes(), Out::from_slice(octets)).map_err(|_| NotBase64Url)?;
    Ok(decoded)
}

/// Whether it would decode.
pub(crate) fn is_canonical(text: &str) -> bool {
    URL_SAFE_NO_PAD.check(text.as_bytes()).is_ok()
}

/// With padding where it is due, for [`Danger::PaddedBase64url`](crate::danger::Danger::PaddedBase64url).
pub(crate) fn decode_padded(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE.decode(text).map_err(|_| NotBase64Url)
}

/// Behind what stands in `text`.
pub(crate) fn encode_onto(text: &mut String, bytes: &[u8], padded: bool) {
    if padded { URL_SAFE.encode_string(bytes, text) } else { URL_SAFE_NO_PAD.encode_append(bytes, text) }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as REFERENCE;
    use proptest::prelude::*;

    /// What the reference makes of it, and what each way of decoding does.
    fn compare(text: &str) {
        let reference = REFERENCE.decode(text).map_err(|_| NotBase64Url);
        assert_eq!(decode(text), reference, "{text:?}");
        let mut octets = [0; 300];
        assert_eq!(decode_into(text, &mut octets).map(<[u8]>::to_vec), reference, "{text:?}");
        assert_eq!(is_canonical(text), reference.is_ok(), "{text:?}");
        if let Ok(reference) = reference {
            assert_eq!(decoded_len(text), reference.len());
            assert_eq!(decode_into(text, &mut octets[..reference.len()]).map(<[u8]>::len), Ok(reference.len()));
            if let Some(less) = reference.len().checked_sub(1) {
                assert_eq!(decode_into(text, &mut octets[..less]), Err(NotBase64Url), "no room");
            }
            assert_eq!(encode(&reference), text);
            let mut onto = "before".to_owned();
            encode_onto(&mut onto, &reference, false);
            assert_eq!(onto, format!("before{text}"));
        }
    }

    proptest! {
        /// Long enough for the widest vectors, and short enough for none. Every byte at every place is as in the reference.
        #[test]
        fn vectors_are_as_strict_as_the_reference(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            to in prop_oneof!["[A-Za-z0-9_-]", "[\\x00-\\x7f]", Just("=".to_owned()), Just("é".to_owned()), Just(String::new())],
        ) {
            let mut text = REFERENCE.encode(bytes);
            compare(&text);
            if !text.is_empty() {
                let at = at.index(text.len());
                text.replace_range(at..=at, &to);
                compare(&text);
            }
        }
    }

    #[test]
    fn unused_bits_are_refused_at_every_length() {
        for len in 0..100 {
            let prefix = "A".repeat(len);
            for last in ('\0'..='\x7f').chain(['\u{80}', '\u{ff}']) {
                compare(&format!("{prefix}{last}"));
            }
        }
    }

    #[test]
    fn only_the_canonical_spelling_decodes() {
        assert_eq!(decode("AQI").as_deref(), Ok(&[1, 2][..]));
        for bad in ["AQI=", "AQJ", "A", "AQ I", "AQ\nI", "A+/I", " AQI", "AQI "] {
            assert_eq!(decode(bad), Err(NotBase64Url), "{bad:?}");
        }
        assert_eq!(decode("").as_deref(), Ok(&[][..]));
        assert_eq!(decode_padded("AQI=").as_deref(), Ok(&[1, 2][..]));
        for bad in ["AQI", "AQI==", "AQJ=", "=AQI", "AQ=I", "AQI= "] {
            assert_eq!(decode_padded(bad), Err(NotBase64Url), "{bad:?}");
        }
    }
}
