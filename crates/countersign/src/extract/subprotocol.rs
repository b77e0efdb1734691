use super::{ExtractError, MAX_LINES, Place, SCHEME_OF_TOKENS, TokenExtractor, is_token, token68};
use crate::config::ConfigError;
use crate::request::{Credential, RequestView};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Takes the token from an item of `Sec-WebSocket-Protocol` (RFC 6455 §11.3.4): pages cannot set any other header field on
/// a WebSocket handshake.
///
/// The item is the prefix, a full stop, and the token as it is. A page offers it beside the protocol that it speaks:
/// `new WebSocket(url, ["chat", "countersign.bearer." + token])`.
///
/// - The prefix is compared with case, as RFC 6455 compares subprotocols. An item that does not begin with it is somebody
///   else's; one that has nothing behind it, or what no token is made of, is malformed.
/// - The list may be spread over several field lines. The same token twice is one; different tokens are refused.
/// - The item must be a token in the sense of RFC 9110 §5.6.2: that has no `/` and no `=`. A JWT never needs either.
/// - The field is read on every request. A handshake over HTTP/2 (RFC 8441) has no `Upgrade` field to know it by, and
///   elsewhere the field has no meaning, so that whoever sends it must have the token anyhow.
///
/// **Never select the item as the subprotocol of the connection**: the answer would repeat the token. Browsers close a
/// connection whose server selects none of what they offered, so a page offers a protocol beside it, and the server selects that:
/// `Tenure::protocols` of the adapters, and [`Subprotocols`] elsewhere, select among those that the application names.
///
/// ```
/// use countersign::extract::{SubprotocolExtractor, TokenExtractor};
/// use countersign::request::{Credential, RequestView};
///
/// let subprotocol = SubprotocolExtractor::new("countersign.bearer")?;
/// let headers = [("sec-websocket-protocol", "chat, countersign.bearer.eyJhbGci.e30.c2ln")];
/// let request = RequestView::new("GET", "/socket", None, &headers);
/// let found = subprotocol.extract(&request)?;
/// assert_eq!(found.as_ref().map(Credential::expose), Some("eyJhbGci.e30.c2ln"));
/// assert!(subprotocol.protocols(&request).eq(["chat"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SubprotocolExtractor {
    /// The full stop is part of it.
    prefix: String,
}

const FIELD: &str = "sec-websocket-protocol";

impl SubprotocolExtractor {
    /// The items that begin with `prefix` and a full stop.
    ///
    /// # Errors
    /// [`ConfigError`] when no subprotocol can begin like this: it is no token (RFC 9110 §5.6.2).
    pub fn new(prefix: impl Into<String>) -> Result<Self, ConfigError> {
        let mut prefix = prefix.into();
        if !is_token(&prefix) {
            return Err(ConfigError::new("subprotocol", "not a token of RFC 9110"));
        }
        prefix.push('.');
        Ok(Self { prefix })
    }

    /// The subprotocols that a client offers, in its order, without the item that carries the token: those of which the
    /// server may select one.
    ///
    /// What is no token of RFC 9110 is left out: it can name no subprotocol.
    pub fn protocols<'r>(&self, request: &RequestView<'r>) -> impl Iterator<Item = &'r str> {
        items(request)
            .filter_map(|item| std::str::from_utf8(item).ok())
            .filter(|item| is_token(item) && !item.starts_with(&self.prefix))
    }
}

/// The subprotocols that a WebSocket handshake offers (RFC 6455 §11.3.4), and the one that is selected for its answer.
///
/// What is selected is one that the application has named, so that the answer never repeats an item that carries a token.
/// `Debug` shows the selected one alone. Clones share what is offered: the first selection of any of them makes all forget it.
///
/// ```
/// use countersign::extract::Subprotocols;
/// use countersign::request::RequestView;
///
/// let headers = [("sec-websocket-protocol", "chat, chat.v2, countersign.bearer.eyJhbGci.e30.c2ln")];
/// let request = RequestView::new("GET", "/socket", None, &headers);
/// let offered = || Subprotocols::offered(&request);
/// assert_eq!(offered().select(["chat.v3", "chat.v2", "chat"]).selected(), Some("chat.v2"));
/// assert_eq!(offered().select(["soap"]).selected(), None);
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Subprotocols {
    /// Tokens may be among these, and a connection may last for days.
    offered: Arc<Mutex<Vec<String>>>,
    selected: Option<String>,
}

