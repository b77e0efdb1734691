//! Guards to put before the routes, and tokens to send them.

use super::catalog::Catalog;
use crate::clock::FakeClock;
use crate::issuer::{Broken, TestIssuer, TestToken};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, Why};
use countersign::cache::FleetKey;
use countersign::extract::{CookieExtractor, CsrfTokens, HeaderExtractor, QueryExtractor, SubprotocolExtractor};
use countersign::observe::Observer;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet, Unavailable};
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::resource_metadata::ResourceMetadata;
use countersign::revocation::{Changes, MemoryDenylist, RevocationCheck, TokenStatus};
use countersign::screening::{BodyStyle, GuardBuilder, Refused, Rendered, Renderer};
use countersign::verify::{JwtVerifierBuilder, TokenVerifier, VerifyError};
use countersign::{Algorithm, ConfigError, Guard, JwtVerifier, SigningKey, VerifiedToken, VerifyingKey, async_trait};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// The time in the worlds.
const NOW: u32 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example/";

/// The guards of the [table](super::AdapterTable), and the tokens that its requests carry: for tests beside it.
///
/// A *world* is a way to set a guard up. The default one has the realm `api`, takes bearer tokens of one issuer, and knows the
/// roles `reader`, who may `posts:read`, and `admin`, who may `posts:write` as well. In `cookie, plain` the guard is that of
/// `cookie`, and writes the bodies of `plain`.
///
/// ```
/// use countersign::request::RequestView;
/// use countersign_testkit::adapter::Worlds;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let worlds = Worlds::new();
/// let check = worlds.guard("default").check_authenticated();
/// let headers = [("authorization", worlds.fill("Bearer {T}"))];
/// let request = RequestView::new("GET", "/me", None, &headers);
/// assert!(check.judge(&check.screening(None), &request).await.is_ok());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Worlds {
    issuer: TestIssuer,
    authorizer: Arc<dyn Authorizer>,
    /// A name stands for one token: signing twice would give two.
    made: Mutex<HashMap<String, String>>,
}

impl Default for Worlds {
    fn default() -> Self {
        Self::new()
    }
}

impl Worlds {
    /// With an authorizer of its own.
    #[must_use]
    pub fn new() -> Self {
        let issuer = TestIssuer::builder().issuer(ISSUER).clock(FakeClock::at(NOW.into())).build();
        Self { issuer, authorizer: Arc::new(Catalog), made: Mutex::default() }
    }

