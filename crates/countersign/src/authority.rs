//! Hosts and ports as they stand in URLs (RFC 3986 §3.2), and origins as browsers write them (RFC 6454 §6.2).

use crate::config::ConfigError;
// Addresses as text: nothing here can open a socket.
use core::net::{Ipv4Addr, Ipv6Addr};

/// RFC 1035 §2.3.4: of a name, and of what stands between its dots.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Refuses what no client sends as the origin of a page: what is no origin, and an origin in another form than the one that
/// everybody writes, as it would never be equal to what comes.
///
/// # Errors
/// [`ConfigError`] that names `setting`, and what to write where that is clear.
pub(crate) fn check_origin(setting: &'static str, origin: &str) -> Result<(), ConfigError> {
    let parts = origin.split_once("://").and_then(|(scheme, authority)| match scheme {
        "https" => Some((scheme, authority, 443)),
        "http" => Some((scheme, authority, 80)),
        _ => None,
    });
    let (scheme, authority, default_port) =
        parts.ok_or_else(|| ConfigError::new(setting, "not an origin such as `https://app.example`"))?;
    let usual = usual_form(authority, default_port).map_err(|problem| ConfigError::new(setting, problem))?;
    if usual != authority {
        return Err(ConfigError::new(setting, format!("in a form that no client sends: write `{scheme}://{usual}`")));
    }
    Ok(())
}

/// Host and port as clients write them: in lower case, without the default port, addresses in their one form (WHATWG URL,
/// "host serializing"). A problem where it is no host.
pub(crate) fn usual_form(authority: &str, default_port: u16) -> Result<String, String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or("a `[` without its `]`")?;
            let port = rest.strip_prefix(':').or(rest.is_empty().then_some(""));
            (ipv6(address)?, port.ok_or("something other than a port behind the `]`")?)
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            (name_or_ipv4(host)?, port)
        }
    };
    match port_number(port)? {
        Some(port) if port != default_port => Ok(format!("{host}:{port}")),
        _ => Ok(host),
    }
}

/// `None` for an empty one, which stands for the default (RFC 3986 §3.2.3).
fn port_number(port: &str) -> Result<Option<u16>, String> {
    if port.is_empty() {
        return Ok(None);
    }
    let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
    let number = port.parse().ok().filter(|number| is_number && *number != 0);
    number.map(Some).ok_or_else(|| format!("`{}` is no port", port.escape_debug()))
}

fn name_or_ipv4(host: &str) -> Result<String, String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if let Some(c) = host.chars().find(|c| !is_part(*c)) {
        let instead = if c.is_ascii() { "" } else { ": write the name in ASCII (`xn--…`)" };
        return Err(format!("`{}` stands in no host{instead}", c.escape_debug()));
    }
    // The dot of the root makes another origin, and is none of the labels.
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > MAX_NAME || name.split('.').any(|label| label.is_empty() || label.len() > MAX_LABEL) {
        return Err("no host, or one with a label that is empty or too long".into());
    }
    // What ends in a number is an address or nothing (WHATWG URL, "ends in a number").
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_hexadecimal = |text: &str| text.bytes().all(|octet| octet.is_ascii_hexdigit());
    if last.bytes().all(|octet| octet.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(is_hexadecimal) {
        let address: Ipv4Addr = name.parse().map_err(|_| format!("`{host}` is no IPv4 address"))?;
        return Ok(address.to_string());
    }
    Ok(host.to_ascii_lowercase())
}