impl Subprotocols {
    /// What a request offers, with nothing selected. What is no token of RFC 9110 is left out: it can name no subprotocol.
    pub fn offered(request: &RequestView<'_>) -> Self {
        let offered = items(request).filter_map(|item| std::str::from_utf8(item).ok()).filter(|item| is_token(item));
        Self { offered: Arc::new(Mutex::new(offered.map(str::to_owned).collect())), selected: None }
    }

    /// Selects the first of `spoken`, which the application speaks and likes in this order, that is offered. What else is offered is
    /// forgotten, tokens among it, by this one and all its clones: a second selection has this one alone to choose from.
    pub fn select<P: AsRef<str>>(self, spoken: impl IntoIterator<Item = P>) -> Self {
        // Taken out: nothing of the caller's runs while it is locked.
        let offered = std::mem::take(&mut *self.offers());
        let mut spoken = spoken.into_iter();
        let selected = spoken.find_map(|own| offered.iter().find(|offered| *offered == own.as_ref()).cloned());
        *self.offers() = selected.iter().cloned().collect();
        Self { selected, ..self }
    }

    /// Forgets what is offered, with all clones: where the answer has been made, nothing is selected any more.
    pub fn forget(self) {
        self.offers().clear();
    }

    fn offers(&self) -> MutexGuard<'_, Vec<String>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to answer in `Sec-WebSocket-Protocol`; the answer has no such field where there is nothing.
    #[must_use]
    pub fn selected(&self) -> Option<&str> {
        self.selected.as_deref()
    }
}

impl fmt::Debug for Subprotocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subprotocols").field("selected", &self.selected).finish_non_exhaustive()
    }
}