    /// With another authorizer, which knows the same roles and permissions: one that is to be tested in passing.
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Arc::new(authorizer);
        self
    }

    /// The token that a placeholder stands for, such as `T`, which is good, or `E`, which has expired.
    ///
    /// # Panics
    /// Where no token has this name.
    #[must_use]
    pub fn named(&self, name: &str) -> String {
        if let Some(made) = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return made.clone();
        }
        let token = self.make(name);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), token.clone());
        token
    }

    fn make(&self, name: &str) -> String {
        let good = || self.issuer.subject("reader").role("reader").scope("a").scope("b").token_id("t1");
        match name {
            "T" => good().sign(),
            "T2" => good().claim("sub", "somebody else").sign(),
            "ADMIN" => good().claim("roles", ["admin"]).sign(),
            "E" => good().claim("exp", NOW - 60).sign(),
            "ISSUER" => good().broken(Broken::WrongIssuer),
            "AUDIENCE" => good().broken(Broken::WrongAudience),
            "EARLY" => good().claim("nbf", NOW + 60).sign(),
            "LASTING" => good().broken(Broken::MissingExpiration),
            "BACKDATED" => good().claim("iat", NOW - 500).sign(),
            "BOUND" => good().broken(Broken::HolderBound),
            "ENDURING" => good().claim("exp", NOW + 3600).sign(),
            "EVENT" => good().broken(Broken::SecurityEvent),
            "NONCED" => good().claim("nonce", "n").sign(),
            "PARTY" => good().claim("azp", "another-api").sign(),
            "POSTDATED" => good().claim("iat", NOW + 60).sign(),
            "T3" => good().token_id("t3").sign(),
            "REVOKED" => good().token_id("revoked").sign(),
            "ROLES" => good().claim("roles", json!({"reader": true})).sign(),
            "HS256" => good().broken(Broken::AlgorithmConfused),
            "KID" => good().header("kid", "k2").sign(),
            "TEXTUAL" => good().claim("exp", "tomorrow").sign(),
            "NAMELESS" => forged(&good().header("kid", json!(null)).header("typ", json!(null))),
            "TYPED" => good().broken(Broken::ForeignType),
            "CSRF" => csrf_tokens().issue(&self.named("T")).expect("a token"),
            "CSRF2" => csrf_tokens().issue(&self.named("T2")).expect("a token"),
            "NONE" => good().broken(Broken::AlgorithmNone),
            "RS256" => good().header("alg", "RS256").sign(),
            "CRIT" => forged(&good().header("crit", ["exp"])),
            "B" => {
                let good = self.named("T");
                let (input, _) = good.rsplit_once('.').expect("three parts");
                format!("{input}.{}", URL_SAFE_NO_PAD.encode([1; 64]))
            }
            other => panic!("no token is called {other}"),
        }
    }

    /// `text` with each `{NAME}` replaced by its token; `{LONG:n}` and `{DOTS:n}` stand for n letters or dots.
    ///
    /// # Panics
    /// Where no token has a name that stands there, or a placeholder is not closed.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').expect("a closed placeholder");
            filled.push_str(before);
            filled.push_str(&match name.split_once(':') {
                Some(("LONG", length)) => "a".repeat(length.parse().expect("a length")),
                Some(("DOTS", length)) => ".".repeat(length.parse().expect("a length")),
                _ => self.named(name),
            });
            rest = after;
        }
        filled + rest
    }

    /// The guard of a world.
    ///
    /// # Panics
    /// Where no world has this name.
    #[must_use]
    pub fn guard(&self, world: &str) -> Guard {
        self.builder(world).build().expect("a guard")
    }

    /// The guard of a world, telling `observer`. In the world `later` it is the place of one that is never handed over.
    ///
    /// # Panics
    /// Where no world has this name.
    pub fn guard_told(&self, world: &str, observer: impl Observer) -> Guard {
        match world {
            "later" => Guard::later_told(observer).0,
            _ => self.builder(world).observer(observer).build().expect("a guard"),
        }
    }

    /// A guard of the default world that has its keys from somewhere else.
    ///
    /// # Panics
    /// Never: its settings are good ones.
    pub fn with_keys(&self, keys: impl KeyProvider) -> GuardBuilder {
        self.with_verifier(verifier(keys).build().expect("a verifier"))
    }

    fn with_verifier(&self, verifier: impl TokenVerifier) -> GuardBuilder {
        Guard::builder(verifier).authorizer(Arc::clone(&self.authorizer)).realm("api")
    }

    /// What the tokens are verified with.
    #[must_use]
    pub fn keys(&self) -> KeySet {
        KeySet::from_iter([self.issuer.signing_key().verifying_key().clone()])
    }

    /// What the guard of a world is made with.
    ///
    /// # Panics
    /// Where no world has this name, or its guard is none that is built: `later`, `unguarded`.
    pub fn builder(&self, world: &str) -> GuardBuilder {
        if let Some((world, style)) = world.split_once(", ") {
            return styled(self.builder(world), style);
        }
        let keys = self.keys();
        let builder = || self.with_keys(keys.clone());
        let cookie = || CookieExtractor::new("t").and_then(|t| t.origin("https://app.example")).expect("a cookie");
        let denylist = || {
            let denylist = MemoryDenylist::new();
            denylist.revoke_token(ISSUER, "revoked", UNIX_EPOCH + Duration::from_secs(u64::from(NOW) + 3600));
            denylist
        };
        match world {
            "default" => builder().revocation(denylist()),
            "verbose" => builder()
                .scope("a c")
                .resource_metadata("https://api.example/.well-known/oauth-protected-resource")
                .public_scopes(),
            "plain" | "empty" | "own" => styled(builder(), world),
            "cookie" => builder().extractor(HeaderExtractor::bearer()).extractor(cookie()),
            "first" => builder().extractor(HeaderExtractor::bearer()).extractor(cookie()).first_wins(),
            "cookie-first" => builder().extractor(cookie()).extractor(HeaderExtractor::bearer()).first_wins(),
            "flama" => {
                let header = HeaderExtractor::new("access_token").and_then(|header| header.prefix("Bearer"));
                let cookie = CookieExtractor::new("access_token").expect("a cookie");
                builder().extractor(header.expect("a field")).extractor(cookie).first_wins()
            }
            "csrf" => builder().extractor(cookie().csrf_tokens(csrf_tokens())),
            "anywhere" => builder().extractor(cookie().danger_any_site()),
            "subprotocol" => builder()
                .extractor(HeaderExtractor::bearer())
                .extractor(SubprotocolExtractor::new("bearer").expect("a prefix")),
            "query" => builder().extractor(QueryExtractor::danger_new("access_token").expect("a name")),
            "described" => builder().protected_resource(
                ResourceMetadata::builder("https://api.example/v1")
                    .authorization_server(ISSUER)
                    .scopes(["a", "b"])
                    .build()
                    .expect("metadata"),
            ),
            "rotated" => {
                let other = SigningKey::generate(Algorithm::ES256).and_then(|key| key.with_key_id("k2"));
                self.with_keys(KeySet::from_iter([
                    self.issuer.signing_key().verifying_key().clone(),
                    other.expect("a key").verifying_key().clone(),
                ]))
            }
            "strict" => {
                let strict = verifier(keys.clone()).subject("reader").max_age(Duration::from_secs(300));
                let strict = strict.max_lifetime(Duration::from_secs(1200)).check(|token| match token.token_id() {
                    Some("t3") => Err(OWN_CHECK),
                    _ => Ok(()),
                });
                self.with_verifier(strict.build().expect("a verifier"))
            }
            "login" => self.with_verifier(Login(verifier(keys.clone()).id_tokens_only().build().expect("a verifier"))),
            "password" => {
                let basic = HeaderExtractor::new("authorization").and_then(|header| header.prefix("Basic"));
                self.with_verifier(Stranger).extractor(basic.expect("a scheme"))
            }
            "down" => self.with_keys(Down),
            "unknown" => builder().revocation(Unsure),
            "undecided" => builder().authorizer(Unsure),
            other => panic!("no world is called {other}"),
        }
    }
}

