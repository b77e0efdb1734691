//! Base64url as RFC 7515 §2 wants it: no padding, no white space, no unused bits.

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

/// The text was not canonical unpadded base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64Url;

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// With padding where it is due, for [`Danger::PaddedBase64url`](crate::danger::Danger::PaddedBase64url).
pub(crate) fn decode_padded(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE.decode(text).map_err(|_| NotBase64Url)
}

pub(crate) fn encode_padded(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
