use crate::quickstart::Answer;
use countersign::crypto::{Backend, Ring};

/// A page in one file. It brings its own script and style, marked with `NONCE`, for which each answer has a nonce of its own:
/// whatever else got into it would not run, nothing is loaded from elsewhere, and no other site can lay it under a page of
/// theirs.
pub(crate) fn answer(page: &str) -> Answer {
    let mut nonce = [0; 16];
    if Ring.random(&mut nonce).is_err() {
        return Answer::empty(500);
    }
    let nonce = nonce.map(|octet| format!("{octet:02x}")).concat();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Answer { body: page.replace("NONCE", &nonce), ..Answer::empty(200) }
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", policy)
        .with("cache-control", "no-store")
        .with("x-content-type-options", "nosniff")
        .with("referrer-policy", "same-origin")
}
