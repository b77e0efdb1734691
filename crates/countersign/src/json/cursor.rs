//! A place in a JSON text, moved on by whoever knows what comes next.
//!
//! Strings without escapes, objects and lists are walked here, eight bytes at a time where it pays: they are what claims
//! are made of. Everything else, and what is nested deeply, is left to serde_json. What is skipped is checked as strictly
//! as what is read.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// The text is not JSON, or not what was asked for.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::claims::Unfit;
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"team": "north", "level": 3}))?;
/// let text = |name| token.claim(name).map(|mut claim| claim.string());
/// assert_eq!(text("team"), Some(Ok("north".into())));
/// assert_eq!(text("level"), Some(Err(Unfit)));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("not what was asked for")]
pub struct Unfit;

/// As deep as is walked here.
const MAX_DEPTH: usize = 32;
const _: () = assert!(MAX_DEPTH <= u32::BITS as usize, "a bit for each level");

/// How much in a text may be slow to read. It is counted in steps of about 5 ns: an item of a list and a name within a claim take
/// one each, and what is listed below takes more. Text itself takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Endless,
    /// More than issuers ask for, and then reading ends: for what anybody may have written. The longer the text is so far, the
    /// more there is.
    Short,
}

impl Patience {
    fn steps(self) -> usize {
        match self {
            Self::Endless => ENDLESS,
            Self::Short => 12,
        }
    }
}

/// Each byte of text takes a few steps at most, and no text is so long.
const ENDLESS: usize = usize::MAX / 2;
/// Text for one more step.
const BYTES_PER_STEP: usize = 12;
/// For a member of the object itself.
const MEMBER_STEPS: usize = 2;
/// For a name that has to be looked for among those before it.
pub(super) const LOOK_STEPS: usize = 2;
const SPACE_STEPS: usize = 1;
const LEVEL_STEPS: usize = 1;
const ESCAPE_STEPS: usize = 1;
/// For a string that has to be copied for its escapes.
const COPY_STEPS: usize = 16;
/// For a number that is not a few digits.
const NUMBER_STEPS: usize = 4;
/// Numbers that are written longer are no matter of a few steps.
const MAX_NUMBER: usize = 32;
/// As many as every `u64` has room for.
const MAX_DIGITS: usize = 18;

/// A place in a JSON text, for reading claims without building values: whoever knows the form of a claim moves it on.
/// [`VerifiedToken::claim`](crate::VerifiedToken::claim) gives one.
///
/// What is skipped is checked as strictly as what is read. After an error the place is anywhere.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::claims::Unfit;
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"realm_access": {"roles": ["admin", "editor"]}}))?;
/// let mut claim = token.claim("realm_access").ok_or("no such claim")?;
/// let mut roles = Vec::new();
/// claim.object(|claim, name| match name {
///     "roles" => claim.list(|claim| {
///         roles.push(claim.string()?.into_owned());
///         Ok::<(), Unfit>(())
///     }),
///     _ => claim.skip(),
/// })?;
/// assert_eq!(roles, ["admin", "editor"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Cursor<'t> {
    text: &'t str,
    at: usize,
    steps: usize,
    max_steps: usize,
}

