//! A page whose users log in: the token lives in a cookie that no script can read, other sites cannot use it, and who logs
//! out takes the token's worth with it. Here stands what is the same in `cookie_app`, `cookie_app_actix` and
//! `cookie_app_warp`; each of the three adds its routes.

mod command;
mod notes;

pub use command::start;

use crate::quickstart::Answer;
use countersign::cache::FleetKey;
use countersign::claims::NumericDate;
use countersign::cookie::HostCookie;
use countersign::crypto::{Backend, Ring};
use countersign::extract::{CookieExtractor, CsrfTokens, TokenExtractor};
use countersign::issue::{Claims, JwtSigner};
use countersign::reason::Reason;
use countersign::request::RequestView;
use countersign::revocation::MemoryDenylist;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey, VerifiedToken};
use countersign_rbac::RbacAuthorizer;
use notes::Notes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

const AUDIENCE: &str = "cookie-app";
const COOKIE: &str = "__Host-session";
const USERS: [&str; 2] = ["reader", "writer"];
const LONGEST_LIFETIME: u64 = 600;

/// The service, as far as it does not matter by which framework it is reached.
#[derive(Debug)]
pub struct CookieApp {
    url: String,
    guard: Guard,
    signer: JwtSigner,
    session: HostCookie,
    extractor: CookieExtractor,
    csrf_tokens: CsrfTokens,
    revoked: Arc<MemoryDenylist>,
    notes: Notes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
    #[serde(default = "longest_lifetime")]
    lifetime: u64,
}

fn longest_lifetime() -> u64 {
    LONGEST_LIFETIME
}

impl CookieApp {
    /// The service that browsers reach by `url`.
    ///
    /// # Errors
    /// When a key cannot be made or a setting is wrong.
    pub fn new(url: impl Into<String>) -> Result<Self, Box<dyn Error>> {
        let url = url.into();
        let signing_key = SigningKey::generate(Algorithm::ES256)?;
        // One process, one clock: no leeway, so that the token ends with the cookie.
        let verifier = JwtVerifier::builder(signing_key.verifying_key().clone())
            .issuer(&url)
            .audience(AUDIENCE)
            .leeway(Duration::ZERO)
            .build()?;
        let mut secret = [0; 32];
        Ring.random(&mut secret)?;
        let csrf_tokens = CsrfTokens::new(FleetKey::new(secret)?);
        let session = HostCookie::new(COOKIE)?;
        let extractor = CookieExtractor::new(session.name())?.origin(&url)?.csrf_tokens(csrf_tokens.clone());
        let revoked = Arc::new(MemoryDenylist::new());
        let roles =
            RbacAuthorizer::builder().role("reader", ["notes:read"]).role("writer", ["notes:read", "notes:write"]);
        let guard = Guard::builder(verifier)
            .extractor(extractor.clone())
            .revocation(revoked.clone())
            .authorizer(roles.build()?)
            .realm(AUDIENCE)
            .build()?;
        let signer = JwtSigner::new(signing_key);
        Ok(Self { url, guard, signer, session, extractor, csrf_tokens, revoked, notes: Notes::default() })
    }

    /// The guard of its routes.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// `GET /`
    #[must_use]
    pub fn page(&self) -> Answer {
        crate::page::answer(include_str!("cookie_app/page.html"))
    }

    /// `POST /login` with `{"user": …}`, and optionally a `lifetime` in seconds: a demo asks for no password.
    ///
    /// There is no cookie yet for the guard to look after, so the question whose request it is stands here: else another
    /// site could log the user in as somebody else, and read what is written then.
    #[must_use]
    pub fn log_in(&self, request: &RequestView<'_>, body: &[u8]) -> Answer {
        if !self.extractor.is_ours(request) {
            return self.guard.refuse(Reason::CrossSite).into();
        }
        let Ok(Login { user, lifetime }) = serde_json::from_slice(body) else {
            return Answer::error(400, "the body is not {\"user\": …, \"lifetime\": …} in JSON");
        };
        if !(1..=LONGEST_LIFETIME).contains(&lifetime) {
            return Answer::error(400, "the lifetime is not between 1 and 600 seconds");
        }
        if !USERS.contains(&&*user) {
            let challenge = format!("Bearer realm=\"{AUDIENCE}\"");
            return Answer::error(401, "unknown user").with("www-authenticate", challenge);
        }
        let lifetime = Duration::from_secs(lifetime);
        match self.token(&user, lifetime).and_then(|token| Ok(self.session.set(&token, lifetime)?)) {
            Ok(cookie) => Answer::empty(204).with("set-cookie", cookie).with("cache-control", "no-store"),
            Err(_) => Answer::error(500, "no token could be made"),
        }
    }

    /// A token for a user, whose role is of the same name.
    fn token(&self, user: &str, lifetime: Duration) -> Result<String, Box<dyn Error>> {
        let claims = Claims::new(&self.url).subject(user).audience(AUDIENCE).lifetime(lifetime);
        Ok(self.signer.issue(&claims.with(&json!({ "roles": [user] }))?)?)
    }

    /// `GET /me`: who asks, and an anti-CSRF token for their session. Browsers prove by fetch metadata that a request is
    /// ours; whoever sends none sends the token in `X-CSRF-Token`. It comes in a body and in no cookie, because other sites
    /// cannot read bodies, and pages on other ports of this host can read cookies.
    #[must_use]
    pub fn me(&self, token: &VerifiedToken, request: &RequestView<'_>) -> Answer {
        let Ok(Some(session)) = self.extractor.extract(request) else { return Answer::empty(500) };
        match self.csrf_tokens.issue(session.expose()) {
            Ok(csrf_token) => private(&json!({ "user": token.subject(), "csrf_token": csrf_token })),
            Err(_) => Answer::empty(500),
        }
    }

    /// `GET /notes`
    #[must_use]
    pub fn notes(&self) -> Answer {
        private(&self.notes.all())
    }

    /// `POST /notes` with `{"text": …}`
    #[must_use]
    pub fn add_note(&self, token: &VerifiedToken, body: &[u8]) -> Answer {
        match self.notes.add(token.subject().unwrap_or_default(), body) {
            Ok(()) => Answer::empty(201).with("cache-control", "no-store"),
            Err(problem) => Answer::error(400, problem),
        }
    }

    /// `POST /logout`: the browser forgets the cookie, a copy of the token that somebody took is worth nothing, and what is open
    /// by it is closed: the guard is told.
    #[must_use]
    pub fn log_out(&self, token: &VerifiedToken) -> Answer {
        let until = token.expires_at().and_then(NumericDate::to_system_time);
        let (Some(issuer), Some(token_id), Some(until)) = (token.issuer(), token.token_id(), until) else {
            return Answer::empty(500);
        };
        self.revoked.revoke_token(issuer, token_id, until);
        Answer::empty(204).with("set-cookie", self.session.clear()).with("cache-control", "no-store")
    }
}

/// What is for this user alone, so that nobody may keep it.
fn private(body: &impl Serialize) -> Answer {
    Answer::json(200, body).with("cache-control", "no-store").with("x-content-type-options", "nosniff")
}
