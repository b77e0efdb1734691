//! Several issuers, one for each tenant, in axum: `cargo run --example multi_tenant`.
//!
//! Each tenant has an issuer of its own, with its own keys, its own audience, and its own claim for roles. A token is held to
//! the rules of the tenant whose issuer it names, and no key of one tenant counts for another. A token of an issuer that
//! nobody knows is 401. While an issuer cannot be asked for its keys, its own tenant gets 503, and nobody else notices.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use countersign::authorize::permissions;
use countersign::issue::{Claims, JwtSigner};
use countersign::jwk::JwkSet;
use countersign::verify::IssuerRouter;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
use countersign_axum::{GuardExt, Verified};
use countersign_examples::quickstart::{self, Answer, Line, Message, bearer, log_ins};
use countersign_keys::JwksProvider;
use countersign_rbac::{ClaimPath, ClaimsMapping, RbacAuthorizer};
use serde::Deserialize;
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(600);

/// A tenant, as it is configured.
struct Tenant {
    name: &'static str,
    /// Where its issuer puts a user's roles.
    roles: &'static [&'static str],
}

const TENANTS: [Tenant; 3] = [
    Tenant { name: "acme", roles: &["roles"] },
    Tenant { name: "globex", roles: &["realm_access", "roles"] },
    // Its issuer is out of order.
    Tenant { name: "initech", roles: &["roles"] },
];
const OUT_OF_ORDER: &str = "initech";

/// One verifier for each tenant: what `iss` a token names chooses among them, and no other can be chosen.
fn guard(url: &str) -> Result<Guard, Box<dyn Error>> {
    let mut verifiers = Vec::new();
    let mut rbac = RbacAuthorizer::builder().role("reader", ["posts:read"]);
    for Tenant { name, roles } in TENANTS {
        let issuer = format!("{url}/{name}");
        let keys = JwksProvider::issuer(&issuer).name(name).allow_http_on_loopback().build()?;
        verifiers.push(JwtVerifier::builder(keys).issuer(&issuer).audience(format!("{name}-api")).build()?);
        let mapping = ClaimsMapping::builder().roles(ClaimPath::keys(roles.iter().copied()));
        rbac = rbac.mapping_for(issuer, mapping.without_role().without_permissions().build()?);
    }
    Ok(Guard::builder(IssuerRouter::new(verifiers)?).authorizer(rbac.build()?).realm("tenants").build()?)
}

/// Stands in for the issuers of all tenants, and for one that nobody knows.
struct Issuers {
    url: String,
    keys: Vec<(&'static str, SigningKey)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    tenant: String,
    /// Whose API it is for: the tenant's own, unless another one is named.
    audience: Option<String>,
    /// Whose key signs: the tenant's own, unless another one is named.
    signed_by: Option<String>,
}

impl Issuers {
    fn new(url: &str) -> Result<Self, Box<dyn Error>> {
        let names = TENANTS.iter().map(|tenant| tenant.name).chain(["nobody-knows"]);
        // All have the same key id: ids are the issuer's own affair.
        let key = |name| Ok((name, SigningKey::generate(Algorithm::ES256)?.with_key_id("1")?));
        Ok(Self { url: url.to_owned(), keys: names.map(key).collect::<Result<_, Box<dyn Error>>>()? })
    }

    fn key(&self, name: &str) -> Option<&SigningKey> {
        self.keys.iter().find_map(|(own, key)| (*own == name).then_some(key))
    }

    fn token(&self, login: &Login) -> Option<String> {
        let tenant = &login.tenant;
        let key = self.key(login.signed_by.as_ref().unwrap_or(tenant))?;
        let audience = login.audience.as_ref().unwrap_or(tenant);
        let path = TENANTS.iter().find(|own| own.name == tenant).map_or(["roles"].as_slice(), |own| own.roles);
        let roles = path.iter().rev().fold(json!(["reader"]), |inner, name| json!({ *name: inner }));
        let claims = Claims::new(format!("{}/{tenant}", self.url)).subject("7").audience(format!("{audience}-api"));
        JwtSigner::new(key.clone()).issue(&claims.lifetime(LIFETIME).with(&roles).ok()?).ok()
    }
}

async fn log_in(State(issuers): State<Arc<Issuers>>, body: String) -> Answer {
    let login = serde_json::from_str(&body).ok();
    match login.and_then(|login| issuers.token(&login)) {
        Some(token) => Answer::json(200, &json!({ "access_token": token, "token_type": "Bearer" })),
        None => Answer::error(400, "the body names no tenant: {\"tenant\": …, \"audience\": …, \"signed_by\": …}"),
    }
}

async fn jwks(State(issuers): State<Arc<Issuers>>, Path(tenant): Path<String>) -> Answer {
    match issuers.key(&tenant) {
        Some(_) if tenant == OUT_OF_ORDER => Answer::empty(503),
        Some(key) => Answer::json(200, &key.verifying_key().jwk().into_iter().collect::<JwkSet>()),
        None => Answer::empty(404),
    }
}

async fn read(Verified(token): Verified) -> Json<Message> {
    let issuer = token.issuer().unwrap_or_default();
    let tenant = issuer.rsplit('/').next().unwrap_or_default();
    Json(Message::new(format!("The posts of {tenant}")))
}

fn router(guard: &Guard, issuers: Issuers) -> Result<Router, Box<dyn Error>> {
    let posts = get(read).route_layer(guard.require(permissions(["posts:read"]))?);
    Ok(Router::new()
        .route("/posts", posts)
        .layer(guard.layer())
        .route("/login", post(log_in))
        .route("/{tenant}/.well-known/jwks.json", get(jwks))
        .with_state(Arc::new(issuers)))
}

const LOG_INS: [(&str, &str); 6] = [
    ("ACME", r#"{"tenant":"acme"}"#),
    ("GLOBEX", r#"{"tenant":"globex"}"#),
    ("INITECH", r#"{"tenant":"initech"}"#),
    ("UNKNOWN", r#"{"tenant":"nobody-knows"}"#),
    ("ASTRAY", r#"{"tenant":"acme","audience":"globex"}"#),
    ("FORGED", r#"{"tenant":"acme","signed_by":"globex"}"#),
];

fn lines() -> [Line; 8] {
    let posts = |token, answer| ("", bearer(token), "/posts", answer);
    [
        posts("$ACME", "200: the posts of acme"),
        posts("$GLOBEX", "200: the posts of globex, whose roles stand elsewhere"),
        posts("$UNKNOWN", "401: nobody knows this issuer"),
        posts("$ASTRAY", "401: of acme, and for globex"),
        posts("$FORGED", "401: in acme's name, by a key of globex"),
        posts("$INITECH", "503: its issuer cannot be asked"),
        posts("$ACME", "200: and acme does not notice"),
        ("", String::new(), "/posts", "401 without a token"),
    ]
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let Some((listener, url)) = quickstart::listen()? else { return Ok(()) };
    let router = router(&guard(&url)?, Issuers::new(&url)?)?;
    quickstart::say("Countersign multi-tenant", &url, "", &log_ins(&url, &LOG_INS), &lines());
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    Ok(axum::serve(listener, router).with_graceful_shutdown(interrupted).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await.map_err(|error| error.to_string()))
}