impl<'t> Cursor<'t> {
    /// At the beginning of this text.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        Self::with(text, Patience::Endless)
    }

    pub(super) fn with(text: &'t str, patience: Patience) -> Self {
        Self { text, at: 0, steps: 0, max_steps: patience.steps() }
    }

    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// The first byte of what comes next, past white space.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        match self.bytes().get(self.at) {
            Some(0..=b' ') => self.peek_past_space(),
            next => next.copied(),
        }
    }

    #[cold]
    fn peek_past_space(&mut self) -> Option<u8> {
        self.steps += SPACE_STEPS;
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.bytes().get(self.at..)?.iter().take_while(is_space).count();
        self.bytes().get(self.at).copied()
    }

    /// Goes past this byte if it comes next.
    #[inline]
    pub(crate) fn past(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Unfit> {
        if self.past(byte) { Ok(()) } else { Err(Unfit) }
    }

    /// Nothing but white space is left.
    ///
    /// # Errors
    /// [`Unfit`] when something is.
    pub fn end(&mut self) -> Result<(), Unfit> {
        self.peek().map_or(Ok(()), |_| Err(Unfit))
    }

    /// An object: gives each name to `member`, which goes past the value. A name may come twice.
    ///
    /// # Errors
    /// What `member` says; [`Unfit`] when it is no object.
    #[inline]
    pub fn object<E: From<Unfit>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'{')?;
        if self.past(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            member(self, &name)?;
            if !self.past(b',') {
                return Ok(self.expect(b'}')?);
            }
        }
    }

    /// A list: `item` goes past each.
    ///
    /// # Errors
    /// What `item` says; [`Unfit`] when it is no list.
    #[inline]
    pub fn list<E: From<Unfit>>(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.expect(b'[')?;
        if self.past(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.past(b',') {
                return Ok(self.expect(b']')?);
            }
        }
    }

    /// A string, borrowed where it is written without escapes.
    ///
    /// # Errors
    /// [`Unfit`] when it is none.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'t, str>, Unfit> {
        match self.plain_string() {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => self.other_string(),
        }
    }

    /// A string without escapes.
    #[inline]
    pub(crate) fn plain_string(&mut self) -> Option<&'t str> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let begin = self.at + 1;
        let end = begin + plain(self.bytes().get(begin..)?);
        if self.bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(begin..end)
    }

    /// An integer of few digits, without a sign.
    #[inline]
    pub(super) fn plain_integer(&mut self) -> Option<u64> {
        self.peek();
        let digits = self.bytes().get(self.at..)?;
        let mut number = 0;
        let mut length = 0;
        while let Some(digit @ b'0'..=b'9') = digits.get(length) {
            number = number * 10 + u64::from(digit - b'0');
            length += 1;
            if length > MAX_DIGITS {
                return None;
            }
        }
        let is_whole = !matches!(digits.get(length), Some(b'.' | b'e' | b'E'));
        if length == 0 || !is_whole || (length > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        self.at += length;
        Some(number)
    }

    #[cold]
    fn other_string(&mut self) -> Result<Cow<'t, str>, Unfit> {
        if self.peek() != Some(b'"') {
            return Err(Unfit);
        }
        let begin = self.at;
        self.escaped_string()?;
        self.take(COPY_STEPS)?;
        let text = self.text.get(begin..self.at).ok_or(Unfit)?;
        serde_json::from_str(text).map(Cow::Owned).map_err(|_| Unfit)
    }

    /// Goes past a string with escapes, of which it looks at the form alone, as serde_json does where it skips one.
    #[cold]
    fn escaped_string(&mut self) -> Result<(), Unfit> {
        self.at += 1;
        loop {
            let rest = self.bytes().get(self.at..).unwrap_or_default();
            let plain = plain(rest);
            let is_hex = |digits: &[u8]| digits.iter().take(4).filter(|digit| digit.is_ascii_hexdigit()).count() == 4;
            let digits = match rest.get(plain..).unwrap_or_default() {
                [b'"', ..] => {
                    self.at += plain + 1;
                    return Ok(());
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 0,
                [b'\\', b'u', digits @ ..] if is_hex(digits) => 4,
                _ => return Err(Unfit),
            };
            self.at += plain + 2 + digits;
            self.take(ESCAPE_STEPS)?;
        }
    }

    /// Takes so many steps, if there are any left.
    #[inline]
    pub(super) fn take(&mut self, steps: usize) -> Result<(), Unfit> {
        self.steps += steps;
        if self.has_patience() { Ok(()) } else { Err(Unfit) }
    }

    /// Whether so far no more steps were taken than there may be.
    #[inline]
    pub(super) fn has_patience(&self) -> bool {
        self.steps <= self.max_steps + self.at / BYTES_PER_STEP
    }

    /// Goes past any value.
    ///
    /// # Errors
    /// [`Unfit`] when it is none.
    pub fn skip(&mut self) -> Result<(), Unfit> {
        // What is open, the innermost last: a bit for each, set for an object.
        let (mut objects, mut depth) = (0_u32, 0);
        loop {
            match self.peek() {
                Some(b'"') if self.plain_string().is_some() => {}
                Some(b'"') => self.escaped_string()?,
                Some(b'0'..=b'9') if self.plain_integer().is_some() => {}
                Some(first @ (b'{' | b'[')) if depth < MAX_DEPTH => {
                    self.at += 1;
                    self.take(LEVEL_STEPS)?;
                    let is_object = first == b'{';
                    if !self.past(closing(is_object)) {
                        (objects, depth) = (objects << 1 | u32::from(is_object), depth + 1);
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                Some(b't' | b'f' | b'n') if self.past_word() => {}
                _ => self.skip_unseen()?,
            }
            if depth > 0 {
                self.take(1)?;
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = objects & 1 == 1;
                if self.past(b',') {
                    if is_object {
                        self.name()?;
                    }
                    break;
                }
                self.expect(closing(is_object))?;
                (objects, depth) = (objects >> 1, depth - 1);
            }
        }
    }

    /// Has serde_json go past a number, or what lies deep.
    #[cold]
    fn skip_unseen(&mut self) -> Result<(), Unfit> {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        let is_digit = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let is_number = matches!(rest.iter().take(MAX_NUMBER).take_while(is_digit).count(), 1..MAX_NUMBER);
        self.take(match is_number {
            true => NUMBER_STEPS,
            // Where it ends is not known before, and may be the end of the text.
            false if self.max_steps < ENDLESS => rest.len(),
            false => 0,
        })?;
        self.parse::<IgnoredAny>().map(drop)
    }

    /// Goes past the name of a member.
    fn name(&mut self) -> Result<(), Unfit> {
        self.steps += 1;
        self.string()?;
        self.expect(b':')
    }

    /// Goes past `true`, `false` or `null`.
    fn past_word(&mut self) -> bool {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word.as_bytes()));
        self.at += word.map_or(0, str::len);
        word.is_some()
    }

    /// How far it has come.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes past any value, and tells where it begins, and whether it is a string without escapes.
    #[inline]
    pub(super) fn value(&mut self) -> Result<(usize, bool), Unfit> {
        self.steps += MEMBER_STEPS;
        self.peek();
        let begin = self.at;
        let is_plain = self.plain_string().is_some();
        if !is_plain {
            self.take(0)?;
            self.skip()?;
        }
        Ok((begin, is_plain))
    }

    /// Has serde_json read the value.
    ///
    /// # Errors
    /// [`Unfit`] when it does not fit the type.
    pub fn parse<T: Deserialize<'t>>(&mut self) -> Result<T, Unfit> {
        let rest = self.text.get(self.at..).ok_or(Unfit)?;
        let mut json = serde_json::Deserializer::from_str(rest);
        let value = T::deserialize(&mut json).map_err(|_| Unfit)?;
        self.at += json.into_iter::<IgnoredAny>().byte_offset();
        Ok(value)
    }
}

