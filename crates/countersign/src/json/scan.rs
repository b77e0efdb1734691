//! Where a member stands in an object that nobody has read.

use super::Value;
use super::index::Span;

/// How much deeper it is behind a byte that stands outside of strings.
#[expect(clippy::indexing_slicing, reason = "worked out by the compiler, which would refuse it")]
const LEVELS: [i8; 256] = {
    let mut levels = [0; 256];
    (levels[b'{' as usize], levels[b'[' as usize]) = (1, 1);
    (levels[b'}' as usize], levels[b']' as usize]) = (-1, -1);
    levels
};

/// The value of the first member `name` of an object, where it is a string. Looks from the beginning of the object, or from where
/// a member of it ends. `name` is in ASCII, and no letter of it has an escape of its own in JSON.
///
/// Of the text nothing is checked, and each byte costs about the same, whatever stands there: where strict reading takes the
/// object, that has found the same. Elsewhere this may have found anything.
pub(crate) fn find_first<'t>(whole: &'t str, from: usize, name: &str) -> Option<Value<'t>> {
    let bytes = whole.as_bytes();
    let (mut depth, mut rest) = (i32::from(from > 0), bytes.get(from..)?.iter());
    loop {
        let byte = *rest.next()?;
        if byte != b'"' {
            let level = LEVELS.get(usize::from(byte)).copied().unwrap_or_default();
            depth = depth.wrapping_add(i32::from(level));
            continue;
        }
        let text = rest.as_slice();
        rest = behind_string(text)?.iter();
        let string = text.get(..text.len() - rest.len() - 1)?;
        // A string that no colon follows is a value.
        if depth == 1
            && is_spelt(string, name)
            && let Some(value) = past_space(rest.as_slice()).strip_prefix(b":")
        {
            let value = past_space(value);
            let begin = bytes.len() - value.len();
            let end = bytes.len() - behind_string(value.strip_prefix(b"\"")?)?.len();
            return Value::string_at(whole, Span::new(begin, end)?);
        }
    }
}

/// What comes behind the string that has begun.
#[inline]
fn behind_string(text: &[u8]) -> Option<&[u8]> {
    let mut bytes = text.iter();
    loop {
        match bytes.next()? {
            b'"' => return Some(bytes.as_slice()),
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

fn past_space(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    text.get(spaces..).unwrap_or_default()
}

/// Whether this stands for `name`, each letter of which may be an escape.
fn is_spelt(mut text: &[u8], name: &str) -> bool {
    for letter in name.bytes() {
        let rest = match text {
            [first, rest @ ..] if *first == letter => Some(rest),
            [b'\\', b'u', b'0', b'0', high, low, rest @ ..] if stand_for(*high, *low, letter) => Some(rest),
            _ => None,
        };
        match rest {
            Some(rest) => text = rest,
            None => return false,
        }
    }
    text.is_empty()
}

fn stand_for(high: u8, low: u8, letter: u8) -> bool {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    digit(high) == Some(u32::from(letter >> 4)) && digit(low) == Some(u32::from(letter & 15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_name_is_found_where_it_is_a_string() {
        let stuffed = format!(r#"{{"x":[{}],"iss":"a"}}"#, vec![r#"{"iss":"b"},"\"}","iss""#; 200].join(","));
        let cases = [
            (r#"{"iss":"a"}"#, Some(r#""a""#)),
            (" { \"x\" : 0 ,\r\n\t\"iss\" : \"a\" } ", Some(r#""a""#)),
            (r#"{"\u0069ss":"a"}"#, Some(r#""a""#)),
            (r#"{"\u0069\u0073\u0073":"a"}"#, Some(r#""a""#)),
            (r#"{"i\u0073s":"\u0061"}"#, Some(r#""\u0061""#)),
            (r#"{"iss":"\"}\\"}"#, Some(r#""\"}\\""#)),
            (&stuffed, Some(r#""a""#)),
            // As a value, and deeper.
            (r#"{"x":"iss","iss":"a"}"#, Some(r#""a""#)),
            (r#"{"x":{"iss":"b"},"iss":"a"}"#, Some(r#""a""#)),
            (r#"{"x":["iss",{"iss":"b"}],"iss":"a"}"#, Some(r#""a""#)),
            (r#"{"x":{"iss":"b"}}"#, None),
            (r#"{"x":"\"iss\":","iss":"a"}"#, Some(r#""a""#)),
            (r#"["iss","a"]"#, None),
            // The first alone, whatever it is: with a second one it is not read.
            (r#"{"iss":"a","iss":"b"}"#, Some(r#""a""#)),
            (r#"{"iss":1,"iss":"b"}"#, None),
            (r#"{"iss":1}"#, None),
            (r#"{"iss":null}"#, None),
            (r#"{"iss":["a"]}"#, None),
            (r#"{"iss":{"iss":"a"}}"#, None),
            // Others.
            (r#"{"is":"a","isss":"a","Iss":"a","\u0069s":"a","\u0049ss":"a","":"a","\\u0069ss":"a"}"#, None),
            (r#"{"\u+069ss":"a","\u069ss":"a","\u01069ss":"a"}"#, None),
            ("{}", None),
            ("", None),
            // Cut off.
            (r#"{"iss":"a"#, None),
            (r#"{"iss":"a\"#, None),
            (r#"{"iss":"#, None),
            (r#"{"iss""#, None),
            (r#"{"iss"#, None),
            (r#"{"\u00"#, None),
            (r#"{"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(find_first(text, 0, "iss").map(Value::text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_found_is_a_value_like_any_other() {
        let text = r#"{"x":0,"iss":"a","jti":"\u0061"}"#;
        for (name, place, plain) in [("iss", 13..16, Some("a")), ("jti", 23..31, None)] {
            let value = find_first(text, 0, name).expect(name);
            assert_eq!((value.place().range(), value.plain()), (place, plain));
            assert_eq!(value.string(name).as_deref(), Ok("a"));
        }
    }
}
