//! Guards to put before the routes, and tokens to send them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, Why};
use countersign::cache::FleetKey;
use countersign::extract::{CookieExtractor, CsrfTokens, HeaderExtractor, QueryExtractor, SubprotocolExtractor};
use countersign::issue::JwtSigner;
use countersign::observe::Observer;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, Unavailable};
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::resource_metadata::ResourceMetadata;
use countersign::revocation::{MemoryDenylist, RevocationCheck, TokenStatus};
use countersign::screening::{BodyStyle, GuardBuilder, Refused, Rendered, Renderer};
use countersign::verify::{JwtVerifierBuilder, TokenVerifier, VerifyError};
use countersign::{Algorithm, ConfigError, Guard, JwtVerifier, SigningKey, VerifiedToken, VerifyingKey, async_trait};
use countersign_keys::StaticKeys;
use countersign_rbac::RbacAuthorizer;
use countersign_testkit::clock::FakeClock;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

pub(crate) const NOW: u32 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example/";

/// The signing key of all worlds, and what is made with it.
pub(crate) struct Tokens {
    key: SigningKey,
    hmac: SigningKey,
    /// A name stands for one token: signing twice would give two.
    made: Mutex<HashMap<String, String>>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id("k1").expect("a kid");
        let hmac =
            SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret").with_key_id("k1").expect("a kid");
        Self { key, hmac, made: Mutex::default() }
    }

    fn sign(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": "api", "sub": "reader", "roles": ["reader"], "scope": "a b",
            "iat": NOW, "exp": NOW + 600, "jti": "t1",
        });
        change(&mut claims);
        JwtSigner::new(self.key.clone()).sign(&claims).expect("a token")
    }

    /// The token that a placeholder stands for.
    pub(crate) fn named(&self, name: &str) -> String {
        if let Some(made) = self.made.lock().expect("lock").get(name) {
            return made.clone();
        }
        let token = self.make(name);
        self.made.lock().expect("lock").insert(name.to_owned(), token.clone());
        token
    }

    fn make(&self, name: &str) -> String {
        let forged_until = |exp: Value, header: Value| {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string().as_bytes());
            let claims = json!({"iss": ISSUER, "aud": "api", "sub": "reader", "exp": exp});
            format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode([0; 64]))
        };
        let forged = |header| forged_until(json!(NOW + 600), header);
        match name {
            "T" => self.sign(|_| {}),
            "T2" => self.sign(|claims| claims["sub"] = json!("somebody else")),
            "ADMIN" => self.sign(|claims| claims["roles"] = json!(["admin"])),
            "E" => self.sign(|claims| claims["exp"] = json!(NOW - 60)),
            "ISSUER" => self.sign(|claims| claims["iss"] = json!("https://elsewhere.example/")),
            "AUDIENCE" => self.sign(|claims| claims["aud"] = json!("another-api")),
            "EARLY" => self.sign(|claims| claims["nbf"] = json!(NOW + 60)),
            "LASTING" => self.sign(|claims| {
                claims.as_object_mut().expect("an object").remove("exp");
            }),
            "BACKDATED" => self.sign(|claims| claims["iat"] = json!(NOW - 500)),
            "BOUND" => self.sign(|claims| claims["cnf"] = json!({"jkt": "x"})),
            "ENDURING" => self.sign(|claims| claims["exp"] = json!(NOW + 3600)),
            "EVENT" => self.sign(|claims| claims["events"] = json!({"https://events.example/logout": {}})),
            "NONCED" => self.sign(|claims| claims["nonce"] = json!("n")),
            "PARTY" => self.sign(|claims| claims["azp"] = json!("another-api")),
            "POSTDATED" => self.sign(|claims| claims["iat"] = json!(NOW + 60)),
            "T3" => self.sign(|claims| claims["jti"] = json!("t3")),
            "REVOKED" => self.sign(|claims| claims["jti"] = json!("revoked")),
            "ROLES" => self.sign(|claims| claims["roles"] = json!({"reader": true})),
            "HS256" => JwtSigner::new(self.hmac.clone()).sign(&json!({"sub": "reader"})).expect("a token"),
            "KID" => {
                let other = self.key.clone().with_key_id("k2").expect("a kid");
                JwtSigner::new(other).sign(&json!({"iss": ISSUER, "aud": "api", "exp": NOW + 600})).expect("a token")
            }
            "TEXTUAL" => forged_until(json!("tomorrow"), json!({"alg": "ES256", "kid": "k1"})),
            "NAMELESS" => forged(json!({"alg": "ES256"})),
            "TYPED" => JwtSigner::new(self.key.clone()).token_type("dpop+jwt").sign(&json!({})).expect("a token"),
            "CSRF" => csrf_tokens().issue(&self.named("T")).expect("a token"),
            "CSRF2" => csrf_tokens().issue(&self.named("T2")).expect("a token"),
            "NONE" => forged(json!({"alg": "none"})),
            "RS256" => forged(json!({"alg": "RS256", "kid": "k1"})),
            "CRIT" => forged(json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]})),
            "B" => {
                let good = self.named("T");
                let (input, _) = good.rsplit_once('.').expect("three parts");
                format!("{input}.{}", URL_SAFE_NO_PAD.encode([1; 64]))
            }
            other => panic!("no token is called {other}"),
        }
    }

    /// `text` with each `{NAME}` replaced by its token; `{LONG:n}` and `{DOTS:n}` stand for n letters or dots.
    pub(crate) fn fill(&self, text: &str) -> String {
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
    pub(crate) fn guard(&self, world: &str) -> Guard {
        self.builder(world).build().expect("a guard")
    }

    /// The guard of a world, telling `observer`.
    pub(crate) fn guard_told(&self, world: &str, observer: impl Observer) -> Guard {
        match world {
            "later" => Guard::later_told(observer).0,
            _ => self.builder(world).observer(observer).build().expect("a guard"),
        }
    }

    /// A guard that has its keys from somewhere else.
    pub(crate) fn with_keys(keys: impl KeyProvider) -> GuardBuilder {
        Self::with_verifier(verifier(keys).build().expect("a verifier"))
    }

    fn with_verifier(verifier: impl TokenVerifier) -> GuardBuilder {
        let rbac = RbacAuthorizer::builder()
            .role("reader", ["posts:read"])
            .role("admin", ["posts:write"])
            .inherits("admin", "reader")
            .build()
            .expect("a catalog");
        Guard::builder(verifier).authorizer(rbac).realm("api")
    }

    /// What the tokens are verified with.
    pub(crate) fn keys(&self) -> StaticKeys {
        StaticKeys::from_keys([self.key.verifying_key().clone()])
    }

    /// What the guard of a world is made with.
    pub(crate) fn builder(&self, world: &str) -> GuardBuilder {
        let keys = self.keys();
        let builder = || Self::with_keys(keys.clone());
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
            "plain" => builder().body(BodyStyle::Plain),
            "empty" => builder().body(BodyStyle::Empty),
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
            "own" => builder().body(Own),
            "described" => builder().protected_resource(
                ResourceMetadata::builder("https://api.example/v1")
                    .authorization_server(ISSUER)
                    .scopes(["a", "b"])
                    .build()
                    .expect("metadata"),
            ),
            "rotated" => {
                let other = SigningKey::generate(Algorithm::ES256).and_then(|key| key.with_key_id("k2"));
                Self::with_keys(StaticKeys::from_keys([
                    self.key.verifying_key().clone(),
                    other.expect("a key").verifying_key().clone(),
                ]))
            }
            "strict" => {
                let strict = verifier(keys.clone()).subject("reader").max_age(Duration::from_secs(300));
                let strict = strict.max_lifetime(Duration::from_secs(1200)).check(|token| match token.token_id() {
                    Some("t3") => Err(OWN_CHECK),
                    _ => Ok(()),
                });
                Self::with_verifier(strict.build().expect("a verifier"))
            }
            "login" => Self::with_verifier(Login(verifier(keys.clone()).id_tokens_only().build().expect("a verifier"))),
            "password" => {
                let basic = HeaderExtractor::new("authorization").and_then(|header| header.prefix("Basic"));
                Self::with_verifier(Stranger).extractor(basic.expect("a scheme"))
            }
            "down" => Self::with_keys(Down),
            "unknown" => builder().revocation(Unsure),
            "undecided" => builder().authorizer(Unsure),
            other => panic!("no world is called {other}"),
        }
    }
}

/// What the check of an application's own says no with.
pub(crate) const OWN_CHECK: &str = "not_the_third";

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