fn styled(builder: GuardBuilder, style: &str) -> GuardBuilder {
    match style {
        "plain" => builder.body(BodyStyle::Plain),
        "empty" => builder.body(BodyStyle::Empty),
        "own" => builder.body(Own),
        other => panic!("no style is called {other}"),
    }
}

/// What the application's own check of the world `strict` says no with.
///
/// ```
/// use countersign::reason::{Reason, Rejection};
/// use countersign::request::RequestView;
/// use countersign_testkit::adapter::{OWN_CHECK, Worlds};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let worlds = Worlds::new();
/// let check = worlds.guard("strict").check_authenticated();
/// let headers = [("authorization", worlds.fill("Bearer {T3}"))];
/// let denial = check.judge(&check.screening(None), &RequestView::new("GET", "/me", None, &headers)).await;
/// let reason = denial.map_err(|denial| denial.reason()).err();
/// assert_eq!(reason, Some(Reason::Rejected(Rejection::Check(OWN_CHECK))));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub const OWN_CHECK: &str = "not_the_third";

/// The token with a signature that nobody made.
fn forged(token: &TestToken) -> String {
    let signed = token.sign();
    let (input, _) = signed.rsplit_once('.').expect("three parts");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode([0; 64]))
}

fn verifier(keys: impl KeyProvider) -> JwtVerifierBuilder {
    JwtVerifier::builder(keys).issuer(ISSUER).audience("api").clock(FakeClock::at(NOW.into()))
}

fn csrf_tokens() -> CsrfTokens {
    CsrfTokens::new(FleetKey::new([7; 32]).expect("a key"))
}

/// The end of a login, which sent the nonce `n` and was given the access token `x`.
#[derive(Debug)]
struct Login(JwtVerifier);
#[async_trait]
impl TokenVerifier for Login {
    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        let token = self.0.verify(credential).await?;
        token.check_nonce("n")?;
        token.check_access_token("x")?;
        Ok(token)
    }
    fn recheck_now(&self, token: &VerifiedToken) -> Option<Result<(), VerifyError>> {
        self.0.recheck_now(token)
    }
    async fn recheck(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
        self.0.recheck(token).await
    }
    fn changes(&self) -> Option<Changes> {
        self.0.changes()
    }
}

/// Knows nobody's password.
#[derive(Debug)]
struct Stranger;
#[async_trait]
impl TokenVerifier for Stranger {
    async fn verify(&self, _: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        Err(Rejection::Credentials.into())
    }
}

/// Bodies of an application's own.
#[derive(Debug)]
struct Own;
impl Renderer for Own {
    fn render(&self, refused: &Refused<'_>) -> Rendered {
        Rendered::new("text/plain; charset=utf-8", format!("no: {}", refused.code()))
    }
}

/// Keys that cannot be had, and that say when to come again.
#[derive(Debug)]
struct Down;
#[async_trait]
impl KeyProvider for Down {
    async fn key(&self, _: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        Err(KeyProviderError::Unavailable(Unavailable::default().retry_after(Duration::from_secs(7))))
    }
}

/// Knows nothing.
#[derive(Debug)]
struct Unsure;
#[async_trait]
impl RevocationCheck for Unsure {
    async fn status(&self, _: &VerifiedToken) -> TokenStatus {
        TokenStatus::Unknown
    }
}
#[async_trait]
impl Authorizer for Unsure {
    fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
        Ok(())
    }
    async fn decide(&self, _: &AccessRequest<'_>) -> Decision {
        Decision::Indeterminate(Why::new("unsure", "always"))
    }
}
