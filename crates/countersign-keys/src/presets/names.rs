//! What goes into the URL of an issuer is held to a form that cannot change where the URL leads.

use countersign::ConfigError;
use url::Url;

/// RFC 1035 §2.3.4: of a name, and of what stands between its dots.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

fn refused(setting: &'static str, culprit: &str, what: &str) -> ConfigError {
    ConfigError::new(setting, format!("`{}` is no {what}", culprit.escape_debug()))
}

fn holds(fits: bool, setting: &'static str, culprit: &str, what: &str) -> Result<(), ConfigError> {
    if fits { Ok(()) } else { Err(refused(setting, culprit, what)) }
}

/// A host name in lower case with a dot in it, and no address.
pub(super) fn check_host(setting: &'static str, host: &str) -> Result<(), ConfigError> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(is_part)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends in a number is an address.
    let top = host.rsplit_once('.').map(|(_, top)| top);
    let is_name = top.is_some_and(|top| top.starts_with(|c: char| c.is_ascii_lowercase()));
    let fits = host.len() <= MAX_NAME && is_name && host.split('.').all(is_label);
    holds(fits, setting, host, "host name in lower case")
}

/// One segment of a path that reads as itself: RFC 3986's unreserved characters, and neither `.` nor `..`.
pub(super) fn check_segment(setting: &'static str, name: &str) -> Result<(), ConfigError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let fits = !matches!(name, "" | "." | "..") && name.bytes().all(is_plain);
    holds(fits, setting, name, "name of ASCII letters, digits, `-`, `.`, `_` and `~`")
}

/// An absolute URL in its one form, of a host and perhaps a path. Whether it may be plain HTTP, the client says.
pub(super) fn check_url(setting: &'static str, text: &str) -> Result<(), ConfigError> {
    let what = "URL such as `https://id.example`, in its usual form, without user, query and fragment";
    let url = Url::parse(text).map_err(|_| refused(setting, text, what))?;
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !url.path().contains("//")
        && url.path().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte));
    let is_usual = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
    holds(matches!(url.scheme(), "https" | "http") && is_bare && is_usual, setting, text, what)
}

/// A UUID in lower case, as it stands in tokens.
pub(super) fn check_uuid(setting: &'static str, uuid: &str) -> Result<(), ConfigError> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let lengths = uuid.split('-').map(str::len);
    let fits = lengths.eq([8, 4, 4, 4, 12]) && uuid.bytes().all(|byte| byte == b'-' || is_digit(byte));
    holds(fits, setting, uuid, "UUID in lower case")
}

/// The region in the id of a user pool.
pub(super) fn region_of_pool<'p>(setting: &'static str, pool: &'p str) -> Result<&'p str, ConfigError> {
    let is_region = |region: &str| {
        let (place, number) = region.rsplit_once('-').unwrap_or_default();
        let is_place = place.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()));
        is_place && place.contains('-') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match pool.split_once('_') {
        Some((region, _)) if region.starts_with("cn-") => {
            Err(ConfigError::new(setting, "regions of China have a domain that this preset does not know"))
        }
        Some((region, id)) if pool.len() <= MAX_LABEL && is_region(region) && is_id(id) => Ok(region),
        _ => Err(refused(setting, pool, "id of a user pool such as `eu-central-1_EXAMPLE`")),
    }
}

/// `owner/name`.
pub(super) fn check_repository(setting: &'static str, repository: &str) -> Result<(), ConfigError> {
    let is_name = |name: &str| check_segment(setting, name).is_ok();
    let fits = repository.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name));
    holds(fits, setting, repository, "repository such as `owner/name`")
}
