use crate::quickstart::Answer;
use countersign::crypto::{Backend, Ring};

const PAGE: &str = include_str!("page.html");

/// The page. It brings its own script and style, marked with a nonce that each answer has of its own: whatever else got
/// into it would not run, nothing is loaded from elsewhere, and no other site can lay it under a page of theirs.
pub(super) fn answer() -> Answer {
    let mut nonce = [0; 16];
    if Ring.random(&mut nonce).is_err() {
        return Answer::empty(500);
    }
    let nonce = nonce.map(|octet| format!("{octet:02x}")).concat();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Answer { body: PAGE.replace("NONCE", &nonce), ..Answer::empty(200) }
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", policy)
        .with("cache-control", "no-store")
        .with("x-content-type-options", "nosniff")
        .with("referrer-policy", "same-origin")
}
