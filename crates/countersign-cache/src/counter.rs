//! How a counter is written, in memory as in Redis.

/// Where a counter stops, as in Redis.
pub(crate) const MAX: u64 = i64::MAX.unsigned_abs();

/// The text of a counter as Redis writes it: no sign, no leading zero, at most [`MAX`].
pub(crate) fn parse(text: &[u8]) -> Option<u64> {
    let canonical = matches!(text, [b'0'] | [b'1'..=b'9', ..]);
    let n: u64 = std::str::from_utf8(text).ok().filter(|_| canonical)?.parse().ok()?;
    (n <= MAX).then_some(n)
}