fn ipv6(address: &str) -> Result<String, String> {
    let parsed: Ipv6Addr = address.parse().map_err(|_| format!("`{}` is no IPv6 address", address.escape_debug()))?;
    // Only RFC 5952 §5 writes these with dots; browsers do not.
    if let (Some(_), [.., high, low]) = (parsed.to_ipv4_mapped(), parsed.segments()) {
        return Ok(format!("[::ffff:{high:x}:{low:x}]"));
    }
    Ok(format!("[{parsed}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_origin_stands_in_the_one_form_that_browsers_send() {
        let good = [
            "https://app.example",
            "http://app.example",
            "http://localhost:3000",
            "https://app.example:8443",
            "https://app.example:80",
            "http://app.example:443",
            "https://app.example.",
            "https://a_b-.example",
            "https://xn--mller-kva.example",
            "https://1.example",
            "https://127.0.0.1:65535",
            "https://[::1]",
            "https://[2001:db8::1]:8443",
            "https://[::ffff:102:304]",
        ];
        for origin in good {
            assert_eq!(check_origin("origin", origin), Ok(()), "{origin}");
        }
        let rewritten = [
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("https://app.example:", "https://app.example"),
            ("https://app.example:0443", "https://app.example"),
            ("https://app.example:08443", "https://app.example:8443"),
            ("https://App.example", "https://app.example"),
            ("https://127.0.0.1.", "https://127.0.0.1"),
            ("https://[::1]:443", "https://[::1]"),
            ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
            ("https://[::ffff:1.2.3.4]", "https://[::ffff:102:304]"),
        ];
        for (origin, instead) in rewritten {
            let error = check_origin("origin", origin).expect_err(origin).to_string();
            assert_eq!(error, format!("`origin`: in a form that no client sends: write `{instead}`"), "{origin}");
            assert_eq!(check_origin("origin", instead), Ok(()));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_its_culprit() {
        let long = "a".repeat(MAX_LABEL + 1);
        let (long_label, long_name) = (format!("https://{long}.example"), format!("https://{}", "a.".repeat(150)));
        let such_as = "not an origin such as `https://app.example`";
        let label = "no host, or one with a label that is empty or too long";
        let cases = [
            ("", such_as),
            ("null", such_as),
            ("*", such_as),
            ("app.example", such_as),
            ("//app.example", such_as),
            ("https:/app.example", such_as),
            ("HTTPS://app.example", such_as),
            ("ftp://app.example", such_as),
            (" https://app.example", such_as),
            ("https://", label),
            ("https://:8443", label),
            ("https://.", label),
            ("https://.example", label),
            ("https://a..example", label),
            (&long_label, label),
            (&long_name, label),
            ("https://app.example/", "`/` stands in no host"),
            ("https://app.example:8443/", "`8443/` is no port"),
            ("https://app.example?", "`?` stands in no host"),
            ("https://app.example#", "`#` stands in no host"),
            ("https://user@app.example", "`@` stands in no host"),
            ("https://%zz", "`%` stands in no host"),
            ("https://%61pp.example", "`%` stands in no host"),
            ("https://*.example", "`*` stands in no host"),
            ("https://app.example ", "` ` stands in no host"),
            ("https://app.example\n", "`\\n` stands in no host"),
            ("https://app\\.example", "`\\\\` stands in no host"),
            ("https://müller.example", "`ü` stands in no host: write the name in ASCII (`xn--…`)"),
            ("https://app.example:99999", "`99999` is no port"),
            ("https://app.example:65536", "`65536` is no port"),
            ("https://app.example:0", "`0` is no port"),
            ("https://app.example:-1", "`-1` is no port"),
            ("https://app.example:+443", "`+443` is no port"),
            ("https://app.example:https", "`https` is no port"),
            ("https://app.example:1:2", "`1:2` is no port"),
            ("https://256.0.0.1", "`256.0.0.1` is no IPv4 address"),
            ("https://127.1", "`127.1` is no IPv4 address"),
            ("https://127.0.0.01", "`127.0.0.01` is no IPv4 address"),
            ("https://0x7f000001", "`0x7f000001` is no IPv4 address"),
            ("https://a.1", "`a.1` is no IPv4 address"),
            ("https://::1", label),
            ("https://[", "a `[` without its `]`"),
            ("https://[::1", "a `[` without its `]`"),
            ("https://[]", "`` is no IPv6 address"),
            ("https://[app.example]", "`app.example` is no IPv6 address"),
            ("https://[fe80::1%25eth0]", "`fe80::1%25eth0` is no IPv6 address"),
            ("https://[::1]8443", "something other than a port behind the `]`"),
            ("https://[::1]:99999", "`99999` is no port"),
        ];
        for (origin, problem) in cases {
            let error = check_origin("origin", origin).expect_err(origin);
            assert_eq!(error.to_string(), format!("`origin`: {problem}"), "{origin}");
        }
    }

    proptest! {
        #[test]
        fn the_usual_form_is_its_own_usual_form(authority in "\\PC{0,20}|[a-zA-Z0-9.:%_\\[\\]-]{0,20}|\\[[0-9a-f:.]{0,12}\\](:[0-9]{0,5})?") {
            if let Ok(usual) = usual_form(&authority, 443) {
                prop_assert_eq!(usual_form(&usual, 443), Ok(usual.clone()));
                let origin = format!("https://{usual}");
                prop_assert_eq!(check_origin("origin", &origin), Ok(()));
            }
        }
    }
}
