use crate::request::RequestView;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// What a refusal can be found by: the request's own id where that can be written into any line as it stands, and a random
/// one elsewhere. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CorrelationId(Arc<str>);

const MAX_LEN: usize = 128;

impl CorrelationId {
    /// The value of this field (named in lower case), or a random one where the field is absent, repeated, or holds
    /// anything but 1 to 128 of the characters that [`is_plain`] takes.
    pub(crate) fn of(request: &RequestView<'_>, field: &str) -> Self {
        let only = match (request.headers.header(field, 0), request.headers.header(field, 1)) {
            (Some(value), None) => value,
            _ => return Self::random(),
        };
        match std::str::from_utf8(only) {
            Ok(text) if (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(is_plain) => Self(text.into()),
            _ => Self::random(),
        }
    }

    /// Sixteen hexadecimal digits that tell refusals apart; no secret. Each `RandomState` has keys of its own.
    pub(crate) fn random() -> Self {
        Self(format!("{:016x}", RandomState::new().hash_one(0)).into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What ids are written in (UUID, ULID, hexadecimal, `a:b`), and nothing that ends a line, a quotation or a field.
fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn of(values: &[&[u8]]) -> String {
        let headers: Vec<_> = values.iter().map(|value| ("X-Request-Id", *value)).collect();
        let headers = headers.as_slice();
        let request = RequestView::new("GET", "/", None, &headers);
        CorrelationId::of(&request, "x-request-id").as_str().to_owned()
    }

    fn is_random(id: &str) -> bool {
        id.len() == 16 && id.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
    }

    #[test]
    fn a_plain_id_is_taken_as_it_stands() {
        let longest = "x".repeat(128);
        for id in ["7", "01J9-_.:z", "550e8400-e29b-41d4-a716-446655440000", &longest] {
            assert_eq!(of(&[id.as_bytes()]), id);
        }
    }

    #[test]
    fn anything_else_is_replaced_whole() {
        let (too_long, huge) = ("x".repeat(129), "x".repeat(10 * 1024));
        let cases: &[&[&[u8]]] = &[
            &[],
            &[b"a", b"a"],
            &[b""],
            &[b" a"],
            &[b"a b"],
            &[b"a\r\nset-cookie: b"],
            &[b"a\n"],
            &[b"a\0b"],
            &[b"a\"b"],
            &[b"a'b"],
            &[b"a=b"],
            &[b"a,b"],
            &[b"\x1b[31ma"],
            &["é".as_bytes()],
            &["a\u{2028}b".as_bytes()],
            &[b"\xff\xfe"],
            &[too_long.as_bytes()],
            &[huge.as_bytes()],
        ];
        for values in cases {
            let id = of(values);
            assert!(is_random(&id), "{id}");
        }
    }

    #[test]
    fn random_ids_differ() {
        let ids: HashSet<_> = (0..1000).map(|_| of(&[])).collect();
        assert_eq!(ids.len(), 1000);
    }
}
