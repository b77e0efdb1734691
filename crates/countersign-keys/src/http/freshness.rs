//! What a server says of its document's age and of being asked again (RFC 9110, RFC 9111).

use crate::fetch::Validators;
use reqwest::header::{AGE, AsHeaderName, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, LAST_MODIFIED, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// How long the document is fresh, counted from now; `None` where nothing is said. What is said badly, or twice and
/// differently, counts as no time at all (RFC 9111 §4.2.1).
pub(super) fn max_age(fields: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let lifetime = match cache_control(fields) {
        Some(lifetime) => lifetime,
        None => expires(fields, now)?,
    };
    let spent = text(fields, AGE).and_then(|age| age.trim().parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
    Some(lifetime.saturating_sub(spent))
}

fn cache_control(fields: &HeaderMap) -> Option<Duration> {
    let mut lifetime: Option<Duration> = None;
    for line in fields.get_all(CACHE_CONTROL) {
        for directive in line.to_str().unwrap_or("no-store").split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let said = match name.trim().to_ascii_lowercase().as_str() {
                "max-age" => seconds(value.trim().trim_matches('"')).unwrap_or_default(),
                "no-store" | "no-cache" => Duration::ZERO,
                _ => continue,
            };
            lifetime = Some(lifetime.map_or(said, |other| other.min(said)));
        }
    }
    lifetime
}

fn expires(fields: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let at = fields.get(EXPIRES)?.to_str().ok().and_then(|date| httpdate::parse_http_date(date).ok());
    let sent = text(fields, DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    // `Expires: 0` and its kin: over already.
    Some(at.and_then(|at| at.duration_since(sent).ok()).unwrap_or_default())
}

/// How long the server asks to be left alone: seconds, or until a date.
pub(super) fn retry_after(fields: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = text(fields, RETRY_AFTER)?.trim();
    seconds(value).or_else(|| httpdate::parse_http_date(value).ok()?.duration_since(now).ok())
}

pub(super) fn validators(fields: &HeaderMap) -> Validators {
    let own = |name| text(fields, name).map(str::to_owned);
    Validators::new(own(ETAG), own(LAST_MODIFIED))
}

/// Digits and nothing else; more of them than a number has are very many.
fn seconds(value: &str) -> Option<Duration> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))))
}

fn text(fields: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    fields.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};
    use std::time::UNIX_EPOCH;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the date in RFC 9110 §5.6.7.
    const NOW: Duration = Duration::from_secs(784_111_777);

    fn fields(lines: &[(&str, &str)]) -> HeaderMap {
        let name = |name: &str| HeaderName::try_from(name).expect("a name");
        lines.iter().map(|(n, value)| (name(n), HeaderValue::try_from(*value).expect("a value"))).collect()
    }

    #[test]
    fn freshness_is_what_the_fields_say() {
        let cases: &[(&[(&str, &str)], Option<u64>)] = &[
            (&[], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "max-age=300")], Some(300)),
            (&[("cache-control", "Public, MAX-AGE=\"300\", must-revalidate")], Some(300)),
            (&[("cache-control", "max-age=300"), ("age", "100")], Some(200)),
            (&[("cache-control", "max-age=300"), ("age", "1000")], Some(0)),
            (&[("cache-control", "max-age=300"), ("age", "old")], Some(300)),
            (&[("cache-control", "max-age=300"), ("cache-control", "max-age=100")], Some(100)),
            (&[("cache-control", "no-store, max-age=300")], Some(0)),
            (&[("cache-control", "no-cache")], Some(0)),
            (&[("cache-control", "max-age=-1")], Some(0)),
            (&[("cache-control", "max-age=")], Some(0)),
            (&[("cache-control", "max-age=99999999999999999999")], Some(u64::from(u32::MAX))),
            (&[("cache-control", "s-maxage=300")], None),
            (&[("expires", "Sun, 06 Nov 1994 08:54:37 GMT")], Some(300)),
            (&[("expires", "Sunday, 06-Nov-94 08:54:37 GMT")], Some(300)),
            (&[("expires", "Sun, 06 Nov 1994 08:54:37 GMT"), ("date", "Sun, 06 Nov 1994 08:53:37 GMT")], Some(60)),
            (&[("expires", "0")], Some(0)),
            (&[("expires", "Sun, 06 Nov 1994 08:00:00 GMT")], Some(0)),
            (&[("cache-control", "max-age=7"), ("expires", "Sun, 06 Nov 1994 08:54:37 GMT")], Some(7)),
        ];
        for (lines, expected) in cases {
            let said = max_age(&fields(lines), UNIX_EPOCH + NOW);
            assert_eq!(said, expected.map(Duration::from_secs), "{lines:?}");
        }
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        for (value, expected) in [
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            let asked = retry_after(&fields(&[("retry-after", value)]), UNIX_EPOCH + NOW);
            assert_eq!(asked, expected.map(Duration::from_secs), "{value}");
        }
    }
}