/// The members of the list, whatever they are made of. Empty ones do not count (RFC 9110 §5.6.1.2).
fn items<'r>(request: &RequestView<'r>) -> impl Iterator<Item = &'r [u8]> + use<'r> {
    let headers = request.headers;
    (0..MAX_LINES)
        .map_while(move |nth| headers.header(FIELD, nth))
        .flat_map(|line| line.split(|octet| *octet == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|item| !item.is_empty())
}

impl TokenExtractor for SubprotocolExtractor {
    fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
        if request.headers.header(FIELD, MAX_LINES).is_some() {
            return Err(ExtractError::Repeated);
        }
        let mut found = None;
        for value in items(request).filter_map(|item| item.strip_prefix(self.prefix.as_bytes())) {
            let text = token68(value)?;
            if !is_token(text) {
                return Err(ExtractError::Malformed);
            }
            match found {
                None => found = Some(text),
                Some(first) if first == text => {}
                Some(_) => return Err(ExtractError::Repeated),
            }
        }
        Ok(found.map(|text| Credential::new(SCHEME_OF_TOKENS, text)))
    }

    fn place(&self) -> Place {
        Place::Header(FIELD.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is extracted, and what is left to negotiate about.
    fn ask(lines: &[&[u8]]) -> (Result<Option<String>, ExtractError>, Vec<String>) {
        let headers: Vec<_> = lines.iter().map(|line| ("Sec-WebSocket-Protocol", *line)).collect();
        let headers = headers.as_slice();
        let request = RequestView::new("GET", "/", None, &headers);
        let subprotocol = SubprotocolExtractor::new("p.b").expect("a token");
        let found = subprotocol.extract(&request).map(|found| found.map(|found| found.expose().to_owned()));
        (found, subprotocol.protocols(&request).map(str::to_owned).collect())
    }

    #[test]
    fn the_token_is_one_item_of_the_list() {
        let (t, malformed, repeated) =
            (|| Ok(Some("a.b.c".to_owned())), Err(ExtractError::Malformed), Err(ExtractError::Repeated));
        let cases: &[(&[&[u8]], Result<Option<String>, ExtractError>, &[&str])] = &[
            (&[], Ok(None), &[]),
            (&[b""], Ok(None), &[]),
            (&[b" , ,"], Ok(None), &[]),
            (&[b"chat"], Ok(None), &["chat"]),
            (&[b"p.b.a.b.c"], t(), &[]),
            (&[b"chat, p.b.a.b.c"], t(), &["chat"]),
            (&[b"\tp.b.a.b.c ,,chat\t"], t(), &["chat"]),
            (&[b"chat", b"p.b.a.b.c, v2"], t(), &["chat", "v2"]),
            (&[b"p.b.a.b.c, p.b.a.b.c"], t(), &[]),
            (&[b"p.b.~-_+"], Ok(Some("~-_+".into())), &[]),
            (&[b"p.b.a, p.b.c"], repeated.clone(), &[]),
            (&[b"p.b.a", b"p.b.c"], repeated, &[]),
            // Nobody's token: another case, another prefix, the prefix alone.
            (&[b"P.B.a, xp.b.a, p.ba, p.b"], Ok(None), &["P.B.a", "xp.b.a", "p.ba", "p.b"]),
            (&[b"p.b."], malformed.clone(), &[]),
            (&[b"p.b.a=="], malformed.clone(), &[]),
            (&[b"p.b.a/b"], malformed.clone(), &[]),
            (&[b"p.b.a b"], malformed.clone(), &[]),
            (&[b"p.b.!"], malformed.clone(), &[]),
            (&[b"p.b.\"a\""], malformed.clone(), &[]),
            (&["p.b.é".as_bytes()], malformed.clone(), &[]),
            (&[b"p.b.\xff"], malformed.clone(), &[]),
            (&[b"p.b.a, p.b.\xff"], malformed, &[]),
            (&["chat/1, é, v2".as_bytes(), b"\xff"], Ok(None), &["v2"]),
        ];
        for (lines, found, left) in cases {
            let lines_told: Vec<_> = lines.iter().map(|line| line.escape_ascii().to_string()).collect();
            assert_eq!(&ask(lines), &(found.clone(), left.iter().map(ToString::to_string).collect()), "{lines_told:?}");
        }
    }

    #[test]
    fn a_huge_list_is_read_whole() {
        let huge = format!("p.b.{}", "a".repeat(1 << 20));
        assert_eq!(ask(&[huge.as_bytes()]).0.map(|found| found.map(|text| text.len())), Ok(Some(1 << 20)));
        let many = format!("{}p.b.a", "x, ".repeat(100_000));
        assert_eq!(ask(&[many.as_bytes()]).0, Ok(Some("a".into())));
    }

    #[test]
    fn what_the_application_likes_best_is_selected_and_never_a_token() {
        let cases: &[(&[&str], &[&str], Option<&str>)] = &[
            (&[], &["chat"], None),
            (&["p.b.a.b.c"], &["chat"], None),
            (&["p.b.a.b.c"], &["p.b", "p.b.", "p.b.a.b", ""], None),
            (&["chat, p.b.a.b.c"], &["chat"], Some("chat")),
            (&["p.b.a.b.c", "v1, v2"], &["v3", "v2", "v1"], Some("v2")),
            (&["Chat"], &["chat"], None),
            (&["a b, a/b, é"], &["a b", "a/b", "é", "a"], None),
            (&["chat"], &[], None),
        ];
        for (lines, spoken, selected) in cases {
            let headers: Vec<_> = lines.iter().map(|line| ("sec-websocket-protocol", *line)).collect();
            let headers = headers.as_slice();
            let before = Subprotocols::offered(&RequestView::new("GET", "/", None, &headers));
            let protocols = before.clone().select(*spoken);
            assert_eq!(protocols.selected(), *selected, "{lines:?}");
            assert!(!format!("{protocols:?}").contains("a.b.c"), "{lines:?}");
            // Whoever keeps it keeps no token.
            for own in [&before, &protocols] {
                assert!(own.offers().iter().map(String::as_str).eq(*selected), "{lines:?}: {:?}", own.offers());
            }
            let again = protocols.clone().select(*spoken);
            assert_eq!(again.selected(), *selected, "{lines:?}");
            assert_eq!(protocols.select(["v1"]).selected(), None, "{lines:?}");
            assert!(before.offers().is_empty(), "{lines:?}");
        }
    }

    #[test]
    fn clones_forget_together() {
        let headers = [("sec-websocket-protocol", "chat, p.b.a.b.c")];
        let offered = Subprotocols::offered(&RequestView::new("GET", "/", None, &headers));
        let clone = offered.clone();
        offered.forget();
        assert!(clone.offers().is_empty());
        assert_eq!(clone.select(["chat"]).selected(), None);
    }

    #[test]
    fn prefixes_are_checked() {
        for bad in ["", "a b", "a,b", "a/b", "é"] {
            assert!(SubprotocolExtractor::new(bad).is_err(), "{bad}");
        }
    }
}