/// How many bytes come before a quotation mark, a backslash or a control character.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(word) = bytes.get(length..).and_then(<[u8]>::first_chunk) {
        let ends = ends(u64::from_le_bytes(*word));
        if ends != 0 {
            return length + ends.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let rest = bytes.get(length..).unwrap_or_default();
    length + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

/// The high bit of each byte that ends plain text. A subtraction sets it, which then borrows from the byte above: the
/// lowest bit is right, those above it may be too many.
const fn ends(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let (quotation, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    let less = quotation.wrapping_sub(ONES) | backslash.wrapping_sub(ONES) | word.wrapping_sub(ONES * 0x20);
    // Bytes that are not ASCII are plain. The marks are ASCII, so one mask does for all three.
    less & !word & HIGHS
}

/// What ends an object, or a list.
#[inline]
fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Text that is JSON, and text that is nearly JSON.
    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[ -~]{0,20}",
            r#""[^"\\\x00-\x1f]{0,40}""#,
            r#"(\\n|\\u00e9|\\ud83d|\\x|\x01|ß|😀|[\x7f-\u{90}])"#,
            r#"(\{|\}|\[|\]|,|:|"|[ \t\n\r])"#,
            "(-?[0-9]{1,20}|0[0-9]|1e999|-|\\.5|true|false|null|nul)",
        ];
        vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,40}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Into::into),
                vec((".{0,20}", inner), 0..6).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    #[test]
    fn few_digits_are_read_here() {
        for (number, plain) in [
            ("0", Some(0)),
            ("1700000000", Some(1_700_000_000)),
            ("999999999999999999", Some(999_999_999_999_999_999)),
            ("1000000000000000000", None),
            ("00", None),
            ("1.0", None),
            ("1e3", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(Cursor::new(number).plain_integer(), plain, "{number}");
        }
    }

    #[test]
    fn an_object_and_a_list_are_gone_through_to_their_end() {
        // What is read, and what of it was shown.
        for (text, is_read, shown) in [
            ("{}", true, vec![]),
            (r#" { "a" : 1 , "\u0062" : [2] , "a" : {} } "#, true, vec!["a", "b", "a"]),
            ("{,}", false, vec![]),
            (r#"{"a":1,}"#, false, vec!["a"]),
            (r#"{"a":1"b":2}"#, false, vec!["a"]),
            (r#"{"a" 1}"#, false, vec![]),
            (r#"{"a":1"#, false, vec!["a"]),
            (r#"{"a":1]"#, false, vec!["a"]),
            (r#"["a"]"#, false, vec![]),
        ] {
            let (mut names, mut cursor) = (Vec::new(), Cursor::new(text));
            let read: Result<(), Unfit> = cursor.object(|cursor, name| {
                names.push(name.to_owned());
                cursor.skip()
            });
            assert_eq!(
                (read.and_then(|()| cursor.end()).is_ok(), names),
                (is_read, shown.iter().map(|name| (*name).to_owned()).collect()),
                "{text}"
            );
        }
        for (text, is_read, shown) in
            [("[]", true, 0), ("[1, 2]", true, 2), ("[1,]", false, 1), ("[1}", false, 1), ("{}", false, 0)]
        {
            let (mut count, mut cursor) = (0, Cursor::new(text));
            let read: Result<(), Unfit> = cursor.list(|cursor| {
                cursor.skip()?;
                count += 1;
                Ok(())
            });
            assert_eq!((read.and_then(|()| cursor.end()).is_ok(), count), (is_read, shown), "{text}");
        }
    }

    fn is_skipped(text: &str) -> bool {
        let mut cursor = Cursor::new(text);
        cursor.skip().and_then(|()| cursor.end()).is_ok()
    }

    proptest! {
        #[test]
        fn what_serde_json_skips_is_skipped_and_nothing_else(text in text()) {
            prop_assert_eq!(is_skipped(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn json_is_skipped_to_its_end_and_no_less_of_it(json in json(), pretty in any::<bool>(), cut in any::<usize>()) {
            let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
            let text = text.expect("JSON");
            prop_assert!(is_skipped(&text));
            let cut = text.char_indices().map(|(at, _)| at).nth(cut % text.chars().count()).expect("a character");
            let rest = text.get(..cut).expect("a boundary");
            prop_assert_eq!(is_skipped(rest), serde_json::from_str::<IgnoredAny>(rest).is_ok());
        }

        #[test]
        fn a_string_is_read_as_serde_json_reads_it(text in ".{0,40}", raw in text()) {
            let quoted = serde_json::to_string(&text).expect("JSON");
            prop_assert_eq!(Cursor::new(&quoted).string().ok().map(Cow::into_owned), Some(text));
            let raw = format!("\"{raw}\"");
            let mut cursor = Cursor::new(&raw);
            let read = cursor.string().ok().filter(|_| cursor.end().is_ok());
            prop_assert_eq!(read.map(Cow::into_owned), serde_json::from_str::<String>(&raw).ok());
        }

        #[test]
        fn an_integer_is_what_serde_json_reads(number in "(0|[0-9]{0,20})(|[.eE][0-9]{0,2}|-|x)") {
            let mut cursor = Cursor::new(&number);
            if let Some(plain) = cursor.plain_integer().filter(|_| cursor.end().is_ok()) {
                prop_assert_eq!(serde_json::from_str(&number).ok(), Some(plain));
            }
            prop_assert_eq!(is_skipped(&number), serde_json::from_str::<IgnoredAny>(&number).is_ok());
        }

        #[test]
        fn plain_text_ends_where_its_bytes_say(bytes in vec(prop_oneof![any::<u8>(), 0x1e..=0x24_u8, Just(b'\\')], 0..40)) {
            let expected = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(plain(&bytes), expected.unwrap_or(bytes.len()));
        }
    }

    #[test]
    fn of_escapes_that_are_skipped_the_form_is_looked_at() {
        for (text, is_string) in [
            (r#""\"\\\/\b\f\n\r\t""#, true),
            (r#""\u00e9\uD800""#, true),
            (r#""a\nb\u0061""#, true),
            (r#""\u00g0""#, false),
            (r#""\u12""#, false),
            (r#""\u123""#, false),
            (r#""\u12"#, false),
            (r#""\U0061""#, false),
            (r#""\x""#, false),
            (r#""\""#, false),
            (r#""\n"#, false),
            ("\"\\n\u{1}\"", false),
            ("\"\\\u{e9}\"", false),
        ] {
            assert_eq!(is_skipped(text), is_string, "{text}");
            assert_eq!(serde_json::from_str::<IgnoredAny>(text).is_ok(), is_string, "{text}");
        }
    }

    #[test]
    fn short_patience_ends_with_what_is_slow_to_read() {
        let list = |item: &str, times| format!("[{}]", vec![item; times].join(","));
        for (text, is_read) in [
            (list("\"resource-000:read-write\"", 1000), true),
            (format!("\"{}\"", "x".repeat(10_000)), true),
            (list("0", 12), true),
            (list("0", 1000), false),
            (list("\"\"", 1000), false),
            (list("true", 1000), false),
            (list("-1.5", 1000), false),
            (list("{}", 1000), false),
            (list(" 0", 1000), false),
            (format!("{{{}}}", vec!["\"a\":0"; 1000].join(",")), false),
            (format!("\"{}\"", "\\n".repeat(1000)), false),
            (format!("{{\"{}\":0}}", "\\u0061".repeat(1000)), false),
            (format!("{}{}", "[".repeat(1000), "]".repeat(1000)), false),
            ("9".repeat(1000), false),
            (format!("-0.{}", "0".repeat(1000)), false),
        ] {
            let mut cursor = Cursor::with(&text, Patience::Short);
            assert_eq!((cursor.skip().is_ok(), cursor.has_patience()), (is_read, is_read), "{text}");
            assert!(is_skipped(&text), "{text}");
        }
    }

    #[test]
    fn depth_is_left_to_serde_json() {
        let depth = 100_000;
        assert!(is_skipped(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))));
        assert!(!is_skipped(&format!("{}{}", "[".repeat(depth), "]".repeat(depth - 1))));
    }

    #[test]
    fn what_lies_deeper_than_there_are_bits_is_passed_as_well() {
        for depth in [1, 31, 32, 33, 34, 40, 60] {
            for (open, close) in [(r#"{"a":"#, "}"), ("[", "]"), (r#"[{"a":"#, "}]")] {
                let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let mut cursor = Cursor::new(&text);
                assert!(cursor.skip().is_ok() && cursor.at == text.len(), "{text}");
                let crossed = text.replacen('1', "1]}", 1);
                assert!(depth == 1 || Cursor::new(&crossed).skip().is_err(), "{crossed}");
            }
        }
    }
}
